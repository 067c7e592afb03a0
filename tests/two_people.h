/* Two people of one world, who are to become one. */
#ifndef HOTLEAD_TESTS_TWO_PEOPLE_H
#define HOTLEAD_TESTS_TWO_PEOPLE_H

#include "server/engine_internal.h"
#include "tests/life_world.h"

#define OTHER_PHONE "+12155550188"
#define OTHER_EMAIL "d.rivera@example.com"

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

#endif
