/* One mapped file of slots, open addressing: a page of header, then 2^bits slots of 8 bytes.
 *
 *   place   the top 33 bits of a hash
 *   slot    28 bits: the place's lower ones | 36 bits: number     0: empty
 *   home    the top `bits` bits of the place, then linear probing
 *
 * The place's upper five bits are not stored, because where a slot stands says them. A slot's upper
 * bits are the lower ones of its home, so it is known how far behind its home it stands, as long as
 * that is less than 2^(bits - 5). So more of a hash is told apart than a slot has room for, and a
 * look into the journal for a slot that belongs to another hash is rare.
 *
 * Entries go from one file to another by their slots alone; and since homes are in the order of the
 * hashes, who takes them from one file in its order puts them into the other in its order, from the
 * beginning to the end.
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

#define INDEX_FILE_VERSION  3
#define INDEX_PLACE_BITS    33
#define INDEX_TAG_BITS      28
#define INDEX_NUMBER_BITS   36
#define INDEX_FILE_BITS_MIN 15
#define INDEX_FILE_BITS_MAX 32

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

bool file_has(const struct index_file *file, uint64_t place, uint64_t number);
/* Into a file that has room. What is there already is there once. When hundreds have the same place
 * further ones are left out, so that its neighbours are in reach of their homes. */
void file_put(struct index_file *file, uint64_t place, uint64_t number);
/* Puts what slot `at` of a file holds into another. */
void file_copy(const struct index_file *from, uint64_t at, struct index_file *to);
/* The next number under a place; `steps` starts at 0. 0: there is no more. */
uint64_t file_next(const struct index_file *file, uint64_t place, uint64_t *steps);
/* It is going to be looked at soon. */
void file_prefetch(const struct index_file *file, uint64_t place);

void file_begin_drain(struct index_file *file);
/* Moves what the next `slots` slots hold. True: it is empty, and may be filled again. */
bool file_drain(struct index_file *file, struct index_file *to, unsigned slots);

#endif
