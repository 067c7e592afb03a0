/* See writer.h and writer_internal.h: the loop's side. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/writer_internal.h"

#define STORE_OUTBOX_MS 1000

/* --- the loop's side --- */

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
        entry->operation.committed_us = result->committed_us;
        options->on_outbox(options->owner, &entry->operation);
    }
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
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_signal(&writer->fetched);
    writer->fetch_next ^= 1;
    return true;
}

static void wake(struct writer *writer)
{
    if (!writer->woken)
        return;
    writer->woken = false;
    /* Without the mutex, under which the commands were added: the thread would wake into it, and
     * sleep once more. */
    pthread_cond_signal(&writer->to_thread);
}

/* The next batch is on its way to the disk while the answers of this one are written. */
static void on_async(uv_async_t *async)
{
    struct writer *writer = async->data;

    wake(writer);
    while (fetch_result(writer))
        ;
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

void writer_judge(struct writer *writer)
{
    atomic_store(&writer->judging, true);
}

bool writer_is_ready(const struct writer *writer)
{
    return atomic_load(&writer->ready_flag);
}

void writer_render(struct writer *writer, bool wanted)
{
    atomic_store_explicit(&writer->render_wanted, wanted, memory_order_relaxed);
}

void writer_store_outbox(struct writer *writer)
{
    atomic_store_explicit(&writer->store_until_ms, clock_monotonic_ms() + STORE_OUTBOX_MS,
                          memory_order_relaxed);
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
        .keeps_shipped = true,
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
        .keeps = true,
    };
    /* The tail of a trusted state is short: with it applied first, nobody gets a 202. */
    if (recovery_is_trusted(writer->recovery))
        result = recovery_fold(writer->recovery, 16 * WRITER_COMMIT_RECORDS, &done);
    else if (state_meta(writer->state)->folded_seq + 3 < journal_last_seq(writer->journal))
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
    pthread_cond_init(&writer->fetched, NULL);
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
    if (pthread_create(&writer->thread, NULL, writer_run, writer) != 0)
        writer_die(writer, "there is no memory for a thread, or a limit of threads is reached",
                   STATUS_BUSY);
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
    pthread_cond_destroy(&writer->fetched);
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
