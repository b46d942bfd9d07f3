/* Connections that stay: each sends a message for every one that comes back. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "stream.h"

enum { EVENTS = 1024 };

static unsigned alive;

static void serve_event(struct stream *s, int epoll, uint32_t events)
{
    enum stream_state state = STREAM_OPEN;
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        state = stream_receive(s, UINT64_MAX);
    if (state == STREAM_OPEN)
        state = stream_send(s, epoll);
    if (state == STREAM_BROKEN) {
        stream_close(s);
        alive--;
    }
}

static void turn(int epoll)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++)
        serve_event(events[i].data.ptr, epoll, events[i].events);
}

void run_tcp(void)
{
    int epoll = open_epoll();
    struct stream *streams = calloc(options.connections, sizeof *streams);
    if (!streams)
        fail("calloc");
    for (alive = 0; alive < options.connections; alive++) {
        stream_open(&streams[alive], epoll, alive);
        streams[alive].allowed = options.depth;
    }
    while (clock_tick(now()) && alive > 0)
        turn(epoll);
}
