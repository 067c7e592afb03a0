#include "server/maintain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/directory.h"
#include "server/maintain_check.h"
#include "server/maintain_job.h"
#include "server/recovery.h"

static const struct maintain_flag no_flags[] = {{.name = NULL}};

/* --- fsck ------------------------------------------------------------------------------------- */

/* True when all of it is sound; says so, or what is not. */
static bool is_sound(struct journal *journal, FILE *out, struct maintain_found *result)
{
    enum status status = maintain_check(journal, out, result);

    if (status != STATUS_OK)
        maintain_fail_as("the journal cannot be read to its end", status);
    return status == STATUS_OK && result->wrong == 0;
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

static int look_at_state(struct maintain_job *job)
{
    char rows[PATH_MAX];
    struct journal *journal;
    struct state *state;

    maintain_state_path(job, "rows", rows);
    const struct state_options options = {.directory = rows,
                                          .map_bytes = job->config.state_map_bytes};
    if (maintain_open_journal(job, job->journal, &journal) != STATUS_OK)
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

static int check_state(struct maintain_job *job)
{
    char rows[PATH_MAX];

    maintain_state_path(job, "rows", rows);
    if (access(rows, F_OK) != 0) {
        printf("there is no state: it is made from the journal at the next start\n");
        return 0;
    }
    int lock = maintain_lock(job);
    if (lock < 0) {
        printf("state is in use by a server: not looked at\n");
        return 0;
    }
    int code = maintain_apart(look_at_state, job, "state (run hotlead rebuild)");
    close(lock);
    return code;
}

static int look_at_journal(struct maintain_job *job)
{
    struct maintain_found result;
    struct journal *journal;

    if (maintain_open_journal(job, job->journal, &journal) != STATUS_OK)
        return EXIT_FAILED;
    bool sound = is_sound(journal, stdout, &result);
    printf("%" PRIu64 " records, %" PRIu64 " erased, %" PRIu64 " wrong\n", result.records,
           result.erased, result.wrong);
    journal_close(journal);
    return sound ? 0 : EXIT_FAILED;
}

static int fsck(struct maintain_job *job)
{
    int code = maintain_apart(look_at_journal, job, "the journal");

    return code == 0 ? check_state(job) : code;
}

int maintain_fsck(int argc, char **argv)
{
    struct maintain_job job = {0};
    int code = maintain_open(&job, no_flags, "fsck --data DIR", "", argc, argv);

    return maintain_close(&job, code < 0 ? fsck(&job) : code);
}

/* --- backup and restore ----------------------------------------------------------------------- */

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

    if (!maintain_join(source, from, "admin.token") || !maintain_join(target, to, "admin.token"))
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
    if (!maintain_join(data, target, "data.mdb") || stat(data, &info) != 0)
        return STATUS_IO;
    if ((uint64_t)info.st_ino != epoch->inode)
        return STATUS_OK;
    /* While the first copy lies aside the second cannot get its number. */
    if (rename(target, spare) != 0)
        return STATUS_IO;
    status = journal_backup(journal, target);
    if (!maintain_join(data, spare, "data.mdb") || unlink(data) != 0 || rmdir(spare) != 0)
        return STATUS_IO;
    return status;
}

/* Copies the journal that was opened to <folder>/journal, which then is there whole or not at
 * all, and looks at the copy. */
static int copy_journal(struct maintain_job *job, struct journal *journal, const char *from,
                        const char *folder)
{
    char partial[PATH_MAX], spare[PATH_MAX], whole[PATH_MAX];
    struct maintain_found source = {0}, copied;
    struct journal *copy;

    if (!maintain_join(partial, folder, "journal.partial") ||
        !maintain_join(spare, folder, "journal.spare") || !maintain_join(whole, folder, "journal"))
        return maintain_fail("too long a path: ", folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return maintain_fail_as(folder, STATUS_IO);
    if (!is_sound(journal, stderr, &source))
        return maintain_fail("the journal is damaged, and so would be the copy: ", from);
    enum status status = copy_with_new_inode(journal, &source.epoch, partial, spare);
    if (status != STATUS_OK)
        return maintain_fail_as(partial, status);

    if (maintain_open_journal(job, partial, &copy) != STATUS_OK)
        return EXIT_FAILED;
    bool sound = is_sound(copy, stderr, &copied) && copied.records >= source.records;
    journal_close(copy);
    if (!sound)
        return maintain_fail("the copy is not sound: ", partial);
    if (rename(partial, whole) != 0 || !copy_token(from, folder) || directory_sync(folder) != 0)
        return maintain_fail_as(folder, STATUS_IO);
    printf("%" PRIu64 " records copied to %s\n", copied.records, folder);
    return 0;
}

static int copy_from(struct maintain_job *job, const char *from, const char *to)
{
    char path[PATH_MAX];
    struct journal *journal;

    if (!maintain_is_empty(to))
        return maintain_fail("there is something already; give an empty folder: ", to);
    if (!maintain_join(path, from, "journal"))
        return maintain_fail("too long a path: ", from);
    if (maintain_open_journal(job, path, &journal) != STATUS_OK)
        return EXIT_FAILED;
    int code = copy_journal(job, journal, from, to);
    journal_close(journal);
    return code;
}

static int backup(struct maintain_job *job)
{
    return copy_from(job, job->config.data, job->other);
}

int maintain_backup(int argc, char **argv)
{
    struct maintain_job job = {0};
    const struct maintain_flag flags[] = {
        {.name = "--to", .value = &job.other, .wanted = true, .alone = true}, {.name = NULL}};
    int code = maintain_open(&job, flags, "backup --data DIR --to NEW-DIR", "", argc, argv);

    return maintain_close(&job, code < 0 ? maintain_apart(backup, &job, "the journal") : code);
}

static int restore(struct maintain_job *job)
{
    char owner[PATH_MAX];
    int code = copy_from(job, job->other, job->config.data);

    /* A state that lies elsewhere belongs to what was there before. */
    maintain_state_path(job, "OWNER", owner);
    if (code == 0 && unlink(owner) != 0 && errno != ENOENT)
        return maintain_fail_as(owner, STATUS_IO);
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
    struct maintain_job job = {0};
    const struct maintain_flag flags[] = {
        {.name = "--from", .value = &job.other, .wanted = true, .alone = true}, {.name = NULL}};
    int code =
        maintain_open(&job, flags, "restore --from BACKUP-DIR --data NEW-DIR", "", argc, argv);

    return maintain_close(&job, code < 0 ? maintain_apart(restore, &job, "the backup") : code);
}

/* --- rebuild and dump --- */

/* Opens the folder and applies what state lacks. NULL: the log says why. */
static struct recovery *open_folded(const struct maintain_job *job, bool rebuild)
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
    maintain_fail_as("the journal cannot be applied to the state", status);
    recovery_close(recovery, false);
    return NULL;
}

static int rebuild(struct maintain_job *job)
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
    struct maintain_job job = {0};
    int code = maintain_open(&job, no_flags, "rebuild --data DIR", "", argc, argv);

    return maintain_close(&job, code < 0 ? rebuild(&job) : code);
}

static int dump(struct maintain_job *job)
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
    return status == STATUS_OK ? 0 : maintain_fail_as("the state cannot be printed", status);
}

int maintain_dump(int argc, char **argv)
{
    struct maintain_job job = {0};
    int code = maintain_open(&job, no_flags, "dump --data DIR", "", argc, argv);

    return maintain_close(&job, code < 0 ? dump(&job) : code);
}
