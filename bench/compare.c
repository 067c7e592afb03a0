/* hotlead-bench compare: hotlead beside what people would use otherwise, in one run. Sides take
 * turns, since the machine is not the same from minute to minute; each turn is a new server and a
 * new Redis on a folder of their own, the same load, the same consumer, and checks without which a
 * figure is none. */
#include "bench/compare.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/command_words.h"
#include "bench/commands.h"
#include "bench/compare_options.h"
#include "bench/interrupt.h"
#include "bench/output.h"
#include "bench/peer.h"
#include "bench/run.h"
#include "proto/must.h"

#define WARMUP_S       1.0
#define AROUND_S       2.0 /* what a start, a drain and an end take, for an estimate */
#define CONSUMERS      1
#define POPPED_AT_ONCE 512 /* so that one consumer keeps up with any of them */
#define SEED           1
#define WITH_REPORTS   "+report"

/* In the order in which they are measured and shown. A folder in bench/peers that is not here is
 * measured when --only names it. */
static const char *const known_peers[] = {
    "webdis",    "nginx-lua", "fastify-bullmq", "fastify-lmdb-bullmq", "fastify-sqlite-bullmq",
    "nginx-204", "floor",     "floor-lmdb"};
#define KNOWN_PEERS (sizeof known_peers / sizeof *known_peers)

/* --- sides ---------------------------------------------------------------------------------- */

struct side {
    bool hotlead;
    const char *program; /* of hotlead; NULL: beside this one */
    enum consume_mode mode;
    struct peer peer;
};

struct comparison {
    const struct compare_options *options;
    struct compare compare;
    struct side sides[COMPARE_SIDES_MAX]; /* as in `compare` */
    char folder[PEER_PATH_MAX];           /* where temporary folders go */
};

static bool is_wanted(const struct compare_options *options, const char *name)
{
    if (options->name_count == 0)
        return true;
    for (unsigned i = 0; i < options->name_count; i++)
        if (strcmp(options->names[i], name) == 0)
            return true;
    return false;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < KNOWN_PEERS; i++)
        if (strcmp(known_peers[i], name) == 0)
            return true;
    return strcmp(name, "hotlead") == 0;
}

/* NULL: there are too many. */
static struct side *add_side(struct comparison *comparison, struct compare_side **shown_out)
{
    struct compare *compare = &comparison->compare;

    if (compare->side_count == COMPARE_SIDES_MAX) {
        fprintf(stderr, "hotlead-bench: more than %d sides\n", COMPARE_SIDES_MAX);
        return NULL;
    }
    *shown_out = &compare->sides[compare->side_count];
    (*shown_out)->rounds = calloc(comparison->options->rounds, sizeof *(*shown_out)->rounds);
    MUST((*shown_out)->rounds != NULL);
    return &comparison->sides[compare->side_count++];
}

/* The first line that a command prints, "" when there is none. */
static void ask(const char *program, const char *argument, char *out, size_t capacity)
{
    char command[PEER_PATH_MAX + 64];
    FILE *pipe = NULL;

    if (snprintf(command, sizeof command, "'%s' %s 2>/dev/null", program, argument) <
        (int)sizeof command)
        pipe = popen(command, "re");
    if (!pipe || !fgets(out, (int)capacity, pipe))
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (pipe)
        pclose(pipe);
}

static enum status add_hotlead(struct comparison *comparison, const struct peer_places *places,
                               unsigned number, enum consume_mode mode)
{
    const char *program = comparison->options->programs[number];
    char beside[PEER_PATH_MAX + 16];
    struct compare_side *shown;
    struct side *side = add_side(comparison, &shown);

    if (!side)
        return STATUS_TOO_LARGE;
    *side = (struct side){.hotlead = true, .program = program, .mode = mode};
    snprintf(beside, sizeof beside, "%s/hotlead", places->programs);
    ask(program ? program : beside, "--version", shown->version, sizeof shown->version);
    snprintf(shown->name, sizeof shown->name, "hotlead%s",
             mode == CONSUME_REPORT ? WITH_REPORTS : "");
    if (number > 0)
        snprintf(shown->name, sizeof shown->name, "hotlead-%u%s", number + 1,
                 mode == CONSUME_REPORT ? WITH_REPORTS : "");
    snprintf(shown->does, sizeof shown->does,
             "checks the opt-in, matches it to a person, has it on disk, then puts its tasks on "
             "queues; the consumer, and a robot for e-mails, %s",
             mode == CONSUME_REPORT ? "report what came of each" : "only pop");
    shown->durable = true;
    return STATUS_OK;
}

static enum status add_hotleads(struct comparison *comparison, const struct peer_places *places)
{
    const struct compare_options *options = comparison->options;
    unsigned count = options->program_count > 0 ? options->program_count : 1;
    enum status result = STATUS_OK;

    if (!is_wanted(options, "hotlead"))
        return STATUS_OK;
    for (unsigned i = 0; i < count && result == STATUS_OK; i++) {
        if (options->pop)
            result = add_hotlead(comparison, places, i, CONSUME_POP);
        if (result == STATUS_OK && options->report)
            result = add_hotlead(comparison, places, i, CONSUME_REPORT);
    }
    return result;
}

/* A program of ours is built, anything else installed. */
static void tell_missing(const struct peer_places *places, const char *name, const char *missing)
{
    size_t length = strlen(places->programs);

    fprintf(stderr, "hotlead-bench: %s is left out: there is no %s; ", name, missing);
    if (strncmp(missing, places->programs, length) == 0 && missing[length] == '/' &&
        strchr(missing + length + 1, '/') == NULL)
        fprintf(stderr, "build it (ninja -C %s %s)\n", places->programs, missing + length + 1);
    else
        fprintf(stderr, "%s/install installs it\n", places->peers);
}

static enum status add_peer(struct comparison *comparison, const struct peer_places *places,
                            const char *name)
{
    struct compare_side *shown;
    struct peer peer;
    enum status result = peer_read(places, name, stderr, &peer);

    if (result != STATUS_OK)
        return result;
    const char *missing = peer_missing(&peer);
    if (missing) {
        tell_missing(places, name, missing);
        return STATUS_OK;
    }
    struct side *side = add_side(comparison, &shown);
    if (!side)
        return STATUS_TOO_LARGE;
    *side = (struct side){.mode = CONSUME_POP, .peer = peer};
    snprintf(shown->name, sizeof shown->name, "%s", peer.name);
    snprintf(shown->does, sizeof shown->does, "%s", peer.does);
    snprintf(shown->version, sizeof shown->version, "%s", peer.version);
    shown->durable = peer.durable;
    return STATUS_OK;
}

static enum status add_sides(struct comparison *comparison)
{
    const struct compare_options *options = comparison->options;
    struct peer_places places;
    enum status result = peer_places_find(options->peers, &places);

    if (result != STATUS_OK) {
        fprintf(stderr, "hotlead-bench: there are no peers in %s; name their folder with --peers\n",
                options->peers ? options->peers : "bench/peers, beside the folder of this program");
        return result;
    }
    result = add_hotleads(comparison, &places);
    for (size_t i = 0; i < KNOWN_PEERS && result == STATUS_OK; i++)
        if (is_wanted(options, known_peers[i]))
            result = add_peer(comparison, &places, known_peers[i]);
    for (unsigned i = 0; i < options->name_count && result == STATUS_OK; i++)
        if (!is_known(options->names[i]))
            result = add_peer(comparison, &places, options->names[i]);
    return result;
}

/* --- one round of one side ------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void fail(struct compare_round *round,
                                                       const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(round->failed, sizeof round->failed, format, arguments);
    va_end(arguments);
}

static void describe(const struct comparison *comparison, const struct compare_side *shown,
                     struct result *result)
{
    const struct compare *compare = &comparison->compare;

    result->machine = compare->machine;
    result->disk = compare->disk;
    snprintf(result->versions, sizeof result->versions, "%s%s%s", shown->version,
             shown->version[0] ? ", " : "", compare->versions);
    memcpy(result->redis_settings, compare->redis_settings, sizeof result->redis_settings);
}

static const struct result_check *broken_check(const struct result *result)
{
    for (unsigned i = 0; i < result->check_count; i++)
        if (!result->checks[i].holds)
            return &result->checks[i];
    return NULL;
}

/* The same people in each round and on each side, for each has a store of its own. */
static void run_against(const struct comparison *comparison, const struct side *side,
                        const struct target *target, struct compare_round *round)
{
    const struct compare_options *options = comparison->options;
    const struct run_options run = {.rate = options->rate,
                                    .arrivals = SCHEDULE_CONSTANT,
                                    .duration_s = options->duration_s,
                                    .warmup_s = WARMUP_S,
                                    .connections = options->connections,
                                    .people = {.seed = SEED, .json = 1},
                                    .consumers = CONSUMERS,
                                    .at_once = POPPED_AT_ONCE,
                                    .mode = side->mode,
                                    .command = comparison->compare.command};

    if (interrupt_came()) {
        fail(round, "it was ended before it began");
        return;
    }
    enum status result = run_once(&run, target, stderr, &round->result);
    if (result != STATUS_OK) {
        fail(round, "it could not be measured: %s", status_text(result));
        return;
    }
    round->ran = true;
    const struct result_check *broken = broken_check(&round->result);
    if (round->result.interrupted)
        fail(round, "it was ended after %.1f s", round->result.duration_s);
    else if (broken)
        fail(round, "it does not hold that %s: %s", broken->what, broken->detail);
}

static void measure_hotlead(const struct comparison *comparison, const struct side *side,
                            const struct rig_options *place, struct compare_round *round)
{
    struct rig *rig;

    if (rig_open(place, stderr, &rig) != STATUS_OK) {
        fail(round, "it did not start");
        return;
    }
    run_against(comparison, side, rig_target(rig), round);
    rig_close(rig);
}

static void measure_peer(const struct comparison *comparison, const struct side *side,
                         const struct rig_options *place, struct compare_round *round)
{
    struct peer_rig *rig;

    if (peer_rig_open(&side->peer, place, stderr, &rig) != STATUS_OK) {
        fail(round, "it did not start");
        return;
    }
    run_against(comparison, side, peer_rig_target(rig), round);
    peer_rig_close(rig);
}

static void say_round(const struct compare_side *shown, unsigned number,
                      const struct compare_round *round)
{
    if (round->failed[0])
        fprintf(stderr, "round %u: %s: FAILED: %s\n", number + 1, shown->name, round->failed);
    else
        fprintf(stderr, "round %u: %s: %.0f/s, %.1f us of CPU each\n", number + 1, shown->name,
                result_acked_per_second(&round->result),
                result_server_us_per_optin(&round->result));
}

static void measure_side(struct comparison *comparison, unsigned which, unsigned number)
{
    const struct compare_options *options = comparison->options;
    const struct side *side = &comparison->sides[which];
    struct compare_side *shown = &comparison->compare.sides[which];
    struct compare_round *round = &shown->rounds[number];
    struct rig_options place = {.hotlead = side->program ? side->program : options->programs[0],
                                .playbook = options->playbook,
                                .below = options->below,
                                .keep = options->keep,
                                .aof = options->aof,
                                .disk_us = options->disk_us,
                                .sites = 1,
                                .shape = "zset"};

    MUST(result_init(&round->result) == STATUS_OK);
    describe(comparison, shown, &round->result);
    if (side->hotlead)
        measure_hotlead(comparison, side, &place, round);
    else
        measure_peer(comparison, side, &place, round);
    say_round(shown, number, round);
}

/* --- all of it ------------------------------------------------------------------------------ */

/* Forth and back, so that no side always follows the same one. False: a round was ended by hand. */
static bool measure_round(struct comparison *comparison, unsigned number)
{
    struct compare *compare = &comparison->compare;

    for (unsigned i = 0; i < compare->side_count; i++) {
        unsigned which = number % 2 ? compare->side_count - 1 - i : i;
        measure_side(comparison, which, number);
        if (interrupt_came())
            return false;
    }
    return true;
}

/* "Redis server v=7.0.15 sha=00000000:0 ..." */
static void describe_redis(struct comparison *comparison)
{
    struct compare *compare = &comparison->compare;
    char line[256];

    ask("redis-server", "--version", line, sizeof line);
    const char *version = strstr(line, "v=");
    int length = version ? (int)strcspn(version + 2, " ") : 0;
    snprintf(compare->versions, sizeof compare->versions, "hotlead-bench %s, Redis %.*s",
             HOTLEAD_VERSION, length, version ? version + 2 : "");
    snprintf(compare->redis_settings, sizeof compare->redis_settings, "%s",
             comparison->options->aof == RIG_AOF_OFF
                 ? "appendonly no, maxmemory-policy noeviction"
                 : "appendonly yes, appendfsync everysec, maxmemory-policy noeviction");
}

static bool describe_place(struct comparison *comparison)
{
    const struct rig_options place = {.below = comparison->options->below};
    const char *below;

    if (rig_place(&place, stderr, &below) != STATUS_OK)
        return false;
    machine_read(&comparison->compare.machine);
    machine_disk_read(below, &comparison->compare.disk);
    comparison->compare.disk.simulated_us = comparison->options->disk_us;
    return true;
}

static enum status write_json(void *owner, FILE *out)
{
    return compare_write_json(owner, out);
}

static bool every_round_holds(const struct compare *compare)
{
    for (unsigned i = 0; i < compare->side_count; i++)
        for (unsigned round = 0; round < compare->round_count; round++)
            if (!compare_is_figure(&compare->sides[i], round))
                return false;
    return true;
}

static int compare_all(struct comparison *comparison)
{
    const struct compare_options *options = comparison->options;
    struct compare *compare = &comparison->compare;
    double turn_s = WARMUP_S + options->duration_s + AROUND_S;
    bool goes_on = true;

    fprintf(stderr, "compare: %u side%s, %u round%s of %g s: some %.0f s in all\n",
            compare->side_count, compare->side_count == 1 ? "" : "s", options->rounds,
            options->rounds == 1 ? "" : "s", options->duration_s,
            turn_s * compare->side_count * options->rounds);
    for (unsigned number = 0; number < options->rounds && goes_on; number++) {
        compare->round_count = number + 1;
        goes_on = measure_round(comparison, number);
    }
    compare->cut_short = !goes_on;
    compare_print(compare, options->markdown, stdout);
    bool printed = output_flush();
    bool written = output_file_of(options->json, write_json, compare);
    return goes_on && printed && written && every_round_holds(compare) ? BENCH_DONE : BENCH_FAILED;
}

static void free_sides(struct compare *compare, unsigned rounds)
{
    for (unsigned i = 0; i < compare->side_count; i++) {
        for (unsigned round = 0; round < rounds; round++)
            result_free(&compare->sides[i].rounds[round].result);
        free(compare->sides[i].rounds);
    }
}

int compare_command(int argc, char **argv)
{
    struct compare_options options;
    struct comparison *comparison = calloc(1, sizeof *comparison);
    int code = BENCH_USAGE;

    MUST(comparison != NULL);
    write_command(argc, argv, comparison->compare.command, sizeof comparison->compare.command);
    compare_options_read(argc, argv, &options);
    interrupt_watch();
    comparison->options = &options;
    process_allow_descriptors(0); /* each side has as many, whatever it asks for by itself */
    comparison->compare.rate = options.rate;
    comparison->compare.duration_s = options.duration_s;
    comparison->compare.connections = options.connections;
    describe_redis(comparison);
    if (describe_place(comparison) && add_sides(comparison) == STATUS_OK &&
        comparison->compare.side_count > 0)
        code = compare_all(comparison);
    free_sides(&comparison->compare, options.rounds);
    free(comparison);
    free(options.only);
    return code;
}
