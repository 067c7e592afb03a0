/* Who does the work: the board of owners, and the robots' part. */
#include <stdlib.h>

#include "server/figures_internal.h"

/* --- board ---------------------------------------------------------------------------------- */

#define STAGES_COUNTED (TALLY_BOARD_STAGE + 1)

struct owned {
    uint64_t owner;
    uint64_t open[STAGES_COUNTED], over[STAGES_COUNTED];
};

struct board {
    struct figures *figures;
    uint64_t in_stage[STAGES_COUNTED]; /* of all owners */
    uint64_t owners;
};

static void write_place(struct figures *figures, const struct owned *owned, unsigned stage)
{
    const struct playbook *playbook = figures->source->playbook;
    const struct row row = {.key = owned->owner};
    bool is_known = stage > 0 && stage <= playbook->stages.count;

    row_begin(figures);
    if (owned->owner == 0)
        say_text(figures, "owner", NULL);
    else
        say_label(figures, "owner", TALLY_OWNER, &row);
    say_slice(figures, "stage",
              is_known ? playbook->stages.items[stage - 1].id : (struct slice){0});
    say_uint(figures, "people", owned->open[stage] + owned->over[stage]);
    say_uint(figures, "over", owned->over[stage]);
    row_end(figures);
}

static void write_owned(struct figures *figures, const struct owned *owned)
{
    for (unsigned stage = 0; stage < STAGES_COUNTED; stage++)
        if (owned->open[stage] + owned->over[stage] > 0)
            write_place(figures, owned, stage);
}

static bool add_owner(void *owner, const struct tally_view *cell)
{
    struct board *board = owner;
    const struct figures_source *source = board->figures->source;
    struct owned owned = {.owner = cell->key.value};

    if (!source->is_agent(source->owner, (uint32_t)owned.owner))
        return true;
    for (size_t i = 0; i < cell->count; i++) {
        uint64_t entry = tally_view_entry(cell, i), count = tally_count_of(entry);
        unsigned bin = tally_bin_of(entry), stage = bin & TALLY_BOARD_STAGE;
        if (bin & TALLY_BOARD_OVER)
            owned.over[stage] += count;
        else
            owned.open[stage] += count;
        board->in_stage[stage] += count;
    }
    board->owners += cell->count > 0;
    write_owned(board->figures, &owned);
    return true;
}

static enum status write_owners(struct board *board)
{
    struct figures *figures = board->figures;
    uint32_t first = figures->query->agency != 0 ? figures->query->agency : 1;
    uint32_t last = figures->query->agency != 0 ? first : figures->source->agencies;
    enum status status = STATUS_OK;

    for (uint32_t agency = first; status == STATUS_OK && agency <= last; agency++)
        status = state_read_tally(figures->source->state, agency, TALLY_BOARD, TALLY_OWNER, 0, 0,
                                  add_owner, board);
    return status;
}

/* Everybody whom none of those has; how many of them are over is not known. */
static void write_unowned(struct board *board, const struct sum *stages)
{
    struct owned nobodys = {0};

    for (unsigned stage = 1; stage < STAGES_COUNTED; stage++)
        if (stages->bins[stage] > board->in_stage[stage])
            nobodys.open[stage] = stages->bins[stage] - board->in_stage[stage];
    write_owned(board->figures, &nobodys);
}

static bool is_worked(const struct figures *figures, const struct person_row *row,
                      const struct task_row *task)
{
    (void)figures;
    (void)task;
    return row->optins > 0 && row->closed == PERSON_WORKED;
}

/* As it stands now: of all days and all sides. */
enum status figures_board(struct figures *figures)
{
    const struct figures_query all = {.name = figures->query->name,
                                      .agency = figures->query->agency,
                                      .day_last = UINT32_MAX,
                                      .side = TALLY_ALL};
    struct figures everybody = {.source = figures->source, .query = &all, .out = figures->out};
    struct board board = {.figures = figures};
    const struct list_of worked = {.wanted = is_worked};
    struct sum *stages = malloc(sizeof(*stages));
    enum status status = stages ? stages_read(&everybody, stages) : STATUS_BUSY;
    uint64_t next = 0;

    if (status == STATUS_OK) {
        summary_begin(figures);
        say_uint(figures, "people", stages->count + stages->bins[1]);
        summary_end(figures);
        tables_begin(figures);
        table_begin_over(figures, days_all(figures), "board", "By owner and stage", "people");
        status = write_owners(&board);
        write_unowned(&board, stages);
        table_end(figures);
        if (status == STATUS_OK)
            status = list_people(figures, "Who is being worked", true, &worked, &next);
        tables_end(figures);
        list_next(figures, next);
    }
    free(stages);
    return status;
}

/* --- robots --------------------------------------------------------------------------------- */

struct work {
    struct sum steps, rungs;
    uint64_t calls; /* first responses */
};

static void write_share(struct figures *figures, const char *work, uint64_t robots, uint64_t people)
{
    row_begin(figures);
    say_text(figures, "work", work);
    say_uint(figures, "robots", robots);
    say_uint(figures, "people", people);
    say_share(figures, "robots", robots, robots + people);
    row_end(figures);
}

static void write_cadence(struct figures *figures, const struct sum *steps, unsigned cadence)
{
    const struct playbook *playbook = figures->source->playbook;
    uint64_t robots = steps->bins[cadence | TALLY_BY_ROBOT], people = steps->bins[cadence];
    char name[256];

    if (robots + people == 0)
        return;
    if (cadence <= playbook->cadences.count)
        snprintf(name, sizeof(name), "cadence %.*s",
                 (int)playbook->cadences.items[cadence - 1].id.length,
                 playbook->cadences.items[cadence - 1].id.bytes);
    else
        snprintf(name, sizeof(name), "cadence %u", cadence);
    write_share(figures, name, robots, people);
}

static uint64_t by_robots(const struct sum *sum)
{
    return sum_between(sum, TALLY_BY_ROBOT, 2 * TALLY_BY_ROBOT - 1);
}

static void write_work(struct figures *figures, const struct work *work)
{
    uint64_t robots = by_robots(&work->steps) + by_robots(&work->rungs);
    uint64_t people = work->steps.count - by_robots(&work->steps) + work->calls;

    summary_begin(figures);
    say_uint(figures, "robots", robots);
    say_uint(figures, "people", people);
    say_share(figures, "robots", robots, robots + people);
    summary_end(figures);
    tables_begin(figures);
    table_begin(figures, "work", "Who does it", "robots_percent");
    write_share(figures, "first responses", 0, work->calls);
    write_share(figures, "planned calls", 0, work->steps.bins[0]);
    write_share(figures, "escalations", by_robots(&work->rungs), 0);
    for (unsigned cadence = 1; cadence < TALLY_BY_ROBOT; cadence++)
        write_cadence(figures, &work->steps, cadence);
    table_end(figures);
    tables_end(figures);
}

enum status figures_robots(struct figures *figures)
{
    const enum tally_kind kind = TALLY_OPTIN;
    struct work *work = malloc(sizeof(*work));
    struct rows rows = {0};
    enum status status = work ? sum_read(figures, TALLY_STEP, &work->steps) : STATUS_BUSY;

    if (status == STATUS_OK)
        status = sum_read(figures, TALLY_RUNG, &work->rungs);
    if (status == STATUS_OK)
        status = rows_read(figures, &kind, 1, TALLY_ALL, FIGURES_BY_MONTH, &rows);
    if (status == STATUS_OK) {
        work->calls = rows_total(&rows).counts[MEASURE_OWED];
        write_work(figures, work);
    }
    rows_free(&rows);
    free(work);
    return status;
}
