/* One value of a playbook: read from a node, written as it stands in the canonical form. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/must.h"
#include "server/config.h"
#include "server/playbook_internal.h"

#define DAY_MS     86400000ull
#define YEARS_MAX  100
#define AMOUNT_MAX 4000000000ull /* a hundred years in seconds */

static const struct unit {
    const char *name;
    uint64_t ms;
    uint32_t months;
} units[] = {
    /* The largest first: a span is written with the first that divides it. */
    {"y", 0, 12},      {"mo", 0, 1},    {"w", 7 * DAY_MS, 0}, {"d", DAY_MS, 0},
    {"h", 3600000, 0}, {"m", 60000, 0}, {"s", 1000, 0},
};
#define UNIT_COUNT (sizeof(units) / sizeof(*units))

uint64_t playbook_span_about(struct playbook_span span)
{
    /* 365.2425 days in twelve parts. */
    return span.months * 2629746000ull + (span.ms == PLAYBOOK_NO_SPAN ? 0 : span.ms);
}

/* Decimal digits at the beginning; false: there are none, or they are too many. */
static bool take_number(struct slice *text, uint64_t *out)
{
    size_t digits = 0;

    *out = 0;
    while (digits < text->length && text->bytes[digits] >= '0' && text->bytes[digits] <= '9') {
        *out = *out * 10 + (uint64_t)(text->bytes[digits++] - '0');
        if (*out > AMOUNT_MAX)
            return false;
    }
    text->bytes += digits;
    text->length -= digits;
    return digits > 0;
}

bool playbook_span_of(struct slice text, struct playbook_span *out)
{
    uint64_t amount;

    if (!take_number(&text, &amount))
        return false;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (!slice_equal(text, slice_of(units[i].name)))
            continue;
        struct playbook_span span = {.ms = amount * units[i].ms};
        if (amount * units[i].months > YEARS_MAX * 12 || span.ms > YEARS_MAX * 366 * DAY_MS)
            return false;
        span.months = (uint32_t)amount * units[i].months;
        *out = span;
        return true;
    }
    return false;
}

void playbook_span_write(struct playbook_span span, struct text *out)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        uint64_t unit = span.months ? units[i].months : units[i].ms;
        uint64_t amount = span.months ? span.months : span.ms;
        if (unit == 0 || amount == 0 || amount % unit != 0)
            continue;
        text_uint(out, amount / unit);
        text_string(out, units[i].name);
        return;
    }
    text_string(out, "0s");
}

bool playbook_minute_of(struct slice text, bool whole, uint16_t *out)
{
    uint64_t hour, minute;
    size_t length = text.length;

    if (length != 5 || text.bytes[2] != ':' || !take_number(&text, &hour) || text.length != 3)
        return false;
    text = (struct slice){text.bytes + 1, 2};
    if (!take_number(&text, &minute) || text.length > 0 || minute > 59 ||
        hour * 60 + minute > (whole ? 1440 : 1439))
        return false;
    *out = (uint16_t)(hour * 60 + minute);
    return true;
}

static bool is_letter_or_digit(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

bool playbook_is_name(struct slice text)
{
    if (text.length == 0 || text.length > PLAYBOOK_NAME_MAX || !is_letter_or_digit(text.bytes[0]))
        return false;
    for (size_t i = 1; i < text.length; i++) {
        if (!is_letter_or_digit(text.bytes[i]) && !memchr("_-.", text.bytes[i], 3))
            return false;
    }
    return true;
}

/* Controls, line separators and byte order marks: YAML does not read them as they are written, and
 * no page shows them. */
static bool is_hidden(const unsigned char *at, size_t left)
{
    if (at[0] < 0x20)
        return at[0] != '\n' && at[0] != '\t';
    if (at[0] == 0xc2)
        return left > 1 && at[1] < 0xa0;
    if (at[0] == 0xe2)
        return left > 2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9);
    if (at[0] == 0xef)
        return left > 2 && ((at[1] == 0xbb && at[2] == 0xbf) || (at[1] == 0xbf && at[2] >= 0xbe));
    return at[0] == 0x7f;
}

bool playbook_is_readable(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes;

    for (size_t i = 0; i < text.length; i++) {
        if (is_hidden(bytes + i, text.length - i))
            return false;
    }
    return true;
}

const char *playbook_guess(char buffer[128], const char *word, const char *const *names,
                           unsigned count)
{
    const char *closest = config_closest(word, names, count);
    struct text out = text_over(buffer, 127);

    if (closest) {
        text_printf(&out, "; did you mean '%s'?", closest);
    } else if (count > 0) {
        text_string(&out, "; there are ");
        unsigned i = 0;
        for (; i < count && out.length + strlen(names[i]) < 110; i++)
            text_printf(&out, "%s%s", i ? ", " : "", names[i]);
        text_string(&out, i < count ? " ..." : "");
    }
    buffer[out.length] = '\0';
    return buffer;
}

/* --- reading --------------------------------------------------------------------------------- */

/* For complaints: a value of any length, cut. */
static const char *shown(struct slice text)
{
    static _Thread_local char buffer[64];
    size_t length = text.length < 40 ? text.length : 40;

    while (length > 0 && length < text.length && ((unsigned char)text.bytes[length] & 0xc0) == 0x80)
        length--;
    snprintf(buffer, sizeof(buffer), "%.*s%s", (int)length, text.bytes,
             length < text.length ? "..." : "");
    for (char *at = buffer; *at; at++)
        if ((unsigned char)*at < 0x20)
            *at = ' ';
    return buffer;
}

static void expect(struct reading *reading, const struct field *field, const struct tree *node,
                   const char *what)
{
    if (node->kind != TREE_TEXT)
        playbook_complain(reading, node->at, "%s: one value must stand here: %s", field->name,
                          what);
    else
        playbook_complain(reading, node->at, "%s: '%s' is not %s", field->name, shown(node->text),
                          what);
}

static void read_name(struct reading *reading, const struct field *field, const struct tree *node,
                      struct slice *out)
{
    if (node->kind == TREE_TEXT && playbook_is_name(node->text))
        *out = node->text;
    else
        expect(reading, field, node, "a name: up to 40 of a-z, A-Z, 0-9, '_', '-' and '.'");
}

static void read_text(struct reading *reading, const struct field *field, const struct tree *node,
                      struct slice *out)
{
    if (node->kind != TREE_TEXT || node->text.length == 0)
        playbook_complain(reading, node->at, "%s: some words must stand here", field->name);
    else if (node->text.length > PLAYBOOK_TEXT_MAX)
        playbook_complain(reading, node->at, "%s: this is longer than %d bytes", field->name,
                          PLAYBOOK_TEXT_MAX);
    else if (!playbook_is_readable(node->text))
        playbook_complain(reading, node->at, "%s: there is a character that cannot be shown",
                          field->name);
    else
        *out = node->text;
}

static void read_texts(struct reading *reading, const struct field *field, const struct tree *node,
                       struct playbook_texts *out)
{
    const struct tree *item = node->kind == TREE_LIST ? node->first : node;
    unsigned count = node->kind == TREE_LIST ? node->count : 1;
    struct slice *items = playbook_alloc(reading->arena, count * sizeof(*items));

    *out = (struct playbook_texts){items, count};
    for (unsigned i = 0; i < count; i++, item = item->next)
        read_text(reading, field, item, &items[i]);
}

static void read_flag(struct reading *reading, const struct field *field, const struct tree *node,
                      bool *out)
{
    if (node->kind == TREE_TEXT &&
        (slice_equal(node->text, SLICE("true")) || slice_equal(node->text, SLICE("yes"))))
        *out = true;
    else if (node->kind == TREE_TEXT &&
             (slice_equal(node->text, SLICE("false")) || slice_equal(node->text, SLICE("no"))))
        *out = false;
    else
        expect(reading, field, node, "true or false");
}

static void read_count(struct reading *reading, const struct field *field, const struct tree *node,
                       uint32_t *out)
{
    struct slice text = node->text;
    uint64_t number;
    char what[64];

    if (node->kind == TREE_TEXT && take_number(&text, &number) && text.length == 0 &&
        number <= field->most) {
        *out = (uint32_t)number;
        return;
    }
    snprintf(what, sizeof(what), "a whole number from 0 to %u", field->most);
    expect(reading, field, node, what);
}

static void read_price(struct reading *reading, const struct field *field, const struct tree *node,
                       uint64_t *out)
{
    struct slice text = node->text;
    uint64_t whole, cents = 0;
    bool good = node->kind == TREE_TEXT && take_number(&text, &whole);

    if (good && text.length == 3 && text.bytes[0] == '.') {
        text = (struct slice){text.bytes + 1, 2};
        good = take_number(&text, &cents);
    }
    if (good && text.length == 0)
        *out = whole * 100 + cents;
    else
        expect(reading, field, node, "a price such as 40 or 12.50");
}

/* The number of a name; 0: it was complained about. */
static unsigned read_one(struct reading *reading, const struct field *field,
                         const struct tree *node)
{
    const char *names[PLAYBOOK_NUMBER_MAX];
    unsigned count = 0;
    char guess[128];

    if (node->kind != TREE_TEXT) {
        expect(reading, field, node, "a name");
        return 0;
    }
    for (unsigned number = 1; number <= PLAYBOOK_NUMBER_MAX; number++) {
        struct slice name = field->name_of(reading->playbook, number);
        if (name.length > 0 && slice_equal(name, node->text))
            return number;
        if (name.length > 0)
            names[count++] = name.bytes;
    }
    playbook_complain(reading, node->at, "%s: there is no '%s'%s", field->name, shown(node->text),
                      playbook_guess(guess, node->text.bytes, names, count));
    return 0;
}

static void read_words(struct reading *reading, const struct field *field, const struct tree *node,
                       uint64_t *out)
{
    const struct tree *item = node->kind == TREE_LIST ? node->first : node;

    *out = 0;
    if (node->kind == TREE_TEXT && slice_equal(node->text, SLICE("all"))) {
        for (unsigned number = 1; number <= PLAYBOOK_NUMBER_MAX; number++)
            if (field->name_of(reading->playbook, number).length > 0)
                *out |= 1ull << number;
        return;
    }
    for (; item; item = node->kind == TREE_LIST ? item->next : NULL) {
        unsigned number = read_one(reading, field, item);
        if (number > 0)
            *out |= 1ull << number;
    }
}

void playbook_read_value(struct reading *reading, const struct field *field,
                         const struct tree *node, void *out)
{
    switch (field->kind) {
    case FIELD_NAME:
        read_name(reading, field, node, out);
        return;
    case FIELD_TEXT:
        read_text(reading, field, node, out);
        return;
    case FIELD_TEXTS:
        read_texts(reading, field, node, out);
        return;
    case FIELD_FLAG:
        read_flag(reading, field, node, out);
        return;
    case FIELD_COUNT:
        read_count(reading, field, node, out);
        return;
    case FIELD_SPAN:
        if (node->kind != TREE_TEXT || !playbook_span_of(node->text, out))
            expect(reading, field, node, "a time such as 90s, 5m, 1h, 3d, 2w, 10mo or 1y");
        return;
    case FIELD_MINUTE:
        if (node->kind != TREE_TEXT || !playbook_minute_of(node->text, false, out))
            expect(reading, field, node, "a time of day such as \"09:30\"");
        return;
    case FIELD_PRICE:
        read_price(reading, field, node, out);
        return;
    case FIELD_WORD:
        *(uint8_t *)out = (uint8_t)read_one(reading, field, node);
        return;
    case FIELD_WORDS:
        read_words(reading, field, node, out);
        return;
    case FIELD_RULE:
        playbook_read_rule(reading, node, out);
        return;
    default:
        MUST(!"a value");
    }
}

/* --- nothing --------------------------------------------------------------------------------- */

void playbook_no_value(const struct field *field, void *out)
{
    if (field->kind == FIELD_SPAN)
        *(struct playbook_span *)out = (struct playbook_span){.ms = PLAYBOOK_NO_SPAN};
    else if (field->kind == FIELD_COUNT)
        *(uint32_t *)out = PLAYBOOK_NO_COUNT;
    else if (field->kind == FIELD_MINUTE)
        *(uint16_t *)out = PLAYBOOK_NO_MINUTE;
}

bool playbook_has_value(const struct field *field, const void *value)
{
    switch (field->kind) {
    case FIELD_NAME:
    case FIELD_TEXT:
        return ((const struct slice *)value)->length > 0;
    case FIELD_TEXTS:
        return ((const struct playbook_texts *)value)->count > 0;
    case FIELD_FLAG:
        return *(const bool *)value;
    case FIELD_COUNT:
        return *(const uint32_t *)value != PLAYBOOK_NO_COUNT;
    case FIELD_SPAN:
        return ((const struct playbook_span *)value)->ms != PLAYBOOK_NO_SPAN;
    case FIELD_MINUTE:
        return *(const uint16_t *)value != PLAYBOOK_NO_MINUTE;
    case FIELD_PRICE:
    case FIELD_WORDS:
        return *(const uint64_t *)value != 0;
    case FIELD_WORD:
        return *(const uint8_t *)value != 0;
    case FIELD_RULE: {
        const struct playbook_rule *rule = value;
        return rule->all + rule->any + rule->none > 0;
    }
    default:
        return true;
    }
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_texts(const struct playbook_texts *texts, struct text *out)
{
    text_char(out, '[');
    for (uint32_t i = 0; i < texts->count; i++) {
        text_string(out, i ? ", " : "");
        text_json_string(out, texts->items[i]);
    }
    text_char(out, ']');
}

static void write_words(const struct playbook *playbook, const struct field *field, uint64_t words,
                        struct text *out)
{
    const char *between = "";

    text_char(out, '[');
    for (unsigned number = 1; number <= PLAYBOOK_NUMBER_MAX; number++) {
        if (!(words >> number & 1))
            continue;
        text_string(out, between);
        text_add(out, field->name_of(playbook, number));
        between = ", ";
    }
    text_char(out, ']');
}

void playbook_write_value(const struct playbook *playbook, const struct field *field,
                          const void *value, struct text *out)
{
    switch (field->kind) {
    case FIELD_NAME:
        text_add(out, *(const struct slice *)value);
        return;
    case FIELD_TEXT:
        text_json_string(out, *(const struct slice *)value);
        return;
    case FIELD_TEXTS:
        write_texts(value, out);
        return;
    case FIELD_FLAG:
        text_string(out, *(const bool *)value ? "true" : "false");
        return;
    case FIELD_COUNT:
        text_uint(out, *(const uint32_t *)value);
        return;
    case FIELD_SPAN:
        playbook_span_write(*(const struct playbook_span *)value, out);
        return;
    case FIELD_MINUTE: {
        uint16_t minute = *(const uint16_t *)value;
        text_printf(out, "\"%02u:%02u\"", minute / 60u, minute % 60u);
        return;
    }
    case FIELD_PRICE: {
        uint64_t cents = *(const uint64_t *)value;
        text_printf(out, "%llu.%02u", (unsigned long long)(cents / 100), (unsigned)(cents % 100));
        return;
    }
    case FIELD_WORD:
        text_add(out, field->name_of(playbook, *(const uint8_t *)value));
        return;
    case FIELD_WORDS:
        write_words(playbook, field, *(const uint64_t *)value, out);
        return;
    default:
        MUST(!"a value");
    }
}
