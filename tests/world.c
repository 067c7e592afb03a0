#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/must.h"
#include "proto/name.h"
#include "proto/report.h"
#include "tests/world.h"

static void on_outbox(void *owner, const struct engine_outbox *operation)
{
    struct world *world = owner;

    if (world->operation_count < 256)
        world->operations[world->operation_count++] = *operation;
}

static void open_recovery(struct world *world, bool rebuild)
{
    struct recovery_options options = {
        .data_directory = world->directory,
        .journal_map_bytes = 1ull << 30,
        .state_map_bytes = 1ull << 30,
        .reserve_bytes = 1 << 20,
        .create = true,
        .rebuild = rebuild,
        .keeps_shipped = world->keeps_shipped,
        .now_ms = world->now_ms,
        .log = world->log,
    };
    bool done = false;

    assert_int_equal(recovery_open(&options, &world->recovery), STATUS_OK);
    world->engine = recovery_engine(world->recovery);
    world->state = recovery_state(world->recovery);
    assert_int_equal(recovery_fold(world->recovery, UINT64_MAX, &done), STATUS_OK);
    assert_true(done);
    engine_listen(world->engine, on_outbox, world);
}

void world_open(struct world *world)
{
    const char *parent = getenv("WORLDS");
    int length;

    memset(world, 0, sizeof(*world));
    length = snprintf(world->directory, sizeof(world->directory), "%s/hotlead-world-XXXXXX",
                      parent != NULL ? parent : "/var/tmp");
    MUST(length > 0 && (size_t)length < sizeof(world->directory));
    MUST(mkdtemp(world->directory) != NULL);
    world->log = log_open(STDERR_FILENO, LOG_ERROR);
    world->now_ms = WORLD_START_MS;
    world->credential = CREDENTIAL_SECRET;
    open_recovery(world, false);
    world->agency = world_admin(world, ENTITY_AGENCY, "{\"id\":\"acme\",\"name\":\"Acme\"}");
    world->queue = world_admin(world, ENTITY_QUEUE, "{\"id\":\"acme.calls\",\"agency\":\"acme\"}");
    world->site = world_admin(world, ENTITY_SITE,
                              "{\"id\":\"main\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}");
}

void world_reopen(struct world *world, bool clean, bool rebuild)
{
    recovery_close(world->recovery, clean);
    open_recovery(world, rebuild);
}

char *world_dump(struct world *world)
{
    struct state_reader *reader;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (state_is_dirty(world->state))
        assert_int_equal(state_commit(world->state), STATUS_OK);
    assert_int_equal(state_reader_open(world->state, &reader), STATUS_OK);
    assert_int_equal(state_dump(reader, out), STATUS_OK);
    state_reader_close(reader);
    fclose(out);
    return text;
}

void world_close(struct world *world)
{
    char command[128], *live = world_dump(world), *rebuilt;

    world_reopen(world, true, true);
    rebuilt = world_dump(world);
    assert_string_equal(live, rebuilt);
    free(live);
    free(rebuilt);
    recovery_close(world->recovery, true);
    log_close(world->log);
    snprintf(command, sizeof(command), "rm -rf '%s'", world->directory);
    MUST(system(command) == 0);
}

struct turn world_turn(const struct world *world)
{
    const struct state_meta *meta = state_meta(world->state);

    return (struct turn){.seq = meta->folded_seq + 1,
                         .admin_seq = meta->admin_seq,
                         .now_ms =
                             world->now_ms > meta->folded_ms ? world->now_ms : meta->folded_ms};
}

struct person_row world_begin_record(struct world *world, enum record_kind kind)
{
    const struct turn turn = world_turn(world);
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    MUST(state_person_find(world->state, 1, &row, &task, &last_seq));
    record_begin(&world->record, kind, turn.now_ms, row.agency);
    world->record.header.seq = turn.seq;
    world->record.header.admin_prev = turn.admin_seq;
    world->record.header.person = 1;
    world->record.header.person_prev = last_seq;
    return row;
}

static void note_steps(struct world *world, const struct record_view *record)
{
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind = effect_next(record, &offset, &body);

    for (; kind != 0; kind = effect_next(record, &offset, &body)) {
        if (kind != EFFECT_STEP || world->step_count == 128)
            continue;
        effect_copy(body, &world->steps[world->step_count].effect, sizeof(world->steps[0].effect));
        if (world->steps[world->step_count].effect.skip == SKIP_UNDONE)
            continue; /* it came due long before */
        world->steps[world->step_count++].now_ms = record->header.now_ms;
    }
}

#define RECORDS_OF_ONE_MAX 10000 /* a command that makes more is never done */

static void keep(struct world *world)
{
    struct record_view view;

    record_view_of(&world->record, &view);
    note_steps(world, &view);
    assert_int_equal(engine_apply(world->engine, &view), STATUS_OK);
    assert_int_equal(journal_append(recovery_journal(world->recovery), &world->record), STATUS_OK);
    assert_in_range(++world->records, 1, RECORDS_OF_ONE_MAX);
    world->made[world->record.header.kind]++;
}

static void forget_records(struct world *world)
{
    world->records = 0;
    memset(world->made, 0, sizeof(world->made));
}

enum status world_do(struct world *world, const struct command *command)
{
    struct journal *journal = recovery_journal(world->recovery);
    bool more = true;

    forget_records(world);
    assert_int_equal(journal_begin(journal), STATUS_OK);
    assert_int_equal(state_begin(world->state), STATUS_OK);
    while (more) {
        struct turn turn = world_turn(world);

        if (engine_decide(world->engine, command, &turn, &world->record, &world->settlement,
                          &more) != STATUS_OK)
            break;
        keep(world);
    }
    if (world->records > 0)
        assert_int_equal(journal_commit(journal), STATUS_OK);
    else
        journal_abort(journal);
    assert_int_equal(state_commit_live(world->state, false), STATUS_OK);
    return world->settlement.status;
}

uint32_t world_admin(struct world *world, enum entity_kind entity, const char *settings)
{
    struct command command = {
        .kind = COMMAND_ADMIN, .payload = slice_of(settings), .admin = {.entity = entity}};

    assert_int_equal(world_do(world, &command), STATUS_OK);
    return world->settlement.entity_number;
}

static struct hash hash_text(struct world *world, enum hash_domain domain, const char *text)
{
    if (text == NULL)
        return (struct hash){{0}};
    return hash_of(recovery_hash_key(world->recovery), domain, world->agency, slice_of(text));
}

enum status world_optin(struct world *world, const char *phone, const char *email,
                        const char *event, const char *content, uint8_t flags)
{
    static struct optin optin;
    char payload[1024], referrer[128];
    struct command command = {.kind = COMMAND_OPTIN};

    optin_clear(&optin);
    optin.text[OPTIN_PHONE] = slice_of(phone);
    if (!(flags & INTAKE_BAD_PHONE))
        optin.text[OPTIN_PHONE_E164] = optin.text[OPTIN_PHONE];
    optin.text[OPTIN_EMAIL] = slice_of(email);
    optin.text[OPTIN_COMPANY] = slice_of(content);
    optin.text[OPTIN_NAME] = slice_of(world->name);
    if (world->referred_by != NULL) {
        snprintf(referrer, sizeof(referrer), "\"%s\"", world->referred_by);
        optin.extra[optin.extra_count++] =
            (struct optin_extra){SLICE("referred_by"), slice_of(referrer)};
    }
    optin.text[OPTIN_TIMEZONE] = slice_of(world->timezone);
    optin.text[OPTIN_POSTAL_CODE] = slice_of(world->postal_code);
    optin.text[OPTIN_COUNTRY] = slice_of(world->country);
    if (world->field != NULL)
        optin.extra[optin.extra_count++] =
            (struct optin_extra){slice_of(world->field), slice_of(world->field_json)};
    command.payload = (struct slice){payload, optin_encode(&optin, payload, sizeof(payload))};
    command.optin = (struct effect_received){
        .phone = hash_text(world, HASH_PHONE, flags & INTAKE_BAD_PHONE ? NULL : phone),
        .email = hash_text(world, HASH_EMAIL, flags & INTAKE_BAD_EMAIL ? NULL : email),
        .event = hash_text(world, HASH_IDEMPOTENCY, event),
        .content = optin_content(&optin, recovery_hash_key(world->recovery), world->site),
        .site = world->site,
        .credential = (uint8_t)world->credential,
        .flags = flags,
        .said_before_min = world->said_before_min,
        .source = world->source,
        .campaign = world->campaign,
        .more = (uint8_t)((name_is_given(&optin) ? INTAKE_NAMED : 0) |
                          (world->referred_by != NULL ? INTAKE_REFERRED : 0)),
    };
    return world_do(world, &command);
}

enum status world_report(struct world *world, uint64_t task, unsigned delivery, unsigned op,
                         unsigned outcome, const char *agent)
{
    char payload[REPORT_STORED_MAX];
    struct report report;
    struct command command = {.kind = COMMAND_REPORT};

    report_clear(&report);
    report.agent = slice_of(agent);
    report.value = slice_of(world->value);
    report.answers = slice_of(world->answers);
    report.finds = slice_of(world->finds);
    report.word = slice_of(world->word);
    command.payload = (struct slice){payload, report_encode(&report, payload, sizeof(payload))};
    command.report = (struct command_report){
        .task = task,
        .agent =
            agent != NULL ? agent_hash(recovery_hash_key(world->recovery), slice_of(agent)) : 0,
        .delivery = (uint16_t)delivery,
        .op = (uint8_t)op,
        .outcome = (uint8_t)outcome,
        .manager = world->manager,
        .call_at_ms = world->call_at_ms,
        .stream_ms = world->stream_ms,
        .stream_seq = world->stream_ms != 0 ? ++world->stream_seq : 0,
    };
    return world_do(world, &command);
}

enum status world_popped(struct world *world, uint64_t pushed_seq)
{
    struct command command = {
        .kind = COMMAND_POPPED,
        .now_ms = world->now_ms,
        .popped = {.queue = world->queue, .empty = true, .pushed_seq = pushed_seq}};

    return world_do(world, &command);
}

unsigned world_pass(struct world *world, uint64_t ms)
{
    struct journal *journal = recovery_journal(world->recovery);

    world->now_ms += ms;
    forget_records(world);
    for (;;) {
        struct turn turn = world_turn(world);

        assert_int_equal(state_begin(world->state), STATUS_OK);
        if (engine_decide_due(world->engine, &turn, &world->record) != STATUS_OK)
            return world->records;
        assert_int_equal(journal_begin(journal), STATUS_OK);
        keep(world);
        assert_int_equal(journal_commit(journal), STATUS_OK);
    }
}

void world_live(struct world *world, uint64_t until_ms)
{
    uint64_t due_ms = engine_next_due_ms(world->engine);

    for (; due_ms <= until_ms; due_ms = engine_next_due_ms(world->engine))
        world_pass(world, due_ms > world->now_ms ? due_ms - world->now_ms : 0);
    world_pass(world, until_ms - world->now_ms);
}

void world_forget_steps(struct world *world)
{
    world->step_count = 0;
}

bool world_person(struct world *world, uint64_t person, struct person_row *out)
{
    struct task_row task;
    uint64_t last_seq;

    return state_person_find(world->state, person, out, &task, &last_seq);
}

bool world_task(struct world *world, uint64_t person, uint64_t task, struct task_row *out)
{
    struct person_row row;
    uint64_t last_seq;

    if (!state_person_find(world->state, person, &row, out, &last_seq))
        return false;
    return out->number == task || state_task_find(world->state, person, task, out);
}

struct task_row world_open_task(struct world *world, uint64_t person, enum task_channel channel)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq, after = 0;

    MUST(state_person_find(world->state, person, &row, &task, &last_seq));
    if (task.number != 0 && task.channel == channel)
        return task;
    while (state_task_next(world->state, person, after, &task)) {
        if (task.channel == channel)
            return task;
        after = task.number;
    }
    return (struct task_row){0};
}

unsigned world_visible(struct world *world, uint32_t queue)
{
    struct state_visible visible = {0};
    unsigned count = 0;

    while (state_visible_next(world->state, queue, visible.rank_ms, visible.task, &visible)) {
        visible.task++;
        count++;
    }
    return count;
}

void world_forget_operations(struct world *world)
{
    world->operation_count = 0;
}
