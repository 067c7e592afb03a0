/* multipart/form-data (RFC 7578) of a whole body in memory.
 *
 * Parts with a file name are skipped (their size still counts towards the body
 * limit). Wanted strictly: boundary of 1 to 70 legal characters, CRLF line ends,
 * a closing delimiter; names and values checked for UTF-8 and NUL. Names may be
 * quoted with the %22 / backslash escapes that browsers send. Any thread. */
#ifndef HOTLEAD_PROTO_MULTIPART_H
#define HOTLEAD_PROTO_MULTIPART_H

#include "proto/form.h"

/* `content_type` is the header's whole value. Values are slices of the body;
 * names may be decoded into scratch. MALFORMED, TOO_LARGE over `parts_max`. */
enum status multipart_parse(struct slice content_type, struct slice body, size_t parts_max,
                            struct text *scratch, form_pair_fn *on_pair, void *owner);

#endif
