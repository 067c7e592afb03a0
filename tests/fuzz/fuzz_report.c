/* Bytes as a stream entry (lines "field=value"), as a JSON body and as stored: nothing
 * is read over its end, and what passes the checks survives being stored. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/report.h"

#define BODY_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void store_and_read(const struct report *report)
{
    char stored[REPORT_STORED_MAX];
    size_t length = report_encode(report, stored, sizeof(stored));
    struct report read;

    MUST(length > 0);
    MUST(report_decode((struct slice){stored, length}, &read) == STATUS_OK);
    MUST(slice_equal(read.agent, report->agent) && slice_equal(read.note, report->note));
    MUST(slice_equal(read.value, report->value) && slice_equal(read.channel, report->channel));
}

static void as_stream_entry(struct slice bytes)
{
    struct report report;
    struct slice field;

    report_clear(&report);
    while (bytes.length > 0) {
        const char *newline = memchr(bytes.bytes, '\n', bytes.length);
        size_t length = newline ? (size_t)(newline - bytes.bytes) : bytes.length;
        const char *equals = memchr(bytes.bytes, '=', length);
        size_t name = equals ? (size_t)(equals - bytes.bytes) : length;
        struct slice value = {bytes.bytes + name + (equals != NULL),
                              length - name - (equals != NULL)};
        struct report before = report;
        if (report_set(&report, (struct slice){bytes.bytes, name}, value) != STATUS_OK)
            MUST(memcmp(&before, &report, sizeof(report)) == 0);
        bytes.bytes += length + (newline != NULL);
        bytes.length -= length + (newline != NULL);
    }
    if (report_check(&report, &field) == STATUS_OK)
        MUST(field.length == 0);
    store_and_read(&report);
}

static void as_json(struct slice bytes)
{
    static struct json *json;
    static char padded[BODY_MAX + JSON_PADDING];
    struct json_value root;
    struct report report;
    struct slice field;

    if (json == NULL)
        json = json_open(BODY_MAX);
    MUST(json != NULL);
    if (bytes.length > BODY_MAX)
        return;
    if (bytes.length > 0)
        memcpy(padded, bytes.bytes, bytes.length);
    if (json_parse(json, padded, bytes.length, &root) != STATUS_OK)
        return;
    report_clear(&report);
    if (report_from_json(&report, root, &field) == STATUS_OK)
        store_and_read(&report);
}

static void as_stored(struct slice bytes)
{
    char again[REPORT_STORED_MAX];
    struct report report;

    if (report_decode(bytes, &report) != STATUS_OK)
        return;
    MUST(report_encode(&report, again, sizeof(again)) == bytes.length);
    /* Behind the version: what an earlier one stored is read, and stored as the present one. */
    MUST(memcmp(again + 1, bytes.bytes + 1, bytes.length - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {(const char *)data, size};

    as_stream_entry(bytes);
    as_json(bytes);
    as_stored(bytes);
    return 0;
}
