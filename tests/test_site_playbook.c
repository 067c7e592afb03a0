/* Playbooks in the registry: their versions, who goes by which, and the queues of their robots. */
#include "tests/playbooks.h"

#include "proto/json.h"
#include "server/site.h"

static struct registry *registry;
static struct json *json;
static char bytes[SITE_PLAYBOOK_SETTINGS_MAX + 1];
static struct slice bad_field;

static enum status change(enum entity_kind kind, uint32_t number, const char *patch)
{
    char document[1024];
    struct text settings = text_over(bytes, sizeof(bytes));
    struct json_value root;

    snprintf(document, sizeof(document), "%s", patch);
    assert_status(json_parse(json, document, strlen(document), &root), STATUS_OK);
    enum status status = registry_check(registry, kind, number, root, &settings, &bad_field);
    if (status != STATUS_OK)
        return status;
    return registry_apply(registry, kind, number ? number : registry_next_number(registry, kind),
                          text_slice(&settings));
}

static enum status check(const char *id, const struct playbook *playbook, struct slice *settings)
{
    struct text out = text_over(bytes, sizeof(bytes));
    struct slice agency = {id, strcspn(id, ".")};
    enum status status =
        registry_check_playbook(registry, slice_of(id), agency, playbook, &out, &bad_field);

    *settings = text_slice(&out);
    return status;
}

static enum status apply_next(struct slice settings)
{
    return registry_apply(registry, ENTITY_PLAYBOOK,
                          registry_next_number(registry, ENTITY_PLAYBOOK), settings);
}

/* A playbook that differs from the default by its title. */
static const struct playbook *titled(const char *title)
{
    char yaml[128];

    snprintf(yaml, sizeof(yaml), "based_on: default\nname: own\ntitle: %s\n", title);
    return open_text(yaml);
}

static enum status set(const char *id, const char *title)
{
    const struct playbook *playbook = titled(title);
    struct slice settings;
    enum status status = check(id, playbook, &settings);

    playbook_close(playbook);
    return status == STATUS_OK ? apply_next(settings) : status;
}

static enum status take_back(const char *id)
{
    struct slice settings;
    enum status status = check(id, NULL, &settings);

    return status == STATUS_OK ? apply_next(settings) : status;
}

static int set_up(void **state)
{
    (void)state;
    registry = registry_open();
    json = json_open(1024);
    assert_non_null(registry);
    assert_status(change(ENTITY_AGENCY, 0, "{\"id\":\"acme\"}"), STATUS_OK);
    assert_status(change(ENTITY_AGENCY, 0, "{\"id\":\"other\"}"), STATUS_OK);
    assert_status(change(ENTITY_QUEUE, 0, "{\"id\":\"acme.calls\",\"agency\":\"acme\"}"),
                  STATUS_OK);
    assert_status(
        change(ENTITY_SITE, 0, "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}"),
        STATUS_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    registry_close(registry);
    json_close(json);
    return 0;
}

static uint32_t of_site(void)
{
    return registry_playbook_of(registry, registry_site(registry, 1));
}

/* --- versions ------------------------------------------------------------------------------ */

static void without_any_the_shipped_default_is_in_force(void **state)
{
    (void)state;
    assert_int_equal(of_site(), 0);
    assert_slice(registry_playbook(registry, 0)->name, "default");
    assert_ptr_equal(registry_playbook(registry, 1), registry_playbook(registry, 0));
    assert_ptr_equal(registry_playbook(registry, UINT32_MAX), registry_playbook(registry, 0));
}

static void each_version_has_a_number_and_stays(void **state)
{
    (void)state;
    assert_status(set("acme.a", "One"), STATUS_OK);
    assert_status(set("acme.b", "Two"), STATUS_OK);
    assert_status(set("acme.a", "Three"), STATUS_OK);
    const struct playbook *first = registry_playbook(registry, 1);
    assert_slice(first->title, "One");
    assert_slice(registry_playbook(registry, 2)->title, "Two");
    assert_slice(registry_playbook(registry, 3)->title, "Three");
    assert_int_equal(registry_playbook_version(registry, 2)->version, 1);
    assert_int_equal(registry_playbook_version(registry, 3)->version, 2);
    assert_int_equal(registry_playbook_version(registry, 3)->first, 1);
    assert_int_equal(registry_playbook_version(registry, 1)->newest, 3);
    assert_int_equal(registry_number(registry, ENTITY_PLAYBOOK, SLICE("acme.a")), 1);
    assert_int_equal(registry_next_version(registry, SLICE("acme.a")), 3);
    assert_int_equal(registry_next_version(registry, SLICE("acme.c")), 1);
    assert_status(set("acme.a", "Four"), STATUS_OK);
    assert_ptr_equal(registry_playbook(registry, 1), first);
}

static void new_people_go_by_the_newest_that_the_site_or_else_its_agency_names(void **state)
{
    (void)state;
    assert_status(set("acme.a", "One"), STATUS_OK);
    assert_status(set("acme.b", "Two"), STATUS_OK);
    assert_int_equal(of_site(), 0);
    assert_status(change(ENTITY_AGENCY, 1, "{\"playbook\":\"acme.a\"}"), STATUS_OK);
    assert_int_equal(of_site(), 1);
    assert_status(set("acme.a", "Three"), STATUS_OK);
    assert_int_equal(of_site(), 3);
    assert_status(change(ENTITY_SITE, 1, "{\"playbook\":\"acme.b\"}"), STATUS_OK);
    assert_int_equal(of_site(), 2);
    assert_status(change(ENTITY_SITE, 1, "{\"playbook\":null}"), STATUS_OK);
    assert_int_equal(of_site(), 3);
}

static void what_says_the_same_is_no_new_version(void **state)
{
    (void)state;
    assert_status(set("acme.a", "One"), STATUS_OK);
    assert_status(set("acme.a", "'One' # and a comment"), STATUS_DUPLICATE);
    assert_status(set("acme.a", "Two"), STATUS_OK);
    assert_status(set("acme.a", "One"), STATUS_OK); /* back to what it was */
    assert_int_equal(registry_count(registry, ENTITY_PLAYBOOK), 3);
}

static void an_id_is_named_after_its_agency(void **state)
{
    static const char *const bad[] = {"acme.", "acme.A", "acme.a b", "acme"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_status(set(bad[i], "One"), STATUS_INVALID);
        assert_slice(bad_field, "id");
    }
    assert_status(set("nobody.a", "One"), STATUS_INVALID);
    assert_slice(bad_field, "agency");
}

static void only_ones_own_playbook_in_force_is_named(void **state)
{
    (void)state;
    assert_status(set("other.a", "One"), STATUS_OK);
    assert_status(set("acme.a", "Two"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_OK);
    static const char *const bad[] = {"other.a", "acme.a", "acme.none", "default"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char patch[64];
        snprintf(patch, sizeof(patch), "{\"playbook\":\"%s\"}", bad[i]);
        assert_status(change(ENTITY_SITE, 1, patch), STATUS_INVALID);
        assert_slice(bad_field, "playbook");
        assert_status(change(ENTITY_AGENCY, 1, patch), STATUS_INVALID);
        assert_slice(bad_field, "playbook");
    }
    assert_non_null(registry_advice(bad_field));
}

/* --- removal ------------------------------------------------------------------------------- */

static void removed_is_in_force_for_nobody_and_its_versions_stay(void **state)
{
    (void)state;
    assert_status(take_back("acme.a"), STATUS_NOT_FOUND);
    assert_status(set("acme.a", "One"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_NOT_FOUND);
    assert_slice(registry_playbook(registry, 1)->title, "One");
    assert_null(registry_playbook_version(registry, 2)->playbook);
    assert_slice(registry_playbook(registry, 2)->name, "default");
    assert_status(set("acme.a", "One"), STATUS_OK); /* the same again, but not in force by now */
    assert_int_equal(registry_playbook_version(registry, 3)->version, 3);
}

static void what_is_named_is_not_removed(void **state)
{
    (void)state;
    assert_status(set("acme.a", "One"), STATUS_OK);
    assert_status(change(ENTITY_SITE, 1, "{\"playbook\":\"acme.a\"}"), STATUS_OK);
    assert_status(set("acme.a", "Two"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_CONFLICT);
    assert_status(change(ENTITY_AGENCY, 1, "{\"playbook\":\"acme.a\"}"), STATUS_OK);
    assert_status(change(ENTITY_SITE, 1, "{\"playbook\":null}"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_CONFLICT);
    assert_status(change(ENTITY_AGENCY, 1, "{\"playbook\":\"\"}"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_OK);
}

static void an_agency_stays_as_long_as_a_playbook_of_it_is_in_force(void **state)
{
    (void)state;
    assert_status(set("other.a", "One"), STATUS_OK);
    assert_status(set("other.a", "Two"), STATUS_OK);
    assert_status(registry_check_remove(registry, ENTITY_AGENCY, 2), STATUS_CONFLICT);
    assert_status(take_back("other.a"), STATUS_OK);
    assert_status(registry_check_remove(registry, ENTITY_AGENCY, 2), STATUS_OK);
}

/* --- the same story again ------------------------------------------------------------------ */

/* What a rebuild does: the registry knows the end, then hears all of it once more. */
static void a_story_told_twice_ends_the_same(void **state)
{
    static char settings[4][SITE_PLAYBOOK_SETTINGS_MAX];
    static const char *const titles[] = {"One", "Two", NULL, "Four"};
    struct slice told[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        const struct playbook *playbook = titles[i] ? titled(titles[i]) : NULL;
        struct slice one;
        assert_status(check("acme.a", playbook, &one), STATUS_OK);
        memcpy(settings[i], one.bytes, one.length);
        told[i] = (struct slice){settings[i], one.length};
        assert_status(apply_next(told[i]), STATUS_OK);
        playbook_close(playbook);
    }
    assert_status(change(ENTITY_SITE, 1, "{\"playbook\":\"acme.a\"}"), STATUS_OK);
    for (uint32_t i = 0; i < 4; i++) {
        const struct playbook *before = registry_playbook(registry, i + 1);
        assert_status(registry_apply(registry, ENTITY_PLAYBOOK, i + 1, told[i]), STATUS_OK);
        assert_ptr_equal(registry_playbook(registry, i + 1), before); /* not opened again */
        assert_int_equal(of_site(), 4);
    }
    assert_status(take_back("acme.a"), STATUS_CONFLICT);
    assert_status(change(ENTITY_SITE, 1, "{\"playbook\":null}"), STATUS_OK);
    assert_status(take_back("acme.a"), STATUS_OK);
}

static void settings_that_cannot_be_read_change_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "{\"id\":\"acme.a\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"name: [\"}",
        "{\"id\":\"acme.a\",\"agency\":\"gone\",\"version\":1,\"yaml\":null}",
        "{\"id\":\"acme.a\",\"agency\":\"acme\",\"yaml\":null}",
        "{\"id\":\"acme.a\",\"agency\":\"acme\",\"version\":1,\"yaml\":null,\"more\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_status(apply_next(slice_of(bad[i])), STATUS_CORRUPT);
    assert_int_equal(registry_count(registry, ENTITY_PLAYBOOK), 0);
    assert_int_equal(registry_number(registry, ENTITY_PLAYBOOK, SLICE("acme.a")), 0);
}

/* --- limits -------------------------------------------------------------------------------- */

/* One whose canonical form has exactly so many bytes: texts are made longer. */
static const struct playbook *sized(size_t wanted)
{
    static char yaml[PLAYBOOK_FILE_MAX];
    const struct playbook *playbook = titled("x");
    size_t missing = wanted - playbook->canonical.length;
    struct text out = text_over(yaml, sizeof(yaml));

    playbook_close(playbook);
    text_string(&out, "based_on: default\nname: own\ntitle: x\nwords:\n");
    for (unsigned i = 0; missing > 0; i++) {
        const size_t around = strlen("  w1000:\n    means: \"\"\n"); /* as it is written then */
        size_t most = around + 900, rest = missing > 2 * most ? most : missing;
        if (rest > most)
            rest /= 2;
        text_printf(&out, "  w%u: {means: ", 1000 + i);
        for (size_t length = around; length < rest; length++)
            text_char(&out, 'y');
        text_string(&out, "}\n");
        missing -= rest;
    }
    playbook = open_slice(text_slice(&out));
    assert_int_equal(playbook->canonical.length, wanted);
    return playbook;
}

static void the_longest_playbook_there_may_be_is_kept(void **state)
{
    const struct playbook *most = sized(PLAYBOOK_CANONICAL_MAX);
    struct slice settings;

    (void)state;
    assert_status(check("acme.a", most, &settings), STATUS_OK);
    assert_status(apply_next(settings), STATUS_OK);
    assert_true(hash_equal(registry_playbook(registry, 1)->hash, most->hash));
    playbook_close(most);
}

static void there_are_as_many_versions_as_numbers(void **state)
{
    struct slice settings;

    (void)state;
    /* Removals say nothing but who and when, so there can be many in a moment. */
    for (unsigned i = 1; i <= SITE_PLAYBOOK_NUMBER_MAX; i++) {
        char one[96];
        snprintf(one, sizeof(one),
                 "{\"id\":\"acme.a\",\"agency\":\"acme\",\"version\":%u,\"yaml\":null}", i);
        assert_status(apply_next(slice_of(one)), STATUS_OK);
    }
    assert_status(set("acme.b", "One"), STATUS_BUSY);
    assert_status(check("acme.a", NULL, &settings), STATUS_NOT_FOUND);
    assert_status(apply_next(SLICE("{\"id\":\"acme.b\",\"agency\":\"acme\",\"version\":1}")),
                  STATUS_CORRUPT);
}

/* --- queues for robots --------------------------------------------------------------------- */

static void add_robots(const char *agency)
{
    struct text out = text_over(bytes, sizeof(bytes));
    struct slice lines, settings;

    assert_status(registry_add_robots(registry, slice_of(agency), &out), STATUS_OK);
    lines = text_slice(&out);
    assert_true(registry_next_settings(&lines, &settings) || lines.length > 0);
    while (registry_next_settings(&lines, &settings))
        assert_status(registry_apply(registry, ENTITY_QUEUE,
                                     registry_next_number(registry, ENTITY_QUEUE), settings),
                      STATUS_OK);
}

static void an_agency_gets_the_queues_that_its_robots_lack(void **state)
{
    static const char *const names[] = {"other.email", "other.sms",      "other.voicemail",
                                        "other.fax",   "other.postcard", "other.letter",
                                        "other.visit", "other.research"};
    uint32_t numbers[SITE_ALONG_MAX];
    struct text out = text_over(bytes, sizeof(bytes));

    (void)state;
    assert_status(
        change(ENTITY_QUEUE, 0, "{\"id\":\"other.sms\",\"agency\":\"other\",\"shape\":\"list\"}"),
        STATUS_OK);
    add_robots("other");
    assert_int_equal(registry_along(registry, ENTITY_AGENCY, 2, numbers), SITE_ROBOTS_MAX);
    for (int i = 0; i < SITE_ROBOTS_MAX; i++) {
        assert_slice(registry_name(registry, ENTITY_QUEUE, numbers[i]), names[i]);
        assert_int_equal(registry_queue(registry, numbers[i])->agency, 2);
        assert_int_equal(registry_queue(registry, numbers[i])->shape,
                         i == 1 ? QUEUE_LIST : QUEUE_ZSET);
    }
    assert_status(registry_add_robots(registry, SLICE("other"), &out), STATUS_OK);
    assert_int_equal(out.length, 0);
    assert_int_equal(registry_along(registry, ENTITY_AGENCY, 1, numbers), 0);
}

static void an_agency_goes_with_its_robots_queues_and_with_no_others(void **state)
{
    uint32_t numbers[SITE_ALONG_MAX];

    (void)state;
    add_robots("other");
    assert_status(registry_check_remove(registry, ENTITY_AGENCY, 2), STATUS_OK);
    assert_status(change(ENTITY_QUEUE, 0, "{\"id\":\"other.calls\",\"agency\":\"other\"}"),
                  STATUS_OK);
    assert_status(registry_check_remove(registry, ENTITY_AGENCY, 2), STATUS_CONFLICT);
    add_robots("acme");
    registry_along(registry, ENTITY_AGENCY, 1, numbers);
    assert_false(registry_is_needed(registry, numbers[0]));
    assert_status(change(ENTITY_SITE, 1, "{\"queue\":\"acme.email\"}"), STATUS_OK);
    assert_true(registry_is_needed(registry, numbers[0]));
    assert_status(registry_check_remove(registry, ENTITY_AGENCY, 1), STATUS_CONFLICT);
}

static void names_of_queues_must_fit(void **state)
{
    char id[SITE_NAME_MAX + 1];
    struct text out = text_over(bytes, sizeof(bytes));

    (void)state;
    memset(id, 'a', sizeof(id));
    assert_status(registry_add_robots(registry, (struct slice){id, 54}, &out), STATUS_OK);
    assert_status(registry_add_robots(registry, (struct slice){id, 55}, &out), STATUS_INVALID);
}

/* Another machine's tz database had it, or no check was made when it was stored. */
static void what_was_stored_is_read_though_no_new_one_may_say_it(void **state)
{
    static const char yaml[] = "based_on: default\\nname: own\\ntitle: Own\\ncalendars:\\n"
                               "  x: {zone: America/Nowhere, hours: {mon: 09:00-10:00}}\\n"
                               "  office: {hours: {mon: 09:00-10:00}}\\n";
    char settings[512];

    (void)state;
    snprintf(settings, sizeof(settings),
             "{\"id\":\"acme.old\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"%s\"}", yaml);
    assert_status(apply_next(slice_of(settings)), STATUS_OK);
}

static void there_are_no_more_queues_than_numbers(void **state)
{
    struct text out = text_over(bytes, sizeof(bytes));
    const uint32_t room = SITE_NUMBER_MAX - SITE_ROBOTS_MAX;

    (void)state;
    assert_status(registry_apply(registry, ENTITY_QUEUE, room, (struct slice){0}), STATUS_OK);
    assert_status(registry_add_robots(registry, SLICE("other"), &out), STATUS_OK);
    assert_status(registry_apply(registry, ENTITY_QUEUE, room + 1, (struct slice){0}), STATUS_OK);
    assert_status(registry_add_robots(registry, SLICE("other"), &out), STATUS_CONFLICT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_any_the_shipped_default_is_in_force),
        TEST(each_version_has_a_number_and_stays),
        TEST(new_people_go_by_the_newest_that_the_site_or_else_its_agency_names),
        TEST(what_says_the_same_is_no_new_version),
        TEST(an_id_is_named_after_its_agency),
        TEST(only_ones_own_playbook_in_force_is_named),
        TEST(removed_is_in_force_for_nobody_and_its_versions_stay),
        TEST(what_is_named_is_not_removed),
        TEST(an_agency_stays_as_long_as_a_playbook_of_it_is_in_force),
        TEST(a_story_told_twice_ends_the_same),
        TEST(settings_that_cannot_be_read_change_nothing),
        TEST(the_longest_playbook_there_may_be_is_kept),
        TEST(there_are_as_many_versions_as_numbers),
        TEST(an_agency_gets_the_queues_that_its_robots_lack),
        TEST(an_agency_goes_with_its_robots_queues_and_with_no_others),
        TEST(names_of_queues_must_fit),
        TEST(what_was_stored_is_read_though_no_new_one_may_say_it),
        TEST(there_are_no_more_queues_than_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
