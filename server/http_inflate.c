/* A body is inflated at once, when it is whole: one zlib stream serves all connections, and its
 * window of 32 KiB is not held by any of them. */
#define ZLIB_CONST /* zlib's input pointer is then to const */
#include <stdlib.h>
#include <zlib.h>

#include "server/http_internal.h"

/* Real bodies shrink to a tenth. A bomb shrinks to a thousandth, and would buy a megabyte of
 * our work with a kilobyte of its own. */
#define RATIO_MAX   100
#define RATIO_SPARE 65536

#define GZIP_WINDOW_BITS (15 + 16) /* zlib: 16 more means a gzip header is expected */

struct http_inflate {
    z_stream stream;
};

struct http_inflate *http_inflate_open(void)
{
    struct http_inflate *inflater = calloc(1, sizeof(*inflater));

    if (inflater == NULL)
        return NULL;
    if (inflateInit2(&inflater->stream, GZIP_WINDOW_BITS) != Z_OK) {
        free(inflater);
        return NULL;
    }
    return inflater;
}

void http_inflate_close(struct http_inflate *inflater)
{
    if (inflater == NULL)
        return;
    inflateEnd(&inflater->stream);
    free(inflater);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One byte more than may be used tells "exactly the limit" from "over it". */
static bool make_room(struct http_pool *pool, struct http_buffer *out, size_t length_max)
{
    if (out->bytes == NULL)
        return http_buffer_take(pool, out);
    return http_buffer_grow(pool, out, smaller(2 * out->capacity, length_max + 1));
}

enum status http_inflate_body(struct http_inflate *inflater, struct http_pool *pool,
                              struct slice raw, size_t length_max, struct http_buffer *out)
{
    z_stream *stream = &inflater->stream;
    int result = Z_OK;

    length_max = smaller(length_max, RATIO_MAX * raw.length + RATIO_SPARE);
    if (inflateReset(stream) != Z_OK)
        return STATUS_BUSY;
    stream->next_in = (const Bytef *)raw.bytes;
    stream->avail_in = (uInt)raw.length;
    while (result == Z_OK) {
        if (out->filled == out->capacity && !make_room(pool, out, length_max))
            return STATUS_BUSY;
        stream->next_out = (Bytef *)out->bytes + out->filled;
        stream->avail_out = (uInt)(out->capacity - out->filled);
        result = inflate(stream, Z_NO_FLUSH);
        out->filled = out->capacity - stream->avail_out;
        if (out->filled > length_max)
            return STATUS_TOO_LARGE;
    }
    if (result == Z_MEM_ERROR)
        return STATUS_BUSY;
    return result == Z_STREAM_END && stream->avail_in == 0 ? STATUS_OK : STATUS_MALFORMED;
}
