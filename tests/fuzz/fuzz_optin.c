/* Bytes that begin with a blank or a brace are an opt-in as JSON: stored, shown and read
 * again it is the same. All others are a stored opt-in: what decodes encodes to those bytes. */
#include "tests/fuzz/fuzz.h"

static void decode(struct slice bytes)
{
    static struct optin optin;
    static char again[OPTIN_STORED_MAX], shown[1024 * 1024];
    struct text out = text_over(shown, sizeof(shown));
    char *copy = fuzz_copy(bytes, 0);

    if (optin_decode((struct slice){copy, bytes.length}, &optin) == STATUS_OK) {
        MUST(optin_encode(&optin, again, sizeof(again)) == bytes.length);
        MUST(memcmp(again, bytes.bytes, bytes.length) == 0);
        optin_write_json(&out, &optin);
        fuzz_stored_round(&optin);
    }
    free(copy);
}

/* False: not an opt-in. `stored` gets its stored form, `shown` its JSON. */
static bool read_json(struct json *json, struct slice document, struct text *stored,
                      struct text *shown)
{
    static struct optin optin;
    static char memory[OPTIN_STORED_MAX];
    struct text scratch = text_over(memory, sizeof(memory));
    struct json_value root;

    if (fuzz_parse(json, document, &root) != STATUS_OK)
        return false;
    if (optin_from_json(root, &scratch, &optin) != STATUS_OK)
        return false;
    fuzz_stored_round(&optin);
    stored->length = optin_encode(&optin, stored->bytes, stored->capacity);
    optin_write_json(shown, &optin);
    return stored->length > 0 && !shown->overflow;
}

static void read_twice(struct slice document)
{
    static struct json *json;
    static char stored_memory[2][OPTIN_STORED_MAX], shown_memory[2][1024 * 1024];
    struct text stored[2], shown[2];

    if (!json)
        json = json_open(sizeof(shown_memory[0]));
    MUST(json);
    for (int i = 0; i < 2; i++) {
        stored[i] = text_over(stored_memory[i], sizeof(stored_memory[i]));
        shown[i] = text_over(shown_memory[i], sizeof(shown_memory[i]));
    }
    if (!read_json(json, document, &stored[0], &shown[0]))
        return;
    /* Extras are shown within `fields`, one level deeper, which can be one too many. */
    if (!read_json(json, text_slice(&shown[0]), &stored[1], &shown[1]))
        return;
    MUST(slice_equal(text_slice(&stored[0]), text_slice(&stored[1])));
    MUST(slice_equal(text_slice(&shown[0]), text_slice(&shown[1])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    uint64_t ms;

    if (size > 0 && (data[0] == ' ' || data[0] == '{'))
        read_twice(input);
    else
        decode(input);
    optin_parse_time(input, &ms);
    return 0;
}
