/* Listening and accepting by hand, not by uv_listen: libuv 1.44 accepts in a loop until the
 * kernel has no more, and runs hot when no file descriptor is left. Here a turn accepts a few,
 * and a server that is full does not look at its listeners: who comes waits in the
 * kernel's queue. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http_internal.h"

#define BACKLOG            1024
#define ACCEPTS_PER_TURN   64
#define ACCEPT_AGAIN_MS    100 /* after an error such as EMFILE */
#define COMPLAIN_EVERY_MS  60000
#define ADDRESS_LENGTH_MAX 255

/* --- accepting ------------------------------------------------------------------ */

static void complain(struct http *http, const char *what, int error)
{
    uint64_t now_ms = uv_now(http->options.loop);

    if (http->complained_ms != 0 && now_ms - http->complained_ms < COMPLAIN_EVERY_MS)
        return;
    http->complained_ms = now_ms;
    log_write(http->options.log, LOG_WARN, what,
              LOG_INT("connections", http_open_connections(http)), LOG_INT("errno", error),
              LOG_END);
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* An IPv4 peer of a dual-stack listener is written as IPv4. */
static void name_remote(const union address *from, char out[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */
    const uint8_t *v6 = from->v6.sin6_addr.s6_addr;

    out[0] = '\0';
    if (from->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &from->v4.sin_addr, out, INET6_ADDRSTRLEN);
    else if (memcmp(v6, mapped, sizeof(mapped)) == 0)
        inet_ntop(AF_INET, v6 + sizeof(mapped), out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, v6, out, INET6_ADDRSTRLEN);
}

static void on_connections(uv_poll_t *poll, int status, int events)
{
    struct http_listener *listener = poll->data;
    struct http *http = listener->http;
    (void)status, (void)events; /* accept() tells more */

    for (int i = 0; i < ACCEPTS_PER_TURN && http->free_slot_count > 0; i++) {
        union address from = {.v6 = {0}};
        socklen_t length = sizeof(from);
        char remote[INET6_ADDRSTRLEN];
        int fd = accept4(listener->fd, &from.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            name_remote(&from, remote);
            http_conn_open(http, listener->number, fd, remote);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
            complain(http, "connections cannot be accepted", errno);
            http->accept_again_ms = uv_now(http->options.loop) + ACCEPT_AGAIN_MS;
            break;
        }
    }
    if (http->free_slot_count == 0)
        complain(http, "all connections are taken", 0);
    http_accept_or_wait(http);
}

void http_accept_or_wait(struct http *http)
{
    bool wanted = http->free_slot_count > 0 && uv_now(http->options.loop) >= http->accept_again_ms;

    if (wanted == http->accepting)
        return;
    http->accepting = wanted;
    for (unsigned i = 0; i < http->listener_count; i++) {
        if (wanted)
            uv_poll_start(&http->listeners[i]->poll, UV_READABLE, on_connections);
        else
            uv_poll_stop(&http->listeners[i]->poll);
    }
}

/* --- listening --------------------------------------------------------------------- */

/* "HOST:PORT" or "[V6]:PORT" into its halves. */
static bool split_address(const char *address, char host[ADDRESS_LENGTH_MAX + 1],
                          const char **port_out)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address;

    if (colon == NULL || colon == address || colon[1] == '\0')
        return false;
    const char *end = colon;
    if (*begin == '[' && end[-1] == ']') {
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return false; /* an IPv6 address without brackets */
    }
    size_t length = (size_t)(end - begin);
    if (length == 0 || length > ADDRESS_LENGTH_MAX ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || atol(colon + 1) > 65535)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    *port_out = colon + 1;
    return true;
}

static struct addrinfo *resolve(const char *address)
{
    char host[ADDRESS_LENGTH_MAX + 1];
    const char *port;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};

    if (!split_address(address, host, &port) || getaddrinfo(host, port, &hints, &found) != 0)
        return NULL;
    return found;
}

/* -1 with errno. TCP_NODELAY is inherited by what is accepted (tcp(7)). */
static int bind_at(const struct addrinfo *at)
{
    const int yes = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0 &&
        bind(fd, at->ai_addr, at->ai_addrlen) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int listen_at(const struct addrinfo *at)
{
    int fd = bind_at(at);

    if (fd < 0 || listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static unsigned port_of(int fd)
{
    union address at = {.v6 = {0}};
    socklen_t length = sizeof(at);

    if (getsockname(fd, &at.any, &length) != 0)
        return 0;
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

/* Nobody can connect to what is only bound. */
enum status http_can_listen(const char *address)
{
    struct addrinfo *at = resolve(address);
    int fd = at == NULL ? -1 : bind_at(at);
    int error = at == NULL ? EINVAL : errno;

    freeaddrinfo(at);
    if (fd >= 0)
        close(fd);
    if (fd >= 0)
        return STATUS_OK;
    return error == EADDRINUSE ? STATUS_CONFLICT : STATUS_INVALID;
}

enum status http_listen(struct http *http, const char *address, unsigned number, unsigned *port_out)
{
    struct addrinfo *at = resolve(address);

    if (at == NULL || http->listener_count == HTTP_LISTENERS_MAX || http->draining) {
        freeaddrinfo(at);
        return STATUS_INVALID;
    }
    int fd = listen_at(at);
    int error = errno;
    freeaddrinfo(at);
    if (fd < 0) {
        log_write(http->options.log, LOG_ERROR, "cannot listen", LOG_TEXT("address", address),
                  LOG_INT("errno", error), LOG_END);
        return error == EADDRINUSE ? STATUS_CONFLICT : STATUS_INVALID;
    }
    struct http_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL || uv_poll_init(http->options.loop, &listener->poll, fd) != 0) {
        free(listener);
        close(fd);
        return STATUS_INTERNAL;
    }
    listener->poll.data = listener;
    listener->http = http;
    listener->fd = fd;
    listener->number = number;
    http->listeners[http->listener_count++] = listener;
    http->open_handles++;
    http->accepting = true;
    uv_poll_start(&listener->poll, UV_READABLE, on_connections);
    *port_out = port_of(fd);
    return STATUS_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_listener *listener = handle->data;
    struct http *http = listener->http;

    free(listener);
    http_on_handle_closed(http);
}

void http_listeners_close(struct http *http)
{
    for (unsigned i = 0; i < http->listener_count; i++) {
        struct http_listener *listener = http->listeners[i];
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        close(listener->fd);
    }
    http->listener_count = 0;
    http->accepting = false;
}
