/* Listening: which addresses, whose port, Unix sockets' files; accepting, from all of them, with deadlines and cancels. */
#include "sockets.h"

#include <netinet/tcp.h>
#include <sys/stat.h>

#include "net/listen.h"

static char folder[] = "/tmp/weir-test-XXXXXX";

static const char *path_in_folder(const char *name)
{
    return text("%s/%s", folder, name);
}

static unsigned port_at(weir_listener *listener)
{
    const char *endpoint = weir_listener_endpoint(listener, 0);
    return (unsigned)atoi(strrchr(endpoint, ':') + 1);
}

/* Reads what a client that has connected says, and answers. */
static void serve_one(weir_listener *listener, int client)
{
    char buffer[8] = "";
    check(send(client, "hello", 5, 0) == 5);
    weir_conn *conn = weir_accept(listener);
    check(conn);
    check(weir_recv(conn, buffer, sizeof buffer) == 5);
    check_text(buffer, "hello");
    check(weir_send_all(conn, "world", 5) == 0);
    check(recv(client, buffer, 5, MSG_WAITALL) == 5);
    check(weir_close(conn) == 0);
    close(client);
}

/* --- which addresses --- */

static void without_a_host_both_loopback_addresses_have_one_port(void)
{
    weir_listener *listener = weir_listen(":0", NULL);
    check(listener);
    unsigned port = port_at(listener);
    check(port != 0);
    check(weir_listener_count(listener) == (has_ipv6() ? 2 : 1));
    check_text(weir_listener_endpoint(listener, 0), text("tcp://127.0.0.1:%u", port));
    serve_one(listener, plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port)));
    if (has_ipv6()) {
        check_text(weir_listener_endpoint(listener, 1), text("tcp://[::1]:%u", port));
        serve_one(listener, plain_connected(SOCK_STREAM, text("[::1]:%u", port)));
    }
    check(!weir_listener_endpoint(listener, 2));
    check(plain_connected(SOCK_STREAM, text("127.0.0.2:%u", port)) == -1);
    weir_listener_close(listener);
}

static void localhost_is_both_loopback_addresses(void)
{
    weir_listener *listener = weir_listen("localhost:0", NULL);
    check(listener);
    check(weir_listener_count(listener) == (has_ipv6() ? 2 : 1));
    weir_listener_close(listener);
}

static void a_star_is_every_address(void)
{
    weir_listener *listener = weir_listen("tcp://*:0", NULL);
    check(listener);
    unsigned port = port_at(listener);
    check(weir_listener_count(listener) == 1);
    check_text(weir_listener_endpoint(listener, 0), text("tcp://*:%u", port));
    serve_one(listener, plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port)));
    serve_one(listener, plain_connected(SOCK_STREAM, text("127.0.0.9:%u", port)));
    if (has_ipv6())
        serve_one(listener, plain_connected(SOCK_STREAM, text("[::1]:%u", port)));
    weir_listener_close(listener);
}

static void an_ipv6_address_is_not_ipv4_too(void)
{
    if (!has_ipv6())
        return;
    weir_listener *listener = weir_listen("tcp://[::]:0", NULL);
    check(listener);
    check_text(weir_listener_endpoint(listener, 0), text("tcp://[::]:%u", port_at(listener)));
    check(plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_at(listener))) == -1);
    weir_listener_close(listener);
}

static int no_ipv6(int family, int type, int protocol)
{
    if (family != AF_INET6)
        return socket(family, type, protocol);
    errno = EAFNOSUPPORT;
    return -1;
}

static void without_ipv6_there_is_ipv4(void)
{
    replace_system()->socket = no_ipv6;
    weir_listener *loopback = weir_listen(":0", NULL), *any = weir_listen("*:0", NULL);
    check(loopback && any);
    check(weir_listener_count(loopback) == 1 && weir_listener_count(any) == 1);
    serve_one(any, plain_connected(SOCK_STREAM, text("127.0.0.3:%u", port_at(any))));
    check(!weir_listen("tcp://[2001:db8::1]:0", NULL));
    check_error(EAFNOSUPPORT, WEIR_ERROR_LISTEN);
    weir_listener_close(loopback);
    weir_listener_close(any);
    restore_system();
}

static int squatter = -1;

/* Somebody takes the port of ::1 as soon as the system has chosen it for 127.0.0.1. */
static int bind_and_squat(int fd, const struct sockaddr *address, socklen_t length)
{
    int result = bind(fd, address, length);
    if (squatter < 0 && address->sa_family == AF_INET) {
        squatter = plain_bound(SOCK_STREAM, text("[::1]:%u", port_of(fd)));
        check(squatter < 0 || listen(squatter, 1) == 0); /* unless somebody has it already */
    }
    return result;
}

static void a_port_that_only_one_family_has_is_given_back(void)
{
    if (!has_ipv6())
        return;
    replace_system()->bind = bind_and_squat;
    weir_listener *listener = weir_listen(":0", NULL);
    check(listener);
    check(weir_listener_count(listener) == 2);
    check(squatter < 0 || port_at(listener) != port_of(squatter));
    weir_listener_close(listener);
    if (squatter >= 0)
        close(squatter);
    squatter = -1;
    restore_system();
}

/* --- whose port --- */

static void a_port_somebody_listens_on_is_refused(void)
{
    weir_listener *listener = weir_listen(":0", NULL);
    check(listener);
    unsigned port = port_at(listener);
    check(!weir_listen(text(":%u", port), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    check_text(weir_error()->sentence, text("listen tcp://:%u: address already in use", port));
    check(!weir_listen(text("*:%u", port), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    weir_listener_close(listener);

    listener = weir_listen("*:0", NULL);
    port = port_at(listener);
    check(!weir_listen(text("127.0.0.1:%u", port), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    weir_listener_close(listener);

    int stranger = plain_listening("127.0.0.1:0", 1);
    check(!weir_listen(text(":%u", port_of(stranger)), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    close(stranger);
}

static void a_port_is_free_as_soon_as_its_listener_is_closed(void)
{
    char address[40];
    snprintf(address, sizeof address, "%s:%u", own_loopback(), free_port());
    for (int round = 0; round < 100; round++) {
        weir_listener *listener = weir_listen(address, NULL);
        check(listener);
        weir_listener_set_timeout(listener, WEIR_NOW);
        check(!weir_accept(listener)); /* registers with the backend */
        weir_listener_set_timeout(listener, WEIR_FOREVER);
        int client = plain_connected(SOCK_STREAM, address);
        weir_conn *conn = weir_accept(listener);
        check(conn);
        weir_close(conn); /* first: the connection is left in TIME_WAIT here */
        close(client);
        weir_listener_close(listener);
    }
}

static void siblings_share_and_strangers_do_not(void)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:0", "udp://127.0.0.1:0", "tcp://*:0", "udp://*:0"};
    for (int i = 0; i < 4; i++) {
        weir_endpoint endpoint;
        struct weir__listen_socket first;
        check(weir_parse_endpoint(endpoints[i], NULL, &endpoint) == 0);
        check(weir__listen_sockets(&endpoint, NULL, &first, 1) == 1);
        int sibling = weir__listen_sibling(first.fd, NULL);
        int third = weir__listen_sibling(first.fd, NULL);
        check(sibling >= 0 && third >= 0);
        check(port_of(sibling) == weir_address_port(&first.address));
        endpoint.port = (uint16_t)weir_address_port(&first.address);
        struct weir__listen_socket stranger;
        check(weir__listen_sockets(&endpoint, NULL, &stranger, 1) == -1);
        check(errno == EADDRINUSE);
        int got[3] = {0}, fds[3] = {first.fd, sibling, third};
        for (int round = 0; round < 300; round++) {
            int type = endpoint.datagram ? SOCK_DGRAM : SOCK_STREAM;
            int client = plain_connected(type, text("127.0.0.1:%u", endpoint.port));
            check(client >= 0);
            check(send(client, "x", 1, 0) == 1);
            for (int one = 0; one < 3; one++) {
                char byte;
                int accepted = endpoint.datagram ? -1 : accept(fds[one], NULL, NULL);
                if (accepted >= 0)
                    close(accepted);
                got[one] += accepted >= 0 || (endpoint.datagram && recv(fds[one], &byte, 1, 0) == 1);
            }
            close(client);
        }
        check(got[0] + got[1] + got[2] == 300);
        check(got[0] > 10 && got[1] > 10 && got[2] > 10);
        close(sibling);
        close(third);
        weir__listen_close(&first, 1);
    }
}

/* --- Unix sockets --- */

static mode_t mode_of(const char *path)
{
    struct stat status;
    check(lstat(path, &status) == 0);
    return status.st_mode & 0777;
}

static void a_unix_socket_is_its_owners_alone(void)
{
    mode_t before = umask(0);
    weir_listener *listener = weir_listen(text("unix:%s/mode", folder), NULL);
    check(listener);
    check(mode_of(path_in_folder("mode")) == 0600);
    check_text(weir_listener_endpoint(listener, 0), text("unix:%s/mode", folder));
    serve_one(listener, plain_connected(SOCK_STREAM, path_in_folder("mode")));
    weir_listener_close(listener);
    check(access(path_in_folder("mode"), F_OK) < 0);

    umask(077);
    listener = weir_listen(text("unix:%s/mode", folder), WEIR_OPTIONS(weir_listen_options, .unix_mode = 0666));
    check(listener);
    check(mode_of(path_in_folder("mode")) == 0666);
    weir_listener_close(listener);
    umask(before);
}

static void what_nobody_listens_behind_is_replaced(void)
{
    close(plain_bound(SOCK_STREAM, path_in_folder("stale")));
    check(access(path_in_folder("stale"), F_OK) == 0);
    weir_listener *listener = weir_listen(text("unix:%s/stale", folder), NULL);
    check(listener);
    serve_one(listener, plain_connected(SOCK_STREAM, path_in_folder("stale")));
    weir_listener_close(listener);
}

static void refused_with_address_in_use(const char *name)
{
    struct stat before, after;
    check(lstat(path_in_folder(name), &before) == 0);
    check(!weir_listen(text("unix:%s/%s", folder, name), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    check(lstat(path_in_folder(name), &after) == 0);
    check(before.st_ino == after.st_ino);
}

static void what_somebody_has_is_left_alone(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int bound = plain_bound(types[i], path_in_folder("live")); /* not even listening yet */
        refused_with_address_in_use("live");
        close(bound);
        unlink(path_in_folder("live"));
    }
    weir_listener *listener = weir_listen(text("unix:%s/live", folder), NULL);
    refused_with_address_in_use("live");
    weir_listener_close(listener);

    FILE *file = fopen(path_in_folder("live"), "w");
    fclose(file);
    refused_with_address_in_use("live");
    unlink(path_in_folder("live"));
    check(symlink("nowhere", path_in_folder("live")) == 0);
    refused_with_address_in_use("live");
    unlink(path_in_folder("live"));
    check(!weir_listen(text("unix:%s/no/where", folder), NULL));
    check_error(ENOENT, WEIR_ERROR_LISTEN);
}

static void another_ones_file_is_not_removed(void)
{
    weir_listener *first = weir_listen(text("unix:%s/other", folder), NULL);
    check(first);
    unlink(path_in_folder("other"));
    weir_listener *second = weir_listen(text("unix:%s/other", folder), NULL);
    check(second);
    weir_listener_close(first);
    serve_one(second, plain_connected(SOCK_STREAM, path_in_folder("other")));
    weir_listener_close(second);
    check(access(path_in_folder("other"), F_OK) < 0);
}

static void abstract_names_need_no_file(void)
{
    weir_listener *listener = weir_listen(own("unix:", "listen", ""), NULL);
    check(listener);
    check_text(weir_listener_endpoint(listener, 0), own("unix:", "listen", ""));
    serve_one(listener, plain_connected(SOCK_STREAM, own("", "listen", "")));
    check(!weir_listen(own("unix:", "listen", ""), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    weir_listener_close(listener);
}

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

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(without_a_host_both_loopback_addresses_have_one_port),
        EVERYWHERE(localhost_is_both_loopback_addresses),
        EVERYWHERE(a_star_is_every_address),
        EVERYWHERE(an_ipv6_address_is_not_ipv4_too),
        EVERYWHERE(without_ipv6_there_is_ipv4),
        EVERYWHERE(a_port_that_only_one_family_has_is_given_back),
        EVERYWHERE(a_port_somebody_listens_on_is_refused),
        EVERYWHERE(a_port_is_free_as_soon_as_its_listener_is_closed),
        EVERYWHERE(siblings_share_and_strangers_do_not),
        EVERYWHERE(a_unix_socket_is_its_owners_alone),
        EVERYWHERE(what_nobody_listens_behind_is_replaced),
        EVERYWHERE(what_somebody_has_is_left_alone),
        EVERYWHERE(another_ones_file_is_not_removed),
        EVERYWHERE(abstract_names_need_no_file),
        EVERYWHERE(a_time_limit_ends_accepting),
        EVERYWHERE(a_cancel_wakes_who_accepts),
        EVERYWHERE(a_second_acceptor_is_turned_away),
        EVERYWHERE(clients_of_either_socket_wake_who_accepts),
        EVERYWHERE(every_client_of_a_crowd_is_accepted),
        EVERYWHERE(clients_that_went_are_passed_over_and_other_errors_are_told),
        EVERYWHERE(what_is_accepted_has_the_options_asked_for),
        EVERYWHERE(what_makes_no_sense_is_refused),
        EVERYWHERE(nothing_is_left_open),
        cmocka_unit_test(a_listener_may_be_used_on_one_loop_after_another),
        cmocka_unit_test(two_loops_and_a_thread_may_take_turns),
    };
    return cmocka_run_group_tests_name("listen", tests, make_folder, remove_folder);
}
