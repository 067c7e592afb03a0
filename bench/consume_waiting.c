/* How many tasks stand in a queue: for those who do not pop. */
#include <hiredis/hiredis.h>

#include "bench/consume.h"
#include "bench/link.h"

int64_t consume_waiting(const struct target *target)
{
    struct link_address address;
    char why[LINK_WHY_MAX];
    int64_t count = -1;

    if (target->shape == TARGET_NOWHERE || target->shape == TARGET_BULLMQ ||
        !link_address_parse(target->redis_url, &address))
        return -1;
    redisContext *link = link_open(&address, why);
    if (link == NULL)
        return -1;
    redisReply *reply =
        redisCommand(link, "%s %s", target->shape == TARGET_ZSET ? "ZCARD" : "LLEN", target->key);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        count = reply->integer;
    if (reply != NULL)
        freeReplyObject(reply);
    redisFree(link);
    return count;
}
