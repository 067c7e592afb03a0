/* What settings must fit to beyond themselves: what they name is there, and of the same agency. */
#include <string.h>

#include "proto/phone.h"
#include "server/site_settings.h"

/* "<agency>.<name>" */
static bool belongs_by_name(struct slice queue, struct slice agency)
{
    return queue.length > agency.length + 1 && queue.bytes[agency.length] == '.' &&
           memcmp(queue.bytes, agency.bytes, agency.length) == 0;
}

static enum status invalid(const char *field, struct slice *field_out)
{
    *field_out = slice_of(field);
    return STATUS_INVALID;
}

/* What is stored already is not looked at again: another version of the phone rules may know
 * other countries. */
static enum status check_countries(const struct settings *settings, struct slice *field_out)
{
    if (!phone_knows_country(settings->country))
        return invalid("country", field_out);
    for (size_t i = 0; i < settings->countries.count; i++)
        if (!phone_knows_country(settings->countries.items[i]))
            return invalid("countries", field_out);
    return STATUS_OK;
}

/* A playbook that is named is there, in force, and the agency's own. */
static bool may_choose(const struct registry *registry, const struct settings *settings,
                       uint32_t agency)
{
    uint32_t first = registry_number(registry, ENTITY_PLAYBOOK, settings->playbook);
    const struct playbook_version *head = registry_playbook_version(registry, first);

    if (settings->playbook.length == 0)
        return true;
    if (!head)
        return false;
    const struct playbook_version *newest = registry_playbook_version(registry, head->newest);
    return newest->playbook && newest->agency == agency;
}

static enum status check_queues(const struct registry *registry, const struct settings *settings,
                                uint32_t agency, struct slice *field_out)
{
    for (size_t i = 0; i < settings->queues.count; i++) {
        uint32_t queue = registry_number(registry, ENTITY_QUEUE, settings->queues.items[i]);
        if (queue == 0 || registry_queue(registry, queue)->agency != agency)
            return invalid("queues", field_out);
    }
    return STATUS_OK;
}

enum status site_check_references(const struct registry *registry, enum entity_kind kind,
                                  const struct settings *settings, struct slice *field_out)
{
    uint32_t agency = registry_number(registry, ENTITY_AGENCY, settings->agency);
    bool admin = kind == ENTITY_TOKEN && settings_role(settings) == ROLE_ADMIN;

    if (kind == ENTITY_AGENCY)
        agency = registry_number(registry, ENTITY_AGENCY, settings->id);
    if (!may_choose(registry, settings, agency))
        return invalid("playbook", field_out);
    if (kind == ENTITY_AGENCY)
        return STATUS_OK;
    if (admin ? settings->agency.length != 0 : agency == 0)
        return invalid("agency", field_out);
    if (kind == ENTITY_QUEUE && !belongs_by_name(settings->id, settings->agency))
        return invalid("id", field_out);
    if (kind == ENTITY_SITE) {
        uint32_t queue = registry_number(registry, ENTITY_QUEUE, settings->queue);
        if (queue == 0 || registry_queue(registry, queue)->agency != agency)
            return invalid("queue", field_out);
        return check_countries(settings, field_out);
    }
    if (kind == ENTITY_AGENT)
        return check_queues(registry, settings, agency, field_out);
    if (kind == ENTITY_TOKEN && settings->agent.length != 0) {
        uint32_t agent = registry_number(registry, ENTITY_AGENT, settings->agent);
        if (agent == 0 || registry_agent(registry, agent)->agency != agency)
            return invalid("agent", field_out);
    }
    return STATUS_OK;
}
