#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void memory_missing(void)
{
    static const char talk[] = "hotlead: out of memory: ended, start it again\n";
    ssize_t ignored = write(STDERR_FILENO, talk, sizeof(talk) - 1);

    (void)ignored;
    _exit(MEMORY_EXIT);
}

static void *checked(void *memory, size_t bytes)
{
    if (memory == NULL && bytes > 0)
        memory_missing();
    return memory;
}

void *memory_take(size_t bytes)
{
    return checked(malloc(bytes), bytes);
}

void *memory_take_zeroed(size_t count, size_t bytes)
{
    return checked(calloc(count, bytes), count * bytes);
}

void *memory_resize(void *memory, size_t bytes)
{
    return checked(realloc(memory, bytes), bytes);
}
