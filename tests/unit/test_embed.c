/* A loop inside of somebody else's: its descriptor tells when there is work, also to who is asleep in poll(2) already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/weir.h>

enum { PATIENCE = 20000, ROUNDS = 5 };

static weir_loop *new_loop(weir_backend backend)
{
    const char *chosen = getenv("WEIR_BACKEND");
    if (backend == WEIR_BACKEND_URING && chosen && strcmp(chosen, "epoll") == 0)
        skip();
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = backend));
    if (!loop && backend == WEIR_BACKEND_URING)
        skip();
    assert_non_null(loop);
    return loop;
}

/* Receives a byte at a time and sends it back, until the end. */
static int echo(void *arg)
{
    weir_conn *conn = arg;
    char byte;
    int rounds = 0;
    for (; weir_recv(conn, &byte, 1) == 1; rounds++)
        if (weir_send_all(conn, &byte, 1) < 0)
            break;
    weir_close(conn);
    return rounds;
}

/* The other end, in a thread: each byte is sent when the loop's thread has had time to fall asleep. */
static void *talk(void *arg)
{
    int fd = *(int *)arg, rounds = 0;
    char byte = 'x';
    for (; rounds < ROUNDS; rounds++) {
        usleep(20000);
        if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
            break;
    }
    usleep(20000);
    shutdown(fd, SHUT_RDWR);
    return (void *)(intptr_t)rounds;
}

/* Somebody else's loop, which trusts the descriptor and the deadline alone. Returns the fibers that are left at last. */
static int poll_loop(weir_loop *loop)
{
    for (;;) {
        bool at_once = weir_loop_deadline(loop) == WEIR_NOW;
        struct pollfd descriptor = {weir_loop_fd(loop), POLLIN, 0};
        int ready = poll(&descriptor, 1, at_once ? 0 : PATIENCE);
        if (ready == 0 && !at_once)
            return -1;
        int left = weir_loop_once(loop, WEIR_NOW);
        if (left <= 0)
            return left;
    }
}

static void wakes_who_polls(void **state)
{
    weir_loop *loop = new_loop(*(weir_backend *)*state);
    int fds[2], result = -1;
    pthread_t thread;
    void *rounds;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    weir_fiber *fiber = weir_spawn(echo, weir_adopt(fds[0]), NULL);
    assert_non_null(fiber);
    assert_int_equal(pthread_create(&thread, NULL, talk, &fds[1]), 0);
    int left = poll_loop(loop);
    shutdown(fds[1], SHUT_RDWR);
    assert_int_equal(pthread_join(thread, &rounds), 0);
    assert_int_equal(left, 0);
    assert_int_equal((intptr_t)rounds, ROUNDS);
    assert_int_equal(weir_join(fiber, &result, WEIR_NOW), 0);
    assert_int_equal(result, ROUNDS);
    close(fds[1]);
    weir_loop_free(loop);
}

/* What was ready before anybody asked for the descriptor is not missed. */
static void wakes_who_asks_late(void **state)
{
    weir_loop *loop = new_loop(*(weir_backend *)*state);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    weir_fiber *fiber = weir_spawn(echo, weir_adopt(fds[0]), NULL);
    assert_non_null(fiber);
    while (weir_loop_deadline(loop) == WEIR_NOW)
        assert_int_equal(weir_loop_once(loop, WEIR_NOW), 1);
    assert_int_equal(shutdown(fds[1], SHUT_RDWR), 0);
    struct pollfd descriptor = {weir_loop_fd(loop), POLLIN, 0};
    assert_int_equal(poll(&descriptor, 1, PATIENCE), 1);
    assert_int_equal(poll_loop(loop), 0);
    assert_int_equal(weir_join(fiber, NULL, WEIR_NOW), 0);
    close(fds[1]);
    weir_loop_free(loop);
}

static weir_backend uring = WEIR_BACKEND_URING, epoll = WEIR_BACKEND_EPOLL;

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"wakes_who_polls on uring", wakes_who_polls, NULL, NULL, &uring},
        {"wakes_who_polls on epoll", wakes_who_polls, NULL, NULL, &epoll},
        {"wakes_who_asks_late on uring", wakes_who_asks_late, NULL, NULL, &uring},
        {"wakes_who_asks_late on epoll", wakes_who_asks_late, NULL, NULL, &epoll},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
