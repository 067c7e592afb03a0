/* How rows of people and tasks lie in their tables: of a row's words those that are not 0, behind
 * one that has a bit for each of them.
 *
 * Much of a row is 0, because most people never bought and most tasks were never moved; and much
 * says the same as another word of it: the newest opt-in is the first one, a task was opened when
 * its opt-in came. Such a word is stored as its difference (XOR) to that one, which is 0 then.
 *
 * Whatever is changed here: raise STATE_VERSION. */
#ifndef HOTLEAD_SERVER_STATE_PACKED_H
#define HOTLEAD_SERVER_STATE_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "server/record.h"

/* All of a person's value, as words; the task's are missing when none is open. A further task's
 * value has the task's alone, and its number is in the key. */
struct state_whole {
    uint64_t last_seq;
    struct person_row person;
    struct task_row task;
};

#define STATE_WORD       sizeof(uint64_t)
#define STATE_WORDS      (sizeof(struct state_whole) / STATE_WORD)
#define STATE_TASK_FIRST (offsetof(struct state_whole, task) / STATE_WORD)

_Static_assert(STATE_WORDS <= 64, "a bit for each word");
_Static_assert(sizeof(struct person_row) % STATE_WORD == 0 &&
                   sizeof(struct task_row) % STATE_WORD == 0,
               "words");

struct state_twin {
    uint8_t place, like;
};
#define STATE_AT(name) (offsetof(struct state_whole, name) / STATE_WORD)
#define STATE_TWIN(name, other)                                                                    \
    {                                                                                              \
        STATE_AT(name), STATE_AT(other)                                                            \
    }

/* Told back in this order: what a word is like comes before it. */
static const struct state_twin state_twins_of_person[] = {
    STATE_TWIN(person.last_ms, person.first_ms),    STATE_TWIN(person.optin_seq, person.first_seq),
    STATE_TWIN(person.phone_seq, person.first_seq), STATE_TWIN(person.email_seq, person.first_seq),
    STATE_TWIN(person.cadence_ms, person.last_ms),  STATE_TWIN(person.due_ms, person.step_ms),
};
/* Of the task that stands with its person; then those of any task. */
static const struct state_twin state_twins_of_first[] = {
    STATE_TWIN(task.optin_seq, person.optin_seq),
    STATE_TWIN(task.opened_ms, person.last_ms),
};
static const struct state_twin state_twins_of_task[] = {
    STATE_TWIN(task.received_ms, task.opened_ms), STATE_TWIN(task.not_before_ms, task.opened_ms),
    STATE_TWIN(task.rank_ms, task.deadline_ms),   STATE_TWIN(task.first_put_seq, task.put_seq),
    STATE_TWIN(task.due_ms, task.lease_until_ms),
};
#define STATE_TWINS(twins) (sizeof(twins) / sizeof((twins)[0]))

/* Stored even when they are 0: a row whose task is claimed is as long as before, and need not move
 * in its page. */
#define STATE_ALWAYS_OF_TASK (1ull << STATE_AT(task.claimed_ms) | 1ull << STATE_AT(task.agent))

#endif
