/* People of a site that was removed: they are worked on. */
#include "proto/zone.h"
#include "tests/one_life.h"

static uint32_t make_site(const char *id, const char *queue)
{
    char settings[160];

    snprintf(settings, sizeof(settings), "{\"id\":\"%s\",\"agency\":\"acme\",\"queue\":\"%s\"}", id,
             queue);
    return world_admin(&world, ENTITY_SITE, settings);
}

static void agree(uint64_t at_ms)
{
    world.call_at_ms = at_ms;
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
}

/* With the registry that a start reads from the journal. */
static void remove_site(uint32_t number)
{
    remove_admin(ENTITY_SITE, number);
    world_reopen(&world, true, false);
}

/* With its queues, on which nothing stands. */
static void remove_agency(void)
{
    uint32_t queues = registry_count(recovery_registry(world.recovery), ENTITY_QUEUE);

    remove_site(world.site);
    for (uint32_t queue = 1; queue <= queues; queue++)
        remove_admin(ENTITY_QUEUE, queue);
    remove_admin(ENTITY_AGENCY, world.agency);
}

static void calls_go_where_the_site_led(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;

    (void)unused;
    agree(agreed_ms);
    remove_site(world.site);
    world_live(&world, agreed_ms);
    assert_int_equal(open_call().kind, TASK_AGREED);
    assert_int_equal(open_call().queue, world.queue);
}

static void a_site_that_is_made_again_leads_to_its_queue(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;
    uint32_t queue = make_queue("acme.new");

    (void)unused;
    agree(agreed_ms);
    remove_site(world.site);
    make_site("main", "acme.new");
    world_live(&world, agreed_ms);
    assert_int_equal(open_call().queue, queue);
}

static void a_site_of_another_agency_is_not_the_same(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;

    (void)unused;
    agree(agreed_ms);
    remove_site(world.site);
    world_admin(&world, ENTITY_AGENCY, "{\"id\":\"other\",\"name\":\"Other\"}");
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"other.calls\",\"agency\":\"other\"}");
    world_admin(&world, ENTITY_SITE,
                "{\"id\":\"main\",\"agency\":\"other\",\"queue\":\"other.calls\"}");
    world_live(&world, agreed_ms);
    assert_int_equal(open_call().queue, world.queue);
}

static void where_its_queue_is_gone_too_another_sites_is_there(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;
    uint32_t queue = make_queue("acme.shop");

    (void)unused;
    agree(agreed_ms);
    remove_site(world.site);
    remove_admin(ENTITY_QUEUE, world.queue);
    make_site("shop", "acme.shop");
    world_live(&world, agreed_ms);
    assert_int_equal(open_call().queue, queue);
}

/* The queue's id, and with it its number, is given out once more, by an agency that came after. */
static void a_queue_of_an_agency_that_was_made_again_is_not_theirs(void **unused)
{
    (void)unused;
    report(opt_in_as(PHONE, NULL, "one", 0), OUTCOME_NO_ANSWER);
    remove_agency();
    world_admin(&world, ENTITY_AGENCY, "{\"id\":\"acme\",\"name\":\"Acme\"}");
    assert_int_equal(make_queue("acme.calls"), world.queue);
    make_site("main", "acme.calls");
    world_live(&world, WORLD_START_MS + 800 * DAY);
    assert_int_equal(open_call().number, 0);
    assert_int_equal(person().closed, PERSON_RUN_OUT);
}

static void whose_agency_is_gone_comes_to_an_end(void **unused)
{
    (void)unused;
    report(opt_in_as(PHONE, NULL, "one", 0), OUTCOME_NO_ANSWER);
    remove_agency();
    world_live(&world, WORLD_START_MS + 800 * DAY);
    assert_int_equal(person().closed, PERSON_RUN_OUT);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 1000 * DAY);
    assert_int_equal(world.step_count, 0);
}

static void a_call_waits_until_its_agency_has_a_queue(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;

    (void)unused;
    agree(agreed_ms);
    remove_site(world.site);
    remove_admin(ENTITY_QUEUE, world.queue);
    world_live(&world, agreed_ms + 10 * DAY);
    assert_int_equal(open_call().number, 0);
    assert_int_equal(person().call_why, CALL_AGREED);
    assert_in_range(person().call_ms, world.now_ms, world.now_ms + DAY);
    assert_int_equal(make_queue("acme.calls"), world.queue); /* as it was */
    world_live(&world, world.now_ms + DAY);
    assert_int_equal(open_call().kind, TASK_AGREED);
    assert_int_equal(open_call().queue, world.queue);
    assert_true(open_call().deadline_ms > world.now_ms - DAY);
}

static void the_attempts_that_are_due_are_made(void **unused)
{
    unsigned calls = 0;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    remove_site(world.site);
    for (uint64_t due_ms, end_ms = WORLD_START_MS + 300 * DAY;
         (due_ms = engine_next_due_ms(world.engine)) < end_ms;) {
        world_live(&world, due_ms > world.now_ms ? due_ms : world.now_ms);
        if (open_call().state == TASK_QUEUED) {
            report(open_call().number, OUTCOME_NO_ANSWER);
            calls++;
        }
    }
    assert_true(person().attempts >= 7);
    assert_int_equal(person().attempts, calls + 1);
}

static void who_is_found_by_research_is_called(void **unused)
{
    struct task_row task;

    (void)unused;
    assert_int_equal(world_optin(&world, NULL, NULL, NULL, "one", 0), STATUS_OK);
    assert_true(open_of(TASK_RESEARCH, &task));
    remove_site(world.site);
    world.finds = "{\"phone\":\"" PHONE "\"}";
    report(task.number, OUTCOME_RESEARCHED);
    world.finds = NULL;
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    assert_int_equal(open_call().queue, world.queue);
}

/* Both in the evening of London, where nobody knows more of them than that the site was there. */
static struct task_row british_found_after_the_site(void)
{
    struct task_row task;

    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"uk\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                             "\"country\":\"GB\",\"hours_policy\":\"always\"}");
    assert_int_equal(world_optin(&world, NULL, NULL, NULL, "one", 0), STATUS_OK);
    assert_true(open_of(TASK_RESEARCH, &task));
    remove_site(world.site);
    world.finds = "{\"phone\":\"020 7946 0958\"}";
    report(task.number, OUTCOME_RESEARCHED);
    world.finds = NULL;
    return open_call();
}

static void a_number_is_understood_in_the_country_of_a_site_that_is_gone(void **unused)
{
    (void)unused;
    assert_int_equal(british_found_after_the_site().kind, TASK_FIRST_RESPONSE);
}

static void a_site_that_is_gone_wants_its_hours_still(void **unused)
{
    (void)unused;
    assert_int_equal(british_found_after_the_site().state, TASK_PARKED);
}

static void hours_go_by_the_country_of_a_site_that_is_gone(void **unused)
{
    uint64_t agreed_ms = WORLD_START_MS + DAY;

    (void)unused;
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"uk\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                             "\"country\":\"GB\"}");
    world.call_at_ms = agreed_ms;
    report(opt_in_as(NULL, EMAIL, "one", 0), OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    remove_site(world.site);
    world_live(&world, agreed_ms);
    assert_true(zone_of_code(open_call().zone) == zone_find(SLICE("Europe/London")));
}

static void whom_somebody_sends_is_found_by_the_country_of_a_site_that_is_gone(void **unused)
{
    struct state_edge edge;
    uint64_t task;

    (void)unused;
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"uk\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                             "\"country\":\"GB\"}");
    task = opt_in("one");
    assert_int_equal(world_optin(&world, "+442079460958", NULL, NULL, "two", 0), STATUS_OK);
    remove_site(world.site);
    world.value = "020 7946 0958";
    report(task, OUTCOME_REFERRAL);
    world.value = NULL;
    assert_true(state_edge_next(world.state, 1, EDGE_REFERRED, 0, &edge));
    assert_int_equal(edge.other, 2);
}

static void who_is_found_while_there_is_no_queue_is_called_when_there_is(void **unused)
{
    struct task_row task;

    (void)unused;
    make_queue("acme.research");
    assert_int_equal(world_optin(&world, NULL, NULL, NULL, "one", 0), STATUS_OK);
    assert_true(open_of(TASK_RESEARCH, &task));
    remove_site(world.site);
    remove_admin(ENTITY_QUEUE, world.queue);
    world.finds = "{\"phone\":\"" PHONE "\"}";
    report(task.number, OUTCOME_RESEARCHED);
    world.finds = NULL;
    world_live(&world, world.now_ms + DAY);
    assert_int_equal(person().call_why, CALL_AGAIN);
    make_site("main", "acme.email");
    world_live(&world, world.now_ms + DAY);
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(calls_go_where_the_site_led),
        LIFE(a_site_that_is_made_again_leads_to_its_queue),
        LIFE(a_site_of_another_agency_is_not_the_same),
        LIFE(where_its_queue_is_gone_too_another_sites_is_there),
        LIFE(a_queue_of_an_agency_that_was_made_again_is_not_theirs),
        LIFE(whose_agency_is_gone_comes_to_an_end),
        LIFE(a_call_waits_until_its_agency_has_a_queue),
        LIFE(the_attempts_that_are_due_are_made),
        LIFE(who_is_found_by_research_is_called),
        LIFE(a_number_is_understood_in_the_country_of_a_site_that_is_gone),
        LIFE(a_site_that_is_gone_wants_its_hours_still),
        LIFE(hours_go_by_the_country_of_a_site_that_is_gone),
        LIFE(whom_somebody_sends_is_found_by_the_country_of_a_site_that_is_gone),
        LIFE(who_is_found_while_there_is_no_queue_is_called_when_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
