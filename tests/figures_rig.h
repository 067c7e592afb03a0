/* A world of its own for each test, and the last report that was written of it. */
#ifndef HOTLEAD_TESTS_FIGURES_RIG_H
#define HOTLEAD_TESTS_FIGURES_RIG_H

#include "proto/report.h"
#include "proto/task.h"
#include "server/figures.h"
#include "server/site.h"
#include "tests/engine_rig.h"

static char document[1024 * 1024];
static unsigned serial; /* makes every opt-in another one */

static inline int set_up(void **unused)
{
    set_up_world(unused);
    serial = 0;
    return 0;
}

static inline void write_label(void *owner, enum tally_dimension dimension, uint64_t value,
                               const uint64_t seqs[FIGURES_SEQS], struct text *out)
{
    (void)owner;
    (void)seqs;
    text_printf(out, "\"%d:%llx\"", dimension, (unsigned long long)value);
}

static inline bool is_agent(void *owner, uint32_t agent)
{
    (void)owner;
    (void)agent;
    return true;
}

static inline void assert_says(const char *part)
{
    if (!strstr(document, part))
        fail_msg("'%s' is not in: %s", part, document);
}

#endif
