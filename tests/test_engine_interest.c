/* Interest that people show, which work comes first, and people who are taken up again: through the
 * engine, on a virtual clock. Every test ends by comparing state with a rebuild. */
#include "proto/report.h"
#include "proto/task.h"
#include "server/site.h"
#include "tests/engine_rig.h"

#define PHONE "+12155550147" /* Philadelphia */
#define EMAIL "dana@example.com"

static unsigned serial;

static int set_up(void **unused)
{
    set_up_world(unused);
    serial = 0;
    return 0;
}

/* Somebody by number; returns the task. */
static uint64_t opt_in(unsigned person)
{
    char phone[32], content[32];

    snprintf(phone, sizeof(phone), "+1215%07u", 5550100 + person);
    snprintf(content, sizeof(content), "%u", ++serial);
    assert_status(world_optin(&world, phone, EMAIL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static uint64_t opt_in_alone(unsigned person)
{
    char phone[32], content[32];

    snprintf(phone, sizeof(phone), "+1215%07u", 5550100 + person);
    snprintf(content, sizeof(content), "%u", ++serial);
    assert_status(world_optin(&world, phone, NULL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static void end(uint64_t task, unsigned delivery, enum outcome outcome)
{
    assert_status(world_report(&world, task, delivery, REPORT_OUTCOME, outcome, "a1"), STATUS_OK);
}

static struct person_row person(uint64_t number)
{
    struct person_row row;

    assert_true(world_person(&world, number, &row));
    return row;
}

static struct task_row open_call(uint64_t number)
{
    return world_open_task(&world, number, TASK_CALL);
}

static enum status signal_of(uint64_t number, uint64_t task, enum signal_kind kind)
{
    struct task_row row = {0};
    struct command command = {.kind = COMMAND_SIGNAL,
                              .signal = {.person = number,
                                         .person_first_ms = person(number).first_ms,
                                         .task = task,
                                         .at_ms = world.now_ms,
                                         .kind = (uint8_t)kind}};

    if (task != 0 && world_task(&world, number, task, &row))
        command.signal.task_opened_ms = row.opened_ms;
    else if (task != 0)
        command.signal.task_opened_ms = WORLD_START_MS;
    return world_do(&world, &command);
}

static void choose_playbook(const char *agency)
{
    const struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = slice_of(agency),
        .admin = {.entity = ENTITY_AGENCY, .number = world.agency},
    };

    assert_status(world_do(&world, &command), STATUS_OK);
}

/* --- signals ------------------------------------------------------------------------------ */

static void each_signal_counts_once_a_task_and_kind(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    assert_int_equal(person(1).score_hundredths, 4000);
    assert_status(signal_of(1, task, SIGNAL_OPEN), STATUS_OK);
    assert_int_equal(world.settlement.points, 2);
    assert_status(signal_of(1, task, SIGNAL_OPEN), STATUS_DUPLICATE);
    assert_status(signal_of(1, task, SIGNAL_CLICK), STATUS_OK);
    assert_int_equal(person(1).score_hundredths, 5000);
    world_reopen(&world, true, true);
    assert_status(signal_of(1, task, SIGNAL_CLICK), STATUS_DUPLICATE);
    world.now_ms += 20 * DAY; /* longer than the index remembers */
    opt_in_alone(2);
    assert_status(signal_of(1, task, SIGNAL_CLICK), STATUS_DUPLICATE);
    assert_status(signal_of(1, task + 8, SIGNAL_CLICK), STATUS_NOT_FOUND);
    assert_status(signal_of(2, task, SIGNAL_CLICK), STATUS_NOT_FOUND);
}

static void a_visit_of_no_task_counts_once_a_day(void **unused)
{
    (void)unused;
    opt_in(1);
    assert_status(signal_of(1, 0, SIGNAL_VISIT), STATUS_OK);
    assert_status(signal_of(1, 0, SIGNAL_VISIT), STATUS_DUPLICATE);
    assert_status(signal_of(1, 0, SIGNAL_REPLY), STATUS_OK);
    world.now_ms += DAY;
    assert_status(signal_of(1, 0, SIGNAL_VISIT), STATUS_OK);
}

static void a_robot_says_it_in_a_stream(void **unused)
{
    struct command command = {.kind = COMMAND_REPORT,
                              .report = {.task = opt_in(1),
                                         .delivery = 1,
                                         .op = REPORT_SIGNAL,
                                         .signal = SIGNAL_REPLY,
                                         .queue = world.queue,
                                         .stream_ms = WORLD_START_MS,
                                         .stream_seq = 1}};

    (void)unused;
    assert_status(world_do(&world, &command), STATUS_OK);
    assert_int_equal(person(1).score_hundredths, 7000);
    assert_int_equal(state_queue(world.state, world.queue)->report_seq, 1);
    assert_status(world_do(&world, &command), STATUS_DUPLICATE); /* read again */
    command.report.stream_seq = 2;
    assert_status(world_do(&world, &command), STATUS_DUPLICATE); /* said again */
    assert_status(signal_of(1, command.report.task, SIGNAL_REPLY), STATUS_DUPLICATE);
}

static void who_becomes_hot_is_called_sooner_but_not_twice_a_day(void **unused)
{
    uint64_t task = opt_in(1), called_ms = world.now_ms;

    (void)unused;
    end(task, 1, OUTCOME_NOT_NOW);
    assert_int_equal(person(1).call_why, CALL_WAKE); /* in ten months */
    assert_status(signal_of(1, 0, SIGNAL_OPEN), STATUS_OK);
    assert_false(world.settlement.hot);
    assert_int_equal(person(1).call_why, CALL_WAKE);
    assert_status(signal_of(1, 0, SIGNAL_REPLY), STATUS_OK);
    assert_true(world.settlement.hot);
    assert_int_equal(person(1).call_why, CALL_SIGNAL);
    assert_int_equal(person(1).call_ms, called_ms / 1000 * 1000 + DAY);
    world_live(&world, called_ms + DAY + HOUR);
    assert_int_equal(open_call(1).kind, TASK_WAKE);
}

static void an_agreed_time_and_never_again_are_kept(void **unused)
{
    uint64_t task = opt_in(1);

    (void)unused;
    world.call_at_ms = world.now_ms + 9 * DAY;
    end(task, 1, OUTCOME_NOT_NOW);
    world.call_at_ms = 0;
    assert_status(signal_of(1, 0, SIGNAL_REPLY), STATUS_OK);
    assert_true(world.settlement.hot);
    assert_int_equal(person(1).call_ms, WORLD_START_MS + 9 * DAY);
    task = opt_in_alone(2);
    end(task, 1, OUTCOME_DO_NOT_CONTACT);
    assert_status(signal_of(2, 0, SIGNAL_REPLY), STATUS_OK);
    assert_int_equal(person(2).due_ms, 0);
    assert_int_equal(person(2).closed, PERSON_STOPPED);
}

static void an_open_call_moves_forward(void **unused)
{
    struct task_row call;

    (void)unused;
    end(opt_in(1), 1, OUTCOME_NO_ANSWER);
    world_live(&world, world.now_ms + 2 * HOUR);
    call = open_call(1);
    assert_int_equal(call.kind, TASK_RETRY);
    assert_int_equal(call.state, TASK_QUEUED);
    assert_true(call.rank_ms > world.now_ms + DEADLINE_MS);
    assert_status(signal_of(1, 0, SIGNAL_REPLY), STATUS_OK);
    assert_int_equal(open_call(1).rank_ms, world.now_ms + DEADLINE_MS);
    assert_int_equal(open_call(1).delivery, call.delivery); /* the same member, ranked anew */
    assert_true(open_call(1).put_seq > call.put_seq);
}

static void segment_and_cadence_follow_the_score(void **unused)
{
    static const char settings[] =
        "{\"id\":\"acme.hot\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"name: hot\\ntitle: "
        "Hot\\n"
        "based_on: default\\nsegments:\\n"
        "  - {id: eager, when: score >= 60, cadence: follow_up, sla: five_minutes, "
        "escalation: usual}\\n"
        "  - {id: everybody, cadence: new_lead, sla: five_minutes, escalation: usual}\\n\"}";

    (void)unused;
    assert_int_not_equal(world_admin(&world, ENTITY_PLAYBOOK, settings), 0);
    choose_playbook("{\"id\":\"acme\",\"playbook\":\"acme.hot\"}");
    opt_in(1);
    assert_int_equal(person(1).segment, 2);
    assert_status(signal_of(1, 0, SIGNAL_OPEN), STATUS_OK);
    assert_int_equal(person(1).segment, 2);
    assert_status(signal_of(1, 0, SIGNAL_REPLY), STATUS_OK);
    assert_int_equal(person(1).segment, 1);
    assert_int_equal(person(1).step, 1);
    assert_int_equal(person(1).cadence_ms, world.now_ms);
}

/* --- priorities ---------------------------------------------------------------------------- */

static void a_cold_call_is_ranked_behind_a_day_of_fresh_ones_at_most(void **unused)
{
    struct task_row call;
    uint64_t due_ms;

    (void)unused;
    world.now_ms = 1700060400000; /* a Wednesday, 10:00 in New York */
    end(opt_in(1), 1, OUTCOME_NO_ANSWER);
    due_ms = person(1).call_ms;
    world_live(&world, due_ms + MINUTE);
    call = open_call(1);
    assert_int_equal(call.kind, TASK_RETRY);
    assert_int_equal(call.rank_ms, due_ms + DEADLINE_MS + DAY / 2); /* of the usual priority */

    /* A fresh one goes first all that time, and behind it later. */
    opt_in_alone(2);
    assert_true(open_call(2).rank_ms < call.rank_ms);
    world.now_ms = due_ms + DAY / 2 + MINUTE;
    opt_in_alone(3);
    assert_true(open_call(3).rank_ms > call.rank_ms);
}

static void a_passed_deadline_moves_no_cold_call_back(void **unused)
{
    struct task_row call;

    (void)unused;
    world.now_ms = 1700060400000;
    end(opt_in(1), 1, OUTCOME_NO_ANSWER);
    world_live(&world, person(1).call_ms + MINUTE);
    call = open_call(1);
    world_live(&world, world.now_ms + 4 * DAY);
    assert_int_equal(open_call(1).number, call.number);
    assert_true(open_call(1).flags & TASK_BREACHED);
    assert_int_equal(open_call(1).rank_ms,
                     call.rank_ms); /* of the first day, whatever came since */
}

static void the_higher_priority_goes_first(void **unused)
{
    static const char settings[] =
        "{\"id\":\"acme.p\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"name: p\\ntitle: P\\n"
        "based_on: default\\nsegments:\\n"
        "  - {id: new, when: optins < 2, cadence: new_lead, sla: five_minutes, escalation: usual, "
        "priority: 10}\\n"
        "  - {id: everybody, cadence: new_lead, sla: five_minutes, escalation: usual, "
        "priority: 90}\\n\"}";

    (void)unused;
    assert_int_not_equal(world_admin(&world, ENTITY_PLAYBOOK, settings), 0);
    choose_playbook("{\"id\":\"acme\",\"playbook\":\"acme.p\"}");
    world.now_ms = 1700060400000;
    end(opt_in_alone(1), 1, OUTCOME_NO_ANSWER);
    opt_in_alone(2);
    end(opt_in_alone(2), 1, OUTCOME_NO_ANSWER);
    world_live(&world, world.now_ms + HOUR + MINUTE);
    assert_int_equal(open_call(1).rank_ms - open_call(2).rank_ms, 80 * (DAY / 100));
}

static void a_step_goes_by_its_own_priority_or_by_its_segments(void **unused)
{
    static const char settings[] =
        "{\"id\":\"acme.p\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"name: p\\ntitle: P\\n"
        "based_on: default\\ncadences:\\n  mine: {title: M, for: prospects, then: nurture, short: "
        "y, "
        "steps: [\\n"
        "    {id: a, after: 2d, channel: email, kind: offer, queue: calls, template: t, priority: "
        "30},\\n"
        "    {id: b, after: 9d, channel: email, kind: offer, queue: calls, template: t}]}\\n"
        "segments: [{id: all, cadence: mine, sla: hour, escalation: usual, priority: 90}]\\n\"}";

    (void)unused;
    assert_int_not_equal(world_admin(&world, ENTITY_PLAYBOOK, settings), 0);
    choose_playbook("{\"id\":\"acme\",\"playbook\":\"acme.p\"}");
    world.now_ms = 1700060400000;
    end(opt_in(1), 1, OUTCOME_NO_ANSWER);
    for (unsigned i = 0; i < 2; i++) {
        struct task_row mail;
        world_live(&world, person(1).step_ms + HOUR);
        mail = world_open_task(&world, 1, TASK_EMAIL);
        assert_int_equal(mail.kind, TASK_STEP);
        assert_int_equal(mail.rank_ms, mail.not_before_ms + DEADLINE_MS +
                                           (100 - (i == 0 ? 30 : 90)) * (DAY / 100));
        end(mail.number, 1, OUTCOME_DELIVERED);
    }
}

/* Fresh opt-ins come faster than they are called, by rank; the cold one is served all the same. */
static void under_constant_load_the_cold_one_is_served_within_a_day(void **unused)
{
    struct state_visible head;
    uint64_t due_ms, cold;

    (void)unused;
    world.now_ms = 1700060400000;
    end(opt_in_alone(0), 1, OUTCOME_NO_ANSWER);
    due_ms = person(1).call_ms;
    world_live(&world, due_ms);
    cold = open_call(1).number;
    for (unsigned i = 1; i < 400; i++) {
        opt_in_alone(i);
        opt_in_alone(1000 + i); /* two come, one is taken: the queue grows */
        world_pass(&world, 10 * MINUTE);
        memset(&head, 0, sizeof(head));
        assert_true(state_visible_next(world.state, world.queue, 0, 0, &head));
        if (head.task == cold)
            break;
        assert_status(world_report(&world, head.task, 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a"),
                      STATUS_OK);
    }
    assert_int_equal(head.task, cold);
    assert_true(world.now_ms - due_ms <= DAY + HOUR);
}

/* --- the graveyard ---------------------------------------------------------------------------- */

static enum status wake(uint64_t number)
{
    struct command command = {
        .kind = COMMAND_WAKE,
        .wake = {.person = number, .cold_ms = 180 * DAY, .agency = world.agency}};

    return world_do(&world, &command);
}

static void the_cold_are_taken_up_again_not_more_than_so_many_a_day(void **unused)
{
    uint64_t first_ms;

    (void)unused;
    for (unsigned i = 0; i < 5; i++)
        end(opt_in_alone(i), 1, OUTCOME_NOT_INTERESTED);
    assert_status(wake(1), STATUS_CONFLICT); /* he was just called */
    world.now_ms += 181 * DAY;
    assert_status(wake(1), STATUS_OK);
    first_ms = world.settlement.call_ms;
    assert_int_equal(first_ms, world.now_ms);
    for (uint64_t number = 2; number <= 5; number++) {
        assert_status(wake(number), STATUS_OK);
        assert_int_equal(world.settlement.call_ms, first_ms + (number - 1) * (DAY / 50));
    }
    assert_status(wake(1), STATUS_CONFLICT); /* is not woken twice */
    world_reopen(&world, true, true);
    opt_in_alone(9);
    world_live(&world, first_ms + DAY);
    for (uint64_t number = 1; number <= 5; number++)
        assert_int_equal(open_call(number).kind, TASK_WAKE);
}

/* Those of the days on which nobody is called do not come together when somebody is again. */
static void the_cold_of_a_shut_week_are_not_taken_up_on_one_day(void **unused)
{
    static const char settings[] =
        "{\"id\":\"acme.p\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"name: p\\ntitle: P\\n"
        "based_on: default\\ngraveyard: {cold_after: 6mo, per_day: 3}\\n"
        "calendars: {calling: {hours: {mon: '09:00-17:00'}, holidays: []}}\\n\"}";
    uint64_t call_ms[12];

    (void)unused;
    assert_int_not_equal(world_admin(&world, ENTITY_PLAYBOOK, settings), 0);
    choose_playbook("{\"id\":\"acme\",\"playbook\":\"acme.p\"}");
    for (unsigned i = 0; i < 12; i++)
        end(opt_in_alone(i), 1, OUTCOME_NOT_INTERESTED);
    world.now_ms += 181 * DAY;
    for (uint64_t number = 1; number <= 12; number++) {
        assert_status(wake(number), STATUS_OK);
        call_ms[number - 1] = world.settlement.call_ms;
    }
    for (unsigned i = 3; i < 12; i++)
        assert_true(call_ms[i] - call_ms[i - 3] > 5 * DAY);
}

static void who_must_not_or_cannot_be_called_is_left_alone(void **unused)
{
    (void)unused;
    end(opt_in_alone(1), 1, OUTCOME_DO_NOT_CONTACT);
    end(opt_in_alone(2), 1, OUTCOME_WRONG_NUMBER);
    end(opt_in_alone(3), 1, OUTCOME_SOLD);
    opt_in_alone(4);
    assert_status(world_optin(&world, PHONE, NULL, NULL, "t", INTAKE_TEST), STATUS_OK);
    world.call_at_ms = world.now_ms + 400 * DAY;
    end(opt_in_alone(6), 1, OUTCOME_NOT_NOW);
    world.now_ms += 300 * DAY;
    for (uint64_t number = 1; number <= 6; number++)
        assert_status(wake(number), STATUS_CONFLICT);
    assert_status(wake(7), STATUS_NOT_FOUND);
}

static void nobody_is_woken_who_is_another_one(void **unused)
{
    struct command command = {.kind = COMMAND_MERGE, .person = {.number = 1, .other = 2}};

    (void)unused;
    opt_in_alone(1);
    opt_in_alone(2);
    assert_status(world_do(&world, &command), STATUS_OK);
    world.now_ms += 200 * DAY;
    assert_status(wake(2), STATUS_CONFLICT);
    assert_int_equal(person(2).closed, PERSON_MERGED);
    assert_int_equal(person(2).due_ms, 0);
}

static void who_was_given_up_is_found_again(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 6; i++) {
        end(opt_in_alone(1), 1, OUTCOME_NO_ANSWER);
        world.now_ms += HOUR;
    }
    end(opt_in_alone(1), 1, OUTCOME_DEAD);
    assert_int_equal(person(1).closed, PERSON_GIVEN_UP);
    world.now_ms += 200 * DAY;
    assert_status(wake(1), STATUS_OK);
    assert_int_equal(person(1).closed, PERSON_WORKED);
    assert_int_equal(person(1).due_ms, world.settlement.call_ms);
    assert_true(person(1).due_ms < world.now_ms + DAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_signal_counts_once_a_task_and_kind),
        TEST(a_visit_of_no_task_counts_once_a_day),
        TEST(a_robot_says_it_in_a_stream),
        TEST(who_becomes_hot_is_called_sooner_but_not_twice_a_day),
        TEST(an_agreed_time_and_never_again_are_kept),
        TEST(an_open_call_moves_forward),
        TEST(segment_and_cadence_follow_the_score),
        TEST(a_cold_call_is_ranked_behind_a_day_of_fresh_ones_at_most),
        TEST(a_passed_deadline_moves_no_cold_call_back),
        TEST(the_higher_priority_goes_first),
        TEST(a_step_goes_by_its_own_priority_or_by_its_segments),
        TEST(under_constant_load_the_cold_one_is_served_within_a_day),
        TEST(the_cold_are_taken_up_again_not_more_than_so_many_a_day),
        TEST(the_cold_of_a_shut_week_are_not_taken_up_on_one_day),
        TEST(who_must_not_or_cannot_be_called_is_left_alone),
        TEST(nobody_is_woken_who_is_another_one),
        TEST(who_was_given_up_is_found_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
