/* Playbooks among the settings: which version somebody goes by, what the next one must be; and the
 * queues that robots and agents work on. */
#include "proto/must.h"
#include "proto/task.h"
#include "server/site.h"
#include "server/site_settings.h"

/* --- which one ----------------------------------------------------------------------- */

uint32_t registry_pinned(const struct registry *registry, uint32_t number)
{
    return number != 0 ? number : registry_shipped(registry);
}

const struct playbook *registry_playbook(const struct registry *registry, uint32_t number)
{
    const struct playbook_version *version =
        registry_playbook_version(registry, registry_pinned(registry, number));

    return version && version->playbook ? version->playbook : playbook_shipped();
}

static const struct playbook_version *newest_of(const struct registry *registry, uint32_t first)
{
    const struct playbook_version *head = registry_playbook_version(registry, first);

    return head ? registry_playbook_version(registry, head->newest) : NULL;
}

uint32_t registry_playbook_of(const struct registry *registry, const struct site *site)
{
    const struct agency *agency = registry_agency(registry, site->agency);
    const struct playbook_version *newest = newest_of(registry, site->playbook);

    if (!newest && agency)
        newest = newest_of(registry, agency->playbook);
    if (!newest || !newest->playbook)
        newest = newest_of(registry, registry_shipped(registry));
    return newest ? newest->number : 0;
}

enum status registry_keep_shipped(const struct registry *registry, struct text *settings_out)
{
    struct settings settings = {.id = SLICE(SITE_DEFAULT_PLAYBOOK)};
    const struct playbook_version *newest = newest_of(registry, registry_shipped(registry));

    if (newest && hash_equal(newest->playbook->hash, playbook_shipped()->hash))
        return STATUS_DUPLICATE;
    if (registry_next_number(registry, ENTITY_PLAYBOOK) > SITE_PLAYBOOK_NUMBER_MAX)
        return STATUS_BUSY;
    settings.version = registry_next_version(registry, settings.id);
    settings.yaml = playbook_shipped()->canonical;
    settings_write(ENTITY_PLAYBOOK, &settings, settings_out);
    return settings_out->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}

/* --- the next version ---------------------------------------------------------------- */

static const struct playbook_version *newest_named(const struct registry *registry, struct slice id)
{
    return newest_of(registry, registry_number(registry, ENTITY_PLAYBOOK, id));
}

uint32_t registry_next_version(const struct registry *registry, struct slice id)
{
    const struct playbook_version *newest = newest_named(registry, id);

    return newest ? newest->version + 1 : 1;
}

/* "<agency>.<name>" */
static bool is_named_after(struct slice id, struct slice agency)
{
    return settings_is_id(id) && id.length > agency.length + 1 && id.bytes[agency.length] == '.' &&
           memcmp(id.bytes, agency.bytes, agency.length) == 0;
}

static enum status check_owner(const struct registry *registry, struct slice id,
                               struct slice agency_id, struct slice *field_out)
{
    uint32_t agency = registry_number(registry, ENTITY_AGENCY, agency_id);

    *field_out = agency == 0 ? SLICE("agency") : SLICE("id");
    return agency != 0 && is_named_after(id, agency_id) ? STATUS_OK : STATUS_INVALID;
}

static enum status check_next(const struct registry *registry, struct slice id,
                              const struct playbook *playbook)
{
    const struct playbook_version *newest = newest_named(registry, id);
    bool in_force = newest && newest->playbook;

    if (!playbook && !in_force)
        return STATUS_NOT_FOUND;
    if (!playbook && registry_check_remove(registry, ENTITY_PLAYBOOK, newest->first) != STATUS_OK)
        return STATUS_CONFLICT;
    if (playbook && in_force && hash_equal(playbook->hash, newest->playbook->hash))
        return STATUS_DUPLICATE;
    return registry_next_number(registry, ENTITY_PLAYBOOK) > SITE_PLAYBOOK_NUMBER_MAX ? STATUS_BUSY
                                                                                      : STATUS_OK;
}

_Static_assert(PLAYBOOK_ESCAPED_MAX + 2048 <= SITE_PLAYBOOK_SETTINGS_MAX, "beside it: ids");

enum status registry_check_playbook(const struct registry *registry, struct slice id,
                                    struct slice agency, const struct playbook *playbook,
                                    struct text *settings_out, struct slice *field_out)
{
    struct settings settings = {.id = id, .agency = agency};
    size_t before = settings_out->length;
    enum status status = check_owner(registry, id, agency, field_out);

    if (status == STATUS_OK)
        status = check_next(registry, id, playbook);
    if (status != STATUS_OK)
        return status;
    settings.version = registry_next_version(registry, id);
    if (playbook)
        settings.yaml = playbook->canonical;
    settings_write(ENTITY_PLAYBOOK, &settings, settings_out);
    return settings_out->overflow || settings_out->length - before > SITE_PLAYBOOK_SETTINGS_MAX
               ? STATUS_TOO_LARGE
               : STATUS_OK;
}

/* --- queues for robots --------------------------------------------------------------- */

_Static_assert(TASK_CHANNEL_END - TASK_EMAIL == SITE_ROBOTS_MAX, "a queue for each but calls");

/* `<agency>.<name>`. False: the agency's id leaves no room for it. */
static bool name_queue(struct slice agency, const char *name, struct text *out)
{
    text_add(out, agency);
    text_char(out, '.');
    text_string(out, name);
    return !out->overflow;
}

static bool name_robot(struct slice agency, enum task_channel channel, struct text *out)
{
    return name_queue(agency, task_channel_name(channel), out);
}

static bool name_own(struct slice agency, struct slice agent, struct text *out)
{
    name_queue(agency, "a-", out);
    text_add(out, agent);
    return !out->overflow;
}

/* Unless it is there. `*number`: that the next one gets. */
static enum status add_queue(const struct registry *registry, struct slice agency, struct slice id,
                             uint32_t *number, struct text *settings_out)
{
    struct settings settings;

    if (registry_number(registry, ENTITY_QUEUE, id) != 0)
        return STATUS_OK;
    if ((*number)++ > SITE_NUMBER_MAX)
        return STATUS_CONFLICT;
    settings_default(ENTITY_QUEUE, &settings);
    settings.id = id;
    settings.agency = agency;
    text_char(settings_out, '\n');
    settings_write(ENTITY_QUEUE, &settings, settings_out);
    return settings_out->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status registry_add_robots(const struct registry *registry, struct slice agency,
                                struct text *settings_out)
{
    uint32_t number = registry_next_number(registry, ENTITY_QUEUE);
    enum status status = STATUS_OK;

    for (int channel = TASK_EMAIL; status == STATUS_OK && channel < TASK_CHANNEL_END; channel++) {
        char bytes[SITE_NAME_MAX];
        struct text id = text_over(bytes, sizeof(bytes));

        if (!name_robot(agency, (enum task_channel)channel, &id))
            return STATUS_INVALID;
        status = add_queue(registry, agency, text_slice(&id), &number, settings_out);
    }
    return status;
}

enum status registry_add_agents(const struct registry *registry, struct slice agency,
                                struct slice agent, struct text *settings_out)
{
    uint32_t number = registry_next_number(registry, ENTITY_QUEUE);
    char bytes[2][SITE_NAME_MAX];
    struct text own = text_over(bytes[0], SITE_NAME_MAX);
    struct text managers = text_over(bytes[1], SITE_NAME_MAX);
    enum status status;

    if (!name_own(agency, agent, &own) || !name_queue(agency, "manager", &managers))
        return STATUS_INVALID;
    status = add_queue(registry, agency, text_slice(&own), &number, settings_out);
    if (status == STATUS_OK)
        status = add_queue(registry, agency, text_slice(&managers), &number, settings_out);
    return status;
}

uint32_t registry_own_queue(const struct registry *registry, const struct agent *agent)
{
    char bytes[SITE_NAME_MAX];
    struct text id = text_over(bytes, sizeof(bytes));

    return name_own(registry_name(registry, ENTITY_AGENCY, agent->agency), slice_of(agent->id), &id)
               ? registry_number(registry, ENTITY_QUEUE, text_slice(&id))
               : 0;
}

uint32_t registry_manager_queue(const struct registry *registry, uint32_t agency)
{
    char bytes[SITE_NAME_MAX];
    struct text id = text_over(bytes, sizeof(bytes));

    return name_queue(registry_name(registry, ENTITY_AGENCY, agency), "manager", &id)
               ? registry_number(registry, ENTITY_QUEUE, text_slice(&id))
               : 0;
}

static size_t robots_of(const struct registry *registry, uint32_t agency, uint32_t *numbers_out)
{
    struct slice agency_id = registry_name(registry, ENTITY_AGENCY, agency);
    size_t count = 0;

    for (int channel = TASK_EMAIL; channel < TASK_CHANNEL_END; channel++) {
        char bytes[SITE_NAME_MAX];
        struct text id = text_over(bytes, sizeof(bytes));

        if (!name_robot(agency_id, (enum task_channel)channel, &id))
            continue;
        uint32_t number = registry_number(registry, ENTITY_QUEUE, text_slice(&id));
        if (number != 0)
            numbers_out[count++] = number;
    }
    return count;
}

size_t registry_along(const struct registry *registry, enum entity_kind kind, uint32_t number,
                      uint32_t numbers_out[SITE_ALONG_MAX])
{
    const struct agent *agent = kind == ENTITY_AGENT ? registry_agent(registry, number) : NULL;
    uint32_t more = 0;
    size_t count = 0;

    if (agent)
        more = registry_own_queue(registry, agent);
    else if (kind == ENTITY_AGENCY) {
        count = robots_of(registry, number, numbers_out);
        more = registry_manager_queue(registry, number);
    }
    if (more != 0)
        numbers_out[count++] = more;
    return count;
}

bool registry_next_settings(struct slice *lines, struct slice *settings_out)
{
    const char *end = lines->length != 0 ? memchr(lines->bytes, '\n', lines->length) : NULL;

    *settings_out = *lines;
    if (end)
        settings_out->length = (size_t)(end - lines->bytes);
    size_t taken = settings_out->length + (end != NULL);
    lines->bytes += taken;
    lines->length -= taken;
    return settings_out->length != 0;
}
