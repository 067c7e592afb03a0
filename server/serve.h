/* The running server: makes the parts, gives each what it needs of the others, runs the loop
 * until a signal, and takes everything down in the order that loses nothing. */
#ifndef HOTLEAD_SERVER_SERVE_H
#define HOTLEAD_SERVER_SERVE_H

#include "server/config.h"

/* Runs until SIGTERM or SIGINT; the exit code comes back. The config was checked. */
int serve(const struct config *config);

#endif
