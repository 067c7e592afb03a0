/* A comparison as a file: nothing of a round is left out, so that another table can be made of it.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"

#define COMPARE_VERSION 1 /* of the file; raise it when a field changes its meaning */

/* Not json_string(): proto/json.h has a function of that name, which would be linked in its place.
 */
static json_t *text_of(const char *text)
{
    return json_stringn(text, strlen(text));
}

/* A result writes itself as text. NULL: out of memory. */
static json_t *result_document(const struct result *result)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out)
        return NULL;
    enum status written = result_write_json(result, out);
    if (fclose(out) != 0)
        written = STATUS_INTERNAL;
    json_t *document = written == STATUS_OK ? json_loadb(text, length, 0, NULL) : NULL;
    free(text);
    return document;
}

/* Takes `value` over. */
static bool put(json_t *object, const char *field, json_t *value)
{
    return value && json_object_set_new(object, field, value) == 0;
}

static json_t *round_document(const struct compare_side *side, unsigned number)
{
    const struct compare_round *round = &side->rounds[number];
    json_t *document = json_object();
    bool whole = put(document, "side", text_of(side->name)) &&
                 put(document, "round", json_integer((json_int_t)number + 1)) &&
                 put(document, "failed", round->failed[0] ? text_of(round->failed) : json_null());

    if (whole && round->ran)
        whole = put(document, "result", result_document(&round->result));
    if (whole)
        return document;
    json_decref(document);
    return NULL;
}

static json_t *rounds_document(const struct compare *compare)
{
    json_t *rounds = json_array();

    for (unsigned number = 0; rounds && number < compare->round_count; number++)
        for (unsigned i = 0; rounds && i < compare->side_count; i++) {
            const struct compare_side *side = &compare->sides[i];
            if (!side->rounds[number].ran && !side->rounds[number].failed[0])
                continue; /* it was not begun */
            json_t *one = round_document(side, number);
            if (one && json_array_append_new(rounds, one) == 0)
                continue;
            json_decref(rounds);
            rounds = NULL;
        }
    return rounds;
}

static json_t *sides_document(const struct compare *compare)
{
    json_t *sides = json_array();

    for (unsigned i = 0; sides && i < compare->side_count; i++) {
        const struct compare_side *side = &compare->sides[i];
        json_t *one = json_object();
        bool whole = one && put(one, "name", text_of(side->name)) &&
                     put(one, "does", text_of(side->does)) &&
                     put(one, "version", text_of(side->version)) &&
                     put(one, "durable", json_boolean(side->durable));
        if (whole && json_array_append_new(sides, json_incref(one)) != 0)
            whole = false;
        json_decref(one);
        if (whole)
            continue;
        json_decref(sides);
        sides = NULL;
    }
    return sides;
}

enum status compare_write_json(const struct compare *compare, FILE *out)
{
    json_t *document = json_object();
    bool whole = document && put(document, "compare_version", json_integer(COMPARE_VERSION)) &&
                 put(document, "command", text_of(compare->command)) &&
                 put(document, "cut_short", json_boolean(compare->cut_short)) &&
                 put(document, "sides", sides_document(compare)) &&
                 put(document, "rounds", rounds_document(compare));
    enum status result = STATUS_INTERNAL;

    if (whole)
        result = json_dumpf(document, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF
                     ? STATUS_OK
                     : STATUS_IO;
    json_decref(document);
    return result;
}
