/* Limits of servers: connections, descriptors, addresses, times; and clients that go wrong. */
#include "servers.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/resource.h>
#include <weir/log.h>

/* Whether a client has not been served so far. */
static bool is_waiting(int fd)
{
    struct pollfd descriptor = {fd, POLLIN, 0};
    return poll(&descriptor, 1, 0) == 0;
}

static void send_text(int fd, const char *text)
{
    check(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Waits for what was sent to come back. */
static void receive_text(int fd, const char *text)
{
    char answer[64] = "";
    check(recv(fd, answer, strlen(text), MSG_WAITALL) == (ssize_t)strlen(text));
    check_text(answer, text);
}

/* --- how many --- */

static void accepting_pauses_at_the_limit(void **state)
{
    weir_server_options options = options_of(state);
    options.max_connections = 2;
    options.workers = 2;
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int served[2], waiting[10];
    for (int i = 0; i < 2; i++)
        check(is_echoed(served[i] = client_of(server), "served"));
    for (int i = 0; i < 10; i++)
        send_text(waiting[i] = client_of(server), "waits");
    eventually(counters_of(server).refused_limit > 0);
    check(counters_of(server).active == 2);
    for (int i = 0; i < 10; i++)
        check(is_waiting(waiting[i]));
    check(is_echoed(served[0], "undisturbed"));
    close(served[0]);
    close(served[1]);
    /* All are served, whichever the system gave to which worker: each makes room for another. */
    for (int left = 10; left > 0;) {
        for (int i = 0; i < 10; i++) {
            if (waiting[i] < 0 || is_waiting(waiting[i]))
                continue;
            receive_text(waiting[i], "waits");
            close(waiting[i]);
            waiting[i] = -1;
            left--;
        }
        eventually(counters_of(server).active <= 2); /* a sum over workers, not a snapshot */
    }
    end_server(server);
}

static void clients_are_served_one_by_one(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int clients[5];
    for (int i = 0; i < 5; i++)
        send_text(clients[i] = client_of(server), "turn");
    for (int i = 0; i < 5; i++) {
        receive_text(clients[i], "turn");
        check(counters_of(server).active == 1);
        for (int k = i + 1; k < 5; k++)
            check(is_waiting(clients[k]));
        close(clients[i]);
    }
    check(counters_of(server).refused_limit == 0);
    end_server(server);
}

static void set_descriptor_limit(rlim_t most)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = most;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static _Atomic int lines;

static void count_line(weir_log_level level, const char *message, void *arg)
{
    (void)arg;
    if (level >= WEIR_LOG_WARNING && strstr(message, "accepting pauses"))
        lines++;
}

/* The descriptor limit below which so many are free. */
static rlim_t limit_with_free(int wanted)
{
    int fd = 0;
    while (wanted > 0)
        wanted -= fcntl(fd++, F_GETFD) < 0;
    return (rlim_t)fd;
}

/*
 * Clients and server share the process' table here: two descriptors for the loop, and room for two clients; the rest wait.
 * The limit is there before the start: a multishot accept goes by what it was when it began.
 */
static void accepting_pauses_without_descriptors(void **state)
{
    weir_server_options options = options_of(state);
    struct rlimit before;
    int clients[6];
    check(getrlimit(RLIMIT_NOFILE, &before) == 0);
    options.workers = 1;
    options.max_connections = -1;
    weir_sleep(1); /* gets this thread the descriptor that it waits with */
    lines = 0;
    weir_log_sink(count_line, NULL);
    weir_log_set(WEIR_LOG_WARNING, WEIR_LOG_TEXT);
    weir_server *server = weir_server_new(&options);
    check(weir_server_add(server, "tcp://127.0.0.1:0", echo, NULL) == 0);
    for (int i = 0; i < 6; i++)
        send_text(clients[i] = client_of(server), "hello");
    set_descriptor_limit(limit_with_free(4));
    check(weir_server_start(server) == 0);
    receive_text(clients[0], "hello");
    eventually(counters_of(server).refused_resources > 2);
    check(counters_of(server).active == 2);
    for (int i = 0; i < 6; i++) {
        if (i > 0)
            receive_text(clients[i], "hello");
        check(is_echoed(clients[i], "all is well"));
        close(clients[i]);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    end_server(server);
    check(lines == 1);
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    weir_log_sink(NULL, NULL);
}

/* An address of this machine that is not loopback; false if it has none. */
static bool other_address(char text[INET_ADDRSTRLEN])
{
    struct ifaddrs *list, *one;
    bool found = false;
    if (getifaddrs(&list) < 0)
        return false;
    for (one = list; one && !found; one = one->ifa_next) {
        found = one->ifa_addr && one->ifa_addr->sa_family == AF_INET && !(one->ifa_flags & IFF_LOOPBACK);
        if (found)
            inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr, text, INET_ADDRSTRLEN);
    }
    freeifaddrs(list);
    return found;
}

static void an_address_has_its_share(void **state)
{
    weir_server_options options = options_of(state);
    char host[INET_ADDRSTRLEN], address[64];
    if (!other_address(host))
        skip();
    options.max_per_address = 2;
    weir_server *server = server_with(&options, "tcp://*:0", echo, NULL);
    const char *port = strrchr(weir_server_endpoint(server, 0), ':');
    snprintf(address, sizeof address, "%s%s", host, port);
    int first = plain_connected(SOCK_STREAM, address), second = plain_connected(SOCK_STREAM, address);
    check(is_echoed(first, "one") && is_echoed(second, "two"));
    int third = plain_connected(SOCK_STREAM, address);
    check(has_ended(third));
    check(counters_of(server).refused_address == 1);
    close(first);
    eventually(counters_of(server).active == 1);
    int fourth = plain_connected(SOCK_STREAM, address);
    check(is_echoed(fourth, "again"));
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    for (int i = 0; i < 5; i++) {
        int local = plain_connected(SOCK_STREAM, address);
        check(is_echoed(local, "exempt"));
        close(local);
    }
    close(second);
    close(third);
    close(fourth);
    end_server(server);
}

/* --- how long --- */

static void the_silent_are_closed(void **state)
{
    weir_server_options options = options_of(state);
    options.idle_timeout = WEIR_MS(30);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int fd = client_of(server);
    check(has_ended(fd));
    close(fd);
    eventually(counters_of(server).errors_idle == 1);
    end_server(server);
}

static void nobody_outlives_the_lifetime(void **state)
{
    weir_server_options options = options_of(state);
    options.lifetime = WEIR_MS(50);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int fd = client_of(server);
    while (is_echoed(fd, "busy"))
        ;
    close(fd);
    eventually(counters_of(server).errors_lifetime == 1);
    end_server(server);
}

static void sender(weir_conn *conn, void *arg)
{
    static const char zeros[65536];
    (void)arg;
    while (weir_send_all(conn, zeros, sizeof zeros) == 0)
        ;
}

static void who_takes_nothing_is_closed(void **state)
{
    weir_server_options options = options_of(state);
    options.write_timeout = WEIR_MS(30);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", sender, NULL);
    int fd = client_of(server);
    eventually(counters_of(server).errors_write_timeout == 1);
    check(counters_of(server).bytes_out > 0);
    close(fd);
    end_server(server);
}

static void reader_of_lines(weir_conn *conn, void *arg)
{
    char *line;
    size_t length;
    (void)arg;
    while (weir_read_line(conn, &line, &length, weir_line_limit()) > 0)
        ;
}

static void a_line_must_come_in_time(void **state)
{
    weir_server_options options = options_of(state);
    options.message_timeout = WEIR_MS(50);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", reader_of_lines, NULL);
    int fd = client_of(server);
    send_text(fd, "whole\nonly half");
    check(has_ended(fd));
    close(fd);
    eventually(counters_of(server).errors_message_timeout == 1);
    end_server(server);
}

/* --- faults --- */

static void a_reset_is_one_clients_affair(void **state)
{
    weir_server_options options = options_of(state);
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int well = client_of(server), ill = client_of(server);
    check(is_echoed(well, "before"));
    check(is_echoed(ill, "before"));
    struct linger at_once = {.l_onoff = 1};
    check(setsockopt(ill, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(ill);
    eventually(counters_of(server).errors_reset == 1);
    check(is_echoed(well, "after"));
    close(well);
    end_server(server);
}

int main(void)
{
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    const struct CMUnitTest tests[] = {
        AT_ONCE(accepting_pauses_at_the_limit),
        ONE_BY_ONE(clients_are_served_one_by_one),
        WITH_FIBERS(accepting_pauses_without_descriptors),
        AT_ONCE(an_address_has_its_share),
        IN_EVERY_MODE(the_silent_are_closed),
        IN_EVERY_MODE(nobody_outlives_the_lifetime),
        IN_EVERY_MODE(who_takes_nothing_is_closed),
        IN_EVERY_MODE(a_line_must_come_in_time),
        AT_ONCE(a_reset_is_one_clients_affair),
    };
    return cmocka_run_group_tests_name("server_limits", tests, NULL, NULL);
}
