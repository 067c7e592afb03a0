/* application/x-www-form-urlencoded, for bodies and query strings; and text/plain, as forms
 * with that enctype come.
 *
 * Decodes in a scratch buffer, never in place (the body is kept for its length
 * only). `+` is a space, %XX a byte; a broken % sequence or a NUL is MALFORMED; more
 * than `pairs_max` pairs is TOO_LARGE. What is not UTF-8 is converted as charset.h says;
 * (1 + CHARSET_GROWTH_MAX) times the body is scratch enough for any. Any thread. */
#ifndef HOTLEAD_PROTO_FORM_H
#define HOTLEAD_PROTO_FORM_H

#include <stddef.h>

#include "proto/charset.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

/* Name and value live in the scratch. Returning anything but OK stops. */
typedef enum status form_pair_fn(void *owner, struct slice name, struct slice value);

enum status form_parse(struct slice body, struct charset_reader *charset, size_t pairs_max,
                       struct text *scratch, form_pair_fn *on_pair, void *owner);

/* A line for each pair, name=value, with nothing escaped: a value that has several lines has
 * them as they are. So a line without `=` belongs to the value before it; one that has it, be it
 * of a message, cannot be told from a pair and is one. MALFORMED: the first has none, or NUL;
 * TOO_LARGE as above. Names and values are slices of the body, or of scratch where they had
 * to be converted. */
enum status form_parse_plain(struct slice body, struct charset_reader *charset, size_t pairs_max,
                             struct text *scratch, form_pair_fn *on_pair, void *owner);

/* The first value of `name` in a query string, decoded into scratch; an empty slice with bytes ==
 * NULL when absent. MALFORMED: it is not escaped rightly, or not UTF-8; TOO_LARGE as above. */
enum status form_query_read(struct slice query, const char *name, struct text *scratch,
                            struct slice *out);
/* The same where what cannot be read is as good as absent. */
struct slice form_query(struct slice query, const char *name, struct text *scratch);
/* There is more than one value of `name`. */
bool form_query_repeats(struct slice query, const char *name, struct text *scratch);
/* The first name that is none of these, of which NULL is the last; bytes == NULL: there is none.
 * Decoded into scratch, or as it stands where it cannot be. */
struct slice form_query_other(struct slice query, const char *const *names, struct text *scratch);

#endif
