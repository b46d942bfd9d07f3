/* Addresses and options of the simulator's sockets are as Linux has them. */
#include <netinet/tcp.h>

#include "script.h"

/* --- addresses --- */

struct wish {
    const char *address;
    bool reuse_address, reuse_port, listens;
};

/* Binds one after the other to one port; what each says. */
static void bind_all(const struct wish *wishes, size_t count)
{
    int fds[4], port = 0;
    for (size_t i = 0; i < count; i++) {
        fds[i] = new_tcp();
        set(fds[i], SOL_SOCKET, SO_REUSEADDR, wishes[i].reuse_address);
        set(fds[i], SOL_SOCKET, SO_REUSEPORT, wishes[i].reuse_port);
        long bound = say(wishes[i].address, bind_to(fds[i], wishes[i].address, port));
        if (i == 0)
            port = port_of(fds[i]);
        if (wishes[i].listens && bound == 0)
            say("listen", weir__system()->listen(fds[i], 1));
    }
    for (size_t i = 0; i < count; i++)
        say("listen after all", weir__system()->listen(fds[i], 1));
    for (size_t i = 0; i < count; i++)
        done(fds[i]);
}

static void shared_ports(void)
{
    static const struct wish wishes[][3] = {
        {{"127.0.0.1", false, false, false}, {"127.0.0.1", false, false, false}, {"127.0.0.2", false, false, false}},
        {{"127.0.0.1", true, false, false}, {"127.0.0.1", true, false, false}, {"127.0.0.1", false, false, false}},
        {{"127.0.0.1", true, false, true}, {"127.0.0.1", true, false, false}, {"0.0.0.0", true, false, false}},
        {{"0.0.0.0", true, false, true}, {"127.0.0.1", true, false, false}, {"127.0.0.1", false, true, false}},
        {{"127.0.0.1", false, true, true}, {"127.0.0.1", false, true, true}, {"0.0.0.0", false, true, true}},
        {{"127.0.0.1", false, true, true}, {"127.0.0.1", true, false, true}, {"0.0.0.0", true, true, true}},
    };
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        bind_all(wishes[i], 3);
}

/* Connections that were accepted have their listener's port. */
static void port_of_a_connection(void)
{
    int first = new_tcp(), fd = new_tcp();
    set(first, SOL_SOCKET, SO_REUSEADDR, 1);
    bind_to(first, "127.0.0.1", 0);
    weir__system()->listen(first, 1);
    int port = port_of(first);
    connect_to(fd, "127.0.0.1", port);
    int end = accepted(first);
    say("same port", port_of(end) == port);
    done(first);
    for (int reuse = 0; reuse < 2; reuse++) {
        int other = new_tcp();
        set(other, SOL_SOCKET, SO_REUSEADDR, reuse);
        say("bind", bind_to(other, "127.0.0.1", port));
        say("listen", reuse ? weir__system()->listen(other, 1) : 0);
        done(other);
    }
    done(fd);
    done(end);
}

static int new_tcp6(int only6)
{
    int fd = weir__system()->socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("only IPv6", set(fd, IPPROTO_IPV6, IPV6_V6ONLY, only6));
    return fd;
}

static int bind_to6(int fd, const char *text, int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    inet_pton(AF_INET6, text, &address.sin6_addr);
    return weir__system()->bind(fd, (struct sockaddr *)&address, sizeof address);
}

static void say_ends6(int fd)
{
    struct sockaddr_in6 address = {0};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN];
    weir__system()->getsockname(fd, (struct sockaddr *)&address, &size);
    note("own %s (%u)\n", inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text), size);
    weir__system()->getpeername(fd, (struct sockaddr *)&address, &size);
    note("peer %s (%u)\n", inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text), size);
}

static void both_families(void)
{
    int listener = new_tcp6(0), other = new_tcp(), fd = new_tcp();
    say("::", bind_to6(listener, "::", 0));
    int port = port_of(listener);
    say("only IPv6, bound", set(listener, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    say("0.0.0.0 beside", bind_to(other, "0.0.0.0", port));
    say("127.0.0.1 beside", bind_to(other, "127.0.0.1", port));
    say("listen", weir__system()->listen(listener, 1));
    connect_to(fd, "127.0.0.1", port);
    int end = accepted(listener);
    say_ends6(end);
    done(end);
    done(fd);
    done(other);
    done(listener);
    listener = new_tcp6(1), other = new_tcp(), fd = new_tcp();
    say("::", bind_to6(listener, "::", 0));
    port = port_of(listener);
    say("listen", weir__system()->listen(listener, 1));
    connect_to(fd, "127.0.0.1", port);
    say_bits("not for IPv4", fd, POLLHUP);
    say("0.0.0.0 beside", bind_to(other, "0.0.0.0", port));
    say("mapped", bind_to6(listener, "::ffff:127.0.0.1", 0));
    done(fd);
    done(other);
    done(listener);
}

/* The port is chosen when it is known who is to be reached. */
static void port_chosen_later(void)
{
    int listener = listening(), fd = new_tcp();
    say("later", set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
    say("bind", bind_to(fd, "127.0.0.5", 0));
    say("port", port_of(fd));
    connect_to(fd, "127.0.0.1", port_of(listener));
    int end = accepted(listener);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    say("peer", weir__system()->getpeername(end, (struct sockaddr *)&address, &size));
    say("from", (long)(ntohl(address.sin_addr.s_addr) & 0xff));
    say("with a port", port_of(fd) > 0);
    done(end);
    done(fd);
    done(listener);
}

/* --- options --- */

static void options(void)
{
    static const struct {
        const char *text;
        int level, name, value;
    } all[] = {
        {"type", SOL_SOCKET, SO_TYPE, 1},
        {"domain", SOL_SOCKET, SO_DOMAIN, 1},
        {"protocol", SOL_SOCKET, SO_PROTOCOL, 1},
        {"reuse address", SOL_SOCKET, SO_REUSEADDR, 5},
        {"reuse port", SOL_SOCKET, SO_REUSEPORT, 1},
        {"keepalive", SOL_SOCKET, SO_KEEPALIVE, 1},
        {"listens", SOL_SOCKET, SO_ACCEPTCONN, 1},
        {"error", SOL_SOCKET, SO_ERROR, 1},
        {"send buffer", SOL_SOCKET, SO_SNDBUF, 10000},
        {"send buffer", SOL_SOCKET, SO_SNDBUF, 1},
        {"receive buffer", SOL_SOCKET, SO_RCVBUF, 10000},
        {"no delay", IPPROTO_TCP, TCP_NODELAY, 1},
        {"keep idle", IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {"keep idle", IPPROTO_TCP, TCP_KEEPIDLE, 0},
        {"keep count", IPPROTO_TCP, TCP_KEEPCNT, 3},
        {"only IPv6", IPPROTO_IPV6, IPV6_V6ONLY, 1},
        {"later", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1},
    };
    int fd = new_tcp();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].level != IPPROTO_IPV6) /* IPv4's own asks for IPv6's options are answered in more than one way */
            say(all[i].text, set(fd, all[i].level, all[i].name, all[i].value));
        if (all[i].level != IPPROTO_IPV6)
            say(all[i].text, get(fd, all[i].level, all[i].name));
    }
    done(fd);
}

AS_ON_LINUX(shared_ports)
AS_ON_LINUX(port_of_a_connection)
AS_ON_LINUX(both_families)
AS_ON_LINUX(port_chosen_later)
AS_ON_LINUX(options)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_on_linux_shared_ports),  cmocka_unit_test(as_on_linux_port_of_a_connection),
        cmocka_unit_test(as_on_linux_both_families), cmocka_unit_test(as_on_linux_port_chosen_later),
        cmocka_unit_test(as_on_linux_options),
    };
    return cmocka_run_group_tests_name("sim_addresses", tests, NULL, NULL);
}
