/* From settings to what stands in the registry. */
#include "server/site_entity.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"

/* Strings are copied behind the settings: the document they were read from is reused. */
static struct slice keep(char **room, struct slice text)
{
    struct slice kept = {*room, text.length};

    if (text.length != 0)
        memcpy(*room, text.bytes, text.length);
    *room += text.length;
    return kept;
}

static size_t keep_list(char **room, const struct settings_list *list, struct slice *out)
{
    for (size_t i = 0; i < list->count; i++)
        out[i] = keep(room, list->items[i]);
    return list->count;
}

static void name_copy(char out[SITE_NAME_MAX + 1], struct slice id)
{
    MUST(id.length <= SITE_NAME_MAX);
    if (id.length != 0)
        memcpy(out, id.bytes, id.length);
    out[id.length] = '\0';
}

static bool fill_site(const struct registry *registry, const struct settings *settings, char *room,
                      struct site *site)
{
    site->queue = registry_number(registry, ENTITY_QUEUE, settings->queue);
    memcpy(site->country, settings->country.bytes, 2);
    if (slice_equal(settings->hours_policy, SLICE("always")))
        site->hours_policy = HOURS_ALWAYS;
    site->rate_limit = (unsigned)settings->rate_limit;
    site->suspect_limit = (unsigned)settings->suspect_limit;
    site->origin_count = keep_list(&room, &settings->origins, site->origins);
    site->redirect_count = keep_list(&room, &settings->redirects, site->redirects);
    site->country_count = keep_list(&room, &settings->countries, site->countries);
    site->public_key_count = keep_list(&room, &settings->public_keys, site->public_keys);
    site->secret_key_count = keep_list(&room, &settings->secret_keys, site->secret_key_hashes);
    return site->queue != 0;
}

static bool fill_token(const struct registry *registry, const struct settings *settings, char *room,
                       struct token *token)
{
    token->role = settings_role(settings);
    name_copy(token->agent, settings->agent);
    token->agent_number = registry_number(registry, ENTITY_AGENT, settings->agent);
    token->hash = keep(&room, settings->hash);
    return (token->role == ROLE_ADMIN) == (token->agency == 0) &&
           (settings->agent.length == 0) == (token->agent_number == 0);
}

/* False: this release cannot read it, or it belongs to nobody. */
static bool fill_playbook(const struct registry *registry, const struct settings *settings,
                          struct playbook_version *version)
{
    version->agency = registry_number(registry, ENTITY_AGENCY, settings->agency);
    name_copy(version->id, settings->id);
    version->version = (uint32_t)settings->version;
    if (settings->version == 0 ||
        (version->agency == 0) != slice_equal(settings->id, SLICE(SITE_DEFAULT_PLAYBOOK)))
        return false;
    return settings->yaml.length == 0 ||
           playbook_open_stored(settings->yaml, &version->playbook) == STATUS_OK;
}

/* By the names that a playbook has for them. */
static uint8_t assign_mode(struct slice text)
{
    static const char *const names[] = {[PLAYBOOK_POOL] = "pool",
                                        [PLAYBOOK_ROUND_ROBIN] = "round_robin",
                                        [PLAYBOOK_WEIGHTED] = "weighted",
                                        [PLAYBOOK_OWNER_FIRST] = "owner_first"};

    for (uint8_t mode = PLAYBOOK_POOL; mode <= PLAYBOOK_OWNER_FIRST; mode++)
        if (slice_equal(text, slice_of(names[mode])))
            return mode;
    return 0;
}

/* A queue that was removed since is nobody's work. */
static void fill_agent(const struct registry *registry, const struct settings *settings, char *room,
                       struct agent *agent)
{
    agent->name = keep(&room, settings->name);
    agent->available = settings->available != 0;
    agent->is_manager = slice_equal(settings->role, SLICE("manager"));
    agent->away_until_ms = settings->away_until;
    agent->capacity = (uint32_t)settings->capacity;
    agent->queue_count = settings->queues.count;
    for (size_t i = 0; i < settings->queues.count; i++)
        agent->queues[i] = registry_number(registry, ENTITY_QUEUE, settings->queues.items[i]);
}

static void fill_queue(const struct settings *settings, struct queue *queue)
{
    queue->shape = slice_equal(settings->shape, SLICE("list")) ? QUEUE_LIST : QUEUE_ZSET;
    queue->report_within_ms = settings->report_within_s * 1000;
    queue->claim_holds_ms = settings->claim_holds_s * 1000;
    queue->overdue_after_ms = settings->overdue_after_s * 1000;
    queue->assign = assign_mode(settings->assign);
}

/* The playbook that an agency or a site names, if it does: 0 and false are of one that is not
 * there. */
static bool fill_choice(const struct registry *registry, const struct settings *settings,
                        uint32_t *out)
{
    *out = registry_number(registry, ENTITY_PLAYBOOK, settings->playbook);
    return settings->playbook.length == 0 || *out != 0;
}

/* False: it names something that is not there. */
static bool fill(const struct registry *registry, enum entity_kind kind, uint32_t number,
                 const struct settings *settings, char *room, struct entity *entity)
{
    uint32_t agency = registry_number(registry, ENTITY_AGENCY, settings->agency);

    switch (kind) {
    case ENTITY_AGENCY:
        entity->agency.number = number;
        name_copy(entity->agency.id, settings->id);
        entity->agency.name = keep(&room, settings->name);
        return fill_choice(registry, settings, &entity->agency.playbook);
    case ENTITY_SITE:
        entity->site.number = number;
        entity->site.agency = agency;
        name_copy(entity->site.id, settings->id);
        return fill_site(registry, settings, room, &entity->site) && agency != 0 &&
               fill_choice(registry, settings, &entity->site.playbook);
    case ENTITY_QUEUE:
        entity->queue.number = number;
        entity->queue.agency = agency;
        name_copy(entity->queue.id, settings->id);
        fill_queue(settings, &entity->queue);
        return agency != 0;
    case ENTITY_AGENT:
        entity->agent.number = number;
        entity->agent.agency = agency;
        name_copy(entity->agent.id, settings->id);
        fill_agent(registry, settings, room, &entity->agent);
        return agency != 0;
    case ENTITY_TOKEN:
        entity->token.number = number;
        entity->token.agency = agency;
        name_copy(entity->token.id, settings->id);
        return fill_token(registry, settings, room, &entity->token);
    case ENTITY_PLAYBOOK:
        entity->playbook.number = number;
        return fill_playbook(registry, settings, &entity->playbook);
    case ENTITY_KIND_END:
        break;
    }
    return false;
}

static struct entity *without_settings(struct entity *entity)
{
    entity->settings = (struct slice){0};
    struct entity *smaller = realloc(entity, sizeof(*entity));
    return smaller ? smaller : entity;
}

struct entity *site_entity(const struct registry *registry, struct json *json,
                           enum entity_kind kind, uint32_t number, struct slice settings,
                           enum status *status_out)
{
    struct entity *entity = calloc(1, sizeof(*entity) + 2 * settings.length + JSON_PADDING);
    struct settings read;
    struct json_value root;
    struct slice field;

    *status_out = STATUS_INTERNAL;
    if (!entity)
        return NULL;
    memcpy(entity->bytes, settings.bytes, settings.length);
    entity->settings = (struct slice){entity->bytes, settings.length};
    settings_default(kind, &read);
    *status_out = STATUS_OK;
    if (json_parse(json, entity->bytes, settings.length, &root) != STATUS_OK ||
        settings_read(kind, root, false, &read, &field) != STATUS_OK ||
        settings_complete(kind, &read, &field) != STATUS_OK ||
        !fill(registry, kind, number, &read, entity->bytes + settings.length + JSON_PADDING,
              entity)) {
        free(entity);
        *status_out = STATUS_CORRUPT;
        return NULL;
    }
    return kind == ENTITY_PLAYBOOK ? without_settings(entity) : entity;
}

void site_entity_free(struct entity *entity, enum entity_kind kind)
{
    if (entity && kind == ENTITY_PLAYBOOK)
        playbook_close(entity->playbook.playbook);
    free(entity);
}
