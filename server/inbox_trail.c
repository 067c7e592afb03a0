/* Which entries that were read are remembered. A Redis that comes back after a crash, a fail-over
 * or from a snapshot has lost the end of what it had, if anything: whoever finds an entry that was
 * read before in it knows that reading may go on there, whatever the clocks say. */
#include <string.h>
#include <xxhash.h>

#include "server/inbox_internal.h"

#define TICK_MS 1000

static uint64_t entry_hash(const struct redis_reply *entry)
{
    struct redis_reply fields;
    uint64_t hash = 0;

    if (entry->type != REDIS_ARRAY || entry->count != 2)
        return hash;
    fields = redis_item(entry, 1);
    for (size_t i = 0; fields.type == REDIS_ARRAY && i < fields.count; i++) {
        struct slice text = redis_item(&fields, i).text;
        hash = XXH3_64bits_withSeed(text.bytes, text.length, hash + 1);
    }
    return hash;
}

/* At each tick what was the newest becomes the second; every second tick the second becomes the
 * third, every fourth the third becomes the fourth: so ages double. */
static void age(struct inbox_trail *trail)
{
    trail->ticks++;
    for (unsigned i = INBOX_STEPS - 1; i > 0; i--) {
        if (i <= trail->count && trail->ticks % (1ull << (i - 1)) == 0) {
            trail->steps[i] = trail->steps[i - 1];
            trail->count += trail->count == i;
        }
    }
}

void inbox_trail_add(struct inbox_trail *trail, struct inbox_id id, const struct redis_reply *entry,
                     uint64_t entries, uint64_t now_ms)
{
    if (now_ms >= trail->tick_ms + TICK_MS) {
        age(trail);
        trail->tick_ms = now_ms;
    }
    trail->read += entries;
    trail->steps[0] = (struct inbox_step){.id = id, .hash = entry_hash(entry), .read = trail->read};
    if (trail->count == 0)
        trail->count = 1;
}

void inbox_trail_back(struct inbox_trail *trail, struct inbox_id cursor)
{
    unsigned newer = 0;

    while (newer < trail->count && inbox_id_compare(trail->steps[newer].id, cursor) > 0)
        newer++;
    trail->count -= newer;
    memmove(trail->steps, trail->steps + newer, trail->count * sizeof(trail->steps[0]));
    trail->read = trail->count > 0 ? trail->steps[0].read : 0;
}

bool inbox_step_is_first(const struct inbox_step *step, const struct redis_reply *reply)
{
    struct inbox_id id;

    if (reply->type != REDIS_ARRAY || reply->count != 1)
        return false;
    struct redis_reply stream = redis_item(reply, 0);
    if (stream.type != REDIS_ARRAY || stream.count != 2)
        return false;
    struct redis_reply entries = redis_item(&stream, 1);
    if (entries.type != REDIS_ARRAY || entries.count == 0)
        return false;
    struct redis_reply entry = redis_item(&entries, 0);
    return entry.type == REDIS_ARRAY && entry.count == 2 &&
           inbox_id_read(redis_item(&entry, 0).text, &id) && inbox_id_compare(id, step->id) == 0 &&
           entry_hash(&entry) == step->hash;
}

struct inbox_id inbox_trail_before(const struct inbox_trail *trail, uint64_t entries)
{
    for (unsigned i = 0; i < trail->count; i++) {
        if (trail->read - trail->steps[i].read >= entries)
            return trail->steps[i].id;
    }
    return (struct inbox_id){0, 0};
}
