/*
 * What every peer needs before its loop begins: a port from the command line, a socket on
 * 127.0.0.1, the line that tells the harness where to connect. Written once, so that each peer's
 * own file holds nothing but the loop that is measured.
 */
#ifndef PEERS_COMMON_H
#define PEERS_COMMON_H

#include <netinet/in.h>
#include <stdint.h>

enum {
    PEER_BUFFER = 64 * 1024, /* what one receive may take, the same for every peer */
    PEER_BACKLOG = 4096,
};

/* Ends the process with a line that names the step and errno's reason. */
_Noreturn void peer_fail(const char *step);

/*
 * The address to serve: 127.0.0.1 and the port in argv[1] (0 lets the kernel choose). Raises the
 * descriptor limit to the hard one and ignores SIGPIPE, which every server here needs.
 */
struct sockaddr_in peer_address(int argc, char **argv);

/*
 * A listening TCP socket for that address. TCP_NODELAY is set on the listener, from which Linux
 * lets accepted sockets inherit it: one system call less a connection. flags are socket(2)'s.
 */
int peer_listen(int argc, char **argv, int flags);

/* A UDP socket bound to that address. */
int peer_bind_udp(int argc, char **argv, int flags);

/* Prints "ready PORT" for a socket that is bound; peer_listen and peer_bind_udp have done it. */
void peer_ready(int fd);

#endif
