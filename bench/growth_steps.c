/* See growth.h. What is started here is a rig of its own, and is gone when the step is. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/consume.h"
#include "bench/growth.h"
#include "bench/metrics.h"
#include "bench/run.h"
#include "server/client.h"

#define FILL_PEOPLE      1000000 /* a load: the ledger of one is forgotten with it */
#define FILL_CONNECTIONS 256
#define CONSUMERS        2
#define SITES            10
#define ACK_WAIT_S       120
#define VISIBLE_WAIT_S   30
#define HOUR_MS          3600000ull

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* --- rigs and loads ------------------------------------------------------------- */

static bool open_rig(struct growth *growth, const char *const *flags, struct rig **out)
{
    struct rig_options options = {
        .hotlead = growth->options->hotlead,
        .below = growth->options->below,
        .keep = growth->options->keep,
        .aof = growth->options->aof,
        .sites = SITES,
        .shape = "zset",
        .flags = flags,
    };

    return rig_open(&options, growth->talk, out) == STATUS_OK;
}

bool growth_open(struct growth *growth)
{
    return open_rig(growth, NULL, &growth->rig);
}

void growth_close(struct growth *growth)
{
    if (growth->rig)
        rig_close(growth->rig);
    growth->rig = NULL;
}

static struct run_options saturation(const struct growth *growth, unsigned connections)
{
    return (struct run_options){
        .connections = connections,
        .people = {.seed = 1, .json = 1, .first = growth->next},
        .consumers = CONSUMERS,
        .mode = CONSUME_REPORT,
        .drain_s = 60,
        .command = "hotlead-bench growth",
        .progress = growth->talk,
    };
}

/* The numbers that it used are used up, whatever came of them. `out` is to be freed by the caller
 * in any case. */
static bool load(struct growth *growth, const struct target *target,
                 const struct run_options *options, struct result *out)
{
    if (result_init(out) != STATUS_OK)
        return false;
    if (run_once(options, target, growth->talk, out) != STATUS_OK)
        return false;
    growth->next = out->next_optin;
    if (out->interrupted) {
        fprintf(growth->talk, "growth: ended by Ctrl-C\n");
        return false;
    }
    for (unsigned i = 0; i < out->check_count; i++)
        if (!out->checks[i].holds)
            fprintf(growth->talk, "growth: does not hold: %s (%s)\n", out->checks[i].what,
                    out->checks[i].detail);
    return result_is_sound(out);
}

static bool read_gauge(struct growth *growth, const char *name, double *out)
{
    struct metrics *metrics;

    if (metrics_read(rig_target(growth->rig), &metrics) != STATUS_OK) {
        fprintf(growth->talk, "growth: /metrics gave no answer\n");
        return false;
    }
    *out = metrics_value(metrics, name);
    metrics_close(metrics);
    return true;
}

bool growth_fill(struct growth *growth, uint64_t people)
{
    double known, before = -1;
    bool sound = read_gauge(growth, "hotlead_people", &known);

    while (sound && known < (double)people) {
        double missing = (double)people - known;
        struct run_options options = saturation(growth, FILL_CONNECTIONS);
        struct result result;

        if (known <= before) {
            fprintf(growth->talk, "growth: the server knows %.0f people, and gets no more\n",
                    known);
            return false;
        }
        before = known;
        fprintf(growth->talk, "growth: %.0f of %llu people\n", known, (unsigned long long)people);
        options.requests_max = missing < FILL_PEOPLE ? (uint64_t)missing : FILL_PEOPLE;
        options.duration_s = 3600;
        sound = load(growth, rig_target(growth->rig), &options, &result);
        result_free(&result);
        sound = sound && read_gauge(growth, "hotlead_people", &known);
    }
    return sound;
}

/* --- throughput ------------------------------------------------------------------- */

struct round {
    double rate, server_us, commit_p50, commit_p99;
};

static bool measure_round(struct growth *growth, struct rig *rig, struct round *out)
{
    struct run_options options = saturation(growth, growth->options->connections);
    struct result result;

    options.duration_s = growth->options->seconds;
    options.warmup_s = 1;
    bool sound = load(growth, rig_target(rig), &options, &result);
    if (sound)
        *out = (struct round){
            .rate = result_acked_per_second(&result),
            .server_us = result_server_us_per_optin(&result),
            .commit_p50 = metrics_histogram_at(&result.commit, 50),
            .commit_p99 = metrics_histogram_at(&result.commit, 99),
        };
    result_free(&result);
    return sound;
}

static bool measure_sizes(struct growth *growth, struct growth_row *out)
{
    struct process_use use;
    double journal, state, index;

    if (!read_gauge(growth, "hotlead_journal_bytes", &journal) ||
        !read_gauge(growth, "hotlead_state_bytes", &state) ||
        !read_gauge(growth, "hotlead_index_bytes", &index) ||
        !process_use(&rig_target(growth->rig)->server, &use))
        return false;
    out->journal = (uint64_t)journal;
    out->state = (uint64_t)state;
    out->index = (uint64_t)index;
    out->resident = use.resident_bytes;
    out->anonymous = use.anonymous_bytes;
    return true;
}

/* Each round has a new empty server beside it: after a few rounds that one would not be empty. */
bool growth_measure(struct growth *growth, struct growth_row *out)
{
    unsigned rounds = growth->options->rounds;
    double rates[GROWTH_ROUNDS_MAX], empty_rates[GROWTH_ROUNDS_MAX], ratios[GROWTH_ROUNDS_MAX],
        us[GROWTH_ROUNDS_MAX];
    double empty_us[GROWTH_ROUNDS_MAX], p50[GROWTH_ROUNDS_MAX], p99[GROWTH_ROUNDS_MAX], people;

    if (!read_gauge(growth, "hotlead_people", &people))
        return false;
    out->people = (uint64_t)people;
    for (unsigned i = 0; i < rounds; i++) {
        struct round grown, empty;
        struct rig *fresh;

        fprintf(growth->talk, "growth: %llu people, round %u of %u\n",
                (unsigned long long)out->people, i + 1, rounds);
        if (!measure_round(growth, growth->rig, &grown) || !open_rig(growth, NULL, &fresh))
            return false;
        bool sound = measure_round(growth, fresh, &empty);
        rig_close(fresh);
        if (!sound)
            return false;
        rates[i] = grown.rate, empty_rates[i] = empty.rate, ratios[i] = grown.rate / empty.rate;
        us[i] = grown.server_us, empty_us[i] = empty.server_us;
        p50[i] = grown.commit_p50, p99[i] = grown.commit_p99;
    }
    out->rate = median(rates, rounds);
    out->empty_rate = median(empty_rates, rounds);
    out->ratio = median(ratios, rounds);
    out->server_us = median(us, rounds);
    out->empty_server_us = median(empty_us, rounds);
    out->commit_p50 = median(p50, rounds);
    out->commit_p99 = median(p99, rounds);
    return measure_sizes(growth, out);
}

/* --- one opt-in at a time -------------------------------------------------------- */

/* Posts an opt-in as soon as anybody answers; seconds until its 2xx, or below 0. It is marked as a
 * test, so that no task of it meets the next load's ledger. */
static double wait_for_ack(struct growth *growth)
{
    const struct target *target = rig_target(growth->rig);
    double start = seconds_now();
    struct client *client;
    bool acked = false;

    if (client_open(rig_url(growth->rig), target->sites[0].secret, &client) != STATUS_OK)
        return -1;
    while (!acked && seconds_now() - start < ACK_WAIT_S) {
        char body[128];
        struct client_answer answer;
        int length =
            snprintf(body, sizeof body, "{\"email\":\"probe-%llu@example.com\",\"test\":true}",
                     (unsigned long long)growth->next++);
        struct slice sent = {body, (size_t)length};
        acked = client_request(client, "POST", "/v1/optins", sent, &answer) == STATUS_OK &&
                answer.status >= 200 && answer.status < 300;
        if (!acked)
            pause_ms(2);
    }
    client_close(client);
    if (!acked)
        fprintf(growth->talk, "growth: no 2xx within %d s\n", ACK_WAIT_S);
    return acked ? seconds_now() - start : -1;
}

bool growth_restart(struct growth *growth, struct growth_row *out)
{
    double start = seconds_now();

    if (!rig_stop_server(growth->rig)) {
        fprintf(growth->talk, "growth: the server did not end with 0; its log is in %s\n",
                rig_folder(growth->rig));
        return false;
    }
    if (rig_spawn_server(growth->rig, growth->talk) != STATUS_OK || wait_for_ack(growth) < 0)
        return false;
    out->restart = seconds_now() - start;

    /* Something to recover: the last second of these is in no state yet when the process dies. */
    struct run_options options = saturation(growth, growth->options->connections);
    struct result result;
    options.duration_s = 2;
    bool sound = load(growth, rig_target(growth->rig), &options, &result);
    result_free(&result);
    if (!sound)
        return false;
    rig_kill_server(growth->rig);
    if (rig_spawn_server(growth->rig, growth->talk) != STATUS_OK)
        return false;
    out->first_ack = wait_for_ack(growth);
    return out->first_ack >= 0;
}

/* --- rebuild ----------------------------------------------------------------------- */

bool growth_rebuild(struct growth *growth, struct growth_rebuild *out)
{
    const char *words[] = {rig_hotlead(growth->rig), "rebuild", "--data", rig_data(growth->rig),
                           NULL};
    char log[TARGET_TEXT_MAX + 16];
    struct process process;
    double records;

    if (!read_gauge(growth, "hotlead_journal_seq", &records) || !rig_stop_server(growth->rig))
        return false;
    snprintf(log, sizeof log, "%s/rebuild.log", rig_folder(growth->rig));
    double start = seconds_now();
    if (process_start(words, NULL, rig_folder(growth->rig), log, &process) != STATUS_OK) {
        fprintf(growth->talk, "growth: %s cannot be started: %m\n", words[0]);
        return false;
    }
    while (process_lives(&process))
        pause_ms(5);
    out->seconds = seconds_now() - start;
    if (process.exit_code != 0) {
        fprintf(growth->talk, "growth: the rebuild ended with %d; its log is %s\n",
                process.exit_code, log);
        return false;
    }
    out->records = (uint64_t)records;
    return rig_start_server(growth->rig, growth->talk) == STATUS_OK;
}

/* --- idle connections ------------------------------------------------------------ */

static int connect_to(const struct target *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (inet_pton(AF_INET, target->host, &address.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Waits until the server has accepted as many as it is asked to hold. */
static bool wait_for_connections(struct growth *growth, uint64_t wanted)
{
    double open = 0, start = seconds_now();

    while (open < (double)wanted && seconds_now() - start < ACK_WAIT_S) {
        if (!read_gauge(growth, "hotlead_http_connections", &open))
            return false;
        pause_ms(50);
    }
    return open >= (double)wanted;
}

bool growth_idle(struct growth *growth, uint64_t connections, struct growth_idle *out)
{
    const struct target *target = rig_target(growth->rig);
    struct process_use before, after;
    uint64_t open = 0;
    int *sockets = calloc(connections, sizeof *sockets);

    if (!sockets || !process_use(&target->server, &before))
        goto cleanup;
    while (open < connections && (sockets[open] = connect_to(target)) >= 0)
        open++;
    if (open < connections)
        fprintf(growth->talk, "growth: only %llu connections could be opened (ulimit -n?)\n",
                (unsigned long long)open);
    if (wait_for_connections(growth, open) && process_use(&target->server, &after)) {
        out->connections = open;
        out->bytes_each =
            open ? ((double)after.anonymous_bytes - (double)before.anonymous_bytes) / (double)open
                 : 0;
        out->ack_seconds = wait_for_ack(growth);
    }
cleanup:
    for (uint64_t i = 0; sockets && i < open; i++)
        close(sockets[i]);
    free(sockets);
    return open == connections && out->connections == connections && out->ack_seconds >= 0;
}

/* --- a backlog, and an hour without Redis ------------------------------------------- */

static bool write_clock(const char *path, uint64_t now_ms)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return false;
    fprintf(file, "%llu\n", (unsigned long long)now_ms);
    return fclose(file) == 0;
}

static bool pile_up(struct growth *growth, uint64_t tasks, struct growth_backlog *out)
{
    struct run_options options = saturation(growth, growth->options->connections);
    struct process_use use;
    struct result result;

    options.mode = CONSUME_NOTHING;
    options.requests_max = tasks;
    options.duration_s = 3600;
    bool sound = load(growth, rig_target(growth->rig), &options, &result);
    out->tasks = result.acked;
    out->rate = result_acked_per_second(&result);
    result_free(&result);
    if (sound && process_use(&rig_target(growth->rig)->redis, &use))
        out->redis_resident = use.resident_bytes;
    if (sound && process_use(&rig_target(growth->rig)->server, &use))
        out->server_resident = use.resident_bytes;
    return sound;
}

static bool take_while_away(struct growth *growth, struct growth_backlog *out)
{
    for (unsigned i = 0; i < 100; i++) {
        double seconds = wait_for_ack(growth);
        if (seconds < 0)
            return false;
        if (seconds > out->ack_seconds)
            out->ack_seconds = seconds;
    }
    return true;
}

/* Gives up when no more come for a while. */
static bool wait_until_visible(struct growth *growth, struct growth_backlog *out)
{
    double start = seconds_now(), moved = start;

    while (out->visible < out->tasks && seconds_now() - moved < VISIBLE_WAIT_S) {
        int64_t waiting = consume_waiting(rig_target(growth->rig));
        if (waiting > 0 && (uint64_t)waiting != out->visible) {
            out->visible = (uint64_t)waiting;
            moved = seconds_now();
        }
        pause_ms(50);
    }
    out->visible_seconds = seconds_now() - start;
    if (out->visible != out->tasks)
        fprintf(growth->talk, "growth: %llu tasks are visible again, %llu should be\n",
                (unsigned long long)out->visible, (unsigned long long)out->tasks);
    return out->visible == out->tasks;
}

/* The hour is engine time, so that every deadline passes while Redis is away. */
static bool lose_redis_for_an_hour(struct growth *growth, const char *clock, uint64_t now_ms,
                                   struct growth_backlog *out)
{
    rig_kill_redis(growth->rig);
    if (!write_clock(clock, now_ms + HOUR_MS) || !take_while_away(growth, out))
        return false;
    rig_forget_redis(growth->rig);
    return rig_start_redis(growth->rig, growth->talk) == STATUS_OK &&
           wait_until_visible(growth, out);
}

bool growth_backlog(struct growth *growth, uint64_t tasks, struct growth_backlog *out)
{
    struct growth own = *growth;
    char clock[] = "/tmp/hotlead-clock.XXXXXX";
    const char *flags[] = {"--test-clock", clock, NULL};
    int fd = mkstemp(clock);
    uint64_t now_ms = (uint64_t)time(NULL) * 1000;
    bool sound = false;

    if (fd < 0)
        return false;
    close(fd);
    if (write_clock(clock, now_ms) && open_rig(&own, flags, &own.rig)) {
        sound = pile_up(&own, tasks, out) && lose_redis_for_an_hour(&own, clock, now_ms, out);
        rig_close(own.rig);
    }
    growth->next = own.next;
    unlink(clock);
    return sound;
}
