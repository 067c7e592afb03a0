#include "server/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <xxhash.h>

#include "proto/must.h"
#include "proto/text.h"
#include "server/audit_internal.h"

#define SORT_BYTES (64u << 20)

/* --- what is told ------------------------------------------------------------------------- */

void audit_fail(struct audit *audit, enum status status)
{
    if (audit->status == STATUS_OK && status != STATUS_NOT_FOUND)
        audit->status = status;
}

/* A number that an id cannot be made of comes from damaged rows. */
static bool can_be_id(const struct audit *audit, uint64_t at_ms, uint64_t number)
{
    return audit->has_key && at_ms != 0 && at_ms >> 48 == 0 && number >> 44 == 0;
}

static void say_id(const struct audit *audit, struct text *out, enum id_kind kind, const char *word,
                   uint64_t at_ms, uint64_t number)
{
    const char *format = audit->options->json ? "\"%s\":\"" : "%s ";
    char id[ID_TEXT_LENGTH];

    if (number == 0)
        return;
    if (audit->options->json && !can_be_id(audit, at_ms, number)) {
        text_printf(out, "\"%s_number\":%" PRIu64 ",", word, number);
        return;
    }
    text_printf(out, format, word);
    if (can_be_id(audit, at_ms, number)) {
        id_format(id, &audit->id_key, kind, at_ms, number);
        text_bytes(out, id, sizeof id);
    } else {
        text_uint(out, number);
    }
    text_string(out, audit->options->json ? "\"," : ", ");
}

/* As the person's own row has it; 0: it is not there. */
static uint64_t first_ms_of(struct audit *audit, uint64_t person)
{
    uint64_t stored = htobe64(person), last_seq;
    MDB_val key = {sizeof stored, &stored}, value;
    MDB_dbi table;
    struct person_row row = {0};
    struct task_row task;

    if (audit->snapshot && mdb_dbi_open(audit->snapshot, "person", 0, &table) == 0 &&
        mdb_get(audit->snapshot, table, &key, &value) == 0)
        (void)audit_read_person(value, &last_seq, &row, &task);
    return row.first_ms;
}

void audit_name_person(struct audit *audit, uint64_t person, char out[AUDIT_NAME_MAX])
{
    uint64_t first_ms = first_ms_of(audit, person);
    char id[ID_TEXT_LENGTH];

    if (!can_be_id(audit, first_ms, person)) {
        snprintf(out, AUDIT_NAME_MAX, "person %" PRIu64, person);
        return;
    }
    id_format(id, &audit->id_key, ID_PERSON, first_ms, person);
    snprintf(out, AUDIT_NAME_MAX, "%.*s", (int)sizeof id, id);
}

void audit_name_entity(struct audit *audit, uint32_t kind, uint32_t number,
                       char out[AUDIT_NAME_MAX])
{
    static const char *const words[ENTITY_KIND_END] = {
        [ENTITY_AGENCY] = "agency", [ENTITY_SITE] = "site",   [ENTITY_QUEUE] = "queue",
        [ENTITY_AGENT] = "agent",   [ENTITY_TOKEN] = "token", [ENTITY_PLAYBOOK] = "playbook",
    };
    bool is_one = kind >= ENTITY_AGENCY && kind < ENTITY_KIND_END;
    const char *word = is_one ? words[kind] : "something";
    struct slice id = {0};

    if (is_one)
        id = registry_name(audit->registry, (enum entity_kind)kind, number);
    if (id.length > 0)
        snprintf(out, AUDIT_NAME_MAX, "%s %.*s", word, (int)id.length, id.bytes);
    else
        snprintf(out, AUDIT_NAME_MAX, "%s number %" PRIu32, word, number);
}

/* Who opened a task, and when, stands in the journal, and when somebody was first here, in state; a
 * row that nothing expects, or that follows from a record alone, does not say it. */
static void complete(struct audit *audit, struct audit_about *about)
{
    struct record_header header;

    if (about->person != 0 && about->first_ms == 0)
        about->first_ms = first_ms_of(audit, about->person);
    if (about->task != 0 && about->opened_ms == 0 &&
        audit_find_record(audit, about->task >> 3, &header))
        about->opened_ms = header.now_ms;
    if (about->record != 0 && audit_find_record(audit, about->record, &header) &&
        (header.kind == RECORD_OPTIN || header.kind == RECORD_RECEIVED)) {
        about->optin = about->record;
        about->received_ms = header.now_ms;
    }
}

void audit_tell(struct audit *audit, const struct audit_about *whom, const char *what, ...)
{
    struct audit_about about = *whom;
    char line[1024], words[512];
    struct text out = text_over(line, sizeof line);
    va_list arguments;

    va_start(arguments, what);
    vsnprintf(words, sizeof words, what, arguments);
    va_end(arguments);
    complete(audit, &about);
    text_string(&out, audit->options->json ? "{\"orphan\":{" : "orphan: ");
    say_id(audit, &out, ID_TASK, "task", about.opened_ms, about.task);
    say_id(audit, &out, ID_PERSON, "person", about.first_ms, about.person);
    say_id(audit, &out, ID_OPTIN, "optin", about.received_ms, about.optin);
    if (about.record != 0)
        text_printf(&out, audit->options->json ? "\"record\":%" PRIu64 "," : "record %" PRIu64 ", ",
                    about.record);
    if (audit->options->json) {
        text_string(&out, "\"what\":");
        text_json_string(&out, slice_of(words));
        text_string(&out, "}}");
    } else {
        if (out.length > 0 && out.bytes[out.length - 2] == ',') {
            out.length -= 2;
            text_string(&out, ": ");
        }
        text_string(&out, words);
    }
    fprintf(audit->options->out, "%.*s\n", (int)out.length, out.bytes);
    audit->result->orphans++;
}

/* --- the stores ------------------------------------------------------------------------------- */

static enum status open_journal(struct audit *audit)
{
    const struct lmdb_env_options options = {.directory = audit->options->journal,
                                             .map_bytes = audit->options->journal_map_bytes,
                                             .flags = MDB_NOTLS,
                                             .read_only = true,
                                             .log = audit->options->log};
    enum status status = lmdb_env_open(&audit->journal, &options);
    MDB_txn *txn;

    if (status != STATUS_OK)
        return status;
    int code = mdb_txn_begin(audit->journal.env, NULL, MDB_RDONLY, &txn);
    if (code == 0) {
        code = mdb_dbi_open(txn, NULL, 0, &audit->journal_table);
        if (code == 0)
            code = mdb_txn_commit(txn); /* the handle stays */
        else
            mdb_txn_abort(txn);
    }
    return lmdb_env_failed(&audit->journal, "mdb_dbi_open", code);
}

struct stored_meta {
    uint64_t version, settled_seq;
    struct state_meta meta;
    uint64_t checksum; /* of what stands before it */
};

/* A state of another version is made anew at the next start, as one that is not there; so is one
 * whose meta is damaged, but that is told. What its counters should be only the engine could say.
 */
static bool take_meta(struct audit *audit, MDB_val value)
{
    const struct audit_about nobody = {0};
    struct stored_meta stored;

    if (value.mv_size != sizeof stored)
        return false;
    memcpy(&stored, value.mv_data, sizeof stored);
    if (stored.checksum != XXH3_64bits(&stored, offsetof(struct stored_meta, checksum))) {
        audit_tell(audit, &nobody, "the row that says how far state has come is damaged");
        return false;
    }
    audit->settled_seq = stored.settled_seq;
    audit->meta = stored.meta;
    return stored.version == STATE_VERSION;
}

static bool has_people(struct audit *audit)
{
    MDB_dbi table;
    MDB_stat stat;

    return mdb_dbi_open(audit->snapshot, "person", 0, &table) == 0 &&
           mdb_stat(audit->snapshot, table, &stat) == 0 && stat.ms_entries > 0;
}

static void read_meta(struct audit *audit)
{
    const struct audit_about nobody = {0};
    char name[] = "meta";
    MDB_val key = {sizeof name - 1, name}, value;
    MDB_dbi table;
    int code = mdb_dbi_open(audit->snapshot, name, 0, &table);

    if (code == 0)
        code = mdb_get(audit->snapshot, table, &key, &value);
    if (code != MDB_NOTFOUND)
        audit_fail(audit, lmdb_env_failed(&audit->state, "meta", code));
    if (code == 0 && take_meta(audit, value) && audit->meta.folded_seq > 0)
        return;
    if (code == MDB_NOTFOUND && has_people(audit))
        audit_tell(audit, &nobody, "state has people, and does not say how far it has come");
    audit->meta = (struct state_meta){0};
    mdb_txn_abort(audit->snapshot);
    audit->snapshot = NULL;
}

/* A consistent look at all tables. It is opened late and not held long: as long as it is, a server
 * cannot use the pages again that it frees. */
static void open_state(struct audit *audit)
{
    const struct lmdb_env_options options = {.directory = audit->options->rows,
                                             .map_bytes = audit->options->state_map_bytes,
                                             .flags = MDB_NOTLS,
                                             .tables = 16,
                                             .read_only = true,
                                             .log = audit->options->log};
    enum status status = lmdb_env_open(&audit->state, &options);

    audit_fail(audit, status);
    if (status != STATUS_OK)
        return;
    int code = mdb_txn_begin(audit->state.env, NULL, MDB_RDONLY, &audit->snapshot);
    audit_fail(audit, lmdb_env_failed(&audit->state, "mdb_txn_begin", code));
    if (audit->snapshot)
        read_meta(audit);
}

static void judge_meta(struct audit *audit)
{
    const struct audit_about about = {.record = audit->meta.folded_seq};
    struct record_header header;

    if (!audit->snapshot)
        return;
    if (!audit_find_record(audit, audit->meta.folded_seq, &header) ||
        header.checksum != audit->meta.folded_checksum)
        audit_tell(audit, &about, "state has come to this record, and the journal has another one");
}

/* What reports count is the engine's to know; whether it is as the engine stored it, its checksum
 * says. */
static void judge_tally(struct audit *audit)
{
    const struct audit_about nobody = {0};
    struct audit_cursor cursor;
    uint64_t sum = 0;

    audit_cursor_open(audit, "tally", &cursor);
    for (; cursor.has; audit_cursor_next(audit, &cursor))
        sum += XXH3_64bits_withSeed(cursor.value.mv_data, cursor.value.mv_size,
                                    XXH3_64bits(cursor.key.mv_data, cursor.key.mv_size));
    audit_cursor_close(&cursor);
    if (audit->snapshot && sum != audit->meta.tally_checksum)
        audit_tell(audit, &nobody, "what reports count is damaged");
}

/* --- the order of the looks ------------------------------------------------------------------- */

static void add_fact(struct audit *audit, const struct audit_fact *fact)
{
    audit_sort_add(audit->facts, fact);
}

static void add_row(struct audit *audit, const struct audit_row *row)
{
    audit_sort_add(audit->rows, row);
}

/* The journal first, for as long as it takes; then Redis; then a snapshot of state, and what came
 * to the journal by then. So the journal is ahead of both, and knows what has changed. */
static void look(struct audit *audit)
{
    audit_walk(audit, add_fact, add_row);
    if (audit->options->redis && audit->status == STATUS_OK)
        audit->link = audit_link_open(audit);
    if (audit->link)
        audit_see_queues(audit);
    open_state(audit);
    audit_walk(audit, add_fact, add_row);
    audit->result->has_state = audit->snapshot != NULL;
    judge_meta(audit);
    judge_tally(audit);
    audit_drops(audit);
    audit_people(audit);
    audit_tables(audit);
    if (audit->snapshot)
        mdb_txn_abort(audit->snapshot);
    audit->snapshot = NULL;
    if (audit->link && !audit->redis_failed)
        audit_look_again(audit);
}

enum status audit_run(const struct audit_options *options, struct audit_result *result_out)
{
    size_t sort_bytes = options->sort_bytes ? options->sort_bytes : SORT_BYTES;
    struct audit audit = {
        .options = options,
        .result = result_out,
        .journal = {.directory_fd = -1},
        .state = {.directory_fd = -1},
        .queues = calloc(AUDIT_QUEUES_MAX, sizeof *audit.queues),
        .agents = calloc(AUDIT_AGENTS_MAX, sizeof *audit.agents),
        .facts = audit_sort_open(sizeof(struct audit_fact), sort_bytes, options->scratch),
        .rows = audit_sort_open(sizeof(struct audit_row), sort_bytes, options->scratch),
        .registry = registry_open(),
    };
    bool has_memory = audit.queues && audit.agents && audit.facts && audit.rows && audit.registry &&
                      audit_member_open(&audit);

    *result_out = (struct audit_result){0};
    audit.status = has_memory ? open_journal(&audit) : STATUS_BUSY;
    if (audit.status == STATUS_OK)
        look(&audit);
    audit_link_close(audit.link);
    if (audit.state.env)
        lmdb_env_close(&audit.state);
    if (audit.journal.env)
        lmdb_env_close(&audit.journal);
    audit_sort_close(audit.facts);
    audit_sort_close(audit.rows);
    audit_member_close(&audit);
    registry_close(audit.registry);
    free(audit.suspects);
    free(audit.queues);
    free(audit.agents);
    return audit.status == STATUS_OK && audit.redis_failed ? STATUS_REDIS_AWAY : audit.status;
}
