/* Whose people are, to whom tasks go, and what becomes of those that an agent leaves lying. Every
 * test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/report.h"
#include "proto/task.h"
#include "tests/world.h"

#define MINUTE 60000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define EMAIL  "dana@example.com"
#define ANN    1
#define BEN    2
#define CAT    3

static struct world world;
static uint32_t managers;

static const struct registry *registry(void)
{
    return recovery_registry(world.recovery);
}

/* With its own queue, as the API makes them. */
static uint32_t make_agent(const char *id, const char *settings)
{
    char bytes[2048], line[512];
    struct text text = text_over(bytes, sizeof(bytes));

    snprintf(line, sizeof(line), "{\"id\":\"%s\",\"agency\":\"acme\"%s}", id, settings);
    text_string(&text, line);
    assert_int_equal(registry_add_agents(registry(), SLICE("acme"), slice_of(id), &text),
                     STATUS_OK);
    struct command command = {
        .kind = COMMAND_ADMIN, .payload = text_slice(&text), .admin = {.entity = ENTITY_AGENT}};
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    return world.settlement.entity_number;
}

static void set(enum entity_kind kind, uint32_t number, const char *settings)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = slice_of(settings),
                              .admin = {.entity = kind, .number = number}};

    assert_int_equal(world_do(&world, &command), STATUS_OK);
}

static enum status remove_agent(uint32_t number)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .admin = {.entity = ENTITY_AGENT, .number = number, .remove = true}};

    return world_do(&world, &command);
}

static uint32_t make_queue(const char *settings)
{
    return world_admin(&world, ENTITY_QUEUE, settings);
}

static uint32_t own_queue(uint32_t agent)
{
    return registry_own_queue(registry(), registry_agent(registry(), agent));
}

static int set_up(void **unused)
{
    (void)unused;
    world_open(&world);
    world.name = "Dana Rivera";
    make_queue("{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    return 0;
}

static int set_up_with_agents(void **unused)
{
    set_up(unused);
    assert_int_equal(make_agent("ann", ""), ANN);
    assert_int_equal(make_agent("ben", ""), BEN);
    managers = registry_manager_queue(registry(), world.agency);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    world_close(&world);
    return 0;
}

static void assign_by(const char *mode)
{
    char settings[256];

    snprintf(settings, sizeof(settings),
             "{\"id\":\"acme.calls\",\"agency\":\"acme\",\"assign\":\"%s\"}", mode);
    set(ENTITY_QUEUE, world.queue, settings);
}

/* The nth person opts in; its call. */
static uint64_t opt_in(unsigned number)
{
    char phone[16], content[24];

    snprintf(phone, sizeof(phone), "+1215555%04u", number);
    snprintf(content, sizeof(content), "%u at %llu", number, (unsigned long long)world.now_ms);
    assert_int_equal(world_optin(&world, phone, NULL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static struct task_row row_of(uint64_t person, uint64_t task)
{
    struct task_row row;

    assert_true(world_task(&world, person, task, &row));
    return row;
}

static uint32_t owner_of(uint64_t person)
{
    struct person_row row;

    assert_true(world_person(&world, person, &row));
    return row.owner;
}

static struct task_row open_call(uint64_t person)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq, after = 0;

    assert_true(state_person_find(world.state, person, &row, &task, &last_seq));
    if (task.number != 0 && task.channel == TASK_CALL)
        return task;
    while (state_task_next(world.state, person, after, &task)) {
        if (task.channel == TASK_CALL)
            return task;
        after = task.number;
    }
    return (struct task_row){0};
}

static enum status claim(uint64_t task, unsigned delivery, const char *agent)
{
    return world_report(&world, task, delivery, REPORT_CLAIM, 0, agent);
}

static enum status say(uint64_t task, unsigned delivery, enum outcome outcome, const char *agent)
{
    return world_report(&world, task, delivery, REPORT_OUTCOME, outcome, agent);
}

/* Person 1 is Ann's, and is to be called again. */
static struct task_row retry_of_anns(void)
{
    uint64_t task = opt_in(1);

    assert_int_equal(claim(task, 1, "ann"), STATUS_OK);
    assert_int_equal(say(task, 1, OUTCOME_NO_ANSWER, "ann"), STATUS_OK);
    world.now_ms = WORLD_START_MS + 16 * HOUR; /* in the afternoon, so that no window matters */
    world_pass(&world, 0);
    return open_call(1);
}

static enum status assign(uint64_t person, uint32_t to, uint32_t by)
{
    struct command command = {.kind = COMMAND_ASSIGN,
                              .assign = {.person = person, .to = to, .by = by, .manager = by == 0}};

    return world_do(&world, &command);
}

static unsigned work_of(uint32_t agent)
{
    return (unsigned)state_agent(world.state, agent)->open_tasks;
}

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

/* --- turns --------------------------------------------------------------------------------- */

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
    char playbook[SITE_PLAYBOOK_BYTES_MAX];
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

/* --- hand-over ------------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_owned_where_there_are_no_agents, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_100_who_claim_one_is_the_owner, set_up, tear_down),
#define WITH_AGENTS(test) cmocka_unit_test_setup_teardown(test, set_up_with_agents, tear_down)
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
        WITH_AGENTS(turns_go_round),
        WITH_AGENTS(turns_pass_over_who_is_away_or_full_or_works_elsewhere),
        WITH_AGENTS(who_was_away_catches_up_on_one_turn),
        WITH_AGENTS(whoever_comes_last_on_the_list_catches_up_on_no_more),
        WITH_AGENTS(weights_are_kept_and_spread),
        WITH_AGENTS(a_pool_is_for_whoever_comes_first),
        WITH_AGENTS(silence_leads_to_the_team_the_next_the_manager_and_a_robot),
        WITH_AGENTS(a_manager_who_is_away_gets_nothing),
        WITH_AGENTS(with_everybody_away_for_a_week_the_robots_go_on_and_nothing_is_lost),
        WITH_AGENTS(a_hand_over_fences_the_old_owner),
        WITH_AGENTS(the_team_s_task_goes_along_to_a_new_owner),
        WITH_AGENTS(only_the_owner_and_managers_hand_over),
        WITH_AGENTS(what_goes_to_somebody_who_is_away_goes_to_the_team),
        WITH_AGENTS(all_people_of_an_agent_are_handed_over_one_by_one),
        WITH_AGENTS(an_agent_who_goes_leaves_its_tasks_to_the_team),
        WITH_AGENTS(an_agent_whose_task_cannot_be_moved_stays),
        WITH_AGENTS(who_does_not_work_the_next_stage_s_queue_owns_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
