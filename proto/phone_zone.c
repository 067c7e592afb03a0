#include "proto/phone_zone.h"

#include "proto/place_table.h"

size_t phone_zones(struct slice e164, const struct zone **out, size_t max)
{
    return place_zones(place_of_phone(&place_phone_zones, e164), out, max);
}
