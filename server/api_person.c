/* People: found by phone or e-mail (never in an address), shown, and their history. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/email.h"
#include "proto/form.h"
#include "proto/id.h"
#include "proto/must.h"
#include "proto/phone.h"
#include "proto/task.h"
#include "server/api_read.h"

#define HISTORY_RECORDS_MAX 100
/* One more record always fits behind it: a note of 8 KiB, an opt-in of 96, all escaped. */
#define HISTORY_BYTES_MAX (API_OUT_BYTES / 4)

/* --- one person --------------------------------------------------------------------- */

static void hide(struct optin *words, bool phone)
{
    if (phone)
        words->text[OPTIN_PHONE] = words->text[OPTIN_PHONE_E164] = (struct slice){0};
    else
        words->text[OPTIN_EMAIL] = (struct slice){0};
}

/* A number and an address are added by the record alone that brought the person's own: others were
 * replaced, or stand beside them. */
static void add_words(struct reading *reading, const struct person_row *row, uint64_t seq)
{
    struct record_view record;
    struct optin *words = &reading->api->earlier;

    if (seq == 0 || journal_read(reading->journal, seq, &record) != STATUS_OK || record.erased ||
        optin_decode(record.payload, words) != STATUS_OK)
        return;
    if (seq != person_brought_by(row, true))
        hide(words, true);
    if (seq != person_brought_by(row, false))
        hide(words, false);
    optin_identify_by(TASK_RENDERER, &reading->api->optin, words);
}

/* The person, or somebody who was merged into it, is found by the number that the words say. */
static bool leads_here(struct reading *reading, uint64_t person, const struct person_row *row,
                       const struct optin *words)
{
    struct slice said = words->text[OPTIN_PHONE_E164];
    struct read_chains chains;
    struct hash hash;

    if (said.length == 0)
        return true;
    hash = hash_of(writer_hash_key(reading->api->writer), HASH_PHONE, row->agency, said);
    if (read_chains(reading, person, 0, &chains) != STATUS_OK)
        return false;
    for (unsigned i = 0; i < chains.count; i++) {
        struct person_row one;
        struct task_row task;
        struct state_edge edge;
        uint64_t last_seq, place = hash_place(hash), number = chains.of[i].person;
        if (chains.of[i].whose != 0)
            continue; /* it is one with them no more */
        if ((state_read_person(reading->state, number, &one, &task, &last_seq) &&
             hash_equal(one.phone, hash)) ||
            (state_read_edge_next(reading->state, number, EDGE_PHONE, place, &edge) &&
             edge.other == place))
            return true;
    }
    return false;
}

/* The agency's own server may correct what was said before. */
static bool read_correction(struct reading *reading, const struct person_row *row)
{
    struct record_view record;
    struct effect_optin decision;

    return row->first_seq != row->optin_seq &&
           journal_read(reading->journal, row->optin_seq, &record) == STATUS_OK && !record.erased &&
           effect_find(&record, EFFECT_OPTIN, &decision, sizeof(decision)) &&
           decision.credential == CREDENTIAL_SECRET &&
           optin_decode(record.payload, &reading->api->optin) == STATUS_OK;
}

/* What the first opt-in says, and where it is silent the newest: input from outside only ever
 * adds. What neither says, the opt-in does that brought it. */
static void read_identity(struct reading *reading, uint64_t person, const struct person_row *row)
{
    struct optin *words = &reading->api->optin;

    optin_clear(words);
    optin_clear(&reading->api->earlier);
    if (!read_correction(reading, row))
        optin_clear(words);
    else if (!leads_here(reading, person, row, words))
        hide(words, true);
    add_words(reading, row, row->first_seq);
    add_words(reading, row, row->optin_seq);
    add_words(reading, row, row->phone_seq);
    add_words(reading, row, row->email_seq);
    add_words(reading, row, row->name_seq);
    known_identify(words, read_known(reading, row));
}

void write_who(struct reading *reading, struct text *out, uint64_t person,
               const struct person_row *row)
{
    static const enum optin_text shown[] = {
        OPTIN_NAME,    OPTIN_FIRST_NAME, OPTIN_LAST_NAME, OPTIN_PHONE,       OPTIN_EMAIL,
        OPTIN_COMPANY, OPTIN_TITLE,      OPTIN_COUNTRY,   OPTIN_POSTAL_CODE, OPTIN_TIMEZONE};
    const struct api *api = reading->api;

    read_identity(reading, person, row);
    for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
        write_member_text(out, optin_key(shown[i]), api->optin.text[shown[i]]);
    }
}

static void write_flags(struct text *out, uint8_t flags)
{
    static const struct {
        enum person_flag flag;
        const char *name;
    } names[] = {
        {PERSON_REVIEW, "review"},       {PERSON_DO_NOT_CONTACT, "do_not_contact"},
        {PERSON_CUSTOMER, "customer"},   {PERSON_CONSENT_AGAIN, "consent_again"},
        {PERSON_BAD_PHONE, "bad_phone"}, {PERSON_BAD_EMAIL, "bad_email"},
    };
    const char *between = "";

    text_string(out, ",\"flags\":[");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(flags & names[i].flag))
            continue;
        text_printf(out, "%s\"%s\"", between, names[i].name);
        between = ",";
    }
    text_char(out, ']');
}

static enum status write_tasks(struct reading *reading, struct text *out, uint64_t person,
                               struct task_row row)
{
    const char *between = "";
    enum status status = STATUS_OK;
    bool is_further = row.number == 0; /* the first of them stands in the person's own row */
    bool more = !is_further || state_read_task_next(reading->state, person, 0, &row);

    text_string(out, ",\"tasks\":[");
    while (more && status == STATUS_OK) {
        struct task_story story;
        status = read_story(reading, row.number, &story);
        if (status == STATUS_OK) {
            text_string(out, between);
            write_story(reading, out, &story);
            text_char(out, '}');
            between = ",";
        }
        more = state_read_task_next(reading->state, person, is_further ? row.number : 0, &row);
        is_further = true;
    }
    text_char(out, ']');
    return status;
}

/* What happened last: one look, because it is whatever the person's newest record is. */
static void write_last(struct reading *reading, struct text *out, uint64_t seq)
{
    struct record_view record;

    text_string(out, ",\"last_event\":");
    if (journal_read(reading->journal, seq, &record) != STATUS_OK) {
        text_string(out, "null");
        return;
    }
    text_printf(out, "{\"kind\":\"%s\"", record_kind_name((enum record_kind)record.header.kind));
    write_member_ms(out, "now_ms", record.header.now_ms);
    text_char(out, '}');
}

static enum status write_person(struct reading *reading, struct pending *pending, uint64_t number,
                                struct text *out)
{
    const struct registry *registry = reading->api->options.registry;
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;
    char id[ID_TEXT_LENGTH];

    if (!state_read_person(reading->state, number, &row, &task, &last_seq) ||
        !read_is_callers(pending, row.agency))
        return STATUS_NOT_FOUND;
    id_format(id, writer_id_key(reading->api->writer), ID_PERSON, row.first_ms, number);
    text_string(out, "{\"id\":\"");
    text_bytes(out, id, sizeof(id));
    text_char(out, '"');
    write_member_text(out, "agency", registry_name(registry, ENTITY_AGENCY, row.agency));
    write_life(reading, out, &row);
    write_agent(reading, out, "owner", row.owner);
    write_who(reading, out, number, &row);
    write_flags(out, row.flags);
    write_known(reading, out, &row);
    write_edges(reading, out, number);
    text_printf(out, ",\"optins\":%u,\"attempts\":%u", (unsigned)row.optins,
                (unsigned)row.attempts);
    write_member_ms(out, "first_ms", row.first_ms);
    write_member_ms(out, "last_ms", row.last_ms);
    write_member_ms(out, "contact_ms", row.contact_ms);
    write_member_text(out, "last_outcome",
                      row.end == OUTCOME_NONE ? (struct slice){0}
                                              : slice_of(outcome_name((enum outcome)row.end)));
    write_last(reading, out, last_seq);
    enum status status = write_tasks(reading, out, number, task);
    text_char(out, '}');
    return status;
}

/* The id must be the one that was given out: its time is the person's first. */
static bool is_person(struct reading *reading, const struct pending *pending, uint64_t *last_seq)
{
    struct person_row row;
    struct task_row task;

    return state_read_person(reading->state, pending->read.number, &row, &task, last_seq) &&
           row.first_ms == pending->read.at_ms && read_is_callers(pending, row.agency);
}

static enum status run_person(struct reading *reading, struct pending *pending, struct text *out)
{
    uint64_t last_seq;

    if (!is_person(reading, pending, &last_seq))
        return STATUS_NOT_FOUND;
    return write_person(reading, pending, pending->read.number, out);
}

void api_person_get(struct api *api, const struct api_call *call)
{
    read_begin(api, call, ID_PERSON, run_person);
}

/* --- search ---------------------------------------------------------------------------- */

static enum status run_search(struct reading *reading, struct pending *pending, struct text *out)
{
    enum status status = STATUS_OK;

    text_string(out, "{\"people\":[");
    if (pending->read.person != PERSON_NONE)
        status = write_person(reading, pending, pending->read.person, out);
    text_string(out, "]}");
    return status;
}

struct search {
    struct slice phone, email, country, agency;
};

static enum status read_search(struct json_value body, struct search *search, struct slice *field)
{
    const struct {
        const char *name;
        struct slice *out;
    } members[] = {{"phone", &search->phone},
                   {"email", &search->email},
                   {"country", &search->country},
                   {"agency", &search->agency}};
    struct json_value value;

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        *field = slice_of(members[i].name);
        if (json_member(body, members[i].name, &value) && !json_string(value, members[i].out))
            return STATUS_INVALID;
    }
    *field = (struct slice){0};
    return search->phone.length + search->email.length == 0 ? STATUS_NO_IDENTIFIER : STATUS_OK;
}

/* Whose people are searched: the caller's, or, for an administrator, the agency he names. */
static uint32_t agency_of_search(const struct api *api, const struct api_call *call,
                                 const struct search *search)
{
    if (call->caller.who != WHO_ADMIN)
        return call->caller.agency;
    return registry_number(api->options.registry, ENTITY_AGENCY, search->agency);
}

/* Numbers in national form are read as the site's that asks, or the agency's first site's. */
static const char *country_of(const struct api *api, const struct api_call *call, uint32_t agency)
{
    if (call->caller.site)
        return call->caller.site->country;
    for (uint32_t i = 1; i <= registry_count(api->options.registry, ENTITY_SITE); i++) {
        const struct site *site = registry_site(api->options.registry, i);
        if (site && site->agency == agency)
            return site->country;
    }
    return "US";
}

static enum status hash_search(const struct api *api, const struct search *search, uint32_t agency,
                               const char *country, struct effect_received *facts)
{
    const struct hash_key *key = writer_hash_key(api->writer);
    char bytes[4 * EMAIL_LENGTH_MAX];
    struct text email = text_over(bytes, sizeof(bytes));
    struct phone phone;

    *facts = (struct effect_received){0};
    if (search->phone.length != 0) {
        if (phone_parse(search->phone, country, &phone) != STATUS_OK)
            return STATUS_BAD_IDENTIFIER;
        facts->phone = hash_of(key, HASH_PHONE, agency, (struct slice){phone.e164, phone.length});
    }
    if (search->email.length != 0) {
        if (email_normalise(search->email, &email) != STATUS_OK || email.overflow)
            return STATUS_BAD_IDENTIFIER;
        facts->email = hash_of(key, HASH_EMAIL, agency, text_slice(&email));
    }
    return STATUS_OK;
}

void api_person_search(struct api *api, const struct api_call *call)
{
    struct json_value body;
    struct search search = {0};
    struct slice field;
    struct effect_received facts;

    if (!api_body_object(api, call, &body))
        return;
    enum status status = read_search(body, &search, &field);
    uint32_t agency = agency_of_search(api, call, &search);
    const char *country =
        search.country.length == 2 ? search.country.bytes : country_of(api, call, agency);
    if (status == STATUS_OK && agency == 0) {
        api_problem(api, call->request->ticket, STATUS_INVALID,
                    "the value of agency cannot be used: an administrator names an agency that is "
                    "there");
        return;
    }
    if (status == STATUS_OK)
        status = hash_search(api, &search, agency, country, &facts);
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, field);
    else
        read_find(api, call, &facts, agency, run_search);
}

/* --- history ------------------------------------------------------------------------------ */

static void write_task_id(struct reading *reading, struct text *out, uint64_t task)
{
    struct record_view opened;
    bool found = task != 0 && journal_read(reading->journal, task >> 3, &opened) == STATUS_OK;

    api_add_id(reading->api, out, "task", ID_TASK, found ? opened.header.now_ms : 0,
               found ? task : 0);
}

/* What the person said, in its own words. */
static void write_content(struct reading *reading, struct text *out,
                          const struct record_view *record)
{
    if (record->erased || optin_decode(record->payload, &reading->api->optin) != STATUS_OK)
        return;
    text_string(out, ",\"content\":");
    optin_write_json(out, &reading->api->optin);
}

static void write_optin_event(struct reading *reading, struct text *out,
                              const struct record_view *record, const struct effect_optin *optin)
{
    struct record_view received;

    const struct registry *registry = reading->api->options.registry;

    api_add_id(reading->api, out, "optin", ID_OPTIN, optin->received_ms, optin->optin_seq);
    write_member_text(out, "site", registry_name(registry, ENTITY_SITE, optin->site));
    api_add_id(reading->api, out, "task", ID_TASK, optin->task_opened_ms, optin->task);
    write_member_text(out, "reason", slice_of(no_task_name((enum no_task)optin->reason)));
    write_member_ms(out, "deadline_ms", optin->deadline_ms);
    if (optin->optin_seq == record->header.seq)
        write_content(reading, out, record);
    else if (journal_read(reading->journal, optin->optin_seq, &received) == STATUS_OK)
        write_content(reading, out, &received);
}

/* An object as whoever reported wrote it; what is none, as the text that it was. */
static void write_object(struct reading *reading, struct text *out, const char *name,
                         struct slice json)
{
    struct api *api = reading->api;
    struct json_value object;

    if (json.length == 0)
        return;
    memcpy(api->report_bytes, json.bytes, json.length);
    if (json_parse(api->json, api->report_bytes, json.length, &object) != STATUS_OK ||
        object.type != JSON_OBJECT) {
        write_member_text(out, name, json);
        return;
    }
    text_printf(out, ",\"%s\":", name);
    json_write(out, object);
}

static void write_report_event(struct reading *reading, struct text *out,
                               const struct record_view *record, const struct effect_report *effect)
{
    struct report said;

    report_clear(&said);
    if (!record->erased && report_decode(record->payload, &said) != STATUS_OK)
        report_clear(&said);
    write_task_id(reading, out, effect->task);
    text_printf(out, ",\"delivery\":%u,\"op\":\"%s\"", (unsigned)effect->delivery,
                report_op_name((enum report_op)effect->op));
    write_member_text(out, "outcome",
                      effect->outcome == OUTCOME_NONE
                          ? (struct slice){0}
                          : slice_of(outcome_name((enum outcome)effect->outcome)));
    write_member_text(out, "agent", said.agent);
    write_member_text(out, "note", said.note);
    write_member_text(out, "value", said.value);
    write_member_text(out, "channel", said.channel);
    write_object(reading, out, "answers", said.answers);
    write_object(reading, out, "finds", said.finds);
    if (effect->odd != 0)
        text_printf(out, ",\"odd\":%u", (unsigned)effect->odd);
    write_member_ms(out, "started_ms", effect->started_ms);
    write_member_ms(out, "ended_ms", effect->ended_ms);
    write_member_ms(out, "call_at_ms", effect->call_at_ms);
    if (said.word.length > 0)
        write_member_text(out, "word", said.word);
    if (effect->unknown_word)
        text_string(out, ",\"unknown_word\":true");
}

/* It happened to somebody who is, or was, the same one. */
static void write_whose(struct reading *reading, struct text *out, uint64_t person,
                        const struct record_view *record)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq, whose = effect_speaker(record);

    if (whose == 0)
        whose = record->header.person;
    if (whose != person && state_read_person(reading->state, whose, &row, &task, &last_seq))
        api_add_id(reading->api, out, "person", ID_PERSON, row.first_ms, whose);
}

void write_event(struct reading *reading, struct text *out, uint64_t person,
                 const struct record_view *record)
{
    struct effect_optin optin;
    struct effect_report report;
    struct effect_task task;

    text_string(out, "{\"seq\":");
    text_uint(out, record->header.seq);
    text_string(out, ",\"now_ms\":");
    text_uint(out, record->header.now_ms);
    write_member_text(out, "kind",
                      slice_of(record_kind_name((enum record_kind)record->header.kind)));
    write_whose(reading, out, person, record);
    if (record->erased)
        text_string(out, ",\"erased\":true");
    if (effect_find(record, EFFECT_OPTIN, &optin, sizeof(optin))) {
        write_optin_event(reading, out, record, &optin);
    } else if (effect_find(record, EFFECT_REPORT, &report, sizeof(report))) {
        write_report_event(reading, out, record, &report);
    } else if (effect_find(record, EFFECT_TASK, &task, sizeof(task))) {
        api_add_id(reading->api, out, "task", ID_TASK, task.row.opened_ms, task.row.number);
        text_printf(out, ",\"delivery\":%u", (unsigned)task.row.delivery);
        if (task.row.flags & TASK_BREACHED)
            text_string(out, ",\"breached\":true");
    }
    if (record->header.kind == RECORD_REPEATED)
        write_content(reading, out, record);
    write_happened(reading, out, person, record);
    text_char(out, '}');
}

static enum status run_history(struct reading *reading, struct pending *pending, struct text *out)
{
    struct read_chains chains;
    uint64_t seq, last = 0;

    if (!is_person(reading, pending, &seq))
        return STATUS_NOT_FOUND;
    enum status status = read_chains(reading, pending->read.number, pending->read.before, &chains);
    seq = status == STATUS_OK ? read_newest(&chains) : 0;
    text_string(out, "{\"history\":[");
    for (unsigned i = 0; status == STATUS_OK && seq != 0 && i < HISTORY_RECORDS_MAX &&
                         out->length < HISTORY_BYTES_MAX;
         i++) {
        struct record_view record;
        status = journal_read(reading->journal, seq, &record);
        if (status != STATUS_OK)
            break;
        if (i > 0)
            text_char(out, ',');
        write_event(reading, out, pending->read.number, &record);
        last = seq;
        status = read_go_on(reading, &chains, &record);
        seq = read_newest(&chains);
    }
    text_char(out, ']');
    write_member_ms(out, "next", seq != 0 ? last : 0);
    text_char(out, '}');
    return status;
}

/* `?before=<seq>` goes on where "next" of the page before said. */
void api_person_history(struct api *api, const struct api_call *call)
{
    char bytes[32];
    struct text scratch = text_over(bytes, sizeof(bytes) - 1);
    struct slice before = form_query(call->request->query, "before", &scratch);
    struct api_call paged = *call;

    if (before.length != 0) {
        char number[32] = {0};
        memcpy(number, before.bytes, before.length);
        paged.before = strtoull(number, NULL, 10);
    }
    read_begin(api, &paged, ID_PERSON, run_history);
}
