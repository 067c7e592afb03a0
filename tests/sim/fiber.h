/* The writer's thread as a fiber: writer*.c are compiled once more for the simulation, with this
 * file in front, so that what they ask the system for (a thread, locks, time to sleep) they get
 * from loop.c. The text of the sources is the one that ships. */
#ifndef HOTLEAD_TESTS_SIM_FIBER_H
#define HOTLEAD_TESTS_SIM_FIBER_H

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "server/recovery.h"

int fiber_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                 void *argument);
int fiber_join(pthread_t thread, void **result);
int fiber_lock(pthread_mutex_t *mutex);
int fiber_unlock(pthread_mutex_t *mutex);
int fiber_signal(pthread_cond_t *condition);
int fiber_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int fiber_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex,
                     const struct timespec *until);
int fiber_clock(clockid_t id, struct timespec *out);
_Noreturn void fiber_exit(int code);

/* node.c: a reader that the thread has open when the process dies is closed by hand. */
enum status fiber_reader_open(struct journal *journal, struct journal_reader **out);
void fiber_reader_close(struct journal_reader *reader);
/* node.c: a rebuild in small slices, so that opt-ins come in while it runs. */
enum status fiber_fold(struct recovery *recovery, uint64_t most, bool *done_out);

#ifdef FIBER_WRITER
#define pthread_create(thread, attributes, run, argument)                                          \
    fiber_create((thread), (attributes), (run), (argument))
#define pthread_join(thread, result)        fiber_join((thread), (result))
#define pthread_mutex_lock(mutex)           fiber_lock(mutex)
#define pthread_mutex_unlock(mutex)         fiber_unlock(mutex)
#define pthread_cond_signal(condition)      fiber_signal(condition)
#define pthread_cond_wait(condition, mutex) fiber_wait((condition), (mutex))
#define pthread_cond_timedwait(condition, mutex, until)                                            \
    fiber_wait_until((condition), (mutex), (until))
#define clock_gettime(id, out)                  fiber_clock((id), (out))
#define _exit(code)                             fiber_exit(code)
#define journal_reader_open(journal, out)       fiber_reader_open((journal), (out))
#define journal_reader_close(reader)            fiber_reader_close(reader)
#define recovery_fold(recovery, most, done_out) fiber_fold((recovery), (most), (done_out))
#endif

#endif
