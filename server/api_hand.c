/* What managers do by hand: a person is put elsewhere, two are merged, one is parted again. */
#include "server/api_hand.h"

#include "proto/id.h"
#include "server/api_read.h"

/* --- what is asked for ---------------------------------------------------------------------- */

const char *hand_denial(enum denial denial)
{
    static const char *const texts[DENIED_END] = {
        [DENIED_STAGE_UNKNOWN] = "the person's playbook has no such stage",
        [DENIED_NO_WAY] = "no transition by hand leads from the person's stage to that one",
        [DENIED_GUARD] =
            "what the stage or the transition needs is not known of the person: report "
            "the answers first",
        [DENIED_PLAYBOOK_UNKNOWN] = "the agency has no such version",
        [DENIED_STAGE_LOST] = "that version has no stage of the id that the person is in: move the "
                              "person to another stage first, or add the stage",
        [DENIED_MERGED] = "the person was merged into another one: ask for that one",
        [DENIED_NOT_MERGED] = "the other one is not merged into this person itself: into whom says "
                              "its `merged_into`, and of several merges the last is undone first",
        [DENIED_SAME] = "that is the same person",
        [DENIED_TOO_MANY] = "too many people are merged into one already",
        [DENIED_STEPS_FAR] = "a step that is over for the person stands more than 32 behind the "
                             "next one in that version: put it further up",
    };

    return denial < DENIED_END ? texts[denial] : NULL;
}

/* Who does it, and why; what it is about stands in `value`. */
static enum status encode(struct api *api, const struct api_call *call, struct json_value body,
                          struct slice value, struct command *command, struct slice *field)
{
    struct report said;
    struct json_value note;
    struct slice text;

    report_clear(&said);
    said.agent = slice_of(call->caller.token->id);
    said.value = value;
    *field = SLICE("note");
    if (json_member(body, "note", &note) && note.type != JSON_NULL &&
        (!json_string(note, &text) || text.length > REPORT_NOTE_MAX ||
         report_set(&said, SLICE("note"), text) != STATUS_OK))
        return STATUS_INVALID;
    size_t length = report_encode(&said, api->report_bytes, sizeof(api->report_bytes));
    *field = SLICE("stage");
    command->payload = (struct slice){api->report_bytes, length};
    return length > 0 ? STATUS_OK : STATUS_INVALID;
}

static bool take_version(struct json_value body, uint32_t *out)
{
    struct json_value value;
    uint64_t number = 0;

    *out = 0;
    if (!json_member(body, "version", &value) || value.type == JSON_NULL)
        return true;
    if (!json_uint(value, &number) || number == 0 || number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}

bool hand_find_version(const struct registry *registry, struct slice id, uint32_t version,
                       uint32_t *out)
{
    uint32_t first = registry_number(registry, ENTITY_PLAYBOOK, id);
    const struct playbook_version *head = registry_playbook_version(registry, first);

    *out = 0;
    if (!head)
        return false;
    *out = head->newest;
    for (uint32_t number = first; version != 0 && number <= head->newest; number++) {
        const struct playbook_version *one = registry_playbook_version(registry, number);
        if (one && one->first == first && one->version == version) {
            *out = number;
            return one->playbook != NULL;
        }
    }
    return version == 0 && registry_playbook_version(registry, *out)->playbook;
}

struct wish {
    struct slice stage, playbook;
    bool contact_again, reviewed;
    unsigned count;
};

static bool take_false(struct json_value value, bool *out)
{
    bool said = true;

    *out = json_bool(value, &said) && !said;
    return *out;
}

/* One thing at a time, so that each has its own record: a second one is named, or what is missing.
 */
static enum status read_wish(struct json_value body, struct wish *wish, struct slice *field)
{
    struct json_walk walk = json_walk(body);
    struct json_value value;
    bool sound = true;

    while (sound && json_next(&walk, field, &value)) {
        if (slice_equal(*field, SLICE("note")) || slice_equal(*field, SLICE("version")))
            continue;
        if (wish->count++ > 0)
            return STATUS_INVALID;
        if (slice_equal(*field, SLICE("stage")))
            sound = json_string(value, &wish->stage) && wish->stage.length > 0;
        else if (slice_equal(*field, SLICE("playbook")))
            sound = json_string(value, &wish->playbook) && wish->playbook.length > 0;
        else if (slice_equal(*field, SLICE("do_not_contact")))
            sound = take_false(value, &wish->contact_again);
        else if (slice_equal(*field, SLICE("review")))
            sound = take_false(value, &wish->reviewed);
        else
            sound = false;
    }
    if (wish->count == 0)
        *field = json_member(body, "version", &value) ? SLICE("playbook") : SLICE("stage");
    return sound && wish->count > 0 ? STATUS_OK : STATUS_INVALID;
}

/* INVALID: the playbook is not there, or has no such version, which is what *field says then. */
static enum status find_playbook(const struct registry *registry, struct slice id, uint32_t version,
                                 uint32_t *out, struct slice *field)
{
    bool is_there = registry_number(registry, ENTITY_PLAYBOOK, id) != 0;

    *field = is_there && version != 0 ? SLICE("version") : SLICE("playbook");
    return hand_find_version(registry, id, version, out) ? STATUS_OK : STATUS_INVALID;
}

static enum status read_move(struct api *api, const struct api_call *call, struct json_value body,
                             struct command *command, struct slice *field)
{
    struct command_person *person = &command->person;
    struct wish wish = {0};
    uint32_t version;
    enum status status = read_wish(body, &wish, field);

    if (status != STATUS_OK)
        return status;
    person->move = (uint8_t)(wish.stage.length > 0      ? MOVE_STAGE
                             : wish.playbook.length > 0 ? MOVE_PLAYBOOK
                             : wish.contact_again       ? MOVE_CONTACT_AGAIN
                                                        : MOVE_REVIEWED);
    *field = SLICE("version");
    if (!take_version(body, &version) || (version != 0 && person->move != MOVE_PLAYBOOK))
        return STATUS_INVALID;
    if (person->move == MOVE_PLAYBOOK)
        status =
            find_playbook(api->options.registry, wish.playbook, version, &person->playbook, field);
    return status == STATUS_OK ? encode(api, call, body, wish.stage, command, field) : status;
}

/* --- one person ------------------------------------------------------------------------------ */

static void deny(struct api *api, uint64_t ticket, const struct settlement *settlement)
{
    api_problem(api, ticket, settlement->status, hand_denial(settlement->denial));
}

static const struct playbook *playbook_of(const struct api *api, uint32_t number)
{
    return registry_playbook(api->options.registry, number);
}

static void write_stage(struct text *out, const char *name, const struct playbook *playbook,
                        unsigned stage)
{
    bool known = stage > 0 && stage <= playbook->stages.count;

    write_member_text(out, name, known ? playbook->stages.items[stage - 1].id : (struct slice){0});
}

static void write_version(const struct api *api, struct text *out, const char *name,
                          uint32_t number)
{
    const struct registry *registry = api->options.registry;
    const struct playbook_version *version =
        registry_playbook_version(registry, registry_pinned(registry, number));

    text_printf(out, ",\"%s\":", name);
    if (version)
        text_printf(out, "{\"id\":\"%s\",\"version\":%u}", version->id, version->version);
    else
        text_string(out, "{\"id\":\"default\",\"version\":null}");
}

void hand_write_lost(struct text *out, uint8_t lost)
{
    static const struct {
        enum move_loss loss;
        const char *name;
    } names[] = {
        {MOVE_LOST_CADENCE, "cadence"}, {MOVE_LOST_STEP, "step"}, {MOVE_LOST_HELD, "held_step"}};
    const char *between = "";

    text_string(out, ",\"lost\":[");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(lost & names[i].loss))
            continue;
        text_printf(out, "%s\"%s\"", between, names[i].name);
        between = ",";
    }
    text_char(out, ']');
}

void write_moved(const struct api *api, struct text *out, const struct effect_moved *moved)
{
    write_member_text(out, "what", slice_of(move_kind_name((enum move_kind)moved->kind)));
    write_stage(out, "from_stage", playbook_of(api, moved->from_playbook), moved->from_stage);
    write_stage(out, "to_stage", playbook_of(api, moved->to_playbook), moved->to_stage);
    if (moved->kind != MOVE_PLAYBOOK)
        return;
    write_version(api, out, "from_playbook", moved->from_playbook);
    write_version(api, out, "to_playbook", moved->to_playbook);
    hand_write_lost(out, moved->lost);
}

static void move_settled(struct api *api, struct pending *pending,
                         const struct settlement *settlement, unsigned item)
{
    char bytes[1024];
    struct text body = text_over(bytes, sizeof(bytes));
    uint64_t ticket = pending->http_ticket;

    (void)item;
    text_string(&body, settlement->status == STATUS_OK ? "{\"moved\":true" : "{\"moved\":false");
    api_add_id(api, &body, "person", ID_PERSON, pending->hand.first_ms, pending->hand.person);
    if (settlement->moved.kind != 0)
        write_moved(api, &body, &settlement->moved);
    text_char(&body, '}');
    api_release(api, pending);
    if (settlement->status == STATUS_OK || settlement->status == STATUS_DUPLICATE)
        api_json(api, ticket, 200, &body);
    else
        deny(api, ticket, settlement);
}

static void merge_settled(struct api *api, struct pending *pending,
                          const struct settlement *settlement, unsigned item)
{
    char bytes[256];
    struct text body = text_over(bytes, sizeof(bytes));
    uint64_t ticket = pending->http_ticket;
    bool undo = pending->hand.undo;

    (void)item;
    text_string(&body, undo ? "{\"merged\":false" : "{\"merged\":true");
    api_add_id(api, &body, "person", ID_PERSON, settlement->optin.person_first_ms,
               settlement->optin.person);
    api_add_id(api, &body, "other", ID_PERSON, settlement->other_first_ms, settlement->other);
    text_char(&body, '}');
    api_release(api, pending);
    if (settlement->status == STATUS_OK)
        api_json(api, ticket, 200, &body);
    else
        deny(api, ticket, settlement);
}

static void submit(struct api *api, const struct api_call *call, struct command *command,
                   settled_fn *on_settled)
{
    uint64_t ticket = call->request->ticket;
    struct pending *pending = api_pend(api, ticket, on_settled);

    if (!pending) {
        api_problem(api, ticket, STATUS_BUSY, NULL);
        return;
    }
    pending->hand.person = command->person.number;
    pending->hand.first_ms = command->person.first_ms;
    pending->hand.undo = command->person.undo;
    enum status status = api_submit(api, pending, command);
    if (status != STATUS_OK)
        api_problem(api, ticket, status, NULL);
}

/* False: answered. */
static bool begin(struct api *api, const struct api_call *call, enum command_kind kind,
                  struct command *command, struct json_value *body)
{
    *command = (struct command){.kind = kind, .person = {.agency = call->caller.agency}};
    if (!id_parse(call->names[0], writer_id_key(api->writer), ID_PERSON, &command->person.first_ms,
                  &command->person.number)) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
        return false;
    }
    return api_body_object(api, call, body);
}

void api_person_move(struct api *api, const struct api_call *call)
{
    struct command command;
    struct json_value body;
    struct slice field = {0};

    if (!begin(api, call, COMMAND_MOVE, &command, &body))
        return;
    enum status status = read_move(api, call, body, &command, &field);
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, field);
    else
        submit(api, call, &command, move_settled);
}

static enum status read_other(struct api *api, const struct api_call *call, struct json_value body,
                              struct command *command, struct slice *field)
{
    struct command_person *person = &command->person;
    struct json_value other;
    struct slice id;

    *field = SLICE("other");
    if (!json_member(body, "other", &other) || !json_string(other, &id) ||
        !id_parse(id, writer_id_key(api->writer), ID_PERSON, &person->other_first_ms,
                  &person->other))
        return STATUS_INVALID;
    return encode(api, call, body, (struct slice){0}, command, field);
}

/* Both ways; `argument` of the route: it is undone. */
void api_person_merge(struct api *api, const struct api_call *call)
{
    struct command command;
    struct json_value body;
    struct slice field = {0};

    if (!begin(api, call, COMMAND_MERGE, &command, &body))
        return;
    command.person.undo = call->route->argument;
    enum status status = read_other(api, call, body, &command, &field);
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, field);
    else
        submit(api, call, &command, merge_settled);
}
