#include "server/http_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/http_frame.h"

#define HOST "Host: a\r\n"

/* The block is copied to memory of exactly its size, so that ASan sees each byte read too far. */
static enum http_scan_result scan_cut(const char *block, size_t length, size_t step,
                                      struct http_head *head)
{
    enum http_scan_result result = HTTP_SCAN_MORE;
    size_t at = 0;

    http_scan_start(head);
    while (at < length && result == HTTP_SCAN_MORE) {
        at = at + step < length ? at + step : length;
        char *exact = malloc(at);
        assert_non_null(exact);
        memcpy(exact, block, at);
        result = http_scan(head, exact, at);
        free(exact);
    }
    return result;
}

static enum http_scan_result scan(const char *block, struct http_head *head)
{
    return scan_cut(block, strlen(block), strlen(block), head);
}

static enum status refusal_of(const char *block, size_t length)
{
    struct http_head head;
    enum http_scan_result result = scan_cut(block, length, length, &head);

    return result == HTTP_SCAN_REFUSED ? head.refusal : STATUS_OK;
}

static void assert_span(const char *block, struct http_span span, const char *expected)
{
    struct slice found = http_head_slice(block, span);

    assert_int_equal(found.length, strlen(expected));
    assert_memory_equal(found.bytes, expected, found.length);
}

/* --- the head ------------------------------------------------------------------- */

static void a_head_is_taken_apart(void **state)
{
    const char *block =
        "POST /v1/optins?key=pk_a HTTP/1.1\r\n" HOST "content-TYPE:\t application/json \r\n"
        "Idempotency-Key: k-1\r\n"
        "X-Other: z\r\n"
        "Origin:\r\n"
        "Content-Length: 42\r\n\r\n";
    struct http_head head;
    (void)state;

    assert_int_equal(scan(block, &head), HTTP_SCAN_WHOLE);
    assert_int_equal(head.length, strlen(block));
    assert_int_equal(head.method, HTTP_POST);
    assert_span(block, head.path, "/v1/optins");
    assert_span(block, head.query, "key=pk_a");
    assert_span(block, head.headers[HTTP_CONTENT_TYPE], "application/json");
    assert_span(block, head.headers[HTTP_IDEMPOTENCY_KEY], "k-1");
    assert_true(head.framing.has_length);
    assert_int_equal(head.framing.length, 42);
    assert_true(http_head_keeps_alive(&head));
}

static void an_empty_header_differs_from_one_not_sent(void **state)
{
    const char *block = "GET / HTTP/1.1\r\n" HOST "Origin:\r\n\r\n";
    struct http_head head;
    (void)state;

    assert_int_equal(scan(block, &head), HTTP_SCAN_WHOLE);
    assert_non_null(http_head_slice(block, head.headers[HTTP_ORIGIN]).bytes);
    assert_int_equal(head.headers[HTTP_ORIGIN].length, 0);
    assert_null(http_head_slice(block, head.headers[HTTP_REFERER]).bytes);
}

static void every_header_of_the_map_is_found(void **state)
{
    static const char *const names[] = {
#define XX(name, text) text,
        HTTP_HEADER_MAP(XX)
#undef XX
    };
    (void)state;

    for (int i = 0; i < HTTP_HEADER_COUNT; i++) {
        char block[256];
        struct http_head head;
        snprintf(block, sizeof(block), "GET / HTTP/1.1\r\n" HOST "%s: value\r\n\r\n", names[i]);
        assert_int_equal(scan(block, &head), HTTP_SCAN_WHOLE);
        assert_span(block, head.headers[i], "value");
    }
}

static void the_last_of_repeated_lists_counts(void **state)
{
    const char *block = "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\n"
                        "X-Forwarded-For: 2.2.2.2\r\n\r\n";
    struct http_head head;
    (void)state;

    assert_int_equal(scan(block, &head), HTTP_SCAN_WHOLE);
    assert_span(block, head.headers[HTTP_X_FORWARDED_FOR], "2.2.2.2");
}

static void what_follows_the_head_is_not_looked_at(void **state)
{
    const char *block = "GET / HTTP/1.1\r\n" HOST "\r\n\x01\x02 BAD\n";
    struct http_head head;
    (void)state;

    assert_int_equal(scan(block, &head), HTTP_SCAN_WHOLE);
    assert_int_equal(head.length, strlen(block) - 7);
}

static void a_head_in_pieces_of_any_size_is_the_same_head(void **state)
{
    const char *block = "\r\nPUT http://b:80/c?d HTTP/1.0\r\n"
                        "Connection: keep-alive\r\nExpect: 100-continue\r\n"
                        "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n";
    struct http_head whole, pieces;
    (void)state;

    assert_int_equal(scan(block, &whole), HTTP_SCAN_WHOLE);
    for (size_t step = 1; step < strlen(block); step++) {
        assert_int_equal(scan_cut(block, strlen(block), step, &pieces), HTTP_SCAN_WHOLE);
        assert_memory_equal(&whole, &pieces, sizeof(whole));
    }
}

/* --- bytes ------------------------------------------------------------------------ */

/* Eight bytes are looked at together, so each byte is tried at each place of two such runs. */
static void each_byte_value_is_judged_wherever_it_stands_in_a_value(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool sound = (byte >= 0x20 && byte != 0x7f) || byte == '\t';
        for (size_t place = 0; place < 17; place++) {
            char block[] = "GET / HTTP/1.1\r\n" HOST "X:0123456789abcdefg\r\n\r\n";
            char *value = strstr(block, "0123");
            value[place] = (char)byte;
            enum status refusal = refusal_of(block, sizeof(block) - 1);
            assert_int_equal(refusal, sound ? STATUS_OK : STATUS_MALFORMED);
        }
    }
}

static void neighbours_of_a_sound_byte_do_not_hide_a_bad_one(void **state)
{
    (void)state;
    for (int neighbour = 0x80; neighbour < 256; neighbour++) {
        char block[] = "GET / HTTP/1.1\r\n" HOST "X:01234567\r\n\r\n";
        char *value = strstr(block, "0123");
        value[3] = (char)neighbour;
        assert_int_equal(refusal_of(block, sizeof(block) - 1), STATUS_OK);
        value[4] = 0x1f;
        assert_int_equal(refusal_of(block, sizeof(block) - 1), STATUS_MALFORMED);
        value[4] = 0x7f;
        assert_int_equal(refusal_of(block, sizeof(block) - 1), STATUS_MALFORMED);
    }
}

static void each_byte_value_is_judged_in_a_name(void **state)
{
    const char *sound = "!#$%&'*+-.^_`|~";
    (void)state;

    for (int byte = 1; byte < 256; byte++) {
        bool letter = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                      (byte >= 'a' && byte <= 'z');
        char block[] = "GET / HTTP/1.1\r\n" HOST "XY: z\r\n\r\n";
        if (byte == ':')
            continue; /* ends the name */
        *strstr(block, "Y:") = (char)byte;
        assert_int_equal(refusal_of(block, sizeof(block) - 1),
                         letter || strchr(sound, byte) != NULL ? STATUS_OK : STATUS_MALFORMED);
    }
}

static void another_protocol_is_refused_at_its_first_bytes(void **state)
{
    (void)state;
    assert_int_equal(refusal_of("\x16\x03\x01", 3), STATUS_MALFORMED);
    assert_int_equal(refusal_of("GET / HTTP/1.1\r\nHost\x00", 21), STATUS_MALFORMED);
    assert_int_equal(refusal_of("GET / HTTP/1.1\rX", 16), STATUS_MALFORMED);
    assert_int_equal(refusal_of("GET / HTTP/1.1\r", 15), STATUS_OK);
}

static void the_refused_method_is_known_where_it_could_be_read(void **state)
{
    struct http_head head;
    (void)state;

    assert_int_equal(scan("HEAD / HTTP/1.1\r\n\r\n", &head), HTTP_SCAN_REFUSED);
    assert_true(head.method_known);
    assert_int_equal(head.method, HTTP_HEAD);
    assert_int_equal(scan("FOO / HTTP/1.1\r\n\r\n", &head), HTTP_SCAN_REFUSED);
    assert_false(head.method_known);
}

/* A refusal may come earlier when bytes come in pieces, but never another verdict. */
static void damaged_heads_get_the_same_verdict_in_pieces(void **state)
{
    const char sample[] = "POST /a?b HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\n"
                          "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    unsigned random = 1;
    (void)state;

    for (int i = 0; i < 3000; i++) {
        char block[sizeof(sample)];
        struct http_head whole, pieces;
        memcpy(block, sample, sizeof(sample));
        for (int changes = 0; changes < 1 + i % 3; changes++) {
            random = random * 1103515245u + 12345u;
            block[(random >> 8) % (sizeof(sample) - 1)] =
                " \t\r\n:,;\x01\x80x1"[(random >> 20) % 11];
        }
        enum http_scan_result expected = scan_cut(block, sizeof(block) - 1, 1000, &whole);
        enum http_scan_result result =
            scan_cut(block, sizeof(block) - 1, 1 + (random >> 24) % 9, &pieces);
        assert_int_equal(result, expected);
        assert_int_equal(whole.refusal, pieces.refusal);
    }
}

/* --- the frame ----------------------------------------------------------------------- */

/* Reads `wire` behind a fitting head, in pieces; the body comes to stand in `out`. */
static enum http_frame_result read_frame(struct http_frame *frame, const char *wire, size_t length,
                                         size_t step, size_t body_max, char *out, size_t *used_out)
{
    const char *block = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    struct http_framing framing = {.chunked = true};
    enum http_frame_result result = HTTP_FRAME_MORE;

    assert_true(http_frame_open(frame, &framing, block, strlen(block)));
    assert_false(http_frame_is_whole(frame));
    frame->body_max = body_max;
    *used_out = 0;
    while (*used_out < length && result == HTTP_FRAME_MORE) {
        size_t piece = length - *used_out < step ? length - *used_out : step, used;
        char *exact = malloc(piece);
        assert_non_null(exact);
        memcpy(exact, wire + *used_out, piece);
        result = http_frame_read(frame, out, exact, piece, &used);
        free(exact);
        *used_out += used;
        assert_true(used == piece || result != HTTP_FRAME_MORE);
    }
    return result;
}

static void chunks_come_together_in_pieces_of_any_size(void **state)
{
    const char wire[] = "5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nX-A: b\r\n\r\nGET /";
    size_t message = sizeof(wire) - 1 - strlen("GET /");
    (void)state;

    for (size_t step = 1; step < sizeof(wire); step++) {
        struct http_frame frame;
        char body[64];
        size_t used;
        assert_int_equal(read_frame(&frame, wire, sizeof(wire) - 1, step, 100, body, &used),
                         HTTP_FRAME_WHOLE);
        assert_int_equal(used, message);
        assert_int_equal(frame.body_length, 12);
        assert_memory_equal(body, "hello, world", 12);
    }
}

static void chunks_are_gathered_in_the_buffer_they_came_in(void **state)
{
    const char *block = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    struct http_framing framing = {.chunked = true};
    struct http_frame frame;
    char wire[] = "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    size_t used;
    (void)state;

    assert_true(http_frame_open(&frame, &framing, block, strlen(block)));
    frame.body_max = 6;
    assert_int_equal(http_frame_read(&frame, wire, wire, sizeof(wire) - 1, &used),
                     HTTP_FRAME_WHOLE);
    assert_int_equal(used, sizeof(wire) - 1);
    assert_memory_equal(wire, "abcdef", 6);
}

static void a_body_over_its_limit_is_refused_before_it_is_there(void **state)
{
    struct http_frame frame;
    char body[64];
    size_t used;
    (void)state;

    assert_int_equal(read_frame(&frame, "11\r\n", 4, 4, 16, body, &used), HTTP_FRAME_REFUSED);
    assert_int_equal(frame.refusal, STATUS_TOO_LARGE);
    assert_int_equal(read_frame(&frame, "8\r\n01234567\r\n9\r\n", 16, 3, 16, body, &used),
                     HTTP_FRAME_REFUSED);
    assert_int_equal(frame.refusal, STATUS_TOO_LARGE);
}

/* Size lines of 500 zeros are each in bounds; together they are not. */
static void chunks_that_are_mostly_framing_are_refused(void **state)
{
    static char wire[64 * 1024], body[1024];
    struct http_frame frame;
    size_t length = 0, used;
    (void)state;

    while (length < sizeof(wire) - 600)
        length += (size_t)snprintf(wire + length, 600, "%0500d\r\nx\r\n", 1);
    for (size_t step = 1; step < 2000; step += 333) {
        assert_int_equal(read_frame(&frame, wire, length, step, 1024, body, &used),
                         HTTP_FRAME_REFUSED);
        assert_int_equal(frame.refusal, STATUS_MALFORMED);
        assert_true(frame.wire > HTTP_WIRE_SPARE);
        assert_true(frame.wire < 2 * HTTP_WIRE_SPARE);
    }
}

static void chunk_lines_and_trailers_end_at_their_limits(void **state)
{
    static char wire[16 * 1024];
    struct http_frame frame;
    char body[64];
    size_t used;
    (void)state;

    for (size_t step = 7; step < 9000; step += 900) {
        /* "5;" and CRLF around 1020 bytes are 1024 */
        int length = snprintf(wire, sizeof(wire), "5;%01020d\r\nhello\r\n0\r\n\r\n", 0);
        assert_int_equal(read_frame(&frame, wire, (size_t)length, step, 64, body, &used),
                         HTTP_FRAME_WHOLE);
        length = snprintf(wire, sizeof(wire), "5;%01021d\r\nhello\r\n0\r\n\r\n", 0);
        assert_int_equal(read_frame(&frame, wire, (size_t)length, step, 64, body, &used),
                         HTTP_FRAME_REFUSED);

        /* "X:", CRLF and the empty line around 4090 bytes are 4096 */
        length = snprintf(wire, sizeof(wire), "0\r\nX:%04090d\r\n\r\n", 0);
        assert_int_equal(read_frame(&frame, wire, (size_t)length, step, 64, body, &used),
                         HTTP_FRAME_WHOLE);
        length = snprintf(wire, sizeof(wire), "0\r\nX:%04091d\r\n\r\n", 0);
        assert_int_equal(read_frame(&frame, wire, (size_t)length, step, 64, body, &used),
                         HTTP_FRAME_REFUSED);
    }
}

static void a_frame_that_llhttp_reads_otherwise_is_refused(void **state)
{
    const char *with_length = "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n";
    const char *chunked = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    const struct http_framing five = {.has_length = true, .length = 5};
    const struct http_framing six = {.has_length = true, .length = 6};
    const struct http_framing none = {0}, old = {.is_1_0 = true, .has_length = true, .length = 5};
    struct http_frame frame;
    (void)state;

    assert_true(http_frame_open(&frame, &five, with_length, strlen(with_length)));
    assert_false(http_frame_open(&frame, &six, with_length, strlen(with_length)));
    assert_false(http_frame_open(&frame, &none, with_length, strlen(with_length)));
    assert_false(http_frame_open(&frame, &old, with_length, strlen(with_length)));
    assert_false(http_frame_open(&frame, &none, chunked, strlen(chunked)));
    assert_false(http_frame_open(&frame, &five, chunked, strlen(chunked)));
}

/* This fails when llhttp was built without its strict mode. */
static void llhttp_is_strict(void **state)
{
    const char *bare_cr = "GET / HTTP/1.1\r\n" HOST "X-E:\rXTransfer-Encoding: chunked\r\n\r\n";
    const struct http_framing none = {0}, chunked = {.chunked = true};
    struct http_frame frame;
    (void)state;

    assert_false(http_frame_open(&frame, &none, bare_cr, strlen(bare_cr)));
    assert_false(http_frame_open(&frame, &chunked, bare_cr, strlen(bare_cr)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(an_empty_header_differs_from_one_not_sent),
        cmocka_unit_test(every_header_of_the_map_is_found),
        cmocka_unit_test(the_last_of_repeated_lists_counts),
        cmocka_unit_test(what_follows_the_head_is_not_looked_at),
        cmocka_unit_test(a_head_in_pieces_of_any_size_is_the_same_head),
        cmocka_unit_test(each_byte_value_is_judged_wherever_it_stands_in_a_value),
        cmocka_unit_test(neighbours_of_a_sound_byte_do_not_hide_a_bad_one),
        cmocka_unit_test(each_byte_value_is_judged_in_a_name),
        cmocka_unit_test(another_protocol_is_refused_at_its_first_bytes),
        cmocka_unit_test(the_refused_method_is_known_where_it_could_be_read),
        cmocka_unit_test(damaged_heads_get_the_same_verdict_in_pieces),
        cmocka_unit_test(chunks_come_together_in_pieces_of_any_size),
        cmocka_unit_test(chunks_are_gathered_in_the_buffer_they_came_in),
        cmocka_unit_test(a_body_over_its_limit_is_refused_before_it_is_there),
        cmocka_unit_test(chunks_that_are_mostly_framing_are_refused),
        cmocka_unit_test(chunk_lines_and_trailers_end_at_their_limits),
        cmocka_unit_test(a_frame_that_llhttp_reads_otherwise_is_refused),
        cmocka_unit_test(llhttp_is_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
