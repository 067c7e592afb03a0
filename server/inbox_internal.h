/* inbox.c reads streams and submits; inbox_entry.c makes a report of an entry. */
#ifndef HOTLEAD_SERVER_INBOX_INTERNAL_H
#define HOTLEAD_SERVER_INBOX_INTERNAL_H

#include "proto/report.h"
#include "server/inbox.h"

/* The id of a stream entry; ids rise within a stream. */
struct inbox_id {
    uint64_t ms, seq;
};

/* "1700000000000-3". False: it is none. */
bool inbox_id_read(struct slice text, struct inbox_id *out);
int inbox_id_compare(struct inbox_id a, struct inbox_id b);
struct inbox_id inbox_id_before(struct inbox_id id); /* of 0-0: itself */

/* One entry of XREAD, as a checked report whose slices live as long as the reply. MALFORMED: not
 * even an entry. INVALID: its id is good, but what consumers wrote is no report. */
enum status inbox_entry_read(const struct redis_reply *entry, struct inbox_id *id_out,
                             struct report *report_out);

#endif
