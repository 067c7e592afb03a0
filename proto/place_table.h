/* The tables of places, between proto/place.py, which makes them, and the modules that search them.
 */
#ifndef HOTLEAD_PROTO_PLACE_TABLE_H
#define HOTLEAD_PROTO_PLACE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"
#include "proto/zone.h"

#define PLACE_PREFIX_DIGITS 9 /* so that it fits its number */

/* The first digits of a number, without the plus. No country's code begins with a zero, so the
 * number says how many digits there are. */
struct place_prefix {
    uint32_t digits;
    uint16_t set;
};

struct place_prefixes {
    const struct place_prefix *list; /* by digits */
    size_t count;
};

/* Postal codes that begin with anything from `first` to `last`, which are equally long. */
struct place_postal {
    char country[3], first[6], last[6];
    uint16_t set;
};

struct place_region {
    char code[7];
    uint16_t set; /* of zones */
};

/* A set is a place in this list: how many there are, then the number of each zone or region. */
extern const uint16_t place_sets[];
extern const char *const place_zone_names[];
extern const struct place_region place_regions[]; /* by code */
extern const size_t place_region_count;
extern const struct place_prefixes place_phone_zones, place_phone_regions;
extern const struct place_postal place_postals[]; /* the longest first */
extern const size_t place_postal_count;

/* The set of the longest prefix of the number; NULL: it has none. */
const uint16_t *place_of_phone(const struct place_prefixes *prefixes, struct slice e164);

/* Every zone of the set, or 0; NULL is empty. */
size_t place_zones(const uint16_t *set, const struct zone **out, size_t max);

#endif
