/* Reports on the command line: the query that words make, text with bars, CSV. */
#include "tests/unit.h"

#include "proto/json.h"
#include "server/cli.h"

static char buffer[16 * 1024];

static struct slice padded(const char *json)
{
    static char bytes[4096 + JSON_PADDING];

    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, json, strlen(json));
    return (struct slice){bytes, strlen(json)};
}

static void words_become_a_query(void **state)
{
    const char *const words[] = {"--from", "2026-01-01", "--csv", "--campaign=spring & \"26\""};
    const char *const wrong[] = {"--weather", "fine"}, *const bare[] = {"--from"};
    struct text out = text_over(buffer, sizeof buffer);
    const char *why;
    bool csv;

    (void)state;
    assert_null(cli_figures_query(4, words, &csv, &out, &why));
    assert_true(csv);
    assert_slice(text_slice(&out), "?from=2026-01-01&campaign=spring%20%26%20%2226%22");
    assert_string_equal(cli_figures_query(2, wrong, &csv, &out, &why), "--weather");
    assert_string_equal(why, "this is asked of no report: ");
    assert_string_equal(cli_figures_query(1, bare, &csv, &out, &why), "--from");
    assert_string_equal(why, "this wants a value: ");
}

#define DOCUMENT                                                                                   \
    "{\"report\":\"speed\",\"about\":\"how soon\",\"from\":null,\"to\":\"2026-01-31\","            \
    "\"covers\":{\"from\":null,\"to\":\"2026-02-01\"},"                                            \
    "\"summary\":{\"answered\":1234,\"mean_ms\":129600000,\"max_ms\":47336400000,"                 \
    "\"kept_percent\":1.25,\"dust_cents\":20000000,\"first_ms\":1700000000000,\"none_ms\":null},"  \
    "\"tables\":[{\"name\":\"classes\",\"title\":\"Time\",\"bar\":\"count\",\"from\":null,\"to\":" \
    "\"2026-02-01\",\"rows\":["                                                                    \
    "{\"class\":\"0-5 min\",\"count\":2000},{\"class\":\"=1+1\\u009b\",\"count\":250}]},"          \
    "{\"name\":\"people\",\"title\":\"Who\",\"bar\":null,\"from\":\"2026-01-05\",\"to\":\"2026-"   \
    "01-31\",\"rows\":[]}],"                                                                       \
    "\"constants\":[{\"name\":\"usual_mean\",\"value\":172800000,\"unit\":\"ms\","                 \
    "\"source\":\"a study\"}],\"next\":\"77\"}"

static void a_document_becomes_text_with_bars(void **state)
{
    struct text out = text_over(buffer, sizeof buffer);

    (void)state;
    assert_true(cli_write_figures(padded(DOCUMENT), &out));
    assert_slice(text_slice(&out),
                 "speed: how soon\nopt-ins from the beginning to 2026-01-31; counted are "
                 "those from the beginning to 2026-02-01\n\n"
                 "  answered                  1,234\n"
                 "  mean                      36 h\n"
                 "  max                       547 d 21 h (18.0 months)\n"
                 "  kept                      1.25 %\n"
                 "  dust                      200,000.00\n"
                 "  first                     2023-11-14 22:13Z\n"
                 "  none                      -\n"
                 "\nTime\n"
                 "  class    count\n"
                 "  0-5 min  2,000  ████████████████████████\n"
                 "  =1+1       250  ███\n"
                 "\nWho (2026-01-05 to 2026-01-31): none\n"
                 "\nKnown from elsewhere\n"
                 "  usual mean: 48 h (a study)\n"
                 "\nThere is more: --after 77\n");
    assert_false(cli_write_figures(padded("<html>"), &out));
}

static void a_document_becomes_csv_without_formulas(void **state)
{
    struct text out = text_over(buffer, sizeof buffer);
    struct cli_csv csv = {0};

    (void)state;
    assert_true(cli_write_figures_csv(padded(DOCUMENT), &csv, &out));
    buffer[out.length] = '\0';
    assert_non_null(strstr(buffer, "\"table\",\"name\",\"value\"\r\n"
                                   "\"summary\",\"answered\",1234\r\n"));
    assert_non_null(strstr(buffer, "\"summary\",\"none_ms\",\r\n"));
    assert_non_null(strstr(buffer, "\"table\",\"class\",\"count\"\r\n"
                                   "\"classes\",\"0-5 min\",2000\r\n"
                                   "\"classes\",\"'=1+1"));
    assert_non_null(strstr(buffer, "\"covers\",\"summary\",\"../2026-02-01\"\r\n"
                                   "\"covers\",\"classes\",\"../2026-02-01\"\r\n"
                                   "\"covers\",\"people\",\"2026-01-05/2026-01-31\"\r\n"));
}

#define PAGE(rows, next)                                                                           \
    "{\"summary\":{\"late\":2},\"tables\":[{\"name\":\"days\",\"rows\":[{\"day\":1}]},"            \
    "{\"name\":\"people\",\"rows\":[" rows "]}],\"next\":" next "}"

static void pages_become_one_table(void **state)
{
    struct text out = text_over(buffer, sizeof buffer);
    struct cli_csv csv = {0};

    (void)state;
    assert_true(cli_write_figures_csv(padded(PAGE("", "\"7\"")), &csv, &out));
    assert_string_equal(csv.next, "7");
    out.length = 0;
    assert_true(cli_write_figures_csv(padded(PAGE("{\"person\":\"a\"}", "\"9\"")), &csv, &out));
    assert_slice(text_slice(&out), "\"table\",\"person\"\r\n\"people\",\"a\"\r\n");
    out.length = 0;
    assert_true(cli_write_figures_csv(padded(PAGE("{\"person\":\"b\"}", "null")), &csv, &out));
    assert_slice(text_slice(&out), "\"people\",\"b\"\r\n");
    assert_string_equal(csv.next, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_a_query),
        cmocka_unit_test(a_document_becomes_text_with_bars),
        cmocka_unit_test(a_document_becomes_csv_without_formulas),
        cmocka_unit_test(pages_become_one_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
