/* A temporary folder of a test, removed with all that is in it. */
#ifndef HOTLEAD_TESTS_FOLDER_H
#define HOTLEAD_TESTS_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/must.h"

struct folder {
    char path[64];
};

static inline struct folder folder_make(void)
{
    struct folder folder = {"/tmp/hotlead-test-XXXXXX"};

    MUST(mkdtemp(folder.path));
    return folder;
}

static inline int folder_remove_entry(const char *path, const struct stat *entry, int type,
                                      struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

static inline void folder_remove(const struct folder *folder)
{
    MUST(nftw(folder->path, folder_remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* `name` inside the folder; valid until the next call. */
static inline const char *folder_path(const struct folder *folder, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

#endif
