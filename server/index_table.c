#include "server/index_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/must.h"

#define HEADER_BYTES 4096
#define NUMBER_MASK  ((1ull << INDEX_NUMBER_BITS) - 1)

/* Slots moved with an insert while the table doubles: done long before the old one fills, unless
 * the process is restarted again and again (see move_some). */
#define MOVED_AT_ONCE 64

static const char magic[8] = "hl-index";

_Static_assert(sizeof(struct index_file_header) == 32, "stored");
_Static_assert(INDEX_TAG_BITS + INDEX_NUMBER_BITS == 64, "a slot is 8 bytes");

static enum status status_of(int code)
{
    switch (code) {
    case 0:
        return STATUS_OK;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_DISK_FULL;
    default:
        return STATUS_IO;
    }
}

/* --- files ---------------------------------------------------------------- */

static size_t file_bytes(uint32_t bits)
{
    return HEADER_BYTES + (sizeof(uint64_t) << bits);
}

/* The mapping outlives the descriptor. */
static enum status file_map(struct index_file *file, int fd, size_t bytes)
{
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (mapped == MAP_FAILED)
        return STATUS_IO;
    *file = (struct index_file){mapped, (uint64_t *)((char *)mapped + HEADER_BYTES), bytes};
    return STATUS_OK;
}

static void file_close(struct index_file *file)
{
    if (file->header)
        munmap(file->header, file->bytes);
    *file = (struct index_file){0};
}

/* An empty table, not complete yet. Its blocks are taken now: a hole that the disk had no
 * room for would end the process (SIGBUS) when it is written. */
static enum status file_make(struct index_file *file, const char *path, uint32_t bits)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return status_of(errno);
    enum status status = status_of(posix_fallocate(fd, 0, (off_t)file_bytes(bits)));
    if (status == STATUS_OK)
        status = file_map(file, fd, file_bytes(bits));
    close(fd);
    if (status != STATUS_OK) {
        unlink(path);
        return status;
    }
    memcpy(file->header->magic, magic, sizeof magic);
    file->header->version = INDEX_TABLE_VERSION;
    file->header->bits = bits;
    return STATUS_OK;
}

static bool file_is_sound(const struct index_file *file)
{
    const struct index_file_header *header = file->header;

    return memcmp(header->magic, magic, sizeof magic) == 0 &&
           header->version == INDEX_TABLE_VERSION && header->bits > 0 &&
           header->bits <= INDEX_TAG_BITS && file_bytes(header->bits) == file->bytes &&
           header->complete == 1 && header->count < 1ull << header->bits;
}

static enum status file_open(struct index_file *file, const char *path)
{
    struct stat entry;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return status_of(errno);
    enum status status = fstat(fd, &entry) == 0 ? STATUS_OK : status_of(errno);
    if (status == STATUS_OK && entry.st_size < HEADER_BYTES)
        status = STATUS_CORRUPT;
    if (status == STATUS_OK)
        status = file_map(file, fd, (size_t)entry.st_size);
    close(fd);
    if (status == STATUS_OK && !file_is_sound(file)) {
        file_close(file);
        status = STATUS_CORRUPT;
    }
    return status;
}

/* --- slots ---------------------------------------------------------------- */

static uint64_t file_slots(const struct index_file *file)
{
    return 1ull << file->header->bits;
}

static uint64_t position(const struct index_file *file, uint64_t place, uint64_t steps)
{
    uint64_t home = place >> (64 - file->header->bits);

    return (home + steps) & (file_slots(file) - 1);
}

/* A slot's own place: the top of the hash, zeroes below. */
static uint64_t place_of(uint64_t slot)
{
    return slot & ~NUMBER_MASK;
}

/* Into a file that has room. False: it was there. */
static bool file_put(struct index_file *file, uint64_t slot)
{
    uint64_t steps = 0, at = position(file, slot, 0);

    while (file->slots[at] != 0) {
        if (file->slots[at] == slot)
            return false;
        at = position(file, slot, ++steps);
    }
    file->slots[at] = slot;
    file->header->count++;
    return true;
}

static bool file_has(const struct index_file *file, uint64_t slot)
{
    uint64_t steps = 0, at = position(file, slot, 0);

    while (file->slots[at] != 0 && file->slots[at] != slot)
        at = position(file, slot, ++steps);
    return file->slots[at] == slot;
}

/* --- the table ------------------------------------------------------------ */

static char *next_path(const struct index_table *table)
{
    char *path;

    return asprintf(&path, "%s.new", table->path) < 0 ? NULL : path;
}

static enum status begin_next(struct index_table *table, uint32_t bits)
{
    char *path = next_path(table);
    enum status status = path ? file_make(&table->next, path, bits) : STATUS_IO;

    table->moved = 0;
    free(path);
    return status;
}

/* The next file has everything: it takes the name and the place of the present one. */
static enum status end_next(struct index_table *table)
{
    char *path = next_path(table);

    table->next.header->complete = 1;
    bool renamed = path && rename(path, table->path) == 0;
    free(path);
    if (!renamed)
        return STATUS_IO;
    file_close(&table->now);
    table->now = table->next;
    table->next = (struct index_file){0};
    return STATUS_OK;
}

static void give_up_next(struct index_table *table)
{
    char *path = next_path(table);

    file_close(&table->next);
    if (path)
        unlink(path);
    free(path);
}

enum status table_create(struct index_table *table, const char *path, uint32_t bits)
{
    *table = (struct index_table){.path = strdup(path)};
    enum status status = table->path ? begin_next(table, bits) : STATUS_IO;

    if (status == STATUS_OK)
        status = end_next(table);
    if (status != STATUS_OK)
        table_close(table);
    return status;
}

enum status table_open(struct index_table *table, const char *path)
{
    *table = (struct index_table){.path = strdup(path)};
    enum status status = table->path ? file_open(&table->now, path) : STATUS_IO;

    if (status != STATUS_OK)
        table_close(table);
    return status;
}

void table_close(struct index_table *table)
{
    if (table->next.header)
        give_up_next(table);
    file_close(&table->now);
    free(table->path);
    *table = (struct index_table){0};
}

bool table_is_open(const struct index_table *table)
{
    return table->now.header != NULL;
}

enum status table_sync(const struct index_table *table)
{
    const struct index_file *file = &table->now;

    return msync(file->header, file->bytes, MS_SYNC) == 0 ? STATUS_OK : status_of(errno);
}

uint64_t table_bytes(const struct index_table *table)
{
    return table->now.bytes + table->next.bytes;
}

static bool is_nearly_full(const struct index_file *file)
{
    return file->header->count >= file_slots(file) / 8 * 7;
}

/* Every start begins a doubling anew. One that restarts never let come to its end is done at one
 * blow before the table is full, when looking for what is not there would not end. */
static enum status move_some(struct index_table *table)
{
    uint64_t slots = file_slots(&table->now), until = table->moved + MOVED_AT_ONCE;

    if (until > slots || is_nearly_full(&table->now))
        until = slots;
    while (table->moved < until) {
        uint64_t slot = table->now.slots[table->moved++];
        if (slot != 0)
            file_put(&table->next, slot);
    }
    return table->moved < slots ? STATUS_OK : end_next(table);
}

/* Starts doubling when half is taken; the largest table is filled further, then full. */
static enum status make_room(struct index_table *table)
{
    const struct index_file_header *header = table->now.header;

    if (header->bits == INDEX_TAG_BITS)
        return is_nearly_full(&table->now) ? STATUS_DISK_FULL : STATUS_OK;
    if (table->next.header || header->count < file_slots(&table->now) / 2)
        return STATUS_OK;
    return begin_next(table, header->bits + 1);
}

enum status table_insert(struct index_table *table, uint64_t place, uint64_t number)
{
    uint64_t slot = place_of(place) | number;

    MUST(number > 0 && number <= NUMBER_MASK);
    /* What is there must neither make it grow nor fail for want of room. */
    if (file_has(&table->now, slot))
        return STATUS_OK;
    enum status status = make_room(table);
    if (status != STATUS_OK)
        return status;
    file_put(&table->now, slot);
    if (!table->next.header)
        return STATUS_OK;
    file_put(&table->next, slot);
    return move_some(table);
}

void table_prefetch(const struct index_table *table, uint64_t place)
{
    if (table_is_open(table))
        __builtin_prefetch(&table->now.slots[position(&table->now, place, 0)], 1);
}

bool table_next(const struct index_table *table, uint64_t place, uint64_t *steps,
                uint64_t *number_out)
{
    const struct index_file *file = &table->now;

    while (*steps < file_slots(file)) {
        uint64_t slot = file->slots[position(file, place, *steps)];
        if (slot == 0)
            return false;
        ++*steps;
        if (place_of(slot) == place_of(place)) {
            *number_out = slot & NUMBER_MASK;
            return true;
        }
    }
    return false;
}
