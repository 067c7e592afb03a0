/* The sender's two halves. load.c has the plan: which opt-in is to be sent when, and what became of
 * it. load_conn.c has the connections: sockets, bytes, answers. */
#ifndef HOTLEAD_BENCH_LOAD_INTERNAL_H
#define HOTLEAD_BENCH_LOAD_INTERNAL_H

#include <llhttp.h>
#include <netinet/in.h>
#include <sys/queue.h>

#include "bench/load.h"

#define LOAD_INPUT_BYTES (64 * 1024)

enum conn_state {
    CONN_CLOSED,     /* no socket. With new_connections that is how a free one looks */
    CONN_CONNECTING, /* with a request when there is one for each connection */
    CONN_FREE,
    CONN_BUSY,   /* with a request */
    CONN_LEAVING /* has its answer; the server is to close it, see conn_leave() */
};

struct conn {
    TAILQ_ENTRY(conn) free_entry; /* while `listed` */
    struct load *load;
    int fd; /* -1: none */
    uint32_t index, generation;
    enum conn_state state;
    bool listed;     /* can be given a request */
    bool tried;      /* it stood or was refused since load_start */
    bool useful;     /* it brought an answer since it was connected */
    bool carries;    /* `answer` is of a request that has none yet */
    bool keep_alive; /* the server keeps the connection behind this answer */
    bool complete;   /* so is the answer */
    unsigned refusals;
    uint64_t since_ns; /* its state began */
    uint64_t retry_ns; /* CLOSED: when to connect again */
    size_t written;    /* bytes of its request */
    bool unsent;       /* not all of them */
    struct load_answer answer;
    llhttp_t parser;
    size_t name_matched; /* bytes of a header's name that are the one we look for */
    char *kept;          /* LOAD_BODY_BYTES_MAX: a body that does not come in one piece */
};

TAILQ_HEAD(conn_list, conn);

/* A place in the plan. */
struct plan {
    struct schedule schedule;
    uint64_t count; /* requests before it */
    uint64_t at_ns; /* the moment of the next; 0 in a closed loop, which sends when it can */
};

struct load {
    struct load_options options;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    struct plan sending, coming;  /* the same, read at two places */
    uint64_t started_ns, done_ns; /* 0: not yet, as all of these */
    uint64_t begun_ns;            /* of the plan */
    uint64_t stopped_ns;
    uint64_t cpu_begun_ns, cpu_done_ns;
    uint64_t waited_begun_ns, waited_done_ns; /* for a core */
    uint64_t armed_ns;                        /* for which moment the timer is set */
    uint64_t late_ns_max;
    uint64_t answered, failed, in_flight, connects;
    bool closing;
    const char *why; /* the last connection could not be made */

    struct conn *conns;
    struct conn_list free;
    unsigned open;    /* connections that stand */
    unsigned untried; /* of those that are kept */
    char *bodies;

    int epoll, timer;
    uv_poll_t poll;
    uv_timer_t tick;
    unsigned handles;
    char input[LOAD_INPUT_BYTES];
};

/* --- load_conn.c --- */

void conn_init(struct conn *conn, struct load *load, uint32_t index);
void conn_connect(struct conn *conn);
/* It is free and gets a request, which is sent at once or as soon as it is connected. */
void conn_take(struct conn *conn, const struct load_answer *next);
/* `events` are epoll's. */
void conn_ready(struct conn *conn, unsigned events);
/* What has waited for too long, and what is to be connected again. */
void conn_tick(struct conn *conn, uint64_t now_ns);
/* Closes its socket; what it carries is forgotten. */
void conn_drop(struct conn *conn);

/* --- load.c --- */

void load_list_free(struct load *load, struct conn *conn);
void load_unlist(struct load *load, struct conn *conn);
/* A connection stands, or could not be made: `error` then. */
void load_tried(struct load *load, struct conn *conn, const char *error);
void load_answered(struct load *load, const struct load_answer *answer);

#endif
