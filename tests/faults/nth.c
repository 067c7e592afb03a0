/* Preloaded into a server: the Nth call of one function fails, once or from then on. The test says
 * which in the file NTH_CONTROL, whenever it likes, and reads there how many calls there were, so
 * that it can stop asking for an N that is never reached.
 *
 * Calls of kinds that belong together are counted together. What is real is done by system calls of
 * our own, so that a sanitizer, which looks for the next definition behind its own, finds these
 * functions and not a way around them. Memory has no system call: there the next definition is
 * asked, be it the C library's or a sanitizer's.
 *
 * Nothing fails before main(): what is loaded there is not the server's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The numbers are those of tests/e2e/nth.py. */
enum call { CALL_NONE, CALL_MEMORY, CALL_WRITE, CALL_SYNC, CALL_SPACE, CALL_SEND, CALL_ACCEPT };
enum mode { MODE_ONCE, MODE_FROM_THEN_ON };

/* Lies in the file. `call` is written last by the test, and says that the rest is there. */
struct control {
    _Atomic uint32_t call;
    _Atomic uint32_t mode;
    _Atomic uint64_t nth;  /* from 1 */
    _Atomic int32_t error; /* an errno; 0: half of what there is goes through */
    _Atomic uint32_t unused;
    _Atomic uint64_t calls; /* of that kind, since the test set it to 0 */
    _Atomic uint64_t failed;
};

static struct control *control;
static atomic_bool is_running;

static void refuse(const char *why)
{
    ssize_t ignored = syscall(SYS_write, STDERR_FILENO, why, strlen(why));

    (void)ignored;
    _exit(2);
}

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("NTH_CONTROL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    if (file < 0 || page == MAP_FAILED)
        refuse("nth: NTH_CONTROL is the file that says what fails\n");
    close(file);
    control = page;
}

/* --- from main() on --------------------------------------------------------------- */

typedef int main_fn(int, char **, char **);

static main_fn *real_main;

static int run_main(int count, char **words, char **environment)
{
    atomic_store(&is_running, true);
    return real_main(count, words, environment);
}

int __libc_start_main(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                      void *);
int __libc_start_main(main_fn *begin, int count, char **words, void (*init)(void),
                      void (*finish)(void), void (*finish_loader)(void), void *stack_end)
{
    int (*next)(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

    *(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = begin;
    return next(run_main, count, words, init, finish, finish_loader, stack_end);
}

/* --- whether it is this call's turn ------------------------------------------------- */

static bool is_turn(enum call call)
{
    if (!atomic_load(&is_running) || atomic_load(&control->call) != (uint32_t)call)
        return false;
    uint64_t number = 1 + atomic_fetch_add(&control->calls, 1), nth = atomic_load(&control->nth);
    bool turn = atomic_load(&control->mode) == MODE_FROM_THEN_ON ? number >= nth : number == nth;
    if (turn)
        atomic_fetch_add(&control->failed, 1);
    return turn;
}

/* True: the call fails with errno. */
static bool fails(enum call call)
{
    if (!is_turn(call))
        return false;
    errno = atomic_load(&control->error);
    return true;
}

enum turn { GOES_ON, FAILS, IS_SHORT };

static enum turn turn_of(enum call call)
{
    if (!is_turn(call))
        return GOES_ON;
    errno = atomic_load(&control->error);
    return errno == 0 ? IS_SHORT : FAILS;
}

/* --- memory --------------------------------------------------------------------------- */

static void *next_of(const char *name)
{
    void *next = dlsym(RTLD_NEXT, name);

    if (!next)
        refuse("nth: a function has no next definition\n");
    return next;
}

#define NEXT(type, name)                                                                           \
    static type *next;                                                                             \
    if (!next)                                                                                     \
    *(void **)&next = next_of(name)

typedef void *malloc_fn(size_t);
typedef void *calloc_fn(size_t, size_t);
typedef void *realloc_fn(void *, size_t);
typedef int posix_memalign_fn(void **, size_t, size_t);

/* hiredis 0.14 has no answer to want of memory: it aborts, or writes where there is nothing. Later
 * releases let the process choose; here its memory always is there. */
static bool is_hiredis(const void *caller)
{
    Dl_info library;

    return dladdr(caller, &library) != 0 &&
           strstr(library.dli_fname, "/libhiredis.so.0.14") != NULL;
}

/* A sanitizer asks this of each thread that begins, and takes no answer but one. */
static _Thread_local __attribute__((tls_model("initial-exec"))) bool is_asked_of;

typedef int getattr_fn(pthread_t, pthread_attr_t *);

int pthread_getattr_np(pthread_t thread, pthread_attr_t *out)
{
    NEXT(getattr_fn, "pthread_getattr_np");
    is_asked_of = true;
    int result = next(thread, out);
    is_asked_of = false;
    return result;
}

static bool no_memory(const void *caller)
{
    if (!atomic_load(&is_running) || is_asked_of || atomic_load(&control->call) != CALL_MEMORY ||
        is_hiredis(caller) || !is_turn(CALL_MEMORY))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    NEXT(malloc_fn, "malloc");
    return no_memory(__builtin_return_address(0)) ? NULL : next(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    NEXT(calloc_fn, "calloc");
    return no_memory(__builtin_return_address(0)) ? NULL : next(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    NEXT(realloc_fn, "realloc");
    return no_memory(__builtin_return_address(0)) ? NULL : next(memory, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    NEXT(posix_memalign_fn, "posix_memalign");
    return no_memory(__builtin_return_address(0)) ? ENOMEM : next(out, alignment, bytes);
}

/* --- files and sockets ------------------------------------------------------------------ */

static bool is_kind(int file, mode_t kind)
{
    struct stat entry;

    return fstat(file, &entry) == 0 && (entry.st_mode & S_IFMT) == kind;
}

/* LMDB writes the page that makes a commit one to a file that is opened with O_DSYNC: that write is
 * a sync too. Else what is written to a file is a write, and to a socket a send. */
static enum call call_of(int file)
{
    if (!atomic_load(&is_running) || file <= STDERR_FILENO) /* what it says is for the test */
        return CALL_NONE;

    uint32_t wanted = atomic_load(&control->call);
    if (wanted == CALL_SYNC && is_kind(file, S_IFREG))
        return syscall(SYS_fcntl, file, F_GETFL) & O_DSYNC ? CALL_SYNC : CALL_NONE;
    if (wanted == CALL_WRITE && is_kind(file, S_IFREG))
        return CALL_WRITE;
    if (wanted == CALL_SEND && is_kind(file, S_IFSOCK))
        return CALL_SEND;
    return CALL_NONE;
}

static enum turn turn_at(int file)
{
    enum call call = call_of(file);

    return call == CALL_NONE ? GOES_ON : turn_of(call);
}

static size_t half(size_t bytes)
{
    return bytes > 1 ? bytes / 2 : bytes;
}

/* The first half of what the pieces hold, as one piece less or a shorter one. */
static int halve(const struct iovec *pieces, int count, struct iovec *first)
{
    if (count > 1)
        return count / 2;
    *first = (struct iovec){pieces->iov_base, half(pieces->iov_len)};
    return 0;
}

ssize_t write(int file, const void *bytes, size_t length)
{
    enum turn turn = turn_at(file);

    if (turn == FAILS)
        return -1;
    return syscall(SYS_write, file, bytes, turn == IS_SHORT ? half(length) : length);
}

static ssize_t written_at(int file, const void *bytes, size_t length, off_t offset)
{
    enum turn turn = turn_at(file);

    if (turn == FAILS)
        return -1;
    return syscall(SYS_pwrite64, file, bytes, turn == IS_SHORT ? half(length) : length, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset)
{
    return written_at(file, bytes, length, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off_t offset)
{
    return written_at(file, bytes, length, offset);
}

ssize_t writev(int file, const struct iovec *pieces, int count)
{
    enum turn turn = turn_at(file);
    struct iovec first;

    if (turn == FAILS)
        return -1;
    if (turn == IS_SHORT && count > 0)
        count = halve(pieces, count, &first);
    if (turn == IS_SHORT && count == 0)
        return syscall(SYS_writev, file, &first, 1);
    return syscall(SYS_writev, file, pieces, count);
}

static ssize_t pieces_written_at(int file, const struct iovec *pieces, int count, off_t offset)
{
    enum turn turn = turn_at(file);
    struct iovec first;

    if (turn == FAILS)
        return -1;
    if (turn == IS_SHORT && count > 0)
        count = halve(pieces, count, &first);
    if (turn == IS_SHORT && count == 0)
        return syscall(SYS_pwritev, file, &first, 1, offset, 0);
    return syscall(SYS_pwritev, file, pieces, count, offset, 0);
}

ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t offset)
{
    return pieces_written_at(file, pieces, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *pieces, int count, off_t offset)
{
    return pieces_written_at(file, pieces, count, offset);
}

int fsync(int file)
{
    return fails(CALL_SYNC) ? -1 : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    return fails(CALL_SYNC) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int msync(void *memory, size_t bytes, int flags)
{
    return fails(CALL_SYNC) ? -1 : (int)syscall(SYS_msync, memory, bytes, flags);
}

int ftruncate(int file, off_t bytes)
{
    return fails(CALL_SPACE) ? -1 : (int)syscall(SYS_ftruncate, file, bytes);
}

int ftruncate64(int file, off_t bytes)
{
    return ftruncate(file, bytes);
}

int posix_fallocate(int file, off_t offset, off_t bytes)
{
    if (fails(CALL_SPACE))
        return errno;
    return syscall(SYS_fallocate, file, 0, offset, bytes) == 0 ? 0 : errno;
}

int posix_fallocate64(int file, off_t offset, off_t bytes)
{
    return posix_fallocate(file, offset, bytes);
}

ssize_t send(int file, const void *bytes, size_t length, int flags)
{
    enum turn turn = turn_of(CALL_SEND);

    if (turn == FAILS)
        return -1;
    return syscall(SYS_sendto, file, bytes, turn == IS_SHORT ? half(length) : length, flags, NULL,
                   0);
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags)
{
    enum turn turn = turn_of(CALL_SEND);
    struct msghdr shorter = *message;
    struct iovec first;

    if (turn == FAILS)
        return -1;
    if (turn == IS_SHORT && message->msg_iovlen > 0)
        shorter.msg_iovlen = (size_t)halve(message->msg_iov, (int)message->msg_iovlen, &first);
    if (turn == IS_SHORT && shorter.msg_iovlen == 0) {
        shorter.msg_iov = &first;
        shorter.msg_iovlen = 1;
    }
    return syscall(SYS_sendmsg, file, &shorter, flags);
}

int accept4(int file, struct sockaddr *from, socklen_t *length, int flags)
{
    return fails(CALL_ACCEPT) ? -1 : (int)syscall(SYS_accept4, file, from, length, flags);
}

int accept(int file, struct sockaddr *from, socklen_t *length)
{
    return accept4(file, from, length, 0);
}
