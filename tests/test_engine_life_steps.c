/* Steps of cadences: how many at once, to whom, and when they end. */
#include <unistd.h>

#include "tests/one_life.h"

/* A hundred robots' steps at once that all are left out. */
static void many_steps_at_once_fit_into_a_record(void **unused)
{
    static char yaml[16384];
    size_t length = (size_t)snprintf(
        yaml, sizeof(yaml),
        "caps: {per_day: 100, calls_per_day: 3, gap: 0s}\\ncadences:\\n  new_lead: {title: T, for: "
        "prospects, then: nurture, steps: [");

    (void)unused;
    for (unsigned i = 0; i < 100; i++)
        length += (size_t)snprintf(yaml + length, sizeof(yaml) - length,
                                   "%s{id: s%u, after: 0s, channel: fax, kind: offer, template: t}",
                                   i ? "," : "", i);
    snprintf(yaml + length, sizeof(yaml) - length, "]}\\n");
    use_playbook(yaml);
    opt_in("one");
}

/* Else there are SKIPPED records without end, all at one moment. */
static void a_cadence_that_leads_back_to_itself_at_once_does_not_spin(void **unused)
{
    (void)unused;
    use_playbook(
        "cadences:\\n  loyalty: {title: T, for: customers, then: loyalty, steps: ["
        "{id: a, day: 0, at: \\\"09:00\\\", channel: letter, kind: thanks, template: t}]}\\n");
    report(opt_in("one"), OUTCOME_SOLD);
    alarm(20);
    world_live(&world, WORLD_START_MS + 200 * DAY);
    alarm(0);
}

/* Its customers would come round at once, late in the day. */
static void a_stored_playbook_is_not_checked_again(void **unused)
{
    const struct playbook *playbook;
    struct slice bytes =
        SLICE("based_on: default\nname: x\ntitle: X\ncadences:\n  loyalty: {title: T, for: "
              "customers, then: loyalty, steps: [{id: a, day: 0, at: \"09:00\", channel: "
              "letter, kind: thanks, template: t}]}\n");

    (void)unused;
    assert_int_equal(playbook_open(bytes, NULL, NULL, &playbook), STATUS_INVALID);
    assert_int_equal(playbook_open_stored(bytes, &playbook), STATUS_OK);
    playbook_close(playbook);
}

/* Rows of another version may count further than this one has. */
static void what_a_playbook_does_not_have_is_not_found(void **unused)
{
    struct playbook none = {0};

    (void)unused;
    assert_null(playbook_step(&none, 1, 1));
    assert_null(playbook_chain(&none, 1));
    assert_null(playbook_segment(playbook_shipped(), playbook_shipped()->segments.count + 1));
    assert_null(playbook_cadence(playbook_shipped(), 0));
}

static void a_bounced_postcard_does_not_stop_the_mail(void **unused)
{
    struct task_row card;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    world_live(&world, WORLD_START_MS + 7 * DAY);
    assert_true(open_of(TASK_POSTCARD, &card));
    report(card.number, OUTCOME_BOUNCED);
    assert_false(person().silenced >> TASK_EMAIL & 1);
}

static void a_text_is_not_held_by_its_own_touch(void **unused)
{
    struct task_row text;

    (void)unused;
    use_playbook("cadences:\\n  new_lead: {title: T, for: prospects, then: nurture, steps: ["
                 "{id: a, after: 20h, channel: sms, kind: helpful, template: t}]}\\n");
    report(opt_in("one"), OUTCOME_NOT_INTERESTED);
    report(opt_in("two"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 20 * HOUR); /* 13:13 */
    assert_true(open_of(TASK_SMS, &text));
    assert_int_equal(text.state, TASK_QUEUED);
}

static void a_step_is_not_written_to_anothers_address(void **unused)
{
    struct task_row mail;
    struct person_row other;
    struct record_view record;
    static struct optin said;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    /* Somebody else, who unsubscribed. */
    world_forget_steps(&world);
    opt_in_as(NULL, "eve@example.com", "eve", 0);
    assert_int_equal(world_report(&world, world.steps[0].effect.task, 1, REPORT_OUTCOME,
                                  OUTCOME_UNSUBSCRIBED, "robot"),
                     STATUS_OK);
    assert_true(world_person(&world, 2, &other));
    assert_true(other.silenced >> TASK_EMAIL & 1);
    /* Dana's phone beside Eve's address: Dana's, flagged. */
    opt_in_as(PHONE, "eve@example.com", "mixed", INTAKE_TEST);
    assert_true(person().flags & PERSON_REVIEW);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    for (unsigned i = 0; i < world.step_count; i++) {
        if (!world_task(&world, 1, world.steps[i].effect.task, &mail) || mail.channel != TASK_EMAIL)
            continue;
        assert_int_equal(
            journal_batch_read(recovery_journal(world.recovery), mail.optin_seq, &record),
            STATUS_OK);
        assert_int_equal(optin_decode(record.payload, &said), STATUS_OK);
        assert_false(slice_equal(said.text[OPTIN_EMAIL], SLICE("eve@example.com")));
    }
}

/* Beside Dana's phone stands Eve's address: whoever calls sees it, robots do not write there. */
static void only_the_call_is_told_of_an_optin_of_two_people(void **unused)
{
    struct task_row call;
    struct person_row row;
    uint64_t own_seq;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    own_seq = person().optin_seq;
    opt_in_as(NULL, "eve@example.com", "eve", 0);
    world.now_ms += MINUTE;
    opt_in_as(PHONE, "eve@example.com", "mixed", 0);
    row = person();
    assert_true(row.flags & PERSON_REVIEW);
    assert_int_equal(row.optin_seq, own_seq);
    call = open_call();
    assert_int_equal(call.optin_seq, world.settlement.optin.optin_seq);
    assert_int_equal(call.received_ms, world.now_ms);
}

static void what_a_purchase_makes_wrong_is_not_put_next_morning(void **unused)
{
    struct task_row text;

    (void)unused;
    use_playbook("cadences:\\n  new_lead: {title: T, for: prospects, then: nurture, steps: ["
                 "{id: a, after: 4h, channel: sms, kind: offer, template: buy-now}]}\\n");
    uint64_t task = opt_in("one");
    world_live(&world, WORLD_START_MS + 4 * HOUR); /* 21:13: parked */
    assert_true(open_of(TASK_SMS, &text));
    assert_int_equal(text.state, TASK_PARKED);
    report(task, OUTCOME_SOLD);
    assert_false(open_of(TASK_SMS, &text));
}

/* Nobody takes the mails of their queue. */
static void robots_tasks_leave_room_for_calls(void **unused)
{
    static char yaml[16384];
    size_t length = (size_t)snprintf(
        yaml, sizeof(yaml),
        "caps: {per_day: 8, calls_per_day: 3, gap: 0s}\\ncadences:\\n  new_lead: {title: T, for: "
        "prospects, then: nurture, steps: [");
    uint64_t first;

    (void)unused;
    for (unsigned i = 0; i < 40; i++)
        length +=
            (size_t)snprintf(yaml + length, sizeof(yaml) - length,
                             "%s{id: s%u, after: %ud, channel: email, kind: offer, template: t, "
                             "late_max: 1y}",
                             i ? "," : "", i, i + 1);
    snprintf(yaml + length, sizeof(yaml) - length, "]}\\n");
    use_playbook(yaml);
    first = opt_in("one");
    report(first, OUTCOME_BUSY);
    world_live(&world, WORLD_START_MS + 39 * DAY);
    assert_int_equal(person().open_tasks, 24);
    report(open_call().number, OUTCOME_BUSY);
    world_live(&world, world.now_ms + 3 * DAY);
    assert_int_equal(person().open_tasks, 24 + 1);
    assert_int_equal(open_call().state, TASK_QUEUED);
}

/* --- what no robot does ---------------------------------------------------------------------- */

#define LATE_MAX (2 * DAY)

/* What the newest record says of a step. */
static struct effect_step newest_step(void)
{
    struct effect_step step = {0};
    struct record_view record;

    assert_int_equal(journal_batch_read(recovery_journal(world.recovery),
                                        state_meta(world.state)->folded_seq, &record),
                     STATUS_OK);
    assert_int_equal(record.header.kind, RECORD_SKIPPED);
    assert_true(effect_find(&record, EFFECT_STEP, &step, sizeof(step)));
    return step;
}

static void what_no_robot_takes_ends_when_it_is_too_late(void **unused)
{
    uint32_t queue;
    uint64_t number;
    struct task_row mail;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    assert_true(open_of(TASK_EMAIL, &mail));
    queue = mail.queue;
    number = mail.number;
    assert_int_equal(mail.deadline_ms, WORLD_START_MS + LATE_MAX);
    world_live(&world, WORLD_START_MS + LATE_MAX - 1);
    assert_true(open_of(TASK_EMAIL, &mail));
    assert_int_equal(world_visible(&world, queue), 1);

    world_live(&world, WORLD_START_MS + LATE_MAX);
    assert_false(open_of(TASK_EMAIL, &mail));
    assert_int_equal(world_visible(&world, queue), 0);
    assert_int_equal(newest_step().skip, SKIP_UNDONE);
    assert_int_equal(newest_step().step, 1);
    assert_int_equal(newest_step().task, number);
    assert_int_equal(state_meta(world.state)->skipped_by[SKIP_UNDONE], 1);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 3 * DAY); /* the next one comes */
    assert_int_equal(steps_made(TASK_EMAIL, 2), 1);
    assert_true(open_of(TASK_EMAIL, &mail));
}

/* As long as a robot may be at it, it is left alone; then it is not given to another one. */
static void what_a_robot_took_and_forgot_ends_with_its_lease(void **unused)
{
    struct task_row mail;

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &mail));
    world_live(&world, WORLD_START_MS + LATE_MAX - MINUTE);
    assert_int_equal(world_report(&world, mail.number, 1, REPORT_CLAIM, 0, "robot"), STATUS_OK);
    world_live(&world, WORLD_START_MS + LATE_MAX);
    assert_true(open_of(TASK_EMAIL, &mail));
    assert_int_equal(mail.state, TASK_CLAIMED);
    world_live(&world, mail.lease_until_ms);
    assert_false(open_of(TASK_EMAIL, &mail));
    assert_int_equal(newest_step().skip, SKIP_UNDONE);
}

static void what_a_robot_gives_back_too_late_ends_at_once(void **unused)
{
    struct task_row mail;

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &mail));
    world_live(&world, WORLD_START_MS + LATE_MAX - MINUTE);
    assert_int_equal(world_report(&world, mail.number, 1, REPORT_CLAIM, 0, "robot"), STATUS_OK);
    world_live(&world, WORLD_START_MS + LATE_MAX + MINUTE);
    assert_int_equal(world_report(&world, mail.number, 1, REPORT_RELEASE, 0, "robot"), STATUS_OK);
    world_live(&world, world.now_ms);
    assert_false(open_of(TASK_EMAIL, &mail));
    assert_int_equal(newest_step().skip, SKIP_UNDONE);
}

static void what_is_too_late_when_its_window_opens_ends_before(void **unused)
{
    struct task_row text;

    (void)unused;
    use_playbook("cadences:\\n  new_lead: {title: T, for: prospects, then: nurture, steps: ["
                 "{id: a, after: 4h, channel: sms, kind: offer, template: buy-now, late_max: 1h}]}"
                 "\\n");
    opt_in("one");
    world_live(&world, WORLD_START_MS + 4 * HOUR); /* 21:13: parked */
    assert_true(open_of(TASK_SMS, &text));
    assert_int_equal(text.state, TASK_PARKED);
    assert_int_equal(text.deadline_ms, WORLD_START_MS + 5 * HOUR);
    world_live(&world, WORLD_START_MS + 5 * HOUR);
    assert_false(open_of(TASK_SMS, &text));
    assert_int_equal(newest_step().skip, SKIP_UNDONE);
}

/* It is what was asked for, and a robot has it at any moment. */
static void the_first_mail_outlives_a_conversation(void **unused)
{
    struct task_row mail;

    (void)unused;
    report(opt_in("one"), OUTCOME_CONVERSATION);
    assert_true(open_of(TASK_EMAIL, &mail));
    assert_int_equal(mail.state, TASK_QUEUED);
}

static void the_call_of_a_step_ends_with_its_cadence(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_CONVERSATION);
    world_live(&world, WORLD_START_MS + 2 * DAY - 6 * HOUR);
    assert_int_equal(open_call().kind, TASK_STEP);
    report(world.steps[1].effect.task, OUTCOME_SOLD); /* by answer to a mail */
    assert_int_equal(open_call().number, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(many_steps_at_once_fit_into_a_record),
        LIFE(a_cadence_that_leads_back_to_itself_at_once_does_not_spin),
        LIFE(a_stored_playbook_is_not_checked_again),
        LIFE(what_a_playbook_does_not_have_is_not_found),
        LIFE(a_bounced_postcard_does_not_stop_the_mail),
        LIFE(a_text_is_not_held_by_its_own_touch),
        LIFE(a_step_is_not_written_to_anothers_address),
        LIFE(only_the_call_is_told_of_an_optin_of_two_people),
        LIFE(what_a_purchase_makes_wrong_is_not_put_next_morning),
        LIFE(robots_tasks_leave_room_for_calls),
        LIFE(what_no_robot_takes_ends_when_it_is_too_late),
        LIFE(what_a_robot_took_and_forgot_ends_with_its_lease),
        LIFE(what_a_robot_gives_back_too_late_ends_at_once),
        LIFE(what_is_too_late_when_its_window_opens_ends_before),
        LIFE(the_first_mail_outlives_a_conversation),
        LIFE(the_call_of_a_step_ends_with_its_cadence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
