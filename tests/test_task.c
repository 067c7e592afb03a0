#include "tests/unit.h"

#include "proto/json.h"
#include "proto/task.h"

/* Too large for a stack frame, and empty before each test. */
static struct optin optin;
static struct json *json;
static char buffer[TASK_BYTES_MAX + JSON_PADDING];
static struct text out;

static const struct task_facts facts = {
    .id = {"tsk_01K742SG00EBRBCCSRB6ND30QZ", 30},
    .person = {"per_01K742SG00FYKTR6EN4KQKATXH", 30},
    .optin = {"opt_01K742SG00FYKTR6EN4KQKATXJ", 30},
    .queue = {"acme.calls", 10},
    .agency = {"acme", 4},
    .site = {"acme-web", 8},
    .node = {"n1", 2},
    .prefix = {"hl", 2},
    .delivery = 1,
    .attempt = 1,
    .channel = TASK_CALL,
    .kind = TASK_FIRST_RESPONSE,
    .stage = {"optin", 5},
    .script = {"earn-it", 7},
    .received_ms = 1760000000000,
    .deadline_ms = 1760000300000,
    .not_before_ms = 1760000000000,
};

static int begin(void **state)
{
    (void)state;
    optin_clear(&optin);
    json = json_open(TASK_BYTES_MAX);
    return json ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    json_close(json);
    return 0;
}

/* The member as text, after a check that it is JSON and within its limit. */
static const char *member_by(unsigned renderer, const struct task_facts *task)
{
    struct json_value root;

    out = text_over(buffer, TASK_BYTES_MAX);
    assert_true(task_render(&out, renderer, task, &optin));
    assert_false(out.overflow);
    memset(buffer + out.length, 0, JSON_PADDING);
    assert_status(json_parse(json, buffer, out.length, &root), STATUS_OK);
    return buffer;
}

static const char *member_of(const struct task_facts *task)
{
    return member_by(TASK_RENDERER, task);
}

static const char *member(void)
{
    return member_of(&facts);
}

static void assert_holds(const char *part)
{
    if (strstr(member(), part) == NULL)
        fail_msg("no %s in %s", part, buffer);
}

static void assert_lacks(const char *part)
{
    if (strstr(member(), part) != NULL)
        fail_msg("%s in %s", part, buffer);
}

static void fill_usual(void)
{
    optin.text[OPTIN_NAME] = SLICE("Ann Lee");
    optin.text[OPTIN_PHONE] = SLICE("+12155550147");
    optin.text[OPTIN_EMAIL] = SLICE("ann@example.com");
    optin.text[OPTIN_PAGE_URL] = SLICE("https://example.com/roofing?utm_source=google");
    optin.text[OPTIN_UTM_SOURCE] = SLICE("google");
    optin.text[OPTIN_UTM_MEDIUM] = SLICE("cpc");
    optin.text[OPTIN_GCLID] = SLICE("Cj0KCQ");
    optin.text[OPTIN_REQUEST_ID] = SLICE("01K742SG00FYKTR6EN4KQKATXH");
    optin.text[OPTIN_CONSENT_TEXT] = SLICE("I agree to be called");
    optin.text[OPTIN_CONSENT_CHANNELS] = SLICE("[\"call\",\"sms\"]");
    optin.consent_given = OPTIN_YES;
    optin.extra[0] = (struct optin_extra){SLICE("roof"), SLICE("\"flat \\\"A\\\"\"")};
    optin.extra[1] = (struct optin_extra){SLICE("age"), SLICE("12")};
    optin.extra_count = 2;
}

/* --- stored samples: one a renderer, never changed ----------------------------------- */

static const char usual_1[] =
    "{\"v\":1,\"id\":\"tsk_01K742SG00EBRBCCSRB6ND30QZ\",\"delivery\":1,\"attempt\":1,"
    "\"queue\":\"acme.calls\",\"channel\":\"call\",\"kind\":\"first_response\",\"agency\":\"acme\","
    "\"site\":\"acme-web\",\"person\":\"per_01K742SG00FYKTR6EN4KQKATXH\","
    "\"optin\":\"opt_01K742SG00FYKTR6EN4KQKATXJ\",\"owner\":null,\"name\":\"Ann Lee\","
    "\"first_name\":\"Ann\",\"phone\":\"+12155550147\",\"email\":\"ann@example.com\","
    "\"stage\":\"optin\",\"context\":{"
    "\"page_url\":\"https://example.com/roofing?utm_source=google\","
    "\"utm\":{\"source\":\"google\",\"medium\":\"cpc\"},\"gclid\":\"Cj0KCQ\","
    "\"request_id\":\"01K742SG00FYKTR6EN4KQKATXH\","
    "\"fields\":{\"roof\":\"flat \\\"A\\\"\",\"age\":12}},\"received_ms\":1760000000000,"
    "\"deadline_ms\":1760000300000,\"not_before_ms\":1760000000000,\"window\":null,"
    "\"script\":\"first_response\",\"consent\":{\"text\":\"I agree to be called\",\"version\":null,"
    "\"given\":true,\"channels\":[\"call\",\"sms\"],\"cert_url\":null},"
    "\"report\":\"hl:{acme.calls}:reports:n1\",\"traceparent\":null}";

static const char empty_1[] =
    "{\"v\":1,\"id\":\"tsk_01K742SG00EBRBCCSRB6ND30QZ\",\"delivery\":1,\"attempt\":1,"
    "\"queue\":\"acme.calls\",\"channel\":\"call\",\"kind\":\"first_response\",\"agency\":\"acme\","
    "\"site\":\"acme-web\",\"person\":\"per_01K742SG00FYKTR6EN4KQKATXH\","
    "\"optin\":\"opt_01K742SG00FYKTR6EN4KQKATXJ\",\"owner\":null,\"name\":null,"
    "\"first_name\":null,\"phone\":null,\"email\":null,\"stage\":\"optin\",\"context\":{"
    "\"page_url\":null,\"utm\":null,\"fields\":{}},\"received_ms\":1760000000000,"
    "\"deadline_ms\":1760000300000,\"not_before_ms\":1760000000000,\"window\":null,"
    "\"script\":\"first_response\",\"consent\":null,\"report\":\"hl:{acme.calls}:reports:n1\","
    "\"traceparent\":null}";

/* As renderer 1, but for what is said and when. */
static const char robots_2[] =
    "{\"v\":1,\"id\":\"tsk_01K742SG00EBRBCCSRB6ND30QZ\",\"delivery\":1,\"attempt\":1,"
    "\"queue\":\"acme.email\",\"channel\":\"email\",\"kind\":\"step\",\"agency\":\"acme\","
    "\"site\":\"acme-web\",\"person\":\"per_01K742SG00FYKTR6EN4KQKATXH\","
    "\"optin\":\"opt_01K742SG00FYKTR6EN4KQKATXJ\",\"owner\":null,\"name\":null,"
    "\"first_name\":null,\"phone\":null,\"email\":null,\"stage\":\"optin\",\"context\":{"
    "\"page_url\":null,\"utm\":null,\"fields\":{}},\"received_ms\":1760000000000,"
    "\"deadline_ms\":1760000300000,\"not_before_ms\":1760000000000,"
    "\"window\":{\"tz\":\"America/New_York\",\"opens_ms\":1760000000000,"
    "\"closes_ms\":1760036400000},\"script\":null,\"template\":\"free-report\","
    "\"consent\":null,\"report\":\"hl:{acme.email}:reports:n1\",\"traceparent\":null}";

/* Somebody who gave "-" as a name: renderer 3 called them by it, 4 does not. By "Mr. Lee" 4 called
 * them "Mr.", and 5 does not. */
#define NAMELESS(name, first)                                                                      \
    "{\"v\":1,\"id\":\"tsk_01K742SG00EBRBCCSRB6ND30QZ\",\"delivery\":1,\"attempt\":1,"             \
    "\"queue\":\"acme.calls\",\"channel\":\"call\",\"kind\":\"first_response\",\"agency\":"        \
    "\"acme\","                                                                                    \
    "\"site\":\"acme-web\",\"person\":\"per_01K742SG00FYKTR6EN4KQKATXH\","                         \
    "\"optin\":\"opt_01K742SG00FYKTR6EN4KQKATXJ\",\"owner\":null,\"name\":\"" name "\","           \
    "\"first_name\":" first ",\"phone\":null,\"email\":null,\"stage\":\"optin\",\"context\":{"     \
    "\"page_url\":null,\"utm\":null,\"fields\":{}},\"received_ms\":1760000000000,"                 \
    "\"deadline_ms\":1760000300000,\"not_before_ms\":1760000000000,\"window\":null,"               \
    "\"script\":\"earn-it\",\"consent\":null,\"report\":\"hl:{acme.calls}:reports:n1\","           \
    "\"traceparent\":null}"

static const char nameless_3[] = NAMELESS("-", "\"-\"");
static const char nameless_4[] = NAMELESS("-", "null");
static const char titled_4[] = NAMELESS("Mr. Lee", "\"Mr.\"");
static const char titled_5[] = NAMELESS("Mr. Lee", "null");

static void who_gave_no_name_is_called_by_none_as_stored(void **state)
{
    (void)state;
    optin.text[OPTIN_NAME] = SLICE("-");
    assert_string_equal(member_by(3, &facts), nameless_3);
    assert_string_equal(member_by(4, &facts), nameless_4);
    optin.text[OPTIN_NAME] = SLICE("Mr. Lee");
    assert_string_equal(member_by(4, &facts), titled_4);
    assert_string_equal(member_by(5, &facts), titled_5);
}

static void a_usual_task_is_the_stored_sample(void **state)
{
    (void)state;
    fill_usual();
    assert_string_equal(member_by(1, &facts), usual_1);
}

static void an_empty_optin_gives_nulls(void **state)
{
    (void)state;
    assert_string_equal(member_by(1, &facts), empty_1);
}

static void a_robots_task_is_the_stored_sample(void **state)
{
    struct task_facts task = facts;

    (void)state;
    task.queue = SLICE("acme.email");
    task.channel = TASK_EMAIL;
    task.kind = TASK_STEP;
    task.script = (struct slice){0};
    task.template = SLICE("free-report");
    task.window_tz = SLICE("America/New_York");
    task.closes_ms = 1760036400000;
    assert_string_equal(member_by(2, &task), robots_2);
}

static void a_call_has_its_script_and_no_template(void **state)
{
    (void)state;
    member_of(&facts);
    assert_non_null(strstr(buffer, "\"window\":null,\"script\":\"earn-it\",\"consent\":"));
}

/* --- names ---------------------------------------------------------------------------- */

static void channels_and_kinds_have_their_names(void **state)
{
    (void)state;
    static const char *const channels[] = {"call",     "email",  "sms",   "voicemail", "fax",
                                           "postcard", "letter", "visit", "research"};
    for (int i = TASK_CALL; i < TASK_CHANNEL_END; i++)
        assert_string_equal(task_channel_name((enum task_channel)i), channels[i - 1]);
    assert_string_equal(task_kind_name(TASK_FIRST_RESPONSE), "first_response");
    assert_string_equal(task_kind_name(TASK_FIND_CONTACT), "find_contact");
}

static void the_facts_stand_in_the_member(void **state)
{
    (void)state;
    struct task_facts task = facts;
    task.owner = SLICE("a42");
    task.delivery = 4294967295u;
    task.attempt = 7;
    task.channel = TASK_RESEARCH;
    task.kind = TASK_FIND_CONTACT;
    task.stage = SLICE("referrer");
    task.script = (struct slice){0};
    task.deadline_ms = 0;
    member_of(&task);
    assert_non_null(strstr(buffer, "\"delivery\":4294967295,\"attempt\":7,"));
    assert_non_null(strstr(buffer, "\"channel\":\"research\",\"kind\":\"find_contact\","));
    assert_non_null(strstr(buffer, "\"owner\":\"a42\""));
    assert_non_null(strstr(buffer, "\"stage\":\"referrer\""));
    assert_non_null(strstr(buffer, "\"script\":null"));
    assert_non_null(strstr(buffer, "\"deadline_ms\":null"));
}

static void a_name_is_put_together_and_taken_apart(void **state)
{
    (void)state;
    optin.text[OPTIN_FIRST_NAME] = SLICE("Ann");
    assert_holds("\"name\":\"Ann\",\"first_name\":\"Ann\"");
    optin.text[OPTIN_LAST_NAME] = SLICE("O\"Hara");
    assert_holds("\"name\":\"Ann O\\\"Hara\",\"first_name\":\"Ann\"");
    optin.text[OPTIN_FIRST_NAME] = (struct slice){0};
    assert_holds("\"name\":\"O\\\"Hara\",\"first_name\":null");
    optin.text[OPTIN_NAME] = SLICE("  Zoë van Dam");
    assert_holds("\"name\":\"  Zoë van Dam\",\"first_name\":\"Zoë\"");
    optin.text[OPTIN_NAME] = SLICE("Zoë");
    assert_holds("\"name\":\"Zoë\",\"first_name\":\"Zoë\"");
    optin.text[OPTIN_NAME] = SLICE("   ");
    assert_holds("\"name\":\"   \",\"first_name\":null");
    optin.text[OPTIN_FIRST_NAME] = SLICE("Bea");
    optin.text[OPTIN_NAME] = SLICE("Ms Bea Hive");
    assert_holds("\"name\":\"Ms Bea Hive\",\"first_name\":\"Bea\"");
    optin.text[OPTIN_FIRST_NAME] = SLICE("n/a");
    assert_holds("\"name\":\"Ms Bea Hive\",\"first_name\":\"Bea\"");
    optin.text[OPTIN_NAME] = SLICE("\u202eAnn\u200b\x01 Lee"); /* harmless as typed */
    assert_holds("\"name\":\"\u202eAnn\u200b\\u0001 Lee\",\"first_name\":\"Ann\"");
}

static void a_refused_consent_is_said(void **state)
{
    (void)state;
    optin.consent_given = OPTIN_NO;
    assert_holds("\"consent\":{\"text\":null,\"version\":null,\"given\":false,\"channels\":null,"
                 "\"cert_url\":null}");
    optin.consent_given = OPTIN_UNSAID;
    optin.text[OPTIN_CONSENT_VERSION] = SLICE("v2");
    assert_holds("\"version\":\"v2\",\"given\":null");
}

static void the_trace_is_passed_on(void **state)
{
    (void)state;
    optin.text[OPTIN_TRACEPARENT] =
        SLICE("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_holds("\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}");
}

/* --- cutting --------------------------------------------------------------------------- */

static char filling[OPTIN_STORED_MAX];

static struct slice filled(char byte, size_t length)
{
    memset(filling, byte, sizeof(filling));
    return (struct slice){filling, length};
}

static void fields_are_cut_from_the_end(void **state)
{
    (void)state;
    static char names[50][8], values[102];
    fill_usual();
    memset(values, 'v', sizeof(values));
    values[0] = values[101] = '"';
    for (size_t i = 0; i < 50; i++) {
        snprintf(names[i], sizeof(names[i]), "f%zu", i);
        optin.extra[i] = (struct optin_extra){slice_of(names[i]), {values, sizeof(values)}};
    }
    optin.extra_count = 50;
    assert_holds("\"f0\":\"vv");
    assert_holds(",\"truncated\":true}");
    assert_holds("I agree to be called");
    assert_lacks("\"f49\"");
    assert_in_range(out.length, TASK_BYTES_MAX - 108, TASK_BYTES_MAX);
    for (size_t i = 1; i < 50; i++)
        assert_true(strstr(buffer, names[i]) == NULL || strstr(buffer, names[i - 1]) != NULL);
}

/* One byte more of the last field at a time: the member grows to its limit, and only
 * then loses the field. */
static void a_member_of_exactly_the_limit_is_whole(void **state)
{
    (void)state;
    optin.extra[0] = (struct optin_extra){SLICE("n"), SLICE("1")};
    optin.extra_count = 1;
    member();
    size_t longest = TASK_BYTES_MAX - out.length + 1;
    optin.extra[0].json = filled('"', longest);
    memset(filling + 1, 'x', longest - 2);
    assert_lacks("truncated");
    assert_int_equal(out.length, TASK_BYTES_MAX);

    optin.extra[0].json = filled('"', longest + 1);
    memset(filling + 1, 'x', longest - 1);
    assert_holds("\"fields\":{}}");
    assert_holds("\"truncated\":true");
}

static void long_strings_lose_their_ends_once_the_fields_are_gone(void **state)
{
    (void)state;
    fill_usual();
    optin.text[OPTIN_REFERRER] = filled('r', 5000);
    assert_holds("\"truncated\":true");
    assert_holds("\"page_url\":\"https://example.com/roofing?utm_source=google\"");
    char cut[600] = "\"referrer\":\"";
    size_t length = strlen(cut);
    memset(cut + length, 'r', 512);
    memcpy(cut + length + 512, "\"", 2);
    assert_holds(cut);
    assert_holds("\"age\":12");
}

static void strings_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        optin.text[OPTIN_REFERRER] = filled('r', 6000);
        for (size_t i = shift; i + 4 <= 6000; i += 4)
            memcpy(filling + i, "😀", 4);
        assert_holds("\"truncated\":true"); /* member() has it checked as UTF-8 */
    }
}

static void half_a_number_or_address_is_none(void **state)
{
    (void)state;
    optin.text[OPTIN_PHONE] = filled('1', 65);
    assert_holds("\"phone\":null");
    assert_holds("\"truncated\":true");
    optin.text[OPTIN_PHONE] = filled('1', 64);
    assert_lacks("\"truncated\":true");
    optin.text[OPTIN_PHONE] = (struct slice){0};
    optin.text[OPTIN_EMAIL] = filled('e', 400);
    assert_holds("\"email\":null");
    assert_holds("\"truncated\":true");
}

static void long_names_are_cut(void **state)
{
    (void)state;
    optin.text[OPTIN_FIRST_NAME] = filled('n', 3000);
    optin.text[OPTIN_LAST_NAME] = filled('n', 3000);
    assert_holds("\"truncated\":true");
    assert_in_range(out.length, 256 + 128, 2000);
}

/* The worst that an opt-in can hold: every field full of bytes that grow sixfold. */
static void the_worst_optin_fits(void **state)
{
    (void)state;
    static const char bytes[] = "x\x01\"\xc3";
    for (size_t i = 0; i < 3; i++) {
        for (size_t length = 1; length < 20000; length = length * 3 / 2 + 1) {
            struct slice value = filled(bytes[i], length);
            for (int field = 1; field < OPTIN_TEXT_END; field++)
                optin.text[field] = value;
            optin.text[OPTIN_CONSENT_CHANNELS] = SLICE("[\"call\"]");
            optin.extra[0] = (struct optin_extra){value, SLICE("{}")};
            optin.extra_count = 1;
            struct task_facts longest = facts;
            char name[TASK_FACT_MAX];
            memset(name, 'q', sizeof(name));
            longest.queue = longest.agency = longest.site = longest.node = longest.prefix =
                longest.owner = longest.stage = longest.script = longest.template =
                    longest.window_tz = (struct slice){name, sizeof(name)};
            longest.delivery = longest.attempt = UINT32_MAX;
            longest.received_ms = longest.deadline_ms = longest.not_before_ms = longest.closes_ms =
                UINT64_MAX;
            member_of(&longest);
        }
    }
}

/* --- the caller's buffer ------------------------------------------------------------------ */

static void the_bytes_do_not_depend_on_the_room(void **state)
{
    (void)state;
    char small[sizeof(usual_1)];
    fill_usual();
    out = text_over(small, sizeof(usual_1) - 1);
    assert_true(task_render(&out, 1, &facts, &optin));
    assert_false(out.overflow);
    assert_memory_equal(small, usual_1, sizeof(usual_1) - 1);
    out = text_over(small, sizeof(usual_1) - 2);
    assert_true(task_render(&out, 1, &facts, &optin));
    assert_true(out.overflow);
    assert_int_equal(out.length, 0);
}

static void the_member_is_appended(void **state)
{
    (void)state;
    fill_usual();
    out = text_over(buffer, sizeof(buffer));
    text_string(&out, "ZADD ");
    assert_true(task_render(&out, 1, &facts, &optin));
    assert_int_equal(out.length, 5 + sizeof(usual_1) - 1);
    assert_memory_equal(buffer, "ZADD {\"v\":1,\"id\":\"tsk_", 22);
}

static void an_unknown_renderer_writes_nothing(void **state)
{
    (void)state;
    out = text_over(buffer, sizeof(buffer));
    assert_false(task_render(&out, 0, &facts, &optin));
    assert_false(task_render(&out, TASK_RENDERER + 1, &facts, &optin));
    assert_int_equal(out.length, 0);
}

/* --- words for several tasks -------------------------------------------------------------- */

static struct task_words words;

/* The same bytes as without them. */
static void assert_same_with_words(const struct task_facts *task, unsigned renderer)
{
    char alone[TASK_BYTES_MAX];
    struct text expected = text_over(alone, sizeof(alone));

    assert_true(task_render(&expected, renderer, task, &optin));
    out = text_over(buffer, TASK_BYTES_MAX);
    assert_true(task_render_with(&out, renderer, task, &optin, &words));
    assert_int_equal(out.length, expected.length);
    assert_memory_equal(buffer, alone, out.length);
}

static void tasks_of_one_opt_in_share_its_words(void **state)
{
    struct task_facts other = facts;

    (void)state;
    fill_usual();
    optin.text[OPTIN_FIRST_NAME] = SLICE("Mr."); /* of which renderers think otherwise */
    task_words(&words, &optin);
    assert_true(words.whole);
    assert_false(words.cut);
    other.queue = SLICE("acme.email");
    other.channel = TASK_EMAIL;
    other.template = SLICE("free-report");
    for (unsigned renderer = 1; renderer <= TASK_RENDERER; renderer++) {
        assert_same_with_words(&facts, renderer);
        assert_same_with_words(&other, renderer);
    }
}

static void words_tell_what_they_lack(void **state)
{
    (void)state;
    fill_usual();
    optin.text[OPTIN_PHONE] = filled('1', 65);
    task_words(&words, &optin);
    assert_true(words.whole);
    assert_true(words.cut);
    assert_same_with_words(&facts, TASK_RENDERER);
    assert_holds("\"truncated\":true");
}

/* Together with what is the task's they may be too long, or by themselves. */
static void long_words_are_cut_for_each_task(void **state)
{
    (void)state;
    fill_usual();
    optin.text[OPTIN_REFERRER] = filled('r', 3400);
    task_words(&words, &optin);
    assert_true(words.whole);
    assert_same_with_words(&facts, TASK_RENDERER);
    assert_holds("\"truncated\":true");
    optin.text[OPTIN_REFERRER] = filled('r', 5000);
    task_words(&words, &optin);
    assert_false(words.whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_gave_no_name_is_called_by_none_as_stored),
        TEST(a_usual_task_is_the_stored_sample),
        TEST(an_empty_optin_gives_nulls),
        TEST(a_robots_task_is_the_stored_sample),
        TEST(a_call_has_its_script_and_no_template),
        TEST(channels_and_kinds_have_their_names),
        TEST(the_facts_stand_in_the_member),
        TEST(a_name_is_put_together_and_taken_apart),
        TEST(a_refused_consent_is_said),
        TEST(the_trace_is_passed_on),
        TEST(fields_are_cut_from_the_end),
        TEST(a_member_of_exactly_the_limit_is_whole),
        TEST(long_strings_lose_their_ends_once_the_fields_are_gone),
        TEST(strings_are_cut_between_characters),
        TEST(half_a_number_or_address_is_none),
        TEST(long_names_are_cut),
        TEST(the_worst_optin_fits),
        TEST(the_bytes_do_not_depend_on_the_room),
        TEST(the_member_is_appended),
        TEST(tasks_of_one_opt_in_share_its_words),
        TEST(words_tell_what_they_lack),
        TEST(long_words_are_cut_for_each_task),
        TEST(an_unknown_renderer_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
