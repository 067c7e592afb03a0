/* What the model of Redis is made of: redis_model.c (keys and what is in them),
 * redis_model_command.c (commands and their replies), redis_model_script.c (push.lua, claim.lua).
 */
#ifndef HOTLEAD_TESTS_SIM_REDIS_MODEL_INTERNAL_H
#define HOTLEAD_TESTS_SIM_REDIS_MODEL_INTERNAL_H

#include "tests/sim/redis_model.h"

#define MODEL_KEYS_MAX 256

/* Shared between the copies of a model. */
struct blob {
    unsigned references;
    size_t length;
    char bytes[];
};

/* A member with its score, a list's member, a string, or a stream's entry: its id and its packed
 * fields. */
struct element {
    double score;
    uint64_t ms, seq;
    struct blob *text;
};

enum key_kind { KEY_NONE, KEY_STRING, KEY_ZSET, KEY_LIST, KEY_STREAM };

struct entry_key {
    char *name;
    enum key_kind kind;
    struct element *elements;
    size_t count, capacity;
    uint64_t last_ms, last_seq; /* of a stream */
};

struct model {
    struct entry_key *keys[MODEL_KEYS_MAX];
    size_t count, page;
    model_shown_fn *on_shown;
    void *owner;
};

/* --- redis_model.c ----------------------------------------------------------------------- */

struct slice element_text(const struct element *element);
struct element *element_append(struct entry_key *key, struct slice text);
void element_remove(struct entry_key *key, size_t at);
struct entry_key *model_find(const struct model *model, struct slice name);
struct entry_key *model_make(struct model *model, struct slice name, enum key_kind kind);
void model_delete(struct model *model, struct slice name);
void model_flush(struct model *model);
void model_tidy(struct model *model, struct entry_key *key);
/* `known`: only if it is there already. False: then it is not. */
bool model_zadd(struct model *model, struct slice name, bool known, double score,
                struct slice member);
bool model_holds(const struct model *model, struct slice name, struct slice member);
void model_rpush(struct model *model, struct slice name, struct slice member);
unsigned model_remove(struct model *model, struct slice name, struct slice member);
struct element *model_xadd(struct model *model, struct slice name, uint64_t ms, uint64_t seq,
                           const struct slice *fields, size_t count);
bool packed_next(struct slice *packed, struct slice *out);

/* --- redis_model_command.c --------------------------------------------------------------- */

struct call {
    struct model *model;
    const struct slice *words;
    size_t count;
    uint64_t now_ms;
    struct answer *answer;
};

struct redis_reply reply_text(struct answer *answer, enum redis_type type, struct slice text);
struct redis_reply reply_number(int64_t number);
/* The items are to be set by the caller. */
struct redis_reply reply_array(struct answer *answer, size_t count, struct redis_reply **items_out);
void answer_error(struct call *call, const char *text);
void answer_wrong_type(struct call *call);
/* Whole number in decimal digits, with a sign. */
bool word_number(struct slice word, int64_t *out);
void word_score(struct slice word, double *out, bool *good_out);

/* --- redis_model_script.c ---------------------------------------------------------------- */

void model_push(struct call *call);
void model_claim(struct call *call);

#endif
