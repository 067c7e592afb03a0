/* Read whole and checked before anything is started: a mistake in it is none of the server's. */
#include "bench/playbook_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/playbook.h"

#define HASH_BYTES_SHOWN 4

struct reader {
    const char *path;
    FILE *talk;
};

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    const struct reader *reader = owner;

    fprintf(reader->talk, "hotlead-bench: %s:%u:%u: %s\n",
            complaint->at.base ? "default" : reader->path, complaint->at.line, complaint->at.column,
            complaint->text);
}

static void show(const struct playbook *playbook, char out[static 64])
{
    char bytes[2 * HASH_BYTES_SHOWN + 1];
    struct text hash = text_over(bytes, sizeof bytes);

    text_hex(&hash, playbook->hash.bytes, HASH_BYTES_SHOWN);
    snprintf(out, 64, "%.*s (%.*s)", (int)playbook->name.length, playbook->name.bytes,
             (int)hash.length, hash.bytes);
}

static enum status check(struct reader *reader, struct playbook_file *file)
{
    const struct playbook *playbook;
    enum status status = playbook_open(file->yaml, on_complaint, reader, &playbook);

    if (status == STATUS_TOO_LARGE)
        fprintf(reader->talk, "hotlead-bench: %s: a playbook has at most %d bytes\n", reader->path,
                PLAYBOOK_FILE_MAX);
    if (status == STATUS_OK)
        show(playbook, file->shown);
    playbook_close(playbook);
    return status;
}

/* A byte more than it may have, so that what is too long is seen. */
static enum status read_all(const struct reader *reader, struct slice *out)
{
    FILE *file = fopen(reader->path, "re");
    char *bytes = malloc(PLAYBOOK_FILE_MAX + 1);

    MUST(bytes != NULL);
    *out = (struct slice){bytes, file ? fread(bytes, 1, PLAYBOOK_FILE_MAX + 1, file) : 0};
    bool was_read = file && !ferror(file);
    if (!was_read)
        fprintf(reader->talk, "hotlead-bench: %s: %s\n", reader->path, strerror(errno));
    if (file)
        fclose(file);
    return was_read ? STATUS_OK : STATUS_IO;
}

enum status playbook_file_open(const char *path, FILE *talk, struct playbook_file *out)
{
    struct reader reader = {path, talk};
    enum status status = read_all(&reader, &out->yaml);

    if (status == STATUS_OK)
        status = check(&reader, out);
    if (status != STATUS_OK)
        playbook_file_close(out);
    return status;
}

void playbook_file_close(struct playbook_file *file)
{
    free((char *)file->yaml.bytes);
    file->yaml = (struct slice){NULL, 0};
}
