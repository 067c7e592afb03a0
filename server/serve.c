/* Down goes against the way of an opt-in: no new requests; those at hand are answered, so their
 * commits are done; the writer is empty; what it made is pushed to Redis, or the time for that
 * is over (then it is pushed after the next start); Redis, state and journal are closed. Any
 * step may be cut off by a kill: that costs a longer start, nothing else. */
#include "server/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "proto/phone.h"
#include "server/api.h"
#include "server/demo.h"
#include "server/embedded.h"
#include "server/notify.h"
#include "server/serve_address.h"

#define EXIT_FAILED    1
#define EXIT_USAGE     2
#define SERVE_TICKET   (1ull << 60)
#define DRAIN_STEP_MS  5
#define COMMANDS_MAX   4096
#define WAITING_MAX    65536 /* requests waiting for a commit */
#define JUDGE_AFTER_MS 5000  /* at the latest: Redis may be away */
#define WATCH_MS       1000  /* looks at marks and heads of queues */

/* What a stopping server waits for. */
enum drain { RUNNING, DRAIN_HTTP, DRAIN_WRITER, DRAIN_PUBLISH, DRAINED };

struct server {
    const struct config *config;
    uv_loop_t loop;
    struct log *log;
    struct stats *stats;
    struct clock *clock;
    struct registry *registry; /* the loop's */
    struct writer *writer;
    struct publish *publish;
    struct inbox *inbox;
    struct api *api;
    struct http *http;
    struct demo *demo;
    uv_signal_t on_term, on_int;
    uv_timer_t drain_timer, watchdog;
    enum drain drain;
    bool barrier_submitted;
    bool reports_read, pops_seen;         /* those that waited at the start */
    uint64_t drain_until_ms;              /* monotonic */
    char listen_url[128], admin_url[128]; /* as this machine reaches them */
    const char *public_url;               /* as sites do */
    char demo_page[16 * 1024];
};

/* --- callbacks of the parts ------------------------------------------------------- */

static void on_settled(void *owner, const struct settlement *settlement)
{
    struct server *server = owner;

    if (server->http)
        http_hold(server->http);
    /* While closing, a part may be gone before its last settlement comes. */
    if (settlement->ticket & API_TICKET)
        api_on_settled(server->api, settlement);
    else if (settlement->ticket & INBOX_TICKET && server->inbox)
        inbox_on_settled(server->inbox, settlement);
    else if (settlement->ticket & PUBLISH_TICKET && server->publish)
        publish_on_settled(server->publish, settlement);
    else if (settlement->ticket == SERVE_TICKET && server->drain == DRAIN_WRITER)
        server->drain = DRAIN_PUBLISH;
}

static void on_outbox(void *owner, const struct writer_outbox *operation)
{
    struct server *server = owner;

    if (server->publish)
        publish_operation(server->publish, operation);
    if (server->inbox)
        inbox_on_put(server->inbox, operation->queue);
}

static void on_batch(void *owner)
{
    struct server *server = owner;

    /* Redis works while the answers are written. Both are owed only to what is on disk. */
    if (server->publish)
        publish_flush(server->publish);
    if (server->http)
        http_release(server->http);
}

/* Once requests are taken and state is there, whichever comes last. */
static void start_demo(struct server *server)
{
    const struct config *config = server->config;

    if (!config->demo || server->demo || !*server->admin_url || !writer_is_ready(server->writer))
        return;
    server->demo = demo_start(&(struct demo_options){
        .loop = &server->loop,
        .data_directory = config->data,
        .admin_url = server->admin_url,
        .public_url = server->public_url,
        .redis_url = config->redis,
        .redis_prefix = config->redis_prefix,
        .page_template = embedded_demo_html,
        .page = server->demo_page,
        .page_bytes = sizeof server->demo_page,
    });
}

static void on_ready(void *owner)
{
    struct server *server = owner;

    log_write(server->log, LOG_INFO, "state has caught up with the journal", LOG_END);
    if (server->drain != RUNNING)
        return;
    publish_ready(server->publish);
    inbox_ready(server->inbox);
    start_demo(server);
}

static void on_claimed(void *owner, uint64_t ticket, enum status status, struct slice member)
{
    struct server *server = owner;

    api_on_claimed(server->api, ticket, status, member);
}

static void on_forgot(void *owner)
{
    struct server *server = owner;

    if (server->inbox)
        inbox_again(server->inbox);
}

/* Deadlines and leases are judged by what had happened, not by what had been heard of. */
static void judge_when_all_is_known(struct server *server)
{
    if (server->reports_read && server->pops_seen)
        writer_judge(server->writer);
}

static void on_drained(void *owner)
{
    struct server *server = owner;

    server->reports_read = true;
    judge_when_all_is_known(server);
}

static void on_claim(void *owner, uint32_t queue, const struct report *report)
{
    struct server *server = owner;

    publish_claim_heard(server->publish, queue, report);
}

static void on_watched(void *owner)
{
    struct server *server = owner;

    server->pops_seen = true;
    judge_when_all_is_known(server);
}

static void on_clock_changed(void *owner, int64_t step_ms)
{
    struct server *server = owner;
    bool test = clock_is_test(server->clock);

    if (clock_is_held(server->clock))
        log_write(server->log, LOG_WARN,
                  "the wall clock jumped by more than a day: deadlines and redeliveries wait",
                  LOG_INT("step_ms", step_ms), LOG_TEXT("advice", CLOCK_ADVICE), LOG_END);
    else
        log_write(server->log, test ? LOG_DEBUG : LOG_WARN, "the clock was set",
                  LOG_INT("step_ms", step_ms), LOG_END);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_send("WATCHDOG=1");
}

/* --- draining --------------------------------------------------------------------- */

static void on_http_drained(void *owner)
{
    struct server *server = owner;

    if (server->drain == DRAIN_HTTP)
        server->drain = DRAIN_WRITER;
}

/* Everything that was submitted is settled when this comes back. */
static void submit_barrier(struct server *server)
{
    const struct command barrier = {.kind = COMMAND_BARRIER, .ticket = SERVE_TICKET};

    if (!server->barrier_submitted)
        server->barrier_submitted = writer_submit(server->writer, &barrier) == STATUS_OK;
}

static void on_drain_step(uv_timer_t *timer)
{
    struct server *server = timer->data;
    bool late = clock_monotonic_ms() >= server->drain_until_ms;

    if (server->drain == DRAIN_WRITER)
        submit_barrier(server);
    if (server->drain == DRAIN_PUBLISH && publish_is_idle(server->publish))
        server->drain = DRAINED;
    if (server->drain == DRAINED || late)
        uv_stop(&server->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    uint64_t time_ms = server->config->drain_timeout_ms;

    if (server->drain != RUNNING)
        _exit(128 + number); /* whoever asks twice means it */
    log_write(server->log, LOG_INFO, "stopping", LOG_INT("signal", number), LOG_END);
    notify_send("STOPPING=1");
    server->drain = DRAIN_HTTP;
    server->drain_until_ms = clock_monotonic_ms() + time_ms;
    api_drain(server->api);
    /* Half of the time for those who are slow to send or to read, the rest for Redis. */
    http_drain(server->http, (unsigned)(time_ms / 2), on_http_drained, server);
    uv_timer_start(&server->drain_timer, on_drain_step, 0, DRAIN_STEP_MS);
}

/* --- opening ---------------------------------------------------------------------- */

static void prepare_process(struct log *log)
{
    struct rlimit files;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a full disk, not a reason to die */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            log_write(log, LOG_WARN, "the limit of open files stays as it is", LOG_END);
    }
#ifndef HOTLEAD_SANITIZED /* a leak checker has to look in */
    /* Memory holds personal data: no core dumps, no looking in. */
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static enum status open_writer(struct server *server)
{
    const struct config *config = server->config;
    const struct writer_options options = {
        .loop = &server->loop,
        .data_directory = config->data,
        .state_directory = or_null(config->state),
        .node = config->node,
        .redis_prefix = config->redis_prefix,
        .journal_map_bytes = config->journal_map_bytes,
        .state_map_bytes = config->state_map_bytes,
        .reserve_bytes = config->reserve_bytes,
        .batch_bytes_max = config->batch_bytes,
        .batch_commands_max = COMMANDS_MAX,
        .judge_after_ms = JUDGE_AFTER_MS,
        .clock = server->clock,
        .log = server->log,
        .stats = server->stats,
        .on_settled = on_settled,
        .on_outbox = on_outbox,
        .on_batch = on_batch,
        .on_ready = on_ready,
        .owner = server,
    };
    enum status status = writer_open(&options, &server->writer);

    if (status != STATUS_OK)
        return status; /* the log says what to do */
    server->registry = registry_open();
    if (!server->registry)
        return STATUS_BUSY;
    return writer_read_registry(server->writer, server->registry);
}

static enum status open_redis(struct server *server)
{
    const struct config *config = server->config;
    const struct publish_options publish = {
        .loop = &server->loop,
        .redis_url = config->redis,
        .prefix = config->redis_prefix,
        .node = config->node,
        .writer = server->writer,
        .registry = server->registry,
        .clock = server->clock,
        .log = server->log,
        .stats = server->stats,
        .memory_max = config->publish_bytes,
        .watch_ms = WATCH_MS,
        .on_claimed = on_claimed,
        .on_forgot = on_forgot,
        .on_watched = on_watched,
        .owner = server,
    };
    const struct inbox_options inbox = {
        .loop = &server->loop,
        .redis_url = config->redis,
        .prefix = config->redis_prefix,
        .node = config->node,
        .writer = server->writer,
        .registry = server->registry,
        .clock = server->clock,
        .log = server->log,
        .stats = server->stats,
        .on_drained = on_drained,
        .on_claim = on_claim,
        .owner = server,
    };
    enum status status = publish_open(&publish, &server->publish);

    return status == STATUS_OK ? inbox_open(&inbox, &server->inbox) : status;
}

static enum status open_api(struct server *server)
{
    const struct config *config = server->config;
    struct config_address listen;

    /* Where the port is left to the system, the URL is set once that is known. */
    MUST(config_address(config->listen, &listen));
    serve_local_url(config->listen, listen.port, server->listen_url, sizeof server->listen_url);
    server->public_url = *config->public_url ? config->public_url : server->listen_url;
    const struct api_options api = {
        .loop = &server->loop,
        .clock = server->clock,
        .log = server->log,
        .stats = server->stats,
        .registry = server->registry,
        .node = config->node,
        .public_url = server->public_url,
        .demo_page = config->demo ? server->demo_page : NULL,
        .in_flight_max = WAITING_MAX,
    };
    enum status status = api_open(&api, &server->api);
    if (status != STATUS_OK)
        return status;
    const struct http_options http = {
        .loop = &server->loop,
        .connections_max = (unsigned)config->connections_max,
        .header_timeout_ms = (unsigned)config->header_timeout_ms,
        .body_timeout_ms = (unsigned)config->body_timeout_ms,
        .idle_timeout_ms = (unsigned)config->idle_timeout_ms,
        .write_timeout_ms = (unsigned)config->write_timeout_ms,
        .log = server->log,
        .stats = server->stats,
        .on_request = api_on_request,
        .on_refused = api_on_refused,
        .body_max = api_body_max,
        .on_done = api_on_done,
        .owner = server->api,
    };
    status = http_open(&http, &server->http);
    return status == STATUS_OK
               ? api_attach(server->api, server->http, server->writer, server->publish)
               : status;
}

/* Where commands on this machine find the server (hotlead site list --data DIR). */
static void write_admin_url(const struct server *server)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/admin.url", server->config->data);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", server->admin_url) < 0)
        log_write(server->log, LOG_WARN, "admin.url cannot be written",
                  LOG_TEXT("error", strerror(errno)), LOG_END);
    if (fd >= 0)
        close(fd);
}

static enum status listen_everywhere(struct server *server)
{
    const struct config *config = server->config;
    bool apart = *config->admin_listen;
    enum status status = serve_listen(server->http, config->listen, apart ? API_PUBLIC : API_ALL,
                                      server->listen_url, sizeof server->listen_url);

    memcpy(server->admin_url, server->listen_url, sizeof server->admin_url);
    if (status == STATUS_OK && apart)
        status = serve_listen(server->http, config->admin_listen, API_ADMIN, server->admin_url,
                              sizeof server->admin_url);
    if (status != STATUS_OK)
        return status;
    write_admin_url(server);
    start_demo(server);
    printf("hotlead %s listens on %s", HOTLEAD_VERSION, server->listen_url);
    if (apart)
        printf(", for administration on %s", server->admin_url);
    putchar('\n');
    fflush(stdout);
    return STATUS_OK;
}

static void watch_signals_and_clock(struct server *server)
{
    uint64_t watchdog_ms = notify_watchdog_ms();

    MUST(uv_signal_start(&server->on_term, on_signal, SIGTERM) == 0);
    MUST(uv_signal_start(&server->on_int, on_signal, SIGINT) == 0);
    if (watchdog_ms > 0)
        MUST(uv_timer_start(&server->watchdog, on_watchdog, 0, watchdog_ms) == 0);
    clock_watch(server->clock, &server->loop, on_clock_changed, server);
    if (clock_is_test(server->clock))
        log_write(server->log, LOG_WARN, "engine time comes from a file: for tests only",
                  LOG_TEXT("file", server->config->test_clock), LOG_END);
}

/* The handles that are the server's own, before anything that can fail. */
static void open_loop(struct server *server)
{
    MUST(uv_loop_init(&server->loop) == 0);
    MUST(uv_signal_init(&server->loop, &server->on_term) == 0);
    MUST(uv_signal_init(&server->loop, &server->on_int) == 0);
    MUST(uv_timer_init(&server->loop, &server->drain_timer) == 0);
    MUST(uv_timer_init(&server->loop, &server->watchdog) == 0);
    server->on_term.data = server;
    server->on_int.data = server;
    server->drain_timer.data = server;
}

/* Who sees the server listen finds the token in its file. */
static enum status make_first_token(struct server *server)
{
    while (registry_count(server->registry, ENTITY_TOKEN) == 0 && !writer_is_ready(server->writer))
        uv_run(&server->loop, UV_RUN_ONCE);
    enum status status = api_first_token(server->api, server->config->data);
    while (status == STATUS_OK && !api_first_token_done(server->api))
        uv_run(&server->loop, UV_RUN_ONCE);
    return status;
}

static enum status open_parts(struct server *server)
{
    enum status status = serve_try_addresses(server->config);

    if (status == STATUS_OK)
        status = open_writer(server);
    phone_warm(); /* now, not while the first visitor waits */
    if (status == STATUS_OK)
        status = open_redis(server);
    if (status == STATUS_OK)
        status = open_api(server);
    if (status == STATUS_OK)
        status = make_first_token(server);
    if (status == STATUS_OK)
        status = listen_everywhere(server);
    return status;
}

/* The parts say themselves what is wrong, but for want of memory, which nobody asks them. */
static bool open_all(struct server *server)
{
    enum status status = open_parts(server);

    if (status == STATUS_BUSY || status == STATUS_INTERNAL)
        fprintf(stderr, "hotlead: not started: out of memory\n");
    return status == STATUS_OK;
}

/* --- closing ---------------------------------------------------------------------- */

static void close_handle(void *handle)
{
    uv_close(handle, NULL);
}

/* What was not opened is NULL. The writer outlives all who submit to it and read its stores;
 * api outlives the writer, whose last settlements are for it. */
static void close_parts(struct server *server)
{
    server->drain = DRAINED; /* after a start that failed too: state that is ready begins nothing */
    demo_stop(server->demo);
    if (server->http)
        http_close(server->http);
    server->http = NULL;
    if (server->api)
        api_detach(server->api);
    if (server->inbox)
        inbox_close(server->inbox);
    server->inbox = NULL;
    if (server->publish)
        publish_close(server->publish);
    server->publish = NULL;
    uv_run(&server->loop, UV_RUN_NOWAIT); /* http's and the links' close callbacks */
    if (server->writer)
        writer_close(server->writer);
    if (server->api)
        api_close(server->api);
}

static void close_server(struct server *server)
{
    close_parts(server);
    if (server->clock)
        clock_unwatch(server->clock);
    close_handle(&server->on_term);
    close_handle(&server->on_int);
    close_handle(&server->drain_timer);
    close_handle(&server->watchdog);
    uv_run(&server->loop, UV_RUN_DEFAULT); /* until every handle is closed */
    MUST(uv_loop_close(&server->loop) == 0);
    registry_close(server->registry);
    clock_close(server->clock);
    stats_close(server->stats);
    log_close(server->log);
}

int serve(const struct config *config)
{
    struct server server = {.config = config,
                            .demo_page = "<!doctype html>The demo is being made. Reload."};
    enum log_level level;

    MUST(log_level_of(config->log_level, &level));
    server.log = log_open(STDERR_FILENO, level);
    server.stats = stats_open();
    if (!server.log || !server.stats)
        memory_missing();
    MUST(sodium_init() >= 0);
    /* Where libuv asks for more memory by itself it aborts when there is none. */
    MUST(uv_replace_allocator(memory_take, memory_resize, memory_take_zeroed, free) == 0);
    prepare_process(server.log);
    open_loop(&server);

    int code = EXIT_FAILED;
    if (clock_open(or_null(config->test_clock), &server.clock) != STATUS_OK) {
        fprintf(stderr, "hotlead: test_clock: %s: there must be decimal ms in it\n",
                config->test_clock);
        code = EXIT_USAGE;
    } else if (open_all(&server)) {
        watch_signals_and_clock(&server);
        notify_send("READY=1");
        log_write(server.log, LOG_INFO, "started", LOG_TEXT("version", HOTLEAD_VERSION),
                  LOG_TEXT("node", config->node), LOG_END);
        uv_run(&server.loop, UV_RUN_DEFAULT);
        log_write(server.log, LOG_INFO, server.drain == DRAINED ? "stopped" : "stopped in haste",
                  LOG_END);
        code = 0;
    }
    close_server(&server);
    return code;
}
