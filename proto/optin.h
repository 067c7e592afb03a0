/* The opt-in: one submission by a visitor of a site.
 *
 * A struct of slices over whatever it was read from (a JSON document, a decoded
 * form, stored bytes) and valid as long as that. Values are kept as they came;
 * normalising is for identity only and lives elsewhere. Any thread. */
#ifndef HOTLEAD_PROTO_OPTIN_H
#define HOTLEAD_PROTO_OPTIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/json.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

#define OPTIN_BYTES_MAX  (64 * 1024) /* of the body it comes in */
#define OPTIN_FIELDS_MAX 200
#define OPTIN_STORED_MAX (96 * 1024) /* encoded: JSON escapes can make a form grow */

/* Text fields, in their stored order. The number is stored: append only. */
#define OPTIN_TEXT_MAP(XX)                                                                         \
    XX(1, EMAIL, "email")                                                                          \
    XX(2, PHONE, "phone")                                                                          \
    XX(3, NAME, "name")                                                                            \
    XX(4, FIRST_NAME, "first_name")                                                                \
    XX(5, LAST_NAME, "last_name")                                                                  \
    XX(6, COMPANY, "company")                                                                      \
    XX(7, TITLE, "title")                                                                          \
    XX(8, COUNTRY, "country")                                                                      \
    XX(9, POSTAL_CODE, "postal_code")                                                              \
    XX(10, TIMEZONE, "timezone")                                                                   \
    XX(11, SOURCE_KIND, "source_kind")                                                             \
    XX(12, PAGE_URL, "page_url")                                                                   \
    XX(13, REFERRER, "referrer")                                                                   \
    XX(14, UTM_SOURCE, "utm_source")                                                               \
    XX(15, UTM_MEDIUM, "utm_medium")                                                               \
    XX(16, UTM_CAMPAIGN, "utm_campaign")                                                           \
    XX(17, UTM_TERM, "utm_term")                                                                   \
    XX(18, UTM_CONTENT, "utm_content")                                                             \
    XX(19, UTM_ID, "utm_id")                                                                       \
    XX(20, GCLID, "gclid")                                                                         \
    XX(21, FBCLID, "fbclid")                                                                       \
    XX(22, EVENT_ID, "event_id")                                                                   \
    XX(23, CONSENT_TEXT, "consent.text")                                                           \
    XX(24, CONSENT_VERSION, "consent.version")                                                     \
    XX(25, CONSENT_CERT_URL, "consent.cert_url")                                                   \
    XX(26, CONSENT_CHANNELS, "consent.channels") /* a JSON array of strings */                     \
    XX(27, REQUEST_ID, "request_id")             /* the rest is set by the server */               \
    XX(28, TRACEPARENT, "traceparent")                                                             \
    XX(29, ORIGIN, "origin")                                                                       \
    XX(30, REMOTE_IP, "remote_ip")                                                                 \
    XX(31, USER_AGENT, "user_agent")                                                               \
    XX(32, PHONE_E164, "phone_e164") /* what the phone was understood as */

enum optin_text {
#define XX(number, name, key) OPTIN_##name = (number),
    OPTIN_TEXT_MAP(XX)
#undef XX
        OPTIN_TEXT_END
};

enum optin_answer { OPTIN_UNSAID, OPTIN_NO, OPTIN_YES };

/* A key that hotlead has no field for. `json` is the value as JSON text. */
struct optin_extra {
    struct slice name;
    struct slice json;
};

struct optin {
    struct slice text[OPTIN_TEXT_END]; /* by enum optin_text; empty: not given */
    uint64_t submitted_ms;             /* 0: not given */
    uint64_t form_age_ms;              /* `_t` of a form: ms from render to send; 0: not given.
                                        * As sent: from 10^11 up the moment of rendering, which
                                        * the intake turns into an age */
    enum optin_answer test;
    enum optin_answer consent_given;
    bool honeypot;             /* `_hp` was filled in */
    struct slice redirect;     /* `_redirect` of a form; not stored */
    struct slice normal_email; /* the e-mail as email_normalise has it, for who has asked already;
                                * not stored. Empty: optin_content asks */
    size_t extra_count;
    struct optin_extra extra[OPTIN_FIELDS_MAX];
};

void optin_clear(struct optin *optin);

/* The key of a text field ("email"), and back; 0 when there is none. Only fields
 * that a client may set are found (up to CONSENT_CHANNELS). */
const char *optin_key(enum optin_text field);
enum optin_text optin_field(struct slice key);

/* From a JSON object (anything else is MALFORMED). Known keys may be strings or numbers
 * (a number is kept as its text); null and "" mean not given; `consent` is an object, or
 * what `consent.given` may be; `fields` an object; `test` and `consent.given` booleans,
 * or the strings and numbers that forms send; `submitted_at` ISO 8601, seconds or ms;
 * `_hp`, `_t` and `_redirect` as in forms. Unknown keys become extras, members of
 * `fields` too, unknown members of `consent` as `consent.<key>`, and so does every known key
 * whose value is of no use. Different values for one extra, such as a key that is outside of
 * `fields` and in it, become an array. Extras need text: `scratch` holds it. TOO_LARGE: over
 * OPTIN_FIELDS_MAX, or over the scratch. */
enum status optin_from_json(struct json_value object, struct text *scratch, struct optin *out);

/* Pairs of a form whose names are not hotlead's but mean its fields (optin_alias.h). They are held
 * back until the form is read, because a field's own name goes first. */
#define OPTIN_ALIASES_MAX 16
struct optin_aliases {
    size_t count;
    struct {
        struct slice key, name, value; /* live as those of the pairs */
    } held[OPTIN_ALIASES_MAX];
};

/* One name/value pair of a form, which is refused for nothing but size (TOO_LARGE): a
 * value that cannot be used for `test`, `submitted_at`, `consent` or `_t` is kept as an
 * extra. `consent.text` and `consent[text]` both work; `_redirect`, `_hp` and `_t` are the
 * form's own; a repeated unknown name becomes a JSON array, of a known one the first that
 * is not empty wins and what others say is an extra; `consent.channels` collects. Aliases beyond
 * OPTIN_ALIASES_MAX are unknown names, and all are where `aliases` is NULL. */
enum status optin_from_pair(struct optin *optin, struct optin_aliases *aliases, struct slice name,
                            struct slice value, struct text *scratch);
/* After the last pair: aliases speak in their order where a field is silent; what they say beside
 * it is an extra under their own name. TOO_LARGE as above. */
enum status optin_settle_aliases(struct optin *optin, const struct optin_aliases *aliases,
                                 struct text *scratch);

/* Stored form: a version byte, then (field, length, bytes) entries in order.
 * Written where the code is, with the steps for changing it. Encode: bytes
 * written, or 0 when it does not fit. Decode: CORRUPT, or slices of `bytes`. */
size_t optin_encode(const struct optin *optin, char *buffer, size_t capacity);
enum status optin_decode(struct slice bytes, struct optin *out);

/* What nobody can be reached or addressed by is taken out where `more` has something sound instead:
 * a phone without PHONE_E164 (not understood, or none that the site calls), a malformed e-mail, and
 * name and first name that address nobody. True: the names were. */
bool optin_give_way(struct optin *optin, const struct optin *more);

/* Takes from `more` what `optin` lacks, and overwrites nothing but what gives way, and a consent
 * that was not given by one that was, as a whole. Slices of both live as long as the result. As the
 * renderer of a task has it, see task.h: older tasks keep their bytes. */
void optin_fill_by(unsigned renderer, struct optin *optin, const struct optin *more);

/* Takes from another opt-in of the same person who it is and how to be reached, where `optin` does
 * not say, or what gives way; nothing of what was asked for, and no consent. Else as above. */
void optin_identify_by(unsigned renderer, struct optin *optin, const struct optin *known);

/* Hash of what the visitor said: all but submitted_at, event_id and what the
 * server set; independent of the order of unknown keys, and of how a phone that
 * PHONE_E164 says, or an e-mail, was written. */
struct hash optin_content(const struct optin *optin, const struct hash_key *key, uint64_t site);

/* The number as E.164, where it is known; else empty. */
struct slice optin_e164(const struct optin *optin);

/* All of it as a JSON object in the shape of a POST, for GET and exports. */
void optin_write_json(struct text *out, const struct optin *optin);

/* ISO 8601 (date, T or space, time, optional fraction, Z or offset; none is UTC), whole
 * or fractional seconds, or milliseconds since the epoch (from 10^11 up). False for
 * anything else and for moments before March 1973 (10^11 ms): *ms_out is untouched. */
bool optin_parse_time(struct slice text, uint64_t *ms_out);

#endif
