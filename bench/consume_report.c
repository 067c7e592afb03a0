/* A task's head and the reports about it, as bytes. The text of a task is not parsed: a consumer
 * pops hundreds of thousands a second, next to what is measured. proto/task.c writes `id` and
 * `delivery` before anything that a visitor said, `report` behind it, and a quote within a string
 * is always escaped, so the first or the last of a name is the task's own. */
#include "bench/consume_internal.h"
#include "proto/must.h"
#include "proto/report.h"

#define TASK_ID_MAX    64
#define TASK_QUEUE_MAX 256
#define MOMENT_MS_MAX  (1ull << 50)

static const char *behind_first(struct slice text, struct slice name)
{
    const char *at = memmem(text.bytes, text.length, name.bytes, name.length);
    return at ? at + name.length : NULL;
}

static const char *behind_last(struct slice text, struct slice name)
{
    const char *end = text.bytes + text.length;
    const char *quote = memrchr(text.bytes, '"', text.length);

    for (; quote != NULL; quote = memrchr(text.bytes, '"', (size_t)(quote - text.bytes)))
        if ((size_t)(end - quote) >= name.length && memcmp(quote, name.bytes, name.length) == 0)
            return quote + name.length;
    return NULL;
}

static bool string_at(struct slice text, const char *at, size_t most, struct slice *out)
{
    if (at == NULL)
        return false;
    const char *quote = memchr(at, '"', (size_t)(text.bytes + text.length - at));
    *out = (struct slice){at, quote ? (size_t)(quote - at) : 0};
    return quote != NULL && out->length > 0 && out->length <= most;
}

static uint64_t number_at(struct slice text, const char *at, uint64_t most)
{
    const char *end = text.bytes + text.length;
    uint64_t number = 0;

    for (; at < end && *at >= '0' && *at <= '9' && number < most; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

bool task_head_read(struct slice task, struct task_head *out)
{
    const char *delivery = behind_first(task, SLICE("\"delivery\":"));

    if (delivery == NULL)
        return false;
    out->delivery = (uint32_t)number_at(task, delivery, REPORT_DELIVERY_MAX);
    return string_at(task, behind_first(task, SLICE("\"id\":\"")), TASK_ID_MAX, &out->id) &&
           string_at(task, behind_last(task, SLICE("\"report\":\"")), TASK_QUEUE_MAX, &out->report);
}

bool task_is_immediate(struct slice task)
{
    const char *received = behind_last(task, SLICE("\"received_ms\":"));
    const char *due = behind_last(task, SLICE("\"not_before_ms\":"));

    return received && due &&
           number_at(task, received, MOMENT_MS_MAX) == number_at(task, due, MOMENT_MS_MAX);
}

static void put_word(struct text *out, struct slice word)
{
    text_char(out, '$');
    text_uint(out, word.length);
    text_bytes(out, "\r\n", 2);
    text_add(out, word);
    text_bytes(out, "\r\n", 2);
}

static void put_pair(struct text *out, struct slice field, struct slice value)
{
    put_word(out, field);
    put_word(out, value);
}

static void put_report(struct text *out, const struct task_head *task, struct slice agent,
                       enum report_op op, enum outcome outcome)
{
    char digits[16];
    struct text delivery = text_over(digits, sizeof(digits));

    text_uint(&delivery, task->delivery);
    text_string(out, op == REPORT_OUTCOME ? "*13\r\n" : "*11\r\n");
    put_word(out, SLICE("XADD"));
    put_pair(out, task->report, SLICE("*"));
    put_pair(out, SLICE("task"), task->id);
    put_pair(out, SLICE("delivery"), text_slice(&delivery));
    put_pair(out, SLICE("op"), slice_of(report_op_name(op)));
    if (op == REPORT_OUTCOME)
        put_pair(out, SLICE("outcome"), slice_of(outcome_name(outcome)));
    put_pair(out, SLICE("agent"), agent);
}

void task_reports_write(struct text *out, const struct task_head *task, struct slice agent)
{
    put_report(out, task, agent, REPORT_CLAIM, OUTCOME_NONE);
    put_report(out, task, agent, REPORT_OUTCOME, OUTCOME_CONVERSATION);
    MUST(!out->overflow); /* the parts were measured when they were read */
}

void task_sent_write(struct text *out, const struct task_head *task, struct slice robot)
{
    put_report(out, task, robot, REPORT_OUTCOME, OUTCOME_DELIVERED);
    MUST(!out->overflow);
}
