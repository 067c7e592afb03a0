/* Many opt-ins in one body: a JSON array, or one JSON object a line (NDJSON). The count is
 * checked before the first item is handed out, so a batch that is too large stores nothing. */
#include "server/intake/inside.h"

struct batch {
    struct intake *intake;
    intake_item_fn *on_item;
    void *owner;
    unsigned count;
};

static void hand_out(struct batch *batch, enum status status)
{
    batch->on_item(batch->owner, batch->count++, status, &batch->intake->item);
}

/* The limit of a single opt-in holds for every one in an array. What the item took in the
 * body is not known any more; its minified text is what is measured. */
static bool item_too_large(struct intake *intake, struct json_value item)
{
    struct text text = text_over(intake->measured, sizeof(intake->measured));

    json_write(&text, item);
    return text.overflow;
}

static enum status read_array(struct batch *batch, struct slice body)
{
    struct json_value root, item;
    struct slice name;
    enum status status = json_parse(batch->intake->json, body.bytes, body.length, &root);

    if (status != STATUS_OK)
        return status;
    if (root.type != JSON_ARRAY)
        return STATUS_MALFORMED;
    if (json_count(root) > INTAKE_BATCH_MAX)
        return STATUS_TOO_LARGE;
    struct json_walk walk = json_walk(root);
    while (json_next(&walk, &name, &item)) {
        if (body.length > OPTIN_BYTES_MAX && item_too_large(batch->intake, item)) {
            optin_clear(&batch->intake->item);
            status = STATUS_TOO_LARGE;
        } else {
            status = intake_read_value(batch->intake, item, &batch->intake->item);
        }
        hand_out(batch, status);
    }
    return STATUS_OK;
}

/* The next line that is not blank, without its end; false: there is none. */
static bool next_line(struct slice *rest, struct slice *line_out)
{
    while (rest->length > 0) {
        const char *end = memchr(rest->bytes, '\n', rest->length);
        size_t length = end ? (size_t)(end - rest->bytes) : rest->length;
        *line_out = (struct slice){rest->bytes, length};
        rest->bytes += length + (end ? 1 : 0);
        rest->length -= length + (end ? 1 : 0);
        if (intake_trimmed(*line_out).length > 0)
            return true;
    }
    return false;
}

static enum status read_lines(struct batch *batch, struct slice body)
{
    struct slice rest = body, line;
    unsigned lines = 0;

    while (next_line(&rest, &line)) {
        if (++lines > INTAKE_BATCH_MAX)
            return STATUS_TOO_LARGE;
    }
    if (lines == 0)
        return STATUS_MALFORMED;
    for (rest = body; next_line(&rest, &line);) {
        enum status status = intake_read(batch->intake, INTAKE_JSON, SLICE("application/json"),
                                         line, &batch->intake->item);
        hand_out(batch, status);
    }
    return STATUS_OK;
}

static bool is_ndjson(struct slice content_type, struct slice body)
{
    struct slice type = intake_media_type(content_type);

    if (slice_equal_ignoring_case(type, SLICE("application/x-ndjson")) ||
        slice_equal_ignoring_case(type, SLICE("application/ndjson")) ||
        slice_equal_ignoring_case(type, SLICE("application/jsonl")))
        return true;
    struct slice text = intake_trimmed(body);
    return text.length > 0 && text.bytes[0] == '{';
}

enum status intake_batch(struct intake *intake, struct slice content_type, struct slice body,
                         intake_item_fn *on_item, void *owner)
{
    struct batch batch = {.intake = intake, .on_item = on_item, .owner = owner};

    if (body.length > INTAKE_BATCH_BYTES_MAX)
        return STATUS_TOO_LARGE;
    if (is_ndjson(content_type, body))
        return read_lines(&batch, body);
    enum intake_shape shape = intake_shape(content_type);
    if (shape != INTAKE_JSON && shape != INTAKE_PLAIN)
        return STATUS_MEDIA_TYPE;
    return read_array(&batch, body);
}
