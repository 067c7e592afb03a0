/* Which number and which address a task shows: what the newest opt-in says, as long as that leads
 * to the person; else the person's own. */
#include "server/engine_shown.h"

#include "proto/email.h"
#include "proto/report.h"

static struct hash own_of(const struct person_row *row, bool phone)
{
    return phone ? row->phone : row->email;
}

/* --- what words say ------------------------------------------------------------------------ */

static struct hash hash_said(const struct life *life, struct slice said, bool phone)
{
    const struct hash_key *key = life->engine->options.hash_key;
    uint32_t agency = life->who->row.agency;
    char bytes[EMAIL_LENGTH_MAX + 1];
    struct text email = text_over(bytes, sizeof(bytes));

    if (said.length == 0)
        return (struct hash){{0}};
    if (phone)
        return hash_of(key, HASH_PHONE, agency, said);
    if (email_normalise(said, &email) != STATUS_OK)
        return (struct hash){{0}};
    return hash_of(key, HASH_EMAIL, agency, text_slice(&email));
}

static struct hash hash_in(const struct life *life, const struct optin *words, bool phone)
{
    return hash_said(life, words->text[phone ? OPTIN_PHONE_E164 : OPTIN_EMAIL], phone);
}

/* None: it says none, or cannot be read. */
static struct hash said_by(struct life *life, uint64_t seq, bool phone)
{
    struct engine *engine = life->engine;
    struct record_view record;

    if (life->received != NULL && seq == life->who->row.optin_seq)
        return phone ? life->received->phone : life->received->email;
    if (seq == 0 || journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK ||
        optin_decode(record.payload, engine->known) != STATUS_OK)
        return (struct hash){{0}};
    return hash_in(life, engine->known, phone);
}

/* The number that was known by then as found; empty: none was. */
static struct slice found_in(struct life *life, uint64_t known_seq)
{
    struct record_view record;
    struct report report;

    if (known_seq == 0 ||
        journal_batch_read(life->engine->options.journal, known_seq, &record) != STATUS_OK ||
        report_decode(record.payload, &report) != STATUS_OK)
        return (struct slice){0};
    return known_of(report.known, KNOWN_FINDING, SLICE("phone"));
}

static struct hash found_by(struct life *life, uint64_t known_seq)
{
    return hash_said(life, found_in(life, known_seq), true);
}

/* Whom it leads to is the person, or was when it said so and is about to be merged with it. */
static bool leads_here(struct life *life, uint64_t seq, struct hash phone)
{
    struct engine *engine = life->engine;
    struct engine_person other;
    struct record_view record;

    if (engine_is_found_by(engine, life->who, phone, true))
        return true;
    return engine_find_identity(engine, phone, true, &other) &&
           (other.number == life->who->number ||
            (journal_batch_read(engine->options.journal, seq, &record) == STATUS_OK &&
             record.header.person == other.number));
}

/* What these words say is shown: nothing has taken its place since, and a number is not wrong. */
static bool is_theirs(struct life *life, uint64_t seq, struct hash said, bool phone)
{
    const struct person_row *row = &life->who->row;

    if (hash_is_none(said) || hash_equal(said, own_of(row, phone)))
        return true;
    if ((phone ? row->phone_seq : row->email_seq) > seq)
        return false;
    if (!phone || (life->received != NULL && seq == row->optin_seq)) /* it leads to them now */
        return true;
    return !hash_equal(said, life->wrong) && leads_here(life, seq, said);
}

static bool has_one_opt_in(const struct person_row *row)
{
    return row->optins == 1 && row->optin_seq == row->first_seq;
}

void life_hide_wrong(struct life *life, struct optin *newest)
{
    const struct person_row *row = &life->who->row;

    if (!has_one_opt_in(row) && life->received == NULL &&
        !is_theirs(life, row->optin_seq, hash_in(life, newest, true), true))
        newest->text[OPTIN_PHONE] = newest->text[OPTIN_PHONE_E164] = (struct slice){0};
}

/* --- what a task shows ----------------------------------------------------------------------- */

void life_mark_shown(struct life *life, struct task_row *row)
{
    const struct person_row *person = &life->who->row;
    bool phone = row->channel != TASK_EMAIL; /* what it needs first */

    row->flags &= (uint8_t) ~(TASK_PHONELESS | TASK_OTHER_PHONE | TASK_OTHER_EMAIL);
    if (row->channel == TASK_CALL && !hash_is_none(person->phone) && !life_can_be_called(life))
        row->flags |= TASK_PHONELESS;
    if (has_one_opt_in(person))
        return;
    if (!is_theirs(life, row->optin_seq, said_by(life, row->optin_seq, true), true))
        row->flags |= TASK_OTHER_PHONE;
    if (!is_theirs(life, row->optin_seq, said_by(life, row->optin_seq, false), false))
        row->flags |= TASK_OTHER_EMAIL;
    if ((row->flags & (phone ? TASK_OTHER_PHONE : TASK_OTHER_EMAIL)) &&
        !hash_equal(said_by(life, row->more_seq, phone), own_of(person, phone)))
        row->more_seq = person_brought_by(person, phone);
}

/* The number, as it is rendered. */
static struct hash shown_by(struct life *life, const struct task_row *row)
{
    struct hash shown = {{0}};

    if (!(row->flags & (TASK_PHONELESS | TASK_OTHER_PHONE)))
        shown = said_by(life, row->optin_seq, true);
    if (!(row->flags & TASK_PHONELESS) && hash_is_none(shown))
        shown = said_by(life, row->more_seq, true);
    return hash_is_none(shown) ? found_by(life, row->known_seq) : shown;
}

bool life_show_found(struct life *life, struct hash phone, struct task_row *call)
{
    if (hash_is_none(phone) || call->channel != TASK_CALL || !hash_is_none(shown_by(life, call)))
        return false;
    call->known_seq = life->who->row.known_seq;
    life_mark_shown(life, call);
    return true;
}

bool life_shows_wrong(struct life *life, const struct task_row *row)
{
    return !hash_is_none(life->wrong) && hash_equal(shown_by(life, row), life->wrong);
}

/* --- what is wrong --------------------------------------------------------------------------- */

/* What else leads to the person is another one's who was merged, and that one's own. */
static bool drop_second(struct life *life, struct hash wrong)
{
    struct engine_person other;

    return life_drop_phone(life, wrong) ||
           !engine_find_identity(life->engine, wrong, true, &other) ||
           other.number != life->who->number;
}

/* What the newest opt-in says beside it is the person's own from now on. */
static bool take_second(struct life *life)
{
    struct person_row *row = &life->who->row;
    const struct person_row before = *row;
    struct hash second = said_by(life, row->optin_seq, true);

    if (hash_is_none(second) || !life_drop_phone(life, second))
        return false;
    row->phone = second;
    row->phone_seq = row->optin_seq;
    life_keep_found(life, &before);
    return true;
}

/* What somebody is alone knows of no findings. */
static void forget_wrong(struct life *life, struct hash wrong)
{
    if (!life->is_alone && !hash_is_none(wrong) && hash_equal(life_found(life, true), wrong))
        life_forget_found(life, true);
}

/* Nothing else has been found since. */
static void find_again(struct life *life, const struct task_row *told, struct hash right)
{
    struct slice value = found_in(life, told->known_seq);
    char bytes[KNOWN_VALUE_MAX + 16];
    struct text news = text_over(bytes, sizeof(bytes));

    if (life->is_alone || value.length == 0 || value.length > KNOWN_VALUE_MAX ||
        !hash_equal(hash_said(life, value, true), right) ||
        !hash_equal(life->who->row.phone, right) || !hash_is_none(life_found(life, true)))
        return;
    known_add(&news,
              &(struct known_item){.kind = KNOWN_FINDING, .name = SLICE("phone"), .value = value});
    life_know(life, text_slice(&news));
}

unsigned life_hear_wrong(struct life *life, const struct heard *heard)
{
    struct person_row *row = &life->who->row;
    struct hash wrong;

    if (heard->outcome != OUTCOME_WRONG_NUMBER || heard->told.number == 0)
        return 0;
    wrong = shown_by(life, &heard->told);
    forget_wrong(life, wrong);
    if (hash_is_none(wrong) ||
        !(hash_equal(wrong, row->phone) ? take_second(life) : drop_second(life, wrong)))
        return 0;
    life->wrong = wrong;
    life->has_words = life->has_place = false;
    row->zone = 0; /* they may be elsewhere */
    return PHONE_CHANNELS;
}

void life_hear_right(struct life *life, const struct heard *heard)
{
    struct hash right;

    if (heard->outcome == OUTCOME_WRONG_NUMBER || heard->told.number == 0)
        return;
    right = shown_by(life, &heard->told);
    life_regain_phone(life, right);
    find_again(life, &heard->told, right);
}
