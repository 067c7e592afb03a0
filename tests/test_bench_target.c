#include "bench/target.h"
#include "proto/task.h"
#include "tests/unit.h"

#define ID "opt_01j9z8k4x5m6n7p8q9r0s1t2v3"

static const struct target hotlead = {.kind = TARGET_HOTLEAD};
static const struct target peer = {.kind = TARGET_PEER};

static void an_answer_and_its_task_have_one_key(void **state)
{
    uint64_t answered, popped;

    (void)state;
    assert_true(target_key_of_answer(
        &hotlead, SLICE("{\"id\":\"" ID "\",\"person\":\"per_1\",\"task\":null}"), &answered));
    assert_true(target_key_of_task(
        &hotlead, SLICE("{\"v\":1,\"id\":\"tsk_1\",\"person\":\"per_1\",\"optin\":\"" ID "\"}"),
        &popped));
    assert_int_equal(answered, popped);
    assert_int_equal(answered, target_key(SLICE(ID)));
}

static void a_short_answer_has_the_key_as_well(void **state)
{
    uint64_t key;

    (void)state;
    assert_true(target_key_of_answer(&hotlead, SLICE("{\"id\":\"" ID "\"}"), &key));
    assert_int_equal(key, target_key(SLICE(ID)));
}

/* As the server renders it, for a visitor who knows what we look for and says it everywhere. */
static void what_a_visitor_types_is_not_taken_for_the_key(void **state)
{
    static const char typed[] = "\"optin\":\"opt_00000000000000000000000000\"";
    static struct optin optin;
    static char bytes[TASK_BYTES_MAX];
    struct text task = text_over(bytes, sizeof bytes);
    uint64_t key;

    (void)state;
    optin_clear(&optin);
    optin.text[OPTIN_NAME] = optin.text[OPTIN_EMAIL] = optin.text[OPTIN_PAGE_URL] = SLICE(typed);
    optin.extra[0] = (struct optin_extra){SLICE("optin"), SLICE("\"opt_1\"")};
    optin.extra_count = 1;
    const struct task_facts facts = {.id = SLICE("tsk_1"),
                                     .person = SLICE("per_1"),
                                     .optin = SLICE(ID),
                                     .queue = SLICE("acme.calls"),
                                     .agency = SLICE("acme"),
                                     .site = SLICE("www"),
                                     .node = SLICE("n1"),
                                     .prefix = SLICE("hl"),
                                     .channel = TASK_CALL,
                                     .kind = TASK_FIRST_RESPONSE,
                                     .stage = SLICE("optin"),
                                     .delivery = 1,
                                     .attempt = 1};
    assert_true(task_render(&task, TASK_RENDERER, &facts, &optin));
    assert_true(target_key_of_task(&hotlead, text_slice(&task), &key));
    assert_int_equal(key, target_key(SLICE(ID)));
}

static void the_task_of_a_peer_names_the_number_of_the_sender(void **state)
{
    uint64_t key;

    (void)state;
    assert_true(target_key_of_task(
        &peer, SLICE("{\"email\":\"visitor-0000002a-1234567@example.com\",\"x\":1}"), &key));
    assert_int_equal(key, 1234567);
    assert_true(target_key_of_task(
        &peer, SLICE("{\"body\":{\"name\":\"x\",\"email\":\"visitor-0000002a-0@example.com\"}}"),
        &key));
    assert_int_equal(key, 0);
}

static void the_answer_of_a_peer_names_nobody(void **state)
{
    uint64_t key;

    (void)state;
    assert_false(target_key_of_answer(&peer, SLICE("{\"id\":\"" ID "\"}"), &key));
}

static void what_holds_no_key_has_none(void **state)
{
    const struct slice strange[] = {SLICE(""),
                                    SLICE("{}"),
                                    SLICE("{\"optin\":null}"),
                                    SLICE("{\"optin\":\"opt_"),
                                    SLICE("{\"optin\":\"opt_0123"),
                                    SLICE("\"email\":\"visitor-"),
                                    SLICE("\"email\":\"visitor-0-"),
                                    SLICE("\"email\":\"visitor-0-12"),
                                    SLICE("\"email\":\"visitor-0-x@example.com\""),
                                    SLICE("\"email\":\"visitor-0-99999999999999999999@x\""),
                                    SLICE("\"email\":\"dana@example.com\"")};
    uint64_t key;

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        assert_false(target_key_of_answer(&hotlead, strange[i], &key));
        assert_false(target_key_of_task(&hotlead, strange[i], &key));
        assert_false(target_key_of_task(&peer, strange[i], &key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_and_its_task_have_one_key),
        cmocka_unit_test(a_short_answer_has_the_key_as_well),
        cmocka_unit_test(what_a_visitor_types_is_not_taken_for_the_key),
        cmocka_unit_test(the_task_of_a_peer_names_the_number_of_the_sender),
        cmocka_unit_test(the_answer_of_a_peer_names_nobody),
        cmocka_unit_test(what_holds_no_key_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
