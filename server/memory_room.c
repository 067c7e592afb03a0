#include "server/memory_room.h"

#include <string.h>

#include "proto/json.h"
#include "proto/must.h"
#include "proto/text.h"

static struct turn next_turn(struct memory_room *room, uint64_t now_ms)
{
    const struct state_meta *meta = state_meta(room->state);

    return (struct turn){.seq = meta->folded_seq + 1,
                         .admin_seq = meta->admin_seq,
                         .now_ms = now_ms > meta->folded_ms ? now_ms : meta->folded_ms};
}

static void open_engine(struct memory_room *room)
{
    const struct engine_options options = {.journal = room->journal,
                                           .state = room->state,
                                           .index = room->index,
                                           .registry = room->registry,
                                           .hash_key = &room->genesis.hash_key,
                                           .id_key = &room->genesis.id_key};

    MUST(engine_open(&options, &room->engine) == STATUS_OK);
}

static void open_rows(struct memory_room *room)
{
    room->registry = registry_open();
    MUST(room->registry);
    MUST(state_open(NULL, &room->state) == STATUS_OK);
    MUST(index_open(NULL, true, &room->index) == STATUS_OK);
    open_engine(room);
}

static void close_rows(struct memory_room *room)
{
    engine_close(room->engine);
    index_close(room->index);
    state_close(room->state);
    registry_close(room->registry);
}

static enum status keep(struct memory_room *room)
{
    struct record_view view;
    enum status status;

    if (room->on_record)
        room->on_record(room->owner, &room->record);
    record_view_of(&room->record, &view);
    status = engine_apply(room->engine, &view);
    return status == STATUS_OK ? journal_append(room->journal, &room->record) : status;
}

enum status memory_room_keep(struct memory_room *room, uint64_t now_ms)
{
    const struct turn turn = next_turn(room, now_ms);

    room->record.header.seq = turn.seq;
    room->record.header.admin_prev = turn.admin_seq;
    room->record.header.now_ms = turn.now_ms;
    record_seal(&room->record);
    return keep(room);
}

void memory_room_open(struct memory_room *room, const struct effect_genesis *genesis,
                      uint64_t now_ms)
{
    room->genesis = *genesis;
    MUST(journal_open(NULL, &room->journal) == STATUS_OK);
    open_rows(room);
    record_begin(&room->record, RECORD_GENESIS, now_ms, 0);
    MUST(record_effect(&room->record, EFFECT_GENESIS, genesis, sizeof(*genesis)));
    MUST(memory_room_keep(room, now_ms) == STATUS_OK);
    engine_listen(room->engine, room->on_outbox, room->owner);
}

void memory_room_close(struct memory_room *room)
{
    close_rows(room);
    journal_close(room->journal);
}

enum status memory_room_do(struct memory_room *room, const struct command *command)
{
    bool more = true;

    while (more) {
        const struct turn turn = next_turn(room, command->now_ms);
        enum status status =
            engine_decide(room->engine, command, &turn, &room->record, &room->settlement, &more);
        if (status != STATUS_OK)
            return status;
        status = keep(room);
        if (status != STATUS_OK)
            return status;
    }
    return room->settlement.status;
}

enum status memory_room_due(struct memory_room *room, uint64_t now_ms)
{
    const struct turn turn = next_turn(room, now_ms);
    enum status status = engine_decide_due(room->engine, &turn, &room->record);

    return status == STATUS_OK ? keep(room) : status;
}

uint32_t memory_room_admin(struct memory_room *room, enum entity_kind entity, const char *settings,
                           uint64_t now_ms)
{
    const struct command command = {.kind = COMMAND_ADMIN,
                                    .now_ms = now_ms,
                                    .payload = slice_of(settings),
                                    .admin = {.entity = entity}};

    return memory_room_do(room, &command) == STATUS_OK ? room->settlement.entity_number : 0;
}

enum status memory_room_set(struct memory_room *room, enum entity_kind entity, uint32_t number,
                            const char *patch, uint64_t now_ms)
{
    char padded[512 + JSON_PADDING], bytes[SITE_SETTINGS_MAX];
    struct text settings = text_over(bytes, sizeof(bytes));
    struct json *json = json_open(sizeof(padded));
    struct json_value root;
    struct slice field;
    enum status status;

    MUST(json && strlen(patch) < 512);
    memset(padded, 0, sizeof(padded));
    memcpy(padded, patch, strlen(patch));
    status = json_parse(json, padded, strlen(patch), &root);
    if (status == STATUS_OK)
        status = registry_check(room->registry, entity, number, root, &settings, &field);
    json_close(json);
    if (status != STATUS_OK)
        return status;
    const struct command command = {.kind = COMMAND_ADMIN,
                                    .now_ms = now_ms,
                                    .payload = text_slice(&settings),
                                    .admin = {.entity = entity, .number = number}};
    return memory_room_do(room, &command);
}

enum status memory_room_rebuild(struct memory_room *room)
{
    enum status status = STATUS_OK;
    uint64_t last = journal_last_seq(room->journal);

    close_rows(room);
    open_rows(room);
    for (uint64_t seq = 1; status == STATUS_OK && seq <= last; seq++) {
        struct record_view record;
        status = journal_batch_read(room->journal, seq, &record);
        if (status == STATUS_OK)
            status = engine_apply(room->engine, &record);
    }
    engine_listen(room->engine, room->on_outbox, room->owner);
    return status;
}
