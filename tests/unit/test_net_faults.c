/* Every call to the system that listening, connecting, binding and accepting make fails once: nothing is left open. */
#include "sockets.h"

#include <sys/stat.h>
#include <weir/datagram.h>

static char server_path[40], client_path[40]; /* of this process, in /tmp */

static int until_failure; /* how many calls still work; negative: all */
static bool failed;

static bool fails(void)
{
    if (until_failure < 0 || until_failure-- > 0)
        return false;
    failed = true;
    errno = ENOBUFS;
    return true;
}

static int socket_or_fail(int family, int type, int protocol)
{
    return fails() ? -1 : weir__kernel.socket(family, type, protocol);
}

static int bind_or_fail(int fd, const struct sockaddr *address, socklen_t length)
{
    return fails() ? -1 : weir__kernel.bind(fd, address, length);
}

static int listen_or_fail(int fd, int backlog)
{
    return fails() ? -1 : weir__kernel.listen(fd, backlog);
}

static int accept_or_fail(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return fails() ? -1 : weir__kernel.accept4(fd, address, length, flags);
}

static int connect_or_fail(int fd, const struct sockaddr *address, socklen_t length)
{
    return fails() ? -1 : weir__kernel.connect(fd, address, length);
}

static int getsockname_or_fail(int fd, struct sockaddr *address, socklen_t *length)
{
    return fails() ? -1 : weir__kernel.getsockname(fd, address, length);
}

static int setsockopt_or_fail(int fd, int level, int name, const void *value, socklen_t length)
{
    return fails() ? -1 : weir__kernel.setsockopt(fd, level, name, value, length);
}

static int getsockopt_or_fail(int fd, int level, int name, void *value, socklen_t *length)
{
    return fails() ? -1 : weir__kernel.getsockopt(fd, level, name, value, length);
}

static int lstat_or_fail(const char *name, struct stat *status)
{
    return fails() ? -1 : weir__kernel.lstat(name, status);
}

static int fchmod_or_fail(int fd, mode_t mode)
{
    return fails() ? -1 : weir__kernel.fchmod(fd, mode);
}

static int shutdown_or_fail(int fd, int how)
{
    return fails() ? -1 : weir__kernel.shutdown(fd, how);
}

static void install(void)
{
    struct weir__system *system = replace_system();
    system->socket = socket_or_fail;
    system->bind = bind_or_fail;
    system->listen = listen_or_fail;
    system->accept4 = accept_or_fail;
    system->connect = connect_or_fail;
    system->getsockname = getsockname_or_fail;
    system->setsockopt = setsockopt_or_fail;
    system->getsockopt = getsockopt_or_fail;
    system->lstat = lstat_or_fail;
    system->fchmod = fchmod_or_fail;
    system->shutdown = shutdown_or_fail;
}

static void streams(void)
{
    weir_listener *listener = weir_listen(":0", WEIR_OPTIONS(weir_listen_options, .socket = {.keepalive = true}));
    if (!listener)
        return;
    weir_conn *client = weir_connect(
        weir_listener_endpoint(listener, weir_listener_count(listener) - 1),
        WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(5), .bind = "localhost", .socket = {.keepalive = true}));
    weir_listener_set_timeout(listener, WEIR_MS(1));
    weir_conn *server = client ? weir_accept(listener) : NULL;
    char byte;
    if (server && weir_send(client, "x", 1) == 1)
        weir_recv(server, &byte, 1);
    weir_close(server);
    weir_close(client);
    weir_listener_close(listener);
}

static void unix_streams(void)
{
    weir_listener *listener = weir_listen(text("unix:%s", server_path), NULL);
    if (!listener)
        return;
    weir_conn *client = weir_connect(text("unix:%s", server_path), NULL);
    weir_close(client);
    weir_listener_close(listener);
}

static void leave_stale(void)
{
    close(plain_bound(SOCK_STREAM, server_path));
    unix_streams();
}

static void datagrams(void)
{
    weir_conn *server = weir_bind("*:0", NULL), *client = NULL;
    weir_address address = {0};
    if (server && weir_local_address(server, &address) == 0)
        client = weir_connect(text("udp://127.0.0.1:%u", weir_address_port(&address)), NULL);
    char byte = 'x';
    weir_datagram datagram = {.data = &byte, .length = 1, .capacity = 1};
    if (client && weir_send_batch(client, &datagram, 1) == 1)
        weir_recv_batch(server, &datagram, 1);
    weir_close(client);
    weir_close(server);
}

static void unix_datagrams(void)
{
    weir_conn *server = weir_bind(text("unix:%s?type=datagram", server_path), NULL);
    weir_conn *client = weir_connect(text("unix:%s?type=datagram", server_path),
                                     WEIR_OPTIONS(weir_connect_options, .bind = client_path));
    weir_close(client);
    weir_close(server);
}

/* Whatever fails, afterwards the same works, on descriptors and paths that are free again. */
static void fail_each_call_of(void (*work)(void))
{
    unlink(server_path);
    install();
    until_failure = -1;
    work();
    weir_sleep(WEIR_MS(1));
    int before = open_descriptors(), calls = 0;
    do {
        failed = false;
        until_failure = calls++;
        work();
        until_failure = -1;
        unlink(server_path); /* lstat fails: then nobody knows whose it is, and it stays */
        unlink(client_path);
        eventually(open_descriptors() <= before);
    } while (failed);
    check(calls > 5);
    restore_system();
}

static void streams_fail_cleanly(void)
{
    fail_each_call_of(streams);
}

static void unix_streams_fail_cleanly(void)
{
    fail_each_call_of(unix_streams);
    fail_each_call_of(leave_stale);
}

static void datagrams_fail_cleanly(void)
{
    fail_each_call_of(datagrams);
}

static void unix_datagrams_fail_cleanly(void)
{
    fail_each_call_of(unix_datagrams);
}

int main(void)
{
    snprintf(server_path, sizeof server_path, "/tmp/weir-test-%d", (int)getpid());
    snprintf(client_path, sizeof client_path, "/tmp/weir-test-%d-client", (int)getpid());
    const struct CMUnitTest tests[] = {
        EVERYWHERE(streams_fail_cleanly),
        EVERYWHERE(unix_streams_fail_cleanly),
        EVERYWHERE(datagrams_fail_cleanly),
        EVERYWHERE(unix_datagrams_fail_cleanly),
    };
    return cmocka_run_group_tests_name("net_faults", tests, NULL, NULL);
}
