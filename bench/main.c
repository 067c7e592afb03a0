/* hotlead-bench COMMAND ...: which command it is. Exit: 0 done, 1 failed, 2 usage, 3 a threshold
 * was missed. */
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
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_usage(FILE *out)
{
    fprintf(out, "usage: hotlead-bench COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n`hotlead-bench COMMAND --help` says more.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return BENCH_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return BENCH_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("hotlead-bench %s\n", HOTLEAD_VERSION);
        return BENCH_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "hotlead-bench: there is no command '%s'; see hotlead-bench --help\n", argv[1]);
    return BENCH_USAGE;
}
