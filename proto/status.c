#include "proto/status.h"

#include "proto/must.h"

static const struct {
    int http;
    const char *code;
    const char *text;
} table[STATUS_COUNT] = {
#define XX(name, http, code, text) {http, code, text},
    STATUS_MAP(XX)
#undef XX
};

int status_http(enum status status)
{
    MUST(status >= 0 && status < STATUS_COUNT);
    return table[status].http;
}

const char *status_code(enum status status)
{
    MUST(status >= 0 && status < STATUS_COUNT);
    return table[status].code;
}

const char *status_text(enum status status)
{
    MUST(status >= 0 && status < STATUS_COUNT);
    return table[status].text;
}
