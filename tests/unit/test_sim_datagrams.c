/* Datagrams in the simulator: what Linux does with them. */
#include "simulated.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

static void without_faults(int (*one)(void *arg), int (*other)(void *arg))
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        play(one, other, 0, seed);
}

static void close_all(int one, int other)
{
    CHECK(weir__system()->close(one) == 0);
    CHECK(other < 0 || weir__system()->close(other) == 0);
}

/* --- as on Linux --- */

static int asks(void *arg)
{
    char data[16];
    (void)arg;
    weir_sleep(WEIR_S(1));
    weir_conn *conn = weir_connect("udp://there:7", NULL);
    CHECK(conn && weir_send(conn, "hello", 5) == 5);
    CHECK(weir_recv(conn, data, sizeof data) == 5 && memcmp(data, "HELLO", 5) == 0);
    CHECK(weir_send(conn, "", 0) == 0);
    CHECK(weir_recv(conn, data, sizeof data) == 0);
    return weir_close(conn);
}

static int answers(void *arg)
{
    char data[16];
    weir_address from;
    (void)arg;
    weir_conn *conn = weir_bind("udp://*:7", NULL);
    CHECK(conn && weir_recvfrom(conn, data, sizeof data, 0, &from) == 5 && memcmp(data, "hello", 5) == 0);
    CHECK(weir_sendto(conn, "HELLO", 5, 0, &from) == 5);
    CHECK(weir_recvfrom(conn, data, sizeof data, 0, &from) == 0);
    CHECK(weir_sendto(conn, "", 0, 0, &from) == 0);
    return weir_close(conn);
}

static void a_datagram_is_answered(void **state)
{
    (void)state;
    without_faults(asks, answers);
}

static int counts_bytes(void *arg)
{
    int receiver = bound("127.0.0.1:7", SOCK_DGRAM), sender = connected("127.0.0.1:7"), bytes = -1;
    (void)arg;
    CHECK(weir__system()->ioctl(receiver, FIONREAD, &bytes) == 0 && bytes == 0);
    CHECK(put(sender, "hello", 5) == 5);
    weir_sleep(WEIR_S(1));
    CHECK(weir__system()->ioctl(receiver, FIONREAD, &bytes) == 0 && bytes == 5);
    CHECK(weir__system()->ioctl(sender, TIOCOUTQ, &bytes) == 0 && bytes >= 0);
    CHECK(fails(weir__system()->ioctl(receiver, FIOASYNC, &bytes), ENOTTY));
    close_all(sender, receiver);
    return 0;
}

static void what_waits_to_be_read_is_told(void **state)
{
    (void)state;
    without_faults(counts_bytes, NULL);
}

static int looks_and_cuts(void *arg)
{
    char data[8];
    struct iovec piece = {data, 4};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    int receiver = bound("127.0.0.1:7", SOCK_DGRAM), sender = connected("127.0.0.1:7");
    (void)arg;
    CHECK(fails(get(receiver, data, sizeof data, 0), EAGAIN));
    CHECK(ready(receiver) == POLLOUT);
    CHECK(put(sender, "123456", 6) == 6 && put(sender, "abc", 3) == 3);
    weir_sleep(WEIR_S(1));
    CHECK(ready(receiver) == (POLLIN | POLLOUT));
    CHECK(get(receiver, data, sizeof data, MSG_PEEK) == 6);
    CHECK(get(receiver, data, 2, MSG_PEEK | MSG_TRUNC) == 6);
    CHECK(weir__system()->recvmsg(receiver, &message, MSG_DONTWAIT) == 4 && message.msg_flags == MSG_TRUNC);
    CHECK(memcmp(data, "1234", 4) == 0);
    CHECK(weir__system()->recvmsg(receiver, &message, MSG_DONTWAIT) == 3 && message.msg_flags == 0);
    CHECK(fails(get(receiver, data, sizeof data, 0), EAGAIN));
    close_all(receiver, sender);
    return 0;
}

static void what_does_not_fit_is_cut_and_marked(void **state)
{
    (void)state;
    without_faults(looks_and_cuts, NULL);
}

static int finds_nobody(void *arg)
{
    char data[8];
    int error = 1;
    socklen_t length = sizeof error;
    (void)arg;
    int fd = weir__system()->socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fails(put(fd, "x", 1), EDESTADDRREQ));
    CHECK(put_to(fd, "10.0.0.2:7", "x", 1) == 1);
    weir_sleep(WEIR_S(1));
    CHECK(ready(fd) == POLLOUT);
    CHECK(connect_to(fd, "10.0.0.2:7") == 0 && put(fd, "x", 1) == 1);
    weir_sleep(WEIR_S(1));
    CHECK(ready(fd) == (POLLERR | POLLOUT));
    CHECK(fails(get(fd, data, sizeof data, 0), ECONNREFUSED));
    CHECK(fails(get(fd, data, sizeof data, 0), EAGAIN));
    CHECK(put(fd, "x", 1) == 1);
    weir_sleep(WEIR_S(1));
    CHECK(weir__system()->getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == ECONNREFUSED);
    CHECK(put(fd, "x", 1) == 1);
    weir_sleep(WEIR_S(1));
    CHECK(fails(put(fd, "x", 1), ECONNREFUSED));
    close_all(fd, -1);
    return 0;
}

static void nobody_there_is_told_to_who_is_connected(void **state)
{
    (void)state;
    without_faults(finds_nobody, NULL);
}

static int hears_its_peer(void *arg)
{
    char data[8];
    int one = bound("127.0.0.1:1", SOCK_DGRAM), two = bound("127.0.0.1:2", SOCK_DGRAM);
    int stranger = bound("127.0.0.1:3", SOCK_DGRAM);
    (void)arg;
    CHECK(connect_to(one, "127.0.0.1:2") == 0 && connect_to(stranger, "127.0.0.1:1") == 0);
    CHECK(put(stranger, "stranger", 8) == 8 && put_to(two, "127.0.0.1:1", "peer", 4) == 4);
    weir_sleep(WEIR_S(1));
    CHECK(get(one, data, sizeof data, 0) == 4 && fails(get(one, data, sizeof data, 0), EAGAIN));
    CHECK(fails(get(stranger, data, sizeof data, 0), ECONNREFUSED));
    close_all(one, two);
    close_all(stranger, -1);
    return 0;
}

static void a_connected_socket_hears_its_peer_alone(void **state)
{
    (void)state;
    without_faults(hears_its_peer, NULL);
}

/* --- where it was sent to --- */

/* Receives one and answers it from where it was sent to. The address that it was sent to, of IPv4. */
static struct in_addr answer_from_there(int fd)
{
    _Alignas(struct cmsghdr) char control[128];
    char data[8];
    struct iovec piece = {data, sizeof data};
    struct in_pktinfo info = {0};
    weir_address from = {0};
    struct msghdr message = {.msg_name = &from.any,
                             .msg_namelen = sizeof from.local,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    CHECK(weir__system()->recvmsg(fd, &message, MSG_DONTWAIT) == 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header && header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO);
    memcpy(&info, CMSG_DATA(header), sizeof info);
    CHECK(info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr);
    piece.iov_len = 1;
    CHECK(weir__system()->sendmsg(fd, &message, MSG_DONTWAIT) == 1);
    info.ipi_spec_dst.s_addr = htonl(0x0a000063); /* 10.0.0.99 is nobody's */
    memcpy(CMSG_DATA(header), &info, sizeof info);
    CHECK(fails(weir__system()->sendmsg(fd, &message, MSG_DONTWAIT), EINVAL));
    return info.ipi_addr;
}

static int tells_destinations(void *arg)
{
    static const char *const addresses[] = {"10.0.0.1:7", "127.0.0.1:7", "127.0.0.5:7"};
    static const uint32_t numbers[] = {0x0a000001, 0x7f000001, 0x7f000005};
    char data[8];
    int on = 1, fd = bound("0.0.0.0:7", SOCK_DGRAM);
    (void)arg;
    CHECK(weir__system()->setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0);
    for (int i = 0; i < 3; i++) {
        int client = connected(addresses[i]);
        CHECK(put(client, "x", 1) == 1);
        weir_sleep(WEIR_S(1));
        CHECK(ntohl(answer_from_there(fd).s_addr) == numbers[i]);
        weir_sleep(WEIR_S(1));
        CHECK(get(client, data, sizeof data, 0) == 1);
        close_all(client, -1);
    }
    close_all(fd, -1);
    return 0;
}

static void an_answer_comes_from_where_was_asked(void **state)
{
    (void)state;
    without_faults(tells_destinations, NULL);
}

static int both_families(void *arg)
{
    char data[8];
    weir_address from;
    (void)arg;
    weir_conn *conn = weir_bind("udp://*:7", NULL);
    int four = connected("127.0.0.1:7"), six = connected("[::1]:7");
    CHECK(put(four, "4", 1) == 1);
    CHECK(weir_recvfrom(conn, data, sizeof data, 0, &from) == 1 && weir_address_is_loopback(&from));
    CHECK(from.any.sa_family == AF_INET6 && weir_sendto(conn, "4", 1, 0, &from) == 1);
    CHECK(put(six, "6", 1) == 1);
    CHECK(weir_recvfrom(conn, data, sizeof data, 0, &from) == 1 && weir_address_is_loopback(&from));
    CHECK(weir_sendto(conn, "6", 1, 0, &from) == 1);
    weir_sleep(WEIR_S(1));
    CHECK(get(four, data, sizeof data, 0) == 1 && data[0] == '4');
    CHECK(get(six, data, sizeof data, 0) == 1 && data[0] == '6');
    close_all(four, six);
    return weir_close(conn);
}

static void one_socket_serves_both_families(void **state)
{
    (void)state;
    without_faults(both_families, NULL);
}

/* --- limits --- */

static uint32_t drops_of(int fd)
{
    uint32_t numbers[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof numbers;
    CHECK(weir__system()->getsockopt(fd, SOL_SOCKET, SO_MEMINFO, numbers, &length) == 0);
    return numbers[SK_MEMINFO_DROPS];
}

static int sends_too_much(void *arg)
{
    char *data = calloc(1, 65600);
    int receiver = bound("[::1]:7", SOCK_DGRAM), sender = connected("[::1]:7");
    int four = connected("127.0.0.1:7");
    unsigned received = 0;
    (void)arg;
    CHECK(fails(put(four, data, 65508), EMSGSIZE) && fails(put(sender, data, 65528), EMSGSIZE));
    for (int i = 0; i < 100; i++)
        CHECK(put(sender, data, 10000) == 10000);
    weir_sleep(WEIR_S(1));
    while (get(receiver, data, 65536, 0) == 10000)
        received++;
    CHECK(received > 10 && received < 50 && received + drops_of(receiver) == 100);
    CHECK(put(sender, data, 65527) == 65527);
    weir_sleep(WEIR_S(1));
    CHECK(get(receiver, data, 65536, 0) == 65527);
    close_all(receiver, sender);
    close_all(four, -1);
    free(data);
    return 0;
}

static void what_finds_no_room_is_dropped_and_counted(void **state)
{
    (void)state;
    without_faults(sends_too_much, NULL);
}

/* --- Unix --- */

static int fill_until_full(int fd)
{
    int sent = 0;
    char data[1000] = {0};
    while (put(fd, data, sizeof data) == (ssize_t)sizeof data)
        sent++;
    CHECK(errno == EAGAIN);
    return sent;
}

static int unix_datagrams(void *arg)
{
    char data[2000];
    int receiver = bound("/run/socket", SOCK_DGRAM), sender = connected("/run/socket");
    (void)arg;
    int sent = fill_until_full(sender);
    CHECK(sent == 11 && ready(sender) == 0);
    CHECK(get(receiver, data, sizeof data, 0) == 1000 && ready(sender) == POLLOUT);
    CHECK(put(sender, "last", 4) == 4);
    for (int i = 1; i < sent; i++)
        CHECK(get(receiver, data, sizeof data, 0) == 1000);
    CHECK(get(receiver, data, sizeof data, 0) == 4);
    CHECK(weir__system()->close(receiver) == 0);
    CHECK(fails(put(sender, "x", 1), ECONNREFUSED) && fails(put(sender, "x", 1), ENOTCONN));
    CHECK(fails(connect_to(sender, "/run/socket"), ECONNREFUSED));
    CHECK(fails(connect_to(sender, "/run/other"), ENOENT));
    close_all(sender, -1);
    return 0;
}

static void unix_datagrams_wait_for_room(void **state)
{
    (void)state;
    without_faults(unix_datagrams, NULL);
}

static int reads_slowly(void *arg)
{
    char data[1500];
    weir_conn *conn = arg;
    for (unsigned i = 0; i < 500; i++) {
        CHECK(weir_recv(conn, data, sizeof data) == (ssize_t)(1 + i) && data[i] == (char)i);
        if (i % 64 == 0)
            weir_sleep(WEIR_MS(20));
    }
    return 0;
}

static int writes_fast(void *arg)
{
    char data[500];
    weir_conn *pair[2];
    (void)arg;
    if (weir_pair(SOCK_DGRAM, pair) < 0)
        return 0; /* there was no descriptor: a fault */
    weir_fiber *reader = weir_spawn(reads_slowly, pair[1], NULL);
    for (unsigned i = 0; i < sizeof data; i++) {
        data[i] = (char)i;
        while (weir_send(pair[0], data, i + 1) < 0)
            CHECK(errno == ENOBUFS);
    }
    weir_join(reader, NULL, WEIR_FOREVER);
    weir_close(pair[0]);
    return weir_close(pair[1]);
}

static void a_pair_keeps_all_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        play(writes_fast, NULL, WEIR_SIM_RESOURCES | WEIR_SIM_EVENTS | WEIR_SIM_SHORT, seed);
}

static int floods_by_name(void *arg)
{
    weir_address to = address_of("/run/socket");
    weir_datagram batch[20];
    (void)arg;
    weir_conn *conn = weir_bind("unix:@sender?type=datagram", NULL);
    for (int i = 0; i < 20; i++) {
        CHECK(weir_sendto(conn, "x", 1, 0, &to) == 1);
        batch[i] = (weir_datagram){.data = (char *)"y", .length = 1, .peer = to};
    }
    CHECK(weir_send_batch(conn, batch, 20) == 20);
    return weir_close(conn);
}

static int reads_late(void *arg)
{
    char data[8];
    (void)arg;
    weir_conn *conn = weir_bind("unix:/run/socket?type=datagram", NULL);
    weir_fiber *sender = weir_spawn(floods_by_name, NULL, NULL);
    for (int i = 0; i < 40; i++) {
        if (i % 20 == 0)
            weir_sleep(WEIR_S(10));
        CHECK(weir_recv(conn, data, sizeof data) == 1 && *data == (i < 20 ? 'x' : 'y'));
    }
    weir_join(sender, NULL, WEIR_FOREVER);
    return weir_close(conn);
}

static void a_full_receiver_is_not_asked_all_the_time(void **state)
{
    (void)state;
    weir_sim_result result = play(reads_late, NULL, 0, 1);
    assert_true(result.duration > WEIR_S(20));
    assert_true(result.steps < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_is_answered),
        cmocka_unit_test(what_waits_to_be_read_is_told),
        cmocka_unit_test(what_does_not_fit_is_cut_and_marked),
        cmocka_unit_test(nobody_there_is_told_to_who_is_connected),
        cmocka_unit_test(a_connected_socket_hears_its_peer_alone),
        cmocka_unit_test(an_answer_comes_from_where_was_asked),
        cmocka_unit_test(one_socket_serves_both_families),
        cmocka_unit_test(what_finds_no_room_is_dropped_and_counted),
        cmocka_unit_test(unix_datagrams_wait_for_room),
        cmocka_unit_test(a_pair_keeps_all_in_order),
        cmocka_unit_test(a_full_receiver_is_not_asked_all_the_time),
    };
    return cmocka_run_group_tests_name("sim datagrams", tests, NULL, NULL);
}
