/* Looks at every record of a journal: checksums, numbering, chains, effects. Shares no code with
 * the engine but the reading of a record, so that it also finds what the engine did wrong. */
#ifndef HOTLEAD_SERVER_MAINTAIN_CHECK_H
#define HOTLEAD_SERVER_MAINTAIN_CHECK_H

#include <stdio.h>

#include "server/journal.h"

struct maintain_found {
    uint64_t records;
    uint64_t wrong; /* records with something wrong, each named on `out` */
    uint64_t erased;
    uint64_t last_seq;
    struct effect_epoch epoch; /* the newest */
};

/* IO, BUSY: it could not be read to its end. OK says nothing about `wrong`. */
enum status maintain_check(struct journal *journal, FILE *out, struct maintain_found *result_out);

#endif
