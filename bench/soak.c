/* hotlead-bench soak: half an hour at half the maximum, with Redis killed and hotlead restarted in
 * between. Nothing acknowledged may be lost; memory, descriptors and bytes an opt-in must not
 * creep.
 *
 * The server is restarted and killed in the first half only: in the second one it has to live with
 * a Redis that comes and goes, long enough for a leak to show. */
#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench/about.h"
#include "bench/command_words.h"
#include "bench/commands.h"
#include "bench/interrupt.h"
#include "bench/output.h"
#include "bench/rig.h"
#include "bench/run.h"
#include "bench/soak.h"
#include "bench/tier.h"
#include "proto/must.h"

#define PROBE_S      10 /* of the search for the maximum */
#define REDIS_AWAY_S 5  /* from a kill to the next start */
#define SITES        10
#define MINUTES_MAX  10080
#define RATE_MAX     2000000
#define EVERY_MAX    86400

/* Of journal, state and index some 1,900 bytes, and what comes and goes in Redis' files. */
#define OPTIN_DISK 2560.0

struct soak_options {
    double rate; /* 0: half of what the server can */
    unsigned minutes, redis_every_s;
    const char *html;
    struct tier_options tier;
};

struct soak {
    const struct soak_options *options;
    struct rig *rig;
    unsigned seconds;       /* of the whole run */
    unsigned redis_back_at; /* 0: it is there */
    int signal;             /* that the server was asked to go with; 0: it was not */
    unsigned strange_ends;
    struct soak_sample *samples; /* one a second */
    struct soak_watch *watch;
    struct soak_history history;
    char command[RESULT_TEXT_MAX];
    const struct result *result; /* being filled by the run */
};

/* --- what is done to them ------------------------------------------------------------ */

/* Once it is ended by hand, or all is sent, whoever is away is only brought back, so that what is
 * missing can come. */
static bool is_ending(const struct soak *soak, unsigned second)
{
    return interrupt_came() || second >= soak->seconds;
}

static void tell_strange_end(struct soak *soak, const char *who, int exit_code, unsigned second)
{
    fprintf(stderr, "soak: %s ended with %d in second %u\n", who, exit_code, second);
    soak->strange_ends++;
}

/* Nothing is waited for here, on the load's thread: one that was killed is reaped a second later.
 */
static void on_redis_second(struct soak *soak, unsigned second)
{
    struct process *redis = rig_redis(soak->rig);
    bool lives = process_lives(redis);

    if (!lives && soak->redis_back_at == 0) {
        tell_strange_end(soak, "Redis", redis->exit_code, second);
        soak->redis_back_at = second;
    }
    if (!lives && (second >= soak->redis_back_at || is_ending(soak, second))) {
        if (rig_spawn_redis(soak->rig, stderr) != STATUS_OK)
            return;
        soak->redis_back_at = 0;
        soak_history_back(&soak->history, true, second);
    } else if (lives && second && second % soak->options->redis_every_s == 0 &&
               second + 2 * REDIS_AWAY_S < soak->seconds && !is_ending(soak, second)) {
        process_signal(redis, SIGKILL);
        soak_history_fault(&soak->history, SOAK_REDIS_KILLED, second);
        soak->redis_back_at = second + REDIS_AWAY_S;
    }
}

/* Whoever is gone is started again, in the next second. */
static void on_server_second(struct soak *soak, unsigned second)
{
    struct process *server = rig_server(soak->rig);
    int signal = is_ending(soak, second) ? 0 : soak_signal_at(second, soak->seconds);

    if (!process_lives(server)) {
        if (!soak_end_is_expected(soak->signal, server->exit_code))
            tell_strange_end(soak, "hotlead", server->exit_code, second);
        soak->signal = 0;
        if (rig_spawn_server(soak->rig, stderr) == STATUS_OK)
            soak_history_back(&soak->history, false, second);
    } else if (signal != 0) {
        process_signal(server, signal);
        soak->signal = signal;
        soak_history_fault(&soak->history, signal == SIGTERM ? SOAK_RESTARTED : SOAK_KILLED,
                           second);
    }
}

static void on_second(void *owner, unsigned second)
{
    struct soak *soak = owner;
    const struct result *result = soak->result;

    if (second < soak->seconds) {
        struct soak_sample newest = soak_watch_newest(soak->watch);
        soak_watch_look(soak->watch, rig_server(soak->rig), second, result->acked);
        soak_history_second(&soak->history, result, &result->seconds[result->second_count - 1],
                            &newest);
    }
    on_redis_second(soak, second);
    on_server_second(soak, second);
}

/* --- the run --------------------------------------------------------------------------- */

static struct run_options load_of(const struct soak *soak)
{
    return (struct run_options){
        .arrivals = SCHEDULE_POISSON,
        .connections = soak->options->tier.connections,
        .people = {.seed = 1,
                   .json = 70,
                   .form = 25,
                   .multipart = 5,
                   .returning = 0.05,
                   .duplicates = 0.02},
        .consumers = 2,
        .mode = CONSUME_REPORT,
        .drain_s = 150, /* a pop whose answer Redis took with it is delivered again after 120 s */
        .command = soak->command,
        .progress = stderr,
    };
}

/* Half of what it does at saturation for some seconds; `options` goes on behind those people. */
static bool find_rate(const struct soak *soak, struct run_options *options)
{
    struct run_options probe = *options;
    struct result result;

    fprintf(stderr, "soak: %d s at saturation, to take half of what they reach\n", PROBE_S);
    probe.duration_s = PROBE_S;
    probe.warmup_s = 1;
    bool sound = result_init(&result) == STATUS_OK &&
                 run_once(&probe, rig_target(soak->rig), stderr, &result) == STATUS_OK &&
                 result_is_sound(&result) && !interrupt_came();
    options->rate = result_acked_per_second(&result) / 2;
    options->people.first = result.next_optin;
    result_free(&result);
    if (!sound && !interrupt_came())
        fprintf(stderr, "soak: no maximum was found, to take half of; set one with --rate\n");
    return sound;
}

static bool soak_it(struct soak *soak, struct result *result)
{
    struct run_options options = load_of(soak);

    options.rate = soak->options->rate;
    if (options.rate <= 0 && !find_rate(soak, &options))
        return false;
    fprintf(stderr, "soak: %.0f opt-ins/s; Redis is killed each %u s, hotlead six times\n",
            options.rate, soak->options->redis_every_s);
    if (!tier_has_room("soak", rig_folder(soak->rig), soak->seconds,
                       (uint64_t)(options.rate * soak->seconds * OPTIN_DISK), stderr))
        return false;
    options.duration_s = soak->seconds;
    options.faults = true;
    options.on_second = on_second;
    options.owner = soak;
    about_read(rig_target(soak->rig), rig_data(soak->rig), result);
    soak->watch = soak_watch_open(rig_data(soak->rig), soak->samples, soak->seconds);
    enum status status = run_once(&options, rig_target(soak->rig), stderr, result);
    soak_watch_close(soak->watch); /* the samples are ours again */
    return status == STATUS_OK;
}

static bool conclude(struct soak *soak, struct result *result)
{
    struct soak_creep creeps[SOAK_CREEPS];
    unsigned seconds = result->second_count < soak->seconds ? result->second_count : soak->seconds;

    /* From then on nothing was killed any more, whether the run heard of it or not. */
    result->interrupted |= interrupt_came();
    result_check(result, soak->strange_ends == 0, "the server ended only when it was told to",
                 "%u times it or Redis did not", soak->strange_ends);
    bool judged = soak_judge(soak->samples, seconds, soak->seconds, result, creeps);
    soak_history_end(&soak->history, result);
    output_summary(result, stdout);
    soak_history_print(&soak->history, stdout);
    if (judged)
        soak_creeps_print(creeps, stdout);
    else
        soak_unjudged_print(soak->seconds, stdout);
    if (result->interrupted)
        printf("\nCUT SHORT by Ctrl-C after %.0f of %u s\n", result->duration_s, soak->seconds);
    bool printed = output_flush();
    bool json = output_file(soak->options->tier.json, result_write_json, result);
    bool html = output_file(soak->options->html, output_html, result);
    return printed && json && html && result_is_sound(result) && !result->interrupted;
}

/* --- options ------------------------------------------------------------------------- */

enum { KEY_HTML = 256, KEY_REDIS_EVERY };

static const struct argp_option soak_rows[] = {
    {"minutes", 'm', "N", 0, "how long (30)", 1},
    {"rate", 'r', "R", 0, "opt-ins a second (half of what 10 s at saturation reach)", 1},
    {"kill-redis-every", KEY_REDIS_EVERY, "S", 0, "SIGKILL, and back 5 s later (120)", 1},
    {"html", KEY_HTML, "FILE", 0, "the result, as a page", 1},
    {0},
};

/* NULL, or what was to be given. */
static const char *read_option(struct soak_options *options, int key, const char *value)
{
    switch (key) {
    case 'm':
        return read_count(value, 1, MINUTES_MAX, &options->minutes) ? NULL
                                                                    : "a number from 1 to 10080";
    case 'r':
        return read_rate(value, &options->rate) && options->rate > 0 && options->rate <= RATE_MAX
                   ? NULL
                   : "a number a second up to 2000000, such as 2500 or 2.5k";
    case KEY_REDIS_EVERY:
        return read_count(value, 2 * REDIS_AWAY_S, EVERY_MAX, &options->redis_every_s)
                   ? NULL
                   : "seconds, from 10";
    default: /* KEY_HTML */
        options->html = value;
        return NULL;
    }
}

static error_t on_soak_option(int key, char *value, struct argp_state *state)
{
    struct soak_options *options = state->input;
    const char *name = tier_option_name(soak_rows, key);

    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = &options->tier;
    else if (key == ARGP_KEY_ARG)
        tier_refuse_word(state, value);
    else if (key == ARGP_KEY_END)
        tier_check_files(state, options->tier.json, options->html);
    else if (name)
        tier_refuse(state, name, value, read_option(options, key, value));
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* --- the command ---------------------------------------------------------------------- */

static int measure(struct soak *soak, struct result *result)
{
    const struct tier_options *tier = &soak->options->tier;
    const struct rig_options rig_options = {.hotlead = tier->hotlead,
                                            .playbook = tier->playbook,
                                            .below = tier->below,
                                            .keep = tier->keep,
                                            .aof = tier->aof,
                                            .sites = SITES,
                                            .shape = "zset"};

    enum status opened = rig_open(&rig_options, stderr, &soak->rig);
    if (opened != STATUS_OK) /* where it would run is a setting, and a wrong one */
        return opened == STATUS_FORBIDDEN ? BENCH_USAGE : BENCH_FAILED;
    bool begun = !interrupt_came() && soak_it(soak, result);
    bool sound = begun && conclude(soak, result);
    if (!begun && interrupt_came())
        printf("CUT SHORT by Ctrl-C: nothing was measured yet\n");
    rig_close(soak->rig);
    return sound ? BENCH_DONE : BENCH_FAILED;
}

int soak_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench soak";
    struct soak_options options = {
        .minutes = 30, .redis_every_s = 120, .tier = {.connections = 64, .aof = RIG_AOF_EVERYSEC}};
    static const struct argp_child children[] = {
        {&tier_argp, 0, "The server, its load, and what comes out", 2}, {0}};
    static const struct argp argp = {
        .options = soak_rows,
        .parser = on_soak_option,
        .children = children,
        .doc = "A long run in which Redis is killed and hotlead is restarted: nothing may be lost, "
               "nothing may creep. A line each minute, and one for each fault when it is over.\v"
               "  soak --minutes 5 --kill-redis-every 40    a short one\n"
               "  soak --rate 5k --json soak.json           30 minutes\n\n"
               "Ctrl-C ends it with what is known by then, marked as cut short; a second one at "
               "once. Exit: 0 done, 1 something does not hold or it was cut short, 2 usage."};
    static struct soak soak; /* its history is large */
    struct result result;

    soak.options = &options;
    soak.result = &result;
    write_command(argc, argv, soak.command, sizeof soak.command);
    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    process_allow_descriptors(0); /* the server holds as many connections as we do */
    interrupt_watch();
    soak.seconds = options.minutes * 60;
    soak.samples = calloc(soak.seconds, sizeof *soak.samples);
    bool ready = result_init(&result) == STATUS_OK && soak_history_open(&soak.history, stderr);
    MUST(soak.samples != NULL && ready);
    int code = measure(&soak, &result);
    free(soak.samples);
    soak_history_close(&soak.history);
    result_free(&result);
    return code;
}
