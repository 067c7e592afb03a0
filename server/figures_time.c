/* How long it is: until the first answer, and until the first conversation. */
#include <stdlib.h>

#include "server/figures_internal.h"

#define SIDE_ROWS 50
#define HOUR_MS   3600000ull

/* Shown beside what was measured, as what they are: the figures of others. */
#define STUDY "a study of how businesses answer inquiries"

static const char *const class_names[TALLY_CLASS_END] = {
    [TALLY_5_MIN] = "0-5 min",
    [TALLY_10_MIN] = "5-10 min",
    [TALLY_30_MIN] = "10-30 min",
    [TALLY_HOUR_1] = "30-60 min",
    [TALLY_BUSINESS_DAY] = "1 h - end of business day",
    [TALLY_LATER] = "later",
};
/* What is longer than that. */
static const uint64_t class_begins_ms[TALLY_CLASS_END] = {0,       300000,  600000,
                                                          1800000, HOUR_MS, HOUR_MS};

static void write_lengths(struct figures *figures, const struct sum *sum)
{
    bool known = sum->count > 0;

    say_ms(figures, "mean_ms", known, sum_mean(sum));
    say_ms(figures, "p50_ms", known, sum_percentile(sum, 0.50));
    say_ms(figures, "p90_ms", known, sum_percentile(sum, 0.90));
    say_ms(figures, "p99_ms", known, sum_percentile(sum, 0.99));
    say_ms(figures, "max_ms", known, sum->max);
}

/* By each value of a side. Of what a filter has let through no other side is known. */
static enum status write_side(struct figures *figures, enum tally_kind kind,
                              enum tally_dimension side, const char *name, const char *title)
{
    struct rows rows = {0};
    enum status status = rows_read_sums(figures, kind, side, SIDE_ROWS, &rows);

    if (status == STATUS_OK && rows.count > 0) {
        table_begin_over(figures, days_of(figures, side), name, title, "p50_ms");
        for (size_t i = 0; i < rows.count; i++) {
            row_begin(figures);
            say_label(figures, name, side, &rows.items[i]);
            say_uint(figures, "count", rows.items[i].sum->count);
            write_lengths(figures, rows.items[i].sum);
            row_end(figures);
        }
        table_end(figures);
    }
    rows_free(&rows);
    return status;
}

/* --- speed ------------------------------------------------------------------------------ */

uint32_t odds_after(const struct playbook *playbook, uint64_t ms)
{
    uint32_t times = 1;

    for (uint32_t i = 0; i < playbook->odds.count; i++)
        if (playbook_span_about(playbook->odds.items[i].after) < ms)
            times = playbook->odds.items[i].times;
    return times;
}

/* First responses: of those that were owed some are answered, some ended without, the rest is open;
 * of that what is not late is pending. */
struct owed {
    uint64_t all, ended, pending;
};

/* Whom shares are of. */
static uint64_t due(const struct owed *owed)
{
    return owed->all - owed->pending;
}

static void write_classes(struct figures *figures, const struct sum *answers,
                          const struct owed *owed)
{
    const struct playbook *playbook = figures->source->playbook;

    table_begin(figures, "classes", "Time to the first human contact", "count");
    for (unsigned class = 0; class < TALLY_CLASS_END; class ++) {
        row_begin(figures);
        say_text(figures, "class", class_names[class]);
        say_uint(figures, "count", answers->classes[class]);
        say_share(figures, "of_all", answers->classes[class], due(owed));
        say_uint(figures, "odds_lost_times", odds_after(playbook, class_begins_ms[class] + 1));
        row_end(figures);
    }
    row_begin(figures);
    say_text(figures, "class", "never");
    say_uint(figures, "count", left_of(due(owed), answers->count));
    say_share(figures, "of_all", left_of(due(owed), answers->count), due(owed));
    say_ms(figures, "odds_lost_times", false, 0);
    row_end(figures);
    table_end(figures);
}

/* The system's own part is until it has decided; all that comes then is people's: what they have to
 * find out, their hours, the queue that they leave it in. */
static void write_speed(struct figures *figures, const struct sum *answers, const struct owed *owed)
{
    bool known = answers->count > 0;
    uint64_t count = known ? answers->count : 1;

    summary_begin(figures);
    say_uint(figures, "owed", owed->all);
    say_uint(figures, "answered", answers->count);
    say_share(figures, "answered", answers->count, due(owed));
    say_uint(figures, "ended_unanswered", owed->ended);
    say_uint(figures, "open", left_of(owed->all, answers->count + owed->ended));
    say_uint(figures, "of_these_pending", owed->pending);
    write_lengths(figures, answers);
    say_ms(figures, "system_mean_ms", known, answers->aside / count);
    say_ms(figures, "human_mean_ms", known, (answers->total - answers->aside) / count);
    summary_end(figures);
}

static void write_speed_constants(struct figures *figures)
{
    const struct playbook *playbook = figures->source->playbook;
    char name[64];

    constants_begin(figures);
    for (uint32_t i = 0; i < playbook->odds.count; i++) {
        const struct playbook_odds *odds = &playbook->odds.items[i];
        snprintf(name, sizeof(name), "odds_lost_after_%llu_min",
                 (unsigned long long)(playbook_span_about(odds->after) / 60000));
        constant(figures, name, "times", odds->times,
                 "the playbook; from one book on business-to-business calls, no law of nature");
    }
    constant(figures, "usual_mean", "ms", 48 * HOUR_MS, STUDY);
    constant(figures, "usually_answered", "percent", 50, STUDY);
    constants_end(figures);
}

/* Of an agent only the answers are known, not what he was to answer. */
static enum status read_owed(struct figures *figures, const struct sum *answers, struct owed *out)
{
    static const enum tally_kind kinds[] = {TALLY_OPTIN, TALLY_UNANSWERED, TALLY_SETTLED};
    struct rows rows = {0};
    enum status status = rows_read(figures, kinds, 3, TALLY_ALL, FIGURES_BY_MONTH, &rows);
    struct row total = rows_total(&rows);

    *out = (struct owed){.all = total.counts[MEASURE_OWED],
                         .ended = total.counts[MEASURE_UNANSWERED],
                         .pending = row_pending(&total)};
    if (figures->query->side == TALLY_AGENT)
        *out = (struct owed){.all = answers->count};
    rows_free(&rows);
    return status;
}

static enum status write_speed_tables(struct figures *figures, const struct sum *answers,
                                      const struct owed *owed)
{
    static const struct {
        enum tally_dimension side;
        const char *name, *title;
    } sides[] = {
        {TALLY_SITE, "site", "By site"},
        {TALLY_AGENT, "agent", "By agent"},
        {TALLY_SOURCE, "source", "By source"},
        {TALLY_HOUR, "hour", "By hour of the opt-in (UTC)"},
    };
    enum status status = STATUS_OK;

    tables_begin(figures);
    write_classes(figures, answers, owed);
    for (size_t i = 0; status == STATUS_OK && i < sizeof(sides) / sizeof(*sides); i++)
        if (figures->query->side == TALLY_ALL)
            status =
                write_side(figures, TALLY_ANSWER, sides[i].side, sides[i].name, sides[i].title);
    tables_end(figures);
    return status;
}

enum status figures_speed(struct figures *figures)
{
    struct sum *answers = malloc(sizeof(*answers));
    struct owed owed;
    enum status status = answers ? sum_read(figures, TALLY_ANSWER, answers) : STATUS_BUSY;

    if (status == STATUS_OK)
        status = read_owed(figures, answers, &owed);
    if (status == STATUS_OK) {
        write_speed(figures, answers, &owed);
        status = write_speed_tables(figures, answers, &owed);
        write_speed_constants(figures);
    }
    free(answers);
    return status;
}

/* --- conversation-time ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint64_t below_ms;
} spans[] = {
    {"up to 5 min", 300000},
    {"up to 1 h", HOUR_MS},
    {"up to a day", 24 * HOUR_MS},
    {"up to 2 days", 48 * HOUR_MS},
    {"up to a week", 7 * 24 * HOUR_MS},
    {"up to a month", 30 * 24 * HOUR_MS},
    {"up to 6 months", 183 * 24 * HOUR_MS},
    {"up to 12 months", 365 * 24 * HOUR_MS},
    {"up to 18 months", 548 * 24 * HOUR_MS},
    {"longer", UINT64_MAX},
};

static void write_spread(struct figures *figures, const struct sum *sum)
{
    unsigned from = 0;

    table_begin(figures, "spread", "Time from opt-in to conversation", "count");
    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
        unsigned to = tally_span_bin(spans[i].below_ms);
        uint64_t count = sum_between(sum, from, to);
        row_begin(figures);
        say_text(figures, "time", spans[i].name);
        say_uint(figures, "count", count);
        say_share(figures, "of_all", count, sum->count);
        row_end(figures);
        from = to + 1;
    }
    table_end(figures);
}

static enum status write_conversation_tables(struct figures *figures, const struct sum *sum)
{
    enum status status = STATUS_OK;

    tables_begin(figures);
    write_spread(figures, sum);
    if (figures->query->side == TALLY_ALL) {
        status = write_side(figures, TALLY_CONVERSED, TALLY_SITE, "site", "By site");
        if (status == STATUS_OK)
            status = write_side(figures, TALLY_CONVERSED, TALLY_SOURCE, "source", "By source");
        if (status == STATUS_OK)
            status = write_side(figures, TALLY_CONVERSED, TALLY_HOUR, "hour",
                                "By hour of the opt-in (UTC)");
    }
    tables_end(figures);
    return status;
}

enum status figures_conversation_time(struct figures *figures)
{
    struct sum *sum = malloc(sizeof(*sum));
    enum status status = sum ? sum_read(figures, TALLY_CONVERSED, sum) : STATUS_BUSY;

    if (status == STATUS_OK) {
        summary_begin(figures);
        say_uint(figures, "conversations", sum->count);
        write_lengths(figures, sum);
        say_ms(figures, "p75_ms", sum->count > 0, sum_percentile(sum, 0.75));
        summary_end(figures);
        status = write_conversation_tables(figures, sum);
        constants_begin(figures);
        constant(figures, "seen_mean", "ms", 36 * HOUR_MS, "one business that measured it");
        constant(figures, "seen_max", "months", 18, "the same");
        constants_end(figures);
    }
    free(sum);
    return status;
}
