/* Runs worlds, one seed each.
 *
 *   sim [--seeds N] [--from SEED] [--operations N] [--jobs N]   a range of seeds: one experiment
 *   sim --seed SEED [--operations N]                            one of them, with all that happens
 *
 * A seed gives the same life each time, to the byte: one in a hundred is lived twice, and the
 * digests are compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/must.h"
#include "tests/sim/world.h"

#define OPERATIONS 80
#define TWICE_EACH 100
#define JOBS_MAX   64

struct settings {
    uint64_t from, seeds, operations, jobs, seed;
    bool one;
};

struct result {
    uint64_t failed, digest;
};

static bool lives_alike(uint64_t seed, unsigned operations, uint64_t digest)
{
    uint64_t again;

    if (!world_run(seed, operations, false, &again))
        return false;
    if (again != digest)
        printf("seed %llu: another life the second time\n", (unsigned long long)seed);
    return again == digest;
}

/* Every `jobs`th seed, from the `job`th on. */
static struct result run_share(const struct settings *settings, uint64_t job)
{
    struct result result = {0};
    unsigned operations = (unsigned)settings->operations;
    uint64_t digest;

    for (uint64_t i = job; i < settings->seeds; i += settings->jobs) {
        uint64_t seed = settings->from + i;
        bool good = world_run(seed, operations, false, &digest);
        if (good && seed % TWICE_EACH == 0)
            good = lives_alike(seed, operations, digest);
        result.digest += digest;
        if (good)
            continue;
        result.failed++;
        printf("all that happens in it: sim --seed %llu --operations %u\n",
               (unsigned long long)seed, operations);
        fflush(stdout);
    }
    return result;
}

/* In a process of its own, which tells its result through a pipe. */
static int start_job(const struct settings *settings, uint64_t job)
{
    int ends[2];

    MUST(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        struct result result = run_share(settings, job);
        fflush(stdout);
        _exit(write(ends[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
    }
    close(ends[1]);
    return ends[0];
}

static int run_range(const struct settings *settings)
{
    struct result all = {0}, result;
    int pipes[JOBS_MAX];
    bool whole = true;

    for (uint64_t job = 0; job < settings->jobs; job++)
        pipes[job] = start_job(settings, job);
    for (uint64_t job = 0; job < settings->jobs; job++) {
        whole = read(pipes[job], &result, sizeof(result)) == sizeof(result) && whole;
        all.failed += result.failed;
        all.digest += result.digest;
        close(pipes[job]);
    }
    while (wait(NULL) > 0)
        ;
    if (!whole) {
        printf("a process of the simulation died\n");
        return 1;
    }
    printf("seeds %llu to %llu, %llu operations each, digest %016llx\n",
           (unsigned long long)settings->from,
           (unsigned long long)(settings->from + settings->seeds - 1),
           (unsigned long long)settings->operations, (unsigned long long)all.digest);
    printf("experiment world: %llu of %llu seeds broke a guarantee, 95 %% bound %.4f %%\n",
           (unsigned long long)all.failed, (unsigned long long)settings->seeds,
           300.0 / (double)settings->seeds);
    return all.failed == 0 ? 0 : 1;
}

static int run_one(const struct settings *settings)
{
    uint64_t digest;

    setvbuf(stdout, NULL, _IOLBF, 0); /* the log's lines come between */
    bool good = world_run(settings->seed, (unsigned)settings->operations, true, &digest);

    printf("seed %llu: %s, digest %016llx\n", (unsigned long long)settings->seed,
           good ? "good" : "broken", (unsigned long long)digest);
    return good ? 0 : 1;
}

static bool read_settings(int argc, char **argv, struct settings *out)
{
    struct {
        const char *name;
        uint64_t *value;
    } flags[] = {{"--seeds", &out->seeds},
                 {"--from", &out->from},
                 {"--operations", &out->operations},
                 {"--jobs", &out->jobs},
                 {"--seed", &out->seed}};

    for (int i = 1; i < argc; i += 2) {
        size_t flag = 0;
        while (flag < 5 && strcmp(argv[i], flags[flag].name) != 0)
            flag++;
        if (flag == 5 || i + 1 == argc)
            return false;
        *flags[flag].value = strtoull(argv[i + 1], NULL, 10);
        out->one = out->one || flags[flag].value == &out->seed;
    }
    return out->seeds > 0 && out->operations > 0 && out->jobs > 0 && out->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
    struct settings settings = {.from = 1, .seeds = 1000, .operations = OPERATIONS, .jobs = 1};

    if (!read_settings(argc, argv, &settings)) {
        fprintf(stderr, "usage: sim [--seeds N] [--from SEED] [--operations N] [--jobs N]\n"
                        "       sim --seed SEED [--operations N]\n");
        return 2;
    }
    return settings.one ? run_one(&settings) : run_range(&settings);
}
