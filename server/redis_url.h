/* Where Redis is, out of a URL: redis://[user:password@]host[:port][/db], redis://:password@host,
 * and unix://[user:password@]/path/to/socket[?db=n]. User and password may be percent-encoded, an
 * IPv6 address stands in brackets. TLS is a proxy's (stunnel), so rediss:// is refused. */
#ifndef HOTLEAD_SERVER_REDIS_URL_H
#define HOTLEAD_SERVER_REDIS_URL_H

#include "proto/status.h"

#define REDIS_HOST_MAX     253
#define REDIS_PATH_MAX     107 /* of sockaddr_un */
#define REDIS_USER_MAX     128
#define REDIS_PASSWORD_MAX 512

/* Where Redis is. `path` is set for a unix socket, `host` and `port` else. */
struct redis_address {
    char host[REDIS_HOST_MAX + 1];
    char port[6];
    char path[REDIS_PATH_MAX + 1];
    char user[REDIS_USER_MAX + 1];         /* "": the default user */
    char password[REDIS_PASSWORD_MAX + 1]; /* "": none */
    unsigned database;
};

/* INVALID: not one of these forms, or a part of it is over its limit. */
enum status redis_address_parse(const char *url, struct redis_address *out);

#endif
