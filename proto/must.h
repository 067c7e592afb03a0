/* MUST(condition) guards what only a bug can break. It stays on in release:
 * going on with a broken invariant could acknowledge what is not stored. What a
 * peer, a disk or Redis can cause is an `enum status` instead. */
#ifndef HOTLEAD_PROTO_MUST_H
#define HOTLEAD_PROTO_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "hotlead: bug: %s:%d: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
