/* Accepting as a server does it: what comes, what stops it, and running out of descriptors. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "engine.h"
#include "engine/loop.h"

enum { MOST = 512 };

/* An acceptor with the connections that it got. */
struct door {
    struct weir__acceptor acceptor;
    struct sockaddr_in address;
    int connections[MOST], count;
    int error, errors;
    int stopped;
    int stop_at; /* stops when so many have come; 0: never */
};

static void on_accepted(struct weir__acceptor *acceptor, int fd_or_error)
{
    struct door *door = (struct door *)acceptor;
    check(!weir_self() && door->stopped == 0);
    if (fd_or_error < 0) {
        door->error = -fd_or_error;
        door->errors++;
        return;
    }
    check(door->count < MOST);
    door->connections[door->count++] = fd_or_error;
    if (door->count == door->stop_at)
        weir__acceptor_stop(acceptor);
}

static void on_stopped(struct weir__acceptor *acceptor)
{
    check(!weir_self());
    ((struct door *)acceptor)->stopped++;
}

static void open_door(struct door *door)
{
    memset(door, 0, sizeof *door);
    socklen_t length = sizeof door->address;
    door->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&door->address, length) == 0 && listen(fd, MOST) == 0);
    check(getsockname(fd, (struct sockaddr *)&door->address, &length) == 0);
    door->acceptor.fd = fd;
    door->acceptor.accepted = on_accepted;
    door->acceptor.stopped = on_stopped;
}

static void shut_door(struct door *door)
{
    close(door->acceptor.fd);
    for (int i = 0; i < door->count; i++)
        close(door->connections[i]);
}

static int knock(const struct door *door)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect(fd, (const struct sockaddr *)&door->address, sizeof door->address) == 0);
    return fd;
}

static void wait_until(const int *count, int wanted)
{
    while (*count < wanted)
        check(weir_sleep(WEIR_US(200)) == 0);
}

static int accepts_all(void *arg)
{
    struct door door;
    static int clients[200];
    (void)arg;
    open_door(&door);
    /* Those that came before it was started too. */
    for (int i = 0; i < 100; i++)
        clients[i] = knock(&door);
    check(weir__acceptor_start(&door.acceptor) == 0);
    wait_until(&door.count, 100);
    for (int i = 100; i < 200; i++) {
        clients[i] = knock(&door);
        if (i % 10 == 0)
            weir_yield();
    }
    wait_until(&door.count, 200);
    for (int i = 0; i < 200; i++) {
        int flags = fcntl(door.connections[i], F_GETFL), descriptor_flags = fcntl(door.connections[i], F_GETFD);
        check((flags & O_NONBLOCK) && (descriptor_flags & FD_CLOEXEC));
    }
    weir__acceptor_stop(&door.acceptor);
    weir__acceptor_stop(&door.acceptor);
    wait_until(&door.stopped, 1);
    weir_sleep(WEIR_MS(1));
    check(door.stopped == 1 && door.errors == 0);
    shut_door(&door);
    for (int i = 0; i < 200; i++)
        close(clients[i]);
    return 0;
}

static void every_client_is_accepted(void **state)
{
    run_on(state, accepts_all, NULL);
}

static int stops_unused(void *arg)
{
    struct door door;
    (void)arg;
    open_door(&door);
    check(weir__acceptor_start(&door.acceptor) == 0);
    weir__acceptor_stop(&door.acceptor);
    wait_until(&door.stopped, 1);
    check(weir__acceptor_start(&door.acceptor) == 0);
    door.stopped = 0;
    weir_sleep(WEIR_MS(1));
    weir__acceptor_stop(&door.acceptor);
    wait_until(&door.stopped, 1);
    shut_door(&door);
    return 0;
}

static void one_without_clients_is_stopped(void **state)
{
    run_on(state, stops_unused, NULL);
}

static int stops_from_within(void *arg)
{
    struct door door;
    int clients[20];
    (void)arg;
    open_door(&door);
    door.stop_at = 5;
    for (int i = 0; i < 20; i++)
        clients[i] = knock(&door);
    check(weir__acceptor_start(&door.acceptor) == 0);
    wait_until(&door.stopped, 1);
    weir_sleep(WEIR_MS(1));
    check(door.stopped == 1 && door.count >= 5);
    shut_door(&door);
    for (int i = 0; i < 20; i++)
        close(clients[i]);
    return 0;
}

static void it_is_stopped_by_its_own_client(void **state)
{
    run_on(state, stops_from_within, NULL);
}

/* --- no descriptor left --- */

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void allow_descriptors(rlim_t count)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int runs_out(void *arg)
{
    struct door door;
    int clients[8];
    rlim_t before = *(rlim_t *)arg;
    open_door(&door);
    for (int i = 0; i < 8; i++)
        clients[i] = knock(&door);
    /* Before it is started: io_uring goes by the limit of the time when it was asked. */
    allow_descriptors((rlim_t)lowest_free() + 4);
    check(weir__acceptor_start(&door.acceptor) == 0);
    wait_until(&door.errors, 1);
    /* It is told once, and accepting rests: no spinning. */
    weir_sleep(WEIR_MS(5));
    check(door.errors == 1 && door.error == EMFILE && door.count == 4);
    allow_descriptors(before);
    /* Those that waited are still there. */
    check(weir__acceptor_start(&door.acceptor) == 0);
    wait_until(&door.count, 8);
    check(door.errors == 1);
    weir__acceptor_stop(&door.acceptor);
    wait_until(&door.stopped, 1);
    shut_door(&door);
    for (int i = 0; i < 8; i++)
        close(clients[i]);
    return 0;
}

static void without_descriptors_it_rests_and_is_started_again(void **state)
{
    struct rlimit limit;
    (void)backend_of(state);
    if (in_valgrind())
        skip(); /* it has limits of its own */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    run_on(state, runs_out, &limit.rlim_cur);
}

static int stops_while_resting(void *arg)
{
    struct door door;
    rlim_t before = *(rlim_t *)arg;
    open_door(&door);
    int client = knock(&door);
    allow_descriptors((rlim_t)lowest_free());
    check(weir__acceptor_start(&door.acceptor) == 0);
    wait_until(&door.errors, 1);
    allow_descriptors(before);
    weir__acceptor_stop(&door.acceptor);
    wait_until(&door.stopped, 1);
    weir_sleep(WEIR_MS(1));
    check(door.stopped == 1 && door.count == 0);
    shut_door(&door);
    close(client);
    return 0;
}

static void one_that_rests_is_stopped(void **state)
{
    struct rlimit limit;
    (void)backend_of(state);
    if (in_valgrind())
        skip(); /* it has limits of its own */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    run_on(state, stops_while_resting, &limit.rlim_cur);
}

/* --- errors of one client --- */

static void errors_of_one_client_pass(void **state)
{
    (void)state;
    assert_true(weir__accept_error_passes(ECONNABORTED));
    assert_true(weir__accept_error_passes(EPROTO));
    assert_true(weir__accept_error_passes(EPERM));
    assert_false(weir__accept_error_passes(EMFILE));
    assert_false(weir__accept_error_passes(ENFILE));
    assert_false(weir__accept_error_passes(ENOMEM));
    assert_false(weir__accept_error_passes(EBADF));
    assert_false(weir__accept_error_passes(EINVAL));
}

static int is_no_listener(void *arg)
{
    struct door door;
    (void)arg;
    open_door(&door);
    close(door.acceptor.fd);
    door.acceptor.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(weir__acceptor_start(&door.acceptor) == 0);
    wait_until(&door.errors, 1);
    check(door.error == EINVAL);
    weir__acceptor_stop(&door.acceptor);
    wait_until(&door.stopped, 1);
    shut_door(&door);
    return 0;
}

static void what_does_not_listen_fails(void **state)
{
    run_on(state, is_no_listener, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(every_client_is_accepted),
        on_each_backend(one_without_clients_is_stopped),
        on_each_backend(it_is_stopped_by_its_own_client),
        on_each_backend(without_descriptors_it_rests_and_is_started_again),
        on_each_backend(one_that_rests_is_stopped),
        cmocka_unit_test(errors_of_one_client_pass),
        on_each_backend(what_does_not_listen_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
