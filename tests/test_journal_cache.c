/* What reading the journal brings into memory, from a disk: nothing is shown where files live in
 * memory anyhow (tmpfs). */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/journal_rig.h"

#define RECORDS       5000
#define PAYLOAD_BYTES 1000

/* Looked at of a file of some 7 MB; its beginning, where LMDB's meta pages are, is read otherwise.
 */
#define FROM_BYTES  (1u << 20)
#define UNTIL_BYTES (5u << 20)
#define SEEN_BYTES  (UNTIL_BYTES - FROM_BYTES)

static int set_up_records(void **state)
{
    return set_up(state) == 0 && append_batch(RECORDS, PAYLOAD_BYTES) == STATUS_OK ? 0 : -1;
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

static long major_faults(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_majflt;
}

static void a_scan_reads_ahead(void **state)
{
    (void)state;
    reopen_cold();
    long before = major_faults();
    assert_int_equal(scan(1, 0).count, RECORDS);
    assert_in_range(major_faults() - before, 0, RECORDS / 40);
}

#define TEST_RECORDS(name) cmocka_unit_test_setup_teardown(name, set_up_records, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_RECORDS(a_single_read_brings_no_neighbours_into_memory),
        TEST_RECORDS(a_scan_reads_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
