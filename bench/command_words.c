#include "bench/command_words.h"

#include <ctype.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/playbook_file.h"
#include "proto/text.h"

#define WEIGHT_MAX 1000000
#define PATH_BYTES 4096

/* A plain number that is not negative, and what stands behind it. NULL: there is none. */
static const char *read_number(const char *text, double *out)
{
    char *rest;

    if (!isdigit((unsigned char)*text) && *text != '.')
        return NULL;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return NULL;
    *out = strtod(text, &rest);
    return rest != text && isfinite(*out) ? rest : NULL;
}

bool read_count(const char *text, unsigned least, unsigned most, unsigned *out)
{
    double number;
    const char *rest = read_number(text, &number);

    if (!rest || *rest || number != floor(number) || number < least || number > most)
        return false;
    *out = (unsigned)number;
    return true;
}

/* The number times what its unit stands for; units end with an empty name. */
struct unit {
    const char *name;
    double times;
};

static bool read_with_unit(const char *text, const struct unit *units, double *out)
{
    double number;
    const char *rest = read_number(text, &number);

    for (; rest && units->name; units++)
        if (strcmp(rest, units->name) == 0) {
            *out = number * units->times;
            return true;
        }
    return false;
}

bool read_rate(const char *text, double *out)
{
    static const struct unit units[] = {{"", 1}, {"k", 1000}, {NULL, 0}};

    return read_with_unit(text, units, out);
}

bool read_duration(const char *text, double *out)
{
    static const struct unit units[] = {{"", 1},   {"s", 1},    {"ms", 0.001},
                                        {"m", 60}, {"h", 3600}, {NULL, 0}};

    return read_with_unit(text, units, out);
}

bool read_share(const char *text, double *out)
{
    static const struct unit units[] = {{"", 0.01}, {"%", 0.01}, {NULL, 0}};

    return read_with_unit(text, units, out) && *out <= 1;
}

bool read_aof(const char *text, enum rig_aof *out)
{
    *out = strcmp(text, "off") == 0 ? RIG_AOF_OFF : RIG_AOF_EVERYSEC;
    return *out == RIG_AOF_OFF || strcmp(text, "everysec") == 0;
}

/* Without touching it: a result of yesterday is overwritten by one of today, not by a failure. */
static bool may_be_written(const char *path)
{
    char copy[PATH_BYTES];

    if (strlen(path) >= sizeof copy)
        return false;
    strcpy(copy, path);
    return access(path, F_OK) == 0 ? access(path, W_OK) == 0
                                   : access(strchr(copy, '/') ? dirname(copy) : ".", W_OK) == 0;
}

static bool is_folder(const char *path)
{
    struct stat entry;

    return stat(path, &entry) == 0 && S_ISDIR(entry.st_mode);
}

static const char *file_fault(const char *path)
{
    static char fault[PATH_BYTES + 64];

    if (!path)
        return NULL;
    if (strcmp(path, "-") == 0)
        return "stdout is the summary's: name a file, or /dev/fd/3 with 3>&1";
    if (is_folder(path))
        snprintf(fault, sizeof fault, "%.*s is a folder: name a file in it", PATH_BYTES, path);
    else if (!may_be_written(path))
        snprintf(fault, sizeof fault, "%.*s cannot be written: make its folder, or name another",
                 PATH_BYTES, path);
    else
        return NULL;
    return fault;
}

const char *files_fault(const char *const paths[static RESULT_FILES])
{
    for (unsigned i = 0; i < RESULT_FILES; i++) {
        const char *fault = file_fault(paths[i]);
        if (fault)
            return fault;
        for (unsigned j = 0; j < i; j++)
            if (paths[i] && paths[j] && strcmp(paths[i], paths[j]) == 0)
                return "--json, --html and --hdr need a file each";
    }
    return NULL;
}

/* --- the mix -----------------------------------------------------------------------------------
 */

/* The server has no provider hooks yet: a mix that names them is good, and their share is sent as
 * the other kinds. */
#define NO_HOOKS "provider hooks are not there yet: the other kinds are sent in their place"

static unsigned *weight_of(const char *kind, struct people_options *people)
{
    if (strcmp(kind, "json") == 0)
        return &people->json;
    if (strcmp(kind, "form") == 0)
        return &people->form;
    return strcmp(kind, "multipart") == 0 ? &people->multipart : NULL;
}

/* One kind=weight; NULL, or what is wrong with it. */
static const char *read_kind(char *part, struct people_options *people, unsigned *hook)
{
    char *equals = strchr(part, '=');

    if (!equals)
        return "it is a list such as json=70,form=25,multipart=5";
    *equals = '\0';
    unsigned *weight = strcmp(part, "hook") == 0 ? hook : weight_of(part, people);
    if (!weight)
        return "there are the kinds json, form and multipart";
    return read_count(equals + 1, 0, WEIGHT_MAX, weight)
               ? NULL
               : "weights are whole numbers from 0 to 1000000";
}

bool read_mix(const char *text, struct people_options *out, const char **why_out)
{
    char copy[128], *place = NULL;
    unsigned hook = 0;

    *why_out = strlen(text) < sizeof copy ? NULL : "it is too long";
    if (*why_out)
        return false;
    strcpy(copy, text);
    out->json = out->form = out->multipart = 0;
    for (char *part = strtok_r(copy, ",", &place); part && !*why_out;
         part = strtok_r(NULL, ",", &place))
        *why_out = read_kind(part, out, &hook);
    if (!*why_out && out->json + out->form + out->multipart == 0)
        *why_out = hook ? NO_HOOKS : "at least one kind needs a weight over 0";
    if (*why_out)
        return false;
    *why_out = hook ? NO_HOOKS : NULL;
    return true;
}

/* --- the command line ----------------------------------------------------------------------------
 */

static bool needs_quotes(const char *word)
{
    for (; *word; word++)
        if (!isalnum((unsigned char)*word) && !strchr("-_=./:,%@+*{}[]", *word))
            return true;
    return false;
}

bool playbook_is_sound(const char *path)
{
    struct playbook_file file;

    if (playbook_file_open(path, stderr, &file) != STATUS_OK)
        return false;
    playbook_file_close(&file);
    return true;
}

/* A word up to `secret`, and stars for the rest, or for what stands before `until`. */
static void add_masked(struct text *out, const char *word, const char *secret, const char *until)
{
    text_bytes(out, word, (size_t)(secret - word));
    text_string(out, "***");
    if (until)
        text_string(out, until);
}

static bool is_secret(const char *word)
{
    return strncmp(word, "sk_", 3) == 0 || strncmp(word, "tk_", 3) == 0;
}

/* A word, or the value behind whatever option, since those may be abbreviated: not any "task_7".
 * NULL: there is no key or token in it. */
static const char *find_secret(const char *word)
{
    while (word && !is_secret(word)) {
        const char *equals = strchr(word, '=');
        word = equals ? equals + 1 : NULL;
    }
    return word;
}

static void add_word(struct text *out, const char *word, bool is_token)
{
    const char *secret = find_secret(word), *at = strrchr(word, '@');
    const char *scheme = at ? strstr(word, "://") : NULL;
    bool quoted = needs_quotes(word);

    if (quoted)
        text_char(out, '\'');
    if (secret)
        add_masked(out, word, secret + 3, NULL);
    else if (scheme && scheme < at)
        add_masked(out, word, scheme + 3, at);
    else if (is_token && strncmp(word, "--token=", 8) == 0)
        add_masked(out, word, word + 8, NULL);
    else if (is_token)
        add_masked(out, word, word, NULL);
    else
        text_string(out, word);
    if (quoted)
        text_char(out, '\'');
}

void write_command(int argc, char **argv, char *out, size_t bytes)
{
    struct text text = text_over(out, bytes - 1);

    text_string(&text, "hotlead-bench");
    for (int i = 0; i < argc; i++) {
        bool is_token =
            strncmp(argv[i], "--token=", 8) == 0 || (i > 0 && strcmp(argv[i - 1], "--token") == 0);
        text_char(&text, ' ');
        add_word(&text, argv[i], is_token);
    }
    out[text.length] = '\0';
    if (text.overflow)
        strcpy(out + text.length - 3, "...");
}
