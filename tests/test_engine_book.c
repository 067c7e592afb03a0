/* A person's life by a playbook of the agency's own. Every test ends by comparing state with a
 * rebuild. */
#include "proto/report.h"
#include "proto/task.h"
#include "proto/text.h"
#include "proto/zone.h"
#include "tests/engine_rig.h"
#include "tests/playbooks.h"

#define PHONE "+12155550147" /* Philadelphia */
#define EMAIL "dana@example.com"

static int set_up(void **unused)
{
    set_up_world(unused);
    world.name = "Dana Rivera";
    return 0;
}

/* New people of the agency go by it. */
static void work_by(struct slice yaml)
{
    static char bytes[256 * 1024];
    struct text settings = text_over(bytes, sizeof(bytes) - 1);
    struct command named = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":\"acme.own\"}"),
        .admin = {.entity = ENTITY_AGENCY, .number = world.agency}};

    text_string(&settings, "{\"id\":\"acme.own\",\"agency\":\"acme\",\"version\":1,\"yaml\":");
    text_json_string(&settings, yaml);
    text_char(&settings, '}');
    bytes[settings.length] = '\0';
    world_admin(&world, ENTITY_PLAYBOOK, bytes);
    assert_int_equal(world_do(&world, &named), STATUS_OK);
}

static void work_by_shipped(const char *name)
{
    const struct playbook *playbook = open_shipped(name);

    work_by(playbook->canonical);
    playbook_close(playbook);
}

static uint64_t opt_in(const char *content)
{
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static struct person_row person(void)
{
    struct person_row row;

    assert_true(world_person(&world, 1, &row));
    return row;
}

static struct task_row task(uint64_t number)
{
    struct task_row row;

    assert_true(world_task(&world, 1, number, &row));
    return row;
}

static struct task_row only_call(void)
{
    struct person_row row;
    struct task_row call;
    uint64_t last_seq, after = 0;

    assert_true(state_person_find(world.state, 1, &row, &call, &last_seq));
    while (call.channel != TASK_CALL && state_task_next(world.state, 1, after, &call))
        after = call.number;
    assert_int_equal(call.channel, TASK_CALL);
    return call;
}

static const struct playbook *own(void)
{
    return registry_playbook(recovery_registry(world.recovery), person().playbook);
}

static void report(uint64_t number, enum outcome outcome)
{
    assert_int_equal(world_report(&world, number, 1, REPORT_OUTCOME, outcome, "a1"), STATUS_OK);
}

static void assert_segment(const char *id)
{
    assert_int_not_equal(person().segment, 0);
    assert_string_equal(own()->segments.items[person().segment - 1].id.bytes, id);
}

/* --- what is known of a person ------------------------------------------------------------ */

static void the_second_stage_of_another_ladder_is_no_conversation(void **unused)
{
    (void)unused;
    work_by_shipped("ladder-six");
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world.now_ms += HOUR;
    opt_in("two");
    assert_string_equal(own()->stages.items[person().stage - 1].id.bytes, "action");
    assert_int_equal(person().stage, 2);
    assert_segment("everybody");
    assert_string_equal(own()->cadences.items[person().cadence - 1].id.bytes, "new_lead");
}

static void assert_field_sorts(const char *json, const char *segment)
{
    world.field = "rooms";
    world.field_json = json;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, json, 0), STATUS_OK);
    assert_segment(segment);
}

static void a_field_may_be_a_number_or_a_boolean(void **unused)
{
    (void)unused;
    work_by(SLICE(
        BASED "segments:\n"
              "  - {id: three, when: field.rooms = 3, cadence: nurture, sla: hour, "
              "escalation: usual}\n"
              "  - {id: yes, when: field.rooms = true, cadence: nurture, sla: hour, "
              "escalation: usual}\n"
              "  - {id: known, when: field.rooms known, cadence: nurture, sla: hour, "
              "escalation: usual}\n"
              "  - {id: everybody, cadence: new_lead, sla: five_minutes, escalation: usual}\n"));
    assert_field_sorts("3", "three");
    assert_field_sorts("\"3\"", "three");
    assert_field_sorts("true", "yes");
    assert_field_sorts("30", "known");
    assert_field_sorts("null", "everybody");
    assert_field_sorts("{\"a\":3}", "everybody");
}

/* --- opting in again ---------------------------------------------------------------------- */

static void who_comes_again_after_a_breach_is_promised_an_answer_anew(void **unused)
{
    uint64_t call = opt_in("one");

    (void)unused;
    world_live(&world, WORLD_START_MS + 4 * MINUTE);
    assert_int_equal(opt_in("two"), call); /* in time: the earlier deadline stands */
    assert_int_equal(world.settlement.optin.deadline_ms, WORLD_START_MS + 5 * MINUTE);
    world_live(&world, WORLD_START_MS + 90 * MINUTE);
    assert_true(task(call).flags & TASK_BREACHED);
    assert_true(task(call).rank_ms > world.now_ms + 22 * HOUR);

    assert_int_equal(opt_in("three"), call);
    assert_int_equal(world.settlement.optin.deadline_ms, world.now_ms + 5 * MINUTE);
    assert_int_equal(task(call).deadline_ms, world.now_ms + 5 * MINUTE);
    assert_int_equal(task(call).rank_ms, task(call).deadline_ms);
    assert_false(task(call).flags & TASK_BREACHED);
    assert_int_equal(task(call).received_ms, world.now_ms); /* stands in that opt-in's id */
    assert_int_equal(task(call).optin_seq, world.settlement.seq);
    assert_int_equal(world_visible(&world, world.queue), 1);
    world_live(&world, world.now_ms + 5 * MINUTE);
    assert_true(task(call).flags & TASK_BREACHED);
    assert_int_equal(state_meta(world.state)->breaches, 2);
}

static void a_breached_call_in_somebodys_hand_is_left_there(void **unused)
{
    uint64_t call = opt_in("one");

    (void)unused;
    world_live(&world, WORLD_START_MS + HOUR);
    assert_int_equal(world_report(&world, call, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    assert_int_equal(opt_in("two"), call);
    assert_int_equal(task(call).state, TASK_CLAIMED);
    assert_int_equal(task(call).delivery, 1);
    assert_int_equal(task(call).deadline_ms, WORLD_START_MS + 5 * MINUTE);
}

/* --- leases ------------------------------------------------------------------------------- */

#define LEASES                                                                                     \
    BASED "lease: {report: 45s, claim: 7m}\n"                                                      \
          "overdue_after: 3h\n"

static void pop_all(void)
{
    assert_int_equal(world_popped(&world, UINT64_MAX), STATUS_OK);
}

static void leases_are_as_the_playbook_has_them(void **unused)
{
    uint64_t call;

    (void)unused;
    work_by(SLICE(LEASES));
    call = opt_in("one");
    pop_all();
    assert_int_equal(task(call).state, TASK_POPPED);
    assert_int_equal(task(call).lease_until_ms, world.now_ms + 45000);
    assert_int_equal(world_report(&world, call, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    assert_int_equal(task(call).lease_until_ms, world.now_ms + 7 * MINUTE);
    world_live(&world, WORLD_START_MS + 7 * MINUTE); /* too late by then */
    assert_true(task(call).flags & TASK_BREACHED);
    assert_int_equal(task(call).rank_ms, WORLD_START_MS + 7 * MINUTE + 3 * HOUR);
}

static void a_queue_may_say_otherwise(void **unused)
{
    uint64_t call;

    (void)unused;
    work_by(SLICE(LEASES));
    struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"acme.calls\",\"agency\":\"acme\",\"report_within\":20,"
                         "\"claim_holds\":60,\"overdue_after\":30}"),
        .admin = {.entity = ENTITY_QUEUE, .number = world.queue}};
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    call = opt_in("one");
    pop_all();
    assert_int_equal(task(call).lease_until_ms, world.now_ms + 20000);
    assert_int_equal(world_report(&world, call, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    assert_int_equal(task(call).lease_until_ms, world.now_ms + MINUTE);
    world_live(&world, WORLD_START_MS + 5 * MINUTE);
    assert_int_equal(task(call).rank_ms, WORLD_START_MS + 5 * MINUTE + 30000);
}

/* --- windows ------------------------------------------------------------------------------ */

static void after_a_days_downtime_the_window_is_this_days(void **unused)
{
    struct task_row call;
    uint64_t opens_ms;

    (void)unused;
    world.now_ms = WORLD_START_MS + 2 * HOUR; /* 19:13 in Philadelphia */
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 3 * HOUR);
    call = only_call();
    assert_int_equal(call.state, TASK_PARKED);
    opens_ms = call.not_before_ms;
    world_pass(&world, opens_ms + 26 * HOUR - world.now_ms); /* and all at once */
    call = only_call();
    assert_int_equal(call.state, TASK_QUEUED);
    assert_int_equal(call.not_before_ms, world.now_ms);
    assert_int_equal(call.closes_ms, opens_ms + 35 * HOUR);
    world_pass(&world, DAY); /* the same of one that stood in its queue */
    call = only_call();
    assert_int_equal(call.not_before_ms, world.now_ms);
    assert_int_equal(call.delivery, 2);
}

/* --- outcomes ----------------------------------------------------------------------------- */

static void what_only_happens_to_mail_is_no_outcome_of_a_call(void **unused)
{
    static const enum outcome outcomes[] = {OUTCOME_DELIVERED, OUTCOME_BOUNCED, OUTCOME_RESEARCHED};
    uint64_t call = opt_in("one");

    (void)unused;
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
        assert_int_equal(world_report(&world, call, 1, REPORT_OUTCOME, outcomes[i], "a1"),
                         STATUS_INVALID);
    assert_int_equal(task(call).state, TASK_QUEUED);
    report(call, OUTCOME_NO_ANSWER);
    assert_int_equal(world_report(&world, call, 1, REPORT_AMEND, OUTCOME_DELIVERED, "a1"),
                     STATUS_INVALID);
    assert_int_equal(person().attempts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- the shipped default ---------------------------------------------------------------------- */

static const struct registry *registry(void)
{
    return recovery_registry(world.recovery);
}

static uint32_t pinned_to(const char *phone)
{
    struct person_row row;

    assert_int_equal(world_optin(&world, phone, NULL, NULL, phone, 0), STATUS_OK);
    assert_true(world_person(&world, world.settlement.optin.person, &row));
    return row.playbook;
}

/* What an earlier release shipped: calls only once. */
static void ship_another(void)
{
    static char bytes[8192];
    struct text settings = text_over(bytes, sizeof(bytes) - 1);

    text_string(&settings, "{\"id\":\"default\",\"version\":1,\"yaml\":");
    text_json_string(&settings, SLICE("based_on: default\nname: default\ntitle: Of before\n"
                                      "calls: {attempts_least: 9}\n"));
    text_char(&settings, '}');
    bytes[settings.length] = '\0';
    world_admin(&world, ENTITY_PLAYBOOK, bytes);
}

static void who_goes_by_the_shipped_default_does_so_when_another_one_is_shipped(void **unused)
{
    uint32_t old, newest;

    (void)unused;
    ship_another();
    old = pinned_to("+12155550001");
    assert_int_equal(old, registry_shipped(registry()));
    assert_int_equal(registry_playbook(registry(), old)->calls.attempts_least, 9);

    world.keeps_shipped = true;
    world_reopen(&world, true, false);
    newest = pinned_to("+12155550002");
    assert_int_not_equal(newest, old);
    assert_int_equal(registry_playbook_version(registry(), newest)->version, 2);
    assert_true(hash_equal(registry_playbook(registry(), newest)->hash, playbook_shipped()->hash));
    assert_int_equal(registry_playbook(registry(), old)->calls.attempts_least, 9);
    uint64_t before = state_meta(world.state)->folded_seq;
    world_reopen(&world, false, true); /* it is kept already */
    assert_int_equal(state_meta(world.state)->folded_seq, before);
    assert_int_equal(pinned_to("+12155550003"), newest);
}

/* Their rows name no version: it was not kept then. */
static void who_is_of_before_stays_with_the_first_that_was_kept(void **unused)
{
    struct person_row row;

    (void)unused;
    assert_int_equal(pinned_to("+12155550001"), 0);
    ship_another();
    world.keeps_shipped = true;
    world_reopen(&world, true, false);
    assert_true(world_person(&world, 1, &row));
    assert_int_equal(row.playbook, 0);
    assert_int_equal(registry_playbook(registry(), 0)->calls.attempts_least, 9);
    assert_int_equal(registry_pinned(registry(), 0), registry_shipped(registry()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_stage_of_another_ladder_is_no_conversation),
        TEST(a_field_may_be_a_number_or_a_boolean),
        TEST(who_comes_again_after_a_breach_is_promised_an_answer_anew),
        TEST(a_breached_call_in_somebodys_hand_is_left_there),
        TEST(after_a_days_downtime_the_window_is_this_days),
        TEST(what_only_happens_to_mail_is_no_outcome_of_a_call),
        TEST(leases_are_as_the_playbook_has_them),
        TEST(a_queue_may_say_otherwise),
        TEST(who_goes_by_the_shipped_default_does_so_when_another_one_is_shipped),
        TEST(who_is_of_before_stays_with_the_first_that_was_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
