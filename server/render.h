/* Renders the member of an outbox operation: the same bytes whenever and wherever it is done,
 * from the journal and the task's row as it was put. Any thread, each with its own renderer. */
#ifndef HOTLEAD_SERVER_RENDER_H
#define HOTLEAD_SERVER_RENDER_H

#include "proto/id.h"
#include "proto/task.h"
#include "proto/text.h"
#include "server/journal.h"
#include "server/site.h"

struct renderer {
    struct journal_reader *reader;   /* released by the caller */
    const struct registry *registry; /* of the calling thread */
    const struct hash_key *id_key;
    const char *node, *prefix;
    struct optin *optin; /* scratch */
    bool keeps; /* what is the same in all tasks of an opt-in, until it is to be forgotten */

    /* What was rendered last, when that is kept. */
    bool has_words;
    uint64_t person, optin_seq, received_ms, more_seq; /* whose they are */
    char person_id[ID_TEXT_LENGTH], optin_id[ID_TEXT_LENGTH];
    struct task_words words;
};

/* What was kept is of a record that is done with: its seq may come again, and its words may be
 * erased. */
static inline void render_forget(struct renderer *renderer)
{
    renderer->has_words = false;
}

/* Appends the member. NOT_FOUND, CORRUPT: its opt-in cannot be read. BUSY, IO: it cannot now. */
enum status render_member(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                          const struct task_row *task, struct text *out);

/* Payloads of the records that a task names by optin_seq, more_seq and known_seq (empty: none). */
struct render_words {
    struct slice said, more, known;
};
/* As above, with these at hand. */
enum status render_member_of(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                             const struct task_row *task, const struct render_words *words,
                             struct text *out);

#endif
