/* multipart/form-data (RFC 7578) of a whole body in memory.
 *
 * Parts with a file name are skipped (their size still counts towards the body
 * limit). Wanted strictly: boundary of 1 to 70 legal characters, CRLF line ends,
 * a closing delimiter; no NUL in names and values. What is not UTF-8 is converted as
 * charset.h says; a part's own Content-Type may declare the charset of its value. Names
 * may be quoted with the %22 / backslash escapes that browsers send. Any thread. */
#ifndef HOTLEAD_PROTO_MULTIPART_H
#define HOTLEAD_PROTO_MULTIPART_H

#include "proto/form.h"

/* `content_type` is the header's whole value. Names and values are slices of the body, or
 * of scratch where they had to be decoded. MALFORMED, TOO_LARGE over `parts_max`. */
enum status multipart_parse(struct slice content_type, struct slice body,
                            struct charset_reader *charset, size_t parts_max, struct text *scratch,
                            form_pair_fn *on_pair, void *owner);

#endif
