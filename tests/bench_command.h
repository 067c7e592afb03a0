/* Commands of hotlead-bench over files in a folder, for the tests of those that read results. */
#ifndef HOTLEAD_TESTS_BENCH_COMMAND_H
#define HOTLEAD_TESTS_BENCH_COMMAND_H

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/result.h"
#include "tests/folder.h"

#define COMMAND_WORDS_MAX 16

static inline void command_store(const struct result *result, const struct folder *folder,
                                 const char *name)
{
    FILE *out = fopen(folder_path(folder, name), "w");

    MUST(out && result_write_json(result, out) == STATUS_OK);
    MUST(fclose(out) == 0);
}

/* The file as a string, for the caller to free. */
static inline char *command_read(const struct folder *folder, const char *name)
{
    enum { BYTES_MAX = 65536 };
    char *text = calloc(1, BYTES_MAX);
    FILE *in = fopen(folder_path(folder, name), "r");

    MUST(text && in);
    MUST(fread(text, 1, BYTES_MAX - 1, in) < BYTES_MAX);
    fclose(in);
    return text;
}

/* Runs one inside the folder, and in a process of its own, since argp ends the process where usage
 * is wrong. The words begin with the command's name and end with NULL. Answers its exit code; what
 * came on both outputs, for the caller to free, is in *said. */
static inline int command_run(int run(int argc, char **argv), const struct folder *folder,
                              const char *const *words, char **said)
{
    static char copies[COMMAND_WORDS_MAX][128];
    char *argv[COMMAND_WORDS_MAX + 1] = {0};
    int argc = 0, status;

    for (; words[argc]; argc++) {
        MUST(argc < COMMAND_WORDS_MAX && strlen(words[argc]) < sizeof *copies);
        argv[argc] = strcpy(copies[argc], words[argc]);
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int out = open(folder_path(folder, "out"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
        dup2(out, 1), dup2(out, 2);
        int answer = chdir(folder->path) == 0 ? run(argc, argv) : 99;
        fflush(NULL);
        _exit(answer);
    }
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
    free(*said);
    *said = command_read(folder, "out");
    return WEXITSTATUS(status);
}

#endif
