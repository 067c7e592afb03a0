/* What nobody can be reached or addressed by: a number that is none or that the site does not call,
 * a malformed address, a name that is no name. It stands in the way of nothing that is known or
 * found. Every test ends by comparing state with a rebuild. */
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

#define PREMIUM   "+19005550147"
#define MALFORMED "dana@example"

/* Of the person, with what comes next: findings have a phone and an e-mail as well. */
#define DIALS  "\"phone\":\"" PHONE "\",\"email\":"
#define WRITES "\"email\":\"" EMAIL "\",\"stage\":"

/* The person's, who may be somebody known. */
static uint64_t comes_with(const char *phone, const char *email, uint8_t flags)
{
    world.now_ms += HOUR;
    assert_int_equal(world_optin(&world, phone, email, NULL, "more", flags), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    return world.settlement.optin.task;
}

static bool shows(const struct task_row *row, const char *wanted)
{
    return strstr(member_of(1, row), wanted) != NULL;
}

static void assert_shows(enum task_channel channel, const char *wanted)
{
    struct task_row row = open_task(1, channel);

    assert_int_not_equal(row.number, 0);
    assert_true(shows(&row, wanted));
}

static void wait_for(enum task_channel channel)
{
    for (unsigned i = 0; i < 60 && open_task(1, channel).number == 0; i++)
        world_live(&world, world.now_ms + 6 * HOUR);
}

/* Of somebody who gave nothing better. */
static void research_finds(const char *finds)
{
    assert_int_equal(world.settlement.optin.reason, NO_TASK_UNREACHABLE);
    world.finds = finds;
    report(open_task(1, TASK_RESEARCH).number, OUTCOME_RESEARCHED);
    world.finds = NULL;
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
}

/* --- what is found ------------------------------------------------------------------------- */

static void a_number_that_is_found_takes_its_place(void **unused)
{
    static const char *const numbers[] = {PREMIUM, "12"};
    struct task_row call;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (i > 0) {
            tear_down(unused);
            set_up(unused);
        }
        comes_with(numbers[i], NULL, INTAKE_BAD_PHONE | INTAKE_NAME);
        assert_shows(TASK_RESEARCH, numbers[i]); /* who looks may see what was meant */
        research_finds("{\"phone\":\"" PHONE "\"}");
        assert_shows(TASK_CALL, DIALS);
        call = open_call();
        call.renderer = 5; /* which showed what the opt-in says */
        assert_true(shows(&call, numbers[i]));
    }
}

static void an_address_that_is_found_takes_its_place(void **unused)
{
    (void)unused;
    comes_with(NULL, MALFORMED, INTAKE_BAD_EMAIL | INTAKE_NAME);
    research_finds("{\"email\":\"" EMAIL "\"}");
    assert_shows(TASK_CALL, WRITES);
    wait_for(TASK_EMAIL);
    assert_shows(TASK_EMAIL, WRITES);
}

static void it_stays_so_when_it_is_said_again(void **unused)
{
    (void)unused;
    comes_with(PREMIUM, EMAIL, INTAKE_BAD_PHONE);
    world.finds = "{\"phone\":\"" PHONE "\"}";
    report(open_call().number, OUTCOME_NO_ANSWER);
    world.finds = NULL;
    report(comes_with(PREMIUM, EMAIL, INTAKE_BAD_PHONE), OUTCOME_NO_ANSWER);
    wait_for(TASK_CALL);
    assert_shows(TASK_CALL, DIALS);
}

static void it_is_that_one_which_is_wrong(void **unused)
{
    (void)unused;
    comes_with(PREMIUM, NULL, INTAKE_BAD_PHONE | INTAKE_NAME);
    research_finds("{\"phone\":\"" PHONE "\"}");
    report(open_call().number, OUTCOME_WRONG_NUMBER);
    assert_true(person().silenced >> TASK_CALL & 1);
}

/* --- what is known ------------------------------------------------------------------------- */

static void a_number_that_is_known_stays(void **unused)
{
    static const char *const numbers[] = {PREMIUM, "12"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (i > 0) {
            tear_down(unused);
            set_up(unused);
        }
        report(opt_in("one"), OUTCOME_NO_ANSWER);
        comes_with(numbers[i], EMAIL, INTAKE_BAD_PHONE);
        assert_shows(TASK_CALL, DIALS);
        report(open_call().number, OUTCOME_NO_ANSWER);
        wait_for(TASK_CALL);
        assert_int_equal(open_call().kind, TASK_RETRY);
        assert_shows(TASK_CALL, DIALS);
    }
}

static void an_address_that_is_known_stays(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    report(open_task(1, TASK_EMAIL).number, OUTCOME_DELIVERED);
    report(comes_with(PHONE, MALFORMED, INTAKE_BAD_EMAIL), OUTCOME_NO_ANSWER);
    wait_for(TASK_EMAIL);
    assert_shows(TASK_EMAIL, WRITES);
}

static void a_name_that_is_known_stays(void **unused)
{
    static const char *const names[] = {"-", "test", "Mr.", "{{first_name}}"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (i > 0) {
            tear_down(unused);
            set_up(unused);
        }
        report(opt_in("one"), OUTCOME_NO_ANSWER);
        world.name = names[i];
        comes_with(PHONE, EMAIL, 0);
        assert_shows(TASK_CALL, "\"name\":\"Dana Rivera\",\"first_name\":\"Dana\"");
        report(open_call().number, OUTCOME_NO_ANSWER);
        wait_for(TASK_CALL);
        assert_shows(TASK_CALL, "\"name\":\"Dana Rivera\",\"first_name\":\"Dana\"");
    }
}

static void rules_know_that_there_is_a_name(void **unused)
{
    (void)unused;
    use_playbook(BASED "segments:\n"
                       "  - {id: named, when: name, cadence: nurture, sla: hour, "
                       "escalation: usual}\n"
                       "  - {id: all, cadence: new_lead, sla: hour, escalation: usual}\n");
    comes_with(PHONE, EMAIL, INTAKE_TEST); /* which begins nothing */
    world.name = "-";
    comes_with(PHONE, EMAIL, 0);
    assert_int_equal(person().segment, 1);
}

static void one_that_comes_later_takes_its_place(void **unused)
{
    (void)unused;
    world.name = "-";
    report(comes_with("12", EMAIL, INTAKE_BAD_PHONE), OUTCOME_NO_ANSWER);
    world.name = NULL;
    report(comes_with(PHONE, EMAIL, 0), OUTCOME_NO_ANSWER);
    wait_for(TASK_CALL);
    assert_shows(TASK_CALL, "\"name\":null,\"first_name\":null,\"phone\":\"" PHONE "\"");
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "two", 0), STATUS_OK);
    report(open_call().number, OUTCOME_NO_ANSWER);
    world.name = "Dana";
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "three", 0), STATUS_OK);
    wait_for(TASK_CALL);
    assert_shows(TASK_CALL, "\"name\":\"Dana\",\"first_name\":\"Dana\",\"phone\":\"" PHONE "\"");
}

/* --- nothing better ------------------------------------------------------------------------ */

static void nobody_dials_what_the_site_does_not_call(void **unused)
{
    (void)unused;
    comes_with(PREMIUM, EMAIL, INTAKE_BAD_PHONE);
    assert_true(person().flags & PERSON_BAD_PHONE);
    assert_shows(TASK_CALL, "\"phone\":null,\"email\":\"" EMAIL "\"");
    report(open_call().number, OUTCOME_NO_ANSWER);
    world.name = NULL; /* which the first one has, beside that number */
    assert_int_not_equal(comes_with(NULL, EMAIL, 0), 0);
    assert_int_not_equal(open_call().more_seq, 0);
    assert_shows(TASK_CALL, "\"first_name\":\"Dana\",\"phone\":null,\"email\":\"" EMAIL "\"");
}

/* By the same renderer, which keeps what tasks of an opt-in have in common. */
static void each_task_has_its_own_bytes(void **unused)
{
    static struct optin optin;
    static char bytes[3][TASK_BYTES_MAX];
    struct renderer renderer = {.registry = recovery_registry(world.recovery),
                                .id_key = recovery_id_key(world.recovery),
                                .node = "n1",
                                .prefix = "hl",
                                .optin = &optin,
                                .keeps = true};
    struct task_row rows[3];

    (void)unused;
    comes_with(PREMIUM, EMAIL, INTAKE_BAD_PHONE);
    rows[0] = rows[1] = rows[2] = open_call();
    rows[1].renderer = 5;
    rows[2].channel = TASK_RESEARCH;
    assert_int_equal(journal_reader_open(recovery_journal(world.recovery), &renderer.reader),
                     STATUS_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct text out = text_over(bytes[i], sizeof(bytes[i]) - 1);
        render_member(&renderer, 1, person().first_ms, &rows[0], &out);
        out.length = 0;
        render_member(&renderer, 1, person().first_ms, &rows[i], &out);
    }
    journal_reader_close(renderer.reader);
    assert_non_null(strstr(bytes[0], "\"phone\":null"));
    assert_non_null(strstr(bytes[1], "\"phone\":\"" PREMIUM "\""));
    assert_non_null(strstr(bytes[2], "\"phone\":\"" PREMIUM "\""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_number_that_is_found_takes_its_place),
        TEST(an_address_that_is_found_takes_its_place),
        TEST(it_is_that_one_which_is_wrong),
        TEST(it_stays_so_when_it_is_said_again),
        TEST(a_number_that_is_known_stays),
        TEST(an_address_that_is_known_stays),
        TEST(a_name_that_is_known_stays),
        TEST(rules_know_that_there_is_a_name),
        TEST(one_that_comes_later_takes_its_place),
        TEST(nobody_dials_what_the_site_does_not_call),
        TEST(each_task_has_its_own_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
