#include "proto/name.h"

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

bool name_is_usable(struct slice name)
{
    bool letters = false;

    name = trimmed(name);
    for (size_t i = 0; i < name.length; i++) {
        if (name.bytes[i] == '@' ||
            (name.bytes[i] == ':' && i + 1 < name.length && name.bytes[i + 1] == '/'))
            return false;
        letters |= is_letter((unsigned char)name.bytes[i]);
    }
    return letters && !is_filler(name);
}

bool name_is_given(const struct optin *optin)
{
    return name_is_usable(optin->text[OPTIN_FIRST_NAME]) || name_is_usable(optin->text[OPTIN_NAME]);
}
