/* Any bytes as a config file: read or refused with a complaint, never anything else. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/config_file.h"

static void on_pair(void *owner, const char *name, const char *value, unsigned line)
{
    size_t *bytes = owner;

    MUST(line > 0);
    *bytes += strlen(name) + strlen(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *complaints = NULL;
    size_t complained, taken = 0;

    if (size > CONFIG_FILE_MAX)
        return 0;
    FILE *talk = open_memstream(&complaints, &complained);
    MUST(talk);
    enum status status = config_file_parse("fuzz", (const char *)data, size, on_pair, &taken, talk);
    fclose(talk);
    MUST(status == STATUS_OK || status == STATUS_INVALID);
    MUST((status == STATUS_INVALID) == (complained > 0));
    free(complaints);
    return 0;
}
