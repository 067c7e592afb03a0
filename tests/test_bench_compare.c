#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/compare.h"
#include "bench/peer.h"
#include "tests/unit.h"

/* --- a comparison of made-up rounds ---------------------------------------------------------- */

#define ROUNDS 3

static struct compare *compare;

static struct compare_side *add_side(const char *name, const double rates[ROUNDS],
                                     const double cpu_us[ROUNDS])
{
    struct compare_side *side = &compare->sides[compare->side_count++];

    snprintf(side->name, sizeof side->name, "%s", name);
    snprintf(side->does, sizeof side->does, "does this and that");
    side->rounds = calloc(ROUNDS, sizeof *side->rounds);
    assert_non_null(side->rounds);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct result *result = &side->rounds[i].result;
        assert_status(result_init(result), STATUS_OK);
        side->rounds[i].ran = true;
        result->duration_s = 1;
        result->acked = result->acked_meanwhile = result->popped = (uint64_t)rates[i];
        result->server_cpu_us = (uint64_t)(rates[i] * cpu_us[i]);
        hist_add(result->latency[RESULT_ACK], 1000000);
        hist_add(result->latency[RESULT_LEAD], 1000000);
    }
    return side;
}

static int open_compare(void **state)
{
    (void)state;
    compare = calloc(1, sizeof *compare);
    compare->round_count = ROUNDS;
    compare->connections = 64;
    compare->duration_s = 1;
    add_side("hotlead", (double[]){50000, 60000, 40000}, (double[]){12, 14, 13});
    return 0;
}

static int close_compare(void **state)
{
    (void)state;
    for (unsigned i = 0; i < compare->side_count; i++) {
        for (unsigned round = 0; round < ROUNDS; round++)
            result_free(&compare->sides[i].rounds[round].result);
        free(compare->sides[i].rounds);
    }
    free(compare);
    return 0;
}

static const char *printed(bool markdown)
{
    static char text[65536];
    FILE *out = fmemopen(text, sizeof text, "w");

    assert_non_null(out);
    compare_print(compare, markdown, out);
    fclose(out);
    return text;
}

/* The first line that begins with `beginning`. */
static const char *line_of(const char *text, const char *beginning)
{
    static char line[1024];

    for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
        if (strncmp(at, beginning, strlen(beginning)) == 0) {
            snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
            return line;
        }
        if (at[strcspn(at, "\n")] == '\0')
            break;
    }
    fail_msg("no line begins with '%s' in:\n%s", beginning, text);
    return "";
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("'%s' is in: %s", part, text);
}

/* --- the table -------------------------------------------------------------------------------- */

static void figure_is_the_median_with_the_least_and_the_most_behind_it(void **state)
{
    (void)state;
    const char *line = line_of(printed(false), "hotlead ");

    assert_has(line, "50 000 (40 000–60 000)");
    assert_has(line, "13.0 (12.0–14.0)");
}

static void ratio_is_of_rounds_of_one_number(void **state)
{
    (void)state;
    /* 2, 3 and 1 times as many: not what the medians would give, which is 50000 : 25000. */
    add_side("webdis", (double[]){25000, 20000, 40000}, (double[]){24, 28, 26});
    const char *line = line_of(printed(false), "hotlead : webdis");

    assert_has(line, "2.00 x (1.00–3.00)");
    assert_has(line, "0.50 x (0.50–0.50)");
}

static void target_is_reached_when_throughput_and_cpu_both_are(void **state)
{
    (void)state;
    add_side("webdis", (double[]){25000, 30000, 20000}, (double[]){48, 56, 52});
    assert_has(printed(false), "hotlead : webdis      ≥ 1.3 x, CPU ≤ 0.45 x  reached\n");
}

static void target_that_is_missed_by_cpu_alone_is_not_reached(void **state)
{
    (void)state;
    add_side("webdis", (double[]){25000, 30000, 20000}, (double[]){24, 28, 26});
    assert_has(printed(false), "hotlead : webdis      ≥ 1.3 x, CPU ≤ 0.45 x  not reached\n");
}

static void open_loop_has_no_target(void **state)
{
    (void)state;
    add_side("webdis", (double[]){25000, 30000, 20000}, (double[]){48, 56, 52});
    compare->rate = 10000;
    assert_has_not(printed(false), "reached");
}

static void failed_round_is_named_and_in_no_figure(void **state)
{
    (void)state;
    struct compare_side *side =
        add_side("webdis", (double[]){25000, 30000, 99999}, (double[]){40, 40, 40});
    snprintf(side->rounds[2].failed, sizeof side->rounds[2].failed, "3 lost");
    const char *text = printed(false);

    assert_has(text, "FAILED: webdis, round 3: 3 lost\n");
    assert_has(text, "2 of 3");
    assert_has(line_of(text, "webdis "), "27 500 (25 000–30 000)");
    assert_has(line_of(text, "hotlead : webdis"), "2.00 x (2.00–2.00)");
    assert_false(compare_is_figure(side, 2));
}

static void side_without_any_figure_has_no_ratio_and_reaches_nothing(void **state)
{
    (void)state;
    struct compare_side *side = add_side("webdis", (double[]){1, 1, 1}, (double[]){1, 1, 1});
    for (unsigned i = 0; i < ROUNDS; i++) {
        side->rounds[i].ran = false;
        snprintf(side->rounds[i].failed, sizeof side->rounds[i].failed, "it did not start");
    }
    assert_has_not(printed(false), "reached");
}

static void sender_that_was_the_limit_is_said(void **state)
{
    (void)state;
    struct result *result = &compare->sides[0].rounds[1].result;

    result->bench_was_the_limit = true;
    snprintf(result->limit_why, sizeof result->limit_why, "no time left");
    assert_has(printed(false), "note: hotlead, round 2: the sender was the limit: no time left\n");
}

static void playbook_is_named_of_each_side_that_has_one(void **state)
{
    (void)state;
    add_side("webdis", (double[]){25000, 30000, 20000}, (double[]){48, 56, 52});
    compare->sides[0].rounds[0].ran = false; /* and of it nothing is known */
    strcpy(compare->sides[0].rounds[1].result.playbook, "calls (1a2b3c4d)");
    const char *text = printed(false);
    assert_has(text, "hotlead: does this and that; playbook calls (1a2b3c4d)\n");
    assert_has(text, "webdis: does this and that\n");
}

static unsigned columns_of(const char *line)
{
    unsigned columns = 0;

    for (; *line && *line != '\n'; line++)
        columns += (*line & 0xc0) != 0x80;
    return columns;
}

static void tables_fit_a_terminal_of_80_columns(void **state)
{
    (void)state;
    add_side("fastify-sqlite-bullmq", (double[]){25000, 30000, 20000}, (double[]){480, 560, 520});
    const char *text = printed(false), *end = strstr(text, "command:");

    assert_non_null(end);
    for (const char *line = text; line < end; line += strcspn(line, "\n") + 1)
        if (columns_of(line) > 80)
            fail_msg("%u columns: %.*s", columns_of(line), (int)strcspn(line, "\n"), line);
    assert_has(text, "hotlead : fastify-sqlite-bullmq  ≥ 20 x  not reached\n");
}

static void comparison_that_was_cut_short_says_so(void **state)
{
    (void)state;
    assert_has_not(printed(false), "CUT SHORT");
    compare->cut_short = true;
    assert_has(printed(false), "CUT SHORT by Ctrl-C");
}

static void markdown_has_as_many_columns_in_every_row(void **state)
{
    (void)state;
    add_side("webdis", (double[]){25000, 30000, 20000}, (double[]){48, 56, 52});
    const char *text = printed(true);
    unsigned columns = 0;

    for (const char *at = text; *at == '|'; at += strcspn(at, "\n") + 1) {
        unsigned bars = 0;
        for (const char *one = at; *one != '\n'; one++)
            bars += *one == '|';
        assert_true(columns == 0 || bars == columns);
        columns = bars;
    }
    assert_int_equal(columns, 6);
}

static void file_keeps_every_round_and_why_it_failed(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    snprintf(compare->sides[0].rounds[1].failed, sizeof compare->sides[0].rounds[1].failed,
             "\"lost\"");
    assert_status(compare_write_json(compare, out), STATUS_OK);
    fclose(out);
    json_t *document = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *rounds = json_object_get(document, "rounds");
    const json_t *second = json_array_get(rounds, 1);

    assert_int_equal(json_array_size(rounds), ROUNDS);
    assert_string_equal(json_string_value(json_object_get(second, "failed")), "\"lost\"");
    assert_true(json_is_null(json_object_get(json_array_get(rounds, 0), "failed")));
    assert_non_null(json_object_get(second, "result"));
    json_decref(document);
    free(text);
}

/* --- peers ------------------------------------------------------------------------------------ */

static struct peer_places places;
static char said[4096];

static int open_places(void **state)
{
    (void)state;
    assert_status(peer_places_find(SOURCE_DIR "/bench/peers", &places), STATUS_OK);
    snprintf(places.peers, sizeof places.peers, "/var/tmp/test-peers.XXXXXX");
    assert_non_null(mkdtemp(places.peers));
    memset(said, 0, sizeof said);
    return 0;
}

static int close_places(void **state)
{
    char path[PEER_PATH_MAX + 32];

    (void)state;
    snprintf(path, sizeof path, "%s/one/peer.json", places.peers);
    unlink(path);
    snprintf(path, sizeof path, "%s/one", places.peers);
    rmdir(path);
    rmdir(places.peers);
    return 0;
}

static enum status read_as(const char *document, struct peer *peer)
{
    char path[PEER_PATH_MAX + 32];
    FILE *talk = fmemopen(said, sizeof said, "w");

    snprintf(path, sizeof path, "%s/one", places.peers);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/one/peer.json", places.peers);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(document, file);
    fclose(file);
    enum status result = peer_read(&places, "one", talk, peer);
    fclose(talk);
    return result;
}

static void every_peer_of_ours_can_be_read(void **state)
{
    static const char *const names[] = {
        "webdis", "nginx-lua",           "fastify-bullmq", "nginx-204",
        "floor",  "fastify-lmdb-bullmq", "floor-lmdb",     "fastify-sqlite-bullmq"};
    struct peer_places ours;
    struct peer peer;

    (void)state;
    assert_status(peer_places_find(SOURCE_DIR "/bench/peers", &ours), STATUS_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_status(peer_read(&ours, names[i], stderr, &peer), STATUS_OK);
        assert_string_equal(peer.name, names[i]);
        assert_null(strchr(peer.start[0] + 1, '@'));
    }
}

static void places_are_put_in(void **state)
{
    struct peer peer;
    char wanted[PEER_PATH_MAX + 16];

    (void)state;
    assert_status(read_as("{\"does\": \"it\", \"durable\": true, \"start\": [\"@PROGRAMS@/x\", "
                          "\"@PORT@\"], \"environment\": {\"A\": \"@MODULES@\"}, \"request\": "
                          "{\"method\": \"PUT\", \"path\": \"/p\"}, \"tasks\": {\"shape\": "
                          "\"bullmq\", \"key\": \"bull:x:\"}}",
                          &peer),
                  STATUS_OK);
    snprintf(wanted, sizeof wanted, "%s/x", places.programs);
    assert_string_equal(peer.start[0], wanted);
    assert_string_equal(peer.start[1], "@PORT@");
    snprintf(wanted, sizeof wanted, "A=%s", places.modules);
    assert_string_equal(peer.environment[0], wanted);
    assert_int_equal(peer.shape, TARGET_BULLMQ);
}

static void peer_without_tasks_is_a_floor(void **state)
{
    struct peer peer;

    (void)state;
    assert_status(read_as("{\"does\": \"it\", \"durable\": false, \"start\": [\"x\"], \"request\": "
                          "{\"method\": \"PUT\", \"path\": \"/p\"}}",
                          &peer),
                  STATUS_OK);
    assert_int_equal(peer.shape, TARGET_NOWHERE);
}

static void field_that_cannot_be_used_is_named(void **state)
{
    struct peer peer;

    (void)state;
    assert_status(read_as("{\"does\": \"it\", \"durable\": \"yes\", \"start\": [\"x\"], "
                          "\"request\": {\"method\": \"PUT\", \"path\": \"/p\"}}",
                          &peer),
                  STATUS_INVALID);
    assert_has(said, "'durable'");
    assert_status(read_as("{\"does\": \"it\",", &peer), STATUS_INVALID);
    assert_has(said, "peer.json:1:");
}

static void peer_that_is_not_there_is_said(void **state)
{
    struct peer peer;
    FILE *talk = fmemopen(said, sizeof said, "w");

    (void)state;
    assert_status(peer_read(&places, "nobody", talk, &peer), STATUS_NOT_FOUND);
    fclose(talk);
    assert_has(said, "there is no peer 'nobody'");
}

static void file_that_is_missing_is_named(void **state)
{
    struct peer peer;

    (void)state;
    assert_status(read_as("{\"does\": \"it\", \"durable\": false, \"start\": [\"x\"], \"needs\": "
                          "[\"/bin/sh\", \"/nowhere/x\"], \"request\": {\"method\": \"PUT\", "
                          "\"path\": \"/p\"}}",
                          &peer),
                  STATUS_OK);
    assert_string_equal(peer_missing(&peer), "/nowhere/x");
}

int main(void)
{
#define TABLE(name) cmocka_unit_test_setup_teardown(name, open_compare, close_compare)
#define PEER(name)  cmocka_unit_test_setup_teardown(name, open_places, close_places)
    const struct CMUnitTest tests[] = {
        TABLE(figure_is_the_median_with_the_least_and_the_most_behind_it),
        TABLE(ratio_is_of_rounds_of_one_number),
        TABLE(target_is_reached_when_throughput_and_cpu_both_are),
        TABLE(target_that_is_missed_by_cpu_alone_is_not_reached),
        TABLE(open_loop_has_no_target),
        TABLE(failed_round_is_named_and_in_no_figure),
        TABLE(side_without_any_figure_has_no_ratio_and_reaches_nothing),
        TABLE(sender_that_was_the_limit_is_said),
        TABLE(playbook_is_named_of_each_side_that_has_one),
        TABLE(tables_fit_a_terminal_of_80_columns),
        TABLE(comparison_that_was_cut_short_says_so),
        TABLE(markdown_has_as_many_columns_in_every_row),
        TABLE(file_keeps_every_round_and_why_it_failed),
        PEER(every_peer_of_ours_can_be_read),
        PEER(places_are_put_in),
        PEER(peer_without_tasks_is_a_floor),
        PEER(field_that_cannot_be_used_is_named),
        PEER(peer_that_is_not_there_is_said),
        PEER(file_that_is_missing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
