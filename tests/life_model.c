#include "tests/life_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/must.h"
#include "proto/task.h"

#define TASKS_MAX   (1u << 20)
#define FIRED_MAX   (1u << 20)
#define TOUCHES_MAX 4096
#define DAY_MS      86400000ull

struct touch {
    uint64_t at_ms;
    bool call;
};

struct model_person {
    struct person_row row; /* as the last record left it */
    struct touch touches[TOUCHES_MAX];
    unsigned touch_count;
    unsigned attempts;
    bool stopped;
};

/* A step that was done or left out, of one run through a cadence. */
struct fired {
    uint64_t person, cadence_ms;
    uint8_t cadence, step;
};

struct life_model {
    struct world *world;
    uint64_t seq; /* read up to here */
    struct model_person people[MODEL_PEOPLE_MAX + 1];
    struct task_row *tasks; /* every one that there ever was, as it is or ended, in order */
    bool *attempted;        /* by some word about that task */
    unsigned task_count;
    struct fired *fired;
    unsigned fired_count;
    struct model_counts counts;
};

struct life_model *model_open(struct world *world)
{
    struct life_model *model = calloc(1, sizeof(*model));

    MUST(model != NULL);
    model->world = world;
    model->tasks = calloc(TASKS_MAX, sizeof(*model->tasks));
    model->fired = calloc(FIRED_MAX, sizeof(*model->fired));
    model->attempted = calloc(TASKS_MAX, sizeof(*model->attempted));
    MUST(model->tasks != NULL && model->fired != NULL && model->attempted != NULL);
    model->seq = state_meta(world->state)->folded_seq;
    return model;
}

void model_close(struct life_model *model)
{
    free(model->tasks);
    free(model->fired);
    free(model->attempted);
    free(model);
}

struct model_counts model_counts(const struct life_model *model)
{
    return model->counts;
}

bool model_task(const struct life_model *model, unsigned nth, struct task_row *out)
{
    if (nth >= model->task_count)
        return false;
    *out = model->tasks[model->task_count - 1 - nth];
    return true;
}

static const struct playbook *playbook_of(const struct life_model *model,
                                          const struct model_person *person)
{
    return registry_playbook(recovery_registry(model->world->recovery), person->row.playbook);
}

/* --- caps ----------------------------------------------------------------------------------- */

static void add_touch(struct model_person *person, uint64_t at_ms, bool call)
{
    MUST(person->touch_count < TOUCHES_MAX);
    /* Rows keep whole seconds. */
    person->touches[person->touch_count++] = (struct touch){at_ms / 1000 * 1000, call};
}

/* One more now is not one too many. */
static void check_caps(const struct life_model *model, const struct model_person *person, bool call,
                       uint64_t now_ms)
{
    const struct playbook_caps *caps = &playbook_of(model, person)->caps;
    unsigned touches = 0, calls = 0;
    uint64_t newest_ms = 0;

    for (unsigned i = 0; i < person->touch_count; i++) {
        const struct touch *touch = &person->touches[i];
        if (touch->at_ms > newest_ms)
            newest_ms = touch->at_ms;
        touches += touch->at_ms + DAY_MS > now_ms;
        calls += touch->call && touch->at_ms + DAY_MS > now_ms;
    }
    if (touches >= caps->per_day)
        fail_msg("touch %u of a day", touches + 1);
    if (call && calls >= caps->calls_per_day)
        fail_msg("call %u of a day", calls + 1);
    if (newest_ms != 0 && newest_ms + playbook_span_about(caps->gap) > now_ms)
        fail_msg("only %llu ms behind the last one", (unsigned long long)(now_ms - newest_ms));
}

/* --- records ------------------------------------------------------------------------------ */

static struct task_row *find_task(struct life_model *model, uint64_t number)
{
    unsigned low = 0, high = model->task_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (model->tasks[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->task_count && model->tasks[low].number == number ? &model->tasks[low]
                                                                         : NULL;
}

static bool has_hours(unsigned channel)
{
    return channel == TASK_CALL || channel == TASK_SMS || channel == TASK_VOICEMAIL;
}

static bool is_capped(const struct task_row *row)
{
    if (has_hours(row->channel))
        return row->kind != TASK_FIRST_RESPONSE && row->kind != TASK_AGREED;
    return row->kind == TASK_STEP && row->delivery == 1;
}

static void note_task(struct life_model *model, struct model_person *person,
                      const struct effect_task *effect, uint64_t now_ms)
{
    const struct task_row *row = &effect->row;
    struct task_row *known = find_task(model, row->number);
    bool is_put = row->state == TASK_QUEUED && (known == NULL || known->state != TASK_QUEUED ||
                                                known->delivery != row->delivery);

    if (person->stopped)
        fail_msg("a task was opened after do_not_contact");
    if (is_put && is_capped(row))
        check_caps(model, person, row->channel == TASK_CALL, now_ms);
    /* A call counts when it was made, everything else when it goes out. */
    if (is_put && row->delivery == 1 && row->channel != TASK_CALL && row->channel != TASK_RESEARCH)
        add_touch(person, now_ms, false);
    model->counts.puts += is_put;
    if (known == NULL) {
        MUST(model->task_count < TASKS_MAX);
        known = &model->tasks[model->task_count++];
    }
    *known = *row;
}

static bool is_same(const struct fired *a, const struct fired *b)
{
    return a->person == b->person && a->cadence_ms == b->cadence_ms && a->cadence == b->cadence &&
           a->step == b->step;
}

static void note_step(struct life_model *model, const struct record_view *record,
                      const struct effect_step *effect, uint64_t cadence_ms)
{
    struct fired fired = {record->header.person, cadence_ms, effect->cadence, effect->step};

    if (effect->skip == SKIP_NONE)
        model->counts.steps++;
    else
        model->counts.skipped++;
    if (effect->due_ms > record->header.now_ms)
        fail_msg("step %u of cadence %u came %llu ms before its time", effect->step,
                 effect->cadence, (unsigned long long)(effect->due_ms - record->header.now_ms));
    if (effect->cadence == 0 || effect->skip == SKIP_UNDONE)
        return;
    for (unsigned i = model->fired_count; i-- > 0;)
        if (is_same(&model->fired[i], &fired))
            fail_msg("step %u of cadence %u came twice to person %llu", effect->step,
                     effect->cadence, (unsigned long long)fired.person);
    MUST(model->fired_count < FIRED_MAX);
    model->fired[model->fired_count++] = fired;
}

/* Who unsubscribes on the phone was tried as who says "never again" there. */
static enum outcome trial_of(const struct effect_report *effect, const struct task_row *task)
{
    bool by_call = task != NULL && task->channel == TASK_CALL;

    return by_call && effect->outcome == OUTCOME_UNSUBSCRIBED ? OUTCOME_DO_NOT_CONTACT
                                                              : (enum outcome)effect->outcome;
}

static void note_report(struct life_model *model, struct model_person *person,
                        const struct record_view *record, const struct effect_report *effect)
{
    const struct playbook *playbook = playbook_of(model, person);
    const struct task_row *task = find_task(model, effect->task);
    const struct playbook_outcome *does = playbook->by_outcome[trial_of(effect, task)];

    if (record->header.kind == RECORD_LATE)
        model->counts.late++;
    if (record->header.kind != RECORD_OUTCOME && record->header.kind != RECORD_AMEND)
        return;
    bool *attempted = &model->attempted[task - model->tasks];
    person->attempts += does->attempt && !*attempted;
    *attempted |= does->attempt;
    if (record->header.kind != RECORD_OUTCOME)
        return;
    model->counts.outcomes++;
    if (effect->outcome == OUTCOME_DEAD && person->attempts < playbook->calls.attempts_least)
        fail_msg("given up after %u attempts", person->attempts);
    if (does->contact && task->channel == TASK_CALL)
        add_touch(person, effect->contact_ms, true);
}

static void note_effects(struct life_model *model, const struct record_view *record)
{
    struct model_person *person = &model->people[record->header.person];
    struct effect_person row;
    bool has_row = effect_find(record, EFFECT_PERSON, &row, sizeof(row));
    bool is_optin = record->header.kind == RECORD_OPTIN || record->header.kind == RECORD_REPEATED;
    /* Steps of the opt-in's own record belong to the cadence that it begins. */
    uint64_t cadence_ms = is_optin && has_row ? row.row.cadence_ms : person->row.cadence_ms;
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    if (has_row && !(row.row.flags & PERSON_DO_NOT_CONTACT))
        person->stopped = false;
    if (is_optin && has_row)
        person->row = row.row;
    while ((kind = effect_next(record, &offset, &body)) != 0) {
        union {
            struct effect_task task;
            struct effect_step step;
            struct effect_report report;
        } effect;
        if (kind == EFFECT_TASK) {
            effect_copy(body, &effect.task, sizeof(effect.task));
            note_task(model, person, &effect.task, record->header.now_ms);
        } else if (kind == EFFECT_STEP) {
            effect_copy(body, &effect.step, sizeof(effect.step));
            note_step(model, record, &effect.step, cadence_ms);
        } else if (kind == EFFECT_REPORT) {
            effect_copy(body, &effect.report, sizeof(effect.report));
            note_report(model, person, record, &effect.report);
        } else if (kind == EFFECT_PARKED) {
            model->counts.parked++;
        }
    }
    if (has_row) {
        person->row = row.row;
        person->stopped = row.row.flags & PERSON_DO_NOT_CONTACT;
        model->counts.stopped += person->stopped;
    }
}

static void read_records(struct life_model *model)
{
    struct journal *journal = recovery_journal(model->world->recovery);
    uint64_t last = state_meta(model->world->state)->folded_seq;

    while (model->seq < last) {
        struct record_view record;
        MUST(journal_batch_read(journal, ++model->seq, &record) == STATUS_OK);
        model->counts.records++;
        model->counts.breaches += record.header.kind == RECORD_BREACH;
        MUST(record.header.person <= MODEL_PEOPLE_MAX);
        if (record.header.person != 0)
            note_effects(model, &record);
    }
}

/* --- rows ---------------------------------------------------------------------------------- */

static bool is_visible(struct life_model *model, const struct task_row *task)
{
    uint64_t rank_ms = task->flags & TASK_IN_LIST ? task->put_seq : task->rank_ms;
    struct state_visible visible;

    return state_visible_next(model->world->state, task->queue, rank_ms, task->number, &visible) &&
           visible.task == task->number && visible.rank_ms == rank_ms;
}

static bool is_mail(const struct task_row *task)
{
    return task->channel == TASK_EMAIL || task->channel == TASK_POSTCARD ||
           task->channel == TASK_SMS || task->channel == TASK_LETTER || task->channel == TASK_FAX;
}

/* A robot's that will be too late before its window opens. */
static bool ends_undone(const struct task_row *task)
{
    return is_mail(task) && task->due_kind == DUE_OVER && task->due_ms == task->deadline_ms &&
           task->deadline_ms <= task->not_before_ms;
}

/* Somebody can have it now, or something happens to it by itself. */
static void check_task(struct life_model *model, const struct task_row *task)
{
    switch ((enum task_state)task->state) {
    case TASK_QUEUED:
        if (task->put_seq == 0 || !is_visible(model, task))
            fail_msg("a task is queued and stands in no queue");
        if (is_mail(task) && task->due_kind == DUE_NONE)
            fail_msg("a robot's task stays for ever");
        return;
    case TASK_POPPED:
    case TASK_CLAIMED:
        if (task->due_kind != DUE_LEASE || task->due_ms != task->lease_until_ms)
            fail_msg("a lease has no end");
        break;
    case TASK_PARKED:
        if (!ends_undone(task) &&
            (task->due_kind != DUE_PUT || task->due_ms != task->not_before_ms))
            fail_msg("a task is parked for ever");
        break;
    }
    if (task->put_seq != 0 || is_visible(model, task))
        fail_msg("a task that is held or parked stands in its queue");
    if (task->due_ms <= model->world->now_ms)
        fail_msg("a task was due and is left behind");
}

static void check_person(struct life_model *model, uint64_t number)
{
    const struct model_person *known = &model->people[number];
    struct person_row row;
    struct task_row task;
    uint64_t last_seq, after = 0;
    unsigned open = 0, calls = 0, human = 0;
    bool more;

    MUST(state_person_find(model->world->state, number, &row, &task, &last_seq));
    more = task.number != 0;
    if (!more) {
        more = state_task_next(model->world->state, number, 0, &task);
        after = task.number;
    }
    while (more) {
        check_task(model, &task);
        open++;
        calls += task.channel == TASK_CALL;
        human += task.channel == TASK_CALL || task.channel == TASK_RESEARCH;
        more = state_task_next(model->world->state, number, after, &task);
        after = task.number;
    }
    if (row.open_tasks != open)
        fail_msg("%u tasks are open, %u are counted", open, row.open_tasks);
    if (calls > 1)
        fail_msg("two calls are open");
    if (row.attempts != known->attempts)
        fail_msg("%u attempts, %u are counted", known->attempts, row.attempts);
    if (known->stopped && (open > 0 || row.due_ms != 0))
        fail_msg("do_not_contact has left %u open tasks, due at %llu, by record %llu", open,
                 (unsigned long long)row.due_ms, (unsigned long long)last_seq);
    if (row.closed == PERSON_WORKED && row.due_ms == 0 && human == 0)
        fail_msg("person %llu is adrift", (unsigned long long)number);
    if (row.closed != PERSON_WORKED && row.due_ms != 0)
        fail_msg("who has come to an end is due for something");
    if (row.due_ms != 0 && row.due_ms <= model->world->now_ms)
        fail_msg("somebody was due and is left behind");
}

void model_look(struct life_model *model)
{
    read_records(model);
    for (uint64_t number = 1; number <= state_meta(model->world->state)->people; number++)
        check_person(model, number);
}
