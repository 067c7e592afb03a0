/* hotlead COMMAND ...: which command it is. Exit: 0 done, 1 failed, 2 usage or bad config. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cli.h"
#include "server/config.h"
#include "server/maintain.h"
#include "server/serve.h"
#include "server/versions.h"

#define EXIT_USAGE 2

typedef int command_fn(int argc, char **argv);

struct command_row {
    const char *name;
    command_fn *run; /* argv[0] is the command's name */
    const char *help;
};

static int serve_command(int argc, char **argv)
{
    struct config config;
    enum status status = config_read(argc - 1, (const char *const *)argv + 1,
                                     (const char *const *)environ, &config, stderr);
    int code = EXIT_USAGE;

    if (config.help) {
        printf("hotlead serve: the server.\n\n");
        config_help(stdout);
        code = 0;
    } else if (status == STATUS_OK) {
        status = config_check(&config, stderr);
        if (config.print_config)
            config_print(&config, stdout);
        if (status == STATUS_OK)
            code = config.print_config || config.check_config ? 0 : serve(&config);
    }
    config_close(&config);
    return code;
}

static const struct command_row commands[] = {
    {"serve", serve_command, "run the server"},
    {"agency", cli, "add|list|show|set|rm agencies"},
    {"site", cli, "... sites, their keys and settings"},
    {"queue", cli, "... queues; acl QUEUE: the Redis ACL line of a consumer"},
    {"agent", cli, "... agents"},
    {"token", cli, "... tokens of administrators, managers and agents"},
    {"optin", cli, "suspects: what waits for review"},
    {"playbook", cli_playbook, "check|set|list|show|rm: an agency's process, from a file"},
    {"report", cli, "the business's numbers: speed, conversation-time, funnel, ..."},
    {"simulate", cli_simulate, "years of opt-ins on a virtual clock, by a playbook"},
    {"graveyard", cli, "list|wake: people who went cold, and how many are taken up again"},
    {"clock", cli, "show|accept: what to do when the machine's clock jumped"},
    {"fsck", maintain_fsck, "check every record of a data folder"},
    {"audit", maintain_audit,
     "check that every opt-in has ended or goes on, and name what does not"},
    {"backup", maintain_backup, "copy a data folder, also of a running server"},
    {"restore", maintain_restore, "make a data folder out of a backup"},
    {"rebuild", maintain_rebuild, "make state and index anew from the journal"},
    {"dump", maintain_dump, "print the state as text"},
    {"replay", maintain_replay,
     "print the state as it was, or what another playbook would have done"},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_usage(FILE *out)
{
    fprintf(out, "usage: hotlead COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n`hotlead COMMAND --help` says more; `hotlead --version` what it is made of.\n");
}

static int unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT];

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *closest = config_closest(name, names, COMMAND_COUNT);
    fprintf(stderr, "hotlead: there is no command '%s'", name);
    if (closest)
        fprintf(stderr, "; did you mean '%s'?", closest);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (strcmp(name, "--version") == 0) {
        versions_print(stdout);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (*name)
        return unknown_command(name);
    print_usage(stderr);
    return EXIT_USAGE;
}
