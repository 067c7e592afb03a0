#include "tests/sim/node.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/must.h"
#include "server/writer_internal.h"
#include "tests/sim/fiber.h"
#include "tests/sim/loop.h"
#include "tests/sim/small_calls.h"

#define READERS_MAX 8

/* Open in the writer's thread. */
static struct journal_reader *readers[READERS_MAX];

enum status fiber_reader_open(struct journal *journal, struct journal_reader **out)
{
    enum status status = journal_reader_open(journal, out);

    for (unsigned i = 0; status == STATUS_OK && i < READERS_MAX; i++) {
        if (readers[i] != NULL)
            continue;
        readers[i] = *out;
        return status;
    }
    MUST(status != STATUS_OK);
    return status;
}

void fiber_reader_close(struct journal_reader *reader)
{
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (readers[i] == reader)
            readers[i] = NULL;
    journal_reader_close(reader);
}

enum status fiber_fold(struct recovery *recovery, uint64_t most, bool *done_out)
{
    bool sliced = most != UINT64_MAX && most < WRITER_COMMIT_RECORDS;

    return recovery_fold(recovery, sliced ? chance_between(1, 40) : most, done_out);
}

static size_t call_bytes;

size_t node_call_bytes(void)
{
    return call_bytes;
}

/* --- what the parts say to each other: server/serve.c ------------------------------------- */

static void on_settled(void *owner, const struct settlement *settlement)
{
    struct node *node = owner;

    loop_point();
    if (settlement->ticket & NODE_TICKET)
        node->on_settled(node->owner, settlement);
    else if (settlement->ticket & INBOX_TICKET && node->inbox != NULL)
        inbox_on_settled(node->inbox, settlement);
    else if (settlement->ticket & PUBLISH_TICKET && node->publish != NULL)
        publish_on_settled(node->publish, settlement);
    loop_point();
}

static void on_outbox(void *owner, const struct writer_outbox *operation)
{
    struct node *node = owner;

    loop_point();
    if (node->publish != NULL)
        publish_operation(node->publish, operation);
    if (node->inbox != NULL)
        inbox_on_put(node->inbox, operation->queue);
}

static void on_batch(void *owner)
{
    struct node *node = owner;

    loop_point();
    if (node->publish != NULL)
        publish_flush(node->publish);
}

static void on_ready(void *owner)
{
    struct node *node = owner;

    if (node->publish == NULL)
        return;
    say("node is ready");
    node->ready = true;
    node->life.ready_us = loop_now_us();
    publish_ready(node->publish);
    inbox_ready(node->inbox);
}

static void on_claimed(void *owner, uint64_t ticket, enum status status, struct slice member)
{
    (void)owner, (void)ticket, (void)status, (void)member;
}

static void on_forgot(void *owner)
{
    struct node *node = owner;

    if (node->inbox != NULL)
        inbox_again(node->inbox);
}

static void judge_when_all_is_known(struct node *node)
{
    if (!node->drained || !node->watched)
        return;
    node->life.known_us = loop_now_us();
    writer_judge(node->writer);
}

static void on_claim(void *owner, uint32_t queue, const struct report *report)
{
    struct node *node = owner;

    if (node->publish != NULL)
        publish_claim_heard(node->publish, queue, report);
}

static void on_drained(void *owner)
{
    struct node *node = owner;

    node->drained = true;
    judge_when_all_is_known(node);
}

static void on_watched(void *owner)
{
    struct node *node = owner;

    node->watched = true;
    judge_when_all_is_known(node);
}

/* --- start ------------------------------------------------------------------------------- */

static void open_writer(struct node *node)
{
    const struct writer_options options = {
        .data_directory = node->directory,
        .node = "n1",
        .redis_prefix = "hl",
        .journal_map_bytes = 32 << 20,
        .state_map_bytes = 32 << 20,
        .reserve_bytes = 1 << 20,
        .batch_bytes_max = 256 << 10,
        .batch_commands_max = 64,
        .judge_after_ms = NODE_PATIENCE_MS,
        .clock = node->clock,
        .log = node->log,
        .stats = node->stats,
        .on_settled = on_settled,
        .on_outbox = on_outbox,
        .on_batch = on_batch,
        .on_ready = on_ready,
        .owner = node,
    };

    MUST(writer_open(&options, &node->writer) == STATUS_OK);
    node->registry = registry_open();
    MUST(node->registry != NULL);
    MUST(writer_read_registry(node->writer, node->registry) == STATUS_OK);
}

static void open_redis(struct node *node)
{
    const struct publish_options publish = {.redis_url = "redis://",
                                            .prefix = "hl",
                                            .node = "n1",
                                            .writer = node->writer,
                                            .registry = node->registry,
                                            .clock = node->clock,
                                            .log = node->log,
                                            .stats = node->stats,
                                            .memory_max = 48 << 10,
                                            .watch_ms = 1000,
                                            .on_claimed = on_claimed,
                                            .on_forgot = on_forgot,
                                            .on_watched = on_watched,
                                            .owner = node};
    const struct inbox_options inbox = {.redis_url = "redis://",
                                        .prefix = "hl",
                                        .node = "n1",
                                        .writer = node->writer,
                                        .registry = node->registry,
                                        .clock = node->clock,
                                        .log = node->log,
                                        .stats = node->stats,
                                        .on_drained = on_drained,
                                        .on_claim = on_claim,
                                        .owner = node};

    MUST(publish_open(&publish, &node->publish) == STATUS_OK);
    MUST(inbox_open(&inbox, &node->inbox) == STATUS_OK);
}

void node_start(struct node *node)
{
    MUST(node->writer == NULL);
    node->ready = node->watched = node->drained = false;
    MUST(clock_open(NULL, &node->clock) == STATUS_OK);
    node->stats = stats_open();
    MUST(node->stats != NULL);
    open_writer(node);
    open_redis(node);
    node->life = (struct node_life){.start_ms = loop_engine_ms()};
    say("node starts");
}

void node_begin(struct node *node, bool small_calls, struct log *log, writer_settled_fn *on_world,
                void *owner)
{
    const char *folder = getenv("SIM_FOLDER");

    memset(node, 0, sizeof(*node));
    snprintf(node->directory, sizeof(node->directory), "%s/hotlead-sim-XXXXXX",
             folder != NULL ? folder : "/dev/shm");
    MUST(mkdtemp(node->directory) != NULL);
    node->log = log;
    node->on_settled = on_world;
    node->owner = owner;
    call_bytes = small_calls ? TASK_BYTES_MAX + chance_below(3000) : 1 << 20;
    node_start(node);
}

enum status node_submit(struct node *node, const struct command *command)
{
    return node->writer != NULL ? writer_submit(node->writer, command) : STATUS_CLOSING;
}

/* --- the end ----------------------------------------------------------------------------- */

static void close_redis(struct node *node)
{
    inbox_close(node->inbox);
    node->inbox = NULL;
    publish_close(node->publish);
    node->publish = NULL;
    node->ready = false;
}

static void close_rest(struct node *node)
{
    node->writer = NULL;
    node->life.end_us = loop_now_us();
    loop_bury();
    registry_close(node->registry);
    stats_close(node->stats);
    clock_close(node->clock);
}

void node_stop(struct node *node)
{
    say("node is stopped");
    close_redis(node);
    writer_close(node->writer);
    close_rest(node);
}

/* What writer.c frees; its thread is a fiber that will not be woken any more. */
static void free_writer(struct writer *writer)
{
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (readers[i] != NULL)
            fiber_reader_close(readers[i]);
    recovery_close(writer->recovery, false);
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

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The machine was started anew since, says what stands in OWNER. */
static void forget_boot(const struct node *node)
{
    static const char owner[] = "00000000-0000-0000-0000-000000000000\ndirty\n";
    char path[160];

    snprintf(path, sizeof(path), "%s/state/OWNER", node->directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, owner, sizeof(owner) - 1) == (ssize_t)sizeof(owner) - 1);
    close(fd);
}

void node_die(struct node *node, enum node_left left)
{
    char state[160];

    say("node dies (%d)", (int)left);
    close_redis(node);
    free_writer(node->writer);
    close_rest(node);
    snprintf(state, sizeof(state), "%s/state", node->directory);
    if (left == NODE_POWER_CUT)
        forget_boot(node);
    else if (left == NODE_STATE_GONE)
        remove_folder(state);
}

void node_end(struct node *node)
{
    MUST(node->writer == NULL);
    remove_folder(node->directory);
}

char *node_dump(struct node *node, bool rebuild)
{
    const struct recovery_options options = {.data_directory = node->directory,
                                             .journal_map_bytes = 32 << 20,
                                             .state_map_bytes = 32 << 20,
                                             .reserve_bytes = 1 << 20,
                                             .rebuild = rebuild,
                                             .now_ms = loop_engine_ms(),
                                             .log = node->log};
    struct recovery *recovery;
    struct state_reader *reader;
    char *text = NULL;
    size_t length = 0;
    bool done = false;
    FILE *out = open_memstream(&text, &length);

    MUST(recovery_open(&options, &recovery) == STATUS_OK);
    MUST(recovery_fold(recovery, UINT64_MAX, &done) == STATUS_OK && done);
    MUST(state_reader_open(recovery_state(recovery), &reader) == STATUS_OK);
    MUST(state_dump(reader, out) == STATUS_OK);
    state_reader_close(reader);
    fclose(out);
    recovery_close(recovery, true);
    return text;
}
