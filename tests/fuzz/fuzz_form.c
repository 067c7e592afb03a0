/* Any body of a form, urlencoded and as plain text: what is handed out is clean text, and the
 * opt-in made of it can be stored. The same bytes also as a query string. */
#include "proto/form.h"
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

typedef enum status parse_fn(struct slice body, struct charset_reader *charset, size_t pairs_max,
                             struct text *scratch, form_pair_fn *on_pair, void *owner);

static void read_form(parse_fn *parse, struct slice body, enum charset declared)
{
    static char decoded[(1 + CHARSET_GROWTH_MAX) * OPTIN_BYTES_MAX], written[OPTIN_STORED_MAX];
    static struct filling filling;
    struct charset_reader charset = {declared, false};
    struct text scratch = text_over(decoded, sizeof(decoded));

    optin_clear(&filling.optin);
    filling.aliases.count = 0;
    filling.written = text_over(written, sizeof(written));
    if (parse(body, &charset, OPTIN_FIELDS_MAX, &scratch, on_pair, &filling) == STATUS_OK &&
        optin_settle_aliases(&filling.optin, &filling.aliases, &filling.written) == STATUS_OK)
        fuzz_stored_round(&filling.optin);
    MUST(!scratch.overflow || body.length > OPTIN_BYTES_MAX);
    MUST(!charset.guessed || declared != CHARSET_WINDOWS_1252);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char decoded[OPTIN_BYTES_MAX];
    char *copy = fuzz_copy((struct slice){(const char *)data, size}, 0);
    struct slice body = {copy, size};

    for (enum charset declared = CHARSET_UNSAID; declared <= CHARSET_UNKNOWN; declared++) {
        read_form(form_parse, body, declared);
        read_form(form_parse_plain, body, declared);
    }

    struct text scratch = text_over(decoded, sizeof(decoded));
    form_query(body, "key", &scratch);
    scratch = text_over(decoded, 16);
    form_query(body, "email", &scratch);
    free(copy);
    return 0;
}
