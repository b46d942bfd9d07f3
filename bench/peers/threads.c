/* TCP echo with a thread a connection and calls that block. */
#include "common.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* Glibc reserves 8 MiB a thread unless told otherwise; only touched pages are paid for, but
 * thousands of connections would exhaust the address space some systems allow. */
enum { STACK = PEER_BUFFER + 64 * 1024 };

static bool send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void *serve(void *argument)
{
    char buffer[PEER_BUFFER];
    int fd = (int)(intptr_t)argument;
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0)
        if (!send_all(fd, buffer, (size_t)got))
            break;
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    int listener = peer_listen(argc, argv, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
}
