/* All people of an agency go over to another version of their playbook, page by page. */
#include <stdlib.h>

#include "proto/id.h"
#include "server/api_hand.h"
#include "server/api_read.h"

#define MOVED_MAX 100  /* people of a page */
#define LOOKS_MAX 2000 /* rows of one: others may lie between */

/* A page on its way: who is to be moved, and what became of each. */
struct hand_page {
    uint32_t agency, from, to;
    bool from_any;
    const struct registry *registry;
    uint64_t after, next; /* number of a person; next 0: those were all */
    unsigned count, waiting, moved;
    bool submitting;
    struct command_payload {
        size_t length;
        char bytes[REPORT_AGENT_MAX + 64];
    } payload;
    struct {
        uint64_t person, first_ms;
        uint32_t from;
        struct effect_moved moved;
        enum status status;
        enum denial denial;
    } people[MOVED_MAX];
};

static void write_kept(struct api *api, struct text *body, const struct hand_page *page)
{
    const char *between = "";

    text_string(body, ",\"kept\":[");
    for (unsigned i = 0; i < page->count; i++) {
        const char *why = hand_denial(page->people[i].denial);
        if (page->people[i].status == STATUS_OK || page->people[i].status == STATUS_DUPLICATE)
            continue;
        text_printf(body, "%s{\"code\":\"%s\"", between, status_code(page->people[i].status));
        api_add_id(api, body, "person", ID_PERSON, page->people[i].first_ms,
                   page->people[i].person);
        write_member_text(body, "detail", slice_of(why));
        text_char(body, '}');
        between = ",";
    }
    text_string(body, "],\"lost\":[");
    between = "";
    for (unsigned i = 0; i < page->count; i++) {
        if (page->people[i].status != STATUS_OK || page->people[i].moved.lost == 0)
            continue;
        text_printf(body, "%s{\"v\":1", between);
        api_add_id(api, body, "person", ID_PERSON, page->people[i].first_ms,
                   page->people[i].person);
        hand_write_lost(body, page->people[i].moved.lost);
        text_char(body, '}');
        between = ",";
    }
    text_char(body, ']');
}

static void finish(struct api *api, struct pending *pending)
{
    struct hand_page *page = pending->hand.page;
    struct text body = text_over(api->out, API_OUT_BYTES);
    uint64_t ticket = pending->http_ticket;

    text_printf(&body, "{\"moved\":%u", page->moved);
    write_kept(api, &body, page);
    text_string(&body, ",\"next\":");
    if (page->next != 0)
        text_printf(&body, "\"%llu\"", (unsigned long long)page->next);
    else
        text_string(&body, "null");
    text_char(&body, '}');
    api_json(api, ticket, 200, &body);
    free(page);
    api_release(api, pending);
}

void api_hand_page_settled(struct api *api, struct pending *pending,
                           const struct settlement *settlement, unsigned item)
{
    struct hand_page *page = pending->hand.page;

    page->people[item].status = settlement->status;
    page->people[item].denial = settlement->denial;
    page->people[item].moved = settlement->moved;
    page->moved += settlement->status == STATUS_OK;
    page->waiting--;
    if (page->waiting == 0 && !page->submitting)
        finish(api, pending);
}

void api_hand_page_free(struct hand_page *page)
{
    free(page);
}

static bool is_asked_for(void *owner, uint64_t person, const struct person_row *row,
                         const struct task_row *task)
{
    struct hand_page *page = owner;

    const uint32_t pinned = registry_pinned(page->registry, row->playbook);

    (void)task;
    page->next = person;
    if (row->agency != page->agency || row->closed == PERSON_MERGED || pinned == page->to ||
        (!page->from_any && pinned != page->from))
        return true;
    page->people[page->count].person = person;
    page->people[page->count].from = pinned;
    page->people[page->count++].first_ms = row->first_ms;
    return page->count < MOVED_MAX;
}

static enum status find_people(struct api *api, struct hand_page *page)
{
    struct state_reader *reader;
    uint64_t next = 0;
    enum status status = state_reader_open(writer_state(api->writer), &reader);

    if (status != STATUS_OK)
        return status;
    status = state_read_people(reader, page->after, LOOKS_MAX, is_asked_for, page, &next);
    state_reader_close(reader);
    if (next == 0)
        page->next = 0;
    return status;
}

static void give_up(struct api *api, struct pending *pending, enum status status)
{
    uint64_t ticket = pending->http_ticket;

    free(pending->hand.page);
    api_release(api, pending);
    api_problem(api, ticket, status, NULL);
}

/* Where no more can be handed over now, the next page begins with the first that was not; without
 * anybody there is no page. */
static void submit_people(struct api *api, struct pending *pending)
{
    struct hand_page *page = pending->hand.page;
    enum status status = STATUS_OK;

    pending->on_settled = api_hand_page_settled;
    page->submitting = true;
    for (unsigned i = 0; i < page->count; i++) {
        struct command command = {
            .kind = COMMAND_MOVE,
            .ticket = api_ticket(api, pending, i),
            .now_ms = clock_now_ms(api->options.clock),
            .payload = {page->payload.bytes, page->payload.length},
            .person = {.number = page->people[i].person,
                       .first_ms = page->people[i].first_ms,
                       .agency = page->agency,
                       .playbook = page->to,
                       .from = page->people[i].from,
                       .move = MOVE_PLAYBOOK,
                       .is_page = true},
        };
        status = writer_submit(api->writer, &command);
        if (status != STATUS_OK) {
            page->next = page->people[i].person - 1;
            page->count = i;
            break;
        }
        page->waiting++;
    }
    page->submitting = false;
    if (status != STATUS_OK && page->count == 0)
        give_up(api, pending, status);
    else if (page->waiting == 0)
        finish(api, pending);
}

static void page_ready(struct api *api, struct pending *pending,
                       const struct settlement *settlement, unsigned item)
{
    struct hand_page *page = pending->hand.page;
    enum status status = settlement->status;

    (void)item;
    if (status == STATUS_OK)
        status = find_people(api, page);
    if (status == STATUS_OK)
        submit_people(api, pending);
    else
        give_up(api, pending, status);
}

static bool take_text(struct json_value body, const char *name, struct slice *out)
{
    struct json_value value;

    *out = (struct slice){0};
    return !json_member(body, name, &value) || value.type == JSON_NULL || json_string(value, out);
}

/* "acme.main", its newest version, or "acme.main@3"; "default" as well. */
static bool find_named(const struct api *api, struct slice text, uint32_t *out)
{
    const char *at = text.length > 0 ? memchr(text.bytes, '@', text.length) : NULL;
    struct slice id = {text.bytes, at ? (size_t)(at - text.bytes) : text.length};
    uint64_t version = 0;

    for (const char *c = at ? at + 1 : NULL; c && c < text.bytes + text.length; c++) {
        if (*c < '0' || *c > '9' || version > SITE_PLAYBOOK_NUMBER_MAX)
            return false;
        version = version * 10 + (uint64_t)(*c - '0');
    }
    return !(at && version == 0) &&
           hand_find_version(api->options.registry, id, (uint32_t)version, out);
}

/* To: what new people of the agency go by, unless it is said. */
static enum status read_page_of(struct api *api, const struct api_call *call,
                                struct json_value body, struct hand_page *page, struct slice *field)
{
    const struct registry *registry = api->options.registry;
    struct slice agency, from, to, after;

    page->registry = registry;
    *field = SLICE("agency");
    if (!take_text(body, "agency", &agency))
        return STATUS_INVALID;
    page->agency =
        agency.length > 0 ? registry_number(registry, ENTITY_AGENCY, agency) : call->caller.agency;
    if (page->agency == 0 || !registry_agency(registry, page->agency))
        return STATUS_INVALID;
    if (!api_may_see(&call->caller, page->agency))
        return STATUS_FORBIDDEN;
    *field = SLICE("from");
    page->from_any = true;
    if (!take_text(body, "from", &from) || (from.length > 0 && !find_named(api, from, &page->from)))
        return STATUS_INVALID;
    page->from_any = from.length == 0;
    *field = SLICE("to");
    page->to = registry_playbook_of(registry, &(struct site){.agency = page->agency});
    if (!take_text(body, "to", &to) || (to.length > 0 && !find_named(api, to, &page->to)))
        return STATUS_INVALID;
    *field = SLICE("after");
    if (!take_text(body, "after", &after) || after.length > 20)
        return STATUS_INVALID;
    for (size_t i = 0; i < after.length; i++) {
        if (after.bytes[i] < '0' || after.bytes[i] > '9')
            return STATUS_INVALID;
        page->after = page->after * 10 + (uint64_t)(after.bytes[i] - '0');
    }
    return STATUS_OK;
}

static void start_page(struct api *api, const struct api_call *call, struct hand_page *page)
{
    uint64_t ticket = call->request->ticket;
    struct report said;
    struct pending *pending = api_pend(api, ticket, page_ready);

    if (!pending) {
        free(page);
        api_problem(api, ticket, STATUS_BUSY, NULL);
        return;
    }
    report_clear(&said);
    said.agent = slice_of(call->caller.token->id);
    page->payload.length = report_encode(&said, page->payload.bytes, sizeof(page->payload.bytes));
    pending->hand.page = page;
    enum status status = api_submit(api, pending, &(struct command){.kind = COMMAND_BARRIER});
    if (status != STATUS_OK) {
        free(page);
        api_problem(api, ticket, status, NULL);
    }
}

/* {"agency","from","to","after"}: people stay on their version until they are moved. */
void api_people_move(struct api *api, const struct api_call *call)
{
    struct json_value body;
    struct slice field = {0};
    uint64_t ticket = call->request->ticket;

    if (!api_body_object(api, call, &body))
        return;
    if (!writer_is_ready(api->writer)) {
        api_problem(api, ticket, STATUS_BUSY, "what is stored is being brought up to date");
        return;
    }
    struct hand_page *page = calloc(1, sizeof(*page));
    enum status status = page ? read_page_of(api, call, body, page, &field) : STATUS_INTERNAL;
    if (status == STATUS_OK) {
        start_page(api, call, page);
        return;
    }
    free(page);
    api_problem_field(api, ticket, status, field);
}
