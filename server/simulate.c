/* Worlds on threads, and what they come to together: in their order, whoever was first. */
#include "server/simulate.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "server/simulate_internal.h"

struct run {
    const struct simulate_options *options;
    unsigned town_count;
    atomic_uint next; /* town that nobody has begun */
    struct simulate_figures *figures;
    struct hash *digests;
};

void simulate_defaults(struct simulate_options *options)
{
    *options = (struct simulate_options){.restarts = 1, .agents = 3};
    for (unsigned i = 0; i < SIMULATE_RATE_END; i++)
        options->rates[i] = simulate_rates[i].value;
}

void simulate_free(struct simulate_figures *figures)
{
    free(figures->conversed_ms);
    figures->conversed_ms = NULL;
}

struct hash simulate_mix(struct hash sum, uint64_t next)
{
    uint64_t words[2];

    memcpy(words, sum.bytes, sizeof(words));
    words[0] = (words[0] ^ next) * 0x9e3779b97f4a7c15ull;
    words[0] ^= words[0] >> 32;
    words[1] = (words[1] + words[0]) * 0xc2b2ae3d27d4eb4full;
    words[1] ^= words[1] >> 29;
    memcpy(sum.bytes, words, sizeof(words));
    return sum;
}

/* --- threads ------------------------------------------------------------------------------------
 */

static void *live(void *owner)
{
    struct run *run = owner;
    unsigned number;

    while ((number = atomic_fetch_add(&run->next, 1)) < run->town_count) {
        uint64_t left = run->options->people - (uint64_t)number * TOWN_PEOPLE;
        simulate_town(run->options, number, left < TOWN_PEOPLE ? (unsigned)left : TOWN_PEOPLE,
                      &run->figures[number], &run->digests[number]);
    }
    return NULL;
}

static void live_on_threads(struct run *run)
{
    pthread_t threads[SIMULATE_THREADS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = run->options->threads;

    if (count == 0)
        count = processors > 0 ? (unsigned)processors : 1;
    if (count > SIMULATE_THREADS_MAX)
        count = SIMULATE_THREADS_MAX;
    for (unsigned i = 1; i < count; i++)
        MUST(pthread_create(&threads[i], NULL, live, run) == 0);
    live(run);
    for (unsigned i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* --- adding up
 * ------------------------------------------------------------------------------------ */

static void add_all(uint64_t *sum, const uint64_t *more, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += more[i];
}

/* All of it but the list at the end are counts. */
#define COUNTS (offsetof(struct simulate_figures, conversed_ms) / sizeof(uint64_t))

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void add_up(const struct run *run, struct simulate_figures *sum, struct hash *digest)
{
    uint64_t conversed = 0;

    for (unsigned i = 0; i < run->town_count; i++)
        conversed += run->figures[i].conversed_count;
    *sum = (struct simulate_figures){.conversed_ms =
                                         memory_take_zeroed(conversed + 1, sizeof(uint64_t))};
    *digest = (struct hash){{0}};
    for (unsigned i = 0; i < run->town_count; i++) {
        const struct simulate_figures *one = &run->figures[i];
        uint64_t words[2];

        add_all((uint64_t *)sum, (const uint64_t *)one, COUNTS);
        memcpy(sum->conversed_ms + sum->conversed_count, one->conversed_ms,
               one->conversed_count * sizeof(uint64_t));
        sum->conversed_count += one->conversed_count;
        memcpy(words, run->digests[i].bytes, sizeof(words));
        *digest = simulate_mix(simulate_mix(*digest, words[0]), words[1]);
    }
    qsort(sum->conversed_ms, sum->conversed_count, sizeof(uint64_t), compare_numbers);
}

enum status simulate_run(const struct simulate_options *options, struct simulate_figures *figures,
                         struct hash *digest)
{
    struct simulate_options chosen = *options;
    struct run run = {.options = &chosen,
                      .town_count = (unsigned)((options->people + TOWN_PEOPLE - 1) / TOWN_PEOPLE)};

    /* A file that says what the shipped one says is that one. */
    if (chosen.playbook && slice_equal(chosen.playbook->canonical, playbook_shipped()->canonical))
        chosen.playbook = NULL;
    (void)playbook_shipped(); /* opened once, by whoever comes first */
    /* What a town leaves the next one takes, rather than ask the system for new pages. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    run.figures = memory_take_zeroed(run.town_count, sizeof(*run.figures));
    run.digests = memory_take_zeroed(run.town_count, sizeof(*run.digests));
    live_on_threads(&run);
    add_up(&run, figures, digest);
    for (unsigned i = 0; i < run.town_count; i++)
        simulate_free(&run.figures[i]);
    free(run.figures);
    free(run.digests);
    return STATUS_OK;
}
