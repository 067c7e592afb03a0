#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/must.h"
#include "proto/text.h"
#include "server/inbox_internal.h"
#include "tests/sim/redis_model_internal.h"

/* --- replies ----------------------------------------------------------------------------- */

struct answer_block {
    struct answer_block *next;
    char bytes[];
};

static void *take(struct answer *answer, size_t bytes)
{
    struct answer_block *block = malloc(sizeof(*block) + bytes + 1);

    MUST(block != NULL);
    block->next = answer->blocks;
    answer->blocks = block;
    return block->bytes;
}

void answer_free(struct answer *answer)
{
    while (answer->blocks != NULL) {
        struct answer_block *block = answer->blocks;
        answer->blocks = block->next;
        free(block);
    }
}

/* The text is copied, for the key may be gone when the reply is read; and ends in a zero, as those
 * of hiredis do. */
struct redis_reply reply_text(struct answer *answer, enum redis_type type, struct slice text)
{
    char *bytes = take(answer, text.length);

    if (text.length > 0)
        memcpy(bytes, text.bytes, text.length);
    bytes[text.length] = '\0';
    return (struct redis_reply){.type = type, .text = {bytes, text.length}};
}

struct redis_reply reply_number(int64_t number)
{
    return (struct redis_reply){.type = REDIS_INTEGER, .integer = number};
}

struct redis_reply reply_array(struct answer *answer, size_t count, struct redis_reply **items_out)
{
    *items_out = take(answer, count * sizeof(**items_out));
    return (struct redis_reply){.type = REDIS_ARRAY, .count = count, .items = *items_out};
}

void answer_error(struct call *call, const char *text)
{
    call->answer->reply = reply_text(call->answer, REDIS_ERROR, slice_of(text));
}

void answer_wrong_type(struct call *call)
{
    answer_error(call, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

static void answer_text(struct call *call, struct slice text)
{
    call->answer->reply = reply_text(call->answer, REDIS_STRING, text);
}

static void answer_nil(struct call *call)
{
    call->answer->reply = (struct redis_reply){.type = REDIS_NIL};
}

static struct redis_reply reply_id(struct answer *answer, uint64_t ms, uint64_t seq)
{
    char buffer[48];
    struct slice text = inbox_id_text(buffer, (struct inbox_id){ms, seq});

    return reply_text(answer, REDIS_STRING, text);
}

static struct redis_reply reply_score(struct answer *answer, double score)
{
    char digits[64];

    snprintf(digits, sizeof(digits), "%.17g", score);
    return reply_text(answer, REDIS_STRING, slice_of(digits));
}

static struct redis_reply reply_entry(struct answer *answer, const struct element *element)
{
    struct redis_reply *items, *fields, entry = reply_array(answer, 2, &items);
    struct slice packed = element_text(element), part;
    size_t count = 0;

    for (struct slice rest = packed; packed_next(&rest, &part);)
        count++;
    items[0] = reply_id(answer, element->ms, element->seq);
    items[1] = reply_array(answer, count, &fields);
    for (size_t i = 0; packed_next(&packed, &part); i++)
        fields[i] = reply_text(answer, REDIS_STRING, part);
    return entry;
}

/* --- arguments --------------------------------------------------------------------------- */

bool word_number(struct slice word, int64_t *out)
{
    char digits[32], *end;

    if (word.length == 0 || word.length >= sizeof(digits))
        return false;
    memcpy(digits, word.bytes, word.length);
    digits[word.length] = '\0';
    *out = strtoll(digits, &end, 10);
    return *end == '\0';
}

void word_score(struct slice word, double *out, bool *good_out)
{
    char digits[64], *end = digits;

    *good_out = word.length > 0 && word.length < sizeof(digits);
    if (!*good_out)
        return;
    memcpy(digits, word.bytes, word.length);
    digits[word.length] = '\0';
    *out = strtod(digits, &end);
    *good_out = *end == '\0' && *out == *out;
}

static bool word_is(struct slice word, const char *text)
{
    return word.length == strlen(text) && strncasecmp(word.bytes, text, word.length) == 0;
}

static int64_t number_at(const struct call *call, size_t index)
{
    int64_t number = 0;

    MUST(index < call->count && word_number(call->words[index], &number));
    return number;
}

static struct inbox_id id_at(const struct call *call, size_t index)
{
    struct inbox_id id;

    MUST(index < call->count && inbox_id_read(call->words[index], &id));
    return id;
}

/* The key that the command is about, of this kind. False: it is another; that is answered. */
static bool find(struct call *call, enum key_kind kind, struct entry_key **out)
{
    MUST(call->count > 1);
    *out = model_find(call->model, call->words[1]);
    if (*out == NULL || (*out)->kind == kind)
        return true;
    answer_wrong_type(call);
    return false;
}

/* --- strings and keys -------------------------------------------------------------------- */

static void do_get(struct call *call)
{
    struct entry_key *key;

    if (!find(call, KEY_STRING, &key))
        return;
    if (key == NULL)
        answer_nil(call);
    else
        answer_text(call, element_text(&key->elements[0]));
}

static void do_set(struct call *call)
{
    model_delete(call->model, call->words[1]);
    element_append(model_make(call->model, call->words[1], KEY_STRING), call->words[2]);
    call->answer->reply = reply_text(call->answer, REDIS_STATUS, SLICE("OK"));
}

static void do_del(struct call *call)
{
    bool there = model_find(call->model, call->words[1]) != NULL;

    model_delete(call->model, call->words[1]);
    call->answer->reply = reply_number(there);
}

static void do_flushall(struct call *call)
{
    model_flush(call->model);
    call->answer->reply = reply_text(call->answer, REDIS_STATUS, SLICE("OK"));
}

/* --- queues ------------------------------------------------------------------------------ */

/* Redis' way to name a range: from, to, both included; below 0 counted from the end. */
static void range(const struct call *call, size_t count, size_t *from_out, size_t *to_out)
{
    int64_t from = number_at(call, 2), to = number_at(call, 3), all = (int64_t)count;

    from = from < 0 ? (from + all < 0 ? 0 : from + all) : from;
    to = to < 0 ? to + all : (to >= all ? all - 1 : to);
    *from_out = from > to ? 0 : (size_t)from;
    *to_out = from > to ? 0 : (size_t)to + 1;
}

static void do_range(struct call *call)
{
    bool scores = call->count > 4;
    struct entry_key *key;
    struct redis_reply *items;
    size_t from, to, at = 0;

    if (!find(call, word_is(call->words[0], "LRANGE") ? KEY_LIST : KEY_ZSET, &key))
        return;
    range(call, key != NULL ? key->count : 0, &from, &to);
    call->answer->reply = reply_array(call->answer, (to - from) * (scores ? 2 : 1), &items);
    for (size_t i = from; i < to; i++) {
        items[at++] = reply_text(call->answer, REDIS_STRING, element_text(&key->elements[i]));
        if (scores)
            items[at++] = reply_score(call->answer, key->elements[i].score);
    }
}

static uint64_t place_of(const struct element *element)
{
    uint64_t hash = 14695981039346656037ull;

    for (size_t i = 0; i < element->text->length; i++)
        hash = (hash ^ (unsigned char)element->text->bytes[i]) * 1099511628211ull;
    return (hash >> 32) + 1;
}

/* Pages go by a hash, so what is there all the time is seen whatever comes and goes, as in Redis.
 */
static void do_zscan(struct call *call)
{
    uint64_t cursor = (uint64_t)number_at(call, 2), last = UINT64_MAX;
    size_t most = call->count > 4 ? (size_t)number_at(call, 4) : 10, count = 0, at = 0, all;
    struct redis_reply *items, *members;
    struct entry_key *key;
    char digits[24];

    if (!find(call, KEY_ZSET, &key))
        return;
    most = most < call->model->page ? most : call->model->page;
    all = key != NULL ? key->count : 0;
    for (uint64_t above = cursor; count < most && last != 0; above = last) {
        last = 0;
        for (size_t i = 0; i < all; i++) {
            uint64_t place = place_of(&key->elements[i]);
            if (place > above && (last == 0 || place < last))
                last = place;
        }
        count += last != 0;
    }
    count = 0;
    for (size_t i = 0; i < all; i++) {
        uint64_t place = place_of(&key->elements[i]);
        count += place > cursor && (last == 0 || place <= last);
    }
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)last);
    call->answer->reply = reply_array(call->answer, 2, &items);
    items[0] = reply_text(call->answer, REDIS_STRING, slice_of(digits));
    items[1] = reply_array(call->answer, 2 * count, &members);
    for (size_t i = 0; i < all; i++) {
        uint64_t place = place_of(&key->elements[i]);
        if (place <= cursor || (last != 0 && place > last))
            continue;
        members[at++] = reply_text(call->answer, REDIS_STRING, element_text(&key->elements[i]));
        members[at++] = reply_score(call->answer, key->elements[i].score);
    }
}

static void do_zadd(struct call *call)
{
    struct entry_key *key;
    double score;
    bool good;

    if (!find(call, KEY_ZSET, &key))
        return;
    word_score(call->words[2], &score, &good);
    MUST(good);
    size_t before = key != NULL ? key->count : 0;
    (void)model_zadd(call->model, call->words[1], false, score, call->words[3]);
    call->answer->reply =
        reply_number((int64_t)(model_find(call->model, call->words[1])->count - before));
}

static void do_rpush(struct call *call)
{
    struct entry_key *key;

    if (!find(call, KEY_LIST, &key))
        return;
    model_rpush(call->model, call->words[1], call->words[2]);
    call->answer->reply = reply_number((int64_t)model_find(call->model, call->words[1])->count);
}

static void do_zpopmin(struct call *call)
{
    struct redis_reply *items;
    struct entry_key *key;

    if (!find(call, KEY_ZSET, &key))
        return;
    call->answer->reply = reply_array(call->answer, key != NULL ? 2 : 0, &items);
    if (key == NULL)
        return;
    items[0] = reply_text(call->answer, REDIS_STRING, element_text(&key->elements[0]));
    items[1] = reply_score(call->answer, key->elements[0].score);
    element_remove(key, 0);
    model_tidy(call->model, key);
}

static void do_lpop(struct call *call)
{
    struct entry_key *key;

    if (!find(call, KEY_LIST, &key))
        return;
    if (key == NULL) {
        answer_nil(call);
        return;
    }
    answer_text(call, element_text(&key->elements[0]));
    element_remove(key, 0);
    model_tidy(call->model, key);
}

/* --- streams ----------------------------------------------------------------------------- */

static bool is_behind(const struct element *element, struct inbox_id id)
{
    return inbox_id_compare((struct inbox_id){element->ms, element->seq}, id) > 0;
}

static void do_xadd(struct call *call)
{
    struct inbox_id id = {call->now_ms, 0}, last = {0, 0};
    struct entry_key *key;

    if (!find(call, KEY_STREAM, &key))
        return;
    if (key != NULL)
        last = (struct inbox_id){key->last_ms, key->last_seq};
    if (!word_is(call->words[2], "*"))
        id = id_at(call, 2);
    else if (inbox_id_compare(id, last) <= 0)
        id = (struct inbox_id){last.ms, last.seq + 1};
    if (inbox_id_compare(id, last) <= 0) {
        answer_error(call, "ERR The ID specified in XADD is equal or smaller than the target "
                           "stream top item");
        return;
    }
    model_xadd(call->model, call->words[1], id.ms, id.seq, call->words + 3, call->count - 3);
    call->answer->reply = reply_id(call->answer, id.ms, id.seq);
}

/* XREAD COUNT n [BLOCK ms] STREAMS key ... id ... */
static void do_xread(struct call *call)
{
    size_t most = (size_t)number_at(call, 2), at = 3, streams, count = 0;
    struct redis_reply all[64], *items, *entries;

    while (!word_is(call->words[at], "STREAMS"))
        at += 2;
    at++;
    streams = (call->count - at) / 2;
    MUST(streams <= 64);
    for (size_t i = 0; i < streams; i++) {
        struct entry_key *key = model_find(call->model, call->words[at + i]);
        struct inbox_id id = id_at(call, at + streams + i);
        size_t from = 0, taken;
        if (key != NULL && key->kind != KEY_STREAM) {
            answer_wrong_type(call);
            return;
        }
        while (key != NULL && from < key->count && !is_behind(&key->elements[from], id))
            from++;
        if (key == NULL || from == key->count)
            continue;
        taken = key->count - from < most ? key->count - from : most;
        all[count] = reply_array(call->answer, 2, &items);
        items[0] = reply_text(call->answer, REDIS_STRING, call->words[at + i]);
        items[1] = reply_array(call->answer, taken, &entries);
        for (size_t j = 0; j < taken; j++)
            entries[j] = reply_entry(call->answer, &key->elements[from + j]);
        count++;
    }
    if (count == 0) {
        answer_nil(call);
        return;
    }
    call->answer->reply = reply_array(call->answer, count, &items);
    memcpy(items, all, count * sizeof(all[0]));
}

/* XREVRANGE key newest oldest COUNT n */
static void do_xrevrange(struct call *call)
{
    struct inbox_id newest = id_at(call, 2), oldest = inbox_id_before(id_at(call, 3));
    size_t most = (size_t)number_at(call, 5), first = 0, end, count;
    struct redis_reply *items;
    struct entry_key *key;

    if (!find(call, KEY_STREAM, &key))
        return;
    end = key != NULL ? key->count : 0;
    while (end > 0 && is_behind(&key->elements[end - 1], newest))
        end--;
    while (first < end && !is_behind(&key->elements[first], oldest))
        first++;
    count = end - first < most ? end - first : most;
    call->answer->reply = reply_array(call->answer, count, &items);
    for (size_t i = 0; i < count; i++)
        items[i] = reply_entry(call->answer, &key->elements[end - 1 - i]);
}

/* XTRIM key MINID = ms-seq: to the entry, which `~` allows too. */
static void do_xtrim(struct call *call)
{
    struct entry_key *key;
    struct inbox_id least;
    int64_t removed = 0, ms;

    if (!find(call, KEY_STREAM, &key))
        return;
    if (!inbox_id_read(call->words[4], &least)) {
        MUST(word_number(call->words[4], &ms));
        least = (struct inbox_id){(uint64_t)ms, 0};
    }
    for (; key != NULL && key->count > 0; removed++) {
        struct inbox_id id = {key->elements[0].ms, key->elements[0].seq};
        if (inbox_id_compare(id, least) >= 0)
            break;
        element_remove(key, 0);
    }
    call->answer->reply = reply_number(removed);
}

/* Of XINFO STREAM only what is asked for. */
static void do_xinfo(struct call *call)
{
    struct redis_reply *items;
    struct entry_key *key = model_find(call->model, call->words[2]);

    if (key == NULL) {
        answer_error(call, "ERR no such key");
    } else if (key->kind != KEY_STREAM) {
        answer_wrong_type(call);
    } else {
        call->answer->reply = reply_array(call->answer, 2, &items);
        items[0] = reply_text(call->answer, REDIS_STRING, SLICE("last-generated-id"));
        items[1] = reply_id(call->answer, key->last_ms, key->last_seq);
    }
}

/* --- by name ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t words_least;
    void (*run)(struct call *call);
} commands[] = {
    {"GET", 2, do_get},      {"SET", 3, do_set},
    {"DEL", 2, do_del},      {"FLUSHALL", 1, do_flushall},
    {"ZRANGE", 4, do_range}, {"LRANGE", 4, do_range},
    {"ZSCAN", 3, do_zscan},  {"ZADD", 4, do_zadd},
    {"RPUSH", 3, do_rpush},  {"ZPOPMIN", 2, do_zpopmin},
    {"LPOP", 2, do_lpop},    {"XADD", 5, do_xadd},
    {"XREAD", 5, do_xread},  {"XREVRANGE", 6, do_xrevrange},
    {"XTRIM", 5, do_xtrim},  {"XINFO", 3, do_xinfo},
    {"PUSH", 8, model_push}, {"CLAIM", 4, model_claim},
};

void model_do(struct model *model, const struct slice *words, size_t count, uint64_t now_ms,
              struct answer *out)
{
    struct call call = {model, words, count, now_ms, out};

    *out = (struct answer){0};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!word_is(words[0], commands[i].name))
            continue;
        MUST(count >= commands[i].words_least);
        commands[i].run(&call);
        return;
    }
    MUST(!"a command that the model knows");
}
