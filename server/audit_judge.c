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
    audit_sort_add(audit->rows, &row);
}

void audit_see_queues(struct audit *audit)
{
    audit_queues(audit, false, see_member);
}

static void suspect(struct audit *audit, const struct audit_row *row, bool missing, bool known)
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
    *found = (struct audit_suspect){.about = {.person = row->person,
                                              .first_ms = row->first_ms,
                                              .task = row->task,
                                              .opened_ms = row->opened_ms},
                                    .queue = queue,
                                    .delivery = (uint16_t)audit_be32(row->key + 12),
                                    .missing = missing,
                                    .known = known};
    audit->queues[queue].doubtful = true;
}

static void judge(struct audit *audit, const struct audit_row *expected, bool seen)
{
    uint32_t queue = audit_be32(expected->key);

    if (queue >= AUDIT_QUEUES_MAX || !audit->queues[queue].name[0])
        audit_tell(audit,
                   &(struct audit_about){.person = expected->person,
                                         .first_ms = expected->first_ms,
                                         .task = expected->task,
                                         .opened_ms = expected->opened_ms},
                   "the task is open on a queue that there never was");
    else if (seen && !expected->must)
        suspect(audit, expected, false, true);
    else if (!seen && expected->must && expected->value[0] <= audit->queues[queue].mark)
        suspect(audit, expected, true, true);
    else if (!seen && expected->must)
        audit->result->unpushed++;
}

/* What should be there comes before what is, under the same key; a page may bring a member twice.
 * So each key is judged when the next one comes. */
void audit_judge_queue_row(struct audit *audit, const struct audit_row *row)
{
    struct audit_row *held = &audit->held;
    bool same = row && audit->holds && memcmp(held->key, row->key, sizeof held->key) == 0;

    if (!audit->link || audit->redis_failed)
        return;
    if (same) {
        audit->held_seen = true;
        return;
    }
    if (audit->holds && held->side == 0)
        judge(audit, held, audit->held_seen);
    else if (audit->holds)
        suspect(audit, held, false, false);
    audit->holds = row != NULL;
    audit->held_seen = false;
    if (row)
        *held = *row;
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

static struct audit_suspect *find(struct audit *audit, const struct audit_member *member)
{
    struct audit_suspect *suspect = first_of(audit, member->task);

    for (; is_of(audit, suspect, member->task); suspect++)
        if (suspect->queue == member->queue && suspect->delivery == member->delivery)
            return suspect;
    return NULL;
}

static void note_there(struct audit *audit, const struct audit_member *member)
{
    struct audit_suspect *suspect = find(audit, member);

    if (suspect)
        suspect->there = true;
}

static void note_reported(struct audit *audit, const struct audit_member *member)
{
    struct audit_suspect *suspect = find(audit, member);

    if (suspect)
        suspect->reported = true;
}

/* Leaves those that are doubtful still. */
static void sift(struct audit *audit)
{
    size_t left = 0;

    for (uint32_t number = 0; number < AUDIT_QUEUES_MAX; number++)
        audit->queues[number].doubtful = false;
    for (size_t i = 0; i < audit->suspect_count; i++) {
        struct audit_suspect *suspect = &audit->suspects[i];
        bool cleared = suspect->cleared || suspect->missing == suspect->there ||
                       (suspect->missing && suspect->reported);
        if (cleared)
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

    if (suspect->missing)
        audit_tell(audit, &suspect->about,
                   "delivery %u is queued and does not stand in %s, nor is a report of it there%s",
                   suspect->delivery, queue,
                   audit->options->beside_server ? ""
                                                 : " (or it was popped while no server looked)");
    else if (suspect->known)
        audit_tell(audit, &suspect->about, "delivery %u is held and stands in %s",
                   suspect->delivery, queue);
    else
        audit_tell(audit, &suspect->about, "delivery %u is not open and stands in %s",
                   suspect->delivery, queue);
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
