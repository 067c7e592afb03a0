/* What to do where memory is missing and nobody can be told.
 *
 * The way of an opt-in gets its memory at start, and answers 503 where it has to ask for more. Some
 * libraries have no such answer: libuv aborts, and libphonenumber's regular expressions stay
 * unusable for ever once their making failed, which would look like a wrong number. They ask here,
 * and so do a playbook that is read and the commands that run once and end.
 * The process ends then, and a supervisor starts it again: what was acknowledged is on disk, as
 * after a kill. Any thread. */
#ifndef HOTLEAD_PROTO_MEMORY_H
#define HOTLEAD_PROTO_MEMORY_H

#include <stddef.h>

#define MEMORY_EXIT 70 /* EX_SOFTWARE: start it again */

#ifdef __cplusplus
extern "C" {
#endif

/* Says so, without any memory, and ends the process at once with MEMORY_EXIT. */
__attribute__((noreturn)) void memory_missing(void);

/* As malloc, calloc and realloc, but never NULL where something was asked for. */
void *memory_take(size_t bytes);
void *memory_take_zeroed(size_t count, size_t bytes);
void *memory_resize(void *memory, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
