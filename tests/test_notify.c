#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/notify.h"

/* A manager's socket under `name`; '@' stands for an abstract one. */
static int listen_as(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);

    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void assert_tells(const char *name)
{
    char got[64] = "";
    int fd = listen_as(name);

    setenv("NOTIFY_SOCKET", name, 1);
    assert_true(notify_send("READY=1"));
    assert_int_equal(recv(fd, got, sizeof got - 1, 0), 7);
    assert_string_equal(got, "READY=1");
    close(fd);
}

static void the_manager_is_told_at_its_socket(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "/tmp/test_notify.%d", (int)getpid());
    assert_tells(path);
    unlink(path);
}

static void an_abstract_socket_is_found_too(void **state)
{
    char name[64];

    (void)state;
    snprintf(name, sizeof name, "@hotlead/test_notify.%d", (int)getpid());
    assert_tells(name);
}

static void without_a_manager_nothing_is_sent(void **state)
{
    char path[200];

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_false(notify_send("READY=1"));
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    assert_false(notify_send("READY=1"));
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_false(notify_send("READY=1"));
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    setenv("NOTIFY_SOCKET", path, 1);
    assert_false(notify_send("READY=1"));
}

static void the_watchdog_is_fed_twice_as_often_as_it_must_be(void **state)
{
    char process[32];

    (void)state;
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    snprintf(process, sizeof process, "%d", (int)getpid());
    setenv("WATCHDOG_PID", process, 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_at_its_socket),
        cmocka_unit_test(an_abstract_socket_is_found_too),
        cmocka_unit_test(without_a_manager_nothing_is_sent),
        cmocka_unit_test(the_watchdog_is_fed_twice_as_often_as_it_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
