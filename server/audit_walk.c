/* The journal from its first record on, by code of its own: what of each record is about opt-ins,
 * people and tasks becomes facts. The layout is record.h's; what is longer than this version knows
 * is cut, what is shorter reads as 0, as the engine takes it. */
#include <xxhash.h>

#include "proto/json.h"
#include "proto/must.h"
#include "server/audit_internal.h"

#define PAGE 1000 /* records a transaction: the journal is not held still, it only grows */

struct walk {
    struct audit *audit;
    audit_fact_fn *on_fact;
    audit_row_fn *on_row; /* NULL: nobody asks for rows */
    struct json *json;    /* of settings */
    const struct record_header *header;
    bool linked; /* a fact says already that the record is the person's */
    uint8_t order;
};

/* --- a record ---------------------------------------------------------------------------- */

static bool is_zeroed(const char *bytes, size_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* What is wrong with a stored record; NULL: nothing. *out is set when header and effects are sound,
 * which is all that a fold needs. */
static const char *read_record(uint64_t seq, MDB_val stored, struct audit_record *out)
{
    struct record_header *header = &out->header;
    const char *bytes = stored.mv_data;

    *out = (struct audit_record){0};
    if (stored.mv_size < sizeof *header)
        return "is cut off";
    memcpy(header, bytes, sizeof *header);
    const char *effects = bytes + sizeof *header;
    uint64_t room = stored.mv_size - sizeof *header;
    if (header->effects_bytes > room || header->payload_bytes != room - header->effects_bytes)
        return "is not as long as it says";
    uint64_t seed = XXH3_64bits(header, offsetof(struct record_header, checksum));
    if (XXH3_64bits_withSeed(effects, header->effects_bytes, seed) != header->checksum)
        return "is damaged";
    if (header->seq != seq)
        return "stands under another's number";
    out->effects = effects;

    out->payload = (struct slice){effects + header->effects_bytes, header->payload_bytes};
    out->is_whole =
        XXH3_64bits(out->payload.bytes, out->payload.length) == header->payload_checksum;
    if (!out->is_whole && !is_zeroed(out->payload.bytes, out->payload.length))
        return "is damaged in what was said";
    return NULL;
}

static void take(void *row, size_t row_bytes, const char *body, size_t body_bytes)
{
    memset(row, 0, row_bytes);
    memcpy(row, body, body_bytes < row_bytes ? body_bytes : row_bytes);
}

/* An effect of a record; zeroed: before the first. */
struct effect_at {
    const char *body;
    uint16_t kind, bytes;
    size_t next;
};

static bool next_effect(const struct audit_record *record, struct effect_at *at)
{
    uint16_t head[2]; /* kind, bytes */
    size_t length = record->header.effects_bytes;

    if (length - at->next < sizeof head)
        return false;
    memcpy(head, record->effects + at->next, sizeof head);
    at->kind = head[0];
    at->bytes = head[1];
    at->body = record->effects + at->next + sizeof head;
    at->next += sizeof head + head[1];
    return at->next <= length;
}

bool audit_find_task(const struct audit_record *record, uint64_t number, struct task_row *out)
{
    struct effect_at at = {0};
    struct effect_task effect;
    bool found = false;

    while (next_effect(record, &at)) {
        if (at.kind != EFFECT_TASK)
            continue;
        take(&effect, sizeof effect, at.body, at.bytes);
        if (effect.row.number == number) {
            *out = effect.row;
            found = true;
        }
    }
    return found;
}

/* --- rows -------------------------------------------------------------------------------- */

/* A pop says only what it changes, so that the rest of the row is told apart from it. */
uint64_t audit_task_fingerprint(const struct task_row *row)
{
    struct task_row rest = *row;

    rest.state = rest.due_kind = 0;
    rest.put_seq = rest.lease_until_ms = rest.due_ms = 0;
    return XXH3_64bits(&rest, sizeof rest);
}

/* How many tasks are open is counted in state alone: what a record says of it is of before it. */
uint64_t audit_person_fingerprint(const struct person_row *row)
{
    struct person_row rest = *row;

    rest.open_tasks = 0;
    return XXH3_64bits(&rest, sizeof rest);
}

uint64_t audit_rank(const struct task_row *row)
{
    return row->flags & TASK_IN_LIST ? row->put_seq : row->rank_ms;
}

/* When a person is due for something that is no open task's: the next step, or the next call. */
static uint64_t person_due_ms(const struct person_row *row, uint8_t *kind_out)
{
    *kind_out = row->due_ms != 0 ? DUE_PERSON : DUE_NONE;
    return row->due_ms;
}

/* --- facts ------------------------------------------------------------------------------- */

static void say(struct walk *walk, struct audit_fact *fact, enum audit_fact_kind kind,
                uint64_t person, uint64_t task)
{
    fact->person = htobe64(person);
    fact->task = htobe64(task);
    fact->seq = htobe64(walk->header->seq);
    fact->order = walk->order++;
    fact->kind = (uint8_t)kind;
    walk->on_fact(walk->audit, fact);
}

static void say_optin(struct walk *walk, const struct effect_optin *effect)
{
    struct audit_fact fact = {0};

    fact.optin = (struct audit_optin){.seq = effect->optin_seq,
                                      .received_ms = effect->received_ms,
                                      .decided_seq = walk->header->seq,
                                      .agency = walk->header->agency,
                                      .site = effect->site,
                                      .reason = effect->reason};
    say(walk, &fact, FACT_OPTIN, effect->person, 0);
    if (effect->task != 0)
        say(walk, &fact, FACT_NAMED, effect->person, effect->task);
    if (walk->header->kind == RECORD_DECIDED)
        say(walk, &fact, FACT_DECIDED, 0, effect->optin_seq);
}

static void say_person(struct walk *walk, const struct effect_person *effect)
{
    struct audit_fact fact = {0};
    struct audit_person *row = &fact.person_row;

    *row = (struct audit_person){.fingerprint = audit_person_fingerprint(&effect->row),
                                 .first_ms = effect->row.first_ms,
                                 .owner = effect->row.owner,
                                 .end = effect->row.end,
                                 .closed = effect->row.closed,
                                 .is_stopped = effect->row.flags & PERSON_DO_NOT_CONTACT,
                                 .is_planned = effect->row.segment != 0,
                                 .is_link = effect->person == walk->header->person};
    row->due_ms = person_due_ms(&effect->row, &row->due_kind);
    walk->linked |= row->is_link;
    say(walk, &fact, FACT_PERSON, effect->person, 0);
}

static void say_task(struct walk *walk, const struct effect_task *effect)
{
    const struct task_row *row = &effect->row;
    struct audit_fact fact = {0};

    fact.task_row = (struct audit_task){.fingerprint = audit_task_fingerprint(row),
                                        .put_seq = row->put_seq,
                                        .lease_until_ms = row->lease_until_ms,
                                        .due_ms = row->due_ms,
                                        .drop_seq = effect->drop_seq,
                                        .rank = audit_rank(row),
                                        .opened_ms = row->opened_ms,
                                        .deadline_ms = row->deadline_ms,
                                        .with = row->with,
                                        .queue = row->queue,
                                        .delivery = row->delivery,
                                        .state = row->state,
                                        .due_kind = row->due_kind,
                                        .channel = row->channel,
                                        .flags = row->flags};
    say(walk, &fact, FACT_TASK, effect->person, row->number);
}

/* The name of a queue stays when it is removed: its tasks may still be there. */
static void note_queue(struct walk *walk, uint32_t number, struct slice settings)
{
    char padded[16 * 1024 + JSON_PADDING] = {0};
    struct audit_queue *queue = &walk->audit->queues[number % AUDIT_QUEUES_MAX];
    struct json_value root, member;
    struct slice name, shape;

    if (number >= AUDIT_QUEUES_MAX || settings.length > sizeof padded - JSON_PADDING)
        return;
    memcpy(padded, settings.bytes, settings.length);
    if (json_parse(walk->json, padded, settings.length, &root) != STATUS_OK ||
        !json_member(root, "id", &member) || !json_string(member, &name) ||
        name.length > AUDIT_QUEUE_NAME_MAX)
        return;
    memcpy(queue->name, name.bytes, name.length);
    queue->name[name.length] = '\0';
    queue->is_list = json_member(root, "shape", &member) && json_string(member, &shape) &&
                     slice_equal(shape, SLICE("list"));
}

/* None where they are said to stand behind the payload's end. */
static struct slice settings_of(const struct effect_admin *effect, struct slice payload)
{
    if (effect->bytes == 0)
        return payload;
    if (effect->at > payload.length || effect->bytes > payload.length - effect->at)
        return (struct slice){0};
    return (struct slice){payload.bytes + effect->at, effect->bytes};
}

static void expect(struct walk *walk, const struct audit_row *row)
{
    if (walk->on_row)
        walk->on_row(walk->audit, row);
}

/* What it cannot take is not there for others either. */
static void note_entity(struct walk *walk, const struct effect_admin *effect, struct slice settings)
{
    struct audit *audit = walk->audit;
    enum status status =
        registry_apply(audit->registry, (enum entity_kind)effect->entity, effect->number, settings);

    if (status == STATUS_INTERNAL)
        audit_fail(audit, STATUS_BUSY);
    audit->registry_torn |= status != STATUS_OK;
}

static void expect_entity(struct walk *walk, const struct effect_admin *effect,
                          struct slice settings)
{
    struct audit_row row = {.table = AUDIT_ENTITY, .seq = walk->header->seq};
    const uint32_t key[] = {htobe32(effect->entity), htobe32(effect->number)};
    const uint64_t seq = htobe64(walk->header->seq);

    memcpy(row.key, key, sizeof key);
    memcpy(row.key + sizeof key, &seq, sizeof seq);
    row.value[0] = XXH3_64bits(settings.bytes, settings.length);
    row.value[1] = settings.length;
    expect(walk, &row);
}

/* Behind the key of a row that may be set again: which record set it, and where in it. */
static void expect_set(struct walk *walk, struct audit_row *row, size_t key_bytes)
{
    const uint64_t seq = htobe64(walk->header->seq);

    row->seq = walk->header->seq;
    memcpy(row->key + key_bytes, &seq, sizeof seq);
    row->key[key_bytes + sizeof seq] = walk->order++;
    expect(walk, row);
}

static void expect_edge(struct walk *walk, const struct effect_edge *effect, uint64_t person,
                        uint8_t kind, uint64_t other)
{
    struct audit_row row = {.table = AUDIT_EDGE, .must = !effect->remove, .person = person};
    const uint64_t ends[] = {htobe64(person), htobe64(other)};

    memcpy(row.key, &ends[0], sizeof ends[0]);
    row.key[8] = kind;
    memcpy(row.key + 9, &ends[1], sizeof ends[1]);
    row.value[0] = effect->seq;
    expect_set(walk, &row, 17);
}

static void expect_review(struct walk *walk, const struct effect_edge *effect)
{
    struct audit_row row = {
        .table = AUDIT_REVIEW, .must = !effect->remove, .person = effect->person};
    const uint32_t agency = htobe32(effect->agency);
    const uint64_t rest[] = {htobe64(~effect->seq), htobe64(effect->other)};

    memcpy(row.key, &agency, sizeof agency);
    memcpy(row.key + 4, rest, sizeof rest);
    row.value[0] = effect->person;
    expect_set(walk, &row, 20);
}

/* Each stands with both people, but for whom somebody collides with: that is to be looked at. A
 * number or an address stands with its person. */
static void take_edge(struct walk *walk, const struct effect_edge *effect)
{
    static const uint8_t way_back[EDGE_KIND_END] = {
        [EDGE_MERGED] = EDGE_MERGED_INTO,
        [EDGE_MERGED_INTO] = EDGE_MERGED,
        [EDGE_REFERRED] = EDGE_REFERRED_BY,
        [EDGE_REFERRED_BY] = EDGE_REFERRED,
    };

    expect_edge(walk, effect, effect->person, effect->kind, effect->other);
    if (effect->kind == EDGE_COLLIDES)
        expect_review(walk, effect);
    else if (effect->kind < EDGE_KIND_END && way_back[effect->kind] != 0)
        expect_edge(walk, effect, effect->other, way_back[effect->kind], effect->person);
}

/* Somebody's turn: see state_agent. */
static void expect_turn(struct walk *walk, const struct effect_assigned *effect)
{
    struct audit_row row = {.table = AUDIT_TURN};
    const uint32_t agent = htobe32(effect->to);

    if (effect->pass == 0)
        return;
    memcpy(row.key, &agent, sizeof agent);
    row.value[0] = effect->pass;
    expect_set(walk, &row, sizeof agent);
}

static void take_effect(struct walk *walk, const struct effect_at *at, struct slice payload)
{
    struct audit_fact fact = {0};
    union {
        struct effect_genesis genesis;
        struct effect_epoch epoch;
        struct effect_admin admin;
        struct effect_optin optin;
        struct effect_person person;
        struct effect_task task;
        struct effect_task_end end;
        struct effect_popped popped;
        struct effect_report report;
        struct effect_edge edge;
        struct effect_assigned assigned;
    } effect;

    take(&effect, sizeof effect, at->body, at->bytes);
    switch (at->kind) {
    case EFFECT_GENESIS:
        walk->audit->id_key = effect.genesis.id_key;
        walk->audit->has_key = true;
        break;
    case EFFECT_EPOCH:
        walk->audit->epoch = effect.epoch.epoch;
        break;
    case EFFECT_ADMIN:
        if (effect.admin.entity == ENTITY_QUEUE)
            note_queue(walk, effect.admin.number, settings_of(&effect.admin, payload));
        note_entity(walk, &effect.admin, settings_of(&effect.admin, payload));
        expect_entity(walk, &effect.admin, settings_of(&effect.admin, payload));
        break;
    case EFFECT_RECEIVED:
        fact.received_ms = walk->header->now_ms;
        say(walk, &fact, FACT_RECEIVED, 0, walk->header->seq);
        break;
    case EFFECT_OPTIN:
        say_optin(walk, &effect.optin);
        break;
    case EFFECT_PERSON:
        say_person(walk, &effect.person);
        break;
    case EFFECT_TASK:
        say_task(walk, &effect.task);
        break;
    case EFFECT_TASK_END:
        fact.drop_seq = effect.end.drop_seq;
        say(walk, &fact, FACT_TASK_END, effect.end.person, effect.end.task);
        break;
    case EFFECT_POPPED:
        fact.lease_until_ms = effect.popped.lease_until_ms;
        say(walk, &fact, FACT_POPPED, effect.popped.person, effect.popped.task);
        break;
    case EFFECT_REPORT:
        if (effect.report.stream_ms == 0)
            break;
        fact.heard.ms = effect.report.stream_ms;
        fact.heard.seq = effect.report.stream_seq;
        fact.heard.queue = effect.report.queue;
        say(walk, &fact, FACT_HEARD, walk->header->person, effect.report.task);
        break;
    case EFFECT_EDGE:
        take_edge(walk, &effect.edge);
        break;
    case EFFECT_ASSIGNED:
        expect_turn(walk, &effect.assigned);
        break;
    default: /* nothing that this is about */
        break;
    }
}

static void take_effects(struct walk *walk, const struct audit_record *record)
{
    struct effect_at at = {0};

    while (next_effect(record, &at))
        take_effect(walk, &at, record->payload);
}

static void take_record(struct walk *walk, const struct audit_record *record)
{
    struct audit_fact fact = {0};

    walk->header = &record->header;
    walk->linked = record->header.person == 0;
    walk->order = 0;
    take_effects(walk, record);
    if (!walk->linked)
        say(walk, &fact, FACT_LINK, record->header.person, 0);
}

/* --- the walk ---------------------------------------------------------------------------- */

/* One line, however many: what damages a key may make a gap of any size. */
static void tell_gap(struct audit *audit, uint64_t from, uint64_t until)
{
    const struct audit_about about = {.record = from};

    if (from + 1 == until)
        audit_tell(audit, &about, "the record is missing in the journal");
    else if (from < until)
        audit_tell(audit, &about, "the record and %llu behind it are missing in the journal",
                   (unsigned long long)(until - from - 1));
}

static int walk_one(struct walk *walk, MDB_val key, MDB_val value)
{
    struct audit *audit = walk->audit;
    struct audit_record record;

    if (key.mv_size != sizeof(uint64_t))
        return MDB_CORRUPTED;
    uint64_t seq = audit_be64(key.mv_data);
    const struct audit_about about = {.record = seq};
    tell_gap(audit, audit->walked_seq + 1, seq);
    const char *wrong = read_record(seq, value, &record);
    if (wrong)
        audit_tell(audit, &about, "the record %s", wrong);
    audit->registry_torn |= seq != audit->walked_seq + 1 || !record.effects;
    audit->walked_seq = seq;
    if (record.effects) {
        if (record.header.now_ms < audit->walked_ms)
            audit_tell(audit, &about, "the record's time lies before that of the one before it");
        audit->walked_ms = record.header.now_ms;
        take_record(walk, &record);
    }
    return 0;
}

MDB_txn *audit_begin_reading(struct audit *audit)
{
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(audit->journal.env, NULL, MDB_RDONLY, &txn);

    audit_fail(audit, lmdb_env_failed(&audit->journal, "mdb_txn_begin", code));
    return code == 0 ? txn : NULL;
}

static int walk_page(struct walk *walk, bool *more_out)
{
    struct audit *audit = walk->audit;
    uint64_t stored = htobe64(audit->walked_seq + 1);
    MDB_val key = {sizeof stored, &stored}, value;
    MDB_cursor *cursor;
    MDB_txn *txn;
    int code = mdb_txn_begin(audit->journal.env, NULL, MDB_RDONLY, &txn);

    *more_out = false;
    if (code != 0)
        return code;
    code = mdb_cursor_open(txn, audit->journal_table, &cursor);
    if (code == 0) {
        code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        for (unsigned i = 0; code == 0 && i < PAGE; i++) {
            code = walk_one(walk, key, value);
            if (code == 0)
                code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    *more_out = code == 0;
    return code == MDB_NOTFOUND ? 0 : code;
}

void audit_walk(struct audit *audit, audit_fact_fn *on_fact, audit_row_fn *on_row)
{
    struct walk walk = {
        .audit = audit, .on_fact = on_fact, .on_row = on_row, .json = json_open(16 * 1024)};
    bool more = audit->status == STATUS_OK;

    MUST(walk.json);
    while (more) {
        int code = walk_page(&walk, &more);
        audit_fail(audit, lmdb_env_failed(&audit->journal, "walk", code));
    }
    json_close(walk.json);
}

bool audit_read_record(struct audit *audit, MDB_txn *txn, uint64_t seq, struct audit_record *out)
{
    uint64_t stored = htobe64(seq);
    MDB_val key = {sizeof stored, &stored}, value;
    int code = mdb_get(txn, audit->journal_table, &key, &value);

    *out = (struct audit_record){0};
    if (code == 0)
        (void)read_record(seq, value, out);
    else if (code != MDB_NOTFOUND)
        audit_fail(audit, lmdb_env_failed(&audit->journal, "mdb_get", code));
    return out->effects != NULL;
}

bool audit_find_record(struct audit *audit, uint64_t seq, struct record_header *out)
{
    struct audit_record record = {0};
    MDB_txn *txn = audit_begin_reading(audit);

    if (txn) {
        (void)audit_read_record(audit, txn, seq, &record);
        mdb_txn_abort(txn);
    }
    *out = record.header;
    return record.effects != NULL;
}
