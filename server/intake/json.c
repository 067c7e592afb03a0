#include "server/intake/inside.h"

enum status intake_read_value(struct intake *intake, struct json_value value, struct optin *optin)
{
    struct text scratch = text_over(intake->written, sizeof(intake->written));
    enum status status = optin_from_json(value, &scratch, optin);

    if (status == STATUS_OK)
        intake_settle_age(intake, optin);
    return status;
}

enum status intake_read_json(struct intake *intake, struct slice body, struct optin *optin)
{
    struct json_value root;
    enum status status = json_parse(intake->json, body.bytes, body.length, &root);

    return status == STATUS_OK ? intake_read_value(intake, root, optin) : status;
}
