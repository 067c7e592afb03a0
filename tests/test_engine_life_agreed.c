/* Times that were agreed with a person, and what happens beside them. */
#include "server/render.h"
#include "tests/one_life.h"

static void an_open_call_of_a_step_does_not_swallow_the_appointment(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + 2 * DAY - 2 * HOUR; /* day 2, 15:13 */
    struct task_row call;

    (void)unused;
    world.call_at_ms = agreed_ms;
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    world_live(&world, agreed_ms); /* the step's call is open since 10:00 */
    call = open_call();
    assert_int_equal(call.kind, TASK_AGREED);
    assert_int_equal(call.deadline_ms, agreed_ms + 5 * MINUTE);
}

static void a_step_call_without_answer_leaves_the_appointment(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + 4 * DAY;

    (void)unused;
    world.call_at_ms = agreed_ms;
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    world_live(&world, WORLD_START_MS + 2 * DAY - 5 * HOUR); /* day 2, 12:13 */
    report(open_call().number, OUTCOME_NO_ANSWER);
    world_live(&world, agreed_ms);
    assert_int_equal(open_call().kind, TASK_AGREED);
}

static void a_fresh_optin_leaves_the_appointment(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + 1 * DAY, task;

    (void)unused;
    world.call_at_ms = agreed_ms;
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    world.now_ms += HOUR;
    task = opt_in("two");
    report(task, OUTCOME_NO_ANSWER);
    assert_true(person().call_why == CALL_AGREED || open_call().kind == TASK_AGREED);
}

static void a_time_that_never_comes_is_not_agreed(void **unused)
{
    (void)unused;
    world.call_at_ms = UINT64_MAX;
    report(opt_in("one"), OUTCOME_NOT_NOW);
    assert_true(person().call_ms < WORLD_START_MS + 3650 * DAY);
}

/* "In ten minutes", told again when the first attempt to tell it has failed. */
static void a_time_that_has_passed_by_the_time_it_is_told_is_now(void **unused)
{
    (void)unused;
    uint64_t task = opt_in("one");
    world.now_ms += 20 * MINUTE;
    world.call_at_ms = world.now_ms - 1000;
    report(task, OUTCOME_APPOINTMENT);
    world_live(&world, world.now_ms);
    assert_int_equal(open_call().kind, TASK_AGREED);
}

static void nothing_was_agreed_before_there_was_a_task(void **unused)
{
    (void)unused;
    uint64_t task = opt_in("one");
    world.now_ms += 20 * MINUTE;
    world.call_at_ms = world.now_ms / 1000; /* in seconds */
    report(task, OUTCOME_APPOINTMENT);
    assert_int_equal(person().call_why, CALL_WAKE);
}

/* Its call is at hand when the time comes, and nobody answers: that was the appointment. */
static void a_call_in_hand_is_the_agreed_one(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + 2 * DAY - 2 * HOUR;
    struct task_row call;

    (void)unused;
    world.call_at_ms = agreed_ms;
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    world_live(&world, agreed_ms - MINUTE);
    call = open_call();
    assert_int_equal(world_report(&world, call.number, call.delivery, REPORT_CLAIM, 0, "a1"),
                     STATUS_OK);
    world_live(&world, agreed_ms);
    assert_int_equal(open_call().state, TASK_CLAIMED);
    assert_int_equal(open_call().delivery, call.delivery);
    assert_int_equal(open_call().kind, TASK_AGREED);
}

static bool shows_a_phone(const struct task_row *call)
{
    static char bytes[TASK_BYTES_MAX + 1];
    static struct optin optin;
    struct text out = text_over(bytes, TASK_BYTES_MAX);
    struct renderer renderer = {.registry = recovery_registry(world.recovery),
                                .id_key = recovery_id_key(world.recovery),
                                .node = "n1",
                                .prefix = "hl",
                                .optin = &optin};

    assert_int_equal(journal_reader_open(recovery_journal(world.recovery), &renderer.reader),
                     STATUS_OK);
    assert_int_equal(render_member(&renderer, 1, person().first_ms, call, &out), STATUS_OK);
    journal_reader_close(renderer.reader);
    bytes[out.length] = '\0';
    return strstr(bytes, "\"phone\":null") == NULL;
}

static void agrees(uint64_t task, uint64_t at_ms)
{
    world.call_at_ms = at_ms;
    report(task, OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    assert_int_equal(person().call_why, CALL_AGREED);
    assert_int_equal(person().call_ms, at_ms);
}

static void a_time_is_agreed_with_who_has_no_phone(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;
    struct task_row call;

    (void)unused;
    agrees(opt_in_as(NULL, EMAIL, "one", 0), agreed_ms);
    world_live(&world, agreed_ms);
    call = open_call();
    assert_int_equal(call.kind, TASK_AGREED);
    assert_int_equal(call.deadline_ms, agreed_ms + 5 * MINUTE);
    assert_false(shows_a_phone(&call));
}

static void the_number_that_comes_before_the_agreed_time_is_called(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;
    struct task_row call;

    (void)unused;
    agrees(opt_in_as(NULL, EMAIL, "one", 0), agreed_ms);
    world.now_ms += HOUR;
    report(opt_in("two"), OUTCOME_NO_ANSWER);
    world_live(&world, agreed_ms);
    call = open_call();
    assert_int_equal(call.kind, TASK_AGREED);
    assert_true(shows_a_phone(&call));
}

/* Somebody found another way to talk to them. */
static void a_time_is_agreed_with_whose_number_was_wrong(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;
    struct task_row call;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    world.now_ms += HOUR;
    agrees(opt_in_as(NULL, EMAIL, "two", 0), agreed_ms);
    world_live(&world, agreed_ms);
    call = open_call();
    assert_int_equal(call.kind, TASK_AGREED);
    assert_false(shows_a_phone(&call));
}

/* They opted in once more, and that call is open still. */
static void without_a_phone_the_open_call_is_the_agreed_one_too(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY, task;
    struct person_row row;

    (void)unused;
    agrees(opt_in_as(NULL, EMAIL, "one", 0), agreed_ms);
    world.now_ms = agreed_ms - MINUTE;
    task = opt_in_as(NULL, EMAIL, "two", 0);
    world_live(&world, agreed_ms);
    row = person();
    assert_int_equal(open_call().number, task);
    assert_int_equal(row.call_why, CALL_NOT);
    assert_int_equal(world.steps[world.step_count - 1].effect.task, task);
}

/* Of both promises the one that can still be kept says how soon. */
static void a_first_response_that_comes_back_is_ranked_by_the_agreed_time(void **unused)
{
    static const struct {
        uint64_t agreed, back, rank; /* minutes */
    } cases[] = {
        {10, 12, 15},           /* its own deadline is over, the agreed one is not */
        {2, 3, 5},              /* neither is */
        {10, 16, 16 + 24 * 60}, /* both are */
    };

    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t start_ms = world.now_ms, task = opt_in("one");
        world.call_at_ms = start_ms + cases[i].agreed * MINUTE;
        report(world.steps[0].effect.task, OUTCOME_APPOINTMENT);
        world.call_at_ms = 0;
        assert_int_equal(world_report(&world, task, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
        world_live(&world, start_ms + cases[i].back * MINUTE);
        assert_int_equal(open_call().state, TASK_CLAIMED);
        assert_int_equal(world_report(&world, task, 1, REPORT_RELEASE, 0, "a1"), STATUS_OK);
        assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
        assert_int_equal(open_call().rank_ms, start_ms + cases[i].rank * MINUTE);
        tear_down(NULL);
        set_up(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(an_open_call_of_a_step_does_not_swallow_the_appointment),
        LIFE(a_step_call_without_answer_leaves_the_appointment),
        LIFE(a_fresh_optin_leaves_the_appointment),
        LIFE(a_time_that_never_comes_is_not_agreed),
        LIFE(a_time_that_has_passed_by_the_time_it_is_told_is_now),
        LIFE(nothing_was_agreed_before_there_was_a_task),
        LIFE(a_call_in_hand_is_the_agreed_one),
        LIFE(a_time_is_agreed_with_who_has_no_phone),
        LIFE(the_number_that_comes_before_the_agreed_time_is_called),
        LIFE(a_time_is_agreed_with_whose_number_was_wrong),
        LIFE(without_a_phone_the_open_call_is_the_agreed_one_too),
        LIFE(a_first_response_that_comes_back_is_ranked_by_the_agreed_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
