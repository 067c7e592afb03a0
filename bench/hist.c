/* Buckets of a histogram with high dynamic range.
 *
 * Up to 1,023 ns each value has a bucket of its own. Above, every power of two is cut into 1,024
 * equal buckets, so a bucket is at most 1/1024 of its value wide. A bucket's number is made of the
 * value's bits: which power of two, and the ten bits behind the leading one.
 *
 *     value    1 0011010011 01101...      shift = bits behind the ten
 *              |     |        `- given up
 *              |     `- place within the power of two
 *              `- which power of two
 *
 * Mean and deviation are made from the middles of the buckets when somebody asks: a histogram is
 * then its buckets, the least and the greatest value, and nothing that adding in another order or
 * reading from a file could change. */
#include "bench/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SUB_BITS     10
#define SUB_COUNT    (1u << SUB_BITS)
#define VALUE_BITS   42
#define BUCKET_COUNT ((VALUE_BITS - SUB_BITS + 1) * SUB_COUNT)

struct hist {
    uint64_t count;
    uint64_t least, greatest; /* of what was added, exact; meaningless while count is 0 */
    uint64_t buckets[BUCKET_COUNT];
};

static size_t bucket_of(uint64_t ns)
{
    if (ns < SUB_COUNT)
        return (size_t)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - SUB_BITS;
    return (size_t)shift * SUB_COUNT + (size_t)(ns >> shift);
}

static uint64_t lowest_of(size_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = (unsigned)(bucket / SUB_COUNT) - 1;
    return (uint64_t)(bucket % SUB_COUNT + SUB_COUNT) << shift;
}

/* No value that was added lies above: the maximum is known exactly. */
static uint64_t highest_of(const struct hist *hist, size_t bucket)
{
    uint64_t highest = lowest_of(bucket + 1) - 1;

    return highest < hist->greatest ? highest : hist->greatest;
}

static double middle_of(const struct hist *hist, size_t bucket)
{
    uint64_t low = lowest_of(bucket);

    if (low < hist->least)
        low = hist->least;
    return ((double)low + (double)highest_of(hist, bucket)) / 2;
}

struct hist *hist_open(void)
{
    return calloc(1, sizeof(struct hist));
}

void hist_close(struct hist *hist)
{
    free(hist);
}

void hist_clear(struct hist *hist)
{
    if (hist->count == 0)
        return;
    /* Only what was touched: a histogram of one second is cleared every second. */
    size_t first = bucket_of(hist->least), last = bucket_of(hist->greatest);
    memset(&hist->buckets[first], 0, (last - first + 1) * sizeof *hist->buckets);
    hist->count = 0;
}

void hist_add(struct hist *hist, uint64_t ns)
{
    hist_add_many(hist, ns, 1);
}

void hist_add_many(struct hist *hist, uint64_t ns, uint64_t count)
{
    if (count == 0)
        return;
    if (ns > HIST_NS_MAX)
        ns = HIST_NS_MAX;
    if (hist->count == 0 || ns < hist->least)
        hist->least = ns;
    if (hist->count == 0 || ns > hist->greatest)
        hist->greatest = ns;
    hist->count += count;
    hist->buckets[bucket_of(ns)] += count;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    if (from->count == 0)
        return;
    for (size_t i = bucket_of(from->least); i <= bucket_of(from->greatest); i++)
        into->buckets[i] += from->buckets[i];
    if (into->count == 0 || from->least < into->least)
        into->least = from->least;
    if (into->count == 0 || from->greatest > into->greatest)
        into->greatest = from->greatest;
    into->count += from->count;
}

uint64_t hist_count(const struct hist *hist)
{
    return hist->count;
}

/* How many values lie at or below the one that is asked for, at least one. Binary fractions cannot
 * say 99.9 %, so a product that is meant to be whole may come out a hair above: it is rounded up
 * from a hair below. */
static uint64_t rank_of(const struct hist *hist, double percentile)
{
    double share = percentile / 100;

    if (!(share > 0))
        return 1;
    if (share >= 1)
        return hist->count;
    double rank = ceil(share * (double)hist->count * (1 - 1e-14));
    return rank < 1 ? 1 : (uint64_t)rank;
}

uint64_t hist_at(const struct hist *hist, double percentile)
{
    if (hist->count == 0)
        return 0;
    uint64_t rank = rank_of(hist, percentile), seen = 0;
    size_t last = bucket_of(hist->greatest);

    for (size_t i = bucket_of(hist->least); i < last; i++) {
        seen += hist->buckets[i];
        if (seen >= rank)
            return highest_of(hist, i);
    }
    return hist->greatest;
}

uint64_t hist_max_ns(const struct hist *hist)
{
    return hist->count ? hist->greatest : 0;
}

uint64_t hist_min_ns(const struct hist *hist)
{
    return hist->count ? hist->least : 0;
}

double hist_mean_ns(const struct hist *hist)
{
    double sum = 0;

    if (hist->count == 0)
        return 0;
    for (size_t i = bucket_of(hist->least); i <= bucket_of(hist->greatest); i++)
        sum += (double)hist->buckets[i] * middle_of(hist, i);
    return sum / (double)hist->count;
}

double hist_deviation_ns(const struct hist *hist)
{
    double mean = hist_mean_ns(hist), sum = 0;

    if (hist->count == 0)
        return 0;
    for (size_t i = bucket_of(hist->least); i <= bucket_of(hist->greatest); i++) {
        double away = middle_of(hist, i) - mean;
        sum += (double)hist->buckets[i] * away * away;
    }
    return sqrt(sum / (double)hist->count);
}

bool hist_next(const struct hist *hist, size_t *place, uint64_t *ns_out, uint64_t *count_out)
{
    if (hist->count == 0)
        return false;
    size_t last = bucket_of(hist->greatest), i = bucket_of(hist->least);

    if (i < *place)
        i = *place;
    while (i <= last && hist->buckets[i] == 0)
        i++;
    if (i > last)
        return false;
    *place = i + 1;
    *ns_out = highest_of(hist, i);
    *count_out = hist->buckets[i];
    return true;
}
