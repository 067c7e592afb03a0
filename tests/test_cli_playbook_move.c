/* `hotlead playbook move` against a server that is replaced: what it asks for page by page, what it
 * says of the answers, and its exit code. */
#include "tests/unit.h"

#include <unistd.h>

#include "server/cli_internal.h"

#define PAGES_MAX 4

static struct {
    struct {
        long status;
        const char *body;
    } answers[PAGES_MAX];
    unsigned asked;
    char sent[PAGES_MAX][1024], path[PAGES_MAX][64];
} server;
static char said[16 * 1024];

/* --- the server ------------------------------------------------------------------------------ */

enum status client_open(const char *url, const char *token, struct client **out)
{
    (void)url;
    (void)token;
    *out = NULL;
    return STATUS_OK;
}

void client_close(struct client *client)
{
    (void)client;
}

enum status client_request(struct client *client, const char *method, const char *path,
                           struct slice body, struct client_answer *out)
{
    static char bytes[4096]; /* more is readable behind an answer */
    unsigned page = server.asked++;

    (void)client;
    assert_true(page < PAGES_MAX && server.answers[page].body != NULL);
    assert_string_equal(method, "POST");
    snprintf(server.path[page], sizeof(server.path[page]), "%s", path);
    snprintf(server.sent[page], sizeof(server.sent[page]), "%.*s", (int)body.length, body.bytes);
    snprintf(bytes, sizeof(bytes), "%s", server.answers[page].body);
    *out = (struct client_answer){.status = server.answers[page].status, .body = slice_of(bytes)};
    return STATUS_OK;
}

static int set_up(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    return 0;
}

/* What goes to `stream` (1 or 2) is in `said` afterwards. */
static int move(int stream, const char *const *words)
{
    static const struct cli_entity playbooks = {"playbook", "playbooks", false};
    struct cli_call call = {.entity = &playbooks, .verb = "move"};
    FILE *file = tmpfile();
    int before = dup(stream);

    assert_non_null(file);
    for (; words[call.count]; call.count++)
        call.words[call.count] = words[call.count];
    fflush(NULL);
    dup2(fileno(file), stream);
    int code = cli_playbook_move(&call);
    fflush(NULL);
    dup2(before, stream);
    close(before);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
    return code;
}
#define MOVE(stream, ...) move(stream, (const char *const[]){__VA_ARGS__, NULL})

static void assert_said(const char *part)
{
    if (!strstr(said, part))
        fail_msg("'%s' is not in '%s'", part, said);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void people_are_moved_page_by_page_until_none_are_left(void **state)
{
    (void)state;
    server.answers[0].status = server.answers[1].status = 200;
    server.answers[0].body = "{\"moved\":100,\"kept\":[],\"lost\":[],\"next\":\"170\"}";
    server.answers[1].body = "{\"moved\":5,\"kept\":[],\"lost\":[],\"next\":null}";
    assert_int_equal(MOVE(1, "--agency", "acme", "--from", "acme.a@1", "--to", "acme.a"), 0);
    assert_string_equal(said, "moved 105, stayed 0\n");
    assert_int_equal(server.asked, 2);
    assert_string_equal(server.path[1], "/v1/people/move");
    assert_string_equal(server.sent[0],
                        "{\"agency\":\"acme\",\"from\":\"acme.a@1\",\"to\":\"acme.a\"}");
    assert_string_equal(
        server.sent[1],
        "{\"agency\":\"acme\",\"from\":\"acme.a@1\",\"to\":\"acme.a\",\"after\":\"170\"}");
}

static void it_goes_on_where_it_is_told_to(void **state)
{
    (void)state;
    server.answers[0].status = 200;
    server.answers[0].body = "{\"moved\":0,\"kept\":[],\"next\":null}";
    assert_int_equal(MOVE(1, "--agency", "acme", "--after", "170"), 0);
    assert_string_equal(server.sent[0], "{\"agency\":\"acme\",\"after\":\"170\"}");
}

static void who_stays_and_what_is_lost_is_named(void **state)
{
    (void)state;
    server.answers[0].status = 200;
    server.answers[0].body = "{\"moved\":1,\"kept\":[{\"code\":\"conflict\",\"person\":\"per_1\","
                             "\"detail\":\"no such stage\"}],\"lost\":[{\"person\":\"per_2\","
                             "\"lost\":[\"cadence\",\"step\"]}],\"next\":null}";
    assert_int_equal(MOVE(1, "--agency", "acme"), 0);
    assert_string_equal(said, "per_1  stays: no such stage\n"
                              "per_2  moved, without its cadence step\n"
                              "moved 1, stayed 1\n");
}

static void a_refusal_on_the_way_says_where_to_go_on(void **state)
{
    (void)state;
    server.answers[0].status = 200;
    server.answers[0].body = "{\"moved\":100,\"kept\":[],\"next\":\"170\"}";
    server.answers[1].status = 503;
    server.answers[1].body = "{\"code\":\"busy\",\"title\":\"too much at once\"}";
    assert_int_equal(MOVE(2, "--agency", "acme"), CLI_FAILED);
    assert_said("hotlead: too much at once (503)\nhotlead: go on with --after 170\n");
    server.asked = 1;
    assert_int_equal(MOVE(2, "--agency", "acme"), CLI_FAILED);
    assert_string_equal(said, "hotlead: too much at once (503)\n");
}

static void an_answer_of_something_else_is_told(void **state)
{
    static const char *const bodies[] = {
        "", "[]", "{\"moved\":1}", "{\"kept\":[]}",
        "{\"moved\":1,\"kept\":[],\"next\":\"1234567890123456789012345\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        server.asked = 0;
        server.answers[0].status = 200;
        server.answers[0].body = bodies[i];
        assert_int_not_equal(MOVE(2, "--agency", "acme"), 0);
        assert_said("the server's answer is no page of people");
        assert_int_equal(server.asked, 1);
    }
}

static void words_that_say_nothing_ask_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(MOVE(2, "--to", "acme.a"), CLI_USAGE);
    assert_said("hotlead playbook move");
    assert_int_equal(MOVE(2, "--agency"), CLI_USAGE);
    assert_int_equal(MOVE(2, "--agency", "acme", "--until", "acme.a"), CLI_USAGE);
    assert_int_equal(MOVE(2, "--agency", "acme", "--after", "12x"), CLI_USAGE);
    assert_int_equal(MOVE(2, "--agency", "acme", "--after", ""), CLI_USAGE);
    assert_int_equal(MOVE(2, "--agency", "acme", "--after", "1234567890123456789012345"),
                     CLI_USAGE);
    assert_int_equal(server.asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(people_are_moved_page_by_page_until_none_are_left),
        TEST(it_goes_on_where_it_is_told_to),
        TEST(who_stays_and_what_is_lost_is_named),
        TEST(a_refusal_on_the_way_says_where_to_go_on),
        TEST(an_answer_of_something_else_is_told),
        TEST(words_that_say_nothing_ask_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
