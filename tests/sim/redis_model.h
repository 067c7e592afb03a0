/* A Redis in memory: the keys, and those commands and scripts that hotlead and its consumers use.
 * It does what the real one does (tests/test_sim_redis.c compares the two), on a clock that is
 * given, and it can be copied whole: so it can also forget. */
#ifndef HOTLEAD_TESTS_SIM_REDIS_MODEL_H
#define HOTLEAD_TESTS_SIM_REDIS_MODEL_H

#include "server/redis.h"

struct model;

/* A reply and the memory it stands in. */
struct answer {
    struct redis_reply reply;
    struct answer_block *blocks;
};
void answer_free(struct answer *answer);

/* A member came into a queue in which it was not. */
typedef void model_shown_fn(void *owner, struct slice key, struct slice member);

struct model *model_open(void);
void model_close(struct model *model);
struct model *model_copy(const struct model *model);
void model_listen(struct model *model, model_shown_fn *on_shown, void *owner);

/* Elements that a ZSCAN gives at a time; at first as many as it asks for. */
void model_page(struct model *model, size_t elements);

/* One command; "PUSH" and "CLAIM" are push.lua and claim.lua, their keys first. The times of `*` in
 * XADD are `now_ms`. A BLOCK is not waited for: the answer is NIL at once. */
void model_do(struct model *model, const struct slice *words, size_t count, uint64_t now_ms,
              struct answer *out);

/* All keys and what is in them, a line each, sorted: for comparing and for traces. To be freed. */
char *model_text(const struct model *model);

/* The members of a queue of either shape, one after the other: `index` from 0. */
bool model_member(const struct model *model, struct slice key, size_t index, struct slice *out);
/* The entries of a stream: a field's value, empty if it has none. False: no more entries. */
bool model_entry(const struct model *model, struct slice key, size_t index, struct slice field,
                 struct slice *value_out);

#endif
