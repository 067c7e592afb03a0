/* Public ids: `opt_`, `per_`, `tsk_` and 26 Crockford base-32 characters of a
 * UUIDv7 (RFC 9562): 48 bits of time in ms, then 74 bits that hold a 44-bit
 * number masked with a keyed hash and a 30-bit keyed check.
 *
 * So an id is found without a table (the number is the journal seq, the person
 * or the task), tells a stranger nothing about how many there are, and cannot be
 * guessed (a wrong check is "not found"). Same (kind, ms, number, key), same id.
 *
 * Any thread. */
#ifndef HOTLEAD_PROTO_ID_H
#define HOTLEAD_PROTO_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/slice.h"

#define ID_TEXT_LENGTH 30 /* prefix and 26 characters, no terminator */

enum id_kind { ID_OPTIN, ID_PERSON, ID_TASK };

void id_format(char out[ID_TEXT_LENGTH], const struct hash_key *key, enum id_kind kind,
               uint64_t at_ms, uint64_t number);

/* False: not an id of that kind made with that key. Crockford rules: either
 * case, I and L read as 1, O as 0. */
bool id_parse(struct slice text, const struct hash_key *key, enum id_kind kind, uint64_t *at_ms_out,
              uint64_t *number_out);

/* 128 random-looking bits for request ids: UUIDv7 as above without a prefix. */
#define REQUEST_ID_LENGTH 26
void id_request(char out[REQUEST_ID_LENGTH], uint64_t now_ms);

#endif
