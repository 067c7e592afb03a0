/* hotlead agency|site|queue|agent|token|optin|clock VERB ...: administration of a running server
 * over HTTP.
 *
 *   hotlead site add acme-main --agency acme --queue acme.calls --origin https://a.example
 *   hotlead site set acme-main country=GB
 *   hotlead queue acl acme.calls
 *
 * Flags are the settings' own names, so a setting that a newer server knows needs no newer
 * client. stdout is data: a table for people, JSON for programs. */
#ifndef HOTLEAD_SERVER_CLI_H
#define HOTLEAD_SERVER_CLI_H

#include <stdbool.h>

#include "proto/slice.h"
#include "proto/text.h"

/* argv[0] is the entity. The exit code comes back. */
int cli(int argc, char **argv);

/* The settings that words say, as a JSON object: "--key value", "--key=value", "key=value"; and
 * `with_id` a first word alone is the id. NULL: all well; else the word that is none of these. */
const char *cli_settings(int argc, const char *const *argv, bool with_id, struct text *out);

/* The line for redis-cli that makes a user `user` who may consume that queue and nothing else. */
void cli_acl(const char *prefix, const char *queue, bool is_list, const char *user,
             const char *password, struct text *out);

/* A document as people read it, indented; a list of objects as a table. `json` is followed by
 * 64 readable bytes. False: it is no JSON. */
bool cli_write_pretty(struct slice json, struct text *out);
bool cli_write_table(struct slice json, struct text *out);

#endif
