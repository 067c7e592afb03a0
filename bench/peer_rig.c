/* A peer that runs, in the place of hotlead: with the port, the folder and the Redis of a rig, so
 * that nothing but the server differs from side to side. The rig's hotlead has ended by then; what
 * it leaves in that Redis is a few short keys. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/moment.h"
#include "bench/peer.h"

#define READY_MS     15000
#define LOOK_EACH_MS 5
#define STOP_MS      15000
#define LOG_END      1000
#define GIVEN        3 /* variables that each peer gets */
#define DISK_MAX     4 /* and for a simulated disk, at most */
#define TEXT_MAX     (PEER_PATH_MAX + TARGET_TEXT_MAX)

struct peer_rig {
    struct rig *rig;
    struct target target;
    char folder[PEER_PATH_MAX], log[PEER_PATH_MAX];
};

static bool takes_connections(const struct target *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target->port)};
    int link = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken = link >= 0 && inet_pton(AF_INET, target->host, &address.sin_addr) == 1 &&
                 connect(link, (struct sockaddr *)&address, sizeof address) == 0;

    if (link >= 0)
        close(link);
    return taken;
}

static void tell_log(const struct peer_rig *rig, const char *what, FILE *talk)
{
    char end[LOG_END + 1];
    size_t length = 0;
    FILE *file = fopen(rig->log, "re");

    if (file) {
        if (fseek(file, -LOG_END, SEEK_END) != 0)
            rewind(file); /* it is shorter */
        length = fread(end, 1, LOG_END, file);
        fclose(file);
    }
    fprintf(talk, "hotlead-bench: %s %s. The end of its log:\n%.*s\n", rig->target.name, what,
            (int)length, end);
}

static enum status wait_until_ready(struct peer_rig *rig, FILE *talk)
{
    for (unsigned waited = 0; waited < READY_MS; waited += LOOK_EACH_MS) {
        if (!process_lives(&rig->target.server)) {
            tell_log(rig, "ended at once", talk);
            return STATUS_BUSY;
        }
        if (takes_connections(&rig->target))
            return STATUS_OK;
        moment_pause_ms(LOOK_EACH_MS);
    }
    tell_log(rig, "takes no connections", talk);
    return STATUS_BUSY;
}

/* @PORT@ and @FOLDER@ are words of their own. */
static const char *word_of(const struct peer_rig *rig, const char *word, const char *port)
{
    if (strcmp(word, "@PORT@") == 0)
        return port;
    return strcmp(word, "@FOLDER@") == 0 ? rig->folder : word;
}

static enum status start_server(struct peer_rig *rig, const struct peer *peer, FILE *talk)
{
    char port[16], given[GIVEN][TEXT_MAX];
    const char *words[PEER_WORDS_MAX + 1] = {NULL};
    const char *environment[GIVEN + PEER_WORDS_MAX + DISK_MAX + 1] = {given[0], given[1], given[2]};
    const char *const *disk = rig_disk_environment(rig->rig);

    snprintf(port, sizeof port, "%u", rig->target.port);
    snprintf(given[0], TEXT_MAX, "PORT=%s", port);
    snprintf(given[1], TEXT_MAX, "FOLDER=%s", rig->folder);
    snprintf(given[2], TEXT_MAX, "REDIS_SOCKET=%s",
             rig_target(rig->rig)->redis_url + strlen("unix://"));
    for (unsigned i = 0; i < peer->environment_count; i++)
        environment[GIVEN + i] = peer->environment[i];
    for (unsigned i = 0; i < DISK_MAX && disk[i]; i++)
        environment[GIVEN + peer->environment_count + i] = disk[i];
    for (unsigned i = 0; i < peer->start_count; i++)
        words[i] = word_of(rig, peer->start[i], port);

    if (process_start(words, environment, peer->folder, rig->log, &rig->target.server) !=
        STATUS_OK) {
        fprintf(talk, "hotlead-bench: %s: %s cannot be run: %s\n", peer->name, words[0],
                strerror(errno));
        return STATUS_INVALID;
    }
    return wait_until_ready(rig, talk);
}

static void describe_target(struct peer_rig *rig, const struct peer *peer)
{
    const struct target *place = rig_target(rig->rig);
    struct target *target = &rig->target;

    target->kind = TARGET_PEER;
    snprintf(target->name, sizeof target->name, "%s", peer->name);
    snprintf(target->host, sizeof target->host, "%s", place->host);
    target->port = place->port;
    snprintf(target->method, sizeof target->method, "%s", peer->method);
    snprintf(target->path, sizeof target->path, "%s", peer->path);
    target->shape = peer->shape;
    if (peer->shape == TARGET_NOWHERE)
        return;
    snprintf(target->key, sizeof target->key, "%s", peer->key);
    snprintf(target->redis_url, sizeof target->redis_url, "%s", place->redis_url);
    target->redis = place->redis;
}

static enum status make_folder(struct peer_rig *rig, FILE *talk)
{
    int length = snprintf(rig->folder, sizeof rig->folder, "%s/peer", rig_folder(rig->rig));

    snprintf(rig->log, sizeof rig->log, "%s/peer.log", rig_folder(rig->rig));
    if (length < PEER_PATH_MAX - (int)sizeof "peer.log" && mkdir(rig->folder, 0700) == 0)
        return STATUS_OK;
    fprintf(talk, "hotlead-bench: %s cannot be made: %s\n", rig->folder, strerror(errno));
    return STATUS_IO;
}

static enum status put_in_place(struct peer_rig *rig, const struct peer *peer, FILE *talk)
{
    rig_stop_server(rig->rig);
    if (peer->shape == TARGET_NOWHERE)
        rig_stop_redis(rig->rig);
    describe_target(rig, peer);
    enum status result = make_folder(rig, talk);
    return result == STATUS_OK ? start_server(rig, peer, talk) : result;
}

enum status peer_rig_open(const struct peer *peer, const struct rig_options *options, FILE *talk,
                          struct peer_rig **out)
{
    struct peer_rig *rig = calloc(1, sizeof *rig);

    if (!rig)
        return STATUS_INTERNAL;
    enum status result = rig_open(options, talk, &rig->rig);
    if (result == STATUS_OK)
        result = put_in_place(rig, peer, talk);
    if (result != STATUS_OK) {
        peer_rig_close(rig);
        return result;
    }
    *out = rig;
    return STATUS_OK;
}

const struct target *peer_rig_target(const struct peer_rig *rig)
{
    return &rig->target;
}

void peer_rig_close(struct peer_rig *rig)
{
    if (rig->target.server.pid > 0)
        process_stop(&rig->target.server, STOP_MS);
    rig_close(rig->rig);
    free(rig);
}
