/* Commands in flight: a fixed set of slots, each with the bytes that went out (RESP: an array of
 * strings with their lengths). Slots keep small buffers, so that the usual command allocates
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "server/redis_internal.h"

#define KEPT_BYTES_MAX ((size_t)64 * 1024)

bool redis_commands_open(struct redis_commands *commands, struct redis *redis, size_t count)
{
    commands->all = calloc(count, sizeof(commands->all[0]));
    if (commands->all == NULL)
        return false;
    commands->count = count;
    for (size_t i = 0; i < count; i++) {
        commands->all[i].redis = redis;
        redis_command_give_back(commands, &commands->all[i]);
    }
    return true;
}

void redis_commands_close(struct redis_commands *commands)
{
    for (size_t i = 0; i < commands->count; i++)
        free(commands->all[i].bytes);
    free(commands->all);
}

uint64_t redis_commands_deadline(const struct redis_commands *commands)
{
    uint64_t earliest_ms = UINT64_MAX;

    for (size_t i = 0; i < commands->count; i++) {
        uint64_t deadline_ms = commands->all[i].deadline_ms;
        if (deadline_ms != 0 && deadline_ms < earliest_ms)
            earliest_ms = deadline_ms;
    }
    return earliest_ms;
}

struct redis_command *redis_command_take(struct redis_commands *commands)
{
    struct redis_command *command = commands->first_free;

    if (command != NULL)
        commands->first_free = command->next_free;
    return command;
}

void redis_command_give_back(struct redis_commands *commands, struct redis_command *command)
{
    if (command->capacity > KEPT_BYTES_MAX) {
        free(command->bytes);
        command->bytes = NULL;
        command->capacity = 0;
    }
    command->deadline_ms = 0;
    command->next_free = commands->first_free;
    commands->first_free = command;
}

static bool reserve(struct redis_command *command, size_t more)
{
    size_t wanted = command->length + more, capacity = command->capacity;

    if (wanted <= capacity)
        return true;
    if (capacity == 0)
        capacity = 1024;
    while (capacity < wanted)
        capacity *= 2;
    char *bytes = realloc(command->bytes, capacity);
    if (bytes == NULL)
        return false;
    command->bytes = bytes;
    command->capacity = capacity;
    return true;
}

/* "*3\r\n" or "$5\r\n". */
static bool append_length(struct redis_command *command, char sign, size_t number)
{
    if (!reserve(command, 24))
        return false;

    struct text text = text_over(command->bytes + command->length, 24);
    text_char(&text, sign);
    text_uint(&text, number);
    text_string(&text, "\r\n");
    command->length += text.length;
    return true;
}

static bool append_argument(struct redis_command *command, struct slice argument)
{
    if (!append_length(command, '$', argument.length) || !reserve(command, argument.length + 2))
        return false;
    if (argument.length > 0)
        memcpy(command->bytes + command->length, argument.bytes, argument.length);
    command->length += argument.length;
    command->bytes[command->length++] = '\r';
    command->bytes[command->length++] = '\n';
    return true;
}

static bool append_arguments(struct redis_command *command, const struct slice *arguments,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!append_argument(command, arguments[i]))
            return false;
    }
    return true;
}

bool redis_command_write(struct redis_command *command, const struct slice *arguments, size_t count)
{
    command->length = 0;
    command->script = NULL;
    return append_length(command, '*', count) && append_arguments(command, arguments, count);
}

bool redis_command_write_script(struct redis_command *command, const struct redis_script *script,
                                size_t key_count, const struct slice *arguments, size_t count)
{
    char digits[24];
    struct text keys = text_over(digits, sizeof(digits));

    text_uint(&keys, key_count);
    command->length = 0;
    command->script = script;
    command->count = count + 1;
    if (!append_length(command, '*', command->count + 2) ||
        !append_argument(command, SLICE("EVALSHA")) ||
        !append_argument(command, slice_of(script->sha)))
        return false;
    command->tail = command->length;
    return append_argument(command, text_slice(&keys)) &&
           append_arguments(command, arguments, count);
}

bool redis_command_write_text(struct redis_command *command)
{
    struct redis_command whole = {0};
    size_t tail_bytes = command->length - command->tail;

    if (!append_length(&whole, '*', command->count + 2) ||
        !append_argument(&whole, SLICE("EVAL")) ||
        !append_argument(&whole, slice_of(command->script->text)) || !reserve(&whole, tail_bytes)) {
        free(whole.bytes);
        return false;
    }
    memcpy(whole.bytes + whole.length, command->bytes + command->tail, tail_bytes);
    free(command->bytes);
    command->bytes = whole.bytes;
    command->length = whole.length + tail_bytes;
    command->capacity = whole.capacity;
    command->script = NULL;
    return true;
}
