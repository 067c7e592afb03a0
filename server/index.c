/* The tables: one of identities, and one of events for each of the last days. An event
 * table's day is its place in a ring, so the day after the last one kept takes the place
 * of the oldest. */
#include "server/index.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/directory.h"
#include "server/index_table.h"

#define DAY_MS 86400000ull

_Static_assert(INDEX_NUMBER_MAX == (1ull << INDEX_NUMBER_BITS) - 1, "a slot holds a number");

struct generation {
    uint64_t day;
    struct index_table table; /* closed: there is none */
};

struct index {
    char *directory;
    struct index_table identity;
    struct generation events[INDEX_EVENT_DAYS];
    uint64_t newest_day;
};

/* --- files ---------------------------------------------------------------- */

static char *path_in(const struct index *index, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", index->directory, name) < 0 ? NULL : path;
}

static char *event_path(const struct index *index, uint64_t day)
{
    char name[40];

    snprintf(name, sizeof name, "event-%" PRIu64, day);
    return path_in(index, name);
}

/* Of any of an event table's files. `suffix_out`: what follows the table's name. */
static bool parse_event_name(const char *name, uint64_t *day_out, const char **suffix_out)
{
    int end = 0;

    if (sscanf(name, "event-%" SCNu64 "%n", day_out, &end) != 1)
        return false;
    *suffix_out = name + end;
    return table_has_file(*suffix_out);
}

static bool is_kept(const struct index *index, uint64_t day)
{
    return day + INDEX_EVENT_DAYS > index->newest_day;
}

static void drop(struct generation *generation)
{
    table_unlink(&generation->table);
    table_close(&generation->table);
}

static uint64_t place_of(struct hash hash)
{
    return hash_place(hash) >> (64 - INDEX_PLACE_BITS);
}

typedef enum status entry_fn(struct index *index, const char *name);

static enum status each_entry(struct index *index, entry_fn *on_entry)
{
    DIR *directory = opendir(index->directory);
    enum status status = STATUS_OK;
    struct dirent *entry;

    if (!directory)
        return STATUS_IO;
    for (entry = readdir(directory); entry && status == STATUS_OK; entry = readdir(directory))
        status = on_entry(index, entry->d_name);
    closedir(directory);
    return status;
}

static enum status remove_entry(struct index *index, const char *name)
{
    char *path = path_in(index, name);
    bool removed = path && (name[0] == '.' || unlink(path) == 0);

    free(path);
    return removed ? STATUS_OK : STATUS_IO;
}

/* A table whose making was interrupted. */
static enum status remove_unfinished(struct index *index, const char *name)
{
    size_t length = strlen(name);
    bool is_unfinished = length > 4 && strcmp(name + length - 4, ".new") == 0;

    return is_unfinished ? remove_entry(index, name) : STATUS_OK;
}

static enum status find_newest(struct index *index, const char *name)
{
    const char *suffix;
    uint64_t day;

    if (parse_event_name(name, &day, &suffix) && day > index->newest_day)
        index->newest_day = day;
    return STATUS_OK;
}

static enum status open_event(struct index *index, const char *name)
{
    const char *suffix;
    uint64_t day;

    if (!parse_event_name(name, &day, &suffix))
        return STATUS_OK;
    if (!is_kept(index, day))
        return remove_entry(index, name);
    if (suffix[0] != '\0') /* it is opened with its table */
        return STATUS_OK;

    struct generation *generation = &index->events[day % INDEX_EVENT_DAYS];
    char *path = path_in(index, name);
    enum status status = path ? table_open(&generation->table, path) : STATUS_IO;
    generation->day = day;
    free(path);
    return status;
}

/* --- open ----------------------------------------------------------------- */

static enum status open_tables(struct index *index)
{
    char *path = path_in(index, "identity");
    enum status status = path ? table_open(&index->identity, path) : STATUS_IO;

    free(path);
    if (status == STATUS_OK)
        status = each_entry(index, remove_unfinished);
    if (status == STATUS_OK)
        status = each_entry(index, find_newest);
    if (status == STATUS_OK)
        status = each_entry(index, open_event);
    return status;
}

static enum status make_tables(struct index *index)
{
    char *path = path_in(index, "identity");
    enum status status = path ? each_entry(index, remove_entry) : STATUS_IO;

    if (status == STATUS_OK)
        status = table_create(&index->identity, path);
    free(path);
    return status;
}

enum status index_open(const char *directory, bool fresh, struct index **out)
{
    struct index *index = calloc(1, sizeof *index);
    enum status status = STATUS_IO;

    *out = NULL;
    if (!index)
        return STATUS_IO;
    index->directory = strdup(directory);
    if (index->directory && (mkdir(directory, 0700) == 0 || errno == EEXIST))
        status = fresh ? make_tables(index) : open_tables(index);
    if (status != STATUS_OK) {
        index_close(index);
        return status;
    }
    *out = index;
    return STATUS_OK;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    table_close(&index->identity);
    for (int i = 0; i < INDEX_EVENT_DAYS; i++)
        table_close(&index->events[i].table);
    free(index->directory);
    free(index);
}

enum status index_sync(struct index *index)
{
    enum status status = table_sync(&index->identity);

    for (int i = 0; status == STATUS_OK && i < INDEX_EVENT_DAYS; i++)
        if (table_is_open(&index->events[i].table))
            status = table_sync(&index->events[i].table);
    /* A day whose name is lost would be taken for one without events. */
    if (status == STATUS_OK && directory_sync(index->directory) != 0)
        status = STATUS_IO;
    return status;
}

/* --- insert --------------------------------------------------------------- */

/* The day's table, made when it is missing. */
static enum status event_table(struct index *index, uint64_t day, struct index_table **out)
{
    struct generation *generation = &index->events[day % INDEX_EVENT_DAYS];

    *out = &generation->table;
    if (table_is_open(&generation->table) && generation->day == day)
        return STATUS_OK;

    char *path = event_path(index, day);
    if (!path)
        return STATUS_IO;
    if (table_is_open(&generation->table))
        drop(generation);
    enum status status = table_create(&generation->table, path);
    generation->day = day;
    free(path);
    return status;
}

static enum status insert_event(struct index *index, struct hash hash, uint64_t number,
                                uint64_t now_ms)
{
    uint64_t day = now_ms / DAY_MS;
    struct index_table *table;

    if (!is_kept(index, day))
        return STATUS_OK; /* a rebuild comes by; nobody will ask for it */
    enum status status = event_table(index, day, &table);
    if (status != STATUS_OK)
        return status;
    if (day > index->newest_day)
        index->newest_day = day;
    return table_insert(table, place_of(hash), number);
}

enum status index_insert(struct index *index, enum index_family family, struct hash hash,
                         uint64_t number, uint64_t now_ms)
{
    if (family == INDEX_EVENT)
        return insert_event(index, hash, number, now_ms);
    return table_insert(&index->identity, place_of(hash), number);
}

/* --- lookup --------------------------------------------------------------- */

void index_prefetch(const struct index *index, enum index_family family, struct hash hash)
{
    const struct index_table *table = &index->identity;

    if (family == INDEX_EVENT)
        table = &index->events[index->newest_day % INDEX_EVENT_DAYS].table;
    table_prefetch(table, place_of(hash));
}

struct index_lookup index_lookup(struct index *index, enum index_family family, struct hash hash,
                                 uint64_t since_ms)
{
    uint64_t oldest = 0;

    if (index->newest_day >= INDEX_EVENT_DAYS)
        oldest = index->newest_day - INDEX_EVENT_DAYS + 1;
    if (since_ms / DAY_MS > oldest)
        oldest = since_ms / DAY_MS;
    return (struct index_lookup){.index = index,
                                 .family = family,
                                 .place = place_of(hash),
                                 .day = index->newest_day,
                                 .oldest_day = oldest};
}

static bool next_in(struct index_lookup *lookup, const struct index_table *table,
                    uint64_t *number_out)
{
    return table_next(table, lookup->place, &lookup->file, &lookup->steps, number_out);
}

static bool next_event(struct index_lookup *lookup, uint64_t *number_out)
{
    for (; lookup->day >= lookup->oldest_day; lookup->day--, lookup->file = 0, lookup->steps = 0) {
        struct generation *generation = &lookup->index->events[lookup->day % INDEX_EVENT_DAYS];
        bool is_there = table_is_open(&generation->table) && generation->day == lookup->day;

        if (is_there && next_in(lookup, &generation->table, number_out))
            return true;
        if (lookup->day == 0)
            return false;
    }
    return false;
}

bool index_next(struct index_lookup *lookup, uint64_t *number_out)
{
    if (lookup->family == INDEX_EVENT)
        return next_event(lookup, number_out);
    return next_in(lookup, &lookup->index->identity, number_out);
}

/* --- expiry --------------------------------------------------------------- */

void index_expire(struct index *index, uint64_t now_ms)
{
    uint64_t today = now_ms / DAY_MS;

    for (int i = 0; i < INDEX_EVENT_DAYS; i++) {
        struct generation *generation = &index->events[i];
        if (table_is_open(&generation->table) && generation->day + INDEX_EVENT_DAYS <= today)
            drop(generation);
    }
}

uint64_t index_bytes(const struct index *index)
{
    uint64_t bytes = table_bytes(&index->identity);

    for (int i = 0; i < INDEX_EVENT_DAYS; i++)
        bytes += table_bytes(&index->events[i].table);
    return bytes;
}
