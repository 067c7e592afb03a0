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

static struct turn next_turn(void)
{
    const struct state_meta *meta = state_meta(world.state);

    return (struct turn){
        .seq = meta->folded_seq + 1, .admin_seq = meta->admin_seq, .now_ms = world.now_ms};
}

static void begin_record(enum record_kind kind)
{
    const struct turn turn = next_turn();
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    assert_true(state_person_find(world.state, 1, &row, &task, &last_seq));
    record_begin(&world.record, kind, turn.now_ms, row.agency);
    world.record.header.seq = turn.seq;
    world.record.header.admin_prev = turn.admin_seq;
    world.record.header.person = 1;
    world.record.header.person_prev = last_seq;
}

/* Nothing was planned for them; their tasks have ended. */
static void make_it_before(enum outcome end, enum no_task reason)
{
    struct effect_person effect = {.person = 1, .row = person()};
    struct person_row *row = &effect.row;
    struct task_row task;

    begin_record(RECORD_OUTCOME);
    row->end = (uint8_t)end;
    row->reason = (uint8_t)reason;
    row->segment = row->cadence = row->step = row->closed = row->call_why = 0;
    row->cadence_ms = row->step_ms = row->due_ms = row->call_ms = row->held_ms = 0;
    row->playbook = row->site = row->score_s = row->score_hundredths = 0;
    memset(row->touches, 0, sizeof(row->touches));
    assert_true(record_effect(&world.record, EFFECT_PERSON, &effect, sizeof(effect)));
    for (int channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++)
        if (open_of((enum task_channel)channel, &task)) {
            struct effect_task_end ended = {.person = 1, .task = task.number};
            ended.drop_seq = state_queue(world.state, task.queue)->outbox_seq + 1;
            assert_true(record_effect(&world.record, EFFECT_TASK_END, &ended, sizeof(ended)));
        }
    record_seal(&world.record);
    keep_record();
}

/* All that there is to do; how many people got something. */
static unsigned adopt(void)
{
    uint64_t after = 0;
    unsigned count = 0;

    for (;;) {
        const struct turn turn = next_turn();
        enum status status = engine_decide_adoption(world.engine, &turn, &after, 1, &world.record);
        if (status == STATUS_NOT_FOUND)
            continue;
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(world.record.header.kind, RECORD_ADOPTED);
        keep_record();
        if (world.record.header.person == 0)
            return count;
        count++;
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

/* A mail as it was before it had to be done in time, and the person is planned for. */
static void what_a_robot_has_is_to_be_done_in_time(void **unused)
{
    struct effect_task effect = {.person = 1};

    (void)unused;
    opt_in("one");
    assert_true(open_of(TASK_EMAIL, &effect.row));
    effect.row.due_ms = 0;
    effect.row.due_kind = DUE_NONE;
    begin_record(RECORD_OPENED);
    assert_true(record_effect(&world.record, EFFECT_TASK, &effect, sizeof(effect)));
    record_seal(&world.record);
    keep_record();
    world_live(&world, WORLD_START_MS + 3 * DAY);
    assert_true(open_of(TASK_EMAIL, &effect.row));
    assert_int_equal(adopt(), 1);
    world_live(&world, world.now_ms);
    assert_false(state_task_find(world.state, 1, effect.row.number, &effect.row));
    assert_int_equal(state_meta(world.state)->skipped_by[SKIP_UNDONE],
                     2); /* and the escalation's */
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
        LIFE(what_a_robot_has_is_to_be_done_in_time),
        LIFE(who_is_planned_for_is_left_alone),
        LIFE(a_new_journal_has_nobody_to_adopt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
