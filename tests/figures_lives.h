/* Lives that are lived through the engine, and the report that must come of them, to the last
 * digit. Every test ends by comparing state, with all that was counted, with a rebuild. */
#ifndef HOTLEAD_TESTS_FIGURES_LIVES_H
#define HOTLEAD_TESTS_FIGURES_LIVES_H

#include "tests/figures_rig.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The report as it stands now, of all days. */
static inline void report_asked(struct figures_query query)
{
    struct text out = text_over(document, sizeof(document) - 1);
    struct state_reader *reader;
    struct figures_source source = {.playbook = playbook_shipped(),
                                    .id_key = recovery_id_key(world.recovery),
                                    .agencies = world.agency,
                                    .now_ms = world.now_ms,
                                    .label = write_label,
                                    .is_agent = is_agent};

    if (state_is_dirty(world.state))
        assert_status(state_commit(world.state), STATUS_OK);
    assert_status(state_reader_open(world.state, &reader), STATUS_OK);
    source.state = reader;
    if (query.side == 0)
        query.side = TALLY_ALL;
    if (query.day_last == 0)
        query.day_last = UINT32_MAX;
    if (query.limit == 0)
        query.limit = FIGURES_LIMIT;
    assert_status(figures_write(&source, &query, &out), STATUS_OK);
    assert_false(out.overflow);
    out.bytes[out.length] = '\0';
    state_reader_close(reader);
}

static inline void report(enum figures_name name)
{
    report_asked((struct figures_query){.name = name,
                                        .price_cents = FIGURES_PRICE_OWN,
                                        .recoverable_parts = FIGURES_RECOVERABLE_OWN});
}

/* Somebody, by number, opts in now; returns the task. */
static inline uint64_t opt_in(unsigned person)
{
    char phone[32], content[32];

    snprintf(phone, sizeof(phone), "+1215%07u", person);
    snprintf(content, sizeof(content), "%u", ++serial);
    assert_status(world_optin(&world, phone, NULL, NULL, content, 0), STATUS_OK);
    assert_int_not_equal(world.settlement.optin.task, 0);
    return world.settlement.optin.task;
}

static inline void tell(uint64_t task, enum outcome outcome)
{
    assert_status(world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a42"), STATUS_OK);
}

/* Somebody, by number, opts in now, and answers the mail that comes at once that nothing more is
 * wanted: the call is over before anybody has tried. */
static inline void stop_by_mail(unsigned person)
{
    char phone[32], email[64];

    world_admin(&world, ENTITY_QUEUE, "{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    world_forget_steps(&world);
    snprintf(phone, sizeof(phone), "+1215%07u", person);
    snprintf(email, sizeof(email), "p%u@example.com", person);
    assert_status(world_optin(&world, phone, email, NULL, email, 0), STATUS_OK);
    assert_int_equal(world.step_count, 1);
    tell(world.steps[0].effect.task, OUTCOME_DO_NOT_CONTACT);
}

/* A task of the person at hand, and what comes of it after so long. */
static inline void live(unsigned person, uint64_t after_ms, enum outcome outcome)
{
    uint64_t task = opt_in(person);

    world.now_ms += after_ms;
    tell(task, outcome);
}

static inline void write_without_plans(uint64_t person, struct person_row row, uint64_t last_seq)
{
    struct journal *journal = recovery_journal(world.recovery);
    const struct state_meta *meta = state_meta(world.state);
    struct effect_person effect = {.person = person};
    struct record_view view;

    row.due_ms = row.step_ms = row.call_ms = 0;
    row.cadence = row.step = row.segment = 0;
    effect.row = row;
    record_begin(&world.record, RECORD_LATE, world.now_ms, row.agency);
    world.record.header.seq = meta->folded_seq + 1;
    world.record.header.admin_prev = meta->admin_seq;
    world.record.header.person = person;
    world.record.header.person_prev = last_seq;
    assert_true(record_effect(&world.record, EFFECT_PERSON, &effect, sizeof(effect)));
    record_seal(&world.record);
    record_view_of(&world.record, &view);
    assert_status(journal_begin(journal), STATUS_OK);
    assert_status(state_begin(world.state), STATUS_OK);
    assert_status(engine_apply(world.engine, &view), STATUS_OK);
    assert_status(journal_append(journal, &world.record), STATUS_OK);
    assert_status(journal_commit(journal), STATUS_OK);
}

/* Leaves everybody who is nobody's task as servers did that planned nothing: with an outcome, and
 * no more. */
static inline void forget_plans(void)
{
    for (uint64_t person = 1; person <= state_meta(world.state)->people; person++) {
        struct person_row row;
        struct task_row task;
        uint64_t last_seq;

        assert_true(state_person_find(world.state, person, &row, &task, &last_seq));
        if (row.open_tasks == 0 && row.due_ms != 0)
            write_without_plans(person, row, last_seq);
    }
}

/* Calls the person so often, a day apart, with nobody there, and then once more. */
static inline void try(unsigned person, unsigned attempts, enum outcome last)
{
    for (unsigned i = 1; i < attempts; i++)
        live(person, DAY / 4, OUTCOME_NO_ANSWER);
    live(person, DAY / 4, last);
}

#endif
