/* People of before lives were planned: they have neither something that comes next nor an end,
 * until they opt in once more. And what was given to a robot before it had to be done in time. Each
 * of them is looked at once, when a server of this release first has the journal. */
#include "server/engine_response.h"

/* Nothing is planned for them, nothing is open, and nothing says why. */
static bool is_unplanned(const struct person_row *row)
{
    return row->optins > 0 && row->closed == PERSON_WORKED && row->due_ms == 0 &&
           row->open_tasks == 0;
}

static bool is_undated(const struct task_row *row)
{
    return row->state == TASK_QUEUED && row->due_kind == DUE_NONE && row->deadline_ms != 0 &&
           engine_is_robots((enum task_channel)row->channel);
}

/* True: there is one. At most as many as a record has room for; the rest stays for the next. */
static bool date_tasks(struct life *life)
{
    const struct engine_person *who = life->who;
    unsigned count = 0;
    struct task_row row = who->task;
    bool more = who->row.open_tasks > 0;

    if (more && row.number == 0)
        more = state_task_next(life->engine->options.state, who->number, 0, &row);
    while (more && count < TASKS_PER_RECORD) {
        uint64_t after = row.number == who->task.number ? 0 : row.number;
        if (is_undated(&row)) {
            life_task_effect(life, &row, 0);
            count++;
        }
        more = state_task_next(life->engine->options.state, who->number, after, &row);
    }
    return count > 0;
}

bool engine_find_came_from(struct engine *engine, uint64_t optin_seq, struct origin *out)
{
    struct effect_received received;
    struct effect_optin decision;
    struct record_view record;

    if (journal_batch_read(engine->options.journal, optin_seq, &record) != STATUS_OK)
        return false;
    if (effect_find(&record, EFFECT_OPTIN, &decision, sizeof(decision)))
        *out = (struct origin){decision.site, decision.source, decision.campaign};
    else if (effect_find(&record, EFFECT_RECEIVED, &received, sizeof(received)))
        *out = (struct origin){received.site, received.source, received.campaign};
    else
        return false;
    return true;
}

/* Where calls to the person go was told by its task alone. */
static void note_site(struct life *life)
{
    struct person_row *row = &life->who->row;
    struct origin origin;

    if (row->site == 0 && engine_find_came_from(life->engine, row->optin_seq, &origin))
        row->site = origin.site;
}

static bool was_never_worked(const struct person_row *row)
{
    return row->attempts == 0 && row->end == OUTCOME_NONE &&
           (row->reason == NO_TASK_TEST || row->reason == NO_TASK_SUSPECT);
}

/* Whom a list brought, or who has bought, gets what is sent to such people. Nobody else hears from
 * a robot as if they had opted in just now: who was heard of lately is called until there were
 * attempts enough, and who was silent for long can be found among the cold. */
static void plan(struct life *life)
{
    struct person_row *row = &life->who->row;
    uint64_t cold_ms = playbook_span_about(life->playbook->graveyard.cold_after);

    note_site(life);
    if (row->flags & PERSON_DO_NOT_CONTACT) {
        life_stop(life, PERSON_STOPPED);
    } else if (was_never_worked(row)) {
        life_stop(life, PERSON_NOT_STARTED);
    } else if (row->flags & PERSON_CUSTOMER) {
        life_meet(life);
    } else if (engine_was_ended(row)) {
        life_stop(life, PERSON_GIVEN_UP);
    } else if (row->reason == NO_TASK_IMPORTED) {
        row->flags |= PERSON_IMPORTED;
        life_meet(life);
    } else if (engine_silent_since(row) + cold_ms <= life->turn->now_ms) {
        life_stop(life, PERSON_RUN_OUT);
    } else {
        life_keep_going(life);
    }
}

static bool adopt(struct engine *engine, uint64_t number, const struct turn *turn,
                  struct record *record)
{
    struct engine_person who;
    struct life life;
    bool needs_it;

    if (!engine_load_person(engine, number, &who))
        return false;
    life_begin(&life, engine, turn, &who);
    needs_it = date_tasks(&life);
    if (is_unplanned(&who.row)) {
        plan(&life);
        needs_it = true;
    }
    if (!needs_it)
        return false;
    engine_begin(record, RECORD_ADOPTED, turn, who.number, who.last_seq, who.row.agency);
    life_end(&life, record, false);
    record_seal(record);
    return true;
}

enum status engine_decide_adoption(struct engine *engine, const struct turn *turn, uint64_t *after,
                                   unsigned most, struct record *record)
{
    uint64_t people = state_meta(engine->options.state)->people;

    for (; *after < people && most > 0; ++*after, most--)
        if (adopt(engine, *after + 1, turn, record))
            return STATUS_OK; /* looked at again: of many tasks a record has some */
    if (*after < people)
        return STATUS_NOT_FOUND;
    engine_begin(record, RECORD_ADOPTED, turn, 0, 0, 0);
    record_seal(record);
    return STATUS_OK;
}

bool engine_has_adopted(const struct engine *engine)
{
    return state_meta(engine->options.state)->all_adopted != 0;
}
