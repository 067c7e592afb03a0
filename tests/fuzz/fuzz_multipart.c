/* The first line is the Content-Type, the rest the body. */
#include "proto/multipart.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

struct filling {
    struct optin optin;
    struct optin_aliases aliases;
    struct text written;
};

static enum status on_pair(void *owner, struct slice name, struct slice value)
{
    struct filling *filling = owner;

    MUST(utf8_valid(name) && utf8_valid(value));
    MUST(name.length == 0 || !memchr(name.bytes, '\0', name.length));
    MUST(value.length == 0 || !memchr(value.bytes, '\0', value.length));
    return optin_from_pair(&filling->optin, &filling->aliases, name, value, &filling->written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char decoded[(1 + CHARSET_GROWTH_MAX) * OPTIN_BYTES_MAX], written[OPTIN_STORED_MAX];
    static struct filling filling;
    struct charset_reader charset = {CHARSET_UNSAID, false};
    struct text scratch = text_over(decoded, sizeof(decoded));
    struct slice rest = {(const char *)data, size};
    struct slice line = fuzz_line(&rest);
    char *content_type = fuzz_copy(line, 0), *body = fuzz_copy(rest, 0);

    optin_clear(&filling.optin);
    filling.aliases.count = 0;
    filling.written = text_over(written, sizeof(written));
    if (multipart_parse((struct slice){content_type, line.length},
                        (struct slice){body, rest.length}, &charset, OPTIN_FIELDS_MAX, &scratch,
                        on_pair, &filling) == STATUS_OK &&
        optin_settle_aliases(&filling.optin, &filling.aliases, &filling.written) == STATUS_OK)
        fuzz_stored_round(&filling.optin);
    free(content_type);
    free(body);
    return 0;
}
