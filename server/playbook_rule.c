/* Rules: what is asked about a person, as people write it.
 *
 *   when: conversation                              one test
 *   when: [source in workshop, trade-show; ...]     all of a list
 *   when: {all: [...], any: [...], none: [...]}
 *
 * A test is a flag (`customer`, `not customer`), a comparison of a number or a time (`score >= 60`,
 * `age < 30d`), or words (`country = US`, `source in webinar, workshop`, `needs known`). */
#include <stdlib.h>

#include "proto/must.h"
#include "server/playbook_internal.h"

enum fact_kind { NUMBER = 1, SPAN, FLAG, CHOICE, WORD };

static const struct fact_row {
    const char *name;
    enum fact_kind kind;
} facts[] = {
#define XX(name, text, kind) [PLAYBOOK_FACT_##name] = {text, kind},
    PLAYBOOK_FACT_MAP(XX)
#undef XX
};

#define TESTS_MAX 50 /* of one rule: rules are compared with one another */
#define WORDS_MAX 64
#define NAMES_MAX (PLAYBOOK_FACT_ANSWER + PLAYBOOK_LIST_MAX)

/* One test being taken apart. */
struct parse {
    struct reading *reading;
    struct playbook_place at;
    struct slice rest;
    struct playbook_test *test;
    enum fact_kind kind;
    const struct playbook_question *question; /* that it asks about */
};

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n';
}

static void skip(struct parse *parse)
{
    while (parse->rest.length > 0 && is_space(parse->rest.bytes[0])) {
        parse->rest.bytes++;
        parse->rest.length--;
    }
}

/* What stands before a space, a comma or a sign; or the sign. */
static struct slice take(struct parse *parse)
{
    struct slice word;
    size_t length = 0;

    skip(parse);
    while (length < parse->rest.length && !is_space(parse->rest.bytes[length]) &&
           !memchr("<>=!,", parse->rest.bytes[length], 5))
        length++;
    if (length == 0 && parse->rest.length > 0)
        length = parse->rest.length > 1 && parse->rest.bytes[1] == '=' ? 2 : 1;
    word = (struct slice){parse->rest.bytes, length};
    parse->rest.bytes += length;
    parse->rest.length -= length;
    return word;
}

/* What stands before a comma or the end, without spaces around. */
static struct slice take_value(struct parse *parse)
{
    struct slice value;
    size_t length = 0;

    skip(parse);
    while (length < parse->rest.length && parse->rest.bytes[length] != ',')
        length++;
    value = (struct slice){parse->rest.bytes, length};
    parse->rest.bytes += length;
    parse->rest.length -= length;
    while (value.length > 0 && is_space(value.bytes[value.length - 1]))
        value.length--;
    return value;
}

static bool is_word(struct slice word, const char *name)
{
    return slice_equal(word, slice_of(name));
}

static const char *terminated(struct parse *parse, struct slice text)
{
    return playbook_copy(parse->reading->arena, text).bytes;
}

/* --- what is asked about --------------------------------------------------------------------- */

static void tell_unknown_fact(struct parse *parse, struct slice name)
{
    const struct playbook *playbook = parse->reading->playbook;
    const char *names[NAMES_MAX];
    char guess[128];
    unsigned count = 0;

    for (unsigned fact = 1; fact < PLAYBOOK_FACT_ANSWER; fact++)
        names[count++] = facts[fact].name;
    for (uint32_t i = 0; i < playbook->questions.count; i++)
        if (playbook->questions.items[i].id.length > 0)
            names[count++] = playbook->questions.items[i].id.bytes;
    playbook_complain(parse->reading, parse->at, "nothing is known as '%.40s'%s",
                      terminated(parse, name),
                      playbook_guess(guess, terminated(parse, name), names, count));
}

static bool find_fact(struct parse *parse, struct slice name)
{
    const struct playbook *playbook = parse->reading->playbook;

    for (unsigned fact = 1; fact < PLAYBOOK_FACT_ANSWER; fact++) {
        if (!is_word(name, facts[fact].name))
            continue;
        parse->test->fact = (uint8_t)fact;
        parse->kind = facts[fact].kind;
        return true;
    }
    parse->kind = WORD;
    if (name.length > 6 && memcmp(name.bytes, "field.", 6) == 0) {
        parse->test->fact = PLAYBOOK_FACT_FIELD;
        parse->test->name = (struct slice){name.bytes + 6, name.length - 6};
        return playbook_is_name(parse->test->name);
    }
    for (uint32_t i = 0; i < playbook->questions.count; i++) {
        if (!slice_equal(name, playbook->questions.items[i].id))
            continue;
        parse->test->fact = PLAYBOOK_FACT_ANSWER;
        parse->test->name = playbook->questions.items[i].id;
        parse->question = &playbook->questions.items[i];
        return true;
    }
    return false;
}

/* --- comparisons ----------------------------------------------------------------------------- */

static void expect(struct parse *parse, const char *what)
{
    playbook_complain(parse->reading, parse->at, "a rule asks %s", what);
}

/* A number or a time, in ms. */
static bool take_amount(struct parse *parse, int64_t *out)
{
    struct slice text = take_value(parse);
    struct playbook_span span;

    if (parse->rest.length > 0 || text.length == 0)
        return false;
    if (parse->kind == SPAN) {
        if (!playbook_span_of(text, &span))
            return false;
        *out = (int64_t)playbook_span_about(span);
        return true;
    }
    *out = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || *out > 100000000)
            return false;
        *out = *out * 10 + (text.bytes[i] - '0');
    }
    return true;
}

/* Times are only cut in two, so that they can be written as they were. */
static bool compare(struct parse *parse, struct slice sign)
{
    struct playbook_test *test = parse->test;
    int64_t amount;
    bool whole = parse->kind == NUMBER;

    if (!take_amount(parse, &amount))
        return false;
    test->op = PLAYBOOK_WITHIN;
    test->least = INT64_MIN;
    test->most = INT64_MAX;
    if (is_word(sign, ">="))
        test->least = amount;
    else if (is_word(sign, "<") && amount > 0)
        test->most = amount - 1;
    else if (is_word(sign, ">") && whole)
        test->least = amount + 1;
    else if (is_word(sign, "<=") && whole)
        test->most = amount;
    else if (is_word(sign, "=") && whole)
        test->least = test->most = amount;
    else
        return false;
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    size_t shorter = left->length < right->length ? left->length : right->length;
    int order = shorter > 0 ? memcmp(left->bytes, right->bytes, shorter) : 0;

    return order ? order : (left->length > right->length) - (left->length < right->length);
}

static bool take_words(struct parse *parse)
{
    struct slice *words = playbook_alloc(parse->reading->arena, WORDS_MAX * sizeof(*words));
    uint32_t count = 0, kept = 0;

    do {
        struct slice value = take_value(parse);
        if (value.length == 0 || count == WORDS_MAX)
            return false;
        words[count++] = value;
        if (parse->rest.length > 0) { /* the comma */
            parse->rest.bytes++;
            parse->rest.length--;
            skip(parse);
            if (parse->rest.length == 0)
                return false;
        }
    } while (parse->rest.length > 0);
    qsort(words, count, sizeof(*words), compare_texts);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || !slice_equal(words[i], words[i - 1]))
            words[kept++] = words[i];
    parse->test->words = (struct playbook_texts){words, kept};
    return true;
}

static bool choose(struct parse *parse, struct slice sign)
{
    if (is_word(sign, "in") || is_word(sign, "="))
        parse->test->op = PLAYBOOK_IN;
    else if (is_word(sign, "!="))
        parse->test->op = PLAYBOOK_NOT_IN;
    else if (is_word(sign, "not") && is_word(take(parse), "in"))
        parse->test->op = PLAYBOOK_NOT_IN;
    else
        return false;
    return take_words(parse);
}

/* Words of which the playbook itself says which there are. */
static unsigned choices_of(const struct parse *parse, const char **names)
{
    const struct playbook *playbook = parse->reading->playbook;
    const struct playbook_texts *texts = parse->question ? &parse->question->choices : NULL;
    unsigned count = 0;

    if (parse->test->fact == PLAYBOOK_FACT_STAGE)
        for (uint32_t i = 0; i < playbook->stages.count; i++)
            names[count++] = playbook->stages.items[i].id.bytes;
    if (parse->test->fact == PLAYBOOK_FACT_TEMPERATURE)
        for (uint32_t i = 0; i < playbook->temperatures.count; i++)
            names[count++] = playbook->temperatures.items[i].id.bytes;
    if (parse->test->fact == PLAYBOOK_FACT_PERSONA)
        for (uint32_t i = 0; i < playbook->personas.count; i++)
            names[count++] = playbook->personas.items[i].id.bytes;
    for (uint32_t i = 0; texts && i < texts->count; i++)
        names[count++] = texts->items[i].bytes;
    return count;
}

static void check_choices(struct parse *parse)
{
    const char *names[PLAYBOOK_LIST_MAX];
    unsigned count = choices_of(parse, names), known = 0;
    char guess[128];

    for (unsigned i = 0; i < count; i++)
        if (names[i])
            names[known++] = names[i];
    if (known == 0 && parse->kind != CHOICE)
        return;
    for (uint32_t i = 0; i < parse->test->words.count; i++) {
        struct slice word = parse->test->words.items[i];
        unsigned at = 0;
        while (at < known && !is_word(word, names[at]))
            at++;
        if (at == known)
            playbook_complain(parse->reading, parse->at, "there is no such answer as '%.40s'%s",
                              terminated(parse, word),
                              playbook_guess(guess, terminated(parse, word), names, known));
    }
}

/* --- one test, and a rule of them --------------------------------------------------------------
 */

static void parse_test(struct parse *parse)
{
    struct slice name = take(parse), sign;
    bool negated = is_word(name, "not");
    bool good;

    if (negated)
        name = take(parse);
    if (!find_fact(parse, name)) {
        tell_unknown_fact(parse, name);
        return;
    }
    sign = take(parse);
    if (parse->kind == FLAG || negated || is_word(sign, "known") || is_word(sign, "unknown")) {
        parse->test->op = negated || is_word(sign, "unknown") ? PLAYBOOK_FALSE : PLAYBOOK_TRUE;
        skip(parse);
        good = parse->rest.length == 0;
        if (parse->kind == FLAG || negated)
            good = good && parse->kind == FLAG && sign.length == 0;
        else
            good = good && (parse->kind == WORD || parse->kind == CHOICE);
    } else if (parse->kind == NUMBER || parse->kind == SPAN) {
        good = compare(parse, sign);
    } else {
        good = choose(parse, sign);
    }
    if (good)
        check_choices(parse);
    else if (parse->kind == FLAG)
        expect(parse, "`conversation` or `not conversation`");
    else if (parse->kind == NUMBER)
        expect(parse, "`score >= 60`, with =, <, <=, > or >=, and a whole number behind it");
    else if (parse->kind == SPAN)
        expect(parse, "`age < 30d` or `age >= 30d`");
    else
        expect(parse,
               "`country = US`, `country in US, CA`, `country not in US` or `country known`");
}

/* Spaces do not count: the canonical form has its own. */
static size_t letters_of(struct slice text)
{
    size_t letters = 0;

    for (size_t i = 0; i < text.length; i++)
        letters += !is_space(text.bytes[i]);
    return letters;
}

static void read_test(struct reading *reading, const struct tree *node, struct playbook_test *out)
{
    struct parse parse = {.reading = reading, .at = node->at, .rest = node->text, .test = out};

    if (node->kind != TREE_TEXT)
        playbook_complain(reading, node->at, "one test must stand here, such as `score >= 60`");
    else if (letters_of(node->text) > PLAYBOOK_TEXT_MAX || !playbook_is_readable(node->text))
        playbook_complain(reading, node->at, "this test is too long, or not all of it is text");
    else
        parse_test(&parse);
}

static int compare_tests(const void *a, const void *b)
{
    const struct playbook_test *left = a, *right = b;
    int order = left->fact - right->fact;

    if (!order)
        order = compare_texts(&left->name, &right->name);
    if (!order)
        order = left->op - right->op;
    if (!order)
        order = (left->least > right->least) - (left->least < right->least);
    if (!order)
        order = (left->most > right->most) - (left->most < right->most);
    if (!order)
        order = (left->words.count > right->words.count) - (left->words.count < right->words.count);
    for (uint32_t i = 0; !order && i < left->words.count; i++)
        order = compare_texts(&left->words.items[i], &right->words.items[i]);
    return order;
}

static unsigned group_size(const struct tree *node)
{
    return node->kind == TREE_LIST ? node->count : 1;
}

/* `all`, `any` or `none`: a test or a list of them. */
static unsigned read_group(struct reading *reading, const struct tree *node,
                           struct playbook_test *tests)
{
    const struct tree *item = node->kind == TREE_LIST ? node->first : node;
    unsigned count = group_size(node);

    for (unsigned i = 0; i < count; i++, item = item->next)
        read_test(reading, item, &tests[i]);
    qsort(tests, count, sizeof(*tests), compare_tests);
    return count;
}

/* NULL: too many, which was complained about. */
static struct playbook_test *make_tests(struct reading *reading, const struct tree *node,
                                        unsigned count)
{
    if (count <= TESTS_MAX)
        return playbook_alloc(reading->arena, count * sizeof(struct playbook_test));
    playbook_complain(reading, node->at, "this rule is too long: %d tests are the most", TESTS_MAX);
    return NULL;
}

static void read_groups(struct reading *reading, const struct tree *node, struct playbook_rule *out)
{
    static const char *const names[] = {"all", "any", "none"};
    uint16_t *const counts[] = {&out->all, &out->any, &out->none};
    struct playbook_test *tests;
    unsigned count = 0;
    char guess[128];

    for (const struct tree *key = node->first; key; key = key->next) {
        unsigned i = 0;
        while (i < 3 && strcmp(key->text.bytes, names[i]) != 0)
            i++;
        if (i == 3)
            playbook_complain(reading, key->at, "a rule has no '%.40s'%s", key->text.bytes,
                              playbook_guess(guess, key->text.bytes, names, 3));
        count += group_size(key->value);
    }
    out->tests = tests = make_tests(reading, node, count);
    for (unsigned i = 0; i < 3 && tests; i++) {
        const struct tree *key = tree_find(node, names[i]);
        if (key)
            tests += *counts[i] = (uint16_t)read_group(reading, key->value, tests);
    }
}

void playbook_read_rule(struct reading *reading, const struct tree *node, struct playbook_rule *out)
{
    struct playbook_test *tests;

    if (node->kind == TREE_MAP) {
        read_groups(reading, node, out);
        return;
    }
    out->tests = tests = make_tests(reading, node, group_size(node));
    if (tests)
        out->all = (uint16_t)read_group(reading, node, tests);
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void write_within(const struct playbook_test *test, struct text *out)
{
    if (facts[test->fact].kind == SPAN) {
        bool from = test->least != INT64_MIN;
        text_string(out, from ? " >= " : " < ");
        playbook_span_write(
            (struct playbook_span){.ms = (uint64_t)(from ? test->least : test->most + 1)}, out);
        return;
    }
    text_string(out, test->least == test->most ? " = " : test->most == INT64_MAX ? " >= " : " <= ");
    text_int(out, test->least == INT64_MIN ? test->most : test->least);
}

static void write_words(const struct playbook_test *test, struct text *out)
{
    bool one = test->words.count == 1;

    text_string(out,
                test->op == PLAYBOOK_IN ? (one ? " = " : " in ") : (one ? " != " : " not in "));
    for (uint32_t i = 0; i < test->words.count; i++) {
        text_string(out, i ? ", " : "");
        text_add(out, test->words.items[i]);
    }
}

static void write_fact(const struct playbook_test *test, struct text *out)
{
    if (test->fact == PLAYBOOK_FACT_FIELD)
        text_string(out, "field.");
    if (test->fact >= PLAYBOOK_FACT_ANSWER)
        text_add(out, test->name);
    else
        text_string(out, facts[test->fact].name);
}

void playbook_test_write(const struct playbook_test *test, struct text *out)
{
    bool is_flag = test->fact < PLAYBOOK_FACT_ANSWER && facts[test->fact].kind == FLAG;

    if (is_flag && test->op == PLAYBOOK_FALSE)
        text_string(out, "not ");
    write_fact(test, out);
    if (is_flag)
        return;
    if (test->op == PLAYBOOK_WITHIN)
        write_within(test, out);
    else if (test->op == PLAYBOOK_IN || test->op == PLAYBOOK_NOT_IN)
        write_words(test, out);
    else
        text_string(out, test->op == PLAYBOOK_TRUE ? " known" : " unknown");
}

/* --- asking ------------------------------------------------------------------------------------
 */

static struct slice word_of(const struct playbook_test *test, const struct playbook_facts *about)
{
    if (test->fact < PLAYBOOK_FACT_ANSWER)
        return about->of[test->fact].word;
    return about->answer ? about->answer(about->owner, (enum playbook_fact)test->fact, test->name)
                         : (struct slice){0};
}

static bool is_among(const struct playbook_texts *words, struct slice word)
{
    for (uint32_t i = 0; i < words->count; i++) {
        if (slice_equal_ignoring_case(words->items[i], word))
            return true;
    }
    return false;
}

static bool test_holds(const struct playbook_test *test, const struct playbook_facts *about)
{
    bool is_flag = test->fact < PLAYBOOK_FACT_ANSWER && facts[test->fact].kind == FLAG;

    switch (test->op) {
    case PLAYBOOK_WITHIN:
        return about->of[test->fact].number >= test->least &&
               about->of[test->fact].number <= test->most;
    case PLAYBOOK_IN:
        return is_among(&test->words, word_of(test, about));
    case PLAYBOOK_NOT_IN:
        return !is_among(&test->words, word_of(test, about));
    default:
        return (is_flag ? about->of[test->fact].number != 0 : word_of(test, about).length > 0) ==
               (test->op == PLAYBOOK_TRUE);
    }
}

bool playbook_holds(const struct playbook_rule *rule, const struct playbook_facts *about)
{
    const struct playbook_test *test = rule->tests;
    bool any = rule->any == 0;

    for (unsigned i = 0; i < rule->all; i++, test++) {
        if (!test_holds(test, about))
            return false;
    }
    for (unsigned i = 0; i < rule->any; i++, test++)
        any = any || test_holds(test, about);
    if (!any)
        return false;
    for (unsigned i = 0; i < rule->none; i++, test++) {
        if (test_holds(test, about))
            return false;
    }
    return true;
}
