/* hotlead simulate: what is to be simulated, and what came of it, as lines or as JSON. Needs no
 * server and no files. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/must.h"
#include "server/cli_internal.h"
#include "server/config.h"
#include "server/simulate.h"

#define YEAR_MS   31557600000.0
#define TOLD_MOST 10 /* violations that are told one by one */

struct simulate_call {
    struct simulate_options options;
    const char *file;
    bool json, has_people, has_years, has_seed;
    unsigned told;
};

/* --- talk ------------------------------------------------------------------------------------ */

static void print_rates(FILE *out)
{
    fprintf(out, "\nRates, of %s; hundredths of a per cent, odds are factors:\n\n",
            SIMULATE_RATES_VERSION);
    for (unsigned i = 0; i < SIMULATE_RATE_END; i++)
        fprintf(out, "  %-20s %5u  %s\n  %27s %s\n", simulate_rates[i].word,
                simulate_rates[i].value, simulate_rates[i].means, "", simulate_rates[i].source);
    fprintf(
        out,
        "\n  The attempt at which people would stop by themselves: 48, 24, 12, 6, 10 %%, and at\n"
        "  which those buy who do: 2, 3, 4, 10, 81 %% (the fifth stands for all later ones):\n"
        "  MISSION.md ME-5 (S2).\n");
}

static int usage(FILE *out)
{
    fprintf(
        out,
        "usage: hotlead simulate --people N --years Y --seed S [--playbook FILE]\n"
        "                        [--agents N] [--restarts N] [--threads N] [--rate NAME=NUMBER "
        "...]\n"
        "                        [--json]\n\n"
        "Years of opt-ins in seconds: the server's own rules on a virtual clock, with people, "
        "agents\n"
        "and robots that are drawn from the seed. The same seed, playbook and rates give the same\n"
        "digest, whatever the threads and the restarts are. Exit 1: something was found broken.\n\n"
        "  --people N     1 to %llu, in agencies of 1,000\n"
        "  --years Y      1 to %u, from 2026 on: times are kept until February 2106\n"
        "  --seed S       a number\n"
        "  --playbook F   a file, or `default`, which is the shipped one [default]\n"
        "  --agents N     of each agency, 0 to %u: with 0 only robots work [3]\n"
        "  --restarts N   how often each agency's rows are thrown away and made again [1]\n"
        "  --threads N    [as many as there are processors]\n"
        "  --rate R=N     another rate than in the table below; may be given often\n"
        "  --json         one JSON document instead of lines\n",
        (unsigned long long)SIMULATE_PEOPLE_MAX, SIMULATE_YEARS_MAX, SIMULATE_AGENTS_MAX);
    if (out == stdout)
        print_rates(out);
    else
        fprintf(out, "\n`hotlead simulate --help` names the rates, and where they come from.\n");
    return out == stdout ? 0 : CLI_USAGE;
}

/* --- words ------------------------------------------------------------------------------------ */

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *out >= least && *out <= most;
}

static int wrong_number(const char *flag, uint64_t least, uint64_t most, const char *value)
{
    fprintf(stderr, "hotlead: %s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'\n", flag,
            least, most, value);
    return CLI_USAGE;
}

static int read_rate(struct simulate_call *call, const char *value)
{
    const char *names[SIMULATE_RATE_END], *equals = strchr(value, '=');
    size_t length = equals ? (size_t)(equals - value) : strlen(value);
    uint64_t number;

    for (unsigned i = 0; i < SIMULATE_RATE_END; i++) {
        names[i] = simulate_rates[i].word;
        if (strlen(names[i]) != length || memcmp(names[i], value, length) != 0)
            continue;
        if (!equals || !read_number(equals + 1, 0, 10000, &number))
            return wrong_number(value, 0, 10000, equals ? equals + 1 : "");
        call->options.rates[i] = (uint32_t)number;
        return 0;
    }
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)(length < 63 ? length : 63), value);
    const char *closest = config_closest(word, names, SIMULATE_RATE_END);
    fprintf(stderr, "hotlead: there is no rate '%s'", word);
    fprintf(stderr, closest ? "; did you mean '%s'?\n" : "; see hotlead simulate --help\n",
            closest);
    return CLI_USAGE;
}

static const struct number_flag {
    const char *name;
    uint64_t least, most;
} number_flags[] = {{"--people", 1, SIMULATE_PEOPLE_MAX},
                    {"--years", 1, SIMULATE_YEARS_MAX},
                    {"--seed", 0, UINT64_MAX},
                    {"--agents", 0, SIMULATE_AGENTS_MAX},
                    {"--restarts", 0, 1000},
                    {"--threads", 1, SIMULATE_THREADS_MAX}};
#define NUMBER_FLAG_COUNT (sizeof number_flags / sizeof *number_flags)

static void take_number(struct simulate_call *call, size_t which, uint64_t number)
{
    switch (which) {
    case 0:
        call->options.people = number;
        call->has_people = true;
        break;
    case 1:
        call->options.years = (unsigned)number;
        call->has_years = true;
        break;
    case 2:
        call->options.seed = number;
        call->has_seed = true;
        break;
    case 3:
        call->options.agents = (int)number;
        break;
    case 4:
        call->options.restarts = (unsigned)number;
        break;
    default:
        call->options.threads = (unsigned)number;
        break;
    }
}

/* "--flag VALUE" or "--flag=VALUE"; NULL: it is another flag. "" where the value is missing. */
static const char *value_of(const char *flag, int argc, char **argv, int *at)
{
    size_t length = strlen(flag);

    if (strncmp(argv[*at], flag, length) != 0)
        return NULL;
    if (argv[*at][length] == '=')
        return argv[*at] + length + 1;
    if (argv[*at][length] != '\0')
        return NULL;
    return *at + 1 < argc ? argv[++*at] : "";
}

static int read_word(struct simulate_call *call, int argc, char **argv, int *at)
{
    const char *value;
    uint64_t number;

    for (size_t i = 0; i < NUMBER_FLAG_COUNT; i++) {
        const struct number_flag *flag = &number_flags[i];
        value = value_of(flag->name, argc, argv, at);
        if (!value)
            continue;
        if (!read_number(value, flag->least, flag->most, &number))
            return wrong_number(flag->name, flag->least, flag->most, value);
        take_number(call, i, number);
        return 0;
    }
    value = value_of("--rate", argc, argv, at);
    if (value)
        return read_rate(call, value);
    value = value_of("--playbook", argc, argv, at);
    if (value && *value) {
        call->file = value;
        return 0;
    }
    if (strcmp(argv[*at], "--json") == 0) {
        call->json = true;
        return 0;
    }
    return cli_complain("this is none of simulate's flags; see hotlead simulate --help: ",
                        argv[*at]);
}

static int read_words(struct simulate_call *call, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int code = read_word(call, argc, argv, &i);
        if (code != 0)
            return code;
    }
    if (call->has_people && call->has_years && call->has_seed)
        return 0;
    cli_complain("say --people N, --years Y and --seed S", "");
    return usage(stderr);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* --- what came of it ---------------------------------------------------------------------------
 */

/* Lines of `name value`, or the members of one object. */
struct page {
    bool json, inside;
};

static void put(struct page *page, const char *group, const char *name, double value, int decimals)
{
    if (!page->json)
        printf("%s%s%s %.*f\n", group, *group ? "." : "", name, decimals, value);
    else
        printf("%s\"%s%s%s\":%.*f", page->inside ? "," : "", group, *group ? "." : "", name,
               decimals, value);
    page->inside = true;
}

static void put_count(struct page *page, const char *group, const char *name, uint64_t value)
{
    put(page, group, name, (double)value, 0);
}

static void put_word(struct page *page, const char *name, const char *value)
{
    if (page->json)
        printf("%s\"%s\":\"%s\"", page->inside ? "," : "", name, value);
    else
        printf("%s %s\n", name, value);
    page->inside = true;
}

static double hours(uint64_t ms)
{
    return (double)ms / 3600000;
}

static void put_conversed(struct page *page, const struct simulate_figures *figures)
{
    static const struct {
        const char *name;
        double share;
    } spans[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"max", 1}};
    uint64_t count = figures->conversed_count, sum = 0;

    put_count(page, "optin_to_conversation", "people", count);
    if (count == 0)
        return;
    for (uint64_t i = 0; i < count; i++)
        sum += figures->conversed_ms[i];
    put(page, "optin_to_conversation", "mean_h", hours(sum) / (double)count, 2);
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        char name[16];
        uint64_t at = (uint64_t)(spans[i].share * (double)(count - 1));
        snprintf(name, sizeof(name), "%s_h", spans[i].name);
        put(page, "optin_to_conversation", name, hours(figures->conversed_ms[at]), 2);
    }
}

static void put_reasons(struct page *page, const struct simulate_figures *figures)
{
    for (int i = 1; i < TASK_CHANNEL_END; i++)
        if (figures->tasks[i] != 0)
            put_count(page, "tasks", task_channel_name((enum task_channel)i), figures->tasks[i]);
    for (int i = 1; i < OUTCOME_END; i++)
        if (figures->outcomes[i] != 0)
            put_count(page, "outcomes", outcome_name((enum outcome)i), figures->outcomes[i]);
    for (int i = 1; i < SKIP_END; i++)
        if (figures->skipped[i] != 0)
            put_count(page, "skipped", skip_name((enum skip)i), figures->skipped[i]);
    for (int i = 1; i < PARKED_END; i++)
        if (figures->parked[i] != 0)
            put_count(page, "parked", parked_by_name((enum parked_by)i), figures->parked[i]);
    put_count(page, "ended", "worked", figures->ended[PERSON_WORKED]);
    for (int i = 1; i < PERSON_END_END; i++)
        put_count(page, "ended", person_end_name((enum person_end)i), figures->ended[i]);
}

static void put_attempts(struct page *page, const struct simulate_figures *figures)
{
    static const char *const names[SIMULATE_ATTEMPTS] = {"1", "2", "3", "4", "5_and_later"};

    put_count(page, "", "attempts", figures->attempts);
    put_count(page, "", "conversations", figures->conversations);
    put_count(page, "", "sales", figures->outcomes[OUTCOME_SOLD]);
    put_count(page, "", "refused_to_give_up", figures->refused);
    for (int i = 0; i < SIMULATE_ATTEMPTS; i++)
        put_count(page, "sold_at", names[i], figures->sold_at[i]);
}

static void put_checks(struct page *page, const struct simulate_figures *figures)
{
    static const char *const words[SIMULATE_CHECK_END] = {
#define XX(name, word, means) word,
        SIMULATE_CHECK_MAP(XX)
#undef XX
    };

    for (int i = 0; i < SIMULATE_CHECK_END; i++) {
        put_count(page, "checked", words[i], figures->checked[i].looked);
        put_count(page, "broken", words[i], figures->checked[i].broken);
    }
}

static void print_figures(const struct simulate_call *call, const struct simulate_figures *figures,
                          const struct hash *digest, double seconds)
{
    struct page page = {.json = call->json};
    char bytes[64] = "";
    struct text hex = text_over(bytes, sizeof(bytes) - 1);
    double years = (double)figures->person_ms / YEAR_MS;

    if (call->json)
        putchar('{');
    text_hex(&hex, digest->bytes, sizeof(digest->bytes));
    put_word(&page, "digest", bytes);
    put_count(&page, "", "orphans", figures->checked[SIMULATE_CHECK_NEXT].broken);
    put_count(&page, "", "people", figures->people);
    put_count(&page, "", "agencies", figures->agencies);
    put(&page, "", "person_years", years, 1);
    put(&page, "", "seconds", seconds, 3);
    put(&page, "", "person_years_a_minute", years / seconds * 60, 0);
    put_count(&page, "", "records", figures->records);
    put(&page, "", "records_a_person_year", (double)figures->records / years, 2);
    put_count(&page, "", "restarts", figures->restarts);
    put_count(&page, "", "optins", figures->optins);
    put_count(&page, "", "repeated", figures->repeated);
    put_attempts(&page, figures);
    put_conversed(&page, figures);
    put_count(&page, "", "steps", figures->steps);
    put_count(&page, "", "breaches", figures->breaches);
    put_count(&page, "", "tiers_missed", figures->tiers);
    put_count(&page, "", "rungs_climbed", figures->rungs);
    put_count(&page, "", "delivered_again", figures->redelivered);
    put_reasons(&page, figures);
    put_checks(&page, figures);
    if (call->json)
        printf("}\n");
}

/* --- the run
 * -------------------------------------------------------------------------------------- */

static void on_broken(void *owner, enum simulate_check check, unsigned town,
                      const struct record_header *record)
{
    static const char *const means[SIMULATE_CHECK_END] = {
#define XX(name, word, meaning) meaning,
        SIMULATE_CHECK_MAP(XX)
#undef XX
    };
    struct simulate_call *call = owner;

    if (call->told++ < TOLD_MOST)
        fprintf(stderr,
                "hotlead: broken: %s (agency %u, person %" PRIu64 ", record %" PRIu64 ", %s)\n",
                means[check], town, record->person, record->seq,
                record_kind_name((enum record_kind)record->kind));
}

static bool is_broken(const struct simulate_figures *figures)
{
    for (int i = 0; i < SIMULATE_CHECK_END; i++)
        if (figures->checked[i].broken != 0)
            return true;
    return false;
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int run(struct simulate_call *call)
{
    struct simulate_figures figures;
    struct hash digest;
    double began_s = now_s();

    call->options.on_broken = on_broken;
    call->options.owner = call;
    if (simulate_run(&call->options, &figures, &digest) != STATUS_OK)
        return cli_complain("an agency cannot keep so large a playbook: ", call->file);
    print_figures(call, &figures, &digest, now_s() - began_s);
    int code = is_broken(&figures) ? CLI_FAILED : 0;
    simulate_free(&figures);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_complain("the output could not be written", "");
        code = CLI_FAILED;
    }
    return code;
}

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    const struct simulate_call *call = owner;

    fprintf(stderr, "%s:%u:%u: %s\n", complaint->at.base ? "default" : call->file,
            complaint->at.line, complaint->at.column, complaint->text);
}

static int run_with_playbook(struct simulate_call *call)
{
    size_t length;
    char *bytes = cli_playbook_read(call->file, &length);
    int code = CLI_USAGE;

    if (!bytes)
        return CLI_USAGE;
    if (playbook_open((struct slice){bytes, length}, on_complaint, call, &call->options.playbook) ==
        STATUS_OK)
        code = run(call);
    else
        cli_complain("this playbook is not right; see hotlead playbook check ", call->file);
    playbook_close(call->options.playbook);
    free(bytes);
    return code;
}

int cli_simulate(int argc, char **argv)
{
    struct simulate_call call = {.file = NULL};
    int code;

    simulate_defaults(&call.options);
    if (asks_for_help(argc, argv))
        return usage(stdout);
    code = read_words(&call, argc, argv);
    if (code != 0)
        return code;
    return call.file ? run_with_playbook(&call) : run(&call);
}
