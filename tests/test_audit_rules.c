/* What an audit names though every row follows from the journal: somebody whom the journal itself
 * has left with nothing to come. Each test writes the record that does so. */
#include "tests/unit.h"

#include <string.h>

#include "proto/report.h"
#include "proto/task.h"
#include "server/audit.h"
#include "tests/folder.h"
#include "tests/world.h"

static struct world world;
static struct task_row call;
static char *said;
static struct audit_result result;

/* One person, to be called. */
static int open_world(void **state)
{
    (void)state;
    world_open(&world);
    assert_status(world_optin(&world, "+12155550001", NULL, NULL, "one", 0), STATUS_OK);
    assert_true(world_task(&world, 1, world.settlement.optin.task, &call));
    said = NULL;
    return 0;
}

static int close_world(void **state)
{
    struct folder data;

    (void)state;
    free(said);
    memcpy(data.path, world.directory, sizeof data.path);
    folder_remove(&data);
    log_close(world.log);
    return 0;
}

/* --- records --------------------------------------------------------------------------------- */

static void add(enum effect_kind kind, const void *effect, size_t bytes)
{
    assert_true(record_effect(&world.record, kind, effect, bytes));
}

static void keep_record(void)
{
    struct journal *journal = recovery_journal(world.recovery);
    struct record_view view;

    record_seal(&world.record);
    record_view_of(&world.record, &view);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(state_begin(world.state), STATUS_OK);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world.record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
}

/* --- what is named --------------------------------------------------------------------------- */

static void audit(void)
{
    char journal[128], rows[128];
    size_t length;
    FILE *out = open_memstream(&said, &length);
    const struct audit_options options = {.journal = journal,
                                          .rows = rows,
                                          .scratch = "/var/tmp",
                                          .journal_map_bytes = 1 << 30,
                                          .state_map_bytes = 1 << 30,
                                          .sort_bytes = 1 << 20,
                                          .out = out};

    snprintf(journal, sizeof journal, "%s/journal", world.directory);
    snprintf(rows, sizeof rows, "%s/state/rows", world.directory);
    recovery_close(world.recovery, true);
    assert_status(audit_run(&options, &result), STATUS_OK);
    fclose(out);
}

static void assert_orphan(const char *why)
{
    audit();
    if (result.orphans != 1 || !strstr(said, why))
        fail_msg("'%s' is not all that was said: %s", why, said);
}

static void assert_sound(void)
{
    audit();
    assert_string_equal(said, "");
    assert_int_equal(result.orphans, 0);
}

/* --- people ---------------------------------------------------------------------------------- */

/* The call has ended, nothing is planned, and this is what the row says of it. */
static void leave(uint8_t segment, enum person_end closed, enum outcome end, uint8_t flags)
{
    struct effect_person effect = {.person = 1, .row = world_begin_record(&world, RECORD_OUTCOME)};
    struct effect_task_end ended = {.person = 1, .task = call.number};

    effect.row.segment = segment;
    effect.row.closed = (uint8_t)closed;
    effect.row.end = (uint8_t)end;
    effect.row.flags |= flags;
    effect.row.due_ms = effect.row.call_ms = effect.row.step_ms = 0;
    ended.drop_seq = state_queue(world.state, call.queue)->outbox_seq + 1;
    add(EFFECT_PERSON, &effect, sizeof effect);
    add(EFFECT_TASK_END, &ended, sizeof ended);
    keep_record();
}

static void somebody_without_a_next_step_is_named(void **state)
{
    (void)state;
    leave(1, PERSON_WORKED, OUTCOME_NONE, 0);
    assert_orphan("the person has nothing open, and neither an outcome nor a reason");
    assert_int_equal(result.open, 0);
}

static void an_outcome_is_no_end_for_who_is_followed_up(void **state)
{
    (void)state;
    leave(1, PERSON_WORKED, OUTCOME_NO_ANSWER, 0);
    assert_orphan("the person has nothing open, and neither an outcome nor a reason");
}

static void an_outcome_is_the_end_where_nothing_was_planned(void **state)
{
    (void)state;
    leave(0, PERSON_WORKED, OUTCOME_NO_ANSWER, 0);
    assert_sound();
    assert_int_equal(result.ended, 1);
}

static void whoever_was_given_up_has_an_end(void **state)
{
    (void)state;
    leave(1, PERSON_GIVEN_UP, OUTCOME_NO_ANSWER, 0);
    assert_sound();
    assert_int_equal(result.ended, 1);
}

static void whoever_said_never_again_has_an_end(void **state)
{
    (void)state;
    leave(1, PERSON_WORKED, OUTCOME_DO_NOT_CONTACT, PERSON_DO_NOT_CONTACT);
    assert_sound();
}

/* --- tasks ----------------------------------------------------------------------------------- */

/* The call, or such a task for a robot, in this state. */
static void put_task(enum task_channel channel, enum task_state in, enum due_kind due,
                     uint8_t flags)
{
    struct effect_task effect = {.person = 1, .row = call};

    world_begin_record(&world, RECORD_OPENED);
    effect.row.channel = (uint8_t)channel;
    effect.row.state = (uint8_t)in;
    effect.row.flags |= flags;
    effect.row.due_kind = (uint8_t)due;
    effect.row.due_ms = due == DUE_NONE ? 0 : call.due_ms;
    if (in != TASK_QUEUED) {
        effect.drop_seq = state_queue(world.state, call.queue)->outbox_seq + 1;
        effect.row.put_seq = 0;
    }
    add(EFFECT_TASK, &effect, sizeof effect);
    keep_record();
}

#define STUCK "the task is open and has no time at which it goes on"

static void a_call_that_is_out_and_due_for_nothing_is_named(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_QUEUED, DUE_NONE, 0);
    assert_orphan(STUCK);
}

static void a_call_whose_deadline_has_passed_waits_for_anybody(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_QUEUED, DUE_NONE, TASK_BREACHED);
    assert_sound();
}

static void what_waits_for_its_window_without_a_time_is_named(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_PARKED, DUE_NONE, 0);
    assert_orphan(STUCK);
}

static void what_waits_for_its_window_is_due_for_that_alone(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_PARKED, DUE_BREACH, 0);
    assert_orphan(STUCK);
}

static void what_waits_for_its_window_until_a_time_is_sound(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_PARKED, DUE_PUT, 0);
    assert_sound();
}

static void what_somebody_has_without_a_lease_is_named(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_CLAIMED, DUE_NONE, 0);
    assert_orphan(STUCK);
}

static void what_was_popped_without_a_lease_is_named(void **state)
{
    (void)state;
    put_task(TASK_CALL, TASK_POPPED, DUE_BREACH, 0);
    assert_orphan(STUCK);
}

/* --- opt-ins --------------------------------------------------------------------------------- */

static void a_task_that_was_told_and_never_opened_is_named(void **state)
{
    struct effect_optin effect = {.person = 1, .site = world.site};

    (void)state;
    world_begin_record(&world, RECORD_OPTIN);
    effect.optin_seq = world.record.header.seq;
    effect.received_ms = world.now_ms;
    effect.task = world.record.header.seq << 3;
    add(EFFECT_OPTIN, &effect, sizeof effect);
    keep_record();
    assert_orphan("the task was told to an opt-in and never opened");
}

/* It came while state was rebuilt. */
static struct record received;

static void receive(void)
{
    struct command command = {.kind = COMMAND_OPTIN, .now_ms = world.now_ms};
    const struct turn turn = world_turn(&world);

    command.optin = (struct effect_received){.site = world.site,
                                             .credential = CREDENTIAL_SECRET,
                                             .phone.bytes = {1},
                                             .content.bytes = {1}};
    assert_status(engine_receive(world.engine, &command, &turn, &received, &world.settlement),
                  STATUS_OK);
    world.record = received;
    keep_record();
}

static void what_was_received_waits_for_its_decision(void **state)
{
    (void)state;
    receive();
    assert_sound();
    assert_int_equal(result.received, 1);
    assert_int_equal(result.open, 2);
}

static void what_was_received_and_is_not_waited_for_is_named(void **state)
{
    (void)state;
    receive();
    state_meta(world.state)->received_seq = received.header.seq;
    assert_orphan("the opt-in was received, and state waits no more for it");
}

static void what_was_decided_twice_is_named(void **state)
{
    struct effect_optin effect = {.person = 1, .reason = NO_TASK_HAS_ONE};

    (void)state;
    receive();
    effect.optin_seq = received.header.seq;
    effect.received_ms = received.header.now_ms;
    for (unsigned i = 0; i < 2; i++) {
        world_begin_record(&world, RECORD_DECIDED);
        add(EFFECT_OPTIN, &effect, sizeof effect);
        keep_record();
    }
    assert_orphan("the opt-in was decided 2 times");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(somebody_without_a_next_step_is_named),
        TEST(an_outcome_is_no_end_for_who_is_followed_up),
        TEST(an_outcome_is_the_end_where_nothing_was_planned),
        TEST(whoever_was_given_up_has_an_end),
        TEST(whoever_said_never_again_has_an_end),
        TEST(a_call_that_is_out_and_due_for_nothing_is_named),
        TEST(a_call_whose_deadline_has_passed_waits_for_anybody),
        TEST(what_waits_for_its_window_without_a_time_is_named),
        TEST(what_waits_for_its_window_is_due_for_that_alone),
        TEST(what_waits_for_its_window_until_a_time_is_sound),
        TEST(what_somebody_has_without_a_lease_is_named),
        TEST(what_was_popped_without_a_lease_is_named),
        TEST(a_task_that_was_told_and_never_opened_is_named),
        TEST(what_was_received_waits_for_its_decision),
        TEST(what_was_received_and_is_not_waited_for_is_named),
        TEST(what_was_decided_twice_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
