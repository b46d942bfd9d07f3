/* One connection of the load; see stream.h. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[256 * 1024];

void stream_open(struct stream *s, int epoll, unsigned index)
{
    int64_t *started = s->started ? s->started : calloc(options.depth, sizeof *started);
    *s = (struct stream){.started = started, .first = index * 31U, .wants_room = true};
    s->fd = open_socket(SOCK_STREAM, index);
    if (s->fd < 0 || !started)
        fail("connect");
    watch(epoll, EPOLL_CTL_ADD, s->fd, EPOLLIN | EPOLLOUT, s);
}

void stream_close(struct stream *s)
{
    close(s->fd);
    s->fd = -1;
}

static void want_room(struct stream *s, int epoll, bool wants)
{
    if (s->wants_room != wants)
        watch(epoll, EPOLL_CTL_MOD, s->fd, EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0), s);
    s->wants_room = wants;
}

static enum stream_state broken(const char *what, ssize_t result_of_call)
{
    if (result_of_call >= 0)
        errno = 0;
    count_error(what);
    return STREAM_BROKEN;
}

enum stream_state stream_send(struct stream *s, int epoll)
{
    while (s->sent < s->allowed) {
        const char *bytes = pattern(s->first + s->sent);
        if (s->sent_bytes == 0)
            s->started[s->sent % options.depth] = now();
        ssize_t n = send(s->fd, bytes + s->sent_bytes, options.size - s->sent_bytes, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return broken("send", n);
        s->sent_bytes += n < 0 ? 0 : (size_t)n;
        if (s->sent_bytes < options.size) {
            want_room(s, epoll, true);
            return STREAM_OPEN;
        }
        s->sent++;
        s->sent_bytes = 0;
    }
    want_room(s, epoll, false);
    return STREAM_OPEN;
}

/* Compares what arrived with what was sent, as far as it belongs to one message. */
static size_t check(struct stream *s, const char *bytes, size_t length)
{
    size_t part = options.size - s->echoed_bytes;
    if (part > length)
        part = length;
    if (memcmp(bytes, pattern(s->first + s->echoed) + s->echoed_bytes, part) != 0)
        return 0;
    s->echoed_bytes += part;
    return part;
}

static void finish_message(struct stream *s, uint64_t limit, int64_t time)
{
    count_message(s->started[s->echoed % options.depth], time);
    s->echoed++;
    s->echoed_bytes = 0;
    if (s->allowed < limit)
        s->allowed++;
}

enum stream_state stream_receive(struct stream *s, uint64_t limit)
{
    ssize_t got = recv(s->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN)
        return STREAM_OPEN;
    if (got <= 0)
        return broken(got < 0 ? "recv" : "closed by the server", got);
    int64_t time = now();
    for (size_t at = 0; at < (size_t)got;) {
        size_t part = s->echoed < s->allowed ? check(s, buffer + at, (size_t)got - at) : 0;
        if (part == 0)
            return broken("an echo differs from what was sent", 0);
        at += part;
        if (s->echoed_bytes == options.size)
            finish_message(s, limit, time);
    }
    return STREAM_OPEN;
}
