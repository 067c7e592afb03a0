/* The streams of all queues: where reading begins, what a Redis that comes back still has of what
 * was read, and what may go. */
#include "server/inbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/text.h"

#define CHECK_EVERY_MS 5000
#define TRIM_EVERY_MS  60000
#define TRIMS_AT_ONCE  16
#define KEPT_MS        3600000
#define KEPT_ENTRIES   250000   /* some 25 MB of Redis' memory a queue */
#define TRIM_ENTRIES   50000    /* of a busy stream, at once */
#define TRIM_LIMIT     "200000" /* Redis' own would be 10,000: less than what comes in a minute */

/* A commit may keep a report while one of just before it failed (a full disk): so a start reads a
 * little from before its cursor, a minute, or a few times what can be in flight. */
#define OVERLAP_MS      60000
#define OVERLAP_ENTRIES (4 * INBOX_IN_FLIGHT_MAX)

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

struct slice inbox_id_text(char buffer[48], struct inbox_id id)
{
    struct text text = text_over(buffer, 48);

    text_uint(&text, id.ms);
    text_char(&text, '-');
    text_uint(&text, id.seq);
    return text_slice(&text);
}

/* From a little before what state has. Where that cannot be read, from the stream's start: reports
 * that come again are known. */
static void read_cursor(struct inbox *inbox, struct inbox_stream *stream)
{
    struct state_queue row;

    if (!state_read_queue(inbox->state, stream->queue, &row) || row.report_ms <= OVERLAP_MS)
        return;
    stream->cursor = (struct inbox_id){row.report_ms - OVERLAP_MS, 0};
    stream->stored = (struct inbox_id){row.report_ms, row.report_seq};
    stream->overlaps = true;
}

/* A report counts only for a task that was put on the queue. Where a site leads there will be one
 * at any moment, and whether Redis lets us read is to be known before. */
static bool is_wanted(const struct inbox *inbox, uint32_t queue)
{
    return inbox->has_put[queue] || registry_is_needed(inbox->options.registry, queue);
}

static void find_stream(struct inbox *inbox, uint32_t number)
{
    const struct queue *queue = registry_queue(inbox->options.registry, number);

    if (queue == NULL || inbox->streams[number] != NULL)
        return;
    struct inbox_stream *stream = stream_open(inbox, queue);
    if (stream == NULL)
        return;
    read_cursor(inbox, stream);
    inbox->streams[number] = stream;
    inbox->stream_count++;
    if (number > inbox->highest)
        inbox->highest = number;
}

void inbox_find_streams(struct inbox *inbox)
{
    uint32_t count = registry_count(inbox->options.registry, ENTITY_QUEUE), used = 0;
    struct state_queue row;

    inbox->has_new = false;
    for (uint32_t number = 1; number <= count && number < STATE_QUEUES_MAX; number++)
        if (is_wanted(inbox, number))
            find_stream(inbox, number);
    while (state_read_queue_next(inbox->state, used, &used, &row))
        if (row.outbox_seq > 0)
            find_stream(inbox, used);
    state_reader_release(inbox->state);
}

/* --- what Redis still has ---------------------------------------------------------------- */

void inbox_read_from(struct inbox_stream *stream, struct inbox_id cursor)
{
    stream->cursor = cursor;
    inbox_trail_back(&stream->trail, cursor);
    if (stream->trimmed > stream->trail.read)
        stream->trimmed = stream->trail.read;
}

static void read_from_start(struct inbox_stream *stream)
{
    stream->lost = stream->overlaps = false;
    inbox_read_from(stream, (struct inbox_id){0, 0});
}

static void log_lost(const struct inbox_stream *stream)
{
    log_write(stream->inbox->options.log, LOG_WARN,
              "a report stream does not have what was read last: reading it again",
              LOG_INT("queue", stream->queue), LOG_INT("from_ms", stream->cursor.ms), LOG_END);
}

/* Ids that went back: a Redis that lost its tail, with a clock behind. What is new there stands
 * below the cursor. */
static void compare_end(struct inbox_stream *stream, struct slice last)
{
    struct inbox_id end;

    if (!inbox_id_read(last, &end) || inbox_id_compare(end, stream->cursor) >= 0)
        return;
    read_from_start(stream);
    log_lost(stream);
}

/* XINFO STREAM: names and values. */
static struct slice last_id_of(const struct redis_reply *info)
{
    for (size_t i = 0; i + 1 < info->count; i += 2) {
        if (slice_equal(redis_item(info, i).text, SLICE("last-generated-id")))
            return redis_item(info, i + 1).text;
    }
    return (struct slice){NULL, 0};
}

static void begin_round(struct inbox *inbox, bool first);
static void check_on(struct inbox *inbox);

static void on_end(void *owner, const struct redis_reply *reply)
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
        compare_end(stream, last_id_of(reply));
    else if (redis_reply_is_error(reply, "ERR no such key"))
        read_from_start(stream); /* a new one may begin below the cursor */
    check_on(inbox);
}

/* An answer that is an error says nothing of what is there: then all of it is read. */
static void on_step(void *owner, const struct redis_reply *reply)
{
    struct inbox_stream *stream = owner;
    const struct inbox_step *step = &stream->trail.steps[stream->asked_step];
    bool answered = reply->type != REDIS_UNKNOWN;

    stream->inbox->checks--;
    if (inbox_step_is_first(step, reply)) {
        stream->lost = false;
        inbox_read_from(stream, step->id);
        if (stream->asked_step > 0)
            log_lost(stream);
    } else if (reply->type == REDIS_ERROR ||
               (answered && ++stream->asked_step == stream->trail.count)) {
        read_from_start(stream);
        log_lost(stream);
    } else if (answered) {
        stream->inbox->another_round = true;
    }
    check_on(stream->inbox);
}

static bool ask_for_end(struct inbox_stream *stream)
{
    struct slice words[] = {SLICE("XINFO"), SLICE("STREAM"), stream->key};

    return redis_command(stream->inbox->redis, words, 3, 0, on_end, stream);
}

static bool read_entry_id(const struct redis_reply *entries, size_t index, struct inbox_id *out)
{
    if (index >= entries->count)
        return false;
    struct redis_reply entry = redis_item(entries, index);
    return entry.type == REDIS_ARRAY && entry.count == 2 &&
           inbox_id_read(redis_item(&entry, 0).text, out);
}

/* Newest first. A Redis that still has the newest that state knows of has lost nothing before it,
 * so of very many the last ones are enough. Of one that has not, nobody knows what else it shows:
 * entries that were lost with it before they were read may have come back. */
static void on_overlap(void *owner, const struct redis_reply *reply)
{
    struct inbox_stream *stream = owner;
    struct inbox_id newest, oldest;
    bool kept = reply->type == REDIS_ARRAY && read_entry_id(reply, 0, &newest) &&
                inbox_id_compare(newest, stream->stored) == 0;

    stream->inbox->checks--;
    stream->overlaps = reply->type == REDIS_UNKNOWN;
    if (reply->type == REDIS_ARRAY && !kept) {
        read_from_start(stream);
        log_lost(stream);
    } else if (kept && reply->count == OVERLAP_ENTRIES &&
               read_entry_id(reply, OVERLAP_ENTRIES - 1, &oldest)) {
        stream->cursor = oldest;
    }
    stream->inbox->checks += ask_for_end(stream); /* the reply has made room */
    check_on(stream->inbox);
}

static bool ask_for_overlap(struct inbox_stream *stream)
{
    char newest[48], oldest[48], digits[24];
    struct text count = text_over(digits, sizeof(digits));

    text_uint(&count, OVERLAP_ENTRIES);
    return redis_command(
        stream->inbox->redis,
        (struct slice[]){SLICE("XREVRANGE"), stream->key, inbox_id_text(newest, stream->stored),
                         inbox_id_text(oldest, stream->cursor), SLICE("COUNT"), text_slice(&count)},
        6, 0, on_overlap, stream);
}

/* What stands first behind the id just below the step's. */
static bool ask_for_step(struct inbox_stream *stream)
{
    char buffer[48];
    struct inbox_id below = inbox_id_before(stream->trail.steps[stream->asked_step].id);
    struct slice words[] = {SLICE("XREAD"),   SLICE("COUNT"), SLICE("1"),
                            SLICE("STREAMS"), stream->key,    inbox_id_text(buffer, below)};

    return redis_command(stream->inbox->redis, words, 6, 0, on_step, stream);
}

/* False: no room on the link; a reply makes some. */
static bool ask(struct inbox_stream *stream, bool first_round)
{
    bool asked = true;

    if (stream->lost && stream->trail.count == 0)
        read_from_start(stream);
    if (stream->lost)
        asked = ask_for_step(stream);
    else if (stream->overlaps)
        asked = ask_for_overlap(stream);
    else if (first_round)
        asked = ask_for_end(stream);
    else
        return true;
    stream->inbox->checks += asked;
    return asked;
}

void inbox_count_refused(const struct inbox *inbox)
{
    uint64_t refused = 0;

    for (uint32_t number = 1; number <= inbox->highest; number++) {
        const struct inbox_stream *stream = inbox->streams[number];
        refused += stream != NULL && (inbox->barred || stream->unusable);
    }
    stats_set(inbox->options.stats, STATS_GAUGE_STREAMS_REFUSED, refused);
}

static void count_lost(struct inbox *inbox)
{
    inbox->lost_count = 0;
    for (uint32_t number = 1; number <= inbox->highest; number++)
        inbox->lost_count += inbox->streams[number] != NULL && inbox->streams[number]->lost;
}

/* Asks about the streams in turn, some at a time; those that lost the entry that they were asked
 * for are asked for an older one in the next round. Then reading goes on. */
static void check_on(struct inbox *inbox)
{
    for (; inbox->check_next <= inbox->highest; inbox->check_next++) {
        struct inbox_stream *stream = inbox->streams[inbox->check_next];
        if (stream != NULL && !ask(stream, inbox->first_round))
            break;
    }
    if (inbox->checks > 0 || inbox->phase != PHASE_CHECK)
        return;
    if (inbox->another_round) {
        begin_round(inbox, false);
        return;
    }
    count_lost(inbox);
    inbox_count_refused(inbox);
    inbox_checked(inbox);
}

static void begin_round(struct inbox *inbox, bool first)
{
    inbox->first_round = first;
    inbox->another_round = false;
    inbox->check_next = 1;
    check_on(inbox);
}

void inbox_check(struct inbox *inbox)
{
    inbox->phase = PHASE_CHECK;
    inbox->check_ms = now_of(inbox) + CHECK_EVERY_MS;
    inbox_find_streams(inbox);
    begin_round(inbox, true);
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

    if (stream->failed && inbox_id_compare(stream->failed_before, settled) < 0)
        settled = stream->failed_before;
    for (size_t i = 0; i < INBOX_IN_FLIGHT_MAX; i++) {
        const struct inbox_sent *sent = &inbox->sent[i];
        if (sent->stream == stream && inbox_id_compare(sent->id, settled) < 0)
            settled = sent->id;
    }
    return settled;
}

/* An hour is kept, for a hotlead that is restored from a backup; of a busy stream less, since Redis
 * has to hold it. */
static uint64_t kept_from(const struct inbox *inbox, const struct inbox_stream *stream)
{
    uint64_t settled_ms = settled_of(inbox, stream).ms;
    uint64_t from_ms = settled_ms > KEPT_MS ? settled_ms - KEPT_MS : 0;
    uint64_t many_ms = inbox_trail_before(&stream->trail, KEPT_ENTRIES).ms;

    if (many_ms > settled_ms)
        many_ms = settled_ms;
    return many_ms > from_ms ? many_ms : from_ms;
}

static void trim(struct inbox_stream *stream)
{
    uint64_t from_ms = kept_from(stream->inbox, stream);
    char digits[24];
    struct text least = text_over(digits, sizeof(digits));

    if (stream->unusable || stream->lost || from_ms == 0)
        return;
    text_uint(&least, from_ms);
    stream->trimmed = stream->trail.read;
    redis_command(stream->inbox->redis,
                  (struct slice[]){SLICE("XTRIM"), stream->key, SLICE("MINID"), SLICE("~"),
                                   text_slice(&least), SLICE("LIMIT"), SLICE(TRIM_LIMIT)},
                  7, 0, on_trimmed, NULL);
}

void inbox_trim_busy(struct inbox_stream *stream)
{
    if (stream->trail.read - stream->trimmed >= TRIM_ENTRIES)
        trim(stream);
}

void inbox_trim(struct inbox *inbox)
{
    for (unsigned few = 0; few < TRIMS_AT_ONCE && inbox->trim_next <= inbox->highest;
         inbox->trim_next++) {
        struct inbox_stream *stream = inbox->streams[inbox->trim_next];
        if (stream == NULL)
            continue;
        trim(stream);
        few++;
    }
    if (inbox->trim_next > inbox->highest) {
        inbox->trim_next = 1;
        inbox->trim_ms = now_of(inbox) + TRIM_EVERY_MS;
    }
}
