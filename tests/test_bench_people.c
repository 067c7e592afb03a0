#include "bench/people.h"
#include "proto/phone.h"
#include "server/http_scan.h"
#include "server/intake/intake.h"
#include "tests/unit.h"

#define MANY 100000

static struct target_site sites[] = {
    {"sk_acme_one", "pk_acme_one"}, {"sk_acme_two", "pk_acme_two"}, {"sk_acme_three", ""}};
static struct target hotlead = {
    .kind = TARGET_HOTLEAD, .host = "127.0.0.1", .port = 8080, .sites = sites, .site_count = 3};
static const struct target peer = {
    .kind = TARGET_PEER, .host = "::1", .port = 7379, .method = "PUT", .path = "/LPUSH/optins"};

static const struct hash_key hash_key = {"sixteen bytes!!"};
static struct intake *intake;
static struct optin optin;
static struct http_head head;

static int open_intake(void **state)
{
    (void)state;
    intake = intake_open(&hash_key);
    return intake ? 0 : -1;
}

static int close_intake(void **state)
{
    (void)state;
    intake_close(intake);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    hotlead.site_count = 3;
    return 0;
}

static struct people *people_of(struct people_options options)
{
    if (!options.target)
        options.target = &hotlead;
    struct people *people = people_open(&options);
    assert_non_null(people);
    return people;
}

/* --- reading a request as the server does -------------------------------------------- */

/* The copy lives until the next one. */
static const struct people_request *request(struct people *people, uint64_t n)
{
    static char bytes[PEOPLE_REQUEST_BYTES_MAX + JSON_PADDING];
    static struct people_request copy;

    people_request(people, n, true, &copy);
    memcpy(bytes, copy.bytes, copy.length);
    copy.bytes = bytes;
    return &copy;
}

/* The head, checked to be one with exactly this body behind it. */
static struct slice body_of(const struct people_request *made)
{
    http_scan_start(&head);
    assert_int_equal(http_scan(&head, made->bytes, made->length), HTTP_SCAN_WHOLE);
    assert_status(head.refusal, STATUS_OK);
    assert_int_equal(head.framing.length, made->length - head.length);
    return (struct slice){made->bytes + head.length, made->length - head.length};
}

static struct slice header(const struct people_request *made, enum http_header which)
{
    return http_head_slice(made->bytes, head.headers[which]);
}

static const struct people_request *read_request(struct people *people, uint64_t n)
{
    const struct people_request *made = request(people, n);
    struct slice body = body_of(made), type = header(made, HTTP_CONTENT_TYPE);

    assert_status(intake_read(intake, intake_shape(type), type, body, &optin), STATUS_OK);
    return made;
}

static void copy_text(char *out, size_t capacity, enum optin_text field)
{
    assert_in_range(optin.text[field].length, 0, capacity - 1);
    snprintf(out, capacity, "%.*s", (int)optin.text[field].length, optin.text[field].bytes);
}

static bool is_path(const struct people_request *made, const char *path)
{
    return slice_equal(http_head_slice(made->bytes, head.path), slice_of(path));
}

/* --- bodies -------------------------------------------------------------------------- */

static void an_optin_says_the_same_in_every_kind_of_body(void **state)
{
    const struct people_options kinds[] = {
        {.seed = 42, .json = 1}, {.seed = 42, .form = 1}, {.seed = 42, .multipart = 1}};
    static const char *const types[] = {"application/json", "application/x-www-form-urlencoded",
                                        "multipart/form-data"};
    struct hash first = {{0}};

    (void)state;
    hotlead.site_count = 2;
    for (unsigned i = 0; i < 3; i++) {
        struct people *people = people_of(kinds[i]);
        const struct people_request *made = read_request(people, 17);
        struct hash content = optin_content(&optin, &hash_key, 1);

        assert_memory_equal(header(made, HTTP_CONTENT_TYPE).bytes, types[i], strlen(types[i]));
        assert_slice(optin.text[OPTIN_EMAIL], "visitor-0000002a-17@example.com");
        assert_slice(optin.text[OPTIN_EVENT_ID], "0000002a-17");
        assert_slice(optin.text[OPTIN_CONSENT_CHANNELS], "[\"call\",\"sms\"]");
        assert_int_equal(optin.consent_given, OPTIN_YES);
        assert_int_equal(optin.extra_count, 0);
        if (i == 0)
            first = content;
        assert_memory_equal(&content, &first, sizeof content);
        people_close(people);
    }
}

/* JSON by the secret key, forms by the public one. */
static void each_site_is_sent_to_by_its_own_keys(void **state)
{
    struct people *people = people_of((struct people_options){.json = 1, .form = 1});
    unsigned json[3] = {0}, forms[2] = {0};

    (void)state;
    for (uint64_t n = 0; n < 3000; n++) {
        const struct people_request *made = request(people, n);
        body_of(made);
        struct slice secret = header(made, HTTP_AUTHORIZATION);
        if (secret.length == 0) {
            assert_slice(header(made, HTTP_ACCEPT), "application/json");
            forms[0] += is_path(made, "/f/pk_acme_one");
            forms[1] += is_path(made, "/f/pk_acme_two");
            continue;
        }
        assert_true(is_path(made, "/v1/optins"));
        json[0] += slice_equal(secret, SLICE("Bearer sk_acme_one"));
        json[1] += slice_equal(secret, SLICE("Bearer sk_acme_two"));
        json[2] += slice_equal(secret, SLICE("Bearer sk_acme_three"));
    }
    assert_int_equal(json[0] + json[1] + json[2] + forms[0] + forms[1], 3000);
    for (int i = 0; i < 2; i++) {
        assert_in_range(json[i], 400, 600);
        assert_in_range(forms[i], 400, 600);
    }
    assert_in_range(json[2], 900, 1100); /* it has no public key, so no forms */
    people_close(people);
}

static void kinds_of_body_come_as_often_as_they_weigh(void **state)
{
    unsigned json = 0, forms = 0;

    (void)state;
    hotlead.site_count = 2;
    struct people *people =
        people_of((struct people_options){.json = 70, .form = 25, .multipart = 5});
    for (uint64_t n = 0; n < 10000; n++) {
        const struct people_request *made = request(people, n);
        body_of(made);
        struct slice type = header(made, HTTP_CONTENT_TYPE);
        json += slice_equal(type, SLICE("application/json"));
        forms += slice_equal(type, SLICE("application/x-www-form-urlencoded"));
    }
    assert_in_range(json, 6800, 7200);
    assert_in_range(forms, 2300, 2700);
    assert_in_range(10000 - json - forms, 400, 600);
    people_close(people);
}

static void a_peer_gets_the_body_that_hotlead_gets(void **state)
{
    struct people *ours = people_of((struct people_options){.seed = 3, .json = 1});
    struct people *theirs = people_of((struct people_options){
        .seed = 3, .json = 70, .form = 25, .multipart = 5, .target = &peer});

    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        char body[PEOPLE_REQUEST_BYTES_MAX];
        struct slice wanted = body_of(request(ours, n));
        memcpy(body, wanted.bytes, wanted.length);
        body[wanted.length] = '\0';

        const struct people_request *made = request(theirs, n);
        assert_slice(body_of(made), body);
        assert_true(is_path(made, "/LPUSH/optins"));
        assert_int_equal(head.method, HTTP_PUT);
        assert_int_equal(made->key, n);
        assert_in_range(wanted.length, 360, 400);
    }
    people_close(ours);
    people_close(theirs);
}

static void a_connection_for_one_request_says_so(void **state)
{
    struct people *people = people_of((struct people_options){.json = 1});
    struct people_request made;

    (void)state;
    people_request(people, 0, true, &made);
    body_of(&made);
    assert_true(http_head_keeps_alive(&head));
    people_request(people, 0, false, &made);
    body_of(&made);
    assert_false(http_head_keeps_alive(&head));
    people_close(people);
}

/* --- who ------------------------------------------------------------------------------ */

static int compare_numbers(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Those of a long run and some of the last there are. */
static void phone_numbers_are_ordinary_ones_of_the_country_and_all_different(void **state)
{
    struct people *people = people_of((struct people_options){.seed = 99, .json = 1});
    uint64_t *numbers = calloc(MANY, sizeof *numbers);

    (void)state;
    for (uint64_t i = 0; i < MANY; i++) {
        struct people_request made;
        struct phone phone;
        uint64_t n = i < MANY / 2 ? i : 2662300000 - 1 - i;

        people_request(people, n, true, &made);
        const char *field = memmem(made.bytes, made.length, "\"phone\":\"", 9);
        assert_non_null(field);
        assert_status(phone_parse((struct slice){field + 9, 12}, "US", &phone), STATUS_OK);
        assert_int_equal(phone.range, PHONE_ORDINARY);
        assert_string_equal(phone.country, "US");
        assert_int_equal(field[21], '"');
        numbers[i] = strtoull(field + 10, NULL, 10);
        assert_int_not_equal(numbers[i] / 10000 % 100, 11); /* an exchange, but a service */
    }
    qsort(numbers, MANY, sizeof *numbers, compare_numbers);
    for (size_t i = 1; i < MANY; i++)
        assert_true(numbers[i] > numbers[i - 1]);
    free(numbers);
    people_close(people);
}

static void who_comes_after_the_last_phone_number_has_none(void **state)
{
    const uint64_t count = 2662300000;
    const struct people_options kinds[] = {
        {.json = 1, .first = count}, {.form = 1, .first = count}, {.multipart = 1, .first = count}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct people *people = people_of(kinds[i]);
        read_request(people, count);
        assert_int_equal(optin.text[OPTIN_PHONE].length, 0);
        assert_slice(optin.text[OPTIN_EMAIL], "visitor-00000000-2662300000@example.com");
        assert_true(optin.text[OPTIN_NAME].length > 0);
        people_close(people);
    }
}

static void who_comes_back_is_known_and_sends_something_else(void **state)
{
    struct people *people =
        people_of((struct people_options){.seed = 5, .json = 1, .returning = 0.3, .first = 100});
    unsigned returned = 0;

    (void)state;
    for (uint64_t n = 100; n < 10100; n++) {
        char email[64], phone[32], page[128], event[64];
        const struct people_request *made = read_request(people, n);
        if (made->what != PEOPLE_RETURNING) {
            assert_int_equal(made->what, PEOPLE_NEW);
            assert_int_equal(made->key, n);
            continue;
        }
        returned++;
        copy_text(email, sizeof email, OPTIN_EMAIL);
        copy_text(phone, sizeof phone, OPTIN_PHONE);
        copy_text(page, sizeof page, OPTIN_PAGE_URL);
        copy_text(event, sizeof event, OPTIN_EVENT_ID);
        assert_in_range(made->key, 100, n - 1);

        made = read_request(people, made->key);
        assert_int_equal(made->what, PEOPLE_NEW);
        assert_slice(optin.text[OPTIN_EMAIL], email);
        assert_slice(optin.text[OPTIN_PHONE], phone);
        assert_false(slice_equal(optin.text[OPTIN_PAGE_URL], slice_of(page)));
        assert_false(slice_equal(optin.text[OPTIN_EVENT_ID], slice_of(event)));
    }
    assert_in_range(returned, 2850, 3150);
    people_close(people);
}

/* Which one is not told, so it is looked for among all before it. */
static void a_duplicate_repeats_an_earlier_request_to_the_byte(void **state)
{
    enum { COUNT = 400 };
    struct people *people = people_of((struct people_options){
        .seed = 6, .json = 1, .form = 1, .multipart = 1, .returning = 0.1, .duplicates = 0.2});
    static char sent[COUNT][PEOPLE_REQUEST_BYTES_MAX];
    size_t lengths[COUNT];
    unsigned duplicates = 0;

    (void)state;
    for (unsigned n = 0; n < COUNT; n++) {
        const struct people_request *made = request(people, n);
        unsigned same = 0;

        memcpy(sent[n], made->bytes, made->length);
        lengths[n] = made->length;
        for (unsigned i = 0; i < n; i++)
            same += lengths[i] == lengths[n] && memcmp(sent[i], sent[n], lengths[n]) == 0;
        assert_int_equal(same > 0, made->what == PEOPLE_DUPLICATE);
        duplicates += same > 0;
    }
    assert_in_range(duplicates, 55, 105);
    people_close(people);
}

static void nothing_but_the_seed_and_the_number_decides(void **state)
{
    const struct people_options options = {
        .seed = 8, .json = 1, .form = 1, .returning = 0.2, .duplicates = 0.1};
    struct people *one = people_of(options), *same = people_of(options);
    struct people_request made;

    (void)state;
    for (uint64_t n = 0; n < 1000; n++)
        people_request(same, n, true, &made); /* what was asked for before does not matter */
    for (uint64_t n = 0; n < 1000; n++) {
        const struct people_request *wanted = request(one, n);
        people_request(same, n, true, &made);
        assert_int_equal(made.length, wanted->length);
        assert_memory_equal(made.bytes, wanted->bytes, made.length);
        assert_int_equal(made.what, wanted->what);
        assert_int_equal(made.key, wanted->key);
    }
    people_close(one);
    people_close(same);
}

static void another_seed_sends_other_people(void **state)
{
    struct people *one = people_of((struct people_options){.seed = 1, .json = 1});
    struct people *other = people_of((struct people_options){.seed = 2, .json = 1});
    char email[64], phone[32];

    (void)state;
    read_request(one, 5);
    copy_text(email, sizeof email, OPTIN_EMAIL);
    copy_text(phone, sizeof phone, OPTIN_PHONE);
    read_request(other, 5);
    assert_false(slice_equal(optin.text[OPTIN_EMAIL], slice_of(email)));
    assert_false(slice_equal(optin.text[OPTIN_PHONE], slice_of(phone)));
    people_close(one);
    people_close(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(an_optin_says_the_same_in_every_kind_of_body),
        TEST(each_site_is_sent_to_by_its_own_keys),
        TEST(kinds_of_body_come_as_often_as_they_weigh),
        TEST(a_peer_gets_the_body_that_hotlead_gets),
        TEST(a_connection_for_one_request_says_so),
        TEST(phone_numbers_are_ordinary_ones_of_the_country_and_all_different),
        TEST(who_comes_after_the_last_phone_number_has_none),
        TEST(who_comes_back_is_known_and_sends_something_else),
        TEST(a_duplicate_repeats_an_earlier_request_to_the_byte),
        TEST(nothing_but_the_seed_and_the_number_decides),
        TEST(another_seed_sends_other_people),
    };
    return cmocka_run_group_tests(tests, open_intake, close_intake);
}
