/* Forms over HTTP: the pages that answer them, where they lead, and in which ways they come. */
#include "tests/api_optins.h"

static void a_form_is_thanked_with_a_page(void **state)
{
    (void)state;
    assert_answer(post_form("Accept: text/html,*/*\n", "name=Ada&phone=%2B14155552671"), 200);
    assert_string_equal(rig.type, "text/html; charset=utf-8");
    assert_body_has("Thank you");
    assert_header("Content-Security-Policy: default-src 'none'");
    assert_header("X-Content-Type-Options: nosniff");
    assert_header("Referrer-Policy: no-referrer");
    /* Once more looks the same. */
    assert_answer(post_form("Accept: text/html,*/*\n", "name=Ada&phone=%2B14155552671"), 200);
}

static void a_form_goes_where_the_site_lists(void **state)
{
    (void)state;
    assert_answer(post_form("", "phone=%2B14155552671&_redirect=https%3A%2F%2Facme.com%2Fok"), 303);
    assert_header("Location: https://acme.com/ok\r\n");
    assert_answer(post_form("", "phone=%2B14155552671&_redirect=https://thanks.acme.com/x"), 303);
    assert_answer(post_form("", "phone=%2B14155552671&_redirect=https://evil.com/"), 200);
    assert_no_header("Location");
    assert_answer(post_form("", "phone=%2B14155552671&_redirect=https%3A%2F%2Facme.com%0d%0aX:y"),
                  200);
    assert_no_header("Location");
}

static void a_form_answers_json_to_whom_asks_for_it(void **state)
{
    char line[256];

    (void)state;
    assert_answer(post_form("Accept: application/json, text/html\n", "phone=%2B14155552671"), 201);
    assert_body_has("{\"id\":\"opt_");
    assert_answer(post_form("Accept: text/html, application/json\n", "phone=%2B14155552671"), 200);
    assert_body_has("<!doctype html>");
    assert_answer(post_form("Accept: application/json\n", "message=x"), 422);
    assert_body_has("no_identifier");
    snprintf(line, sizeof(line), "POST /f/%s", pk);
    assert_answer(ask(line, "Content-Type: application/json\nAccept: */*\n", ADA), 201);
    assert_answer(ask(line, "Content-Type: text/plain\nAccept: text/html\n", ADA), 200);
}

static void a_form_may_come_as_plain_text_and_a_beacon_stays_json(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof(line), "POST /f/%s", pk);
    assert_answer(ask(line, "Content-Type: text/plain\n",
                      "name=Ada L\r\nphone=+14155552671\r\nmessage=a\r\nb\r\n"),
                  200);
    assert_answer(ask(line, "Content-Type: text/plain\nAccept: application/json\n", "name=\r\n"),
                  422);
    assert_answer(ask(line, "Content-Type: text/plain\nAccept: application/json\n", "hello"), 400);
    assert_answer(post_public("Content-Type: text/plain\n", ADA), 201);
    assert_answer(post_public("Content-Type: text/plain\n", "phone=+14155552671\r\n"), 400);
}

static void a_forms_error_can_be_read(void **state)
{
    (void)state;
    assert_answer(post_form("", "message=hello"), 422);
    assert_string_equal(rig.type, "text/html; charset=utf-8");
    assert_body_has("phone number or an e-mail");
    assert_answer(post_form("Origin: https://evil.com\n", "phone=%2B14155552671"), 403);
    assert_body_has("not set up correctly");
    assert_answer(ask("POST /f/pk_acme_none", "", "phone=1"), 404);
    assert_string_equal(rig.type, "text/html; charset=utf-8");
    rig.submit_status = STATUS_BUSY;
    assert_answer(post_form("", "phone=%2B14155552671"), 503);
    assert_header("Retry-After: ");
}

static void what_http_refuses_of_a_form_is_a_page(void **state)
{
    static const enum status refusals[] = {
        STATUS_TOO_LARGE, STATUS_TIMEOUT, STATUS_LENGTH_REQUIRED,    STATUS_MEDIA_TYPE,
        STATUS_MALFORMED, STATUS_BUSY,    STATUS_EXPECTATION_FAILED, STATUS_NOT_IMPLEMENTED};
    static const char browser[] = "Origin: https://acme.com\nAccept: text/html,*/*\n"
                                  "Content-Type: application/x-www-form-urlencoded\n";

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        assert_answer(refuse_public("/f/", browser, refusals[i]), status_http(refusals[i]));
        assert_string_equal(rig.type, "text/html; charset=utf-8");
        assert_body_has("This did not arrive");
        assert_header("Access-Control-Allow-Origin: https://acme.com\r\n");
    }
    assert_answer(refuse_public("/f/", browser, STATUS_BUSY), 503);
    assert_header("Retry-After: 1\r\n");
    assert_answer(refuse_public("/f/", browser, STATUS_TIMEOUT), 408);
    assert_body_has("took too long");
    assert_answer(refuse_public("/f/", "Accept: application/json\n", STATUS_TOO_LARGE), 413);
    assert_string_equal(rig.type, "application/problem+json");
    assert_answer(refuse_request("POST /f/pk_none", browser, STATUS_TOO_LARGE), 413);
    assert_string_equal(rig.type, "text/html; charset=utf-8");
    assert_no_header("Allow-Origin");
    assert_true(stats_count(rig.stats, STATS_OPTINS_REFUSED) > 0);
}

static void multipart_and_a_honeypot_are_understood(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof(line), "POST /f/%s", pk);
    assert_answer(ask(line, "Content-Type: multipart/form-data; boundary=xx\n",
                      "--xx\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n"
                      "a@example.com\r\n--xx--\r\n"),
                  200);
    assert_answer(post_form("", "phone=%2B14155552671&_hp=robot"), 200);
    assert_int_equal(stats_count(rig.stats, STATS_OPTINS_SUSPECT), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_form_is_thanked_with_a_page),
        TEST(a_form_goes_where_the_site_lists),
        TEST(a_form_answers_json_to_whom_asks_for_it),
        TEST(a_form_may_come_as_plain_text_and_a_beacon_stays_json),
        TEST(a_forms_error_can_be_read),
        TEST(what_http_refuses_of_a_form_is_a_page),
        TEST(multipart_and_a_honeypot_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
