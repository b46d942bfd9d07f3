/* Streams in the simulator say what Linux's say: how they end, break, fill and are refused. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "script.h"

static char path[64];

/* --- both kinds --- */

static void unix_ends(int ends[2])
{
    say("socketpair", weir__system()->socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
}

static void no_linger(int fd)
{
    struct linger linger = {.l_onoff = 1};
    say("linger", weir__system()->setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

/* --- tcp --- */

static void a_fresh_socket(void)
{
    int fd = new_tcp();
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    say_bits("fresh", fd, 0);
    say("recv", take(fd, 1, 0));
    say("send", put(fd, "a", 1));
    say("shutdown", weir__system()->shutdown(fd, SHUT_RDWR));
    say("peer", weir__system()->getpeername(fd, (struct sockaddr *)&address, &size));
    say("accept", weir__system()->accept4(fd, NULL, NULL, 0));
    say("bind", bind_to(fd, "192.0.2.1", 0));
    say("bind", bind_to(fd, "127.0.0.1", 0));
    say("bind again", bind_to(fd, "127.0.0.1", 0));
    done(fd);
}

static void refused(void)
{
    int gone = listening(), port = port_of(gone), fd = new_tcp();
    done(gone);
    say("connect", connect_to(fd, "127.0.0.1", port));
    say_bits("refused", fd, POLLHUP);
    say("connect", connect_to(fd, "127.0.0.1", port));
    say_bits("told", fd, 0);
    done(fd);
    fd = new_tcp();
    say("connect", connect_to(fd, "127.0.0.1", port));
    say_bits("refused", fd, POLLHUP);
    say("error", get(fd, SOL_SOCKET, SO_ERROR));
    say("error", get(fd, SOL_SOCKET, SO_ERROR));
    say_bits("told", fd, 0);
    say("recv", take(fd, 1, 0));
    say("send", put(fd, "a", 1));
    say("connect", connect_to(fd, "127.0.0.1", port));
    done(fd);
}

static void ends_of_each_side(int ends[2])
{
    say_bits("idle", ends[0], POLLOUT);
    say("recv", take(ends[0], 1, 0));
    say("send", put(ends[0], "hello", 5));
    say_bits("hello", ends[1], POLLIN);
    say("peek", take(ends[1], 2, MSG_PEEK));
    say("peek at all", take(ends[1], 30, MSG_PEEK | MSG_WAITALL));
    say("peek at two of all", take(ends[1], 2, MSG_PEEK | MSG_WAITALL));
    say("recv", take(ends[1], 3, 0));
    say("all", take(ends[1], 30, MSG_WAITALL));
    say("peek at all of nothing", take(ends[1], 30, MSG_PEEK | MSG_WAITALL));
    say("shutdown", weir__system()->shutdown(ends[0], SHUT_WR));
    say("send", put(ends[0], "a", 1));
    say_bits("peer's end", ends[1], POLLRDHUP);
    say("peek at all behind the end", take(ends[1], 30, MSG_PEEK | MSG_WAITALL));
    say("recv", take(ends[1], 1, 0));
    say("recv", take(ends[1], 1, 0));
    say("send", put(ends[1], "still", 5));
    say_bits("still", ends[0], POLLIN);
    say("recv", take(ends[0], 10, 0));
    say("shutdown", weir__system()->shutdown(ends[1], SHUT_WR));
    say_bits("both ended", ends[0], POLLHUP);
    say_bits("both ended", ends[1], POLLHUP);
    say("recv", take(ends[0], 10, 0));
    done(ends[0]);
    done(ends[1]);
}

static void tcp_ends_of_each_side(void)
{
    int ends[2];
    tcp_ends(ends);
    ends_of_each_side(ends);
}

static void told_of_a_reset(int fd)
{
    say_bits("reset", fd, POLLERR);
    say("recv", take(fd, 10, 0));
    say("recv", take(fd, 10, 0));
    say("recv", take(fd, 10, 0));
    say("send", put(fd, "a", 1));
    say_bits("told", fd, 0);
}

static void resets(void)
{
    int ends[2];
    tcp_ends(ends);
    say("send", put(ends[0], "kept", 4));
    say_bits("kept", ends[1], POLLIN);
    no_linger(ends[0]);
    done(ends[0]);
    told_of_a_reset(ends[1]);
    done(ends[1]);
    tcp_ends(ends);
    say("send", put(ends[1], "unread", 6));
    say_bits("unread", ends[0], POLLIN);
    done(ends[0]);
    say_bits("reset", ends[1], POLLERR);
    say("send", put(ends[1], "a", 1));
    say("send", put(ends[1], "a", 1));
    say("recv", take(ends[1], 1, 0));
    done(ends[1]);
}

/* Who sends to an end that was closed in peace is told by a reset. */
static void sent_to_a_closed_end(void)
{
    int ends[2];
    tcp_ends(ends);
    done(ends[0]);
    say_bits("closed", ends[1], POLLRDHUP);
    say("send", put(ends[1], "a", 1));
    say_bits("reset", ends[1], POLLERR);
    say("recv", take(ends[1], 1, 0));
    say("send", put(ends[1], "a", 1));
    done(ends[1]);
}

static void disconnected(void)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int ends[2];
    tcp_ends(ends);
    say("send", put(ends[0], "kept", 4));
    say_bits("kept", ends[1], POLLIN);
    say("disconnect", weir__system()->connect(ends[0], &nobody, sizeof nobody));
    say_bits("disconnected", ends[0], 0);
    say("recv", take(ends[0], 1, 0));
    say("recv", take(ends[0], 1, 0));
    say("send", put(ends[0], "a", 1));
    told_of_a_reset(ends[1]);
    done(ends[0]);
    done(ends[1]);
}

static void listeners(void)
{
    int listener = listening(), port = port_of(listener), fd = new_tcp();
    say_bits("idle", listener, 0);
    say("accept", weir__system()->accept4(listener, NULL, NULL, 0));
    say("listens", get(listener, SOL_SOCKET, SO_ACCEPTCONN));
    connect_to(fd, "127.0.0.1", port);
    say_bits("asked", listener, POLLIN);
    say_bits("connected", fd, POLLOUT);
    say("send", put(fd, "a", 1));
    say("shutdown", weir__system()->shutdown(listener, SHUT_RDWR));
    say_bits("shut", listener, POLLHUP);
    say("accept", weir__system()->accept4(listener, NULL, NULL, 0));
    told_of_a_reset(fd);
    done(fd);
    fd = new_tcp();
    connect_to(fd, "127.0.0.1", port);
    say_bits("refused", fd, POLLHUP);
    say("error", get(fd, SOL_SOCKET, SO_ERROR));
    done(fd);
    done(listener);
}

static void reset_in_the_queue(void)
{
    int listener = listening(), fd = new_tcp();
    connect_to(fd, "127.0.0.1", port_of(listener));
    say_bits("asked", listener, POLLIN);
    done(listener);
    told_of_a_reset(fd);
    done(fd);
}

/* As much as fits, then what is left once a reader has made room. */
static void back_pressure(int ends[2])
{
    static const char zeros[65536];
    size_t sent = 0, received = 0;
    for (int full = 0; full < 5; weir_sleep(WEIR_MS(1))) {
        ssize_t more = put(ends[0], zeros, sizeof zeros);
        sent += more > 0 ? (size_t)more : 0;
        full = more > 0 ? 0 : full + 1;
    }
    say("send", put(ends[0], zeros, 1));
    say_bits("full", ends[0], 0);
    for (int tries = 0; received < sent && tries < 20000; tries++) {
        ssize_t more = take(ends[1], sizeof zeros, 0);
        if (more > 0)
            received += (size_t)more;
        else
            weir_sleep(WEIR_MS(1));
    }
    say("left", (long)(sent - received));
    say_bits("room", ends[0], POLLOUT);
    done(ends[0]);
    done(ends[1]);
}

static void tcp_back_pressure(void)
{
    int ends[2];
    tcp_ends(ends);
    back_pressure(ends);
}

static void counts(int ends[2])
{
    int count = -1;
    say("send", put(ends[0], "12345", 5));
    say_bits("sent", ends[1], POLLIN);
    say("ioctl", weir__system()->ioctl(ends[1], FIONREAD, &count));
    say("to be read", count);
    for (int tries = 0; count != 0 && tries < 5000; tries++) {
        take(ends[1], 5, 0);
        weir_sleep(WEIR_MS(1));
        weir__system()->ioctl(ends[0], TIOCOUTQ, &count);
    }
    say("unacknowledged", count);
    done(ends[0]);
    done(ends[1]);
}

static void tcp_counts(void)
{
    int ends[2];
    tcp_ends(ends);
    counts(ends);
}

/* Two of the same ends to the same other end there cannot be. */
static void the_same_two_ends(void)
{
    int listener = listening(), port = port_of(listener), first = new_tcp(), second = new_tcp();
    set(first, SOL_SOCKET, SO_REUSEADDR, 1);
    set(second, SOL_SOCKET, SO_REUSEADDR, 1);
    say("bind", bind_to(first, "127.0.0.1", 0));
    say("bind to the same", bind_to(second, "127.0.0.1", port_of(first)));
    connect_to(first, "127.0.0.1", port);
    int end = accepted(listener);
    say("connected", connect_to(first, "127.0.0.1", port));
    say("the same again", connect_to(second, "127.0.0.1", port));
    done(first);
    done(second);
    done(end);
    done(listener);
}

/* --- Unix sockets --- */

static void unix_ends_of_each_side(void)
{
    int ends[2];
    unix_ends(ends);
    ends_of_each_side(ends);
}

static void unix_back_pressure(void)
{
    int ends[2];
    unix_ends(ends);
    back_pressure(ends);
}

static void unix_counts(void)
{
    int ends[2];
    unix_ends(ends);
    counts(ends);
}

static void unix_closes(void)
{
    int ends[2];
    unix_ends(ends);
    say("send", put(ends[0], "kept", 4));
    say("send", put(ends[1], "unread", 6));
    done(ends[0]);
    told_of_a_reset(ends[1]);
    done(ends[1]);
    unix_ends(ends);
    say("send", put(ends[0], "kept", 4));
    done(ends[0]);
    say_bits("closed", ends[1], 0);
    say("recv", take(ends[1], 10, 0));
    say("recv", take(ends[1], 10, 0));
    say("send", put(ends[1], "a", 1));
    done(ends[1]);
    unix_ends(ends);
    say("shutdown", weir__system()->shutdown(ends[0], SHUT_RD));
    say_bits("not read", ends[0], 0);
    say_bits("not read", ends[1], 0);
    say("send", put(ends[1], "a", 1));
    say("send", put(ends[0], "a", 1));
    say("recv", take(ends[0], 1, 0));
    say("recv", take(ends[1], 1, 0));
    done(ends[0]);
    done(ends[1]);
}

static struct sockaddr_un local(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    return address;
}

static int new_unix(int type)
{
    return weir__system()->socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
}

static int unix_connect(int fd, const char *name)
{
    struct sockaddr_un address = local(name);
    return weir__system()->connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int unix_bind(int fd, const char *name)
{
    struct sockaddr_un address = local(name);
    return weir__system()->bind(fd, (struct sockaddr *)&address, sizeof address);
}

static void unix_paths(void)
{
    int listener = new_unix(SOCK_STREAM), other = new_unix(SOCK_STREAM), datagrams = new_unix(SOCK_DGRAM);
    say_bits("fresh", other, 0);
    say("recv", take(other, 1, 0));
    say("send", put(other, "a", 1));
    say("nothing there", unix_connect(other, path));
    say("listen", weir__system()->listen(listener, 1));
    say("bind", unix_bind(listener, path));
    say("bind", unix_bind(other, path));
    say("not listening", unix_connect(other, path));
    say("of the other type", unix_connect(datagrams, path));
    say("listen", weir__system()->listen(listener, 1));
    say("connect", unix_connect(other, path));
    say("connect again", unix_connect(other, path));
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    say("peer", weir__system()->getpeername(other, (struct sockaddr *)&name, &size));
    note("%u bytes, %s\n", size, strcmp(name.sun_path, path) == 0 ? "the path" : "not the path");
    size = sizeof name;
    say("own", weir__system()->getsockname(other, (struct sockaddr *)&name, &size));
    note("%u bytes\n", size);
    int second = new_unix(SOCK_STREAM), third = new_unix(SOCK_STREAM);
    say("second", unix_connect(second, path));
    say("too many", unix_connect(third, path));
    say("send", put(second, "a", 1));
    int end = accepted(listener);
    done(listener);
    told_of_a_reset(second);
    say("nobody any more", unix_connect(third, path));
    say("unlink", weir__system()->unlink(path));
    say("nothing there", unix_connect(third, path));
    done(end);
    done(other);
    done(second);
    done(third);
    done(datagrams);
}

AS_ON_LINUX(a_fresh_socket)
AS_ON_LINUX(refused)
AS_ON_LINUX(tcp_ends_of_each_side)
AS_ON_LINUX(resets)
AS_ON_LINUX(sent_to_a_closed_end)
AS_ON_LINUX(disconnected)
AS_ON_LINUX(listeners)
AS_ON_LINUX(reset_in_the_queue)
AS_ON_LINUX(tcp_back_pressure)
AS_ON_LINUX(tcp_counts)
AS_ON_LINUX(the_same_two_ends)
AS_ON_LINUX(unix_ends_of_each_side)
AS_ON_LINUX(unix_back_pressure)
AS_ON_LINUX(unix_counts)
AS_ON_LINUX(unix_closes)
AS_ON_LINUX(unix_paths)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_on_linux_a_fresh_socket),
        cmocka_unit_test(as_on_linux_refused),
        cmocka_unit_test(as_on_linux_tcp_ends_of_each_side),
        cmocka_unit_test(as_on_linux_resets),
        cmocka_unit_test(as_on_linux_sent_to_a_closed_end),
        cmocka_unit_test(as_on_linux_disconnected),
        cmocka_unit_test(as_on_linux_listeners),
        cmocka_unit_test(as_on_linux_reset_in_the_queue),
        cmocka_unit_test(as_on_linux_tcp_back_pressure),
        cmocka_unit_test(as_on_linux_tcp_counts),
        cmocka_unit_test(as_on_linux_the_same_two_ends),
        cmocka_unit_test(as_on_linux_unix_ends_of_each_side),
        cmocka_unit_test(as_on_linux_unix_back_pressure),
        cmocka_unit_test(as_on_linux_unix_counts),
        cmocka_unit_test(as_on_linux_unix_closes),
        cmocka_unit_test(as_on_linux_unix_paths),
    };
    snprintf(path, sizeof path, "/tmp/weir-sim-as-linux.%d", (int)getpid());
    return cmocka_run_group_tests_name("sim_as_linux", tests, NULL, NULL);
}
