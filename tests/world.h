/* A data folder with an engine over it and no threads: commands are decided, applied, appended
 * and committed one at a time, at times that the test chooses. Closing compares the state with
 * one rebuilt from the journal, so every test also tests apply. */
#ifndef HOTLEAD_TESTS_WORLD_H
#define HOTLEAD_TESTS_WORLD_H

#include "server/playbook.h"
#include "server/recovery.h"

struct world {
    char directory[64];
    struct log *log;
    struct recovery *recovery;
    struct engine *engine;
    struct state *state;
    struct record record;
    struct settlement settlement;
    uint64_t now_ms;
    unsigned records;                     /* made by the last command */
    unsigned made[RECORD_KIND_END];       /* the same by kind */
    struct engine_outbox operations[256]; /* told by apply since world_forget_operations */
    unsigned operation_count;
    uint32_t site, queue, agency;
    bool keeps_shipped;                                  /* from the next world_reopen on */
    bool manager;                                        /* who reports is one */
    enum credential credential;                          /* of opt-ins */
    uint16_t said_before_min;                            /* of opt-ins */
    const char *name, *timezone, *postal_code, *country; /* the same; NULL: not given */
    const char *field, *field_json;                      /* the same: one that no other field is */
    const char *value;                                   /* of reports; NULL: not given */
    const char *answers, *finds;                         /* of reports; NULL: none */
    const char *word;                                    /* of reports: a dialer's; NULL: none */
    const char *referred_by;                             /* of opt-ins; NULL: nobody */
    uint32_t source, campaign;                           /* the same: hashes; 0: not given */
    uint64_t stream_ms, stream_seq;                      /* of reports; 0: over HTTP */
    uint64_t call_at_ms;                                 /* of reports; 0: nothing was agreed */
    struct world_step {
        uint64_t now_ms;
        struct effect_step effect;
    } steps[128]; /* that came due since world_forget_steps */
    unsigned step_count;
};

#define WORLD_START_MS 1700000000000ull

/* Agency acme, queue acme.calls, site main. The folder is made in that of the environment's WORLDS,
 * else in /var/tmp: what is decided and applied does not depend on where the files lie. */
void world_open(struct world *world);
void world_close(struct world *world); /* compares with a rebuild, removes the folder */
void world_reopen(struct world *world, bool clean, bool rebuild);

/* What a decision is told that is made now. */
struct turn world_turn(const struct world *world);
/* Begins world->record as one of the first person's, whose row it returns: for records that no
 * decision makes. */
struct person_row world_begin_record(struct world *world, enum record_kind kind);

enum status world_do(struct world *world, const struct command *command);
uint32_t world_admin(struct world *world, enum entity_kind entity, const char *settings);

/* An opt-in with these identifiers (NULL: none) and flags of the intake. */
enum status world_optin(struct world *world, const char *phone, const char *email,
                        const char *event, const char *content, uint8_t flags);
enum status world_report(struct world *world, uint64_t task, unsigned delivery, unsigned op,
                         unsigned outcome, const char *agent);
enum status world_popped(struct world *world, uint64_t pushed_seq); /* the queue is empty */

/* Lets time pass and does what is due; returns how many records that made. */
unsigned world_pass(struct world *world, uint64_t ms);

/* The same to a moment, in the steps in which a server does it: whatever is due, at its time. */
void world_live(struct world *world, uint64_t until_ms);
void world_forget_steps(struct world *world);

bool world_task(struct world *world, uint64_t person, uint64_t task, struct task_row *out);
/* The person's first open task of a channel; number 0: there is none. */
struct task_row world_open_task(struct world *world, uint64_t person, enum task_channel channel);
bool world_person(struct world *world, uint64_t person, struct person_row *out);
unsigned world_visible(struct world *world, uint32_t queue);
void world_forget_operations(struct world *world);
char *world_dump(struct world *world); /* to be freed */

#endif
