/* One report's way through the decision: shared by engine_report.c and engine_late.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_HEARING_H
#define HOTLEAD_SERVER_ENGINE_HEARING_H

#include "server/engine_alone.h"

struct hearing {
    struct engine *engine;
    const struct command *command;
    struct command_report said; /* the command's, once it is understood */
    const struct command_report *report;
    const struct turn *turn;
    struct record *record;
    struct settlement *settlement;
    struct engine_person who;
    struct task_row row; /* number 0: not open */
    uint32_t queue;      /* that the task was put on */
    uint64_t opened_ms;  /* the task */
    enum task_channel channel;
    struct hash identity;
    struct life *life;
    struct life *alone;   /* of whose words the task tells, where several are one */
    struct report words;  /* what the report says */
    struct news news;     /* of it: what is found out */
    bool reached;         /* by that, in a new way */
    struct slice payload; /* the report as it is stored */
    bool unknown_word;    /* its outcome is a dialer's word that means nothing to the playbook */
};

/* `contact_ms`: when the person was tried, 0: it was not. */
void hearing_begin(struct hearing *hearing, enum record_kind kind, uint64_t contact_ms);
/* INVALID: somebody who can be told has answers that cannot be. Of a stream they are kept as they
 * are, and the record says so. */
enum status hearing_read_words(struct hearing *hearing);
/* What is known of the person, if that is another thing by this record, stands in it. */
void hearing_keep_known(struct hearing *hearing);
/* What it brings is known from now on. */
void hearing_take_news(struct hearing *hearing);
/* What comes of that, once the task at hand is dealt with: the first response, if none was
 * possible; and the open call learns the number that it lacked. */
void hearing_follow_news(struct hearing *hearing);
/* What was heard. The value stands in the report's own words. */
void hearing_listen(struct hearing *hearing, struct heard *out);
enum status hearing_finish(struct hearing *hearing, enum status answer);
enum status hearing_refuse(struct hearing *hearing, enum status answer);

/* --- behind an outcome (engine_late.c) ---------------------------------------------------- */

enum status hearing_late(struct hearing *hearing);
enum status hearing_amend(struct hearing *hearing);
/* The task's outcome may long be known. */
enum status hearing_signal(struct hearing *hearing);
/* A wish holds for those as well whose words the task, which is of that person, has told, and who
 * are not one with whom the report is about. */
void hearing_tell_others(struct hearing *hearing, const struct engine_person *of,
                         const struct heard *heard);

#endif
