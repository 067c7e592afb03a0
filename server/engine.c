/* The decisions: what becomes of an opt-in, of a task that was popped, of what is due.
 *
 * Each function looks at state, registry and journal, and leaves a sealed record that holds
 * every choice as the rows that follow from it. Nothing is changed here: that is apply's. */
#include "server/engine.h"

#include <stdlib.h>
#include <string.h>

#include "proto/id.h"
#include "proto/must.h"
#include "proto/zone.h"
#include "server/engine_alone.h"

enum status engine_open(const struct engine_options *options, struct engine **out)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return STATUS_BUSY;
    engine->options = *options;
    engine->json = json_open(RECORD_PAYLOAD_MAX);
    engine->padded = malloc(RECORD_PAYLOAD_MAX + JSON_PADDING);
    engine->optin = malloc(sizeof(*engine->optin));
    engine->words = malloc(sizeof(*engine->words));
    engine->known = malloc(sizeof(*engine->known));
    engine->words_bytes = malloc(WORDS_BYTES_MAX);
    engine->rest = malloc(sizeof(*engine->rest));
    engine->known_bytes = malloc(2 * KNOWN_BYTES_MAX);
    engine->news_bytes = malloc(4 * KNOWN_BYTES_MAX);
    engine->told_bytes = malloc(REPORT_STORED_MAX);
    engine->origins = calloc(ORIGINS_KEPT, sizeof(*engine->origins));
    engine->company = malloc(sizeof(*engine->company));
    if (engine->json == NULL || engine->padded == NULL || engine->optin == NULL ||
        engine->words == NULL || engine->known == NULL || engine->words_bytes == NULL ||
        engine->rest == NULL || engine->known_bytes == NULL || engine->news_bytes == NULL ||
        engine->told_bytes == NULL || engine->origins == NULL || engine->company == NULL) {
        engine_close(engine);
        return STATUS_BUSY;
    }
    /* Made when first asked for, which takes milliseconds: not while an opt-in waits. */
    (void)playbook_shipped();
    (void)zone_utc();
    *out = engine;
    return STATUS_OK;
}

void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    json_close(engine->json);
    free(engine->padded);
    free(engine->optin);
    free(engine->words);
    free(engine->known);
    free(engine->words_bytes);
    free(engine->rest);
    free(engine->known_bytes);
    free(engine->news_bytes);
    free(engine->told_bytes);
    free(engine->origins);
    free(engine->company);
    free(engine);
}

void engine_listen(struct engine *engine, engine_outbox_fn *on_outbox, void *owner)
{
    engine->options.on_outbox = on_outbox;
    engine->options.owner = owner;
}

/* --- helpers shared by the decisions --------------------------------------------------------- */

bool engine_load_person(struct engine *engine, uint64_t number, struct engine_person *out)
{
    *out = (struct engine_person){.number = number};
    return state_person_find(engine->options.state, number, &out->row, &out->task, &out->last_seq);
}

bool engine_open_task(struct engine *engine, const struct engine_person *who, uint64_t task,
                      struct task_row *out)
{
    if (who->task.number == task) {
        *out = who->task;
        return true;
    }
    return state_task_find(engine->options.state, who->number, task, out);
}

void engine_begin(struct record *record, enum record_kind kind, const struct turn *turn,
                  uint64_t person, uint64_t person_prev, uint32_t agency)
{
    record_begin(record, kind, turn->now_ms, agency);
    record->header.seq = turn->seq;
    record->header.admin_prev = turn->admin_seq;
    record->header.person = person;
    record->header.person_prev = person_prev;
}

/* Rows have their rarely used numbers at the end, and what a stored one ends without reads as 0: so
 * zeros there need not be stored. */
static size_t without_zeros(const void *effect, size_t bytes)
{
    uint64_t word;

    while (bytes > sizeof(word)) {
        memcpy(&word, (const char *)effect + bytes - sizeof(word), sizeof(word));
        if (word != 0)
            break;
        bytes -= sizeof(word);
    }
    return bytes;
}

void engine_effect(struct record *record, enum effect_kind kind, const void *effect, size_t bytes)
{
    if (kind == EFFECT_PERSON || kind == EFFECT_TASK || kind == EFFECT_ALONE)
        bytes = without_zeros(effect, bytes);
    MUST(record_effect(record, kind, effect, bytes));
}

/* --- pops ------------------------------------------------------------------------------------ */

/* Members of one rank stand in the order of their bytes, which begin with the id. */
static bool stands_before(struct engine *engine, const struct state_visible *visible,
                          const char *id)
{
    struct engine_person who;
    struct task_row row;
    char own[ID_TEXT_LENGTH];

    if (!engine_load_person(engine, visible->person, &who) ||
        !engine_open_task(engine, &who, visible->task, &row)) {
        MUST(state_failure(engine->options.state) != STATUS_OK); /* which fails the batch */
        return false;
    }
    if (row.flags & TASK_IN_LIST)
        return false;
    id_format(own, engine->options.id_key, ID_TASK, row.opened_ms, row.number);
    return memcmp(own, id, sizeof(own)) < 0;
}

/* Whether this put cannot be in its queue any more, given what stands first in it. */
static bool is_gone(struct engine *engine, const struct command_popped *popped,
                    const struct state_visible *visible)
{
    if (visible->outbox_seq > popped->pushed_seq)
        return false;
    return popped->empty || visible->rank_ms < popped->rank_ms ||
           (visible->rank_ms == popped->rank_ms && stands_before(engine, visible, popped->id));
}

/* Until when it may be silent who has the task of this put. */
static uint64_t silent_until(struct engine *engine, const struct queue *queue,
                             const struct state_visible *visible, uint64_t now_ms)
{
    struct engine_person who;
    struct task_row row;

    if (queue->report_within_ms != 0)
        return now_ms + queue->report_within_ms;
    if (!engine_load_person(engine, visible->person, &who) ||
        !engine_open_task(engine, &who, visible->task, &row))
        row = (struct task_row){.queue = queue->number};
    return now_ms + engine_report_within_ms(engine, &row);
}

/* Puts that are gone from Redis with no word of a consumer: their leases start now. */
static enum status decide_popped(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement, bool *more_out)
{
    const struct command_popped *popped = &command->popped;
    const struct queue *queue = registry_queue(engine->options.registry, popped->queue);
    struct state_visible visible = {0};
    unsigned count = 0;

    if (queue == NULL)
        return settlement->status = STATUS_NOT_FOUND;
    engine_begin(record, RECORD_POPPED, turn, 0, 0, queue->agency);
    while (count < POPPED_PER_RECORD &&
           state_visible_next(engine->options.state, popped->queue, visible.rank_ms, visible.task,
                              &visible)) {
        if (!popped->empty && visible.rank_ms > popped->rank_ms)
            break;
        if (is_gone(engine, popped, &visible)) {
            struct effect_popped effect = {
                .person = visible.person,
                .task = visible.task,
                .lease_until_ms = silent_until(engine, queue, &visible, command->now_ms)};
            engine_effect(record, EFFECT_POPPED, &effect, sizeof(effect));
            count++;
        }
        visible.task++; /* the next one behind it */
    }
    if (count == 0)
        return settlement->status = STATUS_DUPLICATE;
    record_seal(record);
    *more_out = count == POPPED_PER_RECORD;
    return settlement->status = STATUS_OK;
}

/* --- what is due ----------------------------------------------------------------------------- */

uint64_t engine_next_due_ms(struct engine *engine)
{
    struct state_due due;

    return state_due_first(engine->options.state, &due) ? due.due_ms : UINT64_MAX;
}

/* The same member under a later rank, where it has one. A list has no ranks: it stays where it is.
 */
static void move_behind(struct life *life, struct task_row *row, uint64_t broken_ms)
{
    uint64_t rank_ms = row->rank_ms;

    engine_breach(life->engine, row, broken_ms);
    if (!(row->flags & TASK_IN_LIST) && row->rank_ms != rank_ms)
        row->put_seq = life_take_seq(life, row->queue);
    life_task_effect(life, row, 0);
}

static enum record_kind task_due(struct life *life, struct task_row *row, uint64_t due_ms)
{
    enum record_kind kind;
    uint64_t drop_seq;

    if (engine_is_over(row, life->turn->now_ms)) {
        life_leave_undone(life, row);
        return RECORD_SKIPPED;
    }
    switch ((enum due_kind)row->due_kind) {
    case DUE_TIER:
        life_miss_tier(life, row, due_ms);
        return RECORD_TIER;
    case DUE_RUNG:
        life_climb(life, row, due_ms);
        return RECORD_RUNG;
    case DUE_PUT:
        kind = life_put(life, row);
        life_task_effect(life, row, 0);
        return kind;
    case DUE_SILENT:
        life_go_to_team(life, row);
        return RECORD_ASSIGNED;
    case DUE_BREACH:
        move_behind(life, row, due_ms);
        return RECORD_BREACH;
    case DUE_LEASE:
    case DUE_SHUT:
    case DUE_OVER: /* which is above */
    case DUE_NONE:
    case DUE_PERSON:
        break;
    }
    kind = row->due_kind == DUE_SHUT ? RECORD_SHUT : RECORD_LEASE_ENDED;
    drop_seq = life_requeue(life, row, engine_to_team(row), due_ms);
    life_task_effect(life, row, drop_seq);
    return kind;
}

enum status engine_decide_due(struct engine *engine, const struct turn *turn, struct record *record)
{
    struct state_due due;
    struct engine_person who;
    struct task_row row;
    struct life life;
    enum record_kind kind;

    if (!state_due_first(engine->options.state, &due) || due.due_ms > turn->now_ms)
        return STATUS_NOT_FOUND;
    if (!engine_load_person(engine, due.person, &who) ||
        (due.task != 0 && !engine_open_task(engine, &who, due.task, &row))) {
        MUST(state_failure(engine->options.state) != STATUS_OK);
        return state_failure(engine->options.state);
    }
    life_begin(&life, engine, turn, &who);
    if (due.task == 0) {
        MUST(who.row.due_ms == due.due_ms);
        kind = life_due(&life);
    } else {
        MUST(row.due_ms == due.due_ms);
        kind = task_due(&life, &row, due.due_ms);
    }
    engine_begin(record, kind, turn, who.number, who.last_seq, who.row.agency);
    life_end(&life, record, false);
    record_seal(record);
    return STATUS_OK;
}

/* --- the switch ------------------------------------------------------------------------------ */

enum status engine_decide(struct engine *engine, const struct command *command,
                          const struct turn *turn, struct record *record,
                          struct settlement *settlement, bool *more_out)
{
    *more_out = false;
    *settlement = (struct settlement){.ticket = command->ticket,
                                      .kind = command->kind,
                                      .status = STATUS_OK,
                                      .seq = turn->seq,
                                      .now_ms = turn->now_ms};
    switch (command->kind) {
    case COMMAND_OPTIN:
        return engine_decide_optin(engine, command, turn, record, settlement);
    case COMMAND_REPORT:
        return engine_decide_report(engine, command, turn, record, settlement);
    case COMMAND_POPPED:
        return decide_popped(engine, command, turn, record, settlement, more_out);
    case COMMAND_ADMIN:
        return engine_decide_admin(engine, command, turn, record, settlement, more_out);
    case COMMAND_ASSIGN:
        return engine_decide_assign(engine, command, turn, record, settlement);
    case COMMAND_SIGNAL:
        return engine_decide_signal(engine, command, turn, record, settlement);
    case COMMAND_WAKE:
        return engine_decide_wake(engine, command, turn, record, settlement);
    case COMMAND_FIND:
        return engine_decide_find(engine, command, settlement);
    case COMMAND_MOVE:
        return engine_decide_move(engine, command, turn, record, settlement);
    case COMMAND_MERGE:
        return engine_decide_merge(engine, command, turn, record, settlement);
    case COMMAND_BARRIER:
    case COMMAND_EPOCH: /* both are the writer's own */
        return STATUS_DUPLICATE;
    }
    MUST(!"a command of no kind");
    return STATUS_INTERNAL;
}
