/* One run against a server that fails on purpose. What a sound server is, test_bench_rig and
 * tests/e2e/test_bench.py know. */
#include "bench/interrupt.h"
#include "faulty_server.h"

static void what_was_sent_came_out_and_was_timed(void **state)
{
    struct world *world = *state;
    const struct result *result = &world->result;

    run(world);
    assert_int_equal(result->intended, 100);
    assert_int_equal(result->sent, 100);
    assert_int_equal(result->acked, 100);
    assert_int_equal(result->failed, 0);
    assert_int_equal(result->popped, 100);
    assert_int_equal(result->lost + result->doubled + result->unclaimed + result->strange, 0);
    assert_int_equal(hist_count(result->latency[RESULT_LEAD]), 100);
    assert_int_equal(hist_count(result->latency[RESULT_ACK]), 100);
    assert_int_equal(hist_count(result->latency[RESULT_ACK_RAW]), 100);
    assert_int_equal(hist_count(result->latency[RESULT_AFTER_ACK]), 100);
    assert_int_equal(result->answer_count, 1);
    assert_int_equal(result->answers[0].status, 201);
    assert_int_equal(result->answers[0].count, 100);
    assert_true(hist_max_ns(result->latency[RESULT_ACK]) >=
                hist_max_ns(result->latency[RESULT_ACK_RAW]));
    assert_true(result->duration_s >= 0.05);
    assert_string_equal(result->arrivals, "constant");
    assert_check(world, LOST, true);
    assert_check(world, DOUBLED, true);
    assert_check(world, OURS, true);
    assert_check(world, YES, true);
}

static void a_lost_task_is_counted(void **state)
{
    struct world *world = *state;

    faulty.faults.lose = 20;
    run(world);
    assert_int_equal(world->result.lost, 5);
    assert_int_equal(world->result.popped, 95);
    assert_check(world, LOST, false);
    assert_check(world, DOUBLED, true);
}

static void a_doubled_task_is_counted(void **state)
{
    struct world *world = *state;

    faulty.faults.redo = 25;
    run(world);
    assert_int_equal(world->result.doubled, 4);
    assert_int_equal(world->result.popped, 100);
    assert_check(world, DOUBLED, false);
    assert_check(world, LOST, true);
}

static void a_redelivery_is_told_apart_from_a_double(void **state)
{
    struct world *world = *state;

    faulty.faults.redeliver = 50;
    run(world);
    assert_int_equal(world->result.redelivered, 2);
    assert_int_equal(world->result.doubled, 0);
}

static void a_refusal_is_no_acknowledgement(void **state)
{
    struct world *world = *state;

    faulty.faults.refuse = 10;
    run(world);
    assert_int_equal(world->result.acked, 90);
    assert_int_equal(world->result.failed, 10);
    assert_int_equal(world->result.lost, 0);
    assert_int_equal(world->result.answers[1].status, 503);
    assert_int_equal(world->result.answers[1].count, 10);
    assert_check(world, YES, false);
    assert_check(world, LOST, true);
}

static void an_opt_in_whose_answer_was_lost_is_neither_lost_nor_strange(void **state)
{
    struct world *world = *state;

    faulty.faults.hang_up = 20;
    run(world);
    assert_int_equal(world->result.failed, 5);
    assert_int_equal(world->result.unclaimed, 5);
    assert_int_equal(world->result.lost, 0);
    assert_check(world, OURS, true);
    assert_check(world, YES, false);
}

static void a_request_that_came_to_nothing_is_just_a_failure(void **state)
{
    struct world *world = *state;

    faulty.faults.forget = 20;
    run(world);
    assert_int_equal(world->result.failed, 5);
    assert_int_equal(world->result.unclaimed, 0);
    assert_int_equal(world->result.lost, 0);
}

static void a_task_that_nobody_sent_is_not_of_this_run(void **state)
{
    struct world *world = *state;

    faulty.faults.foreign = 50;
    run(world);
    assert_int_equal(world->result.unclaimed, 2);
    assert_check(world, OURS, false);
}

static void who_is_given_no_task_is_not_lost_but_told(void **state)
{
    struct world *world = *state;

    faulty.faults.taskless = 50;
    run(world);
    assert_int_equal(world->result.lost, 0);
    assert_int_equal(world->result.popped, 98);
    assert_check(world, "every new opt-in is given a task", false);
}

static void an_id_that_is_known_already_is_a_duplicate(void **state)
{
    struct world *world = *state;

    faulty.faults.replay = 10;
    run(world);
    assert_int_equal(world->result.acked, 100);
    assert_int_equal(world->result.duplicates, 10);
    assert_int_equal(world->result.lost, 0);
    assert_int_equal(world->result.popped, 90);
}

static void the_warm_up_is_in_the_ledger_and_not_in_the_figures(void **state)
{
    struct world *world = *state;

    world->options.warmup_s = 0.05;
    world->options.connections = 1; /* requests arrive in order: five are lost of either half */
    world->options.people.first = 1000;
    faulty.faults.lose = 20;
    run(world);
    assert_int_equal(world->result.next_optin, 1200); /* both halves are used up */
    assert_int_equal(world->result.intended, 100);
    assert_int_equal(world->result.acked, 100);
    assert_int_equal(world->result.popped, 95);
    assert_int_equal(hist_count(world->result.latency[RESULT_ACK]), 100);
    assert_int_equal(world->result.lost, 10); /* of both halves */
}

static void reports_are_sent_for_each_task(void **state)
{
    struct world *world = *state;

    world->options.mode = CONSUME_REPORT;
    run(world);
    assert_int_equal(server_number(&redis, "XLEN rep"), 200);
    assert_string_equal(world->result.consumer_mode, "report");
}

static void reports_are_waited_for_no_longer_than_tasks(void **state)
{
    struct world *world = *state;

    strcpy(world->target.token, "tk_x");
    world->options.mode = CONSUME_REPORT;
    uint64_t start_ns = uv_hrtime();
    run(world);
    double took_s = (double)(uv_hrtime() - start_ns) / 1e9;
    assert_int_equal(world->result.popped, 100);
    assert_true(faulty.metrics_read > 2); /* before, and after again and again */
    if (took_s > 3)
        fail_msg("it took %.1f s, with a drain of %.1f s", took_s, world->options.drain_s);
}

static void a_backlog_is_left_alone_and_not_lost(void **state)
{
    struct world *world = *state;

    world->options.mode = CONSUME_NOTHING;
    run(world);
    assert_int_equal(world->result.lost, 0);
    assert_int_equal(world->result.popped, 0);
    assert_int_equal(server_number(&redis, "ZCARD tasks"), 100);
}

static void e_mails_are_taken_and_counted_apart(void **state)
{
    struct world *world = *state;

    faulty.faults.email = 1;
    strcpy(world->target.emails, "acme.email");
    world->options.mode = CONSUME_REPORT;
    run(world);
    assert_int_equal(world->result.popped, 100);
    assert_int_equal(world->result.emails_popped, 100);
    assert_int_equal(world->result.emails_reported, 100);
    assert_int_equal(world->result.emails_doubled, 0);
    assert_int_equal(hist_count(world->result.latency[RESULT_LEAD]), 100);
    assert_int_equal(world->result.seconds[0].popped, 100);
    assert_int_equal(server_number(&redis, "ZCARD hl:{acme.email}:tasks"), 0);
    assert_int_equal(server_number(&redis, "XLEN sent"), 100);
    assert_check(world, DOUBLED, true);
}

static void a_doubled_e_mail_is_counted_and_a_later_one_is_none(void **state)
{
    struct world *world = *state;

    faulty.faults.email = 1;
    faulty.faults.redo_email = 25;
    strcpy(world->target.emails, "acme.email");
    run(world);
    assert_int_equal(world->result.emails_popped, 108);
    assert_int_equal(world->result.emails_doubled, 4);
    assert_int_equal(world->result.emails_reported, 0);
    assert_int_equal(world->result.doubled, 0);
    assert_check(world, DOUBLED, false);
}

/* A hundred are taken; the server says how many it has open. */
static void take_emails_of(struct world *world, unsigned open)
{
    faulty.faults.email = 1;
    faulty.emails_open = open;
    strcpy(world->target.emails, "acme.email");
    strcpy(world->target.token, "tk_x");
    world->target.server.pid = getpid(); /* as of a rig: its counts are of this run alone */
    run(world);
}

static void e_mails_that_were_taken_and_not_reported_are_open_and_not_lost(void **state)
{
    take_emails_of(*state, 100);
    assert_check(*state, "no e-mail is lost", true);
}

static void an_e_mail_that_is_open_and_never_came_out_is_lost(void **state)
{
    take_emails_of(*state, 101);
    assert_check(*state, "no e-mail is lost", false);
}

static void an_e_mail_that_was_reported_and_is_open_is_lost(void **state)
{
    struct world *world = *state;

    world->options.mode = CONSUME_REPORT;
    take_emails_of(world, 1);
    assert_check(world, "no e-mail is lost", false);
}

static void *put_late_emails(void *argument)
{
    redisContext *context = redisConnectUnix(redis.socket);

    (void)argument;
    usleep(300000);
    put_email(context, 1, 1000);
    usleep(400000);
    put_email(context, 3, 1000);
    redisFree(context);
    return NULL;
}

/* Half of them have theirs, so the others' may be on its way. */
static void a_run_waits_for_its_last_e_mails(void **state)
{
    struct world *world = *state;
    pthread_t thread;

    faulty.faults.email = 2;
    world->options.drain_s = 3;
    strcpy(world->target.emails, "acme.email");
    MUST(pthread_create(&thread, NULL, put_late_emails, NULL) == 0);
    run(world);
    pthread_join(thread, NULL);
    assert_int_equal(world->result.emails_popped, 52);
    assert_int_equal(world->result.emails_doubled, 0);
}

static void a_closed_loop_has_no_schedule_to_keep(void **state)
{
    struct world *world = *state;

    world->options.rate = 0;
    run(world);
    assert_string_equal(world->result.arrivals, "closed");
    assert_true(world->result.acked > 0);
    assert_int_equal(world->result.sent, world->result.acked);
    assert_int_equal(world->result.popped, world->result.acked);
}

/* The self-test of honesty: the server stands still for a second. Whoever times from the sending
 * sees as many slow answers as there are connections; all the others that were due meanwhile have
 * not been sent, and are not missed. */
static void a_stall_is_charged_for_all_that_was_due_meanwhile(void **state)
{
    struct world *world = *state;
    const struct hist *ack = world->result.latency[RESULT_ACK];
    const struct hist *raw = world->result.latency[RESULT_ACK_RAW];

    world->options.rate = 1000;
    world->options.duration_s = 1.5;
    world->options.drain_s = 2;
    faulty.faults.stall_at = 300;
    run(world);
    assert_int_equal(world->result.acked, 1500);
    assert_int_equal(world->result.lost, 0);
    if (hist_at(ack, 99.9) < 800000000)
        fail_msg("corrected p99.9 is %.0f ms", (double)hist_at(ack, 99.9) / 1e6);
    assert_false(world->result.bench_was_the_limit);
    if (hist_at(ack, 50) < 100000000)
        fail_msg("corrected p50 is %.0f ms", (double)hist_at(ack, 50) / 1e6);
    /* The four connections: the 1,496 other ones look well. */
    if (hist_at(raw, 99) > 400000000)
        fail_msg("raw p99 is %.0f ms", (double)hist_at(raw, 99) / 1e6);
    uint64_t slow = 0, ns = 0, count = 0;
    for (size_t place = 0; hist_next(raw, &place, &ns, &count);)
        slow += ns > 400000000 ? count : 0;
    assert_in_range(slow, 1, world->options.connections);
}

static void hold_up(void *owner, unsigned second)
{
    (void)owner;
    if (second == 0)
        usleep(300000);
}

static void a_sender_that_was_held_up_is_to_blame(void **state)
{
    struct world *world = *state;

    world->options.rate = 500;
    world->options.duration_s = 1.5;
    world->options.on_second = hold_up;
    run(world);
    assert_true(world->result.bench_was_the_limit);
    assert_non_null(strstr(world->result.limit_why, "the sender was late"));
    assert_true(result_is_sound(&world->result));
}

/* A second of a thousand, all of them sent within `took_s`, by a sender without a moment to spare.
 */
static bool was_the_limit(struct world *world, double took_s)
{
    struct run run = {.options = &world->options,
                      .target = &world->target,
                      .result = &world->result,
                      .ledger = ledger_open(1),
                      .late = hist_open(),
                      .measure_ns = NS_PER_S,
                      .last_sent_ns = NS_PER_S + (uint64_t)(took_s * 1e9),
                      .load_counts = {.intended = 1000, .sent = 1000, .answered = 1000}};

    world->options.rate = 1000;
    world->options.duration_s = 1;
    run.load_counts.busy_ns = run.load_counts.elapsed_ns = run.last_sent_ns;
    run_finish(&run);
    ledger_close(run.ledger);
    hist_close(run.late);
    return world->result.bench_was_the_limit;
}

static void a_busy_sender_is_no_limit_when_all_it_sent_was_refused(void **state)
{
    struct world *world = *state;

    assert_false(was_the_limit(world, 1));
    assert_int_equal(world->result.acked, 0);
    assert_non_null(strstr(world->result.limit_why, "the sender kept up"));
}

static void a_busy_sender_that_needed_longer_is_the_limit(void **state)
{
    assert_true(was_the_limit(*state, 1.1));
}

static bool *ticked;

static void on_second(void *owner, unsigned second)
{
    (void)owner;
    ticked[second] = true;
}

static void each_second_has_its_row(void **state)
{
    struct world *world = *state;
    bool ticks[8] = {false};
    uint64_t intended = 0, acked = 0, popped = 0;

    ticked = ticks;
    world->options.duration_s = 1.2;
    world->options.rate = 200;
    world->options.on_second = on_second;
    run(world);
    assert_int_equal(world->result.second_count, 2);
    for (unsigned i = 0; i < world->result.second_count; i++) {
        assert_int_equal(world->result.seconds[i].second, i);
        intended += world->result.seconds[i].intended;
        acked += world->result.seconds[i].acked;
        popped += world->result.seconds[i].popped;
    }
    assert_in_range(world->result.seconds[0].intended, 190, 210);
    assert_int_equal(intended, 240);
    assert_int_equal(acked, 240);
    assert_int_equal(popped, 240);
    assert_true(ticks[0]);
    assert_true(world->result.seconds[0].ack_p99_ns > 0);
}

static void ctrl_c_ends_the_sending_and_keeps_the_rest(void **state)
{
    struct world *world = *state;
    pthread_t thread;

    world->options.rate = 500;
    world->options.duration_s = 30;
    MUST(pthread_create(&thread, NULL, interrupt_soon, NULL) == 0);
    run(world);
    pthread_join(thread, NULL);
    assert_in_range(world->result.acked, 45, 10000);
    assert_int_equal(world->result.lost, 0);
    assert_int_equal(world->result.failed, 0);
    assert_true(world->result.duration_s < 10);
    assert_non_null(strstr(world->result.limit_why, "Ctrl-C"));
    assert_true(world->result.interrupted);
}

static void a_server_that_is_not_there_is_said(void **state)
{
    struct world *world = *state;

    world->target.port = 1;
    assert_status(run_once(&world->options, &world->target, world->talk, &world->result),
                  STATUS_BUSY);
    fflush(world->talk);
    assert_non_null(strstr(world->talk_text, "no server at 127.0.0.1 port 1"));
}

static void a_redis_that_is_not_there_is_said(void **state)
{
    struct world *world = *state;

    strcpy(world->target.redis_url, "unix:///nowhere/s");
    assert_status(run_once(&world->options, &world->target, world->talk, &world->result),
                  STATUS_BUSY);
    fflush(world->talk);
    assert_non_null(strstr(world->talk_text, "no Redis at unix:///nowhere/s"));
}

static void progress_is_a_plain_line_where_there_is_no_terminal(void **state)
{
    struct world *world = *state;
    char *text = NULL;
    size_t length = 0;

    world->options.progress = open_memstream(&text, &length);
    run(world);
    fclose(world->options.progress);
    assert_null(strchr(text, '\r'));
    free(text);
}

static void what_the_warm_up_left_is_counted_where_it_was_worked_off(void **state)
{
    struct world *world = *state;

    faulty.faults.stall_at = 1; /* a second: all of the warm-up is answered behind it */
    world->options.rate = 200;
    world->options.warmup_s = 0.5;
    world->options.duration_s = 1;
    world->options.connections = 1;
    run(world);
    assert_int_equal(world->result.acked, 200);
    assert_int_equal(world->result.acked_meanwhile, 300);
}

/* The last test: it stays true of this program that it was interrupted. */
static void ctrl_c_before_a_run_listens_ends_its_sending_too(void **state)
{
    struct world *world = *state;

    interrupt_watch();
    kill(getpid(), SIGINT);
    while (!interrupt_came())
        usleep(1000);
    world->options.rate = 500;
    world->options.duration_s = 5;
    run(world);
    assert_true(world->result.interrupted);
    assert_true(world->result.intended < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sent_came_out_and_was_timed),
        TEST(a_lost_task_is_counted),
        TEST(a_doubled_task_is_counted),
        TEST(a_redelivery_is_told_apart_from_a_double),
        TEST(a_refusal_is_no_acknowledgement),
        TEST(an_opt_in_whose_answer_was_lost_is_neither_lost_nor_strange),
        TEST(a_request_that_came_to_nothing_is_just_a_failure),
        TEST(a_task_that_nobody_sent_is_not_of_this_run),
        TEST(who_is_given_no_task_is_not_lost_but_told),
        TEST(an_id_that_is_known_already_is_a_duplicate),
        TEST(the_warm_up_is_in_the_ledger_and_not_in_the_figures),
        TEST(reports_are_sent_for_each_task),
        TEST(reports_are_waited_for_no_longer_than_tasks),
        TEST(a_backlog_is_left_alone_and_not_lost),
        TEST(e_mails_are_taken_and_counted_apart),
        TEST(a_doubled_e_mail_is_counted_and_a_later_one_is_none),
        TEST(e_mails_that_were_taken_and_not_reported_are_open_and_not_lost),
        TEST(an_e_mail_that_is_open_and_never_came_out_is_lost),
        TEST(an_e_mail_that_was_reported_and_is_open_is_lost),
        TEST(a_run_waits_for_its_last_e_mails),
        TEST(a_closed_loop_has_no_schedule_to_keep),
        TEST(a_stall_is_charged_for_all_that_was_due_meanwhile),
        TEST(a_sender_that_was_held_up_is_to_blame),
        TEST(a_busy_sender_is_no_limit_when_all_it_sent_was_refused),
        TEST(a_busy_sender_that_needed_longer_is_the_limit),
        TEST(each_second_has_its_row),
        TEST(ctrl_c_ends_the_sending_and_keeps_the_rest),
        TEST(a_server_that_is_not_there_is_said),
        TEST(a_redis_that_is_not_there_is_said),
        TEST(what_the_warm_up_left_is_counted_where_it_was_worked_off),
        TEST(progress_is_a_plain_line_where_there_is_no_terminal),
        TEST(ctrl_c_before_a_run_listens_ends_its_sending_too),
    };
    return cmocka_run_group_tests(tests, start_redis, end_redis);
}
