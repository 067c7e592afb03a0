/* The api over the real engine, journal and state (tests/world.h), with what stands around it
 * replaced: requests are structs, answers are kept here, Redis is a function. A command is
 * decided when it is submitted and settled when the test says so.
 *
 * Included by one test file each; defines the functions of http, writer and publish. */
#ifndef HOTLEAD_TESTS_API_RIG_H
#define HOTLEAD_TESTS_API_RIG_H

#include <ctype.h>
#include <sys/stat.h>

#include "proto/id.h"
#include "proto/must.h"
#include "proto/report.h"
#include "server/api.h"
#include "tests/unit.h"
#include "tests/world.h"

#define RIG_COMMANDS_MAX 1024
#define RIG_TICKETS      4096

static struct rig {
    struct world world;
    uv_loop_t loop;
    struct clock *clock;
    struct stats *stats;
    struct registry *registry; /* the loop's */
    struct api *api;
    char token[SECRET_TEXT_MAX]; /* of the first admin */
    uint64_t tickets;

    int status_of[RIG_TICKETS];  /* by ticket */
    char *bytes_of[RIG_TICKETS]; /* what its request's slices point into */
    /* the last answer */
    unsigned replies;
    int status;
    char type[64], headers[8192], body[1024 * 1024 + 1];

    /* what is replaced */
    bool gone;     /* the peer hung up */
    bool said_all; /* it has closed its sending side alone */
    bool ready, redis_up;
    const char *trouble;       /* of publish; NULL: none */
    uint64_t oldest_ms;        /* when the oldest opt-in of the queue came */
    enum status submit_status; /* of the next submits */
    bool receiving;            /* opt-ins are journalled only */
    struct settlement settled[RIG_COMMANDS_MAX];
    unsigned settled_count;
    struct command last; /* submitted; its payload is gone */
    uint64_t claim_ticket;
    unsigned claims, unclaims, claim_wait_ms;
    char claim_agent[REPORT_AGENT_MAX + 1];
} rig;

/* As a server does at its start; where a test looks at numbers of versions. */
static bool rig_keeps_shipped;

/* --- http ------------------------------------------------------------------------- */

void http_reply(struct http *http, uint64_t ticket, const struct http_reply *reply)
{
    (void)http;
    assert_true(ticket > 0 && ticket <= rig.tickets);
    rig.status_of[ticket % RIG_TICKETS] = reply->status;
    assert_true(reply->body.length < sizeof(rig.body));
    assert_true(reply->headers.length < sizeof(rig.headers));
    rig.replies++;
    rig.status = reply->status;
    snprintf(rig.type, sizeof(rig.type), "%s", reply->content_type ? reply->content_type : "");
    memcpy(rig.headers, reply->headers.bytes ? reply->headers.bytes : "", reply->headers.length);
    rig.headers[reply->headers.length] = '\0';
    memcpy(rig.body, reply->body.bytes ? reply->body.bytes : "", reply->body.length);
    rig.body[reply->body.length] = '\0';
}

void http_problem(struct http *http, uint64_t ticket, enum status status, const char *detail,
                  struct slice headers)
{
    char body[512];
    int length = snprintf(body, sizeof(body), "{\"code\":\"%s\",\"detail\":\"%s\"}",
                          status_code(status), detail ? detail : "");

    http_reply(http, ticket,
               &(struct http_reply){.status = status_http(status),
                                    .content_type = "application/problem+json",
                                    .body = {body, (size_t)length},
                                    .headers = headers});
}

bool http_is_open(const struct http *http, uint64_t ticket)
{
    (void)http;
    (void)ticket;
    return !rig.gone;
}

bool http_is_waiting(const struct http *http, uint64_t ticket)
{
    (void)http;
    (void)ticket;
    return !rig.gone && !rig.said_all;
}

unsigned http_open_connections(const struct http *http)
{
    (void)http;
    return 7;
}

/* --- writer ------------------------------------------------------------------------- */

static void receive(const struct command *command)
{
    struct world *world = &rig.world;
    struct journal *journal = recovery_journal(world->recovery);
    struct turn turn = {.seq = state_meta(world->state)->folded_seq + 1,
                        .admin_seq = state_meta(world->state)->admin_seq,
                        .now_ms = world->now_ms};
    struct record_view view;

    assert_status(engine_receive(world->engine, command, &turn, &world->record, &world->settlement),
                  STATUS_OK);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(state_begin(world->state), STATUS_OK);
    record_view_of(&world->record, &view);
    assert_status(engine_apply(world->engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world->record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
}

enum status writer_submit(struct writer *writer, const struct command *command)
{
    static char payload[RECORD_BYTES_MAX];
    struct world *world = &rig.world;

    (void)writer;
    if (rig.submit_status != STATUS_OK)
        return rig.submit_status;
    assert_true(rig.settled_count < RIG_COMMANDS_MAX);
    rig.last = *command;
    if (command->payload.length != 0)
        memcpy(payload, command->payload.bytes, command->payload.length);
    rig.last.payload.bytes = payload;
    if (command->kind == COMMAND_BARRIER) {
        if (state_is_dirty(world->state))
            assert_status(state_commit(world->state), STATUS_OK);
        world->settlement = (struct settlement){.status = STATUS_OK, .ticket = command->ticket};
    } else if (rig.receiving && command->kind == COMMAND_OPTIN) {
        receive(&rig.last);
    } else {
        world_do(world, &rig.last);
    }
    rig.settled[rig.settled_count++] = world->settlement;
    return STATUS_OK;
}

bool writer_is_ready(const struct writer *writer)
{
    (void)writer;
    return rig.ready;
}

const struct hash_key *writer_hash_key(const struct writer *writer)
{
    (void)writer;
    return recovery_hash_key(rig.world.recovery);
}

const struct hash_key *writer_id_key(const struct writer *writer)
{
    (void)writer;
    return recovery_id_key(rig.world.recovery);
}

struct journal *writer_journal(const struct writer *writer)
{
    (void)writer;
    return recovery_journal(rig.world.recovery);
}

struct state *writer_state(const struct writer *writer)
{
    (void)writer;
    return rig.world.state;
}

/* --- publish -------------------------------------------------------------------------- */

void publish_claim(struct publish *publish, uint64_t ticket, uint32_t queue, struct slice agent,
                   unsigned wait_ms)
{
    (void)publish;
    (void)queue;
    rig.claims++;
    rig.claim_ticket = ticket;
    rig.claim_wait_ms = wait_ms;
    snprintf(rig.claim_agent, sizeof(rig.claim_agent), "%.*s", (int)agent.length, agent.bytes);
}

void publish_unclaim(struct publish *publish, uint64_t ticket)
{
    (void)publish;
    assert_true(ticket == rig.claim_ticket);
    rig.unclaims++;
}

const char *publish_trouble(const struct publish *publish)
{
    (void)publish;
    return rig.redis_up ? rig.trouble : "Redis cannot be reached";
}

bool publish_is_up(const struct publish *publish)
{
    (void)publish;
    return rig.redis_up;
}

uint64_t publish_lag(const struct publish *publish)
{
    (void)publish;
    return 0;
}

uint64_t publish_lag_ms(const struct publish *publish)
{
    (void)publish;
    return 1250;
}

/* One queue has three open tasks. */
bool publish_backlog_next(struct publish *publish, struct publish_backlog *out)
{
    (void)publish;
    if (out->queue > 0)
        return false;
    *out = (struct publish_backlog){1, 3};
    return true;
}

uint64_t publish_oldest_ms(struct publish *publish, uint32_t queue, unsigned looks)
{
    (void)publish;
    MUST(queue == 1 && looks > 0);
    return rig.oldest_ms;
}

void publish_backlog_end(struct publish *publish)
{
    (void)publish;
}

/* --- asking ----------------------------------------------------------------------------- */

/* Settles what was submitted, in order; what that submits too. */
static void settle(void)
{
    for (unsigned i = 0; i < rig.settled_count; i++) {
        struct settlement settlement = rig.settled[i];
        assert_true(settlement.ticket & API_TICKET);
        api_on_settled(rig.api, &settlement);
    }
    rig.settled_count = 0;
}

static enum http_method method_of(const char *name)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
        [HTTP_OPTIONS] = "OPTIONS",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i], name) == 0)
            return (enum http_method)i;
    MUST(!"a method");
}

static const char *const header_names[HTTP_HEADER_COUNT] = {
#define XX(name, text) text,
    HTTP_HEADER_MAP(XX)
#undef XX
};

/* "Name: value\n" lines. */
static void set_headers(struct http_request *request, const char *lines)
{
    while (*lines) {
        const char *end = strchr(lines, '\n'), *colon = strchr(lines, ':');
        MUST(end && colon && colon < end);
        for (int i = 0; i < HTTP_HEADER_COUNT; i++)
            if (slice_equal_ignoring_case(slice_of(header_names[i]),
                                          (struct slice){lines, (size_t)(colon - lines)}))
                request->headers[i] = (struct slice){colon + 2, (size_t)(end - colon - 2)};
        lines = end + 1;
    }
}

static unsigned rig_listener = API_ALL;

/* "GET /path?query". Slices live as those of a request would. */
static struct http_request compose(const char *line, const char *headers, const char *body)
{
    size_t line_bytes = strlen(line) + 1, headers_bytes = strlen(headers) + 1;
    size_t body_bytes = strlen(body);
    char *bytes = malloc(line_bytes + headers_bytes + body_bytes + JSON_PADDING), method[16];

    memcpy(bytes, line, line_bytes);
    memcpy(bytes + line_bytes, headers, headers_bytes);
    memcpy(bytes + line_bytes + headers_bytes, body, body_bytes);
    memset(bytes + line_bytes + headers_bytes + body_bytes, 0x55, JSON_PADDING);
    line = bytes;
    headers = bytes + line_bytes;
    body = headers + headers_bytes;
    const char *target = strchr(line, ' ') + 1, *query = strchr(target, '?');

    snprintf(method, sizeof(method), "%.*s", (int)(target - 1 - line), line);
    uint64_t ticket = ++rig.tickets;
    free(rig.bytes_of[ticket % RIG_TICKETS]);
    rig.bytes_of[ticket % RIG_TICKETS] = bytes;
    struct http_request request = {
        .ticket = ticket,
        .listener = rig_listener,
        .method = method_of(method),
        .path = {target, query ? (size_t)(query - target) : strlen(target)},
        .query = query ? slice_of(query + 1) : (struct slice){0},
        .body = {body, body_bytes},
        .raw_body = {body, body_bytes},
        .remote = "203.0.113.7",
        .request_id = SLICE("made-by-us"),
    };
    set_headers(&request, headers);
    if (request.headers[HTTP_X_REQUEST_ID].length != 0)
        request.request_id = request.headers[HTTP_X_REQUEST_ID];
    rig.replies = 0;
    rig.status = 0;
    rig.type[0] = rig.headers[0] = rig.body[0] = '\0';
    return request;
}

/* Sends a request and settles nothing. */
static void send_request(const char *line, const char *headers, const char *body)
{
    struct http_request request = compose(line, headers, body);

    api_on_request(rig.api, &request);
}

/* Sends a request and sees it answered, once. */
static int ask(const char *line, const char *headers, const char *body)
{
    send_request(line, headers, body);
    settle();
    assert_int_equal(rig.replies, 1);
    return rig.status;
}

/* As whoever has this key or token. */
static int ask_as(const char *key, const char *line, const char *body)
{
    char headers[256];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", key);
    return ask(line, headers, body);
}

#define assert_answer(call, code)                                                                  \
    do {                                                                                           \
        int is_ = (call);                                                                          \
        if (is_ != (code))                                                                         \
            fail_msg("answer is %d, should be %d: %s", is_, (code), rig.body);                     \
    } while (0)

#define assert_body_has(part)                                                                      \
    do {                                                                                           \
        if (!strstr(rig.body, (part)))                                                             \
            fail_msg("'%s' is not in: %s", (part), rig.body);                                      \
    } while (0)

#define assert_body_lacks(part)                                                                    \
    do {                                                                                           \
        if (strstr(rig.body, (part)))                                                              \
            fail_msg("'%s' is in: %s", (part), rig.body);                                          \
    } while (0)

#define assert_header(part)                                                                        \
    do {                                                                                           \
        if (!strstr(rig.headers, (part)))                                                          \
            fail_msg("'%s' is not in: %s", (part), rig.headers);                                   \
    } while (0)

#define assert_no_header(part)                                                                     \
    do {                                                                                           \
        if (strstr(rig.headers, (part)))                                                           \
            fail_msg("'%s' is in: %s", (part), rig.headers);                                       \
    } while (0)

/* The text behind "name":" in the last answer. */
static const char *told(const char *name, char *out, size_t capacity)
{
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "\"%s\":\"", name);
    const char *at = strstr(rig.body, wanted);
    if (!at)
        fail_msg("no %s in: %s", name, rig.body);
    at += strlen(wanted);
    snprintf(out, capacity, "%.*s", (int)strcspn(at, "\""), at);
    return out;
}

/* --- opening ------------------------------------------------------------------------------- */

static void read_token_file(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/admin.token", rig.world.directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(rig.token, sizeof(rig.token), file));
    fclose(file);
    rig.token[strcspn(rig.token, "\n")] = '\0';
}

static int rig_open(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig_listener = API_ALL;
    rig.ready = rig.redis_up = true;
    world_open(&rig.world);
    if (rig_keeps_shipped) {
        rig.world.keeps_shipped = true;
        world_reopen(&rig.world, true, false);
    }
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    assert_status(clock_open(NULL, &rig.clock), STATUS_OK);
    rig.stats = stats_open();
    rig.registry = registry_open();

    struct journal_reader *reader;
    assert_status(journal_reader_open(recovery_journal(rig.world.recovery), &reader), STATUS_OK);
    assert_status(
        recovery_read_registry(reader, state_meta(rig.world.state)->admin_seq, rig.registry),
        STATUS_OK);
    journal_reader_close(reader);

    struct api_options options = {.loop = &rig.loop,
                                  .clock = rig.clock,
                                  .stats = rig.stats,
                                  .registry = rig.registry,
                                  .node = "n1",
                                  .public_url = "http://127.0.0.1:8080",
                                  .demo_page = "<p>demo</p>",
                                  .in_flight_max = 1024};
    assert_status(api_open(&options, &rig.api), STATUS_OK);
    assert_status(api_attach(rig.api, NULL, NULL, NULL), STATUS_OK);
    assert_status(api_first_token(rig.api, rig.world.directory), STATUS_OK);
    settle();
    read_token_file();
    return 0;
}

static int rig_close(void **state)
{
    (void)state;
    api_close(rig.api);
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig.loop), 0);
    registry_close(rig.registry);
    stats_close(rig.stats);
    clock_close(rig.clock);
    world_close(&rig.world);
    for (int i = 0; i < RIG_TICKETS; i++)
        free(rig.bytes_of[i]);
    return 0;
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

#endif
