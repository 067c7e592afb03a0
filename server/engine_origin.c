/* Where a task came from: what the record said that opened it, and what never changes. Most reports
 * come soon after their task was opened, so that of the newest ones is kept in memory. */
#include <string.h>

#include "server/engine_internal.h"

_Static_assert((ORIGINS_KEPT & (ORIGINS_KEPT - 1)) == 0, "a power of 2");

/* Two for each record: an opt-in opens a call, and perhaps an e-mail. */
static struct task_origin *place_of(struct engine *engine, uint64_t task)
{
    return &engine->origins[((task >> 3) << 1 | (task & 1)) & (ORIGINS_KEPT - 1)];
}

static struct task_origin origin_of(const struct record_view *record, const struct task_row *opened)
{
    return (struct task_origin){.task = opened->number,
                                .person = record->header.person,
                                .opened_ms = opened->opened_ms,
                                .agency = record->header.agency,
                                .queue = opened->queue,
                                .channel = opened->channel};
}

void engine_note_origin(struct engine *engine, const struct record_view *record,
                        const struct task_row *row)
{
    if (row->number >> 3 == record->header.seq)
        *place_of(engine, row->number) = origin_of(record, row);
}

/* Records that were given up are followed by others of the same numbers. */
void engine_keep_origins(struct engine *engine, uint64_t seq)
{
    if (seq <= engine->origins_seq)
        memset(engine->origins, 0, ORIGINS_KEPT * sizeof(*engine->origins));
    engine->origins_seq = seq;
}

bool engine_find_origin(struct engine *engine, uint64_t task, struct task_origin *out)
{
    uint64_t seq = task >> 3;
    struct record_view record;
    struct effect_task opened;

    *out = *place_of(engine, task);
    if (task != 0 && out->task == task && seq <= state_meta(engine->options.state)->folded_seq)
        return true;
    if (journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK ||
        !engine_find_opened(&record, task, &opened))
        return false;
    *out = origin_of(&record, &opened.row);
    return true;
}

bool engine_find_opened(const struct record_view *record, uint64_t task, struct effect_task *out)
{
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind = effect_next(record, &offset, &body);

    for (; kind != 0; kind = effect_next(record, &offset, &body)) {
        if (kind != EFFECT_TASK)
            continue;
        effect_copy(body, out, sizeof(*out));
        if (out->row.number == task)
            return true;
    }
    return false;
}
