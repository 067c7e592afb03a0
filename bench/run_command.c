/* `hotlead-bench run`: one measured run, with a rig around it unless there is a server already. */
#include <stdlib.h>
#include <string.h>

#include "bench/about.h"
#include "bench/commands.h"
#include "bench/metrics.h"
#include "bench/output_words.h"
#include "bench/run_command_internal.h"
#include "bench/search.h"

#define OTHER_DESCRIPTORS 128 /* libuv's, the consumers', the rig's */

static bool raise_descriptors(unsigned connections)
{
    unsigned wanted = connections + OTHER_DESCRIPTORS;

    if (process_allow_descriptors(wanted))
        return true;
    fprintf(stderr,
            "hotlead-bench: %u connections need %u descriptors, and fewer are allowed: raise "
            "ulimit -n, or take fewer\n",
            connections, wanted);
    return false;
}

/* --- judgement
 * ------------------------------------------------------------------------------------- */

static void warn(const struct result *result)
{
    if (result->bench_was_the_limit)
        fprintf(stderr,
                "\nhotlead-bench: THE BENCH WAS THE LIMIT, not the server: %s\n"
                "hotlead-bench: these figures are its own; lower the rate, or send from a machine "
                "of its own\n",
                result->limit_why);
    if (result->disk.simulated_us > 0)
        fprintf(stderr,
                "hotlead-bench: THE DISK WAS SIMULATED: the server did not sync, and waited %u us "
                "instead; nothing was durable\n",
                result->disk.simulated_us);
    if (result->disk.volatile_memory)
        fprintf(stderr, "hotlead-bench: measured in memory (tmpfs): an fsync cost nothing here\n");
}

/* Behind the summary, where it is read. */
static void print_found(const struct run_asked *asked, const struct search_found *found)
{
    printf("\nhighest rate that keeps %s: %s opt-ins/s, kept for %g s (%u runs in %.0f s)\n",
           asked->limit, words_rate(found->rate).text, asked->run.duration_s, found->runs,
           found->took_s);
    if (found->broke_at > 0)
        printf("next step: %s/s, %s\n", words_rate(found->broke_at).text, found->broke_how);
    else
        printf("next step: none was tried; it may be able to do more\n");
}

static int conclude(const struct run_asked *asked, const struct result *result,
                    const struct search_found *found)
{
    output_summary(result, stdout);
    if (asked->max)
        print_found(asked, found);
    enum output_outcome outcome =
        output_thresholds(asked->thresholds, asked->threshold_count, result, stdout);
    bool written = output_flush();
    written &= output_files(&asked->files, result);
    warn(result);
    return output_exit(result, outcome, written);
}

/* --- the run
 * --------------------------------------------------------------------------------------- */

/* The rate stands in the result as well, and what broke behind it. */
static void keep_found(const struct run_asked *asked, const struct search_found *found,
                       struct result *result)
{
    char what[128];

    snprintf(what, sizeof what, "the highest rate that keeps %.80s", asked->limit);
    if (found->broke_at > 0)
        result_check(result, true, what, "%s/s; at %s/s %s", words_rate(found->rate).text,
                     words_rate(found->broke_at).text, found->broke_how);
    else
        result_check(result, true, what, "%s/s; more was not tried", words_rate(found->rate).text);
}

static enum status measure(const struct run_asked *asked, const struct target *target,
                           struct search_found *found, struct result *result)
{
    struct run_options options = asked->run;
    enum status status;

    options.command = asked->command;
    options.progress = stderr;
    if (asked->max)
        status = search_rate(&options, target, asked->limit, options.rate, stderr, found, result);
    else
        status = run_once(&options, target, stderr, result);
    if (asked->name)
        snprintf(result->name, sizeof result->name, "%s", asked->name);
    if (status == STATUS_OK && asked->max)
        keep_found(asked, found, result);
    return status;
}

/* `data`: the folder of a server of ours, or NULL. */
static int run_at(const struct run_asked *asked, const struct target *target, const char *data)
{
    struct result result;
    struct search_found found;
    int code = BENCH_FAILED;

    if (result_init(&result) != STATUS_OK)
        return BENCH_FAILED;
    about_read(target, data, &result);
    result.disk.simulated_us = asked->rig.disk_us;
    if (measure(asked, target, &found, &result) == STATUS_OK)
        code = conclude(asked, &result, &found);
    result_free(&result);
    return code;
}

/* They will be popped and told an outcome as if they were of this run. */
static void warn_of_tasks(const struct target *target)
{
    int64_t waiting = consume_waiting(target);

    if (waiting > 0)
        fprintf(
            stderr,
            "hotlead-bench: %lld tasks stand in %s already: they are popped too, and are not of "
            "this run\n",
            (long long)waiting, target->key);
}

static void warn_of_backlog(const struct target *target)
{
    struct target emails = *target;

    warn_of_tasks(target);
    if (!target->emails[0])
        return;
    emails.shape = TARGET_ZSET;
    snprintf(emails.key, sizeof emails.key, "hl:{%.200s}:tasks", target->emails);
    warn_of_tasks(&emails);
}

/* Anybody may read them, but where an admin_listen is set they are only there; and a proxy may ask
 * for a token. What was named and is no good is a mistake, found before minutes of load and not
 * behind them. */
static bool find_metrics(const struct run_asked *asked, struct target *target)
{
    bool is_named = asked->admin_url || asked->token;
    struct metrics *metrics;

    snprintf(target->admin_url, sizeof target->admin_url, "%s",
             asked->admin_url ? asked->admin_url : asked->url);
    enum status status = metrics_read(target, &metrics);
    if (status == STATUS_OK) {
        metrics_close(metrics);
        return true;
    }
    if (!is_named)
        target->admin_url[0] = '\0';
    else if (status == STATUS_FORBIDDEN)
        fprintf(stderr,
                "hotlead-bench: %s/metrics does not take this --token: give an administrator's "
                "(DATA/admin.token, or hotlead token add)\n",
                target->admin_url);
    else
        fprintf(stderr,
                "hotlead-bench: %s has no /metrics: name the server's admin_listen with "
                "--admin-url, or leave out both --admin-url and --token\n",
                target->admin_url);
    return !is_named;
}

static int run_remote(const struct run_asked *asked)
{
    struct target target;
    struct target_site site;

    if (remote_target(asked, stderr, &site, &target) != STATUS_OK || !find_metrics(asked, &target))
        return BENCH_FAILED;
    if (asked->run.consumers > 0)
        warn_of_backlog(&target);
    return run_at(asked, &target, NULL);
}

static int run_rig(const struct run_asked *asked)
{
    struct rig *rig;

    enum status status = rig_open(&asked->rig, stderr, &rig);
    if (status != STATUS_OK) /* where it would run is a setting, and a wrong one */
        return status == STATUS_FORBIDDEN ? BENCH_USAGE : BENCH_FAILED;
    int code = run_at(asked, rig_target(rig), rig_data(rig));
    rig_close(rig);
    return code;
}

int run_command(int argc, char **argv)
{
    struct run_asked asked;

    run_asked_read(argc, argv, &asked);
    if (!raise_descriptors(asked.run.connections))
        return BENCH_FAILED;
    return asked.url ? run_remote(&asked) : run_rig(&asked);
}
