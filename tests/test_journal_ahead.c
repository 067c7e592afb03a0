#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/journal.h"
#include "server/journal_ahead.h"
#include "tests/folder.h"

#define KIB 1024ull
#define MIB (1024 * KIB)

struct fixture {
    struct folder folder;
    char path[96];
    char directory[96];
    int fd;
};

static struct fixture fixture;
static struct record record;
static char payload[OPTIN_STORED_MAX];

static int set_up(void **state)
{
    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.path, sizeof fixture.path, "%s/file", fixture.folder.path);
    snprintf(fixture.directory, sizeof fixture.directory, "%s/journal", fixture.folder.path);
    fixture.fd = open(fixture.path, O_RDWR | O_CREAT, 0600);
    memset(payload, 'p', sizeof payload);
    return fixture.fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    close(fixture.fd);
    folder_remove(&fixture.folder);
    return 0;
}

static uint64_t file_bytes(void)
{
    struct stat file;

    assert_int_equal(fstat(fixture.fd, &file), 0);
    return (uint64_t)file.st_size;
}

/* The thread has seconds for what takes it milliseconds. */
static bool file_reaches(uint64_t bytes)
{
    for (int i = 0; i < 10000 && file_bytes() < bytes; i++)
        usleep(1000);
    return file_bytes() >= bytes;
}

static struct journal_ahead *start(uint64_t map_bytes, uint64_t reserve_bytes)
{
    struct journal_ahead_options options = {
        .path = fixture.path, .map_bytes = map_bytes, .reserve_bytes = reserve_bytes};
    struct journal_ahead *ahead = journal_ahead_open(&options);

    assert_non_null(ahead);
    return ahead;
}

static void end(struct journal_ahead *ahead)
{
    journal_ahead_stop(ahead);
    journal_ahead_close(ahead);
}

/* --- the file ------------------------------------------------------------- */

static void it_leads_by_more_as_the_use_grows(void **state)
{
    struct journal_ahead *ahead = start(UINT64_MAX, 0);

    (void)state;
    assert_true(file_reaches(2 * MIB));
    journal_ahead_follow(ahead, MIB + 4 * KIB);
    assert_true(file_reaches(4 * MIB));
    journal_ahead_follow(ahead, 6 * MIB);
    assert_true(file_reaches(10 * MIB));
    journal_ahead_follow(ahead, 40 * MIB);
    assert_true(file_reaches(48 * MIB));
    end(ahead);
    assert_int_equal(file_bytes(), 48 * MIB);
}

/* 0 at no place: a zero that is read was written over it. */
static void fill(char *bytes, size_t length, unsigned number)
{
    memset(bytes, (int)(1 + number % 255), length);
}

/* Writes as LMDB does: at places of its own, often behind the end of the file. */
static void it_never_goes_over_what_others_write(void **state)
{
    static const size_t lengths[] = {4 * KIB, 36 * KIB, 4 * KIB, 2 * MIB, 200 * KIB, 36 * KIB};
    static char written[2 * MIB], expected[2 * MIB];
    struct journal_ahead *ahead = start(UINT64_MAX, 0);
    uint64_t at = 0;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        fill(written, lengths[i % 6], i);
        assert_int_equal(pwrite(fixture.fd, written, lengths[i % 6], (off_t)at), lengths[i % 6]);
        at += lengths[i % 6];
        journal_ahead_follow(ahead, at);
    }
    end(ahead);

    at = 0;
    for (unsigned i = 0; i < 300; i++) {
        fill(expected, lengths[i % 6], i);
        assert_int_equal(pread(fixture.fd, written, lengths[i % 6], (off_t)at), lengths[i % 6]);
        assert_memory_equal(written, expected, lengths[i % 6]);
        at += lengths[i % 6];
    }
}

static void it_stays_within_the_map(void **state)
{
    struct journal_ahead *ahead = start(MIB + 512 * KIB, 0);

    (void)state;
    journal_ahead_follow(ahead, MIB);
    assert_true(file_reaches(MIB + 512 * KIB));
    journal_ahead_follow(ahead, MIB + 508 * KIB);
    journal_ahead_follow(ahead, 9 * MIB);
    end(ahead);
    assert_int_equal(file_bytes(), MIB + 512 * KIB);
}

static void it_leaves_the_reserve_alone(void **state)
{
    struct journal_ahead *ahead = start(UINT64_MAX, UINT64_MAX);

    (void)state;
    journal_ahead_follow(ahead, MIB);
    usleep(10000);
    end(ahead);
    assert_int_equal(file_bytes(), 0);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The signal that comes with the limit is not to end the process either. */
static void it_goes_on_when_there_is_room_again(void **state)
{
    (void)state;
    limit_file_size(512 * KIB + 100);
    struct journal_ahead *ahead = start(UINT64_MAX, 0);
    bool cut = file_reaches(512 * KIB + 100);
    limit_file_size(RLIM_INFINITY);
    assert_true(cut);
    assert_true(file_reaches(2 * MIB));
    end(ahead);
    assert_int_equal(file_bytes(), 2 * MIB);
}

static void without_a_file_there_is_none(void **state)
{
    struct journal_ahead_options options = {.path = folder_path(&fixture.folder, "no/file")};

    (void)state;
    assert_null(journal_ahead_open(&options));
    journal_ahead_follow(NULL, MIB);
    end(NULL);
}

/* --- the journal ---------------------------------------------------------- */

static struct journal *open_journal(bool read_only)
{
    struct journal_options options = {.directory = fixture.directory, .read_only = read_only};
    struct journal *journal;

    assert_int_equal(journal_open(&options, &journal), STATUS_OK);
    return journal;
}

static void append(struct journal *journal, size_t payload_bytes)
{
    record_begin(&record, RECORD_OPTIN, 1000, 1);
    record.header.seq = journal_last_seq(journal) + 1;
    record.payload = (struct slice){payload, payload_bytes};
    record_seal(&record);
    assert_int_equal(journal_append(journal, &record), STATUS_OK);
}

static void append_batch(struct journal *journal, unsigned count)
{
    assert_int_equal(journal_begin(journal), STATUS_OK);
    for (unsigned i = 0; i < count; i++)
        append(journal, 600);
    assert_int_equal(journal_commit(journal), STATUS_OK);
}

static bool count_sound(void *owner, uint64_t seq, enum status status,
                        const struct record_view *view)
{
    uint64_t *count = owner;

    (void)view;
    assert_int_equal(seq, *count + 1);
    assert_int_equal(status, STATUS_OK);
    ++*count;
    return true;
}

static uint64_t sound_records(struct journal *journal)
{
    struct journal_reader *reader;
    uint64_t count = 0;

    assert_int_equal(journal_reader_open(journal, &reader), STATUS_OK);
    assert_int_equal(journal_scan(reader, 1, count_sound, &count), STATUS_OK);
    journal_reader_close(reader);
    return count;
}

static void a_journal_is_longer_than_its_records(void **state)
{
    struct journal *journal = open_journal(false);

    (void)state;
    append_batch(journal, 100);
    for (int i = 0; i < 10000 && journal_bytes(journal) < MIB; i++)
        usleep(1000);
    journal_close(journal);
    journal = open_journal(false);
    assert_true(journal_bytes(journal) >= MIB);
    append_batch(journal, 100);
    assert_int_equal(sound_records(journal), 200);
    journal_close(journal);
}

/* Batches that overtake what is written ahead, small ones, aborted ones, and erasure. */
static void a_journal_keeps_its_records_under_load(void **state)
{
    static const unsigned counts[] = {3000, 1, 32, 7, 500, 32, 1};
    struct journal *journal = open_journal(false);

    (void)state;
    for (unsigned i = 0; i < 70; i++) {
        append_batch(journal, counts[i % 7]);
        assert_int_equal(journal_begin(journal), STATUS_OK);
        append(journal, 60000);
        journal_abort(journal);
        assert_int_equal(journal_begin(journal), STATUS_OK);
        assert_int_equal(journal_erase(journal, journal_last_seq(journal) / 2), STATUS_OK);
        assert_int_equal(journal_commit(journal), STATUS_OK);
    }
    uint64_t last = journal_last_seq(journal);
    assert_int_equal(sound_records(journal), last);
    journal_close(journal);
    journal = open_journal(true);
    assert_int_equal(sound_records(journal), last);
    journal_close(journal);
}

static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;

    assert_non_null(tasks);
    for (struct dirent *task = readdir(tasks); task; task = readdir(tasks))
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void only_a_writing_journal_has_a_thread(void **state)
{
    unsigned before = threads();
    struct journal *journal = open_journal(false);

    (void)state;
    assert_int_equal(threads(), before + 1);
    journal_close(journal);
    journal = open_journal(true);
    for (int i = 0; i < 10000 && threads() > before; i++)
        usleep(1000); /* one that was joined is still listed for a moment */
    assert_int_equal(threads(), before);
    journal_close(journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_leads_by_more_as_the_use_grows),
        TEST(it_never_goes_over_what_others_write),
        TEST(it_stays_within_the_map),
        TEST(it_leaves_the_reserve_alone),
        TEST(it_goes_on_when_there_is_room_again),
        TEST(without_a_file_there_is_none),
        TEST(a_journal_is_longer_than_its_records),
        TEST(a_journal_keeps_its_records_under_load),
        TEST(only_a_writing_journal_has_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
