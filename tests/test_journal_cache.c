/* What reading the journal brings into memory, from a disk: nothing is shown where files live in
 * memory anyhow (tmpfs). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/journal.h"
#include "tests/folder.h"

#define RECORDS       5000
#define PAYLOAD_BYTES 1000

/* Looked at of a file of some 7 MB; its beginning, where LMDB's meta pages are, is read otherwise.
 */
#define FROM_BYTES  (1u << 20)
#define UNTIL_BYTES (5u << 20)
#define SEEN_BYTES  (UNTIL_BYTES - FROM_BYTES)

struct fixture {
    struct folder folder;
    struct journal_options options;
    char directory[80];
    struct journal *journal;
};

static struct fixture fixture;

static int set_up(void **state)
{
    static char payload[PAYLOAD_BYTES];
    static struct record record;
    enum status status;

    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.directory, sizeof fixture.directory, "%s/journal", fixture.folder.path);
    fixture.options = (struct journal_options){.directory = fixture.directory};
    status = journal_open(&fixture.options, &fixture.journal);
    if (status == STATUS_OK)
        status = journal_begin(fixture.journal);
    for (uint64_t seq = 1; status == STATUS_OK && seq <= RECORDS; seq++) {
        record_begin(&record, RECORD_OPTIN, 1000 + seq, 1);
        record.header.seq = seq;
        record.payload = (struct slice){payload, sizeof payload};
        record_seal(&record);
        status = journal_append(fixture.journal, &record);
    }
    if (status == STATUS_OK)
        status = journal_commit(fixture.journal);
    return status == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    journal_close(fixture.journal);
    folder_remove(&fixture.folder);
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t count_resident_pages(void)
{
    static unsigned char pages[SEEN_BYTES / 4096];
    int fd = open(folder_path(&fixture.folder, "journal/data.mdb"), O_RDWR | O_CLOEXEC);
    size_t count = 0;

    assert_true(fd >= 0);
    void *map = mmap(NULL, SEEN_BYTES, PROT_READ, MAP_SHARED, fd, FROM_BYTES);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, SEEN_BYTES, pages), 0);
    for (size_t i = 0; i < SEEN_BYTES / page_bytes(); i++)
        count += pages[i] & 1;
    munmap(map, SEEN_BYTES);
    close(fd);
    return count;
}

/* Only while LMDB is closed: else what it has mapped stays, and closing drops its locks. */
static void reopen_cold(void)
{
    journal_close(fixture.journal);
    int fd = open(folder_path(&fixture.folder, "journal/data.mdb"), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    size_t left = count_resident_pages();
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
    if (left > 0)
        skip();
}

static void a_single_read_brings_no_neighbours_into_memory(void **state)
{
    struct journal_reader *reader;
    struct record_view view;

    (void)state;
    reopen_cold();
    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    for (uint64_t seq = 1000; seq <= 3000; seq += 500)
        assert_int_equal(journal_read(reader, seq, &view), STATUS_OK);
    journal_reader_close(reader);
    assert_in_range(count_resident_pages(), 5, 20);
}

static bool count_record(void *owner, uint64_t seq, enum status status,
                         const struct record_view *view)
{
    (void)seq, (void)view;
    assert_int_equal(status, STATUS_OK);
    ++*(unsigned *)owner;
    return true;
}

static long major_faults(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_majflt;
}

static void a_scan_reads_ahead(void **state)
{
    struct journal_reader *reader;
    unsigned count = 0;

    (void)state;
    reopen_cold();
    long before = major_faults();
    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    assert_int_equal(journal_scan(reader, 1, count_record, &count), STATUS_OK);
    journal_reader_close(reader);
    assert_int_equal(count, RECORDS);
    assert_in_range(major_faults() - before, 0, RECORDS / 40);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_single_read_brings_no_neighbours_into_memory),
        TEST(a_scan_reads_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
