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

static void make_and_tell(int answer, char *path)
{
    int error = mkdtemp(path) ? 0 : errno;
    bool told = write(answer, &error, sizeof error) == sizeof error &&
                write(answer, path, strlen(path) + 1) > 0;

    if (error == 0 && told)
        return;
    if (error == 0)
        remove_tree(path);
    _exit(1);
}

/* It makes the folder too, so that there is no moment in which nobody would remove it. It has all
 * signals blocked, and leaves it so: the handlers that it was born with are those of a run, and
 * tell a loop whose pipe is ours.
 *
 * Ctrl-C goes to the whole group of a terminal's foreground: it leaves that. It holds no descriptor
 * of ours either; a pipe to the next program shall end when we do. */
static void be_the_janitor(int leash, int answer, char *path)
{
    char byte;
    ssize_t got;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    setpgid(0, 0);
    prctl(PR_SET_NAME, "bench-janitor");
    make_and_tell(answer, path);
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

/* What the janitor says of the folder: 0 and its path, or an errno. */
static int read_answer(int from, char path[static RIG_PATH_MAX])
{
    int error = EPIPE;
    size_t length =
        strlen(path) + 1; /* the name that it was given is as long as the one it chose */

    if (read(from, &error, sizeof error) == sizeof error && error == 0 &&
        read(from, path, length) != (ssize_t)length)
        error = EPIPE;
    return error;
}

/* False, with errno set: there is no janitor, and no folder. */
static bool hire_janitor(struct rig_folder *folder)
{
    int leash[2], answer[2];
    sigset_t all, before;

    if (pipe2(leash, O_CLOEXEC) != 0)
        return false;
    if (pipe2(answer, O_CLOEXEC) != 0) {
        close(leash[0]);
        close(leash[1]);
        return false;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    folder->janitor = fork();
    if (folder->janitor == 0) {
        close(leash[1]);
        be_the_janitor(leash[0], answer[1], folder->path);
    }
    int error = folder->janitor > 0 ? 0 : errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(leash[0]);
    close(answer[1]);
    folder->leash = leash[1];
    if (error == 0)
        error = read_answer(answer[0], folder->path);
    close(answer[0]);
    if (error == 0)
        return true;
    close(folder->leash);
    if (folder->janitor > 0)
        waitpid(folder->janitor, NULL, 0);
    folder->janitor = 0;
    errno = error;
    return false;
}

const char *rig_how_to_place(const struct rig_options *options)
{
    return options->below ? "give --below" : "set TMPDIR to";
}

enum status rig_place(const struct rig_options *options, FILE *talk, const char **out)
{
    const char *own = getenv("TMPDIR");

    *out = own && *own ? own : FALLBACK;
    if (options->below)
        *out = options->below;
    if (options->allow_tmpfs || !machine_is_volatile(*out))
        return STATUS_OK;
    fprintf(
        talk,
        "hotlead-bench: %s is in memory (tmpfs), where an fsync costs nothing: %s a folder on a "
        "real disk, such as /var/tmp; or allow it with hotlead-bench run --allow-tmpfs, and the "
        "result will say so\n",
        *out, rig_how_to_place(options));
    return STATUS_FORBIDDEN;
}

enum status rig_folder_make(const struct rig_options *options, FILE *talk, struct rig_folder *out)
{
    const char *below;
    enum status placed = rig_place(options, talk, &below);

    *out = (struct rig_folder){0};
    if (placed != STATUS_OK)
        return placed;
    if (snprintf(out->path, sizeof out->path, "%s/hotlead-bench.XXXXXX", below) >=
            (int)sizeof out->path ||
        !(options->keep ? mkdtemp(out->path) != NULL : hire_janitor(out))) {
        fprintf(talk, "hotlead-bench: no folder can be made in %s: %s; %s another\n", below,
                strerror(errno), rig_how_to_place(options));
        out->path[0] = '\0';
        return STATUS_IO;
    }
    return STATUS_OK;
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
