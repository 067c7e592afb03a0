/* Who is out, who comes back, and who comes to an end. */
#include "tests/one_life.h"

static void a_list_does_not_take_up_who_said_never_again(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    world.now_ms += DAY;
    opt_in_as(PHONE, EMAIL, "list", INTAKE_IMPORTED);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().due_ms, 0);
}

static void a_list_of_who_said_never_again_comes_to_an_end(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    world.now_ms += DAY;
    opt_in_as(PHONE, EMAIL, "list", INTAKE_IMPORTED);
    world_live(&world, WORLD_START_MS + 800 * DAY);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 1000 * DAY);
    assert_int_equal(world.step_count, 0);
}

static void who_had_a_wrong_number_and_comes_again_is_called_again(void **unused)
{
    uint64_t task;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    world.now_ms += DAY;
    task = opt_in_as("+12155550199", EMAIL, "two", 0); /* the right one */
    assert_int_not_equal(task, 0);
    report(task, OUTCOME_NO_ANSWER);
    assert_int_not_equal(person().call_ms, 0);
}

static void who_unsubscribed_and_was_given_up_gets_no_mail_when_coming_back(void **unused)
{
    (void)unused;
    use_playbook(
        "outcomes:\\n  unsubscribed: {next: end, cadence: stop, final: legal, silences: email}\\n");
    opt_in("one");
    report(world.steps[0].effect.task, OUTCOME_UNSUBSCRIBED);
    world.now_ms += DAY;
    world_forget_steps(&world);
    opt_in("two");
    assert_true(person().silenced >> TASK_EMAIL & 1);
}

/* What was said of mail before stands by itself. */
static void a_consent_takes_back_no_more_than_never_again(void **unused)
{
    static const enum outcome mails[] = {OUTCOME_UNSUBSCRIBED, OUTCOME_BOUNCED};
    struct task_row mail;

    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t call = opt_in("one");
        report(world.steps[0].effect.task, mails[i]);
        report(call, OUTCOME_DO_NOT_CONTACT);
        world.now_ms += DAY;
        opt_in_as(PHONE, EMAIL, "two", INTAKE_CONSENT);
        assert_false(person().flags & PERSON_DO_NOT_CONTACT);
        assert_int_equal(person().silenced, 1u << TASK_EMAIL);
        assert_int_not_equal(open_call().number, 0);
        assert_false(open_of(TASK_EMAIL, &mail));
        tear_down(NULL);
        set_up(NULL);
    }
}

static void an_update_with_anothers_phone_leaves_do_not_contact(void **unused)
{
    uint64_t task;

    (void)unused;
    assert_int_equal(world_optin(&world, "+12155550188", NULL, NULL, "other", 0), STATUS_OK);
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, NULL, EMAIL, "e1", "one", 0), STATUS_OK);
    task = world.settlement.optin.task;
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1"),
                     STATUS_OK);
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, "+12155550188", EMAIL, "e1", "again", INTAKE_CONSENT),
                     STATUS_OK);
    struct person_row row;
    assert_true(world_person(&world, 2, &row));
    /* Either they may be contacted again and something comes next, or not. */
    assert_true((row.flags & PERSON_DO_NOT_CONTACT) || row.due_ms != 0 || row.open_tasks > 0);
}

static void an_imported_list_leaves_a_running_campaign(void **unused)
{
    uint64_t step_ms;

    (void)unused;
    opt_in("one");
    world_live(&world, WORLD_START_MS + DAY);
    step_ms = person().step_ms;
    opt_in_as(PHONE, EMAIL, "list", INTAKE_IMPORTED);
    assert_int_equal(person().step_ms, step_ms);
}

static void a_second_sale_without_value_keeps_the_first(void **unused)
{
    (void)unused;
    world.value = "500";
    report(opt_in("one"), OUTCOME_SOLD);
    world.value = NULL;
    world_live(&world, WORLD_START_MS + 61 * DAY); /* the thank-you call */
    report(open_call().number, OUTCOME_SOLD);
    assert_int_equal(person().sold_cents, 50000);
    assert_int_equal(person().sold_attempt, 1);
}

static void a_returning_person_is_not_dead_after_one_attempt(void **unused)
{
    uint64_t task = opt_in("one");
    unsigned i;

    (void)unused;
    for (i = 0; i < 7; i++) {
        if (task != 0)
            report(task, OUTCOME_NO_ANSWER);
        do {
            world_live(&world, engine_next_due_ms(world.engine));
        } while (open_call().state != TASK_QUEUED && world.now_ms < WORLD_START_MS + 400 * DAY);
        task = open_call().number;
    }
    report(task, OUTCOME_DEAD);
    assert_int_equal(person().closed, PERSON_GIVEN_UP);
    world.now_ms += 300 * DAY;
    task = opt_in("two"); /* 14 months later */
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_DEAD, "a1"),
                     STATUS_TOO_FEW_ATTEMPTS);
}

/* Whose calls and steps are over after three attempts is called on, once a day at most, until there
 * were seven. */
static void attempts_that_are_missing_are_made_good_by_calls(void **unused)
{
    const uint64_t end_ms = WORLD_START_MS + 300 * DAY;
    uint64_t last_ms = 0;
    unsigned calls = 0;

    (void)unused;
    use_playbook("calls: {spacing: [1h, 2h], attempts_least: 7}\\n"
                 "cadences:\\n  x: {title: X, for: prospects, then: end, short: They said so., "
                 "steps: [{id: a, after: 200d, channel: email, kind: helpful, template: tips}]}\\n"
                 "segments:\\n  - {id: y, cadence: x, sla: hour, escalation: usual}\\n");
    opt_in("one");
    for (uint64_t due_ms; (due_ms = engine_next_due_ms(world.engine)) < end_ms;) {
        world_live(&world, due_ms > world.now_ms ? due_ms : world.now_ms);
        if (open_call().state == TASK_QUEUED) {
            report(open_call().number, OUTCOME_NO_ANSWER);
            assert_true(calls++ < 3 || world.now_ms >= last_ms + DAY);
            last_ms = world.now_ms;
        }
    }
    assert_int_equal(calls, 7);
    assert_int_equal(person().closed, PERSON_RUN_OUT);
}

static void a_customer_who_may_be_contacted_again_has_something_ahead(void **unused)
{
    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_SOLD);
    world_live(&world, WORLD_START_MS + 2 * HOUR);
    report(world.steps[world.step_count - 1].effect.task, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(person().due_ms, 0);
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "again", INTAKE_CONSENT), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_not_equal(person().due_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(a_list_does_not_take_up_who_said_never_again),
        LIFE(a_list_of_who_said_never_again_comes_to_an_end),
        LIFE(who_had_a_wrong_number_and_comes_again_is_called_again),
        LIFE(who_unsubscribed_and_was_given_up_gets_no_mail_when_coming_back),
        LIFE(a_consent_takes_back_no_more_than_never_again),
        LIFE(an_update_with_anothers_phone_leaves_do_not_contact),
        LIFE(an_imported_list_leaves_a_running_campaign),
        LIFE(a_second_sale_without_value_keeps_the_first),
        LIFE(a_returning_person_is_not_dead_after_one_attempt),
        LIFE(attempts_that_are_missing_are_made_good_by_calls),
        LIFE(a_customer_who_may_be_contacted_again_has_something_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
