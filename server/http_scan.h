/* The header block of a request, line by line as it arrives, before llhttp sees it.
 *
 * llhttp lets through what makes two readers of one connection disagree: folded lines, empty
 * names, Transfer-Encoding in HTTP/1.0 or beside Content-Length, several Hosts, other
 * versions. And it has no limits. So everything that is used of a header block is read here,
 * strictly, and llhttp is asked afterwards whether it agrees (http_frame.h).
 *
 * A block may come in pieces of any size: the same bytes give the same result, and no byte is
 * looked at twice but for those of a line that came in pieces. Pure. */
#ifndef HOTLEAD_SERVER_HTTP_SCAN_H
#define HOTLEAD_SERVER_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "server/http.h"
#include "server/http_frame.h"

#define HTTP_EMPTY_LINES_MAX 4 /* before a request; old clients end a body with one */

enum http_scan_result { HTTP_SCAN_MORE, HTTP_SCAN_WHOLE, HTTP_SCAN_REFUSED };

/* Bytes of the block, by offset: the block may be moved while it grows. */
struct http_span {
    uint32_t at;
    uint32_t length;
};

enum http_coding { HTTP_CODING_NONE, HTTP_CODING_GZIP, HTTP_CODING_OTHER };

struct http_head {
    /* How far the scan is. */
    uint32_t line;     /* where the line begins that is not whole yet */
    uint32_t searched; /* no line end before this */
    uint16_t empty_lines;
    uint16_t fields;
    uint16_t hosts, lengths, transfer_codings;
    bool in_fields;    /* the request line is in */
    bool method_known; /* `method` can be trusted, also after a refusal */

    /* What the block says, as far as it came. `refusal` is for REFUSED, also of a head that is
     * whole. */
    enum status refusal;
    uint32_t start;        /* where the request line begins */
    uint32_t fields_start; /* where it ends; HTTP_HEADERS_MAX counts from here */
    uint32_t length;       /* of the whole block, the empty line included; 0: not whole yet */
    enum http_method method;
    struct http_span path; /* length 0: "/" */
    struct http_span query;
    struct http_span headers[HTTP_HEADER_COUNT]; /* at 0: not sent */
    struct http_span transfer_coding;
    struct http_framing framing;
    enum http_coding coding;
    bool connection_close;
    bool connection_keep_alive;
    bool expects_continue;
    bool expects_other;
};

void http_scan_start(struct http_head *head);

/* `block` is all that came since http_scan_start, `length` may only have grown. */
enum http_scan_result http_scan(struct http_head *head, const char *block, size_t length);

/* For a head that is WHOLE. */
bool http_head_keeps_alive(const struct http_head *head);

/* Bytes NULL for a header that was not sent. */
struct slice http_head_slice(const char *block, struct http_span span);

#endif
