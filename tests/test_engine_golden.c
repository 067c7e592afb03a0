/* Whole lives by the engine alone, told as in tests/golden/<name>.txt, which a real server and a
 * real Redis have to tell as well (e2e/test_golden.py).
 *
 * GOLDEN=write writes the stories anew and shows what is different, to be looked at before it is
 * kept. */
#include <dirent.h>
#include <unistd.h>

#include "proto/must.h"
#include "proto/text.h"
#include "tests/lives.h"
#include "tests/unit.h"

#define STORY_MAX   (1u << 20)
#define STORIES_MAX 64

static char script[65536], kept[STORY_MAX], told[STORY_MAX];

static size_t read_file(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(out, 1, room - 1, file) : 0;

    if (file != NULL)
        fclose(file);
    out[length] = '\0';
    return length;
}

static void write_file(const char *path, struct slice text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text.bytes, 1, text.length, file), text.length);
    assert_int_equal(fclose(file), 0);
}

/* From what is kept to what was told, as diff shows it. */
static void show_difference(const char *path)
{
    char other[] = "/tmp/hotlead-story-XXXXXX", command[1024];
    int descriptor = mkstemp(other);

    MUST(descriptor >= 0);
    close(descriptor);
    write_file(other, slice_of(told));
    snprintf(command, sizeof(command), "diff -u '%s' '%s' >&2", path, other);
    (void)!system(command);
    unlink(other);
}

static void the_story_is_told_as_it_is_kept(void **state)
{
    const char *name = *state;
    struct text story = text_over(told, sizeof(told) - 1);
    char path[512];

    snprintf(path, sizeof(path), SOURCE_DIR "/tests/golden/%s.life", name);
    size_t length = read_file(path, script, sizeof(script));
    lives_tell((struct slice){script, length}, &story);
    told[story.length] = '\0';
    snprintf(path, sizeof(path), SOURCE_DIR "/tests/golden/%s.txt", name);
    read_file(path, kept, sizeof(kept));
    if (strcmp(told, kept) == 0)
        return;
    show_difference(path);
    if (getenv("GOLDEN") == NULL)
        fail_msg("%s is told otherwise; GOLDEN=write keeps it as it is told now", name);
    write_file(path, text_slice(&story));
}

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".life") == 0;
}

int main(void)
{
    struct CMUnitTest tests[STORIES_MAX];
    struct dirent **entries;
    int count = scandir(SOURCE_DIR "/tests/golden", &entries, is_script, alphasort);

    MUST(count > 0 && count <= STORIES_MAX);
    for (int i = 0; i < count; i++) {
        *strrchr(entries[i]->d_name, '.') = '\0';
        tests[i] = (struct CMUnitTest){.name = entries[i]->d_name,
                                       .test_func = the_story_is_told_as_it_is_kept,
                                       .initial_state = entries[i]->d_name};
    }
    int failed = _cmocka_run_group_tests("tests", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed;
}
