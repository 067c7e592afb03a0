/* bench/consume_report.c: what consumers and the robot say of what they popped. */
#include "bench/consume_internal.h"
#include "tests/consume_world.h"

static bool reports_taken(void *owner)
{
    const struct world *world = owner;
    return consume_reported(world->consume) >= world->wanted;
}

static void await_reports(struct world *world, size_t wanted)
{
    world->wanted = wanted;
    assert_true(loop_until(&world->loop, reports_taken, world, 5000));
}

/* --- reports --------------------------------------------------------------------------------- */

static void assert_report(const redisReply *entry, const char *expected)
{
    const redisReply *fields = entry->element[1];
    char line[512] = "";

    for (size_t i = 0; i < fields->elements; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", i ? " " : "",
                 fields->element[i]->str);
    assert_string_equal(line, expected);
}

static void each_task_is_claimed_and_ended_with_a_conversation(void **state)
{
    struct world *world = *state;

    world->target.kind = TARGET_HOTLEAD;
    world->options.mode = CONSUME_REPORT;
    for (int n = 1; n <= 3; n++)
        server_run(
            &server,
            "ZADD tasks %d "
            "{\"id\":\"tsk_%d\",\"delivery\":%d,\"optin\":\"opt_%d\",\"report\":\"rep:{q}\"}",
            n, n, n, n);
    open_consumers(world);
    await_pops(world, 3);
    await_reports(world, 6);
    redisReply *stream = server_do(&server, "XRANGE rep:{q} - +");
    assert_int_equal(stream->elements, 6);
    assert_report(stream->element[0], "task tsk_1 delivery 1 op claim agent bench-1");
    assert_report(stream->element[1],
                  "task tsk_1 delivery 1 op outcome outcome conversation agent bench-1");
    assert_report(stream->element[4], "task tsk_3 delivery 3 op claim agent bench-1");
    freeReplyObject(stream);
}

static void what_a_visitor_said_does_not_lead_a_report_astray(void **state)
{
    struct task_head head;
    struct slice task =
        SLICE("{\"v\":1,\"id\":\"tsk_A\",\"delivery\":2,\"name\":\"\\\"report\\\":\\\"x\\\"\","
              "\"context\":{\"fields\":{\"report\":\"other\",\"id\":\"tsk_B\",\"delivery\":9}},"
              "\"report\":\"hl:{q}:reports:n1\",\"traceparent\":null}");

    (void)state;
    assert_true(task_head_read(task, &head));
    assert_slice(head.id, "tsk_A");
    assert_slice(head.report, "hl:{q}:reports:n1");
    assert_int_equal(head.delivery, 2);
}

static void a_cut_task_is_no_task(void **state)
{
    const char *whole = "{\"v\":1,\"id\":\"tsk_A\",\"delivery\":2,\"report\":\"r\"";
    struct task_head head;

    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char *exact = malloc(length + 1); /* a byte too far is seen by the sanitizer */
        memcpy(exact, whole, length);
        assert_false(task_head_read((struct slice){exact, length}, &head));
        free(exact);
    }
    assert_true(task_head_read(slice_of(whole), &head));
}

static void a_refused_report_is_counted(void **state)
{
    struct world *world = *state;

    world->target.kind = TARGET_HOTLEAD;
    world->options.mode = CONSUME_REPORT;
    server_run(&server, "SET rep text");
    server_run(
        &server,
        "ZADD tasks 1 {\"id\":\"tsk_1\",\"delivery\":1,\"optin\":\"opt_1\",\"report\":\"rep\"}");
    open_consumers(world);
    await_pops(world, 1);
    for (int tries = 0; tries < 1000 && consume_refused(world->consume) < 2; tries++)
        usleep(1000);
    assert_int_equal(consume_refused(world->consume), 2);
    assert_int_equal(consume_reported(world->consume), 0);
}

/* --- the robot ------------------------------------------------------------------------------- */

static void put_email(int n, uint64_t received_ms, uint64_t due_ms)
{
    server_run(&server,
               "ZADD hl:{acme.email}:tasks %d "
               "{\"id\":\"tsk_%d\",\"delivery\":1,\"optin\":\"opt_%d\",\"received_ms\":%d,"
               "\"deadline_ms\":9,\"not_before_ms\":%d,\"report\":\"rep:{email}\"}",
               n, n, n, (int)received_ms, (int)due_ms);
}

static void open_with_robot(struct world *world, enum consume_mode mode)
{
    world->target.kind = TARGET_HOTLEAD;
    strcpy(world->target.emails, "acme.email");
    world->options.mode = mode;
    open_consumers(world);
}

static bool emails_reported(void *owner)
{
    const struct world *world = owner;
    return consume_emails_reported(world->consume) >= world->wanted;
}

static void the_robot_takes_e_mails_and_says_that_they_were_sent(void **state)
{
    struct world *world = *state;

    for (int n = 1; n <= 250; n++)
        put_email(n, 1000, 1000);
    server_run(&server,
               "ZADD tasks 1 "
               "{\"id\":\"tsk_0\",\"delivery\":1,\"optin\":\"opt_0\",\"report\":\"rep:{q}\"}");
    open_with_robot(world, CONSUME_REPORT);
    await_pops(world, 251);
    world->wanted = 250;
    assert_true(loop_until(&world->loop, emails_reported, world, 5000));
    await_reports(world, 2);
    assert_int_equal(consume_popped(world->consume), 1);
    assert_int_equal(consume_emails_popped(world->consume), 250);
    assert_int_equal(consume_reported(world->consume), 2); /* of the call */
    for (size_t i = 0; i < 251; i++)
        assert_int_equal(world->pops[i].email, world->pops[i].key != target_key(SLICE("opt_0")));
    redisReply *stream = server_do(&server, "XRANGE rep:{email} - +");
    assert_int_equal(stream->elements, 250);
    assert_report(stream->element[249],
                  "task tsk_250 delivery 1 op outcome outcome delivered agent bench-robot");
    freeReplyObject(stream);
}

static void a_robot_that_only_pops_says_nothing(void **state)
{
    struct world *world = *state;

    put_email(1, 1000, 1000);
    open_with_robot(world, CONSUME_POP);
    await_pops(world, 1);
    close_consumers(world);
    assert_int_equal(server_number(&server, "EXISTS rep:{email}"), 0);
}

static void an_e_mail_of_the_moment_of_its_opt_in_is_told_from_a_later_one(void **state)
{
    struct world *world = *state;

    put_email(1, 1000, 1000);
    put_email(2, 1000, 1001);
    open_with_robot(world, CONSUME_POP);
    await_pops(world, 2);
    assert_true(world->pops[0].immediate);
    assert_false(world->pops[1].immediate);
}

static void what_a_visitor_said_makes_no_e_mail_immediate(void **state)
{
    (void)state;
    assert_false(
        task_is_immediate(SLICE("{\"context\":{\"fields\":{\"not_before_ms\":5}},\"received_ms\":5,"
                                "\"deadline_ms\":9,\"not_before_ms\":6,\"report\":\"r\"}")));
    assert_false(task_is_immediate(SLICE("{\"received_ms\":5}")));
}

/* What stands there waits until somebody takes it, so at once a robot would be busy with each. */
static void e_mails_that_come_one_by_one_are_taken_together(void **state)
{
    struct world *world = *state;

    open_with_robot(world, CONSUME_POP);
    for (int n = 1; n <= 500; n++)
        put_email(n, 1000, 1000);
    await_pops(world, 500);
    size_t moments = 1;
    for (size_t i = 1; i < world->count; i++)
        moments += world->pops[i].popped_ns != world->pops[i - 1].popped_ns;
    assert_in_range(moments, 5, 250);
}

static void without_consumers_there_is_no_robot_and_without_e_mails_either(void **state)
{
    struct world *world = *state;

    put_email(1, 1000, 1000);
    world->options.consumers = 0;
    open_with_robot(world, CONSUME_REPORT);
    loop_for(&world->loop, 20);
    close_consumers(world);
    world->options.consumers = 1;
    world->target.emails[0] = '\0';
    open_consumers(world);
    loop_for(&world->loop, 20);
    assert_int_equal(server_number(&server, "ZCARD hl:{acme.email}:tasks"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_task_is_claimed_and_ended_with_a_conversation),
        cmocka_unit_test(what_a_visitor_said_does_not_lead_a_report_astray),
        cmocka_unit_test(a_cut_task_is_no_task),
        TEST(a_refused_report_is_counted),
        TEST(the_robot_takes_e_mails_and_says_that_they_were_sent),
        TEST(a_robot_that_only_pops_says_nothing),
        TEST(an_e_mail_of_the_moment_of_its_opt_in_is_told_from_a_later_one),
        cmocka_unit_test(what_a_visitor_said_makes_no_e_mail_immediate),
        TEST(e_mails_that_come_one_by_one_are_taken_together),
        TEST(without_consumers_there_is_no_robot_and_without_e_mails_either),
    };
    return cmocka_run_group_tests(tests, start_redis, end_redis);
}
