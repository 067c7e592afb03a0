/* Routes: what a request is, who sent it, what it may do, and the answer. Opt-ins go on to
 * intake and the writer and are answered when the commit came back. Loop thread.
 *
 * api.c holds the route table and credentials; api_optin.c, api_admin.c, api_task.c,
 * api_person.c and api_ops.c (health, metrics, tag) what stands behind the routes. */
#ifndef HOTLEAD_SERVER_API_H
#define HOTLEAD_SERVER_API_H

#include <stdbool.h>

#include "server/clock.h"
#include "server/http.h"
#include "server/inbox.h"
#include "server/log.h"
#include "server/publish.h"
#include "server/site.h"
#include "server/stats.h"
#include "server/writer.h"

struct api;

enum api_listener { API_ALL = 1, API_PUBLIC, API_ADMIN };

struct api_options {
    uv_loop_t *loop;
    struct clock *clock;
    struct log *log;
    struct stats *stats;
    struct registry *registry; /* the loop's; api applies settled ADMIN commands to it */
    const char *node;
    const char *public_url; /* how clients reach --listen, for answers that name URLs */
    const char *demo_page;  /* NULL, or HTML served at /demo */
    unsigned in_flight_max; /* requests waiting for a commit: 65,536; at most 2^20 */
};

enum status api_open(const struct api_options *options, struct api **out);
/* The parts that need callbacks of api itself are given before the loop runs. INTERNAL: out of
 * memory. */
enum status api_attach(struct api *api, struct http *http, struct writer *writer,
                       struct publish *publish);
/* http is closed: what is settled from now on is answered to nobody. */
void api_detach(struct api *api);
/* When nothing can be settled any more; freed when the loop has run on. */
void api_close(struct api *api);

/* http_options.on_request, .on_refused, .body_max, .on_done; owner is the api. */
void api_on_request(void *owner, const struct http_request *request);
void api_on_refused(void *owner, const struct http_request *request, enum status status);
size_t api_body_max(void *owner, enum http_method method, struct slice path, unsigned listener);
void api_on_done(void *owner, uint64_t ticket, int http_status, uint64_t microseconds);

/* Settlements whose ticket has API_TICKET set are api's (the rest is inbox's or publish's). */
#define API_TICKET     (1ull << 63)
#define INBOX_TICKET   (1ull << 62)
#define PUBLISH_TICKET (1ull << 61)
void api_on_settled(struct api *api, const struct settlement *settlement);
void api_on_claimed(void *owner, uint64_t ticket, enum status status, struct slice member);

/* Ready checks say 503 from now on; claims that wait are answered 204. */
void api_drain(struct api *api);

/* Creates the first admin token, "admin", when there is no admin token yet: submits it to the
 * writer, and once it is stored its text stands in DIR/admin.token (0600). Before the loop
 * serves requests. IO: the file cannot be written; else as writer_submit. */
enum status api_first_token(struct api *api, const char *data_directory);
/* It was settled, or none was to be made. */
bool api_first_token_done(const struct api *api);

#endif
