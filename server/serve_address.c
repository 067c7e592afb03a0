/* Where a server listens, and what a start says when that cannot be. */
#include "server/serve_address.h"

#include <stdio.h>
#include <string.h>

#include "proto/must.h"

/* How this machine reaches what listens there. */
void serve_local_url(const char *address, unsigned port, char *out, size_t size)
{
    struct config_address parts;

    MUST(config_address(address, &parts));
    if (strcmp(parts.host, "0.0.0.0") == 0)
        strcpy(parts.host, "127.0.0.1");
    if (strcmp(parts.host, "::") == 0)
        strcpy(parts.host, "::1");
    int length = snprintf(out, size, parts.ipv6 ? "http://[%s]" : "http://%s", parts.host);
    if (port != 80)
        snprintf(out + length, size - (size_t)length, ":%u", port);
}

/* By number, as it was checked: "localhost" could be looked up as anything. */
static void spell_address(const char *address, char *out, size_t size)
{
    struct config_address parts;

    MUST(config_address(address, &parts));
    snprintf(out, size, parts.ipv6 ? "[%s]:%u" : "%s:%u", parts.host, parts.port);
}

static void complain_of_address(const char *address, enum status status)
{
    if (status == STATUS_CONFLICT)
        fprintf(stderr, "hotlead: %s is in use: stop what listens there, or use another address\n",
                address);
    else
        fprintf(stderr, "hotlead: cannot listen on %s: %s\n", address,
                status == STATUS_INVALID ? "no address of this machine, or none that may be used"
                                         : "no memory or no descriptor left");
}

enum status serve_listen(struct http *http, const char *address, enum api_listener listener,
                         char *url_out, size_t size)
{
    char where[96];
    unsigned port;

    spell_address(address, where, sizeof where);
    enum status status = http_listen(http, where, listener, &port);

    if (status == STATUS_OK)
        serve_local_url(address, port, url_out, size);
    else
        complain_of_address(address, status);
    return status;
}

enum status serve_try_addresses(const struct config *config)
{
    const char *const addresses[] = {config->listen, config->admin_listen};
    char where[96];

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        if (!*addresses[i])
            continue;
        spell_address(addresses[i], where, sizeof where);
        enum status status = http_can_listen(where);
        if (status != STATUS_OK) {
            complain_of_address(addresses[i], status);
            return status;
        }
    }
    return STATUS_OK;
}
