/* hotlead replay --playbook: who would have been called when, beside who was. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/id.h"
#include "proto/memory.h"
#include "server/maintain_retell.h"
#include "server/simulate_retell.h"

struct run {
    const struct retell_words *words;
    struct journal *journal;
    struct journal_reader *reader;
    struct effect_genesis genesis;
    const struct playbook *playbook;
    struct retell *retell;
    uint64_t last_ms;
    enum status status;
};

/* One person's, or everybody's. */
struct tally_of {
    uint64_t entries, calls, sent, skipped;
    uint64_t first_call_ms; /* 0: none */
};

/* --- reading ---------------------------------------------------------------------------------- */

static bool on_record(void *owner, uint64_t seq, enum status status,
                      const struct record_view *record)
{
    struct run *run = owner;

    if (status == STATUS_OK && record->header.now_ms > run->words->until_ms)
        return false;
    if (status == STATUS_OK)
        status = retell_record(run->retell, record);
    if (status == STATUS_OK)
        run->last_ms = record->header.now_ms;
    else
        fprintf(stderr, "hotlead: record %" PRIu64 " cannot be told again: %s\n", seq,
                status_text(status));
    run->status = status;
    return status == STATUS_OK;
}

static enum status read_genesis(struct run *run)
{
    struct record_view record;
    enum status status = journal_read(run->reader, 1, &record);

    if (status == STATUS_OK &&
        !effect_find(&record, EFFECT_GENESIS, &run->genesis, sizeof(run->genesis)))
        status = STATUS_CORRUPT;
    journal_reader_release(run->reader);
    return status;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_time(uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[32];

    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    printf("%s.%03uZ", text, (unsigned)(ms % 1000));
}

/* The same at the same time: then one line says it for both. */
static bool is_same(const struct run *run, const struct retold *a, const struct retold *b)
{
    char bytes[2][256];
    struct text names[2] = {text_over(bytes[0], 256), text_over(bytes[1], 256)};

    if (a->person != b->person || a->ms != b->ms || a->channel != b->channel ||
        a->skip != b->skip || a->real == b->real)
        return false;
    retell_name(run->retell, a, &names[0]);
    retell_name(run->retell, b, &names[1]);
    return slice_equal(text_slice(&names[0]), text_slice(&names[1]));
}

static void print_entry(const struct run *run, const struct retold *entry, const char *whose)
{
    char bytes[256];
    struct text name = text_over(bytes, sizeof(bytes));

    retell_name(run->retell, entry, &name);
    fputs("  ", stdout);
    print_time(entry->ms);
    printf(" %-8s %s %.*s", whose, task_channel_name((enum task_channel)entry->channel),
           (int)name.length, name.bytes);
    printf(entry->skip != SKIP_NONE ? " skipped=%s\n" : "\n", skip_name((enum skip)entry->skip));
}

static void count(struct tally_of *tally, const struct retold *entry)
{
    tally->entries++;
    if (entry->skip != SKIP_NONE) {
        tally->skipped++;
        return;
    }
    if (entry->channel != TASK_CALL) {
        tally->sent++;
        return;
    }
    tally->calls++;
    if (tally->first_call_ms == 0)
        tally->first_call_ms = entry->ms;
}

static bool is_asked_for(const struct run *run, const struct retold_person *person)
{
    char id[ID_TEXT_LENGTH];

    if (!run->words->person)
        return true;
    id_format(id, &run->genesis.id_key, ID_PERSON, person->first_ms, person->number);
    return strlen(run->words->person) == sizeof(id) &&
           memcmp(run->words->person, id, sizeof(id)) == 0;
}

static bool is_there(const struct run *run, const struct retelling *told)
{
    for (size_t i = 0; i < told->person_count; i++)
        if (is_asked_for(run, &told->people[i]))
            return true;
    return run->words->person == NULL;
}

static void print_head(const struct run *run, const struct retold_person *person)
{
    char id[ID_TEXT_LENGTH];

    id_format(id, &run->genesis.id_key, ID_PERSON, person->first_ms, person->number);
    printf("person %.*s since ", (int)sizeof(id), id);
    print_time(person->first_ms);
    fputs(person->other == 0 ? " (erased: cannot be told again)\n" : "\n", stdout);
}

/* Entries from `at` on that are of one person; the first of the next one's comes back. */
static size_t print_person(const struct run *run, const struct retelling *told, size_t at,
                           struct tally_of tallies[2])
{
    const struct retold *entries = told->entries;
    uint32_t person = entries[at].person;
    bool asked = is_asked_for(run, &told->people[person]);
    size_t next;

    if (asked)
        print_head(run, &told->people[person]);
    for (; at < told->entry_count && entries[at].person == person; at = next) {
        bool both = at + 1 < told->entry_count && is_same(run, &entries[at], &entries[at + 1]);
        next = at + 1 + both;
        if (entries[at].ms < run->words->from_ms)
            continue;
        for (size_t i = at; i < next; i++)
            count(&tallies[!entries[i].real], &entries[i]);
        if (asked)
            print_entry(run, &entries[at], both ? "both" : entries[at].real ? "real" : "playbook");
    }
    return at;
}

static void add(struct tally_of *sum, const struct tally_of *one)
{
    sum->entries += one->entries;
    sum->calls += one->calls;
    sum->sent += one->sent;
    sum->skipped += one->skipped;
}

static void print_pair(const char *name, uint64_t real, uint64_t other)
{
    printf("%s real=%" PRIu64 " playbook=%" PRIu64 "\n", name, real, other);
}

static void print_all(const struct run *run, const struct retelling *told)
{
    struct tally_of sums[2] = {{0}};
    uint64_t sooner = 0, later = 0, alike = 0, called[2] = {0};

    for (size_t at = 0; at < told->entry_count;) {
        struct tally_of tallies[2] = {{0}};
        uint64_t first[2];
        at = print_person(run, told, at, tallies);
        for (int i = 0; i < 2; i++) {
            add(&sums[i], &tallies[i]);
            first[i] = tallies[i].first_call_ms;
            called[i] += first[i] != 0;
        }
        if (first[0] == 0 || first[1] == 0)
            continue;
        sooner += first[1] < first[0];
        later += first[1] > first[0];
        alike += first[1] == first[0];
    }
    printf("people %zu\noptins %" PRIu64 "\nerased %" PRIu64 "\n", told->person_count, told->optins,
           told->erased);
    print_pair("calls", sums[0].calls, sums[1].calls);
    printf("calls_a_person real=%.2f playbook=%.2f\n",
           told->person_count ? (double)sums[0].calls / (double)told->person_count : 0,
           told->person_count ? (double)sums[1].calls / (double)told->person_count : 0);
    print_pair("people_called", called[0], called[1]);
    printf("first_call sooner=%" PRIu64 " same=%" PRIu64 " later=%" PRIu64 "\n", sooner, alike,
           later);
    print_pair("sent", sums[0].sent, sums[1].sent);
    print_pair("skipped", sums[0].skipped, sums[1].skipped);
    printf("outcomes %" PRIu64 "\noutcomes_without_a_task %" PRIu64 "\noutcomes_refused %" PRIu64
           "\n",
           told->reports, told->homeless, told->refused);
}

/* --- the run ------------------------------------------------------------------------------------
 */

static int print_until(const struct run *run, uint64_t until_ms)
{
    const struct retelling *told = retell_end(run->retell, until_ms);

    if (!is_there(run, told))
        return maintain_fail("there was no such person: ", run->words->person);
    print_all(run, told);
    return 0;
}

static int tell(struct run *run)
{
    enum status status = read_genesis(run);
    int code;

    if (status != STATUS_OK)
        return maintain_fail_as("the journal cannot be read; run hotlead fsck", status);
    run->retell = retell_open(&run->genesis, run->playbook);
    status = journal_scan(run->reader, 2, on_record, run);
    if (status == STATUS_OK)
        status = run->status;
    if (status == STATUS_OK) {
        uint64_t until_ms =
            run->words->until_ms != UINT64_MAX ? run->words->until_ms : run->last_ms;
        code = print_until(run, until_ms);
    } else {
        code = maintain_fail_as("the journal could not be told again; run hotlead fsck", status);
    }
    retell_close(run->retell);
    return code;
}

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    const struct run *run = owner;

    fprintf(stderr, "%s:%u:%u: %s\n", complaint->at.base ? "default" : run->words->playbook,
            complaint->at.line, complaint->at.column, complaint->text);
}

static bool open_playbook(struct run *run)
{
    struct slice shipped = playbook_default();
    char *bytes = memory_take(PLAYBOOK_FILE_MAX + 1);
    bool is_shipped = strcmp(run->words->playbook, "default") == 0;
    FILE *file = is_shipped ? NULL : fopen(run->words->playbook, "re");
    enum status status = STATUS_NOT_FOUND;

    if (is_shipped)
        status = playbook_open(shipped, on_complaint, run, &run->playbook);
    else if (file)
        status = playbook_open((struct slice){bytes, fread(bytes, 1, PLAYBOOK_FILE_MAX + 1, file)},
                               on_complaint, run, &run->playbook);
    if (status != STATUS_OK)
        maintain_fail_as(run->words->playbook, status);
    if (file)
        fclose(file);
    free(bytes);
    return status == STATUS_OK;
}

int maintain_retell(struct maintain_job *job, const struct retell_words *words)
{
    struct run run = {.words = words};

    if (!open_playbook(&run))
        return EXIT_USAGE;
    int code = EXIT_FAILED;
    if (maintain_open_journal(job, job->journal, &run.journal) == STATUS_OK) {
        enum status status = journal_reader_open(run.journal, &run.reader);
        code = status == STATUS_OK ? tell(&run) : maintain_fail_as(job->journal, status);
        journal_reader_close(run.reader);
        journal_close(run.journal);
    }
    playbook_close(run.playbook);
    return code;
}
