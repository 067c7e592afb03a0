/* What managers do by hand, over HTTP: moves of one person and of all, merges and their undo. */
#include "tests/api_tokens.h"

static char person[64], task[64];

static void opt_in(const char *body)
{
    assert_answer(ask_as(sk, "POST /v1/optins", body), 201);
    told("person", person, sizeof(person));
}

/* One person is there, with a call. */
static int set_up(void **state)
{
    rig_open(state);
    add_told("sites", "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}", "sk", sk);
    add_told("tokens", "{\"id\":\"m\",\"role\":\"manager\",\"agency\":\"acme\"}", "token", manager);
    add_told("tokens", "{\"id\":\"a\",\"role\":\"agent\",\"agency\":\"acme\"}", "token", agent);
    add("agencies", "{\"id\":\"rival\"}");
    add_told("tokens", "{\"id\":\"r\",\"role\":\"manager\",\"agency\":\"rival\"}", "token", rival);
    opt_in("{\"phone\":\"+12155550147\",\"name\":\"Dana\"}");
    told("task", task, sizeof(task));
    return 0;
}

static int by_hand(const char *key, const char *id, const char *verb, const char *body)
{
    char line[128];

    snprintf(line, sizeof(line), "POST /v1/people/%s/%s", id, verb);
    return ask_as(key, line, body);
}

static int move(const char *body)
{
    return by_hand(manager, person, "move", body);
}

static void report(const char *body)
{
    char line[128];

    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", task);
    assert_answer(ask_as(manager, line, body), 200);
}

/* Version 1 and 2 of acme's own playbook. */
static void add_playbook(void)
{
    add("playbooks", "{\"id\":\"acme.a\",\"agency\":\"acme\",\"yaml\":\"based_on: default\\n"
                     "name: own\\ntitle: One\\n\"}");
    add("playbooks", "{\"id\":\"acme.a\",\"agency\":\"acme\",\"yaml\":\"based_on: default\\n"
                     "name: own\\ntitle: Two\\n\"}");
}

/* The ladder of five, which has no stage of the default's first id. */
static void add_ladder_of_five(void)
{
    static char yaml[16 * 1024], bytes[64 * 1024];
    struct text body = text_over(bytes, sizeof(bytes) - 1);
    FILE *file = fopen(SOURCE_DIR "/deploy/playbooks/ladder-five.yaml", "re");

    assert_non_null(file);
    size_t length = fread(yaml, 1, sizeof(yaml), file);
    fclose(file);
    text_string(&body, "{\"id\":\"acme.five\",\"agency\":\"acme\",\"yaml\":");
    text_json_string(&body, (struct slice){yaml, length});
    text_char(&body, '}');
    bytes[body.length] = '\0';
    add("playbooks", bytes);
}

/* --- one person --------------------------------------------------------------------------------
 */

static void a_person_goes_to_the_stage_that_a_manager_says(void **state)
{
    (void)state;
    report("{\"delivery\":1,\"outcome\":\"information\"}");
    assert_answer(move("{\"stage\":\"opportunity\"}"), 409);
    assert_body_has("what the stage or the transition needs is not known of the person");
    assert_answer(move("{\"stage\":\"customer\"}"), 409);
    assert_body_has("no transition by hand leads from the person's stage to that one");
    assert_answer(move("{\"stage\":\"moon\"}"), 422);
    assert_body_has("the person's playbook has no such stage");
    assert_answer(move("{\"stage\":\"lead\"}"), 200);
    assert_body_has("{\"moved\":false,\"person\":\"per_");
}

static void a_transition_by_hand_is_gone_and_told(void **state)
{
    char answers[256];

    (void)state;
    add("playbooks", "{\"id\":\"acme.a\",\"agency\":\"acme\",\"yaml\":\"based_on: default\\n"
                     "name: own\\ntitle: One\\ntransitions:\\n"
                     "  - {from: optin, to: lead, on: [conversation, hand]}\\n"
                     "  - {from: lead, to: opportunity, on: hand}\\n"
                     "  - {from: [optin, lead, opportunity], to: customer, on: sold}\\n"
                     "  - {from: customer, to: referrer, on: referral}\\n\"}");
    assert_answer(move("{\"playbook\":\"acme.a\"}"), 200);
    assert_answer(move("{\"stage\":\"lead\",\"note\":\"rang us\"}"), 200);
    snprintf(answers, sizeof(answers),
             "{\"moved\":true,\"person\":\"%s\",\"what\":\"stage\","
             "\"from_stage\":\"optin\",\"to_stage\":\"lead\"}",
             person);
    assert_string_equal(rig.body, answers);
}

static void one_thing_is_done_at_a_time(void **state)
{
    static const char *const wrong[][2] = {
        {"{}", "stage"},
        {"{\"note\":\"x\"}", "stage"},
        {"{\"stage\":\"lead\",\"review\":false}", "review"},
        {"{\"version\":1}", "playbook"},
        {"{\"playbook\":\"acme.a\",\"version\":\"1\"}", "version"},
        {"{\"stage\":\"\"}", "stage"},
        {"{\"review\":true}", "review"},
        {"{\"do_not_contact\":true}", "do_not_contact"},
        {"{\"do_not_contact\":null}", "do_not_contact"},
        {"{\"colour\":\"red\"}", "colour"},
        {"{\"stage\":\"lead\",\"version\":1}", "version"},
        {"{\"playbook\":\"acme.a\",\"version\":0}", "version"},
        {"{\"playbook\":\"acme.a\",\"version\":3}", "version"},
        {"{\"playbook\":\"acme.b\",\"version\":1}", "playbook"},
        {"{\"playbook\":\"acme.b\"}", "playbook"},
        {"{\"playbook\":\"default\",\"version\":2}", "version"},
        {"{\"stage\":\"lead\",\"note\":7}", "note"},
    };
    char wanted[64];

    (void)state;
    add_playbook();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_answer(move(wrong[i][0]), 422);
        snprintf(wanted, sizeof(wanted), "the value of %s cannot be used", wrong[i][1]);
        assert_body_has(wanted);
    }
}

static void do_not_contact_is_taken_back(void **state)
{
    (void)state;
    report("{\"delivery\":1,\"outcome\":\"do_not_contact\"}");
    assert_answer(move("{\"do_not_contact\":false}"), 200);
    assert_body_has("{\"moved\":true,");
    assert_body_has("\"what\":\"contact_again\"");
    assert_answer(move("{\"do_not_contact\":false}"), 200);
    assert_body_has("{\"moved\":false,");
}

static void a_person_goes_over_to_a_version(void **state)
{
    (void)state;
    add_playbook();
    assert_answer(move("{\"playbook\":\"acme.a\",\"version\":1}"), 200);
    assert_body_has("\"from_playbook\":{\"id\":\"default\",\"version\":1},"
                    "\"to_playbook\":{\"id\":\"acme.a\",\"version\":1},\"lost\":[]");
    assert_answer(move("{\"playbook\":\"acme.a\"}"), 200);
    assert_body_has("\"to_playbook\":{\"id\":\"acme.a\",\"version\":2}");
    assert_answer(move("{\"playbook\":\"default\"}"), 200);
    assert_body_has("\"to_playbook\":{\"id\":\"default\",\"version\":1}");
    add_ladder_of_five();
    assert_answer(move("{\"playbook\":\"acme.five\"}"), 409);
    assert_body_has("that version has no stage of the id that the person is in");
}

static void only_managers_of_their_agency_do_it(void **state)
{
    char other[64];

    (void)state;
    snprintf(other, sizeof(other), "{\"other\":\"%s\"}", person);
    for (const char *const *verb = (const char *const[]){"merge", "unmerge", NULL}; *verb; verb++) {
        assert_answer(by_hand(rival, person, *verb, other), 404);
        assert_answer(by_hand(agent, person, *verb, other), 403);
        assert_answer(by_hand(manager, "per_x", *verb, other), 404);
    }
    assert_answer(by_hand(rival, person, "move", "{\"review\":false}"), 404);
    assert_answer(by_hand(agent, person, "move", "{\"review\":false}"), 403);
    assert_answer(by_hand(manager, "per_x", "move", "{\"review\":false}"), 404);
    assert_answer(by_hand(manager, person, "move", "[]"), 400);
    rig.submit_status = STATUS_BUSY;
    assert_answer(move("{\"review\":false}"), 503);
}

/* --- two people --------------------------------------------------------------------------------
 */

static void two_are_made_one_and_parted_again(void **state)
{
    char one[64], body[128], wanted[256];

    (void)state;
    snprintf(one, sizeof(one), "%s", person);
    rig.world.now_ms += 1000;
    opt_in("{\"email\":\"dana@example.com\"}");
    snprintf(body, sizeof(body), "{\"other\":\"%s\",\"note\":\"same voice\"}", one);
    assert_answer(by_hand(manager, person, "unmerge", body), 409);
    assert_body_has("the other one is not merged into this person");
    assert_answer(by_hand(manager, person, "merge", body), 200);
    /* Whoever came first is left. */
    snprintf(wanted, sizeof(wanted), "{\"merged\":true,\"person\":\"%s\",\"other\":\"%s\"}", one,
             person);
    assert_string_equal(rig.body, wanted);
    assert_answer(by_hand(manager, person, "merge", body), 409);
    assert_body_has("the person was merged into another one: ask for that one");
    assert_answer(move("{\"review\":false}"), 409);
    assert_body_has("the person was merged into another one");
    snprintf(body, sizeof(body), "{\"other\":\"%s\"}", person);
    assert_answer(by_hand(manager, one, "unmerge", body), 200);
    snprintf(wanted, sizeof(wanted), "{\"merged\":false,\"person\":\"%s\",\"other\":\"%s\"}", one,
             person);
    assert_string_equal(rig.body, wanted);
}

static void a_merge_says_with_whom(void **state)
{
    char body[128];

    (void)state;
    assert_answer(by_hand(manager, person, "merge", "{}"), 422);
    assert_body_has("the value of other cannot be used");
    assert_answer(by_hand(manager, person, "merge", "{\"other\":\"per_x\"}"), 422);
    snprintf(body, sizeof(body), "{\"other\":\"%s\"}", person);
    assert_answer(by_hand(manager, person, "merge", body), 422);
    assert_body_has("that is the same person");
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int move_people(const char *key, const char *body)
{
    return ask_as(key, "POST /v1/people/move", body);
}

static void opt_in_many(unsigned count)
{
    char body[64];

    for (unsigned i = 0; i < count; i++) {
        snprintf(body, sizeof(body), "{\"email\":\"p%u@example.com\"}", i);
        opt_in(body);
    }
}

static void all_go_over_page_by_page(void **state)
{
    char next[32], body[128];

    (void)state;
    opt_in_many(120);
    add_playbook();
    assert_answer(move_people(manager, "{\"to\":\"acme.a@1\"}"), 200);
    assert_body_has("{\"moved\":100,\"kept\":[],\"lost\":[],\"next\":\"");
    told("next", next, sizeof(next));
    snprintf(body, sizeof(body), "{\"to\":\"acme.a@1\",\"after\":\"%s\"}", next);
    assert_answer(move_people(manager, body), 200);
    assert_string_equal(rig.body, "{\"moved\":21,\"kept\":[],\"lost\":[],\"next\":null}");
    assert_answer(move_people(manager, "{\"to\":\"acme.a@1\"}"), 200);
    assert_string_equal(rig.body, "{\"moved\":0,\"kept\":[],\"lost\":[],\"next\":null}");
}

static void only_those_of_a_version_go_over(void **state)
{
    (void)state;
    opt_in_many(3);
    add_playbook();
    assert_answer(move("{\"playbook\":\"acme.a\",\"version\":1}"), 200);
    assert_answer(move_people(manager, "{\"from\":\"acme.a@1\",\"to\":\"acme.a\"}"), 200);
    assert_body_has("{\"moved\":1,");
    assert_answer(move_people(rig.token, "{\"agency\":\"acme\",\"from\":\"default\","
                                         "\"to\":\"acme.a\"}"),
                  200);
    assert_body_has("{\"moved\":3,");
}

static void who_cannot_go_over_stays_and_is_named(void **state)
{
    char wanted[256];

    (void)state;
    add_ladder_of_five();
    assert_answer(move_people(manager, "{\"to\":\"acme.five\"}"), 200);
    snprintf(wanted, sizeof(wanted),
             "{\"moved\":0,\"kept\":[{\"code\":\"conflict\",\"person\":\"%s\",\"detail\":"
             "\"that version has no stage of the id",
             person);
    assert_body_has(wanted);
}

static void a_page_that_cannot_be_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"{\"to\":\"acme.a@9\"}", "to"},
        {"{\"to\":\"acme.a@\"}", "to"},
        {"{\"to\":\"acme.a@x\"}", "to"},
        {"{\"to\":\"default@2\"}", "to"},
        {"{\"from\":\"acme.b\"}", "from"},
        {"{\"after\":\"x\"}", "after"},
        {"{\"after\":7}", "after"},
        {"{\"agency\":\"none\"}", "agency"},
        {"{\"after\":\"123456789012345678901\"}", "after"},
    };
    char wanted[64];

    (void)state;
    add_playbook();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_answer(move_people(manager, wrong[i][0]), 422);
        snprintf(wanted, sizeof(wanted), "the value of %s cannot be used", wrong[i][1]);
        assert_body_has(wanted);
    }
    assert_answer(move_people(rig.token, "{}"), 422); /* whose? */
    assert_answer(move_people(rival, "{\"agency\":\"acme\"}"), 403);
    assert_answer(move_people(agent, "{}"), 403);
    rig.ready = false;
    assert_answer(move_people(manager, "{}"), 503);
    rig.ready = true;
    rig.submit_status = STATUS_BUSY;
    assert_answer(move_people(manager, "{}"), 503);
}

/* A page of nobody would not tell where to go on. */
static void a_writer_that_takes_nobody_is_said(void **state)
{
    char headers[256];

    (void)state;
    opt_in_many(3);
    add_playbook();
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", manager);
    send_request("POST /v1/people/move", headers, "{\"to\":\"acme.a\"}");
    rig.submit_status = STATUS_BUSY;
    settle();
    assert_answer(rig.status, 503);
    rig.submit_status = STATUS_OK;
    assert_answer(move_people(manager, "{\"to\":\"acme.a\"}"), 200);
    assert_body_has("{\"moved\":4,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)
        TEST(a_person_goes_to_the_stage_that_a_manager_says),
        TEST(a_transition_by_hand_is_gone_and_told),
        TEST(one_thing_is_done_at_a_time),
        TEST(do_not_contact_is_taken_back),
        TEST(a_person_goes_over_to_a_version),
        TEST(only_managers_of_their_agency_do_it),
        TEST(two_are_made_one_and_parted_again),
        TEST(a_merge_says_with_whom),
        TEST(all_go_over_page_by_page),
        TEST(only_those_of_a_version_go_over),
        TEST(who_cannot_go_over_stays_and_is_named),
        TEST(a_page_that_cannot_be_is_refused),
        TEST(a_writer_that_takes_nobody_is_said),
    };
    rig_keeps_shipped = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
