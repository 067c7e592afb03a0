#include "server/config_file.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

struct parse {
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    const char *path;
    FILE *talk;
};

static enum status complain(const struct parse *parse, size_t line, const char *what)
{
    fprintf(parse->talk, "hotlead: %s:%zu: %s\n", parse->path, line, what);
    return STATUS_INVALID;
}

/* Takes the next event in place of the present one. */
static enum status advance(struct parse *parse)
{
    yaml_event_delete(&parse->event);
    if (yaml_parser_parse(&parse->parser, &parse->event))
        return STATUS_OK;

    const yaml_parser_t *parser = &parse->parser;
    /* Bytes that are not text have an offset, everything else has a line. */
    if (parser->error == YAML_READER_ERROR)
        return complain(parse, parser->mark.line + 1, "this is not UTF-8 text");
    return complain(parse, parser->problem_mark.line + 1,
                    parser->problem ? parser->problem : "out of memory");
}

static size_t line_of(const struct parse *parse)
{
    return parse->event.start_mark.line + 1;
}

static bool is_at(const struct parse *parse, yaml_event_type_t type)
{
    return parse->event.type == type;
}

/* A scalar that is plain text: no anchor, no tag, no NUL inside. */
static bool is_text(const struct parse *parse)
{
    if (!is_at(parse, YAML_SCALAR_EVENT))
        return false;
    const char *value = (const char *)parse->event.data.scalar.value;
    return !parse->event.data.scalar.anchor && !parse->event.data.scalar.tag &&
           strlen(value) == parse->event.data.scalar.length;
}

/* At a name; leaves at what stands behind its value. */
static enum status parse_pair(struct parse *parse, config_pair_fn *on_pair, void *owner)
{
    char name[64];
    unsigned line = (unsigned)line_of(parse);

    if (!is_text(parse))
        return complain(parse, line, "the name of a setting must stand here");
    if (parse->event.data.scalar.length >= sizeof name)
        return complain(parse, line, "no setting has such a long name");
    memcpy(name, parse->event.data.scalar.value, parse->event.data.scalar.length + 1);

    enum status status = advance(parse);
    if (status != STATUS_OK)
        return status;
    if (!is_text(parse)) {
        fprintf(parse->talk, "hotlead: %s:%u: %s must be one plain value\n", parse->path, line,
                name);
        return STATUS_INVALID;
    }
    on_pair(owner, name, (const char *)parse->event.data.scalar.value, line);
    return advance(parse);
}

/* At the document's root; leaves at the document's end. */
static enum status parse_root(struct parse *parse, config_pair_fn *on_pair, void *owner)
{
    if (is_text(parse) && parse->event.data.scalar.length == 0)
        return advance(parse); /* "---" and nothing behind it */
    if (!is_at(parse, YAML_MAPPING_START_EVENT))
        return complain(parse, line_of(parse), "the file must consist of lines `setting: value`");

    enum status status = advance(parse);
    while (status == STATUS_OK && !is_at(parse, YAML_MAPPING_END_EVENT))
        status = parse_pair(parse, on_pair, owner);
    return status == STATUS_OK ? advance(parse) : status;
}

static enum status parse_stream(struct parse *parse, config_pair_fn *on_pair, void *owner)
{
    enum status status = advance(parse); /* start of the stream */

    if (status == STATUS_OK)
        status = advance(parse);
    if (status != STATUS_OK || is_at(parse, YAML_STREAM_END_EVENT))
        return status;
    status = advance(parse); /* over the start of the document */
    if (status == STATUS_OK)
        status = parse_root(parse, on_pair, owner);
    if (status == STATUS_OK)
        status = advance(parse); /* over its end */
    if (status == STATUS_OK && !is_at(parse, YAML_STREAM_END_EVENT))
        return complain(parse, line_of(parse), "a second document begins here; write one");
    return status;
}

enum status config_file_parse(const char *path, const char *bytes, size_t length,
                              config_pair_fn *on_pair, void *owner, FILE *talk)
{
    struct parse parse = {.path = path, .talk = talk};

    if (!yaml_parser_initialize(&parse.parser))
        return STATUS_INTERNAL;
    yaml_parser_set_encoding(&parse.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parse.parser, (const unsigned char *)bytes, length);
    enum status status = parse_stream(&parse, on_pair, owner);
    yaml_event_delete(&parse.event);
    yaml_parser_delete(&parse.parser);
    return status;
}
