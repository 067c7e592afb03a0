/* Interest that people show: shared by engine_signal.c and engine_report.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_SIGNAL_H
#define HOTLEAD_SERVER_ENGINE_SIGNAL_H

#include "server/engine_internal.h"

struct noticed {
    uint64_t person;
    uint64_t task, task_opened_ms; /* 0: of no task */
    uint64_t at_ms;
    enum signal_kind kind;
};
/* What makes it the same one: a task's counts once by kind, others once a day by kind. */
struct hash engine_signal_identity(const struct engine *engine, const struct noticed *noticed);
bool engine_was_noticed(struct engine *engine, const struct noticed *noticed,
                        const struct engine_person *who);
/* Score, segment, and the call that is hastened when somebody is hot. */
void life_notice(struct life *life, const struct noticed *noticed, struct effect_signal *effect);

#endif
