/* Visitors, who send opt-ins until somebody says that he has them, and consumers, who take tasks
 * and speak about them: in time, late, twice, out of turn, or never. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/optin.h"
#include "proto/report.h"
#include "tests/sim/redis_link.h"
#include "tests/sim/world.h"

/* --- visitors ---------------------------------------------------------------------------- */

static struct hash hash_text(enum hash_domain domain, uint64_t scope, const char *text)
{
    return hash_of(writer_hash_key(world.node.writer), domain, scope, slice_of(text));
}

static struct hash hash_number(enum hash_domain domain, uint64_t scope, const char *kind,
                               unsigned number)
{
    char text[32];

    snprintf(text, sizeof(text), "%s%u", kind, number);
    return hash_text(domain, scope, text);
}

/* What the visitor says, as the intake would have read it; texts in `texts`. */
static void fill_optin(const struct sending *sending, char texts[3][32], struct optin *optin)
{
    snprintf(texts[0], 32, "+1215555%04u", sending->person);
    snprintf(texts[1], 32, "p%u@example.com", sending->person);
    snprintf(texts[2], 32, "content %u", sending->content);
    optin_clear(optin);
    if (sending->by_phone)
        optin->text[OPTIN_PHONE] = optin->text[OPTIN_PHONE_E164] = slice_of(texts[0]);
    if (sending->by_email)
        optin->text[OPTIN_EMAIL] = slice_of(texts[1]);
    optin->text[OPTIN_NAME] = SLICE("Dana");
    optin->text[OPTIN_COMPANY] = slice_of(texts[2]);
}

static void send_out(struct sending *sending)
{
    static struct optin optin;
    char payload[2048], texts[3][32];
    struct command command = {.kind = COMMAND_OPTIN,
                              .ticket = NODE_TICKET | (uint64_t)(sending - world.sendings)};
    uint32_t site = world.sites[sending->site];
    const struct hash none = {{0}};

    sending->to_resend = true;
    if (world.node.writer == NULL)
        return;
    command.now_ms = clock_now_ms(world.node.clock);
    fill_optin(sending, texts, &optin);
    command.payload = (struct slice){payload, optin_encode(&optin, payload, sizeof(payload))};
    command.optin = (struct effect_received){
        .phone = sending->by_phone ? hash_number(HASH_PHONE, 1, "phone", sending->person) : none,
        .email = sending->by_email ? hash_number(HASH_EMAIL, 1, "email", sending->person) : none,
        .event =
            sending->key != 0 ? hash_number(HASH_IDEMPOTENCY, site, "key", sending->key) : none,
        .content = optin_content(&optin, writer_hash_key(world.node.writer), site),
        .site = site,
        .credential = CREDENTIAL_SECRET,
        .flags = (uint8_t)(INTAKE_NAME | (sending->consent ? INTAKE_CONSENT : 0) |
                           (sending->test ? INTAKE_TEST : 0))};
    if (node_submit(&world.node, &command) != STATUS_OK)
        return;
    sending->to_resend = false;
    sending->waits = true;
    say("opt-in %d of person %u, key %u, content %u", (int)(sending - world.sendings),
        sending->person, sending->key, sending->content);
}

static struct sending *sending_before(void)
{
    return world.sending_count > 0 ? &world.sendings[chance_below(world.sending_count)] : NULL;
}

void world_opt_in(unsigned people)
{
    struct sending *before = sending_before();

    if (world.sending_count == SENDINGS_MAX)
        return;
    struct sending *sending = &world.sendings[world.sending_count++];
    unsigned number = world.sending_count;
    *sending = (struct sending){.person = (unsigned)chance_below(people),
                                .site = (unsigned)chance_between(1, WORLD_QUEUES),
                                .key = chance_in(50) ? number : 0,
                                .content = number,
                                .by_phone = chance_in(85),
                                .by_email = chance_in(60),
                                .consent = chance_in(15),
                                .test = chance_in(3)};
    if (before != NULL && chance_in(20)) { /* the same once more: a double click, a webhook */
        struct sending again = {.person = before->person,
                                .site = before->site,
                                .key = before->key,
                                .content = before->content,
                                .by_phone = before->by_phone,
                                .by_email = before->by_email,
                                .consent = before->consent,
                                .test = before->test};
        *sending = again;
    }
    send_out(sending);
}

void world_send_again(void)
{
    for (unsigned i = 0; i < world.sending_count; i++)
        if (world.sendings[i].to_resend)
            send_out(&world.sendings[i]);
}

/* --- consumers --------------------------------------------------------------------------- */

bool world_member(struct slice member, uint64_t *task_out, unsigned *delivery_out)
{
    static const char begin[] = "{\"v\":1,\"id\":\"", next[] = "\",\"delivery\":";
    size_t length = sizeof(begin) - 1;
    uint64_t at_ms;

    if (member.length < length + ID_TEXT_LENGTH + sizeof(next) ||
        memcmp(member.bytes, begin, length) != 0)
        return false;
    *delivery_out = (unsigned)atoi(member.bytes + length + ID_TEXT_LENGTH + sizeof(next) - 1);
    return id_parse((struct slice){member.bytes + length, ID_TEXT_LENGTH}, &world.id_key, ID_TASK,
                    &at_ms, task_out);
}

static struct slice id_of(struct slice member)
{
    return (struct slice){member.bytes + 13, ID_TEXT_LENGTH};
}

static void say_later(const struct spoken *what, uint64_t us);

static void speak(struct event *event)
{
    struct spoken *what = event->owner;
    char digits[16];
    struct answer answer = {0};

    snprintf(digits, sizeof(digits), "%u", what->delivery);
    struct slice words[] = {SLICE("XADD"),
                            slice_of(what->stream),
                            SLICE("*"),
                            SLICE("task"),
                            slice_of(what->task),
                            SLICE("delivery"),
                            slice_of(digits),
                            SLICE("op"),
                            slice_of(what->op),
                            SLICE("agent"),
                            slice_of(what->agent),
                            SLICE("outcome"),
                            slice_of(what->outcome)};
    if (!redis_world_do(words, strcmp(what->op, "outcome") == 0 ? 13 : 11, &answer)) {
        event_at(event, loop_now_us() + 200 * MS, speak, what);
        return;
    }
    say("consumer: %s delivery %u %s %s", what->task, what->delivery, what->op, what->outcome);
    answer_free(&answer);
    world.spoken_waiting--;
    if (!world.quiet && chance_in(15)) /* said twice */
        say_later(what, chance_below(3 * SECOND));
}

static void say_later(const struct spoken *what, uint64_t us)
{
    MUST(world.spoken_count < SPOKEN_MAX);
    struct spoken *copy = malloc(sizeof(*copy));
    MUST(copy != NULL);
    *copy = *what;
    copy->event = (struct event){0};
    world.spoken[world.spoken_count++] = copy;
    world.spoken_waiting++;
    event_at(&copy->event, loop_now_us() + us, speak, copy);
}

static const char *any_outcome(void)
{
    static const char *const outcomes[] = {"conversation", "no_answer", "no_answer",
                                           "voicemail",    "not_now",   "not_interested",
                                           "busy",         "sold",      "do_not_contact"};

    return outcomes[chance_below(sizeof(outcomes) / sizeof(outcomes[0]))];
}

static void words_about(struct spoken *what, unsigned queue, struct slice id, unsigned delivery)
{
    *what = (struct spoken){.delivery = delivery};
    snprintf(what->stream, sizeof(what->stream), "%s", world.report_keys[queue]);
    snprintf(what->task, sizeof(what->task), "%.*s", (int)id.length, id.bytes);
    snprintf(what->agent, sizeof(what->agent), "a%u", (unsigned)chance_below(3));
}

static void say_op(struct spoken *what, const char *op, uint64_t us)
{
    snprintf(what->op, sizeof(what->op), "%s", op);
    snprintf(what->outcome, sizeof(what->outcome), "%s",
             strcmp(op, "outcome") == 0 ? any_outcome() : "");
    say_later(what, us);
}

/* What a consumer says about a task that it has, in whatever order it arrives. */
static void say_something(struct spoken *what, bool claimed)
{
    if (world.quiet) {
        say_op(what, "outcome", chance_below(MS));
        return;
    }
    if (!claimed && chance_in(40))
        say_op(what, "claim", chance_below(200 * MS));
    if (chance_in(20))
        say_op(what, "extend", chance_below(3 * SECOND));
    if (chance_in(15))
        say_op(what, "release", chance_below(3 * SECOND));
    if (chance_in(55))
        say_op(what, "outcome", chance_below(4 * SECOND));
}

void world_on_shown(void *owner, struct slice key, struct slice member)
{
    unsigned queue = slice_equal(key, slice_of(world.queue_keys[1])) ? 1 : 2;
    unsigned delivery;
    uint64_t task;

    (void)owner;
    if (!world_member(member, &task, &delivery))
        return;
    struct shown *shown = world_shown(task, delivery);
    if (shown == NULL) {
        MUST(world.shown_count < SHOWN_MAX);
        shown = &world.shown[world.shown_count++];
        *shown = (struct shown){.task = task, .delivery = delivery, .queue = queue};
    }
    shown->times++;
    say("task %llu delivery %u is in queue %u", (unsigned long long)task, delivery, queue);
}

/* The HTTP API has no Redis between: the outcome is a command. */
static void say_over_http(uint64_t task, unsigned delivery)
{
    char payload[256];
    struct report report;
    struct command command = {.kind = COMMAND_REPORT};

    if (world.http_count == HTTP_MAX || world.node.writer == NULL)
        return;
    report_clear(&report);
    report.agent = SLICE("a9");
    command.ticket = NODE_TICKET | 1ull << 32 | world.http_count;
    command.now_ms = clock_now_ms(world.node.clock);
    command.payload = (struct slice){payload, report_encode(&report, payload, sizeof(payload))};
    command.report = (struct command_report){.task = task,
                                             .agent = 9,
                                             .delivery = (uint16_t)delivery,
                                             .op = REPORT_OUTCOME,
                                             .outcome = OUTCOME_NO_ANSWER};
    if (node_submit(&world.node, &command) != STATUS_OK)
        return;
    world.http[world.http_count++] = (struct http_outcome){.task = task, .waits = true};
    say("outcome of task %llu over http", (unsigned long long)task);
}

void world_take_task(unsigned queue)
{
    bool claims = chance_in(30);
    struct slice pop[] = {queue == 1 ? SLICE("ZPOPMIN") : SLICE("LPOP"),
                          slice_of(world.queue_keys[queue])};
    struct slice claim[] = {SLICE("CLAIM"), slice_of(world.queue_keys[queue]),
                            slice_of(world.report_keys[queue]), SLICE("a1")};
    struct answer answer;
    struct spoken what;
    unsigned delivery;
    uint64_t task;

    if (!redis_world_do(claims ? claim : pop, claims ? 4 : 2, &answer))
        return;
    struct slice member = answer.reply.text;
    if (answer.reply.type == REDIS_ARRAY && answer.reply.count > 0)
        member = redis_item(&answer.reply, 0).text;
    if (member.length > 0 && world_member(member, &task, &delivery)) {
        struct shown *shown = world_shown(task, delivery);
        if (shown != NULL)
            shown->popped++;
        say("consumer %s task %llu delivery %u", claims ? "claims" : "pops",
            (unsigned long long)task, delivery);
        words_about(&what, queue, id_of(member), delivery);
        if (!world.quiet && chance_in(10))
            say_over_http(task, delivery);
        else
            say_something(&what, claims);
    }
    answer_free(&answer);
}

/* Somebody speaks about a delivery that he had some time ago, or never had. */
void world_speak_out_of_turn(void)
{
    if (world.shown_count == 0 || world.spoken_count == 0)
        return;
    struct spoken what = *world.spoken[chance_below(world.spoken_count)];
    const struct shown *shown = &world.shown[chance_below(world.shown_count)];

    if (chance_in(50)) {
        say_over_http(shown->task, shown->delivery);
    } else {
        what.delivery = (unsigned)chance_between(1, what.delivery);
        say_op(&what, chance_in(50) ? "claim" : "outcome", 0);
    }
}

/* --- answers ----------------------------------------------------------------------------- */

void world_on_answer(void *owner, const struct settlement *settlement)
{
    uint64_t number = settlement->ticket & UINT32_MAX;

    (void)owner;
    if (settlement->kind == COMMAND_OPTIN) {
        struct sending *sending = &world.sendings[number];
        bool stored = settlement->status == STATUS_OK || settlement->status == STATUS_DUPLICATE ||
                      settlement->status == STATUS_ACCEPTED;
        say("opt-in %llu: %s, record %llu", (unsigned long long)number,
            status_code(settlement->status), (unsigned long long)settlement->seq);
        sending->waits = false;
        sending->acked = stored;
        sending->to_resend = !stored;
        sending->answer = *settlement;
        if (settlement->status != STATUS_OK && settlement->status != STATUS_DUPLICATE &&
            settlement->status != STATUS_ACCEPTED && settlement->status != STATUS_BUSY)
            broken("opt-in %llu was answered %s", (unsigned long long)number,
                   status_code(settlement->status));
    } else if (settlement->kind == COMMAND_REPORT) {
        world.http[number].waits = false;
        world.http[number].acked = settlement->status == STATUS_OK;
    } else {
        MUST(settlement->kind == COMMAND_ADMIN && settlement->status == STATUS_OK);
        world.entities++;
    }
}

/* Who waited for an answer of the process that died asks again, or gives up. */
void world_forget_answers(void)
{
    for (unsigned i = 0; i < world.sending_count; i++) {
        struct sending *sending = &world.sendings[i];
        if (sending->waits)
            sending->to_resend = chance_in(70);
        sending->waits = false;
    }
    for (unsigned i = 0; i < world.http_count; i++)
        world.http[i].waits = false;
}
