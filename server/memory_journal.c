/* Records behind each other in large pieces of memory. What was appended is what is read: nothing
 * lies between that could damage it, so no checksum is looked at. */
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "server/memory.h"

#define PIECE_BYTES (1u << 20)

_Static_assert(RECORD_BYTES_MAX <= PIECE_BYTES, "a record fits");

struct journal {
    const char **records; /* by seq - 1 */
    uint64_t last_seq, capacity;
    char **pieces;
    size_t piece_count, piece_used;
};

enum status journal_open(const struct journal_options *options, struct journal **out)
{
    (void)options;
    *out = memory_take_zeroed(1, sizeof(**out));
    (*out)->piece_used = PIECE_BYTES;
    return STATUS_OK;
}

void journal_close(struct journal *journal)
{
    for (size_t i = 0; i < journal->piece_count; i++)
        free(journal->pieces[i]);
    free(journal->pieces);
    free(journal->records);
    free(journal);
}

uint64_t journal_last_seq(const struct journal *journal)
{
    return journal->last_seq;
}

/* Room for so many bytes behind the last record. */
static char *take_room(struct journal *journal, size_t bytes)
{
    if (journal->piece_used + bytes > PIECE_BYTES) {
        journal->pieces = reallocarray(journal->pieces, journal->piece_count + 1, sizeof(char *));
        MUST(journal->pieces);
        journal->pieces[journal->piece_count] = memory_take(PIECE_BYTES);
        journal->piece_count++;
        journal->piece_used = 0;
    }
    journal->piece_used += bytes;
    return journal->pieces[journal->piece_count - 1] + journal->piece_used - bytes;
}

enum status journal_append(struct journal *journal, const struct record *record)
{
    char *room = take_room(journal, record_bytes(&record->header));

    MUST(record->header.seq == journal->last_seq + 1);
    if (journal->last_seq == journal->capacity) {
        journal->capacity = journal->capacity == 0 ? 4096 : 2 * journal->capacity;
        journal->records =
            reallocarray(journal->records, journal->capacity, sizeof(*journal->records));
        MUST(journal->records);
    }
    record_store(record, room);
    journal->records[journal->last_seq++] = room;
    return STATUS_OK;
}

enum status journal_batch_read(struct journal *journal, uint64_t seq, struct record_view *out)
{
    const char *bytes;

    if (seq == 0 || seq > journal->last_seq)
        return STATUS_NOT_FOUND;
    bytes = journal->records[seq - 1];
    memcpy(&out->header, bytes, sizeof(out->header));
    out->effects = (struct slice){bytes + sizeof(out->header), out->header.effects_bytes};
    out->payload =
        (struct slice){out->effects.bytes + out->effects.length, out->header.payload_bytes};
    out->erased = false;
    return STATUS_OK;
}
