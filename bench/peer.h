/* What hotlead is measured beside: a folder bench/peers/NAME with peer.json and a configuration or
 * a source, as one would run it. Blocking; main thread. */
#ifndef HOTLEAD_BENCH_PEER_H
#define HOTLEAD_BENCH_PEER_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/rig.h"
#include "bench/target.h"
#include "proto/status.h"

#define PEER_PATH_MAX    512
#define PEER_WORDS_MAX   8
#define PEER_FILES_MAX   8
#define PEER_VERSION_MAX 256

/* Where things are: what peer.json calls @PEERS@, @PROGRAMS@ and @MODULES@. */
struct peer_places {
    char peers[PEER_PATH_MAX];    /* bench/peers */
    char programs[PEER_PATH_MAX]; /* of this program: floor and hotlead stand beside it */
    char modules[PEER_PATH_MAX];  /* node_modules, as bench/peers/install made it */
};
/* `peers` may be NULL: then it is bench/peers beside the folder of this program. NOT_FOUND: it is
 * not there. */
enum status peer_places_find(const char *peers, struct peer_places *out);

struct peer {
    char name[64];
    char folder[PEER_PATH_MAX];
    char does[256];                 /* in a sentence */
    bool durable;                   /* on disk before the answer */
    char version[PEER_VERSION_MAX]; /* "webdis 0.1.9"; "" when it has none of its own */
    char needs[PEER_FILES_MAX][PEER_PATH_MAX];
    unsigned need_count;
    char start[PEER_WORDS_MAX][PEER_PATH_MAX]; /* may hold @PORT@ and @FOLDER@ */
    unsigned start_count;
    char environment[PEER_WORDS_MAX][PEER_PATH_MAX]; /* NAME=VALUE */
    unsigned environment_count;
    char method[8], path[128];
    enum target_shape shape; /* TARGET_NOWHERE: a floor, which gets no Redis */
    char key[128];
};

/* Reads bench/peers/NAME/peer.json. NOT_FOUND: there is none; INVALID: it cannot be read. Both are
 * said on `talk`. */
enum status peer_read(const struct peer_places *places, const char *name, FILE *talk,
                      struct peer *out);

/* NULL, or the first file that is missing. */
const char *peer_missing(const struct peer *peer);

struct peer_rig;

/* A rig of these options with the peer in the place of hotlead; a floor has no Redis either. OK: it
 * takes connections. What goes wrong is said on `talk`, with the end of the log. */
enum status peer_rig_open(const struct peer *peer, const struct rig_options *options, FILE *talk,
                          struct peer_rig **out);
/* Its processes too; lives as long as the rig. */
const struct target *peer_rig_target(const struct peer_rig *rig);
void peer_rig_close(struct peer_rig *rig); /* ends all; removes the folder */

#endif
