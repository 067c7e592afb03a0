/* A playbook as it is read: what stands where, what is looked up, what means the same. */
#include "tests/playbooks.h"

#include "proto/task.h"

static unsigned stage_number(const struct playbook *playbook, const char *id)
{
    unsigned number = playbook_stage_of(playbook, slice_of(id));

    if (number == 0)
        fail_msg("there is no stage %s", id);
    return number;
}

static const struct playbook_cadence *cadence_named(const struct playbook *playbook, const char *id)
{
    for (uint32_t i = 0; i < playbook->cadences.count; i++) {
        if (slice_equal(playbook->cadences.items[i].id, slice_of(id)))
            return &playbook->cadences.items[i];
    }
    fail_msg("there is no cadence %s", id);
    return NULL;
}

static uint64_t on(enum outcome outcome)
{
    return 1ull << outcome;
}

/* --- what is shipped ------------------------------------------------------------------------- */

static void every_shipped_playbook_is_good(void **state)
{
    static const char *const names[] = SHIPPED;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const struct playbook *playbook = open_shipped(names[i]);
        assert_slice(playbook->name, names[i]);
        playbook_close(playbook);
    }
}

static void the_default_that_is_compiled_in_is_the_file(void **state)
{
    size_t length;
    char *bytes = read_whole(SOURCE_DIR "/deploy/playbooks/default.yaml", &length);

    (void)state;
    assert_int_equal(playbook_default().length, length);
    assert_memory_equal(playbook_default().bytes, bytes, length);
    free(bytes);
}

static void the_stages_of_the_default_have_the_numbers_that_are_stored(void **state)
{
    static const char *const names[STAGE_END] = {
        [STAGE_OPTIN] = "optin",
        [STAGE_LEAD] = "lead",
        [STAGE_OPPORTUNITY] = "opportunity",
        [STAGE_CUSTOMER] = "customer",
        [STAGE_REFERRER] = "referrer",
    };
    const struct playbook *playbook = open_slice(playbook_default());

    (void)state;
    assert_int_equal(playbook->stages.count, STAGE_END - 1);
    for (unsigned stage = STAGE_OPTIN; stage < STAGE_END; stage++)
        assert_slice(playbook_stage_id(playbook, stage), names[stage]);
    assert_slice(playbook_stage_id(playbook, 0), "");
    assert_slice(playbook_stage_id(playbook, STAGE_END), "");
    playbook_close(playbook);
}

static void the_new_lead_campaign_has_its_five_steps_at_their_days(void **state)
{
    static const struct {
        unsigned day, channel;
        const char *template;
    } steps[] = {
        {0, TASK_EMAIL, "free-report"},   {3, TASK_EMAIL, "resources"},     {5, TASK_EMAIL, "tips"},
        {7, TASK_POSTCARD, "new-report"}, {14, TASK_EMAIL, "subscription"},
    };
    const struct playbook *playbook = open_shipped("new-lead");
    const struct playbook_cadence *cadence = cadence_named(playbook, "new_lead");

    (void)state;
    assert_int_equal(cadence->steps.count, 5);
    for (unsigned i = 0; i < 5; i++) {
        const struct playbook_step *step = &cadence->steps.items[i];
        assert_int_equal(step->after.ms, steps[i].day * 86400000ull);
        assert_int_equal(step->channel, steps[i].channel);
        assert_slice(step->template, steps[i].template);
    }
    playbook_close(playbook);
}

static void a_sale_begins_the_new_customer_sequence(void **state)
{
    static const uint8_t kinds[] = {PLAYBOOK_THANKS, PLAYBOOK_SURVEY,   PLAYBOOK_HELPFUL,
                                    PLAYBOOK_OFFER,  PLAYBOOK_REFERRAL, PLAYBOOK_THANKS,
                                    PLAYBOOK_OFFER};
    const struct playbook *playbook = open_shipped("new-customer");
    const struct playbook_cadence *cadence =
        &playbook->cadences
             .items[playbook->by_outcome[OUTCOME_SOLD]->cadence - PLAYBOOK_SWITCH - 1];

    (void)state;
    assert_slice(cadence->id, "new_customer");
    assert_int_equal(cadence->steps.count, sizeof(kinds));
    for (unsigned i = 0; i < sizeof(kinds); i++)
        assert_int_equal(cadence->steps.items[i].kind, kinds[i]);
    assert_slice(playbook->cadences.items[cadence->then - PLAYBOOK_GOES_ON - 1].id, "loyalty");
    playbook_close(playbook);
}

static void calls_go_on_within_a_week_and_after_half_a_year(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());
    const struct playbook_after *spacing = playbook->calls.spacing.items;

    (void)state;
    assert_true(playbook_span_about(spacing[0].span) <= 7 * 86400000ull);
    assert_int_equal(spacing[playbook->calls.spacing.count - 1].span.months, 6);
    assert_int_equal(playbook->calls.attempts_least, 7);
    playbook_close(playbook);
}

/* --- moves -------------------------------------------------------------------------------------
 */

/* Answers of one person: "id=answer" texts. */
static struct slice find_answer(void *owner, enum playbook_fact kind, struct slice name)
{
    const char *const *answers = owner;

    assert_true(kind == PLAYBOOK_FACT_ANSWER || kind == PLAYBOOK_FACT_FIELD);
    for (; *answers; answers++) {
        size_t length = strcspn(*answers, "=");
        if (slice_equal(name, (struct slice){*answers, length}))
            return slice_of(*answers + length + 1);
    }
    return (struct slice){0};
}

static unsigned moved(const struct playbook *playbook, const char *stage, uint64_t trigger,
                      bool conversation, const char *const *answers)
{
    struct playbook_facts facts = {.answer = find_answer, .owner = (void *)(uintptr_t)answers};

    facts.of[PLAYBOOK_FACT_CONVERSATION].number = conversation;
    return playbook_move(playbook, stage_number(playbook, stage), trigger, &facts);
}

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void only_three_outcomes_make_a_lead_of_an_optin(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());

    (void)state;
    for (int outcome = 1; outcome < OUTCOME_END; outcome++) {
        unsigned to = moved(playbook, "optin", on((enum outcome)outcome), true, ANSWERS());
        bool leads = outcome == OUTCOME_CONVERSATION || outcome == OUTCOME_APPOINTMENT ||
                     outcome == OUTCOME_INFORMATION;
        assert_int_equal(to, leads                     ? STAGE_LEAD
                             : outcome == OUTCOME_SOLD ? STAGE_CUSTOMER
                                                       : STAGE_OPTIN);
    }
    playbook_close(playbook);
}

static void an_opportunity_needs_a_conversation_and_agreement_to_change(void **state)
{
    static const char *const names[] = {"default", "ladder-five"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const struct playbook *playbook = open_shipped(names[i]);
        unsigned lead = stage_number(playbook, "lead");
        uint64_t talk = on(OUTCOME_CONVERSATION);
        assert_int_equal(moved(playbook, "lead", talk, true, ANSWERS()), lead);
        assert_int_equal(moved(playbook, "lead", talk, true, ANSWERS("agrees_to_change=no")), lead);
        assert_int_equal(moved(playbook, "lead", talk, false, ANSWERS("agrees_to_change=yes")),
                         lead);
        assert_int_equal(moved(playbook, "lead", talk, true, ANSWERS("agrees_to_change=yes")),
                         stage_number(playbook, "opportunity"));
        playbook_close(playbook);
    }
}

static void from_all_is_from_every_other_stage(void **state)
{
    const struct playbook *playbook =
        open_text(BASED "transitions:\n"
                        "  - {from: all, to: customer, on: sold}\n"
                        "  - {from: optin, to: lead, on: information}\n"
                        "  - {from: lead, to: opportunity, on: hand}\n"
                        "  - {from: customer, to: referrer, on: referral}\n");

    (void)state;
    for (unsigned stage = 1; stage < STAGE_END; stage++)
        assert_int_equal(playbook->stages.items[stage - 1].move_count,
                         stage < STAGE_OPPORTUNITY ? 2 : 1);
    assert_int_equal(playbook->transitions.items[0].from, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5);
    playbook_close(playbook);
}

static void somebody_climbs_the_six_levels(void **state)
{
    const struct playbook *playbook = open_shipped("ladder-six");
    const char *const *all = ANSWERS("wants_more=yes", "interest=a", "needs=b", "initiatives=c",
                                     "timeframe=d", "intent=buying");

    (void)state;
    assert_int_equal(playbook->stages.count, 7);
    assert_int_equal(moved(playbook, "identity", PLAYBOOK_ON_OPTIN, false, ANSWERS()), 2);
    assert_int_equal(moved(playbook, "identity", on(OUTCOME_CONVERSATION), true, ANSWERS()), 2);
    assert_int_equal(moved(playbook, "action", on(OUTCOME_APPOINTMENT), true, ANSWERS()), 3);
    assert_int_equal(moved(playbook, "appointment", on(OUTCOME_CONVERSATION), true, ANSWERS()), 3);
    assert_int_equal(moved(playbook, "appointment", on(OUTCOME_CONVERSATION), true, all), 4);
    assert_int_equal(
        moved(playbook, "pitch", on(OUTCOME_CONVERSATION), true, ANSWERS("interest=a")), 4);
    assert_int_equal(moved(playbook, "pitch", on(OUTCOME_CONVERSATION), true, all), 5);
    assert_int_equal(moved(playbook, "revealed", PLAYBOOK_ON_HAND, true, all), 6);
    assert_int_equal(moved(playbook, "buying", on(OUTCOME_SOLD), true, all), 7);
    assert_true(playbook->stages.items[6].customer);
    playbook_close(playbook);
}

static void somebody_climbs_the_five_stages(void **state)
{
    static const char *const ids[] = {"prospect", "lead", "opportunity", "customer",
                                      "referral_source"};
    static const char *const queues[] = {"calls", "calls", "closers", "customers", "customers"};
    const struct playbook *playbook = open_shipped("ladder-five");
    const char *const *change = ANSWERS("agrees_to_change=yes");
    uint8_t to[5][OUTCOME_END] = {0}; /* 0: it stays */

    (void)state;
    to[0][OUTCOME_CONVERSATION] = to[0][OUTCOME_APPOINTMENT] = to[0][OUTCOME_INFORMATION] = 2;
    to[1][OUTCOME_CONVERSATION] = to[1][OUTCOME_APPOINTMENT] = to[1][OUTCOME_INFORMATION] = 3;
    to[2][OUTCOME_NOT_NOW] = to[2][OUTCOME_NOT_INTERESTED] = 2;
    to[0][OUTCOME_SOLD] = to[1][OUTCOME_SOLD] = to[2][OUTCOME_SOLD] = 4;
    to[1][OUTCOME_REFERRAL] = to[3][OUTCOME_REFERRAL] = 5;
    assert_int_equal(playbook->stages.count, 5);
    for (unsigned i = 0; i < 5; i++) {
        const struct playbook_stage *stage = &playbook->stages.items[i];
        for (int outcome = 1; outcome < OUTCOME_END; outcome++)
            assert_int_equal(moved(playbook, ids[i], on((enum outcome)outcome), true, change),
                             to[i][outcome] ? to[i][outcome] : i + 1);
        assert_slice(stage->id, ids[i]);
        assert_slice(stage->queue, queues[i]);
        assert_int_equal(stage->pipelines, (i < 3 ? 1 << 1 : 0) | (i >= 2 ? 1 << 2 : 0));
        assert_int_equal(stage->customer, i >= 3);
    }
    assert_int_equal(moved(playbook, "lead", PLAYBOOK_ON_HAND, true, change), 3);
    playbook_close(playbook);
}

static void a_stage_may_be_in_two_pipelines(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());

    (void)state;
    assert_slice(playbook->pipelines.items[0].id, "leads");
    assert_slice(playbook->pipelines.items[1].id, "sales");
    assert_int_equal(playbook->stages.items[STAGE_LEAD - 1].pipelines, 1u << 1);
    assert_int_equal(playbook->stages.items[STAGE_OPPORTUNITY - 1].pipelines, 1u << 1 | 1u << 2);
    playbook_close(playbook);
}

/* --- rules ----------------------------------------------------------------------------------- */

/* One person: a customer from the US with 60 points, 40 days old. */
static bool holds(const char *when)
{
    char yaml[2048];
    struct playbook_facts facts = {
        .answer = find_answer, .owner = (void *)(uintptr_t)ANSWERS("plan=pro", "needs=a crane")};

    facts.of[PLAYBOOK_FACT_SCORE].number = 60;
    facts.of[PLAYBOOK_FACT_AGE].number = 40ll * 86400000;
    facts.of[PLAYBOOK_FACT_CUSTOMER].number = 1;
    facts.of[PLAYBOOK_FACT_COUNTRY].word = SLICE("US");
    facts.of[PLAYBOOK_FACT_SOURCE].word = SLICE("Webinar");
    snprintf(yaml, sizeof(yaml),
             BASED "segments:\n"
                   "  - {id: x, cadence: loyalty, sla: hour, escalation: usual, when: %s}\n"
                   "  - {id: y, cadence: loyalty, sla: hour, escalation: usual}\n",
             when);
    const struct playbook *playbook = open_text(yaml);
    bool result = playbook_holds(&playbook->segments.items[0].when, &facts);
    assert_ptr_equal(playbook_segment_of(playbook, &facts),
                     &playbook->segments.items[result ? 0 : 1]);
    playbook_close(playbook);
    return result;
}

static void numbers_are_compared(void **state)
{
    (void)state;
    assert_true(holds("score = 60"));
    assert_true(holds("score >= 60"));
    assert_true(holds("score <= 60"));
    assert_false(holds("score > 60"));
    assert_false(holds("score < 60"));
    assert_true(holds("score>59"));
    assert_true(holds("attempts < 1"));
}

static void times_are_compared(void **state)
{
    (void)state;
    assert_true(holds("age >= 40d"));
    assert_false(holds("age < 40d"));
    assert_true(holds("age >= 1mo"));
    assert_true(holds("age < 2mo"));
}

static void words_are_compared_whatever_their_case(void **state)
{
    (void)state;
    assert_true(holds("country = us"));
    assert_true(holds("\"country in CA, US\""));
    assert_false(holds("country != US"));
    assert_true(holds("\"country not in CA, MX\""));
    assert_true(holds("source = webinar"));
    assert_true(holds("country known"));
    assert_true(holds("company unknown"));
}

static void flags_answers_and_fields_are_asked_for(void **state)
{
    (void)state;
    assert_true(holds("customer"));
    assert_false(holds("not customer"));
    assert_true(holds("not conversation"));
    assert_true(holds("needs known"));
    assert_true(holds("needs = a crane"));
    assert_true(holds("timeframe unknown"));
    assert_true(holds("field.plan = pro"));
    assert_false(holds("field.size known"));
}

static void groups_are_all_any_and_none(void **state)
{
    (void)state;
    assert_true(holds("[customer, score >= 50]"));
    assert_false(holds("[customer, score >= 70]"));
    assert_true(holds("{any: [imported, customer]}"));
    assert_false(holds("{any: [imported, returning]}"));
    assert_false(holds("{all: score >= 50, none: [imported, customer]}"));
    assert_true(holds("{none: [imported]}"));
}

static void the_first_label_that_holds_is_the_temperature(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());
    struct playbook_facts facts = {0};

    (void)state;
    for (int score = 0; score <= 80; score += 40) {
        facts.of[PLAYBOOK_FACT_SCORE].number = score;
        const struct playbook_label *label =
            playbook_label_of(playbook->temperatures.items, playbook->temperatures.count, &facts);
        assert_non_null(label);
        assert_slice(label->id, score == 0 ? "cold" : score == 40 ? "warm" : "hot");
    }
    playbook_close(playbook);
}

/* --- values ---------------------------------------------------------------------------------- */

static void a_dialers_word_becomes_an_outcome(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());

    (void)state;
    assert_int_equal(playbook_outcome_of(playbook, SLICE("no_answer")), OUTCOME_NO_ANSWER);
    assert_int_equal(playbook_outcome_of(playbook, SLICE("NA")), OUTCOME_NO_ANSWER);
    assert_int_equal(playbook_outcome_of(playbook, SLICE("DNCL")), OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(playbook_outcome_of(playbook, SLICE("XFER")), OUTCOME_CONVERSATION);
    assert_int_equal(playbook_outcome_of(playbook, SLICE("ZZ")), OUTCOME_NONE);
    playbook_close(playbook);
}

static void every_outcome_says_what_it_does(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());

    (void)state;
    for (int outcome = 1; outcome < OUTCOME_END; outcome++)
        assert_non_null(playbook->by_outcome[outcome]);
    const struct playbook_outcome *stop = playbook->by_outcome[OUTCOME_DO_NOT_CONTACT];
    assert_int_equal(stop->next, PLAYBOOK_NEXT_END);
    assert_int_equal(stop->final, PLAYBOOK_BY_LAW);
    assert_int_equal(stop->cadence, PLAYBOOK_STOP);
    assert_int_equal(stop->silences, (1u << TASK_CHANNEL_END) - 2);
    const struct playbook_outcome *later = playbook->by_outcome[OUTCOME_NOT_NOW];
    assert_int_equal(later->next, 0);
    assert_int_equal(later->wake.months, 10);
    assert_true(later->agreed);
    playbook_close(playbook);
}

static unsigned spans_of(const struct playbook_calendar *calendar, unsigned day)
{
    unsigned count = 0;

    while (count < CALENDAR_SPANS_MAX && calendar->week.day[day][count].closes > 0)
        count++;
    return count;
}

static void a_calendar_is_hours_and_holidays(void **state)
{
    const struct playbook *playbook =
        open_text(BASED "calendars:\n"
                        "  shop:\n"
                        "    zone: Europe/London\n"
                        "    hours: {sat-mon: \"13:00-17:30, 09:00-12:00\", wed: 00:00-24:00}\n"
                        "    holidays: [12-25, 2028-02-29, last mon may, 4th thu nov +1, 12-25, "
                        "12-26 observed monday, easter -2]\n");
    const struct playbook_calendar *shop = &playbook->calendars.items[2];

    (void)state;
    assert_slice(shop->id, "shop");
    assert_slice(shop->zone, "Europe/London");
    for (unsigned day = 0; day < 7; day++)
        assert_int_equal(spans_of(shop, day), day == 2 ? 1 : day == 0 || day > 4 ? 2 : 0);
    assert_int_equal(shop->week.day[5][0].opens, 9 * 60);
    assert_int_equal(shop->week.day[5][1].closes, 17 * 60 + 30);
    assert_int_equal(shop->week.day[2][0].closes, 1440);
    assert_int_equal(shop->holidays.count, 6);
    playbook_close(playbook);
}

static void holidays_are_dates_weekdays_or_easter(void **state)
{
    const struct playbook *playbook =
        open_text(BASED "calendars:\n"
                        "  shop:\n"
                        "    hours: {daily: \"09:00-12:00, 12:00-17:00\"}\n"
                        "    holidays: [12-26 observed monday, 2028-02-29, last mon may, "
                        "4th thu nov +1, easter -2]\n");
    const struct holiday *holidays = playbook->calendars.items[2].holidays.items;
    char bytes[512];
    struct text out = text_over(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(spans_of(&playbook->calendars.items[2], 6), 1);
    for (uint32_t i = 0; i < playbook->calendars.items[2].holidays.count; i++) {
        const struct holiday *holiday = &holidays[i];
        text_printf(&out, "%d-%u-%u %d:%u %+d %u %u\n", holiday->year, holiday->month, holiday->day,
                    holiday->nth, holiday->weekday, holiday->days_after,
                    holiday->kind == HOLIDAY_EASTER, (unsigned)holiday->observed);
    }
    assert_slice(text_slice(&out), "0-5-0 -1:1 +0 0 0\n"
                                   "0-11-0 4:4 +1 0 0\n"
                                   "0-12-26 0:0 +0 0 2\n"
                                   "0-0-0 0:0 -2 1 0\n"
                                   "2028-2-29 0:0 +0 0 0\n");
    playbook_close(playbook);
}

static void words_are_the_companys(void **state)
{
    const struct playbook *playbook = open_text(BASED "words: {no_answer: Nobody there}\n");

    (void)state;
    assert_slice(playbook_say(playbook, SLICE("no_answer")), "Nobody there");
    assert_slice(playbook_say(playbook, SLICE("optin")), "Opt-in");
    assert_slice(playbook_say(playbook, SLICE("referrer")), "Referral source");
    assert_slice(playbook_say(playbook, SLICE("other")), "other");
    playbook_close(playbook);
}

static void what_is_not_said_is_the_defaults(void **state)
{
    const struct playbook *base = open_slice(playbook_default());
    const struct playbook *own = open_text(BASED "lease: {claim: 10m}\ncaps: {per_day: 8}\n"
                                                 "cadences:\n"
                                                 "  extra: {title: X, for: customers, then: end, "
                                                 "steps: [{id: a, after: 0s, channel: sms, "
                                                 "kind: offer, template: a}]}\n");

    (void)state;
    assert_int_equal(own->lease.claim.ms, 600000);
    assert_int_equal(own->lease.report.ms, base->lease.report.ms);
    assert_int_equal(own->caps.per_day, 8);
    assert_int_equal(own->caps.gap.ms, base->caps.gap.ms);
    assert_int_equal(own->cadences.count, base->cadences.count + 1);
    assert_int_equal(own->stages.count, base->stages.count);
    playbook_close(own);
    playbook_close(base);
}

/* --- the canonical form ---------------------------------------------------------------------- */

static void assert_same_hash(const char *one, const char *other, bool same)
{
    const struct playbook *left = open_text(one), *right = open_text(other);

    if (hash_equal(left->hash, right->hash) != same)
        fail_msg("%s the same:\n%s\n%s", same ? "not" : "are", one, other);
    playbook_close(left);
    playbook_close(right);
}

static void the_canonical_form_means_the_same(void **state)
{
    static const char *const names[] = SHIPPED;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const struct playbook *first = open_shipped(names[i]);
        const struct playbook *second = open_slice(first->canonical);
        assert_slice(second->canonical, first->canonical.bytes);
        assert_true(hash_equal(first->hash, second->hash));
        playbook_close(second);
        playbook_close(first);
    }
}

static void what_means_the_same_has_the_same_hash(void **state)
{
    (void)state;
    assert_same_hash(BASED "lease: {claim: 60m}\n", BASED "lease: {claim: 1h}\n", true);
    assert_same_hash(BASED "lease: {report: 2m}\n", BASED, true);
    assert_same_hash(BASED "aliases: {X: dead, W: sold}\n", BASED "aliases: {W: sold, X: dead}\n",
                     true);
    assert_same_hash(BASED "money:\n  optin: 12\n", BASED "# dear\nmoney: {optin: \"12.00\"}\n",
                     true);
    assert_same_hash(BASED "personas: [{id: a, when: [email, score > 4]}]\n",
                     BASED "personas: [{id: a, when: {all: [score >= 5, email]}}]\n", true);
    assert_same_hash(BASED "personas: [{id: a, when: 'country in US,CA'}]\n",
                     BASED "personas: [{id: a, when: 'country in CA, US, CA'}]\n", true);
}

static void what_means_something_else_has_another_hash(void **state)
{
    (void)state;
    assert_same_hash(BASED, BASED "lease: {claim: 31m}\n", false);
    assert_same_hash(BASED, BASED "words: {sold: Won}\n", false);
    assert_same_hash(BASED "personas: [{id: a, when: {all: [email, phone]}}]\n",
                     BASED "personas: [{id: a, when: {any: [email, phone]}}]\n", false);
    assert_same_hash(BASED "lease: {claim: 30d}\n", BASED "lease: {claim: 1mo}\n", false);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    char *bytes = malloc(PLAYBOOK_FILE_MAX + 1);
    const struct playbook *playbook;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, ' ', PLAYBOOK_FILE_MAX + 1);
    assert_status(
        playbook_open((struct slice){bytes, PLAYBOOK_FILE_MAX + 1}, on_complaint, NULL, &playbook),
        STATUS_TOO_LARGE);
    assert_null(playbook);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_playbook_is_good),
        cmocka_unit_test(the_default_that_is_compiled_in_is_the_file),
        cmocka_unit_test(the_stages_of_the_default_have_the_numbers_that_are_stored),
        cmocka_unit_test(the_new_lead_campaign_has_its_five_steps_at_their_days),
        cmocka_unit_test(a_sale_begins_the_new_customer_sequence),
        cmocka_unit_test(calls_go_on_within_a_week_and_after_half_a_year),
        cmocka_unit_test(only_three_outcomes_make_a_lead_of_an_optin),
        cmocka_unit_test(an_opportunity_needs_a_conversation_and_agreement_to_change),
        cmocka_unit_test(from_all_is_from_every_other_stage),
        cmocka_unit_test(somebody_climbs_the_six_levels),
        cmocka_unit_test(somebody_climbs_the_five_stages),
        cmocka_unit_test(a_stage_may_be_in_two_pipelines),
        cmocka_unit_test(numbers_are_compared),
        cmocka_unit_test(times_are_compared),
        cmocka_unit_test(words_are_compared_whatever_their_case),
        cmocka_unit_test(flags_answers_and_fields_are_asked_for),
        cmocka_unit_test(groups_are_all_any_and_none),
        cmocka_unit_test(the_first_label_that_holds_is_the_temperature),
        cmocka_unit_test(a_dialers_word_becomes_an_outcome),
        cmocka_unit_test(every_outcome_says_what_it_does),
        cmocka_unit_test(a_calendar_is_hours_and_holidays),
        cmocka_unit_test(holidays_are_dates_weekdays_or_easter),
        cmocka_unit_test(words_are_the_companys),
        cmocka_unit_test(what_is_not_said_is_the_defaults),
        cmocka_unit_test(the_canonical_form_means_the_same),
        cmocka_unit_test(what_means_the_same_has_the_same_hash),
        cmocka_unit_test(what_means_something_else_has_another_hash),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
