/* The registry: arrays by number, and one hash table from every name to a number.
 *
 * Each entity (site_entity.c makes them) counts those that depend on it, so that asking whether it
 * may go needs no search.
 *
 * Applying again what was applied long ago is allowed: a rebuild does so on a registry that
 * knows the end already, and for a while two numbers may then have the same name. */
#include "server/site.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>

#include "proto/must.h"
#include "server/site_entity.h"
#include "server/site_names.h"
#include "server/site_secrets.h"

struct table {
    struct entity **entities; /* by number; NULL: never used */
    uint32_t highest, capacity;
};

/* What a name is: the id of a kind (then the kind's number), or a credential. */
enum name_space { NAME_PUBLIC_KEY = ENTITY_KIND_END, NAME_SECRET_KEY, NAME_TOKEN };

struct registry {
    struct table tables[ENTITY_KIND_END];
    struct names names;
    uint32_t shipped; /* first version of the shipped default; 0: none is kept */
    struct known_secrets *known;
    struct json *json;
};

static bool has_name(const void *owner, uint32_t space, uint32_t number, struct slice name);

struct registry *registry_open(void)
{
    MUST(sodium_init() >= 0);
    struct registry *registry = calloc(1, sizeof(*registry));
    if (!registry)
        return NULL;
    registry->json = json_open(SITE_PLAYBOOK_SETTINGS_MAX);
    registry->known = secrets_open();
    if (!names_open(&registry->names, has_name, registry) || !registry->json || !registry->known) {
        registry_close(registry);
        return NULL;
    }
    return registry;
}

void registry_clear(struct registry *registry)
{
    for (int kind = 0; kind < ENTITY_KIND_END; kind++) {
        struct table *table = &registry->tables[kind];
        for (uint32_t number = 1; number <= table->highest; number++)
            site_entity_free(table->entities[number], (enum entity_kind)kind);
        free(table->entities);
        *table = (struct table){0};
    }
    names_clear(&registry->names);
    registry->shipped = 0;
    secrets_forget(registry->known);
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    if (registry->names.slots && registry->known)
        registry_clear(registry);
    names_close(&registry->names);
    free(registry->known);
    if (registry->json)
        json_close(registry->json);
    free(registry);
}

/* --- by number --------------------------------------------------------------- */

static struct entity *find(const struct registry *registry, enum entity_kind kind, uint32_t number)
{
    MUST(kind >= ENTITY_AGENCY && kind < ENTITY_KIND_END);
    const struct table *table = &registry->tables[kind];

    if (number == 0 || number > table->highest || !table->entities[number])
        return NULL;
    return table->entities[number]->removed ? NULL : table->entities[number];
}

struct agency *registry_agency(const struct registry *registry, uint32_t number)
{
    struct entity *entity = find(registry, ENTITY_AGENCY, number);
    return entity ? &entity->agency : NULL;
}

struct site *registry_site(const struct registry *registry, uint32_t number)
{
    struct entity *entity = find(registry, ENTITY_SITE, number);
    return entity ? &entity->site : NULL;
}

const struct site *registry_lasting_site(const struct registry *registry, uint32_t number)
{
    const struct table *table = &registry->tables[ENTITY_SITE];

    if (number == 0 || number > table->highest || !table->entities[number])
        return NULL;
    const struct entity *entity = table->entities[number];
    const struct site *heir =
        registry_site(registry, registry_number(registry, ENTITY_SITE, slice_of(entity->site.id)));
    bool is_followed = entity->removed && heir && heir->agency == entity->site.agency;
    return is_followed ? heir : &entity->site;
}

struct queue *registry_queue(const struct registry *registry, uint32_t number)
{
    struct entity *entity = find(registry, ENTITY_QUEUE, number);
    return entity ? &entity->queue : NULL;
}

struct agent *registry_agent(const struct registry *registry, uint32_t number)
{
    struct entity *entity = find(registry, ENTITY_AGENT, number);
    return entity ? &entity->agent : NULL;
}

struct token *registry_token(const struct registry *registry, uint32_t number)
{
    struct entity *entity = find(registry, ENTITY_TOKEN, number);
    return entity ? &entity->token : NULL;
}

uint32_t registry_shipped(const struct registry *registry)
{
    return registry->shipped;
}

const struct playbook_version *registry_playbook_version(const struct registry *registry,
                                                         uint32_t number)
{
    struct entity *entity = find(registry, ENTITY_PLAYBOOK, number);
    return entity ? &entity->playbook : NULL;
}

uint32_t registry_count(const struct registry *registry, enum entity_kind kind)
{
    return registry->tables[kind].highest;
}

uint32_t registry_next_number(const struct registry *registry, enum entity_kind kind)
{
    return registry->tables[kind].highest + 1;
}

uint32_t registry_former_queue(const struct registry *registry, struct slice id)
{
    const struct table *table = &registry->tables[ENTITY_QUEUE];

    for (uint32_t number = table->highest; number > 0; number--) {
        const struct entity *entity = table->entities[number];
        if (entity && entity->removed && slice_equal(slice_of(entity->queue.id), id))
            return number;
    }
    return 0;
}

struct slice registry_settings(const struct registry *registry, enum entity_kind kind,
                               uint32_t number)
{
    struct entity *entity = find(registry, kind, number);
    return entity ? entity->settings : (struct slice){0};
}

uint32_t registry_number_max(enum entity_kind kind)
{
    if (kind == ENTITY_PLAYBOOK)
        return SITE_PLAYBOOK_NUMBER_MAX;
    return SITE_NUMBER_MAX;
}

static size_t settings_max(enum entity_kind kind)
{
    return kind == ENTITY_PLAYBOOK ? SITE_PLAYBOOK_SETTINGS_MAX : SITE_SETTINGS_MAX;
}

static const char *id_of(const struct entity *entity, enum entity_kind kind)
{
    switch (kind) {
    case ENTITY_AGENCY:
        return entity->agency.id;
    case ENTITY_SITE:
        return entity->site.id;
    case ENTITY_QUEUE:
        return entity->queue.id;
    case ENTITY_AGENT:
        return entity->agent.id;
    case ENTITY_TOKEN:
        return entity->token.id;
    case ENTITY_PLAYBOOK:
        return entity->playbook.id;
    case ENTITY_KIND_END:
        break;
    }
    MUST(false);
}

static uint32_t agency_of(const struct entity *entity, enum entity_kind kind)
{
    switch (kind) {
    case ENTITY_AGENCY:
        return entity->agency.number;
    case ENTITY_SITE:
        return entity->site.agency;
    case ENTITY_QUEUE:
        return entity->queue.agency;
    case ENTITY_AGENT:
        return entity->agent.agency;
    case ENTITY_TOKEN:
        return entity->token.agency;
    case ENTITY_PLAYBOOK:
        return entity->playbook.agency;
    case ENTITY_KIND_END:
        break;
    }
    MUST(false);
}

struct slice registry_name(const struct registry *registry, enum entity_kind kind, uint32_t number)
{
    const struct table *table = &registry->tables[kind];

    if (number == 0 || number > table->highest || !table->entities[number])
        return (struct slice){NULL, 0};
    return slice_of(id_of(table->entities[number], kind));
}

uint32_t registry_agency_of(const struct registry *registry, enum entity_kind kind, uint32_t number)
{
    struct entity *entity = find(registry, kind, number);
    return entity ? agency_of(entity, kind) : 0;
}

/* --- by name ------------------------------------------------------------------- */

static bool is_among(const struct slice *hashes, size_t count, struct slice hash)
{
    for (size_t i = 0; i < count; i++)
        if (hashes[i].length == hash.length &&
            sodium_memcmp(hashes[i].bytes, hash.bytes, hash.length) == 0)
            return true;
    return false;
}

static bool has_name(const void *owner, uint32_t space, uint32_t number, struct slice name)
{
    const struct registry *registry = owner;
    const struct site *site = registry_site(registry, number);
    const struct token *token = registry_token(registry, number);

    switch (space) {
    case NAME_PUBLIC_KEY: /* no secret, and compared the same way at no cost */
        return is_among(site->public_keys, site->public_key_count, name);
    case NAME_SECRET_KEY:
        return is_among(site->secret_key_hashes, site->secret_key_count, name);
    case NAME_TOKEN:
        return is_among(&token->hash, 1, name);
    default:
        return slice_equal(registry_name(registry, (enum entity_kind)space, number), name);
    }
}

uint32_t registry_number(const struct registry *registry, enum entity_kind kind, struct slice id)
{
    MUST(kind >= ENTITY_AGENCY && kind < ENTITY_KIND_END);
    return names_find(&registry->names, kind, id);
}

typedef void name_change_fn(struct names *names, uint32_t space, struct slice name,
                            uint32_t number);

/* Every name of an entity, once. The entity must stand in its table. */
static void each_name(struct registry *registry, const struct entity *entity, enum entity_kind kind,
                      uint32_t number, name_change_fn *change)
{
    if (kind != ENTITY_PLAYBOOK || entity->playbook.first == number)
        change(&registry->names, kind, slice_of(id_of(entity, kind)), number);
    if (kind == ENTITY_TOKEN)
        change(&registry->names, NAME_TOKEN, entity->token.hash, number);
    if (kind != ENTITY_SITE)
        return;
    for (size_t i = 0; i < entity->site.public_key_count; i++)
        change(&registry->names, NAME_PUBLIC_KEY, entity->site.public_keys[i], number);
    for (size_t i = 0; i < entity->site.secret_key_count; i++)
        change(&registry->names, NAME_SECRET_KEY, entity->site.secret_key_hashes[i], number);
}
#define NAMES_OF_ONE (1 + 2 * SITE_KEYS_MAX)

static enum status check_credential(const struct registry *registry, uint32_t space,
                                    struct slice name, uint32_t number)
{
    uint32_t owner = names_find(&registry->names, space, name);
    return owner == 0 || owner == number ? STATUS_OK : STATUS_CONFLICT;
}

/* Nobody else of its kind has the id. */
static enum status check_id(const struct registry *registry, enum entity_kind kind, uint32_t number,
                            struct slice id, struct slice *field_out)
{
    enum status status = check_credential(registry, kind, id, number);

    if (status != STATUS_OK)
        *field_out = SLICE("id");
    return status;
}

/* Nobody else has one of the credentials. */
static enum status check_credentials(const struct registry *registry, enum entity_kind kind,
                                     uint32_t number, const struct settings *settings)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < settings->public_keys.count && status == STATUS_OK; i++)
        status =
            check_credential(registry, NAME_PUBLIC_KEY, settings->public_keys.items[i], number);
    for (size_t i = 0; i < settings->secret_keys.count && status == STATUS_OK; i++)
        status =
            check_credential(registry, NAME_SECRET_KEY, settings->secret_keys.items[i], number);
    if (kind == ENTITY_TOKEN && status == STATUS_OK)
        status = check_credential(registry, NAME_TOKEN, settings->hash, number);
    return status;
}

/* --- applying ----------------------------------------------------------------------- */

static bool table_reserve(struct table *table, uint32_t number)
{
    if (number < table->capacity)
        return true;
    uint32_t capacity = table->capacity ? table->capacity : 16;
    while (capacity <= number)
        capacity *= 2;
    struct entity **entities = realloc(table->entities, capacity * sizeof(struct entity *));
    if (!entities)
        return false;
    memset(entities + table->capacity, 0, (capacity - table->capacity) * sizeof(struct entity *));
    table->entities = entities;
    table->capacity = capacity;
    return true;
}

static void count_dependent(struct registry *registry, enum entity_kind kind, uint32_t number,
                            int by)
{
    struct entity *entity = find(registry, kind, number);

    if (entity)
        entity->dependents += (uint32_t)by;
}

/* Counts an entity in (+1) or out (-1) with those that it stands on. */
static void count_in(struct registry *registry, const struct entity *entity, enum entity_kind kind,
                     int by)
{
    if (kind == ENTITY_AGENCY)
        count_dependent(registry, ENTITY_PLAYBOOK, entity->agency.playbook, by);
    else if (kind != ENTITY_PLAYBOOK)
        count_dependent(registry, ENTITY_AGENCY, agency_of(entity, kind), by);
    if (kind == ENTITY_SITE) {
        count_dependent(registry, ENTITY_QUEUE, entity->site.queue, by);
        count_dependent(registry, ENTITY_PLAYBOOK, entity->site.playbook, by);
    }
    if (kind == ENTITY_TOKEN)
        count_dependent(registry, ENTITY_AGENT, entity->token.agent_number, by);
}

/* An agency's agents are linked by number, so that whose turn it is needs no look at others'. */
static uint32_t *link_to(struct registry *registry, const struct agent *agent)
{
    struct agency *agency = registry_agency(registry, agent->agency);
    uint32_t *link = agency ? &agency->first_agent : NULL;

    while (link && *link != 0 && *link < agent->number)
        link = &registry_agent(registry, *link)->next;
    return link;
}

static void link_agent(struct registry *registry, struct agent *agent)
{
    uint32_t *link = link_to(registry, agent);

    if (!link)
        return;
    agent->next = *link;
    *link = agent->number;
}

static void unlink_agent(struct registry *registry, struct agent *agent)
{
    uint32_t *link = link_to(registry, agent);

    if (link && *link == agent->number)
        *link = agent->next;
}

/* Makes it the newest of its id. An agency cannot go while a playbook of it is in force. */
static void count_version(struct registry *registry, struct playbook_version *version)
{
    uint32_t first = registry_number(registry, ENTITY_PLAYBOOK, slice_of(version->id));
    struct entity *head = find(registry, ENTITY_PLAYBOOK, first);

    if (slice_equal(slice_of(version->id), SLICE(SITE_DEFAULT_PLAYBOOK)) && registry->shipped == 0)
        registry->shipped = version->number;
    version->first = head ? first : version->number;
    version->newest = version->number;
    if (head) {
        const struct playbook_version *before =
            registry_playbook_version(registry, head->playbook.newest);
        if (before->playbook)
            count_dependent(registry, ENTITY_AGENCY, before->agency, -1);
        head->playbook.newest = version->number;
    }
    if (version->playbook)
        count_dependent(registry, ENTITY_AGENCY, version->agency, 1);
}

/* What belongs to the running process and not to the settings. */
static void carry_over(enum entity_kind kind, const struct entity *old, struct entity *entity)
{
    entity->dependents = old->dependents;
    if (kind == ENTITY_AGENCY)
        entity->agency.first_agent = old->agency.first_agent;
    if (kind != ENTITY_SITE)
        return;
    entity->site.hard = old->site.hard;
    entity->site.soft = old->site.soft;
}

static void take_out(struct registry *registry, enum entity_kind kind, uint32_t number)
{
    struct entity *old = find(registry, kind, number);

    if (!old)
        return;
    each_name(registry, old, kind, number, names_remove);
    count_in(registry, old, kind, -1);
    if (kind == ENTITY_AGENT)
        unlink_agent(registry, &old->agent);
    old->removed = true;
}

enum status registry_apply(struct registry *registry, enum entity_kind kind, uint32_t number,
                           struct slice settings)
{
    struct entity *entity = NULL;
    enum status status;

    if (kind < ENTITY_AGENCY || kind >= ENTITY_KIND_END || number == 0 ||
        number > registry_number_max(kind) || settings.length > settings_max(kind))
        return STATUS_CORRUPT;
    if (kind == ENTITY_PLAYBOOK && settings.length == 0)
        return STATUS_CORRUPT;
    if (kind == ENTITY_PLAYBOOK && find(registry, kind, number))
        return STATUS_OK; /* it never changes */
    struct table *table = &registry->tables[kind];
    if (!table_reserve(table, number) || !names_reserve(&registry->names, NAMES_OF_ONE))
        return STATUS_INTERNAL;
    if (settings.length != 0) {
        entity = site_entity(registry, registry->json, kind, number, settings, &status);
        if (!entity)
            return status;
        if (find(registry, kind, number))
            carry_over(kind, find(registry, kind, number), entity);
    }
    secrets_forget(registry->known);
    take_out(registry, kind, number);
    if (entity && kind == ENTITY_PLAYBOOK)
        count_version(registry, &entity->playbook);
    if (number > table->highest)
        table->highest = number;
    if (entity) {
        site_entity_free(table->entities[number], kind);
        table->entities[number] = entity;
        each_name(registry, entity, kind, number, names_add);
        count_in(registry, entity, kind, 1);
        if (kind == ENTITY_AGENT)
            link_agent(registry, &entity->agent);
    }
    return STATUS_OK;
}

/* --- checking ------------------------------------------------------------------------ */

enum status registry_check(const struct registry *registry, enum entity_kind kind, uint32_t number,
                           struct json_value patch, struct text *settings_out,
                           struct slice *field_out)
{
    struct entity *present = number == 0 ? NULL : find(registry, kind, number);
    struct settings settings;
    struct json_value root;
    size_t before = settings_out->length;

    if (number != 0 && !present)
        return STATUS_NOT_FOUND;
    if (number == 0 && registry_next_number(registry, kind) > registry_number_max(kind))
        return STATUS_CONFLICT;
    settings_default(kind, &settings);
    if (present && (json_parse(registry->json, present->settings.bytes, present->settings.length,
                               &root) != STATUS_OK ||
                    settings_read(kind, root, false, &settings, field_out) != STATUS_OK))
        return STATUS_CORRUPT;

    enum status status = settings_read(kind, patch, present != NULL, &settings, field_out);
    if (status == STATUS_OK)
        status = settings_complete(kind, &settings, field_out);
    if (status == STATUS_OK)
        status = site_check_references(registry, kind, &settings, field_out);
    if (status == STATUS_OK)
        status = check_id(registry, kind, number, settings.id, field_out);
    if (status == STATUS_OK)
        status = check_credentials(registry, kind, number, &settings);
    if (status != STATUS_OK)
        return status;
    settings_write(kind, &settings, settings_out);
    return settings_out->overflow || settings_out->length - before > SITE_SETTINGS_MAX
               ? STATUS_TOO_LARGE
               : STATUS_OK;
}

/* Of the queues that go along with an entity, those that no site leads to. */
static size_t idle_along(const struct registry *registry, enum entity_kind kind, uint32_t number,
                         size_t *count_out)
{
    uint32_t numbers[SITE_ALONG_MAX];
    size_t idle = 0;

    *count_out = registry_along(registry, kind, number, numbers);
    for (size_t i = 0; i < *count_out; i++)
        idle += find(registry, ENTITY_QUEUE, numbers[i])->dependents == 0;
    return idle;
}

enum status registry_check_remove(const struct registry *registry, enum entity_kind kind,
                                  uint32_t number)
{
    struct entity *entity = find(registry, kind, number);

    if (!entity)
        return STATUS_NOT_FOUND;
    size_t count, idle = idle_along(registry, kind, number, &count);
    /* Its queues depend on an agency, but not on an agent. */
    size_t dependents = kind == ENTITY_AGENCY ? idle : 0;
    return entity->dependents == dependents && (kind != ENTITY_AGENT || idle == count)
               ? STATUS_OK
               : STATUS_CONFLICT;
}

bool registry_is_needed(const struct registry *registry, uint32_t queue)
{
    const struct entity *entity = find(registry, ENTITY_QUEUE, queue);

    return entity && entity->dependents != 0;
}

/* --- credentials ------------------------------------------------------------------------ */

struct site *registry_site_by_public_key(const struct registry *registry, struct slice pk)
{
    return registry_site(registry, names_find(&registry->names, NAME_PUBLIC_KEY, pk));
}

struct site *registry_site_by_secret_key(const struct registry *registry, struct slice sk)
{
    return registry_site(registry,
                         secrets_find(registry->known, &registry->names, NAME_SECRET_KEY, sk));
}

struct token *registry_token_by_secret(const struct registry *registry, struct slice token)
{
    return registry_token(registry,
                          secrets_find(registry->known, &registry->names, NAME_TOKEN, token));
}
