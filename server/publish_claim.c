/* Claims over HTTP: the claim script, run at once, then whenever tasks were put to that queue, and
 * each 250 ms for what other nodes put there. Whoever waits longest is served first, and of those
 * who wait for one queue only the first asks on the timer, so that many waiting agents cost Redis
 * no more than one.
 *
 * When the link breaks while the script is in flight nobody knows whether it ran, but its report
 * tells when it is read, be it sooner or later. A task that was claimed so goes back at once, for
 * nobody was told about it; without that it would wait for the end of the claim. */
#include <stdlib.h>
#include <string.h>

#include "server/publish_internal.h"

#define POLL_MS 250

struct publish_claim {
    struct publish_queue *queue;
    struct publish_claim *prev, *next;
    uint64_t ticket;
    uint64_t until_ms; /* uv_now */
    bool asking;       /* the script is in flight */
    bool asked;        /* it has run at least once */
    bool gone;         /* nobody waits for the answer */
    uint64_t asked_ms; /* what the script was told; this and the agent make out its report, */
    uint32_t delivery; /* which says what was taken: 0: it was not read */
    char task[ID_TEXT_LENGTH];
    size_t agent_bytes;
    char agent[REPORT_AGENT_MAX];
};

static uint64_t now_of(const struct publish *publish)
{
    return uv_now(publish->options.loop);
}

static void wake_in(struct publish *publish, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&publish->claim_timer) ||
        uv_timer_get_due_in(&publish->claim_timer) > ms)
        uv_timer_start(&publish->claim_timer, publish_claims_on_timer, ms, 0);
}

/* --- the row of those who wait ----------------------------------------------------------- */

static void enter(struct publish_claim *claim)
{
    struct publish_queue *queue = claim->queue;

    claim->prev = queue->last_claim;
    if (queue->last_claim != NULL)
        queue->last_claim->next = claim;
    else
        queue->first_claim = claim;
    queue->last_claim = claim;
    queue->publish->claims++;
}

static void leave(struct publish_queue *queue, struct publish_claim *claim)
{
    if (queue->first_claim == claim)
        queue->first_claim = claim->next;
    else
        claim->prev->next = claim->next;
    if (queue->last_claim == claim)
        queue->last_claim = claim->prev;
    else
        claim->next->prev = claim->prev;
    queue->publish->claims--;
}

/* The claim's last step: it is out of the row before the asker hears, who may ask again. */
static void answer(struct publish_queue *queue, struct publish_claim *claim, enum status status,
                   struct slice member)
{
    struct publish *publish = queue->publish;
    uint64_t ticket = claim->ticket;
    bool gone = claim->gone;

    leave(queue, claim);
    free(claim);
    if (!gone)
        publish->options.on_claimed(publish->options.owner, ticket, status, member);
}

/* --- answers that are lost --------------------------------------------------------------- */

static struct slice agent_of(const struct publish_claim *claim)
{
    return (struct slice){claim->agent, claim->agent_bytes};
}

/* When the writer has no room the task waits for the end of the claim. */
static void give_back(struct publish_queue *queue, struct slice agent, struct slice task,
                      uint32_t delivery)
{
    struct writer *writer = queue->publish->options.writer;
    struct command command = {.kind = COMMAND_REPORT};
    char payload[REPORT_STORED_MAX];
    struct report report;

    if (!id_parse(task, writer_id_key(writer), ID_TASK, &command.report.opened_ms,
                  &command.report.task))
        return;
    report_clear(&report);
    report.agent = agent;
    command.payload = (struct slice){payload, report_encode(&report, payload, sizeof(payload))};
    command.report.agent = agent_hash(writer_hash_key(writer), agent);
    command.report.delivery = (uint16_t)delivery;
    command.report.op = REPORT_RELEASE;
    publish_submit(queue, PURPOSE_RELEASE, &command);
}

static void note_lost(const struct publish_claim *claim)
{
    struct publish_queue *queue = claim->queue;
    struct publish *publish = queue->publish;
    struct publish_lost_claim *lost = &publish->lost[publish->lost_count % LOST_CLAIMS_MAX];

    if (claim->delivery != 0) {
        give_back(queue, agent_of(claim), (struct slice){claim->task, sizeof(claim->task)},
                  claim->delivery);
        return;
    }
    *lost = (struct publish_lost_claim){
        .queue = queue->number, .asked_ms = claim->asked_ms, .agent_bytes = claim->agent_bytes};
    memcpy(lost->agent, claim->agent, claim->agent_bytes);
    publish->lost_count++;
}

/* The newest are remembered. */
static bool forget_lost(struct publish *publish, uint32_t queue, const struct report *report)
{
    for (unsigned i = 0; i < publish->lost_count && i < LOST_CLAIMS_MAX; i++) {
        struct publish_lost_claim *lost = &publish->lost[i];
        if (lost->queue == queue && lost->asked_ms == report->started_ms &&
            slice_equal((struct slice){lost->agent, lost->agent_bytes}, report->agent)) {
            lost->queue = 0;
            return true;
        }
    }
    return false;
}

void publish_claim_heard(struct publish *publish, uint32_t number, const struct report *report)
{
    struct publish_queue *queue = publish_queue_of(publish, number);

    if (queue == NULL || report->task.length != ID_TEXT_LENGTH)
        return;
    for (struct publish_claim *claim = queue->first_claim; claim != NULL; claim = claim->next) {
        if (claim->asking && claim->asked_ms == report->started_ms &&
            slice_equal(agent_of(claim), report->agent)) {
            memcpy(claim->task, report->task.bytes, sizeof(claim->task));
            claim->delivery = report->delivery;
            return; /* its answer will come, or will not */
        }
    }
    if (forget_lost(publish, number, report))
        give_back(queue, report->agent, report->task, report->delivery);
}

/* --- asking ------------------------------------------------------------------------------ */

static void on_released(void *owner, const struct redis_reply *reply)
{
    (void)owner; /* lost: then the claim's lease ends, and the task is delivered again */
    (void)reply;
}

/* The text between `begin`, the last of its kind in a member, and the next `end`. */
static struct slice between(struct slice member, struct slice begin, char end)
{
    struct slice found = {NULL, 0};
    const char *at = member.bytes;
    size_t left = member.length;

    for (const char *hit; (hit = memmem(at, left, begin.bytes, begin.length)) != NULL;) {
        at = hit + begin.length;
        left = member.length - (size_t)(at - member.bytes);
        const char *stop = memchr(at, end, left);
        if (stop != NULL)
            found = (struct slice){at, (size_t)(stop - at)};
    }
    return found;
}

/* Somebody claimed and went away before the task came: it goes back at once, as if released. The
 * fields are the renderer's own, so their places are known. */
static void release(struct publish_queue *queue, struct slice agent, struct slice member)
{
    static const char begin[] = "{\"v\":1,\"id\":\"";
    struct slice reports = between(member, SLICE("\"report\":\""), '"');
    size_t length = sizeof(begin) - 1;

    if (member.length < length + ID_TEXT_LENGTH || memcmp(member.bytes, begin, length) != 0 ||
        reports.length == 0)
        return;
    struct slice id = {member.bytes + length, ID_TEXT_LENGTH};
    struct slice rest = {id.bytes + id.length, member.length - length - id.length};
    struct slice delivery = {rest.bytes, rest.length < 40 ? rest.length : 40};
    delivery = between(delivery, SLICE("\",\"delivery\":"), ',');
    redis_command(queue->publish->redis,
                  (struct slice[]){SLICE("XADD"), reports, SLICE("*"), SLICE("task"), id,
                                   SLICE("delivery"), delivery, SLICE("op"), SLICE("release"),
                                   SLICE("agent"), agent},
                  11, 0, on_released, NULL);
}

static void ask(struct publish_claim *claim);

/* The first `count` that wait and do not ask at present. */
static void ask_first(struct publish_queue *queue, unsigned count)
{
    for (struct publish_claim *claim = queue->first_claim; claim != NULL && count > 0;
         claim = claim->next) {
        if (claim->asking)
            continue;
        ask(claim);
        count--;
    }
}

static void on_claim(void *owner, const struct redis_reply *reply)
{
    struct publish_claim *claim = owner;
    struct publish_queue *queue = claim->queue;

    claim->asking = false;
    claim->asked = true;
    if (reply->type == REDIS_STRING) {
        if (claim->gone)
            release(queue, agent_of(claim), reply->text);
        answer(queue, claim, STATUS_OK, reply->text);
        ask_first(queue, 1); /* where one was there may be more */
    } else if (reply->type != REDIS_NIL) {
        if (reply->type == REDIS_UNKNOWN)
            note_lost(claim);
        answer(queue, claim, STATUS_REDIS_AWAY, (struct slice){NULL, 0});
    } else if (claim->gone || claim->until_ms <= now_of(queue->publish)) {
        answer(queue, claim, STATUS_OK, (struct slice){NULL, 0});
    }
}

static void ask(struct publish_claim *claim)
{
    struct publish_queue *queue = claim->queue;
    struct publish *publish = queue->publish;
    char digits[24];
    struct text now = text_over(digits, sizeof(digits));

    claim->asked_ms = clock_now_ms(publish->options.clock);
    text_uint(&now, claim->asked_ms);
    struct slice slices[4] = {queue->tasks, queue->reports, agent_of(claim), text_slice(&now)};
    claim->asking =
        redis_run(publish->redis, &publish->claim_script, 2, slices, 4, on_claim, claim);
}

/* --- from above -------------------------------------------------------------------------- */

static const struct slice no_member = {NULL, 0};

void publish_claim(struct publish *publish, uint64_t ticket, uint32_t number, struct slice agent,
                   unsigned wait_ms)
{
    struct publish_queue *queue = publish_queue_of(publish, number);
    struct publish_claim *claim = NULL;
    enum status refusal = STATUS_REDIS_AWAY;

    if (agent.length == 0 || agent.length > sizeof(claim->agent) ||
        registry_queue(publish->options.registry, number) == NULL) {
        refusal = STATUS_INVALID;
    } else if (queue == NULL) {
        refusal = STATUS_BUSY; /* no memory for it now */
    } else if (redis_is_up(publish->redis)) {
        refusal = STATUS_BUSY;
        if (publish->claims < CLAIMS_MAX)
            claim = calloc(1, sizeof(*claim));
    }
    if (claim == NULL) {
        publish->options.on_claimed(publish->options.owner, ticket, refusal, no_member);
        return;
    }
    claim->queue = queue;
    claim->ticket = ticket;
    claim->until_ms = now_of(publish) + wait_ms;
    claim->agent_bytes = agent.length;
    memcpy(claim->agent, agent.bytes, agent.length);
    enter(claim);
    ask(claim);
    wake_in(publish, wait_ms < POLL_MS ? wait_ms : POLL_MS);
}

static struct publish_claim *find_claim(struct publish *publish, uint64_t ticket)
{
    for (uint32_t number = 1; number <= publish->highest; number++) {
        struct publish_queue *queue = publish->queues[number];
        struct publish_claim *claim = queue != NULL ? queue->first_claim : NULL;
        while (claim != NULL && (claim->ticket != ticket || claim->gone))
            claim = claim->next;
        if (claim != NULL)
            return claim;
    }
    return NULL;
}

void publish_unclaim(struct publish *publish, uint64_t ticket)
{
    struct publish_claim *claim = find_claim(publish, ticket);

    if (claim == NULL)
        return;
    claim->gone = true;
    if (!claim->asking)
        answer(claim->queue, claim, STATUS_OK, no_member);
}

/* --- from the other parts ---------------------------------------------------------------- */

void publish_claims_wake(struct publish_queue *queue, unsigned puts)
{
    ask_first(queue, puts);
}

void publish_claims_away(struct publish *publish)
{
    for (uint32_t number = 1; number <= publish->highest; number++) {
        struct publish_queue *queue = publish->queues[number];
        while (queue != NULL && queue->first_claim != NULL)
            answer(queue, queue->first_claim, STATUS_REDIS_AWAY, no_member);
    }
}

static struct publish_claim *first_expired(struct publish_queue *queue, uint64_t now_ms)
{
    struct publish_claim *claim = queue->first_claim;

    while (claim != NULL && (claim->asking || claim->until_ms > now_ms))
        claim = claim->next;
    return claim;
}

/* Ends the waits that are over and asks for the one who waits longest. Searches anew after each
 * answer, for the asker may claim or unclaim meanwhile. The time until the next wait is over. */
static uint64_t look_after(struct publish_queue *queue, uint64_t now_ms)
{
    struct publish_claim *claim;
    uint64_t next_ms = POLL_MS;

    while ((claim = first_expired(queue, now_ms)) != NULL)
        answer(queue, claim, claim->asked ? STATUS_OK : STATUS_BUSY, no_member);
    if (queue->first_claim != NULL && !queue->first_claim->asking)
        ask_first(queue, 1);
    for (claim = queue->first_claim; claim != NULL; claim = claim->next) {
        if (claim->until_ms > now_ms && claim->until_ms - now_ms < next_ms)
            next_ms = claim->until_ms - now_ms;
    }
    return next_ms;
}

void publish_claims_on_timer(uv_timer_t *timer)
{
    struct publish *publish = timer->data;
    uint64_t now_ms = now_of(publish), next_ms = POLL_MS;

    for (uint32_t number = 1; number <= publish->highest && publish->claims > 0; number++) {
        struct publish_queue *queue = publish->queues[number];
        uint64_t ms = queue != NULL ? look_after(queue, now_ms) : POLL_MS;
        if (ms < next_ms)
            next_ms = ms;
    }
    if (publish->claims > 0)
        wake_in(publish, next_ms);
}

void publish_claims_close(struct publish *publish)
{
    for (uint32_t number = 1; number <= publish->highest; number++) {
        struct publish_queue *queue = publish->queues[number];
        while (queue != NULL && queue->first_claim != NULL) {
            struct publish_claim *claim = queue->first_claim;
            leave(queue, claim);
            free(claim);
        }
    }
}
