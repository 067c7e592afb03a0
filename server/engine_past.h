/* What an amendment needs of the person's history: shared by engine_past.c and engine_report.c
 * only.
 */
#ifndef HOTLEAD_SERVER_ENGINE_PAST_H
#define HOTLEAD_SERVER_ENGINE_PAST_H

#include "server/engine_alone.h"

/* What there was of the person, walked newest first, and what of it concerns the amended task. */
struct past {
    uint64_t task;
    enum task_channel channel;
    struct record_header header; /* of the outcome that ended the task; seq 0: not found */
    struct effect_report ended;
    uint64_t contacted_ms;         /* when the attempt was made that ended in it */
    struct person_row before;      /* the row before that */
    struct person_row after;       /* and as the last word about the task has left it */
    struct person_row base;        /* where somebody put it by hand, and */
    struct person_row counted_row; /* as the outcome has left it, if no amendment says: */
    enum outcome counted;          /* what it is counted as, */
    uint8_t counted_cut;           /* and the cadence that it cut, by the newest amendment */
    uint64_t referred;             /* whom the task named as sent, and nobody before; 0: none */
    bool is_counted;
    unsigned base_events; /* how many events there were since */
    bool has_before, has_after, has_base;
    bool base_is_newer; /* than the outcome */
    bool is_whole;      /* the history is not longer than is walked */
    bool is_latest;     /* nothing else was heard of the person since */
    bool was_attempt;   /* by some word about the task */
    bool was_stopped;   /* "never again" was said about it, */
    bool is_stopped;    /* or is the last word about another one, or came by a merge; */
    bool was_taken_up;  /* but not since that: a consent came in between */
    uint16_t silenced;  /* channels, by others since the outcome, */
    uint16_t opened;    /* but not since that: they were used again in between */

    /* What was said of the person's tasks, each once, by the last word about it. */
    unsigned known, count;
    struct {
        uint64_t task;
        enum outcome outcome;
    } of[LOOKS_BACK + 1];
    struct {
        unsigned which; /* task ended, or that it was an opt-in */
        uint64_t contact_ms;
    } events[LOOKS_BACK + 1]; /* newest first */
};

/* `outcome`: what the task, of that channel, is amended to. */
void life_look_back(struct life *life, uint64_t task, enum task_channel channel,
                    enum outcome outcome, struct past *past);
/* What the outcome made of the person is undone as far as nothing has come since, and what is said
 * instead is heard. */
void life_amend(struct life *life, const struct past *past, const struct heard *heard);

/* What is counted anew; the row is as the amendment leaves it. */
struct effect_amended life_amended(const struct life *life, const struct past *past);

#endif
