/* Checks of settings against each other: whether this server can be run, and safely. And two
 * things that commands want too: addresses, and "did you mean". */
#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "server/clock.h"
#include "server/config.h"
#include "server/log.h"
#include "server/redis_url.h"

#define WORD_MAX 40

/* Levenshtein distance of two words; longer ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    size_t row[WORD_MAX + 1];

    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_length];
}

const char *config_closest(const char *word, const char *const *names, size_t count)
{
    const char *closest = NULL;
    size_t least = strlen(word) / 3 + 2; /* further off it is another word, not a slip */

    for (size_t i = 0; i < count; i++) {
        size_t off = distance(word, names[i]);
        if (off < least) {
            least = off;
            closest = names[i];
        }
    }
    return closest;
}

bool config_address(const char *text, struct config_address *out)
{
    bool brackets = *text == '[';
    const char *host = text + brackets;
    const char *end = brackets ? strchr(host, ']') : strrchr(host, ':');
    struct in_addr ipv4;
    struct in6_addr ipv6;

    memset(out, 0, sizeof *out);
    if (!end || (size_t)(end - host) >= sizeof out->host || end[brackets] != ':')
        return false;
    memcpy(out->host, host, (size_t)(end - host));

    const char *digits = end + brackets + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 5 || digits[count] != '\0')
        return false;
    for (size_t i = 0; i < count; i++)
        out->port = out->port * 10 + (unsigned)(digits[i] - '0');
    if (out->port > 65535)
        return false;

    out->ipv6 = brackets;
    if (brackets) {
        if (inet_pton(AF_INET6, out->host, &ipv6) != 1)
            return false;
        out->loopback = IN6_IS_ADDR_LOOPBACK(&ipv6);
        return true;
    }
    if (strcmp(out->host, "localhost") == 0) /* no other name is looked up */
        strcpy(out->host, "127.0.0.1");
    if (inet_pton(AF_INET, out->host, &ipv4) != 1)
        return false;
    out->loopback = ntohl(ipv4.s_addr) >> 24 == 127;
    return true;
}

struct check {
    FILE *talk;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void complain(struct check *check, const char *format,
                                                           ...)
{
    va_list arguments;

    fputs("hotlead: ", check->talk);
    va_start(arguments, format);
    vfprintf(check->talk, format, arguments);
    va_end(arguments);
    fputc('\n', check->talk);
    check->failed = true;
}

static bool consists_of(const char *text, size_t most, const char *more)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        bool plain = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                     (text[i] >= '0' && text[i] <= '9');
        if (!plain && !strchr(more, text[i]))
            return false;
    }
    return length > 0 && length <= most;
}

static void check_addresses(struct check *check, const struct config *config)
{
    struct config_address listen, admin = {0};

    if (!config_address(config->listen, &listen)) {
        complain(check,
                 "listen: '%s' is no address with a port, and names but localhost are not looked "
                 "up; give "
                 "an address: 127.0.0.1:8080 or [::1]:8080",
                 config->listen);
        return;
    }
    if (*config->admin_listen && !config_address(config->admin_listen, &admin)) {
        complain(check,
                 "admin_listen: '%s' is no address with a port, and names but localhost are not "
                 "looked up; give "
                 "an address: 127.0.0.1:8081 or [::1]:8081",
                 config->admin_listen);
        return;
    }
    if (!listen.loopback && !*config->admin_listen)
        complain(check,
                 "listen: %s can be reached from outside; give admin_listen (127.0.0.1:8081), so "
                 "that administration is not on it",
                 config->listen);
    if (*config->admin_listen && listen.port != 0 && listen.port == admin.port &&
        strcmp(listen.host, admin.host) == 0)
        complain(check, "admin_listen: must differ from listen");
    if (config->demo && (!listen.loopback || (*config->admin_listen && !admin.loopback)))
        complain(check, "demo: is for loopback addresses only; listen on 127.0.0.1");
}

static void check_names(struct check *check, const struct config *config)
{
    enum log_level level;

    if (!consists_of(config->node, 32, "-_."))
        complain(check, "node: '%s' is no name; use up to 32 of a-z, 0-9, '-', '_' and '.'",
                 config->node);
    if (!consists_of(config->redis_prefix, 32, "-_.:"))
        complain(check, "redis_prefix: use up to 32 of a-z, 0-9, '-', '_', '.' and ':'");
    if (!log_level_of(config->log_level, &level))
        complain(check, "log_level: '%s' is none of debug, info, warn, error", config->log_level);
    if (!*config->data)
        complain(check, "data: give a folder");
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* It may hold a password, so it is not repeated. */
static void check_redis(struct check *check, const char *redis)
{
    struct redis_address address;

    if (begins_with(redis, "rediss://"))
        complain(check, "redis: TLS is not spoken here; put stunnel or HAProxy between");
    else if (!begins_with(redis, "redis://") && !begins_with(redis, "unix://"))
        complain(check, "redis: must begin with redis:// or unix:///");
    else if (redis_address_parse(redis, &address) != STATUS_OK)
        complain(check,
                 "redis: cannot be understood; give redis://[user:password@]host:port/db, user and "
                 "password percent-encoded, or unix:///path?db=0, the path of at most %d bytes",
                 REDIS_PATH_MAX);
}

static void check_urls(struct check *check, const struct config *config)
{
    const char *public_url = config->public_url;

    check_redis(check, config->redis);
    if (*public_url && !begins_with(public_url, "http://") && !begins_with(public_url, "https://"))
        complain(check, "public_url: '%s' must begin with https:// or http://", public_url);
}

/* A server that reads its time from a file that is not there would only say so when it starts. */
static void check_test_clock(struct check *check, const struct config *config)
{
    struct clock *clock;

    if (!*config->test_clock)
        return;
    if (clock_open(config->test_clock, &clock) == STATUS_OK)
        clock_close(clock);
    else
        complain(check, "test_clock: %s: there must be decimal ms in it", config->test_clock);
}

enum status config_check(const struct config *config, FILE *talk)
{
    struct check check = {.talk = talk};

    check_addresses(&check, config);
    check_names(&check, config);
    check_urls(&check, config);
    check_test_clock(&check, config);
    if (config->reserve_bytes >= config->journal_map_bytes)
        complain(&check, "reserve_bytes: must be less than journal_map_bytes");
    return check.failed ? STATUS_INVALID : STATUS_OK;
}

enum status config_check_redis(const struct config *config, FILE *talk)
{
    struct check check = {.talk = talk};

    check_redis(&check, config->redis);
    return check.failed ? STATUS_INVALID : STATUS_OK;
}
