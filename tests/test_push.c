/* push.lua in a real Redis. The last tests run one that was broken on purpose: they show that the
 * tests before them would notice. */
#include "tests/script_server.h"

#define MARK "hl:{acme.calls}:mark:n1:e1"

static int set_up_all(void **state)
{
    (void)state;
    return start_for(SOURCE_DIR "/proto/push.lua");
}

/* --- a push ------------------------------------------------------------------------------ */

/* Runs a script with the words of `call`, separated by spaces, '' being an empty one and _ a space
 * in one. Gives "WORD seq", or the error. */
static const char *push_by(const char *script, const char *call)
{
    static char result[256];
    const char *words[64] = {"EVAL", script, "2", TASKS, MARK};
    char copy[1024];
    int count = 5;

    snprintf(copy, sizeof(copy), "%s", call);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        for (char *space = strchr(word, '_'); space != NULL; space = strchr(space, '_'))
            *space = ' ';
        words[count++] = strcmp(word, "''") == 0 ? "" : word;
    }
    redisReply *reply = redisCommandArgv(server.client, count, words, NULL);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ARRAY)
        snprintf(result, sizeof(result), "%s %lld", reply->element[0]->str,
                 reply->element[1]->integer);
    else
        snprintf(result, sizeof(result), "%s", reply->str);
    freeReplyObject(reply);
    return result;
}

static const char *push(const char *call)
{
    return push_by(script_text, call);
}

/* "member=score" of all, or the members of a list in order. */
static const char *queue(void)
{
    static char result[1024];
    redisReply *type = server_do(&server, "TYPE %s", TASKS);
    bool list = strcmp(type->str, "list") == 0;
    redisReply *reply = list ? server_do(&server, "LRANGE %s 0 -1", TASKS)
                             : server_do(&server, "ZRANGE %s 0 -1 WITHSCORES", TASKS);

    result[0] = '\0';
    for (size_t i = 0; i < reply->elements; i++) {
        const char *before = i == 0 ? "" : !list && i % 2 == 1 ? "=" : " ";
        strcat(strcat(result, before), reply->element[i]->str);
    }
    freeReplyObject(type);
    freeReplyObject(reply);
    return result;
}

static const char *mark(void)
{
    static char result[128];
    redisReply *reply = server_do(&server, "GET %s", MARK);

    snprintf(result, sizeof(result), "%s", reply->str != NULL ? reply->str : "none");
    freeReplyObject(reply);
    return result;
}

static void first_push_makes_the_mark(void **state)
{
    (void)state;
    assert_string_equal(push("0 2 A init zset put 1 2 100 a 50 b"), "OK 2");
    assert_string_equal(queue(), "b=50 a=100");
    assert_string_equal(mark(), "2 A");
}

static void move_finds_what_is_there_and_leaves_out_what_was_popped(void **state)
{
    (void)state;
    push("0 2 A init zset put 1 2 100 a 50 b");
    freeReplyObject(server_do(&server, "ZREM %s %s", TASKS, "b"));
    assert_string_equal(push("2 4 A '' zset 1 3 1 900 a 2 4 1 800 b"), "OK 4");
    assert_string_equal(queue(), "a=900");
}

#define REPORTS   "hl:{acme.calls}:reports:n1"
#define TASK(id)  "{\"v\":1,\"id\":\"" id "\",\"delivery\":12,\"report\":\"" REPORTS "\"}"
#define NO_STREAM "{\"v\":1,\"id\":\"c\"}"

/* The words of each entry. */
static const char *reports(void)
{
    static char result[1024];
    redisReply *reply = server_do(&server, "XRANGE %s - +", REPORTS);

    result[0] = '\0';
    for (size_t i = 0; i < reply->elements; i++)
        for (size_t at = 0; at < reply->element[i]->element[1]->elements; at++)
            strcat(strcat(result, reply->element[i]->element[1]->element[at]->str), " ");
    freeReplyObject(reply);
    return result;
}

static void pop_of_what_was_to_be_moved_is_reported(void **state)
{
    (void)state;
    push("0 3 A init zset put 1 3 100 " TASK("a") " 50 " TASK("b") " 10 " NO_STREAM);
    server_run(&server, "ZPOPMIN %s 2", TASKS);
    assert_string_equal(
        push("3 6 A '' zset 1 4 1 900 " TASK("a") " 2 5 1 900 " TASK("b") " 3 6 1 900 " NO_STREAM),
        "OK 6");
    assert_string_equal(queue(), TASK("a") "=900");
    assert_string_equal(reports(), "task b delivery 12 op popped ");
    assert_string_equal(push("6 7 A '' zset 1 7 1 900 " TASK("a")), "OK 7"); /* where it stands */
    assert_string_equal(reports(), "task b delivery 12 op popped ");
}

#define FOUR_PUTS "put 1 2 100 " TASK("a") " 50 " TASK("b") " put 3 2 10 " NO_STREAM " 200 d"

/* If the mark has come to all of them. */
static void those_that_are_gone_are_counted_and_reported(void **state)
{
    (void)state;
    push("0 4 A init zset " FOUR_PUTS);
    server_run(&server, "ZPOPMIN %s 2", TASKS);
    assert_string_equal(push("4 4 A find zset " FOUR_PUTS), "OK 2");
    assert_string_equal(push("5 5 A report zset " FOUR_PUTS), "REWIND 4");
    assert_string_equal(push("4 4 B report zset " FOUR_PUTS), "FENCED 4");
    assert_string_equal(push("4 4 A report list put 4 1 b"), "ERR push: shape");
    assert_string_equal(push("4 4 A report zset drop 4 1 b"), "ERR push: operation");
    assert_string_equal(reports(), "");
    assert_string_equal(push("4 4 A report zset " FOUR_PUTS), "OK 2");
    assert_string_equal(reports(), "task b delivery 12 op popped ");
    assert_string_equal(queue(), TASK("a") "=100 d=200");
    server_run(&server, "DEL %s", MARK);
    assert_string_equal(push("4 4 A report zset " FOUR_PUTS), "NOMARK 0");
}

/* The pop is noticed later then; the push is not held up. */
static void reports_that_are_no_stream_stop_no_push(void **state)
{
    (void)state;
    push("0 1 A init zset put 1 1 100 " TASK("a"));
    server_run(&server, "ZPOPMIN %s", TASKS);
    server_run(&server, "SET %s other", REPORTS);
    assert_string_equal(push("1 3 A '' zset 1 2 1 900 " TASK("a") " put 3 1 5 b"), "OK 3");
    assert_string_equal(queue(), "b=5");
}

static void move_is_a_put_for_a_queue_that_never_had_the_member(void **state)
{
    (void)state;
    assert_string_equal(push("0 5 A init zset 3 5 1 900 c"), "OK 5");
    assert_string_equal(queue(), "c=900");
    assert_string_equal(push("5 7 A '' zset put 6 1 10 d 6 7 1 700 d"), "OK 7");
    assert_string_equal(queue(), "d=700 c=900");
}

static void a_gap_stands_in_the_mark_until_it_is_sent(void **state)
{
    (void)state;
    assert_string_equal(push("0 2 A_0-9 init zset put 1 2 1 a 2 b"), "OK 2");
    assert_string_equal(mark(), "2 A 0-9");
    assert_string_equal(push("2 3 B '' zset put 3 1 3 c"), "FENCED 2");
    assert_string_equal(push("0 2 B_0-9 init zset put 1 2 1 a 2 b"), "DUP 2");
    assert_string_equal(mark(), "2 B 0-9");
    assert_string_equal(push("2 9 B '' zset put 9 1 3 c"), "OK 9");
    assert_string_equal(mark(), "9 B");
    assert_string_equal(push("9 10 '' '' zset put 10 1 3 d"), "ERR push: nonce");
}

static void next_range_goes_on_from_the_mark(void **state)
{
    (void)state;
    push("0 1 A init zset put 1 1 1 a");
    assert_string_equal(push("1 3 A '' zset drop 2 1 a put 3 1 3 c"), "OK 3");
    assert_string_equal(queue(), "c=3");
    assert_string_equal(mark(), "3 A");
}

static void range_may_have_holes_and_may_be_empty(void **state)
{
    (void)state;
    assert_string_equal(push("0 9 A init zset put 4 1 4 d"), "OK 9");
    assert_string_equal(push("9 20 A '' zset"), "OK 20");
    assert_string_equal(queue(), "d=4");
    assert_string_equal(mark(), "20 A");
}

static void empty_range_takes_over_what_was_never_used(void **state)
{
    (void)state;
    assert_string_equal(push("0 0 A init zset"), "OK 0");
    assert_string_equal(mark(), "0 A");
}

static void same_push_again_is_a_duplicate(void **state)
{
    (void)state;
    push("0 2 A init zset put 1 2 1 a 2 b");
    server_run(&server, "ZPOPMIN %s", TASKS);
    assert_string_equal(push("0 2 A '' zset put 1 2 1 a 2 b"), "DUP 2");
    assert_string_equal(queue(), "b=2"); /* what was popped does not come back */
}

static void overlap_is_applied_from_the_mark_on(void **state)
{
    (void)state;
    push("0 2 A init zset put 1 2 1 a 2 b");
    server_run(&server, "ZPOPMIN %s", TASKS);
    assert_string_equal(push("0 3 A '' zset put 1 3 1 a 2 b 3 c"), "OK 3");
    assert_string_equal(queue(), "b=2 c=3");
}

static void run_that_began_below_the_mark_goes_on_above_it(void **state)
{
    (void)state;
    push("0 3 A init list put 1 3 a b c");
    server_run(&server, "DEL %s", TASKS);
    assert_string_equal(push("1 6 A '' list put 2 3 b c d drop 5 1 x put 6 1 f"), "OK 6");
    assert_string_equal(queue(), "d f");
    assert_string_equal(push("4 8 A '' list drop 5 3 f f d put 8 1 h"), "OK 8");
    assert_string_equal(queue(), "f h"); /* the first two drops are old: f came back since */
}

/* What a push answers of the member that stood first before it, and its score. */
static void assert_stood_first(const char *prev, const char *last, const char *score,
                               const char *member, const char *before, const char *score_before)
{
    redisReply *reply =
        server_do(&server, "EVAL %s 2 %s %s %s %s A %s zset put %s 1 %s %s", script_text, TASKS,
                  MARK, prev, last, strcmp(prev, "0") == 0 ? "init" : "", last, score, member);

    assert_int_equal(reply->elements, 4);
    assert_string_equal(reply->element[0]->str, "OK");
    assert_string_equal(reply->element[2]->str, before);
    assert_string_equal(reply->element[3]->str, score_before);
    freeReplyObject(reply);
}

static void what_stood_first_is_told(void **state)
{
    char member[101] = "", begin[65];

    (void)state;
    memset(member, 'm', 100);
    snprintf(begin, sizeof(begin), "%s", member);
    assert_stood_first("0", "1", "7", member, "", "");
    assert_stood_first("1", "2", "3", "c", begin, "7");
    assert_stood_first("2", "3", "9", "d", "c", "3");
    assert_string_equal(push("0 1 A again list put 1 1 x"), "DUP 3");
}

static void lost_tail_asks_for_a_rewind(void **state)
{
    (void)state;
    push("0 2 A init zset put 1 2 1 a 2 b");
    assert_string_equal(push("4 5 A '' zset put 5 1 5 e"), "REWIND 2");
    assert_string_equal(push("4 5 A init zset put 5 1 5 e"), "REWIND 2");
    assert_string_equal(queue(), "a=1 b=2");
    assert_string_equal(mark(), "2 A");
}

static void lost_mark_is_never_made_up(void **state)
{
    (void)state;
    assert_string_equal(push("0 1 A '' zset put 1 1 1 a"), "NOMARK 0");
    assert_string_equal(push("0 1 A again zset put 1 1 1 a"), "NOMARK 0");
    assert_string_equal(push("0 1 A withdraw zset drop 1 1 a"), "NOMARK 0");
    /* An init that goes on from somewhere: what was before that would be lost. */
    assert_string_equal(push("7 8 A init zset put 8 1 8 h"), "NOMARK 0");
    assert_string_equal(queue(), "");
    assert_string_equal(mark(), "none");
}

static void second_writer_is_fenced(void **state)
{
    (void)state;
    push("0 1 A init zset put 1 1 1 a");
    assert_string_equal(push("1 2 B init zset put 2 1 2 b"), "OK 2");
    assert_string_equal(push("1 2 A '' zset put 2 1 2 x"), "FENCED 2");
    assert_string_equal(push("2 3 A again zset put 3 1 3 x"), "FENCED 2");
    assert_string_equal(push("2 2 A withdraw zset drop 2 1 b"), "FENCED 2");
    assert_string_equal(queue(), "a=1 b=2");
    assert_string_equal(mark(), "2 B");
}

static void init_takes_over_even_when_there_is_nothing_new(void **state)
{
    (void)state;
    push("0 2 A init zset put 2 1 2 b");
    assert_string_equal(push("2 2 B init zset"), "DUP 2");
    assert_string_equal(mark(), "2 B");
    assert_string_equal(push("2 3 A '' zset put 3 1 3 x"), "FENCED 2");
}

static void put_again_moves_a_member(void **state)
{
    (void)state;
    push("0 2 A init zset put 1 2 1 a 2 b");
    assert_string_equal(push("2 3 A '' zset put 3 1 30 a"), "OK 3");
    assert_string_equal(queue(), "b=2 a=30");
}

static void put_drop_put_of_one_member_leaves_it(void **state)
{
    (void)state;
    assert_string_equal(push("0 3 A init zset put 1 1 1 a drop 2 1 a put 3 1 3 a"), "OK 3");
    assert_string_equal(queue(), "a=3");
    assert_string_equal(push("3 5 A '' zset put 4 1 4 b drop 5 1 b"), "OK 5");
    assert_string_equal(queue(), "a=3");
}

static void drop_after_put_is_never_seen(void **state)
{
    (void)state;
    assert_string_equal(push("0 3 A init zset put 1 2 1 a 2 b drop 3 1 a"), "OK 3");
    assert_string_equal(queue(), "b=2");
    assert_int_equal(server_number(&server, "ZCARD %s", TASKS), 1);
}

static void withdraw_takes_out_whatever_the_mark(void **state)
{
    (void)state;
    push("0 3 A init zset put 1 3 1 a 2 b 3 c");
    assert_string_equal(push("0 0 A withdraw zset drop 0 3 a c none"), "OK 3");
    assert_string_equal(queue(), "b=2");
    assert_string_equal(mark(), "3 A");
}

static void list_is_a_row(void **state)
{
    (void)state;
    assert_string_equal(push("0 3 A init list put 1 3 a b c"), "OK 3");
    assert_string_equal(push("3 5 A '' list drop 4 1 b put 5 1 b2"), "OK 5");
    assert_string_equal(queue(), "a c b2");
    assert_string_equal(push("0 0 A withdraw list drop 0 1 c"), "OK 5");
    assert_string_equal(queue(), "a b2");
}

static void list_does_not_double_what_it_holds(void **state)
{
    (void)state;
    push("0 3 A init list put 1 3 a b c");
    server_run(&server, "DEL %s", MARK);
    assert_string_equal(push("0 2 A init list put 1 2 a b"), "OK 2");
    assert_string_equal(push("2 3 A again list put 3 1 c"), "OK 3");
    assert_string_equal(queue(), "a b c");
}

static void wrong_types_are_found_before_the_first_write(void **state)
{
    static const char *const calls[] = {
        "0 1 A init hash put 1 1 1 a",
        "x 1 A init zset put 1 1 1 a",
        "2 1 A init zset",
        "0 1 A init zset put",
        "0 1 A init zset put 1",
        "0 1 A init zset put 1 1",
        "0 1 A init zset put 1 1 1",
        "0 1 A init zset put 1 1 1 a b",
        "0 1 A init zset put 1 0 1 a",
        "0 1 A init zset put 1 1.5 1 a 2",
        "0 2 A init zset put 1 1 1 a drop 2 2 b",
        "0 2 A init zset put 1 1 1 a drop 2 5000 b",
        "0 1 A init zset move 1 1 1 a",
        "0 2 A init zset put 1 2 1 a nan b",
        "0 2 A init zset put 1 2 1 a x b",
        "0 2 A init zset put 1 1 1 a 1 2 1 x b",
        "0 2 A init zset put 1 1 1 a put x 1 2 b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        assert_int_equal(strncmp(push(calls[i]), "ERR ", 4), 0);
        assert_string_equal(queue(), "");
        assert_string_equal(mark(), "none");
    }
    server_run(&server, "SET %s x", TASKS);
    assert_int_equal(strncmp(push("0 1 A init zset put 1 1 1 a"), "WRONGTYPE", 9), 0);
    server_run(&server, "DEL %s", TASKS);
    server_run(&server, "RPUSH %s x", TASKS);
    assert_int_equal(strncmp(push("0 1 A init zset put 1 1 1 a"), "WRONGTYPE", 9), 0);
    assert_int_equal(strncmp(push("0 2 A init zset drop 1 1 a put 2 1 1 b"), "WRONGTYPE", 9), 0);
    assert_string_equal(queue(), "x");
    assert_string_equal(mark(), "none");
}

/* Whatever somebody wrote there: it is no mark, and is replaced by one. */
static void overwritten_mark_counts_as_lost(void **state)
{
    static const char *const writes[] = {
        "SET %s rubbish",
        "SET %s 5",
        "SET %s 5~A",
        "SET %s -5",
        "RPUSH %s 1~A",
        "SADD %s x",
        "SET %s 12345678901234567",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        server_run(&server, "FLUSHALL");
        server_run(&server, writes[i], MARK);
        assert_string_equal(push("1 2 A '' zset put 2 1 2 b"), "NOMARK 0");
        assert_string_equal(push("1 2 A init zset put 2 1 2 b"), "NOMARK 0");
        assert_string_equal(push("0 1 A withdraw zset drop 0 1 a"), "NOMARK 0");
        assert_string_equal(queue(), "");
        assert_string_equal(push("0 1 A init zset put 1 1 1 a"), "OK 1");
        assert_string_equal(queue(), "a=1");
        assert_string_equal(mark(), "1 A");
    }
}

static void out_of_memory_refuses_the_whole_push(void **state)
{
    (void)state;
    push("0 1 A init zset put 1 1 1 a");
    server_run(&server, "CONFIG SET maxmemory 1");
    assert_int_equal(strncmp(push("1 2 A '' zset put 2 1 2 b"), "OOM", 3), 0);
    server_run(&server, "CONFIG SET maxmemory 0");
    assert_string_equal(mark(), "1 A");
    assert_string_equal(push("1 2 A '' zset put 2 1 2 b"), "OK 2");
    assert_string_equal(queue(), "a=1 b=2");
}

/* 256 operations, the most that a call has. */
static void largest_call_goes_through(void **state)
{
    static const char *words[13 + 2 * 256] = {"EVAL", NULL,   "2",    TASKS, MARK, "0",  "256",
                                              "A",    "init", "zset", "put", "1",  "256"};
    static char texts[256][2][32];

    (void)state;
    words[1] = script_text;
    for (int i = 0; i < 256; i++) {
        snprintf(texts[i][0], sizeof(texts[i][0]), "%d", i + 1);
        snprintf(texts[i][1], sizeof(texts[i][1]), "member %d", i + 1);
        words[13 + 2 * i] = texts[i][0];
        words[14 + 2 * i] = texts[i][1];
    }
    redisReply *reply = redisCommandArgv(server.client, 13 + 2 * 256, words, NULL);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_string_equal(reply->element[0]->str, "OK");
    freeReplyObject(reply);
    assert_int_equal(server_number(&server, "ZCARD %s", TASKS), 256);
}

static void seqs_stay_exact_far_beyond_32_bits(void **state)
{
    (void)state;
    server_run(&server, "SET %s %s", MARK, "4503599627370495 A");
    assert_string_equal(
        push("4503599627370495 4503599627370497 A '' zset put 4503599627370497 1 1 a"),
        "OK 4503599627370497");
    assert_string_equal(mark(), "4503599627370497 A");
}

/* --- broken on purpose ------------------------------------------------------------------- */

/* push.lua with one passage replaced, which must be in it. */
static char *broken(const char *passage, const char *replacement)
{
    char *found = strstr(script_text, passage), *text = calloc(1, 65536);

    assert_non_null(found);
    assert_non_null(text);
    snprintf(text, 65536, "%.*s%s%s", (int)(found - script_text), script_text, replacement,
             found + strlen(passage));
    return text;
}

static void push_that_leaves_out_drops_would_be_noticed(void **state)
{
    char *script = broken("redis.call('ZREM', queue, unpack(ARGV, from, to))", "return");

    (void)state;
    assert_string_equal(push_by(script, "0 3 A init zset put 1 2 1 a 2 b drop 3 1 a"), "OK 3");
    assert_string_not_equal(queue(), "b=2"); /* as drop_after_put_is_never_seen expects */
    free(script);
}

/* "Above the mark, so it is new": then what the mark's Redis has lost is never sent again. */
static void push_that_only_compares_seq_with_mark_would_be_noticed(void **state)
{
    char *script = broken("if mode ~= 'withdraw' and at < prev then return {'REWIND', at} end", "");

    (void)state;
    push_by(script, "0 2 A init zset put 1 2 1 a 2 b");
    assert_string_not_equal(push_by(script, "4 5 A '' zset put 5 1 5 e"), "REWIND 2");
    assert_string_equal(mark(), "5 A"); /* 3 and 4 are gone for good */
    free(script);
}

static void push_that_forgets_what_is_known_would_be_noticed(void **state)
{
    char *script = broken("if seq <= at and ranges then", "if false then");

    (void)state;
    push_by(script, "0 2 A init zset put 1 2 1 a 2 b");
    server_run(&server, "ZPOPMIN %s", TASKS);
    push_by(script, "0 3 A '' zset put 1 3 1 a 2 b 3 c");
    assert_string_not_equal(queue(), "b=2 c=3");
    free(script);
}

static void push_that_makes_up_a_mark_would_be_noticed(void **state)
{
    char *script = broken("if mode ~= 'init' or prev > 0 then", "if mode ~= 'init' then");

    (void)state;
    assert_string_not_equal(push_by(script, "7 7 A init zset"), "NOMARK 0");
    free(script);
}

static void push_without_a_fence_would_be_noticed(void **state)
{
    char *script = broken("if owner ~= nonce and mode ~= 'init' then", "if false then");

    (void)state;
    push_by(script, "0 1 A init zset put 1 1 1 a");
    push_by(script, "1 2 B init zset put 2 1 2 b");
    assert_string_not_equal(push_by(script, "2 3 A '' zset put 3 1 3 x"), "FENCED 2");
    free(script);
}

static void push_that_doubles_in_lists_would_be_noticed(void **state)
{
    char *script = broken("if mode ~= '' then drop(from, to) end", "");

    (void)state;
    push_by(script, "0 1 A init list put 1 1 a");
    server_run(&server, "DEL %s", MARK);
    push_by(script, "0 1 A init list put 1 1 a");
    assert_string_equal(queue(), "a a");
    free(script);
}

static void push_that_does_not_look_at_scores_would_be_noticed(void **state)
{
    char *script = broken("scores = scores + ARGV[i]", "");

    (void)state;
    push_by(script, "0 3 A init zset put 1 1 1 a drop 2 1 b put 3 1 x c");
    assert_string_equal(queue(), "a=1"); /* half of the call, and no mark that says so */
    assert_string_equal(mark(), "none");
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_push_makes_the_mark, set_up),
        cmocka_unit_test_setup(move_is_a_put_for_a_queue_that_never_had_the_member, set_up),
        cmocka_unit_test_setup(move_finds_what_is_there_and_leaves_out_what_was_popped, set_up),
        cmocka_unit_test_setup(pop_of_what_was_to_be_moved_is_reported, set_up),
        cmocka_unit_test_setup(those_that_are_gone_are_counted_and_reported, set_up),
        cmocka_unit_test_setup(reports_that_are_no_stream_stop_no_push, set_up),
        cmocka_unit_test_setup(a_gap_stands_in_the_mark_until_it_is_sent, set_up),
        cmocka_unit_test_setup(next_range_goes_on_from_the_mark, set_up),
        cmocka_unit_test_setup(range_may_have_holes_and_may_be_empty, set_up),
        cmocka_unit_test_setup(empty_range_takes_over_what_was_never_used, set_up),
        cmocka_unit_test_setup(same_push_again_is_a_duplicate, set_up),
        cmocka_unit_test_setup(overlap_is_applied_from_the_mark_on, set_up),
        cmocka_unit_test_setup(run_that_began_below_the_mark_goes_on_above_it, set_up),
        cmocka_unit_test_setup(what_stood_first_is_told, set_up),
        cmocka_unit_test_setup(lost_tail_asks_for_a_rewind, set_up),
        cmocka_unit_test_setup(lost_mark_is_never_made_up, set_up),
        cmocka_unit_test_setup(second_writer_is_fenced, set_up),
        cmocka_unit_test_setup(init_takes_over_even_when_there_is_nothing_new, set_up),
        cmocka_unit_test_setup(put_again_moves_a_member, set_up),
        cmocka_unit_test_setup(put_drop_put_of_one_member_leaves_it, set_up),
        cmocka_unit_test_setup(drop_after_put_is_never_seen, set_up),
        cmocka_unit_test_setup(withdraw_takes_out_whatever_the_mark, set_up),
        cmocka_unit_test_setup(list_is_a_row, set_up),
        cmocka_unit_test_setup(list_does_not_double_what_it_holds, set_up),
        cmocka_unit_test_setup(wrong_types_are_found_before_the_first_write, set_up),
        cmocka_unit_test_setup(overwritten_mark_counts_as_lost, set_up),
        cmocka_unit_test_setup(out_of_memory_refuses_the_whole_push, set_up),
        cmocka_unit_test_setup(largest_call_goes_through, set_up),
        cmocka_unit_test_setup(seqs_stay_exact_far_beyond_32_bits, set_up),
        cmocka_unit_test_setup(push_that_leaves_out_drops_would_be_noticed, set_up),
        cmocka_unit_test_setup(push_that_only_compares_seq_with_mark_would_be_noticed, set_up),
        cmocka_unit_test_setup(push_that_forgets_what_is_known_would_be_noticed, set_up),
        cmocka_unit_test_setup(push_that_makes_up_a_mark_would_be_noticed, set_up),
        cmocka_unit_test_setup(push_without_a_fence_would_be_noticed, set_up),
        cmocka_unit_test_setup(push_that_doubles_in_lists_would_be_noticed, set_up),
        cmocka_unit_test_setup(push_that_does_not_look_at_scores_would_be_noticed, set_up),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
