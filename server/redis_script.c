/* Scripts are known to Redis by the SHA-1 of their text. SHA-1 (RFC 3174) is written out here
 * because libsodium has, rightly, none: as a name it only has to be the one that Redis uses. */
#include <string.h>

#include "server/redis.h"

#define BLOCK_BYTES  64
#define DIGEST_WORDS 5

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void digest_block(uint32_t digest[DIGEST_WORDS], const uint8_t *block)
{
    uint32_t w[80];
    uint32_t a = digest[0], b = digest[1], c = digest[2], d = digest[3], e = digest[4];

    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 |
               block[3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);

    for (int i = 0; i < 80; i++) {
        uint32_t mixed;
        if (i < 20)
            mixed = ((b & c) | (~b & d)) + 0x5A827999;
        else if (i < 40)
            mixed = (b ^ c ^ d) + 0x6ED9EBA1;
        else if (i < 60)
            mixed = ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
        else
            mixed = (b ^ c ^ d) + 0xCA62C1D6;
        uint32_t next = rotate(a, 5) + mixed + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    digest[0] += a;
    digest[1] += b;
    digest[2] += c;
    digest[3] += d;
    digest[4] += e;
}

static void sha1_hex(const char *text, size_t length, char out[41])
{
    static const char hex[] = "0123456789abcdef";
    uint32_t digest[DIGEST_WORDS] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t tail[2 * BLOCK_BYTES] = {0};
    size_t whole = length / BLOCK_BYTES * BLOCK_BYTES, rest = length - whole;
    size_t tail_bytes = rest + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;

    for (size_t i = 0; i < whole; i += BLOCK_BYTES)
        digest_block(digest, (const uint8_t *)text + i);

    /* The rest, a one bit, zeroes, and the length in bits. */
    memcpy(tail, text + whole, rest);
    tail[rest] = 0x80;
    for (size_t i = 0; i < 8; i++)
        tail[tail_bytes - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
    for (size_t i = 0; i < tail_bytes; i += BLOCK_BYTES)
        digest_block(digest, tail + i);

    for (int i = 0; i < 40; i++)
        out[i] = hex[digest[i / 8] >> (28 - 4 * (i % 8)) & 15];
    out[40] = '\0';
}

void redis_script_init(struct redis_script *script, const char *text)
{
    script->text = text;
    sha1_hex(text, strlen(text), script->sha);
}
