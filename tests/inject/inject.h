/*
 * Every failure in turn: what the injector and its conversations share.
 *
 * A conversation is a function that uses the library as a program does, and checks what it gets. It is run once to number
 * the calls that it makes at every point where something can fail, then again for each call and each way in which that
 * call can fail: once, and from then on. After each run nothing may be left over.
 */
#ifndef WEIR_TESTS_INJECT_H
#define WEIR_TESTS_INJECT_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/weir.h>

/* --- the points where something can fail --- */

enum kind {
    KIND_CALLS,   /* what goes through the system table */
    KIND_BACKEND, /* what a loop asks its backend for */
    KIND_MEMORY,  /* the allocator, threads, mappings, and what the backends set up */
    KINDS,
};

/* clang-format makes steps of such lists. */
/* clang-format off */
#define POINTS_OF_CALLS(P) \
    P(socket) P(socketpair) P(bind) P(listen) P(accept4) P(connect) P(getsockname) P(getpeername) \
    P(getsockopt) P(setsockopt) P(shutdown) P(recv) P(send) P(recvmsg) P(sendmsg) P(recvmmsg) P(sendmmsg) \
    P(sendfile) P(splice) P(resolve) P(close) P(poll) P(read) P(write) P(pread) P(pwrite) P(read_nowait) \
    P(write_nowait) P(write_flags) P(fcntl) P(ioctl) P(eventfd) P(pipe2) P(open) P(fstat) P(lstat) P(unlink) \
    P(chmod) P(fchmod) P(mkdir) P(rmdir) P(mkfifo) P(fdatasync) P(signalfd) P(sigtimedwait) P(pidfd_open) P(clone) P(waitid) P(kill) \
    P(getrlimit) P(setrlimit) P(sigaction) P(fork) P(die_with_parent)
#define POINTS_OF_BACKENDS(P) \
    P(backend_open) P(backend_descriptor) P(backend_watch) P(backend_accept) P(backend_accepting) \
    P(backend_wait)
#define POINTS_OF_MEMORY(P) \
    P(malloc) P(calloc) P(realloc) P(aligned_alloc) P(strdup) P(iconv_open) P(mmap) P(mprotect) P(madvise) \
    P(pthread_create) P(pthread_setspecific) P(epoll_create1) P(epoll_ctl) P(epoll_wait) P(epoll_pwait2) \
    P(io_uring_queue_init_params) P(io_uring_register_ring_fd) P(io_uring_register_eventfd)
/* clang-format on */

#define POINT_NAME(name) POINT_##name,
enum point { POINTS_OF_CALLS(POINT_NAME) POINTS_OF_BACKENDS(POINT_NAME) POINTS_OF_MEMORY(POINT_NAME) POINT_COUNT };
#undef POINT_NAME

/* What may be in place of an errno: a backend that does not fail, but does not behave as expected either. */
enum { FAULT_LATE = -1, FAULT_SPURIOUS = -2, FAULT_CLEARED = -3 };

enum {
    ONCE = 1,     /* from then on would be another machine: who tries again is right */
    HARMLESS = 2, /* the conversation goes on as if nothing had been */
};

struct failure {
    int number; /* an errno, for `resolve` what getaddrinfo returns, or one of the faults above; 0 ends a list */
    int flags;
    int translated; /* what the failed call says instead; 0: the number itself */
};

enum { FAILURES_MOST = 10 };

struct point_row {
    const char *name;
    enum kind kind;
    struct failure failures[FAILURES_MOST + 1];
};

extern const struct point_row points[POINT_COUNT];

/* --- a run --- */

struct plan {
    enum point point;
    unsigned number; /* the first call of the point that fails, from 1; 0: none */
    struct failure failure;
    bool persistent;
};

/* --- strike.c: what of a run its threads and processes share --- */

/* Once, in the process of a conversation; and around each run, which fails as it is planned. */
void make_strikes(void);
void arm(const struct plan *with);
void disarm(void);

/* Counts a call of that point, and says how it is to fail: 0 is not at all. Any thread. */
int strike(enum point point);

/* Of the run: its plan, and how many calls there were. */
const struct plan *plan_here(void);
unsigned calls_at(enum point point);

/* Whether the run's failure is one from then on. */
bool goes_on(void);

/* Whether a failure has been injected since the run began, and one that makes what follows fail or wait. */
bool has_struck(void);
bool has_harmed(void);

/* Whether it was a call of this fiber or thread; true once, to who tells of it. */
bool struck_here(void);

/* What failed fails no more: for what can only go on then. */
void heal(void);

/* How many times faster the clock runs once something was injected that others may wait for in vain. */
enum { SPEED = 500 };

/* The monotonic clock of the run, which no wait of it goes past. It can be put forward. */
int64_t run_clock(void);
void skip_time(int64_t time);
int64_t true_clock(void);

/*
 * fork(2) as the library's, of the conversation's process alone, and so often and no more. The child goes with its parent.
 * How many there were in this run; and an end to those that still run: how many they were.
 */
pid_t fork_in_run(void);
int forks_of_run(void);
int end_forks(void);

/* fork(2) as the conversation's own: no call of that child is counted, or fails. */
pid_t fork_aside(void);

/* Something is wrong: tells what, and in which run. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- the runs of one conversation on one backend, in a process of their own --- */

struct conversation;

/* What that process tells its parent, in memory that both see. */
struct outcome {
    unsigned injections[KINDS];
    unsigned faults[KINDS];
    unsigned calls[KINDS]; /* in which something can fail, of one run */
    enum kind kind;        /* of the run that is under way */
    struct plan plan;
};

/* How much of a long conversation is enough: of the calls at a point the first so many are failed, and as many others. */
struct extent {
    unsigned calls;
    unsigned patience; /* multiplies the watchdog's */
};

/* Runs all injections, or the plan alone if it has a number. */
void run_conversation(const struct conversation *conversation, const struct extent *extent, const struct plan *only,
                      struct outcome *outcome);

/* "recv 3 ECONNRESET once", as the command line takes it. */
void plan_text(const struct plan *plan, char *text, size_t size);
const char *failure_name(enum point point, int number);

/* --- what stands in for the kernel --- */

void install_system(void);
void install_backend(void);

/* Memory that the library has allocated and not freed. */
size_t blocks_alive(void);
void tell_blocks(size_t most);

/* --- conversations --- */

struct conversation {
    const char *name;
    bool (*talk)(void); /* whether all of it succeeded */
    bool in_fiber;      /* in a loop of its own, on the backend; else in the main thread */
    bool once;          /* one backend is enough: it uses none */
    bool forks;         /* which takes AddressSanitizer very long: there it is run only where it is named */
    unsigned calls;     /* of each point, where that is fewer than of others: it is dear; 0: as many */
    int rather;         /* an errno that may be told in place of what was injected: another address's */
};

extern const struct conversation engine_talks[], net_talks[], stream_talks[], server_talks[], os_talks[], base_talks[],
    copy_talks[], family_talks[], text_talks[], tls_talks[], via_talks[];

/* The backend that loops and servers of the conversation are to have. */
extern weir_backend talk_backend;

/* How long anything waits: so long that nothing runs into it unless something was injected. */
#define PATIENCE WEIR_S(30)
#define SOON     weir_deadline(PATIENCE)

/* Starts a thread that goes through the caller's system table. False: it could not be started. */
bool start_with_system(pthread_t *thread, void *(*function)(void *arg), void *arg);

/* A call has failed: whether it says so as it should. Returns false, so that conversations `return failed("connect")`. */
bool failed(const char *call);

/* What is not as it must be even then: wrong bytes, a success that was none. Returns false. */
#define wrong(...) (fault(__VA_ARGS__), false)

#endif
