/* An engine with a journal, a state and an index in memory, and how a command goes through them:
 * decided, applied, appended. What the writer does for the server, without batches and threads. */
#ifndef HOTLEAD_SERVER_MEMORY_ROOM_H
#define HOTLEAD_SERVER_MEMORY_ROOM_H

#include "server/memory.h"

/* A record that was made, before it is applied. */
typedef void memory_record_fn(void *owner, struct record *record);

struct memory_room {
    struct effect_genesis genesis;
    struct journal *journal;
    struct registry *registry;
    struct state *state;
    struct index *index;
    struct engine *engine;
    struct record record; /* the last one */
    struct settlement settlement;
    engine_outbox_fn *on_outbox;
    memory_record_fn *on_record; /* NULL: nobody listens */
    void *owner;
};

/* Begins with a record of these keys. */
void memory_room_open(struct memory_room *room, const struct effect_genesis *genesis,
                      uint64_t now_ms);
void memory_room_close(struct memory_room *room);

/* The settlement's status. */
enum status memory_room_do(struct memory_room *room, const struct command *command);
/* What is due first, once. NOT_FOUND: nothing is until `now_ms`. */
enum status memory_room_due(struct memory_room *room, uint64_t now_ms);
/* A record that somebody else has begun: it gets its place, and is kept. */
enum status memory_room_keep(struct memory_room *room, uint64_t now_ms);
/* The number that an entity has got; settings as of registry_check. 0: they were refused. */
uint32_t memory_room_admin(struct memory_room *room, enum entity_kind entity, const char *settings,
                           uint64_t now_ms);

/* Changes some of an entity's settings. */
enum status memory_room_set(struct memory_room *room, enum entity_kind entity, uint32_t number,
                            const char *patch, uint64_t now_ms);

/* Throws away everything but the journal, and makes it anew from that. */
enum status memory_room_rebuild(struct memory_room *room);

#endif
