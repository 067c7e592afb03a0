/* Reports from a real Redis to a writer that the test plays. */
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
    int log_pipe[2];

    enum status submit; /* what the writer says */
    enum status settle; /* what comes of commands */
    unsigned room;      /* how many more it takes; UINT_MAX: any number */
    bool holding;       /* settlements are held back */
    struct command heard[HEARD_MAX];
    struct report reports[HEARD_MAX]; /* decoded, texts in `texts` */
    char texts[HEARD_MAX][256];
    uint64_t tickets[HEARD_MAX];
    unsigned heard_count, ticket_count, drained_count;
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

uint64_t agent_hash(const struct hash_key *hash_key, struct slice agent)
{
    MUST(hash_key == &key);
    return 1000 + agent.length;
}

/* Brings settlements back. */
static void settle(void)
{
    unsigned count = fixture->ticket_count;
    static uint64_t tickets[HEARD_MAX];

    memcpy(tickets, fixture->tickets, count * sizeof(tickets[0]));
    fixture->ticket_count = 0;
    for (unsigned i = 0; i < count; i++)
        inbox_on_settled(fixture->inbox, &(struct settlement){.ticket = tickets[i],
                                                              .kind = COMMAND_REPORT,
                                                              .status = fixture->settle});
}

/* --- the fixture ------------------------------------------------------------------------- */

static void on_drained(void *owner)
{
    (void)owner;
    fixture->drained_count++;
}

static void launch(void)
{
    struct inbox_options options = {.loop = &fixture->loop,
                                    .redis_url = fixture->server.url,
                                    .prefix = "hl",
                                    .node = "n1",
                                    .clock = fixture->clock,
                                    .log = fixture->log,
                                    .stats = fixture->stats,
                                    .on_drained = on_drained};

    assert_status(inbox_open(&options, &fixture->inbox), STATUS_OK);
    inbox_ready(fixture->inbox);
}

static int set_up(void **state)
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
    fixture->room = UINT_MAX;
    return 0;
}

static int tear_down(void **state)
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

static bool turn(void *owner)
{
    if (!fixture->holding)
        settle();
    return owner != NULL && fixture->heard_count >= *(unsigned *)owner;
}

static void await_heard(unsigned count)
{
    if (!loop_until(&fixture->loop, turn, &count, 5000))
        fail_msg("%u reports were heard, should be %u", fixture->heard_count, count);
}

static void pass(unsigned ms)
{
    loop_until(&fixture->loop, turn, NULL, ms);
}

/* A task's id in text. */
static const char *task(uint64_t number)
{
    static char id[ID_TEXT_LENGTH + 1];

    id_format(id, &key, ID_TASK, 1700000000000, number);
    return id;
}

static void report_outcome(const char *stream, uint64_t number)
{
    server_run(&fixture->server,
               "XADD %s * task %s delivery 2 op outcome outcome no_answer agent a42", stream,
               task(number));
}

static void add_entry(const char *id, uint64_t number)
{
    server_run(&fixture->server, "XADD %s %s task %s delivery 1 op claim agent a", STREAM, id,
               task(number));
}

static const char *logged(void)
{
    static char lines[65536];

    MUST(write(fixture->log_pipe[1], ".", 1) == 1);
    ssize_t length = read(fixture->log_pipe[0], lines, sizeof(lines) - 1);
    MUST(length > 0);
    lines[length] = '\0';
    return lines;
}

/* --- reading ----------------------------------------------------------------------------- */

static void report_becomes_a_command(void **state)
{
    (void)state;
    launch();
    server_run(&fixture->server,
               "XADD %s 5000-3 task %s delivery 2 op outcome outcome no_answer agent a42 note "
               "busy started_ms 1700000000001 ended_ms 1700000000002 colour red",
               STREAM, task(80));
    await_heard(1);
    struct command *command = &fixture->heard[0];
    assert_int_equal(command->kind, COMMAND_REPORT);
    assert_int_equal(command->ticket & INBOX_TICKET, INBOX_TICKET);
    assert_int_equal(command->report.task, 80);
    assert_int_equal(command->report.opened_ms, 1700000000000);
    assert_int_equal(command->report.queue, 1);
    assert_int_equal(command->report.agency, 0);
    assert_int_equal(command->report.delivery, 2);
    assert_int_equal(command->report.op, REPORT_OUTCOME);
    assert_int_equal(command->report.outcome, OUTCOME_NO_ANSWER);
    assert_int_equal(command->report.agent, 1003);
    assert_int_equal(command->report.started_ms, 1700000000001);
    assert_int_equal(command->report.ended_ms, 1700000000002);
    assert_int_equal(command->report.stream_ms, 5000);
    assert_int_equal(command->report.stream_seq, 3);
    assert_false(command->report.manager);
    assert_true(command->now_ms > 1700000000000);
    assert_slice(fixture->reports[0].agent, "a42");
    assert_slice(fixture->reports[0].note, "busy");
    pass(50);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_APPLIED), 1);
}

static void reports_of_all_queues_are_heard_in_order(void **state)
{
    (void)state;
    fixture->queue_count = 2;
    for (uint64_t i = 0; i < 3; i++) {
        report_outcome(STREAM, 8 + i);
        report_outcome(STREAM2, 16 + i);
    }
    launch();
    await_heard(6);
    for (uint32_t queue = 1; queue <= 2; queue++) {
        uint64_t next = 8 * queue;
        for (unsigned i = 0; i < 6; i++) {
            if (fixture->heard[i].report.queue == queue)
                assert_int_equal(fixture->heard[i].report.task, next++);
        }
        assert_int_equal(next, 8 * queue + 3);
    }
}

static void queue_that_is_added_later_is_read_too(void **state)
{
    (void)state;
    launch();
    pass(100);
    fixture->queue_count = 2;
    report_outcome(STREAM2, 8);
    uint64_t start_ns = uv_hrtime();
    await_heard(1);
    assert_in_range(uv_hrtime() - start_ns, 0, 500000000);
    assert_int_equal(fixture->heard[0].report.queue, 2);
}

/* Redis wakes who waits for a key that is not there yet. */
static void first_report_of_a_stream_is_heard_at_once(void **state)
{
    (void)state;
    launch();
    pass(300);
    report_outcome(STREAM, 8);
    uint64_t start_ns = uv_hrtime();
    await_heard(1);
    assert_in_range(uv_hrtime() - start_ns, 0, 50000000);
}

static void start_reads_from_a_little_before_its_cursor(void **state)
{
    (void)state;
    server_run(&fixture->server, "XADD %s 1000000-0 task %s delivery 1 op claim agent a", STREAM,
               task(8));
    server_run(&fixture->server, "XADD %s 1950000-0 task %s delivery 1 op claim agent a", STREAM,
               task(9));
    server_run(&fixture->server, "XADD %s 2000001-0 task %s delivery 1 op claim agent a", STREAM,
               task(10));
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    await_heard(2);
    assert_int_equal(fixture->heard[0].report.task, 9); /* the minute before is read again */
    assert_int_equal(fixture->heard[1].report.task, 10);
}

/* Of very many it reads a few thousand again: those are more than can have been in flight. */
static void start_reads_little_again_of_a_busy_stream(void **state)
{
    (void)state;
    server_run(&fixture->server, "EVAL %s 1 %s %s",
               "for i = 1, 6000 do redis.call('XADD', KEYS[1], (1990000 + i) .. '-0', 'task', "
               "ARGV[1], 'delivery', 1, 'op', 'claim', 'agent', 'a') end",
               STREAM, task(8));
    add_entry("2000000-7", 9);
    add_entry("2000001-0", 10);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000, .report_seq = 7};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    pass(500);
    assert_int_equal(fixture->heard_count, 4096);
    assert_int_equal(fixture->heard[4094].report.task, 9);
    assert_int_equal(fixture->heard[4095].report.task, 10);
}

static void start_trusts_no_stream_that_lost_its_newest_entry(void **state)
{
    (void)state;
    server_run(&fixture->server, "EVAL %s 1 %s %s",
               "for i = 1, 4000 do redis.call('XADD', KEYS[1], (1950000 + i) .. '-0', 'task', "
               "ARGV[1], 'delivery', 1, 'op', 'claim', 'agent', 'a') end "
               "for i = 1, 4096 do redis.call('XADD', KEYS[1], (1990000 + i) .. '-0', 'x', 'y') "
               "end redis.call('XADD', KEYS[1], '2000001-0', 'x', 'y')",
               STREAM, task(8));
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000, .report_seq = 7};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    await_heard(4000);
}

static void poison_entries_are_skipped_counted_and_logged_once(void **state)
{
    (void)state;
    server_run(&fixture->server, "XADD %s * nothing here", STREAM);
    server_run(&fixture->server, "XADD %s * task %s delivery 1 op dance agent a", STREAM, task(8));
    server_run(&fixture->server, "XADD %s * task %s delivery 99999 op claim agent a", STREAM,
               task(8));
    server_run(&fixture->server, "XADD %s * task %s delivery 0 op claim agent a", STREAM, task(8));
    server_run(&fixture->server, "XADD %s * task %s delivery 1 op outcome agent a", STREAM,
               task(8));
    server_run(&fixture->server, "XADD %s * task %s delivery 1 op claim", STREAM, task(8));
    server_run(&fixture->server,
               "XADD %s * task tsk_0123456789ABCDEFGHJKMNPQRS delivery 1 op claim agent secret",
               STREAM);
    server_run(&fixture->server, "XADD %s * task %s delivery 1 op claim agent %b", STREAM, task(8),
               "\xff\xfe", (size_t)2);
    report_outcome(STREAM, 9);
    launch();
    await_heard(1);
    assert_int_equal(fixture->heard[0].report.task, 9);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REFUSED), 8);
    const char *lines = logged(), *line = strstr(lines, "are not as they should be");
    assert_non_null(line);
    assert_null(strstr(line + 1, "are not as they should be"));
    assert_null(strstr(lines, "secret"));
}

/* Nobody answers a stream entry: what matters in it must not be lost for what does not. */
static void bad_optional_field_is_left_out_of_its_report(void **state)
{
    (void)state;
    server_run(&fixture->server,
               "XADD %s * task %s delivery 2 op outcome outcome sold agent a42 started_ms soon "
               "ended_ms -1 note %b value %b channel %b",
               STREAM, task(8), "secret\x01", (size_t)7, "\xff", (size_t)1,
               "0123456789012345678901234567890123456789", (size_t)40);
    server_run(&fixture->server,
               "XADD %s * task %s delivery 1 op claim agent a42 started_ms 1700000000001 note fine",
               STREAM, task(9));
    launch();
    await_heard(2);
    assert_int_equal(fixture->heard[0].report.outcome, OUTCOME_SOLD);
    assert_int_equal(fixture->heard[0].report.started_ms, 0);
    assert_int_equal(fixture->heard[0].report.ended_ms, 0);
    assert_slice(fixture->reports[0].agent, "a42");
    assert_slice(fixture->reports[0].note, "");
    assert_slice(fixture->reports[0].value, "");
    assert_slice(fixture->reports[0].channel, "");
    assert_int_equal(fixture->heard[1].report.started_ms, 1700000000001);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORT_FIELDS_LEFT_OUT), 1);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REFUSED), 0);
    const char *lines = logged();
    assert_non_null(strstr(lines, "left out"));
    assert_null(strstr(lines, "secret"));
}

static bool is_drained(void *owner)
{
    turn(NULL);
    return fixture->drained_count > 0 && owner == NULL;
}

/* Deadlines wait for this: not longer than it takes, and not before the last one is stored. */
static void drained_is_told_once_when_all_that_waited_is_settled(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 700; i++)
        report_outcome(STREAM, 8 + i);
    fixture->holding = true;
    launch();
    pass(300);
    assert_int_equal(fixture->heard_count, 700);
    assert_int_equal(fixture->drained_count, 0);
    fixture->holding = false;
    assert_true(loop_until(&fixture->loop, is_drained, NULL, 500));
    report_outcome(STREAM, 8);
    await_heard(701);
    pass(100);
    assert_int_equal(fixture->drained_count, 1);
}

static void empty_streams_are_drained_at_once(void **state)
{
    (void)state;
    launch();
    assert_true(loop_until(&fixture->loop, is_drained, NULL, 500));
}

static void missing_permission_to_read_is_told(void **state)
{
    (void)state;
    launch();
    pass(100);
    assert_int_equal(stats_value(fixture->stats, STATS_GAUGE_STREAMS_REFUSED), 0);
    server_run(&fixture->server, "ACL SETUSER default -xread");
    pass(1500);
    assert_int_equal(stats_value(fixture->stats, STATS_GAUGE_STREAMS_REFUSED), 1);
    assert_non_null(strstr(logged(), "NOPERM"));
    server_run(&fixture->server, "ACL SETUSER default +@all");
    report_outcome(STREAM, 8);
    await_heard(1);
    assert_int_equal(stats_value(fixture->stats, STATS_GAUGE_STREAMS_REFUSED), 0);
}

static void what_came_of_reports_is_counted(void **state)
{
    (void)state;
    launch();
    fixture->settle = STATUS_DUPLICATE;
    report_outcome(STREAM, 8);
    await_heard(1);
    pass(20);
    fixture->settle = STATUS_CONFLICT;
    report_outcome(STREAM, 8);
    await_heard(2);
    pass(20);
    fixture->settle = STATUS_NOT_FOUND;
    report_outcome(STREAM, 8);
    await_heard(3);
    pass(20);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REPEATED), 1);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_LATE), 1);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REFUSED), 1);
}

/* --- nothing is skipped ------------------------------------------------------------------ */

static void busy_writer_holds_reading_up_and_nothing_is_skipped(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        report_outcome(STREAM, 8 + i);
    fixture->room = 4;
    launch();
    await_heard(4);
    pass(200);
    assert_int_equal(fixture->heard_count, 4);
    fixture->room = UINT_MAX;
    await_heard(10);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(fixture->heard[i].report.task, 8 + i);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REFUSED), 0);
}

static void report_that_was_not_stored_is_read_again(void **state)
{
    (void)state;
    fixture->settle = STATUS_DISK_FULL;
    report_outcome(STREAM, 8);
    report_outcome(STREAM, 9);
    launch();
    await_heard(2);
    pass(120);
    fixture->settle = STATUS_OK;
    fixture->heard_count = 0;
    await_heard(2);
    assert_int_equal(fixture->heard[0].report.task, 8);
    assert_int_equal(fixture->heard[1].report.task, 9);
    pass(200);
    assert_int_equal(fixture->heard_count, 2);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_APPLIED), 2);
}

static void reports_in_flight_are_bounded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2000; i++)
        report_outcome(STREAM, 8 + i);
    fixture->holding = true;
    launch();
    pass(500);
    assert_in_range(fixture->heard_count, 512, 1024);
    fixture->holding = false;
    await_heard(2000);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(fixture->heard[i].report.task, 8 + i);
}

static void redis_that_comes_back_with_all_of_it_is_read_on(void **state)
{
    (void)state;
    launch();
    report_outcome(STREAM, 8);
    await_heard(1);
    server_run(&fixture->server, "SAVE");
    server_kill(&fixture->server);
    pass(100);
    server_launch(&fixture->server);
    report_outcome(STREAM, 9);
    await_heard(2);
    pass(300);
    assert_int_equal(fixture->heard_count, 2);
    assert_int_equal(fixture->heard[1].report.task, 9);
}

/* What was read stays in a snapshot up to 8; its clock is behind, so what comes then stands below
 * what was read. */
static void redis_that_lost_its_end_is_read_from_what_it_has(void **state)
{
    (void)state;
    launch();
    add_entry("1000-0", 7);
    add_entry("2000-0", 8);
    await_heard(2);
    server_run(&fixture->server, "SAVE");
    pass(1100);
    add_entry("9000-0", 9);
    await_heard(3);
    server_kill(&fixture->server);
    pass(100);
    server_launch(&fixture->server);
    add_entry("3000-0", 10);
    add_entry("9500-0", 11);
    await_heard(5);
    pass(300);
    assert_int_equal(fixture->heard_count, 5);
    assert_int_equal(fixture->heard[3].report.task, 10);
    assert_int_equal(fixture->heard[4].report.task, 11);
    assert_non_null(strstr(logged(), "does not have what was read last"));
}

/* An emptied Redis gives the same ids again. */
static void same_id_with_other_words_is_another_entry(void **state)
{
    (void)state;
    launch();
    add_entry("5000-0", 8);
    await_heard(1);
    pass(50);
    server_run(&fixture->server, "DEL %s", STREAM);
    add_entry("4000-0", 9);
    add_entry("5000-0", 10);
    inbox_again(fixture->inbox);
    await_heard(3);
    assert_int_equal(fixture->heard[1].report.task, 9);
    assert_int_equal(fixture->heard[2].report.task, 10);
}

/* Nobody knows what it has, so it is read whole when it can be. */
static void stream_that_may_not_be_asked_is_read_from_its_start(void **state)
{
    (void)state;
    launch();
    add_entry("5000-0", 8);
    await_heard(1);
    pass(50);
    server_run(&fixture->server, "ACL SETUSER default -xread");
    inbox_again(fixture->inbox);
    pass(200);
    server_run(&fixture->server, "ACL SETUSER default +xread");
    add_entry("5001-0", 9);
    await_heard(3);
    assert_int_equal(fixture->heard[1].report.task, 8);
    assert_int_equal(fixture->heard[2].report.task, 9);
}

/* Another Redis at the start, whose clock is behind. */
static void start_sees_that_ids_went_back(void **state)
{
    (void)state;
    add_entry("1000000-0", 8);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000};
    MUST(state_commit(fixture->state) == STATUS_OK);
    fixture->holding = true;
    launch();
    await_heard(1);
    assert_int_equal(fixture->drained_count, 0);
    fixture->holding = false;
    pass(200);
    assert_int_equal(fixture->drained_count, 1);
}

static void again_reads_nothing_twice_that_is_still_there(void **state)
{
    (void)state;
    launch();
    report_outcome(STREAM, 8);
    await_heard(1);
    pass(50);
    inbox_again(fixture->inbox);
    pass(300);
    report_outcome(STREAM, 9);
    await_heard(2);
    assert_int_equal(fixture->heard[1].report.task, 9);
}

/* What a Redis that lost its tail, with a clock behind, gets next. */
static void ids_that_went_back_are_read(void **state)
{
    (void)state;
    launch();
    server_run(&fixture->server, "XADD %s 9000-0 task %s delivery 1 op claim agent a", STREAM,
               task(8));
    await_heard(1);
    server_run(&fixture->server, "DEL %s", STREAM);
    server_run(&fixture->server, "XADD %s 5000-0 task %s delivery 1 op claim agent a", STREAM,
               task(9));
    unsigned wanted = 2;
    assert_true(loop_until(&fixture->loop, turn, &wanted, 9000));
    assert_int_equal(fixture->heard[1].report.task, 9);
    assert_non_null(strstr(logged(), "does not have what was read last"));
}

static void key_of_another_type_does_not_hold_up_other_queues(void **state)
{
    (void)state;
    fixture->queue_count = 2;
    server_run(&fixture->server, "SET %s x", STREAM);
    launch();
    report_outcome(STREAM2, 8);
    await_heard(1);
    assert_non_null(strstr(logged(), "not a stream"));
}

static void read_entries_are_trimmed_an_hour_behind(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 300; i++)
        server_run(&fixture->server, "XADD %s %llu-0 task %s delivery 1 op claim agent a", STREAM,
                   (unsigned long long)(10000000 + i), task(8));
    server_run(&fixture->server, "XADD %s 13600250-0 task %s delivery 1 op claim agent a", STREAM,
               task(8));
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 13660250};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    pass(300);
    /* Redis trims by whole nodes, so a few more than 52 may be left. */
    assert_in_range(server_number(&fixture->server, "XLEN %s", STREAM), 52, 52 + 100);
    redisReply *left = server_do(&fixture->server, "XRANGE %s 10000250 +", STREAM);
    assert_int_equal(left->elements, 52);
    freeReplyObject(left);
}

/* Redis' own limit is 10,000 a call: at more reports than that a minute streams would grow for
 * ever. */
static void busy_streams_are_trimmed_as_fast_as_they_grow(void **state)
{
    (void)state;
    server_run(&fixture->server, "EVAL %s 1 %s %s",
               "for i = 1, 30000 do redis.call('XADD', KEYS[1], i .. '-0', 'task', ARGV[1]) end",
               STREAM, task(8));
    add_entry("13600250-0", 8);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 13660250};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    pass(300);
    assert_in_range(server_number(&fixture->server, "XLEN %s", STREAM), 0, 100);
}

static void trail_remembers_ever_older_entries(void **state)
{
    struct inbox_trail trail = {0};
    struct redis_reply nothing = {.type = REDIS_NIL};

    (void)state;
    assert_int_equal(inbox_trail_before(&trail, 1).ms, 0);
    for (uint64_t second = 1; second <= 5000; second++)
        inbox_trail_add(&trail, (struct inbox_id){second, 0}, &nothing, 10, 1000 * second);
    assert_int_equal(trail.count, INBOX_STEPS);
    assert_int_equal(trail.steps[0].id.ms, 5000);
    for (unsigned i = 1; i < INBOX_STEPS; i++)
        assert_in_range(5000 - trail.steps[i].id.ms, 1u << (i - 1), 2u << (i - 1));
    assert_in_range(inbox_trail_before(&trail, 1000).ms, 5000 - 400, 5000 - 100);
}

static void trail_goes_back_with_the_cursor(void **state)
{
    struct inbox_trail trail = {0};
    struct redis_reply nothing = {.type = REDIS_NIL};

    (void)state;
    for (uint64_t second = 1; second <= 100; second++)
        inbox_trail_add(&trail, (struct inbox_id){second, 0}, &nothing, 10, 1000 * second);
    inbox_trail_back(&trail, (struct inbox_id){95, 7});
    assert_in_range(trail.steps[0].id.ms, 80, 95);
    assert_int_equal(trail.read, 10 * trail.steps[0].id.ms);
    inbox_trail_back(&trail, (struct inbox_id){0, 0});
    assert_int_equal(trail.count + trail.read, 0);
}

/* --- entries ----------------------------------------------------------------------------- */

static void stream_ids_are_read_and_compared(void **state)
{
    static const char *const bad[] = {
        "", "-", "1", "1-", "-1", "1-x", "x-1", "1--1", "99999999999999999999-0", "1-2-3", " 1-2"};
    struct inbox_id id;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(inbox_id_read(slice_of(bad[i]), &id));
    assert_true(inbox_id_read(SLICE("18446744073709551615-18446744073709551615"), &id));
    assert_int_equal(id.ms, UINT64_MAX);
    assert_int_equal(id.seq, UINT64_MAX);
    assert_true(inbox_id_compare((struct inbox_id){1, 9}, (struct inbox_id){2, 0}) < 0);
    assert_true(inbox_id_compare((struct inbox_id){2, 1}, (struct inbox_id){2, 0}) > 0);
    assert_int_equal(inbox_id_compare((struct inbox_id){2, 1}, (struct inbox_id){2, 1}), 0);
    id = inbox_id_before((struct inbox_id){5, 0});
    assert_int_equal(id.ms, 4);
    assert_int_equal(id.seq, UINT64_MAX);
    id = inbox_id_before((struct inbox_id){0, 0});
    assert_int_equal(id.ms + id.seq, 0);
}

static enum status read_entry(const char *bytes, struct inbox_id *id)
{
    redisReader *reader = redisReaderCreate();
    struct report report;
    void *found = NULL;

    redisReaderFeed(reader, bytes, strlen(bytes));
    MUST(redisReaderGetReply(reader, &found) == 0 && found != NULL);
    struct redis_reply reply = redis_reply_of(found);
    const char *left_out;
    enum status status = inbox_entry_read(&reply, id, &report, &left_out);
    freeReplyObject(found);
    redisReaderFree(reader);
    return status;
}

static void entries_of_any_shape_are_told_apart(void **state)
{
    struct inbox_id id;

    (void)state;
    assert_status(read_entry(":1\r\n", &id), STATUS_MALFORMED);
    assert_status(read_entry("*0\r\n", &id), STATUS_MALFORMED);
    assert_status(read_entry("*2\r\n:1\r\n*0\r\n", &id), STATUS_MALFORMED);
    assert_status(read_entry("*2\r\n$3\r\n1x1\r\n*0\r\n", &id), STATUS_MALFORMED);
    assert_status(read_entry("*2\r\n$3\r\n1-1\r\n$-1\r\n", &id), STATUS_INVALID);
    assert_status(read_entry("*2\r\n$3\r\n1-1\r\n*0\r\n", &id), STATUS_INVALID);
    assert_status(read_entry("*2\r\n$3\r\n1-1\r\n*1\r\n$1\r\na\r\n", &id), STATUS_INVALID);
    assert_status(read_entry("*2\r\n$3\r\n7-2\r\n*2\r\n$2\r\nop\r\n:1\r\n", &id), STATUS_INVALID);
    assert_int_equal(id.ms, 7);
    assert_status(read_entry("*2\r\n$3\r\n7-2\r\n*8\r\n$4\r\ntask\r\n$5\r\ntsk_1\r\n$8\r\ndelivery"
                             "\r\n$1\r\n1\r\n$2\r\nop\r\n$5\r\nclaim\r\n$5\r\nagent\r\n$1\r\na\r\n",
                             &id),
                  STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(report_becomes_a_command),
        TEST(reports_of_all_queues_are_heard_in_order),
        TEST(queue_that_is_added_later_is_read_too),
        TEST(first_report_of_a_stream_is_heard_at_once),
        TEST(start_reads_from_a_little_before_its_cursor),
        TEST(start_reads_little_again_of_a_busy_stream),
        TEST(start_trusts_no_stream_that_lost_its_newest_entry),
        TEST(poison_entries_are_skipped_counted_and_logged_once),
        TEST(bad_optional_field_is_left_out_of_its_report),
        TEST(drained_is_told_once_when_all_that_waited_is_settled),
        TEST(empty_streams_are_drained_at_once),
        TEST(missing_permission_to_read_is_told),
        TEST(what_came_of_reports_is_counted),
        TEST(busy_writer_holds_reading_up_and_nothing_is_skipped),
        TEST(report_that_was_not_stored_is_read_again),
        TEST(reports_in_flight_are_bounded),
        TEST(redis_that_comes_back_with_all_of_it_is_read_on),
        TEST(redis_that_lost_its_end_is_read_from_what_it_has),
        TEST(same_id_with_other_words_is_another_entry),
        TEST(stream_that_may_not_be_asked_is_read_from_its_start),
        TEST(start_sees_that_ids_went_back),
        TEST(again_reads_nothing_twice_that_is_still_there),
        TEST(ids_that_went_back_are_read),
        TEST(key_of_another_type_does_not_hold_up_other_queues),
        TEST(read_entries_are_trimmed_an_hour_behind),
        TEST(busy_streams_are_trimmed_as_fast_as_they_grow),
        cmocka_unit_test(trail_remembers_ever_older_entries),
        cmocka_unit_test(trail_goes_back_with_the_cursor),
        cmocka_unit_test(stream_ids_are_read_and_compared),
        cmocka_unit_test(entries_of_any_shape_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
