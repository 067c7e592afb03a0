/* push.lua and claim.lua, line for line as far as that goes. What is compared with the scripts in a
 * real Redis is this file. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "proto/must.h"
#include "tests/sim/redis_model_internal.h"

#define FIRST   8 /* PUSH, two keys, five arguments */
#define HEAD    3
#define RUN_MAX 1000

struct mark {
    bool there, sound;
    uint64_t at;
    struct slice owner;
};

struct push {
    struct call *call;
    struct slice queue, mark_key, tail, mode;
    bool is_list;
    bool finds, ranges;
    uint64_t at, missing;
};

static bool is(struct slice word, const char *text)
{
    return slice_equal(word, slice_of(text));
}

static void refuse(struct call *call, const char *why)
{
    char text[64];

    snprintf(text, sizeof(text), "ERR push: %s", why);
    answer_error(call, text);
}

static void answer_word(struct call *call, const char *word, uint64_t seq)
{
    struct redis_reply *items;

    call->answer->reply = reply_array(call->answer, 2, &items);
    items[0] = reply_text(call->answer, REDIS_STRING, slice_of(word));
    items[1] = reply_number((int64_t)seq);
}

/* What stood first is told with it. */
static void answer_applied(const struct push *push, uint64_t last, struct slice member,
                           const char *score)
{
    struct answer *answer = push->call->answer;
    struct redis_reply *items;

    if (push->is_list) {
        answer_word(push->call, "OK", last);
        return;
    }
    answer->reply = reply_array(answer, 4, &items);
    items[0] = reply_text(answer, REDIS_STRING, SLICE("OK"));
    items[1] = reply_number((int64_t)last);
    items[2] = reply_text(answer, REDIS_STRING, member);
    items[3] = reply_text(answer, REDIS_STRING, slice_of(score));
}

static struct slice first_word(struct slice text)
{
    size_t length = 0;

    while (length < text.length && !isspace((unsigned char)text.bytes[length]))
        length++;
    return (struct slice){text.bytes, length};
}

/* --- tasks and reports ------------------------------------------------------------------- */

/* The text value of a key of the task's JSON, as our renderer writes it; empty: not there. */
static struct slice text_of(struct slice member, const char *name)
{
    char begin[64];
    int length = snprintf(begin, sizeof(begin), "\"%s\":\"", name);
    const char *found = memmem(member.bytes, member.length, begin, (size_t)length);

    if (found == NULL)
        return (struct slice){0};
    const char *from = found + length, *end = member.bytes + member.length;
    const char *stop = memchr(from, '"', (size_t)(end - from));
    return stop != NULL ? (struct slice){from, (size_t)(stop - from)} : (struct slice){0};
}

static struct slice delivery_of(struct slice member)
{
    static const char begin[] = "\"delivery\":";
    const char *found = memmem(member.bytes, member.length, begin, sizeof(begin) - 1);
    const char *end = member.bytes + member.length;
    struct slice digits = SLICE("1");

    if (found == NULL)
        return digits;
    digits = (struct slice){found + sizeof(begin) - 1, 0};
    while (digits.bytes + digits.length < end &&
           isdigit((unsigned char)digits.bytes[digits.length]))
        digits.length++;
    return digits;
}

/* A report as a script writes it: "task" and so on behind the first three words. */
static void report(const struct call *call, struct slice *words, size_t count)
{
    struct answer added;

    model_do(call->model, words, count, call->now_ms, &added);
    answer_free(&added);
}

/* --- the mark ---------------------------------------------------------------------------- */

static bool take_digits(struct slice *text, uint64_t *out)
{
    size_t count = 0;

    for (*out = 0; count < text->length && isdigit((unsigned char)text->bytes[count]); count++)
        *out = *out * 10 + (uint64_t)(text->bytes[count] - '0');
    text->bytes += count;
    text->length -= count;
    return count > 0;
}

static bool take_char(struct slice *text, char c)
{
    if (text->length == 0 || text->bytes[0] != c)
        return false;
    text->bytes++;
    text->length--;
    return true;
}

/* '^(%d+) (%S+)(.*)$', the rest any number of ' %d+%-%d+' */
static bool parse_mark(struct slice text, struct mark *mark)
{
    const char *begin = text.bytes;
    uint64_t ignored;

    if (!take_digits(&text, &mark->at) || text.bytes - begin > 16 || !take_char(&text, ' '))
        return false;
    mark->owner = first_word(text);
    text.bytes += mark->owner.length;
    text.length -= mark->owner.length;
    if (mark->owner.length == 0)
        return false;
    while (text.length > 0) {
        if (!take_char(&text, ' ') || !take_digits(&text, &ignored) || !take_char(&text, '-') ||
            !take_digits(&text, &ignored))
            return false;
    }
    return true;
}

static struct mark read_mark(const struct push *push)
{
    struct mark mark = {0};
    const struct entry_key *key = model_find(push->call->model, push->mark_key);

    mark.there = key != NULL;
    mark.sound =
        mark.there && key->kind == KEY_STRING && parse_mark(element_text(&key->elements[0]), &mark);
    return mark;
}

static void write_mark(const struct push *push, uint64_t seq)
{
    char text[1024];
    struct model *model = push->call->model;
    int length = snprintf(text, sizeof(text), "%llu %.*s", (unsigned long long)seq,
                          (int)push->tail.length, push->tail.bytes);

    MUST(length > 0 && length < (int)sizeof(text));
    model_delete(model, push->mark_key);
    element_append(model_make(model, push->mark_key, KEY_STRING),
                   (struct slice){text, (size_t)length});
}

/* --- runs -------------------------------------------------------------------------------- */

static size_t width_of(const struct push *push, struct slice op)
{
    return !push->is_list && !is(op, "drop") ? 2 : 1;
}

/* NULL: every run is sound. Else what is wrong; "" for a score, which Lua complains about itself.
 */
static const char *check_runs(const struct push *push)
{
    const struct call *call = push->call;
    size_t run = FIRST;

    while (run < call->count) {
        struct slice op = call->words[run];
        int64_t seq, count, moved;
        if (!is(op, "put") && (!is(op, "drop") || push->finds) && !word_number(op, &moved))
            return "operation";
        if (run + 2 >= call->count || !word_number(call->words[run + 1], &seq) ||
            !word_number(call->words[run + 2], &count) || count < 1 || count > RUN_MAX)
            return "run";
        size_t from = run + HEAD, width = width_of(push, op);
        run = from + width * (size_t)count;
        if (run > call->count)
            return "run";
        for (size_t i = from; width == 2 && i < run; i += 2) {
            double score;
            bool good;
            word_score(call->words[i], &score, &good);
            if (!good)
                return "score";
        }
    }
    return NULL;
}

static void tell_popped(const struct push *push, struct slice member)
{
    struct slice words[] = {
        SLICE("XADD"),         text_of(member, "report"), SLICE("*"),          SLICE("task"),
        text_of(member, "id"), SLICE("delivery"),         delivery_of(member), SLICE("op"),
        SLICE("popped")};

    if (words[1].length > 0 && words[4].length > 0)
        report(push->call, words, 9);
}

static void find(struct push *push, struct slice member)
{
    if (model_holds(push->call->model, push->queue, member))
        return;
    push->missing++;
    if (is(push->mode, "report"))
        tell_popped(push, member);
}

static bool apply(struct push *push, struct slice op, size_t from, size_t to)
{
    const struct slice *words = push->call->words;
    struct model *model = push->call->model;
    const struct entry_key *key = model_find(model, push->queue);
    int64_t moved = 0;

    if (key != NULL && key->kind != (push->is_list ? KEY_LIST : KEY_ZSET)) {
        answer_wrong_type(push->call);
        return false;
    }
    for (size_t i = from; push->finds && i < to; i += 2)
        find(push, words[i + 1]);
    if (push->finds)
        return true;
    bool known = word_number(op, &moved) && (uint64_t)moved <= push->at;
    for (size_t i = from; i < to; i += width_of(push, op)) {
        double score = 0;
        bool good;
        if (is(op, "drop") || (push->is_list && push->mode.length > 0))
            model_remove(model, push->queue, words[i]);
        if (is(op, "drop"))
            continue;
        if (!push->is_list)
            word_score(words[i], &score, &good);
        if (push->is_list)
            continue;
        if (!model_zadd(model, push->queue, known, score, words[i + 1]))
            tell_popped(push, words[i + 1]);
    }
    for (size_t i = from; push->is_list && !is(op, "drop") && i < to; i++)
        model_rpush(model, push->queue, words[i]);
    return true;
}

static bool apply_all(struct push *push)
{
    const struct call *call = push->call;

    for (size_t run = FIRST; run < call->count;) {
        struct slice op = call->words[run];
        int64_t seq, count;
        MUST(word_number(call->words[run + 1], &seq) && word_number(call->words[run + 2], &count));
        size_t from = run + HEAD, width = width_of(push, op);
        run = from + width * (size_t)count;
        if ((uint64_t)seq <= push->at && push->ranges)
            from += width * (push->at - (uint64_t)seq + 1);
        if (from < run && !apply(push, op, from, run))
            return false;
    }
    return true;
}

/* --- push.lua ---------------------------------------------------------------------------- */

/* 64 bytes of the member that stands first, and its score; both empty: none does. */
static struct slice first_of(const struct push *push, char member[64], char score[64])
{
    const struct entry_key *key = model_find(push->call->model, push->queue);
    struct slice text;

    score[0] = '\0';
    if (key == NULL || key->kind != KEY_ZSET || key->count == 0)
        return (struct slice){0};
    text = element_text(&key->elements[0]);
    if (text.length > 64)
        text.length = 64;
    memcpy(member, text.bytes, text.length);
    snprintf(score, 64, "%.17g", key->elements[0].score);
    return (struct slice){member, text.length};
}

static void push_range(struct push *push, uint64_t prev, uint64_t last)
{
    struct call *call = push->call;
    struct slice nonce = first_word(push->tail);
    struct mark mark = read_mark(push);

    if (!mark.sound) {
        if (!is(push->mode, "init") || prev > 0) {
            answer_word(call, "NOMARK", 0);
            return;
        }
        mark.at = 0;
        mark.owner = nonce;
    }
    bool ours = slice_equal(mark.owner, nonce);
    push->at = mark.at;
    if (!ours && !is(push->mode, "init")) {
        answer_word(call, "FENCED", mark.at);
        return;
    }
    if (!is(push->mode, "withdraw") && mark.at < prev) {
        answer_word(call, "REWIND", mark.at);
        return;
    }
    if (push->ranges && mark.sound && mark.at >= last) {
        if (!ours)
            write_mark(push, mark.at);
        answer_word(call, "DUP", mark.at);
        return;
    }
    if (!push->ranges) {
        if (apply_all(push))
            answer_word(call, "OK", push->finds ? push->missing : mark.at);
        return;
    }
    const struct entry_key *key = model_find(call->model, push->queue);
    char first[64], score[64];
    struct slice member = first_of(push, first, score);
    if (!push->is_list && key != NULL && key->kind != KEY_ZSET) {
        answer_wrong_type(call);
        return;
    }
    if (!apply_all(push))
        return;
    write_mark(push, last);
    answer_applied(push, last, member, score);
}

void model_push(struct call *call)
{
    const struct slice *words = call->words;
    struct push push = {.call = call,
                        .queue = words[1],
                        .mark_key = words[2],
                        .tail = words[5],
                        .mode = words[6],
                        .is_list = is(words[7], "list")};
    int64_t prev, last;

    if (!word_number(words[3], &prev) || !word_number(words[4], &last) || last < prev) {
        refuse(call, "range");
        return;
    }
    push.finds = is(push.mode, "find") || is(push.mode, "report");
    push.ranges = !push.finds && !is(push.mode, "withdraw");
    if (push.is_list ? push.finds : !is(words[7], "zset")) {
        refuse(call, "shape");
        return;
    }
    if (first_word(push.tail).length == 0) {
        refuse(call, "nonce");
        return;
    }
    const char *wrong = check_runs(&push);
    if (wrong != NULL)
        refuse(call, wrong);
    else
        push_range(&push, (uint64_t)prev, (uint64_t)last);
}

/* --- claim.lua --------------------------------------------------------------------------- */

void model_claim(struct call *call)
{
    struct model *model = call->model;
    struct entry_key *key = model_find(model, call->words[1]);
    struct slice agent = call->words[3], reports = call->words[2], started = {0};

    if (agent.length == 0) {
        answer_error(call, "ERR claim: who claims?");
        return;
    }
    if (key == NULL) {
        call->answer->reply = (struct redis_reply){.type = REDIS_NIL};
        return;
    }
    if (key->kind != KEY_ZSET && key->kind != KEY_LIST) {
        answer_wrong_type(call);
        return;
    }
    call->answer->reply = reply_text(call->answer, REDIS_STRING, element_text(&key->elements[0]));
    struct slice member = call->answer->reply.text, id = text_of(member, "id");
    bool sound = member.length > 1 && member.bytes[0] == '{' && id.length > 0;
    if (sound && text_of(member, "report").length > 0)
        reports = text_of(member, "report");
    const struct entry_key *stream = model_find(model, reports);
    if (stream != NULL && stream->kind != KEY_STREAM) {
        answer_wrong_type(call);
        return;
    }
    element_remove(key, 0);
    model_tidy(model, key);
    if (!sound)
        return;
    if (call->count > 4)
        started = call->words[4];
    struct slice words[] = {SLICE("XADD"),
                            reports,
                            SLICE("*"),
                            SLICE("task"),
                            id,
                            SLICE("delivery"),
                            delivery_of(member),
                            SLICE("op"),
                            SLICE("claim"),
                            SLICE("agent"),
                            agent,
                            SLICE("started_ms"),
                            started};
    report(call, words, started.length > 0 ? 13 : 11);
}
