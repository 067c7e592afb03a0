/* libphonenumber, as phone.c needs it: every number it can read, and what it knows
 * of +1, copied once into a table. The only file behind this that sees the library.
 *
 * Any thread; for phone.c and its tests only. */
#ifndef HOTLEAD_PROTO_PHONE_SLOW_H
#define HOTLEAD_PROTO_PHONE_SLOW_H

#include "proto/phone.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The North American Numbering Plan: a score of countries behind +1. */
struct nanp_plan {
    /* By area code; zeros: not assigned, or its numbers lie in several countries. */
    char area_country[1000][2];
    /* [first letter - 'A'][second letter - 'A'] of the countries in the plan. */
    bool member[26][26];
};

const struct nanp_plan *phone_nanp(void);

/* As phone_parse. Accepts what is possible by its length: numbers that are not
 * assigned now are assigned next year, and test numbers (555-01xx) never are. */
enum status phone_parse_slow(struct slice as_typed, const char country[2], struct phone *out);

#ifdef __cplusplus
}
#endif

#endif
