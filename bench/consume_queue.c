/* Pops that block for a moment where nothing stands, and bring several tasks where many do. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/consume_internal.h"

#define AT_ONCE       64u
#define ROBOT_AT_ONCE 100u
#define BLOCK_S       "0.05" /* so long may it take to end */
#define KEY_MAX       (TARGET_TEXT_MAX + 64)

static bool write_pop(struct consume_queue *queue, const char *key, const char *end)
{
    int bytes = redisFormatCommand(&queue->pop, "%s %s 1 %s %s COUNT %u",
                                   queue->shape == TARGET_ZSET ? "BZMPOP" : "BLMPOP", BLOCK_S, key,
                                   end, queue->at_once);

    queue->pop_bytes = bytes > 0 ? (size_t)bytes : 0;
    return bytes > 0;
}

bool consume_queue_calls(const struct target *target, unsigned at_once, struct consume_queue *out)
{
    bool zset = target->shape == TARGET_ZSET, bullmq = target->shape == TARGET_BULLMQ;
    char key[KEY_MAX];

    *out = (struct consume_queue){.shape = target->shape, .at_once = at_once ? at_once : AT_ONCE};
    if (out->at_once > CONSUME_AT_ONCE_MAX)
        out->at_once = CONSUME_AT_ONCE_MAX;
    snprintf(key, sizeof(key), "%s%s", target->key, bullmq ? "wait" : "");
    return write_pop(out, key, zset ? "MIN" : target->pop_left && !bullmq ? "LEFT" : "RIGHT");
}

bool consume_queue_emails(const struct target *target, struct consume_queue *out)
{
    char key[KEY_MAX];

    *out = (struct consume_queue){.shape = TARGET_ZSET, .at_once = ROBOT_AT_ONCE, .robots = true};
    snprintf(key, sizeof(key), "hl:{%s}:tasks", target->emails);
    return write_pop(out, key, "MIN");
}

void consume_queue_free(struct consume_queue *queue)
{
    free(queue->pop);
}
