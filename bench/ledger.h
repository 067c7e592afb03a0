/* The ledger: every acknowledged opt-in against every popped task. What was acknowledged and never
 * came out is lost; what came out twice is doubled. Either side may come first: a consumer can hold
 * a task before the sender has read its 201.
 *
 * Of an opt-in's immediate e-mail is known whether it came out.
 *
 * 24 bytes an entry, in small tables of which one at a time grows, so that no growth holds up the
 * loop for longer than a few dozen microseconds. One thread. */
#ifndef HOTLEAD_BENCH_LEDGER_H
#define HOTLEAD_BENCH_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger;

struct ledger *ledger_open(uint64_t expected); /* NULL: out of memory. Grows beyond. */
void ledger_close(struct ledger *ledger);

/* `must_pop`: a task of its own has to come out (not of a returning person, whose call may be open
 * already, nor of what is suspect or a test). `intended_ns` of the request that was acknowledged
 * first. Answers the moment at which its task was popped when that came before, else 0. */
uint64_t ledger_acked(struct ledger *ledger, uint64_t key, bool must_pop, uint64_t intended_ns,
                      uint64_t acked_ns);

struct ledger_match {
    bool matched; /* it was acknowledged before; else it will be told by ledger_acked */
    uint64_t intended_ns, acked_ns;
};
/* A task came out. Only its first pop matches; `delivery` over 1 is a redelivery, not a double. */
struct ledger_match ledger_popped(struct ledger *ledger, uint64_t key, uint32_t delivery,
                                  uint64_t popped_ns);

/* The e-mail came out that an opt-in opened at once, beside its call. */
void ledger_emailed(struct ledger *ledger, uint64_t key, uint32_t delivery);

struct ledger_counts {
    uint64_t acked;       /* different opt-ins */
    uint64_t acked_again; /* answers that named one known already */
    uint64_t must_pop;
    uint64_t popped;         /* different opt-ins whose task came out */
    uint64_t lost;           /* must_pop and not popped */
    uint64_t doubled;        /* delivery 1 popped once more */
    uint64_t redelivered;    /* pops of delivery 2 and more */
    uint64_t unclaimed;      /* popped, never acknowledged: an answer was lost, its opt-in not */
    uint64_t emailed;        /* different opt-ins whose e-mail came out */
    uint64_t emails_missing; /* must_pop and not emailed: its playbook may want none */
    uint64_t emails_doubled;
};
void ledger_count(const struct ledger *ledger, struct ledger_counts *out);

#endif
