#include "server/render.h"

#include "proto/id.h"
#include "proto/task.h"

/* What was said later about an opt-in belongs to it whole; an earlier one says who it is. */
static enum status read_optin(const struct task_row *task, struct slice payload, struct slice more,
                              struct optin *out)
{
    struct optin added;
    enum status result = optin_decode(payload, out);

    if (result != STATUS_OK || more.length == 0)
        return result;
    result = optin_decode(more, &added);
    if (result == STATUS_OK && task->more_seq > task->optin_seq)
        optin_fill(out, &added);
    else if (result == STATUS_OK)
        optin_identify(out, &added);
    return result;
}

enum status render_member_of(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                             const struct task_row *task, struct slice payload, struct slice more,
                             struct text *out)
{
    char id[ID_TEXT_LENGTH], person_id[ID_TEXT_LENGTH], optin_id[ID_TEXT_LENGTH];
    const struct registry *registry = renderer->registry;
    struct slice queue = registry_name(registry, ENTITY_QUEUE, task->queue);
    const char *dot = memchr(queue.bytes, '.', queue.length);
    struct task_facts facts = {
        .id = {id, sizeof(id)},
        .person = {person_id, sizeof(person_id)},
        .optin = {optin_id, sizeof(optin_id)},
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
        .stage = (enum stage)task->stage,
        .received_ms = task->received_ms,
        .deadline_ms = task->deadline_ms,
        .not_before_ms = task->not_before_ms,
    };
    enum status result = read_optin(task, payload, more, renderer->optin);

    if (result != STATUS_OK)
        return result;
    id_format(id, renderer->id_key, ID_TASK, task->opened_ms, task->number);
    id_format(person_id, renderer->id_key, ID_PERSON, person_first_ms, person);
    id_format(optin_id, renderer->id_key, ID_OPTIN, task->received_ms, task->optin_seq);
    return task_render(out, task->renderer, &facts, renderer->optin) ? STATUS_OK : STATUS_CORRUPT;
}

enum status render_member(struct renderer *renderer, uint64_t person, uint64_t person_first_ms,
                          const struct task_row *task, struct text *out)
{
    struct record_view record, more = {0};
    enum status result = journal_read(renderer->reader, task->optin_seq, &record);

    if (result == STATUS_OK && task->more_seq != 0)
        result = journal_read(renderer->reader, task->more_seq, &more);
    if (result != STATUS_OK)
        return result;
    return render_member_of(renderer, person, person_first_ms, task, record.payload, more.payload,
                            out);
}
