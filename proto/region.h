/* In which states of the United States and provinces of Canada somebody may be, and which
 * zones those have.
 *
 * A region is a code of ISO 3166: "US-FL" and "CA-ON" here, and for its zones a country
 * as well, "DE". Phone prefixes are libphonenumber's, postal codes stand in
 * proto/postal.yaml, the zones of countries are tzdata's, and those of states are what
 * libphonenumber's data has for their area codes; proto/place.py makes tables of it all
 * at build time. Regions are terminated and stay for ever. Any thread. */
#ifndef HOTLEAD_PROTO_REGION_H
#define HOTLEAD_PROTO_REGION_H

#include "proto/slice.h"
#include "proto/zone.h"

#define REGIONS_MAX      8  /* enough for every number and postal code */
#define REGION_ZONES_MAX 64 /* enough for every region */

/* All these say how many they wrote to `out`: candidates, as phone_zones() has them, and 0 where
 * nothing is known or `max` is too small for all. */

/* Of numbers in the North American plan; 0 for toll-free ones and other countries. */
size_t region_of_phone(struct slice e164, const char **out, size_t max);

/* `country` is US or CA; the code may have its usual blanks and hyphens. */
size_t region_of_postal_code(struct slice country, struct slice code, const char **out, size_t max);

size_t region_zones(struct slice region, const struct zone **out, size_t max);

#endif
