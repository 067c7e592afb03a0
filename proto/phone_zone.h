/* In which time zones a phone number may be.
 *
 * By the longest prefix of the number that libphonenumber's data has; a table made at
 * build time by proto/place.py. It names candidates, no certainty: an exchange may
 * lie on both sides of a line, a toll-free number anywhere in its numbering plan, and
 * people take their numbers along. Whoever decides must be right in all of them.
 * Any thread. */
#ifndef HOTLEAD_PROTO_PHONE_ZONE_H
#define HOTLEAD_PROTO_PHONE_ZONE_H

#include "proto/slice.h"
#include "proto/zone.h"

#define PHONE_ZONES_MAX 64 /* enough for every number */

/* How many were written to `out`, in the data's order. 0: nothing is known, or there are more
 * than `max`, or one of them is not in this system's tzdata; some of the candidates would pass
 * for all of them. */
size_t phone_zones(struct slice e164, const struct zone **out, size_t max);

#endif
