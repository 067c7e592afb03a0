/* A real Redis, empty before each test, and the text of a script of proto/ to run in it. For the
 * tests of those scripts: included by one test file each. */
#ifndef HOTLEAD_TESTS_SCRIPT_SERVER_H
#define HOTLEAD_TESTS_SCRIPT_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/redis_server.h"

#define TASKS "hl:{acme.calls}:tasks"

static struct server server;
static char *script_text;

static inline char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);

    MUST(file != NULL && text != NULL);
    MUST(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

/* Before all tests, with the script's path. */
static inline int start_for(const char *path)
{
    script_text = read_text(path);
    server_start(&server);
    return 0;
}

static inline int tear_down_all(void **state)
{
    (void)state;
    server_end(&server);
    free(script_text);
    return 0;
}

static inline int set_up(void **state)
{
    (void)state;
    server_run(&server, "FLUSHALL");
    return 0;
}

#endif
