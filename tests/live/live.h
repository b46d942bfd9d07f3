/*
 * What the live tests of the library share. They stand where a program stands: public headers, the shared library, real
 * sockets. Each body runs in main and in a fiber on each backend.
 */
#ifndef WEIR_TESTS_LIVE_H
#define WEIR_TESTS_LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/weir.h>

/* cmocka's assertions jump out of the stack that they are on, which only a test's own function may do. */
#define check(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            int check_number = errno;                                                                                  \
            fprintf(stderr, "%s:%d: %s does not hold (errno %d: %s; %s)\n", __FILE__, __LINE__, #condition,            \
                    check_number, strerror(check_number), weir_error()->sentence);                                     \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The error of the call that has just failed. */
#define check_error(expected_number, expected_kind)                                                                    \
    do {                                                                                                               \
        check(errno == (expected_number));                                                                             \
        check(weir_error()->number == (expected_number));                                                              \
        check(weir_error()->kind == (expected_kind));                                                                  \
    } while (0)

#define eventually(condition)                                                                                          \
    do {                                                                                                               \
        bool holds_now;                                                                                                \
        for (int tries = 0; !(holds_now = (condition)) && tries < 20000; tries++)                                      \
            weir_sleep(WEIR_MS(1));                                                                                    \
        check(holds_now); /* the condition is in that line */                                                          \
    } while (0)

/* A point that no test is to reach: what waits for ever fails instead. */
#define SOON weir_deadline(WEIR_S(20))

/* --- where a body runs --- */

typedef void live_body(void);

static inline void run_in_main(void **state)
{
    ((live_body *)*state)();
}

static inline int run_body(void *body)
{
    ((live_body *)body)();
    return 0;
}

static inline void run_in_fiber(void *body, weir_backend backend)
{
    int result = weir_run(run_body, body, WEIR_OPTIONS(weir_loop_options, .backend = backend));
    if (result < 0 && backend == WEIR_BACKEND_URING && (errno == ENOSYS || errno == EPERM))
        skip();
    assert_int_equal(result, 0);
}

static inline void run_on_uring(void **state)
{
    run_in_fiber(*state, WEIR_BACKEND_URING);
}

static inline void run_on_epoll(void **state)
{
    run_in_fiber(*state, WEIR_BACKEND_EPOLL);
}

#define IN_FIBERS(body)                                                                                                \
    {#body " on uring", run_on_uring, NULL, NULL, (void *)(body)},                                                     \
    {                                                                                                                  \
#body " on epoll", run_on_epoll, NULL, NULL, (void *)(body)                                                    \
    }
#define EVERYWHERE(body) {#body " in main", run_in_main, NULL, NULL, (void *)(body)}, IN_FIBERS(body)

/* --- what goes on beside it --- */

enum beside_kind {
    BESIDE_THREAD,
    BESIDE_LOOP,  /* a fiber of a loop in another thread */
    BESIDE_FIBER, /* of the same loop; only where there is one */
    BESIDE_KINDS,
};

struct beside {
    weir_fiber_function *function;
    void *arg;
    pthread_t thread;
    weir_fiber *fiber;
};

static inline void *beside_thread(void *arg)
{
    struct beside *beside = arg;
    beside->function(beside->arg);
    return NULL;
}

static inline void *beside_loop(void *arg)
{
    struct beside *beside = arg;
    weir_run(beside->function, beside->arg, WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_EPOLL));
    return NULL;
}

/* Whether the caller can have that kind beside it. */
static inline bool beside_works(enum beside_kind kind)
{
    return kind != BESIDE_FIBER || weir_self();
}

/* Begins function(arg). end_beside is due. */
static inline void begin_beside(struct beside *beside, enum beside_kind kind, weir_fiber_function *function, void *arg)
{
    *beside = (struct beside){.function = function, .arg = arg};
    if (kind == BESIDE_FIBER)
        check(beside->fiber = weir_spawn(function, arg, NULL));
    else
        check(pthread_create(&beside->thread, NULL, kind == BESIDE_LOOP ? beside_loop : beside_thread, beside) == 0);
}

static inline int join_on_pool(void *thread)
{
    return pthread_join(*(pthread_t *)thread, NULL);
}

/* Waits for its end; other fibers go on meanwhile. */
static inline void end_beside(struct beside *beside)
{
    int result = 0;
    if (beside->fiber)
        check(weir_join(beside->fiber, NULL, SOON) == 0);
    else
        check(weir_offload(join_on_pool, &beside->thread, NULL, &result, WEIR_FOREVER) == 0 && result == 0);
}

/* --- connections --- */

/* Two ends of a TCP connection over loopback. */
static inline void tcp_pair(weir_conn *pair[2])
{
    weir_listener *listener = weir_listen("tcp://127.0.0.1:0", NULL);
    check(listener);
    check(pair[0] = weir_connect(weir_listener_endpoint(listener, 0), NULL));
    check(pair[1] = weir_accept(listener));
    weir_listener_close(listener);
}

static inline void close_pair(weir_conn *pair[2])
{
    weir_close(pair[0]);
    weir_close(pair[1]);
}

/* Sends until nothing more goes, so that the next send waits. Returns how much went. */
static inline size_t fill(weir_conn *conn)
{
    static const char chunk[65536];
    size_t filled = 0;
    int full = 0;
    while (full < 3) {
        ssize_t sent = weir_send_flags(conn, chunk, sizeof chunk, MSG_DONTWAIT);
        if (sent > 0) {
            filled += (size_t)sent;
            full = 0;
            continue;
        }
        check(errno == EAGAIN);
        full++;
        weir_sleep(WEIR_MS(2)); /* what is on its way makes room */
    }
    return filled;
}

/* Receives that much, whatever it is. */
static inline void drain(weir_conn *conn, size_t size)
{
    char chunk[65536];
    while (size) {
        ssize_t received = weir_recv(conn, chunk, size < sizeof chunk ? size : sizeof chunk);
        check(received > 0);
        size -= (size_t)received;
    }
}

/* Whether bytes still go from one end to the other. */
static inline void check_usable(weir_conn *from, weir_conn *to)
{
    char word[8] = "";
    check(weir_send_all(from, "usable", 6) == 0);
    check(weir_read_exactly(to, word, 6) == 0);
    check(memcmp(word, "usable", 6) == 0);
}

/* xorshift64*: bytes that look like no others, the same for the same seed. */
static inline void pattern(char *data, size_t size, uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < size; i++) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        data[i] = (char)(state * UINT64_C(0x2545f4914f6cdd1d) >> 56);
    }
}

#endif
