/* Bodies to opt-ins: one file a shape, this header for all.
 *
 * Reads a request's body into struct optin, finds identity (normalised, hashed), marks what
 * the decision needs to know. No I/O; loop thread. */
#ifndef HOTLEAD_SERVER_INTAKE_H
#define HOTLEAD_SERVER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/optin.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "server/record.h"
#include "server/site.h"

struct intake;

/* NULL: out of memory. */
struct intake *intake_open(const struct hash_key *hash_key);
void intake_close(struct intake *intake);

/* Engine time, for forms whose `_t` is the moment they were shown at and not the time the
 * visitor took; until told, such a `_t` counts as not given. To be told once a loop turn. */
void intake_now(struct intake *intake, uint64_t now_ms);

enum intake_shape { INTAKE_JSON, INTAKE_FORM, INTAKE_MULTIPART, INTAKE_PLAIN, INTAKE_OTHER };
/* By media type. PLAIN is text/plain, which sendBeacon gives to JSON and forms may have as their
 * enctype; an empty type is JSON here. For both intake_read looks at the body: what does not
 * begin with { is a form then. OTHER also for a form
 * that declares a charset which is not known (charset.h). */
enum intake_shape intake_shape(struct slice content_type);

/* Reads one body of at most OPTIN_BYTES_MAX, which has JSON_PADDING readable bytes behind it.
 * Slices of *optin live until the next read and as long as the body. MEDIA_TYPE for
 * OTHER. */
enum status intake_read(struct intake *intake, enum intake_shape shape, struct slice content_type,
                        struct slice body, struct optin *optin);

/* Walks a batch: a JSON array, or NDJSON (by its type, or because the body begins with {).
 * The callback gets each item with its own status; only for OK is *optin whole, and it lives
 * until the callback returns. MALFORMED: no array, or nothing at all; TOO_LARGE over 500 items
 * or 1 MiB: then there was no callback. The callback may call intake_facts and intake_encode,
 * not intake_read. */
#define INTAKE_BATCH_MAX       500
#define INTAKE_BATCH_BYTES_MAX (1024 * 1024)
typedef void intake_item_fn(void *owner, unsigned index, enum status status, struct optin *optin);
enum status intake_batch(struct intake *intake, struct slice content_type, struct slice body,
                         intake_item_fn *on_item, void *owner);

/* Checks identifiers and fills what the engine decides by. `event` is the idempotency key or
 * event_id (empty: none). NO_IDENTIFIER, BAD_IDENTIFIER. `suspect`: over the soft limit.
 * Honeypot and too-fast forms (under 2 s) become suspect here. Sets the opt-in's PHONE_E164
 * and normal_email, which live until the next call. */
enum status intake_facts(struct intake *intake, const struct site *site, enum credential credential,
                         struct slice event, bool suspect, struct optin *optin,
                         struct effect_received *facts_out);

/* Encodes for the journal; the slice lives until the next call. TOO_LARGE. */
enum status intake_encode(struct intake *intake, const struct optin *optin,
                          struct slice *payload_out);

#endif
