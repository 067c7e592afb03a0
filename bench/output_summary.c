/* A result on one screen. Every line is cut or wrapped at 100 columns and every part has a number
 * of lines it may take, so that the whole never scrolls the top away; what was cut stands in the
 * JSON.
 *
 * What must not be overlooked has a place of its own: checks that failed come first, and whatever
 * takes away from the figures' meaning is said in words at the end. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "bench/output.h"
#include "bench/output_words.h"

#define COLUMNS         100
#define MARGIN          14 /* of what stands beside a label */
#define CHECK_LINES_MAX 7
#define NOTE_LINES_MAX  6

/* --- lines --------------------------------------------------------------------- */

/* Not within a character of UTF-8. */
static size_t cut_at(const char *text, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80)
        limit--;
    return limit;
}

static void print_line(FILE *out, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void print_line(FILE *out, const char *label, const char *format, ...)
{
    char text[2 * RESULT_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t room = COLUMNS - MARGIN, length = strlen(text);
    if (length > room)
        fprintf(out, "  %-*s%.*s...\n", MARGIN - 2, label, (int)cut_at(text, length, room - 3),
                text);
    else
        fprintf(out, "  %-*s%s\n", MARGIN - 2, label, text);
}

/* Where a line of `text` ends: at the last blank that fits. */
static size_t line_length(const char *text, size_t room)
{
    size_t length = strlen(text);

    if (length <= room)
        return length;
    for (size_t i = room; i > 0; i--)
        if (text[i] == ' ')
            return i;
    return cut_at(text, length, room);
}

/* Several lines, no more than are left in `lines_left`. */
static void print_note(FILE *out, unsigned *lines_left, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void print_note(FILE *out, unsigned *lines_left, const char *format, ...)
{
    char text[2 * RESULT_TEXT_MAX];
    va_list arguments;
    const char *mark = "!";

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (*lines_left == NOTE_LINES_MAX)
        fputc('\n', out);
    for (const char *rest = text; *rest && *lines_left > 0; (*lines_left)--) {
        size_t length = line_length(rest, COLUMNS - 4);
        fprintf(out, "  %-2s%.*s\n", mark, (int)length, rest);
        rest += length;
        rest += strspn(rest, " ");
        mark = "";
    }
}

/* --- what was measured --------------------------------------------------------- */

static void print_title(const struct result *result, FILE *out)
{
    char when[32] = "";
    time_t seconds = (time_t)(result->started_ms / 1000);
    struct tm parts;

    if (gmtime_r(&seconds, &parts))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &parts);
    fprintf(out, "%s, %s", result->name, when);
    if (result->runs > 1)
        fprintf(out, ", %u runs merged", result->runs);
    if (!result_is_sound(result))
        fprintf(out, ": NOT SOUND, these figures do not count");
    fputc('\n', out);
}

static bool is_closed_loop(const struct result *result)
{
    return result->rate <= 0;
}

static void print_load(const struct result *result, FILE *out)
{
    const char *kind = result->new_connections ? "new" : "kept";
    char rate[64] = "closed loop";

    if (!is_closed_loop(result))
        snprintf(rate, sizeof rate, "%s/s %s, open loop", words_rate(result->rate).text,
                 result->arrivals);
    print_line(out, "load", "%s, %.1f s, %u %s connections, %u consumers (%s)", rate,
               result->duration_s, result->connections, kind, result->consumers,
               result->consumer_mode);
    print_line(out, "people", "%u sites, %s, %g %% returning, %g %% duplicates, seed %llu",
               result->sites, result->mix, 100 * result->returning, 100 * result->duplicates_wanted,
               (unsigned long long)result->seed);
}

/* Of a disk that is somebody else's nothing was measured. */
static void print_disk(const struct result *result, FILE *out)
{
    const struct machine_disk *disk = &result->disk;
    const char *settings = result->redis_settings[0] ? result->redis_settings : "settings unknown";
    const char *system = disk->file_system[0] ? disk->file_system : "unknown";
    char simulated[64] = "";

    if (disk->simulated_us > 0)
        snprintf(simulated, sizeof simulated, "SIMULATED: no sync, %u us instead; really ",
                 disk->simulated_us);
    if (disk->fdatasync_p99_ns > 0)
        print_line(out, "disk", "%s%s, fdatasync p50 %s p99 %s; Redis: %s", simulated, system,
                   words_duration((double)disk->fdatasync_p50_ns).text,
                   words_duration((double)disk->fdatasync_p99_ns).text, settings);
    else
        print_line(out, "disk", "%s, fdatasync not measured; Redis: %s", system, settings);
}

static void print_header(const struct result *result, FILE *out)
{
    const struct machine *machine = &result->machine;

    print_title(result, out);
    print_line(out, "command", "%s", result->command);
    print_line(out, "versions", "%s%s%s", result->versions,
               result->playbook[0] ? "; playbook " : "", result->playbook);
    /* The longest texts are last, where a line is cut. */
    print_line(out, "machine", "%u cores, %s, %s, load %.2f before; %s, Linux %s", machine->cores,
               machine->processor, words_bytes(machine->memory_bytes).text, machine->load1,
               machine->system, machine->kernel);
    print_disk(result, out);
    print_load(result, out);
}

/* --- latencies ----------------------------------------------------------------- */

static const double table_percentiles[] = {50, 90, 99, 99.9, 100};
#define TABLE_COLUMNS (sizeof table_percentiles / sizeof *table_percentiles)

static void print_hist(const char *label, const struct hist *hist, FILE *out)
{
    fprintf(out, "  %-34s", label);
    for (unsigned i = 0; i < TABLE_COLUMNS; i++) {
        double ns = (double)hist_at(hist, table_percentiles[i]);
        fprintf(out, " %10s", hist_count(hist) ? words_duration(ns).text : "-");
    }
    fputc('\n', out);
}

/* All that is known of the greatest value is its bucket's bound. */
static struct words bucket_words(const struct metrics_histogram *histogram, double percentile)
{
    double seconds = metrics_histogram_at(histogram, percentile);
    const char *sign = percentile >= 100 ? "<" : "~";
    struct words words;

    if (isinf(seconds)) {
        sign = ">";
        seconds = metrics_histogram_bound(histogram);
    }
    snprintf(words.text, sizeof words.text, "%s%.24s", sign, words_duration(1e9 * seconds).text);
    return words;
}

static void print_buckets(const char *label, const struct metrics_histogram *histogram, FILE *out)
{
    if (histogram->count == 0 || histogram->cumulated[histogram->count - 1] <= 0)
        return; /* a peer tells nothing of that kind */
    fprintf(out, "  %-34s", label);
    for (unsigned i = 0; i < TABLE_COLUMNS; i++)
        fprintf(out, " %10s", bucket_words(histogram, table_percentiles[i]).text);
    fputc('\n', out);
}

static void print_latencies(const struct result *result, FILE *out)
{
    bool closed = is_closed_loop(result);

    fprintf(out, "\n  %-34s %10s %10s %10s %10s %10s\n", "latency", "p50", "p90", "p99", "p99.9",
            "max");
    print_hist(closed ? "speed-to-lead: sent -> popped" : "speed-to-lead: intended -> popped",
               result->latency[RESULT_LEAD], out);
    if (!closed)
        print_hist("intended -> 2xx (corrected)", result->latency[RESULT_ACK], out);
    print_hist("sent -> 2xx (raw)", result->latency[RESULT_ACK_RAW], out);
    print_hist("2xx -> popped", result->latency[RESULT_AFTER_ACK], out);
    print_buckets("commit, by the server's buckets", &result->commit, out);
    print_buckets("commit -> visible, by its buckets", &result->visible, out);
}

/* --- counts -------------------------------------------------------------------- */

static void print_throughput(const struct result *result, FILE *out)
{
    double reached = result_acked_per_second(result);

    if (is_closed_loop(result))
        print_line(out, "throughput", "%s acknowledged/s in a closed loop",
                   words_rate(reached).text);
    else
        print_line(out, "throughput", "%s acknowledged/s of %s wanted (%.2f %%)",
                   words_rate(reached).text, words_rate(result->rate).text,
                   100 * reached / result->rate);
}

static void print_answers(const struct result *result, FILE *out)
{
    char text[RESULT_TEXT_MAX] = "none";
    size_t length = 0;

    for (unsigned i = 0; i < result->answer_count && length < sizeof text - 64; i++) {
        const struct result_count *answer = &result->answers[i];
        char status[16];
        snprintf(status, sizeof status, "%d", answer->status);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s x %s", i ? ", " : "",
                                   answer->status ? status : answer->error,
                                   words_count(answer->count).text);
    }
    print_line(out, "answers", "%s", text);
}

/* What was due and never left is an error too, so they are a share of all that was due. */
static void print_errors(const struct result *result, FILE *out)
{
    uint64_t errors = result_errors(result);

    print_line(out, "errors", "%s of %s due (%.3g %%)", words_count(errors).text,
               words_count(result->intended).text,
               result->intended ? 100 * (double)errors / (double)result->intended : 0);
}

static void print_ledger(const struct result *result, FILE *out)
{
    print_line(out, "opt-ins", "%s acknowledged; %s duplicates, %s by people known",
               words_count(result->acked).text, words_count(result->duplicates).text,
               words_count(result->returned).text);
    print_line(out, "tasks",
               "%s popped, %s lost, %s doubled; %s redelivered, %s unclaimed, %s strange",
               words_count(result->popped).text, words_count(result->lost).text,
               words_count(result->doubled).text, words_count(result->redelivered).text,
               words_count(result->unclaimed).text, words_count(result->strange).text);
    if (result->emails_popped > 0)
        print_line(out, "e-mails", "%s taken by the robot, %s reported as sent, %s doubled",
                   words_count(result->emails_popped).text,
                   words_count(result->emails_reported).text,
                   words_count(result->emails_doubled).text);
    if (result->popped > 0 && result->drain_s > 0)
        print_line(out, "drain", "the last task was popped %s after the last answer",
                   words_duration(1e9 * result->drain_s).text);
    else if (result->popped > 0)
        print_line(out, "drain", "none: the last task was popped before the last answer was read");
}

/* CPU that nobody could read is 0, and says so rather than nothing. */
static struct words cpu_words(const struct result *result, uint64_t cpu_us)
{
    if (cpu_us == 0 || result->acked_meanwhile == 0)
        return (struct words){"unknown"};
    return words_duration(1e3 * (double)cpu_us / (double)result->acked_meanwhile);
}

static void print_cost(const struct result *result, FILE *out)
{
    print_line(out, "CPU", "server %s, Redis %s, bench %s an acknowledged opt-in",
               cpu_words(result, result->server_cpu_us).text,
               cpu_words(result, result->redis_cpu_us).text,
               cpu_words(result, result->bench_cpu_us).text);
    if (result->server_resident_bytes_max > 0)
        print_line(out, "memory", "server %s at most",
                   words_bytes(result->server_resident_bytes_max).text);
}

/* --- checks and notes ---------------------------------------------------------- */

static void print_checks_that(const struct result *result, bool hold, unsigned *lines_left,
                              FILE *out)
{
    for (unsigned i = 0; i < result->check_count; i++) {
        const struct result_check *check = &result->checks[i];
        if (check->holds != hold || *lines_left == 0)
            continue;
        print_line(out, hold ? "ok" : "FAILED", "%s: %s", check->what, check->detail);
        (*lines_left)--;
    }
}

static void print_checks(const struct result *result, FILE *out)
{
    unsigned lines_left = CHECK_LINES_MAX;
    bool fit = result->check_count <= CHECK_LINES_MAX;

    if (result->check_count == 0)
        return;
    fputc('\n', out);
    lines_left -= !fit; /* for the line that counts the rest */
    print_checks_that(result, false, &lines_left, out);
    print_checks_that(result, true, &lines_left, out);
    if (!fit)
        print_line(out, "", "and %u checks more in the JSON",
                   result->check_count - (CHECK_LINES_MAX - 1));
}

/* A stall of the server hides in the raw latencies, since nothing was sent while it lasted. */
static void note_omission(const struct result *result, unsigned *lines_left, FILE *out)
{
    double corrected = (double)hist_at(result->latency[RESULT_ACK], 99);
    double raw = (double)hist_at(result->latency[RESULT_ACK_RAW], 99);

    if (is_closed_loop(result))
        print_note(out, lines_left,
                   "Closed loop: nothing is sent while an answer is awaited, so these latencies do "
                   "not count from an intended moment and hide a stall. Use --rate for latencies.");
    else if (raw > 0 && corrected > 1.5 * raw && corrected > raw + 1e6)
        print_note(
            out, lines_left,
            "The corrected p99 is %.1f times the raw one: requests were due while every "
            "connection still waited for its answer. People wait that long; corrected counts.",
            corrected / raw);
}

static void note_shortfall(const struct result *result, unsigned *lines_left, FILE *out)
{
    if (!is_closed_loop(result) && result_acked_per_second(result) < 0.99 * result->rate)
        print_note(out, lines_left,
                   "The wanted rate was not reached: latencies grow with the time it is kept up.");
}

static void note_limit(const struct result *result, unsigned *lines_left, FILE *out)
{
    if (result->bench_was_the_limit)
        print_note(out, lines_left,
                   "The bench was the limit, so its figures are its own, not the server's: %s",
                   result->limit_why[0] ? result->limit_why : "no reason is known");
    else if (result->limit_why[0])
        print_note(out, lines_left, "%s", result->limit_why);
}

static void note_machine(const struct result *result, unsigned *lines_left, FILE *out)
{
    if (result->disk.simulated_us > 0)
        print_note(out, lines_left,
                   "The server's disk was simulated: syncs were left out and took %u us instead, "
                   "so nothing was durable. Its CPU figure has the waiting's share and lacks the "
                   "syncs'.",
                   result->disk.simulated_us);
    if (result->disk.volatile_memory)
        print_note(out, lines_left,
                   "The store was on %s, in memory: an fsync costs nothing there, so neither the "
                   "latencies nor the rate are those of a disk.",
                   result->disk.file_system);
    if (result->machine.load1 > 0.5 * result->machine.cores)
        print_note(out, lines_left, "The machine was busy before the run: load %.2f on %u cores.",
                   result->machine.load1, result->machine.cores);
}

static bool was_answered(const struct result *result, int status)
{
    for (unsigned i = 0; i < result->answer_count; i++)
        if (result->answers[i].status == status)
            return true;
    return false;
}

/* What is mistaken most often where a server runs already: it looks like a fault of the server. */
static void note_mistaken(const struct result *result, unsigned *lines_left, FILE *out)
{
    bool nothing_popped = result->popped == 0 && result->unclaimed == 0 && result->strange == 0;

    if (was_answered(result, 401))
        print_note(out, lines_left,
                   "401: the server does not know the key. Is --key a secret key of this server?");
    if (nothing_popped && result->lost > 0)
        print_note(out, lines_left,
                   "Not one task came out. Is it this Redis (--redis, with its database), this "
                   "queue (--queue) and this shape (--shape) that the server puts them on?");
    if (result->acked > 0 && result->duplicates == result->acked && result->duplicates_wanted < 1)
        print_note(out, lines_left,
                   "Every opt-in was a repetition: seed %llu was sent to this server before. Give "
                   "another --seed.",
                   (unsigned long long)result->seed);
    if (result->unclaimed > 0)
        print_note(out, lines_left,
                   "Tasks came out that are not of this run: they stood in the queue, or somebody "
                   "else sends too. Measure with a queue of its own, or run again now that it is "
                   "empty.");
}

/* A server that somebody else started: its processes are not looked at, and its metrics only with
 * a token. */
static void note_unknown(const struct result *result, unsigned *lines_left, FILE *out)
{
    if (strcmp(result->disk.file_system, "remote") != 0)
        return;
    if (result->commit.count == 0)
        print_note(
            out, lines_left,
            "No lines commit, commit -> visible: they come from the server's /metrics, which "
            "--url does not have (or not without --token). Where it has an admin_listen, name "
            "that with --admin-url. CPU and memory are unknown of a server behind --url.");
    else
        print_note(out, lines_left, "CPU and memory are unknown of a server behind --url.");
}

static void print_notes(const struct result *result, FILE *out)
{
    unsigned lines_left = NOTE_LINES_MAX;

    note_mistaken(result, &lines_left, out);
    note_limit(result, &lines_left, out);
    note_machine(result, &lines_left, out);
    note_shortfall(result, &lines_left, out);
    note_omission(result, &lines_left, out);
    note_unknown(result, &lines_left, out);
}

void output_summary(const struct result *result, FILE *out)
{
    print_header(result, out);
    print_latencies(result, out);
    fputc('\n', out);
    print_throughput(result, out);
    print_answers(result, out);
    print_errors(result, out);
    print_ledger(result, out);
    print_cost(result, out);
    print_checks(result, out);
    print_notes(result, out);
}
