/* Forms, in both codings that browsers have. Names and values are decoded into one piece of
 * scratch, JSON text of extras goes to another, so that a group of check boxes, which becomes
 * an array, can grow in place. */
#include "proto/form.h"
#include "proto/multipart.h"
#include "server/intake/inside.h"

struct filling {
    struct optin *optin;
    struct text written;
};

static enum status on_pair(void *owner, struct slice name, struct slice value)
{
    struct filling *filling = owner;

    return optin_from_pair(filling->optin, name, value, &filling->written);
}

static struct filling begin(struct intake *intake, struct optin *optin)
{
    return (struct filling){optin, text_over(intake->written, sizeof(intake->written))};
}

enum status intake_read_form(struct intake *intake, struct slice body, struct optin *optin)
{
    struct text decoded = text_over(intake->decoded, sizeof(intake->decoded));
    struct filling filling = begin(intake, optin);
    enum status status = form_parse(body, OPTIN_FIELDS_MAX, &decoded, on_pair, &filling);

    intake_settle_age(intake, optin);
    return status;
}

enum status intake_read_multipart(struct intake *intake, struct slice content_type,
                                  struct slice body, struct optin *optin)
{
    struct text decoded = text_over(intake->decoded, sizeof(intake->decoded));
    struct filling filling = begin(intake, optin);
    enum status status =
        multipart_parse(content_type, body, OPTIN_FIELDS_MAX, &decoded, on_pair, &filling);

    intake_settle_age(intake, optin);
    return status;
}
