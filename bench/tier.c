#include "bench/tier.h"

#include <math.h>
#include <sys/statvfs.h>

#include "bench/command_words.h"

enum { KEY_AOF = 512, KEY_BELOW, KEY_HOTLEAD, KEY_JSON, KEY_KEEP, KEY_PLAYBOOK };

static const struct argp_option tier_rows[] = {
    {"connections", 'c', "N", 0, "kept open (64)", 0},
    {"aof", KEY_AOF, "everysec|off", 0,
     "Redis' append-only file (soak: everysec; growth: off, since the store is what is measured)",
     0},
    {"json", KEY_JSON, "FILE", 0, "the figures, for programs", 0},
    {"hotlead", KEY_HOTLEAD, "FILE", 0, "the server (the one beside this program)", 0},
    {"playbook", KEY_PLAYBOOK, "FILE", 0, "that its agency goes by (the shipped one)", 0},
    {"below", KEY_BELOW, "DIR", 0, "where the store is made, on a real disk (TMPDIR, /var/tmp)", 0},
    {"keep", KEY_KEEP, NULL, 0, "leave the folder", 0},
    {0},
};

const char *tier_option_name(const struct argp_option *rows, int key)
{
    for (; rows->name || rows->group; rows++)
        if (rows->name && rows->key == key)
            return rows->name;
    return NULL;
}

void tier_refuse(struct argp_state *state, const char *name, const char *value, const char *wanted)
{
    if (wanted)
        argp_error(state, "--%s '%s': give %s", name, value, wanted);
}

void tier_refuse_word(struct argp_state *state, const char *word)
{
    argp_error(state, "'%s' is not understood: what is wanted is said by options", word);
}

void tier_check_files(struct argp_state *state, const char *json, const char *html)
{
    const char *const paths[RESULT_FILES] = {json, html};
    const char *fault = files_fault(paths);

    if (fault)
        argp_error(state, "%s", fault);
}

static const char *read_option(struct tier_options *options, int key, const char *value)
{
    switch (key) {
    case 'c':
        return read_count(value, 1, TIER_CONNECTIONS_MAX, &options->connections)
                   ? NULL
                   : "a number from 1 to 60000";
    case KEY_AOF:
        return read_aof(value, &options->aof) ? NULL : "everysec or off";
    case KEY_JSON:
        options->json = value;
        return NULL;
    case KEY_HOTLEAD:
        options->hotlead = value;
        return NULL;
    case KEY_PLAYBOOK:
        options->playbook = value;
        return playbook_is_sound(value) ? NULL : PLAYBOOK_WANTED;
    default: /* KEY_BELOW */
        options->below = value;
        return NULL;
    }
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
    struct tier_options *options = state->input;
    const char *name = tier_option_name(tier_rows, key);

    if (!name)
        return ARGP_ERR_UNKNOWN;
    if (key == KEY_KEEP)
        options->keep = true;
    else
        tier_refuse(state, name, value, read_option(options, key, value));
    return 0;
}

const struct argp tier_argp = {.options = tier_rows, .parser = on_option};

static double gib(uint64_t bytes)
{
    return (double)bytes / (1 << 30);
}

bool tier_has_room(const char *who, const char *folder, double seconds, uint64_t disk_bytes,
                   FILE *talk)
{
    uint64_t free_bytes = UINT64_MAX;
    struct statvfs disk;

    fprintf(talk,
            "%s: some %.0f minutes, and up to %.1f GiB in %s; Ctrl-C ends it with what is known by "
            "then\n",
            who, ceil(seconds / 60), gib(disk_bytes), folder);
    if (statvfs(folder, &disk) == 0)
        free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (free_bytes >= disk_bytes)
        return true;
    fprintf(talk,
            "%s: only %.1f GiB are free there: name another place with --below, or ask for "
            "less\n",
            who, gib(free_bytes));
    return false;
}
