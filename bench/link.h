/* A blocking connection to Redis, for threads that pop and for questions between runs. */
#ifndef HOTLEAD_BENCH_LINK_H
#define HOTLEAD_BENCH_LINK_H

#include <stdbool.h>

#include "bench/target.h"

struct redisContext;

#define LINK_TEXT_MAX 512
#define LINK_WHY_MAX  256

struct link_address {
    char host[TARGET_TEXT_MAX]; /* "": a unix socket at `path` */
    int port;
    char path[TARGET_TEXT_MAX];
    char user[LINK_TEXT_MAX], password[LINK_TEXT_MAX]; /* "": none */
    unsigned database;
};

/* redis://[user:password@]host[:port][/db] or unix:///path[?db=n]. False: it is neither. */
bool link_address_parse(const char *url, struct link_address *out);

/* Connected, let in, and on its database; NULL: `why` says what went wrong. Its commands may take
 * as long as they like. */
struct redisContext *link_open(const struct link_address *address, char why[LINK_WHY_MAX]);

/* False: this Redis is known to be older than `major`. */
bool link_is_of_version(struct redisContext *context, unsigned major);

#endif
