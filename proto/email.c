#include "proto/email.h"

#include <idn2.h>
#include <string.h>

#include "proto/memory.h"

#define LOCAL_LENGTH_MAX 64
#define LABEL_LENGTH_MAX 63

/* A U-label can be longer than its A-label, but not by this much; the bound keeps
 * libidn2's work small. */
#define UNICODE_DOMAIN_MAX 1000

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct slice trim(struct slice text)
{
    while (text.length > 0 && is_space(text.bytes[0])) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

static bool is_ascii(struct slice text)
{
    unsigned char all = 0;

    for (size_t i = 0; i < text.length; i++)
        all |= (unsigned char)text.bytes[i];
    return all < 0x80;
}

/* What may stand in each part, and as what: the lower-case byte, or 0 for "may not". */
static const unsigned char local_bytes[128] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['/'] = '/', ['='] = '=', ['?'] = '?',   ['^'] = '^',
    ['_'] = '_', ['`'] = '`', ['{'] = '{', ['|'] = '|', ['}'] = '}', ['~'] = '~',   ['0'] = '0',
    ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',   ['7'] = '7',
    ['8'] = '8', ['9'] = '9', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',   ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',   ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',   ['Z'] = 'z',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f',   ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',   ['n'] = 'n',
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',   ['u'] = 'u',
    ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z',
};

/* Dots separate and so never stand first, last or twice. Bytes from 0x80 up pass
 * (RFC 6531): they were checked for UTF-8 where they entered. */
static bool put_local(struct text *out, struct slice local)
{
    char *to = out->bytes + out->length, before = '.';

    if (local.length > LOCAL_LENGTH_MAX || local.length > out->capacity - out->length)
        return false;
    for (size_t i = 0; i < local.length; i++) {
        unsigned char byte = (unsigned char)local.bytes[i];
        char lower = (char)(byte < 0x80 ? local_bytes[byte] : byte);
        if (lower == 0 || (lower == '.' && before == '.'))
            return false;
        to[i] = before = lower;
    }
    out->length += local.length;
    return before != '.';
}

/* Letters, digits and inner hyphens, lower-case to `to`. A last label of digits alone would make
 * an address of IPv4, which is no domain. */
static bool put_label(char *to, struct slice label, bool last)
{
    bool digits_only = true;

    if (label.length == 0 || label.length > LABEL_LENGTH_MAX || label.bytes[0] == '-' ||
        label.bytes[label.length - 1] == '-')
        return false;
    for (size_t i = 0; i < label.length; i++) {
        char byte = label.bytes[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte + 32);
        bool digit = byte >= '0' && byte <= '9';
        if (!digit && !(byte >= 'a' && byte <= 'z') && byte != '-')
            return false;
        digits_only &= digit;
        to[i] = byte;
    }
    return !(last && digits_only);
}

static bool put_ascii_domain(struct text *out, struct slice domain)
{
    char *to = out->bytes + out->length;
    size_t labels = 0;

    if (domain.length > out->capacity - out->length)
        return false;
    out->length += domain.length;
    for (;;) {
        const char *dot = memchr(domain.bytes, '.', domain.length);
        struct slice label = {domain.bytes, dot ? (size_t)(dot - domain.bytes) : domain.length};
        labels++;
        if (!put_label(to, label, dot == NULL))
            return false;
        if (dot == NULL)
            return labels > 1;
        to[label.length] = '.';
        to += label.length + 1;
        domain.bytes += label.length + 1;
        domain.length -= label.length + 1;
    }
}

/* IDNA 2008 with the mapping of UTS 46, so that capitals and composed letters fall
 * together, and non-transitional, so that "straße" stays another name than "strasse". */
static bool put_unicode_domain(struct text *out, struct slice domain)
{
    char terminated[UNICODE_DOMAIN_MAX + 1];
    uint8_t *ascii = NULL;

    if (domain.length > UNICODE_DOMAIN_MAX || memchr(domain.bytes, '\0', domain.length))
        return false;
    memcpy(terminated, domain.bytes, domain.length);
    terminated[domain.length] = '\0';
    int code =
        idn2_lookup_u8((const uint8_t *)terminated, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (code == IDN2_MALLOC)
        memory_missing(); /* rather than call a good address a bad one */
    if (code != IDN2_OK)
        return false;

    /* The mapping makes dots of other full stops, so labels are checked only now. */
    bool good = put_ascii_domain(out, slice_of((const char *)ascii));
    idn2_free(ascii);
    return good;
}

static bool put_address(struct text *out, struct slice address)
{
    const char *at = memrchr(address.bytes, '@', address.length);
    if (at == NULL)
        return false;

    struct slice local = {address.bytes, (size_t)(at - address.bytes)};
    struct slice domain = {at + 1, address.length - local.length - 1};
    if (!put_local(out, local))
        return false;
    text_char(out, '@');
    return is_ascii(domain) ? put_ascii_domain(out, domain) : put_unicode_domain(out, domain);
}

enum status email_normalise(struct slice as_typed, struct text *out)
{
    char normal[EMAIL_LENGTH_MAX];
    struct text text = text_over(normal, sizeof(normal));
    struct slice address = trim(as_typed);

    if (address.length == 0 || !put_address(&text, address) || text.overflow)
        return STATUS_INVALID;
    text_add(out, text_slice(&text));
    return STATUS_OK;
}

bool email_is_usable(struct slice as_typed)
{
    char normal[EMAIL_LENGTH_MAX];
    struct text text = text_over(normal, sizeof(normal));

    return email_normalise(as_typed, &text) == STATUS_OK;
}
