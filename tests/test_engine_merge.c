/* Two people who prove to be one. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/task.h"
#include "tests/two_people.h"

static void the_older_one_is_left_with_what_both_had(void **unused)
{
    struct person_row row;

    (void)unused;
    two();
    report(tasks[1], OUTCOME_NO_ANSWER);
    world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a2");
    assert_int_equal(merge(2, 1), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_int_equal(world.settlement.other, 2);
    row = person();
    assert_int_equal(row.attempts, 2);
    assert_int_equal(row.optins, 2);
    assert_int_equal(row.stage, STAGE_LEAD);
    assert_true(row.flags & PERSON_CONVERSED);
    assert_int_equal(row.score_hundredths, 8000 - 0); /* two fresh opt-ins of 40 */
    assert_false(hash_is_none(row.email));
    assert_int_equal(person_of(2).closed, PERSON_MERGED);
    assert_int_equal(person_of(2).due_ms, 0);
    assert_int_equal(person_of(2).open_tasks, 0);
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_int_equal(find_person(NULL, OTHER_EMAIL), 1);
}

static void one_open_call_is_left(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(open_call().number, tasks[1]);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
    assert_int_equal(world_visible(&world, world.queue), 1);
}

static void the_others_call_goes_on_as_the_ones(void **unused)
{
    struct task_row call, others;

    (void)unused;
    two();
    others = open_task(2, TASK_CALL);
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_int_not_equal(call.number, 0);
    assert_int_not_equal(call.number, others.number);
    assert_int_equal(call.deadline_ms, others.deadline_ms);
    assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
    report(call.number, OUTCOME_CONVERSATION);
    assert_int_equal(person().attempts, 2);
}

static void the_call_that_is_left_learns_of_the_phone(void **unused)
{
    struct task_row call;

    (void)unused;
    assert_int_equal(world_optin(&world, NULL, EMAIL, NULL, "one", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_non_null(strstr(member_of(1, &call), PHONE));
    assert_int_equal(world_visible(&world, world.queue), 1);
}

static void reports_on_the_others_task_are_late(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(world_report(&world, tasks[2], 1, REPORT_CLAIM, OUTCOME_NONE, "a2"),
                     STATUS_CONFLICT);
    assert_int_equal(world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_SOLD, "a2"),
                     STATUS_CONFLICT);
    assert_int_equal(world.settlement.denial, DENIED_MERGED);
    assert_int_equal(world.made[RECORD_LATE], 1);
    assert_int_equal(person().stage, STAGE_OPTIN);
    assert_int_equal(person_of(2).closed, PERSON_MERGED);
    world.manager = true;
    assert_int_equal(world_report(&world, tasks[2], 1, REPORT_AMEND, OUTCOME_SOLD, "a2"),
                     STATUS_CONFLICT);
}

/* Its stream is read from a little before its end once more; meanwhile the person came back. */
static void a_wish_that_is_read_again_after_a_month_is_no_new_one(void **unused)
{
    struct command command = {.kind = COMMAND_REPORT,
                              .report = {.delivery = 1,
                                         .op = REPORT_OUTCOME,
                                         .outcome = OUTCOME_DO_NOT_CONTACT,
                                         .agent = 7,
                                         .queue = world.queue,
                                         .stream_ms = WORLD_START_MS + HOUR}};

    (void)unused;
    two();
    command.report.task = tasks[2];
    world.now_ms += HOUR;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    world.now_ms += 30 * DAY;
    world_optin(&world, PHONE, NULL, NULL, "three", INTAKE_CONSENT);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(world_do(&world, &command), STATUS_DUPLICATE);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
}

/* Both with an e-mail that a robot has delivered; then they prove to be one. */
static void two_who_were_written_to(void)
{
    world_optin(&world, PHONE, EMAIL, NULL, "one", 0);
    tasks[1] = world.settlement.optin.task;
    world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0);
    tasks[2] = open_task(2, TASK_EMAIL).number;
    report(tasks[2], OUTCOME_DELIVERED);
    assert_int_equal(merge(1, 2), STATUS_OK);
}

static enum status amend(uint64_t task, enum outcome outcome)
{
    return world_report(&world, task, 1, REPORT_AMEND, outcome, "a1");
}

static enum status signal_of(uint64_t number, uint64_t task, enum signal_kind kind)
{
    struct command command = {.kind = COMMAND_SIGNAL,
                              .signal = {.person = number,
                                         .person_first_ms = person_of(number).first_ms,
                                         .task = task,
                                         .task_opened_ms = task != 0 ? WORLD_START_MS : 0,
                                         .at_ms = world.now_ms,
                                         .kind = (uint8_t)kind}};

    return world_do(&world, &command);
}

static void interest_in_the_others_mail_is_the_ones(void **unused)
{
    struct command command = {
        .kind = COMMAND_REPORT,
        .report = {.delivery = 1, .op = REPORT_SIGNAL, .signal = SIGNAL_REPLY, .queue = emails}};

    (void)unused;
    two_who_were_written_to();
    assert_int_equal(person().score_hundredths, 8000);
    command.report.task = tasks[2];
    command.report.stream_ms = world.now_ms;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(person().score_hundredths, 11000);
    assert_int_equal(world_do(&world, &command), STATUS_DUPLICATE);
    assert_int_equal(signal_of(2, tasks[2], SIGNAL_REPLY), STATUS_DUPLICATE);
    assert_int_equal(signal_of(1, tasks[2], SIGNAL_OPEN), STATUS_OK);
    assert_int_equal(signal_of(2, 0, SIGNAL_VISIT), STATUS_OK);
    assert_int_equal(signal_of(1, 0, SIGNAL_VISIT), STATUS_DUPLICATE);
    assert_int_equal(person_of(2).closed, PERSON_MERGED);
    assert_int_equal(person_of(2).due_ms, 0);
}

static void who_is_left_alone_is_so_whichever_mail_is_answered(void **unused)
{
    (void)unused;
    two_who_were_written_to();
    report(tasks[1], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(signal_of(2, tasks[2], SIGNAL_REPLY), STATUS_OK);
    for (uint64_t number = 1; number <= 2; number++) {
        assert_int_equal(person_of(number).due_ms, 0);
        assert_int_equal(person_of(number).open_tasks, 0);
    }
    assert_int_equal(person_of(2).closed, PERSON_MERGED);
}

static void a_wish_that_an_amendment_brings_is_the_ones(void **unused)
{
    (void)unused;
    two_who_were_written_to();
    assert_int_equal(amend(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_true(world.settlement.wish);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().open_tasks, 0);
}

/* --- an older outcome of the one's is amended ------------------------------------------------ */

/* The one was called in vain, the other one has said so; then they prove to be one. */
static void two_of_whom_one_said(enum outcome outcome)
{
    world_optin(&world, PHONE, NULL, NULL, "one", 0);
    tasks[1] = world.settlement.optin.task;
    world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0);
    tasks[2] = world.settlement.optin.task;
    report(tasks[1], OUTCOME_NO_ANSWER);
    report(tasks[2], outcome);
    world.now_ms += MINUTE;
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.now_ms += MINUTE;
    world.manager = true;
}

static void an_amendment_leaves_the_others_never_again(void **unused)
{
    (void)unused;
    two_of_whom_one_said(OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(amend(tasks[1], OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person_of(2).flags & PERSON_DO_NOT_CONTACT);
}

static void an_amendment_leaves_the_others_silence(void **unused)
{
    (void)unused;
    two_of_whom_one_said(OUTCOME_WRONG_NUMBER);
    assert_true(person().silenced >> TASK_CALL & 1);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(person().silenced >> TASK_CALL & 1);
    assert_int_equal(amend(tasks[1], OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(person().silenced >> TASK_CALL & 1);
}

static void an_amendment_leaves_the_others_sale(void **unused)
{
    (void)unused;
    world.value = "500";
    two_of_whom_one_said(OUTCOME_SOLD);
    world.value = NULL;
    assert_int_equal(person().sold_cents, 50000);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_int_equal(person().sold_cents, 50000);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().sold_cents, 0);
    assert_int_equal(person_of(2).sold_cents, 50000);
}

static void an_amendment_leaves_the_others_appointment(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + 5 * DAY;

    (void)unused;
    world.call_at_ms = agreed_ms;
    two_of_whom_one_said(OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    assert_int_equal(person().call_ms, agreed_ms);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_int_equal(person().call_ms, agreed_ms);
    assert_int_equal(person().call_why, CALL_AGREED);
}

/* Of both only what the amended one has said is taken back. */
static void an_amendment_takes_back_one_never_again_of_two(void **unused)
{
    (void)unused;
    two();
    report(tasks[1], OUTCOME_DO_NOT_CONTACT);
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.manager = true;
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(amend(tasks[1], OUTCOME_NO_ANSWER), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_true(person_of(2).flags & PERSON_DO_NOT_CONTACT);
}

static void never_again_of_either_holds(void **unused)
{
    (void)unused;
    two();
    world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a2");
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().open_tasks, 0);
    assert_int_equal(person().due_ms, 0);
    world_optin(&world, PHONE, NULL, NULL, "three", 0);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
}

static void silenced_channels_of_either_hold(void **unused)
{
    (void)unused;
    two();
    world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_WRONG_NUMBER, "a2");
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_true(person().silenced >> TASK_CALL & 1);
    assert_int_equal(open_call().number, 0);
}

static void who_comes_again_by_either_way_is_the_one(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, NULL, OTHER_EMAIL, NULL, "three", 0);
    assert_int_equal(world.settlement.optin.person, 1);
    world_optin(&world, PHONE, OTHER_EMAIL, NULL, "four", 0);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_false(person().flags & PERSON_REVIEW);
    assert_int_equal(person().optins, 4);
    assert_int_equal(state_meta(world.state)->people, 2);
}

/* Both phones lead to the one, though it has one of them. */
static void a_second_phone_leads_to_the_one_as_well(void **unused)
{
    (void)unused;
    world_optin(&world, PHONE, NULL, NULL, "one", 0);
    world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
    world_optin(&world, OTHER_PHONE, NULL, NULL, "three", 0);
    assert_int_equal(world.settlement.optin.person, 1);
}

static void a_merge_ends_the_review(void **unused)
{
    struct state_edge edge;

    (void)unused;
    two();
    world_optin(&world, PHONE, OTHER_EMAIL, NULL, "both", 0);
    assert_int_equal(world.settlement.optin.person, 1); /* phone first */
    assert_true(person().flags & PERSON_REVIEW);
    assert_true(state_edge_next(world.state, 1, EDGE_COLLIDES, 0, &edge));
    assert_int_equal(edge.other, 2);
    world_optin(&world, PHONE, OTHER_EMAIL, NULL, "both again", 0);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_REVIEW);
    assert_false(state_edge_next(world.state, 1, EDGE_COLLIDES, 0, &edge));
}

static void a_look_ends_the_review_without_a_merge(void **unused)
{
    struct state_edge edge;

    (void)unused;
    two();
    world_optin(&world, PHONE, OTHER_EMAIL, NULL, "both", 0);
    assert_int_equal(move(MOVE_REVIEWED), STATUS_OK);
    assert_false(person().flags & PERSON_REVIEW);
    assert_false(state_edge_next(world.state, 1, EDGE_COLLIDES, 0, &edge));
    assert_int_equal(state_meta(world.state)->people, 2);
}

static void an_amendment_takes_a_sale_back_behind_a_look(void **unused)
{
    uint64_t task;

    (void)unused;
    two();
    world_optin(&world, PHONE, OTHER_EMAIL, NULL, "both", 0);
    task = open_call().number;
    report(task, OUTCOME_SOLD);
    assert_true(person().flags & PERSON_CUSTOMER);
    assert_int_equal(move(MOVE_REVIEWED), STATUS_OK);
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    assert_false(person().flags & (PERSON_CUSTOMER | PERSON_REVIEW));
}

static void what_was_known_of_both_is_known_of_the_one(void **unused)
{
    (void)unused;
    two();
    world.answers = "{\"needs\":\"old\",\"interest\":\"bikes\"}";
    world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a2");
    world.answers = "{\"needs\":\"new\"}";
    report(tasks[1], OUTCOME_CONVERSATION);
    world.answers = NULL;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_answer("needs", "new");
    assert_answer("interest", "bikes");
}

static void nobody_is_merged_twice_or_with_oneself(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 1), STATUS_INVALID);
    assert_int_equal(merge(1, 9), STATUS_NOT_FOUND);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_CONFLICT);
    assert_int_equal(world.settlement.denial, DENIED_MERGED);
    assert_int_equal(unmerge(2, 1), STATUS_CONFLICT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_CONFLICT);
    assert_int_equal(world.settlement.denial, DENIED_NOT_MERGED);
}

/* One into the next into the next. */
static void a_chain_of_merges_leads_to_the_last(void **unused)
{
    (void)unused;
    two();
    world_optin(&world, OTHER_PHONE, NULL, NULL, "three", 0);
    assert_int_equal(merge(2, 3), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
    assert_int_equal(person().optins, 3);
    assert_int_equal(unmerge(2, 3), STATUS_CONFLICT); /* 2 is another one now */
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 2);
}

static void there_is_an_end_to_how_many_are_one(void **unused)
{
    char phone[24];

    (void)unused;
    world_optin(&world, PHONE, NULL, NULL, "first", 0);
    for (unsigned i = 0; i < MERGED_MAX; i++) {
        snprintf(phone, sizeof(phone), "+121555502%02u", i);
        world_optin(&world, phone, NULL, NULL, phone, 0);
        assert_int_equal(merge(1, i + 2), STATUS_OK);
    }
    world_optin(&world, OTHER_PHONE, NULL, NULL, "last", 0);
    assert_int_equal(merge(1, MERGED_MAX + 2), STATUS_CONFLICT);
    assert_int_equal(world.settlement.denial, DENIED_TOO_MANY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_older_one_is_left_with_what_both_had),
        TEST(one_open_call_is_left),
        TEST(the_others_call_goes_on_as_the_ones),
        TEST(the_call_that_is_left_learns_of_the_phone),
        TEST(reports_on_the_others_task_are_late),
        TEST(a_wish_that_is_read_again_after_a_month_is_no_new_one),
        TEST(interest_in_the_others_mail_is_the_ones),
        TEST(who_is_left_alone_is_so_whichever_mail_is_answered),
        TEST(a_wish_that_an_amendment_brings_is_the_ones),
        TEST(an_amendment_leaves_the_others_never_again),
        TEST(an_amendment_leaves_the_others_silence),
        TEST(an_amendment_leaves_the_others_sale),
        TEST(an_amendment_leaves_the_others_appointment),
        TEST(an_amendment_takes_back_one_never_again_of_two),
        TEST(never_again_of_either_holds),
        TEST(silenced_channels_of_either_hold),
        TEST(who_comes_again_by_either_way_is_the_one),
        TEST(a_second_phone_leads_to_the_one_as_well),
        TEST(a_merge_ends_the_review),
        TEST(a_look_ends_the_review_without_a_merge),
        TEST(an_amendment_takes_a_sale_back_behind_a_look),
        TEST(what_was_known_of_both_is_known_of_the_one),
        TEST(nobody_is_merged_twice_or_with_oneself),
        TEST(a_chain_of_merges_leads_to_the_last),
        TEST(there_is_an_end_to_how_many_are_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
