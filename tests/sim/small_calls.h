/* Read before server/publish_push.c is. What a process sends from its disk takes several calls only
 * when hundreds of tasks wait, which no life of the world has. In some of them a call holds a few.
 */
#ifndef HOTLEAD_TESTS_SIM_SMALL_CALLS_H
#define HOTLEAD_TESTS_SIM_SMALL_CALLS_H

#include "server/publish_internal.h"

/* node.c: bytes of members in a call; never fewer than one member may have. */
size_t node_call_bytes(void);

#undef CALL_BYTES_MAX
#define CALL_BYTES_MAX node_call_bytes()

#endif
