/* The engine on reports: what an outcome makes of a person, what amends it, and what does not
 * count. */
#include "tests/engine_tasks.h"

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
    struct person_row before, after;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_true(world_person(&world, 1, &before));
    for (unsigned outcome = OUTCOME_NONE + 1; outcome < OUTCOME_END; outcome++) {
        if (outcome == OUTCOME_DO_NOT_CONTACT || outcome == OUTCOME_UNSUBSCRIBED)
            continue; /* wishes: test_engine_reach.c */
        assert_int_equal(
            world_report(&world, number, 1, REPORT_OUTCOME, (enum outcome)outcome, "a2"),
            STATUS_CONFLICT);
        assert_int_equal(world.records, 1);
        assert_int_equal(world.record.header.kind, RECORD_LATE);
        assert_true(world_person(&world, 1, &after));
        assert_memory_equal(&after, &before, sizeof(after));
    }
}

static void outcome_of_a_queued_task_withdraws_it(void **unused)
{
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_last_operations(OUTBOX_PUT, OUTBOX_DROP);
    assert_int_equal(world_visible(&world, world.queue), 0);
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

/* A robot that hears it has tried nobody; whoever says it to a human was tried, once. */
static void unsubscribed_is_an_attempt_where_a_human_hears_it(void **unused)
{
    struct person_row person;
    uint64_t number = fresh_task("+12155550147"), at_ms = world.now_ms;

    (void)unused;
    world.manager = true;
    world_report(&world, number, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a1");
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.contact_ms, at_ms);
    assert_int_equal(person.attempts, 1);
    assert_int_equal(world_report(&world, number, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1"),
                     STATUS_OK);
    assert_true(world_person(&world, 1, &person));
    assert_int_equal(person.attempts, 1);

    world_optin(&world, NULL, NULL, NULL, "n", INTAKE_NAME);
    assert_true(world_person(&world, 2, &person));
    world_report(&world, person.first_seq << 3, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a1");
    assert_true(world_person(&world, 2, &person));
    assert_int_equal(person.contact_ms, 0); /* whoever searches tries nobody */
    assert_int_equal(person.attempts, 0);
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

static struct command streamed(uint64_t task, uint64_t stream_ms)
{
    return (struct command){.kind = COMMAND_REPORT,
                            .report = {.task = task,
                                       .delivery = 1,
                                       .op = REPORT_OUTCOME,
                                       .outcome = OUTCOME_NO_ANSWER,
                                       .agent = 7,
                                       .queue = world.queue,
                                       .stream_ms = stream_ms,
                                       .stream_seq = 1}};
}

/* A stream in which nothing has come since is read from a little before its end, however old that
 * is; and a Redis that comes back from an old snapshot shows what was trimmed. */
static void stream_entry_read_again_after_a_month_leaves_no_record(void **unused)
{
    struct command command = streamed(fresh_task("+12155550147"), WORLD_START_MS);

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    world.now_ms += 30 * 86400000ull;
    fresh_task("+12155550148"); /* with which the index forgets what is a month old */
    assert_int_equal(world_do(&world, &command), STATUS_DUPLICATE);
    assert_int_equal(world.records, 0);
    command.report.outcome = OUTCOME_VOICEMAIL;
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT); /* another report: late, kept */
    assert_int_equal(world.records, 1);
}

/* As after a month in which no server ran. */
static void stream_entry_read_first_after_a_month_counts(void **unused)
{
    struct command command = streamed(fresh_task("+12155550147"), WORLD_START_MS);

    (void)unused;
    world.now_ms += 30 * 86400000ull;
    fresh_task("+12155550148");
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(world_do(&world, &command), STATUS_DUPLICATE);
}

static bool must_be_left_alone(void)
{
    struct person_row person;

    assert_true(world_person(&world, 1, &person));
    return person.flags & PERSON_DO_NOT_CONTACT;
}

static void come_back(const char *content)
{
    world.now_ms += 30 * DAY;
    world_optin(&world, "+12155550147", NULL, NULL, content, INTAKE_CONSENT);
    assert_false(must_be_left_alone());
    world.now_ms += HOUR;
}

/* Also where the stream shows what is older than the consent once more. */
static void who_has_come_back_may_ask_to_be_left_alone_again(void **unused)
{
    struct command first = streamed(fresh_task("+12155550147"), WORLD_START_MS), second, third;

    (void)unused;
    first.report.outcome = OUTCOME_UNSUBSCRIBED;
    second = third = first;
    assert_int_equal(world_do(&world, &first), STATUS_OK);
    assert_true(must_be_left_alone());
    come_back("back");
    assert_int_equal(world_do(&world, &first), STATUS_DUPLICATE);
    second.report.stream_ms = world.now_ms;
    assert_int_equal(world_do(&world, &second), STATUS_CONFLICT);
    assert_true(must_be_left_alone());
    third.report.stream_ms = world.now_ms + 1;
    assert_int_equal(world_do(&world, &third), STATUS_DUPLICATE); /* it holds already */
    come_back("back again");
    assert_int_equal(world_do(&world, &first), STATUS_DUPLICATE);
    assert_int_equal(world_do(&world, &second), STATUS_DUPLICATE);
    assert_int_equal(world_do(&world, &third), STATUS_DUPLICATE);
    assert_false(must_be_left_alone());
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(amending_again_does_not_begin_the_five_minutes_anew),
        TEST(outcome_ends_the_task_and_counts_contact),
        TEST(second_outcome_is_kept_and_changes_nothing),
        TEST(outcome_of_a_queued_task_withdraws_it),
        TEST(stale_deliverys_first_outcome_counts_and_withdraws_the_newer),
        TEST(outcome_for_a_delivery_yet_to_come_is_refused),
        TEST(dead_is_refused_before_the_seventh_attempt),
        TEST(the_seventh_attempt_may_be_amended_to_dead),
        TEST(unsubscribed_on_the_phone_is_do_not_contact),
        TEST(a_manager_takes_unsubscribed_back_by_an_amendment),
        TEST(unsubscribed_is_an_attempt_where_a_human_hears_it),
        TEST(do_not_contact_ends_everything_and_lasts),
        TEST(a_consent_from_before_do_not_contact_does_not_take_it_back),
        TEST(an_update_from_before_do_not_contact_does_not_take_it_back),
        TEST(amend_replaces_the_outcome_for_five_minutes),
        TEST(amend_takes_back_what_the_outcome_made_of_the_person),
        TEST(amend_leaves_what_the_person_was_before_and_became_since),
        TEST(stream_entry_read_again_leaves_no_record),
        TEST(stream_entry_read_again_after_a_month_leaves_no_record),
        TEST(stream_entry_read_first_after_a_month_counts),
        TEST(who_has_come_back_may_ask_to_be_left_alone_again),
        TEST(report_from_another_queue_does_not_count),
        TEST(report_about_a_task_of_that_number_of_another_time_is_not_found),
        TEST(report_of_another_agency_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
