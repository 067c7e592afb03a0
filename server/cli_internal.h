/* Shared by cli*.c only: one command, taken apart, and how the server is asked. */
#ifndef HOTLEAD_SERVER_CLI_INTERNAL_H
#define HOTLEAD_SERVER_CLI_INTERNAL_H

#include <stdio.h>

#include "proto/json.h"
#include "server/cli.h"
#include "server/client.h"
#include "server/playbook.h"

#define CLI_FAILED    1
#define CLI_USAGE     2
#define CLI_WORDS_MAX 256

#define CLI_URL_DEFAULT    "http://127.0.0.1:8080"
#define CLI_FOLDER_DEFAULT "./hotlead-data"

struct cli_entity {
    const char *name, *plural;
    bool is_kept; /* it has settings: add, list, show, set, rm */
};

struct cli_call {
    const struct cli_entity *entity;
    const char *verb;
    const char *server, *token, *data, *prefix, *user; /* NULL: not given */
    bool json, help;
    int count; /* of words that are neither of these: ids and settings */
    const char *words[CLI_WORDS_MAX];
    const char *file; /* that the server is told about, as it is named in complaints; or NULL */
    struct client *client;
};

/* --- cli.c ------------------------------------------------------------------------------- */

/* To stderr; the exit code comes back. */
int cli_complain(const char *what, const char *about);
void cli_print_document(const struct cli_call *call, struct slice body);

/* --- cli_ask.c: a running server ------------------------------------------------------------ */

/* Where it is and who asks, as flags, environment and data folder say; the exit code comes back. */
int cli_open_client(struct cli_call *call);
/* What was given, else the environment's; NULL: neither. */
const char *cli_or_variable(const char *given, const char *variable);
/* Of an answer. False: it has none, or an empty text. */
bool cli_member_text(struct json_value object, const char *name, struct slice *out);
bool cli_member_uint(struct json_value object, const char *name, uint64_t *out);
/* What is wrong in a file, as compilers say it: the items of a list in the answer, to stderr.
 * False: it has none that are about a file. */
bool cli_explain_places(const char *file, struct json_value root, const char *list,
                        const char *what);
/* 0: an answer of 2xx. Anything else was explained. */
int cli_request(struct cli_call *call, const char *method, const char *path, struct slice body,
                struct client_answer *answer);
/* /v1/sites, /v1/sites/ID, /v1/sites/ID/keys: what a word holds may be anything. */
void cli_path(char out[2048], const struct cli_call *call, const char *id, const char *rest);

/* --- cli_figures.c, cli_figures_csv.c -------------------------------------------------------- */

/* NULL: it is no JSON. To be closed. */
struct json *cli_open_document(struct slice json, struct json_value *root_out);
/* Asks for a report. USAGE where the server says that it cannot be asked for so: all of that stood
 * on the command line. */
int cli_ask_figures(struct cli_call *call, const char *path, struct client_answer *answer);
/* The call's report with all pages of its list; the exit code comes back. `query` is as
 * cli_figures_query makes it, below 1 KiB. */
int cli_print_figures_csv(struct cli_call *call, const char *query);

/* --- cli_playbook.c ---------------------------------------------------------------------- */

int cli_playbook_usage(FILE *out);
/* The whole of a file, or `default`; NULL: complained. To be freed. */
char *cli_playbook_read(const char *file, size_t *length_out);
/* Shows it as `flag` says (NULL: as text); the exit code comes back. */
int cli_playbook_print(const char *name, struct slice yaml, const char *flag);
bool cli_playbook_is_flag(const char *word);

/* --- cli_playbook_set.c: those on a server ------------------------------------------------- */

int cli_playbook_set(struct cli_call *call);
int cli_playbook_show(struct cli_call *call);

/* --- cli_playbook_move.c: people on another version ----------------------------------------- */

int cli_playbook_move(struct cli_call *call);

/* --- cli_graveyard.c ----------------------------------------------------------------------- */

int cli_graveyard_usage(FILE *out);
int cli_graveyard_list(struct cli_call *call);
int cli_graveyard_wake(struct cli_call *call);

#endif
