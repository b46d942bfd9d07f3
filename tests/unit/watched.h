/* A socket pair's end with its watch, for tests: made, read, written, waited for. */
#ifndef WEIR_TESTS_WATCHED_H
#define WEIR_TESTS_WATCHED_H

#include <fcntl.h>
#include <sys/socket.h>

#include "engine.h"
#include "engine/loop.h"

/* A watch as a connection has one, with the pair's other end. */
struct end {
    struct weir__watch watch;
    int peer;
    atomic_int released;
    atomic_bool claimed;
};

static inline void count_release(struct weir__watch *watch)
{
    ((struct end *)watch)->released++;
}

static inline struct end *make_end(void)
{
    struct end *end = calloc(1, sizeof *end);
    int pair[2];
    check(end && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    weir__watch_init(&end->watch, pair[0]);
    end->watch.released = count_release;
    end->peer = pair[1];
    return end;
}

static inline void close_end(struct end *end)
{
    weir__watch_close(&end->watch, true);
}

/* After its loop was freed, or when it was told: the backend lets go of it once. */
static inline void free_end(struct end *end)
{
    check(end->released == 1);
    close(end->peer);
    free(end);
}

static inline int wait_for(struct end *end, int direction, int64_t timeout)
{
    return weir__watch_wait(&end->watch, direction, weir_deadline(timeout), NULL, NULL);
}

/* As a connection receives. */
static inline ssize_t receive(struct end *end, char *data, size_t size, int64_t deadline)
{
    for (;;) {
        if (weir__watch_maybe_ready(&end->watch, WEIR__READABLE)) {
            ssize_t length = recv(end->watch.fd, data, size, 0);
            if (length >= 0) {
                if ((size_t)length < size)
                    weir__watch_drained(&end->watch);
                return length;
            }
            check(errno == EAGAIN);
            weir__watch_clear(&end->watch, WEIR__READABLE);
        }
        if (weir__watch_wait(&end->watch, WEIR__READABLE, deadline, NULL, NULL) < 0)
            return -1;
    }
}

static inline ssize_t send_some(struct end *end, const char *data, size_t size, int64_t deadline)
{
    for (;;) {
        ssize_t length = send(end->watch.fd, data, size, MSG_NOSIGNAL);
        if (length >= 0 || errno != EAGAIN)
            return length;
        weir__watch_clear(&end->watch, WEIR__WRITABLE);
        if (weir__watch_wait(&end->watch, WEIR__WRITABLE, deadline, NULL, NULL) < 0)
            return -1;
    }
}

static inline void say(int fd, const char *text)
{
    check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static inline void fill(int fd)
{
    static const char block[4096];
    while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        ;
    check(errno == EAGAIN);
}

static inline void drain(int fd)
{
    char block[4096];
    while (recv(fd, block, sizeof block, 0) > 0)
        ;
}

static inline void with_end(void **state, weir_fiber_function *function)
{
    (void)backend_of(state);
    struct end *end = make_end();
    run_on(state, function, end);
    free_end(end);
}

/* The peer says no more, before the wait or in the middle of it, and takes what was sent only later. */
static inline int ends_then_drains(void *arg)
{
    struct end *end = arg;
    check(weir_sleep(WEIR_MS(1)) == 0);
    check(shutdown(end->peer, SHUT_WR) == 0);
    check(weir_sleep(WEIR_MS(2)) == 0);
    drain(end->peer);
    return 0;
}

static inline int writes_beyond_the_end(void *arg)
{
    struct end *end = arg;
    for (int i = 0; i < 3; i++) {
        fill(end->watch.fd);
        weir_fiber *reader = weir_spawn(ends_then_drains, end, NULL);
        /* Not again and again meanwhile: the end is told once. */
        int tries = 0;
        while (send(end->watch.fd, "x", 1, MSG_NOSIGNAL) < 0) {
            check(errno == EAGAIN && ++tries < 4);
            weir__watch_clear(&end->watch, WEIR__WRITABLE);
            check(weir__watch_wait(&end->watch, WEIR__WRITABLE, weir_deadline(WEIR_S(20)), NULL, NULL) == 0);
        }
        weir_join(reader, NULL, WEIR_FOREVER);
    }
    return 0;
}

static inline int reads_one(void *arg)
{
    char data[4];
    return receive(arg, data, sizeof data, WEIR_FOREVER) == 1 ? 0 : errno;
}

static inline int writes_one(void *arg)
{
    return send_some(arg, "x", 1, WEIR_FOREVER) == 1 ? 0 : errno;
}

static inline int claims(void *arg)
{
    struct end *end = arg;
    char data;
    check(receive(end, &data, 1, weir_deadline(WEIR_US(100))) == -1);
    end->claimed = true;
    return 0;
}

#endif
