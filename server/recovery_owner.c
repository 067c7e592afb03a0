/* state/OWNER: the boot id and `clean` or `dirty`, two lines. */
#include "server/recovery_owner.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/directory.h"

#define BOOT_ID_LENGTH 36

static bool path_join(char out[PATH_MAX], const char *directory, const char *name, const char *end)
{
    int length = snprintf(out, PATH_MAX, "%s/%s%s", directory, name, end);

    return length > 0 && length < PATH_MAX;
}

size_t recovery_read_small(const char *path, char *buffer, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return 0;
    length = read(fd, buffer, capacity);
    close(fd);
    return length > 0 ? (size_t)length : 0;
}

/* Whole or not at all, and there after a power cut: tmp, fsync, rename, fsync of the folder. */
static bool write_durably(const char *directory, const char *name, const char *bytes, size_t length)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    bool good;
    int fd;

    if (!path_join(path, directory, name, "") || !path_join(temporary, directory, name, ".tmp"))
        return false;
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    good = write(fd, bytes, length) == (ssize_t)length && fsync(fd) == 0;
    close(fd);
    return good && rename(temporary, path) == 0 && directory_sync(directory) == 0;
}

static void boot_id(char out[BOOT_ID_LENGTH])
{
    memset(out, '?', BOOT_ID_LENGTH);
    (void)recovery_read_small("/proc/sys/kernel/random/boot_id", out, BOOT_ID_LENGTH);
}

bool recovery_owner_write(const char *state_directory, bool clean)
{
    char text[BOOT_ID_LENGTH + 16], boot[BOOT_ID_LENGTH];
    int length;

    boot_id(boot);
    length =
        snprintf(text, sizeof(text), "%.*s\n%s\n", BOOT_ID_LENGTH, boot, clean ? "clean" : "dirty");
    return write_durably(state_directory, "OWNER", text, (size_t)length);
}

bool recovery_owner_vouches(const char *state_directory)
{
    char path[PATH_MAX], text[BOOT_ID_LENGTH + 16], boot[BOOT_ID_LENGTH];
    size_t length;

    if (!path_join(path, state_directory, "OWNER", ""))
        return false;
    length = recovery_read_small(path, text, sizeof(text));
    if (length != BOOT_ID_LENGTH + 7 || text[BOOT_ID_LENGTH] != '\n')
        return false;
    if (memcmp(text + BOOT_ID_LENGTH + 1, "clean\n", 6) == 0)
        return true;
    boot_id(boot);
    return memcmp(text, boot, BOOT_ID_LENGTH) == 0 &&
           memcmp(text + BOOT_ID_LENGTH + 1, "dirty\n", 6) == 0;
}
