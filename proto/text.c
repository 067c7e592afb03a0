#include "proto/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/must.h"

/* Then there is no room left, and nothing can follow the gap. */
void text_cut(struct text *text, const char *bytes, size_t length)
{
    size_t room = text->capacity - text->length;

    text->overflow = true;
    if (length > room)
        length = room;
    if (length == 0)
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

/* Two digits a division: half of the divisions are most of the time. */
static const char two_digits[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

void text_uint(struct text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    while (number >= 100) {
        at -= 2;
        memcpy(digits + at, two_digits + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(digits + at, two_digits + 2 * number, 2);
    } else {
        digits[--at] = (char)('0' + number);
    }
    text_bytes(text, digits + at, sizeof(digits) - at);
}

void text_int(struct text *text, int64_t number)
{
    uint64_t magnitude = (uint64_t)number;

    if (number < 0) {
        text_char(text, '-');
        magnitude = 0 - magnitude;
    }
    text_uint(text, magnitude);
}

void text_printf(struct text *text, const char *format, ...)
{
    size_t room = text->capacity - text->length;
    if (room == 0) {
        text->overflow = true;
        return;
    }

    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    MUST(wanted >= 0);

    /* The terminator that vsnprintf wants takes the last byte of the room. */
    if ((size_t)wanted >= room) {
        text->overflow = true;
        text->length = text->capacity - 1;
    } else {
        text->length += (size_t)wanted;
    }
}

static const char hex_digits[] = "0123456789abcdef";

void text_hex(struct text *text, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < length; i++) {
        char pair[2] = {hex_digits[byte[i] >> 4], hex_digits[byte[i] & 15]};
        text_bytes(text, pair, sizeof(pair));
    }
}

static bool json_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

/* Eight bytes at once: the high bit of a lane borrows only when some byte of the
 * word is below the limit, so "any?" is exact although "which?" is not. */
static bool json_plain_word(const char *bytes)
{
    const uint64_t ones = UINT64_MAX / 255, highs = ones * 0x80;
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                     ((backslash - ones) & ~backslash);
    return (found & highs) == 0;
}

static size_t json_plain_run(struct slice value, size_t from)
{
    size_t at = from;

    while (value.length - at >= 8 && json_plain_word(value.bytes + at))
        at += 8;
    while (at < value.length && json_plain((unsigned char)value.bytes[at]))
        at++;
    return at;
}

/* The letter behind the backslash; 0: the byte has none and is written as \u00XX. */
static char json_escape_letter(char byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void json_escape(struct text *text, char byte)
{
    char letter = json_escape_letter(byte);

    if (letter != 0) {
        text_char(text, '\\');
        text_char(text, letter);
    } else {
        text_bytes(text, "\\u00", 4);
        text_hex(text, &byte, 1);
    }
}

void text_json_string(struct text *text, struct slice value)
{
    text_char(text, '"');
    for (size_t at = 0; at < value.length;) {
        size_t end = json_plain_run(value, at);
        text_bytes(text, value.bytes + at, end - at);
        if (end < value.length)
            json_escape(text, value.bytes[end++]);
        at = end;
    }
    text_char(text, '"');
}

void text_json_string_or_null(struct text *text, struct slice value)
{
    if (value.length == 0)
        text_bytes(text, "null", 4);
    else
        text_json_string(text, value);
}

static size_t json_escaped_length(char byte)
{
    if (json_plain((unsigned char)byte))
        return 1;
    return json_escape_letter(byte) != 0 ? 2 : 6;
}

size_t text_json_fit(struct slice value, size_t limit)
{
    size_t at = 0, used = 0;

    if (value.length <= limit / 6)
        return value.length;
    while (at < value.length) {
        used += json_escaped_length(value.bytes[at]);
        if (used > limit)
            break;
        at++;
    }
    /* Not between the bytes of one character. */
    while (at > 0 && at < value.length && ((unsigned char)value.bytes[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static const char *html_entity(char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void text_html(struct text *text, struct slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        const char *entity = html_entity(value.bytes[i]);
        if (entity)
            text_string(text, entity);
        else
            text_char(text, value.bytes[i]);
    }
}
