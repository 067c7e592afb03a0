/* Whether two sides were measured alike. A ratio of unlike things is a number all the same, so
 * whatever differs is named beside it. */
#include <stdarg.h>
#include <string.h>

#include "bench/diff.h"

#define CONDITION_BYTES_MAX RESULT_TEXT_MAX

/* Writes one condition of a run as text; runs whose texts differ were not measured alike. */
typedef void condition_fn(const struct result *run, char *out);

static void say(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(char *out, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(out, CONDITION_BYTES_MAX, format, arguments);
    va_end(arguments);
}

static void target(const struct result *run, char *out)
{
    say(out, "%s", run->name);
}

static void versions(const struct result *run, char *out)
{
    say(out, "%s", run->versions);
}

static void machine(const struct result *run, char *out)
{
    const struct machine *on = &run->machine;

    say(out, "%u cores, %s, %s, %s, Linux %s", on->cores, on->processor,
        words_bytes(on->memory_bytes).text, on->system, on->kernel);
}

static void disk(const struct result *run, char *out)
{
    char simulated[64] = "";

    if (run->disk.simulated_us > 0)
        snprintf(simulated, sizeof simulated, " (simulated, %u us a sync)", run->disk.simulated_us);
    say(out, "%s%s%s", run->disk.file_system, run->disk.volatile_memory ? " (in memory)" : "",
        simulated);
}

static void redis(const struct result *run, char *out)
{
    say(out, "%s", run->redis_settings);
}

static void playbook(const struct result *run, char *out)
{
    say(out, "%s", run->playbook);
}

static void rate(const struct result *run, char *out)
{
    if (run->rate > 0)
        say(out, "%s/s %s", words_rate(run->rate).text, run->arrivals);
    else
        say(out, "closed loop");
}

static void connections(const struct result *run, char *out)
{
    say(out, "%u %s", run->connections, run->new_connections ? "new" : "kept");
}

static void people(const struct result *run, char *out)
{
    say(out, "%s, %g %% returning, %g %% duplicates, %u sites", run->mix, 100 * run->returning,
        100 * run->duplicates_wanted, run->sites);
}

static void consumers(const struct result *run, char *out)
{
    say(out, "%u (%s)", run->consumers, run->consumer_mode);
}

static const struct {
    const char *name;
    condition_fn *write;
} conditions[] = {
    {"target", target},   {"versions", versions},
    {"machine", machine}, {"disk", disk},
    {"Redis", redis},     {"playbook", playbook},
    {"rate", rate},       {"connections", connections},
    {"people", people},   {"consumers", consumers},
};

/* The first run of `side` in which the condition is not `as`, or NULL. */
static const struct result *unlike(const struct diff_side *side, condition_fn *write,
                                   const char *as)
{
    char text[CONDITION_BYTES_MAX];

    for (size_t i = 0; i < side->count; i++) {
        write(&side->runs[i], text);
        if (strcmp(text, as) != 0)
            return &side->runs[i];
    }
    return NULL;
}

static unsigned compare_condition(const struct diff_side *a, const struct diff_side *b,
                                  const char *name, condition_fn *write, FILE *out)
{
    char first[CONDITION_BYTES_MAX], other[CONDITION_BYTES_MAX];

    write(&a->runs[0], first);
    const struct result *run = unlike(b, write, first);
    const char *whose = "B's is";
    if (!run) {
        run = unlike(a, write, first);
        whose = "another of A's is";
    }
    if (!run)
        return 0;
    write(run, other);
    fprintf(out, "  ! %s differs: A's is %s; %s %s\n", name, first[0] ? first : "unknown", whose,
            other[0] ? other : "unknown");
    return 1;
}

static unsigned judge_run(const struct result *run, const char *side, FILE *out)
{
    unsigned lines = 0;

    if (!result_is_sound(run))
        lines += fprintf(out, "  ! a run of %s is not sound: a check failed\n", side) > 0;
    if (run->bench_was_the_limit)
        lines += fprintf(out, "  ! the bench was the limit in a run of %s\n", side) > 0;
    if (run->machine.load1 > 0.5 * run->machine.cores)
        lines +=
            fprintf(out, "  ! the machine was busy before a run of %s: load %.2f on %u cores\n",
                    side, run->machine.load1, run->machine.cores) > 0;
    return lines;
}

unsigned diff_conditions(const struct diff_side *a, const struct diff_side *b, FILE *out)
{
    unsigned lines = 0;

    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        lines += compare_condition(a, b, conditions[i].name, conditions[i].write, out);
    for (size_t i = 0; i < a->count; i++)
        lines += judge_run(&a->runs[i], "A", out);
    for (size_t i = 0; i < b->count; i++)
        lines += judge_run(&b->runs[i], "B", out);
    return lines;
}
