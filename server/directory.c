#include "server/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code;
}

int directory_sync_parent(const char *path)
{
    char parent[PATH_MAX];

    if (snprintf(parent, sizeof parent, "%s/..", path) >= (int)sizeof parent)
        return ENAMETOOLONG;
    return directory_sync(parent);
}
