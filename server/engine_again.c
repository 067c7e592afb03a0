/* What comes once more: a report that is read from its stream again, a signal that is said again.
 * Each has an identity, under which the index of events has its record. That forgets after days,
 * but a stream does not: a quiet one, or one that comes back from an old snapshot, shows what is
 * older. By then the person's own history is looked at. */
#include "server/engine_internal.h"

#define REMEMBERED_MS (7 * 86400000ull) /* by the index of events, at least */

/* Only an extend may be said twice and mean it. */
struct hash engine_report_identity(const struct engine *engine, const struct command_report *report)
{
    uint64_t words[6] = {report->task,  report->delivery, report->op,
                         report->agent, report->outcome,  0};

    if (report->op == REPORT_EXTEND)
        words[5] = report->stream_ms * 31 + report->stream_seq;
    return hash_of(engine->options.hash_key, HASH_REPORT, 0,
                   (struct slice){(const char *)words, sizeof(words)});
}

static bool is_record_of(struct engine *engine, uint64_t seq, struct hash identity,
                         struct record_view *record)
{
    struct effect_report report;
    struct effect_signal signal;

    if (journal_batch_read(engine->options.journal, seq, record) != STATUS_OK) {
        record->header.person_prev = 0;
        return false;
    }
    return (effect_find(record, EFFECT_REPORT, &report, sizeof(report)) &&
            hash_equal(report.identity, identity)) ||
           (effect_find(record, EFFECT_SIGNAL, &signal, sizeof(signal)) &&
            hash_equal(signal.identity, identity));
}

static bool stands_in_history(struct engine *engine, uint64_t seq, uint64_t since_seq,
                              struct hash identity)
{
    struct record_view record;

    for (unsigned i = 0; i < LOOKS_BACK && seq != 0 && seq >= since_seq; i++) {
        if (is_record_of(engine, seq, identity, &record))
            return true;
        seq = record.header.person_prev;
    }
    return false;
}

/* What was said late of somebody who was merged may stand in the history of the one that is left.
 */
static bool stands_in_histories(struct engine *engine, const struct engine_person *who,
                                uint64_t since_seq, struct hash identity)
{
    struct engine_person kept;

    if (stands_in_history(engine, who->last_seq, since_seq, identity))
        return true;
    return who->row.closed == PERSON_MERGED && engine_load_kept(engine, who->number, &kept) &&
           stands_in_history(engine, kept.last_seq, since_seq, identity);
}

bool engine_came_before(struct engine *engine, struct hash identity,
                        const struct engine_person *who, uint64_t since_seq, uint64_t since_ms)
{
    struct index_lookup lookup = index_lookup(engine->options.index, INDEX_EVENT, identity, 0);
    struct record_view record;
    uint64_t seq;

    while (index_next(&lookup, &seq))
        if (is_record_of(engine, seq, identity, &record))
            return true;
    return since_ms + REMEMBERED_MS <= state_meta(engine->options.state)->folded_ms &&
           stands_in_histories(engine, who, since_seq, identity);
}

/* --- a wish that has been lifted since -------------------------------------------------------- */

static bool holds(const struct person_row *row, bool revokes, unsigned silences)
{
    return revokes ? (row->flags & PERSON_DO_NOT_CONTACT) != 0
                   : (silences & ~(unsigned)row->silenced) == 0;
}

bool engine_wishes_again(struct engine *engine, const struct engine_person *who, enum outcome wish,
                         enum task_channel channel, uint64_t said_ms)
{
    bool revokes = engine_is_revocation(wish, channel);
    struct engine_person kept;
    uint64_t seq, lifted_ms = 0;
    unsigned silences;

    if (!engine_load_kept(engine, who->number, &kept))
        return false;
    silences = engine_silenced_by(registry_playbook(engine->options.registry, kept.row.playbook),
                                  wish, channel);
    if (holds(&kept.row, revokes, silences))
        return false;
    seq = kept.last_seq;
    for (unsigned i = 0; i < LOOKS_BACK && seq != 0; i++) {
        struct record_view record;
        struct effect_person effect;

        if (journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK)
            break;
        if (effect_find(&record, EFFECT_PERSON, &effect, sizeof(effect)) &&
            effect.person == kept.number) {
            if (holds(&effect.row, revokes, silences))
                break;
            lifted_ms = record.header.now_ms;
        }
        seq = record.header.person_prev;
    }
    return said_ms > lifted_ms;
}
