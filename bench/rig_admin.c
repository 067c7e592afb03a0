/* Agency, queue and sites over HTTP, as an administrator makes them. Sites are left without limits,
 * which is their default: forms under load would else be stored as suspect, and never come out. */
#include <stdlib.h>
#include <string.h>

#include "bench/rig_internal.h"
#include "proto/json.h"
#include "server/client.h"

#define BODY_BYTES 512

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
    fprintf(admin->talk, "hotlead-bench: POST %s: %s; is this hotlead as old as the bench?\n", path,
            why);
    return STATUS_INVALID;
}

static enum status post(struct admin *admin, const char *path, const char *body)
{
    struct client_answer answer;
    char why[TARGET_TEXT_MAX];

    if (client_request(admin->client, "POST", path, slice_of(body), &answer) != STATUS_OK)
        return refused(admin, path, answer.problem ? answer.problem : "no answer");
    if (json_parse(admin->json, answer.body.bytes, answer.body.length, &admin->answer) != STATUS_OK)
        return refused(admin, path, "the answer is no JSON");
    if (answer.status == 200 || answer.status == 201)
        return STATUS_OK;
    copy_member(admin->answer, "detail", why);
    return refused(admin, path, why);
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

static enum status make_all(struct admin *admin, const char *shape, struct target *target)
{
    char queue[BODY_BYTES];

    snprintf(queue, sizeof queue, "{\"id\":\"bench.calls\",\"agency\":\"bench\",\"shape\":\"%s\"}",
             shape);
    enum status status = post(admin, "/v1/agencies", "{\"id\":\"bench\",\"name\":\"Bench\"}");
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
    status = admin.json ? make_all(&admin, rig->options.shape, &rig->target) : STATUS_INTERNAL;
    json_close(admin.json);
    client_close(admin.client);
    return status;
}
