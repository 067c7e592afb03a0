#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/journal.h"
#include "server/lmdb_env.h"
#include "tests/folder.h"

#define MIB (1ull << 20)

struct fixture {
    struct folder folder;
    struct journal_options options;
    char directory[80];
    struct journal *journal;
};

static struct fixture fixture;
static struct record record;
static char payload[OPTIN_STORED_MAX];

static int set_up(void **state)
{
    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.directory, sizeof fixture.directory, "%s/journal", fixture.folder.path);
    fixture.options = (struct journal_options){.directory = fixture.directory};
    memset(payload, 'p', sizeof payload);
    return journal_open(&fixture.options, &fixture.journal) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    journal_close(fixture.journal);
    folder_remove(&fixture.folder);
    return 0;
}

static void reopen(void)
{
    journal_close(fixture.journal);
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
}

static enum status append(uint64_t seq, size_t payload_bytes)
{
    record_begin(&record, RECORD_OPTIN, 1000 + seq, 1);
    record.header.seq = seq;
    record.payload = (struct slice){payload, payload_bytes};
    record_seal(&record);
    return journal_append(fixture.journal, &record);
}

/* One batch of `count` records of 600 bytes behind what is there. */
static enum status append_batch(unsigned count, size_t payload_bytes)
{
    enum status status = journal_begin(fixture.journal);

    for (unsigned i = 0; status == STATUS_OK && i < count; i++)
        status = append(journal_last_seq(fixture.journal) + 1, payload_bytes);
    return status == STATUS_OK ? journal_commit(fixture.journal) : status;
}

static enum status read_one(uint64_t seq)
{
    struct journal_reader *reader;
    struct record_view view;

    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    enum status status = journal_read(reader, seq, &view);
    if (status == STATUS_OK)
        assert_int_equal(view.header.now_ms, 1000 + seq);
    assert_int_equal(view.header.seq, seq);
    journal_reader_close(reader);
    return status;
}

/* --- batches -------------------------------------------------------------- */

static void committed_records_are_there_after_reopening(void **state)
{
    (void)state;
    assert_int_equal(journal_last_seq(fixture.journal), 0);
    assert_int_equal(append_batch(3, 600), STATUS_OK);
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), 3);
    assert_int_equal(read_one(1), STATUS_OK);
    assert_int_equal(read_one(3), STATUS_OK);
    assert_int_equal(read_one(4), STATUS_NOT_FOUND);
}

static void records_of_every_size_come_back_whole(void **state)
{
    /* Around LMDB's limit for what stays within a page, and the largest there can be. */
    static const size_t sizes[] = {0, 1, 1900, 1960, 2040, 4000, 4096, 65536, OPTIN_STORED_MAX};
    struct journal_reader *reader;
    struct record_view view;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_int_equal(append_batch(1, sizes[i]), STATUS_OK);
    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(journal_read(reader, i + 1, &view), STATUS_OK);
        assert_int_equal(view.payload.length, sizes[i]);
        assert_true(slice_equal(view.payload, (struct slice){payload, sizes[i]}));
    }
    journal_reader_close(reader);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(append_batch(2, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(append(3, 600), STATUS_OK);
    assert_int_equal(journal_last_seq(fixture.journal), 3);
    journal_abort(fixture.journal);
    assert_int_equal(journal_last_seq(fixture.journal), 2);
    assert_int_equal(read_one(3), STATUS_NOT_FOUND);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(read_one(3), STATUS_OK);
}

static void an_empty_batch_commits(void **state)
{
    (void)state;
    assert_int_equal(append_batch(0, 0), STATUS_OK);
    assert_int_equal(journal_last_seq(fixture.journal), 0);
}

static void an_open_batch_ends_with_the_journal(void **state)
{
    (void)state;
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(append(1, 600), STATUS_OK);
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), 0);
}

static void the_writer_reads_what_it_has_not_committed(void **state)
{
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(append(2, 600), STATUS_OK);
    assert_int_equal(journal_batch_read(fixture.journal, 2, &view), STATUS_OK);
    assert_int_equal(view.payload.length, 600);
    assert_int_equal(journal_batch_read(fixture.journal, 1, &view), STATUS_OK);
    assert_int_equal(journal_batch_read(fixture.journal, 3, &view), STATUS_NOT_FOUND);
    assert_int_equal(read_one(2), STATUS_NOT_FOUND);
    assert_int_equal(journal_commit(fixture.journal), STATUS_OK);
}

static void the_writer_reads_between_batches_too(void **state)
{
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(2, 600), STATUS_OK);
    assert_int_equal(journal_batch_read(fixture.journal, 2, &view), STATUS_OK);
    assert_int_equal(view.header.now_ms, 1002);
    assert_int_equal(view.payload.length, 600);
    assert_int_equal(journal_batch_read(fixture.journal, 9, &view), STATUS_NOT_FOUND);
}

/* A bug must not make holes: the process ends instead. */
static void a_gap_is_refused(void **state)
{
    int ended;

    (void)state;
    assert_int_equal(append_batch(2, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        append(4, 600);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
    journal_abort(fixture.journal);
}

/* --- readers -------------------------------------------------------------- */

static void a_reader_sees_later_commits_after_its_release(void **state)
{
    struct journal_reader *reader;
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    assert_int_equal(journal_read(reader, 1, &view), STATUS_OK);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_read(reader, 2, &view), STATUS_NOT_FOUND);
    journal_reader_release(reader);
    assert_int_equal(journal_read(reader, 2, &view), STATUS_OK);
    journal_reader_release(reader);
    journal_reader_release(reader);
    journal_reader_close(reader);
}

struct seen {
    uint64_t count, damaged, next_seq, stop_at;
};

static bool count_record(void *owner, uint64_t seq, enum status status,
                         const struct record_view *view)
{
    struct seen *seen = owner;

    assert_int_equal(seq, seen->next_seq);
    assert_int_equal(view->header.seq, seq);
    if (status == STATUS_OK)
        assert_int_equal(view->header.now_ms, 1000 + seq);
    else
        seen->damaged = seq;
    seen->count++;
    seen->next_seq++;
    return seq != seen->stop_at;
}

static struct seen scan(uint64_t from_seq, uint64_t stop_at)
{
    struct seen seen = {.next_seq = from_seq, .stop_at = stop_at};
    struct journal_reader *reader;

    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    assert_int_equal(journal_scan(reader, from_seq, count_record, &seen), STATUS_OK);
    journal_reader_close(reader);
    return seen;
}

static void a_scan_walks_all_pages_and_stops_when_told(void **state)
{
    (void)state;
    assert_int_equal(scan(1, 0).count, 0);
    assert_int_equal(append_batch(2500, 20), STATUS_OK);
    assert_int_equal(scan(1, 0).count, 2500);
    assert_int_equal(scan(1000, 0).count, 1501);
    assert_int_equal(scan(2501, 0).count, 0);
    assert_int_equal(scan(1, 1000).count, 1000);
    assert_int_equal(scan(5, 7).count, 3);
}

struct parallel {
    struct journal *journal;
    _Atomic bool done;
    uint64_t read;
};

/* Each record that is visible is whole, and all before it are visible. */
static void *read_on(void *argument)
{
    struct parallel *parallel = argument;
    struct journal_reader *reader;
    struct record_view view;
    bool done = false;

    if (journal_reader_open(parallel->journal, &reader) != STATUS_OK)
        return NULL;
    while (!done) {
        done = atomic_load(&parallel->done);
        while (journal_read(reader, parallel->read + 1, &view) == STATUS_OK)
            parallel->read++;
        journal_reader_release(reader);
        journal_is_tight(parallel->journal);
        journal_bytes(parallel->journal);
    }
    journal_reader_close(reader);
    return NULL;
}

static void a_reader_on_another_thread_sees_whole_batches(void **state)
{
    struct parallel parallel = {.journal = fixture.journal};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &parallel), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(append_batch(10, 600), STATUS_OK);
    atomic_store(&parallel.done, true);
    pthread_join(thread, NULL);
    assert_int_equal(parallel.read, 2000);
}

/* --- opening -------------------------------------------------------------- */

static void the_folder_is_for_its_owner_only(void **state)
{
    struct stat folder;

    (void)state;
    assert_int_equal(stat(fixture.directory, &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0700);
    assert_int_equal(stat(folder_path(&fixture.folder, "journal/data.mdb"), &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0600);
    assert_int_equal(folder.st_ino, journal_inode(fixture.journal));
}

static void a_second_writer_is_a_conflict(void **state)
{
    struct journal *second;

    (void)state;
    assert_int_equal(journal_open(&fixture.options, &second), STATUS_CONFLICT);
    assert_null(second);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
}

static void reading_only_needs_a_journal(void **state)
{
    struct journal_options options = {.directory = folder_path(&fixture.folder, "none"),
                                      .read_only = true};
    struct journal *journal;

    (void)state;
    assert_int_equal(journal_open(&options, &journal), STATUS_NOT_FOUND);
    mkdir(options.directory, 0700);
    assert_int_equal(journal_open(&options, &journal), STATUS_NOT_FOUND);
    options.read_only = false;
    options.directory = folder_path(&fixture.folder, "no/where");
    assert_int_equal(journal_open(&options, &journal), STATUS_NOT_FOUND);
}

static void reading_only_reads(void **state)
{
    struct fixture writer = fixture;

    (void)state;
    assert_int_equal(append_batch(3, 600), STATUS_OK);
    journal_close(fixture.journal);
    fixture.options.read_only = true;
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
    assert_int_equal(journal_last_seq(fixture.journal), 3);
    assert_int_equal(scan(1, 0).count, 3);
    fixture.options = writer.options;
    reopen();
    assert_int_equal(append_batch(1, 600), STATUS_OK);
}

static void a_file_that_is_no_journal_is_corrupt(void **state)
{
    struct journal_options options = {.directory = folder_path(&fixture.folder, "other")};
    char path[96];
    struct journal *journal;

    (void)state;
    mkdir(options.directory, 0700);
    snprintf(path, sizeof path, "%s/other/data.mdb", fixture.folder.path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 5000; i++)
        fputs("not a journal", file);
    fclose(file);
    assert_int_equal(journal_open(&options, &journal), STATUS_CORRUPT);
}

static void file_systems_without_locks_or_maps_are_unfit(void **state)
{
    (void)state;
    assert_true(lmdb_file_system_is_unfit(0x6969));      /* NFS */
    assert_true(lmdb_file_system_is_unfit(0xff534d42));  /* CIFS */
    assert_true(lmdb_file_system_is_unfit(0x65735546));  /* FUSE */
    assert_false(lmdb_file_system_is_unfit(0xef53));     /* ext4 */
    assert_false(lmdb_file_system_is_unfit(0x01021994)); /* tmpfs */
    assert_false(lmdb_file_system_is_unfit(0x794c7630)); /* overlay */
}

/* --- no room -------------------------------------------------------------- */

static void a_full_map_is_disk_full_and_keeps_what_was_committed(void **state)
{
    unsigned batches = 0;
    enum status status = STATUS_OK;

    (void)state;
    journal_close(fixture.journal);
    fixture.options.map_bytes = MIB;
    fixture.options.directory = folder_path(&fixture.folder, "small");
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
    fixture.options.directory = fixture.directory;
    while (status == STATUS_OK && batches < 1000) {
        status = append_batch(10, 600);
        batches += status == STATUS_OK;
    }
    assert_int_equal(status, STATUS_DISK_FULL);
    assert_in_range(batches, 50, 200);
    assert_int_equal(journal_last_seq(fixture.journal), batches * 10);
    assert_int_equal(scan(1, 0).count, batches * 10);

    /* It fails the same way again, or finds a page that the failed batch gave back; what
     * is committed stays readable. */
    status = append_batch(10, 600);
    assert_true(status == STATUS_DISK_FULL || status == STATUS_OK);
    assert_int_equal(scan(1, 0).count, journal_last_seq(fixture.journal));
}

static void a_full_map_goes_on_when_it_is_larger(void **state)
{
    enum status status = STATUS_OK;

    (void)state;
    journal_close(fixture.journal);
    fixture.options.map_bytes = MIB;
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
    while (status == STATUS_OK)
        status = append_batch(10, 600);
    uint64_t last = journal_last_seq(fixture.journal);
    fixture.options.map_bytes = 4 * MIB;
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), last);
    assert_int_equal(append_batch(10, 600), STATUS_OK);
    assert_int_equal(scan(1, 0).count, last + 10);
}

/* A file size limit makes LMDB's writes short, as a full file system does. */
static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_disk_that_takes_no_more_is_disk_full_and_recovers(void **state)
{
    enum status status = STATUS_OK;
    unsigned failures = 0;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(2 * MIB);
    while (status == STATUS_OK)
        status = append_batch(50, 600);
    for (int i = 0; i < 20; i++)
        failures += append_batch(50, 600) == STATUS_DISK_FULL;
    uint64_t last = journal_last_seq(fixture.journal);
    limit_file_size(RLIM_INFINITY);

    assert_int_equal(status, STATUS_DISK_FULL);
    assert_int_equal(failures, 20);
    assert_int_equal(scan(1, 0).count, last);
    assert_int_equal(append_batch(50, 600), STATUS_OK);
    assert_int_equal(scan(1, 0).count, last + 50);
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), last + 50);
}

static void the_reserve_makes_it_tight_before_it_is_full(void **state)
{
    (void)state;
    assert_false(journal_is_tight(fixture.journal));
    journal_close(fixture.journal);
    fixture.options.map_bytes = MIB;
    fixture.options.reserve_bytes = MIB / 2;
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
    assert_false(journal_is_tight(fixture.journal));
    while (!journal_is_tight(fixture.journal)) {
        assert_int_equal(append_batch(10, 600), STATUS_OK);
        usleep(20000); /* it looks ten times a second, and must look before the map is full */
    }
    assert_int_equal(append_batch(10, 600), STATUS_OK);

    /* More than any disk has. */
    fixture.options.reserve_bytes = UINT64_MAX;
    reopen();
    assert_true(journal_is_tight(fixture.journal));
}

/* --- damage --------------------------------------------------------------- */

/* Writes other bytes under a seq, as a bad disk might. */
static void damage(uint64_t seq)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    uint64_t stored_seq = __builtin_bswap64(seq);
    MDB_val key = {sizeof stored_seq, &stored_seq}, value;
    char copy[2000];

    journal_close(fixture.journal);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, fixture.directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &table), 0);
    assert_int_equal(mdb_get(txn, table, &key, &value), 0);
    memcpy(copy, value.mv_data, value.mv_size);
    copy[value.mv_size / 2] ^= 1;
    value.mv_data = copy;
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
}

static void a_damaged_record_is_named_and_the_others_are_read(void **state)
{
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(5, 600), STATUS_OK);
    damage(3);
    assert_int_equal(read_one(3), STATUS_CORRUPT);
    assert_int_equal(journal_batch_read(fixture.journal, 3, &view), STATUS_CORRUPT);
    assert_int_equal(read_one(2), STATUS_OK);
    assert_int_equal(read_one(4), STATUS_OK);
    struct seen seen = scan(1, 0);
    assert_int_equal(seen.count, 5);
    assert_int_equal(seen.damaged, 3);
}

/* --- erasure and backup --------------------------------------------------- */

static void erasure_takes_the_payload_and_leaves_the_rest(void **state)
{
    static const size_t sizes[] = {600, 60000};
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(1, sizes[0]), STATUS_OK);
    assert_int_equal(append_batch(1, sizes[1]), STATUS_OK);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 1), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 2), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 2), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 9), STATUS_NOT_FOUND);
    assert_int_equal(append(4, 600), STATUS_OK);
    assert_int_equal(journal_commit(fixture.journal), STATUS_OK);
    reopen();
    for (uint64_t seq = 1; seq <= 2; seq++) {
        assert_int_equal(journal_batch_read(fixture.journal, seq, &view), STATUS_OK);
        assert_true(view.erased);
        assert_int_equal(view.payload.length, 0);
        assert_int_equal(view.header.payload_bytes, sizes[seq - 1]);
        assert_int_equal(view.header.now_ms, 1000 + seq);
    }
    assert_int_equal(journal_batch_read(fixture.journal, 3, &view), STATUS_OK);
    assert_false(view.erased);
    assert_int_equal(scan(1, 0).damaged, 0);
}

static void a_file_whose_making_was_cut_off_is_made_anew(void **state)
{
    char cut_off[96];
    struct stat entry;

    (void)state;
    /* As a power cut leaves it while the first start makes it: the length is there, and no page. */
    snprintf(fixture.directory, sizeof fixture.directory, "%s/new", fixture.folder.path);
    snprintf(cut_off, sizeof cut_off, "%s/data.mdb.new", fixture.directory);
    assert_int_equal(mkdir(fixture.directory, 0700), 0);
    FILE *file = fopen(cut_off, "we");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(truncate(cut_off, 8192), 0);

    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), 0);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_not_equal(stat(cut_off, &entry), 0);
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), 1);
}

static void a_backup_opens_as_a_journal(void **state)
{
    char directory[96];

    (void)state;
    snprintf(directory, sizeof directory, "%s/backup", fixture.folder.path);
    assert_int_equal(append_batch(100, 600), STATUS_OK);

    /* What an interrupted one has left does not disturb. */
    assert_int_equal(mkdir(folder_path(&fixture.folder, "backup.partial"), 0700), 0);
    assert_int_equal(journal_backup(fixture.journal, directory), STATUS_OK);
    assert_int_equal(journal_backup(fixture.journal, directory), STATUS_CONFLICT);
    assert_int_equal(append_batch(1, 600), STATUS_OK);

    journal_close(fixture.journal);
    fixture.options.directory = directory;
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
    fixture.options.directory = fixture.directory;
    assert_int_equal(journal_last_seq(fixture.journal), 100);
    assert_int_equal(scan(1, 0).count, 100);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
}

static void a_backup_that_fails_leaves_nothing(void **state)
{
    struct stat entry;

    (void)state;
    assert_int_equal(append_batch(3000, 1500), STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(MIB);
    enum status status = journal_backup(fixture.journal, folder_path(&fixture.folder, "backup"));
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(status, STATUS_DISK_FULL);
    assert_int_not_equal(stat(folder_path(&fixture.folder, "backup"), &entry), 0);
    assert_int_not_equal(stat(folder_path(&fixture.folder, "backup.partial"), &entry), 0);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(committed_records_are_there_after_reopening),
        TEST(records_of_every_size_come_back_whole),
        TEST(an_aborted_batch_leaves_nothing),
        TEST(an_empty_batch_commits),
        TEST(an_open_batch_ends_with_the_journal),
        TEST(the_writer_reads_what_it_has_not_committed),
        TEST(the_writer_reads_between_batches_too),
        TEST(a_gap_is_refused),
        TEST(a_reader_sees_later_commits_after_its_release),
        TEST(a_scan_walks_all_pages_and_stops_when_told),
        TEST(a_reader_on_another_thread_sees_whole_batches),
        TEST(the_folder_is_for_its_owner_only),
        TEST(a_second_writer_is_a_conflict),
        TEST(reading_only_needs_a_journal),
        TEST(reading_only_reads),
        TEST(a_file_that_is_no_journal_is_corrupt),
        TEST(file_systems_without_locks_or_maps_are_unfit),
        TEST(a_full_map_is_disk_full_and_keeps_what_was_committed),
        TEST(a_full_map_goes_on_when_it_is_larger),
        TEST(a_disk_that_takes_no_more_is_disk_full_and_recovers),
        TEST(the_reserve_makes_it_tight_before_it_is_full),
        TEST(a_damaged_record_is_named_and_the_others_are_read),
        TEST(erasure_takes_the_payload_and_leaves_the_rest),
        TEST(a_file_whose_making_was_cut_off_is_made_anew),
        TEST(a_backup_opens_as_a_journal),
        TEST(a_backup_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
