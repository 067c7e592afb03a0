/* The disk is asked in the way the journal uses it: a file that grows, each append followed by
 * fdatasync. What is written is random, because some file systems store zeroes as nothing. */
#include "bench/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define APPENDS      200
#define APPEND_BYTES (16 * 1024)
#define LINE_BYTES   1024
#define PATH_BYTES   4096

/* What stands behind `key` and any of the bytes `between` in the first line that begins so; ""
 * when there is none. */
static void read_line(const char *path, const char *key, const char *between,
                      char out[static MACHINE_TEXT_MAX])
{
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");

    out[0] = '\0';
    while (file && !out[0] && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        char *value = line + strlen(key) + strspn(line + strlen(key), between);
        value[strcspn(value, "\"\n")] = '\0';
        snprintf(out, MACHINE_TEXT_MAX, "%.*s", MACHINE_TEXT_MAX - 1, value);
    }
    if (file)
        fclose(file);
}

/* Those we may run on: a container or taskset may have fewer than the machine. */
static unsigned count_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

void machine_read(struct machine *out)
{
    struct utsname name;

    memset(out, 0, sizeof *out);
    out->cores = count_cores();
    out->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    read_line("/proc/cpuinfo", "model name", "\t :", out->processor);
    read_line("/etc/os-release", "PRETTY_NAME", "=\"", out->system);
    if (uname(&name) == 0) {
        snprintf(out->kernel, sizeof out->kernel, "%s", name.release);
        if (!out->processor[0]) /* not every architecture tells a model */
            snprintf(out->processor, sizeof out->processor, "%s", name.machine);
    }
    if (getloadavg(&out->load1, 1) != 1)
        out->load1 = 0;
}

/* --- the disk ------------------------------------------------------------------------------- */

bool machine_is_volatile(const char *folder)
{
    struct statfs about;

    return statfs(folder, &about) == 0 &&
           (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

static bool is_below(const char *path, const char *mount)
{
    size_t length = strlen(mount);

    if (strcmp(mount, "/") == 0)
        return true;
    return strncmp(path, mount, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The type of the longest mount point above it; of two on one place the later hides the other.
 * statfs would tell a number that ext2, ext3 and ext4 share. */
static void name_file_system(const char *folder, char out[static MACHINE_TEXT_MAX])
{
    char path[PATH_BYTES], text[PATH_BYTES];
    struct mntent mount;
    size_t longest = 0;

    snprintf(out, MACHINE_TEXT_MAX, "unknown");
    FILE *mounts = realpath(folder, path) ? setmntent("/proc/self/mounts", "re") : NULL;
    if (!mounts)
        return;
    while (getmntent_r(mounts, &mount, text, sizeof text)) {
        size_t length = strlen(mount.mnt_dir);
        if (length < longest || !is_below(path, mount.mnt_dir))
            continue;
        longest = length;
        snprintf(out, MACHINE_TEXT_MAX, "%.*s", MACHINE_TEXT_MAX - 1, mount.mnt_type);
    }
    endmntent(mounts);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool append(int file, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(file, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

static bool time_syncs(int file, uint64_t *durations_ns)
{
    char bytes[APPEND_BYTES];
    unsigned short seed[3] = {1, 2, 3};

    for (unsigned i = 0; i < APPENDS; i++) {
        for (size_t at = 0; at < sizeof bytes; at += sizeof(long)) {
            long number = jrand48(seed);
            memcpy(bytes + at, &number, sizeof number);
        }
        if (!append(file, bytes, sizeof bytes))
            return false;
        uint64_t start_ns = now_ns();
        if (fdatasync(file) != 0)
            return false;
        durations_ns[i] = now_ns() - start_ns;
    }
    return true;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

enum status machine_disk_read(const char *folder, struct machine_disk *out)
{
    char path[PATH_BYTES];
    uint64_t durations_ns[APPENDS];

    memset(out, 0, sizeof *out);
    name_file_system(folder, out->file_system);
    out->volatile_memory = machine_is_volatile(folder);
    if (snprintf(path, sizeof path, "%s/fdatasync.XXXXXX", folder) >= (int)sizeof path)
        return STATUS_IO;
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        return STATUS_IO;
    bool timed = time_syncs(file, durations_ns);
    close(file);
    unlink(path);
    if (!timed)
        return STATUS_IO;
    qsort(durations_ns, APPENDS, sizeof *durations_ns, by_size);
    out->fdatasync_p50_ns = durations_ns[APPENDS / 2 - 1];
    out->fdatasync_p99_ns = durations_ns[APPENDS * 99 / 100 - 1];
    return STATUS_OK;
}
