/* What the world knows from outside: what was sent and answered, what stood in the queues, what was
 * taken and said about it. world.c lets it happen, world_check.c compares it with what the node
 * has. */
#ifndef HOTLEAD_TESTS_SIM_WORLD_H
#define HOTLEAD_TESTS_SIM_WORLD_H

#include "proto/id.h"
#include "proto/task.h"
#include "tests/sim/loop.h"
#include "tests/sim/node.h"

#define WORLD_PEOPLE 8   /* most of the time */
#define WORLD_CROWD  200 /* in a rush */
#define WORLD_QUEUES 2
#define SENDINGS_MAX 768
#define SHOWN_MAX    2048
#define SPOKEN_MAX   8192
#define HTTP_MAX     64
#define LIVES_MAX    256

/* An opt-in of a visitor. Sent again, with the same key, when nobody answered. */
struct sending {
    unsigned person, site, key, content; /* key 0: none */
    bool by_phone, by_email, consent, test;
    bool waits;     /* for an answer */
    bool to_resend; /* there was none */
    bool acked;
    struct settlement answer;
};

/* A delivery that came into a queue. */
struct shown {
    uint64_t task;
    unsigned delivery, queue, times, popped;
    bool deleted; /* with its queue, which counts as popped */
};

/* A consumer's word that comes later, or once more. */
struct spoken {
    struct event event;
    char stream[64], task[ID_TEXT_LENGTH + 1], op[16], outcome[24], agent[8];
    unsigned delivery;
};

/* An outcome over HTTP. */
struct http_outcome {
    uint64_t task;
    bool waits, acked;
};

struct world {
    uint64_t seed;
    unsigned operations, operation;
    bool loses; /* Redis may forget in this run */
    bool quiet; /* no faults any more */
    struct node node;
    struct hash_key id_key; /* the node's: consumers know tasks by their ids */
    uint32_t queues[WORLD_QUEUES + 1], sites[WORLD_QUEUES + 1];
    const char *queue_keys[WORLD_QUEUES + 1], *report_keys[WORLD_QUEUES + 1];
    unsigned entities;
    struct sending sendings[SENDINGS_MAX];
    unsigned sending_count;
    struct shown shown[SHOWN_MAX];
    unsigned shown_count;
    struct spoken *spoken[SPOKEN_MAX];
    unsigned spoken_count, spoken_waiting;
    struct http_outcome http[HTTP_MAX];
    unsigned http_count;
    struct event next_operation, next_memory, next_in_rush, restart;
    unsigned rush; /* opt-ins that are still to come, one after the other */
    struct node_life lives[LIVES_MAX];
    unsigned life_count;
    char why[256]; /* what is not yet as it should be */
};

/* world.c: the whole life of one seed. False: something was broken. */
bool world_run(uint64_t seed, unsigned operations, bool aloud, uint64_t *digest_out);

extern struct world world;

/* --- world_people.c ---------------------------------------------------------------------- */

void world_opt_in(unsigned people); /* one of so many */
void world_send_again(void);        /* what nobody has answered */
void world_take_task(unsigned queue);
void world_speak_out_of_turn(void);
void world_on_answer(void *owner, const struct settlement *settlement);
/* The process died: who waited asks again later, or gives up. */
void world_forget_answers(void);
void world_on_shown(void *owner, struct slice key, struct slice member);

/* --- world_check.c ----------------------------------------------------------------------- */

/* Every delivery that should stand in a queue does, nothing else does, and nothing is due. `why`
 * says what is not so. */
bool world_is_settled(void);
/* What must hold of all that ever happened. */
void world_check_journal(void);
/* Open tasks of before then that wait for nobody but a consumer, as the node's state says. */
unsigned world_open_tasks(uint64_t before_ms);
struct shown *world_shown(uint64_t task, unsigned delivery);
/* Whose member that is; false: it is no task. */
bool world_member(struct slice member, uint64_t *task_out, unsigned *delivery_out);

#endif
