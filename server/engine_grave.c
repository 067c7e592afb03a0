/* The graveyard: people who went cold, and how they are taken up again, not all at once. */
#include "proto/task.h"
#include "server/engine_internal.h"

#define DAY_MS 86400000ull

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What robots send breaks no silence. */
uint64_t engine_silent_since(const struct person_row *row)
{
    uint64_t since_ms = later(row->last_ms, row->score_s * 1000ull);

    since_ms = later(since_ms, later(row->contact_ms, row->conversed_ms));
    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        if (row->touch_calls >> i & 1)
            return later(since_ms, row->touches[i] * 1000ull);
    return since_ms;
}

bool engine_is_cold(const struct person_row *row, const struct task_row *task, uint64_t now_ms,
                    uint64_t cold_ms, uint64_t slot_ms)
{
    if (row->optins == 0 || row->closed == PERSON_NOT_STARTED || row->closed == PERSON_STOPPED ||
        row->closed == PERSON_MERGED || (row->flags & (PERSON_DO_NOT_CONTACT | PERSON_CUSTOMER)))
        return false;
    if (hash_is_none(row->phone) || (row->silenced >> TASK_CALL & 1))
        return false;
    if ((task->number != 0 && task->channel == TASK_CALL) || row->call_why == CALL_AGREED)
        return false;
    if (row->call_ms != 0 && row->call_ms <= slot_ms)
        return false;
    return engine_silent_since(row) + cold_ms <= now_ms;
}

/* --- taking up again ------------------------------------------------------------------------ */

static const struct playbook *playbook_of(struct engine *engine, uint32_t agency)
{
    const struct registry *registry = engine->options.registry;
    const struct site of_agency = {.agency = agency};

    return registry_playbook(registry, registry_playbook_of(registry, &of_agency));
}

uint64_t engine_wake_slot(const struct playbook *playbook, uint64_t last_ms, uint64_t now_ms)
{
    uint32_t most = playbook->graveyard.per_day;

    return last_ms == 0 || most == 0 ? now_ms : later(now_ms, last_ms + (DAY_MS + most - 1) / most);
}

static uint64_t next_slot(struct engine *engine, const struct playbook *playbook, uint32_t agency,
                          uint64_t now_ms)
{
    const struct tally_key key = {.agency = agency, .kind = TALLY_WOKEN, .dimension = TALLY_ALL};

    return engine_wake_slot(playbook, state_tally_max(engine->options.state, &key), now_ms);
}

static bool may_be_woken(struct life *life, const struct command_wake *wake, uint64_t slot_ms)
{
    struct task_row none = {0}, open;

    return engine_is_cold(&life->who->row, &none, life->turn->now_ms, wake->cold_ms, slot_ms) &&
           !life_find_open(life, TASK_CALL, &open);
}

/* Days on which the person cannot be called are none of those that have so many: what waits for a
 * window are the calls of the 24 hours until it closes. */
static uint64_t skip_shut_days(struct life *life, uint64_t slot_ms)
{
    const struct task_row call = {.kind = TASK_WAKE, .channel = TASK_CALL};
    struct life_window window;

    life_window(life, &call, slot_ms, &window);
    return window.closes_ms > DAY_MS ? later(slot_ms, window.closes_ms - DAY_MS) : slot_ms;
}

enum status engine_decide_wake(struct engine *engine, const struct command *command,
                               const struct turn *turn, struct record *record,
                               struct settlement *settlement)
{
    const struct command_wake *wake = &command->wake;
    struct effect_woken effect = {.cold_ms = wake->cold_ms};
    const struct playbook *playbook;
    struct engine_person who;
    struct life life;

    if (!engine_load_person(engine, wake->person, &who) || who.row.agency != wake->agency)
        return settlement->status = STATUS_NOT_FOUND;
    playbook = playbook_of(engine, who.row.agency);
    life_begin(&life, engine, turn, &who);
    effect.at_ms = skip_shut_days(&life, next_slot(engine, playbook, who.row.agency, turn->now_ms));
    if (playbook->graveyard.per_day == 0 || !may_be_woken(&life, wake, effect.at_ms))
        return settlement->status = STATUS_CONFLICT;
    who.row.call_ms = effect.at_ms;
    who.row.call_why = CALL_WAKE;
    who.row.calls = 0;
    who.row.closed = PERSON_WORKED;
    life_keep_going(&life);
    engine_begin(record, RECORD_WOKEN, turn, who.number, who.last_seq, who.row.agency);
    engine_effect(record, EFFECT_WOKEN, &effect, sizeof(effect));
    life_end(&life, record, true);
    record_seal(record);
    settlement->call_ms = effect.at_ms;
    return STATUS_OK;
}
