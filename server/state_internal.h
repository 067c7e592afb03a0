/* What the files of state share: the tables, their keys, and rows as they are stored. For
 * state*.c only. */
#ifndef HOTLEAD_SERVER_STATE_INTERNAL_H
#define HOTLEAD_SERVER_STATE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/lmdb_env.h"
#include "server/state.h"
#include "server/state_young.h"
#include "server/tally.h"

enum state_table {
    TABLE_META,
    TABLE_QUEUE,
    TABLE_PERSON,
    TABLE_TASK,
    TABLE_DUE,
    TABLE_OUTBOX,
    TABLE_VISIBLE,
    TABLE_DROPPED,
    TABLE_ENTITY,
    TABLE_SUSPECT,
    TABLE_TALLY,
    TABLE_AGENT,
    TABLE_WORK,
    TABLE_OWNED,
    TABLE_EDGE,
    TABLE_REVIEW,
    TABLE_COUNT
};

#define STATE_PEOPLE_KEPT 1024

struct state {
    struct lmdb_env lmdb;
    MDB_dbi tables[TABLE_COUNT];
    struct state_options options;
    char *directory;

    /* Writer thread. */
    MDB_txn *txn;                     /* NULL: none open */
    MDB_cursor *cursors[TABLE_COUNT]; /* of it, opened when first needed; LMDB closes them */
    MDB_txn *peek;                    /* for finds while none is; reset between them */
    bool changed;                     /* a row, in the open transaction */
    enum status broken;               /* of the first put or find that failed; OK: none did */
    uint64_t people_top;              /* highest number in the person table: behind it is APPEND */
    uint64_t committed_people_top;
    struct state_meta meta;
    struct state_meta committed_meta;
    uint32_t queue_count; /* one more than the highest that was ever asked for */
    /* By number. Memory that nobody has touched is none, so the many that are not there cost
     * nothing.
     */
    struct state_queue queues[STATE_QUEUES_MAX];
    struct state_queue committed_queues[STATE_QUEUES_MAX];
    /* Those that a commit has to look at: asked for since the last one, or with young rows. */
    uint32_t busy_count;
    uint32_t busy[STATE_QUEUES_MAX];
    bool is_busy[STATE_QUEUES_MAX];
    uint32_t agent_count; /* as queue_count */
    struct state_agent agents[STATE_AGENTS_MAX];
    struct state_agent committed_agents[STATE_AGENTS_MAX];

    /* Writer thread: rows that are not in their tables yet. */
    uint64_t young_rows; /* all of them: */
    struct young young_due;
    struct young young_visible[STATE_QUEUES_MAX], young_outbox[STATE_QUEUES_MAX];
    bool lacking; /* they were lost, and are being restored */
    uint64_t settled_seq, committed_settled_seq;
    uint64_t turn_ms;            /* folded_ms at the last turn: */
    uint64_t turn_seq, aged_seq; /* the record of then, and of the turn before */

    /* Writer thread. By the low bits of their numbers. */
    struct state_kept {
        uint64_t person; /* 0: nobody */
        uint64_t last_seq;
        bool changed; /* what its table has is older */
        struct person_row row;
        struct task_row task; /* number 0: none */
    } people[STATE_PEOPLE_KEPT];

    struct tally tally; /* writer thread: cells, of which the changed ones go with a commit */

    /* Any thread. */
    _Atomic unsigned readers;
};

struct state_reader {
    struct state *state;
    MDB_txn *snapshot;   /* NULL until the first read */
    enum status failure; /* of the last read that failed since a release; OK: none did */
    bool reading;        /* else it is reset and holds nothing */
};

/* --- keys: fixed-width, big-endian ------------------------------------------ */

struct state_key {
    uint8_t bytes[24];
    size_t length;
};

#define STATE_META_KEY ((struct state_key){.bytes = "meta", .length = 4})

static inline void key_add32(struct state_key *key, uint32_t number)
{
    uint32_t stored = __builtin_bswap32(number);

    memcpy(key->bytes + key->length, &stored, sizeof stored);
    key->length += sizeof stored;
}

static inline void key_add64(struct state_key *key, uint64_t number)
{
    uint64_t stored = __builtin_bswap64(number);

    memcpy(key->bytes + key->length, &stored, sizeof stored);
    key->length += sizeof stored;
}

static inline void key_add8(struct state_key *key, uint8_t number)
{
    key->bytes[key->length++] = number;
}

static inline struct state_key key_of_person(uint64_t person)
{
    struct state_key key = {.length = 0};

    key_add64(&key, person);
    return key;
}

static inline struct state_key key_of_task(uint64_t person, uint64_t task)
{
    struct state_key key = {.length = 0};

    key_add64(&key, person);
    key_add64(&key, task);
    return key;
}

static inline struct state_key key_of_due(uint64_t due_ms, uint64_t person, uint64_t task)
{
    struct state_key key = {.length = 0};

    key_add64(&key, due_ms);
    key_add64(&key, person);
    key_add64(&key, task);
    return key;
}

static inline struct state_key key_of_outbox(uint32_t queue, uint64_t seq)
{
    struct state_key key = {.length = 0};

    key_add32(&key, queue);
    key_add64(&key, seq);
    return key;
}

static inline struct state_key key_of_visible(uint32_t queue, uint64_t rank_ms, uint64_t task)
{
    struct state_key key = {.length = 0};

    key_add32(&key, queue);
    key_add64(&key, rank_ms);
    key_add64(&key, task);
    return key;
}

static inline struct state_key key_of_dropped(uint64_t dropped_ms, uint32_t queue, uint64_t seq)
{
    struct state_key key = {.length = 0};

    key_add64(&key, dropped_ms);
    key_add32(&key, queue);
    key_add64(&key, seq);
    return key;
}

/* Inverted, so that the newest stands first. */
static inline struct state_key key_of_suspect(uint32_t agency, uint64_t optin_seq)
{
    struct state_key key = {.length = 0};

    key_add32(&key, agency);
    key_add64(&key, ~optin_seq);
    return key;
}

static inline struct state_key key_of_edge(uint64_t person, uint8_t kind, uint64_t other)
{
    struct state_key key = {.length = 0};

    key_add64(&key, person);
    key_add8(&key, kind);
    key_add64(&key, other);
    return key;
}

/* Newest first, as above. */
static inline struct state_key key_of_review(uint32_t agency, uint64_t seq, uint64_t other)
{
    struct state_key key = {.length = 0};

    key_add32(&key, agency);
    key_add64(&key, ~seq);
    key_add64(&key, other);
    return key;
}

/* The days of one kind and side lie behind each other. */
static inline struct state_key key_of_tally(const struct tally_key *cell)
{
    struct state_key key = {.length = 0};

    key_add32(&key, cell->agency);
    key_add8(&key, cell->kind);
    key_add8(&key, cell->dimension);
    key_add32(&key, cell->day);
    key_add64(&key, cell->value);
    return key;
}

static inline struct state_key key_of_entity(uint32_t kind, uint32_t number)
{
    struct state_key key = {.length = 0};

    key_add32(&key, kind);
    key_add32(&key, number);
    return key;
}

static inline struct state_key key_of_queue(uint32_t queue)
{
    struct state_key key = {.length = 0};

    key_add32(&key, queue);
    return key;
}

static inline struct state_key key_of_agent(uint32_t agent)
{
    return key_of_queue(agent);
}

static inline struct state_key key_of_work(uint32_t agent, uint64_t deadline_ms, uint64_t task)
{
    return key_of_visible(agent, deadline_ms, task);
}

static inline struct state_key key_of_owned(uint32_t agent, uint64_t person)
{
    return key_of_outbox(agent, person);
}

static inline uint32_t key_part32(const void *key, size_t offset)
{
    uint32_t stored;

    memcpy(&stored, (const char *)key + offset, sizeof stored);
    return __builtin_bswap32(stored);
}

static inline uint8_t key_part8(const void *key, size_t offset)
{
    return ((const uint8_t *)key)[offset];
}

static inline uint64_t key_part64(const void *key, size_t offset)
{
    uint64_t stored;

    memcpy(&stored, (const char *)key + offset, sizeof stored);
    return __builtin_bswap64(stored);
}

/* --- rows: copied out, because stored ones are not aligned -------------------- */

struct state_stored_meta {
    uint64_t version;
    uint64_t settled_seq;
    struct state_meta meta;
    uint64_t checksum; /* XXH3 of all before it: counters that nothing else says */
};

struct state_stored_visible {
    uint64_t person;
    uint64_t outbox_seq;
};

/* The task row of a put is the open task's own, as long as the put is out; a drop has its own
 * copy, because the task has gone on. */
struct state_stored_put {
    uint64_t person, task;
};

static inline struct tally_key tally_key_of(const void *key)
{
    return (struct tally_key){.agency = key_part32(key, 0),
                              .kind = key_part8(key, 4),
                              .dimension = key_part8(key, 5),
                              .day = key_part32(key, 6),
                              .value = key_part64(key, 10)};
}
#define TALLY_KEY_BYTES 18

_Static_assert(sizeof(struct outbox_row) == 224, "stored");
_Static_assert(sizeof(struct state_queue) == 56, "stored");
_Static_assert(sizeof(struct state_agent) == 24, "stored");

/* Fixed-size rows of another size are damage. */
static inline int state_row_copy(MDB_val stored, void *row_out, size_t bytes)
{
    if (stored.mv_size != bytes)
        return MDB_CORRUPTED;
    memcpy(row_out, stored.mv_data, bytes);
    return 0;
}

/* All of these return LMDB's codes: 0, MDB_NOTFOUND, or an error. */
int state_get(const struct state *state, MDB_txn *txn, enum state_table table,
              const struct state_key *key, MDB_val *value_out);
/* The first row from `key` on, of those whose key is as long; key_out is a copy. */
int state_get_from(const struct state *state, MDB_txn *txn, enum state_table table,
                   const struct state_key *key, struct state_key *key_out, MDB_val *value_out);
int state_get_person(const struct state *state, MDB_txn *txn, uint64_t person,
                     struct person_row *row_out, struct task_row *task_out, uint64_t *last_seq_out);
int state_get_task(const struct state *state, MDB_txn *txn, uint64_t person, uint64_t task,
                   struct task_row *out);
/* The first put of the queue of `from` that does not sort before it. */
int state_get_visible(const struct state *state, MDB_txn *txn, const struct state_key *from,
                      struct state_visible *out);
int state_get_work(const struct state *state, MDB_txn *txn, uint32_t agent, uint64_t deadline_ms,
                   uint64_t task, struct state_work *out);
int state_get_task_after(const struct state *state, MDB_txn *txn, uint64_t person, uint64_t after,
                         struct task_row *out);
/* The first edge of the person and kind to somebody from `from` on. */
int state_get_edge_from(const struct state *state, MDB_txn *txn, uint64_t person, uint8_t kind,
                        uint64_t from, struct state_edge *out);

/* --- people and tasks as they are stored (state_pack.c) --------------------------- */

#define STATE_PACKED_MAX 520 /* 64 words, and their bits */
/* Both return the length. A person's first open task is stored with him; NULL: he has none. */
size_t state_pack_person(char *out, const struct person_row *row, const struct task_row *task,
                         uint64_t last_seq);
size_t state_pack_task(char *out, const struct task_row *row);
/* 0, or MDB_CORRUPTED. */
int state_decode_person(MDB_val stored, struct person_row *row_out, struct task_row *task_out,
                        uint64_t *last_seq_out);
int state_decode_task(MDB_val stored, uint64_t number, struct task_row *out);

/* --- young rows (state_settle.c) ------------------------------------------------ */

/* Those of a table and, for visible and outbox, a queue. */
struct young *state_young(struct state *state, enum state_table table, uint32_t queue);
/* Puts what was made by the record and earlier ones, `most` rows, into the open transaction, and
 * notes what is still missing in the tables. */
enum status state_settle(struct state *state, uint64_t until_seq, unsigned most);
/* How far what is to be settled now reaches. */
uint64_t state_aged_seq(struct state *state);
void state_forget_young(struct state *state);
/* Into the table itself. */
enum status state_put_row(struct state *state, enum state_table table, struct state_key key,
                          const void *row, size_t bytes);

/* Where the row's bytes are to be written, in the open transaction. */
enum status state_reserve_row(struct state *state, enum state_table table, struct state_key key,
                              size_t bytes, char **row_out);
enum status state_delete_row(struct state *state, enum state_table table, struct state_key key);

/* --- people at hand (state_people.c) ------------------------------------------ */

/* Those that changed go to their table. */
enum status state_put_people(struct state *state);
void state_forget_people(struct state *state);

/* To and from the table (state_rows.c). */
enum status state_store_person(struct state *state, uint64_t person, const struct person_row *row,
                               const struct task_row *task, uint64_t last_seq);
bool state_load_person(struct state *state, uint64_t person, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out);

/* Puts the cells that have changed into the open transaction (state_tally.c). */
enum status state_put_tally(struct state *state);

/* Takes a snapshot unless the reader has one. */
enum status state_reader_begin(struct state_reader *reader);
/* What LMDB said of a read, which counts as the reader's failure if it is one. */
enum status state_reader_note(struct state_reader *reader, const char *what, int code);

#endif
