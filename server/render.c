#include "server/render.h"

#include "proto/known.h"
#include "proto/report.h"
#include "proto/zone.h"
#include "server/playbook.h"

/* Somebody else is there, or nobody; what more is said has another one. */
static void hide_wrong(const struct task_row *task, struct optin *out)
{
    if (task->flags & TASK_OTHER_PHONE)
        out->text[OPTIN_PHONE] = out->text[OPTIN_PHONE_E164] = (struct slice){0};
    if (task->flags & TASK_OTHER_EMAIL)
        out->text[OPTIN_EMAIL] = (struct slice){0};
}

/* What was said later about an opt-in belongs to it whole; an earlier one says who it is. */
static enum status read_optin(const struct task_row *task, const struct render_words *words,
                              struct optin *out)
{
    struct optin added;
    enum status result = optin_decode(words->said, out);

    if (result == STATUS_OK)
        hide_wrong(task, out);
    if (result != STATUS_OK || words->more.length == 0)
        return result;
    result = optin_decode(words->more, &added);
    if (result == STATUS_OK && task->more_seq > task->optin_seq)
        optin_fill_by(task->renderer, out, &added);
    else if (result == STATUS_OK)
        optin_identify_by(task->renderer, out, &added);
    return result;
}

static struct slice rung_template(const struct playbook *playbook, const struct task_row *task)
{
    const struct playbook_segment *segment = playbook_segment(playbook, task->segment);
    const struct playbook_chain *chain =
        segment != NULL ? playbook_chain(playbook, segment->escalation) : NULL;

    return chain != NULL && task->rung > 0 && task->rung <= chain->rungs.count
               ? chain->rungs.items[task->rung - 1].template
               : (struct slice){0};
}

/* What to do, by the version of the playbook that the task was opened under. */
static void tell_what(const struct playbook *playbook, const struct task_row *task,
                      struct task_facts *facts)
{
    const struct playbook_step *step = playbook_step(playbook, task->cadence, task->step);

    facts->stage = playbook_stage_id(playbook, task->stage);
    if (task->kind == TASK_FIND_CONTACT)
        facts->script = playbook->research.script;
    else if (task->kind == TASK_ESCALATION)
        facts->template = rung_template(playbook, task);
    else if (step == NULL)
        facts->script = playbook->calls.script;
    else
        facts->script = step->script;
    if (step == NULL)
        return;
    facts->template = step->template;
    if (task->flags & TASK_NAMELESS)
        facts->template = step->without_name;
}

/* There is always time left to call. */
#define CALL_TAKES_MS 60000

/* Before the first call they are looked up, if that leaves time to keep what was promised. */
static void tell_research(const struct playbook *playbook, const struct task_row *task,
                          struct task_facts *facts)
{
    const struct playbook_research *research = &playbook->research;
    uint64_t until_ms = task->not_before_ms + playbook_span_about(research->box);

    if (task->kind == TASK_FIND_CONTACT)
        until_ms = task->deadline_ms;
    else if (task->kind != TASK_FIRST_RESPONSE)
        return;
    else if (until_ms + CALL_TAKES_MS > task->deadline_ms)
        until_ms = task->deadline_ms > CALL_TAKES_MS ? task->deadline_ms - CALL_TAKES_MS : 0;
    if (until_ms <= task->not_before_ms)
        return;
    facts->research_ms = until_ms;
    facts->research = research->script;
    facts->finds = research->finds.items;
    facts->find_count = research->finds.count;
}

/* What was found out about them: where the opt-in is silent on who they are, it speaks. */
static enum status tell_known(struct renderer *renderer, unsigned version, struct slice payload,
                              struct slice *known_out)
{
    struct report report;
    enum status result;

    if (payload.length == 0)
        return STATUS_OK;
    result = report_decode(payload, &report);
    if (result == STATUS_OK) {
        *known_out = report.known;
        known_identify_by(version, renderer->optin, report.known);
    }
    return result;
}

/* Its words are its own: a person's other tasks have the number. */
static bool is_phoneless(const struct task_row *task)
{
    return task->flags & TASK_PHONELESS;
}

/* Nobody dials what is no number that the site calls. Who looks them up may see what was meant. */
static void hide_unusable(const struct task_row *task, struct optin *out)
{
    if (task->renderer > 5 && task->channel != TASK_RESEARCH &&
        out->text[OPTIN_PHONE_E164].length == 0)
        out->text[OPTIN_PHONE] = (struct slice){0};
}

/* What all such tasks of an opt-in have in common. */
static bool shows_usual(const struct task_row *task)
{
    return task->renderer == TASK_RENDERER && task->channel != TASK_RESEARCH &&
           !(task->flags & (TASK_PHONELESS | TASK_OTHER_PHONE | TASK_OTHER_EMAIL));
}

static bool has_words_of(const struct renderer *renderer, uint64_t person,
                         const struct task_row *task)
{
    return renderer->has_words && shows_usual(task) && renderer->person == person &&
           renderer->optin_seq == task->optin_seq && renderer->received_ms == task->received_ms &&
           renderer->more_seq == task->more_seq && task->known_seq == 0;
}

/* Reads the opt-in and what is known, and renders what all its tasks have in common. */
static enum status prepare(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                           const struct task_row *task, const struct render_words *words,
                           struct slice *known_out)
{
    enum status result;

    if (has_words_of(renderer, person, task))
        return STATUS_OK;
    renderer->has_words = false;
    result = read_optin(task, words, renderer->optin);
    if (result == STATUS_OK && is_phoneless(task))
        renderer->optin->text[OPTIN_PHONE] = renderer->optin->text[OPTIN_PHONE_E164] =
            (struct slice){0};
    if (result == STATUS_OK)
        result = tell_known(renderer, task->renderer, words->known, known_out);
    if (result != STATUS_OK)
        return result;
    hide_unusable(task, renderer->optin);
    id_format(renderer->person_id, renderer->id_key, ID_PERSON, person_first_ms, person);
    id_format(renderer->optin_id, renderer->id_key, ID_OPTIN, task->received_ms, task->optin_seq);
    if (!renderer->keeps || known_out->length > 0 || !shows_usual(task))
        return STATUS_OK;
    task_words(&renderer->words, renderer->optin);
    renderer->has_words = renderer->words.whole;
    renderer->person = person;
    renderer->optin_seq = task->optin_seq;
    renderer->received_ms = task->received_ms;
    renderer->more_seq = task->more_seq;
    return STATUS_OK;
}

static struct slice zone_slice(uint32_t code)
{
    const struct zone *zone = zone_of_code(code);

    return zone != NULL ? slice_of(zone_name(zone)) : (struct slice){0};
}

enum status render_member_of(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                             const struct task_row *task, const struct render_words *words,
                             struct text *out)
{
    char id[ID_TEXT_LENGTH];
    const struct registry *registry = renderer->registry;
    struct slice queue = registry_name(registry, ENTITY_QUEUE, task->queue);
    const char *dot = memchr(queue.bytes, '.', queue.length);
    struct task_facts facts = {
        .id = {id, sizeof(id)},
        .person = {renderer->person_id, sizeof(renderer->person_id)},
        .optin = {renderer->optin_id, sizeof(renderer->optin_id)},
        .queue = queue,
        .agency = {queue.bytes, dot != NULL ? (size_t)(dot - queue.bytes) : queue.length},
        .site = registry_name(registry, ENTITY_SITE, task->site),
        .owner = registry_name(registry, ENTITY_AGENT, task->owner),
        .node = slice_of(renderer->node),
        .prefix = slice_of(renderer->prefix),
        .delivery = task->delivery,
        .attempt = task->attempt,
        .channel = (enum task_channel)task->channel,
        .kind = (enum task_kind)task->kind,
        .received_ms = task->received_ms,
        .deadline_ms = task->deadline_ms,
        .not_before_ms = task->not_before_ms,
        .closes_ms = task->closes_ms,
    };
    enum status result = prepare(renderer, person, person_first_ms, task, words, &facts.known);

    if (result != STATUS_OK)
        return result;
    tell_what(registry_playbook(registry, task->playbook), task, &facts);
    tell_research(registry_playbook(registry, task->playbook), task, &facts);
    if (task->zone != 0)
        facts.window_tz = zone_slice(task->zone);
    id_format(id, renderer->id_key, ID_TASK, task->opened_ms, task->number);
    return task_render_with(out, task->renderer, &facts, renderer->optin,
                            renderer->has_words ? &renderer->words : NULL)
               ? STATUS_OK
               : STATUS_CORRUPT;
}

enum status render_member(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                          const struct task_row *task, struct text *out)
{
    struct record_view said, more = {0}, known = {0};
    enum status result = journal_read(renderer->reader, task->optin_seq, &said);

    if (result == STATUS_OK && task->more_seq != 0)
        result = journal_read(renderer->reader, task->more_seq, &more);
    if (result == STATUS_OK && task->known_seq != 0)
        result = journal_read(renderer->reader, task->known_seq, &known);
    if (result != STATUS_OK)
        return result;
    return render_member_of(renderer, person, person_first_ms, task,
                            &(struct render_words){said.payload, more.payload, known.payload}, out);
}
