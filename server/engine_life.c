/* The life of a person between opt-in and conversation: what is known, which segment and cadence
 * follow from it, and when it ends.
 *
 * Somebody who is worked always has something that comes next: an open call, a step, a call that is
 * planned. A cadence goes on with another one, or ends; whoever was not tried often enough by then
 * is called on. What nobody reaches any more ends explicitly, and the row says why. */
#include <string.h>

#include "proto/must.h"
#include "proto/name.h"
#include "proto/task.h"
#include "server/engine_alone.h"
#include "server/engine_shown.h"

#define DAY_MS 86400000ull

static struct person_row *row_of(struct life *life)
{
    return &life->who->row;
}

/* --- begin and end --------------------------------------------------------------------------- */

void life_begin(struct life *life, struct engine *engine, const struct turn *turn,
                struct engine_person *who)
{
    life->engine = engine;
    life->turn = turn;
    life->who = who;
    life->before = who->row;
    life->playbook = registry_playbook(engine->options.registry, who->row.playbook);
    life->company = NULL;
    life->speaker = 0;
    life->is_alone = false;
    life->received = NULL;
    life->said = (struct slice){0};
    life->opened = 0;
    life->opens_call = false;
    life->ended_call = 0;
    life->queue_count = 0;
    life->has_facts = life->has_words = life->has_place = life->has_known = false;
    life->wrong = (struct hash){{0}};
    engine->rest->header.effects_bytes = 0;
    if (who->row.marks & PERSON_JOINED) {
        engine_load_company(engine, who, engine->company);
        life->company = engine->company;
    }
}

void life_turn_to(struct life *life, struct engine_person *who)
{
    life->who = who;
    life->playbook = registry_playbook(life->engine->options.registry, who->row.playbook);
    life->has_facts = life->has_words = life->has_place = life->has_known = false;
    life->opens_call = false;
}

void life_effect(struct life *life, enum effect_kind kind, const void *effect, size_t bytes)
{
    if (!life->is_alone)
        engine_effect(life->engine->rest, kind, effect, bytes);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* What is owed beside an agreed time is due since the opt-in that it is of. */
uint64_t life_due_ms(const struct person_row *row)
{
    uint64_t due_ms = earlier(earlier(row->step_ms, row->call_ms), row->held_ms);

    return row->marks & PERSON_OWED ? earlier(due_ms, row->last_ms) : due_ms;
}

void life_end(struct life *life, struct record *record, bool always)
{
    struct engine_person *who = life->who;

    who->row.due_ms = life_due_ms(&who->row);
    if (always || memcmp(&life->before, &who->row, sizeof(who->row)) != 0) {
        struct effect_person effect = {.person = who->number, .row = who->row};
        engine_effect(record, EFFECT_PERSON, &effect, sizeof(effect));
    }
    MUST(record_effects(record, life->engine->rest));
    if (life->company != NULL)
        company_end(life, record);
}

uint64_t life_take_seq(struct life *life, uint32_t queue)
{
    size_t i = 0;

    while (i < life->queue_count && life->taken[i].queue != queue)
        i++;
    if (i == life->queue_count) {
        MUST(life->queue_count < sizeof(life->taken) / sizeof(life->taken[0]));
        life->taken[life->queue_count].queue = queue;
        life->taken[life->queue_count++].count = 0;
    }
    life->taken[i].count++;
    return state_queue(life->engine->options.state, queue)->outbox_seq + life->taken[i].count;
}

/* --- what the person has said ---------------------------------------------------------------- */

/* A copy, because what the journal shows is gone with the next look. */
static bool read_words(struct engine *engine, uint64_t seq, char **at, struct optin *out)
{
    struct record_view record;

    if (seq == 0 || journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK ||
        record.payload.length == 0 ||
        record.payload.length > WORDS_BYTES_MAX - (size_t)(*at - engine->words_bytes))
        return false;
    memcpy(*at, record.payload.bytes, record.payload.length);
    if (optin_decode((struct slice){*at, record.payload.length}, out) != STATUS_OK)
        return false;
    *at += record.payload.length;
    return true;
}

/* Where the words so far leave something out, these have it; a number only where they brought it:
 * another one was replaced. */
static void add_earlier(struct life *life, uint64_t seq, char **at)
{
    struct engine *engine = life->engine;
    struct optin *earlier = engine->known;

    if (!read_words(engine, seq, at, earlier))
        return;
    if (seq != person_brought_by(&life->who->row, true))
        earlier->text[OPTIN_PHONE] = earlier->text[OPTIN_PHONE_E164] = (struct slice){0};
    optin_identify_by(TASK_RENDERER, engine->words, earlier);
}

/* The newest opt-in, and where it leaves something out, those that brought it, and what was found
 * out since. */
const struct optin *life_words(struct life *life)
{
    struct engine *engine = life->engine;
    const struct person_row *row = &life->who->row;
    const uint64_t others[] = {row->first_seq != row->optin_seq ? row->first_seq : 0,
                               row->phone_seq, row->name_seq};
    char *at = engine->words_bytes;

    if (life->has_words)
        return engine->words;
    life->has_words = true;
    optin_clear(engine->words);
    if (life->received == NULL)
        read_words(engine, row->optin_seq, &at, engine->words);
    else if (optin_decode(life->said, engine->words) != STATUS_OK)
        optin_clear(engine->words);
    life_hide_wrong(life, engine->words);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        add_earlier(life, others[i], &at);
    known_identify(engine->words, life_known(life));
    return engine->words;
}

/* --- facts -------------------------------------------------------------------------------- */

/* A number or a boolean is the word that it is written as. Empty: it is neither these nor a text.
 */
static struct slice word_of(struct slice json)
{
    if (json.length >= 2 && json.bytes[0] == '"')
        return (struct slice){json.bytes + 1, json.length - 2};
    if (json.length == 0 || json.bytes[0] == '{' || json.bytes[0] == '[' ||
        slice_equal(json, SLICE("null")))
        return (struct slice){0};
    return json;
}

struct slice life_field(struct life *life, struct slice name)
{
    const struct optin *words = life_words(life);

    for (size_t i = 0; i < words->extra_count; i++)
        if (slice_equal(words->extra[i].name, name))
            return word_of(words->extra[i].json);
    return (struct slice){0};
}

/* What a form's field says, and what was answered to a question. A field of the question's name is
 * no answer: agreement is heard in a conversation, and anybody can send a form. Texts only. */
static struct slice answer_of(void *owner, enum playbook_fact kind, struct slice name)
{
    struct life *life = owner;

    return kind == PLAYBOOK_FACT_FIELD ? life_field(life, name)
                                       : known_of(life_known(life), KNOWN_ANSWER, name);
}

static const struct {
    enum playbook_fact fact;
    enum optin_text text;
} word_facts[] = {
    {PLAYBOOK_FACT_SOURCE, OPTIN_SOURCE_KIND},    {PLAYBOOK_FACT_COUNTRY, OPTIN_COUNTRY},
    {PLAYBOOK_FACT_COMPANY, OPTIN_COMPANY},       {PLAYBOOK_FACT_TITLE, OPTIN_TITLE},
    {PLAYBOOK_FACT_CAMPAIGN, OPTIN_UTM_CAMPAIGN}, {PLAYBOOK_FACT_MEDIUM, OPTIN_UTM_MEDIUM},
};

static bool asks(const struct life *life, enum playbook_fact fact)
{
    return life->playbook->asked >> fact & 1;
}

/* All that needs the person's words, or a name. */
static void add_words(struct life *life)
{
    const struct registry *registry = life->engine->options.registry;
    struct playbook_facts *facts = &life->facts;
    const struct person_row *row = &life->who->row;

    for (size_t i = 0; i < sizeof(word_facts) / sizeof(word_facts[0]); i++)
        if (asks(life, word_facts[i].fact))
            facts->of[word_facts[i].fact].word = life_words(life)->text[word_facts[i].text];
    if (asks(life, PLAYBOOK_FACT_AGENCY))
        facts->of[PLAYBOOK_FACT_AGENCY].word = registry_name(registry, ENTITY_AGENCY, row->agency);
    if (asks(life, PLAYBOOK_FACT_SITE))
        facts->of[PLAYBOOK_FACT_SITE].word = registry_name(registry, ENTITY_SITE, row->site);
    if (asks(life, PLAYBOOK_FACT_CONSENT))
        facts->of[PLAYBOOK_FACT_CONSENT].number = life_words(life)->consent_given == OPTIN_YES;
    if (asks(life, PLAYBOOK_FACT_NAME))
        facts->of[PLAYBOOK_FACT_NAME].number = name_is_given(life_words(life));
}

static struct slice label_of(const struct playbook_label *labels, uint32_t count,
                             const struct playbook_facts *facts)
{
    const struct playbook_label *label = playbook_label_of(labels, count, facts);

    return label != NULL ? label->id : (struct slice){0};
}

/* Points of before have lost half of themselves with every half-life; between two of those moments
 * evenly, which is within 6 % of the curve and the same on every machine. */
static uint32_t score_at(const struct playbook *playbook, const struct person_row *row,
                         uint64_t now_ms)
{
    uint64_t half_ms = playbook_span_about(playbook->score.half_life);
    uint64_t since_ms = now_ms - row->score_s * 1000ull;
    uint64_t halvings = half_ms > 0 ? since_ms / half_ms : 0;

    if (now_ms < row->score_s * 1000ull || half_ms == 0)
        return row->score_hundredths;
    if (halvings >= 32)
        return 0;
    uint64_t score = row->score_hundredths >> halvings;
    return (uint32_t)(score - score * (since_ms % half_ms) / half_ms / 2);
}

static uint32_t score_now(const struct life *life)
{
    return score_at(life->playbook, &life->who->row, life->turn->now_ms);
}

void engine_plain_facts(const struct playbook *playbook, const struct person_row *row,
                        uint64_t now_ms, struct playbook_facts *facts)
{
    facts->of[PLAYBOOK_FACT_SCORE].number = score_at(playbook, row, now_ms) / 100;
    facts->of[PLAYBOOK_FACT_ATTEMPTS].number = row->attempts;
    facts->of[PLAYBOOK_FACT_OPTINS].number = row->optins;
    facts->of[PLAYBOOK_FACT_AGE].number = (int64_t)(now_ms - row->first_ms);
    /* Of people of before this was noted, the stage tells; it is the shipped ladder's. */
    facts->of[PLAYBOOK_FACT_CONVERSATION].number =
        (row->flags & PERSON_CONVERSED) || (row->playbook == 0 && row->stage == STAGE_LEAD);
    facts->of[PLAYBOOK_FACT_CUSTOMER].number = !!(row->flags & PERSON_CUSTOMER);
    facts->of[PLAYBOOK_FACT_RETURNING].number = row->optins > 1;
    facts->of[PLAYBOOK_FACT_IMPORTED].number = !!(row->flags & PERSON_IMPORTED);
    facts->of[PLAYBOOK_FACT_PHONE].number = !hash_is_none(row->phone);
    facts->of[PLAYBOOK_FACT_EMAIL].number = !hash_is_none(row->email);
    facts->of[PLAYBOOK_FACT_OWNER].number = row->owner != 0;
    if (row->stage > 0 && row->stage <= playbook->stages.count)
        facts->of[PLAYBOOK_FACT_STAGE].word = playbook->stages.items[row->stage - 1].id;
}

const struct playbook_facts *life_facts(struct life *life)
{
    const struct playbook *playbook = life->playbook;
    struct playbook_facts *facts = &life->facts;

    if (!life->has_facts) {
        memset(facts, 0, sizeof(*facts));
        facts->answer = answer_of;
        facts->owner = life;
        life->has_facts = true;
        add_words(life);
    }
    engine_plain_facts(playbook, &life->who->row, life->turn->now_ms, facts);
    if (asks(life, PLAYBOOK_FACT_TEMPERATURE))
        facts->of[PLAYBOOK_FACT_TEMPERATURE].word =
            label_of(playbook->temperatures.items, playbook->temperatures.count, facts);
    if (asks(life, PLAYBOOK_FACT_PERSONA))
        facts->of[PLAYBOOK_FACT_PERSONA].word =
            label_of(playbook->personas.items, playbook->personas.count, facts);
    return facts;
}

bool life_is_hot(struct life *life)
{
    const struct playbook *playbook = life->playbook;

    return playbook->temperatures.count > 0 &&
           playbook_label_of(playbook->temperatures.items, playbook->temperatures.count,
                             life_facts(life)) == playbook->temperatures.items;
}

bool life_is_customer(const struct life *life)
{
    return life->who->row.flags & PERSON_CUSTOMER;
}

void life_enter(struct life *life, unsigned stage)
{
    struct person_row *row = row_of(life);

    row->stage = (uint8_t)stage;
    row->flags &= (uint8_t)~PERSON_CUSTOMER;
    if (life->playbook->stages.items[stage - 1].customer)
        row->flags |= PERSON_CUSTOMER;
}

void life_move(struct life *life, uint64_t on)
{
    unsigned stage = playbook_move(life->playbook, row_of(life)->stage, on, life_facts(life));

    if (stage != row_of(life)->stage)
        life_enter(life, stage);
}

/* --- cadences ----------------------------------------------------------------------------- */

static const struct playbook_cadence *cadence_of(const struct life *life)
{
    return playbook_cadence(life->playbook, life->who->row.cadence);
}

static const struct playbook_segment *sort(struct life *life)
{
    const struct playbook_segment *segment = playbook_segment_of(life->playbook, life_facts(life));

    row_of(life)->segment = (uint8_t)(segment - life->playbook->segments.items + 1);
    return segment;
}

static void hold_none(struct person_row *row)
{
    row->held_ms = 0;
    row->held_cadence = row->held_step = 0;
}

static void start_cadence(struct life *life, unsigned cadence, uint64_t from_ms)
{
    struct person_row *row = row_of(life);

    row->cadence = (uint8_t)cadence;
    row->cadence_ms = from_ms;
    row->step = 1;
    row->passed = 0;
    row->step_ms = life_step_at(life, &cadence_of(life)->steps.items[0]);
    hold_none(row);
}

void life_start_cadence(struct life *life, unsigned cadence)
{
    start_cadence(life, cadence, life->turn->now_ms);
}

void life_plan_call(struct life *life, uint64_t at_ms, enum call_why why)
{
    row_of(life)->call_ms = at_ms;
    row_of(life)->call_why = (uint8_t)why;
}

unsigned life_attempts(const struct life *life)
{
    const struct person_row *row = &life->who->row;

    return (unsigned)(row->attempts - row->attempts_before);
}

void life_stop(struct life *life, enum person_end end)
{
    struct person_row *row = row_of(life);

    row->cadence = row->step = 0;
    row->cadence_ms = row->step_ms = row->call_ms = 0;
    row->call_why = CALL_NOT;
    row->marks &= (uint8_t)~PERSON_OWED;
    row->closed = (uint8_t)end;
    hold_none(row);
}

/* What waits for a name does so until it is too late, also when the cadence is over. What goes
 * round in a ring does so once a day at most, whatever its steps say. */
void life_go_on(struct life *life)
{
    const struct playbook_cadence *cadence = cadence_of(life);
    struct person_row *row = row_of(life);
    const struct person_row before = *row;

    uint64_t from_ms = life->turn->now_ms;

    if (cadence != NULL && playbook_next(life->playbook, cadence) != NULL) {
        if (playbook_in_ring(life->playbook, cadence) && from_ms < row->cadence_ms + DAY_MS)
            from_ms = row->cadence_ms + DAY_MS;
        start_cadence(life, cadence->then - (unsigned)PLAYBOOK_GOES_ON, from_ms);
        row->held_ms = before.held_ms;
        row->held_cadence = before.held_cadence;
        row->held_step = before.held_step;
        return;
    }
    row->step = 0;
    row->step_ms = 0;
}

/* A customer stays in the cadence that its purchase began; a prospect who comes back has the one of
 * its segment. Who is in that one already does not hear all of it again. */
static bool begins_anew(const struct life *life, const struct playbook_segment *segment,
                        unsigned segment_before)
{
    const struct playbook_cadence *cadence = cadence_of(life);

    if (cadence == NULL || life->who->row.step == 0)
        return true;
    if (segment_before != life->who->row.segment)
        return segment->cadence != life->who->row.cadence;
    return segment->cadence != life->who->row.cadence && cadence->program == PLAYBOOK_PROSPECTS;
}

void life_meet(struct life *life)
{
    unsigned segment_before = row_of(life)->segment;
    const struct playbook_segment *segment = sort(life);

    /* Whom all of it did not reach is tried as often once more. */
    if (row_of(life)->closed == PERSON_GIVEN_UP || row_of(life)->closed == PERSON_RUN_OUT)
        row_of(life)->attempts_before = row_of(life)->attempts;
    row_of(life)->closed = PERSON_WORKED;
    if (begins_anew(life, segment, segment_before))
        life_start_cadence(life, segment->cadence);
}

void life_follow(struct life *life)
{
    unsigned segment_before = row_of(life)->segment;
    const struct playbook_segment *segment = sort(life);

    if (row_of(life)->closed == PERSON_WORKED && row_of(life)->segment != segment_before &&
        begins_anew(life, segment, segment_before))
        life_start_cadence(life, segment->cadence);
}

bool life_can_be_called(const struct life *life)
{
    const struct person_row *row = &life->who->row;

    return !hash_is_none(row->phone) && !(row->silenced >> TASK_CALL & 1);
}

bool life_has_call(struct life *life)
{
    struct task_row open;

    return life->opens_call ||
           (life_find_open(life, TASK_CALL, &open) && open.number != life->ended_call);
}

/* Where the cadences have ended before somebody was tried often enough, it is by calls that this is
 * made good: at the pace at which unanswered calls go on, and not more than one a day. */
static void plan_missing_call(struct life *life)
{
    const struct playbook_calls *calls = &life->playbook->calls;
    struct person_row *row = row_of(life);
    uint64_t at_ms = life->turn->now_ms + DAY_MS;
    uint32_t which = row->calls < calls->spacing.count ? row->calls : calls->spacing.count - 1;

    row->call_ms = calls->spacing.count > 0
                       ? life_after(life, life->turn->now_ms, calls->spacing.items[which].span)
                       : at_ms;
    if (row->call_ms < at_ms)
        row->call_ms = at_ms;
    row->call_why = CALL_RETRY;
}

/* Who has nothing ahead any more has come to an end, unless there are attempts left to be made. */
void life_keep_going(struct life *life)
{
    struct person_row *row = row_of(life);

    (void)sort(life);
    if (row->closed != PERSON_WORKED || row->step_ms != 0 || row->call_ms != 0 ||
        row->held_ms != 0 || life_has_call(life))
        return;
    if (life_attempts(life) < life->playbook->calls.attempts_least && life_can_be_called(life))
        plan_missing_call(life);
    else
        life_stop(life, PERSON_RUN_OUT);
}

/* --- touches and score -------------------------------------------------------------------- */

/* A call counts when it was made, which is reported later: the newest stand first all the same. */
void life_touch(struct life *life, enum task_channel channel, uint64_t at_ms)
{
    struct person_row *row = row_of(life);

    uint32_t at_s = (uint32_t)(at_ms / 1000);
    unsigned i = 0;
    uint8_t later;

    while (i < TOUCHES_KEPT && row->touches[i] > at_s)
        i++;
    if (i == TOUCHES_KEPT)
        return;
    memmove(row->touches + i + 1, row->touches + i,
            (TOUCHES_KEPT - 1 - i) * sizeof(row->touches[0]));
    row->touches[i] = at_s;
    later = (uint8_t)((1u << i) - 1);
    row->touch_calls =
        (uint8_t)((row->touch_calls & later) | (unsigned)(channel == TASK_CALL) << i |
                  (unsigned)(row->touch_calls & ~later) << 1);
}

/* Each as old as it is by now. */
void life_score_both(struct life *life, const struct person_row *other)
{
    uint32_t score = score_now(life) + score_at(life->playbook, other, life->turn->now_ms);

    row_of(life)->score_hundredths = score;
    row_of(life)->score_s = (uint32_t)(life->turn->now_ms / 1000);
}

void life_score(struct life *life, uint32_t points)
{
    uint32_t score = score_now(life) + points * 100;

    row_of(life)->score_hundredths = score;
    row_of(life)->score_s = (uint32_t)(life->turn->now_ms / 1000);
}
