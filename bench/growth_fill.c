/* People into a store, as fast as it takes them, and how far that is. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

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

struct filling {
    FILE *talk;
    bool living;
    double people;                  /* that are wanted */
    double known;                   /* at the beginning of this load */
    double first_known, first_at_s; /* of all loads */
    const struct result *result;    /* being filled by the load */
};

/* By what was acknowledged, of which each is somebody new. */
static void tell(void *owner, unsigned second)
{
    const struct filling *filling = owner;
    double now = fmin(filling->known + (double)filling->result->acked, filling->people);
    double gone_s = moment_s() - filling->first_at_s;
    double rate = gone_s > 0 ? (now - filling->first_known) / gone_s : 0;

    if (!filling->living && (second + 1) % TOLD_EACH_S != 0)
        return;
    fprintf(filling->talk, "%s  %.0f of %.0f people (%.0f %%)", filling->living ? "\r" : "", now,
            filling->people, 100 * now / filling->people);
    if (gone_s > SURE_S && rate > 0)
        fprintf(filling->talk, ", %.0f/s, some %.0f s left", rate, (filling->people - now) / rate);
    fputs(filling->living ? "\033[K" : "\n", filling->talk);
    fflush(filling->talk);
}

static bool fill_some(struct growth *growth, struct filling *filling)
{
    struct run_options options = growth_saturation(growth, FILL_CONNECTIONS);
    double missing = filling->people - filling->known;
    struct result result;

    options.requests_max = missing < FILL_PEOPLE ? (uint64_t)missing : FILL_PEOPLE;
    options.duration_s = 3600;
    options.progress = NULL; /* it would count the seconds of an hour */
    options.on_second = tell;
    options.owner = filling;
    filling->result = &result;
    bool sound = growth_load(growth, rig_target(growth->rig), &options, &result);
    result_free(&result);
    return sound;
}

bool growth_fill(struct growth *growth, uint64_t people)
{
    struct filling filling = {.talk = growth->talk,
                              .living = isatty(fileno(growth->talk)) == 1,
                              .people = (double)people,
                              .first_at_s = moment_s()};
    double before = -1;

    if (!growth_read_gauge(growth, "hotlead_people", &filling.known))
        return false;
    growth_step(growth, "from %.0f to %llu people", filling.known, (unsigned long long)people);
    filling.first_known = filling.known;
    bool sound = true;
    while (sound && filling.known < filling.people) {
        if (filling.known <= before) {
            fprintf(growth->talk, "growth: the server knows %.0f people, and gets no more\n",
                    filling.known);
            return false;
        }
        before = filling.known;
        sound = fill_some(growth, &filling) &&
                growth_read_gauge(growth, "hotlead_people", &filling.known);
    }
    if (filling.living)
        fputs("\r\033[K", growth->talk);
    return sound;
}
