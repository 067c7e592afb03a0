/* hotlead-bench growth: the same server with nobody in its store, with a million people, with ten.
 *
 * Throughput is compared with an empty server in neighbouring rounds, since a machine is not the
 * same from minute to minute. Then what size costs: memory, files, a restart, a kill, a rebuild;
 * and two crowds, of idle connections and of tasks that nobody pops while Redis is away for an
 * hour. */
#include <argp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/growth.h"
#include "bench/machine.h"
#include "proto/must.h"

#define SIZES_MAX 8

/* What DESIGN.md wants of a grown store. */
#define WANTED_RATIO            0.9
#define WANTED_FIRST_ACK_S      2.0
#define WANTED_REBUILD_RATE     300e3
#define WANTED_IDLE_BYTES       (20.0 * 1024)
#define WANTED_STATE_BYTES_EACH 320.0

struct growth_command {
    struct growth_options options;
    uint64_t sizes[SIZES_MAX];
    size_t size_count;
    uint64_t idle, backlog;
    const char *json;
};

struct findings {
    struct growth_row rows[SIZES_MAX];
    size_t row_count;
    struct growth_rebuild rebuild;
    struct growth_idle idle;
    struct growth_backlog backlog;
};

/* --- options ----------------------------------------------------------------------- */

enum {
    KEY_AOF = 256,
    KEY_BACKLOG,
    KEY_BELOW,
    KEY_HOTLEAD,
    KEY_IDLE,
    KEY_JSON,
    KEY_KEEP,
    KEY_ROUNDS
};

static const struct argp_option growth_rows[] = {
    {"people", 'p', "N,N,...", 0, "sizes of the store, ascending (0,1000000,10000000)", 0},
    {"seconds", 's', "S", 0, "of a measured round (5)", 0},
    {"rounds", KEY_ROUNDS, "N", 0, "at each size, in turn with an empty server (3)", 0},
    {"connections", 'c', "N", 0, "of a measured round (64)", 0},
    {"idle", KEY_IDLE, "N", 0, "idle connections; 0: not tried (10000)", 0},
    {"backlog", KEY_BACKLOG, "N", 0, "tasks that nobody pops; 0: not tried (1000000)", 0},
    {"aof", KEY_AOF, "everysec|off", 0, "of Redis (off: the store is what is measured)", 0},
    {"json", KEY_JSON, "FILE", 0, "the figures, for programs", 0},
    {"hotlead", KEY_HOTLEAD, "FILE", 0, "the server (the one beside this program)", 0},
    {"below", KEY_BELOW, "DIR", 0, "where the stores are made: some 3 KiB a person are needed", 0},
    {"keep", KEY_KEEP, NULL, 0, "leave the folders", 0},
    {0},
};

static uint64_t count_of(struct argp_state *state, const char *text)
{
    char *end;
    unsigned long long count = strtoull(text, &end, 10);

    if (end == text || (*end != '\0' && *end != ',') || *text == '-')
        argp_error(state, "'%s' is not a number", text);
    return count;
}

static void read_sizes(struct argp_state *state, struct growth_command *command, const char *text)
{
    command->size_count = 0;
    for (const char *at = text; at; at = strchr(at, ','), at += at != NULL) {
        if (command->size_count == SIZES_MAX)
            argp_error(state, "--people: at most %d sizes", SIZES_MAX);
        uint64_t size = count_of(state, at);
        if (command->size_count && size <= command->sizes[command->size_count - 1])
            argp_error(state, "--people: sizes must ascend, since one store grows through them");
        command->sizes[command->size_count++] = size;
    }
}

static error_t on_growth_option(int key, char *value, struct argp_state *state)
{
    struct growth_command *command = state->input;

    switch (key) {
    case 'p':
        read_sizes(state, command, value);
        break;
    case 's':
        command->options.seconds = atof(value);
        if (command->options.seconds < 1)
            argp_error(state, "--seconds: at least 1");
        break;
    case KEY_ROUNDS:
        command->options.rounds = (unsigned)count_of(state, value);
        if (command->options.rounds < 1 || command->options.rounds > GROWTH_ROUNDS_MAX)
            argp_error(state, "--rounds: 1 to %d", GROWTH_ROUNDS_MAX);
        break;
    case 'c':
        command->options.connections = (unsigned)count_of(state, value);
        if (command->options.connections < 1)
            argp_error(state, "--connections: at least 1");
        break;
    case KEY_IDLE:
        command->idle = count_of(state, value);
        break;
    case KEY_BACKLOG:
        command->backlog = count_of(state, value);
        break;
    case KEY_AOF:
        if (strcmp(value, "off") != 0 && strcmp(value, "everysec") != 0)
            argp_error(state, "--aof: everysec or off");
        command->options.aof = strcmp(value, "off") == 0 ? RIG_AOF_OFF : RIG_AOF_EVERYSEC;
        break;
    case KEY_JSON:
        command->json = value;
        break;
    case KEY_HOTLEAD:
        command->options.hotlead = value;
        break;
    case KEY_BELOW:
        command->options.below = value;
        break;
    case KEY_KEEP:
        command->options.keep = true;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not understood", value);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* --- faces ------------------------------------------------------------------------- */

static const char *verdict(bool reached)
{
    return reached ? "reached" : "NOT reached";
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_rows(const struct findings *found)
{
    printf("%12s %10s %10s %7s %7s %9s %9s %9s %9s %9s %9s %9s %9s\n", "people", "opt-ins/s",
           "empty", "ratio", "CPU us", "commit50", "commit99", "RSS MiB", "anon MiB", "journal",
           "state", "restart s", "kill s");
    for (size_t i = 0; i < found->row_count; i++) {
        const struct growth_row *row = &found->rows[i];
        printf("%12llu %10.0f %10.0f %7.2f %7.1f %7.0fus %7.0fus %9.0f %9.0f %9.0f %9.0f %9.2f "
               "%9.2f\n",
               (unsigned long long)row->people, row->rate, row->empty_rate, row->ratio,
               row->server_us, row->commit_p50 * 1e6, row->commit_p99 * 1e6, mib(row->resident),
               mib(row->anonymous), mib(row->journal), mib(row->state), row->restart,
               row->first_ack);
    }
}

/* What a person adds, from the first row to the last. */
static double bytes_each(const struct findings *found, uint64_t first, uint64_t last)
{
    uint64_t people = found->rows[found->row_count - 1].people - found->rows[0].people;

    return people ? ((double)last - (double)first) / (double)people : 0;
}

static void print_targets(const struct findings *found)
{
    const struct growth_row *first = &found->rows[0], *last = &found->rows[found->row_count - 1];

    printf("\nat %llu people\n", (unsigned long long)last->people);
    printf("  rate          %.2f x an empty one's (wanted >= %.1f): %s\n", last->ratio,
           WANTED_RATIO, verdict(last->ratio >= WANTED_RATIO));
    printf("  after kill -9 first 2xx in %.2f s (wanted < %.0f): %s\n", last->first_ack,
           WANTED_FIRST_ACK_S, verdict(last->first_ack < WANTED_FIRST_ACK_S));
    if (found->row_count > 1) {
        double state = bytes_each(found, first->state, last->state);
        printf("  a person      %.0f B of state (wanted <= %.0f): %s; %.0f B of journal, %.0f B of "
               "index, %.0f B of memory\n",
               state, WANTED_STATE_BYTES_EACH, verdict(state <= WANTED_STATE_BYTES_EACH),
               bytes_each(found, first->journal, last->journal),
               bytes_each(found, first->index, last->index),
               bytes_each(found, first->anonymous, last->anonymous));
    }
    if (found->rebuild.records) {
        double rate = (double)found->rebuild.records / found->rebuild.seconds;
        printf("  rebuild       %.0f records/s, %llu in %.1f s (wanted >= %.0f): %s\n", rate,
               (unsigned long long)found->rebuild.records, found->rebuild.seconds,
               WANTED_REBUILD_RATE, verdict(rate >= WANTED_REBUILD_RATE));
    }
}

static void print_crowds(const struct findings *found)
{
    const struct growth_backlog *backlog = &found->backlog;

    if (found->idle.connections)
        printf(
            "  idle          %llu connections, %.1f KiB each (wanted <= 20): %s; an opt-in among "
            "them in %.1f ms\n",
            (unsigned long long)found->idle.connections, found->idle.bytes_each / 1024,
            verdict(found->idle.bytes_each <= WANTED_IDLE_BYTES), found->idle.ack_seconds * 1e3);
    if (backlog->tasks)
        printf("\n%llu tasks that nobody pops: taken at %.0f/s; Redis %.0f MiB, hotlead %.0f MiB\n"
               "  Redis gone for an hour and back with nothing: 2xx in at most %.1f ms meanwhile; "
               "%llu tasks visible again in %.1f s (%.0f/s)\n",
               (unsigned long long)backlog->tasks, backlog->rate, mib(backlog->redis_resident),
               mib(backlog->server_resident), backlog->ack_seconds * 1e3,
               (unsigned long long)backlog->visible, backlog->visible_seconds,
               (double)backlog->visible / backlog->visible_seconds);
}

static json_t *json_of_row(const struct growth_row *row)
{
    return json_pack(
        "{s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "people",
        (json_int_t)row->people, "acked_per_second", row->rate, "empty_acked_per_second",
        row->empty_rate, "ratio", row->ratio, "server_us_per_optin", row->server_us,
        "empty_server_us_per_optin", row->empty_server_us, "commit_p50_s", row->commit_p50,
        "commit_p99_s", row->commit_p99, "resident_bytes", (json_int_t)row->resident,
        "anonymous_bytes", (json_int_t)row->anonymous, "journal_bytes", (json_int_t)row->journal,
        "state_bytes", (json_int_t)row->state, "index_bytes", (json_int_t)row->index, "restart_s",
        row->restart, "first_ack_after_kill_s", row->first_ack);
}

static bool write_json(const char *path, const struct findings *found)
{
    const struct growth_backlog *backlog = &found->backlog;
    json_t *rows = json_array();

    for (size_t i = 0; i < found->row_count; i++)
        json_array_append_new(rows, json_of_row(&found->rows[i]));
    json_t *root = json_pack(
        "{s:i,s:o,s:{s:I,s:f},s:{s:I,s:f,s:f},s:{s:I,s:f,s:f,s:f,s:I}}", "hotlead_bench_growth", 1,
        "sizes", rows, "rebuild", "records", (json_int_t)found->rebuild.records, "seconds",
        found->rebuild.seconds, "idle", "connections", (json_int_t)found->idle.connections,
        "bytes_each", found->idle.bytes_each, "ack_s", found->idle.ack_seconds, "backlog", "tasks",
        (json_int_t)backlog->tasks, "acked_per_second", backlog->rate, "ack_s_max_without_redis",
        backlog->ack_seconds, "visible_s", backlog->visible_seconds, "visible",
        (json_int_t)backlog->visible);
    MUST(root != NULL);
    bool written = json_dump_file(root, path, JSON_INDENT(1)) == 0;
    json_decref(root);
    if (!written)
        fprintf(stderr, "growth: %s cannot be written\n", path);
    return written;
}

/* --- the command -------------------------------------------------------------------- */

static bool grow(const struct growth_command *command, struct growth *growth,
                 struct findings *found)
{
    for (size_t i = 0; i < command->size_count; i++) {
        struct growth_row *row = &found->rows[i];
        if (!growth_fill(growth, command->sizes[i]) || !growth_measure(growth, row) ||
            !growth_restart(growth, row))
            return false;
        found->row_count++;
    }
    if (command->idle && !growth_idle(growth, command->idle, &found->idle))
        return false;
    return growth_rebuild(growth, &found->rebuild);
}

static void print_conditions(void)
{
    struct machine machine;

    machine_read(&machine);
    printf("%s, %u cores, %.0f GiB, %s, load %.1f before; hotlead %s\n", machine.processor,
           machine.cores, (double)machine.memory_bytes / (1 << 30), machine.kernel, machine.load1,
           HOTLEAD_VERSION);
}

int growth_command(int argc, char **argv)
{
    struct growth_command command = {
        .options = {.seconds = 5, .rounds = 3, .connections = 64, .aof = RIG_AOF_OFF},
        .sizes = {0, 1000000, 10000000},
        .size_count = 3,
        .idle = 10000,
        .backlog = 1000000,
    };
    static const struct argp argp = {
        .options = growth_rows,
        .parser = on_growth_option,
        .doc = "What a store costs as it grows. A long run: an hour or so for ten million people."};

    if (argp_parse(&argp, argc, argv, 0, NULL, &command) != 0)
        return BENCH_USAGE;

    struct growth growth = {.options = &command.options, .talk = stderr};
    struct findings found = {0};
    print_conditions();
    bool sound = growth_open(&growth) && grow(&command, &growth, &found);
    growth_close(&growth);
    if (sound && command.backlog)
        sound = growth_backlog(&growth, command.backlog, &found.backlog);

    if (found.row_count) {
        print_rows(&found);
        print_targets(&found);
        print_crowds(&found);
    }
    if (command.json)
        sound = write_json(command.json, &found) && sound;
    return sound ? BENCH_DONE : BENCH_FAILED;
}
