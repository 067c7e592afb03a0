/* What the fuzz targets share. A target is built by clang with -fsanitize=fuzzer; its seeds
 * are in corpus/<name>. */
#ifndef HOTLEAD_TESTS_FUZZ_H
#define HOTLEAD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/must.h"
#include "proto/optin.h"
#include "proto/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy in memory of its own size, so that a read behind it is seen. To be freed. */
static inline char *fuzz_copy(struct slice bytes, size_t padding)
{
    char *copy = malloc(bytes.length + padding + 1);

    MUST(copy);
    if (bytes.length > 0)
        memcpy(copy, bytes.bytes, bytes.length);
    memset(copy + bytes.length, '"', padding + 1);
    char *exact = realloc(copy, bytes.length + padding > 0 ? bytes.length + padding : 1);
    MUST(exact);
    return exact;
}

static inline enum status fuzz_parse(struct json *json, struct slice document,
                                     struct json_value *root)
{
    char *copy = fuzz_copy(document, JSON_PADDING);
    enum status status = json_parse(json, copy, document.length, root);

    free(copy);
    return status;
}

/* Splits off what is in front of the first line end. */
static inline struct slice fuzz_line(struct slice *rest)
{
    const char *end = rest->length > 0 ? memchr(rest->bytes, '\n', rest->length) : NULL;
    struct slice line = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};
    size_t taken = line.length + (end ? 1 : 0);

    if (taken > 0)
        *rest = (struct slice){rest->bytes + taken, rest->length - taken};
    return line;
}

/* What can be stored comes back as it was, and would be stored the same again. */
static inline void fuzz_stored_round(const struct optin *optin)
{
    static const struct hash_key key = {"sixteen bytes!!"};
    static char first[OPTIN_STORED_MAX], second[OPTIN_STORED_MAX];
    static struct optin again;
    size_t length = optin_encode(optin, first, sizeof(first));

    if (length == 0)
        return;
    MUST(optin_decode((struct slice){first, length}, &again) == STATUS_OK);
    MUST(optin_encode(&again, second, sizeof(second)) == length);
    MUST(memcmp(first, second, length) == 0);
    MUST(hash_equal(optin_content(optin, &key, 1), optin_content(&again, &key, 1)));
}

#endif
