/* Interest that people show: they open what was sent, click, come by, write back. It counts for the
 * score, from which temperature and segment follow; who is hot by it is called sooner. */
#include "server/engine_internal.h"

#include "proto/report.h"

#define DAY_MS       86400000ull
#define REMEMBERS_MS (7 * DAY_MS) /* the index of events, at least */
#define LOOKS_BACK   1000         /* records of one person */

struct hash engine_signal_identity(const struct engine *engine, const struct noticed *noticed)
{
    bool of_task = noticed->task != 0;
    const uint64_t words[6] = {noticed->task, 0,
                               REPORT_SIGNAL, of_task ? 0 : noticed->person,
                               noticed->kind, of_task ? 0 : noticed->at_ms / DAY_MS};

    return hash_of(engine->options.hash_key, HASH_REPORT, 0,
                   (struct slice){(const char *)words, sizeof(words)});
}

static bool is_of(const struct record_view *record, struct hash identity)
{
    struct effect_signal effect;

    return record->header.kind == RECORD_SIGNAL &&
           effect_find(record, EFFECT_SIGNAL, &effect, sizeof(effect)) &&
           hash_equal(effect.identity, identity);
}

/* The index has forgotten what is older than a week: the person's own history has not. */
static bool stands_in_history(struct engine *engine, struct hash identity, uint64_t seq)
{
    struct record_view record;

    for (unsigned i = 0; i < LOOKS_BACK && seq != 0; i++) {
        if (journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK)
            return false;
        if (is_of(&record, identity))
            return true;
        seq = record.header.person_prev;
    }
    return false;
}

bool engine_was_noticed(struct engine *engine, const struct noticed *noticed,
                        const struct engine_person *who)
{
    struct hash identity = engine_signal_identity(engine, noticed);
    struct index_lookup lookup = index_lookup(engine->options.index, INDEX_EVENT, identity, 0);
    struct record_view record;
    uint64_t seq;

    while (index_next(&lookup, &seq))
        if (journal_batch_read(engine->options.journal, seq, &record) == STATUS_OK &&
            is_of(&record, identity))
            return true;
    return noticed->task != 0 &&
           noticed->task_opened_ms + REMEMBERS_MS <= state_meta(engine->options.state)->folded_ms &&
           stands_in_history(engine, identity, who->last_seq);
}

static uint32_t points_of(const struct playbook_score *score, enum signal_kind kind)
{
    switch (kind) {
    case SIGNAL_OPEN:
        return score->open;
    case SIGNAL_CLICK:
        return score->click;
    case SIGNAL_VISIT:
        return score->visit;
    case SIGNAL_REPLY:
        return score->reply;
    default:
        return 0;
    }
}

void life_notice(struct life *life, const struct noticed *noticed, struct effect_signal *effect)
{
    *effect = (struct effect_signal){
        .identity = engine_signal_identity(life->engine, noticed),
        .task = noticed->task,
        .at_ms = noticed->at_ms,
        .points = points_of(&life->playbook->score, noticed->kind),
        .kind = (uint8_t)noticed->kind,
    };
    life_score(life, effect->points);
    life_follow(life);
    effect->hot = life_is_hot(life);
    effect->hastened = effect->hot && life_hasten(life);
}

/* --- over HTTP --------------------------------------------------------------------------- */

static bool is_the_persons(struct engine *engine, const struct command_signal *signal)
{
    struct task_origin origin;

    return engine_find_origin(engine, signal->task, &origin) && origin.person == signal->person &&
           origin.opened_ms == signal->task_opened_ms;
}

enum status engine_decide_signal(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement)
{
    const struct command_signal *signal = &command->signal;
    const struct noticed noticed = {.person = signal->person,
                                    .task = signal->task,
                                    .task_opened_ms = signal->task_opened_ms,
                                    .at_ms = signal->at_ms,
                                    .kind = (enum signal_kind)signal->kind};
    struct effect_signal effect;
    struct engine_person who;
    struct life life;

    if (!engine_load_person(engine, signal->person, &who) ||
        who.row.first_ms != signal->person_first_ms ||
        (signal->agency != 0 && who.row.agency != signal->agency) ||
        (signal->task != 0 && !is_the_persons(engine, signal)))
        return settlement->status = STATUS_NOT_FOUND;
    if (engine_was_noticed(engine, &noticed, &who))
        return settlement->status = STATUS_DUPLICATE;
    life_begin(&life, engine, turn, &who);
    life_notice(&life, &noticed, &effect);
    engine_begin(record, RECORD_SIGNAL, turn, who.number, who.last_seq, who.row.agency);
    engine_effect(record, EFFECT_SIGNAL, &effect, sizeof(effect));
    life_end(&life, record, false);
    record_seal(record);
    settlement->points = effect.points;
    settlement->hot = effect.hot;
    return STATUS_OK;
}
