/* What --demo makes: an agency, a queue and a site to play with, through the server's own HTTP
 * interface as any administrator would; and the lines to try them, on stdout. What is there
 * from an earlier start is used again, with its keys (DIR/demo.keys, 0600). Loop thread; the
 * requests are made by a thread of their own. */
#ifndef HOTLEAD_SERVER_DEMO_H
#define HOTLEAD_SERVER_DEMO_H

#include <uv.h>

struct demo;

/* All live as long as the demo. */
struct demo_options {
    uv_loop_t *loop;
    const char *data_directory; /* admin.token is read there */
    const char *admin_url, *public_url;
    const char *redis_url, *redis_prefix;
    const char *page_template; /* with {{pk}}, {{url}}, {{queue}} */
    char *page;                /* filled in once the keys are known; terminated always */
    size_t page_bytes;
};

struct demo *demo_start(const struct demo_options *options);

/* NULL, too: nothing was started. Nothing more is printed; freed when the loop has run on. */
void demo_stop(struct demo *demo);

#endif
