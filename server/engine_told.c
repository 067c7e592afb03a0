/* How a task begins: whose words it shows, and what it is told beside them. */
#include "proto/email.h"
#include "proto/must.h"
#include "proto/name.h"
#include "server/engine_alone.h"
#include "server/engine_shown.h"

/* What the newest opt-in itself says of how to be reached, and addressed. */
static void look_at_newest(struct life *life, bool *phone_out, bool *email_out, bool *name_out)
{
    struct engine *engine = life->engine;
    struct record_view record;

    *phone_out = *email_out = *name_out = false;
    if (life->received != NULL) {
        *phone_out = !hash_is_none(life->received->phone);
        *email_out = !hash_is_none(life->received->email);
        *name_out = life->received->more & INTAKE_NAMED;
    } else if (journal_batch_read(engine->options.journal, life->who->row.optin_seq, &record) ==
                   STATUS_OK &&
               optin_decode(record.payload, engine->known) == STATUS_OK) {
        *phone_out = engine->known->text[OPTIN_PHONE_E164].length > 0;
        *email_out = email_is_usable(engine->known->text[OPTIN_EMAIL]);
        *name_out = name_is_given(engine->known);
    }
}

static uint64_t first_of(uint64_t a, uint64_t b, uint64_t c)
{
    if (a != 0)
        return a;
    return b != 0 ? b : c;
}

/* Where somebody who comes again leaves out how to be reached, an earlier record has it: what this
 * channel needs first. 0: nothing is missing that is known. */
static uint64_t known_from(struct life *life, enum task_channel channel)
{
    const struct person_row *row = &life->who->row;
    uint64_t phone_seq, email_seq, name_seq;
    bool phone, email, name;

    if (row->optins == 1 && row->optin_seq == row->first_seq)
        return 0;
    look_at_newest(life, &phone, &email, &name);
    name_seq = name ? 0 : row->name_seq;
    phone_seq = phone || hash_is_none(row->phone) ? 0 : person_brought_by(row, true);
    email_seq = email || hash_is_none(row->email) ? 0 : person_brought_by(row, false);
    if (channel == TASK_EMAIL)
        return first_of(email_seq, name_seq, phone_seq);
    if (channel == TASK_CALL || channel == TASK_SMS || channel == TASK_VOICEMAIL)
        return first_of(phone_seq, email_seq, name_seq);
    return first_of(name_seq, phone_seq, email_seq);
}

/* The newest words are no opt-in's own where they came as an update to one. */
static bool newest_is_update(const struct life *life)
{
    struct record_view record;

    return life->received == NULL &&
           journal_batch_read(life->engine->options.journal, life->who->row.optin_seq, &record) ==
               STATUS_OK &&
           record.header.kind == RECORD_REPEATED;
}

/* Of several people who are one, those are told of it who have planned it. */
void life_tell_task(struct life *life, struct task_row *row)
{
    const struct person_row *person = &life->who->row;
    struct life own;

    if (life_begin_planner(&own, life, row)) {
        life_tell_task(&own, row);
        row->known_seq = person->known_seq;
        return;
    }
    if (newest_is_update(life)) {
        row->optin_seq = person->first_seq;
        row->received_ms = person->first_ms;
        row->more_seq = person->optin_seq;
    } else {
        row->optin_seq = person->optin_seq;
        row->received_ms = person->last_ms;
        row->more_seq = known_from(life, (enum task_channel)row->channel);
    }
    row->known_seq = person->known_seq;
    life_mark_shown(life, row);
}

/* False as well where it cannot be read. */
static bool gives_name(struct life *life, uint64_t seq)
{
    struct optin *optin = life->engine->known;
    struct slice said = life->said;
    struct record_view record;

    if (life->received == NULL || seq != life->who->row.optin_seq) {
        if (seq == 0 ||
            journal_batch_read(life->engine->options.journal, seq, &record) != STATUS_OK)
            return false;
        said = record.payload;
    }
    return optin_decode(said, optin) == STATUS_OK && name_is_given(optin);
}

/* As the task is rendered: one that is told of opt-ins without a name addresses nobody, though
 * another one had it. */
bool life_names(struct life *life, enum task_channel channel)
{
    struct task_row row = {.channel = (uint8_t)channel, .kind = TASK_STEP};

    life_tell_task(life, &row);
    if (gives_name(life, row.optin_seq) || gives_name(life, row.more_seq))
        return true;
    return name_is_usable(known_of(life_known(life), KNOWN_FINDING, SLICE("name"))) ||
           name_is_usable(known_of(life_known(life), KNOWN_FINDING, SLICE("first_name")));
}

void life_new_task(struct life *life, enum task_channel channel, enum task_kind kind,
                   struct task_row *row)
{
    const struct person_row *person = &life->who->row;

    MUST(life->opened < TASKS_PER_RECORD);
    *row = (struct task_row){
        .number = life->turn->seq << 3 | life->opened++,
        .opened_ms = life->turn->now_ms,
        .site = person->site,
        .owner = person->owner,
        .delivery = 1,
        .attempt = (uint16_t)(person->attempts + 1),
        .channel = (uint8_t)channel,
        .kind = (uint8_t)kind,
        .stage = person->stage,
        .renderer = TASK_RENDERER,
        .playbook = person->playbook,
        .segment = person->segment,
    };
    life_tell_task(life, row);
}
