/* A comparison as tables. Each figure is the median of its side's rounds, with the least and the
 * most behind it; each ratio is made of two rounds that ran one after the other, since the machine
 * is not the same from minute to minute. A round that failed is in none of them and is named. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench/compare.h"
#include "bench/median.h"
#include "proto/must.h"

#define COLUMNS_MAX      6
#define ROWS_MAX         (COMPARE_SIDES_MAX + 1)
#define CELL_MAX         160
#define GAP              2
#define TERMINAL_COLUMNS 80

/* What was set as the goal, of ratios at saturation. 0: none for it. */
static const struct target_ratio {
    const char *side;
    double rate_least, cpu_most;
} targets[] = {
    {"webdis", 1.3, 0.45},
    {"fastify-lmdb-bullmq", 13, 0},
    {"fastify-sqlite-bullmq", 20, 0},
    {"floor", 0.5, 0},
};

bool compare_is_figure(const struct compare_side *side, unsigned round)
{
    return side->rounds[round].ran && !side->rounds[round].failed[0];
}

/* --- figures -------------------------------------------------------------------------------- */

typedef double figure_fn(const struct result *result);

static double milliseconds(const struct result *result, enum result_latency which,
                           double percentile)
{
    return (double)hist_at(result->latency[which], percentile) / 1e6;
}

static double ack_p50(const struct result *result)
{
    return milliseconds(result, RESULT_ACK, 50);
}

static double ack_p99(const struct result *result)
{
    return milliseconds(result, RESULT_ACK, 99);
}

static double lead_p50(const struct result *result)
{
    return milliseconds(result, RESULT_LEAD, 50);
}

static double lead_p99(const struct result *result)
{
    return milliseconds(result, RESULT_LEAD, 99);
}

static double drain_ms(const struct result *result)
{
    return result->drain_s * 1e3;
}

struct spread {
    double median, least, most;
    unsigned count; /* 0: there is no figure */
};

static struct spread spread_of(double *values, unsigned count)
{
    struct spread spread = {.count = count};

    if (count == 0)
        return spread;
    spread.median = median_of(values, count); /* sorts them */
    spread.least = values[0];
    spread.most = values[count - 1];
    return spread;
}

static struct spread spread_of_side(const struct compare *compare, const struct compare_side *side,
                                    figure_fn *figure)
{
    double values[COMPARE_ROUNDS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < compare->round_count; i++)
        if (compare_is_figure(side, i))
            values[count++] = figure(&side->rounds[i].result);
    return spread_of(values, count);
}

/* Ours : theirs, of the rounds in which both have a figure. */
static struct spread spread_of_ratio(const struct compare *compare, const struct compare_side *side,
                                     figure_fn *figure)
{
    const struct compare_side *ours = &compare->sides[0];
    double values[COMPARE_ROUNDS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < compare->round_count; i++) {
        if (!compare_is_figure(ours, i) || !compare_is_figure(side, i))
            continue;
        double theirs = figure(&side->rounds[i].result);
        if (theirs > 0)
            values[count++] = figure(&ours->rounds[i].result) / theirs;
    }
    return spread_of(values, count);
}

/* --- a grid of texts ------------------------------------------------------------------------ */

struct grid {
    unsigned rows, columns;
    char cells[ROWS_MAX][COLUMNS_MAX][CELL_MAX];
};

static void set_cell(struct grid *grid, unsigned column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void set_cell(struct grid *grid, unsigned column, const char *format, ...)
{
    va_list arguments;

    MUST(grid->rows > 0 && grid->rows <= ROWS_MAX && column < COLUMNS_MAX);
    va_start(arguments, format);
    vsnprintf(grid->cells[grid->rows - 1][column], CELL_MAX, format, arguments);
    va_end(arguments);
    if (column >= grid->columns)
        grid->columns = column + 1;
}

/* As many columns of a terminal as it takes: one for each character, not for each byte. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;

    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static unsigned widest(const struct grid *grid, unsigned column)
{
    unsigned width = 0;

    for (unsigned row = 0; row < grid->rows; row++)
        if (width_of(grid->cells[row][column]) > width)
            width = width_of(grid->cells[row][column]);
    return width;
}

/* Some columns that stand side by side: the first one, which names the row, and those from `first`
 * up to `end`. */
struct block {
    unsigned first, end;
};

static bool is_in(struct block block, unsigned column)
{
    return column == 0 || (column >= block.first && column < block.end);
}

static bool has_cells(const struct grid *grid, unsigned row, struct block block)
{
    bool found = grid->columns == 1;

    for (unsigned column = block.first; column < block.end; column++)
        found |= grid->cells[row][column][0] != '\0';
    return found;
}

/* Behind the last cell that holds something there are no blanks. */
static void print_row(const struct grid *grid, unsigned row, struct block block,
                      const unsigned *widths, FILE *out)
{
    unsigned blanks = 0;

    for (unsigned column = 0; column < grid->columns; column++) {
        if (!is_in(block, column))
            continue;
        const char *cell = grid->cells[row][column];
        unsigned width = width_of(cell);
        if (width > 0)
            fprintf(out, "%*s%s", (int)blanks, "", cell);
        blanks = (width > 0 ? 0 : blanks) + widths[column] - width + GAP;
    }
    fputc('\n', out);
}

/* As many columns from `first` on as a terminal has room for, one at least. */
static struct block block_from(const struct grid *grid, unsigned first, const unsigned *widths)
{
    struct block block = {first, first};
    unsigned width = widths[0];

    while (block.end < grid->columns &&
           (block.end == first || width + GAP + widths[block.end] <= TERMINAL_COLUMNS))
        width += GAP + widths[block.end++];
    return block;
}

/* What is too wide goes on below, in rows of the same names. */
static void print_blocks(const struct grid *grid, const unsigned *widths, FILE *out)
{
    for (unsigned first = 1; first < grid->columns;) {
        struct block block = block_from(grid, first, widths);
        for (unsigned row = 0; row < grid->rows; row++)
            if (has_cells(grid, row, block))
                print_row(grid, row, block, widths, out);
        fputc('\n', out);
        first = block.end;
    }
}

static void print_markdown_row(const struct grid *grid, unsigned row, const unsigned *widths,
                               FILE *out)
{
    for (unsigned column = 0; column < grid->columns; column++) {
        const char *cell = grid->cells[row][column];
        fprintf(out, "| %s%*s ", cell, (int)(widths[column] - width_of(cell)), "");
    }
    fputs("|\n", out);
}

static void print_grid(const struct grid *grid, bool markdown, FILE *out)
{
    unsigned widths[COLUMNS_MAX];

    for (unsigned column = 0; column < grid->columns; column++)
        widths[column] = widest(grid, column);
    if (!markdown) {
        print_blocks(grid, widths, out);
        return;
    }
    for (unsigned row = 0; row < grid->rows; row++) {
        print_markdown_row(grid, row, widths, out);
        for (unsigned column = 0; row == 0 && column < grid->columns; column++)
            fprintf(out, "|---%s", column + 1 == grid->columns ? "|\n" : "");
    }
    fputc('\n', out);
}

/* 50 123 */
static void write_number(char *out, size_t capacity, double value, int digits)
{
    char plain[64];
    size_t length = (size_t)snprintf(plain, sizeof plain, "%.*f", digits, value);
    size_t whole = strcspn(plain, "."), at = 0;

    for (size_t i = 0; i < length && at + 2 < capacity; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            out[at++] = ' ';
        out[at++] = plain[i];
    }
    out[at] = '\0';
}

static void set_spread(struct grid *grid, unsigned column, struct spread spread, int digits,
                       const char *unit)
{
    char median[64], least[64], most[64];

    write_number(median, sizeof median, spread.median, digits);
    write_number(least, sizeof least, spread.least, digits);
    write_number(most, sizeof most, spread.most, digits);
    if (spread.count == 0)
        set_cell(grid, column, "-");
    else if (spread.count == 1)
        set_cell(grid, column, "%s%s", median, unit);
    else
        set_cell(grid, column, "%s%s (%s–%s)", median, unit, least, most);
}

/* --- the tables ----------------------------------------------------------------------------- */

struct column {
    const char *title;
    figure_fn *figure;
    int digits;
    bool of_tasks; /* a floor has none */
};

static const struct column work_columns[] = {
    {"requests/s", result_acked_per_second, 0, false},
    {"server, µs a request", result_server_us_per_optin, 1, false},
    {"Redis, µs a request", result_redis_us_per_optin, 1, true},
};
static const struct column latency_columns[] = {
    {"answered, ms: p50", ack_p50, 2, false},     {"p99", ack_p99, 2, false},
    {"popped, ms: p50", lead_p50, 2, true},       {"p99", lead_p99, 2, true},
    {"last popped after, ms", drain_ms, 0, true},
};
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static bool has_tasks(const struct compare *compare, const struct compare_side *side)
{
    for (unsigned i = 0; i < compare->round_count; i++)
        if (compare_is_figure(side, i) && side->rounds[i].result.popped > 0)
            return true;
    return false;
}

static void fill(struct grid *grid, unsigned first, const struct compare *compare,
                 const struct compare_side *side, const struct column *columns, size_t count)
{
    bool tasks = has_tasks(compare, side);

    for (unsigned i = 0; i < count; i++)
        if (columns[i].of_tasks && !tasks)
            set_cell(grid, first + i, "-");
        else
            set_spread(grid, first + i, spread_of_side(compare, side, columns[i].figure),
                       columns[i].digits, "");
}

static void print_work(const struct compare *compare, bool markdown, FILE *out)
{
    struct grid grid = {.rows = 1};

    set_cell(&grid, 0, "CPU and throughput");
    set_cell(&grid, 1, markdown ? "durable before the answer" : "durable");
    for (unsigned i = 0; i < LENGTH(work_columns); i++)
        set_cell(&grid, 2 + i, "%s", work_columns[i].title);
    for (unsigned i = 0; i < compare->side_count; i++) {
        grid.rows++;
        set_cell(&grid, 0, "%s", compare->sides[i].name);
        set_cell(&grid, 1, "%s", compare->sides[i].durable ? "yes" : "no");
        fill(&grid, 2, compare, &compare->sides[i], work_columns, LENGTH(work_columns));
    }
    print_grid(&grid, markdown, out);
}

static void print_latency(const struct compare *compare, bool markdown, FILE *out)
{
    struct grid grid = {.rows = 1};

    set_cell(&grid, 0, "latency");
    for (unsigned i = 0; i < LENGTH(latency_columns); i++)
        set_cell(&grid, 1 + i, "%s", latency_columns[i].title);
    for (unsigned i = 0; i < compare->side_count; i++) {
        grid.rows++;
        set_cell(&grid, 0, "%s", compare->sides[i].name);
        fill(&grid, 1, compare, &compare->sides[i], latency_columns, LENGTH(latency_columns));
    }
    print_grid(&grid, markdown, out);
}

/* All rounds together, those that failed too: they are what shows why. */
static void print_ledger(const struct compare *compare, bool markdown, FILE *out)
{
    struct grid grid = {.rows = 1};

    set_cell(&grid, 0, "all rounds");
    set_cell(&grid, 1, "acknowledged");
    set_cell(&grid, 2, "popped");
    set_cell(&grid, 3, "lost");
    set_cell(&grid, 4, "doubled");
    set_cell(&grid, 5, "rounds that hold");
    for (unsigned i = 0; i < compare->side_count; i++) {
        const struct compare_side *side = &compare->sides[i];
        uint64_t counts[4] = {0};
        unsigned hold = 0;
        for (unsigned round = 0; round < compare->round_count; round++) {
            const struct result *result = &side->rounds[round].result;
            hold += compare_is_figure(side, round);
            counts[0] += result->acked;
            counts[1] += result->popped;
            counts[2] += result->lost;
            counts[3] += result->doubled;
        }
        grid.rows++;
        set_cell(&grid, 0, "%s", side->name);
        for (unsigned column = 0; column < 4; column++) {
            char number[64];
            write_number(number, sizeof number, (double)counts[column], 0);
            set_cell(&grid, 1 + column, "%s", number);
        }
        set_cell(&grid, 5, "%u of %u", hold, compare->round_count);
    }
    print_grid(&grid, markdown, out);
}

static const struct target_ratio *target_of(const struct compare *compare, const char *side)
{
    if (compare->rate > 0) /* at a set rate all sides answer as much */
        return NULL;
    for (size_t i = 0; i < LENGTH(targets); i++)
        if (strcmp(targets[i].side, side) == 0)
            return &targets[i];
    return NULL;
}

static void set_target(struct grid *grid, const struct target_ratio *target, struct spread rate,
                       struct spread cpu)
{
    char wanted[64];
    bool reached = rate.median >= target->rate_least;

    snprintf(wanted, sizeof wanted, "≥ %g x", target->rate_least);
    if (target->cpu_most > 0) {
        size_t length = strlen(wanted);
        snprintf(wanted + length, sizeof wanted - length, ", CPU ≤ %g x", target->cpu_most);
        reached = reached && cpu.median <= target->cpu_most;
    }
    set_cell(grid, 3, "%s", wanted);
    set_cell(grid, 4, "%s", rate.count && cpu.count ? (reached ? "reached" : "not reached") : "-");
}

static void print_ratios(const struct compare *compare, bool markdown, FILE *out)
{
    struct grid grid = {.rows = 1};

    if (compare->side_count < 2)
        return;
    set_cell(&grid, 0, "ratios of neighbours");
    set_cell(&grid, 1, "requests/s");
    set_cell(&grid, 2, "CPU of the server a request");
    set_cell(&grid, 3, "target");
    for (unsigned i = 1; i < compare->side_count; i++) {
        const struct compare_side *side = &compare->sides[i];
        const struct target_ratio *target = target_of(compare, side->name);
        struct spread rate = spread_of_ratio(compare, side, result_acked_per_second);
        struct spread cpu = spread_of_ratio(compare, side, result_server_us_per_optin);
        grid.rows++;
        set_cell(&grid, 0, "%s : %s", compare->sides[0].name, side->name);
        set_spread(&grid, 1, rate, 2, " x");
        set_spread(&grid, 2, cpu, 2, " x");
        if (target)
            set_target(&grid, target, rate, cpu);
    }
    print_grid(&grid, markdown, out);
}

/* --- what it was measured on ---------------------------------------------------------------- */

static void print_troubles(const struct compare *compare, FILE *out)
{
    for (unsigned i = 0; i < compare->side_count; i++)
        for (unsigned round = 0; round < compare->round_count; round++) {
            const struct compare_round *one = &compare->sides[i].rounds[round];
            if (one->failed[0])
                fprintf(out, "FAILED: %s, round %u: %s\n", compare->sides[i].name, round + 1,
                        one->failed);
            else if (one->ran && one->result.bench_was_the_limit)
                fprintf(out, "note: %s, round %u: the sender was the limit: %s\n",
                        compare->sides[i].name, round + 1, one->result.limit_why);
        }
}

/* That of its rounds; "" for a peer, and where none ran. */
static const char *playbook_of(const struct compare *compare, const struct compare_side *side)
{
    for (unsigned round = 0; round < compare->round_count; round++)
        if (side->rounds[round].ran)
            return side->rounds[round].result.playbook;
    return "";
}

static void print_about(const struct compare *compare, FILE *out)
{
    fprintf(out, "command: %s\n", compare->command);
    if (compare->rate > 0)
        fprintf(out, "load: open loop, %.0f/s", compare->rate);
    else
        fprintf(out, "load: closed loop");
    fprintf(out, ", %u connections, %u round%s of %g s; one consumer, the same for all\n",
            compare->connections, compare->round_count, compare->round_count == 1 ? "" : "s",
            compare->duration_s);
    fprintf(out, "machine: %u cores, %s, %s, Linux %s, load %.2f before\n", compare->machine.cores,
            compare->machine.processor, compare->machine.system, compare->machine.kernel,
            compare->machine.load1);
    if (compare->disk.simulated_us > 0)
        fprintf(out,
                "disk: SIMULATED for all servers: no sync was made, each took %u µs instead, and "
                "nothing was durable; Redis had the real one\n",
                compare->disk.simulated_us);
    fprintf(out, "%sdisk: %s, fdatasync p50 %.0f µs, p99 %.0f µs\n",
            compare->disk.simulated_us > 0 ? "real " : "", compare->disk.file_system,
            (double)compare->disk.fdatasync_p50_ns / 1e3,
            (double)compare->disk.fdatasync_p99_ns / 1e3);
    fprintf(out, "versions: %s; Redis with %s\n", compare->versions, compare->redis_settings);
    for (unsigned i = 0; i < compare->side_count; i++) {
        const struct compare_side *side = &compare->sides[i];
        const char *playbook = playbook_of(compare, side);
        fprintf(out, "%s: %s%s%s%s%s%s\n", side->name, side->does, side->version[0] ? " (" : "",
                side->version, side->version[0] ? ")" : "", playbook[0] ? "; playbook " : "",
                playbook);
    }
}

void compare_print(const struct compare *compare, bool markdown, FILE *out)
{
    print_work(compare, markdown, out);
    print_latency(compare, markdown, out);
    print_ratios(compare, markdown, out);
    print_ledger(compare, markdown, out);
    if (compare->cut_short)
        fprintf(out, "CUT SHORT by Ctrl-C: rounds that are missing were not measured\n");
    print_troubles(compare, out);
    print_about(compare, out);
}
