/* hotlead playbook move: people go over to another version, page by page. */
#include <stdlib.h>
#include <string.h>

#include "server/cli_internal.h"

struct page {
    const char *agency, *from, *to;
    char after[24]; /* where the next page begins; "": at the first person, or there is none */
    unsigned long long moved, kept;
};

static bool take_words(const struct cli_call *call, struct page *page)
{
    const char *after = NULL;
    const struct {
        const char *flag;
        const char **value;
    } flags[] = {{"--agency", &page->agency},
                 {"--from", &page->from},
                 {"--to", &page->to},
                 {"--after", &after}};
    bool sound = true;

    for (int i = 0; sound && i < call->count; i += 2) {
        sound = false;
        for (size_t j = 0; j < sizeof(flags) / sizeof(*flags) && i + 1 < call->count; j++) {
            if (strcmp(call->words[i], flags[j].flag) != 0)
                continue;
            *flags[j].value = call->words[i + 1];
            sound = true;
        }
    }
    if (after &&
        (strlen(after) >= sizeof(page->after) || !*after || after[strspn(after, "0123456789")]))
        return false;
    if (after)
        memcpy(page->after, after, strlen(after) + 1);
    return sound && page->agency;
}

static void add_member(struct text *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    text_printf(out, out->length > 1 ? ",\"%s\":" : "\"%s\":", name);
    text_json_string(out, slice_of(value));
}

static void print_people(struct json_value root, const char *list, const char *what)
{
    struct json_value people, person, lost, one;
    struct slice ignored, id = {0}, text = {0};

    if (!json_member(root, list, &people))
        return;
    struct json_walk walk = json_walk(people);
    while (json_next(&walk, &ignored, &person)) {
        cli_member_text(person, "person", &id);
        printf("%.*s  %s", (int)id.length, id.bytes, what);
        if (cli_member_text(person, "detail", &text))
            printf(": %.*s", (int)text.length, text.bytes);
        if (json_member(person, "lost", &lost)) {
            struct json_walk each = json_walk(lost);
            while (json_next(&each, &ignored, &one))
                if (json_string(one, &text))
                    printf(" %.*s", (int)text.length, text.bytes);
        }
        printf("\n");
    }
}

/* False: it is no answer as a server of ours gives it. */
static bool read_answer(struct page *page, struct slice body)
{
    struct json *json = json_open(body.length + 1);
    struct json_value root, moved, kept;
    struct slice next = {0};
    uint64_t count = 0;
    bool sound = json && json_parse(json, body.bytes, body.length, &root) == STATUS_OK &&
                 json_member(root, "moved", &moved) && json_uint(moved, &count) &&
                 json_member(root, "kept", &kept);

    if (sound) {
        page->moved += count;
        page->kept += json_count(kept);
        print_people(root, "kept", "stays");
        print_people(root, "lost", "moved, without its");
        cli_member_text(root, "next", &next);
        sound = next.length < sizeof(page->after);
    }
    if (sound) {
        memcpy(page->after, next.bytes ? next.bytes : "", next.length);
        page->after[next.length] = '\0';
    }
    json_close(json);
    return sound;
}

static int ask(struct cli_call *call, struct page *page)
{
    struct client_answer answer;
    char bytes[1024];
    struct text body = text_over(bytes, sizeof(bytes));

    text_char(&body, '{');
    add_member(&body, "agency", page->agency);
    add_member(&body, "from", page->from);
    add_member(&body, "to", page->to);
    add_member(&body, "after", page->after);
    text_char(&body, '}');
    if (body.overflow)
        return cli_complain("the words are too long", "");
    int code = cli_request(call, "POST", "/v1/people/move", text_slice(&body), &answer);
    if (code != 0 && page->after[0])
        fprintf(stderr, "hotlead: go on with --after %s\n", page->after);
    if (code == 0 && !read_answer(page, answer.body))
        code = cli_complain("the server's answer is no page of people", "");
    return code;
}

int cli_playbook_move(struct cli_call *call)
{
    struct page page = {0};
    int code;

    if (!take_words(call, &page))
        return cli_playbook_usage(stderr);
    do
        code = ask(call, &page);
    while (code == 0 && page.after[0]);
    if (code == 0)
        printf("moved %llu, stayed %llu\n", page.moved, page.kept);
    return code;
}
