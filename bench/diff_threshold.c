/* Thresholds of a comparison: figure, operator, and how many percent over (+) or under (-) the
 * first side the second may lie. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bench/diff.h"

static enum status refuse(const char *text, FILE *talk, const char *why)
{
    fprintf(talk, "hotlead-bench: threshold '%s': %s, as in p99<+5%% or rate>-2%%\n", text, why);
    return STATUS_INVALID;
}

enum status diff_threshold_read(const char *text, FILE *talk, struct diff_threshold *out)
{
    char name[32], *end;
    size_t length = strcspn(text, "<>");
    const char *number = text + length + 1;

    *out = (struct diff_threshold){.text = text};
    if (text[length] == '\0')
        return refuse(text, talk, "write one of < <= >= >");
    if (length == 0 || length >= sizeof name)
        return refuse(text, talk, "name a figure before the comparison");
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    name[strcspn(name, " ")] = '\0';
    out->figure = diff_figure_find(name, talk);
    if (!out->figure)
        return STATUS_INVALID;
    out->below = text[length] == '<';
    out->or_equal = *number == '=';
    number += out->or_equal;
    number += strspn(number, " ");
    /* strtod would also take words. */
    if (!isdigit((unsigned char)number[*number == '+' || *number == '-']))
        return refuse(text, talk, "write a number of percent behind the comparison");
    out->ratio = 1 + strtod(number, &end) / 100;
    if (strcmp(end, "%") != 0)
        return refuse(text, talk, "the limit is a change in percent and ends with %");
    if (out->ratio < 0)
        return refuse(text, talk, "nothing can lie more than 100 % under the first");
    return STATUS_OK;
}

bool diff_threshold_is_beyond(const struct diff_threshold *threshold,
                              const struct diff_estimate *estimate)
{
    if (threshold->or_equal && estimate->ratio == threshold->ratio)
        return false;
    return threshold->below ? estimate->ratio >= threshold->ratio
                            : estimate->ratio <= threshold->ratio;
}

bool diff_threshold_is_missed(const struct diff_threshold *threshold,
                              const struct diff_estimate *estimate)
{
    return diff_threshold_is_beyond(threshold, estimate) && estimate->verdict != DIFF_NOT_SHOWN;
}
