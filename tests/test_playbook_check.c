/* What is said against a playbook: everything that is wrong, once, with its line and column. What
 * it says about time is in test_playbook_check_time.c. */
#include "tests/playbooks.h"

#define SEGMENT "cadence: new_lead, sla: hour, escalation: usual"

/* --- form ------------------------------------------------------------------------------------ */

static void what_is_no_yaml_is_told_with_its_place(void **state)
{
    (void)state;
    assert_complaints("", "1:1: the file is empty\n");
    assert_complaints("\xEF\xBB\xBF", "1:1: the file is empty\n");
    assert_complaints("name: [a\n",
                      "2:1: did not find expected ',' or ']': close the bracket, or put the "
                      "text in quotes\n");
    assert_complaints("name: \xff\n", "1:7: this is not UTF-8 text\n");
    assert_complaints("- a\n", "1:1: a playbook begins with lines `name: ...`\n");
    assert_complaints("name: a\n---\nname: b\n", "2:1: a second document begins here; write one\n");
    assert_complaints("name: &a x\n",
                      "1:7: write the value out: '&', '*' and '!' are not used here\n");
    assert_complaints("name: *a\n",
                      "1:7: write the value out: '&', '*' and '!' are not used here\n");
    assert_complaints("? [a]\n: b\n", "1:3: a name must stand here\n");
}

static void it_is_said_what_to_do_about_what_is_no_yaml(void **state)
{
    (void)state;
    assert_complaints(BASED "lease:\n\tclaim: 1h\n",
                      "5:1: found character that cannot start any token: indent with spaces, not "
                      "tabs; a text that begins so needs quotes\n");
    assert_complaints(BASED "words:\n  a: `x`\n",
                      "5:6: found character that cannot start any token: indent with spaces, not "
                      "tabs; a text that begins so needs quotes\n");
    assert_complaints(BASED "words:\n  a: so: it is\n",
                      "5:8: mapping values are not allowed in this context: a text with ': ' needs "
                      "quotes; indent one level alike\n");
    assert_complaints(BASED "lease:\n  report: 2m\n   claim: 1h\n",
                      "6:9: mapping values are not allowed in this context: a text with ': ' needs "
                      "quotes; indent one level alike\n");
    assert_complaints(BASED "lease:\n  report: 2m\n claim: 1h\n",
                      "6:2: did not find expected key: indent the lines of one level alike\n");
    assert_complaints(BASED "words:\n  a: \"x\n",
                      "6:1: found unexpected end of stream: close the quote that was opened\n");
    assert_complaints(BASED "words:\n  a: \"\\q\"\n",
                      "5:7: found unknown escape character: write \\\\ for a backslash\n");
}

static void a_byte_order_mark_moves_no_place(void **state)
{
    (void)state;
    assert_complaints("\xEF\xBB\xBF" BASED, "");
    assert_complaints("\xEF\xBB\xBF" BASED "lese: {claim: 1h}\n",
                      "4:1: a playbook has no 'lese'; did you mean 'lease'?\n");
    assert_complaints("\xEF\xBB\xBFname: \xff\n", "1:7: this is not UTF-8 text\n");
    assert_complaints("\xEF\xBB\xBFname: [a\n",
                      "2:1: did not find expected ',' or ']': close the bracket, or put the "
                      "text in quotes\n");
}

static void a_key_that_is_there_twice_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "caps: {per_day: 4}\ncaps: {per_day: 5}\n",
                      "5:1: 'caps' was said before, in line 4\n");
}

static void unknown_keys_are_guessed(void **state)
{
    (void)state;
    assert_complaints(BASED "lese: {claim: 1h}\n",
                      "4:1: a playbook has no 'lese'; did you mean 'lease'?\n");
    assert_complaints(BASED "lease: {claims: 1h}\n",
                      "4:9: 'lease' has no 'claims'; did you mean 'claim'?\n");
    assert_complaints(BASED "lease: {quite_another: 1h}\n",
                      "4:9: 'lease' has no 'quite_another'; there are report, claim\n");
}

static void unknown_names_are_guessed(void **state)
{
    (void)state;
    assert_complaints(BASED
                      "segments:\n  - {id: x, cadence: new_leed, sla: hour, escalation: usual}\n",
                      "5:22: cadence: there is no 'new_leed'; did you mean 'new_lead'?\n");
    assert_complaints(BASED "aliases:\n  X: no_anser\n",
                      "5:6: an alias: there is no 'no_anser'; did you mean 'no_answer'?\n");
    assert_complaints(BASED "assign: {mode: lottery}\n",
                      "4:16: mode: there is no 'lottery'; there are pool, round_robin, weighted, "
                      "owner_first\n");
}

static void what_must_be_there_is_asked_for(void **state)
{
    (void)state;
    assert_complaints("based_on: default\n",
                      "1:1: a playbook needs 'name'\n1:1: a playbook needs 'title'\n");
    assert_complaints(BASED "sla:\n  - {within: 5m}\n  - within\n",
                      "5:5: a tier needs an 'id'\n"
                      "6:5: a tier is written as `name: value`, here or in lines below\n");
}

static void values_of_the_wrong_form_are_told_with_what_is_expected(void **state)
{
    (void)state;
    assert_complaints(BASED "lease: {claim: 5}\n",
                      "4:16: claim: '5' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y\n");
    assert_complaints(
        BASED "lease: {claim: 101y}\n",
        "4:16: claim: '101y' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y\n");
    assert_complaints(BASED "caps: {per_day: many}\n",
                      "4:17: per_day: 'many' is not a whole number from 0 to 100\n");
    assert_complaints(BASED "caps: {per_day: 101}\n",
                      "4:17: per_day: '101' is not a whole number from 0 to 100\n");
    assert_complaints(BASED "money: {optin: 3.5}\n",
                      "4:16: optin: '3.5' is not a price such as 40 or 12.50\n");
    assert_complaints(BASED "aliases: {\"a b\": dead}\n",
                      "4:11: this must be a name: up to 40 of a-z, A-Z, 0-9, '_', '-' and '.'\n");
    assert_complaints(BASED "lease: 5m\n",
                      "4:8: 'lease' is written as `name: value`, here or in lines below\n");
    assert_complaints(BASED "lease: {claim: [1h]}\n",
                      "4:16: claim: one value must stand here: a time such as 90s, 5m, 1h, 3d, 2w, "
                      "10mo or 1y\n");
    assert_complaints(BASED "words: {a: \"x\\x01y\"}\n",
                      "4:12: a word: there is a character that cannot be shown\n");
    assert_complaints(BASED "stages: {a: b}\n", "4:9: stages: a list must stand here\n");
    assert_complaints(BASED "calendars: [a]\n",
                      "4:12: calendars: lines `name: ...` must stand here\n");
    assert_complaints(BASED "basd_on: x\n",
                      "4:1: a playbook has no 'basd_on'; did you mean 'based_on'?\n");
    assert_complaints("based_on: other\nname: a\n",
                      "1:1: a playbook needs 'title'\n"
                      "1:11: based_on: only 'default' can stand here\n");
}

static void what_was_not_written_is_not_named(void **state)
{
    (void)state;
    assert_complaints(BASED "calls: {spacing: [1h, 5x]}\n",
                      "4:23: a time: '5x' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y\n");
}

static void ids_that_are_there_twice_are_told(void **state)
{
    (void)state;
    assert_complaints(BASED "personas:\n  - {id: a, when: email}\n  - {id: a}\n",
                      "6:5: a label 'a' was said before, in line 5\n");
}

static void rules_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    assert_complaints(BASED "personas: [{id: a, when: scor >= 5}]\n",
                      "4:26: nothing is known as 'scor'; did you mean 'score'?\n");
    assert_complaints(BASED "personas: [{id: a, when: score = high}]\n",
                      "4:26: a rule asks `score >= 60`, with =, <, <=, > or >=, and a whole number "
                      "behind it\n");
    assert_complaints(BASED "personas: [{id: a, when: customer = 1}]\n",
                      "4:26: a rule asks `conversation` or `not conversation`\n");
    assert_complaints(BASED "personas: [{id: a, when: age > 30d}]\n",
                      "4:26: a rule asks `age < 30d` or `age >= 30d`\n");
    assert_complaints(
        BASED "personas: [{id: a, when: country US}]\n",
        "4:26: a rule asks `country = US`, `country in US, CA`, `country not in US` or "
        "`country known`\n");
    assert_complaints(BASED "personas: [{id: a, when: stage = leed}]\n",
                      "4:26: there is no such answer as 'leed'; did you mean 'lead'?\n");
    assert_complaints(BASED "personas: [{id: a, when: {either: [email]}}]\n",
                      "4:27: a rule has no 'either'; there are all, any, none\n");
    assert_complaints(BASED "personas: [{id: a, when: [[email]]}]\n",
                      "4:27: one test must stand here, such as `score >= 60`\n");
}

static void a_rule_of_too_many_tests_is_told(void **state)
{
    char yaml[2048];
    struct text out = text_over(yaml, sizeof(yaml) - 1);

    (void)state;
    text_string(&out, BASED "personas: [{id: a, when: [email");
    for (int i = 0; i < 50; i++)
        text_string(&out, ", email");
    text_string(&out, "]}]\n");
    yaml[out.length] = '\0';
    assert_complaints(yaml, "4:26: this rule is too long: 50 tests are the most\n");
}

/* `count` entries %u between `before` and `after`: more than `most` are refused, as their numbers
 * are kept in little room. */
static void assert_most(const char *before, const char *entry, const char *after, unsigned most,
                        const char *expected)
{
    static char yaml[256 * 1024];

    for (unsigned more = 0; more <= 1; more++) {
        struct text out = text_over(yaml, sizeof(yaml) - 1);
        text_printf(&out, BASED "%s", before);
        for (unsigned i = 0; i < most + more; i++)
            text_printf(&out, entry, i + 1, i + 1);
        text_string(&out, after);
        yaml[out.length] = '\0';
        playbook_close(try_slice(text_slice(&out)));
        if ((strstr(complaints, expected) != NULL) != (more == 1))
            fail_msg("of %u %s is said\n%.500s", most + more, entry, complaints);
    }
}

static void what_a_record_has_no_room_for_is_told(void **state)
{
    (void)state;
    assert_most("escalations:\n  usual:\n    rungs:\n", "      - {after: %us, to: agent}\n", "",
                250, "257:9: escalation 'usual': 250 rungs are the most\n");
    assert_most("cadences:\n  x:\n    steps:\n", "      - {id: s%u}\n", "", 250,
                "7:7: steps: 250 are the most\n");
    assert_most("segments:\n", "  - {id: s%u}\n", "", 250, "5:3: segments: 250 are the most\n");
    assert_most("stages:\n", "  - {id: s%u}\n", "", 32, "5:3: stages: 32 are the most\n");
    assert_most("sla:\n", "  - {id: s%u}\n", "", 30, "5:3: sla: 30 are the most\n");
    /* With those of the default. */
    assert_most("cadences:\n", "  s%u: {}\n", "", 60 - 7, "5:3: cadences: 60 are the most\n");
    assert_most("escalations:\n", "  s%u: {}\n", "", 30 - 1, "5:3: escalations: 30 are the most\n");
    assert_most("calendars:\n", "  s%u: {}\n", "", 60 - 2, "5:3: calendars: 60 are the most\n");
    assert_most("pipelines:\n", "  s%u: x\n", "", 30 - 2, "5:3: pipelines: 30 are the most\n");
}

static void what_was_stored_before_there_was_a_limit_stays_readable(void **state)
{
    static char yaml[64 * 1024];
    struct text out = text_over(yaml, sizeof(yaml));
    const struct playbook *playbook;

    (void)state;
    text_string(&out, BASED "escalations:\n  usual:\n    rungs:\n");
    for (unsigned i = 1; i <= 300; i++)
        text_printf(&out, "      - {after: %us, to: agent}\n", i);
    assert_status(playbook_open_stored(text_slice(&out), &playbook), STATUS_OK);
    assert_int_equal(playbook->escalations.items[0].rungs.count, 300);
    playbook_close(playbook);
}

/* One of so many bytes in its canonical form: `word` is a text of it, again and again. */
static struct slice long_file(const char *word, size_t bytes)
{
    static char yaml[4 * PLAYBOOK_CANONICAL_MAX];
    const struct playbook *playbook = open_text(BASED);
    const size_t around = strlen("  w1000:\n    means: \"\"\n"); /* as it is written then */
    size_t missing = bytes - playbook->canonical.length;
    struct text out = text_over(yaml, sizeof(yaml));

    playbook_close(playbook);
    text_string(&out, BASED "words:\n");
    for (unsigned i = 0; missing > 0; i++) {
        size_t most = around + 900, rest = missing > 2 * most ? most : missing;
        if (rest > most)
            rest /= 2;
        text_printf(&out, "  w%u: {means: \"", 1000 + i);
        for (size_t length = around; length < rest; length += strlen(word))
            text_string(&out, word);
        text_string(&out, "\"}\n");
        missing -= rest;
    }
    return text_slice(&out);
}

static void a_canonical_form_has_a_size_and_no_byte_more(void **state)
{
    const struct playbook *most = open_slice(long_file("y", PLAYBOOK_CANONICAL_MAX)), *more;

    (void)state;
    assert_int_equal(most->canonical.length, PLAYBOOK_CANONICAL_MAX);
    playbook_close(most);
    assert_status(
        playbook_open(long_file("y", PLAYBOOK_CANONICAL_MAX + 1), on_complaint, NULL, &more),
        STATUS_TOO_LARGE);
    assert_null(more);
    assert_status(playbook_open_stored(long_file("y", PLAYBOOK_CANONICAL_MAX + 1), &more),
                  STATUS_OK);
    playbook_close(more);
    /* Stored as JSON, a quote and what escapes it take four bytes. */
    assert_status(playbook_open(long_file("\\\"", 60000), on_complaint, NULL, &more),
                  STATUS_TOO_LARGE);
}

static void all_mistakes_of_a_file_are_told_in_its_order(void **state)
{
    (void)state;
    assert_complaints(BASED "lease: {claim: x}\n"
                            "caps: {gap: y, per_dy: 3}\n"
                            "score: {half_life: z}\n",
                      "4:16: claim: 'x' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y\n"
                      "5:13: gap: 'y' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y\n"
                      "5:16: 'caps' has no 'per_dy'; did you mean 'per_day'?\n"
                      "6:20: half_life: 'z' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or "
                      "1y\n");
}

static void a_mistake_of_form_does_not_hide_one_of_meaning_elsewhere(void **state)
{
    (void)state;
    assert_complaints(BASED "lease: {claim: x}\ncaps: {per_day: 0}\n",
                      "4:16: claim: 'x' is not a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y\n"
                      "5:1: a cap of 0 forbids every contact\n");
}

/* Also those that are not told any more. */
static void a_file_with_a_hundred_mistakes_is_refused(void **state)
{
    static char yaml[16 * 1024];
    struct text out = text_over(yaml, sizeof(yaml) - 1);
    unsigned told = 0;

    (void)state;
    text_string(&out, BASED "words:\n");
    for (unsigned i = 0; i < 120; i++)
        text_printf(&out, "  word_%u: [1, 2]\n", i);
    text_string(&out, "cadences:\n"
                      "  new_lead: {title: N, for: prospects, then: nurture, steps: [{id: a}]}\n");
    yaml[out.length] = '\0';
    assert_null(try_slice(slice_of(yaml)));
    for (const char *at = complaints; (at = strchr(at, '\n')) != NULL; at++)
        told++;
    assert_int_equal(told, 100);
}

/* --- stages ---------------------------------------------------------------------------------- */

#define THREE                                                                                      \
    "stages:\n"                                                                                    \
    "  - {id: a, title: A, means: A, pipeline: leads}\n"                                           \
    "  - {id: b, title: B, means: B, pipeline: leads}\n"                                           \
    "  - {id: c, title: C, means: C, pipeline: leads}\n"

static void sections_on_one_line_are_told_apart(void **state)
{
    (void)state;
    assert_complaints(
        "{based_on: default, name: a, title: A, segments: [\n"
        "  {id: x, cadence: none, sla: hour, escalation: usual}], lease: {report: 0s}}\n",
        "2:20: cadence: there is no 'none'; there are follow_up, happy, loyalty, "
        "new_customer, new_lead, nurture, recovery\n"
        "2:58: a lease of no time ends before it begins\n");
}

static void a_stage_that_nobody_reaches_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED THREE "transitions:\n  - {from: [a, c], to: b, on: sold}\n",
                      "7:5: nobody reaches the stage 'c': no transition leads to it from 'a'\n");
}

static void a_transition_to_nowhere_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED THREE "transitions:\n  - {from: a, to: lead, on: sold}\n",
                      "9:19: to: there is no 'lead'; there are a, b, c\n");
}

static void a_transition_to_where_it_began_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED THREE "transitions:\n"
                                  "  - {from: a, to: b, on: sold}\n"
                                  "  - {from: b, to: c, on: sold}\n"
                                  "  - {from: [a, b], to: a, on: not_now}\n",
                      "11:5: this leads from 'a' to 'a', where it began\n");
}

static void a_transition_that_is_never_taken_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED THREE "transitions:\n"
                                  "  - {from: a, to: b, on: [sold, referral]}\n"
                                  "  - {from: b, to: c, on: sold}\n"
                                  "  - {from: a, to: c, on: sold, when: email}\n",
                      "11:5: this is never taken: one above leads away before\n");
}

/* --- rules that never hold ------------------------------------------------------------------- */

static void assert_never(const char *when, const char *why)
{
    char yaml[1024], expected[512];

    snprintf(yaml, sizeof(yaml), BASED "personas:\n  - {id: a, when: %s}\n", when);
    snprintf(expected, sizeof(expected), "5:5: this can never hold: %s\n", why);
    assert_complaints(yaml, expected);
}

static void a_rule_that_can_never_hold_is_told(void **state)
{
    (void)state;
    assert_never("[score >= 9, score < 9]", "`score <= 8` and `score >= 9`");
    assert_never("[country = US, 'country in CA, MX']", "`country = US` and `country in CA, MX`");
    assert_never("[country = US, 'country not in CA, us']",
                 "`country = US` and `country not in CA, us`");
    assert_never("[email, not email]", "`email` and `not email`");
    assert_never("[country = US, country unknown]", "`country = US` and `country unknown`");
    assert_never("{all: email, none: email}", "`email` and none of `email`");
    assert_never("{all: score > 5, any: [score < 2, score = 3]}",
                 "`all` excludes every one of `any`");
}

static void a_segment_for_whom_nobody_is_left_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "segments:\n"
                            "  - {id: x, when: email, " SEGMENT "}\n"
                            "  - {id: y, when: [phone, email], " SEGMENT "}\n"
                            "  - {id: z, " SEGMENT "}\n",
                      "6:5: nobody is left for 'y': 'x' above takes them all\n");
    assert_complaints(BASED "segments:\n  - {id: x, " SEGMENT "}\n  - {id: y, " SEGMENT "}\n",
                      "6:5: nobody is left for 'y': 'x' above takes them all\n");
}

static void people_whom_no_segment_takes_are_told(void **state)
{
    (void)state;
    assert_complaints(BASED "segments:\n  - {id: x, when: email, " SEGMENT "}\n",
                      "5:5: the last segment must be for everybody who is left: no `when`\n");
    assert_complaints(BASED "segments: []\n", "4:1: there must be a segment\n");
}

static void customers_in_a_cadence_for_prospects_are_told(void **state)
{
    (void)state;
    assert_complaints(BASED "segments:\n  - {id: x, when: customer, " SEGMENT "}\n"
                            "  - {id: y, " SEGMENT "}\n",
                      "5:5: 'x' gives customers a cadence for prospects\n");
}

/* --- outcomes -------------------------------------------------------------------------------- */

static void an_unknown_outcome_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "outcomes:\n  solt: {attempt: true, next: retry}\n",
                      "5:3: there is no outcome 'solt'; did you mean 'sold'?\n");
}

static void an_outcome_with_nothing_due_after_it_is_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "outcomes:\n  busy: {attempt: true}\n",
        "5:3: 'busy' needs either `next: retry`, `cadence` or `end`, or `wake` with a "
        "time\n");
    assert_complaints(
        BASED "outcomes:\n  busy: {attempt: true, next: retry, wake: 1h}\n",
        "5:3: 'busy' needs either `next: retry`, `cadence` or `end`, or `wake` with a "
        "time\n");
    assert_complaints(BASED "outcomes:\n  busy: {next: cadence, cadence: stop}\n",
                      "5:3: after 'busy' nothing would be due: the cadence is next, and stops\n");
    assert_complaints(BASED "outcomes:\n  busy: {next: end}\n",
                      "5:3: 'busy' ends everything, so it needs `cadence: stop`\n");
    assert_complaints(BASED "outcomes:\n  busy: {attempt: true, wake: 0s}\n",
                      "5:3: 'busy' wakes at once; write a time\n");
    assert_complaints(BASED "outcomes:\n  busy: {attempt: true, next: retry, silences: call}\n",
                      "5:3: 'busy' calls again on a channel that it silences\n");
    assert_complaints(BASED "outcomes:\n  busy: {next: retry, contact: true}\n",
                      "5:3: 'busy' is contact, so it is an attempt too\n");
}

static void a_planned_call_that_is_no_attempt_is_told(void **state)
{
    static const char *const forms[] = {"next: retry", "wake: 1d", "agreed: true, next: cadence"};
    char yaml[256];

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        snprintf(yaml, sizeof(yaml), BASED "outcomes:\n  no_answer: {%s}\n", forms[i]);
        assert_complaints(yaml, "5:3: 'no_answer' plans a call, so it is an attempt: add "
                                "`attempt: true`\n");
        snprintf(yaml, sizeof(yaml), BASED "outcomes:\n  no_answer: {attempt: true, %s}\n",
                 forms[i]);
        assert_complaints(yaml, "");
    }
}

static void an_end_that_would_be_refused_each_time_is_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "outcomes:\n  conversation: {attempt: true, next: end, cadence: stop}\n",
        "5:3: 'conversation' gives nobody up, and `next: end` would be refused before "
        "7 attempts: write another `next`, or `wake`\n");
    assert_complaints(
        BASED "outcomes:\n  unsubscribed: {next: end, cadence: stop, silences: email}\n",
        "5:3: 'unsubscribed' would be refused before 7 attempts: add `final: legal`\n");
    assert_complaints(BASED "outcomes:\n  bounced: {next: end, cadence: stop}\n",
                      "5:3: 'bounced' would be refused before 7 attempts: add `final: fact`\n");
    assert_complaints(BASED "outcomes:\n  bounced: {next: end, cadence: stop, final: fact}\n", "");
    assert_complaints(
        BASED "outcomes:\n  not_interested: {attempt: true, next: end, cadence: stop}\n", "");
}

static void giving_up_before_seven_attempts_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "calls: {attempts_least: 6}\n",
                      "4:1: attempts_least: nobody may be given up before 7 attempts\n");
    assert_complaints(
        BASED "outcomes:\n  dead: {next: end, cadence: stop, final: fact}\n",
        "5:3: 'dead' is no fact that ends it: nobody is given up before 7 attempts\n");
    assert_complaints(BASED
                      "outcomes:\n  not_interested: {next: end, cadence: stop, final: legal}\n",
                      "5:3: no law makes 'not_interested' final: nobody is given up before 7 "
                      "attempts\n");
    assert_complaints(BASED "outcomes:\n  bounced: {next: cadence, final: fact}\n",
                      "5:3: 'bounced' is final, so it needs `next: end`\n");
}

static void what_the_law_asks_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED
                      "outcomes:\n  do_not_contact: {next: end, cadence: stop, silences: call}\n",
                      "5:3: the law asks that 'do_not_contact' has `final: legal` and `silences: "
                      "all`\n");
    assert_complaints(BASED "outcomes:\n  unsubscribed: {next: cadence}\n",
                      "5:3: the law asks that 'unsubscribed' has `silences: email`\n");
}

static void an_alias_that_is_an_outcome_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "aliases:\n  sold: dead\n", "5:3: 'sold' is an outcome itself\n");
}

static void words_and_questions_are_looked_at(void **state)
{
    (void)state;
    assert_complaints(BASED "words:\n  a: {}\n", "5:3: say how 'a' is called, or what it means\n");
    assert_complaints(BASED
                      "questions:\n  - {id: score, asks: x}\n  - {id: agrees_to_change, asks: x}\n",
                      "5:5: 'score' means something else in rules; take another id\n");
    assert_complaints(BASED "personas:\n  - {id: a, when: temperature = hot}\n",
                      "5:5: personas are found before personas and temperatures are known\n");
    assert_complaints(BASED "temperatures:\n  - {id: hot, when: temperature = hot}\n",
                      "5:5: temperatures are found before a temperature is known\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_yaml_is_told_with_its_place),
        cmocka_unit_test(it_is_said_what_to_do_about_what_is_no_yaml),
        cmocka_unit_test(a_byte_order_mark_moves_no_place),
        cmocka_unit_test(a_key_that_is_there_twice_is_told),
        cmocka_unit_test(unknown_keys_are_guessed),
        cmocka_unit_test(unknown_names_are_guessed),
        cmocka_unit_test(what_must_be_there_is_asked_for),
        cmocka_unit_test(values_of_the_wrong_form_are_told_with_what_is_expected),
        cmocka_unit_test(ids_that_are_there_twice_are_told),
        cmocka_unit_test(rules_that_cannot_be_read_are_told),
        cmocka_unit_test(a_rule_of_too_many_tests_is_told),
        cmocka_unit_test(what_a_record_has_no_room_for_is_told),
        cmocka_unit_test(what_was_stored_before_there_was_a_limit_stays_readable),
        cmocka_unit_test(a_canonical_form_has_a_size_and_no_byte_more),
        cmocka_unit_test(all_mistakes_of_a_file_are_told_in_its_order),
        cmocka_unit_test(a_mistake_of_form_does_not_hide_one_of_meaning_elsewhere),
        cmocka_unit_test(a_file_with_a_hundred_mistakes_is_refused),
        cmocka_unit_test(sections_on_one_line_are_told_apart),
        cmocka_unit_test(a_stage_that_nobody_reaches_is_told),
        cmocka_unit_test(a_transition_to_nowhere_is_told),
        cmocka_unit_test(a_transition_to_where_it_began_is_told),
        cmocka_unit_test(a_transition_that_is_never_taken_is_told),
        cmocka_unit_test(a_rule_that_can_never_hold_is_told),
        cmocka_unit_test(a_segment_for_whom_nobody_is_left_is_told),
        cmocka_unit_test(people_whom_no_segment_takes_are_told),
        cmocka_unit_test(customers_in_a_cadence_for_prospects_are_told),
        cmocka_unit_test(an_unknown_outcome_is_told),
        cmocka_unit_test(an_outcome_with_nothing_due_after_it_is_told),
        cmocka_unit_test(a_planned_call_that_is_no_attempt_is_told),
        cmocka_unit_test(an_end_that_would_be_refused_each_time_is_told),
        cmocka_unit_test(giving_up_before_seven_attempts_is_told),
        cmocka_unit_test(what_the_law_asks_is_told),
        cmocka_unit_test(an_alias_that_is_an_outcome_is_told),
        cmocka_unit_test(words_and_questions_are_looked_at),
        cmocka_unit_test(what_was_not_written_is_not_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
