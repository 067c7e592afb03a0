#include "server/maintain_job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/must.h"

/* --- words --------------------------------------------------------------------------------- */

int maintain_fail(const char *what, const char *about)
{
    fprintf(stderr, "hotlead: %s%s\n", what, about);
    return EXIT_FAILED;
}

int maintain_fail_as(const char *about, enum status status)
{
    fprintf(stderr, "hotlead: %s: %s\n", about, status_text(status));
    return EXIT_FAILED;
}

/* How many words the flag takes; 0: it is another. */
static int take_flag(const struct maintain_flag *flag, int argc, char **argv)
{
    size_t length = strlen(flag->name);

    if (flag->on && strcmp(argv[0], flag->name) == 0) {
        *flag->on = true;
        return 1;
    }
    if (!flag->value)
        return 0;
    if (strncmp(argv[0], flag->name, length) == 0 && argv[0][length] == '=')
        *flag->value = argv[0] + length + 1;
    else if (strcmp(argv[0], flag->name) == 0 && argc > 1)
        *flag->value = argv[1];
    else if (flag->alone && argv[0][0] != '-' && !*flag->value)
        *flag->value = argv[0];
    else
        return 0;
    return strcmp(argv[0], flag->name) == 0 ? 2 : 1;
}

static int take_any(const struct maintain_flag *flags, int argc, char **argv)
{
    int taken = 0;

    for (; flags->name && taken == 0; flags++)
        taken = take_flag(flags, argc, argv);
    return taken;
}

/* Takes the command's own flags out of argv; the rest is for config_read. */
static int take_flags(const struct maintain_flag *flags, int argc, char **argv)
{
    int kept = 0;

    for (int i = 0; i < argc;) {
        int taken = take_any(flags, argc - i, argv + i);
        bool names_value = strncmp(argv[i], "--", 2) == 0 && !strchr(argv[i], '=') &&
                           strcmp(argv[i], "--help") != 0;
        i += taken;
        if (taken > 0)
            continue;
        argv[kept++] = argv[i++];
        if (names_value && i < argc && argv[i][0] != '-')
            argv[kept++] = argv[i++];
    }
    return kept;
}

static bool has_all(const struct maintain_flag *flags)
{
    for (; flags->name; flags++) {
        if (flags->wanted && !*flags->value)
            return false;
    }
    return true;
}

int maintain_open(struct maintain_job *job, const struct maintain_flag *flags, const char *usage,
                  const char *more, int argc, char **argv)
{
    int kept = take_flags(flags, argc - 1, argv + 1);
    enum status status = config_read(kept, (const char *const *)argv + 1,
                                     (const char *const *)environ, &job->config, stderr);
    enum log_level level;

    if (job->config.help) {
        printf("usage: hotlead %s\n\n%sThe settings of `hotlead serve` that say where the data is "
               "hold here too.\n",
               usage, more);
        return 0;
    }
    if (status != STATUS_OK || !has_all(flags)) {
        fprintf(stderr, "usage: hotlead %s\n", usage);
        return EXIT_USAGE;
    }
    if (!maintain_join(job->journal, job->config.data, "journal"))
        return maintain_fail("too long a path: ", job->config.data);
    if (!log_level_of(job->config.log_level, &level) || level < LOG_WARN)
        level = LOG_WARN; /* the commands themselves say what went well */
    job->log = log_open(STDERR_FILENO, level);
    MUST(job->log && sodium_init() >= 0);
    signal(SIGXFSZ, SIG_IGN);
    return -1;
}

int maintain_close(struct maintain_job *job, int code)
{
    log_close(job->log);
    config_close(&job->config);
    if (fflush(stdout) != 0 && code == 0)
        code = maintain_fail("the output cannot be written: ", strerror(errno));
    return code;
}

int maintain_apart(maintain_work_fn *work, struct maintain_job *job, const char *what)
{
    static char lines[64 * 1024]; /* what was told before it died is told, in whole lines */
    int code = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setvbuf(stdout, lines, _IOLBF, sizeof(lines));
        code = work(job);
        fflush(stdout);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &code, 0) != child)
        return maintain_fail("no process for it: ", strerror(errno));
    if (WIFEXITED(code))
        return WEXITSTATUS(code);
    printf("%s is damaged: reading it ended with signal %d\n", what, WTERMSIG(code));
    return EXIT_FAILED;
}

/* --- where things are ----------------------------------------------------------------------- */

bool maintain_join(char out[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

enum status maintain_open_journal(const struct maintain_job *job, const char *directory,
                                  struct journal **out)
{
    const struct journal_options options = {
        .directory = directory,
        .map_bytes = job->config.journal_map_bytes,
        .read_only = true,
        .log = job->log,
    };
    enum status status = journal_open(&options, out);

    if (status == STATUS_NOT_FOUND)
        fprintf(stderr, "hotlead: there is no journal in %s\n", directory);
    else if (status != STATUS_OK)
        maintain_fail_as(directory, status);
    return status;
}

int maintain_lock(const struct maintain_job *job)
{
    char path[PATH_MAX];

    if (!maintain_join(path, job->config.data, "hotlead.lock"))
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void maintain_state_path(const struct maintain_job *job, const char *name, char out[PATH_MAX])
{
    bool apart = *job->config.state;

    snprintf(out, PATH_MAX, "%s%s/%s", apart ? job->config.state : job->config.data,
             apart ? "" : "/state", name);
}

bool maintain_is_empty(const char *folder)
{
    DIR *entries = opendir(folder);
    bool empty = true;

    if (!entries)
        return errno == ENOENT;
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    }
    closedir(entries);
    return empty;
}

const char *maintain_scratch(void)
{
    const char *folder = getenv("TMPDIR");

    return folder && *folder ? folder : "/var/tmp"; /* a disk, where /tmp may be memory */
}
