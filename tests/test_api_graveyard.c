/* Signals, people by page, and the graveyard over HTTP. */
#include "tests/api_tokens.h"

#define DAY 86400000ull

static char task[64], person[64];

static int set_up(void **state)
{
    set_up_tokens(state);
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552671\"}"), 201);
    told("task", task, sizeof(task));
    told("person", person, sizeof(person));
    return 0;
}

static int say(const char *key, const char *whom, const char *body)
{
    char line[128];

    snprintf(line, sizeof(line), "POST /v1/people/%s/signals", whom);
    return ask_as(key, line, body);
}

static void signals_count_once(void **state)
{
    char body[128];

    (void)state;
    snprintf(body, sizeof(body), "{\"kind\":\"click\",\"task\":\"%s\"}", task);
    assert_answer(say(sk, person, body), 200);
    assert_body_has("{\"status\":\"counted\",\"points\":8,\"hot\":");
    assert_answer(say(agent, person, body), 200);
    assert_body_has("{\"status\":\"known\",\"points\":0}");
    assert_answer(say(manager, person, "{\"kind\":\"reply\",\"at_ms\":1700000000000}"), 200);
    assert_body_has("\"points\":30,");
    char line[128];
    snprintf(line, sizeof(line), "GET /v1/people/%s/history", person);
    assert_answer(ask_as(sk, line, ""), 200);
    assert_body_has("\"kind\":\"signal\"");
    assert_body_has("\"signal\":{\"kind\":\"click\",\"points\":8,\"hot\":");
}

static void bad_signals_are_refused(void **state)
{
    (void)state;
    assert_answer(say(sk, person, "{\"kind\":\"wink\"}"), 422);
    assert_body_has("the value of kind cannot be used");
    assert_answer(say(sk, person, "{\"kind\":\"open\",\"task\":\"tsk_x\"}"), 422);
    assert_answer(say(sk, person, "{\"kind\":\"open\",\"at_ms\":99999999999999}"), 422);
    assert_answer(say(sk, "per_x", "{\"kind\":\"open\"}"), 404);
    assert_answer(say(rival, person, "{\"kind\":\"open\"}"), 404);
    assert_answer(say("nobody", person, "{\"kind\":\"open\"}"), 401);
}

/* Three of them were called and are silent since then; the rig's own clock is years later. */
static void three_go_cold(void)
{
    char line[128], body[64], calls[64];

    for (unsigned i = 0; i < 3; i++) {
        snprintf(body, sizeof(body), "{\"phone\":\"+1415555268%u\"}", i);
        assert_answer(ask_as(sk, "POST /v1/optins", body), 201);
        told("task", calls, sizeof(calls));
        snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", calls);
        assert_answer(ask_as(agent, line, "{\"delivery\":1,\"outcome\":\"not_interested\"}"), 200);
    }
    rig.world.now_ms += 200 * DAY;
}

/* A mail that no robot sends, and then a call. */
static void one_is_called_beside_a_mail(void)
{
    char calls[64], line[128];

    world_admin(&rig.world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    assert_answer(ask_as(sk, "POST /v1/optins",
                         "{\"phone\":\"+14155552689\",\"email\":\"dana@example.com\"}"),
                  201);
    told("task", calls, sizeof(calls));
    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", calls);
    assert_answer(ask_as(agent, line, "{\"delivery\":1,\"outcome\":\"conversation\"}"), 200);
    world_live(&rig.world, rig.world.now_ms + DAY / 12);
    assert_answer(ask_as(sk, "POST /v1/optins",
                         "{\"phone\":\"+14155552689\",\"email\":\"dana@example.com\","
                         "\"event_id\":\"again\"}"),
                  201);
    rig.world.now_ms += 200 * DAY;
}

static void whose_call_is_open_is_not_cold(void **state)
{
    (void)state;
    one_is_called_beside_a_mail();
    assert_answer(ask_as(manager, "GET /v1/people?cold_for=6mo", ""), 200);
    assert_body_lacks("per_");
    assert_answer(ask_as(manager, "POST /v1/graveyard/wake", "{\"cold_for\":\"6mo\"}"), 200);
    assert_body_has("{\"woken\":0,\"left\":0,");
}

static void people_come_in_pages(void **state)
{
    (void)state;
    three_go_cold();
    assert_answer(ask_as(manager, "GET /v1/people?limit=2", ""), 200);
    assert_body_has("{\"people\":[{\"id\":\"per_");
    assert_body_has("\"next\":\"2\"}");
    assert_answer(ask_as(manager, "GET /v1/people?limit=2&after=2", ""), 200);
    assert_body_has("\"last_outcome\":\"not_interested\"");
    assert_answer(ask_as(manager, "GET /v1/people?cold_for=6mo", ""), 200);
    assert_body_lacks(person); /* whose call is open */
    assert_body_has("\"next\":null}");
    assert_answer(ask_as(manager, "GET /v1/people?cold_for=soon", ""), 422);
    assert_answer(ask_as(manager, "GET /v1/people?limit=1000", ""), 200);
    assert_answer(ask_as(manager, "GET /v1/people?limit=1001", ""), 422);
    assert_answer(ask_as(manager, "GET /v1/people?limit=0", ""), 422);
    assert_answer(ask_as(rival, "GET /v1/people", ""), 200);
    assert_body_lacks("per_");
    assert_answer(ask_as(rival, "GET /v1/people?agency=acme", ""), 404);
    assert_answer(ask_as(rig.token, "GET /v1/people", ""), 422);
    assert_answer(ask_as(rig.token, "GET /v1/people?agency=acme", ""), 200);
    assert_answer(ask_as(agent, "GET /v1/people", ""), 403);
}

static void the_cold_are_woken_page_by_page(void **state)
{
    (void)state;
    three_go_cold();
    assert_answer(ask_as(manager, "POST /v1/graveyard/wake", "{\"most\":2,\"cold_for\":\"6mo\"}"),
                  200);
    assert_body_has("{\"woken\":2,\"left\":0,\"first_call_ms\":");
    assert_body_has("\"next\":\"3\"}");
    assert_answer(ask_as(manager, "POST /v1/graveyard/wake", "{\"most\":50,\"after\":\"3\"}"), 200);
    assert_body_has("{\"woken\":1,");
    assert_body_has("\"next\":null}");
    assert_answer(ask_as(manager, "POST /v1/graveyard/wake", "{\"most\":0}"), 422);
    assert_answer(ask_as(manager, "POST /v1/graveyard/wake", "{\"cold_for\":\"now\"}"), 422);
    assert_answer(ask_as(rival, "POST /v1/graveyard/wake", "{\"agency\":\"acme\"}"), 404);
    assert_answer(ask_as(rival, "POST /v1/graveyard/wake", "{}"), 200);
    assert_body_has("{\"woken\":0,");
    assert_answer(ask_as(agent, "POST /v1/graveyard/wake", "{}"), 403);
    assert_answer(ask_as(rig.token, "POST /v1/graveyard/wake", "{}"), 422); /* whose? */
}

static void asked_again_it_goes_on_with_whom_nobody_woke(void **state)
{
    (void)state;
    three_go_cold();
    for (unsigned i = 0; i < 4; i++) {
        assert_answer(ask_as(manager, "POST /v1/graveyard/wake", "{\"most\":1}"), 200);
        assert_body_has(i < 3 ? "{\"woken\":1,\"left\":0," : "{\"woken\":0,\"left\":0,");
    }
    assert_answer(ask_as(manager, "GET /v1/people?cold_for=6mo", ""), 200);
    assert_body_lacks("per_");
    assert_answer(ask_as(manager, "GET /v1/reports/graveyard", ""), 200);
    assert_body_lacks("per_");
}

static void outcomes_are_told_in_their_order(void **state)
{
    char line[64], next[32];

    (void)state;
    three_go_cold();
    assert_answer(ask_as(sk, "GET /v1/outcomes?limit=2", ""), 200);
    assert_body_has("{\"outcomes\":[{\"person\":\"per_");
    assert_body_has("\"op\":\"outcome\",\"outcome\":\"not_interested\",\"agent\":\"a42\"");
    told("next", next, sizeof(next));
    snprintf(line, sizeof(line), "GET /v1/outcomes?after=%s", next);
    assert_answer(ask_as(sk, line, ""), 200);
    assert_body_has("\"stage\":\"optin\"");
    told("next", next, sizeof(next));
    snprintf(line, sizeof(line), "GET /v1/outcomes?after=%s", next);
    assert_answer(ask_as(sk, line, ""), 200);
    assert_body_has("{\"outcomes\":[],\"next\":\"");
    assert_answer(ask_as(rival, "GET /v1/outcomes", ""), 200);
    assert_body_lacks("per_");
    assert_answer(ask_as(rival, "GET /v1/outcomes?agency=acme", ""), 404);
    assert_answer(ask_as(rig.token, "GET /v1/outcomes", ""), 422);
    assert_answer(ask_as(sk, "GET /v1/outcomes?limit=0", ""), 422);
}

static void a_writer_with_no_room_is_said(void **state)
{
    (void)state;
    rig.submit_status = STATUS_BUSY;
    assert_int_equal(say(sk, person, "{\"kind\":\"open\"}"), 503);
    assert_int_equal(ask_as(manager, "POST /v1/graveyard/wake", "{}"), 503);
    rig.submit_status = STATUS_OK;
    rig.ready = false;
    assert_int_equal(ask_as(manager, "POST /v1/graveyard/wake", "{}"), 503);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signals_count_once),
        TEST(bad_signals_are_refused),
        TEST(people_come_in_pages),
        TEST(whose_call_is_open_is_not_cold),
        TEST(the_cold_are_woken_page_by_page),
        TEST(asked_again_it_goes_on_with_whom_nobody_woke),
        TEST(outcomes_are_told_in_their_order),
        TEST(a_writer_with_no_room_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
