/* Servers: every model on every backend, from the start to the stop. */
#include "servers.h"

#include <weir/log.h>

enum { SHORT_CLIENTS = 1000 };

static void its_clients_are_served(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = weir_server_new(&options);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "unix:@weir-test-server-%d", (int)getpid());
    check(weir_server_add(server, "tcp://:0", echo, NULL) == 0);
    check(weir_server_add(server, endpoint, echo, NULL) == 0);
    check(weir_server_count(server) == (has_ipv6() ? 3 : 2));
    check(weir_server_endpoint(server, weir_server_count(server)) == NULL);
    check(weir_server_start(server) == 0);
    for (size_t i = 0; i < weir_server_count(server); i++) {
        int fd = plain_connected(SOCK_STREAM, address_in(weir_server_endpoint(server, i)));
        check(fd >= 0);
        check(is_echoed(fd, "hello"));
        check(shutdown(fd, SHUT_WR) == 0);
        check(has_ended(fd));
        close(fd);
    }
    end_server(server);
}

static void short_connections_are_counted(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    uint64_t count = often(SHORT_CLIENTS);
    for (uint64_t i = 0; i < count; i++) {
        int fd = client_of(server);
        check(is_echoed(fd, "x"));
        close(fd);
    }
    weir_server_stop(server, weir_deadline(WEIR_S(20)));
    check(weir_server_wait(server, SOON) == 0);
    weir_counters counters = counters_of(server);
    check(counters.accepted == count);
    check(counters.active == 0);
    check(counters.bytes_in == count && counters.bytes_out == count);
    check(counters.cancelled == 0);
    weir_server_free(server);
}

/* Of which every thread of this program has its own, on its stack. */
static _Thread_local char thread_local[1024 * 1024];

static void user_of_much(weir_conn *conn, void *arg)
{
    memset(thread_local, 'x', sizeof thread_local);
    echo(conn, arg);
}

static void clients_have_threads_where_much_is_thread_local(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", user_of_much, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "served"));
    close(fd);
    end_server(server);
}

/* --- the stop --- */

static void stopper(weir_conn *conn, void *arg)
{
    check(weir_server_self() == *(weir_server **)arg && weir_server_process(weir_server_self()) == 0);
    check(!weir_server_stopping(weir_server_self()));
    weir_server_stop(weir_server_self(), WEIR_FOREVER);
    check(weir_server_stopping(weir_server_self()));
    check(weir_server_wait(*(weir_server **)arg, WEIR_NOW) < 0 && errno == EDEADLK);
    echo(conn, NULL);
}

static void a_handler_stops_its_server(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = NULL;
    server = weir_server_new(&options);
    check(weir_server_add(server, "tcp://127.0.0.1:0", stopper, &server) == 0);
    check(weir_server_start(server) == 0);
    check(weir_server_self() == NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "still served"));
    check(weir_server_wait(server, WEIR_NOW) < 0);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    close(fd);
    check(weir_server_wait(server, SOON) == 0);
    weir_server_free(server);
}

static int wait_in_fiber(void *server)
{
    return weir_server_wait(server, SOON);
}

static void fibers_and_threads_wait_for_it(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    weir_server_stop(server, WEIR_NOW);
    weir_server_stop(server, WEIR_FOREVER);
    /* Not on io_uring: the kernel interrupts the thread of a ring that has ended in what it does next. */
    check(weir_run(wait_in_fiber, server, WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_EPOLL)) == 0);
    check(weir_server_wait(server, WEIR_NOW) == 0);
    check(weir_server_start(server) < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    weir_server_free(server);
}

static void one_that_never_started_can_be_stopped(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = weir_server_new(&options);
    check(weir_server_add(server, "tcp://127.0.0.1:0", echo, NULL) == 0);
    weir_server_stop(server, WEIR_FOREVER);
    check(weir_server_wait(server, WEIR_FOREVER) == 0);
    weir_server_free(server);
    weir_server_free(NULL);
}

/* --- the start --- */

static void it_may_be_freed_while_it_serves(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "x"));
    weir_server_free(server);
    check(has_ended(fd));
    close(fd);
}

static _Atomic int eventfds_left;

static int some_eventfds(unsigned initial, int flags)
{
    if (eventfds_left-- > 0)
        return weir__kernel.eventfd(initial, flags);
    errno = EMFILE;
    return -1;
}

/* The second worker gets no loop: the first must not have served anybody, and a later start is as good as the first. */
static void a_start_that_fails_halfway_leaves_nothing(void **state)
{
    struct weir__system system = weir__kernel;
    weir_server_options options = options_of(state);
    system.eventfd = some_eventfds;
    weir__system_here = &system;
    options.workers = 3;
    weir_server *server = weir_server_new(&options);
    check(weir_server_add(server, "tcp://127.0.0.1:0", echo, NULL) == 0);
    int fd = client_of(server);
    eventfds_left = 1;
    check(weir_server_start(server) < 0);
    check_error(EMFILE, WEIR_ERROR_SYSTEM);
    check(weir_error()->sentence && strstr(weir_error()->sentence, "start test"));
    eventfds_left = 1000;
    check(weir_server_start(server) == 0);
    check(is_echoed(fd, "x"));
    close(fd);
    end_server(server);
    weir__system_here = &weir__kernel;
}

static void what_makes_no_sense_is_refused(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = -1;
    check(weir_server_new(&options) == NULL);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    options.workers = 1;
    weir_server *server = weir_server_new(&options), *second = weir_server_new(&options);
    check(weir_server_add(server, "udp://127.0.0.1:0", echo, NULL) < 0);
    check_error(EPROTOTYPE, WEIR_ERROR_USAGE);
    check(weir_server_add(server, "tcp://127.0.0.1:99999", echo, NULL) < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(weir_server_add(server, "tcp://127.0.0.1:0", echo, NULL) == 0);
    check(weir_server_add(second, weir_server_endpoint(server, 0), echo, NULL) < 0);
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    check(weir_server_start(server) == 0);
    check(weir_server_add(second, weir_server_endpoint(server, 0), echo, NULL) < 0);
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    check(weir_server_add(server, "tcp://127.0.0.1:0", echo, NULL) < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    end_server(server);
    weir_server_free(second);
}

static void it_starts_on_the_same_port_again_and_again(void **state)
{
    weir_server_options options = options_of(state);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", free_port());
    for (size_t i = 0; i < often(30); i++) {
        weir_server *server = server_with(&options, endpoint, echo, NULL);
        int fd = client_of(server);
        check(is_echoed(fd, "x"));
        close(fd);
        end_server(server);
    }
}

/* --- handlers --- */

static _Atomic size_t limit_seen;

static void limit_teller(weir_conn *conn, void *arg)
{
    (void)arg;
    limit_seen = weir_line_limit();
    echo(conn, NULL);
}

static void handlers_know_the_line_limit(void **state)
{
    weir_server_options options = options_of(state);
    options.line_limit = 123;
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", limit_teller, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "x"));
    check(limit_seen == 123);
    check(weir_line_limit() == 65536);
    close(fd);
    end_server(server);
}

int main(void)
{
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    const struct CMUnitTest tests[] = {
        IN_EVERY_MODE(its_clients_are_served),
        IN_EVERY_MODE(short_connections_are_counted),
        WITH_THREADS(clients_have_threads_where_much_is_thread_local),
        IN_EVERY_MODE(a_handler_stops_its_server),
        IN_EVERY_MODE(fibers_and_threads_wait_for_it),
        IN_EVERY_MODE(one_that_never_started_can_be_stopped),
        IN_EVERY_MODE(it_may_be_freed_while_it_serves),
        IN_EVERY_MODE(a_start_that_fails_halfway_leaves_nothing),
        IN_EVERY_MODE(what_makes_no_sense_is_refused),
        IN_EVERY_MODE(it_starts_on_the_same_port_again_and_again),
        IN_EVERY_MODE(handlers_know_the_line_limit),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
