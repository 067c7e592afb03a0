/* A result as JSON, drawn in result.h: which fields there are, and the writing.
 *
 * Texts are made with json_stringn: json_string is a name of proto/json.h as well, and a program
 * linked with both would call that one. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "bench/result_json.h"
#include "proto/must.h"

const struct field result_json_fields[] = {
    FIELD(result, name),
    FIELD(result, command),
    FIELD(result, started_ms),
    FIELD(result, runs),
    FIELD(result, versions),
    FIELD(result, redis_settings),
    FIELD(result, playbook),
    FIELD(result, arrivals),
    FIELD(result, rate),
    FIELD(result, duration_s),
    FIELD(result, connections),
    FIELD(result, sites),
    FIELD(result, consumers),
    FIELD(result, new_connections),
    FIELD(result, consumer_mode),
    FIELD(result, mix),
    FIELD(result, returning),
    FIELD(result, duplicates_wanted),
    FIELD_AS(KIND_DIGITS, result, seed),
    FIELD(result, intended),
    FIELD(result, sent),
    FIELD(result, acked),
    FIELD(result, failed),
    FIELD(result, duplicates),
    FIELD(result, acked_meanwhile),
    FIELD(result, returned),
    FIELD(result, popped),
    FIELD(result, lost),
    FIELD(result, doubled),
    FIELD(result, redelivered),
    FIELD(result, unclaimed),
    FIELD(result, strange),
    FIELD(result, emails_popped),
    FIELD(result, emails_reported),
    FIELD(result, emails_doubled),
    FIELD(result, server_cpu_us),
    FIELD(result, redis_cpu_us),
    FIELD(result, bench_cpu_us),
    FIELD(result, server_resident_bytes_max),
    FIELD(result, drain_s),
    FIELD(result, bench_was_the_limit),
    FIELD(result, limit_why),
    FIELDS_END,
};
const struct field result_json_machine[] = {
    FIELD(machine, cores),
    FIELD(machine, memory_bytes),
    FIELD(machine, processor),
    FIELD(machine, kernel),
    FIELD(machine, system),
    FIELD(machine, load1),
    FIELDS_END,
};
const struct field result_json_disk[] = {
    FIELD(machine_disk, file_system),      FIELD(machine_disk, volatile_memory),
    FIELD(machine_disk, fdatasync_p50_ns), FIELD(machine_disk, fdatasync_p99_ns),
    FIELD(machine_disk, simulated_us),     FIELDS_END,
};
const struct field result_json_answer[] = {
    FIELD(result_count, status),
    FIELD(result_count, error),
    FIELD(result_count, count),
    FIELDS_END,
};
const struct field result_json_check[] = {
    FIELD(result_check, what),
    FIELD(result_check, holds),
    FIELD(result_check, detail),
    FIELDS_END,
};
const struct field result_json_second[] = {
    FIELD(result_second, second),
    FIELD(result_second, intended),
    FIELD(result_second, sent),
    FIELD(result_second, acked),
    FIELD(result_second, failed),
    FIELD(result_second, popped),
    FIELD(result_second, ack_p50_ns),
    FIELD(result_second, ack_p99_ns),
    FIELD(result_second, ack_max_ns),
    FIELD(result_second, lead_p50_ns),
    FIELD(result_second, lead_p99_ns),
    FIELD(result_second, lead_max_ns),
    FIELD(result_second, server_cpu_us),
    FIELD(result_second, redis_cpu_us),
    FIELD(result_second, server_resident_bytes),
    FIELDS_END,
};

/* A command line may hold any bytes, a cut text may end within a character: of what is no UTF-8,
 * the ASCII is kept. */
static json_t *text_made(const char *text)
{
    json_t *made = json_stringn(text, strlen(text));

    if (made)
        return made;
    char plain[RESULT_TEXT_MAX];
    size_t length = 0;
    for (; text[length] && length < sizeof plain - 1; length++)
        plain[length] = (unsigned char)text[length] < 0x80 ? text[length] : '?';
    return json_stringn(plain, length);
}

static json_t *digits_made(uint64_t number)
{
    char digits[24];

    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    return json_stringn(digits, (size_t)length);
}

/* NULL for what is no number: jansson refuses it, and whoever sets the field then fails. */
static json_t *value_made(const struct field *field, const void *owner)
{
    const void *at = (const char *)owner + field->offset;

    switch (field->kind) {
    case KIND_TEXT:
        return text_made(at);
    case KIND_REAL:
        return json_real(*(const double *)at);
    case KIND_COUNT:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case KIND_SMALL:
        return json_integer(*(const unsigned *)at);
    case KIND_SIGNED:
        return json_integer(*(const int *)at);
    case KIND_TRUTH:
        return json_boolean(*(const bool *)at);
    case KIND_DIGITS:
        return digits_made(*(const uint64_t *)at);
    }
    MUST(!"a kind that nobody writes");
    return NULL;
}

static bool add_fields(json_t *object, const struct field *fields, const void *owner)
{
    bool good = true;

    for (const struct field *field = fields; field->name; field++)
        good &= json_object_set_new(object, field->name, value_made(field, owner)) == 0;
    return good;
}

static bool add_object(json_t *object, const char *name, const struct field *fields,
                       const void *owner)
{
    json_t *made = json_object();

    return json_object_set_new(object, name, made) == 0 && add_fields(made, fields, owner);
}

static bool add_rows(json_t *object, const char *name, const struct field *fields, const void *rows,
                     size_t row_bytes, size_t count)
{
    json_t *array = json_array();
    bool good = json_object_set_new(object, name, array) == 0;

    for (size_t i = 0; good && i < count; i++) {
        json_t *row = json_object();
        good = json_array_append_new(array, row) == 0 &&
               add_fields(row, fields, (const char *)rows + i * row_bytes);
    }
    return good;
}

static json_t *buckets_made(const struct hist *hist)
{
    json_t *array = json_array();
    uint64_t ns, count;
    size_t place = 0;

    while (hist_next(hist, &place, &ns, &count))
        json_array_append_new(array, json_pack("[I, I]", (json_int_t)ns, (json_int_t)count));
    return array;
}

static bool add_latency(json_t *object, const char *name, const struct hist *hist)
{
    static const struct {
        const char *name;
        double percentile;
    } shown[] = {{"p50_ns", 50}, {"p90_ns", 90}, {"p99_ns", 99}, {"p99.9_ns", 99.9}};
    json_t *made =
        json_pack("{s:I, s:I, s:I, s:f, s:f}", "count", (json_int_t)hist_count(hist), "min_ns",
                  (json_int_t)hist_min_ns(hist), "max_ns", (json_int_t)hist_max_ns(hist), "mean_ns",
                  hist_mean_ns(hist), "deviation_ns", hist_deviation_ns(hist));

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_object_set_new(made, shown[i].name,
                            json_integer((json_int_t)hist_at(hist, shown[i].percentile)));
    json_object_set_new(made, "buckets", buckets_made(hist));
    return json_object_set_new(object, name, made) == 0;
}

static bool add_latencies(json_t *object, const struct result *result)
{
    json_t *made = json_object();
    bool good = json_object_set_new(object, "latency", made) == 0;

    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++)
        good &= add_latency(made, result_latency_name(i), result->latency[i]);
    return good;
}

static bool add_histogram(json_t *object, const char *name, const struct metrics_histogram *from)
{
    json_t *uppers = json_array(), *cumulated = json_array();
    json_t *made = json_object();
    bool good = true;

    for (size_t i = 0; i < from->count; i++) {
        double upper = from->upper_seconds[i];
        good &= json_array_append_new(uppers, isinf(upper) ? json_null() : json_real(upper)) == 0;
        good &= json_array_append_new(cumulated, json_real(from->cumulated[i])) == 0;
    }
    good &= json_object_set_new(made, "upper_seconds", uppers) == 0;
    good &= json_object_set_new(made, "cumulated", cumulated) == 0;
    good &= json_object_set_new(made, "sum_seconds", json_real(from->sum_seconds)) == 0;
    return json_object_set_new(object, name, made) == 0 && good;
}

static bool add_figures(json_t *object, const struct result *result)
{
    return json_object_set_new(object, "figures",
                               json_pack("{s:f, s:f, s:f, s:b}", "acked_per_second",
                                         result_acked_per_second(result), "server_us_per_optin",
                                         result_server_us_per_optin(result), "redis_us_per_optin",
                                         result_redis_us_per_optin(result), "sound",
                                         (int)result_is_sound(result))) == 0;
}

static bool add_all(json_t *root, const struct result *result)
{
    return json_object_set_new(root, "version", json_integer(RESULT_VERSION)) == 0 &&
           add_fields(root, result_json_fields, result) && add_figures(root, result) &&
           add_object(root, "machine", result_json_machine, &result->machine) &&
           add_object(root, "disk", result_json_disk, &result->disk) &&
           add_rows(root, "answers", result_json_answer, result->answers, sizeof *result->answers,
                    result->answer_count) &&
           add_rows(root, "checks", result_json_check, result->checks, sizeof *result->checks,
                    result->check_count) &&
           add_latencies(root, result) && add_histogram(root, "commit", &result->commit) &&
           add_histogram(root, "visible", &result->visible) &&
           add_rows(root, "seconds", result_json_second, result->seconds, sizeof *result->seconds,
                    result->second_count);
}

/* A line for each field: grep finds a figure, and a histogram does not fill the screen. */
static enum status dump(json_t *root, FILE *out)
{
    const char *name, *comma = "{\n";
    json_t *value;
    bool good = true;

    json_object_foreach(root, name, value)
    {
        good &= fprintf(out, "%s\"%s\": ", comma, name) > 0;
        good &= json_dumpf(value, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) == 0;
        comma = ",\n";
    }
    good &= fputs("\n}\n", out) >= 0 && fflush(out) == 0;
    return good ? STATUS_OK : STATUS_IO;
}

enum status result_write_json(const struct result *result, FILE *out)
{
    json_t *root = json_object();
    enum status status = add_all(root, result) ? dump(root, out) : STATUS_INVALID;

    json_decref(root);
    return status;
}
