/* A disk of another speed, for the server alone: disk_delay.so is loaded into it, and waits where
 * the server syncs. Redis has the disk as it is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/rig_internal.h"

#define LIBRARY "disk_delay.so"
#define US_MAX  1000000

bool rig_read_disk(const char *text, unsigned *us_out)
{
    char *unit;
    double number = strtod(text, &unit);
    double us = strcmp(unit, "us") == 0 ? number : strcmp(unit, "ms") == 0 ? 1000 * number : 0;

    if (!(us >= 1 && us <= US_MAX) || us != (unsigned)us)
        return false;
    *us_out = (unsigned)us;
    return true;
}

/* Beside this program as it is built, or where it is installed. */
static bool find_library(char out[static RIG_PATH_MAX])
{
    static const char *const places[] = {LIBRARY, "../lib/hotlead/" LIBRARY};
    char folder[RIG_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);

    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int written = snprintf(out, RIG_PATH_MAX, "%s/%s", folder, places[i]);
        if (written < RIG_PATH_MAX && access(out, R_OK) == 0)
            return true;
    }
    return false;
}

enum status rig_disk_prepare(struct rig *rig, FILE *talk)
{
    char library[RIG_PATH_MAX];

    if (rig->options.disk_us == 0)
        return STATUS_OK;
    if (!find_library(library)) {
        fprintf(talk, "hotlead-bench: " LIBRARY ", which simulates a disk, is not beside this "
                      "program: build it (ninja -C build disk_delay)\n");
        return STATUS_INVALID;
    }
    snprintf(rig->disk[0], sizeof *rig->disk, "LD_PRELOAD=%s", library);
    snprintf(rig->disk[1], sizeof *rig->disk, "DISK_DELAY_US=%u", rig->options.disk_us);
    snprintf(rig->disk[2], sizeof *rig->disk, "DISK_DELAY_REAL=0");
    for (unsigned i = 0; i < RIG_DISK_VARIABLES; i++)
        rig->disk_environment[i] = rig->disk[i];
    return STATUS_OK;
}

const char *const *rig_disk_environment(const struct rig *rig)
{
    return rig->disk_environment;
}
