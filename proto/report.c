#include "proto/report.h"

#include <string.h>

#include "proto/must.h"
#include "proto/task.h"
#include "proto/utf8.h"

/* What an id can hold: no time of ours is over it. */
#define MS_MAX (((uint64_t)1 << 48) - 1)

static const struct slice op_names[REPORT_OP_END] = {
    [REPORT_CLAIM] = SLICE("claim"),     [REPORT_EXTEND] = SLICE("extend"),
    [REPORT_RELEASE] = SLICE("release"), [REPORT_OUTCOME] = SLICE("outcome"),
    [REPORT_AMEND] = SLICE("amend"),     [REPORT_SIGNAL] = SLICE("signal"),
    [REPORT_POPPED] = SLICE("popped"),
};

static const struct slice signal_names[SIGNAL_END] = {
    [SIGNAL_OPEN] = SLICE("open"),
    [SIGNAL_CLICK] = SLICE("click"),
    [SIGNAL_VISIT] = SLICE("visit"),
    [SIGNAL_REPLY] = SLICE("reply"),
};

static const struct slice outcome_names[OUTCOME_END] = {
#define XX(number, name, text) [OUTCOME_##name] = SLICE(text),
    OUTCOME_MAP(XX)
#undef XX
};

const char *outcome_name(enum outcome outcome)
{
    MUST(outcome > OUTCOME_NONE && outcome < OUTCOME_END);
    return outcome_names[outcome].bytes;
}

enum outcome outcome_of(struct slice name)
{
    for (int outcome = OUTCOME_NONE + 1; outcome < OUTCOME_END; outcome++)
        if (slice_equal(name, outcome_names[outcome]))
            return (enum outcome)outcome;
    return OUTCOME_NONE;
}

const char *report_op_name(enum report_op op)
{
    MUST(op >= REPORT_CLAIM && op < REPORT_OP_END);
    return op_names[op].bytes;
}

enum report_op report_op_of(struct slice name)
{
    for (int op = REPORT_CLAIM; op < REPORT_OP_END; op++)
        if (slice_equal(name, op_names[op]))
            return (enum report_op)op;
    return (enum report_op)0;
}

const char *signal_kind_name(enum signal_kind kind)
{
    MUST(kind > SIGNAL_NONE && kind < SIGNAL_END);
    return signal_names[kind].bytes;
}

enum signal_kind signal_kind_of(struct slice name)
{
    for (int kind = SIGNAL_NONE + 1; kind < SIGNAL_END; kind++)
        if (slice_equal(name, signal_names[kind]))
            return (enum signal_kind)kind;
    return SIGNAL_NONE;
}

void report_clear(struct report *report)
{
    *report = (struct report){.task = {0}};
}

/* --- fields ------------------------------------------------------------------- */

enum field {
    FIELD_UNKNOWN,
    FIELD_AGENT, /* these have their number in the stored form: append only */
    FIELD_NOTE,
    FIELD_VALUE,
    FIELD_CHANNEL,
    FIELD_ANSWERS,
    FIELD_FINDS,
    FIELD_KNOWN,   /* nobody's to say */
    FIELD_OUTCOME, /* stored where it is a dialer's word */
    FIELD_STORED_END,
    FIELD_TASK = FIELD_STORED_END,
    FIELD_OP,
    FIELD_DELIVERY,
    FIELD_STARTED_MS,
    FIELD_ENDED_MS,
    FIELD_CALL_AT_MS,
    FIELD_SIGNAL,
    FIELD_END
};

static const struct slice field_names[FIELD_END] = {
    [FIELD_AGENT] = SLICE("agent"),
    [FIELD_NOTE] = SLICE("note"),
    [FIELD_VALUE] = SLICE("value"),
    [FIELD_CHANNEL] = SLICE("channel"),
    [FIELD_ANSWERS] = SLICE("answers"),
    [FIELD_FINDS] = SLICE("finds"),
    [FIELD_KNOWN] = SLICE(""),
    [FIELD_TASK] = SLICE("task"),
    [FIELD_OP] = SLICE("op"),
    [FIELD_DELIVERY] = SLICE("delivery"),
    [FIELD_OUTCOME] = SLICE("outcome"),
    [FIELD_STARTED_MS] = SLICE("started_ms"),
    [FIELD_ENDED_MS] = SLICE("ended_ms"),
    [FIELD_CALL_AT_MS] = SLICE("call_at_ms"),
    [FIELD_SIGNAL] = SLICE("signal"),
};

/* Bytes a text field may have; 0: it is no text. */
static const size_t text_max[FIELD_END] = {
    [FIELD_AGENT] = REPORT_AGENT_MAX,     [FIELD_NOTE] = REPORT_NOTE_MAX,
    [FIELD_VALUE] = REPORT_VALUE_MAX,     [FIELD_CHANNEL] = REPORT_CHANNEL_MAX,
    [FIELD_ANSWERS] = REPORT_ANSWERS_MAX, [FIELD_FINDS] = REPORT_ANSWERS_MAX,
    [FIELD_KNOWN] = KNOWN_BYTES_MAX,      [FIELD_OUTCOME] = REPORT_WORD_MAX,
    [FIELD_TASK] = REPORT_TASK_MAX,
};

static enum field field_of(struct slice name)
{
    for (int field = FIELD_UNKNOWN + 1; field < FIELD_END; field++)
        if (slice_equal(name, field_names[field]))
            return (enum field)field;
    return FIELD_UNKNOWN;
}

static struct slice *text_of(struct report *report, enum field field)
{
    switch (field) {
    case FIELD_AGENT:
        return &report->agent;
    case FIELD_NOTE:
        return &report->note;
    case FIELD_VALUE:
        return &report->value;
    case FIELD_CHANNEL:
        return &report->channel;
    case FIELD_ANSWERS:
        return &report->answers;
    case FIELD_FINDS:
        return &report->finds;
    case FIELD_KNOWN:
        return &report->known;
    case FIELD_OUTCOME:
        return &report->word;
    default:
        return &report->task;
    }
}

/* Notes and JSON may have lines and tabs, the rest is one line. */
static bool has_lines(enum field field)
{
    return field == FIELD_NOTE || field == FIELD_ANSWERS || field == FIELD_FINDS;
}

static bool is_printable(struct slice text, bool lines)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        bool blank = byte == '\t' || byte == '\n' || byte == '\r';
        if (byte == 0x7f || (byte < 0x20 && !(lines && blank)))
            return false;
    }
    return true;
}

static enum status set_text(struct report *report, enum field field, struct slice value)
{
    if (value.length > text_max[field] || !is_printable(value, has_lines(field)) ||
        (value.length > 0 && !utf8_valid(value)))
        return STATUS_INVALID;
    *text_of(report, field) = value;
    return STATUS_OK;
}

static enum status set_number(struct report *report, enum field field, uint64_t number)
{
    if (number > (field == FIELD_DELIVERY ? REPORT_DELIVERY_MAX : MS_MAX))
        return STATUS_INVALID;
    if (field == FIELD_DELIVERY)
        report->delivery = (uint32_t)number;
    else if (field == FIELD_STARTED_MS)
        report->started_ms = number;
    else if (field == FIELD_ENDED_MS)
        report->ended_ms = number;
    else
        report->call_at_ms = number;
    return STATUS_OK;
}

/* Dialers have words of their own, which only a playbook knows. */
static bool is_word(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return name.length > 0 && name.length <= REPORT_WORD_MAX;
}

static enum status set_outcome(struct report *report, struct slice name)
{
    enum outcome outcome = outcome_of(name);

    if (outcome == OUTCOME_NONE && !is_word(name))
        return STATUS_INVALID;
    report->outcome = outcome;
    report->word = outcome == OUTCOME_NONE ? name : (struct slice){0};
    return STATUS_OK;
}

/* Empty: not said. */
static enum status set_channel(struct report *report, struct slice name)
{
    if (name.length > 0 && task_channel_of(name) == 0)
        return STATUS_INVALID;
    report->channel = name;
    return STATUS_OK;
}

static enum status set_signal(struct report *report, struct slice name)
{
    enum signal_kind kind = signal_kind_of(name);

    if (kind == SIGNAL_NONE)
        return STATUS_INVALID;
    report->signal = kind;
    return STATUS_OK;
}

static enum status set_op(struct report *report, struct slice name)
{
    enum report_op op = report_op_of(name);

    if (op == 0 || op == REPORT_AMEND)
        return STATUS_INVALID;
    report->op = op;
    return STATUS_OK;
}

/* Plain decimal digits: no sign, no spaces, no leading zeros, nothing that wraps. */
static bool parse_number(struct slice text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.length == 0 || text.length > 19 || (text.length > 1 && text.bytes[0] == '0'))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    *out = number;
    return true;
}

/* Whole characters. Nobody answers a stream entry, so a note that is too long is cut rather than
 * refused: the outcome that it comes with must not be lost. */
static struct slice beginning_of(struct slice text, size_t most)
{
    if (text.length <= most)
        return text;
    while (most > 0 && ((unsigned char)text.bytes[most] & 0xC0) == 0x80)
        most--;
    return (struct slice){text.bytes, most};
}

enum status report_set(struct report *report, struct slice field_name, struct slice value)
{
    enum field field = field_of(field_name);
    uint64_t number;

    switch (field) {
    case FIELD_UNKNOWN:
    case FIELD_KNOWN:
        return STATUS_OK;
    case FIELD_OP:
        return set_op(report, value);
    case FIELD_OUTCOME:
        return set_outcome(report, value);
    case FIELD_CHANNEL:
        return set_channel(report, value);
    case FIELD_SIGNAL:
        return set_signal(report, value);
    case FIELD_DELIVERY:
    case FIELD_STARTED_MS:
    case FIELD_ENDED_MS:
    case FIELD_CALL_AT_MS:
        if (!parse_number(value, &number))
            return STATUS_INVALID;
        return set_number(report, field, number);
    case FIELD_NOTE:
        return set_text(report, field, beginning_of(value, REPORT_NOTE_MAX));
    default:
        return set_text(report, field, value);
    }
}

const char *report_optional_field(struct slice field_name)
{
    enum field field = field_of(field_name);

    switch (field) {
    case FIELD_NOTE:
    case FIELD_VALUE:
    case FIELD_CHANNEL:
    case FIELD_ANSWERS:
    case FIELD_FINDS:
    case FIELD_STARTED_MS:
    case FIELD_ENDED_MS:
    case FIELD_CALL_AT_MS:
        return field_names[field].bytes;
    default:
        return NULL;
    }
}

/* Digits at `*at`, at most `most` of them; how many there were. */
static unsigned take_digits(struct slice text, size_t *at, unsigned most, uint64_t *number)
{
    unsigned count = 0;

    for (; count < most && *at < text.length; count++, ++*at) {
        char c = text.bytes[*at];
        if (c < '0' || c > '9')
            break;
        *number = *number * 10 + (uint64_t)(c - '0');
    }
    return count;
}

bool report_amount(struct slice value, uint64_t *cents_out)
{
    uint64_t number = 0;
    size_t at = 0;
    unsigned whole = take_digits(value, &at, 12, &number), decimals = 0;
    bool point = at < value.length && value.bytes[at] == '.';

    if (point) {
        at++;
        decimals = take_digits(value, &at, 2, &number);
    }
    if (whole == 0 || point != (decimals > 0) || at != value.length)
        return false;
    *cents_out = number * (decimals == 2 ? 1 : decimals == 1 ? 10 : 100);
    return true;
}

/* --- JSON ----------------------------------------------------------------------- */

/* "value": 1200 is kept as the text that it would be in a stream. The text has a place
 * per thread, as the JSON document has that all other slices point into. */
static bool value_text(struct json_value json, struct slice *out)
{
    static _Thread_local char buffer[64];
    struct text text = text_over(buffer, sizeof(buffer));

    if (json.type != JSON_INT && json.type != JSON_UINT && json.type != JSON_DOUBLE)
        return json_string(json, out) || json_digits(json, out);
    json_write(&text, json);
    *out = text_slice(&text);
    return !text.overflow;
}

/* An object as the text that it would be in a stream; each of the two has a place per thread. */
static bool object_text(enum field field, struct json_value json, struct slice *out)
{
    static _Thread_local char buffers[2][REPORT_ANSWERS_MAX];
    struct text text = text_over(buffers[field == FIELD_FINDS], REPORT_ANSWERS_MAX);

    if (json.type != JSON_OBJECT)
        return false;
    json_write(&text, json);
    *out = text_slice(&text);
    return !text.overflow;
}

static enum status set_json(struct report *report, enum field field, struct json_value json)
{
    struct slice text;
    uint64_t number;

    switch (field) {
    case FIELD_UNKNOWN:
    case FIELD_TASK:
    case FIELD_OP:
    case FIELD_KNOWN:
    case FIELD_SIGNAL: /* over HTTP they have a route of their own */
        return STATUS_OK;
    case FIELD_ANSWERS:
    case FIELD_FINDS:
        return object_text(field, json, &text) ? set_text(report, field, text) : STATUS_INVALID;
    case FIELD_DELIVERY:
    case FIELD_STARTED_MS:
    case FIELD_ENDED_MS:
    case FIELD_CALL_AT_MS:
        return json_uint(json, &number) ? set_number(report, field, number) : STATUS_INVALID;
    case FIELD_OUTCOME:
        return json_string(json, &text) ? set_outcome(report, text) : STATUS_INVALID;
    case FIELD_CHANNEL:
        return json_string(json, &text) ? set_channel(report, text) : STATUS_INVALID;
    case FIELD_VALUE:
        return value_text(json, &text) ? set_text(report, field, text) : STATUS_INVALID;
    case FIELD_AGENT: /* nobody is not somebody: whoever says it is told */
        return json_string(json, &text) && text.length > 0 ? set_text(report, field, text)
                                                           : STATUS_INVALID;
    default:
        return json_string(json, &text) ? set_text(report, field, text) : STATUS_INVALID;
    }
}

enum status report_from_json(struct report *report, struct json_value object,
                             struct slice *field_out)
{
    struct json_walk walk = json_walk(object);
    struct json_value value;
    struct slice name;

    *field_out = (struct slice){0};
    if (object.type != JSON_OBJECT)
        return STATUS_MALFORMED;
    while (json_next(&walk, &name, &value)) {
        if (value.type != JSON_NULL && set_json(report, field_of(name), value) != STATUS_OK) {
            *field_out = name;
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

/* --- check ---------------------------------------------------------------------- */

/* The first field that the op needs and that is missing. */
static enum field missing_field(const struct report *report)
{
    bool outcome_needed = report->op == REPORT_OUTCOME || report->op == REPORT_AMEND;

    if (report->task.length == 0)
        return FIELD_TASK;
    if (report->op < REPORT_CLAIM || report->op >= REPORT_OP_END)
        return FIELD_OP;
    if (report->delivery == 0)
        return FIELD_DELIVERY;
    if (outcome_needed && report->outcome == OUTCOME_NONE && report->word.length == 0)
        return FIELD_OUTCOME;
    if (report->op == REPORT_CLAIM && report->agent.length == 0)
        return FIELD_AGENT;
    if (report->op == REPORT_SIGNAL && report->signal == SIGNAL_NONE)
        return FIELD_SIGNAL;
    return FIELD_UNKNOWN;
}

/* The task comes from a path and the agent perhaps from a token, past the setters. */
static enum field long_field(const struct report *report)
{
    struct report readable = *report;

    for (int field = FIELD_AGENT; field <= FIELD_TASK; field++)
        if (text_of(&readable, (enum field)field)->length > text_max[field])
            return (enum field)field;
    return FIELD_UNKNOWN;
}

enum status report_check(const struct report *report, struct slice *field_out)
{
    enum field field = missing_field(report);

    *field_out = (struct slice){0};
    if (field == FIELD_UNKNOWN)
        field = long_field(report);
    if (field == FIELD_UNKNOWN)
        return STATUS_OK;
    *field_out = field_names[field];
    return STATUS_INVALID;
}

/* --- stored form ------------------------------------------------------------------ */

/* Stored bytes:
 *
 *   version u8 | (field u8 | length u16 little endian | bytes) ...
 *
 * Fields in the order of their numbers, empty ones left out. To change: 1. raise
 * REPORT_VERSION. 2. Keep the old decoder, named after its version. 3. Add a stored
 * sample to test_report.c. */
#define REPORT_VERSION       2
#define REPORT_VERSION_FIRST 1 /* which had no word of a dialer, and is read alike */
#define ENTRY_HEAD           3

static void put_entry(struct text *out, enum field field, struct slice bytes)
{
    text_char(out, (char)field);
    text_char(out, (char)(bytes.length & 255));
    text_char(out, (char)(bytes.length >> 8));
    text_add(out, bytes);
}

size_t report_encode(const struct report *report, char *buffer, size_t capacity)
{
    struct report readable = *report;
    struct text out = text_over(buffer, capacity);

    text_char(&out, REPORT_VERSION);
    for (int field = FIELD_AGENT; field < FIELD_STORED_END; field++) {
        struct slice bytes = *text_of(&readable, (enum field)field);
        if (bytes.length > text_max[field])
            return 0;
        if (bytes.length > 0)
            put_entry(&out, (enum field)field, bytes);
    }
    return out.overflow ? 0 : out.length;
}

/* Takes one entry off the front; false: it is no entry that report_encode wrote. */
static bool take_entry(struct slice *from, int previous, struct report *out)
{
    if (from->length < ENTRY_HEAD)
        return false;

    const unsigned char *head = (const unsigned char *)from->bytes;
    int field = head[0];
    size_t length = (size_t)head[1] | (size_t)head[2] << 8;
    if (field <= previous || field >= FIELD_STORED_END || length == 0 || length > text_max[field] ||
        length > from->length - ENTRY_HEAD)
        return false;

    *text_of(out, (enum field)field) = (struct slice){from->bytes + ENTRY_HEAD, length};
    from->bytes += ENTRY_HEAD + length;
    from->length -= ENTRY_HEAD + length;
    return true;
}

enum status report_decode(struct slice bytes, struct report *out)
{
    int previous = FIELD_UNKNOWN;

    report_clear(out);
    if (bytes.length == 0 || bytes.bytes[0] < REPORT_VERSION_FIRST ||
        bytes.bytes[0] > REPORT_VERSION)
        return STATUS_CORRUPT;
    bytes.bytes++;
    bytes.length--;
    while (bytes.length > 0) {
        int field = (unsigned char)bytes.bytes[0];
        if (!take_entry(&bytes, previous, out))
            return STATUS_CORRUPT;
        previous = field;
    }
    return STATUS_OK;
}
