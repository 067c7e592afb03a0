/* Rows: what happened in each second since the measuring began, and what server and Redis spent in
 * it. /proc is read on libuv's thread pool, because a server with many threads takes a millisecond
 * of it, in which the sender would send nothing. */
#include <stdlib.h>

#include "bench/run_internal.h"
#include "proto/must.h"

#define ROWS_FIRST    64u
#define BEGIN_LOOK_MS 1u

bool run_seconds_open(struct run *run)
{
    run->second_ack = hist_open();
    run->second_lead = hist_open();
    run->result->seconds = calloc(ROWS_FIRST, sizeof(*run->result->seconds));
    run->second_capacity = ROWS_FIRST;
    return run->second_ack && run->second_lead && run->result->seconds;
}

void run_seconds_close(struct run *run)
{
    hist_close(run->second_ack);
    hist_close(run->second_lead);
}

/* --- CPU and memory -------------------------------------------------------------------------- */

static void look(uv_work_t *work)
{
    struct run *run = work->data;
    struct run_sample *sample = &run->sample; /* nobody else's while it is under way */

    sample->server_lives =
        sample->server.pid > 0 && process_use(&sample->server, &sample->server_use);
    sample->redis_lives = sample->redis.pid > 0 && process_use(&sample->redis, &sample->redis_use);
}

/* What was spent since the last look. A process that was started anew counts from zero. */
static uint64_t spend(struct run_cpu *cpu, const struct process_use *use, bool first)
{
    uint64_t now_us = use->user_us + use->system_us;
    uint64_t spent_us = now_us >= cpu->seen_us ? now_us - cpu->seen_us : now_us;

    cpu->seen_us = now_us;
    if (first)
        return 0;
    cpu->sum_us += spent_us;
    return spent_us;
}

static void on_looked(uv_work_t *work, int status)
{
    struct run *run = work->data;
    struct run_sample *sample = &run->sample;
    struct result_second *row =
        sample->row < run->result->second_count ? &run->result->seconds[sample->row] : NULL;

    (void)status;
    sample->under_way = false;
    uint64_t server_us =
        sample->server_lives ? spend(&run->server_cpu, &sample->server_use, sample->first) : 0;
    uint64_t redis_us =
        sample->redis_lives ? spend(&run->redis_cpu, &sample->redis_use, sample->first) : 0;
    if (sample->server_lives && sample->server_use.resident_bytes_max > run->server_resident_max)
        run->server_resident_max = sample->server_use.resident_bytes_max;
    if (row == NULL || sample->first)
        return;
    row->server_cpu_us = server_us;
    row->redis_cpu_us = redis_us;
    row->server_resident_bytes = sample->server_lives ? sample->server_use.resident_bytes : 0;
}

static void sample_prepare(struct run *run, bool first)
{
    run->sample = (struct run_sample){.under_way = true,
                                      .first = first,
                                      .row = run->second,
                                      .server = run->target->server,
                                      .redis = run->target->redis};
    run->sample.work.data = run;
}

/* One that takes longer than a second leaves the next rows to the look behind it. */
static void sample_start(struct run *run, bool first)
{
    if (run->sample.under_way)
        return;
    sample_prepare(run, first);
    MUST(uv_queue_work(&run->loop, &run->sample.work, look, on_looked) == 0);
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct run_sums sums_now(struct run *run)
{
    struct run_sums sums = run->sums;
    struct load_counts counts;

    load_count(run->load, &counts);
    sums.intended = counts.intended;
    sums.sent = counts.sent;
    return sums;
}

static struct result_second *next_row(struct run *run)
{
    struct result *result = run->result;

    if (result->second_count == run->second_capacity) {
        run->second_capacity *= 2;
        result->seconds = realloc(result->seconds, run->second_capacity * sizeof(*result->seconds));
        MUST(result->seconds != NULL);
    }
    return &result->seconds[result->second_count++];
}

static void end_row(struct run *run)
{
    struct run_sums now = sums_now(run), before = run->second_sums;

    *next_row(run) = (struct result_second){
        .second = run->second,
        .intended = now.intended - before.intended,
        .sent = now.sent - before.sent,
        .acked = now.acked - before.acked,
        .failed = now.failed - before.failed,
        .popped = now.popped - before.popped,
        .ack_p50_ns = hist_at(run->second_ack, 50),
        .ack_p99_ns = hist_at(run->second_ack, 99),
        .ack_max_ns = hist_max_ns(run->second_ack),
        .lead_p50_ns = hist_at(run->second_lead, 50),
        .lead_p99_ns = hist_at(run->second_lead, 99),
        .lead_max_ns = hist_max_ns(run->second_lead),
    };
    run->second_sums = now;
    hist_clear(run->second_ack);
    hist_clear(run->second_lead);
}

static void on_second(uv_timer_t *timer);

/* By the clock, not by the timer's period: rows do not drift. */
static void await_second(struct run *run, uint64_t seconds)
{
    uint64_t due_ns = run->measure_ns + seconds * NS_PER_S, now_ns = uv_hrtime();

    uv_update_time(&run->loop);
    uv_timer_start(&run->second_timer, on_second,
                   due_ns > now_ns ? (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static void begin_rows(struct run *run)
{
    run->measuring = true;
    if (run->measure_ns > run->start_ns) { /* else all that has come is of the first row */
        run->second_sums = sums_now(run);
        hist_clear(run->second_ack);
        hist_clear(run->second_lead);
    }
    getrusage(RUSAGE_SELF, &run->own_use);
    sample_start(run, true);
}

static void end_second(struct run *run)
{
    end_row(run);
    sample_start(run, false);
    if (run->options->on_second != NULL)
        run->options->on_second(run->options->owner, run->second);
    run->second++;
}

static void on_second(uv_timer_t *timer)
{
    struct run *run = timer->data;

    if (run->measuring)
        end_second(run);
    else
        begin_rows(run);
    await_second(run, run->second + 1);
}

/* --- the beginning --------------------------------------------------------------------------- */

bool run_has_begun(struct run *run)
{
    uint64_t now_ns = uv_hrtime();
    struct load_counts counts;

    if (run->start_ns > 0)
        return true;
    load_count(run->load, &counts);
    if (counts.elapsed_ns == 0)
        return false;
    run->start_ns = now_ns - counts.elapsed_ns; /* or a hair earlier */
    run->measure_ns = run->start_ns + (uint64_t)(run->options->warmup_s * 1e9);
    return true;
}

static void on_begin_look(uv_timer_t *timer)
{
    struct run *run = timer->data;

    if (run_has_begun(run))
        await_second(run, 0);
}

void run_seconds_start(struct run *run)
{
    uv_timer_start(&run->second_timer, on_begin_look, 0, BEGIN_LOOK_MS);
}

void run_seconds_end(struct run *run)
{
    uv_timer_stop(&run->second_timer);
    while (run->sample.under_way)
        uv_run(&run->loop, UV_RUN_ONCE);
    if (!run->measuring) /* ended in its warm-up */
        return;
    end_row(run);
    sample_prepare(run, false);
    look(&run->sample.work);
    on_looked(&run->sample.work, 0);
}
