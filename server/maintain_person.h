/* One person as text: what is known, what is open, and every record, the oldest first. */
#ifndef HOTLEAD_SERVER_MAINTAIN_PERSON_H
#define HOTLEAD_SERVER_MAINTAIN_PERSON_H

#include <stdio.h>

#include "server/journal.h"
#include "server/site.h"
#include "server/state.h"

struct maintain_person_view {
    struct state_reader *rows;
    struct journal_reader *journal;
    const struct registry *registry;
    const struct hash_key *id_key;
};

/* NOT_FOUND: that is no id of this journal, or nobody has it in this state. */
enum status maintain_print_person(const struct maintain_person_view *view, struct slice id,
                                  FILE *out);

#endif
