/* Thousands of random things that happen to some people under all shipped playbooks, and what must
 * hold of every life after each of them (life_model.c).
 *
 * SEED=n does the same again; PROPERTY=n does n things in each of a few worlds. */

#include "proto/must.h"
#include "proto/task.h"
#include "tests/life_model.h"
#include "tests/playbooks.h"

#define WORLDS       4
#define COMMANDS     600
#define IDENTITIES   14
#define SITES        7
#define COMPARE_EACH 200 /* commands: then state is compared with a rebuild */

#define MINUTE 60000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct world world;
static struct life_model *model;
static uint64_t dice;
static uint32_t sites[SITES];
static unsigned content;

/* --- dice ---------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t below)
{
    uint64_t mixed = dice += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return (mixed ^ mixed >> 31) % below;
}

static bool happens(unsigned percent)
{
    return draw(100) < percent;
}

/* --- the world ---------------------------------------------------------------------------- */

static void add_queues(void)
{
    const struct registry *registry = recovery_registry(world.recovery);
    char bytes[4096], one[512];
    struct text text = text_over(bytes, sizeof(bytes));
    struct slice lines, settings;

    MUST(registry_add_robots(registry, SLICE("acme"), &text) == STATUS_OK);
    lines = (struct slice){bytes + 1, text.length - 1};
    while (registry_next_settings(&lines, &settings)) {
        snprintf(one, sizeof(one), "%.*s", (int)settings.length, settings.bytes);
        world_admin(&world, ENTITY_QUEUE, one);
    }
    world_admin(&world, ENTITY_QUEUE,
                "{\"id\":\"acme.list\",\"agency\":\"acme\",\"shape\":\"list\"}");
    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.closers\",\"agency\":\"acme\"}");
}

static void add_playbook(const char *id, const char *name)
{
    static char bytes[PLAYBOOK_CANONICAL_MAX * 2];
    struct text settings = text_over(bytes, sizeof(bytes) - 1);
    const struct playbook *playbook = open_shipped(name);
    struct slice field;

    MUST(registry_check_playbook(recovery_registry(world.recovery), slice_of(id), SLICE("acme"),
                                 playbook, &settings, &field) == STATUS_OK);
    playbook_close(playbook);
    bytes[settings.length] = '\0';
    world_admin(&world, ENTITY_PLAYBOOK, bytes);
}

/* A site for each shipped playbook, and two that differ otherwise. */
static void add_sites(void)
{
    static const char *const names[] = SHIPPED;
    char settings[256], id[64];

    for (unsigned i = 0; i < SITES; i++) {
        const char *more[] = {"", ",\"hours_policy\":\"always\""};
        if (i > 0 && i < 5) {
            snprintf(id, sizeof(id), "acme.%s", names[i]);
            add_playbook(id, names[i]);
        }
        snprintf(settings, sizeof(settings),
                 "{\"id\":\"site%u\",\"agency\":\"acme\",\"queue\":\"acme.%s\",\"country\":\"US\""
                 "%s%s%s%s}",
                 i, i == 6 ? "list" : "calls", more[i == 5],
                 i > 0 && i < 5 ? ",\"playbook\":\"" : "", i > 0 && i < 5 ? id : "",
                 i > 0 && i < 5 ? "\"" : "");
        sites[i] = world_admin(&world, ENTITY_SITE, settings);
    }
}

/* --- what happens ------------------------------------------------------------------------- */

static void opt_in(void)
{
    static const char *const zones[] = {NULL, "America/New_York", "Europe/Berlin",
                                        "Australia/Lord_Howe", "Asia/Kathmandu"};
    static const uint8_t flags[] = {INTAKE_CONSENT, INTAKE_TEST, INTAKE_SUSPECT, INTAKE_IMPORTED};
    uint64_t who = draw(IDENTITIES), other = happens(5) ? draw(IDENTITIES) : who;
    char phone[32], email[32], words[32];

    snprintf(phone, sizeof(phone), "+12155550%03u", (unsigned)(100 + who));
    snprintf(email, sizeof(email), "p%u@example.com", (unsigned)other);
    snprintf(words, sizeof(words), "%u", content++);
    world.site = sites[draw(SITES)];
    world.name = happens(70) ? "Dana Rivera" : NULL;
    world.timezone = zones[draw(5)];
    world.postal_code = happens(20) ? "90210" : NULL;
    bool has_phone = happens(75), has_email = happens(75);
    if (!has_phone && !has_email)
        world.name = "Dana Rivera";
    MUST(world_optin(&world, has_phone ? phone : NULL, has_email ? email : NULL,
                     happens(10) ? words : NULL, words,
                     happens(30) ? flags[draw(4)] : 0) == STATUS_OK);
}

static enum outcome some_outcome(void)
{
    static const enum outcome usual[] = {OUTCOME_NO_ANSWER, OUTCOME_VOICEMAIL,
                                         OUTCOME_BUSY,      OUTCOME_CONVERSATION,
                                         OUTCOME_NOT_NOW,   OUTCOME_DELIVERED};

    return happens(60) ? usual[draw(6)] : (enum outcome)(1 + draw(OUTCOME_END - 1));
}

/* One that is open, if the person who is drawn has any. */
static bool draw_open_task(struct task_row *out)
{
    uint64_t people = state_meta(world.state)->people, last_seq;
    uint64_t person = people > 0 ? 1 + draw(people) : 0;
    struct person_row row;

    if (person == 0 || !state_person_find(world.state, person, &row, out, &last_seq))
        return false;
    return (happens(60) && out->number != 0) || state_task_next(world.state, person, 0, out) ||
           out->number != 0;
}

/* Mostly about an open task; now and then one of before, a wrong delivery, or once more. */
static void report(void)
{
    static const char *const agents[] = {"a1", "a2", "a3"};
    static const uint8_t ops[] = {REPORT_CLAIM,   REPORT_EXTEND,  REPORT_RELEASE, REPORT_AMEND,
                                  REPORT_OUTCOME, REPORT_OUTCOME, REPORT_OUTCOME, REPORT_OUTCOME};
    struct task_row task;
    unsigned op = ops[draw(8)], times = happens(10) ? 2 : 1;

    if (!(happens(80) && draw_open_task(&task)) && !model_task(model, (unsigned)draw(100), &task))
        return;
    unsigned delivery = happens(90) ? task.delivery : 1 + (unsigned)draw(task.delivery + 1u);
    enum outcome outcome =
        op == REPORT_OUTCOME || op == REPORT_AMEND ? some_outcome() : OUTCOME_NONE;
    const char *agent = agents[draw(3)];
    world.manager = happens(20);
    world.value = outcome == OUTCOME_SOLD ? "99.50" : NULL;
    world.call_at_ms = happens(20) ? world.now_ms + draw(20 * DAY) : 0;
    while (times-- > 0)
        (void)world_report(&world, task.number, delivery, op, outcome, agent);
    world.call_at_ms = 0;
}

static void pass_time(void)
{
    uint64_t ms = happens(60)   ? draw(HOUR)
                  : happens(80) ? draw(2 * DAY)
                  : happens(90) ? draw(15 * DAY)
                                : draw(200 * DAY);

    if (happens(90))
        world_live(&world, world.now_ms + ms);
    else
        world_pass(&world, ms); /* the server was down meanwhile */
}

static void compare_with_a_rebuild(void)
{
    char *live = world_dump(&world), *rebuilt;

    world_reopen(&world, happens(50), true);
    rebuilt = world_dump(&world);
    assert_string_equal(live, rebuilt);
    free(live);
    free(rebuilt);
}

static void something_happens(void)
{
    uint64_t what = draw(100);

    world.now_ms++;
    if (what < 12)
        opt_in();
    else if (what < 68)
        report();
    else if (what < 72)
        world_popped(&world, happens(80) ? UINT64_MAX : 0);
    else if (what < 74)
        world_reopen(&world, happens(50), false);
    else
        pass_time();
    world_pass(&world, 0); /* what is due now is done, as a server does */
}

static void whatever_happens_each_life_is_in_order(void **state)
{
    const char *wanted = getenv("PROPERTY"), *seed = getenv("SEED");
    unsigned commands = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : COMMANDS;
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;

    (void)state;
    for (unsigned i = 0; i < (seed != NULL ? 1 : WORLDS); i++) {
        dice = first + i;
        printf("SEED=%llu\n", (unsigned long long)dice);
        fflush(stdout);
        world_open(&world);
        add_queues();
        add_sites();
        model = model_open(&world);
        for (unsigned done = 1; done <= commands; done++) {
            something_happens();
            model_look(model);
            if (done % COMPARE_EACH == 0)
                compare_with_a_rebuild();
        }
        struct model_counts counts = model_counts(model);
        printf("%u records, %u steps, %u left out, %u waits, %u puts, %u outcomes, %u late, %u "
               "breaches, %u said never again\n",
               counts.records, counts.steps, counts.skipped, counts.parked, counts.puts,
               counts.outcomes, counts.late, counts.breaches, counts.stopped);
        model_close(model);
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_each_life_is_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
