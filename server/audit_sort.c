#include "server/audit_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/must.h"

/* A part of the file that is in order, and what of it is in memory while it is merged. */
struct run {
    uint64_t offset, items; /* still to be read */
    char *buffer;
    size_t held, at; /* items in the buffer, and the one that comes next */
};

struct audit_sort {
    size_t item_bytes;
    size_t capacity, count; /* items of `memory` */
    char *memory;
    const char *scratch;
    int fd; /* -1: nothing was written yet */
    uint64_t file_bytes;
    enum status status;

    struct run *runs;
    size_t run_count;
    bool reading;
    size_t next;  /* without runs: in `memory` */
    size_t *heap; /* runs that have items, the least first */
    size_t heap_count;
    bool handed_out; /* the heap's first item was, and is in the way now */
};

struct audit_sort *audit_sort_open(size_t item_bytes, size_t memory_bytes, const char *scratch)
{
    struct audit_sort *sort = calloc(1, sizeof *sort);

    if (!sort)
        return NULL;
    sort->item_bytes = item_bytes;
    sort->capacity = memory_bytes / item_bytes + 1;
    sort->scratch = scratch;
    sort->fd = -1;
    sort->memory = malloc(sort->capacity * item_bytes);
    if (!sort->memory) {
        free(sort);
        return NULL;
    }
    return sort;
}

void audit_sort_close(struct audit_sort *sort)
{
    if (!sort)
        return;
    if (sort->fd >= 0)
        close(sort->fd);
    free(sort->memory);
    free(sort->runs);
    free(sort->heap);
    free(sort);
}

enum status audit_sort_status(const struct audit_sort *sort)
{
    return sort->status;
}

static void fail(struct audit_sort *sort, int error)
{
    if (sort->status == STATUS_OK)
        sort->status =
            error == ENOSPC || error == EDQUOT || error == EFBIG ? STATUS_DISK_FULL : STATUS_IO;
}

/* --- writing ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b, void *item_bytes)
{
    return memcmp(a, b, *(const size_t *)item_bytes);
}

static void sort_memory(struct audit_sort *sort)
{
    qsort_r(sort->memory, sort->count, sort->item_bytes, compare, &sort->item_bytes);
}

/* Without a name, so that nothing is left of it however the process ends. */
static bool open_file(struct audit_sort *sort)
{
    char path[4096];

    if (sort->fd >= 0)
        return true;
    sort->fd = open(sort->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (sort->fd >= 0)
        return true;
    /* Not every file system knows such files. */
    if (snprintf(path, sizeof path, "%s/hotlead-sort-XXXXXX", sort->scratch) < (int)sizeof path)
        sort->fd = mkostemp(path, O_CLOEXEC);
    if (sort->fd >= 0)
        unlink(path);
    else
        fail(sort, errno);
    return sort->fd >= 0;
}

static void write_all(struct audit_sort *sort, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = pwrite(sort->fd, bytes, length, (off_t)sort->file_bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            fail(sort, written < 0 ? errno : ENOSPC);
            return;
        }
        bytes += written;
        length -= (size_t)written;
        sort->file_bytes += (uint64_t)written;
    }
}

static bool add_run(struct audit_sort *sort)
{
    if ((sort->run_count & (sort->run_count + 1)) == 0) { /* room doubles */
        size_t capacity = 2 * (sort->run_count + 1);
        struct run *larger = realloc(sort->runs, capacity * sizeof *larger);
        if (!larger) {
            sort->status = STATUS_BUSY;
            return false;
        }
        sort->runs = larger;
    }
    sort->runs[sort->run_count++] = (struct run){.offset = sort->file_bytes, .items = sort->count};
    return true;
}

static void spill(struct audit_sort *sort)
{
    sort_memory(sort);
    if (open_file(sort) && add_run(sort))
        write_all(sort, sort->memory, sort->count * sort->item_bytes);
    sort->count = 0;
}

void audit_sort_add(struct audit_sort *sort, const void *item)
{
    MUST(!sort->reading);
    if (sort->status != STATUS_OK)
        return;
    if (sort->count == sort->capacity)
        spill(sort);
    memcpy(sort->memory + sort->count++ * sort->item_bytes, item, sort->item_bytes);
}

/* --- reading ----------------------------------------------------------------------------- */

static const char *head(const struct audit_sort *sort, size_t run)
{
    return sort->runs[run].buffer + sort->runs[run].at * sort->item_bytes;
}

static bool is_less(const struct audit_sort *sort, size_t a, size_t b)
{
    return memcmp(head(sort, sort->heap[a]), head(sort, sort->heap[b]), sort->item_bytes) < 0;
}

static void swap(struct audit_sort *sort, size_t a, size_t b)
{
    size_t run = sort->heap[a];

    sort->heap[a] = sort->heap[b];
    sort->heap[b] = run;
}

static void sink(struct audit_sort *sort, size_t place)
{
    for (;;) {
        size_t least = place, child = 2 * place + 1;
        for (size_t i = child; i < child + 2 && i < sort->heap_count; i++)
            if (is_less(sort, i, least))
                least = i;
        if (least == place)
            return;
        swap(sort, place, least);
        place = least;
    }
}

/* False: the run is at its end, or could not be read. */
static bool fill(struct audit_sort *sort, struct run *run)
{
    size_t room = sort->capacity / sort->run_count; /* items that its buffer holds */
    size_t wanted = run->items < room ? (size_t)run->items : room, bytes = 0;

    while (bytes < wanted * sort->item_bytes) {
        ssize_t length = pread(sort->fd, run->buffer + bytes, wanted * sort->item_bytes - bytes,
                               (off_t)(run->offset + bytes));
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0) {
            fail(sort, length < 0 ? errno : EIO);
            return false;
        }
        bytes += (size_t)length;
    }
    run->offset += bytes;
    run->items -= wanted;
    run->held = wanted;
    run->at = 0;
    return wanted > 0;
}

/* The memory that was filled while writing is the runs' buffers now. */
static void begin_merge(struct audit_sort *sort)
{
    size_t room = sort->capacity / sort->run_count;

    sort->heap = malloc(sort->run_count * sizeof *sort->heap);
    if (!sort->heap || room == 0) {
        sort->status = STATUS_BUSY;
        return;
    }
    for (size_t i = 0; i < sort->run_count; i++) {
        sort->runs[i].buffer = sort->memory + i * room * sort->item_bytes;
        if (fill(sort, &sort->runs[i]))
            sort->heap[sort->heap_count++] = i;
    }
    for (size_t i = sort->heap_count; i-- > 0;)
        sink(sort, i);
}

static void begin_reading(struct audit_sort *sort)
{
    sort->reading = true;
    if (sort->run_count == 0) {
        sort_memory(sort);
        return;
    }
    if (sort->count > 0)
        spill(sort);
    if (sort->status == STATUS_OK)
        begin_merge(sort);
}

static void step_over(struct audit_sort *sort)
{
    struct run *run = &sort->runs[sort->heap[0]];

    if (++run->at == run->held && !fill(sort, run))
        sort->heap[0] = sort->heap[--sort->heap_count];
    sink(sort, 0);
    sort->handed_out = false;
}

const void *audit_sort_next(struct audit_sort *sort)
{
    if (!sort->reading && sort->status == STATUS_OK)
        begin_reading(sort);
    if (sort->status == STATUS_OK && sort->handed_out)
        step_over(sort);
    if (sort->status != STATUS_OK)
        return NULL;
    if (sort->run_count == 0)
        return sort->next < sort->count ? sort->memory + sort->next++ * sort->item_bytes : NULL;
    if (sort->heap_count == 0)
        return NULL;
    sort->handed_out = true;
    return head(sort, sort->heap[0]);
}
