/* One pass over the body: delimiter, header lines, content up to the next delimiter. What
 * two readers could understand in two ways (a bare LF, a folded header, a second name) is
 * refused rather than guessed. */
#include "proto/multipart.h"

#define BOUNDARY_MAX   70
#define DELIMITER_TEXT "\r\n--"
#define DELIMITER_MAX  (sizeof(DELIMITER_TEXT) - 1 + BOUNDARY_MAX)

/* What is still to be read. */
struct cursor {
    const char *at;
    const char *end;
};

struct part {
    struct slice name;
    bool named, file;
    enum charset charset; /* of its value */
};

static size_t left_of(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static bool take(struct cursor *cursor, struct slice wanted)
{
    if (left_of(cursor) < wanted.length || memcmp(cursor->at, wanted.bytes, wanted.length) != 0)
        return false;
    cursor->at += wanted.length;
    return true;
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

static bool alphanumeric(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
}

/* RFC 9110 token. */
static bool token_byte(char byte)
{
    return alphanumeric(byte) || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static struct slice take_token(struct cursor *cursor)
{
    const char *start = cursor->at;

    while (cursor->at < cursor->end && token_byte(*cursor->at))
        cursor->at++;
    return (struct slice){start, (size_t)(cursor->at - start)};
}

/* An unquoted parameter value. Wider than a token: some libraries leave out the quotes that
 * their `=` and `/` would need. */
static struct slice take_unquoted(struct cursor *cursor)
{
    const char *start = cursor->at;

    while (cursor->at<cursor->end && * cursor->at> ' ' && *cursor->at != ';' && *cursor->at != '"')
        cursor->at++;
    return (struct slice){start, (size_t)(cursor->at - start)};
}

/* The inside of a quoted string, escapes left in it; false: it does not end. */
static bool take_quoted(struct cursor *cursor, struct slice *out)
{
    const char *start = cursor->at;

    for (const char *at = start; at < cursor->end; at++) {
        if (*at == '\\' && at + 1 < cursor->end) {
            at++;
        } else if (*at == '"') {
            *out = (struct slice){start, (size_t)(at - start)};
            cursor->at = at + 1;
            return true;
        }
    }
    return false;
}

struct parameter {
    struct slice key, value;
    bool quoted;
};

/* `; key=value` or `; key="value"`. NOT_FOUND: the text ends here. */
static enum status next_parameter(struct cursor *cursor, struct parameter *out)
{
    skip_blanks(cursor);
    if (cursor->at == cursor->end)
        return STATUS_NOT_FOUND;
    if (!take(cursor, SLICE(";")))
        return STATUS_MALFORMED;
    skip_blanks(cursor);
    if (cursor->at == cursor->end)
        return STATUS_NOT_FOUND;

    out->key = take_token(cursor);
    if (out->key.length == 0 || !take(cursor, SLICE("=")))
        return STATUS_MALFORMED;
    out->quoted = take(cursor, SLICE("\""));
    if (out->quoted)
        return take_quoted(cursor, &out->value) ? STATUS_OK : STATUS_MALFORMED;
    out->value = take_unquoted(cursor);
    return out->value.length > 0 ? STATUS_OK : STATUS_MALFORMED;
}

static bool boundary_legal(struct slice boundary)
{
    if (boundary.length == 0 || boundary.length > BOUNDARY_MAX ||
        boundary.bytes[boundary.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < boundary.length; i++) {
        char byte = boundary.bytes[i];
        if (!alphanumeric(byte) && (byte == '\0' || !strchr("'()+_,-./:=? ", byte)))
            return false;
    }
    return true;
}

static enum status find_boundary(struct slice content_type, struct slice *out)
{
    struct cursor cursor = {content_type.bytes, content_type.bytes + content_type.length};
    struct parameter parameter;
    enum status status;

    skip_blanks(&cursor);
    while (cursor.at < cursor.end && *cursor.at != ';')
        cursor.at++;
    *out = (struct slice){0};
    for (;;) {
        status = next_parameter(&cursor, &parameter);
        if (status != STATUS_OK)
            break;
        if (!slice_equal_ignoring_case(parameter.key, SLICE("boundary")))
            continue;
        if (out->length > 0)
            return STATUS_MALFORMED;
        *out = parameter.value;
    }
    return status == STATUS_NOT_FOUND && boundary_legal(*out) ? STATUS_OK : STATUS_MALFORMED;
}

/* The byte that browsers escape in a name (WHATWG: %22 %0D %0A), 0: none is meant. Other
 * percent signs stand for themselves. */
static char browser_escape(struct slice rest)
{
    if (rest.length < 3)
        return 0;
    struct slice head = {rest.bytes, 3};
    if (slice_equal(head, SLICE("%22")))
        return '"';
    if (slice_equal_ignoring_case(head, SLICE("%0D")))
        return '\r';
    if (slice_equal_ignoring_case(head, SLICE("%0A")))
        return '\n';
    return 0;
}

/* Undoes the escapes of a quoted name. A backslash stands for itself unless it guards a
 * quote or another one. */
static enum status decode_name(struct slice raw, struct text *scratch, struct slice *out)
{
    size_t start = scratch->length;

    for (size_t at = 0; at < raw.length;) {
        struct slice rest = {raw.bytes + at, raw.length - at};
        char escape = browser_escape(rest);
        if (escape) {
            text_char(scratch, escape);
            at += 3;
        } else {
            if (rest.length > 1 && rest.bytes[0] == '\\' &&
                (rest.bytes[1] == '"' || rest.bytes[1] == '\\'))
                at++;
            text_char(scratch, raw.bytes[at++]);
        }
    }
    *out = (struct slice){scratch->bytes + start, scratch->length - start};
    return scratch->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}

static enum status read_name(const struct parameter *parameter, struct text *scratch,
                             struct slice *out)
{
    struct slice raw = parameter->value;
    bool escaped = parameter->quoted && raw.length > 0 &&
                   (memchr(raw.bytes, '%', raw.length) || memchr(raw.bytes, '\\', raw.length));

    if (!escaped) {
        *out = raw;
        return STATUS_OK;
    }
    return decode_name(raw, scratch, out);
}

/* Content-Disposition: form-data; name="..."[; filename="..."] */
static enum status read_disposition(struct cursor line, struct part *part, struct text *scratch)
{
    struct parameter parameter;
    enum status status;

    skip_blanks(&line);
    if (part->named || !slice_equal_ignoring_case(take_token(&line), SLICE("form-data")))
        return STATUS_MALFORMED;
    for (;;) {
        status = next_parameter(&line, &parameter);
        if (status != STATUS_OK)
            break;
        if (slice_equal_ignoring_case(parameter.key, SLICE("name"))) {
            if (part->named)
                return STATUS_MALFORMED;
            part->named = true;
            status = read_name(&parameter, scratch, &part->name);
            if (status != STATUS_OK)
                return status;
        } else if (slice_equal_ignoring_case(parameter.key, SLICE("filename")) ||
                   slice_equal_ignoring_case(parameter.key, SLICE("filename*"))) {
            part->file = true;
        }
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* RFC 7578 4.7 took transfer codings out; an encoded value would be stored as gibberish. */
static bool plain_coding(struct cursor line)
{
    skip_blanks(&line);
    struct slice coding = take_token(&line);
    skip_blanks(&line);
    return line.at == line.end && (slice_equal_ignoring_case(coding, SLICE("7bit")) ||
                                   slice_equal_ignoring_case(coding, SLICE("8bit")) ||
                                   slice_equal_ignoring_case(coding, SLICE("binary")));
}

static enum status read_header(struct cursor line, struct part *part, struct text *scratch)
{
    struct slice field = take_token(&line);

    if (field.length == 0 || !take(&line, SLICE(":")))
        return STATUS_MALFORMED;
    if (slice_equal_ignoring_case(field, SLICE("content-disposition")))
        return read_disposition(line, part, scratch);
    if (slice_equal_ignoring_case(field, SLICE("content-type")))
        part->charset = charset_of_type((struct slice){line.at, left_of(&line)});
    if (slice_equal_ignoring_case(field, SLICE("content-transfer-encoding")))
        return plain_coding(line) ? STATUS_OK : STATUS_MALFORMED;
    return STATUS_OK;
}

/* Header lines up to and with the empty one. */
static enum status read_headers(struct cursor *cursor, struct part *part, struct text *scratch)
{
    *part = (struct part){0};
    while (!take(cursor, SLICE("\r\n"))) {
        const char *line_end = memmem(cursor->at, left_of(cursor), "\r\n", 2);
        if (!line_end)
            return STATUS_MALFORMED;
        struct cursor line = {cursor->at, line_end};
        if (memchr(line.at, '\n', left_of(&line)) || memchr(line.at, '\0', left_of(&line)))
            return STATUS_MALFORMED;
        enum status status = read_header(line, part, scratch);
        if (status != STATUS_OK)
            return status;
        cursor->at = line_end + 2;
    }
    return part->named ? STATUS_OK : STATUS_MALFORMED;
}

/* Behind a delimiter: `--` when it was the last, else blanks and the end of its line. */
static enum status delimiter_ends(struct cursor *cursor, bool *last_out)
{
    *last_out = take(cursor, SLICE("--"));
    if (*last_out)
        return STATUS_OK;
    skip_blanks(cursor);
    return take(cursor, SLICE("\r\n")) ? STATUS_OK : STATUS_MALFORMED;
}

/* In the charset that the part declares itself, else in that of the form. */
static enum status read_value(const struct part *part, struct slice raw,
                              struct charset_reader *form, struct text *scratch, struct slice *out)
{
    struct charset_reader own = {part->charset, false};
    bool declared = part->charset == CHARSET_UTF8 || part->charset == CHARSET_WINDOWS_1252;
    enum status status = charset_read(declared ? &own : form, raw, scratch, out);

    form->guessed = form->guessed || own.guessed;
    return status;
}

/* One part, from its first header to behind the delimiter that ends it. */
static enum status read_part(struct cursor *cursor, struct slice delimiter,
                             struct charset_reader *charset, struct text *scratch,
                             form_pair_fn *on_pair, void *owner)
{
    struct part part;
    enum status status = read_headers(cursor, &part, scratch);
    if (status != STATUS_OK)
        return status;

    const char *end = memmem(cursor->at, left_of(cursor), delimiter.bytes, delimiter.length);
    if (!end)
        return STATUS_MALFORMED;
    struct slice raw = {cursor->at, (size_t)(end - cursor->at)}, name, value;
    cursor->at = end + delimiter.length;
    if (part.file)
        return STATUS_OK;
    status = charset_read(charset, part.name, scratch, &name);
    if (status == STATUS_OK)
        status = read_value(&part, raw, charset, scratch, &value);
    return status == STATUS_OK ? on_pair(owner, name, value) : status;
}

enum status multipart_parse(struct slice content_type, struct slice body,
                            struct charset_reader *charset, size_t parts_max, struct text *scratch,
                            form_pair_fn *on_pair, void *owner)
{
    struct slice boundary;
    if (content_type.length == 0 || body.length == 0)
        return STATUS_MALFORMED;
    enum status status = find_boundary(content_type, &boundary);
    if (status != STATUS_OK)
        return status;

    char storage[DELIMITER_MAX];
    struct text delimiter = text_over(storage, sizeof(storage));
    text_string(&delimiter, DELIMITER_TEXT);
    text_add(&delimiter, boundary);

    /* The first delimiter has no line in front of it, though some libraries send an empty
     * one. A preamble is legal MIME but no form has it. */
    struct cursor cursor = {body.bytes, body.bytes + body.length};
    struct slice first = {storage + 2, delimiter.length - 2};
    take(&cursor, SLICE("\r\n"));
    if (!take(&cursor, first))
        return STATUS_MALFORMED;

    bool last = false;
    for (size_t parts = 0;; parts++) {
        status = delimiter_ends(&cursor, &last);
        if (status != STATUS_OK || last)
            return status;
        if (parts == parts_max)
            return STATUS_TOO_LARGE;
        status = read_part(&cursor, text_slice(&delimiter), charset, scratch, on_pair, owner);
        if (status != STATUS_OK)
            return status;
    }
}
