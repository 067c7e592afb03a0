#include "proto/phone.h"

#include <string.h>

#include "proto/phone_slow.h"

/* libphonenumber's time grows with the square of the length: 0.2 ms for this many
 * bytes, half a minute for what an opt-in may hold. Fifteen digits with separators and
 * an extension fit even in scripts of three bytes a digit. */
#define TYPED_BYTES_MAX 100

#define DIGITS_MAX    (PHONE_LENGTH_MAX - 1)
#define NANP_LENGTH   10
#define NANP_EXCHANGE 3 /* where the second of its three parts begins */

/* A number made of nothing but digits, a leading plus and separators. */
struct typed {
    char digits[DIGITS_MAX];
    size_t count;
    bool international;
};

static bool is_separator(char byte)
{
    switch (byte) {
    case ' ':
    case '-':
    case '.':
    case '(':
    case ')':
    case '/':
        return true;
    default:
        return false;
    }
}

/* False: letters, extensions, other scripts, too long: not for the rules here. */
static bool read_typed(struct slice as_typed, struct typed *out)
{
    *out = (struct typed){.count = 0};
    for (size_t i = 0; i < as_typed.length; i++) {
        char byte = as_typed.bytes[i];
        if (byte >= '0' && byte <= '9') {
            if (out->count == DIGITS_MAX)
                return false;
            out->digits[out->count++] = byte;
        } else if (byte == '+' && out->count == 0 && !out->international) {
            out->international = true;
        } else if (!is_separator(byte)) {
            return false;
        }
    }
    return true;
}

static void fill(struct phone *out, const char *code, const char *national, size_t length,
                 const char country[2], enum phone_range range)
{
    size_t code_length = strlen(code);

    *out = (struct phone){.length = 1 + code_length + length, .range = range};
    out->e164[0] = '+';
    memcpy(out->e164 + 1, code, code_length);
    memcpy(out->e164 + 1 + code_length, national, length);
    memcpy(out->country, country, 2);
}

/* --- +1: the North American plan --------------------------------------------- */

static bool three_is(const char *digits, const char *three)
{
    return memcmp(digits, three, 3) == 0;
}

/* NXX NXX XXXX, N being 2 to 9. */
static bool nanp_could_exist(const char national[NANP_LENGTH])
{
    return national[0] >= '2' && national[NANP_EXCHANGE] >= '2';
}

/* 976 is a premium exchange of every area code, which libphonenumber does not know. */
static enum phone_range nanp_range(const char national[NANP_LENGTH])
{
    static const char toll_free[][4] = {"800", "888", "877", "866", "855", "844", "833", "822"};

    if (three_is(national, "900") || three_is(national + NANP_EXCHANGE, "976"))
        return PHONE_PREMIUM;
    if (national[0] == '8')
        for (size_t i = 0; i < sizeof(toll_free) / sizeof(toll_free[0]); i++)
            if (three_is(national, toll_free[i]))
                return PHONE_TOLL_FREE;
    return PHONE_ORDINARY;
}

static bool is_nanp_country(const char country[2])
{
    return country[0] >= 'A' && country[0] <= 'Z' && country[1] >= 'A' && country[1] <= 'Z' &&
           phone_nanp()->member[country[0] - 'A'][country[1] - 'A'];
}

static const char *nanp_national(const struct typed *typed, const char country[2])
{
    bool with_code = typed->count == 1 + NANP_LENGTH && typed->digits[0] == '1';

    if (with_code && (typed->international || is_nanp_country(country)))
        return typed->digits + 1;
    if (typed->count == NANP_LENGTH && !typed->international && is_nanp_country(country))
        return typed->digits;
    return NULL;
}

static bool by_nanp(const struct typed *typed, const char country[2], struct phone *out)
{
    const char *national = nanp_national(typed, country);
    if (national == NULL || !nanp_could_exist(national))
        return false;

    int area = (national[0] - '0') * 100 + (national[1] - '0') * 10 + (national[2] - '0');
    const char *area_country = phone_nanp()->area_country[area];
    if (area_country[0] == '\0')
        return false;
    fill(out, "1", national, NANP_LENGTH, area_country, nanp_range(national));
    return true;
}

/* --- mobile numbers of a few large countries --------------------------------- */

/* Mobile ranges are what people type, do not move, and are never premium. Lists are
 * of leading digits; `elsewhere` is what libphonenumber shall tell apart, here the
 * ranges of Jersey, Guernsey and Man. test_phone checks all of this against it. */
static const struct mobile {
    char country[3], code[3], trunk[2];
    size_t length_min, length_max; /* without the trunk prefix */
    const char *starts, *elsewhere;
} mobiles[] = {
    {"AU", "61", "0", 9, 9, "4", ""},
    {"DE", "49", "0", 10, 11, "15 16 17", ""},
    {"ES", "34", "", 9, 9, "6", ""},
    {"FR", "33", "0", 9, 9, "6 7", ""},
    {"GB", "44", "0", 10, 10, "71 72 73 74 75 77 78 79",
     "7457 7509 7524 7700 7781 7797 7829 7839 7911 7924 7937"},
    {"IN", "91", "0", 10, 10, "6 7 8 9", ""},
    {"IT", "39", "", 9, 10, "3", ""},
    {"NL", "31", "0", 9, 9, "6", ""},
};

/* Whether the digits begin with one of a list "71 72 ...". */
static bool begins_with_any(const char *digits, const char *list)
{
    while (*list != '\0') {
        size_t length = strcspn(list, " ");
        if (memcmp(digits, list, length) == 0)
            return true;
        list += length + (list[length] == ' ');
    }
    return false;
}

/* Steps over `prefix`; false: the digits begin otherwise. */
static bool skip(struct slice *digits, const char *prefix)
{
    size_t length = strlen(prefix);

    if (digits->length < length || memcmp(digits->bytes, prefix, length) != 0)
        return false;
    digits->bytes += length;
    digits->length -= length;
    return true;
}

static bool by_mobile(const struct typed *typed, const char country[2], struct phone *out)
{
    for (size_t i = 0; i < sizeof(mobiles) / sizeof(mobiles[0]); i++) {
        const struct mobile *mobile = &mobiles[i];
        struct slice national = {typed->digits, typed->count};

        if (typed->international ? !skip(&national, mobile->code)
                                 : memcmp(country, mobile->country, 2) != 0)
            continue;
        if (!typed->international)
            skip(&national, mobile->trunk);
        if (national.length < mobile->length_min || national.length > mobile->length_max ||
            !begins_with_any(national.bytes, mobile->starts) ||
            begins_with_any(national.bytes, mobile->elsewhere))
            return false;
        fill(out, mobile->code, national.bytes, national.length, mobile->country, PHONE_ORDINARY);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------- */

/* libphonenumber asks no more than the length of a number that it does not know. */
static enum status check_nanp(struct phone *phone)
{
    const char *national = phone->e164 + 2;

    if (phone->length != 2 + NANP_LENGTH || !nanp_could_exist(national))
        return STATUS_INVALID;
    phone->range = nanp_range(national);
    return STATUS_OK;
}

enum status phone_parse(struct slice as_typed, const char country[2], struct phone *out)
{
    struct typed typed;

    if (as_typed.length > TYPED_BYTES_MAX)
        return STATUS_INVALID;
    if (read_typed(as_typed, &typed) &&
        (by_nanp(&typed, country, out) || by_mobile(&typed, country, out)))
        return STATUS_OK;

    enum status status = phone_parse_slow(as_typed, country, out);
    if (status == STATUS_OK && out->e164[1] == '1')
        status = check_nanp(out);
    return status;
}

void phone_warm(void)
{
    phone_nanp();
}
