/* Shared by engine*.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_INTERNAL_H
#define HOTLEAD_SERVER_ENGINE_INTERNAL_H

#include "proto/json.h"
#include "server/engine.h"

/* The person that the record at hand is about, loaded once and written once. */
struct engine_person {
    uint64_t number; /* 0: none */
    uint64_t last_seq;
    struct person_row row;
    struct task_row task; /* number 0: none is open */
};

struct engine {
    struct engine_options options;
    struct engine_person person; /* apply's */
    struct json *json;           /* for settings, which are rare */
    struct optin *optin;         /* one that is compared with what came again */
};

/* A task as it stands, and whose. */
struct open_task {
    uint64_t person;
    struct engine_person who;
    struct task_row row; /* number 0: it is not open (any more) */
};

bool engine_load_person(struct engine *engine, uint64_t number, struct engine_person *out);

/* The open task of that number among the person's. */
bool engine_open_task(struct engine *engine, const struct engine_person *who, uint64_t task,
                      struct task_row *out);

/* The next outbox seq of a queue; `taken` counts those that the record at hand took before. */
uint64_t engine_outbox_seq(struct engine *engine, uint32_t queue, unsigned taken);

/* Withdraws the delivery that was out and puts the next one; a deadline that passed during the
 * lease is a breach when that ended. Returns the drop's outbox seq. */
uint64_t engine_requeue(struct engine *engine, struct task_row *row, uint64_t given_back_ms);

/* Sets the row's one due entry from what it waits for. */
void engine_schedule(struct task_row *row);

void engine_begin(struct record *record, enum record_kind kind, const struct turn *turn,
                  uint64_t person, uint64_t person_prev, uint32_t agency);
void engine_effect(struct record *record, enum effect_kind kind, const void *effect, size_t bytes);

enum status engine_decide_optin(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement);

/* Who has this phone or e-mail? An answer without a record. */
enum status engine_decide_find(struct engine *engine, const struct command *command,
                               struct settlement *settlement);

enum status engine_decide_report(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement);

#endif
