/* What growth found, for people and for programs. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench/growth.h"

/* What DESIGN.md wants of a grown store. */
#define WANTED_RATIO            0.9
#define WANTED_FIRST_ACK_S      2.0
#define WANTED_REBUILD_RATE     300e3
#define WANTED_IDLE_BYTES       (20.0 * 1024)
#define WANTED_STATE_BYTES_EACH 320.0

/* --- sizes ------------------------------------------------------------------------- */

const char *growth_sizes_read(const char *text, uint64_t sizes[static GROWTH_SIZES_MAX],
                              size_t *count_out)
{
    *count_out = 0;
    for (const char *at = text; at != NULL;) {
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 12 || (at[digits] != ',' && at[digits] != '\0'))
            return "whole numbers, with commas";
        if (*count_out == GROWTH_SIZES_MAX)
            return "8 sizes at most";
        uint64_t size = strtoull(at, NULL, 10);
        if (*count_out > 0 && size <= sizes[*count_out - 1])
            return "sizes that ascend, since one store grows through them";
        sizes[(*count_out)++] = size;
        at = at[digits] == ',' ? at + digits + 1 : NULL;
    }
    return NULL;
}

/* --- what it will take ---------------------------------------------------------------- */

/* As found on two cores. */
#define FILLED_A_SECOND  25000.0
#define ROUND_AROUND_S   3.0 /* warm-up, start and end */
#define OPTINS_A_SECOND  40000.0
#define RESTARTS_S       6.0
#define RECORDS_A_PERSON 3.0
#define REBUILT_A_SECOND 400000.0
#define IDLE_A_SECOND    5000.0
#define VISIBLE_A_SECOND 50000.0
#define PERSON_DISK      3072.0 /* journal, state, index, and the room to rebuild */

struct growth_estimate growth_estimate(const struct growth_options *options, const uint64_t *sizes,
                                       size_t size_count, unsigned idle, unsigned backlog)
{
    double people = (double)sizes[size_count - 1], rounds = (double)(size_count * options->rounds);
    double round_s = options->seconds + ROUND_AROUND_S;
    double sent = rounds * options->seconds * OPTINS_A_SECOND; /* each by somebody new */
    double stored = people > sent ? people : sent;

    return (struct growth_estimate){
        .seconds = people / FILLED_A_SECOND + rounds * 2 * round_s +
                   (double)size_count * RESTARTS_S + stored * RECORDS_A_PERSON / REBUILT_A_SECOND +
                   idle / IDLE_A_SECOND + backlog / FILLED_A_SECOND + backlog / VISIBLE_A_SECOND,
        .disk_bytes = (uint64_t)((stored > backlog ? stored : backlog) * PERSON_DISK),
        .steps =
            (unsigned)(size_count * (2 + options->rounds)) + (idle > 0) + 1 + 2 * (backlog > 0),
    };
}

/* --- a table ----------------------------------------------------------------------- */

static void print_conditions(const struct result *about, const struct growth_options *options,
                             FILE *out)
{
    const struct machine *machine = &about->machine;

    fprintf(out,
            "%s\n%s; playbook %s; Redis: %s\n%u cores, %s, %.0f GiB, %s, Linux %s, load %.2f "
            "before; %s, "
            "fdatasync p50 %.2f ms p99 %.2f ms\n"
            "closed loop, %u connections, %u rounds of %g s\n\n",
            about->command, about->versions, about->playbook, about->redis_settings, machine->cores,
            machine->processor, (double)machine->memory_bytes / (1 << 30), machine->system,
            machine->kernel, machine->load1, about->disk.file_system,
            (double)about->disk.fdatasync_p50_ns / 1e6, (double)about->disk.fdatasync_p99_ns / 1e6,
            options->tier.connections, options->rounds, options->seconds);
}

static const char *verdict(bool reached)
{
    return reached ? "reached" : "NOT reached";
}

static double per_second(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_seconds(double seconds, FILE *out)
{
    if (seconds > 0)
        fprintf(out, " %8.2f", seconds);
    else
        fprintf(out, " %8s", "-"); /* not measured */
}

/* Two tables, so that each fits a terminal of 80 columns. */
static void print_rows(const struct growth_findings *found, FILE *out)
{
    fprintf(out, "%11s %10s %10s %7s %7s %10s %10s\n", "people", "opt-ins/s", "empty", "ratio",
            "CPU us", "commit p50", "p99");
    for (size_t i = 0; i < found->row_count; i++) {
        const struct growth_row *row = &found->rows[i];
        fprintf(out, "%11llu %10.0f %10.0f %7.2f %7.1f %8.0fus %8.0fus\n",
                (unsigned long long)row->people, row->rate, row->empty_rate, row->ratio,
                row->server_us, row->commit_p50 * 1e6, row->commit_p99 * 1e6);
    }
    fprintf(out, "\n%11s %8s %8s %8s %8s %8s %8s %8s\n", "MiB: people", "RSS", "anon", "journal",
            "state", "index", "stop s", "kill s");
    for (size_t i = 0; i < found->row_count; i++) {
        const struct growth_row *row = &found->rows[i];
        fprintf(out, "%11llu %8.0f %8.0f %8.0f %8.0f %8.0f", (unsigned long long)row->people,
                mib(row->resident), mib(row->anonymous), mib(row->journal), mib(row->state),
                mib(row->index));
        print_seconds(row->restart, out);
        print_seconds(row->first_ack, out);
        fputc('\n', out);
    }
    fprintf(out, "stop s: SIGTERM to the next one's 2xx; kill s: start behind kill -9 to 2xx\n");
}

/* What a person adds, from the first row to the last. */
static double bytes_each(const struct growth_findings *found, uint64_t first, uint64_t last)
{
    uint64_t people = found->rows[found->row_count - 1].people - found->rows[0].people;

    return people ? ((double)last - (double)first) / (double)people : 0;
}

static void print_targets(const struct growth_findings *found, FILE *out)
{
    const struct growth_row *first = &found->rows[0], *last = &found->rows[found->row_count - 1];

    fprintf(out, "\nat %llu people\n", (unsigned long long)last->people);
    fprintf(out, "  rate          %.2f x an empty one's (wanted >= %.1f): %s\n", last->ratio,
            WANTED_RATIO, verdict(last->ratio >= WANTED_RATIO));
    if (last->first_ack > 0)
        fprintf(out, "  after kill -9 first 2xx in %.2f s (wanted < %.0f): %s\n", last->first_ack,
                WANTED_FIRST_ACK_S, verdict(last->first_ack < WANTED_FIRST_ACK_S));
    if (found->row_count > 1) {
        double state = bytes_each(found, first->state, last->state);
        fprintf(
            out,
            "  a person      %.0f B of state (wanted <= %.0f): %s; %.0f B of journal, %.0f B of "
            "index, %.0f B of memory\n",
            state, WANTED_STATE_BYTES_EACH, verdict(state <= WANTED_STATE_BYTES_EACH),
            bytes_each(found, first->journal, last->journal),
            bytes_each(found, first->index, last->index),
            bytes_each(found, first->anonymous, last->anonymous));
    }
    if (found->rebuild.records) {
        double rate = per_second(found->rebuild.records, found->rebuild.seconds);
        fprintf(out, "  rebuild       %.0f records/s, %llu in %.1f s (wanted >= %.0f): %s\n", rate,
                (unsigned long long)found->rebuild.records, found->rebuild.seconds,
                WANTED_REBUILD_RATE, verdict(rate >= WANTED_REBUILD_RATE));
    }
}

static void print_crowds(const struct growth_findings *found, FILE *out)
{
    const struct growth_backlog *backlog = &found->backlog;

    if (found->idle.connections)
        fprintf(
            out,
            "  idle          %llu connections, %.1f KiB each (wanted <= 20): %s; an opt-in among "
            "them in %.1f ms\n",
            (unsigned long long)found->idle.connections, found->idle.bytes_each / 1024,
            verdict(found->idle.bytes_each <= WANTED_IDLE_BYTES), found->idle.ack_seconds * 1e3);
    if (backlog->tasks)
        fprintf(out,
                "\n%llu tasks that nobody pops: taken at %.0f/s; Redis %.0f MiB, hotlead %.0f MiB\n"
                "  Redis gone for an hour and back with nothing: 2xx in at most %.1f ms meanwhile; "
                "%llu tasks visible again in %.1f s (%.0f/s)\n",
                (unsigned long long)backlog->tasks, backlog->rate, mib(backlog->redis_resident),
                mib(backlog->server_resident), backlog->ack_seconds * 1e3,
                (unsigned long long)backlog->visible, backlog->visible_seconds,
                per_second(backlog->visible, backlog->visible_seconds));
}

void growth_print(const struct growth_findings *found, const struct growth_options *options,
                  FILE *out)
{
    if (found->row_count > 0) {
        print_conditions(&found->about, options, out);
        print_rows(found, out);
        print_targets(found, out);
        print_crowds(found, out);
    }
    if (found->cut_short)
        fprintf(out, "%sCUT SHORT by Ctrl-C: %s\n", found->row_count > 0 ? "\n" : "",
                found->row_count > 0 ? "what is not above was not measured"
                                     : "nothing was measured yet");
}

/* --- JSON -------------------------------------------------------------------------- */

static json_t *json_of_row(const struct growth_row *row)
{
    return json_pack(
        "{s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "people",
        (json_int_t)row->people, "acked_per_second", row->rate, "empty_acked_per_second",
        row->empty_rate, "ratio", row->ratio, "server_us_per_optin", row->server_us,
        "empty_server_us_per_optin", row->empty_server_us, "commit_p50_s", row->commit_p50,
        "commit_p99_s", row->commit_p99, "resident_bytes", (json_int_t)row->resident,
        "anonymous_bytes", (json_int_t)row->anonymous, "journal_bytes", (json_int_t)row->journal,
        "state_bytes", (json_int_t)row->state, "index_bytes", (json_int_t)row->index, "restart_s",
        row->restart, "first_ack_after_kill_s", row->first_ack);
}

/* What it was measured on, as in a result. */
static json_t *json_of_conditions(const struct result *about, const struct growth_options *options)
{
    const struct machine *machine = &about->machine;
    const struct machine_disk *disk = &about->disk;

    return json_pack(
        "{s:s,s:s,s:s,s:s,s:I,s:{s:i,s:I,s:s,s:s,s:s,s:f},s:{s:s,s:b,s:I,s:I},s:{s:f,s:i,s:i}}",
        "command", about->command, "versions", about->versions, "playbook", about->playbook,
        "redis_settings", about->redis_settings, "started_ms", (json_int_t)about->started_ms,
        "machine", "cores", (int)machine->cores, "memory_bytes", (json_int_t)machine->memory_bytes,
        "processor", machine->processor, "kernel", machine->kernel, "system", machine->system,
        "load1", machine->load1, "disk", "file_system", disk->file_system, "volatile_memory",
        disk->volatile_memory, "fdatasync_p50_ns", (json_int_t)disk->fdatasync_p50_ns,
        "fdatasync_p99_ns", (json_int_t)disk->fdatasync_p99_ns, "load", "seconds", options->seconds,
        "rounds", (int)options->rounds, "connections", (int)options->tier.connections);
}

enum status growth_write_json(const struct growth_findings *found,
                              const struct growth_options *options, FILE *out)
{
    const struct growth_backlog *backlog = &found->backlog;
    json_t *rows = json_array();

    for (size_t i = 0; i < found->row_count; i++)
        json_array_append_new(rows, json_of_row(&found->rows[i]));
    json_t *root = json_pack(
        "{s:i,s:b,s:o,s:o,s:{s:I,s:f},s:{s:I,s:f,s:f},s:{s:I,s:f,s:f,s:f,s:I}}",
        "hotlead_bench_growth", 1, "cut_short", found->cut_short, "about",
        json_of_conditions(&found->about, options), "sizes", rows, "rebuild", "records",
        (json_int_t)found->rebuild.records, "seconds", found->rebuild.seconds, "idle",
        "connections", (json_int_t)found->idle.connections, "bytes_each", found->idle.bytes_each,
        "ack_s", found->idle.ack_seconds, "backlog", "tasks", (json_int_t)backlog->tasks,
        "acked_per_second", backlog->rate, "ack_s_max_without_redis", backlog->ack_seconds,
        "visible_s", backlog->visible_seconds, "visible", (json_int_t)backlog->visible);
    if (root == NULL) /* a command line may hold any bytes */
        return STATUS_INVALID;
    bool written = json_dumpf(root, out, JSON_INDENT(1)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    return written ? STATUS_OK : STATUS_IO;
}
