#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/id.h"

#define NUMBER_MAX (((uint64_t)1 << 44) - 1)
#define MS_MAX     (((uint64_t)1 << 48) - 1)
#define NOW_MS     1760000000000u

static const struct hash_key key = {{42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* Numbers that look random and are the same in every run. */
static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct slice make(char out[ID_TEXT_LENGTH], enum id_kind kind, uint64_t ms, uint64_t number)
{
    id_format(out, &key, kind, ms, number);
    return (struct slice){out, ID_TEXT_LENGTH};
}

static void assert_reads_back(enum id_kind kind, uint64_t ms, uint64_t number)
{
    char id[ID_TEXT_LENGTH];
    uint64_t ms_read = 0, number_read = 0;
    assert_true(id_parse(make(id, kind, ms, number), &key, kind, &ms_read, &number_read));
    assert_true(ms_read == ms);
    assert_true(number_read == number);
}

static bool parses(struct slice text, enum id_kind kind)
{
    uint64_t ms, number;
    return id_parse(text, &key, kind, &ms, &number);
}

static void ids_read_back_to_their_time_and_number(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_reads_back((enum id_kind)(i % 3), next_random() & MS_MAX,
                          next_random() & NUMBER_MAX);
}

static void the_ends_of_the_ranges_read_back(void **state)
{
    (void)state;
    assert_reads_back(ID_OPTIN, 0, 0);
    assert_reads_back(ID_PERSON, MS_MAX, NUMBER_MAX);
    assert_reads_back(ID_TASK, 0, NUMBER_MAX);
    assert_reads_back(ID_TASK, MS_MAX, 0);
}

/* Ids stand in other people's systems: a change would lose them. */
static void ids_are_what_they_were_in_stored_records(void **state)
{
    (void)state;
    char id[ID_TEXT_LENGTH];
    make(id, ID_OPTIN, NOW_MS, 1);
    assert_memory_equal(id, "opt_01K742SG00FYKTR6EN4KQKATXH", ID_TEXT_LENGTH);
    make(id, ID_TASK, NOW_MS, 8);
    assert_memory_equal(id, "tsk_01K742SG00EBRBCCSRB6ND30QZ", ID_TEXT_LENGTH);
}

static unsigned digit(char byte)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const char *found = strchr(alphabet, byte);
    assert_non_null(found);
    return (unsigned)(found - alphabet);
}

/* Character i of the 26 holds the bits from 125 - 5 i up. */
static unsigned bits(const char *characters, unsigned from, unsigned count)
{
    unsigned value = 0;
    for (unsigned bit = from + count; bit-- > from;)
        value = value << 1 | (digit(characters[25 - bit / 5]) >> bit % 5 & 1);
    return value;
}

static void an_id_has_the_form_of_a_uuid_version_7(void **state)
{
    (void)state;
    char id[ID_TEXT_LENGTH];
    make(id, ID_PERSON, NOW_MS, 77);
    assert_memory_equal(id, "per_", 4);
    assert_int_equal(bits(id + 4, 76, 4), 7);
    assert_int_equal(bits(id + 4, 62, 2), 2);
    assert_int_equal(bits(id + 4, 80, 24), NOW_MS & 0xffffff);
    assert_int_equal(bits(id + 4, 104, 24), NOW_MS >> 24);
}

static bool is_alias(char a, char b)
{
    static const char zero[] = "0Oo", one[] = "1IiLl";
    if (a == '\0' || b == '\0')
        return false;
    if ((a | 32) == (b | 32) && (a | 32) >= 'a' && (a | 32) <= 'z')
        return true;
    return (strchr(zero, a) && strchr(zero, b)) || (strchr(one, a) && strchr(one, b));
}

static void any_changed_character_is_refused(void **state)
{
    (void)state;
    char id[ID_TEXT_LENGTH];
    struct slice text = make(id, ID_TASK, NOW_MS, 123456789);
    for (size_t at = 0; at < ID_TEXT_LENGTH; at++) {
        char good = id[at];
        for (int byte = 0; byte < 256; byte++) {
            id[at] = (char)byte;
            bool same = byte == (unsigned char)good || (at >= 4 && is_alias((char)byte, good));
            assert_int_equal(parses(text, ID_TASK), same);
        }
        id[at] = good;
    }
}

static void changed_characters_of_many_ids_are_refused(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    for (int i = 0; i < 100000; i++) {
        char id[ID_TEXT_LENGTH];
        struct slice text = make(id, ID_OPTIN, next_random() & MS_MAX, next_random() & NUMBER_MAX);
        size_t at = 4 + next_random() % 26;
        char good = id[at];
        id[at] = alphabet[next_random() % 32];
        assert_int_equal(parses(text, ID_OPTIN), id[at] == good);
    }
}

static void case_and_look_alikes_do_not_matter(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[ID_TEXT_LENGTH];
        struct slice text = make(id, ID_OPTIN, next_random() & MS_MAX, (uint64_t)i);
        for (size_t at = 4; at < ID_TEXT_LENGTH; at++) {
            if (id[at] >= 'A')
                id[at] = (char)(id[at] + 32);
            else if (id[at] == '0')
                id[at] = "Oo"[i % 2];
            else if (id[at] == '1')
                id[at] = "IiLl"[i % 4];
        }
        assert_true(parses(text, ID_OPTIN));
    }
}

static void other_kinds_keys_and_lengths_are_refused(void **state)
{
    (void)state;
    char id[ID_TEXT_LENGTH];
    struct slice text = make(id, ID_OPTIN, NOW_MS, 5);
    struct hash_key other = key;
    uint64_t ms, number;
    other.bytes[0] ^= 1;
    assert_false(parses(text, ID_PERSON));
    assert_false(id_parse(text, &other, ID_OPTIN, &ms, &number));
    memcpy(id, "per_", 4);
    assert_false(parses(text, ID_PERSON));
    memcpy(id, "opt_", 4);
    for (size_t length = 0; length < ID_TEXT_LENGTH; length++) {
        char *exact = malloc(length + 1);
        memcpy(exact, id, length);
        assert_false(parses((struct slice){exact, length}, ID_OPTIN));
        free(exact);
    }
    assert_false(parses((struct slice){NULL, 0}, ID_OPTIN));
}

static void ids_sort_by_time(void **state)
{
    (void)state;
    char before[ID_TEXT_LENGTH], after[ID_TEXT_LENGTH];
    for (int i = 0; i < 10000; i++) {
        uint64_t ms = next_random() & (MS_MAX >> 1);
        make(before, ID_OPTIN, ms, next_random() & NUMBER_MAX);
        make(after, ID_OPTIN, ms + 1 + next_random() % 5, next_random() & NUMBER_MAX);
        assert_true(memcmp(before, after, ID_TEXT_LENGTH) < 0);
    }
}

/* Of 74 bits about half differ between two ids of one millisecond, whatever their
 * numbers; and what differs says nothing of how the numbers do. */
static void ids_of_one_millisecond_share_no_pattern(void **state)
{
    (void)state;
    unsigned least = 74, sum = 0;
    char a[ID_TEXT_LENGTH], b[ID_TEXT_LENGTH];
    for (uint64_t number = 0; number < 1000; number++) {
        unsigned differing = 0;
        make(a, ID_OPTIN, NOW_MS, number);
        make(b, ID_OPTIN, NOW_MS, number + 1);
        for (unsigned bit = 0; bit < 76; bit++)
            differing += bits(a + 4, bit, 1) != bits(b + 4, bit, 1);
        least = differing < least ? differing : least;
        sum += differing;
    }
    assert_in_range(least, 15, 37);
    assert_in_range(sum / 1000, 36, 38);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, REQUEST_ID_LENGTH);
}

static void request_ids_never_repeat(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static char ids[COUNT][REQUEST_ID_LENGTH];
    for (int i = 0; i < COUNT; i++) {
        id_request(ids[i], NOW_MS);
        assert_int_equal(bits(ids[i], 76, 4), 7);
        assert_int_equal(bits(ids[i], 62, 2), 2);
        assert_int_equal(bits(ids[i], 80, 24), NOW_MS & 0xffffff);
    }
    qsort(ids, COUNT, REQUEST_ID_LENGTH, compare_ids);
    for (int i = 1; i < COUNT; i++)
        assert_memory_not_equal(ids[i - 1], ids[i], REQUEST_ID_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_read_back_to_their_time_and_number),
        cmocka_unit_test(the_ends_of_the_ranges_read_back),
        cmocka_unit_test(ids_are_what_they_were_in_stored_records),
        cmocka_unit_test(an_id_has_the_form_of_a_uuid_version_7),
        cmocka_unit_test(any_changed_character_is_refused),
        cmocka_unit_test(changed_characters_of_many_ids_are_refused),
        cmocka_unit_test(case_and_look_alikes_do_not_matter),
        cmocka_unit_test(other_kinds_keys_and_lengths_are_refused),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(ids_of_one_millisecond_share_no_pattern),
        cmocka_unit_test(request_ids_never_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
