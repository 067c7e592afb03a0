/* The sender: connections to one server, requests at their intended moments, answers read and
 * timed. On libuv, in one thread (whoever runs the loop).
 *
 * Open loop: a request whose moment has come and that finds no free connection waits, and its
 * latency counts from the moment all the same. Closed loop (no schedule): each connection sends the
 * next as soon as it has its answer; a figure of throughput, not of latency. */
#ifndef HOTLEAD_BENCH_LOAD_H
#define HOTLEAD_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bench/people.h"
#include "bench/schedule.h"
#include "proto/slice.h"
#include "proto/status.h"

struct load;

/* All ns are uv_hrtime's. */
struct load_answer {
    uint64_t n;
    uint64_t key; /* of people_request */
    enum people_what what;
    int status;        /* of HTTP; 0: none, and `error` says why */
    const char *error; /* "time-out", "refused", "reset", "closed", "not HTTP", "no port",
                          "no descriptor", "unreachable" */
    bool replayed;     /* Idempotent-Replayed: true */
    struct slice body; /* valid during the call; its first LOAD_BODY_BYTES_MAX when longer */
    uint64_t intended_ns, sent_ns, answered_ns;
    uint64_t late_ns; /* by how much the sender itself was late, with a connection free */
};
#define LOAD_BODY_BYTES_MAX 4096

typedef void load_answer_fn(void *owner, const struct load_answer *answer);
typedef void load_done_fn(void *owner);

struct load_options {
    uv_loop_t *loop;
    const struct target *target;
    struct people *people;
    const struct schedule *schedule; /* copied; NULL: closed loop */
    uint64_t duration_ns;            /* moments behind it are not sent; 0: no bound */
    uint64_t requests_max;           /* 0: no bound */
    unsigned connections;
    bool new_connections; /* one for each request, of which `connections` at once at most */
    unsigned timeout_ms;  /* of an answer, from its sending; then the connection is given up */
    uint64_t first;       /* number of the first opt-in */
    load_answer_fn *on_answer;
    load_done_fn *on_done; /* all that was sent has its answer or has none */
    void *owner;
};

/* Resolves nothing and blocks nowhere. INVALID: the host is no numeric address. INTERNAL: out of
 * memory or descriptors (the process's soft limit of them is raised when that is enough). */
enum status load_open(const struct load_options *options, struct load **out);
/* Connects. The plan begins when each connection stands or was refused, after a second at most, so
 * that the first opt-ins are not charged with the making of connections that are kept. */
void load_start(struct load *load);
void load_stop(struct load *load); /* sends no more; on_done follows */
/* After on_done, or to give up; may be called in a callback. Nothing is called any more; freed
 * when the loop has run on. */
void load_close(struct load *load);

/* A moment that waited for timeout_ms while no connection could be had counts as sent and failed:
 * so a server that is gone ends a run, and one that comes back in time gets what waited for it. */
struct load_counts {
    uint64_t intended; /* moments that have come */
    uint64_t sent;     /* answered + failed + in_flight */
    uint64_t answered;
    uint64_t failed;  /* sent without an answer */
    uint64_t waiting; /* moments that wait for a connection now */
    uint64_t in_flight;
    uint64_t connects;    /* that succeeded */
    uint64_t late_ns_max; /* the greatest late_ns, the warm-up's too */
    uint64_t busy_ns;     /* of the loop thread's CPU time since the plan began */
    uint64_t waited_ns;   /* when it could have run and others had the core; known when it is done,
                             0 where the kernel does not tell */
    uint64_t elapsed_ns;  /* since the plan began, until it was done */
};
void load_count(const struct load *load, struct load_counts *out);

#endif
