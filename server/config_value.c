/* Switches, counts and sizes as they are written in settings. */
#include "server/config_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool config_parse_switch(const char *text, bool *out)
{
    static const char *const words[] = {"true", "yes", "on", "1", "false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i < 4;
            return true;
        }
    }
    return false;
}

bool config_parse_count(const char *text, uint64_t *out, const char **rest)
{
    uint64_t number = 0;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    }
    *out = number;
    *rest = text;
    return true;
}

static const struct unit {
    const char *name;
    unsigned shift;
} units[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};
#define UNIT_COUNT (sizeof units / sizeof *units)

bool config_parse_size(const char *text, uint64_t *out)
{
    uint64_t number;

    if (!config_parse_count(text, &number, &text))
        return false;
    text += *text == ' ';
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(text, units[i].name) == 0) {
            *out = number << units[i].shift;
            return *out >> units[i].shift == number;
        }
    }
    return false;
}

void config_format_size(char out[32], uint64_t bytes)
{
    size_t i = 0;

    while (bytes == 0 ? units[i].shift != 0 : bytes & ((1ull << units[i].shift) - 1))
        i++;
    snprintf(out, 32, "%" PRIu64 "%s", bytes >> units[i].shift, units[i].name);
}
