/* The registry: what is taken in, who finds it, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/json.h"
#include "server/site.h"

static struct registry *registry;
static struct json *json;
static char settings_bytes[2 * SITE_SETTINGS_MAX];
static struct slice bad_field;

static enum status check(enum entity_kind kind, uint32_t number, const char *patch,
                         struct slice *settings_out)
{
    static char document[SITE_SETTINGS_MAX + JSON_PADDING];
    struct text settings = text_over(settings_bytes, sizeof(settings_bytes));
    struct json_value root;

    snprintf(document, sizeof(document), "%s", patch);
    assert_int_equal(json_parse(json, document, strlen(document), &root), STATUS_OK);
    bad_field = (struct slice){0};
    enum status status = registry_check(registry, kind, number, root, &settings, &bad_field);
    *settings_out = text_slice(&settings);
    return status;
}

static enum status change(enum entity_kind kind, uint32_t number, const char *patch)
{
    struct slice settings;
    enum status status = check(kind, number, patch, &settings);

    if (status != STATUS_OK)
        return status;
    return registry_apply(registry, kind, number ? number : registry_next_number(registry, kind),
                          settings);
}

static void assert_refused(enum entity_kind kind, uint32_t number, const char *patch,
                           const char *field)
{
    struct slice settings;
    char named[64];

    assert_int_equal(check(kind, number, patch, &settings), STATUS_INVALID);
    snprintf(named, sizeof(named), "%.*s", (int)bad_field.length, bad_field.bytes);
    assert_string_equal(named, field);
}

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static int set_up(void **state)
{
    (void)state;
    registry = registry_open();
    json = json_open(2 * SITE_SETTINGS_MAX);
    assert_non_null(registry);
    assert_non_null(json);
    assert_int_equal(change(ENTITY_AGENCY, 0, "{\"id\":\"acme\",\"name\":\"Acme & Co\"}"), 0);
    assert_int_equal(change(ENTITY_AGENCY, 0, "{\"id\":\"other\"}"), 0);
    assert_int_equal(change(ENTITY_QUEUE, 0, "{\"id\":\"acme.calls\",\"agency\":\"acme\"}"), 0);
    assert_int_equal(change(ENTITY_QUEUE, 0, "{\"id\":\"other.calls\",\"agency\":\"other\"}"), 0);
    assert_int_equal(change(ENTITY_SITE, 0,
                            "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                            "\"origins\":[\"https://acme.com\",\"http://localhost:8080\"],"
                            "\"redirects\":[\"https://thanks.acme.com\",\"https://x.com/a?b=1\"],"
                            "\"country\":\"DE\",\"pk\":[\"pk_acme_1\"]}"),
                     0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    registry_close(registry);
    json_close(json);
    return 0;
}

static void settings_are_found_by_number_and_by_id(void **state)
{
    (void)state;
    const struct site *site = registry_site(registry, 1);

    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("www")), 1);
    assert_string_equal(site->id, "www");
    assert_string_equal(site->country, "DE");
    assert_int_equal(site->agency, 1);
    assert_int_equal(site->queue, 1);
    assert_int_equal(site->origin_count, 2);
    assert_true(slice_equal(site->origins[1], SLICE("http://localhost:8080")));
    assert_true(slice_equal(registry_agency(registry, 1)->name, SLICE("Acme & Co")));
    assert_null(registry_site(registry, 0));
    assert_null(registry_site(registry, 2));
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("acme")), 0);
}

static void queues_take_their_times_in_seconds(void **state)
{
    (void)state;
    const struct queue *queue = registry_queue(registry, 1);

    assert_int_equal(queue->report_within_ms, 0); /* as the playbook says */
    assert_int_equal(queue->claim_holds_ms, 0);
    assert_int_equal(queue->overdue_after_ms, 0);
    assert_int_equal(queue->shape, QUEUE_ZSET);
    assert_int_equal(change(ENTITY_QUEUE, 1, "{\"report_within\":30}"), STATUS_OK);
    assert_int_equal(registry_queue(registry, 1)->report_within_ms, 30000);
    assert_int_equal(registry_queue(registry, 1)->claim_holds_ms, 0);
    assert_int_equal(change(ENTITY_QUEUE, 1, "{\"report_within\":null}"), STATUS_OK);
    assert_int_equal(registry_queue(registry, 1)->report_within_ms, 0);
    assert_refused(ENTITY_QUEUE, 1, "{\"report_within\":0}", "report_within");
    assert_refused(ENTITY_QUEUE, 1, "{\"report_within\":1.5}", "report_within");
    assert_refused(ENTITY_QUEUE, 1, "{\"shape\":\"list\"}", "shape");
}

static void what_is_checked_comes_back_the_same(void **state)
{
    (void)state;
    char stored[4096];
    struct slice again, settings = registry_settings(registry, ENTITY_SITE, 1);

    memcpy(stored, settings.bytes, settings.length);
    assert_int_equal(check(ENTITY_SITE, 1, "{}", &again), STATUS_OK);
    assert_int_equal(again.length, settings.length);
    assert_memory_equal(again.bytes, stored, settings.length);
}

static void an_id_is_taken_once(void **state)
{
    (void)state;
    struct slice settings;

    assert_int_equal(check(ENTITY_AGENCY, 0, "{\"id\":\"acme\"}", &settings), STATUS_CONFLICT);
    assert_int_equal(check(ENTITY_SITE, 0,
                           "{\"id\":\"www\",\"agency\":\"other\",\"queue\":\"other.calls\"}",
                           &settings),
                     STATUS_CONFLICT);
    /* Ids of different kinds do not meet. */
    assert_int_equal(check(ENTITY_AGENT, 0, "{\"id\":\"www\",\"agency\":\"acme\"}", &settings),
                     STATUS_OK);
}

static void ids_are_well_formed(void **state)
{
    (void)state;
    char patch[256], id[80] = {0};

    assert_refused(ENTITY_AGENCY, 0, "{}", "id");
    assert_refused(ENTITY_AGENCY, 0, "{\"id\":\"\"}", "id");
    assert_refused(ENTITY_AGENCY, 0, "{\"id\":\"Acme\"}", "id");
    assert_refused(ENTITY_AGENCY, 0, "{\"id\":\"a.b\"}", "id");
    assert_refused(ENTITY_AGENCY, 0, "{\"id\":7}", "id");
    assert_refused(ENTITY_AGENT, 0, "{\"id\":\"a/b\",\"agency\":\"acme\"}", "id");
    memset(id, 'a', SITE_NAME_MAX);
    snprintf(patch, sizeof(patch), "{\"id\":\"%s\"}", id);
    assert_int_equal(change(ENTITY_AGENCY, 0, patch), STATUS_OK);
    memset(id, 'b', SITE_NAME_MAX + 1);
    snprintf(patch, sizeof(patch), "{\"id\":\"%s\"}", id);
    assert_refused(ENTITY_AGENCY, 0, patch, "id");
}

static void a_queue_is_named_after_its_agency(void **state)
{
    (void)state;
    assert_refused(ENTITY_QUEUE, 0, "{\"id\":\"calls\",\"agency\":\"acme\"}", "id");
    assert_refused(ENTITY_QUEUE, 0, "{\"id\":\"acme.\",\"agency\":\"acme\"}", "id");
    assert_refused(ENTITY_QUEUE, 0, "{\"id\":\"acmex.calls\",\"agency\":\"acme\"}", "id");
    assert_refused(ENTITY_QUEUE, 0, "{\"id\":\"other.calls2\",\"agency\":\"acme\"}", "id");
    assert_refused(ENTITY_QUEUE, 0, "{\"id\":\"nobody.calls\",\"agency\":\"nobody\"}", "agency");
}

static void a_site_needs_a_queue_of_its_own_agency(void **state)
{
    (void)state;
    assert_refused(ENTITY_SITE, 0, "{\"id\":\"s\",\"agency\":\"acme\"}", "queue");
    assert_refused(ENTITY_SITE, 0, "{\"id\":\"s\",\"agency\":\"acme\",\"queue\":\"acme.none\"}",
                   "queue");
    assert_refused(ENTITY_SITE, 0, "{\"id\":\"s\",\"agency\":\"acme\",\"queue\":\"other.calls\"}",
                   "queue");
}

static void who_an_entity_belongs_to_is_set_once(void **state)
{
    (void)state;
    struct slice settings;

    assert_refused(ENTITY_SITE, 1, "{\"agency\":\"other\"}", "agency");
    assert_refused(ENTITY_SITE, 1, "{\"agency\":null}", "agency");
    assert_refused(ENTITY_SITE, 1, "{\"id\":\"www2\"}", "id");
    assert_int_equal(check(ENTITY_SITE, 1, "{\"id\":\"www\",\"agency\":\"acme\"}", &settings),
                     STATUS_OK);
    assert_int_equal(check(ENTITY_SITE, 9, "{}", &settings), STATUS_NOT_FOUND);
}

static void unknown_and_wrongly_typed_keys_are_named(void **state)
{
    (void)state;
    assert_refused(ENTITY_SITE, 1, "{\"colour\":\"red\"}", "colour");
    assert_refused(ENTITY_SITE, 1, "{\"origins\":\"https://acme.com\"}", "origins");
    assert_refused(ENTITY_SITE, 1, "{\"origins\":[7]}", "origins");
    assert_refused(ENTITY_SITE, 1, "{\"country\":\"Germany\"}", "country");
    assert_refused(ENTITY_SITE, 1, "{\"country\":\"XX\"}", "country");
    assert_refused(ENTITY_SITE, 1, "{\"countries\":[\"US\",\"ZZ\"]}", "countries");
    assert_refused(ENTITY_SITE, 1, "{\"rate_limit\":-1}", "rate_limit");
    assert_refused(ENTITY_SITE, 1, "{\"hours_policy\":\"sometimes\"}", "hours_policy");
    assert_refused(ENTITY_SITE, 1, "[]", "");
}

static void an_origin_is_written_as_browsers_do(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "https://acme.com/",
        "acme.com",
        "HTTPS://acme.com",
        "https://Acme.com",
        "ftp://acme.com",
        "https://acme.com:443",
        "http://acme.com:80",
        "https://acme.com:0",
        "https://acme.com:99999",
        "https://a b.com",
        "https://u@acme.com",
        "null",
        "*",
        "https://*.acme.com",
        "https://",
        "https://[::1",
        "https://acme.com:08",
    };
    char patch[256];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(patch, sizeof(patch), "{\"origins\":[\"%s\"]}", bad[i]);
        assert_refused(ENTITY_SITE, 1, patch, "origins");
    }
    assert_int_equal(change(ENTITY_SITE, 1,
                            "{\"origins\":[\"http://[::1]:8080\",\"http://acme.com:443\","
                            "\"https://xn--bcher-kva.example\"]}"),
                     STATUS_OK);
    assert_true(site_allows_origin(registry_site(registry, 1), SLICE("http://[::1]:8080")));
}

static void more_origins_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    char patch[4096];
    struct text text = text_over(patch, sizeof(patch) - 1);

    text_string(&text, "{\"origins\":[\"https://o.com\"");
    for (int i = 0; i < SITE_ORIGINS_MAX; i++)
        text_printf(&text, ",\"https://o%d.com\"", i);
    text_string(&text, "]}");
    patch[text.length] = '\0';
    assert_refused(ENTITY_SITE, 1, patch, "origins");
}

static void an_origin_matches_exactly(void **state)
{
    (void)state;
    const struct site *site = registry_site(registry, 1);

    assert_true(site_allows_origin(site, SLICE("https://acme.com")));
    assert_false(site_allows_origin(site, SLICE("http://acme.com")));
    assert_false(site_allows_origin(site, SLICE("https://acme.com:444")));
    assert_false(site_allows_origin(site, SLICE("https://evil-acme.com")));
    assert_false(site_allows_origin(site, SLICE("https://acme.com.evil.com")));
    assert_false(site_allows_origin(site, SLICE("null")));
    assert_false(site_allows_origin(site, SLICE("")));
}

static void a_redirect_stays_on_what_the_site_lists(void **state)
{
    (void)state;
    const struct site *site = registry_site(registry, 1);

    assert_true(site_allows_redirect(site, SLICE("https://acme.com/thanks?x=1#top")));
    assert_true(site_allows_redirect(site, SLICE("HTTPS://ACME.com/thanks")));
    assert_true(site_allows_redirect(site, SLICE("https://thanks.acme.com/any")));
    assert_true(site_allows_redirect(site, SLICE("https://x.com/a?b=1")));
    assert_false(site_allows_redirect(site, SLICE("https://x.com/a?b=2")));
    assert_false(site_allows_redirect(site, SLICE("https://acme.com.evil.com/")));
    assert_false(site_allows_redirect(site, SLICE("https://acme.com@evil.com/")));
    assert_false(site_allows_redirect(site, SLICE("https://acme.com\\.evil.com/")));
    assert_false(site_allows_redirect(site, SLICE("https://acme.com/\r\nX: y")));
    assert_false(site_allows_redirect(site, SLICE("//acme.com/")));
    assert_false(site_allows_redirect(site, SLICE("/thanks")));
    assert_false(site_allows_redirect(site, SLICE("javascript:alert(1)")));
    assert_false(site_allows_redirect(site, SLICE("")));
}

static void two_keys_live_beside_each_other(void **state)
{
    (void)state;
    char secret[SECRET_TEXT_MAX], hash[SECRET_HASH_TEXT], patch[512];
    size_t length = registry_make_secret(secret, "sk", "acme");

    registry_hash_secret((struct slice){secret, length}, hash);
    snprintf(patch, sizeof(patch), "{\"sk\":[\"%s\",\"%.64s\"]}", HASH_A, hash);
    assert_int_equal(change(ENTITY_SITE, 1, patch), STATUS_OK);
    assert_ptr_equal(registry_site_by_secret_key(registry, (struct slice){secret, length}),
                     registry_site(registry, 1));
    assert_null(registry_site_by_secret_key(registry, (struct slice){secret, length - 1}));
    assert_null(registry_site_by_public_key(registry, (struct slice){secret, length}));

    assert_int_equal(change(ENTITY_SITE, 1, "{\"pk\":[\"pk_acme_1\",\"pk_acme_2\"]}"), STATUS_OK);
    assert_non_null(registry_site_by_public_key(registry, SLICE("pk_acme_1")));
    assert_non_null(registry_site_by_public_key(registry, SLICE("pk_acme_2")));
    assert_int_equal(change(ENTITY_SITE, 1, "{\"pk\":[\"pk_acme_2\"]}"), STATUS_OK);
    assert_null(registry_site_by_public_key(registry, SLICE("pk_acme_1")));
    assert_refused(ENTITY_SITE, 1, "{\"pk\":[\"pk_1\",\"pk_2\",\"pk_3\"]}", "pk");
}

/* A secret that was found is known again without its SHA-256, until anything changes. */
static void a_known_secret_is_forgotten_with_its_site(void **state)
{
    char secret[SECRET_TEXT_MAX], hash[SECRET_HASH_TEXT], patch[512];
    struct slice sk = {secret, registry_make_secret(secret, "sk", "acme")};

    (void)state;
    registry_hash_secret(sk, hash);
    snprintf(patch, sizeof(patch), "{\"sk\":[\"%.*s\"]}", SECRET_HASH_TEXT, hash);
    assert_int_equal(change(ENTITY_SITE, 1, patch), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(registry_site_by_secret_key(registry, sk), registry_site(registry, 1));
        assert_null(registry_token_by_secret(registry, sk));
    }

    assert_int_equal(change(ENTITY_SITE, 1, "{\"sk\":[]}"), STATUS_OK);
    assert_null(registry_site_by_secret_key(registry, sk));
    assert_int_equal(change(ENTITY_SITE, 1, patch), STATUS_OK);
    assert_ptr_equal(registry_site_by_secret_key(registry, sk), registry_site(registry, 1));
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 1, (struct slice){0}), STATUS_OK);
    assert_null(registry_site_by_secret_key(registry, sk));
}

static void secrets_look_like_their_kind_and_differ(void **state)
{
    (void)state;
    char one[SECRET_TEXT_MAX], two[SECRET_TEXT_MAX], longest[SITE_NAME_MAX + 1] = {0};
    size_t length;

    length = registry_make_secret(one, "sk", "acme");
    assert_int_equal(length, strlen(one));
    registry_make_secret(two, "sk", "acme");
    assert_memory_equal(one, "sk_acme_", 8);
    assert_int_equal(strlen(one), 8 + 52);
    assert_string_not_equal(one, two);
    registry_make_secret(one, "tk", NULL);
    assert_memory_equal(one, "tk_", 3);
    assert_int_equal(strlen(one), 3 + 52);
    memset(longest, 'a', SITE_NAME_MAX);
    length = registry_make_secret(one, "sk", longest);
    assert_int_equal(length, strlen(one));
}

static void a_token_is_found_by_its_text_only(void **state)
{
    (void)state;
    char secret[SECRET_TEXT_MAX], hash[SECRET_HASH_TEXT], patch[512];
    size_t length = registry_make_secret(secret, "tk", NULL);

    registry_hash_secret((struct slice){secret, length}, hash);
    snprintf(patch, sizeof(patch), "{\"id\":\"root\",\"role\":\"admin\",\"hash\":\"%.64s\"}", hash);
    assert_int_equal(change(ENTITY_TOKEN, 0, patch), STATUS_OK);
    const struct token *token = registry_token_by_secret(registry, (struct slice){secret, length});
    assert_non_null(token);
    assert_int_equal(token->role, ROLE_ADMIN);
    assert_int_equal(token->agency, 0);
    assert_null(registry_token_by_secret(registry, (struct slice){hash, SECRET_HASH_TEXT}));
    assert_null(registry_token_by_secret(registry, SLICE("tk_")));
}

static void a_token_belongs_to_its_role(void **state)
{
    (void)state;
    assert_refused(ENTITY_TOKEN, 0, "{\"id\":\"t\",\"hash\":\"" HASH_A "\"}", "role");
    assert_refused(ENTITY_TOKEN, 0, "{\"id\":\"t\",\"role\":\"admin\"}", "hash");
    assert_refused(ENTITY_TOKEN, 0,
                   "{\"id\":\"t\",\"role\":\"admin\",\"agency\":\"acme\",\"hash\":\"" HASH_A "\"}",
                   "agency");
    assert_refused(ENTITY_TOKEN, 0, "{\"id\":\"t\",\"role\":\"agent\",\"hash\":\"" HASH_A "\"}",
                   "agency");
    assert_refused(ENTITY_TOKEN, 0,
                   "{\"id\":\"t\",\"role\":\"agent\",\"agency\":\"acme\",\"agent\":\"a42\","
                   "\"hash\":\"" HASH_A "\"}",
                   "agent");
    assert_int_equal(change(ENTITY_AGENT, 0, "{\"id\":\"a42\",\"agency\":\"acme\"}"), STATUS_OK);
    assert_int_equal(change(ENTITY_TOKEN, 0,
                            "{\"id\":\"t\",\"role\":\"agent\",\"agency\":\"acme\","
                            "\"agent\":\"a42\",\"hash\":\"" HASH_A "\"}"),
                     STATUS_OK);
    assert_string_equal(registry_token(registry, 1)->agent, "a42");
    assert_int_equal(registry_check_remove(registry, ENTITY_AGENT, 1), STATUS_CONFLICT);
}

static void what_others_depend_on_stays(void **state)
{
    (void)state;
    assert_int_equal(registry_check_remove(registry, ENTITY_AGENCY, 1), STATUS_CONFLICT);
    assert_int_equal(registry_check_remove(registry, ENTITY_QUEUE, 1), STATUS_CONFLICT);
    assert_int_equal(registry_check_remove(registry, ENTITY_SITE, 1), STATUS_OK);
    assert_int_equal(registry_check_remove(registry, ENTITY_SITE, 2), STATUS_NOT_FOUND);

    assert_int_equal(registry_apply(registry, ENTITY_SITE, 1, (struct slice){0}), STATUS_OK);
    assert_int_equal(registry_check_remove(registry, ENTITY_QUEUE, 1), STATUS_OK);
    assert_int_equal(registry_apply(registry, ENTITY_QUEUE, 1, (struct slice){0}), STATUS_OK);
    assert_int_equal(registry_check_remove(registry, ENTITY_AGENCY, 1), STATUS_OK);
}

static void what_depends_on_an_entity_survives_its_change(void **state)
{
    (void)state;
    assert_int_equal(change(ENTITY_QUEUE, 1, "{\"claim_holds\":60}"), STATUS_OK);
    assert_int_equal(registry_check_remove(registry, ENTITY_QUEUE, 1), STATUS_CONFLICT);
    assert_int_equal(change(ENTITY_QUEUE, 0, "{\"id\":\"acme.b\",\"agency\":\"acme\"}"), STATUS_OK);
    assert_int_equal(change(ENTITY_SITE, 1, "{\"queue\":\"acme.b\"}"), STATUS_OK);
    assert_int_equal(registry_check_remove(registry, ENTITY_QUEUE, 1), STATUS_OK);
}

static void a_number_is_never_used_again(void **state)
{
    (void)state;
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 1, (struct slice){0}), STATUS_OK);
    assert_null(registry_site(registry, 1));
    assert_int_equal(registry_settings(registry, ENTITY_SITE, 1).length, 0);
    assert_null(registry_site_by_public_key(registry, SLICE("pk_acme_1")));
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("www")), 0);
    assert_int_equal(registry_next_number(registry, ENTITY_SITE), 2);
    /* The same on a registry that never saw it alive. */
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 7, (struct slice){0}), STATUS_OK);
    assert_int_equal(registry_next_number(registry, ENTITY_SITE), 8);
}

static void settings_that_cannot_be_read_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{",
        "{\"id\":\"www\"}",
        "{\"id\":\"www\",\"agency\":\"gone\",\"queue\":\"acme.calls\"}",
        "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"gone\"}",
        "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\",\"from_the_future\":1}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(registry_apply(registry, ENTITY_SITE, 1, slice_of(bad[i])),
                         STATUS_CORRUPT);
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 0, SLICE("{}")), STATUS_CORRUPT);
    assert_string_equal(registry_site(registry, 1)->id, "www");
    assert_non_null(registry_site_by_public_key(registry, SLICE("pk_acme_1")));
}

static void a_name_outlives_its_entity(void **state)
{
    (void)state;
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 1, (struct slice){0}), STATUS_OK);
    assert_true(slice_equal(registry_name(registry, ENTITY_SITE, 1), SLICE("www")));
    assert_int_equal(registry_name(registry, ENTITY_SITE, 2).length, 0);
}

/* What a rebuild does: the registry knows the end, then hears the whole story again. */
static void a_story_told_twice_ends_the_same(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        assert_int_equal(registry_apply(registry, ENTITY_SITE, 2,
                                        SLICE("{\"id\":\"s\",\"agency\":\"acme\","
                                              "\"queue\":\"acme.calls\",\"pk\":[\"pk_2\"]}")),
                         STATUS_OK);
        assert_int_equal(registry_apply(registry, ENTITY_SITE, 2, (struct slice){0}), STATUS_OK);
        assert_int_equal(registry_apply(registry, ENTITY_SITE, 3,
                                        SLICE("{\"id\":\"s\",\"agency\":\"acme\","
                                              "\"queue\":\"acme.calls\",\"pk\":[\"pk_3\"]}")),
                         STATUS_OK);
    }
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("s")), 3);
    assert_null(registry_site_by_public_key(registry, SLICE("pk_2")));
    assert_int_equal(registry_site_by_public_key(registry, SLICE("pk_3"))->number, 3);
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 3, (struct slice){0}), STATUS_OK);
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("s")), 0);
    assert_int_equal(registry_apply(registry, ENTITY_SITE, 1, (struct slice){0}), STATUS_OK);
    assert_int_equal(registry_check_remove(registry, ENTITY_QUEUE, 1), STATUS_OK);
}

static void names_are_found_among_thousands_and_after_removals(void **state)
{
    (void)state;
    char patch[128], id[16];
    const int many = 3000;

    for (int i = 0; i < many; i++) {
        snprintf(patch, sizeof(patch), "{\"id\":\"n%d\",\"agency\":\"acme\"}", i);
        assert_int_equal(change(ENTITY_AGENT, 0, patch), STATUS_OK);
    }
    for (int i = 0; i < many; i += 3)
        assert_int_equal(registry_apply(registry, ENTITY_AGENT, (uint32_t)i + 1, (struct slice){0}),
                         STATUS_OK);
    for (int i = 0; i < many; i++) {
        snprintf(id, sizeof(id), "n%d", i);
        assert_int_equal(registry_number(registry, ENTITY_AGENT, slice_of(id)),
                         i % 3 == 0 ? 0 : i + 1);
    }
    registry_clear(registry);
    assert_int_equal(registry_number(registry, ENTITY_AGENT, SLICE("n1")), 0);
    assert_int_equal(registry_next_number(registry, ENTITY_AGENT), 1);
}

static void over_the_soft_limit_is_suspect_over_the_hard_refused(void **state)
{
    (void)state;
    bool suspect;

    assert_int_equal(change(ENTITY_SITE, 1, "{\"rate_limit\":4,\"suspect_limit\":2}"), STATUS_OK);
    struct site *site = registry_site(registry, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(site_take(site, 1000, &suspect), STATUS_OK);
        assert_int_equal(suspect, i >= 2);
    }
    assert_int_equal(site_take(site, 1000, &suspect), STATUS_RATE_LIMITED);
    assert_int_equal(site_take(site, 1249, &suspect), STATUS_RATE_LIMITED);
    assert_int_equal(site_take(site, 1300, &suspect), STATUS_OK);
    /* A change of settings does not hand out a full bucket again. */
    assert_int_equal(change(ENTITY_SITE, 1, "{\"country\":\"US\"}"), STATUS_OK);
    site = registry_site(registry, 1);
    assert_int_equal(site_take(site, 1300, &suspect), STATUS_RATE_LIMITED);
    assert_int_equal(site_take(site, 99000, &suspect), STATUS_OK);
    assert_false(suspect);
}

static void without_limits_everything_passes(void **state)
{
    (void)state;
    bool suspect;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(site_take(registry_site(registry, 1), 5, &suspect), STATUS_OK);
        assert_false(suspect);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_are_found_by_number_and_by_id),
        TEST(queues_take_their_times_in_seconds),
        TEST(what_is_checked_comes_back_the_same),
        TEST(an_id_is_taken_once),
        TEST(ids_are_well_formed),
        TEST(a_queue_is_named_after_its_agency),
        TEST(a_site_needs_a_queue_of_its_own_agency),
        TEST(who_an_entity_belongs_to_is_set_once),
        TEST(unknown_and_wrongly_typed_keys_are_named),
        TEST(an_origin_is_written_as_browsers_do),
        TEST(more_origins_than_there_is_room_for_are_refused),
        TEST(an_origin_matches_exactly),
        TEST(a_redirect_stays_on_what_the_site_lists),
        TEST(two_keys_live_beside_each_other),
        TEST(a_known_secret_is_forgotten_with_its_site),
        TEST(secrets_look_like_their_kind_and_differ),
        TEST(a_token_is_found_by_its_text_only),
        TEST(a_token_belongs_to_its_role),
        TEST(what_others_depend_on_stays),
        TEST(what_depends_on_an_entity_survives_its_change),
        TEST(a_number_is_never_used_again),
        TEST(settings_that_cannot_be_read_change_nothing),
        TEST(a_name_outlives_its_entity),
        TEST(a_story_told_twice_ends_the_same),
        TEST(names_are_found_among_thousands_and_after_removals),
        TEST(over_the_soft_limit_is_suspect_over_the_hard_refused),
        TEST(without_limits_everything_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
