/* Tasks: how one begins, where it goes, when it waits for its window, what it is due for next. */
#include <string.h>

#include "proto/must.h"
#include "proto/name.h"
#include "server/engine_internal.h"

/* What a robot sends is never contact, so it breaks no promise: its deadline says how late it may
 * still be sent. */
static bool is_robots(const struct task_row *row)
{
    return engine_is_robots((enum task_channel)row->channel);
}

static bool breaches(const struct task_row *row)
{
    return !(row->flags & TASK_BREACHED) && !is_robots(row);
}

/* --- finding --------------------------------------------------------------------------------- */

bool life_find_open(struct life *life, enum task_channel channel, struct task_row *out)
{
    const struct engine_person *who = life->who;
    struct state *state = life->engine->options.state;
    uint64_t after = 0;

    if (who->task.number != 0 && who->task.channel == channel) {
        *out = who->task;
        return true;
    }
    if (who->number > state_meta(state)->people)
        return false; /* somebody new has none */
    while (state_task_next(state, who->number, after, out)) {
        if (out->channel == channel)
            return true;
        after = out->number;
    }
    return false;
}

uint32_t life_queue(struct life *life, struct slice name)
{
    const struct registry *registry = life->engine->options.registry;
    const struct agency *agency = registry_agency(registry, life->who->row.agency);
    char id[2 * SITE_NAME_MAX + 2];
    struct text text = text_over(id, sizeof(id));

    if (agency == NULL || name.length > SITE_NAME_MAX)
        return 0;
    text_string(&text, agency->id);
    text_char(&text, '.');
    text_add(&text, name);
    return registry_number(registry, ENTITY_QUEUE, text_slice(&text));
}

/* --- beginning ---------------------------------------------------------------------------- */

/* What the newest opt-in itself says of how to be reached, and addressed. */
static void look_at_newest(struct life *life, bool *phone_out, bool *email_out, bool *name_out)
{
    struct engine *engine = life->engine;
    struct record_view record;

    *phone_out = *email_out = *name_out = false;
    if (life->received != NULL) {
        *phone_out = !hash_is_none(life->received->phone);
        *email_out = !hash_is_none(life->received->email);
        *name_out = life->received->more & INTAKE_NAMED;
    } else if (journal_batch_read(engine->options.journal, life->who->row.optin_seq, &record) ==
                   STATUS_OK &&
               optin_decode(record.payload, engine->known) == STATUS_OK) {
        *phone_out = engine->known->text[OPTIN_PHONE].length > 0;
        *email_out = engine->known->text[OPTIN_EMAIL].length > 0;
        *name_out = name_is_given(engine->known);
    }
}

static uint64_t first_of(uint64_t a, uint64_t b, uint64_t c)
{
    if (a != 0)
        return a;
    return b != 0 ? b : c;
}

/* Where somebody who comes again leaves out how to be reached, an earlier record has it: what this
 * channel needs first. 0: nothing is missing that is known. */
static uint64_t known_from(struct life *life, enum task_channel channel)
{
    const struct person_row *row = &life->who->row;
    uint64_t phone_seq, email_seq, name_seq;
    bool phone, email, name;

    if (row->optins == 1 && row->optin_seq == row->first_seq)
        return 0;
    look_at_newest(life, &phone, &email, &name);
    name_seq = name ? 0 : row->name_seq;
    phone_seq = phone || hash_is_none(row->phone) ? 0 : row->phone_seq;
    email_seq = email || hash_is_none(row->email) ? 0 : row->email_seq;
    if (!phone && !hash_is_none(row->phone) && phone_seq == 0)
        phone_seq = row->first_seq;
    if (!email && !hash_is_none(row->email) && email_seq == 0)
        email_seq = row->first_seq;
    if (channel == TASK_EMAIL)
        return first_of(email_seq, name_seq, phone_seq);
    if (channel == TASK_CALL || channel == TASK_SMS || channel == TASK_VOICEMAIL)
        return first_of(phone_seq, email_seq, name_seq);
    return first_of(name_seq, phone_seq, email_seq);
}

/* The newest words are no opt-in's own where they came as an update to one. */
static bool newest_is_update(const struct life *life)
{
    struct record_view record;

    return life->received == NULL &&
           journal_batch_read(life->engine->options.journal, life->who->row.optin_seq, &record) ==
               STATUS_OK &&
           record.header.kind == RECORD_REPEATED;
}

void life_tell_task(struct life *life, struct task_row *row)
{
    const struct person_row *person = &life->who->row;

    if (newest_is_update(life)) {
        row->optin_seq = person->first_seq;
        row->received_ms = person->first_ms;
        row->more_seq = person->optin_seq;
    } else {
        row->optin_seq = person->optin_seq;
        row->received_ms = person->last_ms;
        row->more_seq = known_from(life, (enum task_channel)row->channel);
    }
    row->known_seq = person->known_seq;
    if (row->channel == TASK_CALL && !hash_is_none(person->phone) && !life_can_be_called(life))
        row->flags |= TASK_PHONELESS;
}

/* What an opt-in gives as names; all empty where it cannot be read. */
static void read_names(struct life *life, uint64_t seq, struct slice names_out[3])
{
    static const enum optin_text fields[3] = {OPTIN_FIRST_NAME, OPTIN_NAME, OPTIN_LAST_NAME};
    struct optin *optin = life->engine->known;
    struct slice said = life->said;
    struct record_view record;

    memset(names_out, 0, 3 * sizeof(*names_out));
    if (life->received == NULL || seq != life->who->row.optin_seq) {
        if (seq == 0 ||
            journal_batch_read(life->engine->options.journal, seq, &record) != STATUS_OK)
            return;
        said = record.payload;
    }
    if (optin_decode(said, optin) != STATUS_OK)
        return;
    for (unsigned i = 0; i < 3; i++)
        names_out[i] = optin->text[fields[i]];
}

/* As the task is rendered: one that is told of an opt-in without a name addresses nobody, though
 * another one had it. What a second record adds goes where the first has nothing: one that is older
 * only where it has no name at all. */
bool life_names(struct life *life, enum task_channel channel)
{
    struct task_row row = {.channel = (uint8_t)channel};
    struct slice names[3];
    bool has[3], later;

    life_tell_task(life, &row);
    later = row.more_seq > row.optin_seq;
    read_names(life, row.optin_seq, names);
    if (name_is_usable(names[0]) || name_is_usable(names[1]))
        return true;
    for (unsigned i = 0; i < 3; i++)
        has[i] = names[i].length > 0;
    read_names(life, row.more_seq, names);
    for (unsigned i = 0; i < 2; i++)
        if (name_is_usable(names[i]) && !(later ? has[i] : has[0] || has[1] || has[2]))
            return true;
    return name_is_usable(known_of(life_known(life), KNOWN_FINDING, SLICE("name"))) ||
           name_is_usable(known_of(life_known(life), KNOWN_FINDING, SLICE("first_name")));
}

void life_new_task(struct life *life, enum task_channel channel, enum task_kind kind,
                   struct task_row *row)
{
    const struct person_row *person = &life->who->row;

    MUST(life->opened < TASKS_PER_RECORD);
    *row = (struct task_row){
        .number = life->turn->seq << 3 | life->opened++,
        .opened_ms = life->turn->now_ms,
        .site = person->site,
        .owner = person->owner,
        .delivery = 1,
        .attempt = (uint16_t)(person->attempts + 1),
        .channel = (uint8_t)channel,
        .kind = (uint8_t)kind,
        .stage = person->stage,
        .renderer = TASK_RENDERER,
        .playbook = person->playbook,
        .segment = person->segment,
    };
    life_tell_task(life, row);
}

/* --- rank ------------------------------------------------------------------------------------- */

#define RANK_SPREAD_MS 86400000ull /* between the first and the last priority */
#define PRIORITY_USUAL 50
#define PRIORITY_MOST  100

/* What was promised by a moment has that for its rank. */
static bool is_promised(const struct task_row *row)
{
    return row->kind != TASK_STEP && row->kind != TASK_RETRY && row->kind != TASK_WAKE;
}

static uint32_t priority_of(struct engine *engine, const struct task_row *row)
{
    const struct playbook *playbook = registry_playbook(engine->options.registry, row->playbook);

    if (row->cadence > 0 && row->cadence <= playbook->cadences.count && row->step > 0 &&
        row->step <= playbook->cadences.items[row->cadence - 1].steps.count)
        return playbook->cadences.items[row->cadence - 1].steps.items[row->step - 1].priority;
    if (row->segment > 0 && row->segment <= playbook->segments.count)
        return playbook->segments.items[row->segment - 1].priority;
    return PRIORITY_USUAL;
}

/* All other tasks stand behind what is fresh when they may first be done, the less urgent the
 * farther, and by a day at most: what comes later than that is ranked behind them, so that nothing
 * waits for ever however much of it comes. */
static uint64_t rank_from(struct engine *engine, const struct task_row *row, uint64_t from_ms)
{
    if (is_promised(row))
        return row->deadline_ms;
    return from_ms + DEADLINE_MS +
           (PRIORITY_MOST - priority_of(engine, row)) * (RANK_SPREAD_MS / PRIORITY_MOST);
}

/* --- putting and parking ------------------------------------------------------------------ */

/* A fresh opt-in asked to be contacted. */
static bool keeps_hours(const struct life *life, const struct task_row *row)
{
    const struct site *site = registry_site(life->engine->options.registry, row->site);

    if (!engine_has_hours((enum task_channel)row->channel))
        return false;
    if (row->kind != TASK_FIRST_RESPONSE)
        return true;
    /* What a site that is gone wanted is seen by what its task was put with. */
    return site != NULL ? site->hours_policy == HOURS_ALWAYS : row->zone != 0;
}

/* A call counts as a touch when it was made; everything else that comes to the person does from
 * when it goes out, so that what waits for its window does not wait for itself. */
static bool reaches_them(const struct task_row *row)
{
    return row->channel != TASK_CALL && row->channel != TASK_RESEARCH;
}

static void put(struct life *life, struct task_row *row)
{
    row->state = TASK_QUEUED;
    row->owner = life->who->row.owner;
    row->put_seq = row->first_put_seq = life_take_seq(life, row->queue);
    if (row->delivery == 1 && reaches_them(row))
        life_touch(life, (enum task_channel)row->channel, life->turn->now_ms);
}

/* A call that nobody waits for, and that could not be made yet, has as long from the opening on as
 * it had. */
static bool is_unhurried(const struct task_row *row)
{
    return row->channel == TASK_CALL && row->kind != TASK_FIRST_RESPONSE &&
           row->kind != TASK_AGREED && row->first_put_seq == 0;
}

#define RELEASE_EACH_MS   20     /* of what waits on a queue one after the other is put so soon */
#define RELEASE_WITHIN_MS 600000 /* after the opening, or a quarter of the window */

/* What was promised is put when its window opens. All else goes behind those that wait on its queue
 * already, so that a night's worth of them does not come in one moment; where there are more than
 * that leaves room for, they go through the same minutes once more. */
static uint64_t release_ms(const struct life *life, const struct task_row *row,
                           const struct life_window *window)
{
    const struct state_queue *queue = state_queue(life->engine->options.state, row->queue);
    uint64_t before = queue->parked_tasks, within_ms = RELEASE_WITHIN_MS;

    if (is_promised(row))
        return window->opens_ms;
    if (row->state == TASK_PARKED && before > 0) /* it is looked at again */
        before--;
    if (window->closes_ms != 0 && (window->closes_ms - window->opens_ms) / 4 < within_ms)
        within_ms = (window->closes_ms - window->opens_ms) / 4;
    return window->opens_ms + before % (within_ms / RELEASE_EACH_MS + 1) * RELEASE_EACH_MS;
}

/* What was promised by a moment at which nobody may call is promised for soon after the opening. */
static void park(struct life *life, struct task_row *row, struct life_window *window)
{
    uint64_t deadline_ms = is_unhurried(row) ? window->opens_ms + CALL_WITHIN_MS
                                             : engine_deadline(life->engine, row, window->opens_ms);
    uint32_t team = engine_to_team(row); /* who is to have it is seen when it opens */

    if (team != 0)
        engine_set_queue(life->engine, row, team);
    row->not_before_ms = window->why.opens_ms = release_ms(life, row, window);
    row->state = TASK_PARKED;
    row->put_seq = 0;
    if (breaches(row) && row->deadline_ms < deadline_ms) {
        row->deadline_ms = deadline_ms;
        if (is_promised(row))
            row->rank_ms = deadline_ms;
    }
    /* What was reached on no day of those before has its old rank, and so comes first. */
    if (!is_promised(row) && row->first_put_seq == 0)
        row->rank_ms = rank_from(life->engine, row, window->opens_ms);
    life_effect(life, EFFECT_PARKED, &window->why, sizeof(window->why));
}

/* `fresh`: nobody had it yet, or nobody has it any more. True: it was put. */
static bool put_or_park(struct life *life, struct task_row *row, bool fresh)
{
    struct life_window window = {.open = true};

    if (keeps_hours(life, row)) {
        life_window(life, row, life->turn->now_ms, &window);
        /* Nobody was there while the one before closed, and this one has opened since. */
        if (window.open && row->closes_ms != 0 && row->closes_ms <= life->turn->now_ms)
            row->not_before_ms = life->turn->now_ms;
        row->closes_ms = window.closes_ms;
        row->zone = zone_code(life_place(life)->local);
    } else { /* its site may have wanted hours until now */
        row->closes_ms = 0;
        row->zone = 0;
    }
    if (!window.open) {
        park(life, row, &window);
        return false;
    }
    if (fresh)
        life_give(life, row);
    put(life, row);
    return true;
}

void life_task_effect(struct life *life, const struct task_row *row, uint64_t drop_seq)
{
    struct effect_task effect = {.person = life->who->number, .drop_seq = drop_seq, .row = *row};

    engine_schedule(life->engine, &effect.row);
    life_effect(life, EFFECT_TASK, &effect, sizeof(effect));
}

void life_open_task(struct life *life, struct task_row *row, uint64_t at_ms)
{
    MUST(row->queue != 0); /* on which nobody would ever see it */
    engine_set_queue(life->engine, row, row->queue);
    if (row->channel == TASK_CALL)
        life->opens_call = true;
    row->not_before_ms = at_ms;
    row->rank_ms = rank_from(life->engine, row, at_ms);
    put_or_park(life, row, true);
    life_task_effect(life, row, 0);
}

uint64_t life_requeue(struct life *life, struct task_row *row, uint32_t queue,
                      uint64_t given_back_ms)
{
    uint64_t drop_seq = life_take_seq(life, row->queue);

    if (queue != 0)
        engine_set_queue(life->engine, row, queue);
    row->delivery++;
    row->agent = 0;
    row->claimed_ms = 0;
    row->lease_until_ms = 0;
    if (breaches(row) && row->deadline_ms <= given_back_ms)
        engine_breach(life->engine, row, given_back_ms);
    put_or_park(life, row, false);
    return drop_seq;
}

uint64_t life_put_anew(struct life *life, struct task_row *row, uint64_t at_ms)
{
    row->flags &= (uint8_t)~TASK_BREACHED;
    row->cadence = row->step = 0;
    row->closes_ms = 0;
    row->zone = 0;
    row->rank_ms = rank_from(life->engine, row, at_ms);
    row->not_before_ms = at_ms;
    life_tell_task(life, row);
    if (row->state != TASK_PARKED)
        return life_requeue(life, row, 0, life->turn->now_ms);
    put_or_park(life, row, true);
    return 0;
}

enum record_kind life_put(struct life *life, struct task_row *row)
{
    return put_or_park(life, row, true) ? RECORD_OPENED : RECORD_PARKED;
}

#define HASTEN_GAP_MS 86400000ull /* nobody is called twice a day for being interested */

static uint64_t last_called_ms(const struct person_row *row)
{
    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        if (row->touch_calls >> i & 1)
            return row->touches[i] * 1000ull;
    return 0;
}

/* As if it were fresh. */
static bool move_forward(struct life *life, struct task_row *row)
{
    uint64_t rank_ms = life->turn->now_ms + DEADLINE_MS;

    if (row->state != TASK_QUEUED || (row->flags & TASK_IN_LIST) || row->rank_ms <= rank_ms)
        return false;
    row->rank_ms = rank_ms;
    row->put_seq = life_take_seq(life, row->queue);
    life_task_effect(life, row, 0);
    return true;
}

bool life_hasten(struct life *life)
{
    struct person_row *row = &life->who->row;
    uint64_t called_ms = last_called_ms(row), at_ms = life->turn->now_ms;
    struct task_row open;

    if (row->closed == PERSON_GIVEN_UP || row->closed == PERSON_NOT_STARTED ||
        (row->flags & (PERSON_DO_NOT_CONTACT | PERSON_CUSTOMER)) || !life_can_be_called(life))
        return false;
    if (life_find_open(life, TASK_CALL, &open))
        return move_forward(life, &open);
    if (called_ms != 0 && called_ms + HASTEN_GAP_MS > at_ms)
        at_ms = called_ms + HASTEN_GAP_MS;
    if (row->call_why == CALL_AGREED || (row->call_ms != 0 && row->call_ms <= at_ms))
        return false;
    row->call_ms = at_ms;
    row->call_why = CALL_SIGNAL;
    row->closed = PERSON_WORKED;
    return true;
}

/* --- ending ------------------------------------------------------------------------------- */

void life_end_task(struct life *life, const struct task_row *row)
{
    struct effect_task_end end = {.person = life->who->number, .task = row->number};

    /* What is popped, claimed or parked is not in Redis; what is queued must not stay there. */
    if (row->state == TASK_QUEUED)
        end.drop_seq = life_take_seq(life, row->queue);
    if (row->channel == TASK_CALL)
        life->ended_call = row->number;
    life_effect(life, EFFECT_TASK_END, &end, sizeof(end));
}

/* What stands in a robot's queue is as good as sent, and may be what was asked for. */
static bool is_under_way(const struct task_row *row)
{
    return row->state == TASK_QUEUED ? is_robots(row) : row->state != TASK_PARKED;
}

static bool is_to_end(const struct task_row *row, const struct life_endings *endings)
{
    if (row->number == 0 || row->number == endings->but)
        return false;
    if (endings->channels >> row->channel & 1)
        return true;
    return endings->steps && row->kind == TASK_STEP && !is_under_way(row);
}

bool engine_is_over(const struct task_row *row, uint64_t now_ms)
{
    return is_robots(row) && row->deadline_ms <= now_ms;
}

/* What comes next was planned when it was opened, so nothing but this ends. */
void life_leave_undone(struct life *life, const struct task_row *row)
{
    struct effect_step effect = {
        .due_ms = row->opened_ms,
        .task = row->number,
        .playbook = row->playbook,
        .cadence = row->cadence,
        .step = row->step,
        .channel = row->channel,
        .skip = SKIP_UNDONE,
    };

    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
    life_end_task(life, row);
}

void life_end_tasks(struct life *life, const struct life_endings *endings)
{
    const struct engine_person *who = life->who;
    struct task_row other;
    uint64_t after = 0;

    if (endings->channels == 0 && !endings->steps)
        return;
    if (is_to_end(&who->task, endings))
        life_end_task(life, &who->task);
    while (state_task_next(life->engine->options.state, who->number, after, &other)) {
        after = other.number;
        if (is_to_end(&other, endings))
            life_end_task(life, &other);
    }
}

/* --- what its queue says, or its playbook ------------------------------------------------------
 */

static const struct playbook *playbook_of(const struct engine *engine, const struct task_row *row)
{
    return registry_playbook(engine->options.registry, row->playbook);
}

static uint64_t said_or(uint64_t said_ms, struct playbook_span span)
{
    return said_ms != 0 ? said_ms : playbook_span_about(span);
}

uint64_t engine_report_within_ms(const struct engine *engine, const struct task_row *row)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);

    return said_or(queue != NULL ? queue->report_within_ms : 0,
                   playbook_of(engine, row)->lease.report);
}

uint64_t engine_claim_holds_ms(const struct engine *engine, const struct task_row *row)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);

    return said_or(queue != NULL ? queue->claim_holds_ms : 0,
                   playbook_of(engine, row)->lease.claim);
}

/* --- what it is due for ------------------------------------------------------------------- */

static void due_earlier(struct task_row *row, enum due_kind kind, uint64_t at_ms)
{
    if (at_ms == 0 || at_ms == UINT64_MAX || (row->due_kind != DUE_NONE && row->due_ms <= at_ms))
        return;
    row->due_kind = (uint8_t)kind;
    row->due_ms = at_ms;
}

/* While somebody has it in hand nothing else is looked at: what passed then is noticed when it
 * comes back. */
void engine_schedule(struct engine *engine, struct task_row *row)
{
    uint64_t tier_ms;

    row->due_kind = DUE_NONE;
    row->due_ms = 0;
    if (row->lease_until_ms != 0) {
        due_earlier(row, DUE_LEASE, row->lease_until_ms);
        return;
    }
    if (is_robots(row))
        due_earlier(row, DUE_OVER, row->deadline_ms);
    if (row->state == TASK_PARKED) {
        due_earlier(row, DUE_PUT, row->not_before_ms);
        return;
    }
    due_earlier(row, DUE_SHUT, row->closes_ms);
    due_earlier(row, DUE_SILENT, row->claim_by_ms);
    if (breaches(row))
        due_earlier(row, DUE_BREACH, row->deadline_ms);
    if (row->kind != TASK_FIRST_RESPONSE)
        return;
    if (engine_next_tier(engine, row, &tier_ms) != 0)
        due_earlier(row, DUE_TIER, tier_ms);
    due_earlier(row, DUE_RUNG, engine_next_rung_ms(engine, row));
}

/* What was not promised is not overdue either, and keeps its rank.
 *
 * The rank follows from when the promise was broken, not from when that was noticed: a server that
 * was down leaves the order as it would have been. */
void engine_breach(struct engine *engine, struct task_row *row, uint64_t broken_ms)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);
    const struct playbook *playbook = playbook_of(engine, row);

    row->flags |= TASK_BREACHED;
    if (is_promised(row))
        row->rank_ms = broken_ms + said_or(queue != NULL ? queue->overdue_after_ms : 0,
                                           playbook->overdue_after);
}
