#include "server/maintain_person.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/id.h"
#include "proto/optin.h"
#include "proto/report.h"
#include "proto/task.h"

struct page {
    const struct maintain_person_view *view;
    FILE *out;
    struct optin optin;
};

/* --- pieces of a line ------------------------------------------------------------------------- */

static void print_time(const struct page *page, const char *name, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    char text[32];
    struct tm utc;

    if (ms == 0)
        return;
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(page->out, " %s=%s.%03uZ", name, text, (unsigned)(ms % 1000));
}

static void print_id(const struct page *page, enum id_kind kind, uint64_t at_ms, uint64_t number)
{
    char id[ID_TEXT_LENGTH];

    id_format(id, page->view->id_key, kind, at_ms, number);
    fprintf(page->out, " %.*s", (int)sizeof id, id);
}

/* Quoted as in JSON, so that no text can end a line or hide in a terminal. */
static void print_text(const struct page *page, const char *name, struct slice value)
{
    static char bytes[64 * 1024];
    struct text text = text_over(bytes, sizeof bytes);

    if (value.length == 0)
        return;
    text_json_string(&text, value);
    fprintf(page->out, " %s=%.*s", name, (int)text.length, bytes);
}

static void print_name(const struct page *page, const char *word, enum entity_kind kind,
                       uint32_t number)
{
    struct slice name = registry_name(page->view->registry, kind, number);

    if (name.length > 0)
        fprintf(page->out, " %s=%.*s", word, (int)name.length, name.bytes);
}

/* --- the person ------------------------------------------------------------------------------- */

static void print_flags(const struct page *page, uint8_t flags)
{
    static const char *const names[] = {"review",    "do_not_contact", "consent_again", "customer",
                                        "bad_phone", "bad_email",      "conversed",     "imported"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (flags & 1u << i)
            fprintf(page->out, " %s", names[i]);
    }
}

static void print_slice(const struct page *page, const char *name, struct slice value)
{
    if (value.length > 0)
        fprintf(page->out, " %s=%.*s", name, (int)value.length, value.bytes);
}

static void print_word(const struct page *page, const char *name, const char *word)
{
    print_slice(page, name, slice_of(word));
}

static void print_step(const struct page *page, const struct playbook *playbook,
                       const struct person_row *row)
{
    const struct playbook_cadence *cadence;

    if (row->cadence == 0 || row->cadence > playbook->cadences.count)
        return;
    cadence = &playbook->cadences.items[row->cadence - 1];
    print_slice(page, "cadence", cadence->id);
    if (row->step == 0 || row->step > cadence->steps.count)
        return;
    print_slice(page, "next_step", cadence->steps.items[row->step - 1].id);
    print_time(page, "at", row->step_ms);
}

/* What was to come, in the words of the playbook of then. */
static void print_life(const struct page *page, const struct person_row *row)
{
    const struct registry *registry = page->view->registry;
    const struct playbook *playbook = registry_playbook(registry, row->playbook);
    const struct playbook_version *version = registry_playbook_version(registry, row->playbook);

    fprintf(page->out, "life playbook=%s version=%u", version ? version->id : "default",
            version ? (unsigned)version->version : 0);
    if (row->segment > 0 && row->segment <= playbook->segments.count)
        print_slice(page, "segment", playbook->segments.items[row->segment - 1].id);
    print_step(page, playbook, row);
    print_word(page, "next_call", call_why_name((enum call_why)row->call_why));
    print_time(page, "at", row->call_ms);
    print_word(page, "closed", person_end_name((enum person_end)row->closed));
    fputc('\n', page->out);
}

static void print_row(const struct page *page, uint64_t number, const struct person_row *row)
{
    const struct playbook *playbook = registry_playbook(page->view->registry, row->playbook);

    fputs("person", page->out);
    print_id(page, ID_PERSON, row->first_ms, number);
    print_name(page, "agency", ENTITY_AGENCY, row->agency);
    print_slice(page, "stage", playbook_stage_id(playbook, row->stage));
    print_name(page, "owner", ENTITY_AGENT, row->owner);
    fprintf(page->out, " optins=%u attempts=%u", (unsigned)row->optins, (unsigned)row->attempts);
    if (row->end != OUTCOME_NONE)
        fprintf(page->out, " last_outcome=%s", outcome_name((enum outcome)row->end));
    print_time(page, "first", row->first_ms);
    print_time(page, "last", row->last_ms);
    print_time(page, "contact", row->contact_ms);
    print_flags(page, row->flags);
    fputc('\n', page->out);
}

static void print_task(const struct page *page, const struct task_row *row)
{
    fputs("open", page->out);
    print_id(page, ID_TASK, row->opened_ms, row->number);
    fprintf(page->out, " %s %s %s", task_channel_name((enum task_channel)row->channel),
            task_kind_name((enum task_kind)row->kind),
            task_state_name((enum task_state)row->state));
    print_name(page, "queue", ENTITY_QUEUE, row->queue);
    fprintf(page->out, " delivery=%u attempt=%u", (unsigned)row->delivery, (unsigned)row->attempt);
    print_time(page, "deadline", row->deadline_ms);
    print_time(page, "claimed", row->claimed_ms);
    print_time(page, "lease_until", row->lease_until_ms);
    print_time(page, "due", row->due_ms);
    fprintf(page->out, "%s\n", row->flags & TASK_BREACHED ? " breached" : "");
}

/* --- what had been ---------------------------------------------------------------------------- */

static void print_optin(struct page *page, const struct record_view *record)
{
    struct effect_optin decision;

    if (effect_find(record, EFFECT_OPTIN, &decision, sizeof decision)) {
        print_id(page, ID_OPTIN, decision.received_ms, decision.optin_seq);
        print_name(page, "site", ENTITY_SITE, decision.site);
        if (decision.reason != NO_TASK_HAS_ONE)
            fprintf(page->out, " reason=%s", no_task_name((enum no_task)decision.reason));
    }
    if (record->erased)
        fputs(" erased", page->out);
    optin_clear(&page->optin);
    if (record->payload.length == 0 || optin_decode(record->payload, &page->optin) != STATUS_OK)
        return;
    print_text(page, "name", page->optin.text[OPTIN_NAME]);
    print_text(page, "phone", page->optin.text[OPTIN_PHONE]);
    print_text(page, "email", page->optin.text[OPTIN_EMAIL]);
}

static void print_report(const struct page *page, const struct record_view *record,
                         const struct effect_report *effect)
{
    struct report report;

    fprintf(page->out, " delivery=%u", (unsigned)effect->delivery);
    if (effect->outcome != OUTCOME_NONE)
        fprintf(page->out, " outcome=%s", outcome_name((enum outcome)effect->outcome));
    if (record->payload.length > 0 && report_decode(record->payload, &report) == STATUS_OK) {
        print_text(page, "agent", report.agent);
        print_text(page, "value", report.value);
        print_text(page, "note", report.note);
    }
}

static void print_record(struct page *page, const struct record_view *record)
{
    enum record_kind kind = (enum record_kind)record->header.kind;
    struct effect_report report;
    struct effect_task task;

    fprintf(page->out, "record %" PRIu64, record->header.seq);
    print_time(page, "at", record->header.now_ms);
    fprintf(page->out, " %s", record_kind_name(kind));
    if (kind == RECORD_OPTIN || kind == RECORD_DECIDED || kind == RECORD_REPEATED)
        print_optin(page, record);
    else if (effect_find(record, EFFECT_REPORT, &report, sizeof report))
        print_report(page, record, &report);
    if (effect_find(record, EFFECT_TASK, &task, sizeof task))
        print_id(page, ID_TASK, task.row.opened_ms, task.row.number);
    fputc('\n', page->out);
}

/* Their numbers along the chain, which leads from the newest back. */
static enum status read_chain(const struct page *page, uint64_t last_seq, uint64_t **seqs_out,
                              size_t *count_out)
{
    enum status status = STATUS_OK;
    size_t capacity = 0;

    for (uint64_t seq = last_seq; seq != 0 && status == STATUS_OK;) {
        struct record_view record;
        if (*count_out == capacity) {
            capacity = 2 * capacity + 64;
            uint64_t *larger = realloc(*seqs_out, capacity * sizeof *larger);
            if (!larger)
                return STATUS_BUSY;
            *seqs_out = larger;
        }
        (*seqs_out)[(*count_out)++] = seq;
        status = journal_read(page->view->journal, seq, &record);
        seq = record.header.person_prev;
    }
    return status;
}

static enum status print_chain(struct page *page, uint64_t last_seq)
{
    uint64_t *seqs = NULL;
    size_t count = 0;
    enum status status = read_chain(page, last_seq, &seqs, &count);

    while (status == STATUS_OK && count-- > 0) {
        struct record_view record;
        status = journal_read(page->view->journal, seqs[count], &record);
        if (status == STATUS_OK)
            print_record(page, &record);
    }
    free(seqs);
    return status;
}

enum status maintain_print_person(const struct maintain_person_view *view, struct slice id,
                                  FILE *out)
{
    static struct page page; /* an opt-in is large */
    uint64_t first_ms, number, last_seq;
    struct person_row row;
    struct task_row task;

    page.view = view;
    page.out = out;
    if (!id_parse(id, view->id_key, ID_PERSON, &first_ms, &number) ||
        !state_read_person(view->rows, number, &row, &task, &last_seq) || row.first_ms != first_ms)
        return STATUS_NOT_FOUND;
    print_row(&page, number, &row);
    print_life(&page, &row);
    if (task.number != 0)
        print_task(&page, &task);
    task.number = 0;
    while (state_read_task_next(view->rows, number, task.number, &task))
        print_task(&page, &task);
    enum status status = print_chain(&page, last_seq);
    journal_reader_release(view->journal);
    return status;
}
