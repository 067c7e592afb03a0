/* One XREAD after the other over the streams of all queues, on a link of its own because it
 * blocks. Between two of them: what has to be looked after. Each entry becomes a command; how far
 * a stream was read is kept by the records of those commands, so a restart reads the last ones
 * again, and the engine knows them by what they say.
 *
 * Nothing is skipped: where the writer has no room, reading stops at that entry and goes on there.
 * Where a command comes back unstored, its stream is read again from before it. What can never be
 * a report is counted, and does not hold up those behind it. */
#include "server/inbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/id.h"
#include "proto/memory.h"
#include "proto/must.h"

#define BLOCK_MS           100 /* an XREAD that blocks does not hear of a queue that is new */
#define PAGE_ENTRIES_LEAST 16
#define COMMANDS_MAX       64
#define HOLD_MS            50    /* the writer had no room */
#define ERROR_PAUSE_MS     1000  /* Redis had an error for us */
#define LOG_EVERY_MS       10000 /* for entries that are no reports */

static void go_on(struct inbox *inbox);

static uint64_t now_of(const struct inbox *inbox)
{
    return uv_now(inbox->options.loop);
}

static void on_timer(uv_timer_t *timer)
{
    go_on(timer->data);
}

static void pause_for(struct inbox *inbox, unsigned ms)
{
    inbox->phase = PHASE_IDLE;
    uv_timer_start(&inbox->timer, on_timer, ms, 0);
}

/* Whatever says that streams are to be read again from further back. */
static void turn_back(struct inbox *inbox)
{
    for (uint32_t number = 1; number <= inbox->highest; number++) {
        struct inbox_stream *stream = inbox->streams[number];
        if (stream == NULL)
            continue;
        if (stream->failed && inbox_id_compare(stream->failed_before, stream->cursor) < 0)
            inbox_read_from(stream, stream->failed_before);
        stream->failed = false;
        stream->lost |= inbox->again;
        stream->asked_step = 0;
    }
    if (inbox->again)
        inbox->check_ms = 0;
    inbox->again = false;
}

/* --- entries ----------------------------------------------------------------------------- */

/* One line for many: consumers write what they like, as often as they like. */
static void note_bad_entry(struct inbox *inbox, const struct inbox_stream *stream,
                           struct inbox_id id, const char *what)
{
    inbox->refused++;
    if (now_of(inbox) < inbox->logged_ms)
        return;
    log_write(inbox->options.log, LOG_WARN, "entries of a report stream are not as they should be",
              LOG_TEXT("what", what), LOG_INT("queue", stream->queue), LOG_INT("entry_ms", id.ms),
              LOG_INT("entry_seq", id.seq), LOG_INT("entries", inbox->refused), LOG_END);
    inbox->refused = 0;
    inbox->logged_ms = now_of(inbox) + LOG_EVERY_MS;
}

static void refuse(struct inbox *inbox, const struct inbox_stream *stream, struct inbox_id id)
{
    stats_add(inbox->options.stats, STATS_REPORTS_REFUSED, 1);
    note_bad_entry(inbox, stream, id, "no report, or about no task of ours");
}

static void leave_out(struct inbox *inbox, const struct inbox_stream *stream, struct inbox_id id,
                      const char *field)
{
    char buffer[64];
    struct text what = text_over(buffer, sizeof(buffer) - 1);

    text_printf(&what, "a bad %s was left out", field);
    buffer[what.length] = '\0';
    stats_add(inbox->options.stats, STATS_REPORT_FIELDS_LEFT_OUT, 1);
    note_bad_entry(inbox, stream, id, buffer);
}

static bool is_passing(enum status status)
{
    return status == STATUS_BUSY || status == STATUS_DISK_FULL || status == STATUS_IO ||
           status == STATUS_CLOSING;
}

static enum status submit(struct inbox *inbox, struct inbox_stream *stream, struct inbox_id id,
                          const struct report *report)
{
    struct inbox_sent *sent = inbox->free_sent;
    struct command command = {.kind = COMMAND_REPORT};
    char payload[REPORT_STORED_MAX];

    if (sent == NULL)
        return STATUS_BUSY;
    if (!id_parse(report->task, writer_id_key(inbox->options.writer), ID_TASK,
                  &command.report.opened_ms, &command.report.task))
        return STATUS_INVALID;
    command.ticket = INBOX_TICKET | (uint64_t)(sent - inbox->sent);
    command.now_ms = clock_now_ms(inbox->options.clock);
    command.payload.bytes = payload;
    command.payload.length = report_encode(report, payload, sizeof(payload));
    command.report.queue = stream->queue;
    command.report.stream_ms = id.ms;
    command.report.stream_seq = id.seq;
    command.report.started_ms = report->started_ms;
    command.report.ended_ms = report->ended_ms;
    command.report.call_at_ms = report->call_at_ms;
    command.report.delivery = (uint16_t)report->delivery;
    command.report.op = (uint8_t)report->op;
    command.report.outcome = (uint8_t)report->outcome;
    command.report.signal = (uint8_t)report->signal;
    if (report->agent.length > 0)
        command.report.agent = agent_hash(writer_hash_key(inbox->options.writer), report->agent);

    enum status status = writer_submit(inbox->options.writer, &command);
    if (status == STATUS_OK) {
        inbox->free_sent = sent->next_free;
        inbox->in_flight++;
        sent->stream = stream;
        sent->id = id;
        sent->op = command.report.op;
    }
    return status;
}

/* False: there was no room for it. */
static bool take_entry(struct inbox_stream *stream, const struct redis_reply *entry)
{
    struct inbox *inbox = stream->inbox;
    struct inbox_id id = stream->cursor;
    struct report report;
    const char *left_out;
    enum status status = inbox_entry_read(entry, &id, &report, &left_out);

    if (status == STATUS_OK)
        status = submit(inbox, stream, id, &report);
    if (is_passing(status))
        return false;
    if (status != STATUS_OK)
        refuse(inbox, stream, id);
    else if (left_out != NULL)
        leave_out(inbox, stream, id, left_out);
    if (status == STATUS_OK && report.op == REPORT_CLAIM)
        inbox->options.on_claim(inbox->options.owner, stream->queue, &report);
    stream->cursor = id;
    return true;
}

/* False: there was no room for an entry; what is behind it is read again later. */
static bool take_entries(struct inbox_stream *stream, const struct redis_reply *entries)
{
    struct redis_reply entry, last;
    size_t taken = 0;

    for (; entries->type == REDIS_ARRAY && taken < entries->count; taken++, last = entry) {
        entry = redis_item(entries, taken);
        if (!take_entry(stream, &entry))
            break;
    }
    if (taken > 0)
        inbox_trail_add(&stream->trail, stream->cursor, &last, taken, now_of(stream->inbox));
    inbox_trim_busy(stream);
    return entries->type != REDIS_ARRAY || taken == entries->count;
}

/* Streams come in the order in which they were asked for; those with nothing new are left out. */
static bool take_streams(struct inbox *inbox, const struct redis_reply *reply)
{
    uint32_t number = 1;

    for (size_t i = 0; i < reply->count; i++) {
        struct redis_reply item = redis_item(reply, i);
        if (item.type != REDIS_ARRAY || item.count != 2)
            continue;
        struct redis_reply key = redis_item(&item, 0), entries = redis_item(&item, 1);
        while (number <= inbox->highest && (inbox->streams[number] == NULL ||
                                            !slice_equal(inbox->streams[number]->key, key.text)))
            number++;
        if (number > inbox->highest)
            return true;
        if (!take_entries(inbox->streams[number], &entries))
            return false;
    }
    return true;
}

static void count_report(struct inbox *inbox, const struct settlement *settlement,
                         const struct inbox_sent *sent)
{
    enum stats_counter counter = STATS_REPORTS_REFUSED;
    enum status status = settlement->status;

    if (status == STATUS_OK)
        counter = STATS_REPORTS_APPLIED;
    else if (status == STATUS_DUPLICATE)
        counter = STATS_REPORTS_REPEATED;
    else if (status == STATUS_CONFLICT && sent->op == REPORT_OUTCOME)
        counter = STATS_REPORTS_LATE;
    stats_add(inbox->options.stats, counter, 1);
    if (status == STATUS_OK && settlement->unknown_word)
        stats_add(inbox->options.stats, STATS_REPORT_WORDS_UNKNOWN, 1);
    if (status == STATUS_OK && settlement->no_amount)
        leave_out(inbox, sent->stream, sent->id, "value");
}

void inbox_on_settled(struct inbox *inbox, const struct settlement *settlement)
{
    uint64_t index = settlement->ticket & ~INBOX_TICKET;

    MUST(index < INBOX_IN_FLIGHT_MAX && inbox->sent[index].stream != NULL);
    struct inbox_sent *sent = &inbox->sent[index];
    struct inbox_stream *stream = sent->stream;
    if (is_passing(settlement->status)) {
        struct inbox_id before = inbox_id_before(sent->id);
        if (!stream->failed || inbox_id_compare(before, stream->failed_before) < 0)
            stream->failed_before = before;
        stream->failed = true;
        inbox->turning = true;
    } else {
        count_report(inbox, settlement, sent);
    }
    sent->stream = NULL;
    sent->next_free = inbox->free_sent;
    inbox->free_sent = sent;
    inbox->in_flight--;
    if (inbox->phase == PHASE_IDLE && !uv_is_active((uv_handle_t *)&inbox->timer))
        go_on(inbox);
}

/* --- reading ----------------------------------------------------------------------------- */

/* The first time that nothing is left to read and nothing on its way. */
static void note_drained(struct inbox *inbox)
{
    if (inbox->drained || inbox->in_flight > 0 || inbox->turning || inbox->lost_count > 0)
        return;
    inbox->drained = true;
    inbox->options.on_drained(inbox->options.owner);
}

/* Streams of another type are found one by one (inbox_check); what else Redis says no with, such as
 * a missing permission, is about all of them. */
static void note_barred(struct inbox *inbox, const struct redis_reply *reply)
{
    bool barred = reply->type == REDIS_ERROR && !redis_reply_is_error(reply, "WRONGTYPE");
    const char *why = redis_reply_is_error(reply, "NOPERM") ? "NOPERM" : "an error";

    if (barred && !inbox->barred)
        log_write(inbox->options.log, LOG_ERROR, "redis does not let us read reports",
                  LOG_TEXT("why", why), LOG_END);
    inbox->barred = barred;
    inbox_count_refused(inbox);
}

static void on_read(void *owner, const struct redis_reply *reply)
{
    struct inbox *inbox = owner;

    inbox->phase = PHASE_IDLE;
    if (reply->type == REDIS_UNKNOWN)
        return; /* on_up starts again */
    note_barred(inbox, reply);
    if (reply->type == REDIS_ERROR) {
        inbox->check_ms = 0; /* finds the key that is to blame */
        pause_for(inbox, ERROR_PAUSE_MS);
        return;
    }
    if (reply->type == REDIS_NIL && !inbox->drained && inbox->in_flight > 0)
        return; /* the last settlement comes here again */
    if (reply->type == REDIS_NIL)
        note_drained(inbox);
    /* What was asked for before somebody said "again" would move cursors forward. */
    if (reply->type == REDIS_ARRAY && !inbox->again && !take_streams(inbox, reply))
        pause_for(inbox, HOLD_MS);
    else
        go_on(inbox);
}

static bool make_room(struct inbox *inbox, size_t words)
{
    if (words <= inbox->words_max)
        return true;
    struct slice *more = realloc(inbox->words, 2 * words * sizeof(more[0]));
    if (more != NULL)
        inbox->words = more;
    char(*ids)[48] = realloc(inbox->ids, 2 * words * sizeof(ids[0]));
    if (ids != NULL)
        inbox->ids = ids;
    if (more == NULL || ids == NULL)
        return false;
    inbox->words_max = 2 * words;
    return true;
}

static bool is_read(const struct inbox_stream *stream)
{
    return stream != NULL && !stream->unusable && !stream->lost;
}

/* Writes the streams that can be read and their cursors behind `words`; how many words there are
 * then. */
static size_t add_streams(struct inbox *inbox, size_t words)
{
    size_t usable = 0, next = 0;

    for (uint32_t number = 1; number <= inbox->highest; number++) {
        if (is_read(inbox->streams[number]))
            inbox->words[words + usable++] = inbox->streams[number]->key;
    }
    for (uint32_t number = 1; number <= inbox->highest; number++) {
        struct inbox_stream *stream = inbox->streams[number];
        if (!is_read(stream))
            continue;
        inbox->words[words + usable + next] = inbox_id_text(inbox->ids[next], stream->cursor);
        next++;
    }
    return words + 2 * usable;
}

/* The count is for each stream. */
static uint64_t page_entries(const struct inbox *inbox)
{
    uint64_t entries = INBOX_PAGE_ENTRIES;

    if (inbox->stream_count > 0)
        entries /= inbox->stream_count;
    return entries > PAGE_ENTRIES_LEAST ? entries : PAGE_ENTRIES_LEAST;
}

/* XREAD COUNT n [BLOCK ms] STREAMS key... id... */
static void read_streams(struct inbox *inbox)
{
    char count_digits[24], block_digits[24];
    struct text count = text_over(count_digits, sizeof(count_digits));
    struct text block = text_over(block_digits, sizeof(block_digits));
    size_t words = 0;

    if (!make_room(inbox, 6 + 2 * (size_t)inbox->stream_count)) {
        pause_for(inbox, ERROR_PAUSE_MS);
        return;
    }
    text_uint(&count, page_entries(inbox));
    text_uint(&block, BLOCK_MS);
    inbox->words[words++] = SLICE("XREAD");
    inbox->words[words++] = SLICE("COUNT");
    inbox->words[words++] = text_slice(&count);
    if (inbox->drained) {
        inbox->words[words++] = SLICE("BLOCK");
        inbox->words[words++] = text_slice(&block);
    }
    inbox->words[words++] = SLICE("STREAMS");
    size_t all = add_streams(inbox, words);
    if (all == words) {
        note_drained(inbox);
        pause_for(inbox, BLOCK_MS);
    } else if (redis_command(inbox->redis, inbox->words, all, 0, on_read, inbox)) {
        inbox->phase = PHASE_READ;
    } else {
        pause_for(inbox, HOLD_MS);
    }
}

/* The next step, with nothing of ours in flight on the link. */
static void go_on(struct inbox *inbox)
{
    if (!inbox->ready || inbox->closing || inbox->phase != PHASE_IDLE || !redis_is_up(inbox->redis))
        return;
    if (inbox->in_flight > (inbox->turning ? 0 : INBOX_IN_FLIGHT_MAX - INBOX_PAGE_ENTRIES))
        return; /* the next settlement comes here again */
    if (inbox->turning) {
        turn_back(inbox);
        inbox->turning = false;
        pause_for(inbox, HOLD_MS);
        return;
    }
    if (inbox->has_new)
        inbox_find_streams(inbox);
    if (now_of(inbox) >= inbox->check_ms) {
        inbox_check(inbox);
        return;
    }
    if (now_of(inbox) >= inbox->trim_ms)
        inbox_trim(inbox);
    read_streams(inbox);
}

void inbox_checked(struct inbox *inbox)
{
    inbox->phase = PHASE_IDLE;
    go_on(inbox);
}

/* --- from outside ------------------------------------------------------------------------ */

static void on_up(void *owner, const struct redis_server *server)
{
    struct inbox *inbox = owner;

    /* Also where it is the same one: a machine that was set back to a snapshot has kept its run id.
     * Asking costs a command for each stream; what is read before it is asked would pass for what
     * was there. */
    (void)server;
    if (inbox->met)
        inbox_again(inbox);
    inbox->met = true;
    inbox->check_ms = 0;
    inbox->phase = PHASE_IDLE;
    go_on(inbox);
}

static void on_down(void *owner)
{
    struct inbox *inbox = owner;

    inbox->phase = PHASE_IDLE;
}

void inbox_again(struct inbox *inbox)
{
    inbox->again = inbox->turning = true;
}

void inbox_on_put(struct inbox *inbox, uint32_t queue)
{
    MUST(queue < STATE_QUEUES_MAX);
    inbox->has_new |= !inbox->has_put[queue];
    inbox->has_put[queue] = true;
}

void inbox_ready(struct inbox *inbox)
{
    if (state_reader_open(writer_state(inbox->options.writer), &inbox->state) != STATUS_OK)
        memory_missing();
    inbox->ready = true;
    go_on(inbox);
}

static void free_all(struct inbox *inbox)
{
    for (uint32_t number = 1; number <= inbox->highest; number++)
        free(inbox->streams[number]);
    free(inbox->words);
    free(inbox->ids);
    free(inbox);
}

enum status inbox_open(const struct inbox_options *options, struct inbox **out)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));

    *out = NULL;
    if (inbox == NULL)
        return STATUS_INTERNAL;
    inbox->options = *options;
    for (size_t i = INBOX_IN_FLIGHT_MAX; i > 0; i--) {
        inbox->sent[i - 1].next_free = inbox->free_sent;
        inbox->free_sent = &inbox->sent[i - 1];
    }
    enum status status = redis_open(&(struct redis_options){.loop = options->loop,
                                                            .url = options->redis_url,
                                                            .name = "hotlead-inbox",
                                                            .in_flight_max = COMMANDS_MAX,
                                                            .log = options->log,
                                                            .stats = options->stats,
                                                            .on_up = on_up,
                                                            .on_down = on_down,
                                                            .owner = inbox},
                                    &inbox->redis);
    if (status != STATUS_OK) {
        free_all(inbox);
        return status;
    }
    inbox->trim_next = 1;
    MUST(uv_timer_init(options->loop, &inbox->timer) == 0);
    inbox->timer.data = inbox;
    *out = inbox;
    return STATUS_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_all(handle->data);
}

void inbox_close(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    inbox->closing = true;
    redis_close(inbox->redis);
    if (inbox->ready)
        state_reader_close(inbox->state);
    uv_close((uv_handle_t *)&inbox->timer, on_timer_closed);
}
