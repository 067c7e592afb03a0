/* Shared by api_hand.c and api_hand_page.c: what one person and many are moved by. */
#ifndef HOTLEAD_SERVER_API_HAND_H
#define HOTLEAD_SERVER_API_HAND_H

#include "server/api_internal.h"

/* NULL: the status says all. */
const char *hand_denial(enum denial denial);

/* The number of a playbook's version. Version 0: the newest. False: there is none, or it was
 * removed. */
bool hand_find_version(const struct registry *registry, struct slice id, uint32_t version,
                       uint32_t *out);

/* What that version had no place for, as a member behind others. */
void hand_write_lost(struct text *out, uint8_t lost);

#endif
