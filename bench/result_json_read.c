/* A result read back from its JSON. It trusts nothing, since a file may come from anywhere: every
 * message names the file and the field, and says what should stand there. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result_json.h"
#include "proto/must.h"

/* `within` is where in the file we are: "", "machine.", "seconds[3]." */
struct reader {
    const char *path;
    FILE *talk;
    char within[64];
};

static bool wrong(const struct reader *reader, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Always false, so that a check can end with it. */
static bool wrong(const struct reader *reader, const char *name, const char *format, ...)
{
    va_list arguments;

    fprintf(reader->talk, "hotlead-bench: %s: %s%s ", reader->path, reader->within, name);
    va_start(arguments, format);
    vfprintf(reader->talk, format, arguments);
    va_end(arguments);
    fputc('\n', reader->talk);
    return false;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",     [JSON_STRING] = "a text",
        [JSON_REAL] = "a number",    [JSON_INTEGER] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    return names[json_typeof(value)];
}

/* NULL, and said: it is missing or of another type. */
static json_t *member(const struct reader *reader, json_t *object, const char *name, json_type type)
{
    json_t *value = json_object_get(object, name);

    if (!value) {
        wrong(reader, name, "is missing");
        return NULL;
    }
    if (json_typeof(value) != type) {
        wrong(reader, name, "is %s, should be %s", type_name(value),
              type == JSON_OBJECT ? "an object" : "a list");
        return NULL;
    }
    return value;
}

static bool read_text(const struct reader *reader, const char *name, const json_t *value, char *at,
                      size_t size)
{
    if (!json_is_string(value))
        return wrong(reader, name, "is %s, should be a text", type_name(value));
    if (json_string_length(value) >= size)
        return wrong(reader, name, "is longer than %zu bytes", size - 1);
    memcpy(at, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool read_real(const struct reader *reader, const char *name, const json_t *value,
                      double *at)
{
    if (!json_is_number(value))
        return wrong(reader, name, "is %s, should be a number", type_name(value));
    *at = json_number_value(value);
    return true;
}

static bool read_whole(const struct reader *reader, const char *name, const json_t *value,
                       json_int_t greatest, json_int_t *at)
{
    if (!json_is_integer(value))
        return wrong(reader, name, "is %s, should be a whole number", type_name(value));
    *at = json_integer_value(value);
    if (*at < 0 || *at > greatest)
        return wrong(reader, name, "is %lld, should be between 0 and %lld", (long long)*at,
                     (long long)greatest);
    return true;
}

static bool read_digits(const struct reader *reader, const char *name, const json_t *value,
                        uint64_t *at)
{
    char digits[24], *end;

    if (!read_text(reader, name, value, digits, sizeof digits))
        return false;
    *at = strtoull(digits, &end, 10);
    if (end == digits || *end || digits[0] == '-')
        return wrong(reader, name, "is \"%s\", should be a whole number in quotes", digits);
    return true;
}

static bool read_value(const struct reader *reader, const struct field *field, const json_t *value,
                       void *owner)
{
    void *at = (char *)owner + field->offset;
    json_int_t whole = 0;
    bool good = false;

    switch (field->kind) {
    case KIND_TEXT:
        return read_text(reader, field->name, value, at, field->size);
    case KIND_REAL:
        return read_real(reader, field->name, value, at);
    case KIND_DIGITS:
        return read_digits(reader, field->name, value, at);
    case KIND_COUNT:
        good = read_whole(reader, field->name, value, INT64_MAX, &whole);
        *(uint64_t *)at = (uint64_t)whole;
        return good;
    case KIND_SMALL:
        good = read_whole(reader, field->name, value, UINT32_MAX, &whole);
        *(unsigned *)at = (unsigned)whole;
        return good;
    case KIND_SIGNED:
        good = read_whole(reader, field->name, value, INT32_MAX, &whole);
        *(int *)at = (int)whole;
        return good;
    case KIND_TRUTH:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ||
               wrong(reader, field->name, "is %s, should be true or false", type_name(value));
    }
    MUST(!"a kind that nobody reads");
    return false;
}

static bool read_fields(const struct reader *reader, json_t *object, const struct field *fields,
                        void *owner)
{
    for (const struct field *field = fields; field->name; field++) {
        const json_t *value = json_object_get(object, field->name);
        if (!value)
            return wrong(reader, field->name, "is missing");
        if (!read_value(reader, field, value, owner))
            return false;
    }
    return true;
}

static bool read_object(struct reader *reader, json_t *root, const char *name,
                        const struct field *fields, void *owner)
{
    json_t *object = member(reader, root, name, JSON_OBJECT);

    if (!object)
        return false;
    snprintf(reader->within, sizeof reader->within, "%s.", name);
    bool good = read_fields(reader, object, fields, owner);
    reader->within[0] = '\0';
    return good;
}

static bool read_rows(struct reader *reader, json_t *array, const char *name,
                      const struct field *fields, void *rows, size_t row_bytes)
{
    size_t index;
    json_t *row;

    json_array_foreach(array, index, row)
    {
        snprintf(reader->within, sizeof reader->within, "%s[%zu]", name, index);
        if (!json_is_object(row))
            return wrong(reader, "", "is %s, should be an object", type_name(row));
        strcat(reader->within, ".");
        if (!read_fields(reader, row, fields, (char *)rows + index * row_bytes))
            return false;
    }
    reader->within[0] = '\0';
    return true;
}

static bool read_few_rows(struct reader *reader, json_t *root, const char *name,
                          const struct field *fields, void *rows, size_t row_bytes, size_t rows_max,
                          unsigned *count_out)
{
    json_t *array = member(reader, root, name, JSON_ARRAY);

    if (!array)
        return false;
    if (json_array_size(array) > rows_max)
        return wrong(reader, name, "has %zu entries, should have no more than %zu",
                     json_array_size(array), rows_max);
    *count_out = (unsigned)json_array_size(array);
    return read_rows(reader, array, name, fields, rows, row_bytes);
}

static bool read_seconds(struct reader *reader, json_t *root, struct result *out)
{
    json_t *array = member(reader, root, "seconds", JSON_ARRAY);

    if (!array)
        return false;
    size_t count = json_array_size(array);
    out->seconds = calloc(count ? count : 1, sizeof *out->seconds);
    if (!out->seconds)
        return wrong(reader, "seconds", "do not fit into memory");
    out->second_count = (unsigned)count;
    return read_rows(reader, array, "seconds", result_json_second, out->seconds,
                     sizeof *out->seconds);
}

/* Buckets come at their upper ends, so the least value is put in for one of the first. */
static bool read_buckets(const struct reader *reader, json_t *buckets, uint64_t min_ns,
                         struct hist *hist)
{
    size_t index;
    json_t *bucket;
    json_int_t before = -1;

    json_array_foreach(buckets, index, bucket)
    {
        json_int_t ns = 0, count = 0;
        if (json_unpack(bucket, "[I, I!]", &ns, &count) != 0 || ns <= before || count <= 0 ||
            (uint64_t)ns > HIST_NS_MAX || (index == 0 && (uint64_t)ns < min_ns))
            return wrong(reader, "buckets",
                         "[%zu] should be [nanoseconds, count], higher than the one before", index);
        if (index == 0)
            hist_add(hist, min_ns);
        hist_add_many(hist, (uint64_t)ns, (uint64_t)count - (index == 0));
        before = ns;
    }
    return true;
}

static bool read_latency(struct reader *reader, json_t *latencies, const char *name,
                         struct hist *hist)
{
    struct limits {
        uint64_t count, min_ns, max_ns;
    } limits;
    static const struct field fields[] = {FIELD(limits, count), FIELD(limits, min_ns),
                                          FIELD(limits, max_ns), FIELDS_END};

    snprintf(reader->within, sizeof reader->within, "latency.");
    json_t *object = member(reader, latencies, name, JSON_OBJECT);
    if (!object)
        return false;
    snprintf(reader->within, sizeof reader->within, "latency.%s.", name);
    if (!read_fields(reader, object, fields, &limits))
        return false;
    json_t *buckets = member(reader, object, "buckets", JSON_ARRAY);
    if (!buckets || !read_buckets(reader, buckets, limits.min_ns, hist))
        return false;
    if (hist_count(hist) != limits.count || hist_max_ns(hist) != limits.max_ns ||
        hist_min_ns(hist) != limits.min_ns)
        return wrong(reader, "buckets", "do not come to its count, min_ns and max_ns");
    reader->within[0] = '\0';
    return true;
}

static bool read_latencies(struct reader *reader, json_t *root, struct result *out)
{
    json_t *object = member(reader, root, "latency", JSON_OBJECT);

    if (!object)
        return false;
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++)
        if (!read_latency(reader, object, result_latency_name(i), out->latency[i]))
            return false;
    return true;
}

static bool read_histogram_buckets(const struct reader *reader, const json_t *uppers,
                                   const json_t *cumulated, struct metrics_histogram *out)
{
    out->count = json_array_size(uppers);
    if (out->count > METRICS_BUCKETS_MAX || out->count != json_array_size(cumulated))
        return wrong(reader, "upper_seconds", "and cumulated should be as long, and %d at most",
                     METRICS_BUCKETS_MAX);
    for (size_t i = 0; i < out->count; i++) {
        const json_t *upper = json_array_get(uppers, i);
        out->upper_seconds[i] = INFINITY;
        if (!json_is_null(upper) &&
            !read_real(reader, "upper_seconds", upper, &out->upper_seconds[i]))
            return false;
        if (!read_real(reader, "cumulated", json_array_get(cumulated, i), &out->cumulated[i]))
            return false;
    }
    return true;
}

static bool read_histogram(struct reader *reader, json_t *root, const char *name,
                           struct metrics_histogram *out)
{
    static const struct field fields[] = {FIELD(metrics_histogram, sum_seconds), FIELDS_END};
    json_t *object = member(reader, root, name, JSON_OBJECT);

    if (!object)
        return false;
    snprintf(reader->within, sizeof reader->within, "%s.", name);
    json_t *uppers = member(reader, object, "upper_seconds", JSON_ARRAY);
    json_t *cumulated = uppers ? member(reader, object, "cumulated", JSON_ARRAY) : NULL;
    bool good = cumulated && read_fields(reader, object, fields, out) &&
                read_histogram_buckets(reader, uppers, cumulated, out);
    reader->within[0] = '\0';
    return good;
}

static bool read_all(struct reader *reader, json_t *root, struct result *out)
{
    return read_fields(reader, root, result_json_fields, out) &&
           read_object(reader, root, "machine", result_json_machine, &out->machine) &&
           read_object(reader, root, "disk", result_json_disk, &out->disk) &&
           read_few_rows(reader, root, "answers", result_json_answer, out->answers,
                         sizeof *out->answers, RESULT_STATUSES_MAX, &out->answer_count) &&
           read_few_rows(reader, root, "checks", result_json_check, out->checks,
                         sizeof *out->checks, RESULT_CHECKS_MAX, &out->check_count) &&
           read_latencies(reader, root, out) &&
           read_histogram(reader, root, "commit", &out->commit) &&
           read_histogram(reader, root, "visible", &out->visible) &&
           read_seconds(reader, root, out);
}

static enum status read_version(const struct reader *reader, const json_t *root)
{
    const json_t *version = json_object_get(root, "version");

    if (!json_is_integer(version)) {
        wrong(reader, "version", "is missing: this is no result of hotlead-bench");
        return STATUS_INVALID;
    }
    if (json_integer_value(version) != RESULT_VERSION) {
        wrong(reader, "version",
              "is %lld, and this hotlead-bench reads %d: use the one that wrote it",
              (long long)json_integer_value(version), RESULT_VERSION);
        return STATUS_VERSION;
    }
    return STATUS_OK;
}

static enum status read_root(struct reader *reader, json_t *root, struct result *out)
{
    enum status status = read_version(reader, root);

    if (status == STATUS_OK)
        status = result_init(out);
    if (status == STATUS_OK && !read_all(reader, root, out)) {
        result_free(out);
        status = STATUS_INVALID;
    }
    return status;
}

enum status result_read_json(const char *path, FILE *talk, struct result *out)
{
    struct reader reader = {.path = path, .talk = talk};
    json_error_t error;
    FILE *file = fopen(path, "re");

    if (!file) {
        fprintf(talk, "hotlead-bench: %s cannot be read: %m\n", path);
        return STATUS_IO;
    }
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    if (!root) {
        fprintf(talk, "hotlead-bench: %s is no JSON: line %d: %s\n", path, error.line, error.text);
        return STATUS_MALFORMED;
    }
    enum status status = read_root(&reader, root, out);
    json_decref(root);
    return status;
}
