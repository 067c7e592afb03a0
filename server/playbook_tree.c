/* YAML to a tree. Anchors, tags and second documents are refused: a playbook is what stands in it,
 * and a small file must not unfold into a large one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "proto/memory.h"
#include "server/playbook_internal.h"

#define DEPTH_MAX 12

struct planting {
    struct reading *reading;
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    struct slice bytes;
    bool base;
    bool failed; /* nothing more can be read */
};

static struct playbook_place place_of(const struct planting *planting, yaml_mark_t mark)
{
    return (struct playbook_place){.line = (uint32_t)mark.line + 1,
                                   .column = ((uint32_t)mark.column + 1) & INT32_MAX,
                                   .base = planting->base};
}

static void fail(struct planting *planting, yaml_mark_t mark, const char *what)
{
    if (!planting->failed)
        playbook_complain(planting->reading, place_of(planting, mark), "%s", what);
    planting->failed = true;
}

/* Bytes that are no text have an offset and no mark. */
static yaml_mark_t mark_of_offset(struct slice bytes, size_t offset)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < offset && i < bytes.length; i++) {
        bool line_ends = bytes.bytes[i] == '\n';
        mark.line += line_ends;
        mark.column = line_ends ? 0 : mark.column + 1;
    }
    return mark;
}

/* The library says what it met, and not what to do about it. */
static void fail_form(struct planting *planting)
{
    static const struct {
        const char *problem, *advice;
    } known[] = {
        {"cannot start any token",
         "indent with spaces, not tabs; a text that begins so needs quotes"},
        {"tab character", "indent with spaces"},
        {"are not allowed in this context",
         "a text with ': ' needs quotes; indent one level alike"},
        {"expected key", "indent the lines of one level alike"},
        {"expected '-'", "indent the lines of one level alike"},
        {"unexpected end of stream", "close the quote that was opened"},
        {"',' or ", "close the bracket, or put the text in quotes"},
        {"expected ':'", "write `name: value`"},
        {"escape", "write \\\\ for a backslash"},
    };
    const yaml_parser_t *parser = &planting->parser;
    const char *problem = parser->problem ? parser->problem : "this is no YAML";
    const char *advice = "put the text in quotes";
    char what[200];

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strstr(problem, known[i].problem)) {
            advice = known[i].advice;
            break;
        }
    }
    snprintf(what, sizeof(what), "%s: %s", problem, advice);
    fail(planting, parser->problem_mark, what);
}

/* Takes the next event in place of the present one. */
static void advance(struct planting *planting)
{
    yaml_parser_t *parser = &planting->parser;

    yaml_event_delete(&planting->event);
    if (planting->failed || yaml_parser_parse(parser, &planting->event))
        return;
    if (parser->error == YAML_MEMORY_ERROR)
        memory_missing(); /* not told apart, it would be a fault of who wrote the playbook */
    if (parser->error == YAML_READER_ERROR)
        fail(planting, mark_of_offset(planting->bytes, parser->problem_offset),
             "this is not UTF-8 text");
    else
        fail_form(planting);
}

static bool is_at(const struct planting *planting, yaml_event_type_t type)
{
    return !planting->failed && planting->event.type == type;
}

static struct tree *plant(struct planting *planting, unsigned depth);

static struct tree *node_here(struct planting *planting, enum tree_kind kind)
{
    struct tree *node = playbook_alloc(planting->reading->scratch, sizeof(*node));

    node->kind = kind;
    node->at = place_of(planting, planting->event.start_mark);
    return node;
}

static struct tree *plant_text(struct planting *planting)
{
    struct tree *node = node_here(planting, TREE_TEXT);
    const yaml_event_t *event = &planting->event;
    struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};

    if (event->data.scalar.anchor || event->data.scalar.tag)
        fail(planting, event->start_mark,
             "write the value out: '&', '*' and '!' are not used here");
    else if (memchr(text.bytes, '\0', text.length))
        fail(planting, event->start_mark, "there is a NUL in this text");
    node->text = playbook_copy(planting->reading->arena, text);
    advance(planting);
    return node;
}

static bool may_grow(struct planting *planting, const struct tree *node)
{
    if (node->count < PLAYBOOK_LIST_MAX)
        return true;
    fail(planting, planting->event.start_mark, "this is too long: 500 entries are the most");
    return false;
}

static struct tree *plant_list(struct planting *planting, unsigned depth)
{
    struct tree *node = node_here(planting, TREE_LIST), **end = &node->first;

    if (planting->event.data.sequence_start.anchor || planting->event.data.sequence_start.tag)
        fail(planting, planting->event.start_mark,
             "write the list out: '&', '*' and '!' are not used here");
    advance(planting);
    while (!planting->failed && !is_at(planting, YAML_SEQUENCE_END_EVENT)) {
        struct tree *child = may_grow(planting, node) ? plant(planting, depth + 1) : NULL;
        if (!child)
            break;
        *end = child;
        end = &child->next;
        node->count++;
    }
    advance(planting);
    return node;
}

/* Keys stay in the order of the file; one that is there twice is left out and told. */
static struct tree *plant_map(struct planting *planting, unsigned depth)
{
    struct tree *node = node_here(planting, TREE_MAP), **end = &node->first;

    if (planting->event.data.mapping_start.anchor || planting->event.data.mapping_start.tag)
        fail(planting, planting->event.start_mark,
             "write the mapping out: '&', '*' and '!' are not used here");
    advance(planting);
    while (!planting->failed && !is_at(planting, YAML_MAPPING_END_EVENT)) {
        if (!is_at(planting, YAML_SCALAR_EVENT))
            fail(planting, planting->event.start_mark, "a name must stand here");
        if (!may_grow(planting, node) || planting->failed)
            break;
        struct tree *key = plant_text(planting);
        key->value = plant(planting, depth + 1);
        if (!key->value)
            break;
        struct tree *before = tree_find(node, key->text.bytes);
        if (before) {
            playbook_complain(planting->reading, key->at, "'%s' was said before, in line %u",
                              key->text.bytes, before->at.line);
            continue;
        }
        *end = key;
        end = &key->next;
        node->count++;
    }
    advance(planting);
    return node;
}

/* At a node; leaves behind it. NULL: failed. */
static struct tree *plant(struct planting *planting, unsigned depth)
{
    struct tree *node = NULL;

    if (planting->failed)
        return NULL;
    if (depth > DEPTH_MAX)
        fail(planting, planting->event.start_mark, "this is nested too deeply");
    else if (is_at(planting, YAML_SCALAR_EVENT))
        node = plant_text(planting);
    else if (is_at(planting, YAML_SEQUENCE_START_EVENT))
        node = plant_list(planting, depth);
    else if (is_at(planting, YAML_MAPPING_START_EVENT))
        node = plant_map(planting, depth);
    else
        fail(planting, planting->event.start_mark,
             "write the value out: '&', '*' and '!' are not used here");
    return planting->failed ? NULL : node;
}

static struct tree *plant_document(struct planting *planting)
{
    struct tree *root;

    advance(planting); /* to the start of the stream */
    advance(planting);
    if (is_at(planting, YAML_STREAM_END_EVENT))
        fail(planting, planting->event.start_mark, "the file is empty");
    advance(planting); /* over the start of the document */
    root = plant(planting, 0);
    if (root && root->kind != TREE_MAP) {
        playbook_complain(planting->reading, root->at, "a playbook begins with lines `name: ...`");
        planting->failed = true;
    }
    advance(planting); /* over its end */
    if (!planting->failed && !is_at(planting, YAML_STREAM_END_EVENT))
        fail(planting, planting->event.start_mark, "a second document begins here; write one");
    return planting->failed ? NULL : root;
}

/* libyaml takes a byte order mark for a column of the first line. */
static struct slice without_mark(struct slice bytes)
{
    static const char mark[] = {'\xEF', '\xBB', '\xBF'};

    if (bytes.length < sizeof(mark) || memcmp(bytes.bytes, mark, sizeof(mark)) != 0)
        return bytes;
    return (struct slice){bytes.bytes + sizeof(mark), bytes.length - sizeof(mark)};
}

struct tree *playbook_tree(struct reading *reading, struct slice bytes, bool base)
{
    struct planting planting = {.reading = reading, .bytes = without_mark(bytes), .base = base};
    struct tree *root;

    if (!yaml_parser_initialize(&planting.parser))
        memory_missing();
    yaml_parser_set_encoding(&planting.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&planting.parser, (const unsigned char *)planting.bytes.bytes,
                                 planting.bytes.length);
    root = plant_document(&planting);
    yaml_event_delete(&planting.event);
    yaml_parser_delete(&planting.parser);
    return root;
}

struct tree *tree_find(const struct tree *map, const char *key)
{
    for (struct tree *child = map->first; child; child = child->next) {
        if (strcmp(child->text.bytes, key) == 0)
            return child;
    }
    return NULL;
}

void tree_merge(struct tree *map, struct tree *base)
{
    struct tree **end = &map->first;

    while (*end)
        end = &(*end)->next;
    for (struct tree *key = base->first, *next; key; key = next) {
        next = key->next;
        if (tree_find(map, key->text.bytes))
            continue;
        key->next = NULL;
        *end = key;
        end = &key->next;
        map->count++;
    }
}
