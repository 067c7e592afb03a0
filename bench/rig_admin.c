/* Agency, playbook, queue and sites over HTTP, as an administrator makes them. Sites are left
 * without limits, which is their default: forms under load would else be stored as suspect, and
 * never come out. */
#include <stdlib.h>
#include <string.h>

#include "bench/playbook_file.h"
#include "bench/rig_internal.h"
#include "proto/json.h"
#include "proto/must.h"
#include "proto/text.h"
#include "server/client.h"

#define BODY_BYTES   512
#define ESCAPED_MOST 6 /* bytes of JSON for one */

struct admin {
    struct client *client;
    struct json *json;
    struct json_value answer; /* the last one's, until the next */
    FILE *talk;
};

static void copy_member(struct json_value object, const char *name, char out[TARGET_TEXT_MAX])
{
    struct json_value member;
    struct slice text;

    out[0] = '\0';
    if (json_member(object, name, &member) && json_string(member, &text) &&
        text.length < TARGET_TEXT_MAX) {
        memcpy(out, text.bytes, text.length);
        out[text.length] = '\0';
    }
}

static enum status refused(const struct admin *admin, const char *path, const char *why)
{
    fprintf(admin->talk, "hotlead-bench: %s: %s; is this hotlead as old as the bench?\n", path,
            why);
    return STATUS_INVALID;
}

static enum status ask(struct admin *admin, const char *method, const char *path, struct slice body)
{
    struct client_answer answer;
    char why[TARGET_TEXT_MAX];

    if (client_request(admin->client, method, path, body, &answer) != STATUS_OK)
        return refused(admin, path, answer.problem ? answer.problem : "no answer");
    if (json_parse(admin->json, answer.body.bytes, answer.body.length, &admin->answer) != STATUS_OK)
        return refused(admin, path, "the answer is no JSON");
    if (answer.status == 200 || answer.status == 201)
        return STATUS_OK;
    copy_member(admin->answer, "detail", why);
    return refused(admin, path, why);
}

static enum status post(struct admin *admin, const char *path, const char *body)
{
    return ask(admin, "POST", path, slice_of(body));
}

static enum status post_playbook(struct admin *admin, struct slice yaml)
{
    size_t room = BODY_BYTES + ESCAPED_MOST * yaml.length;
    char *bytes = malloc(room);

    MUST(bytes != NULL);
    struct text body = text_over(bytes, room);
    text_string(&body, "{\"id\":\"bench.playbook\",\"yaml\":");
    text_json_string(&body, yaml);
    text_char(&body, '}');
    enum status status = ask(admin, "POST", "/v1/playbooks", text_slice(&body));
    free(bytes);
    return status;
}

/* `shown_out`: of the target. */
static enum status set_playbook(struct admin *admin, const char *path, char *shown_out, size_t size)
{
    struct playbook_file file;

    if (path == NULL) {
        snprintf(shown_out, size, "default");
        return STATUS_OK;
    }
    enum status status = playbook_file_open(path, admin->talk, &file);
    if (status != STATUS_OK)
        return status;
    snprintf(shown_out, size, "%s", file.shown);
    status = post_playbook(admin, file.yaml);
    playbook_file_close(&file);
    if (status == STATUS_OK)
        status =
            ask(admin, "PATCH", "/v1/agencies/bench", SLICE("{\"playbook\":\"bench.playbook\"}"));
    return status;
}

static enum status add_site(struct admin *admin, unsigned number, struct target_site *out)
{
    char body[BODY_BYTES];

    snprintf(body, sizeof body,
             "{\"id\":\"bench-%u\",\"agency\":\"bench\",\"queue\":\"bench.calls\"}", number);
    enum status status = post(admin, "/v1/sites", body);
    if (status != STATUS_OK)
        return status;
    copy_member(admin->answer, "sk", out->secret);
    copy_member(admin->answer, "pk", out->open);
    if (!out->secret[0] || !out->open[0])
        return refused(admin, "/v1/sites", "the answer has no keys");
    return STATUS_OK;
}

static enum status make_all(struct admin *admin, const struct rig_options *options,
                            struct target *target)
{
    char queue[BODY_BYTES];

    snprintf(queue, sizeof queue, "{\"id\":\"bench.calls\",\"agency\":\"bench\",\"shape\":\"%s\"}",
             options->shape);
    enum status status = post(admin, "/v1/agencies", "{\"id\":\"bench\",\"name\":\"Bench\"}");
    if (status == STATUS_OK)
        status = set_playbook(admin, options->playbook, target->playbook, sizeof target->playbook);
    if (status == STATUS_OK)
        status = post(admin, "/v1/queues", queue);
    for (size_t i = 0; status == STATUS_OK && i < target->site_count; i++)
        status = add_site(admin, (unsigned)i + 1, &target->sites[i]);
    return status;
}

/* Written by the server when it first started. */
static enum status read_token(struct rig *rig, FILE *talk)
{
    char path[RIG_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/admin.token", rig->data);
    FILE *file = fopen(path, "re");
    bool was_read = file && fgets(rig->target.token, sizeof rig->target.token, file);
    if (file)
        fclose(file);
    rig->target.token[strcspn(rig->target.token, "\r\n")] = '\0';
    if (was_read && rig->target.token[0])
        return STATUS_OK;
    fprintf(talk, "hotlead-bench: %s has no token, so that nothing can be set up\n", path);
    return STATUS_INVALID;
}

enum status rig_admin_provision(struct rig *rig, FILE *talk)
{
    struct admin admin = {.talk = talk};
    enum status status = read_token(rig, talk);

    if (status != STATUS_OK)
        return status;
    status = client_open(rig->url, rig->target.token, &admin.client);
    if (status != STATUS_OK)
        return status;
    admin.json = json_open(CLIENT_BODY_MAX);
    status = admin.json ? make_all(&admin, &rig->options, &rig->target) : STATUS_INTERNAL;
    json_close(admin.json);
    client_close(admin.client);
    return status;
}
