/* Names as people type them and programs pass them on. What is decided here stands in tasks, which
 * have to keep their bytes: a change is a new renderer (task.h), and its rule here beside the older
 * ones. That is why the characters are a table and no library's, which learns new ones with each
 * release. */
#include "proto/name.h"

#include "proto/text.h"
#include "proto/utf8.h"

/* --- characters ------------------------------------------------------------------------------ */

struct range {
    uint32_t first, last;
};

/* Over ASCII: Unicode's blocks (Blocks.txt) of punctuation, symbols, pictures, and private use; of
 * Latin-1 by character; digits that have a script's own shapes. What is left may be a letter. */
static const struct range no_letters[] = {
    {0x80, 0xA9},        {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},       {0xD7, 0xD7},
    {0xF7, 0xF7},        {0x660, 0x669},   {0x6F0, 0x6F9},   {0x966, 0x96F},     {0x2000, 0x206F},
    {0x20A0, 0x20FF},    {0x2190, 0x2BFF}, {0x2E00, 0x2E7F}, {0x2FF0, 0x3004},   {0x3007, 0x3030},
    {0x3200, 0x33FF},    {0x4DC0, 0x4DFF}, {0xE000, 0xF8FF}, {0xFE00, 0xFE6F},   {0xFF00, 0xFF20},
    {0xFF3B, 0xFF40},    {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1D000, 0x1D3FF}, {0x1F000, 0x1FFFF},
    {0xE0000, 0x10FFFF},
};

/* Blanks of all widths and the ends of lines. */
static const struct range blanks[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

/* Controls, what turns the direction of text, what has no width, letters that fill a place. */
static const struct range invisible[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},     {0x115F, 0x1160},
    {0x180E, 0x180E}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},
    {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F},
};

#define IN(character, ranges) is_in(character, ranges, sizeof(ranges) / sizeof(ranges[0]))

static bool is_in(uint32_t character, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count && character >= ranges[i].first; i++)
        if (character <= ranges[i].last)
            return true;
    return false;
}

static bool is_letter(uint32_t character)
{
    if (character < 0x80)
        return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
    return !IN(character, no_letters) && !IN(character, invisible);
}

static bool has_letter(struct slice text)
{
    while (text.length > 0)
        if (is_letter(utf8_next(&text)))
            return true;
    return false;
}

/* Persian and Indic names are spelled with joiners of no width, Latin ones are not. */
static bool joins(uint32_t character, struct slice behind)
{
    uint32_t next = behind.length > 0 ? utf8_next(&behind) : 0;

    return (character == 0x200C || character == 0x200D) && next >= 0x600 && is_letter(next);
}

/* --- cleaning -------------------------------------------------------------------------------- */

static struct slice trimmed(struct slice text)
{
    while (text.length > 0 && (unsigned char)text.bytes[0] <= ' ') {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && (unsigned char)text.bytes[text.length - 1] <= ' ')
        text.length--;
    return text;
}

static bool is_clean(struct slice name)
{
    while (name.length > 0) {
        if (name.bytes[0] >= ' ' && name.bytes[0] < 0x7F) { /* as nearly all are */
            name.bytes++;
            name.length--;
            continue;
        }
        uint32_t character = utf8_next(&name);
        if (IN(character, blanks) || IN(character, invisible))
            return false;
    }
    return true;
}

/* What can be seen of a name, with plain blanks. */
static struct slice cleaned(struct slice name, char buffer[static NAME_CLEAN_MAX])
{
    struct text out = text_over(buffer, NAME_CLEAN_MAX);
    struct slice rest = trimmed(name);

    if (is_clean(rest))
        return rest;
    while (rest.length > 0) {
        struct slice one = rest;
        uint32_t character = utf8_next(&rest);
        one.length -= rest.length;
        if (IN(character, blanks))
            one = SLICE(" ");
        else if (IN(character, invisible) && !joins(character, rest))
            continue;
        if (one.length > out.capacity - out.length)
            break;
        text_add(&out, one);
    }
    return trimmed(text_slice(&out));
}

/* --- what is no name ---------------------------------------------------------------------------
 */

/* What people type where they have to type something. */
static bool is_filler(struct slice name)
{
    static const struct slice fillers[] = {
        SLICE("test"),      SLICE("testing"),   SLICE("tester"),  SLICE("test test"),
        SLICE("n/a"),       SLICE("na"),        SLICE("none"),    SLICE("null"),
        SLICE("nil"),       SLICE("name"),      SLICE("unknown"), SLICE("anon"),
        SLICE("anonymous"), SLICE("undefined"), SLICE("asdf"),    SLICE("qwerty"),
        SLICE("xxx"),       SLICE("first"),     SLICE("last"),    SLICE("first name"),
        SLICE("your name"), SLICE("blank"),     SLICE("nobody"),  SLICE("no name"),
        SLICE("not given"), SLICE("abc"),       SLICE("aaa"),     SLICE("user"),
    };

    for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
        if (slice_equal_ignoring_case(name, fillers[i]))
            return true;
    }
    return false;
}

/* Addresses, and what a template was to fill in or a page to show. */
static bool has_foreign_marks(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        switch (name.bytes[i]) {
        case '@':
        case '<':
        case '>':
        case '{':
        case '}':
        case '[':
        case ']':
        case '%':
        case '|':
            return true;
        case ':':
            if (i + 1 < name.length && name.bytes[i + 1] == '/')
                return true;
        }
    }
    return false;
}

/* --- titles ------------------------------------------------------------------------------------
 */

/* A dot may follow each. Those with one are names, or letters of them, without. */
static bool is_title(struct slice word)
{
    static const struct slice titles[] = {
        SLICE("mr"),       SLICE("mrs"),       SLICE("ms"),      SLICE("miss"),   SLICE("mx"),
        SLICE("dr"),       SLICE("prof"),      SLICE("sir"),     SLICE("madam"),  SLICE("mister"),
        SLICE("doctor"),   SLICE("professor"), SLICE("herr"),    SLICE("frau"),   SLICE("hr"),
        SLICE("fr"),       SLICE("mme"),       SLICE("mlle"),    SLICE("madame"), SLICE("m."),
        SLICE("monsieur"), SLICE("sr"),        SLICE("sra"),     SLICE("srta"),   SLICE("senor"),
        SLICE("senora"),   SLICE("señor"),     SLICE("señora"),  SLICE("seÑor"),  SLICE("seÑora"),
        SLICE("sig."),     SLICE("signor"),    SLICE("signora"),
    };
    bool dotted = word.length > 0 && word.bytes[word.length - 1] == '.';
    struct slice bare = {word.bytes, word.length - dotted};

    if (word.length == 0 || memchr("DFHMPSdfhmps", word.bytes[0], 12) == NULL)
        return false;
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (slice_equal_ignoring_case(bare, titles[i]) ||
            (dotted && slice_equal_ignoring_case(word, titles[i])))
            return true;
    }
    return false;
}

/* Takes the first word, which a blank ends. */
static struct slice take_word(struct slice *rest)
{
    const char *space = rest->length > 0 ? memchr(rest->bytes, ' ', rest->length) : NULL;
    struct slice word = {rest->bytes, space != NULL ? (size_t)(space - rest->bytes) : rest->length};

    rest->bytes += word.length;
    rest->length -= word.length;
    *rest = trimmed(*rest);
    return word;
}

/* The first word, or what of it has a dot behind it: "Dr.Ann". */
static struct slice first_part(struct slice name)
{
    struct slice word = take_word(&name);
    const char *dot = word.length > 0 ? memchr(word.bytes, '.', word.length) : NULL;

    return dot != NULL ? (struct slice){word.bytes, (size_t)(dot - word.bytes) + 1} : word;
}

/* Takes the titles that a name begins with. False: there is none. */
static bool take_titles(struct slice *name)
{
    struct slice part = first_part(*name);
    bool taken = false;

    while (name->length > 0 && is_title(part)) {
        name->bytes += part.length;
        name->length -= part.length;
        *name = trimmed(*name);
        part = first_part(*name);
        taken = true;
    }
    return taken;
}

/* "Smith" after a title is a last name, and "and Mrs Smith" are two people. */
static bool is_full_name(struct slice name)
{
    size_t words = 0;

    while (name.length > 0) {
        struct slice word = take_word(&name);
        if (is_title(word))
            return false;
        words += has_letter(word);
    }
    return words > 1;
}

/* --- who is addressed ------------------------------------------------------------------------- */

/* Takes "Smith," of "Smith, John". False: it is not written so. */
static bool take_last_name(struct slice *name)
{
    struct slice rest = *name, word = take_word(&rest);
    const char *comma = word.length > 0 ? memchr(word.bytes, ',', word.length) : NULL;

    if (comma == NULL)
        return false;
    rest = trimmed((struct slice){comma + 1, (size_t)(name->bytes + name->length - comma) - 1});
    if (!has_letter((struct slice){word.bytes, (size_t)(comma - word.bytes)}) || !has_letter(rest))
        return false;
    *name = rest;
    return true;
}

/* A name from the first name on; empty: it addresses nobody. It is judged as a whole: "Na Li" is
 * one, though "Na" alone would not be. */
static struct slice addressed(struct slice typed, char buffer[static NAME_CLEAN_MAX])
{
    struct slice name = cleaned(typed, buffer);
    bool titled;

    if (name.length == 0 || has_foreign_marks(name) || is_filler(name))
        return (struct slice){0};
    titled = take_titles(&name);
    if (take_last_name(&name))
        take_titles(&name);
    else if (titled && !is_full_name(name))
        return (struct slice){0};
    while (name.length > 0 && name.bytes[name.length - 1] == ',')
        name.length--;
    return has_letter(name) ? name : (struct slice){0};
}

bool name_is_usable(struct slice name)
{
    char buffer[NAME_CLEAN_MAX];

    return addressed(name, buffer).length > 0;
}

bool name_is_given(const struct optin *optin)
{
    return name_is_usable(optin->text[OPTIN_FIRST_NAME]) || name_is_usable(optin->text[OPTIN_NAME]);
}

struct slice name_first(const struct optin *optin, char buffer[static NAME_CLEAN_MAX])
{
    struct slice name = addressed(optin->text[OPTIN_FIRST_NAME], buffer), word;

    if (name.length > 0)
        return name;
    name = addressed(optin->text[OPTIN_NAME], buffer);
    if (name.length == 0)
        return name;
    do
        word = take_word(&name);
    while (!has_letter(word));
    return word;
}

/* --- as older renderers had it ------------------------------------------------------------------
 */

/* Up to renderer 4 every byte over ASCII was a letter. */
static bool has_letter_4(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte >= 0x80 || is_letter(byte))
            return true;
    }
    return false;
}

static bool is_usable_4(struct slice name)
{
    name = trimmed(name);
    for (size_t i = 0; i < name.length; i++) {
        if (name.bytes[i] == '@' ||
            (name.bytes[i] == ':' && i + 1 < name.length && name.bytes[i + 1] == '/'))
            return false;
    }
    return has_letter_4(name) && !is_filler(name);
}

static struct slice first_word(struct slice name)
{
    const char *space = name.length > 0 ? memchr(name.bytes, ' ', name.length) : NULL;

    return (struct slice){name.bytes, space != NULL ? (size_t)(space - name.bytes) : name.length};
}

/* Of renderer 4: the first name, or the first word with a letter, as it was typed. */
static struct slice first_4(const struct optin *optin)
{
    struct slice rest = optin->text[OPTIN_NAME], word;

    if (is_usable_4(optin->text[OPTIN_FIRST_NAME]))
        return optin->text[OPTIN_FIRST_NAME];
    if (!is_usable_4(rest))
        return (struct slice){0};
    while (word = first_word(rest), !has_letter_4(word)) {
        rest.bytes += word.length + 1;
        rest.length -= word.length + 1;
    }
    return word;
}

/* Up to renderer 3: the first name as given, else the first word of the name, whatever it is. */
static struct slice first_3(const struct optin *optin)
{
    struct slice name = optin->text[OPTIN_NAME];

    if (optin->text[OPTIN_FIRST_NAME].length > 0 || name.length == 0)
        return optin->text[OPTIN_FIRST_NAME];
    while (name.length > 0 && name.bytes[0] == ' ') {
        name.bytes++;
        name.length--;
    }
    return first_word(name);
}

bool name_is_given_by(unsigned renderer, const struct optin *optin)
{
    if (renderer > 4)
        return name_is_given(optin);
    return is_usable_4(optin->text[OPTIN_FIRST_NAME]) || is_usable_4(optin->text[OPTIN_NAME]);
}

struct slice name_first_by(unsigned renderer, const struct optin *optin,
                           char buffer[static NAME_CLEAN_MAX])
{
    if (renderer > 4)
        return name_first(optin, buffer);
    return renderer == 4 ? first_4(optin) : first_3(optin);
}
