/* Datagrams: bound sockets, one and many at a time, packed together by the kernel where it can. */
#include "sockets.h"

#include <netinet/udp.h>
#include <sys/stat.h>
#include <weir/datagram.h>

enum { MANY = 100, ROOM = 2000 };

static char rooms[MANY][ROOM];
static weir_datagram datagrams[MANY];

static void make_room(size_t capacity)
{
    for (int i = 0; i < MANY; i++)
        datagrams[i] = (weir_datagram){.data = rooms[i], .capacity = capacity};
}

static weir_conn *bound(const char *endpoint, weir_address *address)
{
    weir_conn *conn = weir_bind(endpoint, NULL);
    check(conn);
    check(weir_local_address(conn, address) == 0);
    return conn;
}

/* Receives `count` datagrams, however many come at a time. */
static void receive_all(weir_conn *conn, int count)
{
    weir_set_timeout(conn, WEIR_S(10));
    for (int done = 0; done < count;) {
        int received = weir_recv_batch(conn, datagrams + done, MANY - done);
        check(received > 0);
        done += received;
    }
}

static void one_socket_has_one_address(void)
{
    weir_address address;
    char name[100];
    weir_conn *conn = bound(":0", &address);
    check_text(weir_local_endpoint(conn, name, sizeof name), text("udp://127.0.0.1:%u", weir_address_port(&address)));
    check(!weir_bind(text(":%u", weir_address_port(&address)), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    check_text(weir_error()->step, "bind");
    weir_close(conn);
    check(!weir_bind("tcp://:0", NULL));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_bind("unix:@x", NULL));
    check_error(EINVAL, WEIR_ERROR_USAGE);
}

static void a_star_hears_both_families(void)
{
    weir_address address;
    weir_conn *conn = bound("*:0", &address);
    unsigned port = weir_address_port(&address);
    const char *peers[] = {text("127.0.0.1:%u", port), text("[::1]:%u", port)};
    for (int i = 0; i < (has_ipv6() ? 2 : 1); i++) {
        int client = plain_connected(SOCK_DGRAM, peers[i]);
        char byte;
        weir_address from;
        check(send(client, "x", 1, 0) == 1);
        check(weir_recvfrom(conn, &byte, 1, 0, &from) == 1);
        check(weir_sendto(conn, "y", 1, 0, &from) == 1);
        check(recv(client, &byte, 1, 0) == 1 && byte == 'y');
        close(client);
    }
    weir_close(conn);
}

static void they_come_and_go_to_whom_they_are_addressed(void)
{
    weir_address first_address, second_address, from;
    weir_conn *first = bound("127.0.0.1:0", &first_address), *second = bound("127.0.0.2:0", &second_address);
    char buffer[16];
    check(weir_sendto(first, "question", 8, 0, &second_address) == 8);
    check(weir_recvfrom(second, buffer, sizeof buffer, 0, &from) == 8);
    check(weir_address_equal(&from, &first_address));
    check(weir_sendto(second, "", 0, 0, &from) == 0);
    check(weir_recvfrom(first, buffer, sizeof buffer, 0, &from) == 0);
    check(weir_address_equal(&from, &second_address));
    check(weir_sendto(first, "x", 1, 0, NULL) == -1);
    check(errno == EDESTADDRREQ);
    weir_close(first);
    weir_close(second);
}

static void a_unix_socket_has_a_file_until_it_is_closed(void)
{
    char path[] = "/tmp/weir-test-datagram-XXXXXX", buffer[8], name[WEIR_ADDRESS_TEXT];
    struct stat status;
    close(mkstemp(path));
    unlink(path);
    weir_address address, from;
    weir_conn *server = bound(text("unix:%s?type=datagram", path), &address);
    check(lstat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    check(!weir_bind(text("unix:%s?type=datagram", path), NULL));
    check_error(EADDRINUSE, WEIR_ERROR_LISTEN);
    weir_conn *client = weir_connect(text("unix:%s?type=datagram", path), NULL);
    check(client);
    check(weir_send(client, "hello", 5) == 5);
    check(weir_recvfrom(server, buffer, sizeof buffer, 0, &from) == 5);
    check(*weir_address_text(&from, name, sizeof name) == '@');
    check(weir_sendto(server, "hi", 2, 0, &from) == 2);
    check(weir_recv(client, buffer, sizeof buffer) == 2);
    weir_close(client);
    weir_close(server);
    check(lstat(path, &status) < 0);
    close(plain_bound(SOCK_DGRAM, path));
    server = bound(text("unix:%s?type=datagram", path), &address); /* replaces what is left of another */
    weir_close(server);
    check(lstat(path, &status) < 0);
}

/* --- many --- */

static void fill_pattern(char *data, size_t length, int index)
{
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(index * 31 + (int)i * 7);
}

static void check_pattern(const weir_datagram *datagram, size_t length, int index)
{
    char expected[ROOM];
    check(datagram->length == length);
    fill_pattern(expected, length, index);
    check(memcmp(datagram->data, expected, length) == 0);
}

/* Sizes in every order: runs of equal ones, shorter and longer after them, empty ones. */
static size_t size_of(int index)
{
    static const size_t sizes[] = {64, 64, 64, 10, 64, 64, 0, 0, 1400, 1400, 1399, 1401, 1, 1, 1, 1, 1, 500, 500, 600};
    return sizes[index % (int)(sizeof sizes / sizeof *sizes)];
}

static void send_many(weir_conn *from, const weir_address *to, int count)
{
    static char data[MANY][ROOM];
    static weir_datagram outgoing[MANY];
    for (int i = 0; i < count; i++) {
        fill_pattern(data[i], size_of(i), i);
        outgoing[i] = (weir_datagram){.data = data[i], .length = size_of(i)};
        if (to)
            outgoing[i].peer = *to;
    }
    check(weir_send_batch(from, outgoing, count) == count);
}

static void check_many(weir_conn *server, const weir_address *from, int count)
{
    make_room(ROOM);
    receive_all(server, count);
    for (int i = 0; i < count; i++) {
        check_pattern(&datagrams[i], size_of(i), i);
        check(!datagrams[i].truncated);
        check(weir_address_equal(&datagrams[i].peer, from));
    }
}

static void batches_arrive_whole_and_in_order(void)
{
    weir_address to, from;
    weir_conn *server = bound(":0", &to), *client = bound(":0", &from);
    for (int round = 0; round < 5; round++) {
        send_many(client, &to, MANY);
        check_many(server, &from, MANY);
    }
    weir_conn *connected = weir_connect(text("udp://127.0.0.1:%u", weir_address_port(&to)), NULL);
    check(weir_local_address(connected, &from) == 0);
    send_many(connected, NULL, MANY);
    check_many(server, &from, MANY);
    weir_close(connected);
    weir_close(client);
    weir_close(server);
}

static void unix_batches_work_too(void)
{
    weir_address to, from;
    weir_conn *server = bound(own("unix:", "to", "?type=datagram"), &to);
    weir_conn *client = bound(own("unix:", "from", "?type=datagram"), &from);
    send_many(client, &to, 9); /* a Unix socket's queue is short */
    check_many(server, &from, 9);
    weir_close(client);
    weir_close(server);
}

static int calls;

static int count_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    calls++;
    return sendmmsg(fd, messages, count, flags);
}

static int segments_seen;

/* A device that cannot do segments. */
static int refuse_segments(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++)
        if (messages[i].msg_hdr.msg_controllen > 0) {
            segments_seen++;
            if (i == 0) {
                errno = EINVAL;
                return -1;
            }
            count = i;
        }
    return sendmmsg(fd, messages, count, flags);
}

static bool segments_offered(weir_conn *conn)
{
    int value;
    socklen_t length = sizeof value;
    return getsockopt(weir_fd(conn), IPPROTO_UDP, 103 /* UDP_SEGMENT */, &value, &length) == 0;
}

static void few_calls_send_many(void)
{
    weir_address to, from;
    weir_conn *server = bound(":0", &to), *client = bound(":0", &from);
    replace_system()->sendmmsg = count_sendmmsg;
    calls = 0;
    send_many(client, &to, 32);
    check(calls == 1);
    check_many(server, &from, 32);
    weir__system_here = &weir__kernel;
    replace_system()->sendmmsg = refuse_segments;
    send_many(client, &to, MANY);
    check_many(server, &from, MANY);
    restore_system();
    check(segments_seen > 0 || !segments_offered(server));
    weir_close(client);
    weir_close(server);
}

/* The peer is not there any more: the second send says so. */
static void an_error_tells_how_many_went(void)
{
    weir_address to;
    weir_conn *server = bound(":0", &to);
    weir_conn *client = weir_connect(text("udp://127.0.0.1:%u", weir_address_port(&to)), NULL);
    static char long_one[70000];
    weir_datagram three[] = {{.data = long_one, .length = 10},
                             {.data = long_one, .length = 20},
                             {.data = long_one, .length = sizeof long_one}};
    check(weir_send_batch(client, three, 3) == -1);
    check(errno == EMSGSIZE);
    check(weir_error()->transferred == 2);
    make_room(ROOM);
    receive_all(server, 2);
    weir_close(client);
    weir_close(server);
}

static void what_is_too_long_is_marked(void)
{
    weir_address to, from;
    weir_conn *server = bound(":0", &to), *client = bound(":0", &from);
    check(weir_sendto(client, "0123456789", 10, 0, &to) == 10);
    check(weir_sendto(client, "01234", 5, 0, &to) == 5);
    make_room(5);
    receive_all(server, 2);
    check(datagrams[0].length == 5 && datagrams[0].truncated && memcmp(datagrams[0].data, "01234", 5) == 0);
    check(datagrams[1].length == 5 && !datagrams[1].truncated);
    char buffer[4];
    check(weir_sendto(client, "0123456789", 10, 0, &to) == 10);
    check(weir_recv_flags(server, buffer, 4, MSG_TRUNC) == 10);
    weir_close(client);
    weir_close(server);
}

static void receiving_waits_and_is_woken(void)
{
    weir_address to;
    weir_conn *server = bound(":0", &to);
    make_room(ROOM);
    weir_set_timeout(server, WEIR_MS(10));
    check(weir_recv_batch(server, datagrams, MANY) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir_recv_batch(server, datagrams, 0) == -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    int client = plain_connected(SOCK_DGRAM, text("127.0.0.1:%u", weir_address_port(&to)));
    for (int round = 0; round < 100; round++) {
        check(send(client, "x", 1, 0) == 1);
        receive_all(server, 1);
        check(datagrams[0].length == 1);
    }
    close(client);
    weir_close(server);
}

static ssize_t count_recvmsg(int fd, struct msghdr *message, int flags)
{
    calls++;
    return recvmsg(fd, message, flags);
}

static void packed_ones_are_taken_apart(void)
{
    weir_address to, from;
    weir_conn *server = bound(":0", &to), *client = bound(":0", &from);
    int on = 1;
    if (setsockopt(weir_fd(server), IPPROTO_UDP, 104 /* UDP_GRO */, &on, sizeof on) == 0) {
        for (int round = 0; round < 3; round++) {
            send_many(client, &to, MANY);
            check_many(server, &from, MANY);
        }
        /* what did not fit stays for the next call, and room that is too small is told */
        static char equal[MANY * 10];
        weir_datagram outgoing[MANY];
        for (int i = 0; i < MANY; i++) {
            outgoing[i] = (weir_datagram){.data = equal + 10 * i, .length = 10, .peer = to};
            fill_pattern(equal + 10 * i, 10, i);
        }
        check(weir_send_batch(client, outgoing, MANY) == MANY);
        make_room(8);
        replace_system()->recvmsg = count_recvmsg;
        calls = 0;
        for (int i = 0; i < MANY; i++) {
            check(weir_recv_batch(server, datagrams, 1) == 1);
            check(datagrams[0].truncated);
            check_pattern(&datagrams[0], 8, i);
        }
        check(!segments_offered(client) || calls <= MANY / 10);
        restore_system();
        weir_set_timeout(server, WEIR_NOW);
        check(weir_recv_batch(server, datagrams, 1) == -1);
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    }
    weir_close(client);
    weir_close(server);
}

/* Of times, which the kernel tells first. */
static void what_else_is_told_does_not_hide_the_size(void)
{
    weir_address to, from;
    weir_conn *server = bound(":0", &to), *client = bound(":0", &from);
    int on = 1, all = 1 << 4 | 1 << 3 | 1 << 6; /* SOF_TIMESTAMPING_SOFTWARE, RX_SOFTWARE, RAW_HARDWARE */
    check(setsockopt(weir_fd(server), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0);
    check(setsockopt(weir_fd(server), SOL_SOCKET, SO_TIMESTAMPING, &all, sizeof all) == 0);
    if (setsockopt(weir_fd(server), IPPROTO_UDP, 104 /* UDP_GRO */, &on, sizeof on) == 0) {
        send_many(client, &to, MANY);
        check_many(server, &from, MANY);
    }
    weir_close(client);
    weir_close(server);
}

/* Of 108 bytes there is no NUL, and the kernel tells a length that it would not take back. */
static void a_path_that_fills_its_room_can_be_answered(void)
{
    weir_address to, from;
    weir_conn *server = bound(own("unix:", "to", "?type=datagram"), &to);
    /* Valgrind reads on to a NUL. */
    union {
        struct sockaddr_un address;
        char room[sizeof(struct sockaddr_un) + 1];
    } space = {.room = ""};
    struct sockaddr_un full = {.sun_family = AF_UNIX};
    char path[sizeof full.sun_path + 1] = "/tmp", got[3];
    size_t length = (size_t)snprintf(got, 0, "weir-test-full-%d", (int)getpid());
    memset(path + 4, '/', sizeof full.sun_path - 4);
    snprintf(path + sizeof full.sun_path - length, length + 1, "weir-test-full-%d", (int)getpid());
    memcpy(full.sun_path, path, sizeof full.sun_path);
    int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    space.address = full;
    check(bind(client, (struct sockaddr *)&space, sizeof full) == 0);
    for (int batch = 0; batch < 2; batch++) {
        check(sendto(client, "hi", 2, 0, &to.any, to.length) == 2);
        make_room(ROOM);
        if (batch)
            receive_all(server, 1);
        else
            check(weir_recvfrom(server, rooms[0], ROOM, 0, &from) == 2);
        check(weir_sendto(server, "ho", 2, 0, batch ? &datagrams[0].peer : &from) == 2);
        check(recv(client, got, sizeof got, 0) == 2);
    }
    unlink(path);
    close(client);
    weir_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(one_socket_has_one_address),
        EVERYWHERE(a_star_hears_both_families),
        EVERYWHERE(they_come_and_go_to_whom_they_are_addressed),
        EVERYWHERE(a_unix_socket_has_a_file_until_it_is_closed),
        EVERYWHERE(batches_arrive_whole_and_in_order),
        EVERYWHERE(unix_batches_work_too),
        EVERYWHERE(few_calls_send_many),
        EVERYWHERE(an_error_tells_how_many_went),
        EVERYWHERE(what_is_too_long_is_marked),
        EVERYWHERE(receiving_waits_and_is_woken),
        EVERYWHERE(packed_ones_are_taken_apart),
        EVERYWHERE(what_else_is_told_does_not_hide_the_size),
        EVERYWHERE(a_path_that_fills_its_room_can_be_answered),
    };
    return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
