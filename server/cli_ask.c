/* How a running server is found and asked, and what its refusals say. */
#include <stdlib.h>
#include <string.h>

#include "server/cli_internal.h"

/* --- answers ------------------------------------------------------------------------------ */

bool cli_member_text(struct json_value object, const char *name, struct slice *out)
{
    struct json_value value;

    return json_member(object, name, &value) && json_string(value, out) && out->length > 0;
}

bool cli_member_uint(struct json_value object, const char *name, uint64_t *out)
{
    struct json_value value;

    return json_member(object, name, &value) && json_uint(value, out);
}

bool cli_explain_places(const char *file, struct json_value root, const char *list,
                        const char *what)
{
    struct json_value errors, item;
    struct slice name, text, other;
    uint64_t line, column;

    if (!file || !json_member(root, list, &errors))
        return false;
    struct json_walk walk = json_walk(errors);
    while (json_next(&walk, &name, &item)) {
        if (!cli_member_uint(item, "line", &line) || !cli_member_uint(item, "column", &column) ||
            !cli_member_text(item, "text", &text))
            return false;
        if (!cli_member_text(item, "file", &other))
            other = slice_of(file);
        fprintf(stderr, "%.*s:%llu:%llu: %s%.*s\n", (int)other.length, other.bytes,
                (unsigned long long)line, (unsigned long long)column, what, (int)text.length,
                text.bytes);
    }
    return true;
}

/* What the problem document says, or at least its status. */
static int explain(const struct cli_call *call, const struct client_answer *answer)
{
    struct json *json = json_open(answer->body.length + 1);
    struct json_value root;
    struct slice text;
    bool is_json =
        json && json_parse(json, answer->body.bytes, answer->body.length, &root) == STATUS_OK;

    if (is_json && cli_explain_places(call->file, root, "errors", "")) {
        json_close(json);
        return CLI_FAILED;
    }
    if (is_json &&
        (cli_member_text(root, "detail", &text) || cli_member_text(root, "title", &text)))
        fprintf(stderr, "hotlead: %.*s (%ld)\n", (int)text.length, text.bytes, answer->status);
    else
        fprintf(stderr, "hotlead: the server answered %ld\n", answer->status);
    json_close(json);
    return CLI_FAILED;
}

/* --- where and who ------------------------------------------------------------------------ */

const char *cli_or_variable(const char *given, const char *variable)
{
    const char *value = given ? given : getenv(variable);

    return value && *value ? value : NULL;
}

/* First word of a file; false: it cannot be read. */
static bool read_word(const char *path, char out[512])
{
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    int words = fscanf(file, "%511s", out);
    fclose(file);
    return words == 1;
}

static bool read_word_in(const char *folder, const char *name, char out[512])
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_word(path, out);
}

int cli_open_client(struct cli_call *call)
{
    char url_read[512], token_read[512] = "";
    const char *folder = cli_or_variable(call->data, "HOTLEAD_DATA");
    const char *url = cli_or_variable(call->server, "HOTLEAD_URL");
    const char *token = cli_or_variable(call->token, "HOTLEAD_TOKEN");
    const char *token_file = cli_or_variable(NULL, "HOTLEAD_TOKEN_FILE");

    if (!folder)
        folder = CLI_FOLDER_DEFAULT;
    if (!url)
        url = read_word_in(folder, "admin.url", url_read) ? url_read : CLI_URL_DEFAULT;
    if (!token && token_file && !read_word(token_file, token_read))
        return cli_complain("HOTLEAD_TOKEN_FILE cannot be read: ", token_file);
    if (!token && !token_file && !read_word_in(folder, "admin.token", token_read))
        return cli_complain(
            "no token: give --token, HOTLEAD_TOKEN, or --data DIR on the server's machine", "");
    if (!token)
        token = token_read;
    if (client_open(url, token, &call->client) != STATUS_OK)
        return cli_complain("neither a URL nor a token may look so: ", url);
    return 0;
}

int cli_request(struct cli_call *call, const char *method, const char *path, struct slice body,
                struct client_answer *answer)
{
    enum status status = client_request(call->client, method, path, body, answer);

    if (status == STATUS_BUSY)
        fprintf(stderr, "hotlead: no answer: %s\n", answer->problem);
    else if (status != STATUS_OK)
        fprintf(stderr, "hotlead: %s\n", status_text(status));
    else if (answer->status < 200 || answer->status > 299)
        return explain(call, answer);
    return status == STATUS_OK ? 0 : CLI_FAILED;
}

void cli_path(char out[2048], const struct cli_call *call, const char *id, const char *rest)
{
    struct text path = text_over(out, 2047);

    text_printf(&path, "/v1/%s", call->entity->plural);
    if (id)
        text_char(&path, '/');
    for (; id && *id; id++) {
        bool plain = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') ||
                     (*id >= '0' && *id <= '9') || strchr("-._~", *id);
        if (plain)
            text_char(&path, *id);
        else
            text_printf(&path, "%%%02X", (unsigned char)*id);
    }
    text_string(&path, rest);
    out[path.length] = '\0';
}
