/* One hash table in one mapped file: a page of header, then 2^bits slots of 8 bytes.
 *
 *   slot    28 bits: the top of the hash | 36 bits: number     0: empty
 *   home    the top `bits` bits of the hash, then linear probing
 *
 * The home is part of what a slot holds, so a table doubles from its slots alone. It does so
 * when half of them are taken, a few slots with each insert, because doubling at one blow
 * would hold up every opt-in for a second in a table of ten million: the larger file is
 * filled beside the one in use, which takes all inserts too and answers all lookups until the
 * new one has everything and takes its name. A process that dies in between leaves the old
 * table, whole; if that goes on until it is nearly full, it is doubled at one blow after all.
 *
 * To change the layout: raise INDEX_TABLE_VERSION, then old files are CORRUPT and the index
 * is built again from the journal. For index.c only. */
#ifndef HOTLEAD_SERVER_INDEX_TABLE_H
#define HOTLEAD_SERVER_INDEX_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define INDEX_TABLE_VERSION 1
#define INDEX_TAG_BITS      28 /* and the most bits that a table can have */
#define INDEX_NUMBER_BITS   36

struct index_file_header {
    char magic[8];
    uint32_t version;
    uint32_t bits;
    uint64_t count;
    uint64_t complete; /* 1 from before it gets its name */
};

/* Zeroed: closed. */
struct index_file {
    struct index_file_header *header;
    uint64_t *slots;
    size_t bytes; /* all mapped */
};

struct index_table {
    char *path;
    struct index_file now;
    struct index_file next; /* open while the table doubles */
    uint64_t moved;         /* slots of `now` that `next` has */
};

/* A new, empty table; its file replaces one of that name. DISK_FULL, IO. */
enum status table_create(struct index_table *table, const char *path, uint32_t bits);
/* NOT_FOUND; CORRUPT: not a whole table of this version. */
enum status table_open(struct index_table *table, const char *path);
void table_close(struct index_table *table);
bool table_is_open(const struct index_table *table);

/* Takes all pages to the disk. */
enum status table_sync(const struct index_table *table);
uint64_t table_bytes(const struct index_table *table);

/* Nothing happens when it is there. DISK_FULL, IO: it could not grow. */
enum status table_insert(struct index_table *table, uint64_t place, uint64_t number);

/* Asks for the memory where a place is looked for, which is rarely in a cache. */
void table_prefetch(const struct index_table *table, uint64_t place);

/* The next number under a place. `steps` starts at 0; no insert comes between. */
bool table_next(const struct index_table *table, uint64_t place, uint64_t *steps,
                uint64_t *number_out);

#endif
