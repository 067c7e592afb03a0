/* What an answer and a pop count as. All of it goes into the ledger; only what was meant to be sent
 * behind the warm-up goes into the figures. */
#include <stdio.h>
#include <string.h>

#include "bench/run_internal.h"

void run_count_answers(struct result *result, int status, const char *error, uint64_t count)
{
    const char *why = status == 0 && error ? error : "";
    struct result_count *end = result->answers + result->answer_count;

    for (struct result_count *at = result->answers; at < end; at++)
        if (at->status == status && strcmp(at->error, why) == 0) {
            at->count += count;
            return;
        }
    if (result->answer_count == RESULT_STATUSES_MAX) {
        end[-1].count += count; /* sixteen kinds of answers: the rest is one of them */
        return;
    }
    end->status = status;
    snprintf(end->error, sizeof(end->error), "%s", why);
    end->count = count;
    result->answer_count++;
}

/* A visitor who was stored and whom nobody is to call: suspect, unreachable ... */
static bool has_no_task(struct slice body)
{
    return memmem(body.bytes, body.length, "\"task\":null", strlen("\"task\":null")) != NULL;
}

bool run_is_consumed(const struct run *run)
{
    return run->options->mode != CONSUME_NOTHING && run->options->consumers > 0 &&
           run->target->shape != TARGET_NOWHERE;
}

/* Whether a task of its own has to come out. Who is known already may have an open one, and a
 * repetition has that of the first. */
static bool must_pop(struct run *run, const struct load_answer *answer)
{
    if (answer->what != PEOPLE_NEW || answer->replayed || !run_is_consumed(run))
        return false;
    if (run->target->kind != TARGET_HOTLEAD || !has_no_task(answer->body))
        return true;
    run->taskless++;
    return false;
}

static void add_lead(struct run *run, uint64_t intended_ns, uint64_t acked_ns, uint64_t popped_ns)
{
    /* A repetition that is answered before the first request is meant later than that, whose task
     * it is: nothing can be said of it. */
    if (popped_ns < intended_ns)
        return;
    hist_add(run->second_lead, popped_ns - intended_ns);
    if (intended_ns < run->measure_ns)
        return;
    hist_add(run->result->latency[RESULT_LEAD], popped_ns - intended_ns);
    hist_add(run->result->latency[RESULT_AFTER_ACK],
             popped_ns > acked_ns ? popped_ns - acked_ns : 0);
}

/* A repeated answer, whether it says so or names an opt-in that was named before. */
static bool enter_ack(struct run *run, const struct load_answer *answer)
{
    uint64_t key = answer->key;
    struct ledger_counts before, after;

    if (!target_key_of_answer(run->target, answer->body, &key) &&
        run->target->kind == TARGET_HOTLEAD) {
        run->nameless++;
        return answer->replayed;
    }
    ledger_count(run->ledger, &before);
    uint64_t popped_ns = ledger_acked(run->ledger, key, must_pop(run, answer), answer->intended_ns,
                                      answer->answered_ns);
    ledger_count(run->ledger, &after);
    if (popped_ns > 0)
        add_lead(run, answer->intended_ns, answer->answered_ns, popped_ns);
    return answer->replayed || after.acked_again > before.acked_again;
}

static void acknowledged(struct run *run, const struct load_answer *answer, bool measured)
{
    struct result *result = run->result;
    bool duplicate = enter_ack(run, answer);
    uint64_t took_ns = answer->answered_ns - answer->intended_ns;

    run->sums.acked++;
    run->returning += answer->what == PEOPLE_RETURNING;
    run->last_ack_ns = answer->answered_ns;
    if (run_has_begun(run) && answer->answered_ns >= run->measure_ns)
        result->acked_meanwhile++;
    hist_add(run->second_ack, took_ns);
    if (!measured)
        return;
    result->acked++;
    result->duplicates += duplicate;
    result->returned += answer->what == PEOPLE_RETURNING;
    hist_add(result->latency[RESULT_ACK], took_ns);
    hist_add(result->latency[RESULT_ACK_RAW], answer->answered_ns - answer->sent_ns);
}

void run_on_answer(void *owner, const struct load_answer *answer)
{
    struct run *run = owner;
    bool measured = run_has_begun(run) && answer->intended_ns >= run->measure_ns;

    run->warm_answers += !measured;
    run->unanswered += answer->status == 0;
    if (answer->sent_ns > run->last_sent_ns)
        run->last_sent_ns = answer->sent_ns;
    if (measured) {
        run_count_answers(run->result, answer->status, answer->error, 1);
        hist_add(run->late, answer->late_ns);
    }
    if (result_is_yes(answer->status)) {
        acknowledged(run, answer, measured);
        return;
    }
    run->sums.failed++;
    run->result->failed += measured;
}

/* Of the robot: in no figure of time, since nobody waits for it. */
static void emailed(struct run *run, const struct consume_pop *pop)
{
    run->result->emails_popped++;
    if (pop->popped_ns > run->last_email_ns)
        run->last_email_ns = pop->popped_ns;
    if (pop->strange)
        run->result->strange++;
    else if (pop->immediate)
        ledger_emailed(run->ledger, pop->key, pop->delivery);
    else
        run->later_emails += pop->delivery <= 1;
}

static void popped(struct run *run, const struct consume_pop *pop)
{
    run->sums.popped++;
    if (pop->popped_ns > run->last_pop_ns)
        run->last_pop_ns = pop->popped_ns;
    if (pop->strange) {
        run->result->strange++;
        return;
    }
    struct ledger_match match = ledger_popped(run->ledger, pop->key, pop->delivery, pop->popped_ns);
    if (match.matched)
        add_lead(run, match.intended_ns, match.acked_ns, pop->popped_ns);
}

void run_on_popped(void *owner, const struct consume_pop *pops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pops[i].email)
            emailed(owner, &pops[i]);
        else
            popped(owner, &pops[i]);
    }
}
