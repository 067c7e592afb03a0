/* One opt-in that is stored, its person and its task, to be read and reported on over HTTP. For
 * tests of the API: included by one test file each. */
#ifndef HOTLEAD_TESTS_API_STORED_H
#define HOTLEAD_TESTS_API_STORED_H

#include "tests/api_tokens.h"

static char free_agent[SECRET_TEXT_MAX];
static char optin[64], person[64], task[64];

#define ADA                                                                                        \
    "{\"name\":\"Ada \\\"L\\\"\",\"phone\":\"+14155552671\",\"email\":\"ada@example.com\","        \
    "\"colour\":\"red\"}"

/* One opt-in is in, with its task. */
static inline int set_up(void **state)
{
    set_up_tokens(state);
    add_told("tokens", "{\"id\":\"f\",\"role\":\"agent\",\"agency\":\"acme\"}", "token",
             free_agent);
    assert_answer(ask_as(sk, "POST /v1/optins", ADA), 201);
    told("id", optin, sizeof(optin));
    told("person", person, sizeof(person));
    told("task", task, sizeof(task));
    return 0;
}

static inline int get(const char *key, const char *before, const char *id, const char *behind)
{
    char line[256];

    snprintf(line, sizeof(line), "GET /v1/%s/%s%s", before, id, behind);
    return ask_as(key, line, "");
}

static inline int report(const char *key, const char *op, const char *body)
{
    char line[128];

    snprintf(line, sizeof(line), "POST /v1/tasks/%s/%s", task, op);
    return ask_as(key, line, body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

#endif
