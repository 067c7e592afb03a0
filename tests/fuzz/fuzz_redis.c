/* Whatever a peer may send in place of Redis: hiredis' reader, our view of its replies, and the
 * reading of stream entries. */
#include <hiredis/hiredis.h>
#include <stdint.h>

#include "server/inbox_internal.h"
#include "server/redis_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static size_t walk(const struct redis_reply *reply)
{
    struct inbox_id id;
    struct report report;
    const char *left_out;
    size_t sum = reply->text.length;

    if (inbox_entry_read(reply, &id, &report, &left_out) == STATUS_OK)
        sum += report.task.length + (size_t)id.seq;
    if (redis_reply_is_error(reply, "READONLY"))
        sum++;
    for (size_t i = 0; reply->type == REDIS_ARRAY && i < reply->count; i++) {
        struct redis_reply item = redis_item(reply, i);
        sum += walk(&item);
    }
    for (size_t i = 0; i < reply->text.length; i++)
        sum += (unsigned char)reply->text.bytes[i];
    return sum;
}

/* The reader allocates an array as soon as it is announced, however long: that is between it and
 * its server, and would only end the fuzzing. */
static bool announces_too_much(const uint8_t *bytes, size_t length)
{
    size_t digits = 0;
    bool array = false;

    for (size_t i = 0; i < length && digits <= 5; i++) {
        bool digit = bytes[i] >= '0' && bytes[i] <= '9';
        digits = array && digit ? digits + 1 : 0;
        array = bytes[i] == '*' || (array && digit);
    }
    return digits > 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    size_t sum = 0;
    redisReader *reader = redisReaderCreate();
    void *found = NULL;

    if (announces_too_much(bytes, length))
        length = 0;
    redisReaderFeed(reader, (const char *)bytes, length);
    while (redisReaderGetReply(reader, &found) == REDIS_OK && found != NULL) {
        struct redis_reply reply = redis_reply_of(found);
        sum += walk(&reply);
        freeReplyObject(found);
        found = NULL;
    }
    redisReaderFree(reader);
    return sum == SIZE_MAX ? -1 : 0; /* the sum keeps the reads from being left out */
}
