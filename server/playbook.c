/* Opening a playbook, and what is looked up in it later. */
#include "server/playbook.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "server/embedded.h"
#include "server/playbook_internal.h"

#define CHUNK_BYTES (16 * 1024)

/* --- memory ---------------------------------------------------------------------------------- */

struct chunk {
    struct chunk *next;
    size_t used, bytes;
    _Alignas(16) char memory[];
};

struct playbook_arena {
    struct chunk *chunks; /* the newest first */
};

static struct chunk *chunk_of(size_t bytes)
{
    struct chunk *chunk = memory_take_zeroed(1, sizeof(*chunk) + bytes);

    chunk->bytes = bytes;
    return chunk;
}

struct playbook_arena *playbook_arena_open(void)
{
    struct playbook_arena *arena = memory_take_zeroed(1, sizeof(*arena));

    arena->chunks = chunk_of(CHUNK_BYTES);
    return arena;
}

void playbook_arena_close(struct playbook_arena *arena)
{
    while (arena->chunks) {
        struct chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

void *playbook_alloc(struct playbook_arena *arena, size_t bytes)
{
    struct chunk *chunk = arena->chunks;
    size_t rounded = (bytes + 15) & ~(size_t)15;

    if (rounded > chunk->bytes - chunk->used) {
        chunk = chunk_of(rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    chunk->used += rounded;
    return chunk->memory + chunk->used - rounded;
}

struct slice playbook_copy(struct playbook_arena *arena, struct slice text)
{
    char *copy = playbook_alloc(arena, text.length + 1);

    if (text.length > 0)
        memcpy(copy, text.bytes, text.length);
    return (struct slice){copy, text.length};
}

/* --- opening --------------------------------------------------------------------------------- */

struct slice playbook_default(void)
{
    return (struct slice){embedded_default_yaml, embedded_default_yaml_bytes};
}

static const struct playbook *shipped;

/* It is right by itself, as its test says: on a machine without time zones, too. */
static void open_shipped(void)
{
    MUST(playbook_open_stored(playbook_default(), &shipped) == STATUS_OK);
}

const struct playbook *playbook_shipped(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    MUST(pthread_once(&once, open_shipped) == 0);
    return shipped;
}

static void take_out(struct tree *map, const char *name)
{
    struct tree **link = &map->first;

    while (*link && strcmp((*link)->text.bytes, name) != 0)
        link = &(*link)->next;
    if (*link) {
        *link = (*link)->next;
        map->count--;
    }
}

/* Where both say something the file counts; within a mapping, entry by entry. How it is called,
 * each playbook says itself. */
static void merge(struct tree *root, struct tree *base)
{
    take_out(base, "name");
    take_out(base, "title");
    for (struct tree *key = root->first; key; key = key->next) {
        struct tree *other = tree_find(base, key->text.bytes);
        if (other && key->value->kind == TREE_MAP && other->value->kind == TREE_MAP)
            tree_merge(key->value, other->value);
    }
    tree_merge(root, base);
}

/* Takes `based_on` out of the tree, and what it asks for in. */
static void take_base(struct reading *reading, struct tree *root)
{
    struct tree *key = tree_find(root, "based_on"), *base;

    if (!key)
        return;
    take_out(root, "based_on");
    /* Whatever else was meant: without a base all of it would be missing. */
    if (key->value->kind != TREE_TEXT || !slice_equal(key->value->text, SLICE("default")))
        playbook_complain(reading, key->value->at, "based_on: only 'default' can stand here");
    base = playbook_tree(reading, playbook_default(), true);
    MUST(base);
    merge(root, base);
}

uint64_t playbook_order(struct playbook_place at)
{
    return (uint64_t)at.base << 63 | (uint64_t)(at.line & INT32_MAX) << 31 | at.column;
}

static int compare_complaints(const void *a, const void *b)
{
    const struct playbook_complaint *left = a, *right = b;
    uint64_t lefts = playbook_order(left->at), rights = playbook_order(right->at);

    return (lefts > rights) - (lefts < rights);
}

/* The base is right by itself, so what is wrong in it follows from what the file says instead: it
 * is told when nothing else is. */
static void tell(struct reading *reading, playbook_complain_fn *complain, void *owner)
{
    if (reading->complaint_count > 1)
        qsort(reading->complaints, reading->complaint_count, sizeof(*reading->complaints),
              compare_complaints);
    for (unsigned i = 0; i < reading->complaint_count; i++) {
        if (reading->complaints[i].at.base && !reading->complaints[0].at.base)
            return;
        complain(owner, &reading->complaints[i]);
    }
}

static bool is_storable(struct slice canonical)
{
    char *bytes = memory_take(PLAYBOOK_ESCAPED_MAX);
    struct text out = text_over(bytes, PLAYBOOK_ESCAPED_MAX);

    text_json_string(&out, canonical);
    free(bytes);
    return canonical.length <= PLAYBOOK_CANONICAL_MAX && !out.overflow;
}

/* TOO_LARGE: to be stored; one that is already may have become longer, where a later release has
 * more to say. */
static enum status make_canonical(struct reading *reading)
{
    struct playbook *playbook = reading->playbook;
    char *bytes = memory_take(PLAYBOOK_FILE_MAX);
    struct text out = text_over(bytes, PLAYBOOK_FILE_MAX);
    bool fits;

    playbook_write(playbook, &out);
    fits = !out.overflow && (reading->stored || is_storable(text_slice(&out)));
    if (fits) {
        playbook->canonical = playbook_copy(playbook->arena, text_slice(&out));
        crypto_generichash(playbook->hash.bytes, sizeof(playbook->hash.bytes),
                           (const unsigned char *)playbook->canonical.bytes,
                           playbook->canonical.length, NULL, 0);
    }
    free(bytes);
    return fits ? STATUS_OK : STATUS_TOO_LARGE;
}

static enum status open_tree(struct reading *reading, struct tree *root)
{
    take_base(reading, root);
    reading->root = root;
    playbook_read(reading, root);
    playbook_compile(reading);
    if (!reading->stored)
        playbook_check(reading);
    if (reading->complaint_count > 0)
        return STATUS_INVALID;
    return make_canonical(reading);
}

static enum status open_bytes(struct slice bytes, bool stored, playbook_complain_fn *complain,
                              void *owner, const struct playbook **out)
{
    struct reading reading = {.stored = stored};
    struct tree *root;
    enum status status = STATUS_INVALID;

    *out = NULL;
    if (bytes.length > PLAYBOOK_FILE_MAX)
        return STATUS_TOO_LARGE;
    reading.arena = playbook_arena_open();
    reading.scratch = playbook_arena_open();
    reading.playbook = playbook_alloc(reading.arena, sizeof(*reading.playbook));
    reading.playbook->arena = reading.arena;
    root = playbook_tree(&reading, bytes, false);
    if (root)
        status = open_tree(&reading, root);
    if (complain)
        tell(&reading, complain, owner);
    playbook_arena_close(reading.scratch);
    if (status == STATUS_OK)
        *out = reading.playbook;
    else
        playbook_arena_close(reading.arena);
    return status;
}

enum status playbook_open(struct slice bytes, playbook_complain_fn *complain, void *owner,
                          const struct playbook **out)
{
    return open_bytes(bytes, false, complain, owner, out);
}

enum status playbook_open_stored(struct slice bytes, const struct playbook **out)
{
    return open_bytes(bytes, true, NULL, NULL, out);
}

void playbook_close(const struct playbook *playbook)
{
    if (playbook)
        playbook_arena_close(playbook->arena);
}

/* --- what is made for looking up ------------------------------------------------------------- */

static void compile_outcomes(struct reading *reading)
{
    struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->outcomes.count; i++) {
        enum outcome outcome = outcome_of(playbook->outcomes.items[i].id);
        playbook->by_outcome[outcome] = &playbook->outcomes.items[i];
    }
    playbook->by_outcome[OUTCOME_NONE] = NULL;
}

/* From all: from every other stage than the one that it leads to. */
static void compile_all(struct playbook *playbook)
{
    struct playbook_transition *transitions =
        (struct playbook_transition *)(uintptr_t)playbook->transitions.items;
    uint64_t all = (2ull << playbook->stages.count) - 2;

    for (uint32_t i = 0; i < playbook->transitions.count; i++)
        if (transitions[i].from == all)
            transitions[i].from &= ~(1ull << transitions[i].to);
}

static void note_asked(struct playbook *playbook, const struct playbook_rule *rule)
{
    _Static_assert(PLAYBOOK_FACT_END <= 32, "a bit for each");

    for (unsigned i = 0; i < (unsigned)rule->all + rule->any + rule->none; i++)
        playbook->asked |= 1u << rule->tests[i].fact;
}

/* So that whoever fills in the facts of a person looks up only what somebody asks for. */
static void compile_asked(struct playbook *playbook)
{
    for (uint32_t i = 0; i < playbook->stages.count; i++)
        note_asked(playbook, &playbook->stages.items[i].needs);
    for (uint32_t i = 0; i < playbook->transitions.count; i++)
        note_asked(playbook, &playbook->transitions.items[i].when);
    for (uint32_t i = 0; i < playbook->temperatures.count; i++)
        note_asked(playbook, &playbook->temperatures.items[i].when);
    for (uint32_t i = 0; i < playbook->personas.count; i++)
        note_asked(playbook, &playbook->personas.items[i].when);
    for (uint32_t i = 0; i < playbook->segments.count; i++)
        note_asked(playbook, &playbook->segments.items[i].when);
    for (uint32_t i = 0; i < playbook->cadences.count; i++)
        for (uint32_t j = 0; j < playbook->cadences.items[i].steps.count; j++)
            note_asked(playbook, &playbook->cadences.items[i].steps.items[j].when);
}

/* A move for each stage that a transition leaves, by stage, then in the order of the file. */
void playbook_compile(struct reading *reading)
{
    struct playbook *playbook = reading->playbook;
    struct playbook_stage *stages = (struct playbook_stage *)(uintptr_t)playbook->stages.items;
    size_t most = (size_t)playbook->stages.count * playbook->transitions.count;
    struct playbook_move *moves = playbook_alloc(reading->arena, (most + 1) * sizeof(*moves));

    compile_outcomes(reading);
    compile_all(playbook);
    compile_asked(playbook);
    playbook->moves = moves;
    for (unsigned stage = 1; stage <= playbook->stages.count; stage++) {
        stages[stage - 1].move_first = playbook->move_count;
        for (uint32_t i = 0; i < playbook->transitions.count; i++) {
            const struct playbook_transition *transition = &playbook->transitions.items[i];
            if (!(transition->from >> stage & 1) || transition->to == 0)
                continue;
            moves[playbook->move_count++] = (struct playbook_move){
                .from = (uint8_t)stage,
                .to = transition->to,
                .on = transition->on,
                .transition = transition,
            };
        }
        stages[stage - 1].move_count = playbook->move_count - stages[stage - 1].move_first;
    }
}

/* --- looking up ------------------------------------------------------------------------------ */

unsigned playbook_stage_of(const struct playbook *playbook, struct slice id)
{
    for (unsigned i = 0; i < playbook->stages.count; i++) {
        if (slice_equal(playbook->stages.items[i].id, id))
            return i + 1;
    }
    return 0;
}

struct slice playbook_stage_id(const struct playbook *playbook, unsigned stage)
{
    return stage > 0 && stage <= playbook->stages.count ? playbook->stages.items[stage - 1].id
                                                        : (struct slice){0};
}

const struct playbook_tier *playbook_tier(const struct playbook *playbook, unsigned tier)
{
    return tier > 0 && tier <= playbook->sla.count ? &playbook->sla.items[tier - 1] : NULL;
}

const struct playbook_tier *playbook_deadline(const struct playbook *playbook, unsigned segment)
{
    return segment > 0 && segment <= playbook->segments.count
               ? playbook_tier(playbook, playbook->segments.items[segment - 1].sla)
               : NULL;
}

enum outcome playbook_outcome_of(const struct playbook *playbook, struct slice word)
{
    enum outcome outcome = outcome_of(word);

    for (uint32_t i = 0; i < playbook->aliases.count && outcome == OUTCOME_NONE; i++) {
        if (slice_equal(playbook->aliases.items[i].id, word))
            outcome = (enum outcome)playbook->aliases.items[i].outcome;
    }
    return outcome;
}

unsigned playbook_move(const struct playbook *playbook, unsigned stage, uint64_t on,
                       const struct playbook_facts *facts)
{
    const struct playbook_stage *from;

    if (stage == 0 || stage > playbook->stages.count)
        return stage;
    from = &playbook->stages.items[stage - 1];
    for (uint32_t i = 0; i < from->move_count; i++) {
        const struct playbook_move *move = &playbook->moves[from->move_first + i];
        if ((move->on & on) && playbook_holds(&move->transition->when, facts) &&
            playbook_holds(&playbook->stages.items[move->to - 1].needs, facts))
            return move->to;
    }
    return stage;
}

enum playbook_way playbook_way(const struct playbook *playbook, unsigned from, unsigned to,
                               uint64_t on, const struct playbook_facts *facts)
{
    enum playbook_way way = PLAYBOOK_WAY_NONE;

    for (uint32_t i = 0; i < playbook->move_count; i++) {
        const struct playbook_move *move = &playbook->moves[i];
        if (move->from != from || move->to != to || !(move->on & on))
            continue;
        if (playbook_holds(&move->transition->when, facts) &&
            playbook_holds(&playbook->stages.items[to - 1].needs, facts))
            return PLAYBOOK_WAY_OPEN;
        way = PLAYBOOK_WAY_SHUT;
    }
    return way;
}

const struct playbook_segment *playbook_segment_of(const struct playbook *playbook,
                                                   const struct playbook_facts *facts)
{
    const struct playbook_segment *segment = playbook->segments.items;

    while (!playbook_holds(&segment->when, facts)) {
        segment++;
        MUST(segment < playbook->segments.items + playbook->segments.count);
    }
    return segment;
}

const struct playbook_label *playbook_label_of(const struct playbook_label *labels, uint32_t count,
                                               const struct playbook_facts *facts)
{
    for (uint32_t i = 0; i < count; i++) {
        if (playbook_holds(&labels[i].when, facts))
            return &labels[i];
    }
    return NULL;
}

#define ITEM(list, number)                                                                         \
    ((number) > 0 && (number) <= (list).count ? &(list).items[(number)-1] : NULL)

const struct playbook_cadence *playbook_cadence(const struct playbook *playbook, unsigned number)
{
    return ITEM(playbook->cadences, number);
}

const struct playbook_segment *playbook_segment(const struct playbook *playbook, unsigned number)
{
    return ITEM(playbook->segments, number);
}

const struct playbook_chain *playbook_chain(const struct playbook *playbook, unsigned number)
{
    return ITEM(playbook->escalations, number);
}

const struct playbook_step *playbook_step(const struct playbook *playbook, unsigned cadence,
                                          unsigned step)
{
    const struct playbook_cadence *found = playbook_cadence(playbook, cadence);

    return found ? ITEM(found->steps, step) : NULL;
}

const struct playbook_cadence *playbook_next(const struct playbook *playbook,
                                             const struct playbook_cadence *cadence)
{
    return cadence->then > PLAYBOOK_GOES_ON
               ? playbook_cadence(playbook, cadence->then - (unsigned)PLAYBOOK_GOES_ON)
               : NULL;
}

bool playbook_in_ring(const struct playbook *playbook, const struct playbook_cadence *cadence)
{
    const struct playbook_cadence *at = cadence;

    for (uint32_t i = 0; i < playbook->cadences.count && at; i++) {
        at = playbook_next(playbook, at);
        if (at == cadence)
            return true;
    }
    return false;
}

struct slice playbook_say(const struct playbook *playbook, struct slice id)
{
    for (uint32_t i = 0; i < playbook->words.count; i++) {
        if (slice_equal(playbook->words.items[i].id, id) && playbook->words.items[i].say.length > 0)
            return playbook->words.items[i].say;
    }
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        if (slice_equal(playbook->stages.items[i].id, id))
            return playbook->stages.items[i].title;
    }
    return id;
}
