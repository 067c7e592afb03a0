/* Between the writing and the reading of a result's JSON: the plain fields of each struct stand in
 * one table, and both directions walk it, so what is written is what is read. A field's kind
 * follows from its type in C; the two cannot disagree. */
#ifndef HOTLEAD_BENCH_RESULT_JSON_H
#define HOTLEAD_BENCH_RESULT_JSON_H

#include <stddef.h>

#include "bench/result.h"

enum kind {
    KIND_TEXT,
    KIND_REAL,
    KIND_COUNT,  /* uint64_t, below 2^63 */
    KIND_SMALL,  /* unsigned */
    KIND_SIGNED, /* int, not negative */
    KIND_TRUTH,
    KIND_DIGITS /* any uint64_t, as text */
};

struct field {
    const char *name;
    enum kind kind;
    size_t offset, size;
};

#define KIND_OF(value)                                                                             \
    _Generic((value), char *: KIND_TEXT, double: KIND_REAL, uint64_t: KIND_COUNT,                  \
             unsigned: KIND_SMALL, int: KIND_SIGNED, bool: KIND_TRUTH)
#define MEMBER(owner, name) (((struct owner *)0)->name)
/* clang-format off */
#define FIELD_AS(kind, owner, name) \
    {#name, kind, offsetof(struct owner, name), sizeof(MEMBER(owner, name))}
/* clang-format on */
#define FIELD(owner, name) FIELD_AS(KIND_OF(MEMBER(owner, name)), owner, name)
#define FIELDS_END                                                                                 \
    {                                                                                              \
        NULL, KIND_TEXT, 0, 0                                                                      \
    }

/* Each ends with FIELDS_END. */
extern const struct field result_json_fields[];
extern const struct field result_json_machine[];
extern const struct field result_json_disk[];
extern const struct field result_json_answer[];
extern const struct field result_json_check[];
extern const struct field result_json_second[];

#endif
