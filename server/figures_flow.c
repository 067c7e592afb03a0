/* How many come through: funnel, attempts, the day's mix, campaigns, dust. */
#include <stdlib.h>

#include "proto/report.h"
#include "server/figures_internal.h"

static const enum tally_kind flow_kinds[] = {TALLY_OPTIN, TALLY_STANDING, TALLY_STAGE,
                                             TALLY_SETTLED};
#define FLOW_KINDS 4

static enum status read_flow(const struct figures *figures, enum tally_dimension side,
                             enum figures_by by, struct rows *rows)
{
    return rows_read(figures, flow_kinds, FLOW_KINDS, side, by, rows);
}

#define PERIODS_MAX 400
size_t periods_first(const struct rows *rows)
{
    return rows->count > PERIODS_MAX ? rows->count - PERIODS_MAX : 0;
}

struct days periods_days(const struct figures *figures, const struct rows *rows)
{
    struct days days = days_of(figures, figures->query->side);

    if (periods_first(rows) > 0)
        days.first = (uint32_t)rows->items[periods_first(rows)].key;
    return days;
}

/* --- funnel ---------------------------------------------------------------------------- */

static const struct {
    enum measure measure;
    const char *name, *title;
} steps[] = {
    {MEASURE_PEOPLE, "people", "opted in"},
    {MEASURE_CONTACTED, "contacted", "contacted"},
    {MEASURE_LEADS, "leads", "lead: beyond the first stage"},
    {MEASURE_CONVERSED, "conversed", "conversation"},
    {MEASURE_SOLD, "sold", "sale"},
};
#define STEPS (sizeof(steps) / sizeof(*steps))

static void write_steps(struct figures *figures, const struct row *total)
{
    table_begin(figures, "steps", "From opt-in to sale", "count");
    for (size_t i = 0; i < STEPS; i++) {
        uint64_t count = total->counts[steps[i].measure];
        row_begin(figures);
        say_text(figures, "step", steps[i].title);
        say_uint(figures, "count", count);
        say_rate(figures, "of_people", count, total->counts[MEASURE_PEOPLE]);
        say_share(figures, "of_step_before", count,
                  total->counts[steps[i > 0 ? i - 1 : 0].measure]);
        row_end(figures);
    }
    table_end(figures);
}

static void write_flow(struct figures *figures, const struct row *row)
{
    say_uint(figures, "people", row->counts[MEASURE_PEOPLE]);
    for (size_t i = 1; i < STEPS; i++) {
        say_uint(figures, steps[i].name, row->counts[steps[i].measure]);
        say_rate(figures, steps[i].name, row->counts[steps[i].measure],
                 row->counts[MEASURE_PEOPLE]);
    }
}

static void write_cohorts(struct figures *figures, enum figures_by by, const struct rows *rows)
{
    table_begin_over(figures, periods_days(figures, rows), "cohorts", "By when they first opted in",
                     "conversed_percent");
    for (size_t i = periods_first(rows); i < rows->count; i++) {
        row_begin(figures);
        say_day(figures, "cohort", by, rows->items[i].key);
        write_flow(figures, &rows->items[i]);
        row_end(figures);
    }
    table_end(figures);
}

enum status stages_read(const struct figures *figures, struct sum *out)
{
    struct rows rows = {0};
    enum status status = read_flow(figures, TALLY_ALL, FIGURES_BY_MONTH, &rows);
    uint64_t people = rows_total(&rows).counts[MEASURE_PEOPLE];

    rows_free(&rows);
    if (status == STATUS_OK)
        status = sum_read(figures, TALLY_STAGE, out);
    if (status == STATUS_OK && people > out->count)
        out->bins[1] = people - out->count; /* all others are not counted by stage */
    return status;
}

static uint64_t in_pipeline(const struct playbook *playbook, uint32_t pipeline,
                            const struct sum *stages)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < playbook->stages.count; i++)
        if (playbook->stages.items[i].pipelines >> (pipeline + 1) & 1)
            count += stages->bins[i + 1];
    return count;
}

static void write_stage(struct figures *figures, uint32_t stage, const struct sum *stages)
{
    const struct playbook_stage *is = &figures->source->playbook->stages.items[stage];

    say_slice(figures, "stage", is->id);
    say_slice(figures, "title", is->title);
    say_uint(figures, "people", stages->bins[stage + 1]);
}

/* Where people stand now: by stage, and in each of the pipelines. */
static void write_stages(struct figures *figures, const struct sum *stages)
{
    const struct playbook *playbook = figures->source->playbook;

    table_begin(figures, "stages", "Where they stand", "people");
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        row_begin(figures);
        write_stage(figures, i, stages);
        row_end(figures);
    }
    table_end(figures);
    table_begin(figures, "pipelines", "In each pipeline", "people");
    for (uint32_t i = 0; i < playbook->pipelines.count; i++) {
        row_begin(figures);
        say_slice(figures, "pipeline", playbook->pipelines.items[i].id);
        say_slice(figures, "title", playbook->pipelines.items[i].title);
        say_uint(figures, "people", in_pipeline(playbook, i, stages));
        row_end(figures);
    }
    table_end(figures);
}

enum figures_by period_of(const struct figures *figures, const struct rows *days)
{
    uint64_t count = days->count == 0 ? 0 : days->items[days->count - 1].key - days->items[0].key;

    if (figures->query->by != FIGURES_BY_ITSELF)
        return period_known(figures, figures->query->by);
    if (count <= 31)
        return period_known(figures, FIGURES_BY_DAY);
    return count <= 26 * 7 ? FIGURES_BY_WEEK : FIGURES_BY_MONTH;
}

enum status figures_funnel(struct figures *figures)
{
    struct sum *stages = malloc(sizeof(*stages));
    struct rows days = {0}, cohorts = {0};
    enum status status =
        stages ? read_flow(figures, TALLY_ALL, FIGURES_BY_DAY, &days) : STATUS_BUSY;
    enum figures_by by = period_of(figures, &days);
    struct row total = rows_total(&days);

    if (status == STATUS_OK)
        status = read_flow(figures, TALLY_ALL, by, &cohorts);
    if (status == STATUS_OK)
        status = stages_read(figures, stages);
    if (status == STATUS_OK) {
        summary_begin(figures);
        write_flow(figures, &total);
        summary_end(figures);
        tables_begin(figures);
        write_steps(figures, &total);
        write_cohorts(figures, by, &cohorts);
        write_stages(figures, stages);
        tables_end(figures);
    }
    rows_free(&days);
    rows_free(&cohorts);
    free(stages);
    return status;
}

/* --- pipelines ------------------------------------------------------------------------------ */

/* Each pipeline for itself: its stages, and which part of its people stands in them. Somebody may
 * be in both. */
static void write_pipeline(struct figures *figures, uint32_t pipeline, const struct sum *stages)
{
    const struct playbook *playbook = figures->source->playbook;
    uint64_t people = in_pipeline(playbook, pipeline, stages);
    char name[256], title[512];

    snprintf(name, sizeof(name), "%.*s", (int)playbook->pipelines.items[pipeline].id.length,
             playbook->pipelines.items[pipeline].id.bytes);
    snprintf(title, sizeof(title), "%.*s", (int)playbook->pipelines.items[pipeline].title.length,
             playbook->pipelines.items[pipeline].title.bytes);
    table_begin(figures, name, title, "people");
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        if (!(playbook->stages.items[i].pipelines >> (pipeline + 1) & 1))
            continue;
        row_begin(figures);
        write_stage(figures, i, stages);
        say_share(figures, "of_pipeline", stages->bins[i + 1], people);
        row_end(figures);
    }
    table_end(figures);
}

enum status figures_pipelines(struct figures *figures)
{
    const struct playbook *playbook = figures->source->playbook;
    struct sum *stages = malloc(sizeof(*stages));
    enum status status = stages ? stages_read(figures, stages) : STATUS_BUSY;

    if (status == STATUS_OK) {
        summary_begin(figures);
        for (uint32_t i = 0; i < playbook->pipelines.count; i++) {
            char name[256];
            snprintf(name, sizeof(name), "%.*s", (int)playbook->pipelines.items[i].id.length,
                     playbook->pipelines.items[i].id.bytes);
            say_uint(figures, name, in_pipeline(playbook, i, stages));
        }
        summary_end(figures);
        tables_begin(figures);
        for (uint32_t i = 0; i < playbook->pipelines.count; i++)
            write_pipeline(figures, i, stages);
        tables_end(figures);
    }
    free(stages);
    return status;
}

/* --- attempts ------------------------------------------------------------------------------ */

#define ATTEMPTS_TOLD 5 /* the study's classes: 1, 2, 3, 4, and 5 or more */

static void write_attempts(struct figures *figures, const struct sum *people)
{
    uint64_t given_up = sum_standing(people, standing_is_given_up, 1, TALLY_ATTEMPTS_MAX);
    uint64_t sales = sum_standing(people, standing_is_bought, 1, TALLY_ATTEMPTS_MAX);

    table_begin(figures, "attempts", "Where people stop, and where sales close", "sold_percent");
    for (unsigned attempt = 1; attempt <= ATTEMPTS_TOLD; attempt++) {
        unsigned last = attempt == ATTEMPTS_TOLD ? TALLY_ATTEMPTS_MAX : attempt;
        uint64_t stopped = sum_standing(people, standing_is_given_up, attempt, last);
        uint64_t sold = sum_standing(people, standing_is_bought, attempt, last);
        char name[8];
        snprintf(name, sizeof(name), attempt == ATTEMPTS_TOLD ? "%u+" : "%u", attempt);
        row_begin(figures);
        say_text(figures, "attempt", name);
        say_uint(figures, "stopped", stopped);
        say_share(figures, "stopped", stopped, given_up);
        say_uint(figures, "sold", sold);
        say_share(figures, "sold", sold, sales);
        row_end(figures);
    }
    table_end(figures);
}

static void write_outcomes(struct figures *figures, const struct sum *outcomes)
{
    table_begin(figures, "outcomes", "What came of tasks in these days", "count");
    for (int outcome = OUTCOME_NONE + 1; outcome < OUTCOME_END; outcome++) {
        if (outcomes->bins[outcome] == 0)
            continue;
        row_begin(figures);
        say_text(figures, "outcome", outcome_name((enum outcome)outcome));
        say_slice(
            figures, "called",
            playbook_say(figures->source->playbook, slice_of(outcome_name((enum outcome)outcome))));
        say_uint(figures, "count", outcomes->bins[outcome]);
        say_share(figures, "of_all", outcomes->bins[outcome], outcomes->count);
        row_end(figures);
    }
    table_end(figures);
}

enum status figures_attempts(struct figures *figures)
{
    struct sum *people = malloc(2 * sizeof(*people)), *outcomes = people + 1;
    enum status status = people ? sum_read(figures, TALLY_STANDING, people) : STATUS_BUSY;

    if (status == STATUS_OK)
        status = sum_read(figures, TALLY_OUTCOME, outcomes);
    if (status == STATUS_OK) {
        summary_begin(figures);
        say_uint(figures, "stopped",
                 sum_standing(people, standing_is_given_up, 0, TALLY_ATTEMPTS_MAX));
        say_uint(figures, "stopped_by_law_or_fact",
                 sum_standing(people, standing_is_by_law, 0, TALLY_ATTEMPTS_MAX));
        say_uint(figures, "sold", sum_standing(people, standing_is_bought, 0, TALLY_ATTEMPTS_MAX));
        summary_end(figures);
        tables_begin(figures);
        write_attempts(figures, people);
        if (figures->query->side == TALLY_ALL || figures->query->side == TALLY_SITE)
            write_outcomes(figures, outcomes); /* not counted from other sides */
        tables_end(figures);
    }
    free(people);
    return status;
}

/* --- mix -------------------------------------------------------------------------------------- */

/* Who bought is closed, who talked is hot, whose first answer may still come in time is pending,
 * all others are cold. */
struct mix {
    uint64_t people, closed, hot, cold, pending;
};

static struct mix mix_of(const struct row *row)
{
    uint64_t people = row->counts[MEASURE_PEOPLE], talked = row->counts[MEASURE_CONVERSED];
    uint64_t closed = row->counts[MEASURE_SOLD], pending = row_pending_people(row);

    return (struct mix){.people = people,
                        .closed = closed,
                        .hot = left_of(talked, closed),
                        .cold = left_of(people, talked + pending),
                        .pending = pending};
}

static void write_mix(struct figures *figures, const struct mix *mix)
{
    say_uint(figures, "people", mix->people);
    say_uint(figures, "closed", mix->closed);
    say_uint(figures, "hot", mix->hot);
    say_uint(figures, "cold", mix->cold);
    say_share(figures, "closed", mix->closed, left_of(mix->people, mix->pending));
    say_share(figures, "hot", mix->hot, left_of(mix->people, mix->pending));
    say_share(figures, "cold", mix->cold, left_of(mix->people, mix->pending));
    say_uint(figures, "pending", mix->pending);
}

enum status figures_mix(struct figures *figures)
{
    enum figures_by by = period_known(figures, figures->query->by);
    struct rows rows = {0};
    enum status status = read_flow(figures, TALLY_ALL, by, &rows);
    struct row total = rows_total(&rows);
    struct mix mix = mix_of(&total);

    if (status == STATUS_OK) {
        summary_begin(figures);
        say_uint(figures, "periods", rows.count);
        write_mix(figures, &mix);
        summary_end(figures);
        tables_begin(figures);
        table_begin_over(figures, periods_days(figures, &rows), "mix",
                         "What became of whom opted in", "cold_percent");
        for (size_t i = periods_first(&rows); i < rows.count; i++) {
            mix = mix_of(&rows.items[i]);
            row_begin(figures);
            say_day(figures, "cohort", by, rows.items[i].key);
            write_mix(figures, &mix);
            row_end(figures);
        }
        table_end(figures);
        tables_end(figures);
    }
    rows_free(&rows);
    return status;
}

/* --- dust ----------------------------------------------------------------------------------------
 */

/* Those of them who came so long ago that the playbook calls them cold for good. */
static uint64_t count_long_cold(const struct figures *figures, const struct rows *days,
                                uint64_t before_ms)
{
    uint64_t row_days = side_is_weekly(figures->query->side) ? 7 : 1, count = 0;

    for (size_t i = 0; i < days->count; i++)
        if ((days->items[i].key + row_days) * DAY_MS <= before_ms)
            count += mix_of(&days->items[i]).cold;
    return count;
}

static void write_dust(struct figures *figures, const struct rows *days)
{
    const struct playbook *playbook = figures->source->playbook;
    const struct playbook_money *money = &playbook->money;
    const struct figures_query *query = figures->query;
    uint64_t price =
        query->price_cents == FIGURES_PRICE_OWN ? money->sale_cents : query->price_cents;
    uint64_t parts = query->recoverable_parts == FIGURES_RECOVERABLE_OWN
                         ? money->recoverable * 100ull
                         : query->recoverable_parts;
    uint64_t cold_after = playbook_span_about(playbook->graveyard.cold_after);
    struct row total = rows_total(days);
    struct mix mix = mix_of(&total);
    /* Hundredths of a person, so that no rounding is seen. */
    uint64_t recoverable = mix.cold * parts / 100;

    summary_begin(figures);
    say_uint(figures, "cold", mix.cold);
    say_share(figures, "recoverable", parts, 10000);
    say_uint(figures, "price_cents", price);
    say_uint(figures, "dust_cents", recoverable * price / 100);
    say_uint(figures, "spent_on_cold_cents", mix.cold * money->optin_cents);
    say_slice(figures, "currency", money->currency);
    say_uint(figures, "cold_for_long",
             count_long_cold(
                 figures, days,
                 figures->source->now_ms > cold_after ? figures->source->now_ms - cold_after : 0));
    say_uint(figures, "pending", mix.pending);
    summary_end(figures);
    tables_begin(figures);
    tables_end(figures);
    constants_begin(figures);
    constant(figures, "recoverable", "percent", money->recoverable,
             "the playbook; taken where --recoverable is not given");
    constant(figures, "price", "cents", (double)money->sale_cents,
             "the playbook; taken where --price is not given");
    constant(figures, "optin", "cents", (double)money->optin_cents, "the playbook");
    constant(figures, "cold_after", "ms", (double)cold_after,
             "the playbook: from then on somebody is cold for long");
    constants_end(figures);
}

enum status figures_dust(struct figures *figures)
{
    struct rows days = {0};
    enum status status = read_flow(figures, TALLY_ALL, FIGURES_BY_DAY, &days);

    if (status == STATUS_OK)
        write_dust(figures, &days);
    rows_free(&days);
    return status;
}

/* --- campaigns ---------------------------------------------------------------------------------
 */

#define CAMPAIGNS_SHOWN 200

static void write_campaign(struct figures *figures, const struct row *row, uint64_t optin_cents)
{
    uint64_t optins = row->counts[MEASURE_OPTINS], cost = optins * optin_cents;
    uint64_t talked = row->counts[MEASURE_CONVERSED], sold = row->counts[MEASURE_SOLD];

    row_begin(figures);
    say_label(figures, "campaign", TALLY_CAMPAIGN, row);
    say_uint(figures, "optins", optins);
    write_flow(figures, row);
    say_uint(figures, "cost_cents", cost);
    say_ms(figures, "cost_per_conversation_cents", talked > 0, talked > 0 ? cost / talked : 0);
    say_ms(figures, "cost_per_sale_cents", sold > 0, sold > 0 ? cost / sold : 0);
    row_end(figures);
}

enum status figures_campaigns(struct figures *figures)
{
    const struct playbook_money *money = &figures->source->playbook->money;
    struct rows rows = {0}, all = {0};
    enum status status = read_flow(figures, TALLY_CAMPAIGN, FIGURES_BY_ITSELF, &rows);
    struct row total;

    if (status == STATUS_OK)
        status = read_flow(figures, TALLY_ALL, FIGURES_BY_MONTH, &all);
    total = rows_total(&all);
    if (status == STATUS_OK) {
        summary_begin(figures);
        say_uint(figures, "campaigns", rows.count);
        say_uint(figures, "optins", total.counts[MEASURE_OPTINS]);
        write_flow(figures, &total);
        say_slice(figures, "currency", money->currency);
        summary_end(figures);
        rows_by_count(&rows, MEASURE_OPTINS, CAMPAIGNS_SHOWN);
        tables_begin(figures);
        table_begin_over(figures, days_of(figures, TALLY_CAMPAIGN), "campaigns",
                         "By campaign (utm_campaign)", "conversed_percent");
        for (size_t i = 0; i < rows.count; i++)
            write_campaign(figures, &rows.items[i], money->optin_cents);
        table_end(figures);
        tables_end(figures);
        constants_begin(figures);
        constant(figures, "optin", "cents", (double)money->optin_cents,
                 "the playbook: what one opt-in costs");
        constants_end(figures);
    }
    rows_free(&rows);
    rows_free(&all);
    return status;
}
