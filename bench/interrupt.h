/* Ctrl-C and SIGTERM for commands that last minutes and do more than one run. The first asks for an
 * orderly end, which who works finds out between two steps; the second ends the program at once, as
 * a shell says it (130). What was started dies with the program in any case, see process.h.
 *
 * A run has handlers of its own, on its loop: both are told. */
#ifndef HOTLEAD_BENCH_INTERRUPT_H
#define HOTLEAD_BENCH_INTERRUPT_H

#include <stdbool.h>

/* From now on until the program ends. Once, on the main thread. */
void interrupt_watch(void);
/* Any thread. */
bool interrupt_came(void);

#endif
