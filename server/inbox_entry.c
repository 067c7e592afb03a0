/* Entries are written by consumers in any language, by hand, and by mistake: everything is looked
 * at before it is used. */
#include "server/inbox_internal.h"

static bool read_number(struct slice text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.length == 0 || text.length > 20)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(c - '0'), &number))
            return false;
    }
    *out = number;
    return true;
}

bool inbox_id_read(struct slice text, struct inbox_id *out)
{
    const char *dash = text.length > 0 ? memchr(text.bytes, '-', text.length) : NULL;

    if (dash == NULL)
        return false;
    struct slice ms = {text.bytes, (size_t)(dash - text.bytes)};
    struct slice seq = {dash + 1, text.length - ms.length - 1};
    return read_number(ms, &out->ms) && read_number(seq, &out->seq);
}

int inbox_id_compare(struct inbox_id a, struct inbox_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}

struct inbox_id inbox_id_before(struct inbox_id id)
{
    if (id.seq > 0)
        return (struct inbox_id){id.ms, id.seq - 1};
    return id.ms > 0 ? (struct inbox_id){id.ms - 1, UINT64_MAX} : id;
}

/* INVALID: without this field it is no report. */
static enum status read_field(struct slice name, struct slice value, struct report *report,
                              const char **left_out)
{
    if (report_set(report, name, value) == STATUS_OK)
        return STATUS_OK;
    *left_out = report_optional_field(name);
    return *left_out != NULL ? STATUS_OK : STATUS_INVALID;
}

enum status inbox_entry_read(const struct redis_reply *entry, struct inbox_id *id_out,
                             struct report *report_out, const char **left_out)
{
    struct slice field;

    *left_out = NULL;
    if (entry->type != REDIS_ARRAY || entry->count != 2)
        return STATUS_MALFORMED;
    struct redis_reply id = redis_item(entry, 0), fields = redis_item(entry, 1);
    if (id.type != REDIS_STRING || !inbox_id_read(id.text, id_out))
        return STATUS_MALFORMED;
    if (fields.type != REDIS_ARRAY || fields.count % 2 != 0)
        return STATUS_INVALID;

    report_clear(report_out);
    for (size_t i = 0; i < fields.count; i += 2) {
        struct redis_reply name = redis_item(&fields, i), value = redis_item(&fields, i + 1);
        if (name.type != REDIS_STRING || value.type != REDIS_STRING ||
            read_field(name.text, value.text, report_out, left_out) != STATUS_OK)
            return STATUS_INVALID;
    }
    if (report_check(report_out, &field) != STATUS_OK || report_out->delivery > UINT16_MAX)
        return STATUS_INVALID;
    if (report_is_reversed(report_out)) {
        report_out->ended_ms = 0;
        *left_out = report_optional_field(SLICE("ended_ms"));
    }
    return STATUS_OK;
}
