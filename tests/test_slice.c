#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/slice.h"

static unsigned char lower(unsigned char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

/* Any two bytes, at each place of texts of each length that takes another way. */
static void letters_alone_are_alike_in_either_case_wherever_they_stand(void **state)
{
    char a[20], b[20];

    (void)state;
    for (size_t length = 1; length <= sizeof(a); length++) {
        for (size_t at = 0; at < length; at++) {
            memset(a, 'x', sizeof(a));
            memset(b, 'X', sizeof(b));
            for (unsigned pair = 0; pair < 65536; pair++) {
                unsigned char x = (unsigned char)pair, y = (unsigned char)(pair >> 8);
                a[at] = (char)x;
                b[at] = (char)y;
                if (slice_equal_ignoring_case((struct slice){a, length},
                                              (struct slice){b, length}) != (lower(x) == lower(y)))
                    fail_msg("0x%02x and 0x%02x at %zu of %zu", x, y, at, length);
            }
        }
    }
}

static void other_lengths_are_never_equal(void **state)
{
    (void)state;
    assert_false(slice_equal_ignoring_case(SLICE("content-type"), SLICE("content-type2")));
    assert_false(slice_equal_ignoring_case(SLICE("a"), SLICE("")));
    assert_true(slice_equal_ignoring_case(SLICE(""), (struct slice){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_alone_are_alike_in_either_case_wherever_they_stand),
        cmocka_unit_test(other_lengths_are_never_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
