/* One hotlead of the world: writer, engine, journal, state, publish and inbox, put together as
 * server/serve.c does, without HTTP. It can be stopped well, or die at any point. */
#ifndef HOTLEAD_TESTS_SIM_NODE_H
#define HOTLEAD_TESTS_SIM_NODE_H

#include "server/inbox.h"
#include "server/publish.h"
#include "server/writer.h"

#define NODE_TICKET      (1ull << 60) /* of commands that the world submits */
#define NODE_PATIENCE_MS 5000u /* it waits so long for what it has not heard, and then judges */

/* What a process leaves behind when it dies. */
enum node_left {
    NODE_KILLED,    /* everything that was written: the page cache survives */
    NODE_POWER_CUT, /* the journal; state cannot be trusted any more */
    NODE_STATE_GONE /* somebody removed the state folder */
};

/* Of one process. */
struct node_life {
    uint64_t start_ms; /* the wall clock's */
    uint64_t ready_us; /* 0: never, as below */
    uint64_t known_us; /* it had heard all that was said before its start */
    uint64_t end_us;
};

struct node {
    char directory[96];
    struct log *log;
    struct clock *clock;
    struct stats *stats;
    struct registry *registry; /* the loop's */
    struct writer *writer;     /* NULL: it does not run */
    struct publish *publish;
    struct inbox *inbox;
    bool ready, watched, drained;
    struct node_life life;
    writer_settled_fn *on_settled; /* of the world's commands */
    void *owner;
};

/* An empty folder, and a first start. `small_calls`: its pushes hold a few tasks each. */
void node_begin(struct node *node, bool small_calls, struct log *log, writer_settled_fn *on_settled,
                void *owner);
void node_start(struct node *node);
void node_stop(struct node *node); /* as SIGTERM does */
void node_die(struct node *node, enum node_left left);
void node_end(struct node *node); /* removes the folder; it does not run */
enum status node_submit(struct node *node, const struct command *command);

/* The state as it is on disk, as text, or as a rebuild makes it. It does not run. To be freed. */
char *node_dump(struct node *node, bool rebuild);

#endif
