/* Settings read from arguments, variables and files that the test gives, and what is complained of.
 * Included by one test file each. */
#ifndef HOTLEAD_TESTS_CONFIG_RIG_H
#define HOTLEAD_TESTS_CONFIG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_file.h"

static struct config config;
static char *talk;
static size_t talk_length;
static char path[64], secret_path[64];

static inline void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline int set_up(void **state)
{
    (void)state;
    memset(&config, 0, sizeof config);
    talk = NULL;
    snprintf(path, sizeof path, "/tmp/test_config.%d.yaml", (int)getpid());
    snprintf(secret_path, sizeof secret_path, "/tmp/test_config.%d.secret", (int)getpid());
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    config_close(&config);
    free(talk);
    unlink(path);
    unlink(secret_path);
    return 0;
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define VARIABLES(...) ARGUMENTS(__VA_ARGS__)

static inline enum status read_config(const char *const *arguments, const char *const *environment)
{
    int count = 0;

    config_close(&config);
    free(talk);
    FILE *file = open_memstream(&talk, &talk_length);
    while (arguments[count])
        count++;
    enum status status = config_read(count, arguments, environment, &config, file);
    if (status == STATUS_OK)
        status = config_check(&config, file);
    fclose(file);
    return status;
}

static inline void assert_read(const char *const *arguments, const char *const *environment)
{
    if (read_config(arguments, environment) != STATUS_OK)
        fail_msg("refused: %s", talk);
    assert_string_equal(talk, "");
}

static inline void assert_refused(const char *const *arguments, const char *const *environment,
                                  const char *complaint)
{
    assert_int_equal(read_config(arguments, environment), STATUS_INVALID);
    if (!strstr(talk, complaint))
        fail_msg("wanted: %s\ngot: %s", complaint, talk);
}

/* One file, no flags but --config. */
static inline void assert_file_refused(const char *text, const char *complaint)
{
    char wanted[512];

    write_file(path, text);
    snprintf(wanted, sizeof wanted, "hotlead: %s:%s", path, complaint);
    assert_refused(ARGUMENTS("--config", path), VARIABLES(), wanted);
}

#endif
