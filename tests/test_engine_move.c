/* Moves by hand: other stages, other versions of the playbook, an end to "never again". Every test
 * ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/task.h"
#include "server/engine_internal.h"
#include "tests/life_world.h"

static void answer(uint64_t task, enum outcome outcome, const char *answers)
{
    world.answers = answers;
    report(task, outcome);
    world.answers = NULL;
}

/* A manager amends its outcome. */
static void nobody_answered(uint64_t task)
{
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
}

static void assert_denied(enum status status, enum status expected, enum denial why)
{
    assert_int_equal(status, expected);
    assert_int_equal(world.settlement.denial, why);
    assert_int_equal(world.records, 0);
}

/* --- stages ------------------------------------------------------------------------------ */

static void a_hand_moves_where_a_transition_and_the_guard_let_it(void **unused)
{
    (void)unused;
    answer(opt_in("one"), OUTCOME_CONVERSATION, "{\"agrees_to_change\":\"yes\"}");
    assert_string_equal(life_stage(), "lead");
    assert_int_equal(move_stage("opportunity"), STATUS_OK);
    assert_int_equal(world.made[RECORD_MOVED], 1);
    assert_string_equal(life_stage(), "opportunity");
    assert_int_equal(world.settlement.moved.from_stage, STAGE_LEAD);
    assert_denied(move_stage("opportunity"), STATUS_DUPLICATE, DENIED_NOT);
}

static void it_moves_nowhere_else(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_CONVERSATION);
    assert_denied(move_stage("opportunity"), STATUS_CONFLICT, DENIED_GUARD);
    assert_denied(move_stage("customer"), STATUS_CONFLICT, DENIED_NO_WAY);
    assert_denied(move_stage("moon"), STATUS_INVALID, DENIED_STAGE_UNKNOWN);
    assert_string_equal(life_stage(), "lead");
}

/* In front of the others. */
#define ONE_STAGE_MORE                                                                             \
    BASED "stages:\n"                                                                              \
          "  - {id: stranger, title: Stranger, means: Nobody., pipeline: leads}\n"                 \
          "  - {id: optin, title: Opt-in, means: Somebody., pipeline: leads}\n"                    \
          "  - {id: lead, title: Lead, means: We spoke., pipeline: leads}\n"                       \
          "  - {id: customer, title: Customer, means: Bought., pipeline: sales, customer: true}\n"

#define BY_HAND                                                                                    \
    BASED "transitions:\n"                                                                         \
          "  - {from: all, to: customer, on: [sold, hand]}\n"                                      \
          "  - {from: all, to: lead, on: [conversation, hand]}\n"                                  \
          "  - {from: lead, to: opportunity, on: hand}\n"                                          \
          "  - {from: customer, to: referrer, on: referral}\n"

static void who_becomes_a_customer_by_hand_goes_the_customers_way(void **unused)
{
    struct person_row row;

    (void)unused;
    use_playbook(BY_HAND);
    opt_in("one");
    assert_int_equal(move_stage("customer"), STATUS_OK);
    row = person();
    assert_true(row.flags & PERSON_CUSTOMER);
    assert_int_equal(life_playbook()->cadences.items[row.cadence - 1].program, PLAYBOOK_CUSTOMERS);
    assert_int_equal(move_stage("lead"), STATUS_OK);
    row = person();
    assert_false(row.flags & PERSON_CUSTOMER);
    assert_int_equal(life_playbook()->cadences.items[row.cadence - 1].program, PLAYBOOK_PROSPECTS);
}

/* What was said before a hand moved somebody is not gone through again. */
static void an_amendment_leaves_the_stage_that_a_hand_gave(void **unused)
{
    uint64_t task;

    (void)unused;
    use_playbook(BY_HAND);
    task = opt_in("one");
    report(task, OUTCOME_CONVERSATION);
    assert_int_equal(move_stage("customer"), STATUS_OK);
    nobody_answered(task);
    assert_string_equal(life_stage(), "customer");
}

static void an_amendment_goes_on_from_the_stage_that_a_hand_gave(void **unused)
{
    uint64_t task;

    (void)unused;
    use_playbook(BY_HAND);
    task = opt_in("one");
    assert_int_equal(move_stage("lead"), STATUS_OK);
    report(task, OUTCOME_SOLD);
    assert_string_equal(life_stage(), "customer");
    nobody_answered(task);
    assert_string_equal(life_stage(), "lead");
}

static void an_amendment_takes_a_sale_back_behind_another_version(void **unused)
{
    uint64_t task;
    uint32_t other;

    (void)unused;
    use_playbook(BY_HAND);
    task = opt_in("one");
    report(task, OUTCOME_SOLD);
    other = use_playbook(BY_HAND "overdue_after: 2h\n");
    assert_int_equal(move_playbook(1, other), STATUS_OK);
    assert_string_equal(life_stage(), "customer");
    nobody_answered(task);
    assert_string_equal(life_stage(), "optin");
    assert_false(person().flags & PERSON_CUSTOMER);
    assert_int_equal(person().playbook, other);
}

/* A stage that a hand gave is that of its id. */
static void an_amendment_finds_the_stage_that_a_hand_gave_in_another_version(void **unused)
{
    uint64_t task;
    uint32_t other;

    (void)unused;
    use_playbook(BY_HAND);
    task = opt_in("one");
    assert_int_equal(move_stage("lead"), STATUS_OK);
    report(task, OUTCOME_SOLD);
    other = use_playbook(ONE_STAGE_MORE "transitions:\n"
                                        "  - {from: stranger, to: optin, on: optin}\n"
                                        "  - {from: all, to: lead, on: conversation}\n"
                                        "  - {from: lead, to: customer, on: sold}\n");
    assert_int_equal(move_playbook(1, other), STATUS_OK);
    nobody_answered(task);
    assert_string_equal(life_stage(), "lead");
}

/* --- never again -------------------------------------------------------------------------- */

static void a_manager_ends_do_not_contact(void **unused)
{
    (void)unused;
    assert_int_equal(move(MOVE_CONTACT_AGAIN), STATUS_NOT_FOUND);
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(move(MOVE_CONTACT_AGAIN), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_not_equal(person().due_ms, 0);
    assert_denied(move(MOVE_CONTACT_AGAIN), STATUS_DUPLICATE, DENIED_NOT);
}

/* --- versions ----------------------------------------------------------------------------- */

static void who_is_on_a_version_stays_until_moved(void **unused)
{
    uint32_t first, second;

    (void)unused;
    opt_in("one");
    first = use_playbook(BASED "overdue_after: 1h\n");
    second = use_playbook(BASED "overdue_after: 2h\n");
    opt_in("two");
    assert_int_equal(person().playbook, 0);
    assert_int_equal(move_playbook(1, first), STATUS_OK);
    assert_int_equal(person().playbook, first);
    assert_denied(move_playbook(1, first), STATUS_DUPLICATE, DENIED_NOT);
    assert_int_equal(move_playbook(1, second), STATUS_OK);
    assert_int_equal(world.settlement.moved.from_playbook, first);
    assert_int_equal(move_playbook(1, 0), STATUS_OK);
    assert_denied(move_playbook(1, 77), STATUS_INVALID, DENIED_PLAYBOOK_UNKNOWN);
}

static void who_has_ended_is_of_a_segment_of_the_new_version(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(
        move_playbook(1, use_playbook(BASED "segments:\n"
                                            "  - {id: buyers, when: customer, cadence: loyalty, "
                                            "sla: hour, escalation: usual}\n"
                                            "  - {id: all, cadence: nurture, sla: five_minutes, "
                                            "escalation: usual}\n")),
        STATUS_OK);
    assert_int_equal(person().segment, 2);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().due_ms, 0);
}

/* Stages and steps have other numbers there, and the same ids. */
static void stages_and_steps_are_found_by_their_ids(void **unused)
{
    uint32_t number;
    uint64_t began_ms;

    (void)unused;
    number = use_playbook(
        ONE_STAGE_MORE
        "transitions:\n"
        "  - {from: stranger, to: optin, on: optin}\n"
        "  - {from: [stranger, optin], to: lead, on: conversation}\n"
        "  - {from: lead, to: customer, on: sold}\n"
        "cadences:\n"
        "  new_lead:\n"
        "    title: Shorter\n"
        "    for: prospects\n"
        "    then: nurture\n"
        "    steps:\n"
        "      - {id: report, after: 1h, channel: email, kind: offer, template: hello}\n"
        "      - {id: resources, after: 4d, channel: email, kind: helpful, template: r}\n");
    use_shipped("default");
    began_ms = world.now_ms;
    opt_in("one");
    assert_int_equal(person().step, 2); /* resources, after 3 days */
    assert_int_equal(move_playbook(1, number), STATUS_OK);
    assert_int_equal(world.settlement.moved.lost, 0);
    assert_string_equal(life_stage(), "optin");
    assert_int_equal(person().stage, 2);
    assert_int_equal(person().step, 2);
    assert_int_equal(person().step_ms, began_ms + 4 * DAY);
}

static void a_step_that_is_gone_gives_way_to_the_next_ahead(void **unused)
{
    uint32_t number;
    uint64_t began_ms;

    (void)unused;
    number = use_playbook(
        BASED "cadences:\n"
              "  new_lead:\n"
              "    title: Other\n"
              "    for: prospects\n"
              "    then: nurture\n"
              "    steps:\n"
              "      - {id: hello, after: 1h, channel: email, kind: offer, template: hello}\n"
              "      - {id: later, after: 4d, channel: email, kind: helpful, template: r}\n");
    use_shipped("default");
    began_ms = world.now_ms;
    opt_in("one");
    world_live(&world, world.now_ms + DAY);
    assert_int_equal(move_playbook(1, number), STATUS_OK);
    assert_int_equal(world.settlement.moved.lost, MOVE_LOST_STEP);
    assert_int_equal(person().step, 2);
    assert_int_equal(person().step_ms, began_ms + 4 * DAY);
}

static void a_stage_that_is_gone_keeps_the_person_where_it_is(void **unused)
{
    uint32_t number;

    (void)unused;
    number = use_shipped("ladder-six");
    use_shipped("default");
    opt_in("one");
    assert_denied(move_playbook(1, number), STATUS_CONFLICT, DENIED_STAGE_LOST);
    assert_int_not_equal(person().playbook, number);
}

static void of_a_page_only_who_is_on_its_version_is_moved(void **unused)
{
    uint32_t number;
    struct command command = {.kind = COMMAND_MOVE,
                              .person = {.number = 1, .move = MOVE_PLAYBOOK, .is_page = true}};

    (void)unused;
    opt_in("one");
    number = use_playbook(BASED "overdue_after: 1h\n");
    command.person.playbook = number;
    command.person.from = 5;
    assert_denied(by_hand(&command, NULL), STATUS_DUPLICATE, DENIED_NOT);
    command.person.from = 0;
    assert_int_equal(by_hand(&command, NULL), STATUS_OK);
}

static void nobody_else_may(void **unused)
{
    struct command command = {
        .kind = COMMAND_MOVE,
        .person = {.number = 1, .move = MOVE_REVIEWED, .agency = world.agency + 1}};

    (void)unused;
    opt_in("one");
    assert_int_equal(by_hand(&command, NULL), STATUS_NOT_FOUND);
    command.person.agency = world.agency;
    command.person.first_ms = 1;
    assert_int_equal(by_hand(&command, NULL), STATUS_NOT_FOUND);
    command.person.first_ms = person().first_ms;
    assert_int_equal(by_hand(&command, NULL), STATUS_DUPLICATE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_hand_moves_where_a_transition_and_the_guard_let_it),
        TEST(it_moves_nowhere_else),
        TEST(who_becomes_a_customer_by_hand_goes_the_customers_way),
        TEST(an_amendment_leaves_the_stage_that_a_hand_gave),
        TEST(an_amendment_goes_on_from_the_stage_that_a_hand_gave),
        TEST(an_amendment_takes_a_sale_back_behind_another_version),
        TEST(an_amendment_finds_the_stage_that_a_hand_gave_in_another_version),
        TEST(a_manager_ends_do_not_contact),
        TEST(who_is_on_a_version_stays_until_moved),
        TEST(who_has_ended_is_of_a_segment_of_the_new_version),
        TEST(stages_and_steps_are_found_by_their_ids),
        TEST(a_step_that_is_gone_gives_way_to_the_next_ahead),
        TEST(a_stage_that_is_gone_keeps_the_person_where_it_is),
        TEST(of_a_page_only_who_is_on_its_version_is_moved),
        TEST(nobody_else_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
