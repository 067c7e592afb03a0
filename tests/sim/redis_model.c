#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "tests/sim/redis_model_internal.h"

/* --- texts and elements ------------------------------------------------------------------ */

static struct blob *blob_of(const char *bytes, size_t length)
{
    struct blob *blob = malloc(sizeof(*blob) + length + 1);

    MUST(blob != NULL);
    blob->references = 1;
    blob->length = length;
    if (length > 0)
        memcpy(blob->bytes, bytes, length);
    blob->bytes[length] = '\0';
    return blob;
}

static void blob_leave(struct blob *blob)
{
    if (--blob->references == 0)
        free(blob);
}

struct slice element_text(const struct element *element)
{
    return (struct slice){element->text->bytes, element->text->length};
}

static int compare(struct slice a, struct slice b)
{
    size_t least = a.length < b.length ? a.length : b.length;
    int order = least > 0 ? memcmp(a.bytes, b.bytes, least) : 0;

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* --- keys -------------------------------------------------------------------------------- */

struct entry_key *model_find(const struct model *model, struct slice name)
{
    for (size_t i = 0; i < model->count; i++)
        if (slice_equal(slice_of(model->keys[i]->name), name))
            return model->keys[i];
    return NULL;
}

static struct entry_key *key_add(struct model *model, struct slice name, enum key_kind kind)
{
    struct entry_key *key = calloc(1, sizeof(*key));

    MUST(key != NULL && model->count < MODEL_KEYS_MAX);
    key->name = strndup(name.bytes, name.length);
    key->kind = kind;
    model->keys[model->count++] = key;
    return key;
}

static void key_free(struct entry_key *key)
{
    for (size_t i = 0; i < key->count; i++)
        blob_leave(key->elements[i].text);
    free(key->elements);
    free(key->name);
    free(key);
}

void model_delete(struct model *model, struct slice name)
{
    for (size_t i = 0; i < model->count; i++) {
        if (!slice_equal(slice_of(model->keys[i]->name), name))
            continue;
        key_free(model->keys[i]);
        model->keys[i] = model->keys[--model->count];
        return;
    }
}

struct entry_key *model_make(struct model *model, struct slice name, enum key_kind kind)
{
    struct entry_key *key = model_find(model, name);

    return key != NULL ? key : key_add(model, name, kind);
}

/* Opens a place for an element; the caller gives it its text. */
static struct element *element_insert(struct entry_key *key, size_t at)
{
    if (key->count == key->capacity) {
        key->capacity = key->capacity == 0 ? 8 : 2 * key->capacity;
        key->elements = realloc(key->elements, key->capacity * sizeof(key->elements[0]));
        MUST(key->elements != NULL);
    }
    memmove(key->elements + at + 1, key->elements + at,
            (key->count - at) * sizeof(key->elements[0]));
    key->count++;
    key->elements[at] = (struct element){0};
    return &key->elements[at];
}

void element_remove(struct entry_key *key, size_t at)
{
    blob_leave(key->elements[at].text);
    key->count--;
    memmove(key->elements + at, key->elements + at + 1,
            (key->count - at) * sizeof(key->elements[0]));
}

struct element *element_append(struct entry_key *key, struct slice text)
{
    struct element *element = element_insert(key, key->count);

    element->text = blob_of(text.bytes, text.length);
    return element;
}

/* An empty queue is no key; an empty stream is. */
void model_tidy(struct model *model, struct entry_key *key)
{
    if (key->count == 0 && key->kind != KEY_STREAM)
        model_delete(model, slice_of(key->name));
}

/* --- queues ------------------------------------------------------------------------------ */

static void note_shown(struct model *model, const struct entry_key *key, struct slice member)
{
    if (model->on_shown != NULL)
        model->on_shown(model->owner, slice_of(key->name), member);
}

static size_t member_find(const struct entry_key *key, struct slice member)
{
    size_t at = 0;

    while (at < key->count && !slice_equal(element_text(&key->elements[at]), member))
        at++;
    return at;
}

static bool sorts_before(const struct element *element, double score, struct slice member)
{
    if (element->score != score)
        return element->score < score;
    return compare(element_text(element), member) < 0;
}

static void zset_insert(struct entry_key *key, double score, struct blob *text)
{
    size_t at = 0;

    while (at < key->count &&
           sorts_before(&key->elements[at], score, (struct slice){text->bytes, text->length}))
        at++;
    struct element *element = element_insert(key, at);
    element->score = score;
    element->text = text;
}

/* `known`: only a member that is there is moved (XX). */
bool model_zadd(struct model *model, struct slice name, bool known, double score,
                struct slice member)
{
    struct entry_key *key = model_find(model, name);
    size_t at = key != NULL ? member_find(key, member) : 0;
    bool there = key != NULL && at < key->count;

    if (there) {
        struct blob *text = key->elements[at].text;
        text->references++;
        element_remove(key, at);
        zset_insert(key, score, text);
    } else if (!known) {
        key = model_make(model, name, KEY_ZSET);
        zset_insert(key, score, blob_of(member.bytes, member.length));
        note_shown(model, key, member);
    }
    return there || !known;
}

bool model_holds(const struct model *model, struct slice name, struct slice member)
{
    struct entry_key *key = model_find(model, name);

    return key != NULL && member_find(key, member) < key->count;
}

void model_rpush(struct model *model, struct slice name, struct slice member)
{
    struct entry_key *key = model_make(model, name, KEY_LIST);

    element_append(key, member);
    note_shown(model, key, member);
}

/* All of them that are equal. */
unsigned model_remove(struct model *model, struct slice name, struct slice member)
{
    struct entry_key *key = model_find(model, name);
    unsigned removed = 0;

    for (size_t at = 0; key != NULL && (at = member_find(key, member)) < key->count; removed++)
        element_remove(key, at);
    if (removed > 0)
        model_tidy(model, key);
    return removed;
}

/* --- streams ----------------------------------------------------------------------------- */

/* Fields and values, each behind its length. */
static void pack(char *out, const struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t length = (uint32_t)words[i].length;
        memcpy(out, &length, sizeof(length));
        memcpy(out + sizeof(length), words[i].bytes, length);
        out += sizeof(length) + length;
    }
}

bool packed_next(struct slice *packed, struct slice *out)
{
    uint32_t length;

    if (packed->length < sizeof(length))
        return false;
    memcpy(&length, packed->bytes, sizeof(length));
    *out = (struct slice){packed->bytes + sizeof(length), length};
    packed->bytes += sizeof(length) + length;
    packed->length -= sizeof(length) + length;
    return true;
}

struct element *model_xadd(struct model *model, struct slice name, uint64_t ms, uint64_t seq,
                           const struct slice *fields, size_t count)
{
    struct entry_key *key = model_make(model, name, KEY_STREAM);
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += sizeof(uint32_t) + fields[i].length;
    char *packed = malloc(bytes + 1);
    MUST(packed != NULL);
    pack(packed, fields, count);
    struct element *element = element_append(key, (struct slice){packed, bytes});
    free(packed);
    element->ms = key->last_ms = ms;
    element->seq = key->last_seq = seq;
    return element;
}

/* --- the whole --------------------------------------------------------------------------- */

struct model *model_open(void)
{
    struct model *model = calloc(1, sizeof(*model));

    MUST(model != NULL);
    model->page = SIZE_MAX;
    return model;
}

void model_close(struct model *model)
{
    for (size_t i = 0; model != NULL && i < model->count; i++)
        key_free(model->keys[i]);
    free(model);
}

void model_flush(struct model *model)
{
    while (model->count > 0)
        key_free(model->keys[--model->count]);
}

struct model *model_copy(const struct model *model)
{
    struct model *copy = model_open();

    *copy = *model;
    for (size_t i = 0; i < model->count; i++) {
        const struct entry_key *from = model->keys[i];
        struct entry_key *to = malloc(sizeof(*to));
        MUST(to != NULL);
        *to = *from;
        to->name = strdup(from->name);
        to->capacity = from->count;
        to->elements = from->count > 0 ? malloc(from->count * sizeof(to->elements[0])) : NULL;
        for (size_t j = 0; j < from->count; j++) {
            to->elements[j] = from->elements[j];
            to->elements[j].text->references++;
        }
        copy->keys[i] = to;
    }
    return copy;
}

void model_listen(struct model *model, model_shown_fn *on_shown, void *owner)
{
    model->on_shown = on_shown;
    model->owner = owner;
}

void model_page(struct model *model, size_t elements)
{
    model->page = elements;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct entry_key *const *)a)->name, (*(struct entry_key *const *)b)->name);
}

static void write_element(FILE *out, const struct entry_key *key, const struct element *element)
{
    struct slice packed = element_text(element), part;

    if (key->kind != KEY_STREAM) {
        fprintf(out, " %.17g %.*s\n", element->score, (int)packed.length, packed.bytes);
        return;
    }
    fprintf(out, " %llu-%llu", (unsigned long long)element->ms, (unsigned long long)element->seq);
    while (packed_next(&packed, &part))
        fprintf(out, " %.*s", (int)part.length, part.bytes);
    fprintf(out, "\n");
}

char *model_text(const struct model *model)
{
    struct entry_key *keys[MODEL_KEYS_MAX];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    MUST(out != NULL);
    memcpy(keys, model->keys, model->count * sizeof(keys[0]));
    qsort(keys, model->count, sizeof(keys[0]), by_name);
    for (size_t i = 0; i < model->count; i++) {
        fprintf(out, "%s %d\n", keys[i]->name, (int)keys[i]->kind);
        for (size_t j = 0; j < keys[i]->count; j++)
            write_element(out, keys[i], &keys[i]->elements[j]);
    }
    fclose(out);
    return text;
}

bool model_member(const struct model *model, struct slice name, size_t index, struct slice *out)
{
    const struct entry_key *key = model_find(model, name);

    if (key == NULL || (key->kind != KEY_ZSET && key->kind != KEY_LIST) || index >= key->count)
        return false;
    *out = element_text(&key->elements[index]);
    return true;
}

bool model_entry(const struct model *model, struct slice name, size_t index, struct slice field,
                 struct slice *value_out)
{
    const struct entry_key *key = model_find(model, name);

    *value_out = (struct slice){0};
    if (key == NULL || key->kind != KEY_STREAM || index >= key->count)
        return false;
    struct slice packed = element_text(&key->elements[index]), part;
    while (packed_next(&packed, &part)) {
        bool found = slice_equal(part, field);
        if (!packed_next(&packed, &part))
            break;
        if (found)
            *value_out = part;
    }
    return true;
}
