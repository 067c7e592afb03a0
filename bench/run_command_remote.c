/* A server that runs already, and that somebody else set up: one site is known of it, by its key.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/run_command_internal.h"

#define SCHEME "http://"

struct address {
    char host[TARGET_TEXT_MAX], port[8];
};

/* http://host[:port][/], where the host may be [an IPv6 address]. */
static bool split(const char *url, struct address *out)
{
    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
        return false;
    const char *host = url + strlen(SCHEME);
    size_t length = strcspn(host, *host == '[' ? "]" : ":/");
    const char *rest = host + length + (*host == '[' && host[length] == ']');
    size_t skip = *host == '[';
    if (length <= skip || length - skip >= sizeof out->host || (skip && host[length] != ']'))
        return false;
    snprintf(out->host, sizeof out->host, "%.*s", (int)(length - skip), host + skip);
    strcpy(out->port, "80");
    if (*rest == ':') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0 || digits > 5)
            return false;
        snprintf(out->port, sizeof out->port, "%.*s", (int)digits, rest + 1);
        rest += digits + 1;
    }
    return *rest == '\0' || strcmp(rest, "/") == 0;
}

bool remote_url_is_sound(const char *url)
{
    struct address address;

    return split(url, &address);
}

bool remote_agency_of(const char *key, char out[TARGET_TEXT_MAX])
{
    const char *agency = key + 3, *end = strncmp(key, "sk_", 3) == 0 ? strchr(agency, '_') : NULL;

    if (!end || end == agency || end[1] == '\0' || strlen(key) >= TARGET_TEXT_MAX)
        return false;
    snprintf(out, TARGET_TEXT_MAX, "%.*s", (int)(end - agency), agency);
    return true;
}

static enum status look_up(const char *url, FILE *talk, struct target *out)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct address address;
    struct addrinfo *found;

    if (!split(url, &address))
        return STATUS_INVALID;
    int error = getaddrinfo(address.host, address.port, &hints, &found);
    if (error == 0) {
        error = getnameinfo(found->ai_addr, found->ai_addrlen, out->host, sizeof out->host, NULL, 0,
                            NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    out->port = (unsigned)strtoul(address.port, NULL, 10);
    if (error == 0)
        return STATUS_OK;
    fprintf(talk, "hotlead-bench: the host of %s is not found: %s\n", url, gai_strerror(error));
    return STATUS_NOT_FOUND;
}

static void copy(char out[static TARGET_TEXT_MAX], const char *text)
{
    snprintf(out, TARGET_TEXT_MAX, "%s", text ? text : "");
}

enum status remote_target(const struct run_asked *asked, FILE *talk, struct target_site *site,
                          struct target *out)
{
    char agency[TARGET_TEXT_MAX] = "", queue[TARGET_TEXT_MAX + 8];

    *out = (struct target){.kind = TARGET_HOTLEAD, .sites = site, .site_count = 1};
    strcpy(out->name, "hotlead");
    copy(site->secret, asked->key);
    copy(site->open, asked->public_key);
    copy(out->token, asked->token);
    copy(out->redis_url, asked->redis);
    copy(out->emails, asked->email_queue);
    remote_agency_of(asked->key, agency);
    snprintf(queue, sizeof queue, asked->queue ? "%s" : "%s.calls",
             asked->queue ? asked->queue : agency);
    snprintf(out->key, sizeof out->key, "hl:{%.200s}:tasks", queue);
    snprintf(out->reports, sizeof out->reports, "hl:{%.200s}:reports:n1", queue);
    out->shape = strcmp(asked->rig.shape, "list") == 0 ? TARGET_LIST : TARGET_ZSET;
    out->pop_left = true; /* hotlead puts a task at the right end */
    return look_up(asked->url, talk, out);
}
