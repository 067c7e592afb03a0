/* The canonical text of a state: what two of them have in common is compared by eye and by
 * diff, so a row is a line and every field has its name. */
#include <inttypes.h>

#include "server/state_internal.h"

/* `name=value` of a struct's field. */
#define FIELD(out, row, name) print_number((out), #name, (row)->name)

static void print_number(FILE *out, const char *name, uint64_t number)
{
    fprintf(out, " %s=%" PRIu64, name, number);
}

static void print_hash(FILE *out, const char *name, const struct hash *hash)
{
    fprintf(out, " %s=", name);
    for (size_t i = 0; i < sizeof hash->bytes; i++)
        fprintf(out, "%02x", hash->bytes[i]);
}

/* Bytes that could end the line or hide in a terminal are written as \xNN, and so is the
 * backslash, so that no two texts print alike. */
static void print_text(FILE *out, const char *name, const char *bytes, size_t length)
{
    fprintf(out, " %s=", name);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte == 0x7f || byte == '\\')
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
}

static void print_task_row(FILE *out, const struct task_row *row)
{
    FIELD(out, row, number);
    FIELD(out, row, optin_seq);
    FIELD(out, row, opened_ms);
    FIELD(out, row, received_ms);
    FIELD(out, row, deadline_ms);
    FIELD(out, row, not_before_ms);
    FIELD(out, row, rank_ms);
    FIELD(out, row, put_seq);
    FIELD(out, row, first_put_seq);
    FIELD(out, row, lease_until_ms);
    FIELD(out, row, claimed_ms);
    FIELD(out, row, due_ms);
    FIELD(out, row, agent);
    FIELD(out, row, queue);
    FIELD(out, row, site);
    FIELD(out, row, owner);
    FIELD(out, row, delivery);
    FIELD(out, row, attempt);
    FIELD(out, row, state);
    FIELD(out, row, flags);
    FIELD(out, row, due_kind);
    FIELD(out, row, channel);
    FIELD(out, row, kind);
    FIELD(out, row, stage);
    FIELD(out, row, renderer);
    FIELD(out, row, own_source);
    FIELD(out, row, more_seq);
    FIELD(out, row, closes_ms);
    FIELD(out, row, playbook);
    FIELD(out, row, tiers);
    FIELD(out, row, zone);
    FIELD(out, row, cadence);
    FIELD(out, row, step);
    FIELD(out, row, segment);
    FIELD(out, row, rung);
    FIELD(out, row, promise_ms);
    FIELD(out, row, claim_by_ms);
    FIELD(out, row, team);
    FIELD(out, row, with);
    FIELD(out, row, known_seq);
    FIELD(out, row, source);
    FIELD(out, row, campaign);
}

static void print_person_row(FILE *out, const struct person_row *row)
{
    FIELD(out, row, first_ms);
    FIELD(out, row, last_ms);
    FIELD(out, row, first_seq);
    FIELD(out, row, optin_seq);
    FIELD(out, row, contact_ms);
    print_hash(out, "phone", &row->phone);
    print_hash(out, "email", &row->email);
    FIELD(out, row, agency);
    FIELD(out, row, owner);
    FIELD(out, row, optins);
    FIELD(out, row, attempts);
    FIELD(out, row, stage);
    FIELD(out, row, flags);
    FIELD(out, row, end);
    FIELD(out, row, reason);
    FIELD(out, row, stopped_s);
    FIELD(out, row, phone_seq);
    FIELD(out, row, email_seq);
    FIELD(out, row, cadence_ms);
    FIELD(out, row, step_ms);
    FIELD(out, row, call_ms);
    FIELD(out, row, due_ms);
    FIELD(out, row, playbook);
    FIELD(out, row, site);
    FIELD(out, row, zone);
    FIELD(out, row, segment);
    FIELD(out, row, cadence);
    FIELD(out, row, step);
    FIELD(out, row, call_why);
    FIELD(out, row, calls);
    FIELD(out, row, silenced);
    FIELD(out, row, sold_attempt);
    FIELD(out, row, closed);
    FIELD(out, row, touch_calls);
    FIELD(out, row, score_hundredths);
    FIELD(out, row, score_s);
    FIELD(out, row, sold_cents);
    fputs(" touches=", out);
    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        fprintf(out, "%s%" PRIu32, i > 0 ? "," : "", row->touches[i]);
    FIELD(out, row, open_tasks);
    FIELD(out, row, conversed_ms);
    FIELD(out, row, first_site);
    FIELD(out, row, source);
    FIELD(out, row, campaign);
    FIELD(out, row, name_seq);
    FIELD(out, row, known_seq);
    FIELD(out, row, held_ms);
    FIELD(out, row, held_cadence);
    FIELD(out, row, held_step);
    FIELD(out, row, missed_s);
    if (row->marks != 0)
        FIELD(out, row, marks);
    if (row->attempts_before != 0)
        FIELD(out, row, attempts_before);
    if (row->passed != 0)
        FIELD(out, row, passed);
}

/* --- a row of each table: the rest of its line -------------------------------- */

static int print_meta(FILE *out, const void *key, MDB_val value)
{
    struct state_stored_meta stored;
    const struct state_meta *meta = &stored.meta;
    int code = state_row_copy(value, &stored, sizeof stored);

    (void)key;
    if (code != 0)
        return code;
    FIELD(out, &stored, version);
    FIELD(out, meta, folded_seq);
    fprintf(out, " folded_checksum=%016" PRIx64, meta->folded_checksum);
    FIELD(out, meta, folded_ms);
    FIELD(out, meta, people);
    FIELD(out, meta, admin_seq);
    FIELD(out, meta, received_seq);
    FIELD(out, meta, received_first);
    FIELD(out, meta, received_last);
    FIELD(out, meta, optins);
    FIELD(out, meta, tasks_opened);
    FIELD(out, meta, tasks_ended);
    FIELD(out, meta, breaches);
    FIELD(out, meta, redeliveries);
    FIELD(out, meta, steps);
    FIELD(out, meta, skipped);
    for (int skip = SKIP_LATE; skip < SKIP_END; skip++)
        fprintf(out, " skipped_%s=%" PRIu64, skip_name((enum skip)skip), meta->skipped_by[skip]);
    FIELD(out, meta, tiers);
    FIELD(out, meta, rungs);
    FIELD(out, meta, parked);
    FIELD(out, meta, all_adopted);
    return 0;
}

static int print_queue(FILE *out, const void *key, MDB_val value)
{
    struct state_queue row;
    int code = state_row_copy(value, &row, sizeof row);

    if (code != 0)
        return code;
    print_number(out, "queue", key_part32(key, 0));
    FIELD(out, &row, outbox_seq);
    FIELD(out, &row, trimmed_seq);
    FIELD(out, &row, report_ms);
    FIELD(out, &row, report_seq);
    FIELD(out, &row, open_tasks);
    FIELD(out, &row, parked_tasks);
    return 0;
}

static int print_person(FILE *out, const void *key, MDB_val value)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;
    int code = state_decode_person(value, &row, &task, &last_seq);

    if (code != 0)
        return code;
    print_number(out, "person", key_part64(key, 0));
    print_number(out, "last_seq", last_seq);
    print_person_row(out, &row);
    if (task.number != 0) {
        fprintf(out, " task:");
        print_task_row(out, &task);
    }
    return 0;
}

static int print_task(FILE *out, const void *key, MDB_val value)
{
    struct task_row row;
    int code = state_decode_task(value, key_part64(key, 8), &row);

    if (code != 0)
        return code;
    print_number(out, "person", key_part64(key, 0));
    print_number(out, "task", key_part64(key, 8));
    print_task_row(out, &row);
    return 0;
}

static int print_due(FILE *out, const void *key, MDB_val value)
{
    uint8_t kind;
    int code = state_row_copy(value, &kind, sizeof kind);

    if (code != 0)
        return code;
    print_number(out, "due_ms", key_part64(key, 0));
    print_number(out, "person", key_part64(key, 8));
    print_number(out, "task", key_part64(key, 16));
    print_number(out, "kind", kind);
    return 0;
}

static int print_outbox(FILE *out, const void *key, MDB_val value)
{
    struct outbox_row row;
    struct state_stored_put put;

    print_number(out, "queue", key_part32(key, 0));
    print_number(out, "seq", key_part64(key, 4));
    if (state_row_copy(value, &put, sizeof put) == 0) {
        print_number(out, "op", OUTBOX_PUT);
        FIELD(out, &put, person);
        FIELD(out, &put, task);
        return 0;
    }
    int code = state_row_copy(value, &row, sizeof row);
    if (code != 0)
        return code;
    FIELD(out, &row, op);
    FIELD(out, &row, person);
    FIELD(out, &row, made_ms);
    fprintf(out, " task:");
    print_task_row(out, &row.task);
    return 0;
}

static int print_visible(FILE *out, const void *key, MDB_val value)
{
    struct state_stored_visible row;
    int code = state_row_copy(value, &row, sizeof row);

    if (code != 0)
        return code;
    print_number(out, "queue", key_part32(key, 0));
    print_number(out, "rank_ms", key_part64(key, 4));
    print_number(out, "task", key_part64(key, 12));
    FIELD(out, &row, person);
    FIELD(out, &row, outbox_seq);
    return 0;
}

static int print_dropped(FILE *out, const void *key, MDB_val value)
{
    (void)value;
    print_number(out, "dropped_ms", key_part64(key, 0));
    print_number(out, "queue", key_part32(key, 8));
    print_number(out, "seq", key_part64(key, 12));
    return 0;
}

static int print_entity(FILE *out, const void *key, MDB_val value)
{
    print_number(out, "kind", key_part32(key, 0));
    print_number(out, "number", key_part32(key, 4));
    print_text(out, "settings", value.mv_data, value.mv_size);
    return 0;
}

static int print_suspect(FILE *out, const void *key, MDB_val value)
{
    struct suspect_row row;
    int code = state_row_copy(value, &row, sizeof row);

    if (code != 0)
        return code;
    print_number(out, "agency", key_part32(key, 0));
    print_number(out, "optin_seq", ~key_part64(key, 4));
    FIELD(out, &row, decided_seq);
    FIELD(out, &row, site);
    return 0;
}

static int print_agent(FILE *out, const void *key, MDB_val value)
{
    struct state_agent row;
    int code = state_row_copy(value, &row, sizeof row);

    if (code != 0)
        return code;
    print_number(out, "agent", key_part32(key, 0));
    FIELD(out, &row, open_tasks);
    FIELD(out, &row, assigned_seq);
    FIELD(out, &row, pass);
    return 0;
}

static int print_work(FILE *out, const void *key, MDB_val value)
{
    uint64_t person;
    int code = state_row_copy(value, &person, sizeof person);

    if (code != 0)
        return code;
    print_number(out, "agent", key_part32(key, 0));
    print_number(out, "deadline_ms", key_part64(key, 4));
    print_number(out, "task", key_part64(key, 12));
    print_number(out, "person", person);
    return 0;
}

static int print_owned(FILE *out, const void *key, MDB_val value)
{
    (void)value;
    print_number(out, "agent", key_part32(key, 0));
    print_number(out, "person", key_part64(key, 4));
    return 0;
}

static int print_edge(FILE *out, const void *key, MDB_val value)
{
    uint64_t seq;
    int code = state_row_copy(value, &seq, sizeof seq);

    if (code != 0)
        return code;
    print_number(out, "person", key_part64(key, 0));
    print_number(out, "kind", key_part8(key, 8));
    print_number(out, "other", key_part64(key, 9));
    print_number(out, "seq", seq);
    return 0;
}

static int print_review(FILE *out, const void *key, MDB_val value)
{
    uint64_t person;
    int code = state_row_copy(value, &person, sizeof person);

    if (code != 0)
        return code;
    print_number(out, "agency", key_part32(key, 0));
    print_number(out, "seq", ~key_part64(key, 4));
    print_number(out, "other", key_part64(key, 12));
    FIELD(out, &(struct state_review){.person = person}, person);
    return 0;
}

static int print_tally(FILE *out, const void *key, MDB_val value)
{
    const struct tally_key place = tally_key_of(key);
    struct tally_view cell;
    char between = '=';

    if (!tally_view(&place, value.mv_data, value.mv_size, &cell))
        return MDB_CORRUPTED;
    FIELD(out, &place, agency);
    FIELD(out, &place, kind);
    FIELD(out, &place, dimension);
    FIELD(out, &place, day);
    FIELD(out, &place, value);
    FIELD(out, &cell, sum);
    FIELD(out, &cell, max);
    FIELD(out, &cell, aside);
    fputs(" bins", out);
    for (size_t i = 0; i < cell.count; i++) {
        uint64_t entry = tally_view_entry(&cell, i);
        fprintf(out, "%c%u:%" PRIu64, between, tally_bin_of(entry), tally_count_of(entry));
        between = ',';
    }
    return 0;
}

/* --- all of it ---------------------------------------------------------------- */

struct dump_table {
    const char *name;
    enum state_table table;
    size_t key_bytes;
    int (*print)(FILE *out, const void *key, MDB_val value);
};

static const struct dump_table dump_tables[] = {
    {"meta", TABLE_META, 4, print_meta},
    {"queue", TABLE_QUEUE, 4, print_queue},
    {"entity", TABLE_ENTITY, 8, print_entity},
    {"person", TABLE_PERSON, 8, print_person},
    {"task", TABLE_TASK, 16, print_task},
    {"due", TABLE_DUE, 24, print_due},
    {"outbox", TABLE_OUTBOX, 12, print_outbox},
    {"visible", TABLE_VISIBLE, 20, print_visible},
    {"dropped", TABLE_DROPPED, 20, print_dropped},
    {"suspect", TABLE_SUSPECT, 12, print_suspect},
    {"agent", TABLE_AGENT, 4, print_agent},
    {"work", TABLE_WORK, 20, print_work},
    {"owned", TABLE_OWNED, 12, print_owned},
    {"tally", TABLE_TALLY, TALLY_KEY_BYTES, print_tally},
    {"edge", TABLE_EDGE, 17, print_edge},
    {"review", TABLE_REVIEW, 20, print_review},
};

static int dump_table(const struct state_reader *reader, const struct dump_table *table, FILE *out)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(reader->snapshot, reader->state->tables[table->table], &cursor);

    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0) {
        fputs(table->name, out);
        code =
            key.mv_size == table->key_bytes ? table->print(out, key.mv_data, value) : MDB_CORRUPTED;
        fputc('\n', out);
        if (code == 0)
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

enum status state_dump(struct state_reader *reader, FILE *out)
{
    enum status status = state_reader_begin(reader);

    for (size_t i = 0; status == STATUS_OK && i < sizeof dump_tables / sizeof dump_tables[0]; i++)
        status = lmdb_env_failed(&reader->state->lmdb, dump_tables[i].name,
                                 dump_table(reader, &dump_tables[i], out));
    state_reader_release(reader);
    if (status == STATUS_OK && (fflush(out) != 0 || ferror(out)))
        status = STATUS_IO;
    return status;
}
