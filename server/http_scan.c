#include "server/http_scan.h"

#include <arpa/inet.h>
#include <string.h>

#define VERSION_LENGTH (sizeof("HTTP/1.1") - 1)

/* The longest request line whose target may still be in bounds: method, blanks, version. */
#define REQUEST_LINE_MAX (HTTP_TARGET_MAX + 64)

/* RFC 9110 5.6.2 */
static const bool is_token[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* --- runs of bytes ----------------------------------------------------------- */

static size_t token_length(struct slice text)
{
    size_t length = 0;

    while (length < text.length && is_token[(unsigned char)text.bytes[length]])
        length++;
    return length;
}

static bool is_text_byte(unsigned char byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

/* True when the eight bytes hold one under 0x20 or 0x7f. Bytes from 0x80 up never count, and a
 * tab does: it is rare enough to be looked at again. */
static bool has_suspect_byte(uint64_t eight)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t deletes = eight ^ ones * 0x7f;
    uint64_t under_blank = (eight - ones * 0x20) & ~eight & highs;
    uint64_t is_delete = (deletes - ones) & ~deletes & highs;

    return (under_blank | is_delete) != 0;
}

static bool are_text_bytes(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_text_byte((unsigned char)bytes[i]))
            return false;
    return true;
}

static bool are_eight_text_bytes(const char *bytes)
{
    uint64_t eight;

    memcpy(&eight, bytes, sizeof(eight));
    return !has_suspect_byte(eight) || are_text_bytes(bytes, sizeof(eight));
}

/* No control byte but the tab. This runs over every byte of a block, hence eight at a time; the
 * last eight overlap those before them. */
static bool is_text(struct slice text)
{
    if (text.length < 8)
        return are_text_bytes(text.bytes, text.length);
    for (size_t at = 0; at + 8 < text.length; at += 8)
        if (!are_eight_text_bytes(text.bytes + at))
            return false;
    return are_eight_text_bytes(text.bytes + text.length - 8);
}

static struct slice trim(struct slice text)
{
    while (text.length > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.bytes[text.length - 1] == ' ' || text.bytes[text.length - 1] == '\t'))
        text.length--;
    return text;
}

static bool starts_with_ignoring_case(struct slice text, struct slice start)
{
    return text.length >= start.length &&
           slice_equal_ignoring_case((struct slice){text.bytes, start.length}, start);
}

static struct slice behind(struct slice text, size_t count)
{
    return (struct slice){text.bytes + count, text.length - count};
}

static struct http_span span_of(const char *block, struct slice part)
{
    return (struct http_span){(uint32_t)(part.bytes - block), (uint32_t)part.length};
}

struct slice http_head_slice(const char *block, struct http_span span)
{
    if (span.at == 0)
        return (struct slice){NULL, 0};
    return (struct slice){block + span.at, span.length};
}

/* --- the authority ------------------------------------------------------------- */

static bool is_port(struct slice text)
{
    if (text.length == 0)
        return true;
    if (text.bytes[0] != ':' || text.length > 6)
        return false;
    for (size_t i = 1; i < text.length; i++)
        if (!is_digit(text.bytes[i]))
            return false;
    return true;
}

static bool is_bracketed_ipv6(struct slice text, size_t *length_out)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    const char *close = memchr(text.bytes, ']', text.length);

    if (close == NULL)
        return false;
    size_t length = (size_t)(close - text.bytes) - 1;
    if (length >= sizeof(address))
        return false;
    memcpy(address, text.bytes + 1, length);
    address[length] = '\0';
    *length_out = length + 2;
    return inet_pton(AF_INET6, address, &ignored) == 1;
}

/* Narrower than RFC 3986: names as they stand in the DNS, no user, no escapes, no commas. */
static size_t host_name_length(struct slice text)
{
    size_t length = 0;

    for (; length < text.length; length++) {
        char byte = text.bytes[length];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && !is_digit(byte) && byte != '-' && byte != '.' && byte != '_')
            break;
    }
    return length;
}

static bool is_authority(struct slice text)
{
    size_t length = 0;

    if (text.length == 0)
        return false;
    if (text.bytes[0] != '[')
        length = host_name_length(text);
    else if (!is_bracketed_ipv6(text, &length))
        return false;
    return length > 0 && is_port(behind(text, length));
}

/* --- the request line ---------------------------------------------------------- */

/* In the order of enum http_method. */
static const struct slice methods[] = {SLICE("GET"),    SLICE("HEAD"),  SLICE("POST"),
                                       SLICE("PUT"),    SLICE("PATCH"), SLICE("DELETE"),
                                       SLICE("OPTIONS")};

static bool find_method(struct slice name, enum http_method *out)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_equal(name, methods[i])) {
            *out = (enum http_method)i;
            return true;
        }
    }
    return false;
}

static bool is_target(struct slice target)
{
    for (size_t i = 0; i < target.length; i++) {
        unsigned char byte = (unsigned char)target.bytes[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '#')
            return false;
    }
    return target.length > 0;
}

/* VERSION for what is HTTP but not ours, MALFORMED for what is not HTTP. */
static enum status read_version(struct slice version, struct http_framing *framing)
{
    if (version.length != VERSION_LENGTH || memcmp(version.bytes, "HTTP/", 5) != 0 ||
        !is_digit(version.bytes[5]) || version.bytes[6] != '.' || !is_digit(version.bytes[7]))
        return STATUS_MALFORMED;
    if (version.bytes[5] != '1' || version.bytes[7] > '1')
        return STATUS_VERSION;
    framing->is_1_0 = version.bytes[7] == '0';
    return STATUS_OK;
}

static void split_query(struct http_head *head, const char *block, struct slice path)
{
    const char *mark = memchr(path.bytes, '?', path.length);

    if (mark != NULL) {
        size_t length = (size_t)(mark - path.bytes);
        head->query = span_of(block, behind(path, length + 1));
        path.length = length;
    }
    head->path = span_of(block, path);
}

/* Origin form, absolute form, or the asterisk of OPTIONS. */
static enum status read_target(struct http_head *head, const char *block, struct slice target)
{
    bool asterisk = head->method == HTTP_OPTIONS && slice_equal(target, SLICE("*"));

    if (target.bytes[0] != '/' && !asterisk) {
        size_t scheme = 0;
        if (starts_with_ignoring_case(target, SLICE("http://")))
            scheme = sizeof("http://") - 1;
        else if (starts_with_ignoring_case(target, SLICE("https://")))
            scheme = sizeof("https://") - 1;
        else
            return STATUS_MALFORMED;
        target = behind(target, scheme);

        size_t authority = 0;
        while (authority < target.length && target.bytes[authority] != '/' &&
               target.bytes[authority] != '?')
            authority++;
        if (!is_authority((struct slice){target.bytes, authority}))
            return STATUS_MALFORMED;
        target = behind(target, authority);
    }
    split_query(head, block, target);
    return STATUS_OK;
}

static enum status take_request_line(struct http_head *head, const char *block, struct slice line)
{
    if (line.length > REQUEST_LINE_MAX)
        return STATUS_TARGET_TOO_LONG;
    size_t method_length = token_length(line);
    if (method_length == 0 || method_length == line.length || line.bytes[method_length] != ' ')
        return STATUS_MALFORMED;
    struct slice method = {line.bytes, method_length};
    head->method_known = find_method(method, &head->method);

    struct slice rest = behind(line, method_length + 1);
    const char *blank = memchr(rest.bytes, ' ', rest.length);
    if (blank == NULL)
        return rest.length > HTTP_TARGET_MAX ? STATUS_TARGET_TOO_LONG : STATUS_MALFORMED;
    struct slice target = {rest.bytes, (size_t)(blank - rest.bytes)};
    if (target.length > HTTP_TARGET_MAX)
        return STATUS_TARGET_TOO_LONG;
    if (!is_target(target))
        return STATUS_MALFORMED;

    enum status status = read_version(behind(rest, target.length + 1), &head->framing);
    if (status != STATUS_OK)
        return status;
    if (!head->method_known)
        return STATUS_NOT_IMPLEMENTED;
    return read_target(head, block, target);
}

/* --- fields ---------------------------------------------------------------------- */

enum field {
    FIELD_HOST = HTTP_HEADER_COUNT, /* below that, the fields of enum http_header */
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_CONNECTION,
    FIELD_EXPECT,
    FIELD_COUNT
};

static const struct slice field_names[FIELD_COUNT] = {
#define XX(name, text) [HTTP_##name] = SLICE(text),
    HTTP_HEADER_MAP(XX)
#undef XX
        [FIELD_HOST] = SLICE("host"),
    [FIELD_CONTENT_LENGTH] = SLICE("content-length"),
    [FIELD_TRANSFER_ENCODING] = SLICE("transfer-encoding"),
    [FIELD_CONNECTION] = SLICE("connection"),
    [FIELD_EXPECT] = SLICE("expect"),
};

/* FIELD_COUNT for a name that is of no use here. */
static unsigned find_field(struct slice name)
{
    unsigned field = 0;

    while (field < FIELD_COUNT && !slice_equal_ignoring_case(name, field_names[field]))
        field++;
    return field;
}

/* 18 digits cannot overflow, and are refused as too large soon enough. */
static enum status take_length(struct http_head *head, struct slice value)
{
    uint64_t number = 0;

    if (value.length == 0)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < value.length; i++) {
        if (!is_digit(value.bytes[i]))
            return STATUS_MALFORMED;
        if (i < 18)
            number = number * 10 + (uint64_t)(value.bytes[i] - '0');
    }
    if (++head->lengths > 1)
        return STATUS_MALFORMED;
    if (value.length > 18)
        return STATUS_TOO_LARGE;
    head->framing.has_length = true;
    head->framing.length = number;
    return STATUS_OK;
}

static void take_connection(struct http_head *head, struct slice list)
{
    while (list.length > 0) {
        const char *comma = memchr(list.bytes, ',', list.length);
        size_t length = comma == NULL ? list.length : (size_t)(comma - list.bytes);
        struct slice option = trim((struct slice){list.bytes, length});

        if (slice_equal_ignoring_case(option, SLICE("close")))
            head->connection_close = true;
        else if (slice_equal_ignoring_case(option, SLICE("keep-alive")))
            head->connection_keep_alive = true;
        list = behind(list, comma == NULL ? length : length + 1);
    }
}

static void take_expect(struct http_head *head, struct slice value)
{
    if (slice_equal_ignoring_case(value, SLICE("100-continue")))
        head->expects_continue = true;
    else
        head->expects_other = true;
}

static enum http_coding coding_of(struct slice value)
{
    if (value.length == 0 || slice_equal_ignoring_case(value, SLICE("identity")))
        return HTTP_CODING_NONE;
    if (slice_equal_ignoring_case(value, SLICE("gzip")) ||
        slice_equal_ignoring_case(value, SLICE("x-gzip")))
        return HTTP_CODING_GZIP;
    return HTTP_CODING_OTHER;
}

/* Two of them would let two readers believe different senders or contents. Accept and
 * X-Forwarded-For are lists, which proxies may continue on a line of their own: the last line
 * is the nearest proxy's. */
static bool may_repeat(unsigned header)
{
    return header == HTTP_ACCEPT || header == HTTP_X_FORWARDED_FOR;
}

static enum status take_header(struct http_head *head, unsigned header, const char *block,
                               struct slice value)
{
    if (head->headers[header].at != 0 && !may_repeat(header))
        return STATUS_MALFORMED;
    head->headers[header] = span_of(block, value);
    if (header == HTTP_CONTENT_ENCODING)
        head->coding = coding_of(value);
    return STATUS_OK;
}

static enum status take_field(struct http_head *head, const char *block, struct slice line)
{
    if (++head->fields > HTTP_FIELDS_MAX)
        return STATUS_HEADERS_TOO_LARGE;

    /* A name that begins with a blank is a folded line, one that ends with a blank hides the
     * field from one reader and not from another. */
    size_t name_length = token_length(line);
    if (name_length == 0 || name_length == line.length || line.bytes[name_length] != ':')
        return STATUS_MALFORMED;
    struct slice raw = behind(line, name_length + 1);
    if (!is_text(raw))
        return STATUS_MALFORMED;

    struct slice value = trim(raw);
    unsigned field = find_field((struct slice){line.bytes, name_length});
    switch (field) {
    case FIELD_HOST:
        return ++head->hosts == 1 && is_authority(value) ? STATUS_OK : STATUS_MALFORMED;
    case FIELD_CONTENT_LENGTH:
        return take_length(head, value);
    case FIELD_TRANSFER_ENCODING:
        head->transfer_codings++;
        head->transfer_coding = span_of(block, value);
        return STATUS_OK;
    case FIELD_CONNECTION:
        take_connection(head, value);
        return STATUS_OK;
    case FIELD_EXPECT:
        take_expect(head, value);
        return STATUS_OK;
    case FIELD_COUNT:
        return STATUS_OK;
    default:
        return take_header(head, field, block, value);
    }
}

/* --- the end of the block ---------------------------------------------------------- */

/* Splits the next coding off a list. False: it is not a plain token, so that what it names, and
 * where the next one begins, is a matter of taste. */
static bool next_coding(struct slice *list, struct slice *coding_out)
{
    const char *comma = memchr(list->bytes, ',', list->length);
    size_t length = comma == NULL ? list->length : (size_t)(comma - list->bytes);

    *coding_out = trim((struct slice){list->bytes, length});
    *list = comma == NULL ? (struct slice){NULL, 0} : behind(*list, length + 1);
    return coding_out->length > 0 && token_length(*coding_out) == coding_out->length;
}

/* A coding that nobody knows is 501, as long as `chunked` comes last and so says where the body
 * ends. Whatever another reader might frame in another way is 400: it could hide a second
 * request (RFC 9112 6.1, 6.3). */
static enum status judge_transfer_coding(struct http_head *head, const char *block)
{
    struct slice list = http_head_slice(block, head->transfer_coding);
    struct slice coding;
    unsigned others = 0;

    if (head->transfer_codings == 0)
        return STATUS_OK;
    if (head->transfer_codings > 1 || head->framing.has_length || head->framing.is_1_0)
        return STATUS_MALFORMED;
    for (;;) {
        if (!next_coding(&list, &coding))
            return STATUS_MALFORMED;
        if (slice_equal_ignoring_case(coding, SLICE("chunked")))
            break;
        if (list.bytes == NULL)
            return STATUS_MALFORMED;
        others++;
    }
    if (list.bytes != NULL) /* something behind `chunked` */
        return STATUS_MALFORMED;
    head->framing.chunked = others == 0;
    return others == 0 ? STATUS_OK : STATUS_NOT_IMPLEMENTED;
}

static bool needs_length(enum http_method method)
{
    return method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH;
}

static enum status judge(struct http_head *head, const char *block)
{
    if (head->hosts == 0 && !head->framing.is_1_0)
        return STATUS_MALFORMED;
    enum status status = judge_transfer_coding(head, block);
    if (status != STATUS_OK)
        return status;
    if (needs_length(head->method) && !head->framing.has_length && !head->framing.chunked)
        return STATUS_LENGTH_REQUIRED;
    if (head->framing.is_1_0) /* RFC 9110 10.1.1: it cannot expect anything */
        head->expects_continue = head->expects_other = false;
    return head->expects_other ? STATUS_EXPECTATION_FAILED : STATUS_OK;
}

/* --- lines --------------------------------------------------------------------------- */

static enum http_scan_result refuse(struct http_head *head, enum status refusal)
{
    head->refusal = refusal;
    return HTTP_SCAN_REFUSED;
}

/* The part of a line that came so far. A byte that no line may hold is refused at once, so that
 * a peer which speaks another protocol (TLS begins with 0x16) need not wait for a time-out. */
static enum http_scan_result wait_for_line_end(struct http_head *head, const char *block,
                                               size_t length)
{
    struct slice fresh = {block + head->searched, length - head->searched};

    if (fresh.length > 0 && fresh.bytes[fresh.length - 1] == '\r')
        fresh.length--;
    if (!is_text(fresh))
        return refuse(head, STATUS_MALFORMED);
    head->searched += (uint32_t)fresh.length;

    if (!head->in_fields && length - head->start > REQUEST_LINE_MAX + 1) /* a CR may be there */
        return refuse(head, STATUS_TARGET_TOO_LONG);
    if (head->in_fields && length - head->fields_start >= HTTP_HEADERS_MAX)
        return refuse(head, STATUS_HEADERS_TOO_LARGE);
    return HTTP_SCAN_MORE;
}

static enum status take_line(struct http_head *head, const char *block, struct slice line)
{
    if (head->in_fields)
        return take_field(head, block, line);
    head->in_fields = true;
    head->fields_start = head->line;
    return take_request_line(head, block, line);
}

static enum http_scan_result take_empty_line(struct http_head *head, const char *block)
{
    if (!head->in_fields) {
        head->start = head->line;
        if (++head->empty_lines > HTTP_EMPTY_LINES_MAX)
            return refuse(head, STATUS_MALFORMED);
        return HTTP_SCAN_MORE;
    }
    head->length = head->line;
    enum status status = judge(head, block);
    return status == STATUS_OK ? HTTP_SCAN_WHOLE : refuse(head, status);
}

void http_scan_start(struct http_head *head)
{
    *head = (struct http_head){0};
}

enum http_scan_result http_scan(struct http_head *head, const char *block, size_t length)
{
    while (head->refusal == STATUS_OK) {
        const char *end = memchr(block + head->searched, '\n', length - head->searched);
        if (end == NULL)
            return wait_for_line_end(head, block, length);

        struct slice line = {block + head->line, (size_t)(end - block) - head->line};
        if (line.length == 0 || line.bytes[line.length - 1] != '\r')
            return refuse(head, STATUS_MALFORMED);
        line.length--;
        head->line = head->searched = (uint32_t)(end - block) + 1;
        if (head->in_fields && head->line - head->fields_start > HTTP_HEADERS_MAX)
            return refuse(head, STATUS_HEADERS_TOO_LARGE);

        if (line.length == 0) {
            enum http_scan_result result = take_empty_line(head, block);
            if (result != HTTP_SCAN_MORE)
                return result;
            continue;
        }
        enum status status = take_line(head, block, line);
        if (status != STATUS_OK)
            return refuse(head, status);
    }
    return HTTP_SCAN_REFUSED;
}

bool http_head_keeps_alive(const struct http_head *head)
{
    if (head->connection_close)
        return false;
    return !head->framing.is_1_0 || head->connection_keep_alive;
}
