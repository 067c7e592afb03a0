/* The engine on settings: ids, versions, and what is not removed while it is needed. */
#include "tests/engine_tasks.h"

static void admin_ids_are_unique_and_removal_is_checked(void **unused)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = SLICE("{\"id\":\"acme\",\"name\":\"Again\"}"),
                              .admin = {.entity = ENTITY_AGENCY}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
    command.payload = (struct slice){0};
    command.admin.number = world.agency;
    command.admin.remove = true;
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
}

static enum status remove_entity(enum entity_kind entity, uint32_t number)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .admin = {.entity = entity, .number = number, .remove = true}};

    return world_do(&world, &command);
}

static enum status set_playbook(unsigned version, bool removes)
{
    char settings[256];
    struct command command = {.kind = COMMAND_ADMIN, .admin = {.entity = ENTITY_PLAYBOOK}};
    int length =
        snprintf(settings, sizeof(settings),
                 "{\"id\":\"acme.a\",\"agency\":\"acme\",\"version\":%u,\"yaml\":%s}", version,
                 removes ? "null" : "\"based_on: default\\nname: own\\ntitle: Own\\n\"");

    command.payload = (struct slice){settings, (size_t)length};
    return world_do(&world, &command);
}

static void versions_of_a_playbook_have_no_gap(void **unused)
{
    (void)unused;
    assert_int_equal(set_playbook(2, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(1, false), STATUS_OK);
    assert_int_equal(world.settlement.entity_number, 1);
    assert_int_equal(set_playbook(1, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(3, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(2, false), STATUS_OK);
    assert_int_equal(world.settlement.entity_number, 2);
    world_reopen(&world, false, true);
    assert_int_equal(set_playbook(2, false), STATUS_CONFLICT);
    assert_int_equal(set_playbook(3, true), STATUS_OK);
}

static void a_playbook_that_is_named_is_not_removed(void **unused)
{
    struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":\"acme.a\"}"),
        .admin = {.entity = ENTITY_AGENCY, .number = 1}};

    (void)unused;
    assert_int_equal(set_playbook(1, false), STATUS_OK);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(set_playbook(2, true), STATUS_CONFLICT);
    command.payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":null}");
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(set_playbook(2, true), STATUS_OK);
}

#define FRESH  "{\"id\":\"fresh\"}\n"
#define EMAIL  "{\"id\":\"fresh.email\",\"agency\":\"fresh\"}"
#define LETTER "{\"id\":\"fresh.letter\",\"agency\":\"fresh\"}"

static void queues_come_with_their_agency_or_nothing_does(void **unused)
{
    struct command command = {.kind = COMMAND_ADMIN, .admin = {.entity = ENTITY_AGENCY}};
    struct registry *registry = recovery_registry(world.recovery);

    (void)unused;
    command.payload = SLICE(FRESH EMAIL "\n{\"id\":\"acme.calls\",\"agency\":\"fresh\"}");
    assert_int_equal(world_do(&world, &command), STATUS_CONFLICT);
    assert_int_equal(registry_number(registry, ENTITY_AGENCY, SLICE("fresh")), 0);
    command.payload = SLICE(FRESH EMAIL "\n" LETTER);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(world.records, 1);
    assert_int_equal(world.settlement.entity_number, 2);
    assert_int_equal(world.settlement.queue_numbers[0], 2);
    assert_int_equal(registry_number(registry, ENTITY_QUEUE, SLICE("fresh.letter")), 3);
    for (int rebuilt = 0; rebuilt < 2; rebuilt++) {
        world_reopen(&world, true, rebuilt);
        registry = recovery_registry(world.recovery);
        assert_int_equal(registry_number(registry, ENTITY_QUEUE, SLICE("fresh.letter")), 3);
    }
    assert_int_equal(remove_entity(ENTITY_AGENCY, 2), STATUS_OK);
    assert_int_equal(registry_number(registry, ENTITY_QUEUE, SLICE("fresh.letter")), 0);
}

static void an_agency_stays_while_its_robots_have_tasks(void **unused)
{
    struct command command = {
        .kind = COMMAND_ADMIN, .payload = SLICE(FRESH EMAIL), .admin = {.entity = ENTITY_AGENCY}};

    (void)unused;
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"f\",\"agency\":\"fresh\",\"queue\":\"fresh.email\"}");
    world.queue = world.settlement.entity_number;
    fresh_task("+12155550147");
    assert_int_equal(remove_entity(ENTITY_SITE, world.site), STATUS_OK);
    assert_int_equal(remove_entity(ENTITY_AGENCY, 2), STATUS_CONFLICT);
}

static void a_queue_is_not_removed_while_tasks_are_open_on_it(void **unused)
{
    uint32_t other = world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.two\",\"agency\":\"acme\"}");
    struct command moves = {
        .kind = COMMAND_ADMIN,
        .payload = SLICE("{\"id\":\"main\",\"agency\":\"acme\",\"queue\":\"acme.two\"}"),
        .admin = {.entity = ENTITY_SITE, .number = world.site}};
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_not_equal(other, 0);
    assert_int_equal(world_do(&world, &moves), STATUS_OK);
    assert_int_equal(remove_entity(ENTITY_QUEUE, world.queue), STATUS_CONFLICT);
    world_popped(&world, outbox_seq());
    assert_int_equal(remove_entity(ENTITY_QUEUE, world.queue), STATUS_CONFLICT);
    world_pass(&world, 2 * MINUTE);
    assert_int_equal(world_visible(&world, world.queue),
                     1); /* popped in silence, given out again */
    world_report(&world, number, 2, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1");
    assert_int_equal(remove_entity(ENTITY_QUEUE, world.queue), STATUS_OK);
}

/* Its keys in Redis are the same, so what is known of them must be found. */
static void a_queue_that_is_made_again_has_its_number_again(void **unused)
{
    struct command again = {.kind = COMMAND_ADMIN,
                            .payload = SLICE("{\"id\":\"acme.two\",\"agency\":\"acme\"}"),
                            .admin = {.entity = ENTITY_QUEUE}};
    uint32_t other = world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.two\",\"agency\":\"acme\"}");
    uint32_t highest;

    (void)unused;
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.three\",\"agency\":\"acme\"}");
    highest = world.settlement.entity_number;
    for (int rebuilt = 0; rebuilt < 2; rebuilt++) {
        assert_int_equal(remove_entity(ENTITY_QUEUE, other), STATUS_OK);
        world_reopen(&world, true, rebuilt);
        assert_int_equal(world_do(&world, &again), STATUS_OK);
        assert_int_equal(world.settlement.entity_number, other);
        assert_int_equal(world_do(&world, &again), STATUS_CONFLICT);
    }
    again.payload = SLICE("{\"id\":\"acme.four\",\"agency\":\"acme\"}");
    assert_int_equal(world_do(&world, &again), STATUS_OK);
    assert_int_equal(world.settlement.entity_number, highest + 1);
}

/* Beside one that is new: the managers' stays when an agent goes. */
static void queues_that_come_along_again_have_their_numbers_again(void **unused)
{
    struct command agent = {.kind = COMMAND_ADMIN,
                            .payload = SLICE("{\"id\":\"ann\",\"agency\":\"acme\"}\n"
                                             "{\"id\":\"acme.new\",\"agency\":\"acme\"}\n"
                                             "{\"id\":\"acme.a-ann\",\"agency\":\"acme\"}"),
                            .admin = {.entity = ENTITY_AGENT}};
    uint32_t own = world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.a-ann\",\"agency\":\"acme\"}");
    uint32_t next = own + 1;

    (void)unused;
    assert_int_equal(remove_entity(ENTITY_QUEUE, own), STATUS_OK);
    assert_int_equal(world_do(&world, &agent), STATUS_OK);
    assert_int_equal(world.settlement.queue_numbers[0], next);
    assert_int_equal(world.settlement.queue_numbers[1], own);
    assert_int_equal(
        registry_number(recovery_registry(world.recovery), ENTITY_QUEUE, SLICE("acme.a-ann")), own);
}

static void tasks_outlive_their_site(void **unused)
{
    struct task_row task;
    uint64_t number = fresh_task("+12155550147");

    (void)unused;
    assert_int_equal(remove_entity(ENTITY_SITE, world.site), STATUS_OK);
    world_reopen(&world, true, true);
    world_popped(&world, outbox_seq());
    world_pass(&world, 2 * MINUTE);
    assert_true(world_task(&world, 1, number, &task));
    assert_int_equal(task.delivery, 2);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_true(slice_equal(
        registry_name(recovery_registry(world.recovery), ENTITY_SITE, task.site), SLICE("main")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(admin_ids_are_unique_and_removal_is_checked),
        TEST(versions_of_a_playbook_have_no_gap),
        TEST(a_playbook_that_is_named_is_not_removed),
        TEST(queues_come_with_their_agency_or_nothing_does),
        TEST(an_agency_stays_while_its_robots_have_tasks),
        TEST(a_queue_is_not_removed_while_tasks_are_open_on_it),
        TEST(a_queue_that_is_made_again_has_its_number_again),
        TEST(queues_that_come_along_again_have_their_numbers_again),
        TEST(tasks_outlive_their_site),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
