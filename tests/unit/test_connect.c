/* Connecting: to whom, from where, in which order and for how long; that nothing is left of what did not win. */
#include "sockets.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <weir/datagram.h>

static char folder[] = "/tmp/weir-test-XXXXXX";

/* --- a resolver of the test's own --- */

static const char *fake_addresses[40]; /* as weir_parse_address reads them, port 0; NULL-terminated */
static int fake_result;
static atomic_bool fake_hangs;
static atomic_int fakes_running;

static int fake_resolve(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)host, (void)port;
    fakes_running++;
    while (fake_hangs)
        usleep(1000);
    *result = NULL;
    if (fake_result) {
        fakes_running--;
        return fake_result;
    }
    struct addrinfo **end = result;
    for (int i = 0; fake_addresses[i]; i++) {
        weir_address address = address_of(fake_addresses[i]);
        if (hints->ai_family && hints->ai_family != address.any.sa_family)
            continue;
        *end = calloc(1, sizeof **end);
        (*end)->ai_family = address.any.sa_family;
        (*end)->ai_addr = malloc(address.length);
        (*end)->ai_addrlen = address.length;
        memcpy((*end)->ai_addr, &address.any, address.length);
        end = &(*end)->ai_next;
    }
    return 0;
}

static void fake_resolve_free(struct addrinfo *result)
{
    while (result) {
        struct addrinfo *next = result->ai_next;
        free(result->ai_addr);
        free(result);
        result = next;
    }
    fakes_running--;
}

static struct weir__system *resolve_to(const char *const *addresses)
{
    struct weir__system *system = replace_system();
    system->resolve = fake_resolve;
    system->resolve_free = fake_resolve_free;
    fake_result = 0;
    fake_hangs = false;
    memset(fake_addresses, 0, sizeof fake_addresses);
    for (int i = 0; addresses && addresses[i]; i++)
        fake_addresses[i] = addresses[i];
    return system;
}

/* A listener of 127.0.0.x whose queue is full: who connects waits, until somebody makes room. */
struct full {
    int fd, clients[8];
    unsigned port;
};

static void fill(struct full *full, const char *address)
{
    full->fd = plain_listening(address, 0);
    full->port = port_of(full->fd);
    for (int i = 0; i < 8; i++) {
        weir_address to = {.length = sizeof to.local};
        getsockname(full->fd, &to.any, &to.length);
        full->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(full->clients[i], &to.any, to.length);
    }
}

/* Empties it, and returns how many had connected. */
static int drain(struct full *full)
{
    for (int i = 0; i < 8; i++)
        close(full->clients[i]);
    int count = 0, client;
    struct timeval moment = {.tv_usec = 50000};
    setsockopt(full->fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    while ((client = accept(full->fd, NULL, NULL)) >= 0) {
        close(client);
        count++;
    }
    close(full->fd);
    return count;
}

static void converse(weir_conn *conn, int peer)
{
    char buffer[8] = "";
    check(weir_send_all(conn, "hello", 5) == 0);
    check(recv(peer, buffer, 5, MSG_WAITALL) == 5);
    check_text(buffer, "hello");
    check(send(peer, "world", 5, 0) == 5);
    check(weir_recv(conn, buffer, sizeof buffer) == 5);
    check_text(buffer, "world");
    close(peer);
    check(weir_close(conn) == 0);
}

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

/* --- resolving --- */

static void the_resolvers_words_are_told(void)
{
    resolve_to(NULL);
    fake_result = EAI_NONAME;
    check(!weir_connect("tcp://nosuch.example:80", NULL));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    check_text(weir_error()->sentence, "resolve tcp://nosuch.example:80: name or service not known");
    fake_result = EAI_AGAIN;
    check(!weir_connect("nosuch.example:80", NULL));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    check_text(weir_error()->reason, "temporary failure in name resolution");
    fake_result = EAI_MEMORY;
    check(!weir_connect("nosuch.example:80", NULL));
    check_error(ENOMEM, WEIR_ERROR_MEMORY);
    fake_result = 0; /* no address at all */
    check(!weir_connect("nosuch.example:80", NULL));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    restore_system();
}

static void a_slow_resolver_is_left_at_the_deadline(void)
{
    resolve_to(NULL);
    fake_hangs = true;
    check(!weir_connect("slow.example:80", WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(20))));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->sentence, "resolve tcp://slow.example:80: timed out");
    check(fakes_running == 1);
    fake_hangs = false;
    eventually(fakes_running == 0);
    restore_system();
}

/* --- several addresses --- */

static void the_next_is_tried_when_one_does_not_answer(void)
{
    struct full full;
    fill(&full, "127.0.0.2:0");
    const char *other = own_loopback();
    int listener = plain_listening(text("%s:%u", other, full.port), 5);
    resolve_to((const char *const[]){"127.0.0.2:0", text("%s:0", other), NULL});
    int before = open_descriptors();
    int64_t begin = weir_now();
    weir_conn *conn = weir_connect(text("two.example:%u", full.port), NULL);
    check(conn);
    check(weir_now() - begin >= WEIR_MS(249)); /* RFC 8305's step */
    char peer[100];
    check_text(weir_peer_endpoint(conn, peer, sizeof peer), text("tcp://%s:%u", other, full.port));
    converse(conn, accept(listener, NULL, NULL));
    eventually(open_descriptors() <= before + (weir_self() ? 0 : 1)); /* a thread's own, made at its first wait */
    check(drain(&full) <= 8);                                         /* ours was given up, it does not connect late */
    close(listener);
    restore_system();
}

static void the_next_is_tried_at_once_when_one_refuses(void)
{
    int listener = plain_listening("127.0.0.9:0", 5);
    resolve_to((const char *const[]){"127.0.0.2:0", "[::1]:0", "127.0.0.3:0", "127.0.0.4:0", "127.0.0.5:0",
                                     "127.0.0.6:0", "127.0.0.9:0", NULL});
    int64_t begin = weir_now();
    weir_conn *conn = weir_connect(text("seven.example:%u", port_of(listener)), NULL);
    check(conn);
    check(weir_now() - begin < WEIR_MS(1400)); /* six times the step would be 1,500 */
    converse(conn, accept(listener, NULL, NULL));
    close(listener);
    restore_system();
}

static char asked[400];
static int refusal;

static int record_and_refuse(int fd, const struct sockaddr *address, socklen_t length)
{
    weir_address copy = {.length = length};
    char name[WEIR_ADDRESS_TEXT];
    (void)fd;
    memcpy(&copy.any, address, length);
    strcat(strcat(asked, weir_address_text(&copy, name, sizeof name)), " ");
    errno = copy.any.sa_family == AF_INET6 ? ENETUNREACH : refusal;
    return -1;
}

static void families_take_turns(void)
{
    struct weir__system *system =
        resolve_to((const char *const[]){"[2001:db8::1]:0", "[2001:db8::2]:0", "[2001:db8::3]:0", "192.0.2.1:0",
                                         "192.0.2.2:0", "192.0.2.1:0", "192.0.2.3:0", "192.0.2.4:0", NULL});
    system->connect = record_and_refuse;
    refusal = ECONNREFUSED;
    asked[0] = '\0';
    check(!weir_connect("many.example:9", NULL));
    check_error(ECONNREFUSED, WEIR_ERROR_CONNECT); /* that tells more than that IPv6 goes nowhere */
    check_text(asked, "[2001:db8::1]:9 192.0.2.1:9 [2001:db8::2]:9 192.0.2.2:9 [2001:db8::3]:9 192.0.2.3:9 "
                      "192.0.2.4:9 ");
    asked[0] = '\0';
    refusal = EHOSTUNREACH;
    check(!weir_connect("many.example:9", WEIR_OPTIONS(weir_connect_options, .family = AF_INET)));
    check_error(EHOSTUNREACH, WEIR_ERROR_CONNECT);
    check_text(asked, "192.0.2.1:9 192.0.2.2:9 192.0.2.3:9 192.0.2.4:9 ");
    restore_system();
}

static void nobody_answering_is_a_time_out(void)
{
    struct full full;
    fill(&full, "127.0.0.2:0");
    resolve_to((const char *const[]){"127.0.0.2:0", NULL});
    for (int round = 0; round < 3; round++) {
        int64_t begin = weir_now();
        check(!weir_connect(text("one.example:%u", full.port),
                            WEIR_OPTIONS(weir_connect_options, .timeout = round == 2 ? WEIR_NOW : WEIR_MS(30))));
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
        check(weir_error_exit_status(weir_error()) == 3);
        check(weir_now() - begin >= (round == 2 ? 0 : WEIR_MS(29)));
    }
    drain(&full);
    restore_system();
}

static void nothing_is_left_open(void)
{
    int listener = plain_listening("127.0.0.1:0", 100);
    struct full full;
    fill(&full, "127.0.0.2:0");
    weir_sleep(WEIR_MS(1));
    weir_connect(text("127.0.0.2:%u", full.port), WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_US(10)));
    int before = open_descriptors();
    for (int round = 0; round < 20; round++) {
        weir_conn *conn = weir_connect(text(":%u", port_of(listener)), NULL);
        check(conn);
        weir_close(conn);
        check(
            !weir_connect(text("127.0.0.2:%u", full.port), WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(1))));
        check(!weir_connect("127.0.0.1:1", NULL));
        check(!weir_connect(own("unix:", "nobody", ""), NULL));
    }
    eventually(open_descriptors() <= before);
    drain(&full);
    close(listener);
}

/* --- fibers alone --- */

static int connect_and_be_cancelled(void *endpoint)
{
    check(!weir_connect(endpoint, NULL));
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    return 7;
}

static void cancel_while_connecting_to(const char *endpoint)
{
    weir_fiber *fiber = weir_spawn(connect_and_be_cancelled, (void *)(uintptr_t)endpoint, NULL);
    check(fiber);
    weir_sleep(WEIR_MS(20));
    weir_cancel_fiber(fiber);
    int result;
    check(weir_join(fiber, &result, SOON) == 0);
    check(result == 7);
}

static void a_cancelled_fiber_stops_connecting(void)
{
    struct full full;
    fill(&full, "127.0.0.2:0");
    resolve_to((const char *const[]){"127.0.0.2:0", "127.0.0.2:0", NULL});
    int before = open_descriptors();
    cancel_while_connecting_to(text("127.0.0.2:%u", full.port));
    cancel_while_connecting_to(text("two.example:%u", full.port));
    eventually(open_descriptors() <= before);
    drain(&full);

    fake_hangs = true;
    cancel_while_connecting_to("slow.example:80");
    fake_hangs = false;
    eventually(fakes_running == 0);

    int listener = plain_listening(own("", "full", ""), 0);
    int client = plain_connected(SOCK_STREAM, own("", "full", ""));
    cancel_while_connecting_to(own("unix:", "full", ""));
    close(client);
    close(listener);
    restore_system();
}

static struct full crowded;

static int connect_for_a_while(void *arg)
{
    (void)arg;
    weir_conn *conn = weir_connect(text("127.0.0.2:%u", crowded.port), NULL);
    check(!conn);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    return 0;
}

static void *cancel_all(void *arg)
{
    weir_fiber **fibers = arg;
    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0)
            breathe();
        weir_cancel_fiber(fibers[i]);
    }
    return NULL;
}

/* Cancels come from another thread, at every moment of connecting. */
static void cancels_come_at_any_moment(void)
{
    weir_fiber *fibers[100];
    fill(&crowded, "127.0.0.2:0");
    for (int i = 0; i < 100; i++)
        check((fibers[i] = weir_spawn(connect_for_a_while, NULL, NULL)));
    pthread_t other = beside(cancel_all, fibers);
    for (int i = 0; i < 100; i++)
        check(weir_join(fibers[i], NULL, SOON) == 0);
    join_beside(other);
    drain(&crowded);
}

static int connect_once(void *endpoint)
{
    weir_conn *conn = weir_connect(endpoint, NULL);
    check(conn);
    weir_close(conn);
    return 0;
}

static void many_fibers_connect_at_once(void)
{
    enum { MANY = 200 };
    weir_fiber *fibers[MANY];
    int listener = plain_listening("127.0.0.1:0", MANY);
    const char *endpoint = text(":%u", port_of(listener));
    for (int i = 0; i < MANY; i++)
        check((fibers[i] = weir_spawn(connect_once, (void *)(uintptr_t)endpoint, NULL)));
    for (int i = 0; i < MANY; i++)
        check(weir_join(fibers[i], NULL, SOON) == 0);
    close(listener);
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

/* --- the addresses alone --- */

static void check_addresses(const char *endpoint, int family, const char *const *expected)
{
    weir_address addresses[4];
    int count = weir_resolve(endpoint, family, addresses, 4, SOON);
    for (int i = 0; expected[i]; i++) {
        char name[WEIR_ADDRESS_TEXT];
        check(i < count);
        check_text(weir_address_text(&addresses[i], name, sizeof name), expected[i]);
    }
}

static void the_addresses_of_an_endpoint_can_be_asked_for(void)
{
    static const char *const fakes[] = {"[2001:db8::1]:0", "192.0.2.1:0", "192.0.2.2:0", NULL};
    weir_address one;
    resolve_to(fakes);
    check_addresses("somewhere:80", 0, (const char *[]){"[2001:db8::1]:80", "192.0.2.1:80", "192.0.2.2:80", NULL});
    check_addresses("somewhere:80", AF_INET, (const char *[]){"192.0.2.1:80", "192.0.2.2:80", NULL});
    check_addresses("udp://127.0.0.9:5", 0, (const char *[]){"127.0.0.9:5", NULL});
    check_addresses("localhost:5", 0, (const char *[]){"127.0.0.1:5", "[::1]:5", NULL});
    check_addresses("unix:/run/a", 0, (const char *[]){"/run/a", NULL});
    check(weir_resolve("somewhere:80", 0, &one, 1, SOON) == 3); /* more than there is room for */
    check(weir_resolve("somewhere", 0, &one, 1, SOON) == -1 && errno == EINVAL);
    check(weir_resolve("*:80", 0, &one, 1, SOON) == -1 && errno == EINVAL);
    fake_result = EAI_NONAME;
    check(weir_resolve("nowhere:80", 0, &one, 1, SOON) == -1);
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    restore_system();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(the_addresses_of_an_endpoint_can_be_asked_for),
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
        EVERYWHERE(the_resolvers_words_are_told),
        EVERYWHERE(a_slow_resolver_is_left_at_the_deadline),
        EVERYWHERE(the_next_is_tried_when_one_does_not_answer),
        EVERYWHERE(the_next_is_tried_at_once_when_one_refuses),
        EVERYWHERE(families_take_turns),
        EVERYWHERE(nobody_answering_is_a_time_out),
        EVERYWHERE(nothing_is_left_open),
        IN_FIBERS(a_cancelled_fiber_stops_connecting),
        IN_FIBERS(cancels_come_at_any_moment),
        IN_FIBERS(many_fibers_connect_at_once),
    };
    return cmocka_run_group_tests_name("connect", tests, make_folder, remove_folder);
}
