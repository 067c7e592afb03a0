/* The task as consumers see it: one line of JSON, complete in one pop.
 *
 * The member of the Redis queue is rendered from an opt-in and these numbers,
 * always to the same bytes, so that a withdrawal removes exactly what was put.
 * Any thread. */
#ifndef HOTLEAD_PROTO_TASK_H
#define HOTLEAD_PROTO_TASK_H

#include "proto/optin.h"
#include "proto/slice.h"
#include "proto/text.h"

#define TASK_BYTES_MAX 4096

/* Stored numbers: append only. */
enum task_channel {
    TASK_CALL = 1,
    TASK_EMAIL,
    TASK_SMS,
    TASK_VOICEMAIL,
    TASK_FAX,
    TASK_POSTCARD,
    TASK_LETTER,
    TASK_VISIT,
    TASK_RESEARCH,
    TASK_CHANNEL_END
};
enum task_kind {
    TASK_FIRST_RESPONSE = 1,
    TASK_FIND_CONTACT,
    TASK_STEP,       /* of a cadence */
    TASK_RETRY,      /* nobody answered the last time */
    TASK_WAKE,       /* not ready then, perhaps now */
    TASK_AGREED,     /* the person named the time */
    TASK_ESCALATION, /* nobody claimed the first response: a robot says that somebody will */
    TASK_KIND_END
};
enum stage {
    STAGE_OPTIN = 1,
    STAGE_LEAD,
    STAGE_OPPORTUNITY,
    STAGE_CUSTOMER,
    STAGE_REFERRER,
    STAGE_END
};

const char *task_channel_name(enum task_channel channel);
enum task_channel task_channel_of(struct slice name); /* 0: unknown */
const char *task_kind_name(enum task_kind kind);

#define TASK_FACT_MAX 64

/* Everything that a member says beside the opt-in. Slices hold up to TASK_FACT_MAX
 * bytes and live as long as the call. */
struct task_facts {
    struct slice id, person, optin; /* public ids */
    struct slice queue, agency, site, node, prefix;
    struct slice owner; /* agent id or empty */
    uint32_t delivery, attempt;
    enum task_channel channel;
    enum task_kind kind;
    struct slice stage;            /* as the person's playbook names it */
    struct slice script, template; /* what to say; what a robot sends, or empty */
    struct slice window_tz;        /* whose hours they are; empty: there is no window */
    uint64_t received_ms, deadline_ms, not_before_ms, closes_ms;
    struct slice known; /* what was found out since, see known.h */
    /* What to look up before the call, and until when at most; 0: nothing. */
    struct slice research;
    const struct slice *finds;
    size_t find_count;
    uint64_t research_ms;
};

/* The renderer in use. Members put by older ones are rendered by their own, kept
 * here, so that they can still be withdrawn. To change what a member looks like:
 * 1. raise this; 2. keep the old function, named after its version; 3. add a
 * stored sample to the tests. */
#define TASK_RENDERER 6

/* Appends the member, at most TASK_BYTES_MAX bytes: `fields` lose their last ones, then
 * long strings their ends, and the member says `"truncated":true`. The same bytes
 * whatever room `out` has: with less than the member needs, it overflows and stays as
 * it was. False: that renderer is unknown. */
bool task_render(struct text *out, unsigned renderer, const struct task_facts *facts,
                 const struct optin *optin);

/* What is the opt-in's alone, rendered once for all its tasks, as the renderer in use has it; of a
 * person of whom nothing is known beside it. */
enum task_part { TASK_PERSON, TASK_CONTEXT, TASK_CONSENT, TASK_TRACE, TASK_PART_END };
struct task_words {
    bool whole; /* else it is too long, and has to be cut for each task by itself */
    bool cut;
    uint16_t ends[TASK_PART_END]; /* each begins where the one before ends */
    char bytes[TASK_BYTES_MAX];
};
void task_words(struct task_words *out, const struct optin *optin);

/* As task_render, with the words of the same opt-in, which must be whole. */
bool task_render_with(struct text *out, unsigned renderer, const struct task_facts *facts,
                      const struct optin *optin, const struct task_words *words);

#endif
