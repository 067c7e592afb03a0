/* What stands around publish in its tests: a real Redis, a real state, and in place of the
 * writer's thread a few functions that do what it does, when the test says so. Included by one
 * file of a test. */
#ifndef HOTLEAD_TESTS_OUTLET_H
#define HOTLEAD_TESTS_OUTLET_H

#include "server/publish_internal.h"
#include "tests/folder.h"
#include "tests/redis_server.h"
#include "tests/unit.h"

#define OUTLET_EPOCH  0xe1
#define OUTLET_MARK   "hl:{acme.calls}:mark:n1:e1"
#define OUTLET_TASKS  "hl:{acme.calls}:tasks"
#define OUTLET_TASKS2 "hl:{acme.mails}:tasks"
#define SETTLED_MAX   64

struct outlet {
    uv_loop_t loop;
    struct server server;
    struct folder folder;
    struct state *state;
    struct log *log;
    struct stats *stats;
    struct clock *clock;
    struct publish *publish;
    struct queue queues[3]; /* by number */
    size_t memory_max;
    int log_pipe[2];

    uint64_t committed_before_us; /* ago: what publish is told about */
    bool rendering;               /* publish wants members */
    bool holding_commits;         /* state does not commit but for a barrier */
    bool keeping_young;           /* a commit leaves what came just now out of the tables */
    enum status submit;           /* what the writer says to commands */
    enum status render;           /* and the renderer that publish has */
    struct command popped_before; /* the last but one of its kind, */
    struct command popped;        /* the last of its kind, */
    struct command reported;      /* and of this one, without its payload */
    uint64_t epoch;               /* in force */
    unsigned popped_count, reported_count, barrier_count, forgot_count, epoch_count, watched_count;
    struct settlement settlements[SETTLED_MAX]; /* on their way back */
    unsigned settlement_count;

    unsigned store_count;    /* writer_store_outbox */
    uint64_t claimed_ticket; /* of the last answer */
    unsigned claimed_count;
    enum status claimed_status;
    char claimed[TASK_BYTES_MAX + 1];
};

static struct outlet *outlet; /* the fakes below have no other way to it */

/* --- the writer -------------------------------------------------------------------------- */

static const struct hash_key outlet_key = {{7}};

enum status writer_submit(struct writer *writer, const struct command *command)
{
    struct settlement settlement = {.ticket = command->ticket, .kind = command->kind};

    (void)writer;
    if (outlet->submit != STATUS_OK)
        return outlet->submit;
    MUST(outlet->settlement_count < SETTLED_MAX);
    if (command->kind == COMMAND_POPPED) {
        outlet->popped_before = outlet->popped;
        outlet->popped = *command;
        outlet->popped_count++;
    } else if (command->kind == COMMAND_REPORT) {
        outlet->reported = *command;
        outlet->reported.payload = (struct slice){NULL, 0};
        outlet->reported_count++;
    } else if (command->kind == COMMAND_EPOCH) {
        outlet->epoch = command->epoch;
        outlet->epoch_count++;
    } else {
        MUST(command->kind == COMMAND_BARRIER);
        outlet->barrier_count++;
    }
    outlet->settlements[outlet->settlement_count++] = settlement;
    return STATUS_OK;
}

void writer_render(struct writer *writer, bool wanted)
{
    (void)writer;
    outlet->rendering = wanted;
}

void writer_store_outbox(struct writer *writer)
{
    (void)writer;
    outlet->store_count++;
}

const struct hash_key *writer_id_key(const struct writer *writer)
{
    (void)writer;
    return &outlet_key;
}

const struct hash_key *writer_hash_key(const struct writer *writer)
{
    (void)writer;
    return &outlet_key;
}

uint64_t writer_epoch(const struct writer *writer)
{
    (void)writer;
    return outlet->epoch;
}

struct journal *writer_journal(const struct writer *writer)
{
    (void)writer;
    return NULL;
}

struct state *writer_state(const struct writer *writer)
{
    (void)writer;
    return outlet->state;
}

/* --- journal and registry ---------------------------------------------------------------- */

enum status journal_reader_open(struct journal *journal, struct journal_reader **out)
{
    (void)journal;
    *out = NULL;
    return STATUS_OK;
}

void journal_reader_close(struct journal_reader *reader)
{
    (void)reader;
}

void journal_reader_release(struct journal_reader *reader)
{
    (void)reader;
}

/* Task n was opened by record n >> 3, which was about the person of that number. */
enum status journal_read(struct journal_reader *reader, uint64_t seq, struct record_view *out)
{
    (void)reader;
    *out =
        (struct record_view){.header = {.seq = seq, .person = seq, .now_ms = 1700000000000 + seq}};
    return seq < 1000000 ? STATUS_OK : STATUS_NOT_FOUND;
}

struct queue *registry_queue(const struct registry *registry, uint32_t number)
{
    (void)registry;
    return number == 1 || number == 2 ? &outlet->queues[number] : NULL;
}

uint32_t registry_count(const struct registry *registry, enum entity_kind kind)
{
    (void)registry;
    MUST(kind == ENTITY_QUEUE);
    return 2;
}

enum status render_member(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                          const struct task_row *task, struct text *out)
{
    char id[ID_TEXT_LENGTH];

    MUST(person == task->number >> 3 && person_first_ms == 1000 + person);
    if (renderer != NULL && outlet->render != STATUS_OK)
        return outlet->render;
    id_format(id, &outlet_key, ID_TASK, task->opened_ms, task->number);
    text_string(out, "{\"v\":1,\"id\":\"");
    text_bytes(out, id, sizeof(id));
    text_printf(out, "\",\"delivery\":%u,\"report\":\"hl:{%s}:reports:n1\",\"n\":%llu}",
                task->delivery, outlet->queues[task->queue].id, (unsigned long long)task->number);
    return STATUS_OK;
}

/* --- what the engine does ---------------------------------------------------------------- */

static inline struct task_row outlet_task(uint64_t person)
{
    struct person_row row;
    struct task_row task = {0};
    uint64_t last_seq;

    state_person_find(outlet->state, person, &row, &task, &last_seq);
    return task;
}

/* The bytes of a task as its row says. */
static inline const char *outlet_member(const struct task_row *task)
{
    static char member[TASK_BYTES_MAX + 1];
    struct text text = text_over(member, TASK_BYTES_MAX);

    MUST(render_member(NULL, task->number >> 3, 1000 + (task->number >> 3), task, &text) ==
         STATUS_OK);
    member[text.length] = '\0';
    return member;
}

static inline void outlet_commit(void)
{
    if (state_is_dirty(outlet->state))
        MUST((outlet->keeping_young ? state_commit_live(outlet->state, false)
                                    : state_commit(outlet->state)) == STATUS_OK);
}

static inline void outlet_store(uint64_t person, const struct task_row *task)
{
    struct person_row row = {.first_ms = 1000 + person};

    MUST(state_begin(outlet->state) == STATUS_OK);
    MUST(state_person_put(outlet->state, person, &row, task, person) == STATUS_OK);
}

/* Tells publish, as the writer does for each operation of a batch. */
static inline void outlet_tell(enum outbox_op op, uint64_t seq, const struct task_row *task)
{
    struct writer_outbox operation = {.queue = task->queue,
                                      .seq = seq,
                                      .op = op,
                                      .rank_ms = task->rank_ms,
                                      .task = task->number,
                                      .committed_us =
                                          clock_monotonic_us() - outlet->committed_before_us};

    if (outlet->rendering)
        operation.member = slice_of(outlet_member(task));
    if (outlet->publish != NULL)
        publish_operation(outlet->publish, &operation);
}

static inline uint64_t outlet_operation(enum outbox_op op, const struct task_row *task)
{
    struct state_queue *queue = state_queue(outlet->state, task->queue);
    struct outbox_row row = {.person = task->number >> 3, .task = *task, .op = (uint8_t)op};
    uint64_t seq = ++queue->outbox_seq;

    if (op == OUTBOX_PUT)
        row.task.put_seq = seq;
    MUST(state_begin(outlet->state) == STATUS_OK);
    MUST(state_outbox_put(outlet->state, task->queue, seq, &row) == STATUS_OK);
    return seq;
}

/* Ends a batch. */
static inline void outlet_flush(void)
{
    if (outlet->publish != NULL)
        publish_flush(outlet->publish);
    if (!outlet->holding_commits)
        outlet_commit();
}

static inline void outlet_put_in(uint32_t queue, uint64_t person, uint64_t rank_ms)
{
    struct task_row task = {.number = person << 3,
                            .opened_ms = 1700000000000 + person,
                            .rank_ms = rank_ms,
                            .queue = queue,
                            .delivery = 1,
                            .state = TASK_QUEUED};

    task.put_seq = outlet_operation(OUTBOX_PUT, &task);
    state_queue(outlet->state, queue)->open_tasks++;
    outlet_store(person, &task);
    outlet_tell(OUTBOX_PUT, task.put_seq, &task);
}

/* Opens the task of a person. */
static inline void outlet_put(uint64_t person, uint64_t rank_ms)
{
    outlet_put_in(1, person, rank_ms);
    outlet_flush();
}

/* Ends the task of a person, and withdraws it. */
static inline void outlet_drop(uint64_t person)
{
    struct task_row task = outlet_task(person);

    MUST(task.number != 0);
    uint64_t seq = outlet_operation(OUTBOX_DROP, &task);
    MUST(state_outbox_delete(outlet->state, task.queue, task.put_seq) == STATUS_OK);
    state_queue(outlet->state, task.queue)->open_tasks--;
    outlet_store(person, NULL);
    outlet_tell(OUTBOX_DROP, seq, &task);
    outlet_flush();
}

/* A person's task is known as popped: it is out of the outbox. */
static inline void outlet_popped(uint64_t person)
{
    struct task_row task = outlet_task(person);

    MUST(state_begin(outlet->state) == STATUS_OK);
    MUST(state_outbox_delete(outlet->state, task.queue, task.put_seq) == STATUS_OK);
    task.state = TASK_POPPED;
    task.put_seq = 0;
    outlet_store(person, &task);
    outlet_flush();
}

/* --- the loop's side --------------------------------------------------------------------- */

static inline void outlet_on_claimed(void *owner, uint64_t ticket, enum status status,
                                     struct slice member)
{
    (void)owner;
    outlet->claimed_ticket = ticket;
    outlet->claimed_status = status;
    outlet->claimed_count++;
    memcpy(outlet->claimed, member.length > 0 ? member.bytes : "", member.length);
    outlet->claimed[member.length] = '\0';
}

static inline void outlet_on_watched(void *owner)
{
    (void)owner;
    outlet->watched_count++;
}

static inline void outlet_on_forgot(void *owner)
{
    (void)owner;
    outlet->forgot_count++;
}

static inline bool outlet_is_reconciled(void *owner)
{
    (void)owner;
    return stats_count(outlet->stats, STATS_REDIS_RECONCILES) >= 1;
}

/* Brings settlements back, as the writer does between two turns of the loop. */
static inline void outlet_settle(void)
{
    unsigned count = outlet->settlement_count;
    struct settlement settlements[SETTLED_MAX];

    memcpy(settlements, outlet->settlements, sizeof(settlements));
    outlet->settlement_count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (settlements[i].kind == COMMAND_BARRIER)
            outlet_commit();
        publish_on_settled(outlet->publish, &settlements[i]);
    }
}

struct outlet_wait {
    loop_condition_fn *condition;
    void *owner;
};

static inline bool outlet_turn(void *owner)
{
    struct outlet_wait *wait = owner;

    outlet_settle();
    return wait->condition(wait->owner);
}

static inline bool outlet_until(loop_condition_fn *condition, void *owner, unsigned most_ms)
{
    struct outlet_wait wait = {condition, owner};

    return loop_until(&outlet->loop, outlet_turn, &wait, most_ms);
}

static inline void outlet_for(unsigned ms)
{
    outlet_until(loop_never, NULL, ms);
}

static inline bool outlet_is_idle(void *owner)
{
    (void)owner;
    return publish_is_up(outlet->publish) && publish_is_idle(outlet->publish);
}

static inline bool outlet_is_down(void *owner)
{
    (void)owner;
    return !publish_is_up(outlet->publish);
}

static inline bool outlet_is_up(void *owner)
{
    (void)owner;
    return publish_is_up(outlet->publish);
}

static inline void outlet_catch_up(void)
{
    assert_true(outlet_until(outlet_is_idle, NULL, 3000));
}

/* A process starts: everything that publish knew is gone. */
static inline void outlet_launch(void)
{
    struct publish_options options = {.loop = &outlet->loop,
                                      .redis_url = outlet->server.url,
                                      .prefix = "hl",
                                      .node = "n1",
                                      .clock = outlet->clock,
                                      .log = outlet->log,
                                      .stats = outlet->stats,
                                      .memory_max = outlet->memory_max,
                                      .watch_ms = 100,
                                      .on_claimed = outlet_on_claimed,
                                      .on_forgot = outlet_on_forgot,
                                      .on_watched = outlet_on_watched};

    assert_status(publish_open(&options, &outlet->publish), STATUS_OK);
    publish_ready(outlet->publish);
}

/* Begins, and waits until Redis is met. */
static inline void outlet_meet(void)
{
    outlet_launch();
    assert_true(outlet_until(outlet_is_up, NULL, 3000));
}

static inline void outlet_stop(void)
{
    publish_close(outlet->publish);
    outlet->publish = NULL;
    outlet->settlement_count = 0;
    uv_run(&outlet->loop, UV_RUN_DEFAULT);
}

/* What was logged so far. */
static inline const char *outlet_logged(void)
{
    static char lines[65536];

    MUST(write(outlet->log_pipe[1], ".", 1) == 1);
    ssize_t length = read(outlet->log_pipe[0], lines, sizeof(lines) - 1);
    MUST(length > 0);
    lines[length] = '\0';
    return lines;
}

static inline int outlet_set_up(void **state)
{
    (void)state;
    outlet = calloc(1, sizeof(*outlet));
    MUST(outlet != NULL && pipe(outlet->log_pipe) == 0 && uv_loop_init(&outlet->loop) == 0);
    server_start(&outlet->server);
    outlet->folder = folder_make();
    struct state_options options = {.directory = folder_path(&outlet->folder, "state"),
                                    .map_bytes = 64 << 20};
    MUST(state_open(&options, &outlet->state) == STATUS_OK);
    outlet->log = log_open(outlet->log_pipe[1], LOG_INFO);
    outlet->stats = stats_open();
    MUST(clock_open(NULL, &outlet->clock) == STATUS_OK);
    outlet->queues[1] = (struct queue){.number = 1, .id = "acme.calls", .shape = QUEUE_ZSET};
    outlet->queues[2] = (struct queue){.number = 2, .id = "acme.mails", .shape = QUEUE_ZSET};
    outlet->memory_max = 1 << 20;
    outlet->epoch = OUTLET_EPOCH;
    return 0;
}

static inline int outlet_set_up_list(void **state)
{
    outlet_set_up(state);
    outlet->queues[1].shape = QUEUE_LIST;
    return 0;
}

static inline int outlet_tear_down(void **state)
{
    (void)state;
    if (outlet->publish != NULL)
        outlet_stop();
    MUST(uv_loop_close(&outlet->loop) == 0);
    server_end(&outlet->server);
    state_close(outlet->state);
    folder_remove(&outlet->folder);
    log_close(outlet->log);
    stats_close(outlet->stats);
    clock_close(outlet->clock);
    close(outlet->log_pipe[0]);
    close(outlet->log_pipe[1]);
    free(outlet);
    return 0;
}

/* --- what is in Redis -------------------------------------------------------------------- */

static inline uint64_t outlet_number_of(const char *member)
{
    const char *found = strstr(member, "\"n\":");

    return found != NULL ? strtoull(found + 4, NULL, 10) >> 3 : 0;
}

/* The persons whose tasks stand in a queue, in order: "3 1 2". */
static inline const char *outlet_queue_of(const char *key)
{
    static char result[65536];
    redisReply *type = server_do(&outlet->server, "TYPE %s", key);
    redisReply *reply = strcmp(type->str, "list") == 0
                            ? server_do(&outlet->server, "LRANGE %s 0 -1", key)
                            : server_do(&outlet->server, "ZRANGE %s 0 -1", key);
    size_t length = 0;

    result[0] = '\0';
    for (size_t i = 0; i < reply->elements; i++)
        length +=
            (size_t)snprintf(result + length, sizeof(result) - length, "%s%llu", i > 0 ? " " : "",
                             (unsigned long long)outlet_number_of(reply->element[i]->str));
    freeReplyObject(type);
    freeReplyObject(reply);
    return result;
}

static inline bool outlet_holds(void *persons)
{
    return strcmp(outlet_queue_of(OUTLET_TASKS), persons) == 0;
}

#define assert_queue(persons, most_ms)                                                             \
    do {                                                                                           \
        static char expected_[] = persons;                                                         \
        if (!outlet_until(outlet_holds, expected_, (most_ms)))                                     \
            fail_msg("queue holds '%s', should hold '%s'", outlet_queue_of(OUTLET_TASKS),          \
                     expected_);                                                                   \
    } while (0)

/* The mark of the epoch in force. */
static inline uint64_t outlet_mark(void)
{
    redisReply *reply = server_do(&outlet->server, "GET hl:{acme.calls}:mark:n1:%llx",
                                  (unsigned long long)outlet->epoch);
    uint64_t seq = reply->str != NULL ? strtoull(reply->str, NULL, 10) : 0;

    freeReplyObject(reply);
    return seq;
}

#endif
