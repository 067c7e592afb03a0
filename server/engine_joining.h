/* Shared by engine_merge.c and engine_unmerge.c only. */
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
};

enum status joining_refuse(struct joining *joining, enum status status, enum denial why);

/* Ends the record and the answer. `has_known`: what is known of the kept one has changed. */
void joining_seal(struct joining *joining, const struct command *command, enum record_kind kind,
                  bool has_known, struct record *record);

/* CONFLICT: they are not merged, or the record of it cannot be read. */
enum status joining_undo(struct joining *joining, const struct command *command,
                         struct record *record);

#endif
