#include "proto/place_table.h"

#include <stdlib.h>

static int compare_digits(const void *digits, const void *prefix)
{
    uint32_t sought = *(const uint32_t *)digits,
             there = ((const struct place_prefix *)prefix)->digits;

    return (sought > there) - (sought < there);
}

const uint16_t *place_of_phone(const struct place_prefixes *prefixes, struct slice e164)
{
    uint32_t digits = 0;
    size_t count = 0;

    if (e164.length < 2 || e164.bytes[0] != '+' || e164.bytes[1] == '0')
        return NULL;
    while (count < PLACE_PREFIX_DIGITS && count + 1 < e164.length && e164.bytes[count + 1] >= '0' &&
           e164.bytes[count + 1] <= '9')
        digits = digits * 10 + (uint32_t)(e164.bytes[++count] - '0');
    for (; digits > 0; digits /= 10) {
        const struct place_prefix *found =
            bsearch(&digits, prefixes->list, prefixes->count, sizeof(*found), compare_digits);
        if (found)
            return &place_sets[found->set];
    }
    return NULL;
}

size_t place_zones(const uint16_t *set, const struct zone **out, size_t max)
{
    size_t count = set ? set[0] : 0;

    if (count > max)
        return 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = zone_find(slice_of(place_zone_names[set[i + 1]]));
        if (!out[i])
            return 0;
    }
    return count;
}
