/* Keys are found by a scan for the member that holds them, not by parsing: a consumer looks at
 * every task of a run. What a visitor typed cannot look like a member, for the quotes in a JSON
 * string are escaped; a field of his may have its name, but stands behind hotlead's own. */
#include "bench/target.h"

#include <string.h>
#include <xxhash.h>

#define ID_PREFIX_LENGTH (sizeof("opt_") - 1)
#define NUMBER_DIGITS    19 /* 10^19 - 1 fits into 64 bits */

uint64_t target_key(struct slice id)
{
    return XXH3_64bits(id.bytes, id.length);
}

/* What stands behind `start`; no bytes when it is not there. */
static struct slice behind(struct slice text, struct slice start)
{
    const char *found =
        text.length == 0 ? NULL : memmem(text.bytes, text.length, start.bytes, start.length);

    if (found == NULL)
        return (struct slice){NULL, 0};
    const char *rest = found + start.length;
    return (struct slice){rest, text.length - (size_t)(rest - text.bytes)};
}

/* `member` is its name, the colon, and how the id begins: `"id":"opt_`. */
static bool key_of_id(struct slice json, struct slice member, uint64_t *key_out)
{
    struct slice rest = behind(json, member);

    if (rest.bytes == NULL)
        return false;
    const char *quote = memchr(rest.bytes, '"', rest.length);
    if (quote == NULL)
        return false;
    const char *id = rest.bytes - ID_PREFIX_LENGTH;
    *key_out = target_key((struct slice){id, (size_t)(quote - id)});
    return true;
}

/* The number between the salt and the @. */
static bool key_of_visitor(struct slice json, uint64_t *key_out)
{
    struct slice rest = behind(json, SLICE("\"email\":\"visitor-"));
    uint64_t number = 0;
    size_t at = 0;

    rest = behind(rest, SLICE("-"));
    for (; at < rest.length && at < NUMBER_DIGITS && rest.bytes[at] >= '0' && rest.bytes[at] <= '9';
         at++)
        number = number * 10 + (uint64_t)(rest.bytes[at] - '0');
    if (at == 0 || at == rest.length || rest.bytes[at] != '@')
        return false;
    *key_out = number;
    return true;
}

bool target_key_of_answer(const struct target *target, struct slice body, uint64_t *key_out)
{
    return target->kind == TARGET_HOTLEAD && key_of_id(body, SLICE("\"id\":\"opt_"), key_out);
}

bool target_key_of_task(const struct target *target, struct slice task, uint64_t *key_out)
{
    if (target->kind == TARGET_HOTLEAD)
        return key_of_id(task, SLICE("\"optin\":\"opt_"), key_out);
    return key_of_visitor(task, key_out);
}
