/* Steps by text and voicemail, for which the law and the caps have hours as for calls. */
#include "proto/report.h"
#include "tests/engine_rig.h"

/* One text, at noon of the second day. */
#define PLAYBOOK                                                                                   \
    "based_on: default\\nname: texts\\ntitle: Texts\\ncadences:\\n  new_lead:\\n"                  \
    "    title: Texts\\n    for: prospects\\n    then: nurture\\n    steps:\\n"                    \
    "      - {id: first, day: 1, at: \\\"12:00\\\", channel: sms, kind: helpful, template: a}\\n"

static uint32_t texts;

static int set_up(void **unused)
{
    set_up_world(unused);
    texts = world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.sms\",\"agency\":\"acme\"}");
    world_admin(&world, ENTITY_PLAYBOOK,
                "{\"id\":\"acme.texts\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"" PLAYBOOK
                "\"}");
    struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":\"acme.texts\"}"),
        .admin = {.entity = ENTITY_AGENCY, .number = 1}};
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    return 0;
}

/* 12:00 in Philadelphia on the day after it begins. */
static uint64_t noon(void)
{
    return (WORLD_START_MS / DAY + 1) * DAY + 17 * HOUR;
}

static uint64_t opt_in(void)
{
    assert_int_equal(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_OK);
    return world.settlement.optin.task;
}

static void a_text_does_not_wait_for_itself(void **unused)
{
    (void)unused;
    opt_in();
    world_live(&world, noon() - 1);
    assert_int_equal(world_visible(&world, texts), 0);
    world_live(&world, noon());
    assert_int_equal(world_visible(&world, texts), 1);
}

static void a_text_waits_for_a_call_of_just_now(void **unused)
{
    uint64_t call, tried_ms = noon() - HOUR / 6;

    (void)unused;
    call = opt_in();
    world_live(&world, tried_ms);
    assert_int_equal(world_report(&world, call, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    world_live(&world, tried_ms + HOUR / 2 - 1);
    assert_int_equal(world_visible(&world, texts), 0);
    world_live(&world, tried_ms + HOUR / 2);
    assert_int_equal(world_visible(&world, texts), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_does_not_wait_for_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_waits_for_a_call_of_just_now, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
