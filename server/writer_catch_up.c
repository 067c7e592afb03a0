#include "server/writer_internal.h"

#define FOLD_SLICE 2000 /* records between two looks at the hand-over */

void writer_reload_registry(struct writer *writer)
{
    struct journal_reader *reader;
    enum status result = journal_reader_open(writer->journal, &reader);

    registry_clear(recovery_registry(writer->recovery));
    if (result == STATUS_OK) {
        result =
            recovery_read_registry(reader, writer->admin_seq, recovery_registry(writer->recovery));
        journal_reader_close(reader);
    }
    if (result != STATUS_OK)
        writer_die(writer, "the settings cannot be read", result);
}

/* Brings state back to what the journal has, after a batch that is lost. */
void writer_refold(struct writer *writer)
{
    bool done;
    enum status result;

    state_abort(writer->state);
    engine_listen(writer->engine, NULL, NULL);
    result = recovery_fold(writer->recovery, UINT64_MAX, &done);
    engine_listen(writer->engine, writer_on_outbox, writer);
    writer->dirty_since_ms = 0;
    writer->dirty_records = 0;
    writer->adopted = 0;
    writer->behind = result == STATUS_DISK_FULL;
    atomic_store(&writer->stalled, result == STATUS_DISK_FULL);
    if (result != STATUS_OK && result != STATUS_DISK_FULL)
        writer_die(writer, "state cannot be brought up to the journal", result);
}

/* State is behind (a rebuild, or no room for it): opt-ins are kept as they came, the rest waits. */
void writer_receive(struct writer *writer, const struct command_batch *batch)
{
    uint64_t last = journal_last_seq(writer->journal), appended = 0;
    enum status result;

    if (batch->count == 0)
        return;
    result = journal_begin(writer->journal);

    for (unsigned i = 0; result == STATUS_OK && i < batch->count; i++) {
        const struct command *command = &batch->commands[i];
        struct settlement settlement;
        struct turn turn = {
            .seq = last + appended + 1, .admin_seq = writer->admin_seq, .now_ms = writer->last_ms};

        if (command->kind != COMMAND_OPTIN) {
            writer_settle_as(writer, command, STATUS_BUSY);
            continue;
        }
        if (command->now_ms > turn.now_ms)
            turn.now_ms = writer->last_ms = command->now_ms;
        if (engine_receive(writer->engine, command, &turn, &writer->record, &settlement) ==
            STATUS_OK) {
            result = journal_append(writer->journal, &writer->record);
            appended++;
        }
        writer_settle(writer, &settlement);
    }
    if (result == STATUS_OK)
        result = writer_commit_journal(writer, appended);
    if (result == STATUS_OK)
        return;
    if (result != STATUS_DISK_FULL)
        writer_die(writer, "the journal cannot be written", result);
    journal_abort(writer->journal);
    writer->result->count = 0;
    for (unsigned i = 0; i < batch->count; i++)
        writer_settle_as(writer, &batch->commands[i], STATUS_DISK_FULL);
}

static bool is_undecided(const struct state_meta *meta)
{
    return meta->received_last > meta->received_seq;
}

struct undecided {
    enum status status; /* CORRUPT: there is none, or it cannot be read, or what may be it */
    struct record_view record;
};

/* A record that cannot be read is not passed over: somebody was told yes for it. */
static bool find_undecided(void *owner, uint64_t seq, enum status status,
                           const struct record_view *record)
{
    struct undecided *undecided = owner;

    (void)seq;
    if (status == STATUS_OK && record->header.kind != RECORD_RECEIVED)
        return true;
    undecided->status = status;
    undecided->record = *record;
    return false;
}

/* Decides up to `most` received opt-ins, in the order in which they came, in one batch. */
static enum status decide_received(struct writer *writer, unsigned most)
{
    const struct state_meta *meta = state_meta(writer->state);
    uint64_t before = meta->folded_seq;
    size_t told = writer->result->operation_count;
    struct journal_reader *reader = NULL;
    enum status result = journal_reader_open(writer->journal, &reader);

    if (result == STATUS_OK)
        result = journal_begin(writer->journal);
    if (result == STATUS_OK)
        result = state_begin(writer->state);
    for (unsigned i = 0; result == STATUS_OK && i < most && is_undecided(meta); i++) {
        uint64_t from = meta->received_seq >= meta->received_first ? meta->received_seq + 1
                                                                   : meta->received_first;
        struct undecided undecided = {.status = STATUS_CORRUPT};
        struct turn turn = writer_turn(writer, clock_now_ms(writer->options.clock));

        result = journal_scan(reader, from, find_undecided, &undecided);
        if (result == STATUS_OK)
            result = undecided.status;
        if (result == STATUS_OK)
            result =
                engine_decide_received(writer->engine, &undecided.record, &turn, &writer->record);
        if (result == STATUS_OK)
            result = writer_keep(writer);
        journal_reader_release(reader);
    }
    if (result == STATUS_OK)
        result = writer_commit_journal(writer, meta->folded_seq - before);
    if (result == STATUS_OK)
        result = state_commit(writer->state);
    else
        writer->result->operation_count = told; /* what is not in the journal never happened */
    if (reader != NULL)
        journal_reader_close(reader);
    return result;
}

/* One step of catching up; true: state has all of the journal and nothing is undecided. What the
 * records of the past put into the outbox is found there; only new decisions are told. */
bool writer_catch_up(struct writer *writer)
{
    bool done = false;
    enum status result;

    engine_listen(writer->engine, NULL, NULL);
    result = recovery_fold(writer->recovery, FOLD_SLICE, &done);
    if (atomic_load(&writer->ready_flag))
        engine_listen(writer->engine, writer_on_outbox, writer);
    if (result == STATUS_OK && done && is_undecided(state_meta(writer->state))) {
        result = decide_received(writer, FOLD_SLICE);
        done = !is_undecided(state_meta(writer->state));
        if (result == STATUS_DISK_FULL) {
            journal_abort(writer->journal);
            state_abort(writer->state);
        }
    }
    if (result != STATUS_OK && result != STATUS_DISK_FULL)
        writer_die(writer, "state cannot be brought up to the journal", result);
    writer->behind = result != STATUS_OK || !done;
    atomic_store(&writer->stalled, result == STATUS_DISK_FULL);
    return !writer->behind;
}

void writer_catch_up_all(struct writer *writer)
{
    struct command_batch *batch;

    while (!writer_catch_up(writer)) {
        batch = writer_take(writer, atomic_load(&writer->stalled) ? WRITER_STATE_RETRY_MS : 0);
        if (batch == NULL)
            return;
        writer_receive(writer, batch);
        writer_result_hand_over(writer);
    }
    writer->counted = *state_meta(writer->state);
    engine_listen(writer->engine, writer_on_outbox, writer);
    writer->judge_from_ms = clock_monotonic_ms() + writer->options.judge_after_ms;
    atomic_store(&writer->ready_flag, true);
    writer->result->ready = true;
    writer_result_hand_over(writer);
}
