/* What a figure was measured on: it stands in every result. */
#ifndef HOTLEAD_BENCH_MACHINE_H
#define HOTLEAD_BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

#define MACHINE_TEXT_MAX 128

struct machine {
    unsigned cores;
    uint64_t memory_bytes;
    char processor[MACHINE_TEXT_MAX], kernel[MACHINE_TEXT_MAX],
        system[MACHINE_TEXT_MAX]; /* "Debian 12" */
    double load1;                 /* before the run */
};
void machine_read(struct machine *out);

/* The disk under a folder: 200 appends of 16 KiB to a file there, each followed by fdatasync. */
struct machine_disk {
    char file_system[MACHINE_TEXT_MAX]; /* "ext4" */
    bool volatile_memory;               /* tmpfs, ramfs */
    uint64_t fdatasync_p50_ns, fdatasync_p99_ns;
    /* Not 0: the server that was measured did not sync, and waited so long instead. */
    unsigned simulated_us;
};
/* IO: nothing can be written there; out->file_system is told all the same. */
enum status machine_disk_read(const char *folder, struct machine_disk *out);
/* Whether what is written there is gone with the power: tmpfs, ramfs. */
bool machine_is_volatile(const char *folder);

#endif
