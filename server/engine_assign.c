/* Whose a person is, and to whom a task goes.
 *
 * A person has one owner or none: the agent who took it last, or was given it. A task for a human
 * is put on the queue of its team, where whoever claims it becomes the owner, or on the own queue
 * of one agent who is there, has room and works that queue. What such an agent leaves lying goes to
 * the team, from there up the escalation, and back to the team in the end: there always is a queue
 * that somebody else can claim it from. Each of these puts is a delivery of its own, so that the
 * one before is stale.
 *
 * Where an agency has no agents nothing of this costs more than a look at that. */
#include "proto/must.h"
#include "proto/report.h"
#include "server/engine_internal.h"

#define STRIDE           (1ull << 32) /* by how much a turn moves an agent of weight 1 back */
#define HANDED_TASKS_MAX 12           /* in one record */

static const struct registry *registry_of(const struct life *life)
{
    return life->engine->options.registry;
}

static bool has_agents(const struct life *life)
{
    const struct agency *agency = registry_agency(registry_of(life), life->who->row.agency);

    return agency != NULL && agency->first_agent != 0;
}

static void note(struct life *life, const struct task_row *row, enum assigned_why why,
                 uint32_t from, uint32_t to, uint64_t pass)
{
    struct effect_assigned effect = {.pass = pass, .from = from, .to = to, .why = (uint8_t)why};

    if (row != NULL) {
        effect.task = row->number;
        effect.queue = row->queue;
    }
    life_effect(life, EFFECT_ASSIGNED, &effect, sizeof(effect));
}

/* --- queues ---------------------------------------------------------------------------------- */

void engine_set_queue(struct engine *engine, struct task_row *row, uint32_t number)
{
    const struct queue *queue = registry_queue(engine->options.registry, number);

    row->queue = number;
    row->flags &= (uint8_t)~TASK_IN_LIST;
    if (queue != NULL && queue->shape == QUEUE_LIST)
        row->flags |= TASK_IN_LIST;
}

uint32_t engine_to_team(struct task_row *row)
{
    uint32_t team = row->team;

    row->team = row->with = 0;
    row->claim_by_ms = 0;
    return team;
}

static uint32_t team_of(const struct task_row *row)
{
    return row->team != 0 ? row->team : row->queue;
}

/* It is the agent's now, to be claimed soon. The queue to put it on comes back. */
static uint32_t to_agent(struct life *life, struct task_row *row, const struct agent *agent)
{
    row->team = team_of(row);
    row->with = agent->number;
    row->claim_by_ms =
        life->turn->now_ms + playbook_span_about(life->playbook->assign.claim_within);
    return registry_own_queue(registry_of(life), agent);
}

/* --- who can take one more ------------------------------------------------------------------- */

static bool has_room(const struct life *life, const struct agent *agent)
{
    return agent->capacity == 0 ||
           state_agent(life->engine->options.state, agent->number)->open_tasks < agent->capacity;
}

static bool can_take(const struct life *life, const struct agent *agent, uint32_t team)
{
    return agent_is_there(agent, life->turn->now_ms) && agent_works(agent, team) &&
           has_room(life, agent) && registry_own_queue(registry_of(life), agent) != 0;
}

static const struct agent *owner_of(const struct life *life)
{
    return registry_agent(registry_of(life), life->who->row.owner);
}

/* --- turns ----------------------------------------------------------------------------------- */

static enum playbook_assign_mode mode_of(const struct life *life, uint32_t team)
{
    const struct queue *queue = registry_queue(registry_of(life), team);

    return (enum playbook_assign_mode)(
        queue != NULL && queue->assign != 0 ? queue->assign : life->playbook->assign.mode);
}

/* Whom the playbook gives no weight has that of one. */
static uint64_t stride_of(const struct life *life, enum playbook_assign_mode mode,
                          const struct agent *agent)
{
    const struct playbook_assign *assign = &life->playbook->assign;

    for (uint32_t i = 0; mode == PLAYBOOK_WEIGHTED && i < assign->weights.count; i++)
        if (slice_equal(assign->weights.items[i].id, slice_of(agent->id)))
            return assign->weights.items[i].weight != 0 ? STRIDE / assign->weights.items[i].weight
                                                        : 0;
    return STRIDE;
}

struct turns {
    struct life *life;
    enum playbook_assign_mode mode;
    uint32_t team, but;
};

static const struct agent *next_taker(const struct turns *turns, uint32_t number)
{
    const struct registry *registry = registry_of(turns->life);
    const struct agent *agent = registry_agent(registry, number);

    while (agent != NULL &&
           (agent->number == turns->but || stride_of(turns->life, turns->mode, agent) == 0 ||
            !can_take(turns->life, agent, turns->team)))
        agent = registry_agent(registry, agent->next);
    return agent;
}

static const struct agent *first_taker(const struct turns *turns)
{
    return next_taker(
        turns,
        registry_agency(registry_of(turns->life), turns->life->who->row.agency)->first_agent);
}

static struct state_agent *row_of(const struct turns *turns, const struct agent *agent)
{
    return state_agent(turns->life->engine->options.state, agent->number);
}

/* How far the turns have come: to where the last one began. */
static uint64_t pass_now(const struct turns *turns)
{
    uint64_t seq = 0, pass = 0;

    for (const struct agent *agent = first_taker(turns); agent != NULL;
         agent = next_taker(turns, agent->next)) {
        const struct state_agent *row = row_of(turns, agent);
        uint64_t stride = stride_of(turns->life, turns->mode, agent);
        if (row->assigned_seq <= seq)
            continue;
        seq = row->assigned_seq;
        pass = row->pass > stride ? row->pass - stride : 0; /* weights may have changed since */
    }
    return pass;
}

/* Each turn moves an agent on by its stride, which is the smaller the more it is to get; next is
 * whoever has come least far with half of the turn in question. So everybody's share is kept, and
 * the turns of one lie apart. Nobody who takes part falls behind by more than half a stride: who
 * has was away, and need not catch up on all that. */
static const struct agent *choose(const struct turns *turns, uint64_t *pass_out)
{
    const struct agent *chosen = NULL;
    uint64_t now = pass_now(turns), least = 0;

    for (const struct agent *agent = first_taker(turns); agent != NULL;
         agent = next_taker(turns, agent->next)) {
        uint64_t stride = stride_of(turns->life, turns->mode, agent);
        uint64_t from = row_of(turns, agent)->pass;
        if (now > stride / 2 && from < now - stride / 2)
            from = now - stride / 2;
        if (chosen != NULL && from + stride / 2 >= least)
            continue;
        chosen = agent;
        least = from + stride / 2;
        *pass_out = from + stride;
    }
    return chosen;
}

/* --- giving ---------------------------------------------------------------------------------- */

void life_check_owner(struct life *life)
{
    struct person_row *person = &life->who->row;
    const struct agent *owner = owner_of(life);
    uint32_t team;

    if (person->owner == 0)
        return;
    team = life_call_queue(life);
    if (owner != NULL && (team == 0 || agent_works(owner, team)))
        return;
    note(life, NULL, ASSIGNED_GIVEN_UP, person->owner, 0, 0);
    person->owner = 0;
}

/* Somebody's turn; NULL: nobody can take it now. */
static const struct agent *take_turn(struct life *life, struct task_row *row, uint32_t but,
                                     uint64_t *pass_out)
{
    struct turns turns = {
        .life = life, .mode = mode_of(life, team_of(row)), .team = team_of(row), .but = but};

    if (turns.mode != PLAYBOOK_ROUND_ROBIN && turns.mode != PLAYBOOK_WEIGHTED)
        return NULL;
    return choose(&turns, pass_out);
}

void life_give(struct life *life, struct task_row *row)
{
    const struct agent *agent = NULL;
    enum assigned_why why = ASSIGNED_CHOSEN;
    uint64_t pass = 0;

    if (engine_is_robots((enum task_channel)row->channel) || !has_agents(life))
        return;
    if (row->channel == TASK_CALL)
        life_check_owner(life);
    if (mode_of(life, row->queue) == PLAYBOOK_OWNER_FIRST) {
        agent = owner_of(life);
        why = ASSIGNED_OWNER;
        if (agent != NULL && !can_take(life, agent, row->queue))
            agent = NULL;
    } else {
        agent = take_turn(life, row, 0, &pass);
    }
    if (agent == NULL)
        return;
    engine_set_queue(life->engine, row, to_agent(life, row, agent));
    note(life, row, why, life->who->row.owner, agent->number, pass);
    life->who->row.owner = agent->number;
}

void life_take_hold(struct life *life, struct task_row *row, uint32_t agent)
{
    struct person_row *person = &life->who->row;

    if (engine_is_robots((enum task_channel)row->channel))
        return;
    row->with = agent;
    if (agent == 0 || agent == person->owner)
        return;
    note(life, row, ASSIGNED_CLAIMED, person->owner, agent, 0);
    person->owner = agent;
}

uint32_t life_agent_named(const struct life *life, struct slice report)
{
    const struct registry *registry = registry_of(life);
    const struct agent *agent;
    struct report said;

    if (!has_agents(life) || report_decode(report, &said) != STATUS_OK)
        return 0;
    agent = registry_agent(registry, registry_number(registry, ENTITY_AGENT, said.agent));
    return agent != NULL && agent->agency == life->who->row.agency ? agent->number : 0;
}

/* --- silence --------------------------------------------------------------------------------- */

void life_go_to_team(struct life *life, struct task_row *row)
{
    uint32_t from = row->with;
    uint64_t drop_seq = life_requeue(life, row, engine_to_team(row), life->turn->now_ms);

    note(life, row, ASSIGNED_SILENT, from, 0, 0);
    life_task_effect(life, row, drop_seq);
}

/* A manager is there to look at it. */
static bool has_manager(const struct life *life)
{
    const struct registry *registry = registry_of(life);
    const struct agent *agent =
        registry_agent(registry, registry_agency(registry, life->who->row.agency)->first_agent);

    while (agent != NULL && !(agent->is_manager && agent_is_there(agent, life->turn->now_ms)))
        agent = registry_agent(registry, agent->next);
    return agent != NULL;
}

static uint64_t put_on(struct life *life, struct task_row *row, uint32_t queue, uint32_t from,
                       uint32_t to, uint64_t pass)
{
    uint64_t drop_seq = life_requeue(life, row, queue, life->turn->now_ms);

    note(life, row, ASSIGNED_ESCALATED, from, to, pass);
    if (to != 0)
        life->who->row.owner = to;
    return drop_seq;
}

static uint64_t to_manager(struct life *life, struct task_row *row)
{
    uint32_t managers = registry_manager_queue(registry_of(life), life->who->row.agency);
    uint32_t team = team_of(row), from = row->with;

    if (managers == 0 || managers == row->queue || !has_manager(life))
        return 0;
    engine_to_team(row);
    row->team = team;
    return put_on(life, row, managers, from, 0, 0);
}

static uint64_t to_next_agent(struct life *life, struct task_row *row)
{
    uint32_t from = row->with;
    uint64_t pass = 0;
    const struct agent *agent = take_turn(life, row, life->who->row.owner, &pass);

    if (agent != NULL)
        return put_on(life, row, to_agent(life, row, agent), from, agent->number, pass);
    return row->team != 0 ? put_on(life, row, engine_to_team(row), from, 0, 0) : 0;
}

uint64_t life_escalate(struct life *life, struct task_row *row, enum playbook_whom whom)
{
    uint32_t from = row->with;

    if (!has_agents(life))
        return 0;
    switch (whom) {
    case PLAYBOOK_AGENT:
        return to_next_agent(life, row);
    case PLAYBOOK_MANAGER:
        return to_manager(life, row);
    case PLAYBOOK_ROBOT: /* while it does what it can, everybody may call */
        break;
    }
    return row->team != 0 ? put_on(life, row, engine_to_team(row), from, 0, 0) : 0;
}

/* --- by hand --------------------------------------------------------------------------------- */

/* What is with the old owner goes along, in whatever state it is, and to a new one also what the
 * team has not claimed yet. What somebody else has in hand stays there. */
static bool goes_along(const struct task_row *row, uint32_t from, uint32_t to)
{
    if (engine_is_robots((enum task_channel)row->channel) || row->state == TASK_PARKED)
        return false;
    if (from != 0 && row->with == from)
        return true;
    return to != 0 && row->state == TASK_QUEUED && row->with != to;
}

/* To the new owner who is there, else to the team. False: it is there. */
static bool move_task(struct life *life, struct task_row *row, uint32_t from, uint32_t to)
{
    const struct agent *agent = registry_agent(registry_of(life), to);
    uint64_t drop_seq;

    if (!goes_along(row, from, to))
        return false;
    if (agent == NULL || !agent_is_there(agent, life->turn->now_ms) ||
        registry_own_queue(registry_of(life), agent) == 0) {
        if (row->with != from && row->team == 0)
            return false;
        agent = NULL;
    }
    uint32_t queue = agent != NULL ? to_agent(life, row, agent) : engine_to_team(row);
    drop_seq = life_requeue(life, row, queue, life->turn->now_ms);
    life_task_effect(life, row, drop_seq);
    return true;
}

static unsigned move_tasks(struct life *life, uint32_t from, uint32_t to)
{
    const struct engine_person *who = life->who;
    struct task_row row = who->task;
    uint64_t after = 0;
    unsigned moved = row.number != 0 && move_task(life, &row, from, to);

    while (moved < HANDED_TASKS_MAX &&
           state_task_next(life->engine->options.state, who->number, after, &row)) {
        after = row.number;
        moved += move_task(life, &row, from, to);
    }
    return moved;
}

/* How many tasks that moves comes back. */
static unsigned hand_over(struct engine *engine, const struct turn *turn, struct engine_person *who,
                          uint32_t from, uint32_t to, struct slice said, struct record *record)
{
    struct life life;
    unsigned moved;

    life_begin(&life, engine, turn, who);
    note(&life, NULL, ASSIGNED_HANDED, from, to, 0);
    if (who->row.owner == from)
        who->row.owner = to;
    moved = move_tasks(&life, from, to);
    engine_begin(record, RECORD_ASSIGNED, turn, who->number, who->last_seq, who->row.agency);
    life_end(&life, record, false);
    record->payload = said;
    record_seal(record);
    return moved;
}

static enum status check_assign(const struct engine *engine, const struct command_assign *assign,
                                const struct engine_person *who)
{
    const struct agent *to = registry_agent(engine->options.registry, assign->to);

    if ((assign->first_ms != 0 && assign->first_ms != who->row.first_ms) ||
        (assign->agency != 0 && assign->agency != who->row.agency))
        return STATUS_NOT_FOUND;
    if (!assign->manager && (assign->by == 0 || assign->by != who->row.owner))
        return STATUS_FORBIDDEN;
    if (assign->person != 0 && who->row.closed == PERSON_MERGED)
        return STATUS_CONFLICT;
    if (assign->to != 0 && (to == NULL || to->agency != who->row.agency))
        return STATUS_INVALID;
    return assign->to == who->row.owner ? STATUS_DUPLICATE : STATUS_OK;
}

enum status engine_decide_assign(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement)
{
    const struct command_assign *assign = &command->assign;
    uint64_t person = assign->person;
    struct engine_person who;

    if (person == 0 && !state_owned_first(engine->options.state, assign->from, &person))
        return settlement->status = STATUS_NOT_FOUND;
    if (!engine_load_person(engine, person, &who))
        return settlement->status = STATUS_NOT_FOUND;
    settlement->status = check_assign(engine, assign, &who);
    if (settlement->status != STATUS_OK)
        return settlement->status;
    hand_over(engine, turn, &who, who.row.owner, assign->to, command->payload, record);
    return STATUS_OK;
}

enum status engine_clear_agent(struct engine *engine, uint32_t agent, const struct turn *turn,
                               struct record *record)
{
    struct state_work work;
    struct engine_person who;

    if (!state_work_first(engine->options.state, agent, &work))
        return STATUS_NOT_FOUND;
    if (!engine_load_person(engine, work.person, &who))
        return STATUS_CORRUPT;
    /* What does not move would be found again and again. */
    return hand_over(engine, turn, &who, agent, 0, (struct slice){0}, record) > 0 ? STATUS_OK
                                                                                  : STATUS_CONFLICT;
}
