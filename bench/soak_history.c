/* How each fault went and what the minutes were like: whether a server keeps up with what a kill
 * leaves behind shows in how long leads stay slow behind it, not in an average of half an hour. */
#include <string.h>

#include "bench/hist.h"
#include "bench/median.h"
#include "bench/run.h"
#include "bench/soak.h"

#define MINUTE_S 60

static const struct {
    const char *name, *told;
} kinds[SOAK_FAULT_KINDS] = {
    [SOAK_REDIS_KILLED] = {"Redis killed", "Redis was killed"},
    [SOAK_RESTARTED] = {"hotlead restarted", "hotlead was told to end"},
    [SOAK_KILLED] = {"hotlead killed", "hotlead was killed"},
};

bool soak_history_open(struct soak_history *history, FILE *talk)
{
    memset(history, 0, sizeof *history);
    history->talk = talk;
    history->seen = hist_open();
    history->calm = hist_open();
    history->disturbed = hist_open();
    history->minute = hist_open();
    return history->seen && history->calm && history->disturbed && history->minute;
}

void soak_history_close(struct soak_history *history)
{
    hist_close(history->seen);
    hist_close(history->calm);
    hist_close(history->disturbed);
    hist_close(history->minute);
}

/* --- faults ------------------------------------------------------------------------------------
 */

void soak_history_fault(struct soak_history *history, enum soak_fault_kind kind, unsigned second)
{
    if (history->fault_count < SOAK_FAULTS_MAX)
        history->faults[history->fault_count++] = (struct soak_fault){.kind = kind, .at = second};
}

void soak_history_back(struct soak_history *history, bool redis, unsigned second)
{
    for (unsigned i = 0; i < history->fault_count; i++) {
        struct soak_fault *fault = &history->faults[i];
        if (fault->back == 0 && (fault->kind == SOAK_REDIS_KILLED) == redis)
            fault->back = second;
    }
}

unsigned soak_history_count(const struct soak_history *history, enum soak_fault_kind kind)
{
    unsigned count = 0;

    for (unsigned i = 0; i < history->fault_count; i++)
        count += history->faults[i].kind == kind;
    return count;
}

/* A living line may stand there. */
static void begin_line(FILE *talk)
{
    if (run_is_living(talk))
        fputs("\r\033[K", talk);
}

static void follow_faults(struct soak_history *history, const struct result_second *row)
{
    bool calm = row->popped > 0 && row->lead_p99_ns < SOAK_CALM_NS;

    for (unsigned i = 0; i < history->fault_count; i++) {
        struct soak_fault *fault = &history->faults[i];
        if (!calm || fault->calm > 0 || fault->back == 0 || row->second <= fault->back)
            continue;
        fault->calm = row->second;
        begin_line(history->talk);
        fprintf(history->talk,
                "soak: second %u: %s, back after %u s, leads (p99) under 1 s again after %u s\n",
                fault->at, kinds[fault->kind].told, fault->back - fault->at,
                fault->calm - fault->at);
    }
}

/* --- minutes -----------------------------------------------------------------------------------
 */

static bool is_disturbed(const struct soak_history *history, unsigned first_second)
{
    for (unsigned i = 0; i < history->fault_count; i++)
        if (history->faults[i].calm == 0 || history->faults[i].calm >= first_second)
            return true;
    return false;
}

/* What has come to `all` since the last time, into `minute`. Both are walked from below; a bucket
 * that was seen holds as many or more now. */
static void take_minute(struct soak_history *history, const struct hist *all)
{
    size_t seen_place = 0, place = 0;
    uint64_t seen_ns = 0, seen_count = 0, ns, count;
    bool more = hist_next(history->seen, &seen_place, &seen_ns, &seen_count);

    hist_clear(history->minute);
    while (hist_next(all, &place, &ns, &count)) {
        uint64_t before = 0;
        if (more && seen_ns <= ns) { /* below it when it was the last, which ends at the maximum */
            before = seen_count;
            more = hist_next(history->seen, &seen_place, &seen_ns, &seen_count);
        }
        if (count > before)
            hist_add_many(history->minute, ns, count - before);
    }
    hist_clear(history->seen);
    hist_merge(history->seen, all);
}

static bool end_minute(struct soak_history *history, const struct result *result)
{
    bool disturbed = is_disturbed(history, history->minutes * MINUTE_S);

    take_minute(history, result->latency[RESULT_LEAD]);
    hist_merge(disturbed ? history->disturbed : history->calm, history->minute);
    history->minutes++;
    history->disturbed_minutes += disturbed;
    history->last_disturbed = disturbed;
    return disturbed;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void tell_minute(const struct soak_history *history, const struct result *result,
                        const struct soak_sample *sample, bool disturbed)
{
    const struct hist *minute = history->minute;
    unsigned from = result->second_count > MINUTE_S ? result->second_count - MINUTE_S : 0;
    uint64_t acked = 0, popped = 0, unanswered = 0;

    for (unsigned i = from; i < result->second_count; i++) {
        acked += result->seconds[i].acked;
        popped += result->seconds[i].popped;
        unanswered += result->seconds[i].failed;
    }
    begin_line(history->talk);
    fprintf(history->talk,
            "soak: minute %u, %s: %.0f acked/s, %.0f popped/s, %llu failed; lead p50 %.1f p99 %.0f "
            "max %.0f ms; %.0f MiB, %u fds, %.2f GiB on disk\n",
            history->minutes, disturbed ? "disturbed" : "calm", (double)acked / MINUTE_S,
            (double)popped / MINUTE_S, (unsigned long long)unanswered, ms(hist_at(minute, 50)),
            ms(hist_at(minute, 99)), ms(hist_max_ns(minute)),
            (double)sample->anonymous_bytes / (1 << 20), sample->descriptors,
            (double)sample->folder_bytes / (1 << 30));
}

void soak_history_second(struct soak_history *history, const struct result *result,
                         const struct result_second *row, const struct soak_sample *sample)
{
    follow_faults(history, row);
    history->seconds = row->second + 1;
    if ((row->second + 1) % MINUTE_S != 0)
        return;
    bool disturbed = end_minute(history, result);
    tell_minute(history, result, sample, disturbed);
}

void soak_history_end(struct soak_history *history, const struct result *result)
{
    if (history->seconds % MINUTE_S > 0) {
        end_minute(history, result);
        return;
    }
    /* What came out in the drain belongs to the minute before it. */
    take_minute(history, result->latency[RESULT_LEAD]);
    hist_merge(history->last_disturbed ? history->disturbed : history->calm, history->minute);
}

/* --- the tables --------------------------------------------------------------------------------
 */

static void print_kind(const struct soak_history *history, enum soak_fault_kind kind, FILE *out)
{
    double back[SOAK_FAULTS_MAX], calm[SOAK_FAULTS_MAX];
    unsigned count = 0, calm_count = 0, back_count = 0;

    for (unsigned i = 0; i < history->fault_count; i++) {
        const struct soak_fault *fault = &history->faults[i];
        if (fault->kind != kind)
            continue;
        count++;
        if (fault->back > 0)
            back[back_count++] = fault->back - fault->at;
        if (fault->calm > 0)
            calm[calm_count++] = fault->calm - fault->at;
    }
    fprintf(out, "%-19s %7u", kinds[kind].name, count);
    if (back_count > 0)
        fprintf(out, " %10.0f s", median_of(back, back_count));
    if (calm_count > 0) {
        double usual = median_of(calm, calm_count); /* they are in order now */
        fprintf(out, " %15.0f s %8.0f s", usual, calm[calm_count - 1]);
    }
    if (calm_count < count)
        fprintf(out, "  (%u not calm at the end)", count - calm_count);
    fputc('\n', out);
}

static void print_minutes(const char *what, unsigned minutes, const struct hist *leads, FILE *out)
{
    if (minutes == 0)
        return;
    fprintf(out, "%-19s %7u", what, minutes);
    for (size_t i = 0; i < 4; i++)
        fprintf(out, " %9.1f", ms(hist_at(leads, (double[]){50, 90, 99, 99.9}[i])));
    fprintf(out, " %9.1f\n", ms(hist_max_ns(leads)));
}

void soak_history_print(const struct soak_history *history, FILE *out)
{
    fprintf(out, "\n%-19s %7s %12s %17s %10s\n", "faults", "times", "back after",
            "calm again after", "at most");
    for (unsigned kind = 0; kind < SOAK_FAULT_KINDS; kind++)
        print_kind(history, kind, out);
    fprintf(out, "calm: tasks come out, and the p99 of a second's speed-to-lead is under 1 s\n");
    fprintf(out, "\n%-19s %7s %9s %9s %9s %9s %9s\n", "speed-to-lead, ms", "minutes", "p50", "p90",
            "p99", "p99.9", "max");
    print_minutes("calm", history->minutes - history->disturbed_minutes, history->calm, out);
    print_minutes("disturbed", history->disturbed_minutes, history->disturbed, out);
}
