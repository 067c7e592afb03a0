/* The server that is measured. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/rig_internal.h"
#include "server/client.h"

#define READY_MS   120000 /* with millions of people it has something to read first */
#define STOP_MS    30000
#define WORDS_MAX  64
#define NAME_BYTES 64
#define SETTING    "HOTLEAD_"
#define CLOCK      "clock" /* in the rig's folder, which is the server's too */

/* Settings that somebody made for a server of his are none of this one's: it is measured as it is,
 * and an unknown one would keep it from starting. */
static void forget_settings(void)
{
    char name[NAME_BYTES];

    for (char **own = environ; *own;) {
        size_t length = strcspn(*own, "=");
        if (strncmp(*own, SETTING, strlen(SETTING)) != 0 || length >= sizeof name) {
            own++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)length, *own);
        unsetenv(name);
        own = environ; /* the rest has moved */
    }
}

static bool is_ready(struct client *client)
{
    struct client_answer answer;

    return client_request(client, "GET", "/readyz", (struct slice){NULL, 0}, &answer) ==
               STATUS_OK &&
           answer.status == 200;
}

static enum status wait_for_it(struct rig *rig, FILE *talk)
{
    struct client *client;
    uint64_t start_ms = 0;
    bool ready = false;

    if (client_open(rig->url, "", &client) != STATUS_OK)
        return STATUS_INTERNAL;
    while (!ready && process_lives(&rig->target.server) && rig_look_again(&start_ms, READY_MS))
        ready = is_ready(client);
    client_close(client);
    if (ready)
        return STATUS_OK;
    rig_tell_log(rig, "hotlead.log", "hotlead does not answer", talk);
    process_stop(&rig->target.server, STOP_MS);
    return STATUS_BUSY;
}

enum status rig_spawn_server(struct rig *rig, FILE *talk)
{
    char log[RIG_PATH_MAX + 16];
    const char *words[WORDS_MAX] = {rig->hotlead, "serve",     "--data",  rig->data,
                                    "--listen",   rig->listen, "--redis", rig->target.redis_url};
    size_t count = 8;
    const char *const *flag = rig->options.flags;

    forget_settings();
    if (rig->options.clock_ms > 0) {
        words[count++] = "--test-clock";
        words[count++] = CLOCK;
    }
    for (; flag && *flag && count < WORDS_MAX - 1; flag++)
        words[count++] = *flag;
    snprintf(log, sizeof log, "%s/hotlead.log", rig->folder.path);
    if (process_start(words, rig_disk_environment(rig), rig->folder.path, log,
                      &rig->target.server) != STATUS_OK) {
        fprintf(talk,
                "hotlead-bench: %s cannot be started: %s; build it (ninja -C build hotlead), or "
                "name it with --hotlead\n",
                rig->hotlead, strerror(errno));
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status rig_start_server(struct rig *rig, FILE *talk)
{
    enum status status = rig_spawn_server(rig, talk);

    return status == STATUS_OK ? wait_for_it(rig, talk) : status;
}

bool rig_stop_server(struct rig *rig)
{
    bool ran = rig->target.server.pid > 0;

    return process_stop(&rig->target.server, STOP_MS) && ran && rig->target.server.exit_code == 0;
}

void rig_kill_server(struct rig *rig)
{
    process_signal(&rig->target.server, SIGKILL);
    process_stop(&rig->target.server, STOP_MS);
}

bool rig_set_clock(const struct rig *rig, uint64_t now_ms)
{
    char path[RIG_PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/" CLOCK, rig->folder.path);
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    bool written = fprintf(file, "%llu\n", (unsigned long long)now_ms) > 0;
    return fclose(file) == 0 && written;
}
