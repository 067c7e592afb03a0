#include "server/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS   5000L
#define REQUEST_MS   60000L
#define URL_MAX      2048
#define BODY_PADDING 64

struct client {
    CURL *curl;
    struct curl_slist *headers;
    char base[URL_MAX];
    char *body;
    size_t body_bytes, body_capacity;
    bool too_large;
    char problem[CURL_ERROR_SIZE];
};

/* A proxy that is set for the world is not asked for this machine. */
static bool is_this_machine(const char *url)
{
    return strstr(url, "://127.") || strstr(url, "://localhost") || strstr(url, "://[::1]");
}

static size_t on_body(char *bytes, size_t size, size_t count, void *owner)
{
    struct client *client = owner;
    size_t more = size * count;
    size_t wanted = client->body_bytes + more + BODY_PADDING;

    if (client->body_bytes + more > CLIENT_BODY_MAX) {
        client->too_large = true;
        return 0;
    }
    if (wanted > client->body_capacity) {
        size_t capacity = wanted * 2;
        char *grown = realloc(client->body, capacity);
        if (!grown)
            return 0;
        client->body = grown;
        client->body_capacity = capacity;
    }
    memcpy(client->body + client->body_bytes, bytes, more);
    client->body_bytes += more;
    memset(client->body + client->body_bytes, 0, BODY_PADDING);
    return more;
}

static bool add_header(struct client *client, const char *line)
{
    struct curl_slist *longer = curl_slist_append(client->headers, line);

    if (longer)
        client->headers = longer;
    return longer;
}

static enum status set_headers(struct client *client, const char *token)
{
    char line[1024];

    for (const char *byte = token; *byte; byte++) {
        if (*byte <= ' ' || *byte > '~')
            return STATUS_INVALID;
    }
    if (snprintf(line, sizeof line, "Authorization: Bearer %s", token) >= (int)sizeof line)
        return STATUS_INVALID;
    bool added = add_header(client, "Content-Type: application/json") &&
                 add_header(client, "Accept: application/json") && add_header(client, "Expect:") &&
                 (!*token || add_header(client, line));
    return added ? STATUS_OK : STATUS_INTERNAL;
}

enum status client_open(const char *url, const char *token, struct client **out)
{
    size_t length = strlen(url);

    if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || length >= URL_MAX)
        return STATUS_INVALID;
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return STATUS_INTERNAL;
    memcpy(client->base, url, length);
    while (length > 0 && client->base[length - 1] == '/')
        client->base[--length] = '\0';
    client->curl = curl_easy_init();
    enum status status = client->curl ? set_headers(client, token) : STATUS_INTERNAL;
    if (status != STATUS_OK) {
        client_close(client);
        return status;
    }
    *out = client;
    return STATUS_OK;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    free(client->body);
    free(client);
}

/* Set anew for each request: nothing of the one before shall linger. */
static void set_options(struct client *client, const char *method, const char *url,
                        struct slice body)
{
    CURL *curl = client->curl;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, REQUEST_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->problem);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (is_this_machine(client->base))
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (body.length > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.bytes);
    }
}

enum status client_request(struct client *client, const char *method, const char *path,
                           struct slice body, struct client_answer *out)
{
    char url[URL_MAX * 2];

    *out = (struct client_answer){0};
    client->body_bytes = 0;
    client->too_large = false;
    client->problem[0] = '\0';
    if (snprintf(url, sizeof url, "%s%s", client->base, path) >= (int)sizeof url)
        return STATUS_INVALID;
    set_options(client, method, url, body);

    CURLcode code = curl_easy_perform(client->curl);
    if (client->too_large)
        return STATUS_TOO_LARGE;
    if (code != CURLE_OK) {
        out->problem = client->problem[0] ? client->problem : curl_easy_strerror(code);
        return STATUS_BUSY;
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &out->status);
    out->body = (struct slice){client->body, client->body_bytes};
    return STATUS_OK;
}
