/* JSON as people read it. */
#include <string.h>

#include "proto/json.h"
#include "server/cli.h"

#define COLUMNS_MAX 24
#define CELL_MAX    48

static struct json *open_document(struct slice json, struct json_value *root_out)
{
    struct json *document = json_open(json.length + 1);

    if (document && json_parse(document, json.bytes, json.length, root_out) == STATUS_OK)
        return document;
    json_close(document);
    return NULL;
}

static void indent(struct text *out, unsigned depth)
{
    text_char(out, '\n');
    while (depth-- > 0)
        text_string(out, "  ");
}

static bool is_nested(struct json_value value)
{
    return value.type == JSON_ARRAY || value.type == JSON_OBJECT;
}

/* Lists of scalars stay on one line. */
static bool is_flat(struct json_value list)
{
    struct json_walk walk = json_walk(list);
    struct json_value item;
    struct slice name;

    while (json_next(&walk, &name, &item)) {
        if (is_nested(item))
            return false;
    }
    return list.type == JSON_ARRAY;
}

/* The parser takes at most 16 levels, so this goes no deeper. */
static void write_pretty(struct text *out, struct json_value value, unsigned depth)
{
    bool object = value.type == JSON_OBJECT, flat = is_flat(value);
    struct json_walk walk = json_walk(value);
    struct json_value item;
    struct slice name;
    bool first = true;

    if (!is_nested(value) || json_count(value) == 0) {
        json_write(out, value);
        return;
    }
    text_char(out, object ? '{' : '[');
    while (json_next(&walk, &name, &item)) {
        if (!first)
            text_string(out, flat ? ", " : ",");
        if (!flat)
            indent(out, depth + 1);
        if (object) {
            text_json_string(out, name);
            text_string(out, ": ");
        }
        write_pretty(out, item, depth + 1);
        first = false;
    }
    if (!flat)
        indent(out, depth);
    text_char(out, object ? '}' : ']');
}

bool cli_write_pretty(struct slice json, struct text *out)
{
    struct json_value root;
    struct json *document = open_document(json, &root);

    if (!document)
        return false;
    write_pretty(out, root, 0);
    text_char(out, '\n');
    json_close(document);
    return true;
}

/* --- tables ------------------------------------------------------------------------------- */

struct column {
    struct slice name;
    size_t width;
};

/* In characters: every byte of UTF-8 but those that go on. */
size_t cli_width(struct slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.length; i++)
        width += ((unsigned char)text.bytes[i] & 0xC0) != 0x80;
    return width;
}

/* One value on one line: texts bare, lists with commas, anything else as JSON. Control bytes in
 * names of people and things are not sent to a terminal. */
static struct slice write_cell(struct json_value value, char buffer[CELL_MAX * 4])
{
    struct text cell = text_over(buffer, CELL_MAX * 4);
    struct json_walk walk = json_walk(value);
    struct json_value item;
    struct slice name, text;

    if (json_string(value, &text)) {
        text_add(&cell, text);
    } else if (is_flat(value)) {
        while (json_next(&walk, &name, &item)) {
            if (cell.length > 0)
                text_string(&cell, ", ");
            if (json_string(item, &text))
                text_add(&cell, text);
            else
                json_write(&cell, item);
        }
    } else if (value.type != JSON_NULL) {
        json_write(&cell, value);
    }
    for (size_t i = 0; i < cell.length; i++) {
        unsigned char byte = (unsigned char)buffer[i];
        if (byte < 0x20 || byte == 0x7F)
            buffer[i] = ' ';
    }
    return cell.overflow ? SLICE("...") : text_slice(&cell);
}

static size_t add_columns(struct column *columns, size_t count, struct json_value row)
{
    struct json_walk walk = json_walk(row);
    struct json_value value;
    struct slice name;

    while (json_next(&walk, &name, &value)) {
        char buffer[CELL_MAX * 4];
        size_t width = cli_width(write_cell(value, buffer)), i = 0;
        while (i < count && !slice_equal(columns[i].name, name))
            i++;
        if (i == COLUMNS_MAX)
            continue;
        if (i == count)
            columns[count++] = (struct column){name, cli_width(name)};
        if (width > columns[i].width)
            columns[i].width = width;
    }
    return count;
}

static void write_padded(struct text *out, struct slice cell, size_t width, bool last)
{
    size_t written = cli_width(cell);

    text_add(out, cell);
    if (last)
        text_char(out, '\n');
    else
        text_printf(out, "%*s", (int)(width - written + 2), "");
}

static void write_row(struct text *out, const struct column *columns, size_t count,
                      struct json_value row)
{
    for (size_t i = 0; i < count; i++) {
        struct json_walk walk = json_walk(row);
        struct json_value value;
        struct slice name, cell = {0};
        char buffer[CELL_MAX * 4];

        while (json_next(&walk, &name, &value)) {
            if (slice_equal(name, columns[i].name))
                cell = write_cell(value, buffer);
        }
        write_padded(out, cell, columns[i].width, i + 1 == count);
    }
}

static void write_table(struct text *out, struct json_value list)
{
    struct column columns[COLUMNS_MAX];
    struct json_walk walk = json_walk(list);
    struct json_value row;
    struct slice name;
    size_t count = 0;

    while (json_next(&walk, &name, &row))
        count = add_columns(columns, count, row);
    for (size_t i = 0; i < count; i++)
        write_padded(out, columns[i].name, columns[i].width, i + 1 == count);
    walk = json_walk(list);
    while (json_next(&walk, &name, &row))
        write_row(out, columns, count, row);
}

bool cli_write_table(struct slice json, struct text *out)
{
    struct json_value root;
    struct json *document = open_document(json, &root);

    if (!document)
        return false;
    if (root.type == JSON_ARRAY)
        write_table(out, root);
    json_close(document);
    return root.type == JSON_ARRAY;
}
