/* From names to numbers: ids of each kind, public keys, hashes of secrets. Open addressing
 * under a seeded hash; the names themselves stay with the entities and are compared there. */
#ifndef HOTLEAD_SERVER_SITE_NAMES_H
#define HOTLEAD_SERVER_SITE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct name_slot;

/* Has number this name, in this space? */
typedef bool name_match_fn(const void *owner, uint32_t space, uint32_t number, struct slice name);

struct names {
    struct name_slot *slots;
    size_t count, capacity; /* at most half full */
    uint64_t seed;
    name_match_fn *has_name;
    const void *owner;
};

/* False: out of memory. */
bool names_open(struct names *names, name_match_fn *has_name, const void *owner);
void names_close(struct names *names);
void names_clear(struct names *names);

/* 0: nobody has it. */
uint32_t names_find(const struct names *names, uint32_t space, struct slice name);

/* Room for `more` names, so that adding them cannot fail. */
bool names_reserve(struct names *names, size_t more);
void names_add(struct names *names, uint32_t space, struct slice name, uint32_t number);
void names_remove(struct names *names, uint32_t space, struct slice name, uint32_t number);

#endif
