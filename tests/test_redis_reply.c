/* Replies in memory that is kept: what hiredis reads is what was sent, however large, however it is
 * cut, and the next reply finds the memory free. */
#include <hiredis/hiredis.h>

#include "server/redis_internal.h"
#include "tests/unit.h"

static struct redis_replies replies;
static redisReader *reader;

static int set_up(void **unused)
{
    (void)unused;
    reader = redisReaderCreate();
    if (reader == NULL || !redis_replies_open(&replies))
        return -1;
    redis_replies_use(&replies, reader);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    redisReaderFree(reader);
    redis_replies_close(&replies);
    return 0;
}

/* NULL: not all of it is there. */
static void *feed(const char *bytes, size_t length)
{
    void *root = NULL;

    assert_int_equal(redisReaderFeed(reader, bytes, length), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &root), REDIS_OK);
    return root;
}

static void end(void *root)
{
    reader->fn->freeObject(root);
}

static void assert_text(const struct redis_reply *reply, enum redis_type type, const char *text)
{
    assert_int_equal(reply->type, type);
    assert_slice(reply->text, text);
}

static void every_kind_is_told_byte_by_byte(void **unused)
{
    static const char bytes[] =
        "*7\r\n$1\r\na\r\n:-7\r\n*1\r\n$-1\r\n-ERR no\r\n+OK\r\n*0\r\n*-1\r\n";

    void *first = NULL;

    (void)unused;
    for (int round = 0; round < 3; round++) {
        void *root = NULL;
        for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
            assert_null(root);
            root = feed(bytes + i, 1);
        }
        assert_non_null(root);
        struct redis_reply array = redis_reply_of(root);
        assert_int_equal(array.type, REDIS_ARRAY);
        assert_int_equal(array.count, 7);
        struct redis_reply item = redis_item(&array, 0);
        assert_text(&item, REDIS_STRING, "a");
        assert_int_equal(redis_item(&array, 1).integer, -7);
        item = redis_item(&array, 2);
        assert_int_equal(redis_item(&item, 0).type, REDIS_NIL);
        item = redis_item(&array, 3);
        assert_text(&item, REDIS_ERROR, "ERR no");
        item = redis_item(&array, 4);
        assert_text(&item, REDIS_STATUS, "OK");
        assert_int_equal(redis_item(&array, 5).type, REDIS_ARRAY);
        assert_int_equal(redis_item(&array, 5).count, 0);
        assert_int_equal(redis_item(&array, 6).type, REDIS_NIL);
        assert_true(first == NULL || root == first); /* where the one before was */
        first = root;
        end(root);
    }
}

/* Ten times what is kept, in items, and one item of as much. */
static void large_replies_are_whole_and_leave_nothing(void **unused)
{
    enum { ITEMS = 5000, BIG = 700000 };
    static char bytes[BIG + 64];

    (void)unused;
    for (int round = 0; round < 3; round++) {
        size_t length = (size_t)sprintf(bytes, "*%d\r\n", ITEMS);
        for (int i = 0; i < ITEMS; i++)
            length += (size_t)sprintf(bytes + length, "$8\r\n%08d\r\n", i);
        void *root = feed(bytes, length);
        struct redis_reply array = redis_reply_of(root);
        assert_int_equal(array.count, ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            char expected[12];
            struct redis_reply item = redis_item(&array, (size_t)i);
            snprintf(expected, sizeof(expected), "%08d", i);
            assert_text(&item, REDIS_STRING, expected);
        }
        end(root);

        length = (size_t)sprintf(bytes, "$%d\r\n", BIG);
        memset(bytes + length, 'x' + round, BIG);
        memcpy(bytes + length + BIG, "\r\n", 2);
        root = feed(bytes, length + BIG + 2);
        struct redis_reply big = redis_reply_of(root);
        assert_int_equal(big.text.length, BIG);
        assert_int_equal(big.text.bytes[BIG - 1], 'x' + round);
        end(root);
    }
}

/* The link goes while a reply is half read. */
static void half_a_reply_ends_with_its_reader(void **unused)
{
    (void)unused;
    assert_null(feed("*2\r\n$3\r\nabc\r\n", 13));
    redisReaderFree(reader);
    reader = redisReaderCreate();
    redis_replies_use(&replies, reader);
    void *root = feed(":5\r\n", 4);
    assert_int_equal(redis_reply_of(root).integer, 5);
    end(root);
}

static void what_is_no_reply_is_an_error_and_not_the_last_one(void **unused)
{
    void *root = NULL;

    (void)unused;
    assert_int_equal(redisReaderFeed(reader, "*2\r\n:1\r\n?\r\n", 11), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &root), REDIS_ERR);
    assert_null(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_is_told_byte_by_byte),
        TEST(large_replies_are_whole_and_leave_nothing),
        TEST(half_a_reply_ends_with_its_reader),
        TEST(what_is_no_reply_is_an_error_and_not_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
