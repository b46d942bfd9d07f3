/* UDP echo by hand, one datagram a call: a socket that blocks, recvfrom and sendto. */
#include "common.h"

#include <sys/socket.h>

static char buffer[PEER_BUFFER];

int main(int argc, char **argv)
{
    int fd = peer_bind_udp(argc, argv, 0);
    for (;;) {
        struct sockaddr_in sender;
        socklen_t length = sizeof sender;
        ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&sender, &length);
        if (got >= 0)
            sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&sender, length);
    }
}
