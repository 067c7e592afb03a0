/* Memory that is not there ends the process, at once and with a word: each case takes it in a child
 * and looks at how that ended. */
#include "proto/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit.h"

/* A sanitizer would end the program for a size that cannot be had. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void take_too_much(void)
{
    volatile size_t bytes = PTRDIFF_MAX;

    free(memory_take(bytes));
}

static void take_too_many(void)
{
    volatile size_t count = PTRDIFF_MAX / 16;

    free(memory_take_zeroed(count, 16));
}

static void resize_too_far(void)
{
    volatile size_t bytes = PTRDIFF_MAX;

    free(memory_resize(malloc(8), bytes));
}

/* How a child ends that does so, and what it said. */
static int end_of(void (*act)(void), char *said, size_t size)
{
    int pipe_ends[2], status;

    assert_int_equal(0, pipe(pipe_ends));
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(pipe_ends[1]);
    memset(said, 0, size);
    for (size_t length = 0; length < size - 1;) {
        ssize_t count = read(pipe_ends[0], said + length, size - 1 - length);
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    close(pipe_ends[0]);
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void missing_memory_ends_the_process_with_a_word(void **state)
{
    void (*const acts[])(void) = {take_too_much, take_too_many, resize_too_far};
    char said[4096];

    (void)state;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        assert_int_equal(MEMORY_EXIT, end_of(acts[i], said, sizeof said));
        assert_non_null(strstr(said, "hotlead: out of memory"));
    }
}

static void memory_that_is_there_is_given(void **state)
{
    (void)state;
    char *bytes = memory_take_zeroed(4, 4);
    assert_int_equal(0, bytes[15]);
    bytes[0] = 'x';
    bytes = memory_resize(bytes, 4096);
    assert_int_equal('x', bytes[0]);
    free(bytes);
    free(memory_take(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_memory_ends_the_process_with_a_word),
        cmocka_unit_test(memory_that_is_there_is_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
