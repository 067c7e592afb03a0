/* What hiredis makes of a reply: an object for each item, and a page of a stream has thousands.
 * They begin and end together, so they lie one behind the other in memory that the link keeps, and
 * one step back ends them all. */
#include <hiredis/hiredis.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/redis_internal.h"

#define PIECE_BYTES ((size_t)64 * 1024)

struct redis_piece {
    struct redis_piece *next; /* filled before it; NULL: the one that is kept */
    size_t capacity, used;
    _Alignas(max_align_t) char bytes[];
};

/* hiredis looks at the first member only; it gives no more than the root back when all ends. */
struct item {
    redisReply reply;
    struct redis_replies *home;
};

/* --- memory ------------------------------------------------------------------------------ */

static bool add_piece(struct redis_replies *replies, size_t capacity)
{
    struct redis_piece *piece = malloc(sizeof(*piece) + capacity);

    if (piece == NULL)
        return false;
    *piece = (struct redis_piece){.next = replies->pieces, .capacity = capacity};
    ASAN_POISON_MEMORY_REGION(piece->bytes, capacity);
    replies->pieces = piece;
    return true;
}

/* NULL: out of memory. */
static void *take(struct redis_replies *replies, size_t bytes)
{
    size_t room = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct redis_piece *piece = replies->pieces;

    if (piece->capacity - piece->used < room) {
        if (!add_piece(replies, room > PIECE_BYTES ? room : PIECE_BYTES))
            return NULL;
        piece = replies->pieces;
    }
    void *taken = piece->bytes + piece->used;
    piece->used += room;
    ASAN_UNPOISON_MEMORY_REGION(taken, bytes);
    return taken;
}

static void drop_pieces(struct redis_replies *replies, const struct redis_piece *kept)
{
    while (replies->pieces != kept) {
        struct redis_piece *next = replies->pieces->next;
        ASAN_UNPOISON_MEMORY_REGION(replies->pieces->bytes, replies->pieces->capacity);
        free(replies->pieces);
        replies->pieces = next;
    }
}

static void end_all(void *root)
{
    if (root == NULL)
        return;
    struct redis_replies *replies = ((struct item *)root)->home;
    struct redis_piece *kept = replies->pieces;

    while (kept->next)
        kept = kept->next;
    drop_pieces(replies, kept);
    kept->used = 0;
    ASAN_POISON_MEMORY_REGION(kept->bytes, kept->capacity);
}

/* --- objects ----------------------------------------------------------------------------- */

static redisReply *make(const redisReadTask *task, int type)
{
    struct item *item = take(task->privdata, sizeof *item);

    if (item == NULL)
        return NULL;
    *item = (struct item){.reply = {.type = type}, .home = task->privdata};
    if (task->parent) {
        redisReply *parent = task->parent->obj;
        parent->element[task->idx] = &item->reply;
    }
    return &item->reply;
}

static void *make_string(const redisReadTask *task, char *bytes, size_t length)
{
    redisReply *reply = make(task, task->type);
    char *copy = reply ? take(task->privdata, length + 1) : NULL;

    if (copy == NULL)
        return NULL;
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    reply->str = copy;
    reply->len = length;
    return reply;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = make(task, REDIS_REPLY_INTEGER);

    if (reply)
        reply->integer = value;
    return reply;
}

static void *make_nil(const redisReadTask *task)
{
    return make(task, REDIS_REPLY_NIL);
}

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;

/* RESP3, which is never asked for: its type says so, its value is not looked at. */
static void *make_double(const redisReadTask *task, double value, char *bytes, size_t length)
{
    (void)value, (void)bytes, (void)length;
    return make(task, REDIS_REPLY_DOUBLE);
}

static void *make_bool(const redisReadTask *task, int value)
{
    (void)value;
    return make(task, REDIS_REPLY_BOOL);
}
#else
typedef int element_count;
#endif

static void *make_array(const redisReadTask *task, element_count count)
{
    redisReply *reply = make(task, task->type);
    size_t bytes = (size_t)count * sizeof(redisReply *);
    redisReply **elements = reply && count > 0 ? take(task->privdata, bytes) : NULL;

    if (elements == NULL)
        return reply && count == 0 ? reply : NULL;
    memset(elements, 0, bytes);
    reply->element = elements;
    reply->elements = (size_t)count;
    return reply;
}

static redisReplyObjectFunctions functions = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = make_double,
    .createBool = make_bool,
#endif
    .freeObject = end_all,
};

/* --- a link's ---------------------------------------------------------------------------- */

bool redis_replies_open(struct redis_replies *replies)
{
    *replies = (struct redis_replies){0};
    return add_piece(replies, PIECE_BYTES);
}

void redis_replies_close(struct redis_replies *replies)
{
    drop_pieces(replies, NULL);
}

void redis_replies_use(struct redis_replies *replies, struct redisReader *reader)
{
    MUST(reader->reply == NULL);
    reader->fn = &functions;
    reader->privdata = replies;
}

/* --- as ours ----------------------------------------------------------------------------- */

struct redis_reply redis_reply_of(const void *hiredis_reply)
{
    const redisReply *from = hiredis_reply;

    if (from == NULL)
        return (struct redis_reply){.type = REDIS_UNKNOWN};

    struct redis_reply reply = {.text = {from->str, from->len}};
    switch (from->type) {
    case REDIS_REPLY_NIL:
        return (struct redis_reply){.type = REDIS_NIL};
    case REDIS_REPLY_INTEGER:
        return (struct redis_reply){.type = REDIS_INTEGER, .integer = from->integer};
    case REDIS_REPLY_ARRAY:
        return (struct redis_reply){
            .type = REDIS_ARRAY, .count = from->elements, .items = from->element};
    case REDIS_REPLY_STRING:
        reply.type = REDIS_STRING;
        return reply;
    case REDIS_REPLY_STATUS:
        reply.type = REDIS_STATUS;
        return reply;
    case REDIS_REPLY_ERROR:
        reply.type = REDIS_ERROR;
        return reply;
    default: /* RESP3, which is never asked for */
        return (struct redis_reply){.type = REDIS_ERROR, .text = SLICE("ERR unknown type")};
    }
}

struct redis_reply redis_item(const struct redis_reply *array, size_t index)
{
    MUST(array->type == REDIS_ARRAY && index < array->count);
    return redis_reply_of(((redisReply *const *)array->items)[index]);
}

bool redis_reply_is_error(const struct redis_reply *reply, const char *code)
{
    size_t length = strlen(code);

    return reply->type == REDIS_ERROR && reply->text.length >= length &&
           memcmp(reply->text.bytes, code, length) == 0;
}
