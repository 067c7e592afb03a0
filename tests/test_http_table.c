/* Runs tests/http/cases.txt against the real module: each case whole, cut in two at every byte,
 * byte by byte, and in random pieces. Many connections run at once, one piece a turn. */
#include "tests/http/harness.h"

#define CASES_MAX    1024
#define EXPECTED_MAX 16
#define BYTES_MAX    (64 * 1024)
#define CUTS_MAX     64  /* of a long case */
#define PIECES_MAX   512 /* "byte by byte" of a long case */
#define RANDOM_RUNS  4
#define CONCURRENT   128
#define RUN_LIMIT_MS 20000

struct expected {
    int status;
    char body[160]; /* the answer's body begins with that */
};

struct test_case {
    char name[96];
    char *bytes;
    size_t length;
    struct expected answers[EXPECTED_MAX];
    unsigned answer_count;
    bool open, eof;
};

static struct test_case cases[CASES_MAX];
static unsigned case_count;

/* --- the file --------------------------------------------------------------------- */

static int hex_digit(char byte)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, byte);

    MUST(byte != '\0' && at != NULL);
    return (int)(at - digits);
}

/* Up to the end, or to the brace that closes a repetition. Returns where it stopped. */
static const char *unescape(const char *from, struct text *out)
{
    while (*from != '\0' && *from != '}') {
        if (*from != '\\') {
            text_char(out, *from++);
            continue;
        }
        char kind = from[1];
        from += 2;
        if (kind == 'r') {
            text_char(out, '\r');
        } else if (kind == 'n') {
            text_char(out, '\n');
        } else if (kind == 't') {
            text_char(out, '\t');
        } else if (kind == '\\') {
            text_char(out, '\\');
        } else if (kind == 'x') {
            text_char(out, (char)(hex_digit(from[0]) * 16 + hex_digit(from[1])));
            from += 2;
        } else {
            MUST(kind == '{');
            char *colon;
            unsigned long times = strtoul(from, &colon, 10);
            MUST(*colon == ':');
            size_t begin = out->length;
            from = unescape(colon + 1, out);
            MUST(*from == '}');
            from++;
            size_t length = out->length - begin;
            for (unsigned long i = 1; i < times; i++)
                text_bytes(out, out->bytes + begin, length);
        }
    }
    return from;
}

/* A brace on its own is a brace; only one that closes a repetition ends unescape(). */
static void unescape_all(const char *from, struct text *out)
{
    for (from = unescape(from, out); *from == '}'; from = unescape(from + 1, out))
        text_char(out, '}');
}

static void read_expectation(struct test_case *test, const char *line)
{
    if (strcmp(line, "open") == 0) {
        test->open = true;
    } else if (strcmp(line, "eof") == 0) {
        test->eof = true;
    } else if (strcmp(line, "close") != 0) {
        MUST(test->answer_count < EXPECTED_MAX);
        struct expected *expected = &test->answers[test->answer_count++];
        char *rest;
        expected->status = (int)strtol(line, &rest, 10);
        MUST(expected->status >= 200 && expected->status < 600);
        snprintf(expected->body, sizeof(expected->body), "%s", *rest == ' ' ? rest + 1 : rest);
    }
}

static void finish_case(struct test_case *test, struct text *escaped)
{
    static char bytes[BYTES_MAX];
    struct text text = text_over(bytes, sizeof(bytes));

    text_char(escaped, '\0');
    unescape_all(escaped->bytes, &text);
    MUST(!text.overflow && !escaped->overflow && text.length > 0);
    test->bytes = malloc(text.length);
    assert_non_null(test->bytes);
    memcpy(test->bytes, text.bytes, text.length);
    test->length = text.length;
    escaped->length = 0;
}

static int read_cases(void **state)
{
    static char escaped_bytes[BYTES_MAX];
    static char line[BYTES_MAX];
    struct text escaped = text_over(escaped_bytes, sizeof(escaped_bytes));
    struct test_case *test = NULL;
    FILE *file = fopen(SOURCE_DIR "/tests/http/cases.txt", "r");
    (void)state;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "    ", 4) == 0) {
            text_string(&escaped, line + 4);
        } else if (strncmp(line, "= ", 2) == 0) {
            if (escaped.length > 0)
                finish_case(test, &escaped);
            read_expectation(test, line + 2);
        } else if (line[0] != '\0' && line[0] != '#') {
            MUST(case_count < CASES_MAX);
            test = &cases[case_count++];
            snprintf(test->name, sizeof(test->name), "%.90s", line);
        }
    }
    fclose(file);
    return 0;
}

static int forget_cases(void **state)
{
    (void)state;
    while (case_count > 0)
        free(cases[--case_count].bytes);
    return 0;
}

/* --- one run of one case --------------------------------------------------------------- */

enum run_kind { RUN_WHOLE, RUN_CUT, RUN_BYTES, RUN_RANDOM };

struct run {
    const struct test_case *test; /* NULL: free */
    enum run_kind kind;
    size_t cut;
    unsigned random;
    struct client client;
    size_t sent;
    bool probed, shut;
    uint64_t until_ms;
};

static const char probe[] = "GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n";

static size_t next_piece(struct run *run)
{
    size_t left = run->test->length - run->sent;
    size_t piece = left;

    switch (run->kind) {
    case RUN_WHOLE:
        break;
    case RUN_CUT:
        piece = run->sent < run->cut ? run->cut - run->sent : left;
        break;
    case RUN_BYTES:
        piece = 1 + run->test->length / PIECES_MAX;
        break;
    case RUN_RANDOM:
        run->random = run->random * 1103515245u + 12345u;
        piece = 1 + (run->random >> 16) % (1 + run->test->length / 4);
        break;
    }
    return piece < left ? piece : left;
}

/* NULL: the answers are those expected. Else what is wrong with them. */
static const char *judge_answer(const struct answer *answer, const struct expected *expected,
                                bool closes)
{
    size_t length = strlen(expected->body);

    if (answer->status != expected->status)
        return "another status";
    if (answer->body.length < length || memcmp(answer->body.bytes, expected->body, length) != 0)
        return "another body";
    if (answer->status < 400)
        return NULL;
    if (!slice_equal(answer_field(answer, "Content-Type"), SLICE("application/problem+json")))
        return "no problem document";
    if (closes && !slice_equal(answer_field(answer, "Connection"), SLICE("close")))
        return "no Connection: close";
    return NULL;
}

static const char *judge(const struct run *run)
{
    static const struct expected probe_answer = {200, "GET /probe 0"};
    const struct test_case *test = run->test;
    unsigned wanted = test->answer_count + (test->open ? 1 : 0);
    const char *wrong = NULL;
    struct answer answer;
    size_t at = 0;

    if (run->client.reset)
        return "the connection was reset";
    if (answers_in(&run->client) != wanted)
        return "another number of answers";
    for (unsigned i = 0; i < wanted && wrong == NULL; i++, at = answer.next) {
        answer_at(&run->client, at, &answer);
        wrong = judge_answer(&answer, i < test->answer_count ? &test->answers[i] : &probe_answer,
                             !test->open);
    }
    if (wrong == NULL && at != run->client.length)
        return "more bytes than expected";
    return wrong;
}

static unsigned failures;

static void finish_run(struct run *run, const char *wrong)
{
    if (wrong != NULL) {
        failures++;
        print_error("case %s (kind %d, cut %zu of %zu): %s; received %u answers%s:\n%.300s\n",
                    run->test->name, run->kind, run->cut, run->test->length, wrong,
                    answers_in(&run->client), run->client.ended ? ", then the end" : "",
                    run->client.received == NULL ? "" : run->client.received);
    }
    client_close(&run->client);
    run->test = NULL;
}

static void send_next(struct run *run)
{
    const struct test_case *test = run->test;

    if (run->sent < test->length && !run->client.ended) {
        size_t sent = client_push(&run->client, test->bytes + run->sent, next_piece(run));
        run->sent = sent == 0 && errno != EAGAIN ? test->length : run->sent + sent;
    } else if (test->open && !run->probed) {
        run->probed = true;
        client_push(&run->client, probe, sizeof(probe) - 1);
    } else if (test->eof && !run->shut) {
        run->shut = true;
        shutdown(run->client.fd, SHUT_WR);
    }
}

/* True when the run is over. */
static bool advance(struct run *run)
{
    const struct test_case *test = run->test;

    client_pull(&run->client);
    bool whole = test->open && answers_in(&run->client) > test->answer_count;
    bool late = harness_now_ms() > run->until_ms;

    if (!whole && !late && !run->client.ended) {
        send_next(run);
        return false;
    }
    finish_run(run, late ? "it takes too long" : judge(run));
    return true;
}

/* --- all runs of all cases --------------------------------------------------------------- */

struct plan {
    unsigned at_case;
    size_t at_cut;
    enum run_kind kind;
    unsigned random_runs;
};

/* Fills in what is to run next; false when all has run. */
static bool plan_next(struct plan *plan, enum run_kind kind, struct run *run)
{
    while (plan->at_case < case_count) {
        const struct test_case *test = &cases[plan->at_case];
        size_t cut_step = 1 + test->length / (test->length > 1000 ? CUTS_MAX : 1001);

        run->cut = 0;
        run->random = plan->at_case * 7919u + plan->random_runs;
        if (kind == RUN_CUT && plan->at_cut + cut_step < test->length) {
            run->cut = plan->at_cut += cut_step;
        } else if (kind == RUN_RANDOM && plan->random_runs < RANDOM_RUNS) {
            plan->random_runs++;
        } else if ((kind == RUN_WHOLE || kind == RUN_BYTES) && plan->at_cut == 0) {
            plan->at_cut = 1;
        } else {
            plan->at_case++;
            plan->at_cut = 0;
            plan->random_runs = 0;
            continue;
        }
        run->test = test;
        return true;
    }
    return false;
}

static void begin_run(struct run *run, enum run_kind kind, struct server *server)
{
    run->kind = kind;
    run->sent = 0;
    run->probed = run->shut = false;
    run->until_ms = harness_now_ms() + RUN_LIMIT_MS;
    client_open_to(&run->client, server->port);
}

static void run_all(enum run_kind kind)
{
    struct server *server = server_open((struct http_options){0});
    struct run runs[CONCURRENT] = {0};
    struct plan plan = {0};
    unsigned running = 0, count = 0;
    bool more = true;

    assert_true(case_count >= 200);
    while (more || running > 0) {
        for (size_t i = 0; i < CONCURRENT; i++) {
            if (runs[i].test == NULL && more) {
                more = plan_next(&plan, kind, &runs[i]);
                if (more) {
                    begin_run(&runs[i], kind, server);
                    running++;
                    count++;
                }
            } else if (runs[i].test != NULL && advance(&runs[i])) {
                running--;
            }
        }
        server_turn(server);
    }
    print_message("%u runs of %u cases\n", count, case_count);
    server_close(server);
    assert_int_equal(failures, 0);
}

static void each_case_whole_gets_its_answers(void **state)
{
    (void)state;
    run_all(RUN_WHOLE);
}

static void each_case_cut_in_two_at_any_byte_gets_the_same_answers(void **state)
{
    (void)state;
    run_all(RUN_CUT);
}

static void each_case_byte_by_byte_gets_the_same_answers(void **state)
{
    (void)state;
    run_all(RUN_BYTES);
}

static void each_case_in_random_pieces_gets_the_same_answers(void **state)
{
    (void)state;
    run_all(RUN_RANDOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_whole_gets_its_answers),
        cmocka_unit_test(each_case_cut_in_two_at_any_byte_gets_the_same_answers),
        cmocka_unit_test(each_case_byte_by_byte_gets_the_same_answers),
        cmocka_unit_test(each_case_in_random_pieces_gets_the_same_answers),
    };

    return cmocka_run_group_tests(tests, read_cases, forget_cases);
}
