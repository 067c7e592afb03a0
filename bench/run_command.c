/* `hotlead-bench run`: one measured run, with a rig around it unless there is a server already. */
#include <stdlib.h>
#include <string.h>

#include "bench/about.h"
#include "bench/commands.h"
#include "bench/output.h"
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

/* --- outputs -------------------------------------------------------------------------------------
 */

static enum status write_hdr(const struct result *result, FILE *file)
{
    /* Where nobody pops there is no speed-to-lead. */
    bool popped = hist_count(result->latency[RESULT_LEAD]) > 0;

    output_hdr(result, popped ? RESULT_LEAD : RESULT_ACK, file);
    return STATUS_OK;
}

static bool write_files(const struct run_asked *asked, const struct result *result)
{
    bool json = output_file(asked->json, result_write_json, result);
    bool html = output_file(asked->html, output_html, result);
    bool hdr = output_file(asked->hdr, write_hdr, result);

    return json && html && hdr;
}

/* --- judgement
 * ------------------------------------------------------------------------------------- */

/* All of them are told, also behind one that was missed. */
static bool thresholds_hold(const struct run_asked *asked, const struct result *result)
{
    bool all_hold = true;

    for (unsigned i = 0; i < asked->threshold_count; i++) {
        struct output_threshold threshold;
        bool readable =
            output_threshold(asked->thresholds[i], result, stderr, &threshold) == STATUS_OK;
        if (readable)
            printf("threshold  %-24s %-6s (%s)\n", threshold.text,
                   threshold.holds ? "ok" : "MISSED", threshold.found_text);
        else
            printf("threshold  %-24s MISSED (this run cannot tell)\n", asked->thresholds[i]);
        all_hold &= readable && threshold.holds;
    }
    return all_hold;
}

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

static int conclude(const struct run_asked *asked, const struct result *result)
{
    output_summary(result, stdout);
    bool hold = thresholds_hold(asked, result);
    fflush(stdout);
    bool written = write_files(asked, result);
    warn(result);
    if (!hold)
        return BENCH_THRESHOLD;
    return written && result_is_sound(result) ? BENCH_DONE : BENCH_FAILED;
}

/* --- the run
 * --------------------------------------------------------------------------------------- */

static enum status measure(const struct run_asked *asked, const struct target *target,
                           struct result *result)
{
    struct run_options options = asked->run;
    double rate;

    options.command = asked->command;
    options.progress = stderr;
    enum status status = asked->max ? search_rate(&options, target, asked->limit, options.rate,
                                                  stderr, &rate, result)
                                    : run_once(&options, target, stderr, result);
    if (asked->name)
        snprintf(result->name, sizeof result->name, "%s", asked->name);
    if (status == STATUS_OK && asked->max)
        printf("highest rate that keeps %s: %.0f opt-ins/s\n\n", asked->limit, rate);
    return status;
}

/* `data`: the folder of a server of ours, or NULL. */
static int run_at(const struct run_asked *asked, const struct target *target, const char *data)
{
    struct result result;
    int code = BENCH_FAILED;

    if (result_init(&result) != STATUS_OK)
        return BENCH_FAILED;
    about_read(target, data, &result);
    result.disk.simulated_us = asked->rig.disk_us;
    enum status status = measure(asked, target, &result);
    if (status == STATUS_OK)
        code = conclude(asked, &result);
    else if (status == STATUS_NOT_FOUND)
        fprintf(stderr, "hotlead-bench: %s does not hold at any rate\n", asked->limit);
    result_free(&result);
    return code;
}

/* They will be popped and told an outcome as if they were of this run. */
static void warn_of_backlog(const struct target *target)
{
    int64_t waiting = consume_waiting(target);

    if (waiting > 0)
        fprintf(
            stderr,
            "hotlead-bench: %lld tasks stand in %s already: they are popped too, and are not of "
            "this run\n",
            (long long)waiting, target->key);
}

static int run_remote(const struct run_asked *asked)
{
    struct target target;
    struct target_site site;

    if (remote_target(asked, stderr, &site, &target) != STATUS_OK)
        return BENCH_FAILED;
    if (asked->run.consumers > 0)
        warn_of_backlog(&target);
    return run_at(asked, &target, NULL);
}

static int run_rig(const struct run_asked *asked)
{
    struct rig *rig;

    if (rig_open(&asked->rig, stderr, &rig) != STATUS_OK)
        return BENCH_FAILED;
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
