/* Settings: flag > HOTLEAD_* environment > YAML file > default, from one table that also
 * makes --help, --print-config and the documented example. */
#ifndef HOTLEAD_SERVER_CONFIG_H
#define HOTLEAD_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/status.h"

struct config {
    const char *config;       /* --config FILE */
    const char *data;         /* ./hotlead-data */
    const char *state;        /* "": <data>/state */
    const char *listen;       /* 127.0.0.1:8080 */
    const char *admin_listen; /* "": on --listen */
    const char *public_url;   /* "": http://<listen> */
    const char *redis;        /* redis://127.0.0.1:6379/0; REDIS_FILE reads it from a file */
    const char *redis_prefix; /* hl */
    const char *node;         /* n1 */
    const char *log_level;    /* info */
    const char *test_clock;   /* "" */
    bool demo;
    uint64_t journal_map_bytes; /* 64 GiB; sizes take KiB, MiB, GiB */
    uint64_t state_map_bytes;
    uint64_t reserve_bytes;     /* 64 MiB */
    uint64_t batch_bytes;       /* 8 MiB */
    uint64_t publish_bytes;     /* 16 MiB */
    uint64_t connections_max;   /* 0: from the limit of open files */
    uint64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;
    uint64_t drain_timeout_ms;  /* 10,000 */
    bool print_config, check_config, help;
};

/* Reads everything; talk (errors with what to do, file and line) goes to `talk`. INVALID:
 * exit 2. Strings live as long as the process. */
enum status config_read(int argc, char **argv, char **environment, struct config *out, FILE *talk);
void config_print(const struct config *config, FILE *out); /* every setting, value, origin */
void config_help(FILE *out);
/* Checks that go over one setting: listen addresses, loopback, demo, node name. */
enum status config_check(const struct config *config, FILE *talk);

#endif
