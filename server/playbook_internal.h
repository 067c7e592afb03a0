/* Shared by playbook*.c only.
 *
 *   playbook_tree.c     YAML to a tree of nodes with their places (the file that sees libyaml)
 *   playbook_read.c     a tree into structs, by tables of fields: what may stand where
 *   playbook_value.c    one value: a span, a word, a price ... read and written
 *   playbook_rule.c     rules: read, written, asked
 *   playbook_calendar.c hours and holidays
 *   playbook_shape.c    the tables
 *   playbook_write.c    structs into the canonical form, by the same tables
 *   playbook_check*.c   what is written right and means nothing good
 *   playbook_show.c     diagrams; playbook_page.c: text
 */
#ifndef HOTLEAD_SERVER_PLAYBOOK_INTERNAL_H
#define HOTLEAD_SERVER_PLAYBOOK_INTERNAL_H

#include "server/playbook.h"
#include "server/playbook_span.h"

#define PLAYBOOK_NAME_MAX   40
#define PLAYBOOK_TEXT_MAX   1000
#define PLAYBOOK_LIST_MAX   500 /* entries of one list or mapping */
#define PLAYBOOK_NUMBER_MAX 63  /* what is a bit of a mask, or can be pointed at */

/* Fewer attempts, and people are given up who would have bought. */
#define PLAYBOOK_ATTEMPTS_LEAST 7

/* --- memory: everything lives until the playbook is closed, or until it is read -------------- */

struct playbook_arena *playbook_arena_open(void);
void playbook_arena_close(struct playbook_arena *arena);
/* Zeroed. There is always some: a playbook is small, and a process without memory ends. */
void *playbook_alloc(struct playbook_arena *arena, size_t bytes);
/* A copy, followed by a NUL that the length does not count. */
struct slice playbook_copy(struct playbook_arena *arena, struct slice text);

/* Places in the order in which they are told: those of the base last. */
uint64_t playbook_order(struct playbook_place at);

/* --- the tree -------------------------------------------------------------------------------- */

enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP };

struct tree {
    enum tree_kind kind;
    struct playbook_place at;
    struct slice text;  /* of a TEXT: a NUL stands behind it */
    struct tree *first; /* child of a LIST or MAP; of a MAP its keys */
    struct tree *next;  /* sibling */
    struct tree *value; /* of a key */
    unsigned count;     /* children */
};

/* One playbook being read. */
#define PLAYBOOK_COMPLAINTS_MAX 100 /* whoever mends a hundred may look again */
struct reading {
    struct playbook *playbook;
    struct playbook_arena *arena;
    struct playbook_arena *scratch; /* what only reading needs: nodes, but not their texts */
    const struct tree *root;
    struct playbook_complaint *complaints;
    unsigned complaint_count;
    bool stored; /* what it means was checked when it was stored */
};

void playbook_complain(struct reading *reading, struct playbook_place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* NULL: it is not YAML, which was complained about. `base`: it is the default. */
struct tree *playbook_tree(struct reading *reading, struct slice bytes, bool base);

struct tree *tree_find(const struct tree *map, const char *key); /* the key; NULL: none */

/* Adds what `map` does not say from `base`, which is used up. */
void tree_merge(struct tree *map, struct tree *base);

/* --- tables ---------------------------------------------------------------------------------- */

enum field_kind {
    FIELD_NAME,    /* struct slice: letters, digits, "_", "-", "." */
    FIELD_TEXT,    /* struct slice: any words */
    FIELD_TEXTS,   /* struct playbook_texts; one alone needs no list */
    FIELD_FLAG,    /* bool */
    FIELD_COUNT,   /* uint32_t */
    FIELD_SPAN,    /* struct playbook_span */
    FIELD_MINUTE,  /* uint16_t, HH:MM */
    FIELD_PRICE,   /* uint64_t, hundredths */
    FIELD_WORD,    /* uint8_t, the number of a name */
    FIELD_WORDS,   /* uint64_t, a bit each; "all" are all; one alone needs no list */
    FIELD_RULE,    /* struct playbook_rule */
    FIELD_LIST,    /* PLAYBOOK_LIST, in the order of the file */
    FIELD_MAP,     /* PLAYBOOK_LIST, sorted by id */
    FIELD_BLOCK,   /* a struct inside */
    FIELD_HOURS,   /* the weekdays of a calendar */
    FIELD_HOLIDAYS /* PLAYBOOK_LIST(holiday) */
};

/* The name with that number, from 1 to PLAYBOOK_NUMBER_MAX; empty: there is none. */
typedef struct slice playbook_name_fn(const struct playbook *playbook, unsigned number);

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    bool must;
    const char *unless; /* what is meant when it is not there */
    const struct shape *shape;
    playbook_name_fn *name_of;
    uint32_t most; /* COUNT */
};

struct shape {
    const char *what; /* "a step" */
    const struct field *fields;
    unsigned field_count;
    size_t bytes;
    unsigned most;         /* 0: PLAYBOOK_LIST_MAX */
    bool has_id;           /* entries of a list say their id */
    const char *shorthand; /* the field that is meant where one value stands for the whole */
};

extern const struct shape playbook_shape;

/* Entries of LIST and MAP begin so. */
struct entry {
    struct slice id;
    struct playbook_place at;
};

struct entries {
    void *items;
    uint32_t count;
};

struct entries *entries_of(const void *owner, const struct field *field);
void *entry_at(const struct entries *entries, const struct shape *shape, unsigned index);

/* --- reading --------------------------------------------------------------------------------- */

void playbook_read(struct reading *reading, const struct tree *root);

/* One value; what is wrong with it was complained about. */
void playbook_read_value(struct reading *reading, const struct field *field,
                         const struct tree *node, void *out);
void playbook_write_value(const struct playbook *playbook, const struct field *field,
                          const void *value, struct text *out);
/* How a field looks that nobody mentioned. */
void playbook_no_value(const struct field *field, void *out);
bool playbook_has_value(const struct field *field, const void *value);

bool playbook_is_name(struct slice text);
bool playbook_is_readable(struct slice text); /* UTF-8 is; controls and the like are not */
/* Minutes of the day; 24:00 too where `whole`. */
bool playbook_minute_of(struct slice text, bool whole, uint16_t *out);

/* ": did you mean 'x'?" or the empty text, for what is none of some names. */
const char *playbook_guess(char buffer[128], const char *word, const char *const *names,
                           unsigned count);

void playbook_read_rule(struct reading *reading, const struct tree *node,
                        struct playbook_rule *out);
void playbook_test_write(const struct playbook_test *test, struct text *out);

void playbook_read_hours(struct reading *reading, const struct tree *node,
                         struct playbook_calendar *calendar);
void playbook_write_hours(const struct playbook_calendar *calendar, unsigned weekday,
                          struct text *out);
const char *playbook_weekday(unsigned weekday); /* from Monday, as files say it */
void playbook_read_holidays(struct reading *reading, const struct tree *node,
                            struct entries *holidays);
void playbook_holiday_write(const struct holiday *holiday, struct text *out);

/* --- and then -------------------------------------------------------------------------------- */

void playbook_write(const struct playbook *playbook, struct text *out);

/* Makes what is looked up: moves, outcomes by number. */
void playbook_compile(struct reading *reading);

/* --- and words for people -------------------------------------------------------------------- */

void playbook_rule_say(const struct playbook_rule *rule, struct text *out);
void playbook_triggers_say(const struct playbook *playbook, uint64_t on, struct text *out);

/* --- checks ---------------------------------------------------------------------------------- */

/* One look, at sections that must all be written without a mistake of form: else one mistake would
 * be told twice. */
struct check {
    const char *sections[4];
    void (*look)(struct reading *reading);
};
extern const struct check playbook_time_checks[];
extern const unsigned playbook_time_check_count;

void playbook_check(struct reading *reading);
void playbook_check_rule(struct reading *reading, const struct playbook_rule *rule,
                         struct playbook_place at);

#endif
