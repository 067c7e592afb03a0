/* Opt-ins, people and tasks: the facts, which come in order of person and task, beside the tables
 * of state, which have the same order. What the journal says up to where state has come must stand
 * there; what it says to its end decides what is open. */
#include "proto/must.h"
#include "proto/task.h"
#include "server/audit_internal.h"

/* A task as the facts so far have it. */
struct fold {
    bool opened, open;
    struct audit_task row;
    uint64_t seq; /* newest fact */
};

/* The person at hand. */
struct person {
    uint64_t number;
    uint64_t first_ms, last_seq;
    struct audit_person row;
    uint64_t optins, answered; /* the latter with a reason why there is no task */
    struct audit_optin optin;  /* newest */
    uint64_t open_tasks;       /* that keep it going */

    bool was_there; /* the next two: as of state */
    uint64_t last_seq_then;
    struct audit_person row_then;
    uint64_t open_then; /* of all tasks */

    bool is_stored; /* state has a row, how many tasks it says are open, and perhaps one of them: */
    uint64_t stored_open;
    struct task_row task;
    bool task_seen;
};

struct pass {
    struct audit *audit;
    uint64_t folded_seq; /* state has come so far; 0: there is none */
    struct audit_cursor people, tasks;
    const struct audit_fact *fact; /* at hand; NULL: no more */
    struct person person;
    uint64_t optins, tasks_opened, tasks_ended, people_top; /* as of state */
};

static void next_fact(struct pass *pass)
{
    pass->fact = audit_sort_next(pass->audit->facts);
}

static uint64_t fact_seq(const struct pass *pass)
{
    return be64toh(pass->fact->seq);
}

/* Of the person at hand (0: received opt-ins) and this task. */
static bool fact_is_of(const struct pass *pass, uint64_t person, uint64_t task)
{
    return pass->fact && be64toh(pass->fact->person) == person && be64toh(pass->fact->task) == task;
}

static struct audit_about about_person(const struct pass *pass)
{
    const struct person *person = &pass->person;

    return (struct audit_about){.person = person->number,
                                .first_ms = person->first_ms,
                                .optin = person->optin.seq,
                                .received_ms = person->optin.received_ms};
}

static struct audit_about about_task(const struct pass *pass, uint64_t task, uint64_t opened_ms)
{
    return (struct audit_about){.person = pass->person.number,
                                .first_ms = pass->person.first_ms,
                                .task = task,
                                .opened_ms = opened_ms};
}

/* --- the rules --------------------------------------------------------------------------- */

static bool is_robots(const struct audit_task *row)
{
    return row->channel == TASK_EMAIL || row->channel == TASK_SMS || row->channel == TASK_FAX ||
           row->channel == TASK_POSTCARD || row->channel == TASK_LETTER;
}

/* Something will happen to an open task. One that waits for its window is put when that opens, and
 * one that somebody has in hand comes back when its lease ends. One that is out is taken by a
 * consumer; until its deadline has passed it is due for that as well. A robot's ends at its
 * deadline, in whichever queue it stands or waits for; one that was opened before this was so has
 * none that anything follows from. */
static bool goes_on(const struct audit_task *row)
{
    switch ((enum task_state)row->state) {
    case TASK_PARKED:
        return (row->due_kind == DUE_PUT || (row->due_kind == DUE_OVER && is_robots(row))) &&
               row->due_ms != 0;
    case TASK_POPPED:
    case TASK_CLAIMED:
        return row->due_kind == DUE_LEASE && row->due_ms != 0;
    case TASK_QUEUED:
        return row->put_seq != 0 &&
               (row->due_kind != DUE_NONE || (row->flags & TASK_BREACHED) || is_robots(row));
    }
    return false;
}

/* Nothing more happens to the person, and the row says why: nobody is to be worked, it was stopped
 * or given up, or all that was planned is done. Whom no playbook was followed for yet an outcome
 * has ended, as long as it is the last word. */
static bool has_end(const struct audit_person *row)
{
    return row->closed != PERSON_WORKED || row->is_stopped || (!row->is_planned && row->end != 0);
}

static bool is_answered(const struct audit_optin *optin)
{
    return optin->reason != NO_TASK_HAS_ONE && optin->reason != NO_TASK_UNREACHABLE;
}

/* --- rows that follow --------------------------------------------------------------------- */

static size_t put32(struct audit_row *row, size_t at, uint32_t number)
{
    uint32_t stored = htobe32(number);

    memcpy(row->key + at, &stored, sizeof stored);
    return at + sizeof stored;
}

static size_t put64(struct audit_row *row, size_t at, uint64_t number)
{
    uint64_t stored = htobe64(number);

    memcpy(row->key + at, &stored, sizeof stored);
    return at + sizeof stored;
}

static struct audit_row row_of(const struct pass *pass, enum audit_table table, uint64_t seq,
                               uint64_t task, uint64_t opened_ms)
{
    return (struct audit_row){.table = (uint8_t)table,
                              .seq = seq,
                              .person = pass->person.number,
                              .first_ms = pass->person.first_ms,
                              .task = task,
                              .opened_ms = opened_ms};
}

static void expect_due(struct pass *pass, uint64_t seq, uint64_t task, uint64_t opened_ms,
                       uint64_t due_ms, uint8_t kind)
{
    struct audit_row row = row_of(pass, AUDIT_DUE, seq, task, opened_ms);
    size_t at = put64(&row, 0, due_ms);

    at = put64(&row, at, pass->person.number);
    put64(&row, at, task);
    row.value[0] = kind;
    audit_sort_add(pass->audit->rows, &row);
}

static void expect_put(struct pass *pass, uint64_t task, const struct fold *fold)
{
    struct audit_row outbox = row_of(pass, AUDIT_OUTBOX, fold->seq, task, fold->row.opened_ms);
    struct audit_row visible = row_of(pass, AUDIT_VISIBLE, fold->seq, task, fold->row.opened_ms);

    put64(&outbox, put32(&outbox, 0, fold->row.queue), fold->row.put_seq);
    outbox.value[0] = pass->person.number;
    outbox.value[1] = task;
    audit_sort_add(pass->audit->rows, &outbox);

    put64(&visible, put64(&visible, put32(&visible, 0, fold->row.queue), fold->row.rank), task);
    visible.value[0] = pass->person.number;
    visible.value[1] = fold->row.put_seq;
    audit_sort_add(pass->audit->rows, &visible);
}

static void expect_work(struct pass *pass, uint64_t task, const struct fold *fold)
{
    struct audit_row row = row_of(pass, AUDIT_WORK, fold->seq, task, fold->row.opened_ms);

    put64(&row, put64(&row, put32(&row, 0, fold->row.with), fold->row.deadline_ms), task);
    row.value[0] = pass->person.number;
    audit_sort_add(pass->audit->rows, &row);
}

static void expect_owned(struct pass *pass)
{
    struct audit_row row = row_of(pass, AUDIT_OWNED, pass->person.last_seq_then, 0, 0);

    put64(&row, put32(&row, 0, pass->person.row_then.owner), pass->person.number);
    audit_sort_add(pass->audit->rows, &row);
}

static void expect_suspect(struct pass *pass, const struct audit_optin *optin)
{
    struct audit_row row = row_of(pass, AUDIT_SUSPECT, optin->decided_seq, 0, 0);

    put64(&row, put32(&row, 0, optin->agency), ~optin->seq);
    row.value[0] = optin->decided_seq;
    row.value[1] = optin->site;
    audit_sort_add(pass->audit->rows, &row);
}

/* Of every open task, so that one that is held is known as such when it stands there all the same.
 */
static void expect_in_redis(struct pass *pass, uint64_t task, const struct fold *fold)
{
    struct audit_row row = row_of(pass, AUDIT_REDIS, fold->seq, task, fold->row.opened_ms);

    put32(&row, put64(&row, put32(&row, 0, fold->row.queue), task), fold->row.delivery);
    row.must = fold->row.state == TASK_QUEUED && fold->row.put_seq != 0;
    row.value[0] = fold->row.put_seq;
    row.value[1] = fold->row.rank;
    audit_sort_add(pass->audit->rows, &row);
}

/* --- a task --------------------------------------------------------------------------------- */

static void fold_task(struct fold *fold, const struct audit_fact *fact)
{
    switch ((enum audit_fact_kind)fact->kind) {
    case FACT_TASK:
        fold->opened = fold->open = true;
        fold->row = fact->task_row;
        break;
    case FACT_POPPED:
        fold->row.state = TASK_POPPED;
        fold->row.put_seq = 0;
        fold->row.lease_until_ms = fold->row.due_ms = fact->lease_until_ms;
        fold->row.due_kind = DUE_LEASE;
        break;
    case FACT_TASK_END:
        fold->open = false;
        break;
    default: /* told only */
        return;
    }
    fold->seq = be64toh(fact->seq);
}

static void note_drop(struct audit_queue *queue, uint64_t seq)
{
    if (seq > queue->outbox_seq)
        queue->outbox_seq = seq;
    if ((queue->kept_drop == 0 || seq < queue->kept_drop) && seq > queue->gone_drop)
        queue->gone_drop = seq;
}

/* Where the queues stand after it: `before` is the task as it was. */
static void note_operations(struct audit *audit, const struct fold *before,
                            const struct audit_fact *fact)
{
    uint64_t put_seq = 0, drop_seq = 0;
    uint32_t queue = before->row.queue;

    if (fact->kind == FACT_TASK) {
        put_seq = fact->task_row.put_seq;
        drop_seq = fact->task_row.drop_seq;
    } else if (fact->kind == FACT_TASK_END) {
        drop_seq = fact->drop_seq;
    } else if (fact->kind == FACT_HEARD && fact->heard.queue < AUDIT_QUEUES_MAX) {
        struct audit_queue *heard = &audit->queues[fact->heard.queue];
        if (fact->heard.ms > heard->heard_ms ||
            (fact->heard.ms == heard->heard_ms && fact->heard.seq > heard->heard_seq)) {
            heard->heard_ms = fact->heard.ms;
            heard->heard_seq = fact->heard.seq;
        }
    }
    if (queue < AUDIT_QUEUES_MAX)
        note_drop(&audit->queues[queue], drop_seq);
    if (put_seq != 0)
        queue = fact->task_row.queue;
    if (queue < AUDIT_QUEUES_MAX && put_seq > audit->queues[queue].outbox_seq)
        audit->queues[queue].outbox_seq = put_seq;
}

static bool is_same(const struct audit_task *expected, const struct task_row *stored)
{
    return audit_task_fingerprint(stored) == expected->fingerprint &&
           stored->state == expected->state && stored->due_kind == expected->due_kind &&
           stored->put_seq == expected->put_seq && stored->due_ms == expected->due_ms &&
           stored->lease_until_ms == expected->lease_until_ms;
}

/* The task table up to this key: what stands before it belongs to nothing that is open. True: it
 * has a row under the key itself. */
static bool come_to_task(struct pass *pass, uint64_t person, uint64_t task)
{
    struct audit_cursor *cursor = &pass->tasks;

    while (cursor->has) {
        bool sound = cursor->key.mv_size == 2 * sizeof(uint64_t);
        uint64_t whose = sound ? audit_be64(cursor->key.mv_data) : 0;
        uint64_t which = sound ? audit_be64((char *)cursor->key.mv_data + 8) : 0;
        if (whose > person || (whose == person && which >= task))
            return whose == person && which == task;
        const struct audit_about about = {.person = whose, .task = which};
        audit_tell(pass->audit, &about, "state has a task that the journal does not have open");
        audit_cursor_next(pass->audit, cursor);
    }
    return false;
}

/* Where the task's row is: in the person's, or in the table of further tasks. */
static bool find_stored(struct pass *pass, uint64_t task, struct task_row *out)
{
    struct person *person = &pass->person;
    bool in_table = come_to_task(pass, person->number, task);
    bool sound = in_table && audit_read_task(pass->tasks.value, task, out);

    if (in_table)
        audit_cursor_next(pass->audit, &pass->tasks);
    if (sound || !person->is_stored || person->task.number != task)
        return sound;
    *out = person->task;
    person->task_seen = true;
    return true;
}

static void judge_stored(struct pass *pass, uint64_t task, const struct fold *then)
{
    struct audit_about about = about_task(pass, task, then->row.opened_ms);
    struct task_row stored;

    pass->tasks_opened += then->opened;
    pass->tasks_ended += then->opened && !then->open;
    if (!then->open)
        return;
    pass->person.open_then++;
    if (!find_stored(pass, task, &stored))
        audit_tell(pass->audit, &about, "state does not have the task");
    else if (!is_same(&then->row, &stored))
        audit_tell(pass->audit, &about, "state has the task otherwise than the journal");
    if (then->row.queue < AUDIT_QUEUES_MAX) {
        pass->audit->queues[then->row.queue].open_tasks++;
        pass->audit->queues[then->row.queue].parked_tasks += then->row.state == TASK_PARKED;
    }
    if (then->row.due_kind != DUE_NONE)
        expect_due(pass, then->seq, task, then->row.opened_ms, then->row.due_ms,
                   then->row.due_kind);
    if (then->row.put_seq != 0)
        expect_put(pass, task, then);
    if (then->row.with != 0)
        expect_work(pass, task, then);
    if (then->row.with < AUDIT_AGENTS_MAX)
        pass->audit->agents[then->row.with].open_tasks += then->row.with != 0;
}

static void judge_now(struct pass *pass, uint64_t task, const struct fold *now, bool named)
{
    struct audit_about about = about_task(pass, task, now->row.opened_ms);

    if (named && !now->opened)
        audit_tell(pass->audit, &about, "the task was told to an opt-in and never opened");
    if (!now->open)
        return;
    pass->person.open_tasks += !is_robots(&now->row);
    if (!goes_on(&now->row))
        audit_tell(pass->audit, &about, "the task is open and has no time at which it goes on");
    expect_in_redis(pass, task, now);
}

static void take_task(struct pass *pass)
{
    uint64_t task = be64toh(pass->fact->task);
    struct fold now = {0}, then = {0};
    bool named = false;

    for (; fact_is_of(pass, pass->person.number, task); next_fact(pass)) {
        if (fact_seq(pass) <= pass->folded_seq)
            note_operations(pass->audit, &now, pass->fact);
        fold_task(&now, pass->fact);
        named |= pass->fact->kind == FACT_NAMED;
        if (fact_seq(pass) <= pass->folded_seq)
            then = now;
    }
    judge_stored(pass, task, &then);
    judge_now(pass, task, &now, named);
}

/* --- a person ------------------------------------------------------------------------------- */

static void take_optin(struct pass *pass, const struct audit_optin *optin)
{
    struct person *person = &pass->person;

    person->optin = *optin;
    person->optins++;
    person->answered += is_answered(optin);
    pass->audit->result->optins++;
    if (optin->decided_seq > pass->folded_seq)
        return;
    pass->optins++;
    if (optin->reason == NO_TASK_SUSPECT)
        expect_suspect(pass, optin);
}

static void take_own_facts(struct pass *pass)
{
    struct person *person = &pass->person;

    for (; fact_is_of(pass, person->number, 0); next_fact(pass)) {
        const struct audit_fact *fact = pass->fact;
        if (fact->kind == FACT_LINK || (fact->kind == FACT_PERSON && fact->person_row.is_link))
            person->last_seq = fact_seq(pass);
        if (fact->kind == FACT_PERSON) {
            person->row = fact->person_row;
            person->first_ms = fact->person_row.first_ms;
        } else if (fact->kind == FACT_OPTIN) {
            take_optin(pass, &fact->optin);
        }
        if (fact_seq(pass) <= pass->folded_seq) {
            person->was_there = true;
            person->last_seq_then = person->last_seq;
            person->row_then = person->row;
        }
    }
}

/* The person table up to this number; what stands before it is nobody's. */
static bool come_to_person(struct pass *pass, uint64_t number)
{
    struct audit_cursor *cursor = &pass->people;

    while (cursor->has) {
        bool sound = cursor->key.mv_size == sizeof(uint64_t);
        const struct audit_about about = {.person = sound ? audit_be64(cursor->key.mv_data) : 0};
        if (about.person >= number)
            return about.person == number;
        audit_tell(pass->audit, &about, "state has a person that the journal does not know");
        audit_cursor_next(pass->audit, cursor);
    }
    return false;
}

static void meet_stored(struct pass *pass)
{
    struct person *person = &pass->person;
    struct audit_about about = about_person(pass);
    bool is_there = come_to_person(pass, person->number);
    struct person_row row;
    uint64_t last_seq = 0;

    if (is_there && !person->was_there)
        audit_tell(pass->audit, &about, "state has the person before the journal does");
    else if (!is_there && person->was_there)
        audit_tell(pass->audit, &about, "state does not have the person");
    if (!is_there)
        return;
    person->is_stored = audit_read_person(pass->people.value, &last_seq, &row, &person->task);
    if (person->is_stored)
        person->stored_open = row.open_tasks;
    audit_cursor_next(pass->audit, &pass->people);
    if (person->was_there && (!person->is_stored || last_seq != person->last_seq_then ||
                              audit_person_fingerprint(&row) != person->row_then.fingerprint))
        audit_tell(pass->audit, &about, "state has the person otherwise than the journal");
}

/* The invariant: somebody who opted in has something open, or an end. */
static void judge_person(struct pass *pass)
{
    const struct person *person = &pass->person;
    struct audit_result *result = pass->audit->result;
    struct audit_about about = about_person(pass);
    bool is_open = person->open_tasks > 0 || person->row.due_ms != 0;

    if (person->task.number != 0 && !person->task_seen) {
        about.task = person->task.number;
        about.opened_ms = person->task.opened_ms;
        audit_tell(pass->audit, &about, "state has a task that the journal does not have open");
    }
    if (person->is_stored && person->stored_open != person->open_then)
        audit_tell(pass->audit, &about, "state counts %llu open tasks of the person, of %llu",
                   (unsigned long long)person->stored_open, (unsigned long long)person->open_then);
    result->people++;
    if (is_open) {
        result->open += person->optins - person->answered;
        result->ended += person->answered;
    } else if (has_end(&person->row) ||
               (!person->row.is_planned && person->answered == person->optins)) {
        result->ended += person->optins;
    } else {
        result->ended += person->answered;
        audit_tell(pass->audit, &about,
                   "the person has nothing open, and neither an outcome nor a reason");
    }
}

static void take_person(struct pass *pass)
{
    pass->person = (struct person){.number = be64toh(pass->fact->person)};
    const struct person *person = &pass->person;

    take_own_facts(pass);
    meet_stored(pass);
    if (person->was_there)
        pass->people_top = person->number;
    if (person->was_there && person->row_then.due_ms != 0)
        expect_due(pass, person->last_seq_then, 0, 0, person->row_then.due_ms,
                   person->row_then.due_kind);
    if (person->was_there && person->row_then.owner != 0)
        expect_owned(pass);
    while (pass->fact && be64toh(pass->fact->person) == person->number)
        take_task(pass);
    judge_person(pass);
}

/* --- opt-ins that were journalled while state was rebuilt ------------------------------------- */

static bool state_waits_for(const struct pass *pass, uint64_t seq)
{
    const struct state_meta *meta = &pass->audit->meta;

    return seq > pass->folded_seq || (seq > meta->received_seq && seq <= meta->received_last);
}

static void take_received(struct pass *pass)
{
    struct audit_result *result = pass->audit->result;
    struct audit_about about = {.optin = be64toh(pass->fact->task)};
    unsigned received = 0, decided = 0;

    for (; fact_is_of(pass, 0, about.optin); next_fact(pass)) {
        if (pass->fact->kind == FACT_RECEIVED) {
            received++;
            about.received_ms = pass->fact->received_ms;
        } else {
            decided++;
        }
    }
    if (decided > 1)
        audit_tell(pass->audit, &about, "the opt-in was decided %u times", decided);
    if (received == 0 || decided > 0)
        return;
    result->optins++;
    result->open++;
    result->received++;
    if (!state_waits_for(pass, about.optin))
        audit_tell(pass->audit, &about, "the opt-in was received, and state waits no more for it");
}

/* --- all of them ------------------------------------------------------------------------------ */

static void judge_count(struct pass *pass, const char *what, uint64_t stored, uint64_t counted)
{
    const struct audit_about nobody = {0};

    if (stored != counted)
        audit_tell(pass->audit, &nobody, "state counts %llu %s, the journal has %llu",
                   (unsigned long long)stored, what, (unsigned long long)counted);
}

static void judge_counts(struct pass *pass)
{
    const struct state_meta *meta = &pass->audit->meta;

    judge_count(pass, "opt-ins", meta->optins, pass->optins);
    judge_count(pass, "people", meta->people, pass->people_top);
    judge_count(pass, "tasks opened", meta->tasks_opened, pass->tasks_opened);
    judge_count(pass, "tasks ended", meta->tasks_ended, pass->tasks_ended);
}

void audit_people(struct audit *audit)
{
    struct pass pass = {.audit = audit, .folded_seq = audit->meta.folded_seq};

    audit_cursor_open(audit, "person", &pass.people);
    audit_cursor_open(audit, "task", &pass.tasks);
    next_fact(&pass);
    while (pass.fact && audit->status == STATUS_OK) {
        if (pass.fact->person == 0)
            take_received(&pass);
        else
            take_person(&pass);
    }
    (void)come_to_person(&pass, UINT64_MAX);
    (void)come_to_task(&pass, UINT64_MAX, UINT64_MAX);
    audit_cursor_close(&pass.people);
    audit_cursor_close(&pass.tasks);
    judge_counts(&pass);
    audit_fail(audit, audit_sort_status(audit->facts));
}
