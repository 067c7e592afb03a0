/* What is written right and means nothing good: stages that nobody reaches, outcomes that forget
 * somebody, rules that never hold. Cadences and what belongs to time are in playbook_check_time.c.
 *
 * A check looks only at what was written without a mistake of form. */
#include <stdio.h>

#include "proto/must.h"
#include "server/playbook_internal.h"

#define SAY(reading, at, ...) playbook_complain(reading, at, __VA_ARGS__)

/* Nothing was complained about from its name to that of the next section. */
static bool is_sound(const struct reading *reading, const char *section)
{
    const struct tree *key = tree_find(reading->root, section);
    uint64_t begin, end = UINT64_MAX;

    if (!key)
        return false;
    begin = playbook_order(key->at);
    for (const struct tree *other = reading->root->first; other; other = other->next) {
        uint64_t at = playbook_order(other->at);
        if (at > begin && at < end)
            end = at;
    }
    for (unsigned i = 0; i < reading->complaint_count; i++) {
        uint64_t at = playbook_order(reading->complaints[i].at);
        if (at >= begin && at < end)
            return false;
    }
    return true;
}

/* --- rules that never hold ------------------------------------------------------------------- */

static bool is_member(const struct playbook_texts *texts, struct slice word)
{
    for (uint32_t i = 0; i < texts->count; i++) {
        if (slice_equal_ignoring_case(texts->items[i], word))
            return true;
    }
    return false;
}

static unsigned common(const struct playbook_texts *a, const struct playbook_texts *b)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < a->count; i++)
        count += is_member(b, a->items[i]);
    return count;
}

static bool is_about_same(const struct playbook_test *a, const struct playbook_test *b)
{
    return a->fact == b->fact && slice_equal(a->name, b->name);
}

static bool exclude(const struct playbook_test *a, const struct playbook_test *b)
{
    if (!is_about_same(a, b))
        return false;
    if (a->op == PLAYBOOK_WITHIN && b->op == PLAYBOOK_WITHIN)
        return a->most < b->least || b->most < a->least;
    if (a->op == PLAYBOOK_IN && b->op == PLAYBOOK_IN)
        return common(&a->words, &b->words) == 0;
    if (a->op == PLAYBOOK_IN && b->op == PLAYBOOK_NOT_IN)
        return common(&a->words, &b->words) == a->words.count;
    if (b->op == PLAYBOOK_FALSE)
        return a->op == PLAYBOOK_TRUE || a->op == PLAYBOOK_IN;
    return false;
}

static bool is_same(const struct playbook_test *a, const struct playbook_test *b)
{
    return is_about_same(a, b) && a->op == b->op && a->least == b->least && a->most == b->most &&
           a->words.count == b->words.count && common(&a->words, &b->words) == a->words.count;
}

static const char *spelled(char bytes[64], const struct playbook_test *test)
{
    char whole[PLAYBOOK_TEXT_MAX * 3];
    struct text out = text_over(whole, sizeof(whole));

    playbook_test_write(test, &out);
    snprintf(bytes, 64, "%.*s", (int)(out.length < 60 ? out.length : 60), whole);
    return bytes;
}

static void tell_pair(struct reading *reading, struct playbook_place at,
                      const struct playbook_test *a, const char *how, const struct playbook_test *b)
{
    char left[64], right[64];

    SAY(reading, at, "this can never hold: `%s` %s `%s`", spelled(left, a), how, spelled(right, b));
}

static bool is_excluded(const struct playbook_rule *rule, const struct playbook_test *test)
{
    for (unsigned i = 0; i < rule->all; i++) {
        if (exclude(&rule->tests[i], test) || exclude(test, &rule->tests[i]))
            return true;
    }
    return false;
}

static void check_any(struct reading *reading, const struct playbook_rule *rule,
                      struct playbook_place at)
{
    const struct playbook_test *any = rule->tests + rule->all;
    unsigned excluded = 0;

    for (unsigned i = 0; i < rule->any; i++)
        excluded += is_excluded(rule, &any[i]);
    if (rule->any > 0 && excluded == rule->any)
        SAY(reading, at, "this can never hold: `all` excludes every one of `any`");
}

void playbook_check_rule(struct reading *reading, const struct playbook_rule *rule,
                         struct playbook_place at)
{
    const struct playbook_test *none = rule->tests + rule->all + rule->any;

    for (unsigned i = 0; i < rule->all; i++) {
        for (unsigned j = 0; j < rule->all; j++) {
            if (!exclude(&rule->tests[i], &rule->tests[j]))
                continue;
            tell_pair(reading, at, &rule->tests[i], "and", &rule->tests[j]);
            return;
        }
        for (unsigned j = 0; j < rule->none; j++) {
            if (!is_same(&rule->tests[i], &none[j]))
                continue;
            tell_pair(reading, at, &rule->tests[i], "and none of", &none[j]);
            return;
        }
    }
    check_any(reading, rule, at);
}

/* Whoever the later rule holds for, the earlier one does. */
static bool covers(const struct playbook_rule *earlier, const struct playbook_rule *later)
{
    if (earlier->any > 0 || earlier->none > 0)
        return false;
    for (unsigned i = 0; i < earlier->all; i++) {
        unsigned j = 0;
        while (j < later->all && !is_same(&earlier->tests[i], &later->tests[j]))
            j++;
        if (j == later->all)
            return false;
    }
    return true;
}

static bool asks_about(const struct playbook_rule *rule, enum playbook_fact fact)
{
    unsigned count = (unsigned)rule->all + rule->any + rule->none;

    for (unsigned i = 0; i < count; i++) {
        if (rule->tests[i].fact == fact)
            return true;
    }
    return false;
}

/* --- words, questions, labels ---------------------------------------------------------------- */

static void check_words(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->words.count; i++) {
        const struct playbook_word *word = &playbook->words.items[i];
        if (word->say.length == 0 && word->means.length == 0)
            SAY(reading, word->at, "say how '%s' is called, or what it means", word->id.bytes);
    }
}

/* A rule must know whether a question or something else is asked about. */
static void check_questions(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    static const char *const taken[] = {
#define XX(name, text, kind) text,
        PLAYBOOK_FACT_MAP(XX)
#undef XX
            "not",
    };

    for (uint32_t i = 0; i < playbook->questions.count; i++) {
        const struct playbook_question *question = &playbook->questions.items[i];
        bool is_taken = question->id.length > 6 && memcmp(question->id.bytes, "field.", 6) == 0;
        for (size_t j = 0; j < sizeof(taken) / sizeof(*taken); j++)
            is_taken = is_taken || slice_equal(question->id, slice_of(taken[j]));
        if (is_taken)
            SAY(reading, question->at, "'%s' means something else in rules; take another id",
                question->id.bytes);
    }
}

/* Personas are found first, then temperatures. */
static void check_personas(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->personas.count; i++) {
        const struct playbook_label *label = &playbook->personas.items[i];
        playbook_check_rule(reading, &label->when, label->at);
        if (asks_about(&label->when, PLAYBOOK_FACT_PERSONA) ||
            asks_about(&label->when, PLAYBOOK_FACT_TEMPERATURE))
            SAY(reading, label->at,
                "personas are found before personas and temperatures are known");
    }
}

static void check_temperatures(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->temperatures.count; i++) {
        const struct playbook_label *label = &playbook->temperatures.items[i];
        playbook_check_rule(reading, &label->when, label->at);
        if (asks_about(&label->when, PLAYBOOK_FACT_TEMPERATURE))
            SAY(reading, label->at, "temperatures are found before a temperature is known");
    }
}

/* --- stages and transitions ------------------------------------------------------------------ */

static void check_stages(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    if (playbook->stages.count == 0)
        SAY(reading, tree_find(reading->root, "stages")->at, "there must be a stage");
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        const struct playbook_stage *stage = &playbook->stages.items[i];
        playbook_check_rule(reading, &stage->needs, stage->at);
        if (slice_equal(stage->id, SLICE("all")))
            SAY(reading, stage->at, "'all' means all stages; take another id");
    }
}

/* Bit n: stage n can be reached from the first. */
static uint64_t reachable(const struct playbook *playbook)
{
    uint64_t reached = 1ull << 1, before = 0;

    while (reached != before) {
        before = reached;
        for (uint32_t i = 0; i < playbook->move_count; i++) {
            if (reached >> playbook->moves[i].from & 1)
                reached |= 1ull << playbook->moves[i].to;
        }
    }
    return reached;
}

static void check_reachable(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    uint64_t reached = reachable(playbook);

    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        if (!(reached >> (i + 1) & 1))
            SAY(reading, playbook->stages.items[i].at,
                "nobody reaches the stage '%s': no transition leads to it from '%s'",
                playbook->stages.items[i].id.bytes, playbook->stages.items[0].id.bytes);
    }
}

/* From each of its stages an earlier one is taken whatever happens. */
static bool is_hidden(const struct playbook *playbook, const struct playbook_transition *transition)
{
    bool hidden = true;

    for (uint32_t i = 0; i < playbook->move_count && hidden; i++) {
        uint64_t left = transition->on;
        if (playbook->moves[i].transition != transition)
            continue;
        for (uint32_t j = 0; j < i; j++) {
            const struct playbook_move *move = &playbook->moves[j];
            const struct playbook_rule *needs = &playbook->stages.items[move->to - 1].needs;
            if (move->from == playbook->moves[i].from &&
                needs->all + needs->any + needs->none == 0 &&
                covers(&move->transition->when, &transition->when))
                /* Whoever moves somebody by hand says where to. */
                left &= ~(move->to == transition->to ? move->on : move->on & ~PLAYBOOK_ON_HAND);
        }
        hidden = left == 0;
    }
    return hidden;
}

static void check_transitions(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->transitions.count; i++) {
        const struct playbook_transition *transition = &playbook->transitions.items[i];
        playbook_check_rule(reading, &transition->when, transition->at);
        if (transition->from == 0 || transition->on == 0)
            SAY(reading, transition->at, "this transition has no stage or nothing that it goes on");
        else if (transition->from >> transition->to & 1)
            SAY(reading, transition->at, "this leads from '%s' to '%s', where it began",
                playbook->stages.items[transition->to - 1].id.bytes,
                playbook->stages.items[transition->to - 1].id.bytes);
        else if (is_hidden(playbook, transition))
            SAY(reading, transition->at, "this is never taken: one above leads away before");
    }
}

/* --- outcomes -------------------------------------------------------------------------------- */

static void check_outcome_name(struct reading *reading, const struct playbook_outcome *outcome)
{
    const char *names[OUTCOME_END];
    unsigned count = 0;
    char guess[128];

    for (int number = 1; number < OUTCOME_END; number++)
        names[count++] = outcome_name((enum outcome)number);
    if (outcome_of(outcome->id) == OUTCOME_NONE)
        SAY(reading, outcome->at, "there is no outcome '%s'%s", outcome->id.bytes,
            playbook_guess(guess, outcome->id.bytes, names, count));
}

/* What is no attempt leaves the planned call as it is. */
static bool plans_call(const struct playbook_outcome *outcome)
{
    return outcome->next == PLAYBOOK_NEXT_RETRY || outcome->wake.ms != PLAYBOOK_NO_SPAN ||
           outcome->agreed;
}

/* Everybody has a next due time or an explicit end. */
static void check_next(struct reading *reading, const struct playbook_outcome *outcome)
{
    const char *name = outcome->id.bytes;
    bool wakes = outcome->wake.ms != PLAYBOOK_NO_SPAN;

    if (wakes == (outcome->next != 0))
        SAY(reading, outcome->at,
            "'%s' needs either `next: retry`, `cadence` or `end`, or `wake` with a time", name);
    else if (wakes && playbook_span_about(outcome->wake) == 0)
        SAY(reading, outcome->at, "'%s' wakes at once; write a time", name);
    else if (outcome->next == PLAYBOOK_NEXT_CADENCE && outcome->cadence == PLAYBOOK_STOP)
        SAY(reading, outcome->at, "after '%s' nothing would be due: the cadence is next, and stops",
            name);
    else if (outcome->next == PLAYBOOK_NEXT_END && outcome->cadence != PLAYBOOK_STOP)
        SAY(reading, outcome->at, "'%s' ends everything, so it needs `cadence: stop`", name);
    else if (outcome->next == PLAYBOOK_NEXT_RETRY &&
             (outcome->silences_own || (outcome->silences >> TASK_CALL & 1)))
        SAY(reading, outcome->at, "'%s' calls again on a channel that it silences", name);
    if (outcome->contact && !outcome->attempt)
        SAY(reading, outcome->at, "'%s' is contact, so it is an attempt too", name);
    else if (plans_call(outcome) && !outcome->attempt)
        SAY(reading, outcome->at, "'%s' plans a call, so it is an attempt: add `attempt: true`",
            name);
}

/* What is refused before the seventh attempt must be somebody's judgement: who reports what
 * happened would be refused each time. */
static void check_end(struct reading *reading, const struct playbook_outcome *outcome, bool by_law,
                      bool by_fact)
{
    enum outcome number = outcome_of(outcome->id);

    if (outcome->next != PLAYBOOK_NEXT_END || outcome->cadence != PLAYBOOK_STOP ||
        outcome->final != 0 || number == OUTCOME_DEAD || number == OUTCOME_NOT_INTERESTED ||
        number == OUTCOME_DO_NOT_CONTACT)
        return;
    if (by_law || by_fact)
        SAY(reading, outcome->at, "'%s' would be refused before %d attempts: add `final: %s`",
            outcome->id.bytes, PLAYBOOK_ATTEMPTS_LEAST, by_law ? "legal" : "fact");
    else
        SAY(reading, outcome->at,
            "'%s' gives nobody up, and `next: end` would be refused before %d attempts: write "
            "another `next`, or `wake`",
            outcome->id.bytes, PLAYBOOK_ATTEMPTS_LEAST);
}

/* Only law and plain facts end before the seventh attempt. */
static void check_final(struct reading *reading, const struct playbook_outcome *outcome)
{
    enum outcome number = outcome_of(outcome->id);
    bool by_law = number == OUTCOME_DO_NOT_CONTACT || number == OUTCOME_UNSUBSCRIBED;
    bool by_fact = number == OUTCOME_WRONG_NUMBER || number == OUTCOME_BOUNCED;

    check_end(reading, outcome, by_law, by_fact);
    if (outcome->final != 0 && outcome->next != PLAYBOOK_NEXT_END)
        SAY(reading, outcome->at, "'%s' is final, so it needs `next: end`", outcome->id.bytes);
    if (outcome->final == PLAYBOOK_BY_LAW && !by_law)
        SAY(reading, outcome->at, "no law makes '%s' final: nobody is given up before %d attempts",
            outcome->id.bytes, PLAYBOOK_ATTEMPTS_LEAST);
    if (outcome->final == PLAYBOOK_BY_FACT && !by_fact)
        SAY(reading, outcome->at,
            "'%s' is no fact that ends it: nobody is given up before %d attempts",
            outcome->id.bytes, PLAYBOOK_ATTEMPTS_LEAST);
}

static void check_law(struct reading *reading, const struct playbook_outcome *outcome)
{
    uint64_t all = (1ull << TASK_CHANNEL_END) - (1ull << TASK_CALL);

    all &= ~(1ull << TASK_RESEARCH); /* which asks nobody */
    if (outcome_of(outcome->id) == OUTCOME_DO_NOT_CONTACT &&
        (outcome->final != PLAYBOOK_BY_LAW || (outcome->silences & all) != all))
        SAY(reading, outcome->at,
            "the law asks that 'do_not_contact' has `final: legal` and `silences: all`");
    if (outcome_of(outcome->id) == OUTCOME_UNSUBSCRIBED && !(outcome->silences >> TASK_EMAIL & 1))
        SAY(reading, outcome->at, "the law asks that 'unsubscribed' has `silences: email`");
}

static void check_outcomes(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->outcomes.count; i++) {
        const struct playbook_outcome *outcome = &playbook->outcomes.items[i];
        check_outcome_name(reading, outcome);
        check_next(reading, outcome);
        check_final(reading, outcome);
        check_law(reading, outcome);
    }
    for (int number = 1; number < OUTCOME_END; number++) {
        if (!playbook->by_outcome[number])
            SAY(reading, tree_find(reading->root, "outcomes")->at, "it is not said what '%s' does",
                outcome_name((enum outcome)number));
    }
}

static void check_aliases(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->aliases.count; i++) {
        if (outcome_of(playbook->aliases.items[i].id) != OUTCOME_NONE)
            SAY(reading, playbook->aliases.items[i].at, "'%s' is an outcome itself",
                playbook->aliases.items[i].id.bytes);
    }
}

/* --- segments ------------------------------------------------------------------------------------
 */

static void check_segment(struct reading *reading, uint32_t index)
{
    const struct playbook *playbook = reading->playbook;
    const struct playbook_segment *segment = &playbook->segments.items[index];

    playbook_check_rule(reading, &segment->when, segment->at);
    for (uint32_t i = 0; i < index; i++) {
        if (!covers(&playbook->segments.items[i].when, &segment->when))
            continue;
        SAY(reading, segment->at, "nobody is left for '%s': '%s' above takes them all",
            segment->id.bytes, playbook->segments.items[i].id.bytes);
        break;
    }
    for (unsigned i = 0; i < segment->when.all; i++) {
        const struct playbook_test *test = &segment->when.tests[i];
        if (test->fact == PLAYBOOK_FACT_CUSTOMER && test->op == PLAYBOOK_TRUE &&
            playbook->cadences.items[segment->cadence - 1].program == PLAYBOOK_PROSPECTS)
            SAY(reading, segment->at, "'%s' gives customers a cadence for prospects",
                segment->id.bytes);
    }
}

static void check_segments(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    const struct playbook_segment *last = playbook->segments.items + playbook->segments.count - 1;

    for (uint32_t i = 0; i < playbook->segments.count; i++)
        check_segment(reading, i);
    if (playbook->segments.count == 0)
        SAY(reading, tree_find(reading->root, "segments")->at, "there must be a segment");
    else if (last->when.all + last->when.any + last->when.none > 0)
        SAY(reading, last->at, "the last segment must be for everybody who is left: no `when`");
}

/* --- all ------------------------------------------------------------------------------------- */

static const struct check checks[] = {
    {{"words"}, check_words},
    {{"questions"}, check_questions},
    {{"personas"}, check_personas},
    {{"temperatures"}, check_temperatures},
    {{"stages"}, check_stages},
    {{"stages", "transitions"}, check_reachable},
    {{"stages", "transitions"}, check_transitions},
    {{"outcomes", "cadences"}, check_outcomes},
    {{"aliases"}, check_aliases},
    {{"segments", "cadences"}, check_segments},
};
#define CHECK_COUNT (sizeof(checks) / sizeof(*checks))
#define LOOKS_MAX   32

static bool is_ready(const struct reading *reading, const struct check *check)
{
    for (unsigned i = 0; i < 4 && check->sections[i]; i++) {
        if (!is_sound(reading, check->sections[i]))
            return false;
    }
    return true;
}

void playbook_check(struct reading *reading)
{
    const struct check *ready[LOOKS_MAX];
    unsigned count = 0;

    if (reading->complaint_count == PLAYBOOK_COMPLAINTS_MAX)
        return; /* of what was said against the form, not all is known: no section is sound */
    /* Chosen before any of them complains. */
    for (unsigned i = 0; i < CHECK_COUNT; i++) {
        if (is_ready(reading, &checks[i]))
            ready[count++] = &checks[i];
    }
    for (unsigned i = 0; i < playbook_time_check_count; i++) {
        MUST(count < LOOKS_MAX);
        if (is_ready(reading, &playbook_time_checks[i]))
            ready[count++] = &playbook_time_checks[i];
    }
    for (unsigned i = 0; i < count; i++)
        ready[i]->look(reading);
}
