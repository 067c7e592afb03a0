/* A playbook that a server of ours is to go by in place of the shipped one. */
#ifndef HOTLEAD_BENCH_PLAYBOOK_FILE_H
#define HOTLEAD_BENCH_PLAYBOOK_FILE_H

#include <stdio.h>

#include "proto/slice.h"
#include "proto/status.h"

struct playbook_file {
    char shown[64]; /* "calls (1a2b3c4d)": its name, and how its hash begins */
    struct slice yaml;
};

/* Reads and checks it, as `hotlead playbook check` does. What is wrong is said on `talk`, and then
 * there is nothing to free. IO: it cannot be read; INVALID or TOO_LARGE: it is no good. */
enum status playbook_file_open(const char *path, FILE *talk, struct playbook_file *out);
void playbook_file_close(struct playbook_file *file);

#endif
