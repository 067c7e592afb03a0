/* Lines are put together in a buffer on the stack, so that any thread may log at any time
 * without allocating, and a line is never longer than PIPE_BUF, so that a pipe takes it
 * whole or not at all.
 *
 * stderr is shared with whoever started the server, so it is not made non-blocking here (that
 * would change it for them too). Instead poll() says whether a line would fit. The lock
 * keeps a second thread from taking that room in between. */
#include "server/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096 /* PIPE_BUF on Linux */
#define TEXT_MAX_BYTES 512
#define TAIL_BYTES     40 /* kept for "dropped" and the end of the line */

struct log {
    int fd;
    enum log_level least;
    pthread_mutex_t lock;
    atomic_uint_least64_t dropped;
    uint64_t told; /* dropped lines that a written line has told about; under the lock */
};

struct line {
    size_t length;
    char bytes[LINE_MAX_BYTES];
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct log *log_open(int fd, enum log_level least)
{
    struct log *log = calloc(1, sizeof *log);

    if (!log)
        return NULL;
    log->fd = fd;
    log->least = least;
    pthread_mutex_init(&log->lock, NULL);
    return log;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->lock);
    free(log);
}

bool log_level_of(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

uint64_t log_dropped(const struct log *log)
{
    return log ? atomic_load_explicit(&log->dropped, memory_order_relaxed) : 0;
}

/* Copies all of it or nothing, so that a full line stays well-formed JSON. */
static bool line_add(struct line *line, size_t room, const char *bytes, size_t length)
{
    if (line->length + length > room)
        return false;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

/* Length of the UTF-8 character at `text`, 0 when there is no sound one. Own code, because
 * the log stands below proto/ and must take any bytes: a path may hold anything. */
static size_t character_length(const unsigned char *text)
{
    unsigned char first = text[0];
    unsigned char least = 0x80, most = 0xBF;
    size_t length;

    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        length = 2;
    else if (first >= 0xE0 && first <= 0xEF)
        length = 3;
    else if (first >= 0xF0 && first <= 0xF4)
        length = 4;
    else
        return 0;

    /* Overlong forms, surrogates and what lies over U+10FFFF show in the second byte. */
    if (first == 0xE0)
        least = 0xA0;
    else if (first == 0xED)
        most = 0x9F;
    else if (first == 0xF0)
        least = 0x90;
    else if (first == 0xF4)
        most = 0x8F;
    if (text[1] < least || text[1] > most)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (text[i] < 0x80 || text[i] > 0xBF)
            return 0;
    }
    return length;
}

/* One character as JSON writes it: at most 6 bytes. `*taken` of the text's bytes are done. */
static size_t escape_character(const unsigned char *text, char out[6], size_t *taken)
{
    static const char hex[] = "0123456789abcdef";
    size_t length = character_length(text);

    *taken = length ? length : 1;
    if (length == 0) {
        memcpy(out, "\xEF\xBF\xBD", 3); /* U+FFFD stands for a byte that is not UTF-8 */
        return 3;
    }
    if (text[0] == '"' || text[0] == '\\') {
        out[0] = '\\';
        out[1] = (char)text[0];
        return 2;
    }
    if (text[0] < 0x20 || text[0] == 0x7F) {
        memcpy(out, "\\u00", 4);
        out[4] = hex[text[0] >> 4];
        out[5] = hex[text[0] & 15];
        return 6;
    }
    memcpy(out, text, length);
    return length;
}

static bool line_string(struct line *line, size_t room, const char *text)
{
    const unsigned char *next = (const unsigned char *)text;
    size_t done = 0;

    if (!line_add(line, room, "\"", 1))
        return false;
    while (next[done] != '\0') {
        char escaped[6];
        size_t taken;
        size_t length = escape_character(next + done, escaped, &taken);
        if (done + taken > TEXT_MAX_BYTES)
            break;
        if (!line_add(line, room, escaped, length))
            return false;
        done += taken;
    }
    return line_add(line, room, "\"", 1);
}

static bool line_number(struct line *line, size_t room, int64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number);

    return line_add(line, room, digits, (size_t)length);
}

/* A field that does not fit is left out whole. */
static void line_field(struct line *line, size_t room, const struct log_field *field)
{
    size_t before = line->length;
    bool fits = line_add(line, room, ",", 1) && line_string(line, room, field->key) &&
                line_add(line, room, ":", 1) &&
                (field->text ? line_string(line, room, field->text)
                             : line_number(line, room, field->number));

    if (!fits)
        line->length = before;
}

static void line_begin(struct line *line, enum log_level level)
{
    struct timespec now;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    line->length = strftime(line->bytes, sizeof line->bytes, "{\"ts\":\"%Y-%m-%dT%H:%M:%S", &utc);
    line->length += (size_t)snprintf(line->bytes + line->length, 64, ".%03dZ\",\"level\":\"%s\"",
                                     (int)(now.tv_nsec / 1000000), level_names[level]);
}

/* True when a whole line can be written without waiting. Not for files: they always can. */
static bool has_room(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    int ready;

    do
        ready = poll(&waiting, 1, 0);
    while (ready < 0 && errno == EINTR);
    return ready == 1 && (waiting.revents & POLLOUT);
}

static bool write_line(int fd, const struct line *line)
{
    ssize_t written;

    if (!has_room(fd))
        return false;
    do
        written = write(fd, line->bytes, line->length);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)line->length;
}

void log_fields(struct log *log, enum log_level level, const char *message,
                const struct log_field *fields)
{
    const size_t room = LINE_MAX_BYTES - TAIL_BYTES;
    struct line line;

    if (!log || level < log->least)
        return;
    line_begin(&line, level);
    line_field(&line, room, &LOG_TEXT("msg", message));
    for (; fields->key; fields++)
        line_field(&line, room, fields);

    pthread_mutex_lock(&log->lock);
    uint64_t dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed);
    if (dropped != log->told)
        line_field(&line, LINE_MAX_BYTES - 2, &LOG_INT("dropped", dropped - log->told));
    line_add(&line, LINE_MAX_BYTES, "}\n", 2);
    if (write_line(log->fd, &line))
        log->told = dropped;
    else
        atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
    pthread_mutex_unlock(&log->lock);
}
