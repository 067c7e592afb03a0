/* Whose turn it is, by each way of taking turns. */
#include "tests/assign_world.h"

static void turns_go_round(void **unused)
{
    static const uint32_t turns[] = {ANN, BEN, CAT, ANN, BEN, CAT, ANN};

    (void)unused;
    make_agent("cat", "");
    assign_by("round_robin");
    for (unsigned i = 0; i < 7; i++) {
        uint64_t task = opt_in(i + 1);
        assert_int_equal(row_of(i + 1, task).queue, own_queue(turns[i]));
        assert_int_equal(owner_of(i + 1), turns[i]); /* at once */
    }
    world_reopen(&world, true, true);
    assert_int_equal(row_of(8, opt_in(8)).with, BEN);
}

static void turns_pass_over_who_is_away_or_full_or_works_elsewhere(void **unused)
{
    (void)unused;
    make_queue("{\"id\":\"acme.other\",\"agency\":\"acme\"}");
    make_agent("cat", ",\"queues\":[\"acme.other\"]");
    make_agent("dan", ",\"available\":false");
    make_agent("eve", ",\"role\":\"manager\"");
    world_admin(&world, ENTITY_AGENT, "{\"id\":\"fay\",\"agency\":\"acme\"}"); /* without a queue */
    set(ENTITY_AGENT, BEN, "{\"id\":\"ben\",\"agency\":\"acme\",\"capacity\":2}");
    assign_by("round_robin");
    for (unsigned i = 1; i <= 6; i++)
        opt_in(i);
    assert_int_equal(work_of(ANN), 4);
    assert_int_equal(work_of(BEN), 2);
    set(ENTITY_AGENT, ANN, "{\"id\":\"ann\",\"agency\":\"acme\",\"available\":false}");
    assert_int_equal(row_of(7, opt_in(7)).queue, world.queue); /* nobody is left */
    assert_int_equal(owner_of(7), 0);
}

/* The other one has twenty in the meantime; then they take turns. */
static void assert_catches_up_on_one_turn(uint32_t away, const char *id, uint32_t other)
{
    char settings[128];
    unsigned turns = 0;

    assign_by("round_robin");
    snprintf(settings, sizeof(settings), "{\"id\":\"%s\",\"agency\":\"acme\",\"available\":false}",
             id);
    set(ENTITY_AGENT, away, settings);
    for (unsigned i = 1; i <= 20; i++)
        assert_int_equal(row_of(i, opt_in(i)).with, other);
    snprintf(settings, sizeof(settings), "{\"id\":\"%s\",\"agency\":\"acme\"}", id);
    set(ENTITY_AGENT, away, settings);
    for (unsigned i = 21; i <= 30; i++)
        turns += row_of(i, opt_in(i)).with == away;
    assert_in_range(turns, 5, 6);
}

static void who_was_away_catches_up_on_one_turn(void **unused)
{
    (void)unused;
    assert_catches_up_on_one_turn(ANN, "ann", BEN);
}

static void whoever_comes_last_on_the_list_catches_up_on_no_more(void **unused)
{
    (void)unused;
    assert_catches_up_on_one_turn(BEN, "ben", ANN);
}

static void weights_are_kept_and_spread(void **unused)
{
    static const char yaml[] = "assign: {mode: weighted, claim_within: 1m, weights: {ann: 5}}";
    char *text = malloc(SITE_PLAYBOOK_SETTINGS_MAX), *at;
    struct text settings = text_over(text, SITE_PLAYBOOK_SETTINGS_MAX);
    char playbook[PLAYBOOK_CANONICAL_MAX];
    struct slice shipped = playbook_shipped()->canonical;
    unsigned anns = 0, bens = 0, in_a_row = 0, most = 0;

    (void)unused;
    assert_true(shipped.length + sizeof(yaml) < sizeof(playbook));
    memcpy(playbook, shipped.bytes, shipped.length);
    playbook[shipped.length] = '\0';
    at = strstr(playbook, "\nassign:");
    assert_non_null(at);
    char *end = at + 1;
    do
        end = strchr(end, '\n') + 1;
    while (*end == ' ');
    memmove(at + 1 + sizeof(yaml), end, strlen(end) + 1);
    memcpy(at + 1, yaml, sizeof(yaml) - 1);
    at[sizeof(yaml)] = '\n';
    text_string(&settings, "{\"id\":\"acme.w\",\"agency\":\"acme\",\"version\":1,\"yaml\":");
    text_json_string(&settings, slice_of(playbook));
    text_char(&settings, '}');
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = text_slice(&settings),
                              .admin = {.entity = ENTITY_PLAYBOOK}};
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    free(text);
    set(ENTITY_AGENCY, world.agency, "{\"id\":\"acme\",\"playbook\":\"acme.w\"}");
    for (unsigned i = 1; i <= 60; i++) {
        uint32_t with = row_of(i, opt_in(i)).with;
        anns += with == ANN;
        bens += with == BEN;
        in_a_row = with == ANN ? in_a_row + 1 : 0;
        most = in_a_row > most ? in_a_row : most;
    }
    assert_int_equal(anns, 50);
    assert_int_equal(bens, 10);
    assert_in_range(most, 5, 6);
}

static void a_pool_is_for_whoever_comes_first(void **unused)
{
    struct task_row call;

    (void)unused;
    assign_by("pool");
    call = retry_of_anns();
    assert_int_equal(call.queue, world.queue);
    assert_int_equal(owner_of(1), ANN);
}

#define WITH_AGENTS(test) cmocka_unit_test_setup_teardown(test, set_up_with_agents, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_AGENTS(turns_go_round),
        WITH_AGENTS(turns_pass_over_who_is_away_or_full_or_works_elsewhere),
        WITH_AGENTS(who_was_away_catches_up_on_one_turn),
        WITH_AGENTS(whoever_comes_last_on_the_list_catches_up_on_no_more),
        WITH_AGENTS(weights_are_kept_and_spread),
        WITH_AGENTS(a_pool_is_for_whoever_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
