/* The link: hiredis 0.14's asynchronous part as a small state machine that one timer drives
 * (states: redis_internal.h).
 *
 * hiredis frees its context while it calls back, and freeing it inside some of its callbacks is
 * an error that only some versions catch. So here nothing is ever freed in a callback: what goes
 * wrong there dooms the link, and the timer, with a clean stack, drops it. */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/must.h"
#include "proto/text.h"
#include "server/redis_internal.h"

#define CONNECT_TIMEOUT_MS 2000
#define COMMAND_TIMEOUT_MS 5000

#define BACKOFF_LEAST_MS 50
#define BACKOFF_MOST_MS  5000
#define STEADY_MS        5000 /* a link that held so long starts its back-off anew */
#define CHECK_EVERY_MS   5000
#define TCP_GIVE_UP_MS   10000

static void on_timer(uv_timer_t *timer);

/* --- which server it is ------------------------------------------------------------------ */

bool redis_server_equal(const struct redis_server *a, const struct redis_server *b)
{
    return strcmp(a->run_id, b->run_id) == 0 && strcmp(a->replication_id, b->replication_id) == 0;
}

/* Errors that say: this is no place for writes. NULL: it is none of them. */
static const char *wrong_server(const struct redis_reply *reply)
{
    static const char *const errors[][2] = {
        {"READONLY", "it was made a replica"},
        {"LOADING", "it is loading its data"},
        {"MASTERDOWN", "it is a replica whose primary is away"},
        {"NOAUTH", "it wants a password: put one into the URL"},
    };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (redis_reply_is_error(reply, errors[i][0]))
            return errors[i][1];
    return NULL;
}

/* --- time and trouble -------------------------------------------------------------------- */

static uint64_t now_of(const struct redis *redis)
{
    return uv_now(redis->options.loop);
}

static void wake_at(struct redis *redis, uint64_t at_ms)
{
    uint64_t now_ms = now_of(redis);

    if (redis->wake_ms <= at_ms)
        return;
    redis->wake_ms = at_ms;
    uv_timer_start(&redis->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

/* Says what is wrong once, not at each of the attempts that end the same way. */
static void note_trouble(struct redis *redis, const char *what, const char *detail)
{
    char buffer[REDIS_TROUBLE_MAX];
    struct text text = text_over(buffer, sizeof(buffer) - 1);

    text_string(&text, what);
    if (detail[0] != '\0') {
        text_string(&text, ": ");
        text_string(&text, detail);
    }
    buffer[text.length] = '\0';
    if (strcmp(buffer, redis->trouble) == 0)
        return;
    memcpy(redis->trouble, buffer, text.length + 1);
    log_write(redis->options.log, LOG_WARN, "redis cannot be used",
              LOG_TEXT("link", redis->options.name), LOG_TEXT("reason", buffer), LOG_END);
}

void redis_doom(struct redis *redis, const char *what)
{
    if (redis->doomed || redis->closing)
        return;
    note_trouble(redis, what, "");
    redis->doomed = true;
    wake_at(redis, 0);
}

/* --- losing the link --------------------------------------------------------------------- */

/* Half to the whole of the back-off, so that many nodes do not come back as one. */
static uint64_t next_pause_ms(struct redis *redis)
{
    uint64_t pause_ms = redis->backoff_ms;
    uint32_t random = 0;

    redis->backoff_ms *= 2;
    if (redis->backoff_ms > BACKOFF_MOST_MS)
        redis->backoff_ms = BACKOFF_MOST_MS;
    uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
    return pause_ms / 2 + random % (pause_ms / 2 + 1);
}

/* hiredis' context is gone, or was never made. */
static void link_lost(struct redis *redis)
{
    bool was_up = redis->state == LINK_UP;

    if (redis->state == LINK_RESTING)
        return;
    if (was_up && now_of(redis) - redis->up_ms >= STEADY_MS)
        redis->backoff_ms = BACKOFF_LEAST_MS;
    redis->context = NULL;
    redis->doomed = false;
    redis->state = LINK_RESTING;
    redis->retry_ms = now_of(redis) + next_pause_ms(redis);
    wake_at(redis, redis->retry_ms);
    if (was_up && !redis->closing)
        redis->options.on_down(redis->options.owner);
}

/* With a clean stack only. Commands in flight get REDIS_UNKNOWN. */
static void link_drop(struct redis *redis)
{
    redis->doomed = true;
    if (redis->context != NULL)
        redisAsyncFree(redis->context);
    link_lost(redis);
}

/* --- commands ---------------------------------------------------------------------------- */

static bool is_own(const struct redis_command *command)
{
    return command->owner == command->redis;
}

static void on_reply(redisAsyncContext *context, void *hiredis_reply, void *data);

/* Without memory hiredis sends a command and forgets who waits for its answer, and says neither:
 * then the answers to all others would go to the wrong ones. */
static bool is_awaited(const struct redis_command *command)
{
    const redisCallback *last = command->redis->context->replies.tail;

    return last != NULL && last->privdata == command;
}

static bool command_send(struct redis_command *command)
{
    struct redis *redis = command->redis;

    if (redisAsyncFormattedCommand(redis->context, on_reply, command, command->bytes,
                                   command->length) != REDIS_OK)
        return false;
    if (!is_awaited(command)) {
        redis_doom(redis, "out of memory");
        return false;
    }
    command->deadline_ms = now_of(redis) + command->timeout_ms;
    wake_at(redis, command->deadline_ms);
    return true;
}

static void on_reply(redisAsyncContext *context, void *hiredis_reply, void *data)
{
    struct redis_command *command = data;
    struct redis *redis = command->redis;
    struct redis_reply reply = redis_reply_of(hiredis_reply);
    redis_reply_fn *call = command->on_reply;
    void *owner = command->owner;

    (void)context;
    if (reply.type == REDIS_UNKNOWN)
        redis->doomed = true; /* hiredis is about to free the context: send nothing on it */

    /* A server that has lost the script ran nothing: once more, with the text. */
    if (redis_reply_is_error(&reply, "NOSCRIPT") && command->script != NULL && !redis->doomed &&
        redis_command_write_text(command) && command_send(command))
        return;

    if (!is_own(command))
        redis->in_flight--;
    redis_command_give_back(&redis->commands, command);
    if (!redis->closing)
        call(owner, &reply);
    const char *wrong = wrong_server(&reply);
    if (wrong != NULL)
        redis_doom(redis, wrong);
}

/* Takes a slot if one more command of the owner's may be sent now. */
static struct redis_command *command_take(struct redis *redis)
{
    if (!redis_is_up(redis) || redis->in_flight >= redis->options.in_flight_max)
        return NULL;
    return redis_command_take(&redis->commands);
}

/* Sends what was written, or gives the slot back. */
static bool command_start(struct redis_command *command, bool written, unsigned timeout_ms,
                          redis_reply_fn *call, void *owner)
{
    struct redis *redis = command->redis;

    command->timeout_ms = timeout_ms != 0 ? timeout_ms : redis->options.command_timeout_ms;
    command->on_reply = call;
    command->owner = owner;
    if (!written || !command_send(command)) {
        redis_command_give_back(&redis->commands, command);
        return false;
    }
    if (!is_own(command))
        redis->in_flight++;
    return true;
}

bool redis_command(struct redis *redis, const struct slice *arguments, size_t count,
                   unsigned timeout_ms, redis_reply_fn *call, void *owner)
{
    struct redis_command *command = command_take(redis);

    if (command == NULL)
        return false;
    bool written = redis_command_write(command, arguments, count);
    return command_start(command, written, timeout_ms, call, owner);
}

bool redis_run(struct redis *redis, const struct redis_script *script, size_t key_count,
               const struct slice *keys_then_arguments, size_t count, redis_reply_fn *call,
               void *owner)
{
    struct redis_command *command = command_take(redis);

    if (command == NULL)
        return false;
    bool written =
        redis_command_write_script(command, script, key_count, keys_then_arguments, count);
    return command_start(command, written, 0, call, owner);
}

void redis_send_own(struct redis *redis, const struct slice *arguments, size_t count,
                    redis_reply_fn *call)
{
    struct redis_command *command = redis_command_take(&redis->commands);

    MUST(command != NULL);
    bool written = redis_command_write(command, arguments, count);
    if (!command_start(command, written, 0, call, redis))
        redis_doom(redis, "out of memory");
}

void redis_go_up(struct redis *redis)
{
    redis->state = LINK_UP;
    redis->up_ms = now_of(redis);
    redis->check_ms = redis->up_ms + CHECK_EVERY_MS;
    wake_at(redis, redis->check_ms);
    redis->trouble[0] = '\0';
    stats_add(redis->options.stats, STATS_REDIS_CONNECTS, 1);
    log_write(redis->options.log, LOG_INFO, "redis is there", LOG_TEXT("link", redis->options.name),
              LOG_END);
    redis->options.on_up(redis->options.owner, &redis->server);
}

/* --- connecting and losing the socket ----------------------------------------------------- */

void redis_free_when_unused(struct redis *redis)
{
    if (redis->handles > 0 || redis->resolving)
        return;
    redis_commands_close(&redis->commands);
    redis_replies_close(&redis->replies);
    explicit_bzero(&redis->address, sizeof(redis->address));
    free(redis);
}

static void on_connected(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    if (status != REDIS_OK) {
        note_trouble(redis, "connecting failed", context->errstr);
        link_lost(redis);
    } else if (!redis->doomed && !redis->closing) {
        redis->state = LINK_GREETING;
        redis_greet(redis);
    }
}

static void on_disconnected(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    if (status != REDIS_OK && !redis->closing)
        note_trouble(redis, "the link broke", context->errstr);
    link_lost(redis);
}

/* Commands are small and each waits for its answer; and a peer that vanished without a word is
 * found out by the kernel too. */
static void set_tcp_options(int fd)
{
    int on = 1, give_up_ms = TCP_GIVE_UP_MS;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up_ms, sizeof(give_up_ms));
}

static void use_context(struct redis *redis, redisAsyncContext *context)
{
    if (context == NULL || context->err != 0 || !redis_watch_socket(redis, context)) {
        note_trouble(redis, "connecting failed", context != NULL ? context->errstr : "no memory");
        if (context != NULL)
            redisAsyncFree(context);
        link_lost(redis);
        return;
    }
    if (redis->address.path[0] == '\0')
        set_tcp_options(context->c.fd);
    redis->context = context;
    context->data = redis;
    redis_replies_use(&redis->replies, context->c.reader);
    redisAsyncSetConnectCallback(context, on_connected);
    redisAsyncSetDisconnectCallback(context, on_disconnected);
}

/* Writes the address to be tried now: attempts take turns through those of a name. */
static bool choose_address(const struct redis *redis, const struct addrinfo *found,
                           char out[INET6_ADDRSTRLEN])
{
    unsigned count = 0;

    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next)
        count++;
    if (count == 0)
        return false;
    for (unsigned i = redis->attempts % count; i > 0; i--)
        found = found->ai_next;
    return uv_ip_name(found->ai_addr, out, INET6_ADDRSTRLEN) == 0;
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *found)
{
    struct redis *redis = resolver->data;
    char address[INET6_ADDRSTRLEN];
    bool known = status == 0 && choose_address(redis, found, address);

    uv_freeaddrinfo(found);
    redis->resolving = false;
    if (redis->closing) {
        redis_free_when_unused(redis);
    } else if (redis->state != LINK_RESOLVING) {
        /* It took too long: the next attempt asks again. */
    } else if (!known) {
        note_trouble(redis, "its host name is not known", "");
        link_lost(redis);
    } else {
        redis->state = LINK_CONNECTING;
        use_context(redis, redisAsyncConnect(address, atoi(redis->address.port)));
    }
}

/* hiredis would look a name up itself, and the loop would stand still for it. */
static void resolve(struct redis *redis)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

    redis->state = LINK_RESOLVING;
    if (redis->resolving) /* since an earlier attempt: its answer will do */
        return;
    redis->resolving = uv_getaddrinfo(redis->options.loop, &redis->resolver, on_resolved,
                                      redis->address.host, redis->address.port, &hints) == 0;
    if (!redis->resolving) {
        note_trouble(redis, "its host name cannot be looked up", "");
        link_lost(redis);
    }
}

static void link_open(struct redis *redis)
{
    redis->attempts++;
    redis->connect_by_ms = now_of(redis) + redis->options.connect_timeout_ms;
    if (redis->address.path[0] == '\0') {
        resolve(redis);
    } else {
        redis->state = LINK_CONNECTING;
        use_context(redis, redisAsyncConnectUnix(redis->address.path));
    }
}

/* --- the timer --------------------------------------------------------------------------- */

static void look_after_link(struct redis *redis)
{
    uint64_t now_ms = now_of(redis);

    if (now_ms >= redis_commands_deadline(&redis->commands)) {
        note_trouble(redis, "a command had no answer in time", "");
        link_drop(redis);
        return;
    }
    switch (redis->state) {
    case LINK_RESTING:
        if (now_ms >= redis->retry_ms)
            link_open(redis);
        break;
    case LINK_RESOLVING:
    case LINK_CONNECTING:
        if (now_ms >= redis->connect_by_ms) {
            note_trouble(redis, "connecting takes too long", "");
            link_drop(redis);
        }
        break;
    case LINK_GREETING: /* its commands have their deadlines */
        break;
    case LINK_UP:
        if (now_ms >= redis->check_ms) {
            redis->check_ms = now_ms + CHECK_EVERY_MS;
            redis_check(redis);
        }
        break;
    }
}

static uint64_t next_wake_ms(const struct redis *redis)
{
    uint64_t deadline_ms = redis_commands_deadline(&redis->commands);
    uint64_t state_ms = redis->state == LINK_RESTING    ? redis->retry_ms
                        : redis->state == LINK_UP       ? redis->check_ms
                        : redis->state == LINK_GREETING ? UINT64_MAX
                                                        : redis->connect_by_ms;

    return deadline_ms < state_ms ? deadline_ms : state_ms;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct redis *redis = handle->data;

    redis->handles--;
    redis_free_when_unused(redis);
}

static void on_timer(uv_timer_t *timer)
{
    struct redis *redis = timer->data;

    redis->wake_ms = UINT64_MAX;
    if (redis->closing) {
        if (redis->context != NULL)
            redisAsyncFree(redis->context);
        if (redis->resolving)
            uv_cancel((uv_req_t *)&redis->resolver);
        uv_close((uv_handle_t *)&redis->timer, on_timer_closed);
        return;
    }
    if (redis->doomed)
        link_drop(redis);
    else
        look_after_link(redis);
    wake_at(redis, redis->closing ? 0 : next_wake_ms(redis));
}

/* --- open and close ---------------------------------------------------------------------- */

enum status redis_open(const struct redis_options *options, struct redis **out)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    *out = NULL;
    if (redis == NULL)
        return STATUS_INTERNAL;
    if (redis_address_parse(options->url, &redis->address) != STATUS_OK) {
        free(redis);
        return STATUS_INVALID;
    }
    if (!redis_replies_open(&redis->replies)) {
        free(redis);
        return STATUS_INTERNAL;
    }
    if (!redis_commands_open(&redis->commands, redis,
                             options->in_flight_max + REDIS_OWN_COMMANDS)) {
        redis_replies_close(&redis->replies);
        free(redis);
        return STATUS_INTERNAL;
    }
    redis->options = *options;
    if (redis->options.connect_timeout_ms == 0)
        redis->options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (redis->options.command_timeout_ms == 0)
        redis->options.command_timeout_ms = COMMAND_TIMEOUT_MS;
    redis->options.url = NULL; /* it may hold a password, and is the caller's */
    redis->state = LINK_RESTING;
    redis->backoff_ms = BACKOFF_LEAST_MS;
    redis->wake_ms = UINT64_MAX;
    redis->resolver.data = redis;
    MUST(uv_timer_init(options->loop, &redis->timer) == 0);
    redis->timer.data = redis;
    redis->handles = 1;
    wake_at(redis, 0);
    *out = redis;
    return STATUS_OK;
}

void redis_close(struct redis *redis)
{
    if (redis == NULL || redis->closing)
        return;
    redis->closing = true;
    wake_at(redis, 0);
}

const char *redis_trouble(const struct redis *redis)
{
    return redis->trouble;
}

bool redis_is_up(const struct redis *redis)
{
    return redis->state == LINK_UP && !redis->doomed && !redis->closing;
}
