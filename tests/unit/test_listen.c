/* Listening: which addresses, whose ports, and Unix sockets' files. */
#include "listened.h"

#include <sys/stat.h>

static char folder[] = "/tmp/weir-test-XXXXXX";

static const char *path_in_folder(const char *name)
{
    return text("%s/%s", folder, name);
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
    };
    return cmocka_run_group_tests_name("listen", tests, make_folder, remove_folder);
}
