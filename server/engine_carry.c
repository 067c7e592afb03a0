/* Where a person stands in a cadence, told in another version of the playbook. Cadences and steps
 * are found by their ids; which of the steps are over is carried along, wherever they stand there.
 *
 * The row knows one step as the next one. All before it are over, in the order of its version, and
 * of those behind it the ones whose bits are set in `passed`. */
#include <string.h>

#include "server/engine_internal.h"

struct carrying {
    struct life *life;
    const struct playbook *old;
    const struct playbook_cadence *from, *to;
    bool has_told;
    bool told[PLAYBOOK_STEPS_MAX]; /* of `to`: a record of this run says what became of it */
    bool over[PLAYBOOK_STEPS_MAX]; /* of `to`: never to be done in this run */
};

static unsigned cadence_named(const struct playbook *playbook, struct slice id)
{
    for (unsigned i = 0; i < playbook->cadences.count; i++)
        if (slice_equal(playbook->cadences.items[i].id, id))
            return i + 1;
    return 0;
}

/* 0: it has none of that id. */
static unsigned step_named(const struct playbook_cadence *cadence, struct slice id)
{
    for (unsigned i = 0; i < cadence->steps.count; i++)
        if (slice_equal(cadence->steps.items[i].id, id))
            return i + 1;
    return 0;
}

static const struct playbook *playbook_of(struct engine *engine, const struct person_row *row)
{
    return registry_playbook(engine->options.registry, row->playbook);
}

/* --- the same, in two versions ---------------------------------------------------------------- */

static struct slice id_of_cadence(struct engine *engine, const struct person_row *row)
{
    const struct playbook_cadence *cadence =
        playbook_cadence(playbook_of(engine, row), row->cadence);

    return cadence != NULL ? cadence->id : (struct slice){0};
}

static struct slice id_of_held(struct engine *engine, const struct person_row *row)
{
    const struct playbook_step *step =
        playbook_step(playbook_of(engine, row), row->held_cadence, row->held_step);

    return step != NULL ? step->id : (struct slice){0};
}

bool engine_is_same_run(struct engine *engine, const struct person_row *a,
                        const struct person_row *b)
{
    return a->cadence_ms == b->cadence_ms &&
           slice_equal(id_of_cadence(engine, a), id_of_cadence(engine, b));
}

bool engine_is_same_held(struct engine *engine, const struct person_row *a,
                         const struct person_row *b)
{
    return a->held_ms == b->held_ms && slice_equal(id_of_held(engine, a), id_of_held(engine, b));
}

/* --- what records say ------------------------------------------------------------------------- */

static void note_step(struct carrying *carrying, const struct effect_step *effect, bool *told)
{
    const struct playbook *playbook =
        registry_playbook(carrying->life->engine->options.registry, effect->playbook);
    const struct playbook_cadence *cadence = playbook_cadence(playbook, effect->cadence);
    const struct playbook_step *step = playbook_step(playbook, effect->cadence, effect->step);
    unsigned number;

    if (step == NULL || !slice_equal(cadence->id, carrying->to->id))
        return;
    number = step_named(carrying->to, step->id);
    if (number != 0)
        told[number - 1] = true;
}

static void note_steps(struct carrying *carrying, const struct record_view *record, bool *told)
{
    struct effect_step effect;
    enum effect_kind kind;
    struct slice body;
    size_t offset = 0;

    while ((kind = effect_next(record, &offset, &body)) != 0) {
        if (kind != EFFECT_STEP)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        if (effect.skip != SKIP_UNDONE) /* told when it was given out */
            note_step(carrying, &effect, told);
    }
}

/* What is due belongs to the run in which the person was until then: the last step of a round may
 * begin the next one. Other records have the first steps of a run that they begin. */
static bool is_of_run_before(enum record_kind kind)
{
    return kind == RECORD_STEP || kind == RECORD_SKIPPED || kind == RECORD_PARKED;
}

/* Whose run it was before this record: of somebody merged, who brought it, or still the same. */
static uint64_t run_before(const struct record_view *record, uint64_t person, uint64_t began_ms)
{
    struct effect_merged merged;

    if (record->header.kind != RECORD_MERGED ||
        !effect_find(record, EFFECT_MERGED, &merged, sizeof(merged)) ||
        merged.kept_before.cadence_ms == began_ms || merged.other_before.cadence_ms != began_ms)
        return person;
    return merged.other;
}

static uint64_t seq_before(const struct carrying *carrying, const struct record_view *record,
                           uint64_t *person)
{
    uint64_t whose = run_before(record, *person, carrying->life->who->row.cadence_ms);
    struct engine_person other;

    if (whose == *person || !engine_load_person(carrying->life->engine, whose, &other))
        return record->header.person_prev;
    *person = whose;
    return other.last_seq;
}

/* What became of the steps of this run, newest first; an amendment may have interrupted it. */
static void look_back(struct carrying *carrying)
{
    const struct life *life = carrying->life;
    const uint64_t began_ms = life->who->row.cadence_ms;
    bool waiting[PLAYBOOK_STEPS_MAX] = {false}; /* told, by records whose run is not known yet */
    uint64_t seq = life->who->last_seq, person = life->who->number;

    carrying->has_told = true;
    for (unsigned i = 0; i < LOOKS_BACK && seq != 0; i++) {
        struct record_view record;
        struct person_row row;

        if (journal_batch_read(life->engine->options.journal, seq, &record) != STATUS_OK ||
            record.header.now_ms < began_ms)
            return;
        bool is_due = is_of_run_before((enum record_kind)record.header.kind);
        if (!is_due)
            note_steps(carrying, &record, waiting);
        if (effect_find_person(&record, person, &row)) {
            for (unsigned j = 0; row.cadence_ms == began_ms && j < carrying->to->steps.count; j++)
                carrying->told[j] |= waiting[j];
            memset(waiting, 0, sizeof(waiting));
        }
        if (is_due)
            note_steps(carrying, &record, waiting);
        seq = seq_before(carrying, &record, &person);
    }
}

/* --- the steps -------------------------------------------------------------------------------- */

/* By the numbers of the version that the row is of. */
static bool is_over_there(const struct person_row *row, unsigned step)
{
    unsigned behind = step - row->step - 1;

    if (step <= row->step)
        return step < row->step;
    return behind < PASSED_BITS && row->passed >> behind & 1;
}

/* One that is new to the person is not made up for. */
static bool is_over(struct carrying *carrying, unsigned index)
{
    const struct playbook_step *step = &carrying->to->steps.items[index];
    struct life *life = carrying->life;
    unsigned there = step_named(carrying->from, step->id);

    if (there != 0)
        return is_over_there(&life->who->row, there);
    if (life_step_at(life, step) <= life->turn->now_ms)
        return true;
    if (!carrying->has_told)
        look_back(carrying);
    return carrying->told[index];
}

/* False: one that is over stands too far behind the next one. */
static bool find_passed(struct carrying *carrying, unsigned next)
{
    struct person_row *row = &carrying->life->who->row;

    row->passed = 0;
    for (unsigned i = next + 1; i < carrying->to->steps.count; i++) {
        if (!carrying->over[i])
            continue;
        if (i - next > PASSED_BITS)
            return false;
        row->passed |= 1u << (i - next - 1);
    }
    return true;
}

static bool carry_steps(struct carrying *carrying, uint8_t *lost)
{
    struct life *life = carrying->life;
    struct person_row *row = &life->who->row;
    const struct playbook_cadence *to = carrying->to;
    unsigned next = 0;

    if (step_named(to, carrying->from->steps.items[row->step - 1].id) == 0)
        *lost |= MOVE_LOST_STEP;
    for (unsigned i = 0; i < to->steps.count; i++)
        carrying->over[i] = is_over(carrying, i);
    while (next < to->steps.count && carrying->over[next])
        next++;
    if (next == to->steps.count) {
        life_go_on(life);
        return true;
    }
    row->step = (uint8_t)(next + 1);
    row->step_ms = life_step_at(life, &to->steps.items[next]);
    return find_passed(carrying, next);
}

/* --- the person ------------------------------------------------------------------------------- */

static void carry_held(struct carrying *carrying, uint8_t *lost)
{
    const struct playbook *playbook = carrying->life->playbook;
    struct person_row *row = &carrying->life->who->row;
    const struct playbook_cadence *from;
    unsigned cadence, step = 0;

    if (row->held_ms == 0)
        return;
    from = &carrying->old->cadences.items[row->held_cadence - 1];
    cadence = cadence_named(playbook, from->id);
    if (cadence != 0)
        step = step_named(&playbook->cadences.items[cadence - 1],
                          from->steps.items[row->held_step - 1].id);
    if (step == 0) {
        *lost |= MOVE_LOST_HELD;
        row->held_ms = 0;
        cadence = 0;
    }
    row->held_cadence = (uint8_t)cadence;
    row->held_step = (uint8_t)step;
}

static bool carry_cadence(struct carrying *carrying, uint8_t *lost)
{
    struct life *life = carrying->life;
    struct person_row *row = &life->who->row;
    unsigned cadence;

    if (row->cadence == 0)
        return true;
    carrying->from = &carrying->old->cadences.items[row->cadence - 1];
    cadence = cadence_named(life->playbook, carrying->from->id);
    row->cadence = (uint8_t)cadence;
    if (cadence == 0) {
        *lost |= MOVE_LOST_CADENCE;
        if (row->step != 0)
            life_start_segments(life);
        else
            row->cadence_ms = 0;
        return true;
    }
    carrying->to = &life->playbook->cadences.items[cadence - 1];
    return row->step == 0 || carry_steps(carrying, lost);
}

bool life_take_run(struct life *life, const struct person_row *from)
{
    struct person_row *row = &life->who->row;
    const struct person_row before = *row;
    struct carrying carrying = {.life = life, .old = playbook_of(life->engine, from)};
    uint8_t lost = 0;

    row->cadence = from->cadence;
    row->cadence_ms = from->cadence_ms;
    row->step = from->step;
    row->passed = from->passed;
    row->step_ms = from->step_ms;
    if (row->playbook == from->playbook ||
        (carry_cadence(&carrying, &lost) && !(lost & MOVE_LOST_CADENCE)))
        return true;
    *row = before;
    return false;
}

void life_take_held(struct life *life, const struct person_row *from)
{
    struct person_row *row = &life->who->row;
    struct carrying carrying = {.life = life, .old = playbook_of(life->engine, from)};
    uint8_t lost = 0;

    row->held_ms = from->held_ms;
    row->held_cadence = from->held_cadence;
    row->held_step = from->held_step;
    if (row->playbook != from->playbook)
        carry_held(&carrying, &lost);
}

bool life_carry_over(struct life *life, const struct playbook *old, uint8_t *lost_out)
{
    struct carrying carrying = {.life = life, .old = old};

    *lost_out = 0;
    carry_held(&carrying, lost_out);
    if (!carry_cadence(&carrying, lost_out))
        return false;
    life_suit_cadence(life);
    return true;
}
