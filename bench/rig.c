#include "bench/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/moment.h"
#include "bench/rig_internal.h"

#define LOOK_EACH_MS   2
#define LOG_TOLD_BYTES 1000

bool rig_look_again(uint64_t *start_ms, unsigned ms)
{
    uint64_t now_ms = moment_ms();

    if (*start_ms == 0)
        *start_ms = now_ms;
    else
        moment_pause_ms(LOOK_EACH_MS);
    return now_ms - *start_ms < ms;
}

void rig_tell_log(const struct rig *rig, const char *name, const char *what, FILE *talk)
{
    char path[RIG_PATH_MAX + 32], text[LOG_TOLD_BYTES + 1] = "";

    snprintf(path, sizeof path, "%s/%s", rig->folder.path, name);
    FILE *log = fopen(path, "re");
    if (log) {
        if (fseek(log, -LOG_TOLD_BYTES, SEEK_END) != 0)
            rewind(log); /* it is shorter */
        text[fread(text, 1, LOG_TOLD_BYTES, log)] = '\0';
        fclose(log);
    }
    fprintf(talk, "hotlead-bench: %s. The end of its log:\n%s\n", what, text);
}

/* Beside this program, as both are built and installed. One that was named becomes a whole path,
 * since it is started in the rig's folder; what is no path is looked for in PATH. */
static void find_hotlead(const char *named, char out[static RIG_PATH_MAX])
{
    if (named) {
        char *whole = realpath(named, NULL);
        snprintf(out, RIG_PATH_MAX, "%s", whole ? whole : named);
        free(whole);
        return;
    }
    ssize_t length = readlink("/proc/self/exe", out, RIG_PATH_MAX - sizeof "hotlead");
    out[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(out, '/');
    strcpy(slash ? slash + 1 : out, "hotlead");
}

static enum status name_redis(struct rig *rig, FILE *talk)
{
    int length = snprintf(rig->target.redis_url, sizeof rig->target.redis_url,
                          "unix://%.200s/redis.sock", rig->folder.path);

    if (length - strlen("unix://") < sizeof((struct sockaddr_un *)0)->sun_path)
        return STATUS_OK;
    fprintf(talk, "hotlead-bench: %s is too long a path for a unix socket: %s a shorter one\n",
            rig->folder.path, rig_how_to_place(&rig->options));
    return STATUS_INVALID;
}

static enum status prepare(struct rig *rig, FILE *talk)
{
    struct target *target = &rig->target;
    const char *form = "%s:%u";

    target->kind = TARGET_HOTLEAD;
    strcpy(target->name, "hotlead");
    target->shape = strcmp(rig->options.shape, "list") == 0 ? TARGET_LIST : TARGET_ZSET;
    target->pop_left = true; /* hotlead puts a task at the right end */
    strcpy(target->key, "hl:{bench.calls}:tasks");
    strcpy(target->reports, "hl:{bench.calls}:reports:n1");
    strcpy(target->emails, "bench.email");
    target->site_count = rig->options.sites;
    target->sites = calloc(target->site_count, sizeof *target->sites);
    find_hotlead(rig->options.hotlead, rig->hotlead);
    enum status status =
        target->sites ? rig_listen_choose(rig->options.listen, talk, target) : STATUS_INTERNAL;
    if (status == STATUS_OK)
        status = rig_folder_make(&rig->options, talk, &rig->folder);
    if (status != STATUS_OK)
        return status;
    if (strchr(target->host, ':'))
        form = "[%s]:%u";
    snprintf(rig->listen, sizeof rig->listen, form, target->host, target->port);
    snprintf(rig->url, sizeof rig->url, "http://%s", rig->listen);
    snprintf(rig->data, sizeof rig->data, "%s/data", rig->folder.path);
    return name_redis(rig, talk);
}

enum status rig_open(const struct rig_options *options, FILE *talk, struct rig **out)
{
    struct rig *rig = calloc(1, sizeof *rig);

    *out = NULL;
    if (!rig)
        return STATUS_INTERNAL;
    rig->options = *options;
    rig->talk = talk;
    enum status status = prepare(rig, talk);
    if (status == STATUS_OK)
        status = rig_disk_prepare(rig, talk);
    if (status == STATUS_OK && options->clock_ms > 0 && !rig_set_clock(rig, options->clock_ms)) {
        fprintf(talk, "hotlead-bench: no clock can be written in %s: %s\n", rig->folder.path,
                strerror(errno));
        status = STATUS_IO;
    }
    if (status == STATUS_OK)
        status = rig_start_redis(rig, talk);
    if (status == STATUS_OK)
        status = rig_start_server(rig, talk);
    if (status == STATUS_OK)
        status = rig_admin_provision(rig, talk);
    if (status != STATUS_OK) {
        rig_close(rig);
        return status;
    }
    *out = rig;
    return STATUS_OK;
}

void rig_close(struct rig *rig)
{
    if (!rig)
        return;
    rig_stop_server(rig);
    rig_stop_redis(rig);
    if (rig->options.keep && rig->folder.path[0])
        fprintf(rig->talk, "hotlead-bench: kept %s\n", rig->folder.path);
    rig_folder_remove(&rig->folder);
    free(rig->target.sites);
    free(rig);
}

const struct target *rig_target(const struct rig *rig)
{
    return &rig->target;
}

const char *rig_folder(const struct rig *rig)
{
    return rig->folder.path;
}

const char *rig_data(const struct rig *rig)
{
    return rig->data;
}

const char *rig_url(const struct rig *rig)
{
    return rig->url;
}

const char *rig_hotlead(const struct rig *rig)
{
    return rig->hotlead;
}

struct process *rig_server(struct rig *rig)
{
    return &rig->target.server;
}

struct process *rig_redis(struct rig *rig)
{
    return &rig->target.redis;
}
