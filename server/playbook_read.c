/* A tree into structs, by the tables of playbook_shape.c.
 *
 * In two passes, because a stage, a cadence or a calendar may be named before it is written: first
 * every list and mapping of the file gets its entries and their ids, then all of them are read.
 * What is wrong leaves its field as if it were not there, so that one mistake is told once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/playbook_internal.h"

void playbook_complain(struct reading *reading, struct playbook_place at, const char *format, ...)
{
    char buffer[512];
    va_list arguments;

    if (reading->complaint_count == PLAYBOOK_COMPLAINTS_MAX)
        return;
    if (!reading->complaints)
        reading->complaints = playbook_alloc(reading->scratch, PLAYBOOK_COMPLAINTS_MAX *
                                                                   sizeof(*reading->complaints));
    va_start(arguments, format);
    vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    reading->complaints[reading->complaint_count++] = (struct playbook_complaint){
        .at = at, .text = playbook_copy(reading->scratch, slice_of(buffer)).bytes};
}

struct entries *entries_of(const void *owner, const struct field *field)
{
    return (struct entries *)((char *)(uintptr_t)owner + field->offset);
}

void *entry_at(const struct entries *entries, const struct shape *shape, unsigned index)
{
    return (char *)entries->items + index * shape->bytes;
}

static void read_shape(struct reading *reading, const struct shape *shape, const struct tree *node,
                       void *out);

/* --- entries and their ids ------------------------------------------------------------------- */

static const struct field *find_field(const struct shape *shape, const char *name)
{
    for (unsigned i = 0; i < shape->field_count; i++) {
        if (strcmp(shape->fields[i].name, name) == 0)
            return &shape->fields[i];
    }
    return NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const struct tree *const *left = a, *const *right = b;

    return strcmp((*left)->text.bytes, (*right)->text.bytes);
}

/* The nodes behind the entries: of a list its items, of a mapping its keys by name. */
static struct tree **nodes_of(struct reading *reading, const struct tree *node)
{
    struct tree **nodes = playbook_alloc(reading->scratch, (node->count + 1) * sizeof(*nodes));
    unsigned count = 0;

    for (struct tree *child = node->first; child; child = child->next)
        nodes[count++] = child;
    if (node->kind == TREE_MAP)
        qsort(nodes, count, sizeof(*nodes), compare_keys);
    return nodes;
}

static const struct tree *body_of(const struct tree *node)
{
    return node->value ? node->value : node;
}

static struct slice id_of(struct reading *reading, const struct shape *shape,
                          const struct tree *node)
{
    const struct tree *id = node;

    if (!node->value) {
        const struct tree *key =
            shape->has_id && node->kind == TREE_MAP ? tree_find(node, "id") : NULL;
        id = key ? key->value : NULL;
    }
    if (!id)
        return (struct slice){0}; /* where one must be, read_shape says so */
    if (id->kind != TREE_TEXT || !playbook_is_name(id->text)) {
        playbook_complain(reading, id->at,
                          "this must be a name: up to 40 of a-z, A-Z, 0-9, '_', '-' and '.'");
        return (struct slice){0};
    }
    return id->text;
}

static void tell_twice(struct reading *reading, const struct shape *shape,
                       const struct entries *entries, unsigned index)
{
    const struct entry *entry = entry_at(entries, shape, index);

    for (unsigned i = 0; i < index && entry->id.length > 0; i++) {
        const struct entry *before = entry_at(entries, shape, i);
        if (!slice_equal(before->id, entry->id))
            continue;
        playbook_complain(reading, entry->at, "%s '%s' was said before, in line %u", shape->what,
                          entry->id.bytes, before->at.line);
        return;
    }
}

/* Without items: there is no such list, which was complained about. */
static void make_entries(struct reading *reading, const struct field *field,
                         const struct tree *node, struct entries *entries)
{
    const struct shape *shape = field->shape;
    enum tree_kind kind = field->kind == FIELD_MAP ? TREE_MAP : TREE_LIST;
    unsigned most = shape->most ? shape->most : PLAYBOOK_LIST_MAX;
    struct tree **nodes;

    if (node->kind != kind) {
        playbook_complain(reading, node->at,
                          kind == TREE_MAP ? "%s: lines `name: ...` must stand here"
                                           : "%s: a list must stand here",
                          field->name);
        return;
    }
    if (node->count > most) {
        playbook_complain(reading, node->at, "%s: %u are the most", field->name, most);
        return;
    }
    nodes = nodes_of(reading, node);
    entries->items = playbook_alloc(reading->arena, (node->count + 1) * shape->bytes);
    entries->count = node->count;
    for (unsigned i = 0; i < node->count; i++) {
        struct entry *entry = entry_at(entries, shape, i);
        entry->id = id_of(reading, shape, nodes[i]);
        entry->at = nodes[i]->at;
        tell_twice(reading, shape, entries, i);
    }
}

static void fill_entries(struct reading *reading, const struct field *field,
                         const struct tree *node, struct entries *entries)
{
    struct tree **nodes = nodes_of(reading, node);

    for (unsigned i = 0; i < entries->count; i++)
        read_shape(reading, field->shape, body_of(nodes[i]), entry_at(entries, field->shape, i));
}

/* --- fields ---------------------------------------------------------------------------------- */

static void read_field(struct reading *reading, const struct field *field, const struct tree *node,
                       void *owner)
{
    void *out = (char *)owner + field->offset;

    switch (field->kind) {
    case FIELD_LIST:
    case FIELD_MAP: {
        struct entries *entries = out;
        /* Those of the playbook itself have their entries already, or were complained about. */
        if (owner != reading->playbook)
            make_entries(reading, field, node, entries);
        if (entries->items)
            fill_entries(reading, field, node, entries);
        return;
    }
    case FIELD_BLOCK:
        read_shape(reading, field->shape, node, out);
        return;
    case FIELD_HOURS:
        playbook_read_hours(reading, node, owner);
        return;
    case FIELD_HOLIDAYS:
        playbook_read_holidays(reading, node, out);
        return;
    default:
        playbook_read_value(reading, field, node, out);
    }
}

static void tell_unknown(struct reading *reading, const struct shape *shape,
                         const struct tree *node)
{
    const char *names[64];
    char guess[128];
    unsigned count = 0;

    for (unsigned i = 0; i < shape->field_count; i++)
        names[count++] = shape->fields[i].name;
    if (shape == &playbook_shape)
        names[count++] = "based_on";
    for (const struct tree *key = node->first; key; key = key->next) {
        bool is_id = shape->has_id && slice_equal(key->text, SLICE("id"));
        if (!is_id && !find_field(shape, key->text.bytes))
            playbook_complain(reading, key->at, "%s has no '%.40s'%s", shape->what, key->text.bytes,
                              playbook_guess(guess, key->text.bytes, names, count));
    }
}

static void read_default(struct reading *reading, const struct field *field,
                         struct playbook_place at, void *owner)
{
    struct tree text = {.at = at, .text = slice_of(field->unless)};
    struct tree list = {.kind = TREE_LIST, .at = at};

    if (field->kind == FIELD_BLOCK) {
        list.kind = TREE_MAP; /* empty, so that its own defaults hold */
        read_field(reading, field, &list, owner);
    } else if (field->unless) {
        read_field(reading, field, &text, owner);
    }
}

static void read_fields(struct reading *reading, const struct shape *shape, const struct tree *node,
                        void *out)
{
    for (unsigned i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        const struct tree *key = tree_find(node, field->name);
        playbook_no_value(field, (char *)out + field->offset);
        if (key)
            read_field(reading, field, key->value, out);
        else if (field->must)
            playbook_complain(reading, node->at, "%s needs '%s'", shape->what, field->name);
        else
            read_default(reading, field, node->at, out);
    }
}

#define SHORT_FIELDS_MAX 4 /* of what may be written as one value */

/* Nobody wrote the name of the field, so what is wrong is said of the whole. */
static void read_shorthand(struct reading *reading, const struct shape *shape,
                           const struct tree *node, void *out)
{
    struct field fields[SHORT_FIELDS_MAX];
    struct shape unnamed = *shape;
    struct tree key = {.at = node->at, .text = slice_of(shape->what)};
    struct tree map = {.kind = TREE_MAP, .at = node->at, .first = &key, .count = 1};
    struct tree value = *node;

    MUST(shape->field_count <= SHORT_FIELDS_MAX);
    memcpy(fields, shape->fields, shape->field_count * sizeof(*fields));
    for (unsigned i = 0; i < shape->field_count; i++)
        if (strcmp(fields[i].name, shape->shorthand) == 0)
            fields[i].name = shape->what;
    unnamed.fields = fields;
    value.next = NULL;
    key.value = &value;
    read_fields(reading, &unnamed, &map, out);
}

/* `node` says all fields, or the one that stands for them. */
static void read_shape(struct reading *reading, const struct shape *shape, const struct tree *node,
                       void *out)
{
    if (node->kind == TREE_MAP) {
        tell_unknown(reading, shape, node);
        if (shape->has_id && !tree_find(node, "id") && ((struct entry *)out)->id.length == 0)
            playbook_complain(reading, node->at, "%s needs an 'id'", shape->what);
        read_fields(reading, shape, node, out);
        return;
    }
    if (node->kind == TREE_TEXT && shape->shorthand) {
        read_shorthand(reading, shape, node, out);
        return;
    }
    playbook_complain(reading, node->at, "%s is written as `name: value`, here or in lines below",
                      shape->what);
}

static void name_entries(struct reading *reading, const struct tree *root)
{
    for (unsigned i = 0; i < playbook_shape.field_count; i++) {
        const struct field *field = &playbook_shape.fields[i];
        const struct tree *key = tree_find(root, field->name);
        if (key && (field->kind == FIELD_LIST || field->kind == FIELD_MAP))
            make_entries(reading, field, key->value, entries_of(reading->playbook, field));
    }
}

void playbook_read(struct reading *reading, const struct tree *root)
{
    name_entries(reading, root);
    read_shape(reading, &playbook_shape, root, reading->playbook);
}
