/* How fast people are answered, and how long it takes until somebody talks with them. */
#include "tests/figures_lives.h"

/* --- speed ------------------------------------------------------------------------------ */

static void speed_has_the_classes_and_never(void **unused)
{
    const uint64_t waits[] = {0,           4 * MINUTE,  5 * MINUTE, 5 * MINUTE + 1, 10 * MINUTE,
                              30 * MINUTE, 31 * MINUTE, HOUR,       HOUR + 1,       48 * HOUR};

    (void)unused;
    world.now_ms = 1700056800000; /* a Wednesday, 09:00 in New York */
    for (unsigned i = 0; i < 10; i++) {
        uint64_t came_ms = world.now_ms;
        live(i, waits[i], OUTCOME_NO_ANSWER);
        if (i == 8) /* the last of the day */
            assert_true(world.now_ms < came_ms + 8 * HOUR);
    }
    stop_by_mail(10);
    opt_in(11); /* and is still waiting */
    report(FIGURES_SPEED);
    assert_says("\"summary\":{\"owed\":12,\"answered\":10,\"answered_percent\":90.91,"
                "\"ended_unanswered\":1,\"open\":1,\"of_these_pending\":1,");
    assert_says("{\"class\":\"never\",\"count\":1,\"of_all_percent\":9.09,"
                "\"odds_lost_times\":null}]");
    world_pass(&world, 5 * MINUTE); /* too long */
    report(FIGURES_SPEED);
    assert_says("\"summary\":{\"owed\":12,\"answered\":10,\"answered_percent\":83.33,"
                "\"ended_unanswered\":1,\"open\":1,\"of_these_pending\":0,");
    assert_says("{\"class\":\"0-5 min\",\"count\":3,\"of_all_percent\":25.00,"
                "\"odds_lost_times\":1}");
    assert_says("{\"class\":\"5-10 min\",\"count\":2,\"of_all_percent\":16.67,"
                "\"odds_lost_times\":4}");
    assert_says("{\"class\":\"10-30 min\",\"count\":1,\"of_all_percent\":8.33,"
                "\"odds_lost_times\":4}");
    assert_says("{\"class\":\"30-60 min\",\"count\":2,\"of_all_percent\":16.67,"
                "\"odds_lost_times\":21}");
    assert_says("{\"class\":\"1 h - end of business day\",\"count\":1,\"of_all_percent\":8.33,"
                "\"odds_lost_times\":21}");
    assert_says("{\"class\":\"later\",\"count\":1,\"of_all_percent\":8.33,"
                "\"odds_lost_times\":21}");
    assert_says("{\"class\":\"never\",\"count\":2,\"of_all_percent\":16.67,"
                "\"odds_lost_times\":null}");
    assert_says("\"max_ms\":172800000,\"system_mean_ms\":0,\"human_mean_ms\":");
    assert_says("{\"name\":\"odds_lost_after_5_min\",\"value\":4,\"unit\":\"times\"");
    assert_says("{\"name\":\"odds_lost_after_30_min\",\"value\":21,\"unit\":\"times\"");
    assert_says("{\"name\":\"usual_mean\",\"value\":172800000,\"unit\":\"ms\"");
    assert_says("{\"name\":\"usually_answered\",\"value\":50,\"unit\":\"percent\"");
    assert_says("{\"agent\":\"6:");
    assert_says("{\"hour\":\"14:00\",\"count\":");
}

/* By mail a robot hears the same word, and has tried nobody. */
static void who_unsubscribes_on_the_phone_was_tried(void **unused)
{
    (void)unused;
    live(1, 4 * MINUTE, OUTCOME_UNSUBSCRIBED);
    report(FIGURES_SPEED);
    assert_says("\"summary\":{\"owed\":1,\"answered\":1,\"answered_percent\":100.00,"
                "\"ended_unanswered\":0,");
    assert_says("{\"class\":\"0-5 min\",\"count\":1,");
    report(FIGURES_PROMISES);
    assert_says("\"summary\":{\"promised\":1,\"kept\":1,");
    report(FIGURES_NO_RESPONSE);
    assert_says("\"no_response\":0,");
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    world_forget_steps(&world);
    assert_status(world_optin(&world, NULL, "dana@example.com", NULL, "by mail", 0), STATUS_OK);
    tell(world.steps[0].effect.task, OUTCOME_UNSUBSCRIBED);
    world_pass(&world, 6 * MINUTE);
    report(FIGURES_NO_RESPONSE);
    assert_says("\"people\":2,\"no_response\":1,");
}

static void what_came_before_the_server_could_decide_counts_as_the_systems_time(void **unused)
{
    static struct record received;
    struct journal *journal = recovery_journal(world.recovery);
    struct command command = {.kind = COMMAND_OPTIN, .now_ms = world.now_ms};
    struct turn turn = {.seq = state_meta(world.state)->folded_seq + 1,
                        .admin_seq = state_meta(world.state)->admin_seq,
                        .now_ms = world.now_ms};
    struct record_view view;
    struct effect_optin decision;
    struct effect_task task;

    (void)unused;
    command.optin = (struct effect_received){.site = world.site,
                                             .credential = CREDENTIAL_SECRET,
                                             .phone.bytes = {1},
                                             .content.bytes = {1}};
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(state_begin(world.state), STATUS_OK);
    assert_int_equal(engine_receive(world.engine, &command, &turn, &received, &world.settlement),
                     STATUS_OK);
    record_view_of(&received, &view);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &received), STATUS_OK);
    world.now_ms = turn.now_ms += 2 * MINUTE;
    turn.seq++;
    assert_status(engine_decide_received(world.engine, &view, &turn, &world.record), STATUS_OK);
    record_view_of(&world.record, &view);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world.record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
    assert_true(effect_find(&view, EFFECT_OPTIN, &decision, sizeof(decision)));
    assert_true(effect_find(&view, EFFECT_TASK, &task, sizeof(task)));

    world.now_ms += 4 * MINUTE;
    tell(task.row.number, OUTCOME_CONVERSATION);
    report(FIGURES_SPEED);
    assert_says("{\"class\":\"5-10 min\",\"count\":1,");
    assert_says("\"max_ms\":360000,\"system_mean_ms\":120000,\"human_mean_ms\":240000}");
}

/* Who has left no number is looked for: that is people's time, as the call is. */
static void the_search_for_a_number_is_not_the_systems_time(void **unused)
{
    struct person_row row;

    (void)unused;
    assert_status(world_optin(&world, NULL, NULL, NULL, "a name", INTAKE_NAME), STATUS_OK);
    assert_true(world_person(&world, 1, &row));
    world.now_ms += 2 * DAY;
    world.finds = "{\"phone\":\"+12155550147\"}";
    tell(row.first_seq << 3, OUTCOME_RESEARCHED);
    world.finds = NULL;
    world.now_ms += MINUTE;
    tell(world_open_task(&world, 1, TASK_CALL).number, OUTCOME_NO_ANSWER);
    report(FIGURES_SPEED);
    assert_says("\"max_ms\":172860000,\"system_mean_ms\":0,\"human_mean_ms\":172860000}");
}

static void an_answer_counts_from_when_it_began_not_from_when_it_was_told(void **unused)
{
    struct command command = {.kind = COMMAND_REPORT,
                              .report = {.delivery = 1,
                                         .op = REPORT_OUTCOME,
                                         .outcome = OUTCOME_CONVERSATION,
                                         .started_ms = world.now_ms + 2 * MINUTE}};

    (void)unused;
    command.report.task = opt_in(1);
    world.now_ms += 40 * MINUTE;
    assert_status(world_do(&world, &command), STATUS_OK);
    report(FIGURES_SPEED);
    assert_says("{\"class\":\"0-5 min\",\"count\":1,");
    assert_says("\"max_ms\":120000,");
    report(FIGURES_CONVERSATION_TIME);
    assert_says("\"max_ms\":120000,");
}

static void speed_of_one_agent_is_his_alone(void **unused)
{
    uint64_t task = opt_in(1);
    struct figures_query query = {.name = FIGURES_SPEED, .side = TALLY_AGENT};

    (void)unused;
    world.now_ms += 20 * MINUTE;
    assert_status(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a7"),
                  STATUS_OK);
    live(2, MINUTE, OUTCOME_NO_ANSWER);
    query.value = agent_hash(recovery_hash_key(world.recovery), SLICE("a7"));
    report_asked(query);
    assert_says("\"owed\":1,\"answered\":1,");
    assert_says("\"mean_ms\":1200000,");
}

static void assert_speed_from(uint32_t source, const char *part)
{
    report_asked(
        (struct figures_query){.name = FIGURES_SPEED, .side = TALLY_SOURCE, .value = source});
    assert_says(part);
}

/* A person stays the first source's; an answer is of the opt-in that it was given to. */
static void an_answer_counts_for_the_source_of_its_own_optin(void **unused)
{
    uint64_t task;

    (void)unused;
    world.source = 7;
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    world_pass(&world, DAY);
    world.source = 8;
    task = opt_in(1); /* the call that was to come again */
    world.now_ms += 7 * MINUTE;
    assert_status(world_report(&world, task,
                               world.operations[world.operation_count - 1].task.delivery,
                               REPORT_CLAIM, 0, "a42"),
                  STATUS_OK);
    world_reopen(&world, true, false);
    assert_status(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a42"),
                  STATUS_OK);
    assert_speed_from(7, "\"summary\":{\"owed\":1,\"answered\":1,\"answered_percent\":100.00,");
    assert_says("\"max_ms\":60000,");
    assert_speed_from(8, "\"summary\":{\"owed\":1,\"answered\":1,\"answered_percent\":100.00,");
    assert_says("\"max_ms\":420000,");
    report_asked((struct figures_query){.name = FIGURES_FUNNEL, .side = TALLY_SOURCE, .value = 7});
    assert_says("\"people\":1,");
    assert_says("\"conversed\":1,");
}

/* From some sides only whole weeks are known; what is about other days than were asked for says so.
 */
static void the_days_that_are_really_counted_are_told(void **unused)
{
    struct figures_query one_day = {
        .name = FIGURES_SPEED, .day_first = 19676, .day_last = 19676, .by = FIGURES_BY_DAY};

    (void)unused;
    world.source = 7;
    world.now_ms = 19676 * DAY; /* a Wednesday */
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    world.now_ms = 19678 * DAY;
    live(2, MINUTE, OUTCOME_NO_ANSWER);
    world.now_ms = 19690 * DAY;
    report_asked(one_day);
    assert_says("\"from\":\"2023-11-15\",\"to\":\"2023-11-15\","
                "\"covers\":{\"from\":\"2023-11-15\",\"to\":\"2023-11-15\"},"
                "\"summary\":{\"owed\":1,");
    assert_says("{\"name\":\"source\",\"title\":\"By source\",\"bar\":\"p50_ms\","
                "\"from\":\"2023-11-13\",\"to\":\"2023-11-19\",\"rows\":[{\"source\":\"4:7\","
                "\"count\":2,");
    one_day.side = TALLY_SOURCE;
    one_day.value = 7;
    report_asked(one_day);
    assert_says("\"from\":\"2023-11-15\",\"to\":\"2023-11-15\","
                "\"covers\":{\"from\":\"2023-11-13\",\"to\":\"2023-11-19\"},"
                "\"summary\":{\"owed\":2,");
    one_day.name = FIGURES_MIX;
    report_asked(one_day);
    assert_says("\"from\":\"2023-11-13\",\"to\":\"2023-11-19\",\"rows\":["
                "{\"cohort\":\"2023-11-13\",\"people\":2,");
    one_day.name = FIGURES_LATE; /* whose list is of the very day */
    report_asked(one_day);
    assert_says("\"name\":\"people\",\"title\":\"Who waited too long, or still does\","
                "\"bar\":null,\"from\":\"2023-11-15\",\"to\":\"2023-11-15\",");
}

static void a_table_of_the_newest_days_says_from_when_on(void **unused)
{
    (void)unused;
    world.now_ms = 19690 * DAY;
    for (unsigned i = 0; i < 402; i++) {
        live(i, 1000, OUTCOME_NO_ANSWER);
        world.now_ms += DAY - 1000;
    }
    report_asked((struct figures_query){.name = FIGURES_MIX, .by = FIGURES_BY_DAY});
    assert_says("\"covers\":{\"from\":null,");
    assert_says("\"bar\":\"cold_percent\",\"from\":\"2023-12-01\",\"to\":\"2025-01-04\",\"rows\":["
                "{\"cohort\":\"2023-12-01\",");
}

/* --- conversation-time -------------------------------------------------------------------- */

/* 18 months from the first of them; all other conversations take so long that the mean is 36 h. */
static void conversation_time_of_36_hours_and_18_months(void **unused)
{
    const uint64_t longest = 13149 * HOUR; /* 547.875 days: eighteen twelfths of 365.25 */
    const unsigned others = 499;
    uint64_t rest = 500 * 36 * HOUR - longest;
    uint64_t late = opt_in(0), began_ms = world.now_ms;

    (void)unused;
    for (unsigned i = 1; i <= others; i++) {
        uint64_t share = i < others ? rest / others : rest - (others - 1) * (rest / others);
        live(i, share, i % 2 ? OUTCOME_CONVERSATION : OUTCOME_APPOINTMENT);
    }
    assert_true(world.now_ms < began_ms + longest);
    world.now_ms = began_ms + longest;
    tell(late, OUTCOME_INFORMATION);
    report(FIGURES_CONVERSATION_TIME);
    assert_says("\"summary\":{\"conversations\":500,\"mean_ms\":129600000,");
    assert_says("\"max_ms\":47336400000,");
    assert_says("{\"time\":\"up to 18 months\",\"count\":1,\"of_all_percent\":0.20}");
    assert_says("{\"time\":\"longer\",\"count\":0,");
}

static void percentiles_are_right_within_three_per_cent(void **unused)
{
    const char *at;

    (void)unused;
    for (unsigned i = 1; i <= 200; i++) {
        uint64_t task = opt_in(i);
        world.now_ms += i * MINUTE;
        tell(task, OUTCOME_CONVERSATION);
    }
    report(FIGURES_CONVERSATION_TIME);
    at = strstr(document, "\"p50_ms\":");
    assert_in_range(strtoull(at + 9, NULL, 10), 97 * MINUTE, 103 * MINUTE);
    at = strstr(document, "\"p90_ms\":");
    assert_in_range(strtoull(at + 9, NULL, 10), 175 * MINUTE, 185 * MINUTE);
    assert_says("\"mean_ms\":6030000,"); /* 100.5 min */
    assert_says("\"max_ms\":12000000,");
}

static void an_amended_conversation_was_none(void **unused)
{
    uint64_t task;

    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    task = opt_in(2);
    world.now_ms += HOUR;
    tell(task, OUTCOME_SOLD);
    report(FIGURES_FUNNEL);
    assert_says("\"summary\":{\"people\":2,\"contacted\":2,");
    assert_says("\"conversed\":2,");
    assert_says("\"sold\":1,");
    assert_status(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a42"), STATUS_OK);
    report(FIGURES_FUNNEL);
    assert_says("\"conversed\":1,");
    assert_says("\"sold\":0,");
    report(FIGURES_CONVERSATION_TIME);
    assert_says("\"conversations\":1,");
    assert_status(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_CONVERSATION, "a42"),
                  STATUS_OK);
    report(FIGURES_CONVERSATION_TIME);
    assert_says("\"conversations\":2,\"mean_ms\":1830000,"); /* it was when it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(speed_has_the_classes_and_never),
        TEST(who_unsubscribes_on_the_phone_was_tried),
        TEST(what_came_before_the_server_could_decide_counts_as_the_systems_time),
        TEST(the_search_for_a_number_is_not_the_systems_time),
        TEST(an_answer_counts_from_when_it_began_not_from_when_it_was_told),
        TEST(speed_of_one_agent_is_his_alone),
        TEST(an_answer_counts_for_the_source_of_its_own_optin),
        TEST(the_days_that_are_really_counted_are_told),
        TEST(a_table_of_the_newest_days_says_from_when_on),
        TEST(conversation_time_of_36_hours_and_18_months),
        TEST(percentiles_are_right_within_three_per_cent),
        TEST(an_amended_conversation_was_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
