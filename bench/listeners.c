/*
 * Many listeners of a stream over HTTP, who read all that comes: listeners PORT PATH COUNT SETTLE SECONDS PID. When
 * all are answered they listen for SETTLE seconds, and then for SECONDS in which the CPU time of the process PID is
 * measured. What comes is counted and dropped. An answer that ends is a failure. Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

enum { AT_ONCE = 40, PAUSE_MS = 1, EVENTS = 512, PATIENCE_MS = 120000, HEAD = 4096, MUCH = 1 << 20, SOURCES = 100 };

struct listener {
    int fd;
    bool asked, answered;
    uint64_t bytes, before; /* so far, and when the measuring began */
};

static struct listener *listeners;
static unsigned count, answered, refused;
static int epoll;
static const char *path;
static uint16_t port;

_Noreturn void fail(const char *what); /* process.c's too */

void fail(const char *what)
{
    fprintf(stderr, "listeners: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- one --- */

/* From many addresses, so that no server takes them for one, and ports do not run out. */
static int connect_to(unsigned index)
{
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((127U << 24) + 2 + index % SOURCES)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        fail("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        fail("connect");
    return fd;
}

static void watch(struct listener *listener, int change, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = listener};
    if (epoll_ctl(epoll, change, listener->fd, &event) < 0)
        fail("epoll_ctl");
}

/* It may take a while: icecast2 has a queue of five, and who finds it full tries again after a second. */
static void open_one(unsigned index)
{
    listeners[index].fd = connect_to(index);
    watch(&listeners[index], EPOLL_CTL_ADD, EPOLLOUT);
}

/* Who is sent away before an answer comes again; that is told. */
static void come_again(struct listener *listener)
{
    unsigned index = (unsigned)(listener - listeners);
    if (++refused > count)
        fail("most listeners are sent away");
    close(listener->fd);
    listener->asked = false;
    open_one(index);
}

static void ask(struct listener *listener)
{
    char request[512];
    int length =
        snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n", path);
    if (send(listener->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        come_again(listener);
        return;
    }
    listener->asked = true;
    watch(listener, EPOLL_CTL_MOD, EPOLLIN);
}

static ssize_t read_head(struct listener *listener)
{
    char head[HEAD];
    ssize_t length = recv(listener->fd, head, sizeof head - 1, MSG_DONTWAIT);
    if (length <= 0) {
        come_again(listener);
        errno = EAGAIN;
        return -1;
    }
    if (length < 12 || strncmp(head + 8, " 200", 4) != 0) {
        fprintf(stderr, "listeners: the answer is %.*s\n", (int)length, head);
        exit(1);
    }
    listener->answered = true;
    answered++;
    return length;
}

/* The kernel drops what is read without copying it. */
static void read_some(struct listener *listener)
{
    ssize_t length =
        listener->answered ? recv(listener->fd, NULL, MUCH, MSG_TRUNC | MSG_DONTWAIT) : read_head(listener);
    if (length == 0)
        errno = ECONNRESET;
    if (length == 0 || (length < 0 && errno != EAGAIN))
        fail("a listener was dropped");
    listener->bytes += length > 0 ? (uint64_t)length : 0;
}

/* --- all --- */

static void serve_events(int timeout)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, timeout);
    if (ready < 0 && errno != EINTR)
        fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
        struct listener *listener = events[i].data.ptr;
        if (listener->asked)
            read_some(listener);
        else
            ask(listener);
    }
}

static void open_all(void)
{
    for (unsigned i = 0; i < count; i++) {
        open_one(i);
        serve_events(PAUSE_MS);
        double until = now() + PATIENCE_MS / 1e3;
        while (i + 1 - answered >= AT_ONCE || (i + 1 == count && answered < count)) {
            serve_events(100);
            if (now() > until) {
                errno = ETIMEDOUT;
                fail("waiting for an answer");
            }
        }
    }
}

static void listen_for(double seconds)
{
    for (double until = now() + seconds, left = seconds; left > 0; left = until - now())
        serve_events((int)(left * 1e3) + 1);
}

static void tell(pid_t server, double seconds, double cpu, long rss_before, long rss_after)
{
    uint64_t all = 0, least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t bytes = listeners[i].bytes - listeners[i].before;
        all += bytes;
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
    }
    printf("{\"listeners\": %u, \"refused\": %u, \"seconds\": %.3f, \"cpu_seconds\": %.6f, \"bytes\": %llu, \"least\": "
           "%llu, \"most\": "
           "%llu, "
           "\"rss_before_kib\": %ld, \"rss_after_kib\": %ld, \"server\": %d}\n",
           count, refused, seconds, cpu, (unsigned long long)all, (unsigned long long)least, (unsigned long long)most,
           rss_before, rss_after, (int)server);
}

static void measure(pid_t server, double seconds, long rss_before)
{
    for (unsigned i = 0; i < count; i++)
        listeners[i].before = listeners[i].bytes;
    double began = now(), cpu = process_cpu(server);
    listen_for(seconds);
    cpu = process_cpu(server) - cpu;
    tell(server, now() - began, cpu, rss_before, process_rss(server));
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fputs("usage: listeners PORT PATH COUNT SETTLE SECONDS PID\n", stderr);
        return 2;
    }
    pid_t server = (pid_t)atoi(argv[6]);
    port = (uint16_t)atoi(argv[1]);
    path = argv[2];
    count = (unsigned)atoi(argv[3]);
    listeners = calloc(count, sizeof *listeners);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!listeners || epoll < 0)
        fail("begin");
    allow_descriptors();
    long rss_before = process_rss(server);
    open_all();
    listen_for(atof(argv[4]));
    measure(server, atof(argv[5]), rss_before);
    return 0;
}
