/* application/x-www-form-urlencoded, for bodies and query strings.
 *
 * Decodes in a scratch buffer, never in place (the body is kept for its length
 * only). `+` is a space, %XX a byte; a broken % sequence, a NUL or bad UTF-8 is
 * MALFORMED; more than `pairs_max` pairs is TOO_LARGE. Any thread. */
#ifndef HOTLEAD_PROTO_FORM_H
#define HOTLEAD_PROTO_FORM_H

#include <stddef.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

/* Name and value live in the scratch. Returning anything but OK stops. */
typedef enum status form_pair_fn(void *owner, struct slice name, struct slice value);

enum status form_parse(struct slice body, size_t pairs_max, struct text *scratch,
                       form_pair_fn *on_pair, void *owner);

/* The first value of `name` in a query string, decoded into scratch; an empty
 * slice with bytes == NULL when absent or malformed. */
struct slice form_query(struct slice query, const char *name, struct text *scratch);

#endif
