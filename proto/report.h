/* What is said about a task: a pop, a claim, an extend, a release, an outcome,
 * an amend; from a Redis stream or over HTTP. Slices live as long as their source.
 * Any thread. */
#ifndef HOTLEAD_PROTO_REPORT_H
#define HOTLEAD_PROTO_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/json.h"
#include "proto/known.h"
#include "proto/slice.h"
#include "proto/status.h"

#define REPORT_TASK_MAX     64
#define REPORT_AGENT_MAX    64
#define REPORT_CHANNEL_MAX  32
#define REPORT_VALUE_MAX    256
#define REPORT_WORD_MAX     32
#define REPORT_NOTE_MAX     (8 * 1024)
#define REPORT_DELIVERY_MAX 65535
#define REPORT_ANSWERS_MAX  4096 /* of answers, and of finds, as JSON */
/* Encoded; what is known from before is in a stored one only. */
#define REPORT_STORED_MAX (REPORT_NOTE_MAX + 2 * REPORT_ANSWERS_MAX + KNOWN_BYTES_MAX + 512)

/* Stored numbers: append only. */
enum report_op {
    REPORT_CLAIM = 1,
    REPORT_EXTEND,
    REPORT_RELEASE,
    REPORT_OUTCOME,
    REPORT_AMEND,
    REPORT_SIGNAL, /* the person did something with what the task has sent */
    REPORT_POPPED, /* somebody has taken the task out of its queue: push.lua says so */
    REPORT_OP_END
};

/* What people do that shows interest. Stored numbers: append only. */
enum signal_kind { SIGNAL_NONE, SIGNAL_OPEN, SIGNAL_CLICK, SIGNAL_VISIT, SIGNAL_REPLY, SIGNAL_END };
const char *signal_kind_name(enum signal_kind kind);
enum signal_kind signal_kind_of(struct slice name); /* NONE: unknown */

/* Stored numbers: append only. `human` outcomes are contact; `final` ones are
 * facts or law, the rest is the playbook's to go on from. */
#define OUTCOME_MAP(XX)                                                                            \
    XX(1, CONVERSATION, "conversation")                                                            \
    XX(2, APPOINTMENT, "appointment")                                                              \
    XX(3, INFORMATION, "information")                                                              \
    XX(4, NO_ANSWER, "no_answer")                                                                  \
    XX(5, VOICEMAIL, "voicemail")                                                                  \
    XX(6, BUSY, "busy")                                                                            \
    XX(7, WRONG_NUMBER, "wrong_number")                                                            \
    XX(8, NOT_NOW, "not_now")                                                                      \
    XX(9, NOT_INTERESTED, "not_interested")                                                        \
    XX(10, DO_NOT_CONTACT, "do_not_contact")                                                       \
    XX(11, UNSUBSCRIBED, "unsubscribed")                                                           \
    XX(12, SOLD, "sold")                                                                           \
    XX(13, SATISFIED, "satisfied")                                                                 \
    XX(14, UNSATISFIED, "unsatisfied")                                                             \
    XX(15, REFERRAL, "referral")                                                                   \
    XX(16, DELIVERED, "delivered")                                                                 \
    XX(17, BOUNCED, "bounced")                                                                     \
    XX(18, DEAD, "dead")                                                                           \
    XX(19, RESEARCHED, "researched")

enum outcome {
    OUTCOME_NONE,
#define XX(number, name, text) OUTCOME_##name = (number),
    OUTCOME_MAP(XX)
#undef XX
        OUTCOME_END
};

const char *outcome_name(enum outcome outcome);
enum outcome outcome_of(struct slice name); /* NONE: unknown */
const char *report_op_name(enum report_op op);
enum report_op report_op_of(struct slice name); /* 0: unknown */

/* Whoever agrees on a time means one that is not further away. */
#define REPORT_AGREED_WITHIN_MS (5 * 365 * 86400000ull)

struct report {
    struct slice task; /* tsk_... */
    enum report_op op;
    uint32_t delivery;
    enum outcome outcome;    /* for OUTCOME and AMEND */
    struct slice word;       /* the same as a dialer calls it; then `outcome` is NONE */
    enum signal_kind signal; /* for SIGNAL */
    struct slice agent, note, value, channel;
    uint64_t started_ms, ended_ms; /* 0: not said */
    uint64_t call_at_ms;           /* when the person wants to be called; 0: not said */
    /* Objects as JSON: what the person answered to the playbook's questions, and what was found
     * out otherwise. As somebody wrote it: not looked at here. */
    struct slice answers, finds;
    struct slice known; /* of a stored one: all that is known since then, see known.h */
};

void report_clear(struct report *report);

/* One field of a stream entry, whose bytes may be anything. Unknown fields are ignored,
 * bad values are INVALID (then *report is as before); texts are printable UTF-8, numbers
 * plain decimals. AMEND is bad here: who may amend is known only over HTTP. */
enum status report_set(struct report *report, struct slice field, struct slice value);

/* A field that a report can do without, whatever its op: nobody answers a stream entry, so a bad
 * one is left out rather than the outcome that it came with. Its name as it stands in our table,
 * NULL for any other. */
const char *report_optional_field(struct slice field);

/* From the JSON body of POST /v1/tasks/{id}/<op>; `op` and `task` come from the
 * path. Null means not said; `value` may be a number. INVALID names the bad field in
 * *field_out; MALFORMED: not an object. Slices live until the thread's next call. */
enum status report_from_json(struct report *report, struct json_value object,
                             struct slice *field_out);

/* What the value of a sale has to be: "1200" or "1200.50", at most 12 digits before the point and 2
 * behind it. False: it is no amount. */
bool report_amount(struct slice value, uint64_t *cents_out);

/* INVALID when something needed for the op is missing (task, delivery >= 1,
 * outcome for OUTCOME and AMEND, agent for CLAIM, signal for SIGNAL) or too long. */
enum status report_check(const struct report *report, struct slice *field_out);

/* Nothing ends before it starts. */
static inline bool report_is_reversed(const struct report *report)
{
    return report->started_ms != 0 && report->ended_ms != 0 &&
           report->ended_ms < report->started_ms;
}

/* Stored form (of agent, note, value, channel, word, answers, ...: what may name a person), like
 * optin_encode: bytes written, or 0 when it does not fit; CORRUPT, or a report with
 * slices of `bytes` and nothing else. */
size_t report_encode(const struct report *report, char *buffer, size_t capacity);
enum status report_decode(struct slice bytes, struct report *out);

#endif
