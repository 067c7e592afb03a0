/* Sorts more than fits into memory: items of one size, in the order of their bytes, so keys are
 * big-endian and stand first. What does not fit is sorted in parts that are written to an unnamed
 * file and merged while they are read. For audit*.c; one thread. */
#ifndef HOTLEAD_SERVER_AUDIT_SORT_H
#define HOTLEAD_SERVER_AUDIT_SORT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

struct audit_sort;

/* `scratch`: the folder of the file. NULL: out of memory. */
struct audit_sort *audit_sort_open(size_t item_bytes, size_t memory_bytes, const char *scratch);
void audit_sort_close(struct audit_sort *sort);

/* A failure (DISK_FULL, IO) is kept: audit_sort_status. */
void audit_sort_add(struct audit_sort *sort, const void *item);
enum status audit_sort_status(const struct audit_sort *sort);

/* The next item in order, after the last one was added; NULL: no more, or a failure. Valid until
 * the next call. */
const void *audit_sort_next(struct audit_sort *sort);

#endif
