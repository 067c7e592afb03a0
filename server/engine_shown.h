/* How a person can be reached: what is taken of what is said (engine_words.c), what leads to whom
 * (engine_edge.c), and what a task shows of it (engine_shown.c). engine*.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_SHOWN_H
#define HOTLEAD_SERVER_ENGINE_SHOWN_H

#include "server/engine_internal.h"

#define PHONE_CHANNELS (1u << TASK_CALL | 1u << TASK_SMS | 1u << TASK_VOICEMAIL)

/* Input from outside adds to a person; it overwrites nothing but a wrong number and an address that
 * bounced. `said_seq`: whose payload it is; `review`: it may be somebody else's. */
void engine_add_words(struct engine *engine, struct engine_person *who,
                      const struct effect_received *facts, uint64_t said_seq, bool review);
/* Whoever opts in once more with the number that was reported wrong is called on it again. */
void engine_stand_by(struct person_row *row, const struct effect_received *facts, uint64_t said_seq,
                     bool review);
/* Later tasks are told of them, and written to the addresses that stand there. */
bool engine_is_own_words(const struct effect_received *facts, bool review);
/* A test, or a suspect one: nobody is contacted for it. */
bool engine_is_only_looked_at(const struct effect_received *facts);

/* A number or an address that nobody had leads to that person as well; none, or not. */
void life_lead(struct life *life, uint64_t person, struct hash said, bool phone);
/* The same of what was said beside the person's own; or it leads to whose words these are.
 * `review`: it may be somebody else's. */
void life_found_by(struct life *life, const struct effect_received *facts, bool review);
/* A second number of the person, or of whose words these are, leads to nobody; false: it is none.
 */
bool life_drop_phone(struct life *life, struct hash phone);
/* And it leads there again, unless somebody has it. */
void life_regain_phone(struct life *life, struct hash phone);
/* What has given way to another since `before` still leads to the person. */
void life_keep_found(struct life *life, const struct person_row *before);

/* --- what is shown ------------------------------------------------------------------------- */

/* Takes the number out of the newest words where it is not the person's any more. */
void life_hide_wrong(struct life *life, struct optin *newest);

/* Once it is known whose words the task shows: which of their numbers and addresses it does not,
 * and where what its channel needs is found instead. */
void life_mark_shown(struct life *life, struct task_row *row);

/* A number was found that is known by now, none: none was. True: the call showed none, and shows
 * that one from now on. */
bool life_show_found(struct life *life, struct hash phone, struct task_row *call);

/* The number, or the address, that was found out of the person; none: none was. */
struct hash life_found(struct life *life, bool phone);
void life_forget_found(struct life *life, bool phone);

/* What was heard may be that the number which the task showed is wrong. A second one is the
 * person's no more; and where the newest opt-in says another one beside its own, that counts from
 * now on. Returns the channels that are used as before all the same, as bits. */
unsigned life_hear_wrong(struct life *life, const struct heard *heard);
/* The task shows what was just heard to be wrong. */
bool life_shows_wrong(struct life *life, const struct task_row *row);
/* What the task showed is not wrong after all: it leads to the person, if to nobody else. */
void life_hear_right(struct life *life, const struct heard *heard);

#endif
