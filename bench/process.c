/* vfork and exec rather than posix_spawn, which knows no PR_SET_PDEATHSIG: nothing that was started
 * for a measurement may outlive it, not even after a SIGKILL.
 *
 * A group's CPU time comes from the CPU clock of each member, which counts nanoseconds and includes
 * threads that have ended. /proc/PID/stat has the same figure in ticks of 10 ms, too coarse for a
 * run of a second; from there come only the times of children that were reaped, and the shares of
 * user and system. */
#include "bench/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/moment.h"

#define LOOK_EACH_MS    2
#define SIGNAL_EXIT     128
#define PATH_BYTES      64
#define PROC_FILE_BYTES 4096

/* --- starting ------------------------------------------------------------------------------- */

static size_t count_of(const char *const *words)
{
    size_t count = 0;

    while (words && words[count])
        count++;
    return count;
}

/* Whether one of them sets the variable that `own` sets. */
static bool is_among(const char *own, const char *const *words, size_t count)
{
    size_t name = strcspn(own, "=") + 1;

    for (size_t i = 0; i < count; i++)
        if (strncmp(words[i], own, name) == 0)
            return true;
    return false;
}

/* What we have, but for what `more` sets otherwise: of two of a name, some programs take the first
 * and some the last. NULL: out of memory. */
static char **joined_environment(const char *const *more)
{
    size_t count = count_of(more), length = count;
    char **all = calloc(count + count_of((const char *const *)environ) + 1, sizeof *all);

    if (!all)
        return NULL;
    for (size_t i = 0; i < count; i++)
        all[i] = (char *)more[i];
    for (char **own = environ; *own; own++)
        if (!is_among(*own, more, count))
            all[length++] = *own;
    return all;
}

static bool redirect(int to, const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC, 0644);

    return file >= 0 && dup2(file, to) == to;
}

/* What is handled or ignored here is none of the child's affair, and no handler of ours may run in
 * it: it still has our memory. */
static void forget_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. Answers only when it failed, with errno set. The log is opened before the folder is
 * entered: its path is the caller's. */
static void become(const char *const *words, char **environment, const char *folder,
                   const char *log, pid_t parent)
{
    setpgid(0, 0);
    forget_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return;
    if (getppid() != parent) /* it died before we asked to be told */
        _exit(SIGNAL_EXIT + SIGKILL);
    if (!redirect(STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND) ||
        dup2(STDOUT_FILENO, STDERR_FILENO) != STDERR_FILENO || chdir(folder) != 0 ||
        !redirect(STDIN_FILENO, "/dev/null", O_RDONLY))
        return;
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    execvpe(words[0], (char **)words, environment);
}

/* A fork would copy the page tables of a sender with gigabytes of ledger, and its schedule would
 * wait for that. A vfork copies nothing: the child runs in our memory, and this thread waits, until
 * it has become somebody else or has failed and left its errno. */
static enum status start_in_our_memory(const char *const *words, char **environment,
                                       const char *folder, const char *log, struct process *out)
{
    pid_t parent = getpid();
    volatile int error = 0;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = vfork();
    if (child == 0) {
        become(words, environment, folder, log, parent);
        error = errno;
        _exit(127);
    }
    if (child < 0)
        error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child > 0 && error != 0)
        waitpid(child, NULL, 0);
    out->pid = error == 0 ? child : 0;
    errno = error;
    return error == 0 ? STATUS_OK : STATUS_INVALID;
}

enum status process_start(const char *const *words, const char *const *environment,
                          const char *folder, const char *log, struct process *out)
{
    *out = (struct process){0};
    char **all = joined_environment(environment);
    if (!all)
        return STATUS_INTERNAL;
    enum status status = start_in_our_memory(words, all, folder, log, out);
    int error = errno;
    free(all);
    errno = error;
    return status;
}

/* --- ending --------------------------------------------------------------------------------- */

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    /* WNOWAIT: as long as it is not reaped its number, and so its group's, is nobody else's. */
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

static void reap(struct process *process)
{
    int state = 0;
    pid_t got;

    do {
        got = waitpid(process->pid, &state, 0);
    } while (got < 0 && errno == EINTR);
    process->exit_code = WIFSIGNALED(state) ? SIGNAL_EXIT + WTERMSIG(state) : WEXITSTATUS(state);
    process->pid = 0;
}

bool process_lives(struct process *process)
{
    if (process->pid == 0)
        return false;
    if (!has_ended(process->pid))
        return true;
    kill(-process->pid, SIGKILL); /* children it left behind */
    reap(process);
    return false;
}

void process_signal(const struct process *process, int signal)
{
    if (process->pid > 0)
        kill(-process->pid, signal);
}

bool process_stop(struct process *process, unsigned wait_ms)
{
    uint64_t end_ms = moment_ms() + wait_ms;

    if (process->pid == 0)
        return true;
    process_signal(process, SIGTERM);
    bool ended = has_ended(process->pid);
    while (!ended && moment_ms() < end_ms) {
        moment_pause_ms(LOOK_EACH_MS);
        ended = has_ended(process->pid);
    }
    process_signal(process, SIGKILL);
    reap(process);
    return ended;
}

bool process_allow_descriptors(uint64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= wanted;
}

/* --- measuring ------------------------------------------------------------------------------ */

/* The file's beginning as a string; false when there is no such process any more. */
static bool read_proc(pid_t pid, const char *name, char *buffer, size_t bytes)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, buffer, bytes - 1);
    close(file);
    if (got <= 0)
        return false;
    buffer[got] = '\0';
    return true;
}

struct member_times {
    uint64_t own_us;             /* by the CPU clock */
    uint64_t user_us, system_us; /* by ticks */
    uint64_t reaped_user_us, reaped_system_us;
};

static uint64_t ticks_to_us(uint64_t ticks)
{
    return ticks * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

static bool read_clock(pid_t pid, uint64_t *us_out)
{
    clockid_t clock;
    struct timespec time;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return false;
    *us_out = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
    return true;
}

static bool read_times(pid_t pid, struct member_times *out)
{
    char text[PROC_FILE_BYTES];

    if (!read_proc(pid, "stat", text, sizeof text))
        return false;
    /* The name, in brackets, may hold anything, brackets too. Behind it: state ppid pgrp session
     * tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime. */
    const char *rest = strrchr(text, ')');
    uint64_t user, system, reaped_user, reaped_system;
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                        " %" SCNu64 " %" SCNu64,
                        &user, &system, &reaped_user, &reaped_system) != 4)
        return false;
    *out = (struct member_times){0, ticks_to_us(user), ticks_to_us(system),
                                 ticks_to_us(reaped_user), ticks_to_us(reaped_system)};
    if (!read_clock(pid, &out->own_us))
        out->own_us = out->user_us + out->system_us;
    return true;
}

/* "VmRSS:     1234 kB"; 0 when the line is not there (a zombie has none). */
static uint64_t status_number(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

/* A newer kernel (6.2) tells it as the folder's size; an older one's entries are counted. */
static unsigned count_descriptors(pid_t pid)
{
    char path[PATH_BYTES];
    struct stat entry;
    unsigned count = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    if (stat(path, &entry) == 0 && entry.st_size > 0)
        return (unsigned)entry.st_size;
    DIR *folder = opendir(path);
    if (!folder)
        return 0;
    for (struct dirent *one = readdir(folder); one; one = readdir(folder))
        count += one->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void add_times(const struct member_times *times, struct process_use *sum)
{
    uint64_t ticked = times->user_us + times->system_us;
    uint64_t user =
        ticked > 0 ? (uint64_t)((double)times->own_us * (double)times->user_us / (double)ticked)
                   : times->own_us;

    sum->user_us += user + times->reaped_user_us;
    sum->system_us += times->own_us - user + times->reaped_system_us;
}

/* False: it ended while we looked. */
static bool add_member(pid_t pid, struct process_use *sum)
{
    char status[PROC_FILE_BYTES];
    struct member_times times;

    if (!read_times(pid, &times) || !read_proc(pid, "status", status, sizeof status))
        return false;
    add_times(&times, sum);
    sum->resident_bytes += status_number(status, "\nVmRSS:") * 1024;
    sum->resident_bytes_max += status_number(status, "\nVmHWM:") * 1024;
    sum->anonymous_bytes += status_number(status, "\nRssAnon:") * 1024;
    sum->threads += (unsigned)status_number(status, "\nThreads:");
    sum->descriptors += count_descriptors(pid);
    return true;
}

bool process_use(const struct process *process, struct process_use *out)
{
    bool found = false;

    *out = (struct process_use){0};
    DIR *all = process->pid > 0 ? opendir("/proc") : NULL;
    if (!all)
        return false;
    for (struct dirent *one = readdir(all); one; one = readdir(all)) {
        /* Asking for the group is one cheap call, so that a machine full of processes costs little.
         */
        pid_t pid = isdigit((unsigned char)one->d_name[0]) ? (pid_t)atoi(one->d_name) : 0;
        if (pid > 0 && getpgid(pid) == process->pid)
            found |= add_member(pid, out);
    }
    closedir(all);
    return found;
}
