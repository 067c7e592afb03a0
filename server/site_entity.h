/* Shared by site*.c only: one entity of the registry.
 *
 * It is one block of memory: its struct, its settings as they are stored, and the strings decoded
 * from them, so that setting one is one allocation. A version of a playbook has, in place of both,
 * the playbook, which holds all that they say. */
#ifndef HOTLEAD_SERVER_SITE_ENTITY_H
#define HOTLEAD_SERVER_SITE_ENTITY_H

#include "server/site.h"
#include "server/site_settings.h"

struct entity {
    uint32_t dependents;
    bool removed; /* kept for its name only */
    struct slice settings;
    union {
        struct agency agency;
        struct site site;
        struct queue queue;
        struct agent agent;
        struct token token;
        struct playbook_version playbook;
    };
    char bytes[]; /* settings, JSON_PADDING, strings */
};

/* Made from its settings, to be freed; `json` is scratch. NULL: CORRUPT, the settings cannot be
 * read, or not in this registry; or INTERNAL. */
struct entity *site_entity(const struct registry *registry, struct json *json,
                           enum entity_kind kind, uint32_t number, struct slice settings,
                           enum status *status_out);
void site_entity_free(struct entity *entity, enum entity_kind kind); /* NULL: nothing */

#endif
