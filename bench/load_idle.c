/*
 * Connections that say one thing and then nothing, which shows what an idle one costs. They are
 * opened a few at a time, held for the measured time, and asked once more at the end: a server
 * that saves memory by forgetting its clients fails.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "process.h"
#include "stream.h"

enum { EVENTS = 256, AT_ONCE = 256, PATIENCE_MS = 5000 };

static void serve_event(struct stream *s, int epoll, uint32_t events, uint64_t limit)
{
    enum stream_state state = STREAM_OPEN;
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        state = stream_receive(s, limit);
    if (state == STREAM_OPEN)
        state = stream_send(s, epoll);
    if (state == STREAM_BROKEN)
        fail("an idle connection broke");
}

static bool all_echoed(const struct stream *streams, unsigned count, uint64_t messages)
{
    for (unsigned i = 0; i < count; i++)
        if (streams[i].echoed < messages)
            return false;
    return true;
}

/* Waits until each of count streams has had its messages echoed. */
static void exchange(struct stream *streams, unsigned count, uint64_t messages, int epoll)
{
    struct epoll_event events[EVENTS];
    while (!all_echoed(streams, count, messages)) {
        int ready = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
        if (ready <= 0) {
            errno = ETIMEDOUT;
            fail("waiting for echoes");
        }
        for (int i = 0; i < ready; i++)
            serve_event(events[i].data.ptr, epoll, events[i].events, messages);
    }
}

static unsigned batch(unsigned at)
{
    unsigned left = options.connections - at;
    return left < AT_ONCE ? left : AT_ONCE;
}

static void open_all(struct stream *streams, int epoll)
{
    for (unsigned at = 0; at < options.connections; at += batch(at)) {
        for (unsigned i = at; i < at + batch(at); i++) {
            stream_open(&streams[i], epoll, i);
            streams[i].allowed = 1;
        }
        exchange(streams + at, batch(at), 1, epoll);
    }
}

static void ask_again(struct stream *streams, int epoll)
{
    for (unsigned at = 0; at < options.connections; at += batch(at)) {
        for (unsigned i = at; i < at + batch(at); i++) {
            streams[i].allowed = 2;
            if (stream_send(&streams[i], epoll) == STREAM_BROKEN)
                fail("an idle connection broke");
        }
        exchange(streams + at, batch(at), 2, epoll);
    }
}

static void hold(void)
{
    const struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
    while (clock_tick(now()))
        nanosleep(&step, NULL);
}

static long resident(void)
{
    return options.watched ? process_rss(options.watched) : 0;
}

void run_idle(void)
{
    int epoll = open_epoll();
    struct stream *streams = calloc(options.connections, sizeof *streams);
    if (!streams)
        fail("calloc");
    options.depth = 1;
    result.server_rss_before = resident();
    open_all(streams, epoll);
    hold();
    result.server_rss_after = resident();
    ask_again(streams, epoll);
    result.messages = options.connections;
}
