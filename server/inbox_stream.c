/* The streams of all queues: where each is read up to, whether its end has gone back, and what of
 * it may go. */
#include "server/inbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/text.h"

#define CHECK_EVERY_MS 5000
#define TRIM_EVERY_MS  60000
#define TRIMS_AT_ONCE  16
#define KEPT_MS        3600000

/* A commit may keep a report while one of just before it failed (a full disk): so a start reads a
 * little from before its cursor. */
#define OVERLAP_MS 60000

static uint64_t now_of(const struct inbox *inbox)
{
    return uv_now(inbox->options.loop);
}

static struct inbox_stream *stream_open(struct inbox *inbox, const struct queue *queue)
{
    char buffer[1024];
    struct text key = text_over(buffer, sizeof(buffer));

    text_printf(&key, "%s:{%s}:reports:%s", inbox->options.prefix, queue->id, inbox->options.node);
    MUST(!key.overflow);
    struct inbox_stream *stream = calloc(1, sizeof(*stream) + key.length);
    if (stream == NULL)
        return NULL;
    memcpy(stream + 1, key.bytes, key.length);
    stream->inbox = inbox;
    stream->queue = queue->number;
    stream->key = (struct slice){(const char *)(stream + 1), key.length};
    return stream;
}

/* From a little before what state has. */
static void read_cursor(struct inbox *inbox, struct inbox_stream *stream)
{
    struct state_queue row;

    if (state_read_queue(inbox->state, stream->queue, &row) && row.report_ms > OVERLAP_MS)
        stream->cursor = (struct inbox_id){row.report_ms - OVERLAP_MS, 0};
}

void inbox_find_streams(struct inbox *inbox)
{
    uint32_t count = registry_count(inbox->options.registry, ENTITY_QUEUE);

    for (uint32_t number = 1; number <= count && number < STATE_QUEUES_MAX; number++) {
        const struct queue *queue = registry_queue(inbox->options.registry, number);
        if (queue == NULL || inbox->streams[number] != NULL)
            continue;
        struct inbox_stream *stream = stream_open(inbox, queue);
        if (stream == NULL)
            continue;
        read_cursor(inbox, stream);
        inbox->streams[number] = stream;
        inbox->stream_count++;
    }
    state_reader_release(inbox->state);
}

/* --- where streams end ------------------------------------------------------------------- */

/* Ids that went back: a Redis that lost its tail, with a clock behind. What is new there stands
 * below the cursor, so the stream is read from its beginning. */
static void compare_end(struct inbox *inbox, struct inbox_stream *stream, struct slice last)
{
    struct inbox_id end;

    if (!inbox_id_read(last, &end) || inbox_id_compare(end, stream->cursor) >= 0)
        return;
    stream->cursor = (struct inbox_id){0, 0};
    log_write(inbox->options.log, LOG_WARN, "a report stream went back: reading it again",
              LOG_INT("queue", stream->queue), LOG_END);
}

static void check_on(struct inbox *inbox);

/* XINFO STREAM: names and values. */
static struct slice last_id_of(const struct redis_reply *info)
{
    for (size_t i = 0; i + 1 < info->count; i += 2) {
        if (slice_equal(redis_item(info, i).text, SLICE("last-generated-id")))
            return redis_item(info, i + 1).text;
    }
    return (struct slice){NULL, 0};
}

static void on_checked(void *owner, const struct redis_reply *reply)
{
    struct inbox_stream *stream = owner;
    struct inbox *inbox = stream->inbox;
    bool wrong_type = redis_reply_is_error(reply, "WRONGTYPE");

    inbox->checks--;
    if (wrong_type && !stream->unusable)
        log_write(inbox->options.log, LOG_ERROR, "the key of a report stream is not a stream",
                  LOG_INT("queue", stream->queue), LOG_END);
    stream->unusable = wrong_type;
    if (reply->type == REDIS_ARRAY)
        compare_end(inbox, stream, last_id_of(reply));
    else if (redis_reply_is_error(reply, "ERR no such key"))
        stream->cursor = (struct inbox_id){0, 0}; /* a new one may begin below the cursor */
    check_on(inbox);
}

void inbox_count_refused(const struct inbox *inbox)
{
    uint64_t refused = 0;

    for (uint32_t number = 1; number < STATE_QUEUES_MAX; number++) {
        const struct inbox_stream *stream = inbox->streams[number];
        refused += stream != NULL && (inbox->barred || stream->unusable);
    }
    stats_set(inbox->options.stats, STATS_GAUGE_STREAMS_REFUSED, refused);
}

/* Asks about the streams in turn, some at a time; then reading goes on. */
static void check_on(struct inbox *inbox)
{
    while (inbox->check_next < STATE_QUEUES_MAX) {
        struct inbox_stream *stream = inbox->streams[inbox->check_next];
        if (stream != NULL) {
            struct slice words[] = {SLICE("XINFO"), SLICE("STREAM"), stream->key};
            if (!redis_command(inbox->redis, words, 3, 0, on_checked, stream))
                break;
            inbox->checks++;
        }
        inbox->check_next++;
    }
    if (inbox->checks > 0 || inbox->phase != PHASE_CHECK)
        return;
    inbox_count_refused(inbox);
    inbox_checked(inbox);
}

void inbox_check(struct inbox *inbox)
{
    inbox->phase = PHASE_CHECK;
    inbox->check_ms = now_of(inbox) + CHECK_EVERY_MS;
    inbox->check_next = 1;
    check_on(inbox);
}

/* --- trimming ---------------------------------------------------------------------------- */

static void on_trimmed(void *owner, const struct redis_reply *reply)
{
    (void)owner; /* done or not: a minute later it is tried again */
    (void)reply;
}

/* Everything before this was read and stored. */
static struct inbox_id settled_of(const struct inbox *inbox, const struct inbox_stream *stream)
{
    struct inbox_id settled = stream->cursor;

    for (size_t i = 0; i < INBOX_IN_FLIGHT_MAX; i++) {
        const struct inbox_sent *sent = &inbox->sent[i];
        if (sent->stream == stream && inbox_id_compare(sent->id, settled) < 0)
            settled = sent->id;
    }
    return settled;
}

static void trim(struct inbox_stream *stream)
{
    struct inbox *inbox = stream->inbox;
    uint64_t settled_ms = settled_of(inbox, stream).ms;
    char digits[24];
    struct text least = text_over(digits, sizeof(digits));

    if (stream->unusable || settled_ms <= KEPT_MS)
        return;
    text_uint(&least, settled_ms - KEPT_MS);
    redis_command(inbox->redis,
                  (struct slice[]){SLICE("XTRIM"), stream->key, SLICE("MINID"), SLICE("~"),
                                   text_slice(&least)},
                  5, 0, on_trimmed, NULL);
}

void inbox_trim(struct inbox *inbox)
{
    for (unsigned few = 0; few < TRIMS_AT_ONCE && inbox->trim_next < STATE_QUEUES_MAX;
         inbox->trim_next++) {
        struct inbox_stream *stream = inbox->streams[inbox->trim_next];
        if (stream == NULL)
            continue;
        trim(stream);
        few++;
    }
    if (inbox->trim_next == STATE_QUEUES_MAX) {
        inbox->trim_next = 1;
        inbox->trim_ms = now_of(inbox) + TRIM_EVERY_MS;
    }
}
