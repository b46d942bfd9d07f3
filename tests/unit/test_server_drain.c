/* How servers stop: queues are served, clients finish, at the deadline the rest is cut. */
#include "servers.h"

#include <weir/log.h>

/* Whether nobody listens any more. */
static bool refuses(const char *address)
{
    int fd = plain_connected(SOCK_STREAM, address);
    if (fd >= 0)
        close(fd);
    return fd < 0 && errno == ECONNREFUSED;
}

static void clients_finish(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    char address[64];
    snprintf(address, sizeof address, "%s", address_in(weir_server_endpoint(server, 0)));
    int fd = client_of(server);
    check(is_echoed(fd, "before"));
    weir_server_stop(server, WEIR_FOREVER);
    eventually(refuses(address));
    check(is_echoed(fd, "after"));
    check(weir_server_wait(server, WEIR_NOW) < 0);
    close(fd);
    check(weir_server_wait(server, SOON) == 0);
    check(counters_of(server).cancelled == 0);
    weir_server_free(server);
}

static void the_deadline_cuts_them(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "before"));
    weir_server_stop(server, WEIR_FOREVER);
    weir_server_stop(server, weir_deadline(WEIR_MS(20)));
    weir_server_stop(server, weir_deadline(WEIR_S(100)));
    check(weir_server_wait(server, SOON) == 0);
    check(has_ended(fd));
    close(fd);
    weir_counters counters = counters_of(server);
    check(counters.cancelled == 1 && counters.active == 0 && counters.accepted == 1);
    check(counters.errors_other == 0 && counters.errors_reset == 0);
    weir_server_free(server);
}

static _Atomic int failures;

static void sleeper(weir_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    weir_send_all(conn, "x", 1);
    check(weir_sleep(WEIR_S(1000)) < 0);
    failures += errno == ECANCELED;
    check(weir_recv(conn, &byte, 1) < 0);
    failures += errno == ECANCELED;
}

static void whatever_a_handler_waits_for_is_cancelled(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", sleeper, NULL);
    int fd = client_of(server);
    char byte;
    failures = 0;
    check(recv(fd, &byte, 1, 0) == 1);
    weir_server_stop(server, WEIR_NOW);
    check(weir_server_wait(server, SOON) == 0);
    check(failures == 2);
    close(fd);
    weir_server_free(server);
}

/* Its client sends without a pause, so that it hardly ever has to wait. */
static void swallower(weir_conn *conn, void *arg)
{
    char *data;
    (void)arg;
    while (weir_receive(conn, &data) > 0)
        ;
}

static void *flood(void *arg)
{
    static const char zeros[65536];
    while (send(*(int *)arg, zeros, sizeof zeros, MSG_NOSIGNAL) > 0)
        ;
    return NULL;
}

static void who_never_waits_is_cut_off(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", swallower, NULL);
    int fd = client_of(server);
    pthread_t flooder;
    check(pthread_create(&flooder, NULL, flood, &fd) == 0);
    eventually(counters_of(server).bytes_in > 100000);
    weir_server_stop(server, WEIR_NOW);
    check(weir_server_wait(server, SOON) == 0);
    check(pthread_join(flooder, NULL) == 0);
    close(fd);
    weir_server_free(server);
}

/* Hears of nothing but that its connection is gone. */
static void deaf(weir_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    weir_send_all(conn, "x", 1);
    while (weir_recv(conn, &byte, 1) >= 0 || errno != ECONNABORTED)
        usleep(1000);
}

static void who_does_not_hear_of_it_is_cut_off(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", deaf, NULL);
    int fd = client_of(server);
    char byte;
    check(recv(fd, &byte, 1, 0) == 1);
    weir_server_stop(server, WEIR_NOW);
    check(weir_server_wait(server, SOON) == 0);
    check(has_ended(fd));
    check(counters_of(server).cancelled == 1);
    close(fd);
    weir_server_free(server);
}

/* With room for one, four wait in the queue when the server is stopped: they are served all the same. */
static void what_was_queued_is_served(void **state)
{
    weir_server_options options = options_of(state);
    options.max_connections = 1;
    options.workers = 1;
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int clients[5];
    check(is_echoed(clients[0] = client_of(server), "first"));
    for (int i = 1; i < 5; i++)
        clients[i] = client_of(server);
    weir_server_stop(server, WEIR_FOREVER);
    for (int i = 0; i < 5; i++) {
        check(is_echoed(clients[i], "served"));
        close(clients[i]);
    }
    check(weir_server_wait(server, SOON) == 0);
    check(counters_of(server).accepted == 5);
    weir_server_free(server);
}

static void the_queue_is_dropped_at_the_deadline(void **state)
{
    weir_server_options options = options_of(state);
    options.max_connections = 1;
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int first = client_of(server), second;
    check(is_echoed(first, "first"));
    second = client_of(server);
    weir_server_stop(server, weir_deadline(WEIR_MS(20)));
    check(weir_server_wait(server, SOON) == 0);
    check(has_ended(first));
    check(has_ended(second));
    check(counters_of(server).accepted == 1);
    close(first);
    close(second);
    weir_server_free(server);
}

/* Many clients, in the middle of their talk: each byte that was sent comes back, and then the end. */
static void a_busy_server_loses_nothing(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    enum { CLIENTS = 50 };
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_of(server);
    for (int i = 0; i < CLIENTS; i++)
        check(send(clients[i], "under way", 9, 0) == 9);
    weir_server_stop(server, weir_deadline(WEIR_S(20)));
    for (int i = 0; i < CLIENTS; i++) {
        char answer[16];
        check(shutdown(clients[i], SHUT_WR) == 0);
        check(recv(clients[i], answer, sizeof answer, MSG_WAITALL) == 9);
        close(clients[i]);
    }
    check(weir_server_wait(server, SOON) == 0);
    check(counters_of(server).accepted == CLIENTS);
    weir_server_free(server);
}

/* --- what a handler leaves behind --- */

static int sleep_long(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_S(1000));
}

static void spawner(weir_conn *conn, void *arg)
{
    check(weir_spawn(sleep_long, NULL, WEIR_OPTIONS(weir_fiber_options, .detached = true)));
    echo(conn, arg);
}

static void fibers_that_handlers_left_do_not_hold_it_up(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", spawner, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "x"));
    close(fd);
    end_server(server);
}

static void a_unix_sockets_file_goes_with_it(void **state)
{
    weir_server_options options = options_of(state);
    char path[64], endpoint[80];
    snprintf(path, sizeof path, "/tmp/weir-test-drain-%d", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "unix:%s", path);
    options.workers = 2;
    weir_server *server = server_with(&options, endpoint, echo, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "x"));
    weir_server_stop(server, WEIR_FOREVER);
    eventually(access(path, F_OK) < 0);
    check(is_echoed(fd, "still"));
    close(fd);
    end_server(server);
}

int main(void)
{
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    const struct CMUnitTest tests[] = {
        IN_EVERY_MODE(clients_finish),
        IN_EVERY_MODE(the_deadline_cuts_them),
        IN_EVERY_MODE(whatever_a_handler_waits_for_is_cancelled),
        IN_EVERY_MODE(who_never_waits_is_cut_off),
        WITH_THREADS(who_does_not_hear_of_it_is_cut_off),
        IN_EVERY_MODE(what_was_queued_is_served),
        IN_EVERY_MODE(the_queue_is_dropped_at_the_deadline),
        AT_ONCE(a_busy_server_loses_nothing),
        WITH_FIBERS(fibers_that_handlers_left_do_not_hold_it_up),
        IN_EVERY_MODE(a_unix_sockets_file_goes_with_it),
    };
    return cmocka_run_group_tests_name("server_drain", tests, NULL, NULL);
}
