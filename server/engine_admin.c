/* Settings. The loop has checked them; what two of its requests could still race for is checked
 * again here, where everything is in one order: ids, numbers, versions, and what state alone knows,
 * whether tasks are open. */
#include <string.h>

#include "server/engine_internal.h"

/* One entity's settings; slices of the document that was read last. */
struct proposal {
    enum entity_kind entity;
    struct slice id;
    uint64_t version; /* of a playbook */
    bool removes;     /* a playbook */
};

/* --- what is there ------------------------------------------------------------------- */

/* A queue's open tasks are given out and given out again by its settings: without it the next pop
 * would be the last that is seen of them. A site may go before its tasks, which have all of it that
 * they need in their own rows, and before its people, who are worked as it was last. */
static enum status check_idle(struct engine *engine, uint32_t queue)
{
    return state_queue(engine->options.state, queue)->open_tasks == 0 ? STATUS_OK : STATUS_CONFLICT;
}

static enum status check_remove(struct engine *engine, const struct command_admin *admin)
{
    const struct registry *registry = engine->options.registry;
    uint32_t along[SITE_ALONG_MAX];
    size_t count = registry_along(registry, admin->entity, admin->number, along);
    enum status result = registry_check_remove(registry, admin->entity, admin->number);

    if (result == STATUS_OK && admin->entity == ENTITY_QUEUE)
        result = check_idle(engine, admin->number);
    for (size_t i = 0; result == STATUS_OK && i < count; i++)
        result = check_idle(engine, along[i]);
    return result;
}

/* --- what is new --------------------------------------------------------------------- */

static enum status read_proposal(struct engine *engine, enum entity_kind entity,
                                 struct slice settings, struct proposal *out)
{
    struct json_value root, value;

    *out = (struct proposal){.entity = entity};
    if (settings.length > RECORD_PAYLOAD_MAX)
        return STATUS_TOO_LARGE;
    memcpy(engine->padded, settings.bytes, settings.length);
    memset(engine->padded + settings.length, 0, JSON_PADDING);
    if (json_parse(engine->json, engine->padded, settings.length, &root) != STATUS_OK ||
        !json_member(root, "id", &value) || !json_string(value, &out->id))
        return STATUS_INVALID;
    if (entity != ENTITY_PLAYBOOK)
        return STATUS_OK;
    out->removes = json_member(root, "yaml", &value) && value.type == JSON_NULL;
    return json_member(root, "version", &value) && json_uint(value, &out->version) ? STATUS_OK
                                                                                   : STATUS_INVALID;
}

/* Versions of a playbook have one id, and numbers without a gap. */
static enum status check_version(const struct registry *registry, const struct proposal *proposal)
{
    uint32_t first = registry_number(registry, ENTITY_PLAYBOOK, proposal->id);

    if (proposal->version != registry_next_version(registry, proposal->id))
        return STATUS_CONFLICT;
    return proposal->removes ? registry_check_remove(registry, ENTITY_PLAYBOOK, first) : STATUS_OK;
}

/* `taken`: how many new ones the record at hand has given out of this kind. */
static uint32_t number_for(const struct registry *registry, const struct proposal *proposal,
                           uint32_t *taken)
{
    uint32_t former = 0;

    if (proposal->entity == ENTITY_QUEUE)
        former = registry_former_queue(registry, proposal->id);
    return former != 0 ? former : registry_next_number(registry, proposal->entity) + (*taken)++;
}

static enum status check_new(const struct registry *registry, const struct proposal *proposal,
                             uint32_t number)
{
    enum status result = STATUS_OK;

    if (proposal->entity == ENTITY_PLAYBOOK)
        result = check_version(registry, proposal);
    else if (registry_number(registry, proposal->entity, proposal->id) != 0)
        result = STATUS_CONFLICT;
    if (result == STATUS_OK && number > registry_number_max(proposal->entity))
        result = STATUS_BUSY;
    return result;
}

/* --- the record ---------------------------------------------------------------------- */

/* `settings` are a part of the payload; empty: none, the entity goes. */
static void add_effect(struct record *record, enum entity_kind entity, uint32_t number,
                       struct slice settings)
{
    struct effect_admin effect = {.entity = entity, .number = number};

    if (settings.length != record->payload.length) {
        effect.at = (uint32_t)(settings.bytes - record->payload.bytes);
        effect.bytes = (uint32_t)settings.length;
    }
    engine_effect(record, EFFECT_ADMIN, &effect, sizeof(effect));
}

static enum status add_queues(struct engine *engine, struct slice lines, struct record *record,
                              struct settlement *settlement)
{
    const struct registry *registry = engine->options.registry;
    enum status result = STATUS_OK;
    struct slice settings;
    uint32_t count = 0, taken = 0;

    for (; result == STATUS_OK && registry_next_settings(&lines, &settings); count++) {
        struct proposal proposal;
        uint32_t number = 0;

        result = read_proposal(engine, ENTITY_QUEUE, settings, &proposal);
        if (result == STATUS_OK) {
            number = number_for(registry, &proposal, &taken);
            result = check_new(registry, &proposal, number);
        }
        if (result == STATUS_OK && count == SITE_ROBOTS_MAX)
            result = STATUS_TOO_LARGE;
        if (result == STATUS_OK) {
            settlement->queue_numbers[count] = (uint16_t)number;
            add_effect(record, ENTITY_QUEUE, number, settings);
        }
    }
    return result;
}

static enum status decide_set(struct engine *engine, const struct command *command,
                              struct record *record, struct settlement *settlement)
{
    const struct registry *registry = engine->options.registry;
    const struct command_admin *admin = &command->admin;
    struct slice lines = command->payload, settings;
    struct proposal proposal;
    enum status result = STATUS_OK;
    uint32_t taken = 0;

    registry_next_settings(&lines, &settings);
    if (admin->number != 0 && registry_settings(registry, admin->entity, admin->number).length == 0)
        return STATUS_NOT_FOUND;
    result = read_proposal(engine, admin->entity, settings, &proposal);
    if (result != STATUS_OK)
        return result;
    settlement->entity_number = admin->number;
    if (admin->number == 0) {
        settlement->entity_number = number_for(registry, &proposal, &taken);
        result = check_new(registry, &proposal, settlement->entity_number);
    }
    if (result != STATUS_OK)
        return result;
    record->payload = command->payload;
    add_effect(record, admin->entity, settlement->entity_number, settings);
    return add_queues(engine, lines, record, settlement);
}

static enum status decide_remove(struct engine *engine, const struct command *command,
                                 struct record *record, struct settlement *settlement)
{
    const struct command_admin *admin = &command->admin;
    uint32_t along[SITE_ALONG_MAX];
    size_t count = registry_along(engine->options.registry, admin->entity, admin->number, along);
    enum status result = check_remove(engine, admin);

    for (size_t i = 0; i < count; i++)
        add_effect(record, ENTITY_QUEUE, along[i], (struct slice){0});
    add_effect(record, admin->entity, admin->number, (struct slice){0});
    settlement->entity_number = admin->number;
    return result;
}

/* Before an agent goes its tasks do, person by person. */
static bool has_work(struct engine *engine, const struct command_admin *admin)
{
    struct state_work work;

    return admin->remove && admin->entity == ENTITY_AGENT &&
           registry_check_remove(engine->options.registry, ENTITY_AGENT, admin->number) ==
               STATUS_OK &&
           state_work_first(engine->options.state, admin->number, &work);
}

enum status engine_decide_admin(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement, bool *more_out)
{
    if (has_work(engine, &command->admin)) {
        settlement->status = engine_clear_agent(engine, command->admin.number, turn, record);
        *more_out = settlement->status == STATUS_OK;
        return settlement->status;
    }
    engine_begin(record, RECORD_ADMIN, turn, 0, 0, 0);
    settlement->status = command->admin.remove ? decide_remove(engine, command, record, settlement)
                                               : decide_set(engine, command, record, settlement);
    if (settlement->status == STATUS_OK)
        record_seal(record);
    return settlement->status;
}
