/* hotlead graveyard: people who went cold, and how many of them are taken up again. */
#include <stdlib.h>
#include <string.h>

#include "server/cli_internal.h"

#define PAGE_PEOPLE 100 /* that the server wakes at once */

int cli_graveyard_usage(FILE *out)
{
    fprintf(out,
            "usage: hotlead graveyard list --agency ID [--cold-for 6mo] [--after CURSOR]\n"
            "       hotlead graveyard wake --agency ID --most N [--cold-for 6mo] [--after CURSOR]\n"
            "\nWho went cold, and may be called. `wake` plans calls to them, as many a day as the\n"
            "playbook's graveyard.per_day says; nobody who does not want to be called.\n");
    return out == stdout ? 0 : CLI_USAGE;
}

struct wanted {
    const char *agency, *most, *cold_for, *after;
};

static bool is_plain(const char *value)
{
    return *value &&
           !value[strspn(value,
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")];
}

static bool take(const struct cli_call *call, struct wanted *wanted)
{
    const struct {
        const char *name;
        const char **value;
    } flags[] = {{"--agency", &wanted->agency},
                 {"--most", &wanted->most},
                 {"--cold-for", &wanted->cold_for},
                 {"--after", &wanted->after}};

    for (int i = 0; i < call->count; i += 2) {
        size_t flag = 0;
        while (flag < 4 && strcmp(call->words[i], flags[flag].name) != 0)
            flag++;
        if (flag == 4 || i + 1 == call->count || !is_plain(call->words[i + 1]))
            return false;
        *flags[flag].value = call->words[i + 1];
    }
    return true;
}

int cli_graveyard_list(struct cli_call *call)
{
    struct wanted wanted = {0};
    struct client_answer answer;
    char query[512];

    if (!take(call, &wanted) || wanted.most || !wanted.agency)
        return cli_graveyard_usage(stderr);
    snprintf(query, sizeof(query), "/v1/reports/graveyard?agency=%.100s%s%.50s%s%.50s",
             wanted.agency, wanted.cold_for ? "&cold_for=" : "",
             wanted.cold_for ? wanted.cold_for : "", wanted.after ? "&after=" : "",
             wanted.after ? wanted.after : "");
    int code = cli_request(call, "GET", query, (struct slice){0}, &answer);
    if (code == 0)
        cli_print_figures(answer.body, call->json);
    return code;
}

/* One page; false: it is no answer of ours. */
static bool read_page(struct slice body, uint64_t *woken, uint64_t *last_ms, char next[32])
{
    struct json *json = json_open(body.length + 1);
    struct json_value root, value;
    struct slice text;
    bool good = json && json_parse(json, body.bytes, body.length, &root) == STATUS_OK &&
                json_member(root, "woken", &value) && json_uint(value, woken);

    next[0] = '\0';
    if (good && json_member(root, "last_call_ms", &value))
        json_uint(value, last_ms);
    if (good && json_member(root, "next", &value) && json_string(value, &text) && text.length < 32)
        snprintf(next, 32, "%.*s", (int)text.length, text.bytes);
    json_close(json);
    return good;
}

static int wake_page(struct cli_call *call, const struct wanted *wanted, uint64_t most,
                     const char *after, struct client_answer *answer)
{
    char body[512];
    struct text out = text_over(body, sizeof(body));

    text_string(&out, "{\"agency\":");
    text_json_string(&out, slice_of(wanted->agency));
    text_printf(&out, ",\"most\":%llu", (unsigned long long)most);
    if (wanted->cold_for) {
        text_string(&out, ",\"cold_for\":");
        text_json_string(&out, slice_of(wanted->cold_for));
    }
    if (*after) {
        text_string(&out, ",\"after\":");
        text_json_string(&out, slice_of(after));
    }
    text_char(&out, '}');
    return cli_request(call, "POST", "/v1/graveyard/wake", text_slice(&out), answer);
}

static void print_woken(const struct cli_call *call, uint64_t woken, uint64_t last_ms,
                        const char *next)
{
    if (call->json)
        printf("{\"woken\":%llu,\"last_call_ms\":%llu,\"next\":\"%s\"}\n",
               (unsigned long long)woken, (unsigned long long)last_ms, next);
    else if (*next)
        printf("woken: %llu; there is more: --after %s\n", (unsigned long long)woken, next);
    else
        printf("woken: %llu\n", (unsigned long long)woken);
}

/* Ends when so many are woken, or nobody is left; what is interrupted is gone on with by asking
 * again: who was woken is not cold any more. */
int cli_graveyard_wake(struct cli_call *call)
{
    struct wanted wanted = {0};
    struct client_answer answer;
    uint64_t most, all = 0, woken = 0, last_ms = 0;
    char next[32] = "";

    if (!take(call, &wanted) || !wanted.agency || !wanted.most ||
        strspn(wanted.most, "0123456789") != strlen(wanted.most))
        return cli_graveyard_usage(stderr);
    most = strtoull(wanted.most, NULL, 10);
    if (most == 0)
        return cli_graveyard_usage(stderr);
    snprintf(next, sizeof(next), "%s", wanted.after ? wanted.after : "");
    do {
        uint64_t page = most - all < PAGE_PEOPLE ? most - all : PAGE_PEOPLE;
        int code = wake_page(call, &wanted, page, next, &answer);
        if (code != 0)
            return code;
        if (!read_page(answer.body, &woken, &last_ms, next))
            return cli_complain("this is no answer of a hotlead server", "");
        all += woken;
    } while (all < most && *next);
    print_woken(call, all, last_ms, next);
    return 0;
}
