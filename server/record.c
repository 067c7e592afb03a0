/* Records as bytes. Everything read here may come from a damaged disk, so nothing is
 * trusted before the checksum over it is right, and stored structs are copied out:
 * LMDB hands them over without alignment. */
#include "server/record.h"

#include <string.h>
#include <xxhash.h>

#include "proto/must.h"

/* Stored before each effect. */
struct effect_head {
    uint16_t kind;
    uint16_t bytes;
};

_Static_assert(sizeof(struct effect_head) == 4, "stored");
_Static_assert(sizeof(struct effect_person) == 120, "stored");
_Static_assert(sizeof(struct effect_task) == 152, "stored");
_Static_assert(sizeof(struct effect_task_end) == 24, "stored");
_Static_assert(sizeof(struct effect_popped) == 24, "stored");
_Static_assert(sizeof(struct effect_genesis) == 32, "stored");
_Static_assert(sizeof(struct effect_epoch) == 24, "stored");
_Static_assert(sizeof(struct effect_admin) == 8, "stored");
_Static_assert(offsetof(struct record_header, checksum) == 64, "the checksum stands last");

const char *record_kind_name(enum record_kind kind)
{
    static const char *const names[RECORD_KIND_END] = {
        [RECORD_GENESIS] = "genesis",   [RECORD_EPOCH] = "epoch",
        [RECORD_ADMIN] = "admin",       [RECORD_OPTIN] = "optin",
        [RECORD_RECEIVED] = "received", [RECORD_DECIDED] = "decided",
        [RECORD_REPEATED] = "repeated", [RECORD_CLAIM] = "claim",
        [RECORD_EXTEND] = "extend",     [RECORD_RELEASE] = "release",
        [RECORD_OUTCOME] = "outcome",   [RECORD_AMEND] = "amend",
        [RECORD_LATE] = "late",         [RECORD_POPPED] = "popped",
        [RECORD_BREACH] = "breach",     [RECORD_LEASE_ENDED] = "lease_ended",
    };

    MUST(kind > 0 && kind < RECORD_KIND_END);
    return names[kind];
}

const char *no_task_name(enum no_task reason)
{
    static const char *const names[NO_TASK_END] = {
        [NO_TASK_TEST] = "test",
        [NO_TASK_SUSPECT] = "suspect",
        [NO_TASK_UNREACHABLE] = "unreachable",
        [NO_TASK_DO_NOT_CONTACT] = "do_not_contact",
        [NO_TASK_CUSTOMER] = "customer",
        [NO_TASK_IMPORTED] = "imported",
    };

    MUST(reason >= 0 && reason < NO_TASK_END);
    return names[reason];
}

/* --- building ------------------------------------------------------------- */

/* The effects are hashed with the header's hash as seed, so that one without the other
 * never verifies. */
static uint64_t header_checksum(const struct record_header *header, const char *effects)
{
    uint64_t seed = XXH3_64bits(header, offsetof(struct record_header, checksum));

    return XXH3_64bits_withSeed(effects, header->effects_bytes, seed);
}

void record_begin(struct record *record, enum record_kind kind, uint64_t now_ms, uint32_t agency)
{
    /* The effects are left as they are: only what is filled in is ever read. */
    record->header = (struct record_header){
        .now_ms = now_ms, .agency = agency, .version = RECORD_VERSION, .kind = (uint8_t)kind};
    record->payload = (struct slice){0};
}

bool record_effect(struct record *record, enum effect_kind kind, const void *effect, size_t bytes)
{
    struct effect_head head = {(uint16_t)kind, (uint16_t)bytes};
    size_t at = record->header.effects_bytes;

    MUST(kind > 0 && bytes > 0);
    if (bytes > RECORD_EFFECTS_MAX || sizeof head + bytes > RECORD_EFFECTS_MAX - at)
        return false;
    memcpy(record->effects + at, &head, sizeof head);
    memcpy(record->effects + at + sizeof head, effect, bytes);
    record->header.effects_bytes = (uint32_t)(at + sizeof head + bytes);
    return true;
}

size_t record_bytes(const struct record_header *header)
{
    return sizeof *header + header->effects_bytes + header->payload_bytes;
}

size_t record_seal(struct record *record)
{
    struct record_header *header = &record->header;

    header->payload_bytes = (uint32_t)record->payload.length;
    MUST(header->payload_bytes == record->payload.length);
    MUST(header->payload_bytes <= OPTIN_STORED_MAX);
    header->payload_checksum = XXH3_64bits(record->payload.bytes, record->payload.length);
    header->checksum = header_checksum(header, record->effects);
    return record_bytes(header);
}

void record_store(const struct record *record, char *buffer)
{
    const struct record_header *header = &record->header;

    memcpy(buffer, header, sizeof *header);
    buffer += sizeof *header;
    memcpy(buffer, record->effects, header->effects_bytes);
    buffer += header->effects_bytes;
    if (header->payload_bytes > 0)
        memcpy(buffer, record->payload.bytes, header->payload_bytes);
}

/* --- reading -------------------------------------------------------------- */

static bool is_zeroed(struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.bytes[i] != 0)
            return false;
    return true;
}

static bool header_is_sound(const struct record_header *header, size_t length)
{
    return header->version > 0 && header->version <= RECORD_VERSION && header->kind > 0 &&
           header->kind < RECORD_KIND_END && header->effects_bytes <= RECORD_EFFECTS_MAX &&
           header->payload_bytes <= OPTIN_STORED_MAX && record_bytes(header) == length;
}

enum status record_view(struct slice stored, struct record_view *out)
{
    struct record_header *header = &out->header;

    *out = (struct record_view){0};
    if (stored.length < sizeof *header)
        return STATUS_CORRUPT;
    memcpy(header, stored.bytes, sizeof *header);
    if (!header_is_sound(header, stored.length))
        return STATUS_CORRUPT;

    const char *effects = stored.bytes + sizeof *header;
    if (header_checksum(header, effects) != header->checksum)
        return STATUS_CORRUPT;

    struct slice payload = {effects + header->effects_bytes, header->payload_bytes};
    bool intact = XXH3_64bits(payload.bytes, payload.length) == header->payload_checksum;
    if (!intact && !is_zeroed(payload))
        return STATUS_CORRUPT;

    out->effects = (struct slice){effects, header->effects_bytes};
    out->erased = !intact;
    if (intact)
        out->payload = payload;
    return STATUS_OK;
}

void record_view_of(const struct record *sealed, struct record_view *out)
{
    *out = (struct record_view){.header = sealed->header,
                                .effects = {sealed->effects, sealed->header.effects_bytes},
                                .payload = sealed->payload};
}

enum effect_kind effect_next(const struct record_view *view, size_t *offset, struct slice *body_out)
{
    struct effect_head head;

    *body_out = (struct slice){0};
    if (*offset > view->effects.length || view->effects.length - *offset < sizeof head)
        return 0;
    memcpy(&head, view->effects.bytes + *offset, sizeof head);

    size_t room = view->effects.length - *offset - sizeof head;
    if (head.kind == 0 || head.bytes > room)
        return 0;
    *body_out = (struct slice){view->effects.bytes + *offset + sizeof head, head.bytes};
    *offset += sizeof head + head.bytes;
    return (enum effect_kind)head.kind;
}

void effect_copy(struct slice body, void *out, size_t bytes)
{
    size_t stored = body.length < bytes ? body.length : bytes;

    memset((char *)out + stored, 0, bytes - stored);
    if (stored > 0)
        memcpy(out, body.bytes, stored);
}

bool effect_find(const struct record_view *view, enum effect_kind kind, void *out, size_t bytes)
{
    struct slice body;
    size_t offset = 0;
    enum effect_kind found = effect_next(view, &offset, &body);

    while (found != 0 && found != kind)
        found = effect_next(view, &offset, &body);
    if (found == 0)
        return false;
    effect_copy(body, out, bytes);
    return true;
}
