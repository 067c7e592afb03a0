/* The options of `hotlead-bench run`, by argp. All is checked here, so that nothing that was typed
 * wrong is noticed only after minutes of load. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/run_command_internal.h"

#define RATE_MAX        2000000
#define CONNECTIONS_MAX 60000
#define CONSUMERS_MAX   256
#define AT_ONCE_MAX     10000
#define SITES_MAX       10000
#define DURATION_MAX_S  (7 * 86400)
#define NOT_GIVEN       (-1.0)

/* What a plain run does, and what --quick makes of it. */
#define RATE        1000
#define DURATION_S  10
#define QUICK_RATE  2000
#define QUICK_S     8
#define WARMUP_S    1
#define CONNECTIONS 64
#define CONSUMERS   2
#define SITES       10
#define TIMEOUT_MS  10000
#define LIMIT       "p99<10ms"
#define USUAL_MIX   "json=70,form=25,multipart=5"
#define RANDOM_SEED 1

enum option_key {
    KEY_URL = 256,
    KEY_REDIS,
    KEY_KEY,
    KEY_PUBLIC_KEY,
    KEY_QUEUE,
    KEY_EMAIL_QUEUE,
    KEY_TOKEN,
    KEY_ADMIN_URL,
    KEY_RATE,
    KEY_MAX,
    KEY_LIMIT,
    KEY_ARRIVALS,
    KEY_DURATION,
    KEY_WARMUP,
    KEY_CONNECTIONS,
    KEY_NEW_CONNECTIONS,
    KEY_TIMEOUT,
    KEY_SITES,
    KEY_MIX,
    KEY_RETURNING,
    KEY_DUPLICATES,
    KEY_SEED,
    KEY_CONSUMERS,
    KEY_AT_ONCE,
    KEY_CONSUMER_MODE,
    KEY_AOF,
    KEY_DISK,
    KEY_SHAPE,
    KEY_PLAYBOOK,
    KEY_THRESHOLD,
    KEY_JSON,
    KEY_HTML,
    KEY_HDR,
    KEY_QUICK,
    KEY_ALLOW_TMPFS,
    KEY_KEEP,
    KEY_NAME,
    KEY_LABEL,
    KEY_HOTLEAD,
    KEY_LISTEN,
    KEY_END
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What is sent", 1},
    {"rate", KEY_RATE, "R", 0,
     "opt-ins a second, at moments fixed beforehand (1000); 0: each "
     "connection sends when it has its answer, a figure of throughput",
     0},
    {"max", KEY_MAX, 0, 0, "search the highest rate that keeps --limit; 2 to 3 minutes", 0},
    {"limit", KEY_LIMIT, "T", 0, "for --max (" LIMIT "); as a threshold", 0},
    {"arrivals", KEY_ARRIVALS, "A", 0, "constant, or poisson: as independent visitors (constant)",
     0},
    {"duration", KEY_DURATION, "D", 0, "10s, 5m, 1h (10s)", 0},
    {"warmup", KEY_WARMUP, "D", 0, "sent before and not counted (1s)", 0},
    {"quick", KEY_QUICK, 0, 0, "8 s at 2000/s: a whole run in under 15 s", 0},
    {"connections", KEY_CONNECTIONS, "N", 0, "kept open (64)", 0},
    {"new-connections", KEY_NEW_CONNECTIONS, 0, 0, "one for each request", 0},
    {"timeout", KEY_TIMEOUT, "D", 0, "of an answer (10s)", 0},
    {"mix", KEY_MIX, "M", 0, "weights of the kinds of body (" USUAL_MIX ")", 0},
    {"returning", KEY_RETURNING, "P", 0, "percent by somebody known (0)", 0},
    {"duplicates", KEY_DUPLICATES, "P", 0, "percent that repeat a request (0)", 0},
    {"seed", KEY_SEED, "N", 0,
     "of the people; the same one sends the same again (1; with --url "
     "another each time)",
     0},
    {0, 0, 0, 0, "Who takes the tasks", 2},
    {"consumers", KEY_CONSUMERS, "N", 0, "each pops on a connection of its own (2); 0: a backlog",
     0},
    {"at-once", KEY_AT_ONCE, "N", 0, "tasks a pop may bring (64)", 0},
    {"consumer-mode", KEY_CONSUMER_MODE, "M", 0,
     "report (claim and outcome of each), pop, or nothing "
     "(report)",
     0},
    {0, 0, 0, 0, "The server that is started for it", 3},
    {"hotlead", KEY_HOTLEAD, "PATH", 0, "the program (the one beside this)", 0},
    {"listen", KEY_LISTEN, "HOST:PORT", 0, "where it listens (a free port)", 0},
    {"sites", KEY_SITES, "N", 0, "that opt-ins come from (10)", 0},
    {"shape", KEY_SHAPE, "S", 0, "of its queue: zset or list (zset)", 0},
    {"playbook", KEY_PLAYBOOK, "FILE", 0,
     "that its agency goes by (the shipped one); bench/calls.yaml is that without its immediate "
     "e-mail",
     0},
    {"aof", KEY_AOF, "A", 0, "Redis' append-only file: everysec or off (everysec)", 0},
    {"disk", KEY_DISK, "D", 0,
     "simulate a disk: syncs are left out and take this long, such as 80us; nothing is durable, "
     "and "
     "the result says so",
     0},
    {"allow-tmpfs", KEY_ALLOW_TMPFS, 0, 0, "run where an fsync costs nothing; the result says so",
     0},
    {"keep", KEY_KEEP, 0, 0, "leave the folder with journal and logs", 0},
    {0, 0, 0, 0, "A server that runs already", 4},
    {"url", KEY_URL, "URL", 0, "http://host:port", 0},
    {"key", KEY_KEY, "SK", 0, "a site's secret key", 0},
    {"public-key", KEY_PUBLIC_KEY, "PK", 0, "and its public one: without it only JSON is sent", 0},
    {"redis", KEY_REDIS, "URL", 0, "where its queue is: redis://host:port/db or unix:///path", 0},
    {"queue", KEY_QUEUE, "Q", 0, "(<agency of the key>.calls)", 0},
    {"email-queue", KEY_EMAIL_QUEUE, "Q", 0,
     "such as <agency>.email: its e-mails are taken and reported as sent, whosever they are (left "
     "alone)",
     0},
    {"admin-url", KEY_ADMIN_URL, "URL", 0,
     "its admin_listen, when it has one: there are its metrics, which add commit and commit -> "
     "visible (--url)",
     0},
    {"token", KEY_TOKEN, "T", 0, "an administrator's, should somebody ask for one there", 0},
    {0, 0, 0, 0, "What comes out", 5},
    {"threshold", KEY_THRESHOLD, "T", 0,
     "exit 3 when it is missed: 'p99<10ms', 'ack.p99.9<5ms', "
     "'loss==0', 'errors<=5', 'rate>=9900', 'cpu<20us'; many",
     0},
    {"json", KEY_JSON, "FILE", 0, "the result, for report and diff", 0},
    {"html", KEY_HTML, "FILE", 0, "a page with plots", 0},
    {"hdr", KEY_HDR, "FILE", 0, "speed-to-lead as HdrHistogram's percentiles", 0},
    {"name", KEY_NAME, "TEXT", 0, "what the result is called (hotlead)", 0},
    {"label", KEY_LABEL, 0, OPTION_ALIAS, 0, 0},
    {0, 0, 0, 0, "Help", -1},
    {0},
};

/* While reading: what was asked for, and which options were given at all. */
struct reading {
    struct run_asked *asked;
    bool given[KEY_END - KEY_URL];
    bool quick;
    const char *mix;
};

static bool is_given(const struct reading *reading, enum option_key key)
{
    return reading->given[key - KEY_URL];
}

static const char *name_of(int key)
{
    for (const struct argp_option *option = options; option->name || option->group; option++)
        if (option->name && option->key == key)
            return option->name;
    return "";
}

/* The place of `word` in a list that ends with NULL. */
static bool read_word(const char *word, const char *const *words, int *out)
{
    for (*out = 0; words[*out]; ++*out)
        if (strcmp(word, words[*out]) == 0)
            return true;
    return false;
}

/* Those with a value to be read. False: it is no such value, and `wanted_out` says what is. */
static bool read_value(struct reading *reading, int key, const char *text, const char **wanted_out)
{
    struct run_options *run = &reading->asked->run;
    struct rig_options *rig = &reading->asked->rig;
    static const char *const arrivals[] = {"constant", "poisson", NULL};
    static const char *const modes[] = {"pop", "report", "nothing", NULL};
    static const char *const shapes[] = {"zset", "list", NULL};
    double seconds;
    unsigned number;
    int word;

    switch (key) {
    case KEY_RATE:
        *wanted_out = "a number a second up to 2000000, such as 2500 or 2.5k";
        return read_rate(text, &run->rate) && run->rate <= RATE_MAX;
    case KEY_DURATION:
        *wanted_out = "a time up to a week, such as 10s or 5m";
        return read_duration(text, &run->duration_s) && run->duration_s > 0 &&
               run->duration_s <= DURATION_MAX_S;
    case KEY_WARMUP:
        *wanted_out = "a time, such as 1s or 0";
        return read_duration(text, &run->warmup_s) && run->warmup_s <= DURATION_MAX_S;
    case KEY_TIMEOUT:
        *wanted_out = "a time from 1ms to 1h, such as 10s";
        if (!read_duration(text, &seconds) || seconds < 0.001 || seconds > 3600)
            return false;
        run->timeout_ms = (unsigned)(seconds * 1000);
        return true;
    case KEY_CONNECTIONS:
        *wanted_out = "a number from 1 to 60000";
        return read_count(text, 1, CONNECTIONS_MAX, &run->connections);
    case KEY_CONSUMERS:
        *wanted_out = "a number from 0 to 256";
        return read_count(text, 0, CONSUMERS_MAX, &run->consumers);
    case KEY_AT_ONCE:
        *wanted_out = "a number from 1 to 10000";
        return read_count(text, 1, AT_ONCE_MAX, &run->at_once);
    case KEY_SITES:
        *wanted_out = "a number from 1 to 10000";
        return read_count(text, 1, SITES_MAX, &rig->sites);
    case KEY_SEED:
        *wanted_out = "a number from 0 to 4294967295";
        if (!read_count(text, 0, UINT32_MAX, &number))
            return false;
        run->people.seed = number;
        return true;
    case KEY_RETURNING:
        *wanted_out = "a percentage, such as 5 or 5%";
        return read_share(text, &run->people.returning);
    case KEY_DUPLICATES:
        *wanted_out = "a percentage, such as 5 or 5%";
        return read_share(text, &run->people.duplicates);
    case KEY_ARRIVALS:
        *wanted_out = "constant or poisson";
        if (!read_word(text, arrivals, &word))
            return false;
        run->arrivals = word == 0 ? SCHEDULE_CONSTANT : SCHEDULE_POISSON;
        return true;
    case KEY_CONSUMER_MODE:
        *wanted_out = "pop, report or nothing";
        if (!read_word(text, modes, &word))
            return false;
        run->mode = (enum consume_mode)word;
        return true;
    case KEY_AOF:
        *wanted_out = "everysec or off";
        return read_aof(text, &rig->aof);
    case KEY_DISK:
        *wanted_out = "how long a sync takes, up to 1 s, such as 80us or 2ms";
        return rig_read_disk(text, &rig->disk_us);
    case KEY_SHAPE:
        *wanted_out = "zset or list";
        rig->shape = text;
        return read_word(text, shapes, &word);
    case KEY_PLAYBOOK:
        *wanted_out = PLAYBOOK_WANTED;
        rig->playbook = text;
        return playbook_is_sound(text);
    default:
        *wanted_out = "something else"; /* not one of these */
        return true;
    }
}

/* Those that are texts, or nothing but there. False: none of these. */
static bool keep_text(struct reading *reading, int key, const char *text)
{
    struct run_asked *asked = reading->asked;
    const struct {
        int key;
        const char **place;
    } texts[] = {
        {KEY_URL, &asked->url},           {KEY_REDIS, &asked->redis},
        {KEY_KEY, &asked->key},           {KEY_PUBLIC_KEY, &asked->public_key},
        {KEY_QUEUE, &asked->queue},       {KEY_EMAIL_QUEUE, &asked->email_queue},
        {KEY_TOKEN, &asked->token},       {KEY_ADMIN_URL, &asked->admin_url},
        {KEY_LIMIT, &asked->limit},       {KEY_JSON, &asked->files.json},
        {KEY_HTML, &asked->files.html},   {KEY_HDR, &asked->files.hdr},
        {KEY_NAME, &asked->name},         {KEY_HOTLEAD, &asked->rig.hotlead},
        {KEY_LISTEN, &asked->rig.listen}, {KEY_MIX, &reading->mix},
    };
    const struct {
        int key;
        bool *place;
    } flags[] = {
        {KEY_MAX, &asked->max},
        {KEY_QUICK, &reading->quick},
        {KEY_KEEP, &asked->rig.keep},
        {KEY_ALLOW_TMPFS, &asked->rig.allow_tmpfs},
        {KEY_NEW_CONNECTIONS, &asked->run.new_connections},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].key == key) {
            *texts[i].place = text;
            return true;
        }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].key == key) {
            *flags[i].place = true;
            return true;
        }
    return false;
}

static void add_threshold(struct argp_state *state, struct run_asked *asked, const char *text)
{
    if (asked->threshold_count == RUN_THRESHOLDS_MAX)
        argp_error(state, "at most %d thresholds", RUN_THRESHOLDS_MAX);
    asked->thresholds[asked->threshold_count++] = text;
}

/* --- what does not go together -------------------------------------------------------------------
 */

static void refuse_without_url(const struct reading *reading, struct argp_state *state)
{
    static const enum option_key remote[] = {KEY_KEY,   KEY_PUBLIC_KEY, KEY_REDIS,      KEY_QUEUE,
                                             KEY_TOKEN, KEY_ADMIN_URL,  KEY_EMAIL_QUEUE};

    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if (is_given(reading, remote[i]))
            argp_error(state,
                       "--%s goes with --url; without it a server and a Redis are started for the "
                       "run",
                       name_of(remote[i]));
}

static void check_url(const struct reading *reading, struct argp_state *state)
{
    static const enum option_key own[] = {KEY_HOTLEAD,     KEY_LISTEN, KEY_SITES, KEY_AOF,
                                          KEY_ALLOW_TMPFS, KEY_KEEP,   KEY_DISK,  KEY_PLAYBOOK};
    const struct run_asked *asked = reading->asked;
    char agency[TARGET_TEXT_MAX];

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (is_given(reading, own[i]))
            argp_error(state,
                       "--%s is of the server that is started for a run; it does not go with "
                       "--url",
                       name_of(own[i]));
    if (!remote_url_is_sound(asked->url))
        argp_error(state, "--url is http://host:port, without a path (TLS is the proxy's; measure "
                          "behind it)");
    if (asked->admin_url && !remote_url_is_sound(asked->admin_url))
        argp_error(state, "--admin-url is http://host:port, without a path");
    if (!asked->key)
        argp_error(state,
                   "--url needs --key, the secret key of a site there: hotlead site add ...");
    if (!remote_agency_of(asked->key, agency))
        argp_error(state, "--key is a site's secret key: sk_<agency>_...");
    if (asked->public_key && strncmp(asked->public_key, "pk_", 3) != 0)
        argp_error(state, "--public-key is a site's public key: pk_<agency>_...");
    if (!asked->redis && asked->run.consumers > 0)
        argp_error(state,
                   "--url needs --redis, where the tasks come out, or --consumers 0 to leave "
                   "them there");
    if (asked->redis && strncmp(asked->redis, "redis://", 8) != 0 &&
        strncmp(asked->redis, "unix://", 7) != 0)
        argp_error(state, "--redis is redis://[user:password@]host:port/db or unix:///path");
}

/* A server that runs already has the people of yesterday's seed: they would be repetitions. */
static uint32_t fresh_seed(void)
{
    uint32_t seed;

    if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0)
        seed = (uint32_t)uv_hrtime();
    return seed;
}

static void check_mix(struct reading *reading, struct argp_state *state)
{
    struct run_asked *asked = reading->asked;
    struct people_options *people = &asked->run.people;
    bool only_json = asked->url && !asked->public_key;
    const char *why, *mix = reading->mix ? reading->mix : only_json ? "json=100" : USUAL_MIX;

    if (!read_mix(mix, people, &why))
        argp_error(state, "--mix '%s': %s", mix, why);
    if (why)
        fprintf(stderr, "hotlead-bench: --mix '%s': %s\n", mix, why);
    if (only_json && people->form + people->multipart > 0)
        argp_error(state, "forms are sent with a site's public key: give --public-key, or --mix "
                          "json=100");
    if (people->returning + people->duplicates > 1)
        argp_error(state, "--returning and --duplicates are together more than 100%%");
}

static void check_files(const struct run_asked *asked, struct argp_state *state)
{
    const char *const paths[] = {asked->files.json, asked->files.html, asked->files.hdr};
    const char *fault = files_fault(paths);

    if (fault)
        argp_error(state, "%s", fault);
}

static void check_thresholds(const struct run_asked *asked, struct argp_state *state)
{
    bool sound =
        !asked->limit || output_threshold_check(asked->limit, state->err_stream) == STATUS_OK;

    for (unsigned i = 0; i < asked->threshold_count; i++)
        sound &= output_threshold_check(asked->thresholds[i], state->err_stream) == STATUS_OK;
    if (!sound)
        exit(BENCH_USAGE);
    if (asked->limit && !asked->max)
        argp_error(state, "--limit goes with --max; what a run has to keep is a --threshold");
    if (asked->max && asked->run.rate == 0)
        argp_error(state, "--max tries rates, beginning with --rate, which cannot be 0");
}

static void check_all(struct reading *reading, struct argp_state *state)
{
    struct run_asked *asked = reading->asked;
    struct run_options *run = &asked->run;

    if (run->rate == NOT_GIVEN)
        run->rate = reading->quick ? QUICK_RATE : RATE;
    if (run->duration_s == NOT_GIVEN)
        run->duration_s = reading->quick ? QUICK_S : DURATION_S;
    if (run->mode == CONSUME_NOTHING)
        run->consumers = 0;
    if (run->consumers == 0)
        run->mode = CONSUME_NOTHING;
    if (asked->max && !asked->limit)
        asked->limit = LIMIT;
    if (asked->url && !is_given(reading, KEY_SEED))
        run->people.seed = fresh_seed();
    if (asked->url)
        check_url(reading, state);
    else
        refuse_without_url(reading, state);
    check_mix(reading, state);
    check_files(asked, state);
    check_thresholds(asked, state);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    const char *wanted;

    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is no option; see --help", text);
    if (key == ARGP_KEY_SUCCESS)
        check_all(reading, state);
    if (key < KEY_URL || key >= KEY_END)
        return ARGP_ERR_UNKNOWN;
    reading->given[key - KEY_URL] = true;
    if (key == KEY_THRESHOLD)
        add_threshold(state, reading->asked, text);
    else if (!keep_text(reading, key, text) && !read_value(reading, key, text, &wanted))
        argp_error(state, "--%s '%s': give %s", name_of(key), text, wanted);
    return 0;
}

void run_asked_read(int argc, char **argv, struct run_asked *out)
{
    static char name[] = "hotlead-bench run";
    const struct argp argp = {
        options,
        parse,
        NULL,
        "Sends opt-ins at fixed moments, pops their tasks as a dialer does, and says how long a "
        "lead "
        "waited and whether one was lost. Without --url it starts a hotlead and a Redis of its own "
        "in "
        "a temporary folder, and removes them."
        "\v  hotlead-bench run --quick\n"
        "  hotlead-bench run --rate 10k --duration 1m --html run.html\n"
        "  hotlead-bench run --rate 10k --threshold 'p99<10ms' --threshold loss==0\n"
        "  hotlead-bench run --max --limit 'p99<10ms'\n"
        "  hotlead-bench run --url http://host:8080 --key sk_... --redis redis://host\n\n"
        "What stands in brackets is what is taken where nothing is given. The summary goes to "
        "stdout, progress to stderr. Ctrl-C ends the sending, waits for what was sent and sums it "
        "up; a second one ends at once, with 130.\n\n"
        "Exit: 0 done, 1 failed or an opt-in was lost, 2 usage, 3 a threshold was missed.",
        NULL,
        NULL,
        NULL};
    struct reading reading = {.asked = out};

    *out = (struct run_asked){
        .run = {.rate = NOT_GIVEN,
                .duration_s = NOT_GIVEN,
                .warmup_s = WARMUP_S,
                .connections = CONNECTIONS,
                .timeout_ms = TIMEOUT_MS,
                .consumers = CONSUMERS,
                .mode = CONSUME_REPORT,
                .people = {.seed = RANDOM_SEED}},
        .rig = {.sites = SITES, .shape = "zset"},
        .files = {.hdr_latency = RESULT_LATENCY_COUNT},
    };
    write_command(argc, argv, out->command, sizeof out->command);
    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &reading);
}
