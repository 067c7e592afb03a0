/* People whom an earlier release left with nothing that comes next, and mails that nobody had to do
 * in time, as this release finds them. */
#include "tests/one_life.h"

static void keep_record(void)
{
    struct journal *journal = recovery_journal(world.recovery);
    struct record_view view;

    record_view_of(&world.record, &view);
    assert_int_equal(journal_begin(journal), STATUS_OK);
    assert_int_equal(state_begin(world.state), STATUS_OK);
    assert_int_equal(engine_apply(world.engine, &view), STATUS_OK);
    assert_int_equal(journal_append(journal, &world.record), STATUS_OK);
    assert_int_equal(journal_commit(journal), STATUS_OK);
}

/* Into the record at hand: nothing was planned for them. */
static void forget_plans(enum outcome end, enum no_task reason)
{
    struct effect_person effect = {.person = 1, .row = person()};
    struct person_row *row = &effect.row;

    row->flags &= (uint8_t)~PERSON_IMPORTED;
    row->end = (uint8_t)end;
    row->reason = (uint8_t)reason;
    row->segment = row->cadence = row->step = row->closed = row->call_why = 0;
    row->cadence_ms = row->step_ms = row->due_ms = row->call_ms = row->held_ms = 0;
    row->playbook = row->site = row->score_s = row->score_hundredths = 0;
    memset(row->touches, 0, sizeof(row->touches));
    assert_true(record_effect(&world.record, EFFECT_PERSON, &effect, sizeof(effect)));
}

/* And their tasks have ended. */
static void make_it_before(enum outcome end, enum no_task reason)
{
    struct task_row task;

    world_begin_record(&world, RECORD_OUTCOME);
    forget_plans(end, reason);
    for (int channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++)
        if (open_of((enum task_channel)channel, &task)) {
            struct effect_task_end ended = {.person = 1, .task = task.number};
            ended.drop_seq = state_queue(world.state, task.queue)->outbox_seq + 1;
            assert_true(record_effect(&world.record, EFFECT_TASK_END, &ended, sizeof(ended)));
        }
    record_seal(&world.record);
    keep_record();
}

#define MOST 20 /* more than any of these lives takes */

/* All that there is to do; how many records that takes beside the last one. */
static unsigned adopt(void)
{
    uint64_t after = 0;
    unsigned count = 0;

    for (;;) {
        const struct turn turn = world_turn(&world);
        enum status status = engine_decide_adoption(world.engine, &turn, &after, 1, &world.record);
        if (status == STATUS_NOT_FOUND)
            continue;
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(world.record.header.kind, RECORD_ADOPTED);
        keep_record();
        if (world.record.header.person == 0)
            return count;
        assert_in_range(++count, 1, MOST); /* else it would go on for ever */
    }
}

static void who_was_heard_of_lately_is_called_again(void **unused)
{
    (void)unused;
    opt_in("one");
    make_it_before(OUTCOME_NO_ANSWER, NO_TASK_HAS_ONE);
    assert_int_equal(person().due_ms, 0);
    world.now_ms += 30 * DAY;
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_true(person().call_ms >= world.now_ms + DAY);
    assert_int_equal(person().due_ms, person().call_ms);
    assert_int_equal(adopt(), 0); /* once */
    world_live(&world, person().call_ms);
    assert_int_equal(open_call().queue, world.queue); /* its site is known again */
}

static void who_was_silent_for_long_has_an_end(void **unused)
{
    (void)unused;
    opt_in("one");
    make_it_before(OUTCOME_NO_ANSWER, NO_TASK_HAS_ONE);
    world.now_ms += 200 * DAY;
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_RUN_OUT);
    assert_int_equal(person().due_ms, 0);
}

static void whom_an_outcome_has_ended_stays_so(void **unused)
{
    (void)unused;
    opt_in("one");
    make_it_before(OUTCOME_DEAD, NO_TASK_HAS_ONE);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_GIVEN_UP);
}

static void who_said_never_again_has_that_for_an_end(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    make_it_before(OUTCOME_DO_NOT_CONTACT, NO_TASK_HAS_ONE);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_STOPPED);
}

static void a_customer_hears_what_customers_do(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_SOLD);
    make_it_before(OUTCOME_SOLD, NO_TASK_HAS_ONE);
    assert_int_equal(adopt(), 1);
    assert_true(
        slice_equal(playbook_shipped()->cadences.items[person().cadence - 1].id, SLICE("loyalty")));
    assert_true(person().due_ms > world.now_ms + 60 * DAY);
}

static void whom_a_list_brought_is_kept_in_touch_with(void **unused)
{
    (void)unused;
    opt_in_as(PHONE, EMAIL, "list", INTAKE_IMPORTED);
    make_it_before(OUTCOME_NONE, NO_TASK_IMPORTED);
    assert_int_equal(adopt(), 1);
    assert_true(person().flags & PERSON_IMPORTED);
    assert_true(person().due_ms > world.now_ms + 20 * DAY);
}

static void who_only_tried_the_form_is_not_worked(void **unused)
{
    (void)unused;
    opt_in_as(PHONE, EMAIL, "test", INTAKE_TEST);
    make_it_before(OUTCOME_NONE, NO_TASK_TEST);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_NOT_STARTED);
}

static void a_suspect_whom_nobody_looked_at_is_not_worked(void **unused)
{
    (void)unused;
    opt_in_as(PHONE, EMAIL, "suspect", INTAKE_SUSPECT);
    make_it_before(OUTCOME_NONE, NO_TASK_SUSPECT);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_NOT_STARTED);
}

static void who_was_called_and_tried_the_form_since_is_called_again(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    make_it_before(OUTCOME_NONE, NO_TASK_TEST);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_not_equal(person().call_ms, 0);
}

static void who_was_given_up_and_tried_the_form_since_stays_so(void **unused)
{
    (void)unused;
    opt_in("one");
    make_it_before(OUTCOME_DEAD, NO_TASK_TEST);
    assert_int_equal(person().attempts, 0);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_GIVEN_UP);
}

static void a_customer_who_said_never_again_hears_nothing(void **unused)
{
    struct task_row mail;

    (void)unused;
    report(opt_in("one"), OUTCOME_SOLD);
    assert_true(open_of(TASK_EMAIL, &mail)); /* that thanks for the order */
    report(mail.number, OUTCOME_DO_NOT_CONTACT);
    make_it_before(OUTCOME_DO_NOT_CONTACT, NO_TASK_HAS_ONE);
    assert_true(person().flags & PERSON_CUSTOMER);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().closed, PERSON_STOPPED);
}

static void who_is_to_be_called_still_gets_no_second_plan(void **unused)
{
    (void)unused;
    opt_in("one");
    world_begin_record(&world, RECORD_OUTCOME);
    forget_plans(OUTCOME_NONE, NO_TASK_HAS_ONE);
    record_seal(&world.record);
    keep_record();
    assert_int_not_equal(open_call().number, 0);
    assert_int_equal(adopt(), 0);
}

/* --- where an opt-in came in ----------------------------------------------------------------- */

/* It came while the server could not decide, and its site stands in the record that it came with.
 */
static void the_site_of_what_was_received_at_first_is_known(void **unused)
{
    static struct record received;
    struct command command = {.kind = COMMAND_OPTIN, .now_ms = world.now_ms};
    struct turn turn = world_turn(&world);
    struct record_view view;

    (void)unused;
    command.optin = (struct effect_received){.site = world.site,
                                             .credential = CREDENTIAL_SECRET,
                                             .phone.bytes = {1},
                                             .content.bytes = {1}};
    assert_int_equal(engine_receive(world.engine, &command, &turn, &received, &world.settlement),
                     STATUS_OK);
    world.record = received;
    keep_record();
    record_view_of(&received, &view);
    turn = world_turn(&world);
    assert_int_equal(engine_decide_received(world.engine, &view, &turn, &world.record), STATUS_OK);
    keep_record();
    make_it_before(OUTCOME_NO_ANSWER, NO_TASK_HAS_ONE);
    assert_int_equal(person().site, 0);
    assert_int_equal(adopt(), 1);
    assert_int_equal(person().site, world.site);
}

/* --- what robots have ------------------------------------------------------------------------ */

/* As it was before it had to be done in time. */
static void undate(struct task_row row, uint64_t deadline_ms)
{
    struct effect_task effect = {.person = 1, .row = row};

    effect.row.deadline_ms = deadline_ms;
    effect.row.due_ms = 0;
    effect.row.due_kind = DUE_NONE;
    world_begin_record(&world, RECORD_OPENED);
    assert_true(record_effect(&world.record, EFFECT_TASK, &effect, sizeof(effect)));
    record_seal(&world.record);
    keep_record();
}

static bool has_undated(void)
{
    struct task_row mail;

    return open_of(TASK_EMAIL, &mail) && mail.due_kind == DUE_NONE;
}

static void what_a_robot_has_is_to_be_done_in_time(void **unused)
{
    struct task_row mail;

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &mail));
    undate(mail, mail.deadline_ms);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    assert_true(has_undated());
    assert_int_equal(adopt(), 1);
    world_live(&world, world.now_ms);
    assert_false(state_task_find(world.state, 1, mail.number, &mail));
    assert_int_equal(state_meta(world.state)->skipped_by[SKIP_UNDONE],
                     2); /* and the escalation's */
}

/* Where the person's own row has room for one task, the call's is free again. */
static void what_a_robot_has_is_found_when_the_call_has_ended(void **unused)
{
    uint64_t call = opt_in("one"), last_seq;
    struct person_row row;
    struct task_row mail, first;

    (void)unused;
    assert_true(open_of(TASK_EMAIL, &mail));
    undate(mail, mail.deadline_ms);
    report(call, OUTCOME_NO_ANSWER);
    assert_true(state_person_find(world.state, 1, &row, &first, &last_seq));
    assert_int_equal(first.number, 0);
    assert_true(has_undated());
    assert_int_equal(adopt(), 1);
    assert_false(has_undated());
}

static void what_a_robot_has_is_found_behind_a_newer_call(void **unused)
{
    uint64_t call = opt_in("one");
    struct task_row mail;

    (void)unused;
    assert_true(open_of(TASK_EMAIL, &mail));
    undate(mail, mail.deadline_ms);
    report(call, OUTCOME_NO_ANSWER);
    world_live(&world, person().call_ms);
    assert_true(open_call().number > mail.number);
    assert_true(has_undated());
    assert_int_equal(adopt(), 1);
    assert_false(has_undated());
}

/* Nothing would follow from it, and it would be looked at for ever. */
static void what_has_no_deadline_stays_as_it_is(void **unused)
{
    struct task_row mail;

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &mail));
    undate(mail, 0);
    assert_int_equal(adopt(), 0);
    assert_true(has_undated());
}

/* A record has room for eight; the others come in further ones. */
static void all_of_many_mails_are_to_be_done_in_time(void **unused)
{
    enum { MAILS = 12, OF_A_RECORD = 8 };
    struct effect_task effect = {.person = 1};
    struct task_row mail;

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &effect.row));
    effect.row.due_ms = 0;
    effect.row.due_kind = DUE_NONE;
    effect.row.put_seq = state_queue(world.state, effect.row.queue)->outbox_seq;
    for (unsigned i = 0; i < MAILS; i++) {
        if (i % OF_A_RECORD == 0)
            world_begin_record(&world, RECORD_OPENED);
        effect.row.number = world.record.header.seq << 3 | i % OF_A_RECORD;
        effect.row.first_put_seq = ++effect.row.put_seq;
        assert_true(record_effect(&world.record, EFFECT_TASK, &effect, sizeof(effect)));
        if (i % OF_A_RECORD == OF_A_RECORD - 1 || i == MAILS - 1) {
            record_seal(&world.record);
            keep_record();
        }
    }
    assert_int_equal(adopt(), 2);
    for (uint64_t after = 0; state_task_next(world.state, 1, after, &mail); after = mail.number)
        assert_int_not_equal(mail.due_kind, DUE_NONE);
}

/* --- whom it is about ------------------------------------------------------------------------ */

static void some_people_are_looked_at_at_a_time(void **unused)
{
    struct turn turn;
    uint64_t after = 0;

    (void)unused;
    opt_in_as("+12155550001", NULL, "one", 0);
    opt_in_as("+12155550002", NULL, "two", 0);
    opt_in_as("+12155550003", NULL, "three", 0);
    turn = world_turn(&world);
    assert_int_equal(engine_decide_adoption(world.engine, &turn, &after, 2, &world.record),
                     STATUS_NOT_FOUND);
    assert_int_equal(after, 2);
    assert_int_equal(engine_decide_adoption(world.engine, &turn, &after, 2, &world.record),
                     STATUS_OK);
    assert_int_equal(world.record.header.kind, RECORD_ADOPTED);
    assert_int_equal(world.record.header.person, 0); /* that is all of them */
}

static void who_is_planned_for_is_left_alone(void **unused)
{
    (void)unused;
    opt_in("one");
    assert_int_equal(adopt(), 0);
    report(open_call().number, OUTCOME_NO_ANSWER);
    assert_int_equal(adopt(), 0);
}

static void a_new_journal_has_nobody_to_adopt(void **unused)
{
    (void)unused;
    assert_true(engine_has_adopted(world.engine));
    world_reopen(&world, false, true);
    assert_true(engine_has_adopted(world.engine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(who_was_heard_of_lately_is_called_again),
        LIFE(who_was_silent_for_long_has_an_end),
        LIFE(whom_an_outcome_has_ended_stays_so),
        LIFE(who_said_never_again_has_that_for_an_end),
        LIFE(a_customer_hears_what_customers_do),
        LIFE(whom_a_list_brought_is_kept_in_touch_with),
        LIFE(who_only_tried_the_form_is_not_worked),
        LIFE(a_suspect_whom_nobody_looked_at_is_not_worked),
        LIFE(who_was_called_and_tried_the_form_since_is_called_again),
        LIFE(who_was_given_up_and_tried_the_form_since_stays_so),
        LIFE(a_customer_who_said_never_again_hears_nothing),
        LIFE(who_is_to_be_called_still_gets_no_second_plan),
        LIFE(the_site_of_what_was_received_at_first_is_known),
        LIFE(what_a_robot_has_is_to_be_done_in_time),
        LIFE(what_a_robot_has_is_found_when_the_call_has_ended),
        LIFE(what_a_robot_has_is_found_behind_a_newer_call),
        LIFE(what_has_no_deadline_stays_as_it_is),
        LIFE(all_of_many_mails_are_to_be_done_in_time),
        LIFE(some_people_are_looked_at_at_a_time),
        LIFE(who_is_planned_for_is_left_alone),
        LIFE(a_new_journal_has_nobody_to_adopt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
