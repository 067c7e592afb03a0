#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/hash.h"

static const struct hash_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static struct hash of(const char *value)
{
    return hash_of(&key, HASH_PHONE, 7, slice_of(value));
}

static void the_same_value_gives_the_same_hash(void **state)
{
    (void)state;
    assert_true(hash_equal(of("+12155550147"), of("+12155550147")));
    assert_false(hash_equal(of("+12155550147"), of("+12155550148")));
}

/* Journals hold these: a change would lose every person. */
static void hashes_are_what_they_were_in_stored_journals(void **state)
{
    (void)state;
    static const uint8_t stored_short[16] = {0x4c, 0x19, 0xf4, 0x74, 0x91, 0xe0, 0xe5, 0x71,
                                             0x59, 0xef, 0xe0, 0xcb, 0x81, 0x3c, 0x01, 0x4b};
    static const uint8_t stored_long[16] = {0x25, 0x95, 0x0c, 0x00, 0x4c, 0xc3, 0x0d, 0x42,
                                            0x39, 0x97, 0x89, 0x8f, 0x82, 0x8b, 0x5e, 0xee};
    char value[1000];
    memset(value, 'x', sizeof(value));
    struct hash of_long = hash_of(&key, HASH_CONTENT, 9, (struct slice){value, sizeof(value)});
    assert_memory_equal(of("+12155550147").bytes, stored_short, 16);
    assert_memory_equal(of_long.bytes, stored_long, 16);
}

static void key_domain_and_scope_each_make_another_hash(void **state)
{
    (void)state;
    struct slice value = SLICE("a@example.com");
    struct hash_key other = key;
    other.bytes[15] ^= 1;
    struct hash hash = hash_of(&key, HASH_EMAIL, 1, value);
    assert_false(hash_equal(hash, hash_of(&other, HASH_EMAIL, 1, value)));
    assert_false(hash_equal(hash, hash_of(&key, HASH_IDEMPOTENCY, 1, value)));
    assert_false(hash_equal(hash, hash_of(&key, HASH_EMAIL, 2, value)));
    assert_false(hash_equal(hash, hash_of(&key, HASH_EMAIL, (uint64_t)1 << 63 | 1, value)));
}

/* Lengths around the limit between copied and twice-hashed values, to the largest. */
static void values_of_every_length_differ_in_each_byte(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 16, 246, 247, 248, 249, 1000, 64 * 1024};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t length = lengths[i];
        char *value = calloc(1, length + 1);
        struct hash hash = hash_of(&key, HASH_CONTENT, 0, (struct slice){value, length});
        if (length < 64 * 1024)
            assert_false(hash_equal(
                hash, hash_of(&key, HASH_CONTENT, 0, (struct slice){value, length + 1})));
        for (size_t at = 0; at < length; at += 1 + length / 50) {
            value[at] = 1;
            assert_false(
                hash_equal(hash, hash_of(&key, HASH_CONTENT, 0, (struct slice){value, length})));
            value[at] = 0;
        }
        free(value);
    }
}

static void mixing_does_not_mind_the_order(void **state)
{
    (void)state;
    struct hash forth = {{0}}, back = {{0}};
    static const char *const values[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        hash_mix(&forth, of(values[i]));
        hash_mix(&back, of(values[3 - i]));
    }
    assert_true(hash_equal(forth, back));
}

static void mixing_the_same_twice_does_not_undo_it(void **state)
{
    (void)state;
    struct hash mixed = of("a");
    hash_mix(&mixed, of("b"));
    hash_mix(&mixed, of("b"));
    assert_false(hash_equal(mixed, of("a")));
}

static void mixing_carries_over_all_128_bits(void **state)
{
    (void)state;
    struct hash sum = {{255, 255, 255, 255, 255, 255, 255, 255, 1}};
    struct hash one = {{1}};
    static const uint8_t expected[16] = {0, 0, 0, 0, 0, 0, 0, 0, 2};
    hash_mix(&sum, one);
    assert_memory_equal(sum.bytes, expected, 16);
}

static void none_is_all_zero_and_no_value_has_it(void **state)
{
    (void)state;
    struct hash none = {{0}}, last = {{0}};
    last.bytes[15] = 1;
    assert_true(hash_is_none(none));
    assert_false(hash_is_none(last));
    assert_false(hash_is_none(of("")));
}

static void the_place_is_the_first_eight_bytes(void **state)
{
    (void)state;
    struct hash hash = {{1, 2, 0, 0, 0, 0, 0, 128, 9, 9, 9, 9, 9, 9, 9, 9}};
    assert_true(hash_place(hash) == 0x8000000000000201u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_value_gives_the_same_hash),
        cmocka_unit_test(hashes_are_what_they_were_in_stored_journals),
        cmocka_unit_test(key_domain_and_scope_each_make_another_hash),
        cmocka_unit_test(values_of_every_length_differ_in_each_byte),
        cmocka_unit_test(mixing_does_not_mind_the_order),
        cmocka_unit_test(mixing_the_same_twice_does_not_undo_it),
        cmocka_unit_test(mixing_carries_over_all_128_bits),
        cmocka_unit_test(none_is_all_zero_and_no_value_has_it),
        cmocka_unit_test(the_place_is_the_first_eight_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
