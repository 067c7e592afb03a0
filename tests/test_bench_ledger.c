#include "bench/ledger.h"

#include <time.h>

#include "unit.h"

static int open_ledger(void **state)
{
    *state = ledger_open(100);
    return *state == NULL;
}

static int close_ledger(void **state)
{
    ledger_close(*state);
    return 0;
}

static struct ledger_counts counts_of(const struct ledger *ledger)
{
    struct ledger_counts counts;

    ledger_count(ledger, &counts);
    return counts;
}

static void what_was_acknowledged_and_not_popped_is_lost(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    ledger_acked(ledger, 8, true, 110, 210);
    ledger_popped(ledger, 8, 1, 300);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.acked, 2);
    assert_int_equal(counts.must_pop, 2);
    assert_int_equal(counts.popped, 1);
    assert_int_equal(counts.lost, 1);
    assert_int_equal(counts.doubled, 0);
}

static void a_pop_names_the_moments_of_its_opt_in(void **state)
{
    struct ledger *ledger = *state;

    assert_int_equal(ledger_acked(ledger, 7, true, 100, 200), 0);
    struct ledger_match match = ledger_popped(ledger, 7, 1, 300);
    assert_true(match.matched);
    assert_int_equal(match.intended_ns, 100);
    assert_int_equal(match.acked_ns, 200);
}

static void a_task_may_be_popped_before_its_acknowledgement_is_read(void **state)
{
    struct ledger *ledger = *state;

    assert_false(ledger_popped(ledger, 7, 1, 300).matched);
    assert_int_equal(counts_of(ledger).unclaimed, 1);
    assert_int_equal(ledger_acked(ledger, 7, true, 100, 320), 300);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.unclaimed, 0);
    assert_int_equal(counts.lost, 0);
    assert_int_equal(counts.popped, 1);
}

static void the_same_delivery_popped_again_is_a_double(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    ledger_popped(ledger, 7, 1, 300);
    assert_false(ledger_popped(ledger, 7, 1, 301).matched);
    ledger_popped(ledger, 9, 1, 300); /* also when nobody has acknowledged it */
    ledger_popped(ledger, 9, 1, 302);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.doubled, 2);
    assert_int_equal(counts.popped, 2);
    assert_int_equal(counts.redelivered, 0);
}

static void a_later_delivery_is_no_double(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    ledger_popped(ledger, 7, 1, 300);
    ledger_popped(ledger, 7, 2, 400);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.doubled, 0);
    assert_int_equal(counts.redelivered, 1);
}

static void a_redelivery_that_comes_out_first_finds_its_opt_in(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    assert_true(ledger_popped(ledger, 7, 2, 400).matched);
    assert_int_equal(counts_of(ledger).lost, 0);
    assert_int_equal(counts_of(ledger).redelivered, 1);
}

static void an_opt_in_acknowledged_twice_counts_once(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    ledger_acked(ledger, 7, false, 150, 250);
    ledger_acked(ledger, 7, true, 160, 260);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.acked, 1);
    assert_int_equal(counts.acked_again, 2);
    assert_int_equal(counts.must_pop, 1);
    assert_int_equal(ledger_popped(ledger, 7, 1, 300).intended_ns, 100);
}

static void a_repetition_answered_first_does_not_excuse_the_task(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, false, 150, 200);
    assert_int_equal(counts_of(ledger).lost, 0);
    ledger_acked(ledger, 7, true, 100, 250);
    assert_int_equal(counts_of(ledger).lost, 1);

    ledger_acked(ledger, 8, false, 150, 200);
    ledger_popped(ledger, 8, 1, 300);
    ledger_acked(ledger, 8, true, 100, 350); /* its task had come out meanwhile */
    assert_int_equal(counts_of(ledger).lost, 1);
}

static void what_need_not_pop_is_never_lost(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, false, 100, 200);
    assert_int_equal(counts_of(ledger).lost, 0);
    ledger_popped(ledger, 7, 1, 300);
    assert_int_equal(counts_of(ledger).popped, 1);
}

static void an_e_mail_comes_out_once_and_is_no_task_of_its_opt_in(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    ledger_emailed(ledger, 7, 1);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.emailed, 1);
    assert_int_equal(counts.lost, 1);
    ledger_emailed(ledger, 7, 2);
    assert_int_equal(counts_of(ledger).emails_doubled, 0);
    ledger_emailed(ledger, 7, 1);
    assert_int_equal(counts_of(ledger).emails_doubled, 1);
    assert_int_equal(counts_of(ledger).emailed, 1);
    assert_true(ledger_popped(ledger, 7, 1, 300).matched);
    assert_int_equal(counts_of(ledger).doubled, 0);
}

static void an_e_mail_may_come_out_before_all_else(void **state)
{
    struct ledger *ledger = *state;

    ledger_emailed(ledger, 7, 1);
    assert_int_equal(counts_of(ledger).unclaimed, 0);
    assert_int_equal(ledger_acked(ledger, 7, true, 100, 200), 0);
    assert_int_equal(counts_of(ledger).emails_missing, 0);
    assert_int_equal(ledger_popped(ledger, 7, 1, 300).acked_ns, 200);

    ledger_emailed(ledger, 8, 1);
    ledger_popped(ledger, 8, 1, 300);
    assert_int_equal(counts_of(ledger).unclaimed, 1);
    assert_int_equal(ledger_acked(ledger, 8, true, 100, 320), 300);
    assert_int_equal(counts_of(ledger).emailed, 2);
}

static void e_mails_that_came_out_first_are_kept_while_it_grows(void **state)
{
    struct ledger *ledger = *state;
    enum { MANY = 100000 };

    for (uint64_t key = 0; key < MANY; key++)
        ledger_emailed(ledger, key, 1);
    for (uint64_t key = 0; key < MANY; key++)
        ledger_acked(ledger, key, true, 100, 200);
    assert_int_equal(counts_of(ledger).emailed, MANY);
    assert_int_equal(counts_of(ledger).emails_missing, 0);
    ledger_emailed(ledger, MANY - 1, 1);
    assert_int_equal(counts_of(ledger).emails_doubled, 1);
}

static void who_had_no_e_mail_is_known(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 7, true, 100, 200);
    ledger_acked(ledger, 8, true, 100, 200);
    ledger_acked(ledger, 9, false, 100, 200);
    assert_int_equal(counts_of(ledger).emails_missing, 2);
    ledger_emailed(ledger, 8, 1);
    ledger_emailed(ledger, 9, 1);
    assert_int_equal(counts_of(ledger).emails_missing, 1);
}

static void the_key_0_is_as_good_as_any(void **state)
{
    struct ledger *ledger = *state;

    ledger_acked(ledger, 0, true, 100, 200);
    assert_int_equal(counts_of(ledger).lost, 1);
    assert_true(ledger_popped(ledger, 0, 1, 300).matched);
    assert_int_equal(counts_of(ledger).lost, 0);
}

/* Far more than expected, numbered as the senders of peers are, each side first in turn. */
static void it_grows_without_losing_anybody(void **state)
{
    struct ledger *ledger = *state;
    const uint64_t optins = 200000;

    for (uint64_t n = 0; n < optins; n++)
        if (n % 2 == 0)
            ledger_acked(ledger, n, true, n + 1, n + 2);
        else
            ledger_popped(ledger, n, 1, n + 3);
    for (uint64_t n = 0; n < optins; n++)
        if (n % 2 == 0)
            assert_int_equal(ledger_popped(ledger, n, 1, n + 3).intended_ns, n + 1);
        else
            assert_int_equal(ledger_acked(ledger, n, true, n + 1, n + 2), n + 3);
    struct ledger_counts counts = counts_of(ledger);
    assert_int_equal(counts.acked, optins);
    assert_int_equal(counts.popped, optins);
    assert_int_equal(counts.lost + counts.doubled + counts.unclaimed, 0);
}

static uint64_t used_ns(void)
{
    struct timespec used;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* The sender lives on the same thread. What the machine takes is not the ledger's: so CPU time
 * counts, and the best of three. */
static void no_growth_holds_up_the_loop(void **state)
{
    uint64_t least_ns = UINT64_MAX;

    (void)state;
    for (int tries = 0; tries < 3; tries++) {
        struct ledger *ledger = ledger_open(0);
        uint64_t worst_ns = 0;

        assert_non_null(ledger);
        for (uint64_t n = 0; n < 300000; n++) {
            uint64_t before_ns = used_ns();
            ledger_acked(ledger, n, true, 1, 2);
            uint64_t took_ns = used_ns() - before_ns;
            worst_ns = took_ns > worst_ns ? took_ns : worst_ns;
        }
        ledger_close(ledger);
        least_ns = worst_ns < least_ns ? worst_ns : least_ns;
    }
    if (least_ns > 5000000)
        fail_msg("a growth took %llu us", (unsigned long long)least_ns / 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ledger, close_ledger)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_acknowledged_and_not_popped_is_lost),
        TEST(a_pop_names_the_moments_of_its_opt_in),
        TEST(a_task_may_be_popped_before_its_acknowledgement_is_read),
        TEST(the_same_delivery_popped_again_is_a_double),
        TEST(a_later_delivery_is_no_double),
        TEST(a_redelivery_that_comes_out_first_finds_its_opt_in),
        TEST(an_opt_in_acknowledged_twice_counts_once),
        TEST(a_repetition_answered_first_does_not_excuse_the_task),
        TEST(what_need_not_pop_is_never_lost),
        TEST(an_e_mail_comes_out_once_and_is_no_task_of_its_opt_in),
        TEST(an_e_mail_may_come_out_before_all_else),
        TEST(e_mails_that_came_out_first_are_kept_while_it_grows),
        TEST(who_had_no_e_mail_is_known),
        TEST(the_key_0_is_as_good_as_any),
        TEST(it_grows_without_losing_anybody),
        cmocka_unit_test(no_growth_holds_up_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
