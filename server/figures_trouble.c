/* What goes wrong: the ten questions, cracks, promises that were not kept, unhappy customers. */
#include <stdlib.h>

#include "proto/task.h"
#include "server/engine.h"
#include "server/figures_internal.h"

/* --- cracks ------------------------------------------------------------------------------- */

static bool is_adrift(const struct figures *figures, const struct person_row *row,
                      const struct task_row *task)
{
    (void)figures;
    (void)task;
    return engine_is_adrift(row);
}

/* Why opt-ins have no task: what explains that nothing is done about them. */
static enum status write_explained(struct figures *figures)
{
    struct sum *optins = malloc(sizeof(*optins));
    enum status status = optins ? sum_read(figures, TALLY_OPTIN, optins) : STATUS_BUSY;

    if (status != STATUS_OK) {
        free(optins);
        return status;
    }
    table_begin(figures, "explained", "Opt-ins without a call, by the reason that they got",
                "count");
    for (unsigned reason = NO_TASK_HAS_ONE + 1; reason < NO_TASK_END; reason++) {
        uint64_t count = 0;
        for (unsigned made = 0; made < TALLY_OPTIN_SINCE; made += TALLY_OPTIN_NEW)
            count += optins->bins[reason | made];
        if (count == 0)
            continue;
        row_begin(figures);
        say_text(figures, "reason", no_task_name((enum no_task)reason));
        say_uint(figures, "count", count);
        row_end(figures);
    }
    table_end(figures);
    free(optins);
    return STATUS_OK;
}

static uint64_t write_adrift(struct figures *figures, const struct sum *people)
{
    uint64_t all = sum_standing(people, standing_is_adrift, 0, TALLY_ATTEMPTS_MAX);
    uint64_t talked = sum_standing(people, standing_is_adrift_after_talk, 0, TALLY_ATTEMPTS_MAX);
    uint64_t tried = sum_standing(people, standing_is_adrift_before_talk, 1, TALLY_ATTEMPTS_MAX);
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {{"never tried", all - tried - talked}, {"tried", tried}, {"talked with", talked}};

    table_begin(figures, "cracks", "Open, and nothing is planned", "count");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        row_begin(figures);
        say_text(figures, "people", rows[i].name);
        say_uint(figures, "count", rows[i].count);
        row_end(figures);
    }
    table_end(figures);
    return all;
}

enum status figures_cracks(struct figures *figures)
{
    struct sum *people = malloc(sizeof(*people));
    enum status status = people ? sum_read(figures, TALLY_STANDING, people) : STATUS_BUSY;
    uint64_t next = 0, all;

    if (status == STATUS_OK) {
        summary_begin(figures);
        say_uint(figures, "cracks",
                 sum_standing(people, standing_is_adrift, 0, TALLY_ATTEMPTS_MAX));
        summary_end(figures);
        tables_begin(figures);
        all = write_adrift(figures, people);
        status = write_explained(figures);
        if (status == STATUS_OK)
            status = list_people(figures, "Who they are", all > 0,
                                 &(struct list_of){.wanted = is_adrift}, &next);
        tables_end(figures);
        list_next(figures, next);
    }
    free(people);
    return status;
}

/* --- promises -------------------------------------------------------------------------------- */

static bool is_overdue(const struct figures *figures, const struct task_row *task)
{
    return task->number != 0 && task->kind == TASK_FIRST_RESPONSE && task->promise_ms != 0 &&
           task->promise_ms < figures->source->now_ms;
}

/* Whom somebody has in hand while the day ends is noticed when he lets go; he counts at once. */
static bool is_missed(const struct figures *figures, const struct person_row *row,
                      const struct task_row *task)
{
    return row->missed_s != 0 || is_overdue(figures, task);
}

static uint64_t missed_at(const struct figures *figures, const struct person_row *row,
                          const struct task_row *task)
{
    return is_overdue(figures, task) ? task->promise_ms : row->missed_s * 1000ull;
}

static const enum tally_kind promise_kinds[] = {TALLY_OPTIN, TALLY_ANSWER, TALLY_UNANSWERED};

static void write_promises(struct figures *figures, const struct row *row)
{
    uint64_t promised = row->counts[MEASURE_PROMISED], kept = row->counts[MEASURE_KEPT];
    uint64_t late = row->counts[MEASURE_BROKEN], ended = row->counts[MEASURE_FORGOTTEN];

    say_uint(figures, "promised", promised);
    say_uint(figures, "kept", kept);
    say_uint(figures, "late", late);
    say_uint(figures, "unanswered", left_of(promised, kept + late));
    say_uint(figures, "of_these_open", left_of(promised, kept + late + ended));
    say_share(figures, "kept", kept, promised);
}

enum status figures_promises(struct figures *figures)
{
    enum figures_by by = period_known(figures, figures->query->by);
    struct rows rows = {0};
    uint64_t next = 0;
    enum status status = rows_read(figures, promise_kinds, 3, TALLY_ALL, by, &rows);
    struct row total = rows_total(&rows);

    if (status == STATUS_OK) {
        const struct list_of missed = {.wanted = is_missed, .moment = missed_at};
        summary_begin(figures);
        write_promises(figures, &total);
        summary_end(figures);
        tables_begin(figures);
        table_begin_over(figures, periods_days(figures, &rows), "days",
                         "By the day that they came in", "kept_percent");
        for (size_t i = periods_first(&rows); i < rows.count; i++) {
            row_begin(figures);
            say_day(figures, "day", by, rows.items[i].key);
            write_promises(figures, &rows.items[i]);
            row_end(figures);
        }
        table_end(figures);
        /* Somebody may have been promised it in the days before those that are asked for. */
        status =
            list_people(figures, "Whose day was over before anybody tried", true, &missed, &next);
        tables_end(figures);
        list_next(figures, next);
    }
    rows_free(&rows);
    return status;
}

/* --- unhappy -----------------------------------------------------------------------------------
 */

static bool is_unhappy(const struct figures *figures, const struct person_row *row,
                       const struct task_row *task)
{
    (void)figures;
    (void)task;
    return engine_is_unhappy(row);
}

enum status figures_unhappy(struct figures *figures)
{
    struct sum *people = malloc(sizeof(*people));
    enum status status = people ? sum_read(figures, TALLY_STANDING, people) : STATUS_BUSY;
    uint64_t next = 0, count;

    if (status == STATUS_OK) {
        count = sum_standing(people, standing_is_unhappy, 0, TALLY_ATTEMPTS_MAX);
        summary_begin(figures);
        say_uint(figures, "unhappy", count);
        summary_end(figures);
        tables_begin(figures);
        status = list_people(figures, "Who they are", count > 0,
                             &(struct list_of){.wanted = is_unhappy}, &next);
        tables_end(figures);
        list_next(figures, next);
    }
    free(people);
    return status;
}

/* --- score ---------------------------------------------------------------------------------------
 */

/* Everything that the questions are answered from. */
struct evidence {
    struct sum people, answers, breaches, steps, skipped, cut, bare;
    unsigned attempts_least; /* by the playbook */
};

struct answer {
    bool known, yes;
    uint64_t value;
};

static struct answer counted(uint64_t count)
{
    return (struct answer){.known = true, .yes = count > 0, .value = count};
}

/* What only cadences tell is not known while there have been none. */
static struct answer counted_in_steps(const struct evidence *evidence, uint64_t count)
{
    struct answer answer = counted(count);

    answer.known = evidence->steps.count + evidence->skipped.count > 0;
    return answer;
}

static struct answer is_scattered(const struct evidence *evidence)
{
    return counted(sum_standing(&evidence->people, standing_is_adrift, 0, TALLY_ATTEMPTS_MAX));
}

static struct answer takes_days(const struct evidence *evidence)
{
    uint64_t p90 = sum_percentile(&evidence->answers, 0.90);

    return (struct answer){.known = evidence->answers.count > 0, .yes = p90 > DAY_MS, .value = p90};
}

static struct answer was_forgotten(const struct evidence *evidence)
{
    const uint64_t *skipped = evidence->skipped.bins;

    /* All else was left out because somebody wanted it so. */
    return counted_in_steps(evidence, skipped[SKIP_LATE] + skipped[SKIP_NO_QUEUE] +
                                          skipped[SKIP_TOO_MANY] + skipped[SKIP_UNDONE]);
}

static struct answer was_busy(const struct evidence *evidence)
{
    return counted(evidence->breaches.bins[TALLY_BREACH_WAITING]);
}

static struct answer has_lost_hard_won(const struct evidence *evidence)
{
    return counted(
        sum_standing(&evidence->people, standing_is_adrift_after_talk, 0, TALLY_ATTEMPTS_MAX));
}

static struct answer waits_for_calls(const struct evidence *evidence)
{
    return counted(
        sum_standing(&evidence->people, standing_is_adrift_before_talk, 1, TALLY_ATTEMPTS_MAX));
}

static struct answer fears_to_push(const struct evidence *evidence)
{
    return counted_in_steps(evidence, evidence->cut.count);
}

static struct answer gives_up_early(const struct evidence *evidence)
{
    return counted(
        sum_standing(&evidence->people, standing_is_given_up, 1, evidence->attempts_least - 1));
}

static struct answer treats_all_alike(const struct evidence *evidence)
{
    unsigned cadences = 0;

    for (unsigned cadence = 1; cadence < TALLY_BY_ROBOT; cadence++)
        cadences +=
            evidence->steps.bins[cadence] + evidence->steps.bins[cadence | TALLY_BY_ROBOT] > 0;
    return (struct answer){
        .known = evidence->steps.count > 0, .yes = cadences == 1, .value = cadences};
}

static struct answer educates_by_talk(const struct evidence *evidence)
{
    struct answer answer = counted(evidence->bare.bins[1]);

    answer.known = evidence->bare.count > 0;
    return answer;
}

static const struct question {
    const char *asks, *counts, *unknown;
    struct answer (*answer)(const struct evidence *evidence);
} questions[] = {
    {"Is lead tracking scattered?", "people with neither a next step nor an end", NULL,
     is_scattered},
    {"Does a first answer take longer than a day?", "ms within which nine of ten are answered",
     "nobody has been answered yet", takes_days},
    {"Was a follow-up ever forgotten?", "steps that were due and left out for no reason of theirs",
     "no step of a cadence has been due yet", was_forgotten},
    {"Was everybody ever too busy?", "deadlines that passed while the task waited for anybody",
     NULL, was_busy},
    {"Did anybody hard-won slip through?", "people who were talked with, and nothing is planned",
     NULL, has_lost_hard_won},
    {"Are people waited for to call back?", "people who were tried, and nothing is planned", NULL,
     waits_for_calls},
    {"Is there fear of being pushy?", "cadences that an agent's word ended before their time",
     "no step of a cadence has been due yet", fears_to_push},
    {"Are people given up before the seventh attempt?",
     "people stopped sooner, for no reason of law or fact", NULL, gives_up_early},
    {"Does everybody get the same?", "cadences in use: one is too few",
     "no step of a cadence has been due yet", treats_all_alike},
    {"Is time spent on educating by talk?", "conversations with nothing sent before",
     "nobody has been talked with yet", educates_by_talk},
};
#define QUESTIONS     (sizeof(questions) / sizeof(*questions))
#define POINTS_TO_FIX 3 /* more than that */

static enum status read_evidence(struct figures *figures, struct evidence *evidence)
{
    const struct {
        enum tally_kind kind;
        struct sum *sum;
    } kinds[] = {
        {TALLY_STANDING, &evidence->people}, {TALLY_ANSWER, &evidence->answers},
        {TALLY_BREACH, &evidence->breaches}, {TALLY_STEP, &evidence->steps},
        {TALLY_SKIPPED, &evidence->skipped}, {TALLY_CUT, &evidence->cut},
        {TALLY_BARE, &evidence->bare},
    };
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < sizeof(kinds) / sizeof(*kinds); i++)
        status = sum_read(figures, kinds[i].kind, kinds[i].sum);
    /* Calls that were planned belong to no cadence. */
    evidence->steps.count -= evidence->steps.bins[0];
    evidence->steps.bins[0] = 0;
    return status;
}

static void write_question(struct figures *figures, size_t number, const struct answer *answer)
{
    const struct question *question = &questions[number];

    row_begin(figures);
    say_uint(figures, "number", number + 1);
    say_text(figures, "question", question->asks);
    say_text(figures, "answer", !answer->known ? "unknown" : answer->yes ? "yes" : "no");
    say_ms(figures, "value", answer->known, answer->value);
    say_text(figures, "counts", question->counts);
    say_text(figures, "note", answer->known ? NULL : question->unknown);
    row_end(figures);
}

static void write_score(struct figures *figures, const struct evidence *evidence)
{
    struct answer answers[QUESTIONS];
    uint64_t points = 0, unknown = 0;

    for (size_t i = 0; i < QUESTIONS; i++) {
        answers[i] = questions[i].answer(evidence);
        points += answers[i].known && answers[i].yes;
        unknown += !answers[i].known;
    }
    summary_begin(figures);
    say_uint(figures, "points", points);
    say_uint(figures, "unknown", unknown);
    say_text(figures, "verdict", points > POINTS_TO_FIX ? "fix it" : "fine as far as is known");
    summary_end(figures);
    tables_begin(figures);
    table_begin(figures, "questions", "One point each; more than 3: fix it", NULL);
    for (size_t i = 0; i < QUESTIONS; i++)
        write_question(figures, i, &answers[i]);
    table_end(figures);
    tables_end(figures);
}

enum status figures_score(struct figures *figures)
{
    struct evidence *evidence = malloc(sizeof(*evidence));
    enum status status = evidence ? read_evidence(figures, evidence) : STATUS_BUSY;

    if (status == STATUS_OK)
        evidence->attempts_least = figures->source->playbook->calls.attempts_least;
    if (status == STATUS_OK)
        write_score(figures, evidence);
    free(evidence);
    return status;
}
