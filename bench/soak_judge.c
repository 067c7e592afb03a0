#include "bench/soak.h"

#include <signal.h>
#include <stdlib.h>

#include "proto/must.h"

#define SETTLE_S          60   /* of a process, before its memory is compared */
#define AROUND            15   /* seconds that stand for one, so that a moment does not decide */
#define CREEP_MEMORY      0.10 /* of memory beyond what a person may cost */
#define CREEP_FILE        0.15 /* of bytes an opt-in */
#define CREEP_DESCRIPTORS 2
#define PERSON_BYTES      60   /* of memory: DESIGN.md */
#define SERVER_FAULTS     6    /* restarts and kills, in turn */
#define ANSWERED          0.95 /* of the requests: the server is away for moments only */
#define KILLED_EXIT       (128 + SIGKILL)

int soak_signal_at(unsigned second, unsigned seconds)
{
    unsigned share = seconds / 2 / (SERVER_FAULTS + 1);

    if (share == 0 || second % share != share - 1 || second >= SERVER_FAULTS * share)
        return 0;
    return second / share % 2 == 0 ? SIGTERM : SIGKILL;
}

bool soak_end_is_expected(int signal, int exit_code)
{
    /* One that was slow to go may have been killed on its way. */
    return (signal == SIGTERM && exit_code == 0) ||
           (signal == SIGKILL && (exit_code == KILLED_EXIT || exit_code == 0));
}

static int by_memory(const void *a, const void *b)
{
    const struct soak_sample *left = a, *right = b;

    return (left->anonymous_bytes > right->anonymous_bytes) -
           (left->anonymous_bytes < right->anonymous_bytes);
}

/* The middle one of the seconds before `end` in which somebody could look. All 0: in none. */
static struct soak_sample middle_before(const struct soak_sample *samples, unsigned end)
{
    struct soak_sample some[AROUND] = {{0}};
    unsigned count = 0;

    MUST(end >= AROUND);
    for (unsigned i = end - AROUND; i < end; i++)
        if (samples[i].anonymous_bytes > 0)
            some[count++] = samples[i];
    qsort(some, count, sizeof *some, by_memory);
    return some[count / 2];
}

static double bytes_each(const struct soak_sample *from, const struct soak_sample *to)
{
    uint64_t acked = to->acked - from->acked;

    return acked ? ((double)to->folder_bytes - (double)from->folder_bytes) / (double)acked : 0;
}

static void judge_creeping(const struct soak_sample *samples, unsigned begin, unsigned end,
                           struct result *result, struct soak_creep *creeps)
{
    struct soak_sample first = middle_before(samples, begin), last = middle_before(samples, end);
    struct soak_sample early = middle_before(samples, AROUND),
                       quarter = middle_before(samples, end / 4);
    double more = (double)(last.acked - first.acked);
    double allowed = (double)first.anonymous_bytes * (1 + CREEP_MEMORY) + more * PERSON_BYTES;
    double young = bytes_each(&early, &quarter), old = bytes_each(&first, &last);

    creeps[0] = (struct soak_creep){"memory",
                                    "MiB",
                                    "10 % and 60 B an opt-in more",
                                    (double)first.anonymous_bytes / (1 << 20),
                                    (double)last.anonymous_bytes / (1 << 20),
                                    allowed / (1 << 20)};
    creeps[1] = (struct soak_creep){"descriptors",    "",
                                    "2 more",         first.descriptors,
                                    last.descriptors, first.descriptors + CREEP_DESCRIPTORS};
    creeps[2] = (struct soak_creep){
        "disk an opt-in", "B", "15 % over the first quarter", young, old, young * (1 + CREEP_FILE)};
    result_check(result, last.anonymous_bytes > 0 && creeps[0].last <= creeps[0].most,
                 "memory is flat", "%.1f MiB, then %.1f MiB %u s later with %.0f opt-ins more",
                 creeps[0].first, creeps[0].last, end - begin, more);
    result_check(result, creeps[1].last <= creeps[1].most, "descriptors are flat", "%u, then %u",
                 first.descriptors, last.descriptors);
    result_check(result, old <= creeps[2].most, "bytes on disk an opt-in are flat",
                 "%.0f in the first quarter, %.0f at the end", young, old);
}

static unsigned settled_at(unsigned seconds)
{
    return seconds / 2 + SETTLE_S;
}

unsigned soak_judged_after(unsigned seconds)
{
    return settled_at(seconds) + 4 * AROUND;
}

bool soak_judge(const struct soak_sample *samples, unsigned count, unsigned seconds,
                struct result *result, struct soak_creep creeps[static SOAK_CREEPS])
{
    result_check(result, (double)result->acked >= ANSWERED * (double)result->intended,
                 "nearly every request is answered with a yes", "%llu of %llu",
                 (unsigned long long)result->acked, (unsigned long long)result->intended);
    if (count < soak_judged_after(seconds))
        return false;
    judge_creeping(samples, settled_at(seconds), count, result, creeps);
    return true;
}

void soak_creeps_print(const struct soak_creep creeps[static SOAK_CREEPS], FILE *out)
{
    fprintf(out, "\n%-19s %10s %10s %10s\n", "second half", "settled", "at the end", "at most");
    for (unsigned i = 0; i < SOAK_CREEPS; i++) {
        const struct soak_creep *creep = &creeps[i];
        char name[32];
        snprintf(name, sizeof name, "%s%s%s", creep->what, creep->unit[0] ? ", " : "", creep->unit);
        fprintf(out, "%-19s %10.1f %10.1f %10.1f  %s (%s)\n", name, creep->first, creep->last,
                creep->most, creep->last <= creep->most ? "flat" : "CREEPS", creep->rule);
    }
}

void soak_unjudged_print(unsigned seconds, FILE *out)
{
    unsigned needed = soak_judged_after(seconds);

    fputs("\nToo short to judge whether memory, descriptors or files creep: ", out);
    if (needed <= seconds)
        fprintf(out, "not before second %u of %u\n", needed, seconds);
    else
        fprintf(out, "%u minutes at least\n", 2 * (SETTLE_S + 4 * AROUND) / 60);
}
