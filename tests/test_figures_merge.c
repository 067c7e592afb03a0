/* Reports on people who prove to be one, and on words that are taken back: see figures_lives.h. */
#include "tests/figures_lives.h"

static enum status join_or_part(uint64_t kept, uint64_t other, bool undo)
{
    struct command command = {.kind = COMMAND_MERGE,
                              .person = {.number = kept, .other = other, .undo = undo}};
    char payload[256];
    struct report said;

    report_clear(&said);
    said.agent = SLICE("boss");
    command.payload = (struct slice){payload, report_encode(&said, payload, sizeof(payload))};
    return world_do(&world, &command);
}

static void merge(uint64_t kept, uint64_t other)
{
    assert_status(join_or_part(kept, other, false), STATUS_OK);
}

static void unmerge(uint64_t kept, uint64_t other)
{
    assert_status(join_or_part(kept, other, true), STATUS_OK);
}

static void assert_report(enum figures_name name, const char *part)
{
    report(name);
    assert_says(part);
}

static struct task_row call_of(uint64_t person)
{
    return world_open_task(&world, person, TASK_CALL);
}

/* The reports in which the two stand. */
static void assert_people(unsigned people, unsigned hot, unsigned cold)
{
    char expected[128];

    snprintf(expected, sizeof(expected), "\"summary\":{\"people\":%u,\"contacted\":%u,", people,
             hot + cold);
    assert_report(FIGURES_FUNNEL, expected);
    snprintf(expected, sizeof(expected),
             "\"people\":%u,\"closed\":0,\"hot\":%u,\"cold\":%u,\"closed_percent\"", people, hot,
             cold);
    assert_report(FIGURES_MIX, expected);
    snprintf(expected, sizeof(expected), "\"summary\":{\"people\":%u}", people);
    assert_report(FIGURES_BOARD, expected);
    snprintf(expected, sizeof(expected), "\"summary\":{\"people\":%u,\"no_response\":0,", people);
    assert_report(FIGURES_NO_RESPONSE, expected);
}

static void two_who_were_talked_with_are_one(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    world.now_ms += DAY;
    live(2, MINUTE, OUTCOME_CONVERSATION);
    assert_people(2, 2, 0);
    merge(1, 2);
    assert_people(1, 1, 0);
    report(FIGURES_BOARD);
    assert_null(strstr(document, "\"stage\":\"optin\""));
    assert_report(FIGURES_SPEED, "\"owed\":2,\"answered\":2,");
    unmerge(1, 2);
    assert_people(2, 2, 0);
    merge(1, 2);
    assert_people(1, 1, 0);
}

static void who_was_merged_is_on_no_list(void **unused)
{
    uint64_t waits;

    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    (void)opt_in(2);
    world.now_ms += DAY / 2;
    (void)world_pass(&world, 0);
    report(FIGURES_NO_RESPONSE);
    assert_says("\"no_response\":1,");
    merge(1, 2);
    waits = call_of(1).number;
    report(FIGURES_NO_RESPONSE);
    assert_says("\"people\":1,\"no_response\":0,");
    assert_null(strstr(document, "\"person\":"));
    tell(waits, OUTCOME_UNSATISFIED);
}

static unsigned people_listed(void)
{
    unsigned count = 0;

    for (const char *at = document; (at = strstr(at, "\"person\":")) != NULL; at++)
        count++;
    return count;
}

static void two_who_were_unhappy_are_listed_once(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_UNSATISFIED);
    live(2, MINUTE, OUTCOME_UNSATISFIED);
    report(FIGURES_UNHAPPY);
    assert_int_equal(people_listed(), 2);
    merge(1, 2);
    report(FIGURES_UNHAPPY);
    assert_int_equal(people_listed(), 1);
}

static void who_was_unhappy_stays_so_as_somebody_else(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    live(2, MINUTE, OUTCOME_UNSATISFIED);
    live(2, MINUTE, OUTCOME_NO_ANSWER);
    merge(1, 2);
    assert_report(FIGURES_UNHAPPY, "\"unhappy\":1}");
    assert_int_equal(people_listed(), 1);
    unmerge(1, 2);
    assert_report(FIGURES_UNHAPPY, "\"unhappy\":1}");
    assert_int_equal(people_listed(), 1);
    live(2, MINUTE, OUTCOME_SATISFIED);
    assert_report(FIGURES_UNHAPPY, "\"unhappy\":0}");
}

static void whom_an_agent_had_stands_once_on_the_board(void **unused)
{
    (void)unused;
    world_admin(&world, ENTITY_AGENT, "{\"id\":\"ann\",\"agency\":\"acme\"}");
    for (unsigned person = 1; person <= 2; person++)
        assert_status(
            world_report(&world, opt_in(person), 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "ann"),
            STATUS_OK);
    assert_report(FIGURES_BOARD,
                  "\"rows\":[{\"owner\":\"7:1\",\"stage\":\"lead\",\"people\":2,\"over\":0}]}");
    merge(1, 2);
    assert_report(FIGURES_BOARD,
                  "\"rows\":[{\"owner\":\"7:1\",\"stage\":\"lead\",\"people\":1,\"over\":0}]}");
}

static void a_test_that_is_somebody_by_a_merge_is_one(void **unused)
{
    (void)unused;
    assert_status(world_optin(&world, "+12155550199", NULL, NULL, "test", INTAKE_TEST), STATUS_OK);
    (void)opt_in(2);
    assert_report(FIGURES_FUNNEL, "\"summary\":{\"people\":1,");
    merge(1, 2);
    assert_report(FIGURES_FUNNEL, "\"summary\":{\"people\":1,");
    unmerge(1, 2);
    assert_report(FIGURES_FUNNEL, "\"summary\":{\"people\":1,");
}

/* --- what is owed --------------------------------------------------------------------------- */

static void the_others_call_is_owed_by_the_one(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    world.now_ms += MINUTE;
    (void)opt_in(2);
    merge(1, 2);
    assert_report(FIGURES_SPEED, "\"owed\":2,\"answered\":1,");
    assert_says("\"ended_unanswered\":0,\"open\":1,\"of_these_pending\":1,");
    assert_report(FIGURES_PROMISES, "\"promised\":2,\"kept\":1,\"late\":0,\"unanswered\":1,");
    world.now_ms += MINUTE;
    tell(call_of(1).number, OUTCOME_CONVERSATION);
    assert_report(FIGURES_SPEED, "\"owed\":2,\"answered\":2,");
    assert_says("\"ended_unanswered\":0,\"open\":0,\"of_these_pending\":0,");
    assert_report(FIGURES_PROMISES, "\"promised\":2,\"kept\":2,\"late\":0,\"unanswered\":0,");
}

static void what_was_owed_by_the_one_goes_back(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    world.now_ms += MINUTE;
    (void)opt_in(2);
    merge(1, 2);
    unmerge(1, 2);
    (void)world_pass(&world, MINUTE);
    assert_int_not_equal(call_of(2).number, 0);
    assert_report(FIGURES_SPEED, "\"owed\":2,\"answered\":1,");
    assert_says("\"ended_unanswered\":0,\"open\":1,\"of_these_pending\":1,");
    assert_report(FIGURES_PROMISES, "\"promised\":2,\"kept\":1,\"late\":0,\"unanswered\":1,");
}

static void what_was_late_when_it_moved_was_late_once(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    (void)opt_in(2);
    (void)world_pass(&world, 2 * HOUR);
    assert_true(call_of(2).flags & TASK_BREACHED);
    assert_report(FIGURES_SPEED, "\"open\":1,\"of_these_pending\":0,");
    assert_report(FIGURES_SCORE, "\"answer\":\"yes\",\"value\":1,\"counts\":\"deadlines that");
    merge(1, 2);
    assert_report(FIGURES_SPEED, "\"owed\":2,");
    assert_says("\"open\":1,\"of_these_pending\":0,");
    assert_report(FIGURES_SCORE, "\"answer\":\"yes\",\"value\":1,\"counts\":\"deadlines that");
}

static void to_the_one_who_has_a_call_the_others_is_not_owed(void **unused)
{
    (void)unused;
    (void)opt_in(1);
    world.now_ms += MINUTE;
    (void)opt_in(2);
    assert_report(FIGURES_NO_RESPONSE, "\"people\":2,\"no_response\":0,");
    assert_says("\"pending\":2}");
    merge(1, 2);
    assert_report(FIGURES_SPEED, "\"owed\":1,\"answered\":0,");
    assert_says("\"ended_unanswered\":0,\"open\":1,\"of_these_pending\":1,");
    assert_report(FIGURES_NO_RESPONSE, "\"people\":1,\"no_response\":0,");
    assert_says("\"pending\":1}");
    unmerge(1, 2);
    (void)world_pass(&world, MINUTE);
    assert_int_not_equal(call_of(2).number, 0);
    assert_report(FIGURES_SPEED, "\"owed\":2,\"answered\":0,");
    assert_says("\"ended_unanswered\":0,\"open\":2,\"of_these_pending\":2,");
}

static void what_was_late_is_not_owed_twice_either(void **unused)
{
    (void)unused;
    (void)opt_in(1);
    (void)opt_in(2);
    (void)world_pass(&world, 2 * HOUR);
    assert_true(call_of(2).flags & TASK_BREACHED);
    merge(1, 2);
    assert_report(FIGURES_SPEED, "\"owed\":1,\"answered\":0,");
    assert_says("\"ended_unanswered\":0,\"open\":1,\"of_these_pending\":0,");
    (void)opt_in(3);
    assert_report(FIGURES_SPEED, "\"ended_unanswered\":0,\"open\":2,\"of_these_pending\":1,");
}

/* --- words that are taken back ---------------------------------------------------------------- */

static void amend(uint64_t task, enum outcome outcome)
{
    world.manager = true;
    assert_status(world_report(&world, task, 1, REPORT_AMEND, outcome, "boss"), STATUS_OK);
    world.manager = false;
}

/* What is said instead counts when, and as whose, the first word counted. */
static void an_amended_outcome_counts_as_if_it_had_been_the_first(void **unused)
{
    const uint32_t told = (uint32_t)((WORLD_START_MS + MINUTE) / DAY);
    const struct figures_query that_day = {
        .name = FIGURES_ATTEMPTS, .day_first = told, .day_last = told};
    uint64_t task;

    (void)unused;
    task = opt_in(1);
    world.now_ms += MINUTE;
    tell(task, OUTCOME_CONVERSATION);
    report_asked(that_day);
    assert_says("\"outcome\":\"conversation\",\"called\":\"Conversation\",\"count\":1,");
    world.now_ms += 2 * DAY;
    amend(task, OUTCOME_NO_ANSWER);
    report_asked(that_day);
    assert_says(
        "\"outcome\":\"no_answer\",\"called\":\"No answer\",\"count\":1,\"of_all_percent\":100");
    assert_null(strstr(document, "\"outcome\":\"conversation\""));
    amend(task, OUTCOME_BUSY);
    amend(task, OUTCOME_BUSY);
    report_asked(that_day);
    assert_says("\"outcome\":\"busy\",\"called\":\"Busy\",\"count\":1,\"of_all_percent\":100");
    assert_null(strstr(document, "\"outcome\":\"no_answer\""));
}

static void talk_that_was_none_is_not_held_against_anybody(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in(1);
    world.now_ms += MINUTE;
    tell(task, OUTCOME_CONVERSATION);
    assert_report(FIGURES_SCORE, "\"answer\":\"yes\",\"value\":1,\"counts\":\"conversations with");
    amend(task, OUTCOME_NO_ANSWER);
    assert_report(FIGURES_SCORE,
                  "\"answer\":\"unknown\",\"value\":null,\"counts\":\"conversations with");
    amend(task, OUTCOME_CONVERSATION);
    assert_report(FIGURES_SCORE, "\"answer\":\"yes\",\"value\":1,\"counts\":\"conversations with");
}

static void a_cadence_that_was_not_ended_after_all_is_not_cut(void **unused)
{
    uint64_t task;

    (void)unused;
    try(1, 7, OUTCOME_NO_ANSWER);
    (void)world_pass(&world, MINUTE); /* a step has been due */
    task = opt_in(1);
    world.now_ms += MINUTE;
    tell(task, OUTCOME_DEAD);
    assert_report(FIGURES_SCORE, "\"value\":1,\"counts\":\"cadences that");
    amend(task, OUTCOME_NO_ANSWER);
    assert_report(FIGURES_SCORE, "\"value\":0,\"counts\":\"cadences that");
    amend(task, OUTCOME_DEAD);
    assert_report(FIGURES_SCORE, "\"value\":1,\"counts\":\"cadences that");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_who_were_talked_with_are_one),
        TEST(who_was_merged_is_on_no_list),
        TEST(who_was_unhappy_stays_so_as_somebody_else),
        TEST(two_who_were_unhappy_are_listed_once),
        TEST(whom_an_agent_had_stands_once_on_the_board),
        TEST(a_test_that_is_somebody_by_a_merge_is_one),
        TEST(the_others_call_is_owed_by_the_one),
        TEST(what_was_owed_by_the_one_goes_back),
        TEST(what_was_late_when_it_moved_was_late_once),
        TEST(to_the_one_who_has_a_call_the_others_is_not_owed),
        TEST(what_was_late_is_not_owed_twice_either),
        TEST(an_amended_outcome_counts_as_if_it_had_been_the_first),
        TEST(talk_that_was_none_is_not_held_against_anybody),
        TEST(a_cadence_that_was_not_ended_after_all_is_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
