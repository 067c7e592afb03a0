/* What must hold of every life, whatever happens: looked at in the records as they come, and in the
 * rows that follow from them. It keeps books of its own, and asks the engine for nothing. */
#ifndef HOTLEAD_TESTS_LIFE_MODEL_H
#define HOTLEAD_TESTS_LIFE_MODEL_H

#include "tests/world.h"

#define MODEL_PEOPLE_MAX 64

struct life_model;

struct life_model *model_open(struct world *world);
void model_close(struct life_model *model);

/* Reads the records since the last call, then looks at everybody. A fault fails the test. */
void model_look(struct life_model *model);

struct model_counts {
    unsigned records, steps, skipped, parked, outcomes, late, stopped, breaches, puts;
};
struct model_counts model_counts(const struct life_model *model);

/* A task of somebody's, open or not: the nth newest of all. False: there are not so many. */
bool model_task(const struct life_model *model, unsigned nth, struct task_row *out);

#endif
