/* A playbook as diagrams and as a page, and random ones through the canonical form. */
#include "tests/playbooks.h"

static char shown[PLAYBOOK_FILE_MAX];

typedef void show_fn(const struct playbook *playbook, struct text *out);

static struct slice show(const struct playbook *playbook, show_fn *how)
{
    struct text out = text_over(shown, sizeof(shown));

    how(playbook, &out);
    assert_false(out.overflow);
    return text_slice(&out);
}

/* Kept in tests/samples/playbooks; `SAMPLES=write` makes them new, to be looked at. */
static void assert_golden(const char *name, const char *suffix, show_fn *how)
{
    const struct playbook *playbook = open_shipped(name);
    struct slice is = show(playbook, how);
    char path[512];
    size_t length;

    snprintf(path, sizeof(path), SOURCE_DIR "/tests/samples/playbooks/%s.%s", name, suffix);
    if (getenv("SAMPLES")) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fwrite(is.bytes, 1, is.length, file);
        fclose(file);
    }
    char *bytes = read_whole(path, &length);
    if (!slice_equal(is, (struct slice){bytes, length}))
        fail_msg("%s is not what is shown:\n%.*s", path, (int)is.length, is.bytes);
    free(bytes);
    playbook_close(playbook);
}

static void the_ladders_are_drawn_in_mermaid(void **state)
{
    (void)state;
    assert_golden("default", "mmd", playbook_mermaid);
    assert_golden("ladder-six", "mmd", playbook_mermaid);
    assert_golden("ladder-five", "mmd", playbook_mermaid);
}

static void the_ladders_are_drawn_in_dot(void **state)
{
    (void)state;
    assert_golden("default", "dot", playbook_dot);
    assert_golden("ladder-six", "dot", playbook_dot);
    assert_golden("ladder-five", "dot", playbook_dot);
}

static void the_default_is_a_page(void **state)
{
    (void)state;
    assert_golden("default", "txt", playbook_text);
}

static void what_a_step_takes_is_named_beside_it(void **state)
{
    const struct playbook *playbook = open_text(
        BASED "cadences:\n"
              "  x: {title: X, for: prospects, then: nurture, steps: [\n"
              "    {id: a, after: 1d, channel: email, kind: offer, template: t, resource: A van},\n"
              "    {id: b, after: 2d, channel: email, kind: offer, template: u}]}\n");

    (void)state;
    (void)show(playbook, playbook_text);
    assert_non_null(strstr(shown, "after 1d: email t (A van)\n"));
    assert_non_null(strstr(shown, "after 2d: email u\n"));
    playbook_close(playbook);
}

static void signs_in_titles_do_not_break_a_diagram(void **state)
{
    const struct playbook *playbook =
        open_text(BASED "stages:\n"
                        "  - {id: a, title: \"A \\\"b\\\"; c: #1\", means: x, pipeline: leads}\n"
                        "transitions: []\n");

    (void)state;
    assert_slice(show(playbook, playbook_mermaid),
                 "stateDiagram-v2\n"
                 "    state \"1. A #34;b#34;#59; c#58; #35;1\" as s1\n"
                 "    [*] --> s1\n");
    assert_non_null(
        strstr((show(playbook, playbook_dot), shown), "label=\"1. A \\\"b\\\"; c: #1\""));
    playbook_close(playbook);
}

static void what_does_not_fit_overflows(void **state)
{
    const struct playbook *playbook = open_slice(playbook_default());
    static show_fn *const hows[] = {playbook_mermaid, playbook_dot, playbook_text};
    char small[64];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct text out = text_over(small, sizeof(small));
        hows[i](playbook, &out);
        assert_true(out.overflow);
    }
    playbook_close(playbook);
}

/* --- random ones ---------------------------------------------------------------------------------
 */

static uint64_t seed;

static unsigned below(unsigned limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % limit;
}

static const char *one_of(const char *const *words, unsigned count)
{
    return words[below(count)];
}
#define ONE_OF(...)                                                                                \
    one_of((const char *const[]){__VA_ARGS__},                                                     \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void add_test(struct text *out)
{
    switch (below(5)) {
    case 0:
        text_printf(out, "\"score %s %u\"", ONE_OF("=", ">", ">="), below(50) + 60);
        return;
    case 1:
        text_printf(out, "\"%s\"", ONE_OF("email", "phone", "consent", "returning"));
        return;
    case 2:
        text_printf(out, "\"country %s DE, %s\"", ONE_OF("in", "not in"), ONE_OF("FR", "US,IT"));
        return;
    case 3:
        text_printf(out, "\"age >= %u%s\"", below(9), ONE_OF("d", "w", "mo", "y"));
        return;
    default:
        text_printf(out, "\"q%u %s\"", below(3), ONE_OF("known", "= a b", "!= yes"));
    }
}

static void add_rule(struct text *out)
{
    text_printf(out, "{%s: [", ONE_OF("any", "none"));
    add_test(out);
    text_string(out, ", ");
    add_test(out);
    text_string(out, "]}");
}

static void add_stages(struct text *out)
{
    unsigned count = below(6) + 2;

    text_string(out, "stages:\n");
    for (unsigned i = 0; i < count; i++) {
        text_printf(out, "  - {id: s%u, title: \"%s\", means: M%u, pipeline: %s", i,
                    ONE_OF("A", "\\u00e4: b", "c # d", "'e'"), i,
                    ONE_OF("leads", "[sales, leads]", "all"));
        if (below(3) == 0) {
            text_string(out, ", needs: ");
            add_rule(out);
        }
        text_string(out, below(2) ? "}\n" : ", customer: yes, checklist: [one, \"two, three\"]}\n");
    }
    text_string(out, "transitions:\n");
    for (unsigned i = 1; i < count; i++)
        text_printf(out, "  - {from: s%u, to: s%u, on: [%s, %s]}\n", i - 1, i,
                    ONE_OF("optin", "hand", "sold"), ONE_OF("conversation", "information"));
}

static void add_cadence(struct text *out, unsigned number)
{
    unsigned steps = below(5) + 1, day = 0;

    text_printf(out, "  c%u: {title: T%u, for: prospects, then: %s, steps: [", number, number,
                ONE_OF("nurture", "nurture", "follow_up"));
    for (unsigned i = 0; i < steps; i++) {
        day += below(20) + 1;
        text_printf(out, "%s{id: x%u, ", i ? ", " : "", i);
        if (below(2))
            text_printf(out, "after: %ud, ", day);
        else
            text_printf(out, "day: %u, at: \"%02u:%02u\", ", day, below(12) + 8, below(60));
        text_printf(out, "kind: %s, priority: %u, ", ONE_OF("offer", "helpful", "referral"),
                    below(101));
        text_string(out, ONE_OF("channel: email, template: t.1", "channel: call, script: S-2"));
        if (below(3) == 0) {
            text_string(out, ", when: ");
            add_rule(out);
        }
        text_char(out, '}');
    }
    text_string(out, "]}\n");
}

static void add_rest(struct text *out)
{
    text_printf(out, "segments:\n  - {id: a, cadence: c0, sla: hour, escalation: usual, when: ");
    add_rule(out);
    text_printf(out, "}\n  - {id: rest, cadence: c1, sla: %s, escalation: usual}\n",
                ONE_OF("hour", "day", "business_day"));
    text_printf(out, "calendars:\n  shop: {hours: {%s: \"%02u:00-12:30, 13:00-%02u:30\"}}\n",
                ONE_OF("mon", "fri-tue", "daily"), below(12), 14 + below(10));
    text_printf(out, "lease: {claim: %u%s}\nmoney: {optin: %u.%02u}\n", below(99) + 1,
                ONE_OF("s", "m", "h", "d", "w", "mo", "y"), below(1000), below(100));
    text_printf(out, "caps: {gap: %um}\n", below(31));
}

static void random_playbook(struct text *out)
{
    text_string(out,
                BASED "questions: [{id: q0, asks: A}, {id: q1, asks: B}, {id: q2, asks: C}]\n");
    add_stages(out);
    text_string(out, "cadences:\n");
    add_cadence(out, 0);
    add_cadence(out, 1);
    add_rest(out);
}

static void random_playbooks_come_back_from_the_canonical_form(void **state)
{
    static char yaml[64 * 1024];
    const char *given = getenv("SEED");
    unsigned long first = given ? strtoul(given, NULL, 10) : 1;

    (void)state;
    for (unsigned long i = first; i < first + (given ? 1 : 200); i++) {
        struct text out = text_over(yaml, sizeof(yaml));
        seed = i;
        random_playbook(&out);
        const struct playbook *playbook = open_slice(text_slice(&out));
        const struct playbook *again = open_slice(playbook->canonical);
        if (!slice_equal(playbook->canonical, again->canonical) ||
            !hash_equal(playbook->hash, again->hash))
            fail_msg("SEED=%lu does not come back:\n%.*s", i, (int)out.length, yaml);
        playbook_close(again);
        playbook_close(playbook);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ladders_are_drawn_in_mermaid),
        cmocka_unit_test(the_ladders_are_drawn_in_dot),
        cmocka_unit_test(the_default_is_a_page),
        cmocka_unit_test(what_a_step_takes_is_named_beside_it),
        cmocka_unit_test(signs_in_titles_do_not_break_a_diagram),
        cmocka_unit_test(what_does_not_fit_overflows),
        cmocka_unit_test(random_playbooks_come_back_from_the_canonical_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
