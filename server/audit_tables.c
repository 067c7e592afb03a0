/* The tables whose rows follow from people and open tasks: what should be there, sorted by table
 * and key, beside what is. The two differ by rows that are missing, rows that nothing is open for,
 * and rows that say something else under the right key. */
#include <xxhash.h>

#include "proto/must.h"
#include "server/audit_internal.h"

struct table {
    const char *name, *what;
    size_t key_bytes;
    size_t value_bytes;
};

static const struct table tables[] = {
    [AUDIT_DUE] = {"due", "due time", 24, 1},
    [AUDIT_OUTBOX] = {"outbox", "put for its queue", 12, 16},
    [AUDIT_VISIBLE] = {"visible", "place in its queue", 20, 16},
    [AUDIT_SUSPECT] = {"suspect", "entry among the suspect opt-ins", 12, 16},
    [AUDIT_WORK] = {"work", "entry in its agent's work", 20, 8},
    [AUDIT_OWNED] = {"owned", "entry among its owner's people", 12, 0},
    [AUDIT_EDGE] = {"edge", "note of how the person hangs together with others", 17, 8},
    [AUDIT_REVIEW] = {"review", "entry among the people for review", 20, 8},
};

#define WORDS_MAX (AUDIT_NAME_MAX + 64)

/* A row in the words of whoever reads it: how two people hang together says more than that they do.
 */
static const char *name_row(struct audit *audit, enum audit_table table, const void *key,
                            char out[WORDS_MAX])
{
    static const char *const relations[EDGE_KIND_END] = {
        [EDGE_COLLIDES] = "note that it may be the same person as ",
        [EDGE_MERGED_INTO] = "merge into ",
        [EDGE_MERGED] = "merge that took in ",
        [EDGE_REFERRED_BY] = "referral by ",
        [EDGE_REFERRED] = "referral of ",
        [EDGE_PARTED] = "note that it was one with ",
    };
    static const char *const found_by[EDGE_KIND_END] = {
        [EDGE_PHONE] = "further phone number",
        [EDGE_EMAIL] = "further e-mail address",
        [EDGE_ALONE] = "note of what the person is alone",
    };
    const uint8_t *bytes = key;
    char name[AUDIT_NAME_MAX];

    if (table != AUDIT_EDGE || bytes[8] >= EDGE_KIND_END)
        return tables[table].what;
    uint64_t other = audit_be64(bytes + 9);
    if (found_by[bytes[8]])
        return found_by[bytes[8]];
    if (!relations[bytes[8]] || other == 0)
        return tables[table].what;
    audit_name_person(audit, other, name);
    snprintf(out, WORDS_MAX, "%s%s", relations[bytes[8]], name);
    return out;
}

/* --- cursors ------------------------------------------------------------------------------ */

static void take(struct audit *audit, struct audit_cursor *cursor, MDB_cursor_op where)
{
    int code = mdb_cursor_get(cursor->cursor, &cursor->key, &cursor->value, where);

    cursor->has = code == 0;
    if (code != MDB_NOTFOUND)
        audit_fail(audit, lmdb_env_failed(&audit->state, "mdb_cursor_get", code));
}

void audit_cursor_open(struct audit *audit, const char *table, struct audit_cursor *out)
{
    MDB_dbi dbi;
    int code;

    *out = (struct audit_cursor){0};
    if (!audit->snapshot)
        return;
    code = mdb_dbi_open(audit->snapshot, table, 0, &dbi);
    if (code == 0)
        code = mdb_cursor_open(audit->snapshot, dbi, &out->cursor);
    if (code != MDB_NOTFOUND)
        audit_fail(audit, lmdb_env_failed(&audit->state, "mdb_dbi_open", code));
    if (out->cursor)
        take(audit, out, MDB_FIRST);
}

void audit_cursor_next(struct audit *audit, struct audit_cursor *cursor)
{
    take(audit, cursor, MDB_NEXT);
}

void audit_cursor_close(struct audit_cursor *cursor)
{
    if (cursor->cursor)
        mdb_cursor_close(cursor->cursor);
}

/* --- one row beside the other --------------------------------------------------------------- */

static struct audit_about about_row(const struct audit_row *row)
{
    struct audit_about about = {.person = row->person,
                                .first_ms = row->first_ms,
                                .task = row->task,
                                .opened_ms = row->opened_ms};

    if (row->table == AUDIT_SUSPECT)
        about.record = ~audit_be64(row->key + 4);
    return about;
}

/* Whom a row is about that nothing expects, as far as it says so itself. */
static struct audit_about about_stored(enum audit_table table, const struct audit_cursor *cursor)
{
    const char *key = cursor->key.mv_data, *value = cursor->value.mv_data;
    struct audit_about about = {0};

    if (cursor->key.mv_size != tables[table].key_bytes ||
        cursor->value.mv_size != tables[table].value_bytes)
        return about;
    if (table == AUDIT_DUE) {
        about.person = audit_be64(key + 8);
        about.task = audit_be64(key + 16);
    } else if (table == AUDIT_OUTBOX) {
        memcpy(&about.person, value, sizeof about.person);
        memcpy(&about.task, value + 8, sizeof about.task);
    } else if (table == AUDIT_VISIBLE) {
        memcpy(&about.person, value, sizeof about.person);
        about.task = audit_be64(key + 12);
    } else if (table == AUDIT_WORK) {
        memcpy(&about.person, value, sizeof about.person);
        about.task = audit_be64(key + 12);
    } else if (table == AUDIT_OWNED) {
        about.person = audit_be64(key + 4);
    } else if (table == AUDIT_EDGE) {
        about.person = audit_be64(key);
    } else if (table == AUDIT_REVIEW) {
        memcpy(&about.person, value, sizeof about.person);
    } else {
        about.record = ~audit_be64(key + 4);
    }
    return about;
}

/* A drop is the trace of a put that is out no more; it goes within an hour, and nothing waits for
 * it. */
static bool is_drop(enum audit_table table, const struct audit_cursor *cursor)
{
    struct outbox_row row;

    if (table != AUDIT_OUTBOX || cursor->value.mv_size != sizeof row)
        return false;
    memcpy(&row, cursor->value.mv_data, sizeof row);
    return row.op == OUTBOX_DROP;
}

/* Values are as many numbers as they have as they lie in memory (a site's has four bytes of zero
 * behind it), but for the kind of what is due. */
static bool says_the_same(const struct audit_row *row, const struct audit_cursor *cursor)
{
    if (cursor->value.mv_size != tables[row->table].value_bytes)
        return false;
    if (row->table == AUDIT_DUE)
        return *(const uint8_t *)cursor->value.mv_data == row->value[0];
    return memcmp(cursor->value.mv_data, row->value, cursor->value.mv_size) == 0;
}

_Static_assert(sizeof(struct suspect_row) == sizeof((struct audit_row){0}.value), "stored");

/* Keys of a table are of one length: another one is damage, and stands where its bytes do. */
static int compare(enum audit_table table, const struct audit_cursor *cursor,
                   const struct audit_row *row)
{
    size_t wanted = tables[table].key_bytes, stored = cursor->key.mv_size;
    int order = memcmp(cursor->key.mv_data, row->key, stored < wanted ? stored : wanted);

    return order != 0 ? order : (stored > wanted) - (stored < wanted);
}

static void tell_stray(struct audit *audit, enum audit_table table,
                       const struct audit_cursor *cursor)
{
    struct audit_about about = about_stored(table, cursor);
    char words[WORDS_MAX];

    if (is_drop(table, cursor))
        return;
    if (cursor->key.mv_size == tables[table].key_bytes)
        audit_tell(audit, &about, "the %s in state does not follow from the journal",
                   name_row(audit, table, cursor->key.mv_data, words));
    else
        audit_tell(audit, &about, "the %s in state cannot be read", tables[table].what);
}

/* What follows from the newest records a server has in its memory for some seconds, and makes anew
 * when it was killed. */
static void tell_missing(struct audit *audit, const struct audit_row *row)
{
    struct audit_about about = about_row(row);
    char words[WORDS_MAX];

    if (row->seq > audit->settled_seq && row->table < AUDIT_SUSPECT)
        audit->result->young++;
    else
        audit_tell(audit, &about, "state does not have the %s",
                   name_row(audit, (enum audit_table)row->table, row->key, words));
}

static void judge_row(struct audit *audit, struct audit_cursor *cursor, const struct audit_row *row)
{
    struct audit_about about = about_row(row);
    char words[WORDS_MAX];

    while (cursor->has && compare(row->table, cursor, row) < 0) {
        tell_stray(audit, row->table, cursor);
        audit_cursor_next(audit, cursor);
    }
    if (!cursor->has || compare(row->table, cursor, row) > 0) {
        tell_missing(audit, row);
        return;
    }
    if (!says_the_same(row, cursor))
        audit_tell(audit, &about, "state has the %s otherwise than the journal",
                   name_row(audit, (enum audit_table)row->table, row->key, words));
    audit_cursor_next(audit, cursor);
}

/* Takes all rows of a table whose rows are set more than once: of each the newest counts, as far as
 * state has come. The next row of another table comes back. */
static const struct audit_row *judge_set(struct audit *audit, struct audit_cursor *cursor,
                                         enum audit_table table, const struct audit_row *row)
{
    struct audit_row newest = {0};

    for (; row && row->table == table; row = audit_sort_next(audit->rows)) {
        if (row->seq > audit->meta.folded_seq)
            continue;
        if (newest.must && memcmp(newest.key, row->key, tables[table].key_bytes) != 0)
            judge_row(audit, cursor, &newest);
        newest = *row;
    }
    if (newest.must)
        judge_row(audit, cursor, &newest);
    return row;
}

static void tell_rest(struct audit *audit, enum audit_table table, struct audit_cursor *cursor)
{
    for (; cursor->has; audit_cursor_next(audit, cursor))
        tell_stray(audit, table, cursor);
}

/* --- queues ------------------------------------------------------------------------------- */

/* Of what was put last a server has some in its memory, and none when all is settled. */
static bool is_stored_so_far(const struct audit *audit, const struct state_queue *row)
{
    return audit->settled_seq < audit->meta.folded_seq ? row->outbox_stored_seq <= row->outbox_seq
                                                       : row->outbox_stored_seq == row->outbox_seq;
}

static void judge_queue(struct audit *audit, const struct audit_cursor *cursor)
{
    struct audit_queue *queue;
    struct state_queue row;
    const struct audit_about nobody = {0};
    bool sound = cursor->key.mv_size == sizeof(uint32_t) && cursor->value.mv_size == sizeof row;
    uint32_t number = sound ? audit_be32(cursor->key.mv_data) : AUDIT_QUEUES_MAX;

    if (number >= AUDIT_QUEUES_MAX) {
        audit_tell(audit, &nobody, "state has a row of a queue that cannot be read");
        return;
    }
    memcpy(&row, cursor->value.mv_data, sizeof row);
    queue = &audit->queues[number];
    queue->report_ms = row.report_ms;
    queue->report_seq = row.report_seq;
    if (row.open_tasks != queue->open_tasks)
        audit_tell(audit, &nobody, "state counts %llu open tasks of %s, the journal has %llu",
                   (unsigned long long)row.open_tasks, queue->name,
                   (unsigned long long)queue->open_tasks);
    if (row.parked_tasks != queue->parked_tasks)
        audit_tell(audit, &nobody, "state counts %llu parked tasks of %s, the journal has %llu",
                   (unsigned long long)row.parked_tasks, queue->name,
                   (unsigned long long)queue->parked_tasks);
    if (row.outbox_seq != queue->outbox_seq)
        audit_tell(audit, &nobody, "state has come to operation %llu of %s, the journal to %llu",
                   (unsigned long long)row.outbox_seq, queue->name,
                   (unsigned long long)queue->outbox_seq);
    if (row.trimmed_seq != queue->gone_drop)
        audit_tell(audit, &nobody, "state says wrongly which withdrawals from %s it has no more",
                   queue->name);
    if (!is_stored_so_far(audit, &row))
        audit_tell(audit, &nobody, "state says wrongly how far the outbox of %s is stored",
                   queue->name);
    if (row.report_ms != queue->heard_ms || row.report_seq != queue->heard_seq)
        audit_tell(audit, &nobody,
                   "state has read the reports on %s to another one than the journal", queue->name);
    queue->open_tasks = queue->outbox_seq = queue->heard_ms = 0; /* what is left over shows */
}

void audit_drops(struct audit *audit)
{
    struct audit_cursor cursor;

    audit_cursor_open(audit, "dropped", &cursor);
    for (; cursor.has; audit_cursor_next(audit, &cursor)) {
        const char *key = cursor.key.mv_data;
        uint32_t number = cursor.key.mv_size == 20 ? audit_be32(key + 8) : AUDIT_QUEUES_MAX;
        if (number < AUDIT_QUEUES_MAX && audit->queues[number].kept_drop == 0)
            audit->queues[number].kept_drop = audit_be64(key + 12);
    }
    audit_cursor_close(&cursor);
}

static void judge_queues(struct audit *audit)
{
    const struct audit_about nobody = {0};
    struct audit_cursor cursor;

    audit_cursor_open(audit, "queue", &cursor);
    for (; cursor.has; audit_cursor_next(audit, &cursor))
        judge_queue(audit, &cursor);
    audit_cursor_close(&cursor);
    for (uint32_t number = 0; number < AUDIT_QUEUES_MAX; number++) {
        const struct audit_queue *queue = &audit->queues[number];
        if (queue->open_tasks > 0 || queue->outbox_seq > 0 || queue->heard_ms > 0)
            audit_tell(audit, &nobody, "state does not have a row of the queue %s",
                       audit->queues[number].name);
    }
}

/* --- agents ------------------------------------------------------------------------------- */

/* Whose turn it was last, and the place in the turns that follows from it. */
static const struct audit_row *take_turns(struct audit *audit, const struct audit_row *row)
{
    for (; row && row->table == AUDIT_TURN; row = audit_sort_next(audit->rows)) {
        uint32_t number = audit_be32(row->key);
        if (row->seq > audit->meta.folded_seq || number >= AUDIT_AGENTS_MAX)
            continue;
        audit->agents[number].assigned_seq = row->seq;
        audit->agents[number].pass = row->value[0];
    }
    return row;
}

static void tell_agent(struct audit *audit, uint32_t number, const char *what)
{
    const struct audit_about about = {.record = audit->agents[number].assigned_seq};
    char name[AUDIT_NAME_MAX];

    audit_name_entity(audit, ENTITY_AGENT, number, name);
    audit_tell(audit, &about, "state has %s of %s otherwise than the journal", what, name);
}

static void judge_agent(struct audit *audit, const struct audit_cursor *cursor)
{
    struct audit_agent *agent;
    struct state_agent row;
    const struct audit_about nobody = {0};
    bool sound = cursor->key.mv_size == sizeof(uint32_t) && cursor->value.mv_size == sizeof row;
    uint32_t number = sound ? audit_be32(cursor->key.mv_data) : AUDIT_AGENTS_MAX;

    if (number >= AUDIT_AGENTS_MAX) {
        audit_tell(audit, &nobody, "state has a row of an agent that cannot be read");
        return;
    }
    memcpy(&row, cursor->value.mv_data, sizeof row);
    agent = &audit->agents[number];
    if (row.open_tasks != agent->open_tasks)
        tell_agent(audit, number, "the number of open tasks");
    if (row.assigned_seq != agent->assigned_seq || row.pass != agent->pass)
        tell_agent(audit, number, "the turn");
    *agent = (struct audit_agent){0}; /* what is left over shows */
}

static void judge_agents(struct audit *audit)
{
    struct audit_cursor cursor;

    audit_cursor_open(audit, "agent", &cursor);
    for (; cursor.has; audit_cursor_next(audit, &cursor))
        judge_agent(audit, &cursor);
    audit_cursor_close(&cursor);
    for (uint32_t number = 0; number < AUDIT_AGENTS_MAX; number++)
        if (audit->agents[number].open_tasks > 0 || audit->agents[number].assigned_seq > 0)
            tell_agent(audit, number, "the number of open tasks and the turn");
}

/* --- settings ----------------------------------------------------------------------------- */

#define ENTITY_KEY_BYTES 8

static void name_entity(struct audit *audit, const void *key, char out[AUDIT_NAME_MAX])
{
    const char *bytes = key;

    audit_name_entity(audit, audit_be32(bytes), audit_be32(bytes + 4), out);
}

static void tell_stray_entity(struct audit *audit, const struct audit_cursor *cursor)
{
    const struct audit_about nobody = {0};
    char name[AUDIT_NAME_MAX];

    if (cursor->key.mv_size != ENTITY_KEY_BYTES) {
        audit_tell(audit, &nobody, "state has settings of which it cannot be read whose they are");
        return;
    }
    name_entity(audit, cursor->key.mv_data, name);
    audit_tell(audit, &nobody, "the settings of %s in state do not follow from the journal", name);
}

/* The newest settings of one entity, of those that state has come to. */
static void judge_entity(struct audit *audit, struct audit_cursor *cursor,
                         const struct audit_row *newest)
{
    const struct audit_about about = {.record = newest->seq};
    char name[AUDIT_NAME_MAX];
    int order = 1;

    while (cursor->has) {
        bool sound = cursor->key.mv_size == ENTITY_KEY_BYTES;
        order = sound ? memcmp(cursor->key.mv_data, newest->key, ENTITY_KEY_BYTES) : -1;
        if (order >= 0)
            break;
        tell_stray_entity(audit, cursor);
        audit_cursor_next(audit, cursor);
    }
    bool is_there = cursor->has && order == 0;
    name_entity(audit, newest->key, name);
    if (!is_there) {
        if (newest->value[1] != 0)
            audit_tell(audit, &about, "state does not have the settings of %s", name);
        return;
    }
    if (cursor->value.mv_size != newest->value[1] ||
        XXH3_64bits(cursor->value.mv_data, cursor->value.mv_size) != newest->value[0])
        audit_tell(audit, &about, "state has the settings of %s otherwise than the journal", name);
    audit_cursor_next(audit, cursor);
}

/* Takes all rows of settings; the next one of another table comes back. */
static const struct audit_row *judge_entities(struct audit *audit, const struct audit_row *row)
{
    struct audit_cursor cursor;
    struct audit_row newest = {0};

    audit_cursor_open(audit, "entity", &cursor);
    for (; row && row->table == AUDIT_ENTITY; row = audit_sort_next(audit->rows)) {
        if (row->seq > audit->meta.folded_seq)
            continue;
        if (newest.seq != 0 && memcmp(newest.key, row->key, ENTITY_KEY_BYTES) != 0)
            judge_entity(audit, &cursor, &newest);
        newest = *row;
    }
    if (newest.seq != 0)
        judge_entity(audit, &cursor, &newest);
    for (; cursor.has; audit_cursor_next(audit, &cursor))
        tell_stray_entity(audit, &cursor);
    audit_cursor_close(&cursor);
    return row;
}

/* --- all of them ----------------------------------------------------------------------------- */

void audit_tables(struct audit *audit)
{
    const struct audit_row *row = audit_sort_next(audit->rows);

    for (enum audit_table table = AUDIT_DUE; table < AUDIT_ENTITY; table++) {
        struct audit_cursor cursor;
        audit_cursor_open(audit, tables[table].name, &cursor);
        if (table == AUDIT_EDGE || table == AUDIT_REVIEW)
            row = judge_set(audit, &cursor, table, row);
        for (; row && row->table == table; row = audit_sort_next(audit->rows))
            judge_row(audit, &cursor, row);
        tell_rest(audit, table, &cursor);
        audit_cursor_close(&cursor);
    }
    row = judge_entities(audit, row);
    row = take_turns(audit, row);
    for (; row; row = audit_sort_next(audit->rows))
        audit_judge_queue_row(audit, row);
    audit_judge_queue_row(audit, NULL);
    judge_queues(audit);
    judge_agents(audit);
    audit_fail(audit, audit_sort_status(audit->rows));
}
