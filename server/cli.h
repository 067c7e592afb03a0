/* hotlead agency|site|queue|agent|token|optin|clock|report VERB ...: administration of a running
 * server over HTTP.
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
#include <stdio.h>

#include "proto/slice.h"
#include "proto/text.h"

/* argv[0] is the entity. The exit code comes back. */
int cli(int argc, char **argv);

/* playbook check|set|list|show|rm: files, which need no server, and what a server keeps. */
int cli_playbook(int argc, char **argv);

/* simulate: years of opt-ins on a virtual clock. */
int cli_simulate(int argc, char **argv);

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

size_t cli_width(struct slice text); /* in characters */

void cli_figures_usage(FILE *out);
/* The query of a report that words ask for ("--from 2026-01-01", "--site=www"), with its "?"; and
 * whether as CSV. NULL: all well; else the word that is none of these, or lacks its value, and what
 * to say before it. */
const char *cli_figures_query(int count, const char *const *words, bool *csv_out, struct text *out,
                              const char **why_out);
/* A report's document as text with bars, and as CSV: a head and rows for each table. As above. */
bool cli_write_figures(struct slice json, struct text *out);
/* Pages of the same report, one after the other: behind the first one only the list's rows. Zeroed
 * before the first. */
struct cli_csv {
    unsigned pages;
    bool list_headed;
    char next[32]; /* cursor of the next page; empty: there is none */
};
bool cli_write_figures_csv(struct slice json, struct cli_csv *csv, struct text *out);
/* To stdout as asked for; as it came where it is no such document. */
void cli_print_figures(struct slice json, bool as_json);

#endif
