/* Hand-overs, and agents who go. */
#include "tests/assign_world.h"

static enum status remove_agent(uint32_t number)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .admin = {.entity = ENTITY_AGENT, .number = number, .remove = true}};

    return world_do(&world, &command);
}

static void a_hand_over_fences_the_old_owner(void **unused)
{
    struct task_row call = retry_of_anns(), handed;

    (void)unused;
    assert_int_equal(claim(call.number, call.delivery, "ann"), STATUS_OK);
    assert_int_equal(assign(1, BEN, 0), STATUS_OK);
    assert_int_equal(world.made[RECORD_ASSIGNED], 1);
    assert_int_equal(owner_of(1), BEN);
    handed = open_call(1);
    assert_int_equal(handed.queue, own_queue(BEN));
    assert_int_equal(handed.delivery, call.delivery + 1);
    assert_int_equal(work_of(ANN), 0);
    assert_int_equal(work_of(BEN), 1);
    assert_int_equal(world_report(&world, call.number, call.delivery, REPORT_EXTEND, 0, "ann"),
                     STATUS_CONFLICT);
    assert_int_equal(world_report(&world, call.number, call.delivery, REPORT_RELEASE, 0, "ann"),
                     STATUS_CONFLICT);
    assert_int_equal(claim(call.number, call.delivery, "ann"), STATUS_CONFLICT);
    /* But what she says of the call that she made is the first word of it. */
    assert_int_equal(say(call.number, call.delivery, OUTCOME_CONVERSATION, "ann"), STATUS_OK);
    assert_int_equal(open_call(1).number, 0);
    assert_int_equal(world_visible(&world, own_queue(BEN)), 0);
    assert_int_equal(owner_of(1), BEN);
}

static void the_team_s_task_goes_along_to_a_new_owner(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    assert_int_equal(assign(1, ANN, 0), STATUS_OK);
    assert_int_equal(row_of(1, task).queue, own_queue(ANN));
    assert_int_equal(assign(1, ANN, 0), STATUS_DUPLICATE);
    assert_int_equal(assign(1, 0, 0), STATUS_OK);
    assert_int_equal(row_of(1, task).queue, world.queue);
    assert_int_equal(owner_of(1), 0);
    assert_int_equal(row_of(1, task).delivery, 3);
}

static void who_is_another_one_is_given_to_nobody(void **unused)
{
    struct command command = {.kind = COMMAND_MERGE, .person = {.number = 1, .other = 2}};

    (void)unused;
    opt_in(1);
    opt_in(2);
    assert_int_equal(assign(2, ANN, 0), STATUS_OK);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(assign(2, BEN, 0), STATUS_CONFLICT);
    assert_int_equal(owner_of(2), ANN);
}

static void only_the_owner_and_managers_hand_over(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    assert_int_equal(assign(1, BEN, ANN), STATUS_FORBIDDEN);
    claim(task, 1, "ann");
    assert_int_equal(assign(1, BEN, BEN), STATUS_FORBIDDEN);
    assert_int_equal(assign(1, BEN, ANN), STATUS_OK);
    assert_int_equal(assign(1, 77, 0), STATUS_INVALID);
    assert_int_equal(assign(99, BEN, 0), STATUS_NOT_FOUND);
}

static void what_goes_to_somebody_who_is_away_goes_to_the_team(void **unused)
{
    struct task_row call = retry_of_anns();

    (void)unused;
    set(ENTITY_AGENT, BEN, "{\"id\":\"ben\",\"agency\":\"acme\",\"available\":false}");
    assert_int_equal(assign(1, BEN, 0), STATUS_OK);
    assert_int_equal(owner_of(1), BEN);
    assert_int_equal(open_call(1).queue, world.queue);
    assert_int_equal(open_call(1).delivery, call.delivery + 1);
}

static void all_people_of_an_agent_are_handed_over_one_by_one(void **unused)
{
    struct command command = {.kind = COMMAND_ASSIGN,
                              .assign = {.from = ANN, .to = BEN, .manager = true}};

    (void)unused;
    for (unsigned i = 1; i <= 5; i++)
        claim(opt_in(i), 1, i == 3 ? "ben" : "ann");
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_do(&world, &command), STATUS_OK);
    assert_int_equal(world_do(&world, &command), STATUS_NOT_FOUND);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(owner_of(i), BEN);
    assert_int_equal(work_of(ANN), 0);
    assert_int_equal(work_of(BEN), 5);
}

static void an_agent_who_goes_leaves_its_tasks_to_the_team(void **unused)
{
    uint32_t own = own_queue(ANN), moved = 0;

    (void)unused;
    assign_by("round_robin");
    for (unsigned i = 1; i <= 6; i++)
        opt_in(i);
    claim(open_call(1).number, 1, "ann");
    assert_int_equal(work_of(ANN), 3);
    assert_int_equal(remove_agent(ANN), STATUS_OK);
    assert_int_equal(world.made[RECORD_ASSIGNED], 3);
    assert_int_equal(world.made[RECORD_ADMIN], 1);
    assert_null(registry_agent(registry(), ANN));
    assert_null(registry_queue(registry(), own));
    for (unsigned i = 1; i <= 6; i++)
        moved += open_call(i).queue == world.queue;
    assert_int_equal(moved, 3);
    assert_int_equal(world_visible(&world, world.queue), 3);
    assert_int_equal(owner_of(1), 0);
}

/* A row that says so is damaged; it must not be taken up again and again. */
static void an_agent_whose_task_cannot_be_moved_stays(void **unused)
{
    uint64_t task = opt_in(1);
    const struct state_work work = {row_of(1, task).deadline_ms, task, 1};

    (void)unused;
    assert_int_equal(state_begin(world.state), STATUS_OK);
    assert_int_equal(state_work_put(world.state, ANN, &work), STATUS_OK);
    assert_int_equal(remove_agent(ANN), STATUS_CONFLICT);
    assert_int_equal(world.records, 0);
    assert_non_null(registry_agent(registry(), ANN));
    assert_int_equal(state_begin(world.state), STATUS_OK);
    assert_int_equal(state_work_delete(world.state, ANN, work.deadline_ms, task), STATUS_OK);
    assert_int_equal(remove_agent(ANN), STATUS_OK);
}

#define WITH_AGENTS(test) cmocka_unit_test_setup_teardown(test, set_up_with_agents, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_AGENTS(a_hand_over_fences_the_old_owner),
        WITH_AGENTS(the_team_s_task_goes_along_to_a_new_owner),
        WITH_AGENTS(who_is_another_one_is_given_to_nobody),
        WITH_AGENTS(only_the_owner_and_managers_hand_over),
        WITH_AGENTS(what_goes_to_somebody_who_is_away_goes_to_the_team),
        WITH_AGENTS(all_people_of_an_agent_are_handed_over_one_by_one),
        WITH_AGENTS(an_agent_who_goes_leaves_its_tasks_to_the_team),
        WITH_AGENTS(an_agent_whose_task_cannot_be_moved_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
