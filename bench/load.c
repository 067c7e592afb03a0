/* The plan of the sender. Moments that wait for a connection are not kept anywhere: the schedule
 * can be read at two places, at the next to be sent and at the next to come, and what lies between
 * them waits.
 *
 * All sockets, and a timer of ns, are in an epoll set of their own, which is one handle of the
 * loop: at 150,000 requests a second a handle for each would be mostly bookkeeping. */
#include "bench/load_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/process.h"
#include "proto/must.h"

#define TICK_MS           10
#define NS_A_MS           1000000ull
#define NS_A_SECOND       1000000000ull
#define CONNECT_MS_MAX    1000 /* the plan begins then, whatever is still being connected */
#define EVENTS_MAX        256
#define TIMER             UINT64_MAX /* epoll's data of the timer */
#define SPARE_DESCRIPTORS 64         /* for whoever else there is */

/* --- the plan ------------------------------------------------------------------------ */

static bool is_open_loop(const struct load *load)
{
    return load->options.schedule != NULL;
}

static void advance(const struct load *load, struct plan *plan)
{
    plan->count++;
    if (is_open_loop(load))
        plan->at_ns = load->begun_ns + schedule_next(&plan->schedule);
}

/* No request is left behind that place. */
static bool is_over(const struct load *load, const struct plan *plan, uint64_t now_ns)
{
    const struct load_options *options = &load->options;
    uint64_t at_ns = is_open_loop(load) ? plan->at_ns : now_ns;

    return (options->requests_max > 0 && plan->count >= options->requests_max) ||
           (options->duration_ns > 0 && at_ns >= load->begun_ns + options->duration_ns);
}

static bool is_sent(const struct load *load, uint64_t now_ns)
{
    return load->stopped_ns > 0 || is_over(load, &load->sending, now_ns);
}

static bool may_send(const struct load *load, uint64_t now_ns)
{
    return load->begun_ns > 0 && !load->closing && load->sending.at_ns <= now_ns &&
           !is_sent(load, now_ns);
}

/* After a stop none comes any more. */
static void reach(const struct load *load, struct plan *coming, uint64_t now_ns)
{
    if (load->stopped_ns > 0 && load->stopped_ns < now_ns)
        now_ns = load->stopped_ns;
    while (is_open_loop(load) && load->begun_ns > 0 && coming->at_ns <= now_ns &&
           !is_over(load, coming, now_ns))
        advance(load, coming);
}

/* Takes the next request out of the plan: whoever calls it sends or fails it. */
static struct load_answer take_next(struct load *load, uint64_t now_ns)
{
    struct load_answer next = {
        .n = load->options.first + load->sending.count,
        .intended_ns = is_open_loop(load) ? load->sending.at_ns : now_ns,
        .sent_ns = now_ns,
    };

    advance(load, &load->sending);
    load->in_flight++;
    return next;
}

/* On the connection that was free for longest: of so many visitors, none is preferred. */
static void send_next(struct load *load, uint64_t now_ns)
{
    struct conn *conn = TAILQ_FIRST(&load->free);
    struct load_answer next = take_next(load, now_ns);
    uint64_t could_ns = next.intended_ns > conn->since_ns ? next.intended_ns : conn->since_ns;

    next.late_ns = now_ns - could_ns;
    if (next.late_ns > load->late_ns_max)
        load->late_ns_max = next.late_ns;
    conn_take(conn, &next);
}

/* Sends whatever is due, as far as there are connections. */
static void pump(struct load *load, uint64_t now_ns)
{
    while (!TAILQ_EMPTY(&load->free) && may_send(load, now_ns)) {
        send_next(load, now_ns);
        now_ns = uv_hrtime();
    }
}

/* For the next moment, when a connection is there to be used then; else the one that becomes free
 * finds it. Setting it anew also takes back that it was due. */
static void arm(struct load *load)
{
    uint64_t at_ns = load->sending.at_ns;
    struct itimerspec when = {
        .it_value.tv_sec = (time_t)(at_ns / NS_A_SECOND),
        .it_value.tv_nsec = (long)(at_ns % NS_A_SECOND),
    };

    if (load->begun_ns == 0 || TAILQ_EMPTY(&load->free) || load->armed_ns == at_ns ||
        is_sent(load, at_ns))
        return;
    load->armed_ns = at_ns;
    MUST(timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

/* --- what the connections say -------------------------------------------------------- */

void load_list_free(struct load *load, struct conn *conn)
{
    MUST(!conn->listed);
    TAILQ_INSERT_TAIL(&load->free, conn, free_entry);
    conn->listed = true;
}

void load_unlist(struct load *load, struct conn *conn)
{
    if (!conn->listed)
        return;
    TAILQ_REMOVE(&load->free, conn, free_entry);
    conn->listed = false;
}

void load_answered(struct load *load, const struct load_answer *answer)
{
    load->in_flight--;
    if (answer->error == NULL)
        load->answered++;
    else
        load->failed++;
    if (!load->closing)
        load->options.on_answer(load->options.owner, answer);
}

/* The next request fails without a connection of its own. */
static void fail_next(struct load *load, uint64_t now_ns)
{
    struct load_answer answer = take_next(load, now_ns);
    struct people_request request;

    people_request(load->options.people, answer.n, true, &request);
    answer.key = request.key;
    answer.what = request.what;
    answer.error = load->why;
    answer.answered_ns = now_ns;
    load_answered(load, &answer);
}

/* In a closed loop it is the connection that asks for a request, so one that cannot be made has one
 * on its account. */
void load_tried(struct load *load, struct conn *conn, const char *error)
{
    uint64_t now_ns = uv_hrtime();

    if (!conn->tried && load->untried > 0)
        load->untried--;
    conn->tried = true;
    if (error == NULL)
        return;
    load->why = error;
    if (!is_open_loop(load) && !conn->carries && may_send(load, now_ns))
        fail_next(load, now_ns);
}

/* --- the turn ------------------------------------------------------------------------ */

static uint64_t cpu_ns(void)
{
    struct timespec time;

    MUST(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (uint64_t)time.tv_sec * NS_A_SECOND + (uint64_t)time.tv_nsec;
}

/* "ran waited times", in ns. */
static uint64_t waited_ns(void)
{
    unsigned long long ran = 0, waited = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &ran, &waited) != 2)
        waited = 0;
    fclose(file);
    return waited;
}

static void begin_plan(struct load *load, uint64_t now_ns)
{
    bool all_tried = load->untried == 0;

    if (load->begun_ns > 0 || (!all_tried && now_ns - load->started_ns < CONNECT_MS_MAX * NS_A_MS))
        return;
    load->begun_ns = now_ns;
    load->cpu_begun_ns = cpu_ns();
    load->waited_begun_ns = waited_ns();
    if (is_open_loop(load))
        load->sending.at_ns = load->coming.at_ns = now_ns + schedule_next(&load->sending.schedule);
    load->coming.schedule = load->sending.schedule;
}

static void finish(struct load *load, uint64_t now_ns)
{
    load->done_ns = now_ns;
    load->cpu_done_ns = cpu_ns();
    load->waited_done_ns = waited_ns();
    for (unsigned i = 0; i < load->options.connections; i++)
        conn_drop(&load->conns[i]);
    uv_poll_stop(&load->poll);
    uv_timer_stop(&load->tick);
    load->options.on_done(load->options.owner);
}

/* The end of each turn. */
static void settle(struct load *load)
{
    uint64_t now_ns = uv_hrtime();

    if (load->closing || load->done_ns > 0)
        return;
    begin_plan(load, now_ns);
    pump(load, now_ns);
    if (load->closing)
        return;
    if (load->begun_ns > 0 && load->in_flight == 0 && is_sent(load, now_ns))
        finish(load, now_ns);
    else
        arm(load);
}

static void take_event(struct load *load, const struct epoll_event *event)
{
    if (event->data.u64 == TIMER)
        return; /* its moment is found by looking at the clock */
    struct conn *conn = &load->conns[event->data.u64 & UINT32_MAX];
    if (conn->generation == event->data.u64 >> 32)
        conn_ready(conn, event->events);
}

/* What has become free is used at once: the next moment may have come meanwhile. */
static void on_sockets(uv_poll_t *poll, int status, int events)
{
    struct load *load = poll->data;
    struct epoll_event ready[EVENTS_MAX];

    (void)status, (void)events;
    int count = epoll_wait(load->epoll, ready, EVENTS_MAX, 0);
    for (int i = 0; i < count && !load->closing; i++) {
        take_event(load, &ready[i]);
        pump(load, uv_hrtime());
    }
    settle(load);
}

/* While no connection can be had, moments wait as long as an answer might have taken. */
static void expire(struct load *load, uint64_t now_ns)
{
    uint64_t timeout_ns = load->options.timeout_ms * NS_A_MS;

    while (is_open_loop(load) && load->open == 0 && load->why != NULL && may_send(load, now_ns) &&
           load->sending.at_ns + timeout_ns <= now_ns)
        fail_next(load, now_ns);
}

static void on_tick(uv_timer_t *tick)
{
    struct load *load = tick->data;
    uint64_t now_ns = uv_hrtime();

    for (unsigned i = 0; i < load->options.connections && !load->closing; i++)
        conn_tick(&load->conns[i], now_ns);
    expire(load, now_ns);
    reach(load, &load->coming, now_ns);
    settle(load);
}

/* --- opening and closing -------------------------------------------------------------- */

static enum status read_address(struct load *load)
{
    const struct target *target = load->options.target;

    if (uv_ip4_addr(target->host, (int)target->port, &load->address.v4) != 0 &&
        uv_ip6_addr(target->host, (int)target->port, &load->address.v6) != 0)
        return STATUS_INVALID;
    return STATUS_OK;
}

static bool open_sockets(struct load *load)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = TIMER};

    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return load->epoll >= 0 && load->timer >= 0 &&
           epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &event) == 0 &&
           process_allow_descriptors((uint64_t)load->options.connections + SPARE_DESCRIPTORS);
}

static bool open_conns(struct load *load)
{
    unsigned count = load->options.connections;

    load->conns = calloc(count, sizeof *load->conns);
    load->bodies = malloc((size_t)count * LOAD_BODY_BYTES_MAX);
    if (load->conns == NULL || load->bodies == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        conn_init(&load->conns[i], load, i);
    return true;
}

static void free_load(struct load *load)
{
    if (load->epoll >= 0)
        close(load->epoll);
    if (load->timer >= 0)
        close(load->timer);
    free(load->bodies);
    free(load->conns);
    free(load);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct load *load = handle->data;

    if (--load->handles == 0)
        free_load(load);
}

enum status load_open(const struct load_options *options, struct load **out)
{
    struct load *load = calloc(1, sizeof *load);

    if (load == NULL)
        return STATUS_INTERNAL;
    MUST(options->connections > 0 && options->timeout_ms > 0);
    load->options = *options;
    load->epoll = load->timer = -1;
    TAILQ_INIT(&load->free);
    if (options->schedule != NULL)
        load->sending.schedule = *options->schedule;
    enum status status = read_address(load);
    if (status == STATUS_OK && (!open_conns(load) || !open_sockets(load) ||
                                uv_poll_init(options->loop, &load->poll, load->epoll) != 0))
        status = STATUS_INTERNAL;
    if (status != STATUS_OK) {
        free_load(load);
        return status;
    }
    MUST(uv_timer_init(options->loop, &load->tick) == 0);
    load->poll.data = load->tick.data = load;
    load->handles = 2;
    *out = load;
    return STATUS_OK;
}

void load_start(struct load *load)
{
    load->started_ns = uv_hrtime();
    uv_poll_start(&load->poll, UV_READABLE, on_sockets);
    uv_timer_start(&load->tick, on_tick, 0, TICK_MS);
    load->untried = load->options.new_connections ? 0 : load->options.connections;
    for (unsigned i = 0; i < load->options.connections; i++) {
        if (load->options.new_connections)
            load_list_free(load, &load->conns[i]);
        else
            conn_connect(&load->conns[i]);
    }
}

void load_stop(struct load *load)
{
    if (load->stopped_ns == 0)
        load->stopped_ns = uv_hrtime();
}

void load_close(struct load *load)
{
    load->closing = true;
    for (unsigned i = 0; i < load->options.connections; i++)
        conn_drop(&load->conns[i]);
    uv_close((uv_handle_t *)&load->poll, on_handle_closed);
    uv_close((uv_handle_t *)&load->tick, on_handle_closed);
}

void load_count(const struct load *load, struct load_counts *out)
{
    uint64_t end_ns = load->done_ns > 0 ? load->done_ns : uv_hrtime();
    struct plan coming = load->coming;

    reach(load, &coming, end_ns);
    if (!is_open_loop(load))
        coming = load->sending;
    *out = (struct load_counts){
        .intended = coming.count,
        .sent = load->sending.count,
        .answered = load->answered,
        .failed = load->failed,
        .waiting = coming.count - load->sending.count,
        .in_flight = load->in_flight,
        .connects = load->connects,
        .late_ns_max = load->late_ns_max,
    };
    if (load->begun_ns == 0)
        return;
    out->elapsed_ns = end_ns - load->begun_ns;
    if (load->done_ns > 0)
        out->waited_ns = load->waited_done_ns - load->waited_begun_ns;
    out->busy_ns = (load->done_ns > 0 ? load->cpu_done_ns : cpu_ns()) - load->cpu_begun_ns;
}
