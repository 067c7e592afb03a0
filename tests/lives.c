#include "tests/lives.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/must.h"
#include "proto/report.h"
#include "proto/task.h"
#include "tests/lives_internal.h"

#define WORD_MAX     128
#define SETTINGS_MAX 4096
#define DAY_MS       86400000ull

/* --- reading ------------------------------------------------------------------------------- */

/* One line: its first word, and the rest. */
struct command_line {
    char whole[512];
    char verb[WORD_MAX];
    const char *rest;
};

static void split(struct slice line, struct command_line *out)
{
    MUST(line.length < sizeof(out->whole));
    memcpy(out->whole, line.bytes, line.length);
    out->whole[line.length] = '\0';
    out->rest = out->whole + strcspn(out->whole, " ");
    snprintf(out->verb, sizeof(out->verb), "%.*s", (int)(out->rest - out->whole), out->whole);
    while (*out->rest == ' ')
        out->rest++;
}

static const char *next_word(const char **rest, char out[WORD_MAX])
{
    size_t length = strcspn(*rest, " ");

    MUST(length < WORD_MAX);
    memcpy(out, *rest, length);
    out[length] = '\0';
    *rest += length;
    while (**rest == ' ')
        (*rest)++;
    return out;
}

/* The word behind `name=`, or NULL. */
static const char *named(const char *rest, const char *name, char out[WORD_MAX])
{
    char word[WORD_MAX];
    size_t length = strlen(name);

    while (*next_word(&rest, word) != '\0') {
        if (strncmp(word, name, length) != 0 || word[length] != '=')
            continue;
        memcpy(out, word + length + 1, strlen(word + length + 1) + 1);
        return out;
    }
    return NULL;
}

static uint64_t moment_of(const struct zone *zone, const char *text, char between)
{
    struct civil civil = {0};
    unsigned month, day, hour, minute;
    char sign;

    if (sscanf(text, "%d-%u-%u%c%u:%u", &civil.year, &month, &day, &sign, &hour, &minute) != 6 ||
        sign != between)
        fail_msg("'%s' is no moment", text);
    civil.month = (uint8_t)month;
    civil.day = (uint8_t)day;
    civil.hour = (uint8_t)hour;
    civil.minute = (uint8_t)minute;
    return zone_moment(zone, &civil);
}

static uint64_t span_of(const char *rest)
{
    uint64_t sum = 0;
    char word[WORD_MAX];

    while (*next_word(&rest, word) != '\0') {
        char *unit;
        uint64_t count = strtoull(word, &unit, 10);
        if (strlen(unit) != 1 || strchr("smhd", *unit) == NULL)
            fail_msg("'%s' is no length of time", word);
        sum += count * (*unit == 's'   ? 1000
                        : *unit == 'm' ? 60000
                        : *unit == 'h' ? 3600000
                                       : DAY_MS);
    }
    return sum;
}

/* --- the world ---------------------------------------------------------------------------- */

static void add_robots(struct lives *lives)
{
    const struct registry *registry = recovery_registry(lives->world.recovery);
    char bytes[SETTINGS_MAX], one[SETTINGS_MAX];
    struct text text = text_over(bytes, sizeof(bytes));
    struct slice lines, settings;

    MUST(registry_add_robots(registry, SLICE("acme"), &text) == STATUS_OK);
    lines = (struct slice){bytes + 1, text.length - 1};
    while (registry_next_settings(&lines, &settings)) {
        snprintf(one, sizeof(one), "%.*s", (int)settings.length, settings.bytes);
        world_admin(&lives->world, ENTITY_QUEUE, one);
    }
}

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    (void)owner;
    fail_msg("the playbook, line %u: %s", (unsigned)complaint->at.line, complaint->text);
}

static void add_playbook(struct lives *lives, struct slice yaml)
{
    static char bytes[PLAYBOOK_CANONICAL_MAX * 2];
    const struct registry *registry = recovery_registry(lives->world.recovery);
    struct text settings = text_over(bytes, sizeof(bytes) - 1);
    const struct playbook *playbook;
    struct slice field;

    MUST(playbook_open(yaml, on_complaint, NULL, &playbook) == STATUS_OK);
    MUST(registry_check_playbook(registry, SLICE("acme.own"), SLICE("acme"), playbook, &settings,
                                 &field) == STATUS_OK);
    playbook_close(playbook);
    bytes[settings.length] = '\0';
    world_admin(&lives->world, ENTITY_PLAYBOOK, bytes);
}

static void read_shipped(const char *name, struct text *out)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/deploy/playbooks/%s.yaml", SOURCE_DIR, name);
    file = fopen(path, "re");
    if (file == NULL)
        fail_msg("there is no %s", path);
    out->length = fread(out->bytes, 1, out->capacity, file);
    fclose(file);
}

/* What stands before `start` says what kind of a world it is. */
struct setting {
    struct text yaml; /* the playbook; empty: the shipped one */
    char site[WORD_MAX];
};

static void add_site(struct lives *lives, const struct setting *setting)
{
    char settings[SETTINGS_MAX];

    snprintf(settings, sizeof(settings),
             "{\"id\":\"acme-www\",\"agency\":\"acme\",\"queue\":\"acme.calls\",\"country\":\"US\""
             "%s%s%s}",
             setting->yaml.length > 0 ? ",\"playbook\":\"acme.own\"" : "",
             setting->site[0] != '\0' ? "," : "", setting->site);
    lives->world.site = world_admin(&lives->world, ENTITY_SITE, settings);
}

static void start(struct lives *lives, const struct setting *setting, const char *rest)
{
    char date[WORD_MAX], time[WORD_MAX], both[2 * WORD_MAX + 1], zone[WORD_MAX];

    next_word(&rest, date);
    next_word(&rest, time);
    lives->zone = zone_find(slice_of(next_word(&rest, zone)));
    MUST(lives->zone != NULL);
    add_robots(lives);
    if (setting->yaml.length > 0)
        add_playbook(lives, text_slice(&setting->yaml));
    add_site(lives, setting);
    snprintf(both, sizeof(both), "%s %s", date, time);
    lives->world.now_ms = moment_of(lives->zone, both, ' ');
    lives->told_seq = state_meta(lives->world.state)->folded_seq;
    MUST(journal_reader_open(recovery_journal(lives->world.recovery), &lives->reader) == STATUS_OK);
}

static void reopen(struct lives *lives)
{
    journal_reader_close(lives->reader);
    world_reopen(&lives->world, false, false);
    MUST(journal_reader_open(recovery_journal(lives->world.recovery), &lives->reader) == STATUS_OK);
}

/* --- people ------------------------------------------------------------------------------- */

struct lives_person *lives_numbered(struct lives *lives, uint64_t number)
{
    for (unsigned i = 0; i < lives->count; i++)
        if (lives->people[i].number == number)
            return &lives->people[i];
    fail_msg("nobody has number %llu", (unsigned long long)number);
    return NULL;
}

static struct lives_person *person_named(struct lives *lives, const char *name)
{
    for (unsigned i = 0; i < lives->count; i++)
        if (strcmp(lives->people[i].name, name) == 0)
            return &lives->people[i];
    return NULL;
}

static struct lives_person *somebody(struct lives *lives, const char **rest)
{
    char name[WORD_MAX];
    struct lives_person *person = person_named(lives, next_word(rest, name));

    if (person == NULL)
        fail_msg("nobody is called '%s'", name);
    return person;
}

static void opt_in(struct lives *lives, const char *rest)
{
    struct world *world = &lives->world;
    char name[WORD_MAX], words[6][WORD_MAX], content[16];
    struct lives_person *person = person_named(lives, next_word(&rest, name));
    bool is_import = named(rest, "source_kind", words[0]) != NULL;

    if (person == NULL) {
        MUST(lives->count < LIVES_PEOPLE_MAX && strlen(name) < sizeof(person->name));
        person = &lives->people[lives->count++];
        strcpy(person->name, name);
        MUST(named(rest, "zone", words[0]) != NULL);
        person->zone = zone_find(slice_of(words[0]));
        person->first_ms = world->now_ms;
    }
    world->name = named(rest, "name", words[1]);
    world->timezone = named(rest, "timezone", words[2]);
    world->postal_code = named(rest, "postal_code", words[3]);
    snprintf(content, sizeof(content), "%llu", (unsigned long long)lives->told_seq);
    MUST(world_optin(world, named(rest, "phone", words[4]), named(rest, "email", words[5]), NULL,
                     content, is_import ? INTAKE_IMPORTED : 0) == STATUS_OK);
    person->number = world->settlement.optin.person;
}

/* --- tasks -------------------------------------------------------------------------------- */

static enum task_channel channel_of(const char *name)
{
    for (int channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++)
        if (strcmp(task_channel_name((enum task_channel)channel), name) == 0)
            return (enum task_channel)channel;
    fail_msg("'%s' is no channel", name);
    return TASK_CHANNEL_END;
}

static bool take_from(struct members *members, uint64_t person, enum task_channel channel,
                      struct lives_member *out)
{
    for (unsigned i = 0; i < members->count; i++) {
        if (members->of[i].person != person || members->of[i].row.channel != channel)
            continue;
        *out = members->of[i];
        memmove(&members->of[i], &members->of[i + 1],
                (--members->count - i) * sizeof(members->of[0]));
        return true;
    }
    return false;
}

static void say(struct lives *lives, const struct lives_member *member, enum report_op op,
                enum outcome outcome, const char *agent)
{
    enum status status =
        world_report(&lives->world, member->task, member->delivery, op, outcome, agent);

    if (status != STATUS_OK)
        fail_msg("the report is answered %s", status_code(status));
}

static void claim(struct lives *lives, const char *rest)
{
    struct lives_person *person = somebody(lives, &rest);
    char channel[WORD_MAX];
    struct lives_member member;

    MUST(take_from(&lives->standing, person->number, channel_of(next_word(&rest, channel)),
                   &member));
    say(lives, &member, REPORT_CLAIM, OUTCOME_NONE, "a42");
    lives->held.of[lives->held.count++] = member;
}

static void report(struct lives *lives, const char *rest)
{
    struct world *world = &lives->world;
    struct lives_person *person = somebody(lives, &rest);
    char words[2][WORD_MAX], agent[WORD_MAX] = "a42", at[WORD_MAX], value[WORD_MAX];
    enum task_channel channel = channel_of(next_word(&rest, words[0]));
    enum outcome outcome = outcome_of(slice_of(next_word(&rest, words[1])));
    struct lives_member member;

    if (!take_from(&lives->held, person->number, channel, &member) &&
        !take_from(&lives->standing, person->number, channel, &member))
        fail_msg("%s has no %s in a queue", person->name, words[0]);
    named(rest, "agent", agent);
    world->value = named(rest, "value", value);
    if (named(rest, "call_at", at) != NULL)
        world->call_at_ms = moment_of(person->zone, at, 'T');
    say(lives, &member, REPORT_OUTCOME, outcome, agent);
    world->value = NULL;
    world->call_at_ms = 0;
    person->ended[channel] = member.task;
}

/* What is said once more of a task that has ended is kept, and answered with a conflict. */
static void report_again(struct lives *lives, const char *rest)
{
    struct lives_person *person = somebody(lives, &rest);
    char words[2][WORD_MAX];
    enum task_channel channel = channel_of(next_word(&rest, words[0]));
    enum outcome outcome = outcome_of(slice_of(next_word(&rest, words[1])));

    MUST(world_report(&lives->world, person->ended[channel], 1, REPORT_OUTCOME, outcome, "late") ==
         STATUS_CONFLICT);
}

static void report_in_vain(struct lives *lives, struct text *out, const char *rest)
{
    struct lives_person *person = somebody(lives, &rest);
    char words[2][WORD_MAX];
    enum task_channel channel = channel_of(next_word(&rest, words[0]));
    enum outcome outcome = outcome_of(slice_of(next_word(&rest, words[1])));
    struct members standing = lives->standing;
    struct lives_member member;
    enum status status;

    MUST(take_from(&standing, person->number, channel, &member));
    status =
        world_report(&lives->world, member.task, member.delivery, REPORT_OUTCOME, outcome, "a42");
    lives_tell_head(out, person, lives->world.now_ms, "refused");
    text_printf(out, " %d %s\n", status_http(status), status_code(status));
}

static void deliver(struct lives *lives)
{
    while (lives->robots) {
        struct lives_member member;
        unsigned channel = TASK_EMAIL, i = 0;

        while (i < lives->standing.count && (lives->standing.of[i].row.channel == TASK_CALL ||
                                             lives->standing.of[i].row.channel == TASK_VISIT ||
                                             lives->standing.of[i].row.channel == TASK_RESEARCH))
            i++;
        if (i == lives->standing.count)
            return;
        channel = lives->standing.of[i].row.channel;
        MUST(take_from(&lives->standing, lives->standing.of[i].person, (enum task_channel)channel,
                       &member));
        say(lives, &member, REPORT_OUTCOME, OUTCOME_DELIVERED, "robot");
        lives_numbered(lives, member.person)->ended[channel] = member.task;
    }
}

/* --- time --------------------------------------------------------------------------------- */

static void tell_block(struct lives *lives, const char *did, struct slice news)
{
    text_string(lives->story, "\n@ ");
    lives_tell_moment(lives->story, lives->world.now_ms);
    text_printf(lives->story, "%s%s\n", did[0] != '\0' ? " " : "", did);
    text_add(lives->story, news);
}

static void act(struct lives *lives, const char *did);

/* Calls that are answered as soon as they are put. */
static void answer(struct lives *lives)
{
    for (unsigned i = 0; i < lives->standing.count; i++) {
        const struct lives_member *member = &lives->standing.of[i];
        const struct lives_person *person = lives_numbered(lives, member->person);
        char did[3 * WORD_MAX];
        if (member->row.channel != TASK_CALL || person->answer[0] == '\0')
            continue;
        snprintf(did, sizeof(did), "report %s call %s", person->name, person->answer);
        act(lives, did); /* which answers what stands then */
        return;
    }
}

/* Tells what came of what was just done, and lets robots and answers follow. */
static void go_on(struct lives *lives, const char *did, struct text *said)
{
    lives_tell_news(lives, said);
    MUST(!said->overflow && !lives->story->overflow);
    if (did[0] != '\0' || said->length > 0)
        tell_block(lives, did, text_slice(said));
    deliver(lives);
    answer(lives);
}

static void live_until(struct lives *lives, uint64_t until_ms)
{
    static char bytes[65536];
    uint64_t due_ms = engine_next_due_ms(lives->world.engine);

    while (due_ms <= until_ms) {
        struct text said = text_over(bytes, sizeof(bytes));
        world_pass(&lives->world, due_ms > lives->world.now_ms ? due_ms - lives->world.now_ms : 0);
        go_on(lives, "", &said);
        due_ms = engine_next_due_ms(lives->world.engine);
    }
    MUST(until_ms >= lives->world.now_ms);
    lives->world.now_ms = until_ms;
}

/* --- doing -------------------------------------------------------------------------------- */

static void act(struct lives *lives, const char *did)
{
    static char bytes[65536];
    struct text said = text_over(bytes, sizeof(bytes));
    struct command_line line;

    split(slice_of(did), &line);
    if (strcmp(line.verb, "optin") == 0)
        opt_in(lives, line.rest);
    else if (strcmp(line.verb, "claim") == 0)
        claim(lives, line.rest);
    else if (strcmp(line.verb, "report") == 0)
        report(lives, line.rest);
    else if (strcmp(line.verb, "again") == 0)
        report_again(lives, line.rest);
    else if (strcmp(line.verb, "refused") == 0)
        report_in_vain(lives, &said, line.rest);
    else if (strcmp(line.verb, "look") == 0)
        lives_tell_members(lives, &said);
    else if (strcmp(line.verb, "kill") == 0)
        reopen(lives);
    else
        fail_msg("'%s' is nothing that can be done", did);
    go_on(lives, did, &said);
}

static void follow(struct lives *lives, const struct command_line *line)
{
    const char *rest = line->rest;
    char word[WORD_MAX];

    if (strcmp(line->verb, "pass") == 0) {
        live_until(lives, lives->world.now_ms + span_of(rest));
    } else if (strcmp(line->verb, "until") == 0) {
        live_until(lives, moment_of(lives->zone, rest, ' '));
    } else if (strcmp(line->verb, "answer") == 0) {
        struct lives_person *person = somebody(lives, &rest);
        next_word(&rest, word);
        snprintf(person->answer, sizeof(person->answer), "%.31s",
                 strcmp(word, "none") == 0 ? "" : word);
        answer(lives);
    } else {
        act(lives, line->whole);
    }
}

/* True: the world is as it is said, life begins. */
static bool set(struct lives *lives, struct setting *setting, const struct command_line *line)
{
    if (strcmp(line->verb, "start") == 0) {
        start(lives, setting, line->rest);
        return true;
    }
    if (strcmp(line->verb, "|") == 0) {
        text_printf(&setting->yaml, "%s\n", line->whole + 2);
    } else if (strcmp(line->verb, "playbook") == 0) {
        read_shipped(line->rest, &setting->yaml);
    } else if (strcmp(line->verb, "site") == 0) {
        snprintf(setting->site, sizeof(setting->site), "%s", line->rest);
    } else {
        MUST(strcmp(line->whole, "robots off") == 0);
        lives->robots = false;
    }
    return false;
}

void lives_tell(struct slice script, struct text *story)
{
    static struct lives lives;
    static char yaml[PLAYBOOK_FILE_MAX];
    struct setting setting = {.yaml = text_over(yaml, sizeof(yaml))};
    bool is_started = false;

    memset(&lives, 0, sizeof(lives));
    lives.story = story;
    lives.robots = true;
    world_open(&lives.world);
    while (script.length > 0) {
        const char *end = memchr(script.bytes, '\n', script.length);
        size_t length = end != NULL ? (size_t)(end - script.bytes) : script.length;
        struct command_line line;

        split((struct slice){script.bytes, length}, &line);
        script.bytes += length + (end != NULL);
        script.length -= length + (end != NULL);
        if (!is_started && line.verb[0] != '\0')
            text_printf(story, "%s\n", line.whole);
        if (line.verb[0] == '#' || line.verb[0] == '\0')
            continue;
        if (is_started)
            follow(&lives, &line);
        else
            is_started = set(&lives, &setting, &line);
    }
    MUST(is_started);
    journal_reader_close(lives.reader);
    world_close(&lives.world);
}
