/* Shared by lives*.c only. */
#ifndef HOTLEAD_TESTS_LIVES_INTERNAL_H
#define HOTLEAD_TESTS_LIVES_INTERNAL_H

#include "proto/zone.h"
#include "server/render.h"
#include "tests/world.h"

#define LIVES_PEOPLE_MAX  16
#define LIVES_MEMBERS_MAX 256

struct lives_person {
    char name[16];
    uint64_t number, first_ms;
    const struct zone *zone;
    char state[256];                  /* as it was last told */
    char answer[32];                  /* how each call goes; "": nobody answers for them */
    uint64_t ended[TASK_CHANNEL_END]; /* the task of each channel that ended last */
};

/* What stands in a queue, or was taken from it. */
struct lives_member {
    uint64_t person, task;
    uint32_t queue;
    uint16_t delivery;
    struct task_row row;
};

struct members {
    struct lives_member of[LIVES_MEMBERS_MAX];
    unsigned count;
};

struct lives {
    struct world world;
    struct text *story;
    const struct zone *zone; /* of `start` */
    bool robots;
    struct lives_person people[LIVES_PEOPLE_MAX];
    unsigned count;
    struct members standing; /* as it was last looked at */
    struct members held;     /* taken, with no outcome yet */
    uint64_t told_seq;       /* records up to here are told */
    struct journal_reader *reader;
    struct optin optin; /* scratch */
};

struct lives_person *lives_numbered(struct lives *lives, uint64_t number);

/* --- telling (lives_tell.c) ------------------------------------------------------------------ */

/* `2024-03-04 15:00:00.000`, in UTC. */
void lives_tell_moment(struct text *out, uint64_t ms);
/* All that stands in the queues now, in order. */
void lives_look(struct lives *lives, struct members *out);
/* What happened since the last call, and what came to the queues and went from them. */
void lives_tell_news(struct lives *lives, struct text *out);
void lives_tell_members(struct lives *lives, struct text *out);
/* The beginning of a line about somebody, at a moment. */
void lives_tell_head(struct text *out, const struct lives_person *person, uint64_t ms,
                     const char *what);

#endif
