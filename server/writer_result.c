#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/writer_internal.h"

/* --- results (thread) ------------------------------------------------------------------- */

void writer_settle(struct writer *writer, const struct settlement *settlement)
{
    MUST(writer->result->count < 2 * writer->options.batch_commands_max);
    writer->result->settlements[writer->result->count++] = *settlement;
}

void writer_settle_as(struct writer *writer, const struct command *command, enum status status)
{
    writer_settle(writer, &(struct settlement){
                              .ticket = command->ticket, .kind = command->kind, .status = status});
}

static bool reserve(void **array, size_t *capacity, size_t wanted, size_t item)
{
    size_t larger = *capacity == 0 ? 1024 : *capacity;
    void *grown;

    if (wanted <= *capacity)
        return true;
    while (larger < wanted)
        larger *= 2;
    grown = realloc(*array, larger * item);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = larger;
    return true;
}

/* The payload of the record at hand, or of another one; false: it cannot be read. */
static bool find_payload(struct writer *writer, const struct engine_outbox *made, uint64_t seq,
                         struct slice *out)
{
    struct record_view other;

    *out = made->record->payload;
    if (seq == made->record->header.seq)
        return true;
    if (journal_batch_read(writer->journal, seq, &other) != STATUS_OK)
        return false;
    *out = other.payload;
    return true;
}

/* Appends the member to the result's; its length, 0 when that could not be done. */
static size_t render_into(struct writer *writer, const struct engine_outbox *made)
{
    struct result_batch *result = writer->result;
    struct render_words words = {0};
    struct text text;

    if (!reserve((void **)&result->members, &result->members_capacity,
                 result->members_length + TASK_BYTES_MAX + 1, 1))
        return 0;
    if (!find_payload(writer, made, made->task.optin_seq, &words.said) ||
        (made->task.more_seq != 0 &&
         !find_payload(writer, made, made->task.more_seq, &words.more)) ||
        (made->task.known_seq != 0 &&
         !find_payload(writer, made, made->task.known_seq, &words.known)))
        return 0;
    text = text_over(result->members + result->members_length, TASK_BYTES_MAX + 1);
    if (render_member_of(&writer->renderer, made->person, made->person_first_ms, &made->task,
                         &words, &text) != STATUS_OK ||
        text.overflow)
        return 0;
    return text.length;
}

/* The live feed: engine_apply made an operation. Its member is rendered here, where the opt-in is
 * in the cache, unless nobody could send it now. */
void writer_on_outbox(void *owner, const struct engine_outbox *made)
{
    struct writer *writer = owner;
    struct result_batch *result = writer->result;
    struct result_operation *entry;

    if (!reserve((void **)&result->operations, &result->operation_capacity,
                 result->operation_count + 1, sizeof(*result->operations)))
        return; /* the publisher sees the gap and reads the outbox */
    entry = &result->operations[result->operation_count++];
    *entry = (struct result_operation){.operation = {.queue = made->queue,
                                                     .seq = made->seq,
                                                     .op = made->op,
                                                     .rank_ms = made->task.rank_ms,
                                                     .first_seq = made->task.first_put_seq,
                                                     .task = made->task.number,
                                                     .received_ms = made->task.received_ms},
                                       .member_offset = result->members_length};
    if (atomic_load_explicit(&writer->render_wanted, memory_order_relaxed))
        entry->member_length = render_into(writer, made);
    result->members_length += entry->member_length;
}

_Static_assert(STATS_SKIPPED_UNDONE - STATS_SKIPPED_LATE == SKIP_UNDONE - SKIP_LATE,
               "counters stand in the order of the reasons");

void writer_count_changes(struct writer *writer)
{
    const struct state_meta *now = state_meta(writer->state);
    struct state_meta *then = &writer->counted;
    struct stats *stats = writer->options.stats;

    /* A batch that failed takes its counts back; Prometheus counters must not fall. */
    if (now->folded_seq < then->folded_seq)
        return;
    stats_add(stats, STATS_TASKS_OPENED, now->tasks_opened - then->tasks_opened);
    stats_add(stats, STATS_TASKS_ENDED, now->tasks_ended - then->tasks_ended);
    stats_add(stats, STATS_TASKS_REDELIVERED, now->redeliveries - then->redeliveries);
    stats_add(stats, STATS_STEPS, now->steps - then->steps);
    for (int skip = SKIP_LATE; skip < SKIP_END; skip++)
        stats_add(stats, (enum stats_counter)(STATS_SKIPPED_LATE + skip - SKIP_LATE),
                  now->skipped_by[skip] - then->skipped_by[skip]);
    stats_add(stats, STATS_TIERS, now->tiers - then->tiers);
    stats_add(stats, STATS_RUNGS, now->rungs - then->rungs);
    stats_add(stats, STATS_PARKED, now->parked - then->parked);
    stats_set(stats, STATS_GAUGE_PEOPLE, now->people);
    stats_set(stats, STATS_GAUGE_JOURNAL_SEQ, now->folded_seq);
    *then = *now;
}

static void note_alert(struct writer *writer, const struct playbook_tier *missed)
{
    writer->alerts += missed != NULL && missed->alert;
}

static const struct playbook *playbook_of(const struct writer *writer, uint32_t number)
{
    return registry_playbook(recovery_registry(writer->recovery), number);
}

/* A breach is one task's, and the only task of its record. */
void writer_note_breach(struct writer *writer, const struct record_view *record)
{
    struct effect_task effect;
    const struct task_row *row = &effect.row;

    if (!effect_find(record, EFFECT_TASK, &effect, sizeof(effect)))
        return;
    writer->breaches_of[row->queue]++;
    writer->breaches++;
    if (row->kind == TASK_FIRST_RESPONSE)
        note_alert(writer, playbook_deadline(playbook_of(writer, row->playbook), row->segment));
}

void writer_note_tier(struct writer *writer, const struct record_view *record)
{
    struct effect_escalated effect;

    if (effect_find(record, EFFECT_ESCALATED, &effect, sizeof(effect)))
        note_alert(writer, playbook_tier(playbook_of(writer, effect.playbook), effect.tier));
}

/* Of a batch that failed nothing has happened: `happened` is false. */
void writer_count_breaches(struct writer *writer, bool happened)
{
    if (happened)
        stats_add(writer->options.stats, STATS_ALERTS, writer->alerts);
    writer->alerts = 0;
    for (uint32_t queue = 1; queue < STATE_QUEUES_MAX && writer->breaches > 0; queue++) {
        uint32_t breaches = writer->breaches_of[queue];
        if (happened && breaches > 0)
            stats_add_breaches(writer->options.stats, queue, breaches);
        writer->breaches_of[queue] = 0;
        writer->breaches -= breaches;
    }
}

/* Waits until the loop has fetched what stands in the next result batch, then opens it. */
void writer_result_open(struct writer *writer)
{
    struct result_batch *result = &writer->results[writer->result_next];

    pthread_mutex_lock(&writer->mutex);
    while (result->full)
        pthread_cond_wait(&writer->fetched, &writer->mutex);
    pthread_mutex_unlock(&writer->mutex);
    result->count = 0;
    result->operation_count = 0;
    result->members_length = 0;
    result->ready = false;
    writer->result = result;
}

void writer_result_hand_over(struct writer *writer)
{
    struct result_batch *result = writer->result;

    if (result->count == 0 && result->operation_count == 0 && !result->ready)
        return;
    pthread_mutex_lock(&writer->mutex);
    result->full = true;
    writer->result_next ^= 1;
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_signal(&writer->to_loop);
    uv_async_send(&writer->async);
    writer_result_open(writer);
}
