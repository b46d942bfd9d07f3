/* What every peer does before its loop begins; see common.h. */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

_Noreturn void peer_fail(const char *step)
{
    perror(step);
    exit(1);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        peer_fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        peer_fail("setrlimit");
}

struct sockaddr_in peer_address(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        exit(2);
    }
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(argv[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

static int bound_socket(int argc, char **argv, int type)
{
    struct sockaddr_in address = peer_address(argc, argv);
    int on = 1;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        peer_fail("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        peer_fail("SO_REUSEADDR");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        peer_fail("bind");
    return fd;
}

int peer_listen(int argc, char **argv, int flags)
{
    int on = 1;
    int fd = bound_socket(argc, argv, SOCK_STREAM | flags);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        peer_fail("TCP_NODELAY");
    if (listen(fd, PEER_BACKLOG) < 0)
        peer_fail("listen");
    peer_ready(fd);
    return fd;
}

int peer_bind_udp(int argc, char **argv, int flags)
{
    int fd = bound_socket(argc, argv, SOCK_DGRAM | flags);
    peer_ready(fd);
    return fd;
}

void peer_ready(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        peer_fail("getsockname");
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
}
