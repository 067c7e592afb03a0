/* Any bytes as a stored record, and any bytes as effects: nothing is read outside them. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "server/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct record_view *view)
{
    static char copy[RECORD_EFFECTS_MAX + 1];
    struct slice body;
    size_t offset = 0;

    while (effect_next(view, &offset, &body) != 0)
        effect_copy(body, copy, sizeof copy);
    for (int kind = EFFECT_GENESIS; kind <= EFFECT_REPORT; kind++) {
        struct effect_task effect;
        effect_find(view, (enum effect_kind)kind, &effect, sizeof effect);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record record;
    static char stored[RECORD_BYTES_MAX];
    struct slice bytes = {(const char *)data, size};
    struct record_view view;

    if (record_view(bytes, &view) == STATUS_OK)
        walk(&view);
    view = (struct record_view){.effects = bytes};
    walk(&view);

    /* The same bytes as effects behind a good checksum. */
    if (size > RECORD_EFFECTS_MAX)
        return 0;
    record_begin(&record, RECORD_OPTIN, 1, 1);
    record.header.seq = 1;
    memcpy(record.effects, data, size);
    record.header.effects_bytes = (uint32_t)size;
    size_t length = record_seal(&record);
    record_store(&record, stored);
    if (record_view((struct slice){stored, length}, &view) != STATUS_OK)
        __builtin_trap();
    walk(&view);
    return 0;
}
