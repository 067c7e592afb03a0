/* Keyed 128-bit hashes (SipHash-2-4-128 of libsodium, about 0.03 us for 32
 * bytes). Identity and idempotency are looked up by these, never by the value
 * itself, so that a journal whose payload was erased names nobody. The key is
 * made when a journal is created and lives in its first record.
 *
 * Any thread. */
#ifndef HOTLEAD_PROTO_HASH_H
#define HOTLEAD_PROTO_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

#define HASH_KEY_BYTES 16

struct hash_key {
    uint8_t bytes[HASH_KEY_BYTES];
};

/* All zero means: none. hash_of never returns that. */
struct hash {
    uint8_t bytes[16];
};

/* Fixed salts keep equal values of different meanings apart. */
enum hash_domain {
    HASH_PHONE = 1,
    HASH_EMAIL = 2,
    HASH_IDEMPOTENCY = 3,
    HASH_CONTENT = 4,
    HASH_REPORT = 5,
    HASH_ID = 6,
    HASH_SOURCE = 7,
};

/* Hash of (domain, scope, value); `scope` is the agency or site number. Values
 * over 64 KiB are a bug. */
struct hash hash_of(const struct hash_key *key, enum hash_domain domain, uint64_t scope,
                    struct slice value);

/* Adds b into a so that the order of additions does not matter. */
void hash_mix(struct hash *a, struct hash b);
bool hash_equal(struct hash a, struct hash b);
bool hash_is_none(struct hash hash);

/* The first 8 bytes as a number: the place in an index. */
uint64_t hash_place(struct hash hash);
/* One that has this place; the rest of it is 0. */
struct hash hash_at(uint64_t place);

#endif
