#include "server/site_secrets.h"

#include <sodium.h>
#include <stdlib.h>

#include "server/site.h"

#define KNOWN_PLACES 256

struct known_secret {
    uint32_t space, number; /* 0: free */
    uint8_t mark[crypto_shorthash_siphashx24_BYTES];
};

struct known_secrets {
    uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
    struct known_secret places[KNOWN_PLACES];
};

struct known_secrets *secrets_open(void)
{
    struct known_secrets *known = calloc(1, sizeof(*known));

    if (known)
        randombytes_buf(known->key, sizeof(known->key));
    return known;
}

void secrets_forget(struct known_secrets *known)
{
    memset(known->places, 0, sizeof(known->places));
}

static uint32_t find_by_hash(const struct names *names, uint32_t space, struct slice secret)
{
    char hash[SECRET_HASH_TEXT];

    registry_hash_secret(secret, hash);
    return names_find(names, space, (struct slice){hash, SECRET_HASH_TEXT});
}

/* A mark is compared whole and in constant time; its first byte alone says where to look. */
uint32_t secrets_find(struct known_secrets *known, const struct names *names, uint32_t space,
                      struct slice secret)
{
    struct known_secret asked = {.space = space};

    crypto_shorthash_siphashx24(asked.mark, (const unsigned char *)secret.bytes, secret.length,
                                known->key);
    struct known_secret *place = &known->places[asked.mark[0] % KNOWN_PLACES];
    _Static_assert(sizeof(place->mark) == crypto_verify_16_BYTES, "compared whole");
    if (place->number != 0 && place->space == space &&
        crypto_verify_16(place->mark, asked.mark) == 0)
        return place->number;
    asked.number = find_by_hash(names, space, secret);
    if (asked.number != 0)
        *place = asked;
    return asked.number;
}
