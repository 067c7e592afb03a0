/* Redis URLs, piece by piece from the left. Each piece is copied with its limit. */
#include <ctype.h>
#include <string.h>

#include "proto/slice.h"
#include "server/redis_url.h"

static bool take_prefix(const char **text, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(*text, prefix, length) != 0)
        return false;
    *text += length;
    return true;
}

static bool copy(struct slice from, char *out, size_t capacity)
{
    if (from.length >= capacity || memchr(from.bytes, '\0', from.length) != NULL)
        return false;
    memcpy(out, from.bytes, from.length);
    out[from.length] = '\0';
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool copy_decoded(struct slice from, char *out, size_t capacity)
{
    size_t length = 0;

    for (size_t i = 0; i < from.length; i++) {
        int byte = (unsigned char)from.bytes[i];
        if (byte == '%') {
            if (from.length - i < 3)
                return false;
            int high = hex_digit(from.bytes[i + 1]), low = hex_digit(from.bytes[i + 2]);
            if (high < 0 || low < 0)
                return false;
            byte = high << 4 | low;
            i += 2;
        }
        if (byte == 0 || length + 1 >= capacity)
            return false;
        out[length++] = (char)byte;
    }
    out[length] = '\0';
    return true;
}

static bool parse_number(struct slice text, unsigned most, unsigned *out)
{
    unsigned number = 0;

    if (text.length == 0 || text.length > 5)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!isdigit((unsigned char)text.bytes[i]))
            return false;
        number = number * 10 + (unsigned)(text.bytes[i] - '0');
    }
    *out = number;
    return number <= most;
}

/* user:password, or what came before user names were there: password alone behind a colon. */
static bool parse_credentials(struct slice text, struct redis_address *out)
{
    const char *colon = memchr(text.bytes, ':', text.length);
    if (colon == NULL)
        return false;

    struct slice user = {text.bytes, (size_t)(colon - text.bytes)};
    struct slice password = {colon + 1, text.length - user.length - 1};
    return password.length > 0 && copy_decoded(user, out->user, sizeof(out->user)) &&
           copy_decoded(password, out->password, sizeof(out->password));
}

static bool parse_host(struct slice text, struct redis_address *out)
{
    const char *end = text.bytes + text.length, *port;
    struct slice host = text;

    if (text.length > 0 && text.bytes[0] == '[') {
        const char *bracket = memchr(text.bytes, ']', text.length);
        if (bracket == NULL)
            return false;
        host = (struct slice){text.bytes + 1, (size_t)(bracket - text.bytes) - 1};
        port = bracket + 1;
        if (port != end && *port != ':')
            return false;
    } else {
        port = memchr(text.bytes, ':', text.length);
        if (port == NULL)
            port = end;
        host.length = (size_t)(port - text.bytes);
    }

    unsigned number = 0;
    struct slice digits =
        port == end ? SLICE("6379") : (struct slice){port + 1, (size_t)(end - port) - 1};
    return host.length > 0 && copy(host, out->host, sizeof(out->host)) &&
           parse_number(digits, 65535, &number) && number > 0 &&
           copy(digits, out->port, sizeof(out->port));
}

/* Takes what stands before the last @ that is ahead of the first slash. */
static bool take_credentials(const char **text, struct redis_address *out)
{
    size_t authority = strcspn(*text, "/");
    const char *at = memrchr(*text, '@', authority);

    if (at == NULL)
        return true;
    if (!parse_credentials((struct slice){*text, (size_t)(at - *text)}, out))
        return false;
    *text = at + 1;
    return true;
}

static bool parse_tcp(const char *text, struct redis_address *out)
{
    if (!take_credentials(&text, out))
        return false;

    size_t host_length = strcspn(text, "/");
    const char *database = text + host_length;
    return parse_host((struct slice){text, host_length}, out) &&
           (database[0] == '\0' || database[1] == '\0' ||
            parse_number(slice_of(database + 1), 65535, &out->database));
}

static bool parse_unix(const char *text, struct redis_address *out)
{
    if (!take_credentials(&text, out) || text[0] != '/')
        return false;

    size_t path_length = strcspn(text, "?");
    const char *query = text + path_length;
    return copy((struct slice){text, path_length}, out->path, sizeof(out->path)) &&
           (query[0] == '\0' ||
            (take_prefix(&query, "?db=") && parse_number(slice_of(query), 65535, &out->database)));
}

enum status redis_address_parse(const char *url, struct redis_address *out)
{
    bool sound = false;

    memset(out, 0, sizeof(*out));
    if (take_prefix(&url, "redis://"))
        sound = parse_tcp(url, out);
    else if (take_prefix(&url, "unix://"))
        sound = parse_unix(url, out);
    return sound ? STATUS_OK : STATUS_INVALID;
}
