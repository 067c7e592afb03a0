/* The Redis of the simulated world against a real one: the same random calls, push.lua and
 * claim.lua among them, give the same answers and leave the same keys behind. SEED begins with
 * another one. */
#include "proto/text.h"
#include "server/embedded.h"
#include "tests/redis_server.h"
#include "tests/sim/redis_model.h"
#include "tests/unit.h"

#define SEQUENCES 300
#define CALLS     60
#define WORDS_MAX 64
#define MEMBERS   9
#define QUEUE     "hl:{q}:tasks"
#define MARK      "hl:{q}:mark:n1:1"
#define STREAM    "hl:{q}:reports:n1"
#define CLAIMS    "claims" /* only claim.lua writes there: its ids are of two clocks */

static struct fixture {
    struct server server;
    struct model *model;
    char push_sha[48], claim_sha[48];
    uint64_t random;
    uint64_t entry; /* id of the next one in STREAM */
    bool is_list;   /* the shape in this sequence */
    char texts[WORDS_MAX][160];
    struct slice words[WORDS_MAX];
    size_t count;
} fixture;

/* --- words ------------------------------------------------------------------------------- */

static uint64_t below(uint64_t limit)
{
    fixture.random = fixture.random * 6364136223846793005ull + 1442695040888963407ull;
    return (fixture.random >> 33) % limit;
}

static void add(const char *format, ...)
{
    va_list arguments;
    char *text = fixture.texts[fixture.count];

    MUST(fixture.count < WORDS_MAX);
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(fixture.texts[0]), format, arguments);
    va_end(arguments);
    fixture.words[fixture.count++] = (struct slice){text, (size_t)length};
}

static void begin(const char *name)
{
    fixture.count = 0;
    add("%s", name);
}

static void add_member(void)
{
    uint64_t number = below(MEMBERS);

    if (number < MEMBERS / 3)
        add("m%d", (int)number);
    else
        add("{\"v\":1,\"id\":\"tsk_%d\",\"delivery\":%d,\"report\":\"" CLAIMS "\"}", (int)number,
            (int)number % 3 + 1);
}

/* Some operations of a range, in runs, and now and then something that is none. */
static void add_runs(uint64_t seq)
{
    for (uint64_t runs = below(4); runs > 0; runs--) {
        uint64_t count = 1 + below(3), kind = below(8);
        bool put = kind > 1;
        if (kind < 2)
            add("drop");
        else if (kind < 6)
            add("put");
        else if (kind == 6)
            add("%d", (int)below(8));
        else
            add(below(8) > 0 ? "put" : "pot");
        add("%d", (int)seq);
        add("%d", below(40) > 0 ? (int)count : (int)below(6));
        for (uint64_t i = 0; i < count; i++) {
            if (put && !fixture.is_list)
                add(below(60) > 0 ? "%d" : "x%d", (int)below(5) * 100);
            add_member();
        }
        seq += count;
    }
}

static void make_push(void)
{
    static const char *const modes[] = {"",      "",         "",     "init",  "init",
                                        "again", "withdraw", "find", "report"};
    uint64_t prev = below(7), last = prev + below(8);

    begin("PUSH");
    add(QUEUE);
    add(MARK);
    add("%d", (int)prev);
    add("%d", below(40) > 0 ? (int)last : (int)prev - 1);
    add(below(5) > 0 ? "n1" : below(3) > 0 ? "n2" : "n1 2-5");
    add("%s", modes[below(sizeof(modes) / sizeof(modes[0]))]);
    add("%s", below(30) > 0 ? (fixture.is_list ? "list" : "zset") : below(2) > 0 ? "list" : "bag");
    add_runs(prev + 1);
}

static void make_stream_call(void)
{
    uint64_t kind = below(6);

    switch (kind) {
    case 0:
    case 1:
        begin("XADD");
        add(STREAM);
        add("%d-%d", (int)(fixture.entry += below(3)), (int)below(3));
        add("task");
        add("tsk_%d", (int)below(5));
        break;
    case 2:
        begin("XREAD");
        add("COUNT");
        add("%d", 1 + (int)below(4));
        add("STREAMS");
        add(STREAM);
        add("%d-%d", (int)below(fixture.entry + 2), (int)below(3));
        break;
    case 3:
        begin("XREVRANGE");
        add(STREAM);
        add("%d-%d", (int)below(fixture.entry + 2), (int)below(3));
        add("%d-%d", (int)below(fixture.entry + 1), (int)below(3));
        add("COUNT");
        add("%d", 1 + (int)below(4));
        break;
    case 4:
        begin("XTRIM");
        add(STREAM);
        add("MINID");
        add("=");
        add("%d", (int)below(fixture.entry + 2) / 2);
        break;
    default:
        begin("XINFO");
        add("STREAM");
        add(STREAM);
        break;
    }
}

static void make_spoiling_call(void)
{
    static const char *const marks[] = {
        "4 n1", "7 n2", "3 n1 1-6", "rubbish", "5", "5 n1 x", "12345678901234567 n1", "0 n1"};

    switch (below(12)) {
    case 0:
        begin("FLUSHALL");
        break;
    case 1:
        begin("SET");
        add(QUEUE);
        add("a text");
        break;
    case 2:
        begin("RPUSH");
        add(MARK);
        add("a list");
        break;
    case 3:
        begin("DEL");
        add(STREAM);
        fixture.entry = 1;
        break;
    case 4:
    case 5:
        begin("DEL");
        add(below(2) > 0 ? QUEUE : MARK);
        break;
    default:
        begin("SET");
        add(MARK);
        add("%s", marks[below(8)]);
        break;
    }
}

static void make_queue_call(void)
{
    switch (below(6)) {
    case 0:
        begin(fixture.is_list ? "LPOP" : "ZPOPMIN");
        add(QUEUE);
        break;
    case 1:
        begin("CLAIM");
        add(QUEUE);
        add(CLAIMS);
        add(below(20) > 0 ? "a1" : "");
        if (below(2) > 0)
            add("1234");
        break;
    case 2:
        begin("GET");
        add(below(8) > 0 ? MARK : QUEUE);
        break;
    case 3:
        begin(fixture.is_list ? "RPUSH" : "ZADD");
        add(QUEUE);
        if (!fixture.is_list)
            add("%d", (int)below(5) * 100);
        add_member();
        break;
    default:
        begin(below(10) > 0 ? (fixture.is_list ? "LRANGE" : "ZRANGE") : "LRANGE");
        add(QUEUE);
        add("%d", (int)below(8) - 4);
        add("%d", (int)below(8) - 4);
        if (fixture.words[0].bytes[0] == 'Z')
            add("WITHSCORES");
        break;
    }
}

static void make_call(void)
{
    uint64_t kind = below(20);

    if (kind < 9)
        make_push();
    else if (kind < 14)
        make_queue_call();
    else if (kind < 18)
        make_stream_call();
    else
        make_spoiling_call();
}

/* --- the real one ------------------------------------------------------------------------ */

/* Scripts are called by their name. The caller frees the reply. */
static redisReply *ask_server(void)
{
    const char *arguments[WORDS_MAX + 2];
    size_t lengths[WORDS_MAX + 2], count = 0;
    bool push = slice_equal(fixture.words[0], SLICE("PUSH"));
    bool script = push || slice_equal(fixture.words[0], SLICE("CLAIM"));

    if (script) {
        arguments[count++] = "EVALSHA";
        arguments[count++] = push ? fixture.push_sha : fixture.claim_sha;
        arguments[count++] = "2";
    }
    for (size_t i = script; i < fixture.count; i++)
        arguments[count++] = fixture.texts[i];
    for (size_t i = 0; i < count; i++)
        lengths[i] = strlen(arguments[i]);
    redisReply *reply = redisCommandArgv(fixture.server.client, (int)count, arguments, lengths);
    MUST(reply != NULL);
    return reply;
}

static enum redis_type type_of(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_ERROR:
        return REDIS_ERROR;
    case REDIS_REPLY_STATUS:
        return REDIS_STATUS;
    case REDIS_REPLY_STRING:
        return REDIS_STRING;
    case REDIS_REPLY_INTEGER:
        return REDIS_INTEGER;
    case REDIS_REPLY_ARRAY:
        return REDIS_ARRAY;
    default:
        return REDIS_NIL;
    }
}

static size_t word_length(struct slice text)
{
    const char *blank = text.length > 0 ? memchr(text.bytes, ' ', text.length) : NULL;

    return blank != NULL ? (size_t)(blank - text.bytes) : text.length;
}

/* Of an error only the first word is anybody's business. */
static bool is_same(const struct redis_reply *model, const redisReply *real)
{
    struct slice text = {real->str, real->len};

    if (model->type != type_of(real))
        return false;
    switch (model->type) {
    case REDIS_ERROR:
        return slice_equal((struct slice){text.bytes, word_length(text)},
                           (struct slice){model->text.bytes, word_length(model->text)});
    case REDIS_INTEGER:
        return model->integer == real->integer;
    case REDIS_ARRAY:
        if (model->count != real->elements)
            return false;
        for (size_t i = 0; i < model->count; i++)
            if (!is_same((const struct redis_reply *)model->items + i, real->element[i]))
                return false;
        return true;
    case REDIS_NIL:
        return true;
    default:
        return slice_equal(model->text, text);
    }
}

/* The real one tells far more. */
static bool is_same_info(const struct redis_reply *model, const redisReply *real)
{
    if (model->type != REDIS_ARRAY || real->type != REDIS_REPLY_ARRAY)
        return is_same(model, real);
    for (size_t i = 0; i + 1 < real->elements; i += 2)
        if (strcmp(real->element[i]->str, "last-generated-id") == 0)
            return is_same((const struct redis_reply *)model->items + 1, real->element[i + 1]);
    return false;
}

static void write_pairs(FILE *out, const redisReply *reply, bool scores)
{
    for (size_t i = 0; i < reply->elements; i += scores ? 2 : 1)
        fprintf(out, " %s %s\n", scores ? reply->element[i + 1]->str : "0", reply->element[i]->str);
}

static void write_entries(FILE *out, const redisReply *reply, bool own_ids)
{
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *entry = reply->element[i];
        if (own_ids)
            fprintf(out, " %s", entry->element[0]->str);
        else
            fprintf(out, " 0-%zu", i + 1);
        for (size_t j = 0; j < entry->element[1]->elements; j++)
            fprintf(out, " %s", entry->element[1]->element[j]->str);
        fprintf(out, "\n");
    }
}

static void write_key(FILE *out, const char *key)
{
    redisReply *type = server_do(&fixture.server, "TYPE %s", key), *content = NULL;

    if (strcmp(type->str, "string") == 0) {
        content = server_do(&fixture.server, "GET %s", key);
        fprintf(out, "%s 1\n 0 %s\n", key, content->str);
    } else if (strcmp(type->str, "zset") == 0) {
        content = server_do(&fixture.server, "ZRANGE %s 0 -1 WITHSCORES", key);
        fprintf(out, "%s 2\n", key);
        write_pairs(out, content, true);
    } else if (strcmp(type->str, "list") == 0) {
        content = server_do(&fixture.server, "LRANGE %s 0 -1", key);
        fprintf(out, "%s 3\n", key);
        write_pairs(out, content, false);
    } else if (strcmp(type->str, "stream") == 0) {
        content = server_do(&fixture.server, "XRANGE %s - +", key);
        fprintf(out, "%s 4\n", key);
        write_entries(out, content, strcmp(key, CLAIMS) != 0);
    }
    freeReplyObject(type);
    if (content != NULL)
        freeReplyObject(content);
}

/* As model_text writes it. */
static char *server_text(void)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    MUST(out != NULL);
    write_key(out, CLAIMS);
    write_key(out, MARK);
    write_key(out, STREAM);
    write_key(out, QUEUE);
    fclose(out);
    return text;
}

/* --- tests ------------------------------------------------------------------------------- */

static void call_both(uint64_t seed, unsigned number)
{
    struct answer answer;
    char line[2048] = "";
    size_t used = 0;

    make_call();
    model_do(fixture.model, fixture.words, fixture.count, 0, &answer);
    redisReply *reply = ask_server();
    bool info = slice_equal(fixture.words[0], SLICE("XINFO"));
    if (!(info ? is_same_info(&answer.reply, reply) : is_same(&answer.reply, reply))) {
        for (size_t i = 0; i < fixture.count && used < sizeof(line); i++)
            used += (size_t)snprintf(line + used, sizeof(line) - used, " '%s'", fixture.texts[i]);
        fail_msg("seed %llu, call %u:%s: redis says %d %s, the model %d %.*s",
                 (unsigned long long)seed, number, line, (int)type_of(reply),
                 reply->str != NULL ? reply->str : "", (int)answer.reply.type,
                 (int)answer.reply.text.length,
                 answer.reply.text.length > 0 ? answer.reply.text.bytes : "");
    }
    freeReplyObject(reply);
    answer_free(&answer);
}

static uint64_t first_seed(void)
{
    const char *seed = getenv("SEED");

    return seed != NULL ? strtoull(seed, NULL, 10) : 1;
}

static void the_model_answers_and_keeps_what_redis_does(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + SEQUENCES; seed++) {
        fixture.random = seed * 0x9e3779b97f4a7c15ull;
        fixture.entry = 1;
        fixture.is_list = seed % 3 == 0;
        fixture.model = model_open();
        server_run(&fixture.server, "FLUSHALL");
        for (unsigned i = 0; i < CALLS; i++) {
            call_both(seed, i);
            char *model = model_text(fixture.model), *real = server_text();
            if (strcmp(model, real) != 0)
                fail_msg("seed %llu, call %u (%s): redis holds\n%s\nand the model\n%s",
                         (unsigned long long)seed, i, fixture.texts[0], real, model);
            free(model);
            free(real);
        }
        model_close(fixture.model);
    }
}

/* What is there all the time is seen once, page by page. */
static void a_scan_sees_each_member_once(void **state)
{
    struct answer answer;
    unsigned seen[50] = {0};
    char cursor[24] = "0";

    (void)state;
    fixture.model = model_open();
    model_page(fixture.model, 3);
    for (int i = 0; i < 50; i++) {
        begin("ZADD");
        add(QUEUE);
        add("%d", i % 7);
        add("%d", i);
        model_do(fixture.model, fixture.words, fixture.count, 0, &answer);
        answer_free(&answer);
    }
    do {
        begin("ZSCAN");
        add(QUEUE);
        add("%s", cursor);
        add("COUNT");
        add("256");
        model_do(fixture.model, fixture.words, fixture.count, 0, &answer);
        const struct redis_reply *items = answer.reply.items;
        snprintf(cursor, sizeof(cursor), "%.*s", (int)items[0].text.length, items[0].text.bytes);
        for (size_t i = 0; i < items[1].count; i += 2)
            seen[atoi(((const struct redis_reply *)items[1].items)[i].text.bytes)]++;
        answer_free(&answer);
    } while (strcmp(cursor, "0") != 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(seen[i], 1);
    model_close(fixture.model);
}

static void a_copy_keeps_what_it_had(void **state)
{
    struct answer answer;
    char *before, *after;

    (void)state;
    fixture.model = model_open();
    fixture.is_list = false;
    begin("ZADD");
    add(QUEUE);
    add("5");
    add("one");
    model_do(fixture.model, fixture.words, fixture.count, 0, &answer);
    answer_free(&answer);
    struct model *copy = model_copy(fixture.model);
    before = model_text(copy);
    begin("FLUSHALL");
    model_do(fixture.model, fixture.words, fixture.count, 0, &answer);
    answer_free(&answer);
    after = model_text(copy);
    assert_string_equal(before, after);
    assert_string_equal(after, QUEUE " 2\n 5 one\n");
    free(before);
    free(after);
    model_close(copy);
    model_close(fixture.model);
}

static void load(const char *script, char out[48])
{
    redisReply *reply = server_do(&fixture.server, "SCRIPT LOAD %s", script);

    MUST(reply->type == REDIS_REPLY_STRING);
    snprintf(out, 48, "%s", reply->str);
    freeReplyObject(reply);
}

static int set_up(void **state)
{
    (void)state;
    server_start(&fixture.server);
    load(embedded_push_lua, fixture.push_sha);
    load(embedded_claim_lua, fixture.claim_sha);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_end(&fixture.server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_answers_and_keeps_what_redis_does),
        cmocka_unit_test(a_scan_sees_each_member_once),
        cmocka_unit_test(a_copy_keeps_what_it_had),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
