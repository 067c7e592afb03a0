#include "proto/id.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "proto/must.h"

/* The 128 bits of a UUIDv7, as two words:
 *
 *   high  ms 48 | version 4 = 7 | masked 12 (its top)
 *   low   variant 2 = 2 | masked 32 (the rest) | check 30
 *
 *   check  = top 30 bits of siphash(key; CHECK, kind, ms; number)
 *   masked = number XOR top 44 bits of siphash(key; MASK, kind, ms; check)
 *
 * The mask hangs on the check, and so on the number: two ids of one millisecond
 * share no mask that could be cancelled out to compare their numbers. */
#define MS_BITS     48
#define NUMBER_BITS 44
#define CHECK_BITS  30
#define VERSION     7
#define VARIANT     2

enum step { STEP_CHECK, STEP_MASK };

static const char prefixes[][4] = {
    [ID_OPTIN] = {'o', 'p', 't', '_'},
    [ID_PERSON] = {'p', 'e', 'r', '_'},
    [ID_TASK] = {'t', 's', 'k', '_'},
};

/* HASH_ID keeps this apart from other uses of the key, though those make 128 bits
 * and so other hashes anyway. */
static uint64_t keyed(const struct hash_key *key, enum step step, enum id_kind kind, uint64_t at_ms,
                      uint64_t value)
{
    uint8_t message[17] = {(uint8_t)(HASH_ID << 4 | (int)step << 2 | (int)kind)};
    uint8_t digest[crypto_shorthash_BYTES];
    uint64_t stored_at_ms = htole64(at_ms), stored_value = htole64(value), result;

    memcpy(message + 1, &stored_at_ms, 8);
    memcpy(message + 9, &stored_value, 8);
    crypto_shorthash(digest, message, sizeof(message), key->bytes);
    memcpy(&result, digest, 8);
    return le64toh(result);
}

static uint64_t check_of(const struct hash_key *key, enum id_kind kind, uint64_t at_ms,
                         uint64_t number)
{
    return keyed(key, STEP_CHECK, kind, at_ms, number) >> (64 - CHECK_BITS);
}

static uint64_t mask_of(const struct hash_key *key, enum id_kind kind, uint64_t at_ms,
                        uint64_t check)
{
    return keyed(key, STEP_MASK, kind, at_ms, check) >> (64 - NUMBER_BITS);
}

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define EACH_BYTE 0x0101010101010101u

/* A one in each byte that is `least` or more. All are under 128. */
static uint64_t reaches(uint64_t bytes, unsigned least)
{
    return (bytes + (128 - least) * EACH_BYTE) >> 7 & EACH_BYTE;
}

/* Eight characters of the low 40 bits, all at once: 5 bits go to a byte each, then every byte
 * steps over what stands between the digits and the letters, and over I, L, O and U. */
static void base32_eight(char out[8], uint64_t bits)
{
    uint64_t digits = (bits & 0xfffff00000) << 12 | (bits & 0xfffff);
    digits = (digits & 0x000ffc00000ffc00) << 6 | (digits & 0x000003ff000003ff);
    digits = (digits & 0x03e003e003e003e0) << 3 | (digits & 0x001f001f001f001f);

    uint64_t letters = digits + '0' * EACH_BYTE + ('A' - '9' - 1) * reaches(digits, 10) +
                       reaches(digits, 18) + reaches(digits, 20) + reaches(digits, 22) +
                       reaches(digits, 27);
    letters = htobe64(letters);
    memcpy(out, &letters, 8);
}

/* Crockford's 26 characters hold 130 bits; the top two are zero. */
static void base32_write(char out[26], uint64_t high, uint64_t low)
{
    out[0] = alphabet[high >> 61];
    out[1] = alphabet[high >> 56 & 31];
    base32_eight(out + 2, high >> 16);
    base32_eight(out + 10, high << 24 | low >> 40);
    base32_eight(out + 18, low);
}

/* One more than the value, so that what is not listed is 0: no digit. */
static const uint8_t base32_value[256] = {
    ['0'] = 1,  ['O'] = 1,  ['o'] = 1,  ['1'] = 2,  ['I'] = 2,  ['i'] = 2,  ['L'] = 2,  ['l'] = 2,
    ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10,
    ['A'] = 11, ['a'] = 11, ['B'] = 12, ['b'] = 12, ['C'] = 13, ['c'] = 13, ['D'] = 14, ['d'] = 14,
    ['E'] = 15, ['e'] = 15, ['F'] = 16, ['f'] = 16, ['G'] = 17, ['g'] = 17, ['H'] = 18, ['h'] = 18,
    ['J'] = 19, ['j'] = 19, ['K'] = 20, ['k'] = 20, ['M'] = 21, ['m'] = 21, ['N'] = 22, ['n'] = 22,
    ['P'] = 23, ['p'] = 23, ['Q'] = 24, ['q'] = 24, ['R'] = 25, ['r'] = 25, ['S'] = 26, ['s'] = 26,
    ['T'] = 27, ['t'] = 27, ['V'] = 28, ['v'] = 28, ['W'] = 29, ['w'] = 29, ['X'] = 30, ['x'] = 30,
    ['Y'] = 31, ['y'] = 31, ['Z'] = 32, ['z'] = 32,
};

static bool base32_read(const char text[26], uint64_t *high_out, uint64_t *low_out)
{
    uint64_t high = 0, low = 0;

    for (int i = 0; i < 26; i++) {
        uint8_t value = base32_value[(unsigned char)text[i]];
        if (value == 0 || (i == 0 && value > 8))
            return false;
        high = high << 5 | low >> 59;
        low = low << 5 | (uint64_t)(value - 1);
    }
    *high_out = high;
    *low_out = low;
    return true;
}

void id_format(char out[ID_TEXT_LENGTH], const struct hash_key *key, enum id_kind kind,
               uint64_t at_ms, uint64_t number)
{
    MUST(at_ms >> MS_BITS == 0 && number >> NUMBER_BITS == 0);

    uint64_t check = check_of(key, kind, at_ms, number);
    uint64_t masked = number ^ mask_of(key, kind, at_ms, check);
    uint64_t high = at_ms << 16 | (uint64_t)VERSION << 12 | masked >> 32;
    uint64_t low = (uint64_t)VARIANT << 62 | (masked & UINT32_MAX) << CHECK_BITS | check;

    memcpy(out, prefixes[kind], sizeof(prefixes[kind]));
    base32_write(out + sizeof(prefixes[kind]), high, low);
}

bool id_parse(struct slice text, const struct hash_key *key, enum id_kind kind, uint64_t *at_ms_out,
              uint64_t *number_out)
{
    uint64_t high, low;

    if (text.length != ID_TEXT_LENGTH ||
        memcmp(text.bytes, prefixes[kind], sizeof(prefixes[kind])) != 0 ||
        !base32_read(text.bytes + sizeof(prefixes[kind]), &high, &low) ||
        (high >> 12 & 15) != VERSION || low >> 62 != VARIANT)
        return false;

    uint64_t at_ms = high >> 16;
    uint64_t check = low & ((1u << CHECK_BITS) - 1);
    uint64_t masked = (high & 0xfff) << 32 | (low >> CHECK_BITS & UINT32_MAX);
    uint64_t number = masked ^ mask_of(key, kind, at_ms, check);
    if (check_of(key, kind, at_ms, number) != check)
        return false;

    *at_ms_out = at_ms;
    *number_out = number;
    return true;
}

/* One id a request makes this a hot path, so 256 ids are stretched from one seed of the
 * kernel's randomness. A fresh seed a block and a block a thread, and not a counter under
 * a key, because nothing then has to be argued about threads, restarts or nodes. */
static void random_words(uint64_t words[2])
{
    static _Thread_local uint64_t block[512];
    static _Thread_local size_t left;

    if (left == 0) {
        unsigned char seed[randombytes_SEEDBYTES];
        randombytes_buf(seed, sizeof(seed));
        randombytes_buf_deterministic(block, sizeof(block), seed);
        left = sizeof(block) / sizeof(block[0]);
    }
    left -= 2;
    words[0] = block[left];
    words[1] = block[left + 1];
}

void id_request(char out[REQUEST_ID_LENGTH], uint64_t now_ms)
{
    uint64_t words[2];

    MUST(now_ms >> MS_BITS == 0);
    random_words(words);
    base32_write(out, now_ms << 16 | (uint64_t)VERSION << 12 | (words[0] & 0xfff),
                 (uint64_t)VARIANT << 62 | words[1] >> 2);
}
