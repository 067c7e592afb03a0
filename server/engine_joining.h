/* Shared by engine_merge.c, engine_unmerge.c, engine_whose.c, engine_apart*.c, and what they need
 * of engine_life.c and engine_known.c. */
#ifndef HOTLEAD_SERVER_ENGINE_JOINING_H
#define HOTLEAD_SERVER_ENGINE_JOINING_H

#include "server/engine_internal.h"

/* Two people who become one, or are two again. */
struct joining {
    struct engine *engine;
    const struct turn *turn;
    struct settlement *settlement;
    struct engine_person kept, other;
    struct life life; /* the kept one's; for a moment the other's */
    struct effect_merged merged;
    uint64_t merge_seq; /* of the undo: the record that says so */
};

/* The other one's row to the kept one's: all but what is known of both, and tasks. */
void joining_add(struct joining *joining);

enum status joining_refuse(struct joining *joining, enum status status, enum denial why);

/* Ends the record and the answer. `has_known`: what is known of the kept one has changed. */
void joining_seal(struct joining *joining, const struct command *command, enum record_kind kind,
                  bool has_known, struct record *record);

/* CONFLICT: they are not merged, or the record of it cannot be read. */
enum status joining_undo(struct joining *joining, const struct command *command,
                         struct record *record);

/* --- the kept one alone (engine_apart.c) --------------------------------------------------- */

/* What its history says of it without the other. */
struct apart {
    struct joining *joining;
    struct person_row after; /* the kept one's row behind that merge, */
    struct person_row base;  /* and from before all merges that are undone by now */
    bool has_begun;          /* tried, taken up, or put elsewhere since then */
    bool has_come;           /* it has opted in since the merge, */
    bool other_has_come;     /* and so has the other one */
    bool is_owed;            /* a response, which a merge has withdrawn */
    bool is_stopped;         /* "never again", and */
    uint16_t silenced;       /* silences, that were said while the two were one */
    uint32_t stopped_s;
    unsigned own_silenced, gone_silenced; /* what the kept one has ever had of its own, and what */
    bool own_stopped, gone_stopped;       /* those had brought who are gone, or go */
    struct effect_task_end ends[OPEN_TASKS_MAX]; /* its tasks that merges have withdrawn */
    unsigned end_count;
    unsigned count;
    uint64_t seqs[LOOKS_BACK]; /* its records since then, newest first, */
    unsigned amended_count;
    struct {
        uint64_t task, seq; /* the last word about the task */
        bool is_told;
    } amended[LOOKS_BACK]; /* and which of them amend */
};

/* Puts the kept one's row as it is without the other. The joining and `after` are set. */
void joining_part(struct apart *apart);

/* --- whose it is (engine_whose.c) --------------------------------------------------------- */

/* What an opt-in says of who it is from. */
struct from {
    struct hash phone, email;
    bool is_named;
};
enum whose {
    NOBODYS,
    OURS,   /* the kept one's, and of those who stay */
    THEIRS, /* of who is gone, or goes */
};

/* Nothing in it: the words cannot be read, or were erased. */
struct from joining_from(const struct joining *joining, uint64_t seq);
enum whose joining_whose(const struct joining *joining, struct hash hash, bool phone);
enum whose joining_whose_words(const struct joining *joining, const struct from *from);
/* Whether the words of that record are THEIRS. */
bool joining_is_others(const struct joining *joining, uint64_t seq);
/* Whether a person is `whom`, or is merged into it. */
bool joining_is_of(const struct joining *joining, uint64_t person, uint64_t whom);
bool joining_read(const struct joining *joining, uint64_t seq, struct record_view *out);

/* --- from one row to the next (engine_apart_row.c) ---------------------------------------- */

struct person_row *apart_row(struct apart *apart); /* without the other one, so far */

/* Counts, score and touches. */
void apart_note(struct apart *apart, const struct person_row *before,
                const struct person_row *after);
/* Plans: whatever of them the merge has not changed went on as it did; */
void apart_follow(struct person_row *row, const struct person_row *before,
                  const struct person_row *after);
/* or somebody has begun with the person, or put it elsewhere, and that goes on; */
void apart_begin(struct apart *apart, const struct person_row *after);
/* the one or the other, as the rows say. */
void apart_follow_or_begin(struct apart *apart, const struct person_row *before,
                           const struct person_row *after);
/* What takes a silence back, or "never again". */
void apart_take_back(struct person_row *row, const struct person_row *before,
                     const struct person_row *after);
/* What was said is the kept one's from now on; `since`: and the other one's, who was one with it.
 */
void apart_add_wishes(struct apart *apart, unsigned silenced, bool stops, uint32_t stopped_s,
                      bool since);
/* Wishes that came to the row by no record of its own, or by one that is not looked at. */
void apart_note_wishes(struct apart *apart, const struct person_row *before,
                       const struct person_row *after);
bool apart_is_since_merge(const struct apart *apart); /* the record at hand */

/* --- what was said (engine_apart_words.c) ------------------------------------------------- */

void apart_tell_optin(struct apart *apart, const struct record_view *record,
                      const struct person_row *before, const struct person_row *after);
void apart_tell_word(struct apart *apart, const struct record_view *record,
                     const struct person_row *before, const struct person_row *after);

/* --- of scores (engine_life.c), and of what is known (engine_known.c) --------------------- */

/* What a row's score has gained since another one is the person's as well. */
void life_score_since(struct life *life, const struct person_row *from,
                      const struct person_row *to);
/* What another one brought is not known any more, as far as nothing has changed it since; by the
 * record of theirs, and that of the person from before. */
void life_part_known(struct life *life, uint64_t theirs_seq, uint64_t before_seq);

#endif
