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
        const char *bytes = options.question ? options.question : pattern(s->first + s->sent);
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

/* Compares as much of an answer's rest as has arrived. How much that is; 0: it is another. *whole: it ends there. */
static size_t compare(const struct stream *s, const char *answer, size_t size, const char *bytes, size_t length,
                      bool *whole)
{
    size_t part = size - s->echoed_bytes < length ? size - s->echoed_bytes : length;
    if (memcmp(bytes, answer + s->echoed_bytes, part) != 0)
        return 0;
    *whole = s->echoed_bytes + part == size;
    return part;
}

/* What arrived, as far as it belongs to one answer; 0: to none. */
static size_t check(const struct stream *s, const char *bytes, size_t length, bool *whole)
{
    if (options.answer)
        return compare(s, options.answer, strlen(options.answer), bytes, length, whole);
    if (!options.question)
        return compare(s, pattern(s->first + s->echoed), options.size, bytes, length, whole);
    const char *newline = memchr(bytes, '\n', length);
    *whole = newline;
    return newline ? (size_t)(newline - bytes) + 1 : length;
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
        bool whole = false;
        size_t part = s->echoed < s->allowed ? check(s, buffer + at, (size_t)got - at, &whole) : 0;
        if (part == 0)
            return broken("an answer differs from what was to come", 0);
        at += part;
        s->echoed_bytes += part;
        if (whole)
            finish_message(s, limit, time);
    }
    return STREAM_OPEN;
}
