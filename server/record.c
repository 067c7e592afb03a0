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
_Static_assert(sizeof(struct effect_person) == 280, "stored");
_Static_assert(sizeof(struct effect_task) == 216, "stored");
_Static_assert(sizeof(struct effect_task_end) == 24, "stored");
_Static_assert(sizeof(struct effect_popped) == 24, "stored");
_Static_assert(sizeof(struct effect_genesis) == 40, "stored");
_Static_assert(sizeof(struct effect_epoch) == 24, "stored");
_Static_assert(sizeof(struct effect_admin) == 16, "stored");
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
        [RECORD_STEP] = "step",         [RECORD_SKIPPED] = "skipped",
        [RECORD_TIER] = "tier",         [RECORD_RUNG] = "rung",
        [RECORD_PARKED] = "parked",     [RECORD_OPENED] = "opened",
        [RECORD_SHUT] = "shut",         [RECORD_ASSIGNED] = "assigned",
        [RECORD_MOVED] = "moved",       [RECORD_MERGED] = "merged",
        [RECORD_UNMERGED] = "unmerged", [RECORD_SIGNAL] = "signal",
        [RECORD_WOKEN] = "woken",       [RECORD_ADOPTED] = "adopted",
    };

    MUST(kind > 0 && kind < RECORD_KIND_END);
    return names[kind];
}

const char *assigned_why_name(enum assigned_why why)
{
    static const char *const names[ASSIGNED_END] = {
#define XX(name, text) [ASSIGNED_##name] = text,
        ASSIGNED_MAP(XX)
#undef XX
    };

    MUST(why > ASSIGNED_NOT && why < ASSIGNED_END);
    return names[why];
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

const char *task_state_name(enum task_state state)
{
    static const char *const names[] = {[TASK_QUEUED] = "queued",
                                        [TASK_POPPED] = "popped",
                                        [TASK_CLAIMED] = "claimed",
                                        [TASK_PARKED] = "parked"};

    MUST(state >= TASK_QUEUED && state <= TASK_PARKED);
    return names[state];
}

const char *call_why_name(enum call_why why)
{
    static const char *const names[CALL_WHY_END] = {[CALL_RETRY] = "retry",
                                                    [CALL_WAKE] = "wake",
                                                    [CALL_AGREED] = "agreed",
                                                    [CALL_SIGNAL] = "signal",
                                                    [CALL_AGAIN] = "again"};

    MUST(why >= 0 && why < CALL_WHY_END);
    return names[why];
}

const char *person_end_name(enum person_end end)
{
    static const char *const names[PERSON_END_END] = {
        [PERSON_NOT_STARTED] = "not_started", [PERSON_STOPPED] = "do_not_contact",
        [PERSON_GIVEN_UP] = "given_up",       [PERSON_RUN_OUT] = "run_out",
        [PERSON_MERGED] = "merged",
    };

    MUST(end >= 0 && end < PERSON_END_END);
    return names[end];
}

const char *skip_name(enum skip skip)
{
    static const char *const names[SKIP_END] = {
#define XX(name, text) [SKIP_##name] = (text),
        SKIP_MAP(XX)
#undef XX
    };

    MUST(skip >= 0 && skip < SKIP_END);
    return names[skip];
}

const char *parked_by_name(enum parked_by by)
{
    static const char *const names[PARKED_END] = {
        [PARKED_BY_LAW] = "law",         [PARKED_BY_CALENDAR] = "calendar",
        [PARKED_BY_DAY_CAP] = "per_day", [PARKED_BY_CALL_CAP] = "calls_per_day",
        [PARKED_BY_GAP] = "gap",         [PARKED_BY_NAME] = "no_name",
        [PARKED_BY_QUEUE] = "no_queue",
    };

    MUST(by > 0 && by < PARKED_END);
    return names[by];
}

const char *move_kind_name(enum move_kind kind)
{
    static const char *const names[MOVE_KIND_END] = {
        [MOVE_STAGE] = "stage",
        [MOVE_PLAYBOOK] = "playbook",
        [MOVE_CONTACT_AGAIN] = "contact_again",
        [MOVE_REVIEWED] = "reviewed",
    };

    MUST(kind > 0 && kind < MOVE_KIND_END);
    return names[kind];
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

bool record_effects(struct record *record, const struct record *from)
{
    size_t at = record->header.effects_bytes, bytes = from->header.effects_bytes;

    if (bytes > RECORD_EFFECTS_MAX - at)
        return false;
    memcpy(record->effects + at, from->effects, bytes);
    record->header.effects_bytes = (uint32_t)(at + bytes);
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
    MUST(header->payload_bytes <= RECORD_PAYLOAD_MAX);
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
           header->payload_bytes <= RECORD_PAYLOAD_MAX && record_bytes(header) == length;
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

bool effect_find_person(const struct record_view *view, uint64_t person, struct person_row *out)
{
    struct effect_person effect;
    enum effect_kind kind;
    struct slice body;
    size_t offset = 0;

    while ((kind = effect_next(view, &offset, &body)) != 0) {
        if (kind != EFFECT_PERSON)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        if (effect.person != person)
            continue;
        *out = effect.row;
        return true;
    }
    return false;
}

static bool next_alone(const struct record_view *view, size_t *offset, struct effect_alone *out)
{
    struct slice body;
    enum effect_kind kind = effect_next(view, offset, &body);

    while (kind != 0 && kind != EFFECT_ALONE)
        kind = effect_next(view, offset, &body);
    if (kind != 0)
        effect_copy(body, out, sizeof(*out));
    return kind != 0;
}

bool effect_find_alone(const struct record_view *view, uint64_t person, struct effect_alone *out)
{
    size_t offset = 0;

    while (next_alone(view, &offset, out))
        if (out->person == person)
            return true;
    return false;
}

uint64_t effect_speaker(const struct record_view *view)
{
    struct effect_alone alone;
    size_t offset = 0;

    while (next_alone(view, &offset, &alone))
        if (alone.speaks)
            return alone.person;
    return 0;
}

bool effect_settings(const struct record_view *view, const struct effect_admin *effect,
                     struct slice *out)
{
    *out = view->payload;
    if (effect->bytes == 0)
        return true;
    if (effect->at > view->payload.length || effect->bytes > view->payload.length - effect->at)
        return false;
    *out = (struct slice){view->payload.bytes + effect->at, effect->bytes};
    return true;
}
