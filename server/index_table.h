/* One hash table, in three files (index_file.h):
 *
 *   PATH              nearly everything
 *   PATH.a, PATH.b    a sixteenth of its size each, while it is smallest an eighth
 *
 * One of the small ones takes what comes. When it is half full they change places, and what is in
 * it goes to PATH, a few slots with each insert.
 *
 * Why not one file: a page that was written is written back by the kernel, when memory is short all
 * pages within seconds. Inserts all over a gigabyte came to 400 MB/s. So they go all over a small
 * file, and through the large one from its beginning to its end.
 *
 * The table doubles when half of PATH is taken, a few slots with each insert too, because
 * doubling at one blow would hold up every opt-in for a second in a table of ten million: a
 * larger file is filled, from its beginning to its end, from PATH, which does not change
 * meanwhile; then it takes its name. A process that dies in between leaves the old file, whole.
 * For index.c only. */
#ifndef HOTLEAD_SERVER_INDEX_TABLE_H
#define HOTLEAD_SERVER_INDEX_TABLE_H

#include "server/index_file.h"

/* What has been replaced, of no name any more. It is given back to the disk in pieces. */
struct index_leftover {
    int fd;
    uint64_t bytes; /* 0: there is none */
};

struct index_table {
    char *path;
    struct index_file main;
    struct index_file small[2];
    unsigned young; /* the small one that takes what comes; the other is drained, or rests */
    struct index_file next; /* open while the table doubles */
    uint64_t moved;         /* `next` has what stands before this slot of `main` */
    struct index_leftover leftover;
};

/* A new, empty table; its files replace those of that name. DISK_FULL, IO. */
enum status table_create(struct index_table *table, const char *path);
/* NOT_FOUND; CORRUPT: not a whole table of this version. */
enum status table_open(struct index_table *table, const char *path);
void table_close(struct index_table *table);
bool table_is_open(const struct index_table *table);
/* Its files lose their names. One that stays is found at the next start. */
void table_unlink(const struct index_table *table);
/* Whether `name`, behind what the table is called, is one of its files ("", ".a", ".b"). */
bool table_has_file(const char *suffix);

/* Takes all pages to the disk. */
enum status table_sync(const struct index_table *table);
uint64_t table_bytes(const struct index_table *table);

/* `place`: the top INDEX_PLACE_BITS of the hash. Idempotent. DISK_FULL: there is no room to grow,
 * and nothing was inserted. */
enum status table_insert(struct index_table *table, uint64_t place, uint64_t number);
/* It is going to be looked up soon. */
void table_prefetch(const struct index_table *table, uint64_t place);
/* The next number under a place. `file` and `steps` start at 0; no insert comes between. */
bool table_next(const struct index_table *table, uint64_t place, unsigned *file, uint64_t *steps,
                uint64_t *number_out);

#endif
