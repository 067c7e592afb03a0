/* `hotlead playbook` as it is called: what it prints where, and its exit code. */
#include "tests/unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "server/cli.h"
#include "server/playbook.h"

static char said[128 * 1024], path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/test_cli_playbook.%d.yaml", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Runs it in a child; what goes to `stream` (1 or 2) is in `said` afterwards. */
static int run(int stream, const char *const *words)
{
    int ends[2], status, argc = 0;
    size_t length = 0;
    ssize_t got;
    char *argv[16] = {NULL};

    for (; words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], stream);
        close(ends[0]);
        close(ends[1]);
        if (!freopen("/dev/null", "w", stream == 1 ? stderr : stdout))
            _exit(99);
        int code = cli_playbook(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    close(ends[1]);
    while ((got = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
#define RUN(stream, ...) run(stream, (const char *const[]){"playbook", __VA_ARGS__, NULL})

static void assert_said(const char *part)
{
    if (!strstr(said, part))
        fail_msg("'%s' is not in '%s'", part, said);
}

static void a_good_file_is_0_and_says_its_hash(void **state)
{
    (void)state;
    assert_int_equal(RUN(1, "check", "default"), 0);
    assert_said("default: good: 5 stages, ");
    assert_int_equal(RUN(1, "check", "default", "--json"), 0);
    assert_memory_equal(said, "{\"complaints\":[],\"good\":true,\"name\":\"default\",\"hash\":\"",
                        54);
}

static void a_bad_file_is_1_and_every_mistake_has_its_place(void **state)
{
    char wanted[256];

    (void)state;
    write_file("based_on: default\nname: a\ntitle: A\nlese: 1\ncaps: {gap: x}\n");
    assert_int_equal(RUN(1, "check", path), 1);
    snprintf(wanted, sizeof(wanted),
             "%s:4:1: a playbook has no 'lese'; did you mean 'lease'?\n%s:5:13: ", path, path);
    assert_said(wanted);
    assert_int_equal(RUN(1, "check", "--json", path), 1);
    assert_said("\"line\":4,\"column\":1,\"text\":\"a playbook has no 'lese'");
    assert_said("],\"good\":false}\n");
}

/* What `set` refuses, `check` does. */
static void a_file_that_is_too_long_is_1(void **state)
{
    static char yaml[PLAYBOOK_CANONICAL_MAX * 2];
    struct text out = text_over(yaml, sizeof(yaml) - 1);

    (void)state;
    text_string(&out, "based_on: default\nname: a\ntitle: A\nwords:\n");
    for (unsigned i = 0; out.length < PLAYBOOK_CANONICAL_MAX; i++)
        text_printf(&out, "  w%u: {say: \"%0500u\"}\n", i, i);
    yaml[out.length] = '\0';
    write_file(yaml);
    assert_int_equal(RUN(1, "check", path), 1);
    assert_said(
        ":1:1: this is too long: a playbook has at most 1048576 bytes, and at most 65536 in "
        "its canonical form");
    assert_int_equal(RUN(1, "check", "--json", path), 1);
    assert_said("\"line\":1,\"column\":1,\"text\":\"this is too long");
    assert_said("],\"good\":false}\n");
}

static void usage_and_a_file_that_is_not_there_are_2(void **state)
{
    (void)state;
    assert_int_equal(RUN(2, "check", "/nowhere/at.all"), 2);
    assert_said("hotlead: /nowhere/at.all: No such file or directory\n");
    assert_int_equal(RUN(2, "check"), 2);
    assert_int_equal(RUN(2, "show", "default", "--svg"), 2);
    assert_int_equal(RUN(2, "check", "default", "--dot"), 2);
    assert_int_equal(RUN(2, "chek", "default"), 2);
    assert_said("there is no 'chek'; did you mean 'check'?\n");
    assert_int_equal(RUN(1, "--help"), 0);
    assert_said("usage: hotlead playbook check FILE");
}

static void it_is_shown_as_what_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(RUN(1, "show", "default", "--mermaid"), 0);
    assert_memory_equal(said, "stateDiagram-v2\n", 16);
    assert_int_equal(RUN(1, "show", "--dot", "default"), 0);
    assert_memory_equal(said, "digraph \"default\" {\n", 20);
    assert_int_equal(RUN(1, "show", "default"), 0);
    assert_memory_equal(said, "From opt-in to conversation\n", 28);
    assert_int_equal(RUN(1, "show", "default", "--text"), 0);
    assert_memory_equal(said, "From opt-in to conversation\n", 28);
    assert_int_equal(RUN(1, "show", "default", "--yaml"), 0);
    assert_memory_equal(said, "name: default\n", 14);
}

static void an_id_is_no_file_whatever_the_flags_are(void **state)
{
    (void)state;
    assert_int_equal(RUN(2, "show", "--data", "/nowhere", "acme.own"), 2);
    assert_said("no token");
    assert_int_equal(RUN(2, "show", "acme.own", "--data", "/nowhere", "--text"), 2);
    assert_said("no token");
    assert_int_equal(RUN(2, "show", "/nowhere/own.yaml"), 2);
    assert_said("/nowhere/own.yaml: No such file");
}

static void set_asks_for_the_id(void **state)
{
    (void)state;
    assert_int_equal(RUN(2, "set", "default", "--data", "/nowhere"), 2);
    assert_said("write --id AGENCY.NAME");
    assert_int_equal(RUN(2, "set", "default", "--data", "/nowhere", "--id=acme.own"), 2);
    assert_said("no token");
}

/* The folder has a file that is called like the id. */
static void a_file_that_is_called_like_an_id_does_not_hide_it(void **state)
{
    char folder[] = "/tmp/hotlead-cli-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    fclose(fopen("acme.own", "we"));
    assert_int_equal(RUN(2, "show", "acme.own", "--data", "/nowhere"), 2);
    assert_said("no token");
    assert_int_equal(unlink("acme.own"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void a_bad_file_is_not_shown(void **state)
{
    (void)state;
    write_file("name: [\n");
    assert_int_equal(RUN(1, "show", path, "--text"), 1);
    assert_string_equal(said, "");
    assert_int_equal(RUN(2, "show", path, "--text"), 1);
    assert_said(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_is_0_and_says_its_hash),
        cmocka_unit_test(a_bad_file_is_1_and_every_mistake_has_its_place),
        cmocka_unit_test(a_file_that_is_too_long_is_1),
        cmocka_unit_test(usage_and_a_file_that_is_not_there_are_2),
        cmocka_unit_test(it_is_shown_as_what_is_asked_for),
        cmocka_unit_test(an_id_is_no_file_whatever_the_flags_are),
        cmocka_unit_test(a_file_that_is_called_like_an_id_does_not_hide_it),
        cmocka_unit_test(set_asks_for_the_id),
        cmocka_unit_test(a_bad_file_is_not_shown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
