/* What the files of the intake share. Nobody outside includes this. */
#ifndef HOTLEAD_SERVER_INTAKE_INSIDE_H
#define HOTLEAD_SERVER_INTAKE_INSIDE_H

#include "proto/charset.h"
#include "proto/email.h"
#include "proto/phone.h"
#include "server/intake/intake.h"

/* Scratch is made once; each piece fits the largest body of its use. */
struct intake {
    struct hash_key hash_key;
    uint64_t now_ms;                                          /* see intake_now; 0: not told */
    struct json *json;                                        /* as large as a batch */
    struct optin item;                                        /* of a batch */
    char decoded[(1 + CHARSET_GROWTH_MAX) * OPTIN_BYTES_MAX]; /* names and values of a form */
    char written[OPTIN_STORED_MAX];                           /* JSON text of extras */
    char measured[OPTIN_BYTES_MAX];                           /* an item of a large batch */
    char stored[OPTIN_STORED_MAX];                            /* intake_encode's answer */
    char e164[PHONE_LENGTH_MAX];
    char email[EMAIL_LENGTH_MAX];
};

enum status intake_read_json(struct intake *intake, struct slice body, struct optin *optin);

struct intake_form {
    enum intake_shape shape; /* FORM, MULTIPART or PLAIN */
    struct slice content_type, body;
};
enum status intake_read_form(struct intake *intake, const struct intake_form *form,
                             struct optin *optin);

/* A parsed JSON value to an opt-in, with the intake's scratch begun anew. */
enum status intake_read_value(struct intake *intake, struct json_value value, struct optin *optin);

/* `_t` may be the moment at which the form was shown; it becomes an age here. */
void intake_settle_age(const struct intake *intake, struct optin *optin);

/* Without the blanks and line ends around it. */
struct slice intake_trimmed(struct slice text);

/* The media type without its parameters. */
struct slice intake_media_type(struct slice content_type);

#endif
