/* The business's numbers (`hotlead report ...`, GET /v1/reports/{name}): how fast people are
 * answered, how long it is until a conversation, who is lost on the way.
 *
 * All of them are made of the tally, which apply adds up, so none looks at everybody; lists of
 * people look at a bounded number of rows and say where to go on. A report is one JSON document of
 * a summary, tables and labelled constants; the command line prints any such document as text or
 * CSV. Loop thread. */
#ifndef HOTLEAD_SERVER_FIGURES_H
#define HOTLEAD_SERVER_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"
#include "server/playbook.h"
#include "server/state.h"

#define FIGURES_MAP(XX)                                                                            \
    XX(SPEED, "speed", "how soon opt-ins are answered")                                            \
    XX(CONVERSATION_TIME, "conversation-time", "how long it is from opt-in to conversation")       \
    XX(FUNNEL, "funnel", "from opt-in to contact, conversation and sale")                          \
    XX(ATTEMPTS, "attempts", "at which attempt people stop, and sales close")                      \
    XX(SCORE, "score", "ten questions about how follow-up fails")                                  \
    XX(DUST, "dust", "what cold people would have been worth")                                     \
    XX(CRACKS, "cracks", "who has no next step and no reason for it")                              \
    XX(PROMISES, "promises", "answers that were promised for the end of the business day")         \
    XX(MIX, "mix", "what became of a day's people: closed, hot, cold")                             \
    XX(CAMPAIGNS, "campaigns", "which campaign brings conversations, and at what cost")            \
    XX(UNHAPPY, "unhappy", "customers who are not satisfied")                                      \
    XX(LATE, "late", "who was answered late, or waits still, and what that costs in odds")         \
    XX(NO_RESPONSE, "no-response", "whom nobody has tried to reach yet")                           \
    XX(BOARD, "board", "who is in charge of whom, and how far along they are")                     \
    XX(PIPELINES, "pipelines", "where people stand in each pipeline")                              \
    XX(ROBOTS, "robots", "how much of the work robots do")                                         \
    XX(GRAVEYARD, "graveyard", "people who went cold, and can be taken up again")

enum figures_name {
    FIGURES_NONE,
#define XX(name, text, about) FIGURES_##name,
    FIGURES_MAP(XX)
#undef XX
        FIGURES_END
};
enum figures_name figures_of(struct slice name); /* NONE: there is no such report */

/* How a table's rows are grouped where a report leaves that open. */
enum figures_by { FIGURES_BY_ITSELF, FIGURES_BY_DAY, FIGURES_BY_WEEK, FIGURES_BY_MONTH };

/* What is asked for: plain numbers, so that it can wait for a barrier. */
struct figures_query {
    enum figures_name name;
    uint32_t agency;              /* 0: all of them */
    uint32_t day_first, day_last; /* of the opt-ins, since 1970; both included */
    enum tally_dimension side;    /* TALLY_ALL: everything; else only what has this value: */
    uint64_t value;
    enum figures_by by;
    uint64_t after;       /* of a list: the cursor that the page before gave; 0: from the start */
    uint32_t limit;       /* of a list: rows of a page */
    uint64_t price_cents; /* of dust: what a sale brings */
    uint32_t recoverable_parts; /* hundredths of a per cent */
    uint64_t cold_ms;           /* of graveyard; 0: as the playbook says */
};

#define FIGURES_LIMIT     100 /* where none is asked for */
#define FIGURES_LIMIT_MAX 1000

/* As the playbook says, too. */
#define FIGURES_PRICE_OWN       UINT64_MAX
#define FIGURES_RECOVERABLE_OWN UINT32_MAX

/* How a value of a dimension is called, as a JSON string; `seqs`: opt-ins that have it, the newest
 * first, 0 behind the last. */
#define FIGURES_SEQS 4
typedef void figures_label_fn(void *owner, enum tally_dimension dimension, uint64_t value,
                              const uint64_t seqs[FIGURES_SEQS], struct text *out);

/* Whether an agent is still there: whom one had that was removed is nobody's. */
typedef bool figures_agent_fn(void *owner, uint32_t agent);

struct figures_source {
    struct state_reader *state;
    const struct playbook *playbook; /* the agency's; its words and numbers are shown */
    const struct hash_key *id_key;
    uint32_t agencies; /* how many there are, at most */
    uint64_t now_ms;
    figures_label_fn *label;
    figures_agent_fn *is_agent;
    void *owner;
};

/* Until when calls out of an agency's graveyard are given out: who is called by then, is not cold.
 * 0: none was. */
uint64_t figures_woken_until(struct state_reader *state, const struct playbook *playbook,
                             uint32_t agency);

/* Writes the document. IO and others: state cannot be read. BUSY: no memory. */
enum status figures_write(const struct figures_source *source, const struct figures_query *query,
                          struct text *out);

#endif
