/* Tasks over HTTP, and reading back what is stored: opt-ins, tasks, people, histories. */
#include "tests/api_tokens.h"

static char free_agent[SECRET_TEXT_MAX];
static char optin[64], person[64], task[64];

#define ADA                                                                                        \
    "{\"name\":\"Ada \\\"L\\\"\",\"phone\":\"+14155552671\",\"email\":\"ada@example.com\","        \
    "\"colour\":\"red\"}"

/* One opt-in is in, with its task. */
static int set_up(void **state)
{
    set_up_tokens(state);
    add_told("tokens", "{\"id\":\"f\",\"role\":\"agent\",\"agency\":\"acme\"}", "token",
             free_agent);
    assert_answer(ask_as(sk, "POST /v1/optins", ADA), 201);
    told("id", optin, sizeof(optin));
    told("person", person, sizeof(person));
    told("task", task, sizeof(task));
    return 0;
}

static int get(const char *key, const char *before, const char *id, const char *behind)
{
    char line[256];

    snprintf(line, sizeof(line), "GET /v1/%s/%s%s", before, id, behind);
    return ask_as(key, line, "");
}

static int report(const char *key, const char *op, const char *body)
{
    char line[128];

    snprintf(line, sizeof(line), "POST /v1/tasks/%s/%s", task, op);
    return ask_as(key, line, body);
}

/* --- opt-ins ----------------------------------------------------------------------- */

static void an_optin_is_shown_with_what_became_of_it(void **state)
{
    char wanted[256];

    (void)state;
    assert_answer(get(sk, "optins", optin, ""), 200);
    snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\",\"received_ms\":1700000000000", optin);
    assert_body_has(wanted);
    snprintf(wanted, sizeof(wanted), "\"person\":\"%s\",\"task\":\"%s\",\"reason\":null", person,
             task);
    assert_body_has(wanted);
    assert_body_has("\"agency\":\"acme\",\"site\":\"www\"");
    assert_body_has("\"state\":\"queued\",\"outcome\":null,\"ended_ms\":null");
    assert_body_has("\"name\":\"Ada \\\"L\\\"\"");
    assert_body_has("\"colour\":\"red\"");
    assert_body_has("\"phone\":\"+14155552671\"");

    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"conversation\"}"), 200);
    assert_answer(get(manager, "optins", optin, ""), 200);
    assert_body_has("\"state\":\"ended\",\"outcome\":\"conversation\",\"ended_ms\":1700000000000");
}

static void an_optin_that_was_only_received_is_shown_and_later_its_decision(void **state)
{
    char received[64];
    struct record_view view;

    (void)state;
    rig.receiving = true;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552699\"}"), 202);
    told("id", received, sizeof(received));
    rig.receiving = false;
    assert_answer(get(sk, "optins", received, ""), 200);
    assert_body_has("\"person\":null,\"task\":null,\"reason\":null,\"state\":\"received\"");
    assert_body_has("\"phone\":\"+14155552699\"");

    struct world *world = &rig.world;
    struct journal *journal = recovery_journal(world->recovery);
    struct state_meta *meta = state_meta(world->state);
    struct turn turn = {
        .seq = meta->folded_seq + 1, .admin_seq = meta->admin_seq, .now_ms = world->now_ms + 5};
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(journal_batch_read(journal, turn.seq - 1, &view), STATUS_OK);
    assert_status(state_begin(world->state), STATUS_OK);
    assert_status(engine_decide_received(world->engine, &view, &turn, &world->record), STATUS_OK);
    record_view_of(&world->record, &view);
    assert_status(engine_apply(world->engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world->record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);

    assert_answer(get(sk, "optins", received, ""), 200);
    assert_body_has("\"person\":\"per_");
    assert_body_has("\"task\":\"tsk_");
    assert_body_has("\"state\":\"queued\"");
    told("task", task, sizeof(task));
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has(received);
}

/* --- tasks ---------------------------------------------------------------------------- */

static void a_task_is_shown_from_queue_to_end(void **state)
{
    char wanted[256];

    (void)state;
    assert_answer(get(agent, "tasks", task, ""), 200);
    snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\",\"person\":\"%s\",\"optin\":\"%s\"", task,
             person, optin);
    assert_body_has(wanted);
    assert_body_has("\"queue\":\"acme.calls\",\"channel\":\"call\",\"kind\":\"first_response\"");
    assert_body_has("\"state\":\"queued\",\"delivery\":1,\"attempt\":1,\"breached\":false");
    assert_body_has("\"lease_until_ms\":null,\"agent\":null,\"outcome\":null");

    uint64_t number, at_ms;
    assert_true(id_parse(slice_of(task), writer_id_key(NULL), ID_TASK, &at_ms, &number));
    assert_status(world_report(&rig.world, number, 1, REPORT_CLAIM, 0, "a42"), STATUS_OK);
    assert_answer(get(agent, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"claimed\"");
    assert_body_has("\"lease_until_ms\":1700001800000,\"agent\":\"a42\"");

    rig.world.now_ms += 1000;
    assert_answer(report(agent, "outcome",
                         "{\"delivery\":1,\"outcome\":\"no_answer\",\"note\":\"rang \\\"9\\\"\"}"),
                  200);
    snprintf(wanted, sizeof(wanted), "{\"status\":\"ended\",\"task\":\"%s\",\"delivery\":1}", task);
    assert_string_equal(rig.body, wanted);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"ended\"");
    assert_body_has("\"agent\":\"a42\",\"outcome\":\"no_answer\",\"ended_ms\":1700000001000");

    assert_answer(report(manager, "amend", "{\"delivery\":1,\"outcome\":\"busy\"}"), 200);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"outcome\":\"busy\",\"ended_ms\":1700000001000");
}

static void a_breach_is_remembered_after_the_end(void **state)
{
    (void)state;
    world_pass(&rig.world, 300001);
    assert_int_equal(rig.world.made[RECORD_BREACH], 1);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"breached\":true");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"ended\"");
    assert_body_has("\"breached\":true");
}

static void the_first_outcome_counts(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\"}"), 409);
    assert_answer(report(agent, "release", "{\"delivery\":1}"), 409);
    assert_answer(report(agent, "extend", "{\"delivery\":1}"), 409);
    assert_int_equal(stats_count(rig.stats, STATS_REPORTS_APPLIED), 1);
    assert_int_equal(stats_count(rig.stats, STATS_REPORTS_LATE), 1);
    assert_int_equal(stats_count(rig.stats, STATS_REPORTS_REFUSED), 2);
}

static void a_dialers_unknown_word_is_answered_with_a_flag(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"a word\"}"), 422);
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"maybe\"}"), 200);
    assert_body_has("\"outcome\":\"no_answer\",\"unknown_word\":true}");
    assert_int_equal(stats_count(rig.stats, STATS_REPORT_WORDS_UNKNOWN), 1);
    assert_answer(report(agent, "amend", "{\"delivery\":1,\"outcome\":\"perhaps\"}"), 422);
    assert_body_has("aliases");
    assert_int_equal(stats_count(rig.stats, STATS_REPORT_WORDS_UNKNOWN), 1);
}

static void a_release_puts_it_back_with_the_next_delivery(void **state)
{
    (void)state;
    assert_answer(report(agent, "release", "{\"delivery\":1}"), 200);
    assert_body_has("{\"status\":\"queued\"");
    assert_body_has("\"delivery\":2");
    assert_answer(report(agent, "release", "{\"delivery\":1}"), 409);
}

static void what_a_report_lacks_is_named(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome", "{\"delivery\":1}"), 422);
    assert_body_has("the value of outcome cannot be used");
    assert_answer(report(agent, "outcome", "{\"outcome\":\"sold\"}"), 422);
    assert_body_has("the value of delivery cannot be used");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"dead\"}"), 422);
    assert_body_has("too_few_attempts");
    assert_answer(report(agent, "outcome", "[]"), 400);
    assert_answer(report(agent, "nonsense", "{}"), 404);
}

static void a_call_is_agreed_for_five_years_ahead_at_most(void **state)
{
    const uint64_t farthest_ms = clock_now_ms(rig.clock) + REPORT_AGREED_WITHIN_MS;
    const uint64_t minute_ms = 60000; /* the clock goes on */
    char body[128];

    (void)state;
    snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":%llu}",
             (unsigned long long)(farthest_ms + minute_ms));
    assert_answer(report(agent, "outcome", body), 422);
    assert_body_has("the value of call_at_ms cannot be used");
    snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":%llu}",
             (unsigned long long)(farthest_ms - minute_ms));
    assert_answer(report(agent, "outcome", body), 200);
}

static void an_agents_token_speaks_for_that_agent(void **state)
{
    (void)state;
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\",\"agent\":\"b1\"}"), 403);
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\"}"), 200);
    assert_true(rig.last.report.agent == agent_hash(writer_hash_key(NULL), SLICE("a42")));
    assert_false(rig.last.report.manager);
}

static void another_agencys_ids_are_not_there(void **state)
{
    (void)state;
    assert_answer(get(rival, "optins", optin, ""), 404);
    assert_answer(get(rival, "tasks", task, ""), 404);
    assert_answer(get(rival, "people", person, ""), 404);
    assert_answer(get(rival, "people", person, "/history"), 404);
    assert_answer(report(rival, "outcome", "{\"delivery\":1,\"outcome\":\"sold\"}"), 404);
    assert_answer(ask_as(rival, "POST /v1/people/search", "{\"phone\":\"+14155552671\"}"), 200);
    assert_string_equal(rig.body, "{\"people\":[]}");
    assert_answer(
        ask_as(rival, "POST /v1/tasks/claim", "{\"queue\":\"acme.calls\",\"agent\":\"x\"}"), 404);
}

static void an_id_of_another_kind_or_altered_is_not_there(void **state)
{
    char altered[64];

    (void)state;
    assert_answer(get(sk, "optins", task, ""), 404);
    assert_answer(get(sk, "tasks", optin, ""), 404);
    snprintf(altered, sizeof(altered), "%s", optin);
    altered[20] = altered[20] == 'A' ? 'B' : 'A';
    assert_answer(get(sk, "optins", altered, ""), 404);
}

static void while_state_is_rebuilt_reads_wait(void **state)
{
    (void)state;
    rig.ready = false;
    assert_answer(get(sk, "optins", optin, ""), 503);
    rig.ready = true;
    rig.submit_status = STATUS_BUSY;
    assert_answer(get(sk, "optins", optin, ""), 503);
}

/* --- people ----------------------------------------------------------------------------- */

static void a_person_is_found_by_phone_and_by_email(void **state)
{
    (void)state;
    assert_answer(ask_as(sk, "POST /v1/people/search", "{\"phone\":\"(415) 555-2671\"}"), 200);
    assert_body_has(person);
    assert_answer(ask_as(manager, "POST /v1/people/search", "{\"email\":\" Ada@Example.com\"}"),
                  200);
    assert_body_has(person);
    assert_body_has("\"stage\":\"optin\"");
    assert_answer(ask_as(manager, "POST /v1/people/search", "{\"email\":\"b@example.com\"}"), 200);
    assert_string_equal(rig.body, "{\"people\":[]}");
    assert_answer(ask_as(manager, "POST /v1/people/search", "{\"phone\":\"1\"}"), 422);
    assert_answer(ask_as(manager, "POST /v1/people/search", "{}"), 422);
    assert_answer(ask_as(rig.token, "POST /v1/people/search", "{\"email\":\"ada@example.com\"}"),
                  422);
    assert_body_has("agency");
    assert_answer(ask_as(rig.token, "POST /v1/people/search",
                         "{\"email\":\"ada@example.com\",\"agency\":\"acme\"}"),
                  200);
    assert_body_has(person);
}

static void a_page_never_changes_a_persons_first_words_but_the_agencys_server_does(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof(line), "POST /v1/optins?key=%s", pk);
    assert_answer(ask(line, "",
                      "{\"phone\":\"+14155552671\",\"name\":\"Mallory\","
                      "\"company\":\"Engines\"}"),
                  201);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"name\":\"Ada \\\"L\\\"\"");
    assert_body_has("\"company\":\"Engines\"");
    assert_body_lacks("Mallory");
    assert_answer(
        ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552671\",\"name\":\"Ada King\"}"), 201);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"name\":\"Ada King\"");
    assert_body_has("\"email\":\"ada@example.com\""); /* from the first */
}

static void a_person_is_shown_with_open_tasks(void **state)
{
    (void)state;
    assert_answer(
        ask_as(sk, "POST /v1/optins", "{\"email\":\"ada@example.com\",\"company\":\"Engines\"}"),
        201);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"company\":\"Engines\"");
    assert_body_has("\"phone\":\"+14155552671\""); /* from the first */
    assert_body_has("\"optins\":2,\"attempts\":0");
    assert_body_has("\"tasks\":[{\"id\":\"tsk_");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"do_not_contact\"}"), 200);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"tasks\":[]");
    assert_body_has("\"flags\":[\"do_not_contact\"]");
    assert_body_has("\"last_outcome\":\"do_not_contact\"");
}

static void a_history_is_told_newest_first(void **state)
{
    (void)state;
    world_pass(&rig.world, 300001);
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\",\"note\":\"nobody\"}"),
        200);
    assert_answer(get(sk, "people", person, "/history"), 200);
    const char *outcome = strstr(rig.body, "\"kind\":\"outcome\"");
    const char *breach = strstr(rig.body, "\"kind\":\"breach\"");
    const char *first = strstr(rig.body, "\"kind\":\"optin\"");
    assert_true(outcome && breach && first && outcome < breach && breach < first);
    assert_body_has("\"op\":\"outcome\",\"outcome\":\"no_answer\",\"agent\":\"a42\","
                    "\"note\":\"nobody\"");
    assert_body_has("\"next\":null}");
    assert_body_has(task);
    assert_body_has(optin);
}

static void a_person_shows_what_comes_next(void **state)
{
    (void)state;
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has(
        "\"stage\":\"optin\",\"playbook\":{\"id\":\"default\",\"version\":0},"
        "\"segment\":\"everybody\","
        "\"cadence\":\"new_lead\",\"next_step\":{\"id\":\"resources\","
        "\"channel\":\"email\",\"due_ms\":1700259200000},\"held_step\":null,\"next_call\":null,"
        "\"score\":0,\"temperature\":\"cold\","
        "\"due_ms\":1700259200000,\"closed\":null,\"silenced\":[]");
    assert_answer(report(agent, "outcome",
                         "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":1700090000000}"),
                  200);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"cadence\":\"nurture\",\"next_step\":{\"id\":\"month1\"");
    assert_body_has("\"next_call\":{\"why\":\"agreed\",\"due_ms\":1700090000000}");
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"call_at_ms\":1700090000000,\"stage\":\"optin\",\"cadence\":\"nurture\"");
    assert_body_has(
        "\"steps\":[{\"playbook\":{\"id\":\"default\",\"version\":0},\"cadence\":\"new_lead\","
        "\"id\":\"report\",\"channel\":\"email\",\"why\":null,"
        "\"due_ms\":1700000000000,\"task\":null,\"skipped\":\"no_");
}

static void a_history_names_tiers_and_rungs(void **state)
{
    (void)state;
    world_pass(&rig.world, 3600000);
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"kind\":\"rung\"");
    assert_body_has("\"rung\":1,\"to\":\"agent\"");
    assert_body_has("\"rung\":3,\"to\":\"robot\"");
    assert_body_has("\"kind\":\"tier\"");
    assert_body_has("\"tier\":\"hour\",\"rung\":0,\"to\":null");
    assert_body_has("\"deadline_ms\":1700000300000,\"tier\":\"five_minutes\"");
    assert_body_lacks("\"alert\"");
    world_pass(&rig.world, 86400000);
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"tier\":\"day\",\"alert\":true,\"rung\":0");
}

static void a_history_says_why_a_call_is_withdrawn(void **state)
{
    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+13055552671\"}"), 201);
    told("person", person, sizeof(person));
    told("task", task, sizeof(task));
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    world_live(&rig.world, WORLD_START_MS + 6 * 3600000ull); /* over 20:00 in Miami */
    assert_answer(get(sk, "people", person, "/history"), 200);
    assert_body_has("\"kind\":\"shut\"");
    assert_body_has("\"reason\":\"calling_hours\",\"jurisdiction\":\"US-FL\"");
}

static void a_long_history_comes_in_pages(void **state)
{
    char next[64], body[128];
    unsigned events = 0;

    (void)state;
    for (int i = 0; i < 150; i++) {
        snprintf(body, sizeof(body), "{\"phone\":\"+14155552671\",\"event_id\":\"n%d\"}", i);
        assert_answer(ask_as(sk, "POST /v1/optins", body), 201);
    }
    assert_answer(get(sk, "people", person, "/history"), 200);
    for (const char *at = rig.body; (at = strstr(at, "\"kind\":")) != NULL; at++)
        events++;
    assert_int_equal(events, 100);
    const char *at = strstr(rig.body, "\"next\":");
    snprintf(next, sizeof(next), "/history?before=%.*s", (int)strcspn(at + 7, "}"), at + 7);
    assert_answer(get(sk, "people", person, next), 200);
    for (at = rig.body; (at = strstr(at, "\"kind\":")) != NULL; at++)
        events++;
    assert_int_equal(events, 151);
    assert_body_has("\"next\":null");
    assert_answer(get(sk, "people", person, "/history?before=1"), 404);
    assert_answer(get(sk, "people", person, "/history?before=999999"), 404);
}

/* --- claims ------------------------------------------------------------------------------ */

static int start_claim(const char *key, const char *body)
{
    char headers[256];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", key);
    send_request("POST /v1/tasks/claim", headers, body);
    return rig.status;
}

static void a_claim_is_answered_with_the_task(void **state)
{
    (void)state;
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":30}"), 0);
    assert_string_equal(rig.claim_agent, "a42");
    assert_int_equal(rig.claim_wait_ms, 30000);
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, SLICE("{\"v\":1}"));
    assert_int_equal(rig.status, 200);
    assert_string_equal(rig.body, "{\"v\":1}");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, SLICE("{\"v\":1}")); /* twice: nothing */
    assert_int_equal(rig.replies, 1);
}

static void no_task_in_time_is_204_and_no_redis_503(void **state)
{
    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\"}");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, (struct slice){0});
    assert_int_equal(rig.status, 204);
    start_claim(agent, "{\"queue\":\"acme.calls\"}");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_REDIS_AWAY, (struct slice){0});
    assert_int_equal(rig.status, 503);
    assert_body_has("redis_away");
}

/* As the claim script on Redis gives it out. */
static void give_out(const char *id)
{
    char member[128];

    snprintf(member, sizeof(member), "{\"id\":\"%s\",\"delivery\":1}", id);
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, slice_of(member));
    settle();
}

/* After a restore numbers are given a second time, and members of the life before are in Redis. */
static void a_claim_of_another_histories_task_claims_none_of_ours(void **state)
{
    char stray[ID_TEXT_LENGTH + 1] = "", ours[64];
    uint64_t at_ms, number;

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552673\"}"), 201);
    told("task", ours, sizeof(ours));
    assert_true(id_parse(slice_of(ours), writer_id_key(NULL), ID_TASK, &at_ms, &number));
    id_format(stray, writer_id_key(NULL), ID_TASK, at_ms - 1, number);

    start_claim(agent, "{\"queue\":\"acme.calls\"}");
    give_out(stray);
    assert_int_equal(rig.status, 200);
    assert_body_has(stray);
    start_claim(free_agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}");
    give_out(ours);
    assert_int_equal(rig.replies, 1);
    assert_int_equal(rig.status, 200);
    assert_body_has(ours);
}

static void a_task_that_is_claimed_already_is_not_handed_out_but_the_next_one(void **state)
{
    char second[64];

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552672\"}"), 201);
    told("task", second, sizeof(second));
    start_claim(free_agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}");
    give_out(task);
    assert_int_equal(rig.status, 200);

    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":30}");
    assert_int_equal(rig.claims, 2);
    give_out(task); /* by a Redis that forgot that it was popped */
    assert_int_equal(rig.replies, 0);
    assert_int_equal(rig.claims, 3);
    give_out(second);
    assert_int_equal(rig.replies, 1);
    assert_int_equal(rig.status, 200);
    assert_body_has(second);
}

static void a_claim_names_queue_and_agent(void **state)
{
    (void)state;
    assert_int_equal(start_claim(agent, "{}"), 422);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.none\"}"), 404);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}"), 403);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":61}"), 422);
    assert_int_equal(start_claim(free_agent, "{\"queue\":\"acme.calls\"}"), 422);
    assert_int_equal(start_claim(sk, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}"), 403);
    assert_int_equal(rig.claims, 0);
    assert_int_equal(start_claim(free_agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}"), 0);
    assert_string_equal(rig.claim_agent, "b");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, (struct slice){0});
}

static void a_claimer_that_hangs_up_claims_no_longer(void **state)
{
    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}");
    rig.said_all = true;
    while (rig.unclaims == 0)
        uv_run(&rig.loop, UV_RUN_ONCE);
    assert_int_equal(rig.unclaims, 1);
    assert_int_equal(uv_run(&rig.loop, UV_RUN_NOWAIT), 0); /* nothing is looked at any more */
    assert_int_equal(rig.replies, 1);                      /* or its connection would stay */
    assert_int_equal(rig.status, 204);
    rig.said_all = false;
}

static void a_task_for_one_who_hung_up_goes_back_at_once(void **state)
{
    char member[256];

    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}");
    rig.said_all = true;
    snprintf(member, sizeof(member), "{\"v\":1,\"id\":\"%s\",\"delivery\":1}", task);
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, slice_of(member));
    settle();
    assert_int_equal(rig.replies, 1);
    assert_int_equal(rig.status, 204);
    rig.said_all = false;
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"queued\",\"delivery\":2");
}

static void a_drain_ends_what_waits_for_a_task(void **state)
{
    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}");
    api_drain(rig.api);
    assert_int_equal(rig.status, 204);
    assert_int_equal(rig.unclaims, 1);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}"), 503);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_optin_is_shown_with_what_became_of_it),
        TEST(an_optin_that_was_only_received_is_shown_and_later_its_decision),
        TEST(a_task_is_shown_from_queue_to_end),
        TEST(a_breach_is_remembered_after_the_end),
        TEST(the_first_outcome_counts),
        TEST(a_dialers_unknown_word_is_answered_with_a_flag),
        TEST(a_release_puts_it_back_with_the_next_delivery),
        TEST(what_a_report_lacks_is_named),
        TEST(a_call_is_agreed_for_five_years_ahead_at_most),
        TEST(an_agents_token_speaks_for_that_agent),
        TEST(another_agencys_ids_are_not_there),
        TEST(an_id_of_another_kind_or_altered_is_not_there),
        TEST(while_state_is_rebuilt_reads_wait),
        TEST(a_person_is_found_by_phone_and_by_email),
        TEST(a_page_never_changes_a_persons_first_words_but_the_agencys_server_does),
        TEST(a_person_is_shown_with_open_tasks),
        TEST(a_history_is_told_newest_first),
        TEST(a_person_shows_what_comes_next),
        TEST(a_history_names_tiers_and_rungs),
        TEST(a_history_says_why_a_call_is_withdrawn),
        TEST(a_long_history_comes_in_pages),
        TEST(a_claim_is_answered_with_the_task),
        TEST(no_task_in_time_is_204_and_no_redis_503),
        TEST(a_claim_of_another_histories_task_claims_none_of_ours),
        TEST(a_task_that_is_claimed_already_is_not_handed_out_but_the_next_one),
        TEST(a_claim_names_queue_and_agent),
        TEST(a_claimer_that_hangs_up_claims_no_longer),
        TEST(a_task_for_one_who_hung_up_goes_back_at_once),
        TEST(a_drain_ends_what_waits_for_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
