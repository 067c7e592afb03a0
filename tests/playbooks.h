/* What the tests of the playbook share: open one, and look at all that is said against it. */
#ifndef HOTLEAD_TESTS_PLAYBOOKS_H
#define HOTLEAD_TESTS_PLAYBOOKS_H

#include "tests/unit.h"

#include "server/playbook.h"

#define COMPLAINTS_ROOM (64 * 1024)

static char complaints[COMPLAINTS_ROOM];

/* "3:5: text" a line. Lines of the default may change, so those are only "default: text". */
static inline void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    size_t length = strlen(complaints);
    char *end = complaints + length;

    (void)owner;
    assert_true(complaint->at.line > 0 && complaint->at.column > 0);
    if (complaint->at.base)
        snprintf(end, COMPLAINTS_ROOM - length, "default: %s\n", complaint->text);
    else
        snprintf(end, COMPLAINTS_ROOM - length, "%u:%u: %s\n", complaint->at.line,
                 complaint->at.column, complaint->text);
}

static inline const struct playbook *try_slice(struct slice yaml)
{
    const struct playbook *playbook;
    enum status status;

    complaints[0] = '\0';
    status = playbook_open(yaml, on_complaint, NULL, &playbook);
    assert_true((status == STATUS_OK) == (playbook != NULL));
    assert_true((status == STATUS_INVALID) == (complaints[0] != '\0'));
    return playbook;
}

/* Must be good. To be closed. */
static inline const struct playbook *open_slice(struct slice yaml)
{
    const struct playbook *playbook = try_slice(yaml);

    if (!playbook)
        fail_msg("refused:\n%s\nof\n%.*s", complaints, (int)yaml.length, yaml.bytes);
    return playbook;
}

static inline const struct playbook *open_text(const char *yaml)
{
    return open_slice(slice_of(yaml));
}

/* All that is wrong, and nothing else. */
static inline void assert_complaints(const char *yaml, const char *expected)
{
    const struct playbook *playbook = try_slice(slice_of(yaml));

    playbook_close(playbook);
    if (strcmp(complaints, expected) != 0)
        fail_msg("of\n%s\nis said\n%sshould be\n%s", yaml, complaints, expected);
}

/* Lines that say who the playbook is; what a test is about stands from line 4. */
#define BASED "based_on: default\nname: test\ntitle: Test\n"

static inline char *read_whole(const char *path, size_t *length_out)
{
    FILE *file = fopen(path, "re");
    char *bytes = malloc(PLAYBOOK_FILE_MAX + 1);

    if (!file)
        fail_msg("%s cannot be read", path);
    assert_non_null(bytes);
    *length_out = fread(bytes, 1, PLAYBOOK_FILE_MAX, file);
    bytes[*length_out] = '\0';
    fclose(file);
    return bytes;
}

#define SHIPPED                                                                                    \
    {                                                                                              \
        "default", "ladder-six", "ladder-five", "new-lead", "new-customer"                         \
    }

static inline const struct playbook *open_shipped(const char *name)
{
    char path[512];
    size_t length;

    snprintf(path, sizeof(path), SOURCE_DIR "/deploy/playbooks/%s.yaml", name);
    char *bytes = read_whole(path, &length);
    const struct playbook *playbook = open_slice((struct slice){bytes, length});
    free(bytes);
    return playbook;
}

#endif
