/* The addresses of a server: trying them, listening there, and how this machine reaches them.
 * Addresses are as the configuration has them, checked. Loop thread. */
#ifndef HOTLEAD_SERVER_SERVE_ADDRESS_H
#define HOTLEAD_SERVER_SERVE_ADDRESS_H

#include <stddef.h>

#include "server/api.h"
#include "server/config.h"
#include "server/http.h"

/* Before anything is made: a start that fails because of an address leaves no data folder. What is
 * wrong is said on stderr, here and below. CONFLICT: in use; INVALID. */
enum status serve_try_addresses(const struct config *config);

/* `url_out` is how this machine reaches it. CONFLICT, INVALID, INTERNAL: no memory. */
enum status serve_listen(struct http *http, const char *address, enum api_listener listener,
                         char *url_out, size_t size);

void serve_local_url(const char *address, unsigned port, char *out, size_t size);

#endif
