/* What the http_*.c files share: the server, a connection, its buffers.
 *
 *   http_listen.c   addresses, accepting, the limit of connections
 *   http_conn.c     a connection: reads, takes requests apart, hands them over
 *   http_reply.c    answers: formatting, sending, the rest that did not fit
 *   http_buffer.c   input memory, pooled and bounded
 *   http_inflate.c  gzip (the one file that sees zlib)
 *   http_scan.c     the header block; http_frame.c  the body's framing (llhttp)
 *   http.c          life of the server, tickets, time-outs, drain
 *
 * Loop thread only. */
#ifndef HOTLEAD_SERVER_HTTP_INTERNAL_H
#define HOTLEAD_SERVER_HTTP_INTERNAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "proto/id.h"
#include "server/http.h"
#include "server/http_frame.h"
#include "server/http_scan.h"

#define HTTP_BLOCK_BYTES   8192  /* a pooled buffer: holds most requests whole */
#define HTTP_OUT_BYTES     65536 /* answers of one turn, put together before sending */
#define HTTP_LINGER_MS     1000  /* how long a refused peer may go on sending ... */
#define HTTP_LINGER_BYTES  65536 /* ... and how much, before it is cut */
#define HTTP_IDLE_FULL_MS  1000  /* idle time-out while no connection is left to give */
#define HTTP_LISTENERS_MAX 8
#define HTTP_HELD_MAX      256 /* answers that leave together */
#define HTTP_TURN_STEPS    32  /* heads and bodies that a connection may have read in a turn */

/* --- input memory (http_buffer.c) -------------------------------------------- */

/* `bytes` NULL: holds nothing. Behind `capacity` come 64 readable bytes (JSON_PADDING). */
struct http_buffer {
    char *bytes;
    size_t capacity;
    size_t start;  /* first byte still needed */
    size_t filled; /* behind the last one */
};

struct http_block {
    struct http_block *next;
};

struct http_pool {
    struct http_block *free;
    size_t free_count;
    size_t free_least; /* since the last trim: that many were of no use */
    size_t grown_bytes;
    size_t grown_bytes_max;
};

/* False: out of memory. The buffer must be empty. */
bool http_buffer_take(struct http_pool *pool, struct http_buffer *buffer);
/* Makes room for `capacity` bytes from `start` on, which becomes 0. False: over the pool's bound or
 * out of memory; the buffer is as it was. */
bool http_buffer_grow(struct http_pool *pool, struct http_buffer *buffer, size_t capacity);
void http_buffer_drop(struct http_pool *pool, struct http_buffer *buffer);
/* Gives back what was not used since the last call. */
void http_pool_trim(struct http_pool *pool);
void http_pool_close(struct http_pool *pool);

/* --- gzip (http_inflate.c) ------------------------------------------------------ */

struct http_inflate;

/* NULL: out of memory. */
struct http_inflate *http_inflate_open(void);
void http_inflate_close(struct http_inflate *inflater);

/* One gzip member, nothing behind it. MALFORMED; TOO_LARGE over `length_max` or when it
 * inflates out of proportion; BUSY without memory. `out` must be empty. */
enum status http_inflate_body(struct http_inflate *inflater, struct http_pool *pool,
                              struct slice raw, size_t length_max, struct http_buffer *out);

/* --- connections -------------------------------------------------------------------- */

/* Also the list that a connection is in, and so which time-out it has. */
enum http_state {
    HTTP_IDLE,    /* nothing of a request is here */
    HTTP_HEAD_IN, /* part of a header block is */
    HTTP_BODY_IN, /* part of a body is */
    HTTP_PENDING, /* a request is with the owner; no time-out */
    HTTP_WRITING, /* an answer is not sent whole; nothing is read */
    HTTP_LINGER,  /* last answer sent; what still comes is thrown away */
    HTTP_CLOSED,  /* waits for libuv to let go of it */
    HTTP_STATE_COUNT
};

struct http_conn {
    uv_tcp_t tcp;
    int fd; /* of tcp, which closes it */
    struct http *http;
    struct http_conn *previous, *next; /* in the list of its state */
    struct http_conn *next_ready;      /* in the list of those to go on with */
    enum http_state state;
    uint64_t entered_ms; /* its state, or at which WRITING last made progress */

    uint32_t slot;
    uint64_t ticket; /* of the request that is PENDING; 0: none is */
    unsigned listener;
    char remote[INET6_ADDRSTRLEN];

    bool reading;
    bool ended;    /* the peer sends no more */
    bool last;     /* close after the present answer */
    bool may_send; /* with `last`: the peer may be sending what nobody will read */
    bool in_body;  /* the head is read, the body is not */
    bool ready;    /* is in the list of those to go on with */
    bool held;     /* its answer is formatted and waits to be sent */

    struct http_buffer input; /* present request, then what came behind it */
    struct http_head head;
    struct http_frame frame;
    size_t message_bytes; /* of the present request in `input` */
    struct http_buffer inflated;
    size_t lingered_bytes;

    unsigned writes;     /* uv_writes under way */
    size_t unsent_bytes; /* when WRITING last made progress */

    uint64_t started_us;
    struct slice request_id;
    char made_request_id[REQUEST_ID_LENGTH];
};

struct http_listener {
    uv_poll_t poll;
    struct http *http;
    int fd;
    unsigned number; /* as given to http_listen */
};

struct http_list {
    struct http_conn *first, *last;
};

/* An answer in http.out. */
struct http_held {
    struct http_conn *conn;
    size_t at, length;
};

struct http {
    struct http_options options;
    uint64_t timeout_ms[HTTP_STATE_COUNT]; /* 0: none */
    struct http_list lists[HTTP_STATE_COUNT];
    unsigned conns_max;
    struct http_conn **slots; /* slot -> connection or NULL */
    uint32_t *free_slots;
    uint32_t free_slot_count;
    uint64_t generation;     /* last one given */
    struct http_conn *spare; /* connection objects to use again, by next_ready */
    struct http_conn *first_ready, **last_ready;
    struct http_conn *first_later, **last_later; /* those that had their turn, and have more */
    struct http_pool pool;
    struct http_inflate *inflater;

    struct http_listener *listeners[HTTP_LISTENERS_MAX];
    unsigned listener_count;
    bool accepting;           /* the listeners are polled */
    uint64_t accept_again_ms; /* after an error of accept() */
    uint64_t complained_ms;   /* about being full */

    char *out;                /* HTTP_OUT_BYTES: answers being formatted */
    size_t out_length;        /* of those that `corked` has not sent yet, or that are held */
    struct http_conn *corked; /* the connection being worked on */
    bool holding;             /* then none is */
    uint64_t held_us;         /* since when; the end of all requests that are answered meanwhile */
    struct http_held held[HTTP_HELD_MAX];
    unsigned held_count;
    char *scrap; /* HTTP_BLOCK_BYTES: what is read to be thrown away */

    uv_timer_t tick;
    uv_check_t after_reading; /* goes on with those that were read from in this turn */
    uv_idle_t turning; /* while somebody waits for the next turn, the loop waits for nothing */
    uint64_t trimmed_ms;
    uint64_t turn_loop_ms, turn_wall_ms; /* of the loop's present turn; 0: not asked yet */
    uv_timer_t drain_timer;
    http_drained_fn *on_drained;
    void *drain_owner;
    bool draining;
    bool closing;
    unsigned open_handles; /* libuv's, connections included */
};

/* http.c */
void http_enter(struct http_conn *conn, enum http_state state);
uint64_t http_ticket_make(struct http *http, uint32_t slot);
/* NULL: its connection is gone, or it has been answered, or there is no http. */
struct http_conn *http_find(const struct http *http, uint64_t ticket);
/* NULL: none is left, or out of memory. */
struct http_conn *http_conn_allocate(struct http *http);
void http_conn_free(struct http_conn *conn);
void http_on_handle_closed(struct http *http);
/* The loop comes round once more at once, whether or not something happens meanwhile. */
void http_turn_soon(struct http *http);

/* http_listen.c */
/* Polls the listeners or not, as connections are left to give. */
void http_accept_or_wait(struct http *http);
void http_listeners_close(struct http *http);

/* http_conn.c */
/* Takes over `fd`, which is closed on failure. */
void http_conn_open(struct http *http, unsigned listener, int fd, const char *remote);
void http_conn_close(struct http_conn *conn);
/* Goes on with what has come, until more is needed or an answer is awaited. */
void http_conn_run(struct http_conn *conn);
/* The same with all that have been read from. */
void http_run_ready(struct http *http);
/* And with those that had more than a turn's worth. Once in a turn of the loop. */
void http_run_turn(struct http *http);
/* Has it answered by the owner or with a problem; closes afterwards. */
void http_conn_refuse(struct http_conn *conn, enum status status);
/* The answer has been formatted: forgets the request. */
void http_conn_answered(struct http_conn *conn);

/* http_reply.c */
/* The client's X-Request-Id when it is sound, else a new one. As long as the request. */
struct slice http_request_id(struct http_conn *conn);
void http_send_problem(struct http_conn *conn, enum status status, const char *detail,
                       struct slice headers);
void http_send_continue(struct http_conn *conn);
/* Hands what was formatted to the kernel. */
void http_flush(struct http_conn *conn);

#endif
