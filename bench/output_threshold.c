/* Thresholds: the grammar of output.h read, and compared with a result.
 *
 * They stand in scripts that gate a release, so what cannot be read is never guessed at: a duration
 * without its unit, a percentile over 100 or a figure that this result does not have are errors,
 * not a threshold that happens to hold. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/output_words.h"
#include "proto/must.h"

enum metric {
    METRIC_PERCENTILE,
    METRIC_MAX,
    METRIC_MEAN,
    METRIC_LOST,
    METRIC_DOUBLED,
    METRIC_ERRORS,
    METRIC_DUPLICATES,
    METRIC_RATE,
    METRIC_CPU,
    METRIC_REDIS_CPU
};

static const struct metric_row {
    const char *name;
    enum metric metric;
    bool of_latency, is_duration, takes_percent;
} metrics[] = {
    {"max", METRIC_MAX, true, true, false},
    {"mean", METRIC_MEAN, true, true, false},
    {"lost", METRIC_LOST, false, false, false},
    {"loss", METRIC_LOST, false, false, false},
    {"doubled", METRIC_DOUBLED, false, false, false},
    {"errors", METRIC_ERRORS, false, false, true},
    {"duplicates", METRIC_DUPLICATES, false, false, false},
    {"rate", METRIC_RATE, false, false, true},
    {"cpu", METRIC_CPU, false, true, false},
    {"redis_cpu", METRIC_REDIS_CPU, false, true, false},
};
static const struct metric_row percentile_row = {"p", METRIC_PERCENTILE, true, true, false};

static const char *const metric_names[] = {"p50",        "p90",  "p99",  "p99.9",     "max",
                                           "mean",       "lost", "loss", "doubled",   "errors",
                                           "duplicates", "rate", "cpu",  "redis_cpu", NULL};
static const char *const latency_words[] = {"speed_to_lead", "lead",      "ack",
                                            "ack_raw",       "after_ack", NULL};
#define METRICS_ALLOWED                                                                            \
    "p<number>, max, mean (of speed_to_lead, ack, ack_raw, after_ack), lost, doubled, errors, "    \
    "duplicates, rate, cpu, redis_cpu"

enum operator_kind { LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, GREATER_EQUAL, GREATER };

/* The longer ones first: each is looked for as a beginning. */
static const struct {
    const char *text;
    enum operator_kind kind;
} operators[] = {{"<=", LESS_EQUAL}, {">=", GREATER_EQUAL}, {"==", EQUAL},
                 {"!=", NOT_EQUAL},  {"<", LESS},           {">", GREATER}};

static const struct {
    const char *name;
    double ns;
} units[] = {{"ns", 1}, {"us", 1e3}, {"\u00b5s", 1e3}, {"ms", 1e6}, {"s", 1e9}};

struct condition {
    const char *text;
    FILE *talk;
    const struct metric_row *row;
    double percentile;
    bool names_latency;
    enum result_latency latency;
    enum operator_kind operator_kind;
    double wanted; /* ns, a count, or percent */
    bool is_percent;
};

/* Always false, so that a check can end with it. */
static bool refuse(const struct condition *condition, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(const struct condition *condition, const char *format, ...)
{
    va_list arguments;

    fprintf(condition->talk, "hotlead-bench: threshold '%s': ", condition->text);
    va_start(arguments, format);
    vfprintf(condition->talk, format, arguments);
    va_end(arguments);
    fputc('\n', condition->talk);
    return false;
}

static bool refuse_word(const struct condition *condition, const char *word,
                        const char *const *known, const char *allowed)
{
    const char *nearest = words_nearest(word, known);

    if (nearest)
        return refuse(condition, "there is no '%s'; did you mean '%s'?", word, nearest);
    return refuse(condition, "there is no '%s'; there are %s", word, allowed);
}

/* --- reading ------------------------------------------------------------------- */

static bool is_percentile(const char *word)
{
    return word[0] == 'p' && isdigit((unsigned char)word[1]);
}

static bool read_percentile(struct condition *condition, const char *word)
{
    char *end;

    condition->row = &percentile_row;
    condition->percentile = strtod(word + 1, &end);
    if (*end)
        return refuse(condition, "'%s' is no percentile; write p99 or p99.9", word);
    if (condition->percentile > 100)
        return refuse(condition, "a percentile lies between 0 and 100; write p99.9 for 99.9 %%");
    return true;
}

static bool read_latency(struct condition *condition, const char *word)
{
    condition->names_latency = true;
    return result_latency_find(word, &condition->latency) ||
           refuse_word(condition, word, latency_words, "speed_to_lead, ack, ack_raw, after_ack");
}

static bool read_metric(struct condition *condition, const char *word)
{
    if (is_percentile(word))
        return read_percentile(condition, word);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (strcmp(word, metrics[i].name) == 0)
            condition->row = &metrics[i];
    if (!condition->row)
        return refuse_word(condition, word, metric_names, METRICS_ALLOWED);
    if (condition->names_latency && !condition->row->of_latency)
        return refuse(condition, "'%s' belongs to no latency: write it alone", word);
    return true;
}

/* `word` is cut in two where it names a latency. A percentile may hold a point of its own. */
static bool read_left(struct condition *condition, char *word)
{
    char *point = is_percentile(word) ? NULL : strchr(word, '.');

    if (!point)
        return read_metric(condition, word);
    *point = '\0';
    return read_latency(condition, word) && read_metric(condition, point + 1);
}

static bool read_operator(struct condition *condition, const char **rest)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(*rest, operators[i].text, length) == 0) {
            condition->operator_kind = operators[i].kind;
            *rest += length;
            return true;
        }
    }
    return refuse(condition, "one of < <= == != >= > is missing, as in p99<10ms");
}

static bool read_unit(struct condition *condition, const char *unit)
{
    const struct metric_row *row = condition->row;

    if (row->takes_percent && strcmp(unit, "%") == 0) {
        condition->is_percent = true;
        return true;
    }
    if (!row->is_duration)
        return !*unit || refuse(condition, "%s is a number%s, and '%s' is no part of one",
                                row->name, row->takes_percent ? " or a share in %" : "", unit);
    if (!*unit)
        return refuse(condition, "%g of what? Write a unit behind it: ns, us, ms or s",
                      condition->wanted);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) == 0) {
            condition->wanted *= units[i].ns;
            return true;
        }
    }
    return refuse(condition, "'%s' is no unit of time; there are ns, us, ms and s", unit);
}

static bool read_right(struct condition *condition, const char *rest)
{
    char *unit;

    rest += strspn(rest, " ");
    /* strtod would also take words, signs and hexadecimal. */
    if (!isdigit((unsigned char)rest[0]) || tolower((unsigned char)rest[1]) == 'x')
        return refuse(condition, "a number of at least 0 is missing behind the comparison");
    condition->wanted = strtod(rest, &unit);
    unit += strspn(unit, " ");
    return read_unit(condition, unit);
}

static bool read_condition(const char *text, FILE *talk, struct condition *out)
{
    char left[sizeof((struct output_threshold *)0)->text];

    *out = (struct condition){.text = text, .talk = talk};
    if (strlen(text) >= sizeof left)
        return refuse(out, "it is longer than %zu bytes", sizeof left - 1);
    const char *rest = text + strcspn(text, "<>=!");
    const char *word = text + strspn(text, " ");
    if (rest <= word)
        return refuse(out, "name a figure, as in p99<10ms; there are " METRICS_ALLOWED);
    size_t length = (size_t)(rest - word);
    while (word[length - 1] == ' ')
        length--;
    memcpy(left, word, length);
    left[length] = '\0';
    return read_left(out, left) && read_operator(out, &rest) && read_right(out, rest);
}

/* --- comparing ----------------------------------------------------------------- */

static bool find_latency(const struct condition *condition, const struct result *result,
                         double *found)
{
    enum result_latency which = condition->latency;

    if (!condition->names_latency)
        which = hist_count(result->latency[RESULT_LEAD]) ? RESULT_LEAD : RESULT_ACK;
    const struct hist *hist = result->latency[which];
    if (hist_count(hist) == 0)
        return refuse(
            condition, "this result has no %s: nothing was %s", result_latency_name(which),
            which == RESULT_LEAD || which == RESULT_AFTER_ACK ? "popped" : "acknowledged");
    switch (condition->row->metric) {
    case METRIC_MAX:
        *found = (double)hist_max_ns(hist);
        return true;
    case METRIC_MEAN:
        *found = hist_mean_ns(hist);
        return true;
    default:
        *found = (double)hist_at(hist, condition->percentile);
        return true;
    }
}

static bool find_cpu(const struct condition *condition, const struct result *result,
                     uint64_t cpu_us, double us_per_optin, double *found)
{
    if (cpu_us == 0 || result->acked_meanwhile == 0)
        return refuse(condition,
                      "this result does not know it: the process was not ours to measure");
    *found = 1e3 * us_per_optin;
    return true;
}

static bool find_share(const struct condition *condition, double part, double whole, double *found)
{
    *found = part;
    if (!condition->is_percent)
        return true;
    if (whole <= 0)
        return refuse(condition, "there is nothing that it could be a share of");
    *found = 100 * part / whole;
    return true;
}

static bool find(const struct condition *condition, const struct result *result, double *found)
{
    switch (condition->row->metric) {
    case METRIC_PERCENTILE:
    case METRIC_MAX:
    case METRIC_MEAN:
        return find_latency(condition, result, found);
    case METRIC_LOST:
        *found = (double)result->lost;
        return true;
    case METRIC_DOUBLED:
        *found = (double)result->doubled;
        return true;
    case METRIC_ERRORS:
        return find_share(condition, (double)result_errors(result), (double)result->intended,
                          found);
    case METRIC_DUPLICATES:
        *found = (double)result->duplicates;
        return true;
    case METRIC_RATE:
        return find_share(condition, result_acked_per_second(result), result->rate, found);
    case METRIC_CPU:
        return find_cpu(condition, result, result->server_cpu_us,
                        result_server_us_per_optin(result), found);
    case METRIC_REDIS_CPU:
        return find_cpu(condition, result, result->redis_cpu_us, result_redis_us_per_optin(result),
                        found);
    }
    MUST(!"a metric that nobody finds");
    return false;
}

static bool compare(double found, enum operator_kind operator_kind, double wanted)
{
    switch (operator_kind) {
    case LESS:
        return found < wanted;
    case LESS_EQUAL:
        return found <= wanted;
    case EQUAL:
        return found == wanted;
    case NOT_EQUAL:
        return found != wanted;
    case GREATER_EQUAL:
        return found >= wanted;
    case GREATER:
        return found > wanted;
    }
    MUST(!"an operator that nobody compares");
    return false;
}

static struct words found_words(const struct condition *condition, double found)
{
    struct words words;

    if (condition->row->is_duration)
        return words_duration(found);
    if (!condition->is_percent)
        return words_rate(found);
    snprintf(words.text, sizeof words.text, "%.4g%%", found);
    return words;
}

enum status output_threshold(const char *text, const struct result *result, FILE *talk,
                             struct output_threshold *out)
{
    struct condition condition;

    *out = (struct output_threshold){0};
    if (!read_condition(text, talk, &condition) || !find(&condition, result, &out->found))
        return STATUS_INVALID;
    snprintf(out->text, sizeof out->text, "%s", text);
    snprintf(out->found_text, sizeof out->found_text, "%s",
             found_words(&condition, out->found).text);
    out->wanted = condition.wanted;
    out->holds = compare(out->found, condition.operator_kind, condition.wanted);
    return STATUS_OK;
}

enum status output_threshold_check(const char *text, FILE *talk)
{
    struct condition condition;

    return read_condition(text, talk, &condition) ? STATUS_OK : STATUS_INVALID;
}

enum output_outcome output_thresholds(const char *const *texts, unsigned count,
                                      const struct result *result, FILE *out)
{
    enum output_outcome worst = OUTPUT_HOLDS;

    if (count > 0)
        fputc('\n', out);
    for (unsigned i = 0; i < count; i++) {
        struct output_threshold threshold;
        enum output_outcome outcome = OUTPUT_UNKNOWN;
        if (output_threshold(texts[i], result, stderr, &threshold) == STATUS_OK)
            outcome = threshold.holds ? OUTPUT_HOLDS : OUTPUT_MISSED;
        if (outcome == OUTPUT_UNKNOWN)
            fprintf(out, "threshold  %-24s UNKNOWN (this result cannot tell)\n", texts[i]);
        else
            fprintf(out, "threshold  %-24s %-6s (%s)\n", threshold.text,
                    threshold.holds ? "ok" : "MISSED", threshold.found_text);
        worst = outcome > worst ? outcome : worst;
    }
    return worst;
}

int output_exit(const struct result *result, enum output_outcome outcome, bool written)
{
    if (!written || outcome == OUTPUT_UNKNOWN)
        return BENCH_FAILED;
    if (outcome == OUTPUT_MISSED)
        return BENCH_THRESHOLD;
    return result_is_sound(result) ? BENCH_DONE : BENCH_FAILED;
}
