/* Queues, the live feed, and Redis coming and going. The rest: publish_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "server/embedded.h"
#include "server/publish_internal.h"

/* At a start others wait to hear who is gone from the queues, but not for ever. */
#define FIRST_WATCH_MS 50
#define HURRY_MS       5000

/* --- queues ------------------------------------------------------------------------------ */

static struct slice copy_text(struct publish_queue *queue, size_t *used, const struct text *text)
{
    struct slice copy = {queue->texts + *used, text->length};

    memcpy(queue->texts + *used, text->bytes, text->length);
    *used += text->length;
    return copy;
}

/* Keys share the queue's name in braces, so that a queue is one slot of a Redis Cluster. */
bool publish_name_keys(struct publish_queue *queue)
{
    const struct publish_options *options = &queue->publish->options;
    const struct queue *settings = registry_queue(options->registry, queue->number);
    uint64_t epoch = queue->publish->epoch.present;
    char buffer[4][1024], *texts;
    struct text text[4];
    size_t bytes = 0, used = 0;

    if (settings == NULL)
        return false;
    const char *id = settings->id;
    for (int i = 0; i < 4; i++)
        text[i] = text_over(buffer[i], sizeof(buffer[i]));
    text_printf(&text[0], "%s:{%s}:tasks", options->prefix, id);
    text_printf(&text[1], "%s:{%s}:mark:%s:%llx", options->prefix, id, options->node,
                (unsigned long long)epoch);
    text_printf(&text[2], "%s:{%s}:reports:%s", options->prefix, id, options->node);
    text_string(&text[3], "\"report\":");
    text_json_string(&text[3], text_slice(&text[2]));
    for (int i = 0; i < 4; i++) {
        MUST(!text[i].overflow);
        bytes += text[i].length;
    }
    texts = malloc(bytes);
    if (texts == NULL)
        return false;
    free(queue->texts);
    queue->texts = texts;
    queue->epoch = epoch;
    queue->tasks = copy_text(queue, &used, &text[0]);
    queue->mark = copy_text(queue, &used, &text[1]);
    queue->reports = copy_text(queue, &used, &text[2]);
    queue->report_field = copy_text(queue, &used, &text[3]);
    return true;
}

struct publish_queue *publish_queue_of(struct publish *publish, uint32_t number)
{
    if (number == 0 || number >= STATE_QUEUES_MAX)
        return NULL;
    const struct queue *settings = registry_queue(publish->options.registry, number);
    struct publish_queue *queue = publish->queues[number];
    if (queue != NULL) {
        if (settings != NULL) /* removed and made again it may have another shape */
            queue->is_list = settings->shape == QUEUE_LIST;
        return queue;
    }
    queue = settings != NULL ? calloc(1, sizeof(*queue)) : NULL;
    if (queue == NULL)
        return NULL;
    queue->publish = publish;
    queue->number = number;
    queue->is_list = settings->shape == QUEUE_LIST;
    queue->reconcile = true; /* what happened to it while nobody looked? */
    if (!publish_name_keys(queue)) {
        free(queue);
        return NULL;
    }
    publish->queues[number] = queue;
    if (number > publish->highest)
        publish->highest = number;
    return queue;
}

void publish_release(struct publish *publish)
{
    state_reader_release(publish->state);
    journal_reader_release(publish->journal);
}

/* Until its mark was read a queue counts as all in Redis: the lag is about what is new. */
void publish_learn_queue(struct publish_queue *queue, const struct state_queue *row)
{
    if (row->outbox_seq > queue->newest) {
        if (!queue->learned && queue->newest == 0)
            queue->acked = row->outbox_seq;
        queue->newest = row->outbox_seq;
    }
    queue->open_tasks = row->open_tasks;
}

uint64_t publish_read_queue(struct publish_queue *queue)
{
    struct state_reader *state = queue->publish->state;
    struct state_queue row;

    if (!state_read_queue(state, queue->number, &row) && state_reader_failure(state) != STATUS_OK)
        return 0;
    publish_learn_queue(queue, &row);
    return row.outbox_seq;
}

bool publish_submit(struct publish_queue *queue, enum publish_purpose purpose,
                    struct command *command)
{
    struct publish *publish = queue->publish;

    command->ticket = PUBLISH_TICKET | (uint64_t)purpose << 32 | queue->number;
    command->now_ms = clock_now_ms(publish->options.clock);
    return writer_submit(publish->options.writer, command) == STATUS_OK;
}

/* --- timers ------------------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
    struct publish *publish = timer->data;

    for (uint32_t number = 1; number <= publish->highest; number++) {
        struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && publish_follow_epoch(queue))
            publish_push(queue);
    }
    publish_reconcile(publish);
}

void publish_tick_soon(struct publish *publish)
{
    if (!publish->closing && !uv_is_active((uv_handle_t *)&publish->tick_timer))
        uv_timer_start(&publish->tick_timer, on_tick, TICK_MS, 0);
}

static void on_watch(uv_timer_t *timer)
{
    struct publish *publish = timer->data;

    publish_begin_epoch(publish);
    publish_watch(publish);
    if (publish->watched || uv_now(publish->options.loop) >= publish->hurry_until_ms)
        uv_timer_set_repeat(timer, publish->options.watch_ms);
    publish_tick_soon(publish);
    stats_set(publish->options.stats, STATS_GAUGE_OUTBOX_LAG, publish_lag(publish));
}

/* --- Redis comes and goes ---------------------------------------------------------------- */

/* What one queue shows holds for all. Those without open tasks are seldom looked at for their
 * marks, and what is done with may stand in them again. */
void publish_tell_forgot(struct publish *publish)
{
    if (publish->forgot)
        return;
    publish->forgot = true;
    for (uint32_t number = 1; number <= publish->highest; number++) {
        if (publish->queues[number] != NULL)
            publish_reconcile_anew(publish->queues[number]);
    }
    publish->options.on_forgot(publish->options.owner);
}

/* Another server, or the same one with another history: what it has is unknown, and that the
 * marks were ours too. */
static void meet_server(struct publish *publish, const struct redis_server *server)
{
    bool first = publish->server.run_id[0] == '\0';
    bool same = redis_server_equal(&publish->server, server);

    publish->server = *server;
    for (uint32_t number = 1; number <= publish->highest; number++) {
        struct publish_queue *queue = publish->queues[number];
        if (queue == NULL)
            continue;
        queue->taken = queue->taken && same;
        queue->reconcile = queue->reconcile || !same;
        queue->head_settled = queue->head_settled && same;
        queue->has_before = queue->has_before && same;
    }
    if (!same && !first)
        publish_tell_forgot(publish);
}

static void on_up(void *owner, const struct redis_server *server)
{
    struct publish *publish = owner;

    meet_server(publish, server);
    stats_set(publish->options.stats, STATS_GAUGE_REDIS_UP, 1);
    writer_render(publish->options.writer, true);
    publish_watch(publish);
}

static void on_down(void *owner)
{
    struct publish *publish = owner;

    stats_set(publish->options.stats, STATS_GAUGE_REDIS_UP, 0);
    writer_render(publish->options.writer, false);
    for (uint32_t number = 1; number <= publish->highest; number++) {
        if (publish->queues[number] != NULL)
            publish->queues[number]->known = false;
    }
    publish_claims_away(publish);
}

/* --- the live feed ----------------------------------------------------------------------- */

void publish_operation(struct publish *publish, const struct writer_outbox *operation)
{
    struct publish_queue *queue = publish_queue_of(publish, operation->queue);

    if (queue == NULL) /* of a queue that this thread has not heard of: state has it */
        return;
    if (operation->seq > queue->newest)
        queue->newest = operation->seq;
    publish_note_late(queue);
    if (queue->stopped)
        return;
    publish_buffer_add(queue, operation);
    if (!queue->dirty) {
        queue->dirty = true;
        queue->next_dirty = publish->first_dirty;
        publish->first_dirty = queue;
    }
}

void publish_flush(struct publish *publish)
{
    while (publish->first_dirty != NULL) {
        struct publish_queue *queue = publish->first_dirty;
        publish->first_dirty = queue->next_dirty;
        queue->dirty = false;
        if (!queue->known && !queue->refused)
            publish_look(queue);
        else
            publish_push(queue);
    }
    redis_flush(publish->redis);
}

void publish_on_settled(struct publish *publish, const struct settlement *settlement)
{
    struct publish_queue *queue = publish_queue_of(publish, settlement->ticket & UINT32_MAX);
    unsigned purpose = settlement->ticket >> 32 & 0xff;

    if (purpose == PURPOSE_EPOCH && !publish->closing)
        publish_epoch_settled(publish, settlement->status);
    if (queue == NULL || publish->closing)
        return;
    switch (purpose) {
    case PURPOSE_POPPED:
        publish_popped_settled(queue, settlement->status);
        break;
    case PURPOSE_AHEAD:
        publish_judge_ahead(queue, settlement->status);
        break;
    case PURPOSE_RECONCILE:
        publish_reconcile_settled(queue, settlement->status);
        break;
    }
}

/* --- how far it has come ----------------------------------------------------------------- */

bool publish_is_up(const struct publish *publish)
{
    return redis_is_up(publish->redis);
}

uint64_t publish_lag(const struct publish *publish)
{
    uint64_t lag = 0;

    for (uint32_t number = 1; number <= publish->highest; number++) {
        const struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && queue->newest > queue->acked)
            lag += queue->newest - queue->acked;
    }
    return lag;
}

bool publish_is_idle(const struct publish *publish)
{
    if (!redis_is_up(publish->redis))
        return true;
    for (uint32_t number = 1; number <= publish->highest; number++) {
        const struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && !queue->stopped &&
            (queue->call.running || queue->newest > queue->acked))
            return false;
    }
    return true;
}

/* --- open and close ---------------------------------------------------------------------- */

static void make_nonce(struct publish *publish)
{
    uint8_t random[NONCE_LENGTH / 2];
    struct text text = text_over(publish->nonce, NONCE_LENGTH);

    MUST(uv_random(NULL, NULL, random, sizeof(random), 0, NULL) == 0);
    text_hex(&text, random, sizeof(random));
}

static bool get_memory(struct publish *publish)
{
    publish->call.members = malloc(CALL_BYTES_MAX);
    publish->renderer.optin = malloc(sizeof(*publish->renderer.optin));
    return publish->call.members != NULL && publish->renderer.optin != NULL &&
           publish_reconcile_open(publish) &&
           publish_buffer_open(publish, publish->options.memory_max);
}

static void free_all(struct publish *publish)
{
    for (uint32_t number = 1; number <= publish->highest; number++) {
        if (publish->queues[number] != NULL)
            free(publish->queues[number]->texts);
        free(publish->queues[number]);
    }
    publish_buffer_close(publish);
    publish_reconcile_close(publish);
    free(publish->renderer.optin);
    free(publish->call.members);
    free(publish);
}

static void start_timer(struct publish *publish, uv_timer_t *timer)
{
    MUST(uv_timer_init(publish->options.loop, timer) == 0);
    timer->data = publish;
    publish->handles++;
}

enum status publish_open(const struct publish_options *options, struct publish **out)
{
    struct publish *publish = calloc(1, sizeof(*publish));
    enum status status = STATUS_INTERNAL;

    *out = NULL;
    if (publish == NULL)
        return STATUS_INTERNAL;
    publish->options = *options;
    if (get_memory(publish))
        status = redis_open(&(struct redis_options){.loop = options->loop,
                                                    .url = options->redis_url,
                                                    .name = "hotlead-publish",
                                                    .in_flight_max = COMMANDS_MAX,
                                                    .log = options->log,
                                                    .stats = options->stats,
                                                    .on_up = on_up,
                                                    .on_down = on_down,
                                                    .owner = publish},
                            &publish->redis);
    if (status != STATUS_OK) {
        free_all(publish);
        return status;
    }
    make_nonce(publish);
    publish->epoch.present = writer_epoch(options->writer);
    redis_script_init(&publish->push_script, embedded_push_lua);
    redis_script_init(&publish->claim_script, embedded_claim_lua);
    start_timer(publish, &publish->tick_timer);
    start_timer(publish, &publish->watch_timer);
    start_timer(publish, &publish->claim_timer);
    uv_timer_start(&publish->watch_timer, on_watch, options->watch_ms, options->watch_ms);
    publish->look_next = 1;
    *out = publish;
    return STATUS_OK;
}

/* Without readers nothing can be read from state: then there is nothing to be done but to end. */
void publish_ready(struct publish *publish)
{
    struct writer *writer = publish->options.writer;

    if (state_reader_open(writer_state(writer), &publish->state) != STATUS_OK ||
        journal_reader_open(writer_journal(writer), &publish->journal) != STATUS_OK)
        memory_missing();
    publish->renderer.reader = publish->journal;
    publish->renderer.registry = publish->options.registry;
    publish->renderer.id_key = writer_id_key(writer);
    publish->renderer.node = publish->options.node;
    publish->renderer.prefix = publish->options.prefix;
    publish->ready = true;
    publish->hurry_until_ms = uv_now(publish->options.loop) + HURRY_MS;
    uv_timer_start(&publish->watch_timer, on_watch, FIRST_WATCH_MS, FIRST_WATCH_MS);
    publish_watch(publish);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct publish *publish = handle->data;

    if (--publish->handles == 0)
        free_all(publish);
}

void publish_close(struct publish *publish)
{
    if (publish == NULL)
        return;
    publish->closing = true;
    publish_claims_close(publish);
    redis_close(publish->redis);
    if (publish->ready) {
        state_reader_close(publish->state);
        journal_reader_close(publish->journal);
    }
    uv_close((uv_handle_t *)&publish->tick_timer, on_timer_closed);
    uv_close((uv_handle_t *)&publish->watch_timer, on_timer_closed);
    uv_close((uv_handle_t *)&publish->claim_timer, on_timer_closed);
}
