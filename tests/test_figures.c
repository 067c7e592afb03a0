/* Money, trouble and the score. */
#include "tests/figures_lives.h"

static void assert_lacks(const char *part)
{
    if (strstr(document, part))
        fail_msg("'%s' is in: %s", part, document);
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
    stop_by_mail(4);
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
    stop_by_mail(1);
    report(FIGURES_PROMISES);
    assert_says("\"summary\":{\"promised\":1,\"kept\":0,\"late\":0,\"unanswered\":1,"
                "\"of_these_open\":0,\"kept_percent\":0.00}");
}

static void assert_unhappy(unsigned count)
{
    char summary[64];

    snprintf(summary, sizeof(summary), "\"summary\":{\"unhappy\":%u}", count);
    report(FIGURES_UNHAPPY);
    assert_says(summary);
    assert_int_equal(strstr(document, "\"person\":") != NULL, count > 0);
}

static void unhappy_customers_are_named_until_they_are_not(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_UNSATISFIED);
    live(2, MINUTE, OUTCOME_SATISFIED);
    report(FIGURES_UNHAPPY);
    assert_says("\"summary\":{\"unhappy\":1}");
    assert_says("\"outcome\":\"unsatisfied\"");
    live(1, MINUTE, OUTCOME_NO_ANSWER); /* which is no word of theirs */
    assert_unhappy(1);
    assert_says("\"outcome\":\"no_answer\"");
    live(1, MINUTE, OUTCOME_SATISFIED);
    report(FIGURES_UNHAPPY);
    assert_says("\"summary\":{\"unhappy\":0}");
}

static void amend(uint64_t task, enum outcome outcome)
{
    assert_status(world_report(&world, task, 1, REPORT_AMEND, outcome, "a42"), STATUS_OK);
}

static void who_is_unhappy_by_mistake_is_not(void **unused)
{
    uint64_t first = opt_in(1), second;

    (void)unused;
    tell(first, OUTCOME_UNSATISFIED);
    amend(first, OUTCOME_NO_ANSWER);
    assert_unhappy(0);
    amend(first, OUTCOME_UNSATISFIED);
    assert_unhappy(1);
    second = opt_in(1);
    tell(second, OUTCOME_NO_ANSWER);
    amend(first, OUTCOME_VOICEMAIL);
    assert_unhappy(0);
    amend(second, OUTCOME_UNSATISFIED);
    assert_unhappy(1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_a_day_are_one_closed_one_hot_eight_cold_and_a_years_cold_are_dust),
        TEST(who_has_only_just_come_is_not_cold),
        TEST(cracks_name_who_has_no_next_step),
        TEST(a_long_list_comes_in_pages),
        TEST(promises_are_kept_late_or_open),
        TEST(a_promise_that_was_broken_soon_is_broken),
        TEST(a_promise_to_whom_nobody_answers_is_not_kept_by_its_end),
        TEST(unhappy_customers_are_named_until_they_are_not),
        TEST(who_is_unhappy_by_mistake_is_not),
        TEST(score_says_what_is_not_known),
        TEST(what_a_playbook_does_by_itself_is_counted),
        TEST(talk_before_anything_was_sent_is_told_apart),
        TEST(a_cadence_that_an_agent_ends_is_cut),
        TEST(score_of_a_business_that_does_everything_wrong_is_ten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
