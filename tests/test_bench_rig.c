/* bench/rig.c with the real programs: redis-server from PATH, and hotlead from $HOTLEAD or from
 * beside this test, without which there is nothing to test. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/machine.h"
#include "bench/metrics.h"
#include "bench/rig.h"
#include "server/client.h"
#include "tests/folder.h"
#include "tests/unit.h"

#define WAIT_MS 10000

static const char *hotlead; /* NULL: the one beside this test */
static char *talk_text;
static size_t talk_length;

static const struct rig_options *usual(void)
{
    static struct rig_options options;

    options = (struct rig_options){.hotlead = hotlead, .sites = 3, .shape = "zset"};
    return &options;
}

static enum status open_rig(const struct rig_options *options, struct rig **out)
{
    static FILE *talk;

    if (talk)
        fclose(talk);
    free(talk_text);
    talk = open_memstream(&talk_text, &talk_length);
    enum status status = rig_open(options, talk, out);
    fflush(talk);
    return status;
}

static struct rig *usual_rig(void)
{
    struct rig *rig;

    if (open_rig(usual(), &rig) != STATUS_OK)
        fail_msg("no rig: %s", talk_text);
    return rig;
}

static void assert_talk(const char *part)
{
    if (!strstr(talk_text, part))
        fail_msg("said '%s', which has no '%s'", talk_text, part);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static long long redis_number(const struct rig *rig, const char *command)
{
    redisContext *link = redisConnectUnix(rig_target(rig)->redis_url + strlen("unix://"));
    redisReply *reply = redisCommand(link, command);

    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long number = reply->integer;
    freeReplyObject(reply);
    redisFree(link);
    return number;
}

static void wait_for_tasks(const struct rig *rig, const char *command, long long count)
{
    for (int i = 0; i < WAIT_MS && redis_number(rig, command) != count; i++)
        usleep(1000);
    assert_int_equal(redis_number(rig, command), count);
}

static void post(const struct rig *rig, const char *token, const char *path, unsigned number,
                 long wanted)
{
    struct client *client;
    struct client_answer answer;
    char body[128];

    snprintf(body, sizeof body, "{\"email\":\"visitor%u@example.com\"}", number);
    assert_status(client_open(rig_url(rig), token, &client), STATUS_OK);
    assert_status(client_request(client, "POST", path, slice_of(body), &answer), STATUS_OK);
    assert_int_equal(answer.status, wanted);
    client_close(client);
}

static void rig_takes_optins_and_brings_their_tasks(void **state)
{
    (void)state;
    struct rig *rig = usual_rig();
    const struct target *target = rig_target(rig);
    struct metrics *metrics;

    assert_int_equal(target->site_count, 3);
    assert_string_not_equal(target->sites[0].secret, target->sites[2].secret);
    for (unsigned i = 0; i < 3; i++)
        post(rig, target->sites[i].secret, "/v1/optins", i, 201);
    wait_for_tasks(rig, "ZCARD hl:{bench.calls}:tasks", 3);
    assert_status(metrics_read(target, &metrics), STATUS_OK);
    assert_float_equal(metrics_value(metrics, "hotlead_optins_total{result=\"new\"}"), 3, 0);
    metrics_close(metrics);
    assert_string_equal(talk_text, "");
    rig_close(rig);
}

static void forms_have_no_limit_that_makes_them_suspect(void **state)
{
    (void)state;
    struct rig *rig = usual_rig();
    char path[TARGET_TEXT_MAX + 8];

    snprintf(path, sizeof path, "/f/%s", rig_target(rig)->sites[0].open);
    for (unsigned i = 0; i < 60; i++)
        post(rig, "", path, i, 201);
    wait_for_tasks(rig, "ZCARD hl:{bench.calls}:tasks", 60);
    rig_close(rig);
}

static void queue_can_be_a_list(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;

    options.shape = "list";
    options.aof = RIG_AOF_OFF;
    assert_status(open_rig(&options, &rig), STATUS_OK);
    assert_int_equal(rig_target(rig)->shape, TARGET_LIST);
    post(rig, rig_target(rig)->sites[0].secret, "/v1/optins", 1, 201);
    wait_for_tasks(rig, "LLEN hl:{bench.calls}:tasks", 1);
    rig_close(rig);
}

#define CALLS_YAML SOURCE_DIR "/bench/calls.yaml"

static void shipped_playbook_opens_a_call_and_an_e_mail(void **state)
{
    (void)state;
    struct rig *rig = usual_rig();

    assert_string_equal(rig_target(rig)->playbook, "default");
    post(rig, rig_target(rig)->sites[0].secret, "/v1/optins", 1, 201);
    wait_for_tasks(rig, "ZCARD hl:{bench.calls}:tasks", 1);
    wait_for_tasks(rig, "ZCARD hl:{bench.email}:tasks", 1);
    assert_string_equal(rig_target(rig)->emails, "bench.email");
    rig_close(rig);
}

static void agency_goes_by_the_playbook_that_is_given(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct metrics *metrics;
    struct rig *rig;

    options.playbook = CALLS_YAML;
    assert_status(open_rig(&options, &rig), STATUS_OK);
    if (strncmp(rig_target(rig)->playbook, "calls (", 7) != 0)
        fail_msg("it is called '%s'", rig_target(rig)->playbook);
    post(rig, rig_target(rig)->sites[0].secret, "/v1/optins", 1, 201);
    wait_for_tasks(rig, "ZCARD hl:{bench.calls}:tasks", 1);
    assert_status(metrics_read(rig_target(rig), &metrics), STATUS_OK);
    assert_float_equal(metrics_value(metrics, "hotlead_tasks_opened_total"), 1, 0);
    metrics_close(metrics);
    rig_close(rig);
}

static void playbook_that_is_none_is_refused_with_what_is_wrong(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct folder folder = folder_make();
    const char *path = folder_path(&folder, "wrong.yaml");
    struct rig *rig;

    FILE *file = fopen(path, "w");
    fputs("based_on: default\nname: wrong\ncadence: {}\n", file);
    fclose(file);
    options.playbook = path;
    assert_status(open_rig(&options, &rig), STATUS_INVALID);
    assert_talk("wrong.yaml:3:1: ");
    options.playbook = "/no/such/playbook";
    assert_status(open_rig(&options, &rig), STATUS_IO);
    assert_talk("/no/such/playbook: No such file or directory");
    folder_remove(&folder);
}

/* Whether the program has loaded what simulates a disk. */
static bool has_loaded(const struct process *process, const char *name)
{
    char path[64], line[1024];
    bool found = false;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)process->pid);
    FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    while (!found && fgets(line, sizeof line, maps))
        found = strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void disk_is_simulated_for_the_server_alone(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;

    options.disk_us = 50000;
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1); /* of a server that is built so */
    assert_status(open_rig(&options, &rig), STATUS_OK);
    unsetenv("ASAN_OPTIONS");
    assert_true(has_loaded(&rig_target(rig)->server, "disk_delay.so"));
    assert_false(has_loaded(&rig_target(rig)->redis, "disk_delay.so"));
    uint64_t start_ms = now_ms();
    post(rig, rig_target(rig)->sites[0].secret, "/v1/optins", 1, 201);
    uint64_t took_ms = now_ms() - start_ms; /* fdatasync, and the page that makes it a commit */
    if (took_ms < 100)
        fail_msg("an opt-in took %u ms", (unsigned)took_ms);
    rig_close(rig);
    rig = usual_rig();
    assert_false(has_loaded(&rig_target(rig)->server, "disk_delay.so"));
    rig_close(rig);
}

static void times_of_a_disk_have_a_unit(void **state)
{
    (void)state;
    unsigned us;

    assert_true(rig_read_disk("80us", &us));
    assert_int_equal(us, 80);
    assert_true(rig_read_disk("2.5ms", &us));
    assert_int_equal(us, 2500);
    for (const char **wrong = (const char *[]){"80", "", "us", "0us", "-1us", "0.5us", "2s",
                                               "9999ms", "nanus", NULL};
         *wrong; wrong++)
        if (rig_read_disk(*wrong, &us))
            fail_msg("'%s' was taken", *wrong);
}

static void server_and_redis_come_back_as_the_same_target(void **state)
{
    (void)state;
    struct rig *rig = usual_rig();
    const struct target *target = rig_target(rig);
    pid_t server = target->server.pid, redis = target->redis.pid;

    post(rig, target->sites[0].secret, "/v1/optins", 1, 201);
    rig_kill_server(rig);
    rig_stop_redis(rig);
    assert_int_equal(target->server.pid, 0);
    assert_int_equal(target->redis.pid, 0);
    assert_status(rig_start_redis(rig, stderr), STATUS_OK);
    assert_status(rig_start_server(rig, stderr), STATUS_OK);
    assert_int_not_equal(target->server.pid, server);
    assert_int_not_equal(target->redis.pid, redis);
    post(rig, target->sites[0].secret, "/v1/optins", 2, 201);
    wait_for_tasks(rig, "ZCARD hl:{bench.calls}:tasks", 2);
    assert_true(rig_stop_server(rig));
    assert_false(rig_stop_server(rig)); /* there was none to stop */
    rig_close(rig);
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    struct rig *rig = usual_rig();
    char folder[1024];
    pid_t server = rig_target(rig)->server.pid, redis = rig_target(rig)->redis.pid;

    strcpy(folder, rig_folder(rig));
    assert_true(is_there(folder));
    assert_true(is_there(rig_data(rig)));
    rig_close(rig);
    assert_false(is_there(folder));
    assert_int_equal(kill(server, 0), -1);
    assert_int_equal(kill(redis, 0), -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void folder_is_kept_when_asked_for(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;
    struct folder kept;

    options.keep = true;
    assert_status(open_rig(&options, &rig), STATUS_OK);
    snprintf(kept.path, sizeof kept.path, "%s", rig_folder(rig));
    rig_close(rig);
    assert_true(is_there(folder_path(&kept, "data")));
    assert_true(is_there(folder_path(&kept, "hotlead.log")));
    folder_remove(&kept);
}

static bool is_dead(pid_t pid)
{
    char path[64], text[512] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *name_end = strrchr(text, ')');
    return !name_end || name_end[2] == 'Z' || name_end[2] == 'X'; /* init may be slow to reap */
}

struct told {
    char folder[256];
    pid_t server, redis;
};

static void tell_and_wait(int to)
{
    struct rig *rig;
    struct told told = {0};

    if (rig_open(usual(), stderr, &rig) != STATUS_OK)
        _exit(1);
    snprintf(told.folder, sizeof told.folder, "%s", rig_folder(rig));
    told.server = rig_target(rig)->server.pid;
    told.redis = rig_target(rig)->redis.pid;
    if (write(to, &told, sizeof told) == sizeof told)
        pause();
    _exit(1);
}

static void kill_of_the_bench_leaves_nothing_either(void **state)
{
    (void)state;
    int ends[2];
    struct told told;

    assert_int_equal(pipe(ends), 0);
    pid_t bench = fork();
    if (bench == 0)
        tell_and_wait(ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    close(ends[0]);
    assert_true(is_there(told.folder));
    kill(bench, SIGKILL);
    waitpid(bench, NULL, 0);
    for (int i = 0;
         i < WAIT_MS && (is_there(told.folder) || !is_dead(told.server) || !is_dead(told.redis));
         i++)
        usleep(1000);
    assert_false(is_there(told.folder));
    assert_true(is_dead(told.server));
    assert_true(is_dead(told.redis));
}

static bool interrupts_children; /* of a fork; who is to be a program is made by vfork */
static int heard_by[2];

static void hear(int number)
{
    pid_t self = getpid();

    (void)number;
    (void)!write(heard_by[1], &self, sizeof self);
}

static void interrupt_child(void)
{
    if (interrupts_children)
        raise(SIGINT);
}

static void janitor_does_not_hear_a_ctrl_c_in_our_place(void **state)
{
    (void)state;
    struct sigaction before, ours = {.sa_handler = hear};
    struct rig *rig;
    pid_t heard;

    assert_int_equal(pipe2(heard_by, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(sigaction(SIGINT, &ours, &before), 0);
    assert_int_equal(pthread_atfork(NULL, NULL, interrupt_child), 0);
    interrupts_children = true;
    enum status status = open_rig(usual(), &rig);
    interrupts_children = false;
    assert_status(status, STATUS_OK);
    assert_int_equal(read(heard_by[0], &heard, sizeof heard), -1);
    raise(SIGINT); /* and we still do */
    assert_int_equal(read(heard_by[0], &heard, sizeof heard), sizeof heard);
    assert_int_equal(heard, getpid());
    rig_close(rig);
    sigaction(SIGINT, &before, NULL);
    close(heard_by[0]);
    close(heard_by[1]);
}

static void occupied_port_is_refused(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    struct rig *rig;
    char listen_on[64];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &length);
    snprintf(listen_on, sizeof listen_on, "127.0.0.1:%u", ntohs(address.sin_port));
    options.listen = listen_on;
    assert_status(open_rig(&options, &rig), STATUS_CONFLICT);
    assert_talk("is in use");
    assert_talk(listen_on);
    close(listener);
    assert_status(open_rig(&options, &rig), STATUS_OK); /* now it is free */
    assert_string_equal(rig_url(rig) + strlen("http://"), listen_on);
    rig_close(rig);
}

static void address_that_is_none_is_refused(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;
    const char *const wrong[] = {"8080",        "127.0.0.1", "localhost:80",  ":80",
                                 "127.0.0.1:0", "[::1:80",   "127.0.0.1:http"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.listen = wrong[i];
        assert_status(open_rig(&options, &rig), STATUS_INVALID);
        assert_talk(wrong[i]);
    }
}

static void folder_in_memory_is_refused_unless_allowed(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;

    if (!machine_is_volatile("/dev/shm"))
        skip();
    options.below = "/dev/shm";
    assert_status(open_rig(&options, &rig), STATUS_FORBIDDEN);
    assert_talk("--allow-tmpfs");
    assert_talk("give --below a folder on a real disk");
    options.allow_tmpfs = true;
    assert_status(open_rig(&options, &rig), STATUS_OK);
    rig_close(rig);
}

static void folder_that_is_not_there_is_told_with_what_named_it(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;

    options.below = "/no/such/folder";
    assert_status(open_rig(&options, &rig), STATUS_IO);
    assert_talk("/no/such/folder: No such file or directory; give --below another");
    setenv("TMPDIR", "/no/such/folder", 1);
    enum status status = open_rig(usual(), &rig);
    unsetenv("TMPDIR");
    assert_status(status, STATUS_IO);
    assert_talk("; set TMPDIR to another");
}

static void folder_with_too_long_a_name_is_told_with_what_named_it(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;
    char below[128];

    snprintf(below, sizeof below, "/var/tmp/test-%0100d", (int)getpid());
    assert_int_equal(mkdir(below, 0700), 0);
    options.below = below;
    enum status status = open_rig(&options, &rig);
    assert_int_equal(rmdir(below), 0); /* nothing is left in it */
    assert_status(status, STATUS_INVALID);
    assert_talk("too long a path for a unix socket: give --below a shorter one");
}

static void temporary_folder_in_memory_is_refused_too(void **state)
{
    (void)state;
    struct rig *rig;

    if (!machine_is_volatile("/dev/shm"))
        skip();
    setenv("TMPDIR", "/dev/shm", 1);
    enum status status = open_rig(usual(), &rig);
    unsetenv("TMPDIR");
    assert_status(status, STATUS_FORBIDDEN);
    assert_talk("/dev/shm is in memory (tmpfs)");
    assert_talk("set TMPDIR to a folder on a real disk");
}

static void server_that_does_not_start_is_told_with_its_log(void **state)
{
    (void)state;
    struct rig_options options = *usual();
    struct rig *rig;
    const char *flags[] = {"--no-such-setting", NULL};

    options.flags = flags;
    assert_status(open_rig(&options, &rig), STATUS_BUSY);
    assert_talk("hotlead does not answer");
    assert_talk("no-such-setting");
    options.hotlead = "/no/such/hotlead";
    assert_status(open_rig(&options, &rig), STATUS_INVALID);
    assert_talk("--hotlead");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rig_takes_optins_and_brings_their_tasks),
        cmocka_unit_test(forms_have_no_limit_that_makes_them_suspect),
        cmocka_unit_test(queue_can_be_a_list),
        cmocka_unit_test(shipped_playbook_opens_a_call_and_an_e_mail),
        cmocka_unit_test(agency_goes_by_the_playbook_that_is_given),
        cmocka_unit_test(playbook_that_is_none_is_refused_with_what_is_wrong),
        cmocka_unit_test(disk_is_simulated_for_the_server_alone),
        cmocka_unit_test(times_of_a_disk_have_a_unit),
        cmocka_unit_test(server_and_redis_come_back_as_the_same_target),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(folder_is_kept_when_asked_for),
        cmocka_unit_test(kill_of_the_bench_leaves_nothing_either),
        cmocka_unit_test(janitor_does_not_hear_a_ctrl_c_in_our_place),
        cmocka_unit_test(occupied_port_is_refused),
        cmocka_unit_test(address_that_is_none_is_refused),
        cmocka_unit_test(folder_in_memory_is_refused_unless_allowed),
        cmocka_unit_test(folder_that_is_not_there_is_told_with_what_named_it),
        cmocka_unit_test(folder_with_too_long_a_name_is_told_with_what_named_it),
        cmocka_unit_test(temporary_folder_in_memory_is_refused_too),
        cmocka_unit_test(server_that_does_not_start_is_told_with_its_log),
    };
    char beside[1024] = "";

    hotlead = getenv("HOTLEAD");
    ssize_t length = readlink("/proc/self/exe", beside, sizeof beside - 16);
    if (length > 0 && strrchr(beside, '/'))
        strcpy(strrchr(beside, '/') + 1, "hotlead");
    if (!hotlead && !is_there(beside)) {
        printf("1..0 # skipped: no hotlead beside this test, and none in $HOTLEAD\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
