/* An index of its own for each test, hashes to put into it, and looks at what it finds. For the
 * tests of index*.c: included by one test file each. */
#ifndef HOTLEAD_TESTS_INDEX_RIG_H
#define HOTLEAD_TESTS_INDEX_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <string.h>

#include "server/index.h"
#include "tests/folder.h"

#define DAY_MS 86400000ull

struct fixture {
    struct folder folder;
    char directory[80];
    struct index *index;
};

static struct fixture fixture;

static inline int set_up(void **state)
{
    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.directory, sizeof fixture.directory, "%s/index", fixture.folder.path);
    return index_open(fixture.directory, true, &fixture.index) == STATUS_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    index_close(fixture.index);
    folder_remove(&fixture.folder);
    return 0;
}

static inline void reopen(void)
{
    index_close(fixture.index);
    assert_int_equal(index_open(fixture.directory, false, &fixture.index), STATUS_OK);
}

/* Spread like a keyed hash (splitmix64). */
static inline struct hash hash_from(uint64_t seed)
{
    struct hash hash;
    uint64_t mixed = seed * 0x9e3779b97f4a7c15;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    memcpy(hash.bytes, &mixed, sizeof mixed);
    memcpy(hash.bytes + 8, &mixed, sizeof mixed);
    return hash;
}

static inline enum status insert(enum index_family family, uint64_t seed, uint64_t number,
                                 uint64_t now_ms)
{
    return index_insert(fixture.index, family, hash_from(seed), number, now_ms);
}

static inline unsigned count_of(enum index_family family, struct hash hash, uint64_t since_ms,
                                uint64_t wanted, bool *found_out)
{
    struct index_lookup lookup = index_lookup(fixture.index, family, hash, since_ms);
    unsigned count = 0;
    uint64_t number;

    *found_out = false;
    while (index_next(&lookup, &number)) {
        *found_out |= number == wanted;
        count++;
    }
    return count;
}

static inline bool finds(enum index_family family, uint64_t seed, uint64_t since_ms,
                         uint64_t wanted)
{
    bool found;

    count_of(family, hash_from(seed), since_ms, wanted, &found);
    return found;
}

/* A generation has three files, and all go together. */
static inline unsigned count_generations(void)
{
    DIR *directory = opendir(fixture.directory);
    unsigned count = 0;

    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        count += strncmp(entry->d_name, "event-", 6) == 0;
    closedir(directory);
    assert_int_equal(count % 3, 0);
    return count / 3;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
