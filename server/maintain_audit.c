/* hotlead audit: the words, and the sums. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "server/audit.h"
#include "server/maintain.h"
#include "server/maintain_job.h"

struct audit_words {
    bool json, without_redis;
};

/* Its lock is held, which also a rebuild does. */
static bool is_in_use(const struct maintain_job *job)
{
    char path[PATH_MAX];
    int fd = maintain_join(path, job->config.data, "hotlead.lock")
                 ? open(path, O_RDONLY | O_CLOEXEC)
                 : -1;
    bool free = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0;

    if (fd >= 0)
        close(fd);
    return !free;
}

/* Where Redis was to be looked at and could not be, nothing is said of what is there, and what was
 * found elsewhere is not called by the name of the whole. */
static void print_result(const struct audit_result *result, bool json, bool is_redis_away)
{
    const struct {
        const char *name;
        uint64_t number;
        bool is_rare; /* not worth a line when it is 0 */
        bool is_of_redis;
    } sums[] = {
        {"optins", result->optins, false, false},
        {"people", result->people, false, false},
        {"ended", result->ended, false, false},
        {"open", result->open, false, false},
        {"received", result->received, true, false},
        {"unpushed", result->unpushed, true, true},
        {"young", result->young, true, false},
        {is_redis_away ? "orphans_without_redis" : "orphans", result->orphans, false, false},
    };
    const size_t count = sizeof sums / sizeof *sums;

    for (size_t i = 0; i < count; i++) {
        if (is_redis_away && sums[i].is_of_redis)
            continue;
        if (json)
            printf("%s\"%s\":%" PRIu64 "%s", i == 0 ? "{" : ",", sums[i].name, sums[i].number,
                   i + 1 == count ? "}\n" : "");
        else if (!sums[i].is_rare || sums[i].number > 0)
            printf("%s %" PRIu64 "\n", sums[i].name, sums[i].number);
    }
}

static int run_audit(struct maintain_job *job)
{
    const struct audit_words *words = job->own;
    char rows[PATH_MAX];
    struct audit_result result;

    maintain_state_path(job, "rows", rows);
    const struct audit_options options = {
        .journal = job->journal,
        .rows = rows,
        .scratch = maintain_scratch(),
        .journal_map_bytes = job->config.journal_map_bytes,
        .state_map_bytes = job->config.state_map_bytes,
        .redis = words->without_redis ? NULL : job->config.redis,
        .redis_prefix = job->config.redis_prefix,
        .node = job->config.node,
        .beside_server = is_in_use(job),
        .json = words->json,
        .out = stdout,
        .log = job->log,
    };
    enum status status = audit_run(&options, &result);
    if (status == STATUS_NOT_FOUND)
        return maintain_fail("there is no journal in ", job->config.data);
    if (status != STATUS_OK && status != STATUS_REDIS_AWAY)
        return maintain_fail_as("the audit did not come to its end", status);
    if (!result.has_state)
        fputs("hotlead: there is no state to look at: it is made at the next start\n", stderr);
    if (status == STATUS_REDIS_AWAY)
        maintain_fail("Redis does not let its queues be looked at (--redis, --without-redis): ",
                      job->config.redis);
    print_result(&result, words->json, status == STATUS_REDIS_AWAY);
    return status == STATUS_OK && result.orphans == 0 ? 0 : EXIT_FAILED;
}

int maintain_audit(int argc, char **argv)
{
    struct audit_words words = {0};
    struct maintain_job job = {.own = &words};
    const struct maintain_flag flags[] = {{.name = "--json", .on = &words.json},
                                          {.name = "--without-redis", .on = &words.without_redis},
                                          {.name = NULL}};
    int code = maintain_open(
        &job, flags, "audit --data DIR [--redis URL] [--json]",
        "Looks for every opt-in that was acknowledged, by code of its own: in the journal, in "
        "state\n"
        "and in Redis. Names what is missing, and prints `orphans <n>`. Exit 0: there are none.\n"
        "Where Redis cannot be looked at, it prints `orphans_without_redis <n>` instead. Exit 1.\n"
        "Reads only; works beside a running server, and takes some seconds longer there.\n\n"
        "  optins    acknowledged; ended: by an outcome, or with a reason; open: something comes "
        "next\n"
        "  received  of the open ones, decided when state has caught up\n"
        "  unpushed  tasks on their way to Redis\n"
        "  young     rows of state that a server has in memory, or makes again at its start\n\n"
        "  --json           one JSON document a line: the orphans, then the sums\n"
        "  --without-redis  of a copy, or while Redis is away: journal and state alone\n\n"
        "Not looked at: whether the counts of the reports are right (only that they are as they "
        "were\n"
        "stored; a rebuild makes them anew), the index, and withdrawals that are over.\n"
        "What does not fit into 150 MB is sorted in TMPDIR, or /var/tmp: about 300 bytes a "
        "record.\n"
        "\n",
        argc, argv);

    if (code < 0 && !words.without_redis && config_check_redis(&job.config, stderr) != STATUS_OK)
        code = EXIT_USAGE;
    return maintain_close(&job,
                          code < 0 ? maintain_apart(run_audit, &job, "journal or state") : code);
}
