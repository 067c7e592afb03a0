#include "proto/name.h"

#include <string.h>

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

static bool is_letter(unsigned char byte)
{
    return byte >= 0x80 || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

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

static bool has_letter(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (is_letter((unsigned char)text.bytes[i]))
            return true;
    return false;
}

bool name_is_usable(struct slice name)
{
    name = trimmed(name);
    for (size_t i = 0; i < name.length; i++) {
        if (name.bytes[i] == '@' ||
            (name.bytes[i] == ':' && i + 1 < name.length && name.bytes[i + 1] == '/'))
            return false;
    }
    return has_letter(name) && !is_filler(name);
}

bool name_is_given(const struct optin *optin)
{
    return name_is_usable(optin->text[OPTIN_FIRST_NAME]) || name_is_usable(optin->text[OPTIN_NAME]);
}

/* The name is judged as a whole: "Na Li" is one, though "Na" alone would not be. */
struct slice name_first(const struct optin *optin)
{
    struct slice rest = optin->text[OPTIN_NAME], word;

    if (name_is_usable(optin->text[OPTIN_FIRST_NAME]))
        return optin->text[OPTIN_FIRST_NAME];
    if (!name_is_usable(rest))
        return (struct slice){0};
    do {
        const char *space = memchr(rest.bytes, ' ', rest.length);
        word = (struct slice){rest.bytes, space ? (size_t)(space - rest.bytes) : rest.length};
        rest.length -= word.length + (space != NULL);
        rest.bytes += word.length + (space != NULL);
    } while (!has_letter(word));
    return word;
}
