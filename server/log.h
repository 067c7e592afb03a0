/* One JSON line an occurrence, to stderr: {"ts","level","msg",...}. No personal data: ids
 * and numbers only; strings of peers are never logged. Any thread; a line is one write.
 *
 * A log never holds the server up: while a reader of the pipe is behind, lines are dropped
 * and counted, and the next line that fits says how many ("dropped"). */
#ifndef HOTLEAD_SERVER_LOG_H
#define HOTLEAD_SERVER_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log;
/* NULL: out of memory. `fd` stays the caller's. */
struct log *log_open(int fd, enum log_level least);
void log_close(struct log *log);

/* "debug", "info", "warn", "error". False: none of them. */
bool log_level_of(const char *name, enum log_level *out);

/* Key/value pairs behind the message, ended by LOG_END:
 *   log_write(log, LOG_WARN, "redis is away", LOG_TEXT("host", host), LOG_INT("tries", 3),
 * LOG_END); Texts are escaped and cut at 512 bytes. A NULL log takes everything and writes nothing.
 */
struct log_field {
    const char *key;
    const char *text; /* NULL: number */
    int64_t number;
};
#define LOG_TEXT(key, value) ((struct log_field){(key), (value), 0})
#define LOG_INT(key, value)  ((struct log_field){(key), 0, (int64_t)(value)})
#define LOG_END              ((struct log_field){0, 0, 0})

void log_fields(struct log *log, enum log_level level, const char *message,
                const struct log_field *fields);
#define log_write(log, level, message, ...)                                                        \
    log_fields((log), (level), (message), (const struct log_field[]){__VA_ARGS__})

/* Lines lost so far because nobody read them in time. */
uint64_t log_dropped(const struct log *log);

#endif
