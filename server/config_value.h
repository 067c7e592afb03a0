/* Values of settings as text: switches, counts, sizes. Pure, any thread. */
#ifndef HOTLEAD_SERVER_CONFIG_VALUE_H
#define HOTLEAD_SERVER_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* True, yes, on, 1 and their opposites. False: none of these. */
bool config_parse_switch(const char *text, bool *out);

/* Digits only: no sign, no fraction. `*rest` is what stands behind them. False: no digit, or over
 * 64 bits. */
bool config_parse_count(const char *text, uint64_t *out, const char **rest);

/* Bytes: a count, and one of KiB, MiB, GiB, TiB behind it or nothing. */
bool config_parse_size(const char *text, uint64_t *out);

/* The same in the largest unit that it is a whole number of. */
void config_format_size(char out[32], uint64_t bytes);

#endif
