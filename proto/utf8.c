#include "proto/utf8.h"

/* Bytes of the sequence that begins at `at`, by RFC 3629's table; 0: it is not one. The
 * second byte's range is what keeps out overlongs, surrogates and all over U+10FFFF. Inline,
 * because every byte of a form comes by. */
static inline __attribute__((always_inline)) size_t sequence_bytes(const unsigned char *at,
                                                                   size_t left)
{
    unsigned char lead = at[0], low = 0x80, high = 0xBF;
    size_t bytes;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        bytes = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        bytes = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        bytes = 4;
    else
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;

    if (bytes > left || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return bytes;
}

bool utf8_valid(struct slice bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.bytes;
    size_t left = bytes.length;

    while (left > 0) {
        uint64_t word;
        /* Nearly all text is ASCII, and that goes eight bytes at once. */
        while (left >= sizeof(word)) {
            memcpy(&word, at, sizeof(word));
            if ((word & 0x8080808080808080u) != 0)
                break;
            at += sizeof(word);
            left -= sizeof(word);
        }
        if (left == 0)
            break;
        size_t step = sequence_bytes(at, left);
        if (step == 0)
            return false;
        at += step;
        left -= step;
    }
    return true;
}

uint32_t utf8_next(struct slice *rest)
{
    const unsigned char *at = (const unsigned char *)rest->bytes;
    size_t bytes = sequence_bytes(at, rest->length), taken = bytes > 0 ? bytes : 1;
    uint32_t character = bytes > 1 ? at[0] & (0x7Fu >> bytes) : at[0];

    for (size_t i = 1; i < bytes; i++)
        character = character << 6 | (at[i] & 0x3F);
    rest->bytes += taken;
    rest->length -= taken;
    return bytes > 0 ? character : 0xFFFD;
}
