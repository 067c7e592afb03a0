/* Opt-ins over HTTP: who may send, what is answered, to whom what is told. */
#include <math.h>

#include "tests/api_optins.h"

/* --- with the secret key ------------------------------------------------------------ */

static void an_optin_is_answered_with_person_task_and_deadline(void **state)
{
    (void)state;
    assert_answer(post(sk, "", ADA), 201);
    assert_body_has("{\"id\":\"opt_");
    assert_body_has("\"person\":\"per_");
    assert_body_has("\"task\":\"tsk_");
    assert_body_has("\"reason\":null");
    assert_body_has("\"deadline_ms\":1700000300000");
    assert_string_equal(rig.type, "application/json");
    assert_header("Cache-Control: no-store");
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_NEW), 1);
}

static void nothing_is_answered_before_the_commit(void **state)
{
    char headers[256];

    (void)state;
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", sk);
    send_request("POST /v1/optins", headers, ADA);
    assert_int_equal(rig.replies, 0);
    settle();
    assert_int_equal(rig.replies, 1);
}

static void a_replay_gets_the_same_answer_and_says_so(void **state)
{
    char *first;

    (void)state;
    assert_answer(post(sk, "", ADA), 201);
    assert_no_header("Idempotent-Replayed");
    first = strdup(rig.body);
    assert_answer(post(sk, "", ADA), 200);
    assert_string_equal(rig.body, first);
    free(first);
    assert_header("Idempotent-Replayed: true\r\n");
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_DUPLICATE), 1);
}

static void the_same_id_with_other_content_is_refused(void **state)
{
    (void)state;
    assert_answer(post(sk, "", ADA), 201);
    assert_answer(post(sk, "", "{\"phone\":\"+14155552672\",\"event_id\":\"e1\"}"), 422);
    assert_body_has("idempotency_key_reused");
}

static void the_header_wins_over_the_event_id(void **state)
{
    (void)state;
    assert_answer(post(sk, "Idempotency-Key: k1\n", ADA), 201);
    assert_answer(post(sk, "Idempotency-Key: k1\n",
                       "{\"name\":\"Ada\",\"phone\":\"+14155552671\",\"event_id\":\"e2\"}"),
                  200);
    assert_answer(post(sk, "Idempotency-Key: k2\n", ADA), 201);
}

static void a_key_over_255_bytes_is_refused_and_an_event_id_is_not(void **state)
{
    char header[400] = "Idempotency-Key: ", body[400];

    (void)state;
    memset(header + strlen(header), 'k', 256);
    strcat(header, "\n");
    assert_answer(post(sk, header, ADA), 422);
    assert_body_has("Idempotency-Key");
    snprintf(body, sizeof(body), "{\"phone\":\"+14155552671\",\"event_id\":\"%0300d\"}", 1);
    assert_answer(post(sk, "", body), 201);
    assert_answer(post(sk, "", body), 200);
}

static void an_optin_without_a_task_says_why(void **state)
{
    (void)state;
    assert_answer(post(sk, "", "{\"phone\":\"+14155552671\",\"test\":true}"), 201);
    assert_body_has("\"task\":null,\"reason\":\"test\",\"deadline_ms\":null");
}

static void while_state_is_rebuilt_only_the_id_is_told(void **state)
{
    (void)state;
    rig.receiving = true;
    assert_answer(post(sk, "", ADA), 202);
    assert_body_has("{\"id\":\"opt_");
    assert_body_lacks("person");
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_RECEIVED), 1);
}

static void what_cannot_be_used_is_named_and_not_echoed(void **state)
{
    (void)state;
    assert_answer(post(sk, "", "{\"phone\":\"<script>\"}"), 422);
    assert_body_has("bad_identifier");
    assert_body_lacks("script");
    assert_answer(post(sk, "", "{\"message\":\"hello\"}"), 422);
    assert_body_has("no_identifier");
    assert_answer(post(sk, "", "{\"email\":"), 400);
    assert_answer(post(sk, "", "[]"), 400);
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_REFUSED), 4);
}

static void other_media_types_are_refused(void **state)
{
    char headers[256];

    (void)state;
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\nContent-Type: text/xml\n", sk);
    assert_answer(ask("POST /v1/optins", headers, "<a/>"), 415);
}

static void a_full_hand_over_and_a_full_disk_are_503(void **state)
{
    (void)state;
    rig.submit_status = STATUS_BUSY;
    assert_answer(post(sk, "", ADA), 503);
    rig.submit_status = STATUS_DISK_FULL;
    assert_answer(post(sk, "", ADA), 503);
    assert_body_has("disk_full");
    rig.submit_status = STATUS_OK;
    assert_answer(post(sk, "", ADA), 201);
}

static void a_peer_that_hung_up_costs_nothing(void **state)
{
    char headers[256];

    (void)state;
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", sk);
    for (int i = 0; i < 2000; i++) { /* more than wait at once */
        rig.gone = true;
        send_request("POST /v1/optins", headers, ADA);
        settle();
        assert_int_equal(rig.replies, 0);
    }
    rig.gone = false;
    assert_answer(post(sk, "", ADA), 200);
}

static void a_peer_that_has_said_all_is_answered(void **state)
{
    (void)state;
    rig.said_all = true;
    assert_answer(post(sk, "", ADA), 201);
    assert_answer(post(sk, "", "{\"email\":\"\"}"), 422);
    rig.said_all = false;
}

static void when_too_many_wait_the_next_hears_busy(void **state)
{
    char headers[256];

    (void)state;
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", sk);
    for (int i = 0; i < 1024; i++) {
        send_request("POST /v1/optins", headers, ADA);
        assert_int_equal(rig.replies, 0);
    }
    send_request("POST /v1/optins", headers, ADA);
    assert_int_equal(rig.status, 503);
    rig.gone = true;
    settle();
    rig.gone = false;
    assert_answer(post(sk, "", ADA), 200);
}

static void how_it_came_is_stored_with_it(void **state)
{
    static struct optin optin;

    (void)state;
    assert_answer(post(sk,
                       "X-Request-Id: abc-1\nUser-Agent: curl/8\nOrigin: https://elsewhere.com\n"
                       "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\n",
                       ADA),
                  201);
    assert_status(optin_decode(rig.last.payload, &optin), STATUS_OK);
    assert_slice(optin.text[OPTIN_REQUEST_ID], "abc-1");
    assert_slice(optin.text[OPTIN_USER_AGENT], "curl/8");
    assert_slice(optin.text[OPTIN_ORIGIN], "https://elsewhere.com");
    assert_slice(optin.text[OPTIN_REMOTE_IP], "203.0.113.7");
    assert_slice(optin.text[OPTIN_TRACEPARENT],
                 "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
}

static void what_came_with_it_unsound_is_dropped(void **state)
{
    static const char *const bad[] = {
        "Traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-00\n",
        "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
        "Traceparent: 01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\n",
        "Traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-00\n",
        "Origin: null\n",
        "User-Agent: \xff\n",
    };
    static struct optin optin;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        post(sk, bad[i], ADA);
        assert_status(optin_decode(rig.last.payload, &optin), STATUS_OK);
        assert_int_equal(optin.text[OPTIN_TRACEPARENT].length, 0);
        assert_int_equal(optin.text[OPTIN_ORIGIN].length, 0);
        assert_int_equal(optin.text[OPTIN_USER_AGENT].length, 0);
        assert_int_equal(optin.text[OPTIN_REQUEST_ID].length, 0);
    }
}

static void a_long_user_agent_is_cut_between_characters(void **state)
{
    static struct optin optin;
    char header[600] = "User-Agent: ";

    (void)state;
    memset(header + strlen(header), 'u', 255);
    strcat(header, "\xc3\xa9\n"); /* the 256th byte is the first of two */
    assert_answer(post(sk, header, ADA), 201);
    assert_status(optin_decode(rig.last.payload, &optin), STATUS_OK);
    assert_int_equal(optin.text[OPTIN_USER_AGENT].length, 255);
}

static void an_unknown_key_is_401(void **state)
{
    (void)state;
    assert_answer(post("sk_acme_nobody", "", ADA), 401);
    assert_header("WWW-Authenticate: Bearer");
    assert_answer(ask("POST /v1/optins", "", ADA), 401);
    assert_answer(ask("POST /v1/optins", "Authorization: Basic eA==\n", ADA), 401);
    assert_answer(post(rig.token, "", ADA), 401);
    assert_answer(post(pk, "", ADA), 401);
}

static void a_secret_key_in_the_address_is_refused(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof(line), "POST /v1/optins?key=%s", sk);
    assert_answer(ask(line, "", ADA), 401);
}

/* --- with the public key ---------------------------------------------------------------- */

static void strangers_hear_nothing_but_the_id(void **state)
{
    char *first;

    (void)state;
    assert_answer(post_public("", ADA), 201);
    first = strdup(rig.body);
    assert_int_equal(strlen(first), strlen("{\"id\":\"\"}") + ID_TEXT_LENGTH);
    assert_answer(post_public("", ADA), 201);
    assert_string_equal(rig.body, first);
    assert_no_header("Replayed");
    assert_answer(post_public("", "{\"phone\":\"+14155552673\",\"event_id\":\"e1\"}"), 201);
    assert_string_equal(rig.body, first);
    free(first);
}

static void the_key_may_come_in_a_header(void **state)
{
    char headers[256];

    (void)state;
    snprintf(headers, sizeof(headers), "X-Hotlead-Key: %s\nContent-Type: text/plain\n", pk);
    assert_answer(ask("POST /v1/optins", headers, ADA), 201);
}

static void the_pages_origin_is_echoed_exactly(void **state)
{
    (void)state;
    assert_answer(post_public("Origin: https://acme.com\n", ADA), 201);
    assert_header("Vary: Origin\r\n");
    assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
    assert_answer(post_public("Origin: https://acme.com\n", "{"), 400);
    assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
    rig.submit_status = STATUS_BUSY;
    assert_answer(post_public("Origin: https://acme.com\n", ADA), 503);
    assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
}

static void a_foreign_origin_is_403(void **state)
{
    (void)state;
    assert_answer(post_public("Origin: https://evil.com\n", ADA), 403);
    assert_body_has("origin_forbidden");
    assert_header("Vary: Origin");
    assert_no_header("Allow-Origin");
    assert_answer(post_public("Origin: null\n", ADA), 403);
}

static void without_an_origin_it_is_taken(void **state)
{
    (void)state;
    assert_answer(post_public("", ADA), 201);
    assert_header("Vary: Origin");
    assert_no_header("Allow-Origin");
}

static void preflights_are_answered_for_listed_origins(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof(line), "OPTIONS /v1/optins?key=%s", pk);
    assert_answer(ask(line, "Origin: https://acme.com\n", ""), 204);
    assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
    assert_header("Access-Control-Allow-Methods: POST\r\n");
    assert_header("content-type, idempotency-key, x-hotlead-key, x-request-id, traceparent\r\n");
    assert_header("Access-Control-Max-Age: 7200\r\n");
    assert_answer(ask(line, "Origin: https://evil.com\n", ""), 403);
    assert_no_header("Allow-Origin");
    /* The key may be in a header that is not sent yet. */
    assert_answer(ask("OPTIONS /v1/optins", "Origin: https://any.com\n", ""), 204);
    assert_header("Access-Control-Allow-Origin: *\r\n");
    assert_no_header("any.com");
    assert_answer(ask("POST /v1/optins", "Origin: https://any.com\nX-Hotlead-Key: none\n", ADA),
                  401);
    assert_no_header("Allow-Origin");
    snprintf(line, sizeof(line), "OPTIONS /f/%s", pk);
    assert_answer(ask(line, "Origin: https://acme.com\n", ""), 204);
    assert_answer(ask("OPTIONS /f/pk_none", "Origin: https://acme.com\n", ""), 404);
}

static void what_http_refuses_can_be_read_by_the_page_too(void **state)
{
    static const char page[] = "Origin: https://acme.com\nContent-Type: application/json\n";
    char headers[256];

    (void)state;
    for (int form = 0; form < 2; form++) {
        const char *path = form ? "/f/" : "/v1/optins?key=";
        assert_answer(refuse_public(path, page, STATUS_TOO_LARGE), 413);
        assert_string_equal(rig.type, "application/problem+json");
        assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
        assert_header("Vary: Origin\r\n");
        assert_answer(refuse_public(path, "Origin: https://evil.com\n", STATUS_TIMEOUT), 408);
        assert_no_header("Allow-Origin");
        assert_header("Vary: Origin\r\n");
        assert_answer(refuse_public(path, "", STATUS_MALFORMED), 400);
        assert_no_header("Allow-Origin");
    }
    snprintf(headers, sizeof(headers), "X-Hotlead-Key: %s\n%s", pk, page);
    assert_answer(refuse_request("POST /v1/optins", headers, STATUS_MEDIA_TYPE), 415);
    assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n%s", sk, page);
    assert_answer(refuse_request("POST /v1/optins", headers, STATUS_TOO_LARGE), 413);
    assert_no_header("Allow-Origin");
    assert_answer(refuse_request("POST /v1/optins?key=pk_none", page, STATUS_TOO_LARGE), 413);
    assert_no_header("Allow-Origin");
}

static void what_http_refuses_elsewhere_is_a_plain_problem(void **state)
{
    (void)state;
    assert_answer(refuse_request("POST /v1/optins/batch", "", STATUS_TOO_LARGE), 413);
    assert_string_equal(rig.type, "application/problem+json");
    assert_answer(refuse_request("GET /nowhere", "", STATUS_NOT_IMPLEMENTED), 501);
    assert_answer(refuse_request("GET /f/x", "Accept: text/html\n", STATUS_MALFORMED), 400);
    assert_string_equal(rig.type, "application/problem+json");
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_REFUSED), 0);
}

static void over_the_limits_it_is_suspect_then_429(void **state)
{
    (void)state;
    assert_answer(
        ask_as(rig.token, "PATCH /v1/sites/www", "{\"rate_limit\":2,\"suspect_limit\":1}"), 200);
    assert_answer(post_public("", ADA), 201);
    assert_answer(post_public("", "{\"phone\":\"+14155552674\"}"), 201);
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_SUSPECT), 1);
    assert_answer(post_public("Origin: https://acme.com\n", ADA), 429);
    assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
    /* A secret key is trusted. */
    for (int i = 0; i < 5; i++)
        assert_in_range(post(sk, "", ADA), 200, 201);
}

/* --- routes ---------------------------------------------------------------------------------- */

static void unknown_paths_are_404_and_wrong_methods_405(void **state)
{
    (void)state;
    assert_answer(ask("GET /nothing", "", ""), 404);
    assert_answer(ask("POST /v1/optins/", "", ""), 404);
    assert_answer(ask("POST /f/", "", ""), 404);
    assert_answer(ask("PUT /v1/optins", "", ""), 405);
    assert_header("Allow: GET, HEAD, POST, OPTIONS\r\n");
    rig_listener = API_PUBLIC;
    assert_answer(ask("GET /v1/optins", "", ""), 405);
    assert_header("Allow: POST, OPTIONS\r\n");
    rig_listener = API_ALL;
    assert_answer(ask("DELETE /v1/sites", "", ""), 405);
    assert_header("Allow: GET, HEAD, POST\r\n");
    assert_answer(ask("HEAD /livez", "", ""), 200);
}

static void the_public_listener_carries_intake_and_health_only(void **state)
{
    (void)state;
    rig_listener = API_PUBLIC;
    assert_answer(ask("GET /livez", "", ""), 200);
    assert_answer(ask("GET /readyz", "", ""), 200);
    assert_answer(ask("GET /t.js", "", ""), 200);
    assert_answer(post(sk, "", ADA), 201);
    assert_answer(post_public("", ADA), 201);
    assert_answer(post_form("", "phone=%2B14155552671"), 200);
    assert_answer(ask("GET /metrics", "", ""), 404);
    assert_answer(ask("GET /demo", "", ""), 404);
    assert_answer(ask_as(rig.token, "GET /v1/sites", ""), 404);
    assert_answer(ask_as(rig.token, "POST /v1/tasks/claim", "{}"), 404);
    assert_answer(ask_as(rig.token, "POST /v1/people/search", "{}"), 404);
}

static size_t body_max(enum http_method method, const char *path)
{
    return api_body_max(rig.api, method, slice_of(path), API_ALL);
}

static void bodies_are_limited_by_what_the_route_takes(void **state)
{
    (void)state;
    assert_int_equal(body_max(HTTP_POST, "/v1/optins"), 65536);
    assert_int_equal(body_max(HTTP_POST, "/f/pk_x"), 65536);
    assert_int_equal(body_max(HTTP_POST, "/v1/optins/batch"), 1048576);
    assert_int_equal(body_max(HTTP_PATCH, "/v1/sites/x"), 65536);
    assert_int_equal(body_max(HTTP_GET, "/v1/sites/x"), 0);
    assert_int_equal(body_max(HTTP_DELETE, "/v1/sites/x"), 0);
}

static void health_is_told(void **state)
{
    (void)state;
    assert_answer(ask("GET /livez", "", ""), 200);
    assert_answer(ask("GET /readyz", "", ""), 200);
    assert_body_has("\"status\":\"ok\"");
    rig.trouble = "Redis is \"full\"";
    assert_answer(ask("GET /readyz", "", ""), 200);
    assert_body_has("\"status\":\"degraded\",\"redis\":\"up\"");
    assert_body_has("\"reason\":\"Redis is \\\"full\\\"\"");
    rig.redis_up = false;
    assert_answer(ask("GET /readyz", "", ""), 200);
    assert_body_has("\"status\":\"degraded\",\"redis\":\"down\"");
    rig.ready = false;
    assert_answer(ask("GET /readyz", "", ""), 200);
    assert_body_has("\"state\":\"rebuilding\"");
    api_drain(rig.api);
    assert_answer(ask("GET /readyz", "", ""), 503);
    assert_answer(ask("GET /livez", "", ""), 200);
}

static uint64_t oldest_age_ms(void)
{
    const char *gauge = "hotlead_queue_oldest_age_seconds{queue=\"acme.calls\"} ";

    assert_body_has(gauge);
    return (uint64_t)llround(strtod(strstr(rig.body, gauge) + strlen(gauge), NULL) * 1000);
}

static void what_runs_it_can_be_looked_at(void **state)
{
    (void)state;
    assert_answer(post(sk, "", ADA), 201);
    api_on_done(rig.api, rig.tickets, 201, 1500);
    api_on_done(rig.api, 4711, 400, 100);
    assert_answer(ask("GET /metrics", "", ""), 200);
    assert_body_has("hotlead_optins_total{result=\"new\"} 1");
    assert_body_has("hotlead_http_requests_total{route=\"POST /v1/optins\",code=\"201\"} 1");
    assert_body_has("hotlead_http_requests_total{route=\"other\",code=\"400\"} 1");
    stats_add_breaches(rig.stats, 1, 2);
    uint64_t asked_ms = clock_now_ms(rig.clock);
    rig.oldest_ms = asked_ms - 90000;
    assert_answer(ask("GET /metrics", "", ""), 200);
    assert_body_has("hotlead_sla_breaches_total{queue=\"acme.calls\"} 2\n");
    assert_body_has("hotlead_queue_depth{queue=\"acme.calls\"} 3\n");
    assert_in_range(oldest_age_ms(), 90000, 90000 + (clock_now_ms(rig.clock) - asked_ms));
    assert_body_has("hotlead_outbox_lag_seconds 1.250\n");
    assert_body_lacks("does not fit");
    assert_answer(ask("GET /openapi.yaml", "", ""), 200);
    assert_body_has("openapi: 3.1");
    assert_answer(ask("GET /t.js", "", ""), 200);
    assert_true(strlen(rig.body) < 2048);
    assert_answer(ask("GET /demo", "", ""), 200);
    assert_string_equal(rig.body, "<p>demo</p>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_optin_is_answered_with_person_task_and_deadline),
        TEST(nothing_is_answered_before_the_commit),
        TEST(a_replay_gets_the_same_answer_and_says_so),
        TEST(the_same_id_with_other_content_is_refused),
        TEST(the_header_wins_over_the_event_id),
        TEST(a_key_over_255_bytes_is_refused_and_an_event_id_is_not),
        TEST(an_optin_without_a_task_says_why),
        TEST(while_state_is_rebuilt_only_the_id_is_told),
        TEST(what_cannot_be_used_is_named_and_not_echoed),
        TEST(other_media_types_are_refused),
        TEST(a_full_hand_over_and_a_full_disk_are_503),
        TEST(a_peer_that_hung_up_costs_nothing),
        TEST(a_peer_that_has_said_all_is_answered),
        TEST(when_too_many_wait_the_next_hears_busy),
        TEST(how_it_came_is_stored_with_it),
        TEST(what_came_with_it_unsound_is_dropped),
        TEST(a_long_user_agent_is_cut_between_characters),
        TEST(an_unknown_key_is_401),
        TEST(a_secret_key_in_the_address_is_refused),
        TEST(strangers_hear_nothing_but_the_id),
        TEST(the_key_may_come_in_a_header),
        TEST(the_pages_origin_is_echoed_exactly),
        TEST(a_foreign_origin_is_403),
        TEST(without_an_origin_it_is_taken),
        TEST(preflights_are_answered_for_listed_origins),
        TEST(what_http_refuses_can_be_read_by_the_page_too),
        TEST(what_http_refuses_elsewhere_is_a_plain_problem),
        TEST(over_the_limits_it_is_suspect_then_429),
        TEST(unknown_paths_are_404_and_wrong_methods_405),
        TEST(the_public_listener_carries_intake_and_health_only),
        TEST(bodies_are_limited_by_what_the_route_takes),
        TEST(health_is_told),
        TEST(what_runs_it_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
