/* E-mail addresses, for identity only: two spellings that surely reach the same
 * mailbox give the same text. Local part is lower-cased (no provider in use tells
 * case apart), the domain lower-cased and IDN-encoded (libidn2). Dots, plus tags
 * and provider quirks are left alone: guessing would merge two people.
 *
 * The address as typed is kept in the opt-in. Any thread. */
#ifndef HOTLEAD_PROTO_EMAIL_H
#define HOTLEAD_PROTO_EMAIL_H

#include <stdbool.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

#define EMAIL_LENGTH_MAX 254

/* Appends the normal form. INVALID: no address (RFC 5321 shape, local part up to
 * 64, domain with a dot, no quoted local parts, spaces around are ignored); nothing is appended
 * then. */
enum status email_normalise(struct slice as_typed, struct text *out);

/* Whether it is an address at all. */
bool email_is_usable(struct slice as_typed);

#endif
