/* Of several people who are one, or were: whose words an opt-in has, and whose a task tells. */
#include "server/engine_alone.h"

uint64_t company_whose(struct engine *engine, const struct company *company, struct hash hash,
                       bool phone)
{
    if (hash_is_none(hash))
        return 0;
    for (unsigned i = 0; i < company->count; i++)
        if (engine_is_found_by(engine, &company->of[i].who, hash, phone))
            return company->of[i].who.number;
    return 0;
}

static uint64_t whose_facts(struct engine *engine, const struct company *company,
                            const struct effect_received *facts)
{
    uint64_t number = company_whose(engine, company, facts->phone, true);

    if (number == 0)
        number = company_whose(engine, company, facts->email, false);
    return number != 0 ? number : company->of[0].who.number;
}

/* Of one that was received before it was decided: whom its phone or its e-mail leads to. */
static uint64_t whose_received(struct engine *engine, const struct effect_received *facts,
                               uint64_t person)
{
    struct company company;
    struct engine_person who;

    if (!engine_find_identity(engine, facts->phone, true, &who) &&
        !engine_find_identity(engine, facts->email, false, &who))
        return person;
    if (!(who.row.marks & PERSON_JOINED))
        return who.number;
    engine_load_company(engine, &who, &company);
    return whose_facts(engine, &company, facts);
}

uint64_t engine_whose(struct engine *engine, uint64_t said_seq, uint64_t person)
{
    struct effect_received facts;
    struct record_view record;
    uint64_t speaker;

    if (!engine_read_record(engine, said_seq, &record))
        return person;
    speaker = effect_speaker(&record);
    if (speaker != 0)
        return speaker;
    if (record.header.person != 0)
        return record.header.person;
    return effect_find(&record, EFFECT_RECEIVED, &facts, sizeof(facts))
               ? whose_received(engine, &facts, person)
               : person;
}

bool engine_find_told(struct engine *engine, const struct engine_person *who, uint64_t task,
                      struct task_row *out)
{
    uint64_t seq = who->last_seq;
    struct record_view record;
    struct effect_task told;
    bool is_found = false;

    for (unsigned i = 0; i < LOOKS_BACK && !is_found && seq > task >> 3; i++) {
        if (!engine_read_record(engine, seq, &record))
            break;
        is_found = engine_find_opened(&record, task, &told);
        seq = record.header.person_prev;
    }
    if (!is_found)
        is_found = engine_read_record(engine, task >> 3, &record) &&
                   engine_find_opened(&record, task, &told);
    if (is_found)
        *out = told.row;
    return is_found;
}

struct others {
    uint64_t *numbers;
    unsigned count;
};

/* Who is left of whose words these are, once, where that is not whom the life is of. */
static void add_other(const struct life *life, uint64_t said_seq, struct others *others)
{
    struct engine_person who;

    if (said_seq == 0 || others->count == OTHERS_MOST ||
        !engine_load_kept(life->engine, engine_whose(life->engine, said_seq, life->who->number),
                          &who) ||
        who.number == life->who->number)
        return;
    for (unsigned i = 0; i < others->count; i++)
        if (others->numbers[i] == who.number)
            return;
    others->numbers[others->count++] = who.number;
}

unsigned life_told_to_others(const struct life *life, const struct engine_person *of, uint64_t task,
                             uint64_t numbers_out[OTHERS_MOST])
{
    struct others others = {.numbers = numbers_out};
    uint64_t seq = of->last_seq;
    struct record_view record;
    struct effect_task told;

    for (unsigned i = 0; i < LOOKS_BACK && seq >= task >> 3; i++) {
        if (!engine_read_record(life->engine, seq, &record))
            break;
        seq = record.header.person_prev;
        if (!engine_find_opened(&record, task, &told))
            continue;
        add_other(life, told.row.optin_seq, &others);
        add_other(life, told.row.more_seq, &others);
    }
    return others.count;
}

uint64_t engine_whose_task(struct engine *engine, const struct engine_person *who, uint64_t task)
{
    struct task_row told;

    return engine_find_told(engine, who, task, &told)
               ? engine_whose(engine, told.optin_seq, who->number)
               : who->number;
}

static bool is_anothers(const struct life *life, struct hash hash, bool phone)
{
    uint64_t whose = company_whose(life->engine, life->company, hash, phone);

    return whose != 0 && whose != life->speaker;
}

bool life_leave_out_others(const struct life *life, struct effect_received *facts)
{
    bool phone = is_anothers(life, facts->phone, true);
    bool email = is_anothers(life, facts->email, false);

    if (phone)
        facts->phone = (struct hash){{0}};
    if (email)
        facts->email = (struct hash){{0}};
    return phone || email;
}

void life_hear_from(struct life *life, const struct effect_received *facts)
{
    if (life->company != NULL)
        life->speaker = whose_facts(life->engine, life->company, facts);
}

void life_hear_about(struct life *life, const struct task_row *task)
{
    if (life->company != NULL)
        life->speaker = engine_whose(life->engine, task->optin_seq, life->who->number);
}
