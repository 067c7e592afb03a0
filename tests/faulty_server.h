/* A server that fails on purpose, and its tasks through a real Redis: for the tests of what makes a
 * run of the bench. Each program has one. */
#ifndef HOTLEAD_TESTS_FAULTY_SERVER_H
#define HOTLEAD_TESTS_FAULTY_SERVER_H

#include "bench/run_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "redis_server.h"
#include "unit.h"

static struct server redis;

/* --- a server with faults -------------------------------------------------------------------- */

#define CONNS_MAX 64
#define BYTES_MAX 16384

/* Every n-th request; 0: none. */
struct faults {
    unsigned lose, redo, redeliver, refuse, hang_up, forget, taskless, replay, foreign;
    unsigned email, redo_email; /* has an e-mail; has it twice */
    unsigned stall_at;          /* once, for a second */
    unsigned most_per_s;        /* what is over it is refused */
};

struct conn {
    int fd;
    size_t length;
    char bytes[BYTES_MAX + 1];
};

static struct faulty {
    pthread_t thread;
    int listener, port;
    atomic_bool closing;
    atomic_uint metrics_read;
    unsigned emails_open; /* in its metrics, once there were requests */
    struct faults faults;
    atomic_uint requests;
    struct conn conns[CONNS_MAX];
    size_t count;
} faulty;

static inline bool each(unsigned n)
{
    return n > 0 && faulty.requests % n == 0;
}

static inline void put_task(redisContext *context, unsigned id, unsigned delivery)
{
    redisReply *reply = redisCommand(
        context,
        "ZADD tasks %d "
        "{\"id\":\"tsk_%d-%d\",\"delivery\":%d,\"optin\":\"opt_%d\",\"report\":\"rep\"}",
        id, id, (int)faulty.requests, delivery, id);
    MUST(reply != NULL);
    freeReplyObject(reply);
}

/* `due_ms`: when it is to be sent; all opt-ins come at 1000. */
static inline void put_email(redisContext *context, unsigned id, unsigned due_ms)
{
    redisReply *reply =
        redisCommand(context,
                     "ZADD hl:{acme.email}:tasks %d {\"id\":\"tsk_e%d-%d\",\"delivery\":1,"
                     "\"optin\":\"opt_%d\",\"received_ms\":1000,\"not_before_ms\":%d,"
                     "\"report\":\"sent\"}",
                     id, id, (int)due_ms, id, due_ms);
    MUST(reply != NULL);
    freeReplyObject(reply);
}

static inline void put_tasks(redisContext *context, unsigned id)
{
    if (each(faulty.faults.lose) || each(faulty.faults.replay))
        return;
    put_task(context, id, 1);
    if (each(faulty.faults.email))
        put_email(context, id, 1000);
    if (each(faulty.faults.redo_email)) {
        redisReply *reply = redisCommand(
            context,
            "ZADD hl:{acme.email}:tasks 1 {\"again\":1,\"id\":\"tsk_e\",\"delivery\":1,\"optin\":"
            "\"opt_%d\",\"received_ms\":1000,\"not_before_ms\":1000,\"report\":\"sent\"}",
            id);
        freeReplyObject(reply);
        put_email(context, id, 3601000); /* and another of it, an hour later */
    }
    if (each(faulty.faults.redo)) { /* the same member would only be one */
        redisReply *reply =
            redisCommand(context, "ZADD tasks 1 {\"delivery\":1,\"optin\":\"opt_%d\"}", id);
        freeReplyObject(reply);
    }
    if (each(faulty.faults.redeliver))
        put_task(context, id, 2);
    if (each(faulty.faults.foreign))
        put_task(context, id + 1000000, 1);
}

/* A bucket of 20 ms: a sender that catches up with its schedule is not over the rate. */
static inline bool is_over_the_rate(void)
{
    static uint64_t full_ns;
    uint64_t now_ns = uv_hrtime();

    if (faulty.faults.most_per_s == 0)
        return false;
    full_ns = (full_ns > now_ns ? full_ns : now_ns) + 1000000000 / faulty.faults.most_per_s;
    return full_ns > now_ns + 20000000;
}

/* It reads no reports. */
static inline bool answer_metrics(struct conn *conn)
{
    char body[128], text[256];

    faulty.metrics_read++;
    snprintf(body, sizeof(body),
             "hotlead_tasks_ended_total 0\nhotlead_queue_depth{queue=\"acme.email\"} %u\n",
             faulty.requests > 0 ? faulty.emails_open : 0);
    int length = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(body), body);
    return send(conn->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

/* False: it hangs up. */
static inline bool answer(struct conn *conn, redisContext *context)
{
    char body[128], text[512];

    if (strncmp(conn->bytes, "GET /metrics ", 13) == 0)
        return answer_metrics(conn);
    unsigned id = ++faulty.requests;

    if (faulty.requests == faulty.faults.stall_at)
        usleep(1000000);
    if (each(faulty.faults.forget))
        return false;
    if (each(faulty.faults.replay))
        id--;
    bool refused = each(faulty.faults.refuse) || is_over_the_rate(),
         taskless = each(faulty.faults.taskless);
    if (!refused && !taskless)
        put_tasks(context, id);
    if (each(faulty.faults.hang_up))
        return false;
    snprintf(body, sizeof(body), "{\"id\":\"opt_%u\",\"task\":%s}", id,
             taskless ? "null" : "\"tsk_1\"");
    int length = snprintf(text, sizeof(text),
                          "HTTP/1.1 %s\r\nContent-Length: %zu\r\n"
                          "Content-Type: application/json\r\n\r\n%s",
                          refused                      ? "503 Busy"
                          : each(faulty.faults.replay) ? "200 OK"
                                                       : "201 Made",
                          strlen(body), body);
    return send(conn->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

/* Bytes of the first request in the buffer; 0: not whole yet. */
static inline size_t whole_request(struct conn *conn)
{
    conn->bytes[conn->length] = '\0';
    const char *end = strstr(conn->bytes, "\r\n\r\n");
    const char *length = strcasestr(conn->bytes, "\r\ncontent-length:");
    if (end == NULL)
        return 0;
    size_t whole = (size_t)(end + 4 - conn->bytes) +
                   (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return whole <= conn->length ? whole : 0;
}

static inline bool serve(struct conn *conn, redisContext *context)
{
    ssize_t got = recv(conn->fd, conn->bytes + conn->length, BYTES_MAX - conn->length, 0);
    if (got <= 0)
        return false;
    conn->length += (size_t)got;
    for (size_t whole = whole_request(conn); whole > 0; whole = whole_request(conn)) {
        if (!answer(conn, context))
            return false;
        memmove(conn->bytes, conn->bytes + whole, conn->length - whole);
        conn->length -= whole;
    }
    return true;
}

static inline void take_turn(redisContext *context)
{
    struct pollfd polls[CONNS_MAX + 1];

    for (size_t i = 0; i < faulty.count; i++)
        polls[i] = (struct pollfd){.fd = faulty.conns[i].fd, .events = POLLIN};
    polls[faulty.count] = (struct pollfd){.fd = faulty.listener, .events = POLLIN};
    size_t count = faulty.count;
    if (poll(polls, count + 1, 20) <= 0)
        return;
    for (size_t i = count; i-- > 0;)
        if (polls[i].revents && !serve(&faulty.conns[i], context)) {
            close(faulty.conns[i].fd);
            faulty.conns[i] = faulty.conns[--faulty.count];
        }
    if (polls[count].revents && faulty.count < CONNS_MAX) {
        struct conn *conn = &faulty.conns[faulty.count++];
        conn->fd = accept(faulty.listener, NULL, NULL);
        conn->length = 0;
    }
}

static inline void *faulty_main(void *argument)
{
    redisContext *context = redisConnectUnix(redis.socket);

    (void)argument;
    MUST(context != NULL && !context->err);
    while (!faulty.closing)
        take_turn(context);
    for (size_t i = 0; i < faulty.count; i++)
        close(faulty.conns[i].fd);
    faulty.count = 0;
    redisFree(context);
    return NULL;
}

static inline void faulty_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    faulty.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(bind(faulty.listener, (struct sockaddr *)&address, length) == 0);
    MUST(listen(faulty.listener, 128) == 0);
    MUST(getsockname(faulty.listener, (struct sockaddr *)&address, &length) == 0);
    faulty.port = ntohs(address.sin_port);
    faulty.requests = 0;
    faulty.closing = false;
    MUST(pthread_create(&faulty.thread, NULL, faulty_main, NULL) == 0);
}

static inline void faulty_end(void)
{
    faulty.closing = true;
    pthread_join(faulty.thread, NULL);
    close(faulty.listener);
}

/* --- runs ------------------------------------------------------------------------------------ */

struct world {
    struct target_site site;
    struct target target;
    struct run_options options;
    struct result result;
    char *talk_text;
    size_t talk_length;
    FILE *talk;
};

static inline int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    MUST(world != NULL && result_init(&world->result) == STATUS_OK);
    server_run(&redis, "FLUSHALL");
    memset(&faulty.faults, 0, sizeof(faulty.faults));
    faulty.emails_open = 0;
    faulty_start();
    world->talk = open_memstream(&world->talk_text, &world->talk_length);
    strcpy(world->site.secret, "sk_bench_x");
    world->target = (struct target){.name = "faulty",
                                    .host = "127.0.0.1",
                                    .port = (unsigned)faulty.port,
                                    .key = "tasks",
                                    .sites = &world->site,
                                    .site_count = 1};
    strcpy(world->target.redis_url, redis.url);
    world->options = (struct run_options){.rate = 2000,
                                          .duration_s = 0.05,
                                          .connections = 4,
                                          .consumers = 1,
                                          .people = {.seed = 1, .json = 1},
                                          .drain_s = 0.1};
    *state = world;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *world = *state;

    faulty_end();
    fclose(world->talk);
    free(world->talk_text);
    result_free(&world->result);
    free(world);
    return 0;
}

static inline void run(struct world *world)
{
    enum status status = run_once(&world->options, &world->target, world->talk, &world->result);

    fflush(world->talk);
    if (status != STATUS_OK)
        fail_msg("%s: %s", status_code(status), world->talk_text);
}

static inline const struct result_check *check_of(const struct result *result, const char *what)
{
    for (unsigned i = 0; i < result->check_count; i++)
        if (strcmp(result->checks[i].what, what) == 0)
            return &result->checks[i];
    fail_msg("there is no check '%s'", what);
    return NULL;
}

#define LOST    "no task is lost"
#define DOUBLED "no task comes out twice"
#define OURS    "each task belongs to an opt-in of this run"
#define YES     "every request is answered with a yes"

static inline void assert_check(const struct world *world, const char *what, bool holds)
{
    const struct result_check *check = check_of(&world->result, what);
    if (check->holds != holds)
        fail_msg("'%s' %s: %s", what, holds ? "does not hold" : "holds", check->detail);
}

static inline void *interrupt_soon(void *argument)
{
    (void)argument;
    while (faulty.requests < 50)
        usleep(1000);
    kill(getpid(), SIGINT);
    return NULL;
}

static inline int start_redis(void **state)
{
    (void)state;
    server_start(&redis);
    return 0;
}

static inline int end_redis(void **state)
{
    (void)state;
    server_end(&redis);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
