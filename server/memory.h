/* State, journal and index in memory, for simulate and for replays under another playbook.
 *
 * The engine is compiled once more against these: what implements state.h, journal.h and index.h
 * here, and who uses it, is compiled with memory_names.h before everything else (see
 * CMakeLists.txt), which puts "memory_" before the name of each function of those headers and of
 * the engine's. So there is one source of the engine, the server's calls cost nothing more, and a
 * function that the engine begins to use is missed by the linker here.
 *
 * Only what the engine needs is here; rows are those of record.h. Nothing is ever committed, the
 * tally is not kept, and of the outbox nothing but what engine_outbox tells. One thread each. */
#ifndef HOTLEAD_SERVER_MEMORY_H
#define HOTLEAD_SERVER_MEMORY_H

#include "server/engine.h"
#include "server/index.h"
#include "server/journal.h"
#include "server/state.h"

/* Out of memory is the end of the program: the journal, the state and the index of somebody who
 * only calculates are worth nothing half. */

/* A number that two states share when their rows are the same: those of people, tasks, queues, what
 * is due and what is visible. Not the same number on every machine or in every release. */
uint64_t memory_digest(const struct state *state);

#endif
