/* How it goes, while it goes: a line that is written over a few times a second on a terminal, and a
 * plain one every five seconds anywhere else. The percentiles are those of the last whole second.
 *
 * A line that is wider than the terminal would wrap, and what has wrapped cannot be written over;
 * so the least important parts are left out first, and errors last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/output_words.h"
#include "bench/run_internal.h"
#include "proto/text.h"

#define TERMINAL_MS   250u
#define PLAIN_MS      5000u
#define LIVE_LINE_MAX 256u
#define BAR_CELLS     20u
#define COLUMNS_OTHER 80u
#define WIPE          "\r\033[K"

/* How much of it: each level has what the next has, and more. */
enum detail { DETAIL_BAR, DETAIL_ALL, DETAIL_FEW, DETAIL_LEAST };

bool run_is_living(FILE *stream)
{
    const char *terminal = getenv("TERM");

    return stream && isatty(fileno(stream)) == 1 && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

static size_t columns(FILE *stream)
{
    struct winsize size;

    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_OTHER;
    return size.ws_col;
}

static void put_bar(struct text *line, double share)
{
    char cells[BAR_CELLS];
    size_t full = (size_t)(share * BAR_CELLS);

    memset(cells, ' ', sizeof(cells));
    memset(cells, '#', full < BAR_CELLS ? full : BAR_CELLS);
    text_printf(line, "  [%.*s]", (int)sizeof(cells), cells);
}

static void put_rate(struct text *line, const struct run *run, const struct result_second *row,
                     enum detail detail)
{
    struct words wanted = words_rate(run->options->rate);

    if (row != NULL && run->options->rate > 0 && detail <= DETAIL_ALL)
        text_printf(line, "  %s of %s/s", words_count(row->acked).text, wanted.text);
    else if (row != NULL)
        text_printf(line, "  %s/s", words_count(row->acked).text);
    else if (run->options->rate > 0)
        text_printf(line, "  %s/s wanted", wanted.text);
}

/* Speed-to-lead where something is popped, else the answers. */
static void put_percentiles(struct text *line, const struct result_second *row, enum detail detail)
{
    bool leads = row->popped > 0 && row->lead_max_ns > 0;
    uint64_t p50_ns = leads ? row->lead_p50_ns : row->ack_p50_ns;
    uint64_t p99_ns = leads ? row->lead_p99_ns : row->ack_p99_ns;

    if (p99_ns == 0 || detail == DETAIL_LEAST)
        return;
    text_printf(line, "  %sp50 %s p99 %s",
                detail > DETAIL_ALL ? ""
                : leads             ? "lead "
                                    : "ack ",
                words_duration((double)p50_ns).text, words_duration((double)p99_ns).text);
}

static void put_end(struct text *line, const struct run *run)
{
    struct ledger_counts counts;

    ledger_count(run->ledger, &counts);
    text_printf(line, "  %s errors  %s waiting", words_count(run->sums.failed).text,
                words_count(counts.lost).text);
}

static const struct result_second *last_row(const struct run *run)
{
    const struct result *result = run->result;

    return result->second_count > 0 ? &result->seconds[result->second_count - 1] : NULL;
}

/* Nothing is sent any more, so there is no rate: what counts is how fast the rest comes out. */
static void compose_drain(const struct run *run, struct text *line)
{
    const struct result_second *row = last_row(run);

    text_printf(line, "drain %.0f s of %g at most", (double)(uv_hrtime() - run->done_ns) / 1e9,
                run->drain_most_s);
    if (row != NULL)
        text_printf(line, "  %s popped/s", words_count(row->popped).text);
    put_end(line, run);
}

static void compose_sending(struct run *run, struct text *line, enum detail detail)
{
    const struct result_second *row = last_row(run);
    double gone_s = run->start_ns > 0 ? (double)(uv_hrtime() - run->start_ns) / 1e9 : 0;
    double whole_s = run->options->duration_s + run->options->warmup_s;

    text_printf(line, "%s%.0f/%.0f s", run->measuring ? "" : "warm-up ", gone_s, whole_s);
    if (detail == DETAIL_BAR)
        put_bar(line, gone_s < whole_s ? gone_s / whole_s : 1);
    put_rate(line, run, row, detail);
    if (row != NULL)
        put_percentiles(line, row, detail);
    put_end(line, run);
}

static struct text compose(struct run *run, char *buffer, enum detail detail)
{
    struct text line = text_over(buffer, LIVE_LINE_MAX);

    if (run->sending)
        compose_sending(run, &line, detail);
    else
        compose_drain(run, &line);
    return line;
}

static void write_over(struct run *run, FILE *out)
{
    size_t most = columns(out) - 1; /* a full line would wrap */
    char buffer[LIVE_LINE_MAX];
    struct text line = compose(run, buffer, DETAIL_BAR);

    for (enum detail detail = DETAIL_ALL; line.length > most && detail <= DETAIL_LEAST; detail++)
        line = compose(run, buffer, detail);
    fprintf(out, "\r%.*s\033[K", (int)(line.length < most ? line.length : most), buffer);
}

static void on_live(uv_timer_t *timer)
{
    struct run *run = timer->data;
    FILE *out = run->options->progress;

    if (run_is_living(out)) {
        write_over(run, out);
    } else {
        char buffer[LIVE_LINE_MAX];
        struct text line = compose(run, buffer, DETAIL_ALL);
        fprintf(out, "%.*s\n", (int)line.length, buffer);
    }
    fflush(out);
}

void run_live_start(struct run *run)
{
    if (run->options->progress == NULL)
        return;
    unsigned each_ms = run_is_living(run->options->progress) ? TERMINAL_MS : PLAIN_MS;
    uv_timer_start(&run->live_timer, on_live, each_ms, each_ms);
}

void run_live_wipe(const struct run *run)
{
    if (!run_is_living(run->options->progress))
        return;
    fputs(WIPE, run->options->progress);
    fflush(run->options->progress);
}

void run_live_end(struct run *run)
{
    uv_timer_stop(&run->live_timer);
    run_live_wipe(run);
}
