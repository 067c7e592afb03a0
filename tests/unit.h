/* What the tests of parsers share: cmocka, and checks that print both values. */
#ifndef HOTLEAD_TESTS_UNIT_H
#define HOTLEAD_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/slice.h"
#include "proto/status.h"

#define assert_status(actual, expected)                                                            \
    do {                                                                                           \
        enum status is_ = (actual), should_ = (expected);                                          \
        if (is_ != should_)                                                                        \
            fail_msg("status is %s, should be %s", status_code(is_), status_code(should_));        \
    } while (0)

#define assert_slice(actual, expected)                                                             \
    do {                                                                                           \
        struct slice is_ = (actual), should_ = slice_of(expected);                                 \
        if (!slice_equal(is_, should_))                                                            \
            fail_msg("text is '%.*s', should be '%s'", (int)is_.length, is_.bytes, should_.bytes); \
    } while (0)

#endif
