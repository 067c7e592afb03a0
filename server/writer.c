/* See writer.h. Two halves meet under one mutex: the loop fills a batch of commands, the
 * thread takes it whole; the thread fills a batch of results, the loop takes it whole. There
 * are two of each, so both can work at once and neither grows: a full batch is BUSY for the
 * submitter, a result that nobody fetched yet makes the thread wait. */
#include "server/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/must.h"
#include "proto/report.h"
#include "proto/task.h"
#include "server/recovery.h"

#define EXIT_DISK          70
#define FOLD_SLICE         2000 /* records between two looks at the hand-over */
#define COMMIT_RECORDS     2048 /* of state: about the same size always */
#define COMMIT_AFTER_MS    100
#define COMMIT_IDLE_MS     10
#define DUE_PER_BATCH      512
#define STATE_RETRY_MS     200
#define EXPIRE_EACH_MS     60000
#define TEST_CLOCK_LOOK_MS 5

/* --- what is handed over ------------------------------------------------------------- */

struct command_batch {
    struct command *commands;
    unsigned count;
    char *bytes;
    size_t length;
};

struct result_operation {
    struct writer_outbox operation;
    size_t member_offset, member_length;
};

struct result_batch {
    struct settlement *settlements;
    unsigned count;
    struct result_operation *operations;
    size_t operation_count, operation_capacity;
    char *members;
    size_t members_length, members_capacity;
    bool ready; /* state caught up with this batch */
    bool full;  /* waits to be fetched by the loop */
};

struct writer {
    struct writer_options options;
    struct recovery *recovery;
    struct engine *engine;
    struct journal *journal;
    struct state *state;
    uv_async_t async;
    uv_check_t check;     /* these two wake the thread once a loop turn, not once a command: */
    uv_prepare_t prepare; /* after polling, and before it sleeps for what timers submitted */
    bool woken;           /* loop: commands were added since the last wake */
    bool closing;

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t to_thread; /* commands, a fetched result, stop */
    pthread_cond_t to_loop;   /* a result while writer_close waits */
    struct command_batch *filling, *taken;
    struct command_batch commands[2];
    struct result_batch results[2];
    unsigned result_next; /* thread: to be filled; the loop fetches in the same order */
    unsigned fetch_next;  /* loop */
    bool stop, stopped;
    atomic_bool ready_flag, render_wanted, stalled;

    /* the thread's own */
    struct record record;
    struct result_batch *result;
    uint64_t last_ms;
    uint64_t admin_seq;
    uint64_t expired_ms;     /* engine time of the last look for old index generations */
    uint64_t dirty_since_ms; /* monotonic; 0: state has nothing uncommitted */
    unsigned dirty_records;
    bool admin_in_batch;
    uint64_t *barriers; /* tickets of this batch's barriers, settled after the state commit */
    unsigned barrier_count;
    struct state_meta counted; /* what stats were told so far */
    struct renderer renderer;
    struct optin optin;
    char member[TASK_BYTES_MAX + 1];
};

/* --- results (thread) ------------------------------------------------------------------- */

static void settle(struct writer *writer, const struct settlement *settlement)
{
    MUST(writer->result->count < 2 * writer->options.batch_commands_max);
    writer->result->settlements[writer->result->count++] = *settlement;
}

static void settle_as(struct writer *writer, const struct command *command, enum status status)
{
    settle(writer, &(struct settlement){
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

/* The live feed: engine_apply made an operation. Its member is rendered here, where the opt-in is
 * in the cache, unless nobody could send it now. */
static void on_outbox(void *owner, const struct engine_outbox *made)
{
    struct writer *writer = owner;
    struct result_batch *result = writer->result;
    struct result_operation *entry;
    struct record_view record;
    struct text text = text_over(writer->member, sizeof(writer->member));
    enum status rendered = STATUS_BUSY;

    if (!reserve((void **)&result->operations, &result->operation_capacity,
                 result->operation_count + 1, sizeof(*result->operations)))
        return; /* the publisher sees the gap and reads the outbox */
    entry = &result->operations[result->operation_count];
    *entry = (struct result_operation){.operation = {.queue = made->queue,
                                                     .seq = made->seq,
                                                     .op = made->op,
                                                     .rank_ms = made->task.rank_ms,
                                                     .task = made->task.number,
                                                     .received_ms = made->task.received_ms}};
    if (atomic_load_explicit(&writer->render_wanted, memory_order_relaxed)) {
        if (made->task.optin_seq == made->record->header.seq)
            rendered = render_member_of(&writer->renderer, made->person, made->person_first_ms,
                                        &made->task, made->record->payload, &text);
        else if (journal_batch_read(writer->journal, made->task.optin_seq, &record) == STATUS_OK)
            rendered = render_member_of(&writer->renderer, made->person, made->person_first_ms,
                                        &made->task, record.payload, &text);
    }
    if (rendered == STATUS_OK && !text.overflow &&
        reserve((void **)&result->members, &result->members_capacity,
                result->members_length + text.length, 1)) {
        memcpy(result->members + result->members_length, text.bytes, text.length);
        entry->member_offset = result->members_length;
        entry->member_length = text.length;
        result->members_length += text.length;
    }
    result->operation_count++;
}

static void count_changes(struct writer *writer)
{
    const struct state_meta *now = state_meta(writer->state);
    struct state_meta *then = &writer->counted;
    struct stats *stats = writer->options.stats;

    /* A batch that failed takes its counts back; Prometheus counters must not fall. */
    if (now->folded_seq < then->folded_seq)
        return;
    stats_add(stats, STATS_TASKS_OPENED, now->tasks_opened - then->tasks_opened);
    stats_add(stats, STATS_TASKS_ENDED, now->tasks_ended - then->tasks_ended);
    stats_add(stats, STATS_SLA_BREACHES, now->breaches - then->breaches);
    stats_add(stats, STATS_TASKS_REDELIVERED, now->redeliveries - then->redeliveries);
    stats_set(stats, STATS_GAUGE_PEOPLE, now->people);
    stats_set(stats, STATS_GAUGE_JOURNAL_SEQ, now->folded_seq);
    *then = *now;
}

/* Waits until the loop has fetched what stands in the next result batch, then opens it. */
static void result_open(struct writer *writer)
{
    struct result_batch *result = &writer->results[writer->result_next];

    pthread_mutex_lock(&writer->mutex);
    while (result->full)
        pthread_cond_wait(&writer->to_thread, &writer->mutex);
    pthread_mutex_unlock(&writer->mutex);
    result->count = 0;
    result->operation_count = 0;
    result->members_length = 0;
    result->ready = false;
    writer->result = result;
}

static void result_hand_over(struct writer *writer)
{
    struct result_batch *result = writer->result;

    if (result->count == 0 && result->operation_count == 0 && !result->ready)
        return;
    pthread_mutex_lock(&writer->mutex);
    result->full = true;
    writer->result_next ^= 1;
    pthread_cond_signal(&writer->to_loop);
    pthread_mutex_unlock(&writer->mutex);
    uv_async_send(&writer->async);
    result_open(writer);
}

/* --- failures (thread) -------------------------------------------------------------------- */

/* What the disk kept is unknown, or state contradicts the journal: only a fresh start, which
 * reads what is really there, can tell. Nothing of the present batch was acknowledged. */
static void die(struct writer *writer, const char *what, enum status status)
{
    log_write(writer->options.log, LOG_ERROR, what, LOG_TEXT("status", status_code(status)),
              LOG_TEXT("advice", "check the disk; the supervisor starts the server again"),
              LOG_END);
    _exit(EXIT_DISK);
}

static void reload_registry(struct writer *writer)
{
    struct journal_reader *reader;
    enum status result = journal_reader_open(writer->journal, &reader);

    registry_clear(recovery_registry(writer->recovery));
    if (result == STATUS_OK) {
        result =
            recovery_read_registry(reader, writer->admin_seq, recovery_registry(writer->recovery));
        journal_reader_close(reader);
    }
    if (result != STATUS_OK)
        die(writer, "the settings cannot be read", result);
}

/* Brings state back to what the journal has, after a batch that is lost. */
static void refold(struct writer *writer)
{
    bool done;
    enum status result;

    state_abort(writer->state);
    engine_listen(writer->engine, NULL, NULL);
    result = recovery_fold(writer->recovery, UINT64_MAX, &done);
    engine_listen(writer->engine, on_outbox, writer);
    writer->dirty_since_ms = 0;
    writer->dirty_records = 0;
    atomic_store(&writer->stalled, result == STATUS_DISK_FULL);
    if (result != STATUS_OK && result != STATUS_DISK_FULL)
        die(writer, "state cannot be brought up to the journal", result);
}

static void batch_failed(struct writer *writer, const struct command_batch *batch,
                         enum status status, uint64_t admin_seq)
{
    stats_add(writer->options.stats, STATS_COMMIT_FAILURES, 1);
    if (status != STATUS_DISK_FULL)
        die(writer, "the journal cannot be written", status);
    journal_abort(writer->journal);
    log_write(writer->options.log, LOG_ERROR, "no room to store opt-ins",
              LOG_TEXT("advice", "free space on the journal's disk; intake goes on by itself"),
              LOG_END);
    writer->result->count = 0;
    writer->result->operation_count = 0;
    writer->barrier_count = 0;
    writer->admin_seq = admin_seq;
    for (unsigned i = 0; batch != NULL && i < batch->count; i++)
        settle_as(writer, &batch->commands[i], STATUS_DISK_FULL);
    refold(writer);
    if (writer->admin_in_batch)
        reload_registry(writer);
}

/* --- a batch (thread) ------------------------------------------------------------------------ */

static struct turn next_turn(struct writer *writer, uint64_t wanted_ms)
{
    const struct state_meta *meta = state_meta(writer->state);

    if (wanted_ms > writer->last_ms)
        writer->last_ms = wanted_ms;
    return (struct turn){
        .seq = meta->folded_seq + 1, .admin_seq = writer->admin_seq, .now_ms = writer->last_ms};
}

/* Applies and appends the sealed record at hand. */
static enum status keep(struct writer *writer)
{
    struct record_view view;
    enum status result;

    record_view_of(&writer->record, &view);
    result = engine_apply(writer->engine, &view);
    if (result == STATUS_CORRUPT)
        die(writer, "state contradicts the journal", result);
    if (result == STATUS_OK)
        result = journal_append(writer->journal, &writer->record);
    if (result != STATUS_OK)
        return result;
    if (view.header.kind == RECORD_ADMIN) {
        writer->admin_seq = view.header.seq;
        writer->admin_in_batch = true;
    }
    writer->dirty_records++;
    return STATUS_OK;
}

static void observe(struct writer *writer, const struct command *command,
                    const struct settlement *settlement)
{
    struct stats *stats = writer->options.stats;
    uint64_t waited_us = settlement->waited_ms * 1000;

    if (command->kind != COMMAND_REPORT || settlement->status != STATUS_OK)
        return;
    if (command->report.op == REPORT_CLAIM)
        stats_observe_us(stats, STATS_SPEED_TO_CLAIM, waited_us);
    if (command->report.op == REPORT_OUTCOME)
        stats_observe_us(stats, STATS_SPEED_TO_CONTACT, waited_us);
    if (command->report.op == REPORT_OUTCOME && command->report.outcome == OUTCOME_CONVERSATION)
        stats_observe_us(stats, STATS_SPEED_TO_CONVERSATION, waited_us);
}

/* Any failure here fails the batch. */
static enum status process_command(struct writer *writer, const struct command *command)
{
    struct settlement settlement;
    bool more = true;

    if (command->kind == COMMAND_BARRIER) {
        writer->barriers[writer->barrier_count++] = command->ticket;
        return STATUS_OK;
    }
    while (more) {
        struct turn turn = next_turn(writer, command->now_ms);
        enum status decided =
            engine_decide(writer->engine, command, &turn, &writer->record, &settlement, &more);
        if (decided != STATUS_OK)
            break;
        decided = keep(writer);
        if (decided != STATUS_OK)
            return decided;
    }
    observe(writer, command, &settlement);
    settle(writer, &settlement);
    return STATUS_OK;
}

static enum status process_due(struct writer *writer, uint64_t now_ms)
{
    for (unsigned i = 0; i < DUE_PER_BATCH; i++) {
        struct turn turn = next_turn(writer, now_ms);
        enum status result = engine_decide_due(writer->engine, &turn, &writer->record);

        if (result == STATUS_NOT_FOUND)
            return STATUS_OK;
        if (result == STATUS_OK)
            result = keep(writer);
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

static enum status commit_journal(struct writer *writer, uint64_t appended)
{
    uint64_t started_us = clock_monotonic_us();
    enum status result;

    if (appended == 0) {
        journal_abort(writer->journal);
        return STATUS_OK;
    }
    result = journal_commit(writer->journal);
    if (result != STATUS_OK)
        return result;
    stats_observe_us(writer->options.stats, STATS_COMMIT_SECONDS,
                     clock_monotonic_us() - started_us);
    stats_add(writer->options.stats, STATS_COMMITS, 1);
    stats_add(writer->options.stats, STATS_COMMIT_RECORDS, appended);
    return STATUS_OK;
}

/* Disk full for state: acknowledged records are safe in the journal, so only intake stops until
 * they can be applied again. */
static void commit_state(struct writer *writer)
{
    enum status result = state_is_dirty(writer->state) ? state_commit(writer->state) : STATUS_OK;

    writer->dirty_since_ms = 0;
    writer->dirty_records = 0;
    if (result == STATUS_DISK_FULL) {
        log_write(writer->options.log, LOG_ERROR, "no room for state; opt-ins wait",
                  LOG_TEXT("advice", "free space on the disk of the state folder"), LOG_END);
        refold(writer);
    } else if (result != STATUS_OK) {
        die(writer, "state cannot be written", result);
    }
    if (writer->last_ms >= writer->expired_ms + EXPIRE_EACH_MS) {
        writer->expired_ms = writer->last_ms;
        index_expire(recovery_index(writer->recovery), writer->last_ms);
    }
    stats_set(writer->options.stats, STATS_GAUGE_STATE_BYTES, state_bytes(writer->state));
    stats_set(writer->options.stats, STATS_GAUGE_JOURNAL_BYTES, journal_bytes(writer->journal));
    stats_set(writer->options.stats, STATS_GAUGE_INDEX_BYTES,
              index_bytes(recovery_index(writer->recovery)));
}

static void settle_barriers(struct writer *writer)
{
    if (writer->barrier_count == 0)
        return;
    commit_state(writer);
    for (unsigned i = 0; i < writer->barrier_count; i++)
        settle(writer, &(struct settlement){.ticket = writer->barriers[i],
                                            .kind = COMMAND_BARRIER,
                                            .status = STATUS_OK});
    writer->barrier_count = 0;
}

static void process_batch(struct writer *writer, const struct command_batch *batch)
{
    uint64_t before = state_meta(writer->state)->folded_seq, admin_seq = writer->admin_seq;
    enum status result = journal_begin(writer->journal);

    writer->admin_in_batch = false;
    if (result == STATUS_OK)
        result = state_begin(writer->state);
    for (unsigned i = 0; result == STATUS_OK && i < batch->count; i++)
        result = process_command(writer, &batch->commands[i]);
    if (result == STATUS_OK)
        result = process_due(writer, clock_now_ms(writer->options.clock));
    if (result == STATUS_OK)
        result = commit_journal(writer, state_meta(writer->state)->folded_seq - before);
    if (result != STATUS_OK) {
        batch_failed(writer, batch, result, admin_seq);
        return;
    }
    count_changes(writer);
    if (writer->dirty_records > 0 && writer->dirty_since_ms == 0)
        writer->dirty_since_ms = clock_monotonic_ms();
    settle_barriers(writer);
}

/* State is behind (a rebuild, or no room for it): opt-ins are kept as they came, the rest waits. */
static void receive_batch(struct writer *writer, const struct command_batch *batch)
{
    uint64_t last = journal_last_seq(writer->journal), appended = 0;
    enum status result;

    if (batch->count == 0)
        return;
    result = journal_begin(writer->journal);

    for (unsigned i = 0; result == STATUS_OK && i < batch->count; i++) {
        const struct command *command = &batch->commands[i];
        struct settlement settlement;
        struct turn turn = {
            .seq = last + appended + 1, .admin_seq = writer->admin_seq, .now_ms = writer->last_ms};

        if (command->kind != COMMAND_OPTIN) {
            settle_as(writer, command, STATUS_BUSY);
            continue;
        }
        if (command->now_ms > turn.now_ms)
            turn.now_ms = writer->last_ms = command->now_ms;
        if (engine_receive(writer->engine, command, &turn, &writer->record, &settlement) ==
            STATUS_OK) {
            result = journal_append(writer->journal, &writer->record);
            appended++;
        }
        settle(writer, &settlement);
    }
    if (result == STATUS_OK)
        result = commit_journal(writer, appended);
    if (result == STATUS_OK)
        return;
    if (result != STATUS_DISK_FULL)
        die(writer, "the journal cannot be written", result);
    journal_abort(writer->journal);
    writer->result->count = 0;
    for (unsigned i = 0; i < batch->count; i++)
        settle_as(writer, &batch->commands[i], STATUS_DISK_FULL);
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static bool is_due(struct writer *writer)
{
    return engine_next_due_ms(writer->engine) <= clock_now_ms(writer->options.clock);
}

/* How long the thread may sleep when nothing is submitted, in ms. */
static uint64_t sleep_ms(struct writer *writer)
{
    uint64_t now_ms = clock_now_ms(writer->options.clock), wait = 1000, due_ms;

    if (atomic_load(&writer->stalled))
        return STATE_RETRY_MS;
    due_ms = engine_next_due_ms(writer->engine);
    if (due_ms <= now_ms)
        return 0;
    if (clock_is_test(writer->options.clock))
        wait = TEST_CLOCK_LOOK_MS;
    else if (due_ms - now_ms < wait)
        wait = due_ms - now_ms;
    if (writer->dirty_since_ms != 0 && wait > COMMIT_IDLE_MS)
        wait = COMMIT_IDLE_MS;
    return wait;
}

static void wait_until(struct timespec *out, uint64_t ms)
{
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += (time_t)(ms / 1000);
    out->tv_nsec += (long)(ms % 1000) * 1000000;
    if (out->tv_nsec >= 1000000000) {
        out->tv_sec++;
        out->tv_nsec -= 1000000000;
    }
}

/* Takes what was submitted; waits for it up to `ms`. NULL: stop, and nothing is left. */
static struct command_batch *take_batch(struct writer *writer, uint64_t ms)
{
    struct command_batch *batch;
    struct timespec until;

    wait_until(&until, ms);
    pthread_mutex_lock(&writer->mutex);
    while (writer->filling->count == 0 && !writer->stop && ms > 0) {
        if (pthread_cond_timedwait(&writer->to_thread, &writer->mutex, &until) != 0)
            break;
    }
    batch = writer->filling;
    if (batch->count == 0 && writer->stop) {
        pthread_mutex_unlock(&writer->mutex);
        return NULL;
    }
    writer->filling = writer->taken;
    writer->taken = batch;
    writer->filling->count = 0;
    writer->filling->length = 0;
    pthread_mutex_unlock(&writer->mutex);
    return batch;
}

static void commit_state_in_time(struct writer *writer, bool idle)
{
    if (writer->dirty_since_ms == 0)
        return;
    if (idle || writer->dirty_records >= COMMIT_RECORDS ||
        clock_monotonic_ms() - writer->dirty_since_ms >= COMMIT_AFTER_MS)
        commit_state(writer);
}

static bool is_undecided(const struct state_meta *meta)
{
    return meta->received_last > meta->received_seq;
}

struct undecided {
    bool found;
    struct record_view record;
};

static bool find_undecided(void *owner, uint64_t seq, enum status status,
                           const struct record_view *record)
{
    struct undecided *undecided = owner;

    (void)seq;
    undecided->found = status == STATUS_OK && record->header.kind == RECORD_RECEIVED;
    if (undecided->found)
        undecided->record = *record;
    return !undecided->found;
}

/* Decides up to `most` received opt-ins, in the order in which they came, in one batch. */
static enum status decide_received(struct writer *writer, unsigned most)
{
    const struct state_meta *meta = state_meta(writer->state);
    uint64_t before = meta->folded_seq;
    struct journal_reader *reader = NULL;
    enum status result = journal_reader_open(writer->journal, &reader);

    if (result == STATUS_OK)
        result = journal_begin(writer->journal);
    if (result == STATUS_OK)
        result = state_begin(writer->state);
    for (unsigned i = 0; result == STATUS_OK && i < most && is_undecided(meta); i++) {
        uint64_t from = meta->received_seq >= meta->received_first ? meta->received_seq + 1
                                                                   : meta->received_first;
        struct undecided undecided = {0};
        struct turn turn = next_turn(writer, clock_now_ms(writer->options.clock));

        result = journal_scan(reader, from, find_undecided, &undecided);
        if (result != STATUS_OK || !undecided.found)
            break;
        result = engine_decide_received(writer->engine, &undecided.record, &turn, &writer->record);
        if (result == STATUS_OK)
            result = keep(writer);
        journal_reader_release(reader);
    }
    if (result == STATUS_OK)
        result = commit_journal(writer, meta->folded_seq - before);
    if (result == STATUS_OK)
        result = state_commit(writer->state);
    if (reader != NULL)
        journal_reader_close(reader);
    return result;
}

/* One step of catching up; true: state has all of the journal and nothing is undecided. What the
 * records of the past put into the outbox is found there; only new decisions are told. */
static bool catch_up(struct writer *writer)
{
    bool done = false;
    enum status result;

    engine_listen(writer->engine, NULL, NULL);
    result = recovery_fold(writer->recovery, FOLD_SLICE, &done);
    if (atomic_load(&writer->ready_flag))
        engine_listen(writer->engine, on_outbox, writer);
    if (result == STATUS_OK && done && is_undecided(state_meta(writer->state))) {
        result = decide_received(writer, FOLD_SLICE);
        done = !is_undecided(state_meta(writer->state));
        if (result == STATUS_DISK_FULL) {
            journal_abort(writer->journal);
            state_abort(writer->state);
        }
    }
    if (result != STATUS_OK && result != STATUS_DISK_FULL)
        die(writer, "state cannot be brought up to the journal", result);
    atomic_store(&writer->stalled, result == STATUS_DISK_FULL);
    return result == STATUS_OK && done;
}

static void catch_up_all(struct writer *writer)
{
    struct command_batch *batch;

    while (!catch_up(writer)) {
        batch = take_batch(writer, atomic_load(&writer->stalled) ? STATE_RETRY_MS : 0);
        if (batch == NULL)
            return;
        receive_batch(writer, batch);
        result_hand_over(writer);
    }
    writer->counted = *state_meta(writer->state);
    engine_listen(writer->engine, on_outbox, writer);
    atomic_store(&writer->ready_flag, true);
    writer->result->ready = true;
    result_hand_over(writer);
}

static void *run(void *argument)
{
    struct writer *writer = argument;
    struct command_batch *batch;

    result_open(writer);
    catch_up_all(writer);
    while ((batch = take_batch(writer, sleep_ms(writer))) != NULL) {
        bool idle = batch->count == 0;

        if (atomic_load(&writer->stalled)) {
            receive_batch(writer, batch);
            catch_up(writer);
        } else if (!idle || is_due(writer)) {
            process_batch(writer, batch);
        }
        result_hand_over(writer);
        commit_state_in_time(writer, idle);
    }
    pthread_mutex_lock(&writer->mutex);
    writer->stopped = true;
    pthread_cond_signal(&writer->to_loop);
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* --- the loop's side ----------------------------------------------------------------------------
 */

static void deliver(struct writer *writer, struct result_batch *result)
{
    struct writer_options *options = &writer->options;

    for (unsigned i = 0; i < result->count; i++)
        options->on_settled(options->owner, &result->settlements[i]);
    for (size_t i = 0; i < result->operation_count; i++) {
        struct result_operation *entry = &result->operations[i];

        entry->operation.member =
            (struct slice){result->members + entry->member_offset, entry->member_length};
        if (entry->member_length == 0)
            entry->operation.member = (struct slice){0};
        options->on_outbox(options->owner, &entry->operation);
    }
    if (result->operation_count > 0)
        options->on_batch(options->owner);
    if (result->ready)
        options->on_ready(options->owner);
}

static bool fetch_result(struct writer *writer)
{
    struct result_batch *result = &writer->results[writer->fetch_next];
    bool full;

    pthread_mutex_lock(&writer->mutex);
    full = result->full;
    pthread_mutex_unlock(&writer->mutex);
    if (!full)
        return false;
    deliver(writer, result);
    pthread_mutex_lock(&writer->mutex);
    result->full = false;
    pthread_cond_signal(&writer->to_thread);
    pthread_mutex_unlock(&writer->mutex);
    writer->fetch_next ^= 1;
    return true;
}

static void on_async(uv_async_t *async)
{
    struct writer *writer = async->data;

    while (fetch_result(writer))
        ;
}

static void wake(struct writer *writer)
{
    if (!writer->woken)
        return;
    writer->woken = false;
    pthread_mutex_lock(&writer->mutex);
    pthread_cond_signal(&writer->to_thread);
    pthread_mutex_unlock(&writer->mutex);
}

static void on_check(uv_check_t *check)
{
    wake(check->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    wake(prepare->data);
}

enum status writer_submit(struct writer *writer, const struct command *command)
{
    struct command_batch *batch;
    enum status result = STATUS_OK;

    if (writer->closing)
        return STATUS_CLOSING;
    if (command->kind == COMMAND_OPTIN &&
        (atomic_load(&writer->stalled) || journal_is_tight(writer->journal)))
        return STATUS_DISK_FULL;
    pthread_mutex_lock(&writer->mutex);
    batch = writer->filling;
    if (batch->count == writer->options.batch_commands_max ||
        command->payload.length > writer->options.batch_bytes_max - batch->length) {
        result = STATUS_BUSY;
    } else {
        struct command *copy = &batch->commands[batch->count++];

        *copy = *command;
        copy->payload.bytes = batch->bytes + batch->length;
        if (command->payload.length > 0)
            memcpy(batch->bytes + batch->length, command->payload.bytes, command->payload.length);
        batch->length += command->payload.length;
    }
    pthread_mutex_unlock(&writer->mutex);
    writer->woken = true;
    return result;
}

bool writer_is_ready(const struct writer *writer)
{
    return atomic_load(&writer->ready_flag);
}

void writer_render(struct writer *writer, bool wanted)
{
    atomic_store_explicit(&writer->render_wanted, wanted, memory_order_relaxed);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static bool allocate(struct writer *writer)
{
    const struct writer_options *options = &writer->options;
    bool good = true;

    for (unsigned i = 0; i < 2; i++) {
        writer->commands[i].commands = calloc(options->batch_commands_max, sizeof(struct command));
        writer->commands[i].bytes = malloc(options->batch_bytes_max);
        /* A batch settles all its commands; barriers may come from the one before. */
        writer->results[i].settlements =
            calloc(2 * (size_t)options->batch_commands_max, sizeof(struct settlement));
        good = good && writer->commands[i].commands != NULL && writer->commands[i].bytes != NULL &&
               writer->results[i].settlements != NULL;
    }
    writer->barriers = calloc(options->batch_commands_max, sizeof(*writer->barriers));
    writer->filling = &writer->commands[0];
    writer->taken = &writer->commands[1];
    return good && writer->barriers != NULL;
}

static void release(struct writer *writer)
{
    for (unsigned i = 0; i < 2; i++) {
        free(writer->commands[i].commands);
        free(writer->commands[i].bytes);
        free(writer->results[i].settlements);
        free(writer->results[i].operations);
        free(writer->results[i].members);
    }
    free(writer->barriers);
    free(writer);
}

static enum status open_recovery(struct writer *writer)
{
    const struct writer_options *options = &writer->options;
    struct recovery_options recovery = {
        .data_directory = options->data_directory,
        .state_directory = options->state_directory,
        .journal_map_bytes = options->journal_map_bytes,
        .state_map_bytes = options->state_map_bytes,
        .reserve_bytes = options->reserve_bytes,
        .create = true,
        .now_ms = clock_now_ms(options->clock),
        .log = options->log,
    };
    bool done = false;
    enum status result = recovery_open(&recovery, &writer->recovery);

    if (result != STATUS_OK)
        return result;
    writer->engine = recovery_engine(writer->recovery);
    writer->journal = recovery_journal(writer->recovery);
    writer->state = recovery_state(writer->recovery);
    writer->admin_seq = recovery_admin_seq(writer->recovery);
    writer->last_ms = recovery_last_ms(writer->recovery);
    clock_at_least(options->clock, writer->last_ms);
    writer->renderer = (struct renderer){
        .registry = recovery_registry(writer->recovery),
        .id_key = recovery_id_key(writer->recovery),
        .node = options->node,
        .prefix = options->redis_prefix,
        .optin = &writer->optin,
    };
    /* The tail of a trusted state is short: with it applied first, nobody gets a 202. */
    if (recovery_is_trusted(writer->recovery))
        result = recovery_fold(writer->recovery, 16 * COMMIT_RECORDS, &done);
    else if (state_meta(writer->state)->folded_seq + 2 < journal_last_seq(writer->journal))
        log_write(options->log, LOG_INFO, "state is made anew from the journal",
                  LOG_INT("records", journal_last_seq(writer->journal)), LOG_END);
    return result == STATUS_DISK_FULL ? STATUS_OK : result;
}

static void open_threading(struct writer *writer)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->to_thread, &monotonic);
    pthread_cond_init(&writer->to_loop, NULL);
    pthread_condattr_destroy(&monotonic);

    MUST(uv_async_init(writer->options.loop, &writer->async, on_async) == 0);
    writer->async.data = writer;
    MUST(uv_check_init(writer->options.loop, &writer->check) == 0);
    writer->check.data = writer;
    uv_check_start(&writer->check, on_check);
    uv_unref((uv_handle_t *)&writer->check);
    MUST(uv_prepare_init(writer->options.loop, &writer->prepare) == 0);
    writer->prepare.data = writer;
    uv_prepare_start(&writer->prepare, on_prepare);
    uv_unref((uv_handle_t *)&writer->prepare);
}

enum status writer_open(const struct writer_options *options, struct writer **out)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    enum status result;
    sigset_t all, before;

    if (writer == NULL)
        return STATUS_BUSY;
    writer->options = *options;
    atomic_store(&writer->render_wanted, true);
    result = allocate(writer) ? open_recovery(writer) : STATUS_BUSY;
    if (result != STATUS_OK) {
        recovery_close(writer->recovery, false);
        release(writer);
        return result;
    }
    open_threading(writer);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    MUST(pthread_create(&writer->thread, NULL, run, writer) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *out = writer;
    return STATUS_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct writer *writer = handle->data;

    if (handle == (uv_handle_t *)&writer->async)
        uv_close((uv_handle_t *)&writer->check, on_closed);
    else if (handle == (uv_handle_t *)&writer->check)
        uv_close((uv_handle_t *)&writer->prepare, on_closed);
    else
        release(writer);
}

void writer_close(struct writer *writer)
{
    bool stopped = false;

    if (writer == NULL)
        return;
    writer->closing = true;
    pthread_mutex_lock(&writer->mutex);
    writer->stop = true;
    pthread_cond_signal(&writer->to_thread);
    pthread_mutex_unlock(&writer->mutex);
    /* The thread may wait for the loop to fetch, so the loop fetches until it has ended. */
    while (!stopped) {
        while (fetch_result(writer))
            ;
        pthread_mutex_lock(&writer->mutex);
        while (!writer->stopped && !writer->results[writer->fetch_next].full)
            pthread_cond_wait(&writer->to_loop, &writer->mutex);
        stopped = writer->stopped && !writer->results[writer->fetch_next].full;
        pthread_mutex_unlock(&writer->mutex);
    }
    pthread_join(writer->thread, NULL);
    recovery_close(writer->recovery, true);
    pthread_cond_destroy(&writer->to_thread);
    pthread_cond_destroy(&writer->to_loop);
    pthread_mutex_destroy(&writer->mutex);
    uv_close((uv_handle_t *)&writer->async, on_closed);
}

const struct hash_key *writer_hash_key(const struct writer *writer)
{
    return recovery_hash_key(writer->recovery);
}

const struct hash_key *writer_id_key(const struct writer *writer)
{
    return recovery_id_key(writer->recovery);
}

uint64_t writer_epoch(const struct writer *writer)
{
    return recovery_epoch(writer->recovery);
}

struct journal *writer_journal(const struct writer *writer)
{
    return writer->journal;
}

struct state *writer_state(const struct writer *writer)
{
    return writer->state;
}

enum status writer_read_registry(struct writer *writer, struct registry *registry)
{
    struct journal_reader *reader;
    enum status result = journal_reader_open(writer->journal, &reader);

    if (result != STATUS_OK)
        return result;
    result = recovery_read_registry(reader, recovery_admin_seq(writer->recovery), registry);
    journal_reader_close(reader);
    return result;
}
