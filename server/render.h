/* Renders the member of an outbox operation: the same bytes whenever and wherever it is done,
 * from the journal and the task's row as it was put. Any thread, each with its own renderer. */
#ifndef HOTLEAD_SERVER_RENDER_H
#define HOTLEAD_SERVER_RENDER_H

#include "proto/text.h"
#include "server/journal.h"
#include "server/site.h"

struct renderer {
    struct journal_reader *reader;   /* released by the caller */
    const struct registry *registry; /* of the calling thread */
    const struct hash_key *id_key;
    const char *node, *prefix;
    struct optin *optin; /* scratch */
};

/* Appends the member. NOT_FOUND, CORRUPT: its opt-in cannot be read. BUSY, IO: it cannot now. */
enum status render_member(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                          const struct task_row *task, struct text *out);

/* As above, with the opt-in's payload at hand, and that of the task's more_seq (empty: none). */
enum status render_member_of(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                             const struct task_row *task, struct slice payload, struct slice more,
                             struct text *out);

#endif
