#include "proto/form.h"

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* The byte that %XX at `at` stands for; -1: no such sequence. */
static int escaped_byte(struct slice raw, size_t at)
{
    if (raw.length - at < 3)
        return -1;
    int high = hex_digit(raw.bytes[at + 1]), low = hex_digit(raw.bytes[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Appends the bytes that are meant to scratch; *out is that part of it. */
static enum status unescape(struct slice raw, struct text *scratch, struct slice *out)
{
    size_t start = scratch->length;

    for (size_t at = 0; at < raw.length;) {
        size_t run = at;
        while (run < raw.length && raw.bytes[run] != '+' && raw.bytes[run] != '%')
            run++;
        text_bytes(scratch, raw.bytes + at, run - at);
        if (run == raw.length)
            break;
        if (raw.bytes[run] == '+') {
            text_char(scratch, ' ');
            at = run + 1;
        } else {
            int byte = escaped_byte(raw, run);
            if (byte < 0)
                return STATUS_MALFORMED;
            text_char(scratch, (char)byte);
            at = run + 3;
        }
    }
    if (scratch->overflow)
        return STATUS_TOO_LARGE;
    *out = (struct slice){scratch->bytes + start, scratch->length - start};
    return STATUS_OK;
}

static enum status decode(struct slice raw, struct charset_reader *charset, struct text *scratch,
                          struct slice *out)
{
    struct slice bytes;
    enum status status = unescape(raw, scratch, &bytes);

    return status == STATUS_OK ? charset_read(charset, bytes, scratch, out) : status;
}

/* Splits what is in front of the next `separator` off *rest. */
static struct slice split(struct slice *rest, char separator)
{
    const char *end = rest->length > 0 ? memchr(rest->bytes, separator, rest->length) : NULL;
    struct slice head = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};
    size_t taken = head.length + (end ? 1 : 0);

    if (taken > 0) {
        rest->bytes += taken;
        rest->length -= taken;
    }
    return head;
}

enum status form_parse(struct slice body, struct charset_reader *charset, size_t pairs_max,
                       struct text *scratch, form_pair_fn *on_pair, void *owner)
{
    size_t pairs = 0;

    while (body.length > 0) {
        struct slice raw = split(&body, '&');
        if (raw.length == 0)
            continue;
        if (pairs++ == pairs_max)
            return STATUS_TOO_LARGE;

        struct slice name, value;
        enum status status = decode(split(&raw, '='), charset, scratch, &name);
        if (status == STATUS_OK)
            status = decode(raw, charset, scratch, &value);
        if (status == STATUS_OK)
            status = on_pair(owner, name, value);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static bool has_equals_sign(struct slice line)
{
    return line.length > 0 && memchr(line.bytes, '=', line.length);
}

/* A line and those behind it that are more of its value, without the last line ends: what
 * comes after a value may be empty lines as well as the end of the body. */
static struct slice take_plain_pair(struct slice *rest)
{
    struct slice pair = split(rest, '\n');

    while (rest->length > 0) {
        struct slice after = *rest, line = split(&after, '\n');
        if (has_equals_sign(line))
            break;
        pair.length = (size_t)(line.bytes + line.length - pair.bytes);
        *rest = after;
    }
    while (pair.length > 0 &&
           (pair.bytes[pair.length - 1] == '\r' || pair.bytes[pair.length - 1] == '\n'))
        pair.length--;
    return pair;
}

enum status form_parse_plain(struct slice body, struct charset_reader *charset, size_t pairs_max,
                             struct text *scratch, form_pair_fn *on_pair, void *owner)
{
    size_t pairs = 0;

    while (body.length > 0) {
        struct slice raw = take_plain_pair(&body);
        if (raw.length == 0)
            continue;
        if (!has_equals_sign(raw))
            return STATUS_MALFORMED;
        if (pairs++ == pairs_max)
            return STATUS_TOO_LARGE;

        struct slice name, value;
        enum status status = charset_read(charset, split(&raw, '='), scratch, &name);
        if (status == STATUS_OK)
            status = charset_read(charset, raw, scratch, &value);
        if (status == STATUS_OK)
            status = on_pair(owner, name, value);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* An address is made by a program, so here nothing is guessed. */
static enum status decode_strictly(struct slice raw, struct text *scratch, struct slice *out)
{
    struct charset_reader charset = {CHARSET_UTF8, false};
    enum status status = decode(raw, &charset, scratch, out);

    return status == STATUS_OK && charset.guessed ? STATUS_MALFORMED : status;
}

/* The first pair of that name, whose value is not decoded yet; false: there is none. */
static bool find(struct slice *query, const char *name, struct text *scratch, struct slice *raw_out)
{
    struct slice wanted = slice_of(name);

    while (query->length > 0) {
        struct slice key;
        struct text before = *scratch;
        *raw_out = split(query, '&');
        bool found = decode_strictly(split(raw_out, '='), scratch, &key) == STATUS_OK &&
                     slice_equal(key, wanted);
        *scratch = before; /* a name takes no room from its value */
        if (found)
            return true;
    }
    return false;
}

enum status form_query_read(struct slice query, const char *name, struct text *scratch,
                            struct slice *out)
{
    struct slice raw;

    *out = (struct slice){0};
    return find(&query, name, scratch, &raw) ? decode_strictly(raw, scratch, out) : STATUS_OK;
}

bool form_query_repeats(struct slice query, const char *name, struct text *scratch)
{
    struct slice raw;

    return find(&query, name, scratch, &raw) && find(&query, name, scratch, &raw);
}

struct slice form_query(struct slice query, const char *name, struct text *scratch)
{
    struct slice value;

    return form_query_read(query, name, scratch, &value) == STATUS_OK ? value : (struct slice){0};
}

struct slice form_query_other(struct slice query, const char *const *names, struct text *scratch)
{
    while (query.length > 0) {
        struct slice raw = split(&query, '&'), name = split(&raw, '='), key;
        struct text before = *scratch;
        size_t i = 0;

        if (decode_strictly(name, scratch, &key) != STATUS_OK)
            key = name;
        while (names[i] != NULL && !slice_equal(key, slice_of(names[i])))
            i++;
        if (names[i] == NULL && key.length > 0)
            return key;
        *scratch = before;
    }
    return (struct slice){0};
}
