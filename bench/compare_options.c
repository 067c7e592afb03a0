#include "bench/compare_options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/command_words.h"
#include "bench/commands.h"
#include "proto/must.h"

#define CONNECTIONS_MAX 65536

enum {
    KEY_ROUNDS = 256,
    KEY_RATE,
    KEY_ONLY,
    KEY_MODE,
    KEY_AOF,
    KEY_DISK,
    KEY_HOTLEAD,
    KEY_PLAYBOOK,
    KEY_PEERS,
    KEY_BELOW,
    KEY_JSON,
    KEY_MARKDOWN,
    KEY_KEEP
};

static const struct argp_option option_table[] = {
    {"rounds", KEY_ROUNDS, "N", 0, "How often each side is measured (3)", 0},
    {"duration", 'd', "SECONDS", 0, "How long each time, behind a warm-up of 1 s (5)", 0},
    {"connections", 'c', "N", 0, "Kept connections (64)", 0},
    {"rate", KEY_RATE, "R", 0,
     "Open loop: R requests a second, for latencies; else as many as each side can", 0},
    {"only", KEY_ONLY, "NAMES", 0,
     "These sides, with commas: hotlead, webdis, nginx-lua, fastify-bullmq, fastify-lmdb-bullmq, "
     "fastify-sqlite-bullmq, nginx-204, floor, floor-lmdb, or one of your own in bench/peers",
     0},
    {"consumer-mode", KEY_MODE, "MODE", 0,
     "What hotlead's consumers do: pop (as the peers' do), report (claim and report as well), or "
     "both, as two sides (both)",
     0},
    {"aof", KEY_AOF, "MODE", 0, "Redis' append-only file: everysec or off (everysec)", 0},
    {"disk", KEY_DISK, "TIME", 0,
     "Simulate a disk for the servers: syncs are left out and take this long, such as 80us; "
     "nothing "
     "is durable then, and the tables say so",
     0},
    {"hotlead", KEY_HOTLEAD, "PATH", 0,
     "The program (beside this one). Given again, each is a side; ratios are of the first", 0},
    {"playbook", KEY_PLAYBOOK, "FILE", 0,
     "What hotlead's agency goes by (the shipped one, with two tasks an opt-in; bench/calls.yaml "
     "has "
     "one, as the peers have)",
     0},
    {"json", KEY_JSON, "FILE", 0, "Write every round's result there", 0},
    {"markdown", KEY_MARKDOWN, NULL, 0, "Tables for a README", 0},
    {"peers", KEY_PEERS, "FOLDER", 0, "Where the peers are (bench/peers)", 0},
    {"below", KEY_BELOW, "FOLDER", 0,
     "Where the temporary folders are made, on a real disk (TMPDIR, /var/tmp)", 0},
    {"keep", KEY_KEEP, NULL, 0, "Leave the temporary folders", 0},
    {0}};

static double number_of(struct argp_state *state, const char *option, const char *text,
                        double least, double most)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most))
        argp_error(state, "%s is a number from %g to %g, not '%s'", option, least, most, text);
    return value;
}

static unsigned whole_number_of(struct argp_state *state, const char *option, const char *text,
                                unsigned least, unsigned most)
{
    double value = number_of(state, option, text, least, most);

    if (value != (unsigned)value)
        argp_error(state, "%s is a whole number, not '%s'", option, text);
    return (unsigned)value;
}

static void read_names(struct argp_state *state, struct compare_options *options, const char *text)
{
    char *place = NULL;

    free(options->only);
    options->only = strdup(text);
    MUST(options->only != NULL);
    options->name_count = 0;
    for (char *name = strtok_r(options->only, ",", &place); name;
         name = strtok_r(NULL, ",", &place)) {
        if (options->name_count == COMPARE_SIDES_MAX)
            argp_error(state, "--only takes at most %d names", COMPARE_SIDES_MAX);
        options->names[options->name_count++] = name;
    }
    if (options->name_count == 0)
        argp_error(state, "--only wants names, such as hotlead,webdis");
}

static void read_mode(struct argp_state *state, struct compare_options *options, const char *text)
{
    options->pop = strcmp(text, "pop") == 0 || strcmp(text, "both") == 0;
    options->report = strcmp(text, "report") == 0 || strcmp(text, "both") == 0;
    if (!options->pop && !options->report)
        argp_error(state, "--consumer-mode is pop, report or both, not '%s'", text);
}

static void read_disk(struct argp_state *state, struct compare_options *options, const char *text)
{
    if (!rig_read_disk(text, &options->disk_us))
        argp_error(state, "--disk is how long a sync takes, such as 80us or 2ms, not '%s'", text);
}

static void add_program(struct argp_state *state, struct compare_options *options, const char *path)
{
    if (options->program_count == COMPARE_PROGRAMS_MAX)
        argp_error(state, "--hotlead can be given %d times", COMPARE_PROGRAMS_MAX);
    options->programs[options->program_count++] = path;
}

static void check_json(struct argp_state *state, const char *path)
{
    const char *const paths[RESULT_FILES] = {path};
    const char *fault = files_fault(paths);

    if (fault)
        argp_error(state, "%s", fault);
}

static error_t on_option(int key, char *text, struct argp_state *state)
{
    struct compare_options *options = state->input;

    switch (key) {
    case KEY_ROUNDS:
        options->rounds = whole_number_of(state, "--rounds", text, 1, COMPARE_ROUNDS_MAX);
        return 0;
    case 'd':
        options->duration_s = number_of(state, "--duration", text, 0.5, 3600);
        return 0;
    case 'c':
        options->connections = whole_number_of(state, "--connections", text, 1, CONNECTIONS_MAX);
        return 0;
    case KEY_RATE:
        options->rate = number_of(state, "--rate", text, 1, 10e6);
        return 0;
    case KEY_ONLY:
        read_names(state, options, text);
        return 0;
    case KEY_MODE:
        read_mode(state, options, text);
        return 0;
    case KEY_AOF:
        if (!read_aof(text, &options->aof))
            argp_error(state, "--aof is everysec or off, not '%s'", text);
        return 0;
    case KEY_DISK:
        read_disk(state, options, text);
        return 0;
    case KEY_HOTLEAD:
        add_program(state, options, text);
        return 0;
    case KEY_PLAYBOOK:
        if (!playbook_is_sound(text))
            argp_error(state, "--playbook '%s': give " PLAYBOOK_WANTED, text);
        options->playbook = text;
        return 0;
    case KEY_JSON:
        options->json = text;
        check_json(state, text);
        return 0;
    case KEY_MARKDOWN:
        options->markdown = true;
        return 0;
    case KEY_PEERS:
        options->peers = text;
        return 0;
    case KEY_BELOW:
        options->below = text;
        return 0;
    case KEY_KEEP:
        options->keep = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "there is nothing to be done with '%s'", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    option_table,
    on_option,
    NULL,
    "Measures hotlead beside what people would use otherwise: the same load, the same consumer, "
    "round by round, each with a new server and a new Redis.\v"
    "  compare --only hotlead,webdis --duration 2 --rounds 1    a look, in 15 s\n"
    "  compare --rate 2000 --json compare.json                  latencies\n\n"
    "Peers that are not installed are left out; bench/peers/install installs them. Ctrl-C ends it "
    "with the rounds that are done, marked as cut short; a second one at once. Exit: 0 done, 1 a "
    "round failed or it was cut short, 2 usage.",
    NULL,
    NULL,
    NULL};

void compare_options_read(int argc, char **argv, struct compare_options *out)
{
    static char name[] = "hotlead-bench compare";

    *out = (struct compare_options){.rounds = 3,
                                    .connections = 64,
                                    .duration_s = 5,
                                    .pop = true,
                                    .report = true,
                                    .aof = RIG_AOF_EVERYSEC};
    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, out);
}
