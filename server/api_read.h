/* Reading what is stored: short transactions on the loop, behind a barrier, so that whoever was
 * just told "stored" also sees it. */
#ifndef HOTLEAD_SERVER_API_READ_H
#define HOTLEAD_SERVER_API_READ_H

#include "server/api_internal.h"

#define PERSON_NONE UINT64_MAX
/* Of one person, newest first; a chain longer than that is read in pages. */
#define READ_RECORDS_MAX 4096

/* Open while one answer is written. */
struct reading {
    struct api *api;
    struct journal_reader *journal;
    struct state_reader *state;
    struct effect_received received; /* see read_later */
};

/* Waits for the barrier, then lets `run` write the answer's body. Numbers of the call's id are
 * in pending->read; NOT_FOUND is also the answer for what is not the caller's. */
void read_begin(struct api *api, const struct api_call *call, enum id_kind kind, read_fn *run);

/* Looks for a person first; pending->read.person is PERSON_NONE when there is none. */
void read_find(struct api *api, const struct api_call *call, const struct effect_received *facts,
               uint32_t agency, read_fn *run);

/* What `run` returns to be called again once the person of reading->received was looked for. */
#define READ_LATER STATUS_ACCEPTED

/* One page of what an agency has, from before a seq on. */
struct read_page {
    uint32_t agency, site, limit; /* site 0: all */
    uint64_t before, number;
};
void read_list(struct api *api, const struct api_call *call, const struct read_page *page,
               read_fn *run);

/* What is with an agent, from a deadline and a task on: `run` finds them in pending->read.number,
 * at_ms and before. */
void read_work(struct api *api, const struct api_call *call, uint32_t agent, uint64_t deadline_ms,
               uint64_t task, read_fn *run);

/* Figures; `run` finds them in pending->read.figures. */
void read_figures(struct api *api, const struct api_call *call, const struct figures_query *query,
                  read_fn *run);

bool read_is_callers(const struct pending *pending, uint32_t agency);

/* The record of a public id's number; NOT_FOUND when it is not that old or not the caller's. */
enum status read_record(struct reading *reading, const struct pending *pending, uint64_t seq,
                        uint64_t at_ms, struct record_view *out);

void write_member_ms(struct text *out, const char *name, uint64_t ms);          /* null for 0 */
void write_member_text(struct text *out, const char *name, struct slice value); /* or null */

/* --- api_person.c: a record as its history shows it ------------------------------ */

/* `person`: whose it is told of; it may have happened to somebody who is the same one now. */
void write_event(struct reading *reading, struct text *out, uint64_t person,
                 const struct record_view *record);

/* --- api_story.c: what became of a task ----------------------------------------- */

struct task_story {
    struct task_row row;
    bool is_open;
    uint64_t person, person_first_ms;
    uint32_t agency;
    uint64_t ended_ms;
    enum outcome outcome;             /* NONE: open, or ended without one */
    char agent[REPORT_AGENT_MAX + 1]; /* who reported last; "" */
};

enum status read_story(struct reading *reading, uint64_t task, struct task_story *story);
/* `{"id":...` of a task, not closed. */
void write_story(const struct reading *reading, struct text *out, const struct task_story *story);
/* The opt-in that was said in `record` (of that seq), and what became of it: `optin`, NULL while it
 * is not decided. */
enum status write_optin(struct reading *reading, struct text *out, uint64_t seq,
                        const struct record_view *record, const struct effect_optin *optin);
const char *story_state(const struct task_story *story);

/* --- api_people.c: people and people -------------------------------------------- */

/* Members of a person, each with a comma before it. */
void write_edges(struct reading *reading, struct text *out, uint64_t person);

/* The histories of who is one now, and, of those whom they were one with, what they said then. */
#define READ_CHAINS_MAX 33
struct read_chains {
    unsigned count;
    struct read_chain {
        uint64_t person;
        uint64_t seq;   /* of the newest record that is not told yet; 0: none */
        uint64_t whose; /* only what concerns this one is told; 0: all of it */
    } of[READ_CHAINS_MAX];
};
/* From before a record of theirs on; 0: from the newest. NOT_FOUND: it is none of theirs. */
enum status read_chains(struct reading *reading, uint64_t person, uint64_t before,
                        struct read_chains *out);
uint64_t read_newest(const struct read_chains *chains); /* 0: that was all */
/* Behind a record that has been told. */
enum status read_go_on(struct reading *reading, struct read_chains *chains,
                       const struct record_view *told);

/* --- api_person.c ---------------------------------------------------------------- */

/* Name, phone, e-mail and more, as members. */
void write_who(struct reading *reading, struct text *out, uint64_t person,
               const struct person_row *row);

/* --- api_hand.c ------------------------------------------------------------------- */

void write_moved(const struct api *api, struct text *out, const struct effect_moved *moved);

/* --- api_life.c: what comes next, in the words of the playbook ------------------ */

/* Members of a person; each begins with a comma. */
void write_life(const struct reading *reading, struct text *out, const struct person_row *row);
/* An agent's id; null for 0, and for one that is gone. */
void write_agent(const struct reading *reading, struct text *out, const char *name, uint32_t agent);
/* What was found out about it, as members. */
void write_known(struct reading *reading, struct text *out, const struct person_row *row);
/* The payload's, in memory of the journal; empty: nothing is known, or it was erased. */
struct slice read_known(struct reading *reading, const struct person_row *row);
/* Of an event of its history: the step, what it waits for, the escalation, how things stood then,
 * and whose the person or a task became. As it is told to `whom`, who may be another one than the
 * record is of. */
void write_happened(struct reading *reading, struct text *out, uint64_t whom,
                    const struct record_view *record);

#endif
