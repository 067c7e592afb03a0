/* What is promised about the first response: several tiers, of which the segment says one is the
 * deadline; and who hears of it when nobody claims it. Each tier and each rung comes once. */
#include "proto/must.h"
#include "server/engine_alone.h"

static const struct playbook *playbook_of(struct engine *engine, const struct task_row *row)
{
    return registry_playbook(engine->options.registry, row->playbook);
}

static const struct playbook_segment *segment_of(const struct playbook *playbook,
                                                 const struct task_row *row)
{
    return playbook_segment(playbook, row->segment);
}

static const struct playbook_chain *chain_of(const struct playbook *playbook,
                                             const struct task_row *row)
{
    const struct playbook_segment *segment = segment_of(playbook, row);

    return segment != NULL ? playbook_chain(playbook, segment->escalation) : NULL;
}

static uint64_t tier_at(struct engine *engine, const struct playbook *playbook,
                        const struct playbook_tier *tier, uint64_t from_ms)
{
    if (tier->within.ms != PLAYBOOK_NO_SPAN)
        return from_ms + playbook_span_about(tier->within);
    return engine_day_end(engine, &playbook->calendars.items[tier->calendar - 1], from_ms);
}

uint64_t engine_deadline(struct engine *engine, const struct task_row *row, uint64_t from_ms)
{
    const struct playbook *playbook = playbook_of(engine, row);
    const struct playbook_segment *segment = segment_of(playbook, row);

    if (row->kind != TASK_FIRST_RESPONSE || segment == NULL)
        return from_ms + DEADLINE_MS;
    return tier_at(engine, playbook, &playbook->sla.items[segment->sla - 1], from_ms);
}

static bool goes_by_day(const struct playbook_tier *tier)
{
    return tier->within.ms == PLAYBOOK_NO_SPAN && tier->calendar != 0;
}

/* The first tier that goes by a business day says which; 0: none does, or that day never ends. */
static uint64_t day_promised(struct engine *engine, const struct playbook *playbook,
                             uint64_t from_ms)
{
    for (uint32_t i = 0; i < playbook->sla.count; i++) {
        const struct playbook_tier *tier = &playbook->sla.items[i];
        uint64_t end_ms;
        if (!goes_by_day(tier))
            continue;
        end_ms = tier_at(engine, playbook, tier, from_ms);
        return end_ms == UINT64_MAX ? 0 : end_ms;
    }
    return 0;
}

void engine_promise_day(struct engine *engine, struct task_row *row, uint64_t asked_ms)
{
    row->promise_ms = day_promised(engine, playbook_of(engine, row), asked_ms);
}

void engine_promise(struct engine *engine, struct task_row *row, uint64_t from_ms)
{
    const struct playbook *playbook = playbook_of(engine, row);
    const struct playbook_segment *segment = segment_of(playbook, row);

    row->deadline_ms = engine_deadline(engine, row, from_ms);
    engine_promise_day(engine, row, from_ms);
    if (segment == NULL)
        return;
    row->tiers = 1u << segment->sla;
    row->rung = 1;
}

/* From when on the tiers count: the deadline tells, because it moves with the window. */
static uint64_t promised_from(const struct playbook *playbook,
                              const struct playbook_segment *segment, const struct task_row *row)
{
    const struct playbook_tier *own = &playbook->sla.items[segment->sla - 1];

    return own->within.ms != PLAYBOOK_NO_SPAN ? row->deadline_ms - playbook_span_about(own->within)
                                              : row->received_ms;
}

unsigned engine_next_tier(struct engine *engine, const struct task_row *row, uint64_t *at_ms_out)
{
    const struct playbook *playbook = playbook_of(engine, row);
    const struct playbook_segment *segment = segment_of(playbook, row);
    unsigned next = 0;

    if (segment == NULL)
        return 0;
    for (unsigned tier = 1; tier <= playbook->sla.count; tier++) {
        uint64_t at_ms;
        if (row->tiers >> tier & 1)
            continue;
        at_ms = tier_at(engine, playbook, &playbook->sla.items[tier - 1],
                        promised_from(playbook, segment, row));
        if (next == 0 || at_ms < *at_ms_out) {
            next = tier;
            *at_ms_out = at_ms;
        }
    }
    return next;
}

uint64_t engine_next_rung_ms(struct engine *engine, const struct task_row *row)
{
    const struct playbook_chain *chain = chain_of(playbook_of(engine, row), row);

    if (row->rung == 0 || chain == NULL || row->rung > chain->rungs.count)
        return UINT64_MAX;
    return row->not_before_ms + playbook_span_about(chain->rungs.items[row->rung - 1].after);
}

void life_miss_promise(struct life *life, const struct task_row *row)
{
    life->who->row.missed_s = (uint32_t)(row->promise_ms / 1000);
    life_note_missed(life, row);
}

void life_miss_tier(struct life *life, struct task_row *row, uint64_t due_ms)
{
    uint64_t at_ms;
    unsigned tier = engine_next_tier(life->engine, row, &at_ms);
    struct effect_escalated effect = {
        .task = row->number, .due_ms = due_ms, .playbook = row->playbook, .tier = (uint8_t)tier};

    if (goes_by_day(&playbook_of(life->engine, row)->sla.items[tier - 1]))
        life_miss_promise(life, row);
    row->tiers |= 1u << tier;
    life_effect(life, EFFECT_ESCALATED, &effect, sizeof(effect));
    life_task_effect(life, row, 0);
}

static void send_robot(struct life *life, const struct task_row *row,
                       const struct playbook_rung *rung, struct effect_escalated *effect)
{
    enum task_channel channel = (enum task_channel)rung->channel;
    struct task_row robots;
    uint32_t queue = life_queue(life, slice_of(task_channel_name(channel)));

    effect->skip = (uint8_t)life_cannot(life, channel, queue);
    if (effect->skip != SKIP_NONE)
        return;
    life_new_task(life, channel, TASK_ESCALATION, &robots);
    robots.playbook = effect->playbook; /* where its template stands */
    robots.segment = row->segment;
    robots.queue = queue;
    robots.rung = effect->rung;
    robots.deadline_ms = life->turn->now_ms + ROBOT_WITHIN_MS;
    effect->opened = robots.number;
    life_open_task(life, &robots, life->turn->now_ms);
}

void life_climb(struct life *life, struct task_row *row, uint64_t due_ms)
{
    const struct playbook *playbook = playbook_of(life->engine, row);
    const struct playbook_chain *chain = chain_of(playbook, row);
    const struct playbook_rung *rung = chain != NULL && row->rung <= chain->rungs.count
                                           ? &chain->rungs.items[row->rung - 1]
                                           : NULL;
    struct effect_escalated effect = {
        .task = row->number,
        .due_ms = due_ms,
        .playbook = row->playbook,
        .rung = row->rung,
    };

    row->rung++;
    if (rung == NULL) { /* its version of the playbook has no such rung */
        life_task_effect(life, row, 0);
        return;
    }
    life_task_effect(life, row, life_escalate(life, row, (enum playbook_whom)rung->whom));
    effect.chain = (uint8_t)(chain - playbook->escalations.items + 1);
    if (rung->whom == PLAYBOOK_ROBOT)
        send_robot(life, row, rung, &effect);
    life_effect(life, EFFECT_ESCALATED, &effect, sizeof(effect));
}
