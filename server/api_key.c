/* Keys of sites, turned over without a gap; and the first token of a new server. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/api_admin.h"
#include "server/directory.h"

/* --- keys of a site ------------------------------------------------------------------ */

/* The site of the path; NULL: answered. */
static const struct site *site_of_path(struct api *api, const struct api_call *call)
{
    uint32_t number = registry_number(api->options.registry, ENTITY_SITE, call->names[0]);
    const struct site *site = registry_site(api->options.registry, number);

    if (site && api_may_see(&call->caller, site->agency))
        return site;
    api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
    return NULL;
}

static bool is_key_kind(struct slice kind)
{
    return slice_equal(kind, SLICE("pk")) || slice_equal(kind, SLICE("sk"));
}

/* `"pk":["<kept>",` and so on: the keys of a kind from `from` on, the list left open. */
static void begin_list(struct text *added, const struct site *site, bool secret, size_t from)
{
    const struct slice *keys = secret ? site->secret_key_hashes : site->public_keys;
    size_t count = secret ? site->secret_key_count : site->public_key_count;

    text_string(added, secret ? "\"sk\":[" : "\"pk\":[");
    for (size_t i = from; i < count; i++) {
        if (i > from)
            text_char(added, ',');
        text_json_string(added, keys[i]);
    }
}

static struct json_value empty_object(struct api *api)
{
    static const char empty[2 + JSON_PADDING] = "{}";
    struct json_value object;

    json_parse(api->json, empty, 2, &object);
    return object;
}

static void add_key(struct api *api, const struct api_call *call, const struct site *site,
                    bool secret)
{
    const char *agency = registry_agency(api->options.registry, site->agency)->id;
    const char *name = secret ? "sk" : "pk";
    char bytes[3 * SECRET_TEXT_MAX];
    struct text added = text_over(bytes, sizeof(bytes));
    size_t live = secret ? site->secret_key_count : site->public_key_count;

    if (live == SITE_KEYS_MAX) {
        api_problem(api, call->request->ticket, STATUS_CONFLICT,
                    "two keys live already: retire the older first");
        return;
    }
    begin_list(&added, site, secret, 0);
    if (live > 0)
        text_char(&added, ',');
    const char *key = api_admin_secret(api, name, name, agency);
    if (secret)
        api_admin_add_hash(&added, key);
    else
        text_json_string(&added, slice_of(key));
    text_char(&added, ']');
    api_admin_change(api, call, ENTITY_SITE, site->number, empty_object(api), text_slice(&added),
                     201);
}

void api_key_add(struct api *api, const struct api_call *call)
{
    struct json_value body, value;
    struct slice kind = {0};

    if (!api_admin_begin(api, call->request))
        return;
    const struct site *site = site_of_path(api, call);
    if (!site || !api_body_object(api, call, &body))
        return;
    if (json_member(body, "kind", &value) && json_string(value, &kind) && is_key_kind(kind))
        add_key(api, call, site, kind.bytes[0] == 's');
    else
        api_problem_field(api, call->request->ticket, STATUS_INVALID, SLICE("kind"));
}

void api_key_retire(struct api *api, const struct api_call *call)
{
    char bytes[3 * SECRET_TEXT_MAX];
    struct text added = text_over(bytes, sizeof(bytes));

    if (!api_admin_begin(api, call->request))
        return;
    const struct site *site = site_of_path(api, call);
    if (!site)
        return;
    bool secret = slice_equal(call->names[1], SLICE("sk"));
    if (!is_key_kind(call->names[1])) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
    } else if ((secret ? site->secret_key_count : site->public_key_count) < SITE_KEYS_MAX) {
        api_problem(api, call->request->ticket, STATUS_CONFLICT,
                    "there is no older key: add a new one first");
    } else {
        begin_list(&added, site, secret, 1);
        text_char(&added, ']');
        api_admin_change(api, call, ENTITY_SITE, site->number, empty_object(api),
                         text_slice(&added), 200);
    }
}

/* --- the first token -------------------------------------------------------------------
 *
 * Its text is written beside its place before the token is stored, and put there afterwards: a
 * crash in between leaves a file that the next start recognises by its text. */

static bool has_admin(const struct registry *registry)
{
    for (uint32_t number = 1; number <= registry_count(registry, ENTITY_TOKEN); number++) {
        const struct token *token = registry_token(registry, number);
        if (token && token->role == ROLE_ADMIN)
            return true;
    }
    return false;
}

static bool write_token(const char *path, const char *token)
{
    char line[SECRET_TEXT_MAX + 1];
    int length = snprintf(line, sizeof(line), "%s\n", token);

    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = write(fd, line, (size_t)length) == length && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

static void put_in_place(struct api *api)
{
    const char *from = api->admin.token_file_new, *to = api->admin.token_file;

    if (rename(from, to) == 0)
        log_write(api->options.log, LOG_INFO, "the first admin token is in its file",
                  LOG_TEXT("file", to), LOG_END);
    else
        log_write(api->options.log, LOG_ERROR, "cannot put the first admin token in its place",
                  LOG_TEXT("file", to), LOG_TEXT("beside", from), LOG_INT("errno", errno), LOG_END);
}

static bool is_valid_token_file(struct api *api, const char *path)
{
    char line[SECRET_TEXT_MAX + 2];
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    size_t length = fread(line, 1, sizeof(line), file);
    fclose(file);
    if (length > 0 && line[length - 1] == '\n')
        length--;
    return registry_token_by_secret(api->options.registry, (struct slice){line, length}) != NULL;
}

static void forget_files(struct api *api)
{
    free(api->admin.token_file);
    free(api->admin.token_file_new);
    api->admin.token_file = NULL;
    api->admin.token_file_new = NULL;
}

void api_first_token_settled(struct api *api, enum status status)
{
    if (status == STATUS_OK)
        put_in_place(api);
    else
        log_write(api->options.log, LOG_ERROR, "the first admin token could not be stored",
                  LOG_TEXT("code", status_code(status)), LOG_END);
    forget_files(api);
}

static enum status submit_first_token(struct api *api, const char *data_directory)
{
    char bytes[SECRET_TEXT_MAX + 64];
    struct text added = text_over(bytes, sizeof(bytes));
    struct slice field;
    const char *token = api_admin_secret(api, "token", "tk", NULL);

    if (!write_token(api->admin.token_file_new, token) || directory_sync(data_directory) != 0) {
        log_write(api->options.log, LOG_ERROR, "cannot write the first admin token",
                  LOG_TEXT("file", api->admin.token_file_new), LOG_INT("errno", errno), LOG_END);
        return STATUS_IO;
    }
    text_string(&added, "\"id\":\"admin\",\"role\":\"admin\",\"hash\":");
    api_admin_add_hash(&added, token);
    enum status status =
        api_admin_check(api, ENTITY_TOKEN, 0, empty_object(api), text_slice(&added), &field);
    /* No request has ticket 0: there is nobody to answer. */
    return status == STATUS_OK ? api_admin_submit(api, 0, ENTITY_TOKEN, 0, 201) : status;
}

bool api_first_token_done(const struct api *api)
{
    return api->admin.token_file == NULL;
}

enum status api_first_token(struct api *api, const char *data_directory)
{
    struct admin_change *change = &api->admin;
    enum status status = STATUS_OK;

    if (asprintf(&change->token_file, "%s/admin.token", data_directory) < 0 ||
        asprintf(&change->token_file_new, "%s/admin.token.new", data_directory) < 0)
        return STATUS_INTERNAL;
    if (has_admin(api->options.registry)) {
        if (is_valid_token_file(api, change->token_file_new))
            put_in_place(api);
    } else {
        status = submit_first_token(api, data_directory);
    }
    if (!change->busy)
        forget_files(api);
    return status;
}
