/* Collects what a form parser hands out as "name=value|name=value|". */
#ifndef HOTLEAD_TESTS_PAIRS_H
#define HOTLEAD_TESTS_PAIRS_H

#include "proto/form.h"

struct pairs {
    char bytes[4096];
    struct text seen;
    size_t stop_at; /* the pair at which the callback says INVALID; 0: never */
    size_t count;
};

static inline struct pairs *pairs_begin(struct pairs *pairs)
{
    pairs->seen = text_over(pairs->bytes, sizeof(pairs->bytes));
    pairs->count = 0;
    pairs->stop_at = 0;
    return pairs;
}

static inline enum status pairs_collect(void *owner, struct slice name, struct slice value)
{
    struct pairs *pairs = owner;

    text_add(&pairs->seen, name);
    text_char(&pairs->seen, '=');
    text_add(&pairs->seen, value);
    text_char(&pairs->seen, '|');
    return ++pairs->count == pairs->stop_at ? STATUS_INVALID : STATUS_OK;
}

#endif
