/* claim.lua in a real Redis: what it hands out, and what it reports of that. */
#include "tests/script_server.h"

#define REPORTS "hl:{acme.calls}:reports:n1"

static int set_up_all(void **state)
{
    (void)state;
    return start_for(SOURCE_DIR "/proto/claim.lua");
}

#define MEMBER(id, reports)                                                                        \
    "{\"v\":1,\"id\":\"tsk_" id "\",\"delivery\":3,\"queue\":\"acme.calls\",\"report\":\"" reports \
    "\"}"

static redisReply *claim(const char *agent, const char *now_ms)
{
    return server_do(&server, "EVAL %s 2 %s %s %s %s", script_text, TASKS, REPORTS, agent, now_ms);
}

static void assert_claims(const char *agent, const char *member)
{
    redisReply *reply = claim(agent, "1700000000000");

    if (member == NULL)
        assert_int_equal(reply->type, REDIS_REPLY_NIL);
    else
        assert_string_equal(reply->str, member);
    freeReplyObject(reply);
}

/* The fields of the newest entry of a stream, or "". */
static const char *newest_report(const char *stream)
{
    static char result[512];
    redisReply *reply = server_do(&server, "XREVRANGE %s + - COUNT 1", stream);

    result[0] = '\0';
    for (size_t i = 0; reply->elements > 0 && i < reply->element[0]->element[1]->elements; i++) {
        strcat(result, i > 0 ? " " : "");
        strcat(result, reply->element[0]->element[1]->element[i]->str);
    }
    freeReplyObject(reply);
    return result;
}

static void claim_takes_the_first_and_reports_to_its_node(void **state)
{
    (void)state;
    server_run(&server, "ZADD %s 2 %s 1 %s", TASKS, MEMBER("B", REPORTS),
               MEMBER("A", "hl:{acme.calls}:reports:n2"));
    assert_claims("a42", MEMBER("A", "hl:{acme.calls}:reports:n2"));
    assert_string_equal(newest_report("hl:{acme.calls}:reports:n2"),
                        "task tsk_A delivery 3 op claim agent a42 started_ms 1700000000000");
    assert_string_equal(newest_report(REPORTS), "");
    assert_claims("a43", MEMBER("B", REPORTS));
    assert_claims("a43", NULL);
    assert_int_equal(server_number(&server, "XLEN %s", REPORTS), 1);
}

static void claim_works_on_a_list_and_without_a_time(void **state)
{
    (void)state;
    server_run(&server, "RPUSH %s %s %s", TASKS, MEMBER("A", REPORTS), MEMBER("B", REPORTS));
    redisReply *reply = claim("a42", "");
    assert_string_equal(reply->str, MEMBER("A", REPORTS));
    freeReplyObject(reply);
    assert_string_equal(newest_report(REPORTS), "task tsk_A delivery 3 op claim agent a42");
    assert_int_equal(server_number(&server, "LLEN %s", TASKS), 1);
}

static void member_of_somebody_else_is_handed_on_without_a_report(void **state)
{
    (void)state;
    server_run(&server, "ZADD %s 1 %s 2 %s", TASKS, "not JSON", "[1]");
    assert_claims("a42", "not JSON");
    assert_claims("a42", "[1]");
    assert_int_equal(server_number(&server, "EXISTS %s", REPORTS), 0);
}

static void claim_that_cannot_be_reported_takes_nothing(void **state)
{
    (void)state;
    server_run(&server, "ZADD %s 1 %s", TASKS, MEMBER("A", REPORTS));
    server_run(&server, "SET %s x", REPORTS);
    redisReply *reply = claim("a42", "");
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    reply = claim("", "");
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    assert_int_equal(server_number(&server, "ZCARD %s", TASKS), 1);
    server_run(&server, "DEL %s", TASKS);
    server_run(&server, "SET %s x", TASKS);
    reply = claim("a42", "");
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(claim_takes_the_first_and_reports_to_its_node, set_up),
        cmocka_unit_test_setup(claim_works_on_a_list_and_without_a_time, set_up),
        cmocka_unit_test_setup(member_of_somebody_else_is_handed_on_without_a_report, set_up),
        cmocka_unit_test_setup(claim_that_cannot_be_reported_takes_nothing, set_up),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
