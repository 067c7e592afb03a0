/* One measured run, on one loop of its own: the warm-up and the measured time are one load, of
 * which the first part is not counted; then a drain, until no task is missing or the patience is
 * over; then the server is asked what it thinks that it has done. */
#include "bench/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/interrupt.h"
#include "bench/run_internal.h"
#include "proto/must.h"

#define TIMEOUT_MS      10000u
#define DRAIN_S         10.0
#define PATIENCE_S      10.0
#define DRAIN_LOOK_MS   5u
#define QUIET_NS        (20 * NS_PER_MS)
#define QUIET_NS_UNSURE (500 * NS_PER_MS)
#define EXPECTED_MAX    50000000.0 /* opt-ins; a ledger of more grows */
#define EXPECTED_CLOSED 60000.0    /* a second, of a closed loop */
#define CTRL_C_EXIT     130        /* as a shell would say it */

/* --- the drain ------------------------------------------------------------------------------- */

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Where answers were lost, persons known already opted in, or some have had an e-mail and others
 * not, nobody knows how many tasks are to come: then it has to be quiet for longer. What was left
 * would come out in the next run. */
static bool is_drained(const struct run *run, uint64_t now_ns)
{
    uint64_t quiet_since_ns = later(run->done_ns, later(run->last_pop_ns, run->last_email_ns));
    struct ledger_counts counts;

    if (run->options->mode == CONSUME_NOTHING || run->options->consumers == 0)
        return true;
    ledger_count(run->ledger, &counts);
    bool unsure = run->unanswered > 0 || run->returning > 0 ||
                  (counts.emailed > 0 && counts.emails_missing > 0);
    return counts.lost == 0 && now_ns - quiet_since_ns > (unsure ? QUIET_NS_UNSURE : QUIET_NS);
}

static void on_drain(uv_timer_t *timer)
{
    struct run *run = timer->data;
    uint64_t now_ns = uv_hrtime();

    if (!is_drained(run, now_ns) && (double)(now_ns - run->done_ns) / 1e9 < run->drain_most_s)
        return;
    run->over = true;
    uv_timer_stop(timer);
    uv_stop(&run->loop);
}

static void on_load_done(void *owner)
{
    struct run *run = owner;

    run->sending = false;
    run->done_ns = uv_hrtime();
    uv_timer_stop(&run->patience_timer);
    uv_timer_start(&run->drain_timer, on_drain, 0, DRAIN_LOOK_MS);
}

/* A server that is far slower than its load would be sent the rest for minutes. */
static void on_patience(uv_timer_t *timer)
{
    struct run *run = timer->data;
    load_stop(run->load);
}

static void end_early(struct run *run)
{
    run->interrupted = true;
    fprintf(run->talk, "hotlead-bench: no more is sent, and what was sent is waited for; once more "
                       "ends it at once\n");
    if (run->sending)
        load_stop(run->load);
}

static void on_interrupt(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;

    (void)number;
    run_live_wipe(run);
    if (run->interrupted)
        exit(CTRL_C_EXIT);
    end_early(run);
}

/* One that came before this loop listened was told to the command only. It may yet be under way to
 * both: so that it does not count as a second one, the rest is left to the command's watch. */
static void heed_earlier_interrupt(struct run *run)
{
    if (!interrupt_came())
        return;
    uv_signal_stop(&run->interrupt);
    uv_signal_stop(&run->terminate);
    end_early(run);
}

/* --- before ---------------------------------------------------------------------------------- */

/* Asked once before all else: better than a thousand refused requests. */
static bool server_answers(const struct target *target, FILE *talk)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *address;
    char port[8];

    snprintf(port, sizeof(port), "%u", target->port);
    if (getaddrinfo(target->host, port, &hints, &address) != 0) {
        fprintf(talk, "hotlead-bench: '%s' is no numeric address\n", target->host);
        return false;
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (!answers)
        fprintf(talk, "hotlead-bench: no server at %s port %u: %s\n", target->host, target->port,
                strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(address);
    return answers;
}

static const char *mode_name(const struct run *run)
{
    static const char *const names[] = {"pop", "report", "nothing"};
    return run->target->shape == TARGET_NOWHERE ? "nothing" : names[run->options->mode];
}

static void describe_load(struct run *run)
{
    const struct run_options *options = run->options;
    const struct people_options *people = &options->people;
    struct result *result = run->result;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    result->started_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
    snprintf(result->name, sizeof(result->name), "%s", run->target->name);
    snprintf(result->playbook, sizeof(result->playbook), "%s", run->target->playbook);
    snprintf(result->command, sizeof(result->command), "%s",
             options->command ? options->command : "");
    snprintf(result->arrivals, sizeof(result->arrivals), "%s",
             options->rate == 0                      ? "closed"
             : options->arrivals == SCHEDULE_POISSON ? "poisson"
                                                     : "constant");
    result->rate = options->rate;
    result->connections = options->connections;
    result->sites = (unsigned)run->target->site_count;
    result->consumers = options->consumers;
    result->new_connections = options->new_connections;
    snprintf(result->consumer_mode, sizeof(result->consumer_mode), "%s", mode_name(run));
    snprintf(result->mix, sizeof(result->mix), "json=%u,form=%u,multipart=%u", people->json,
             people->form, people->multipart);
    result->returning = people->returning;
    result->duplicates_wanted = people->duplicates;
    result->seed = people->seed;
    result->runs = 1;
}

static uint64_t expected_optins(const struct run_options *options)
{
    double rate = options->rate > 0 ? options->rate : EXPECTED_CLOSED;
    double expected = fmin(rate * (options->duration_s + options->warmup_s), EXPECTED_MAX);

    /* One that is made too large is too empty: each opt-in would touch a page of its own. */
    if (options->requests_max > 0)
        expected = fmin(expected, (double)options->requests_max);
    return (uint64_t)expected;
}

static enum status open_consumers(struct run *run)
{
    const struct consume_options options = {.loop = &run->loop,
                                            .target = run->target,
                                            .consumers = run->options->consumers,
                                            .at_once = run->options->at_once,
                                            .mode = run->options->mode,
                                            .on_popped = run_on_popped,
                                            .owner = run};
    const char *why = NULL;
    enum status result = consume_open(&options, &run->consume, &why);

    if (result != STATUS_OK)
        fprintf(run->talk, "hotlead-bench: no Redis at %s: %s\n", run->target->redis_url, why);
    return result;
}

static enum status open_load(struct run *run)
{
    const struct run_options *options = run->options;
    struct schedule schedule;
    struct load_options load = {
        .loop = &run->loop,
        .target = run->target,
        .people = run->people,
        .schedule = options->rate > 0 ? &schedule : NULL,
        .duration_ns = (uint64_t)((options->warmup_s + options->duration_s) * 1e9),
        .requests_max = options->requests_max,
        .connections = options->connections,
        .new_connections = options->new_connections,
        .timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS,
        .first = options->people.first,
        .on_answer = run_on_answer,
        .on_done = on_load_done,
        .owner = run};

    if (options->rate > 0)
        schedule_init(&schedule, options->arrivals, options->rate, options->people.seed);
    enum status result = load_open(&load, &run->load);
    if (result != STATUS_OK)
        fprintf(run->talk, "hotlead-bench: %u connections cannot be opened; see ulimit -n\n",
                options->connections);
    return result;
}

static enum status open_parts(struct run *run)
{
    struct people_options people = run->options->people;

    people.target = run->target;
    run->ledger = ledger_open(expected_optins(run->options));
    run->people = people_open(&people);
    run->late = hist_open();
    if (!run_seconds_open(run) || run->ledger == NULL || run->people == NULL || run->late == NULL) {
        fprintf(run->talk, "hotlead-bench: out of memory\n");
        return STATUS_INTERNAL;
    }
    if (!server_answers(run->target, run->talk))
        return STATUS_BUSY;
    enum status result = open_consumers(run);
    return result == STATUS_OK ? open_load(run) : result;
}

static void init_handles(struct run *run)
{
    uv_timer_t *const timers[] = {&run->second_timer, &run->drain_timer, &run->live_timer,
                                  &run->patience_timer};
    uv_signal_t *const signals[] = {&run->interrupt, &run->terminate};

    MUST(uv_loop_init(&run->loop) == 0);
    for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++) {
        uv_timer_init(&run->loop, timers[i]);
        timers[i]->data = run;
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        uv_signal_init(&run->loop, signals[i]);
        signals[i]->data = run;
    }
}

/* --- the run --------------------------------------------------------------------------------- */

static void start(struct run *run)
{
    const struct run_options *options = run->options;
    double patience_s = options->warmup_s + options->duration_s +
                        (options->patience_s > 0 ? options->patience_s : PATIENCE_S);

    uv_signal_start(&run->interrupt, on_interrupt, SIGINT);
    uv_signal_start(&run->terminate, on_interrupt, SIGTERM);
    uv_update_time(&run->loop);
    uv_timer_start(&run->patience_timer, on_patience, (uint64_t)(patience_s * 1000), 0);
    run_live_start(run);
    run->sending = true;
    load_start(run->load);
    run_seconds_start(run);
    heed_earlier_interrupt(run);
}

static void close_all(struct run *run)
{
    if (run->consume != NULL)
        consume_close(run->consume);
    if (run->load != NULL)
        load_close(run->load);
    uv_close((uv_handle_t *)&run->second_timer, NULL);
    uv_close((uv_handle_t *)&run->drain_timer, NULL);
    uv_close((uv_handle_t *)&run->live_timer, NULL);
    uv_close((uv_handle_t *)&run->patience_timer, NULL);
    uv_close((uv_handle_t *)&run->interrupt, NULL);
    uv_close((uv_handle_t *)&run->terminate, NULL);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&run->loop) == 0);
    metrics_close(run->before);
    metrics_close(run->after);
    people_close(run->people);
    ledger_close(run->ledger);
    hist_close(run->late);
    run_seconds_close(run);
}

/* The consumers are closed before the end is judged: they hand over what they still hold. */
static void measure(struct run *run)
{
    run_metrics_before(run);
    start(run);
    while (!run->over)
        uv_run(&run->loop, UV_RUN_DEFAULT);
    load_count(run->load, &run->load_counts);
    run_live_end(run);
    consume_close(run->consume);
    run->result->emails_reported = consume_emails_reported(run->consume);
    run->consume = NULL;
    run_metrics_after(run);
    run_seconds_end(run);
    run_finish(run);
}

enum status run_once(const struct run_options *options, const struct target *target, FILE *talk,
                     struct result *out)
{
    struct run run = {.options = options, .target = target, .talk = talk, .result = out};

    run.drain_most_s = options->drain_s > 0 ? options->drain_s : DRAIN_S;
    describe_load(&run);
    init_handles(&run);
    enum status result = open_parts(&run);
    if (result == STATUS_OK)
        measure(&run);
    close_all(&run);
    return result;
}
