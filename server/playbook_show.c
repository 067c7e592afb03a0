/* The stages as diagrams: Mermaid for pages that draw it, DOT for Graphviz. */
#include "server/playbook_internal.h"

static bool is_asking(const struct playbook_rule *rule)
{
    return rule->all + rule->any + rule->none > 0;
}

static void add_tests(const struct playbook_test *tests, unsigned count, const char *between,
                      struct text *out)
{
    for (unsigned i = 0; i < count; i++) {
        text_string(out, i ? between : "");
        playbook_test_write(&tests[i], out);
    }
}

/* a and b, c or d, none of e, f */
void playbook_rule_say(const struct playbook_rule *rule, struct text *out)
{
    const struct playbook_test *any = rule->tests + rule->all, *none = any + rule->any;

    add_tests(rule->tests, rule->all, " and ", out);
    text_string(out, rule->all && rule->any ? ", and " : "");
    add_tests(any, rule->any, " or ", out);
    text_string(out, rule->none && rule->all + rule->any ? ", and " : "");
    text_string(out, rule->none ? "none of " : "");
    add_tests(none, rule->none, ", ", out);
}

void playbook_triggers_say(const struct playbook *playbook, uint64_t on, struct text *out)
{
    const char *between = "";

    for (unsigned number = 1; number < OUTCOME_END; number++) {
        if (!(on >> number & 1))
            continue;
        text_string(out, between);
        text_add(out, playbook_say(playbook, slice_of(outcome_name((enum outcome)number))));
        between = ", ";
    }
    if (on & PLAYBOOK_ON_OPTIN)
        text_printf(out, "%sanother opt-in", between);
    if (on & PLAYBOOK_ON_HAND)
        text_printf(out, "%sby hand", on & ~PLAYBOOK_ON_HAND ? ", " : "");
}

/* What leads along an arrow, as plain words. */
static struct slice label_of(const struct playbook *playbook, const struct playbook_move *move,
                             char *bytes, size_t room)
{
    const struct playbook_rule *needs = &playbook->stages.items[move->to - 1].needs;
    const struct playbook_rule *when = &move->transition->when;
    struct text out = text_over(bytes, room - 1);

    playbook_triggers_say(playbook, move->on, &out);
    if (is_asking(when) || is_asking(needs)) {
        text_string(&out, " if ");
        playbook_rule_say(when, &out);
        text_string(&out, is_asking(when) && is_asking(needs) ? ", and " : "");
        playbook_rule_say(needs, &out);
    }
    return text_slice(&out);
}

#define LABEL_MAX 8192

/* --- Mermaid --------------------------------------------------------------------------------- */

/* Signs that mean something in a diagram are written as their numbers. */
static void add_mermaid(struct slice words, struct text *out)
{
    for (size_t i = 0; i < words.length; i++) {
        unsigned char byte = (unsigned char)words.bytes[i];
        if (byte < 0x20)
            text_char(out, ' ');
        else if (memchr("\"#:;<>{}[]|&%`\\", byte, 15))
            text_printf(out, "#%u;", byte);
        else
            text_char(out, (char)byte);
    }
}

void playbook_mermaid(const struct playbook *playbook, struct text *out)
{
    char bytes[LABEL_MAX];

    text_string(out, "stateDiagram-v2\n");
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        text_printf(out, "    state \"%u. ", i + 1);
        add_mermaid(playbook->stages.items[i].title, out);
        text_printf(out, "\" as s%u\n", i + 1);
    }
    text_string(out, "    [*] --> s1\n");
    for (uint32_t i = 0; i < playbook->move_count; i++) {
        const struct playbook_move *move = &playbook->moves[i];
        text_printf(out, "    s%u --> s%u : ", move->from, move->to);
        add_mermaid(label_of(playbook, move, bytes, sizeof(bytes)), out);
        text_char(out, '\n');
    }
}

/* --- DOT ----------------------------------------------------------------------------------------
 */

static void add_dot(struct slice words, struct text *out)
{
    for (size_t i = 0; i < words.length; i++) {
        if (words.bytes[i] == '"' || words.bytes[i] == '\\')
            text_char(out, '\\');
        text_char(out, (unsigned char)words.bytes[i] < 0x20 ? ' ' : words.bytes[i]);
    }
}

/* A frame around the stages of a pipeline; one that is in two stands where it comes first. */
static void add_pipeline(const struct playbook *playbook, unsigned number, struct text *out)
{
    uint64_t before = (1ull << number) - 1;

    text_printf(out, "  subgraph cluster_%u {\n    label=\"", number);
    add_dot(playbook->pipelines.items[number - 1].title, out);
    text_string(out, "\";\n");
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        const struct playbook_stage *stage = &playbook->stages.items[i];
        if (!(stage->pipelines >> number & 1) || (stage->pipelines & before))
            continue;
        text_printf(out, "    s%u [label=\"%u. ", i + 1, i + 1);
        add_dot(stage->title, out);
        text_printf(out, "\"%s];\n", stage->customer ? ", peripheries=2" : "");
    }
    text_string(out, "  }\n");
}

void playbook_dot(const struct playbook *playbook, struct text *out)
{
    char bytes[LABEL_MAX];

    text_string(out, "digraph ");
    text_json_string(out, playbook->name);
    text_string(out, " {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    for (unsigned number = 1; number <= playbook->pipelines.count; number++)
        add_pipeline(playbook, number, out);
    for (uint32_t i = 0; i < playbook->move_count; i++) {
        const struct playbook_move *move = &playbook->moves[i];
        text_printf(out, "  s%u -> s%u [label=\"", move->from, move->to);
        add_dot(label_of(playbook, move, bytes, sizeof(bytes)), out);
        text_string(out, "\"];\n");
    }
    text_string(out, "}\n");
}
