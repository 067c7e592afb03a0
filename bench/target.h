/* What is measured: where opt-ins are sent to, how they look there, and where their tasks come out.
 * hotlead, or a peer that does a part of its work. */
#ifndef HOTLEAD_BENCH_TARGET_H
#define HOTLEAD_BENCH_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "bench/process.h"
#include "proto/slice.h"

#define TARGET_TEXT_MAX 256

enum target_kind {
    TARGET_HOTLEAD, /* bodies of all kinds to its routes; a task names its opt-in's id, as the 2xx
                       does */
    TARGET_PEER,    /* one JSON body to one path; a task holds the body, so it names the sender's
                       number */
};

enum target_shape {
    TARGET_ZSET,   /* BZMPOP MIN */
    TARGET_LIST,   /* LPUSH or RPUSH, popped from the other end */
    TARGET_BULLMQ, /* a list of job ids, popped from its right end, and a hash `data` of each */
    TARGET_NOWHERE /* nothing comes out: a floor */
};

struct target_site {
    char secret[TARGET_TEXT_MAX]; /* sk_... */
    char open[TARGET_TEXT_MAX];   /* pk_..., "" when unknown: then only JSON is sent */
};

struct target {
    enum target_kind kind;
    char name[64];
    char host[TARGET_TEXT_MAX]; /* numeric address */
    unsigned port;
    char redis_url[TARGET_TEXT_MAX]; /* redis://... or unix:///path; "" for a floor */
    enum target_shape shape;
    char key[TARGET_TEXT_MAX]; /* of the queue: "hl:{acme.calls}:tasks", "optins", "bull:optins:" */
    bool pop_left;             /* of a LIST: which end */

    /* hotlead */
    struct target_site *sites; /* owned by who made it */
    size_t site_count;
    char token[TARGET_TEXT_MAX];     /* an administrator's, for /metrics; "": unknown */
    char admin_url[TARGET_TEXT_MAX]; /* where /metrics is; "": where opt-ins are sent */
    char reports[TARGET_TEXT_MAX]; /* "hl:{acme.calls}:reports:n1", a fallback: a task names its own
                                    */

    char emails[TARGET_TEXT_MAX]; /* the robots' queue: "acme.email"; "": it is left alone */
    char playbook[64];            /* "default", "calls (1a2b3c4d)"; "" unknown */

    /* a peer */
    char method[8];
    char path[TARGET_TEXT_MAX];

    /* "" or a process of ours, whose CPU and memory can be read */
    struct process server, redis; /* pid 0: not ours */
};

/* What an opt-in and its task are matched by: of hotlead the hash of the opt-in's public id, of a
 * peer the sender's number itself. */
uint64_t target_key(struct slice id);

/* Finds the key in a 2xx body (hotlead: "id":"opt_..."; a peer's names nothing) or in a task
 * (hotlead: "optin":"opt_..."; peers: "email":"visitor-<salt>-<n>@..."). False: there is none.
 * A peer's task names the person, so a peer is to be sent new people only. Any thread. */
bool target_key_of_answer(const struct target *target, struct slice body, uint64_t *key_out);
bool target_key_of_task(const struct target *target, struct slice task, uint64_t *key_out);

#endif
