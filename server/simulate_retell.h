/* What would have happened, had another playbook been in force: the opt-ins and reports of a
 * journal, at the times at which they came, decided once more in memory.
 *
 * A report is told of a task of the same person over the same channel, if one is open by then; it
 * says what that person did, whoever's idea the call was. What a report ended that the other
 * playbook has no task for is counted, and nothing follows from it. */
#ifndef HOTLEAD_SERVER_SIMULATE_RETELL_H
#define HOTLEAD_SERVER_SIMULATE_RETELL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/text.h"
#include "server/playbook.h"
#include "server/record.h"

/* A task that was opened, or a step that was left out. */
struct retold {
    uint64_t ms;
    uint32_t person; /* index among the people */
    bool real;       /* as the journal has it; else by the other playbook */
    uint8_t channel, kind, cadence, step, skip;
    uint32_t playbook; /* the version that a real one went by */
};

struct retold_person {
    uint64_t number, first_ms; /* the journal's */
    uint64_t other;            /* number when told again */
};

struct retelling {
    struct retold *entries; /* by person, then by time, real ones first */
    size_t entry_count;
    struct retold_person *people;
    size_t person_count;
    uint64_t optins, erased;    /* words that are gone cannot be told again */
    uint64_t reports, homeless; /* reports of which there was no task to tell them */
    uint64_t refused;           /* reports that the playbook does not allow (yet) */
};

struct retell;

/* The playbook lives as long. Keys are those of the journal. */
struct retell *retell_open(const struct effect_genesis *genesis, const struct playbook *playbook);
void retell_close(struct retell *retell);

/* The journal's records, all of them in order. CORRUPT: settings that cannot be read, or there are
 * too many agencies. */
enum status retell_record(struct retell *retell, const struct record_view *record);

/* Lives on until then, and says what came of it; until retell_close. */
const struct retelling *retell_end(struct retell *retell, uint64_t until_ms);

/* "new_lead.tips", "first_response", ... : what an entry is called. */
void retell_name(const struct retell *retell, const struct retold *entry, struct text *out);

#endif
