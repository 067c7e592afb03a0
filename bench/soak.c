/* hotlead-bench soak: half an hour at half the maximum, with Redis killed and hotlead restarted in
 * between. Nothing acknowledged may be lost; memory, descriptors and bytes an opt-in must not
 * creep.
 *
 * The server is restarted and killed in the first half only: in the second one it has to live with
 * a Redis that comes and goes, long enough for a leak to show. */
#include <argp.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench/about.h"
#include "bench/command_words.h"
#include "bench/commands.h"
#include "bench/output.h"
#include "bench/rig.h"
#include "bench/run.h"
#include "bench/soak.h"
#include "proto/must.h"

#define PROBE_S         10 /* of the search for the maximum */
#define REDIS_AWAY_S    5  /* from a kill to the next start */
#define SITES           10
#define MINUTES_MAX     10080
#define CONNECTIONS_MAX 60000
#define RATE_MAX        2000000
#define EVERY_MAX       86400

struct soak_options {
    double rate; /* 0: half of what the server can */
    unsigned minutes, redis_every_s, connections;
    enum rig_aof aof;
    const char *hotlead, *below, *json, *html;
    bool keep;
};

struct soak {
    const struct soak_options *options;
    struct rig *rig;
    unsigned seconds;       /* of the whole run */
    unsigned redis_back_at; /* 0: it is there */
    int signal;             /* that the server was asked to go with; 0: it was not */
    unsigned restarts, kills, redis_kills, strange_ends;
    struct soak_sample *samples; /* one a second */
    unsigned sample_count;
    char command[RESULT_TEXT_MAX];
    const struct result *result; /* being filled by the run */
};

/* --- what is done to them ------------------------------------------------------------ */

static void on_redis_second(struct soak *soak, unsigned second)
{
    if (soak->redis_back_at && second >= soak->redis_back_at) {
        if (rig_spawn_redis(soak->rig, stderr) == STATUS_OK)
            soak->redis_back_at = 0;
    } else if (!soak->redis_back_at && second && second % soak->options->redis_every_s == 0 &&
               second + 2 * REDIS_AWAY_S < soak->seconds) {
        rig_kill_redis(soak->rig);
        soak->redis_kills++;
        soak->redis_back_at = second + REDIS_AWAY_S;
    }
}

/* Whoever is gone is started again at once. */
static void on_server_second(struct soak *soak, unsigned second)
{
    struct process *server = rig_server(soak->rig);
    int signal = soak_signal_at(second, soak->seconds);

    if (!process_lives(server)) {
        if (!soak_end_is_expected(soak->signal, server->exit_code)) {
            fprintf(stderr, "soak: the server ended with %d in second %u\n", server->exit_code,
                    second);
            soak->strange_ends++;
        }
        soak->signal = 0;
        rig_spawn_server(soak->rig, stderr);
    } else if (signal != 0) {
        process_signal(server, signal);
        soak->signal = signal;
        soak->restarts += signal == SIGTERM;
        soak->kills += signal == SIGKILL;
    }
}

/* --- what is looked at --------------------------------------------------------------- */

static uint64_t folder_bytes; /* nftw has no owner pointer */

static int on_file(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)path, (void)where;
    if (kind == FTW_F)
        folder_bytes += (uint64_t)about->st_blocks * 512;
    return 0;
}

static void sample(struct soak *soak, unsigned second)
{
    struct soak_sample *out = &soak->samples[second];
    struct process_use use;

    if (process_use(rig_server(soak->rig), &use)) {
        out->anonymous_bytes = use.anonymous_bytes;
        out->descriptors = use.descriptors;
    }
    folder_bytes = 0;
    nftw(rig_data(soak->rig), on_file, 8, FTW_PHYS);
    out->folder_bytes = folder_bytes;
    out->acked = soak->result->acked;
    soak->sample_count = second + 1;
}

static void on_second(void *owner, unsigned second)
{
    struct soak *soak = owner;

    if (second >= soak->seconds)
        return;
    sample(soak, second);
    on_redis_second(soak, second);
    on_server_second(soak, second);
}

/* --- the run --------------------------------------------------------------------------- */

static struct run_options load_of(const struct soak *soak)
{
    return (struct run_options){
        .arrivals = SCHEDULE_POISSON,
        .connections = soak->options->connections,
        .people = {.seed = 1,
                   .json = 70,
                   .form = 25,
                   .multipart = 5,
                   .returning = 0.05,
                   .duplicates = 0.02},
        .consumers = 2,
        .mode = CONSUME_REPORT,
        .drain_s = 60,
        .command = soak->command,
        .progress = stderr,
    };
}

/* Half of what it does at saturation for some seconds; `options` goes on behind those people. */
static bool find_rate(const struct soak *soak, struct run_options *options)
{
    struct run_options probe = *options;
    struct result result;

    probe.duration_s = PROBE_S;
    probe.warmup_s = 1;
    bool sound = result_init(&result) == STATUS_OK &&
                 run_once(&probe, rig_target(soak->rig), stderr, &result) == STATUS_OK &&
                 result_is_sound(&result) && !result.interrupted;
    options->rate = result_acked_per_second(&result) / 2;
    options->people.first = result.next_optin;
    result_free(&result);
    if (!sound)
        fprintf(stderr, "soak: no maximum was found, to take half of; set one with --rate\n");
    return sound;
}

static bool soak_it(struct soak *soak, struct result *result)
{
    struct run_options options = load_of(soak);

    options.rate = soak->options->rate;
    if (options.rate <= 0 && !find_rate(soak, &options))
        return false;
    fprintf(stderr, "soak: %.0f opt-ins/s for %u minutes\n", options.rate, soak->options->minutes);
    options.duration_s = soak->seconds;
    options.faults = true;
    options.on_second = on_second;
    options.owner = soak;
    about_read(rig_target(soak->rig), rig_data(soak->rig), result);
    return run_once(&options, rig_target(soak->rig), stderr, result) == STATUS_OK;
}

static bool conclude(const struct soak *soak, struct result *result)
{
    result_check(result, soak->strange_ends == 0, "the server ended only when it was told to",
                 "%u times it did not", soak->strange_ends);
    bool judged = soak_judge(soak->samples, soak->sample_count, soak->seconds, result);
    output_summary(result, stdout);
    printf("\nRedis was killed %u times, hotlead restarted %u and killed %u times\n",
           soak->redis_kills, soak->restarts, soak->kills);
    if (!judged)
        printf("Too short to judge whether memory, descriptors or files creep: 4 minutes at "
               "least\n");
    bool json = output_file(soak->options->json, result_write_json, result);
    bool html = output_file(soak->options->html, output_html, result);
    return json && html && result_is_sound(result);
}

/* --- options ------------------------------------------------------------------------- */

enum { KEY_AOF = 256, KEY_BELOW, KEY_HOTLEAD, KEY_HTML, KEY_JSON, KEY_KEEP, KEY_REDIS_EVERY };

static const struct argp_option soak_rows[] = {
    {"minutes", 'm', "N", 0, "how long (30)", 0},
    {"rate", 'r', "R", 0, "opt-ins a second (half of what 10 s at saturation reach)", 0},
    {"connections", 'c', "N", 0, "(64)", 0},
    {"kill-redis-every", KEY_REDIS_EVERY, "S", 0, "SIGKILL, and back 5 s later (120)", 0},
    {"aof", KEY_AOF, "everysec|off", 0, "of Redis (everysec)", 0},
    {"json", KEY_JSON, "FILE", 0, "the result, for programs", 0},
    {"html", KEY_HTML, "FILE", 0, "the result, as a page", 0},
    {"hotlead", KEY_HOTLEAD, "FILE", 0, "the server (the one beside this program)", 0},
    {"below", KEY_BELOW, "DIR", 0, "where the store is made", 0},
    {"keep", KEY_KEEP, NULL, 0, "leave the folder", 0},
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
    case 'c':
        return read_count(value, 1, CONNECTIONS_MAX, &options->connections)
                   ? NULL
                   : "a number from 1 to 60000";
    case KEY_REDIS_EVERY:
        return read_count(value, 2 * REDIS_AWAY_S, EVERY_MAX, &options->redis_every_s)
                   ? NULL
                   : "seconds, from 10";
    case KEY_AOF:
        return read_aof(value, &options->aof) ? NULL : "everysec or off";
    case KEY_JSON:
        options->json = value;
        return may_be_written(value) ? NULL : "a file that can be written: make its folder first";
    case KEY_HTML:
        options->html = value;
        return may_be_written(value) ? NULL : "a file that can be written: make its folder first";
    case KEY_HOTLEAD:
        options->hotlead = value;
        return NULL;
    default: /* KEY_BELOW */
        options->below = value;
        return NULL;
    }
}

static const char *name_of(int key)
{
    for (const struct argp_option *option = soak_rows; option->name; option++)
        if (option->key == key)
            return option->name;
    return "";
}

static error_t on_soak_option(int key, char *value, struct argp_state *state)
{
    struct soak_options *options = state->input;

    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is not understood", value);
    if (key == KEY_KEEP)
        options->keep = true;
    if (name_of(key)[0] == '\0')
        return ARGP_ERR_UNKNOWN;
    const char *wanted = value ? read_option(options, key, value) : NULL;
    if (wanted)
        argp_error(state, "--%s '%s': give %s", name_of(key), value, wanted);
    return 0;
}

/* --- the command ---------------------------------------------------------------------- */

static bool measure(struct soak *soak, struct result *result)
{
    const struct soak_options *options = soak->options;
    const struct rig_options rig_options = {.hotlead = options->hotlead,
                                            .below = options->below,
                                            .keep = options->keep,
                                            .aof = options->aof,
                                            .sites = SITES,
                                            .shape = "zset"};

    if (rig_open(&rig_options, stderr, &soak->rig) != STATUS_OK)
        return false;
    bool sound = soak_it(soak, result) && conclude(soak, result);
    rig_close(soak->rig);
    return sound;
}

int soak_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench soak";
    struct soak_options options = {
        .minutes = 30, .redis_every_s = 120, .connections = 64, .aof = RIG_AOF_EVERYSEC};
    static const struct argp argp = {
        .options = soak_rows,
        .parser = on_soak_option,
        .doc = "A long run in which Redis is killed and hotlead is restarted: nothing may be lost, "
               "nothing may creep."};
    struct result result;
    struct soak soak = {.options = &options, .result = &result};

    write_command(argc, argv, soak.command, sizeof soak.command);
    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    process_allow_descriptors(0); /* the server holds as many connections as we do */
    soak.seconds = options.minutes * 60;
    soak.samples = calloc(soak.seconds, sizeof *soak.samples);
    bool sound = result_init(&result) == STATUS_OK;
    MUST(soak.samples != NULL && sound);
    sound = measure(&soak, &result);
    free(soak.samples);
    result_free(&result);
    return sound ? BENCH_DONE : BENCH_FAILED;
}
