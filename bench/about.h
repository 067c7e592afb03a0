/* What a figure was measured on, as it stands in a result. */
#ifndef HOTLEAD_BENCH_ABOUT_H
#define HOTLEAD_BENCH_ABOUT_H

#include "bench/result.h"
#include "bench/target.h"

/* Machine, disk, versions and Redis' settings. `data`: the folder of a server of ours; NULL: it is
 * somewhere else. What cannot be found out is left empty. Blocking. */
void about_read(const struct target *target, const char *data, struct result *result);

#endif
