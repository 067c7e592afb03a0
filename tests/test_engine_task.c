/* The engine on tasks: claims, leases, pops, deadlines, and what stands in a queue. */
#include "tests/engine_tasks.h"

static void claim_said_again_by_its_holder_changes_nothing(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    assert_int_equal(world_report(&world, number, 1, REPORT_CLAIM, 0, "a1"), STATUS_DUPLICATE);
    assert_int_equal(world.records, 0);
}

static void extend_of_a_task_that_still_stands_in_its_queue_takes_it_out(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(world_report(&world, number, 1, REPORT_EXTEND, 0, "a1"), STATUS_OK);
    assert_last_operations(OUTBOX_PUT, OUTBOX_DROP);
}

static void first_claim_wins(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world.now_ms += MINUTE;
    assert_int_equal(world_report(&world, number, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    assert_int_equal(world.settlement.waited_ms, MINUTE);
    assert_int_equal(world_report(&world, number, 1, REPORT_CLAIM, 0, "a2"), STATUS_CONFLICT);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.state, TASK_CLAIMED);
    assert_int_equal(task.lease_until_ms, world.now_ms + 30 * MINUTE);
    assert_int_equal(world_visible(&world, world.queue), 0);
}

static void an_hour_unpopped_stays_delivery_one(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_pass(&world, HOUR);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 1);
}

static void breach_happens_once_and_ranks_behind(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(made_by_passing(299999, RECORD_BREACH), 0);
    assert_int_equal(made_by_passing(1, RECORD_BREACH), 1);
    assert_int_equal(made_by_passing(7 * DAY, RECORD_BREACH), 0);
    assert_true(world_task(&world, 1, number, &task));
    assert_true(task.flags & TASK_BREACHED);
    assert_int_equal(task.rank_ms, WORLD_START_MS + 300000 + DAY);
    assert_int_equal(task.delivery, 1);
    assert_int_equal(state_meta(world.state)->breaches, 1);
    assert_last_operations(OUTBOX_PUT, OUTBOX_PUT);
    /* The second put only moves what the first one put, if that is still there. */
    assert_int_equal(task.put_seq, 2);
    assert_int_equal(task.first_put_seq, 1);
}

static void breach_that_passed_while_down_fires_once(void **unused)
{
    (void)unused;
    fresh_task("+12155550147");
    world_reopen(&world, false, false);
    assert_int_equal(made_by_passing(7 * DAY, RECORD_BREACH), 1);
    world_reopen(&world, true, false);
    assert_int_equal(made_by_passing(DAY, RECORD_BREACH), 0);
    assert_int_equal(state_meta(world.state)->breaches, 1);
}

/* Most rows of due, visible and outbox are only in memory when a process dies. */
static void rows_that_a_crash_lost_are_made_again(void **unused)
{
    uint64_t called, popped;
    char phone[16], *before, *after;

    (void)unused;
    for (int i = 0; i < 5; i++) {
        snprintf(phone, sizeof(phone), "+1215555014%d", i);
        assert_int_equal(world_optin(&world, phone, NULL, NULL, phone, 0), STATUS_OK);
        world.now_ms += 1000;
    }
    called = world.settlement.optin.task;
    assert_int_equal(world_report(&world, called, 1, REPORT_CLAIM, 0, "ann"), STATUS_OK);
    assert_int_equal(world_report(&world, called, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "ann"),
                     STATUS_OK);
    assert_int_equal(world_popped(&world, 2), STATUS_OK);
    popped = fresh_task("+12155550199");
    assert_int_equal(world_report(&world, popped, 1, REPORT_RELEASE, 0, "ann"), STATUS_OK);
    assert_true(state_has_young(world.state));

    world_reopen(&world, false, false);
    assert_true(recovery_is_trusted(world.recovery));
    assert_int_equal(world_visible(&world, world.queue), 3);
    before = world_dump(&world);
    world_reopen(&world, true, true);
    after = world_dump(&world);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(made_by_passing(DAY, RECORD_BREACH), 5);
    assert_int_equal(world.made[RECORD_LEASE_ENDED], 2);
}

/* A breach moved it after the pop: it is looked for where it would stand now. */
static void pop_that_the_watch_cannot_see_is_reported(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(made_by_passing(5 * MINUTE, RECORD_BREACH), 1);
    assert_int_equal(world_report(&world, number, 2, REPORT_POPPED, 0, NULL), STATUS_CONFLICT);
    assert_int_equal(world_report(&world, number, 1, REPORT_POPPED, 0, NULL), STATUS_OK);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.state, TASK_POPPED);
    assert_int_equal(task.lease_until_ms, world.now_ms + 2 * MINUTE);
    assert_int_equal(world_visible(&world, world.queue), 0);
    assert_int_equal(made_by_passing(2 * MINUTE, RECORD_LEASE_ENDED), 1);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(world_report(&world, number, 1, REPORT_POPPED, 0, NULL), STATUS_CONFLICT);
    assert_int_equal(world_report(&world, number, 2, REPORT_CLAIM, 0, "ann"), STATUS_OK);
    assert_int_equal(world_report(&world, number, 2, REPORT_POPPED, 0, NULL), STATUS_DUPLICATE);
}

static void popped_and_silent_is_delivered_again(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(world_popped(&world, outbox_seq()), STATUS_OK);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.state, TASK_POPPED);
    assert_int_equal(world_visible(&world, world.queue), 0);
    world_forget_operations(&world);
    assert_int_equal(world_pass(&world, 2 * MINUTE), 1);
    assert_last_operations(OUTBOX_DROP, OUTBOX_PUT);
    assert_int_equal(world.operations[0].task.delivery, 1);
    assert_int_equal(world.operations[1].task.delivery, 2);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(task.state, TASK_QUEUED);
    assert_int_equal(task.rank_ms, task.deadline_ms);
}

static void put_that_was_not_pushed_is_not_popped(void **unused)
{
    (void)unused;
    fresh_task("+12155550147");
    assert_int_equal(world_popped(&world, outbox_seq() - 1), STATUS_DUPLICATE);
    assert_int_equal(world_visible(&world, world.queue), 1);
}

static void lease_of_what_was_popped_starts_when_that_was_seen(void **unused)
{
    struct command command = {.kind = COMMAND_POPPED, .now_ms = world.now_ms + 1000};
    uint64_t number = fresh_task("+12155550147");
    struct task_row task;

    (void)unused;
    command.popped =
        (struct command_popped){.queue = world.queue, .empty = true, .pushed_seq = outbox_seq()};
    world.now_ms += 8000;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.lease_until_ms, command.now_ms + 120000);
}

static void only_what_sorts_before_the_head_is_popped(void **unused)
{
    struct command command = {.kind = COMMAND_POPPED, .now_ms = world.now_ms};
    uint64_t first = fresh_task("+12155550147"), second;
    struct task_row task;

    (void)unused;
    world.now_ms += 1000;
    second = fresh_task("+12155550148");
    command.popped = (struct command_popped){
        .queue = world.queue, .rank_ms = world.now_ms + 300000, .pushed_seq = outbox_seq()};
    memcpy(command.popped.id, "tsk_00000000000000000000000000", 30);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_true(world_task(&world, 1, first, &task));
    assert_int_equal(task.state, TASK_POPPED);
    assert_true(world_task(&world, 2, second, &task));
    assert_int_equal(task.state, TASK_QUEUED);
}

static void many_pops_take_several_records(void **unused)
{
    char phone[16];

    (void)unused;
    for (unsigned i = 0; i < 150; i++) {
        snprintf(phone, sizeof(phone), "+1215555%04u", i);
        fresh_task(phone);
    }
    assert_int_equal(world_popped(&world, outbox_seq()), STATUS_OK);
    assert_int_equal(world.records, 3);
    assert_int_equal(world_visible(&world, world.queue), 0);
}

static void leased_at_the_deadline_breaches_only_when_the_lease_ends(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world.now_ms += 4 * MINUTE;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    assert_int_equal(world_pass(&world, 20 * MINUTE), 0);
    assert_int_equal(state_meta(world.state)->breaches, 0);
    assert_int_equal(made_by_passing(10 * MINUTE, RECORD_LEASE_ENDED), 1);
    assert_int_equal(state_meta(world.state)->breaches, 1);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(task.rank_ms, world.now_ms + DAY);
}

static void breaches_that_passed_while_down_keep_the_order_of_their_deadlines(void **unused)
{
    struct task_row task;
    uint64_t first = fresh_task("+12155550147"), second;

    (void)unused;
    world.now_ms += MINUTE;
    second = fresh_task("+12155550148");
    world_reopen(&world, false, false);
    assert_int_equal(made_by_passing(7 * DAY, RECORD_BREACH), 2);
    assert_true(world_task(&world, 1, first, &task));
    assert_int_equal(task.rank_ms, WORLD_START_MS + 5 * MINUTE + DAY);
    assert_true(world_task(&world, 2, second, &task));
    assert_int_equal(task.rank_ms, WORLD_START_MS + 6 * MINUTE + DAY);
}

static void a_lease_over_the_deadline_that_ended_while_down_is_a_breach_from_its_end(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    world_pass(&world, 7 * DAY);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.rank_ms, WORLD_START_MS + 30 * MINUTE + DAY);
    assert_int_equal(state_meta(world.state)->breaches, 1);
}

static void
a_lease_before_the_deadline_that_ended_while_down_breaches_at_the_deadline(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_popped(&world, outbox_seq()); /* leased for two minutes */
    world_pass(&world, 7 * DAY);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(task.rank_ms, WORLD_START_MS + 5 * MINUTE + DAY);
    assert_int_equal(state_meta(world.state)->breaches, 1);
}

static void outcome_during_a_lease_over_the_deadline_is_no_breach(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world.now_ms += 4 * MINUTE;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    world_pass(&world, 20 * MINUTE);
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a1");
    world_pass(&world, DAY);
    assert_int_equal(state_meta(world.state)->breaches, 0);
}

static void release_puts_the_task_back_with_the_next_delivery(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    assert_int_equal(world_report(&world, number, 1, REPORT_RELEASE, 0, "a2"), STATUS_CONFLICT);
    assert_int_equal(world_report(&world, number, 1, REPORT_RELEASE, 0, "a1"), STATUS_OK);
    assert_int_equal(world.settlement.delivery, 2);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.state, TASK_QUEUED);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(world_report(&world, number, 1, REPORT_RELEASE, 0, "a1"), STATUS_CONFLICT);
}

/* Who has just popped it may say so before the pop is noticed; nobody else has it either. */
static void release_and_extend_count_before_the_pop_is_noticed(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(world_report(&world, number, 1, REPORT_RELEASE, 0, "a1"), STATUS_OK);
    assert_int_equal(world_report(&world, number, 1, REPORT_EXTEND, 0, "a1"), STATUS_CONFLICT);
    assert_int_equal(world_report(&world, number, 2, REPORT_EXTEND, 0, "a1"), STATUS_OK);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.state, TASK_CLAIMED);
    assert_int_equal(world_visible(&world, world.queue), 0);
    assert_int_equal(world_report(&world, number, 2, REPORT_RELEASE, 0, "a2"), STATUS_CONFLICT);
}

static void extend_renews_the_lease(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    world_pass(&world, 20 * MINUTE);
    assert_int_equal(world_report(&world, number, 1, REPORT_EXTEND, 0, "a1"), STATUS_OK);
    world_pass(&world, 20 * MINUTE);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 1);
    world_pass(&world, 10 * MINUTE);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(world_report(&world, number, 1, REPORT_EXTEND, 0, "a1"), STATUS_CONFLICT);
}

static void list_queue_ranks_by_put_and_is_not_put_twice_at_breach(void **unused)
{
    struct task_row task;
    uint64_t number;

    (void)unused;
    world.queue = world_admin(&world, ENTITY_QUEUE,
                              "{\"id\":\"acme.list\",\"agency\":\"acme\",\"shape\":\"list\"}");
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"listed\",\"agency\":\"acme\",\"queue\":\"acme.list\"}");
    number = fresh_task("+12155550147");
    world_forget_operations(&world);
    assert_int_equal(made_by_passing(HOUR, RECORD_BREACH), 1);
    assert_int_equal(world.operation_count, 0);
    assert_true(world_task(&world, 1, number, &task));
    assert_true(task.flags & TASK_BREACHED);
    assert_int_equal(task.put_seq, 1);
}

static void drops_are_kept_for_an_hour_and_trimmed(void **unused)
{
    unsigned rows = 0;
    char *dump;

    (void)unused;
    for (unsigned i = 0; i < 10; i++) {
        world_report(&world, fresh_task("+12155550147"), 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER,
                     "a1");
        world.now_ms += HOUR;
    }
    dump = world_dump(&world);
    for (char *at = strstr(dump, "\ndropped"); at != NULL; at = strstr(at + 1, "\ndropped"))
        rows++;
    free(dump);
    assert_true(rows >= 1 && rows <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claim_said_again_by_its_holder_changes_nothing),
        TEST(extend_of_a_task_that_still_stands_in_its_queue_takes_it_out),
        TEST(first_claim_wins),
        TEST(an_hour_unpopped_stays_delivery_one),
        TEST(breach_happens_once_and_ranks_behind),
        TEST(breach_that_passed_while_down_fires_once),
        TEST(rows_that_a_crash_lost_are_made_again),
        TEST(pop_that_the_watch_cannot_see_is_reported),
        TEST(popped_and_silent_is_delivered_again),
        TEST(put_that_was_not_pushed_is_not_popped),
        TEST(lease_of_what_was_popped_starts_when_that_was_seen),
        TEST(only_what_sorts_before_the_head_is_popped),
        TEST(many_pops_take_several_records),
        TEST(leased_at_the_deadline_breaches_only_when_the_lease_ends),
        TEST(breaches_that_passed_while_down_keep_the_order_of_their_deadlines),
        TEST(a_lease_over_the_deadline_that_ended_while_down_is_a_breach_from_its_end),
        TEST(a_lease_before_the_deadline_that_ended_while_down_breaches_at_the_deadline),
        TEST(outcome_during_a_lease_over_the_deadline_is_no_breach),
        TEST(release_puts_the_task_back_with_the_next_delivery),
        TEST(release_and_extend_count_before_the_pop_is_noticed),
        TEST(extend_renews_the_lease),
        TEST(list_queue_ranks_by_put_and_is_not_put_twice_at_breach),
        TEST(drops_are_kept_for_an_hour_and_trimmed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
