/* Workers that rest after datagrams have come, so that the next are taken together. */
#include "servers.h"

#include "base/system.h"

/* The kernel, but for what is counted, and for a rest that lasts until the test ends it. */
static struct weir__system table;
static atomic_bool resting, rested;
static _Atomic int taken; /* system calls that brought datagrams */

static int count_taken(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int got = weir__kernel.recvmmsg(fd, messages, count, flags);
    taken += got > 0;
    return got;
}

static int rest(struct pollfd *descriptors, nfds_t count, int64_t timeout)
{
    if (count > 0 || timeout <= 0)
        return weir__kernel.poll(descriptors, count, timeout);
    resting = true;
    while (!rested)
        weir__kernel.poll(NULL, 0, WEIR_MS(1));
    return 0;
}

static void ignore(const weir_datagram *datagram, void *arg)
{
    (void)datagram;
    (void)arg;
}

static weir_server *start_server(void **state, const char *endpoint, int64_t gather_time)
{
    weir_server_options options = options_of(state);
    options.workers = 1;
    options.gather_time = gather_time;
    resting = rested = false;
    taken = 0;
    table = weir__kernel;
    table.recvmmsg = count_taken;
    table.poll = rest;
    weir__system_here = &table;
    weir_server *server = weir_server_new(&options);
    weir__system_here = &weir__kernel;
    check(server && weir_server_add_datagrams(server, endpoint, ignore, NULL) == 0);
    check(weir_server_start(server) == 0);
    return server;
}

static int client(const weir_server *server)
{
    int fd = plain_connected(SOCK_DGRAM, address_in(weir_server_endpoint(server, 0)));
    check(fd >= 0);
    return fd;
}

static void those_that_come_in_a_rest_are_taken_together(void **state)
{
    weir_server *server = start_server(state, "udp://127.0.0.1:0", WEIR_MS(1));
    int fd = client(server);
    check(send(fd, "x", 1, 0) == 1); /* after a silence: at once */
    eventually(counters_of(server).datagrams_in == 1);
    eventually(resting);
    for (int i = 0; i < 20; i++)
        check(send(fd, "x", 1, 0) == 1);
    check(taken == 1);
    rested = true;
    eventually(counters_of(server).datagrams_in == 21);
    check(taken == 2);
    close(fd);
    end_server(server);
}

static void take_each_at_once(weir_server *server, int fd)
{
    for (uint64_t i = 1; i <= 20; i++) {
        check(send(fd, "x", 1, 0) == 1);
        eventually(counters_of(server).datagrams_in == i);
    }
    check(!resting && taken == 20);
    close(fd);
    end_server(server);
}

static void without_a_time_for_it_nobody_rests(void **state)
{
    weir_server *server = start_server(state, "udp://127.0.0.1:0", 0);
    take_each_at_once(server, client(server));
}

/* Its queue may be full after ten. */
static void nobody_rests_where_a_unix_socket_is(void **state)
{
    char name[64], endpoint[100];
    snprintf(name, sizeof name, "@weir-test-gather-%d", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "unix:%s?type=datagram", name);
    weir_server *server = start_server(state, endpoint, WEIR_MS(1));
    int fd = plain_connected(SOCK_DGRAM, name);
    check(fd >= 0);
    take_each_at_once(server, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIBERS(those_that_come_in_a_rest_are_taken_together),
        WITH_FIBERS(without_a_time_for_it_nobody_rests),
        WITH_FIBERS(nobody_rests_where_a_unix_socket_is),
    };
    return cmocka_run_group_tests_name("server_gather", tests, NULL, NULL);
}
