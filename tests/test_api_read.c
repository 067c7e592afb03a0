/* Reading back what is stored, over HTTP: opt-ins, people, histories. */
#include "tests/api_stored.h"

/* --- opt-ins ----------------------------------------------------------------------- */

static void an_optin_is_shown_with_what_became_of_it(void **state)
{
    char wanted[256];

    (void)state;
    assert_answer(get(sk, "optins", optin, ""), 200);
    snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\",\"received_ms\":1700000000000", optin);
    assert_body_has(wanted);
    snprintf(wanted, sizeof(wanted), "\"person\":\"%s\",\"task\":\"%s\",\"reason\":null", person,
             task);
    assert_body_has(wanted);
    assert_body_has("\"agency\":\"acme\",\"site\":\"www\"");
    assert_body_has("\"state\":\"queued\",\"outcome\":null,\"ended_ms\":null");
    assert_body_has("\"name\":\"Ada \\\"L\\\"\"");
    assert_body_has("\"colour\":\"red\"");
    assert_body_has("\"phone\":\"+14155552671\"");

    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"conversation\"}"), 200);
    assert_answer(get(manager, "optins", optin, ""), 200);
    assert_body_has("\"state\":\"ended\",\"outcome\":\"conversation\",\"ended_ms\":1700000000000");
}

static void an_optin_that_was_only_received_is_shown_and_later_its_decision(void **state)
{
    char received[64];
    struct record_view view;

    (void)state;
    rig.receiving = true;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552699\"}"), 202);
    told("id", received, sizeof(received));
    rig.receiving = false;
    assert_answer(get(sk, "optins", received, ""), 200);
    assert_body_has("\"person\":null,\"task\":null,\"reason\":null,\"state\":\"received\"");
    assert_body_has("\"phone\":\"+14155552699\"");

    struct world *world = &rig.world;
    struct journal *journal = recovery_journal(world->recovery);
    struct state_meta *meta = state_meta(world->state);
    struct turn turn = {
        .seq = meta->folded_seq + 1, .admin_seq = meta->admin_seq, .now_ms = world->now_ms + 5};
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(journal_batch_read(journal, turn.seq - 1, &view), STATUS_OK);
    assert_status(state_begin(world->state), STATUS_OK);
    assert_status(engine_decide_received(world->engine, &view, &turn, &world->record), STATUS_OK);
    record_view_of(&world->record, &view);
    assert_status(engine_apply(world->engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world->record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);

    assert_answer(get(sk, "optins", received, ""), 200);
    assert_body_has("\"person\":\"per_");
    assert_body_has("\"task\":\"tsk_");
    assert_body_has("\"state\":\"queued\"");
    told("task", task, sizeof(task));
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has(received);
}

/* --- people ----------------------------------------------------------------------------- */

static void a_person_is_found_by_phone_and_by_email(void **state)
{
    (void)state;
    assert_answer(ask_as(sk, "POST /v1/people/search", "{\"phone\":\"(415) 555-2671\"}"), 200);
    assert_body_has(person);
    assert_answer(ask_as(manager, "POST /v1/people/search", "{\"email\":\" Ada@Example.com\"}"),
                  200);
    assert_body_has(person);
    assert_body_has("\"stage\":\"optin\"");
    assert_answer(ask_as(manager, "POST /v1/people/search", "{\"email\":\"b@example.com\"}"), 200);
    assert_string_equal(rig.body, "{\"people\":[]}");
    assert_answer(ask_as(manager, "POST /v1/people/search", "{\"phone\":\"1\"}"), 422);
    assert_answer(ask_as(manager, "POST /v1/people/search", "{}"), 422);
    assert_answer(ask_as(rig.token, "POST /v1/people/search", "{\"email\":\"ada@example.com\"}"),
                  422);
    assert_body_has("the value of agency cannot be used: an administrator names an agency");
    assert_answer(ask_as(rig.token, "POST /v1/people/search",
                         "{\"email\":\"ada@example.com\",\"agency\":\"acme\"}"),
                  200);
    assert_body_has(person);
}

static void a_page_never_changes_a_persons_first_words_but_the_agencys_server_does(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof(line), "POST /v1/optins?key=%s", pk);
    assert_answer(ask(line, "",
                      "{\"phone\":\"+14155552671\",\"name\":\"Mallory\","
                      "\"company\":\"Engines\"}"),
                  201);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"name\":\"Ada \\\"L\\\"\"");
    assert_body_has("\"company\":\"Engines\"");
    assert_body_lacks("Mallory");
    assert_answer(
        ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552671\",\"name\":\"Ada King\"}"), 201);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"name\":\"Ada King\"");
    assert_body_has("\"email\":\"ada@example.com\""); /* from the first */
}

static void a_person_is_shown_with_open_tasks(void **state)
{
    (void)state;
    assert_answer(
        ask_as(sk, "POST /v1/optins", "{\"email\":\"ada@example.com\",\"company\":\"Engines\"}"),
        201);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"company\":\"Engines\"");
    assert_body_has("\"phone\":\"+14155552671\""); /* from the first */
    assert_body_has("\"optins\":2,\"attempts\":0");
    assert_body_has("\"tasks\":[{\"id\":\"tsk_");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"do_not_contact\"}"), 200);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"tasks\":[]");
    assert_body_has("\"flags\":[\"do_not_contact\"]");
    assert_body_has("\"last_outcome\":\"do_not_contact\"");
}

static void a_history_is_told_newest_first(void **state)
{
    (void)state;
    world_pass(&rig.world, 300001);
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\",\"note\":\"nobody\"}"),
        200);
    assert_answer(get(sk, "people", person, "/history"), 200);
    const char *outcome = strstr(rig.body, "\"kind\":\"outcome\"");
    const char *breach = strstr(rig.body, "\"kind\":\"breach\"");
    const char *first = strstr(rig.body, "\"kind\":\"optin\"");
    assert_true(outcome && breach && first && outcome < breach && breach < first);
    assert_body_has("\"op\":\"outcome\",\"outcome\":\"no_answer\",\"agent\":\"a42\","
                    "\"note\":\"nobody\"");
    assert_body_has("\"next\":null}");
    assert_body_has(task);
    assert_body_has(optin);
}

static void a_person_shows_what_comes_next(void **state)
{
    (void)state;
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has(
        "\"stage\":\"optin\",\"playbook\":{\"id\":\"default\",\"version\":0},"
        "\"segment\":\"everybody\","
        "\"cadence\":\"new_lead\",\"next_step\":{\"id\":\"resources\","
        "\"channel\":\"email\",\"due_ms\":1700259200000},\"held_step\":null,\"next_call\":null,"
        "\"score\":0,\"temperature\":\"cold\","
        "\"due_ms\":1700259200000,\"closed\":null,\"silenced\":[]");
    assert_answer(report(agent, "outcome",
                         "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":1700090000000}"),
                  200);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"cadence\":\"nurture\",\"next_step\":{\"id\":\"month1\"");
    assert_body_has("\"next_call\":{\"why\":\"agreed\",\"due_ms\":1700090000000}");
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"call_at_ms\":1700090000000,\"stage\":\"optin\",\"cadence\":\"nurture\"");
    assert_body_has(
        "\"steps\":[{\"playbook\":{\"id\":\"default\",\"version\":0},\"cadence\":\"new_lead\","
        "\"id\":\"report\",\"channel\":\"email\",\"why\":null,"
        "\"due_ms\":1700000000000,\"task\":null,\"skipped\":\"no_");
}

static void a_history_names_tiers_and_rungs(void **state)
{
    (void)state;
    world_pass(&rig.world, 3600000);
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"kind\":\"rung\"");
    assert_body_has("\"rung\":1,\"to\":\"agent\"");
    assert_body_has("\"rung\":3,\"to\":\"robot\"");
    assert_body_has("\"kind\":\"tier\"");
    assert_body_has("\"tier\":\"hour\",\"rung\":0,\"to\":null");
    assert_body_has("\"deadline_ms\":1700000300000,\"tier\":\"five_minutes\"");
    assert_body_lacks("\"alert\"");
    world_pass(&rig.world, 86400000);
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"tier\":\"day\",\"alert\":true,\"rung\":0");
}

static void a_history_says_why_a_call_is_withdrawn(void **state)
{
    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+13055552671\"}"), 201);
    told("person", person, sizeof(person));
    told("task", task, sizeof(task));
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    world_live(&rig.world, WORLD_START_MS + 6 * 3600000ull); /* over 20:00 in Miami */
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"kind\":\"shut\"");
    assert_body_has("\"reason\":\"calling_hours\",\"jurisdiction\":\"US-FL\"");
}

static void a_long_history_comes_in_pages(void **state)
{
    char next[64], body[128];
    unsigned events = 0;

    (void)state;
    for (int i = 0; i < 150; i++) {
        snprintf(body, sizeof(body), "{\"phone\":\"+14155552671\",\"event_id\":\"n%d\"}", i);
        assert_answer(ask_as(sk, "POST /v1/optins", body), 201);
    }
    assert_answer(get(sk, "people", person, "/history"), 200);
    for (const char *at = rig.body; (at = strstr(at, "\"kind\":")) != NULL; at++)
        events++;
    assert_int_equal(events, 100);
    const char *at = strstr(rig.body, "\"next\":");
    snprintf(next, sizeof(next), "/history?before=%.*s", (int)strcspn(at + 7, "}"), at + 7);
    assert_answer(get(sk, "people", person, next), 200);
    for (at = rig.body; (at = strstr(at, "\"kind\":")) != NULL; at++)
        events++;
    assert_int_equal(events, 151);
    assert_body_has("\"next\":null");
    assert_answer(get(sk, "people", person, "/history?before=1"), 404);
    assert_answer(get(sk, "people", person, "/history?before=999999"), 404);
}

/* --- what is not shown ------------------------------------------------------------ */

static void another_agencys_ids_are_not_there(void **state)
{
    (void)state;
    assert_answer(get(rival, "optins", optin, ""), 404);
    assert_answer(get(rival, "tasks", task, ""), 404);
    assert_answer(get(rival, "people", person, ""), 404);
    assert_answer(get(rival, "people", person, "/history"), 404);
    assert_answer(report(rival, "outcome", "{\"delivery\":1,\"outcome\":\"sold\"}"), 404);
    assert_answer(ask_as(rival, "POST /v1/people/search", "{\"phone\":\"+14155552671\"}"), 200);
    assert_string_equal(rig.body, "{\"people\":[]}");
    assert_answer(
        ask_as(rival, "POST /v1/tasks/claim", "{\"queue\":\"acme.calls\",\"agent\":\"x\"}"), 404);
}

static void an_id_of_another_kind_or_altered_is_not_there(void **state)
{
    char altered[64];

    (void)state;
    assert_answer(get(sk, "optins", task, ""), 404);
    assert_answer(get(sk, "tasks", optin, ""), 404);
    snprintf(altered, sizeof(altered), "%s", optin);
    altered[20] = altered[20] == 'A' ? 'B' : 'A';
    assert_answer(get(sk, "optins", altered, ""), 404);
}

static void while_state_is_rebuilt_reads_wait(void **state)
{
    (void)state;
    rig.ready = false;
    assert_answer(get(sk, "optins", optin, ""), 503);
    rig.ready = true;
    rig.submit_status = STATUS_BUSY;
    assert_answer(get(sk, "optins", optin, ""), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_optin_is_shown_with_what_became_of_it),
        TEST(an_optin_that_was_only_received_is_shown_and_later_its_decision),
        TEST(another_agencys_ids_are_not_there),
        TEST(an_id_of_another_kind_or_altered_is_not_there),
        TEST(while_state_is_rebuilt_reads_wait),
        TEST(a_person_is_found_by_phone_and_by_email),
        TEST(a_page_never_changes_a_persons_first_words_but_the_agencys_server_does),
        TEST(a_person_is_shown_with_open_tasks),
        TEST(a_history_is_told_newest_first),
        TEST(a_person_shows_what_comes_next),
        TEST(a_history_names_tiers_and_rungs),
        TEST(a_history_says_why_a_call_is_withdrawn),
        TEST(a_long_history_comes_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
