/* A JSON reader: simdjson's DOM behind a C face, in one C++ file. A whole
 * document is parsed at once; values are handles into it.
 *
 * Refused with MALFORMED: bad UTF-8, duplicate keys in any object, nesting over
 * 16, trailing bytes. A number that is neither a finite double nor a 64-bit integer is
 * kept as its digits, which are written as a string.
 *
 * One document per thread; handles and strings live until its next parse. */
#ifndef HOTLEAD_PROTO_JSON_H
#define HOTLEAD_PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Readable (not necessarily initialised) bytes wanted behind every document. */
#define JSON_PADDING 64

struct json;

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,  /* fits int64 */
    JSON_UINT, /* over INT64_MAX, fits uint64 */
    JSON_DOUBLE,
    JSON_DIGITS, /* a number that fits none of the three */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* Opaque to callers but for `type`. */
struct json_value {
    enum json_type type;
    const void *document;
    size_t place;
};

/* `document_bytes_max` is allocated for once, here. NULL: out of memory. */
struct json *json_open(size_t document_bytes_max);
void json_close(struct json *json);

/* `bytes` must be followed by JSON_PADDING readable bytes. TOO_LARGE over the
 * size given at open. */
enum status json_parse(struct json *json, const char *bytes, size_t length,
                       struct json_value *root_out);

/* Getters answer false when the value is of another type. */
bool json_string(struct json_value value, struct slice *out); /* unescaped UTF-8 */
bool json_digits(struct json_value value, struct slice *out); /* as they were written */
bool json_bool(struct json_value value, bool *out);
bool json_int(struct json_value value, int64_t *out);
bool json_uint(struct json_value value, uint64_t *out); /* any integer >= 0 */
bool json_double(struct json_value value, double *out); /* any number */

/* NULL-safe lookup of one member; false when absent or not an object. */
bool json_member(struct json_value object, const char *name, struct json_value *out);

/* Walks an object's members or an array's items in document order:
 *   struct json_walk walk = json_walk(value);
 *   while (json_next(&walk, &name, &item)) ...
 * `name` is empty for arrays. A scalar has no items. */
struct json_walk {
    const void *document;
    size_t place, end;
    bool object;
};
struct json_walk json_walk(struct json_value value);
bool json_next(struct json_walk *walk, struct slice *name_out, struct json_value *item_out);

/* Number of members or items; 0 for a scalar. */
size_t json_count(struct json_value value);

/* Writes the value back as minified JSON; 64-bit integers exact. */
void json_write(struct text *out, struct json_value value);

#ifdef __cplusplus
}
#endif

#endif
