/* A temporary folder that does not stay. It is removed by a janitor: a child that does nothing but
 * wait until a pipe of ours breaks. That is so on an orderly end, on Ctrl-C and on kill -9 alike,
 * which no handler of a signal could do, and it does not fight with the handlers that a run sets.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/machine.h"
#include "bench/rig_internal.h"

#define TRIES        1000
#define TRY_EVERY_NS 10000000
#define WALK_DEPTH   16
#define FALLBACK     "/var/tmp"

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

/* The servers are being killed at this moment and may still make a file or two. */
static void remove_tree(const char *path)
{
    const struct timespec pause = {0, TRY_EVERY_NS};

    for (int i = 0; i < TRIES && access(path, F_OK) == 0; i++)
        if (nftw(path, remove_entry, WALK_DEPTH, FTW_DEPTH | FTW_PHYS) != 0)
            nanosleep(&pause, NULL);
}

/* Ctrl-C goes to the whole group of a terminal's foreground: it leaves that. It holds no descriptor
 * of ours either; a pipe to the next program shall end when we do. */
static void be_the_janitor(int leash, const char *path)
{
    char byte;
    ssize_t got;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    setpgid(0, 0);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_NAME, "bench-janitor");
    dup2(leash, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    do {
        got = read(STDIN_FILENO, &byte, 1);
    } while (got > 0 || (got < 0 && errno == EINTR));
    remove_tree(path);
    _exit(0);
}

static enum status hire_janitor(struct rig_folder *folder, FILE *talk)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        fprintf(talk, "hotlead-bench: no pipe: %s\n", strerror(errno));
        return STATUS_INTERNAL;
    }
    folder->janitor = fork();
    if (folder->janitor == 0)
        be_the_janitor(ends[0], folder->path);
    close(ends[0]);
    folder->leash = ends[1];
    if (folder->janitor > 0)
        return STATUS_OK;
    fprintf(talk, "hotlead-bench: no process: %s\n", strerror(errno));
    folder->janitor = 0;
    close(ends[1]);
    return STATUS_INTERNAL;
}

static const char *place_for(const struct rig_options *options)
{
    const char *own = getenv("TMPDIR");

    if (options->below)
        return options->below;
    return own && *own ? own : FALLBACK;
}

enum status rig_folder_make(const struct rig_options *options, FILE *talk, struct rig_folder *out)
{
    const char *below = place_for(options);

    *out = (struct rig_folder){0};
    if (machine_is_volatile(below) && !options->allow_tmpfs) {
        fprintf(
            talk,
            "hotlead-bench: %s is in memory (tmpfs), where an fsync costs nothing: set TMPDIR to "
            "a folder on a real disk, such as /var/tmp; or allow it with hotlead-bench run "
            "--allow-tmpfs, and the result will say so\n",
            below);
        return STATUS_FORBIDDEN;
    }
    if (snprintf(out->path, sizeof out->path, "%s/hotlead-bench.XXXXXX", below) >=
            (int)sizeof out->path ||
        !mkdtemp(out->path)) {
        fprintf(talk, "hotlead-bench: no folder can be made in %s: %s; set TMPDIR to another\n",
                below, strerror(errno));
        out->path[0] = '\0';
        return STATUS_IO;
    }
    if (options->keep)
        return STATUS_OK;
    enum status status = hire_janitor(out, talk);
    if (status != STATUS_OK)
        rmdir(out->path);
    return status;
}

void rig_folder_remove(struct rig_folder *folder)
{
    if (folder->janitor == 0)
        return;
    close(folder->leash);
    while (waitpid(folder->janitor, NULL, 0) < 0 && errno == EINTR)
        continue;
    folder->janitor = 0;
}
