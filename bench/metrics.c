/* The text is kept as it came, with each sample's name ended by a NUL in place, so that looking up
 * is comparing strings: there are a few hundred samples and few questions. */
#include "bench/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/client.h"

#define URL_BYTES  512
#define NAME_BYTES 512

struct sample {
    const char *name; /* with labels, into the text */
    double value;
};

struct metrics {
    size_t count;
    struct sample *samples;
    char *text;
};

/* The blank between a sample's name and its value: labels may hold blanks and, in quotes, anything.
 * NULL: the line is none. */
static char *end_of_name(char *line)
{
    bool quoted = false, labels = false;

    for (char *byte = line; *byte; byte++) {
        if (quoted && *byte == '\\' && byte[1])
            byte++;
        else if (*byte == '"')
            quoted = !quoted;
        else if (!quoted && *byte == '{')
            labels = true;
        else if (!quoted && *byte == '}')
            labels = false;
        else if (!quoted && !labels && *byte == ' ')
            return byte;
    }
    return NULL;
}

static void read_sample(struct metrics *metrics, char *line)
{
    char *end = end_of_name(line), *rest;

    if (!end)
        return;
    *end = '\0';
    double value = strtod(end + 1, &rest); /* reads +Inf and NaN too; a time stamp may follow */
    if (rest != end + 1)
        metrics->samples[metrics->count++] = (struct sample){line, value};
}

static void read_samples(struct metrics *metrics)
{
    char *place = NULL;

    for (char *line = strtok_r(metrics->text, "\r\n", &place); line;
         line = strtok_r(NULL, "\r\n", &place))
        if (*line != '#')
            read_sample(metrics, line);
}

static size_t count_lines(struct slice text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.length; i++)
        count += text.bytes[i] == '\n';
    return count;
}

static struct metrics *metrics_of(struct slice text)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);

    if (!metrics)
        return NULL;
    metrics->text = strndup(text.length > 0 ? text.bytes : "", text.length);
    metrics->samples = calloc(count_lines(text), sizeof *metrics->samples);
    if (!metrics->text || !metrics->samples) {
        metrics_close(metrics);
        return NULL;
    }
    read_samples(metrics);
    return metrics;
}

static enum status status_of(const struct client_answer *answer)
{
    if (answer->status == 200)
        return STATUS_OK;
    return answer->status == 401 || answer->status == 403 ? STATUS_FORBIDDEN : STATUS_BUSY;
}

bool metrics_are_known(const struct target *target)
{
    return target->kind == TARGET_HOTLEAD && (target->token[0] || target->admin_url[0]);
}

enum status metrics_read(const struct target *target, struct metrics **out)
{
    char url[URL_BYTES];
    const char *form = strchr(target->host, ':') ? "http://[%s]:%u" : "http://%s:%u";
    struct client *client;
    struct client_answer answer;

    *out = NULL;
    if (target->admin_url[0])
        snprintf(url, sizeof url, "%s", target->admin_url);
    else
        snprintf(url, sizeof url, form, target->host, target->port);
    enum status status = client_open(url, target->token, &client);
    if (status != STATUS_OK)
        return status;
    status = client_request(client, "GET", "/metrics", (struct slice){NULL, 0}, &answer);
    status = status == STATUS_OK ? status_of(&answer) : STATUS_BUSY;
    if (status == STATUS_OK) {
        *out = metrics_of(answer.body);
        status = *out ? STATUS_OK : STATUS_INTERNAL;
    }
    client_close(client);
    return status;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    free(metrics->samples);
    free(metrics->text);
    free(metrics);
}

static const struct sample *find(const struct metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->count; i++)
        if (strcmp(metrics->samples[i].name, name) == 0)
            return &metrics->samples[i];
    return NULL;
}

double metrics_value(const struct metrics *metrics, const char *sample)
{
    const struct sample *found = find(metrics, sample);

    return found ? found->value : 0;
}

/* Behind label=" in a sample's name; NULL: it has no such label. */
static const char *find_label(const char *sample, const char *label)
{
    size_t length = strlen(label);

    for (const char *at = strpbrk(sample, "{,"); at; at = strpbrk(at + 1, "{,"))
        if (strncmp(at + 1, label, length) == 0 && strncmp(at + 1 + length, "=\"", 2) == 0)
            return at + length + 3;
    return NULL;
}

bool metrics_label(const struct metrics *metrics, const char *name, const char *label, char *out,
                   size_t bytes)
{
    size_t length = strlen(name);

    out[0] = '\0';
    for (size_t i = 0; i < metrics->count; i++) {
        const char *sample = metrics->samples[i].name;
        if (strncmp(sample, name, length) != 0 || sample[length] != '{')
            continue;
        const char *value = find_label(sample, label);
        if (value)
            snprintf(out, bytes, "%.*s", (int)strcspn(value, "\""), value);
        return value != NULL;
    }
    return false;
}

bool metrics_histogram(const struct metrics *metrics, const char *name,
                       struct metrics_histogram *out)
{
    char bucket[NAME_BYTES], sum[NAME_BYTES];

    memset(out, 0, sizeof *out);
    if (snprintf(bucket, sizeof bucket, "%s_bucket{le=\"", name) >= (int)sizeof bucket)
        return false;
    for (size_t i = 0; i < metrics->count && out->count < METRICS_BUCKETS_MAX; i++) {
        const struct sample *sample = &metrics->samples[i];
        if (strncmp(sample->name, bucket, strlen(bucket)) != 0)
            continue;
        out->upper_seconds[out->count] = strtod(sample->name + strlen(bucket), NULL);
        out->cumulated[out->count++] = sample->value;
    }
    snprintf(sum, sizeof sum, "%.*s_sum", NAME_BYTES - 8, name);
    out->sum_seconds = metrics_value(metrics, sum);
    /* One that does not end with infinity was cut: its total would be a lie. */
    return out->count > 0 && isinf(out->upper_seconds[out->count - 1]);
}

double metrics_histogram_at(const struct metrics_histogram *histogram, double percentile)
{
    double total = histogram->count ? histogram->cumulated[histogram->count - 1] : 0;
    double rank = total * percentile / 100, below = 0, lower = 0;

    for (size_t i = 0; i < histogram->count; i++) {
        double here = histogram->cumulated[i] - below, upper = histogram->upper_seconds[i];
        if (here > 0 && histogram->cumulated[i] >= rank)
            return isinf(upper) ? upper : lower + (upper - lower) * (rank - below) / here;
        below = histogram->cumulated[i];
        lower = upper;
    }
    return 0;
}

double metrics_histogram_bound(const struct metrics_histogram *histogram)
{
    return histogram->count > 1 ? histogram->upper_seconds[histogram->count - 2] : 0;
}

void metrics_histogram_subtract(struct metrics_histogram *later,
                                const struct metrics_histogram *earlier)
{
    for (size_t i = 0; i < later->count && i < earlier->count; i++)
        later->cumulated[i] -= earlier->cumulated[i];
    later->sum_seconds -= earlier->sum_seconds;
}
