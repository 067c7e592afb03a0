/* How it goes, while it goes: a line that is written over a few times a second on a terminal, and a
 * plain one every five seconds anywhere else. The percentiles are those of the last whole second.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/run_internal.h"
#include "proto/text.h"

#define TERMINAL_MS   250u
#define PLAIN_MS      5000u
#define LIVE_LINE_MAX 256u
#define BAR_CELLS     20u
#define COLUMNS_OTHER 80u

static bool is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

static size_t columns(FILE *stream)
{
    struct winsize size;

    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_OTHER;
    return size.ws_col;
}

static void put_duration(struct text *line, const char *name, uint64_t ns)
{
    double ms = (double)ns / 1e6;

    text_printf(line, "  %s %.*f ms", name, ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

static void put_bar(struct text *line, double share)
{
    char cells[BAR_CELLS];
    size_t full = (size_t)(share * BAR_CELLS);

    memset(cells, ' ', sizeof(cells));
    memset(cells, '#', full < BAR_CELLS ? full : BAR_CELLS);
    text_printf(line, "  [%.*s]", (int)sizeof(cells), cells);
}

static void put_rate(struct text *line, const struct run *run, const struct result_second *row)
{
    if (row != NULL)
        text_printf(line, "  %llu/s", (unsigned long long)row->acked);
    if (run->options->rate > 0)
        text_printf(line, row ? " of %.0f/s" : "  %.0f/s wanted", run->options->rate);
}

/* Speed-to-lead where something is popped, else the answers. */
static void put_percentiles(struct text *line, const struct result_second *row)
{
    bool leads = row->popped > 0 && row->lead_max_ns > 0;

    put_duration(line, leads ? "lead p50" : "ack p50", leads ? row->lead_p50_ns : row->ack_p50_ns);
    put_duration(line, "p99", leads ? row->lead_p99_ns : row->ack_p99_ns);
}

static const char *phase_of(const struct run *run)
{
    if (!run->sending)
        return "drain ";
    return run->measuring ? "" : "warm-up ";
}

static void compose(struct run *run, struct text *line, bool bar)
{
    const struct result *result = run->result;
    const struct result_second *row =
        result->second_count > 0 ? &result->seconds[result->second_count - 1] : NULL;
    double gone_s = run->start_ns > 0 ? (double)(uv_hrtime() - run->start_ns) / 1e9 : 0;
    double whole_s = run->options->duration_s + run->options->warmup_s;
    struct ledger_counts counts;

    ledger_count(run->ledger, &counts);
    text_printf(line, "%s%.0f/%.0f s", phase_of(run), gone_s, whole_s);
    if (bar)
        put_bar(line, gone_s < whole_s ? gone_s / whole_s : 1);
    put_rate(line, run, row);
    if (row != NULL)
        put_percentiles(line, row);
    text_printf(line, "  errors %llu  waiting %llu", (unsigned long long)run->sums.failed,
                (unsigned long long)counts.lost);
}

static void on_live(uv_timer_t *timer)
{
    struct run *run = timer->data;
    FILE *out = run->options->progress;
    bool living = is_terminal(out);
    char buffer[LIVE_LINE_MAX];
    struct text line = text_over(buffer, sizeof(buffer));

    compose(run, &line, living);
    if (living) {
        size_t most = columns(out) - 1; /* a full line would wrap */
        fprintf(out, "\r%.*s\033[K", (int)(line.length < most ? line.length : most), buffer);
    } else {
        fprintf(out, "%.*s\n", (int)line.length, buffer);
    }
    fflush(out);
}

void run_live_start(struct run *run)
{
    if (run->options->progress == NULL)
        return;
    unsigned each_ms = is_terminal(run->options->progress) ? TERMINAL_MS : PLAIN_MS;
    uv_timer_start(&run->live_timer, on_live, each_ms, each_ms);
}

void run_live_end(struct run *run)
{
    uv_timer_stop(&run->live_timer);
    if (run->options->progress != NULL && is_terminal(run->options->progress)) {
        fprintf(run->options->progress, "\r\033[K");
        fflush(run->options->progress);
    }
}
