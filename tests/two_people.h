/* Two people of one world, who are to become one. */
#ifndef HOTLEAD_TESTS_TWO_PEOPLE_H
#define HOTLEAD_TESTS_TWO_PEOPLE_H

#include "server/engine_internal.h"
#include "tests/life_world.h"

#define OTHER_PHONE "+12155550188"
#define OTHER_EMAIL "d.rivera@example.com"
#define THIRD_PHONE "+12155550199"
#define THIRD_EMAIL "c@example.com"

/* Number 1 by phone, number 2 by e-mail, ten minutes later; the task of either. */
static uint64_t tasks[3];

MAYBE void two(void)
{
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
    tasks[1] = world.settlement.optin.task;
    world.now_ms += 10 * MINUTE;
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    tasks[2] = world.settlement.optin.task;
    assert_int_equal(world.settlement.optin.person, 2);
}

MAYBE uint64_t find_person(const char *phone, const char *email)
{
    struct command command = {.kind = COMMAND_FIND};
    const struct hash_key *key = recovery_hash_key(world.recovery);

    if (phone != NULL)
        command.optin.phone = hash_of(key, HASH_PHONE, world.agency, slice_of(phone));
    if (email != NULL)
        command.optin.email = hash_of(key, HASH_EMAIL, world.agency, slice_of(email));
    return world_do(&world, &command) == STATUS_OK ? world.settlement.optin.person : 0;
}

/* Both by phone and e-mail, ten minutes apart: each with a call and the first mail. */
MAYBE void two_with_mail(void)
{
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", 0), STATUS_OK);
    tasks[1] = world.settlement.optin.task;
    world.now_ms += 10 * MINUTE;
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    tasks[2] = world.settlement.optin.task;
}

/* And a third one, number 3, whose task is that of 0. */
MAYBE void three(void)
{
    two_with_mail();
    world.now_ms += 10 * MINUTE;
    assert_int_equal(world_optin(&world, THIRD_PHONE, THIRD_EMAIL, NULL, "of the third", 0),
                     STATUS_OK);
    tasks[0] = world.settlement.optin.task;
    assert_int_equal(world.settlement.optin.person, 3);
}

/* The open mail of a step; an escalation has others. */
MAYBE struct task_row mail_of(uint64_t number)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq, after = 0;

    assert_true(state_person_find(world.state, number, &row, &task, &last_seq));
    do {
        if (task.number != 0 && task.channel == TASK_EMAIL && task.kind == TASK_STEP)
            return task;
    } while (state_task_next(world.state, number, after, &task) && (after = task.number) != 0);
    return (struct task_row){0};
}

MAYBE void later(uint64_t ms)
{
    world_live(&world, world.now_ms + ms);
}

#endif
