#include "tests/sim/redis_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/embedded.h"

#define LINKS_MAX     4
#define GHOSTS_MAX    64
#define SNAPSHOTS_MAX 6
#define PAGED_MAX     4
#define BEHIND_MS_MAX 5000
#define LATE_US       (5 * SECOND) /* an answer that takes longer breaks the link */
#define BLOCKED_US    (900 * MS)   /* an XREAD that finds nothing: the server may take its time */

struct command {
    struct event event;
    struct redis *link;
    struct slice *words;
    size_t count;
    char *bytes;
    redis_reply_fn *on_reply;
    void *owner;
    uint64_t sent_us;
    bool done; /* run: its answer is on its way */
    struct answer answer;
    struct command *next;
};

struct redis {
    struct redis_options options;
    bool up, closing;
    struct event event; /* connects, or finds that an answer is late */
    struct command *first, *last;
    unsigned in_flight;
    uint64_t run_us, reply_us; /* the last of each: order is kept */
};

static struct redis_world {
    struct model *model, *snapshots[SNAPSHOTS_MAX]; /* newest first */
    bool down, slow, taken_back;
    uint64_t stopped_us;
    uint64_t behind_ms; /* its clock: one that comes back older is another machine's */
    unsigned run;
    struct redis *links[LINKS_MAX];
    struct command *ghosts[GHOSTS_MAX];
    struct event up_event;
    struct {
        char key[64];
        uint64_t at_ms;
    } paged[PAGED_MAX]; /* queues: when the node began to page through */
} world;

static uint64_t redis_ms(void)
{
    return loop_engine_ms() - world.behind_ms;
}

/* --- commands ---------------------------------------------------------------------------- */

static struct command *command_make(const char *name, const struct slice *words, size_t count)
{
    struct command *command = calloc(1, sizeof(*command));
    size_t bytes = 1, extra = name != NULL, used = 0;

    for (size_t i = 0; i < count; i++)
        bytes += words[i].length;
    MUST(command != NULL);
    command->count = count + extra;
    command->words = malloc((count + extra) * sizeof(command->words[0]));
    command->bytes = malloc(bytes);
    MUST(command->words != NULL && command->bytes != NULL);
    if (name != NULL)
        command->words[0] = slice_of(name);
    for (size_t i = 0; i < count; i++) {
        if (words[i].length > 0)
            memcpy(command->bytes + used, words[i].bytes, words[i].length);
        command->words[i + extra] = (struct slice){command->bytes + used, words[i].length};
        used += words[i].length;
    }
    return command;
}

static void command_free(struct command *command)
{
    event_cancel(&command->event);
    answer_free(&command->answer);
    free(command->words);
    free(command->bytes);
    free(command);
}

static const char *reply_word(const struct redis_reply *reply, char out[80])
{
    struct slice text = reply->text;

    if (reply->type == REDIS_ARRAY && reply->count > 0) {
        struct redis_reply first = redis_item(reply, 0);
        text = first.text;
        if (first.type != REDIS_STRING)
            text = SLICE("[]");
    }
    if (reply->type == REDIS_NIL)
        text = SLICE("nil");
    snprintf(out, 80, "%.*s", (int)(text.length < 79 ? text.length : 79),
             text.length > 0 ? text.bytes : "");
    return out;
}

/* In a few words: what was asked and what was said. Looks that find nothing are not told. */
static void tell(const struct command *command, const char *how)
{
    char word[80], rest[160] = "";
    size_t used = 0;

    if (command->answer.reply.type == REDIS_NIL || slice_equal(command->words[0], SLICE("GET")) ||
        slice_equal(command->words[0], SLICE("ZRANGE")) ||
        slice_equal(command->words[0], SLICE("LRANGE")))
        return;
    for (size_t i = 1; i < command->count && used < sizeof(rest); i++) {
        struct slice text = command->words[i];
        if (text.length > 40)
            text.length = 40;
        used += (size_t)snprintf(rest + used, sizeof(rest) - used, " %.*s", (int)text.length,
                                 text.bytes);
    }
    say("redis%s %.*s%s -> %s", how, (int)command->words[0].length, command->words[0].bytes, rest,
        reply_word(&command->answer.reply, word));
}

static uint64_t way_us(void)
{
    if (world.slow)
        return chance_between(MS, 80 * MS);
    return chance_in(5) ? chance_between(MS, 10 * MS) : chance_between(20, 400);
}

static uint64_t later(uint64_t us, uint64_t least_us)
{
    return us > least_us ? us : least_us;
}

static void command_reply(struct event *event)
{
    struct command *command = event->owner;
    struct redis *link = command->link;

    MUST(link->first == command);
    link->first = command->next;
    if (link->first == NULL)
        link->last = NULL;
    link->in_flight--;
    if (command->on_reply != NULL)
        command->on_reply(command->owner, &command->answer.reply);
    command_free(command);
}

static bool is_blocking(const struct command *command)
{
    return command->count > 3 && slice_equal(command->words[0], SLICE("XREAD")) &&
           slice_equal(command->words[3], SLICE("BLOCK"));
}

/* The first page: of a sorted set from cursor 0, of a list from its end. */
static void note_page(const struct command *command)
{
    const struct slice *words = command->words;
    unsigned slot = 0;

    if (!(slice_equal(words[0], SLICE("ZSCAN")) && slice_equal(words[2], SLICE("0"))) &&
        !(slice_equal(words[0], SLICE("LRANGE")) && slice_equal(words[3], SLICE("-1"))))
        return;
    while (slot < PAGED_MAX && world.paged[slot].key[0] != '\0' &&
           !slice_equal(slice_of(world.paged[slot].key), words[1]))
        slot++;
    MUST(slot < PAGED_MAX);
    snprintf(world.paged[slot].key, sizeof(world.paged[slot].key), "%.*s", (int)words[1].length,
             words[1].bytes);
    world.paged[slot].at_ms = loop_engine_ms();
}

uint64_t redis_world_paged_ms(struct slice key)
{
    for (unsigned i = 0; i < PAGED_MAX; i++)
        if (slice_equal(slice_of(world.paged[i].key), key))
            return world.paged[i].at_ms;
    return 0;
}

static bool is_first_to_run(const struct command *command)
{
    const struct command *first = command->link->first;

    while (first != NULL && first->done)
        first = first->next;
    return first == command;
}

static void command_run(struct event *event)
{
    struct command *command = event->owner;
    struct redis *link = command->link;
    uint64_t now_us = loop_now_us();

    if (now_us < world.stopped_us || !is_first_to_run(command)) {
        event_at(event, later(world.stopped_us, now_us) + chance_between(20, 400), command_run,
                 command);
        return;
    }
    model_do(world.model, command->words, command->count, redis_ms(), &command->answer);
    if (command->answer.reply.type == REDIS_NIL && is_blocking(command) &&
        now_us < command->sent_us + BLOCKED_US) {
        answer_free(&command->answer);
        event_at(event, now_us + 30 * MS, command_run, command);
        return;
    }
    tell(command, "");
    note_page(command);
    command->done = true;
    link->reply_us = later(now_us + way_us(), link->reply_us);
    event_at(event, link->reply_us, command_reply, command);
}

/* --- links ------------------------------------------------------------------------------- */

static void link_rest(struct redis *link);

static void on_connect(struct event *event)
{
    struct redis *link = event->owner;
    struct redis_server server = {.primary = true};

    if (world.down || loop_now_us() < world.stopped_us) {
        link_rest(link);
        return;
    }
    snprintf(server.run_id, sizeof(server.run_id), "run%u", world.run);
    snprintf(server.replication_id, sizeof(server.replication_id), "run%u", world.run);
    link->up = true;
    link->run_us = link->reply_us = 0;
    say("link %s is up", link->options.name);
    link->options.on_up(link->options.owner, &server);
}

static void link_rest(struct redis *link)
{
    event_at(&link->event, loop_now_us() + chance_between(10 * MS, 400 * MS), on_connect, link);
}

/* What a broken link left in the server's buffer is run some time after. */
static void ghost_run(struct event *event)
{
    struct command *command = event->owner;

    if (loop_now_us() < world.stopped_us) {
        event_at(event, world.stopped_us + chance_below(MS), ghost_run, command);
        return;
    }
    for (unsigned i = 0; i < GHOSTS_MAX; i++)
        if (world.ghosts[i] == command)
            world.ghosts[i] = NULL;
    if (!world.down) {
        model_do(world.model, command->words, command->count, redis_ms(), &command->answer);
        tell(command, " (late)");
        world.taken_back |= command->count > 6 && slice_equal(command->words[0], SLICE("PUSH")) &&
                            slice_equal(command->words[6], SLICE("init"));
    }
    command_free(command);
}

/* Of a process that died it is there before the next one's first word. */
static void command_linger(struct command *command, bool dead)
{
    uint64_t most_us = dead || chance_in(50) ? MS : SECOND;

    command->link = NULL;
    for (unsigned i = 0; i < GHOSTS_MAX; i++) {
        if (world.ghosts[i] != NULL)
            continue;
        world.ghosts[i] = command;
        event_at(&command->event, later(loop_now_us(), world.stopped_us) + chance_below(most_us),
                 ghost_run, command);
        return;
    }
    command_free(command);
}

/* Commands that were run have been answered into the void; of the others the first few may still
 * be run. `told`: their owners hear that nobody knows. */
static void link_empty(struct redis *link, bool told)
{
    bool lingers = true;

    while (link->first != NULL) {
        struct command *command = link->first;
        struct redis_reply unknown = {.type = REDIS_UNKNOWN};
        redis_reply_fn *call = command->on_reply;
        void *owner = command->owner;
        link->first = command->next;
        link->in_flight--;
        lingers = lingers && !command->done && !world.down && chance_in(60);
        if (lingers)
            command_linger(command, !told);
        else
            command_free(command);
        if (told && call != NULL)
            call(owner, &unknown);
    }
    link->last = NULL;
}

static void link_break(struct redis *link)
{
    if (!link->up)
        return;
    say("link %s breaks", link->options.name);
    link->up = false;
    link_empty(link, true);
    link_rest(link);
    link->options.on_down(link->options.owner);
}

static void on_late(struct event *event)
{
    struct redis *link = event->owner;

    if (link->first == NULL)
        return;
    if (loop_now_us() >= link->first->sent_us + LATE_US)
        link_break(link);
    else
        event_at(&link->event, link->first->sent_us + LATE_US, on_late, link);
}

static bool link_send(struct redis *link, const char *name, const struct slice *words, size_t count,
                      redis_reply_fn *on_reply, void *owner)
{
    loop_point();
    if (!link->up || link->in_flight >= link->options.in_flight_max)
        return false;
    struct command *command = command_make(name, words, count);
    command->link = link;
    command->on_reply = on_reply;
    command->owner = owner;
    command->sent_us = loop_now_us();
    if (link->last != NULL)
        link->last->next = command;
    else
        link->first = command;
    link->last = command;
    link->in_flight++;
    link->run_us = later(loop_now_us() + way_us(), link->run_us);
    event_at(&command->event, link->run_us, command_run, command);
    if (!link->event.queued)
        event_at(&link->event, command->sent_us + LATE_US, on_late, link);
    loop_point();
    return true;
}

/* --- server/redis.h ---------------------------------------------------------------------- */

struct redis_reply redis_item(const struct redis_reply *array, size_t index)
{
    MUST(array->type == REDIS_ARRAY && index < array->count);
    return ((const struct redis_reply *)array->items)[index];
}

bool redis_reply_is_error(const struct redis_reply *reply, const char *code)
{
    size_t length = strlen(code);

    return reply->type == REDIS_ERROR && reply->text.length >= length &&
           memcmp(reply->text.bytes, code, length) == 0;
}

bool redis_server_equal(const struct redis_server *a, const struct redis_server *b)
{
    return strcmp(a->run_id, b->run_id) == 0 && strcmp(a->replication_id, b->replication_id) == 0;
}

enum status redis_open(const struct redis_options *options, struct redis **out)
{
    struct redis *link = calloc(1, sizeof(*link));
    unsigned slot = 0;

    MUST(link != NULL);
    link->options = *options;
    while (world.links[slot] != NULL)
        slot++;
    MUST(slot < LINKS_MAX);
    world.links[slot] = link;
    link_rest(link);
    *out = link;
    return STATUS_OK;
}

void redis_close(struct redis *link)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (world.links[i] == link)
            world.links[i] = NULL;
    link->up = false;
    event_cancel(&link->event);
    link_empty(link, false);
    free(link);
}

bool redis_is_up(const struct redis *link)
{
    return link->up;
}

const char *redis_trouble(const struct redis *link)
{
    (void)link;
    return "";
}

bool redis_command(struct redis *link, const struct slice *words, size_t count, unsigned timeout_ms,
                   redis_reply_fn *on_reply, void *owner)
{
    (void)timeout_ms;
    return link_send(link, NULL, words, count, on_reply, owner);
}

void redis_flush(struct redis *link)
{
    (void)link;
}

void redis_script_init(struct redis_script *script, const char *text)
{
    script->text = text;
}

bool redis_run(struct redis *link, const struct redis_script *script, size_t key_count,
               const struct slice *words, size_t count, redis_reply_fn *on_reply, void *owner)
{
    MUST(key_count == 2);
    return link_send(link, script->text == embedded_push_lua ? "PUSH" : "CLAIM", words, count,
                     on_reply, owner);
}

/* --- the world's side -------------------------------------------------------------------- */

void redis_world_begin(model_shown_fn *on_shown, void *owner)
{
    world = (struct redis_world){.model = model_open(), .run = 1};
    model_listen(world.model, on_shown, owner);
    model_page(world.model, chance_between(1, 5));
}

void redis_world_end(void)
{
    event_cancel(&world.up_event);
    for (unsigned i = 0; i < GHOSTS_MAX; i++)
        if (world.ghosts[i] != NULL)
            command_free(world.ghosts[i]);
    for (unsigned i = 0; i < SNAPSHOTS_MAX; i++)
        model_close(world.snapshots[i]);
    model_close(world.model);
}

struct model *redis_world_model(void)
{
    return world.model;
}

bool redis_world_is_up(void)
{
    return !world.down && loop_now_us() >= world.stopped_us;
}

bool redis_world_has_ghosts(void)
{
    for (unsigned i = 0; i < GHOSTS_MAX; i++)
        if (world.ghosts[i] != NULL)
            return true;
    return false;
}

bool redis_world_was_taken_back(void)
{
    return world.taken_back;
}

bool redis_world_do(const struct slice *words, size_t count, struct answer *out)
{
    if (!redis_world_is_up())
        return false;
    model_do(world.model, words, count, redis_ms(), out);
    return true;
}

void redis_world_break_links(void)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (world.links[i] != NULL && chance_in(70))
            link_break(world.links[i]);
}

void redis_world_stop(uint64_t us)
{
    world.stopped_us = loop_now_us() + us;
}

void redis_world_slow(bool slow)
{
    world.slow = slow;
}

void redis_world_remember(void)
{
    if (world.down)
        return;
    model_close(world.snapshots[SNAPSHOTS_MAX - 1]);
    memmove(world.snapshots + 1, world.snapshots, (SNAPSHOTS_MAX - 1) * sizeof(world.snapshots[0]));
    world.snapshots[0] = model_copy(world.model);
}

static void on_up_again(struct event *event)
{
    (void)event;
    world.down = false;
    say("redis is there again");
}

/* Goes back to what was remembered `back` snapshots ago. What it forgets now it cannot have
 * remembered later. `behind_ms`: of its clock. */
static void go_back(unsigned back, uint64_t behind_ms)
{
    while (back > 0 && (back > SNAPSHOTS_MAX || world.snapshots[back - 1] == NULL))
        back--;
    if (back == 0)
        return;
    world.behind_ms = behind_ms;
    model_close(world.model);
    world.model = model_copy(world.snapshots[back - 1]);
    for (unsigned i = 0; i + 1 < back; i++)
        model_close(world.snapshots[i]);
    memmove(world.snapshots, world.snapshots + back - 1,
            (SNAPSHOTS_MAX - back + 1) * sizeof(world.snapshots[0]));
    for (unsigned i = SNAPSHOTS_MAX - back + 1; i < SNAPSHOTS_MAX; i++)
        world.snapshots[i] = NULL;
}

static uint64_t another_clock(void)
{
    return chance_in(50) ? chance_below(BEHIND_MS_MAX) : 0;
}

/* The last of what is done: the node may die of it. */
static void break_all(void)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (world.links[i] != NULL)
            link_break(world.links[i]);
}

void redis_world_swap(unsigned back)
{
    bool held = chance_in(50);

    if (world.down)
        return;
    go_back(back, held ? world.behind_ms : another_clock());
    if (!held)
        break_all();
}

void redis_world_restart(unsigned back, uint64_t us)
{
    world.run++;
    world.down = true;
    go_back(back, another_clock());
    event_at(&world.up_event, loop_now_us() + us, on_up_again, NULL);
    break_all();
}

void redis_world_heal(void)
{
    world.slow = false;
    if (world.stopped_us > loop_now_us())
        world.stopped_us = loop_now_us();
}
