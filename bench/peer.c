/* Reads peer.json. A peer is data: who adds one writes a folder, not C. */
#include "bench/peer.h"

#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- where things are ----------------------------------------------------------------------- */

static bool join(char *out, size_t capacity, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(out, capacity, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < capacity;
}

/* The folder of this program. */
static bool find_programs(char *out)
{
    ssize_t length = readlink("/proc/self/exe", out, PEER_PATH_MAX - 1);

    if (length <= 0)
        return false;
    out[length] = '\0';
    char *slash = strrchr(out, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* Peers run in folders of their own, so every path has to be whole. */
static bool make_whole(const char *path, char *out)
{
    char *whole = realpath(path, NULL);
    bool fits = whole && join(out, PEER_PATH_MAX, "%s", whole);

    free(whole);
    return fits;
}

enum status peer_places_find(const char *peers, struct peer_places *out)
{
    char beside[PEER_PATH_MAX];

    if (!find_programs(out->programs) ||
        !join(beside, sizeof beside, "%s/../bench/peers", out->programs) ||
        !make_whole(peers ? peers : beside, out->peers))
        return STATUS_NOT_FOUND;
    if (!join(beside, sizeof beside, "%s/../..", out->peers) || !make_whole(beside, beside) ||
        !join(out->modules, sizeof out->modules, "%s/build/peers/node_modules", beside))
        return STATUS_NOT_FOUND;
    return STATUS_OK;
}

/* --- peer.json ------------------------------------------------------------------------------ */

struct reading {
    const struct peer_places *places;
    struct peer *peer;
    const char *wrong; /* the field that cannot be used; NULL: none so far */
};

/* Puts the places in. False: it does not fit. */
static bool expand(const struct peer_places *places, const char *text, char *out, size_t capacity)
{
    const struct {
        const char *mark, *value;
    } marks[] = {{"@PROGRAMS@", places->programs},
                 {"@MODULES@", places->modules},
                 {"@PEERS@", places->peers}};
    size_t length = 0;

    while (*text) {
        const char *put = NULL;
        for (size_t i = 0; i < sizeof marks / sizeof *marks && !put; i++)
            if (strncmp(text, marks[i].mark, strlen(marks[i].mark)) == 0) {
                put = marks[i].value;
                text += strlen(marks[i].mark);
            }
        size_t more = put ? strlen(put) : 1;
        if (length + more >= capacity)
            return false;
        memcpy(out + length, put ? put : text++, more);
        length += more;
    }
    out[length] = '\0';
    return true;
}

static void read_text(struct reading *reading, const json_t *object, const char *field, char *out,
                      size_t capacity)
{
    const char *text = json_string_value(json_object_get(object, field));

    if (!text || !expand(reading->places, text, out, capacity))
        reading->wrong = field;
}

/* An array of words, or nothing. */
static unsigned read_words(struct reading *reading, const json_t *object, const char *field,
                           char (*out)[PEER_PATH_MAX], size_t room)
{
    const json_t *words = json_object_get(object, field);
    size_t count = json_array_size(words);

    if ((words && !json_is_array(words)) || count > room) {
        reading->wrong = field;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word || !expand(reading->places, word, out[i], PEER_PATH_MAX))
            reading->wrong = field;
    }
    return (unsigned)count;
}

static void read_environment(struct reading *reading, json_t *object)
{
    struct peer *peer = reading->peer;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        char text[PEER_PATH_MAX];
        if (peer->environment_count == PEER_WORDS_MAX || !json_is_string(value) ||
            !expand(reading->places, json_string_value(value), text, sizeof text) ||
            !join(peer->environment[peer->environment_count], PEER_PATH_MAX, "%s=%s", name, text)) {
            reading->wrong = "environment";
            return;
        }
        peer->environment_count++;
    }
}

/* Where its tasks come out; a floor has no `tasks`. */
static void read_tasks(struct reading *reading, const json_t *tasks)
{
    static const struct {
        const char *name;
        enum target_shape shape;
    } shapes[] = {{"list", TARGET_LIST}, {"zset", TARGET_ZSET}, {"bullmq", TARGET_BULLMQ}};
    struct peer *peer = reading->peer;
    char shape[16] = "";

    peer->shape = TARGET_NOWHERE;
    if (!tasks)
        return;
    read_text(reading, tasks, "shape", shape, sizeof shape);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shape, shapes[i].name) == 0)
            peer->shape = shapes[i].shape;
    if (peer->shape == TARGET_NOWHERE)
        reading->wrong = "shape";
    read_text(reading, tasks, "key", peer->key, sizeof peer->key);
}

/* The first line that its `version` command prints. What is not installed has none. */
static void ask_version(struct peer *peer, const char *command)
{
    FILE *pipe = command[0] && !peer_missing(peer) ? popen(command, "re") : NULL;

    if (!pipe)
        return;
    if (!fgets(peer->version, sizeof peer->version, pipe))
        peer->version[0] = '\0';
    peer->version[strcspn(peer->version, "\n")] = '\0';
    pclose(pipe);
}

static void read_peer(struct reading *reading, const json_t *document)
{
    struct peer *peer = reading->peer;
    const json_t *request = json_object_get(document, "request");
    const json_t *durable = json_object_get(document, "durable");
    char version[PEER_PATH_MAX] = "";

    read_text(reading, document, "does", peer->does, sizeof peer->does);
    if (!json_is_boolean(durable))
        reading->wrong = "durable";
    peer->durable = json_is_true(durable);
    peer->need_count = read_words(reading, document, "needs", peer->needs, PEER_FILES_MAX);
    peer->start_count = read_words(reading, document, "start", peer->start, PEER_WORDS_MAX);
    if (peer->start_count == 0)
        reading->wrong = "start";
    read_environment(reading, json_object_get(document, "environment"));
    read_text(reading, request, "method", peer->method, sizeof peer->method);
    read_text(reading, request, "path", peer->path, sizeof peer->path);
    read_tasks(reading, json_object_get(document, "tasks"));
    if (json_object_get(document, "version"))
        read_text(reading, document, "version", version, sizeof version);
    if (!reading->wrong)
        ask_version(peer, version);
}

enum status peer_read(const struct peer_places *places, const char *name, FILE *talk,
                      struct peer *out)
{
    struct reading reading = {places, out, NULL};
    char path[PEER_PATH_MAX];
    json_error_t error;

    memset(out, 0, sizeof *out);
    if (!join(out->name, sizeof out->name, "%s", name) ||
        !join(out->folder, sizeof out->folder, "%s/%s", places->peers, name) ||
        !join(path, sizeof path, "%s/peer.json", out->folder) || access(path, R_OK) != 0) {
        fprintf(talk, "hotlead-bench: there is no peer '%s': no %s/%s/peer.json\n", name,
                places->peers, name);
        return STATUS_NOT_FOUND;
    }
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!document) {
        fprintf(talk, "hotlead-bench: %s:%d: %s\n", path, error.line, error.text);
        return STATUS_INVALID;
    }
    read_peer(&reading, document);
    json_decref(document);
    if (reading.wrong) {
        fprintf(talk, "hotlead-bench: %s: '%s' is missing, too long or of another kind\n", path,
                reading.wrong);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

const char *peer_missing(const struct peer *peer)
{
    for (unsigned i = 0; i < peer->need_count; i++)
        if (access(peer->needs[i], R_OK) != 0)
            return peer->needs[i];
    return NULL;
}
