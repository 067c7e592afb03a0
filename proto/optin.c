/* The opt-in as it is kept: keys, stored form, content hash, and JSON to show. Reading
 * what a client sent is in optin_read.c. */
#include "proto/optin.h"

#include <endian.h>

#include "proto/email.h"
#include "proto/must.h"
#include "proto/name.h"

void optin_clear(struct optin *optin)
{
    /* Not the extras: 6 KiB that extra_count makes unreachable. */
    memset(optin, 0, offsetof(struct optin, extra));
}

const char *optin_key(enum optin_text field)
{
    static const char *const keys[OPTIN_TEXT_END] = {
#define XX(number, name, key) [number] = (key),
        OPTIN_TEXT_MAP(XX)
#undef XX
    };

    MUST(field > 0 && field < OPTIN_TEXT_END);
    return keys[field];
}

/* --- stored form ------------------------------------------------------------
 *
 *   version u8 | entry ...                   entries by ascending field number
 *   entry:  field u8 | length | bytes        length: LEB128, at most 3 bytes, shortest form
 *
 *     1..31  text field, as it came, never empty
 *        64  submitted_ms   little-endian, shortest form, never 0
 *        65  form_age_ms    likewise
 *        66  one byte: test (bits 0-1) | consent_given (2-3) | honeypot (4), never 0
 *       128  extra: length of name | name | JSON text. Any number, in order
 *
 * What is not given has no entry, and every opt-in has exactly one stored form. A new text
 * field needs no new version: old readers never see new journals.
 *
 * To change anything else: 1. raise OPTIN_VERSION, even for a draft. 2. Keep the old
 * decoder, named after its version. 3. Add a stored sample to test_optin.c. */
#define OPTIN_VERSION   1
#define ENTRY_SUBMITTED 64
#define ENTRY_FORM_AGE  65
#define ENTRY_FLAGS     66
#define ENTRY_EXTRA     128

#define LENGTH_BYTES_MAX 3

_Static_assert((int)OPTIN_TEXT_END <= ENTRY_SUBMITTED, "text fields have the low numbers");
_Static_assert(OPTIN_STORED_MAX < 1 << (7 * LENGTH_BYTES_MAX), "every length can be written");

static void put_length(struct text *out, size_t length)
{
    while (length >= 0x80) {
        text_char(out, (char)(length | 0x80));
        length >>= 7;
    }
    text_char(out, (char)length);
}

static size_t length_bytes(size_t length)
{
    return length < 0x80 ? 1 : length < 0x4000 ? 2 : 3;
}

static void put_entry(struct text *out, unsigned field, struct slice bytes)
{
    text_char(out, (char)field);
    put_length(out, bytes.length);
    text_add(out, bytes);
}

static void put_number(struct text *out, unsigned field, uint64_t number)
{
    char bytes[8];
    size_t length = 0;

    for (; number > 0; number >>= 8)
        bytes[length++] = (char)number;
    if (length > 0)
        put_entry(out, field, (struct slice){bytes, length});
}

static uint64_t flags_of(const struct optin *optin)
{
    return (uint64_t)optin->test | (uint64_t)optin->consent_given << 2 |
           (uint64_t)optin->honeypot << 4;
}

static void put_extra(struct text *out, const struct optin_extra *extra)
{
    text_char(out, (char)ENTRY_EXTRA);
    put_length(out, length_bytes(extra->name.length) + extra->name.length + extra->json.length);
    put_length(out, extra->name.length);
    text_add(out, extra->name);
    text_add(out, extra->json);
}

/* Whatever is too long for its length to be written is also too long for the text, and so found
 * at the end. */
size_t optin_encode(const struct optin *optin, char *buffer, size_t capacity)
{
    struct text out = text_over(buffer, capacity < OPTIN_STORED_MAX ? capacity : OPTIN_STORED_MAX);

    text_char(&out, OPTIN_VERSION);
    for (unsigned field = 1; field < OPTIN_TEXT_END; field++) {
        if (optin->text[field].length > 0)
            put_entry(&out, field, optin->text[field]);
    }
    put_number(&out, ENTRY_SUBMITTED, optin->submitted_ms);
    put_number(&out, ENTRY_FORM_AGE, optin->form_age_ms);
    put_number(&out, ENTRY_FLAGS, flags_of(optin));
    for (size_t i = 0; i < optin->extra_count; i++)
        put_extra(&out, &optin->extra[i]);
    return out.overflow ? 0 : out.length;
}

/* Splits `count` bytes off the front; false: there are not so many. */
static bool take(struct slice *from, size_t count, struct slice *out)
{
    if (count > from->length)
        return false;
    *out = (struct slice){from->bytes, count};
    from->bytes += count;
    from->length -= count;
    return true;
}

static bool take_byte(struct slice *from, unsigned *out)
{
    struct slice byte;

    if (!take(from, 1, &byte))
        return false;
    *out = (unsigned char)byte.bytes[0];
    return true;
}

static bool take_length(struct slice *from, size_t *out)
{
    unsigned byte = 0x80;

    *out = 0;
    for (unsigned i = 0; byte & 0x80; i++) {
        if (i == LENGTH_BYTES_MAX || !take_byte(from, &byte))
            return false;
        *out |= (size_t)(byte & 0x7F) << (7 * i);
        if (byte == 0 && i > 0)
            return false; /* a longer form than needed */
    }
    return true;
}

static bool number_of(struct slice bytes, uint64_t *out)
{
    if (bytes.length == 0 || bytes.length > 8 || bytes.bytes[bytes.length - 1] == 0)
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes.length; i++)
        *out |= (uint64_t)(unsigned char)bytes.bytes[i] << (8 * i);
    return true;
}

static bool decode_flags(struct slice bytes, struct optin *out)
{
    uint64_t flags;

    if (!number_of(bytes, &flags) || flags > 0x1F)
        return false;
    out->test = (enum optin_answer)(flags & 3);
    out->consent_given = (enum optin_answer)(flags >> 2 & 3);
    out->honeypot = flags >> 4;
    return out->test <= OPTIN_YES && out->consent_given <= OPTIN_YES;
}

static bool decode_extra(struct slice bytes, struct optin *out)
{
    struct optin_extra extra;
    size_t name_length;

    if (out->extra_count == OPTIN_FIELDS_MAX || !take_length(&bytes, &name_length) ||
        !take(&bytes, name_length, &extra.name))
        return false;
    extra.json = bytes;
    out->extra[out->extra_count++] = extra;
    return true;
}

static bool decode_entry(unsigned field, struct slice bytes, struct optin *out)
{
    switch (field) {
    case ENTRY_SUBMITTED:
        return number_of(bytes, &out->submitted_ms);
    case ENTRY_FORM_AGE:
        return number_of(bytes, &out->form_age_ms);
    case ENTRY_FLAGS:
        return decode_flags(bytes, out);
    case ENTRY_EXTRA:
        return decode_extra(bytes, out);
    default:
        if (field == 0 || field >= OPTIN_TEXT_END || bytes.length == 0)
            return false;
        out->text[field] = bytes;
        return true;
    }
}

enum status optin_decode(struct slice bytes, struct optin *out)
{
    unsigned version, field, previous = 0;

    optin_clear(out);
    if (bytes.length > OPTIN_STORED_MAX || !take_byte(&bytes, &version) || version != OPTIN_VERSION)
        return STATUS_CORRUPT;
    while (bytes.length > 0) {
        struct slice entry;
        size_t length;
        if (!take_byte(&bytes, &field) || !take_length(&bytes, &length) ||
            !take(&bytes, length, &entry))
            return STATUS_CORRUPT;
        bool in_order = field > previous || (field == ENTRY_EXTRA && previous == ENTRY_EXTRA);
        if (!in_order || !decode_entry(field, entry, out))
            return STATUS_CORRUPT;
        previous = field;
    }
    return STATUS_OK;
}

/* --- filling ---------------------------------------------------------------------- */

static bool is_consent(int field)
{
    return field >= OPTIN_CONSENT_TEXT && field <= OPTIN_CONSENT_CHANNELS;
}

static void fill_consent(struct optin *optin, const struct optin *more)
{
    if (optin->consent_given == OPTIN_YES || more->consent_given != OPTIN_YES)
        return;
    optin->consent_given = OPTIN_YES;
    for (int field = OPTIN_CONSENT_TEXT; field <= OPTIN_CONSENT_CHANNELS; field++)
        optin->text[field] = more->text[field];
}

static bool has_extra(const struct optin *optin, struct slice name)
{
    for (size_t i = 0; i < optin->extra_count; i++)
        if (slice_equal(optin->extra[i].name, name))
            return true;
    return false;
}

static void fill_phone(struct optin *optin, const struct optin *more)
{
    if (optin->text[OPTIN_PHONE_E164].length == 0 && more->text[OPTIN_PHONE_E164].length > 0)
        optin->text[OPTIN_PHONE] = more->text[OPTIN_PHONE];
}

static void fill(struct optin *optin, const struct optin *more, const enum optin_text *fields,
                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (optin->text[fields[i]].length == 0)
            optin->text[fields[i]] = more->text[fields[i]];
}

bool optin_give_way(struct optin *optin, const struct optin *more)
{
    struct slice email = more->text[OPTIN_EMAIL];
    bool named = !name_is_given(optin) && name_is_given(more);

    if (optin->text[OPTIN_PHONE_E164].length == 0 && more->text[OPTIN_PHONE_E164].length > 0)
        optin->text[OPTIN_PHONE] = (struct slice){0};
    if (email.length > 0 && email_is_usable(email) && !email_is_usable(optin->text[OPTIN_EMAIL]))
        optin->text[OPTIN_EMAIL] = (struct slice){0};
    if (named)
        optin->text[OPTIN_NAME] = optin->text[OPTIN_FIRST_NAME] = (struct slice){0};
    return named;
}

static void identify(struct optin *optin, const struct optin *known)
{
    static const enum optin_text fields[] = {OPTIN_PHONE,       OPTIN_PHONE_E164, OPTIN_EMAIL,
                                             OPTIN_COMPANY,     OPTIN_TITLE,      OPTIN_COUNTRY,
                                             OPTIN_POSTAL_CODE, OPTIN_TIMEZONE};
    static const enum optin_text names[] = {OPTIN_NAME, OPTIN_FIRST_NAME, OPTIN_LAST_NAME};

    fill_phone(optin, known);
    fill(optin, known, fields, sizeof(fields) / sizeof(fields[0]));
    /* Parts of two names make a third. */
    if (optin->text[OPTIN_NAME].length + optin->text[OPTIN_FIRST_NAME].length +
            optin->text[OPTIN_LAST_NAME].length ==
        0)
        fill(optin, known, names, sizeof(names) / sizeof(names[0]));
}

void optin_identify_by(unsigned renderer, struct optin *optin, const struct optin *known)
{
    /* Parts of two names make a third. */
    if (renderer > 5 && optin_give_way(optin, known))
        optin->text[OPTIN_LAST_NAME] = (struct slice){0};
    identify(optin, known);
}

void optin_fill_by(unsigned renderer, struct optin *optin, const struct optin *more)
{
    if (renderer > 5)
        optin_give_way(optin, more);
    fill_phone(optin, more);
    for (int field = 1; field < OPTIN_TEXT_END; field++)
        if (optin->text[field].length == 0 && !is_consent(field))
            optin->text[field] = more->text[field];
    fill_consent(optin, more);
    for (size_t i = 0; i < more->extra_count && optin->extra_count < OPTIN_FIELDS_MAX; i++)
        if (!has_extra(optin, more->extra[i].name))
            optin->extra[optin->extra_count++] = more->extra[i];
}

/* --- content ----------------------------------------------------------------
 *
 * Content hashes are stored, so what goes into them is as fixed as the stored form:
 *
 *   known:  (field u8 | length u32 | bytes) ... | flags u8 | sum of extras (16 bytes)
 *           phone and e-mail as they were understood, see understood()
 *   extra:  128 u8 | length of name u32 | name | JSON text
 *
 * Each is hashed through a block of BLOCK_BYTES: a full one is replaced by its hash. */
#define BLOCK_BYTES 1024

struct content {
    const struct hash_key *key;
    uint64_t site;
    size_t used;
    char block[BLOCK_BYTES];
};

static struct hash content_hash(const struct content *content)
{
    return hash_of(content->key, HASH_CONTENT, content->site,
                   (struct slice){content->block, content->used});
}

static void content_add_long(struct content *content, struct slice bytes)
{
    while (bytes.length > 0) {
        if (content->used == BLOCK_BYTES) {
            struct hash so_far = content_hash(content);
            memcpy(content->block, so_far.bytes, sizeof(so_far.bytes));
            content->used = sizeof(so_far.bytes);
        }
        size_t room = BLOCK_BYTES - content->used;
        struct slice now = {0};
        take(&bytes, bytes.length < room ? bytes.length : room, &now);
        memcpy(content->block + content->used, now.bytes, now.length);
        content->used += now.length;
    }
}

static void content_add(struct content *content, struct slice bytes)
{
    if (bytes.length > BLOCK_BYTES - content->used) {
        content_add_long(content, bytes);
    } else if (bytes.length > 0) {
        memcpy(content->block + content->used, bytes.bytes, bytes.length);
        content->used += bytes.length;
    }
}

/* A number of one byte, a length, and what has that length. */
static void content_add_entry(struct content *content, unsigned number, struct slice bytes)
{
    uint32_t length = htole32((uint32_t)bytes.length);
    char head[5] = {(char)number};

    memcpy(head + 1, &length, sizeof(length));
    if (sizeof(head) + bytes.length > BLOCK_BYTES - content->used) {
        content_add_long(content, (struct slice){head, sizeof(head)});
        content_add_long(content, bytes);
        return;
    }
    memcpy(content->block + content->used, head, sizeof(head));
    content->used += sizeof(head);
    content_add(content, bytes);
}

static struct hash extras_sum(struct content *content, const struct optin *optin)
{
    struct hash sum = {{0}};

    for (size_t i = 0; i < optin->extra_count; i++) {
        content->used = 0;
        content_add_entry(content, ENTRY_EXTRA, optin->extra[i].name);
        content_add(content, optin->extra[i].json);
        hash_mix(&sum, content_hash(content));
    }
    return sum;
}

/* True when the typed number ends in the digits of the one that was understood. Otherwise
 * something stands behind it, such as an extension, which E.164 has no place for. */
static bool ends_alike(struct slice typed, struct slice e164)
{
    size_t digits = 6;

    if (e164.length < digits)
        return false;
    for (; digits > 0 && typed.length > 0; typed.length--) {
        char byte = typed.bytes[typed.length - 1];
        if (byte < '0' || byte > '9')
            continue;
        if (byte != e164.bytes[--e164.length])
            return false;
        digits--;
    }
    return digits == 0;
}

/* Who sends again may write the same phone or address in another way. What was not understood
 * counts as it was typed. */
static struct slice understood(const struct optin *optin, unsigned field, struct text *scratch)
{
    struct slice typed = optin->text[field];

    if (field == OPTIN_PHONE && ends_alike(typed, optin->text[OPTIN_PHONE_E164]))
        return optin->text[OPTIN_PHONE_E164];
    if (field == OPTIN_EMAIL && optin->normal_email.length > 0)
        return optin->normal_email;
    if (field == OPTIN_EMAIL && email_normalise(typed, scratch) == STATUS_OK)
        return text_slice(scratch);
    return typed;
}

struct hash optin_content(const struct optin *optin, const struct hash_key *key, uint64_t site)
{
    char email[EMAIL_LENGTH_MAX];
    struct text scratch = text_over(email, sizeof(email));
    struct content content;
    content.key = key;
    content.site = site;
    struct hash extras = extras_sum(&content, optin);
    char flags = (char)flags_of(optin);

    /* What the visitor said: not when, not under which id, not what the server added. */
    content.used = 0;
    for (unsigned field = 1; field <= OPTIN_CONSENT_CHANNELS; field++) {
        if (field == OPTIN_EVENT_ID || optin->text[field].length == 0)
            continue;
        content_add_entry(&content, field, understood(optin, field, &scratch));
    }
    content_add(&content, (struct slice){&flags, 1});
    content_add(&content, (struct slice){(const char *)extras.bytes, sizeof(extras.bytes)});
    return content_hash(&content);
}

/* --- JSON -------------------------------------------------------------------- */

/* Begins a member; the first of an object has no comma in front. */
static void write_key(struct text *out, const char *key)
{
    if (out->length > 0 && out->bytes[out->length - 1] != '{')
        text_char(out, ',');
    text_json_string(out, slice_of(key));
    text_char(out, ':');
}

static void write_texts(struct text *out, const struct optin *optin, unsigned first, unsigned last)
{
    for (unsigned field = first; field <= last; field++) {
        if (optin->text[field].length == 0)
            continue;
        write_key(out, optin_key(field));
        text_json_string(out, optin->text[field]);
    }
}

static void write_answer(struct text *out, const char *key, enum optin_answer answer)
{
    if (answer == OPTIN_UNSAID)
        return;
    write_key(out, key);
    text_string(out, answer == OPTIN_YES ? "true" : "false");
}

static void write_number(struct text *out, const char *key, uint64_t number)
{
    if (number == 0)
        return;
    write_key(out, key);
    text_uint(out, number);
}

static bool has_consent(const struct optin *optin)
{
    return optin->consent_given != OPTIN_UNSAID || optin->text[OPTIN_CONSENT_TEXT].length > 0 ||
           optin->text[OPTIN_CONSENT_VERSION].length > 0 ||
           optin->text[OPTIN_CONSENT_CERT_URL].length > 0 ||
           optin->text[OPTIN_CONSENT_CHANNELS].length > 0;
}

static void write_consent(struct text *out, const struct optin *optin)
{
    if (!has_consent(optin))
        return;
    write_key(out, "consent");
    text_char(out, '{');
    for (unsigned field = OPTIN_CONSENT_TEXT; field <= OPTIN_CONSENT_CERT_URL; field++) {
        if (optin->text[field].length == 0)
            continue;
        write_key(out, optin_key(field) + strlen("consent."));
        text_json_string(out, optin->text[field]);
    }
    if (optin->text[OPTIN_CONSENT_CHANNELS].length > 0) {
        write_key(out, "channels");
        text_add(out, optin->text[OPTIN_CONSENT_CHANNELS]);
    }
    write_answer(out, "given", optin->consent_given);
    text_char(out, '}');
}

static void write_fields(struct text *out, const struct optin *optin)
{
    if (optin->extra_count == 0)
        return;
    write_key(out, "fields");
    for (size_t i = 0; i < optin->extra_count; i++) {
        text_char(out, i == 0 ? '{' : ',');
        text_json_string(out, optin->extra[i].name);
        text_char(out, ':');
        text_add(out, optin->extra[i].json);
    }
    text_char(out, '}');
}

struct slice optin_e164(const struct optin *optin)
{
    struct slice phone = optin->text[OPTIN_PHONE];

    if (optin->text[OPTIN_PHONE_E164].length > 0)
        return optin->text[OPTIN_PHONE_E164];
    return phone.length > 0 && phone.bytes[0] == '+' ? phone : (struct slice){0};
}

void optin_write_json(struct text *out, const struct optin *optin)
{
    text_char(out, '{');
    write_texts(out, optin, OPTIN_EMAIL, OPTIN_EVENT_ID);
    write_number(out, "submitted_at", optin->submitted_ms);
    write_number(out, "_t", optin->form_age_ms);
    write_answer(out, "_hp", optin->honeypot ? OPTIN_YES : OPTIN_UNSAID);
    write_answer(out, "test", optin->test);
    write_consent(out, optin);
    write_texts(out, optin, OPTIN_REQUEST_ID, OPTIN_PHONE_E164);
    write_fields(out, optin);
    text_char(out, '}');
}
