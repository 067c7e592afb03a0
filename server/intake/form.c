/* Forms, in the codings that browsers have. Names and values are decoded into one piece of
 * scratch, JSON text of extras goes to another, so that a group of check boxes, which becomes
 * an array, can grow in place.
 *
 * A form is written by a person, who cannot mend its bytes: text that is not UTF-8 is read as
 * windows-1252, which takes any, and the opt-in says so. */
#include "proto/form.h"
#include "proto/multipart.h"
#include "server/intake/inside.h"

/* Browsers fill in a hidden field of that name with the charset of the page. */
#define CHARSET_FIELD "_charset_"

/* Unbounce puts what was typed into one field, as JSON: lists of strings by the form's names. */
#define LISTS_FIELD "data.json"
#define LISTS_MAX   100 /* strings */

struct filling {
    struct intake *intake;
    struct optin *optin;
    struct optin_aliases aliases;
    struct text written;
    bool has_lists; /* whose strings are the JSON reader's, so there is one such field */
};

static enum status take_pair(struct filling *filling, struct slice name, struct slice value)
{
    return optin_from_pair(filling->optin, &filling->aliases, name, value, &filling->written);
}

static bool are_lists(struct json_value root)
{
    struct json_walk lists = json_walk(root);
    struct json_value list, item;
    struct slice name, text;
    size_t strings = 0;

    if (root.type != JSON_OBJECT)
        return false;
    while (json_next(&lists, &name, &list)) {
        struct json_walk items = json_walk(list);
        if (list.type != JSON_ARRAY)
            return false;
        while (json_next(&items, &text, &item)) {
            if (++strings > LISTS_MAX || item.type != JSON_STRING)
                return false;
        }
    }
    return true;
}

static bool is_extra(const struct optin *optin, struct slice name)
{
    for (size_t i = 0; i < optin->extra_count; i++) {
        if (slice_equal(optin->extra[i].name, name))
            return true;
    }
    return false;
}

/* The page's own fields stand beside it as well, and are not told twice. */
static enum status take_lists(struct filling *filling, struct json_value root)
{
    struct json_walk lists = json_walk(root);
    enum status status = STATUS_OK;
    struct json_value list, item;
    struct slice name, none, text;

    while (status == STATUS_OK && json_next(&lists, &name, &list)) {
        struct json_walk items = json_walk(list);
        if (is_extra(filling->optin, name))
            continue;
        while (status == STATUS_OK && json_next(&items, &none, &item) && json_string(item, &text))
            status = take_pair(filling, name, text);
    }
    return status;
}

/* Names and values have JSON_PADDING readable bytes behind them, being in the scratch or the body.
 */
static bool read_lists(struct filling *filling, struct slice value, struct json_value *root_out)
{
    if (filling->has_lists ||
        json_parse(filling->intake->json, value.bytes, value.length, root_out) != STATUS_OK)
        return false;
    return are_lists(*root_out);
}

static enum status on_pair(void *owner, struct slice name, struct slice value)
{
    struct filling *filling = owner;
    struct json_value root;

    /* The form's own, as `_redirect` is; but what is not understood is not lost. */
    if (slice_equal(name, SLICE(CHARSET_FIELD)) && charset_of_label(value) != CHARSET_UNKNOWN)
        return STATUS_OK;
    if (slice_equal(name, SLICE(LISTS_FIELD)) && read_lists(filling, value, &root)) {
        filling->has_lists = true;
        return take_lists(filling, root);
    }
    return take_pair(filling, name, value);
}

static enum status on_pair_before(void *owner, struct slice name, struct slice value)
{
    enum charset *said = owner;

    if (slice_equal(name, SLICE(CHARSET_FIELD)) && *said == CHARSET_UNSAID)
        *said = charset_of_label(intake_trimmed(value));
    return STATUS_OK;
}

static enum status parse(const struct intake_form *form, struct charset_reader *charset,
                         struct text *scratch, form_pair_fn *to, void *owner)
{
    if (form->shape == INTAKE_PLAIN)
        return form_parse_plain(form->body, charset, OPTIN_FIELDS_MAX, scratch, to, owner);
    if (form->shape == INTAKE_MULTIPART)
        return multipart_parse(form->content_type, form->body, charset, OPTIN_FIELDS_MAX, scratch,
                               to, owner);
    return form_parse(form->body, charset, OPTIN_FIELDS_MAX, scratch, to, owner);
}

/* The field may be the form's last, so it is looked for before anything is read. */
static enum charset declared(struct intake *intake, const struct intake_form *form)
{
    struct text decoded = text_over(intake->decoded, sizeof(intake->decoded));
    struct charset_reader any = {CHARSET_UNSAID, false};
    enum charset said = charset_of_type(form->content_type);

    if (said == CHARSET_UNSAID && form->body.length > 0 &&
        memmem(form->body.bytes, form->body.length, CHARSET_FIELD, sizeof(CHARSET_FIELD) - 1))
        parse(form, &any, &decoded, on_pair_before, &said);
    return said;
}

enum status intake_read_form(struct intake *intake, const struct intake_form *form,
                             struct optin *optin)
{
    struct charset_reader charset = {declared(intake, form), false};
    struct text decoded = text_over(intake->decoded, sizeof(intake->decoded));
    struct filling filling;
    enum status status;

    filling.intake = intake;
    filling.optin = optin;
    filling.aliases.count = 0;
    filling.written = text_over(intake->written, sizeof(intake->written));
    filling.has_lists = false;
    status = parse(form, &charset, &decoded, on_pair, &filling);
    if (status == STATUS_OK)
        status = optin_settle_aliases(optin, &filling.aliases, &filling.written);
    /* Where 200 fields leave no place for the mark, the fields matter more. */
    if (status == STATUS_OK && charset.guessed)
        optin_from_pair(optin, NULL, SLICE(CHARSET_FIELD), SLICE("windows-1252 (guessed)"),
                        &filling.written);
    intake_settle_age(intake, optin);
    return status;
}
