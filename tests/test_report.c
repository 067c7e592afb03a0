#include "tests/unit.h"

#include "proto/report.h"

static struct json *json;

static int open_json(void **state)
{
    (void)state;
    json = json_open(64 * 1024);
    return json ? 0 : -1;
}

static int close_json(void **state)
{
    (void)state;
    json_close(json);
    return 0;
}

static enum status set(struct report *report, const char *field, const char *value)
{
    return report_set(report, slice_of(field), slice_of(value));
}

static enum status from_json(struct report *report, const char *document, struct slice *field)
{
    static char padded[32 * 1024];
    size_t length = strlen(document);
    struct json_value root;

    memset(padded, 0, sizeof(padded));
    memcpy(padded, document, length);
    assert_status(json_parse(json, padded, length, &root), STATUS_OK);
    return report_from_json(report, root, field);
}

static struct report complete(enum report_op op)
{
    return (struct report){.task = SLICE("tsk_01K742SG00EBRBCCSRB6ND30QZ"),
                           .op = op,
                           .delivery = 1,
                           .outcome = OUTCOME_NO_ANSWER,
                           .signal = SIGNAL_OPEN,
                           .agent = SLICE("a42")};
}

/* --- names ------------------------------------------------------------------------ */

static void every_outcome_and_op_reads_back_from_its_name(void **state)
{
    (void)state;
    for (int outcome = 1; outcome < OUTCOME_END; outcome++)
        assert_int_equal(outcome_of(slice_of(outcome_name((enum outcome)outcome))), outcome);
    for (int op = REPORT_CLAIM; op < REPORT_OP_END; op++)
        assert_int_equal(report_op_of(slice_of(report_op_name((enum report_op)op))), op);
    for (int kind = SIGNAL_OPEN; kind < SIGNAL_END; kind++)
        assert_int_equal(signal_kind_of(slice_of(signal_kind_name((enum signal_kind)kind))), kind);
    assert_string_equal(outcome_name(OUTCOME_DO_NOT_CONTACT), "do_not_contact");
    assert_string_equal(report_op_name(REPORT_RELEASE), "release");
}

static void other_names_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {"", "none", "No_Answer", "no_answer ", "no_answe"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(outcome_of(slice_of(names[i])), OUTCOME_NONE);
        assert_int_equal(report_op_of(slice_of(names[i])), 0);
    }
    assert_int_equal(outcome_of((struct slice){NULL, 0}), OUTCOME_NONE);
}

/* --- stream entries ----------------------------------------------------------------- */

static void a_stream_entry_is_set_field_by_field(void **state)
{
    (void)state;
    struct report report;
    report_clear(&report);
    assert_status(set(&report, "task", "tsk_01K742SG00EBRBCCSRB6ND30QZ"), STATUS_OK);
    assert_status(set(&report, "delivery", "3"), STATUS_OK);
    assert_status(set(&report, "op", "outcome"), STATUS_OK);
    assert_status(set(&report, "outcome", "no_answer"), STATUS_OK);
    assert_status(set(&report, "agent", "a42"), STATUS_OK);
    assert_status(set(&report, "note", "rang\nlong é"), STATUS_OK);
    assert_status(set(&report, "value", "1200.50"), STATUS_OK);
    assert_status(set(&report, "channel", "call"), STATUS_OK);
    assert_status(set(&report, "started_ms", "1760000000000"), STATUS_OK);
    assert_status(set(&report, "ended_ms", "1760000060000"), STATUS_OK);
    assert_slice(report.task, "tsk_01K742SG00EBRBCCSRB6ND30QZ");
    assert_int_equal(report.delivery, 3);
    assert_int_equal(report.op, REPORT_OUTCOME);
    assert_int_equal(report.outcome, OUTCOME_NO_ANSWER);
    assert_slice(report.agent, "a42");
    assert_slice(report.note, "rang\nlong é");
    assert_slice(report.value, "1200.50");
    assert_slice(report.channel, "call");
    assert_int_equal(report.started_ms, 1760000000000);
    assert_int_equal(report.ended_ms, 1760000060000);
}

static void unknown_fields_are_ignored(void **state)
{
    (void)state;
    struct report report, before;
    report_clear(&report);
    report_clear(&before);
    assert_status(set(&report, "colour", "blue"), STATUS_OK);
    assert_status(set(&report, "", "x"), STATUS_OK);
    assert_status(set(&report, "taskx", "x"), STATUS_OK);
    assert_memory_equal(&report, &before, sizeof(report));
}

static void numbers_are_plain_decimals(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "01",
                                      "00",
                                      "one",
                                      "65536",
                                      "4294967297",
                                      "18446744073709551617",
                                      "99999999999999999999999"};
    struct report report;
    report_clear(&report);
    report.delivery = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (set(&report, "delivery", bad[i]) != STATUS_INVALID)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(report.delivery, 7);
    }
    assert_status(set(&report, "delivery", "65535"), STATUS_OK);
    assert_status(set(&report, "started_ms", "281474976710655"), STATUS_OK);
    assert_status(set(&report, "started_ms", "281474976710656"), STATUS_INVALID);
    assert_status(set(&report, "ended_ms", "9223372036854775808"), STATUS_INVALID);
    assert_status(set(&report, "ended_ms", "0"), STATUS_OK);
}

static void a_bad_value_leaves_the_report_as_it_was(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"op", "dance"},
        {"op", ""},
        {"op", "amend"},
        {"signal", "wink"},
        {"outcome", "may be"},
        {"outcome", "a-word-that-is-longer-than-any-has"},
        {"outcome", ""},
        {"agent", "a\nb"},
        {"agent", "a\x7f"},
        {"agent", "\xff"},
        {"note", "bell \a"},
        {"note", "\xc0\x80"},
        {"value", "1\n2"},
        {"channel", "\x01"},
        {"channel", "zzz"},
        {"channel", "Call"},
        {"task", "tsk_\xed\xa0\x80"},
    };
    struct report report = complete(REPORT_OUTCOME), before = report;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(set(&report, bad[i][0], bad[i][1]), STATUS_INVALID);
        assert_memory_equal(&report, &before, sizeof(report));
    }
    assert_status(report_set(&report, SLICE("agent"), SLICE("a\0b")), STATUS_INVALID);
}

static void texts_have_limits_to_the_byte(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        size_t max;
    } limits[] = {{"agent", 64}, {"note", 8192}, {"value", 256}, {"task", 64}};
    char *text = malloc(8193);
    memset(text, 'x', 8193);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct report report;
        report_clear(&report);
        struct slice field = slice_of(limits[i].field);
        assert_status(report_set(&report, field, (struct slice){text, limits[i].max}), STATUS_OK);
        bool is_note = strcmp(limits[i].field, "note") == 0; /* cut: its outcome must not be lost */
        assert_status(report_set(&report, field, (struct slice){text, limits[i].max + 1}),
                      is_note ? STATUS_OK : STATUS_INVALID);
        if (is_note)
            assert_int_equal(report.note.length, REPORT_NOTE_MAX);
    }
    free(text);
}

/* --- JSON ---------------------------------------------------------------------------- */

static void a_body_is_read_into_the_report(void **state)
{
    (void)state;
    struct report report;
    struct slice field;
    report_clear(&report);
    assert_status(from_json(&report,
                            "{\"delivery\":2,\"outcome\":\"sold\",\"agent\":\"a\\u00e9\","
                            "\"value\":\"12 EUR\",\"note\":\"a\\nb\",\"started_ms\":5,"
                            "\"ended_ms\":null,\"task\":\"other\",\"op\":\"claim\",\"else\":[1]}",
                            &field),
                  STATUS_OK);
    assert_int_equal(report.delivery, 2);
    assert_int_equal(report.outcome, OUTCOME_SOLD);
    assert_slice(report.agent, "aé");
    assert_slice(report.value, "12 EUR");
    assert_slice(report.note, "a\nb");
    assert_int_equal(report.started_ms, 5);
    assert_int_equal(report.ended_ms, 0);
    assert_int_equal(report.task.length, 0);
    assert_int_equal(report.op, 0);
}

static void a_value_may_be_a_number(void **state)
{
    (void)state;
    struct report report;
    struct slice field;
    report_clear(&report);
    assert_status(from_json(&report, "{\"value\":1200}", &field), STATUS_OK);
    assert_slice(report.value, "1200");
    assert_status(from_json(&report, "{\"value\":-12.5}", &field), STATUS_OK);
    assert_slice(report.value, "-12.5");
    assert_status(from_json(&report, "{\"value\":18446744073709551615}", &field), STATUS_OK);
    assert_slice(report.value, "18446744073709551615");
    assert_status(from_json(&report, "{\"value\":18446744073709551616}", &field), STATUS_OK);
    assert_slice(report.value, "18446744073709551616");
}

static void a_sale_is_worth_an_amount(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t cents;
    } good[] = {{"0", 0},           {"1200", 120000},
                {"1200.5", 120050}, {"1200.50", 120050},
                {"007.09", 709},    {"999999999999.99", 99999999999999}};
    static const char *const bad[] = {"",
                                      "1,200",
                                      "$5",
                                      "abc",
                                      "1e3",
                                      "-5",
                                      "+5",
                                      " 5",
                                      "5 ",
                                      ".",
                                      ".5",
                                      "5.",
                                      "1.2.3",
                                      "5.005",
                                      "0x5",
                                      "1000000000000",
                                      "18446744073709551616"};
    uint64_t cents;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(report_amount(slice_of(good[i].text), &cents));
        assert_int_equal(cents, good[i].cents);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (report_amount(slice_of(bad[i]), &cents))
            fail_msg("%s is an amount", bad[i]);
}

static void a_bad_member_is_named(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"delivery\":\"1\"}", "delivery"},
        {"{\"delivery\":-1}", "delivery"},
        {"{\"delivery\":1.5}", "delivery"},
        {"{\"delivery\":65536}", "delivery"},
        {"{\"agent\":\"a\",\"outcome\":\"may be\"}", "outcome"},
        {"{\"outcome\":4}", "outcome"},
        {"{\"agent\":7}", "agent"},
        {"{\"agent\":\"\"}", "agent"},
        {"{\"agent\":\"a\\u0000b\"}", "agent"},
        {"{\"value\":true}", "value"},
        {"{\"value\":[]}", "value"},
        {"{\"note\":{}}", "note"},
        {"{\"channel\":\"phone\"}", "channel"},
        {"{\"delivery\":1,\"outcome\":123456789012345678901234}", "outcome"},
        {"{\"agent\":18446744073709551616}", "agent"},
        {"{\"note\":1e400}", "note"},
        {"{\"channel\":1e400}", "channel"},
        {"{\"delivery\":18446744073709551616}", "delivery"},
        {"{\"started_ms\":1e400}", "started_ms"},
        {"{\"started_ms\":\"5\"}", "started_ms"},
        {"{\"ended_ms\":281474976710656}", "ended_ms"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct report report;
        struct slice field;
        report_clear(&report);
        assert_status(from_json(&report, bad[i][0], &field), STATUS_INVALID);
        assert_slice(field, bad[i][1]);
    }
}

static void a_body_that_is_no_object_is_malformed(void **state)
{
    (void)state;
    struct report report;
    struct slice field;
    report_clear(&report);
    assert_status(from_json(&report, "[1]", &field), STATUS_MALFORMED);
    assert_status(from_json(&report, "\"x\"", &field), STATUS_MALFORMED);
    assert_status(from_json(&report, "null", &field), STATUS_MALFORMED);
}

/* --- check ---------------------------------------------------------------------------- */

static void assert_missing(struct report report, const char *name)
{
    struct slice field;
    assert_status(report_check(&report, &field), STATUS_INVALID);
    assert_slice(field, name);
}

static void what_an_op_needs_must_be_there(void **state)
{
    (void)state;
    struct slice field;
    for (int op = REPORT_CLAIM; op < REPORT_OP_END; op++) {
        struct report report = complete((enum report_op)op);
        assert_status(report_check(&report, &field), STATUS_OK);
        report.task = (struct slice){0};
        assert_missing(report, "task");
        report = complete((enum report_op)op);
        report.delivery = 0;
        assert_missing(report, "delivery");
    }
    struct report report = complete((enum report_op)0);
    assert_missing(report, "op");
    report = complete(REPORT_CLAIM);
    report.agent = (struct slice){0};
    assert_missing(report, "agent");
    report.op = REPORT_RELEASE;
    assert_status(report_check(&report, &field), STATUS_OK);
    report = complete(REPORT_SIGNAL);
    report.signal = SIGNAL_NONE;
    assert_missing(report, "signal");
    report = complete(REPORT_OUTCOME);
    report.outcome = OUTCOME_NONE;
    assert_missing(report, "outcome");
    report.op = REPORT_AMEND;
    assert_missing(report, "outcome");
    report.op = REPORT_EXTEND;
    assert_status(report_check(&report, &field), STATUS_OK);
}

static void what_came_past_the_setters_is_measured(void **state)
{
    (void)state;
    static char text[8193];
    struct report report = complete(REPORT_OUTCOME);
    report.agent = (struct slice){text, 65};
    assert_missing(report, "agent");
    report = complete(REPORT_OUTCOME);
    report.task = (struct slice){text, 65};
    assert_missing(report, "task");
    report = complete(REPORT_OUTCOME);
    report.note = (struct slice){text, 8193};
    assert_missing(report, "note");
}

/* --- stored form ------------------------------------------------------------------------ */

static const char stored_1[] = "\x01" /* as the first version wrote it */
                               "\x01\x03\x00"
                               "a42"
                               "\x02\x05\x00"
                               "later"
                               "\x03\x04\x00"
                               "1200"
                               "\x04\x04\x00"
                               "call";
static const struct slice stored = {stored_1, sizeof(stored_1) - 1};
static const char stored_2[] = "\x02"
                               "\x01\x03\x00"
                               "a42"
                               "\x02\x05\x00"
                               "later"
                               "\x03\x04\x00"
                               "1200"
                               "\x04\x04\x00"
                               "call"
                               "\x08\x02\x00" /* behind answers, findings and what is known */
                               "NA";

static void a_report_is_stored_as_the_sample(void **state)
{
    (void)state;
    char buffer[REPORT_STORED_MAX];
    struct report report = complete(REPORT_OUTCOME);
    assert_status(set(&report, "outcome", "NA"), STATUS_OK);
    report.note = SLICE("later");
    report.value = SLICE("1200");
    report.channel = SLICE("call");
    assert_int_equal(report_encode(&report, buffer, sizeof(buffer)), sizeof(stored_2) - 1);
    assert_memory_equal(buffer, stored_2, sizeof(stored_2) - 1);
    assert_status(report_decode((struct slice){stored_2, sizeof(stored_2) - 1}, &report),
                  STATUS_OK);
    assert_slice(report.word, "NA");
}

static void a_dialers_word_stands_in_for_an_outcome(void **state)
{
    struct report report = complete(REPORT_OUTCOME);
    struct slice field;

    (void)state;
    assert_status(set(&report, "outcome", "CALLBK"), STATUS_OK);
    assert_int_equal(report.outcome, OUTCOME_NONE);
    assert_slice(report.word, "CALLBK");
    assert_status(report_check(&report, &field), STATUS_OK);
    assert_status(set(&report, "outcome", "busy"), STATUS_OK);
    assert_int_equal(report.outcome, OUTCOME_BUSY);
    assert_int_equal(report.word.length, 0);
}

static void the_stored_sample_reads_back(void **state)
{
    (void)state;
    struct report report = complete(REPORT_OUTCOME);
    assert_status(report_decode(stored, &report), STATUS_OK);
    assert_slice(report.agent, "a42");
    assert_slice(report.note, "later");
    assert_slice(report.value, "1200");
    assert_slice(report.channel, "call");
    assert_int_equal(report.task.length, 0);
    assert_int_equal(report.delivery, 0);
}

static void the_longest_report_fits_its_limit(void **state)
{
    (void)state;
    static char text[8192], buffer[REPORT_STORED_MAX];
    struct report report = {.agent = {text, REPORT_AGENT_MAX},
                            .note = {text, REPORT_NOTE_MAX},
                            .value = {text, REPORT_VALUE_MAX},
                            .channel = {text, REPORT_CHANNEL_MAX},
                            .word = {text, REPORT_WORD_MAX}},
                  read;
    size_t length = report_encode(&report, buffer, sizeof(buffer));
    assert_true(length > 0);
    assert_status(report_decode((struct slice){buffer, length}, &read), STATUS_OK);
    assert_int_equal(read.note.length, REPORT_NOTE_MAX);
    for (size_t capacity = 0; capacity < length; capacity += 97)
        assert_int_equal(report_encode(&report, buffer, capacity), 0);
    report.note.length = REPORT_NOTE_MAX + 1;
    assert_int_equal(report_encode(&report, buffer, sizeof(buffer)), 0);
}

static void an_empty_report_is_one_byte(void **state)
{
    (void)state;
    char buffer[16];
    struct report report, read;
    report_clear(&report);
    assert_int_equal(report_encode(&report, buffer, sizeof(buffer)), 1);
    assert_status(report_decode((struct slice){buffer, 1}, &read), STATUS_OK);
}

/* A cut between entries is still a stored form, the checksum around it is not; all
 * other beginnings are corrupt. */
static void stored_bytes_cut_anywhere_never_read_over_their_end(void **state)
{
    (void)state;
    for (size_t length = 0; length < stored.length; length++) {
        char *exact = malloc(length + 1);
        struct report report;
        memcpy(exact, stored_1, length);
        bool entry_ends = length == 1 || length == 7 || length == 15 || length == 22;
        assert_status(report_decode((struct slice){exact, length}, &report),
                      entry_ends ? STATUS_OK : STATUS_CORRUPT);
        free(exact);
    }
    struct report report;
    assert_status(report_decode((struct slice){NULL, 0}, &report), STATUS_CORRUPT);
}

static void bytes_that_were_not_encoded_here_are_corrupt(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        {"\x00", 1},                           /* version */
        {"\x03", 1},                           /* of the future */
        {"\x01\x00\x01\x00x", 5},              /* no such field */
        {"\x02\x09\x01\x00x", 5},              /* no stored field */
        {"\x01\xff\x01\x00x", 5},              /* */
        {"\x01\x01\x00\x00", 4},               /* empty */
        {"\x01\x01\x02\x00x", 5},              /* longer than the rest */
        {"\x01\x01\x01\x00x\x01\x01\x00y", 9}, /* twice */
        {"\x01\x02\x01\x00x\x01\x01\x00y", 9}, /* out of order */
        {"\x01\x01\x01\x00xx", 6},             /* bytes behind */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct report report;
        assert_status(report_decode(bad[i], &report), STATUS_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_outcome_and_op_reads_back_from_its_name),
        cmocka_unit_test(other_names_are_none),
        cmocka_unit_test(a_stream_entry_is_set_field_by_field),
        cmocka_unit_test(unknown_fields_are_ignored),
        cmocka_unit_test(numbers_are_plain_decimals),
        cmocka_unit_test(a_bad_value_leaves_the_report_as_it_was),
        cmocka_unit_test(texts_have_limits_to_the_byte),
        cmocka_unit_test_setup_teardown(a_body_is_read_into_the_report, open_json, close_json),
        cmocka_unit_test_setup_teardown(a_value_may_be_a_number, open_json, close_json),
        cmocka_unit_test(a_sale_is_worth_an_amount),
        cmocka_unit_test_setup_teardown(a_bad_member_is_named, open_json, close_json),
        cmocka_unit_test_setup_teardown(a_body_that_is_no_object_is_malformed, open_json,
                                        close_json),
        cmocka_unit_test(what_an_op_needs_must_be_there),
        cmocka_unit_test(what_came_past_the_setters_is_measured),
        cmocka_unit_test(a_report_is_stored_as_the_sample),
        cmocka_unit_test(a_dialers_word_stands_in_for_an_outcome),
        cmocka_unit_test(the_stored_sample_reads_back),
        cmocka_unit_test(the_longest_report_fits_its_limit),
        cmocka_unit_test(an_empty_report_is_one_byte),
        cmocka_unit_test(stored_bytes_cut_anywhere_never_read_over_their_end),
        cmocka_unit_test(bytes_that_were_not_encoded_here_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
