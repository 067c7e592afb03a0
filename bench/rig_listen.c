/* A port to listen on. One that is found free is taken from below the range that outgoing
 * connections have theirs from, so that it is still free when a killed server comes back. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/rig_internal.h"

#define PORT_LEAST 10000
#define PORT_END   30000
#define TRIES      200

/* 0, or the errno of bind. */
static int try_to_bind(const struct sockaddr *address, socklen_t length)
{
    int one = 1;
    int probe = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (probe < 0)
        return errno;
    setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int error = bind(probe, address, length) == 0 && listen(probe, 1) == 0 ? 0 : errno;
    close(probe);
    return error;
}

/* EINVAL: not an address in numbers. */
static int try_address(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (getaddrinfo(host, port, &hints, &found) != 0)
        return EINVAL;
    int error = try_to_bind(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return error;
}

static enum status choose_free(FILE *talk, struct target *target)
{
    unsigned short seed[3] = {(unsigned short)getpid(), (unsigned short)(getpid() >> 16), 0x330e};
    char port[8];

    strcpy(target->host, "127.0.0.1");
    for (int i = 0; i < TRIES; i++) {
        target->port = PORT_LEAST + (unsigned)(erand48(seed) * (PORT_END - PORT_LEAST));
        snprintf(port, sizeof port, "%u", target->port);
        if (try_address(target->host, port) == 0)
            return STATUS_OK;
    }
    fprintf(talk, "hotlead-bench: no free port between %d and %d on 127.0.0.1\n", PORT_LEAST,
            PORT_END);
    return STATUS_CONFLICT;
}

/* "127.0.0.1:8080" or "[::1]:8080". NULL: it is neither. */
static const char *split(const char *listen, char *host, size_t bytes)
{
    const char *colon = strrchr(listen, ':');
    size_t length = colon ? (size_t)(colon - listen) : 0;

    if (length > 1 && listen[0] == '[' && colon[-1] == ']') {
        listen++;
        length -= 2;
    }
    if (length == 0 || length >= bytes)
        return NULL;
    memcpy(host, listen, length);
    host[length] = '\0';
    return colon + 1;
}

enum status rig_listen_choose(const char *listen, FILE *talk, struct target *target)
{
    if (!listen)
        return choose_free(talk, target);
    const char *port = split(listen, target->host, sizeof target->host);
    int error = port ? try_address(target->host, port) : EINVAL;
    target->port = error == 0 ? (unsigned)strtoul(port, NULL, 10) : 0;
    if (error == 0 && target->port > 0)
        return STATUS_OK;
    if (error == EADDRINUSE) {
        fprintf(
            talk,
            "hotlead-bench: %s is in use: stop what listens there, or use another address; what "
            "already runs is measured with --url\n",
            listen);
        return STATUS_CONFLICT;
    }
    fprintf(talk,
            "hotlead-bench: cannot listen on '%s'%s%s: give an address such as 127.0.0.1:8090\n",
            listen, error == EINVAL || error == 0 ? "" : ": ",
            error == EINVAL || error == 0 ? "" : strerror(error));
    return STATUS_INVALID;
}
