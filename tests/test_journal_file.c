/* The journal's file: who may open it, a disk without room, damage, and a backup of it. */
#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/lmdb_env.h"
#include "tests/journal_rig.h"

#define MIB (1ull << 20)

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

/* --- backup --------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(a_file_whose_making_was_cut_off_is_made_anew),
        TEST(a_backup_opens_as_a_journal),
        TEST(a_backup_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
