/* The engine on opt-ins: new ones, ones that came before, ones that say more. */
#include "tests/engine_tasks.h"

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
        TEST(find_answers_by_identity),
        TEST(received_optin_is_decided_later_under_its_own_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
