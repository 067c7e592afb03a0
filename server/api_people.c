/* People and people: who another one is, who referred whom, whom a manager should look at. */
#include <stdlib.h>

#include "proto/form.h"
#include "proto/id.h"
#include "server/api_read.h"

#define SHOWN_MAX    100 /* of one person's edges: the list has the rest */
#define PAGE_MAX     100
#define PAGE_DEFAULT 50

/* --- beside a person -------------------------------------------------------------------- */

static bool write_id(struct reading *reading, struct text *out, uint64_t person)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;
    char id[ID_TEXT_LENGTH];

    if (!state_read_person(reading->state, person, &row, &task, &last_seq))
        return false;
    id_format(id, writer_id_key(reading->api->writer), ID_PERSON, row.first_ms, person);
    text_char(out, '"');
    text_bytes(out, id, sizeof(id));
    text_char(out, '"');
    return true;
}

static void write_one(struct reading *reading, struct text *out, const char *name, uint64_t person,
                      enum edge_kind kind)
{
    struct state_edge edge;

    text_printf(out, ",\"%s\":", name);
    if (!state_read_edge_next(reading->state, person, kind, 0, &edge) ||
        !write_id(reading, out, edge.other))
        text_string(out, "null");
}

static void write_all(struct reading *reading, struct text *out, const char *name, uint64_t person,
                      enum edge_kind kind)
{
    struct state_edge edge;
    uint64_t from = 0;
    const char *between = "";

    text_printf(out, ",\"%s\":[", name);
    for (unsigned i = 0;
         i < SHOWN_MAX && state_read_edge_next(reading->state, person, kind, from, &edge); i++) {
        text_string(out, between);
        if (write_id(reading, out, edge.other))
            between = ",";
        from = edge.other + 1;
    }
    text_char(out, ']');
}

void write_edges(struct reading *reading, struct text *out, uint64_t person)
{
    write_one(reading, out, "merged_into", person, EDGE_MERGED_INTO);
    write_all(reading, out, "merged", person, EDGE_MERGED);
    write_all(reading, out, "collides", person, EDGE_COLLIDES);
    write_all(reading, out, "referred_by", person, EDGE_REFERRED_BY);
    write_all(reading, out, "referred", person, EDGE_REFERRED);
}

/* --- histories of people who are one ------------------------------------------------------ */

static void add_chain(struct read_chains *chains, uint64_t person, uint64_t seq, uint64_t whose)
{
    if (chains->count < READ_CHAINS_MAX)
        chains->of[chains->count++] =
            (struct read_chain){.person = person, .seq = seq, .whose = whose};
}

static void add_chains(struct reading *reading, uint64_t person, struct read_chains *chains)
{
    struct person_row row;
    struct task_row task;
    struct state_edge edge;
    uint64_t last_seq, from = 0;

    if (!state_read_person(reading->state, person, &row, &task, &last_seq))
        return;
    add_chain(chains, person, last_seq, 0);
    for (; state_read_edge_next(reading->state, person, EDGE_PARTED, from, &edge);
         from = edge.other + 1)
        add_chain(chains, edge.other, edge.seq, person);
    for (from = 0; state_read_edge_next(reading->state, person, EDGE_MERGED, from, &edge);
         from = edge.other + 1)
        add_chains(reading, edge.other, chains);
}

/* It said it, or became one with another by it, or somebody else again. */
static bool concerns(const struct record_view *record, uint64_t person)
{
    struct person_row row;

    return effect_speaker(record) == person ||
           ((record->header.kind == RECORD_MERGED || record->header.kind == RECORD_UNMERGED) &&
            effect_find_person(record, person, &row));
}

/* One chain to what it tells next before a seq: of those who were merged, and of those who were
 * one with the person, none has much that is not told. */
static enum status go_before(struct reading *reading, uint64_t before, struct read_chain *chain)
{
    struct record_view record;
    enum status status = STATUS_OK;

    for (unsigned i = 0; chain->seq != 0 && i < READ_RECORDS_MAX; i++) {
        status = journal_read(reading->journal, chain->seq, &record);
        if (status != STATUS_OK ||
            (chain->seq < before && (chain->whose == 0 || concerns(&record, chain->whose))))
            return status;
        chain->seq = record.header.person_prev;
    }
    if (chain->whose != 0)
        chain->seq = 0; /* what is not the person's is never told as its own */
    return status;
}

static bool is_theirs(const struct read_chains *chains, uint64_t person)
{
    for (unsigned i = 0; i < chains->count; i++)
        if (chains->of[i].person == person)
            return true;
    return false;
}

enum status read_chains(struct reading *reading, uint64_t person, uint64_t before,
                        struct read_chains *out)
{
    struct record_view record;
    enum status status = STATUS_OK;

    out->count = 0;
    add_chains(reading, person, out);
    if (before != 0)
        status = journal_read(reading->journal, before, &record);
    if (status == STATUS_OK && before != 0 && !is_theirs(out, record.header.person))
        return STATUS_NOT_FOUND;
    for (unsigned i = 0; status == STATUS_OK && i < out->count; i++) {
        struct read_chain *chain = &out->of[i];
        if (before != 0 && chain->person == record.header.person && before < chain->seq)
            chain->seq = before; /* at once: a history may be long */
        if (before != 0 || chain->whose != 0)
            status = go_before(reading, before != 0 ? before : UINT64_MAX, chain);
    }
    return status;
}

uint64_t read_newest(const struct read_chains *chains)
{
    uint64_t newest = 0;

    for (unsigned i = 0; i < chains->count; i++)
        newest = chains->of[i].seq > newest ? chains->of[i].seq : newest;
    return newest;
}

enum status read_go_on(struct reading *reading, struct read_chains *chains,
                       const struct record_view *told)
{
    const uint64_t seq = told->header.seq, prev = told->header.person_prev;
    enum status status = STATUS_OK;

    for (unsigned i = 0; status == STATUS_OK && i < chains->count; i++) {
        struct read_chain *chain = &chains->of[i];
        if (chain->seq != seq)
            continue;
        chain->seq = prev;
        if (chain->whose != 0)
            status = go_before(reading, seq, chain);
    }
    return status;
}

/* --- whom to look at ---------------------------------------------------------------------- */

static void write_short(struct reading *reading, struct text *out, const char *name,
                        uint64_t person)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    text_printf(out, "\"%s\":", name);
    if (person == 0 || !state_read_person(reading->state, person, &row, &task, &last_seq)) {
        text_string(out, "null");
        return;
    }
    text_string(out, "{\"id\":");
    write_id(reading, out, person);
    write_who(reading, out, person, &row);
    write_one(reading, out, "merged_into", person, EDGE_MERGED_INTO);
    text_char(out, '}');
}

/* Rows of who is no longer flagged are taken away with the flag. */
static enum status run_review(struct reading *reading, struct pending *pending, struct text *out)
{
    struct state_review row = {.seq = pending->read.before, .other = pending->read.number};
    unsigned shown = 0;
    bool more = false;

    text_string(out, "{\"people\":[");
    while (shown < pending->read.limit &&
           (more = state_read_review_next(reading->state, pending->read.agency, &row, &row))) {
        text_string(out, shown++ > 0 ? ",{" : "{");
        write_short(reading, out, "person", row.person);
        text_char(out, ',');
        write_short(reading, out, "other", row.other);
        text_printf(out, ",\"seq\":%llu}", (unsigned long long)row.seq);
    }
    text_string(out, "],\"next\":");
    if (more)
        text_printf(out, "\"%llu.%llu\"", (unsigned long long)row.seq,
                    (unsigned long long)row.other);
    else
        text_string(out, "null");
    text_char(out, '}');
    return STATUS_OK;
}

/* "123.45" */
static bool take_place(struct slice text, uint64_t *seq, uint64_t *other)
{
    char bytes[48], *end;

    *seq = UINT64_MAX;
    *other = 0;
    if (text.length == 0)
        return true;
    if (text.length >= sizeof(bytes) || text.bytes[0] < '0' || text.bytes[0] > '9')
        return false;
    memcpy(bytes, text.bytes, text.length);
    bytes[text.length] = '\0';
    *seq = strtoull(bytes, &end, 10);
    if (*end != '.')
        return false;
    *other = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

static struct slice query(const struct api_call *call, const char *name, struct text *scratch)
{
    return form_query(call->request->query, name, scratch);
}

static enum status take_agency(const struct api *api, const struct api_call *call, uint32_t *out)
{
    char bytes[SITE_NAME_MAX + 1];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice id = query(call, "agency", &scratch);

    *out = id.length == 0 ? call->caller.agency
                          : registry_number(api->options.registry, ENTITY_AGENCY, id);
    if (id.length != 0 && (*out == 0 || !api_may_see(&call->caller, *out)))
        return STATUS_NOT_FOUND;
    return *out == 0 ? STATUS_INVALID : STATUS_OK;
}

static enum status take_page(const struct api *api, const struct api_call *call,
                             struct read_page *page, const char **wrong)
{
    char a[8], b[48], c[8];
    struct text review = text_over(a, sizeof(a)), after = text_over(b, sizeof(b)),
                limit = text_over(c, sizeof(c) - 1);
    struct slice most = query(call, "limit", &limit);

    *wrong = "review"; /* the only list there is */
    if (!slice_equal(query(call, "review", &review), SLICE("1")))
        return STATUS_INVALID;
    *wrong = "limit";
    page->limit = PAGE_DEFAULT;
    if (most.length != 0) {
        memmove(c, most.bytes, most.length);
        c[most.length] = '\0';
        page->limit = (uint32_t)strtoul(c, NULL, 10);
    }
    if (page->limit == 0 || page->limit > PAGE_MAX)
        return STATUS_INVALID;
    *wrong = "after";
    if (!take_place(query(call, "after", &after), &page->before, &page->number))
        return STATUS_INVALID;
    *wrong = "agency";
    return take_agency(api, call, &page->agency);
}

/* `?review=1&agency=ID&limit=N&after=` what "next" of the page before said. */
static void list_review(struct api *api, const struct api_call *call)
{
    struct read_page page = {0};
    const char *wrong;
    enum status status = take_page(api, call, &page, &wrong);

    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, slice_of(wrong));
    else
        read_list(api, call, &page, run_review);
}

/* Two lists have this path: whom a manager should look at, and who went cold. */
void api_people_list(struct api *api, const struct api_call *call)
{
    char bytes[8];
    struct text review = text_over(bytes, sizeof(bytes));

    if (query(call, "review", &review).length == 0)
        api_people_cold(api, call);
    else if (call->caller.who == WHO_KEY)
        api_problem(api, call->request->ticket, STATUS_FORBIDDEN, NULL);
    else
        list_review(api, call);
}

/* --- whom somebody referred --------------------------------------------------------------- */

static enum status run_referrals(struct reading *reading, struct pending *pending, struct text *out)
{
    struct person_row row;
    struct task_row task;
    struct state_edge edge;
    uint64_t last_seq, from = pending->read.before + 1;
    unsigned shown = 0;
    bool more = false;

    if (!state_read_person(reading->state, pending->read.number, &row, &task, &last_seq) ||
        row.first_ms != pending->read.at_ms || !read_is_callers(pending, row.agency))
        return STATUS_NOT_FOUND;
    text_string(out, "{\"referred\":[");
    while (shown < PAGE_MAX && (more = state_read_edge_next(reading->state, pending->read.number,
                                                            EDGE_REFERRED, from, &edge))) {
        text_string(out, shown++ > 0 ? ",{" : "{");
        write_short(reading, out, "person", edge.other);
        text_printf(out, ",\"seq\":%llu}", (unsigned long long)edge.seq);
        from = edge.other + 1;
    }
    text_string(out, "],\"next\":");
    if (more)
        text_printf(out, "\"%llu\"", (unsigned long long)(from - 1));
    else
        text_string(out, "null");
    text_char(out, '}');
    return STATUS_OK;
}

/* `?after=` what "next" of the page before said. */
void api_person_referrals(struct api *api, const struct api_call *call)
{
    char bytes[32];
    struct text scratch = text_over(bytes, sizeof(bytes) - 1);
    struct slice after = query(call, "after", &scratch);
    struct api_call paged = *call;

    if (after.length != 0) {
        memmove(bytes, after.bytes, after.length);
        bytes[after.length] = '\0';
        paged.before = strtoull(bytes, NULL, 10);
    }
    read_begin(api, &paged, ID_PERSON, run_referrals);
}
