/* A result in memory: made, freed, and the figures that follow from its counts. */
#include "bench/result.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"

static const char *const latency_names[RESULT_LATENCY_COUNT] = {
    [RESULT_LEAD] = "speed_to_lead",
    [RESULT_ACK] = "ack",
    [RESULT_ACK_RAW] = "ack_raw",
    [RESULT_AFTER_ACK] = "after_ack",
};

const char *result_latency_name(enum result_latency which)
{
    MUST(which < RESULT_LATENCY_COUNT);
    return latency_names[which];
}

bool result_latency_find(const char *name, enum result_latency *out)
{
    *out = RESULT_LEAD;
    if (strcmp(name, "lead") == 0)
        return true;
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++) {
        if (strcmp(name, latency_names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

enum status result_init(struct result *result)
{
    *result = (struct result){.runs = 1};
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++) {
        result->latency[i] = hist_open();
        if (!result->latency[i]) {
            result_free(result);
            return STATUS_INTERNAL;
        }
    }
    return STATUS_OK;
}

void result_free(struct result *result)
{
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++)
        hist_close(result->latency[i]);
    free(result->seconds);
    *result = (struct result){0};
}

void result_check(struct result *result, bool holds, const char *what, const char *format, ...)
{
    MUST(result->check_count < RESULT_CHECKS_MAX);
    struct result_check *check = &result->checks[result->check_count++];
    va_list arguments;

    check->holds = holds;
    snprintf(check->what, sizeof check->what, "%s", what);
    va_start(arguments, format);
    vsnprintf(check->detail, sizeof check->detail, format, arguments);
    va_end(arguments);
}

bool result_is_sound(const struct result *result)
{
    for (unsigned i = 0; i < result->check_count; i++)
        if (!result->checks[i].holds)
            return false;
    return true;
}

bool result_is_yes(int status)
{
    return (status >= 200 && status < 300) || status == 303;
}

uint64_t result_errors(const struct result *result)
{
    uint64_t errors = 0;

    for (unsigned i = 0; i < result->answer_count; i++)
        if (!result_is_yes(result->answers[i].status))
            errors += result->answers[i].count;
    return errors;
}

double result_acked_per_second(const struct result *result)
{
    return result->duration_s > 0 ? (double)result->acked_meanwhile / result->duration_s : 0;
}

static double per_optin(const struct result *result, uint64_t cpu_us)
{
    return result->acked_meanwhile ? (double)cpu_us / (double)result->acked_meanwhile : 0;
}

double result_server_us_per_optin(const struct result *result)
{
    return per_optin(result, result->server_cpu_us);
}

double result_redis_us_per_optin(const struct result *result)
{
    return per_optin(result, result->redis_cpu_us);
}
