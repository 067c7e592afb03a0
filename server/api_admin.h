/* Changes of the registry: what api_admin.c lends to api_key.c (keys, first token) and
 * api_playbook.c. */
#ifndef HOTLEAD_SERVER_API_ADMIN_H
#define HOTLEAD_SERVER_API_ADMIN_H

#include "server/api_internal.h"

/* False: another change is on its way; the request waits for its turn, or was answered BUSY. */
bool api_admin_begin(struct api *api, const struct http_request *request);

/* Makes a secret that the answer tells once under `name`; its text lives until then. */
const char *api_admin_secret(struct api *api, const char *name, const char *prefix,
                             const char *agency);
void api_admin_add_hash(struct text *added, const char *secret); /* quoted */

/* Lays a caller's object and `added` (members as JSON text) over the settings of an entity
 * (number 0: a new one) and checks what comes of it. */
enum status api_admin_check(struct api *api, enum entity_kind kind, uint32_t number,
                            struct json_value body, struct slice added, struct slice *field);

/* Adds the queues that an agency's robots lack to what was checked. */
enum status api_admin_add_robots(struct api *api, struct slice agency, struct slice *field);

/* Why not, and what is wrong with the field, if that is why. */
void api_admin_refuse(struct api *api, const struct api_call *call, enum status status,
                      struct slice field);

/* Sends what was checked, or a removal, to the writer; answered when it is settled. */
enum status api_admin_submit(struct api *api, uint64_t http_ticket, enum entity_kind kind,
                             uint32_t number, int answer);

/* Both of them, for an entity that is there; answers `answer` (200, 201) once it is settled. */
void api_admin_change(struct api *api, const struct api_call *call, enum entity_kind kind,
                      uint32_t number, struct json_value body, struct slice added, int answer);

/* api_playbook.c: a version as answers show it, its last brace left out; with its YAML. */
void api_playbook_write(const struct api *api, struct text *out, uint32_t number, bool yaml);
/* The same of the one that was just set, with what it says that the agency has not. */
void api_playbook_write_set(const struct api *api, struct text *out);

void api_first_token_settled(struct api *api, enum status status);

#endif
