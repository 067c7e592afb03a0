/* What comes next for a person, and what of it has happened, in the words of its playbook. */
#include <string.h>

#include "proto/known.h"
#include "proto/task.h"
#include "proto/zone.h"
#include "server/api_read.h"
#include "server/engine.h"
#include "server/law.h"
#include "server/playbook.h"

static struct slice cadence_id(const struct playbook *playbook, unsigned cadence)
{
    return cadence > 0 && cadence <= playbook->cadences.count
               ? playbook->cadences.items[cadence - 1].id
               : (struct slice){0};
}

static const struct playbook_step *find_step(const struct playbook *playbook, unsigned cadence,
                                             unsigned step)
{
    if (cadence == 0 || cadence > playbook->cadences.count || step == 0 ||
        step > playbook->cadences.items[cadence - 1].steps.count)
        return NULL;
    return &playbook->cadences.items[cadence - 1].steps.items[step - 1];
}

static const struct playbook *playbook_of(const struct reading *reading, uint32_t number)
{
    return registry_playbook(reading->api->options.registry, number);
}

/* The version, as `hotlead playbook show ID --version N` has it. */
static void write_playbook(const struct reading *reading, struct text *out, uint32_t number)
{
    const struct registry *registry = reading->api->options.registry;
    const struct playbook_version *version =
        registry_playbook_version(registry, registry_pinned(registry, number));

    text_string(out, "\"playbook\":{\"id\":");
    text_json_string(out, slice_of(version != NULL ? version->id : "default"));
    text_printf(out, ",\"version\":%u}", version != NULL ? (unsigned)version->version : 0);
}

static void write_next(struct text *out, const struct playbook *playbook,
                       const struct person_row *row)
{
    const struct playbook_step *step = find_step(playbook, row->cadence, row->step);

    text_string(out, ",\"next_step\":");
    if (step == NULL || row->step_ms == 0) {
        text_string(out, "null");
    } else {
        text_string(out, "{\"id\":");
        text_json_string(out, step->id);
        write_member_text(out, "channel",
                          slice_of(task_channel_name((enum task_channel)step->channel)));
        write_member_ms(out, "due_ms", row->step_ms);
        text_char(out, '}');
    }
    step = find_step(playbook, row->held_cadence, row->held_step);
    text_string(out, ",\"held_step\":");
    if (step == NULL || row->held_ms == 0) {
        text_string(out, "null");
    } else {
        text_string(out, "{\"id\":");
        text_json_string(out, step->id);
        write_member_text(out, "reason",
                          slice_equal(step->without_name, SLICE("hold")) ? SLICE("no_name")
                                                                         : SLICE("unmerged"));
        write_member_ms(out, "until_ms", row->held_ms);
        text_char(out, '}');
    }
    text_string(out, ",\"next_call\":");
    if (row->call_ms == 0) {
        text_string(out, "null");
    } else {
        text_string(out, "{\"why\":");
        text_json_string_or_null(out, slice_of(call_why_name((enum call_why)row->call_why)));
        write_member_ms(out, "due_ms", row->call_ms);
        text_char(out, '}');
    }
}

static void write_silenced(struct text *out, uint16_t silenced)
{
    const char *between = "";

    text_string(out, ",\"silenced\":[");
    for (unsigned channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++) {
        if (!(silenced >> channel & 1))
            continue;
        text_printf(out, "%s\"%s\"", between, task_channel_name((enum task_channel)channel));
        between = ",";
    }
    text_char(out, ']');
}

/* Both as of now: points lose their weight with time. */
static void write_temperature(struct text *out, const struct playbook *playbook,
                              const struct person_row *row, uint64_t now_ms)
{
    static struct playbook_facts facts;
    const struct playbook_label *label;

    memset(&facts, 0, sizeof(facts));
    engine_plain_facts(playbook, row, now_ms, &facts);
    label = playbook_label_of(playbook->temperatures.items, playbook->temperatures.count, &facts);
    text_printf(out, ",\"score\":%llu", (unsigned long long)facts.of[PLAYBOOK_FACT_SCORE].number);
    write_member_text(out, "temperature", label != NULL ? label->id : (struct slice){0});
}

void write_life(const struct reading *reading, struct text *out, const struct person_row *row)
{
    const struct playbook *playbook = playbook_of(reading, row->playbook);

    write_member_text(out, "stage", playbook_stage_id(playbook, row->stage));
    text_char(out, ',');
    write_playbook(reading, out, row->playbook);
    write_member_text(out, "segment",
                      row->segment > 0 && row->segment <= playbook->segments.count
                          ? playbook->segments.items[row->segment - 1].id
                          : (struct slice){0});
    write_member_text(out, "cadence", cadence_id(playbook, row->cadence));
    write_next(out, playbook, row);
    write_temperature(out, playbook, row, clock_now_ms(reading->api->options.clock));
    write_member_ms(out, "due_ms", row->due_ms);
    write_member_text(out, "closed", slice_of(person_end_name((enum person_end)row->closed)));
    write_silenced(out, row->silenced);
    if (row->sold_attempt != 0)
        text_printf(out, ",\"sold\":{\"cents\":%llu,\"attempt\":%u}",
                    (unsigned long long)row->sold_cents, (unsigned)row->sold_attempt);
}

/* --- what is known ------------------------------------------------------------- */

struct slice read_known(struct reading *reading, const struct person_row *row)
{
    struct record_view record;
    struct report report;

    if (row->known_seq == 0 ||
        journal_read(reading->journal, row->known_seq, &record) != STATUS_OK || record.erased ||
        report_decode(record.payload, &report) != STATUS_OK)
        return (struct slice){0};
    return report.known;
}

void write_known(struct reading *reading, struct text *out, const struct person_row *row)
{
    struct slice known = read_known(reading, row);

    known_write(out, "answers", known, KNOWN_ANSWER);
    known_write(out, "findings", known, KNOWN_FINDING);
}

/* --- what happened ------------------------------------------------------------- */

static void write_task(struct reading *reading, struct text *out, const char *name, uint64_t task)
{
    struct record_view opened;
    bool found = task != 0 && journal_read(reading->journal, task >> 3, &opened) == STATUS_OK;

    api_add_id(reading->api, out, name, ID_TASK, found ? opened.header.now_ms : 0,
               found ? task : 0);
}

static void write_step(struct reading *reading, struct text *out, const struct effect_step *effect)
{
    const struct playbook *playbook = playbook_of(reading, effect->playbook);
    const struct playbook_step *step = find_step(playbook, effect->cadence, effect->step);

    text_char(out, '{');
    write_playbook(reading, out, effect->playbook);
    write_member_text(out, "cadence", cadence_id(playbook, effect->cadence));
    write_member_text(out, "id", step != NULL ? step->id : (struct slice){0});
    write_member_text(out, "channel",
                      slice_of(task_channel_name((enum task_channel)effect->channel)));
    write_member_text(out, "why", slice_of(call_why_name((enum call_why)effect->why)));
    write_member_ms(out, "due_ms", effect->due_ms);
    write_task(reading, out, "task", effect->task);
    write_member_text(out, "skipped",
                      effect->skip != SKIP_NONE ? slice_of(skip_name((enum skip)effect->skip))
                                                : (struct slice){0});
    write_member_text(out, "template", step != NULL ? step->template : (struct slice){0});
    text_char(out, '}');
}

static void write_parked(struct reading *reading, struct text *out,
                         const struct effect_parked *effect)
{
    const struct zone *zone = zone_of_code(effect->zone);
    bool by_law = effect->by == PARKED_BY_LAW;

    text_string(out, ",\"parked\":{\"by\":");
    text_json_string(out, slice_of(parked_by_name((enum parked_by)effect->by)));
    write_task(reading, out, "task", effect->task);
    write_member_text(out, "reason",
                      by_law ? slice_of(law_reason_text((enum law_reason)effect->reason))
                             : (struct slice){0});
    write_member_text(out, "jurisdiction",
                      (struct slice){effect->jurisdiction,
                                     strnlen(effect->jurisdiction, sizeof(effect->jurisdiction))});
    write_member_text(out, "tz", zone != NULL ? slice_of(zone_name(zone)) : (struct slice){0});
    write_member_ms(out, "opens_ms", effect->opens_ms);
    write_member_ms(out, "closes_ms", effect->closes_ms);
    write_member_text(out, "law",
                      (struct slice){effect->law, strnlen(effect->law, sizeof(effect->law))});
    write_member_text(out, "tz_version",
                      (struct slice){effect->tz, strnlen(effect->tz, sizeof(effect->tz))});
    text_char(out, '}');
}

static void write_signal(struct reading *reading, struct text *out,
                         const struct effect_signal *effect)
{
    text_printf(out, ",\"signal\":{\"kind\":\"%s\",\"points\":%u,\"hot\":%s,\"hastened\":%s",
                signal_kind_name((enum signal_kind)effect->kind), (unsigned)effect->points,
                effect->hot ? "true" : "false", effect->hastened ? "true" : "false");
    write_task(reading, out, "task", effect->task);
    write_member_ms(out, "at_ms", effect->at_ms);
    text_char(out, '}');
}

static struct slice whom(const struct playbook *playbook, const struct effect_escalated *effect)
{
    static const char *const names[] = {
        [PLAYBOOK_AGENT] = "agent", [PLAYBOOK_MANAGER] = "manager", [PLAYBOOK_ROBOT] = "robot"};
    const struct playbook_chain *chain;

    if (effect->chain == 0 || effect->chain > playbook->escalations.count)
        return (struct slice){0};
    chain = &playbook->escalations.items[effect->chain - 1];
    return effect->rung > 0 && effect->rung <= chain->rungs.count
               ? slice_of(names[chain->rungs.items[effect->rung - 1].whom])
               : (struct slice){0};
}

static void write_escalated(struct reading *reading, struct text *out,
                            const struct effect_escalated *effect)
{
    const struct playbook *playbook = playbook_of(reading, effect->playbook);
    const struct playbook_tier *tier = playbook_tier(playbook, effect->tier);

    text_string(out, ",\"escalated\":{");
    write_playbook(reading, out, effect->playbook);
    write_task(reading, out, "task", effect->task);
    write_member_text(out, "tier", tier != NULL ? tier->id : (struct slice){0});
    if (tier != NULL && tier->alert)
        text_string(out, ",\"alert\":true");
    text_printf(out, ",\"rung\":%u", (unsigned)effect->rung);
    write_member_text(out, "to", whom(playbook, effect));
    write_member_ms(out, "due_ms", effect->due_ms);
    write_task(reading, out, "robot_task", effect->opened);
    write_member_text(out, "skipped",
                      effect->skip != SKIP_NONE ? slice_of(skip_name((enum skip)effect->skip))
                                                : (struct slice){0});
    text_char(out, '}');
}

void write_agent(const struct reading *reading, struct text *out, const char *name, uint32_t agent)
{
    const struct registry *registry = reading->api->options.registry;
    bool is_there = registry_agent(registry, agent) != NULL;

    write_member_text(out, name,
                      is_there ? registry_name(registry, ENTITY_AGENT, agent) : (struct slice){0});
}

static void write_assigned(struct reading *reading, struct text *out,
                           const struct effect_assigned *effect)
{
    const struct registry *registry = reading->api->options.registry;

    text_printf(out, "{\"why\":\"%s\"", assigned_why_name((enum assigned_why)effect->why));
    write_member_text(out, "from", registry_name(registry, ENTITY_AGENT, effect->from));
    write_member_text(out, "to", registry_name(registry, ENTITY_AGENT, effect->to));
    write_member_text(out, "queue", registry_name(registry, ENTITY_QUEUE, effect->queue));
    write_task(reading, out, "task", effect->task);
    text_char(out, '}');
}

/* All of them: one may be given up and somebody else chosen at once. */
static void write_all_assigned(struct reading *reading, struct text *out,
                               const struct record_view *record)
{
    const char *between = ",\"assigned\":[";
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind = effect_next(record, &offset, &body);

    for (; kind != 0; kind = effect_next(record, &offset, &body)) {
        struct effect_assigned effect;
        if (kind != EFFECT_ASSIGNED)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        text_string(out, between);
        between = ",";
        write_assigned(reading, out, &effect);
    }
    if (between[1] == '\0')
        text_char(out, ']');
}

/* Who handed somebody over, and what he said about it. */
static void write_hand(struct text *out, const struct record_view *record)
{
    struct report said;

    if (record->header.kind != RECORD_ASSIGNED || record->payload.length == 0 || record->erased ||
        report_decode(record->payload, &said) != STATUS_OK)
        return;
    write_member_text(out, "by", said.agent);
    write_member_text(out, "note", said.note);
}

static void write_state(struct reading *reading, struct text *out, const struct person_row *row)
{
    const struct playbook *playbook = playbook_of(reading, row->playbook);

    write_member_text(out, "stage", playbook_stage_id(playbook, row->stage));
    write_member_text(out, "cadence", cadence_id(playbook, row->cadence));
    write_next(out, playbook, row);
    write_member_text(out, "closed", slice_of(person_end_name((enum person_end)row->closed)));
}

/* Which promise was broken; in which window it may be done now. */
static void write_terms(const struct reading *reading, struct text *out, enum record_kind kind,
                        const struct task_row *row)
{
    const struct zone *zone = zone_of_code(row->zone);
    const struct playbook_tier *tier =
        row->kind == TASK_FIRST_RESPONSE
            ? playbook_deadline(playbook_of(reading, row->playbook), row->segment)
            : NULL;

    if (kind == RECORD_BREACH) {
        write_member_ms(out, "deadline_ms", row->deadline_ms);
        write_member_text(out, "tier", tier != NULL ? tier->id : (struct slice){0});
        if (tier != NULL && tier->alert)
            text_string(out, ",\"alert\":true");
    }
    if (kind == RECORD_OPENED && zone != NULL) {
        text_string(out, ",\"window\":{\"tz\":");
        text_json_string(out, slice_of(zone_name(zone)));
        write_member_ms(out, "opens_ms", row->not_before_ms);
        write_member_ms(out, "closes_ms", row->closes_ms);
        text_char(out, '}');
    }
}

/* A record may hold several: an opt-in's has those of its own moment. `step` is the first of them.
 */
static void write_steps(struct reading *reading, struct text *out, const struct record_view *record)
{
    const char *before = ",\"steps\":[";
    struct effect_step effect;
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    if (!effect_find(record, EFFECT_STEP, &effect, sizeof(effect)))
        return;
    text_string(out, ",\"step\":");
    write_step(reading, out, &effect);
    while ((kind = effect_next(record, &offset, &body)) != 0) {
        if (kind != EFFECT_STEP)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        text_string(out, before);
        write_step(reading, out, &effect);
        before = ",";
    }
    text_char(out, ']');
}

/* Who was parted from the record's person: the one whose row it brings as well. */
static uint64_t parted(const struct record_view *record)
{
    struct effect_person person;
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    while ((kind = effect_next(record, &offset, &body)) != 0) {
        if (kind != EFFECT_PERSON)
            continue;
        effect_copy(body, &person, sizeof(person));
        if (person.person != record->header.person)
            return person.person;
    }
    return 0;
}

/* Who did it, why, and what it was. */
static void write_by_hand(struct reading *reading, struct text *out,
                          const struct record_view *record, const struct effect_moved *moved,
                          uint64_t other)
{
    struct report said;
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    report_clear(&said);
    if (record->erased || report_decode(record->payload, &said) != STATUS_OK)
        report_clear(&said);
    write_member_text(out, "by", said.agent);
    write_member_text(out, "note", said.note);
    if (moved != NULL)
        write_moved(reading->api, out, moved);
    else if (state_read_person(reading->state, other, &row, &task, &last_seq))
        api_add_id(reading->api, out, "other", ID_PERSON, row.first_ms, other);
}

/* Whom it was about, told to the one or to the other. */
static uint64_t other_of(const struct record_view *record, uint64_t person, uint64_t other)
{
    return other == person ? record->header.person : other;
}

/* Where the person stood behind it; where the record says nothing of this one, where whoever it is
 * about did. */
static bool find_state(const struct record_view *record, uint64_t person, struct person_row *out)
{
    struct effect_alone alone;

    if (record->header.person != person && effect_find_alone(record, person, &alone)) {
        *out = alone.row;
        return true;
    }
    return effect_find_person(record, person, out) ||
           effect_find_person(record, record->header.person, out);
}

void write_happened(struct reading *reading, struct text *out, uint64_t whom,
                    const struct record_view *record)
{
    struct effect_parked parked;
    struct effect_escalated escalated;
    struct person_row row;
    struct effect_moved moved;
    struct effect_merged merged;
    struct effect_signal signal;
    struct effect_woken woken;
    struct effect_task task;

    if (effect_find(record, EFFECT_MOVED, &moved, sizeof(moved)))
        write_by_hand(reading, out, record, &moved, 0);
    if (effect_find(record, EFFECT_MERGED, &merged, sizeof(merged)))
        write_by_hand(reading, out, record, NULL, other_of(record, whom, merged.other));
    if (record->header.kind == RECORD_UNMERGED)
        write_by_hand(reading, out, record, NULL, other_of(record, whom, parted(record)));
    if (effect_find(record, EFFECT_SIGNAL, &signal, sizeof(signal)))
        write_signal(reading, out, &signal);
    if (effect_find(record, EFFECT_WOKEN, &woken, sizeof(woken)))
        text_printf(out, ",\"woken\":{\"call_ms\":%llu}", (unsigned long long)woken.at_ms);
    write_steps(reading, out, record);
    if (effect_find(record, EFFECT_TASK, &task, sizeof(task)))
        write_terms(reading, out, (enum record_kind)record->header.kind, &task.row);
    if (effect_find(record, EFFECT_PARKED, &parked, sizeof(parked)))
        write_parked(reading, out, &parked);
    if (effect_find(record, EFFECT_ESCALATED, &escalated, sizeof(escalated)))
        write_escalated(reading, out, &escalated);
    if (find_state(record, whom, &row))
        write_state(reading, out, &row);
    write_all_assigned(reading, out, record);
    write_hand(out, record);
}
