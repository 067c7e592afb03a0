/* A real redis-server for a test: a child of its own on a unix socket in a temporary folder, and
 * a blocking connection to look at what is in it. Also runs a loop until something is so. */
#ifndef HOTLEAD_TESTS_REDIS_SERVER_H
#define HOTLEAD_TESTS_REDIS_SERVER_H

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "proto/must.h"

#define SERVER_ARGUMENTS_MAX 32

struct server {
    pid_t pid; /* 0: not running */
    char folder[64];
    char socket[96];
    char url[128];
    const char *extra[SERVER_ARGUMENTS_MAX];
    redisContext *client;
};

static inline void server_connect(struct server *server)
{
    for (int tries = 0; tries < 1000; tries++) {
        redisContext *client = redisConnectUnix(server->socket);
        MUST(client != NULL);
        redisReply *reply = client->err ? NULL : redisCommand(client, "PING");
        bool there = reply != NULL && reply->type == REDIS_REPLY_STATUS;
        if (reply != NULL)
            freeReplyObject(reply);
        if (there) {
            server->client = client;
            return;
        }
        redisFree(client);
        usleep(5000);
    }
    MUST(!"redis-server does not start");
}

/* Starts it in its folder: what was saved there is loaded. */
static inline void server_launch(struct server *server)
{
    const char *arguments[SERVER_ARGUMENTS_MAX + 16] = {
        "redis-server", "--port",     "0",      "--unixsocket", server->socket, "--dir",
        server->folder, "--save",     "",       "--appendonly", "no",           "--daemonize",
        "no",           "--loglevel", "warning"};
    size_t count = 15;

    for (size_t i = 0; server->extra[i] != NULL; i++)
        arguments[count++] = server->extra[i];
    server->pid = fork();
    MUST(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves no server behind */
        MUST(freopen("/dev/null", "w", stdout) != NULL);
        execvp("redis-server", (char **)arguments);
        _exit(127);
    }
    server_connect(server);
}

static inline void server_start(struct server *server)
{
    signal(SIGPIPE, SIG_IGN); /* as the process does: a link may write to a server that died */
    strcpy(server->folder, "/tmp/hotlead-redis-XXXXXX");
    MUST(mkdtemp(server->folder) != NULL);
    snprintf(server->socket, sizeof(server->socket), "%s/s", server->folder);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
    server_launch(server);
}

static inline void server_kill(struct server *server)
{
    if (server->client != NULL)
        redisFree(server->client);
    server->client = NULL;
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
    unlink(server->socket);
}

static inline void server_end(struct server *server)
{
    char path[128];

    server_kill(server);
    snprintf(path, sizeof(path), "%s/dump.rdb", server->folder);
    unlink(path);
    rmdir(server->folder);
}

/* The caller frees the reply. */
static inline redisReply *server_do(struct server *server, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->client, format, arguments);
    va_end(arguments);
    MUST(reply != NULL);
    return reply;
}

static inline void server_run(struct server *server, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->client, format, arguments);
    va_end(arguments);
    MUST(reply != NULL);
    if (reply->type == REDIS_REPLY_ERROR)
        fprintf(stderr, "redis: %s\n", reply->str);
    MUST(reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static inline long long server_number(struct server *server, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->client, format, arguments);
    va_end(arguments);
    MUST(reply != NULL && reply->type == REDIS_REPLY_INTEGER);
    long long number = reply->integer;
    freeReplyObject(reply);
    return number;
}

/* --- the loop ---------------------------------------------------------------------------- */

static inline void loop_timer_nothing(uv_timer_t *timer)
{
    (void)timer;
}

typedef bool loop_condition_fn(void *owner);

/* Runs the loop until the condition holds; false when that took longer than `most_ms`. */
static inline bool loop_until(uv_loop_t *loop, loop_condition_fn *condition, void *owner,
                              unsigned most_ms)
{
    uv_timer_t timer;
    uint64_t end_ns = uv_hrtime() + most_ms * 1000000ull;
    bool held = condition(owner);

    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, loop_timer_nothing, 1, 1);
    while (!held && uv_hrtime() < end_ns) {
        uv_run(loop, UV_RUN_ONCE);
        held = condition(owner);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return held;
}

static inline bool loop_never(void *owner)
{
    (void)owner;
    return false;
}

/* Lets time pass on the loop. */
static inline void loop_for(uv_loop_t *loop, unsigned ms)
{
    loop_until(loop, loop_never, NULL, ms);
}

#endif
