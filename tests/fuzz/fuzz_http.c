/* Header scan, framing and inflating over arbitrary bytes. The first two bytes say how the rest
 * is cut in pieces; read whole and read in pieces, the requests must be the same, and the
 * framing must be what llhttp reads too. Each piece lies in memory of exactly its size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/http_internal.h"

#define BODY_MAX     4096
#define REQUESTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read of an input: enough to tell two readings apart. */
struct reading {
    unsigned requests;
    size_t consumed;
    bool refused;
    struct http_head last_head;
    size_t body_bytes;
    uint64_t body_sum;
};

static struct http_inflate *inflater;
static struct http_pool pool = {.grown_bytes_max = 1 << 24};

static void inflate_body(const char *body, size_t length)
{
    struct http_buffer out = {0};
    struct slice raw = {body, length};

    if (inflater == NULL)
        inflater = http_inflate_open();
    MUST(inflater != NULL);
    if (length > 0 && http_inflate_body(inflater, &pool, raw, BODY_MAX, &out) == STATUS_OK)
        MUST(out.filled <= BODY_MAX);
    http_buffer_drop(&pool, &out);
    MUST(pool.grown_bytes == 0);
}

/* Reads one request. Returns the bytes it took; 0: refused or incomplete. */
static size_t read_request(const char *bytes, size_t length, size_t step, struct reading *reading)
{
    struct http_head head;
    struct http_frame frame;
    enum http_scan_result scanned = HTTP_SCAN_MORE;
    size_t seen = 0;

    http_scan_start(&head);
    while (scanned == HTTP_SCAN_MORE && seen < length) {
        seen = step < length - seen ? seen + step : length;
        char *exact = malloc(seen);
        MUST(exact != NULL);
        memcpy(exact, bytes, seen);
        scanned = http_scan(&head, exact, seen);
        free(exact);
    }
    reading->refused = scanned == HTTP_SCAN_REFUSED;
    if (scanned != HTTP_SCAN_WHOLE)
        return 0;
    MUST(head.length <= seen && head.length - head.fields_start <= HTTP_HEADERS_MAX);
    MUST(!head.framing.chunked || (!head.framing.has_length && !head.framing.is_1_0));
    reading->last_head = head;
    if (!http_frame_open(&frame, &head.framing, bytes + head.start, head.length - head.start)) {
        reading->refused = true;
        return 0;
    }

    static char body[BODY_MAX];
    enum http_frame_result framed =
        http_frame_is_whole(&frame) ? HTTP_FRAME_WHOLE : HTTP_FRAME_MORE;
    size_t at = head.length;
    frame.body_max = BODY_MAX;
    if (head.framing.has_length && head.framing.length > BODY_MAX) {
        reading->refused = true;
        return 0;
    }
    while (framed == HTTP_FRAME_MORE && at < length) {
        size_t piece = step < length - at ? step : length - at, used;
        char *exact = malloc(piece);
        MUST(exact != NULL);
        memcpy(exact, bytes + at, piece);
        framed = http_frame_read(&frame, body, exact, piece, &used);
        free(exact);
        MUST(used <= piece && frame.body_length <= BODY_MAX);
        at += used;
    }
    reading->refused = framed == HTTP_FRAME_REFUSED;
    if (framed != HTTP_FRAME_WHOLE)
        return 0;
    MUST(!head.framing.has_length || frame.body_length == head.framing.length);
    reading->body_bytes += frame.body_length;
    for (size_t i = 0; i < frame.body_length; i++)
        reading->body_sum = reading->body_sum * 31 + (unsigned char)body[i];
    if (head.coding == HTTP_CODING_GZIP)
        inflate_body(body, frame.body_length);
    return at;
}

static struct reading read_all(const char *bytes, size_t length, size_t step)
{
    struct reading reading = {0};

    while (reading.consumed < length && reading.requests < REQUESTS_MAX) {
        size_t used =
            read_request(bytes + reading.consumed, length - reading.consumed, step, &reading);
        if (used == 0)
            break;
        reading.consumed += used;
        reading.requests++;
    }
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = 1 + (data[0] | (size_t)data[1] << 8) % 300;
    const char *bytes = (const char *)data + 2;
    struct reading whole = read_all(bytes, size - 2, size);
    struct reading pieces = read_all(bytes, size - 2, step);

    MUST(whole.requests == pieces.requests && whole.consumed == pieces.consumed);
    MUST(whole.refused == pieces.refused && whole.body_bytes == pieces.body_bytes);
    MUST(whole.body_sum == pieces.body_sum);
    MUST(memcmp(&whole.last_head, &pieces.last_head, sizeof(whole.last_head)) == 0);
    return 0;
}
