/* Where a request's body begins, ends, and what of it is body: llhttp in strict mode, and the
 * limits it does not have.
 *
 * llhttp reads the header block a second time, after http_scan. The two must agree on how the
 * body is framed, so that a request which one of them misreads is refused instead of smuggled.
 * A frame serves one request and is then opened anew: no state of the parser outlives it.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef HOTLEAD_SERVER_HTTP_FRAME_H
#define HOTLEAD_SERVER_HTTP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define HTTP_CHUNK_LINE_MAX 1024 /* size and extensions of one chunk */
#define HTTP_TRAILERS_MAX   4096
#define HTTP_WIRE_SPARE     16384 /* bytes on the wire <= 2 x body + this */

/* How the header block says that the body is sent. */
struct http_framing {
    bool is_1_0;
    bool chunked;
    bool has_length;
    uint64_t length;
};

enum http_frame_result { HTTP_FRAME_MORE, HTTP_FRAME_WHOLE, HTTP_FRAME_REFUSED };

struct http_frame {
    uint64_t parser[16]; /* an llhttp_t; llhttp.h has names that server/http.h has, too */
    struct http_framing framing;
    size_t body_max;
    char *body;         /* where the body is gathered */
    size_t body_length; /* so far */
    size_t wire;        /* bytes of the body's coding so far, chunk lines included */
    size_t aside;       /* bytes of the present chunk line, or of the trailers */
    bool last_chunk;    /* what follows is trailers */
    bool whole;
    enum status refusal;
};

/* Reads a whole header block. False: llhttp refuses it, or reads another framing. */
bool http_frame_open(struct http_frame *frame, const struct http_framing *framing,
                     const char *block, size_t length);

/* True when nothing follows the header block. */
bool http_frame_is_whole(const struct http_frame *frame);

/* Reads body bytes as they came. The body itself is moved to `body` + body_length, which may lie
 * in the same buffer at or before `bytes`. *used_out: how many were this request's; less than
 * `length` only when WHOLE or REFUSED. */
enum http_frame_result http_frame_read(struct http_frame *frame, char *body, const char *bytes,
                                       size_t length, size_t *used_out);

#endif
