/* Where a task came from is kept in memory for the newest: the journal has the last word. */
#include "proto/must.h"
#include "tests/engine_tasks.h"

static enum status claim(uint64_t task)
{
    return world_report(&world, task, 1, REPORT_CLAIM, 0, "a1");
}

/* Applied and never committed, as when the disk is full. */
static uint64_t give_up_a_task(void)
{
    struct record_view view;
    struct effect_task effect = {.person = 1};
    uint64_t seq = state_meta(world.state)->folded_seq + 1;

    assert_status(state_commit(world.state), STATUS_OK); /* no young row gets lost */
    effect.row = (struct task_row){.number = seq << 3,
                                   .opened_ms = world.now_ms,
                                   .received_ms = world.now_ms,
                                   .queue = world.queue,
                                   .delivery = 1,
                                   .state = TASK_QUEUED};
    record_begin(&world.record, RECORD_OPTIN, world.now_ms, world.agency);
    world.record.header.seq = seq;
    world.record.header.person = 1;
    MUST(record_effect(&world.record, EFFECT_TASK, &effect, sizeof(effect)));
    record_seal(&world.record);
    record_view_of(&world.record, &view);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    state_abort(world.state);
    return seq << 3;
}

static void task_of_a_record_that_was_given_up_is_not_there(void **unused)
{
    uint64_t task;

    (void)unused;
    fresh_task("+12155550147");
    task = give_up_a_task();
    assert_status(claim(task), STATUS_NOT_FOUND);
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.more\",\"agency\":\"acme\"}");
    assert_int_equal(state_meta(world.state)->folded_seq, task >> 3);
    assert_status(claim(task), STATUS_NOT_FOUND);
}

static void the_record_that_came_instead_says_whose_task_it_is(void **unused)
{
    uint64_t given_up, task;

    (void)unused;
    fresh_task("+12155550147");
    given_up = give_up_a_task();
    task = fresh_task("+12155550148");
    assert_int_equal(task, given_up);
    assert_status(claim(task), STATUS_OK);
    struct task_row row;
    assert_true(world_task(&world, 2, task, &row));
    assert_int_equal(row.state, TASK_CLAIMED);
}

/* More tasks than are kept, told of in the order in which they came and the other way round. */
static void tasks_that_are_not_kept_any_more_are_found_in_the_journal(void **unused)
{
    enum { TASKS = 4200 };
    static uint64_t tasks[TASKS];

    (void)unused;
    for (unsigned i = 0; i < TASKS; i++) {
        char phone[16];
        snprintf(phone, sizeof(phone), "+1215556%04u", i);
        tasks[i] = fresh_task(phone);
        world_forget_operations(&world);
    }
    for (unsigned i = 0; i < TASKS; i += 700) {
        assert_status(claim(tasks[i]), STATUS_OK);
        assert_status(claim(tasks[TASKS - 1 - i]), STATUS_OK);
        assert_status(claim(tasks[i] + 1), STATUS_NOT_FOUND);
        world_forget_operations(&world);
    }
    assert_status(claim(0), STATUS_NOT_FOUND);
}

static void a_start_knows_them_from_the_journal(void **unused)
{
    uint64_t task = fresh_task("+12155550147");

    (void)unused;
    world_reopen(&world, true, false);
    assert_status(claim(task), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(task_of_a_record_that_was_given_up_is_not_there),
        TEST(the_record_that_came_instead_says_whose_task_it_is),
        TEST(tasks_that_are_not_kept_any_more_are_found_in_the_journal),
        TEST(a_start_knows_them_from_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
