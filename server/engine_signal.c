/* Interest that people show: they open what was sent, click, come by, write back. It counts for the
 * score, from which temperature and segment follow; who is hot by it is called sooner. */
#include "server/engine_signal.h"

#include "proto/report.h"
#include "server/engine_alone.h"

#define DAY_MS 86400000ull

struct hash engine_signal_identity(const struct engine *engine, const struct noticed *noticed)
{
    bool of_task = noticed->task != 0;
    const uint64_t words[6] = {noticed->task, 0,
                               REPORT_SIGNAL, of_task ? 0 : noticed->person,
                               noticed->kind, of_task ? 0 : noticed->at_ms / DAY_MS};

    return hash_of(engine->options.hash_key, HASH_REPORT, 0,
                   (struct slice){(const char *)words, sizeof(words)});
}

bool engine_was_noticed(struct engine *engine, const struct noticed *noticed,
                        const struct engine_person *who)
{
    uint64_t since_ms = noticed->task != 0 ? noticed->task_opened_ms : noticed->at_ms;

    return engine_came_before(engine, engine_signal_identity(engine, noticed), who,
                              noticed->task >> 3, since_ms);
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
    struct effect_signal told;
    struct life alone;

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
    if (life_begin_alone(&alone, life))
        life_notice(&alone, noticed, &told);
}

/* --- over HTTP --------------------------------------------------------------------------- */

/* A task of somebody who was merged is the one's that is left. */
static bool is_theirs(struct engine *engine, const struct command_signal *signal,
                      const struct engine_person *who)
{
    struct task_origin origin;
    struct engine_person whose;

    return engine_find_origin(engine, signal->task, &origin) &&
           origin.opened_ms == signal->task_opened_ms &&
           engine_load_kept(engine, origin.person, &whose) && whose.number == who->number;
}

enum status engine_decide_signal(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement)
{
    const struct command_signal *signal = &command->signal;
    struct noticed noticed = {.task = signal->task,
                              .task_opened_ms = signal->task_opened_ms,
                              .at_ms = signal->at_ms,
                              .kind = (enum signal_kind)signal->kind};
    struct effect_signal effect;
    struct engine_person named, who;
    struct life life;

    if (!engine_load_person(engine, signal->person, &named) ||
        named.row.first_ms != signal->person_first_ms ||
        (signal->agency != 0 && named.row.agency != signal->agency) ||
        !engine_load_kept(engine, named.number, &who) ||
        (signal->task != 0 && !is_theirs(engine, signal, &who)))
        return settlement->status = STATUS_NOT_FOUND;
    noticed.person = who.number;
    if (engine_was_noticed(engine, &noticed, &named))
        return settlement->status = STATUS_DUPLICATE;
    life_begin(&life, engine, turn, &who);
    if (life.company != NULL)
        life.speaker =
            signal->task != 0 ? engine_whose_task(engine, &named, signal->task) : named.number;
    life_notice(&life, &noticed, &effect);
    engine_begin(record, RECORD_SIGNAL, turn, who.number, who.last_seq, who.row.agency);
    engine_effect(record, EFFECT_SIGNAL, &effect, sizeof(effect));
    life_end(&life, record, false);
    record_seal(record);
    settlement->points = effect.points;
    settlement->hot = effect.hot;
    return STATUS_OK;
}
