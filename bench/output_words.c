/* See output_words.h. Only ASCII is written, since widths are counted in bytes. */
#include "bench/output_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In the greatest unit that leaves no less than 1 once it is rounded. */
static struct words three_digits(double value, const char *unit)
{
    struct words words;
    int places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

    snprintf(words.text, sizeof words.text, "%.*f%s", places, value, unit);
    return words;
}

struct words words_duration(double ns)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};

    if (ns <= 0)
        return (struct words){"0"};
    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (ns >= 0.9995 * units[i].ns)
            return three_digits(ns / units[i].ns, units[i].name);
    struct words words;
    snprintf(words.text, sizeof words.text, "%.0fns", ns);
    return words;
}

struct words words_count(uint64_t count)
{
    struct words words;
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            words.text[written++] = ',';
        words.text[written++] = digits[i];
    }
    words.text[written] = '\0';
    return words;
}

struct words words_rate(double per_second)
{
    /* Few, but whole ones: a count. */
    if (per_second == floor(per_second) && per_second < 1e18)
        return words_count((uint64_t)per_second);
    return per_second < 99.95 ? three_digits(per_second, "")
                              : words_count((uint64_t)(per_second + 0.5));
}

struct words words_bytes(uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / 1024;
    unsigned unit = 0;

    while (value >= 999.5 && unit < 3) {
        value /= 1024;
        unit++;
    }
    return three_digits(value, units[unit]);
}

#define NEAREST_BYTES_MAX 24 /* of a word that can be somebody's slip */

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* How many letters must be changed, put in or taken out (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    size_t columns = strlen(b);
    unsigned row[NEAREST_BYTES_MAX + 1];

    for (size_t j = 0; j <= columns; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < columns; j++) {
            unsigned changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least_of(changed, row[j] + 1, diagonal + 1);
        }
    }
    return row[columns];
}

const char *words_nearest(const char *word, const char *const *known)
{
    const char *nearest = NULL;
    unsigned least = 3; /* from three letters on it is another word */

    for (; *known; known++) {
        if (strlen(*known) > NEAREST_BYTES_MAX)
            continue;
        unsigned away = distance(word, *known);
        if (away < least && away < strlen(*known)) {
            least = away;
            nearest = *known;
        }
    }
    return nearest;
}
