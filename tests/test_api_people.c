/* People and people, over HTTP: who another one is, who referred whom, whom a manager looks at. */
#include "tests/api_tokens.h"

static char one[64], other[64];

static void opt_in(const char *body, char person[64])
{
    rig.world.now_ms += 1000;
    assert_answer(ask_as(sk, "POST /v1/optins", body), 201);
    told("person", person, 64);
}

/* One has a phone, the other an e-mail; and then comes who has both. */
static int set_up(void **state)
{
    char both[64];

    rig_open(state);
    add_told("sites", "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}", "sk", sk);
    told("pk", pk, sizeof(pk));
    add_told("tokens", "{\"id\":\"m\",\"role\":\"manager\",\"agency\":\"acme\"}", "token", manager);
    add("agencies", "{\"id\":\"rival\"}");
    add_told("tokens", "{\"id\":\"r\",\"role\":\"manager\",\"agency\":\"rival\"}", "token", rival);
    opt_in("{\"phone\":\"+12155550147\",\"name\":\"Dana\"}", one);
    opt_in("{\"email\":\"dana@example.com\",\"name\":\"D. Rivera\"}", other);
    opt_in("{\"phone\":\"+12155550147\",\"email\":\"dana@example.com\"}", both);
    assert_string_equal(both, one);
    return 0;
}

static int get(const char *key, const char *id, const char *behind)
{
    char line[256];

    snprintf(line, sizeof(line), "GET /v1/people/%s%s", id, behind);
    return ask_as(key, line, "");
}

static int list(const char *key, const char *query)
{
    char line[256];

    snprintf(line, sizeof(line), "GET /v1/people?%s", query);
    return ask_as(key, line, "");
}

static void be_one(const char *verb)
{
    char line[128], body[128];

    snprintf(line, sizeof(line), "POST /v1/people/%s/%s", one, verb);
    snprintf(body, sizeof(body), "{\"other\":\"%s\"}", other);
    rig.world.now_ms += 1000;
    assert_answer(ask_as(manager, line, body), 200);
}

static void merge(void)
{
    be_one("merge");
}

static void assert_body_says(const char *format, const char *id)
{
    char wanted[256];

    snprintf(wanted, sizeof(wanted), format, id);
    assert_body_has(wanted);
}

static unsigned count_of(const char *part)
{
    unsigned count = 0;

    for (const char *at = rig.body; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

/* --- who another one is --------------------------------------------------------------------------
 */

static void who_may_be_another_one_is_shown(void **state)
{
    (void)state;
    assert_answer(get(sk, one, ""), 200);
    assert_body_says("\"merged_into\":null,\"merged\":[],\"collides\":[\"%s\"]", other);
}

static void who_is_one_now_is_shown_from_both_sides(void **state)
{
    (void)state;
    merge();
    assert_answer(get(sk, one, ""), 200);
    assert_body_says("\"merged_into\":null,\"merged\":[\"%s\"],\"collides\":[]", other);
    assert_answer(get(sk, other, ""), 200);
    assert_body_says("\"merged_into\":\"%s\",\"merged\":[]", one);
}

/* From before the newest record of this kind on. */
static void history_before(const char *who, const char *kind)
{
    char line[64];
    const char *at;

    assert_answer(get(sk, who, "/history"), 200);
    at = strstr(rig.body, kind);
    assert_non_null(at);
    while (at > rig.body && strncmp(at, "\"seq\":", 6) != 0)
        at--;
    snprintf(line, sizeof(line), "/history?before=%llu", strtoull(at + 6, NULL, 10));
    assert_answer(get(sk, who, line), 200);
}

static void the_histories_of_who_is_one_are_one(void **state)
{
    (void)state;
    merge();
    assert_answer(get(sk, one, "/history"), 200);
    assert_int_equal(count_of("\"kind\":\"optin\""), 3);
    assert_int_equal(count_of("\"kind\":\"merged\""), 1);
    assert_body_says("\"person\":\"%s\"", other); /* to whom it happened */
    assert_answer(get(sk, other, "/history"), 200);
    assert_int_equal(count_of("\"kind\":\"optin\""), 1);

    /* That of the other one is older. */
    history_before(one, "\"kind\":\"optin\"");
    assert_int_equal(count_of("\"kind\":\"optin\""), 2);
    assert_int_equal(count_of("\"kind\":\"merged\""), 0);
}

static void who_is_two_again_has_what_it_said_while_one(void **state)
{
    char who[64];

    (void)state;
    merge();
    opt_in("{\"email\":\"dana@example.com\",\"company\":\"Second\"}", who);
    assert_string_equal(who, one);
    opt_in("{\"phone\":\"+12155550147\",\"company\":\"Not hers\"}", who);
    be_one("unmerge");
    opt_in("{\"email\":\"dana@example.com\",\"company\":\"Third\"}", who);
    assert_string_equal(who, other);

    assert_answer(get(sk, other, "/history"), 200);
    assert_int_equal(count_of("\"kind\":\"optin\""), 3);
    assert_int_equal(count_of("\"kind\":\"merged\""), 1);
    assert_int_equal(count_of("\"kind\":\"unmerged\""), 1);
    assert_body_has("\"company\":\"Second\"");
    assert_body_says("\"kind\":\"unmerged\",\"person\":\"%s\",\"by\":\"m\",\"note\":null,", one);
    assert_body_says("\"other\":\"%s\",\"stage\":\"optin\"", one);
    assert_int_equal(count_of("Not hers"), 0);
    assert_int_equal(count_of("+12155550147"), 0);
    history_before(other, "\"kind\":\"unmerged\"");
    assert_int_equal(count_of("\"kind\":\"optin\""), 2);
    history_before(other, "\"kind\":\"merged\"");
    assert_int_equal(count_of("\"kind\":\"optin\""), 1);

    assert_answer(get(sk, one, "/history"), 200);
    assert_body_says("\"kind\":\"optin\",\"person\":\"%s\"", other);
    merge(); /* told once, also by two ways */
    assert_answer(get(sk, one, "/history"), 200);
    assert_int_equal(count_of("\"kind\":\"optin\""), 6);
    assert_int_equal(count_of("\"kind\":\"unmerged\""), 1);
}

/* --- how somebody is reached ---------------------------------------------------------------------
 */

/* Of the call of the opt-in just answered. */
static void report(const char *outcome)
{
    char task[64], line[128], body[128];

    told("task", task, sizeof(task));
    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", task);
    snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"%s\"}", outcome);
    rig.world.now_ms += 1000;
    assert_answer(ask_as(manager, line, body), 200);
}

static void assert_person_has(const char *who, const char *part)
{
    assert_answer(get(sk, who, ""), 200);
    assert_body_has(part);
}

static void a_number_that_was_replaced_is_not_shown_again(void **state)
{
    char who[64];

    (void)state;
    opt_in("{\"phone\":\"+12155550150\",\"email\":\"eve@example.com\"}", who);
    report("wrong_number");
    opt_in("{\"phone\":\"+12155550151\",\"email\":\"eve@example.com\"}", who);
    opt_in("{\"email\":\"eve@example.com\",\"company\":\"Eve's\"}", who);
    assert_person_has(who, "\"phone\":\"+12155550151\"");
    assert_person_has(who, "\"company\":\"Eve's\"");
}

static void what_a_form_says_beside_them_is_not_shown(void **state)
{
    char who[64], key[128];

    (void)state;
    snprintf(key, sizeof(key), "X-Hotlead-Key: %s\n", pk);
    opt_in("{\"phone\":\"+12155550150\"}", who);
    opt_in("{\"phone\":\"+12155550150\",\"email\":\"eve@example.com\"}", who);
    rig.world.now_ms += 1000;
    assert_answer(ask("POST /v1/optins", key,
                      "{\"phone\":\"+12155550150\",\"email\":\"office@example.com\"}"),
                  201);
    assert_person_has(who, "\"email\":\"eve@example.com\"");
}

static void a_second_number_is_shown_until_it_is_wrong(void **state)
{
    char who[64], again[64];

    (void)state;
    opt_in("{\"phone\":\"+12155550150\",\"email\":\"eve@example.com\"}", who);
    report("no_answer");
    opt_in("{\"phone\":\"+12155550151\",\"email\":\"eve@example.com\"}", who);
    report("no_answer");
    assert_person_has(who, "\"phone\":\"+12155550151\"");
    opt_in("{\"phone\":\"+12155550151\"}", again);
    assert_string_equal(again, who);
    report("wrong_number");
    assert_person_has(who, "\"phone\":\"+12155550150\"");
}

/* --- whom to look at -----------------------------------------------------------------------------
 */

/* What the agency's own server sends corrects what was said, but for what is of no use. */
static void what_nobody_is_reached_by_is_shown_where_nothing_better_is_known(void **state)
{
    char who[64], again[64];

    (void)state;
    opt_in("{\"email\":\"ola@example.com\",\"name\":\"-\"}", who);
    opt_in("{\"phone\":\"+19005550148\",\"email\":\"ola@example.com\"}", again);
    assert_string_equal(again, who);
    assert_answer(get(sk, who, ""), 200);
    assert_body_has("\"phone\":\"+19005550148\"");
    opt_in("{\"phone\":\"+12155550148\",\"email\":\"ola@example.com\",\"name\":\"Ola Two\"}",
           again);
    assert_string_equal(again, who);
    opt_in("{\"phone\":\"+12155550148\",\"email\":\"ola@example\",\"name\":\"test\"}", again);
    assert_string_equal(again, who);
    assert_answer(get(sk, who, ""), 200);
    assert_body_has("\"name\":\"Ola Two\"");
    assert_body_has("\"phone\":\"+12155550148\"");
    assert_body_has("\"email\":\"ola@example.com\"");
    opt_in("{\"phone\":\"12\",\"email\":\"ola@example.com\"}", again);
    assert_string_equal(again, who);
    assert_answer(get(sk, who, ""), 200);
    assert_body_has("\"phone\":\"+12155550148\"");
    assert_body_has("\"flags\":[\"bad_phone\",\"bad_email\"]");
}

static void whom_a_manager_looks_at_is_listed_until_it_is_done(void **state)
{
    (void)state;
    assert_answer(list(manager, "review=1"), 200);
    assert_body_says("{\"people\":[{\"person\":{\"id\":\"%s\",\"name\":\"Dana\"", one);
    assert_body_says("\"other\":{\"id\":\"%s\",\"name\":\"D. Rivera\"", other);
    assert_body_has("],\"next\":null}");
    assert_answer(list(rig.token, "review=1&agency=acme"), 200);
    assert_body_says("\"id\":\"%s\"", one);
    merge();
    assert_answer(list(manager, "review=1"), 200);
    assert_string_equal(rig.body, "{\"people\":[],\"next\":null}");
}

static void a_long_list_of_whom_to_look_at_comes_in_pages(void **state)
{
    char next[64], query[128], mail[64], second[64], both[64];

    (void)state;
    opt_in("{\"phone\":\"+12155550148\"}", second);
    opt_in("{\"email\":\"eve@example.com\"}", mail);
    opt_in("{\"phone\":\"+12155550148\",\"email\":\"eve@example.com\"}", both);
    assert_answer(list(manager, "review=1&limit=1"), 200);
    assert_int_equal(count_of("\"other\":"), 1);
    assert_body_says("\"id\":\"%s\"", second); /* the newest first */
    told("next", next, sizeof(next));
    snprintf(query, sizeof(query), "review=1&limit=1&after=%s", next);
    assert_answer(list(manager, query), 200);
    assert_int_equal(count_of("\"other\":"), 1);
    assert_body_says("\"id\":\"%s\"", one);
}

static void what_is_asked_of_a_list_must_make_sense(void **state)
{
    static const char *const wrong[][2] = {
        {"review=2", "review"},          {"review=1&limit=0", "limit"},
        {"review=1&limit=101", "limit"}, {"review=1&after=12", "after"},
        {"review=1&after=x.1", "after"}, {"review=1&after=1.x", "after"},
    };
    char wanted[64];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_answer(list(manager, wrong[i][0]), 422);
        snprintf(wanted, sizeof(wanted), "the value of %s cannot be used", wrong[i][1]);
        assert_body_has(wanted);
    }
    assert_answer(list(rig.token, "review=1"), 422); /* whose? */
    assert_answer(list(rival, "review=1&agency=acme"), 404);
    assert_answer(list(manager, "review=1&agency=none"), 404);
    assert_answer(list(sk, "review=1"), 403);
    assert_answer(list(rival, "review=1"), 200);
    assert_string_equal(rig.body, "{\"people\":[],\"next\":null}");
}

/* --- who referred whom ---------------------------------------------------------------------------
 */

static void who_referred_whom_is_shown_both_ways(void **state)
{
    char body[128], friend[64], stranger[64];

    (void)state;
    snprintf(body, sizeof(body), "{\"email\":\"p1@example.com\",\"referred_by\":\"%s\"}", one);
    opt_in(body, friend);
    opt_in("{\"email\":\"p2@example.com\",\"referred_by\":\"Uncle Bob\"}", stranger);
    assert_answer(get(sk, one, ""), 200);
    assert_body_says("\"referred\":[\"%s\"]", friend);
    assert_answer(get(sk, friend, ""), 200);
    assert_body_says("\"referred_by\":[\"%s\"]", one);
    assert_answer(get(sk, stranger, ""), 200);
    assert_body_has("\"referred_by\":[]");
    assert_answer(get(manager, one, "/referrals"), 200);
    assert_body_says("{\"referred\":[{\"person\":{\"id\":\"%s\"", friend);
    assert_body_has("],\"next\":null}");
    assert_answer(get(rival, one, "/referrals"), 404);
    assert_answer(get(manager, "per_x", "/referrals"), 404);
}

static void many_referrals_come_in_pages(void **state)
{
    char body[128], sent[64], next[64], behind[96];

    (void)state;
    for (unsigned i = 0; i < 103; i++) {
        snprintf(body, sizeof(body), "{\"email\":\"p%u@example.com\",\"referred_by\":\"%s\"}", i,
                 one);
        opt_in(body, sent);
    }
    assert_answer(get(manager, one, "/referrals"), 200);
    assert_int_equal(count_of("{\"person\":"), 100);
    told("next", next, sizeof(next));
    snprintf(behind, sizeof(behind), "/referrals?after=%s", next);
    assert_answer(get(manager, one, behind), 200);
    assert_int_equal(count_of("{\"person\":"), 3);
    assert_body_says("\"id\":\"%s\"", sent);
    assert_body_has("],\"next\":null}");
    assert_answer(get(sk, one, ""), 200); /* beside a person are the first of them */
    assert_body_lacks(sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)
        TEST(who_may_be_another_one_is_shown),
        TEST(who_is_one_now_is_shown_from_both_sides),
        TEST(the_histories_of_who_is_one_are_one),
        TEST(who_is_two_again_has_what_it_said_while_one),
        TEST(a_number_that_was_replaced_is_not_shown_again),
        TEST(what_a_form_says_beside_them_is_not_shown),
        TEST(a_second_number_is_shown_until_it_is_wrong),
        TEST(what_nobody_is_reached_by_is_shown_where_nothing_better_is_known),
        TEST(whom_a_manager_looks_at_is_listed_until_it_is_done),
        TEST(a_long_list_of_whom_to_look_at_comes_in_pages),
        TEST(what_is_asked_of_a_list_must_make_sense),
        TEST(who_referred_whom_is_shown_both_ways),
        TEST(many_referrals_come_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
