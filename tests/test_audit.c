/* An audit of a folder with one of each kind of life, and of the same with every row and every
 * record taken out or changed, one at a time. Redis is the scenarios'. */
#include "tests/unit.h"

#include <lmdb.h>
#include <string.h>

#include "proto/report.h"
#include "server/audit.h"
#include "tests/folder.h"
#include "tests/world.h"

static struct world world;
static char journal[128], rows[128], rows_before[128];
static struct task_row parked;

#define OPTIN(n, flags) assert_status(world_optin(&world, n, NULL, NULL, n, flags), STATUS_OK)

static uint64_t newest_task(void)
{
    return world.settlement.optin.task;
}

/* Somebody's turn, people who collide (one was looked at), and somebody who was referred. */
static void add_company(void)
{
    char bytes[2048];
    struct text text = text_over(bytes, sizeof bytes);
    uint32_t first = world.site;

    text_string(&text, "{\"id\":\"b\",\"agency\":\"acme\"}");
    assert_status(
        registry_add_agents(recovery_registry(world.recovery), SLICE("acme"), SLICE("b"), &text),
        STATUS_OK);
    const struct command agent = {
        .kind = COMMAND_ADMIN, .payload = text_slice(&text), .admin = {.entity = ENTITY_AGENT}};
    assert_status(world_do(&world, &agent), STATUS_OK);
    world_admin(&world, ENTITY_QUEUE,
                "{\"id\":\"acme.turns\",\"agency\":\"acme\",\"assign\":\"round_robin\"}");
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"turns\",\"agency\":\"acme\",\"queue\":\"acme.turns\"}");
    OPTIN("+12155550007", 0);
    world.site = first;
    for (unsigned i = 0; i < 2; i++) {
        const char *mail = i == 0 ? "one@example.com" : "two@example.com";
        const char *phone = i == 0 ? "+12155550001" : "+12155550002";
        assert_status(world_optin(&world, NULL, mail, NULL, mail, 0), STATUS_OK);
        assert_status(world_optin(&world, phone, mail, NULL, "both", 0), STATUS_OK);
    }
    const struct command reviewed = {
        .kind = COMMAND_MOVE,
        .person = {.number = 2, .agency = world.agency, .move = MOVE_REVIEWED}};
    assert_status(world_do(&world, &reviewed), STATUS_OK);
    world.referred_by = "+12155550003";
    OPTIN("+12155550008", 0);
    world.referred_by = NULL;
}

/* State as it is when most is still to come. */
static void keep_state_of_now(void)
{
    char command[512];

    assert_status(state_commit(world.state), STATUS_OK);
    snprintf(rows_before, sizeof rows_before, "%s/before", world.directory);
    snprintf(command, sizeof command, "cp -r %s/state/rows %s", world.directory, rows_before);
    assert_int_equal(system(command), 0);
}

/* Somebody for whom it is too late to be called before the morning. */
static void add_parked(void)
{
    uint32_t first = world.site;

    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.late\",\"agency\":\"acme\"}");
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"late\",\"agency\":\"acme\",\"queue\":\"acme.late\","
                             "\"hours_policy\":\"always\"}");
    world.now_ms += 6 * 3600000; /* past eleven at night */
    OPTIN("+12155550009", 0);
    world.site = first;
    assert_true(world_task(&world, 12, newest_task(), &parked));
    assert_int_equal(parked.state, TASK_PARKED);
}

static int open_world(void **state)
{
    (void)state;
    world_open(&world);
    world_admin(&world, ENTITY_AGENT, "{\"id\":\"a\",\"agency\":\"acme\"}");
    OPTIN("+12155550001", 0);
    uint64_t ended = newest_task();
    keep_state_of_now();
    OPTIN("+12155550002", 0);
    uint64_t claimed = newest_task();
    OPTIN("+12155550003", 0);
    uint64_t released = newest_task();
    OPTIN("+12155550004", INTAKE_SUSPECT);
    OPTIN("+12155550005", INTAKE_TEST);
    assert_status(world_optin(&world, NULL, NULL, NULL, "a name", INTAKE_NAME), STATUS_OK);
    assert_status(world_report(&world, ended, 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a"),
                  STATUS_OK);
    assert_status(world_report(&world, released, 1, REPORT_RELEASE, 0, "a"), STATUS_OK);
    assert_status(world_popped(&world, 5), STATUS_OK);
    assert_status(world_report(&world, claimed, 1, REPORT_CLAIM, 0, "a"), STATUS_OK);
    world.now_ms += 400000;
    OPTIN("+12155550006", 0);
    (void)world_pass(&world, 1);
    assert_status(world_optin(&world, "+12155550006", NULL, NULL, "again", 0), STATUS_OK);
    add_company();
    add_parked();
    snprintf(journal, sizeof journal, "%s/journal", world.directory);
    snprintf(rows, sizeof rows, "%s/state/rows", world.directory);
    recovery_close(world.recovery, true);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    struct folder data;
    memcpy(data.path, world.directory, sizeof data.path);
    folder_remove(&data);
    log_close(world.log);
    return 0;
}

/* What it names comes back, to be freed. */
static char *audit_with(const char *state, size_t sort_bytes, struct audit_result *result)
{
    char *said = NULL;
    size_t length;
    FILE *out = open_memstream(&said, &length);
    const struct audit_options options = {.journal = journal,
                                          .rows = state,
                                          .scratch = "/var/tmp",
                                          .journal_map_bytes = 1 << 30,
                                          .state_map_bytes = 1 << 30,
                                          .sort_bytes = sort_bytes,
                                          .out = out};

    assert_status(audit_run(&options, result), STATUS_OK);
    fclose(out);
    return said;
}

static char *audit(size_t sort_bytes, struct audit_result *result)
{
    return audit_with(rows, sort_bytes, result);
}

static void assert_sound_with(const char *state, size_t sort_bytes)
{
    struct audit_result result;
    char *said = audit_with(state, sort_bytes, &result);

    assert_string_equal(said, "");
    assert_int_equal(result.orphans, 0);
    assert_int_equal(result.optins, 15);
    assert_int_equal(result.people, 12);
    assert_int_equal(result.ended, 2);
    assert_int_equal(result.open, 13); /* who was talked with has a follow-up */
    assert_true(result.has_state);
    free(said);
}

static void assert_sound(size_t sort_bytes)
{
    assert_sound_with(rows, sort_bytes);
}

static void sound_folder_has_no_orphans(void **state)
{
    (void)state;
    assert_sound(1 << 20);
}

static void sorting_in_many_parts_finds_the_same(void **state)
{
    (void)state;
    assert_sound(2000);
}

/* What it has not come to is not missed. */
static void state_that_is_behind_the_journal_is_sound(void **state)
{
    (void)state;
    assert_sound_with(rows_before, 1 << 20);
}

/* --- damage ------------------------------------------------------------------------------------
 */

struct damage {
    const char *folder, *table; /* NULL: the one without a name */
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
};

static void begin(struct damage *damage)
{
    assert_int_equal(mdb_env_create(&damage->env), 0);
    mdb_env_set_maxdbs(damage->env, 16);
    mdb_env_set_mapsize(damage->env, 1 << 30);
    assert_int_equal(mdb_env_open(damage->env, damage->folder, MDB_NOSYNC, 0600), 0);
    assert_int_equal(mdb_txn_begin(damage->env, NULL, 0, &damage->txn), 0);
    assert_int_equal(mdb_dbi_open(damage->txn, damage->table, 0, &damage->dbi), 0);
}

static void finish(struct damage *damage)
{
    assert_int_equal(mdb_txn_commit(damage->txn), 0);
    mdb_env_close(damage->env);
}

struct row {
    char key[32], value[4096];
    size_t key_bytes, value_bytes;
};

/* The nth row; false: there are fewer. */
static bool read_row(const char *folder, const char *table, unsigned n, struct row *out)
{
    struct damage damage = {.folder = folder, .table = table};
    MDB_cursor *cursor;
    MDB_val key, value;

    begin(&damage);
    assert_int_equal(mdb_cursor_open(damage.txn, damage.dbi, &cursor), 0);
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (unsigned i = 0; code == 0 && i < n; i++)
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    if (code == 0) {
        assert_true(key.mv_size <= sizeof out->key && value.mv_size <= sizeof out->value);
        out->key_bytes = key.mv_size;
        out->value_bytes = value.mv_size;
        memcpy(out->key, key.mv_data, key.mv_size);
        memcpy(out->value, value.mv_data, value.mv_size);
    }
    mdb_cursor_close(cursor);
    finish(&damage);
    return code == 0;
}

static void write_row(const char *folder, const char *table, const struct row *row)
{
    struct damage damage = {.folder = folder, .table = table};
    MDB_val key = {row->key_bytes, (void *)row->key},
            value = {row->value_bytes, (void *)row->value};

    begin(&damage);
    assert_int_equal(mdb_put(damage.txn, damage.dbi, &key, &value, 0), 0);
    finish(&damage);
}

static void delete_row(const char *folder, const char *table, const struct row *row)
{
    struct damage damage = {.folder = folder, .table = table};
    MDB_val key = {row->key_bytes, (void *)row->key};

    begin(&damage);
    assert_int_equal(mdb_del(damage.txn, damage.dbi, &key, NULL), 0);
    finish(&damage);
}

static void assert_named(const char *what, const char *table, unsigned n, size_t place)
{
    struct audit_result result;
    char *said = audit(1 << 20, &result);

    if (result.orphans == 0)
        fail_msg("%s: not named: %s, row %u, byte %zu", what, table, n, place);
    assert_non_null(strstr(said, "orphan: "));
    free(said);
}

static void take_out(const char *folder, const char *table, unsigned n, const struct row *row)
{
    delete_row(folder, table, row);
    assert_named("deleted", table ? table : "journal", n, 0);
    write_row(folder, table, row);
}

static void flip(const char *folder, const char *table, unsigned n, const struct row *row,
                 size_t place)
{
    struct row changed = *row;

    changed.value[place] ^= 0x10;
    write_row(folder, table, &changed);
    assert_named("flipped", table ? table : "journal", n, place);
    write_row(folder, table, row);
}

/* A drop's rows are a trace of something that is over: nothing waits for them. */
static bool is_drop(const char *table, const struct row *row)
{
    return table && strcmp(table, "outbox") == 0 && row->value_bytes > 16;
}

/* Every byte of the first rows, and one of each of the others. */
static unsigned damage_all(const char *folder, const char *table, unsigned whole)
{
    unsigned n = 0, drops = 0;
    struct row row;

    for (; read_row(folder, table, n, &row); n++) {
        if (is_drop(table, &row)) {
            drops++;
            continue;
        }
        take_out(folder, table, n, &row);
        for (size_t place = 0; place < row.value_bytes && n < whole; place++)
            flip(folder, table, n, &row, place);
        if (n >= whole && row.value_bytes > 0)
            flip(folder, table, n, &row, n * 7 % row.value_bytes);
    }
    assert_sound(1 << 20);
    return n - drops;
}

static void every_row_that_is_gone_or_changed_is_named(void **state)
{
    (void)state;
    assert_int_equal(damage_all(rows, "meta", 1), 1);
    assert_int_equal(damage_all(rows, "person", 2), 12);
    assert_int_equal(damage_all(rows, "due", 1), 20); /* of tasks and of people */
    assert_true(damage_all(rows, "outbox", 1) >= 2);
    assert_true(damage_all(rows, "visible", 1) >= 2);
    assert_int_equal(damage_all(rows, "suspect", 1), 1);
    assert_int_equal(damage_all(rows, "work", 1), 2);
    assert_int_equal(damage_all(rows, "owned", 1), 3);
    assert_int_equal(damage_all(rows, "edge", 3), 3);
    assert_int_equal(damage_all(rows, "review", 1), 1);
    assert_int_equal(damage_all(rows, "agent", 2), 2);
    assert_true(damage_all(rows, "tally", 1) > 10);
    assert_int_equal(damage_all(rows, "queue", 3), 3);
    assert_int_equal(damage_all(rows, "entity", 1), 11); /* agency, 3 sites, 2 agents, 5 queues */
    assert_sound(1 << 20);
}

/* What the audit says once the nth row is gone; to be freed. */
static char *say_without(const char *table, unsigned n)
{
    struct audit_result result;
    struct row row;

    assert_true(read_row(rows, table, n, &row));
    delete_row(rows, table, &row);
    char *said = audit(1 << 20, &result);
    write_row(rows, table, &row);
    assert_int_equal(result.orphans, 1);
    return said;
}

static void assert_said(const char *table, unsigned n, const char *first, const char *then)
{
    char *said = say_without(table, n);

    if (strncmp(said, first, strlen(first)) != 0 || !strstr(said, then))
        fail_msg("%s, row %u: %s", table, n, said);
    free(said);
}

static void people_are_named_by_their_ids_and_what_they_are_to_each_other(void **state)
{
    (void)state;
    assert_said("edge", 0, "orphan: person per_",
                "the note that it may be the same person as per_");
    assert_said("edge", 1, "orphan: person per_", "the referral of per_");
    assert_said("edge", 2, "orphan: person per_", "the referral by per_");
    assert_said("review", 0, "orphan: person per_", "the entry among the people for review");
    assert_said("suspect", 0, "orphan: person per_", "the entry among the suspect opt-ins");
}

static void what_was_set_up_is_named_by_its_id(void **state)
{
    (void)state;
    assert_said("entity", 0, "orphan: record ", "the settings of agency acme");
    assert_said("entity", 1, "orphan: record ", "the settings of site main");
    assert_said("entity", 10, "orphan: record ", "the settings of agent b");
    assert_said("agent", 1, "orphan: optin opt_", "the turn of agent b otherwise");
}

static void every_record_that_is_gone_or_changed_is_named(void **state)
{
    (void)state;
    assert_true(damage_all(journal, NULL, 0) > 15);
    struct row row;
    assert_true(read_row(journal, NULL, 4, &row));
    for (size_t place = 0; place < row.value_bytes; place++)
        flip(journal, NULL, 4, &row, place);
}

static void row_too_many_is_named(void **state)
{
    static const struct {
        const char *table;
        struct row row;
    } strays[] = {
        {"person", {"\0\0\0\0\0\0\0\x63", "?", 8, 120}},
        {"task", {"\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x50", "?", 16, 136}},
        {"due", {"\0\0\1\x80\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x50", "\1", 24, 1}},
        {"outbox", {"\0\0\0\1\0\0\0\0\0\0\0\x50", "?", 12, 16}},
        {"visible", {"\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x50", "?", 20, 16}},
        {"suspect", {"\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xf0", "?", 12, 16}},
        {"work", {"\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x50", "?", 20, 8}},
        {"owned", {"\0\0\0\1\0\0\0\0\0\0\0\x63", "", 12, 0}},
        {"edge", {"\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0\0\3", "?", 17, 8}},
        {"review", {"\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xf0\0\0\0\0\0\0\0\3", "?", 20, 8}},
        {"agent", {"\0\0\0\7", "?", 4, 24}},
        {"queue", {"\0\0\0\7", "?", 4, 40}},
        {"entity", {"\0\0\0\3\0\0\0\7", "{}", 8, 2}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof strays / sizeof *strays; i++) {
        write_row(rows, strays[i].table, &strays[i].row);
        assert_named("added", strays[i].table, 0, 0);
        delete_row(rows, strays[i].table, &strays[i].row);
    }
    assert_sound(1 << 20);
}

static void state_that_does_not_say_how_far_it_is_is_named(void **state)
{
    struct row meta;

    (void)state;
    assert_true(read_row(rows, "meta", 0, &meta));
    delete_row(rows, "meta", &meta);
    assert_named("deleted", "meta", 0, 0);
    write_row(rows, "meta", &meta);
    assert_sound(1 << 20);
}

static void state_that_is_ahead_of_the_journal_is_named(void **state)
{
    struct row row, last;

    (void)state;
    for (unsigned n = 0; read_row(journal, NULL, n, &row); n++)
        last = row;
    delete_row(journal, NULL, &last);
    assert_named("cut off", "journal", 0, 0);
    write_row(journal, NULL, &last);
    assert_sound(1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_folder_has_no_orphans),
        cmocka_unit_test(sorting_in_many_parts_finds_the_same),
        cmocka_unit_test(state_that_is_behind_the_journal_is_sound),
        cmocka_unit_test(every_row_that_is_gone_or_changed_is_named),
        cmocka_unit_test(people_are_named_by_their_ids_and_what_they_are_to_each_other),
        cmocka_unit_test(what_was_set_up_is_named_by_its_id),
        cmocka_unit_test(every_record_that_is_gone_or_changed_is_named),
        cmocka_unit_test(row_too_many_is_named),
        cmocka_unit_test(state_that_does_not_say_how_far_it_is_is_named),
        cmocka_unit_test(state_that_is_ahead_of_the_journal_is_named),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
