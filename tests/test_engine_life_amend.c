/* Outcomes that are amended: what is taken back, and what came since and stays. */
#include "tests/one_life.h"

static void amending_a_call_leaves_another_tasks_unsubscription(void **unused)
{
    uint64_t task = opt_in("one"), mail = world.steps[0].effect.task;

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world.now_ms += MINUTE;
    report(mail, OUTCOME_UNSUBSCRIBED);
    assert_true(person().silenced >> TASK_EMAIL & 1);
    world.now_ms += MINUTE;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK); /* by the agent itself */
    assert_true(person().silenced >> TASK_EMAIL & 1);
}

static void amending_an_older_call_leaves_do_not_contact(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    world.manager = true;
    amend(task, OUTCOME_VOICEMAIL);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
}

static void no_step_is_made_twice_after_an_amendment(void **unused)
{
    uint64_t task = opt_in("one");
    unsigned resources = 0;

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 3 * DAY + HOUR); /* step 2 is made on day 3 */
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    world.manager = true;
    amend(task, OUTCOME_VOICEMAIL);
    world_live(&world, world.now_ms + DAY);
    for (unsigned i = 0; i < world.step_count; i++)
        resources += world.steps[i].effect.cadence != 0 && world.steps[i].effect.step == 2 &&
                     world.steps[i].effect.skip == SKIP_NONE;
    assert_int_equal(resources, 1);
}

static void amending_an_older_call_leaves_the_sale(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    world.value = "1200";
    report(open_call().number, OUTCOME_SOLD);
    assert_int_equal(person().sold_cents, 120000);
    world.value = NULL;
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_int_equal(person().sold_cents, 120000);
}

static void amending_an_older_call_leaves_the_appointment(void **unused)
{
    uint64_t task = opt_in("one"), agreed_ms = WORLD_START_MS + 2 * DAY;

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    world.call_at_ms = agreed_ms;
    report(open_call().number, OUTCOME_APPOINTMENT);
    assert_int_equal(person().call_ms, agreed_ms);
    world.call_at_ms = 0;
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_int_equal(person().call_ms, agreed_ms);
}

static void amending_an_older_call_leaves_the_spacing(void **unused)
{
    uint64_t task = opt_in("one"), call_ms;

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    report(open_call().number, OUTCOME_NO_ANSWER);
    call_ms = person().call_ms;
    assert_int_equal(person().calls, 2);
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_int_equal(person().calls, 2);
    assert_int_equal(person().call_ms, call_ms);
}

static void what_is_amended_twice_leaves_no_cadence_behind(void **unused)
{
    uint64_t task = opt_in("one"), cadence_ms = person().cadence_ms;

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world.now_ms += MINUTE;
    assert_int_equal(amend(task, OUTCOME_CONVERSATION), STATUS_OK);
    world.now_ms += MINUTE;
    assert_int_equal(amend(task, OUTCOME_NO_ANSWER), STATUS_OK);
    assert_int_equal(person().conversed_ms, 0);
    assert_int_equal(person().cadence_ms, cadence_ms); /* else "what we said" goes out */
}

static void an_amended_sale_does_not_send_the_first_mail_again(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world.now_ms += MINUTE;
    assert_int_equal(amend(task, OUTCOME_SOLD), STATUS_OK);
    world.now_ms += MINUTE;
    world_forget_steps(&world);
    assert_int_equal(amend(task, OUTCOME_NO_ANSWER), STATUS_OK);
    world_live(&world, world.now_ms + HOUR);
    for (unsigned i = 0; i < world.step_count; i++)
        if (world.steps[i].effect.channel == TASK_EMAIL)
            assert_int_not_equal(world.steps[i].effect.step, 1);
}

static const char six[] =
    "stages:\\n"
    "  - {id: identity, title: I, means: m, pipeline: leads}\\n"
    "  - {id: action, title: A, means: m, pipeline: leads}\\n"
    "  - {id: customer, title: C, means: m, pipeline: sales, customer: true}\\n"
    "transitions:\\n"
    "  - {from: all, to: customer, on: sold}\\n"
    "  - {from: identity, to: action, on: [conversation, optin]}\\n"
    "cadences:\\n"
    "  new_lead: {title: T, for: prospects, then: nurture, steps: ["
    "{id: a, after: 0s, channel: email, kind: helpful, template: t}]}\\n";

static void an_amendment_leaves_the_stage_that_an_optin_brought(void **unused)
{
    uint64_t task;

    (void)unused;
    use_playbook(six);
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world.now_ms += HOUR;
    task = opt_in("two");
    assert_int_equal(person().stage, 2);
    report(task, OUTCOME_NO_ANSWER);
    world.now_ms += MINUTE;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_int_equal(person().stage, 2);
}

/* Of two tasks, one is amended to "never again", and back. */
static void never_again_of_one_task_stays_when_another_is_amended(void **unused)
{
    uint64_t first = opt_in("one"), second;

    (void)unused;
    report(first, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    second = open_call().number;
    report(second, OUTCOME_DO_NOT_CONTACT);
    world.manager = true;
    assert_int_equal(amend(first, OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(amend(first, OUTCOME_NO_ANSWER), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(amend(second, OUTCOME_NO_ANSWER), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_not_equal(person().due_ms, 0);
}

/* Wherever it comes in the history: the law asks for it. */
static void an_older_outcome_is_amended_to_never_again(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    report(open_call().number, OUTCOME_APPOINTMENT);
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().due_ms, 0);
}

/* An opt-in that came while nobody was to be contacted has changed nothing. */
static void who_said_never_again_by_mistake_is_worked_again(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_DO_NOT_CONTACT);
    world.now_ms += HOUR;
    opt_in("two");
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_NO_ANSWER), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_not_equal(person().call_ms, 0);
}

static void an_attempt_that_was_reported_as_none_counts_once(void **unused)
{
    struct task_row mail;

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &mail));
    report(mail.number, OUTCOME_DELIVERED);
    assert_int_equal(person().attempts, 0);
    assert_int_equal(amend(mail.number, OUTCOME_CONVERSATION), STATUS_OK);
    assert_int_equal(person().attempts, 1);
    assert_int_equal(person().contact_ms, WORLD_START_MS);
    assert_int_equal(amend(mail.number, OUTCOME_INFORMATION), STATUS_OK);
    assert_int_equal(person().attempts, 1);
}

/* Who is not contacted any more is counted among those that it was of before the conversation. */
static void an_amendment_to_never_again_takes_the_segment_back(void **unused)
{
    uint64_t task = opt_in("one");
    unsigned segment = person().segment;

    (void)unused;
    report(task, OUTCOME_CONVERSATION);
    assert_int_not_equal(person().segment, segment);
    assert_int_equal(amend(task, OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(person().segment, segment);
}

/* --- several wishes -------------------------------------------------------------------------- */

static void a_silence_that_came_between_outlives_two_amendments(void **unused)
{
    uint64_t task = opt_in("one"), mail = world.steps[0].effect.task;

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world.now_ms += MINUTE;
    report(mail, OUTCOME_UNSUBSCRIBED);
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().silenced, 1u << TASK_EMAIL);
}

/* The person has said no more than that it wants no mail. */
static void who_was_stopped_by_mistake_and_wants_no_mail_is_called(void **unused)
{
    uint64_t task = opt_in("one"), mail = world.steps[0].effect.task;

    (void)unused;
    report(mail, OUTCOME_DELIVERED);
    report(task, OUTCOME_DO_NOT_CONTACT);
    world.now_ms += MINUTE;
    assert_int_equal(world_report(&world, mail, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "m"),
                     STATUS_CONFLICT);
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().silenced, 1u << TASK_EMAIL);
    assert_int_not_equal(person().call_ms, 0);
}

/* The later of them has changed nothing of the person. */
static void never_again_that_two_say_within_a_second_is_said_by_both(void **unused)
{
    uint64_t task = opt_in("one"), mail = world.steps[0].effect.task;

    (void)unused;
    report(mail, OUTCOME_DELIVERED);
    report(task, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(world_report(&world, mail, 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "m"),
                     STATUS_CONFLICT);
    world.manager = true;
    assert_int_equal(amend(task, OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(amend(mail, OUTCOME_DELIVERED), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(amending_a_call_leaves_another_tasks_unsubscription),
        LIFE(amending_an_older_call_leaves_do_not_contact),
        LIFE(no_step_is_made_twice_after_an_amendment),
        LIFE(amending_an_older_call_leaves_the_sale),
        LIFE(amending_an_older_call_leaves_the_appointment),
        LIFE(amending_an_older_call_leaves_the_spacing),
        LIFE(what_is_amended_twice_leaves_no_cadence_behind),
        LIFE(an_amended_sale_does_not_send_the_first_mail_again),
        LIFE(an_amendment_leaves_the_stage_that_an_optin_brought),
        LIFE(never_again_of_one_task_stays_when_another_is_amended),
        LIFE(an_older_outcome_is_amended_to_never_again),
        LIFE(who_said_never_again_by_mistake_is_worked_again),
        LIFE(an_attempt_that_was_reported_as_none_counts_once),
        LIFE(an_amendment_to_never_again_takes_the_segment_back),
        LIFE(a_silence_that_came_between_outlives_two_amendments),
        LIFE(who_was_stopped_by_mistake_and_wants_no_mail_is_called),
        LIFE(never_again_that_two_say_within_a_second_is_said_by_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
