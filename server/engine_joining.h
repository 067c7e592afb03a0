/* Shared by engine_merge.c, engine_unmerge.c, and what they need of engine_known.c. */
#ifndef HOTLEAD_SERVER_ENGINE_JOINING_H
#define HOTLEAD_SERVER_ENGINE_JOINING_H

#include "server/engine_alone.h"

/* Two people who become one, or are two again. */
struct joining {
    struct engine *engine;
    const struct turn *turn;
    struct settlement *settlement;
    struct engine_person kept, other;
    struct life life; /* the kept one's; for a moment the other's */
    struct effect_merged merged;
};

/* What somebody has to the row of whom the life is: all but what is known, and tasks. `again`: it
 * is of those already, so that its calls were seen to. */
void life_join(struct life *life, const struct person_row *other, bool again);

enum status joining_refuse(struct joining *joining, enum status status, enum denial why);

/* Ends the record and the answer. `has_known`: what is known of the kept one has changed. */
void joining_seal(struct joining *joining, const struct command *command, enum record_kind kind,
                  bool has_known, struct record *record);

/* CONFLICT: they are not merged, or the record of it cannot be read. */
enum status joining_undo(struct joining *joining, const struct command *command,
                         struct record *record);

/* What another one brought is not known any more, as far as nothing has changed it since; by the
 * record of theirs, and that of the person from before (engine_known.c). */
void life_part_known(struct life *life, uint64_t theirs_seq, uint64_t before_seq);

#endif
