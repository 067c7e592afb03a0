/* Reports about people by name: who waits, who is whose, who went cold; and who does the work. */
#include "tests/figures_rig.h"

static void report_by(struct figures_query query, const struct playbook *playbook)
{
    struct text out = text_over(document, sizeof(document) - 1);
    struct state_reader *reader;
    struct figures_source source = {.playbook = playbook,
                                    .id_key = recovery_id_key(world.recovery),
                                    .agencies = world.agency,
                                    .now_ms = world.now_ms,
                                    .label = write_label,
                                    .is_agent = is_agent};

    if (state_is_dirty(world.state))
        assert_status(state_commit(world.state), STATUS_OK);
    assert_status(state_reader_open(world.state, &reader), STATUS_OK);
    source.state = reader;
    query.side = query.side == 0 ? TALLY_ALL : query.side;
    query.day_last = query.day_last == 0 ? UINT32_MAX : query.day_last;
    query.limit = query.limit == 0 ? FIGURES_LIMIT : query.limit;
    query.price_cents = FIGURES_PRICE_OWN;
    query.recoverable_parts = FIGURES_RECOVERABLE_OWN;
    assert_status(figures_write(&source, &query, &out), STATUS_OK);
    assert_false(out.overflow);
    out.bytes[out.length] = '\0';
    state_reader_close(reader);
}

static void report(enum figures_name name)
{
    report_by((struct figures_query){.name = name}, playbook_shipped());
}

static unsigned people_listed(void)
{
    unsigned count = 0;

    for (const char *at = document; (at = strstr(at, "\"person\":\"per_")) != NULL; at++)
        count++;
    return count;
}

static uint64_t opt_in(unsigned person)
{
    char phone[32], content[32];

    snprintf(phone, sizeof(phone), "+1215%07u", person);
    snprintf(content, sizeof(content), "%u", ++serial);
    assert_status(world_optin(&world, phone, NULL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static void live(unsigned person, uint64_t after_ms, enum outcome outcome)
{
    uint64_t task = opt_in(person);

    world.now_ms += after_ms;
    assert_status(world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a42"), STATUS_OK);
}

/* One that no command makes. */
static void keep_record(uint64_t person, enum effect_kind kind, const void *effect, size_t bytes)
{
    struct journal *journal = recovery_journal(world.recovery);
    const struct state_meta *meta = state_meta(world.state);
    struct record_view view;
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    assert_true(state_person_find(world.state, person, &row, &task, &last_seq));
    record_begin(&world.record, RECORD_LATE, world.now_ms, row.agency);
    world.record.header.seq = meta->folded_seq + 1;
    world.record.header.admin_prev = meta->admin_seq;
    world.record.header.person = person;
    world.record.header.person_prev = last_seq;
    assert_true(record_effect(&world.record, kind, effect, bytes));
    record_seal(&world.record);
    record_view_of(&world.record, &view);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(state_begin(world.state), STATUS_OK);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world.record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
}

/* Gives the person to an agent, as an assignment does. */
static void give(uint64_t person, uint32_t owner)
{
    struct effect_person effect = {.person = person};

    assert_true(world_person(&world, person, &effect.row));
    effect.row.owner = owner;
    keep_record(person, EFFECT_PERSON, &effect, sizeof(effect));
}

/* As where a playbook promises nothing by the day. */
static void forget_promise(uint64_t person, uint64_t task)
{
    struct effect_task effect = {.person = person};

    assert_true(world_task(&world, person, task, &effect.row));
    assert_int_not_equal(effect.row.promise_ms, 0);
    effect.row.promise_ms = 0;
    keep_record(person, EFFECT_TASK, &effect, sizeof(effect));
}

/* Somebody was talked with, the mail about it still waits for its robot, and an opt-in of now wants
 * a call beside it. */
static void come_back_while_a_mail_waits(void)
{
    struct person_row row;
    struct task_row first;
    uint64_t last_seq;

    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    assert_status(world_optin(&world, "+12155550147", "dana@example.com", NULL, "one", 0),
                  STATUS_OK);
    assert_status(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                               OUTCOME_CONVERSATION, "a42"),
                  STATUS_OK);
    world_live(&world, world.now_ms + 2 * HOUR);
    assert_status(world_optin(&world, "+12155550147", "dana@example.com", NULL, "two", 0),
                  STATUS_OK);
    assert_true(state_person_find(world.state, 1, &row, &first, &last_seq));
    assert_int_equal(first.channel, TASK_EMAIL);
    assert_true(row.open_tasks > 1);
}

/* --- late, and never -------------------------------------------------------------------- */

static void whom_nobody_tried_is_counted_and_named(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    opt_in(2);
    opt_in(3);
    world_optin(&world, "+12155550149", NULL, NULL, "t", INTAKE_TEST);
    report(FIGURES_NO_RESPONSE);
    assert_says("\"summary\":{\"people\":3,\"no_response\":0,\"no_response_percent\":0.00,"
                "\"pending\":2}");
    assert_int_equal(people_listed(), 0);
    world_pass(&world, 6 * MINUTE);
    opt_in(4); /* has not waited for long */
    report(FIGURES_NO_RESPONSE);
    assert_says("\"summary\":{\"people\":4,\"no_response\":2,\"no_response_percent\":66.67,"
                "\"pending\":1}");
    assert_int_equal(people_listed(), 2);
    assert_says("{\"name\":\"usual\",\"value\":50,\"unit\":\"percent\"");
}

static void each_late_answer_shows_its_odds(void **unused)
{
    (void)unused;
    live(1, 4 * MINUTE, OUTCOME_NO_ANSWER);
    live(2, 6 * MINUTE, OUTCOME_CONVERSATION);
    live(4, 5 * MINUTE, OUTCOME_CONVERSATION); /* in time, as the report of speed has it */
    opt_in(3);
    world_optin(&world, "+12155550149", NULL, NULL, "a list", INTAKE_IMPORTED);
    world_optin(&world, NULL, NULL, NULL, "no way to call", 0);
    world.now_ms += 45 * MINUTE;
    report(FIGURES_LATE);
    assert_int_equal(people_listed(), 2); /* whom nobody was to call is not late */
    assert_says("\"waited_ms\":360000,\"odds_lost_times\":4,");
    assert_says("\"waited_ms\":2700000,\"odds_lost_times\":21,");
    assert_says("\"summary\":{\"late_after_ms\":300000}");
    assert_says("{\"name\":\"odds_lost\",\"value\":4,\"unit\":\"times\"");
    assert_says("{\"name\":\"odds_lost\",\"value\":21,\"unit\":\"times\"");
}

static void a_missed_promise_stays_on_its_days_list(void **unused)
{
    (void)unused;
    world.now_ms = 1700056800000; /* a Wednesday, 09:00 in New York: the office closes at 17:00 */
    live(1, 7 * HOUR, OUTCOME_NO_ANSWER);
    live(2, 10 * HOUR, OUTCOME_NO_ANSWER); /* from 16:00 to 02:00 */
    opt_in(3);
    world_live(&world, world.now_ms + 2 * DAY); /* whose day is Thursday, and is noticed */
    report(FIGURES_PROMISES);
    assert_int_equal(people_listed(), 2);
    report_by(
        (struct figures_query){.name = FIGURES_PROMISES, .day_first = 19676, .day_last = 19676},
        playbook_shipped());
    assert_int_equal(people_listed(), 1);
    assert_says("\"promised_ms\":1700085600000}]"); /* Wednesday */
    report_by(
        (struct figures_query){.name = FIGURES_PROMISES, .day_first = 19677, .day_last = 19677},
        playbook_shipped());
    assert_int_equal(people_listed(), 1);
    assert_says("\"promised_ms\":1700172000000}]");

    opt_in(4);               /* on a Saturday: it was promised by Monday, */
    world.now_ms += 4 * DAY; /* and is not noticed yet */
    report_by(
        (struct figures_query){.name = FIGURES_PROMISES, .day_first = 19681, .day_last = 19681},
        playbook_shipped());
    assert_int_equal(people_listed(), 1);
    assert_says("\"promised_ms\":1700517600000}]");
}

static void of_two_promises_the_newer_one_is_shown(void **unused)
{
    (void)unused;
    world.now_ms = 1700056800000; /* a Wednesday, 09:00 in New York */
    live(1, 10 * HOUR, OUTCOME_NO_ANSWER);
    world.now_ms = 1700056800000 + DAY;
    assert_int_not_equal(opt_in(1), 0);
    world.now_ms += 9 * HOUR; /* the office has closed, and nobody has noticed yet */
    report_by(
        (struct figures_query){.name = FIGURES_PROMISES, .day_first = 19677, .day_last = 19677},
        playbook_shipped());
    assert_int_equal(people_listed(), 1);
    assert_says("\"promised_ms\":1700172000000}]"); /* Thursday */
    report_by(
        (struct figures_query){.name = FIGURES_PROMISES, .day_first = 19676, .day_last = 19676},
        playbook_shipped());
    assert_int_equal(people_listed(), 0);
}

static void a_call_is_seen_beside_what_a_robot_has(void **unused)
{
    char next[64];

    (void)unused;
    world.now_ms = 1700056800000; /* a Wednesday, 09:00 in New York: the office closes at 17:00 */
    come_back_while_a_mail_waits();
    snprintf(next, sizeof(next), "\"next_ms\":%llu,",
             (unsigned long long)world.settlement.optin.deadline_ms);
    report(FIGURES_BOARD);
    assert_says(next);
    world.now_ms += 100 * DAY; /* and nobody has called, nor noticed */
    report(FIGURES_PROMISES);
    assert_int_equal(people_listed(), 1);
    assert_says("\"promised_ms\":1700085600000}]");
    report_by((struct figures_query){.name = FIGURES_GRAVEYARD, .cold_ms = 99 * DAY},
              playbook_shipped());
    assert_int_equal(people_listed(), 0);
}

static void to_whom_nothing_was_promised_nothing_was_broken(void **unused)
{
    (void)unused;
    forget_promise(1, opt_in(1));
    world.now_ms += 2 * DAY;
    report(FIGURES_PROMISES);
    assert_int_equal(people_listed(), 0);
}

/* --- board and pipelines ------------------------------------------------------------------ */

static void the_board_follows_owner_and_stage(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    live(2, MINUTE, OUTCOME_NO_ANSWER);
    opt_in(3);
    report(FIGURES_BOARD);
    assert_says("\"summary\":{\"people\":3}");
    assert_says("\"rows\":[{\"owner\":null,\"stage\":\"optin\",\"people\":2,\"over\":0},"
                "{\"owner\":null,\"stage\":\"lead\",\"people\":1,\"over\":0}]}");
    /* Who is no agent owns nobody any longer, once there is a call to make. */
    world_admin(&world, ENTITY_AGENT, "{\"id\":\"ann\",\"agency\":\"acme\"}");
    world_admin(&world, ENTITY_AGENT, "{\"id\":\"bob\",\"agency\":\"acme\"}");
    give(1, 1);
    give(2, 1);
    give(3, 2);
    report(FIGURES_BOARD);
    assert_says("\"rows\":[{\"owner\":\"7:1\",\"stage\":\"optin\",\"people\":1,\"over\":0},"
                "{\"owner\":\"7:1\",\"stage\":\"lead\",\"people\":1,\"over\":0},"
                "{\"owner\":\"7:2\",\"stage\":\"optin\",\"people\":1,\"over\":0}]}");
    give(3, 1);
    live(2, MINUTE, OUTCOME_DO_NOT_CONTACT);
    report(FIGURES_BOARD);
    assert_says("\"rows\":[{\"owner\":\"7:1\",\"stage\":\"optin\",\"people\":2,\"over\":1},"
                "{\"owner\":\"7:1\",\"stage\":\"lead\",\"people\":1,\"over\":0}]}");
    assert_int_equal(people_listed(), 2);
    report_by((struct figures_query){.name = FIGURES_BOARD, .side = TALLY_OWNER, .value = 2},
              playbook_shipped());
    assert_int_equal(people_listed(), 0);
}

static void a_board_is_of_one_agency(void **unused)
{
    uint32_t other = world_admin(&world, ENTITY_AGENCY, "{\"id\":\"other\"}");

    (void)unused;
    opt_in(1);
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"other.calls\",\"agency\":\"other\"}");
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"o\",\"agency\":\"other\",\"queue\":\"other.calls\"}");
    world.agency = other;
    opt_in(2);
    give(2, 9);
    report_by((struct figures_query){.name = FIGURES_BOARD, .agency = 1}, playbook_shipped());
    assert_says("\"summary\":{\"people\":1}");
    assert_says("\"rows\":[{\"owner\":null,\"stage\":\"optin\",\"people\":1,\"over\":0}]}");
    report_by((struct figures_query){.name = FIGURES_BOARD, .agency = other}, playbook_shipped());
    assert_says("\"rows\":[{\"owner\":\"7:9\",\"stage\":\"optin\",\"people\":1,\"over\":0}]}");
}

static void each_pipeline_has_its_report(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_CONVERSATION);
    live(2, MINUTE, OUTCOME_NO_ANSWER);
    live(3, MINUTE, OUTCOME_SOLD);
    report(FIGURES_PIPELINES);
    assert_says("\"summary\":{\"leads\":2,\"sales\":1}");
    assert_says(
        "{\"stage\":\"lead\",\"title\":\"Lead\",\"people\":1,\"of_pipeline_percent\":50.00}");
    assert_says("{\"stage\":\"customer\",\"title\":\"Customer\",\"people\":1,"
                "\"of_pipeline_percent\":100.00}");
}

static void words_and_numbers_are_the_playbooks_own(void **unused)
{
    static const char yaml[] = "name: own\ntitle: Own\nbased_on: default\n"
                               "money: {currency: EUR, optin: 1.50, sale: 1000, recoverable: 10}\n"
                               "odds: [{after: 10m, times: 3}]\n"
                               "graveyard: {cold_after: 1mo, per_day: 2}\n";
    const struct playbook *own;

    (void)unused;
    assert_status(playbook_open((struct slice){yaml, sizeof(yaml) - 1}, NULL, NULL, &own),
                  STATUS_OK);
    for (unsigned i = 0; i < 10; i++)
        live(i, 11 * MINUTE, OUTCOME_NO_ANSWER);
    world.now_ms += 40 * DAY;
    report_by((struct figures_query){.name = FIGURES_DUST}, own);
    assert_says("\"summary\":{\"cold\":10,\"recoverable_percent\":10.00,\"price_cents\":100000,"
                "\"dust_cents\":100000,\"spent_on_cold_cents\":1500,\"currency\":\"EUR\","
                "\"cold_for_long\":10,\"pending\":0}");
    report_by((struct figures_query){.name = FIGURES_LATE}, own);
    assert_says("\"odds_lost_times\":3,");
    report_by((struct figures_query){.name = FIGURES_GRAVEYARD}, own);
    assert_int_equal(people_listed(), 10);
    playbook_close(own);
}

/* --- robots --------------------------------------------------------------------------------- */

static void what_robots_do_is_told_from_what_people_do(void **unused)
{
    (void)unused;
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    world_optin(&world, "+12155550147", "ada@acme.example", NULL, "1", 0);
    assert_status(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                               OUTCOME_NO_ANSWER, "a42"),
                  STATUS_OK);
    world_live(&world, world.now_ms + 4 * DAY); /* a retry, and the e-mail of the third day */
    report(FIGURES_ROBOTS);
    assert_says("\"summary\":{\"robots\":2,\"people\":2,\"robots_percent\":50.00}");
    assert_says("{\"work\":\"first responses\",\"robots\":0,\"people\":1,");
    assert_says("{\"work\":\"planned calls\",\"robots\":0,\"people\":1,");
    assert_says("{\"work\":\"cadence new_lead\",\"robots\":2,\"people\":0,"
                "\"robots_percent\":100.00}");
}

/* --- the graveyard ------------------------------------------------------------------------ */

static void the_graveyard_has_who_was_silent_for_so_long(void **unused)
{
    (void)unused;
    live(1, MINUTE, OUTCOME_NO_ANSWER);
    live(2, MINUTE, OUTCOME_SOLD);
    live(3, MINUTE, OUTCOME_DO_NOT_CONTACT);
    live(4, MINUTE, OUTCOME_WRONG_NUMBER);
    opt_in(5); /* whose call is open */
    world_optin(&world, "+12155550149", NULL, NULL, "t", INTAKE_TEST);
    world.now_ms += 100 * DAY;
    report(FIGURES_GRAVEYARD);
    assert_int_equal(people_listed(), 0);
    report_by((struct figures_query){.name = FIGURES_GRAVEYARD, .cold_ms = 99 * DAY},
              playbook_shipped());
    assert_int_equal(people_listed(), 1);
    assert_says("\"attempts\":1,\"conversed\":\"no\",\"outcome\":\"no_answer\"");
}

static void who_cannot_be_called_is_left_alone_by_the_graveyard(void **unused)
{
    (void)unused;
    assert_status(world_optin(&world, NULL, "dana@example.com", NULL, "mail only", 0), STATUS_OK);
    assert_status(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                               OUTCOME_NO_ANSWER, "a42"),
                  STATUS_OK);
    live(2, MINUTE, OUTCOME_NO_ANSWER);
    world.now_ms += 100 * DAY;
    report_by((struct figures_query){.name = FIGURES_GRAVEYARD, .cold_ms = 99 * DAY},
              playbook_shipped());
    assert_int_equal(people_listed(), 1);
}

static void what_robots_send_breaks_no_silence(void **unused)
{
    (void)unused;
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    assert_status(world_optin(&world, "+12155550147", "dana@example.com", NULL, "one", 0),
                  STATUS_OK);
    assert_status(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                               OUTCOME_NOT_NOW, "a42"),
                  STATUS_OK);
    world_live(&world, WORLD_START_MS + 70 * DAY); /* mails of the first and the second month */
    assert_true(state_meta(world.state)->steps >= 2);
    report_by((struct figures_query){.name = FIGURES_GRAVEYARD, .cold_ms = 69 * DAY},
              playbook_shipped());
    assert_int_equal(people_listed(), 1);
    report_by((struct figures_query){.name = FIGURES_GRAVEYARD, .cold_ms = 71 * DAY},
              playbook_shipped());
    assert_int_equal(people_listed(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whom_nobody_tried_is_counted_and_named),
        TEST(each_late_answer_shows_its_odds),
        TEST(a_missed_promise_stays_on_its_days_list),
        TEST(of_two_promises_the_newer_one_is_shown),
        TEST(a_call_is_seen_beside_what_a_robot_has),
        TEST(to_whom_nothing_was_promised_nothing_was_broken),
        TEST(the_board_follows_owner_and_stage),
        TEST(a_board_is_of_one_agency),
        TEST(each_pipeline_has_its_report),
        TEST(words_and_numbers_are_the_playbooks_own),
        TEST(what_robots_do_is_told_from_what_people_do),
        TEST(the_graveyard_has_who_was_silent_for_so_long),
        TEST(who_cannot_be_called_is_left_alone_by_the_graveyard),
        TEST(what_robots_send_breaks_no_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
