/* The name guard, research, and who referred whom. Every test ends by comparing state with a
 * rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/id.h"
#include "proto/task.h"
#include "server/engine_internal.h"
#include "tests/life_world.h"

/* --- names -------------------------------------------------------------------------------- */

#define HOLDS                                                                                      \
    BASED "cadences:\n"                                                                            \
          "  new_lead:\n"                                                                          \
          "    title: New\n"                                                                       \
          "    for: prospects\n"                                                                   \
          "    then: nurture\n"                                                                    \
          "    steps:\n"                                                                           \
          "      - {id: hello, after: 1h, channel: email, kind: offer, template: hi-name,\n"       \
          "         without_name: hi}\n"                                                           \
          "      - {id: card, after: 1d, channel: postcard, kind: offer, template: card,\n"        \
          "         late_max: 3d, without_name: hold}\n"                                           \
          "      - {id: second, after: 2d, channel: postcard, kind: offer, template: card2,\n"     \
          "         late_max: 3d, without_name: hold}\n"

static void a_robot_says_no_name_to_somebody_nameless(void **unused)
{
    static const char *const nameless[] = {NULL,   " ", "12345",   "dana@example.com",
                                           "test", "-", "Mr. Lee", "\U0001F642"};
    struct task_row mail;

    for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) {
        if (i > 0) {
            tear_down(unused);
            set_up(unused);
        }
        use_playbook(HOLDS);
        world.name = nameless[i];
        report(opt_in("one"), OUTCOME_VOICEMAIL);
        world_live(&world, world.now_ms + HOUR);
        mail = open_task(1, TASK_EMAIL);
        assert_true(mail.flags & TASK_NAMELESS);
        assert_non_null(strstr(member_of(1, &mail), "\"template\":\"hi\""));
        assert_non_null(strstr(member_of(1, &mail), "\"first_name\":null"));
        world_live(&world, world.now_ms + DAY);
        assert_int_equal(open_task(1, TASK_POSTCARD).number, 0);
        assert_int_not_equal(person().held_ms, 0);
    }
}

static void somebody_with_a_name_is_addressed(void **unused)
{
    struct task_row mail;

    (void)unused;
    use_playbook(HOLDS);
    report(opt_in("one"), OUTCOME_VOICEMAIL);
    world_live(&world, world.now_ms + HOUR);
    mail = open_task(1, TASK_EMAIL);
    assert_non_null(strstr(member_of(1, &mail), "\"template\":\"hi-name\""));
    assert_non_null(strstr(member_of(1, &mail), "\"first_name\":\"Dana\""));
    world_live(&world, world.now_ms + DAY);
    assert_int_not_equal(open_task(1, TASK_POSTCARD).number, 0);
}

/* Where the newest opt-in has none, or one that is none, an earlier one has it. */
static void the_task_itself_has_the_name(void **unused)
{
    struct task_row mail, card;

    (void)unused;
    use_playbook(HOLDS);
    opt_in("one");
    world.name = NULL;
    world.now_ms += 10 * MINUTE;
    opt_in("two");
    world_live(&world, WORLD_START_MS + HOUR);
    mail = open_task(1, TASK_EMAIL);
    assert_false(mail.flags & TASK_NAMELESS);
    assert_non_null(strstr(member_of(1, &mail), "\"name\":\"Dana Rivera\""));
    world.name = "12345";
    opt_in("three");
    world_live(&world, WORLD_START_MS + DAY + HOUR);
    card = open_task(1, TASK_POSTCARD);
    assert_int_not_equal(card.number, 0);
    assert_non_null(strstr(member_of(1, &card), "\"name\":\"Dana Rivera\""));
}

/* What was a name then is one still, also beside what was found out. */
static void an_older_task_keeps_the_name_that_it_had(void **unused)
{
    struct task_row call;

    (void)unused;
    world.name = "\xF0\x9F\x99\x82"; /* a picture, which was a name up to renderer 4 */
    world.finds = "{\"name\":\"Dana\"}";
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world.finds = NULL;
    world_live(&world, WORLD_START_MS + HOUR);
    call = open_call();
    assert_int_not_equal(call.known_seq, 0);
    assert_non_null(strstr(member_of(1, &call), "\"first_name\":\"Dana\""));
    call.renderer = 4;
    assert_non_null(strstr(member_of(1, &call), "\"first_name\":\"\xF0\x9F\x99\x82\""));
}

static void hold_for_a_day(void)
{
    use_playbook(HOLDS);
    world.name = NULL;
    opt_in("one");
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + DAY);
    assert_int_equal(person().held_step, 2);
    assert_int_equal(person().held_ms, WORLD_START_MS + 4 * DAY);
}

static void a_held_step_is_made_when_a_name_comes(void **unused)
{
    struct task_row card;

    (void)unused;
    hold_for_a_day();
    world.name = "Dana";
    opt_in("two");
    world_pass(&world, 0);
    card = open_task(1, TASK_POSTCARD);
    assert_int_equal(card.step, 2);
    assert_int_equal(card.flags & TASK_NAMELESS, 0);
    assert_non_null(strstr(member_of(1, &card), "\"name\":\"Dana\""));
    assert_int_equal(person().held_ms, 0);
    world_pass(&world, 0);
    assert_int_equal(world.records, 0);
}

static void a_name_that_was_found_out_releases_it_too(void **unused)
{
    struct task_row card;

    (void)unused;
    hold_for_a_day();
    world.finds = "{\"name\":\"Dana\"}";
    report(open_call().number, OUTCOME_NO_ANSWER);
    world.finds = NULL;
    world_pass(&world, 31 * MINUTE); /* the gap between two touches */
    card = open_task(1, TASK_POSTCARD);
    assert_int_equal(card.step, 2);
    assert_non_null(strstr(member_of(1, &card), "\"name\":\"Dana\""));
}

static void without_a_name_it_is_left_out_when_it_is_too_late(void **unused)
{
    unsigned skipped = 0;

    (void)unused;
    hold_for_a_day();
    world_live(&world, WORLD_START_MS + 6 * DAY);
    for (unsigned i = 0; i < world.step_count; i++) {
        const struct world_step *step = &world.steps[i];
        if (step->effect.channel != TASK_POSTCARD)
            continue;
        assert_int_equal(step->effect.skip, SKIP_NO_NAME);
        skipped++;
        /* The later one takes the place of the earlier one, then is too late itself. */
        assert_int_equal(step->now_ms, WORLD_START_MS + (skipped == 1 ? 2 : 5) * DAY);
    }
    assert_int_equal(skipped, 2);
    assert_int_equal(person().held_ms, 0);
    assert_int_equal(open_task(1, TASK_POSTCARD).number, 0);
}

static void never_again_ends_what_is_held(void **unused)
{
    (void)unused;
    hold_for_a_day();
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(person().held_ms, 0);
    assert_int_equal(person().due_ms, 0);
}

/* --- research ----------------------------------------------------------------------------- */

static uint64_t until_of(const char *member)
{
    const char *at = strstr(member, "\"until_ms\":");

    return at != NULL ? strtoull(at + strlen("\"until_ms\":"), NULL, 10) : 0;
}

static void a_first_response_says_what_to_look_up_and_until_when(void **unused)
{
    struct task_row call;
    const char *member;

    (void)unused;
    opt_in("one");
    call = open_call();
    member = member_of(1, &call);
    assert_non_null(strstr(member, "\"research\":{\"script\":\"look-them-up\""));
    assert_non_null(strstr(member, "Company and size"));
    assert_int_equal(until_of(member), WORLD_START_MS + 3 * MINUTE);
    assert_true(until_of(member) < call.deadline_ms);
}

static void it_never_takes_the_time_of_the_call(void **unused)
{
    struct task_row call;

    (void)unused;
    use_playbook(BASED "research: {box: 270s, script: look, finds: [Role]}\n");
    opt_in("one");
    call = open_call();
    assert_int_equal(until_of(member_of(1, &call)), call.deadline_ms - MINUTE);
}

static void later_calls_need_none(void **unused)
{
    struct task_row call;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, world.now_ms + HOUR);
    call = open_call();
    assert_null(strstr(member_of(1, &call), "\"research\""));
}

static void what_is_found_while_it_is_held_stays_with_the_person(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    assert_int_equal(world_report(&world, task, 1, REPORT_CLAIM, OUTCOME_NONE, "a1"), STATUS_OK);
    world.finds = "{\"Their role\":\"owner\",\"Company and size\":\"12\","
                  "\"Their number\":18446744073709551616}";
    assert_int_equal(world_report(&world, task, 1, REPORT_EXTEND, OUTCOME_NONE, "a1"), STATUS_OK);
    world.finds = NULL;
    assert_string_equal(life_known_value(KNOWN_FINDING, "Their role"), "owner");
    report(task, OUTCOME_CONVERSATION);
    assert_string_equal(life_known_value(KNOWN_FINDING, "Company and size"), "12");
    assert_string_equal(life_known_value(KNOWN_FINDING, "Their number"), "18446744073709551616");
}

static uint64_t unreachable(void)
{
    assert_int_equal(world_optin(&world, NULL, NULL, NULL, "n", INTAKE_NAME), STATUS_OK);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_UNREACHABLE);
    assert_int_equal(open_task(1, TASK_RESEARCH).queue, research);
    return open_task(1, TASK_RESEARCH).number;
}

static void a_phone_that_was_found_opens_the_call(void **unused)
{
    uint64_t task;
    struct task_row call;

    (void)unused;
    task = unreachable();
    struct task_row look = open_task(1, TASK_RESEARCH);
    assert_int_equal(until_of(member_of(1, &look)), look.deadline_ms);
    world.now_ms += HOUR;
    world.finds = "{\"phone\":\"(215) 555-0147\",\"email\":\"Dana@Example.com\"}";
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_RESEARCHED, "a1"),
                     STATUS_OK);
    world.finds = NULL;
    call = open_call();
    assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
    assert_int_equal(call.deadline_ms, world.now_ms + 5 * MINUTE);
    assert_non_null(strstr(member_of(1, &call), "\"phone\":\"+12155550147\""));
    assert_non_null(strstr(member_of(1, &call), "\"email\":\"dana@example.com\""));
    assert_int_equal(open_task(1, TASK_RESEARCH).number, 0);
    assert_int_not_equal(open_task(1, TASK_EMAIL).number, 0); /* the campaign begins */
    /* And they are found by it. */
    world_optin(&world, PHONE, NULL, NULL, "again", 0);
    assert_int_equal(world.settlement.optin.person, 1);
}

/* What is looked for once more where nothing was found at first. */
static void a_phone_that_an_amendment_brings_opens_the_call(void **unused)
{
    uint64_t task = unreachable();

    (void)unused;
    report(task, OUTCOME_RESEARCHED);
    assert_int_equal(open_call().number, 0);
    world.now_ms += MINUTE;
    world.finds = "{\"phone\":\"" PHONE "\",\"email\":\"" EMAIL "\"}";
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_RESEARCHED, "a1"),
                     STATUS_OK);
    world.finds = NULL;
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    assert_int_equal(open_call().deadline_ms, world.now_ms + 5 * MINUTE);
    assert_int_not_equal(open_task(1, TASK_EMAIL).number, 0);
}

static void a_phone_of_somebody_else_is_for_a_manager(void **unused)
{
    uint64_t task;
    struct state_edge edge;

    (void)unused;
    task = unreachable();
    opt_in("two");
    assert_int_equal(world.settlement.optin.person, 2);
    world.finds = "{\"phone\":\"" PHONE "\"}";
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_RESEARCHED, "a1"),
                     STATUS_OK);
    world.finds = NULL;
    assert_true(person().flags & PERSON_REVIEW);
    assert_true(hash_is_none(person().phone));
    assert_true(state_edge_next(world.state, 1, EDGE_COLLIDES, 0, &edge));
    assert_int_equal(edge.other, 2);
    assert_int_equal(open_call().number, 0);
}

static void what_is_no_phone_is_refused(void **unused)
{
    uint64_t task;

    (void)unused;
    task = unreachable();
    world.finds = "{\"phone\":\"12\"}";
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_RESEARCHED, "a1"),
                     STATUS_INVALID);
    world.finds = NULL;
    assert_int_equal(world.settlement.odd_item, 1);
}

static void nothing_found_leaves_an_end_or_a_next_step(void **unused)
{
    struct person_row row;

    (void)unused;
    report(unreachable(), OUTCOME_RESEARCHED);
    row = person();
    assert_true(row.due_ms != 0 || row.closed != PERSON_WORKED);
}

/* --- referrals ---------------------------------------------------------------------------- */

static void assert_referred(uint64_t referrer, uint64_t referred)
{
    struct state_edge edge;

    assert_true(state_edge_next(world.state, referrer, EDGE_REFERRED, referred, &edge));
    assert_int_equal(edge.other, referred);
    assert_true(state_edge_next(world.state, referred, EDGE_REFERRED_BY, referrer, &edge));
    assert_int_equal(edge.other, referrer);
}

static void who_referred_is_found_by_phone_mail_or_id(void **unused)
{
    char id[ID_TEXT_LENGTH + 1] = {0};
    const char *ways[3] = {"(215) 555-0147", EMAIL, id};
    char phone[24];

    (void)unused;
    opt_in("one");
    id_format(id, recovery_id_key(world.recovery), ID_PERSON, person().first_ms, 1);
    for (unsigned i = 0; i < 3; i++) {
        world.referred_by = ways[i];
        snprintf(phone, sizeof(phone), "+1215555019%u", i);
        world_optin(&world, phone, NULL, NULL, phone, 0);
        assert_int_equal(world.settlement.optin.person, i + 2);
        assert_referred(1, i + 2);
    }
    world.referred_by = NULL;
}

static void somebody_unknown_or_oneself_leads_to_nobody(void **unused)
{
    static const char *const ways[] = {"+12155550111", "nobody@example.com", "Uncle Bob",
                                       "per_0000000000000000000000000", PHONE};
    struct state_edge edge;
    char content[16];

    (void)unused;
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        world.referred_by = ways[i];
        snprintf(content, sizeof(content), "c%u", i);
        opt_in(content);
    }
    world.referred_by = NULL;
    assert_false(state_edge_next(world.state, 1, EDGE_REFERRED_BY, 0, &edge));
}

static void an_outcome_referral_names_whom(void **unused)
{
    (void)unused;
    world_optin(&world, "+12155550199", NULL, NULL, "other", 0);
    world_optin(&world, PHONE, NULL, NULL, "one", 0);
    world.value = "+12155550199";
    assert_int_equal(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                                  OUTCOME_REFERRAL, "a1"),
                     STATUS_OK);
    world.value = NULL;
    assert_referred(2, 1);
}

static void assert_referred_nobody(uint64_t referrer)
{
    struct state_edge edge;

    assert_false(state_edge_next(world.state, referrer, EDGE_REFERRED, 0, &edge));
}

/* Within the minute. */
static void amend_to(uint64_t task, enum outcome outcome, const char *whom)
{
    world.value = whom;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, outcome, "a1"), STATUS_OK);
    world.value = NULL;
}

static void an_amendment_to_referral_names_whom(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    world_optin(&world, "+12155550199", NULL, NULL, "other", 0);
    report(task, OUTCOME_NO_ANSWER);
    amend_to(task, OUTCOME_REFERRAL, "+12155550199");
    assert_referred(1, 2);
}

static void an_amendment_takes_back_whom_the_outcome_named(void **unused)
{
    struct state_edge edge;
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    world_optin(&world, "+12155550198", NULL, NULL, "two", 0);
    world_optin(&world, "+12155550199", NULL, NULL, "three", 0);
    world.value = "+12155550198";
    report(task, OUTCOME_REFERRAL);
    amend_to(task, OUTCOME_REFERRAL, "+12155550198");
    assert_referred(1, 2);
    amend_to(task, OUTCOME_REFERRAL, "+12155550199"); /* a slip of the pen */
    assert_referred(1, 3);
    assert_false(state_edge_next(world.state, 2, EDGE_REFERRED_BY, 0, &edge));
    amend_to(task, OUTCOME_NO_ANSWER, NULL);
    assert_referred_nobody(1);
    assert_false(state_edge_next(world.state, 3, EDGE_REFERRED_BY, 0, &edge));
    amend_to(task, OUTCOME_REFERRAL, "+12155550198");
    assert_referred(1, 2);
}

/* By the one who was sent. */
static void says_who_sent(const char *content)
{
    world.referred_by = PHONE;
    assert_int_equal(world_optin(&world, "+12155550199", NULL, NULL, content, 0), STATUS_OK);
    world.referred_by = NULL;
}

static void it_does_not_take_back_what_was_said_before(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    says_who_sent("two");
    world.value = "+12155550199";
    report(task, OUTCOME_REFERRAL);
    amend_to(task, OUTCOME_NO_ANSWER, NULL);
    assert_referred(1, 2);
}

static void nor_what_was_said_since_it_was_taken_back(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    world_optin(&world, "+12155550199", NULL, NULL, "two", 0);
    world.value = "+12155550199";
    report(task, OUTCOME_REFERRAL);
    amend_to(task, OUTCOME_NO_ANSWER, NULL);
    says_who_sent("three");
    amend_to(task, OUTCOME_VOICEMAIL, NULL);
    assert_referred(1, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_robot_says_no_name_to_somebody_nameless),
        TEST(somebody_with_a_name_is_addressed),
        TEST(the_task_itself_has_the_name),
        TEST(an_older_task_keeps_the_name_that_it_had),
        TEST(a_held_step_is_made_when_a_name_comes),
        TEST(a_name_that_was_found_out_releases_it_too),
        TEST(without_a_name_it_is_left_out_when_it_is_too_late),
        TEST(never_again_ends_what_is_held),
        TEST(a_first_response_says_what_to_look_up_and_until_when),
        TEST(it_never_takes_the_time_of_the_call),
        TEST(later_calls_need_none),
        TEST(what_is_found_while_it_is_held_stays_with_the_person),
        TEST(a_phone_that_was_found_opens_the_call),
        TEST(a_phone_that_an_amendment_brings_opens_the_call),
        TEST(a_phone_of_somebody_else_is_for_a_manager),
        TEST(what_is_no_phone_is_refused),
        TEST(nothing_found_leaves_an_end_or_a_next_step),
        TEST(who_referred_is_found_by_phone_mail_or_id),
        TEST(somebody_unknown_or_oneself_leads_to_nobody),
        TEST(an_outcome_referral_names_whom),
        TEST(an_amendment_to_referral_names_whom),
        TEST(an_amendment_takes_back_whom_the_outcome_named),
        TEST(it_does_not_take_back_what_was_said_before),
        TEST(nor_what_was_said_since_it_was_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
