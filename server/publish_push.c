/* One call of push.lua after the other: at most one of a queue in flight, so that what gathers
 * meanwhile is the next one. A call names the range it covers. What it holds comes from the buffer
 * when that follows what Redis has, and else from state, read and rendered again; so there is no
 * mode to be in, and the way back to the live feed is simply that the buffer follows again. */
#include <string.h>

#include "proto/must.h"
#include "server/publish_internal.h"

/* --- building a call --------------------------------------------------------------------- */

/* Digits in slot `slot` of the call, as long as the call. */
static struct slice digits(struct publish *publish, size_t slot, uint64_t number)
{
    struct text text = text_over(publish->call.digits[slot], sizeof(publish->call.digits[slot]));

    text_uint(&text, number);
    return text_slice(&text);
}

/* Opt-ins of one millisecond have one deadline, so the digits of the one before mostly do. */
static struct slice rank_digits(struct publish *publish, size_t slot, uint64_t rank_ms)
{
    if (publish->call.rank.length == 0 || publish->call.rank_ms != rank_ms) {
        publish->call.rank = digits(publish, slot, rank_ms);
        publish->call.rank_ms = rank_ms;
    }
    return publish->call.rank;
}

static void call_begin(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;

    publish->call.is_list = queue->is_list;
    publish->call.count = 7; /* two keys, five arguments: see call_run */
    publish->call.operations = publish->call.puts = 0;
    publish->call.bytes = 0;
    publish->call.run.length = 0;
    publish->call.rank.length = 0;
}

static bool call_has_room(const struct publish *publish)
{
    return publish->call.operations < CALL_OPERATIONS_MAX &&
           publish->call.bytes + TASK_BYTES_MAX <= CALL_BYTES_MAX;
}

/* An operation goes on with the run of those before it, or begins one. `moved_seq`: where a put is
 * not the first of its delivery, the one that was; each of those is a run of its own. */
static void run_add(struct publish *publish, uint64_t seq, enum outbox_op op, uint64_t moved_seq,
                    size_t slot)
{
    struct slice *head = publish->call.slices + publish->call.run.at;

    if (publish->call.run.length == 0 || publish->call.run.op != op || moved_seq != 0 ||
        publish->call.run.moved_seq != 0 || publish->call.run.next_seq != seq) {
        publish->call.run.at = publish->call.count;
        publish->call.run.length = 0;
        publish->call.run.op = op;
        publish->call.run.moved_seq = moved_seq;
        publish->call.count += 3;
        head = publish->call.slices + publish->call.run.at;
        head[0] = op == OUTBOX_PUT ? SLICE("put") : SLICE("drop");
        if (moved_seq != 0)
            head[0] = digits(publish, slot, moved_seq);
        head[1] = digits(publish, slot + 1, seq);
    }
    head[2] = digits(publish, slot + 2, ++publish->call.run.length);
    publish->call.run.next_seq = seq + 1;
}

/* `first_seq`: the put that was the first of this one's delivery; 0: this one. */
static void call_add(struct publish_queue *queue, uint64_t seq, enum outbox_op op, uint64_t rank_ms,
                     uint64_t first_seq, struct slice member)
{
    struct publish *publish = queue->publish;
    size_t slot = 2 + 4 * (size_t)publish->call.operations;
    bool moves = op == OUTBOX_PUT && first_seq != 0 && first_seq < seq && !queue->is_list &&
                 !publish_gaps_hide(&queue->gaps, first_seq, seq);

    run_add(publish, seq, op, moves ? first_seq : 0, slot);
    if (op == OUTBOX_PUT && !publish->call.is_list)
        publish->call.slices[publish->call.count++] = rank_digits(publish, slot + 3, rank_ms);
    publish->call.slices[publish->call.count++] = member;
    publish->call.bytes += member.length;
    publish->call.operations++;
    publish->call.puts += op == OUTBOX_PUT;
}

/* What stands behind the seq in the mark that a call leaves. In a list nothing moves: there it is
 * up to where a put may be in the queue already. */
static struct slice mark_tail(struct publish_queue *queue, uint64_t last)
{
    struct publish *publish = queue->publish;
    struct text text = text_over(publish->call.tail, sizeof(publish->call.tail));

    text_printf(&text, "%s", publish->nonce);
    if (!queue->is_list)
        publish_gaps_write(&queue->gaps, last, &text);
    else if (last < queue->again_until)
        text_printf(&text, " 0-%llu", (unsigned long long)queue->again_until);
    return text_slice(&text);
}

static bool call_run(struct publish_queue *queue, uint64_t prev, uint64_t last, const char *mode,
                     redis_reply_fn *on_reply)
{
    struct publish *publish = queue->publish;
    struct slice *slices = publish->call.slices;

    slices[0] = queue->tasks;
    slices[1] = queue->mark;
    slices[2] = digits(publish, 0, prev);
    slices[3] = digits(publish, 1, last);
    slices[4] = mark_tail(queue, last);
    slices[5] = slice_of(mode);
    slices[6] = queue->is_list ? SLICE("list") : SLICE("zset");
    return redis_run(publish->redis, &publish->push_script, 2, slices, publish->call.count,
                     on_reply, queue);
}

static void on_pushed(void *owner, const struct redis_reply *reply);

/* The first push of a process takes the mark over. */
static const char *mode_of(const struct publish_queue *queue)
{
    if (!queue->taken)
        return "init";
    return queue->acked < queue->again_until ? "again" : "";
}

static void call_send(struct publish_queue *queue, uint64_t last, bool live)
{
    struct publish *publish = queue->publish;

    if (!call_run(queue, queue->acked, last, mode_of(queue), on_pushed)) {
        publish_tick_soon(publish);
        return;
    }
    queue->call.running = true;
    queue->call.live = live;
    queue->call.prev = queue->acked;
    queue->call.last = last;
    queue->call.operations = publish->call.operations;
    queue->call.puts = publish->call.puts;
    queue->call.bytes = publish->call.bytes;
    queue->call.started_us = clock_monotonic_us();
    publish->call.bytes_in_flight += queue->call.bytes;
}

/* --- what goes into it ------------------------------------------------------------------- */

static void push_buffered(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;
    struct publish_walk walk = {0};
    struct publish_waiting waiting;
    uint64_t last = queue->acked;

    call_begin(queue);
    while (call_has_room(publish) && publish_buffer_next(queue, &walk, &waiting)) {
        if (waiting.seq <= queue->acked)
            continue;
        call_add(queue, waiting.seq, waiting.op, waiting.rank_ms, waiting.first_seq,
                 waiting.member);
        last = waiting.seq;
    }
    call_send(queue, last, true);
}

/* Renders a stored operation into the call's memory. What cannot be rendered (its opt-in is
 * damaged) is left out, or the queue would stand still for it. Not OK: it cannot be read now. */
static enum status add_stored(struct publish_queue *queue, uint64_t seq,
                              const struct outbox_row *row)
{
    struct publish *publish = queue->publish;
    struct text text = text_over(publish->call.members + publish->call.bytes, TASK_BYTES_MAX);
    struct person_row person;
    struct task_row open;
    uint64_t last_seq;
    enum status status = STATUS_NOT_FOUND;

    if (state_read_person(publish->state, row->person, &person, &open, &last_seq))
        status = render_member(&publish->renderer, row->person, person.first_ms, &row->task, &text);
    else if (state_reader_failure(publish->state) != STATUS_OK)
        status = state_reader_failure(publish->state);
    if (status == STATUS_BUSY || status == STATUS_IO)
        return status;
    if (status != STATUS_OK || text.overflow) {
        log_write(publish->options.log, LOG_ERROR, "a task cannot be rendered for its queue",
                  LOG_INT("queue", queue->number), LOG_INT("outbox_seq", seq),
                  LOG_TEXT("why", status_code(status)), LOG_END);
        return STATUS_OK;
    }
    call_add(queue, seq, (enum outbox_op)row->op, row->task.rank_ms, row->task.first_put_seq,
             text_slice(&text));
    return STATUS_OK;
}

/* Up to where state has stored the operations of the queue; `shown_out`: those that it knows of. */
static uint64_t read_stored(struct publish_queue *queue, uint64_t *shown_out)
{
    struct state_queue row;

    *shown_out = publish_read_queue(queue);
    if (!state_read_queue(queue->publish->state, queue->number, &row))
        return 0;
    if (row.trimmed_seq > queue->acked) /* a drop is gone unsent: what it was to take out stands */
        publish_reconcile_anew(queue);
    writer_store_outbox(queue->publish->options.writer);
    return row.outbox_stored_seq;
}

/* What is stored in (after, until], as much as the call can hold, and up to where that is all. Not
 * OK: something cannot be read now. */
static enum status gather_stored(struct publish_queue *queue, uint64_t after, uint64_t until,
                                 bool puts_only, uint64_t *last_out)
{
    struct publish *publish = queue->publish;
    enum status status = STATUS_OK;
    struct outbox_row row;
    uint64_t seq;

    *last_out = after;
    while (status == STATUS_OK && call_has_room(publish) &&
           state_read_outbox_next(publish->state, queue->number, *last_out, &seq, &row) &&
           seq <= until) {
        if (!puts_only || row.op == OUTBOX_PUT)
            status = add_stored(queue, seq, &row);
        *last_out = seq;
    }
    if (status == STATUS_OK)
        status = state_reader_failure(publish->state);
    if (call_has_room(publish) && until > *last_out)
        *last_out = until; /* nothing more is open in there */
    return status;
}

/* A call vouches for its range, so it waits while part of that cannot be read: on_tick comes at
 * least as often as the watch. */
static void push_stored(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;
    uint64_t last, shown;

    if (!publish->ready)
        return;
    uint64_t until = read_stored(queue, &shown);
    publish_gaps_note(&queue->gaps, queue->acked, shown);
    call_begin(queue);
    enum status status = gather_stored(queue, queue->acked, until, false, &last);
    publish_release(publish);

    if (status != STATUS_OK)
        return;
    if (last > queue->acked || !queue->taken)
        call_send(queue, last, false);
    else
        publish_tick_soon(publish); /* state has not stored yet what is missing */
}

void publish_push(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;

    if (!queue->known || queue->stopped || queue->refused || queue->call.running ||
        queue->epoch != publish->epoch.present || !redis_is_up(publish->redis))
        return;
    if (queue->newest == 0 || (queue->taken && queue->acked >= queue->newest))
        return;
    if (publish->call.bytes_in_flight >= CALLS_BYTES_MAX)
        publish_tick_soon(publish);
    else if (publish_buffer_covers(queue, queue->acked + 1))
        push_buffered(queue);
    else
        push_stored(queue);
}

/* --- what came of it --------------------------------------------------------------------- */

static void count_push(struct publish_queue *queue, uint64_t now_us)
{
    struct stats *stats = queue->publish->options.stats;

    stats_add(stats, STATS_REDIS_PUSHES, 1);
    stats_add(stats, STATS_REDIS_OPERATIONS, queue->call.operations);
    stats_observe_us(stats, STATS_PUSH_SECONDS, now_us - queue->call.started_us);
}

/* How long each put was on its way. Only the first time, and only those of the live feed: what is
 * sent again, or was read from state, says how long Redis was away or forgetful. */
static void count_shown(struct publish_queue *queue, uint64_t now_us)
{
    struct stats *stats = queue->publish->options.stats;
    struct publish_walk walk = {0};
    struct publish_waiting waiting;

    while (queue->call.live && publish_buffer_next(queue, &walk, &waiting) &&
           waiting.seq <= queue->call.last) {
        if (waiting.op == OUTBOX_PUT && waiting.seq > queue->shown)
            stats_observe_us(stats, STATS_COMMIT_TO_VISIBLE, now_us - waiting.committed_us);
    }
    if (queue->call.last > queue->shown)
        queue->shown = queue->call.last;
}

static void pushed(struct publish_queue *queue, uint64_t mark, uint64_t now_us)
{
    queue->taken = true;
    publish_accepted(queue);
    count_shown(queue, now_us); /* before the buffer lets go of them */
    publish_learn(queue, true, mark, true, false);
    if (queue->reconcile)
        publish_tick_soon(queue->publish);
    publish_claims_wake(queue, queue->call.puts);
}

/* The script may have stopped in the middle: what it was to put may be there already. */
static void refused(struct publish_queue *queue, const struct redis_reply *reply)
{
    publish_refuse(queue, reply);
    if (queue->call.last > queue->again_until)
        queue->again_until = queue->call.last;
}

static void on_pushed(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;
    struct publish *publish = queue->publish;
    struct redis_reply word = {0}, seq = {0};

    queue->call.running = false;
    publish->call.bytes_in_flight -= queue->call.bytes;
    if (reply->type == REDIS_UNKNOWN) {
        /* The link is down: what came of it the mark tells when it is back, but not what stood
         * first before it. */
        publish_reconcile_anew(queue);
        return;
    }
    if (reply->type == REDIS_ARRAY && reply->count >= 2) {
        word = redis_item(reply, 0);
        seq = redis_item(reply, 1);
    }
    if (word.type != REDIS_STRING || seq.type != REDIS_INTEGER || seq.integer < 0) {
        refused(queue, reply);
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    count_push(queue, now_us);
    if (slice_equal(word.text, SLICE("OK")) || slice_equal(word.text, SLICE("DUP"))) {
        pushed(queue, (uint64_t)seq.integer, now_us);
        if (reply->count == 4)
            publish_see_before(queue, redis_item(reply, 2).text, redis_item(reply, 3).text);
    } else {
        queue->known = false; /* the mark is another, or gone: a look finds out what is left */
        publish_look(queue);
    }
    publish_push(queue);
}

/* --- marks ------------------------------------------------------------------------------- */

static void stop(struct publish_queue *queue, const char *why, uint64_t seq)
{
    struct publish *publish = queue->publish;

    if (queue->stopped)
        return;
    queue->stopped = true;
    publish_buffer_forget(queue, queue->newest + 1);
    stats_add(publish->options.stats, STATS_REDIS_FENCED, 1);
    log_write(publish->options.log, LOG_ERROR, why, LOG_INT("queue", queue->number),
              LOG_INT("mark", seq), LOG_INT("newest", queue->newest),
              LOG_TEXT("effect", "this server goes on under a new epoch"), LOG_END);
    publish_want_epoch(queue);
}

/* Where no mark was ever met, Redis may have lost everything, or it was never there: the process
 * before ended first. The same is done; only what is known is said. */
static void tell_rewind(struct publish_queue *queue, uint64_t seq)
{
    struct publish *publish = queue->publish;

    if (queue->learned)
        stats_add(publish->options.stats, STATS_REDIS_REWINDS, 1);
    log_write(publish->options.log, queue->learned ? LOG_WARN : LOG_INFO,
              queue->learned ? "redis has forgotten operations: sending them again"
                             : "redis has no mark of a queue: sending all that is open",
              LOG_INT("queue", queue->number), LOG_INT("from", seq), LOG_INT("to", queue->newest),
              LOG_END);
}

/* Redis lacks operations: everything from the mark on is sent again. */
static void rewind_to(struct publish_queue *queue, uint64_t seq)
{
    struct publish *publish = queue->publish;

    tell_rewind(queue, seq);
    queue->acked = seq;
    queue->rewind_until = queue->newest;
    publish_reconcile_anew(queue);
    queue->head_settled = queue->has_before = false;
    publish_tell_forgot(publish);
}

static void learn_missing(struct publish_queue *queue, bool queue_is_empty)
{
    queue->taken = false;
    if (!queue_is_empty)
        queue->again_until = queue->newest;
    if (queue->acked > 0)
        rewind_to(queue, 0);
}

/* A mark of another nonce means another writer, unless it is lower as well: no writer lowers a
 * mark, so that is an old mark in a Redis that has forgotten. */
void publish_learn(struct publish_queue *queue, bool present, uint64_t seq, bool ours,
                   bool queue_is_empty)
{
    if (!present) {
        learn_missing(queue, queue_is_empty);
    } else if (seq > queue->newest) {
        struct command command = {.kind = COMMAND_BARRIER};
        queue->known = false;
        queue->ahead_seq = seq;
        publish_submit(queue, PURPOSE_AHEAD, &command);
        return;
    } else if (seq < queue->acked && queue->learned) {
        queue->taken = queue->taken && ours;
        rewind_to(queue, seq);
    } else if (queue->taken && !ours) {
        stop(queue, "another process pushes under this node and epoch", seq);
        return;
    } else {
        queue->acked = seq;
        publish_buffer_drop(queue, seq);
    }
    if (!queue->learned)
        queue->rewind_until = queue->newest;
    queue->known = queue->learned = true;
}

void publish_judge_ahead(struct publish_queue *queue, enum status status)
{
    if (status != STATUS_OK || queue->stopped)
        return; /* the next look asks again */
    publish_read_queue(queue);
    bool read = state_reader_failure(queue->publish->state) == STATUS_OK;
    publish_release(queue->publish);
    if (!read)
        return;
    if (queue->ahead_seq > queue->newest)
        stop(queue, "a mark is ahead of the journal: an older journal runs under the same epoch",
             queue->ahead_seq);
    else
        publish_look(queue);
}

bool publish_withdraw(struct publish_queue *queue, const struct slice *members, unsigned count,
                      redis_reply_fn *on_reply)
{
    MUST(count <= CALL_OPERATIONS_MAX);
    call_begin(queue);
    for (unsigned i = 0; i < count; i++)
        call_add(queue, i, OUTBOX_DROP, 0, 0, members[i]);
    return call_run(queue, 0, 0, "withdraw", on_reply);
}

bool publish_has_stored(struct publish_queue *queue, uint64_t seq)
{
    struct publish *publish = queue->publish;
    struct state_queue row;

    bool stored =
        state_read_queue(publish->state, queue->number, &row) && row.outbox_stored_seq >= seq;
    publish_release(publish);
    if (!stored)
        writer_store_outbox(publish->options.writer);
    return stored;
}

bool publish_find(struct publish_queue *queue, uint64_t after, uint64_t until, bool report,
                  redis_reply_fn *on_reply, uint64_t *last_out)
{
    call_begin(queue);
    enum status status = gather_stored(queue, after, until, true, last_out);
    publish_release(queue->publish);
    return status == STATUS_OK &&
           call_run(queue, *last_out, *last_out, report ? "report" : "find", on_reply);
}
