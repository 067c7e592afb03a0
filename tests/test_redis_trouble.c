/* A link to Redis whose server is not there, does not answer, goes, or is no place for writes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/redis_link.h"

/* What was logged so far. */
static const char *logged(struct fixture *fixture)
{
    static char lines[16384];
    ssize_t length;

    assert_int_equal(write(fixture->log_pipe[1], ".", 1), 1);
    length = read(fixture->log_pipe[0], lines, sizeof(lines) - 1);
    assert_true(length > 0);
    lines[length] = '\0';
    return lines;
}

/* A TCP port of loopback with (or without) somebody who listens and says nothing. */
static int bind_loopback(int *port_out, bool listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    *port_out = ntohs(address.sin_port);
    return fd;
}

/* --- nobody who answers ------------------------------------------------------------------ */

static void refused_connect_is_reported_and_tried_again(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, false);
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    link_to(fixture, url);
    loop_for(&fixture->loop, 400);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "Connection refused"));
    assert_true(fixture->redis->attempts >= 3);
    close(fd);
}

static void missing_socket_is_tried_until_it_is_there(void **state)
{
    struct fixture *fixture = *state;

    server_kill(&fixture->server);
    link_to(fixture, fixture->server.url);
    loop_for(&fixture->loop, 100);
    assert_int_equal(fixture->ups, 0);
    server_launch(&fixture->server);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
}

static void silent_peer_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, true);
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    link_to(fixture, url);
    loop_for(&fixture->loop, 1000);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "no answer in time"));
    close(fd);
}

static void unknown_host_is_reported(void **state)
{
    struct fixture *fixture = *state;

    link_to(fixture, "redis://no.such.host.invalid");
    loop_for(&fixture->loop, 600);
    assert_int_equal(fixture->ups, 0);
    const char *lines = logged(fixture);
    assert_true(strstr(lines, "host name") != NULL || strstr(lines, "too long") != NULL);
}

static void protocol_rubbish_ends_the_link(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, true);
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    link_to(fixture, url);
    loop_for(&fixture->loop, 50);
    int peer = accept(fd, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(write(peer, "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
    loop_for(&fixture->loop, 100);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "Protocol error"));
    close(peer);
    close(fd);
}

/* --- a server that goes ------------------------------------------------------------------ */

static void stopped_server_gives_unknown_then_link_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct answer late = {.up = true}, after = {0};

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    kill(fixture->server.pid, SIGSTOP);
    late.ask_in_callback = fixture->redis;
    assert_true(send_words(fixture, &late, "INCR", "n", NULL));
    assert_true(loop_until(&fixture->loop, has_come, &late, 3000));
    assert_int_equal(late.type, REDIS_UNKNOWN);
    assert_false(late.up);
    assert_int_equal(fixture->downs, 1);
    assert_false(redis_is_up(fixture->redis));

    kill(fixture->server.pid, SIGCONT);
    assert_true(loop_until(&fixture->loop, is_up_twice, fixture, 6000));
    assert_true(send_words(fixture, &after, "PING", NULL, NULL));
    assert_true(loop_until(&fixture->loop, has_come, &after, 3000));
    assert_string_equal(after.text, "PONG");
}

static void killed_server_gives_unknown_and_its_successor_is_another(void **state)
{
    struct fixture *fixture = *state;
    struct answer blocked = {.up = true};
    char first[41];
    struct slice words[3] = {SLICE("BLPOP"), SLICE("none"), SLICE("0")};

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    strcpy(first, fixture->seen.run_id);
    blocked.ask_in_callback = fixture->redis;
    assert_true(redis_command(fixture->redis, words, 3, 60000, on_answer, &blocked));
    loop_for(&fixture->loop, 50);
    server_kill(&fixture->server);
    assert_true(loop_until(&fixture->loop, is_down, fixture, 3000));
    assert_int_equal(blocked.type, REDIS_UNKNOWN);
    assert_false(blocked.up);
    server_launch(&fixture->server);
    assert_true(loop_until(&fixture->loop, is_up_twice, fixture, 6000));
    assert_string_not_equal(first, fixture->seen.run_id);
}

/* --- no place for writes ----------------------------------------------------------------- */

static void replica_is_not_used_until_it_is_promoted(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, false);

    server_run(&fixture->server, "REPLICAOF 127.0.0.1 %d", port);
    link_to(fixture, fixture->server.url);
    loop_for(&fixture->loop, 200);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "replica"));
    server_run(&fixture->server, "REPLICAOF NO ONE");
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    close(fd);
}

static void readonly_answer_ends_the_link(void **state)
{
    struct fixture *fixture = *state;
    struct answer refused = {0};
    int port, fd = bind_loopback(&port, false);

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    server_run(&fixture->server, "REPLICAOF 127.0.0.1 %d", port);
    assert_true(send_words(fixture, &refused, "SET", "k", "v"));
    assert_true(loop_until(&fixture->loop, is_down, fixture, 3000));
    assert_int_equal(refused.type, REDIS_ERROR);
    assert_int_equal(strncmp(refused.text, "READONLY", 8), 0);
    server_run(&fixture->server, "REPLICAOF NO ONE");
    assert_true(loop_until(&fixture->loop, is_up_twice, fixture, 6000));
    close(fd);
}

static void idle_link_notices_that_the_role_changed(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, false);

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    server_run(&fixture->server, "REPLICAOF 127.0.0.1 %d", port);
    assert_true(loop_until(&fixture->loop, is_down, fixture, 8000));
    close(fd);
}

static void wrong_password_is_reported_without_it(void **state)
{
    struct fixture *fixture = *state;
    char url[200];

    server_run(&fixture->server, "CONFIG SET requirepass swordfish");
    snprintf(url, sizeof(url), "unix://:hunter2@%s", fixture->server.socket);
    link_to(fixture, url);
    loop_for(&fixture->loop, 200);
    assert_int_equal(fixture->ups, 0);
    const char *lines = logged(fixture);
    assert_non_null(strstr(lines, "refused"));
    assert_null(strstr(lines, "hunter2"));
}

static void risky_settings_are_warned_about(void **state)
{
    struct fixture *fixture = *state;

    server_run(&fixture->server, "CONFIG SET maxmemory-policy allkeys-lru");
    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    const char *lines = logged(fixture);
    assert_non_null(strstr(lines, "maxmemory-policy"));
    assert_non_null(strstr(lines, "appendonly"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refused_connect_is_reported_and_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(missing_socket_is_tried_until_it_is_there,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(silent_peer_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_host_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_server_gives_unknown_then_link_comes_back,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(killed_server_gives_unknown_and_its_successor_is_another,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(replica_is_not_used_until_it_is_promoted,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(readonly_answer_ends_the_link, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(idle_link_notices_that_the_role_changed, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(wrong_password_is_reported_without_it, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(risky_settings_are_warned_about, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(protocol_rubbish_ends_the_link, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
