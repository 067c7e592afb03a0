#include "proto/json_number.h"

#include <charconv>
#include <cstring>

static inline bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Steps over digits; false: there are none. */
static bool skip_digits(slice text, size_t *at)
{
    size_t start = *at;

    while (*at < text.length && is_digit(text.bytes[*at]))
        ++*at;
    return *at > start;
}

/* The number at the front, as the grammar of JSON has it; empty when it has none. */
static slice number_in_front(slice text, bool *integer_out)
{
    size_t at = text.bytes[0] == '-' ? 1 : 0, first = at;

    if (!skip_digits(text, &at) || (text.bytes[first] == '0' && at > first + 1))
        return {nullptr, 0};
    *integer_out = true;
    if (at < text.length && text.bytes[at] == '.') {
        *integer_out = false;
        if (!skip_digits(text, &++at))
            return {nullptr, 0};
    }
    if (at < text.length && (text.bytes[at] | 0x20) == 'e') {
        *integer_out = false;
        at++;
        if (at < text.length && (text.bytes[at] == '+' || text.bytes[at] == '-'))
            at++;
        if (!skip_digits(text, &at))
            return {nullptr, 0};
    }
    return {text.bytes, at};
}

template <typename number> static bool fits(slice digits)
{
    number value;

    return std::from_chars(digits.bytes, digits.bytes + digits.length, value).ec == std::errc();
}

/* Not before a colon, where it would become a key that the document does not have. */
static bool is_value(slice rest)
{
    size_t at = 0;

    while (at < rest.length && std::strchr(" \t\r\n", rest.bytes[at]) && rest.bytes[at] != '\0')
        at++;
    return at == rest.length || rest.bytes[at] != ':';
}

/* How much of the text is one piece: a string, a number, or else a byte. `*quote_out`: a number
 * that fits nothing. */
static size_t piece(slice text, bool *quote_out)
{
    size_t at = 1;

    *quote_out = false;
    if (text.bytes[0] == '"') {
        while (at < text.length && text.bytes[at] != '"')
            at += text.bytes[at] == '\\' ? 2 : 1;
        return at < text.length ? at + 1 : text.length;
    }
    if (text.bytes[0] != '-' && !is_digit(text.bytes[0]))
        return 1;
    bool integer = false;
    slice number = number_in_front(text, &integer);
    if (number.length == 0)
        return 1;
    bool fit = integer ? fits<int64_t>(number) || fits<uint64_t>(number) : fits<double>(number);
    *quote_out = !fit && is_value({text.bytes + number.length, text.length - number.length});
    return number.length;
}

slice json_quote_numbers(slice document, struct text *out)
{
    bool any = false, quote;

    while (document.length > 0) {
        size_t length = piece(document, &quote);
        any = any || quote;
        if (quote)
            text_char(out, '"');
        text_bytes(out, document.bytes, length);
        if (quote)
            text_char(out, '"');
        document.bytes += length;
        document.length -= length;
    }
    return any && !out->overflow ? text_slice(out) : slice{nullptr, 0};
}

bool json_next_is_number(slice *document)
{
    bool found = false, quote = false;

    while (!found && document->length > 0) {
        size_t length = piece(*document, &quote);
        found = quote || document->bytes[0] == '"';
        document->bytes += length;
        document->length -= length;
    }
    return quote;
}
