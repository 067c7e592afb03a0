/* Shared by site*.c only: secrets that were found by their SHA-256 since the last change, each as a
 * SipHash under a key that this process made up and keeps to itself: who is known already costs one
 * short hash. A secret that is not found takes no place, so strangers push nobody out. */
#ifndef HOTLEAD_SERVER_SITE_SECRETS_H
#define HOTLEAD_SERVER_SITE_SECRETS_H

#include "server/site_names.h"

struct known_secrets;

/* To be freed. NULL: out of memory. */
struct known_secrets *secrets_open(void);
void secrets_forget(struct known_secrets *known);

/* Whose it is among the names of that space, which are hashes; 0: nobody's. */
uint32_t secrets_find(struct known_secrets *known, const struct names *names, uint32_t space,
                      struct slice secret);

#endif
