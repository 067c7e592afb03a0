#include "proto/region.h"

#include <stdlib.h>

#include "proto/place_table.h"

#define POSTAL_CHARACTERS_MAX 9 /* ZIP+4 */

static size_t regions_of(const uint16_t *set, const char **out, size_t max)
{
    size_t count = set ? set[0] : 0;

    if (count > max)
        return 0;
    for (size_t i = 0; i < count; i++)
        out[i] = place_regions[set[i + 1]].code;
    return count;
}

size_t region_of_phone(struct slice e164, const char **out, size_t max)
{
    return regions_of(place_of_phone(&place_phone_regions, e164), out, max);
}

/* --- postal codes --------------------------------------------------------------- */

/* Letters as capitals, blanks and hyphens left out; 0: it holds what no postal code does, or
 * is too long for one. */
static size_t read_code(struct slice code, char out[POSTAL_CHARACTERS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < code.length; i++) {
        char byte = code.bytes[i];
        bool small = byte >= 'a' && byte <= 'z';
        if (byte == ' ' || byte == '-')
            continue;
        if (count == POSTAL_CHARACTERS_MAX ||
            !(small || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')))
            return 0;
        out[count++] = small ? (char)(byte - 'a' + 'A') : byte;
    }
    return count;
}

static bool has_shape(const char *code, size_t count, const char *shape)
{
    for (size_t i = 0; i < count; i++) {
        bool digit = code[i] <= '9';
        if (digit != (shape[i] == '9'))
            return false;
    }
    return true;
}

/* A ZIP code that lost its leading zero would be taken for another state's. */
static bool is_whole(struct slice country, const char *code, size_t count)
{
    if (slice_equal(country, SLICE("US")))
        return (count == 5 || count == 9) && has_shape(code, count, "999999999");
    return (count == 3 || count == 6) && has_shape(code, count, "A9A9A9");
}

static bool is_within(const struct place_postal *postal, const char *code)
{
    size_t length = strlen(postal->first);

    return memcmp(code, postal->first, length) >= 0 && memcmp(code, postal->last, length) <= 0;
}

size_t region_of_postal_code(struct slice country, struct slice code, const char **out, size_t max)
{
    char known[POSTAL_CHARACTERS_MAX];
    size_t count = read_code(code, known);

    if (count == 0 || !is_whole(country, known, count))
        return 0;
    for (size_t i = 0; i < place_postal_count; i++) {
        const struct place_postal *postal = &place_postals[i];
        if (slice_equal(country, slice_of(postal->country)) && is_within(postal, known))
            return regions_of(&place_sets[postal->set], out, max);
    }
    return 0;
}

/* --- zones ---------------------------------------------------------------------- */

static int compare_code(const void *code, const void *region)
{
    return strcmp(code, ((const struct place_region *)region)->code);
}

size_t region_zones(struct slice region, const struct zone **out, size_t max)
{
    char code[sizeof(place_regions[0].code)] = "";

    if (region.length >= sizeof(code))
        return 0;
    memcpy(code, region.bytes, region.length);
    const struct place_region *found =
        bsearch(code, place_regions, place_region_count, sizeof(*found), compare_code);
    return found ? place_zones(&place_sets[found->set], out, max) : 0;
}
