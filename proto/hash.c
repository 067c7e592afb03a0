#include "proto/hash.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "proto/must.h"

#define VALUE_BYTES_MAX (64 * 1024)

/* What is hashed, written the same on every machine because hashes are stored:
 *
 *   domain u8 | scope u64 little endian | value                       short values
 *   domain u8 + 0x80 | scope u64 little endian | hash of value 16     long ones
 *
 * A long value is hashed where it lies; the high bit keeps it from being mistaken
 * for a short value that happens to be that hash. */
#define HEAD_BYTES      9
#define VALUE_SHORT_MAX 247
#define DOMAIN_LONG     0x80

static void put_le64(uint8_t *bytes, uint64_t number)
{
    number = htole64(number);
    memcpy(bytes, &number, sizeof(number));
}

static uint64_t get_le64(const uint8_t *bytes)
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    return le64toh(number);
}

static struct hash siphash(const struct hash_key *key, const void *bytes, size_t length)
{
    struct hash hash;

    _Static_assert(sizeof(hash.bytes) == crypto_shorthash_siphashx24_BYTES, "128 bits");
    _Static_assert(sizeof(key->bytes) == crypto_shorthash_siphashx24_KEYBYTES, "128 bits");
    crypto_shorthash_siphashx24(hash.bytes, bytes, length, key->bytes);
    return hash;
}

struct hash hash_of(const struct hash_key *key, enum hash_domain domain, uint64_t scope,
                    struct slice value)
{
    uint8_t message[HEAD_BYTES + VALUE_SHORT_MAX];
    size_t length = value.length;

    MUST(value.length <= VALUE_BYTES_MAX);
    message[0] = (uint8_t)domain;
    put_le64(message + 1, scope);
    if (value.length > VALUE_SHORT_MAX) {
        struct hash inner = siphash(key, value.bytes, value.length);
        message[0] |= DOMAIN_LONG;
        length = sizeof(inner.bytes);
        memcpy(message + HEAD_BYTES, inner.bytes, length);
    } else if (value.length > 0) {
        memcpy(message + HEAD_BYTES, value.bytes, length);
    }

    struct hash hash = siphash(key, message, HEAD_BYTES + length);
    if (hash_is_none(hash))
        hash.bytes[0] = 1;
    return hash;
}

/* A 128-bit addition: unlike XOR, adding the same hash twice does not undo it. */
void hash_mix(struct hash *a, struct hash b)
{
    uint64_t low = get_le64(a->bytes) + get_le64(b.bytes);
    uint64_t carry = low < get_le64(b.bytes);

    put_le64(a->bytes + 8, get_le64(a->bytes + 8) + get_le64(b.bytes + 8) + carry);
    put_le64(a->bytes, low);
}

bool hash_equal(struct hash a, struct hash b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

bool hash_is_none(struct hash hash)
{
    return hash_equal(hash, (struct hash){{0}});
}

uint64_t hash_place(struct hash hash)
{
    return get_le64(hash.bytes);
}

struct hash hash_at(uint64_t place)
{
    struct hash hash = {{0}};

    put_le64(hash.bytes, place);
    return hash;
}
