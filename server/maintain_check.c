#include "server/maintain_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct check {
    FILE *out;
    struct maintain_found result;
    uint64_t expected_seq;
    uint64_t last_ms;
    uint64_t admin_seq;    /* newest GENESIS, EPOCH or ADMIN */
    uint64_t *person_seqs; /* by person: its newest record */
    uint64_t person_count;
    uint64_t *damaged; /* seqs that cannot be read, in order: chains may lead to them */
    size_t damaged_count, damaged_capacity;
    bool out_of_memory;
    bool complained; /* about the present record */
};

/* Every complaint begins with the record's number; a record counts once. */
__attribute__((format(printf, 3, 4))) static void complain(struct check *check, uint64_t seq,
                                                           const char *format, ...)
{
    va_list arguments;

    fprintf(check->out, "record %" PRIu64 ": ", seq);
    va_start(arguments, format);
    vfprintf(check->out, format, arguments);
    va_end(arguments);
    fputc('\n', check->out);
    check->result.wrong += !check->complained;
    check->complained = true;
}

static bool grow(struct check *check, uint64_t **array, uint64_t old, uint64_t wanted)
{
    uint64_t *larger = realloc(*array, wanted * sizeof **array);

    if (!larger) {
        check->out_of_memory = true;
        return false;
    }
    memset(larger + old, 0, (wanted - old) * sizeof **array);
    *array = larger;
    return true;
}

static void note_damaged(struct check *check, uint64_t seq)
{
    if (check->damaged_count == check->damaged_capacity) {
        size_t larger = check->damaged_capacity * 2 + 64;
        if (!grow(check, &check->damaged, check->damaged_capacity, larger))
            return;
        check->damaged_capacity = larger;
    }
    check->damaged[check->damaged_count++] = seq;
}

static int compare_seqs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* A link is right when it names the newest record of its chain, or one that was newer and
 * cannot be read. */
static bool leads_to(const struct check *check, uint64_t link, uint64_t newest)
{
    return link == newest ||
           (link > newest && check->damaged_count > 0 &&
            bsearch(&link, check->damaged, check->damaged_count, sizeof link, compare_seqs));
}

static void check_order(struct check *check, const struct record_header *header)
{
    if (header->now_ms < check->last_ms)
        complain(check, header->seq, "its time lies before that of the record before it");
    check->last_ms = header->now_ms;

    if (!leads_to(check, header->admin_prev, check->admin_seq))
        complain(check, header->seq, "names %" PRIu64 " as newest settings, which is %" PRIu64,
                 header->admin_prev, check->admin_seq);
    if (header->kind == RECORD_GENESIS || header->kind == RECORD_EPOCH ||
        header->kind == RECORD_ADMIN)
        check->admin_seq = header->seq;
}

static void check_person(struct check *check, const struct record_header *header)
{
    uint64_t person = header->person;

    if (person == 0)
        return;
    if (person > header->seq) { /* each person was made by a record, so there are fewer */
        complain(check, header->seq, "names person %" PRIu64 ", who cannot be", person);
        return;
    }
    if (person >= check->person_count) {
        uint64_t wanted = person * 2 + 1024;
        if (!grow(check, &check->person_seqs, check->person_count, wanted))
            return;
        check->person_count = wanted;
    }
    if (!leads_to(check, header->person_prev, check->person_seqs[person]))
        complain(check, header->seq,
                 "names %" PRIu64 " as the person's record before it, which is %" PRIu64,
                 header->person_prev, check->person_seqs[person]);
    check->person_seqs[person] = header->seq;
}

static size_t effect_bytes(enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_GENESIS:
        return sizeof(struct effect_genesis);
    case EFFECT_EPOCH:
        return sizeof(struct effect_epoch);
    case EFFECT_ADMIN:
        return sizeof(struct effect_admin);
    case EFFECT_RECEIVED:
        return sizeof(struct effect_received);
    case EFFECT_OPTIN:
        return sizeof(struct effect_optin);
    case EFFECT_PERSON:
        return sizeof(struct effect_person);
    case EFFECT_TASK:
        return sizeof(struct effect_task);
    case EFFECT_TASK_END:
        return sizeof(struct effect_task_end);
    case EFFECT_POPPED:
        return sizeof(struct effect_popped);
    case EFFECT_REPORT:
        return sizeof(struct effect_report);
    case EFFECT_STEP:
        return sizeof(struct effect_step);
    case EFFECT_PARKED:
        return sizeof(struct effect_parked);
    case EFFECT_ESCALATED:
        return sizeof(struct effect_escalated);
    case EFFECT_ASSIGNED:
        return sizeof(struct effect_assigned);
    case EFFECT_MOVED:
        return sizeof(struct effect_moved);
    case EFFECT_EDGE:
        return sizeof(struct effect_edge);
    case EFFECT_MERGED:
        return sizeof(struct effect_merged);
    case EFFECT_SIGNAL:
        return sizeof(struct effect_signal);
    case EFFECT_WOKEN:
        return sizeof(struct effect_woken);
    case EFFECT_AMENDED:
        return sizeof(struct effect_amended);
    case EFFECT_ALONE:
        return sizeof(struct effect_alone);
    }
    return 0;
}

/* Rows end before the zeros at their end, and those of earlier versions with less. What else has
 * grown ended before the first member that it lacked. */
static bool ends_sooner(enum effect_kind kind, size_t bytes, size_t wanted)
{
    static const struct {
        enum effect_kind kind;
        size_t bytes;
    } older[] = {
        {EFFECT_GENESIS, offsetof(struct effect_genesis, plans_lives)},
        {EFFECT_ADMIN, offsetof(struct effect_admin, at)}, /* settings were all of the payload */
        {EFFECT_RECEIVED, offsetof(struct effect_received, source)},
        {EFFECT_OPTIN, offsetof(struct effect_optin, source)},
        {EFFECT_REPORT, offsetof(struct effect_report, call_at_ms)},
        {EFFECT_REPORT, offsetof(struct effect_report, contact_ms)},
        {EFFECT_RECEIVED, offsetof(struct effect_received, more)},
        {EFFECT_REPORT, offsetof(struct effect_report, odd)},
    };

    for (size_t i = 0; i < sizeof(older) / sizeof(*older); i++)
        if (older[i].kind == kind && older[i].bytes == bytes)
            return true;
    return (kind == EFFECT_TASK || kind == EFFECT_PERSON || kind == EFFECT_ALONE) &&
           bytes < wanted && bytes > 0 && bytes % sizeof(uint64_t) == 0;
}

/* Effects fill their place to the last byte, and each is of a kind and size that there is. */
static void check_effects(struct check *check, const struct record_view *record)
{
    uint64_t seq = record->header.seq;
    struct slice body;
    size_t offset = 0;

    for (;;) {
        enum effect_kind kind = effect_next(record, &offset, &body);
        if (kind == 0)
            break;
        size_t wanted = effect_bytes(kind);
        if (wanted == 0)
            complain(check, seq, "has an effect of the unknown kind %d", (int)kind);
        else if (body.length != wanted && !ends_sooner(kind, body.length, wanted))
            complain(check, seq, "has an effect of kind %d with %zu bytes, not %zu", (int)kind,
                     body.length, wanted);
        if (kind == EFFECT_EPOCH)
            effect_copy(body, &check->result.epoch, sizeof check->result.epoch);
    }
    if (offset != record->effects.length)
        complain(check, seq, "has %zu bytes behind its effects", record->effects.length - offset);
}

static bool on_record(void *owner, uint64_t seq, enum status status,
                      const struct record_view *record)
{
    struct check *check = owner;

    check->complained = false;
    if (seq != check->expected_seq)
        complain(check, seq, "stands behind %" PRIu64 ": records are missing",
                 check->expected_seq - 1);
    check->expected_seq = seq + 1;
    check->result.last_seq = seq;
    check->result.records++;

    if (status != STATUS_OK) {
        complain(check, seq, "damaged: a checksum is wrong");
        note_damaged(check, seq);
        return !check->out_of_memory;
    }
    if (record->header.seq != seq)
        complain(check, seq, "says that it is %" PRIu64, record->header.seq);
    if ((seq == 1) != (record->header.kind == RECORD_GENESIS))
        complain(check, seq, "is of the kind %s, but keys stand in record 1 and only there",
                 record_kind_name(record->header.kind));
    check->result.erased += record->erased;
    check_order(check, &record->header);
    check_person(check, &record->header);
    check_effects(check, record);
    return !check->out_of_memory;
}

enum status maintain_check(struct journal *journal, FILE *out, struct maintain_found *result_out)
{
    struct check check = {.out = out, .expected_seq = 1};
    struct journal_reader *reader;
    enum status status = journal_reader_open(journal, &reader);

    if (status == STATUS_OK) {
        status = journal_scan(reader, 1, on_record, &check);
        journal_reader_close(reader);
    }
    if (check.out_of_memory)
        status = STATUS_BUSY;
    free(check.person_seqs);
    free(check.damaged);
    *result_out = check.result;
    return status;
}
