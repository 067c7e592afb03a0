/* A playbook as a page of text: the words, definitions, checklists and times that everybody in the
 * company works by. */
#include "server/playbook_internal.h"

static void heading(struct text *out, const char *words)
{
    text_printf(out, "\n%s\n", words);
    for (size_t i = 0; words[i]; i++)
        text_char(out, '-');
    text_char(out, '\n');
}

static void add_words(struct text *out, const char *before, struct slice words, const char *after)
{
    if (words.length == 0)
        return;
    text_string(out, before);
    text_add(out, words);
    text_string(out, after);
}

static bool is_asking(const struct playbook_rule *rule)
{
    return rule->all + rule->any + rule->none > 0;
}

static void add_rule(struct text *out, const char *before, const struct playbook_rule *rule,
                     const char *after)
{
    if (!is_asking(rule))
        return;
    text_string(out, before);
    playbook_rule_say(rule, out);
    text_string(out, after);
}

static void add_span(struct text *out, const char *before, struct playbook_span span,
                     const char *after)
{
    text_string(out, before);
    playbook_span_write(span, out);
    text_string(out, after);
}

static void add_glossary(const struct playbook *playbook, struct text *out)
{
    if (playbook->words.count == 0)
        return;
    heading(out, "Words");
    for (uint32_t i = 0; i < playbook->words.count; i++) {
        const struct playbook_word *word = &playbook->words.items[i];
        if (word->means.length == 0)
            continue; /* it only has a name */
        text_add(out, word->say.length > 0 ? word->say : word->id);
        add_words(out, ": ", word->means, "\n");
    }
}

static void add_stage(const struct playbook *playbook, uint32_t index, struct text *out)
{
    const struct playbook_stage *stage = &playbook->stages.items[index];

    text_printf(out, "%u. ", index + 1);
    text_add(out, stage->title);
    add_words(out, ": ", stage->means, "\n");
    for (uint32_t i = 0; i < stage->checklist.count; i++)
        add_words(out, "   [ ] ", stage->checklist.items[i], "\n");
    add_rule(out, "   needs ", &stage->needs, "\n");
    for (uint32_t i = 0; i < stage->move_count; i++) {
        const struct playbook_move *move = &playbook->moves[stage->move_first + i];
        text_string(out, "   -> ");
        text_add(out, playbook->stages.items[move->to - 1].title);
        text_string(out, " on ");
        playbook_triggers_say(playbook, move->on, out);
        add_rule(out, " if ", &move->transition->when, "");
        text_char(out, '\n');
    }
}

static void add_stages(const struct playbook *playbook, struct text *out)
{
    heading(out, "Stages");
    for (uint32_t i = 0; i < playbook->stages.count; i++)
        add_stage(playbook, i, out);
}

static void add_questions(const struct playbook *playbook, struct text *out)
{
    if (playbook->questions.count == 0)
        return;
    heading(out, "What to find out");
    for (uint32_t i = 0; i < playbook->questions.count; i++) {
        const struct playbook_question *question = &playbook->questions.items[i];
        add_words(out, "", question->id, ": ");
        text_add(out, question->asks);
        for (uint32_t j = 0; j < question->choices.count; j++)
            add_words(out, j ? ", " : " (", question->choices.items[j], "");
        text_string(out, question->choices.count > 0 ? ")\n" : "\n");
    }
}

static void add_cadence_word(const struct playbook *playbook, unsigned cadence, struct text *out)
{
    if (cadence == PLAYBOOK_STOP)
        text_string(out, "; the cadence stops");
    else if (cadence > PLAYBOOK_SWITCH)
        add_words(out, "; begins ", playbook->cadences.items[cadence - PLAYBOOK_SWITCH - 1].title,
                  "");
}

static void add_silenced(uint64_t silences, struct text *out)
{
    const char *between = "; no more ";

    for (unsigned channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++) {
        if (!(silences >> channel & 1))
            continue;
        text_printf(out, "%s%s", between, task_channel_name((enum task_channel)channel));
        between = ", ";
    }
}

static void add_outcomes(const struct playbook *playbook, struct text *out)
{
    static const char *const nexts[] = {"", "call again", "the cadence goes on", "the end"};

    heading(out, "Outcomes");
    for (int number = 1; number < OUTCOME_END; number++) {
        const struct playbook_outcome *outcome = playbook->by_outcome[number];
        text_add(out, playbook_say(playbook, outcome->id));
        text_string(out, outcome->agreed ? ": at the time agreed, else " : ": ");
        if (outcome->next == 0)
            add_span(out, "again after ", outcome->wake, "");
        else
            text_string(out, nexts[outcome->next]);
        add_cadence_word(playbook, outcome->cadence, out);
        add_silenced(outcome->silences, out);
        if (outcome->silences_own)
            text_string(out, "; no more of its own channel");
        text_string(out, outcome->attempt ? "; an attempt\n" : "\n");
    }
}

static void add_step(const struct playbook_step *step, struct text *out)
{
    if (step->after.ms == 0 && step->after.months == 0)
        text_string(out, "  at once");
    else if (step->after.ms != PLAYBOOK_NO_SPAN)
        add_span(out, "  after ", step->after, "");
    else
        text_printf(out, "  day %u at %02u:%02u", step->day, step->minute / 60u,
                    step->minute % 60u);
    text_printf(out, ": %s ", task_channel_name((enum task_channel)step->channel));
    text_add(out, step->template.length > 0 ? step->template : step->script);
    add_words(out, " (", step->resource, ")");
    add_rule(out, ", if ", &step->when, "");
    text_char(out, '\n');
}

static void add_cadences(const struct playbook *playbook, struct text *out)
{
    heading(out, "Cadences");
    for (uint32_t i = 0; i < playbook->cadences.count; i++) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[i];
        text_add(out, cadence->title);
        text_char(out, '\n');
        for (uint32_t j = 0; j < cadence->steps.count; j++)
            add_step(&cadence->steps.items[j], out);
        if (cadence->then > PLAYBOOK_GOES_ON)
            add_words(out, "  then ",
                      playbook->cadences.items[cadence->then - PLAYBOOK_GOES_ON - 1].title, "\n");
        else
            text_string(out, "  then the end\n");
    }
    heading(out, "Calls");
    text_string(out, "Not answered: again after");
    for (uint32_t i = 0; i < playbook->calls.spacing.count; i++)
        add_span(out, i ? ", " : " ", playbook->calls.spacing.items[i].span, "");
    text_printf(out, ". Nobody is given up before %u attempts.\n", playbook->calls.attempts_least);
    text_printf(out, "At most %u contacts and %u calls a day", playbook->caps.per_day,
                playbook->caps.calls_per_day);
    add_span(out, ", at least ", playbook->caps.gap, " apart.\n");
}

static void add_segments(const struct playbook *playbook, struct text *out)
{
    heading(out, "Who gets what");
    for (uint32_t i = 0; i < playbook->segments.count; i++) {
        const struct playbook_segment *segment = &playbook->segments.items[i];
        text_add(out, segment->id);
        add_rule(out, " (", &segment->when, ")");
        add_words(out, ": ", playbook->cadences.items[segment->cadence - 1].title, "");
        add_words(out, ", deadline ", playbook->sla.items[segment->sla - 1].id, "\n");
    }
}

static void add_times(const struct playbook *playbook, struct text *out)
{
    static const char *const whom[] = {"", "the next agent", "a manager", "a robot"};

    heading(out, "Deadlines and escalation");
    for (uint32_t i = 0; i < playbook->sla.count; i++) {
        const struct playbook_tier *tier = &playbook->sla.items[i];
        text_add(out, tier->id);
        if (tier->calendar > 0)
            add_words(out, ": by the end of the business day of ",
                      playbook->calendars.items[tier->calendar - 1].id, "");
        else
            add_span(out, ": within ", tier->within, "");
        text_string(out, tier->alert ? ", or a manager hears of it\n" : "\n");
    }
    for (uint32_t i = 0; i < playbook->escalations.count; i++) {
        const struct playbook_chain *chain = &playbook->escalations.items[i];
        add_words(out, "", chain->id, ": claimed by nobody");
        for (uint32_t j = 0; j < chain->rungs.count; j++) {
            add_span(out, ", after ", chain->rungs.items[j].after, " ");
            text_string(out, whom[chain->rungs.items[j].whom]);
        }
        text_char(out, '\n');
    }
}

void playbook_text(const struct playbook *playbook, struct text *out)
{
    text_add(out, playbook->title);
    text_string(out, "\n");
    add_glossary(playbook, out);
    add_stages(playbook, out);
    add_questions(playbook, out);
    add_outcomes(playbook, out);
    add_cadences(playbook, out);
    add_segments(playbook, out);
    add_times(playbook, out);
}
