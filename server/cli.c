#include "server/cli.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/json.h"
#include "proto/memory.h"
#include "proto/must.h"
#include "server/cli_internal.h"
#include "server/config.h"
#include "server/figures.h"

#define SETTINGS_MAX (64 * 1024)

static const struct cli_entity entities[] = {
    {"agency", "agencies", true},      {"site", "sites", true},   {"queue", "queues", true},
    {"agent", "agents", true},         {"token", "tokens", true}, {"playbook", "playbooks", false},
    {"optin", "optins", false},        {"clock", "clock", false}, {"report", "reports", false},
    {"graveyard", "graveyard", false},
};

typedef int verb_fn(struct cli_call *call);

/* --- talk ----------------------------------------------------------------------------- */

static int usage(const struct cli_call *call, FILE *out)
{
    const char *name = call->entity->name;

    if (strcmp(name, "playbook") == 0)
        return cli_playbook_usage(out);
    if (strcmp(name, "graveyard") == 0)
        return cli_graveyard_usage(out);
    if (call->entity->is_kept)
        fprintf(out,
                "usage: hotlead %s add ID [--SETTING VALUE ...]\n"
                "       hotlead %s list | show ID | rm ID\n"
                "       hotlead %s set ID --SETTING VALUE ...\n",
                name, name, name);
    if (strcmp(name, "site") == 0)
        fprintf(out, "       hotlead site add-key ID pk|sk      a second live key\n"
                     "       hotlead site retire-key ID pk|sk   the older of two\n");
    if (strcmp(name, "queue") == 0)
        fprintf(out,
                "       hotlead queue acl ID [--user NAME]  the Redis ACL line of a consumer\n");
    if (strcmp(name, "agent") == 0)
        fprintf(out, "       hotlead agent worklist ID          what is to be done, by deadline\n"
                     "       hotlead agent hand-over ID [TO]    all its people to another, or to "
                     "nobody\n");
    if (strcmp(name, "optin") == 0)
        fprintf(out,
                "usage: hotlead optin suspects [--agency ID] [--site ID]\n\n"
                "What was stored as suspect and is not called, the newest first, for review.\n");
    if (strcmp(name, "clock") == 0)
        fprintf(out, "usage: hotlead clock show | accept\n\n"
                     "A wall clock that jumps by more than a day holds deadlines and redeliveries\n"
                     "until it is set right, or accepted as it is.\n");
    if (strcmp(name, "report") == 0)
        cli_figures_usage(out);
    if (call->entity->is_kept)
        fprintf(out, "\nA setting given more than once is a list; an empty value takes it back.\n"
                     "It may also be written SETTING=VALUE, and ID as id=ID.\n");
    fprintf(out,
            "\n  --server URL   [HOTLEAD_URL; DIR/admin.url; " CLI_URL_DEFAULT "]\n"
            "  --token TOKEN  [HOTLEAD_TOKEN; HOTLEAD_TOKEN_FILE; DIR/admin.token]\n"
            "  --data DIR     data folder on this machine [HOTLEAD_DATA; " CLI_FOLDER_DEFAULT "]\n"
            "  --json         one JSON document a line\n");
    return out == stdout ? 0 : CLI_USAGE;
}

int cli_complain(const char *what, const char *about)
{
    fprintf(stderr, "hotlead: %s%s\n", what, about);
    return CLI_USAGE;
}

static void print_text(const struct text *text)
{
    fwrite(text->bytes, 1, text->length, stdout);
}

/* Whole documents are a few times longer once indented. */
static struct text document_over(size_t bytes)
{
    size_t capacity = bytes * 4 + 64 * 1024;
    char *buffer = memory_take(capacity);

    return text_over(buffer, capacity);
}

void cli_print_document(const struct cli_call *call, struct slice body)
{
    struct text out = document_over(body.length);

    if (call->json || !cli_write_pretty(body, &out) || out.overflow) {
        fwrite(body.bytes, 1, body.length, stdout);
        putchar('\n');
    } else {
        print_text(&out);
    }
    free(out.bytes);
}

/* --- verbs -------------------------------------------------------------------------------- */

static int send_settings(struct cli_call *call, const char *method, const char *id, int from)
{
    static char bytes[SETTINGS_MAX];
    struct text settings = text_over(bytes, sizeof bytes);
    struct client_answer answer;
    char path[2048];
    const char *wrong = cli_settings(call->count - from, call->words + from, id == NULL, &settings);

    if (wrong)
        return cli_complain("this is no setting; write --name VALUE or name=VALUE: ", wrong);
    if (settings.overflow)
        return cli_complain("the settings are too long", "");
    cli_path(path, call, id, "");
    int code = cli_request(call, method, path, text_slice(&settings), &answer);
    if (code == 0)
        cli_print_document(call, answer.body);
    return code;
}

static int verb_add(struct cli_call *call)
{
    return call->count < 1 ? usage(call, stderr) : send_settings(call, "POST", NULL, 0);
}

static int verb_set(struct cli_call *call)
{
    return call->count < 2 ? usage(call, stderr) : send_settings(call, "PATCH", call->words[0], 1);
}

static int verb_show(struct cli_call *call)
{
    struct client_answer answer;
    char path[2048];

    if (call->count != 1)
        return usage(call, stderr);
    cli_path(path, call, call->words[0], "");
    int code = cli_request(call, "GET", path, (struct slice){0}, &answer);
    if (code == 0)
        cli_print_document(call, answer.body);
    return code;
}

static int verb_rm(struct cli_call *call)
{
    struct client_answer answer;
    char path[2048];

    if (call->count != 1)
        return usage(call, stderr);
    cli_path(path, call, call->words[0], "");
    return cli_request(call, "DELETE", path, (struct slice){0}, &answer);
}

/* The items of one page go behind those of the pages before. `next` is where the next begins, ""
 * after the last. False: this is no list as a server of ours sends it. */
static bool gather_page(const struct cli_call *call, struct slice page, struct text *items,
                        char next[256])
{
    struct json *json = json_open(page.length + 1);
    struct json_value root, list, item;
    struct slice name, after = {0};
    bool sound = json && json_parse(json, page.bytes, page.length, &root) == STATUS_OK &&
                 json_member(root, call->entity->plural, &list) && list.type == JSON_ARRAY;

    next[0] = '\0';
    if (sound) {
        struct json_walk walk = json_walk(list);
        while (json_next(&walk, &name, &item)) {
            json_write(items, item);
            text_char(items, '\n');
        }
        cli_member_text(root, "next", &after);
        sound = after.length < 256 && !items->overflow;
    }
    if (sound && after.length > 0) {
        memcpy(next, after.bytes, after.length);
        next[after.length] = '\0';
    }
    json_close(json);
    return sound;
}

/* JSON lines as they are, or all of them as one table. */
static void print_items(const struct cli_call *call, const struct text *lines)
{
    if (call->json || !isatty(STDOUT_FILENO)) {
        print_text(lines);
        return;
    }
    struct text list = document_over(lines->length), table = document_over(lines->length * 4);
    text_char(&list, '[');
    for (size_t i = 0; i + 1 < lines->length; i++)
        text_char(&list, lines->bytes[i] == '\n' ? ',' : lines->bytes[i]);
    text_char(&list, ']');
    if (cli_write_table(text_slice(&list), &table))
        print_text(&table);
    free(list.bytes);
    free(table.bytes);
}

/* All pages of a list; `query` is "?" and what else is asked, each with an & behind it. */
static int list_pages(struct cli_call *call, const char *query)
{
    struct text lines = text_over(NULL, 0);
    char path[2048], rest[1024], next[256] = "";
    struct client_answer answer;
    int code;

    do {
        /* ids need no escapes */
        snprintf(rest, sizeof rest, *next ? "%safter=%s" : "%s", query, next);
        cli_path(path, call, NULL, rest);
        code = cli_request(call, "GET", path, (struct slice){0}, &answer);
        if (code != 0)
            break;
        size_t capacity = lines.length + 2 * answer.body.length + 64;
        char *larger = memory_resize(lines.bytes, capacity);
        lines.bytes = larger;
        lines.capacity = capacity;
        if (!gather_page(call, answer.body, &lines, next)) {
            fprintf(stderr, "hotlead: the answer is no list of %s\n", call->entity->plural);
            code = CLI_FAILED;
        }
    } while (code == 0 && *next);
    if (code == 0)
        print_items(call, &lines);
    free(lines.bytes);
    return code;
}

static int verb_list(struct cli_call *call)
{
    return call->count > 0 ? usage(call, stderr) : list_pages(call, "?");
}

/* Whose: a word may name an agency or a site, and ids need no escapes. */
static int verb_suspects(struct cli_call *call)
{
    char query[512] = "?suspect=1&";
    size_t length = strlen(query);

    for (int i = 0; i < call->count; i += 2) {
        bool known =
            strcmp(call->words[i], "--agency") == 0 || strcmp(call->words[i], "--site") == 0;
        const char *id = i + 1 < call->count ? call->words[i + 1] : "";
        if (!known || !*id || id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789.-")])
            return usage(call, stderr);
        length += (size_t)snprintf(query + length, sizeof query - length, "%s=%.100s&",
                                   call->words[i] + 2, id);
        if (length > sizeof query - 128)
            return usage(call, stderr);
    }
    return list_pages(call, query);
}

static int verb_add_key(struct cli_call *call)
{
    char path[2048], body[64];
    struct client_answer answer;

    if (call->count != 2 || (strcmp(call->words[1], "pk") && strcmp(call->words[1], "sk")))
        return usage(call, stderr);
    cli_path(path, call, call->words[0], "/keys");
    snprintf(body, sizeof body, "{\"kind\":\"%s\"}", call->words[1]);
    int code = cli_request(call, "POST", path, slice_of(body), &answer);
    if (code == 0)
        cli_print_document(call, answer.body);
    return code;
}

static int verb_retire_key(struct cli_call *call)
{
    struct client_answer answer;
    char path[2048];

    if (call->count != 2 || (strcmp(call->words[1], "pk") && strcmp(call->words[1], "sk")))
        return usage(call, stderr);
    cli_path(path, call, call->words[0], call->words[1][0] == 'p' ? "/keys/pk" : "/keys/sk");
    return cli_request(call, "DELETE", path, (struct slice){0}, &answer);
}

/* People that one answer was about, and whether there are more. False: it is no such answer. */
static bool read_handed(struct slice body, uint64_t *count, bool *more)
{
    struct json *json = json_open(body.length + 1);
    struct json_value root, value;
    bool sound = json && json_parse(json, body.bytes, body.length, &root) == STATUS_OK &&
                 cli_member_uint(root, "handed_over", count) && json_member(root, "more", &value) &&
                 json_bool(value, more);

    json_close(json);
    return sound;
}

/* A request hands over so many people that nobody has to wait for it; they go on until all are. */
static int verb_hand_over(struct cli_call *call)
{
    char path[2048], bytes[1024];
    struct text body = text_over(bytes, sizeof bytes);
    uint64_t count, sum = 0;
    bool more = true;

    if (call->count < 1 || call->count > 2)
        return usage(call, stderr);
    cli_path(path, call, call->words[0], "/hand-over");
    text_string(&body, "{\"to\":");
    text_json_string_or_null(&body,
                             call->count == 2 ? slice_of(call->words[1]) : (struct slice){0});
    text_char(&body, '}');
    while (more) {
        struct client_answer answer;
        int code = cli_request(call, "POST", path, text_slice(&body), &answer);
        if (code != 0)
            return code;
        if (!read_handed(answer.body, &count, &more)) {
            fprintf(stderr, "hotlead: the answer tells of no hand-over\n");
            return CLI_FAILED;
        }
        sum += count;
    }
    printf(call->json ? "{\"handed_over\":%llu}\n" : "handed over %llu people\n",
           (unsigned long long)sum);
    return 0;
}

static int verb_worklist(struct cli_call *call)
{
    struct client_answer answer;
    char path[2048];

    if (call->count != 1)
        return usage(call, stderr);
    cli_path(path, call, call->words[0], "/worklist");
    int code = cli_request(call, "GET", path, (struct slice){0}, &answer);
    if (code == 0)
        cli_print_document(call, answer.body);
    return code;
}

/* False: this is no queue as a server of ours shows it. */
static bool read_shape(struct slice body, bool *is_list)
{
    struct json *json = json_open(body.length + 1);
    struct json_value root;
    struct slice shape = {0};
    bool sound = json && json_parse(json, body.bytes, body.length, &root) == STATUS_OK &&
                 cli_member_text(root, "shape", &shape);

    *is_list = slice_equal(shape, SLICE("list"));
    json_close(json);
    return sound;
}

/* For a queue that is there: a slip in its name would make a user who waits for ever. */
static int verb_acl(struct cli_call *call)
{
    unsigned char secret[24];
    char password[2 * sizeof secret + 1], line[2048], path[2048];
    struct text out = text_over(line, sizeof line);
    struct client_answer answer;
    const char *prefix = cli_or_variable(call->prefix, "HOTLEAD_REDIS_PREFIX");
    const char *queue = call->count == 1 ? call->words[0] : "";
    const char *user = call->user ? call->user : queue;
    bool is_list;

    if (!*queue)
        return usage(call, stderr);
    if (strlen(user) > 64 || user[strcspn(user, " \t\r\n()")])
        return cli_complain("Redis takes no such name of a user: ", user);
    cli_path(path, call, queue, "");
    int code = cli_request(call, "GET", path, (struct slice){0}, &answer);
    if (code != 0)
        return code;
    if (!read_shape(answer.body, &is_list)) {
        cli_complain("the server's answer is no queue: ", queue);
        return CLI_FAILED;
    }
    MUST(sodium_init() >= 0);
    randombytes_buf(secret, sizeof secret);
    sodium_bin2hex(password, sizeof password, secret, sizeof secret);
    cli_acl(prefix ? prefix : "hl", queue, is_list, user, password, &out);
    print_text(&out);
    return 0;
}

static int ask_clock(struct cli_call *call, const char *method, const char *rest, struct slice body)
{
    struct client_answer answer;
    char path[2048];

    if (call->count != 0)
        return usage(call, stderr);
    cli_path(path, call, NULL, rest);
    int code = cli_request(call, method, path, body, &answer);
    if (code == 0)
        cli_print_document(call, answer.body);
    return code;
}

static int verb_clock_show(struct cli_call *call)
{
    return ask_clock(call, "GET", "", (struct slice){0});
}

static int verb_clock_accept(struct cli_call *call)
{
    return ask_clock(call, "POST", "/accept", SLICE("{}"));
}

static int verb_report(struct cli_call *call)
{
    struct client_answer answer;
    char path[2048], bytes[1024];
    struct text query = text_over(bytes, sizeof bytes - 1);
    bool csv;
    const char *why, *wrong = cli_figures_query(call->count, call->words, &csv, &query, &why);

    if (wrong)
        return cli_complain(why, wrong);
    if (csv && call->json)
        return cli_complain("give one of --json and --csv", "");
    if (query.overflow)
        return cli_complain("too much is asked", "");
    bytes[query.length] = '\0';
    if (csv)
        return cli_print_figures_csv(call, bytes);
    cli_path(path, call, call->verb, bytes);
    int code = cli_ask_figures(call, path, &answer);
    if (code == 0)
        cli_print_figures(answer.body, call->json);
    return code;
}

static const struct verb {
    const char *name;
    const char *entity; /* NULL: all that are kept */
    verb_fn *run;
} verbs[] = {{"add", NULL, verb_add},
             {"list", NULL, verb_list},
             {"show", NULL, verb_show},
             {"set", NULL, verb_set},
             {"rm", NULL, verb_rm},
             {"add-key", "site", verb_add_key},
             {"retire-key", "site", verb_retire_key},
             {"acl", "queue", verb_acl},
             {"worklist", "agent", verb_worklist},
             {"hand-over", "agent", verb_hand_over},
             {"add", "playbook", cli_playbook_set},
             {"set", "playbook", cli_playbook_set},
             {"list", "playbook", verb_list},
             {"show", "playbook", cli_playbook_show},
             {"rm", "playbook", verb_rm},
             {"move", "playbook", cli_playbook_move},
             {"suspects", "optin", verb_suspects},
             {"show", "clock", verb_clock_show},
             {"accept", "clock", verb_clock_accept},
             {"list", "graveyard", cli_graveyard_list},
             {"wake", "graveyard", cli_graveyard_wake},
#define XX(which, text, about) {text, "report", verb_report},
             FIGURES_MAP(XX)
#undef XX
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static bool has_verb(const struct cli_entity *entity, const struct verb *verb)
{
    return verb->entity ? strcmp(verb->entity, entity->name) == 0 : entity->is_kept;
}

static const struct verb *find_verb(const struct cli_call *call)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, call->verb) == 0 && has_verb(call->entity, &verbs[i]))
            return &verbs[i];
    }
    return NULL;
}

/* Takes the flags that are the command's own and leaves ids and settings. False: one lacks its
 * value, or there are too many words. */
static bool take_words(struct cli_call *call, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **value;
    } flags[] = {
        {"--server", &call->server},       {"--token", &call->token}, {"--data", &call->data},
        {"--redis-prefix", &call->prefix}, {"--user", &call->user},
    };

    for (int i = 0; i < argc; i++) {
        const char **value = NULL;
        for (size_t j = 0; j < sizeof flags / sizeof *flags; j++) {
            size_t length = strlen(flags[j].name);
            if (strncmp(argv[i], flags[j].name, length) != 0)
                continue;
            if (argv[i][length] == '=')
                *(value = flags[j].value) = argv[i] + length + 1;
            else if (argv[i][length] == '\0' && i + 1 < argc)
                *(value = flags[j].value) = argv[++i];
            else if (argv[i][length] == '\0')
                return false;
        }
        if (value)
            continue;
        if (strcmp(argv[i], "--json") == 0)
            call->json = true;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            call->help = true;
        else if (call->count == CLI_WORDS_MAX)
            return false;
        else
            call->words[call->count++] = argv[i];
    }
    return true;
}

static int unknown_verb(const struct cli_call *call)
{
    const char *names[VERB_COUNT];
    size_t count = 0;

    for (size_t i = 0; i < VERB_COUNT; i++)
        if (has_verb(call->entity, &verbs[i]))
            names[count++] = verbs[i].name;
    const char *closest = config_closest(call->verb, names, count);
    fprintf(stderr, "hotlead: %s: there is no '%s'", call->entity->name, call->verb);
    fprintf(stderr, closest ? "; did you mean '%s'?\n" : "\n", closest);
    return CLI_USAGE;
}

int cli(int argc, char **argv)
{
    struct cli_call call = {.entity = entities};
    int code;

    while (strcmp(call.entity->name, argv[0]) != 0) {
        call.entity++;
        MUST(call.entity < entities + sizeof entities / sizeof *entities);
    }
    if (!take_words(&call, argc - 1, argv + 1))
        return usage(&call, stderr);
    if (call.help)
        return usage(&call, stdout);
    if (call.count == 0)
        return usage(&call, stderr);
    call.verb = call.words[0];
    memmove(call.words, call.words + 1, (size_t)--call.count * sizeof *call.words);
    const struct verb *verb = find_verb(&call);
    if (!verb)
        return unknown_verb(&call);
    code = cli_open_client(&call);
    if (code == 0)
        code = verb->run(&call);
    client_close(call.client);
    return code;
}
