/* What may stand in a playbook: one row a field. The reader, the canonical form, the guesses and
 * the defaults follow from these tables. To add a field: a member in playbook.h, a row here, a line
 * in deploy/playbooks/default.yaml, and what playbook_check*.c should say about it. */
#include <stddef.h>

#include "server/playbook_internal.h"

/* --- names behind numbers -------------------------------------------------------------------- */

#define NAMED(function, ...)                                                                       \
    static struct slice function(const struct playbook *playbook, unsigned number)                 \
    {                                                                                              \
        static const char *const names[] = {__VA_ARGS__};                                          \
        (void)playbook;                                                                            \
        return number - 1 < sizeof(names) / sizeof(*names) ? slice_of(names[number - 1])           \
                                                           : (struct slice){0};                    \
    }

NAMED(next_name, "retry", "cadence", "end")
NAMED(final_name, "legal", "fact")
NAMED(kind_name, "offer", "helpful", "thanks", "survey", "referral")
NAMED(program_name, "prospects", "customers")
NAMED(whom_name, "agent", "manager", "robot")
NAMED(mode_name, "pool", "round_robin", "weighted", "owner_first")

#define IDS(function, list)                                                                        \
    static struct slice function(const struct playbook *playbook, unsigned number)                 \
    {                                                                                              \
        return number - 1 < playbook->list.count ? playbook->list.items[number - 1].id             \
                                                 : (struct slice){0};                              \
    }

IDS(stage_id, stages)
IDS(pipeline_id, pipelines)
IDS(cadence_id, cadences)
IDS(calendar_id, calendars)
IDS(tier_id, sla)
IDS(chain_id, escalations)

static struct slice channel_name(const struct playbook *playbook, unsigned number)
{
    (void)playbook;
    return number < TASK_CHANNEL_END ? slice_of(task_channel_name((enum task_channel)number))
                                     : (struct slice){0};
}

static struct slice outcome_word(const struct playbook *playbook, unsigned number)
{
    (void)playbook;
    return number < OUTCOME_END ? slice_of(outcome_name((enum outcome)number)) : (struct slice){0};
}

static struct slice trigger_name(const struct playbook *playbook, unsigned number)
{
    if (1ull << number == PLAYBOOK_ON_OPTIN)
        return SLICE("optin");
    if (1ull << number == PLAYBOOK_ON_HAND)
        return SLICE("hand");
    return outcome_word(playbook, number);
}

static struct slice cadence_word(const struct playbook *playbook, unsigned number)
{
    if (number == PLAYBOOK_KEEP)
        return SLICE("keep");
    if (number == PLAYBOOK_STOP)
        return SLICE("stop");
    return cadence_id(playbook, number - PLAYBOOK_SWITCH);
}

static struct slice then_word(const struct playbook *playbook, unsigned number)
{
    return number == PLAYBOOK_ENDS ? SLICE("end") : cadence_id(playbook, number - PLAYBOOK_GOES_ON);
}

/* --- tables ------------------------------------------------------------------------------------
 */

#define AT(type, member) .offset = offsetof(struct type, member)
#define SHAPE(name, type, text, ...)                                                               \
    static const struct shape name = {.what = (text),                                              \
                                      .fields = name##_fields,                                     \
                                      .field_count = sizeof(name##_fields) / sizeof(struct field), \
                                      .bytes = sizeof(struct type),                                \
                                      __VA_ARGS__}

static const struct field word_fields[] = {
    {"say", FIELD_TEXT, AT(playbook_word, say)},
    {"means", FIELD_TEXT, AT(playbook_word, means)},
};
SHAPE(word, playbook_word, "a word", .shorthand = "say");

static const struct field question_fields[] = {
    {"asks", FIELD_TEXT, AT(playbook_question, asks), .must = true},
    {"choices", FIELD_TEXTS, AT(playbook_question, choices)},
};
SHAPE(question, playbook_question, "a question", .has_id = true);

static const struct field pipeline_fields[] = {
    {"title", FIELD_TEXT, AT(playbook_pipeline, title), .must = true},
};
SHAPE(pipeline, playbook_pipeline, "a pipeline", .shorthand = "title", .most = 30);

static const struct field label_fields[] = {
    {"title", FIELD_TEXT, AT(playbook_label, title)},
    {"when", FIELD_RULE, AT(playbook_label, when)},
};
SHAPE(label, playbook_label, "a label", .has_id = true);

static const struct field stage_fields[] = {
    {"title", FIELD_TEXT, AT(playbook_stage, title), .must = true},
    {"means", FIELD_TEXT, AT(playbook_stage, means), .must = true},
    {"queue", FIELD_NAME, AT(playbook_stage, queue), .unless = "calls"},
    {"pipeline", FIELD_WORDS, AT(playbook_stage, pipelines), .must = true, .name_of = pipeline_id},
    {"customer", FIELD_FLAG, AT(playbook_stage, customer)},
    {"checklist", FIELD_TEXTS, AT(playbook_stage, checklist)},
    {"needs", FIELD_RULE, AT(playbook_stage, needs)},
};
SHAPE(stage, playbook_stage, "a stage", .has_id = true, .most = PLAYBOOK_STAGES_MAX);

static const struct field transition_fields[] = {
    {"from", FIELD_WORDS, AT(playbook_transition, from), .must = true, .name_of = stage_id},
    {"to", FIELD_WORD, AT(playbook_transition, to), .must = true, .name_of = stage_id},
    {"on", FIELD_WORDS, AT(playbook_transition, on), .must = true, .name_of = trigger_name},
    {"when", FIELD_RULE, AT(playbook_transition, when)},
};
SHAPE(transition, playbook_transition, "a transition", .most = 100);

static const struct field outcome_fields[] = {
    {"attempt", FIELD_FLAG, AT(playbook_outcome, attempt)},
    {"contact", FIELD_FLAG, AT(playbook_outcome, contact)},
    {"agreed", FIELD_FLAG, AT(playbook_outcome, agreed)},
    {"next", FIELD_WORD, AT(playbook_outcome, next), .name_of = next_name},
    {"wake", FIELD_SPAN, AT(playbook_outcome, wake)},
    {"cadence", FIELD_WORD, AT(playbook_outcome, cadence), .unless = "keep",
     .name_of = cadence_word},
    {"final", FIELD_WORD, AT(playbook_outcome, final), .name_of = final_name},
    {"silences", FIELD_WORDS, AT(playbook_outcome, silences), .name_of = channel_name},
    {"silences_own", FIELD_FLAG, AT(playbook_outcome, silences_own)},
};
SHAPE(outcome, playbook_outcome, "an outcome");

static const struct field alias_fields[] = {
    {"outcome", FIELD_WORD, AT(playbook_alias, outcome), .must = true, .name_of = outcome_word},
};
SHAPE(alias, playbook_alias, "an alias", .shorthand = "outcome");

static const struct field after_fields[] = {
    {"after", FIELD_SPAN, AT(playbook_after, span), .must = true},
};
SHAPE(after, playbook_after, "a time", .shorthand = "after");

static const struct field calls_fields[] = {
    {"attempts_least", FIELD_COUNT, AT(playbook_calls, attempts_least), .unless = "7", .most = 100},
    {"spacing", FIELD_LIST, AT(playbook_calls, spacing), .must = true, .shape = &after},
    {"write_off_least", FIELD_SPAN, AT(playbook_calls, write_off_least), .unless = "6mo"},
    {"script", FIELD_NAME, AT(playbook_calls, script), .must = true},
    {"calendar", FIELD_WORD, AT(playbook_calls, calendar), .name_of = calendar_id},
};
SHAPE(calls, playbook_calls, "'calls'");

static const struct field step_fields[] = {
    {"after", FIELD_SPAN, AT(playbook_step, after)},
    {"day", FIELD_COUNT, AT(playbook_step, day), .most = 3660},
    {"at", FIELD_MINUTE, AT(playbook_step, minute)},
    {"channel", FIELD_WORD, AT(playbook_step, channel), .must = true, .name_of = channel_name},
    {"kind", FIELD_WORD, AT(playbook_step, kind), .must = true, .name_of = kind_name},
    {"template", FIELD_NAME, AT(playbook_step, template)},
    {"script", FIELD_NAME, AT(playbook_step, script)},
    {"without_name", FIELD_NAME, AT(playbook_step, without_name)},
    {"queue", FIELD_NAME, AT(playbook_step, queue)},
    {"resource", FIELD_TEXT, AT(playbook_step, resource)},
    {"late_max", FIELD_SPAN, AT(playbook_step, late_max), .unless = "2d"},
    {"priority", FIELD_COUNT, AT(playbook_step, priority), .most = 100},
    {"when", FIELD_RULE, AT(playbook_step, when)},
};
SHAPE(step, playbook_step, "a step", .has_id = true, .most = PLAYBOOK_STEPS_MAX);

static const struct field cadence_fields[] = {
    {"title", FIELD_TEXT, AT(playbook_cadence, title), .must = true},
    {"for", FIELD_WORD, AT(playbook_cadence, program), .must = true, .name_of = program_name},
    {"stops_on", FIELD_WORDS, AT(playbook_cadence, stops_on), .name_of = outcome_word},
    {"then", FIELD_WORD, AT(playbook_cadence, then), .must = true, .name_of = then_word},
    {"short", FIELD_TEXT, AT(playbook_cadence, is_short)},
    {"steps", FIELD_LIST, AT(playbook_cadence, steps), .must = true, .shape = &step},
};
SHAPE(cadence, playbook_cadence, "a cadence", .most = 60);

static const struct field segment_fields[] = {
    {"when", FIELD_RULE, AT(playbook_segment, when)},
    {"cadence", FIELD_WORD, AT(playbook_segment, cadence), .must = true, .name_of = cadence_id},
    {"sla", FIELD_WORD, AT(playbook_segment, sla), .must = true, .name_of = tier_id},
    {"escalation", FIELD_WORD, AT(playbook_segment, escalation), .must = true, .name_of = chain_id},
    {"priority", FIELD_COUNT, AT(playbook_segment, priority), .unless = "50", .most = 100},
};
SHAPE(segment, playbook_segment, "a segment", .has_id = true, .most = 250);

static const struct field calendar_fields[] = {
    {"zone", FIELD_TEXT, AT(playbook_calendar, zone)},
    {"hours", FIELD_HOURS, AT(playbook_calendar, week), .must = true},
    {"holidays", FIELD_HOLIDAYS, AT(playbook_calendar, holidays)},
};
SHAPE(calendar, playbook_calendar, "a calendar", .most = 60);

static const struct field tier_fields[] = {
    {"within", FIELD_SPAN, AT(playbook_tier, within)},
    {"day_of", FIELD_WORD, AT(playbook_tier, calendar), .name_of = calendar_id},
    {"alert", FIELD_FLAG, AT(playbook_tier, alert)},
};
SHAPE(tier, playbook_tier, "a tier", .has_id = true, .most = 30);

static const struct field rung_fields[] = {
    {"after", FIELD_SPAN, AT(playbook_rung, after), .must = true},
    {"to", FIELD_WORD, AT(playbook_rung, whom), .must = true, .name_of = whom_name},
    {"channel", FIELD_WORD, AT(playbook_rung, channel), .name_of = channel_name},
    {"template", FIELD_NAME, AT(playbook_rung, template)},
};
SHAPE(rung, playbook_rung, "a rung");

static const struct field chain_fields[] = {
    {"rungs", FIELD_LIST, AT(playbook_chain, rungs), .must = true, .shape = &rung},
};
SHAPE(chain, playbook_chain, "an escalation", .most = 30);

static const struct field weight_fields[] = {
    {"weight", FIELD_COUNT, AT(playbook_weight, weight), .must = true, .most = 1000},
};
SHAPE(weight, playbook_weight, "a weight", .shorthand = "weight");

static const struct field assign_fields[] = {
    {"mode", FIELD_WORD, AT(playbook_assign, mode), .unless = "pool", .name_of = mode_name},
    {"claim_within", FIELD_SPAN, AT(playbook_assign, claim_within), .unless = "1m"},
    {"weights", FIELD_MAP, AT(playbook_assign, weights), .shape = &weight},
};
SHAPE(assign, playbook_assign, "'assign'");

static const struct field caps_fields[] = {
    {"per_day", FIELD_COUNT, AT(playbook_caps, per_day), .unless = "4", .most = 100},
    {"calls_per_day", FIELD_COUNT, AT(playbook_caps, calls_per_day), .unless = "3", .most = 100},
    {"gap", FIELD_SPAN, AT(playbook_caps, gap), .unless = "0s"},
};
SHAPE(caps, playbook_caps, "'caps'");

static const struct field lease_fields[] = {
    {"report", FIELD_SPAN, AT(playbook_lease, report), .unless = "2m"},
    {"claim", FIELD_SPAN, AT(playbook_lease, claim), .unless = "30m"},
};
SHAPE(lease, playbook_lease, "'lease'");

static const struct field research_fields[] = {
    {"box", FIELD_SPAN, AT(playbook_research, box), .unless = "3m"},
    {"script", FIELD_NAME, AT(playbook_research, script), .must = true},
    {"finds", FIELD_TEXTS, AT(playbook_research, finds)},
};
SHAPE(research, playbook_research, "'research'");

static const struct field score_fields[] = {
    {"optin", FIELD_COUNT, AT(playbook_score, optin), .unless = "40", .most = 1000},
    {"open", FIELD_COUNT, AT(playbook_score, open), .unless = "2", .most = 1000},
    {"click", FIELD_COUNT, AT(playbook_score, click), .unless = "8", .most = 1000},
    {"visit", FIELD_COUNT, AT(playbook_score, visit), .unless = "10", .most = 1000},
    {"reply", FIELD_COUNT, AT(playbook_score, reply), .unless = "30", .most = 1000},
    {"half_life", FIELD_SPAN, AT(playbook_score, half_life), .unless = "14d"},
};
SHAPE(score, playbook_score, "'score'");

static const struct field odds_fields[] = {
    {"after", FIELD_SPAN, AT(playbook_odds, after), .must = true},
    {"times", FIELD_COUNT, AT(playbook_odds, times), .must = true, .most = 1000},
};
SHAPE(odds, playbook_odds, "one of 'odds'");

static const struct field money_fields[] = {
    {"currency", FIELD_NAME, AT(playbook_money, currency), .unless = "USD"},
    {"optin", FIELD_PRICE, AT(playbook_money, optin_cents), .unless = "0"},
    {"sale", FIELD_PRICE, AT(playbook_money, sale_cents), .unless = "500"},
    {"recoverable", FIELD_COUNT, AT(playbook_money, recoverable), .unless = "20", .most = 100},
};
SHAPE(money, playbook_money, "'money'");

static const struct field graveyard_fields[] = {
    {"cold_after", FIELD_SPAN, AT(playbook_graveyard, cold_after), .unless = "6mo"},
    {"per_day", FIELD_COUNT, AT(playbook_graveyard, per_day), .unless = "50", .most = 100000},
};
SHAPE(graveyard, playbook_graveyard, "'graveyard'");

#define LISTED(member, form, ...)                                                                  \
    {                                                                                              \
#member, form, AT(playbook, member), __VA_ARGS__                                           \
    }

static const struct field playbook_fields[] = {
    {"name", FIELD_NAME, AT(playbook, name), .must = true},
    {"title", FIELD_TEXT, AT(playbook, title), .must = true},
    LISTED(words, FIELD_MAP, .shape = &word),
    LISTED(questions, FIELD_LIST, .shape = &question),
    LISTED(pipelines, FIELD_MAP, .must = true, .shape = &pipeline),
    LISTED(stages, FIELD_LIST, .must = true, .shape = &stage),
    LISTED(transitions, FIELD_LIST, .must = true, .shape = &transition),
    LISTED(temperatures, FIELD_LIST, .shape = &label),
    LISTED(personas, FIELD_LIST, .shape = &label),
    LISTED(outcomes, FIELD_MAP, .must = true, .shape = &outcome),
    LISTED(aliases, FIELD_MAP, .shape = &alias),
    LISTED(calls, FIELD_BLOCK, .must = true, .shape = &calls),
    LISTED(cadences, FIELD_MAP, .must = true, .shape = &cadence),
    LISTED(segments, FIELD_LIST, .must = true, .shape = &segment),
    LISTED(calendars, FIELD_MAP, .shape = &calendar),
    LISTED(sla, FIELD_LIST, .must = true, .shape = &tier),
    LISTED(escalations, FIELD_MAP, .must = true, .shape = &chain),
    LISTED(assign, FIELD_BLOCK, .shape = &assign),
    LISTED(caps, FIELD_BLOCK, .shape = &caps),
    LISTED(lease, FIELD_BLOCK, .shape = &lease),
    {"overdue_after", FIELD_SPAN, AT(playbook, overdue_after), .unless = "24h"},
    LISTED(research, FIELD_BLOCK, .must = true, .shape = &research),
    LISTED(score, FIELD_BLOCK, .shape = &score),
    LISTED(odds, FIELD_LIST, .shape = &odds),
    LISTED(money, FIELD_BLOCK, .shape = &money),
    LISTED(graveyard, FIELD_BLOCK, .shape = &graveyard),
};

const struct shape playbook_shape = {
    .what = "a playbook",
    .fields = playbook_fields,
    .field_count = sizeof(playbook_fields) / sizeof(struct field),
    .bytes = sizeof(struct playbook),
};
