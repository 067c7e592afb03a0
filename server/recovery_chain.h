/* The admin chain: from the newest record of settings, keys or an epoch each names the one before
 * it, so that all settings are known before anything else is read. For recovery*.c. */
#ifndef HOTLEAD_SERVER_RECOVERY_CHAIN_H
#define HOTLEAD_SERVER_RECOVERY_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "server/journal.h"

/* Its seqs, oldest first; to be freed. BUSY: no memory; as journal_read. */
enum status recovery_admin_chain(struct journal_reader *reader, uint64_t admin_seq,
                                 uint64_t **seqs_out, size_t *count_out);

#endif
