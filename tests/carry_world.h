/* Versions of a playbook that differ in the steps of one cadence. */
#ifndef HOTLEAD_TESTS_CARRY_WORLD_H
#define HOTLEAD_TESTS_CARRY_WORLD_H

#include "tests/two_people.h"

#define YAML_ROOM (64 * 1024)

enum kind { MINE, RING };

/* Steps as "a:0s b:2d c:4d"; "~b:2d" waits for a name, and "b:2@09:00" is of a date. They are of
 * the cadence that everybody has, or of the one that a sale begins and that leads back to itself.
 */
MAYBE uint32_t version_of(enum kind kind, const char *steps)
{
    static const char *const heads[] = {
        "  mine: {title: M, for: prospects, then: nurture, short: a test, steps: [",
        "  new_customer: {title: R, for: customers, then: new_customer, steps: ["};
    static char yaml[YAML_ROOM];
    struct text out = text_over(yaml, YAML_ROOM - 1);
    char id[16], when[16];
    int length;

    text_printf(&out, BASED "caps: {gap: 1m}\ncadences:\n%s", heads[kind]);
    for (; sscanf(steps, " %15[^:]:%15s%n", id, when, &length) == 2; steps += length) {
        const char *date = strchr(when, '@'), *name = id[0] == '~' ? id + 1 : id;

        text_printf(&out, "{id: %s, channel: email, kind: offer, template: t", name);
        if (date != NULL)
            text_printf(&out, ", day: %d, at: \"%s\"", atoi(when), date + 1);
        else
            text_printf(&out, ", after: %s", when);
        text_printf(&out, "%s}, ", name != id ? ", without_name: hold, late_max: 20d" : "");
    }
    text_string(&out, "]}\n");
    if (kind == MINE)
        text_string(&out, "segments: [{id: everybody, cadence: mine, sla: five_minutes, "
                          "escalation: usual}]\n");
    yaml[out.length] = '\0';
    return use_playbook(yaml);
}

MAYBE uint32_t version(const char *steps)
{
    return version_of(MINE, steps);
}

/* NULL: it is of another cadence. */
MAYBE const struct playbook_step *step_of(const struct effect_step *effect)
{
    const struct playbook *playbook =
        registry_playbook(recovery_registry(world.recovery), effect->playbook);
    const struct playbook_cadence *cadence = playbook_cadence(playbook, effect->cadence);

    if (cadence == NULL || (!slice_equal(cadence->id, SLICE("mine")) &&
                            !slice_equal(cadence->id, SLICE("new_customer"))))
        return NULL;
    return playbook_step(playbook, effect->cadence, effect->step);
}

#endif
