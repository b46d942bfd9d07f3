/*
 * Connections that do not stay: connect, one message, its echo, close, and again. The client
 * closes first, as real ones do, so what is measured includes the server's whole accept and close.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "stream.h"

enum { EVENTS = 1024 };

static unsigned opened;
static int64_t *began; /* when each connection was begun: its latency is that of the whole life */

static void reopen(struct stream *s, const struct stream *first, int epoll)
{
    began[s - first] = now();
    stream_open(s, epoll, opened++);
    s->allowed = 1;
    s->started[0] = began[s - first];
}

static void serve_event(struct stream *s, const struct stream *first, int epoll, uint32_t events)
{
    enum stream_state state = STREAM_OPEN;
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        state = stream_receive(s, 1);
    else
        state = stream_send(s, epoll);
    if (state == STREAM_OPEN && s->echoed == 0)
        return;
    stream_close(s);
    reopen(s, first, epoll);
}

static void turn(const struct stream *first, int epoll)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++)
        serve_event(events[i].data.ptr, first, epoll, events[i].events);
}

void run_churn(void)
{
    int epoll = open_epoll();
    struct stream *streams = calloc(options.connections, sizeof *streams);
    began = calloc(options.connections, sizeof *began);
    if (!streams || !began)
        fail("calloc");
    options.depth = 1;
    for (unsigned i = 0; i < options.connections; i++)
        reopen(&streams[i], streams, epoll);
    while (clock_tick(now()))
        turn(streams, epoll);
}
