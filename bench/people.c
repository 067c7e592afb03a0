/* A request is put together from parts that are prepared once: the head of its site and kind of
 * body, the literals of that body, and between them a few words that differ. Which words, and
 * whose, is drawn from a generator that starts at the number of the opt-in, so nothing about
 * earlier ones has to be remembered: whoever comes back is drawn again. */
#include "bench/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/random.h"
#include "proto/must.h"
#include "proto/text.h"

#define HEAD_BYTES_MAX 1536 /* three texts of a target and the names of the fields */
#define BODY_BYTES_MAX (PEOPLE_REQUEST_BYTES_MAX - HEAD_BYTES_MAX)
#define PARTS_MAX      16
#define SALT_LENGTH    8
#define BOUNDARY       "----hotlead-bench-b6f1c2"

enum kind { KIND_JSON, KIND_FORM, KIND_MULTIPART, KIND_END };

/* --- the bodies ---------------------------------------------------------------------- */

/* What stands in <> is put in for each request; what stands in () is there for those who have a
 * phone. The salt comes from the seed, so that two seeds send different people. */
#define FIELD(name, value)                                                                         \
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

/* Formatted by hand: else the fields would stand side by side. */
/* clang-format off */
static const char multipart_pattern[] =
    FIELD("email", "visitor-<salt>-<person>@example.com")
    "(" FIELD("phone", "+1<phone>") ")"
    FIELD("name", "<first> <last>")
    FIELD("page_url", "https://www.example.com/<page>?step=<step>")
    FIELD("utm_source", "search")
    FIELD("utm_medium", "cpc")
    FIELD("utm_campaign", "spring")
    FIELD("postal_code", "<postal>")
    FIELD("event_id", "<salt>-<event>")
    FIELD("consent.text", "I agree to be called and texted about my request.")
    FIELD("consent.version", "2024-05")
    FIELD("consent.given", "true")
    FIELD("consent.channels", "call")
    FIELD("consent.channels", "sms")
    "--" BOUNDARY "--\r\n";
/* clang-format on */

static const char *const patterns[KIND_END] = {
    [KIND_JSON] =
        "{\"email\":\"visitor-<salt>-<person>@example.com\",(\"phone\":\"+1<phone>\",)"
        "\"name\":\"<first> <last>\",\"page_url\":\"https://www.example.com/<page>?step=<step>\","
        "\"utm_source\":\"search\",\"utm_medium\":\"cpc\",\"utm_campaign\":\"spring\","
        "\"postal_code\":\"<postal>\",\"event_id\":\"<salt>-<event>\","
        "\"consent\":{\"text\":\"I agree to be called and texted about my request.\","
        "\"version\":\"2024-05\",\"given\":true,\"channels\":[\"call\",\"sms\"]}}",
    [KIND_FORM] =
        "email=visitor-<salt>-<person>%40example.com(&phone=%2B1<phone>)&name=<first>+<last>"
        "&page_url=https%3A%2F%2Fwww.example.com%2F<page>%3Fstep%3D<step>"
        "&utm_source=search&utm_medium=cpc&utm_campaign=spring&postal_code=<postal>"
        "&event_id=<salt>-<event>"
        "&consent.text=I+agree+to+be+called+and+texted+about+my+request.&consent.version=2024-05"
        "&consent.given=true&consent.channels=call&consent.channels=sms",
    [KIND_MULTIPART] = multipart_pattern,
};

static const char *const content_types[KIND_END] = {
    [KIND_JSON] = "application/json",
    [KIND_FORM] = "application/x-www-form-urlencoded",
    [KIND_MULTIPART] = ("multipart/form-data; boundary=" BOUNDARY),
};

enum slot {
    SLOT_SALT,
    SLOT_PERSON,
    SLOT_PHONE,
    SLOT_FIRST,
    SLOT_LAST,
    SLOT_PAGE,
    SLOT_STEP,
    SLOT_POSTAL,
    SLOT_EVENT,
    SLOT_END /* none */
};

static const char *const slot_names[SLOT_END] = {
    [SLOT_SALT] = "salt",   [SLOT_PERSON] = "person", [SLOT_PHONE] = "phone",
    [SLOT_FIRST] = "first", [SLOT_LAST] = "last",     [SLOT_PAGE] = "page",
    [SLOT_STEP] = "step",   [SLOT_POSTAL] = "postal", [SLOT_EVENT] = "event",
};

struct part {
    struct slice literal; /* then the slot */
    enum slot slot;
    bool phone_only;
};

struct body {
    struct part parts[PARTS_MAX];
    unsigned count;
};

struct site {
    struct slice heads[KIND_END]; /* up to the value of Content-Length */
};

struct people {
    struct people_options options;
    unsigned weights;           /* of all kinds */
    char salt[SALT_LENGTH + 1]; /* a seed of 32 bits has one of its own */
    struct body bodies[KIND_END];
    struct site *sites;
    size_t site_count;
    char request[PEOPLE_REQUEST_BYTES_MAX];
};

/* --- preparing ----------------------------------------------------------------------- */

static enum slot slot_named(struct slice name)
{
    unsigned slot = 0;

    while (slot < SLOT_END && !slice_equal(name, slice_of(slot_names[slot])))
        slot++;
    return slot;
}

static void add_part(struct body *body, const char *begin, const char *end, enum slot slot,
                     bool phone_only)
{
    MUST(body->count < PARTS_MAX);
    body->parts[body->count++] = (struct part){{begin, (size_t)(end - begin)}, slot, phone_only};
}

/* Cuts the pattern at its marks. */
static void cut(struct body *body, const char *pattern)
{
    const char *begin = pattern, *at = pattern;
    bool phone_only = false;

    for (; *at; at++) {
        if (*at == '<') {
            const char *end = strchr(at, '>');
            enum slot slot = slot_named((struct slice){at + 1, (size_t)(end - at) - 1});
            MUST(slot != SLOT_END);
            add_part(body, begin, at, slot, phone_only);
            at = end;
        } else if (*at == '(' || *at == ')') {
            add_part(body, begin, at, SLOT_END, phone_only);
            phone_only = *at == '(';
        } else {
            continue;
        }
        begin = at + 1;
    }
    add_part(body, begin, at, SLOT_END, phone_only);
}

/* Forms ask for JSON, because the page that a visitor gets does not say which opt-in he became. */
static void write_head(struct text *head, const struct target *target,
                       const struct target_site *site, enum kind kind)
{
    bool v6 = strchr(target->host, ':') != NULL;

    if (target->kind == TARGET_PEER)
        text_printf(head, "%s %s", target->method, target->path);
    else if (kind == KIND_JSON)
        text_string(head, "POST /v1/optins");
    else
        text_printf(head, "POST /f/%s", site->open);
    text_printf(head, " HTTP/1.1\r\nHost: %s%s%s:%u\r\nContent-Type: %s\r\n", v6 ? "[" : "",
                target->host, v6 ? "]" : "", target->port, content_types[kind]);
    if (target->kind == TARGET_HOTLEAD && kind == KIND_JSON)
        text_printf(head, "Authorization: Bearer %s\r\n", site->secret);
    else if (target->kind == TARGET_HOTLEAD)
        text_string(head, "Accept: application/json\r\n");
    text_string(head, "Content-Length: ");
}

static bool prepare_head(struct slice *out, const struct target *target,
                         const struct target_site *site, enum kind kind)
{
    char bytes[HEAD_BYTES_MAX];
    struct text head = text_over(bytes, sizeof bytes);

    write_head(&head, target, site, kind);
    MUST(!head.overflow);
    char *copy = malloc(head.length);
    if (copy == NULL)
        return false;
    memcpy(copy, bytes, head.length);
    *out = (struct slice){copy, head.length};
    return true;
}

/* A peer has one place for all; a site without a public key has no form. */
static bool prepare_sites(struct people *people, const struct target *target)
{
    bool peer = target->kind == TARGET_PEER;

    people->site_count = peer ? 1 : target->site_count;
    MUST(people->site_count > 0);
    people->sites = calloc(people->site_count, sizeof *people->sites);
    if (people->sites == NULL)
        return false;
    for (size_t i = 0; i < people->site_count; i++) {
        const struct target_site *site = peer ? NULL : &target->sites[i];
        enum kind last = peer || site->open[0] == '\0' ? KIND_JSON : KIND_MULTIPART;
        for (enum kind kind = KIND_JSON; kind <= last; kind++)
            if (!prepare_head(&people->sites[i].heads[kind], target, site, kind))
                return false;
    }
    return true;
}

struct people *people_open(const struct people_options *options)
{
    struct people *people = calloc(1, sizeof *people);

    if (people == NULL)
        return NULL;
    people->options = *options;
    if (options->json + options->form + options->multipart == 0)
        people->options.json = 1;
    people->weights = people->options.json + options->form + options->multipart;
    snprintf(people->salt, sizeof people->salt, "%08x",
             (unsigned)(options->seed ^ options->seed >> 32));
    for (enum kind kind = KIND_JSON; kind < KIND_END; kind++)
        cut(&people->bodies[kind], patterns[kind]);
    if (!prepare_sites(people, options->target)) {
        people_close(people);
        return NULL;
    }
    return people;
}

void people_close(struct people *people)
{
    if (people == NULL)
        return;
    for (size_t i = 0; people->sites != NULL && i < people->site_count; i++)
        for (enum kind kind = KIND_JSON; kind < KIND_END; kind++)
            free((char *)people->sites[i].heads[kind].bytes);
    free(people->sites);
    free(people);
}

/* --- who it is ----------------------------------------------------------------------- */

/* Each number has a stream of its own. */
static uint64_t stream_of(const struct people *people, uint64_t n)
{
    return random_mixed(people->options.seed + n * RANDOM_STEP);
}

/* `stream` goes on to the draw of an earlier number. Nobody is before the first. */
static enum people_what what_of(const struct people *people, uint64_t n, uint64_t *stream)
{
    const struct people_options *options = &people->options;
    double share = random_share(random_next(stream));

    if (n == options->first || share >= options->duplicates + options->returning)
        return PEOPLE_NEW;
    return share < options->duplicates ? PEOPLE_DUPLICATE : PEOPLE_RETURNING;
}

static uint64_t earlier(const struct people *people, uint64_t n, uint64_t *stream)
{
    uint64_t first = people->options.first;

    return first + random_below(random_next(stream), n - first);
}

/* Whoever sent number n: who came back goes by the number of the first time. */
static uint64_t person_of(const struct people *people, uint64_t n)
{
    uint64_t stream = stream_of(people, n);

    while (what_of(people, n, &stream) != PEOPLE_NEW) {
        n = earlier(people, n, &stream);
        stream = stream_of(people, n);
    }
    return n;
}

/* The request that number n is or repeats. */
static uint64_t original_of(const struct people *people, uint64_t n)
{
    uint64_t stream = stream_of(people, n);

    while (what_of(people, n, &stream) == PEOPLE_DUPLICATE) {
        n = earlier(people, n, &stream);
        stream = stream_of(people, n);
    }
    return n;
}

/* --- a phone number of one's own ----------------------------------------------------- */

/* Of the United States, in use and of no special kind. */
static const uint16_t areas[] = {
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 220, 223,
    224, 225, 228, 229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270,
    272, 276, 279, 281, 283, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316,
    317, 318, 319, 320, 321, 323, 325, 326, 330, 331, 332, 334, 336, 337, 339, 341, 346, 347, 351,
    352, 360, 361, 364, 380, 385, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414,
    415, 417, 419, 423, 424, 425, 430, 432, 434, 435, 440, 442, 443, 445, 447, 448, 458, 463, 464,
    469, 470, 475, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515,
    516, 517, 518, 520, 530, 531, 534, 539, 540, 541, 551, 559, 561, 562, 563, 564, 567, 570, 571,
    572, 573, 574, 575, 580, 582, 585, 586, 601, 602, 603, 605, 606, 607, 608, 609, 610, 612, 614,
    615, 616, 617, 618, 619, 620, 623, 626, 628, 629, 630, 631, 636, 640, 641, 646, 650, 651, 656,
    657, 659, 660, 661, 662, 667, 669, 678, 680, 681, 682, 689, 701, 702, 703, 704, 706, 707, 708,
    712, 713, 714, 715, 716, 717, 718, 719, 720, 724, 725, 726, 727, 731, 732, 734, 737, 740, 743,
    747, 754, 757, 760, 762, 763, 765, 769, 770, 771, 772, 773, 774, 775, 779, 781, 785, 786, 801,
    802, 803, 804, 805, 806, 808, 810, 812, 813, 814, 815, 816, 817, 818, 820, 826, 828, 830, 831,
    832, 838, 839, 840, 843, 845, 847, 848, 850, 854, 856, 857, 858, 859, 860, 862, 863, 864, 865,
    870, 872, 878, 901, 903, 904, 906, 907, 908, 909, 910, 912, 913, 914, 915, 916, 917, 918, 919,
    920, 925, 928, 929, 930, 931, 934, 936, 937, 938, 940, 941, 943, 945, 947, 948, 949, 951, 952,
    954, 956, 959, 970, 971, 972, 973, 978, 979, 980, 984, 985, 986, 989,
};
#define AREA_COUNT     (sizeof areas / sizeof *areas)
#define EXCHANGE_FIRST 200
#define EXCHANGE_COUNT 790 /* up to 999, but for ten special ones */
#define LINE_COUNT     10000
#define PHONE_COUNT    ((uint64_t)AREA_COUNT * EXCHANGE_COUNT * LINE_COUNT) /* 2,662,300,000 */
#define PHONE_LENGTH   10

/* The one at that place among those that are not special; each special one that is passed moves it
 * on by one. 211 to 911 are services, 555 is for films, 976 costs extra. */
static unsigned exchange_at(unsigned place)
{
    static const uint16_t special[] = {211, 311, 411, 511, 555, 611, 711, 811, 911, 976};
    unsigned exchange = EXCHANGE_FIRST + place;

    for (size_t i = 0; i < sizeof special / sizeof *special && special[i] <= exchange; i++)
        exchange++;
    return exchange;
}

static void put_digits(char *end, unsigned number, unsigned count)
{
    for (; count > 0; count--, number /= 10)
        *--end = (char)('0' + number % 10);
}

/* Neighbours get far numbers, as visitors have them: a step that shares no factor with the count
 * meets each number once. Nothing for those behind the last number there is. */
static struct slice phone_of(const struct people *people, uint64_t person, char out[PHONE_LENGTH])
{
    const uint64_t step = 1645391893; /* a prime, about the golden section of the count */

    if (person >= PHONE_COUNT)
        return (struct slice){NULL, 0};
    uint64_t place = (person * step + people->options.seed % PHONE_COUNT) % PHONE_COUNT;
    put_digits(out + 10, (unsigned)(place % LINE_COUNT), 4);
    place /= LINE_COUNT;
    put_digits(out + 6, exchange_at((unsigned)(place % EXCHANGE_COUNT)), 3);
    put_digits(out + 3, areas[place / EXCHANGE_COUNT], 3);
    return (struct slice){out, PHONE_LENGTH};
}

/* --- the request --------------------------------------------------------------------- */

static const struct slice first_names[] = {
    SLICE("Dana"),  SLICE("James"), SLICE("Maria"), SLICE("Robert"), SLICE("Linda"), SLICE("Ahmed"),
    SLICE("Susan"), SLICE("Wei"),   SLICE("Karen"), SLICE("Luis"),   SLICE("Nancy"), SLICE("Paul"),
    SLICE("Priya"), SLICE("Kevin"), SLICE("Helen"), SLICE("George")};
static const struct slice last_names[] = {
    SLICE("Rivera"), SLICE("Smith"),  SLICE("Johnson"), SLICE("Lee"),
    SLICE("Brown"),  SLICE("Garcia"), SLICE("Davis"),   SLICE("Miller"),
    SLICE("Patel"),  SLICE("Wilson"), SLICE("Nguyen"),  SLICE("Moore"),
    SLICE("Taylor"), SLICE("Clark"),  SLICE("Lewis"),   SLICE("Walker")};
static const struct slice pages[] = {SLICE("quote"), SLICE("prices"), SLICE("contact"),
                                     SLICE("visit")};
#define PICK(names, bits) names[random_below(bits, sizeof names / sizeof *names)]

/* What differs, with room for the words that are made. */
struct words {
    struct slice of[SLOT_END + 1]; /* the last is empty */
    char phone[PHONE_LENGTH], postal[5], step[1], person[20], event[20];
};

static struct slice decimal(char *bytes, size_t capacity, uint64_t number)
{
    struct text text = text_over(bytes, capacity);

    text_uint(&text, number);
    return text_slice(&text);
}

static void describe_person(struct words *words, const struct people *people, uint64_t person)
{
    uint64_t stream = random_mixed(stream_of(people, person));

    words->of[SLOT_PERSON] = decimal(words->person, sizeof words->person, person);
    words->of[SLOT_PHONE] = phone_of(people, person, words->phone);
    words->of[SLOT_FIRST] = PICK(first_names, random_next(&stream));
    words->of[SLOT_LAST] = PICK(last_names, random_next(&stream));
    put_digits(words->postal + 5, 10000 + (unsigned)random_below(random_next(&stream), 89999), 5);
    words->of[SLOT_POSTAL] = (struct slice){words->postal, 5};
}

/* Who comes back does so on another page than those on which people begin. */
static void describe_visit(struct words *words, uint64_t n, bool again, uint64_t *stream)
{
    words->of[SLOT_EVENT] = decimal(words->event, sizeof words->event, n);
    words->of[SLOT_PAGE] = again ? SLICE("again") : PICK(pages, random_next(stream));
    put_digits(words->step + 1, 1 + (unsigned)random_below(random_next(stream), 9), 1);
    words->of[SLOT_STEP] = (struct slice){words->step, 1};
}

static void write_body(struct text *out, const struct body *body, const struct words *words)
{
    bool phone = words->of[SLOT_PHONE].length > 0;

    for (const struct part *part = body->parts; part < body->parts + body->count; part++) {
        if (part->phone_only && !phone)
            continue;
        text_add(out, part->literal);
        text_add(out, words->of[part->slot]);
    }
}

static enum kind kind_of(const struct people *people, const struct site *site, uint64_t bits)
{
    const struct people_options *options = &people->options;
    uint64_t place = random_below(bits, people->weights);
    enum kind kind = place < options->json                   ? KIND_JSON
                     : place < options->json + options->form ? KIND_FORM
                                                             : KIND_MULTIPART;

    return site->heads[kind].length > 0 ? kind : KIND_JSON;
}

/* The head is as long as it is, so it is written so that it ends where the body begins. */
static void put_head(struct people_request *out, char *body, size_t body_bytes, struct slice head,
                     bool keep_alive)
{
    char length[48];
    struct text text = text_over(length, sizeof length);

    text_uint(&text, body_bytes);
    text_add(&text, keep_alive ? SLICE("\r\n\r\n") : SLICE("\r\nConnection: close\r\n\r\n"));
    char *begin = body - text.length - head.length;
    memcpy(begin, head.bytes, head.length);
    memcpy(begin + head.length, length, text.length);
    out->bytes = begin;
    out->length = head.length + text.length + body_bytes;
}

void people_request(struct people *people, uint64_t n, bool keep_alive, struct people_request *out)
{
    uint64_t original = original_of(people, n), person = person_of(people, original);
    uint64_t stream = random_mixed(stream_of(people, original));
    struct words words;

    MUST(n >= people->options.first);
    words.of[SLOT_SALT] = (struct slice){people->salt, SALT_LENGTH};
    words.of[SLOT_END] = (struct slice){NULL, 0};
    describe_person(&words, people, person);
    describe_visit(&words, original, person != original, &stream);
    const struct site *site =
        &people->sites[random_below(random_next(&stream), people->site_count)];
    enum kind kind = kind_of(people, site, random_next(&stream));

    char *begin = people->request + HEAD_BYTES_MAX;
    struct text body = text_over(begin, BODY_BYTES_MAX);
    write_body(&body, &people->bodies[kind], &words);
    MUST(!body.overflow);
    put_head(out, begin, body.length, site->heads[kind], keep_alive);
    out->what = original != n        ? PEOPLE_DUPLICATE
                : person != original ? PEOPLE_RETURNING
                                     : PEOPLE_NEW;
    out->key = person;
}
