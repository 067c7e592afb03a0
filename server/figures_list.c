/* Lists of people in reports: read in pages, each of a bounded number of rows. */
#include "proto/id.h"
#include "proto/report.h"
#include "server/engine.h"
#include "server/figures_internal.h"

#define LIST_LOOKS 20000 /* rows that one page may pass over: some ms */

struct list {
    struct figures *figures;
    const struct list_of *of;
    unsigned shown;
};

static bool is_in_scope(const struct list *list, const struct person_row *row,
                        const struct task_row *task)
{
    const struct figures_query *query = list->figures->query;
    uint64_t moment =
        list->of->moment != NULL ? list->of->moment(list->figures, row, task) : row->first_ms;
    uint64_t day = moment / DAY_MS;

    if (day < query->day_first || day > query->day_last)
        return false;
    switch (query->side) {
    case TALLY_SITE:
        return query->value == row->first_site;
    case TALLY_SOURCE:
        return query->value == row->source;
    case TALLY_CAMPAIGN:
        return query->value == row->campaign;
    case TALLY_OWNER:
        return query->value == row->owner;
    default:
        return true;
    }
}

/* --- one of them ------------------------------------------------------------------------ */

static struct slice stage_of(const struct playbook *playbook, unsigned stage)
{
    return stage > 0 && stage <= playbook->stages.count ? playbook->stages.items[stage - 1].id
                                                        : (struct slice){0};
}

static void write_owner(struct figures *figures, uint32_t owner)
{
    const struct row row = {.key = owner};

    if (owner == 0 || !figures->source->is_agent(figures->source->owner, owner))
        say_text(figures, "owner", NULL);
    else
        say_label(figures, "owner", TALLY_OWNER, &row);
}

/* From the first opt-in to the first attempt, or until now. */
static uint64_t waited_ms(const struct figures *figures, const struct person_row *row)
{
    uint64_t until_ms = row->contact_ms != 0 ? row->contact_ms : figures->source->now_ms;

    return until_ms > row->first_ms ? until_ms - row->first_ms : 0;
}

static uint64_t promised_ms(const struct person_row *row, const struct task_row *task)
{
    return task->promise_ms != 0 ? task->promise_ms : row->missed_s * 1000ull;
}

static void write_person(struct figures *figures, uint64_t number, const struct person_row *row,
                         const struct task_row *task)
{
    const struct figures_source *source = figures->source;
    uint64_t waited = waited_ms(figures, row);
    char id[ID_TEXT_LENGTH + 1];

    id_format(id, source->id_key, ID_PERSON, row->first_ms, number);
    id[ID_TEXT_LENGTH] = '\0';
    row_begin(figures);
    say_text(figures, "person", id);
    say_ms(figures, "first_ms", true, row->first_ms);
    say_ms(figures, "last_ms", true, row->last_ms);
    write_owner(figures, row->owner);
    say_slice(figures, "stage", stage_of(source->playbook, row->stage));
    say_ms(figures, "contact_ms", row->contact_ms != 0, row->contact_ms);
    say_ms(figures, "waited_ms", true, waited);
    say_uint(figures, "odds_lost_times", odds_after(source->playbook, waited));
    say_ms(figures, "next_ms", task->number != 0 || row->due_ms != 0,
           task->number != 0 ? task->deadline_ms : row->due_ms);
    say_uint(figures, "attempts", row->attempts);
    say_text(figures, "conversed", row->conversed_ms != 0 ? "yes" : "no");
    say_text(figures, "outcome", row->end != 0 ? outcome_name(row->end) : NULL);
    say_ms(figures, "promised_ms", promised_ms(row, task) != 0, promised_ms(row, task));
    row_end(figures);
}

static bool list_person(void *owner, uint64_t number, const struct person_row *row,
                        const struct task_row *task)
{
    struct list *list = owner;
    uint32_t agency = list->figures->query->agency;
    struct task_row call;

    /* Who is another one now is listed as that one. */
    if (row->closed == PERSON_MERGED || (agency != 0 && agency != row->agency))
        return true;
    if (state_read_call(list->figures->source->state, number, row, task, &call))
        task = &call;
    if (!list->of->wanted(list->figures, row, task) || !is_in_scope(list, row, task))
        return true;
    write_person(list->figures, number, row, task);
    return ++list->shown < list->figures->query->limit;
}

enum status list_people(struct figures *figures, const char *title, bool any,
                        const struct list_of *of, uint64_t *next_out)
{
    struct list list = {.figures = figures, .of = of};
    enum status status = STATUS_OK;

    *next_out = 0;
    table_begin_over(figures, days_of(figures, TALLY_ALL), "people", title, NULL);
    if (any)
        status = state_read_people(figures->source->state, figures->query->after, LIST_LOOKS,
                                   list_person, &list, next_out);
    table_end(figures);
    return status;
}

void list_next(struct figures *figures, uint64_t next)
{
    if (next == 0)
        text_string(figures->out, ",\"next\":null");
    else
        text_printf(figures->out, ",\"next\":\"%llu\"", (unsigned long long)next);
}

/* --- late, and never -------------------------------------------------------------------- */

/* Tests, and what a robot has sent, are nobody. */
static bool is_somebody(const struct person_row *row)
{
    return row->optins > 0 && row->closed != PERSON_NOT_STARTED;
}

/* As TALLY_SETTLED tells of people. */
static bool is_pending(const struct person_row *row, const struct task_row *task)
{
    return task->number != 0 && task->kind == TASK_FIRST_RESPONSE &&
           task->optin_seq == row->first_seq && !(task->flags & TASK_BREACHED);
}

static bool is_untried(const struct figures *figures, const struct person_row *row,
                       const struct task_row *task)
{
    (void)figures;
    return is_somebody(row) && row->contact_ms == 0 && !is_pending(row, task);
}

/* Who was to be called: a list that was imported, and who cannot be reached, has no such clock. */
static bool is_late(const struct figures *figures, const struct person_row *row,
                    const struct task_row *task)
{
    bool waits = task->number != 0 && task->kind == TASK_FIRST_RESPONSE;

    return is_somebody(row) && (row->contact_ms != 0 || waits) &&
           odds_after(figures->source->playbook, waited_ms(figures, row)) > 1;
}

static enum status count_people(struct figures *figures, struct row *total_out)
{
    static const enum tally_kind kinds[] = {TALLY_OPTIN, TALLY_STANDING, TALLY_SETTLED};
    struct rows rows = {0};
    enum status status = rows_read(figures, kinds, 3, TALLY_ALL, FIGURES_BY_MONTH, &rows);

    *total_out = rows_total(&rows);
    rows_free(&rows);
    return status;
}

enum status figures_no_response(struct figures *figures)
{
    const struct list_of untried = {.wanted = is_untried};
    struct row total;
    enum status status = count_people(figures, &total);
    uint64_t people = total.counts[MEASURE_PEOPLE], pending = row_pending_people(&total), next = 0;
    uint64_t count = left_of(people, total.counts[MEASURE_CONTACTED] + pending);

    if (status != STATUS_OK)
        return status;
    summary_begin(figures);
    say_uint(figures, "people", people);
    say_uint(figures, "no_response", count);
    say_share(figures, "no_response", count, left_of(people, pending));
    say_uint(figures, "pending", pending);
    summary_end(figures);
    tables_begin(figures);
    status = list_people(figures, "Whom nobody has tried to reach", count > 0, &untried, &next);
    tables_end(figures);
    constants_begin(figures);
    constant(figures, "usual", "percent", 50, "a study of how businesses answer inquiries");
    constants_end(figures);
    list_next(figures, next);
    return status;
}

enum status figures_late(struct figures *figures)
{
    const struct list_of late = {.wanted = is_late};
    const struct playbook *playbook = figures->source->playbook;
    enum status status;
    uint64_t next = 0;

    summary_begin(figures);
    say_ms(figures, "late_after_ms", playbook->odds.count > 0,
           playbook->odds.count > 0 ? playbook_span_about(playbook->odds.items[0].after) : 0);
    summary_end(figures);
    tables_begin(figures);
    status = list_people(figures, "Who waited too long, or still does", true, &late, &next);
    tables_end(figures);
    constants_begin(figures);
    for (uint32_t i = 0; i < playbook->odds.count; i++)
        constant(figures, "odds_lost", "times", playbook->odds.items[i].times,
                 "the playbook; from one book on business-to-business calls, no law of nature");
    constants_end(figures);
    list_next(figures, next);
    return status;
}

/* --- the graveyard ------------------------------------------------------------------------ */

static uint64_t cold_after(const struct figures *figures)
{
    return figures->query->cold_ms != 0
               ? figures->query->cold_ms
               : playbook_span_about(figures->source->playbook->graveyard.cold_after);
}

static bool note_last(void *owner, const struct tally_view *cell)
{
    uint64_t *last_ms = owner;

    *last_ms = cell->max;
    return true;
}

uint64_t figures_woken_until(struct state_reader *state, const struct playbook *playbook,
                             uint32_t agency)
{
    uint64_t last_ms = 0;

    (void)state_read_tally(state, agency, TALLY_WOKEN, TALLY_ALL, 0, 0, note_last, &last_ms);
    return engine_wake_slot(playbook, last_ms, 0);
}

static bool is_cold(const struct figures *figures, const struct person_row *row,
                    const struct task_row *task)
{
    const struct figures_source *source = figures->source;

    /* What was given out costs a look, which most rows are not worth. */
    return engine_is_cold(row, task, source->now_ms, cold_after(figures), 0) &&
           engine_is_cold(row, task, source->now_ms, cold_after(figures),
                          figures_woken_until(source->state, source->playbook, row->agency));
}

enum status figures_graveyard(struct figures *figures)
{
    const struct list_of cold = {.wanted = is_cold};
    const struct playbook_graveyard *graveyard = &figures->source->playbook->graveyard;
    enum status status;
    uint64_t next = 0;

    summary_begin(figures);
    say_ms(figures, "cold_for_ms", true, cold_after(figures));
    summary_end(figures);
    tables_begin(figures);
    status = list_people(figures, "Who went cold, and may be taken up again", true, &cold, &next);
    tables_end(figures);
    constants_begin(figures);
    constant(figures, "cold_after", "ms", (double)playbook_span_about(graveyard->cold_after),
             "the playbook; taken where --cold-for is not given");
    constant(figures, "most_a_day", "people", graveyard->per_day,
             "the playbook: at most so many are taken up again");
    constants_end(figures);
    list_next(figures, next);
    return status;
}
