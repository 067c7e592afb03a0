/* The rules, one fact a test. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/report.h"
#include "proto/task.h"
#include "tests/world.h"

#define MINUTE 60000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct world world;

static int set_up(void **unused)
{
    (void)unused;
    world_open(&world);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    world_close(&world);
    return 0;
}

/* One fresh opt-in; returns its task. */
static uint64_t fresh_task(const char *phone)
{
    assert_int_equal(world_optin(&world, phone, NULL, NULL, phone, 0), STATUS_OK);
    assert_int_not_equal(world.settlement.optin.task, 0);
    return world.settlement.optin.task;
}

static uint64_t outbox_seq(void)
{
    return state_queue(world.state, world.queue)->outbox_seq;
}

static void assert_last_operations(enum outbox_op first, enum outbox_op second)
{
    assert_true(world.operation_count >= 2);
    assert_int_equal(world.operations[world.operation_count - 2].op, first);
    assert_int_equal(world.operations[world.operation_count - 1].op, second);
}

/* What comes due lets more happen than this file is about. */
static unsigned made_by_passing(uint64_t ms, enum record_kind kind)
{
    world_pass(&world, ms);
    return world.made[kind];
}

static void optin_opens_a_call_due_in_five_minutes(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.channel, TASK_CALL);
    assert_int_equal(task.deadline_ms, WORLD_START_MS + 300000);
    assert_int_equal(task.rank_ms, task.deadline_ms);
    assert_int_equal(task.delivery, 1);
    assert_int_equal(task.attempt, 1);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(world.operations[world.operation_count - 1].op, OUTBOX_PUT);
}

static void same_event_and_content_is_a_duplicate(void **unused)
{
    struct effect_optin first;

    (void)unused;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_OK);
    first = world.settlement.optin;
    world.now_ms += 6 * DAY;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_DUPLICATE);
    assert_memory_equal(&first, &world.settlement.optin, sizeof(first));
    assert_int_equal(world.records, 0);
}

static void same_event_with_other_content_is_refused(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "y", 0), STATUS_KEY_REUSED);
    assert_int_equal(world.records, 0);
}

static void event_is_forgotten_after_a_week(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_OK);
    world.now_ms += 7 * DAY + 1;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_OK);
    assert_int_equal(world.records, 1);
}

static void same_content_without_a_key_is_a_duplicate_for_five_minutes(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_OK);
    world.now_ms += 300000;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_DUPLICATE);
    world.now_ms += 1;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_OK);
    assert_int_equal(world.records, 1);
}

static void duplicate_is_known_after_a_crash(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_OK);
    world_reopen(&world, false, false);
    assert_int_equal(world_optin(&world, "+12155550147", NULL, "e1", "x", 0), STATUS_DUPLICATE);
}

static void second_optin_joins_the_open_call(void **unused)
{
    uint64_t task = fresh_task("+12155550147");

    (void)unused;
    world.now_ms += 2 * MINUTE;
    assert_int_equal(world_optin(&world, "+12155550147", "a@example.com", NULL, "y", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.task, task);
    assert_int_equal(world.settlement.optin.deadline_ms, WORLD_START_MS + 300000);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(outbox_seq(), 1);
}

static void email_learned_later_finds_the_person(void **unused)
{
    (void)unused;
    fresh_task("+12155550147");
    world_optin(&world, "+12155550147", "a@example.com", NULL, "y", 0);
    world_optin(&world, NULL, "a@example.com", NULL, "z", 0);
    assert_int_equal(world.settlement.optin.person, 1);
}

static void phone_and_email_of_two_people_are_flagged_not_merged(void **unused)
{
    struct person_row row;

    (void)unused;
    fresh_task("+12155550147");
    world_optin(&world, NULL, "b@example.com", NULL, "b", 0);
    assert_int_equal(world.settlement.optin.person, 2);
    world_optin(&world, "+12155550147", "b@example.com", NULL, "c", 0);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_true(world_person(&world, 1, &row));
    assert_true(row.flags & PERSON_REVIEW);
    assert_true(hash_is_none(row.email));
}

/* --- an update: a visitor sends other content under the same id ------------------------ */

static enum status from_page(const char *phone, const char *email, const char *content,
                             uint8_t flags)
{
    world.credential = CREDENTIAL_PUBLIC;
    return world_optin(&world, phone, email, "form-1", content, flags);
}

static void a_phone_said_later_gives_the_open_call_out_anew(void **unused)
{
    struct person_row person;
    struct task_row task;
    uint64_t number;

    (void)unused;
    from_page(NULL, "a@example.com", "step 1", 0);
    number = world.settlement.optin.task;
    world.now_ms += MINUTE;
    assert_int_equal(from_page("+12155550147", "a@example.com", "step 2", 0), STATUS_OK);
    assert_true(world.settlement.kept);
    assert_int_equal(world.record.header.kind, RECORD_REPEATED);
    assert_true(world_person(&world, 1, &person));
    assert_false(hash_is_none(person.phone));
    assert_int_equal(person.optins, 1);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(task.more_seq, world.record.header.seq);
    assert_int_equal(task.deadline_ms, WORLD_START_MS + 5 * MINUTE);
    assert_last_operations(OUTBOX_DROP, OUTBOX_PUT);
    assert_int_equal(world_visible(&world, world.queue), 1);
    /* Said again, it is not new. */
    from_page("+12155550147", "a@example.com", "step 2", 0);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    world_optin(&world, "+12155550147", NULL, NULL, "later", 0);
    assert_int_equal(world.settlement.optin.person, 1);
}

/* With the first one's task ended: a task of its own, which needs the phone of before. */
static void who_comes_again_is_called_by_the_phone_that_is_known(void **unused)
{
    struct person_row person;
    struct task_row task;
    uint64_t first_seq;

    (void)unused;
    world_optin(&world, NULL, "a@example.com", NULL, "the mail", 0);
    world_optin(&world, "+12155550147", "a@example.com", NULL, "and the phone", 0);
    first_seq = world.settlement.seq;
    world_report(&world, world.settlement.optin.task, 2, REPORT_OUTCOME, OUTCOME_CONVERSATION,
                 "a1");
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.phone_seq, first_seq);
    assert_int_not_equal(person.email_seq, first_seq);

    world_optin(&world, NULL, "a@example.com", NULL, "a month later", 0);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_true(world_task(&world, 1, world.settlement.optin.task, &task));
    assert_int_equal(task.more_seq, first_seq);
    assert_int_equal(task.optin_seq, world.settlement.seq);
}

static void an_update_never_overwrites(void **unused)
{
    struct person_row before, after;

    (void)unused;
    from_page("+12155550147", "a@example.com", "step 1", 0);
    assert_true(world_person(&world, 1, &before));
    from_page("+12155550199", "b@example.com", "step 2", 0);
    assert_true(world_person(&world, 1, &after));
    assert_true(hash_equal(before.phone, after.phone));
    assert_true(hash_equal(before.email, after.email));
    assert_int_equal(outbox_seq(), 1);
}

static void whoever_has_the_call_in_hand_keeps_it_and_the_next_delivery_has_the_phone(void **unused)
{
    struct task_row task;
    uint64_t number;

    (void)unused;
    from_page(NULL, "a@example.com", "step 1", 0);
    number = world.settlement.optin.task;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    from_page("+12155550147", NULL, "step 2", 0);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 1);
    assert_int_equal(task.state, TASK_CLAIMED);
    assert_int_equal(world_visible(&world, world.queue), 0);
    assert_int_equal(world_report(&world, number, 1, REPORT_RELEASE, 0, "a1"), STATUS_OK);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_not_equal(task.more_seq, 0);
}

static void a_name_that_gets_a_phone_is_called_and_not_looked_for_any_more(void **unused)
{
    struct person_row person;
    struct task_row task;

    (void)unused;
    from_page(NULL, NULL, "step 1", INTAKE_NAME);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_UNREACHABLE);
    world.now_ms += 10 * MINUTE;
    from_page("+12155550147", NULL, "step 2", INTAKE_NAME);
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.reason, NO_TASK_HAS_ONE);
    assert_true(world_task(&world, 1, world.record.header.seq << 3, &task));
    assert_int_equal(task.channel, TASK_CALL);
    assert_int_equal(task.deadline_ms, world.now_ms + 5 * MINUTE);
    assert_int_equal(task.optin_seq, person.first_seq);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(state_meta(world.state)->tasks_ended, 1);
}

static void an_ended_call_is_opened_again_by_a_phone_that_was_missing_only(void **unused)
{
    (void)unused;
    from_page(NULL, "a@example.com", "step 1", 0);
    world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    from_page(NULL, "a@example.com", "step 2", 0);
    assert_int_equal(world_visible(&world, world.queue), 0);
    from_page("+12155550147", NULL, "step 3", 0);
    assert_int_equal(world_visible(&world, world.queue), 1);
}

static void a_consent_said_later_goes_to_the_open_call_once(void **unused)
{
    struct task_row task;
    uint64_t number;

    (void)unused;
    from_page("+12155550147", NULL, "step 1", 0);
    number = world.settlement.optin.task;
    from_page("+12155550147", NULL, "step 2", INTAKE_CONSENT);
    from_page("+12155550147", NULL, "step 3", INTAKE_CONSENT);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
}

static void an_update_with_somebody_elses_phone_is_flagged(void **unused)
{
    struct person_row person;

    (void)unused;
    from_page(NULL, "a@example.com", "step 1", 0);
    world_optin(&world, "+12155550147", NULL, NULL, "another", 0);
    assert_int_equal(world.settlement.optin.person, 2);
    from_page("+12155550147", NULL, "step 2", 0);
    assert_true(world_person(&world, 1, &person));
    assert_true(hash_is_none(person.phone));
    assert_true(person.flags & PERSON_REVIEW);
}

static void somebody_elses_phone_reaches_no_task(void **unused)
{
    struct task_row task;
    uint64_t number;

    (void)unused;
    world_optin(&world, "+12155550147", NULL, NULL, "another", 0);
    from_page(NULL, "a@example.com", "step 1", 0);
    number = world.settlement.optin.task;
    from_page("+12155550147", "a@example.com", "step 2", INTAKE_CONSENT);
    assert_true(world_task(&world, 2, number, &task));
    assert_int_equal(task.delivery, 1);
    assert_int_equal(task.more_seq, 0);
}

static void a_suspect_or_test_update_opens_nothing(void **unused)
{
    (void)unused;
    from_page(NULL, NULL, "step 1", INTAKE_NAME | INTAKE_TEST);
    from_page("+12155550147", NULL, "step 2", 0);
    assert_int_equal(world_visible(&world, world.queue), 0);
    from_page("+12155550147", NULL, "step 3", INTAKE_SUSPECT);
    assert_int_equal(world_visible(&world, world.queue), 0);
}

static void a_second_optin_brings_the_phone_that_the_open_call_lacked(void **unused)
{
    struct task_row task;
    uint64_t number;

    (void)unused;
    world_optin(&world, NULL, "a@example.com", NULL, "first", 0);
    number = world.settlement.optin.task;
    world_optin(&world, "+12155550147", "a@example.com", NULL, "second", 0);
    assert_int_equal(world.settlement.optin.task, number);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(task.more_seq, world.settlement.seq);
}

static void test_suspect_and_imported_get_no_task(void **unused)
{
    (void)unused;
    world_optin(&world, "+12155550147", NULL, NULL, "a", INTAKE_TEST);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_TEST);
    assert_int_equal(world.settlement.optin.task, 0);
    world_optin(&world, "+12155550148", NULL, NULL, "b", INTAKE_SUSPECT);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_SUSPECT);
    world_optin(&world, "+12155550149", NULL, NULL, "c", INTAKE_IMPORTED);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_IMPORTED);
    assert_int_equal(world_visible(&world, world.queue), 0);
}

static void name_alone_is_unreachable_and_gets_research(void **unused)
{
    struct person_row person;
    struct task_row task;
    uint64_t last_seq;

    (void)unused;
    world_optin(&world, NULL, NULL, NULL, "n", INTAKE_NAME);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_UNREACHABLE);
    assert_int_equal(world.settlement.optin.task, 0);
    assert_true(state_person_find(world.state, 1, &person, &task, &last_seq));
    assert_int_equal(task.channel, TASK_RESEARCH);
    assert_int_equal(task.queue, world.queue);
}

static void research_goes_to_the_agencys_own_queue(void **unused)
{
    uint32_t queue =
        world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.research\",\"agency\":\"acme\"}");

    (void)unused;
    world_optin(&world, NULL, NULL, NULL, "n", INTAKE_NAME);
    assert_int_equal(world_visible(&world, queue), 1);
    assert_int_equal(world_visible(&world, world.queue), 0);
}

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

static void amending_again_does_not_begin_the_five_minutes_anew(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    world.now_ms += 4 * MINUTE;
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_VOICEMAIL, "a1"),
                     STATUS_OK);
    world.now_ms += 2 * MINUTE;
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_BUSY, "a1"),
                     STATUS_CONFLICT);
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

static void outcome_ends_the_task_and_counts_contact(void **unused)
{
    struct task_row task;
    struct person_row person;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world.now_ms += MINUTE;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    world.now_ms += MINUTE;
    assert_int_equal(world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a1"),
                     STATUS_OK);
    assert_false(world_task(&world, 1, number, &task));
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.attempts, 1);
    assert_int_equal(person.stage, STAGE_LEAD);
    assert_int_equal(person.end, OUTCOME_CONVERSATION);
    assert_int_equal(person.contact_ms, WORLD_START_MS + MINUTE);
    assert_int_equal(made_by_passing(DAY, RECORD_BREACH), 0);
}

static void second_outcome_is_kept_and_changes_nothing(void **unused)
{
    struct person_row person;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_int_equal(world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a2"),
                     STATUS_CONFLICT);
    assert_int_equal(world.records, 1);
    assert_int_equal(world.record.header.kind, RECORD_LATE);
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.attempts, 1);
    assert_int_equal(person.end, OUTCOME_NO_ANSWER);
    assert_false(person.flags & PERSON_DO_NOT_CONTACT);
}

static void outcome_of_a_queued_task_withdraws_it(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_last_operations(OUTBOX_PUT, OUTBOX_DROP);
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

static void stale_deliverys_first_outcome_counts_and_withdraws_the_newer(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_popped(&world, outbox_seq());
    world_pass(&world, 2 * MINUTE);
    world_forget_operations(&world);
    assert_int_equal(world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    assert_false(world_task(&world, 1, number, &task));
    assert_int_equal(world.operation_count, 1);
    assert_int_equal(world.operations[0].op, OUTBOX_DROP);
    assert_int_equal(world.operations[0].task.delivery, 2);
}

static void outcome_for_a_delivery_yet_to_come_is_refused(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(world_report(&world, number, 2, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_INVALID);
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

static void dead_is_refused_before_the_seventh_attempt(void **unused)
{
    struct person_row person;

    (void)unused;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t number = fresh_task("+12155550147");

        assert_int_equal(world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_DEAD, "a1"),
                         STATUS_TOO_FEW_ATTEMPTS);
        world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
        world.now_ms += HOUR;
    }
    assert_int_equal(
        world_report(&world, fresh_task("+12155550147"), 1, REPORT_OUTCOME, OUTCOME_DEAD, "a1"),
        STATUS_OK);
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.attempts, 7);
}

static void the_seventh_attempt_may_be_amended_to_dead(void **unused)
{
    uint64_t number = 0;

    (void)unused;
    for (unsigned i = 0; i < 7; i++) {
        number = fresh_task("+12155550147");
        world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
        assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_DEAD, "a1"),
                         i < 6 ? STATUS_TOO_FEW_ATTEMPTS : STATUS_OK);
        world.now_ms += HOUR;
    }
}

static void unsubscribed_on_the_phone_is_do_not_contact(void **unused)
{
    struct person_row person;
    struct task_row task;
    uint64_t research, number;

    (void)unused;
    world_optin(&world, NULL, NULL, NULL, "n", INTAKE_NAME);
    assert_true(world_person(&world, 1, &person));
    research = (person.first_seq << 3);
    assert_true(world_task(&world, 1, research, &task));
    world_report(&world, research, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a1");
    assert_true(world_person(&world, 1, &person));
    assert_true(person.flags & PERSON_DO_NOT_CONTACT);

    number = fresh_task("+12155550147");
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a1");
    world.now_ms += DAY;
    world_optin(&world, "+12155550147", NULL, NULL, "again", 0);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
    world_optin(&world, "+12155550147", NULL, NULL, "with consent", INTAKE_CONSENT);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_HAS_ONE);
    assert_true(world_person(&world, 2, &person));
    assert_true(person.flags & PERSON_CONSENT_AGAIN);
}

static void a_manager_takes_unsubscribed_back_by_an_amendment(void **unused)
{
    struct person_row person;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a1");
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_FORBIDDEN);
    world.manager = true;
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1"),
                     STATUS_OK);
    assert_true(world_person(&world, 1, &person));
    assert_false(person.flags & PERSON_DO_NOT_CONTACT);
}

static void do_not_contact_ends_everything_and_lasts(void **unused)
{
    struct person_row person;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1");
    world.now_ms += DAY;
    world_optin(&world, "+12155550147", NULL, NULL, "again", 0);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
    world_optin(&world, "+12155550147", NULL, NULL, "with consent", INTAKE_CONSENT);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_HAS_ONE);
    assert_true(world_person(&world, 1, &person));
    assert_true(person.flags & PERSON_CONSENT_AGAIN);
}

static void a_consent_from_before_do_not_contact_does_not_take_it_back(void **unused)
{
    struct person_row person;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world.now_ms += DAY;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1");
    world.now_ms += HOUR;
    world.said_before_min = 61;
    world_optin(&world, "+12155550147", NULL, NULL, "said before", INTAKE_CONSENT);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
    assert_true(world_person(&world, 1, &person));
    assert_true(person.flags & PERSON_DO_NOT_CONTACT);
    world.said_before_min = 59;
    world_optin(&world, "+12155550147", NULL, NULL, "said after", INTAKE_CONSENT);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_HAS_ONE);
}

static void an_update_from_before_do_not_contact_does_not_take_it_back(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1");
    world.now_ms += HOUR;
    world.credential = CREDENTIAL_PUBLIC;
    world_optin(&world, "+12155550147", NULL, "e1", "step 1", 0);
    world.said_before_min = 61;
    world_optin(&world, "+12155550147", NULL, "e1", "step 2", INTAKE_CONSENT);
    assert_int_equal(world.record.header.kind, RECORD_REPEATED);
    world_optin(&world, "+12155550147", NULL, NULL, "asks", 0);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
}

static void amend_replaces_the_outcome_for_five_minutes(void **unused)
{
    struct person_row person;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_CONVERSATION, "a2"),
                     STATUS_FORBIDDEN);
    world.now_ms += 5 * MINUTE;
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_CONVERSATION, "a1"),
                     STATUS_OK);
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.end, OUTCOME_CONVERSATION);
    world.now_ms += 5 * MINUTE + 1;
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_CONFLICT);
}

static void assert_person(unsigned stage, bool customer)
{
    struct person_row person;

    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.stage, stage);
    assert_int_equal(!!(person.flags & PERSON_CUSTOMER), customer);
}

static void amend_takes_back_what_the_outcome_made_of_the_person(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_CLAIM, 0, "a1");
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_SOLD, "a1");
    assert_person(STAGE_CUSTOMER, true);
    world_report(&world, number, 1, REPORT_AMEND, OUTCOME_CONVERSATION, "a1");
    assert_person(STAGE_LEAD, false);
    world_report(&world, number, 1, REPORT_AMEND, OUTCOME_SOLD, "a1");
    assert_person(STAGE_CUSTOMER, true);
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    assert_person(STAGE_OPTIN, false);
    world.now_ms += HOUR;
    world_optin(&world, "+12155550147", NULL, NULL, "again", 0);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_HAS_ONE);
}

static void amend_leaves_what_the_person_was_before_and_became_since(void **unused)
{
    uint64_t first = fresh_task("+12155550147"), second;

    (void)unused;
    world_report(&world, first, 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a1");
    world.now_ms += HOUR;
    second = fresh_task("+12155550147");
    world_report(&world, second, 1, REPORT_OUTCOME, OUTCOME_SOLD, "a1");
    world.manager = true;
    world_report(&world, first, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1");
    assert_person(STAGE_CUSTOMER, true);
    world_report(&world, first, 1, REPORT_AMEND, OUTCOME_CONVERSATION, "m1");
    world_report(&world, second, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1");
    assert_person(STAGE_LEAD, false);
    /* What was taken back from one is not found again when the other is amended. */
    world_report(&world, first, 1, REPORT_AMEND, OUTCOME_SOLD, "m1");
    world_report(&world, first, 1, REPORT_AMEND, OUTCOME_BUSY, "m1");
    assert_person(STAGE_OPTIN, false);
    world_report(&world, first, 1, REPORT_AMEND, OUTCOME_SOLD, "m1");
    world_report(&world, second, 1, REPORT_AMEND, OUTCOME_BUSY, "m1");
    assert_person(STAGE_CUSTOMER, true);
}

static void stream_entry_read_again_leaves_no_record(void **unused)
{
    uint64_t number = fresh_task("+12155550147");
    struct command command = {.kind = COMMAND_REPORT,
                              .report = {.task = number,
                                         .delivery = 1,
                                         .op = REPORT_CLAIM,
                                         .agent = 7,
                                         .queue = world.queue,
                                         .stream_ms = WORLD_START_MS,
                                         .stream_seq = 1}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(state_queue(world.state, world.queue)->report_ms, WORLD_START_MS);
    command.report.stream_seq = 9;
    assert_int_equal(world_do(&world, &command), STATUS_DUPLICATE);
    assert_int_equal(world.records, 0);
}

static void report_from_another_queue_does_not_count(void **unused)
{
    uint64_t number = fresh_task("+12155550147");
    uint32_t other =
        world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.other\",\"agency\":\"acme\"}");
    struct command command = {.kind = COMMAND_REPORT,
                              .report = {.task = number,
                                         .delivery = 1,
                                         .op = REPORT_CLAIM,
                                         .queue = other,
                                         .stream_ms = WORLD_START_MS}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_FORBIDDEN);
}

/* A restored or copied journal gives the numbers of tasks a second time. */
static void report_about_a_task_of_that_number_of_another_time_is_not_found(void **unused)
{
    uint64_t number = fresh_task("+12155550147");
    struct command command = {.kind = COMMAND_REPORT,
                              .report = {.task = number,
                                         .opened_ms = world.now_ms + 1,
                                         .delivery = 1,
                                         .op = REPORT_OUTCOME,
                                         .outcome = OUTCOME_DO_NOT_CONTACT}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_NOT_FOUND);
    assert_int_equal(world.records, 0);
    command.report.opened_ms = world.now_ms;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
}

static void report_of_another_agency_is_not_found(void **unused)
{
    uint64_t number = fresh_task("+12155550147");
    struct command command = {
        .kind = COMMAND_REPORT,
        .report = {.task = number, .delivery = 1, .op = REPORT_OUTCOME, .agency = 99}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_NOT_FOUND);
    command.report.task = 999999;
    assert_int_equal(world_do(&world, &command), STATUS_NOT_FOUND);
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

static void admin_ids_are_unique_and_removal_is_checked(void **unused)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = SLICE("{\"id\":\"acme\",\"name\":\"Again\"}"),
                              .admin = {.entity = ENTITY_AGENCY}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
    command.payload = (struct slice){0};
    command.admin.number = world.agency;
    command.admin.remove = true;
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
}

static enum status remove_entity(enum entity_kind entity, uint32_t number)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .admin = {.entity = entity, .number = number, .remove = true}};

    return world_do(&world, &command);
}

static enum status set_playbook(unsigned version, bool removes)
{
    char settings[256];
    struct command command = {.kind = COMMAND_ADMIN, .admin = {.entity = ENTITY_PLAYBOOK}};
    int length =
        snprintf(settings, sizeof(settings),
                 "{\"id\":\"acme.a\",\"agency\":\"acme\",\"version\":%u,\"yaml\":%s}", version,
                 removes ? "null" : "\"based_on: default\\nname: own\\ntitle: Own\\n\"");

    command.payload = (struct slice){settings, (size_t)length};
    return world_do(&world, &command);
}

static void versions_of_a_playbook_have_no_gap(void **unused)
{
    (void)unused;
    assert_int_equal(set_playbook(2, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(1, false), STATUS_OK);
    assert_int_equal(world.settlement.entity_number, 1);
    assert_int_equal(set_playbook(1, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(3, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(2, false), STATUS_OK);
    assert_int_equal(world.settlement.entity_number, 2);
    world_reopen(&world, false, true);
    assert_int_equal(set_playbook(2, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(3, true), STATUS_OK);
}

static void a_playbook_that_is_named_is_not_removed(void **unused)
{
    struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":\"acme.a\"}"),
        .admin = {.entity = ENTITY_AGENCY, .number = 1}};

    (void)unused;
    assert_int_equal(set_playbook(1, false), STATUS_OK);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(set_playbook(2, true), STATUS_CONFLICT);
    command.payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":null}");
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(set_playbook(2, true), STATUS_OK);
}

#define FRESH  "{\"id\":\"fresh\"}\n"
#define EMAIL  "{\"id\":\"fresh.email\",\"agency\":\"fresh\"}"
#define LETTER "{\"id\":\"fresh.letter\",\"agency\":\"fresh\"}"

static void queues_come_with_their_agency_or_nothing_does(void **unused)
{
    struct command command = {.kind = COMMAND_ADMIN, .admin = {.entity = ENTITY_AGENCY}};
    struct registry *registry = recovery_registry(world.recovery);

    (void)unused;
    command.payload = SLICE(FRESH EMAIL "\n{\"id\":\"acme.calls\",\"agency\":\"fresh\"}");
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
    assert_int_equal(registry_number(registry, ENTITY_AGENCY, SLICE("fresh")), 0);
    command.payload = SLICE(FRESH EMAIL "\n" LETTER);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(world.records, 1);
    assert_int_equal(world.settlement.entity_number, 2);
    assert_int_equal(world.settlement.queue_number, 2);
    assert_int_equal(registry_number(registry, ENTITY_QUEUE, SLICE("fresh.letter")), 3);
    for (int rebuilt = 0; rebuilt < 2; rebuilt++) {
        world_reopen(&world, true, rebuilt);
        registry = recovery_registry(world.recovery);
        assert_int_equal(registry_number(registry, ENTITY_QUEUE, SLICE("fresh.letter")), 3);
    }
    assert_int_equal(remove_entity(ENTITY_AGENCY, 2), STATUS_OK);
    assert_int_equal(registry_number(registry, ENTITY_QUEUE, SLICE("fresh.letter")), 0);
}

static void an_agency_stays_while_its_robots_have_tasks(void **unused)
{
    struct command command = {
        .kind = COMMAND_ADMIN, .payload = SLICE(FRESH EMAIL), .admin = {.entity = ENTITY_AGENCY}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"f\",\"agency\":\"fresh\",\"queue\":\"fresh.email\"}");
    world.queue = world.settlement.entity_number;
    fresh_task("+12155550147");
    assert_int_equal(remove_entity(ENTITY_SITE, world.site), STATUS_OK);
    assert_int_equal(remove_entity(ENTITY_AGENCY, 2), STATUS_CONFLICT);
}

static void a_queue_is_not_removed_while_tasks_are_open_on_it(void **unused)
{
    uint32_t other = world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.two\",\"agency\":\"acme\"}");
    struct command moves = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"main\",\"agency\":\"acme\",\"queue\":\"acme.two\"}"),
        .admin = {.entity = ENTITY_SITE, .number = world.site}};
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_not_equal(other, 0);
    assert_int_equal(world_do(&world, &moves), STATUS_OK);
    assert_int_equal(remove_entity(ENTITY_QUEUE, world.queue), STATUS_CONFLICT);
    world_popped(&world, outbox_seq());
    assert_int_equal(remove_entity(ENTITY_QUEUE, world.queue), STATUS_CONFLICT);
    world_pass(&world, 2 * MINUTE);
    assert_int_equal(world_visible(&world, world.queue),
                     1); /* popped in silence, given out again */
    world_report(&world, number, 2, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_int_equal(remove_entity(ENTITY_QUEUE, world.queue), STATUS_OK);
}

static void tasks_outlive_their_site(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(remove_entity(ENTITY_SITE, world.site), STATUS_OK);
    world_reopen(&world, true, true);
    world_popped(&world, outbox_seq());
    world_pass(&world, 2 * MINUTE);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_true(slice_equal(
        registry_name(recovery_registry(world.recovery), ENTITY_SITE, task.site), SLICE("main")));
}

static void find_answers_by_identity(void **unused)
{
    struct command command = {.kind = COMMAND_FIND};
    const struct hash_key *key = recovery_hash_key(world.recovery);

    (void)unused;
    fresh_task("+12155550147");
    command.optin.phone = hash_of(key, HASH_PHONE, world.agency, SLICE("+12155550147"));
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    command.optin.phone = hash_of(key, HASH_PHONE, world.agency, SLICE("+12155550148"));
    assert_int_equal(world_do(&world, &command), STATUS_NOT_FOUND);
}

static void received_optin_is_decided_later_under_its_own_id(void **unused)
{
    struct journal *journal = recovery_journal(world.recovery);
    struct command command = {.kind = COMMAND_OPTIN, .optin = {.site = world.site}};
    struct turn turn = {.seq = state_meta(world.state)->folded_seq + 1,
                        .admin_seq = state_meta(world.state)->admin_seq,
                        .now_ms = world.now_ms};
    struct record_view view;
    struct effect_optin decision;
    struct record received;

    (void)unused;
    command.optin.phone =
        hash_of(recovery_hash_key(world.recovery), HASH_PHONE, world.agency, SLICE("+12155550147"));
    command.optin.content = command.optin.phone;
    assert_int_equal(engine_receive(world.engine, &command, &turn, &received, &world.settlement),
                     STATUS_OK);
    assert_int_equal(world.settlement.status, STATUS_ACCEPTED);
    assert_int_equal(journal_begin(journal), STATUS_OK);
    record_view_of(&received, &view);
    assert_int_equal(engine_apply(world.engine, &view), STATUS_OK);
    assert_int_equal(journal_append(journal, &received), STATUS_OK);
    assert_int_equal(state_meta(world.state)->received_first, turn.seq);
    assert_true(state_meta(world.state)->received_last > state_meta(world.state)->received_seq);

    turn.seq++;
    turn.now_ms += HOUR;
    assert_int_equal(engine_decide_received(world.engine, &view, &turn, &world.record), STATUS_OK);
    record_view_of(&world.record, &view);
    assert_int_equal(engine_apply(world.engine, &view), STATUS_OK);
    assert_int_equal(journal_append(journal, &world.record), STATUS_OK);
    assert_int_equal(journal_commit(journal), STATUS_OK);
    assert_true(effect_find(&view, EFFECT_OPTIN, &decision, sizeof(decision)));
    assert_int_equal(decision.optin_seq, received.header.seq);
    assert_int_equal(decision.deadline_ms, WORLD_START_MS + 300000);
    assert_int_equal(state_meta(world.state)->received_seq, received.header.seq);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(optin_opens_a_call_due_in_five_minutes),
        TEST(same_event_and_content_is_a_duplicate),
        TEST(same_event_with_other_content_is_refused),
        TEST(event_is_forgotten_after_a_week),
        TEST(same_content_without_a_key_is_a_duplicate_for_five_minutes),
        TEST(duplicate_is_known_after_a_crash),
        TEST(second_optin_joins_the_open_call),
        TEST(email_learned_later_finds_the_person),
        TEST(phone_and_email_of_two_people_are_flagged_not_merged),
        TEST(a_phone_said_later_gives_the_open_call_out_anew),
        TEST(who_comes_again_is_called_by_the_phone_that_is_known),
        TEST(an_update_never_overwrites),
        TEST(whoever_has_the_call_in_hand_keeps_it_and_the_next_delivery_has_the_phone),
        TEST(a_name_that_gets_a_phone_is_called_and_not_looked_for_any_more),
        TEST(an_ended_call_is_opened_again_by_a_phone_that_was_missing_only),
        TEST(a_consent_said_later_goes_to_the_open_call_once),
        TEST(an_update_with_somebody_elses_phone_is_flagged),
        TEST(somebody_elses_phone_reaches_no_task),
        TEST(a_suspect_or_test_update_opens_nothing),
        TEST(a_second_optin_brings_the_phone_that_the_open_call_lacked),
        TEST(test_suspect_and_imported_get_no_task),
        TEST(name_alone_is_unreachable_and_gets_research),
        TEST(research_goes_to_the_agencys_own_queue),
        TEST(claim_said_again_by_its_holder_changes_nothing),
        TEST(extend_of_a_task_that_still_stands_in_its_queue_takes_it_out),
        TEST(amending_again_does_not_begin_the_five_minutes_anew),
        TEST(first_claim_wins),
        TEST(outcome_ends_the_task_and_counts_contact),
        TEST(second_outcome_is_kept_and_changes_nothing),
        TEST(outcome_of_a_queued_task_withdraws_it),
        TEST(an_hour_unpopped_stays_delivery_one),
        TEST(breach_happens_once_and_ranks_behind),
        TEST(breach_that_passed_while_down_fires_once),
        TEST(rows_that_a_crash_lost_are_made_again),
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
        TEST(stale_deliverys_first_outcome_counts_and_withdraws_the_newer),
        TEST(outcome_for_a_delivery_yet_to_come_is_refused),
        TEST(release_puts_the_task_back_with_the_next_delivery),
        TEST(release_and_extend_count_before_the_pop_is_noticed),
        TEST(extend_renews_the_lease),
        TEST(dead_is_refused_before_the_seventh_attempt),
        TEST(the_seventh_attempt_may_be_amended_to_dead),
        TEST(unsubscribed_on_the_phone_is_do_not_contact),
        TEST(a_manager_takes_unsubscribed_back_by_an_amendment),
        TEST(do_not_contact_ends_everything_and_lasts),
        TEST(a_consent_from_before_do_not_contact_does_not_take_it_back),
        TEST(an_update_from_before_do_not_contact_does_not_take_it_back),
        TEST(amend_replaces_the_outcome_for_five_minutes),
        TEST(amend_takes_back_what_the_outcome_made_of_the_person),
        TEST(amend_leaves_what_the_person_was_before_and_became_since),
        TEST(stream_entry_read_again_leaves_no_record),
        TEST(report_from_another_queue_does_not_count),
        TEST(report_about_a_task_of_that_number_of_another_time_is_not_found),
        TEST(report_of_another_agency_is_not_found),
        TEST(list_queue_ranks_by_put_and_is_not_put_twice_at_breach),
        TEST(drops_are_kept_for_an_hour_and_trimmed),
        TEST(admin_ids_are_unique_and_removal_is_checked),
        TEST(versions_of_a_playbook_have_no_gap),
        TEST(a_playbook_that_is_named_is_not_removed),
        TEST(queues_come_with_their_agency_or_nothing_does),
        TEST(an_agency_stays_while_its_robots_have_tasks),
        TEST(a_queue_is_not_removed_while_tasks_are_open_on_it),
        TEST(tasks_outlive_their_site),
        TEST(find_answers_by_identity),
        TEST(received_optin_is_decided_later_under_its_own_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
