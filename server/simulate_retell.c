#include "server/simulate_retell.h"

#include <stdlib.h>
#include <string.h>

#include "proto/email.h"
#include "proto/memory.h"
#include "proto/must.h"
#include "proto/task.h"
#include "server/memory_room.h"

#define ID_OF_ITS_OWN "retold"

/* A task of the journal's. */
struct real_task {
    uint64_t number;
    uint8_t channel;
};

struct retell {
    struct memory_room room;
    const struct playbook *playbook;
    struct optin words;
    struct retelling told;
    size_t entry_capacity, person_capacity;
    uint32_t *person_of[2]; /* index + 1, by number: the journal's, and the other one's */
    size_t of_capacity[2];
    uint64_t *waiting; /* pairs: a received opt-in, and whose it is when told again */
    size_t waiting_count;
    struct real_task *tasks; /* in order: their numbers grow with the records */
    size_t task_count, task_capacity;
    uint32_t playbooks; /* that were added */
};

static void *resized(void *rows, size_t count, size_t bytes)
{
    void *larger = reallocarray(rows, count, bytes);

    MUST(larger);
    return larger;
}

/* --- people --------------------------------------------------------------------------------------
 */

enum { JOURNALS, OTHERS };

static uint32_t *place_of(struct retell *retell, int whose, uint64_t number)
{
    size_t capacity = retell->of_capacity[whose];

    if (number >= capacity) {
        size_t larger = number < 512 ? 1024 : 2 * number;
        retell->person_of[whose] = resized(retell->person_of[whose], larger, sizeof(uint32_t));
        memset(retell->person_of[whose] + capacity, 0, (larger - capacity) * sizeof(uint32_t));
        retell->of_capacity[whose] = larger;
    }
    return &retell->person_of[whose][number];
}

/* Whom the journal knows by one number and the retelling by another. */
static void know(struct retell *retell, uint64_t number, uint64_t first_ms, uint64_t other)
{
    struct retelling *told = &retell->told;
    uint32_t *mine = place_of(retell, JOURNALS, number);

    if (*mine == 0) {
        if (told->person_count == retell->person_capacity) {
            retell->person_capacity = told->person_count == 0 ? 1024 : 2 * told->person_count;
            told->people = resized(told->people, retell->person_capacity, sizeof(*told->people));
        }
        told->people[told->person_count++] = (struct retold_person){number, first_ms, 0};
        *mine = (uint32_t)told->person_count;
    }
    if (other == 0)
        return;
    if (told->people[*mine - 1].other == 0)
        told->people[*mine - 1].other = other;
    uint32_t *others = place_of(retell, OTHERS, other);
    if (*others == 0)
        *others = *place_of(retell, JOURNALS, number);
}

/* --- entries
 * --------------------------------------------------------------------------------------- */

static void add_entry(struct retell *retell, const struct retold *entry)
{
    struct retelling *told = &retell->told;

    if (told->entry_count == retell->entry_capacity) {
        retell->entry_capacity = told->entry_count == 0 ? 4096 : 2 * told->entry_count;
        told->entries = resized(told->entries, retell->entry_capacity, sizeof(*told->entries));
    }
    told->entries[told->entry_count++] = *entry;
}

static void know_task(struct retell *retell, const struct task_row *row)
{
    if (retell->task_count == retell->task_capacity) {
        retell->task_capacity = retell->task_count == 0 ? 4096 : 2 * retell->task_count;
        retell->tasks = resized(retell->tasks, retell->task_capacity, sizeof(*retell->tasks));
    }
    retell->tasks[retell->task_count++] = (struct real_task){row->number, row->channel};
}

/* 0: the journal has no such task. */
static unsigned channel_of(const struct retell *retell, uint64_t number)
{
    size_t from = 0, to = retell->task_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (retell->tasks[middle].number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from < retell->task_count && retell->tasks[from].number == number
               ? retell->tasks[from].channel
               : 0;
}

static void add_task(struct retell *retell, const struct record_view *record,
                     const struct task_row *row, struct retold entry)
{
    if (row->number >> 3 != record->header.seq)
        return;
    if (entry.real)
        know_task(retell, row);
    entry.channel = row->channel;
    entry.kind = row->kind;
    entry.cadence = row->cadence;
    entry.step = row->step;
    entry.playbook = row->playbook;
    add_entry(retell, &entry);
}

/* Robots leave undone what they were given: steps, and what a chain escalates to. */
static enum task_kind kind_skipped(const struct effect_step *step)
{
    if (step->cadence != 0)
        return TASK_STEP;
    return step->skip == SKIP_UNDONE ? TASK_ESCALATION : TASK_RETRY;
}

static void add_skipped(struct retell *retell, const struct effect_step *step, struct retold entry)
{
    if (step->skip == SKIP_NONE)
        return;
    entry.channel = step->channel;
    entry.kind = (uint8_t)kind_skipped(step);
    entry.cadence = step->cadence;
    entry.step = step->step;
    entry.playbook = step->playbook;
    entry.skip = step->skip;
    add_entry(retell, &entry);
}

/* What of a record is told, if it is known by now whose it is. */
static void note(struct retell *retell, const struct record_view *record, bool real)
{
    uint32_t person = *place_of(retell, real ? JOURNALS : OTHERS, record->header.person);
    const struct retold entry = {.ms = record->header.now_ms, .person = person - 1, .real = real};
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    while (person != 0 && (kind = effect_next(record, &offset, &body)) != 0) {
        union {
            struct effect_task task;
            struct effect_step step;
        } effect;
        if (kind == EFFECT_TASK) {
            effect_copy(body, &effect.task, sizeof(effect.task));
            add_task(retell, record, &effect.task.row, entry);
        } else if (kind == EFFECT_STEP) {
            effect_copy(body, &effect.step, sizeof(effect.step));
            add_skipped(retell, &effect.step, entry);
        }
    }
}

static void note_last(struct retell *retell)
{
    struct record_view view;

    record_view_of(&retell->room.record, &view);
    note(retell, &view, false);
}

/* --- settings
 * -------------------------------------------------------------------------------------- */

/* Numbers from the top, where the journal's own do not come. */
static enum status add_playbook(struct retell *retell, struct slice agency, uint64_t now_ms)
{
    struct memory_room *room = &retell->room;
    struct effect_admin effect = {.entity = ENTITY_PLAYBOOK,
                                  .number = SITE_PLAYBOOK_NUMBER_MAX - retell->playbooks++};
    char *bytes = memory_take(SITE_PLAYBOOK_SETTINGS_MAX);
    struct text settings = text_over(bytes, SITE_PLAYBOOK_SETTINGS_MAX);
    enum status status = STATUS_CORRUPT;

    text_printf(&settings,
                "{\"id\":\"%.*s." ID_OF_ITS_OWN "\",\"agency\":\"%.*s\",\"version\":1,"
                "\"yaml\":",
                (int)agency.length, agency.bytes, (int)agency.length, agency.bytes);
    text_json_string(&settings, retell->playbook->canonical);
    text_char(&settings, '}');
    if (!settings.overflow && retell->playbooks < SITE_PLAYBOOK_NUMBER_MAX / 2) {
        record_begin(&room->record, RECORD_ADMIN, now_ms, 0);
        room->record.payload = text_slice(&settings);
        MUST(record_effect(&room->record, EFFECT_ADMIN, &effect, sizeof(effect)));
        status = memory_room_keep(room, now_ms);
    }
    free(bytes);
    return status;
}

/* The agency goes by the playbook from now on, and its sites by no other. */
static enum status choose_playbook(struct retell *retell, const struct effect_admin *effect,
                                   uint64_t now_ms)
{
    struct memory_room *room = &retell->room;
    const struct agency *agency = registry_agency(room->registry, effect->number);
    char id[2 * SITE_NAME_MAX], patch[4 * SITE_NAME_MAX];
    enum status status = STATUS_OK;

    if (effect->entity == ENTITY_SITE && registry_site(room->registry, effect->number))
        return memory_room_set(room, ENTITY_SITE, effect->number, "{\"playbook\":null}", now_ms);
    if (effect->entity != ENTITY_AGENCY || !agency)
        return STATUS_OK;
    snprintf(id, sizeof(id), "%s." ID_OF_ITS_OWN, agency->id);
    snprintf(patch, sizeof(patch), "{\"playbook\":\"%s\"}", id);
    if (registry_number(room->registry, ENTITY_PLAYBOOK, slice_of(id)) == 0)
        status = add_playbook(retell, slice_of(agency->id), now_ms);
    return status == STATUS_OK ? memory_room_set(room, ENTITY_AGENCY, effect->number, patch, now_ms)
                               : status;
}

/* As they are, with the same numbers. */
static enum status tell_settings(struct retell *retell, const struct record_view *record)
{
    struct memory_room *room = &retell->room;
    uint64_t now_ms = record->header.now_ms;
    enum status status;
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    record_begin(&room->record, RECORD_ADMIN, now_ms, record->header.agency);
    room->record.payload = record->payload;
    memcpy(room->record.effects, record->effects.bytes, record->effects.length);
    room->record.header.effects_bytes = (uint32_t)record->effects.length;
    status = memory_room_keep(room, now_ms);
    while (status == STATUS_OK && (kind = effect_next(record, &offset, &body)) != 0) {
        struct effect_admin effect;
        effect_copy(body, &effect, sizeof(effect));
        if (kind == EFFECT_ADMIN)
            status = choose_playbook(retell, &effect, now_ms);
    }
    return status;
}

/* --- opt-ins
 * ---------------------------------------------------------------------------------------- */

/* What the words say of who it is, as the intake understood them. */
static void identify(struct retell *retell, uint32_t agency, struct effect_received *facts)
{
    const struct hash_key *key = &retell->room.genesis.hash_key;
    const struct optin *words = &retell->words;
    char bytes[EMAIL_LENGTH_MAX + 1];
    struct text email = text_over(bytes, sizeof(bytes));

    if (words->text[OPTIN_PHONE_E164].length > 0)
        facts->phone = hash_of(key, HASH_PHONE, agency, words->text[OPTIN_PHONE_E164]);
    if (words->text[OPTIN_EMAIL].length > 0 &&
        email_normalise(words->text[OPTIN_EMAIL], &email) == STATUS_OK)
        facts->email = hash_of(key, HASH_EMAIL, agency, text_slice(&email));
}

/* Whose it is when told again; 0: nobody's. */
static uint64_t opt_in(struct retell *retell, const struct record_view *record,
                       const struct effect_received *facts, bool *made_out)
{
    const struct command command = {.kind = COMMAND_OPTIN,
                                    .now_ms = record->header.now_ms,
                                    .payload = record->payload,
                                    .optin = *facts};
    enum status status = memory_room_do(&retell->room, &command);

    retell->told.optins++;
    *made_out = status == STATUS_OK;
    return status == STATUS_OK || status == STATUS_DUPLICATE ? retell->room.settlement.optin.person
                                                             : 0;
}

static bool has_words(struct retell *retell, const struct record_view *record)
{
    bool has = !record->erased && optin_decode(record->payload, &retell->words) == STATUS_OK;

    retell->told.erased += !has;
    return has;
}

static void tell_optin(struct retell *retell, const struct record_view *record)
{
    struct effect_optin decided;
    struct effect_received facts = {.site = 0};
    uint64_t other = 0;
    bool made = false;

    if (!effect_find(record, EFFECT_OPTIN, &decided, sizeof(decided)))
        return;
    if (has_words(retell, record)) {
        facts.event = decided.event;
        facts.content = optin_content(&retell->words, &retell->room.genesis.hash_key, decided.site);
        facts.site = decided.site;
        facts.credential = decided.credential;
        facts.flags = decided.flags;
        facts.source = decided.source;
        facts.campaign = decided.campaign;
        identify(retell, record->header.agency, &facts);
        other = opt_in(retell, record, &facts, &made);
    }
    know(retell, record->header.person, decided.person_first_ms, other);
    if (made)
        note_last(retell);
}

/* Decided later: then it is known whose it was. */
static void tell_received(struct retell *retell, const struct record_view *record)
{
    struct effect_received facts;
    uint64_t other = 0;
    bool made;

    if (has_words(retell, record) && effect_find(record, EFFECT_RECEIVED, &facts, sizeof(facts)))
        other = opt_in(retell, record, &facts, &made);
    retell->waiting =
        resized(retell->waiting, 2 * (retell->waiting_count + 1), sizeof(*retell->waiting));
    retell->waiting[2 * retell->waiting_count] = record->header.seq;
    retell->waiting[2 * retell->waiting_count++ + 1] = other;
}

static void tell_decided(struct retell *retell, const struct record_view *record)
{
    struct effect_optin decided;
    uint64_t other = 0;

    if (!effect_find(record, EFFECT_OPTIN, &decided, sizeof(decided)))
        return;
    for (size_t i = 0; i < retell->waiting_count; i++)
        if (retell->waiting[2 * i] == decided.optin_seq)
            other = retell->waiting[2 * i + 1];
    know(retell, record->header.person, decided.person_first_ms, other);
}

/* --- reports
 * ---------------------------------------------------------------------------------------- */

/* An open task of that channel, of the oldest one. */
static bool find_open(struct retell *retell, uint64_t person, unsigned channel,
                      struct task_row *out)
{
    struct state *state = retell->room.state;
    struct person_row row;
    uint64_t last_seq, after = 0;

    if (!state_person_find(state, person, &row, out, &last_seq))
        return false;
    if (out->number != 0 && out->channel == channel)
        return true;
    while (state_task_next(state, person, after, out)) {
        if (out->channel == channel)
            return true;
        after = out->number;
    }
    return false;
}

static void tell_report(struct retell *retell, const struct record_view *record,
                        const struct effect_report *said)
{
    uint32_t person = *place_of(retell, JOURNALS, record->header.person);
    unsigned channel = channel_of(retell, said->task);
    struct command command = {
        .kind = COMMAND_REPORT, .now_ms = record->header.now_ms, .payload = record->payload};
    struct task_row row;
    enum status status;

    if (person == 0)
        return;
    retell->told.reports += said->op == REPORT_OUTCOME;
    if (!find_open(retell, retell->told.people[person - 1].other, channel, &row)) {
        retell->told.homeless += said->op == REPORT_OUTCOME;
        return;
    }
    command.report = (struct command_report){.task = row.number,
                                             .agent = said->agent,
                                             .started_ms = said->started_ms,
                                             .ended_ms = said->ended_ms,
                                             .call_at_ms = said->call_at_ms,
                                             .op = said->op,
                                             .outcome = said->outcome,
                                             .delivery = row.delivery,
                                             .manager = true};
    status = memory_room_do(&retell->room, &command);
    retell->told.refused += said->op == REPORT_OUTCOME && status != STATUS_OK;
    if (status == STATUS_OK)
        note_last(retell);
}

/* --- telling
 * ----------------------------------------------------------------------------------------- */

static enum status live_until(struct retell *retell, uint64_t until_ms)
{
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        uint64_t due_ms = engine_next_due_ms(retell->room.engine);
        if (due_ms > until_ms)
            return STATUS_OK;
        status = memory_room_due(&retell->room, due_ms);
        if (status == STATUS_OK)
            note_last(retell);
    }
    return status;
}

static void tell(struct retell *retell, const struct record_view *record)
{
    struct effect_report said;

    switch ((enum record_kind)record->header.kind) {
    case RECORD_OPTIN:
        tell_optin(retell, record);
        break;
    case RECORD_RECEIVED:
        tell_received(retell, record);
        break;
    case RECORD_DECIDED:
        tell_decided(retell, record);
        break;
    case RECORD_CLAIM:
    case RECORD_EXTEND:
    case RECORD_RELEASE:
    case RECORD_OUTCOME:
        if (effect_find(record, EFFECT_REPORT, &said, sizeof(said)))
            tell_report(retell, record, &said);
        break;
    default: /* what the journal's playbook had done by itself */
        break;
    }
}

enum status retell_record(struct retell *retell, const struct record_view *record)
{
    enum status status = live_until(retell, record->header.now_ms);

    if (status != STATUS_OK)
        return status;
    if (record->header.kind == RECORD_ADMIN)
        return tell_settings(retell, record);
    tell(retell, record);
    if (record->header.person != 0)
        note(retell, record, true);
    return STATUS_OK;
}

/* --- the end
 * ------------------------------------------------------------------------------------------ */

static int compare_entries(const void *a, const void *b)
{
    const struct retold *left = a, *right = b;

    if (left->person != right->person)
        return left->person < right->person ? -1 : 1;
    if (left->ms != right->ms)
        return left->ms < right->ms ? -1 : 1;
    if (left->channel != right->channel)
        return left->channel - right->channel;
    return right->real - left->real;
}

const struct retelling *retell_end(struct retell *retell, uint64_t until_ms)
{
    MUST(live_until(retell, until_ms) == STATUS_OK);
    if (retell->told.entry_count > 0)
        qsort(retell->told.entries, retell->told.entry_count, sizeof(*retell->told.entries),
              compare_entries);
    return &retell->told;
}

void retell_name(const struct retell *retell, const struct retold *entry, struct text *out)
{
    const struct playbook *playbook =
        entry->real ? registry_playbook(retell->room.registry, entry->playbook) : retell->playbook;
    const struct playbook_cadence *cadence =
        entry->cadence > 0 && entry->cadence <= playbook->cadences.count
            ? &playbook->cadences.items[entry->cadence - 1]
            : NULL;

    if (!cadence || entry->step == 0 || entry->step > cadence->steps.count) {
        text_string(out, task_kind_name((enum task_kind)entry->kind));
        return;
    }
    text_add(out, cadence->id);
    text_char(out, '.');
    text_add(out, cadence->steps.items[entry->step - 1].id);
}

struct retell *retell_open(const struct effect_genesis *genesis, const struct playbook *playbook)
{
    struct retell *retell = memory_take_zeroed(1, sizeof(*retell));

    retell->playbook = playbook;
    memory_room_open(&retell->room, genesis, 0);
    return retell;
}

void retell_close(struct retell *retell)
{
    memory_room_close(&retell->room);
    free(retell->told.entries);
    free(retell->told.people);
    free(retell->person_of[JOURNALS]);
    free(retell->person_of[OTHERS]);
    free(retell->tasks);
    free(retell->waiting);
    free(retell);
}
