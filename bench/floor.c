/* floor PORT [FOLDER]: what an answer costs on this machine before anything is done for it.
 *
 * With a folder a durable one: a loop, a parser, LMDB, and nothing else: no route, no key, no
 * person, no task, no Redis. What is read in one turn of the loop is appended and committed as one
 * batch, then answered. Without one, not even that: a 204 as soon as a request has been read.
 *
 * It takes what it is sent on trust, for it is measured, never run. */
#include <endian.h>
#include <llhttp.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "proto/must.h"

#define RECORD_BYTES 800  /* an opt-in's with its decisions */
#define BATCH_MAX    4096 /* requests a turn */
#define MAP_BYTES    (16ull << 30)

struct conn {
    uv_tcp_t tcp; /* first: libuv's handle is the connection */
    llhttp_t parser;
    bool last; /* it asked for one answer and the end */
};

static struct {
    uv_loop_t *loop;
    llhttp_settings_t settings;
    MDB_env *env; /* NULL: no folder */
    MDB_dbi table;
    uint64_t seq;
    struct conn *batch[BATCH_MAX];
    unsigned count;
    char input[65536];
    char answer[512];
    size_t answer_length;
} bench;

static void on_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    (void)handle, (void)wanted;
    *out = uv_buf_init(bench.input, sizeof bench.input);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

/* A peer that leaves takes its requests along. */
static void leave(struct conn *conn)
{
    for (unsigned i = 0; i < bench.count; i++)
        if (bench.batch[i] == conn)
            bench.batch[i--] = bench.batch[--bench.count];
    if (!uv_is_closing((uv_handle_t *)&conn->tcp))
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void answer(struct conn *conn)
{
    uv_buf_t bytes = uv_buf_init(bench.answer, (unsigned)bench.answer_length);

    uv_try_write((uv_stream_t *)&conn->tcp, &bytes, 1);
    if (conn->last)
        leave(conn);
}

static int on_message(llhttp_t *parser)
{
    struct conn *conn = parser->data;

    conn->last = !llhttp_should_keep_alive(parser);
    if (bench.env == NULL) {
        answer(conn);
        return 0;
    }
    MUST(bench.count < BATCH_MAX);
    bench.batch[bench.count++] = conn;
    return 0;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *input)
{
    struct conn *conn = (struct conn *)stream;

    if (length < 0 || llhttp_execute(&conn->parser, input->base, (size_t)length) != HPE_OK)
        leave(conn);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct conn *conn = calloc(1, sizeof *conn);

    MUST(status == 0 && conn != NULL);
    MUST(uv_tcp_init(bench.loop, &conn->tcp) == 0);
    MUST(uv_accept(listener, (uv_stream_t *)&conn->tcp) == 0);
    uv_tcp_nodelay(&conn->tcp, 1);
    llhttp_init(&conn->parser, HTTP_REQUEST, &bench.settings);
    conn->parser.data = conn;
    MUST(uv_read_start((uv_stream_t *)&conn->tcp, on_buffer, on_read) == 0);
}

static void append(MDB_txn *txn)
{
    uint64_t stored = htobe64(++bench.seq);
    MDB_val key = {sizeof stored, &stored}, value = {RECORD_BYTES, NULL};

    MUST(mdb_put(txn, bench.table, &key, &value, MDB_APPEND | MDB_RESERVE) == 0);
    memcpy(value.mv_data, bench.input, RECORD_BYTES);
}

static void on_turn(uv_check_t *check)
{
    MDB_txn *txn;

    (void)check;
    if (bench.count == 0)
        return;
    MUST(mdb_txn_begin(bench.env, NULL, 0, &txn) == 0);
    for (unsigned i = 0; i < bench.count; i++)
        append(txn);
    MUST(mdb_txn_commit(txn) == 0);
    unsigned count = bench.count;
    bench.count = 0; /* so that who leaves now is not looked for */
    for (unsigned i = 0; i < count; i++)
        answer(bench.batch[i]);
}

/* LMDB as the journal has it: synchronous, one unnamed table. */
static void open_store(const char *folder)
{
    MDB_txn *txn;

    MUST(mdb_env_create(&bench.env) == 0);
    MUST(mdb_env_set_mapsize(bench.env, MAP_BYTES) == 0);
    if (mdb_env_open(bench.env, folder, 0, 0600) != 0) {
        fprintf(stderr, "floor: %s: an empty folder is wanted\n", folder);
        exit(1);
    }
    MUST(mdb_txn_begin(bench.env, NULL, 0, &txn) == 0);
    MUST(mdb_dbi_open(txn, NULL, 0, &bench.table) == 0);
    MUST(mdb_txn_commit(txn) == 0);
}

/* As long as hotlead's to a secret key. */
static void make_durable_answer(void)
{
    char body[163];

    memset(body, ' ', sizeof body);
    bench.answer_length =
        (size_t)snprintf(bench.answer, sizeof bench.answer,
                         "HTTP/1.1 201 Created\r\nContent-Length: %zu\r\n"
                         "Content-Type: application/json\r\nX-Request-Id: %026d\r\n"
                         "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                         "Vary: Origin\r\n\r\n%.*s",
                         sizeof body, 0, (int)sizeof body, body);
}

int main(int count, char **words)
{
    struct sockaddr_in address;
    static uv_tcp_t listener;
    static uv_check_t turn;

    if (count != 2 && count != 3) {
        fprintf(stderr, "usage: floor PORT [FOLDER]\n");
        return 2;
    }
    bench.loop = uv_default_loop();
    llhttp_settings_init(&bench.settings);
    bench.settings.on_message_complete = on_message;
    if (count == 3) {
        open_store(words[2]);
        make_durable_answer();
    } else {
        bench.answer_length =
            (size_t)snprintf(bench.answer, sizeof bench.answer, "HTTP/1.1 204 No Content\r\n\r\n");
    }
    MUST(uv_check_init(bench.loop, &turn) == 0);
    uv_check_start(&turn, on_turn);
    MUST(uv_ip4_addr("127.0.0.1", atoi(words[1]), &address) == 0);
    MUST(uv_tcp_init(bench.loop, &listener) == 0);
    MUST(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) == 0);
    if (uv_listen((uv_stream_t *)&listener, 512, on_connection) != 0) {
        fprintf(stderr, "floor: port %s is taken\n", words[1]);
        return 1;
    }
    return uv_run(bench.loop, UV_RUN_DEFAULT);
}
