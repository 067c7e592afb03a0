/* Where calls to people go: the site that they came by leads there, also when it was removed. */
#include "server/site.h"

static bool has_queue(const struct registry *registry, uint32_t agency, const struct site *site)
{
    const struct queue *queue = site ? registry_queue(registry, site->queue) : NULL;

    return queue && queue->agency == agency;
}

uint32_t registry_call_queue(const struct registry *registry, uint32_t agency,
                             const struct site *site)
{
    uint32_t number = 0;

    while (!has_queue(registry, agency, site)) {
        if (number == registry_count(registry, ENTITY_SITE))
            return 0;
        site = registry_site(registry, ++number);
    }
    return site->queue;
}
