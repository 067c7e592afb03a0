/* The index's files: opened, doubled, and left in the middle by a kill or a full disk. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/index_rig.h"

/* --- opening ------------------------------------------------------------------ */

static void a_fresh_index_is_empty(void **state)
{
    (void)state;
    assert_int_equal(insert(INDEX_IDENTITY, 1, 1, 0), STATUS_OK);
    assert_int_equal(insert(INDEX_EVENT, 1, 1, 100 * DAY_MS), STATUS_OK);
    assert_int_equal(index_sync(fixture.index), STATUS_OK);
    index_close(fixture.index);
    assert_int_equal(index_open(fixture.directory, true, &fixture.index), STATUS_OK);
    assert_false(finds(INDEX_IDENTITY, 1, 0, 1));
    assert_false(finds(INDEX_EVENT, 1, 0, 1));
    assert_int_equal(count_generations(), 0);
}

static void without_an_index_there_is_nothing_to_open(void **state)
{
    struct index *index;

    (void)state;
    assert_int_equal(index_open(folder_path(&fixture.folder, "none"), false, &index),
                     STATUS_NOT_FOUND);
    assert_null(index);
}

static void change_file(const char *name, off_t offset, const char *bytes, off_t length)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", fixture.directory, name);
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    if (bytes)
        assert_int_equal(pwrite(file, bytes, strlen(bytes), offset), strlen(bytes));
    if (length)
        assert_int_equal(ftruncate(file, length), 0);
    close(file);
}

static void a_damaged_table_is_corrupt(void **state)
{
    struct index *index;

    (void)state;
    assert_int_equal(insert(INDEX_EVENT, 1, 1, 100 * DAY_MS), STATUS_OK);
    index_close(fixture.index);
    change_file("event-100", 0, "HL", 0);
    assert_int_equal(index_open(fixture.directory, false, &index), STATUS_CORRUPT);
    change_file("event-100", 0, "hl", 0);
    assert_int_equal(index_open(fixture.directory, false, &index), STATUS_OK);
    index_close(index);
    change_file("identity", 0, NULL, 8192);
    assert_int_equal(index_open(fixture.directory, false, &index), STATUS_CORRUPT);
    change_file("identity", 0, NULL, 7);
    assert_int_equal(index_open(fixture.directory, false, &index), STATUS_CORRUPT);
    assert_int_equal(index_open(fixture.directory, true, &fixture.index), STATUS_OK);
}

/* --- doubling ----------------------------------------------------------------- */

static bool is_file(const char *name)
{
    struct stat entry;

    return stat(folder_path(&fixture.folder, name), &entry) == 0;
}

/* From 1 on, until the table has begun to double. */
static uint64_t insert_until_it_doubles(void)
{
    uint64_t number = 0;

    while (!is_file("index/identity.new")) {
        number++;
        assert_int_equal(insert(INDEX_IDENTITY, number, number, 0), STATUS_OK);
        assert_true(number < 262144);
    }
    return number;
}

/* A child is killed at some point of its inserting, also in the middle of doublings. */
static void what_a_killed_process_inserted_is_there(void **state)
{
    static const uint64_t behind[] = {0, 1, 300, 2000, 6552, 6553, 6554, 6555, 20000};
    struct stat entry;
    int ended;

    (void)state;
    uint64_t doubles = insert_until_it_doubles();
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        uint64_t end = doubles - 1 + behind[i];
        index_close(fixture.index);
        assert_int_equal(index_open(fixture.directory, true, &fixture.index), STATUS_OK);
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t number = 1; number <= end; number++)
                insert(INDEX_IDENTITY, number, number, 0);
            kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_true(WIFSIGNALED(ended));
        reopen();
        assert_int_not_equal(stat(folder_path(&fixture.folder, "index/identity.new"), &entry), 0);
        for (uint64_t number = 1; number <= end; number++)
            assert_true(finds(INDEX_IDENTITY, number, 0, number));
        for (uint64_t number = end; number <= 200000; number++)
            assert_int_equal(insert(INDEX_IDENTITY, number, number, 0), STATUS_OK);
        for (uint64_t number = 1; number <= 200000; number++)
            assert_true(finds(INDEX_IDENTITY, number, 0, number));
    }
}

static void closing_in_the_middle_of_a_doubling_leaves_no_half_table(void **state)
{
    (void)state;
    uint64_t last = insert_until_it_doubles();
    reopen();
    assert_false(is_file("index/identity.new"));
    for (uint64_t number = 1; number <= last; number++)
        assert_true(finds(INDEX_IDENTITY, number, 0, number));
}

/* Each start begins the doubling anew, and none of these takes in enough to come to its end. */
static void a_table_doubles_though_the_process_never_runs_for_long(void **state)
{
    const uint64_t many = 40000;

    (void)state;
    for (uint64_t number = 1; number <= many; number++) {
        assert_int_equal(insert(INDEX_EVENT, number, number, DAY_MS), STATUS_OK);
        if (number % 50 == 0)
            reopen();
    }
    for (uint64_t number = 1; number <= many; number++)
        assert_true(finds(INDEX_EVENT, number, 0, number));
}

static void what_comes_while_a_table_doubles_is_found(void **state)
{
    (void)state;
    for (uint64_t number = insert_until_it_doubles(); is_file("index/identity.new");) {
        number++;
        assert_int_equal(insert(INDEX_IDENTITY, number, number, 0), STATUS_OK);
        assert_true(finds(INDEX_IDENTITY, number, 0, number));
        assert_true(finds(INDEX_IDENTITY, number / 2, 0, number / 2));
    }
}

/* Bytes of a file that are not zero, between two places given in tenths of it. */
static size_t count_used(const char *name, int from_tenth, int to_tenth)
{
    FILE *file = fopen(folder_path(&fixture.folder, name), "rb");
    size_t used = 0;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    long tenth = ftell(file) / 10;
    fseek(file, tenth * from_tenth, SEEK_SET);
    for (long left = tenth * (to_tenth - from_tenth); left > 0; left--)
        used += getc(file) != 0;
    fclose(file);
    return used;
}

static void a_table_that_doubles_is_filled_from_its_beginning(void **state)
{
    (void)state;
    for (uint64_t number = insert_until_it_doubles(), last = number + 400; number <= last; number++)
        assert_int_equal(insert(INDEX_IDENTITY, number, number, 0), STATUS_OK);
    assert_int_not_equal(count_used("index/identity.new", 0, 1), 0);
    assert_int_equal(count_used("index/identity.new", 3, 9), 0);
}

/* Numbers of places where two states of a file differ, in tenths of it. */
static void note_changes(const char *name, bool changed[10])
{
    static char before[4 << 20], after[4 << 20];
    static size_t length;
    FILE *file = fopen(folder_path(&fixture.folder, name), "rb");

    assert_non_null(file);
    size_t now = fread(after, 1, sizeof after, file);
    fclose(file);
    for (size_t i = 4096; length == now && i < now; i++)
        changed[i * 10 / now] |= before[i] != after[i];
    memcpy(before, after, now);
    length = now;
}

/* So most of what was written stays as it is for long, and need not be written again. */
static void the_large_file_changes_at_one_place_at_a_time(void **state)
{
    bool none[10] = {false};

    (void)state;
    for (uint64_t number = 1; number <= 40000; number++) {
        assert_int_equal(insert(INDEX_IDENTITY, number, number, 0), STATUS_OK);
        if (number % 100 != 0)
            continue;
        bool changed[10] = {false};
        unsigned tenths = 0;
        note_changes("index/identity", number == 100 ? none : changed);
        for (int i = 0; i < 10; i++)
            tenths += changed[i];
        assert_in_range(tenths, 0, 3);
    }
}

/* A process that is killed leaves files as they are at that moment. */
static void what_a_process_killed_at_any_insert_had_is_found(void **state)
{
    (void)state;
    for (uint64_t last = 16000; last < 26000; last += 397) {
        pid_t child = fork();
        if (child == 0) {
            struct index *index;
            if (index_open(fixture.directory, true, &index) != STATUS_OK)
                _exit(1);
            for (uint64_t i = 1; i <= last; i++)
                if (index_insert(index, INDEX_IDENTITY, hash_from(i), i, 0) != STATUS_OK)
                    _exit(1);
            kill(getpid(), SIGKILL);
        }
        int code;
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_true(WIFSIGNALED(code));
        reopen();
        for (uint64_t i = 1; i <= last + 18000; i++) {
            if (i > last)
                assert_int_equal(insert(INDEX_IDENTITY, i, i, 0), STATUS_OK);
            assert_true(finds(INDEX_IDENTITY, i, 0, i));
        }
        for (uint64_t i = 1; i <= last + 18000; i++)
            assert_true(finds(INDEX_IDENTITY, i, 0, i));
    }
}

static unsigned count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void a_file_that_was_replaced_is_given_back(void **state)
{
    unsigned before = count_descriptors(), most = 0;
    struct stat entry;

    (void)state;
    for (uint64_t number = 1; number <= 160000; number++) {
        assert_int_equal(insert(INDEX_IDENTITY, number, number, 0), STATUS_OK);
        if (number > 131072 && count_descriptors() > most)
            most = count_descriptors();
    }
    assert_int_equal(stat(folder_path(&fixture.folder, "index/identity"), &entry), 0);
    assert_int_equal(entry.st_size, 4096 + (8 << 19));
    assert_int_equal(most, before + 1);
    assert_int_equal(count_descriptors(), before);
}

static void a_table_that_cannot_double_is_disk_full_and_doubles_later(void **state)
{
    struct rlimit limit;
    uint64_t number = 0;
    enum status status = STATUS_OK;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 3000000; /* the first table fits, its double does not */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    while (status == STATUS_OK) {
        number++;
        status = insert(INDEX_IDENTITY, number, number, 0);
    }
    enum status known = insert(INDEX_IDENTITY, 1, 1, 0);
    enum status again = insert(INDEX_IDENTITY, number, number, 0);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);

    assert_int_equal(status, STATUS_DISK_FULL);
    assert_int_equal(again, STATUS_DISK_FULL);
    assert_int_equal(known, STATUS_OK);
    assert_in_range(number, 131073, 262144);
    assert_false(finds(INDEX_IDENTITY, number, 0, number));
    assert_true(finds(INDEX_IDENTITY, number - 1, 0, number - 1));
    for (uint64_t i = number; i <= 300000; i++)
        assert_int_equal(insert(INDEX_IDENTITY, i, i, 0), STATUS_OK);
    for (uint64_t i = 1; i <= 300000; i++)
        assert_true(finds(INDEX_IDENTITY, i, 0, i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_index_is_empty),
        TEST(without_an_index_there_is_nothing_to_open),
        TEST(a_damaged_table_is_corrupt),
        TEST(what_a_killed_process_inserted_is_there),
        TEST(closing_in_the_middle_of_a_doubling_leaves_no_half_table),
        TEST(a_table_doubles_though_the_process_never_runs_for_long),
        TEST(what_comes_while_a_table_doubles_is_found),
        TEST(the_large_file_changes_at_one_place_at_a_time),
        TEST(what_a_process_killed_at_any_insert_had_is_found),
        TEST(a_table_that_doubles_is_filled_from_its_beginning),
        TEST(a_file_that_was_replaced_is_given_back),
        TEST(a_table_that_cannot_double_is_disk_full_and_doubles_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
