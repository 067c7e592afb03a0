/* What is found out about a person: answers to the playbook's questions, and what somebody looked
 * up. The record of a report that brings some holds all that is known since then, so that nobody
 * walks through a history to ask for one answer. */
#include <string.h>

#include "proto/email.h"
#include "proto/must.h"
#include "proto/phone.h"
#include "proto/report.h"
#include "server/engine_joining.h"
#include "server/engine_shown.h"

#define NEWS_BYTES (2 * KNOWN_BYTES_MAX)

struct slice life_known(struct life *life)
{
    struct engine *engine = life->engine;
    struct record_view record;
    struct report report;

    if (life->has_known)
        return life->known;
    life->has_known = true;
    life->known = (struct slice){0};
    if (life->who->row.known_seq == 0 ||
        journal_batch_read(engine->options.journal, life->who->row.known_seq, &record) !=
            STATUS_OK ||
        report_decode(record.payload, &report) != STATUS_OK || report.known.length == 0)
        return life->known; /* or all of it was taken back */
    memcpy(engine->known_bytes, report.known.bytes, report.known.length);
    return life->known = (struct slice){engine->known_bytes, report.known.length};
}

void life_know(struct life *life, struct slice news)
{
    struct engine *engine = life->engine;
    char *spare = engine->known_bytes + KNOWN_BYTES_MAX;
    struct text merged = text_over(spare, KNOWN_BYTES_MAX);

    known_merge(life_known(life), news, &merged);
    memcpy(engine->known_bytes, merged.bytes, merged.length);
    life->known = (struct slice){engine->known_bytes, merged.length};
    life->has_words = false;
    life->who->row.known_seq = life->turn->seq;
}

void life_join_known(struct life *life, struct life *other, bool newer)
{
    struct engine *engine = life->engine;
    struct text theirs = text_over(engine->news_bytes, KNOWN_BYTES_MAX);
    struct text own = text_over(engine->news_bytes + KNOWN_BYTES_MAX, KNOWN_BYTES_MAX);

    text_add(&theirs, life_known(other));
    life->has_known = false;
    text_add(&own, life_known(life));
    if (newer) {
        life_know(life, text_slice(&theirs));
        return;
    }
    memcpy(engine->known_bytes, theirs.bytes, theirs.length);
    life->known = (struct slice){engine->known_bytes, theirs.length};
    life_know(life, text_slice(&own));
}

static struct slice copy_known(struct life *life, uint64_t seq, char *room)
{
    struct text text = text_over(room, KNOWN_BYTES_MAX);

    life->who->row.known_seq = seq;
    life->has_known = false;
    text_add(&text, life_known(life));
    return text_slice(&text);
}

void life_part_known(struct life *life, uint64_t theirs_seq, uint64_t before_seq)
{
    char *room = life->engine->news_bytes;
    uint64_t own_seq = life->who->row.known_seq;
    struct slice theirs = copy_known(life, theirs_seq, room);
    struct slice before = copy_known(life, before_seq, room + KNOWN_BYTES_MAX);
    struct slice own = copy_known(life, own_seq, room + 2 * KNOWN_BYTES_MAX);
    struct text news = text_over(room + 3 * KNOWN_BYTES_MAX, KNOWN_BYTES_MAX);
    struct known_item item;

    while (known_next(&theirs, &item)) {
        struct slice value = known_of(before, item.kind, item.name);
        if (slice_equal(item.value, value) ||
            !slice_equal(item.value, known_of(own, item.kind, item.name)))
            continue;
        item.value = value;
        known_add(&news, &item);
    }
    if (news.length > 0)
        life_know(life, text_slice(&news));
}

static struct slice name_of(bool phone)
{
    return phone ? SLICE("phone") : SLICE("email");
}

struct hash life_found(struct life *life, bool phone)
{
    struct slice value = known_of(life_known(life), KNOWN_FINDING, name_of(phone));

    return value.length == 0
               ? (struct hash){{0}}
               : hash_of(life->engine->options.hash_key, phone ? HASH_PHONE : HASH_EMAIL,
                         life->who->row.agency, value);
}

void life_forget_found(struct life *life, bool phone)
{
    char bytes[16];
    struct text news = text_over(bytes, sizeof(bytes));

    known_add(&news, &(struct known_item){.kind = KNOWN_FINDING, .name = name_of(phone)});
    life_know(life, text_slice(&news));
}

struct slice life_written(struct life *life, const struct report *words)
{
    struct engine *engine = life->engine;
    size_t length = report_encode(words, engine->told_bytes, REPORT_STORED_MAX);

    MUST(length > 0);
    return (struct slice){engine->told_bytes, length};
}

struct slice life_told(struct life *life, struct report *words)
{
    words->known = life_known(life);
    return life_written(life, words);
}

/* --- what a report brings ----------------------------------------------------------------- */

/* As text: numbers as they were written, a flag as a word that a question has among its choices. */
static bool text_of(struct json_value value, struct text *room, struct slice *out)
{
    size_t begin = room->length;
    bool flag;

    if (json_string(value, out) || json_digits(value, out))
        return true;
    if (value.type == JSON_BOOL && json_bool(value, &flag)) {
        *out = flag ? SLICE("yes") : SLICE("no");
        return true;
    }
    *out = (struct slice){0};
    if (value.type == JSON_NULL) /* not known any more */
        return true;
    if (value.type == JSON_ARRAY || value.type == JSON_OBJECT)
        return false;
    json_write(room, value);
    *out = (struct slice){room->bytes + begin, room->length - begin};
    return !room->overflow;
}

static bool is_line(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return false;
    return text.length <= KNOWN_VALUE_MAX;
}

/* An answer that the playbook's question can have, as that writes it. */
static bool fits_question(struct life *life, struct slice name, struct slice *value)
{
    const struct playbook *playbook = life->playbook;
    const struct playbook_question *question = NULL;

    for (uint32_t i = 0; i < playbook->questions.count && question == NULL; i++)
        if (slice_equal(playbook->questions.items[i].id, name))
            question = &playbook->questions.items[i];
    if (question == NULL || question->choices.count == 0 || value->length == 0)
        return question != NULL;
    for (uint32_t i = 0; i < question->choices.count; i++)
        if (slice_equal_ignoring_case(question->choices.items[i], *value)) {
            *value = question->choices.items[i];
            return true;
        }
    return false;
}

static const char *country_of(struct life *life)
{
    const struct site *site =
        registry_lasting_site(life->engine->options.registry, life->who->row.site);

    return site != NULL ? site->country : "US";
}

/* A phone or an e-mail as it is written everywhere, and its hash. */
static bool understand(struct life *life, struct slice name, struct slice *value, struct text *room,
                       struct hash *hash)
{
    const struct hash_key *key = life->engine->options.hash_key;
    uint32_t agency = life->who->row.agency;
    size_t begin = room->length;
    struct phone phone;

    if (slice_equal(name, SLICE("phone"))) {
        if (phone_parse(*value, country_of(life), &phone) != STATUS_OK)
            return false;
        text_bytes(room, phone.e164, phone.length);
        *hash = hash_of(key, HASH_PHONE, agency, (struct slice){phone.e164, phone.length});
    } else {
        if (email_normalise(*value, room) != STATUS_OK)
            return false;
        *hash = hash_of(key, HASH_EMAIL, agency,
                        (struct slice){room->bytes + begin, room->length - begin});
    }
    *value = (struct slice){room->bytes + begin, room->length - begin};
    return !room->overflow;
}

static bool is_identifier(struct slice name)
{
    return slice_equal(name, SLICE("phone")) || slice_equal(name, SLICE("email"));
}

/* Adds what is sound to the news; false: it is not. */
static bool add_answer(struct life *life, struct slice name, struct slice value, struct news *news)
{
    if (!fits_question(life, name, &value))
        return false;
    known_add(&news->items, &(struct known_item){KNOWN_ANSWER, name, value});
    return true;
}

/* Whatever is found helps; but who it is must be somebody that can be reached so. Another's phone
 * or e-mail is not theirs: somebody has to look. */
static bool add_finding(struct life *life, struct slice name, struct slice value, struct news *news)
{
    struct hash hash = {{0}};
    struct engine_person other;
    bool phone = slice_equal(name, SLICE("phone"));

    if (is_identifier(name) && value.length > 0) {
        if (!understand(life, name, &value, &news->room, &hash))
            return false;
        if (engine_find_identity(life->engine, hash, phone, &other) &&
            other.number != life->who->number) {
            news->collides = other.number;
            return true;
        }
        *(phone ? &news->phone : &news->email) = hash;
    }
    known_add(&news->items, &(struct known_item){KNOWN_FINDING, name, value});
    return true;
}

typedef bool add_fn(struct life *life, struct slice name, struct slice value, struct news *news);

static void note_odd(struct news *news)
{
    if (news->odd < UINT8_MAX)
        news->odd++;
    if (news->first_odd == 0)
        news->first_odd = news->seen;
}

static void read_object(struct life *life, struct slice json, add_fn *add, struct news *news)
{
    struct engine *engine = life->engine;
    struct json_value root, member;
    struct slice name, value;

    if (json.length == 0)
        return;
    memcpy(engine->padded, json.bytes, json.length);
    if (json_parse(engine->json, engine->padded, json.length, &root) != STATUS_OK ||
        root.type != JSON_OBJECT) {
        note_odd(news);
        return;
    }
    struct json_walk walk = json_walk(root);
    while (json_next(&walk, &name, &member)) {
        news->seen++;
        if (!text_of(member, &news->room, &value) || name.length == 0 ||
            name.length > KNOWN_NAME_MAX || !is_line(name) || !is_line(value) ||
            !add(life, name, value, news))
            note_odd(news);
    }
}

void life_hear_news(struct life *life, const struct report *words, struct news *out)
{
    struct engine *engine = life->engine;

    *out = (struct news){
        .items = text_over(engine->news_bytes, NEWS_BYTES),
        .room = text_over(engine->news_bytes + NEWS_BYTES, NEWS_BYTES),
    };
    read_object(life, words->answers, add_answer, out);
    read_object(life, words->finds, add_finding, out);
}

/* The person has more ways to be reached than before. */
static bool add_identity(struct person_row *row, const struct news *news)
{
    bool phone = hash_is_none(row->phone) && !hash_is_none(news->phone);
    bool email = hash_is_none(row->email) && !hash_is_none(news->email);

    if (phone)
        row->phone = news->phone;
    if (email)
        row->email = news->email;
    return phone || email;
}

/* By what is found beside its own, the person is found as well. */
static void lead(struct life *life, const struct news *news)
{
    const struct engine_person *who = life->who;

    if (!hash_equal(news->phone, who->row.phone))
        life_lead(life, who->number, news->phone, true);
    if (!hash_equal(news->email, who->row.email))
        life_lead(life, who->number, news->email, false);
}

/* All that is found out stays with the one that is left, but for what is another one's. */
static void find_for_kept(struct life *life, struct news news)
{
    struct engine_person *kept = &life->company->of[0].who;
    uint64_t phone = company_whose(life->engine, life->company, news.phone, true);
    uint64_t email = company_whose(life->engine, life->company, news.email, false);

    if (phone != 0 && phone != kept->number)
        news.phone = (struct hash){{0}};
    if (email != 0 && email != kept->number)
        news.email = (struct hash){{0}};
    add_identity(&kept->row, &news);
}

bool life_take_news(struct life *life, const struct news *news)
{
    bool reached;

    if (news->collides != 0)
        life_collide(life, news->collides);
    if (news->items.length == 0)
        return false;
    life_know(life, text_slice(&news->items));
    if (life->company != NULL)
        find_for_kept(life, *news);
    reached = add_identity(&life->who->row, news);
    lead(life, news);
    return reached;
}
