#include "server/maintain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/must.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/directory.h"
#include "server/maintain_check.h"
#include "server/recovery.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2

/* One command: where, and what else was said. */
struct job {
    struct config config; /* of --data, --state, sizes, and their variables and file */
    const char *other;    /* --to, --from or the word that stands alone */
    char journal[PATH_MAX];
    struct log *log;
};

/* --- words --------------------------------------------------------------------------------- */

static int fail(const char *what, const char *about)
{
    fprintf(stderr, "hotlead: %s%s\n", what, about);
    return EXIT_FAILED;
}

static int fail_as(const char *about, enum status status)
{
    fprintf(stderr, "hotlead: %s: %s\n", about, status_text(status));
    return EXIT_FAILED;
}

static bool join(char out[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* Takes `flag VALUE`, `flag=VALUE` or a word alone out of argv; the rest is for config_read. */
static int take_other(struct job *job, const char *flag, int argc, char **argv)
{
    size_t length = flag ? strlen(flag) : 0;
    int kept = 0;

    for (int i = 0; i < argc; i++) {
        bool names_value = strncmp(argv[i], "--", 2) == 0 && !strchr(argv[i], '=');
        if (flag && strncmp(argv[i], flag, length) == 0 && argv[i][length] == '=') {
            job->other = argv[i] + length + 1;
        } else if (flag && strcmp(argv[i], flag) == 0 && i + 1 < argc) {
            job->other = argv[++i];
        } else if (flag && argv[i][0] != '-' && !job->other) {
            job->other = argv[i];
        } else {
            argv[kept++] = argv[i];
            if (names_value && i + 1 < argc && argv[i + 1][0] != '-' &&
                strcmp(argv[kept - 1], "--help") != 0)
                argv[kept++] = argv[++i];
        }
    }
    return kept;
}

/* -1: go on; else the exit code. */
static int open_job(struct job *job, const char *flag, const char *usage, int argc, char **argv)
{
    int kept = take_other(job, flag, argc - 1, argv + 1);
    enum status status = config_read(kept, (const char *const *)argv + 1,
                                     (const char *const *)environ, &job->config, stderr);
    enum log_level level;

    if (job->config.help) {
        printf("usage: hotlead %s\n\nThe settings of `hotlead serve` that say where the data is "
               "hold here too.\n",
               usage);
        return 0;
    }
    if (status != STATUS_OK || (flag && !job->other)) {
        fprintf(stderr, "usage: hotlead %s\n", usage);
        return EXIT_USAGE;
    }
    if (!join(job->journal, job->config.data, "journal"))
        return fail("too long a path: ", job->config.data);
    if (!log_level_of(job->config.log_level, &level) || level < LOG_WARN)
        level = LOG_WARN; /* the commands themselves say what went well */
    job->log = log_open(STDERR_FILENO, level);
    MUST(job->log && sodium_init() >= 0);
    signal(SIGXFSZ, SIG_IGN);
    return -1;
}

static int close_job(struct job *job, int code)
{
    log_close(job->log);
    config_close(&job->config);
    if (fflush(stdout) != 0 && code == 0)
        code = fail("the output cannot be written: ", strerror(errno));
    return code;
}

typedef int work_fn(struct job *job);

/* Does the work in a process of its own, because LMDB trusts what it reads: a damaged file can
 * kill whoever looks at it. */
static int do_apart(work_fn *work, struct job *job, const char *what)
{
    int code = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        code = work(job);
        fflush(stdout);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &code, 0) != child)
        return fail("no process for it: ", strerror(errno));
    if (WIFEXITED(code))
        return WEXITSTATUS(code);
    printf("%s is damaged: reading it ended with signal %d\n", what, WTERMSIG(code));
    return EXIT_FAILED;
}

/* --- fsck ------------------------------------------------------------------------------------- */

static enum status open_read_only(const struct job *job, const char *directory,
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
        fail_as(directory, status);
    return status;
}

/* True when all of it is sound; says so, or what is not. */
static bool is_sound(struct journal *journal, FILE *out, struct maintain_found *result)
{
    enum status status = maintain_check(journal, out, result);

    if (status != STATUS_OK)
        fail_as("the journal cannot be read to its end", status);
    return status == STATUS_OK && result->wrong == 0;
}

/* Held as long as the descriptor is open; -1: a server has it. */
static int take_lock(const struct job *job)
{
    char path[PATH_MAX];

    if (!join(path, job->config.data, "hotlead.lock"))
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What state says of itself against the journal: how far it has come, and over which record. */
static bool state_fits(struct state *state, struct journal *journal)
{
    const struct state_meta *meta = state_meta(state);
    struct journal_reader *reader;
    struct record_view record;

    if (meta->folded_seq == 0) {
        printf("state is empty: it is made from the journal at the next start\n");
        return true;
    }
    enum status status = journal_reader_open(journal, &reader);
    if (status != STATUS_OK)
        return false;
    status = journal_read(reader, meta->folded_seq, &record);
    bool same = status == STATUS_OK && record.header.checksum == meta->folded_checksum;
    journal_reader_close(reader);
    if (same)
        printf("state has come to record %" PRIu64 "\n", meta->folded_seq);
    else
        printf("state does not belong to this journal: it says it has come to record %" PRIu64
               "; run hotlead rebuild\n",
               meta->folded_seq);
    return same;
}

static void state_path(const struct job *job, const char *name, char out[PATH_MAX])
{
    bool apart = *job->config.state;

    snprintf(out, PATH_MAX, "%s%s/%s", apart ? job->config.state : job->config.data,
             apart ? "" : "/state", name);
}

static int look_at_state(struct job *job)
{
    char rows[PATH_MAX];
    struct journal *journal;
    struct state *state;

    state_path(job, "rows", rows);
    const struct state_options options = {.directory = rows,
                                          .map_bytes = job->config.state_map_bytes};
    if (open_read_only(job, job->journal, &journal) != STATUS_OK)
        return EXIT_FAILED;
    enum status status = state_open(&options, &state);
    bool fits = status == STATUS_OK && state_fits(state, journal);
    if (status == STATUS_OK)
        state_close(state);
    else
        printf("state cannot be opened (%s); run hotlead rebuild\n", status_text(status));
    journal_close(journal);
    return fits ? 0 : EXIT_FAILED;
}

static int check_state(struct job *job)
{
    char rows[PATH_MAX];

    state_path(job, "rows", rows);
    if (access(rows, F_OK) != 0) {
        printf("there is no state: it is made from the journal at the next start\n");
        return 0;
    }
    int lock = take_lock(job);
    if (lock < 0) {
        printf("state is in use by a server: not looked at\n");
        return 0;
    }
    int code = do_apart(look_at_state, job, "state (run hotlead rebuild)");
    close(lock);
    return code;
}

static int look_at_journal(struct job *job)
{
    struct maintain_found result;
    struct journal *journal;

    if (open_read_only(job, job->journal, &journal) != STATUS_OK)
        return EXIT_FAILED;
    bool sound = is_sound(journal, stdout, &result);
    printf("%" PRIu64 " records, %" PRIu64 " erased, %" PRIu64 " wrong\n", result.records,
           result.erased, result.wrong);
    journal_close(journal);
    return sound ? 0 : EXIT_FAILED;
}

static int fsck(struct job *job)
{
    int code = do_apart(look_at_journal, job, "the journal");

    return code == 0 ? check_state(job) : code;
}

int maintain_fsck(int argc, char **argv)
{
    struct job job = {0};
    int code = open_job(&job, NULL, "fsck --data DIR", argc, argv);

    return close_job(&job, code < 0 ? fsck(&job) : code);
}

/* --- backup and restore ----------------------------------------------------------------------- */

static bool is_empty_or_missing(const char *folder)
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

static bool is_word(int fd, char bytes[512], size_t *length_out)
{
    ssize_t length = read(fd, bytes, 512);

    *length_out = length > 0 ? (size_t)length : 0;
    return length > 0 && length < 512;
}

/* The first token's text goes with the journal, which knows only its hash: without it nobody could
 * administer what is restored. The journal itself is no less secret. */
static bool copy_token(const char *from, const char *to)
{
    char source[PATH_MAX], target[PATH_MAX], bytes[512];
    size_t length;

    if (!join(source, from, "admin.token") || !join(target, to, "admin.token"))
        return false;
    int in = open(source, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return errno == ENOENT;
    int out = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool copied = out >= 0 && is_word(in, bytes, &length) &&
                  write(out, bytes, length) == (ssize_t)length && fsync(out) == 0;
    close(in);
    if (out >= 0)
        close(out);
    return copied;
}

/* A copy whose file has another inode than the epoch in it is bound to: the file system may give
 * a new file the number of one that was just removed, and then the copy would go on under the
 * old epoch, with marks in Redis that are ahead of it. */
static enum status copy_with_new_inode(struct journal *journal, const struct effect_epoch *epoch,
                                       const char *target, const char *spare)
{
    char data[PATH_MAX];
    struct stat info;
    enum status status = journal_backup(journal, target);

    if (status != STATUS_OK)
        return status;
    if (!join(data, target, "data.mdb") || stat(data, &info) != 0)
        return STATUS_IO;
    if ((uint64_t)info.st_ino != epoch->inode)
        return STATUS_OK;
    /* While the first copy lies aside the second cannot get its number. */
    if (rename(target, spare) != 0)
        return STATUS_IO;
    status = journal_backup(journal, target);
    if (!join(data, spare, "data.mdb") || unlink(data) != 0 || rmdir(spare) != 0)
        return STATUS_IO;
    return status;
}

/* Copies the journal that was opened to <folder>/journal, which then is there whole or not at
 * all, and looks at the copy. */
static int copy_journal(struct job *job, struct journal *journal, const char *from,
                        const char *folder)
{
    char partial[PATH_MAX], spare[PATH_MAX], whole[PATH_MAX];
    struct maintain_found source = {0}, copied;
    struct journal *copy;

    if (!join(partial, folder, "journal.partial") || !join(spare, folder, "journal.spare") ||
        !join(whole, folder, "journal"))
        return fail("too long a path: ", folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail_as(folder, STATUS_IO);
    if (!is_sound(journal, stderr, &source))
        return fail("the journal is damaged, and so would be the copy: ", from);
    enum status status = copy_with_new_inode(journal, &source.epoch, partial, spare);
    if (status != STATUS_OK)
        return fail_as(partial, status);

    if (open_read_only(job, partial, &copy) != STATUS_OK)
        return EXIT_FAILED;
    bool sound = is_sound(copy, stderr, &copied) && copied.records >= source.records;
    journal_close(copy);
    if (!sound)
        return fail("the copy is not sound: ", partial);
    if (rename(partial, whole) != 0 || !copy_token(from, folder) || directory_sync(folder) != 0)
        return fail_as(folder, STATUS_IO);
    printf("%" PRIu64 " records copied to %s\n", copied.records, folder);
    return 0;
}

static int copy_from(struct job *job, const char *from, const char *to)
{
    char path[PATH_MAX];
    struct journal *journal;

    if (!is_empty_or_missing(to))
        return fail("there is something already; give an empty folder: ", to);
    if (!join(path, from, "journal"))
        return fail("too long a path: ", from);
    if (open_read_only(job, path, &journal) != STATUS_OK)
        return EXIT_FAILED;
    int code = copy_journal(job, journal, from, to);
    journal_close(journal);
    return code;
}

static int backup(struct job *job)
{
    return copy_from(job, job->config.data, job->other);
}

int maintain_backup(int argc, char **argv)
{
    struct job job = {0};
    int code = open_job(&job, "--to", "backup --data DIR --to NEW-DIR", argc, argv);

    return close_job(&job, code < 0 ? do_apart(backup, &job, "the journal") : code);
}

static int restore(struct job *job)
{
    char owner[PATH_MAX];
    int code = copy_from(job, job->other, job->config.data);

    /* A state that lies elsewhere belongs to what was there before. */
    state_path(job, "OWNER", owner);
    if (code == 0 && unlink(owner) != 0 && errno != ENOENT)
        return fail_as(owner, STATUS_IO);
    if (code == 0)
        fputs(
            "What came after the backup is not in it. Its tasks that stand in Redis stay there and "
            "can be called,\nbut reports about them will be refused; what was done after the "
            "backup is open again.\n",
            stderr);
    return code;
}

int maintain_restore(int argc, char **argv)
{
    struct job job = {0};
    int code = open_job(&job, "--from", "restore --from BACKUP-DIR --data NEW-DIR", argc, argv);

    return close_job(&job, code < 0 ? do_apart(restore, &job, "the backup") : code);
}

/* --- rebuild and dump --- */

/* Opens the folder and applies what state lacks. NULL: the log says why. */
static struct recovery *open_folded(const struct job *job, bool rebuild)
{
    const struct recovery_options options = {
        .data_directory = job->config.data,
        .state_directory = job->config.state,
        .journal_map_bytes = job->config.journal_map_bytes,
        .state_map_bytes = job->config.state_map_bytes,
        .reserve_bytes = job->config.reserve_bytes,
        .rebuild = rebuild,
        .now_ms = clock_wall_ms(),
        .log = job->log,
    };
    struct recovery *recovery;
    bool done;

    if (recovery_open(&options, &recovery) != STATUS_OK)
        return NULL;
    enum status status = recovery_fold(recovery, UINT64_MAX, &done);
    if (status == STATUS_OK && done)
        return recovery;
    fail_as("the journal cannot be applied to the state", status);
    recovery_close(recovery, false);
    return NULL;
}

static int rebuild(struct job *job)
{
    uint64_t started_us = clock_monotonic_us();
    struct recovery *recovery = open_folded(job, true);

    if (!recovery)
        return EXIT_FAILED;
    uint64_t records = journal_last_seq(recovery_journal(recovery));
    recovery_close(recovery, true);
    double seconds = (double)(clock_monotonic_us() - started_us) / 1e6;
    printf("%" PRIu64 " records applied in %.3f s, %.0f a second\n", records, seconds,
           (double)records / (seconds > 0 ? seconds : 1));
    return 0;
}

int maintain_rebuild(int argc, char **argv)
{
    struct job job = {0};
    int code = open_job(&job, NULL, "rebuild --data DIR", argc, argv);

    return close_job(&job, code < 0 ? rebuild(&job) : code);
}

static int dump(struct job *job)
{
    struct recovery *recovery = open_folded(job, false);
    struct state_reader *reader;

    if (!recovery)
        return EXIT_FAILED;
    enum status status = state_reader_open(recovery_state(recovery), &reader);
    if (status == STATUS_OK) {
        status = state_dump(reader, stdout);
        state_reader_close(reader);
    }
    recovery_close(recovery, true);
    return status == STATUS_OK ? 0 : fail_as("the state cannot be printed", status);
}

int maintain_dump(int argc, char **argv)
{
    struct job job = {0};
    int code = open_job(&job, NULL, "dump --data DIR", argc, argv);

    return close_job(&job, code < 0 ? dump(&job) : code);
}
