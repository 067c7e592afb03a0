#include "tests/unit.h"

#include "server/maintain_check.h"
#include "tests/folder.h"

static struct folder folder;
static struct journal *journal;
static struct record record;
static uint64_t next_seq, admin_seq;
static char *said;
static size_t said_length;

static int open_journal(void **state)
{
    (void)state;
    folder = folder_make();
    const struct journal_options options = {.directory = folder_path(&folder, "journal"),
                                            .map_bytes = 64 << 20,
                                            .reserve_bytes = 1 << 20};
    next_seq = 1;
    admin_seq = 0;
    said = NULL;
    return journal_open(&options, &journal) == STATUS_OK ? 0 : -1;
}

static int close_journal(void **state)
{
    (void)state;
    journal_close(journal);
    folder_remove(&folder);
    free(said);
    return 0;
}

static void append_record(void)
{
    record.header.seq = next_seq++;
    record_seal(&record);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(journal_append(journal, &record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
}

/* A record as the writer would make it, of `person` whose record before it is `person_prev`. */
static void begin(enum record_kind kind, uint64_t person, uint64_t person_prev)
{
    record_begin(&record, kind, 1000 + next_seq, 1);
    record.header.person = person;
    record.header.person_prev = person_prev;
    record.header.admin_prev = admin_seq;
}

static void append_admin(enum record_kind kind, enum effect_kind effect_kind, const void *effect,
                         size_t bytes)
{
    begin(kind, 0, 0);
    record.header.agency = 0;
    record_effect(&record, effect_kind, effect, bytes);
    append_record();
    admin_seq = next_seq - 1;
}

static void append_head(void)
{
    const struct effect_genesis genesis = {0};
    const struct effect_epoch epoch = {.epoch = 7, .machine = 8, .inode = 9};

    append_admin(RECORD_GENESIS, EFFECT_GENESIS, &genesis, sizeof genesis);
    append_admin(RECORD_EPOCH, EFFECT_EPOCH, &epoch, sizeof epoch);
}

static void append_optin(uint64_t person, uint64_t person_prev)
{
    const struct effect_optin effect = {.person = person};

    begin(RECORD_OPTIN, person, person_prev);
    record.payload = SLICE("whoever it was");
    record_effect(&record, EFFECT_OPTIN, &effect, sizeof effect);
    append_record();
}

static struct maintain_found check(void)
{
    struct maintain_found result;

    free(said);
    FILE *out = open_memstream(&said, &said_length);
    assert_status(maintain_check(journal, out, &result), STATUS_OK);
    fclose(out);
    return result;
}

static void assert_one_wrong(const char *complaint)
{
    struct maintain_found result = check();

    assert_string_equal(said, complaint);
    assert_int_equal(result.wrong, 1);
}

static void a_sound_journal_has_nothing_wrong(void **state)
{
    (void)state;
    append_head();
    append_optin(1, 0); /* 3 */
    append_optin(2, 0);
    append_optin(1, 3);
    append_optin(1, 5);
    struct maintain_found result = check();
    assert_string_equal(said, "");
    assert_int_equal(result.records, 6);
    assert_int_equal(result.wrong, 0);
    assert_int_equal(result.last_seq, 6);
    assert_int_equal(result.epoch.inode, 9);
}

static void an_empty_journal_has_no_records(void **state)
{
    (void)state;
    assert_int_equal(check().records, 0);
}

static void the_newest_epoch_is_told(void **state)
{
    const struct effect_epoch epoch = {.epoch = 70, .machine = 80, .inode = 90};

    (void)state;
    append_head();
    append_admin(RECORD_EPOCH, EFFECT_EPOCH, &epoch, sizeof epoch);
    assert_int_equal(check().epoch.inode, 90);
}

static void a_persons_chain_that_skips_a_record_is_named(void **state)
{
    (void)state;
    append_head();
    append_optin(1, 0);
    append_optin(1, 3);
    append_optin(1, 3);
    assert_one_wrong("record 5: names 3 as the person's record before it, which is 4\n");
}

static void a_chain_of_settings_that_skips_a_record_is_named(void **state)
{
    (void)state;
    append_head();
    admin_seq = 1;
    append_optin(1, 0);
    assert_one_wrong("record 3: names 1 as newest settings, which is 2\n");
}

static void a_time_that_goes_back_is_named(void **state)
{
    (void)state;
    append_head();
    begin(RECORD_OPTIN, 1, 0);
    record.header.now_ms = 5;
    append_record();
    assert_one_wrong("record 3: its time lies before that of the record before it\n");
}

static void a_person_who_cannot_be_is_named(void **state)
{
    (void)state;
    append_head();
    append_optin(1ull << 40, 0);
    assert_one_wrong("record 3: names person 1099511627776, who cannot be\n");
}

static void a_task_row_of_before_it_grew_is_sound(void **state)
{
    const struct effect_task task = {.person = 1};

    (void)state;
    append_head();
    begin(RECORD_BREACH, 1, 0);
    record_effect(&record, EFFECT_TASK, &task, offsetof(struct effect_task, row.more_seq));
    append_record();
    assert_int_equal(check().wrong, 0);
}

static void settings_of_before_several_stood_in_a_record_are_sound(void **state)
{
    const struct effect_admin effect = {.entity = ENTITY_AGENCY, .number = 1};

    (void)state;
    append_head();
    append_admin(RECORD_ADMIN, EFFECT_ADMIN, &effect, offsetof(struct effect_admin, at));
    append_admin(RECORD_ADMIN, EFFECT_ADMIN, &effect, sizeof effect);
    assert_int_equal(check().wrong, 0);
}

static void effects_of_another_kind_or_size_are_named(void **state)
{
    (void)state;
    append_head();
    begin(RECORD_OPTIN, 1, 0);
    record_effect(&record, (enum effect_kind)99, "x", 1);
    record_effect(&record, EFFECT_POPPED, "short", 5);
    append_record();
    assert_one_wrong("record 3: has an effect of the unknown kind 99\n"
                     "record 3: has an effect of kind 9 with 5 bytes, not 24\n");
}

static void bytes_behind_the_effects_are_named(void **state)
{
    (void)state;
    append_head();
    begin(RECORD_OPTIN, 1, 0);
    memset(record.effects, 0, 3);
    record.header.effects_bytes = 3;
    append_record();
    assert_one_wrong("record 3: has 3 bytes behind its effects\n");
}

static void keys_stand_in_the_first_record_only(void **state)
{
    (void)state;
    append_optin(1, 0);
    assert_one_wrong("record 1: is of the kind optin, but keys stand in record 1 and only there\n");
}

static void an_erased_record_is_sound(void **state)
{
    (void)state;
    append_head();
    append_optin(1, 0);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(journal_erase(journal, 3), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
    struct maintain_found result = check();
    assert_int_equal(result.wrong, 0);
    assert_int_equal(result.erased, 1);
}

/* Changes a byte wherever `bytes` stand in the file: pages that were copied keep the old ones. */
static void damage(const char *bytes)
{
    FILE *file = fopen(folder_path(&folder, "journal/data.mdb"), "r+");
    char *content = malloc(8 << 20);
    size_t length = strlen(bytes), places = 0;

    assert_non_null(file);
    assert_non_null(content);
    char *end = content + fread(content, 1, 8 << 20, file);
    for (char *at = memmem(content, (size_t)(end - content), bytes, length); at;
         at = memmem(at + 1, (size_t)(end - at - 1), bytes, length)) {
        fseek(file, at - content, SEEK_SET);
        fputc(*at ^ 0x20, file);
        places++;
    }
    assert_true(places > 0);
    fclose(file);
    free(content);
}

static void a_damaged_record_is_named_and_chains_over_it_are_not(void **state)
{
    (void)state;
    append_head();
    append_optin(1, 0);
    begin(RECORD_OPTIN, 1, 3);
    record.payload = SLICE("this one is hit");
    append_record();
    append_optin(1, 4);
    damage("this one is hit");
    assert_one_wrong("record 4: damaged: a checksum is wrong\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_journal, close_journal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sound_journal_has_nothing_wrong),
        TEST(an_empty_journal_has_no_records),
        TEST(the_newest_epoch_is_told),
        TEST(a_persons_chain_that_skips_a_record_is_named),
        TEST(a_chain_of_settings_that_skips_a_record_is_named),
        TEST(a_time_that_goes_back_is_named),
        TEST(a_person_who_cannot_be_is_named),
        TEST(a_task_row_of_before_it_grew_is_sound),
        TEST(settings_of_before_several_stood_in_a_record_are_sound),
        TEST(effects_of_another_kind_or_size_are_named),
        TEST(bytes_behind_the_effects_are_named),
        TEST(keys_stand_in_the_first_record_only),
        TEST(an_erased_record_is_sound),
        TEST(a_damaged_record_is_named_and_chains_over_it_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
