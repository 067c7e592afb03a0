/* Rows by number in one array; what is due in a heap; what is visible in sorted arrays, one a
 * queue. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "server/memory.h"
#include "server/memory_dues.h"
#include "server/memory_order.h"

struct person {
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;
    struct task_row *further; /* by number */
    uint32_t further_count, further_capacity;
    struct memory_dues dues;
};

/* Sorted from `begin` on. Most rows come at the end and leave at the front. */
struct visible_rows {
    struct state_visible *rows;
    size_t begin, end, capacity;
};

struct state {
    struct state_meta meta;
    struct state_queue queues[STATE_QUEUES_MAX];
    struct visible_rows visible[STATE_QUEUES_MAX];
    uint32_t queue_count; /* one more than the highest that was asked for */
    struct state_agent agents[STATE_AGENTS_MAX];
    struct memory_order work;  /* agent, deadline_ms, task: person */
    struct memory_order owned; /* agent, person */
    struct memory_order edges; /* person, kind, other: seq */
    struct person *people;
    size_t people_capacity;
    struct memory_due_heap heap;
};

static void *resized(void *rows, size_t count, size_t bytes)
{
    void *larger = reallocarray(rows, count, bytes);

    MUST(larger);
    return larger;
}

static size_t grown(size_t capacity, size_t least)
{
    return capacity == 0 ? least : 2 * capacity;
}

/* --- open and close ------------------------------------------------------------------------- */

enum status state_open(const struct state_options *options, struct state **out)
{
    (void)options;
    *out = memory_take_zeroed(1, sizeof(**out));
    return STATUS_OK;
}

static void clear(struct state *state)
{
    for (size_t i = 0; i < state->people_capacity; i++) {
        free(state->people[i].further);
        memory_dues_free(&state->people[i].dues);
    }
    for (uint32_t i = 0; i < state->queue_count; i++)
        free(state->visible[i].rows);
    memory_order_free(&state->work);
    memory_order_free(&state->owned);
    memory_order_free(&state->edges);
    free(state->people);
    memory_due_heap_free(&state->heap);
}

void state_close(struct state *state)
{
    clear(state);
    free(state);
}

enum status state_reset(struct state *state)
{
    clear(state);
    memset(state, 0, sizeof(*state));
    return STATUS_OK;
}

enum status state_begin(struct state *state)
{
    (void)state;
    return STATUS_OK;
}

enum status state_failure(const struct state *state)
{
    (void)state;
    return STATUS_OK;
}

bool state_lacks_rows(const struct state *state)
{
    (void)state;
    return false;
}

struct state_meta *state_meta(struct state *state)
{
    return &state->meta;
}

struct state_queue *state_queue(struct state *state, uint32_t queue)
{
    MUST(queue < STATE_QUEUES_MAX);
    if (queue >= state->queue_count)
        state->queue_count = queue + 1;
    return &state->queues[queue];
}

/* --- people ----------------------------------------------------------------------------------- */

/* NULL: nobody has that number. */
struct state_agent *state_agent(struct state *state, uint32_t agent)
{
    MUST(agent < STATE_AGENTS_MAX);
    return &state->agents[agent];
}

static struct person *find(struct state *state, uint64_t number)
{
    struct person *person = number < state->people_capacity ? &state->people[number] : NULL;

    return person && person->last_seq != 0 ? person : NULL;
}

static struct person *at(struct state *state, uint64_t number)
{
    size_t capacity = state->people_capacity;

    while (capacity <= number)
        capacity = grown(capacity, 256);
    if (capacity > state->people_capacity) {
        state->people = resized(state->people, capacity, sizeof(*state->people));
        memset(state->people + state->people_capacity, 0,
               (capacity - state->people_capacity) * sizeof(*state->people));
        state->people_capacity = capacity;
    }
    return &state->people[number];
}

enum status state_person_put(struct state *state, uint64_t number, const struct person_row *row,
                             const struct task_row *task, uint64_t last_seq)
{
    struct person *person = at(state, number);

    person->row = *row;
    if (task)
        person->task = *task;
    else
        person->task.number = 0;
    person->last_seq = last_seq;
    return STATUS_OK;
}

bool state_person_find(struct state *state, uint64_t number, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out)
{
    const struct person *person = find(state, number);

    if (!person)
        return false;
    *row_out = person->row;
    *last_seq_out = person->last_seq;
    if (person->task.number != 0)
        *task_out = person->task;
    else
        memset(task_out, 0, sizeof(*task_out));
    return true;
}

/* --- further tasks ---------------------------------------------------------------------------- */

/* Where the first is that does not come before it. */
static uint32_t place_of(const struct person *person, uint64_t task)
{
    uint32_t place = 0;

    while (place < person->further_count && person->further[place].number < task)
        place++;
    return place;
}

static bool is_there(const struct person *person, uint32_t place, uint64_t task)
{
    return place < person->further_count && person->further[place].number == task;
}

enum status state_task_put(struct state *state, uint64_t number, const struct task_row *task)
{
    struct person *person = at(state, number);
    uint32_t place = place_of(person, task->number);

    if (!is_there(person, place, task->number)) {
        if (person->further_count == person->further_capacity) {
            person->further_capacity = (uint32_t)grown(person->further_capacity, 2);
            person->further =
                resized(person->further, person->further_capacity, sizeof(*person->further));
        }
        memmove(person->further + place + 1, person->further + place,
                (person->further_count - place) * sizeof(*person->further));
        person->further_count++;
    }
    person->further[place] = *task;
    return STATUS_OK;
}

enum status state_task_delete(struct state *state, uint64_t number, uint64_t task)
{
    struct person *person = at(state, number);
    uint32_t place = place_of(person, task);

    if (!is_there(person, place, task))
        return STATUS_OK;
    person->further_count--;
    memmove(person->further + place, person->further + place + 1,
            (person->further_count - place) * sizeof(*person->further));
    return STATUS_OK;
}

bool state_task_find(struct state *state, uint64_t number, uint64_t task, struct task_row *out)
{
    const struct person *person = find(state, number);
    uint32_t place = person ? place_of(person, task) : 0;

    if (!person || !is_there(person, place, task))
        return false;
    *out = person->further[place];
    return true;
}

bool state_task_next(struct state *state, uint64_t number, uint64_t after, struct task_row *out)
{
    const struct person *person = find(state, number);
    uint32_t place = person ? place_of(person, after + 1) : 0;

    if (!person || place == person->further_count)
        return false;
    *out = person->further[place];
    return true;
}

/* --- what is due ------------------------------------------------------------------------------ */

enum status state_due_put(struct state *state, uint64_t due_ms, uint64_t number, uint64_t task,
                          enum due_kind kind)
{
    const struct state_due due = {.due_ms = due_ms, .task = task, .person = number, .kind = kind};

    memory_dues_add(&at(state, number)->dues, &due);
    memory_due_push(&state->heap, &due);
    return STATUS_OK;
}

enum status state_due_delete(struct state *state, uint64_t due_ms, uint64_t number, uint64_t task)
{
    memory_dues_remove(&at(state, number)->dues, due_ms, task);
    return STATUS_OK;
}

bool state_due_first(struct state *state, struct state_due *out)
{
    const struct memory_due_heap *heap = &state->heap;

    while (heap->count > 0 && !memory_dues_find(&state->people[heap->rows->person].dues,
                                                heap->rows->due_ms, heap->rows->task))
        memory_due_pop(&state->heap);
    if (heap->count == 0)
        return false;
    *out = heap->rows[0];
    return true;
}

/* --- what is visible -------------------------------------------------------------------------- */

static size_t visible_from(const struct visible_rows *visible, uint64_t rank_ms, uint64_t task)
{
    size_t from = visible->begin, to = visible->end;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct state_visible *row = &visible->rows[middle];
        if (row->rank_ms < rank_ms || (row->rank_ms == rank_ms && row->task < task))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* What left at the front makes room again before more is asked for. */
static void make_room(struct visible_rows *visible)
{
    if (visible->end < visible->capacity)
        return;
    if (visible->begin <= visible->capacity / 2) {
        visible->capacity = grown(visible->capacity, 64);
        visible->rows = resized(visible->rows, visible->capacity, sizeof(*visible->rows));
    }
    memmove(visible->rows, visible->rows + visible->begin,
            (visible->end - visible->begin) * sizeof(*visible->rows));
    visible->end -= visible->begin;
    visible->begin = 0;
}

enum status state_visible_put(struct state *state, uint32_t queue, uint64_t rank_ms, uint64_t task,
                              uint64_t person, uint64_t outbox_seq)
{
    struct visible_rows *visible = &state->visible[queue];

    MUST(queue < STATE_QUEUES_MAX);
    (void)state_queue(state, queue);
    make_room(visible);
    size_t place = visible_from(visible, rank_ms, task);
    memmove(visible->rows + place + 1, visible->rows + place,
            (visible->end - place) * sizeof(*visible->rows));
    visible->rows[place] = (struct state_visible){
        .rank_ms = rank_ms, .task = task, .person = person, .outbox_seq = outbox_seq};
    visible->end++;
    return STATUS_OK;
}

enum status state_visible_delete(struct state *state, uint32_t queue, uint64_t rank_ms,
                                 uint64_t task)
{
    struct visible_rows *visible = &state->visible[queue];
    size_t place = visible_from(visible, rank_ms, task);

    if (place == visible->end || visible->rows[place].rank_ms != rank_ms ||
        visible->rows[place].task != task)
        return STATUS_OK;
    if (place == visible->begin) {
        visible->begin++;
        return STATUS_OK;
    }
    visible->end--;
    memmove(visible->rows + place, visible->rows + place + 1,
            (visible->end - place) * sizeof(*visible->rows));
    return STATUS_OK;
}

bool state_visible_next(struct state *state, uint32_t queue, uint64_t rank_ms, uint64_t task,
                        struct state_visible *out)
{
    const struct visible_rows *visible = &state->visible[queue];
    size_t place = visible_from(visible, rank_ms, task);

    if (place == visible->end)
        return false;
    *out = visible->rows[place];
    return true;
}

/* --- what is with agents, and who hangs together ---------------------------------------------- */

enum status state_work_put(struct state *state, uint32_t agent, const struct state_work *work)
{
    memory_order_put(&state->work,
                     &(struct memory_row){{agent, work->deadline_ms, work->task}, work->person});
    return STATUS_OK;
}

enum status state_work_delete(struct state *state, uint32_t agent, uint64_t deadline_ms,
                              uint64_t task)
{
    memory_order_delete(&state->work, (uint64_t[]){agent, deadline_ms, task});
    return STATUS_OK;
}

bool state_work_first(struct state *state, uint32_t agent, struct state_work *out)
{
    const struct memory_row *row = memory_order_from(&state->work, (uint64_t[]){agent, 0, 0});

    if (row == NULL || row->key[0] != agent)
        return false;
    *out = (struct state_work){row->key[1], row->key[2], row->value};
    return true;
}

enum status state_owned_put(struct state *state, uint32_t agent, uint64_t person)
{
    memory_order_put(&state->owned, &(struct memory_row){{agent, person}, 0});
    return STATUS_OK;
}

enum status state_owned_delete(struct state *state, uint32_t agent, uint64_t person)
{
    memory_order_delete(&state->owned, (uint64_t[]){agent, person, 0});
    return STATUS_OK;
}

bool state_owned_first(struct state *state, uint32_t agent, uint64_t *person_out)
{
    const struct memory_row *row = memory_order_from(&state->owned, (uint64_t[]){agent, 0, 0});

    if (row == NULL || row->key[0] != agent)
        return false;
    *person_out = row->key[1];
    return true;
}

enum status state_edge_put(struct state *state, uint64_t person, enum edge_kind kind,
                           const struct state_edge *edge)
{
    memory_order_put(&state->edges, &(struct memory_row){{person, kind, edge->other}, edge->seq});
    return STATUS_OK;
}

enum status state_edge_delete(struct state *state, uint64_t person, enum edge_kind kind,
                              uint64_t other)
{
    memory_order_delete(&state->edges, (uint64_t[]){person, kind, other});
    return STATUS_OK;
}

bool state_edge_next(struct state *state, uint64_t person, enum edge_kind kind, uint64_t from,
                     struct state_edge *out)
{
    const struct memory_row *row =
        memory_order_from(&state->edges, (uint64_t[]){person, kind, from});

    if (row == NULL || row->key[0] != person || row->key[1] != kind)
        return false;
    *out = (struct state_edge){row->key[2], row->value};
    return true;
}

/* Nobody looks at lists for review here. */
enum status state_review_put(struct state *state, uint32_t agency, const struct state_review *row)
{
    (void)state, (void)agency, (void)row;
    return STATUS_OK;
}

enum status state_review_delete(struct state *state, uint32_t agency,
                                const struct state_review *row)
{
    (void)state, (void)agency, (void)row;
    return STATUS_OK;
}

/* --- what nobody reads here ------------------------------------------------------------------- */

enum status state_outbox_put(struct state *state, uint32_t queue, uint64_t seq,
                             const struct outbox_row *row)
{
    (void)state, (void)queue, (void)seq, (void)row;
    return STATUS_OK;
}

enum status state_outbox_delete(struct state *state, uint32_t queue, uint64_t seq)
{
    (void)state, (void)queue, (void)seq;
    return STATUS_OK;
}

enum status state_dropped_put(struct state *state, uint64_t dropped_ms, uint32_t queue,
                              uint64_t seq)
{
    (void)state, (void)dropped_ms, (void)queue, (void)seq;
    return STATUS_OK;
}

enum status state_dropped_trim(struct state *state, uint64_t before_ms, size_t keep, unsigned most)
{
    (void)state, (void)before_ms, (void)keep, (void)most;
    return STATUS_OK;
}

enum status state_suspect_put(struct state *state, uint32_t agency, uint64_t optin_seq,
                              const struct suspect_row *row)
{
    (void)state, (void)agency, (void)optin_seq, (void)row;
    return STATUS_OK;
}

enum status state_entity_put(struct state *state, enum entity_kind kind, uint32_t number,
                             struct slice settings)
{
    (void)state, (void)kind, (void)number, (void)settings;
    return STATUS_OK;
}

enum status state_tally(struct state *state, const struct tally_key *key,
                        const struct tally_add *add)
{
    (void)state, (void)key, (void)add;
    return STATUS_OK;
}

uint64_t state_tally_max(struct state *state, const struct tally_key *key)
{
    (void)state, (void)key;
    return 0;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void add(XXH3_state_t *sum, const void *bytes, size_t length)
{
    MUST(XXH3_64bits_update(sum, bytes, length) == XXH_OK);
}

static void add_person(XXH3_state_t *sum, struct person *person)
{
    add(sum, &person->row, sizeof(person->row));
    add(sum, &person->last_seq, sizeof(person->last_seq));
    if (person->task.number != 0)
        add(sum, &person->task, sizeof(person->task));
    for (uint32_t i = 0; i < person->further_count; i++)
        add(sum, &person->further[i], sizeof(person->further[i]));
    for (uint32_t i = 0; i < person->dues.count; i++) {
        const struct state_due *due = &memory_dues_rows(&person->dues)[i];
        const uint64_t words[] = {due->due_ms, due->task, due->kind};
        add(sum, words, sizeof(words));
    }
}

uint64_t memory_digest(const struct state *state)
{
    XXH3_state_t *sum = XXH3_createState();

    MUST(sum && XXH3_64bits_reset(sum) == XXH_OK);
    add(sum, &state->meta, sizeof(state->meta));
    for (size_t i = 0; i < state->people_capacity; i++)
        if (state->people[i].last_seq != 0)
            add_person(sum, &state->people[i]);
    for (uint32_t i = 0; i < state->queue_count; i++) {
        const struct visible_rows *visible = &state->visible[i];
        add(sum, &state->queues[i], sizeof(state->queues[i]));
        add(sum, visible->rows + visible->begin,
            (visible->end - visible->begin) * sizeof(*visible->rows));
    }
    uint64_t digest = XXH3_64bits_digest(sum);
    XXH3_freeState(sum);
    return digest;
}
