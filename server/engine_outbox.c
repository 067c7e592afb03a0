/* What apply does to a task's operations: the put that is out, the drop that withdraws it, and the
 * due entry beside them. Whoever pushes to Redis is told of each as it is made. */
#include "server/engine_internal.h"

#define TRIM_PER_DROP 4 /* more than one, so that those that are too old run out */

static uint64_t visible_rank(const struct task_row *row)
{
    return row->flags & TASK_IN_LIST ? row->put_seq : row->rank_ms;
}

static void tell(struct engine *engine, const struct record_view *record, enum outbox_op op,
                 uint64_t seq, const struct task_row *row)
{
    struct engine_outbox operation = {
        .queue = row->queue,
        .seq = seq,
        .op = op,
        .person = engine->person.number,
        .person_first_ms = engine->person.row.first_ms,
        .task = *row,
        .record = record,
    };

    if (engine->options.on_outbox != NULL)
        engine->options.on_outbox(engine->options.owner, &operation);
}

enum status engine_drop_put(struct engine *engine, const struct record_view *record, uint64_t seq,
                            const struct task_row *old)
{
    struct state *state = engine->options.state;
    uint64_t now_ms = record->header.now_ms;
    struct outbox_row entry = {
        .person = engine->person.number, .made_ms = now_ms, .task = *old, .op = OUTBOX_DROP};

    TRY(state_outbox_put(state, old->queue, seq, &entry));
    TRY(state_dropped_put(state, now_ms, old->queue, seq));
    TRY(state_dropped_trim(state, now_ms > DROPS_KEPT_MS ? now_ms - DROPS_KEPT_MS : 0,
                           DROPS_KEPT_MAX, TRIM_PER_DROP));
    state_queue(state, old->queue)->outbox_seq = seq;
    tell(engine, record, OUTBOX_DROP, seq, old);
    return STATUS_OK;
}

enum status engine_retract(struct engine *engine, const struct task_row *old)
{
    struct state *state = engine->options.state;

    if (old->put_seq != 0) {
        TRY(state_outbox_delete(state, old->queue, old->put_seq));
        TRY(state_visible_delete(state, old->queue, visible_rank(old), old->number));
    }
    if (old->due_kind != DUE_NONE)
        TRY(state_due_delete(state, old->due_ms, engine->person.number, old->number));
    return STATUS_OK;
}

enum status engine_put_rows(struct state *state, uint64_t person, const struct task_row *row)
{
    struct outbox_row entry = {.person = person, .task.number = row->number, .op = OUTBOX_PUT};

    if (row->put_seq != 0) {
        TRY(state_visible_put(state, row->queue, visible_rank(row), row->number, person,
                              row->put_seq));
        TRY(state_outbox_put(state, row->queue, row->put_seq, &entry));
    }
    if (row->due_kind != DUE_NONE)
        TRY(state_due_put(state, row->due_ms, person, row->number, (enum due_kind)row->due_kind));
    return STATUS_OK;
}

enum status engine_install(struct engine *engine, const struct record_view *record,
                           const struct task_row *row)
{
    struct state_queue *queue = state_queue(engine->options.state, row->queue);

    TRY(engine_put_rows(engine->options.state, engine->person.number, row));
    /* A put that stays out has its old seq: its row says something new, Redis knows it. */
    if (row->put_seq > queue->outbox_seq) {
        queue->outbox_seq = row->put_seq;
        tell(engine, record, OUTBOX_PUT, row->put_seq, row);
    }
    return STATUS_OK;
}
