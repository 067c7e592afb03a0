/* Playbooks over HTTP: versions, what is wrong with which line, whose they are; and the queues that
 * come with an agency. What is stored is compared with a rebuild at the end of each test. */
#include "tests/api_tokens.h"

#define OWN       "based_on: default\\nname: own\\ntitle: "
#define YAML(end) "\"yaml\":\"" OWN end "\\n\""

static int set_up(void **state)
{
    rig_open(state);
    add("sites", "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}");
    add_told("tokens", "{\"id\":\"m\",\"role\":\"manager\",\"agency\":\"acme\"}", "token", manager);
    add_told("tokens", "{\"id\":\"a\",\"role\":\"agent\",\"agency\":\"acme\"}", "token", agent);
    add("agencies", "{\"id\":\"rival\"}");
    add_told("tokens", "{\"id\":\"r\",\"role\":\"manager\",\"agency\":\"rival\"}", "token", rival);
    return 0;
}

static int set(const char *title)
{
    char body[256];

    snprintf(body, sizeof(body),
             "{\"id\":\"acme.a\",\"agency\":\"acme\",\"yaml\":\"" OWN "%s\\n\"}", title);
    return ask_as(rig.token, "POST /v1/playbooks", body);
}

static void assert_begins(const char *part)
{
    if (strncmp(rig.body, part, strlen(part)) != 0)
        fail_msg("'%s' is not the beginning of: %s", part, rig.body);
}

/* That new people of the site go by, for the loop and for the writer. */
static void assert_of_site(uint32_t number)
{
    const struct registry *both[] = {rig.registry, recovery_registry(rig.world.recovery)};

    for (int i = 0; i < 2; i++) {
        uint32_t site = registry_number(both[i], ENTITY_SITE, SLICE("www"));
        assert_int_equal(registry_playbook_of(both[i], registry_site(both[i], site)), number);
    }
}

/* --- versions ------------------------------------------------------------------------------ */

static void each_that_is_set_is_the_next_version(void **state)
{
    (void)state;
    assert_answer(set("One"), 201);
    assert_body_has("{\"id\":\"acme.a\",\"agency\":\"acme\",\"version\":1,\"number\":1,"
                    "\"name\":\"own\",\"title\":\"One\",\"hash\":\"");
    assert_body_lacks("yaml");
    assert_answer(set("Two"), 201);
    assert_body_has("\"version\":2,\"number\":2,");
    assert_answer(ask_as(manager, "PATCH /v1/playbooks/acme.a", "{" YAML("Three") "}"), 200);
    assert_body_has("\"version\":3,\"number\":3,\"name\":\"own\",\"title\":\"Three\"");
    assert_answer(ask_as(manager, "GET /v1/playbooks/acme.a", ""), 200);
    assert_body_has("\"version\":3,");
    assert_body_has("\"yaml\":\"name: own\\ntitle: \\\"Three\\\"\\nwords:\\n");
    assert_answer(ask_as(manager, "GET /v1/playbooks/acme.a?version=1", ""), 200);
    assert_body_has("\"title\":\"One\"");
    assert_answer(ask_as(manager, "GET /v1/playbooks/acme.a?version=4", ""), 404);
    for (const char *const *bad = (const char *const[]){"0", "x", "-1", "99999999999", NULL}; *bad;
         bad++) {
        char line[64];
        snprintf(line, sizeof(line), "GET /v1/playbooks/acme.a?version=%s", *bad);
        assert_answer(ask_as(manager, line, ""), 422);
    }
}

static void the_same_again_changes_nothing(void **state)
{
    (void)state;
    assert_answer(set("One"), 201);
    uint64_t records = state_meta(rig.world.state)->folded_seq;
    assert_answer(set("One  # as it was"), 200);
    assert_body_has("\"version\":1,");
    assert_int_equal(state_meta(rig.world.state)->folded_seq, records);
}

static void a_list_shows_the_newest_of_ones_own(void **state)
{
    (void)state;
    assert_answer(set("One"), 201);
    assert_answer(set("Two"), 201);
    add("playbooks", "{\"id\":\"acme.b\"," YAML("Three") "}");
    add("playbooks", "{\"id\":\"rival.a\"," YAML("Four") "}");
    assert_answer(ask_as(manager, "GET /v1/playbooks", ""), 200);
    assert_begins("{\"playbooks\":[{\"id\":\"acme.a\",");
    assert_body_has("\"version\":2,");
    assert_body_has("\"title\":\"Three\"");
    assert_body_lacks("rival");
    assert_body_lacks("yaml");
    assert_answer(ask_as(rig.token, "GET /v1/playbooks?after=acme.b", ""), 200);
    assert_begins("{\"playbooks\":[{\"id\":\"rival.a\",");
    assert_body_has("],\"next\":null}");
    assert_answer(ask_as(rig.token, "GET /v1/playbooks?after=none", ""), 422);
    assert_answer(ask_as(rival, "GET /v1/playbooks?after=acme.b", ""), 422); /* as none */
}

static void sites_and_agencies_choose(void **state)
{
    (void)state;
    assert_answer(set("One"), 201);
    assert_answer(ask_as(rig.token, "PATCH /v1/agencies/acme", "{\"playbook\":\"acme.a\"}"), 200);
    assert_body_has("\"playbook\":\"acme.a\"");
    assert_of_site(1);
    assert_answer(set("Two"), 201);
    assert_of_site(2);
    add("playbooks", "{\"id\":\"acme.b\"," YAML("Three") "}");
    assert_answer(ask_as(manager, "PATCH /v1/sites/www", "{\"playbook\":\"acme.b\"}"), 200);
    assert_of_site(3);
    assert_answer(ask_as(manager, "PATCH /v1/sites/www", "{\"playbook\":\"rival.a\"}"), 422);
    assert_body_has("the value of playbook cannot be used: give the id of a playbook that this");
    assert_answer(ask_as(rig.token, "DELETE /v1/playbooks/acme.b", ""), 409);
    assert_body_has("a site or the agency goes by it");
}

static void removed_is_gone_but_for_who_knows_the_version(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "DELETE /v1/playbooks/acme.a", ""), 404);
    assert_answer(set("One"), 201);
    assert_answer(ask_as(manager, "DELETE /v1/playbooks/acme.a", ""), 204);
    assert_answer(ask_as(manager, "DELETE /v1/playbooks/acme.a", ""), 404);
    assert_answer(ask_as(manager, "GET /v1/playbooks/acme.a", ""), 404);
    assert_answer(ask_as(manager, "PATCH /v1/playbooks/acme.a", "{" YAML("Two") "}"), 404);
    assert_answer(ask_as(manager, "GET /v1/playbooks", ""), 200);
    assert_string_equal(rig.body, "{\"playbooks\":[],\"next\":null}");
    assert_answer(ask_as(manager, "GET /v1/playbooks/acme.a?version=1", ""), 200);
    assert_body_has("\"title\":\"One\"");
    assert_answer(ask_as(manager, "GET /v1/playbooks/acme.a?version=2", ""), 200);
    assert_body_has("\"version\":2,\"number\":2,\"name\":null,\"title\":null,\"hash\":null,"
                    "\"yaml\":null}");
    assert_answer(set("One"), 201);
    assert_body_has("\"version\":3,");
}

static void send_as(const char *token, const char *line, const char *body)
{
    char headers[256];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", token);
    send_request(line, headers, body);
}

static void two_that_race_are_one_after_the_other(void **state)
{
    (void)state;
    send_as(rig.token, "POST /v1/playbooks", "{\"id\":\"acme.a\"," YAML("One") "}");
    uint64_t first = rig.tickets;
    send_as(manager, "POST /v1/playbooks", "{\"id\":\"acme.a\"," YAML("Two") "}");
    send_as(manager, "POST /v1/playbooks", "{\"id\":\"acme.a\"," YAML("Two") "}");
    assert_int_equal(rig.settled_count, 1);
    settle();
    assert_int_equal(rig.status_of[first], 201);
    assert_int_equal(rig.status_of[first + 1], 201);
    assert_int_equal(rig.status_of[first + 2], 200);
    assert_slice(registry_playbook(rig.registry, 1)->title, "One");
    assert_slice(registry_playbook(rig.registry, 2)->title, "Two");
    assert_int_equal(registry_count(rig.registry, ENTITY_PLAYBOOK), 2);
}

/* --- what is wrong ------------------------------------------------------------------------- */

static void every_mistake_has_its_line(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "POST /v1/playbooks",
                         "{\"id\":\"acme.a\",\"yaml\":\"based_on: default\\nname: own\\ntitle: A\\n"
                         "lese: 1\\ncaps: {gap: x}\\n\"}"),
                  422);
    assert_string_equal(rig.type, "application/problem+json");
    assert_body_has("\"status\":422,\"code\":\"invalid\",\"errors\":["
                    "{\"line\":4,\"column\":1,\"text\":\"a playbook has no 'lese'; "
                    "did you mean 'lease'?\"},{\"line\":5,\"column\":13,\"text\":\"");
    assert_body_has("\"detail\":\"line 4, column 1: a playbook has no 'lese'; did you mean "
                    "'lease'? (and 1 more, see errors)\",\"request_id\":\"made-by-us\"}");
    assert_answer(set("["), 422);
    assert_body_has("\"errors\":[{\"line\":");
    assert_answer(ask_as(rig.token, "POST /v1/playbooks",
                         "{\"id\":\"acme.a\"," YAML(
                             "A\\nstages: [{id: one, title: One, means: x, pipeline: leads}]") "}"),
                  422);
    assert_body_has("\"file\":\"default\"");
    assert_int_equal(registry_count(rig.registry, ENTITY_PLAYBOOK), 0);
}

static void what_is_no_playbook_at_all_is_named(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *part;
    } rows[] = {
        {"nonsense", 400, "the body must be a JSON object"},
        {"[]", 400, "the body must be a JSON object"},
        {"{}", 422, "the value of yaml cannot be used"},
        {"{\"id\":\"acme.a\",\"yaml\":\"\"}", 422, "\"line\":1,\"column\":1"},
        {"{\"id\":\"acme.a\",\"yaml\":null}", 422, "the value of yaml cannot be used"},
        {"{\"id\":\"acme.a\",\"yaml\":3}", 422, "the value of yaml cannot be used"},
        {"{\"id\":\"acme.a\",\"version\":3," YAML("A") "}", 422, "the value of version cannot be"},
        {"{" YAML("A") "}", 422, "give the playbook's id"},
        {"{\"id\":\"acme.A\"," YAML("A") "}", 422, "the value of id cannot be used"},
        {"{\"id\":\"acme\",\"agency\":\"acme\"," YAML("A") "}", 422, "the value of id cannot"},
        {"{\"id\":\"none.a\"," YAML("A") "}", 422,
         "the value of id cannot be used: give AGENCY.NAME"},
        {"{\"id\":\"default\"," YAML("A") "}", 422,
         "the value of id cannot be used: give AGENCY.NAME"},
        {"{\"id\":\"rival.a\",\"agency\":\"acme\"," YAML("A") "}", 422, "the value of id cannot"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_answer(ask_as(rig.token, "POST /v1/playbooks", rows[i].body), rows[i].status);
        assert_body_has(rows[i].part);
    }
    assert_answer(set("One"), 201);
    assert_answer(
        ask_as(rig.token, "PATCH /v1/playbooks/acme.a", "{\"id\":\"acme.b\"," YAML("Two") "}"),
        422);
    assert_answer(ask_as(rig.token, "PATCH /v1/playbooks/acme.a", "{}"), 422);
}

static void a_playbook_is_for_its_agency_alone(void **state)
{
    (void)state;
    assert_answer(set("One"), 201);
    assert_answer(ask_as(rival, "GET /v1/playbooks/acme.a", ""), 404);
    assert_answer(ask_as(rival, "GET /v1/playbooks/acme.a?version=1", ""), 404);
    assert_answer(ask_as(rival, "PATCH /v1/playbooks/acme.a", "{" YAML("Two") "}"), 404);
    assert_answer(ask_as(rival, "DELETE /v1/playbooks/acme.a", ""), 404);
    assert_answer(ask_as(rival, "POST /v1/playbooks", "{\"id\":\"acme.a\"," YAML("Two") "}"), 403);
    assert_answer(ask_as(rival, "POST /v1/playbooks",
                         "{\"id\":\"acme.a\",\"agency\":\"rival\"," YAML("Two") "}"),
                  422);
    for (const char *const *line =
             (const char *const[]){"GET /v1/playbooks", "GET /v1/playbooks/acme.a",
                                   "DELETE /v1/playbooks/acme.a", NULL};
         *line; line++) {
        assert_answer(ask_as(agent, *line, ""), 403);
        assert_answer(ask(*line, "", ""), 401);
    }
    assert_answer(ask_as(agent, "POST /v1/playbooks", "{}"), 403);
}

static void what_the_writer_refuses_changes_nothing(void **state)
{
    (void)state;
    rig.submit_status = STATUS_DISK_FULL;
    assert_answer(set("One"), 503);
    rig.submit_status = STATUS_OK;
    assert_int_equal(registry_count(rig.registry, ENTITY_PLAYBOOK), 0);
    assert_answer(set("One"), 201);
    assert_body_has("\"version\":1,");
}

/* --- queues for robots --------------------------------------------------------------------- */

static void assert_same_queues(void)
{
    const struct registry *writers = recovery_registry(rig.world.recovery);
    uint32_t count = registry_count(writers, ENTITY_QUEUE);

    assert_int_equal(registry_count(rig.registry, ENTITY_QUEUE), count);
    for (uint32_t number = 1; number <= count; number++) {
        const struct queue *queue = registry_queue(writers, number);
        const struct queue *loops = registry_queue(rig.registry, number);
        assert_int_equal(queue == NULL, loops == NULL);
        if (queue)
            assert_string_equal(queue->id, loops->id);
    }
}

static void an_agency_comes_with_its_robots_queues_in_one_record(void **state)
{
    uint64_t records = state_meta(rig.world.state)->folded_seq;

    (void)state;
    add("agencies", "{\"id\":\"fresh\"}");
    assert_int_equal(state_meta(rig.world.state)->folded_seq, records + 1);
    assert_answer(ask_as(rig.token, "GET /v1/queues/fresh.postcard", ""), 200);
    assert_body_has("\"agency\":\"fresh\",\"shape\":\"zset\",\"report_within\":null");
    assert_answer(ask_as(rig.token, "GET /v1/queues?after=rival.research", ""), 200);
    assert_begins("{\"queues\":[{\"id\":\"fresh.email\"");
    assert_same_queues();
    add("agents", "{\"id\":\"next\",\"agency\":\"fresh\"}");
    add("queues", "{\"id\":\"fresh.calls\",\"agency\":\"fresh\"}");
    assert_same_queues();
}

static void an_agency_goes_with_its_robots_queues(void **state)
{
    (void)state;
    add("agencies", "{\"id\":\"fresh\"}");
    assert_answer(ask_as(rig.token, "DELETE /v1/agencies/fresh", ""), 204);
    assert_answer(ask_as(rig.token, "GET /v1/queues/fresh.email", ""), 404);
    assert_same_queues();
    add("agencies", "{\"id\":\"fresh\"}");
    assert_answer(ask_as(rig.token, "GET /v1/queues/fresh.email", ""), 200);
    assert_same_queues();
    assert_answer(ask_as(rig.token, "DELETE /v1/agencies/rival", ""), 409);
}

static void an_agency_of_before_gets_its_queues_with_its_first_playbook(void **state)
{
    (void)state;
    /* acme was made by the writer alone, as by a release that knew of no robots. */
    assert_answer(ask_as(rig.token, "GET /v1/queues/acme.email", ""), 404);
    assert_answer(set("One"), 201);
    assert_answer(ask_as(rig.token, "GET /v1/queues/acme.email", ""), 200);
    assert_same_queues();
    uint32_t queues = registry_count(rig.registry, ENTITY_QUEUE);
    assert_answer(set("Two"), 201);
    assert_int_equal(registry_count(rig.registry, ENTITY_QUEUE), queues);
}

static void an_id_leaves_room_for_the_queues_names(void **state)
{
    char body[128];

    (void)state;
    snprintf(body, sizeof(body), "{\"id\":\"%.55s\"}",
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_answer(ask_as(rig.token, "POST /v1/agencies", body), 422);
    assert_body_has("the value of id cannot be used");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_that_is_set_is_the_next_version),
        TEST(the_same_again_changes_nothing),
        TEST(a_list_shows_the_newest_of_ones_own),
        TEST(sites_and_agencies_choose),
        TEST(removed_is_gone_but_for_who_knows_the_version),
        TEST(two_that_race_are_one_after_the_other),
        TEST(every_mistake_has_its_line),
        TEST(what_is_no_playbook_at_all_is_named),
        TEST(a_playbook_is_for_its_agency_alone),
        TEST(what_the_writer_refuses_changes_nothing),
        TEST(an_agency_comes_with_its_robots_queues_in_one_record),
        TEST(an_agency_goes_with_its_robots_queues),
        TEST(an_agency_of_before_gets_its_queues_with_its_first_playbook),
        TEST(an_id_leaves_room_for_the_queues_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
