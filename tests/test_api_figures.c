/* Reports over HTTP: who may ask, what can be asked, and how values are called. */
#include "tests/api_tokens.h"

static char task[64];

#define ADA                                                                                        \
    "{\"name\":\"Ada\",\"phone\":\"+14155552671\",\"source_kind\":\"webinar\","                    \
    "\"utm_campaign\":\"spring \\\"26\\\"\"}"

/* One opt-in is in, and was answered after three minutes by a42. */
static int set_up(void **state)
{
    char line[128];

    set_up_tokens(state);
    assert_answer(ask_as(sk, "POST /v1/optins", ADA), 201);
    told("task", task, sizeof(task));
    rig.world.now_ms += 180000;
    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", task);
    assert_answer(ask_as(agent, line, "{\"delivery\":1,\"outcome\":\"conversation\"}"), 200);
    return 0;
}

static int get(const char *key, const char *report)
{
    char line[256];

    snprintf(line, sizeof(line), "GET /v1/reports/%s", report);
    return ask_as(key, line, "");
}

static void values_are_called_by_their_names(void **state)
{
    (void)state;
    assert_answer(get(manager, "speed"), 200);
    assert_body_has("{\"report\":\"speed\",");
    assert_body_has("\"summary\":{\"owed\":1,\"answered\":1,\"answered_percent\":100.00,");
    assert_body_has("{\"site\":\"www\",\"count\":1,\"mean_ms\":180000,");
    assert_body_has("{\"agent\":\"a42\",\"count\":1,");
    assert_body_has("{\"source\":\"webinar\",\"count\":1,");
    assert_answer(get(manager, "campaigns"), 200);
    assert_body_has("{\"campaign\":\"spring \\\"26\\\"\",\"optins\":1,\"people\":1,");
    assert_body_has("\"cost_cents\":4000,\"cost_per_conversation_cents\":4000,");
}

static void sources_of_every_kind_are_told_apart(void **state)
{
    static const char *const kinds[] = {
        "site_form",    "free_report", "trade_show",  "mailing_list", "inquiry",
        "social_media", "paid",        "bought_list", "business_card"}; /* and one webinar */
    char text[128];
    unsigned count = 0;

    (void)state;
    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        for (unsigned i = 0; i < kind + 2; i++) {
            snprintf(text, sizeof(text), "{\"phone\":\"+12155550%03u\",\"source_kind\":\"%s\"}",
                     100 + count++, kinds[kind]);
            assert_answer(ask_as(sk, "POST /v1/optins", text), 201);
            told("task", task, sizeof(task));
            rig.world.now_ms += 60000;
            snprintf(text, sizeof(text), "POST /v1/tasks/%s/outcome", task);
            assert_answer(ask_as(manager, text, "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
        }
    }
    assert_answer(get(manager, "speed"), 200);
    assert_body_has("{\"source\":\"webinar\",\"count\":1,");
    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        snprintf(text, sizeof(text), "{\"source\":\"%s\",\"count\":%u,", kinds[kind], kind + 2);
        assert_body_has(text);
    }
}

static void whom_a_removed_agent_had_is_nobodys(void **state)
{
    (void)state;
    add("agents", "{\"id\":\"zed\",\"agency\":\"acme\"}");
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552672\"}"), 201);
    told("task", task, sizeof(task));
    char line[128];
    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", task);
    assert_answer(
        ask_as(manager, line, "{\"delivery\":1,\"outcome\":\"conversation\",\"agent\":\"zed\"}"),
        200);
    assert_answer(get(manager, "board"), 200);
    assert_body_has("{\"owner\":\"zed\",\"stage\":\"lead\",\"people\":1,");
    assert_answer(ask_as(rig.token, "DELETE /v1/agents/zed", ""), 204);
    assert_answer(get(manager, "board"), 200);
    assert_body_lacks("zed");
    assert_body_has("{\"owner\":\"a42\",\"stage\":\"lead\",\"people\":1,");
    assert_body_has("{\"owner\":null,\"stage\":\"lead\",\"people\":1,");
    assert_answer(ask_as(manager, "GET /v1/people", ""), 200);
    assert_body_lacks("zed");
}

static void filters_take_names(void **state)
{
    static const char *const one[] = {
        "speed?site=www",
        "speed?agent=a42",
        "speed?source=webinar",
        "speed?from=2023-11-14&to=2023-11-14",
        "speed?campaign=spring+%2226%22",
    };
    static const char *const none[] = {"speed?agent=a43", "speed?source=Webinar",
                                       "speed?from=2023-11-15", "speed?to=2023-11-13",
                                       "speed?from=2024-02-29"};

    (void)state;
    for (size_t i = 0; i < sizeof(one) / sizeof(*one); i++) {
        assert_answer(get(manager, one[i]), 200);
        assert_body_has("\"answered\":1,");
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        assert_answer(get(manager, none[i]), 200);
        assert_body_has("\"answered\":0,");
    }
}

static void what_cannot_be_asked_is_named(void **state)
{
    static const char *const wrong[][2] = {
        {"speed?from=yesterday", "from"},
        {"speed?to=2026-13-01", "to"},
        {"funnel?by=year", "by"},
        {"cracks?after=x", "after"},
        {"cracks?limit=0", "limit"},
        {"cracks?limit=1001", "limit"},
        {"dust?price=-1", "price"},
        {"dust?price=1.005", "price"},
        {"dust?recoverable=101", "recoverable"},
        {"speed?site=www&agent=a42", "agent"},
        {"funnel?agent=a42", "agent"},
        {"campaigns?site=www", "site"},
        {"board?source=webinar", "source"},
        {"speed?owner=a42", "owner"},
        {"graveyard?cold_for=soon", "cold_for"},
    };
    char detail[80];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_answer(get(manager, wrong[i][0]), 422);
        snprintf(detail, sizeof(detail), "the value of %s cannot be used", wrong[i][1]);
        assert_body_has(detail);
    }
    assert_answer(get(rig.token, "speed?source=webinar"), 422); /* whose word? */
    assert_answer(get(manager, "weather"), 404);
    assert_answer(get(manager, "speed?site=nowhere"), 404);
}

static void what_a_report_is_not_asked_for_with_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"funnel?from=2027-02-30", "from cannot be used in the report funnel: give a day"},
        {"funnel?to=2027-02-29", "to cannot be used in the report funnel: give a day"},
        {"funnel?from=2028-01-02&to=2028-01-01",
         "from cannot be used in the report funnel: it is later than `to`"},
        {"speed?by=day", "by cannot be used in the report speed: it is not made with that"},
        {"speed?price=5", "price cannot be used in the report speed: it is not made with that"},
        {"cracks?recoverable=5", "recoverable cannot be used in the report cracks: it is not made"},
        {"speed?cold_for=6mo", "cold_for cannot be used in the report speed: it is not made"},
        {"funnel?agent=a42", "agent cannot be used in the report funnel: it is not made with that"},
        {"speed?campaign=%FF", "campaign cannot be used in the report speed: it is no UTF-8 text"},
        {"speed?site=%FF", "site cannot be used in the report speed: it is no UTF-8 text"},
        {"speed?agency=%FF", "agency cannot be used in the report speed: it is no UTF-8 text"},
        {"speed?from=%FF", "from cannot be used in the report speed: it is no UTF-8 text"},
        {"speed?site=www&agent=a42", "agent cannot be used in the report speed: give only one"},
        {"speed?foo=1", "foo cannot be used in the report speed: no report is made with that"},
        {"speed?limit=1001", "limit cannot be used in the report speed: give a number from 1 to"},
        {"speed?after=x", "after cannot be used in the report speed: give what `next`"},
        {"dust?price=1.005", "price cannot be used in the report dust: give an amount up to"},
        {"dust?recoverable=101", "recoverable cannot be used in the report dust: give a percent"},
        {"funnel?by=year", "by cannot be used in the report funnel: give day, week or month"},
        {"graveyard?cold_for=6", "cold_for cannot be used in the report graveyard: give a span"},
        {"speed?from=2027-01-01&from=2027-01-02",
         "from cannot be used in the report speed: give it once"},
        {"speed?agency=acme&agenc%79=rival", "agency cannot be used in the report speed: give it"},
        {"speed?%00=1", "a name that none has cannot be used in the report speed: no report is"},
        {"cracks?limit=5&sit%65s=", "sites cannot be used in the report cracks: no report"},
    };
    static const char *const right[] = {
        "mix?by=week",           "promises?by=month",     "funnel?by=day",
        "dust?price=5",          "dust?recoverable=5",    "graveyard?cold_for=6mo",
        "speed?by=&price=",      "speed?limit=5&after=7", "funnel?from=2028-02-29&to=2028-02-29",
        "board?from=2027-01-01", "graveyard?site=www",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_answer(get(manager, wrong[i][0]), 422);
        assert_body_has(wrong[i][1]);
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++)
        assert_answer(get(manager, right[i]), 200);
    assert_answer(get(rig.token, "speed?campaign=spring"), 422);
    assert_body_has("campaign cannot be used in the report speed: name the agency, too");
    assert_answer(get(rig.token, "speed?campaign=spring&agency=acme"), 200);
}

static void a_tenant_sees_only_its_own(void **state)
{
    static const char *const reports[] = {"speed",       "conversation-time",
                                          "funnel",      "attempts",
                                          "score",       "dust",
                                          "cracks",      "promises",
                                          "mix",         "campaigns",
                                          "unhappy",     "late",
                                          "no-response", "board",
                                          "pipelines",   "robots",
                                          "graveyard"};

    (void)state;
    for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
        assert_answer(get(rival, reports[i]), 200);
        assert_body_lacks("www");
        assert_body_lacks("a42");
        assert_body_lacks("webinar");
        assert_body_lacks("spring");
        assert_body_lacks("per_");
        assert_body_lacks("\"conversed\":1");
    }
    assert_answer(get(rival, "speed?agency=acme"), 404);
    assert_answer(get(rival, "speed?site=www"), 404);
    assert_answer(get(agent, "speed"), 403);
    assert_answer(get(sk, "speed"), 200);
    assert_body_has("\"answered\":1,");
    assert_answer(get(rig.token, "speed"), 200);
    assert_body_has("\"answered\":1,");
    assert_answer(get(rig.token, "speed?agency=rival"), 200);
    assert_body_has("\"answered\":0,");
}

static void a_list_names_people_by_their_public_ids(void **state)
{
    char line[128], calls[64];

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552672\"}"), 201);
    told("task", calls, sizeof(calls));
    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", calls);
    assert_answer(ask_as(agent, line, "{\"delivery\":1,\"outcome\":\"unsatisfied\"}"), 200);
    assert_answer(get(manager, "cracks"), 200);
    assert_body_has("\"summary\":{\"cracks\":0}");
    assert_answer(get(manager, "unhappy"), 200);
    assert_body_has("\"rows\":[{\"person\":\"per_");
    assert_body_has("\"next\":null}");
}

static void dust_takes_a_price(void **state)
{
    char line[128], calls[64];

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552672\"}"), 201);
    told("task", calls, sizeof(calls));
    snprintf(line, sizeof(line), "POST /v1/tasks/%s/outcome", calls);
    assert_answer(ask_as(agent, line, "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    assert_answer(get(manager, "dust?price=1234.5&recoverable=50"), 200);
    assert_body_has("\"cold\":1,\"recoverable_percent\":50.00,\"price_cents\":123450,"
                    "\"dust_cents\":61725,");
}

/* The agency's own playbook, as soon as it has one. */
static void the_agencys_playbook_gives_words_and_numbers(void **state)
{
    (void)state;
    assert_answer(get(manager, "dust"), 200);
    assert_body_has("\"price_cents\":50000,");
    assert_answer(ask_as(manager, "POST /v1/playbooks",
                         "{\"id\":\"acme.own\",\"yaml\":\"name: own\\ntitle: Own\\n"
                         "based_on: default\\nmoney: {currency: EUR, optin: 2, sale: 99, "
                         "recoverable: 30}\\nodds: [{after: 2m, times: 9}]\\n\"}"),
                  201);
    assert_answer(ask_as(rig.token, "PATCH /v1/agencies/acme", "{\"playbook\":\"acme.own\"}"), 200);
    assert_answer(get(manager, "dust"), 200);
    assert_body_has("\"recoverable_percent\":30.00,\"price_cents\":9900,");
    assert_body_has("\"currency\":\"EUR\"");
    assert_answer(get(manager, "late"), 200);
    assert_body_has("\"waited_ms\":180000,\"odds_lost_times\":9,");
    assert_answer(get(rival, "dust"), 200);
    assert_body_has("\"price_cents\":50000,");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_called_by_their_names),
        TEST(sources_of_every_kind_are_told_apart),
        TEST(whom_a_removed_agent_had_is_nobodys),
        TEST(filters_take_names),
        TEST(what_cannot_be_asked_is_named),
        TEST(what_a_report_is_not_asked_for_with_is_refused),
        TEST(a_tenant_sees_only_its_own),
        TEST(a_list_names_people_by_their_public_ids),
        TEST(dust_takes_a_price),
        TEST(the_agencys_playbook_gives_words_and_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
