/* hotlead playbook: check, and show of a file, need no server; the rest is cli.c's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/memory.h"
#include "server/cli_internal.h"
#include "server/config.h"

typedef void show_fn(const struct playbook *playbook, struct text *out);

struct playbook_call {
    const char *file; /* as it is named in complaints */
    bool json;
    show_fn *show;
    FILE *talk; /* where complaints go */
    unsigned complaints;
};

int cli_playbook_usage(FILE *out)
{
    fprintf(
        out,
        "usage: hotlead playbook check FILE [--json]\n"
        "       hotlead playbook set FILE --id AGENCY.NAME\n"
        "       hotlead playbook list | rm ID\n"
        "       hotlead playbook show ID|FILE [--version N] [--text|--mermaid|--dot|--yaml]\n"
        "       hotlead playbook move --agency A [--from V] [--to V] [--after N]\n\n"
        "check  says what is wrong, each with its line and column. Exit 0: nothing is.\n"
        "set    makes FILE the newest version of ID, which new people go by; who is on an older\n"
        "       version stays on it. A file that means the same as the newest changes nothing.\n"
        "move   puts people who are on another version on the one that new people of the agency "
        "go\n"
        "       by, or on --to; page by page, and says who stays and what has no place there. V "
        "is\n"
        "       ID (the newest) or ID@N. After a break --after goes on where it was.\n"
        "rm     nobody new goes by it; its versions stay, for those who are on one.\n"
        "show   --text a page of definitions, checklists and times (unless another is asked for)\n"
        "       --mermaid, --dot the stages as a diagram\n"
        "       --yaml the canonical form, with everything said\n\n"
        "What show is given is a FILE when it has a / or is a file that ends in .yaml or .yml.\n"
        "FILE may be `default`: the playbook that this program ships; with --version the server's\n"
        "       `default` of that version. An agency goes by it until it names another:\n"
        "       hotlead agency set AGENCY --playbook ID, or one for a site: hotlead site set\n\n"
        "  --server URL, --token TOKEN, --data DIR, --json as for `hotlead agency`\n");
    return out == stdout ? 0 : CLI_USAGE;
}

static char *read_file(const char *path, size_t *length_out)
{
    FILE *file = fopen(path, "re");
    char *bytes = memory_take(PLAYBOOK_FILE_MAX + 1);

    if (file)
        *length_out = fread(bytes, 1, PLAYBOOK_FILE_MAX + 1, file);
    if (!file || ferror(file)) {
        fprintf(stderr, "hotlead: %s: %s\n", path, strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    if (file)
        fclose(file);
    return bytes;
}

char *cli_playbook_read(const char *file, size_t *length_out)
{
    struct slice shipped = playbook_default();

    if (strcmp(file, "default") != 0)
        return read_file(file, length_out);
    char *bytes = memory_take(shipped.length);
    memcpy(bytes, shipped.bytes, shipped.length);
    *length_out = shipped.length;
    return bytes;
}

static void print_json(const struct playbook_call *call, const struct playbook_complaint *complaint)
{
    char bytes[4096];
    struct text out = text_over(bytes, sizeof(bytes));

    text_string(&out, call->complaints ? ",{\"file\":" : "{\"file\":");
    text_json_string(&out, slice_of(complaint->at.base ? "default" : call->file));
    text_printf(&out, ",\"line\":%u,\"column\":%u,\"text\":", complaint->at.line,
                complaint->at.column);
    text_json_string(&out, slice_of(complaint->text));
    text_char(&out, '}');
    fwrite(bytes, 1, out.length, call->talk);
}

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    struct playbook_call *call = owner;

    if (call->json)
        print_json(call, complaint);
    else
        fprintf(call->talk, "%s:%u:%u: %s\n", complaint->at.base ? "default" : call->file,
                complaint->at.line, complaint->at.column, complaint->text);
    call->complaints++;
}

static void print_good(const struct playbook_call *call, const struct playbook *playbook)
{
    char bytes[64];
    struct text hash = text_over(bytes, sizeof(bytes));

    text_hex(&hash, playbook->hash.bytes, sizeof(playbook->hash.bytes));
    if (call->json)
        printf("],\"good\":true,\"name\":\"%s\",\"hash\":\"%.*s\"}\n", playbook->name.bytes,
               (int)hash.length, hash.bytes);
    else
        printf("%s: good: %u stages, %u cadences, %u segments, hash %.*s\n", call->file,
               playbook->stages.count, playbook->cadences.count, playbook->segments.count,
               (int)hash.length, hash.bytes);
}

static int check(const struct playbook_call *call, const struct playbook *playbook)
{
    if (playbook)
        print_good(call, playbook);
    else if (call->json)
        printf("],\"good\":false}\n");
    return playbook ? 0 : CLI_FAILED;
}

static void show_canonical(const struct playbook *playbook, struct text *out)
{
    text_add(out, playbook->canonical);
}

static int show(const struct playbook_call *call, const struct playbook *playbook)
{
    char *bytes = NULL;
    struct text out = {.overflow = true};

    if (!playbook)
        return CLI_FAILED;
    for (size_t room = PLAYBOOK_FILE_MAX; out.overflow; room *= 2) {
        free(bytes);
        bytes = memory_take(room);
        out = text_over(bytes, room);
        call->show(playbook, &out);
    }
    fwrite(out.bytes, 1, out.length, stdout);
    free(bytes);
    return 0;
}

/* Which line is the one too many nobody can say. */
static void tell_length(struct playbook_call *call)
{
    char bytes[256];
    struct text out = text_over(bytes, sizeof(bytes) - 1);

    text_printf(&out,
                "this is too long: a playbook has at most %d bytes, and at most %d in its "
                "canonical form, with everything said (%d where '\"' and line ends are escaped); "
                "shorten texts and lists",
                PLAYBOOK_FILE_MAX, PLAYBOOK_CANONICAL_MAX, PLAYBOOK_ESCAPED_MAX);
    bytes[out.length] = '\0';
    on_complaint(call, &(struct playbook_complaint){.at = {1, 1, 0}, .text = bytes});
}

static int with_bytes(struct playbook_call *call, struct slice bytes)
{
    const struct playbook *playbook;
    int code;

    if (!call->show && call->json)
        printf("{\"complaints\":[");
    if (playbook_open(bytes, on_complaint, call, &playbook) == STATUS_TOO_LARGE)
        tell_length(call);
    code = call->show ? show(call, playbook) : check(call, playbook);
    playbook_close(playbook);
    return code;
}

static int with_file(struct playbook_call *call)
{
    size_t length = 0;
    char *bytes = cli_playbook_read(call->file, &length);
    int code;

    if (!bytes)
        return CLI_USAGE;
    code = with_bytes(call, (struct slice){bytes, length});
    free(bytes);
    return code;
}

static const struct {
    const char *flag;
    show_fn *show;
} shows[] = {
    {"--text", playbook_text},
    {"--mermaid", playbook_mermaid},
    {"--dot", playbook_dot},
    {"--yaml", show_canonical},
};

static show_fn *find_show(const char *flag)
{
    for (size_t i = 0; i < sizeof(shows) / sizeof(*shows); i++) {
        if (strcmp(flag, shows[i].flag) == 0)
            return shows[i].show;
    }
    return NULL;
}

bool cli_playbook_is_flag(const char *word)
{
    return find_show(word) != NULL;
}

int cli_playbook_print(const char *name, struct slice yaml, const char *flag)
{
    struct playbook_call call = {
        .file = name, .show = flag ? find_show(flag) : playbook_text, .talk = stderr};

    return with_bytes(&call, yaml);
}

/* False: it is no flag of ours. */
static bool take_flag(struct playbook_call *call, bool shows_it, const char *word)
{
    if (shows_it) {
        call->show = find_show(word);
        return call->show;
    }
    call->json = strcmp(word, "--json") == 0;
    return call->json;
}

static int on_file(int argc, char **argv, bool shows_it)
{
    struct playbook_call call = {.show = shows_it ? playbook_text : NULL,
                                 .talk = shows_it ? stderr : stdout};

    for (int i = 2; i < argc; i++) {
        if (argv[i][0] == '-' ? !take_flag(&call, shows_it, argv[i]) : call.file != NULL)
            return cli_playbook_usage(stderr);
        if (argv[i][0] != '-')
            call.file = argv[i];
    }
    return call.file ? with_file(&call) : cli_playbook_usage(stderr);
}

static bool has_ending(const char *word, const char *ending)
{
    size_t length = strlen(word), bytes = strlen(ending);

    return length >= bytes && strcmp(word + length - bytes, ending) == 0;
}

/* No id has a slash. One may end in .yaml, so then it is a file if there is one of that name; any
 * other file that is called like an id has to be said with its folder. */
static bool is_file(const char *word)
{
    return strcmp(word, "default") == 0 || strchr(word, '/') ||
           ((has_ending(word, ".yaml") || has_ending(word, ".yml")) && access(word, F_OK) == 0);
}

static bool has_value(const char *flag)
{
    static const char *const flags[] = {"--version", "--server", "--token", "--data"};

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (strcmp(flag, flags[i]) == 0)
            return true;
    }
    return false;
}

/* What is to be shown is the first word of `show` that is no flag and no flag's value. Versions of
 * the default are the server's. */
static bool names_file(int argc, char **argv)
{
    const char *word = NULL;
    bool is_version = false;

    for (int i = 2; i < argc; i++) {
        if (argv[i][0] != '-' && !word)
            word = argv[i];
        is_version |= strncmp(argv[i], "--version", 9) == 0;
        i += has_value(argv[i]);
    }
    return word && is_file(word) && !(is_version && strcmp(word, "default") == 0);
}

static bool says_id(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        const char *word = argv[i] + (strncmp(argv[i], "--", 2) == 0 ? 2 : 0);
        if (strcmp(word, "id") == 0 || strncmp(word, "id=", 3) == 0)
            return true;
    }
    return false;
}

static int ask_for_id(void)
{
    fputs("hotlead: playbook set: whose is it, and how is it called? write --id AGENCY.NAME behind "
          "the file\n",
          stderr);
    return CLI_USAGE;
}

static int unknown_verb(const char *verb)
{
    static const char *const names[] = {"check", "show", "set", "add", "list", "rm", "move"};
    const char *closest = config_closest(verb, names, sizeof(names) / sizeof(*names));

    fprintf(stderr, "hotlead: playbook: there is no '%s'", verb);
    fprintf(stderr, closest ? "; did you mean '%s'?\n" : "\n", closest);
    return CLI_USAGE;
}

int cli_playbook(int argc, char **argv)
{
    static const char *const kept[] = {"add", "set", "list", "rm", "show", "move"};
    const char *verb = argc > 1 ? argv[1] : "";
    bool shows_it = strcmp(verb, "show") == 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return cli_playbook_usage(stdout);
    }
    if (strcmp(verb, "check") == 0 || (shows_it && names_file(argc, argv)))
        return on_file(argc, argv, shows_it);
    if ((strcmp(verb, "set") == 0 || strcmp(verb, "add") == 0) && argc > 2 && !says_id(argc, argv))
        return ask_for_id();
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        if (strcmp(verb, kept[i]) == 0)
            return cli(argc, argv);
    }
    return *verb ? unknown_verb(verb) : cli_playbook_usage(stderr);
}
