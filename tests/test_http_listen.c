/* Where it listens, and what happens when there is no room for one more connection. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/http/pair.h"

/* --- listening --- */

static void addresses_are_read(void **state)
{
    static const char *const good[] = {"127.0.0.1:0", "[::1]:0", "localhost:0", "0.0.0.0:0",
                                       "[::]:0"};
    static const char *const bad[] = {
        "",    "127.0.0.1",       ":80",       "127.0.0.1:",   "::1:80",  "[::1]",
        "a:b", "127.0.0.1:65536", "1.2.3:x:1", "127.0.0.1:-1", "[::1:80", "256.0.0.1:80"};
    struct server *server = server_open((struct http_options){0});
    unsigned port;
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        port = 0;
        assert_int_equal(http_listen(server->http, good[i], 2, &port), STATUS_OK);
        assert_true(port > 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(http_listen(server->http, bad[i], 2, &port), STATUS_INVALID);
        assert_int_equal(http_can_listen(bad[i]), STATUS_INVALID);
    }
    server_close(server);
}

static void an_address_in_use_is_a_conflict(void **state)
{
    struct server *server = server_open((struct http_options){0});
    char address[64];
    unsigned port;
    (void)state;

    snprintf(address, sizeof(address), "127.0.0.1:%u", server->port);
    assert_int_equal(http_listen(server->http, address, 2, &port), STATUS_CONFLICT);
    assert_int_equal(http_can_listen(address), STATUS_CONFLICT);
    assert_int_equal(http_can_listen("127.0.0.1:0"), STATUS_OK);
    server_close(server);
}

static void the_remote_address_is_told(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    struct client mapped;
    unsigned port;
    (void)state;

    ask(&pair, GET("/"), 1);
    assert_string_equal(pair.server->remote, "127.0.0.1");
    assert_int_equal(http_listen(pair.server->http, "[::]:0", 2, &port), STATUS_OK);
    client_open_to(&mapped, port);
    client_say(&mapped, pair.server, GET("/"));
    client_await(&mapped, pair.server, 1);
    assert_string_equal(pair.server->remote, "127.0.0.1");
    client_close(&mapped);
    pair_close(&pair);
}

static void a_peer_that_connects_and_leaves_at_once_costs_nothing(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    struct client gone;
    (void)state;

    for (int i = 0; i < 200; i++) {
        client_open_to(&gone, pair.server->port);
        reset_connection(&gone);
    }
    server_turns(pair.server, 20);
    assert_int_equal(http_open_connections(pair.server->http), 1);
    ask(&pair, GET("/"), 1);
    pair_close(&pair);
}

/* A server in a process of its own, with few file descriptors. It serves until `stop` is
 * closed. */
static _Noreturn void serve_with_few_files(unsigned connections_max, int port_fd, int stop_fd)
{
    const struct rlimit few = {64, 64};
    char byte;

    setrlimit(RLIMIT_NOFILE, &few);
    struct server *server = server_open((struct http_options){.connections_max = connections_max});
    if (write(port_fd, &server->port, sizeof(server->port)) != sizeof(server->port))
        _exit(1);
    fcntl(stop_fd, F_SETFL, O_NONBLOCK);
    while (read(stop_fd, &byte, 1) != 0)
        uv_run(&server->loop, UV_RUN_ONCE); /* the tick wakes it up */
    _exit(0);
}

static unsigned cpu_ticks(pid_t pid)
{
    char path[64];
    unsigned user = 0, system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(
        fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %u %u", &user, &system),
        2);
    fclose(file);
    return user + system;
}

static unsigned pull_answered(struct client *clients, int count)
{
    unsigned answered = 0;

    for (int i = 0; i < count; i++) {
        if (clients[i].fd < 0)
            continue;
        client_pull(&clients[i]);
        answered += answers_in(&clients[i]) > 0;
    }
    return answered;
}

static void close_answered(struct client *clients, int count)
{
    for (int i = 0; i < count; i++)
        if (clients[i].fd >= 0 && answers_in(&clients[i]) > 0)
            client_close(&clients[i]);
}

static void serve_200_with_64_files(unsigned connections_max)
{
    enum { CLIENTS = 200 };
    struct client clients[CLIENTS];
    int port_pipe[2], stop_pipe[2], status;
    unsigned port, served = 0;

    assert_int_equal(pipe(port_pipe), 0);
    assert_int_equal(pipe(stop_pipe), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(stop_pipe[1]);
        serve_with_few_files(connections_max, port_pipe[1], stop_pipe[0]);
    }
    assert_int_equal(read(port_pipe[0], &port, sizeof(port)), sizeof(port));
    for (int i = 0; i < CLIENTS; i++) {
        client_open_to(&clients[i], port);
        client_push(&clients[i], GET("/"), sizeof(GET("/")) - 1);
    }

    uv_sleep(200);
    unsigned first = pull_answered(clients, CLIENTS);
    assert_in_range(first, 16, 63);
    unsigned ticks = cpu_ticks(pid);
    uv_sleep(500);
    assert_true(cpu_ticks(pid) - ticks <= 10); /* of 50 */

    uint64_t until_ms = harness_now_ms() + 20000;
    while (served < CLIENTS) {
        assert_true(harness_now_ms() < until_ms);
        served += pull_answered(clients, CLIENTS);
        close_answered(clients, CLIENTS);
        uv_sleep(5);
    }
    close(stop_pipe[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(stop_pipe[0]);
    close(port_pipe[0]);
    close(port_pipe[1]);
}

static void a_full_server_waits_without_spinning(void **state)
{
    (void)state;
    serve_200_with_64_files(0);
}

static void a_server_out_of_files_waits_without_spinning(void **state)
{
    (void)state;
    serve_200_with_64_files(1000);
}

static void silent_connections_make_room_when_all_are_taken(void **state)
{
    struct server *server = server_open((struct http_options){.connections_max = 2});
    struct client silent[2], next;
    (void)state;

    client_open(&silent[0], server);
    client_open(&silent[1], server);
    client_open(&next, server);
    client_say(&next, server, GET("/"));
    assert_int_equal(http_open_connections(server->http), 2);
    client_await(&next, server, 1);
    assert_int_equal(client_answer(&next, 0).status, 200);
    client_close(&silent[0]);
    client_close(&silent[1]);
    client_close(&next);
    server_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(an_address_in_use_is_a_conflict),
        cmocka_unit_test(the_remote_address_is_told),
        cmocka_unit_test(a_peer_that_connects_and_leaves_at_once_costs_nothing),
        cmocka_unit_test(a_full_server_waits_without_spinning),
        cmocka_unit_test(a_server_out_of_files_waits_without_spinning),
        cmocka_unit_test(silent_connections_make_room_when_all_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
