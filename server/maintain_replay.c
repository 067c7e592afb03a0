/* hotlead replay: the state as it was at a moment. Apply copies what records say and nothing else,
 * so folding the journal up to then gives the rows that there were, whatever version decided them;
 * into a state of its own, so that the folder itself is only read, and a server may work on it. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/id.h"
#include "proto/optin.h"
#include "proto/zone.h"
#include "server/engine.h"
#include "server/maintain.h"
#include "server/maintain_job.h"
#include "server/maintain_person.h"
#include "server/maintain_retell.h"

#define COMMIT_EACH 4096 /* records, as a rebuild does */

struct replay_words {
    const char *asof, *out, *person;
    const char *from, *until; /* with a playbook */
    uint64_t asof_ms;
    struct retell_words retell;
};

/* The state that is made, and what makes it. */
struct replay {
    struct maintain_job *job;
    const struct replay_words *words;
    char folder[PATH_MAX];
    struct journal *journal;
    struct journal_reader *reader;
    struct effect_genesis genesis;
    struct registry *registry;
    struct state *state;
    struct index *index;
    struct engine *engine;
    uint64_t until_seq;
    enum status status; /* of the fold */
};

/* --- the moment ------------------------------------------------------------------------------ */

/* "1800000000000", "2027-01-15T08:00:00Z", "...+01:00", "2027-01-15T09:00 Europe/Berlin". */
static bool read_moment(const char *text, uint64_t *ms_out)
{
    const char *space = strrchr(text, ' ');
    const struct zone *zone = space ? zone_find(slice_of(space + 1)) : NULL;
    struct civil civil;

    if (!zone)
        return optin_parse_time(slice_of(text), ms_out);
    if (!optin_parse_time((struct slice){text, (size_t)(space - text)}, ms_out))
        return false;
    /* Read as UTC, it shows what the zone's clocks showed. */
    zone_civil(zone_utc(), *ms_out, &civil);
    *ms_out = zone_moment(zone, &civil);
    return true;
}

/* The last record that is not later; times never go back, so it is found by halves. */
static enum status find_until(struct replay *replay)
{
    uint64_t low = 0, high = journal_last_seq(replay->journal);
    enum status status = STATUS_OK;

    while (low < high && status == STATUS_OK) {
        uint64_t middle = low + (high - low + 1) / 2;
        struct record_view record;
        status = journal_read(replay->reader, middle, &record);
        if (status == STATUS_OK && record.header.now_ms <= replay->words->asof_ms)
            low = middle;
        else
            high = middle - 1;
    }
    journal_reader_release(replay->reader);
    replay->until_seq = low;
    return status;
}

/* --- the folder ------------------------------------------------------------------------------- */

static bool make_folder(struct replay *replay)
{
    const char *out = replay->words->out;

    if (out)
        return snprintf(replay->folder, PATH_MAX, "%s", out) < PATH_MAX && maintain_is_empty(out) &&
               (mkdir(out, 0700) == 0 || errno == EEXIST);
    return maintain_join(replay->folder, maintain_scratch(), "hotlead-replay-XXXXXX") &&
           mkdtemp(replay->folder);
}

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(const struct replay *replay)
{
    if (!replay->words->out && nftw(replay->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        maintain_fail("this folder could not be removed: ", replay->folder);
}

/* --- the fold --------------------------------------------------------------------------------- */

static enum status read_genesis(struct replay *replay)
{
    struct record_view record;
    enum status status = journal_read(replay->reader, 1, &record);

    if (status == STATUS_OK &&
        !effect_find(&record, EFFECT_GENESIS, &replay->genesis, sizeof replay->genesis))
        status = STATUS_CORRUPT;
    journal_reader_release(replay->reader);
    return status;
}

static enum status open_engine(struct replay *replay)
{
    char rows[PATH_MAX], index[PATH_MAX];
    const struct state_options state = {.directory = rows,
                                        .map_bytes = replay->job->config.state_map_bytes,
                                        .log = replay->job->log};

    if (!maintain_join(rows, replay->folder, "rows") ||
        !maintain_join(index, replay->folder, "index"))
        return STATUS_INVALID;
    replay->registry = registry_open();
    enum status status = replay->registry ? state_open(&state, &replay->state) : STATUS_BUSY;
    if (status == STATUS_OK)
        status = index_open(index, true, &replay->index);
    const struct engine_options options = {.journal = replay->journal,
                                           .state = replay->state,
                                           .index = replay->index,
                                           .registry = replay->registry,
                                           .hash_key = &replay->genesis.hash_key,
                                           .id_key = &replay->genesis.id_key};
    return status == STATUS_OK ? engine_open(&options, &replay->engine) : status;
}

static bool on_record(void *owner, uint64_t seq, enum status status,
                      const struct record_view *record)
{
    struct replay *replay = owner;

    if (status == STATUS_OK)
        status = engine_apply(replay->engine, record);
    if (status == STATUS_OK && seq % COMMIT_EACH == 0)
        status = state_commit_live(replay->state, false);
    if (status == STATUS_CORRUPT)
        fprintf(stderr, "hotlead: record %" PRIu64 " is damaged: run hotlead fsck\n", seq);
    replay->status = status;
    return status == STATUS_OK && seq < replay->until_seq;
}

static enum status fold(struct replay *replay)
{
    enum status status = read_genesis(replay);

    if (status == STATUS_OK)
        status = open_engine(replay);
    if (status == STATUS_OK)
        status = journal_scan(replay->reader, 1, on_record, replay);
    if (status == STATUS_OK)
        status = replay->status;
    return status == STATUS_OK ? state_commit(replay->state) : status;
}

static void close_all(struct replay *replay)
{
    engine_close(replay->engine);
    index_close(replay->index);
    state_close(replay->state);
    if (replay->registry)
        registry_close(replay->registry);
}

/* --- what is shown ---------------------------------------------------------------------------- */

static int show(struct replay *replay)
{
    struct state_reader *rows;
    enum status status = state_reader_open(replay->state, &rows);

    if (status != STATUS_OK)
        return maintain_fail_as("the state cannot be read", status);
    const struct maintain_person_view view = {.rows = rows,
                                              .journal = replay->reader,
                                              .registry = replay->registry,
                                              .id_key = &replay->genesis.id_key};
    if (replay->words->person)
        status = maintain_print_person(&view, slice_of(replay->words->person), stdout);
    else
        status = state_dump(rows, stdout);
    state_reader_close(rows);
    if (status == STATUS_NOT_FOUND)
        return maintain_fail("there was no such person then: ", replay->words->person);
    return status == STATUS_OK ? 0 : maintain_fail_as("the state cannot be printed", status);
}

static int replay_into_folder(struct replay *replay)
{
    enum status status = fold(replay);
    int code = status == STATUS_OK
                   ? show(replay)
                   : maintain_fail_as("the journal cannot be applied to a state", status);

    close_all(replay);
    return code;
}

static int replay_until(struct replay *replay)
{
    enum status status = find_until(replay);

    if (status != STATUS_OK)
        return maintain_fail_as("the journal cannot be read; run hotlead fsck", status);
    if (replay->until_seq == 0)
        return maintain_fail("nothing had been written yet: ", replay->words->asof);
    if (!make_folder(replay))
        return maintain_fail("it has to be an empty folder: ", replay->folder);
    int code = replay_into_folder(replay);
    remove_folder(replay);
    return code;
}

static int run_replay(struct maintain_job *job)
{
    struct replay replay = {.job = job, .words = job->own};

    if (maintain_open_journal(job, job->journal, &replay.journal) != STATUS_OK)
        return EXIT_FAILED;
    enum status status = journal_reader_open(replay.journal, &replay.reader);
    int code = status == STATUS_OK ? replay_until(&replay) : maintain_fail_as(job->journal, status);
    journal_reader_close(replay.reader);
    journal_close(replay.journal);
    return code;
}

static int run_retell(struct maintain_job *job)
{
    const struct replay_words *words = job->own;

    return maintain_retell(job, &words->retell);
}

/* A moment that may be left out. */
static bool read_bound(const char *text, uint64_t otherwise, uint64_t *ms_out)
{
    *ms_out = otherwise;
    return !text || read_moment(text, ms_out) ||
           (maintain_fail(
                "this is no time that can be read (in ms since 1970 it is 100000000000 or "
                "more); see --help: ",
                text),
            false);
}

/* Either a moment, or a playbook. */
static bool understand(struct replay_words *words)
{
    if (!words->asof == !words->retell.playbook)
        return maintain_fail("say --asof TIME, or --playbook FILE; see --help", ""), false;
    if (words->asof && (words->from || words->until))
        return maintain_fail("--from and --until go with --playbook; see --help", ""), false;
    if (words->retell.playbook && words->out)
        return maintain_fail("--out goes with --asof; see --help", ""), false;
    words->retell.person = words->person;
    return read_bound(words->asof, 0, &words->asof_ms) &&
           read_bound(words->from, 0, &words->retell.from_ms) &&
           read_bound(words->until, UINT64_MAX, &words->retell.until_ms) &&
           (words->retell.from_ms <= words->retell.until_ms ||
            (maintain_fail("--from is later than --until", ""), false));
}

int maintain_replay(int argc, char **argv)
{
    struct replay_words words = {0};
    struct maintain_job job = {.own = &words};
    const struct maintain_flag flags[] = {{.name = "--asof", .value = &words.asof},
                                          {.name = "--out", .value = &words.out},
                                          {.name = "--person", .value = &words.person},
                                          {.name = "--playbook", .value = &words.retell.playbook},
                                          {.name = "--from", .value = &words.from},
                                          {.name = "--until", .value = &words.until},
                                          {.name = NULL}};
    int code = maintain_open(
        &job, flags,
        "replay --data DIR --asof TIME [--person ID] [--out NEW-DIR]\n"
        "       hotlead replay --data DIR --playbook FILE [--from TIME] [--until TIME] [--person "
        "ID]",
        "Shows the state as it was at a time, as `hotlead dump` does: the journal is folded up to\n"
        "then, into a state of its own. Reads only; works beside a running server.\n\n"
        "  --asof TIME    ms since 1970; or 2027-01-15T08:00:00Z, 2027-01-15T09:00+01:00,\n"
        "                 \"2027-01-15T09:00 Europe/Berlin\"; without a zone it is UTC\n"
        "  --person ID    only this person: what was known, what was open, and all that had been\n"
        "  --out NEW-DIR  the state stays there; else it lies in TMPDIR, or /var/tmp, and is "
        "removed\n\n"
        "With a playbook: who would have been called when, had all agencies gone by it. What came\n"
        "in and what was reported is decided once more, at its time, and each task and each step\n"
        "that was left out stands beside the real ones; behind them what that comes to. Needs\n"
        "memory for the journal, about twice its length.\n\n"
        "  --playbook F   as for `hotlead playbook check`; `default` is the shipped one\n"
        "  --from TIME    only tasks and steps of then and later are shown and counted; people,\n"
        "                 opt-ins and outcomes are counted all the same\n"
        "  --until TIME   what came later is left out; also a time to come [the last record's]\n"
        "  --person ID    only this person is shown\n"
        "\n",
        argc, argv);

    if (code < 0 && !understand(&words))
        code = EXIT_USAGE;
    maintain_work_fn *work = words.retell.playbook ? run_retell : run_replay;
    return maintain_close(&job, code < 0 ? maintain_apart(work, &job, "the journal") : code);
}
