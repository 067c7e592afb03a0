/* Strict UTF-8 (no overlongs, no surrogates, nothing over U+10FFFF). */
#ifndef HOTLEAD_PROTO_UTF8_H
#define HOTLEAD_PROTO_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

#ifdef __cplusplus
extern "C" {
#endif
bool utf8_valid(struct slice bytes);
/* Takes the first character of what is not empty, whole. A byte that belongs to none counts as
 * U+FFFD. */
uint32_t utf8_next(struct slice *rest);
#ifdef __cplusplus
}
#endif

#endif
