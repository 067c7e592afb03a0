/* The Redis of the world: a model behind links that are slow, break, and keep what was on its way
 * when they broke for a while longer. redis_link.c is the simulation's server/redis.h. */
#ifndef HOTLEAD_TESTS_SIM_REDIS_LINK_H
#define HOTLEAD_TESTS_SIM_REDIS_LINK_H

#include "tests/sim/loop.h"
#include "tests/sim/redis_model.h"

/* A Redis that is empty and up. */
void redis_world_begin(model_shown_fn *on_shown, void *owner);
void redis_world_end(void);
struct model *redis_world_model(void);

/* What a consumer does: at once, on a link of its own. False: Redis is away. The caller frees. */
bool redis_world_do(const struct slice *words, size_t count, struct answer *out);
bool redis_world_is_up(void);
/* When the node last began to page through this queue, in engine time; 0: not yet. */
uint64_t redis_world_paged_ms(struct slice key);
/* Commands that broken links left behind and that are still to be run. */
bool redis_world_has_ghosts(void);
/* One of them took a mark over. */
bool redis_world_was_taken_back(void);

/* --- faults ------------------------------------------------------------------------------ */

void redis_world_break_links(void); /* what was sent may be run, or not, or later */
void redis_world_stop(uint64_t us); /* it stands still (SIGSTOP) */
void redis_world_slow(bool slow);   /* answers take up to 80 ms */
void redis_world_remember(void);    /* a snapshot, a replica's state, an AOF's end */
/* It dies and comes back after `us` with what it remembered `back` snapshots ago; 0: with all that
 * it had. */
void redis_world_restart(unsigned back, uint64_t us);
/* The same without a word: what answers under the address has kept its run id. Either the links
 * break, as with a machine that is set back to a snapshot, or they hold, as behind a proxy that
 * speaks Redis' language; then its clock goes on as before. */
void redis_world_swap(unsigned back);
void redis_world_heal(void); /* up, quick, and not standing still */

#endif
