/* The page is written by hand (report.html) and compiled in; a run adds nothing to it but its
 * result, as the text of a script element that is no program. In there the browser looks for one
 * thing only: the `<` that could begin the element's end, or a comment. JSON has it inside strings
 * alone, where it may be written as \u003c, so no name and no command line gets out. */
#include <stdlib.h>
#include <string.h>

#include "bench/embedded.h"
#include "bench/output.h"
#include "proto/must.h"

#define PLACE "@RESULT@"

static void write_json(const char *json, size_t length, FILE *out)
{
    const char *end = json + length;

    for (const char *at = json; at < end;) {
        const char *open = memchr(at, '<', (size_t)(end - at));
        const char *until = open ? open : end;

        fwrite(at, 1, (size_t)(until - at), out);
        if (open)
            fputs("\\u003c", out);
        at = until + 1;
    }
}

static void write_page(const char *json, size_t length, FILE *out)
{
    const char *place = strstr(embedded_report_html, PLACE);

    MUST(place);
    fwrite(embedded_report_html, 1, (size_t)(place - embedded_report_html), out);
    write_json(json, length, out);
    fputs(place + strlen(PLACE), out);
}

/* The JSON is made first and whole: half a page is worse than none. */
enum status output_html(const struct result *result, FILE *out)
{
    char *json = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&json, &length);

    if (!memory)
        return STATUS_INTERNAL;
    enum status status = result_write_json(result, memory);
    if (fclose(memory) != 0 && status == STATUS_OK)
        status = STATUS_INTERNAL;
    if (status == STATUS_OK) {
        write_page(json, length, out);
        if (fflush(out) != 0 || ferror(out))
            status = STATUS_IO;
    }
    free(json);
    return status;
}
