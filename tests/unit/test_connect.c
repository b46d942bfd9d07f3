/* Connecting: to whom, from where, and the options. */
#include "dialled.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <weir/datagram.h>

static char folder[] = "/tmp/weir-test-XXXXXX";

/* --- to whom --- */

static void every_way_to_say_it_connects(void)
{
    int listener = plain_listening("127.0.0.1:0", 10);
    unsigned port = port_of(listener);
    static const char *const ways[] = {"tcp://127.0.0.1:%u",    "127.0.0.1:%u", "localhost:%u",
                                       "tcp://a.localhost.:%u", ":%u",          "%u"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char endpoint[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(endpoint, sizeof endpoint, ways[i], port);
#pragma GCC diagnostic pop
        weir_conn *conn = weir_connect(endpoint, NULL);
        check(conn);
        char peer[100];
        check_text(weir_peer_endpoint(conn, peer, sizeof peer), text("tcp://127.0.0.1:%u", port));
        converse(conn, accept(listener, NULL, NULL));
    }
    close(listener);
}

static void localhost_is_tried_in_both_families(void)
{
    if (!has_ipv6())
        return;
    int listener = plain_listening("[::1]:0", 10);
    weir_conn *conn = weir_connect(text("localhost:%u", port_of(listener)), NULL);
    check(conn);
    converse(conn, accept(listener, NULL, NULL));
    conn = weir_connect(text("tcp://[::1]:%u", port_of(listener)), NULL);
    check(conn);
    converse(conn, accept(listener, NULL, NULL));
    close(listener);
}

static void refusal_is_one_sentence(void)
{
    int held = plain_bound(SOCK_STREAM, "127.0.0.1:0"); /* and nobody listens */
    unsigned port = port_of(held);
    check(!weir_connect(text("tcp://localhost:%u", port), NULL));
    check_error(ECONNREFUSED, WEIR_ERROR_CONNECT);
    check_text(weir_error()->sentence, text("connect tcp://localhost:%u: connection refused", port));
    check_text(weir_error()->step, "connect");
    check(weir_error_exit_status(weir_error()) == 1);
    close(held);
}

static void unix_sockets_are_connected(void)
{
    static const char *const types[] = {"", "?type=datagram"};
    for (int i = 0; i < 2; i++) {
        int type = i ? SOCK_DGRAM : SOCK_STREAM;
        const char *path = text("%s/socket", folder);
        int server = plain_bound(type, path);
        if (!i)
            check(listen(server, 5) == 0);
        weir_conn *conn = weir_connect(text("unix:%s%s", path, types[i]), NULL);
        check(conn);
        if (!i) {
            converse(conn, accept(server, NULL, NULL));
        } else {
            char byte, buffer[8] = "";
            weir_address from = {.length = sizeof from.local};
            check(weir_send(conn, "x", 1) == 1);
            check(recvfrom(server, &byte, 1, 0, &from.any, &from.length) == 1);
            check(from.local.sun_path[0] == '\0' && from.length > sizeof(sa_family_t)); /* the system gave it a name */
            check(sendto(server, "answer", 6, 0, &from.any, from.length) == 6);
            check(weir_recv(conn, buffer, sizeof buffer) == 6);
            weir_close(conn);
        }
        close(server);
        check(!weir_connect(text("unix:%s%s", path, types[i]), NULL));
        check_error(ECONNREFUSED, WEIR_ERROR_CONNECT);
        unlink(path);
        check(!weir_connect(text("unix:%s%s", path, types[i]), NULL));
        check_error(ENOENT, WEIR_ERROR_CONNECT);
        check_text(weir_error()->sentence, text("connect unix:%s%s: no such file or directory", path, types[i]));
    }
}

static void *accept_two_later(void *listener)
{
    usleep(30000);
    for (int i = 0; i < 2; i++)
        close(accept((int)(intptr_t)listener, NULL, NULL));
    return NULL;
}

static void a_full_unix_listener_is_waited_for(void)
{
    int listener = plain_listening(own("", "full", ""), 0);
    weir_conn *first = weir_connect(own("unix:", "full", ""), NULL);
    check(first);
    check(!weir_connect(own("unix:", "full", ""), WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(20))));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    pthread_t other = beside(accept_two_later, (void *)(intptr_t)listener);
    weir_conn *second = weir_connect(own("unix:", "full", ""), NULL);
    check(second);
    join_beside(other);
    weir_close(first);
    weir_close(second);
    close(listener);
}

static void udp_has_a_peer(void)
{
    int server = plain_bound(SOCK_DGRAM, "127.0.0.1:0");
    weir_conn *conn = weir_connect(text("udp://localhost:%u", port_of(server)), NULL);
    check(conn);
    weir_address from = {.length = sizeof from.local};
    char buffer[8];
    check(weir_send(conn, "x", 1) == 1);
    check(recvfrom(server, buffer, 8, 0, &from.any, &from.length) == 1);
    check(sendto(server, "yz", 2, 0, &from.any, from.length) == 2);
    check(weir_recv(conn, buffer, sizeof buffer) == 2);
    weir_close(conn);
    close(server);
}

static void nobody_connects_to_himself(void)
{
    /* a connection whose both ends are one port: what the system does when it chooses the port that is asked for */
    const char *address = text("%s:%u", own_loopback(), free_port());
    check(!weir_connect(address, WEIR_OPTIONS(weir_connect_options, .bind = address)));
    check_error(ECONNREFUSED, WEIR_ERROR_CONNECT);
}

/* --- from where --- */

/* Connects from a port that is free, which somebody else may take before we do: from another one then. */
static weir_conn *connect_from(unsigned port, const char *host, unsigned *own)
{
    weir_conn *conn = NULL;
    for (int tries = 0; !conn && tries < 20; tries++) {
        const char *bind = own ? text("%s:%u", host, *own = free_port()) : host;
        conn = weir_connect(text("localhost:%u", port), WEIR_OPTIONS(weir_connect_options, .bind = bind));
        check(conn || (own && errno == EADDRINUSE));
    }
    return conn;
}

static void the_local_address_can_be_chosen(void)
{
    int listener = plain_listening("127.0.0.1:0", 10);
    const struct {
        const char *host, *address;
        bool has_port;
    } cases[] = {{"127.0.0.5", "127.0.0.5", false},
                 {"127.0.0.6", "127.0.0.6", true},
                 {"", "127.0.0.1", true},
                 {"localhost", "127.0.0.1", false}};
    for (int i = 0; i < 4; i++) {
        unsigned own;
        weir_conn *conn = connect_from(port_of(listener), cases[i].host, cases[i].has_port ? &own : NULL);
        const char *expected = cases[i].has_port ? text("%s:%u", cases[i].address, own) : cases[i].address;
        int peer = accept(listener, NULL, NULL);
        weir_address address = {.length = sizeof address.local};
        char from[WEIR_ADDRESS_TEXT];
        check(getpeername(peer, &address.any, &address.length) == 0);
        weir_address_text(&address, from, sizeof from);
        check(strncmp(from, expected, strlen(expected)) == 0);
        converse(conn, peer);
    }
    close(listener);
}

static void an_ipv6_source_is_for_ipv6_alone(void)
{
    if (!has_ipv6())
        return;
    int listener = plain_listening("[::1]:0", 10);
    static const char *const ways[] = {"::1", "[::1]", "[::1]:0"};
    for (int i = 0; i < 3; i++) {
        weir_conn *conn =
            weir_connect(text("localhost:%u", port_of(listener)), WEIR_OPTIONS(weir_connect_options, .bind = ways[i]));
        check(conn);
        converse(conn, accept(listener, NULL, NULL));
    }
    check(!weir_connect(text("127.0.0.1:%u", port_of(listener)), WEIR_OPTIONS(weir_connect_options, .bind = "::1")));
    check_error(EAFNOSUPPORT, WEIR_ERROR_CONNECT);
    close(listener);
}

static void a_bad_source_is_told(void)
{
    check(!weir_connect("127.0.0.1:1", WEIR_OPTIONS(weir_connect_options, .bind = "192.0.2.55")));
    check_error(EADDRNOTAVAIL, WEIR_ERROR_CONNECT);
    check_text(weir_error()->sentence, "bind 192.0.2.55: cannot assign requested address");
    check(!weir_connect("127.0.0.1:1", WEIR_OPTIONS(weir_connect_options, .bind = "127.0.0.300")));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_connect("127.0.0.1:1", WEIR_OPTIONS(weir_connect_options, .bind = "8000")));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_connect("127.0.0.1:1", WEIR_OPTIONS(weir_connect_options, .bind = "")));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_connect("unix:@x", WEIR_OPTIONS(weir_connect_options, .bind = "tcp://:1")));
    check_error(EINVAL, WEIR_ERROR_USAGE);
}

static void a_unix_client_may_have_a_path(void)
{
    const char *client = text("%s/client", folder);
    int server = plain_bound(SOCK_DGRAM, own("", "server", ""));
    weir_conn *conn =
        weir_connect(own("unix:", "server", "?type=datagram"), WEIR_OPTIONS(weir_connect_options, .bind = client));
    check(conn);
    struct stat status;
    check(lstat(client, &status) == 0 && (status.st_mode & 0777) == 0600);
    char byte, name[WEIR_ADDRESS_TEXT];
    weir_address from = {.length = sizeof from.local};
    check(weir_send(conn, "x", 1) == 1);
    check(recvfrom(server, &byte, 1, 0, &from.any, &from.length) == 1);
    check_text(weir_address_text(&from, name, sizeof name), client);
    weir_close(conn);
    check(lstat(client, &status) < 0);
    close(server);
    check(!weir_connect(own("unix:", "server", "?type=datagram"), WEIR_OPTIONS(weir_connect_options, .bind = client)));
    check_error(ECONNREFUSED, WEIR_ERROR_CONNECT);
    check(lstat(client, &status) < 0);
}

/* --- options --- */

/* A listener on ::1 whose port nobody else can have on 127.0.0.1: it is bound there too, without listening. */
static int listening_on_ipv6_alone(int *refusing)
{
    for (int tries = 0; tries < 20; tries++) {
        int listener = plain_listening("[::1]:0", 10);
        *refusing = plain_bound(SOCK_STREAM, text("127.0.0.1:%u", port_of(listener)));
        if (*refusing >= 0)
            return listener;
        close(listener);
    }
    check(false);
    return -1;
}

static void a_family_can_be_asked_for(void)
{
    unsigned port = free_port();
    check(!weir_connect(text("127.0.0.1:%u", port), WEIR_OPTIONS(weir_connect_options, .family = AF_INET6)));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    check(!weir_connect("unix:@x", WEIR_OPTIONS(weir_connect_options, .family = AF_INET6)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_connect(":1", WEIR_OPTIONS(weir_connect_options, .family = AF_UNIX)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    if (!has_ipv6())
        return;
    int refusing, listener = listening_on_ipv6_alone(&refusing);
    weir_conn *conn =
        weir_connect(text(":%u", port_of(listener)), WEIR_OPTIONS(weir_connect_options, .family = AF_INET6));
    check(conn);
    converse(conn, accept(listener, NULL, NULL));
    check(!weir_connect(text(":%u", port_of(listener)), WEIR_OPTIONS(weir_connect_options, .family = AF_INET)));
    check_error(ECONNREFUSED, WEIR_ERROR_CONNECT);
    close(refusing);
    close(listener);
}

static void socket_options_are_set(void)
{
    int listener = plain_listening("127.0.0.1:0", 10), value = 0;
    socklen_t length = sizeof value;
    weir_conn *conn = weir_connect(text(":%u", port_of(listener)), NULL);
    check(getsockopt(weir_fd(conn), IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && value);
    weir_close(conn);
    conn = weir_connect(text(":%u", port_of(listener)),
                        WEIR_OPTIONS(weir_connect_options, .socket = {.delay = true, .keepalive = true}));
    check(getsockopt(weir_fd(conn), IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && !value);
    check(getsockopt(weir_fd(conn), SOL_SOCKET, SO_KEEPALIVE, &value, &length) == 0 && value);
    weir_close(conn);
    close(listener);
}

static void what_makes_no_sense_is_refused(void)
{
    static const weir_connect_options sizeless = {.timeout = 5};
    static const char *const endpoints[] = {"*:80", "localhost:0", "localhost", "", "gopher://a:70"};
    for (int i = 0; i < 5; i++) {
        check(!weir_connect(endpoints[i], NULL));
        check_error(EINVAL, WEIR_ERROR_USAGE);
    }
    check(!weir_connect(":1", &sizeless));
    check_error(EINVAL, WEIR_ERROR_USAGE);
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
        EVERYWHERE(every_way_to_say_it_connects),
        EVERYWHERE(localhost_is_tried_in_both_families),
        EVERYWHERE(refusal_is_one_sentence),
        EVERYWHERE(unix_sockets_are_connected),
        EVERYWHERE(a_full_unix_listener_is_waited_for),
        EVERYWHERE(udp_has_a_peer),
        EVERYWHERE(nobody_connects_to_himself),
        EVERYWHERE(the_local_address_can_be_chosen),
        EVERYWHERE(an_ipv6_source_is_for_ipv6_alone),
        EVERYWHERE(a_bad_source_is_told),
        EVERYWHERE(a_unix_client_may_have_a_path),
        EVERYWHERE(a_family_can_be_asked_for),
        EVERYWHERE(socket_options_are_set),
        EVERYWHERE(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("connect", tests, make_folder, remove_folder);
}
