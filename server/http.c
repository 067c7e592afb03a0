/* The server itself: memory for connections, tickets, time-outs, drain, close.
 *
 * Every connection is in the list of its state, in the order in which it came there, so the one
 * that times out next is the first. One timer looks at the lists ten times a second; a request
 * costs no timer call. */
#include "server/http.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "proto/must.h"
#include "server/http_internal.h"

#define SLOT_BITS          24
#define CONNECTIONS_MAX    1048576u
#define FILES_SPARE        64
#define MEMORY_MAX_DEFAULT 268435456u /* 256 MiB */
#define TICK_MS_MAX        100
#define TRIM_EVERY_MS      1000

/* --- tickets --------------------------------------------------------------------- */

/* 24 bits of slot under 36 bits of a number that no two requests within days share. Tickets are
 * under 2^60 and never 0. */
uint64_t http_ticket_make(struct http *http, uint32_t slot)
{
    http->generation = http->generation % ((1ull << 36) - 1) + 1;
    return http->generation << SLOT_BITS | slot;
}

struct http_conn *http_find(const struct http *http, uint64_t ticket)
{
    uint64_t slot = ticket & ((1u << SLOT_BITS) - 1);

    if (http == NULL || ticket == 0 || slot >= http->conns_max || http->slots[slot] == NULL)
        return NULL;
    return http->slots[slot]->ticket == ticket ? http->slots[slot] : NULL;
}

/* --- connections and their lists --------------------------------------------------- */

static void unlink_conn(struct http_list *list, struct http_conn *conn)
{
    if (conn->previous != NULL)
        conn->previous->next = conn->next;
    else
        list->first = conn->next;
    if (conn->next != NULL)
        conn->next->previous = conn->previous;
    else
        list->last = conn->previous;
}

static void link_last(struct http_list *list, struct http_conn *conn)
{
    conn->previous = list->last;
    conn->next = NULL;
    if (list->last != NULL)
        list->last->next = conn;
    else
        list->first = conn;
    list->last = conn;
}

/* Moves the connection behind all others of that state: its time-out starts anew. */
static void move_last(struct http_conn *conn, enum http_state state)
{
    struct http *http = conn->http;

    unlink_conn(&http->lists[conn->state], conn);
    link_last(&http->lists[state], conn);
    conn->state = state;
    conn->entered_ms = uv_now(http->options.loop);
}

void http_enter(struct http_conn *conn, enum http_state state)
{
    if (conn->state != state)
        move_last(conn, state);
}

struct http_conn *http_conn_allocate(struct http *http)
{
    struct http_conn *conn = http->spare;

    if (http->free_slot_count == 0)
        return NULL;
    if (conn != NULL)
        http->spare = conn->next_ready;
    else
        conn = malloc(sizeof(*conn));
    if (conn == NULL)
        return NULL;

    uint32_t slot = http->free_slots[--http->free_slot_count];
    *conn = (struct http_conn){.http = http, .slot = slot, .state = HTTP_IDLE};
    http->slots[slot] = conn;
    conn->entered_ms = uv_now(http->options.loop);
    link_last(&http->lists[HTTP_IDLE], conn);
    stats_add(http->options.stats, STATS_HTTP_CONNECTIONS, 1);
    stats_set(http->options.stats, STATS_GAUGE_HTTP_OPEN, http_open_connections(http));
    return conn;
}

void http_conn_free(struct http_conn *conn)
{
    struct http *http = conn->http;

    unlink_conn(&http->lists[conn->state], conn);
    http->slots[conn->slot] = NULL;
    http->free_slots[http->free_slot_count++] = conn->slot;
    conn->next_ready = http->spare;
    http->spare = conn;
    stats_set(http->options.stats, STATS_GAUGE_HTTP_OPEN, http_open_connections(http));
}

unsigned http_open_connections(const struct http *http)
{
    return http->conns_max - http->free_slot_count;
}

/* --- time-outs ------------------------------------------------------------------------ */

static bool has_progressed(const struct http_conn *conn)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp) < conn->unsent_bytes;
}

/* Leaves the connection in another list, or last in this one. */
static void expire(struct http_conn *conn)
{
    switch (conn->state) {
    case HTTP_HEAD_IN:
    case HTTP_BODY_IN:
        stats_add(conn->http->options.stats, STATS_HTTP_TIMEOUTS, 1);
        http_conn_refuse(conn, STATUS_TIMEOUT);
        break;
    case HTTP_WRITING:
        if (has_progressed(conn)) {
            conn->unsent_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
            move_last(conn, HTTP_WRITING);
            break;
        }
        stats_add(conn->http->options.stats, STATS_HTTP_TIMEOUTS, 1);
        http_conn_close(conn);
        break;
    default:
        http_conn_close(conn);
        break;
    }
}

static void expire_all(struct http *http, enum http_state state, uint64_t timeout_ms)
{
    uint64_t now_ms = uv_now(http->options.loop);

    while (timeout_ms > 0 && http->lists[state].first != NULL &&
           now_ms - http->lists[state].first->entered_ms >= timeout_ms)
        expire(http->lists[state].first);
}

/* While nobody else can come in, who says nothing makes room. */
static uint64_t idle_timeout_now(const struct http *http)
{
    uint64_t timeout_ms = http->timeout_ms[HTTP_IDLE];

    if (http->free_slot_count == 0 && timeout_ms > HTTP_IDLE_FULL_MS)
        return HTTP_IDLE_FULL_MS;
    return timeout_ms;
}

static void on_tick(uv_timer_t *timer)
{
    struct http *http = timer->data;
    uint64_t now_ms = uv_now(http->options.loop);

    for (int state = 0; state < HTTP_STATE_COUNT; state++)
        expire_all(http, (enum http_state)state,
                   state == HTTP_IDLE ? idle_timeout_now(http) : http->timeout_ms[state]);
    http_accept_or_wait(http);
    if (now_ms - http->trimmed_ms >= TRIM_EVERY_MS) {
        http_pool_trim(&http->pool);
        http->trimmed_ms = now_ms;
    }
}

static void on_read_all(uv_check_t *check)
{
    struct http *http = check->data;

    uv_idle_stop(&http->turning);
    http_run_turn(http);
}

static void on_turn(uv_idle_t *idle)
{
    (void)idle;
}

void http_turn_soon(struct http *http)
{
    uv_idle_start(&http->turning, on_turn);
}

/* --- open, drain, close ------------------------------------------------------------------ */

static unsigned connections_limit(unsigned wanted)
{
    struct rlimit limit = {0};

    if (wanted == 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
        rlim_t half = limit.rlim_cur / 2;
        rlim_t left = limit.rlim_cur - (half < FILES_SPARE ? half : FILES_SPARE);
        wanted = left < CONNECTIONS_MAX ? (unsigned)left : CONNECTIONS_MAX;
    }
    if (wanted > CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    return wanted > 0 ? wanted : 1;
}

static void set_timeouts(struct http *http)
{
    const struct http_options *options = &http->options;

    http->timeout_ms[HTTP_IDLE] = options->idle_timeout_ms;
    http->timeout_ms[HTTP_HEAD_IN] = options->header_timeout_ms;
    http->timeout_ms[HTTP_BODY_IN] = options->body_timeout_ms;
    http->timeout_ms[HTTP_WRITING] = options->write_timeout_ms;
    http->timeout_ms[HTTP_LINGER] = HTTP_LINGER_MS;
}

static uint64_t tick_ms(const struct http *http)
{
    uint64_t least = 4ull * TICK_MS_MAX;

    for (int state = 0; state < HTTP_STATE_COUNT; state++)
        if (http->timeout_ms[state] > 0 && http->timeout_ms[state] < least)
            least = http->timeout_ms[state];
    return least >= 4 ? least / 4 : 1;
}

static void free_memory(struct http *http)
{
    while (http->spare != NULL) {
        struct http_conn *conn = http->spare;
        http->spare = conn->next_ready;
        free(conn);
    }
    http_pool_close(&http->pool);
    http_inflate_close(http->inflater);
    free(http->slots);
    free(http->free_slots);
    free(http->out);
    free(http->scrap);
    free(http);
}

static bool allocate_memory(struct http *http)
{
    http->slots = calloc(http->conns_max, sizeof(struct http_conn *));
    http->free_slots = calloc(http->conns_max, sizeof(*http->free_slots));
    http->out = malloc(HTTP_OUT_BYTES);
    http->scrap = malloc(HTTP_BLOCK_BYTES);
    http->inflater = http_inflate_open();
    if (http->slots == NULL || http->free_slots == NULL || http->out == NULL ||
        http->scrap == NULL || http->inflater == NULL)
        return false;
    for (uint32_t slot = http->conns_max; slot > 0; slot--)
        http->free_slots[http->free_slot_count++] = slot - 1;
    return true;
}

enum status http_open(const struct http_options *options, struct http **out)
{
    struct http *http = calloc(1, sizeof(*http));

    if (http == NULL)
        return STATUS_INTERNAL;
    http->options = *options;
    http->conns_max = connections_limit(options->connections_max);
    http->pool.grown_bytes_max = options->memory_max > 0 ? options->memory_max : MEMORY_MAX_DEFAULT;
    http->last_ready = &http->first_ready;
    http->last_later = &http->first_later;
    if (!allocate_memory(http)) {
        free_memory(http);
        return STATUS_INTERNAL;
    }
    set_timeouts(http);
    uv_timer_init(options->loop, &http->tick);
    uv_timer_init(options->loop, &http->drain_timer);
    uv_check_init(options->loop, &http->after_reading);
    uv_idle_init(options->loop, &http->turning);
    http->tick.data = http->drain_timer.data = http;
    http->after_reading.data = http->turning.data = http;
    http->open_handles = 4;
    uv_check_start(&http->after_reading, on_read_all);
    uv_timer_start(&http->tick, on_tick, tick_ms(http), tick_ms(http));
    *out = http;
    return STATUS_OK;
}

static void close_all(struct http *http)
{
    for (int state = 0; state < HTTP_CLOSED; state++)
        while (http->lists[state].first != NULL)
            http_conn_close(http->lists[state].first);
}

static void on_drain_over(uv_timer_t *timer)
{
    struct http *http = timer->data;
    http_drained_fn *on_drained = http->on_drained;

    close_all(http);
    http->on_drained = NULL;
    if (on_drained != NULL)
        on_drained(http->drain_owner);
}

void http_drain(struct http *http, unsigned grace_ms, http_drained_fn *on_drained, void *owner)
{
    http->draining = true;
    http->on_drained = on_drained;
    http->drain_owner = owner;
    http_listeners_close(http);
    http_run_turn(http); /* what has been read is no idle connection */
    while (http->lists[HTTP_IDLE].first != NULL)
        http_conn_close(http->lists[HTTP_IDLE].first);
    uv_timer_start(&http->drain_timer, on_drain_over,
                   http_open_connections(http) > 0 ? grace_ms : 0, 0);
}

void http_on_handle_closed(struct http *http)
{
    http->open_handles--;
    if (http->closing) {
        if (http->open_handles == 0)
            free_memory(http);
        return;
    }
    http_accept_or_wait(http);
    if (http->draining && http_open_connections(http) == 0)
        uv_timer_start(&http->drain_timer, on_drain_over, 0, 0);
}

static void on_own_closed(uv_handle_t *handle)
{
    http_on_handle_closed(handle->data);
}

void http_close(struct http *http)
{
    MUST(!http->closing);
    http->closing = true;
    http_listeners_close(http);
    close_all(http);
    uv_close((uv_handle_t *)&http->tick, on_own_closed);
    uv_close((uv_handle_t *)&http->drain_timer, on_own_closed);
    uv_close((uv_handle_t *)&http->after_reading, on_own_closed);
    uv_close((uv_handle_t *)&http->turning, on_own_closed);
}
