/* Years in memory: the same for a seed, nothing broken by the shipped playbooks, and each check
 * able to find what it looks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/simulate.h"
#include "tests/playbooks.h"

#define DAY_MS 86400000ull

static struct simulate_figures figures;
static struct hash digest;

static struct simulate_options few_years(void)
{
    struct simulate_options options;

    simulate_defaults(&options);
    options.people = 300;
    options.years = 3;
    options.seed = 7;
    options.threads = 1;
    return options;
}

static void run(const struct simulate_options *options)
{
    assert_int_equal(simulate_run(options, &figures, &digest), STATUS_OK);
    simulate_free(&figures);
}

static void assert_nothing_broken(void)
{
    for (int i = 0; i < SIMULATE_CHECK_END; i++)
        assert_int_equal(figures.checked[i].broken, 0);
}

/* --- the same for a seed ---------------------------------------------------------------------- */

static void same_seed_same_digest_and_another_seed_another(void **state)
{
    struct simulate_options options = few_years();
    struct hash first;

    (void)state;
    run(&options);
    first = digest;
    run(&options);
    assert_true(hash_equal(digest, first));
    options.seed++;
    run(&options);
    assert_false(hash_equal(digest, first));
}

static void threads_do_not_change_it(void **state)
{
    struct simulate_options options = few_years();
    struct hash first;

    (void)state;
    options.people = 2300; /* three agencies, one of them small */
    options.years = 1;
    run(&options);
    first = digest;
    assert_int_equal(figures.agencies, 3);
    options.threads = 3;
    run(&options);
    assert_true(hash_equal(digest, first));
}

static void restarts_do_not_change_it_wherever_they_are(void **state)
{
    struct simulate_options options = few_years();
    struct hash first;

    (void)state;
    options.restarts = 0;
    run(&options);
    first = digest;
    assert_int_equal(figures.restarts, 0);
    options.restarts = 40;
    run(&options);
    assert_true(hash_equal(digest, first));
    assert_in_range(figures.restarts, 10, 40);
    assert_int_equal(figures.checked[SIMULATE_CHECK_REBUILT].looked, figures.restarts);
    assert_nothing_broken();
}

/* In a small town the last reports are from months ago. */
static void small_towns_are_the_same_whatever_the_restarts(void **state)
{
    struct simulate_options options = few_years();

    (void)state;
    options.years = 1;
    for (options.people = 1; options.people <= 5; options.people++) {
        for (options.seed = 1; options.seed <= 5; options.seed++) {
            struct hash first;
            options.restarts = 0;
            run(&options);
            first = digest;
            options.restarts = 2;
            run(&options);
            assert_true(hash_equal(digest, first));
            assert_nothing_broken();
        }
    }
}

static void the_shipped_playbook_is_the_same_however_it_is_named(void **state)
{
    struct simulate_options options = few_years();
    struct hash first;

    (void)state;
    options.years = 1;
    run(&options);
    first = digest;
    options.playbook = open_shipped("default");
    run(&options);
    assert_true(hash_equal(digest, first));
    playbook_close(options.playbook);
}

static void another_rate_is_another_life(void **state)
{
    struct simulate_options options = few_years();
    struct hash first;

    (void)state;
    run(&options);
    first = digest;
    options.rates[SIMULATE_ANSWERED] = 0;
    run(&options);
    assert_false(hash_equal(digest, first));
    assert_int_equal(figures.outcomes[OUTCOME_CONVERSATION], 0);
    assert_nothing_broken();
}

/* --- nothing is broken -------------------------------------------------------------------------
 */

static void nobody_is_orphaned_by(const char *name)
{
    struct simulate_options options = few_years();

    options.playbook = open_shipped(name);
    run(&options);
    assert_nothing_broken();
    assert_in_range(figures.people, 290, 310);
    assert_true(figures.steps > figures.people);
    assert_true(figures.outcomes[OUTCOME_SOLD] > 0);
    for (int i = 0; i < SIMULATE_CHECK_END; i++)
        assert_true(figures.checked[i].looked > 0);
    playbook_close(options.playbook);
}

static void nobody_is_orphaned_by_any_shipped_playbook(void **state)
{
    static const char *const names[] = SHIPPED;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        nobody_is_orphaned_by(names[i]);
}

/* To the last year that rows can say. */
static void nothing_is_broken_until_the_last_year(void **state)
{
    struct simulate_options options = few_years();

    (void)state;
    options.people = 10;
    options.years = SIMULATE_YEARS_MAX;
    options.seed = 3;
    run(&options);
    assert_nothing_broken();
}

static void with_nobody_there_the_robots_do_all_their_steps(void **state)
{
    struct simulate_options options = few_years();

    (void)state;
    options.agents = 0;
    run(&options);
    assert_nothing_broken();
    assert_int_equal(figures.conversations, 0);
    assert_true(figures.outcomes[OUTCOME_DELIVERED] > 5 * figures.people);
    assert_true(figures.tasks[TASK_CALL] > 0); /* waiting for somebody */
}

/* --- each check finds what it looks for ----------------------------------------------------------
 */

/* Effects of each record are changed by one of these before anything is made of it. */
union effect {
    struct effect_person person;
    struct effect_task task;
    struct effect_step step;
    struct effect_report report;
    char bytes[512];
};
typedef void change_fn(const struct record *record, enum effect_kind kind, union effect *effect);

static change_fn *change;

static void on_record(void *owner, struct record *record)
{
    struct record_view view;
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    (void)owner;
    record_view_of(record, &view);
    while ((kind = effect_next(&view, &offset, &body)) != 0) {
        union effect effect;
        effect_copy(body, &effect, sizeof(effect));
        change(record, kind, &effect);
        memcpy(record->effects + (body.bytes - record->effects), &effect, body.length);
    }
}

static void assert_found(enum simulate_check check, change_fn *broken_by)
{
    struct simulate_options options = few_years();

    change = broken_by;
    options.tamper = on_record;
    options.restarts = 3;
    run(&options);
    assert_true(figures.checked[check].broken > 0);
}

static void forget_what_is_due(const struct record *record, enum effect_kind kind,
                               union effect *effect)
{
    if (kind == EFFECT_PERSON && record->header.seq % 10 == 0)
        effect->person.row.due_ms = 0;
}

static void do_one_step(const struct record *record, enum effect_kind kind, union effect *effect)
{
    (void)record;
    if (kind != EFFECT_STEP || effect->step.cadence == 0)
        return;
    effect->step.due_ms = 0;
    effect->step.step = 1;
}

static void hear_a_stop_and_go_on(const struct record *record, enum effect_kind kind,
                                  union effect *effect)
{
    if (kind == EFFECT_REPORT && record->header.kind == RECORD_OUTCOME)
        effect->report.outcome = OUTCOME_DO_NOT_CONTACT;
}

/* Few of them, since nobody ends such a call: it comes again and again, for years. */
static void call_instead_of_sending(const struct record *record, enum effect_kind kind,
                                    union effect *effect)
{
    if (record->header.seq % 100 == 0 && kind == EFFECT_TASK &&
        effect->task.row.channel == TASK_EMAIL)
        effect->task.row.channel = TASK_CALL;
}

static void say_that_it_was_just_now(const struct record *record, enum effect_kind kind,
                                     union effect *effect)
{
    if (kind == EFFECT_REPORT && record->header.kind == RECORD_OUTCOME)
        effect->report.contact_ms = record->header.now_ms + 30 * DAY_MS;
}

static void leave_it_over_night(const struct record *record, enum effect_kind kind,
                                union effect *effect)
{
    struct task_row *row = &effect->task.row;

    (void)record;
    if (kind != EFFECT_TASK)
        return;
    row->closes_ms = 0;
    if (row->due_kind == DUE_SHUT) {
        row->due_kind = DUE_NONE;
        row->due_ms = 0;
    }
}

static void count_seven(const struct record *record, enum effect_kind kind, union effect *effect)
{
    (void)record;
    if (kind == EFFECT_PERSON)
        effect->person.row.attempts = 7;
}

static void forget_who_reported(const struct record *record, enum effect_kind kind,
                                union effect *effect)
{
    (void)record;
    if (kind == EFFECT_REPORT)
        effect->report.identity = (struct hash){{1}};
}

static void each_check_can_fail(void **state)
{
    (void)state;
    assert_found(SIMULATE_CHECK_NEXT, forget_what_is_due);
    assert_found(SIMULATE_CHECK_STEP, do_one_step);
    assert_found(SIMULATE_CHECK_STOPPED, hear_a_stop_and_go_on);
    assert_found(SIMULATE_CHECK_CALL, call_instead_of_sending);
    assert_found(SIMULATE_CHECK_CAPS, say_that_it_was_just_now);
    assert_found(SIMULATE_CHECK_HOURS, leave_it_over_night);
    assert_found(SIMULATE_CHECK_ATTEMPTS, count_seven);
    assert_found(SIMULATE_CHECK_REPORT, forget_who_reported);
}

static void go_back(void *owner, struct record *record)
{
    (void)owner;
    if (record->header.seq % 100 == 0)
        record->header.now_ms -= 10 * DAY_MS;
}

static void a_step_back_of_time_is_found(void **state)
{
    struct simulate_options options = few_years();

    (void)state;
    options.tamper = go_back;
    run(&options);
    assert_true(figures.checked[SIMULATE_CHECK_TIME].broken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_digest_and_another_seed_another),
        cmocka_unit_test(threads_do_not_change_it),
        cmocka_unit_test(restarts_do_not_change_it_wherever_they_are),
        cmocka_unit_test(small_towns_are_the_same_whatever_the_restarts),
        cmocka_unit_test(the_shipped_playbook_is_the_same_however_it_is_named),
        cmocka_unit_test(another_rate_is_another_life),
        cmocka_unit_test(nobody_is_orphaned_by_any_shipped_playbook),
        cmocka_unit_test(nothing_is_broken_until_the_last_year),
        cmocka_unit_test(with_nobody_there_the_robots_do_all_their_steps),
        cmocka_unit_test(each_check_can_fail),
        cmocka_unit_test(a_step_back_of_time_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
