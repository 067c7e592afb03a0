/* hotlead-bench growth: the same server with nobody in its store, with a million people, with ten.
 *
 * Throughput is compared with an empty server in neighbouring rounds, since a machine is not the
 * same from minute to minute. Then what size costs: memory, files, a restart, a kill, a rebuild;
 * and two crowds, of idle connections and of tasks that nobody pops while Redis is away for an
 * hour. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/about.h"
#include "bench/command_words.h"
#include "bench/commands.h"
#include "bench/growth.h"
#include "bench/process.h"

#define COUNT_MAX         100000000
#define CONNECTIONS_MAX   60000
#define IDLE_MAX          28000
#define SECONDS_MAX       3600
#define OTHER_DESCRIPTORS 128

struct growth_command {
    struct growth_options options;
    uint64_t sizes[GROWTH_SIZES_MAX];
    size_t size_count;
    unsigned idle, backlog;
    const char *json;
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

/* NULL, or what was to be given. */
static const char *read_option(struct growth_command *command, int key, const char *value)
{
    struct growth_options *options = &command->options;

    switch (key) {
    case 'p':
        return growth_sizes_read(value, command->sizes, &command->size_count);
    case 's':
        return read_duration(value, &options->seconds) && options->seconds >= 1 &&
                       options->seconds <= SECONDS_MAX
                   ? NULL
                   : "a time from 1s to 1h";
    case KEY_ROUNDS:
        return read_count(value, 1, GROWTH_ROUNDS_MAX, &options->rounds) ? NULL
                                                                         : "a number from 1 to 32";
    case 'c':
        return read_count(value, 1, CONNECTIONS_MAX, &options->connections)
                   ? NULL
                   : "a number from 1 to 60000";
    case KEY_IDLE:
        return read_count(value, 0, IDLE_MAX, &command->idle)
                   ? NULL
                   : "a number up to 28000: a client has no more ports to one server";
    case KEY_BACKLOG:
        return read_count(value, 0, COUNT_MAX, &command->backlog) ? NULL
                                                                  : "a number up to 100000000";
    case KEY_AOF:
        return read_aof(value, &options->aof) ? NULL : "everysec or off";
    case KEY_JSON:
        command->json = value;
        return may_be_written(value) ? NULL : "a file that can be written: make its folder first";
    case KEY_HOTLEAD:
        options->hotlead = value;
        return NULL;
    default: /* KEY_BELOW */
        options->below = value;
        return NULL;
    }
}

static const char *name_of(int key)
{
    for (const struct argp_option *option = growth_rows; option->name; option++)
        if (option->key == key)
            return option->name;
    return "";
}

static error_t on_growth_option(int key, char *value, struct argp_state *state)
{
    struct growth_command *command = state->input;

    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is not understood", value);
    if (key == KEY_KEEP)
        command->options.keep = true;
    if (name_of(key)[0] == '\0')
        return ARGP_ERR_UNKNOWN;
    const char *wanted = value ? read_option(command, key, value) : NULL;
    if (wanted)
        argp_error(state, "--%s '%s': give %s", name_of(key), value, wanted);
    return 0;
}

/* --- the command -------------------------------------------------------------------- */

static bool grow(const struct growth_command *command, struct growth *growth,
                 struct growth_findings *found)
{
    about_read(rig_target(growth->rig), rig_data(growth->rig), &found->about);
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

static bool measure_all(const struct growth_command *command, struct growth_findings *found)
{
    struct growth growth = {.options = &command->options, .talk = stderr};
    bool sound = growth_open(&growth) && grow(command, &growth, found);

    growth_close(&growth);
    return sound &&
           (!command->backlog || growth_backlog(&growth, command->backlog, &found->backlog));
}

static bool write_json(const struct growth_command *command, const struct growth_findings *found)
{
    if (!command->json)
        return true;
    FILE *file = fopen(command->json, "we");
    bool written = file && growth_write_json(found, &command->options, file) == STATUS_OK;
    if (file && fclose(file) != 0)
        written = false;
    if (!written)
        fprintf(stderr, "hotlead-bench: %s could not be written: %m\n", command->json);
    return written;
}

int growth_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench growth";
    struct growth_command command = {
        .options = {.seconds = 5, .rounds = 3, .connections = 64, .aof = RIG_AOF_OFF},
        .sizes = {0, 1000000, 10000000},
        .size_count = 3,
        .idle = 10000,
        .backlog = 1000000,
    };
    static const struct argp argp = {.options = growth_rows,
                                     .parser = on_growth_option,
                                     .doc = "What a store costs as it grows. A long run: a quarter "
                                            "of an hour or more for ten million people."};
    struct growth_findings found = {0};

    if (result_init(&found.about) != STATUS_OK)
        return BENCH_FAILED;
    write_command(argc, argv, found.about.command, sizeof found.about.command);
    found.about.started_ms = (uint64_t)time(NULL) * 1000;
    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &command);
    if (!process_allow_descriptors(command.idle + OTHER_DESCRIPTORS)) {
        fprintf(stderr,
                "hotlead-bench: %u idle connections need as many descriptors: raise ulimit -n, or "
                "take fewer with --idle\n",
                command.idle);
        return BENCH_FAILED;
    }
    bool sound = measure_all(&command, &found);
    growth_print(&found, &command.options, stdout);
    sound = write_json(&command, &found) && sound;
    result_free(&found.about);
    return sound ? BENCH_DONE : BENCH_FAILED;
}
