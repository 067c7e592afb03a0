/* Blocks of one size are kept for the next reader, so that a request costs no allocation and an
 * idle connection no block. Larger buffers are for larger bodies: allocated as the bytes come,
 * never on the word of a Content-Length, and all of them together stay under one bound. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "server/http_internal.h"

bool http_buffer_take(struct http_pool *pool, struct http_buffer *buffer)
{
    struct http_block *block = pool->free;

    if (block != NULL) {
        pool->free = block->next;
        pool->free_count--;
        if (pool->free_count < pool->free_least)
            pool->free_least = pool->free_count;
    } else {
        block = malloc(HTTP_BLOCK_BYTES + JSON_PADDING);
        if (block == NULL)
            return false;
        memset((char *)block + HTTP_BLOCK_BYTES, 0, JSON_PADDING);
    }
    *buffer = (struct http_buffer){.bytes = (char *)block, .capacity = HTTP_BLOCK_BYTES};
    return true;
}

bool http_buffer_grow(struct http_pool *pool, struct http_buffer *buffer, size_t capacity)
{
    size_t held = buffer->filled - buffer->start;

    if (capacity <= buffer->capacity) {
        if (held > 0)
            memmove(buffer->bytes, buffer->bytes + buffer->start, held);
        buffer->start = 0;
        buffer->filled = held;
        return true;
    }
    if (pool->grown_bytes + capacity > pool->grown_bytes_max)
        return false;
    char *bytes = malloc(capacity + JSON_PADDING);
    if (bytes == NULL)
        return false;
    if (held > 0)
        memcpy(bytes, buffer->bytes + buffer->start, held);
    memset(bytes + capacity, 0, JSON_PADDING);

    http_buffer_drop(pool, buffer);
    *buffer = (struct http_buffer){.bytes = bytes, .capacity = capacity, .filled = held};
    pool->grown_bytes += capacity;
    return true;
}

void http_buffer_drop(struct http_pool *pool, struct http_buffer *buffer)
{
    if (buffer->bytes == NULL)
        return;
    if (buffer->capacity == HTTP_BLOCK_BYTES) {
        struct http_block *block = (struct http_block *)(void *)buffer->bytes;
        block->next = pool->free;
        pool->free = block;
        pool->free_count++;
    } else {
        pool->grown_bytes -= buffer->capacity;
        free(buffer->bytes);
    }
    *buffer = (struct http_buffer){0};
}

static void free_blocks(struct http_pool *pool, size_t count)
{
    for (; count > 0; count--) {
        struct http_block *block = pool->free;
        pool->free = block->next;
        pool->free_count--;
        free(block);
    }
}

void http_pool_trim(struct http_pool *pool)
{
    free_blocks(pool, pool->free_least / 2);
    pool->free_least = pool->free_count;
}

void http_pool_close(struct http_pool *pool)
{
    free_blocks(pool, pool->free_count);
}
