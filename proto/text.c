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

/* Sixteen bytes at once. */
typedef uint8_t json_block __attribute__((vector_size(16)));
typedef uint64_t json_words __attribute__((vector_size(16)));

static bool json_plain_block(json_block bytes)
{
    json_words special = (json_words)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));

    return (special[0] | special[1]) == 0;
}

static json_block json_load(const char *bytes)
{
    json_block block;

    memcpy(&block, bytes, sizeof(block));
    return block;
}

static size_t json_plain_run(struct slice value, size_t from)
{
    size_t at = from;

    while (value.length - at >= 16 && json_plain_block(json_load(value.bytes + at)))
        at += 16;
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

static bool json_plain_words(uint64_t first, uint64_t last)
{
    return json_plain_block((json_block)(json_words){first, last});
}

/* Up to 15 bytes, as two pieces that overlap in the middle. */
static bool json_copy_short(char *out, struct slice value)
{
    size_t length = value.length;
    bool plain = true;

    if (length >= 8) {
        uint64_t first, last;
        memcpy(&first, value.bytes, 8);
        memcpy(&last, value.bytes + length - 8, 8);
        memcpy(out, &first, 8);
        memcpy(out + length - 8, &last, 8);
        return json_plain_words(first, last);
    }
    if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, value.bytes, 4);
        memcpy(&last, value.bytes + length - 4, 4);
        memcpy(out, &first, 4);
        memcpy(out + length - 4, &last, 4);
        return json_plain_words((uint64_t)first << 32 | first, (uint64_t)last << 32 | last);
    }
    for (size_t i = 0; i < length; i++) {
        plain = plain && json_plain((unsigned char)value.bytes[i]);
        out[i] = value.bytes[i];
    }
    return plain;
}

/* Most strings need no escapes: they are looked at and copied in one pass, a block at a time, the
 * last one overlapping the one before. False: one needs them, and what was written is to be
 * written over. */
static bool json_copy(char *out, struct slice value)
{
    json_block block;

    if (value.length < sizeof(block))
        return json_copy_short(out, value);
    for (size_t at = 0; value.length - at >= sizeof(block); at += sizeof(block)) {
        block = json_load(value.bytes + at);
        if (!json_plain_block(block))
            return false;
        memcpy(out + at, &block, sizeof(block));
    }
    block = json_load(value.bytes + value.length - sizeof(block));
    memcpy(out + value.length - sizeof(block), &block, sizeof(block));
    return json_plain_block(block);
}

void text_json_string(struct text *text, struct slice value)
{
    char *out = text->bytes + text->length;

    if (text->capacity - text->length >= value.length + 2 && json_copy(out + 1, value)) {
        out[0] = out[value.length + 1] = '"';
        text->length += value.length + 2;
        return;
    }
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

size_t text_json_cut(struct slice value, size_t limit)
{
    size_t at = 0, used = 0;

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
