/* Rows that were just made, in the order of their keys, in memory: most rows of due, visible and
 * outbox are deleted again within seconds, when their task is popped, and taking a row out of the
 * front of an LMDB table costs ten times what leaving it out of the table does.
 *
 * Rows lie in lanes. A lane is a ring whose rows stand in the order of their keys, and nearly all
 * rows come in that order, in one lane; what is given out again, or is due at another distance, has
 * the other lanes. A row that comes a little late, as those of one millisecond do whose people
 * answered in another order than they came, is put between the last ones. A row that fits nowhere
 * is not taken: it goes into its table at once. For state*.c only; writer thread. */
#ifndef HOTLEAD_SERVER_STATE_YOUNG_H
#define HOTLEAD_SERVER_STATE_YOUNG_H

#include <stdbool.h>
#include <stdint.h>

#define YOUNG_LANES         6
#define YOUNG_LATE_MAX      1000 /* in the first part of its key, behind the end of its lane */
#define YOUNG_SHIFT_MAX     64   /* rows that make room for one that comes late */
#define YOUNG_LANE_ROWS_MAX (1u << 18)

struct young_key {
    uint64_t part[3]; /* in this order; not used: 0 */
};

struct young_row {
    struct young_key key;
    uint64_t value[2];
    uint64_t seq; /* of the record that made it, or, in a lane, of an earlier one; not 0 */
};

struct young_lane {
    struct young_row *rows;
    uint64_t begin, end; /* counted up; a row lies at its number modulo capacity */
    uint64_t capacity;   /* 0 or a power of two */
};

/* Zeroed: empty. */
struct young {
    struct young_lane lanes[YOUNG_LANES];
};

/* False: there is no place for it. A key that is there already is a bug. */
bool young_put(struct young *young, const struct young_row *row);
/* False: it is not there. */
bool young_delete(struct young *young, struct young_key key);
/* The first row from `key` on; false: there is none. */
bool young_find_from(const struct young *young, struct young_key key, struct young_row *out);
/* Takes the oldest row out if record `until_seq` or an earlier one made it. */
bool young_take(struct young *young, uint64_t until_seq, struct young_row *out);
uint64_t young_oldest_seq(const struct young *young); /* UINT64_MAX: it is empty */
void young_clear(struct young *young);                /* and frees what it has */

#endif
