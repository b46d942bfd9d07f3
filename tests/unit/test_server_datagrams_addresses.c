/* Datagram servers on every address: each answer comes from the address that was asked, and none for a group. */
#include "servers.h"

#include <netinet/udp.h>
#include <semaphore.h>
#include <weir/channel.h>
#include <weir/log.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* --- a server on every address, and clients that ask one and hear nobody else --- */

enum { MOST_HOSTS = 5 };

static const char *const hosts[MOST_HOSTS] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "[::1]", "[::ffff:127.0.0.4]"};

static int host_count(void)
{
    return has_ipv6() ? MOST_HOSTS : 3;
}

static weir_server *new_server(const weir_server_options *options, const char *endpoint, weir_datagram_handler *handler,
                               void *arg)
{
    weir_server *server = weir_server_new(options);
    check(server);
    check(weir_server_add_datagrams(server, endpoint, handler, arg) == 0);
    return server;
}

static weir_server *started(const weir_server_options *options, const char *endpoint, weir_datagram_handler *handler,
                            void *arg)
{
    weir_server *server = new_server(options, endpoint, handler, arg);
    check(weir_server_start(server) == 0);
    return server;
}

static int server_port(const weir_server *server)
{
    return atoi(strrchr(weir_server_endpoint(server, 0), ':') + 1);
}

static int asking(const weir_server *server, const char *host)
{
    int fd = plain_connected(SOCK_DGRAM, text("%s:%d", host, server_port(server)));
    check(fd >= 0);
    return fd;
}

static void hears(int fd, const char *expected)
{
    char got[64] = "";
    check(recv(fd, got, sizeof got - 1, 0) == (ssize_t)strlen(expected));
    check_text(got, expected);
}

static void asks(int fd, const char *question)
{
    check(send(fd, question, strlen(question), 0) == (ssize_t)strlen(question));
}

static void answer(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    weir_reply(datagram, datagram->data, datagram->length);
}

/* Asks the server at so many of the hosts. */
static void ask_all(const weir_server *server, int first, int count)
{
    for (int i = first; i < count; i++) {
        int fd = asking(server, hosts[i]);
        asks(fd, hosts[i]);
        hears(fd, hosts[i]);
        close(fd);
    }
}

/* --- which address answers --- */

static void the_address_that_was_asked_answers(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = started(&options, "udp://*:0", answer, NULL);
    ask_all(server, 0, host_count());
    end_server(server);
}

static void of_one_family_too(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = started(&options, "udp://0.0.0.0:0", answer, NULL);
    ask_all(server, 0, 3);
    end_server(server);
    if (!has_ipv6())
        return;
    server = started(&options, "udp://[::]:0", answer, NULL);
    ask_all(server, 3, 4);
    end_server(server);
}

/* The kernel notes some of a datagram's destination when it comes, which is before it was asked to. */
static void what_came_before_the_start_too(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = 1;
    weir_server *server = new_server(&options, "udp://*:0", answer, NULL);
    int clients[MOST_HOSTS], count = host_count();
    for (int i = 0; i < count; i++)
        asks(clients[i] = asking(server, hosts[i]), hosts[i]);
    check(weir_server_start(server) == 0);
    for (int i = 0; i < count; i++) {
        hears(clients[i], hosts[i]);
        close(clients[i]);
    }
    end_server(server);
}

/* Holds up its thread where it is asked to, so that what comes meanwhile is one batch. */
static void hold_up(const weir_datagram *datagram, void *gate)
{
    if (datagram->length == 4 && memcmp(datagram->data, "hold", 4) == 0)
        while (sem_wait(gate) < 0)
            ;
    weir_reply(datagram, datagram->data, datagram->length);
}

static void each_of_a_batch_has_its_own(void **state)
{
    weir_server_options options = options_of(state);
    sem_t gate;
    options.workers = 1;
    check(sem_init(&gate, 0, 0) == 0);
    weir_server *server = started(&options, "udp://*:0", hold_up, &gate);
    int clients[MOST_HOSTS], count = host_count();
    for (int i = 0; i < count; i++)
        clients[i] = asking(server, hosts[i]);
    asks(clients[0], "hold");
    for (int k = 0; k < 100; k++)
        asks(clients[k * 7 % count], text("question %d", k));
    sem_post(&gate);
    hears(clients[0], "hold");
    for (int k = 0; k < 100; k++)
        hears(clients[k * 7 % count], text("question %d", k));
    for (int i = 0; i < count; i++)
        close(clients[i]);
    end_server(server);
    sem_destroy(&gate);
}

/* --- handlers that park --- */

static void answer_after_a_wait(const weir_datagram *datagram, void *gate)
{
    char item;
    if (datagram->length == 4 && memcmp(datagram->data, "wait", 4) == 0) {
        weir_reply(datagram, "before", 6);
        check(weir_channel_receive(gate, &item, WEIR_FOREVER) == 0);
    }
    weir_reply(datagram, datagram->data, datagram->length);
}

static void a_parked_handler_answers_from_there_too(void **state)
{
    weir_server_options options = options_of(state);
    weir_channel *gate = weir_channel_new(1, 0);
    options.workers = 1;
    weir_server *server = started(&options, "udp://*:0", answer_after_a_wait, gate);
    int clients[MOST_HOSTS], count = host_count();
    for (int i = 0; i < count; i++) {
        asks(clients[i] = asking(server, hosts[i]), "wait");
        hears(clients[i], "before");
    }
    for (int k = 0; k < 10; k++)
        ask_all(server, 0, count);
    for (int i = 0; i < count; i++)
        check(weir_channel_send(gate, "x", SOON) == 0);
    for (int i = 0; i < count; i++) {
        hears(clients[i], "wait");
        close(clients[i]);
    }
    end_server(server);
    weir_channel_free(gate);
}

static void sleep_and_answer(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    weir_sleep(WEIR_MS(1));
    weir_reply(datagram, datagram->data, datagram->length);
}

/* What lies behind a datagram whose handler parks is copied away, and its destination with it. */
static void packed_ones_too(void **state)
{
    weir_server_options options = options_of(state);
    int segment = 4;
    options.receive_packed = true;
    weir_server *server = started(&options, "udp://*:0", sleep_and_answer, NULL);
    int fd = asking(server, "127.0.0.2");
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0) {
        close(fd);
        end_server(server);
        skip();
    }
    asks(fd, "one.two.tre.for.");
    char got[8];
    for (int i = 0; i < 4; i++)
        check(recv(fd, got, sizeof got, 0) == 4);
    close(fd);
    end_server(server);
}

/* --- groups: with one worker, since each worker's socket receives what is sent to one --- */

static weir_server_options options_of_one_worker(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = 1;
    return options;
}

static int ipv4_asker(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    struct timeval limit = {.tv_sec = 10};
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    check(fd >= 0);
    check(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0);
    check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    check(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback) == 0);
    return fd;
}

static void sends_to(int fd, const char *host, const weir_server *server)
{
    weir_address to = address_of(text("%s:%d", host, server_port(server)));
    check(sendto(fd, host, strlen(host), 0, &to.any, to.length) == (ssize_t)strlen(host));
}

/* Asks a group and then an address, and hears of the latter alone. */
static void is_refused_at(const weir_server *server, int fd, const char *group, const char *host)
{
    uint64_t before = counters_of(server).replies_refused;
    sends_to(fd, group, server);
    eventually(counters_of(server).replies_refused == before + 1);
    sends_to(fd, host, server);
    hears(fd, host);
}

/*
 * On a socket for both families the broadcast address of a network looks as any other, but for what is told as IPv4.
 * Multicast of IPv4 does not come to such a socket.
 */
static void broadcast_and_multicast_are_not_answered(void **state)
{
    static const char *const asked_for[][2] = {
        {"udp://*:0", "127.255.255.255"}, {"udp://0.0.0.0:0", "127.255.255.255"}, {"udp://0.0.0.0:0", "224.0.0.1"}};
    weir_server_options options = options_of_one_worker(state);
    for (size_t i = 0; i < 3; i++) {
        weir_server *server = started(&options, asked_for[i][0], answer, NULL);
        int fd = ipv4_asker();
        is_refused_at(server, fd, asked_for[i][1], "127.0.0.1");
        check(counters_of(server).replies_failed == 0);
        close(fd);
        end_server(server);
    }
}

static void multicast_of_ipv6_is_not_answered(void **state)
{
    weir_server_options options = options_of_one_worker(state);
    weir_server *server = started(&options, "udp://*:0", answer, NULL);
    weir_address all_nodes = address_of(text("[ff01::1]:%d", server_port(server))); /* of this machine */
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool sent = fd >= 0 && sendto(fd, "x", 1, 0, &all_nodes.any, all_nodes.length) == 1;
    if (sent) {
        eventually(counters_of(server).replies_refused == 1);
        check(counters_of(server).replies_failed == 0 && counters_of(server).datagrams_out == 0);
    }
    close(fd);
    end_server(server);
    if (!sent) /* the machine has no route for it */
        skip();
}

static void a_socket_of_a_group_answers_nothing(void **state)
{
    weir_server_options options = options_of_one_worker(state);
    weir_server *server = started(&options, "udp://224.0.0.1:0", answer, NULL);
    int fd = ipv4_asker();
    sends_to(fd, "224.0.0.1", server);
    eventually(counters_of(server).replies_refused == 1);
    check(counters_of(server).datagrams_out == 0);
    close(fd);
    end_server(server);
}

/* From an address of this machine, since nobody may send from a group's. */
static void groups_are_answered_where_that_is_wanted(void **state)
{
    weir_server_options options = options_of_one_worker(state);
    options.reply_to_any = true;
    weir_server *server = started(&options, "udp://0.0.0.0:0", answer, NULL);
    int fd = ipv4_asker();
    sends_to(fd, "127.255.255.255", server);
    hears(fd, "127.255.255.255");
    sends_to(fd, "224.0.0.1", server);
    hears(fd, "224.0.0.1");
    check(counters_of(server).replies_refused == 0);
    close(fd);
    end_server(server);
}

/* --- systems that tell less --- */

static bool denies_ipv4, denies_ipv6;
static atomic_int asked, with_control;

static int deny(int fd, int level, int name, const void *value, socklen_t length)
{
    bool ipv4 = level == IPPROTO_IP && name == IP_PKTINFO;
    bool ipv6 = level == IPPROTO_IPV6 && name == IPV6_RECVPKTINFO;
    asked += ipv4 || ipv6;
    if ((ipv4 && denies_ipv4) || (ipv6 && denies_ipv6)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return weir__kernel.setsockopt(fd, level, name, value, length);
}

static int note_control(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++)
        with_control += messages[i].msg_hdr.msg_controllen != 0;
    return weir__kernel.recvmmsg(fd, messages, count, flags);
}

/* A server on a system that denies what is asked of it, or one of the two. */
static weir_server *started_where(const weir_server_options *options, const char *endpoint, bool no_ipv4, bool no_ipv6)
{
    struct weir__system *system = replace_system();
    system->setsockopt = deny;
    system->recvmmsg = note_control;
    denies_ipv4 = no_ipv4;
    denies_ipv6 = no_ipv6;
    asked = with_control = 0;
    weir_server *server = started(options, endpoint, answer, NULL);
    restore_system();
    return server;
}

/* Of a broadcast it does not tell; then the kernel sees to it that nothing leaves from there. */
static void ipv6_alone_tells_of_both(void **state)
{
    weir_server_options options = options_of_one_worker(state);
    if (!has_ipv6())
        skip();
    weir_server *server = started_where(&options, "udp://*:0", true, false);
    int fd = ipv4_asker();
    ask_all(server, 0, MOST_HOSTS);
    eventually(counters_of(server).datagrams_out == MOST_HOSTS); /* counted once they have left */
    sends_to(fd, "127.255.255.255", server);
    eventually(counters_of(server).replies_failed == 1);
    check(counters_of(server).datagrams_out == MOST_HOSTS);
    close(fd);
    end_server(server);
}

static void where_nothing_is_told_the_system_chooses(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = started_where(&options, "udp://*:0", true, true);
    ask_all(server, 0, 1);
    check(asked > 0 && with_control == 0);
    end_server(server);
}

static void one_address_asks_for_nothing(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = started_where(&options, "udp://127.0.0.2:0", false, false);
    ask_all(server, 1, 2);
    check(asked == 0 && with_control == 0);
    end_server(server);
}

int main(void)
{
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    const struct CMUnitTest tests[] = {
        IN_EVERY_MODE(the_address_that_was_asked_answers),
        WITH_FIBERS(of_one_family_too),
        WITH_FIBERS(what_came_before_the_start_too),
        WITH_FIBERS(each_of_a_batch_has_its_own),
        AT_ONCE(a_parked_handler_answers_from_there_too),
        WITH_FIBERS(packed_ones_too),
        WITH_FIBERS(broadcast_and_multicast_are_not_answered),
        WITH_FIBERS(multicast_of_ipv6_is_not_answered),
        WITH_FIBERS(a_socket_of_a_group_answers_nothing),
        WITH_FIBERS(groups_are_answered_where_that_is_wanted),
        WITH_FIBERS(ipv6_alone_tells_of_both),
        WITH_FIBERS(where_nothing_is_told_the_system_chooses),
        WITH_FIBERS(one_address_asks_for_nothing),
    };
    return cmocka_run_group_tests_name("server_datagrams_addresses", tests, NULL, NULL);
}
