/* The one file that sees simdjson. It parses a document onto the library's tape and hands
 * out places on that tape. The tape's format is published (simdjson, doc/tape.md), so it is
 * read here directly: a member costs two loads instead of an iterator, and values cross the
 * C boundary as plain numbers. tests/test_json.c notices if a release changes it.
 *
 *   word = type (8 bits, a character) | payload (56 bits)
 *   r root      { [ payload: place behind the closing one (32 bits), count (24 bits)
 *   } ]         " payload: offset into the string buffer: u32 length, bytes
 *   l u d       an int64, uint64 or double in the word behind      t f n
 *   D           ours: a number that fits none of them, as `"` the string of its digits
 *
 * simdjson keeps duplicate keys, which two readers of one document can then understand in
 * two ways; they are refused here, in a pass over the tape. */
#define SIMDJSON_EXCEPTIONS 0

#include <simdjson.h>
#include <sodium.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

/* In C++ the function json_walk hides a constructor that nobody calls. */
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "proto/text.h"
}
#include "proto/json.h"
#include "proto/json_number.h"
#include "proto/memory.h"

using simdjson::dom::document;

#define PAYLOAD_MASK 0x00ffffffffffffffu
#define COUNT_MASK   0xffffffu

#define DEPTH_MAX 16
/* simdjson refuses what reaches its limit and does not count an empty container, so it is
 * given one more and the exact limit is kept in the pass over the tape. */
#define PARSER_DEPTH (DEPTH_MAX + 1)
/* Objects of up to so many members are checked by comparing fingerprints, which needs no
 * table; larger ones by a keyed hash, so that nobody can choose keys that collide. */
#define MEMBERS_FEW 32
/* `"":0,` is the shortest member, so this is more than any document can hold. */
#define MEMBER_BYTES_MIN 4

static_assert(JSON_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson reads that far");

/* A key that was seen in the object of this generation, and its place on the tape. Slots of
 * older generations count as empty, so the table is never wiped between objects. */
struct seen_key {
    uint32_t generation;
    uint32_t place;
};

struct json {
    simdjson::dom::parser parser;
    size_t bytes_max;
    char *quoted; /* a document whose numbers fit nothing, with those as strings */
    struct seen_key *seen;
    size_t seen_count; /* a power of two */
    uint32_t generation;
    unsigned char seen_secret[crypto_shorthash_KEYBYTES];
};

static inline const document *document_of(const void *opaque)
{
    return static_cast<const document *>(opaque);
}

static inline char type_at(const document *doc, size_t place)
{
    return static_cast<char>(doc->tape[place] >> 56);
}

static inline slice string_at(const document *doc, size_t place)
{
    const uint8_t *at = doc->string_buf.get() + (doc->tape[place] & PAYLOAD_MASK);
    uint32_t length;

    std::memcpy(&length, at, sizeof(length));
    return {reinterpret_cast<const char *>(at) + sizeof(length), length};
}

template <typename number> static inline number number_at(const document *doc, size_t place)
{
    number value;

    std::memcpy(&value, &doc->tape[place + 1], sizeof(value));
    return value;
}

/* The place behind the value at `place`, with all that is in it. */
static inline size_t behind(const document *doc, size_t place)
{
    char type = type_at(doc, place);

    if (type == '"') /* most are, and a jump table is slower than that */
        return place + 1;
    switch (type) {
    case '{':
    case '[':
        return static_cast<uint32_t>(doc->tape[place]);
    case 'l':
    case 'u':
    case 'd':
        return place + 2;
    default:
        return place + 1;
    }
}

static inline enum json_type json_type_at(const document *doc, size_t place)
{
    char type = type_at(doc, place);

    if (type == '"')
        return JSON_STRING;
    switch (type) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case 'l':
        return JSON_INT;
    case 'u':
        return JSON_UINT;
    case 'd':
        return JSON_DOUBLE;
    case 'D':
        return JSON_DIGITS;
    case 't':
    case 'f':
        return JSON_BOOL;
    default:
        return JSON_NULL;
    }
}

static inline json_value value_at(const document *doc, size_t place)
{
    return {json_type_at(doc, place), doc, place};
}

/* --- what simdjson lets pass ------------------------------------------------ */

static inline bool key_equal(slice a, slice b)
{
    return a.length == b.length && std::memcmp(a.bytes, b.bytes, a.length) == 0;
}

/* Equal keys have equal fingerprints; others nearly always differ. In front of a key stands its
 * length, so from four bytes on there are eight to be read at either end. */
static inline uint64_t fingerprint(slice key)
{
    const char *start = key.bytes - sizeof(uint32_t);
    uint64_t head = 0, tail = 0;

    if (key.length >= sizeof(uint32_t)) {
        std::memcpy(&head, start, sizeof(head));
        std::memcpy(&tail, key.bytes + key.length - sizeof(tail), sizeof(tail));
    } else {
        std::memcpy(&head, key.bytes, key.length);
    }
    return (head ^ (tail << 1 | tail >> 63) ^ key.length) * 0x9e3779b97f4a7c15u;
}

static bool few_keys_differ(const document *doc, size_t object)
{
    uint64_t prints[MEMBERS_FEW];
    size_t places[MEMBERS_FEW];
    size_t count = 0, end = behind(doc, object) - 1;
    uint64_t filter = 0; /* a bit for each print so far: most keys are new at one look */

    for (size_t place = object + 1; place < end; place = behind(doc, place + 1)) {
        slice key = string_at(doc, place);
        uint64_t print = fingerprint(key), bit = uint64_t{1} << (print >> 58);
        for (size_t i = 0; (filter & bit) != 0 && i < count; i++) {
            if (prints[i] == print && key_equal(string_at(doc, places[i]), key))
                return false;
        }
        filter |= bit;
        prints[count] = print;
        places[count++] = place;
    }
    return true;
}

static void next_generation(struct json *json)
{
    if (++json->generation == 0) {
        std::memset(json->seen, 0, json->seen_count * sizeof(*json->seen));
        json->generation = 1;
    }
}

static bool many_keys_differ(struct json *json, const document *doc, size_t object, size_t count)
{
    size_t mask = json->seen_count - 1, end = behind(doc, object) - 1;

    /* A part of the table that fits the object stays in the cache. The count on the tape
     * saturates; then it is the whole table, which fits any document. */
    while (count < COUNT_MASK && (mask >> 1) >= 2 * count)
        mask >>= 1;
    next_generation(json);
    for (size_t place = object + 1; place < end; place = behind(doc, place + 1)) {
        slice key = string_at(doc, place);
        uint64_t hash;
        static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash-2-4");
        crypto_shorthash(reinterpret_cast<unsigned char *>(&hash),
                         reinterpret_cast<const unsigned char *>(key.bytes), key.length,
                         json->seen_secret);
        size_t at = hash & mask;
        for (; json->seen[at].generation == json->generation; at = (at + 1) & mask) {
            if (key_equal(string_at(doc, json->seen[at].place), key))
                return false;
        }
        json->seen[at] = {json->generation, static_cast<uint32_t>(place)};
    }
    return true;
}

static bool object_keys_differ(struct json *json, const document *doc, size_t object)
{
    size_t count = (doc->tape[object] >> 32) & COUNT_MASK;

    return count <= MEMBERS_FEW ? few_keys_differ(doc, object)
                                : many_keys_differ(json, doc, object, count);
}

/* What simdjson lets pass and we do not: duplicate keys, and one level too many. */
static bool acceptable(struct json *json, const document *doc)
{
    size_t end = static_cast<uint32_t>(doc->tape[0]);
    unsigned depth = 0;

    /* Into containers, not over them: they may hold objects. */
    for (size_t place = 1; place < end; place++) {
        char type = type_at(doc, place);
        if (type == '"') /* keys, and most values */
            continue;
        switch (type) {
        case '{':
            if (!object_keys_differ(json, doc, place))
                return false;
            [[fallthrough]];
        case '[':
            if (++depth > DEPTH_MAX)
                return false;
            break;
        case '}':
        case ']':
            depth--;
            break;
        case 'l':
        case 'u':
        case 'd':
            place++; /* the number itself */
            break;
        }
    }
    return true;
}

/* --- the C face ------------------------------------------------------------ */

static size_t power_of_two_over(size_t wanted)
{
    size_t power = 1;

    while (power < wanted)
        power <<= 1;
    return power;
}

struct json *json_open(size_t document_bytes_max)
{
    /* Where simdjson looks at the processor, at its first use, it is not able to say that it has no
     * memory. */
    std::set_new_handler(memory_missing);
    struct json *json = new (std::nothrow) struct json();
    if (!json)
        return nullptr;

    json->bytes_max = document_bytes_max;
    json->seen_count = power_of_two_over(2 * (document_bytes_max / MEMBER_BYTES_MIN + 1));
    json->seen = static_cast<struct seen_key *>(std::calloc(json->seen_count, sizeof(*json->seen)));
    randombytes_buf(json->seen_secret, sizeof(json->seen_secret));
    json->quoted = static_cast<char *>(std::malloc(document_bytes_max + JSON_PADDING));
    if (!json->seen || !json->quoted ||
        json->parser.allocate(document_bytes_max, PARSER_DEPTH) != simdjson::SUCCESS ||
        json->parser.doc.allocate(document_bytes_max) != simdjson::SUCCESS) {
        json_close(json);
        return nullptr;
    }
    return json;
}

void json_close(struct json *json)
{
    if (!json)
        return;
    std::free(json->seen);
    std::free(json->quoted);
    delete json;
}

static bool parsed(struct json *json, slice document)
{
    bool copy_first = false; /* who gives the document gives the padding */

    return json->parser.parse(document.bytes, document.length, copy_first).error() ==
           simdjson::SUCCESS;
}

/* Tells the strings that were numbers from the others: those of the tape stand in the order of the
 * document's. */
static void mark_digits(document *doc, slice text)
{
    size_t end = static_cast<uint32_t>(doc->tape[0]);

    for (size_t place = 1; place < end; place++) {
        switch (type_at(doc, place)) {
        case '"':
            if (json_next_is_number(&text))
                doc->tape[place] = uint64_t{'D'} << 56 | (doc->tape[place] & PAYLOAD_MASK);
            break;
        case 'l':
        case 'u':
        case 'd':
            place++;
            break;
        }
    }
}

enum status json_parse(struct json *json, const char *bytes, size_t length,
                       struct json_value *root_out)
{
    static const char byte_order_mark[3] = {'\xEF', '\xBB', '\xBF'};

    if (length > json->bytes_max)
        return STATUS_TOO_LARGE;
    /* RFC 8259 lets a reader skip it, and Windows tools write it. */
    if (length >= sizeof(byte_order_mark) &&
        std::memcmp(bytes, byte_order_mark, sizeof(byte_order_mark)) == 0) {
        bytes += sizeof(byte_order_mark);
        length -= sizeof(byte_order_mark);
    }
    if (length == 0)
        return STATUS_MALFORMED;

    if (!parsed(json, {bytes, length})) {
        struct text out = text_over(json->quoted, json->bytes_max);
        slice quoted = json_quote_numbers({bytes, length}, &out);
        if (quoted.length == 0 || !parsed(json, quoted))
            return STATUS_MALFORMED;
        mark_digits(&json->parser.doc, {bytes, length});
    }
    if (!acceptable(json, &json->parser.doc))
        return STATUS_MALFORMED;
    *root_out = value_at(&json->parser.doc, 1);
    return STATUS_OK;
}

bool json_string(struct json_value value, struct slice *out)
{
    if (value.type != JSON_STRING)
        return false;
    *out = string_at(document_of(value.document), value.place);
    return true;
}

bool json_digits(struct json_value value, struct slice *out)
{
    if (value.type != JSON_DIGITS)
        return false;
    *out = string_at(document_of(value.document), value.place);
    return true;
}

bool json_bool(struct json_value value, bool *out)
{
    if (value.type != JSON_BOOL)
        return false;
    *out = type_at(document_of(value.document), value.place) == 't';
    return true;
}

bool json_int(struct json_value value, int64_t *out)
{
    if (value.type != JSON_INT)
        return false;
    *out = number_at<int64_t>(document_of(value.document), value.place);
    return true;
}

bool json_uint(struct json_value value, uint64_t *out)
{
    const document *doc = document_of(value.document);

    if (value.type == JSON_UINT) {
        *out = number_at<uint64_t>(doc, value.place);
        return true;
    }
    if (value.type != JSON_INT || number_at<int64_t>(doc, value.place) < 0)
        return false;
    *out = static_cast<uint64_t>(number_at<int64_t>(doc, value.place));
    return true;
}

bool json_double(struct json_value value, double *out)
{
    const document *doc = document_of(value.document);

    switch (value.type) {
    case JSON_INT:
        *out = static_cast<double>(number_at<int64_t>(doc, value.place));
        return true;
    case JSON_UINT:
        *out = static_cast<double>(number_at<uint64_t>(doc, value.place));
        return true;
    case JSON_DOUBLE:
        *out = number_at<double>(doc, value.place);
        return true;
    default:
        return false;
    }
}

bool json_member(struct json_value object, const char *name, struct json_value *out)
{
    struct json_walk walk = json_walk(object);
    slice wanted = {name, std::strlen(name)}, key;

    if (!walk.object)
        return false;
    while (json_next(&walk, &key, out)) {
        if (key_equal(key, wanted))
            return true;
    }
    return false;
}

struct json_walk json_walk(struct json_value value)
{
    if (value.type != JSON_OBJECT && value.type != JSON_ARRAY)
        return {value.document, 0, 0, false};
    size_t end = behind(document_of(value.document), value.place) - 1;
    return {value.document, value.place + 1, end, value.type == JSON_OBJECT};
}

bool json_next(struct json_walk *walk, struct slice *name_out, struct json_value *item_out)
{
    const document *doc = document_of(walk->document);
    size_t place = walk->place;

    if (place >= walk->end)
        return false;
    *name_out = walk->object ? string_at(doc, place++) : slice{nullptr, 0};
    *item_out = value_at(doc, place);
    walk->place = behind(doc, place);
    return true;
}

size_t json_count(struct json_value value)
{
    struct json_walk walk = json_walk(value);
    size_t count = 0;

    /* Not the count on the tape, which saturates. */
    for (const document *doc = document_of(walk.document); walk.place < walk.end; count++)
        walk.place = behind(doc, walk.place + (walk.object ? 1 : 0));
    return count;
}

/* --- writing --------------------------------------------------------------- */

/* The shortest digits that read back as the same value. In full where that is no longer than
 * 15 digits, because a postal code or a time may have come as a double; not beyond, where the
 * digits would read as an integer, perhaps one of over 64 bits. There is no minus zero. */
static void write_double(struct text *out, double number)
{
    char digits[64];
    double size = std::fabs(number);
    bool full = size == 0 || (size >= 1e-6 && size < 1e15);
    std::to_chars_result end =
        std::to_chars(digits, digits + sizeof(digits), size == 0 ? 0.0 : number,
                      full ? std::chars_format::fixed : std::chars_format::scientific);

    text_bytes(out, digits, static_cast<size_t>(end.ptr - digits));
}

/* As deep as the document at most: DEPTH_MAX. */
static void write_container(struct text *out, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value item;
    slice name;
    bool first = true;

    text_char(out, walk.object ? '{' : '[');
    while (json_next(&walk, &name, &item)) {
        if (!first)
            text_char(out, ',');
        first = false;
        if (walk.object) {
            text_json_string(out, name);
            text_char(out, ':');
        }
        json_write(out, item);
    }
    text_char(out, walk.object ? '}' : ']');
}

void json_write(struct text *out, struct json_value value)
{
    const document *doc = document_of(value.document);

    switch (value.type) {
    case JSON_NULL:
        text_bytes(out, "null", 4);
        break;
    case JSON_BOOL:
        text_string(out, type_at(doc, value.place) == 't' ? "true" : "false");
        break;
    case JSON_INT:
        text_int(out, number_at<int64_t>(doc, value.place));
        break;
    case JSON_UINT:
        text_uint(out, number_at<uint64_t>(doc, value.place));
        break;
    case JSON_DOUBLE:
        write_double(out, number_at<double>(doc, value.place));
        break;
    case JSON_DIGITS:
    case JSON_STRING:
        text_json_string(out, string_at(doc, value.place));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_container(out, value);
        break;
    }
}
