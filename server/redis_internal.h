/* What the link is made of: redis.c (the states), redis_socket.c (hiredis on libuv),
 * redis_command.c (commands in flight and their bytes), redis_reply.c (replies), redis_greet.c
 * (what is asked before a link is up), redis_script.c. Nobody else includes this but their tests.
 */
#ifndef HOTLEAD_SERVER_REDIS_INTERNAL_H
#define HOTLEAD_SERVER_REDIS_INTERNAL_H

#include "server/redis.h"
#include "server/redis_url.h"

/* --- redis_command.c --------------------------------------------------------------------- */

/* A command in flight. Its RESP bytes are kept until the reply, because a script that the server
 * has forgotten is sent again, by its text; `tail` is where its arguments begin. */
struct redis_command {
    struct redis *redis;
    struct redis_command *next_free;
    redis_reply_fn *on_reply;
    void *owner;
    uint64_t deadline_ms; /* uv_now; 0: not in flight */
    unsigned timeout_ms;
    const struct redis_script *script; /* NULL: a plain command, or EVAL was sent */
    size_t count;                      /* arguments of a script call behind its name */
    char *bytes;
    size_t length, capacity, tail;
};

/* A fixed set of them. */
struct redis_commands {
    struct redis_command *all, *first_free;
    size_t count;
};

/* False: out of memory. */
bool redis_commands_open(struct redis_commands *commands, struct redis *redis, size_t count);
void redis_commands_close(struct redis_commands *commands);
uint64_t redis_commands_deadline(const struct redis_commands *commands); /* earliest */

/* NULL: all are in flight. */
struct redis_command *redis_command_take(struct redis_commands *commands);
void redis_command_give_back(struct redis_commands *commands, struct redis_command *command);

/* Write the bytes to be sent. False: out of memory. */
bool redis_command_write(struct redis_command *command, const struct slice *arguments,
                         size_t count);
bool redis_command_write_script(struct redis_command *command, const struct redis_script *script,
                                size_t key_count, const struct slice *arguments, size_t count);
bool redis_command_write_text(struct redis_command *command); /* EVAL in place of EVALSHA */

/* --- redis_reply.c ----------------------------------------------------------------------- */

/* Where the objects of one reply lie while it is read and during its callback. */
struct redis_replies {
    struct redis_piece *pieces; /* being filled first */
};

/* False: out of memory. */
bool redis_replies_open(struct redis_replies *replies);
void redis_replies_close(struct redis_replies *replies);

/* Has a new context's reader put its replies there; it is the only one that does. */
struct redisReader;
void redis_replies_use(struct redis_replies *replies, struct redisReader *reader);

/* A reply of hiredis (NULL: the link broke) as ours. */
struct redis_reply redis_reply_of(const void *hiredis_reply);

/* --- redis.c ----------------------------------------------------------------------------- */

/*   RESTING -> RESOLVING -> CONNECTING -> GREETING -> UP
 *      ^------------ whatever fails -------------------'  */
enum link_state { LINK_RESTING, LINK_RESOLVING, LINK_CONNECTING, LINK_GREETING, LINK_UP };

#define REDIS_TROUBLE_MAX 160

struct redis {
    struct redis_options options;
    struct redis_address address;
    enum link_state state;
    bool closing;
    bool doomed;      /* to be dropped by the timer; nothing is sent any more */
    bool resolving;   /* the request is with libuv */
    unsigned handles; /* of libuv, that keep this memory */
    unsigned attempts;
    uint64_t backoff_ms;

    uv_timer_t timer;
    uint64_t wake_ms; /* when the timer is set to; UINT64_MAX: it is not */
    uint64_t retry_ms, connect_by_ms, check_ms, up_ms;
    uv_getaddrinfo_t resolver;
    struct redisAsyncContext *context;

    struct redis_server server;
    char warned_run_id[41];          /* whose settings were looked at */
    char trouble[REDIS_TROUBLE_MAX]; /* what was logged last; "": nothing since it was up */

    struct redis_commands commands;
    struct redis_replies replies;
    unsigned in_flight; /* of the owner's */
};

/* Something is wrong, seen in a callback: from now on nothing is sent, and the timer drops the
 * link once the stack is clean. */
void redis_doom(struct redis *redis, const char *what);

/* Sends a command of the link itself, for which there is always room. */
void redis_send_own(struct redis *redis, const struct slice *arguments, size_t count,
                    redis_reply_fn *on_reply);

/* Ends what is left of a closed link once libuv has let go of all of it. */
void redis_free_when_unused(struct redis *redis);

/* The greeting went well: commands are taken from now on. */
void redis_go_up(struct redis *redis);

/* --- redis_socket.c ---------------------------------------------------------------------- */

/* Has libuv look after the context's socket. False: out of memory, or libuv will not. */
bool redis_watch_socket(struct redis *redis, struct redisAsyncContext *context);

/* --- redis_greet.c ----------------------------------------------------------------------- */

#define REDIS_OWN_COMMANDS 8 /* at most in flight for these */

/* AUTH, SELECT, a name, INFO: leads to redis_go_up or redis_doom. */
void redis_greet(struct redis *redis);
/* Is it there, and still the primary that it was? Dooms the link if not. */
void redis_check(struct redis *redis);

#endif
