/* The labels and the table are those of https://encoding.spec.whatwg.org. iconv would bring
 * modules that must be installed beside the program, and leaves five bytes of windows-1252
 * without a meaning, so that it could refuse an opt-in for one of them. */
#include "proto/charset.h"

#include <stddef.h>
#include <stdint.h>

#include "proto/utf8.h"

/* 0x80 to 0x9f; all other bytes are the character of their number. */
static const uint16_t windows_1252[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

static bool is_one_of(struct slice label, const char *const *labels)
{
    for (; *labels; labels++) {
        if (slice_equal_ignoring_case(label, slice_of(*labels)))
            return true;
    }
    return false;
}

enum charset charset_of_label(struct slice label)
{
    /* WHATWG has us-ascii for windows-1252. But who says it sends ASCII or does not know, and
     * UTF-8 is then the better guess. */
    static const char *const utf8[] = {"utf-8",         "utf8",          "unicode-1-1-utf-8",
                                       "unicode11utf8", "unicode20utf8", "x-unicode20utf8",
                                       "us-ascii",      "ascii",         NULL};
    static const char *const latin1[] = {
        "windows-1252", "iso-8859-1", "latin1",      "cp1252",   "x-cp1252",   "ansi_x3.4-1968",
        "cp819",        "ibm819",     "iso8859-1",   "iso88591", "iso_8859-1", "iso_8859-1:1987",
        "iso-ir-100",   "l1",         "csisolatin1", NULL};

    if (label.length == 0)
        return CHARSET_UNSAID;
    if (is_one_of(label, utf8))
        return CHARSET_UTF8;
    return is_one_of(label, latin1) ? CHARSET_WINDOWS_1252 : CHARSET_UNKNOWN;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* What stands in front of the next semicolon, without blanks and quotes around it. */
static struct slice parameter_value(struct slice text)
{
    const char *end = text.length > 0 ? memchr(text.bytes, ';', text.length) : NULL;

    if (end)
        text.length = (size_t)(end - text.bytes);
    while (text.length > 0 && is_blank(text.bytes[text.length - 1]))
        text.length--;
    if (text.length >= 2 && text.bytes[0] == '"' && text.bytes[text.length - 1] == '"')
        return (struct slice){text.bytes + 1, text.length - 2};
    return text;
}

enum charset charset_of_type(struct slice content_type)
{
    static const struct slice key = SLICE("charset=");

    for (size_t at = 1; at + key.length <= content_type.length; at++) {
        struct slice here = {content_type.bytes + at, key.length};
        bool begins = is_blank(here.bytes[-1]) || here.bytes[-1] == ';';
        if (begins && slice_equal_ignoring_case(here, key))
            return charset_of_label(parameter_value(
                (struct slice){here.bytes + key.length, content_type.length - at - key.length}));
    }
    return CHARSET_UNSAID;
}

static void put_character(struct text *out, unsigned point)
{
    if (point < 0x80) {
        text_char(out, (char)point);
    } else if (point < 0x800) {
        text_char(out, (char)(0xC0 | point >> 6));
        text_char(out, (char)(0x80 | (point & 0x3F)));
    } else {
        text_char(out, (char)(0xE0 | point >> 12));
        text_char(out, (char)(0x80 | (point >> 6 & 0x3F)));
        text_char(out, (char)(0x80 | (point & 0x3F)));
    }
}

static void put_windows_1252(struct text *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.bytes[i];
        put_character(out, byte >= 0x80 && byte <= 0x9F ? windows_1252[byte - 0x80] : byte);
    }
}

enum status charset_read(struct charset_reader *reader, struct slice bytes, struct text *scratch,
                         struct slice *out)
{
    bool said = reader->declared == CHARSET_WINDOWS_1252;
    size_t start = scratch->length;

    if (bytes.length > 0 && memchr(bytes.bytes, '\0', bytes.length))
        return STATUS_MALFORMED;
    *out = bytes;
    if (!said && utf8_valid(bytes))
        return STATUS_OK;
    reader->guessed = reader->guessed || !said;
    put_windows_1252(scratch, bytes);
    *out = (struct slice){scratch->bytes + start, scratch->length - start};
    return scratch->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}
