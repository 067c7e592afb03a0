/* Administration over HTTP: who may do what to which agency's things, and secrets told once. */
#include <unistd.h>

#include "tests/api_tokens.h"

/* acme has a site, an agent and tokens; the rival agency has a manager. */
static int set_up(void **state)
{
    rig_open(state);
    add_told("sites", "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}", "sk", sk);
    add("agents", "{\"id\":\"a42\",\"agency\":\"acme\",\"name\":\"Ann\"}");
    add_told("tokens", "{\"id\":\"m\",\"role\":\"manager\",\"agency\":\"acme\"}", "token", manager);
    add_told("tokens", "{\"id\":\"t42\",\"role\":\"agent\",\"agency\":\"acme\",\"agent\":\"a42\"}",
             "token", agent);
    add("agencies", "{\"id\":\"rival\"}");
    add_told("tokens", "{\"id\":\"r\",\"role\":\"manager\",\"agency\":\"rival\"}", "token", rival);
    return 0;
}

/* Numbers up to this one have been given out. */
static void use_up_queues(uint32_t number)
{
    assert_status(registry_apply(rig.registry, ENTITY_QUEUE, number, (struct slice){0}), STATUS_OK);
    assert_status(registry_apply(recovery_registry(rig.world.recovery), ENTITY_QUEUE, number,
                                 (struct slice){0}),
                  STATUS_OK);
}

/* --- the first token ------------------------------------------------------------------ */

static void the_first_token_stands_in_a_file_for_the_owner_only(void **state)
{
    char path[128];
    struct stat file;

    (void)state;
    snprintf(path, sizeof(path), "%s/admin.token", rig.world.directory);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(strncmp(rig.token, "tk_", 3), 0);
    assert_answer(ask_as(rig.token, "GET /v1/tokens/admin", ""), 200);
    assert_string_equal(rig.body, "{\"id\":\"admin\",\"role\":\"admin\",\"agency\":null,"
                                  "\"agent\":null}");
}

static void there_is_one_first_token(void **state)
{
    (void)state;
    assert_status(api_first_token(rig.api, rig.world.directory), STATUS_OK);
    assert_int_equal(rig.settled_count, 0);
    read_token_file();
    assert_answer(ask_as(rig.token, "GET /v1/tokens/admin", ""), 200);
}

static void a_crash_before_the_file_was_in_place_is_made_good(void **state)
{
    char path[128], beside[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/admin.token", rig.world.directory);
    snprintf(beside, sizeof(beside), "%s/admin.token.new", rig.world.directory);
    assert_int_equal(rename(path, beside), 0);
    assert_status(api_first_token(rig.api, rig.world.directory), STATUS_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(beside, F_OK), -1);
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "GET /v1/tokens", ""), 200);
    registry_clear(rig.registry); /* nobody is an administrator */
    assert_status(api_first_token(rig.api, "/nonexistent/folder"), STATUS_IO);
}

/* --- who may -------------------------------------------------------------------------- */

static void each_role_has_its_reach(void **state)
{
    static const struct {
        const char *line, *body;
        int nobody, key, agent, manager, rival, admin;
    } rows[] = {
        {"GET /v1/agencies", "", 401, 403, 403, 200, 200, 200},
        {"POST /v1/agencies", "{}", 401, 403, 403, 403, 403, 422},
        {"PATCH /v1/agencies/acme", "{}", 401, 403, 403, 403, 403, 200},
        {"DELETE /v1/agencies/acme", "", 401, 403, 403, 403, 403, 409},
        {"GET /v1/agencies/acme", "", 401, 403, 403, 200, 404, 200},
        {"GET /v1/sites/www", "", 401, 403, 403, 200, 404, 200},
        {"PATCH /v1/sites/www", "{}", 401, 403, 403, 200, 404, 200},
        {"POST /v1/sites", "{}", 401, 403, 403, 422, 422, 422},
        {"GET /v1/queues/acme.calls", "", 401, 403, 403, 200, 404, 200},
        {"PATCH /v1/queues/acme.calls", "{}", 401, 403, 403, 200, 404, 200},
        {"DELETE /v1/queues/acme.calls", "", 401, 403, 403, 409, 404, 409},
        {"GET /v1/agents/a42", "", 401, 403, 403, 200, 404, 200},
        {"PATCH /v1/agents/a42", "{\"name\":\"Ann\"}", 401, 403, 403, 200, 404, 200},
        {"GET /v1/tokens/t42", "", 401, 403, 403, 200, 404, 200},
        {"PATCH /v1/tokens/t42", "{}", 401, 403, 403, 200, 404, 200},
        {"PATCH /v1/tokens/m", "{}", 401, 403, 403, 403, 404, 200},
        {"GET /v1/tokens/admin", "", 401, 403, 403, 404, 404, 200},
        {"DELETE /v1/tokens/admin", "", 401, 403, 403, 404, 404, 409},
        {"POST /v1/tokens", "{\"id\":\"x\",\"role\":\"manager\",\"agency\":\"acme\"}", 401, 403,
         403, 403, 403, 201},
        {"POST /v1/tokens", "{\"id\":\"y\",\"role\":\"admin\"}", 401, 403, 403, 403, 403, 201},
        {"POST /v1/sites/www/keys", "{\"kind\":\"x\"}", 401, 403, 403, 422, 404, 422},
        {"DELETE /v1/sites/www/keys/sk", "", 401, 403, 403, 409, 404, 409},
        {"POST /v1/tasks/claim", "{}", 401, 403, 422, 422, 422, 422},
        {"POST /v1/people/search", "{}", 401, 422, 403, 422, 422, 422},
        {"GET /v1/tasks/tsk_x", "", 401, 404, 404, 404, 404, 404},
        {"GET /v1/optins/opt_x", "", 401, 404, 404, 404, 404, 404},
        {"GET /v1/people/per_x", "", 401, 404, 404, 404, 404, 404},
        {"POST /v1/people/per_x/assign", "{\"agent\":null}", 401, 403, 404, 404, 404, 404},
        {"GET /v1/agents/a42/worklist", "", 401, 403, 200, 200, 404, 200},
        {"POST /v1/agents/a42/hand-over", "{\"to\":null}", 401, 403, 403, 200, 404, 200},
        {"POST /v1/optins/batch", "[]", 401, 200, 403, 403, 403, 403},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct {
            const char *key;
            int code;
        } asked[] = {{"tk_nobody", rows[i].nobody}, {sk, rows[i].key},
                     {agent, rows[i].agent},        {manager, rows[i].manager},
                     {rival, rows[i].rival},        {rig.token, rows[i].admin}};
        for (size_t j = 0; j < sizeof(asked) / sizeof(*asked); j++)
            if (ask_as(asked[j].key, rows[i].line, rows[i].body) != asked[j].code)
                fail_msg("%s as number %zu is %d, should be %d: %s", rows[i].line, j, rig.status,
                         asked[j].code, rig.body);
    }
}

static void a_list_shows_ones_own(void **state)
{
    (void)state;
    add("queues", "{\"id\":\"rival.calls\",\"agency\":\"rival\"}");
    assert_answer(ask_as(rival, "GET /v1/queues", ""), 200);
    assert_body_has(
        "{\"queues\":[{\"id\":\"rival.email\""); /* of those for its robots, the first */
    assert_body_has("\"rival.calls\"");
    assert_body_lacks("acme");
    assert_answer(ask_as(manager, "GET /v1/agencies", ""), 200);
    assert_body_lacks("rival");
    assert_answer(ask_as(rig.token, "GET /v1/queues", ""), 200);
    assert_body_has("acme.calls");
    assert_body_has("rival.calls");
    assert_body_has("],\"next\":null}");
    assert_answer(ask_as(rig.token, "GET /v1/queues?after=acme.calls", ""), 200);
    assert_body_lacks("acme.calls");
    assert_answer(ask_as(rig.token, "GET /v1/queues?after=none", ""), 422);
    assert_answer(ask_as(manager, "GET /v1/queues?after=acme.calls", ""), 200);
    assert_answer(ask_as(rival, "GET /v1/queues?after=acme.calls", ""), 422); /* as none */
}

static void a_list_has_everything_in_it_once(void **state)
{
    char settings[64];
    unsigned listed = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(settings, sizeof(settings), "{\"id\":\"g%d\"}", i);
        add("agencies", settings);
    }
    assert_answer(ask_as(rig.token, "GET /v1/agencies", ""), 200);
    for (const char *at = rig.body; (at = strstr(at, "\"id\":")) != NULL; at++)
        listed++;
    assert_int_equal(listed, 42); /* and acme and its rival */
}

static void a_managers_things_are_of_the_managers_agency(void **state)
{
    (void)state;
    assert_answer(ask_as(manager, "POST /v1/agents", "{\"id\":\"a43\"}"), 201);
    assert_body_has("\"agency\":\"acme\"");
    assert_answer(ask_as(manager, "POST /v1/agents", "{\"id\":\"a44\",\"agency\":\"rival\"}"), 403);
    assert_answer(ask_as(manager, "POST /v1/tokens", "{\"id\":\"t43\",\"role\":\"agent\"}"), 201);
    assert_body_has("\"token\":\"tk_");
}

/* --- creating ----------------------------------------------------------------------------- */

static void secrets_are_told_once(void **state)
{
    char key[SECRET_TEXT_MAX];

    (void)state;
    add("sites", "{\"id\":\"s2\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                 "\"origins\":[\"https://acme.com\"],\"country\":\"DE\"}");
    assert_body_has("\"origins\":[\"https://acme.com\"]");
    assert_body_has("\"country\":\"DE\"");
    told("pk", key, sizeof(key));
    assert_int_equal(strncmp(key, "pk_acme_", 8), 0);
    told("sk", key, sizeof(key));
    assert_int_equal(strncmp(key, "sk_acme_", 8), 0);
    assert_answer(ask_as(rig.token, "GET /v1/sites/s2", ""), 200);
    assert_body_lacks("sk_acme_");
    assert_body_has("\"public_keys\":[\"pk_acme_");
    assert_body_has("\"secret_keys\":1");
    assert_answer(ask_as(rig.token, "GET /v1/tokens/t42", ""), 200);
    assert_body_lacks("hash");
    assert_body_lacks("tk_");
}

static void credentials_are_not_a_callers_to_choose(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "PATCH /v1/sites/www", "{\"pk\":[\"pk_mine\"]}"), 422);
    assert_body_has("the value of pk cannot be used");
    assert_answer(ask_as(rig.token, "PATCH /v1/tokens/t42", "{\"hash\":null}"), 422);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "POST /v1/sites",
                         "{\"id\":\"s\",\"agency\":\"acme\",\"queue\":\"acme.none\"}"),
                  422);
    assert_body_has("the value of queue cannot be used");
    assert_answer(ask_as(rig.token, "POST /v1/sites",
                         "{\"id\":\"s\",\"agency\":\"none\",\"queue\":\"acme.calls\"}"),
                  422);
    assert_body_has("the value of agency cannot be used");
    assert_answer(ask_as(rig.token, "POST /v1/queues", "{\"id\":\"a.b\",\"agency\":\"acme\"}"),
                  422);
    assert_body_has("the value of id cannot be used");
    assert_answer(ask_as(rig.token, "PATCH /v1/sites/www", "{\"country\":\"XX\"}"), 422);
    assert_body_has("the value of country cannot be used: give a country's two capital letters");
    assert_answer(ask_as(rig.token, "PATCH /v1/sites/www", "{\"countries\":[\"US\",\"de\"]}"), 422);
    assert_body_has("the value of countries cannot be used: give a list");
    assert_answer(ask_as(rig.token, "PATCH /v1/sites/www", "{\"<b>\":1}"), 422);
    assert_body_lacks("<b>");
    assert_answer(ask_as(rig.token, "POST /v1/sites", "nonsense"), 400);
    assert_answer(ask_as(rig.token, "PATCH /v1/sites/none", "{}"), 404);
    assert_answer(ask_as(rig.token, "POST /v1/agencies", "{\"id\":\"acme\"}"), 409);
}

static void a_change_is_seen_at_once_and_kept(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "PATCH /v1/queues/acme.calls", "{\"claim_holds\":600}"), 200);
    assert_body_has("\"claim_holds\":600");
    assert_answer(ask_as(rig.token, "GET /v1/queues/acme.calls", ""), 200);
    assert_body_has("\"claim_holds\":600");
    assert_int_equal(
        registry_queue(recovery_registry(rig.world.recovery), rig.world.queue)->claim_holds_ms,
        600000);
}

static void removed_is_gone_and_its_id_free(void **state)
{
    (void)state;
    assert_answer(ask_as(rig.token, "DELETE /v1/agents/a42", ""), 409);
    assert_body_has("remove first its tokens");
    assert_answer(ask_as(rig.token, "DELETE /v1/tokens/t42", ""), 204);
    assert_answer(ask_as(agent, "POST /v1/tasks/claim", "{}"), 401);
    assert_answer(ask_as(rig.token, "DELETE /v1/agents/a42", ""), 204);
    assert_answer(ask_as(rig.token, "GET /v1/agents/a42", ""), 404);
    add("agents", "{\"id\":\"a42\",\"agency\":\"rival\"}");
}

static void a_queue_with_open_tasks_stays(void **state)
{
    char key[SECRET_TEXT_MAX];

    (void)state;
    add("queues", "{\"id\":\"rival.calls\",\"agency\":\"rival\"}");
    add("queues", "{\"id\":\"rival.two\",\"agency\":\"rival\"}");
    add_told("sites", "{\"id\":\"r-www\",\"agency\":\"rival\",\"queue\":\"rival.calls\"}", "sk",
             key);
    assert_answer(ask_as(key, "POST /v1/optins", "{\"phone\":\"+14155552671\"}"), 201);
    assert_answer(ask_as(rig.token, "DELETE /v1/queues/rival.calls", ""), 409);
    assert_body_has("remove first what depends on it");
    assert_answer(ask_as(rig.token, "PATCH /v1/sites/r-www", "{\"queue\":\"rival.two\"}"), 200);
    assert_answer(ask_as(rig.token, "DELETE /v1/queues/rival.calls", ""), 409);
    assert_body_has("tasks are open on it");
    assert_answer(ask_as(rig.token, "GET /v1/queues/rival.calls", ""), 200);
    assert_answer(ask_as(rig.token, "DELETE /v1/sites/r-www", ""), 204);
    assert_answer(ask_as(rig.token, "DELETE /v1/queues/rival.two", ""), 204);
    assert_answer(ask_as(rig.token, "DELETE /v1/agencies/rival", ""), 409);
}

/* A damaged row says of its tasks what they do not say themselves. */
static void an_agent_whose_task_cannot_be_moved_stays(void **state)
{
    const struct state_work work = {.deadline_ms = 1, .task = 1, .person = 1};
    uint32_t number;

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552671\"}"), 201);
    add("agents", "{\"id\":\"a43\",\"agency\":\"acme\"}");
    number = registry_number(rig.registry, ENTITY_AGENT, SLICE("a43"));
    assert_status(state_begin(rig.world.state), STATUS_OK);
    assert_status(state_work_put(rig.world.state, number, &work), STATUS_OK);
    assert_answer(ask_as(rig.token, "DELETE /v1/agents/a43", ""), 409);
    assert_body_has("tasks are open on it");
    assert_status(state_begin(rig.world.state), STATUS_OK);
    assert_status(state_work_delete(rig.world.state, number, 1, 1), STATUS_OK);
    assert_answer(ask_as(rig.token, "DELETE /v1/agents/a43", ""), 204);
}

/* --- one after the other -------------------------------------------------------------------- */

static void send_as_admin(const char *line, const char *body)
{
    char headers[256];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", rig.token);
    send_request(line, headers, body);
}

static void two_racing_creates_give_one_conflict(void **state)
{
    (void)state;
    send_as_admin("POST /v1/agencies", "{\"id\":\"race\"}");
    uint64_t first = rig.tickets;
    send_as_admin("POST /v1/agencies", "{\"id\":\"race\"}");
    assert_int_equal(rig.settled_count, 1); /* the second waits for the first */
    settle();
    assert_int_equal(rig.status_of[first], 201);
    assert_int_equal(rig.status_of[first + 1], 409);
}

static void changes_of_one_entity_do_not_lose_each_other(void **state)
{
    (void)state;
    send_as_admin("PATCH /v1/queues/acme.calls", "{\"claim_holds\":60}");
    send_as_admin("PATCH /v1/queues/acme.calls", "{\"claim_holds\":60}");
    settle();
    assert_answer(ask_as(rig.token, "PATCH /v1/queues/acme.calls", "{\"report_within\":30}"), 200);
    assert_body_has("\"report_within\":30,\"claim_holds\":60");
}

static void a_change_whose_sender_hung_up_while_it_waited_is_not_made(void **state)
{
    (void)state;
    send_as_admin("POST /v1/agencies", "{\"id\":\"one\"}");
    send_as_admin("POST /v1/agencies", "{\"id\":\"two\"}");
    rig.gone = true;
    settle();
    rig.gone = false;
    assert_answer(ask_as(rig.token, "GET /v1/agencies/one", ""), 200);
    assert_answer(ask_as(rig.token, "GET /v1/agencies/two", ""), 404);
}

static void too_many_changes_at_once_are_busy(void **state)
{
    (void)state;
    for (int i = 0; i < 65; i++)
        send_as_admin("PATCH /v1/agencies/acme", "{}");
    assert_int_equal(rig.replies, 0);
    send_as_admin("PATCH /v1/agencies/acme", "{}");
    assert_int_equal(rig.status, 503);
    settle();
    assert_answer(ask_as(rig.token, "PATCH /v1/agencies/acme", "{}"), 200);
}

static void what_the_writer_refuses_changes_nothing(void **state)
{
    (void)state;
    rig.submit_status = STATUS_DISK_FULL;
    assert_answer(ask_as(rig.token, "POST /v1/agencies", "{\"id\":\"full\"}"), 503);
    rig.submit_status = STATUS_OK;
    assert_answer(ask_as(rig.token, "GET /v1/agencies/full", ""), 404);
    add("agencies", "{\"id\":\"full\"}");
}

/* --- keys --- */

#define ADA "{\"phone\":\"+14155552671\"}"

static void keys_are_turned_over_without_a_gap(void **state)
{
    char newer[SECRET_TEXT_MAX];

    (void)state;
    assert_answer(ask_as(manager, "DELETE /v1/sites/www/keys/sk", ""), 409);
    assert_answer(ask_as(manager, "POST /v1/sites/www/keys", "{\"kind\":\"sk\"}"), 201);
    told("sk", newer, sizeof(newer));
    assert_body_has("\"secret_keys\":2");
    assert_answer(ask_as(sk, "POST /v1/optins", ADA), 201);
    assert_answer(ask_as(newer, "POST /v1/optins", ADA), 200);
    assert_answer(ask_as(manager, "POST /v1/sites/www/keys", "{\"kind\":\"sk\"}"), 409);
    assert_answer(ask_as(manager, "DELETE /v1/sites/www/keys/sk", ""), 200);
    assert_body_has("\"secret_keys\":1");
    assert_body_lacks("sk_acme");
    assert_answer(ask_as(sk, "POST /v1/optins", ADA), 401);
    assert_answer(ask_as(newer, "POST /v1/optins", ADA), 200);
    assert_answer(ask_as(manager, "POST /v1/sites/www/keys", "{\"kind\":\"pk\"}"), 201);
    assert_body_has("\"pk\":\"pk_acme_");
    assert_answer(ask_as(manager, "DELETE /v1/sites/www/keys/pk", ""), 200);
    assert_answer(ask_as(manager, "DELETE /v1/sites/www/keys/wh", ""), 404);
}

static void agencies_end_where_numbers_of_queues_do(void **state)
{
    (void)state;
    use_up_queues(5000); /* with five hundred agencies that was all */
    add("agencies", "{\"id\":\"six-hundredth\"}");
    assert_answer(ask_as(rig.token, "GET /v1/queues/six-hundredth.email", ""), 200);
    use_up_queues(SITE_NUMBER_MAX - SITE_ROBOTS_MAX);
    add("agencies", "{\"id\":\"last\"}");
    assert_answer(ask_as(rig.token, "POST /v1/agencies", "{\"id\":\"one-more\"}"), 409);
    assert_body_has("a server has at most 65535 queues, those that were removed too");
    assert_answer(ask_as(rig.token, "POST /v1/queues", "{\"id\":\"acme.q\",\"agency\":\"acme\"}"),
                  409);
    assert_body_has("a server has at most 65535 queues");
    assert_answer(ask_as(rig.token, "POST /v1/agents", "{\"id\":\"a42\",\"agency\":\"acme\"}"),
                  409);
    assert_body_lacks("65535");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(agencies_end_where_numbers_of_queues_do),
        TEST(the_first_token_stands_in_a_file_for_the_owner_only),
        TEST(there_is_one_first_token),
        TEST(a_crash_before_the_file_was_in_place_is_made_good),
        TEST(a_folder_that_cannot_be_written_is_an_error),
        TEST(each_role_has_its_reach),
        TEST(a_list_shows_ones_own),
        TEST(a_list_has_everything_in_it_once),
        TEST(a_managers_things_are_of_the_managers_agency),
        TEST(secrets_are_told_once),
        TEST(credentials_are_not_a_callers_to_choose),
        TEST(what_is_wrong_is_named),
        TEST(a_change_is_seen_at_once_and_kept),
        TEST(removed_is_gone_and_its_id_free),
        TEST(a_queue_with_open_tasks_stays),
        TEST(an_agent_whose_task_cannot_be_moved_stays),
        TEST(two_racing_creates_give_one_conflict),
        TEST(changes_of_one_entity_do_not_lose_each_other),
        TEST(a_change_whose_sender_hung_up_while_it_waited_is_not_made),
        TEST(too_many_changes_at_once_are_busy),
        TEST(what_the_writer_refuses_changes_nothing),
        TEST(keys_are_turned_over_without_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
