/* One mapped file of slots, open addressing: a page of header, then 2^bits slots of 8 bytes.
 *
 *   slot    28 bits: the top of the hash | 36 bits: number     0: empty
 *   home    the top `bits` bits of the hash, then linear probing
 *
 * The home is part of what a slot holds, so entries go from one file to another by their slots
 * alone; and since homes are in the order of the hashes, who takes them from one file in its order
 * puts them into the other in its order, from the beginning to the end.
 *
 * A file may be drained: slot by slot it is emptied, from the beginning. What is left in it is
 * found all the while.
 *
 * To change the layout: raise INDEX_FILE_VERSION, then old files are CORRUPT and the index
 * is built again from the journal. For index_table.c only. */
#ifndef HOTLEAD_SERVER_INDEX_FILE_H
#define HOTLEAD_SERVER_INDEX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define INDEX_FILE_VERSION 2
#define INDEX_TAG_BITS     28 /* and the most bits that a file can have */
#define INDEX_NUMBER_BITS  36

struct index_file_header {
    char magic[8];
    uint32_t version;
    uint32_t bits;
    uint64_t count;
    uint64_t drained;  /* slots before this one have been emptied */
    uint32_t complete; /* 1 from before it gets its name */
    uint32_t draining; /* 1: it takes nothing any more */
};

/* Zeroed: closed. */
struct index_file {
    struct index_file_header *header;
    uint64_t *slots;
    size_t bytes; /* all mapped */
};

/* An empty file, not complete yet. Its blocks are taken now: a hole that the disk had no
 * room for would end the process (SIGBUS) when it is written. DISK_FULL, IO. */
enum status file_make(struct index_file *file, const char *path, uint32_t bits);
/* NOT_FOUND; CORRUPT: not a whole file of this version. */
enum status file_open(struct index_file *file, const char *path);
void file_close(struct index_file *file);
bool file_is_open(const struct index_file *file);
/* Takes all pages to the disk. */
enum status file_sync(const struct index_file *file);

uint64_t file_slots(const struct index_file *file);
/* Eighths of its slots that are taken, rounded down. */
uint64_t file_eighths(const struct index_file *file);

/* A slot's own place: the top of the hash, zeroes below. */
uint64_t file_place(uint64_t slot);
uint64_t file_number(uint64_t slot);

bool file_has(const struct index_file *file, uint64_t slot);
/* Into a file that has room. A slot that is there already stays the only one. */
void file_put(struct index_file *file, uint64_t slot);
/* The next slot of that place; `steps` starts at 0. 0: there is no more. */
uint64_t file_next(const struct index_file *file, uint64_t place, uint64_t *steps);
/* It is going to be looked at soon. */
void file_prefetch(const struct index_file *file, uint64_t place);

void file_begin_drain(struct index_file *file);
/* Moves what the next `slots` slots hold. True: it is empty, and may be filled again. */
bool file_drain(struct index_file *file, struct index_file *to, unsigned slots);

#endif
