/* Each of several people who are one, alone: shared by engine*.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_ALONE_H
#define HOTLEAD_SERVER_ENGINE_ALONE_H

#include "server/engine_internal.h"

/* People who are one: who is left, and all who are merged into it. */
struct company {
    unsigned count;
    struct alone {
        struct engine_person who; /* number and row; no task, and the history of who is left */
        struct person_row before; /* as it is stored */
        bool is_new;              /* it is not */
        bool speaks;              /* the record's words are this one's */
        bool comes;               /* it is one with the others from the record on */
    } of[1 + MERGED_MAX];
};

/* `kept` is who is left. */
void engine_load_company(struct engine *engine, const struct engine_person *kept,
                         struct company *out);
struct alone *company_find(struct company *company, uint64_t number); /* NULL: it is not of them */
struct alone *company_add(struct company *company, const struct engine_person *who);

/* Who of them is found by this phone or e-mail alone; 0: nobody. */
uint64_t company_whose(struct engine *engine, const struct company *company, struct hash hash,
                       bool phone);
/* Takes out of what was said by which another one of them is found than who speaks; true: there was
 * something. */
bool life_leave_out_others(const struct life *life, struct effect_received *facts);

/* False: `seq` is 0, or the record cannot be read. */
bool engine_read_record(struct engine *engine, uint64_t seq, struct record_view *out);
/* Whose words the record of an opt-in, or of an update, holds, be it one with others or not; where
 * that is not known, `person`'s. */
uint64_t engine_whose(struct engine *engine, uint64_t said_seq, uint64_t person);
/* A task of the person as it is, or was last; false: there was none. */
bool engine_find_told(struct engine *engine, const struct engine_person *who, uint64_t task,
                      struct task_row *out);
/* Whose words it tells, or has told last. */
uint64_t engine_whose_task(struct engine *engine, const struct engine_person *who, uint64_t task);

#define OTHERS_MOST 8 /* as many as a record has room for */
/* Who is left of those whose words a task of that person has told, and who are not whom the life is
 * of: how many. */
unsigned life_told_to_others(const struct life *life, const struct engine_person *of, uint64_t task,
                             uint64_t numbers_out[OTHERS_MOST]);

/* By the phone, else by the e-mail; what is nobody's is of who is left. Nothing is asked where
 * nobody is merged into the person. */
void life_hear_from(struct life *life, const struct effect_received *facts);
/* The words are those of whom the opt-in is that the task tells. */
void life_hear_about(struct life *life, const struct task_row *task);
/* Begins the life of who speaks, alone. False: there is nobody else to be told. */
bool life_begin_alone(struct life *own, const struct life *life);
/* The same of any of them, who does not speak. */
void life_begin_of(struct life *own, const struct life *life, struct alone *alone);
/* Begins the life alone of the one whose step or call is opened, with nothing said; false: it is
 * that of them all. */
bool life_begin_planner(struct life *own, const struct life *life, const struct task_row *task);
/* A task is withdrawn, and not because of what they said whose it is: it is owed to them. */
void life_owe(struct life *life, const struct task_row *task);
void alone_owe(struct person_row *row, const struct task_row *task, uint64_t now_ms);
/* Somebody has called: no first response is owed any more. */
void alone_respond(struct person_row *row);
/* Each of several people who are one may have said it. What else is planned of them alone stays,
 * for when it is taken back. */
void life_share_wish(struct life *life, const struct heard *heard);
/* It was not said after all: what holds of them together no more holds of none of them. */
void life_share_end_of_wish(struct life *life);
/* Who missed the promise of this task. */
void life_note_missed(struct life *life, const struct task_row *task);

/* One step fewer to be given back: it has been done all the same. */
void alone_forget_step(struct person_row *row, const struct task_row *task);

/* What the record at hand makes of each of them; once at its end. */
void company_end(struct life *life, struct record *record);
/* Only what was made of them already. */
void company_write(const struct life *life, struct company *company, struct record *record);

#endif
