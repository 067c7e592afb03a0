/* Looks at every record of a journal: checksums, numbering, chains, effects. Shares no code with
 * the engine but the reading of a record, so that it also finds what the engine did wrong. */
#ifndef HOTLEAD_SERVER_CHECK_H
#define HOTLEAD_SERVER_CHECK_H

#include <stdio.h>

#include "server/journal.h"

struct check_result {
    uint64_t records;
    uint64_t wrong; /* records with something wrong, each named on `out` */
    uint64_t erased;
    uint64_t last_seq;
    struct effect_epoch epoch; /* the newest */
};

/* IO, BUSY: it could not be read to its end. OK says nothing about `wrong`. */
enum status check_journal(struct journal *journal, FILE *out, struct check_result *result_out);

#endif
