/* hotlead-bench COMMAND ...: which command it is. Exit: 0 done, 1 failed, 2 usage, 3 a threshold
 * was missed. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/commands.h"

typedef int command_fn(int argc, char **argv);

static const struct {
    const char *name;
    command_fn *run; /* argv[0] is the command's name */
    const char *help;
} commands[] = {
    {"run", run_command, "send opt-ins, pop their tasks, and say how long a lead waited"},
    {"compare", compare_command, "hotlead beside others that do a part of its work, in one run"},
    {"report", report_command, "show results again, or several as one"},
    {"diff", diff_command, "what changed between two results, and how sure that is"},
    {"growth", growth_command, "what a store costs as it grows to millions of people; long"},
    {"soak", soak_command, "30 minutes with kills and restarts: nothing lost, nothing creeps"},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

/* The command that somebody meant who swapped, doubled, lost or mistook a letter or two: that which
 * has most letters in common. NULL: it looks like none. */
static const char *command_like(const char *word)
{
    const char *best = NULL;
    size_t best_misses = 3;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = commands[i].name;
        size_t letters = strlen(name), length = strlen(word), hits = 0;
        for (size_t j = 0; j < letters; j++)
            hits += strchr(word, name[j]) != NULL;
        size_t longest = length > letters ? length : letters;
        size_t misses = longest - (hits < longest ? hits : longest);
        if (misses < best_misses && 2 * misses < letters)
            best = name, best_misses = misses;
    }
    return best;
}

static int refuse(const char *word)
{
    const char *like = command_like(word);

    if (like)
        fprintf(stderr, "hotlead-bench: there is no command '%s'; is it '%s'?\n", word, like);
    else
        fprintf(stderr, "hotlead-bench: there is no command '%s'; see hotlead-bench --help\n",
                word);
    return BENCH_USAGE;
}

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: hotlead-bench COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(out,
            "\n  hotlead-bench run --quick      a first look, with a server of its own, in 15 s\n"
            "  hotlead-bench COMMAND --help   all that a command takes\n\n"
            "Exit: 0 done, 1 failed, 2 usage, 3 a threshold was missed.\n");
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return BENCH_USAGE;
    }
    if (is_one_of(argv[1], "--help", "-h", "help")) {
        print_usage(stdout);
        return BENCH_DONE;
    }
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        printf("hotlead-bench %s\n", HOTLEAD_VERSION);
        return BENCH_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return refuse(argv[1]);
}
