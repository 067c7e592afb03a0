/* Phone numbers to E.164 ("+15551234567"), for identity.
 *
 * Common shapes are decided here by rule, in 0.03 to 0.15 us: numbers of the North
 * American plan, and mobile numbers of a few large countries, international or as
 * the site's country writes them. All else goes to libphonenumber (one C++ file),
 * which costs 20 to 40 us and so stays off the common path.
 *
 * Any thread; the first call builds tables (about 40 ms), phone_warm() does it
 * early. */
#ifndef HOTLEAD_PROTO_PHONE_H
#define HOTLEAD_PROTO_PHONE_H

#include <stdbool.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PHONE_LENGTH_MAX 16 /* + and up to 15 digits */

/* What kind of range the number is in; premium and satellite are refused by
 * sites that do not list them. */
enum phone_range { PHONE_ORDINARY, PHONE_TOLL_FREE, PHONE_PREMIUM, PHONE_SATELLITE };

struct phone {
    char e164[PHONE_LENGTH_MAX]; /* not terminated */
    size_t length;
    char country[3]; /* ISO 3166 alpha-2 and a NUL, "" when it is no country's ("001") */
    enum phone_range range;
};

/* `country` is the site's (two letters), used when the number is in national
 * form. INVALID: not a number that could exist, or over 100 bytes as typed. */
enum status phone_parse(struct slice as_typed, const char country[2], struct phone *out);

/* Whether numbers of that country can be read: two capital letters of ISO 3166. */
bool phone_knows_country(struct slice country);

void phone_warm(void);

#ifdef __cplusplus
}
#endif

#endif
