#include "tests/unit.h"

#include "proto/json.h"
#include "server/cli.h"

static char buffer[16 * 1024];

#define WORDS(...)                                                                                 \
    (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[])           \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void assert_settings(int argc, const char *const *argv, bool with_id, const char *wanted)
{
    struct text out = text_over(buffer, sizeof buffer);
    const char *wrong = cli_settings(argc, argv, with_id, &out);

    if (wrong)
        fail_msg("refused: %s", wrong);
    assert_slice(text_slice(&out), wanted);
}

static void assert_no_settings(int argc, const char *const *argv, bool with_id, const char *word)
{
    struct text out = text_over(buffer, sizeof buffer);
    const char *wrong = cli_settings(argc, argv, with_id, &out);

    assert_non_null(wrong);
    assert_string_equal(wrong, word);
}

static void words_become_settings_in_each_of_three_ways(void **state)
{
    (void)state;
    assert_settings(WORDS("acme-main", "--agency", "acme", "--queue=acme.calls", "country=US"),
                    true,
                    "{\"id\":\"acme-main\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                    "\"country\":\"US\"}");
    assert_settings(WORDS("id=acme", "name=Acme & Sons = \"A\""), true,
                    "{\"id\":\"acme\",\"name\":\"Acme & Sons = \\\"A\\\"\"}");
}

static void lists_are_lists_however_often_they_are_given(void **state)
{
    (void)state;
    assert_settings(WORDS("--origin", "https://a.example"), false,
                    "{\"origins\":[\"https://a.example\"]}");
    assert_settings(
        WORDS("--origin", "https://a.example", "country=US", "origins=https://b.example"), false,
        "{\"origins\":[\"https://a.example\",\"https://b.example\"],"
        "\"country\":\"US\"}");
    assert_settings(WORDS("countries="), false, "{\"countries\":[]}");
    assert_settings(WORDS("--made-up", "a", "--made-up", "b"), false,
                    "{\"made_up\":[\"a\",\"b\"]}");
}

static void numbers_are_sent_as_numbers_where_a_setting_is_one(void **state)
{
    (void)state;
    assert_settings(WORDS("--rate-limit", "20", "claim_holds=0"), false,
                    "{\"rate_limit\":20,\"claim_holds\":0}");
    assert_settings(WORDS("rate_limit=many", "report_within=007", "name=42"), false,
                    "{\"rate_limit\":\"many\",\"report_within\":\"007\",\"name\":\"42\"}");
    assert_settings(WORDS("rate_limit=99999999999999999999"), false,
                    "{\"rate_limit\":\"99999999999999999999\"}");
}

static void words_that_say_nothing_are_named(void **state)
{
    (void)state;
    assert_no_settings(WORDS("acme", "beta"), true, "beta");
    assert_no_settings(WORDS("acme"), false, "acme");
    assert_no_settings(WORDS("--agency"), true, "--agency");
    assert_no_settings(WORDS("=x"), true, "=x");
    assert_no_settings(WORDS("--", "x"), true, "--");
}

static void an_acl_line_is_for_one_queue_and_no_command_that_could_harm(void **state)
{
    static const char *const harmful[] = {"+del",    "+set",  "+flushall", "+keys",  "+zadd",
                                          "+config", "+@all", "+zrem",     "+xtrim", "+rpush"};

    (void)state;
    for (int is_list = 0; is_list <= 1; is_list++) {
        struct text out = text_over(buffer, sizeof buffer - 1);
        cli_acl("hl", "acme.calls", is_list, "dialer", "s3cret", &out);
        buffer[out.length] = '\0';
        const char *head = "ACL SETUSER dialer reset on >s3cret -@all ";
        assert_memory_equal(buffer, head, strlen(head));
        for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
            assert_null(strstr(buffer, harmful[i]));
        assert_string_equal(strchr(buffer, '\n'), "\n");
        assert_non_null(strstr(buffer, "+bzpopmin"));
        assert_int_equal(strstr(buffer, "+blmove") != NULL, is_list);
    }
}

/* The functions want readable bytes behind a document. */
static struct slice padded(const char *json)
{
    static char bytes[4096 + JSON_PADDING];

    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, json, strlen(json));
    return (struct slice){bytes, strlen(json)};
}

static void a_document_is_indented(void **state)
{
    struct text out = text_over(buffer, sizeof buffer);

    (void)state;
    assert_true(cli_write_pretty(
        padded("{\"id\":\"a\",\"n\":1,\"list\":[\"x\",2],\"none\":[],\"in\":{\"y\":null}}"), &out));
    assert_slice(text_slice(&out), "{\n  \"id\": \"a\",\n  \"n\": 1,\n  \"list\": [\"x\", 2],\n"
                                   "  \"none\": [],\n  \"in\": {\n    \"y\": null\n  }\n}\n");
    assert_false(cli_write_pretty(padded("<html>"), &out));
}

static void a_list_is_a_table_with_the_columns_of_all_rows(void **state)
{
    struct text out = text_over(buffer, sizeof buffer);

    (void)state;
    assert_true(cli_write_table(padded("[{\"id\":\"a\",\"origins\":[\"x\",\"y\"]},"
                                       "{\"id\":\"longer\",\"name\":\"J\\u00fcrg\\u001b[2J\"},"
                                       "{\"id\":\"n\",\"rate\":5}]"),
                                &out));
    assert_slice(text_slice(&out), "id      origins  name      rate\n"
                                   "a       x, y               \n"
                                   "longer           J\xC3\xBCrg [2J  \n"
                                   "n                          5\n");
    assert_false(cli_write_table(padded("{}"), &out));
}

static void an_empty_list_is_an_empty_table(void **state)
{
    struct text out = text_over(buffer, sizeof buffer);

    (void)state;
    assert_true(cli_write_table(padded("[]"), &out));
    assert_int_equal(out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_settings_in_each_of_three_ways),
        cmocka_unit_test(lists_are_lists_however_often_they_are_given),
        cmocka_unit_test(numbers_are_sent_as_numbers_where_a_setting_is_one),
        cmocka_unit_test(words_that_say_nothing_are_named),
        cmocka_unit_test(an_acl_line_is_for_one_queue_and_no_command_that_could_harm),
        cmocka_unit_test(a_document_is_indented),
        cmocka_unit_test(a_list_is_a_table_with_the_columns_of_all_rows),
        cmocka_unit_test(an_empty_list_is_an_empty_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
