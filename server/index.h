/* The index: from keyed hashes to numbers, in memory (mapped files).
 *
 * An open-addressing table of 8-byte slots (33 bits of the hash, 36 bits of number)
 * that holds neither keys nor the truth: every hit is a candidate that the caller
 * verifies against the person's row or the journal's record. So a stale, doubled or
 * colliding slot costs a look and harms nothing, inserts can be repeated, and nothing
 * is ever deleted one by one.
 *
 * Two families: `identity` (phone, e-mail -> person) is kept for ever; `event` (idempotency,
 * content, reports -> seq) comes in generations of a day by record time, dropped whole after
 * INDEX_EVENT_DAYS. Each is a table that doubles when half full.
 *
 * The files survive kill -9 (MAP_SHARED) but not a power cut: state/OWNER decides whether
 * they are trusted. Writer thread. */
#ifndef HOTLEAD_SERVER_INDEX_H
#define HOTLEAD_SERVER_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/status.h"

#define INDEX_NUMBER_MAX ((1ull << 36) - 1)
#define INDEX_EVENT_DAYS 8

struct index;

enum index_family { INDEX_IDENTITY, INDEX_EVENT };

/* Makes the folder, which is the index's own, when missing. `fresh`: what is there is thrown
 * away. Else NOT_FOUND when there is no index and CORRUPT when a table is not sound: open a
 * fresh one and fill it again. IO, DISK_FULL (files are allocated, never sparse where it
 * could end in SIGBUS). */
enum status index_open(const char *directory, bool fresh, struct index **out);
void index_close(struct index *index); /* NULL is fine */
/* Makes it durable. */
enum status index_sync(struct index *index);

/* Idempotent. `number` is 1..INDEX_NUMBER_MAX. `now_ms` chooses the generation of an event; one
 * that is INDEX_EVENT_DAYS or more before the newest is left out, and so may be what comes under a
 * hash that has hundreds of numbers. DISK_FULL when a table could not grow (then nothing was
 * inserted). */
enum status index_insert(struct index *index, enum index_family family, struct hash hash,
                         uint64_t number, uint64_t now_ms);

/* A hash is going to be looked up soon: each of the two families waits for memory otherwise, longer
 * than all the rest of a lookup takes. */
void index_prefetch(const struct index *index, enum index_family family, struct hash hash);

/* Candidates, newest generation first. `since_ms` leaves out older generations. No insert
 * comes between index_lookup and the last index_next. */
struct index_lookup {
    struct index *index;
    enum index_family family;
    uint64_t place;
    unsigned file;  /* of the table */
    uint64_t steps; /* from the place's home slot */
    uint64_t day, oldest_day;
};
struct index_lookup index_lookup(struct index *index, enum index_family family, struct hash hash,
                                 uint64_t since_ms);
bool index_next(struct index_lookup *lookup, uint64_t *number_out);

/* Drops event generations of INDEX_EVENT_DAYS and more before now. */
void index_expire(struct index *index, uint64_t now_ms);

uint64_t index_bytes(const struct index *index);

#endif
