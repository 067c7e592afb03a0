/* A blocking HTTP client (libcurl, the one file that sees it) for commands that talk to a
 * running hotlead. Not for the loop thread. */
#ifndef HOTLEAD_SERVER_CLIENT_H
#define HOTLEAD_SERVER_CLIENT_H

#include "proto/slice.h"
#include "proto/status.h"

#define CLIENT_BODY_MAX (16 * 1024 * 1024)

struct client;

/* `url`: where it listens, without a path; `token` may be "". Both are copied. INVALID: the URL
 * or the token cannot be sent. INTERNAL: out of memory. */
enum status client_open(const char *url, const char *token, struct client **out);
void client_close(struct client *client);

/* Valid until the next request; the body is followed by 64 readable bytes. */
struct client_answer {
    long status; /* of HTTP; 0: there was no answer, and `problem` says why */
    struct slice body;
    const char *problem;
};

/* One request; an empty `body` sends none. TOO_LARGE: the answer is over CLIENT_BODY_MAX. BUSY: no
 * answer. OK: any answer, of whatever status. */
enum status client_request(struct client *client, const char *method, const char *path,
                           struct slice body, struct client_answer *out);

#endif
