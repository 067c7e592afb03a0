/* What the journal keeps: batches, what is erased in them, and what readers see of them. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/journal_rig.h"

/* --- batches -------------------------------------------------------------- */

static void committed_records_are_there_after_reopening(void **state)
{
    (void)state;
    assert_int_equal(journal_last_seq(fixture.journal), 0);
    assert_int_equal(append_batch(3, 600), STATUS_OK);
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), 3);
    assert_int_equal(read_one(1), STATUS_OK);
    assert_int_equal(read_one(3), STATUS_OK);
    assert_int_equal(read_one(4), STATUS_NOT_FOUND);
}

static void records_of_every_size_come_back_whole(void **state)
{
    /* Around LMDB's limit for what stays within a page, and the largest there can be. */
    static const size_t sizes[] = {0, 1, 1900, 1960, 2040, 4000, 4096, 65536, OPTIN_STORED_MAX};
    struct journal_reader *reader;
    struct record_view view;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_int_equal(append_batch(1, sizes[i]), STATUS_OK);
    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(journal_read(reader, i + 1, &view), STATUS_OK);
        assert_int_equal(view.payload.length, sizes[i]);
        assert_true(slice_equal(view.payload, (struct slice){payload, sizes[i]}));
    }
    journal_reader_close(reader);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(append_batch(2, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(append(3, 600), STATUS_OK);
    assert_int_equal(journal_last_seq(fixture.journal), 3);
    journal_abort(fixture.journal);
    assert_int_equal(journal_last_seq(fixture.journal), 2);
    assert_int_equal(read_one(3), STATUS_NOT_FOUND);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(read_one(3), STATUS_OK);
}

static void an_empty_batch_commits(void **state)
{
    (void)state;
    assert_int_equal(append_batch(0, 0), STATUS_OK);
    assert_int_equal(journal_last_seq(fixture.journal), 0);
}

static void an_open_batch_ends_with_the_journal(void **state)
{
    (void)state;
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(append(1, 600), STATUS_OK);
    reopen();
    assert_int_equal(journal_last_seq(fixture.journal), 0);
}

static void the_writer_reads_what_it_has_not_committed(void **state)
{
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(append(2, 600), STATUS_OK);
    assert_int_equal(journal_batch_read(fixture.journal, 2, &view), STATUS_OK);
    assert_int_equal(view.payload.length, 600);
    assert_int_equal(journal_batch_read(fixture.journal, 1, &view), STATUS_OK);
    assert_int_equal(journal_batch_read(fixture.journal, 3, &view), STATUS_NOT_FOUND);
    assert_int_equal(read_one(2), STATUS_NOT_FOUND);
    assert_int_equal(journal_commit(fixture.journal), STATUS_OK);
}

static void the_writer_reads_between_batches_too(void **state)
{
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(2, 600), STATUS_OK);
    assert_int_equal(journal_batch_read(fixture.journal, 2, &view), STATUS_OK);
    assert_int_equal(view.header.now_ms, 1002);
    assert_int_equal(view.payload.length, 600);
    assert_int_equal(journal_batch_read(fixture.journal, 9, &view), STATUS_NOT_FOUND);
}

/* A bug must not make holes: the process ends instead. */
static void a_gap_is_refused(void **state)
{
    int ended;

    (void)state;
    assert_int_equal(append_batch(2, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        append(4, 600);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
    journal_abort(fixture.journal);
}

static void erasure_takes_the_payload_and_leaves_the_rest(void **state)
{
    static const size_t sizes[] = {600, 60000};
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(1, sizes[0]), STATUS_OK);
    assert_int_equal(append_batch(1, sizes[1]), STATUS_OK);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_begin(fixture.journal), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 1), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 2), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 2), STATUS_OK);
    assert_int_equal(journal_erase(fixture.journal, 9), STATUS_NOT_FOUND);
    assert_int_equal(append(4, 600), STATUS_OK);
    assert_int_equal(journal_commit(fixture.journal), STATUS_OK);
    reopen();
    for (uint64_t seq = 1; seq <= 2; seq++) {
        assert_int_equal(journal_batch_read(fixture.journal, seq, &view), STATUS_OK);
        assert_true(view.erased);
        assert_int_equal(view.payload.length, 0);
        assert_int_equal(view.header.payload_bytes, sizes[seq - 1]);
        assert_int_equal(view.header.now_ms, 1000 + seq);
    }
    assert_int_equal(journal_batch_read(fixture.journal, 3, &view), STATUS_OK);
    assert_false(view.erased);
    assert_int_equal(scan(1, 0).damaged, 0);
}

/* --- readers -------------------------------------------------------------- */

static void a_reader_sees_later_commits_after_its_release(void **state)
{
    struct journal_reader *reader;
    struct record_view view;

    (void)state;
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    assert_int_equal(journal_read(reader, 1, &view), STATUS_OK);
    assert_int_equal(append_batch(1, 600), STATUS_OK);
    assert_int_equal(journal_read(reader, 2, &view), STATUS_NOT_FOUND);
    journal_reader_release(reader);
    assert_int_equal(journal_read(reader, 2, &view), STATUS_OK);
    journal_reader_release(reader);
    journal_reader_release(reader);
    journal_reader_close(reader);
}

static void a_scan_walks_all_pages_and_stops_when_told(void **state)
{
    (void)state;
    assert_int_equal(scan(1, 0).count, 0);
    assert_int_equal(append_batch(2500, 20), STATUS_OK);
    assert_int_equal(scan(1, 0).count, 2500);
    assert_int_equal(scan(1000, 0).count, 1501);
    assert_int_equal(scan(2501, 0).count, 0);
    assert_int_equal(scan(1, 1000).count, 1000);
    assert_int_equal(scan(5, 7).count, 3);
}

struct parallel {
    struct journal *journal;
    _Atomic bool done;
    uint64_t read;
};

/* Each record that is visible is whole, and all before it are visible. */
static void *read_on(void *argument)
{
    struct parallel *parallel = argument;
    struct journal_reader *reader;
    struct record_view view;
    bool done = false;

    if (journal_reader_open(parallel->journal, &reader) != STATUS_OK)
        return NULL;
    while (!done) {
        done = atomic_load(&parallel->done);
        while (journal_read(reader, parallel->read + 1, &view) == STATUS_OK)
            parallel->read++;
        journal_reader_release(reader);
        journal_is_tight(parallel->journal);
        journal_bytes(parallel->journal);
    }
    journal_reader_close(reader);
    return NULL;
}

static void a_reader_on_another_thread_sees_whole_batches(void **state)
{
    struct parallel parallel = {.journal = fixture.journal};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &parallel), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(append_batch(10, 600), STATUS_OK);
    atomic_store(&parallel.done, true);
    pthread_join(thread, NULL);
    assert_int_equal(parallel.read, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(committed_records_are_there_after_reopening),
        TEST(records_of_every_size_come_back_whole),
        TEST(an_aborted_batch_leaves_nothing),
        TEST(an_empty_batch_commits),
        TEST(an_open_batch_ends_with_the_journal),
        TEST(the_writer_reads_what_it_has_not_committed),
        TEST(the_writer_reads_between_batches_too),
        TEST(a_gap_is_refused),
        TEST(a_reader_sees_later_commits_after_its_release),
        TEST(a_scan_walks_all_pages_and_stops_when_told),
        TEST(a_reader_on_another_thread_sees_whole_batches),
        TEST(erasure_takes_the_payload_and_leaves_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
