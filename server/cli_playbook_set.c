/* hotlead playbook set|show: versions that a server keeps. */
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "server/cli_internal.h"

#define SETTINGS_ROOM 4096 /* what stands beside the YAML */
#define ESCAPED_MOST  6    /* bytes of JSON for one */

/* {"id":"acme.default","yaml":"..."} */
static bool write_body(const struct cli_call *call, struct slice yaml, struct text *out,
                       const char **wrong)
{
    *wrong = cli_settings(call->count - 1, call->words + 1, false, out);
    if (*wrong || out->overflow)
        return false;
    out->length--; /* the brace */
    text_string(out, ",\"yaml\":");
    text_json_string(out, yaml);
    text_char(out, '}');
    return !out->overflow;
}

static void print_warnings(const struct cli_call *call, struct slice body)
{
    struct json *json = json_open(body.length + 1);
    struct json_value root;

    if (json && json_parse(json, body.bytes, body.length, &root) == STATUS_OK)
        (void)cli_explain_places(call->file, root, "warnings", "warning: ");
    json_close(json);
}

static int send_file(struct cli_call *call, struct slice yaml)
{
    size_t room = SETTINGS_ROOM + ESCAPED_MOST * yaml.length;
    char *bytes = memory_take(room), path[2048];
    struct client_answer answer;
    const char *wrong;
    int code;

    struct text body = text_over(bytes, room);
    cli_path(path, call, NULL, "");
    if (write_body(call, yaml, &body, &wrong))
        code = cli_request(call, "POST", path, text_slice(&body), &answer);
    else
        code = wrong ? cli_complain("this is no setting; write --id ID: ", wrong)
                     : cli_complain("the settings are too long", "");
    if (code == 0) {
        print_warnings(call, answer.body);
        cli_print_document(call, answer.body);
    }
    free(bytes);
    return code;
}

int cli_playbook_set(struct cli_call *call)
{
    size_t length;

    if (call->count < 2)
        return cli_playbook_usage(stderr);
    char *bytes = cli_playbook_read(call->words[0], &length);
    if (!bytes)
        return CLI_USAGE;
    call->file = call->words[0];
    int code = send_file(call, (struct slice){bytes, length});
    free(bytes);
    return code;
}

/* --- showing ------------------------------------------------------------------------------ */

/* Takes ID [--version N] [--text|...]. False: there are other words. */
static bool take_words(const struct cli_call *call, const char **id, const char **version,
                       const char **flag)
{
    *id = *version = *flag = NULL;
    for (int i = 0; i < call->count; i++) {
        const char *word = call->words[i];
        if (cli_playbook_is_flag(word))
            *flag = word;
        else if (strncmp(word, "--version=", 10) == 0)
            *version = word + 10;
        else if (strcmp(word, "--version") == 0 && i + 1 < call->count)
            *version = call->words[++i];
        else if (*word == '-' || *id)
            return false;
        else
            *id = word;
    }
    return *id && (!*version || (**version && !(*version)[strspn(*version, "0123456789")]));
}

static int print_version(const struct cli_call *call, const char *id, struct slice body,
                         const char *flag)
{
    struct json *json = json_open(body.length + 1);
    struct json_value root;
    struct slice yaml;
    int code = CLI_FAILED;

    if (call->json) {
        cli_print_document(call, body);
        code = 0;
    } else if (!json || json_parse(json, body.bytes, body.length, &root) != STATUS_OK) {
        cli_complain("the server's answer is no playbook: ", id);
    } else if (!cli_member_text(root, "yaml", &yaml)) {
        cli_complain("this version is the removal of ", id);
    } else {
        code = cli_playbook_print(id, yaml, flag);
    }
    json_close(json);
    return code;
}

int cli_playbook_show(struct cli_call *call)
{
    const char *id, *version, *flag;
    struct client_answer answer;
    char path[2048], query[64] = "";

    if (!take_words(call, &id, &version, &flag))
        return cli_playbook_usage(stderr);
    if (version)
        snprintf(query, sizeof(query), "?version=%.20s", version);
    cli_path(path, call, id, query);
    int code = cli_request(call, "GET", path, (struct slice){0}, &answer);
    return code == 0 ? print_version(call, id, answer.body, flag) : code;
}
