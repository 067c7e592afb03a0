#include "tests/unit.h"

#include <endian.h>
#include <string.h>

#include "server/audit_sort.h"
#include "tests/folder.h"

struct item {
    uint64_t key; /* big-endian */
    uint64_t other;
};

static uint64_t dice(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33;
}

/* Adds items in no order, and expects them all in order. */
static void sort(size_t count, size_t memory)
{
    struct folder folder = folder_make();
    struct audit_sort *sorter = audit_sort_open(sizeof(struct item), memory, folder.path);
    uint64_t seed = 4711, sum = 0, last = 0, seen = 0;
    const struct item *next;

    assert_non_null(sorter);
    for (size_t i = 0; i < count; i++) {
        uint64_t key = dice(&seed) % (count / 2 + 1); /* some come twice */
        const struct item item = {htobe64(key), key * 3};
        sum += key;
        audit_sort_add(sorter, &item);
    }
    while ((next = audit_sort_next(sorter)) != NULL) {
        assert_true(be64toh(next->key) >= last);
        assert_int_equal(next->other, be64toh(next->key) * 3);
        last = be64toh(next->key);
        sum -= last;
        seen++;
    }
    assert_status(audit_sort_status(sorter), STATUS_OK);
    assert_int_equal(seen, count);
    assert_int_equal(sum, 0);
    assert_null(audit_sort_next(sorter));
    audit_sort_close(sorter);
    folder_remove(&folder); /* nothing is left in it */
}

static void nothing_is_in_order(void **state)
{
    (void)state;
    sort(0, 1024);
}

static void what_fits_is_sorted_in_memory(void **state)
{
    (void)state;
    sort(1, 1024);
    sort(1000, 1 << 20);
}

static void what_does_not_fit_comes_back_in_order(void **state)
{
    (void)state;
    sort(65, 1024); /* one more than fits */
    sort(2000, 1024);
    sort(100000, 64 * 1024);
}

static void folder_that_is_not_there_is_a_failure(void **state)
{
    struct audit_sort *sorter = audit_sort_open(sizeof(struct item), 64, "/nonexistent");
    const struct item item = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        audit_sort_add(sorter, &item);
    assert_null(audit_sort_next(sorter));
    assert_status(audit_sort_status(sorter), STATUS_IO);
    audit_sort_close(sorter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_in_order),
        cmocka_unit_test(what_fits_is_sorted_in_memory),
        cmocka_unit_test(what_does_not_fit_comes_back_in_order),
        cmocka_unit_test(folder_that_is_not_there_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
