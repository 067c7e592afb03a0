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
#include <sys/mman.h>
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

/* What a process with a share of the seeds tells the others; its memory is theirs too. */
struct share {
    uint64_t seed; /* that it lives now: the one to look at when it dies */
    uint64_t failed, digest;
    bool done;
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

static void tell_how_to_see(uint64_t seed, unsigned operations)
{
    printf("all that happens in it: sim --seed %llu --operations %u\n", (unsigned long long)seed,
           operations);
    fflush(stdout);
}

/* Every `jobs`th seed, from the `job`th on. */
static void run_share(const struct settings *settings, uint64_t job, struct share *share)
{
    unsigned operations = (unsigned)settings->operations;
    uint64_t digest;

    for (uint64_t i = job; i < settings->seeds; i += settings->jobs) {
        share->seed = settings->from + i;
        bool good = world_run(share->seed, operations, false, &digest);
        if (good && share->seed % TWICE_EACH == 0)
            good = lives_alike(share->seed, operations, digest);
        share->digest += digest;
        if (good)
            continue;
        share->failed++;
        tell_how_to_see(share->seed, operations);
    }
    share->done = true;
}

static void start_job(const struct settings *settings, uint64_t job, struct share *share)
{
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        run_share(settings, job, share);
        fflush(stdout);
        _exit(0);
    }
}

static int run_range(const struct settings *settings)
{
    struct share all = {.done = true};
    struct share *shares = mmap(NULL, JOBS_MAX * sizeof(*shares), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    MUST(shares != MAP_FAILED);
    for (uint64_t job = 0; job < settings->jobs; job++)
        start_job(settings, job, &shares[job]);
    while (wait(NULL) > 0)
        ;
    for (uint64_t job = 0; job < settings->jobs; job++) {
        all.failed += shares[job].failed;
        all.digest += shares[job].digest;
        all.done = all.done && shares[job].done;
        if (!shares[job].done) {
            printf("seed %llu: the process died\n", (unsigned long long)shares[job].seed);
            tell_how_to_see(shares[job].seed, (unsigned)settings->operations);
        }
    }
    munmap(shares, JOBS_MAX * sizeof(*shares));
    if (!all.done)
        return 1;
    printf("seeds %llu to %llu, %llu operations each, digest %016llx\n",
           (unsigned long long)settings->from,
           (unsigned long long)(settings->from + settings->seeds - 1),
           (unsigned long long)settings->operations, (unsigned long long)all.digest);
    printf("experiment world: %llu of %llu seeds broke a guarantee", (unsigned long long)all.failed,
           (unsigned long long)settings->seeds);
    if (all.failed == 0) /* the rule of three says nothing of what has been seen to fail */
        printf(", 95 %% bound %.4f %%", 300.0 / (double)settings->seeds);
    printf("\n");
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
