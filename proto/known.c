#include "proto/known.h"

#include <string.h>

#include "proto/name.h"
#include "proto/task.h"

#define HEAD_BYTES 4

bool known_next(struct slice *rest, struct known_item *out)
{
    const unsigned char *head = (const unsigned char *)rest->bytes;
    size_t name, value;

    if (rest->length < HEAD_BYTES)
        return false;
    name = head[1];
    value = (size_t)head[2] | (size_t)head[3] << 8;
    if (rest->length - HEAD_BYTES < name + value)
        return false;
    *out = (struct known_item){
        .kind = (enum known_kind)head[0],
        .name = {rest->bytes + HEAD_BYTES, name},
        .value = {rest->bytes + HEAD_BYTES + name, value},
    };
    rest->bytes += HEAD_BYTES + name + value;
    rest->length -= HEAD_BYTES + name + value;
    return true;
}

struct slice known_of(struct slice known, enum known_kind kind, struct slice name)
{
    struct known_item item;

    while (known_next(&known, &item)) {
        if (item.kind == kind && slice_equal(item.name, name))
            return item.value;
    }
    return (struct slice){0};
}

static struct slice whole_characters(struct slice text, size_t most)
{
    if (text.length <= most)
        return text;
    while (most > 0 && ((unsigned char)text.bytes[most] & 0xC0) == 0x80)
        most--;
    return (struct slice){text.bytes, most};
}

void known_add(struct text *out, const struct known_item *item)
{
    struct slice name = whole_characters(item->name, KNOWN_NAME_MAX);
    struct slice value = whole_characters(item->value, KNOWN_VALUE_MAX);

    text_char(out, (char)item->kind);
    text_char(out, (char)name.length);
    text_char(out, (char)(value.length & 255));
    text_char(out, (char)(value.length >> 8));
    text_add(out, name);
    text_add(out, value);
}

static bool says(struct slice items, const struct known_item *about)
{
    struct known_item item;

    while (known_next(&items, &item)) {
        if (item.kind == about->kind && slice_equal(item.name, about->name))
            return true;
    }
    return false;
}

static size_t bytes_of(const struct known_item *item)
{
    return HEAD_BYTES + item->name.length + item->value.length;
}

/* Of what was said twice the last word counts. */
static bool counts(struct slice behind, const struct known_item *item)
{
    return item->value.length > 0 && !says(behind, item);
}

/* All of the items that count, but for those that `over` has as well. */
static size_t bytes_that_count(struct slice items, struct slice over)
{
    struct known_item item;
    size_t bytes = 0;

    while (known_next(&items, &item))
        bytes += counts(items, &item) && !says(over, &item) ? bytes_of(&item) : 0;
    return bytes;
}

void known_merge(struct slice known, struct slice news, struct text *out)
{
    size_t room = out->capacity - out->length;
    size_t all = bytes_that_count(known, news) + bytes_that_count(news, (struct slice){0});
    struct known_item item;

    while (known_next(&known, &item)) {
        if (!counts(known, &item) || says(news, &item))
            continue;
        if (all > room)
            all -= bytes_of(&item);
        else
            known_add(out, &item);
    }
    while (known_next(&news, &item)) {
        if (counts(news, &item) && bytes_of(&item) <= out->capacity - out->length)
            known_add(out, &item);
    }
}

void known_write(struct text *out, const char *key, struct slice known, enum known_kind kind)
{
    struct known_item item;
    const char *between = "";

    text_printf(out, ",\"%s\":{", key);
    while (known_next(&known, &item)) {
        if (item.kind != kind)
            continue;
        text_string(out, between);
        text_json_string(out, item.name);
        text_char(out, ':');
        text_json_string(out, item.value);
        between = ",";
    }
    text_char(out, '}');
}

static void make_room(struct optin *optin, struct slice known)
{
    static const enum optin_text fields[] = {OPTIN_PHONE, OPTIN_EMAIL, OPTIN_NAME,
                                             OPTIN_FIRST_NAME};
    struct optin found;

    optin_clear(&found);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        found.text[fields[i]] = known_of(known, KNOWN_FINDING, slice_of(optin_key(fields[i])));
    found.text[OPTIN_PHONE_E164] = found.text[OPTIN_PHONE];
    optin_give_way(optin, &found);
}

void known_identify_by(unsigned renderer, struct optin *optin, struct slice known)
{
    static const enum optin_text fields[] = {OPTIN_PHONE,   OPTIN_EMAIL,   OPTIN_COMPANY,
                                             OPTIN_TITLE,   OPTIN_COUNTRY, OPTIN_POSTAL_CODE,
                                             OPTIN_TIMEZONE};
    static const enum optin_text names[] = {OPTIN_NAME, OPTIN_FIRST_NAME, OPTIN_LAST_NAME};
    bool has_name = name_is_given_by(renderer, optin);

    if (renderer > 5)
        make_room(optin, known);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct slice *text = &optin->text[fields[i]];
        if (text->length > 0)
            continue;
        *text = known_of(known, KNOWN_FINDING, slice_of(optin_key(fields[i])));
        if (fields[i] == OPTIN_PHONE)
            optin->text[OPTIN_PHONE_E164] = *text;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !has_name; i++) {
        struct slice found = known_of(known, KNOWN_FINDING, slice_of(optin_key(names[i])));
        if (found.length > 0)
            optin->text[names[i]] = found;
    }
}

void known_identify(struct optin *optin, struct slice known)
{
    known_identify_by(TASK_RENDERER, optin, known);
}
