/* Whom the tests of reading and changing ask as: keys and tokens of agency acme, and of a rival. */
#ifndef HOTLEAD_TESTS_API_TOKENS_H
#define HOTLEAD_TESTS_API_TOKENS_H

#include "tests/api_rig.h"

static char pk[SECRET_TEXT_MAX], sk[SECRET_TEXT_MAX], manager[SECRET_TEXT_MAX],
    agent[SECRET_TEXT_MAX], rival[SECRET_TEXT_MAX];

static inline void add(const char *plural, const char *settings)
{
    char line[64];

    snprintf(line, sizeof(line), "POST /v1/%s", plural);
    assert_answer(ask_as(rig.token, line, settings), 201);
}

/* And the secret of that name, which is told this once. */
static inline void add_told(const char *plural, const char *settings, const char *secret,
                            char out[SECRET_TEXT_MAX])
{
    add(plural, settings);
    told(secret, out, SECRET_TEXT_MAX);
}

/* acme has a site, a manager, and an agent with a token; the rival agency has a manager. */
static inline int set_up_tokens(void **state)
{
    rig_open(state);
    add_told("sites", "{\"id\":\"www\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}", "sk", sk);
    told("pk", pk, sizeof(pk));
    add("agents", "{\"id\":\"a42\",\"agency\":\"acme\"}");
    add_told("tokens", "{\"id\":\"m\",\"role\":\"manager\",\"agency\":\"acme\"}", "token", manager);
    add_told("tokens", "{\"id\":\"t\",\"role\":\"agent\",\"agency\":\"acme\",\"agent\":\"a42\"}",
             "token", agent);
    add("agencies", "{\"id\":\"rival\"}");
    add_told("tokens", "{\"id\":\"r\",\"role\":\"manager\",\"agency\":\"rival\"}", "token", rival);
    return 0;
}

#endif
