/* A writer of text into a caller's buffer: replies, tasks, metrics, logs.
 *
 * It never allocates and never writes past the end; what did not fit sets
 * `overflow`, once, and stays set, so a whole document is written first and
 * checked at its end. Any thread, one at a time. */
#ifndef HOTLEAD_PROTO_TEXT_H
#define HOTLEAD_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct text {
    char *bytes;
    size_t length;
    size_t capacity;
    bool overflow;
};

static inline struct text text_over(char *buffer, size_t capacity)
{
    return (struct text){buffer, 0, capacity, false};
}

static inline struct slice text_slice(const struct text *text)
{
    return (struct slice){text->bytes, text->length};
}

/* What fits of bytes that do not: a cut text is a true beginning. */
void text_cut(struct text *text, const char *bytes, size_t length);

/* Here, so that a literal costs its few moves and no calls. */
static inline void text_bytes(struct text *text, const char *bytes, size_t length)
{
    if (length > text->capacity - text->length) {
        text_cut(text, bytes, length);
        return;
    }
    if (length == 0)
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static inline void text_add(struct text *text, struct slice slice)
{
    text_bytes(text, slice.bytes, slice.length);
}

static inline void text_string(struct text *text, const char *terminated)
{
    text_bytes(text, terminated, strlen(terminated));
}

static inline void text_char(struct text *text, char byte)
{
    if (text->length == text->capacity)
        text->overflow = true;
    else
        text->bytes[text->length++] = byte;
}

void text_uint(struct text *text, uint64_t number);
void text_int(struct text *text, int64_t number);
/* Needs room for one byte more than it writes. */
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_hex(struct text *text, const void *bytes, size_t length);

/* A quoted JSON string. Bytes from 0x80 up pass as they are: input is checked
 * for UTF-8 where it enters. */
void text_json_string(struct text *text, struct slice value);

/* As above, or `null` for an empty slice. */
void text_json_string_or_null(struct text *text, struct slice value);

/* How many bytes of a value, cut between characters, take no more than `limit`
 * bytes once escaped; the quotes are not counted. */
size_t text_json_cut(struct slice value, size_t limit);
static inline size_t text_json_fit(struct slice value, size_t limit)
{
    return value.length <= limit / 6 ? value.length : text_json_cut(value, limit);
}

/* Escaped for HTML text and double-quoted attributes. */
void text_html(struct text *text, struct slice value);

#endif
