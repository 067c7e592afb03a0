/* Strict UTF-8 (no overlongs, no surrogates, nothing over U+10FFFF). */
#ifndef HOTLEAD_PROTO_UTF8_H
#define HOTLEAD_PROTO_UTF8_H

#include <stdbool.h>

#include "proto/slice.h"

#ifdef __cplusplus
extern "C" {
#endif
bool utf8_valid(struct slice bytes);
#ifdef __cplusplus
}
#endif

#endif
