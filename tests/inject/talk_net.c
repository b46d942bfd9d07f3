/* Conversations over sockets, both ends in fibers of one loop, or in the main thread. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "talks.h"

/* --- TCP and Unix streams: a listener, one who echoes, one who talks --- */

static int echo_one(void *arg)
{
    weir_conn *conn = arg;
    weir_set_timeout(conn, PATIENCE);
    bool well = echo_all(conn);
    weir_close(conn);
    return well ? 0 : 1;
}

/* Takes one client, and serves it here. */
static int accept_one(void *arg)
{
    weir_conn *conn = weir_accept(arg);
    return conn ? echo_one(conn) : failed("weir_accept") - 1;
}

static bool converse_with(weir_listener *listener, const char *endpoint)
{
    weir_listener_set_timeout(listener, PATIENCE);
    weir_fiber *server = weir_spawn(accept_one, listener, NULL);
    if (!server)
        return failed("weir_spawn");
    bool well = converse(endpoint ? endpoint : weir_listener_endpoint(listener, 0));
    weir_listener_cancel(listener);
    return join(server) && well;
}

static bool listen_and_converse(const char *endpoint, const char *to)
{
    weir_listener *listener = weir_listen(endpoint, NULL);
    if (!listener)
        return failed("weir_listen");
    bool well = converse_with(listener, to);
    weir_listener_close(listener);
    return well;
}

static bool tcp(void)
{
    return listen_and_converse("tcp://127.0.0.1:0", NULL);
}

static bool unix_path(void)
{
    unlink("socket");
    return listen_and_converse("unix:socket", "unix:socket");
}

/* --- in threads, where calls block --- */

static bool tcp_with(weir_listener *listener)
{
    char got[8];
    weir_auto weir_conn *client = connect_to(weir_listener_endpoint(listener, 0));
    if (!client)
        return false;
    weir_listener_set_timeout(listener, PATIENCE);
    weir_auto weir_conn *server = weir_accept(listener);
    if (!server)
        return failed("weir_accept");
    weir_set_timeout(server, PATIENCE);
    weir_set_linger(client, WEIR_MS(100));
    if (!send_text(client, "question") || !end_writing(client) || !read_text(server, "question"))
        return false;
    TRY(weir_send(server, "answer", 6));
    ssize_t length = weir_recv_flags(client, got, 6, MSG_WAITALL);
    TRY(length);
    return length == 6 ? is_text("weir_recv_flags", got, 6, "answer") && read_end(server)
                       : cut_short("weir_recv_flags");
}

static bool tcp_in_thread(void)
{
    weir_listener *listener = weir_listen("tcp://:0", NULL);
    if (!listener)
        return failed("weir_listen");
    bool well = tcp_with(listener);
    weir_listener_close(listener);
    return well;
}

/* --- several addresses --- */

/* Takes the port of ::1 without listening, so that nobody else does. -1 where somebody does already. */
static int hold_port(const char *like)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    address.sin6_port = htons((uint16_t)atoi(strrchr(like, ':') + 1));
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return errno == EADDRNOTAVAIL ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1; /* a machine without ::1 */
}

/* "two.test" is ::1, where nobody listens, and 127.0.0.1. */
static bool eyeballs(void)
{
    char endpoint[64];
    int held = -1;
    weir_listener *listener = NULL;
    for (int tries = 0; held < 0 && tries < 20; tries++) {
        weir_listener_close(listener);
        listener = weir_listen("tcp://127.0.0.1:0", NULL);
        if (!listener)
            return failed("weir_listen");
        held = hold_port(weir_listener_endpoint(listener, 0));
    }
    snprintf(endpoint, sizeof endpoint, "tcp://two.test%s", strrchr(weir_listener_endpoint(listener, 0), ':'));
    bool well = converse_with(listener, endpoint);
    weir_listener_close(listener);
    close(held);
    return well;
}

/* Nobody answers: that is what is said, whatever else goes wrong on the way. */
static bool refused(void)
{
    weir_conn *conn = weir_connect("tcp://localhost:1", WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE,
                                                                     .bind = "127.0.0.1", .family = AF_INET));
    if (conn) {
        weir_close(conn);
        return wrong("port 1 answers");
    }
    return errno == ECONNREFUSED || failed("weir_connect");
}

/* --- listening in several ways --- */

static bool listeners(void)
{
    static const char *const endpoints[] = {"tcp://:0", "tcp://*:0", "tcp://localhost:0", "unix:listening",
                                            "tcp://two.test:0"};
    unlink("listening");
    bool well = true;
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0] && well; i++) {
        weir_listener *listener = weir_listen(
            endpoints[i], WEIR_OPTIONS(weir_listen_options, .socket = {.keepalive = true, .receive_buffer = 8192}));
        well = listener || failed("weir_listen");
        if (listener && (!weir_listener_count(listener) || !weir_listener_endpoint(listener, 0)))
            well = wrong("%s listens on nothing", endpoints[i]);
        weir_listener_close(listener);
    }
    return well;
}

/* --- datagrams --- */

static bool hear_and_answer(weir_conn *bound, weir_conn *client)
{
    static char batch[] = "batch";
    char room[3][16], got[16];
    weir_datagram datagrams[3];
    weir_address from;
    TRY(weir_send(client, "first", 5));
    ssize_t length = weir_recvfrom(bound, got, sizeof got, 0, &from);
    TRY(length);
    if (!is_text("weir_recvfrom", got, (size_t)length, "first"))
        return false;
    TRY(weir_sendto(bound, "second", 6, 0, &from));
    length = weir_recv(client, got, sizeof got);
    TRY(length);
    if (!is_text("weir_recv", got, (size_t)length, "second"))
        return false;
    for (int i = 0; i < 3; i++)
        datagrams[i] = (weir_datagram){.data = batch, .length = 5};
    TRY(weir_send_batch(client, datagrams, 3));
    for (int i = 0; i < 3; i++)
        datagrams[i] = (weir_datagram){.data = room[i], .capacity = sizeof room[i]};
    for (int all = 0, count; all < 3; all += count) {
        TRY(count = weir_recv_batch(bound, datagrams, 3 - all));
        for (int i = 0; i < count; i++)
            if (!is_text("weir_recv_batch", datagrams[i].data, datagrams[i].length, "batch"))
                return false;
    }
    return true;
}

static bool datagrams_on(const char *endpoint, const char *from)
{
    char to[128];
    weir_auto weir_conn *bound = weir_bind(endpoint, NULL);
    if (!bound)
        return failed("weir_bind");
    weir_set_timeout(bound, PATIENCE);
    weir_local_endpoint(bound, to, sizeof to);
    if (strcmp(to, "unconnected") == 0)
        return cut_short("weir_local_endpoint");
    weir_auto weir_conn *client =
        weir_connect(to, WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE, .bind = from));
    if (!client)
        return failed("weir_connect");
    weir_set_timeout(client, PATIENCE);
    return hear_and_answer(bound, client);
}

static bool udp(void)
{
    return datagrams_on("udp://127.0.0.1:0", NULL);
}

static bool unix_datagrams(void)
{
    unlink("datagrams");
    unlink("client");
    return datagrams_on("unix:datagrams?type=datagram", "unix:client?type=datagram");
}

/* --- what can be asked and set, and descriptors that come and go --- */

static bool ask_and_set(weir_conn *a, weir_conn *b)
{
    char text[128];
    weir_address address;
    TRY(weir_set_nodelay(a, false));
    TRY(weir_set_keepalive(a, true));
    TRY(weir_set_buffers(a, 9000, 9000));
    TRY(weir_local_address(a, &address));
    TRY(weir_peer_address(b, &address));
    weir_peer_endpoint(a, text, sizeof text);
    return true;
}

/* A descriptor that could not be given back, or made a connection of, is still whose it was. */
static bool yield_and_adopt(weir_conn *a, weir_conn *b)
{
    (void)b;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    weir_conn *adopted = weir_adopt(pair[0]);
    bool well = adopted || failed("weir_adopt");
    int fd = adopted ? weir_yield_fd(adopted) : -1;
    if (adopted && fd < 0) {
        well = failed("weir_yield_fd");
        weir_close(adopted);
    } else
        close(pair[0]);
    close(pair[1]);
    return well && send_text(a, "still") && read_text(b, "still");
}

static bool with_tcp_pair(weir_listener *listener)
{
    weir_auto weir_conn *client = connect_to(weir_listener_endpoint(listener, 0));
    if (!client)
        return false;
    weir_listener_set_timeout(listener, PATIENCE);
    weir_auto weir_conn *server = weir_accept(listener);
    if (!server)
        return failed("weir_accept");
    weir_set_timeout(server, PATIENCE);
    return ask_and_set(client, server) && yield_and_adopt(client, server);
}

static bool settings(void)
{
    weir_listener *listener = weir_listen("tcp://127.0.0.1:0", NULL);
    if (!listener)
        return failed("weir_listen");
    bool well = with_tcp_pair(listener);
    weir_listener_close(listener);
    return well;
}

const struct conversation net_talks[] = {
    {"tcp", tcp, .in_fiber = true},
    {"tcp_in_thread", tcp_in_thread, .once = true},
    {"unix", unix_path, .in_fiber = true},
    {"eyeballs", eyeballs, .in_fiber = true, .rather = ECONNREFUSED},
    {"refused", refused, .in_fiber = true},
    {"refused_in_thread", refused, .once = true},
    {"listeners", listeners, .in_fiber = true},
    {"udp", udp, .in_fiber = true},
    {"udp_in_thread", udp, .once = true},
    {"unix_datagrams", unix_datagrams, .in_fiber = true},
    {"settings", settings, .in_fiber = true},
    {0},
};
