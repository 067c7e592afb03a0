/* What stands in Redis beside what should stand there. Pops leave no trace until the server's watch
 * has seen them, and pushes and withdrawals are on their way for a moment: so what does not fit is
 * a suspect first. It is looked at again, and named only when neither its task nor Redis has
 * changed.
 */
#include <stdlib.h>
#include <unistd.h>

#include "proto/memory.h"
#include "server/audit_internal.h"

#define LOOKS_BESIDE                                                                               \
    10 /* a second apart: the watch looks once a second, a reconcile takes some                    \
        */

/* --- the first look --------------------------------------------------------------------------- */

static void see_member(struct audit *audit, const struct audit_member *member)
{
    struct audit_row row = {
        .table = AUDIT_REDIS, .side = 1, .task = member->task, .opened_ms = member->opened_ms};
    uint32_t queue = htobe32(member->queue), delivery = htobe32(member->delivery);
    uint64_t task = htobe64(member->task);

    memcpy(row.key, &queue, sizeof queue);
    memcpy(row.key + 4, &task, sizeof task);
    memcpy(row.key + 12, &delivery, sizeof delivery);
    row.value[0] = member->hash;
    row.value[1] = member->score;
    audit_sort_add(audit->rows, &row);
}

void audit_see_queues(struct audit *audit)
{
    audit_queues(audit, false, see_member);
}

static uint64_t score_of(uint64_t rank)
{
    double number = (double)rank;
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double number_of(uint64_t score)
{
    double number;

    memcpy(&number, &score, sizeof number);
    return number;
}

static struct audit_about about_row(const struct audit_row *row)
{
    return (struct audit_about){.person = row->person,
                                .first_ms = row->first_ms,
                                .task = row->task,
                                .opened_ms = row->opened_ms};
}

/* `row` says whom it is about; `seen`, NULL when nothing is there, what is. */
static void suspect(struct audit *audit, const struct audit_row *row, const struct audit_row *seen,
                    enum audit_doubt doubt)
{
    struct audit_suspect *found;
    uint32_t queue = audit_be32(row->key);

    if (audit->suspect_count == AUDIT_SUSPECTS_MAX) {
        audit_fail(audit, STATUS_BUSY);
        return;
    }
    if (!audit->suspects)
        audit->suspects = memory_take(AUDIT_SUSPECTS_MAX * sizeof *audit->suspects);
    found = &audit->suspects[audit->suspect_count++];
    *found = (struct audit_suspect){.about = about_row(row),
                                    .hash = seen ? seen->value[0] : 0,
                                    .score = seen ? seen->value[1] : 0,
                                    .rank = row->value[1],
                                    .queue = queue,
                                    .delivery = (uint16_t)audit_be32(row->key + 12),
                                    .doubt = (uint8_t)doubt};
    audit->queues[queue].doubtful = true;
}

static bool was_pushed(const struct audit *audit, const struct audit_row *expected)
{
    return expected->value[0] <= audit->queues[audit_be32(expected->key)].mark;
}

static void judge_missing(struct audit *audit, const struct audit_row *expected)
{
    if (expected->must && was_pushed(audit, expected))
        suspect(audit, expected, NULL, DOUBT_MISSING);
    else if (expected->must)
        audit->result->unpushed++;
}

/* `expected`: NULL when nothing should be there. */
static void judge_member(struct audit *audit, const struct audit_row *expected,
                         const struct audit_row *seen)
{
    bool is_list = audit->queues[audit_be32(seen->key)].is_list;

    if (!expected)
        suspect(audit, seen, seen, DOUBT_NOT_OPEN);
    else if (!expected->must)
        suspect(audit, expected, seen, DOUBT_HELD);
    else if (!was_pushed(audit, expected))
        return; /* what moves it, or takes its place, is on its way */
    else if (!audit_is_as_put(audit, expected, seen->value[0]))
        suspect(audit, expected, seen, DOUBT_ALTERED);
    else if (!is_list && seen->value[1] != score_of(expected->value[1]))
        suspect(audit, expected, seen, DOUBT_MISPLACED);
}

static void finish(struct audit *audit)
{
    if (audit->expects && !audit->expected_seen)
        judge_missing(audit, &audit->expected);
    audit->expects = false;
}

static void begin(struct audit *audit, const struct audit_row *expected)
{
    const struct audit_about about = about_row(expected);
    uint32_t queue = audit_be32(expected->key);

    audit->expected = *expected;
    audit->expected_seen = false;
    audit->expects = queue < AUDIT_QUEUES_MAX && audit->queues[queue].name[0];
    if (!audit->expects)
        audit_tell(audit, &about, "the task is open on a queue that there never was");
}

/* What should be there comes before what is, under the same key; a page may bring a member twice,
 * and the two lie side by side. */
void audit_judge_queue_row(struct audit *audit, const struct audit_row *row)
{
    if (!audit->link || audit->redis_failed)
        return;
    if (!row || memcmp(audit->expected.key, row->key, sizeof row->key) != 0)
        finish(audit);
    if (!row || memcmp(&audit->seen, row, sizeof *row) == 0)
        return;
    if (row->side == 0) {
        begin(audit, row);
        return;
    }
    audit->seen = *row;
    audit->expected_seen = true;
    judge_member(audit, audit->expects ? &audit->expected : NULL, row);
}

/* --- further looks ------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    const struct audit_suspect *x = a, *y = b;

    return (x->about.task > y->about.task) - (x->about.task < y->about.task);
}

/* Those of a task lie side by side: of several deliveries, or queues. */
static struct audit_suspect *first_of(struct audit *audit, uint64_t task)
{
    size_t low = 0, high = audit->suspect_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (audit->suspects[middle].about.task < task)
            low = middle + 1;
        else
            high = middle;
    }
    return audit->suspects + low;
}

static bool is_of(const struct audit *audit, const struct audit_suspect *suspect, uint64_t task)
{
    return suspect < audit->suspects + audit->suspect_count && suspect->about.task == task;
}

/* A record that is newer than the look: what it made of the task is not known here. */
static void clear_changed(struct audit *audit, const struct audit_fact *fact)
{
    uint64_t task = be64toh(fact->task);
    struct audit_suspect *suspect = first_of(audit, task);

    if (fact->kind != FACT_TASK && fact->kind != FACT_POPPED && fact->kind != FACT_TASK_END)
        return;
    for (; is_of(audit, suspect, task); suspect++)
        suspect->cleared = true;
}

static bool is_same(const struct audit_suspect *suspect, const struct audit_member *member)
{
    return suspect->queue == member->queue && suspect->delivery == member->delivery;
}

/* What is wrong with a member is so as long as that one stands there. */
static bool is_still_there(const struct audit_suspect *suspect, const struct audit_member *member)
{
    bool any = suspect->doubt != DOUBT_ALTERED && suspect->doubt != DOUBT_MISPLACED;

    return is_same(suspect, member) &&
           (any || (suspect->hash == member->hash && suspect->score == member->score));
}

static void note_there(struct audit *audit, const struct audit_member *member)
{
    struct audit_suspect *suspect = first_of(audit, member->task);

    for (; is_of(audit, suspect, member->task); suspect++)
        suspect->there |= is_still_there(suspect, member);
}

static void note_reported(struct audit *audit, const struct audit_member *report)
{
    struct audit_suspect *suspect = first_of(audit, report->task);

    for (; is_of(audit, suspect, report->task); suspect++)
        suspect->reported |= is_same(suspect, report);
}

static bool is_cleared(const struct audit_suspect *suspect)
{
    if (suspect->doubt == DOUBT_MISSING)
        return suspect->cleared || suspect->there || suspect->reported;
    return suspect->cleared || !suspect->there;
}

/* Leaves those that are doubtful still. */
static void sift(struct audit *audit)
{
    size_t left = 0;

    for (uint32_t number = 0; number < AUDIT_QUEUES_MAX; number++)
        audit->queues[number].doubtful = false;
    for (size_t i = 0; i < audit->suspect_count; i++) {
        struct audit_suspect *suspect = &audit->suspects[i];
        if (is_cleared(suspect))
            continue;
        suspect->there = suspect->reported = false;
        audit->queues[suspect->queue].doubtful = true;
        audit->suspects[left++] = *suspect;
    }
    audit->suspect_count = left;
}

static void look(struct audit *audit)
{
    audit_queues(audit, true, note_there);
    audit_reports(audit, note_reported);
    audit_walk(audit, clear_changed, NULL); /* the tables were judged as of their snapshot */
    sift(audit);
}

static void name(struct audit *audit, const struct audit_suspect *suspect)
{
    const char *queue = audit->queues[suspect->queue].name;
    const struct audit_about *about = &suspect->about;
    unsigned delivery = suspect->delivery;

    switch ((enum audit_doubt)suspect->doubt) {
    case DOUBT_MISSING:
        audit_tell(audit, about,
                   "delivery %u is queued and does not stand in %s, nor is a report of it there%s",
                   delivery, queue,
                   audit->options->beside_server ? ""
                                                 : " (or it was popped while no server looked)");
        break;
    case DOUBT_HELD:
        audit_tell(audit, about, "delivery %u is held and stands in %s", delivery, queue);
        break;
    case DOUBT_NOT_OPEN:
        audit_tell(audit, about, "delivery %u is not open in %s and stands there", delivery, queue);
        break;
    case DOUBT_ALTERED:
        audit_tell(audit, about, "delivery %u stands in %s otherwise than it was put", delivery,
                   queue);
        break;
    case DOUBT_MISPLACED:
        audit_tell(audit, about, "delivery %u stands in %s at %.0f and was put at %.0f", delivery,
                   queue, number_of(suspect->score), (double)suspect->rank);
        break;
    }
}

void audit_look_again(struct audit *audit)
{
    unsigned looks = audit->options->beside_server ? LOOKS_BESIDE : 1;

    if (audit->suspect_count > 0)
        qsort(audit->suspects, audit->suspect_count, sizeof *audit->suspects, compare);
    for (unsigned i = 0; i < looks && audit->suspect_count > 0 && audit->status == STATUS_OK &&
                         !audit->redis_failed;
         i++) {
        if (audit->options->beside_server)
            sleep(1);
        look(audit);
    }
    for (size_t i = 0; i < audit->suspect_count; i++)
        name(audit, &audit->suspects[i]);
}
