/* The decisions: what becomes of an opt-in, of a task that was popped, of what is due.
 *
 * Each function looks at state, registry and journal, and leaves a sealed record that holds
 * every choice as the rows that follow from it. Nothing is changed here: that is apply's. */
#include "server/engine.h"

#include <stdlib.h>
#include <string.h>

#include "proto/id.h"
#include "proto/must.h"
#include "server/engine_internal.h"

enum status engine_open(const struct engine_options *options, struct engine **out)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return STATUS_BUSY;
    engine->options = *options;
    engine->json = json_open(OPTIN_BYTES_MAX);
    engine->optin = malloc(sizeof(*engine->optin));
    if (engine->json == NULL || engine->optin == NULL) {
        engine_close(engine);
        return STATUS_BUSY;
    }
    *out = engine;
    return STATUS_OK;
}

void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    json_close(engine->json);
    free(engine->optin);
    free(engine);
}

void engine_listen(struct engine *engine, engine_outbox_fn *on_outbox, void *owner)
{
    engine->options.on_outbox = on_outbox;
    engine->options.owner = owner;
}

/* --- helpers shared by the decisions ------------------------------------------ */

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

uint64_t engine_outbox_seq(struct engine *engine, uint32_t queue, unsigned taken)
{
    return state_queue(engine->options.state, queue)->outbox_seq + taken + 1;
}

void engine_schedule(struct task_row *row)
{
    row->due_kind = DUE_NONE;
    row->due_ms = 0;
    if (row->lease_until_ms != 0) {
        row->due_kind = DUE_LEASE;
        row->due_ms = row->lease_until_ms;
    } else if (!(row->flags & TASK_BREACHED)) {
        row->due_kind = DUE_BREACH;
        row->due_ms = row->deadline_ms;
    }
}

/* The rank follows from when the promise was broken, not from when that was noticed: a server that
 * was down leaves the order as it would have been. */
static void breach(struct engine *engine, struct task_row *row, uint64_t broken_ms)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);

    row->flags |= TASK_BREACHED;
    row->rank_ms = broken_ms + (queue != NULL ? queue->overdue_after_ms : 86400000);
}

uint64_t engine_requeue(struct engine *engine, struct task_row *row, uint64_t given_back_ms)
{
    uint64_t drop_seq = engine_outbox_seq(engine, row->queue, 0);

    row->delivery++;
    row->state = TASK_QUEUED;
    row->agent = 0;
    row->claimed_ms = 0;
    row->lease_until_ms = 0;
    row->put_seq = row->first_put_seq = drop_seq + 1;
    if (!(row->flags & TASK_BREACHED) && row->deadline_ms <= given_back_ms)
        breach(engine, row, given_back_ms);
    engine_schedule(row);
    return drop_seq;
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

void engine_effect(struct record *record, enum effect_kind kind, const void *effect, size_t bytes)
{
    MUST(record_effect(record, kind, effect, bytes));
}

/* --- pops ------------------------------------------------------------------------- */

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
            struct effect_popped effect = {.person = visible.person,
                                           .task = visible.task,
                                           .lease_until_ms =
                                               command->now_ms + queue->report_within_ms};
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

/* --- what is due -------------------------------------------------------------------- */

uint64_t engine_next_due_ms(struct engine *engine)
{
    struct state_due due;

    return state_due_first(engine->options.state, &due) ? due.due_ms : UINT64_MAX;
}

enum status engine_decide_due(struct engine *engine, const struct turn *turn, struct record *record)
{
    struct state_due due;
    struct engine_person who;
    struct effect_task task;

    if (!state_due_first(engine->options.state, &due) || due.due_ms > turn->now_ms)
        return STATUS_NOT_FOUND;
    if (!engine_load_person(engine, due.person, &who) ||
        !engine_open_task(engine, &who, due.task, &task.row)) {
        MUST(state_failure(engine->options.state) != STATUS_OK);
        return state_failure(engine->options.state);
    }
    MUST(task.row.due_ms == due.due_ms);
    task.person = due.person;
    task.drop_seq = 0;

    if (task.row.due_kind == DUE_LEASE) {
        task.drop_seq = engine_requeue(engine, &task.row, due.due_ms);
    } else {
        breach(engine, &task.row, due.due_ms);
        /* The same member under a later rank. A list has no ranks: it stays where it is. */
        if (!(task.row.flags & TASK_IN_LIST))
            task.row.put_seq = engine_outbox_seq(engine, task.row.queue, 0);
        engine_schedule(&task.row);
    }
    engine_begin(record, due.kind == DUE_LEASE ? RECORD_LEASE_ENDED : RECORD_BREACH, turn,
                 who.number, who.last_seq, who.row.agency);
    engine_effect(record, EFFECT_TASK, &task, sizeof(task));
    record_seal(record);
    return STATUS_OK;
}

/* --- administration ------------------------------------------------------------------ */

/* A queue's open tasks are given out and given out again by its settings: without it the next pop
 * would be the last that is seen of them. A site may go before its tasks, which have all of it that
 * they need in their own rows. */
static enum status check_remove(struct engine *engine, const struct command_admin *admin)
{
    enum status result =
        registry_check_remove(engine->options.registry, admin->entity, admin->number);

    if (result == STATUS_OK && admin->entity == ENTITY_QUEUE &&
        state_queue(engine->options.state, admin->number)->open_tasks != 0)
        return STATUS_CONFLICT;
    return result;
}

/* The loop has checked the settings; what two of its requests could still race for is checked
 * again here, where everything is in one order. */
static enum status check_admin(struct engine *engine, const struct command *command)
{
    const struct registry *registry = engine->options.registry;
    const struct command_admin *admin = &command->admin;
    uint32_t numbers_max = admin->entity == ENTITY_QUEUE ? STATE_QUEUES_MAX - 1 : SITE_NUMBER_MAX;
    struct json_value settings, id;
    struct slice name;
    char padded[16 * 1024 + JSON_PADDING];

    if (admin->number != 0 && registry_settings(registry, admin->entity, admin->number).length == 0)
        return STATUS_NOT_FOUND;
    if (admin->remove)
        return check_remove(engine, admin);
    if (command->payload.length > sizeof(padded) - JSON_PADDING)
        return STATUS_TOO_LARGE;
    memcpy(padded, command->payload.bytes, command->payload.length);
    memset(padded + command->payload.length, 0, JSON_PADDING);
    if (json_parse(engine->json, padded, command->payload.length, &settings) != STATUS_OK ||
        !json_member(settings, "id", &id) || !json_string(id, &name))
        return STATUS_INVALID;
    if (admin->number == 0 && registry_number(registry, admin->entity, name) != 0)
        return STATUS_CONFLICT;
    if (admin->number == 0 && registry_next_number(registry, admin->entity) > numbers_max)
        return STATUS_BUSY;
    return STATUS_OK;
}

static enum status decide_admin(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement)
{
    const struct command_admin *admin = &command->admin;
    enum status result = check_admin(engine, command);
    struct effect_admin effect = {.entity = admin->entity, .number = admin->number};

    settlement->status = result;
    if (result != STATUS_OK)
        return result;
    if (effect.number == 0)
        effect.number = registry_next_number(engine->options.registry, admin->entity);
    engine_begin(record, RECORD_ADMIN, turn, 0, 0, 0);
    engine_effect(record, EFFECT_ADMIN, &effect, sizeof(effect));
    if (!admin->remove)
        record->payload = command->payload;
    record_seal(record);
    settlement->entity_number = effect.number;
    return STATUS_OK;
}

/* --- the switch ------------------------------------------------------------------------ */

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
        return decide_admin(engine, command, turn, record, settlement);
    case COMMAND_FIND:
        return engine_decide_find(engine, command, settlement);
    case COMMAND_BARRIER:
    case COMMAND_EPOCH: /* both are the writer's own */
        return STATUS_DUPLICATE;
    }
    MUST(!"a command of no kind");
    return STATUS_INTERNAL;
}
