/* Attempts, and what becomes of an opt-in on its way to a sale. */
#include "tests/figures_lives.h"

/* --- attempts -------------------------------------------------------------------------------- */

static void attempts_where_people_stop_and_where_sales_close(void **unused)
{
    const unsigned stops[] = {48, 24, 12, 6, 10}, sales[] = {2, 3, 4, 10, 81};
    unsigned person = 0;

    (void)unused;
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < stops[i]; j++)
            try(++person, i + 1 + (i == 4 ? j % 3 : 0), OUTCOME_NO_ANSWER);
        for (unsigned j = 0; j < sales[i]; j++)
            try(++person, i + 1 + (i == 4 ? j % 4 : 0), OUTCOME_SOLD);
    }
    report(FIGURES_ATTEMPTS);
    assert_says("\"summary\":{\"stopped\":0,\"stopped_by_law_or_fact\":0,\"sold\":100}");
    forget_plans();
    report(FIGURES_ATTEMPTS);
    assert_says("\"summary\":{\"stopped\":100,\"stopped_by_law_or_fact\":0,\"sold\":100}");
    assert_says("{\"attempt\":\"1\",\"stopped\":48,\"stopped_percent\":48.00,\"sold\":2,"
                "\"sold_percent\":2.00},");
    assert_says("{\"attempt\":\"2\",\"stopped\":24,\"stopped_percent\":24.00,\"sold\":3,"
                "\"sold_percent\":3.00},");
    assert_says("{\"attempt\":\"3\",\"stopped\":12,\"stopped_percent\":12.00,\"sold\":4,"
                "\"sold_percent\":4.00},");
    assert_says("{\"attempt\":\"4\",\"stopped\":6,\"stopped_percent\":6.00,\"sold\":10,"
                "\"sold_percent\":10.00},");
    assert_says("{\"attempt\":\"5+\",\"stopped\":10,\"stopped_percent\":10.00,\"sold\":81,"
                "\"sold_percent\":81.00}]");
    assert_says("{\"outcome\":\"sold\",\"called\":\"Sold\",\"count\":100,");
}

static void law_and_facts_are_no_giving_up(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_DO_NOT_CONTACT);
    live(2, MINUTE, OUTCOME_WRONG_NUMBER);
    live(3, MINUTE, OUTCOME_NO_ANSWER);
    report(FIGURES_ATTEMPTS);
    assert_says("\"summary\":{\"stopped\":0,\"stopped_by_law_or_fact\":1,\"sold\":0}");
    forget_plans();
    report(FIGURES_ATTEMPTS);
    assert_says("\"summary\":{\"stopped\":1,\"stopped_by_law_or_fact\":2,\"sold\":0}");
    assert_says("{\"attempt\":\"1\",\"stopped\":1,\"stopped_percent\":100.00,\"sold\":0,"
                "\"sold_percent\":null}");
}

/* --- funnel ------------------------------------------------------------------------------------
 */

/* 1.00 % and 1.25 % of 400 people, on two days. */
static void a_quarter_of_a_point_is_seen(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 800; i++) {
        unsigned of_day = i % 400, talks = i < 400 ? 4 : 5;
        if (i == 400)
            world.now_ms += DAY;
        live(i, 1000, of_day < talks ? OUTCOME_CONVERSATION : OUTCOME_NO_ANSWER);
    }
    report(FIGURES_FUNNEL);
    assert_says("{\"cohort\":\"2023-11-14\",\"people\":400,\"contacted\":400,"
                "\"contacted_percent\":100.00,\"contacted_low_percent\":99.05,"
                "\"contacted_high_percent\":100.00,\"leads\":4,\"leads_percent\":1.00,"
                "\"leads_low_percent\":0.39,\"leads_high_percent\":2.54,"
                "\"conversed\":4,\"conversed_percent\":1.00,"
                "\"conversed_low_percent\":0.39,\"conversed_high_percent\":2.54,");
    assert_says("{\"cohort\":\"2023-11-15\",\"people\":400,");
    assert_says("\"conversed\":5,\"conversed_percent\":1.25,\"conversed_low_percent\":0.54,"
                "\"conversed_high_percent\":2.89,");
    assert_says("{\"step\":\"conversation\",\"count\":9,\"of_people_percent\":1.12,");
    assert_says("{\"stage\":\"optin\",\"title\":\"Opt-in\",\"people\":791},"
                "{\"stage\":\"lead\",\"title\":\"Lead\",\"people\":9}");
    assert_says("{\"name\":\"pipelines\"");
}

static void a_rate_of_nobody_is_not_known(void **unused)
{
    (void)unused;
    report(FIGURES_FUNNEL);
    assert_says("\"summary\":{\"people\":0,\"contacted\":0,\"contacted_percent\":null,"
                "\"contacted_low_percent\":null,\"contacted_high_percent\":null,");
}

static void who_comes_again_is_of_the_first_cohort(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    world.now_ms += 426 * DAY; /* fourteen months */
    live(1, MINUTE, OUTCOME_SOLD);
    report_asked((struct figures_query){.name = FIGURES_FUNNEL, .by = FIGURES_BY_MONTH});
    assert_says("\"cohorts\",\"title\":\"By when they first opted in\","
                "\"bar\":\"conversed_percent\",\"from\":null,\"to\":\"2025-01-13\",\"rows\":["
                "{\"cohort\":\"2023-11\",\"people\":1,");
    assert_says("\"sold\":1,\"sold_percent\":100.00,");
}

static void tests_and_suspects_are_nobody(void **unused)
{
    (void)unused;
    world_optin(&world, "+12155550147", NULL, NULL, "t", INTAKE_TEST);
    world_optin(&world, "+12155550148", NULL, NULL, "s", INTAKE_SUSPECT);
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    report(FIGURES_FUNNEL);
    assert_says("\"summary\":{\"people\":1,");
    report(FIGURES_CRACKS);
    assert_says("{\"reason\":\"test\",\"count\":1},{\"reason\":\"suspect\",\"count\":1}");
}

/* Whoever opts in for real after that is somebody, in the cohort that all is counted in. */
static void who_was_a_test_first_is_counted_once_it_is_real(void **unused)
{
    (void)unused;
    world_optin(&world, "+12150000001", NULL, NULL, "s", INTAKE_SUSPECT);
    world_optin(&world, "+12150000001", NULL, NULL, "t", INTAKE_TEST);
    world.now_ms += 2 * DAY;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    live(1, MINUTE, OUTCOME_SOLD);
    live(2, MINUTE, OUTCOME_CONVERSATION);
    report_asked((struct figures_query){.name = FIGURES_FUNNEL, .by = FIGURES_BY_DAY});
    assert_says("\"summary\":{\"people\":2,\"contacted\":2,\"contacted_percent\":100.00,");
    assert_says("\"conversed\":2,\"conversed_percent\":100.00,");
    assert_says("{\"cohort\":\"2023-11-14\",\"people\":1,\"contacted\":1,"
                "\"contacted_percent\":100.00,");
    assert_says("{\"cohort\":\"2023-11-16\",\"people\":1,");
    report(FIGURES_CAMPAIGNS);
    assert_says("\"optins\":3,\"people\":2,");
}

/* What an opt-in lacked came later, and with it the call that it is owed. */
static void a_call_that_became_possible_later_is_owed(void **unused)
{
    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    world.name = "Ada";
    world_optin(&world, NULL, NULL, "form", "1", 0);
    assert_int_equal(world.settlement.optin.task, 0);
    report(FIGURES_SPEED);
    assert_says("\"summary\":{\"owed\":0,");
    world_optin(&world, "+12155550147", NULL, "form", "2", 0);
    report(FIGURES_SPEED);
    assert_says("\"summary\":{\"owed\":1,\"answered\":0,\"answered_percent\":null,"
                "\"ended_unanswered\":0,\"open\":1,\"of_these_pending\":1,");
    report(FIGURES_CAMPAIGNS);
    assert_says("\"optins\":1,\"people\":1,");
}

/* A late call that is about a newer opt-in is owed to that one; the older one had none. */
static void a_late_call_about_a_newer_optin_is_owed_once_more(void **unused)
{
    (void)unused;
    opt_in(1);
    world_pass(&world, 6 * MINUTE);
    world.now_ms += DAY;
    live(1, 2 * MINUTE, OUTCOME_CONVERSATION);
    report_asked((struct figures_query){.name = FIGURES_SPEED, .day_last = 19675});
    assert_says("\"summary\":{\"owed\":1,\"answered\":0,\"answered_percent\":0.00,"
                "\"ended_unanswered\":1,\"open\":0,\"of_these_pending\":0,");
    report_asked((struct figures_query){.name = FIGURES_SPEED, .day_first = 19676});
    assert_says("\"summary\":{\"owed\":1,\"answered\":1,\"answered_percent\":100.00,"
                "\"ended_unanswered\":0,\"open\":0,\"of_these_pending\":0,");
}

/* Anybody makes up campaigns; one that comes when there are too many is among the others with all
 * that becomes of it. */
static void people_and_what_becomes_of_them_are_in_the_same_campaign(void **unused)
{
    struct figures_query one = {.name = FIGURES_FUNNEL, .side = TALLY_CAMPAIGN};

    (void)unused;
    for (unsigned i = 1; i <= TALLY_VALUES_MAX; i++) {
        world.campaign = i;
        opt_in(i);
    }
    live(TALLY_VALUES_MAX, MINUTE, OUTCOME_CONVERSATION);
    one.value = world.campaign;
    report_asked(one);
    assert_says("\"summary\":{\"people\":1,\"contacted\":1,");
    one.value = world.campaign = 999;
    live(999, MINUTE, OUTCOME_CONVERSATION);
    report_asked(one);
    assert_says("\"summary\":{\"people\":0,\"contacted\":0,");
    one.value = TALLY_VALUES_OTHER;
    report_asked(one);
    assert_says("\"summary\":{\"people\":1,\"contacted\":1,\"contacted_percent\":100.00,");
    assert_says("\"conversed\":1,\"conversed_percent\":100.00,");
}

/* Those that were not told apart, and those that have no row of their own. */
static void all_others_are_one_row(void **unused)
{
    const char *others;

    (void)unused;
    for (unsigned i = 1; i <= TALLY_VALUES_MAX + 9; i++) {
        world.campaign = i;
        opt_in(i);
    }
    report(FIGURES_CAMPAIGNS);
    others = strstr(document, "\"(others)\"");
    assert_non_null(others);
    assert_null(strstr(others + 1, "\"(others)\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attempts_where_people_stop_and_where_sales_close),
        TEST(law_and_facts_are_no_giving_up),
        TEST(a_quarter_of_a_point_is_seen),
        TEST(a_rate_of_nobody_is_not_known),
        TEST(who_comes_again_is_of_the_first_cohort),
        TEST(tests_and_suspects_are_nobody),
        TEST(who_was_a_test_first_is_counted_once_it_is_real),
        TEST(a_call_that_became_possible_later_is_owed),
        TEST(a_late_call_about_a_newer_optin_is_owed_once_more),
        TEST(people_and_what_becomes_of_them_are_in_the_same_campaign),
        TEST(all_others_are_one_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
