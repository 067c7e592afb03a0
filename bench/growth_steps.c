/* See growth.h. What is started here is a rig of its own, and is gone when the step is. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/consume.h"
#include "bench/growth.h"
#include "bench/interrupt.h"
#include "bench/median.h"
#include "bench/moment.h"
#include "server/client.h"

#define SITES           10
#define ACK_WAIT_S      120
#define VISIBLE_WAIT_S  30
#define HOUR_MS         3600000ull
#define REBUILD_STOP_MS 10000

/* --- rigs and loads ------------------------------------------------------------- */

/* `clock_ms`: as of a rig. */
static enum status open_rig(struct growth *growth, uint64_t clock_ms, struct rig **out)
{
    struct rig_options options = {
        .hotlead = growth->options->tier.hotlead,
        .playbook = growth->options->tier.playbook,
        .below = growth->options->tier.below,
        .keep = growth->options->tier.keep,
        .aof = growth->options->tier.aof,
        .sites = SITES,
        .shape = "zset",
        .clock_ms = clock_ms,
    };

    return interrupt_came() ? STATUS_CLOSING : rig_open(&options, growth->talk, out);
}

enum status growth_open(struct growth *growth)
{
    return open_rig(growth, 0, &growth->rig);
}

void growth_close(struct growth *growth)
{
    if (growth->rig)
        rig_close(growth->rig);
    growth->rig = NULL;
}

/* --- throughput ------------------------------------------------------------------- */

struct round {
    double rate, server_us, commit_p50, commit_p99;
};

static bool measure_round(struct growth *growth, struct rig *rig, struct round *out)
{
    struct run_options options = growth_saturation(growth, growth->options->tier.connections);
    struct result result;

    options.duration_s = growth->options->seconds;
    options.warmup_s = 1;
    bool sound = growth_load(growth, rig_target(rig), &options, &result);
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

    if (!growth_read_gauge(growth, "hotlead_journal_bytes", &journal) ||
        !growth_read_gauge(growth, "hotlead_state_bytes", &state) ||
        !growth_read_gauge(growth, "hotlead_index_bytes", &index) ||
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

    if (!growth_read_gauge(growth, "hotlead_people", &people))
        return false;
    out->people = (uint64_t)people;
    for (unsigned i = 0; i < rounds; i++) {
        struct round grown, empty;
        struct rig *fresh;

        growth_step(growth, "%llu people, round %u of %u, and beside it an empty one",
                    (unsigned long long)out->people, i + 1, rounds);
        if (!measure_round(growth, growth->rig, &grown) || open_rig(growth, 0, &fresh) != STATUS_OK)
            return false;
        bool sound = measure_round(growth, fresh, &empty);
        rig_close(fresh);
        if (!sound)
            return false;
        rates[i] = grown.rate, empty_rates[i] = empty.rate, ratios[i] = grown.rate / empty.rate;
        us[i] = grown.server_us, empty_us[i] = empty.server_us;
        p50[i] = grown.commit_p50, p99[i] = grown.commit_p99;
    }
    out->rate = median_of(rates, rounds);
    out->empty_rate = median_of(empty_rates, rounds);
    out->ratio = median_of(ratios, rounds);
    out->server_us = median_of(us, rounds);
    out->empty_server_us = median_of(empty_us, rounds);
    out->commit_p50 = median_of(p50, rounds);
    out->commit_p99 = median_of(p99, rounds);
    return measure_sizes(growth, out);
}

/* --- one opt-in at a time -------------------------------------------------------- */

/* Posts an opt-in as soon as anybody answers; seconds until its 2xx, or below 0. It is marked as a
 * test, so that no task of it meets the next load's ledger. */
static double wait_for_ack(struct growth *growth)
{
    const struct target *target = rig_target(growth->rig);
    double start = moment_s();
    struct client *client;
    bool acked = false;

    if (client_open(rig_url(growth->rig), target->sites[0].secret, &client) != STATUS_OK)
        return -1;
    while (!acked && !interrupt_came() && moment_s() - start < ACK_WAIT_S) {
        char body[128];
        struct client_answer answer;
        int length =
            snprintf(body, sizeof body, "{\"email\":\"probe-%llu@example.com\",\"test\":true}",
                     (unsigned long long)growth->next++);
        struct slice sent = {body, (size_t)length};
        acked = client_request(client, "POST", "/v1/optins", sent, &answer) == STATUS_OK &&
                answer.status >= 200 && answer.status < 300;
        if (!acked)
            moment_pause_ms(2);
    }
    client_close(client);
    if (!acked && !interrupt_came())
        fprintf(growth->talk, "growth: no 2xx within %d s\n", ACK_WAIT_S);
    return acked ? moment_s() - start : -1;
}

bool growth_restart(struct growth *growth, struct growth_row *out)
{
    growth_step(growth, "a restart, and a kill under load");
    double start = moment_s();
    if (!rig_stop_server(growth->rig)) {
        fprintf(growth->talk, "growth: the server did not end with 0; its log is in %s\n",
                rig_folder(growth->rig));
        return false;
    }
    if (rig_spawn_server(growth->rig, growth->talk) != STATUS_OK || wait_for_ack(growth) < 0)
        return false;
    out->restart = moment_s() - start;

    /* Something to recover: the last second of these is in no state yet when the process dies. */
    struct run_options options = growth_saturation(growth, growth->options->tier.connections);
    struct result result;
    options.duration_s = 2;
    bool sound = growth_load(growth, rig_target(growth->rig), &options, &result);
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

    growth_step(growth, "rebuild");
    if (!growth_read_gauge(growth, "hotlead_journal_seq", &records) ||
        !rig_stop_server(growth->rig))
        return false;
    snprintf(log, sizeof log, "%s/rebuild.log", rig_folder(growth->rig));
    double start = moment_s();
    if (process_start(words, NULL, rig_folder(growth->rig), log, &process) != STATUS_OK) {
        fprintf(growth->talk, "growth: %s cannot be started: %m\n", words[0]);
        return false;
    }
    while (process_lives(&process) && !interrupt_came())
        moment_pause_ms(5);
    process_stop(&process, REBUILD_STOP_MS);
    if (interrupt_came())
        return false;
    out->seconds = moment_s() - start;
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
    double open = 0, start = moment_s();

    while (open < (double)wanted && !interrupt_came() && moment_s() - start < ACK_WAIT_S) {
        if (!growth_read_gauge(growth, "hotlead_http_connections", &open))
            return false;
        moment_pause_ms(50);
    }
    return open >= (double)wanted;
}

bool growth_idle(struct growth *growth, uint64_t connections, struct growth_idle *out)
{
    const struct target *target = rig_target(growth->rig);
    struct process_use before, after;
    uint64_t open = 0;
    int *sockets = calloc(connections, sizeof *sockets);

    growth_step(growth, "%llu idle connections", (unsigned long long)connections);
    if (!sockets || !process_use(&target->server, &before))
        goto cleanup;
    while (open < connections && !interrupt_came() && (sockets[open] = connect_to(target)) >= 0)
        open++;
    if (open < connections && !interrupt_came())
        fprintf(growth->talk, "growth: only %llu connections could be opened (ulimit -n?)\n",
                (unsigned long long)open);
    if (!wait_for_connections(growth, open) || !process_use(&target->server, &after))
        goto cleanup;
    double ack_seconds = wait_for_ack(growth);
    if (open > 0 && ack_seconds >= 0)
        *out = (struct growth_idle){
            .connections = open,
            .bytes_each =
                ((double)after.anonymous_bytes - (double)before.anonymous_bytes) / (double)open,
            .ack_seconds = ack_seconds};
cleanup:
    for (uint64_t i = 0; sockets && i < open; i++)
        close(sockets[i]);
    free(sockets);
    return out->connections == connections;
}

/* --- a backlog, and an hour without Redis ------------------------------------------- */

static bool pile_up(struct growth *growth, uint64_t tasks, struct growth_backlog *out)
{
    struct run_options options = growth_saturation(growth, growth->options->tier.connections);
    struct growth_count count = {
        .talk = growth->talk, .what = "tasks", .wanted = (double)tasks, .first_at_s = moment_s()};
    struct process_use use;
    struct result result;

    options.mode = CONSUME_NOTHING;
    bool sound =
        growth_load_counted(growth, rig_target(growth->rig), &options, &count, tasks, &result);
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
    double start = moment_s(), moved = start;

    while (out->visible < out->tasks && !interrupt_came() && moment_s() - moved < VISIBLE_WAIT_S) {
        int64_t waiting = consume_waiting(rig_target(growth->rig));
        if (waiting > 0 && (uint64_t)waiting != out->visible) {
            out->visible = (uint64_t)waiting;
            moved = moment_s();
        }
        moment_pause_ms(50);
    }
    out->visible_seconds = moment_s() - start;
    if (out->visible != out->tasks && !interrupt_came())
        fprintf(growth->talk, "growth: %llu tasks are visible again, %llu should be\n",
                (unsigned long long)out->visible, (unsigned long long)out->tasks);
    return out->visible == out->tasks;
}

/* The hour is engine time, so that every deadline passes while Redis is away. */
static bool lose_redis_for_an_hour(struct growth *growth, uint64_t now_ms,
                                   struct growth_backlog *out)
{
    growth_step(growth, "an hour without Redis, which comes back with nothing");
    rig_kill_redis(growth->rig);
    if (!rig_set_clock(growth->rig, now_ms + HOUR_MS) || !take_while_away(growth, out))
        return false;
    rig_forget_redis(growth->rig);
    return rig_start_redis(growth->rig, growth->talk) == STATUS_OK &&
           wait_until_visible(growth, out);
}

bool growth_backlog(struct growth *growth, uint64_t tasks, struct growth_backlog *out)
{
    struct growth own = *growth;
    struct growth_backlog found = {0};
    uint64_t now_ms = (uint64_t)time(NULL) * 1000;

    growth_step(&own, "%llu tasks that nobody pops", (unsigned long long)tasks);
    if (open_rig(&own, now_ms, &own.rig) != STATUS_OK)
        return false;
    bool sound = pile_up(&own, tasks, &found) && lose_redis_for_an_hour(&own, now_ms, &found);
    rig_close(own.rig);
    growth->next = own.next;
    if (sound)
        *out = found;
    return sound;
}
