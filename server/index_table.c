#include "server/index_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/must.h"

#define NUMBER_MAX ((1ull << INDEX_NUMBER_BITS) - 1)

/* Of two sizes that differ by four bits one is a sixteenth of the other. */
#define SMALL_BITS_LESS 4
#define BITS_MIN        (INDEX_FILE_BITS_MIN + 3)

/* Slots moved with an insert. The small file that is drained is empty when the other is a quarter
 * full, and doubling takes two fifths of that one, so it is not full before its turn comes. */
#define DRAINED_AT_ONCE 4
#define MOVED_AT_ONCE   40

/* In eighths of the slots. A fuller one would have entries out of reach of their homes while it is
 * small. */
#define HALF 4
#define FULL 6

/* What has been replaced is given back in pieces: half a gigabyte at once would hold its opt-in
 * up for 0.15 s. Small pieces are dearer, 0.05 ms each, so it is not done with every insert. */
#define RELEASED_AT_ONCE (2u << 20)
#define RELEASE_EACH     256 /* inserts */

static const char *const small_suffix[2] = {".a", ".b"};
static const char next_suffix[] = ".new";

/* --- files ---------------------------------------------------------------- */

static char *path_with(const struct index_table *table, const char *suffix)
{
    char *path;

    return asprintf(&path, "%s%s", table->path, suffix) < 0 ? NULL : path;
}

static void unlink_with(const struct index_table *table, const char *suffix)
{
    char *path = path_with(table, suffix);

    if (path)
        unlink(path);
    free(path);
}

static uint32_t small_bits(uint32_t bits)
{
    return bits > BITS_MIN ? bits - SMALL_BITS_LESS : INDEX_FILE_BITS_MIN;
}

static struct index_file *young(struct index_table *table)
{
    return &table->small[table->young];
}

static struct index_file *other(struct index_table *table)
{
    return &table->small[!table->young];
}

static enum status make_next(const struct index_table *table, struct index_file *file,
                             uint32_t bits)
{
    char *path = path_with(table, next_suffix);
    enum status status = path ? file_make(file, path, bits) : STATUS_IO;

    free(path);
    return status;
}

/* The next file is whole and takes a name of the table's. */
static enum status name_next(const struct index_table *table, struct index_file *file,
                             const char *suffix)
{
    char *from = path_with(table, next_suffix), *to = path_with(table, suffix);

    file->header->complete = 1;
    bool renamed = from && to && rename(from, to) == 0;
    free(from);
    free(to);
    return renamed ? STATUS_OK : STATUS_IO;
}

/* Of no entries. Replaces `file`, which stays as it is when that fails. */
static enum status remake(const struct index_table *table, struct index_file *file, uint32_t bits,
                          const char *suffix)
{
    struct index_file made = {0};
    enum status status = make_next(table, &made, bits);

    if (status == STATUS_OK)
        status = name_next(table, &made, suffix);
    if (status != STATUS_OK) {
        file_close(&made);
        unlink_with(table, next_suffix);
        return status;
    }
    file_close(file);
    *file = made;
    return STATUS_OK;
}

/* --- what has been replaced ----------------------------------------------- */

static void leftover_close(struct index_leftover *leftover)
{
    if (leftover->bytes > 0)
        close(leftover->fd);
    *leftover = (struct index_leftover){0};
}

/* Before the file loses its name. None is as good: then all of it goes at once. */
static struct index_leftover leftover_open(const struct index_table *table)
{
    int fd = open(table->path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return (struct index_leftover){0};
    return (struct index_leftover){fd, table->main.bytes};
}

static void release_some(struct index_leftover *leftover)
{
    if (leftover->bytes <= RELEASED_AT_ONCE ||
        ftruncate(leftover->fd, (off_t)(leftover->bytes - RELEASED_AT_ONCE)) != 0) {
        leftover_close(leftover);
        return;
    }
    leftover->bytes -= RELEASED_AT_ONCE;
}

/* --- open and close ------------------------------------------------------- */

enum status table_create(struct index_table *table, const char *path)
{
    *table = (struct index_table){.path = strdup(path)};
    enum status status = table->path ? STATUS_OK : STATUS_IO;

    /* The main file is last: a table is there when that is. */
    for (int i = 0; status == STATUS_OK && i < 2; i++)
        status = remake(table, &table->small[i], small_bits(BITS_MIN), small_suffix[i]);
    if (status == STATUS_OK)
        status = remake(table, &table->main, BITS_MIN, "");
    if (status != STATUS_OK)
        table_close(table);
    return status;
}

static enum status open_small(struct index_table *table, int i)
{
    char *path = path_with(table, small_suffix[i]);
    enum status status = path ? file_open(&table->small[i], path) : STATUS_IO;

    free(path);
    return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

/* The one that is being drained is not young, and one that rests is empty. */
static enum status find_young(struct index_table *table)
{
    const struct index_file_header *a = table->small[0].header, *b = table->small[1].header;

    table->young = a->draining || (!b->draining && a->count == 0);
    const struct index_file_header *rest = other(table)->header;
    if (young(table)->header->draining || (!rest->draining && rest->count != 0))
        return STATUS_CORRUPT;
    return STATUS_OK;
}

enum status table_open(struct index_table *table, const char *path)
{
    *table = (struct index_table){.path = strdup(path)};
    enum status status = table->path ? file_open(&table->main, path) : STATUS_IO;

    for (int i = 0; status == STATUS_OK && i < 2; i++)
        status = open_small(table, i);
    if (status == STATUS_OK)
        status = find_young(table);
    if (status != STATUS_OK)
        table_close(table);
    return status;
}

void table_close(struct index_table *table)
{
    if (file_is_open(&table->next)) {
        file_close(&table->next);
        unlink_with(table, next_suffix);
    }
    file_close(&table->main);
    file_close(&table->small[0]);
    file_close(&table->small[1]);
    leftover_close(&table->leftover);
    free(table->path);
    *table = (struct index_table){0};
}

bool table_is_open(const struct index_table *table)
{
    return file_is_open(&table->main);
}

void table_unlink(const struct index_table *table)
{
    unlink(table->path);
    unlink_with(table, small_suffix[0]);
    unlink_with(table, small_suffix[1]);
}

bool table_has_file(const char *suffix)
{
    return suffix[0] == '\0' || strcmp(suffix, small_suffix[0]) == 0 ||
           strcmp(suffix, small_suffix[1]) == 0;
}

enum status table_sync(const struct index_table *table)
{
    enum status status = file_sync(&table->main);

    for (int i = 0; status == STATUS_OK && i < 2; i++)
        status = file_sync(&table->small[i]);
    return status;
}

uint64_t table_bytes(const struct index_table *table)
{
    return table->main.bytes + table->small[0].bytes + table->small[1].bytes + table->next.bytes;
}

/* --- doubling ------------------------------------------------------------- */

static enum status begin_doubling(struct index_table *table)
{
    table->moved = 0;
    return make_next(table, &table->next, table->main.header->bits + 1);
}

/* The next file has everything: it takes the name and the place of the present one. */
static enum status end_doubling(struct index_table *table)
{
    struct index_leftover leftover = leftover_open(table);
    enum status status = name_next(table, &table->next, "");

    if (status != STATUS_OK) {
        leftover_close(&leftover);
        return status;
    }
    leftover_close(&table->leftover);
    table->leftover = leftover;
    file_close(&table->main);
    table->main = table->next;
    table->next = (struct index_file){0};
    return STATUS_OK;
}

static enum status move_some(struct index_table *table)
{
    uint64_t slots = file_slots(&table->main);

    for (int i = 0; i < MOVED_AT_ONCE && table->moved < slots; i++)
        file_copy(&table->main, table->moved++, &table->next);
    return table->moved < slots ? STATUS_OK : end_doubling(table);
}

/* --- the small files change places ---------------------------------------- */

static enum status begin_drain(struct index_table *table)
{
    uint32_t bits = small_bits(table->main.header->bits);
    enum status status = STATUS_OK;

    /* It rests, so it is empty; once the table has doubled it is too small. */
    if (other(table)->header->bits != bits)
        status = remake(table, other(table), bits, small_suffix[!table->young]);
    if (status != STATUS_OK)
        return status;
    file_begin_drain(young(table));
    table->young = !table->young;
    return STATUS_OK;
}

/* --- insert --------------------------------------------------------------- */

static bool table_has(struct index_table *table, uint64_t place, uint64_t number)
{
    return file_has(young(table), place, number) || file_has(other(table), place, number) ||
           file_has(&table->main, place, number);
}

/* Of draining and doubling one at a time: the main file does not change while it is copied. The
 * largest possible one is filled further than half, then full. */
static enum status begin_what_is_due(struct index_table *table)
{
    uint64_t taken = file_eighths(&table->main);
    bool is_largest = table->main.header->bits == INDEX_FILE_BITS_MAX;

    if (file_is_open(&table->next) || other(table)->header->draining)
        return STATUS_OK;
    if (taken >= HALF && !is_largest)
        return begin_doubling(table);
    if (file_eighths(young(table)) < HALF)
        return STATUS_OK;
    return taken < FULL ? begin_drain(table) : STATUS_DISK_FULL;
}

static enum status go_on(struct index_table *table)
{
    if (table->leftover.bytes > 0 && young(table)->header->count % RELEASE_EACH == 0)
        release_some(&table->leftover);
    if (file_is_open(&table->next))
        return move_some(table);
    if (other(table)->header->draining)
        file_drain(other(table), &table->main, DRAINED_AT_ONCE);
    return STATUS_OK;
}

/* What is due may fail as long as there is room without it. It is late only when the disk was full
 * for so long that there is none: then this insert waits for all of it. */
static enum status make_room(struct index_table *table)
{
    enum status status = begin_what_is_due(table);

    while (status == STATUS_OK && file_eighths(young(table)) >= FULL) {
        status = go_on(table);
        if (status == STATUS_OK)
            status = begin_what_is_due(table);
    }
    return file_eighths(young(table)) < FULL ? STATUS_OK : status;
}

enum status table_insert(struct index_table *table, uint64_t place, uint64_t number)
{
    MUST(number > 0 && number <= NUMBER_MAX);
    /* What is there must neither make it grow nor fail for want of room. */
    if (table_has(table, place, number))
        return STATUS_OK;
    enum status status = make_room(table);
    if (status != STATUS_OK)
        return status;
    file_put(young(table), place, number);
    return go_on(table);
}

/* --- lookup --------------------------------------------------------------- */

void table_prefetch(const struct index_table *table, uint64_t place)
{
    if (!table_is_open(table))
        return;
    file_prefetch(&table->main, place);
    file_prefetch(&table->small[0], place);
    file_prefetch(&table->small[1], place);
}

bool table_next(const struct index_table *table, uint64_t place, unsigned *file, uint64_t *steps,
                uint64_t *number_out)
{
    const struct index_file *files[] = {&table->small[0], &table->small[1], &table->main};

    for (; *file < sizeof files / sizeof files[0]; ++*file, *steps = 0) {
        *number_out = file_next(files[*file], place, steps);
        if (*number_out != 0)
            return true;
    }
    return false;
}
