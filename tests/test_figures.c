/* Lives that are lived through the engine, and the figures that must come of them, to the last
 * digit. Every test ends by comparing state, with all that was counted, with a rebuild. */
#include "tests/figures_rig.h"

/* The report as it stands now, of all days. */
static void report_asked(struct figures_query query)
{
    struct text out = text_over(document, sizeof(document) - 1);
    struct state_reader *reader;
    struct figures_source source = {.playbook = playbook_shipped(),
                                    .id_key = recovery_id_key(world.recovery),
                                    .agencies = world.agency,
                                    .now_ms = world.now_ms,
                                    .label = write_label};

    if (state_is_dirty(world.state))
        assert_status(state_commit(world.state), STATUS_OK);
    assert_status(state_reader_open(world.state, &reader), STATUS_OK);
    source.state = reader;
    if (query.side == 0)
        query.side = TALLY_ALL;
    if (query.day_last == 0)
        query.day_last = UINT32_MAX;
    if (query.limit == 0)
        query.limit = FIGURES_LIMIT;
    assert_status(figures_write(&source, &query, &out), STATUS_OK);
    assert_false(out.overflow);
    out.bytes[out.length] = '\0';
    state_reader_close(reader);
}

static void report(enum figures_name name)
{
    report_asked((struct figures_query){.name = name,
                                        .price_cents = FIGURES_PRICE_OWN,
                                        .recoverable_parts = FIGURES_RECOVERABLE_OWN});
}

static void assert_lacks(const char *part)
{
    if (strstr(document, part))
        fail_msg("'%s' is in: %s", part, document);
}

/* Somebody, by number, opts in now; returns the task. */
static uint64_t opt_in(unsigned person)
{
    char phone[32], content[32];

    snprintf(phone, sizeof(phone), "+1215%07u", person);
    snprintf(content, sizeof(content), "%u", ++serial);
    assert_status(world_optin(&world, phone, NULL, NULL, content, 0), STATUS_OK);
    assert_int_not_equal(world.settlement.optin.task, 0);
    return world.settlement.optin.task;
}

static void tell(uint64_t task, enum outcome outcome)
{
    assert_status(world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a42"), STATUS_OK);
}

/* A task of the person at hand, and what comes of it after so long. */
static void live(unsigned person, uint64_t after_ms, enum outcome outcome)
{
    uint64_t task = opt_in(person);

    world.now_ms += after_ms;
    tell(task, outcome);
}

static void write_without_plans(uint64_t person, struct person_row row, uint64_t last_seq)
{
    struct journal *journal = recovery_journal(world.recovery);
    const struct state_meta *meta = state_meta(world.state);
    struct effect_person effect = {.person = person};
    struct record_view view;

    row.due_ms = row.step_ms = row.call_ms = 0;
    row.cadence = row.step = row.segment = 0;
    effect.row = row;
    record_begin(&world.record, RECORD_LATE, world.now_ms, row.agency);
    world.record.header.seq = meta->folded_seq + 1;
    world.record.header.admin_prev = meta->admin_seq;
    world.record.header.person = person;
    world.record.header.person_prev = last_seq;
    assert_true(record_effect(&world.record, EFFECT_PERSON, &effect, sizeof(effect)));
    record_seal(&world.record);
    record_view_of(&world.record, &view);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(state_begin(world.state), STATUS_OK);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world.record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
}

/* Leaves everybody who is nobody's task as servers did that planned nothing: with an outcome, and
 * no more. */
static void forget_plans(void)
{
    for (uint64_t person = 1; person <= state_meta(world.state)->people; person++) {
        struct person_row row;
        struct task_row task;
        uint64_t last_seq;

        assert_true(state_person_find(world.state, person, &row, &task, &last_seq));
        if (row.open_tasks == 0 && row.due_ms != 0)
            write_without_plans(person, row, last_seq);
    }
}

/* --- speed ------------------------------------------------------------------------------ */

static void speed_has_the_classes_and_never(void **unused)
{
    const uint64_t waits[] = {0,           4 * MINUTE,  5 * MINUTE, 5 * MINUTE + 1, 10 * MINUTE,
                              30 * MINUTE, 31 * MINUTE, HOUR,       HOUR + 1,       48 * HOUR};
    uint64_t stopped;

    (void)unused;
    world.now_ms = 1700056800000; /* a Wednesday, 09:00 in New York */
    for (unsigned i = 0; i < 10; i++) {
        uint64_t came_ms = world.now_ms;
        live(i, waits[i], OUTCOME_NO_ANSWER);
        if (i == 8) /* the last of the day */
            assert_true(world.now_ms < came_ms + 8 * HOUR);
    }
    stopped = opt_in(10);
    assert_status(world_report(&world, stopped, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a42"),
                  STATUS_OK);
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

/* --- attempts -------------------------------------------------------------------------------- */

/* Calls the person so often, a day apart, with nobody there, and then once more. */
static void try(unsigned person, unsigned attempts, enum outcome last)
{
    for (unsigned i = 1; i < attempts; i++)
        live(person, DAY / 4, OUTCOME_NO_ANSWER);
    live(person, DAY / 4, last);
}

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

/* --- money
 * ----------------------------------------------------------------------------------------- */

static void ten_a_day_are_one_closed_one_hot_eight_cold_and_a_years_cold_are_dust(void **unused)
{
    (void)unused;
    for (unsigned day = 0; day < 250; day++) {
        for (unsigned i = 0; i < 10; i++)
            live(day * 10 + i, 1000,
                 i == 0   ? OUTCOME_SOLD
                 : i == 1 ? OUTCOME_CONVERSATION
                          : OUTCOME_NO_ANSWER);
        world.now_ms += DAY - 10000;
    }
    report(FIGURES_MIX);
    assert_says("\"summary\":{\"periods\":250,\"people\":2500,\"closed\":250,\"hot\":250,"
                "\"cold\":2000,\"closed_percent\":10.00,\"hot_percent\":10.00,"
                "\"cold_percent\":80.00,\"pending\":0}");
    assert_says("{\"cohort\":\"2023-11-14\",\"people\":10,\"closed\":1,\"hot\":1,\"cold\":8,");
    report(FIGURES_DUST);
    assert_says("\"summary\":{\"cold\":2000,\"recoverable_percent\":20.00,\"price_cents\":50000,"
                "\"dust_cents\":20000000,\"spent_on_cold_cents\":8000000,\"currency\":\"USD\","
                "\"cold_for_long\":544,\"pending\":0}");
    report_asked((struct figures_query){
        .name = FIGURES_DUST, .price_cents = 10050, .recoverable_parts = 1250});
    assert_says("\"recoverable_percent\":12.50,\"price_cents\":10050,\"dust_cents\":2512500,");
}

/* Nobody can say of them yet whether they are answered in time. */
static void who_has_only_just_come_is_not_cold(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    live(2, MINUTE, OUTCOME_CONVERSATION);
    opt_in(3);
    report(FIGURES_MIX);
    assert_says("\"people\":3,\"closed\":0,\"hot\":1,\"cold\":1,\"closed_percent\":0.00,"
                "\"hot_percent\":50.00,\"cold_percent\":50.00,\"pending\":1}");
    report(FIGURES_DUST);
    assert_says("\"summary\":{\"cold\":1,");
    assert_says("\"pending\":1}");
    world_pass(&world, 5 * MINUTE);
    report(FIGURES_DUST);
    assert_says("\"summary\":{\"cold\":2,");
    assert_says("\"pending\":0}");
}

/* --- trouble
 * ------------------------------------------------------------------------------------------ */

static void cracks_name_who_has_no_next_step(void **unused)
{
    (void)unused;
    report(FIGURES_CRACKS);
    assert_says("\"summary\":{\"cracks\":0}");
    assert_says("\"rows\":[]}],\"next\":null}");
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    live(2, MINUTE, OUTCOME_CONVERSATION);
    live(3, MINUTE, OUTCOME_NOT_INTERESTED);
    live(4, MINUTE, OUTCOME_SOLD);
    opt_in(5);
    report(FIGURES_CRACKS);
    assert_says("\"summary\":{\"cracks\":0}");
    forget_plans();
    report(FIGURES_CRACKS);
    assert_says("\"summary\":{\"cracks\":2}");
    assert_says("{\"people\":\"never tried\",\"count\":0},{\"people\":\"tried\",\"count\":1},"
                "{\"people\":\"talked with\",\"count\":1}");
    assert_says("\"attempts\":1,\"conversed\":\"no\",\"outcome\":\"no_answer\"");
    assert_says("\"attempts\":1,\"conversed\":\"yes\",\"outcome\":\"conversation\"");
    opt_in(1); /* is somebody's task again */
    report(FIGURES_CRACKS);
    assert_says("\"summary\":{\"cracks\":1}");
}

static void a_long_list_comes_in_pages(void **unused)
{
    unsigned people = 0;
    struct figures_query query = {.name = FIGURES_CRACKS};

    (void)unused;
    for (unsigned i = 0; i < 250; i++)
        live(i, 1000, OUTCOME_NO_ANSWER);
    forget_plans();
    for (unsigned page = 0; page < 3; page++) {
        const char *next;
        report_asked(query);
        for (const char *at = document; (at = strstr(at, "\"person\":\"per_")) != NULL; at++)
            people++;
        next = strstr(document, "\"next\":");
        query.after = next[7] == '"' ? strtoull(next + 8, NULL, 10) : 0;
        assert_int_equal(query.after != 0, page < 2);
    }
    assert_int_equal(people, 250);
    report_asked((struct figures_query){.name = FIGURES_CRACKS, .limit = 249});
    assert_says("\"next\":\"249\"}");
}

static void promises_are_kept_late_or_open(void **unused)
{
    (void)unused;
    world.now_ms = 1700056800000; /* a Wednesday, 09:00 in New York: the office closes at 17:00 */
    live(1, 7 * HOUR, OUTCOME_NO_ANSWER);
    opt_in(2);
    live(3, 2 * HOUR, OUTCOME_NO_ANSWER); /* at 18:00 */
    report(FIGURES_PROMISES);
    assert_says("\"summary\":{\"promised\":3,\"kept\":1,\"late\":1,\"unanswered\":1,"
                "\"of_these_open\":1,\"kept_percent\":33.33}");
    assert_says("{\"day\":\"2023-11-15\",\"promised\":3,\"kept\":1,\"late\":1,");
    assert_says("\"outcome\":null,\"promised_ms\":1700085600000},");
    assert_says("\"outcome\":\"no_answer\",\"promised_ms\":1700085600000}]}");
    assert_status(world_report(&world, opt_in(4), 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "a42"),
                  STATUS_OK);
    report(FIGURES_PROMISES);
    assert_says("\"summary\":{\"promised\":4,\"kept\":1,\"late\":1,\"unanswered\":2,"
                "\"of_these_open\":1,\"kept_percent\":25.00}");
    world.now_ms = 1700085600000 - 1;
    report(FIGURES_PROMISES);
    assert_lacks("\"outcome\":null,"); /* the open one's day is not over */
    world.now_ms += 10 * HOUR;
}

static void a_promise_that_was_broken_soon_is_broken(void **unused)
{
    const uint64_t closes_ms = 1700085600000; /* a Wednesday, 17:00 in New York */
    uint64_t tasks[3];

    (void)unused;
    world.now_ms = closes_ms - 2 * MINUTE;
    for (unsigned i = 0; i < 3; i++)
        tasks[i] = opt_in(i);
    world.now_ms = closes_ms;
    tell(tasks[0], OUTCOME_NO_ANSWER);
    world.now_ms = closes_ms + 1;
    tell(tasks[1], OUTCOME_NO_ANSWER);
    world.now_ms = closes_ms + 30 * MINUTE;
    tell(tasks[2], OUTCOME_NO_ANSWER);
    report(FIGURES_PROMISES);
    assert_says("\"summary\":{\"promised\":3,\"kept\":1,\"late\":2,\"unanswered\":0,"
                "\"of_these_open\":0,\"kept_percent\":33.33}");
    assert_says("{\"day\":\"2023-11-15\",\"promised\":3,\"kept\":1,\"late\":2,");
}

static void a_promise_to_whom_nobody_answers_is_not_kept_by_its_end(void **unused)
{
    (void)unused;
    assert_int_not_equal(opt_in(1), 0);
    assert_status(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                               OUTCOME_UNSUBSCRIBED, "a42"),
                  STATUS_OK);
    report(FIGURES_PROMISES);
    assert_says("\"summary\":{\"promised\":1,\"kept\":0,\"late\":0,\"unanswered\":1,"
                "\"of_these_open\":0,\"kept_percent\":0.00}");
}

static void unhappy_customers_are_named_until_they_are_not(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_UNSATISFIED);
    live(2, MINUTE, OUTCOME_SATISFIED);
    report(FIGURES_UNHAPPY);
    assert_says("\"summary\":{\"unhappy\":1}");
    assert_says("\"outcome\":\"unsatisfied\"");
    live(1, MINUTE, OUTCOME_SATISFIED);
    report(FIGURES_UNHAPPY);
    assert_says("\"summary\":{\"unhappy\":0}");
}

/* --- score
 * -------------------------------------------------------------------------------------------- */

static void score_says_what_is_not_known(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_SOLD);
    report(FIGURES_SCORE);
    assert_says("\"summary\":{\"points\":1,\"unknown\":1,\"verdict\":\"fine as far as is known\"}");
    assert_says("{\"number\":9,\"question\":\"Does everybody get the same?\","
                "\"answer\":\"unknown\",\"value\":null,");
    assert_says("\"note\":\"no step of a cadence has been due yet\"}");
}

struct bins {
    uint64_t of[4], all;
};

static bool add_bins(void *owner, const struct tally_view *cell)
{
    struct bins *bins = owner;

    for (size_t i = 0; i < cell->count; i++) {
        uint64_t entry = tally_view_entry(cell, i);
        bins->all += tally_count_of(entry);
        if (tally_bin_of(entry) < 4)
            bins->of[tally_bin_of(entry)] += tally_count_of(entry);
    }
    return true;
}

static struct bins bins_of(enum tally_kind kind)
{
    struct bins bins = {0};
    struct state_reader *reader;

    if (state_is_dirty(world.state))
        assert_status(state_commit(world.state), STATUS_OK);
    assert_status(state_reader_open(world.state, &reader), STATUS_OK);
    assert_status(
        state_read_tally(reader, world.agency, kind, TALLY_ALL, 0, UINT32_MAX, add_bins, &bins),
        STATUS_OK);
    state_reader_close(reader);
    return bins;
}

static void what_a_playbook_does_by_itself_is_counted(void **unused)
{
    const struct state_meta *meta;
    struct bins steps;

    (void)unused;
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    world_optin(&world, "+12155550147", "ada@acme.example", NULL, "1", 0);
    world_live(&world, world.now_ms + 30 * DAY);
    meta = state_meta(world.state);
    steps = bins_of(TALLY_STEP);
    assert_true(meta->tiers > 0 && meta->rungs > 0 && meta->skipped > 0 && steps.all > 0);
    assert_int_equal(bins_of(TALLY_TIER).all, meta->tiers);
    assert_int_equal(bins_of(TALLY_RUNG).all, meta->rungs);
    assert_int_equal(bins_of(TALLY_SKIPPED).all, meta->skipped);
    assert_true(steps.all <= meta->steps); /* of which some are calls */
    assert_int_equal(steps.of[0], 0);
    assert_int_equal(bins_of(TALLY_BREACH).of[TALLY_BREACH_WAITING], 1);
}

static void talk_before_anything_was_sent_is_told_apart(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    assert_int_equal(bins_of(TALLY_BARE).of[1], 1);
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    world_optin(&world, "+12155550147", "ada@acme.example", NULL, "e", 0);
    tell(world.settlement.optin.task, OUTCOME_CONVERSATION);
    assert_int_equal(bins_of(TALLY_BARE).of[1], 1);
    assert_int_equal(bins_of(TALLY_BARE).of[0], 1);
}

static void a_cadence_that_an_agent_ends_is_cut(void **unused)
{
    (void)unused;
    try(1, 7, OUTCOME_NO_ANSWER);
    live(2, MINUTE, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(bins_of(TALLY_CUT).all, 0);
    live(1, MINUTE, OUTCOME_DEAD);
    assert_int_equal(bins_of(TALLY_CUT).all, 1);
    report(FIGURES_ATTEMPTS);
    assert_says("\"summary\":{\"stopped\":1,\"stopped_by_law_or_fact\":1,\"sold\":0}");
}

static void count_steps(enum tally_kind kind, uint16_t bin)
{
    const struct tally_key key = {
        .agency = world.agency, .day = 19675, .kind = kind, .dimension = TALLY_ALL};

    assert_status(state_begin(world.state), STATUS_OK);
    assert_status(state_tally(world.state, &key, &(struct tally_add){.bin = bin}), STATUS_OK);
}

static void score_of_a_business_that_does_everything_wrong_is_ten(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 5; i++)
        live(i, 3 * DAY, i < 3 ? OUTCOME_CONVERSATION : OUTCOME_NO_ANSWER);
    forget_plans();
    opt_in(6);
    world_pass(&world, 6 * MINUTE); /* nobody took it */
    count_steps(TALLY_STEP, 1);
    count_steps(TALLY_SKIPPED, 2);
    count_steps(TALLY_CUT, 1);
    count_steps(TALLY_BARE, 1);
    report(FIGURES_SCORE);
    assert_says("\"summary\":{\"points\":10,\"unknown\":0,\"verdict\":\"fix it\"}");
    assert_says("{\"number\":4,\"question\":\"Was everybody ever too busy?\",\"answer\":\"yes\","
                "\"value\":1,");
    assert_says("\"answer\":\"yes\",\"value\":5,\"counts\":\"people stopped sooner,");
    state_abort(world.state); /* what was made up here */
    world_reopen(&world, false, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(speed_has_the_classes_and_never),
        TEST(what_came_before_the_server_could_decide_counts_as_the_systems_time),
        TEST(an_answer_counts_from_when_it_began_not_from_when_it_was_told),
        TEST(speed_of_one_agent_is_his_alone),
        TEST(an_answer_counts_for_the_source_of_its_own_optin),
        TEST(the_days_that_are_really_counted_are_told),
        TEST(a_table_of_the_newest_days_says_from_when_on),
        TEST(conversation_time_of_36_hours_and_18_months),
        TEST(percentiles_are_right_within_three_per_cent),
        TEST(an_amended_conversation_was_none),
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
        TEST(ten_a_day_are_one_closed_one_hot_eight_cold_and_a_years_cold_are_dust),
        TEST(who_has_only_just_come_is_not_cold),
        TEST(cracks_name_who_has_no_next_step),
        TEST(a_long_list_comes_in_pages),
        TEST(promises_are_kept_late_or_open),
        TEST(a_promise_that_was_broken_soon_is_broken),
        TEST(a_promise_to_whom_nobody_answers_is_not_kept_by_its_end),
        TEST(unhappy_customers_are_named_until_they_are_not),
        TEST(score_says_what_is_not_known),
        TEST(what_a_playbook_does_by_itself_is_counted),
        TEST(talk_before_anything_was_sent_is_told_apart),
        TEST(a_cadence_that_an_agent_ends_is_cut),
        TEST(score_of_a_business_that_does_everything_wrong_is_ten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
