/* Datagrams that servers receive and answer. */
#include "servers.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <weir/channel.h>
#include <weir/log.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { LARGEST = 65507 };

static weir_server *datagram_server(const weir_server_options *options, const char *endpoint,
                                    weir_datagram_handler *handler, void *arg)
{
    weir_server *server = weir_server_new(options);
    check(server);
    check(weir_server_add_datagrams(server, endpoint, handler, arg) == 0);
    check(weir_server_start(server) == 0);
    return server;
}

static int datagram_client_of(const weir_server *server)
{
    int fd = plain_connected(SOCK_DGRAM, address_in(weir_server_endpoint(server, 0)));
    check(fd >= 0);
    return fd;
}

static void answer(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    check(weir_reply(datagram, datagram->data, datagram->length) == 0 || errno == EPERM);
}

/* --- answers --- */

static void datagrams_are_answered(void **state)
{
    static char sent[LARGEST], got[LARGEST + 1];
    weir_server_options options = options_of(state);
    weir_server *server = datagram_server(&options, ":0", answer, NULL);
    int clients[3];
    uint64_t bytes = 0, count = 0;
    check(strncmp(weir_server_endpoint(server, 0), "udp://127.0.0.1:", 16) == 0);
    for (int i = 0; i < 3; i++)
        clients[i] = datagram_client_of(server);
    for (size_t size = 0; size <= LARGEST; size = size == LARGEST          ? LARGEST + 1
                                                  : size * 3 + 1 < LARGEST ? size * 3 + 1
                                                                           : LARGEST) {
        for (int i = 0; i < 3; i++) {
            memset(sent, 'a' + i, size);
            check(send(clients[i], sent, size, 0) == (ssize_t)size);
            check(recv(clients[i], got, sizeof got, 0) == (ssize_t)size);
            check(memcmp(sent, got, size) == 0);
            bytes += size;
            count++;
        }
    }
    weir_server_stop(server, WEIR_FOREVER);
    check(weir_server_wait(server, SOON) == 0);
    weir_counters counters = counters_of(server);
    check(counters.datagrams_in == count && counters.datagrams_out == count);
    check(counters.bytes_in == bytes && counters.bytes_out == bytes);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    weir_server_free(server);
}

static _Atomic size_t cut_length;

static void note_truncated(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    if (datagram->truncated)
        cut_length = datagram->length;
    weir_reply(datagram, "ok", 2);
}

static void one_that_is_too_long_is_cut_and_marked(void **state)
{
    static char large[100000];
    weir_server_options options = options_of(state);
    char name[64], endpoint[100];
    snprintf(name, sizeof name, "@weir-test-datagrams-%d", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "unix:%s?type=datagram", name);
    weir_server *server = datagram_server(&options, endpoint, note_truncated, NULL);
    weir_address to = address_of(name);
    snprintf(name, sizeof name, "@weir-test-client-%d", (int)getpid());
    int fd = plain_bound(SOCK_DGRAM, name);
    int size = 400000;
    char got[8];
    check(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    cut_length = 0;
    check(sendto(fd, large, sizeof large, 0, &to.any, to.length) == sizeof large);
    check(recv(fd, got, sizeof got, 0) == 2);
    check(cut_length == 65536);
    check(counters_of(server).datagrams_truncated == 1);
    close(fd);
    end_server(server);
}

/* --- handlers that park --- */

static void sleep_if_asked(const weir_datagram *datagram, void *arg)
{
    char text[32];
    (void)arg;
    size_t length = datagram->length < sizeof text ? datagram->length : sizeof text;
    memcpy(text, datagram->data, length);
    if (text[0] == 's')
        weir_sleep(WEIR_MS(50));
    check(datagram->length == length && memcmp(datagram->data, text, length) == 0);
    weir_reply(datagram, text, length);
}

static void a_sleeping_handler_holds_nobody_up(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = datagram_server(&options, ":0", sleep_if_asked, NULL);
    int sleepy = datagram_client_of(server), quick = datagram_client_of(server);
    char got[32] = "";
    for (int i = 0; i < 40; i++) {
        int length = snprintf(got, sizeof got, "sleep %d", i);
        check(send(sleepy, got, (size_t)length, 0) == length);
    }
    for (int i = 0; i < 100; i++) {
        check(send(quick, "quick", 5, 0) == 5);
        check(recv(quick, got, sizeof got, 0) == 5);
    }
    for (int i = 0, seen = 0; i < 40; i++) {
        ssize_t length = recv(sleepy, got, sizeof got - 1, 0);
        check(length > 6);
        got[length] = '\0';
        seen += atoi(got + 6);
        check(i < 39 || seen == 39 * 40 / 2);
    }
    close(sleepy);
    close(quick);
    end_server(server);
}

static void one_by_one_they_wait_for_each_other(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = datagram_server(&options, ":0", sleep_if_asked, NULL);
    int fd = datagram_client_of(server);
    char got[32];
    check(send(fd, "sleeper", 7, 0) == 7);
    check(send(fd, "quick", 5, 0) == 5);
    check(recv(fd, got, sizeof got, 0) == 7);
    check(recv(fd, got, sizeof got, 0) == 5);
    close(fd);
    end_server(server);
}

/* What is answered before a wait leaves before it; what is answered after it, too. */
static void answer_twice(const weir_datagram *datagram, void *gate)
{
    char item;
    weir_reply(datagram, "before", 6);
    weir_channel_receive(gate, &item, WEIR_FOREVER);
    weir_reply(datagram, "between", 7);
    weir_channel_receive(gate, &item, WEIR_FOREVER);
}

static void answers_do_not_wait_for_handlers(void **state)
{
    weir_server_options options = options_of(state);
    weir_channel *gate = weir_channel_new(1, 0);
    weir_server *server = datagram_server(&options, ":0", answer_twice, gate);
    int fd = datagram_client_of(server);
    char got[32];
    check(send(fd, "x", 1, 0) == 1);
    check(recv(fd, got, sizeof got, 0) == 6);
    check(weir_channel_send(gate, "x", SOON) == 0);
    check(recv(fd, got, sizeof got, 0) == 7);
    check(weir_channel_send(gate, "x", SOON) == 0);
    close(fd);
    end_server(server);
    weir_channel_free(gate);
}

/* --- who is not answered --- */

static void our_own_socket_is_not_answered(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = 2;
    weir_server *server = datagram_server(&options, ":0", answer, NULL);
    const char *text = address_in(weir_server_endpoint(server, 0));
    weir_address address = address_of(text);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    check(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    check(bind(fd, &address.any, address.length) == 0);
    /* It goes to one of three sockets, ours among them. */
    for (int i = 0; i < 1000 && counters_of(server).replies_refused == 0; i++) {
        check(sendto(fd, "x", 1, 0, &address.any, address.length) == 1);
        weir_sleep(WEIR_MS(1));
        while (recv(fd, &on, sizeof on, MSG_DONTWAIT) > 0)
            ;
    }
    close(fd);
    weir_counters counters = counters_of(server);
    if (counters.datagrams_in) /* else the system gave all of them to the sender itself */
        check(counters.replies_refused == counters.datagrams_in && counters.datagrams_out == 0);
    end_server(server);
}

static void who_has_no_address_is_not_answered(void **state)
{
    weir_server_options options = options_of(state);
    char name[64], endpoint[100];
    snprintf(name, sizeof name, "@weir-test-datagrams-%d", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "unix:%s?type=datagram", name);
    weir_server *server = datagram_server(&options, endpoint, answer, NULL);
    weir_address to = address_of(name);
    snprintf(name, sizeof name, "@weir-test-client-%d", (int)getpid());
    int named = plain_bound(SOCK_DGRAM, name), nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char got[8];
    /* Each after the other, since a place may remember who had it before. */
    for (int i = 0; i < 3; i++) {
        check(sendto(named, "x", 1, 0, &to.any, to.length) == 1);
        check(recv(named, got, sizeof got, 0) == 1);
        check(sendto(nameless, "x", 1, 0, &to.any, to.length) == 1);
        eventually(counters_of(server).replies_refused == (uint64_t)i + 1);
    }
    check(counters_of(server).replies_failed == 0);
    close(named);
    close(nameless);
    end_server(server);
}

static void low_ports_are_not_answered(void **state)
{
    weir_server_options options = options_of(state);
    int fd = -1;
    char low[32];
    for (int port = 900; port < 1024 && fd < 0; port++) {
        snprintf(low, sizeof low, "127.0.0.1:%d", port);
        fd = plain_bound(SOCK_DGRAM, low);
    }
    if (fd < 0)
        skip();
    weir_server *server = datagram_server(&options, ":0", answer, NULL);
    weir_address to = address_of(address_in(weir_server_endpoint(server, 0)));
    check(sendto(fd, "x", 1, 0, &to.any, to.length) == 1);
    eventually(counters_of(server).replies_refused == 1);
    end_server(server);
    options.reply_to_any = true;
    server = datagram_server(&options, ":0", answer, NULL);
    to = address_of(address_in(weir_server_endpoint(server, 0)));
    check(sendto(fd, "x", 1, 0, &to.any, to.length) == 1);
    check(recv(fd, low, sizeof low, 0) == 1);
    close(fd);
    end_server(server);
}

/* An address of this machine that is not loopback; false if it has none. */
static bool other_address(weir_address *address)
{
    struct ifaddrs *list, *one;
    bool found = false;
    if (getifaddrs(&list) < 0)
        return false;
    for (one = list; one && !found; one = one->ifa_next) {
        found = one->ifa_addr && one->ifa_addr->sa_family == AF_INET && !(one->ifa_flags & IFF_LOOPBACK);
        if (found) {
            address->length = sizeof address->ipv4;
            memcpy(&address->ipv4, one->ifa_addr, sizeof address->ipv4);
        }
    }
    freeifaddrs(list);
    return found;
}

static void a_source_has_its_share_of_answers(void **state)
{
    weir_server_options options = options_of(state);
    weir_address to = {0};
    if (!other_address(&to))
        skip();
    options.replies_per_second = 5;
    weir_server *server = datagram_server(&options, "udp://*:0", answer, NULL);
    to.ipv4.sin_port = htons((uint16_t)atoi(strrchr(weir_server_endpoint(server, 0), ':') + 1));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 100; i++)
        check(sendto(fd, "x", 1, 0, &to.any, to.length) == 1);
    eventually(counters_of(server).datagrams_in == 100);
    weir_server_stop(server, WEIR_FOREVER);
    check(weir_server_wait(server, SOON) == 0);
    weir_counters counters = counters_of(server);
    check(counters.datagrams_out + counters.replies_limited == 100);
    check(counters.replies_limited >= 80); /* five a second, and it takes at most a few */
    close(fd);
    weir_server_free(server);
}

static void only_a_servers_datagram_can_be_answered(void **state)
{
    weir_datagram datagram = {0};
    (void)state;
    check(weir_reply(&datagram, "x", 1) < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
}

/* --- many --- */

static void what_the_system_drops_is_counted(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = 1;
    options.listen.socket.receive_buffer = 4096;
    weir_server *server = weir_server_new(&options);
    check(weir_server_add_datagrams(server, ":0", answer, NULL) == 0);
    int fd = datagram_client_of(server);
    enum { SENT = 500 };
    for (int i = 0; i < SENT; i++)
        check(send(fd, "x", 1, 0) == 1);
    check(weir_server_start(server) == 0);
    eventually(counters_of(server).datagrams_in + counters_of(server).datagrams_dropped == SENT);
    check(counters_of(server).datagrams_dropped > 0);
    weir_server_stop(server, WEIR_FOREVER);
    check(weir_server_wait(server, SOON) == 0);
    check(counters_of(server).datagrams_in + counters_of(server).datagrams_dropped == SENT);
    close(fd);
    weir_server_free(server);
}

static void what_was_queued_is_answered_at_the_stop(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = 1;
    weir_server *server = weir_server_new(&options);
    char got[8];
    check(weir_server_add_datagrams(server, ":0", answer, NULL) == 0);
    int fd = datagram_client_of(server);
    for (int i = 0; i < 100; i++)
        check(send(fd, "x", 1, 0) == 1);
    check(weir_server_start(server) == 0);
    weir_server_stop(server, WEIR_FOREVER);
    check(weir_server_wait(server, SOON) == 0);
    for (int i = 0; i < 100; i++)
        check(recv(fd, got, sizeof got, 0) == 1);
    check(counters_of(server).datagrams_out == 100);
    close(fd);
    weir_server_free(server);
}

/* Where there is no time to serve them, they are counted. */
static void what_was_queued_is_counted_where_time_is_up(void **state)
{
    weir_server_options options = options_of(state);
    options.workers = 1;
    weir_server *server = weir_server_new(&options);
    check(weir_server_add_datagrams(server, ":0", answer, NULL) == 0);
    int fd = datagram_client_of(server);
    for (int i = 0; i < 100; i++)
        check(send(fd, "x", 1, 0) == 1);
    check(weir_server_start(server) == 0);
    weir_server_stop(server, WEIR_NOW);
    check(weir_server_wait(server, SOON) == 0);
    weir_counters counters = counters_of(server);
    check(counters.datagrams_in + counters.datagrams_dropped == 100);
    close(fd);
    weir_server_free(server);
}

static void sleep_for_ever(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    weir_reply(datagram, "x", 1);
    check(weir_sleep(WEIR_S(1000)) < 0 && errno == ECANCELED);
}

static void the_deadline_cuts_handlers(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = datagram_server(&options, ":0", sleep_for_ever, NULL);
    int fd = datagram_client_of(server);
    char got[8];
    check(send(fd, "x", 1, 0) == 1);
    check(recv(fd, got, sizeof got, 0) == 1);
    weir_server_stop(server, weir_deadline(WEIR_MS(20)));
    check(weir_server_wait(server, SOON) == 0);
    check(counters_of(server).cancelled == 1);
    close(fd);
    weir_server_free(server);
}

static void stop_server(const weir_datagram *datagram, void *server)
{
    weir_reply(datagram, "bye", 3);
    weir_server_stop(*(weir_server **)server, WEIR_FOREVER);
}

static void a_handler_stops_its_server(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = weir_server_new(&options);
    char got[8];
    check(weir_server_add_datagrams(server, ":0", stop_server, &server) == 0);
    check(weir_server_start(server) == 0);
    int fd = datagram_client_of(server);
    check(send(fd, "x", 1, 0) == 1);
    check(recv(fd, got, sizeof got, 0) == 3);
    check(weir_server_wait(server, SOON) == 0);
    close(fd);
    weir_server_free(server);
}

/* Ten datagrams of 100 bytes in one call: whether the kernel keeps them together or not, the handler sees ten. */
static void packed_datagrams_are_taken_apart(void **state)
{
    weir_server_options options = options_of(state);
    char sent[950], got[200];
    int segment = 100;
    options.receive_packed = true;
    options.workers = 1;
    weir_server *server = datagram_server(&options, ":0", sleep_if_asked, NULL);
    int fd = datagram_client_of(server);
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0) {
        close(fd);
        weir_server_free(server);
        skip();
    }
    segment = 20;
    check(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0);
    for (int i = 0; i < 950; i++)
        sent[i] = i % 60 < 20 ? 's' : 'q'; /* one in three sleeps, and keeps what is behind it from nobody */
    check(send(fd, sent, sizeof sent, 0) == sizeof sent);
    int whole = 0, rest = 0;
    for (int i = 0; i < 48; i++) {
        ssize_t length = recv(fd, got, sizeof got, 0);
        whole += length == 20;
        rest += length == 10;
    }
    check(whole == 47 && rest == 1);
    check(counters_of(server).datagrams_in == 48);
    close(fd);
    end_server(server);
}

int main(void)
{
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    const struct CMUnitTest tests[] = {
        IN_EVERY_MODE(datagrams_are_answered),
        WITH_FIBERS(one_that_is_too_long_is_cut_and_marked),
        AT_ONCE(a_sleeping_handler_holds_nobody_up),
        ONE_BY_ONE(one_by_one_they_wait_for_each_other),
        IN_EVERY_MODE(answers_do_not_wait_for_handlers),
        WITH_FIBERS(our_own_socket_is_not_answered),
        WITH_FIBERS(who_has_no_address_is_not_answered),
        WITH_FIBERS(low_ports_are_not_answered),
        IN_EVERY_MODE(what_was_queued_is_counted_where_time_is_up),
        WITH_FIBERS(a_source_has_its_share_of_answers),
        cmocka_unit_test(only_a_servers_datagram_can_be_answered),
        WITH_FIBERS(what_the_system_drops_is_counted),
        IN_EVERY_MODE(what_was_queued_is_answered_at_the_stop),
        IN_EVERY_MODE(the_deadline_cuts_handlers),
        IN_EVERY_MODE(a_handler_stops_its_server),
        WITH_FIBERS(packed_datagrams_are_taken_apart),
    };
    return cmocka_run_group_tests_name("server_datagrams", tests, NULL, NULL);
}
