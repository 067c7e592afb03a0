/* Answers and findings: they are kept with their record, rules see the newest of them, and what
 * cannot be is said to whoever can be told. Every test ends by comparing state with a rebuild. */
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
#include "server/engine_internal.h"
#include "tests/life_world.h"

static struct report_words {
    const char *answers, *finds;
    bool stream;
} words;

/* A report that brings something; the status of the settlement. */
static enum status tell(uint64_t task, unsigned op, enum outcome outcome)
{
    world.answers = words.answers;
    world.finds = words.finds;
    world.stream_ms = words.stream ? world.now_ms : 0;
    enum status status = world_report(&world, task, 1, op, outcome, "a1");
    world.answers = world.finds = NULL;
    world.stream_ms = 0;
    return status;
}

static enum status answer(uint64_t task, enum outcome outcome, const char *answers)
{
    words = (struct report_words){.answers = answers};
    return tell(task, REPORT_OUTCOME, outcome);
}

static void assert_stage(const char *id)
{
    assert_string_equal(life_stage(), id);
}

/* The call that the person agreed to. */
static uint64_t next_call(void)
{
    struct task_row call;

    world_live(&world, person().call_ms != 0 ? person().call_ms : world.now_ms + 3 * DAY);
    call = open_call();
    assert_int_not_equal(call.number, 0);
    return call.number;
}

static void a_lead_that_agrees_to_change_is_an_opportunity(void **unused)
{
    (void)unused;
    world.call_at_ms = world.now_ms + 21 * HOUR;
    assert_int_equal(answer(opt_in("one"), OUTCOME_CONVERSATION, NULL), STATUS_OK);
    assert_stage("lead");
    world.call_at_ms = 0;
    assert_int_equal(answer(next_call(), OUTCOME_CONVERSATION,
                            "{\"agrees_to_change\":\"yes\",\"timeframe\":\"by May\"}"),
                     STATUS_OK);
    assert_stage("opportunity");
    assert_answer("timeframe", "by May");
}

static void without_the_answer_it_stays_a_lead(void **unused)
{
    (void)unused;
    world.call_at_ms = world.now_ms + 21 * HOUR;
    answer(opt_in("one"), OUTCOME_CONVERSATION, "{\"agrees_to_change\":\"no\"}");
    world.call_at_ms = 0;
    assert_int_equal(answer(next_call(), OUTCOME_CONVERSATION, "{\"interest\":\"bikes\"}"),
                     STATUS_OK);
    assert_stage("lead");
    assert_answer("interest", "bikes");
    assert_answer("agrees_to_change", "no"); /* kept from the first one */
}

static void an_earlier_answer_counts_and_the_newest_goes_before_it(void **unused)
{
    (void)unused;
    world.call_at_ms = world.now_ms + 21 * HOUR;
    answer(opt_in("one"), OUTCOME_CONVERSATION, "{\"agrees_to_change\":\"no\"}");
    world.call_at_ms = world.now_ms + 45 * HOUR;
    answer(next_call(), OUTCOME_VOICEMAIL, "{\"agrees_to_change\":\"YES\"}");
    assert_answer("agrees_to_change", "yes"); /* as the playbook writes it */
    world.call_at_ms = 0;
    answer(next_call(), OUTCOME_CONVERSATION, NULL);
    assert_stage("opportunity");
}

/* Neither before a conversation nor after it does a form agree to anything. */
static void a_forms_field_of_the_same_name_is_no_answer(void **unused)
{
    (void)unused;
    world.field = "agrees_to_change";
    world.field_json = "\"yes\"";
    world.call_at_ms = world.now_ms + 21 * HOUR;
    answer(opt_in("one"), OUTCOME_CONVERSATION, "{\"agrees_to_change\":\"no\"}");
    world.now_ms += HOUR;
    opt_in("two");
    answer(next_call(), OUTCOME_CONVERSATION, NULL);
    assert_stage("lead");
    world.call_at_ms = 0;
    answer(next_call(), OUTCOME_CONVERSATION, "{\"agrees_to_change\":\"yes\"}");
    assert_stage("opportunity");
}

static void rules_ask_for_a_forms_field_by_its_own_name(void **unused)
{
    (void)unused;
    use_playbook(BASED "segments:\n"
                       "  - {id: asked, when: timeframe known, cadence: nurture, sla: hour, "
                       "escalation: usual}\n"
                       "  - {id: said, when: field.timeframe known, cadence: nurture, sla: hour, "
                       "escalation: usual}\n"
                       "  - {id: all, cadence: new_lead, sla: hour, escalation: usual}\n");
    world.field = "timeframe";
    world.field_json = "\"by May\"";
    opt_in("one");
    assert_int_equal(person().segment, 2);
}

static void null_takes_an_answer_back(void **unused)
{
    (void)unused;
    world.call_at_ms = world.now_ms + 21 * HOUR;
    answer(opt_in("one"), OUTCOME_CONVERSATION, "{\"interest\":\"bikes\",\"needs\":\"two\"}");
    answer(next_call(), OUTCOME_VOICEMAIL, "{\"interest\":null}");
    assert_answer("interest", "");
    assert_answer("needs", "two");
}

static void a_question_that_nobody_asks_is_refused_and_named(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    assert_int_equal(answer(task, OUTCOME_CONVERSATION, "{\"needs\":\"x\",\"shoe_size\":43}"),
                     STATUS_INVALID);
    assert_int_equal(world.settlement.odd_item, 2);
    assert_int_equal(answer(task, OUTCOME_CONVERSATION, "{\"intent\":\"perhaps\"}"),
                     STATUS_INVALID);
    assert_int_equal(world.settlement.odd_item, 1);
    assert_int_equal(world.records, 0);
    assert_int_equal(answer(task, OUTCOME_CONVERSATION, "{\"needs\":\"x\"}"), STATUS_OK);
}

static void over_a_stream_it_is_kept_with_a_flag_and_counts_for_nothing(void **unused)
{
    struct effect_report effect;
    struct record_view record;
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    words = (struct report_words){
        .answers = "{\"needs\":\"x\",\"shoe_size\":43,\"intent\":\"perhaps\"}", .stream = true};
    assert_int_equal(tell(task, REPORT_OUTCOME, OUTCOME_CONVERSATION), STATUS_OK);
    record_view_of(&world.record, &record);
    assert_true(effect_find(&record, EFFECT_REPORT, &effect, sizeof(effect)));
    assert_int_equal(effect.odd, 2);
    assert_answer("needs", "x");
    assert_answer("intent", "");
    assert_stage("lead");
}

static void what_is_no_object_does_not_lose_the_outcome(void **unused)
{
    static const char *const texts[] = {"[1,2]", "{", "nonsense", "{\"needs\":{\"a\":1}}"};

    (void)unused;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t task = opt_in(texts[i]);
        words = (struct report_words){.answers = texts[i], .stream = true};
        assert_int_equal(tell(task, REPORT_OUTCOME, OUTCOME_NO_ANSWER), STATUS_OK);
    }
    assert_int_equal(person().known_seq, 0);
    assert_int_equal(person().attempts, 4);
}

static void an_amendment_brings_answers_too(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    answer(task, OUTCOME_CONVERSATION, "{\"needs\":\"x\"}");
    words = (struct report_words){.answers = "{\"needs\":\"y\"}"};
    assert_int_equal(tell(task, REPORT_AMEND, OUTCOME_CONVERSATION), STATUS_OK);
    assert_answer("needs", "y");
}

static void a_late_outcome_changes_nothing(void **unused)
{
    uint64_t task;

    (void)unused;
    task = opt_in("one");
    answer(task, OUTCOME_CONVERSATION, "{\"needs\":\"x\"}");
    words = (struct report_words){.answers = "{\"needs\":\"y\"}"};
    assert_int_equal(tell(task, REPORT_OUTCOME, OUTCOME_SOLD), STATUS_CONFLICT);
    assert_answer("needs", "x");
}

static void the_next_task_shows_what_is_known(void **unused)
{
    struct task_row call;

    (void)unused;
    world.call_at_ms = world.now_ms + 21 * HOUR;
    answer(opt_in("one"), OUTCOME_CONVERSATION, "{\"needs\":\"two\"}");
    next_call();
    call = open_call();
    assert_int_equal(call.known_seq, person().known_seq);
    assert_int_not_equal(call.known_seq, 0);
}

/* More than is kept: what was known first goes, the news stay. */
static void more_than_is_kept_leaves_the_newest(void **unused)
{
    static const char *const ids[] = {"interest",  "needs",     "initiatives",
                                      "timeframe", "authority", "resources"};
    char value[KNOWN_VALUE_MAX + 1], finds[REPORT_ANSWERS_MAX];
    uint64_t task;

    (void)unused;
    memset(value, 'v', KNOWN_VALUE_MAX);
    value[KNOWN_VALUE_MAX] = '\0';
    task = opt_in("one");
    for (unsigned round = 0; round < 10; round++) {
        struct text text = text_over(finds, sizeof(finds));
        text_char(&text, '{');
        for (unsigned i = 0; i < 12; i++)
            text_printf(&text, "%s\"find_%u_%u\":\"%s\"", i > 0 ? "," : "", round, i, value);
        text_string(&text, "}");
        text_char(&text, '\0');
        words = (struct report_words){.finds = finds};
        assert_int_equal(tell(task, REPORT_EXTEND, OUTCOME_NONE), STATUS_OK);
    }
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_answer(ids[i], "");
    assert_int_equal(answer(task, OUTCOME_CONVERSATION, "{\"needs\":\"two\"}"), STATUS_OK);
    assert_answer("needs", "two");
    assert_string_equal(life_known_value(KNOWN_FINDING, "find_9_11"), value);
    assert_string_equal(life_known_value(KNOWN_FINDING, "find_0_0"), "");
}

/* The same way in all playbooks that come with hotlead. */
static void each_shipped_playbook_has_a_stage_that_only_answers_lead_to(void **unused)
{
    static const struct {
        const char *playbook, *answers[3], *stage;
    } ways[] = {
        {"ladder-five", {"{}", "{\"agrees_to_change\":true}"}, "opportunity"},
        {"new-lead", {"{}", "{\"agrees_to_change\":\"yes\"}"}, "opportunity"},
        {"new-customer", {"{}", "{\"agrees_to_change\":\"yes\"}"}, "opportunity"},
        {"ladder-six",
         {"{\"wants_more\":\"yes\"}",
          "{\"interest\":\"a\",\"needs\":\"b\",\"initiatives\":\"c\",\"timeframe\":\"d\"}",
          "{\"intent\":\"buying\"}"},
         "buying"},
    };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (i > 0) {
            tear_down(unused);
            set_up(unused);
        }
        use_shipped(ways[i].playbook);
        uint64_t task = opt_in("one");
        for (unsigned call = 0; call < 3 && ways[i].answers[call] != NULL; call++) {
            world.call_at_ms = world.now_ms + DAY;
            if (call > 0)
                task = next_call();
            world.call_at_ms = world.now_ms + DAY;
            assert_string_not_equal(life_stage(), ways[i].stage);
            assert_int_equal(answer(task, OUTCOME_CONVERSATION, ways[i].answers[call]), STATUS_OK);
        }
        assert_stage(ways[i].stage);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_lead_that_agrees_to_change_is_an_opportunity),
        TEST(without_the_answer_it_stays_a_lead),
        TEST(an_earlier_answer_counts_and_the_newest_goes_before_it),
        TEST(a_forms_field_of_the_same_name_is_no_answer),
        TEST(rules_ask_for_a_forms_field_by_its_own_name),
        TEST(null_takes_an_answer_back),
        TEST(a_question_that_nobody_asks_is_refused_and_named),
        TEST(over_a_stream_it_is_kept_with_a_flag_and_counts_for_nothing),
        TEST(what_is_no_object_does_not_lose_the_outcome),
        TEST(an_amendment_brings_answers_too),
        TEST(a_late_outcome_changes_nothing),
        TEST(the_next_task_shows_what_is_known),
        TEST(more_than_is_kept_leaves_the_newest),
        TEST(each_shipped_playbook_has_a_stage_that_only_answers_lead_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
