/* hotlead replay --playbook, as maintain_replay.c has understood its words. */
#ifndef HOTLEAD_SERVER_MAINTAIN_RETELL_H
#define HOTLEAD_SERVER_MAINTAIN_RETELL_H

#include <stdint.h>

#include "server/maintain_job.h"

struct retell_words {
    const char *playbook; /* a file, or "default" */
    const char *person;   /* NULL: all */
    uint64_t from_ms, until_ms;
};

/* The exit code. */
int maintain_retell(struct maintain_job *job, const struct retell_words *words);

#endif
