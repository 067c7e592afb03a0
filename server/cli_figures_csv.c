/* A report as CSV: a head and rows for each table. A list of people comes in pages, and all of them
 * are printed, one behind the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/memory.h"
#include "server/cli_internal.h"

/* What a visitor has made up must not be a formula where the table is opened. */
static void write_field(struct text *out, struct slice field)
{
    bool formula = field.length > 0 && strchr("=+-@\t\r", field.bytes[0]);

    text_char(out, '"');
    if (formula)
        text_char(out, '\'');
    for (size_t i = 0; i < field.length; i++) {
        if (field.bytes[i] == '"')
            text_char(out, '"');
        text_char(out, field.bytes[i]);
    }
    text_char(out, '"');
}

static void write_csv_value(struct text *out, struct json_value value)
{
    struct slice text;

    if (json_string(value, &text))
        write_field(out, text);
    else if (value.type != JSON_NULL)
        json_write(out, value);
}

static void write_csv_heads(struct text *out, struct json_value row)
{
    struct json_walk members = json_walk(row);
    struct json_value value;
    struct slice name;

    text_string(out, "\"table\"");
    while (json_next(&members, &name, &value)) {
        text_char(out, ',');
        write_field(out, name);
    }
    text_string(out, "\r\n");
}

/* `headed`: the columns were named before. */
static void write_csv_rows(struct text *out, struct slice table, struct json_value rows,
                           bool *headed)
{
    struct json_walk walk = json_walk(rows);
    struct json_value row, value;
    struct slice none, name;

    while (json_next(&walk, &none, &row)) {
        struct json_walk members = json_walk(row);
        if (!*headed)
            write_csv_heads(out, row);
        *headed = true;
        write_field(out, table);
        while (json_next(&members, &name, &value)) {
            text_char(out, ',');
            write_csv_value(out, value);
        }
        text_string(out, "\r\n");
    }
}

static void write_csv_summary(struct text *out, struct json_value root)
{
    struct json_value summary, member;
    struct json_walk walk;
    struct slice name;

    text_string(out, "\"table\",\"name\",\"value\"\r\n");
    if (!json_member(root, "summary", &summary))
        return;
    walk = json_walk(summary);
    while (json_next(&walk, &name, &member)) {
        text_string(out, "\"summary\",");
        write_field(out, name);
        text_char(out, ',');
        write_csv_value(out, member);
        text_string(out, "\r\n");
    }
}

/* The days that something is about, as an interval of ISO 8601; ".." has no beginning. */
static void write_csv_days(struct text *out, struct slice name, struct json_value days)
{
    struct slice from = SLICE(".."), to = {0};

    cli_member_text(days, "from", &from);
    cli_member_text(days, "to", &to);
    text_string(out, "\"covers\",");
    write_field(out, name);
    text_string(out, ",\"");
    text_add(out, from);
    text_char(out, '/');
    text_add(out, to);
    text_string(out, "\"\r\n");
}

static void write_csv_scope(struct text *out, struct json_value root, struct json_value tables)
{
    struct json_walk walk = json_walk(tables);
    struct json_value covers, table;
    struct slice none, name;

    if (json_member(root, "covers", &covers))
        write_csv_days(out, SLICE("summary"), covers);
    while (json_next(&walk, &none, &table))
        if (cli_member_text(table, "name", &name))
            write_csv_days(out, name, table);
}

/* Behind the first page all tables but the list would come once more. */
static void write_csv_tables(struct cli_csv *csv, struct json_value tables, struct text *out)
{
    struct json_walk walk = json_walk(tables);
    struct json_value table, rows;
    struct slice none, name;

    while (json_next(&walk, &none, &table)) {
        bool is_list, headed = false;
        if (!cli_member_text(table, "name", &name) || !json_member(table, "rows", &rows))
            continue;
        is_list = slice_equal(name, SLICE("people"));
        if (is_list || csv->pages == 0)
            write_csv_rows(out, name, rows, is_list ? &csv->list_headed : &headed);
    }
}

bool cli_write_figures_csv(struct slice json, struct cli_csv *csv, struct text *out)
{
    struct json_value root, tables;
    struct json *document = cli_open_document(json, &root);
    struct slice next = {0};

    if (!document)
        return false;
    if (csv->pages == 0)
        write_csv_summary(out, root);
    if (json_member(root, "tables", &tables)) {
        if (csv->pages == 0)
            write_csv_scope(out, root, tables);
        write_csv_tables(csv, tables, out);
    }
    cli_member_text(root, "next", &next);
    snprintf(csv->next, sizeof csv->next, "%.*s", (int)next.length, next.bytes ? next.bytes : "");
    csv->pages++;
    json_close(document);
    return true;
}

/* --- all pages ------------------------------------------------------------------------------ */

#define PAGE_PEOPLE "1000"

static int print_page(struct cli_call *call, const char *path, struct cli_csv *csv)
{
    struct client_answer answer;
    int code = cli_ask_figures(call, path, &answer);

    if (code != 0)
        return code;
    /* At most all of it is quotes, which are doubled, and the days of each table come on top. */
    size_t capacity = 3 * answer.body.length + 1024;
    struct text out = text_over(memory_take(capacity), capacity);
    if (cli_write_figures_csv(answer.body, csv, &out) && !out.overflow)
        fwrite(out.bytes, 1, out.length, stdout);
    else
        code = cli_complain("this is no report: ", path);
    free(out.bytes);
    return code;
}

static bool is_of(const char *word, const char *name)
{
    return strncmp(word, name, strlen(name)) == 0;
}

/* The user's words, but for the page where there was one; and a limit where they say none. */
static void write_page(struct text *out, const char *query, const struct cli_csv *csv)
{
    bool limited = false;

    text_char(out, '?');
    for (const char *word = query + (*query != '\0'); *word;) {
        size_t length = strcspn(word, "&");
        limited |= is_of(word, "limit=");
        if (csv->pages == 0 || !is_of(word, "after=")) {
            text_bytes(out, word, length);
            text_char(out, '&');
        }
        word += length + (word[length] == '&');
    }
    text_string(out, limited ? "" : "limit=" PAGE_PEOPLE "&");
    if (csv->pages > 0) {
        text_string(out, "after=");
        text_string(out, csv->next);
    }
}

int cli_print_figures_csv(struct cli_call *call, const char *query)
{
    struct cli_csv csv = {0};
    char path[2048], words[1280];
    int code;

    do {
        struct text out = text_over(words, sizeof words - 1);
        write_page(&out, query, &csv);
        words[out.length] = '\0';
        cli_path(path, call, call->verb, words);
        code = print_page(call, path, &csv);
    } while (code == 0 && csv.next[0]);
    return code;
}
