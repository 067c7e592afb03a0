/* bench/machine.c: this machine, and the disks it has. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/machine.h"
#include "tests/folder.h"
#include "tests/unit.h"

static bool says(const char *command, const char *wanted)
{
    char text[4096] = "";
    FILE *pipe = popen(command, "r");

    assert_non_null(pipe);
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    pclose(pipe);
    return *wanted && strstr(text, wanted);
}

static void machine_is_named_as_the_system_names_it(void **state)
{
    (void)state;
    struct machine machine;
    char cores[16];

    machine_read(&machine);
    snprintf(cores, sizeof cores, "%u\n", machine.cores);
    assert_true(says("nproc", cores));
    assert_true(says("grep 'model name' /proc/cpuinfo || uname -m", machine.processor));
    assert_true(says("uname -sr", machine.kernel));
    assert_true(says("cat /etc/os-release", machine.system));
    assert_true(machine.memory_bytes > 64 << 20);
    assert_true(machine.load1 >= 0);
}

static void disk_of_a_folder_is_named_and_timed(void **state)
{
    (void)state;
    struct machine_disk disk;
    char here[] = "/var/tmp/hotlead-test-XXXXXX", command[128];

    assert_non_null(mkdtemp(here));
    assert_status(machine_disk_read(here, &disk), STATUS_OK);
    snprintf(command, sizeof command, "df --output=fstype %s", here);
    assert_true(says(command, disk.file_system));
    assert_true(disk.fdatasync_p50_ns > 0);
    assert_true(disk.fdatasync_p99_ns >= disk.fdatasync_p50_ns);
    assert_true(disk.volatile_memory == machine_is_volatile(here));
    assert_int_equal(rmdir(here), 0); /* its file is gone again */
}

static void memory_that_looks_like_a_disk_is_found_out(void **state)
{
    (void)state;
    struct machine_disk disk;

    if (access("/dev/shm", W_OK) != 0)
        skip();
    assert_status(machine_disk_read("/dev/shm", &disk), STATUS_OK);
    assert_string_equal(disk.file_system, "tmpfs");
    assert_true(disk.volatile_memory);
    assert_false(machine_is_volatile("/proc"));
}

static void folder_that_cannot_be_written_is_io(void **state)
{
    (void)state;
    struct machine_disk disk;

    assert_status(machine_disk_read("/proc/self", &disk), STATUS_IO);
    assert_string_equal(disk.file_system, "proc");
    assert_status(machine_disk_read("/no/such/folder", &disk), STATUS_IO);
    assert_false(machine_is_volatile("/no/such/folder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_is_named_as_the_system_names_it),
        cmocka_unit_test(disk_of_a_folder_is_named_and_timed),
        cmocka_unit_test(memory_that_looks_like_a_disk_is_found_out),
        cmocka_unit_test(folder_that_cannot_be_written_is_io),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
