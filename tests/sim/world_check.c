/* What must be so. While it runs and all faults have ended: what stands in the queues is exactly
 * what the state says should, and nothing that is due was left (world_is_settled). Of the whole
 * life: the journal, read by itself, against what visitors were answered and consumers saw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/report.h"
#include "tests/sim/redis_link.h"
#include "tests/sim/world.h"

#define OPEN_MAX        1024
#define TASKS_MAX       2048
#define RECORDS_MAX     8192
#define PEOPLE_MAX      1024
#define STATE_BEHIND_MS 200  /* at most so far is what readers see behind the journal */
#define LATE_MS         2000 /* what is due is done by then, once nothing fails */

struct shown *world_shown(uint64_t task, unsigned delivery)
{
    for (unsigned i = world.shown_count; i > 0; i--) {
        struct shown *shown = &world.shown[i - 1];
        if (shown->task == task && shown->delivery == delivery)
            return shown;
    }
    return NULL;
}

/* --- open tasks -------------------------------------------------------------------------- */

static struct task_row open_tasks[OPEN_MAX];
static bool in_redis[OPEN_MAX];
static unsigned open_count;

static void add_open(const struct task_row *row)
{
    MUST(open_count < OPEN_MAX);
    in_redis[open_count] = false;
    open_tasks[open_count++] = *row;
}

/* One person has one open call; and a next step, or an end. */
static void check_person(uint64_t number, const struct person_row *person,
                         const struct task_row *first, unsigned calls)
{
    if (calls > 1)
        broken("person %llu has %u open calls", (unsigned long long)number, calls);
    if (first->number == 0 && person->end == 0 && person->reason == NO_TASK_HAS_ONE)
        broken("person %llu has neither a next step nor an end", (unsigned long long)number);
}

static void read_open(struct state_reader *reader)
{
    struct person_row person;
    struct task_row row;
    uint64_t last_seq;

    open_count = 0;
    for (uint64_t number = 1; state_read_person(reader, number, &person, &row, &last_seq);
         number++) {
        struct task_row first = row;
        unsigned calls = first.number != 0 && first.channel == TASK_CALL;
        if (first.number != 0)
            add_open(&first);
        for (row.number = 0; state_read_task_next(reader, number, row.number, &row);) {
            calls += row.channel == TASK_CALL;
            add_open(&row);
        }
        check_person(number, &person, &first, calls);
    }
}

static void read_state(void)
{
    struct state_reader *reader;

    MUST(state_reader_open(writer_state(world.node.writer), &reader) == STATUS_OK);
    read_open(reader);
    state_reader_close(reader);
}

/* A call that is made again comes later, and waits for its window: such are left whenever it ends.
 */
unsigned world_open_tasks(uint64_t before_ms)
{
    unsigned count = 0;

    read_state();
    for (unsigned i = 0; i < open_count; i++)
        count += open_tasks[i].opened_ms < before_ms && open_tasks[i].zone == 0;
    return count;
}

/* --- settled? ---------------------------------------------------------------------------- */

#define NOT_YET(...)                                                                               \
    do {                                                                                           \
        snprintf(world.why, sizeof(world.why), __VA_ARGS__);                                       \
        return false;                                                                              \
    } while (0)

static bool nothing_is_on_its_way(void)
{
    const struct node *node = &world.node;

    if (node->writer == NULL || !node->ready)
        NOT_YET("the node is not ready");
    if (!redis_world_is_up() || redis_world_has_ghosts() || !publish_is_up(node->publish))
        NOT_YET("redis is not there");
    if (!node->drained || !node->watched)
        NOT_YET("drained %d, watched %d", node->drained, node->watched);
    if (!publish_is_idle(node->publish) || publish_lag(node->publish) > 0)
        NOT_YET("%llu operations are not in redis", (unsigned long long)publish_lag(node->publish));
    if (world.spoken_waiting > 0)
        NOT_YET("consumers still speak");
    for (unsigned i = 0; i < world.sending_count; i++)
        if (world.sendings[i].waits || world.sendings[i].to_resend)
            NOT_YET("opt-in %u waits for an answer", i);
    for (unsigned i = 0; i < world.http_count; i++)
        if (world.http[i].waits)
            NOT_YET("outcome %u waits for an answer", i);
    return true;
}

struct claim {
    uint64_t task, at_ms;
};

static bool hear_claim(void *owner, uint64_t seq, enum status status,
                       const struct record_view *record)
{
    struct claim *claim = owner;
    struct effect_report report;

    (void)seq;
    if (status == STATUS_OK && record->header.kind == RECORD_CLAIM &&
        effect_find(record, EFFECT_REPORT, &report, sizeof(report)) && report.task == claim->task)
        claim->at_ms = record->header.now_ms;
    return true;
}

/* A Redis forgot that it was popped, the node looked through the queue while its state did not know
 * of the pop either, and then the one who had popped it claimed it. Nothing takes it out then but
 * whoever pops it, or the look that finds it first twice. */
static bool was_claimed_since(unsigned queue, uint64_t task, unsigned delivery)
{
    const struct shown *shown = world_shown(task, delivery);
    struct claim claim = {.task = task};
    struct journal_reader *reader;

    if (!world.loses || shown == NULL || shown->popped == 0)
        return false;
    MUST(journal_reader_open(writer_journal(world.node.writer), &reader) == STATUS_OK);
    MUST(journal_scan(reader, 1, hear_claim, &claim) == STATUS_OK);
    journal_reader_close(reader);
    uint64_t paged_ms = redis_world_paged_ms(slice_of(world.queue_keys[queue]));
    return paged_ms != 0 && claim.at_ms + STATE_BEHIND_MS >= paged_ms;
}

static bool find_member(unsigned queue, struct slice member)
{
    unsigned delivery;
    uint64_t task;

    if (!world_member(member, &task, &delivery))
        NOT_YET("a member of queue %u is no task: %.*s", queue, 60, member.bytes);
    for (unsigned i = 0; i < open_count; i++) {
        const struct task_row *row = &open_tasks[i];
        if (row->number != task || row->delivery != delivery)
            continue;
        if (row->state != TASK_QUEUED && was_claimed_since(queue, task, delivery))
            return true;
        if (row->state != TASK_QUEUED || row->queue != world.queues[queue])
            NOT_YET("task %llu delivery %u should not stand in queue %u", (unsigned long long)task,
                    delivery, queue);
        if (in_redis[i])
            NOT_YET("task %llu delivery %u stands in queue %u twice", (unsigned long long)task,
                    delivery, queue);
        in_redis[i] = true;
        return true;
    }
    if (was_claimed_since(queue, task, delivery))
        return true;
    NOT_YET("task %llu delivery %u stands in queue %u and is not open", (unsigned long long)task,
            delivery, queue);
}

/* In a sorted set: by rank, then by what the members begin with, their ids. */
static bool sorts_before(const struct task_row *a, const struct task_row *b)
{
    char ids[2][ID_TEXT_LENGTH];

    if (a->rank_ms != b->rank_ms)
        return a->rank_ms < b->rank_ms;
    id_format(ids[0], &world.id_key, ID_TASK, a->opened_ms, a->number);
    id_format(ids[1], &world.id_key, ID_TASK, b->opened_ms, b->number);
    return memcmp(ids[0], ids[1], ID_TEXT_LENGTH) < 0;
}

/* A pop shows by what sorts before the queue's first member. So a task that was overdue, popped,
 * and overtaken by a fresh one before anybody looked is missed only when that one is popped too.
 * What nobody popped is no such one: Redis has forgotten it, and it must be there again. */
static bool is_popped_behind_first(const struct task_row *row)
{
    const struct shown *shown = world_shown(row->number, row->delivery);

    if (shown == NULL || (shown->popped == 0 && !shown->deleted))
        return false;
    for (unsigned i = 0; i < open_count && !(row->flags & TASK_IN_LIST); i++)
        if (in_redis[i] && open_tasks[i].queue == row->queue && sorts_before(&open_tasks[i], row))
            return true;
    return false;
}

static bool queues_are_right(void)
{
    struct slice member;

    for (unsigned queue = 1; queue <= WORLD_QUEUES; queue++) {
        struct slice key = slice_of(world.queue_keys[queue]);
        for (size_t i = 0; model_member(redis_world_model(), key, i, &member); i++)
            if (!find_member(queue, member))
                return false;
    }
    for (unsigned i = 0; i < open_count; i++)
        if (open_tasks[i].state == TASK_QUEUED && !in_redis[i] &&
            !is_popped_behind_first(&open_tasks[i]))
            NOT_YET("task %llu delivery %u is not in its queue",
                    (unsigned long long)open_tasks[i].number, open_tasks[i].delivery);
    return true;
}

/* A deadline, a lease: whatever has passed was judged. */
static bool nothing_is_due(void)
{
    uint64_t now_ms = loop_engine_ms();

    for (unsigned i = 0; i < open_count; i++) {
        const struct task_row *row = &open_tasks[i];
        if (row->due_ms != 0 && row->due_ms + LATE_MS < now_ms)
            NOT_YET("task %llu is due since %llu ms", (unsigned long long)row->number,
                    (unsigned long long)(now_ms - row->due_ms));
        if (row->state != TASK_QUEUED && row->due_ms == 0)
            NOT_YET("task %llu is taken, and nothing would bring it back",
                    (unsigned long long)row->number);
        if (row->state == TASK_QUEUED && row->deadline_ms + LATE_MS < now_ms &&
            !(row->flags & TASK_BREACHED))
            NOT_YET("the deadline of task %llu has passed, and nobody noticed",
                    (unsigned long long)row->number);
    }
    return true;
}

/* What stands in a stream was read: a task with an outcome in it is not open. */
static bool reports_are_heard(void)
{
    struct slice id, op;
    uint64_t task, at_ms;

    for (unsigned queue = 1; queue <= WORLD_QUEUES; queue++) {
        struct slice key = slice_of(world.report_keys[queue]);
        for (size_t i = 0; model_entry(redis_world_model(), key, i, SLICE("task"), &id); i++) {
            model_entry(redis_world_model(), key, i, SLICE("op"), &op);
            if (!slice_equal(op, SLICE("outcome")) ||
                !id_parse(id, &world.id_key, ID_TASK, &at_ms, &task))
                continue;
            for (unsigned j = 0; j < open_count; j++)
                if (open_tasks[j].number == task && open_tasks[j].queue == world.queues[queue])
                    NOT_YET("task %llu is open, and its outcome stands in the stream",
                            (unsigned long long)task);
        }
    }
    return true;
}

bool world_is_settled(void)
{
    if (!nothing_is_on_its_way())
        return false;
    read_state();
    return queues_are_right() && nothing_is_due() && reports_are_heard();
}

/* --- the journal ------------------------------------------------------------------------- */

struct told_task {
    uint64_t number;
    unsigned delivery, breaches, outcomes, leases_ended_of, popped_of;
    uint64_t lease_ended_ms, deadline_ms;
    bool is_unpromised; /* until somebody comes again nobody waits for it */
};

static struct told {
    struct told_task tasks[TASKS_MAX];
    unsigned task_count;
    struct hash identities[RECORDS_MAX];
    unsigned identity_count;
    bool stopped[PEOPLE_MAX];     /* by "never again", as the newest row of each has it */
    uint64_t back_ms[PEOPLE_MAX]; /* when a consent came behind that; 0: none did */
    uint64_t kinds[RECORDS_MAX];  /* of each record, by seq */
    uint64_t last_seq, last_ms;
} told;

static struct told_task *task_of(uint64_t number)
{
    for (unsigned i = 0; i < told.task_count; i++)
        if (told.tasks[i].number == number)
            return &told.tasks[i];
    MUST(told.task_count < TASKS_MAX);
    told.tasks[told.task_count] = (struct told_task){.number = number};
    return &told.tasks[told.task_count++];
}

/* The process that wrote this had not heard all that was said before its start, and has waited for
 * that as long as it should: then it goes by what it knows. */
static bool was_written_in_ignorance(uint64_t now_ms, uint64_t said_ms)
{
    const struct node_life *life = &world.node.life;

    for (unsigned i = 0; i < world.life_count && life->start_ms > now_ms; i++)
        life = &world.lives[world.life_count - 1 - i];
    if (said_ms >= life->start_ms)
        return true; /* said while it ran, and on its way */
    uint64_t known_us = life->known_us != 0 ? life->known_us
                        : life->end_us != 0 ? life->end_us
                                            : loop_now_us();
    return known_us + 10 * MS >= life->ready_us + NODE_PATIENCE_MS * MS;
}

/* What stood in its stream when a process began is heard before a lease is ended. */
static void check_order(const struct effect_report *report)
{
    const struct told_task *task = task_of(report->task);

    if (!world.loses && report->delivery == task->leases_ended_of &&
        !was_written_in_ignorance(task->lease_ended_ms, report->stream_ms))
        broken("the lease of task %llu delivery %u was ended, and what had been said about it was "
               "heard later",
               (unsigned long long)report->task, report->delivery);
}

static void hear_person(const struct effect_person *person, uint64_t now_ms)
{
    bool stopped = person->row.flags & PERSON_DO_NOT_CONTACT;

    MUST(person->person < PEOPLE_MAX);
    if (told.stopped[person->person] && !stopped)
        told.back_ms[person->person] = now_ms;
    told.stopped[person->person] = stopped;
}

/* Who has come back with a consent says "never again" once more, in the same words. */
static bool is_said_anew(const struct effect_report *report, uint64_t person)
{
    bool anew = report->outcome == OUTCOME_DO_NOT_CONTACT && told.back_ms[person] != 0 &&
                report->stream_ms > told.back_ms[person];

    told.back_ms[person] = anew ? 0 : told.back_ms[person];
    return anew;
}

/* The effect of a report is exactly once. What is said over HTTP once more is kept as late, and
 * changes nothing. */
static void hear_report(const struct effect_report *report, uint64_t person)
{
    MUST(person < PEOPLE_MAX);
    if (report->stream_ms == 0)
        return;
    check_order(report);
    for (unsigned i = 0; i < told.identity_count; i++)
        if (hash_equal(told.identities[i], report->identity)) {
            if (!is_said_anew(report, person))
                broken("a report about task %llu (op %u) is in the journal twice",
                       (unsigned long long)report->task, report->op);
            return;
        }
    MUST(told.identity_count < RECORDS_MAX);
    told.identities[told.identity_count++] = report->identity;
}

/* Nobody can have taken what was never there; and where Redis lost nothing, somebody did take it.
 */
static void hear_popped(const struct effect_popped *popped)
{
    struct told_task *task = task_of(popped->task);
    const struct shown *shown = world_shown(popped->task, task->delivery);

    if (task->popped_of == task->delivery)
        broken("task %llu delivery %u was popped twice", (unsigned long long)popped->task,
               task->delivery);
    task->popped_of = task->delivery;
    if (shown == NULL)
        broken("task %llu delivery %u counts as popped, and was never in a queue",
               (unsigned long long)popped->task, task->delivery);
    else if (!world.loses && shown->popped == 0)
        broken("task %llu delivery %u counts as popped, and nobody popped it",
               (unsigned long long)popped->task, task->delivery);
}

static void hear_kind(enum record_kind kind, struct told_task *task, uint64_t now_ms)
{
    unsigned before = task->delivery;

    if (kind == RECORD_BREACH && ++task->breaches > 1)
        broken("task %llu was breached twice", (unsigned long long)task->number);
    if (kind == RECORD_OUTCOME && ++task->outcomes > 1)
        broken("task %llu has two first outcomes", (unsigned long long)task->number);
    if (kind == RECORD_LEASE_ENDED) {
        if (task->leases_ended_of == before)
            broken("a lease of task %llu delivery %u ended twice", (unsigned long long)task->number,
                   before);
        task->leases_ended_of = before;
        task->lease_ended_ms = now_ms;
    }
}

/* Who comes again after a promise was broken is promised an answer anew, for later; nothing else
 * makes it good. That one may be broken, too. What nobody had promised may have been in hand then:
 * its promise begins when it comes back. */
static void hear_promise(enum record_kind kind, struct told_task *task, const struct task_row *row)
{
    if (task->breaches > 0 && !(row->flags & TASK_BREACHED)) {
        if ((kind != RECORD_OPTIN && kind != RECORD_DECIDED && !task->is_unpromised) ||
            row->deadline_ms <= task->deadline_ms)
            broken("task %llu was breached, and is promised anew for nobody who came again",
                   (unsigned long long)task->number);
        task->breaches = 0;
    }
    task->deadline_ms = row->deadline_ms;
    task->is_unpromised =
        row->kind == TASK_STEP || row->kind == TASK_RETRY || row->kind == TASK_WAKE;
}

static bool hear_record(void *owner, uint64_t seq, enum status status,
                        const struct record_view *record)
{
    struct slice body;
    size_t offset = 0;
    enum record_kind record_kind = (enum record_kind)record->header.kind;
    bool first = true;

    (void)owner;
    MUST(status == STATUS_OK && seq < RECORDS_MAX);
    if (seq != told.last_seq + 1 || record->header.now_ms < told.last_ms)
        broken("record %llu follows %llu, or its time goes back", (unsigned long long)seq,
               (unsigned long long)told.last_seq);
    told.last_seq = seq;
    told.last_ms = record->header.now_ms;
    told.kinds[seq] = record_kind;
    for (enum effect_kind kind; (kind = effect_next(record, &offset, &body)) != 0;) {
        struct effect_report report;
        struct effect_person person;
        struct effect_popped popped;
        struct effect_task task;
        struct effect_task_end end;
        if (kind == EFFECT_REPORT) {
            effect_copy(body, &report, sizeof(report));
            hear_report(&report, record->header.person);
            if (record_kind == RECORD_OUTCOME)
                hear_kind(record_kind, task_of(report.task), record->header.now_ms);
        } else if (kind == EFFECT_PERSON) {
            effect_copy(body, &person, sizeof(person));
            hear_person(&person, record->header.now_ms);
        } else if (kind == EFFECT_POPPED) {
            effect_copy(body, &popped, sizeof(popped));
            hear_popped(&popped);
        } else if (kind == EFFECT_TASK) {
            effect_copy(body, &task, sizeof(task));
            if (first && record_kind != RECORD_OUTCOME)
                hear_kind(record_kind, task_of(task.row.number), record->header.now_ms);
            hear_promise(record_kind, task_of(task.row.number), &task.row);
            task_of(task.row.number)->delivery = task.row.delivery;
            first = false;
        } else if (kind == EFFECT_TASK_END) {
            effect_copy(body, &end, sizeof(end));
            task_of(end.task);
        }
    }
    return true;
}

/* --- answers ----------------------------------------------------------------------------- */

/* What was answered with 2xx is there; and the same key had the same answer. */
static void check_answers(void)
{
    for (unsigned i = 0; i < world.sending_count; i++) {
        const struct sending *a = &world.sendings[i];
        if (!a->acked)
            continue;
        if (a->answer.seq == 0 || a->answer.seq > told.last_seq)
            broken("opt-in %u was acknowledged as record %llu, which is not there", i,
                   (unsigned long long)a->answer.seq);
        for (unsigned j = 0; j < i; j++) {
            const struct sending *b = &world.sendings[j];
            if (!b->acked || a->key == 0 || a->key != b->key || a->site != b->site ||
                a->answer.status == STATUS_ACCEPTED || b->answer.status == STATUS_ACCEPTED)
                continue;
            if (a->answer.optin.optin_seq != b->answer.optin.optin_seq ||
                a->answer.optin.person != b->answer.optin.person)
                broken("opt-ins %u and %u have one key and two records, %llu and %llu", i, j,
                       (unsigned long long)a->answer.optin.optin_seq,
                       (unsigned long long)b->answer.optin.optin_seq);
        }
    }
    for (unsigned i = 0; i < world.http_count; i++)
        if (world.http[i].acked && task_of(world.http[i].task)->outcomes == 0)
            broken("the outcome of task %llu was acknowledged and is not there",
                   (unsigned long long)world.http[i].task);
}

/* A key is used once in the journal, however often it was sent, and whoever was answered. */
struct keys {
    struct hash events[SENDINGS_MAX];
    unsigned count;
};

static bool hear_key(void *owner, uint64_t seq, enum status status,
                     const struct record_view *record)
{
    struct keys *keys = owner;
    struct effect_optin optin;

    (void)status;
    if (record->header.kind != RECORD_OPTIN && record->header.kind != RECORD_DECIDED)
        return true;
    if (!effect_find(record, EFFECT_OPTIN, &optin, sizeof(optin)) || hash_is_none(optin.event))
        return true;
    for (unsigned i = 0; i < keys->count; i++)
        if (hash_equal(keys->events[i], optin.event))
            broken("record %llu is a second opt-in of its key", (unsigned long long)seq);
    if (keys->count < SENDINGS_MAX)
        keys->events[keys->count++] = optin.event;
    return true;
}

/* While Redis lost nothing, a delivery came into its queue once. (When the first call of a process
 * that is gone comes after that of the next one, this one takes it for a second server, and puts
 * all that is open once more.) */
static void check_shown(void)
{
    bool once = !world.loses && !redis_world_was_taken_back();

    for (unsigned i = 0; i < world.shown_count && once; i++)
        if (world.shown[i].times > 1)
            broken("task %llu delivery %u came into its queue %u times, and redis lost nothing",
                   (unsigned long long)world.shown[i].task, world.shown[i].delivery,
                   world.shown[i].times);
}

/* One visitor, one person: no two have a phone or an e-mail address in common. */
static void check_people(void)
{
    static struct hash phones[PEOPLE_MAX], emails[PEOPLE_MAX];
    struct state_reader *reader;
    struct person_row person;
    struct task_row row;
    uint64_t last_seq;
    size_t count = 0;

    MUST(state_reader_open(writer_state(world.node.writer), &reader) == STATUS_OK);
    while (state_read_person(reader, count + 1, &person, &row, &last_seq)) {
        MUST(count < PEOPLE_MAX);
        phones[count] = person.phone;
        emails[count] = person.email;
        for (size_t i = 0; i < count; i++)
            if ((!hash_is_none(person.phone) && hash_equal(phones[i], person.phone)) ||
                (!hash_is_none(person.email) && hash_equal(emails[i], person.email)))
                broken("people %zu and %zu are one", i + 1, count + 1);
        count++;
    }
    state_reader_close(reader);
}

void world_check_journal(void)
{
    struct journal_reader *reader;
    struct keys keys = {.count = 0};

    memset(&told, 0, sizeof(told));
    MUST(journal_reader_open(writer_journal(world.node.writer), &reader) == STATUS_OK);
    MUST(journal_scan(reader, 1, hear_record, NULL) == STATUS_OK);
    MUST(journal_scan(reader, 1, hear_key, &keys) == STATUS_OK);
    journal_reader_close(reader);
    check_answers();
    check_shown();
    check_people();
}
