/* What became of an opt-in and of a task: state knows the open ones, the person's chain of
 * records, newest first, tells the end of the others. */
#include <stdio.h>

#include "proto/id.h"
#include "proto/must.h"
#include "proto/task.h"
#include "server/api_read.h"

/* --- a task ------------------------------------------------------------------------ */

static bool find_row(const struct record_view *record, uint64_t task, struct task_row *out)
{
    struct slice body;
    size_t offset = 0;

    for (;;) {
        enum effect_kind kind = effect_next(record, &offset, &body);
        struct effect_task effect;
        if (kind == 0)
            return false;
        if (kind != EFFECT_TASK)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        if (effect.row.number == task) {
            *out = effect.row;
            return true;
        }
    }
}

static bool ends_task(const struct record_view *record, uint64_t task)
{
    struct slice body;
    size_t offset = 0;

    for (;;) {
        enum effect_kind kind = effect_next(record, &offset, &body);
        struct effect_task_end effect;
        if (kind == 0)
            return false;
        if (kind != EFFECT_TASK_END)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        if (effect.task == task)
            return true;
    }
}

static void keep_agent(struct task_story *story, const struct record_view *record)
{
    struct report report;

    if (story->agent[0] != '\0' || record->erased ||
        report_decode(record->payload, &report) != STATUS_OK ||
        report.agent.length > REPORT_AGENT_MAX)
        return;
    snprintf(story->agent, sizeof(story->agent), "%.*s", (int)report.agent.length,
             report.agent.bytes ? report.agent.bytes : "");
}

/* One record of the person's, looked at newest first: what is known already is newer. */
static void hear(struct task_story *story, const struct record_view *record, bool *has_row)
{
    uint64_t task = story->row.number;
    struct effect_report report = {0};
    bool reports = effect_find(record, EFFECT_REPORT, &report, sizeof(report));
    bool is_ours = reports && report.task == task && record->header.kind != RECORD_LATE;

    if (!*has_row)
        *has_row = find_row(record, task, &story->row);
    if (is_ours)
        keep_agent(story, record);
    if (is_ours && record->header.kind == RECORD_AMEND && story->outcome == OUTCOME_NONE)
        story->outcome = (enum outcome)report.outcome;
    if (!ends_task(record, task))
        return;
    story->ended_ms = record->header.now_ms;
    if (story->outcome == OUTCOME_NONE)
        story->outcome = (enum outcome)report.outcome;
}

static enum status walk_back(struct reading *reading, struct task_story *story, uint64_t last_seq)
{
    uint64_t opened_seq = story->row.number >> 3;
    bool has_row = story->is_open;

    for (uint64_t seq = last_seq, i = 0; seq >= opened_seq && i < READ_RECORDS_MAX; i++) {
        struct record_view record;
        enum status status = journal_read(reading->journal, seq, &record);
        if (status != STATUS_OK)
            return status;
        hear(story, &record, &has_row);
        seq = record.header.person_prev;
    }
    return STATUS_OK;
}

enum status read_story(struct reading *reading, uint64_t task, struct task_story *story)
{
    struct record_view opened;
    struct person_row person;
    struct task_row row;
    uint64_t last_seq;
    enum status status = journal_read(reading->journal, task >> 3, &opened);

    *story = (struct task_story){0};
    if (status != STATUS_OK)
        return status;
    story->person = opened.header.person;
    story->agency = opened.header.agency;
    if (!find_row(&opened, task, &story->row) ||
        !state_read_person(reading->state, story->person, &person, &row, &last_seq))
        return STATUS_NOT_FOUND;
    story->person_first_ms = person.first_ms;
    story->is_open =
        row.number == task || state_read_task(reading->state, story->person, task, &row);
    if (story->is_open)
        story->row = row;
    return walk_back(reading, story, last_seq);
}

const char *story_state(const struct task_story *story)
{
    return story->is_open ? task_state_name((enum task_state)story->row.state) : "ended";
}

void write_story(const struct reading *reading, struct text *out, const struct task_story *story)
{
    const struct registry *registry = reading->api->options.registry;
    const struct task_row *row = &story->row;
    char id[ID_TEXT_LENGTH];
    bool is_held = story->is_open && row->state == TASK_CLAIMED;

    id_format(id, writer_id_key(reading->api->writer), ID_TASK, row->opened_ms, row->number);
    text_string(out, "{\"id\":\"");
    text_bytes(out, id, sizeof(id));
    text_char(out, '"');
    api_add_id(reading->api, out, "person", ID_PERSON, story->person_first_ms, story->person);
    api_add_id(reading->api, out, "optin", ID_OPTIN, row->received_ms, row->optin_seq);
    write_member_text(out, "agency", registry_name(registry, ENTITY_AGENCY, story->agency));
    write_member_text(out, "site", registry_name(registry, ENTITY_SITE, row->site));
    write_member_text(out, "queue", registry_name(registry, ENTITY_QUEUE, row->queue));
    write_member_text(out, "channel", slice_of(task_channel_name((enum task_channel)row->channel)));
    write_member_text(out, "kind", slice_of(task_kind_name((enum task_kind)row->kind)));
    write_member_text(out, "state", slice_of(story_state(story)));
    text_printf(out, ",\"delivery\":%u,\"attempt\":%u,\"breached\":%s", (unsigned)row->delivery,
                (unsigned)row->attempt, row->flags & TASK_BREACHED ? "true" : "false");
    write_member_ms(out, "received_ms", row->received_ms);
    write_member_ms(out, "deadline_ms", row->deadline_ms);
    write_member_ms(out, "not_before_ms", row->not_before_ms);
    write_member_ms(out, "lease_until_ms", story->is_open ? row->lease_until_ms : 0);
    write_member_text(out, "agent",
                      is_held || !story->is_open ? slice_of(story->agent) : (struct slice){0});
    write_member_text(out, "outcome",
                      story->outcome == OUTCOME_NONE ? (struct slice){0}
                                                     : slice_of(outcome_name(story->outcome)));
    write_member_ms(out, "ended_ms", story->ended_ms);
}

static enum status run_task(struct reading *reading, struct pending *pending, struct text *out)
{
    struct task_story story;
    enum status status = read_story(reading, pending->read.number, &story);

    if (status != STATUS_OK)
        return status;
    if (story.row.opened_ms != pending->read.at_ms || !read_is_callers(pending, story.agency))
        return STATUS_NOT_FOUND;
    write_story(reading, out, &story);
    text_char(out, '}');
    return STATUS_OK;
}

void api_task_get(struct api *api, const struct api_call *call)
{
    read_begin(api, call, ID_TASK, run_task);
}

/* --- an opt-in ------------------------------------------------------------------------ */

/* The decision for an opt-in that was only received at first: in the chain of its person. */
static bool find_decision(struct reading *reading, uint64_t person, uint64_t optin_seq,
                          struct effect_optin *out)
{
    struct person_row row;
    struct task_row task;
    uint64_t seq;

    if (person == PERSON_NONE || !state_read_person(reading->state, person, &row, &task, &seq))
        return false;
    for (unsigned i = 0; i < READ_RECORDS_MAX && seq > optin_seq; i++) {
        struct record_view record;
        if (journal_read(reading->journal, seq, &record) != STATUS_OK)
            return false;
        if (record.header.kind == RECORD_DECIDED &&
            effect_find(&record, EFFECT_OPTIN, out, sizeof(*out)) && out->optin_seq == optin_seq)
            return true;
        seq = record.header.person_prev;
    }
    return false;
}

/* What was said stands in the payload, and is gone after an erasure. */
static enum status write_said(struct api *api, struct text *out, const struct record_view *record)
{
    if (record->erased) {
        text_string(out, ",\"erased\":true");
        return STATUS_OK;
    }
    enum status status = optin_decode(record->payload, &api->optin);
    if (status != STATUS_OK)
        return status;
    /* An object's members behind those that are there: its brace becomes the comma. */
    size_t at = out->length;
    optin_write_json(out, &api->optin);
    MUST(out->overflow || out->bytes[at] == '{');
    bool is_empty = out->length == at + 2;
    out->bytes[at] = ',';
    out->length -= is_empty ? 2 : 1;
    return STATUS_OK;
}

static enum status write_fate(struct reading *reading, struct text *out,
                              const struct effect_optin *optin)
{
    struct task_story story = {0};
    enum status status = STATUS_OK;

    if (optin->task != 0)
        status = read_story(reading, optin->task, &story);
    api_add_id(reading->api, out, "person", ID_PERSON, optin->person_first_ms, optin->person);
    api_add_id(reading->api, out, "task", ID_TASK, optin->task_opened_ms, optin->task);
    write_member_text(out, "reason", slice_of(no_task_name((enum no_task)optin->reason)));
    write_member_ms(out, "deadline_ms", optin->deadline_ms);
    write_member_text(out, "state",
                      optin->task == 0 ? (struct slice){0} : slice_of(story_state(&story)));
    write_member_text(out, "outcome",
                      story.outcome == OUTCOME_NONE ? (struct slice){0}
                                                    : slice_of(outcome_name(story.outcome)));
    write_member_ms(out, "ended_ms", story.ended_ms);
    return status;
}

enum status write_optin(struct reading *reading, struct text *out, uint64_t seq,
                        const struct record_view *record, const struct effect_optin *optin)
{
    struct api *api = reading->api;
    const struct registry *registry = api->options.registry;
    char id[ID_TEXT_LENGTH];
    enum status status = STATUS_OK;

    id_format(id, writer_id_key(api->writer), ID_OPTIN, record->header.now_ms, seq);
    text_string(out, "{\"id\":\"");
    text_bytes(out, id, sizeof(id));
    text_char(out, '"');
    write_member_ms(out, "received_ms", record->header.now_ms);
    write_member_text(out, "agency", registry_name(registry, ENTITY_AGENCY, record->header.agency));
    write_member_text(
        out, "site",
        registry_name(registry, ENTITY_SITE, optin ? optin->site : reading->received.site));
    if (optin)
        status = write_fate(reading, out, optin);
    else
        text_string(out, ",\"person\":null,\"task\":null,\"reason\":null,\"state\":\"received\"");
    if (status == STATUS_OK)
        status = write_said(api, out, record);
    text_char(out, '}');
    return status;
}

static enum status run_optin(struct reading *reading, struct pending *pending, struct text *out)
{
    struct record_view record;
    struct effect_optin optin;
    uint64_t seq = pending->read.number, at_ms = pending->read.at_ms;
    enum status status = read_record(reading, pending, seq, at_ms, &record);

    if (status != STATUS_OK)
        return status;
    bool decided = effect_find(&record, EFFECT_OPTIN, &optin, sizeof(optin));
    bool received =
        effect_find(&record, EFFECT_RECEIVED, &reading->received, sizeof(reading->received));
    if (!decided && !received)
        return STATUS_NOT_FOUND;
    if (!decided && pending->read.person == 0)
        return READ_LATER;
    if (!decided)
        decided = find_decision(reading, pending->read.person, seq, &optin);

    return write_optin(reading, out, seq, &record, decided ? &optin : NULL);
}

void api_optin_get(struct api *api, const struct api_call *call)
{
    read_begin(api, call, ID_OPTIN, run_optin);
}
