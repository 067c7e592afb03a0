/* What is planned of people who are one, and is owed to each of them once they are two again:
 * steps, calls, and whose words they tell. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/must.h"
#include "proto/task.h"
#include "tests/carry_world.h"

#define STEPS_MAX 16

static enum status say(uint64_t task, enum outcome outcome)
{
    return world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a1");
}

static bool is_stopped(uint64_t number)
{
    return person_of(number).flags & PERSON_DO_NOT_CONTACT;
}

static void live_until_day(double day)
{
    world_live(&world, WORLD_START_MS + (uint64_t)(day * DAY));
}

/* --- calls -------------------------------------------------------------------------------- */

/* The other one's open call is of that kind; the one has a call of its own. */
static struct task_row other_waits_for(enum task_kind kind)
{
    two_with_mail();
    switch (kind) {
    case TASK_RETRY:
        report(tasks[2], OUTCOME_NO_ANSWER);
        later(DAY);
        break;
    case TASK_AGREED:
        world.call_at_ms = world.now_ms + 20 * HOUR;
        report(tasks[2], OUTCOME_APPOINTMENT);
        world.call_at_ms = 0;
        later(20 * HOUR);
        break;
    case TASK_WAKE:
        report(tasks[2], OUTCOME_NOT_NOW);
        later(40 * DAY);
        break;
    default:
        report(tasks[2], OUTCOME_CONVERSATION);
        later(2 * DAY);
        break;
    }
    return open_task(2, TASK_CALL);
}

static void a_call_comes_back_as_what_it_was(void **unused)
{
    static const enum task_kind kinds[] = {TASK_RETRY, TASK_AGREED, TASK_WAKE, TASK_STEP};

    (void)unused;
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct task_row call, again;
        use_playbook(BASED "outcomes:\n  not_now: {attempt: true, contact: true, wake: 1mo, "
                           "cadence: stop}\n");
        call = other_waits_for(kinds[i]);
        assert_int_not_equal(call.number, 0);
        assert_int_equal(call.kind, kinds[i]);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(open_call().number, tasks[1]);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_int_equal(open_call().number, tasks[1]);
        later(0);
        again = open_task(2, TASK_CALL);
        if (again.number == 0)
            fail_msg("no call of kind %u", call.kind);
        assert_int_equal(again.kind, kinds[i]);
        assert_int_equal(again.cadence, call.cadence);
        assert_int_equal(again.step, call.step);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* At three in the morning, where they are. */
static void a_retry_that_comes_back_keeps_the_hours(void **unused)
{
    uint64_t morning_ms = WORLD_START_MS + 2 * DAY + 10 * HOUR;

    (void)unused;
    other_waits_for(TASK_RETRY);
    world_live(&world, morning_ms);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_RETRY);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_int_not_equal(open_task(2, TASK_CALL).state, TASK_QUEUED);
    later(8 * HOUR);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_RETRY);
    assert_int_equal(open_task(2, TASK_CALL).state, TASK_QUEUED);
    assert_in_range(open_task(2, TASK_CALL).not_before_ms, morning_ms + 4 * HOUR, world.now_ms);
}

/* Planned, not open: as it was. */
static void a_retry_that_was_planned_is_planned_again(void **unused)
{
    uint64_t call_ms;

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_NO_ANSWER);
    call_ms = person_of(2).call_ms;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).call_why, CALL_RETRY);
    assert_int_equal(person_of(2).call_ms, call_ms);
}

static void a_call_in_hand_of_the_other_ones_comes_when_its_lease_ends(void **unused)
{
    struct task_row call;
    uint64_t lease_ms;

    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, OUTCOME_NONE, "a1"),
                     STATUS_OK);
    lease_ms = open_call().lease_until_ms;
    assert_true(lease_ms > world.now_ms);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_int_equal(open_call().state, TASK_CLAIMED);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
    assert_int_equal(person_of(2).call_ms, lease_ms);
    world_live(&world, lease_ms);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
    assert_int_not_equal(open_call().number, 0);
    call = open_call();
    assert_non_null(strstr(member_of(1, &call), PHONE));
    assert_null(strstr(member_of(1, &call), OTHER_PHONE));
}

/* It came from elsewhere than the one that is left. */
static void a_call_that_a_merge_opens_anew_counts_where_it_came_from(void **unused)
{
    struct task_row call;

    (void)unused;
    world.source = 7;
    world.campaign = 70;
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    world.source = 8;
    world.campaign = 80;
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_true(call.own_source);
    assert_int_equal(call.source, 8);
    assert_int_equal(call.campaign, 80);
    assert_int_equal(person().source, 7);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    call = open_task(2, TASK_CALL);
    assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
    assert_int_equal(call.own_source ? call.source : person_of(2).source, 8);
    assert_int_equal(call.own_source ? call.campaign : person_of(2).campaign, 80);
}

/* Also where that was not its first one. */
static void a_response_that_comes_back_counts_where_its_opt_in_came_from(void **unused)
{
    struct task_row call;

    (void)unused;
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
    world.source = 8;
    world.campaign = 80;
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    world.source = 9;
    world.campaign = 90;
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "three", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    call = open_task(2, TASK_CALL);
    assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
    assert_true(call.own_source);
    assert_int_equal(call.source, 9);
    assert_int_equal(call.campaign, 90);
}

/* A merge, and the undo of another one, leave it with those to whom the opt-in came. */
static void a_response_that_comes_back_is_done_where_its_opt_in_came(void **unused)
{
    uint32_t site = world.site, other, queue;
    struct task_row call;

    (void)unused;
    queue = make_queue("acme.two");
    other = world_admin(&world, ENTITY_SITE,
                        "{\"id\":\"two\",\"agency\":\"acme\",\"queue\":\"acme.two\"}");
    world.site = other;
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
    world.site = site;
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    world.site = other;
    assert_int_equal(world_optin(&world, THIRD_PHONE, NULL, NULL, "three", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_SOLD);
    assert_int_equal(merge(2, 3), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    call = open_task(2, TASK_CALL);
    assert_int_equal(call.site, site);
    assert_int_equal(call.queue, world.queue);
    report(open_call().number, OUTCOME_NO_ANSWER); /* the only one left has the other's */
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_int_equal(call.site, site);
    assert_int_not_equal(call.queue, queue);
}

/* --- steps -------------------------------------------------------------------------------- */

/* Mails of steps that are open, by the ids of the steps: "a b". Each was sent by then. */
static const char *send_mails(uint64_t number)
{
    static char ids[64];
    struct text out = text_over(ids, sizeof(ids) - 1);
    struct task_row mail;

    while ((mail = mail_of(number)).number != 0) {
        const struct playbook *playbook =
            registry_playbook(recovery_registry(world.recovery), mail.playbook);
        struct slice id = playbook_step(playbook, mail.cadence, mail.step)->id;

        text_printf(&out, "%s%.*s", out.length > 0 ? " " : "", (int)id.length, id.bytes);
        report(mail.number, OUTCOME_DELIVERED);
    }
    ids[out.length] = '\0';
    return ids;
}

#define FIVE "a:0s b:2d c:4d d:6d e:8d"

/* Only the other one is in a cadence, so that it is the common one. */
static void a_test_and_another_one(void)
{
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_TEST), STATUS_OK);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    later(0);
}

static void a_step_that_was_sent_while_one_does_not_come_again(void **unused)
{
    (void)unused;
    version(FIVE);
    a_test_and_another_one();
    assert_string_equal(send_mails(2), "a");
    assert_int_equal(merge(1, 2), STATUS_OK);
    live_until_day(2.5);
    assert_string_equal(send_mails(1), "b");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    live_until_day(3);
    assert_string_equal(send_mails(1), "");
    assert_string_equal(send_mails(2), "");
    live_until_day(4.5);
    assert_string_equal(send_mails(1), "");
    assert_string_equal(send_mails(2), "c");
    live_until_day(30);
    assert_int_equal(person().open_tasks, 0);
}

/* They came at the same moment, so that it is a run of both. */
static void a_run_of_both_goes_on_for_both(void **unused)
{
    (void)unused;
    version(FIVE);
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    later(0);
    assert_string_equal(send_mails(1), "a");
    assert_string_equal(send_mails(2), "a");
    assert_int_equal(merge(1, 2), STATUS_OK);
    live_until_day(2.5);
    assert_string_equal(send_mails(1), "b");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    live_until_day(3);
    assert_string_equal(send_mails(1), "");
    assert_string_equal(send_mails(2), "");
    live_until_day(4.5);
    assert_string_equal(send_mails(1), "c");
    assert_string_equal(send_mails(2), "c");
}

/* The one that is left is of another version, in which the steps stand in another order. */
static void a_run_goes_on_in_another_version_and_back(void **unused)
{
    (void)unused;
    version("a:0s c:2d b:4d d:6d e:8d");
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_TEST), STATUS_OK);
    version(FIVE);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_not_equal(person().playbook, person_of(2).playbook);
    later(0);
    assert_string_equal(send_mails(2), "a");
    live_until_day(2.5);
    assert_string_equal(send_mails(2), "b");
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(person().cadence_ms, WORLD_START_MS);
    later(MINUTE); /* where it stood sooner */
    assert_string_equal(send_mails(1), "c");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    live_until_day(5.5);
    assert_string_equal(send_mails(2), "");
    live_until_day(6.5);
    assert_string_equal(send_mails(2), "d");
    live_until_day(8.5);
    assert_string_equal(send_mails(2), "e");
    assert_int_equal(person().open_tasks, 0);
}

/* By its id: the other version has it under another number. */
static void what_waits_for_a_name_in_another_version_does_so_in_its_own(void **unused)
{
    (void)unused;
    world.name = NULL;
    version("a:0s c:1d ~b:2d e:8d");
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_TEST), STATUS_OK);
    version("a:0s ~b:1d c:2d e:8d");
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    later(0);
    assert_string_equal(send_mails(2), "a");
    assert_int_equal(merge(1, 2), STATUS_OK);
    live_until_day(2.5);
    assert_string_equal(send_mails(1), "c");
    assert_int_not_equal(person().held_ms, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(MINUTE);
    assert_string_equal(send_mails(2), "");
    world.name = "Ada Moe";
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, NULL, "three", 0), STATUS_OK);
    later(MINUTE);
    assert_string_equal(send_mails(2), "b");
}

/* The newest of them, with the call: a robot that is so far behind has lost the others. */
static void of_all_that_is_open_of_the_other_one_the_newest_step_comes_back(void **unused)
{
    (void)unused;
    version("a:0s b:1h c:2h");
    a_test_and_another_one();
    assert_int_equal(merge(1, 2), STATUS_OK);
    later(6 * HOUR);
    assert_in_range(person().open_tasks, 4, 32);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(mail_of(1).number, 0);
    assert_int_equal(open_call().number, 0);
    later(2 * MINUTE);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
    assert_string_equal(send_mails(2), "c");
}

static void what_the_one_is_written_comes_back_unless_it_is_too_late(void **unused)
{
    (void)unused;
    for (unsigned is_late = 0; is_late < 2; is_late++) {
        struct task_row mail;
        two_with_mail();
        assert_int_equal(say(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_OK);
        mail = mail_of(1);
        assert_int_not_equal(mail.number, 0);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(person().open_tasks, 0);
        later(is_late ? 3 * DAY : HOUR);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        assert_false(is_stopped(1));
        assert_true(is_stopped(2));
        assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
        if (is_late)
            assert_int_not_equal(mail_of(1).step, mail.step);
        else
            assert_int_equal(mail_of(1).step, mail.step);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* The same, of a wish that came while they were one. */
static void what_a_wish_of_the_other_ones_withdrew_while_one_does_not_come_back(void **unused)
{
    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(say(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(DAY);
    assert_int_equal(person_of(1).open_tasks + person_of(2).open_tasks, 0);
}

/* --- merges of before ---------------------------------------------------------------------- */

/* As versions did that knew of nobody alone. */
static void merge_as_before(uint64_t kept, uint64_t other)
{
    struct effect_person both[2] = {{.person = kept}, {.person = other}};
    struct effect_merged merged = {.kept = kept, .other = other};
    struct effect_edge edge = {
        .person = kept, .other = other, .kind = EDGE_MERGED, .agency = world.agency};
    struct record_view view;
    struct turn turn;
    struct task_row task;
    uint64_t last_seq;

    assert_int_equal(say(open_task(other, TASK_CALL).number, OUTCOME_NO_ANSWER), STATUS_OK);
    report(mail_of(other).number, OUTCOME_DELIVERED);
    merged.kept_before = person_of(kept);
    merged.other_before = person_of(other);
    both[0].row = merged.kept_before;
    both[0].row.optins += merged.other_before.optins;
    both[0].row.attempts += merged.other_before.attempts;
    both[1].row = merged.other_before;
    both[1].row.closed = PERSON_MERGED;
    both[1].row.due_ms = both[1].row.step_ms = both[1].row.call_ms = 0;

    turn = world_turn(&world);
    edge.seq = turn.seq;
    assert_true(state_person_find(world.state, kept, &merged.kept_before, &task, &last_seq));
    record_begin(&world.record, RECORD_MERGED, turn.now_ms, world.agency);
    world.record.header.seq = turn.seq;
    world.record.header.admin_prev = turn.admin_seq;
    world.record.header.person = kept;
    world.record.header.person_prev = last_seq;
    for (unsigned i = 0; i < 2; i++)
        MUST(record_effect(&world.record, EFFECT_PERSON, &both[i], sizeof(both[i])));
    MUST(record_effect(&world.record, EFFECT_MERGED, &merged, sizeof(merged)));
    MUST(record_effect(&world.record, EFFECT_EDGE, &edge, sizeof(edge)));
    record_seal(&world.record);
    record_view_of(&world.record, &view);
    assert_int_equal(journal_begin(recovery_journal(world.recovery)), STATUS_OK);
    assert_int_equal(state_begin(world.state), STATUS_OK);
    assert_int_equal(engine_apply(world.engine, &view), STATUS_OK);
    assert_int_equal(journal_append(recovery_journal(world.recovery), &world.record), STATUS_OK);
    assert_int_equal(journal_commit(recovery_journal(world.recovery)), STATUS_OK);
    assert_int_equal(state_commit_live(world.state, false), STATUS_OK);
}

static void a_merge_of_before_is_undone_as_it_was(void **unused)
{
    struct person_row other;

    (void)unused;
    two_with_mail();
    merge_as_before(1, 2);
    other = person_of(2);
    assert_int_equal(person().optins, 2);
    report(open_call().number, OUTCOME_CONVERSATION);
    world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "three", 0);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).optins, other.optins);
    assert_int_equal(person_of(2).attempts, 1);
    assert_int_equal(person_of(2).closed, PERSON_WORKED);
    assert_int_not_equal(person_of(2).due_ms, 0);
    assert_int_equal(person().optins, 3); /* as it is by now */
    assert_int_equal(find_person(OTHER_PHONE, NULL), 2);
    later(DAY);
    assert_int_not_equal(open_task(2, TASK_CALL).number, 0);
}

static void a_wish_since_a_merge_of_before_holds_for_both(void **unused)
{
    (void)unused;
    two_with_mail();
    merge_as_before(1, 2);
    report(mail_of(1).number, OUTCOME_UNSUBSCRIBED);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    for (unsigned i = 1; i <= 2; i++) {
        assert_true(is_stopped(i));
        assert_true(person_of(i).silenced >> TASK_EMAIL & 1);
        assert_int_equal(person_of(i).closed, PERSON_STOPPED);
    }
    later(DAY);
    assert_int_equal(person_of(2).open_tasks, 0);
}

/* What is counted of the one that is left has that of the other one already. */
static void a_merge_of_before_counts_nobody_twice_beside_another(void **unused)
{
    (void)unused;
    two_with_mail();
    assert_int_equal(world_optin(&world, THIRD_PHONE, NULL, NULL, "three", 0), STATUS_OK);
    merge_as_before(1, 2);
    assert_int_equal(merge(1, 3), STATUS_OK);
    assert_int_equal(person().optins, 3);
    assert_int_equal(person().attempts, 1);
    report(open_call().number, OUTCOME_NO_ANSWER);
    assert_int_equal(unmerge(1, 3), STATUS_OK);
    assert_int_equal(person().optins, 2);
    assert_int_equal(person().attempts, 2);
    assert_int_equal(person_of(3).optins, 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).optins, 1);
    assert_int_equal(person_of(2).attempts, 1);
}

static void a_merge_of_before_of_the_other_one_goes_with_it(void **unused)
{
    (void)unused;
    two_with_mail();
    assert_int_equal(world_optin(&world, THIRD_PHONE, "c@example.com", NULL, "three", 0),
                     STATUS_OK);
    merge_as_before(2, 3);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(person().optins, 3);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().optins, 1);
    assert_int_equal(person_of(2).optins, 2);
    assert_int_equal(person_of(2).attempts, 1);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 2);
    assert_int_equal(unmerge(2, 3), STATUS_OK);
    assert_int_equal(person_of(3).optins, 1);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_call_comes_back_as_what_it_was),
        TEST(a_retry_that_comes_back_keeps_the_hours),
        TEST(a_retry_that_was_planned_is_planned_again),
        TEST(a_call_in_hand_of_the_other_ones_comes_when_its_lease_ends),
        TEST(a_call_that_a_merge_opens_anew_counts_where_it_came_from),
        TEST(a_response_that_comes_back_counts_where_its_opt_in_came_from),
        TEST(a_response_that_comes_back_is_done_where_its_opt_in_came),
        TEST(a_step_that_was_sent_while_one_does_not_come_again),
        TEST(a_run_of_both_goes_on_for_both),
        TEST(a_run_goes_on_in_another_version_and_back),
        TEST(what_waits_for_a_name_in_another_version_does_so_in_its_own),
        TEST(of_all_that_is_open_of_the_other_one_the_newest_step_comes_back),
        TEST(what_the_one_is_written_comes_back_unless_it_is_too_late),
        TEST(what_a_wish_of_the_other_ones_withdrew_while_one_does_not_come_back),
        TEST(a_merge_of_before_is_undone_as_it_was),
        TEST(a_wish_since_a_merge_of_before_holds_for_both),
        TEST(a_merge_of_before_counts_nobody_twice_beside_another),
        TEST(a_merge_of_before_of_the_other_one_goes_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
