/* Any bytes: what is accepted, written and read again is written the same. */
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

#define DOCUMENT_MAX (64 * 1024)

static void look_at(struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value item, found;
    struct slice name, text;
    size_t count = 0;

    for (; json_next(&walk, &name, &item); count++) {
        MUST(utf8_valid(name));
        look_at(item);
    }
    MUST(json_count(value) == count);
    json_member(value, "a", &found);
    if (json_string(value, &text))
        MUST(utf8_valid(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json *first, *second;
    static char once[8 * DOCUMENT_MAX + JSON_PADDING], twice[8 * DOCUMENT_MAX];
    struct text written = text_over(once, 8 * DOCUMENT_MAX);
    struct text again = text_over(twice, sizeof(twice));
    struct json_value root;

    if (!first) {
        first = json_open(DOCUMENT_MAX);
        second = json_open(8 * DOCUMENT_MAX);
        MUST(first && second);
    }
    if (fuzz_parse(first, (struct slice){(const char *)data, size}, &root) != STATUS_OK)
        return 0;
    look_at(root);
    json_write(&written, root);
    MUST(!written.overflow);
    MUST(json_parse(second, once, written.length, &root) == STATUS_OK);
    json_write(&again, root);
    MUST(slice_equal(text_slice(&written), text_slice(&again)));
    return 0;
}
