/* One table, four origins. Each origin is first collected as plain text, name by name; then each
 * setting takes the text of its highest origin, and only that one is read as a number, a size
 * or a switch. So an error in a value that is overruled does not stop the server, but a name
 * that nobody knows does. All complaints are made before giving up, not the first only. */
#include "server/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/memory.h"
#include "server/config_file.h"
#include "server/config_value.h"

enum type {
    TYPE_TEXT,   /* const char * */
    TYPE_SWITCH, /* bool; as a flag it needs no value */
    TYPE_COUNT,  /* uint64_t: a count, or ms */
    TYPE_SIZE,   /* uint64_t, in bytes */
};

enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG, ORIGIN_COUNT };

/* What a flag alone can ask for. */
enum { FLAG_ONLY = 1, NOT_IN_FILE = 2 };

struct setting {
    const char *name;
    enum type type;
    size_t offset;
    const char *fallback;
    uint64_t least, most; /* of numbers */
    unsigned where;
    const char *argument;
    const char *help;
};

#define MS_MAX       86400000ull
#define MIB          (1ull << 20)
#define MAP_MAX      (1ull << 46)
#define AT(name)     #name, TYPE_TEXT, offsetof(struct config, name)
#define ON(name)     #name, TYPE_SWITCH, offsetof(struct config, name)
#define NUMBER(name) #name, TYPE_COUNT, offsetof(struct config, name)
#define BYTES(name)  #name, TYPE_SIZE, offsetof(struct config, name)

static const struct setting settings[] = {
    {AT(config), "", 0, 0, NOT_IN_FILE, "FILE", "settings as YAML, see deploy/hotlead.yaml"},
    {AT(data), "./hotlead-data", 0, 0, 0, "DIR", "the journal, and what is made from it"},
    {AT(state), "", 0, 0, 0, "DIR", "what is made from the journal, on another disk"},
    {AT(listen), "127.0.0.1:8080", 0, 0, 0, "HOST:PORT", "where requests come in"},
    {AT(admin_listen), "", 0, 0, 0, "HOST:PORT",
     "everything but intake, /t.js and health checks; must be given where --listen is "
     "not loopback"},
    {AT(public_url), "", 0, 0, 0, "URL", "how sites reach --listen"},
    {AT(redis), "redis://127.0.0.1:6379/0", 0, 0, 0, "URL",
     "redis://[user:password@]host:port/db or unix:///path"},
    {AT(redis_file), "", 0, 0, 0, "FILE", "a file that holds the URL of Redis"},
    {AT(redis_prefix), "hl", 0, 0, 0, "NAME", "what names of keys begin with"},
    {AT(node), "n1", 0, 0, 0, "NAME", "this server among those that share a Redis"},
    {AT(log_level), "info", 0, 0, 0, "LEVEL", "debug, info, warn or error"},
    {AT(test_clock), "", 0, 0, 0, "FILE", "engine time from a file: decimal ms. For tests"},
    {ON(demo), "false", 0, 0, 0, "", "make a site to play with; loopback only"},
    {BYTES(journal_map_bytes), "64GiB", MIB, MAP_MAX, 0, "SIZE", "how large the journal can grow"},
    {BYTES(state_map_bytes), "64GiB", MIB, MAP_MAX, 0, "SIZE", "how large the state can grow"},
    {BYTES(reserve_bytes), "64MiB", 0, MAP_MAX, 0, "SIZE",
     "with less room than this, opt-ins get 503 while outcomes are still stored"},
    {BYTES(batch_bytes), "8MiB", MIB, 1024 * MIB, 0, "SIZE", "opt-ins waiting for a commit"},
    {BYTES(publish_bytes), "16MiB", MIB, 1024 * MIB, 0, "SIZE", "tasks waiting for Redis"},
    {NUMBER(connections_max), "0", 0, 1000000, 0, "N", "0: from the limit of open files"},
    {NUMBER(header_timeout_ms), "10000", 1, MS_MAX, 0, "MS", "a request's headers"},
    {NUMBER(body_timeout_ms), "30000", 1, MS_MAX, 0, "MS", "a request's body"},
    {NUMBER(idle_timeout_ms), "75000", 1, MS_MAX, 0, "MS", "between requests"},
    {NUMBER(write_timeout_ms), "10000", 1, MS_MAX, 0, "MS", "an answer that is not read"},
    {NUMBER(drain_timeout_ms), "10000", 0, MS_MAX, 0, "MS", "time to finish after SIGTERM"},
    {ON(print_config), "false", 0, 0, FLAG_ONLY, "", "show every setting and its origin"},
    {ON(check_config), "false", 0, 0, FLAG_ONLY, "", "exit 0 when all is well, else 2"},
    {ON(help), "false", 0, 0, FLAG_ONLY, "", "show this"},
};
#define SETTING_COUNT (sizeof settings / sizeof *settings)
_Static_assert(SETTING_COUNT <= CONFIG_SETTINGS_MAX, "origins");

/* A kept string; the list belongs to the config. */
struct config_text {
    struct config_text *next;
    char bytes[];
};

/* What one config_read goes through. */
struct reading {
    struct config *config;
    FILE *talk;
    const char *given[ORIGIN_COUNT][SETTING_COUNT]; /* NULL: not given */
    unsigned lines[SETTING_COUNT];                  /* in the file */
    bool failed;
};

/* --- words ------------------------------------------------------------------------ */

static const char *keep(struct config *config, const char *bytes, size_t length)
{
    struct config_text *text = memory_take(sizeof *text + length + 1);

    memcpy(text->bytes, bytes, length);
    text->bytes[length] = '\0';
    text->next = config->texts;
    config->texts = text;
    return text->bytes;
}

void config_close(struct config *config)
{
    while (config->texts) {
        struct config_text *text = config->texts;
        config->texts = text->next;
        free(text);
    }
}

/* admin_listen as --admin-listen and HOTLEAD_ADMIN_LISTEN. */
static void spell(char out[64], const char *prefix, const char *name, char joint, bool upper)
{
    size_t length = strlen(prefix);

    memcpy(out, prefix, length);
    for (; *name; name++) {
        char byte = *name == '_' ? joint : *name;
        if (upper && byte >= 'a' && byte <= 'z')
            byte = (char)(byte - 32);
        out[length++] = byte;
    }
    out[length] = '\0';
}

static void spell_flag(char out[64], const struct setting *setting)
{
    spell(out, "--", setting->name, '-', false);
}

static void spell_variable(char out[64], const struct setting *setting)
{
    spell(out, "HOTLEAD_", setting->name, '_', true);
}

/* How a complaint names the place where a value came from. */
static void spell_place(char *out, size_t size, const struct reading *reading,
                        const struct setting *setting, enum origin origin)
{
    char word[64];

    if (origin == ORIGIN_FLAG) {
        spell_flag(word, setting);
        snprintf(out, size, "%s", word);
    } else if (origin == ORIGIN_ENVIRONMENT) {
        spell_variable(word, setting);
        snprintf(out, size, "%s", word);
    } else {
        snprintf(out, size, "%s:%u: %s", reading->config->config,
                 reading->lines[setting - settings], setting->name);
    }
}

__attribute__((format(printf, 4, 5))) static void complain(struct reading *reading,
                                                           const struct setting *setting,
                                                           enum origin origin, const char *format,
                                                           ...)
{
    char place[512];
    va_list arguments;

    spell_place(place, sizeof place, reading, setting, origin);
    fprintf(reading->talk, "hotlead: %s: ", place);
    va_start(arguments, format);
    vfprintf(reading->talk, format, arguments);
    va_end(arguments);
    fputc('\n', reading->talk);
    reading->failed = true;
}

static void complain_unknown(struct reading *reading, const char *place, const char *word,
                             enum origin origin)
{
    const char *names[SETTING_COUNT];
    char words[SETTING_COUNT][64];
    size_t count = 0;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if ((origin == ORIGIN_FILE && settings[i].where != 0) ||
            (origin == ORIGIN_ENVIRONMENT && settings[i].where & FLAG_ONLY))
            continue;
        if (origin == ORIGIN_ENVIRONMENT)
            spell_variable(words[count], &settings[i]);
        else
            spell_flag(words[count], &settings[i]);
        names[count] = origin == ORIGIN_FILE ? settings[i].name : words[count];
        count++;
    }
    const char *closest = config_closest(word, names, count);
    fprintf(reading->talk, "hotlead: %sthere is no setting '%s'", place, word);
    if (closest)
        fprintf(reading->talk, "; did you mean '%s'?", closest);
    fputc('\n', reading->talk);
    reading->failed = true;
}

/* --- collecting ------------------------------------------------------------------- */

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    }
    return NULL;
}

/* The setting of `--name` or `--name=value`; `value_out` is NULL for the former. */
static const struct setting *find_flag(struct config *config, const char *argument,
                                       const char **value_out)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);

    *value_out = equals ? keep(config, equals + 1, strlen(equals + 1)) : NULL;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char flag[64];
        spell_flag(flag, &settings[i]);
        if (strlen(flag) == length && memcmp(flag, argument, length) == 0)
            return &settings[i];
    }
    return NULL;
}

static void collect_flags(struct reading *reading, int argc, const char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        const char *argument = strcmp(argv[i], "-h") == 0 ? "--help" : argv[i];
        const char *value;
        const struct setting *setting = find_flag(reading->config, argument, &value);

        if (!setting) {
            complain_unknown(reading, "", argument, ORIGIN_FLAG);
            continue;
        }
        if (!value && setting->type == TYPE_SWITCH)
            value = "true";
        if (!value && i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0) {
            i++;
            value = keep(reading->config, argv[i], strlen(argv[i]));
        }
        if (!value)
            complain(reading, setting, ORIGIN_FLAG, "%s must follow", setting->argument);
        reading->given[ORIGIN_FLAG][setting - settings] = value;
    }
}

/* The HOTLEAD_ variable of a setting; NULL when it is not set, or empty. */
static const char *find_variable(const char *const *environment, const struct setting *setting)
{
    char name[64];

    spell_variable(name, setting);
    size_t length = strlen(name);
    for (const char *const *entry = environment; *entry; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return (*entry)[length + 1] ? *entry + length + 1 : NULL;
    }
    return NULL;
}

/* What a container platform tells of a service whose name begins with hotlead:
 * HOTLEAD_SERVICE_HOST, HOTLEAD_PORT=tcp://..., HOTLEAD_PORT_8080_TCP_ADDR. */
static bool is_of_platform(const char *name, const char *value)
{
    static const char word[] = "_PORT_";
    const char *port = strstr(name, word), *end = strrchr(name, '_');

    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
           (port && port[sizeof word - 1] >= '0' && port[sizeof word - 1] <= '9') ||
           (strcmp(end, "_PORT") == 0 && strstr(value, "://"));
}

/* HOTLEAD_... that serve has, or another command. */
static bool is_known_variable(const char *name)
{
    static const char *const others[] = {"HOTLEAD_URL", "HOTLEAD_TOKEN", "HOTLEAD_TOKEN_FILE"};
    char word[64];

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(name, others[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        spell_variable(word, &settings[i]);
        if (!(settings[i].where & FLAG_ONLY) && strcmp(name, word) == 0)
            return true;
    }
    return false;
}

/* A slip in a name would leave a setting at its default without a word. */
static void refuse_unknown_variables(struct reading *reading, const char *const *environment)
{
    for (const char *const *entry = environment; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, "HOTLEAD_", 8) != 0 || !equals || !equals[1])
            continue;
        const char *name = keep(reading->config, *entry, (size_t)(equals - *entry));
        if (!is_known_variable(name) && !is_of_platform(name, equals + 1))
            complain_unknown(reading, "", name, ORIGIN_ENVIRONMENT);
    }
}

static void collect_environment(struct reading *reading, const char *const *environment)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value =
            settings[i].where & FLAG_ONLY ? NULL : find_variable(environment, &settings[i]);
        if (value)
            reading->given[ORIGIN_ENVIRONMENT][i] = keep(reading->config, value, strlen(value));
    }
    refuse_unknown_variables(reading, environment);
}

static void on_pair(void *owner, const char *name, const char *value, unsigned line)
{
    struct reading *reading = owner;
    const struct setting *setting = find_setting(name);
    char place[512];

    if (!setting || setting->where != 0) {
        snprintf(place, sizeof place, "%s:%u: ", reading->config->config, line);
        complain_unknown(reading, place, name, ORIGIN_FILE);
        return;
    }
    size_t i = (size_t)(setting - settings);
    reading->lines[i] = line;
    if (reading->given[ORIGIN_FILE][i])
        complain(reading, setting, ORIGIN_FILE, "this was set before");
    reading->given[ORIGIN_FILE][i] = keep(reading->config, value, strlen(value));
}

/* The whole file, of at most `most` bytes, terminated. NULL: errno says why. */
static char *read_file(const char *path, size_t most, size_t *length_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = memory_take(most + 2);
    size_t length = 0;
    ssize_t got = -1;

    while (fd >= 0 && length <= most) {
        got = read(fd, bytes + length, most + 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    int error = length > most ? EFBIG : errno;
    if (fd >= 0)
        close(fd);
    if (got < 0 || length > most) {
        free(bytes);
        errno = error;
        return NULL;
    }
    bytes[length] = '\0';
    *length_out = length;
    return bytes;
}

static void collect_file(struct reading *reading)
{
    struct config *config = reading->config;
    size_t length;
    char *bytes = read_file(config->config, CONFIG_FILE_MAX, &length);

    if (!bytes) {
        fprintf(reading->talk, "hotlead: %s: %s\n", config->config, strerror(errno));
        reading->failed = true;
        return;
    }
    if (config_file_parse(config->config, bytes, length, on_pair, reading, reading->talk) !=
        STATUS_OK)
        reading->failed = true;
    free(bytes);
}

/* --- taking values ------------------------------------------------------------------ */

static void take_number(struct reading *reading, const struct setting *setting, enum origin origin,
                        const char *text)
{
    bool size = setting->type == TYPE_SIZE;
    const char *rest = "";
    uint64_t number;

    if (!(size ? config_parse_size(text, &number)
               : config_parse_count(text, &number, &rest) && !*rest))
        complain(reading, setting, origin, "'%s' is no %s", text,
                 size ? "size; write 67108864, 64MiB or 1GiB" : "whole number");
    else if (number < setting->least || number > setting->most)
        complain(reading, setting, origin, "must be from %" PRIu64 " to %" PRIu64, setting->least,
                 setting->most);
    else
        memcpy((char *)reading->config + setting->offset, &number, sizeof number);
}

/* Puts a setting's text, of the highest origin that has one, where it belongs. */
static void take(struct reading *reading, const struct setting *setting)
{
    size_t i = (size_t)(setting - settings);
    char *place = (char *)reading->config + setting->offset;
    enum origin origin = ORIGIN_FLAG;

    while (!reading->given[origin][i])
        origin--;
    const char *text = reading->given[origin][i];
    reading->config->origins[i] = (unsigned char)origin;
    if (setting->type == TYPE_TEXT)
        memcpy(place, &text, sizeof text);
    else if (setting->type != TYPE_SWITCH)
        take_number(reading, setting, origin, text);
    else if (!config_parse_switch(text, (bool *)place))
        complain(reading, setting, origin, "'%s' is neither true nor false", text);
}

/* redis_file stands for redis: the higher origin of the two counts, and within one
 * origin only one may be given. */
static void take_secret_file(struct reading *reading)
{
    struct config *config = reading->config;
    const struct setting *file = find_setting("redis_file"), *redis = find_setting("redis");
    enum origin from = config->origins[file - settings], other = config->origins[redis - settings];
    size_t length;

    if (!*config->redis_file || from < other) {
        config->redis_file = "";
        return;
    }
    if (from == other) {
        complain(reading, file, from, "redis is given too; give one of the two");
        return;
    }
    char *secret = read_file(config->redis_file, 4096, &length);
    if (!secret) {
        complain(reading, file, from, "%s: %s", config->redis_file, strerror(errno));
        return;
    }
    while (length > 0 && strchr("\r\n", secret[length - 1]))
        length--;
    config->redis = keep(config, secret, length);
    config->origins[redis - settings] = (unsigned char)from;
    free(secret);
}

enum status config_read(int argc, const char *const *argv, const char *const *environment,
                        struct config *out, FILE *talk)
{
    struct reading reading = {.config = out, .talk = talk};

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        reading.given[ORIGIN_DEFAULT][i] = settings[i].fallback;
    collect_flags(&reading, argc, argv);
    collect_environment(&reading, environment);
    take(&reading, find_setting("config")); /* says where the rest is */
    if (*out->config)
        collect_file(&reading);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        take(&reading, &settings[i]);
    take_secret_file(&reading);
    return reading.failed ? STATUS_INVALID : STATUS_OK;
}

/* --- showing ------------------------------------------------------------------------ */

/* A double-quoted YAML scalar. The password of a URL is shown as three stars. */
static void print_text(const char *text, FILE *out)
{
    const char *scheme = strstr(text, "://");
    const char *at = scheme ? strrchr(scheme, '@') : NULL;
    const char *password = at ? strchr(scheme + 3, ':') : NULL;

    fputc('"', out);
    for (const char *next = text; *next; next++) {
        unsigned char byte = (unsigned char)*next;
        if (password && next == password + 1 && password < at) {
            fputs("***", out);
            next = at;
            byte = '@';
        }
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7F)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

static void print_value(const struct config *config, const struct setting *setting, FILE *out)
{
    const char *place = (const char *)config + setting->offset;
    const char *text;
    uint64_t number;
    char size[32];

    switch (setting->type) {
    case TYPE_TEXT:
        memcpy(&text, place, sizeof text);
        print_text(text, out);
        break;
    case TYPE_SWITCH:
        fputs(*(const bool *)place ? "true" : "false", out);
        break;
    case TYPE_COUNT:
        memcpy(&number, place, sizeof number);
        fprintf(out, "%" PRIu64, number);
        break;
    case TYPE_SIZE:
        memcpy(&number, place, sizeof number);
        config_format_size(size, number);
        fputs(size, out);
        break;
    }
}

static void print_origin(const struct config *config, size_t i, FILE *out)
{
    char word[64];

    switch ((enum origin)config->origins[i]) {
    case ORIGIN_FILE:
        fputs(config->config, out);
        break;
    case ORIGIN_ENVIRONMENT:
        spell_variable(word, &settings[i]);
        fputs(word, out);
        break;
    case ORIGIN_FLAG:
        spell_flag(word, &settings[i]);
        fputs(word, out);
        break;
    default:
        fputs("default", out);
    }
}

void config_print(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings[i].where & FLAG_ONLY)
            continue;
        bool stands_in_file =
            settings[i].offset == offsetof(struct config, redis) && *config->redis_file;
        bool comment = settings[i].where & NOT_IN_FILE || stands_in_file;
        fprintf(out, "%s%s: ", comment ? "# " : "", settings[i].name);
        print_value(config, &settings[i], out);
        fputs("  # ", out);
        if (stands_in_file)
            fputs(config->redis_file, out);
        else
            print_origin(config, i, out);
        fputc('\n', out);
    }
}

void config_help(FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        char flag[64], with_argument[96];
        spell_flag(flag, setting);
        snprintf(with_argument, sizeof with_argument, "%s %s", flag, setting->argument);
        fprintf(out, "  %-27s %s", with_argument, setting->help);
        if (setting->type != TYPE_SWITCH && *setting->fallback)
            fprintf(out, " (%s)", setting->fallback);
        fputc('\n', out);
    }
}
