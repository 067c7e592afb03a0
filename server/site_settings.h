/* The settings of an entity: a flat JSON object, read through one table of fields a kind.
 *
 * Here is what a value must look like by itself; what it must fit to (ids that are taken,
 * queues that exist) is for the registry, site.c and site_references.c. To add a setting: 1. a
 * member in struct settings, 2. a row in the kind's table, 3. its use where site.c fills the
 * entity. */
#ifndef HOTLEAD_SERVER_SITE_SETTINGS_H
#define HOTLEAD_SERVER_SITE_SETTINGS_H

#include "server/site.h"

struct settings_list {
    size_t count;
    struct slice items[SITE_ORIGINS_MAX];
};

/* Empty texts and lists: not given. Slices live as long as the documents read. */
struct settings {
    struct slice id, agency, queue, name, shape, country, hours_policy, role, agent, hash, playbook,
        yaml, assign;
    uint64_t report_within_s, claim_holds_s, overdue_after_s, rate_limit, suspect_limit, version,
        available, away_until, capacity;
    struct settings_list origins, redirects, countries, public_keys, secret_keys, queues;
};

/* A new entity's, before anything is said about it. */
void settings_default(enum entity_kind kind, struct settings *out);

/* Lays a JSON object over *settings. INVALID names the key in *field_out: unknown, or a value
 * of the wrong type or shape. With `fixed`, what is set once may be repeated, not changed. */
enum status settings_read(enum entity_kind kind, struct json_value object, bool fixed,
                          struct settings *settings, struct slice *field_out);

/* INVALID names the first key in *field_out that is needed and not there. */
enum status settings_complete(enum entity_kind kind, const struct settings *settings,
                              struct slice *field_out);

/* What they name is there, and the agency's own: INVALID names the first key that is not so. */
enum status site_check_references(const struct registry *registry, enum entity_kind kind,
                                  const struct settings *settings, struct slice *field_out);

/* The canonical form: every key of the kind, in the table's order. */
void settings_write(enum entity_kind kind, const struct settings *settings, struct text *out);

/* May a playbook be called so, or anything else that is named after its agency? */
bool settings_is_id(struct slice text);

enum role settings_role(const struct settings *settings); /* ROLE_NONE: not given */

/* "https://host[:port]" of an absolute URL; empty when it is none or could not be put into a
 * header: user info, blanks, control bytes, anything but ASCII. */
struct slice settings_url_origin(struct slice url);

#endif
