/* hotlead report NAME: what is asked for, and a report's document as text with bars, or as CSV.
 *
 * Any report is printed by the same code: members tell by their ends what they are measured in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/json.h"
#include "proto/memory.h"
#include "server/cli_internal.h"
#include "server/figures.h"

#define CELL_MAX    256
#define COLUMNS_MAX 24
#define BAR_WIDTH   24
#define MONTH_MS    2629800000ull   /* a twelfth of 365.25 days */
#define MOMENT_MIN  100000000000ull /* ms: no length of time is as long, and no moment as early */

/* --- what is asked for ----------------------------------------------------------------- */

static const char *const parameters[] = {"agency",      "site",  "agent",    "source", "campaign",
                                         "from",        "to",    "by",       "after",  "price",
                                         "recoverable", "owner", "cold_for", "limit"};

/* --cold-for is cold_for. */
static bool is_called(struct slice word, const char *name)
{
    size_t i = 0;

    while (i < word.length && name[i] && (word.bytes[i] == '-' ? '_' : word.bytes[i]) == name[i])
        i++;
    return i == word.length && !name[i];
}

static bool is_parameter(struct slice word)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (is_called(word, parameters[i]))
            return true;
    return false;
}

static void add_escaped(struct text *out, const char *value)
{
    for (; *value; value++) {
        if ((*value >= '0' && *value <= '9') || (*value >= 'a' && *value <= 'z') ||
            (*value >= 'A' && *value <= 'Z') || strchr("-._~", *value))
            text_char(out, *value);
        else
            text_printf(out, "%%%02X", (unsigned char)*value);
    }
}

const char *cli_figures_query(int count, const char *const *words, bool *csv_out, struct text *out,
                              const char **why_out)
{
    *why_out = "this is asked of no report: ";
    *csv_out = false;
    for (int i = 0; i < count; i++) {
        const char *name = words[i] + 2, *equals = strchr(words[i], '='), *value;
        if (strcmp(words[i], "--csv") == 0) {
            *csv_out = true;
            continue;
        }
        if (strncmp(words[i], "--", 2) != 0)
            return words[i];
        size_t length = equals ? (size_t)(equals - name) : strlen(name);
        if (!is_parameter((struct slice){name, length}))
            return words[i];
        if (!equals && i + 1 == count) {
            *why_out = "this wants a value: ";
            return words[i];
        }
        value = equals ? equals + 1 : words[++i];
        text_char(out, out->length == 0 ? '?' : '&');
        for (size_t byte = 0; byte < length; byte++)
            text_char(out, name[byte] == '-' ? '_' : name[byte]);
        text_char(out, '=');
        add_escaped(out, value);
    }
    return NULL;
}

void cli_figures_usage(FILE *out)
{
    fprintf(out, "usage: hotlead report NAME [--agency ID] [--from DAY] [--to DAY] [--csv]\n"
                 "       [--site ID | --source KIND | --campaign NAME | --agent ID (speed)]\n"
                 "       [--by day|week|month] [--limit PEOPLE] [--after CURSOR]\n"
                 "       [--price MONEY] [--recoverable PERCENT] (dust)\n"
                 "       [--owner AGENT] (board, graveyard) [--cold-for 6mo] (graveyard)\n\n");
#define XX(which, text, about) fprintf(out, "  %-18s %s\n", text, about);
    FIGURES_MAP(XX)
#undef XX
}

int cli_ask_figures(struct cli_call *call, const char *path, struct client_answer *answer)
{
    int code = cli_request(call, "GET", path, (struct slice){0}, answer);

    return answer->status == 422 ? CLI_USAGE : code;
}

/* --- one value ------------------------------------------------------------------------------ */

static bool ends_in(struct slice name, const char *end)
{
    size_t length = strlen(end);

    return name.length > length && memcmp(name.bytes + name.length - length, end, length) == 0;
}

/* 1,234,567 */
static void write_grouped(struct text *out, uint64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text_char(out, ',');
        text_char(out, digits[i]);
    }
}

static void write_moment(struct text *out, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm civil;
    char bytes[32];

    gmtime_r(&seconds, &civil);
    strftime(bytes, sizeof bytes, "%Y-%m-%d %H:%MZ", &civil);
    text_string(out, bytes);
}

/* Two units, so that 36 h and 18 months are told from 35 and 17. */
static void write_span(struct text *out, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    const uint64_t all_ms = ms;
    size_t unit = 0;

    while (unit < 4 && (ms < units[unit].ms || (unit == 0 && ms < 3 * units[0].ms)))
        unit++;
    text_printf(out, "%llu %s", (unsigned long long)(ms / units[unit].ms), units[unit].name);
    ms %= units[unit].ms;
    if (unit < 3 && ms >= units[unit + 1].ms)
        text_printf(out, " %llu %s", (unsigned long long)(ms / units[unit + 1].ms),
                    units[unit + 1].name);
    if (all_ms >= 2 * MONTH_MS)
        text_printf(out, " (%.1f months)", (double)all_ms / (double)MONTH_MS);
}

static void write_number(struct text *out, struct slice name, struct json_value value)
{
    uint64_t number;
    double share;

    if (ends_in(name, "_percent") && json_double(value, &share))
        text_printf(out, "%.2f %%", share);
    else if (!json_uint(value, &number))
        json_write(out, value);
    else if (ends_in(name, "_ms") && number >= MOMENT_MIN)
        write_moment(out, number);
    else if (ends_in(name, "_ms"))
        write_span(out, number);
    else if (ends_in(name, "_cents")) {
        write_grouped(out, number / 100);
        text_printf(out, ".%02u", (unsigned)(number % 100));
    } else {
        write_grouped(out, number);
    }
}

/* U+0080 to U+009F, which terminals of old obey as well: two bytes of UTF-8. */
static bool is_late_control(const char *bytes, size_t left)
{
    return left > 1 && (unsigned char)bytes[0] == 0xC2 && (unsigned char)bytes[1] < 0xA0;
}

/* As people read it. Control characters in visitors' words are not sent to a terminal. */
static struct slice cell_of(struct slice name, struct json_value value, char buffer[CELL_MAX])
{
    struct text cell = text_over(buffer, CELL_MAX);
    struct slice text;

    if (json_string(value, &text))
        text_add(&cell, text);
    else if (value.type == JSON_NULL)
        text_char(&cell, '-');
    else
        write_number(&cell, name, value);
    for (size_t i = 0; i < cell.length; i++) {
        if (is_late_control(buffer + i, cell.length - i))
            buffer[i] = buffer[i + 1] = ' ';
        if ((unsigned char)buffer[i] < 0x20 || buffer[i] == 0x7F)
            buffer[i] = ' ';
    }
    return text_slice(&cell);
}

/* What a member is called above a column: without its unit, which its values have. */
static struct slice title_of(struct slice name, char buffer[CELL_MAX])
{
    static const char *const units[] = {"_ms", "_percent", "_cents"};
    struct text title = text_over(buffer, CELL_MAX);

    text_add(&title, name);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ends_in(name, units[i]))
            title.length = name.length - strlen(units[i]);
    for (size_t i = 0; i < title.length; i++)
        if (buffer[i] == '_')
            buffer[i] = ' ';
    return text_slice(&title);
}

/* --- text ---------------------------------------------------------------------------------------
 */

static void pad(struct text *out, size_t from, size_t to)
{
    for (; from < to; from++)
        text_char(out, ' ');
}

static void write_summary(struct text *out, struct json_value summary)
{
    struct json_walk walk = json_walk(summary);
    struct json_value value;
    struct slice name;
    char buffer[CELL_MAX];

    while (json_next(&walk, &name, &value)) {
        struct slice title = title_of(name, buffer);
        text_string(out, "  ");
        text_add(out, title);
        pad(out, cli_width(title), 24);
        text_string(out, "  ");
        text_add(out, cell_of(name, value, buffer));
        text_char(out, '\n');
    }
}

struct columns {
    size_t count;
    struct slice names[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    struct slice bar; /* the member that is drawn */
    double largest;
};

static void measure(struct json_value rows, struct columns *columns)
{
    struct json_walk walk = json_walk(rows);
    struct json_value row, value;
    struct slice none, name;
    char buffer[CELL_MAX];
    double size;

    while (json_next(&walk, &none, &row)) {
        struct json_walk members = json_walk(row);
        for (size_t i = 0; i < COLUMNS_MAX && json_next(&members, &name, &value); i++) {
            size_t width = cli_width(cell_of(name, value, buffer));
            if (i == columns->count) {
                columns->names[columns->count++] = name;
                columns->widths[i] = cli_width(title_of(name, buffer));
            }
            if (width > columns->widths[i])
                columns->widths[i] = width;
            if (slice_equal(name, columns->bar) && json_double(value, &size) &&
                size > columns->largest)
                columns->largest = size;
        }
    }
}

static void write_bar(struct text *out, double size, double largest)
{
    unsigned eighths = largest > 0 ? (unsigned)(size / largest * BAR_WIDTH * 8 + 0.5) : 0;
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

    if (eighths == 0)
        return;
    text_string(out, "  ");
    for (unsigned i = 0; i < eighths / 8; i++)
        text_string(out, "█");
    text_string(out, parts[eighths % 8]);
}

/* Words to the left, numbers to the right. */
static void write_aligned(struct text *out, struct slice cell, size_t width, bool left)
{
    size_t own = cli_width(cell);

    text_string(out, "  ");
    if (!left)
        pad(out, own, width);
    text_add(out, cell);
    if (left)
        pad(out, own, width);
}

static void write_row(struct text *out, const struct columns *columns, struct json_value row)
{
    struct json_walk members = json_walk(row);
    struct json_value value;
    struct slice name;
    char buffer[CELL_MAX];
    double size, bar = 0;

    for (size_t i = 0; i < columns->count && json_next(&members, &name, &value); i++) {
        write_aligned(out, cell_of(name, value, buffer), columns->widths[i],
                      value.type == JSON_STRING);
        if (slice_equal(name, columns->bar) && json_double(value, &size))
            bar = size;
    }
    write_bar(out, bar, columns->largest);
    text_char(out, '\n');
}

static void write_rows(struct text *out, const struct columns *columns, struct json_value rows)
{
    struct json_walk walk = json_walk(rows);
    struct json_value row, value;
    struct slice none, name;
    char buffer[CELL_MAX];
    bool first = true;

    while (json_next(&walk, &none, &row)) {
        struct json_walk members = json_walk(row);
        for (size_t i = 0; first && i < columns->count && json_next(&members, &name, &value); i++)
            write_aligned(out, title_of(name, buffer), columns->widths[i],
                          value.type == JSON_STRING);
        if (first)
            text_char(out, '\n');
        first = false;
        write_row(out, columns, row);
    }
}

/* A text member; empty when there is none. */
static struct slice text_member(struct json_value object, const char *name)
{
    struct json_value value;
    struct slice text = {0};

    if (json_member(object, name, &value))
        json_string(value, &text);
    return text;
}

static void write_days(struct text *out, struct json_value days)
{
    struct slice from = text_member(days, "from");

    text_add(out, from.length > 0 ? from : SLICE("the beginning"));
    text_string(out, " to ");
    text_add(out, text_member(days, "to"));
}

static bool same_days(struct json_value a, struct json_value b)
{
    return slice_equal(text_member(a, "from"), text_member(b, "from")) &&
           slice_equal(text_member(a, "to"), text_member(b, "to"));
}

/* `covers`: the days of the summary; it may have others. */
static void write_table(struct text *out, struct json_value table, struct json_value covers)
{
    struct columns columns = {0};
    struct json_value title, bar, rows;
    struct slice text;

    if (!json_member(table, "title", &title) || !json_string(title, &text) ||
        !json_member(table, "rows", &rows))
        return;
    if (json_member(table, "bar", &bar))
        json_string(bar, &columns.bar);
    text_char(out, '\n');
    text_add(out, text);
    if (!same_days(table, covers)) {
        text_string(out, " (");
        write_days(out, table);
        text_char(out, ')');
    }
    text_string(out, json_count(rows) == 0 ? ": none\n" : "\n");
    measure(rows, &columns);
    write_rows(out, &columns, rows);
}

/* `value` as one of a member that ends in its unit; a unit that says nothing to numbers stands
 * behind them. */
static void write_measured(struct text *out, struct json_value value, struct slice unit)
{
    char name_bytes[CELL_MAX], shown[CELL_MAX];
    struct text name = text_over(name_bytes, sizeof name_bytes);
    struct slice measured[] = {SLICE("ms"), SLICE("percent"), SLICE("cents")};

    text_string(&name, "value_");
    text_add(&name, unit);
    text_add(out, cell_of(text_slice(&name), value, shown));
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        if (slice_equal(unit, measured[i]))
            return;
    text_char(out, ' ');
    text_add(out, unit);
}

static void write_constants(struct text *out, struct json_value constants)
{
    struct json_walk walk = json_walk(constants);
    struct json_value item, value;
    struct slice none;
    char shown[CELL_MAX];

    if (json_count(constants) > 0)
        text_string(out, "\nKnown from elsewhere\n");
    while (json_next(&walk, &none, &item)) {
        text_string(out, "  ");
        text_add(out, title_of(text_member(item, "name"), shown));
        text_string(out, ": ");
        if (json_member(item, "value", &value))
            write_measured(out, value, text_member(item, "unit"));
        text_string(out, " (");
        text_add(out, text_member(item, "source"));
        text_string(out, ")\n");
    }
}

/* Where other days are counted than were asked for, it says so. */
static void write_head(struct text *out, struct json_value root, struct json_value covers)
{
    text_add(out, text_member(root, "report"));
    text_string(out, ": ");
    text_add(out, text_member(root, "about"));
    text_string(out, "\nopt-ins from ");
    write_days(out, root);
    if (!same_days(root, covers)) {
        text_string(out, "; counted are those from ");
        write_days(out, covers);
    }
    text_string(out, "\n\n");
}

struct json *cli_open_document(struct slice json, struct json_value *root_out)
{
    struct json *document = json_open(json.length + 1);

    if (document && json_parse(document, json.bytes, json.length, root_out) == STATUS_OK)
        return document;
    json_close(document);
    return NULL;
}

bool cli_write_figures(struct slice json, struct text *out)
{
    struct json_value root, value, table, covers;
    struct json *document = cli_open_document(json, &root);
    struct slice text;

    if (!document)
        return false;
    if (!json_member(root, "covers", &covers))
        covers = root;
    write_head(out, root, covers);
    if (json_member(root, "summary", &value))
        write_summary(out, value);
    if (json_member(root, "tables", &value)) {
        struct json_walk walk = json_walk(value);
        while (json_next(&walk, &text, &table))
            write_table(out, table, covers);
    }
    if (json_member(root, "constants", &value))
        write_constants(out, value);
    if (json_member(root, "next", &value) && json_string(value, &text)) {
        text_string(out, "\nThere is more: --after ");
        text_add(out, text);
        text_char(out, '\n');
    }
    json_close(document);
    return true;
}

/* Padding and bars make it longer than the document: a bar is at most as long as a row's names. */
void cli_print_figures(struct slice json, bool as_json)
{
    size_t capacity = json.length * 8 + 64 * 1024;
    struct text out = text_over(memory_take(capacity), capacity);
    bool written;

    written = cli_write_figures(json, &out);
    if (as_json || !written || out.overflow)
        printf("%.*s\n", (int)json.length, json.bytes);
    else
        fwrite(out.bytes, 1, out.length, stdout);
    free(out.bytes);
}
