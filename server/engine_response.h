/* Which opt-in a call answers, and where that came from; and calls that become the answer to one
 * that came since. engine*.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_RESPONSE_H
#define HOTLEAD_SERVER_ENGINE_RESPONSE_H

#include "server/engine_internal.h"

/* By which site the opt-in of this record came, and from where. False: it is none. */
struct origin {
    uint32_t site, source, campaign;
};
bool engine_find_came_from(struct engine *engine, uint64_t optin_seq, struct origin *out);
/* The source stands with a call where it is not the person's. */
void life_note_source(const struct life *life, struct task_row *row, const struct origin *origin);
/* Its call is about this opt-in, also where the newest words of the person are others. */
void life_tell_optin(const struct life *life, struct task_row *row,
                     const struct effect_optin *decision);

/* The open call is a first response to it from now on; false: that is promised sooner as it is, or
 * somebody has it in hand, who is not disturbed. */
bool life_hasten_open(struct life *life, struct task_row *open,
                      const struct effect_optin *decision);
/* What comes back from somebody's hand, before it is put: it is a first response from now on to
 * what the person has opted in with meanwhile. */
void life_hasten_back(struct life *life, struct task_row *row);

#endif
