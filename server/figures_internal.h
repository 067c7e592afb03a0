/* Shared by figures*.c only. */
#ifndef HOTLEAD_SERVER_FIGURES_INTERNAL_H
#define HOTLEAD_SERVER_FIGURES_INTERNAL_H

#include "server/figures.h"

#define DAY_MS 86400000ull

/* One report being written. */
struct figures {
    const struct figures_source *source;
    const struct figures_query *query;
    struct text *out;
};

typedef enum status figures_fn(struct figures *figures);
figures_fn figures_speed, figures_conversation_time, figures_funnel, figures_attempts,
    figures_score, figures_dust, figures_cracks, figures_promises, figures_mix, figures_campaigns,
    figures_unhappy, figures_late, figures_no_response, figures_board, figures_pipelines,
    figures_robots, figures_graveyard;

/* --- figures_sum.c: reading the tally ------------------------------------------------------- */

/* All of a kind together. Of bins of several parts the lower one is in `bins`, the next one is the
 * class. */
#define SUM_CLASSES (1u << TALLY_CLASS_BITS)
struct sum {
    uint64_t count, total, max, aside;
    uint64_t classes[SUM_CLASSES];
    uint64_t bins[TALLY_SPAN_MASK + 1];
};
/* Of what the query asks for. */
enum status sum_read(const struct figures *figures, enum tally_kind kind, struct sum *out);
/* The length under which a share of all lengths is, in its bin's middle. 0: there is none. */
uint64_t sum_percentile(const struct sum *sum, double share);
uint64_t sum_mean(const struct sum *sum);
uint64_t sum_between(const struct sum *sum, unsigned first_bin, unsigned last_bin);

/* Of a sum of STANDING: people who are so, with so many attempts. */
typedef bool standing_fn(const struct tally_standing *standing);
uint64_t sum_standing(const struct sum *sum, standing_fn *is, unsigned least, unsigned most);
standing_fn standing_is_given_up, standing_is_by_law, standing_is_bought, standing_is_adrift,
    standing_is_adrift_before_talk, standing_is_adrift_after_talk, standing_is_unhappy;

/* What rows count. */
enum measure {
    MEASURE_OPTINS, /* real ones: no tests, nothing suspect */
    MEASURE_PEOPLE,
    MEASURE_OWED, /* a first response */
    MEASURE_ANSWERED,
    MEASURE_UNANSWERED,
    MEASURE_SETTLED,     /* of those owed: answered, ended or late; the others are pending */
    MEASURE_NEW_OWED,    /* to people who are new */
    MEASURE_NEW_SETTLED, /* of these */
    MEASURE_PROMISED,    /* for the end of the business day */
    MEASURE_KEPT,
    MEASURE_BROKEN,    /* answered later */
    MEASURE_FORGOTTEN, /* ended with no answer */
    MEASURE_CONTACTED,
    MEASURE_LEADS, /* beyond the first stage */
    MEASURE_CONVERSED,
    MEASURE_SOLD,
    MEASURE_COUNT
};
/* A day, week, month, or a value of a dimension. */
struct row {
    uint64_t key;
    uint64_t counts[MEASURE_COUNT];
    uint64_t seqs[FIGURES_SEQS]; /* of opt-ins, the newest first */
    struct sum *sum;             /* of lengths, where they are asked for */
};
#define ROWS_MAX 4096 /* what comes further is one row, with the key TALLY_VALUES_OTHER */
struct rows {
    size_t count, capacity;
    struct row *items;
};
/* Adds the cells of the kinds of `dimension` into rows: one for each value, or (TALLY_ALL, or the
 * query's own side) for each period of `by`. */
enum status rows_read(const struct figures *figures, const enum tally_kind *kinds, size_t count,
                      enum tally_dimension dimension, enum figures_by by, struct rows *rows);
/* What is left of a count; 0 where there is more of the other one: records of before an answer was
 * counted where its opt-in is may have it elsewhere. */
static inline uint64_t left_of(uint64_t count, uint64_t less)
{
    return count > less ? count - less : 0;
}
/* First responses that nobody has answered yet and that are not late either, and the people who are
 * new by them: nothing can be said of these yet. */
uint64_t row_pending(const struct row *row);
uint64_t row_pending_people(const struct row *row);
void rows_by_key(struct rows *rows);
/* The largest first; all behind the first `most` are joined in the last. */
void rows_by_count(struct rows *rows, enum measure measure, size_t most);
struct row rows_total(const struct rows *rows);
void rows_free(struct rows *rows);

/* Lengths of one kind by the values of a dimension: the `most` values that have most of them. */
enum status rows_read_sums(const struct figures *figures, enum tally_kind kind,
                           enum tally_dimension dimension, size_t most, struct rows *rows);

/* What is counted from that side is counted by the week. */
bool side_is_weekly(enum tally_dimension side);
/* That period, or a week where the query's side knows of no shorter ones. */
enum figures_by period_known(const struct figures *figures, enum figures_by by);
/* The query's own period, else what suits the days that it asks for. */
enum figures_by period_of(const struct figures *figures, const struct rows *days);

/* Since 1970, both included; first 0: from the beginning. */
struct days {
    uint32_t first, last;
};
/* What is really counted of the days that are asked for: of a weekly side whole weeks. */
struct days days_of(const struct figures *figures, enum tally_dimension side);
struct days days_all(const struct figures *figures);

/* --- figures_time.c -------------------------------------------------------------------------- */

/* How much worse the odds of a conversation are after so long, by the playbook; 1: no
 * worse. Exactly so long is in time. */
uint32_t odds_after(const struct playbook *playbook, uint64_t ms);

/* --- figures_flow.c: how far people have come ----------------------------------------------- */

/* How many stand in each stage, under its number in `bins`. */
enum status stages_read(const struct figures *figures, struct sum *out);
/* Tables of time show the newest so many rows: from which one on, and the days of these. */
size_t periods_first(const struct rows *rows);
struct days periods_days(const struct figures *figures, const struct rows *rows);

/* --- figures_list.c: lists of people -----------------------------------------------------------
 */

/* Whom a list is of. `task`: the call that is open; else of other open tasks the first, if any. */
struct list_of {
    bool (*wanted)(const struct figures *figures, const struct person_row *row,
                   const struct task_row *task);
    /* Whose day the query's days are; NULL: of the first opt-in. */
    uint64_t (*moment)(const struct figures *figures, const struct person_row *row,
                       const struct task_row *task);
};
/* A table of a page of them, and where the next one begins, 0: nowhere. `any`: there are some, so
 * they are looked for. */
enum status list_people(struct figures *figures, const char *title, bool any,
                        const struct list_of *of, uint64_t *next_out);
void list_next(struct figures *figures, uint64_t next);

/* --- figures.c: writing ------------------------------------------------------------------------
 */

void summary_begin(struct figures *figures);
void summary_end(struct figures *figures);
void tables_begin(struct figures *figures);
void tables_end(struct figures *figures);
/* `bar`: the member whose size a picture shows, or NULL. */
void table_begin(struct figures *figures, const char *name, const char *title, const char *bar);
/* The same of other days than the query's side has. */
void table_begin_over(struct figures *figures, struct days days, const char *name,
                      const char *title, const char *bar);
void table_end(struct figures *figures);
void row_begin(struct figures *figures);
void row_end(struct figures *figures);

void say_uint(struct figures *figures, const char *name, uint64_t number);
void say_ms(struct figures *figures, const char *name, bool known, uint64_t ms); /* or null */
void say_text(struct figures *figures, const char *name, const char *text);      /* NULL: null */
void say_slice(struct figures *figures, const char *name, struct slice text);
/* `name`_percent to two places, null of nothing. */
void say_share(struct figures *figures, const char *name, uint64_t part, uint64_t of);
/* The same, with the interval in which 95 of 100 such shares lie (Wilson's): low, high. */
void say_rate(struct figures *figures, const char *name, uint64_t part, uint64_t of);
void say_day(struct figures *figures, const char *name, enum figures_by by, uint64_t day);
void say_label(struct figures *figures, const char *name, enum tally_dimension dimension,
               const struct row *row);
/* Behind the tables: figures that are not measured but known from elsewhere. */
void constants_begin(struct figures *figures);
void constants_end(struct figures *figures);
void constant(struct figures *figures, const char *name, const char *unit, double value,
              const char *from);

#endif
