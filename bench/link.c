/* A blocking connection to Redis. Only the steps of making it have a time-out: a pop that is given
 * up by its client while the server is stalled would still take its tasks out, and nobody would
 * have them. */
#include <ctype.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/link.h"

static const struct timeval step_time_max = {2, 0};

/* --- the address ----------------------------------------------------------------------------- */

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
    if (from.length >= capacity)
        return false;
    memcpy(out, from.bytes, from.length);
    out[from.length] = '\0';
    return true;
}

/* A password may hold any byte as %40. */
static bool copy_decoded(struct slice from, char *out, size_t capacity)
{
    size_t length = 0;

    for (size_t i = 0; i < from.length; i++) {
        char byte = from.bytes[i];
        if (byte == '%' && from.length - i > 2 && isxdigit((unsigned char)from.bytes[i + 1]) &&
            isxdigit((unsigned char)from.bytes[i + 2])) {
            char digits[3] = {from.bytes[i + 1], from.bytes[i + 2], '\0'};
            byte = (char)strtoul(digits, NULL, 16);
            i += 2;
        }
        if (byte == '\0' || length + 1 >= capacity)
            return false;
        out[length++] = byte;
    }
    out[length] = '\0';
    return true;
}

/* user:password@ or :password@, before the first slash. */
static bool take_credentials(const char **text, struct link_address *out)
{
    const char *at = memrchr(*text, '@', strcspn(*text, "/"));

    if (at == NULL)
        return true;
    const char *colon = memchr(*text, ':', (size_t)(at - *text));
    if (colon == NULL)
        return false;
    struct slice user = {*text, (size_t)(colon - *text)};
    struct slice password = {colon + 1, (size_t)(at - colon) - 1};
    *text = at + 1;
    return copy_decoded(user, out->user, sizeof(out->user)) &&
           copy_decoded(password, out->password, sizeof(out->password));
}

static bool parse_number(const char *text, unsigned most, unsigned *out)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);

    *out = (unsigned)number;
    return isdigit((unsigned char)text[0]) && *end == '\0' && number <= most;
}

static bool parse_port(struct slice text, struct link_address *out)
{
    char digits[8];
    unsigned port = 6379;

    if (text.length > 0 &&
        (text.bytes[0] != ':' ||
         !copy((struct slice){text.bytes + 1, text.length - 1}, digits, sizeof(digits)) ||
         !parse_number(digits, 65535, &port)))
        return false;
    out->port = (int)port;
    return port > 0;
}

static bool parse_tcp(const char *text, struct link_address *out)
{
    if (!take_credentials(&text, out))
        return false;

    const char *database = strchrnul(text, '/');
    const char *host = text, *host_end = memchr(text, ':', (size_t)(database - text));
    const char *port = host_end = host_end ? host_end : database;
    if (*text == '[') { /* an IPv6 address */
        host = text + 1;
        host_end = memchr(host, ']', (size_t)(database - host));
        if (host_end == NULL)
            return false;
        port = host_end + 1;
    }
    return host_end > host &&
           copy((struct slice){host, (size_t)(host_end - host)}, out->host, sizeof(out->host)) &&
           parse_port((struct slice){port, (size_t)(database - port)}, out) &&
           (database[0] == '\0' || database[1] == '\0' ||
            parse_number(database + 1, 65535, &out->database));
}

static bool parse_unix(const char *text, struct link_address *out)
{
    if (!take_credentials(&text, out) || *text != '/')
        return false;

    const char *query = strchrnul(text, '?');
    struct slice path = {text, (size_t)(query - text)};
    return copy(path, out->path, sizeof(out->path)) &&
           (*query == '\0' ||
            (take_prefix(&query, "?db=") && parse_number(query, 65535, &out->database)));
}

bool link_address_parse(const char *url, struct link_address *out)
{
    memset(out, 0, sizeof(*out));
    if (take_prefix(&url, "redis://"))
        return parse_tcp(url, out);
    return take_prefix(&url, "unix://") && parse_unix(url, out);
}

/* --- the connection -------------------------------------------------------------------------- */

static bool step(redisContext *context, char why[LINK_WHY_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool step(redisContext *context, char why[LINK_WHY_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    bool done = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (!done)
        snprintf(why, LINK_WHY_MAX, "%s", reply ? reply->str : context->errstr);
    if (reply != NULL)
        freeReplyObject(reply);
    return done;
}

static bool let_in(redisContext *context, const struct link_address *address,
                   char why[LINK_WHY_MAX])
{
    if (address->user[0] != '\0' &&
        !step(context, why, "AUTH %s %s", address->user, address->password))
        return false;
    if (address->user[0] == '\0' && address->password[0] != '\0' &&
        !step(context, why, "AUTH %s", address->password))
        return false;
    if (address->database > 0 && !step(context, why, "SELECT %u", address->database))
        return false;
    return step(context, why, "PING"); /* it may be loading yet, or want a password */
}

redisContext *link_open(const struct link_address *address, char why[LINK_WHY_MAX])
{
    static const struct timeval as_long_as_it_takes = {0, 0};
    redisContext *context =
        address->host[0] != '\0'
            ? redisConnectWithTimeout(address->host, address->port, step_time_max)
            : redisConnectUnixWithTimeout(address->path, step_time_max);

    if (context == NULL) {
        snprintf(why, LINK_WHY_MAX, "out of memory");
        return NULL;
    }
    if (context->err)
        snprintf(why, LINK_WHY_MAX, "%s", context->errstr);
    else if (redisSetTimeout(context, step_time_max) == REDIS_OK && let_in(context, address, why) &&
             redisSetTimeout(context, as_long_as_it_takes) == REDIS_OK)
        return context;
    redisFree(context);
    return NULL;
}

/* An ACL may forbid INFO: then the pops will tell. */
bool link_is_of_version(redisContext *context, unsigned major)
{
    redisReply *reply = redisCommand(context, "INFO server");
    const char *version = NULL;

    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        version = strstr(reply->str, "redis_version:");
    bool is = version == NULL || strtoul(version + strlen("redis_version:"), NULL, 10) >= major;
    if (reply != NULL)
        freeReplyObject(reply);
    return is;
}
