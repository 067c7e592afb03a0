/* Two sites of an agency, and opt-ins sent to the first of them as each kind of sender does.
 * Included by one test file each. */
#ifndef HOTLEAD_TESTS_API_OPTINS_H
#define HOTLEAD_TESTS_API_OPTINS_H

#include "tests/api_rig.h"

static char pk[SECRET_TEXT_MAX], sk[SECRET_TEXT_MAX], other_sk[SECRET_TEXT_MAX];

static inline void add_site(const char *settings, char *pk_out, char *sk_out)
{
    char unused[SECRET_TEXT_MAX];

    assert_answer(ask_as(rig.token, "POST /v1/sites", settings), 201);
    told("pk", pk_out ? pk_out : unused, SECRET_TEXT_MAX);
    told("sk", sk_out ? sk_out : unused, SECRET_TEXT_MAX);
}

static inline int set_up(void **state)
{
    rig_open(state);
    add_site("{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\",\"country\":\"US\","
             "\"origins\":[\"https://acme.com\"],\"redirects\":[\"https://thanks.acme.com\"]}",
             pk, sk);
    add_site("{\"id\":\"two\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}", NULL, other_sk);
    return 0;
}

#define ADA "{\"name\":\"Ada\",\"phone\":\"+14155552671\",\"event_id\":\"e1\"}"

static inline int post(const char *key, const char *more_headers, const char *body)
{
    char headers[1024];

    snprintf(headers, sizeof(headers),
             "Authorization: Bearer %s\nContent-Type: application/json\n%s", key, more_headers);
    return ask("POST /v1/optins", headers, body);
}

static inline int post_public(const char *more_headers, const char *body)
{
    char line[256];

    snprintf(line, sizeof(line), "POST /v1/optins?key=%s", pk);
    return ask(line, more_headers, body);
}

static inline int post_form(const char *headers, const char *body)
{
    char line[256], all[1024];

    snprintf(line, sizeof(line), "POST /f/%s", pk);
    snprintf(all, sizeof(all), "Content-Type: application/x-www-form-urlencoded\n%s", headers);
    return ask(line, all, body);
}

/* What http refused when its head was in. */
static inline int refuse_request(const char *line, const char *headers, enum status status)
{
    struct http_request request = compose(line, headers, "");

    api_on_refused(rig.api, &request, status);
    assert_int_equal(rig.replies, 1);
    return rig.status;
}

/* With the public key behind the path. */
static inline int refuse_public(const char *path, const char *headers, enum status status)
{
    char line[256];

    snprintf(line, sizeof(line), "POST %s%s", path, pk);
    return refuse_request(line, headers, status);
}

#endif
