/* What every kind of load needs: sockets towards the server, epoll, and bytes to send. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORTS_TRUSTED = 8192, /* connections one source address is sure to have ports for */
    SOURCES = 200,        /* source addresses used, from 127.0.0.2 on */
    PATTERN_STEPS = 4096, /* messages until the pattern repeats */
};

static char *pattern_bytes;

/* Connections that were closed keep their ports for a while, so churn needs many addresses. */
static bool one_source_suffices(void)
{
    return options.kind != LOAD_CHURN && options.connections <= PORTS_TRUSTED;
}

static int choose_source(int fd, unsigned index)
{
    int on = 1;
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl((127U << 24) + 2 + index % SOURCES),
    };
    if (one_source_suffices())
        return 0;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0)
        return -1;
    return bind(fd, (struct sockaddr *)&source, sizeof source);
}

int open_socket(int type, unsigned index)
{
    int on = 1;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (choose_source(fd, index) == 0 &&
        (connect(fd, (struct sockaddr *)&options.server, sizeof options.server) == 0 || errno == EINPROGRESS))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

void make_pattern(void)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    size_t length = options.size + PATTERN_STEPS;
    pattern_bytes = malloc(length);
    if (!pattern_bytes)
        fail("malloc");
    for (size_t i = 0; i < length; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        pattern_bytes[i] = (char)(state >> 56);
    }
}

const char *pattern(uint64_t n)
{
    return pattern_bytes + n % PATTERN_STEPS;
}

int open_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    return epoll;
}

void watch(int epoll, int op, int fd, uint32_t events, void *pointer)
{
    struct epoll_event event = {.events = events, .data.ptr = pointer};
    if (epoll_ctl(epoll, op, fd, &event) < 0)
        fail("epoll_ctl");
}
