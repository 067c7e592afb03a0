/* Whatever is typed: a normal form obeys the limits and is its own normal form. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/email.h"
#include "proto/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char once[EMAIL_LENGTH_MAX], twice[EMAIL_LENGTH_MAX];
    struct text first = text_over(once, sizeof(once)), second = text_over(twice, sizeof(twice));

    if (email_normalise((struct slice){(const char *)data, size}, &first) != STATUS_OK) {
        MUST(first.length == 0);
        return 0;
    }
    MUST(!first.overflow && memchr(once, '@', first.length) != NULL);
    MUST(email_normalise(text_slice(&first), &second) == STATUS_OK);
    MUST(slice_equal(text_slice(&first), text_slice(&second)));
    return 0;
}
