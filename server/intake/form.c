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

struct filling {
    struct optin *optin;
    struct text written;
};

static enum status on_pair(void *owner, struct slice name, struct slice value)
{
    struct filling *filling = owner;

    /* The form's own, as `_redirect` is; but what is not understood is not lost. */
    if (slice_equal(name, SLICE(CHARSET_FIELD)) && charset_of_label(value) != CHARSET_UNKNOWN)
        return STATUS_OK;
    return optin_from_pair(filling->optin, name, value, &filling->written);
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
    struct filling filling = {optin, text_over(intake->written, sizeof(intake->written))};
    enum status status = parse(form, &charset, &decoded, on_pair, &filling);

    /* Where 200 fields leave no place for the mark, the fields matter more. */
    if (status == STATUS_OK && charset.guessed)
        optin_from_pair(optin, SLICE(CHARSET_FIELD), SLICE("windows-1252 (guessed)"),
                        &filling.written);
    intake_settle_age(intake, optin);
    return status;
}
