/* Each consumer is a thread: it waits in a blocking pop, notes the moment as soon as the reply has
 * been read, looks up whose the tasks are and puts that into a list of its own. The loop empties
 * the lists every other millisecond. Nothing hangs on when it does, because the moments stand in
 * the pops; to wake the loop for each pop would take from the sender the time that it needs.
 *
 * The lists grow: to hold consumers up would delay the pops that are measured, and to drop some
 * would make them lost. A pop is 24 bytes, and a queue holds no more tasks than were sent.
 *
 * The robot is one thread more, of the same kind. Nobody waits for an e-mail as for a call, so it
 * takes many at a time, and lets them gather when there were few: that is cheap for Redis, as it is
 * with a robot that sends. */
#include "bench/consume.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench/consume_internal.h"
#include "bench/link.h"
#include "proto/must.h"

#define GATHER_MS       10u
#define POPS_FIRST      4096u /* places in a list */
#define HAND_OVER_MS    2u
#define BACK_OFF_MS     20u
#define BACK_OFF_MS_MAX 100u /* what comes on top of the measured recovery of others */
#define REFUSED_MS      100u
#define END_NS_MAX      500000000ull /* of a thread that Redis answers */
#define REDIS_MAJOR     7u

struct pops {
    struct consume_pop *pops;
    size_t count, capacity;
};

struct consumer {
    struct consume *consume;
    const struct consume_queue *queue;
    uv_thread_t thread;
    char agent[32];

    /* The consumer's own. */
    redisContext *context;
    struct slice *tasks; /* of a pop */
    struct consume_pop *popped;
    char *reports;

    uv_mutex_t lock; /* guards these two */
    int socket;      /* -1: not connected */
    struct pops list;

    struct pops emptied; /* the loop's: takes the place of `list` */
    atomic_uint_fast64_t reported, reconnects, refused;
};

struct consume {
    const struct target *target;
    struct link_address address;
    enum consume_mode mode;
    consume_popped_fn *on_popped;
    void *owner;

    struct consume_queue calls, emails;
    struct consumer *consumers; /* the last one may be the robot */
    unsigned count;
    uint64_t popped, emails_popped;
    uv_timer_t timer;

    uv_mutex_t lock; /* guards these two; `changed` tells of both */
    uv_cond_t changed;
    bool closing;
    unsigned ended; /* threads */
};

/* --- the hand-over --------------------------------------------------------------------------- */

static void pops_add(struct pops *list, const struct consume_pop *pops, size_t count)
{
    if (list->capacity - list->count < count) {
        size_t capacity = list->capacity ? list->capacity * 2 : POPS_FIRST;
        struct consume_pop *larger = realloc(list->pops, capacity * sizeof(*larger));
        MUST(larger != NULL && capacity - list->count >= count);
        list->pops = larger;
        list->capacity = capacity;
    }
    memcpy(list->pops + list->count, pops, count * sizeof(*pops));
    list->count += count;
}

static void hand_over(struct consumer *consumer, size_t count)
{
    uv_mutex_lock(&consumer->lock);
    pops_add(&consumer->list, consumer->popped, count);
    uv_mutex_unlock(&consumer->lock);
}

/* Loop thread. */
static void empty_list(struct consumer *consumer)
{
    struct consume *consume = consumer->consume;

    uv_mutex_lock(&consumer->lock);
    struct pops list = consumer->list;
    consumer->list = consumer->emptied;
    uv_mutex_unlock(&consumer->lock);
    if (list.count > 0)
        consume->on_popped(consume->owner, list.pops, list.count);
    *(consumer->queue->robots ? &consume->emails_popped : &consume->popped) += list.count;
    list.count = 0;
    consumer->emptied = list;
}

static void on_timer(uv_timer_t *timer)
{
    struct consume *consume = timer->data;

    for (unsigned i = 0; i < consume->count; i++)
        empty_list(&consume->consumers[i]);
}

/* --- a link that may break ------------------------------------------------------------------- */

static bool is_closing(struct consume *consume)
{
    uv_mutex_lock(&consume->lock);
    bool closing = consume->closing;
    uv_mutex_unlock(&consume->lock);
    return closing;
}

/* Ends early when the consumers are closed. */
static void pause_for(struct consume *consume, unsigned ms)
{
    uint64_t end_ns = uv_hrtime() + ms * 1000000ull;

    uv_mutex_lock(&consume->lock);
    for (uint64_t now_ns = uv_hrtime(); !consume->closing && now_ns < end_ns; now_ns = uv_hrtime())
        uv_cond_timedwait(&consume->changed, &consume->lock, end_ns - now_ns);
    uv_mutex_unlock(&consume->lock);
}

/* The loop shuts down the socket of a consumer that does not end, so it must not be another's by
 * then. */
static void set_context(struct consumer *consumer, redisContext *context)
{
    uv_mutex_lock(&consumer->lock);
    consumer->socket = context ? context->fd : -1;
    uv_mutex_unlock(&consumer->lock);
    if (consumer->context != NULL)
        redisFree(consumer->context);
    consumer->context = context;
}

/* Until it is there, or nobody waits for it any more: false. */
static bool connect_again(struct consumer *consumer)
{
    char why[LINK_WHY_MAX];

    set_context(consumer, NULL);
    atomic_fetch_add(&consumer->reconnects, 1);
    for (unsigned wait_ms = BACK_OFF_MS; !is_closing(consumer->consume); wait_ms *= 2) {
        redisContext *context = link_open(&consumer->consume->address, why);
        if (context != NULL) {
            set_context(consumer, context);
            return true;
        }
        wait_ms = wait_ms < BACK_OFF_MS_MAX ? wait_ms : BACK_OFF_MS_MAX;
        pause_for(consumer->consume, wait_ms);
    }
    return false;
}

/* The next reply, or NULL when the link is of no use any more. The caller frees it. */
static redisReply *next_reply(struct consumer *consumer)
{
    void *reply = NULL;

    if (redisGetReply(consumer->context, &reply) != REDIS_OK)
        return NULL;
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        atomic_fetch_add(&consumer->refused, 1);
    return reply;
}

static struct slice text_of(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING)
        return SLICE("");
    return (struct slice){reply->str, reply->len};
}

/* --- reports --------------------------------------------------------------------------------- */

static size_t write_reports(struct consumer *consumer, size_t count, struct text *out)
{
    size_t reports = 0;

    for (size_t i = 0; i < count; i++) {
        struct task_head head;
        if (!task_head_read(consumer->tasks[i], &head))
            continue;
        if (consumer->queue->robots) {
            task_sent_write(out, &head, slice_of(consumer->agent));
            reports++;
        } else {
            task_reports_write(out, &head, slice_of(consumer->agent));
            reports += REPORTS_PER_TASK;
        }
    }
    return reports;
}

/* False: the link broke before all were answered. */
static bool send_reports(struct consumer *consumer, const struct text *commands, size_t reports)
{
    uint64_t taken = 0;

    redisAppendFormattedCommand(consumer->context, commands->bytes, commands->length);
    for (size_t i = 0; i < reports; i++) {
        redisReply *reply = next_reply(consumer);
        if (reply == NULL)
            return false;
        taken += reply->type != REDIS_REPLY_ERROR;
        freeReplyObject(reply);
    }
    atomic_fetch_add(&consumer->reported, taken);
    return true;
}

/* Of all tasks of a pop, in one write. They are said again on a new link: a report that is read
 * twice has its effect once. */
static void report(struct consumer *consumer, size_t count)
{
    struct text commands = text_over(consumer->reports, count * REPORTS_BYTES);
    size_t reports = write_reports(consumer, count, &commands);

    while (reports > 0 && !send_reports(consumer, &commands, reports))
        if (!connect_again(consumer))
            return;
}

/* --- pops ------------------------------------------------------------------------------------ */

static void note(const struct consumer *consumer, struct slice task, uint64_t popped_ns,
                 struct consume_pop *out)
{
    const struct target *target = consumer->consume->target;
    struct task_head head;

    *out = (struct consume_pop){
        .popped_ns = popped_ns, .delivery = 1, .email = consumer->queue->robots};
    out->strange = !target_key_of_task(target, task, &out->key);
    if (target->kind == TARGET_HOTLEAD && task_head_read(task, &head))
        out->delivery = head.delivery;
    out->immediate = out->email && task_is_immediate(task);
}

/* Notes what stands in consumer->tasks. */
static void take_tasks(struct consumer *consumer, size_t count, uint64_t popped_ns)
{
    const struct consume *consume = consumer->consume;

    for (size_t i = 0; i < count; i++)
        note(consumer, consumer->tasks[i], popped_ns, &consumer->popped[i]);
    hand_over(consumer, count);
    if (consume->mode == CONSUME_REPORT && consume->target->kind == TARGET_HOTLEAD)
        report(consumer, count);
}

/* BullMQ: the jobs' data by their ids, and away with them. */
static void take_jobs(struct consumer *consumer, const redisReply *ids, uint64_t popped_ns)
{
    const char *prefix = consumer->consume->target->key;
    redisReply *jobs[CONSUME_AT_ONCE_MAX];
    size_t asked = ids->elements, count = 0;

    for (size_t i = 0; i < asked; i++) {
        struct slice id = text_of(ids->element[i]);
        redisAppendCommand(consumer->context, "HGET %s%b data", prefix, id.bytes, id.length);
        redisAppendCommand(consumer->context, "DEL %s%b", prefix, id.bytes, id.length);
    }
    for (; count < asked; count++) {
        jobs[count] = next_reply(consumer);
        redisReply *deleted = jobs[count] ? next_reply(consumer) : NULL;
        if (deleted == NULL)
            break;
        consumer->tasks[count] = text_of(jobs[count]);
        freeReplyObject(deleted);
    }
    take_tasks(consumer, count, popped_ns);
    for (size_t i = 0; i < count; i++)
        freeReplyObject(jobs[i]);
    if (count < asked && jobs[count] != NULL)
        freeReplyObject(jobs[count]);
}

/* [key, [[member, score] ...]] of a ZSET, [key, [element ...]] of a list. */
static void take(struct consumer *consumer, const redisReply *reply, uint64_t popped_ns)
{
    enum target_shape shape = consumer->queue->shape;

    if (reply->elements != 2 || reply->element[1]->elements > consumer->queue->at_once)
        return;
    const redisReply *items = reply->element[1];
    if (shape == TARGET_BULLMQ) {
        take_jobs(consumer, items, popped_ns);
        return;
    }
    for (size_t i = 0; i < items->elements; i++) {
        const redisReply *item = items->element[i];
        bool pair = shape == TARGET_ZSET && item->elements == 2;
        consumer->tasks[i] = text_of(pair ? item->element[0] : item);
    }
    take_tasks(consumer, items->elements, popped_ns);
    if (consumer->queue->robots && items->elements < consumer->queue->at_once)
        pause_for(consumer->consume, GATHER_MS);
}

static void pop(struct consumer *consumer)
{
    struct consume *consume = consumer->consume;

    redisAppendFormattedCommand(consumer->context, consumer->queue->pop,
                                consumer->queue->pop_bytes);
    redisReply *reply = next_reply(consumer);
    uint64_t popped_ns = uv_hrtime();
    if (reply == NULL) {
        connect_again(consumer);
        return;
    }
    if (reply->type == REDIS_REPLY_ARRAY)
        take(consumer, reply, popped_ns);
    else if (reply->type == REDIS_REPLY_ERROR)
        pause_for(consume, REFUSED_MS);
    freeReplyObject(reply);
}

static void consumer_main(void *argument)
{
    struct consumer *consumer = argument;
    struct consume *consume = consumer->consume;
    sigset_t all;

    sigfillset(&all); /* they are the main thread's; and a link may write to a server that died */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_closing(consume))
        pop(consumer);
    uv_mutex_lock(&consume->lock);
    consume->ended++;
    uv_cond_broadcast(&consume->changed);
    uv_mutex_unlock(&consume->lock);
}

/* --- open and close -------------------------------------------------------------------------- */

static bool consumer_init(struct consume *consume, struct consumer *consumer, bool robot)
{
    consumer->consume = consume;
    consumer->queue = robot ? &consume->emails : &consume->calls;
    consumer->socket = -1;
    snprintf(consumer->agent, sizeof(consumer->agent), robot ? "bench-robot" : "bench-%u",
             consume->count + 1);
    MUST(uv_mutex_init(&consumer->lock) == 0);
    size_t at_once = consumer->queue->at_once;
    consumer->tasks = calloc(at_once, sizeof(*consumer->tasks));
    consumer->popped = calloc(at_once, sizeof(*consumer->popped));
    consumer->reports = malloc(at_once * REPORTS_BYTES);
    return consumer->tasks && consumer->popped && consumer->reports;
}

static void consumer_free(struct consumer *consumer)
{
    set_context(consumer, NULL);
    uv_mutex_destroy(&consumer->lock);
    free(consumer->list.pops);
    free(consumer->emptied.pops);
    free(consumer->tasks);
    free(consumer->popped);
    free(consumer->reports);
}

static void consume_free(struct consume *consume)
{
    for (unsigned i = 0; i < consume->count; i++)
        consumer_free(&consume->consumers[i]);
    free(consume->consumers);
    consume_queue_free(&consume->calls);
    consume_queue_free(&consume->emails);
    uv_mutex_destroy(&consume->lock);
    uv_cond_destroy(&consume->changed);
    free(consume);
}

static enum status connect_all(struct consume *consume, char why[LINK_WHY_MAX])
{
    for (unsigned i = 0; i < consume->count; i++) {
        redisContext *context = link_open(&consume->address, why);
        if (context == NULL)
            return STATUS_BUSY;
        set_context(&consume->consumers[i], context);
    }
    if (consume->count > 0 && !link_is_of_version(consume->consumers[0].context, REDIS_MAJOR)) {
        snprintf(why, LINK_WHY_MAX,
                 "it is older than Redis %u, and cannot pop several tasks at once", REDIS_MAJOR);
        return STATUS_BUSY;
    }
    return STATUS_OK;
}

static enum status prepare(struct consume *consume, const struct consume_options *options,
                           char why[LINK_WHY_MAX])
{
    bool idle = options->mode == CONSUME_NOTHING || options->target->shape == TARGET_NOWHERE;
    unsigned callers = idle ? 0 : options->consumers;
    unsigned threads = callers + (options->target->emails[0] != '\0');

    if (callers == 0)
        return STATUS_OK;
    if (!link_address_parse(options->target->redis_url, &consume->address)) {
        snprintf(why, LINK_WHY_MAX, "it must be redis://host:port/db or unix:///path");
        return STATUS_INVALID;
    }
    snprintf(why, LINK_WHY_MAX, "out of memory");
    consume->consumers = calloc(threads, sizeof(*consume->consumers));
    if (consume->consumers == NULL ||
        !consume_queue_calls(options->target, options->at_once, &consume->calls) ||
        !consume_queue_emails(options->target, &consume->emails))
        return STATUS_INTERNAL;
    for (bool made = true; consume->count < threads;) {
        made =
            consumer_init(consume, &consume->consumers[consume->count], consume->count >= callers);
        consume->count++;
        if (!made)
            return STATUS_INTERNAL;
    }
    return connect_all(consume, why);
}

enum status consume_open(const struct consume_options *options, struct consume **out,
                         const char **why_out)
{
    static char why[LINK_WHY_MAX];
    struct consume *consume = calloc(1, sizeof(*consume));

    *why_out = why;
    snprintf(why, sizeof(why), "out of memory");
    if (consume == NULL)
        return STATUS_INTERNAL;
    consume->target = options->target;
    consume->mode = options->mode;
    consume->on_popped = options->on_popped;
    consume->owner = options->owner;
    MUST(uv_mutex_init(&consume->lock) == 0 && uv_cond_init(&consume->changed) == 0);
    enum status result = prepare(consume, options, why);
    if (result != STATUS_OK) {
        consume_free(consume);
        return result;
    }

    uv_timer_init(options->loop, &consume->timer);
    consume->timer.data = consume;
    if (consume->count > 0)
        uv_timer_start(&consume->timer, on_timer, HAND_OVER_MS, HAND_OVER_MS);
    for (unsigned i = 0; i < consume->count; i++)
        MUST(uv_thread_create(&consume->consumers[i].thread, consumer_main,
                              &consume->consumers[i]) == 0);
    *out = consume;
    return STATUS_OK;
}

uint64_t consume_popped(const struct consume *consume)
{
    return consume->popped;
}

uint64_t consume_emails_popped(const struct consume *consume)
{
    return consume->emails_popped;
}

static uint64_t sum_reported(const struct consume *consume, bool robots)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < consume->count; i++)
        if (consume->consumers[i].queue->robots == robots)
            sum += atomic_load(&consume->consumers[i].reported);
    return sum;
}

uint64_t consume_reported(const struct consume *consume)
{
    return sum_reported(consume, false);
}

uint64_t consume_emails_reported(const struct consume *consume)
{
    return sum_reported(consume, true);
}

uint64_t consume_reconnects(const struct consume *consume)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < consume->count; i++)
        sum += atomic_load(&consume->consumers[i].reconnects);
    return sum;
}

uint64_t consume_refused(const struct consume *consume)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < consume->count; i++)
        sum += atomic_load(&consume->consumers[i].refused);
    return sum;
}

/* True: all threads have ended before the time was over. */
static bool wait_for_end(struct consume *consume, uint64_t most_ns)
{
    uint64_t end_ns = uv_hrtime() + most_ns;

    uv_mutex_lock(&consume->lock);
    for (uint64_t now_ns = uv_hrtime(); consume->ended < consume->count && now_ns < end_ns;
         now_ns = uv_hrtime())
        uv_cond_timedwait(&consume->changed, &consume->lock, end_ns - now_ns);
    bool ended = consume->ended == consume->count;
    uv_mutex_unlock(&consume->lock);
    return ended;
}

/* Wakes whoever waits for a Redis that does not answer. */
static void cut_links(struct consume *consume)
{
    for (unsigned i = 0; i < consume->count; i++) {
        struct consumer *consumer = &consume->consumers[i];
        uv_mutex_lock(&consumer->lock);
        if (consumer->socket >= 0)
            shutdown(consumer->socket, SHUT_RDWR);
        uv_mutex_unlock(&consumer->lock);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    consume_free(handle->data);
}

void consume_close(struct consume *consume)
{
    uv_mutex_lock(&consume->lock);
    consume->closing = true;
    uv_cond_broadcast(&consume->changed);
    uv_mutex_unlock(&consume->lock);
    if (!wait_for_end(consume, END_NS_MAX))
        cut_links(consume);
    for (unsigned i = 0; i < consume->count; i++)
        uv_thread_join(&consume->consumers[i].thread);
    on_timer(&consume->timer);
    uv_close((uv_handle_t *)&consume->timer, on_timer_closed);
}
