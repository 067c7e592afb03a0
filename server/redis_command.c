/* Commands in flight: a fixed set of slots, each with the bytes that went out (RESP: an array of
 * strings with their lengths). Slots keep small buffers, so that the usual command allocates
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
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

/* --- RESP ----------------------------------------------------------------------------------- */

#define LENGTH_BYTES_MAX 24 /* "*3\r\n" or "$5\r\n" */

static size_t argument_bytes_max(struct slice argument)
{
    return LENGTH_BYTES_MAX + argument.length + 2;
}

static size_t arguments_bytes_max(const struct slice *arguments, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += argument_bytes_max(arguments[i]);
    return bytes;
}

static void put_length(struct text *out, char sign, size_t number)
{
    text_char(out, sign);
    text_uint(out, number);
    text_add(out, SLICE("\r\n"));
}

static void put_argument(struct text *out, struct slice argument)
{
    put_length(out, '$', argument.length);
    text_add(out, argument);
    text_add(out, SLICE("\r\n"));
}

static void put_arguments(struct text *out, const struct slice *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_argument(out, arguments[i]);
}

bool redis_command_write(struct redis_command *command, const struct slice *arguments, size_t count)
{
    command->length = 0;
    command->script = NULL;
    if (!reserve(command, LENGTH_BYTES_MAX + arguments_bytes_max(arguments, count)))
        return false;

    struct text out = text_over(command->bytes, command->capacity);
    put_length(&out, '*', count);
    put_arguments(&out, arguments, count);
    MUST(!out.overflow);
    command->length = out.length;
    return true;
}

bool redis_command_write_script(struct redis_command *command, const struct redis_script *script,
                                size_t key_count, const struct slice *arguments, size_t count)
{
    const struct slice head[] = {SLICE("EVALSHA"), slice_of(script->sha)};
    char digits[24];
    struct text keys = text_over(digits, sizeof(digits));

    text_uint(&keys, key_count);
    command->length = 0;
    command->script = script;
    command->count = count + 1;
    if (!reserve(command, LENGTH_BYTES_MAX + arguments_bytes_max(head, 2) +
                              argument_bytes_max(text_slice(&keys)) +
                              arguments_bytes_max(arguments, count)))
        return false;

    struct text out = text_over(command->bytes, command->capacity);
    put_length(&out, '*', command->count + 2);
    put_arguments(&out, head, 2);
    command->tail = out.length;
    put_argument(&out, text_slice(&keys));
    put_arguments(&out, arguments, count);
    MUST(!out.overflow);
    command->length = out.length;
    return true;
}

bool redis_command_write_text(struct redis_command *command)
{
    const struct slice head[] = {SLICE("EVAL"), slice_of(command->script->text)};
    struct slice tail = {command->bytes + command->tail, command->length - command->tail};
    struct redis_command whole = {0};

    if (!reserve(&whole, LENGTH_BYTES_MAX + arguments_bytes_max(head, 2) + tail.length))
        return false;

    struct text out = text_over(whole.bytes, whole.capacity);
    put_length(&out, '*', command->count + 2);
    put_arguments(&out, head, 2);
    text_add(&out, tail);
    MUST(!out.overflow);
    free(command->bytes);
    command->bytes = whole.bytes;
    command->length = out.length;
    command->capacity = whole.capacity;
    command->script = NULL;
    return true;
}
