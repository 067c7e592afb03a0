/* How lives are told: one line for each record of a person, and for each task that comes to a queue
 * or is withdrawn. The same words are made of a real server's history in e2e/lives.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/json.h"
#include "proto/must.h"
#include "proto/report.h"
#include "proto/task.h"
#include "server/law.h"
#include "tests/lives_internal.h"

#define LINE_MAX 512

/* --- times --------------------------------------------------------------------------------- */

static void tell_civil(struct text *out, const struct civil *civil)
{
    text_printf(out, "%04d-%02u-%02u %02u:%02u:%02u", (int)civil->year, (unsigned)civil->month,
                (unsigned)civil->day, (unsigned)civil->hour, (unsigned)civil->minute,
                (unsigned)civil->second);
}

void lives_tell_moment(struct text *out, uint64_t ms)
{
    struct civil civil;

    zone_civil(zone_utc(), ms, &civil);
    tell_civil(out, &civil);
    text_printf(out, ".%03u", (unsigned)(ms % 1000));
}

/* `Mon 2024-03-04 10:00:00 -0500`. */
static void tell_local(struct text *out, const struct zone *zone, uint64_t ms)
{
    static const char *const days[] = {"", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    struct civil civil;
    int64_t minutes;

    zone_civil(zone, ms, &civil);
    minutes =
        (int64_t)civil.day_number * 1440 + civil.hour * 60 + civil.minute - (int64_t)(ms / 60000);
    text_printf(out, "%s ", days[civil.weekday]);
    tell_civil(out, &civil);
    if (ms % 1000 != 0)
        text_printf(out, ".%03u", (unsigned)(ms % 1000));
    text_printf(out, " %c%02d%02d", minutes < 0 ? '-' : '+', abs((int)minutes) / 60,
                abs((int)minutes) % 60);
}

void lives_tell_head(struct text *out, const struct lives_person *person, uint64_t ms,
                     const char *what)
{
    uint64_t passed = (ms - person->first_ms) / 1000;

    tell_local(out, person->zone, ms);
    text_printf(out, "  +%3ud %02u:%02u:%02u  %-6s %-9s", (unsigned)(passed / 86400),
                (unsigned)(passed / 3600 % 24), (unsigned)(passed / 60 % 60),
                (unsigned)(passed % 60), person->name, what);
}

/* Without spaces at its end. */
static void end_line(struct text *out)
{
    while (out->length > 0 && out->bytes[out->length - 1] == ' ')
        out->length--;
    text_char(out, '\n');
}

/* --- records ------------------------------------------------------------------------------ */

static const struct playbook *playbook_of(struct lives *lives, uint32_t number)
{
    return registry_playbook(recovery_registry(lives->world.recovery), number);
}

static void tell_until(struct text *out, const char *before, const struct lives_person *person,
                       uint64_t ms)
{
    text_string(out, before);
    tell_local(out, person->zone, ms);
}

static void tell_optin(struct text *out, const struct lives_person *person,
                       const struct effect_optin *optin)
{
    if (optin->task != 0)
        tell_until(out, " call by ", person, optin->deadline_ms);
    else
        text_printf(out, " no call: %s", no_task_name((enum no_task)optin->reason));
}

static void tell_report(struct text *out, const struct lives_person *person,
                        const struct record_view *record, const struct effect_report *effect)
{
    struct report said;

    MUST(report_decode(record->payload, &said) == STATUS_OK);
    text_printf(out, " %s",
                effect->outcome != OUTCOME_NONE ? outcome_name((enum outcome)effect->outcome)
                                                : report_op_name((enum report_op)effect->op));
    text_string(out, " by ");
    text_add(out, said.agent);
    if (said.value.length > 0) {
        text_string(out, ", value ");
        text_add(out, said.value);
    }
    if (effect->call_at_ms != 0)
        tell_until(out, ", call at ", person, effect->call_at_ms);
}

static void tell_step(struct lives *lives, struct text *out, const struct lives_person *person,
                      const struct effect_step *effect, uint64_t now_ms)
{
    const struct playbook *playbook = playbook_of(lives, effect->playbook);

    text_printf(out, " %s", task_channel_name((enum task_channel)effect->channel));
    if (effect->cadence != 0) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[effect->cadence - 1];
        text_char(out, ' ');
        text_add(out, cadence->id);
        text_char(out, '.');
        text_add(out, cadence->steps.items[effect->step - 1].id);
    } else {
        const char *why = call_why_name((enum call_why)effect->why);
        text_printf(out, " %s", why != NULL ? why : "escalation");
    }
    if (effect->skip != SKIP_NONE)
        text_printf(out, " left out: %s", skip_name((enum skip)effect->skip));
    if (effect->due_ms != now_ms)
        tell_until(out, " was due ", person, effect->due_ms);
}

static void tell_parked(struct text *out, const struct lives_person *person,
                        const struct effect_parked *effect)
{
    text_printf(out, " waits: %s", parked_by_name((enum parked_by)effect->by));
    if (effect->by == PARKED_BY_LAW)
        text_printf(out, " %s of %.8s", law_reason_text((enum law_reason)effect->reason),
                    effect->jurisdiction);
    tell_until(out, ", until ", person, effect->opens_ms);
}

static void tell_escalated(struct lives *lives, struct text *out,
                           const struct effect_escalated *effect)
{
    static const char *const whom[] = {
        [PLAYBOOK_AGENT] = "agent", [PLAYBOOK_MANAGER] = "manager", [PLAYBOOK_ROBOT] = "robot"};
    const struct playbook *playbook = playbook_of(lives, effect->playbook);

    if (effect->tier != 0) {
        text_string(out, " missed ");
        text_add(out, playbook->sla.items[effect->tier - 1].id);
        return;
    }
    text_printf(
        out, " %u to %s", (unsigned)effect->rung,
        whom[playbook->escalations.items[effect->chain - 1].rungs.items[effect->rung - 1].whom]);
    if (effect->opened != 0)
        text_string(out, ", which has a task");
    if (effect->skip != SKIP_NONE)
        text_printf(out, ", left out: %s", skip_name((enum skip)effect->skip));
}

/* Where the person stands, and what comes next; once, until it is otherwise. */
static void tell_state(struct lives *lives, struct text *out, struct lives_person *person,
                       const struct person_row *row)
{
    const struct playbook *playbook = playbook_of(lives, row->playbook);
    char bytes[sizeof(person->state)];
    struct text state = text_over(bytes, sizeof(bytes) - 1);

    text_add(&state, playbook->stages.items[row->stage - 1].id);
    if (row->cadence != 0) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[row->cadence - 1];
        text_string(&state, ", ");
        text_add(&state, cadence->id);
        if (row->step_ms != 0) {
            text_char(&state, '.');
            text_add(&state, cadence->steps.items[row->step - 1].id);
            tell_until(&state, " ", person, row->step_ms);
        }
    }
    if (row->call_ms != 0) {
        text_printf(&state, ", call to %s", call_why_name((enum call_why)row->call_why));
        tell_until(&state, " ", person, row->call_ms);
    }
    if (row->closed != PERSON_WORKED)
        text_printf(&state, ", closed: %s", person_end_name((enum person_end)row->closed));
    MUST(!state.overflow);
    bytes[state.length] = '\0';
    if (strcmp(bytes, person->state) != 0)
        text_printf(out, " [%s]", bytes);
    memcpy(person->state, bytes, state.length + 1);
}

static void tell_record(struct lives *lives, struct text *out, const struct record_view *record)
{
    struct lives_person *person = lives_numbered(lives, record->header.person);
    struct effect_optin optin;
    struct effect_report report;
    struct effect_step step;
    struct effect_parked parked;
    struct effect_escalated escalated;
    struct effect_person row;

    lives_tell_head(out, person, record->header.now_ms,
                    record_kind_name((enum record_kind)record->header.kind));
    if (effect_find(record, EFFECT_OPTIN, &optin, sizeof(optin)))
        tell_optin(out, person, &optin);
    else if (effect_find(record, EFFECT_REPORT, &report, sizeof(report)))
        tell_report(out, person, record, &report);
    if (effect_find(record, EFFECT_STEP, &step, sizeof(step)))
        tell_step(lives, out, person, &step, record->header.now_ms);
    if (effect_find(record, EFFECT_PARKED, &parked, sizeof(parked)))
        tell_parked(out, person, &parked);
    if (effect_find(record, EFFECT_ESCALATED, &escalated, sizeof(escalated)))
        tell_escalated(lives, out, &escalated);
    if (effect_find(record, EFFECT_PERSON, &row, sizeof(row)))
        tell_state(lives, out, person, &row.row);
    end_line(out);
}

/* What robots deliver is their daily work, and is not told. */
static bool is_delivery(const struct record_view *record)
{
    struct effect_report report;

    return record->header.kind == RECORD_OUTCOME &&
           effect_find(record, EFFECT_REPORT, &report, sizeof(report)) &&
           report.outcome == OUTCOME_DELIVERED;
}

static void tell_records(struct lives *lives, struct text *out)
{
    struct journal *journal = recovery_journal(lives->world.recovery);
    uint64_t last = state_meta(lives->world.state)->folded_seq;

    while (lives->told_seq < last) {
        struct record_view record;
        MUST(journal_batch_read(journal, ++lives->told_seq, &record) == STATUS_OK);
        if (record.header.person != 0 && !is_delivery(&record))
            tell_record(lives, out, &record);
    }
}

/* --- queues ------------------------------------------------------------------------------- */

static void look_at_queue(struct lives *lives, uint32_t queue, struct members *out)
{
    struct state_visible visible = {0};

    while (state_visible_next(lives->world.state, queue, visible.rank_ms, visible.task, &visible)) {
        struct lives_member *member = &out->of[out->count++];
        MUST(out->count < LIVES_MEMBERS_MAX);
        *member =
            (struct lives_member){.person = visible.person, .task = visible.task, .queue = queue};
        MUST(world_task(&lives->world, visible.person, visible.task, &member->row));
        member->delivery = member->row.delivery;
        visible.task++;
    }
}

/* The first queue by name behind `after`; 0: there is none. */
static uint32_t next_queue(const struct registry *registry, uint32_t after)
{
    uint32_t next = 0;

    for (uint32_t queue = 1; queue <= registry_count(registry, ENTITY_QUEUE); queue++) {
        const char *id = registry_queue(registry, queue)->id;
        if ((after == 0 || strcmp(id, registry_queue(registry, after)->id) > 0) &&
            (next == 0 || strcmp(id, registry_queue(registry, next)->id) < 0))
            next = queue;
    }
    return next;
}

void lives_look(struct lives *lives, struct members *out)
{
    const struct registry *registry = recovery_registry(lives->world.recovery);

    out->count = 0;
    for (uint32_t queue = next_queue(registry, 0); queue != 0; queue = next_queue(registry, queue))
        look_at_queue(lives, queue, out);
}

static void add_word(struct text *out, const char *before, struct json_value task, const char *name)
{
    struct json_value value;
    struct slice word;

    if (json_member(task, name, &value) && json_string(value, &word)) {
        text_string(out, before);
        text_add(out, word);
    }
}

/* As the consumer has it: from the very bytes that stand in Redis. */
static void tell_member(struct lives *lives, struct text *out, const struct lives_member *member)
{
    static char bytes[TASK_BYTES_MAX + JSON_PADDING];
    const struct lives_person *person = lives_numbered(lives, member->person);
    struct text json = text_over(bytes, TASK_BYTES_MAX);
    struct renderer renderer = {
        .reader = lives->reader,
        .registry = recovery_registry(lives->world.recovery),
        .id_key = recovery_id_key(lives->world.recovery),
        .node = "n1",
        .prefix = "hl",
        .optin = &lives->optin,
    };
    struct json *parser = json_open(TASK_BYTES_MAX);
    struct json_value task;

    MUST(render_member(&renderer, member->person, person->first_ms, &member->row, &json) ==
         STATUS_OK);
    journal_reader_release(lives->reader);
    MUST(json_parse(parser, bytes, json.length, &task) == STATUS_OK);
    text_add(out, registry_name(renderer.registry, ENTITY_QUEUE, member->queue));
    add_word(out, " ", task, "channel");
    add_word(out, " ", task, "kind");
    add_word(out, ", template ", task, "template");
    add_word(out, ", script ", task, "script");
    text_printf(out, ", attempt %u, delivery %u", (unsigned)member->row.attempt,
                (unsigned)member->delivery);
    tell_until(out, ", by ", person, member->row.deadline_ms);
    if (member->row.closes_ms != 0)
        tell_until(out, ", not after ", person, member->row.closes_ms);
    json_close(parser);
}

static bool is_among(const struct members *members, const struct lives_member *wanted)
{
    for (unsigned i = 0; i < members->count; i++)
        if (members->of[i].task == wanted->task && members->of[i].delivery == wanted->delivery)
            return true;
    return false;
}

static void tell_move(struct lives *lives, struct text *out, const struct lives_member *member,
                      const char *what)
{
    lives_tell_head(out, lives_numbered(lives, member->person), lives->world.now_ms, what);
    text_char(out, ' ');
    tell_member(lives, out, member);
    text_char(out, '\n');
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Who of two came to his queue first, a consumer cannot see. */
static void sort_lines(struct text *text)
{
    const char *lines[2 * LIVES_MEMBERS_MAX];
    size_t count = 0;
    char *copy = strndup(text->bytes, text->length), *rest = copy, *line;

    MUST(copy != NULL && !text->overflow);
    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL)
        lines[count++] = line;
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    text->length = 0;
    for (size_t i = 0; i < count; i++) {
        text_string(text, lines[i]);
        text_char(text, '\n');
    }
    free(copy);
}

static void tell_moves(struct lives *lives, struct text *out)
{
    static struct members now;
    static char bytes[2 * LIVES_MEMBERS_MAX * LINE_MAX];
    struct text lines = text_over(bytes, sizeof(bytes));

    lives_look(lives, &now);
    for (unsigned i = 0; i < now.count; i++)
        if (!is_among(&lives->standing, &now.of[i]))
            tell_move(lives, &lines, &now.of[i], "put");
    for (unsigned i = 0; i < lives->standing.count; i++)
        if (!is_among(&now, &lives->standing.of[i]))
            tell_move(lives, &lines, &lives->standing.of[i], "withdrawn");
    lives->standing = now;
    sort_lines(&lines);
    text_add(out, text_slice(&lines));
}

void lives_tell_news(struct lives *lives, struct text *out)
{
    tell_records(lives, out);
    tell_moves(lives, out);
}

void lives_tell_members(struct lives *lives, struct text *out)
{
    for (unsigned i = 0; i < lives->standing.count; i++)
        tell_move(lives, out, &lives->standing.of[i], "stands");
}
