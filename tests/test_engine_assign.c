/* One owner a person, who is asked first; silence; roles. */
#include "tests/assign_world.h"

/* --- one owner --------------------------------------------------------------------------- */

static void nobody_is_owned_where_there_are_no_agents(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    assert_int_equal(claim(task, 1, "a1"), STATUS_OK);
    assert_int_equal(owner_of(1), 0);
    assert_int_equal(row_of(1, task).with, 0);
}

static void of_100_who_claim_one_is_the_owner(void **unused)
{
    unsigned claimed = 0, refused = 0;
    char id[16];
    uint64_t task;

    (void)unused;
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        make_agent(id, "");
    }
    task = opt_in(1);
    assert_int_equal(owner_of(1), 0);
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(id, sizeof(id), "c%u", (i + 36) % 100 + 1);
        enum status status = claim(task, 1, id);
        claimed += status == STATUS_OK;
        refused += status == STATUS_CONFLICT;
        assert_string_equal(registry_agent(registry(), owner_of(1))->id, "c38");
    }
    assert_int_equal(claimed, 1);
    assert_int_equal(refused, 99);
    assert_int_equal(work_of(registry_number(registry(), ENTITY_AGENT, SLICE("c38"))), 1);
}

static void whoever_claims_from_the_team_is_the_owner(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    assert_int_equal(row_of(1, task).queue, world.queue);
    assert_int_equal(claim(task, 1, "ben"), STATUS_OK);
    assert_int_equal(owner_of(1), BEN);
    assert_int_equal(row_of(1, task).with, BEN);
    assert_int_equal(work_of(BEN), 1);
    assert_int_equal(say(task, 1, OUTCOME_CONVERSATION, "ben"), STATUS_OK);
    assert_int_equal(work_of(BEN), 0);
    assert_int_equal(owner_of(1), BEN);
}

static void who_says_an_outcome_without_a_claim_is_the_owner(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    assert_int_equal(say(task, 1, OUTCOME_NO_ANSWER, "ben"), STATUS_OK);
    assert_int_equal(owner_of(1), BEN);
}

static void an_agent_of_another_agency_owns_nobody_here(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    world_admin(&world, ENTITY_AGENCY, "{\"id\":\"rival\"}");
    world_admin(&world, ENTITY_AGENT, "{\"id\":\"spy\",\"agency\":\"rival\"}");
    assert_int_equal(claim(task, 1, "spy"), STATUS_OK);
    assert_int_equal(owner_of(1), 0);
}

/* --- the owner first ---------------------------------------------------------------------- */

static void the_owner_gets_it_first_and_after_a_minute_the_team(void **unused)
{
    struct task_row call = retry_of_anns(), moved;
    struct state_due due;

    (void)unused;
    assert_int_equal(call.queue, own_queue(ANN));
    assert_int_equal(call.team, world.queue);
    assert_int_equal(call.owner, ANN); /* as the member says */
    assert_int_equal(world_visible(&world, own_queue(ANN)), 1);
    assert_int_equal(world_visible(&world, world.queue), 0);
    assert_true(state_due_first(world.state, &due));
    world_live(&world, world.now_ms + MINUTE - 1);
    assert_int_equal(open_call(1).queue, own_queue(ANN));
    world_pass(&world, 1);
    assert_int_equal(world.made[RECORD_ASSIGNED], 1);
    moved = open_call(1);
    assert_int_equal(moved.queue, world.queue);
    assert_int_equal(moved.delivery, call.delivery + 1);
    assert_int_equal(moved.with, 0);
    assert_int_equal(world_visible(&world, own_queue(ANN)), 0);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(state_queue(world.state, own_queue(ANN))->open_tasks, 0);
    assert_int_equal(state_queue(world.state, world.queue)->open_tasks, 1);

    /* Too late for her, but not for Ben. */
    assert_int_equal(claim(call.number, call.delivery, "ann"), STATUS_CONFLICT);
    assert_int_equal(owner_of(1), ANN);
    assert_int_equal(claim(call.number, moved.delivery, "ben"), STATUS_OK);
    assert_int_equal(owner_of(1), BEN);
}

static void a_late_outcome_of_the_owner_counts_and_changes_no_owner(void **unused)
{
    struct task_row call = retry_of_anns();

    (void)unused;
    world_pass(&world, MINUTE);
    assert_int_equal(claim(call.number, call.delivery + 1u, "ben"), STATUS_OK);
    assert_int_equal(say(call.number, call.delivery, OUTCOME_CONVERSATION, "ann"), STATUS_OK);
    assert_int_equal(open_call(1).number, 0);
    assert_int_equal(owner_of(1), BEN);
}

static void what_the_owner_claims_and_then_forgets_goes_to_the_team(void **unused)
{
    struct task_row call = retry_of_anns();

    (void)unused;
    assert_int_equal(claim(call.number, call.delivery, "ann"), STATUS_OK);
    assert_int_equal(work_of(ANN), 1);
    world_pass(&world, 2 * MINUTE);
    assert_int_equal(world.records, 0); /* it is in hand */
    world_live(&world, world.now_ms + 30 * MINUTE);
    assert_int_equal(open_call(1).queue, world.queue);
    assert_int_equal(open_call(1).delivery, call.delivery + 1);
    assert_int_equal(work_of(ANN), 0);
    assert_int_equal(state_queue(world.state, world.queue)->open_tasks, 1);
}

static void what_the_owner_gives_back_goes_to_the_team(void **unused)
{
    struct task_row call = retry_of_anns();

    (void)unused;
    claim(call.number, call.delivery, "ann");
    assert_int_equal(world_report(&world, call.number, call.delivery, REPORT_RELEASE, 0, "ann"),
                     STATUS_OK);
    assert_int_equal(open_call(1).queue, world.queue);
    assert_int_equal(open_call(1).team, 0);
}

static void assert_goes_to_team(const char *settings)
{
    uint64_t task = opt_in(1);

    claim(task, 1, "ann");
    say(task, 1, OUTCOME_NO_ANSWER, "ann");
    set(ENTITY_AGENT, ANN, settings);
    world.now_ms = WORLD_START_MS + 16 * HOUR;
    world_pass(&world, 0);
    assert_int_equal(open_call(1).queue, world.queue);
    assert_int_equal(owner_of(1), ANN);
}

static void an_owner_who_is_sick_is_not_waited_for(void **unused)
{
    (void)unused;
    assert_goes_to_team("{\"id\":\"ann\",\"agency\":\"acme\",\"available\":false}");
}

static void an_owner_who_is_away_is_not_waited_for_until_then(void **unused)
{
    struct task_row call;
    char settings[128];

    (void)unused;
    snprintf(settings, sizeof(settings), "{\"id\":\"ann\",\"agency\":\"acme\",\"away_until\":%llu}",
             (unsigned long long)(WORLD_START_MS + 7 * DAY + 16 * HOUR));
    assert_goes_to_team(settings);
    call = open_call(1);
    claim(call.number, call.delivery, "x"); /* one who is not registered: Ann stays the owner */
    world.call_at_ms = WORLD_START_MS + 7 * DAY + 16 * HOUR;
    assert_int_equal(say(call.number, call.delivery, OUTCOME_NOT_NOW, "x"), STATUS_OK);
    assert_int_equal(owner_of(1), ANN);
    world_live(&world, world.call_at_ms); /* at which she is back */
    assert_int_equal(open_call(1).queue, own_queue(ANN));
}

static void a_full_owner_is_not_waited_for(void **unused)
{
    uint64_t task, other;

    (void)unused;
    set(ENTITY_AGENT, ANN, "{\"id\":\"ann\",\"agency\":\"acme\",\"capacity\":1}");
    task = opt_in(1);
    claim(task, 1, "ann");
    say(task, 1, OUTCOME_NO_ANSWER, "ann"); /* to be called again in an hour */
    other = opt_in(2);
    world_live(&world, WORLD_START_MS + HOUR - 1);
    assert_int_equal(claim(other, row_of(2, other).delivery, "ann"), STATUS_OK);
    world_pass(&world, 1);
    assert_int_not_equal(open_call(1).number, 0);
    assert_int_equal(open_call(1).queue, world.queue);
    assert_int_equal(owner_of(1), ANN);
}

/* --- silence --------------------------------------------------------------------------------- */

static void silence_leads_to_the_team_the_next_the_manager_and_a_robot(void **unused)
{
    uint64_t task;
    uint32_t emails = registry_number(registry(), ENTITY_QUEUE, SLICE("acme.email"));

    (void)unused;
    make_agent("max", ",\"role\":\"manager\"");
    assign_by("round_robin");
    world_optin(&world, "+12155550001", EMAIL, NULL, "one", 0);
    task = world.settlement.optin.task;
    unsigned sent = world_visible(&world, emails);
    assert_int_equal(row_of(1, task).queue, own_queue(ANN));
    world_live(&world, WORLD_START_MS + 1 * MINUTE);
    assert_int_equal(row_of(1, task).queue, world.queue);
    world_live(&world, WORLD_START_MS + 3 * MINUTE);
    assert_int_equal(row_of(1, task).queue, own_queue(BEN));
    assert_int_equal(owner_of(1), BEN);
    world_live(&world, WORLD_START_MS + 4 * MINUTE);
    assert_int_equal(row_of(1, task).queue, world.queue);
    world_live(&world, WORLD_START_MS + 10 * MINUTE);
    assert_int_equal(row_of(1, task).queue, managers);
    assert_int_equal(row_of(1, task).team, world.queue);
    world_live(&world, WORLD_START_MS + 30 * MINUTE);
    assert_int_equal(world_visible(&world, emails), sent + 1);
    assert_int_equal(row_of(1, task).queue, world.queue); /* for everybody, and open */
    assert_int_equal(row_of(1, task).delivery, 6);
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(claim(task, 6, "ann"), STATUS_OK);
    assert_int_equal(owner_of(1), ANN);
}

static void a_manager_who_is_away_gets_nothing(void **unused)
{
    uint64_t task;

    (void)unused;
    make_agent("max", ",\"role\":\"manager\",\"available\":false");
    task = opt_in(1);
    world_live(&world, WORLD_START_MS + 20 * MINUTE);
    assert_int_equal(row_of(1, task).queue, world.queue);
    assert_int_equal(row_of(1, task).delivery, 1);
}

static void with_everybody_away_for_a_week_the_robots_go_on_and_nothing_is_lost(void **unused)
{
    struct person_row row;

    (void)unused;
    set(ENTITY_AGENT, ANN, "{\"id\":\"ann\",\"agency\":\"acme\",\"available\":false}");
    set(ENTITY_AGENT, BEN, "{\"id\":\"ben\",\"agency\":\"acme\",\"available\":false}");
    assign_by("round_robin");
    for (unsigned i = 1; i <= 20; i++) {
        char email[32], phone[16];
        snprintf(email, sizeof(email), "p%u@example.com", i);
        snprintf(phone, sizeof(phone), "+1215555%04u", i);
        world_optin(&world, phone, email, NULL, email, 0);
    }
    world_live(&world, WORLD_START_MS + 7 * DAY);
    assert_int_equal(world_visible(&world, world.queue), 20);
    for (unsigned i = 1; i <= 20; i++) {
        assert_true(world_person(&world, i, &row));
        assert_int_equal(row.step, 5); /* of day 14 */
        assert_int_not_equal(row.due_ms, 0);
    }
}

/* --- roles ------------------------------------------------------------------------------------ */

static void who_does_not_work_the_next_stage_s_queue_owns_nobody_there(void **unused)
{
    uint32_t customers = make_queue("{\"id\":\"acme.customers\",\"agency\":\"acme\"}");
    struct task_row call;
    uint64_t task;

    (void)unused;
    set(ENTITY_AGENT, ANN,
        "{\"id\":\"ann\",\"agency\":\"acme\",\"role\":\"sales\",\"queues\":[\"acme.calls\"]}");
    set(ENTITY_AGENT, BEN, "{\"id\":\"ben\",\"agency\":\"acme\",\"queues\":[\"acme.customers\"]}");
    task = opt_in(1);
    claim(task, 1, "ann");
    assert_int_equal(say(task, 1, OUTCOME_CONVERSATION, "ann"), STATUS_OK);
    assert_int_equal(owner_of(1), ANN); /* a lead's calls go where she works */
    world_live(&world, WORLD_START_MS + 3 * DAY);
    call = open_call(1);
    claim(call.number, call.delivery, "ann");
    assert_int_equal(say(call.number, call.delivery, OUTCOME_SOLD, "ann"), STATUS_OK);
    assert_int_equal(owner_of(1), 0);
    world_live(&world, WORLD_START_MS + 64 * DAY); /* the thank-you call */
    call = open_call(1);
    assert_int_equal(call.queue, customers);
    assert_int_equal(claim(call.number, call.delivery, "ben"), STATUS_OK);
    assert_int_equal(owner_of(1), BEN);
    assert_int_equal(say(call.number, call.delivery, OUTCOME_SATISFIED, "ben"), STATUS_OK);
    assert_int_equal(owner_of(1), BEN);
}

static void nor_does_who_amends_an_outcome_to_one_that_leads_there(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    make_queue("{\"id\":\"acme.customers\",\"agency\":\"acme\"}");
    set(ENTITY_AGENT, ANN, "{\"id\":\"ann\",\"agency\":\"acme\",\"queues\":[\"acme.calls\"]}");
    assert_int_equal(say(task, 1, OUTCOME_NO_ANSWER, "ann"), STATUS_OK);
    assert_int_equal(owner_of(1), ANN);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_SOLD, "ann"), STATUS_OK);
    assert_int_equal(owner_of(1), 0);
}

#define WITH_AGENTS(test) cmocka_unit_test_setup_teardown(test, set_up_with_agents, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_owned_where_there_are_no_agents, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_100_who_claim_one_is_the_owner, set_up, tear_down),
        WITH_AGENTS(whoever_claims_from_the_team_is_the_owner),
        WITH_AGENTS(who_says_an_outcome_without_a_claim_is_the_owner),
        WITH_AGENTS(an_agent_of_another_agency_owns_nobody_here),
        WITH_AGENTS(the_owner_gets_it_first_and_after_a_minute_the_team),
        WITH_AGENTS(a_late_outcome_of_the_owner_counts_and_changes_no_owner),
        WITH_AGENTS(what_the_owner_claims_and_then_forgets_goes_to_the_team),
        WITH_AGENTS(what_the_owner_gives_back_goes_to_the_team),
        WITH_AGENTS(an_owner_who_is_sick_is_not_waited_for),
        WITH_AGENTS(an_owner_who_is_away_is_not_waited_for_until_then),
        WITH_AGENTS(a_full_owner_is_not_waited_for),
        WITH_AGENTS(silence_leads_to_the_team_the_next_the_manager_and_a_robot),
        WITH_AGENTS(a_manager_who_is_away_gets_nothing),
        WITH_AGENTS(with_everybody_away_for_a_week_the_robots_go_on_and_nothing_is_lost),
        WITH_AGENTS(who_does_not_work_the_next_stage_s_queue_owns_nobody_there),
        WITH_AGENTS(nor_does_who_amends_an_outcome_to_one_that_leads_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
