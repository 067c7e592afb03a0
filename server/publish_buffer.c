/* Operations that wait to be sent: one block of memory, made at start, cut into chunks that queues
 * chain as they need them. Full means forgotten: state has every operation, so memory is bounded
 * whatever Redis does. */
#include <stdlib.h>
#include <string.h>

#include "server/publish_internal.h"

#define CHUNK_BYTES 8192

struct publish_chunk {
    struct publish_chunk *next;
    size_t used;
    char bytes[CHUNK_BYTES - 2 * sizeof(size_t)];
};

/* Followed by the member, and what is missing to a multiple of 8. */
struct entry {
    uint64_t seq, rank_ms, first_seq, committed_us;
    uint32_t op, member_bytes;
};

_Static_assert(sizeof(struct publish_chunk) == CHUNK_BYTES, "chunks lie side by side");
_Static_assert(sizeof(struct entry) + TASK_BYTES_MAX <= CHUNK_BYTES - 2 * sizeof(size_t),
               "every member fits");

static size_t entry_bytes(size_t member_bytes)
{
    return (sizeof(struct entry) + member_bytes + 7) & ~(size_t)7;
}

bool publish_buffer_open(struct publish *publish, size_t memory_max)
{
    size_t count = memory_max / CHUNK_BYTES;
    char *memory = malloc(count > 0 ? count * CHUNK_BYTES : 1);

    if (memory == NULL)
        return false;
    publish->buffer.memory = memory;
    for (size_t i = count; i > 0; i--) {
        struct publish_chunk *chunk = (struct publish_chunk *)(memory + (i - 1) * CHUNK_BYTES);
        chunk->next = publish->buffer.free;
        publish->buffer.free = chunk;
    }
    return true;
}

void publish_buffer_close(struct publish *publish)
{
    free(publish->buffer.memory);
}

static struct publish_chunk *add_chunk(struct publish_queue *queue)
{
    struct publish_chunk *chunk = queue->publish->buffer.free;

    if (chunk == NULL)
        return NULL;
    queue->publish->buffer.free = chunk->next;
    chunk->next = NULL;
    chunk->used = 0;
    if (queue->buffer.last != NULL)
        queue->buffer.last->next = chunk;
    else
        queue->buffer.first = chunk;
    queue->buffer.last = chunk;
    return chunk;
}

static void drop_first_chunk(struct publish_queue *queue)
{
    struct publish_chunk *chunk = queue->buffer.first;

    queue->buffer.first = chunk->next;
    if (queue->buffer.first == NULL)
        queue->buffer.last = NULL;
    chunk->next = queue->publish->buffer.free;
    queue->publish->buffer.free = chunk;
}

void publish_buffer_forget(struct publish_queue *queue, uint64_t next_seq)
{
    while (queue->buffer.first != NULL)
        drop_first_chunk(queue);
    queue->buffer.from = queue->buffer.next = next_seq;
}

static bool append(struct publish_queue *queue, const struct writer_outbox *operation)
{
    struct publish_chunk *chunk = queue->buffer.last;
    size_t bytes = entry_bytes(operation->member.length);

    if (operation->member.length == 0 || operation->member.length > TASK_BYTES_MAX)
        return false;
    if (chunk == NULL || sizeof(chunk->bytes) - chunk->used < bytes)
        chunk = add_chunk(queue);
    if (chunk == NULL)
        return false;

    struct entry entry = {.seq = operation->seq,
                          .rank_ms = operation->rank_ms,
                          .first_seq = operation->first_seq,
                          .committed_us = operation->committed_us,
                          .op = (uint32_t)operation->op,
                          .member_bytes = (uint32_t)operation->member.length};
    memcpy(chunk->bytes + chunk->used, &entry, sizeof(entry));
    memcpy(chunk->bytes + chunk->used + sizeof(entry), operation->member.bytes,
           operation->member.length);
    chunk->used += bytes;
    return true;
}

void publish_buffer_add(struct publish_queue *queue, const struct writer_outbox *operation)
{
    if (operation->seq != queue->buffer.next)
        publish_buffer_forget(queue, operation->seq);
    if (append(queue, operation))
        queue->buffer.next = operation->seq + 1;
    else
        publish_buffer_forget(queue, operation->seq + 1);
}

/* Chunks are given back whole: what is left of a started one is skipped when it is walked. */
void publish_buffer_drop(struct publish_queue *queue, uint64_t up_to_seq)
{
    while (queue->buffer.first != NULL && queue->buffer.from <= up_to_seq) {
        struct publish_chunk *second = queue->buffer.first->next;
        uint64_t next_from = queue->buffer.next;
        if (second != NULL) {
            struct entry entry;
            memcpy(&entry, second->bytes, sizeof(entry));
            next_from = entry.seq;
        }
        if (next_from > up_to_seq + 1)
            return;
        drop_first_chunk(queue);
        queue->buffer.from = next_from;
    }
}

bool publish_buffer_covers(const struct publish_queue *queue, uint64_t seq)
{
    return queue->buffer.first != NULL && queue->buffer.from <= seq && seq < queue->buffer.next;
}

bool publish_buffer_next(const struct publish_queue *queue, struct publish_walk *walk,
                         struct publish_waiting *out)
{
    if (walk->chunk == NULL)
        walk->chunk = queue->buffer.first;
    else if (walk->offset >= walk->chunk->used && walk->chunk->next != NULL)
        *walk = (struct publish_walk){walk->chunk->next, 0};
    if (walk->chunk == NULL || walk->offset >= walk->chunk->used)
        return false;

    struct entry entry;
    memcpy(&entry, walk->chunk->bytes + walk->offset, sizeof(entry));
    *out = (struct publish_waiting){
        .seq = entry.seq,
        .rank_ms = entry.rank_ms,
        .first_seq = entry.first_seq,
        .committed_us = entry.committed_us,
        .op = (enum outbox_op)entry.op,
        .member = {walk->chunk->bytes + walk->offset + sizeof(entry), entry.member_bytes}};
    walk->offset += entry_bytes(entry.member_bytes);
    return true;
}
