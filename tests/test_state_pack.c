#include "tests/unit.h"

#include "proto/task.h"
#include "server/state_internal.h"

static char bytes[STATE_PACKED_MAX];

static uint64_t next(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 11;
}

/* Every second word is 0, every fourth the same in all rows. */
static void fill(void *row, size_t length, uint64_t *random)
{
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t draw = next(random), word = draw % 4 == 0 ? 1700000000000 : next(random);
        if (draw % 4 > 1)
            word = 0;
        memcpy((char *)row + i, &word, sizeof(word));
    }
}

static int decode_person(size_t length, struct person_row *row, struct task_row *task,
                         uint64_t *last_seq)
{
    return state_decode_person((MDB_val){length, bytes}, row, task, last_seq);
}

static void a_person_comes_back_with_its_task(void **state)
{
    uint64_t random = 1, last_seq;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        struct person_row row, row_found;
        struct task_row task, task_found;
        fill(&row, sizeof(row), &random);
        fill(&task, sizeof(task), &random);
        task.number = i + 1;
        size_t length = state_pack_person(bytes, &row, &task, i % 3);
        assert_int_equal(decode_person(length, &row_found, &task_found, &last_seq), 0);
        assert_memory_equal(&row_found, &row, sizeof(row));
        assert_memory_equal(&task_found, &task, sizeof(task));
        assert_int_equal(last_seq, i % 3);
    }
}

static void a_person_comes_back_without_one(void **state)
{
    uint64_t random = 2, last_seq;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        struct person_row row, row_found;
        struct task_row task_found;
        fill(&row, sizeof(row), &random);
        size_t length = state_pack_person(bytes, &row, NULL, i);
        assert_int_equal(decode_person(length, &row_found, &task_found, &last_seq), 0);
        assert_memory_equal(&row_found, &row, sizeof(row));
        assert_int_equal(task_found.number + task_found.opened_ms + task_found.received_ms, 0);
        assert_int_equal(last_seq, i);
    }
}

static void a_further_task_comes_back(void **state)
{
    uint64_t random = 3;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        struct task_row task, found;
        fill(&task, sizeof(task), &random);
        size_t length = state_pack_task(bytes, &task);
        assert_int_equal(state_decode_task((MDB_val){length, bytes}, task.number, &found), 0);
        assert_memory_equal(&found, &task, sizeof(task));
    }
}

/* Of one visit, with a phone, an e-mail, a source and a campaign. */
static struct person_row usual_person(void)
{
    const uint64_t now_ms = 1700000000123;

    return (struct person_row){.first_ms = now_ms,
                               .last_ms = now_ms,
                               .first_seq = 5000000,
                               .optin_seq = 5000000,
                               .phone_seq = 5000000,
                               .email_seq = 5000000,
                               .phone.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                               .email.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                               .agency = 1,
                               .optins = 1,
                               .stage = STAGE_OPTIN,
                               .open_tasks = 1,
                               .cadence_ms = now_ms,
                               .step_ms = now_ms + 259200000,
                               .due_ms = now_ms + 259200000,
                               .playbook = 3,
                               .site = 1,
                               .segment = 4,
                               .cadence = 1,
                               .step = 1,
                               .score_hundredths = 4000,
                               .score_s = 1700000000,
                               .first_site = 1,
                               .source = 0x1234,
                               .campaign = 0x5678};
}

static struct task_row usual_task(void)
{
    const uint64_t now_ms = 1700000000123;

    return (struct task_row){.number = 5000000 << 3,
                             .optin_seq = 5000000,
                             .opened_ms = now_ms,
                             .received_ms = now_ms,
                             .not_before_ms = now_ms,
                             .deadline_ms = now_ms + 300000,
                             .rank_ms = now_ms + 300000,
                             .put_seq = 4000000,
                             .first_put_seq = 4000000,
                             .due_ms = now_ms + 180000,
                             .due_kind = DUE_RUNG,
                             .queue = 1,
                             .site = 1,
                             .delivery = 1,
                             .attempt = 1,
                             .state = TASK_QUEUED,
                             .channel = TASK_CALL,
                             .kind = TASK_FIRST_RESPONSE,
                             .playbook = 3,
                             .tiers = 2,
                             .segment = 4,
                             .rung = 1,
                             .promise_ms = now_ms + 40000000};
}

/* A row that changes its length has to be moved in its page, or into another one. */
static void a_call_that_is_popped_and_claimed_stays_as_long(void **state)
{
    struct person_row row = usual_person();
    struct task_row task = usual_task();
    size_t length = state_pack_person(bytes, &row, &task, 5000000);

    (void)state;
    assert_true(length <= 320 - 16); /* with its key */
    task.put_seq = 0;
    task.lease_until_ms = task.due_ms = task.opened_ms + 120000;
    task.state = TASK_POPPED;
    assert_int_equal(state_pack_person(bytes, &row, &task, 5000001), length);
    task.agent = 77;
    task.claimed_ms = task.opened_ms + 5000;
    task.state = TASK_CLAIMED;
    assert_int_equal(state_pack_person(bytes, &row, &task, 5000002), length);
    assert_true(state_pack_task(bytes, &task) <= length / 2);
}

static void what_was_never_stored_is_damage(void **state)
{
    struct person_row row = usual_person();
    struct task_row task = usual_task();
    uint64_t last_seq, wrong = UINT64_MAX;

    (void)state;
    size_t length = state_pack_person(bytes, &row, &task, 1);
    assert_int_equal(decode_person(length, &row, &task, &last_seq), 0);
    assert_int_equal(decode_person(length - 8, &row, &task, &last_seq), MDB_CORRUPTED);
    assert_int_equal(decode_person(length + 8, &row, &task, &last_seq), MDB_CORRUPTED);
    char *few = calloc(1, 7); /* nothing behind it may be looked at */
    assert_int_equal(state_decode_person((MDB_val){7, few}, &row, &task, &last_seq), MDB_CORRUPTED);
    free(few);
    assert_int_equal(state_decode_task((MDB_val){length, bytes}, 1, &task), MDB_CORRUPTED);
    memcpy(bytes, &wrong, sizeof(wrong)); /* as long as all words */
    assert_int_equal(decode_person(65 * 8, &row, &task, &last_seq), MDB_CORRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_comes_back_with_its_task),
        cmocka_unit_test(a_person_comes_back_without_one),
        cmocka_unit_test(a_further_task_comes_back),
        cmocka_unit_test(a_call_that_is_popped_and_claimed_stays_as_long),
        cmocka_unit_test(what_was_never_stored_is_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
