/* Accepting: limits, cancels, crowds, errors, and a listener that several use. */
#include "listened.h"

#include <netinet/tcp.h>

/* --- accepting --- */

static void a_time_limit_ends_accepting(void)
{
    weir_listener *listener = weir_listen(":0", NULL);
    check(listener);
    weir_listener_set_timeout(listener, WEIR_NOW);
    check(!weir_accept(listener));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->sentence, text("accept tcp://127.0.0.1:%u: timed out", port_at(listener)));
    weir_listener_set_timeout(listener, WEIR_MS(20));
    int64_t begin = weir_now();
    check(!weir_accept(listener));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir_now() - begin >= WEIR_MS(19));
    weir_listener_set_timeout(listener, WEIR_FOREVER);
    serve_one(listener, plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_at(listener))));
    weir_listener_close(listener);
}

/* Cancels until told that it worked: nobody else can know when the other waits. */
static void *keep_cancelling(void *arg)
{
    weir_listener *listener = ((void **)arg)[0];
    atomic_bool *done = ((void **)arg)[1];
    while (!*done) {
        breathe();
        weir_listener_cancel(listener);
    }
    return NULL;
}

static void a_cancel_wakes_who_accepts(void)
{
    weir_listener *listener = weir_listen(":0", NULL);
    atomic_bool done = false;
    void *shared[] = {listener, &done};
    pthread_t other = beside(keep_cancelling, shared);
    for (int round = 0; round < 50; round++) {
        check(!weir_accept(listener));
        check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    }
    done = true;
    join_beside(other);
    serve_one(listener, plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_at(listener))));
    weir_listener_close(listener);
}

static void *keep_accepting(void *arg)
{
    weir_listener *listener = ((void **)arg)[0];
    atomic_bool *done = ((void **)arg)[1];
    while (!*done)
        check(!weir_accept(listener));
    return NULL;
}

static void a_second_acceptor_is_turned_away(void)
{
    weir_listener *listener = weir_listen(":0", NULL);
    atomic_bool done = false;
    void *shared[] = {listener, &done};
    weir_listener_set_timeout(listener, WEIR_MS(5));
    pthread_t other = beside(keep_accepting, shared);
    do {
        weir_sleep(WEIR_MS(1)); /* the other one is to have its turn, under valgrind too */
        check(!weir_accept(listener));
    } while (errno == ETIMEDOUT);
    check_error(EBUSY, WEIR_ERROR_BUSY);
    done = true;
    join_beside(other);
    weir_listener_close(listener);
}

static void *connect_later(void *address)
{
    usleep(10000);
    int fd = plain_connected(SOCK_STREAM, address);
    check(fd >= 0);
    return (void *)(intptr_t)fd;
}

static void clients_of_either_socket_wake_who_accepts(void)
{
    weir_listener *listener = weir_listen(":0", NULL);
    char addresses[2][32];
    snprintf(addresses[0], 32, "127.0.0.1:%u", port_at(listener));
    snprintf(addresses[1], 32, "[::1]:%u", port_at(listener));
    for (int round = 0; round < 20; round++) {
        char *address = addresses[round % (int)weir_listener_count(listener)];
        pthread_t other = beside(connect_later, address);
        weir_conn *conn = weir_accept(listener);
        check(conn);
        join_beside(other);
        weir_close(conn);
    }
    weir_listener_close(listener);
}

static void every_client_of_a_crowd_is_accepted(void)
{
    enum { CROWD = 300 };
    weir_listener *listener = weir_listen(":0", NULL);
    int clients[CROWD];
    for (int i = 0; i < CROWD; i++) {
        bool ipv6 = i % 3 == 0 && has_ipv6();
        clients[i] = plain_connected(SOCK_STREAM, text(ipv6 ? "[::1]:%u" : "127.0.0.1:%u", port_at(listener)));
        check(clients[i] >= 0);
    }
    for (int i = 0; i < CROWD; i++) {
        weir_conn *conn = weir_accept(listener);
        check(conn);
        weir_close(conn);
    }
    weir_listener_set_timeout(listener, WEIR_NOW);
    check(!weir_accept(listener));
    check(errno == ETIMEDOUT);
    for (int i = 0; i < CROWD; i++)
        close(clients[i]);
    weir_listener_close(listener);
}

static int fail_twice;

static int accept_after_two_that_went(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    if (fail_twice-- > 0) {
        errno = ECONNABORTED;
        return -1;
    }
    return accept4(fd, address, length, flags);
}

static int accept_without_descriptors(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    (void)fd, (void)address, (void)length, (void)flags;
    errno = EMFILE;
    return -1;
}

static void clients_that_went_are_passed_over_and_other_errors_are_told(void)
{
    struct weir__system *system = replace_system();
    system->accept4 = accept_after_two_that_went;
    fail_twice = 2;
    weir_listener *listener = weir_listen(":0", NULL);
    serve_one(listener, plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_at(listener))));
    fail_twice = 1 << 30;
    weir_listener_set_timeout(listener, WEIR_NOW);
    check(!weir_accept(listener));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    system->accept4 = accept_without_descriptors;
    check(!weir_accept(listener));
    check_error(EMFILE, WEIR_ERROR_SYSTEM);
    weir_listener_close(listener);
    restore_system();
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    check(getsockopt(fd, level, name, &value, &length) == 0);
    return value;
}

static void what_is_accepted_has_the_options_asked_for(void)
{
    for (int round = 0; round < 2; round++) {
        const weir_listen_options *options =
            WEIR_OPTIONS(weir_listen_options, .socket = {.delay = round, .keepalive = round});
        weir_listener *listener = weir_listen(":0", round ? options : NULL);
        int client = plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_at(listener)));
        weir_conn *conn = weir_accept(listener);
        check(conn);
        check((option_of(weir_fd(conn), IPPROTO_TCP, TCP_NODELAY) != 0) == !round);
        check((option_of(weir_fd(conn), SOL_SOCKET, SO_KEEPALIVE) != 0) == round);
        weir_close(conn);
        close(client);
        weir_listener_close(listener);
    }
}

/* http is to the library what tcp is, but for its name. */
static void connections_tell_their_scheme(void)
{
    weir_listener *listener = weir_listen("http://127.0.0.1:0", NULL);
    check(listener);
    weir_conn *conn = weir_connect(weir_listener_endpoint(listener, 0), NULL);
    weir_conn *accepted = weir_accept(listener);
    check(conn && accepted);
    check(weir_conn_scheme(conn) == WEIR_SCHEME_HTTP && weir_conn_scheme(accepted) == WEIR_SCHEME_HTTP);
    check(weir_send_all(conn, "x", 1) == 0);
    char byte;
    check(weir_recv(accepted, &byte, 1) == 1);
    weir_abort(conn);
    check(weir_recv(accepted, &byte, 1) == -1 && errno == ECONNRESET);
    weir_close(conn);
    weir_close(accepted);
    weir_listener_close(listener);
}

static void what_makes_no_sense_is_refused(void)
{
    static const weir_listen_options sizeless = {.backlog = 5};
    check(!weir_listen("udp://:0", NULL));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_listen("tcp://:99999", NULL));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_listen(":0", &sizeless));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_listen("127.255.255.255.1:0", NULL));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_listen("192.0.2.77:0", NULL));
    check_error(EADDRNOTAVAIL, WEIR_ERROR_LISTEN);
    weir_listener_close(NULL);
}

static void nothing_is_left_open(void)
{
    weir_close(NULL);
    weir_listener_close(weir_listen(":0", NULL)); /* whatever is made once and kept */
    weir_sleep(WEIR_MS(1));
    int before = open_descriptors();
    for (int round = 0; round < 20; round++) {
        weir_listener *listener = weir_listen(":0", NULL);
        weir_listener_set_timeout(listener, WEIR_US(10));
        check(!weir_accept(listener));
        weir_listener_close(listener);
    }
    eventually(open_descriptors() <= before);
}

/* --- a listener that moves from loop to loop --- */

static int accept_here(void *listener)
{
    unsigned port = port_at(listener);
    pthread_t other = beside(connect_later, (void *)(uintptr_t)text("127.0.0.1:%u", port));
    weir_conn *conn = weir_accept(listener);
    check(conn);
    join_beside(other);
    weir_close(conn);
    return 0;
}

static void a_listener_may_be_used_on_one_loop_after_another(void **state)
{
    (void)state;
    weir_listener *listener = weir_listen(":0", NULL);
    for (int round = 0; round < 4; round++) {
        check(weir_run(accept_here, listener, WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_EPOLL)) == 0);
        check(weir_run(accept_here, listener, NULL) == 0);
        check(accept_here(listener) == 0);
    }
    weir_listener_close(listener);
}

/* --- a listener that fibers of two loops take turns at --- */

enum { TURNS = 300 };

static struct {
    weir_listener *listener;
    atomic_int accepted;
} shared;

static int accept_by_turns(void *arg)
{
    (void)arg;
    while (shared.accepted < TURNS) {
        weir_conn *conn = weir_accept(shared.listener);
        if (conn) {
            shared.accepted++;
            weir_close(conn);
        } else {
            check(errno == EBUSY || errno == ETIMEDOUT);
        }
        weir_sleep(WEIR_US(50));
    }
    return 0;
}

static void two_loops_and_a_thread_may_take_turns(void **state)
{
    (void)state;
    shared.listener = weir_listen(":0", NULL);
    shared.accepted = 0;
    weir_listener_set_timeout(shared.listener, WEIR_MS(2));
    struct other others[3];
    start_loop_thread(&others[0], WEIR_BACKEND_AUTO, accept_by_turns, NULL);
    start_loop_thread(&others[1], WEIR_BACKEND_EPOLL, accept_by_turns, NULL);
    start_thread(&others[2], accept_by_turns, NULL);
    int clients[TURNS];
    for (int i = 0; i < TURNS; i++)
        check((clients[i] = plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_at(shared.listener)))) >= 0);
    for (int i = 0; i < 3; i++)
        finish_other(&others[i]);
    check(shared.accepted == TURNS);
    for (int i = 0; i < TURNS; i++)
        close(clients[i]);
    weir_listener_close(shared.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_time_limit_ends_accepting),
        EVERYWHERE(a_cancel_wakes_who_accepts),
        EVERYWHERE(a_second_acceptor_is_turned_away),
        EVERYWHERE(clients_of_either_socket_wake_who_accepts),
        EVERYWHERE(every_client_of_a_crowd_is_accepted),
        EVERYWHERE(clients_that_went_are_passed_over_and_other_errors_are_told),
        EVERYWHERE(what_is_accepted_has_the_options_asked_for),
        EVERYWHERE(connections_tell_their_scheme),
        EVERYWHERE(what_makes_no_sense_is_refused),
        EVERYWHERE(nothing_is_left_open),
        cmocka_unit_test(a_listener_may_be_used_on_one_loop_after_another),
        cmocka_unit_test(two_loops_and_a_thread_may_take_turns),
    };
    return cmocka_run_group_tests_name("listen_accept", tests, NULL, NULL);
}
