#include "tests/one_life.h"

struct world world;

uint32_t make_queue(const char *id)
{
    char settings[128];

    snprintf(settings, sizeof(settings), "{\"id\":\"%s\",\"agency\":\"acme\"}", id);
    return world_admin(&world, ENTITY_QUEUE, settings);
}

int set_up(void **unused)
{
    (void)unused;
    world_open(&world);
    world.name = "Dana Rivera";
    make_queue("acme.email");
    make_queue("acme.postcard");
    make_queue("acme.sms");
    return 0;
}

int tear_down(void **unused)
{
    (void)unused;
    world_close(&world);
    return 0;
}

void set_admin(enum entity_kind entity, uint32_t number, const char *settings)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = slice_of(settings),
                              .admin = {.entity = entity, .number = number}};

    assert_int_equal(world_do(&world, &command), STATUS_OK);
}

void remove_admin(enum entity_kind entity, uint32_t number)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .admin = {.entity = entity, .number = number, .remove = true}};

    assert_int_equal(world_do(&world, &command), STATUS_OK);
}

void use_playbook(const char *yaml)
{
    static char settings[20000];

    snprintf(settings, sizeof(settings),
             "{\"id\":\"acme.x\",\"agency\":\"acme\",\"version\":1,\"yaml\":\"based_on: default\\n"
             "name: x\\ntitle: X\\n%s\"}",
             yaml);
    world_admin(&world, ENTITY_PLAYBOOK, settings);
    set_admin(ENTITY_AGENCY, world.agency,
              "{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":\"acme.x\"}");
}

uint64_t opt_in_as(const char *phone, const char *email, const char *content, uint8_t flags)
{
    assert_int_equal(world_optin(&world, phone, email, NULL, content, flags), STATUS_OK);
    return world.settlement.optin.task;
}

uint64_t opt_in(const char *content)
{
    return opt_in_as(PHONE, EMAIL, content, 0);
}

struct person_row person(void)
{
    struct person_row row;

    assert_true(world_person(&world, 1, &row));
    return row;
}

bool open_of(enum task_channel channel, struct task_row *task)
{
    struct person_row row;
    uint64_t last_seq, after = 0;

    assert_true(state_person_find(world.state, 1, &row, task, &last_seq));
    if (task->number != 0 && task->channel == channel)
        return true;
    while (state_task_next(world.state, 1, after, task)) {
        if (task->channel == channel)
            return true;
        after = task->number;
    }
    *task = (struct task_row){0};
    return false;
}

struct task_row open_call(void)
{
    struct task_row task;

    open_of(TASK_CALL, &task);
    return task;
}

void report(uint64_t task, enum outcome outcome)
{
    struct task_row row = {.delivery = 1};

    world_task(&world, 1, task, &row);
    assert_int_equal(
        world_report(&world, task, row.delivery ? row.delivery : 1, REPORT_OUTCOME, outcome, "a1"),
        STATUS_OK);
}

enum status amend(uint64_t task, enum outcome outcome)
{
    return world_report(&world, task, 1, REPORT_AMEND, outcome, "a1");
}

unsigned steps_made(enum task_channel channel, unsigned step)
{
    unsigned made = 0;

    for (unsigned i = 0; i < world.step_count; i++)
        made += world.steps[i].effect.cadence != 0 && world.steps[i].effect.channel == channel &&
                world.steps[i].effect.step == step && world.steps[i].effect.skip == SKIP_NONE;
    return made;
}
