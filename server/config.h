/* Settings: flag > HOTLEAD_* environment > YAML file > default, from one table that also
 * makes --help and --print-config, and that deploy/hotlead.yaml is tested against.
 *
 * A setting `admin_listen` is the flag --admin-listen, the variable HOTLEAD_ADMIN_LISTEN and the
 * key admin_listen of the file. An empty variable counts as not given, and one
 * that begins with HOTLEAD_ and nobody knows is refused. At start, one thread. */
#ifndef HOTLEAD_SERVER_CONFIG_H
#define HOTLEAD_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/status.h"

#define CONFIG_SETTINGS_MAX 32

struct config {
    const char *config;       /* --config FILE */
    const char *data;         /* ./hotlead-data */
    const char *state;        /* "": <data>/state */
    const char *listen;       /* 127.0.0.1:8080 */
    const char *admin_listen; /* "": on --listen */
    const char *public_url;   /* "": http://<listen> */
    const char *redis;        /* redis://127.0.0.1:6379/0 */
    const char *redis_file;   /* "", or the file that `redis` was read from */
    const char *redis_prefix; /* hl */
    const char *node;         /* n1 */
    const char *log_level;    /* info */
    const char *test_clock;   /* "" */
    bool demo;
    uint64_t journal_map_bytes; /* 64 GiB; sizes take KiB, MiB, GiB */
    uint64_t state_map_bytes;
    uint64_t reserve_bytes;   /* 64 MiB */
    uint64_t batch_bytes;     /* 8 MiB */
    uint64_t publish_bytes;   /* 16 MiB */
    uint64_t connections_max; /* 0: from the limit of open files */
    uint64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;
    uint64_t drain_timeout_ms; /* 10,000 */
    bool print_config, check_config, help;

    unsigned char origins[CONFIG_SETTINGS_MAX]; /* by number in the table: for config_print */
    struct config_text *texts;                  /* owns the strings */
};

/* Reads everything; `argv` is what stands behind the command. Talk (errors with what to do, file
 * and line) goes to `talk`. INVALID: exit 2. Close it in either case. */
enum status config_read(int argc, const char *const *argv, const char *const *environment,
                        struct config *out, FILE *talk);
void config_close(struct config *config);

/* Every setting with its origin, as YAML that could be a config file; passwords are masked. */
void config_print(const struct config *config, FILE *out);
void config_help(FILE *out); /* every flag, what it is for, its default */

/* Checks that go over one setting: listen addresses, loopback, demo, node name. */
enum status config_check(const struct config *config, FILE *talk);
enum status config_check_redis(const struct config *config, FILE *talk); /* of them, its URL */

/* Splits "127.0.0.1:8080" or "[::1]:0"; localhost is 127.0.0.1. False: not an address with a port.
 */
struct config_address {
    char host[64]; /* without brackets */
    unsigned port;
    bool loopback;
    bool ipv6;
};
bool config_address(const char *text, struct config_address *out);

/* The closest of `count` names, for "did you mean"; NULL when none is close. */
const char *config_closest(const char *word, const char *const *names, size_t count);

#endif
