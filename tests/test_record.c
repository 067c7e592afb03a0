#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/record.h"

#define PAYLOAD "phone +15035550142"

static char stored[RECORD_BYTES_MAX + 1];

static struct effect_task_end task_end = {.person = 7, .task = 80, .drop_seq = 3};

static void build(struct record *record)
{
    struct effect_popped popped = {.person = 7, .task = 88, .lease_until_ms = 1234};

    record_begin(record, RECORD_OUTCOME, 1700000000000, 4);
    record->header.seq = 10;
    record->header.person = 7;
    record->header.person_prev = 2;
    record->payload = SLICE(PAYLOAD);
    assert_true(record_effect(record, EFFECT_TASK_END, &task_end, sizeof task_end));
    assert_true(record_effect(record, EFFECT_POPPED, &popped, sizeof popped));
}

static struct slice store(struct record *record)
{
    size_t bytes = record_seal(record);

    assert_int_equal(bytes, record_bytes(&record->header));
    record_store(record, stored);
    return (struct slice){stored, bytes};
}

static struct slice stored_sample(void)
{
    static struct record record;

    build(&record);
    return store(&record);
}

static void assert_is_sample(const struct record_view *view)
{
    struct effect_task_end found;

    assert_int_equal(view->header.seq, 10);
    assert_int_equal(view->header.now_ms, 1700000000000);
    assert_int_equal(view->header.agency, 4);
    assert_int_equal(view->header.person_prev, 2);
    assert_int_equal(view->header.kind, RECORD_OUTCOME);
    assert_int_equal(view->header.version, RECORD_VERSION);
    assert_true(slice_equal(view->payload, SLICE(PAYLOAD)));
    assert_false(view->erased);
    assert_true(effect_find(view, EFFECT_TASK_END, &found, sizeof found));
    assert_memory_equal(&found, &task_end, sizeof found);
}

static void what_is_stored_is_read_back(void **state)
{
    struct record_view view;

    (void)state;
    assert_int_equal(record_view(stored_sample(), &view), STATUS_OK);
    assert_is_sample(&view);
}

static void a_sealed_record_reads_like_a_stored_one(void **state)
{
    static struct record record;
    struct record_view view;

    (void)state;
    build(&record);
    record_seal(&record);
    record_view_of(&record, &view);
    assert_is_sample(&view);
}

static void stored_bytes_need_no_alignment(void **state)
{
    struct record_view view;
    struct slice sample = stored_sample();

    (void)state;
    for (size_t shift = 1; shift < 8; shift++) {
        char *moved = malloc(sample.length + shift);
        memcpy(moved + shift, sample.bytes, sample.length);
        assert_int_equal(record_view((struct slice){moved + shift, sample.length}, &view),
                         STATUS_OK);
        assert_is_sample(&view);
        free(moved);
    }
}

static void every_truncation_is_corrupt(void **state)
{
    struct record_view view;
    struct slice sample = stored_sample();

    (void)state;
    for (size_t length = 0; length < sample.length; length++) {
        /* On the heap, so that a read past the end is seen. */
        char *cut = malloc(length ? length : 1);
        memcpy(cut, sample.bytes, length);
        assert_int_equal(record_view((struct slice){cut, length}, &view), STATUS_CORRUPT);
        free(cut);
    }
    assert_int_equal(record_view((struct slice){stored, sample.length + 1}, &view), STATUS_CORRUPT);
}

static void every_flipped_bit_is_corrupt(void **state)
{
    struct record_view view;
    struct slice sample = stored_sample();

    (void)state;
    for (size_t bit = 0; bit < sample.length * 8; bit++) {
        stored[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(record_view(sample, &view), STATUS_CORRUPT);
        stored[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(record_view(sample, &view), STATUS_OK);
}

static void a_zeroed_payload_is_erased_and_the_rest_stands(void **state)
{
    struct record_view view;
    struct effect_task_end found;
    struct slice sample = stored_sample();

    (void)state;
    memset(stored + sample.length - strlen(PAYLOAD), 0, strlen(PAYLOAD));
    assert_int_equal(record_view(sample, &view), STATUS_OK);
    assert_true(view.erased);
    assert_int_equal(view.payload.length, 0);
    assert_int_equal(view.header.payload_bytes, strlen(PAYLOAD));
    assert_true(effect_find(&view, EFFECT_TASK_END, &found, sizeof found));
}

static void a_payload_zeroed_by_half_is_corrupt(void **state)
{
    struct record_view view;
    struct slice sample = stored_sample();

    (void)state;
    memset(stored + sample.length - 5, 0, 5);
    assert_int_equal(record_view(sample, &view), STATUS_CORRUPT);
}

static void a_later_version_is_corrupt_and_not_guessed_at(void **state)
{
    static struct record record;
    struct record_view view;

    (void)state;
    build(&record);
    record.header.version = RECORD_VERSION + 1;
    assert_int_equal(record_view(store(&record), &view), STATUS_CORRUPT);
}

static void a_record_may_have_neither_effects_nor_payload(void **state)
{
    static struct record record;
    struct record_view view;
    struct slice body;
    size_t offset = 0;

    (void)state;
    record_begin(&record, RECORD_LATE, 1, 0);
    record.header.seq = 1;
    struct slice bytes = store(&record);
    assert_int_equal(bytes.length, sizeof(struct record_header));
    assert_int_equal(record_view(bytes, &view), STATUS_OK);
    assert_false(view.erased);
    assert_int_equal(effect_next(&view, &offset, &body), 0);
}

static void effects_come_in_the_order_they_were_added(void **state)
{
    struct record_view view;
    struct effect_popped popped;
    struct slice body;
    size_t offset = 0;

    (void)state;
    record_view(stored_sample(), &view);
    assert_int_equal(effect_next(&view, &offset, &body), EFFECT_TASK_END);
    assert_int_equal(effect_next(&view, &offset, &body), EFFECT_POPPED);
    effect_copy(body, &popped, sizeof popped);
    assert_int_equal(popped.lease_until_ms, 1234);
    assert_int_equal(effect_next(&view, &offset, &body), 0);
    assert_int_equal(effect_next(&view, &offset, &body), 0);
    assert_false(effect_find(&view, EFFECT_OPTIN, &popped, sizeof popped));
}

static void an_effect_of_another_size_is_cut_or_filled_with_zeroes(void **state)
{
    static struct record record;
    struct record_view view;
    uint64_t three[3] = {1, 2, 3}, read[4] = {9, 9, 9, 9};

    (void)state;
    record_begin(&record, RECORD_LATE, 1, 0);
    record.header.seq = 1;
    record_effect(&record, EFFECT_REPORT, three, sizeof three);
    record_view_of(&record, &view);
    assert_true(effect_find(&view, EFFECT_REPORT, read, sizeof read));
    assert_int_equal(read[2], 3);
    assert_int_equal(read[3], 0);
    memset(read, 9, sizeof read);
    assert_true(effect_find(&view, EFFECT_REPORT, read, 8));
    assert_int_equal(read[0], 1);
    assert_int_equal(read[1], 0x0909090909090909);
}

static void effects_that_do_not_fit_are_refused_whole(void **state)
{
    static struct record record;
    struct effect_popped popped = {0};
    struct record_view view;
    struct slice body;
    size_t offset = 0, count = 0, found = 0;

    (void)state;
    record_begin(&record, RECORD_POPPED, 1, 0);
    record.header.seq = 1;
    while (record_effect(&record, EFFECT_POPPED, &popped, sizeof popped))
        count++;
    assert_int_equal(count, RECORD_EFFECTS_MAX / (4 + sizeof popped));
    assert_int_equal(record_view(store(&record), &view), STATUS_OK);
    while (effect_next(&view, &offset, &body) != 0)
        found++;
    assert_int_equal(found, count);
}

static void settings_are_a_part_of_the_payload_or_all_of_it(void **state)
{
    struct record_view view = {.payload = SLICE("first\nsecond")};
    struct slice settings;

    (void)state;
    assert_true(effect_settings(&view, &(struct effect_admin){0}, &settings));
    assert_true(slice_equal(settings, SLICE("first\nsecond")));
    assert_true(effect_settings(&view, &(struct effect_admin){.at = 6, .bytes = 6}, &settings));
    assert_true(slice_equal(settings, SLICE("second")));
    assert_false(effect_settings(&view, &(struct effect_admin){.at = 7, .bytes = 6}, &settings));
    assert_false(
        effect_settings(&view, &(struct effect_admin){.at = UINT32_MAX, .bytes = 1}, &settings));
    view.payload = (struct slice){0}; /* erased, or nothing is left of it */
    assert_true(effect_settings(&view, &(struct effect_admin){0}, &settings));
    assert_int_equal(settings.length, 0);
}

static void effects_that_lie_about_their_length_end_the_walk(void **state)
{
    /* kind 1 of 2 bytes, then kind 2 that says 200. */
    static const char lie[] = {1, 0, 2, 0, 'a', 'b', 2, 0, (char)200, 0, 'c'};
    struct record_view view = {.effects = {lie, sizeof lie}};
    struct slice body;
    size_t offset = 0;

    (void)state;
    assert_int_equal(effect_next(&view, &offset, &body), 1);
    assert_int_equal(body.length, 2);
    assert_int_equal(effect_next(&view, &offset, &body), 0);
    offset = sizeof lie + 1;
    assert_int_equal(effect_next(&view, &offset, &body), 0);
}

static void the_largest_record_fits_its_limit(void **state)
{
    static struct record record;
    static char payload[OPTIN_STORED_MAX];
    struct record_view view;

    (void)state;
    memset(payload, 'x', sizeof payload);
    record_begin(&record, RECORD_OPTIN, 1, 0);
    record.header.seq = 1;
    record.payload = (struct slice){payload, sizeof payload};
    while (record_effect(&record, EFFECT_POPPED, "12345678", 8))
        ;
    struct slice bytes = store(&record);
    assert_true(bytes.length <= RECORD_BYTES_MAX);
    assert_int_equal(record_view(bytes, &view), STATUS_OK);
    assert_int_equal(view.payload.length, sizeof payload);
}

static void kinds_and_reasons_have_names(void **state)
{
    (void)state;
    for (int kind = 1; kind < RECORD_KIND_END; kind++)
        assert_non_null(record_kind_name((enum record_kind)kind));
    assert_string_equal(record_kind_name(RECORD_LEASE_ENDED), "lease_ended");
    assert_null(no_task_name(NO_TASK_HAS_ONE));
    for (int reason = 1; reason < NO_TASK_END; reason++)
        assert_non_null(no_task_name((enum no_task)reason));
    assert_string_equal(no_task_name(NO_TASK_DO_NOT_CONTACT), "do_not_contact");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_is_read_back),
        cmocka_unit_test(a_sealed_record_reads_like_a_stored_one),
        cmocka_unit_test(stored_bytes_need_no_alignment),
        cmocka_unit_test(every_truncation_is_corrupt),
        cmocka_unit_test(every_flipped_bit_is_corrupt),
        cmocka_unit_test(a_zeroed_payload_is_erased_and_the_rest_stands),
        cmocka_unit_test(a_payload_zeroed_by_half_is_corrupt),
        cmocka_unit_test(a_later_version_is_corrupt_and_not_guessed_at),
        cmocka_unit_test(a_record_may_have_neither_effects_nor_payload),
        cmocka_unit_test(effects_come_in_the_order_they_were_added),
        cmocka_unit_test(an_effect_of_another_size_is_cut_or_filled_with_zeroes),
        cmocka_unit_test(effects_that_do_not_fit_are_refused_whole),
        cmocka_unit_test(settings_are_a_part_of_the_payload_or_all_of_it),
        cmocka_unit_test(effects_that_lie_about_their_length_end_the_walk),
        cmocka_unit_test(the_largest_record_fits_its_limit),
        cmocka_unit_test(kinds_and_reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
