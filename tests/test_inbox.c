/* Reports from a real Redis to a writer that the test plays. */
#include "tests/inbox_world.h"

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
    inbox_on_put(fixture->inbox, 2);
    report_outcome(STREAM2, 8);
    uint64_t start_ns = uv_hrtime();
    await_heard(1);
    assert_in_range(uv_hrtime() - start_ns, 0, 500000000);
    assert_int_equal(fixture->heard[0].report.queue, 2);
}

static uint64_t commands_of(const char *name)
{
    char wanted[64];
    redisReply *stats = server_do(&fixture->server, "INFO commandstats");

    snprintf(wanted, sizeof(wanted), "cmdstat_%s:calls=", name);
    const char *at = strstr(stats->str, wanted);
    uint64_t calls = at ? strtoull(at + strlen(wanted), NULL, 10) : 0;
    freeReplyObject(stats);
    return calls;
}

/* What stands in its stream can be about no task of ours. */
static void queue_that_never_had_a_task_costs_redis_nothing(void **state)
{
    (void)state;
    fixture->put_count = 0;
    fixture->queue_count = 2;
    report_outcome(STREAM, 8);
    launch();
    pass(400);
    assert_int_equal(fixture->heard_count, 0);
    assert_int_equal(fixture->drained_count, 1);
    assert_int_equal(commands_of("xread") + commands_of("xinfo|stream"), 0);
    inbox_on_put(fixture->inbox, 1);
    await_heard(1);
    assert_null(fixture->inbox->streams[2]);
}

static void queue_that_a_site_leads_to_is_read_before_its_first_task(void **state)
{
    (void)state;
    fixture->put_count = 0;
    fixture->needed = 1;
    launch();
    pass(100);
    report_outcome(STREAM, 8);
    await_heard(1);
}

static void queue_that_had_a_task_before_the_start_is_read(void **state)
{
    (void)state;
    fixture->put_count = 0;
    state_begin(fixture->state);
    state_queue(fixture->state, 1)->outbox_seq = 1;
    assert_status(state_commit(fixture->state), STATUS_OK);
    report_outcome(STREAM, 8);
    launch();
    await_heard(1);
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
    assert_int_equal(fixture->claim_count, 1);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORT_FIELDS_LEFT_OUT), 1);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REFUSED), 0);
    const char *lines = logged();
    assert_non_null(strstr(lines, "left out"));
    assert_null(strstr(lines, "secret"));
}

static void a_sale_whose_value_is_no_amount_is_counted_once_it_counts(void **state)
{
    (void)state;
    launch();
    fixture->no_amount = true;
    report_outcome(STREAM, 8);
    await_heard(1);
    pass(20);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORT_FIELDS_LEFT_OUT), 1);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_APPLIED), 1);
    assert_non_null(strstr(logged(), "a bad value was left out"));
}

/* A dialer that does not say who dialled must not make the person be called again. */
static void an_outcome_counts_without_an_agent(void **state)
{
    (void)state;
    server_run(&fixture->server, "XADD %s * task %s delivery 1 op outcome outcome do_not_contact",
               STREAM, task(8));
    server_run(&fixture->server, "XADD %s * task %s delivery 1 op outcome outcome sold agent %b",
               STREAM, task(8), "", (size_t)0);
    launch();
    await_heard(2);
    assert_int_equal(fixture->heard[0].report.outcome, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(fixture->heard[0].report.agent, 0);
    assert_int_equal(fixture->heard[1].report.agent, 0);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORTS_REFUSED), 0);
}

static void an_end_before_the_beginning_is_left_out(void **state)
{
    (void)state;
    server_run(&fixture->server,
               "XADD %s * task %s delivery 1 op outcome outcome sold agent a42 "
               "ended_ms 1700000000001 started_ms 1700000000002",
               STREAM, task(8));
    launch();
    await_heard(1);
    assert_int_equal(fixture->heard[0].report.outcome, OUTCOME_SOLD);
    assert_int_equal(fixture->heard[0].report.started_ms, 1700000000002);
    assert_int_equal(fixture->heard[0].report.ended_ms, 0);
    assert_int_equal(stats_count(fixture->stats, STATS_REPORT_FIELDS_LEFT_OUT), 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(report_becomes_a_command),
        TEST(reports_of_all_queues_are_heard_in_order),
        TEST(queue_that_is_added_later_is_read_too),
        TEST(queue_that_never_had_a_task_costs_redis_nothing),
        TEST(queue_that_a_site_leads_to_is_read_before_its_first_task),
        TEST(queue_that_had_a_task_before_the_start_is_read),
        TEST(first_report_of_a_stream_is_heard_at_once),
        TEST(poison_entries_are_skipped_counted_and_logged_once),
        TEST(bad_optional_field_is_left_out_of_its_report),
        TEST(a_sale_whose_value_is_no_amount_is_counted_once_it_counts),
        TEST(an_outcome_counts_without_an_agent),
        TEST(an_end_before_the_beginning_is_left_out),
        TEST(drained_is_told_once_when_all_that_waited_is_settled),
        TEST(empty_streams_are_drained_at_once),
        TEST(missing_permission_to_read_is_told),
        TEST(what_came_of_reports_is_counted),
        TEST(busy_writer_holds_reading_up_and_nothing_is_skipped),
        TEST(report_that_was_not_stored_is_read_again),
        TEST(reports_in_flight_are_bounded),
        TEST(key_of_another_type_does_not_hold_up_other_queues),
        cmocka_unit_test(stream_ids_are_read_and_compared),
        cmocka_unit_test(entries_of_any_shape_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
