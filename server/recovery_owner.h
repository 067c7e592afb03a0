/* Whether state, which is not synced, can be trusted: its folder has a file OWNER, which says
 * whether it was put away well, and under which boot of the machine it was last written. Any
 * thread. */
#ifndef HOTLEAD_SERVER_RECOVERY_OWNER_H
#define HOTLEAD_SERVER_RECOVERY_OWNER_H

#include <stdbool.h>
#include <stddef.h>

/* False: it could not be written, or not be made sure of. */
bool recovery_owner_write(const char *state_directory, bool clean);

/* Put away well, or written under this boot, so that what the kernel had of it is there. */
bool recovery_owner_vouches(const char *state_directory);

/* How many of the file's first bytes were read; 0: none can be. */
size_t recovery_read_small(const char *path, char *buffer, size_t capacity);

#endif
