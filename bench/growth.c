/* hotlead-bench growth: the same server with nobody in its store, with a million people, with ten.
 *
 * Throughput is compared with an empty server in neighbouring rounds, since a machine is not the
 * same from minute to minute. Then what size costs: memory, files, a restart, a kill, a rebuild;
 * and two crowds, of idle connections and of tasks that nobody pops while Redis is away for an
 * hour. */
#include <argp.h>
#include <string.h>
#include <time.h>

#include "bench/about.h"
#include "bench/command_words.h"
#include "bench/commands.h"
#include "bench/growth.h"
#include "bench/interrupt.h"
#include "bench/output.h"
#include "bench/process.h"

#define COUNT_MAX         100000000
#define IDLE_MAX          28000
#define SECONDS_MAX       3600
#define OTHER_DESCRIPTORS 128

struct growth_command {
    struct growth_options options;
    uint64_t sizes[GROWTH_SIZES_MAX];
    size_t size_count;
    unsigned idle, backlog;
};

/* --- options ----------------------------------------------------------------------- */

enum { KEY_BACKLOG = 256, KEY_IDLE, KEY_ROUNDS };

static const struct argp_option growth_rows[] = {
    {"people", 'p', "N,N,...", 0, "sizes of the store, ascending (0,1000000,10000000)", 1},
    {"seconds", 's', "S", 0, "of a measured round (5)", 1},
    {"rounds", KEY_ROUNDS, "N", 0, "at each size, in turn with an empty server (3)", 1},
    {"idle", KEY_IDLE, "N", 0, "idle connections; 0: not tried (10000)", 1},
    {"backlog", KEY_BACKLOG, "N", 0, "tasks that nobody pops; 0: not tried (1000000)", 1},
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
    case KEY_IDLE:
        return read_count(value, 0, IDLE_MAX, &command->idle)
                   ? NULL
                   : "a number up to 28000: a client has no more ports to one server";
    default: /* KEY_BACKLOG */
        return read_count(value, 0, COUNT_MAX, &command->backlog) ? NULL
                                                                  : "a number up to 100000000";
    }
}

static error_t on_growth_option(int key, char *value, struct argp_state *state)
{
    struct growth_command *command = state->input;
    const char *name = tier_option_name(growth_rows, key);

    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = &command->options.tier;
    else if (key == ARGP_KEY_ARG)
        tier_refuse_word(state, value);
    else if (key == ARGP_KEY_END)
        tier_check_files(state, command->options.tier.json, NULL);
    else if (name)
        tier_refuse(state, name, value, read_option(command, key, value));
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* --- the command -------------------------------------------------------------------- */

static bool grow(const struct growth_command *command, struct growth *growth,
                 struct growth_findings *found)
{
    const struct target *target = rig_target(growth->rig);

    about_read(target, rig_data(growth->rig), &found->about);
    memcpy(found->about.playbook, target->playbook, sizeof found->about.playbook);
    for (size_t i = 0; i < command->size_count; i++) {
        struct growth_row *row = &found->rows[i];
        if (!growth_fill(growth, command->sizes[i]) || !growth_measure(growth, row))
            return false;
        found->row_count++;
        if (!growth_restart(growth, row))
            return false;
    }
    if (command->idle && !growth_idle(growth, command->idle, &found->idle))
        return false;
    return growth_rebuild(growth, &found->rebuild);
}

/* BENCH_DONE: all of it could be measured. */
static int measure_all(const struct growth_command *command, struct growth_findings *found)
{
    struct growth_estimate estimate = growth_estimate(
        &command->options, command->sizes, command->size_count, command->idle, command->backlog);
    struct growth growth = {.options = &command->options, .talk = stderr, .steps = estimate.steps};
    enum status opened = growth_open(&growth);

    if (opened == STATUS_FORBIDDEN) /* where it would run is a setting, and a wrong one */
        return BENCH_USAGE;
    bool sound = opened == STATUS_OK &&
                 tier_has_room("growth", rig_folder(growth.rig), estimate.seconds,
                               estimate.disk_bytes, growth.talk) &&
                 grow(command, &growth, found);

    growth_close(&growth);
    if (sound && command->backlog)
        sound = growth_backlog(&growth, command->backlog, &found->backlog);
    return sound ? BENCH_DONE : BENCH_FAILED;
}

struct outcome {
    const struct growth_options *options;
    const struct growth_findings *found;
};

static enum status write_json(void *owner, FILE *out)
{
    const struct outcome *outcome = owner;
    return growth_write_json(outcome->found, outcome->options, out);
}

/* `code`: of measure_all. */
static int conclude(const struct growth_command *command, struct growth_findings *found, int code)
{
    struct outcome outcome = {&command->options, found};

    found->cut_short = code != BENCH_DONE && interrupt_came();
    growth_print(found, &command->options, stdout);
    bool printed = output_flush();
    bool written = output_file_of(command->options.tier.json, write_json, &outcome);
    return printed && written ? code : BENCH_FAILED;
}

int growth_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench growth";
    struct growth_command command = {
        .options = {.seconds = 5, .rounds = 3, .tier = {.connections = 64, .aof = RIG_AOF_OFF}},
        .sizes = {0, 1000000, 10000000},
        .size_count = 3,
        .idle = 10000,
        .backlog = 1000000,
    };
    static const struct argp_child children[] = {
        {&tier_argp, 0, "The server, its load, and what comes out", 2}, {0}};
    static const struct argp argp = {
        .options = growth_rows,
        .parser = on_growth_option,
        .children = children,
        .doc = "What a store costs as it grows: opt-ins a second beside an empty server in turn, "
               "memory, files, a restart, a kill, a rebuild, and crowds. A long run: a quarter of "
               "an hour or more for ten million people; it says before how long.\v"
               "  growth --people 0,100000 --backlog 100000    a look, in two minutes\n"
               "  growth --json growth.json                    all of it\n\n"
               "Ctrl-C ends it with what is known by then, marked as cut short; a second one at "
               "once. Exit: 0 done, 1 something failed or it was cut short, 2 usage."};
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
    interrupt_watch();
    int code = measure_all(&command, &found);
    if (code != BENCH_USAGE) /* then there is nothing to conclude from */
        code = conclude(&command, &found, code);
    result_free(&found.about);
    return code;
}
