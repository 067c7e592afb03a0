/* People into a store, as fast as it takes them, and how far that is. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench/growth.h"
#include "bench/interrupt.h"
#include "bench/metrics.h"
#include "bench/moment.h"

#define FILL_PEOPLE      1000000 /* a load: the ledger of one is forgotten with it */
#define FILL_CONNECTIONS 256
#define CONSUMERS        2
#define TOLD_EACH_S      5 /* where there is no terminal */
#define SURE_S           3 /* before that the rate says little of the time that is left */

struct run_options growth_saturation(const struct growth *growth, unsigned connections)
{
    return (struct run_options){
        .connections = connections,
        .people = {.seed = 1, .json = 1, .first = growth->next},
        .consumers = CONSUMERS,
        .mode = CONSUME_REPORT,
        .drain_s = 60,
        .command = "hotlead-bench growth",
        .progress = growth->talk,
    };
}

bool growth_load(struct growth *growth, const struct target *target,
                 const struct run_options *options, struct result *out)
{
    if (result_init(out) != STATUS_OK)
        return false;
    if (interrupt_came() || run_once(options, target, growth->talk, out) != STATUS_OK)
        return false;
    growth->next = out->next_optin;
    if (out->interrupted)
        return false;
    for (unsigned i = 0; i < out->check_count; i++)
        if (!out->checks[i].holds)
            fprintf(growth->talk, "growth: does not hold: %s (%s)\n", out->checks[i].what,
                    out->checks[i].detail);
    return result_is_sound(out);
}

bool growth_read_gauge(struct growth *growth, const char *name, double *out)
{
    struct metrics *metrics;

    if (metrics_read(rig_target(growth->rig), &metrics) != STATUS_OK) {
        fprintf(growth->talk, "growth: /metrics gave no answer\n");
        return false;
    }
    *out = metrics_value(metrics, name);
    metrics_close(metrics);
    return true;
}

void growth_step(struct growth *growth, const char *format, ...)
{
    va_list arguments;

    if (interrupt_came())
        return;
    fprintf(growth->talk, "growth: step %u of %u: ", ++growth->step, growth->steps);
    va_start(arguments, format);
    vfprintf(growth->talk, format, arguments);
    va_end(arguments);
    fputc('\n', growth->talk);
}

/* --- how far it is -------------------------------------------------------------- */

/* By what was acknowledged, of which each is somebody new. */
static void tell(void *owner, unsigned second)
{
    const struct growth_count *count = owner;
    bool living = run_is_living(count->talk);
    double now = fmin(count->known + (double)count->result->acked, count->wanted);
    double gone_s = moment_s() - count->first_at_s;
    double rate = gone_s > 0 ? (now - count->first_known) / gone_s : 0;

    if (!living && (second + 1) % TOLD_EACH_S != 0)
        return;
    fprintf(count->talk, "%s  %.0f of %.0f %s (%.0f %%)", living ? "\r" : "", now, count->wanted,
            count->what, 100 * now / count->wanted);
    if (gone_s > SURE_S && rate > 0)
        fprintf(count->talk, ", %.0f/s, some %.0f s left", rate, (count->wanted - now) / rate);
    fputs(living ? "\033[K" : "\n", count->talk);
    fflush(count->talk);
}

bool growth_load_counted(struct growth *growth, const struct target *target,
                         struct run_options *options, struct growth_count *count, uint64_t most,
                         struct result *out)
{
    options->requests_max = (uint64_t)fmin(count->wanted - count->known, (double)most);
    options->duration_s = 3600;
    options->progress = NULL;
    options->on_second = tell;
    options->owner = count;
    count->result = out;
    bool sound = growth_load(growth, target, options, out);
    if (run_is_living(count->talk))
        fputs("\r\033[K", count->talk);
    return sound;
}

static bool fill_some(struct growth *growth, struct growth_count *count)
{
    struct run_options options = growth_saturation(growth, FILL_CONNECTIONS);
    struct result result;

    bool sound =
        growth_load_counted(growth, rig_target(growth->rig), &options, count, FILL_PEOPLE, &result);
    result_free(&result);
    return sound;
}

bool growth_fill(struct growth *growth, uint64_t people)
{
    struct growth_count count = {
        .talk = growth->talk, .what = "people", .wanted = (double)people, .first_at_s = moment_s()};
    double before = -1;

    if (!growth_read_gauge(growth, "hotlead_people", &count.known))
        return false;
    growth_step(growth, "%llu people: there are %.0f%s", (unsigned long long)people, count.known,
                count.known > count.wanted ? " already, of the rounds before" : "");
    count.first_known = count.known;
    bool sound = true;
    while (sound && count.known < count.wanted) {
        if (count.known <= before) {
            fprintf(growth->talk, "growth: the server knows %.0f people, and gets no more\n",
                    count.known);
            return false;
        }
        before = count.known;
        sound =
            fill_some(growth, &count) && growth_read_gauge(growth, "hotlead_people", &count.known);
    }
    return sound;
}
