/* One agency's years. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/must.h"
#include "proto/optin.h"
#include "server/simulate_internal.h"

#define OUTAGES_A_YEAR 1 /* of the server: what was due then is done when it is back */

/* --- events ------------------------------------------------------------------------------------
 */

static bool comes_before(const struct event *a, const struct event *b)
{
    return a->ms != b->ms ? a->ms < b->ms : a->order < b->order;
}

void town_plan(struct town *town, uint64_t ms, struct event event)
{
    size_t place = town->event_count++;

    event.ms = ms;
    event.order = town->event_order++;
    if (town->event_count > town->event_capacity) {
        town->event_capacity = town->event_capacity == 0 ? 4096 : 2 * town->event_capacity;
        town->events = reallocarray(town->events, town->event_capacity, sizeof(event));
        MUST(town->events);
    }
    while (place > 0 && comes_before(&event, &town->events[(place - 1) / 2])) {
        town->events[place] = town->events[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    town->events[place] = event;
}

static struct event take_event(struct town *town)
{
    const struct event first = town->events[0], last = town->events[--town->event_count];
    size_t place = 0, child;

    while ((child = 2 * place + 1) < town->event_count) {
        if (child + 1 < town->event_count &&
            comes_before(&town->events[child + 1], &town->events[child]))
            child++;
        if (!comes_before(&town->events[child], &last))
            break;
        town->events[place] = town->events[child];
        place = child;
    }
    town->events[place] = last;
    return first;
}

/* --- people by hotlead's numbers
 * ------------------------------------------------------------------ */

static void make_room_for(struct town *town, uint64_t number)
{
    size_t capacity = town->number_capacity == 0 ? 1024 : town->number_capacity;

    while (capacity <= number)
        capacity *= 2;
    if (capacity == town->number_capacity)
        return;
    town->seen = reallocarray(town->seen, capacity, sizeof(*town->seen));
    town->resident_of = reallocarray(town->resident_of, capacity, sizeof(*town->resident_of));
    MUST(town->seen && town->resident_of);
    memset(town->seen + town->number_capacity, 0,
           (capacity - town->number_capacity) * sizeof(*town->seen));
    memset(town->resident_of + town->number_capacity, 0,
           (capacity - town->number_capacity) * sizeof(*town->resident_of));
    town->number_capacity = capacity;
}

struct seen *town_seen(struct town *town, uint64_t number)
{
    make_room_for(town, number);
    return &town->seen[number];
}

struct resident *town_resident(struct town *town, uint64_t number)
{
    make_room_for(town, number);
    MUST(town->resident_of[number] != 0);
    return &town->residents[town->resident_of[number] - 1];
}

/* --- records
 * ---------------------------------------------------------------------------------------- */

static void on_record(void *owner, struct record *record)
{
    struct town *town = owner;

    if (town->options->tamper) {
        town->options->tamper(town->options->owner, record);
        record_seal(record);
    }
    town_check_record(town, record);
    town->digest = simulate_mix(town->digest, record->header.checksum);
}

static void on_outbox(void *owner, const struct engine_outbox *operation)
{
    town_on_put(owner, operation);
}

/* The rows are lost, and made again from the records. Whoever has a task in hand goes on. */
static void restart(struct town *town)
{
    uint64_t digest = memory_digest(town->room.state);

    MUST(memory_room_rebuild(&town->room) == STATUS_OK);
    town_check(town, SIMULATE_CHECK_REBUILT, memory_digest(town->room.state) == digest);
    town_read_again(town);
    town->figures->restarts++;
}

static void restart_when_due(struct town *town)
{
    while (town->restart < town->options->restarts &&
           town->restart_at[town->restart] <= town->figures->records) {
        town->restart++;
        restart(town);
    }
}

enum status town_do(struct town *town, const struct command *command)
{
    enum status status = memory_room_do(&town->room, command);

    MUST(status != STATUS_CORRUPT && status != STATUS_INTERNAL);
    return status;
}

/* --- opt-ins
 * ----------------------------------------------------------------------------------------- */

struct said {
    char phone[16], email[32], name[32], bytes[1024];
    struct optin optin;
    struct effect_received facts;
};

static void say_phone(struct town *town, const struct resident *resident, struct said *said)
{
    const struct hash_key *key = &town->room.genesis.hash_key;
    const struct resident *whose = resident - (resident->shares_phone ? 1 : 0);
    int length =
        snprintf(said->phone, sizeof(said->phone), "+1%s%03u%04u", whose->home->area,
                 220 + (unsigned)(whose->name / 10000 % 90), (unsigned)(whose->name % 10000));

    said->optin.text[OPTIN_PHONE] = said->optin.text[OPTIN_PHONE_E164] =
        (struct slice){said->phone, (size_t)length};
    said->facts.phone = hash_of(key, HASH_PHONE, town->agency, said->optin.text[OPTIN_PHONE]);
}

static void say_email(struct town *town, const struct resident *resident, struct said *said)
{
    int length =
        snprintf(said->email, sizeof(said->email), "p%u@example.com", (unsigned)resident->name);

    said->optin.text[OPTIN_EMAIL] = (struct slice){said->email, (size_t)length};
    said->facts.email = hash_of(&town->room.genesis.hash_key, HASH_EMAIL, town->agency,
                                said->optin.text[OPTIN_EMAIL]);
}

static void say_name(const struct resident *resident, struct said *said)
{
    static const char *const names[] = {"Dana", "Ana", "Lee", "Sam", "Noor", "Ivo", "Mia", "Tom"};
    int length = snprintf(said->name, sizeof(said->name), "%s Number %u", names[resident->name % 8],
                          (unsigned)resident->name);

    said->optin.text[OPTIN_NAME] = (struct slice){said->name, (size_t)length};
    said->facts.flags |= INTAKE_NAME;
}

static void say_source(struct town *town, const struct resident *resident, struct said *said)
{
    static const char *const sources[] = {"site_form", "free_report", "webinar", "paid_traffic"};
    const struct hash_key *key = &town->room.genesis.hash_key;
    const char *source = resident->is_listed && resident->optins == 0
                             ? "bought_list"
                             : sources[chance_below(&town->chance, 4)];

    said->optin.text[OPTIN_SOURCE_KIND] = slice_of(source);
    said->facts.source = source_hash(key, town->agency, said->optin.text[OPTIN_SOURCE_KIND]);
    if (resident->is_listed && resident->optins == 0)
        said->facts.flags |= INTAKE_IMPORTED;
}

static void say(struct town *town, const struct resident *resident, struct said *said)
{
    unsigned site = (unsigned)chance_below(&town->chance, TOWN_SITES);

    optin_clear(&said->optin);
    said->facts =
        (struct effect_received){.site = town->sites[site], .credential = CREDENTIAL_SECRET};
    if (resident->has_phone)
        say_phone(town, resident, said);
    if (resident->has_email)
        say_email(town, resident, said);
    if (resident->has_name)
        say_name(resident, said);
    if (resident->says_zone)
        said->optin.text[OPTIN_TIMEZONE] = slice_of(resident->home->zone_name);
    said->optin.text[OPTIN_COUNTRY] = SLICE("US");
    say_source(town, resident, said);
    /* Half of the forms ask for a consent; a robot and a test are one in two hundred. */
    if (chance_hits(&town->chance, 5000))
        said->facts.flags |= INTAKE_CONSENT;
    if (chance_hits(&town->chance, 50))
        said->facts.flags |= INTAKE_SUSPECT;
    else if (chance_hits(&town->chance, 20))
        said->facts.flags |= INTAKE_TEST;
    said->facts.content =
        optin_content(&said->optin, &town->room.genesis.hash_key, said->facts.site);
}

static void opt_in(struct town *town, uint32_t which)
{
    struct resident *resident = &town->residents[which];
    struct said said;
    struct command command = {.kind = COMMAND_OPTIN, .now_ms = town->now_ms};
    uint64_t number;
    enum status status;

    say(town, resident, &said);
    command.optin = said.facts;
    command.payload =
        (struct slice){said.bytes, optin_encode(&said.optin, said.bytes, sizeof(said.bytes))};
    status = town_do(town, &command);
    MUST(status == STATUS_OK || status == STATUS_DUPLICATE);
    number = town->room.settlement.optin.person;
    if (town->resident_of[number] == 0)
        town->resident_of[number] = which + 1;
    town->figures->optins++;
    if (resident->optins++ == 0)
        town->figures->person_ms += town->until_ms - town->now_ms;
    /* A double click: the same, a second later. */
    if (chance_hits(&town->chance, town->options->rates[SIMULATE_TWICE])) {
        command.now_ms = town->now_ms + 1000;
        town->figures->repeated++;
        town_check(town, SIMULATE_CHECK_REPORT, town_do(town, &command) == STATUS_DUPLICATE);
    }
    if (resident->optins < 20 &&
        chance_hits(&town->chance, town->options->rates[SIMULATE_RETURNING]))
        town_plan(town,
                  simulate_moment(&town->chance, resident->home, town->now_ms + HOUR_MS,
                                  1 + chance_below(&town->chance, 3 * 365)),
                  (struct event){.kind = EVENT_OPTIN, .who = which});
}

/* --- what is there when it begins
 * ----------------------------------------------------------------------- */

static uint32_t make(struct town *town, enum entity_kind entity, const char *settings)
{
    uint32_t number = memory_room_admin(&town->room, entity, settings, SIMULATE_FROM_MS);

    MUST(number != 0);
    return number;
}

static uint32_t make_queue(struct town *town, const char *name)
{
    char settings[128];

    snprintf(settings, sizeof(settings), "{\"id\":\"acme.%s\",\"agency\":\"acme\"}", name);
    return make(town, ENTITY_QUEUE, settings);
}

/* Each version is stored as its canonical YAML, in JSON. */
static void make_playbook(struct town *town)
{
    char *bytes = memory_take(SITE_PLAYBOOK_SETTINGS_MAX + 1);
    struct text settings = text_over(bytes, SITE_PLAYBOOK_SETTINGS_MAX);
    struct slice field;

    MUST(registry_check_playbook(town->room.registry, SLICE("acme.own"), SLICE("acme"),
                                 town->options->playbook, &settings, &field) == STATUS_OK);
    bytes[settings.length] = '\0';
    make(town, ENTITY_PLAYBOOK, bytes);
    free(bytes);
    MUST(memory_room_set(&town->room, ENTITY_AGENCY, town->agency, "{\"playbook\":\"acme.own\"}",
                         SIMULATE_FROM_MS) == STATUS_OK);
}

static void make_entities(struct town *town)
{
    static const char *const queues[] = {"calls", "shop", "closers", "customers"};
    static const char *const sites[TOWN_SITES] = {"web", "report", "shop"};

    town->agency = make(town, ENTITY_AGENCY, "{\"id\":\"acme\",\"name\":\"Acme\"}");
    for (unsigned i = 0; i < 4; i++)
        town->human_queues[town->human_queue_count++] = make_queue(town, queues[i]);
    for (int channel = TASK_EMAIL; channel < TASK_CHANNEL_END; channel++) {
        uint32_t queue = make_queue(town, task_channel_name((enum task_channel)channel));
        if (channel == TASK_VOICEMAIL || channel == TASK_VISIT)
            town->human_queues[town->human_queue_count++] = queue;
    }
    for (unsigned i = 0; i < TOWN_SITES; i++) {
        char settings[160];
        snprintf(settings, sizeof(settings),
                 "{\"id\":\"%s\",\"agency\":\"acme\",\"queue\":\"acme.%s\",\"country\":\"US\"}",
                 sites[i], i == 2 ? "shop" : "calls");
        town->sites[i] = make(town, ENTITY_SITE, settings);
    }
    if (town->options->playbook)
        make_playbook(town);
}

static void open_room(struct town *town)
{
    struct effect_genesis genesis = {.plans_lives = 1};
    const uint64_t keys[4] = {chance_next(&town->chance), chance_next(&town->chance),
                              chance_next(&town->chance), chance_next(&town->chance)};

    _Static_assert(offsetof(struct effect_genesis, plans_lives) == sizeof(keys), "two keys");
    memcpy(&genesis, keys, sizeof(keys));
    town->room =
        (struct memory_room){.on_record = on_record, .on_outbox = on_outbox, .owner = town};
    memory_room_open(&town->room, &genesis, SIMULATE_FROM_MS);
    make_entities(town);
}

static void draw_people(struct town *town, unsigned people)
{
    uint64_t days = (town->until_ms - SIMULATE_FROM_MS) / DAY_MS;

    town->residents = memory_take_zeroed(people, sizeof(*town->residents));
    town->resident_count = people;
    for (unsigned i = 0; i < people; i++) {
        struct resident *resident = &town->residents[i];
        simulate_draw(&town->chance, town->options->rates, i, resident);
        if (i == 0 || !resident[-1].has_phone || resident[-1].shares_phone)
            resident->shares_phone = false;
        town_plan(town, simulate_moment(&town->chance, resident->home, SIMULATE_FROM_MS, days),
                  (struct event){.kind = EVENT_OPTIN, .who = i});
    }
}

/* From ten minutes to three days, most of them short. */
static void draw_outages(struct town *town)
{
    uint64_t years = town->options->years;

    town->outages = memory_take_zeroed(years * OUTAGES_A_YEAR, sizeof(*town->outages));
    for (uint64_t year = 0; year < years; year++) {
        uint64_t length = 10 * MINUTE_MS << chance_below(&town->chance, 9);
        uint64_t from =
            SIMULATE_FROM_MS + year * YEAR_MS + chance_below(&town->chance, YEAR_MS - 4 * DAY_MS);
        town->outages[town->outage_count++] = (struct shift){from, from + length};
    }
}

/* Where rows are thrown away draws from numbers of its own, so that all else stays as it is. */
static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void draw_restarts(struct town *town, unsigned people)
{
    struct chance chance = {town->options->seed * 31 + town->number + 77};
    unsigned count = town->options->restarts;

    town->restart_at = memory_take_zeroed(count + 1, sizeof(*town->restart_at));
    for (unsigned i = 0; i < count; i++)
        town->restart_at[i] = 1 + chance_below(&chance, people * 40ull);
    qsort(town->restart_at, count, sizeof(*town->restart_at), compare_numbers);
}

/* --- the years
 * ------------------------------------------------------------------------------------------ */

/* What happens while the server is down reaches it when it is back. */
static uint64_t reaches(struct town *town, uint64_t ms)
{
    while (town->outage < town->outage_count && town->outages[town->outage].until_ms <= ms)
        town->outage++;
    if (town->outage < town->outage_count && town->outages[town->outage].from_ms <= ms)
        return town->outages[town->outage].until_ms;
    return ms;
}

static void happen(struct town *town, const struct event *event)
{
    switch ((enum event_kind)event->kind) {
    case EVENT_OPTIN:
        opt_in(town, event->who);
        break;
    case EVENT_AGENT:
        town_agent(town, event->who);
        break;
    case EVENT_OUTCOME:
        town_outcome(town, event);
        break;
    case EVENT_ROBOT:
        town_robot(town, event);
        break;
    case EVENT_LOOK:
        town_check_everybody(town);
        break;
    }
}

/* False: nothing is left to happen. */
static bool step(struct town *town)
{
    uint64_t due_ms = engine_next_due_ms(town->room.engine);
    uint64_t event_ms = town->event_count > 0 ? town->events[0].ms : UINT64_MAX;
    uint64_t ms = reaches(town, due_ms < event_ms ? due_ms : event_ms);

    if (ms > town->until_ms)
        return false;
    if (ms > town->now_ms)
        town->now_ms = ms;
    if (due_ms <= town->now_ms) {
        MUST(memory_room_due(&town->room, town->now_ms) == STATUS_OK);
    } else {
        const struct event event = take_event(town);
        happen(town, &event);
    }
    restart_when_due(town);
    return true;
}

static void count_people(struct town *town)
{
    struct simulate_figures *figures = town->figures;
    uint64_t people = state_meta(town->room.state)->people;

    figures->people = people;
    figures->conversed_ms = memory_take_zeroed(people + 1, sizeof(*figures->conversed_ms));
    for (uint64_t number = 1; number <= people; number++) {
        struct person_row row;
        struct task_row task;
        uint64_t last_seq;

        MUST(state_person_find(town->room.state, number, &row, &task, &last_seq));
        figures->ended[row.closed]++;
        if (row.conversed_ms != 0)
            figures->conversed_ms[figures->conversed_count++] =
                row.conversed_ms > row.first_ms ? row.conversed_ms - row.first_ms : 0;
    }
}

static void close_town(struct town *town)
{
    town_close_agents(town);
    memory_room_close(&town->room);
    free(town->events);
    free(town->residents);
    free(town->resident_of);
    free(town->seen);
    free(town->outages);
    free(town->restart_at);
    free(town->steps_done);
}

void simulate_town(const struct simulate_options *options, unsigned number, unsigned people,
                   struct simulate_figures *figures, struct hash *digest)
{
    struct town *town = memory_take_zeroed(1, sizeof(*town));

    town->options = options;
    town->playbook = options->playbook ? options->playbook : playbook_shipped();
    town->figures = figures;
    town->number = number;
    town->chance.state = options->seed ^ (number + 1) * 0xd1342543de82ef95ull;
    town->now_ms = SIMULATE_FROM_MS;
    town->until_ms = SIMULATE_FROM_MS + options->years * YEAR_MS;
    make_room_for(town, people);
    open_room(town);
    draw_people(town, people);
    town_open_agents(town);
    draw_outages(town);
    draw_restarts(town, people);
    for (unsigned year = 1; year <= options->years; year++)
        town_plan(town, SIMULATE_FROM_MS + year * YEAR_MS - 1, (struct event){.kind = EVENT_LOOK});
    while (step(town))
        ;
    figures->agencies = 1;
    count_people(town);
    *digest = town->digest;
    close_town(town);
    free(town);
}
