#include "server/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/json.h"
#include "proto/memory.h"
#include "proto/must.h"
#include "proto/text.h"
#include "server/client.h"

#define KEY_MAX       128
#define TOKEN_WAIT_MS 10000
#define TRY_MS        20
#define TRIES_MAX     (TOKEN_WAIT_MS / TRY_MS)

struct demo {
    struct demo_options options;
    uv_work_t work;
    bool stopped; /* loop thread */
    bool done;    /* loop thread: the work is over */
    struct client *client;
    char token[KEY_MAX], pk[KEY_MAX], sk[KEY_MAX];
    const char *problem; /* NULL: all is made */
};

/* --- files --------------------------------------------------------------------------- */

static void path_of(const struct demo *demo, const char *name, char out[4096])
{
    snprintf(out, 4096, "%s/%s", demo->options.data_directory, name);
}

/* Up to two words of a file. False: they are not there. */
static bool read_words(const struct demo *demo, const char *name, char *first, char *second)
{
    char path[4096];

    path_of(demo, name, path);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    int words = second ? fscanf(file, "%127s %127s", first, second) : fscanf(file, "%127s", first);
    fclose(file);
    return words == (second ? 2 : 1);
}

/* Whole or not at all: half a key would be worse than none. */
static bool write_keys(const struct demo *demo)
{
    char path[4096], temporary[4096];

    path_of(demo, "demo.keys", path);
    path_of(demo, "demo.keys.tmp", temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = dprintf(fd, "%s\n%s\n", demo->pk, demo->sk) > 0 && fsync(fd) == 0;
    close(fd);
    return written && rename(temporary, path) == 0;
}

/* The token is written once the writer has settled it, about now. */
static bool wait_for_token(struct demo *demo)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (read_words(demo, "admin.token", demo->token, NULL))
            return true;
        usleep(TRY_MS * 1000);
    }
    return false;
}

/* --- requests ------------------------------------------------------------------------- */

/* HTTP status; 0: no answer. 503 (state is being made anew) is tried again for a while. */
static long request(struct demo *demo, const char *method, const char *path, const char *body,
                    struct client_answer *answer)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (client_request(demo->client, method, path, slice_of(body), answer) != STATUS_OK)
            return 0;
        if (answer->status != 503)
            return answer->status;
        usleep(TRY_MS * 1000);
    }
    return 503;
}

/* True when it is there now, made or found. */
static bool make(struct demo *demo, const char *path, const char *body)
{
    struct client_answer answer;
    long status = request(demo, "POST", path, body, &answer);

    return status == 200 || status == 201 || status == 409;
}

static bool copy_key(struct json_value object, const char *name, char out[KEY_MAX])
{
    struct json_value value;
    struct slice key;

    if (!json_member(object, name, &value) || !json_string(value, &key) || key.length >= KEY_MAX)
        return false;
    memcpy(out, key.bytes, key.length);
    out[key.length] = '\0';
    return true;
}

static bool read_keys_of(struct demo *demo, struct slice body)
{
    struct json *json = json_open(body.length + 1);
    struct json_value root;
    bool read = json && json_parse(json, body.bytes, body.length, &root) == STATUS_OK &&
                copy_key(root, "pk", demo->pk) && copy_key(root, "sk", demo->sk);

    json_close(json);
    return read;
}

/* Pages of both listeners may post. */
static void site_settings(const struct demo *demo, bool fresh, char out[1024])
{
    const struct demo_options *options = &demo->options;
    bool same = strcmp(options->admin_url, options->public_url) == 0;

    snprintf(
        out, 1024, "{%s\"origins\":[\"%s\"%s%s%s]}",
        fresh ? "\"id\":\"demo\",\"agency\":\"demo\",\"queue\":\"demo.calls\",\"country\":\"US\","
              : "",
        options->public_url, same ? "" : ",\"", same ? "" : options->admin_url, same ? "" : "\"");
}

/* A site whose keys are known. One whose keys were lost (killed between the two) makes room. */
static bool make_site(struct demo *demo)
{
    struct client_answer answer;
    char settings[1024];

    if (read_words(demo, "demo.keys", demo->pk, demo->sk)) {
        site_settings(demo, false, settings);
        if (request(demo, "PATCH", "/v1/sites/demo", settings, &answer) == 200)
            return true;
    }
    site_settings(demo, true, settings);
    long status = request(demo, "POST", "/v1/sites", settings, &answer);
    if (status == 409) {
        request(demo, "DELETE", "/v1/sites/demo", "", &answer);
        status = request(demo, "POST", "/v1/sites", settings, &answer);
    }
    return status == 201 && read_keys_of(demo, answer.body) && write_keys(demo);
}

/* On a thread of the pool. */
static void make_all(uv_work_t *work)
{
    struct demo *demo = work->data;

    if (!wait_for_token(demo))
        demo->problem = "admin.token did not come";
    else if (client_open(demo->options.admin_url, demo->token, &demo->client) != STATUS_OK)
        demo->problem = "the server cannot be asked";
    else if (!make(demo, "/v1/agencies", "{\"id\":\"demo\",\"name\":\"Demo\"}"))
        demo->problem = "the agency could not be made";
    else if (!make(demo, "/v1/queues", "{\"id\":\"demo.calls\",\"agency\":\"demo\"}"))
        demo->problem = "the queue could not be made";
    else if (!make_site(demo))
        demo->problem = "the site could not be made";
}

/* --- the page ---------------------------------------------------------------------------- */

/* The page's source with its placeholders filled in. It is ours, so it fits. */
static void fill_page(const struct demo *demo)
{
    const struct demo_options *options = &demo->options;
    const struct {
        const char *name, *value;
    } places[] = {
        {"{{pk}}", demo->pk}, {"{{url}}", options->public_url}, {"{{queue}}", "demo.calls"}};
    struct text page = text_over(options->page, options->page_bytes - 1);

    for (const char *next = options->page_template; *next;) {
        size_t i = 0;
        while (i < 3 && strncmp(next, places[i].name, strlen(places[i].name)) != 0)
            i++;
        if (i == 3) {
            text_char(&page, *next++);
        } else {
            text_string(&page, places[i].value);
            next += strlen(places[i].name);
        }
    }
    MUST(!page.overflow);
    options->page[page.length] = '\0';
}

/* --- what is printed -------------------------------------------------------------------- */

/* How redis-cli reaches the same Redis. A password is not repeated. */
static void print_redis_cli(const char *url, const char *prefix)
{
    const char *path = strncmp(url, "unix://", 7) == 0 ? url + 7 : NULL;
    const char *query = path ? strchr(path, '?') : NULL;
    const char *at = path ? NULL : strrchr(url, '@');

    printf("  pop its task     redis-cli ");
    if (path)
        printf("-s '%.*s'", (int)(query ? query - path : (long)strlen(path)), path);
    else if (at)
        printf("-u 'redis://user:password@%s'", at + 1);
    else
        printf("-u '%s'", url);
    if (query && strncmp(query, "?db=", 4) == 0)
        printf(" -n %d", atoi(query + 4));
    printf(" BZPOPMIN '%s:{demo.calls}:tasks' 0\n", prefix);
}

static void print_all(const struct demo *demo)
{
    const struct demo_options *options = &demo->options;

    printf("\nA site to play with:\n");
    printf("  fill in a form   %s/demo\n", options->admin_url);
    printf("  send an opt-in   curl -sS %s/v1/optins -H 'Authorization: Bearer %s' "
           "-H 'Content-Type: application/json' -d '{\"name\":\"Dana Rivera\","
           "\"phone\":\"+12155550147\",\"email\":\"dana@example.com\"}'\n",
           options->public_url, demo->sk);
    print_redis_cli(options->redis_url, options->redis_prefix);
    fflush(stdout);
}

static void on_made(uv_work_t *work, int status)
{
    struct demo *demo = work->data;

    demo->done = true;
    client_close(demo->client);
    demo->client = NULL;
    if (demo->stopped) {
        free(demo);
        return;
    }
    if (status != 0 || demo->problem) {
        fprintf(stderr, "hotlead: demo: %s\n", demo->problem ? demo->problem : "no thread for it");
        return;
    }
    fill_page(demo);
    print_all(demo);
}

struct demo *demo_start(const struct demo_options *options)
{
    struct demo *demo = memory_take_zeroed(1, sizeof *demo);

    demo->options = *options;
    demo->work.data = demo;
    MUST(uv_queue_work(options->loop, &demo->work, make_all, on_made) == 0);
    return demo;
}

void demo_stop(struct demo *demo)
{
    if (!demo)
        return;
    if (demo->done)
        free(demo);
    else
        demo->stopped = true;
}
