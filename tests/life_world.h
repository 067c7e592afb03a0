/* One person's life in a world of its own (see world.h): what the tests of lives share. */
#ifndef HOTLEAD_TESTS_LIFE_WORLD_H
#define HOTLEAD_TESTS_LIFE_WORLD_H

#include "proto/known.h"
#include "proto/report.h"
#include "server/render.h"
#include "tests/engine_rig.h"
#include "tests/playbooks.h"

#define PHONE "+12155550147" /* Philadelphia */
#define EMAIL "dana@example.com"

#define MAYBE __attribute__((unused)) static

static uint32_t emails, postcards, research;

MAYBE uint32_t make_queue(const char *id)
{
    char settings[128];

    snprintf(settings, sizeof(settings), "{\"id\":\"%s\",\"agency\":\"acme\"}", id);
    return world_admin(&world, ENTITY_QUEUE, settings);
}

/* Robots' queues for e-mail and postcards, and one for research. */
MAYBE int set_up(void **unused)
{
    set_up_world(unused);
    world.name = "Dana Rivera";
    emails = make_queue("acme.email");
    postcards = make_queue("acme.postcard");
    research = make_queue("acme.research");
    return 0;
}

MAYBE uint64_t opt_in(const char *content)
{
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

MAYBE struct person_row person_of(uint64_t number)
{
    struct person_row row;

    assert_true(world_person(&world, number, &row));
    return row;
}

MAYBE struct person_row person(void)
{
    return person_of(1);
}

/* The open task of a channel; number 0: there is none. */
MAYBE struct task_row open_task(uint64_t number, enum task_channel channel)
{
    return world_open_task(&world, number, channel);
}

MAYBE struct task_row open_call(void)
{
    return open_task(1, TASK_CALL);
}

MAYBE void report(uint64_t task, enum outcome outcome)
{
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a1"), STATUS_OK);
}

/* The member as Redis shows it. */
MAYBE const char *member_of(uint64_t person_number, const struct task_row *row)
{
    static char bytes[TASK_BYTES_MAX + 1];
    static struct optin optin;
    struct text out = text_over(bytes, TASK_BYTES_MAX);
    struct renderer renderer = {.registry = recovery_registry(world.recovery),
                                .id_key = recovery_id_key(world.recovery),
                                .node = "n1",
                                .prefix = "hl",
                                .optin = &optin};

    assert_int_equal(journal_reader_open(recovery_journal(world.recovery), &renderer.reader),
                     STATUS_OK);
    assert_int_equal(
        render_member(&renderer, person_number, person_of(person_number).first_ms, row, &out),
        STATUS_OK);
    journal_reader_close(renderer.reader);
    bytes[out.length] = '\0';
    return bytes;
}

MAYBE const struct playbook *life_playbook(void)
{
    return registry_playbook(recovery_registry(world.recovery), person().playbook);
}

MAYBE const char *life_stage(void)
{
    static char id[64];
    struct slice stage = life_playbook()->stages.items[person().stage - 1].id;

    snprintf(id, sizeof(id), "%.*s", (int)stage.length, stage.bytes);
    return id;
}

/* The next version of acme.main, which new people go by from now on; its number. */
MAYBE uint32_t use_playbook(const char *yaml)
{
    static char settings[RECORD_PAYLOAD_MAX];
    const struct playbook *playbook = open_text(yaml);
    struct registry *registry = recovery_registry(world.recovery);
    struct text text = text_over(settings, sizeof(settings) - 1);
    struct slice field;
    struct command command = {.kind = COMMAND_ADMIN,
                              .admin = {.entity = ENTITY_AGENCY, .number = world.agency}};

    assert_int_equal(registry_check_playbook(registry, SLICE("acme.main"), SLICE("acme"), playbook,
                                             &text, &field),
                     STATUS_OK);
    playbook_close(playbook);
    settings[text.length] = '\0';
    uint32_t number = world_admin(&world, ENTITY_PLAYBOOK, settings);
    command.payload = SLICE("{\"id\":\"acme\",\"name\":\"Acme\",\"playbook\":\"acme.main\"}");
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    return number;
}

/* One of those that come with hotlead. */
MAYBE uint32_t use_shipped(const char *name)
{
    char path[512];
    size_t length;

    snprintf(path, sizeof(path), SOURCE_DIR "/deploy/playbooks/%s.yaml", name);
    char *bytes = read_whole(path, &length);
    uint32_t number = use_playbook(bytes);
    free(bytes);
    return number;
}

MAYBE enum status by_hand(struct command *command, const char *stage)
{
    char payload[512];
    struct report said;

    report_clear(&said);
    said.agent = SLICE("boss");
    said.note = SLICE("by hand");
    said.value = slice_of(stage);
    command->payload = (struct slice){payload, report_encode(&said, payload, sizeof(payload))};
    return world_do(&world, command);
}

MAYBE enum status move_stage(const char *stage)
{
    struct command command = {.kind = COMMAND_MOVE, .person = {.number = 1, .move = MOVE_STAGE}};

    return by_hand(&command, stage);
}

MAYBE enum status move_playbook(uint64_t number, uint32_t playbook)
{
    struct command command = {
        .kind = COMMAND_MOVE,
        .person = {.number = number, .move = MOVE_PLAYBOOK, .playbook = playbook}};

    return by_hand(&command, NULL);
}

MAYBE enum status move(enum move_kind kind)
{
    struct command command = {.kind = COMMAND_MOVE, .person = {.number = 1, .move = (uint8_t)kind}};

    return by_hand(&command, NULL);
}

MAYBE enum status merge(uint64_t a, uint64_t b)
{
    struct command command = {.kind = COMMAND_MERGE, .person = {.number = a, .other = b}};

    return by_hand(&command, NULL);
}

MAYBE enum status unmerge(uint64_t kept, uint64_t other)
{
    struct command command = {.kind = COMMAND_MERGE,
                              .person = {.number = kept, .other = other, .undo = true}};

    return by_hand(&command, NULL);
}

/* What is known of somebody, by the record that holds all of it. */
MAYBE const char *known_value_of(uint64_t number, enum known_kind kind, const char *name)
{
    static char value[KNOWN_VALUE_MAX + 1];
    struct record_view record;
    struct report said;
    uint64_t seq = person_of(number).known_seq;

    if (seq == 0)
        return "";
    assert_int_equal(journal_batch_read(recovery_journal(world.recovery), seq, &record), STATUS_OK);
    assert_int_equal(report_decode(record.payload, &said), STATUS_OK);
    struct slice found = known_of(said.known, kind, slice_of(name));
    snprintf(value, sizeof(value), "%.*s", (int)found.length, found.length ? found.bytes : "");
    return value;
}

MAYBE const char *life_known_value(enum known_kind kind, const char *name)
{
    return known_value_of(1, kind, name);
}

MAYBE void assert_answer(const char *question, const char *value)
{
    assert_string_equal(life_known_value(KNOWN_ANSWER, question), value);
}

#endif
