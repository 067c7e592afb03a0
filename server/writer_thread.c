#include <limits.h>
#include <unistd.h>

#include "proto/must.h"
#include "proto/report.h"
#include "server/writer_internal.h"

#define EXIT_DISK        70
#define COMMIT_AFTER_MS  100
#define COMMIT_IDLE_MS   10
#define DUE_PER_BATCH    512
#define ADOPTED_PER_LOOK 1000 /* people that are looked at */
#define JUDGE_LOOK_MS    20
#define EXPECTED_AHEAD   2 /* a command takes longer than memory does */

#define POSTPONED_RECORDS_PER_BATCH 4
/* What comes meanwhile is looked at too when it is noted, so this is short. */
#define NOTED_WITHIN_MS    2000
#define EXPIRE_EACH_MS     60000
#define TEST_CLOCK_LOOK_MS 5

/* What the disk kept is unknown, or state contradicts the journal: only a fresh start, which
 * reads what is really there, can tell. Nothing of the present batch was acknowledged. */
void writer_die(struct writer *writer, const char *what, enum status status)
{
    log_write(writer->options.log, LOG_ERROR, what, LOG_TEXT("status", status_code(status)),
              LOG_TEXT("advice", "check disk and memory; the supervisor starts the server again"),
              LOG_END);
    _exit(EXIT_DISK);
}

static void batch_failed(struct writer *writer, const struct command_batch *batch,
                         enum status status, uint64_t admin_seq)
{
    stats_add(writer->options.stats, STATS_COMMIT_FAILURES, 1);
    if (status != STATUS_DISK_FULL)
        writer_die(writer, "a batch cannot be stored", status);
    journal_abort(writer->journal);
    log_write(writer->options.log, LOG_ERROR, "no room to store opt-ins",
              LOG_TEXT("advice", "free space on the journal's disk; intake goes on by itself"),
              LOG_END);
    writer->result->count = 0;
    writer->result->operation_count = 0;
    writer->barrier_count = 0;
    writer->admin_seq = admin_seq;
    for (unsigned i = 0; batch != NULL && i < batch->count; i++)
        writer_settle_as(writer, &batch->commands[i], STATUS_DISK_FULL);
    writer_refold(writer);
    if (writer->admin_in_batch)
        writer_reload_registry(writer);
}

/* --- a record (thread) ----------------------------------------------------------------------- */

struct turn writer_turn(struct writer *writer, uint64_t wanted_ms)
{
    const struct state_meta *meta = state_meta(writer->state);

    if (wanted_ms > writer->last_ms)
        writer->last_ms = wanted_ms;
    return (struct turn){
        .seq = meta->folded_seq + 1, .admin_seq = writer->admin_seq, .now_ms = writer->last_ms};
}

/* Applies and appends the sealed record at hand. */
enum status writer_keep(struct writer *writer)
{
    struct record_view view;
    enum status result;

    uint64_t breaches = state_meta(writer->state)->breaches;
    record_view_of(&writer->record, &view);
    render_forget(&writer->renderer);
    result = engine_apply(writer->engine, &view);
    if (result == STATUS_CORRUPT)
        writer_die(writer, "state contradicts the journal", result);
    if (result == STATUS_OK)
        result = journal_append(writer->journal, &writer->record);
    if (result != STATUS_OK)
        return result;
    if (state_meta(writer->state)->breaches > breaches)
        writer_note_breach(writer, &view);
    if (view.header.kind == RECORD_TIER)
        writer_note_tier(writer, &view);
    if (view.header.kind == RECORD_ADMIN || view.header.kind == RECORD_EPOCH) {
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

/* Makes up to `*most` records of a command, and settles it with the last. Any failure here fails
 * the batch. */
static enum status process_command(struct writer *writer, const struct command *command,
                                   unsigned *most, bool *more_out)
{
    struct settlement settlement;
    bool more = true;

    for (; more && *most > 0; --*most) {
        struct turn turn = writer_turn(writer, command->now_ms);
        enum status decided =
            engine_decide(writer->engine, command, &turn, &writer->record, &settlement, &more);
        enum status failed = state_failure(writer->state);
        if (failed != STATUS_OK) /* then "not found" is no answer */
            return failed;
        if (decided != STATUS_OK)
            break;
        decided = writer_keep(writer);
        if (decided != STATUS_OK)
            return decided;
    }
    *more_out = more;
    if (more)
        return STATUS_OK;
    observe(writer, command, &settlement);
    writer_settle(writer, &settlement);
    return STATUS_OK;
}

/* --- what was popped (thread) ---------------------------------------------------------------- */

/* Consumers that only pop leave thousands of tasks to be noticed at once, and opt-ins must not wait
 * for that: it is done when nothing else waits, and a share a batch when it has waited long. */
static void postpone(struct writer *writer, const struct command *command)
{
    struct postponed *postponed = &writer->postponed;

    if (postponed->count == POSTPONED_MAX)
        writer_settle_as(writer, command, STATUS_BUSY);
    else
        postponed->commands[(postponed->first + postponed->count++) % POSTPONED_MAX] = *command;
}

static struct command *postponed_at(struct postponed *postponed, unsigned index)
{
    return &postponed->commands[(postponed->first + index) % POSTPONED_MAX];
}

static bool is_due(const struct writer *writer, uint64_t now_ms)
{
    return engine_next_due_ms(writer->engine) <= now_ms;
}

/* What is due may hang on whether it was popped, so then it can wait no longer. */
static bool may_note(struct writer *writer, const struct command_batch *batch, uint64_t now_ms)
{
    struct postponed *postponed = &writer->postponed;

    if (postponed->count == 0)
        return false;
    return batch->count == 0 || postponed->count > POSTPONED_MAX / 2 || is_due(writer, now_ms) ||
           now_ms >= postponed_at(postponed, 0)->now_ms + NOTED_WITHIN_MS;
}

static enum status note_popped(struct writer *writer)
{
    struct postponed *postponed = &writer->postponed;
    unsigned most = POSTPONED_RECORDS_PER_BATCH;

    while (postponed->done < postponed->count && most > 0) {
        bool more;
        enum status result =
            process_command(writer, postponed_at(postponed, postponed->done), &most, &more);
        if (result != STATUS_OK || more)
            return result;
        postponed->done++;
    }
    return STATUS_OK;
}

/* Only what is committed is done with. */
static void forget_noted(struct writer *writer)
{
    struct postponed *postponed = &writer->postponed;

    postponed->first = (postponed->first + postponed->done) % POSTPONED_MAX;
    postponed->count -= postponed->done;
    postponed->done = 0;
}

/* --- a batch (thread) ------------------------------------------------------------------------ */

/* Nothing to decide: who asks for it has chosen the number. */
static enum status process_epoch(struct writer *writer, const struct command *command)
{
    struct turn turn = writer_turn(writer, command->now_ms);

    recovery_begin_epoch(writer->recovery, command->epoch, &turn, &writer->record);
    enum status result = writer_keep(writer);
    if (result == STATUS_OK)
        writer_settle_as(writer, command, STATUS_OK);
    return result;
}

static enum status process(struct writer *writer, const struct command *command)
{
    unsigned most = UINT_MAX;
    bool more;

    switch (command->kind) {
    case COMMAND_BARRIER:
        writer->barriers[writer->barrier_count++] = command->ticket;
        return STATUS_OK;
    case COMMAND_POPPED:
        postpone(writer, command);
        return STATUS_OK;
    case COMMAND_EPOCH:
        return process_epoch(writer, command);
    default:
        return process_command(writer, command, &most, &more);
    }
}

/* What happened while nobody looked comes first: reports and pops that wait in Redis are read after
 * the start, and a lease that was renewed, or a call that was made in time, must not be judged
 * before. Nor is anything judged by a clock that is in doubt. */
static bool may_judge(const struct writer *writer)
{
    return (atomic_load(&writer->judging) || clock_monotonic_ms() >= writer->judge_from_ms) &&
           !clock_is_held(writer->options.clock);
}

static enum status process_due(struct writer *writer, uint64_t now_ms)
{
    if (!may_judge(writer) || writer->postponed.done < writer->postponed.count)
        return STATUS_OK;

    for (unsigned i = 0; i < DUE_PER_BATCH; i++) {
        struct turn turn = writer_turn(writer, now_ms);
        enum status result = engine_decide_due(writer->engine, &turn, &writer->record);

        if (result == STATUS_NOT_FOUND)
            return STATUS_OK;
        if (result == STATUS_OK)
            result = writer_keep(writer);
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

/* Once in the life of a journal that earlier releases have written. */
static enum status process_adoption(struct writer *writer, uint64_t now_ms)
{
    for (unsigned i = 0; i < DUE_PER_BATCH; i++) {
        struct turn turn = writer_turn(writer, now_ms);
        enum status result;

        if (engine_has_adopted(writer->engine) || !may_judge(writer))
            return STATUS_OK;
        result = engine_decide_adoption(writer->engine, &turn, &writer->adopted, ADOPTED_PER_LOOK,
                                        &writer->record);
        if (state_failure(writer->state) != STATUS_OK) /* somebody may have been missed */
            return state_failure(writer->state);
        if (result == STATUS_NOT_FOUND)
            return STATUS_OK;
        if (result == STATUS_OK)
            result = writer_keep(writer);
        if (result != STATUS_OK)
            return result;
        if (engine_has_adopted(writer->engine))
            log_write(writer->options.log, LOG_INFO,
                      "all people of an earlier release have a next step or an end", LOG_END);
    }
    return STATUS_OK;
}

enum status writer_commit_journal(struct writer *writer, uint64_t appended)
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
    writer->result->committed_us = clock_monotonic_us();
    stats_observe_us(writer->options.stats, STATS_COMMIT_SECONDS,
                     writer->result->committed_us - started_us);
    stats_add(writer->options.stats, STATS_COMMITS, 1);
    stats_add(writer->options.stats, STATS_COMMIT_RECORDS, appended);
    return STATUS_OK;
}

/* Disk full for state: acknowledged records are safe in the journal, so only intake stops until
 * they can be applied again. */
static void commit_state(struct writer *writer, bool idle)
{
    bool all = idle || clock_monotonic_ms() < atomic_load(&writer->store_until_ms);
    enum status result = state_commit_live(writer->state, all);

    writer->dirty_since_ms = 0;
    writer->dirty_records = 0;
    if (result == STATUS_DISK_FULL) {
        log_write(writer->options.log, LOG_ERROR, "no room for state; opt-ins wait",
                  LOG_TEXT("advice", "free space on the disk of the state folder"), LOG_END);
        writer_refold(writer);
    } else if (result != STATUS_OK) {
        writer_die(writer, "state cannot be written", result);
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

/* A barrier says yes only when readers see all that came before it. */
static void settle_barriers(struct writer *writer)
{
    if (writer->barrier_count == 0)
        return;
    commit_state(writer, false);
    enum status status = writer->behind ? STATUS_DISK_FULL : STATUS_OK;
    for (unsigned i = 0; i < writer->barrier_count; i++)
        writer_settle(writer, &(struct settlement){.ticket = writer->barriers[i],
                                                   .kind = COMMAND_BARRIER,
                                                   .status = status});
    writer->barrier_count = 0;
}

static void process_batch(struct writer *writer, const struct command_batch *batch)
{
    uint64_t before = state_meta(writer->state)->folded_seq, admin_seq = writer->admin_seq;
    unsigned postponed = writer->postponed.count;
    enum status result = journal_begin(writer->journal);

    writer->admin_in_batch = false;
    writer->postponed.done = 0;
    if (result == STATUS_OK)
        result = state_begin(writer->state);
    for (unsigned i = 0; result == STATUS_OK && i < batch->count; i++) {
        if (i + EXPECTED_AHEAD < batch->count)
            engine_expect(writer->engine, &batch->commands[i + EXPECTED_AHEAD]);
        result = process(writer, &batch->commands[i]);
    }
    /* One look at the clock, behind the commands: what falls due after it is the next batch's,
     * which comes at once. */
    uint64_t now_ms = clock_now_ms(writer->options.clock);
    if (result == STATUS_OK && may_note(writer, batch, now_ms))
        result = note_popped(writer);
    if (result == STATUS_OK)
        result = process_due(writer, now_ms);
    if (result == STATUS_OK)
        result = process_adoption(writer, now_ms);
    if (result == STATUS_OK)
        result = writer_commit_journal(writer, state_meta(writer->state)->folded_seq - before);
    writer_count_breaches(writer, result == STATUS_OK);
    if (result != STATUS_OK) {
        writer->postponed.count = postponed; /* those of this batch are told that it failed */
        batch_failed(writer, batch, result, admin_seq);
        return;
    }
    forget_noted(writer);
    writer_count_changes(writer);
    if (writer->dirty_records > 0 && writer->dirty_since_ms == 0)
        writer->dirty_since_ms = clock_monotonic_ms();
    settle_barriers(writer);
}

/* --- the thread --- */

/* A look at what is due that failed says nothing of it: the batch that is made then finds that out,
 * and ends the process. */
static bool has_work(const struct writer *writer, uint64_t now_ms)
{
    return writer->postponed.count > 0 ||
           (may_judge(writer) && (is_due(writer, now_ms) || !engine_has_adopted(writer->engine))) ||
           state_failure(writer->state) != STATUS_OK;
}

/* How long the thread may sleep when nothing is submitted, in ms. */
static uint64_t sleep_ms(struct writer *writer)
{
    uint64_t now_ms = clock_now_ms(writer->options.clock), wait = 1000, due_ms;

    if (atomic_load(&writer->stalled))
        return WRITER_STATE_RETRY_MS;
    if (writer->behind || has_work(writer, now_ms))
        return 0;
    due_ms = engine_next_due_ms(writer->engine);
    if (clock_is_test(writer->options.clock))
        wait = TEST_CLOCK_LOOK_MS;
    else if (!may_judge(writer))
        wait = JUDGE_LOOK_MS;
    else if (due_ms < now_ms + wait)
        wait = due_ms > now_ms ? due_ms - now_ms : 0;
    if ((writer->dirty_since_ms != 0 || state_has_young(writer->state)) && wait > COMMIT_IDLE_MS)
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
struct command_batch *writer_take(struct writer *writer, uint64_t ms)
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
    bool dirty = writer->dirty_since_ms != 0;

    if (idle ? dirty || state_has_young(writer->state)
             : dirty && (writer->dirty_records >= WRITER_COMMIT_RECORDS ||
                         clock_monotonic_ms() - writer->dirty_since_ms >= COMMIT_AFTER_MS))
        commit_state(writer, idle);
}

void *writer_run(void *argument)
{
    struct writer *writer = argument;
    struct command_batch *batch;

    writer_result_open(writer);
    writer_catch_up_all(writer);
    while ((batch = writer_take(writer, sleep_ms(writer))) != NULL) {
        bool idle = batch->count == 0 && !has_work(writer, clock_now_ms(writer->options.clock));

        if (writer->behind) {
            writer_receive(writer, batch);
            writer_catch_up(writer);
        } else if (!idle) {
            process_batch(writer, batch);
        }
        writer_result_hand_over(writer);
        commit_state_in_time(writer, idle);
    }
    /* A transaction ends in the thread that began it. */
    commit_state(writer, true);
    state_abort(writer->state);
    pthread_mutex_lock(&writer->mutex);
    writer->stopped = true;
    pthread_cond_signal(&writer->to_loop);
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}
