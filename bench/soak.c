/* hotlead-bench soak: half an hour at half the maximum, with Redis killed and hotlead restarted in
 * between. Nothing acknowledged may be lost; memory, descriptors and bytes an opt-in must not
 * creep.
 *
 * The server is restarted and killed in the first half only: in the second one it has to live with
 * a Redis that comes and goes, long enough for a leak to show. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <argp.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/rig.h"
#include "bench/run.h"
#include "proto/must.h"

#define PROBE_S       10   /* of the search for the maximum */
#define REDIS_AWAY_S  5    /* from a kill to the next start */
#define SETTLE_S      60   /* of a process, before its memory is compared */
#define CREEP_MEMORY  0.10 /* of memory beyond what a person may cost */
#define CREEP_FILE    0.15 /* of bytes an opt-in */
#define PERSON_BYTES  60   /* of memory: DESIGN.md */
#define SERVER_FAULTS 6    /* restarts and kills, in turn */

struct soak_options {
    double minutes, rate;
    unsigned redis_every_s, connections;
    enum rig_aof aof;
    const char *hotlead, *below, *json, *html;
    bool keep;
};

struct soak_sample {
    uint64_t anonymous_bytes, folder_bytes, acked;
    unsigned descriptors;
};

struct soak {
    const struct soak_options *options;
    struct rig *rig;
    unsigned seconds;       /* of the whole run */
    unsigned redis_back_at; /* 0: it is there */
    bool stopping;          /* the server was asked to go */
    unsigned restarts, kills, redis_kills, strange_ends;
    struct soak_sample *samples; /* one a second */
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

/* One restart or kill in each share of the first half; whoever is gone is started again at once. */
static void on_server_second(struct soak *soak, unsigned second)
{
    struct process *server = rig_server(soak->rig);
    unsigned share = soak->seconds / 2 / (SERVER_FAULTS + 1);

    if (!process_lives(server)) {
        if (!soak->stopping)
            soak->strange_ends++;
        soak->stopping = false;
        rig_spawn_server(soak->rig, stderr);
    } else if (share && second % share == share - 1 && second < SERVER_FAULTS * share) {
        bool gently = second / share % 2 == 0;
        process_signal(server, gently ? SIGTERM : SIGKILL);
        soak->stopping = true;
        if (gently)
            soak->restarts++;
        else
            soak->kills++;
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

/* The middle one of some seconds, so that a moment does not decide. */
static int by_memory(const void *a, const void *b)
{
    const struct soak_sample *left = a, *right = b;

    return (left->anonymous_bytes > right->anonymous_bytes) -
           (left->anonymous_bytes < right->anonymous_bytes);
}

#define AROUND 15
static struct soak_sample around(const struct soak *soak, unsigned second)
{
    struct soak_sample some[AROUND];

    MUST(second >= AROUND && second <= soak->seconds);
    memcpy(some, soak->samples + second - AROUND, sizeof some);
    qsort(some, AROUND, sizeof *some, by_memory);
    return some[AROUND / 2];
}

static double bytes_each(const struct soak_sample *from, const struct soak_sample *to)
{
    uint64_t acked = to->acked - from->acked;

    return acked ? ((double)to->folder_bytes - (double)from->folder_bytes) / (double)acked : 0;
}

/* From when the last server had settled in the second half until the end. */
static void judge(struct soak *soak, struct result *result)
{
    unsigned begin = soak->seconds / 2 + SETTLE_S, end = soak->seconds;

    if (begin + 4 * AROUND > end) {
        result_check(result, true, "long enough to judge creeping", "no: %u s", soak->seconds);
        return;
    }
    struct soak_sample first = around(soak, begin), last = around(soak, end);
    struct soak_sample quarter = around(soak, end / 4), early = around(soak, AROUND);
    double allowed = (double)first.anonymous_bytes * (1 + CREEP_MEMORY) +
                     (double)(last.acked - first.acked) * PERSON_BYTES;
    double young = bytes_each(&early, &quarter), old = bytes_each(&first, &last);

    result_check(result, (double)last.anonymous_bytes <= allowed, "memory is flat",
                 "%.1f MiB, then %.1f MiB %u s later with %llu people more",
                 (double)first.anonymous_bytes / (1 << 20),
                 (double)last.anonymous_bytes / (1 << 20), end - begin,
                 (unsigned long long)(last.acked - first.acked));
    result_check(result, last.descriptors <= first.descriptors + 2, "descriptors are flat",
                 "%u, then %u", first.descriptors, last.descriptors);
    result_check(result, old <= young * (1 + CREEP_FILE), "bytes on disk an opt-in are flat",
                 "%.0f in the first quarter, %.0f at the end", young, old);
    result_check(result, soak->strange_ends == 0, "no process ended by itself", "%u did",
                 soak->strange_ends);
}

/* --- the command -------------------------------------------------------------------- */

static struct run_options load_of(const struct soak_options *options)
{
    return (struct run_options){
        .arrivals = SCHEDULE_POISSON,
        .connections = options->connections,
        .people = {.seed = 1,
                   .json = 70,
                   .form = 25,
                   .multipart = 5,
                   .returning = 0.05,
                   .duplicates = 0.02},
        .consumers = 2,
        .mode = CONSUME_REPORT,
        .drain_s = 60,
        .command = "hotlead-bench soak",
        .progress = stderr,
    };
}

/* Half of what it does at saturation for some seconds. */
static bool find_rate(struct soak *soak, double *rate_out, uint64_t *next_out)
{
    struct run_options options = load_of(soak->options);
    struct result result;

    options.duration_s = PROBE_S;
    options.warmup_s = 1;
    bool sound = result_init(&result) == STATUS_OK &&
                 run_once(&options, rig_target(soak->rig), stderr, &result) == STATUS_OK &&
                 result_is_sound(&result);
    *rate_out = result_acked_per_second(&result) / 2;
    *next_out = result.sent;
    result_free(&result);
    return sound;
}

static bool soak_it(struct soak *soak, struct result *result)
{
    struct run_options options = load_of(soak->options);

    options.rate = soak->options->rate;
    if (options.rate <= 0 && !find_rate(soak, &options.rate, &options.people.first))
        return false;
    fprintf(stderr, "soak: %.0f opt-ins/s for %.0f minutes\n", options.rate,
            soak->options->minutes);
    options.duration_s = soak->seconds;
    options.faults = true;
    options.on_second = on_second;
    options.owner = soak;
    machine_read(&result->machine);
    machine_disk_read(rig_folder(soak->rig), &result->disk);
    return run_once(&options, rig_target(soak->rig), stderr, result) == STATUS_OK;
}

static bool write_faces(const struct soak_options *options, const struct result *result)
{
    const struct {
        const char *path;
        enum status (*write)(const struct result *, FILE *);
    } faces[] = {{options->json, result_write_json}, {options->html, output_html}};
    bool written = true;

    for (size_t i = 0; i < sizeof faces / sizeof *faces; i++) {
        if (!faces[i].path)
            continue;
        FILE *file = fopen(faces[i].path, "w");
        bool done = file && faces[i].write(result, file) == STATUS_OK;
        if ((file && fclose(file) != 0) || !done) {
            fprintf(stderr, "soak: %s cannot be written\n", faces[i].path);
            written = false;
        }
    }
    return written;
}

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

static double positive(struct argp_state *state, const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value > 0))
        argp_error(state, "%s: '%s' is not a number over 0", name, text);
    return value;
}

static error_t on_soak_option(int key, char *value, struct argp_state *state)
{
    struct soak_options *options = state->input;

    switch (key) {
    case 'm':
        options->minutes = positive(state, "--minutes", value);
        break;
    case 'r':
        options->rate = positive(state, "--rate", value);
        break;
    case 'c':
        options->connections = (unsigned)positive(state, "--connections", value);
        break;
    case KEY_REDIS_EVERY:
        options->redis_every_s = (unsigned)positive(state, "--kill-redis-every", value);
        if (options->redis_every_s < 2 * REDIS_AWAY_S)
            argp_error(state, "--kill-redis-every: at least %d", 2 * REDIS_AWAY_S);
        break;
    case KEY_AOF:
        if (strcmp(value, "off") != 0 && strcmp(value, "everysec") != 0)
            argp_error(state, "--aof: everysec or off");
        options->aof = strcmp(value, "off") == 0 ? RIG_AOF_OFF : RIG_AOF_EVERYSEC;
        break;
    case KEY_JSON:
        options->json = value;
        break;
    case KEY_HTML:
        options->html = value;
        break;
    case KEY_HOTLEAD:
        options->hotlead = value;
        break;
    case KEY_BELOW:
        options->below = value;
        break;
    case KEY_KEEP:
        options->keep = true;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not understood", value);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int soak_command(int argc, char **argv)
{
    struct soak_options options = {
        .minutes = 30, .redis_every_s = 120, .connections = 64, .aof = RIG_AOF_EVERYSEC};
    static const struct argp argp = {
        .options = soak_rows,
        .parser = on_soak_option,
        .doc = "A long run in which Redis is killed and hotlead is restarted: nothing may be lost, "
               "nothing may creep."};

    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return BENCH_USAGE;

    struct rig_options rig_options = {.hotlead = options.hotlead,
                                      .below = options.below,
                                      .keep = options.keep,
                                      .aof = options.aof,
                                      .sites = 10,
                                      .shape = "zset"};
    struct result result;
    struct soak soak = {
        .options = &options, .seconds = (unsigned)(options.minutes * 60), .result = &result};
    bool sound = result_init(&result) == STATUS_OK;

    soak.samples = calloc(soak.seconds + 1, sizeof *soak.samples);
    MUST(soak.samples != NULL);
    sound = sound && rig_open(&rig_options, stderr, &soak.rig) == STATUS_OK;
    sound = sound && soak_it(&soak, &result);
    if (sound) {
        judge(&soak, &result);
        output_summary(&result, stdout);
        printf("\nRedis was killed %u times, hotlead restarted %u and killed %u times\n",
               soak.redis_kills, soak.restarts, soak.kills);
        sound = write_faces(&options, &result) && result_is_sound(&result);
    }
    if (soak.rig)
        rig_close(soak.rig);
    free(soak.samples);
    result_free(&result);
    return sound ? BENCH_DONE : BENCH_FAILED;
}
