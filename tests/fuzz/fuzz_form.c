/* Any body of a form: what is handed out is clean text, and the opt-in made of it can be
 * stored. The same bytes also as a query string. */
#include "proto/form.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

struct filling {
    struct optin optin;
    struct text written;
};

static enum status on_pair(void *owner, struct slice name, struct slice value)
{
    struct filling *filling = owner;

    MUST(utf8_valid(name) && utf8_valid(value));
    MUST(!memchr(name.bytes, '\0', name.length) && !memchr(value.bytes, '\0', value.length));
    return optin_from_pair(&filling->optin, name, value, &filling->written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char decoded[(1 + CHARSET_GROWTH_MAX) * OPTIN_BYTES_MAX], written[OPTIN_STORED_MAX];
    static struct filling filling;
    struct charset_reader charset = {CHARSET_UNSAID, false};
    struct text scratch = text_over(decoded, sizeof(decoded));
    char *copy = fuzz_copy((struct slice){(const char *)data, size}, 0);
    struct slice body = {copy, size};

    optin_clear(&filling.optin);
    filling.written = text_over(written, sizeof(written));
    if (form_parse(body, &charset, OPTIN_FIELDS_MAX, &scratch, on_pair, &filling) == STATUS_OK)
        fuzz_stored_round(&filling.optin);

    scratch = text_over(decoded, sizeof(decoded));
    form_query(body, "key", &scratch);
    scratch = text_over(decoded, 16);
    form_query(body, "email", &scratch);
    free(copy);
    return 0;
}
