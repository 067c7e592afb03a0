/* Redis is up but refuses: what that means for an operator, and when it is tried again. A refused
 * queue keeps no other one waiting, and goes on by itself once Redis takes its tasks again. */
#include <string.h>

#include "server/publish_internal.h"

#define PAUSES_MOST 5 /* watches between two tries, at most */

/* By the first word of the error. */
static const struct {
    const char *code, *meaning;
    enum stats_counter counter;
} refusals[] = {
    [REFUSAL_OTHER] = {"", "Redis refuses tasks: the log has its word for it",
                       STATS_REDIS_REFUSED_OTHER},
    [REFUSAL_MEMORY] = {"OOM", "Redis is full: give it more memory (maxmemory)",
                        STATS_REDIS_REFUSED_MEMORY},
    [REFUSAL_DISK] = {"MISCONF", "Redis cannot write to its disk, and takes no tasks until it can",
                      STATS_REDIS_REFUSED_DISK},
    [REFUSAL_PERMISSION] = {"NOPERM", "the ACL of Redis forbids this server's user what it needs",
                            STATS_REDIS_REFUSED_PERMISSION},
    [REFUSAL_TYPE] = {"WRONGTYPE",
                      "the key of a queue is of another type in Redis: the log names the queue; "
                      "remove the key",
                      STATS_REDIS_REFUSED_TYPE},
    [REFUSAL_READONLY] = {"READONLY", "Redis was made a replica", STATS_REDIS_REFUSED_READONLY},
    [REFUSAL_LOADING] = {"LOADING", "Redis is loading its data", STATS_REDIS_REFUSED_LOADING},
    [REFUSAL_BUSY] = {"BUSY", "Redis is busy with somebody's script", STATS_REDIS_REFUSED_BUSY},
    [REFUSAL_REPLICAS] = {"NOREPLICAS", "Redis has too few replicas (min-replicas-to-write)",
                          STATS_REDIS_REFUSED_REPLICAS},
};

_Static_assert(sizeof(refusals) / sizeof(refusals[0]) == REFUSAL_END, "one row each");

/* The first word of an error, which names its kind. */
static void copy_code(char *out, size_t size, struct slice error)
{
    size_t length = 0;

    while (length < error.length && length < size - 1 && error.bytes[length] != ' ')
        length++;
    memcpy(out, error.bytes, length);
    out[length] = '\0';
}

/* Of what a script may not do for its caller, Redis says ERR alone: the first of these before 7.2,
 * the second since. */
static bool is_of_acl(const struct redis_reply *reply)
{
    static const char *const words[] = {"user executing the script", "ACL failure in script"};

    if (reply->type != REDIS_ERROR)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (memmem(reply->text.bytes, reply->text.length, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

static enum publish_refusal refusal_of(const struct redis_reply *reply, const char *code)
{
    if (is_of_acl(reply))
        return REFUSAL_PERMISSION;
    for (int refusal = REFUSAL_OTHER + 1; refusal < REFUSAL_END; refusal++)
        if (strcmp(code, refusals[refusal].code) == 0)
            return (enum publish_refusal)refusal;
    return REFUSAL_OTHER;
}

static void set_refusal(struct publish_queue *queue, enum publish_refusal refusal)
{
    struct publish *publish = queue->publish;

    publish->refused += (refusal != REFUSAL_NONE) - (queue->refusal != REFUSAL_NONE);
    queue->refusal = refusal;
    stats_set(publish->options.stats, STATS_GAUGE_QUEUES_REFUSED, publish->refused);
}

/* One, two, four, then five watches apart. */
static void pause_tries(struct publish_queue *queue)
{
    const struct publish_options *options = &queue->publish->options;
    unsigned pauses = 1u << queue->refusals;

    if (pauses < PAUSES_MOST)
        queue->refusals++;
    else
        pauses = PAUSES_MOST;
    queue->retry_ms = uv_now(options->loop) + (uint64_t)pauses * options->watch_ms;
}

void publish_refuse(struct publish_queue *queue, const struct redis_reply *reply)
{
    const struct publish_options *options = &queue->publish->options;
    const struct queue *settings = registry_queue(options->registry, queue->number);
    char code[32] = "an unknown answer";

    if (reply->type == REDIS_ERROR)
        copy_code(code, sizeof(code), reply->text);
    enum publish_refusal refusal = refusal_of(reply, code);
    stats_add(options->stats, refusals[refusal].counter, 1);
    if (refusal != queue->refusal)
        log_write(options->log, LOG_ERROR, "redis refuses a queue", LOG_INT("queue", queue->number),
                  LOG_TEXT("name", settings != NULL ? settings->id : ""), LOG_TEXT("why", code),
                  LOG_TEXT("meaning", refusals[refusal].meaning), LOG_END);
    set_refusal(queue, refusal);
    pause_tries(queue);
    queue->refused = true;
    queue->known = false;
}

void publish_accepted(struct publish_queue *queue)
{
    if (queue->refusal == REFUSAL_NONE)
        return;
    log_write(queue->publish->options.log, LOG_INFO, "redis takes a queue again",
              LOG_INT("queue", queue->number), LOG_END);
    set_refusal(queue, REFUSAL_NONE);
    queue->refusals = 0;
    queue->retry_ms = 0;
}

const char *publish_trouble(const struct publish *publish)
{
    const char *link = redis_trouble(publish->redis);

    if (!redis_is_up(publish->redis))
        return link[0] != '\0' ? link : "Redis cannot be reached";
    for (uint32_t number = 1; publish->refused > 0 && number <= publish->highest; number++) {
        const struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && queue->refusal != REFUSAL_NONE)
            return refusals[queue->refusal].meaning;
    }
    if (publish_epoch_alarm(publish))
        return "another server pushes under this node's name: stop it, or give it a name of its "
               "own (--node)";
    return NULL;
}
