/* An inbox on a real Redis, and a writer that the test plays. For the tests of inbox*.c: each
 * program has one such world. */
#ifndef HOTLEAD_TESTS_INBOX_WORLD_H
#define HOTLEAD_TESTS_INBOX_WORLD_H

#include "server/inbox_internal.h"
#include "server/redis_internal.h"
#include "server/state.h"
#include "tests/folder.h"
#include "tests/redis_server.h"
#include "tests/unit.h"

#include "proto/id.h"

#define STREAM    "hl:{acme.calls}:reports:n1"
#define STREAM2   "hl:{acme.mails}:reports:n1"
#define HEARD_MAX 4096

struct fixture {
    uv_loop_t loop;
    struct server server;
    struct folder folder;
    struct state *state;
    struct log *log;
    struct stats *stats;
    struct clock *clock;
    struct inbox *inbox;
    struct queue queues[3];
    uint32_t queue_count;
    uint32_t put_count; /* of them had a task when the server starts */
    uint32_t needed;    /* a site leads to it; 0: to none */
    int log_pipe[2];

    enum status submit; /* what the writer says */
    enum status settle; /* what comes of commands */
    unsigned room;      /* how many more it takes; UINT_MAX: any number */
    bool no_amount;     /* ... and of the value of a sale */
    bool holding;       /* settlements are held back */
    struct command heard[HEARD_MAX];
    struct report reports[HEARD_MAX]; /* decoded, texts in `texts` */
    char texts[HEARD_MAX][256];
    uint64_t tickets[HEARD_MAX];
    unsigned heard_count, ticket_count, drained_count, claim_count;
};

static struct fixture *fixture; /* the fakes below have no other way to it */

static const struct hash_key key = {{7}};

/* --- the writer -------------------------------------------------------------------------- */

enum status writer_submit(struct writer *writer, const struct command *command)
{
    (void)writer;
    if (fixture->submit != STATUS_OK || fixture->room == 0)
        return fixture->submit != STATUS_OK ? fixture->submit : STATUS_BUSY;
    if (fixture->room != UINT_MAX)
        fixture->room--;
    MUST(fixture->heard_count < HEARD_MAX && command->payload.length <= 256);
    unsigned index = fixture->heard_count++;
    fixture->heard[index] = *command;
    memcpy(fixture->texts[index], command->payload.bytes, command->payload.length);
    MUST(report_decode((struct slice){fixture->texts[index], command->payload.length},
                       &fixture->reports[index]) == STATUS_OK);
    fixture->tickets[fixture->ticket_count++] = command->ticket;
    return STATUS_OK;
}

const struct hash_key *writer_id_key(const struct writer *writer)
{
    (void)writer;
    return &key;
}

const struct hash_key *writer_hash_key(const struct writer *writer)
{
    (void)writer;
    return &key;
}

struct state *writer_state(const struct writer *writer)
{
    (void)writer;
    return fixture->state;
}

struct queue *registry_queue(const struct registry *registry, uint32_t number)
{
    (void)registry;
    return number >= 1 && number <= fixture->queue_count ? &fixture->queues[number] : NULL;
}

uint32_t registry_count(const struct registry *registry, enum entity_kind kind)
{
    (void)registry;
    MUST(kind == ENTITY_QUEUE);
    return fixture->queue_count;
}

bool registry_is_needed(const struct registry *registry, uint32_t queue)
{
    (void)registry;
    return queue == fixture->needed;
}

uint64_t agent_hash(const struct hash_key *hash_key, struct slice agent)
{
    MUST(hash_key == &key);
    return 1000 + agent.length;
}

/* Brings settlements back. */
static inline void settle(void)
{
    unsigned count = fixture->ticket_count;
    static uint64_t tickets[HEARD_MAX];

    memcpy(tickets, fixture->tickets, count * sizeof(tickets[0]));
    fixture->ticket_count = 0;
    for (unsigned i = 0; i < count; i++)
        inbox_on_settled(fixture->inbox, &(struct settlement){.ticket = tickets[i],
                                                              .kind = COMMAND_REPORT,
                                                              .status = fixture->settle,
                                                              .no_amount = fixture->no_amount});
}

/* --- the fixture ------------------------------------------------------------------------- */

static inline void on_drained(void *owner)
{
    (void)owner;
    fixture->drained_count++;
}

static inline void on_claim(void *owner, uint32_t queue, const struct report *report)
{
    (void)owner;
    assert_int_equal(queue, 1);
    assert_int_equal(report->op, REPORT_CLAIM);
    fixture->claim_count++;
}

static inline void launch(void)
{
    struct inbox_options options = {.loop = &fixture->loop,
                                    .redis_url = fixture->server.url,
                                    .prefix = "hl",
                                    .node = "n1",
                                    .clock = fixture->clock,
                                    .log = fixture->log,
                                    .stats = fixture->stats,
                                    .on_drained = on_drained,
                                    .on_claim = on_claim};

    assert_status(inbox_open(&options, &fixture->inbox), STATUS_OK);
    for (uint32_t i = 1; i <= fixture->queue_count && i <= fixture->put_count; i++)
        inbox_on_put(fixture->inbox, i);
    inbox_ready(fixture->inbox);
}

static inline int set_up(void **state)
{
    (void)state;
    fixture = calloc(1, sizeof(*fixture));
    MUST(fixture != NULL && pipe(fixture->log_pipe) == 0 && uv_loop_init(&fixture->loop) == 0);
    server_start(&fixture->server);
    fixture->folder = folder_make();
    struct state_options options = {.directory = folder_path(&fixture->folder, "state"),
                                    .map_bytes = 64 << 20};
    MUST(state_open(&options, &fixture->state) == STATUS_OK);
    fixture->log = log_open(fixture->log_pipe[1], LOG_INFO);
    fixture->stats = stats_open();
    MUST(clock_open(NULL, &fixture->clock) == STATUS_OK);
    fixture->queues[1] = (struct queue){.number = 1, .id = "acme.calls"};
    fixture->queues[2] = (struct queue){.number = 2, .id = "acme.mails"};
    fixture->queue_count = 1;
    fixture->put_count = UINT32_MAX; /* all */
    fixture->room = UINT_MAX;
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    inbox_close(fixture->inbox);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&fixture->loop) == 0);
    server_end(&fixture->server);
    state_close(fixture->state);
    folder_remove(&fixture->folder);
    log_close(fixture->log);
    stats_close(fixture->stats);
    clock_close(fixture->clock);
    close(fixture->log_pipe[0]);
    close(fixture->log_pipe[1]);
    free(fixture);
    return 0;
}

static inline bool turn(void *owner)
{
    if (!fixture->holding)
        settle();
    return owner != NULL && fixture->heard_count >= *(unsigned *)owner;
}

static inline void await_heard(unsigned count)
{
    if (!loop_until(&fixture->loop, turn, &count, 5000))
        fail_msg("%u reports were heard, should be %u", fixture->heard_count, count);
}

static inline void pass(unsigned ms)
{
    loop_until(&fixture->loop, turn, NULL, ms);
}

/* A task's id in text. */
static inline const char *task(uint64_t number)
{
    static char id[ID_TEXT_LENGTH + 1];

    id_format(id, &key, ID_TASK, 1700000000000, number);
    return id;
}

static inline void report_outcome(const char *stream, uint64_t number)
{
    server_run(&fixture->server,
               "XADD %s * task %s delivery 2 op outcome outcome no_answer agent a42", stream,
               task(number));
}

static inline void add_entry(const char *id, uint64_t number)
{
    server_run(&fixture->server, "XADD %s %s task %s delivery 1 op claim agent a", STREAM, id,
               task(number));
}

static inline const char *logged(void)
{
    static char lines[65536];

    MUST(write(fixture->log_pipe[1], ".", 1) == 1);
    ssize_t length = read(fixture->log_pipe[0], lines, sizeof(lines) - 1);
    MUST(length > 0);
    lines[length] = '\0';
    return lines;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
