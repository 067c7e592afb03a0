/* Once a second a look at each queue that has open tasks or waits for something, and now and then
 * at the others: its mark, because a FLUSHALL changes neither link nor run id, and what stands
 * first in it, because a pop leaves no trace. Tasks of ours that sort before the first one and were
 * pushed are gone: the engine knows which, so it is told what was seen, and only when that has
 * changed.
 *
 * What is put in front of the first one hides what was gone by it. So each push tells what stood
 * first before it, and the look goes by that as well.
 *
 * The mark is read before the head and in the same breath: every put up to it was in the queue
 * when the head was looked at, or gone already. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/publish_internal.h"

#define LOOKS_MAX       16
#define IDLE_ROUNDS     30 /* between two looks where nothing is open */
#define MARK_DIGITS_MAX 16 /* about what Lua counts without loss; push.lua has it too */

/* A list is looked at from its front, further back if only other nodes' tasks stand there. */
static const size_t list_looks[] = {16, 256, 4096};
#define LIST_LOOKS (sizeof(list_looks) / sizeof(list_looks[0]))

/* --- what was seen ----------------------------------------------------------------------- */

/* {"v":1,"id":"tsk_... : every member of version 1 begins so. */
static struct slice id_of(struct slice member)
{
    static const char begin[] = "{\"v\":1,\"id\":\"";
    size_t length = sizeof(begin) - 1;

    if (member.length < length + ID_TEXT_LENGTH || memcmp(member.bytes, begin, length) != 0)
        return (struct slice){NULL, 0};
    return (struct slice){member.bytes + length, ID_TEXT_LENGTH};
}

static bool head_equal(const struct publish_head *a, const struct publish_head *b)
{
    return a->empty == b->empty && a->rank_ms == b->rank_ms && a->pushed_seq == b->pushed_seq &&
           memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

/* Less is gone by `a` than by `b`. */
static bool sorts_before(const struct publish_head *a, const struct publish_head *b)
{
    if (a->empty || b->empty)
        return b->empty && !a->empty;
    if (a->rank_ms != b->rank_ms)
        return a->rank_ms < b->rank_ms;
    return memcmp(a->id, b->id, sizeof(a->id)) < 0;
}

/* While the queue is being filled again what stands first says nothing. */
static bool tells_popped(const struct publish_queue *queue, uint64_t pushed_seq)
{
    return queue->taken && !queue->stopped && queue->open_tasks > 0 &&
           pushed_seq >= queue->rewind_until;
}

/* Says to the engine what stands first, or stood. */
static bool tell_popped(struct publish_queue *queue, const struct publish_head *head)
{
    struct command command = {.kind = COMMAND_POPPED};

    command.popped.queue = queue->number;
    command.popped.empty = head->empty;
    command.popped.rank_ms = head->rank_ms;
    command.popped.pushed_seq = head->pushed_seq;
    memcpy(command.popped.id, head->id, sizeof(command.popped.id));
    queue->head = *head;
    queue->head_settled = publish_submit(queue, PURPOSE_POPPED, &command);
    return queue->head_settled;
}

/* What stood first before a push, if more is gone by that; then what stands first, unless it was
 * said before. */
static void submit_popped(struct publish_queue *queue, struct publish_head *head)
{
    head->pushed_seq = queue->look.seq;
    if (!tells_popped(queue, queue->acked))
        return;
    if (queue->has_before && sorts_before(head, &queue->before) &&
        !tell_popped(queue, &queue->before))
        return;
    queue->has_before = false;
    if (!queue->head_settled || !head_equal(head, &queue->head))
        (void)tell_popped(queue, head);
}

/* The first time that it is known of every queue who is gone: where nothing was ever put (all of it
 * is parked), nobody is. */
static void note_watched(struct publish *publish)
{
    for (uint32_t number = 1; number <= publish->highest; number++) {
        const struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && queue->open_tasks > 0 && queue->newest > 0 && !queue->watched)
            return;
    }
    publish->watched = true;
    publish->options.on_watched(publish->options.owner);
}

void publish_popped_settled(struct publish_queue *queue, enum status status)
{
    if (status == STATUS_BUSY || status == STATUS_DISK_FULL || status == STATUS_IO ||
        status == STATUS_CLOSING)
        queue->head_settled = false; /* said again at the next look */
    else
        queue->watched = true;
}

/* A score as Redis writes it. Ours are whole milliseconds; others' are only compared with. */
static uint64_t rank_of(struct slice score)
{
    char text[32] = "";

    if (score.length == 0 || score.length >= sizeof(text))
        return 0;
    memcpy(text, score.bytes, score.length);
    double rank = strtod(text, NULL);
    if (!(rank > 0))
        return 0;
    return rank < 9e18 ? (uint64_t)floor(rank) : (uint64_t)9e18;
}

/* A member of ours that stands first at two looks, a second apart, and should not (it was claimed
 * without being popped, or put back by hand) is taken out by a reconcile. State lags less. */
static void see_stray(struct publish_queue *queue, struct slice member)
{
    struct task_row row;
    struct slice id = id_of(member);
    bool stray = id.length > 0 && queue->publish->ready &&
                 publish_judge(queue, member, &row) == MEMBER_STRAY;

    publish_release(queue->publish);
    if (!stray) {
        queue->stray_id[0] = '\0';
    } else if (memcmp(queue->stray_id, id.bytes, sizeof(queue->stray_id)) == 0) {
        queue->reconcile = true;
        queue->stray_id[0] = '\0';
        publish_tick_soon(queue->publish);
    } else {
        memcpy(queue->stray_id, id.bytes, sizeof(queue->stray_id));
    }
}

/* A member without an id like ours gives an empty one, which sorts before all: then nothing of
 * the same rank counts as gone. */
static struct publish_head head_of(struct slice member, struct slice score)
{
    struct publish_head head = {.rank_ms = rank_of(score)};
    struct slice id = id_of(member);

    if (id.length > 0)
        memcpy(head.id, id.bytes, sizeof(head.id));
    return head;
}

static void see_zset(struct publish_queue *queue, const struct redis_reply *reply)
{
    struct publish_head head = {.empty = true};

    if (reply->count >= 2) {
        head = head_of(redis_item(reply, 0).text, redis_item(reply, 1).text);
        see_stray(queue, redis_item(reply, 0).text);
    }
    submit_popped(queue, &head);
}

void publish_see_before(struct publish_queue *queue, struct slice member, struct slice score)
{
    struct publish_head head = {.empty = true};

    if (!tells_popped(queue, queue->call.prev))
        return;
    if (score.length > 0)
        head = head_of(member, score);
    head.pushed_seq = queue->call.prev;
    if (queue->has_before && sorts_before(&head, &queue->before) &&
        !tell_popped(queue, &queue->before))
        return;
    queue->before = head;
    queue->has_before = true;
}

static bool ask_list(struct publish_queue *queue, size_t most);

/* The first own member that should stand there, by its put's seq: a list is in their order. A
 * member that state does not know (yet) proves nothing, unless state has all that was pushed, and
 * can be read.
 * True: the front was others', and a longer look is on its way. */
static bool see_list(struct publish_queue *queue, const struct redis_reply *reply)
{
    struct publish_head head = {.empty = true};
    struct task_row row;

    if (!queue->publish->ready)
        return false;
    bool complete = publish_read_queue(queue) >= queue->look.seq;
    for (size_t i = 0; head.empty && complete && i < reply->count; i++) {
        struct slice member = redis_item(reply, i).text, id = id_of(member);
        if (id.length == 0)
            continue;
        enum publish_member judged = publish_judge(queue, member, &row);
        complete = judged != MEMBER_UNREAD; /* or a later one would pass for the first */
        if (judged != MEMBER_OPEN)
            continue;
        head.empty = false;
        head.rank_ms = row.put_seq;
        memcpy(head.id, id.bytes, sizeof(head.id));
    }
    publish_release(queue->publish);
    if (complete && head.empty && reply->count == queue->look.asked)
        return ask_list(queue, queue->look.asked);
    if (complete)
        submit_popped(queue, &head);
    return false;
}

/* --- a look ------------------------------------------------------------------------------ */

/* One without open tasks too, at once while it is to be reconciled and else now and then: an older
 * Redis shows what was done with long ago. Of a queue that never had an operation nothing is
 * anywhere. */
static bool needs_look(const struct publish_queue *queue)
{
    uint64_t now_ms = uv_now(queue->publish->options.loop);
    uint64_t idle_ms = (uint64_t)IDLE_ROUNDS * queue->publish->options.watch_ms;
    bool stale = queue->reconcile || now_ms >= queue->looked_ms + idle_ms;
    bool wanted =
        queue->open_tasks > 0 || queue->acked < queue->newest || (stale && queue->newest > 0);

    return wanted && queue->retry_ms <= now_ms;
}

static void look_on(struct publish *publish)
{
    while (publish->looks < LOOKS_MAX && publish->look_next <= publish->highest) {
        struct publish_queue *queue = publish->queues[publish->look_next++];
        if (queue != NULL && needs_look(queue))
            publish_look(queue);
    }
}

static void look_ended(struct publish_queue *queue)
{
    queue->look.running = false;
    queue->publish->looks--;
    look_on(queue->publish);
}

/* Takes digits from the front. False: there are none, or too many. */
static bool take_number(struct slice *text, uint64_t *out)
{
    size_t digits = 0;

    for (*out = 0; digits < text->length && digits < MARK_DIGITS_MAX; digits++) {
        if (text->bytes[digits] < '0' || text->bytes[digits] > '9')
            break;
        *out = *out * 10 + (uint64_t)(text->bytes[digits] - '0');
    }
    text->bytes += digits;
    text->length -= digits;
    return digits > 0;
}

static bool take_byte(struct slice *text, char byte)
{
    if (text->length == 0 || text->bytes[0] != byte)
        return false;
    text->bytes++;
    text->length--;
    return true;
}

static bool read_gaps(struct publish_gaps *gaps, struct slice text)
{
    for (gaps->count = 0; text.length > 0; gaps->count++) {
        struct publish_gap gap;
        if (gaps->count == GAPS_MAX || !take_byte(&text, ' ') || !take_number(&text, &gap.from) ||
            !take_byte(&text, '-') || !take_number(&text, &gap.until))
            return false;
        gaps->all[gaps->count] = gap;
    }
    return true;
}

/* "<seq> <nonce>", and " <from>-<until>" for each gap, as push.lua reads it. False: that is no mark
 * of ours. */
static bool read_mark(struct publish_queue *queue, struct slice mark)
{
    struct slice nonce;
    uint64_t seq;

    if (!take_number(&mark, &seq) || !take_byte(&mark, ' '))
        return false;
    for (nonce = (struct slice){mark.bytes, 0}; nonce.length < mark.length; nonce.length++)
        if (isspace((unsigned char)nonce.bytes[nonce.length]))
            break;
    mark.bytes += nonce.length;
    mark.length -= nonce.length;
    if (nonce.length == 0 || !read_gaps(&queue->look.gaps, mark))
        return false;
    queue->look.seq = seq;
    queue->look.ours = slice_equal(nonce, slice_of(queue->publish->nonce));
    return true;
}

/* Somebody wrote over it: as good as lost, and taken over like a lost one. */
static void see_broken_mark(struct publish_queue *queue, bool broken)
{
    if (broken && !queue->broken_mark)
        log_write(queue->publish->options.log, LOG_ERROR,
                  "a mark in redis was overwritten with something else: it is written anew",
                  LOG_INT("queue", queue->number), LOG_END);
    queue->broken_mark = broken;
}

static void on_mark(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;
    bool wrong_type = redis_reply_is_error(reply, "WRONGTYPE");

    queue->look.present = queue->look.ours = false;
    queue->look.readable = reply->type == REDIS_NIL || reply->type == REDIS_STRING || wrong_type;
    queue->look.seq = 0;
    if (reply->type == REDIS_STRING)
        queue->look.present = read_mark(queue, reply->text);
    if (!queue->look.present)
        queue->look.gaps.count = 0;
    if (queue->look.readable)
        see_broken_mark(queue, reply->type != REDIS_NIL && !queue->look.present);
    else if (reply->type == REDIS_ERROR)
        publish_refuse(queue, reply);
    if (!queue->look.whole)
        look_ended(queue);
}

/* What is known here of gaps goes on from what this mark says, unless it is the one that was left
 * here: a call that was sent meanwhile may have begun another gap. */
static void learn_gaps(struct publish_queue *queue)
{
    const struct publish_gaps *gaps = &queue->look.gaps;

    if (!queue->known || queue->look.seq < queue->acked)
        queue->gaps = *gaps;
    if (queue->is_list && gaps->count > 0 && gaps->all[0].until > queue->again_until)
        queue->again_until = gaps->all[0].until;
}

static void on_head(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;
    bool more = false;

    if (reply->type == REDIS_ARRAY && queue->look.readable && !queue->stopped) {
        queue->refused = false;
        learn_gaps(queue);
        publish_learn(queue, queue->look.present, queue->look.seq, queue->look.ours,
                      reply->count == 0);
        if (queue->known && queue->look.present && queue->is_list)
            more = see_list(queue, reply);
        else if (queue->known && queue->look.present)
            see_zset(queue, reply);
        if (queue->taken && queue->acked >= queue->newest)
            publish_accepted(queue);
        publish_push(queue);
    } else if (reply->type == REDIS_ERROR) {
        publish_refuse(queue, reply);
    }
    if (!more)
        look_ended(queue);
}

static bool command(struct publish_queue *queue, const struct slice *words, size_t count,
                    redis_reply_fn *on_reply)
{
    return redis_command(queue->publish->redis, words, count, 0, on_reply, queue);
}

static bool ask_head(struct publish_queue *queue, redis_reply_fn *on_reply)
{
    char digits[24];
    struct text last = text_over(digits, sizeof(digits));

    if (!queue->is_list)
        return command(queue,
                       (struct slice[]){SLICE("ZRANGE"), queue->tasks, SLICE("0"), SLICE("0"),
                                        SLICE("WITHSCORES")},
                       5, on_reply);
    text_uint(&last, queue->look.asked - 1);
    return command(queue,
                   (struct slice[]){SLICE("LRANGE"), queue->tasks, SLICE("0"), text_slice(&last)},
                   4, on_reply);
}

void publish_look(struct publish_queue *queue)
{
    if (queue->look.running || !publish_follow_epoch(queue) || queue->stopped)
        return;
    queue->look.asked = list_looks[0];
    if (!command(queue, (struct slice[]){SLICE("GET"), queue->mark}, 2, on_mark))
        return;
    queue->looked_ms = uv_now(queue->publish->options.loop);
    queue->look.running = true;
    queue->look.whole = ask_head(queue, on_head);
    queue->publish->looks++;
}

static void on_more(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;

    if (reply->type != REDIS_ARRAY || !queue->known || !see_list(queue, reply))
        look_ended(queue);
}

/* More of the list, under the mark that was read before. False: that was all we look at. */
static bool ask_list(struct publish_queue *queue, size_t most)
{
    for (size_t i = 0; i < LIST_LOOKS && queue->look.asked <= most; i++)
        queue->look.asked = list_looks[i];
    return queue->look.asked > most && ask_head(queue, on_more);
}

void publish_watch(struct publish *publish)
{
    uint32_t number = 0;
    struct state_queue row;

    if (!publish->ready || !redis_is_up(publish->redis))
        return;
    publish->forgot = false;
    while (state_read_queue_next(publish->state, number, &number, &row)) {
        struct publish_queue *queue = publish_queue_of(publish, number);
        if (queue == NULL)
            continue;
        publish_learn_queue(queue, &row);
        publish_note_late(queue);
    }
    bool read = state_reader_failure(publish->state) == STATUS_OK;
    publish_release(publish);
    if (read && !publish->watched)
        note_watched(publish);
    if (publish->look_next > publish->highest)
        publish->look_next = 1; /* the round before is through */
    look_on(publish);
}
