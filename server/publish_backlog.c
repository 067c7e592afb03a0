/* For an operator's graphs: how long Redis lacks what it should have, and how much waits in the
 * queues for how long. A scrape of /metrics asks, and state answers: what it says is right also
 * while Redis is away. */
#include "server/publish_internal.h"

/* One operation is timed at a time, the newest when the one before is in Redis: so the answer needs
 * no time of each. */
void publish_note_late(struct publish_queue *queue)
{
    if (queue->acked < queue->late_seq)
        return;
    queue->late_seq = queue->newest > queue->acked ? queue->newest : 0;
    queue->late_since_ms = uv_now(queue->publish->options.loop);
}

uint64_t publish_lag_ms(const struct publish *publish)
{
    uint64_t now_ms = uv_now(publish->options.loop), most_ms = 0;

    for (uint32_t number = 1; number <= publish->highest; number++) {
        const struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && queue->acked < queue->late_seq &&
            now_ms - queue->late_since_ms > most_ms)
            most_ms = now_ms - queue->late_since_ms;
    }
    return most_ms;
}

/* 0: it is not there any more. */
static uint64_t received_of(struct state_reader *state, const struct state_visible *visible)
{
    struct person_row person;
    struct task_row task;
    uint64_t last_seq;

    if (!state_read_person(state, visible->person, &person, &task, &last_seq))
        return 0;
    if (task.number != visible->task &&
        !state_read_task(state, visible->person, visible->task, &task))
        return 0;
    return task.received_ms;
}

/* Tasks are sorted by when they are to be called, which is nearly but not quite by when they came:
 * what is overdue goes behind. */
uint64_t publish_oldest_ms(struct publish *publish, uint32_t queue, unsigned looks)
{
    struct state_visible visible = {0};
    uint64_t oldest_ms = 0;

    while (publish->ready && looks-- > 0 &&
           state_read_visible_next(publish->state, queue, visible.rank_ms, visible.task + 1,
                                   &visible)) {
        uint64_t received_ms = received_of(publish->state, &visible);
        if (received_ms != 0 && (oldest_ms == 0 || received_ms < oldest_ms))
            oldest_ms = received_ms;
    }
    return oldest_ms;
}

bool publish_backlog_next(struct publish *publish, struct publish_backlog *out)
{
    struct state_queue row;

    while (publish->ready && state_read_queue_next(publish->state, out->queue, &out->queue, &row)) {
        if (row.open_tasks == 0)
            continue;
        out->open_tasks = row.open_tasks;
        return true;
    }
    return false;
}

void publish_backlog_end(struct publish *publish)
{
    if (publish->ready)
        publish_release(publish);
}
