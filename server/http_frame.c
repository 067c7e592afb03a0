/* llhttp stands still at each chunk's size line (HPE_PAUSED from on_chunk_header), because that
 * is the only way to learn where the line ends: its callbacks for extensions come too late or
 * not at all, and it counts nothing. */
#include "server/http_frame.h"

#include <llhttp.h>
#include <string.h>

_Static_assert(sizeof(llhttp_t) <= sizeof(((struct http_frame *)NULL)->parser), "llhttp_t grew");
_Static_assert(LLHTTP_VERSION_MAJOR >= 8, "llhttp before 8 has no callbacks for chunks");

static llhttp_t *parser_of(struct http_frame *frame)
{
    return (llhttp_t *)frame->parser;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_frame *frame = parser->data;
    const struct http_framing *framing = &frame->framing;
    bool chunked = (parser->flags & F_CHUNKED) != 0;
    bool has_length = (parser->flags & F_CONTENT_LENGTH) != 0;

    /* Upgrades are not offered, so the request goes on as if it had not asked. Otherwise
     * llhttp would take what follows the header block for another protocol. */
    parser->upgrade = 0;

    bool agreed = parser->http_major == 1 && parser->http_minor == (framing->is_1_0 ? 0 : 1) &&
                  chunked == framing->chunked && has_length == framing->has_length &&
                  (!has_length || parser->content_length == framing->length);
    return agreed ? 0 : -1;
}

static int on_chunk_header(llhttp_t *parser)
{
    struct http_frame *frame = parser->data;

    if (parser->content_length > frame->body_max - frame->body_length) {
        frame->refusal = STATUS_TOO_LARGE;
        return -1;
    }
    frame->last_chunk = parser->content_length == 0;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct http_frame *frame = parser->data;

    if (length > frame->body_max - frame->body_length) {
        frame->refusal = STATUS_TOO_LARGE;
        return -1;
    }
    if (frame->body + frame->body_length != at)
        memmove(frame->body + frame->body_length, at, length);
    frame->body_length += length;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_frame *frame = parser->data;

    frame->whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

bool http_frame_open(struct http_frame *frame, const struct http_framing *framing,
                     const char *block, size_t length)
{
    *frame = (struct http_frame){.framing = *framing};

    llhttp_t *parser = parser_of(frame);
    llhttp_init(parser, HTTP_REQUEST, &settings);
    parser->data = frame;

    llhttp_errno_t error = llhttp_execute(parser, block, length);
    return error == HPE_OK || (error == HPE_PAUSED && frame->whole);
}

bool http_frame_is_whole(const struct http_frame *frame)
{
    return frame->whole;
}

/* Counts what was neither body nor free of charge. `aside` is judged at each size line and
 * wherever the input happens to end, so that where it is cut does not matter. */
static enum status account(struct http_frame *frame, size_t wire, size_t body, bool at_size_line)
{
    size_t aside_max = frame->last_chunk && !at_size_line ? HTTP_TRAILERS_MAX : HTTP_CHUNK_LINE_MAX;

    frame->wire += wire;
    frame->aside += wire - body;
    if (!frame->framing.chunked)
        return STATUS_OK;
    if (frame->aside > aside_max || frame->wire > 2 * frame->body_length + HTTP_WIRE_SPARE)
        return STATUS_MALFORMED;
    if (at_size_line)
        frame->aside = 0;
    return STATUS_OK;
}

enum http_frame_result http_frame_read(struct http_frame *frame, char *body, const char *bytes,
                                       size_t length, size_t *used_out)
{
    llhttp_t *parser = parser_of(frame);
    size_t used = 0;

    frame->body = body;
    while (used < length && !frame->whole && frame->refusal == STATUS_OK) {
        size_t body_before = frame->body_length;
        llhttp_errno_t error = llhttp_execute(parser, bytes + used, length - used);
        size_t step = length - used;

        if (error == HPE_PAUSED) {
            step = (size_t)(llhttp_get_error_pos(parser) - (bytes + used));
            llhttp_resume(parser);
        } else if (error != HPE_OK && frame->refusal == STATUS_OK) {
            frame->refusal = STATUS_MALFORMED;
        }
        used += step;
        if (frame->refusal == STATUS_OK)
            frame->refusal = account(frame, step, frame->body_length - body_before,
                                     error == HPE_PAUSED && !frame->whole);
    }
    *used_out = used;
    if (frame->refusal != STATUS_OK)
        return HTTP_FRAME_REFUSED;
    return frame->whole ? HTTP_FRAME_WHOLE : HTTP_FRAME_MORE;
}
