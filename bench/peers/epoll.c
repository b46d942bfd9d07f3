/*
 * TCP echo by hand on level-triggered epoll: one receive an event into one shared 64 KiB buffer,
 * the answer sent at once. Only what the socket refused is copied aside; until it is gone the
 * connection is not read, so a slow client holds at most one buffer.
 */
#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024 };

struct conn {
    int fd;
    char *unsent; /* NULL while the client keeps up */
    size_t start, end;
};

static char buffer[PEER_BUFFER];

static void watch(int epoll, int op, struct conn *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, op, c->fd, &event) < 0)
        peer_fail("epoll_ctl");
}

static void drop(struct conn *c)
{
    close(c->fd);
    free(c->unsent);
    free(c);
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        if (!c)
            peer_fail("calloc");
        c->fd = fd;
        watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN);
    }
}

/* Copies what could not be sent and waits for room instead of input. */
static void keep_unsent(int epoll, struct conn *c, const char *bytes, size_t length)
{
    c->unsent = malloc(length);
    if (!c->unsent)
        peer_fail("malloc");
    memcpy(c->unsent, bytes, length);
    c->start = 0;
    c->end = length;
    watch(epoll, EPOLL_CTL_MOD, c, EPOLLOUT);
}

static void on_writable(int epoll, struct conn *c)
{
    ssize_t sent = send(c->fd, c->unsent + c->start, c->end - c->start, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            drop(c);
        return;
    }
    c->start += (size_t)sent;
    if (c->start < c->end)
        return;
    free(c->unsent);
    c->unsent = NULL;
    watch(epoll, EPOLL_CTL_MOD, c, EPOLLIN);
}

static void on_readable(int epoll, struct conn *c)
{
    ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(c);
        return;
    }
    ssize_t sent = send(c->fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        drop(c);
    else if (sent < got)
        keep_unsent(epoll, c, buffer + (sent < 0 ? 0 : sent), (size_t)(sent < 0 ? got : got - sent));
}

static void dispatch(int epoll, int listener, struct conn *c)
{
    if (!c)
        accept_all(epoll, listener);
    else if (c->unsent)
        on_writable(epoll, c);
    else
        on_readable(epoll, c);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};
    int listener = peer_listen(argc, argv, SOCK_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) < 0)
        peer_fail("epoll");
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            dispatch(epoll, listener, events[i].data.ptr);
    }
}
