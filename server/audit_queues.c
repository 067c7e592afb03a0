/* What stands in Redis: the queues that the journal knows, page by page, and of it what is ours: a
 * member that reports to a stream of ours, with an id that was made with our key for a task that
 * our journal opened. What another node or another life of this journal put there is not looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "proto/text.h"
#include "server/audit_internal.h"
#include "server/redis.h"

#define PAGE    1000 /* members, or reports */
#define KEY_MAX 512
#define FIELDS  64 /* of a report, those that are looked at */

/* The queue at hand. */
struct look {
    struct audit *audit;
    uint32_t number;
    struct audit_queue *queue;
    audit_member_fn *on_member;
    char stream_begin[KEY_MAX], stream_end[KEY_MAX]; /* of the member's `report` */
    uint64_t cursor;  /* of the page that comes next; 0: there is none */
    uint64_t ms, seq; /* of the report that comes next */
    size_t read;      /* in the page at hand */
};

static struct slice key_of(const struct look *look, const char *what, char out[KEY_MAX])
{
    const struct audit_options *options = look->audit->options;
    int length =
        snprintf(out, KEY_MAX, "%s:{%s}:%s", options->redis_prefix, look->queue->name, what);

    return (struct slice){out, length > 0 && length < KEY_MAX ? (size_t)length : 0};
}

/* --- members ------------------------------------------------------------------------------ */

/* It names a stream of ours, though it may be another queue's. */
static bool reports_to_us(const struct look *look, struct slice member)
{
    const char *stream =
        memmem(member.bytes, member.length, look->stream_begin, strlen(look->stream_begin));

    return stream && memmem(stream, (size_t)(member.bytes + member.length - stream),
                            look->stream_end, strlen(look->stream_end));
}

/* {"v":1,"id":"tsk_...","delivery":1, : every member of version 1 begins so. */
static bool read_member(const struct look *look, struct slice member, struct audit_member *out)
{
    static const char begin[] = "{\"v\":1,\"id\":\"", then[] = "\",\"delivery\":";
    const size_t id_at = sizeof begin - 1, then_at = id_at + ID_TEXT_LENGTH;
    const size_t number_at = then_at + sizeof then - 1;
    const char *bytes = member.bytes;
    struct record_header opened;
    unsigned delivery = 0;

    if (member.length <= number_at || memcmp(bytes, begin, id_at) != 0 ||
        memcmp(bytes + then_at, then, sizeof then - 1) != 0 || !reports_to_us(look, member))
        return false;
    for (size_t i = number_at; i < member.length && bytes[i] >= '0' && bytes[i] <= '9'; i++)
        delivery = delivery * 10 + (unsigned)(bytes[i] - '0');
    *out = (struct audit_member){.queue = look->number,
                                 .delivery = (uint16_t)delivery,
                                 .hash = XXH3_64bits(bytes, member.length)};
    return id_parse((struct slice){bytes + id_at, ID_TEXT_LENGTH}, &look->audit->id_key, ID_TASK,
                    &out->opened_ms, &out->task) &&
           audit_find_record(look->audit, out->task >> 3, &opened) &&
           opened.now_ms == out->opened_ms;
}

/* As Redis writes it, which a double is read back from as it was. */
static uint64_t read_score(struct slice score)
{
    char digits[64] = "";
    double number;
    uint64_t bits;

    memcpy(digits, score.bytes, score.length < sizeof digits ? score.length : sizeof digits - 1);
    number = strtod(digits, NULL);
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void take_members(struct look *look, const struct redis_reply *members, size_t step)
{
    struct audit_member member;

    look->read = members->count;
    for (size_t i = 0; i < members->count; i += step) {
        if (!read_member(look, redis_item(members, i).text, &member))
            continue;
        if (step == 2 && i + 1 < members->count)
            member.score = read_score(redis_item(members, i + 1).text);
        look->on_member(look->audit, &member);
    }
}

/* ZSCAN: cursor, then members and scores. LRANGE: members. */
static void on_page(void *owner, const struct redis_reply *reply)
{
    struct look *look = owner;
    struct redis_reply members = *reply;
    bool is_scan = !look->queue->is_list && reply->type == REDIS_ARRAY && reply->count == 2;

    if (is_scan) {
        members = redis_item(reply, 1);
        look->cursor = strtoull(redis_item(reply, 0).text.bytes, NULL, 10);
    }
    if (members.type == REDIS_ARRAY)
        take_members(look, &members, is_scan ? 2 : 1);
    if (!is_scan)
        look->cursor = look->read < PAGE ? 0 : look->cursor + look->read;
}

/* A list is read from its end: pops at its front do not move what is still to be read, and what is
 * put at the end meanwhile only makes some be read twice. */
static bool ask_page(struct look *look)
{
    char key[KEY_MAX], first[32], last[32];
    struct text from = text_over(first, sizeof first), to = text_over(last, sizeof last);
    struct slice tasks = key_of(look, "tasks", key);

    if (!look->queue->is_list) {
        text_uint(&from, look->cursor);
        text_uint(&to, PAGE);
        return audit_ask(look->audit,
                         (struct slice[]){SLICE("ZSCAN"), tasks, text_slice(&from), SLICE("COUNT"),
                                          text_slice(&to)},
                         5, on_page, look);
    }
    text_int(&from, -(int64_t)(look->cursor + PAGE));
    text_int(&to, -(int64_t)(look->cursor + 1));
    return audit_ask(look->audit,
                     (struct slice[]){SLICE("LRANGE"), tasks, text_slice(&from), text_slice(&to)},
                     4, on_page, look);
}

/* "<seq> <whose>...". */
static void on_mark(void *owner, const struct redis_reply *reply)
{
    struct look *look = owner;
    char digits[24] = "";

    if (reply->type == REDIS_STRING && reply->text.length > 0) {
        size_t length = reply->text.length < sizeof digits ? reply->text.length : sizeof digits - 1;
        memcpy(digits, reply->text.bytes, length);
    }
    look->queue->mark = strtoull(digits, NULL, 10);
}

/* The mark first: every put up to it was in the queue by then, or gone already. */
static bool ask_mark(struct look *look)
{
    char name[KEY_MAX], key[KEY_MAX];

    snprintf(name, sizeof name, "mark:%s:%llx", look->audit->options->node,
             (unsigned long long)look->audit->epoch);
    return audit_ask(look->audit, (struct slice[]){SLICE("GET"), key_of(look, name, key)}, 2,
                     on_mark, look);
}

static void read_queue(struct look *look)
{
    const struct audit_options *options = look->audit->options;

    snprintf(look->stream_begin, sizeof look->stream_begin, "\"report\":\"%s:{",
             options->redis_prefix);
    snprintf(look->stream_end, sizeof look->stream_end, "}:reports:%s\"", options->node);
    look->cursor = 0;
    bool more = ask_mark(look);
    while (more)
        more = ask_page(look) && look->cursor != 0;
}

/* --- reports ------------------------------------------------------------------------------ */

static bool read_report(const struct look *look, const struct redis_reply *fields,
                        struct audit_member *out)
{
    bool has_task = false;

    *out = (struct audit_member){.queue = look->number};
    for (size_t i = 0; i + 1 < fields->count && i < FIELDS; i += 2) {
        struct slice name = redis_item(fields, i).text, value = redis_item(fields, i + 1).text;
        char digits[8] = "";
        if (slice_equal(name, SLICE("task"))) {
            has_task = id_parse(value, &look->audit->id_key, ID_TASK, &out->opened_ms, &out->task);
        } else if (slice_equal(name, SLICE("delivery")) && value.length < sizeof digits) {
            memcpy(digits, value.bytes, value.length);
            out->delivery = (uint16_t)strtoul(digits, NULL, 10);
        }
    }
    return has_task;
}

/* XRANGE: entries of an id and its fields. */
static void on_reports(void *owner, const struct redis_reply *reply)
{
    struct look *look = owner;
    struct audit_member report;

    look->read = reply->type == REDIS_ARRAY ? reply->count : 0;
    for (size_t i = 0; i < look->read; i++) {
        struct redis_reply entry = redis_item(reply, i);
        if (entry.type != REDIS_ARRAY || entry.count != 2)
            continue;
        struct redis_reply fields = redis_item(&entry, 1);
        char id[48] = "", *rest;
        struct slice text = redis_item(&entry, 0).text;
        memcpy(id, text.bytes, text.length < sizeof id ? text.length : sizeof id - 1);
        look->ms = strtoull(id, &rest, 10);
        look->seq = *rest == '-' ? strtoull(rest + 1, NULL, 10) : 0;
        if (fields.type == REDIS_ARRAY && read_report(look, &fields, &report))
            look->on_member(look->audit, &report);
    }
}

static void read_reports(struct look *look)
{
    char name[KEY_MAX], key[KEY_MAX], from[48], count[16];

    snprintf(name, sizeof name, "reports:%s", look->audit->options->node);
    snprintf(count, sizeof count, "%d", PAGE);
    look->ms = look->queue->report_ms;
    look->seq = look->queue->report_seq;
    do {
        snprintf(from, sizeof from, "%llu-%llu", (unsigned long long)look->ms,
                 (unsigned long long)look->seq + 1);
        look->read = 0;
        if (!audit_ask(look->audit,
                       (struct slice[]){SLICE("XRANGE"), key_of(look, name, key), slice_of(from),
                                        SLICE("+"), SLICE("COUNT"), slice_of(count)},
                       6, on_reports, look))
            return;
    } while (look->read == PAGE);
}

/* --- all queues ------------------------------------------------------------------------------ */

static void each_queue(struct audit *audit, bool only_doubtful, audit_member_fn *on_member,
                       void (*read)(struct look *look))
{
    for (uint32_t number = 0; number < AUDIT_QUEUES_MAX; number++) {
        struct audit_queue *queue = &audit->queues[number];
        struct look look = {
            .audit = audit, .number = number, .queue = queue, .on_member = on_member};
        if (queue->name[0] && (queue->doubtful || !only_doubtful) && audit->status == STATUS_OK)
            read(&look);
    }
}

void audit_queues(struct audit *audit, bool only_doubtful, audit_member_fn *on_member)
{
    each_queue(audit, only_doubtful, on_member, read_queue);
}

void audit_reports(struct audit *audit, audit_member_fn *on_report)
{
    each_queue(audit, true, on_report, read_reports);
}
