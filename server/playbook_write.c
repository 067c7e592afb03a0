/* The canonical form: YAML again, with everything said, in the order of the tables, every value
 * written in one way. What was said by default or by the base stands in it as if it had been
 * written. */
#include "server/playbook_internal.h"

static void write_shape(const struct playbook *playbook, const struct shape *shape,
                        const void *value, unsigned depth, struct text *out);

static void indent(struct text *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        text_string(out, "  ");
}

static void begin(struct text *out, unsigned depth, const char *name)
{
    indent(out, depth);
    text_string(out, name);
    text_char(out, ':');
}

static void write_group(const struct playbook_test *tests, unsigned count, unsigned depth,
                        const char *name, struct text *out)
{
    if (count == 0)
        return;
    begin(out, depth, name);
    text_char(out, '\n');
    for (unsigned i = 0; i < count; i++) {
        char bytes[PLAYBOOK_TEXT_MAX * 3];
        struct text test = text_over(bytes, sizeof(bytes));
        playbook_test_write(&tests[i], &test);
        indent(out, depth + 1);
        text_string(out, "- ");
        text_json_string(out, text_slice(&test));
        text_char(out, '\n');
        out->overflow = out->overflow || test.overflow;
    }
}

static void write_rule(const struct playbook_rule *rule, unsigned depth, struct text *out)
{
    text_char(out, '\n');
    write_group(rule->tests, rule->all, depth + 1, "all", out);
    write_group(rule->tests + rule->all, rule->any, depth + 1, "any", out);
    write_group(rule->tests + rule->all + rule->any, rule->none, depth + 1, "none", out);
}

static void write_hours(const struct playbook_calendar *calendar, unsigned depth, struct text *out)
{
    text_char(out, '\n');
    for (unsigned day = 0; day < 7; day++) {
        if (calendar->week.day[day][0].closes == 0)
            continue;
        begin(out, depth + 1, playbook_weekday(day));
        text_string(out, " \"");
        playbook_write_hours(calendar, day, out);
        text_string(out, "\"\n");
    }
}

static void write_holidays(const struct entries *holidays, struct text *out)
{
    const struct holiday *items = holidays->items;

    text_string(out, " [");
    for (uint32_t i = 0; i < holidays->count; i++) {
        text_string(out, i ? ", \"" : "\"");
        playbook_holiday_write(&items[i], out);
        text_char(out, '"');
    }
    text_string(out, "]\n");
}

static void write_map(const struct playbook *playbook, const struct field *field,
                      const struct entries *entries, unsigned depth, struct text *out)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct entry *entry = entry_at(entries, field->shape, i);
        size_t before;
        begin(out, depth, entry->id.bytes);
        text_char(out, '\n');
        before = out->length;
        write_shape(playbook, field->shape, entry, depth + 1, out);
        if (out->length == before) { /* nothing is said of it */
            out->length -= out->length > 0;
            text_string(out, " {}\n");
        }
    }
}

static void write_list(const struct playbook *playbook, const struct field *field,
                       const struct entries *entries, unsigned depth, struct text *out)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct entry *entry = entry_at(entries, field->shape, i);
        indent(out, depth);
        text_string(out, "-\n");
        if (field->shape->has_id) {
            begin(out, depth + 1, "id");
            text_char(out, ' ');
            text_add(out, entry->id);
            text_char(out, '\n');
        }
        write_shape(playbook, field->shape, entry, depth + 1, out);
    }
}

static void write_field(const struct playbook *playbook, const struct field *field,
                        const void *owner, unsigned depth, struct text *out)
{
    const void *value = (const char *)owner + field->offset;
    const struct entries *entries = entries_of(owner, field);

    begin(out, depth, field->name);
    switch (field->kind) {
    case FIELD_LIST:
    case FIELD_MAP:
        if (entries->count == 0) {
            text_string(out, field->kind == FIELD_MAP ? " {}\n" : " []\n");
            return;
        }
        text_char(out, '\n');
        if (field->kind == FIELD_MAP)
            write_map(playbook, field, entries, depth + 1, out);
        else
            write_list(playbook, field, entries, depth + 1, out);
        return;
    case FIELD_BLOCK:
        text_char(out, '\n');
        write_shape(playbook, field->shape, value, depth + 1, out);
        return;
    case FIELD_RULE:
        write_rule(value, depth, out);
        return;
    case FIELD_HOURS:
        write_hours(owner, depth, out);
        return;
    case FIELD_HOLIDAYS:
        write_holidays(value, out);
        return;
    default:
        text_char(out, ' ');
        playbook_write_value(playbook, field, value, out);
        text_char(out, '\n');
    }
}

static void write_shape(const struct playbook *playbook, const struct shape *shape,
                        const void *value, unsigned depth, struct text *out)
{
    for (unsigned i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        if (playbook_has_value(field, (const char *)value + field->offset))
            write_field(playbook, field, value, depth, out);
    }
}

void playbook_write(const struct playbook *playbook, struct text *out)
{
    write_shape(playbook, &playbook_shape, playbook, 0, out);
}
