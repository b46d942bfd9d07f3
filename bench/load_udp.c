/*
 * Datagrams: sockets that each send a numbered one for every one that comes back. One that has no
 * answer in time is counted as lost and replaced, so a full queue does not stop the load.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { EVENTS = 1024, PATIENCE_NS = 500 * 1000 * 1000 };

struct port {
    int fd;
    uint64_t next;    /* number of the next datagram */
    uint64_t oldest;  /* numbers below it are answered or given up */
    unsigned waiting; /* datagrams under way */
    int64_t heard;    /* when the last answer came */
    int64_t *started; /* when each was sent, by number modulo depth; 0 once answered */
};

static char buffer[65536];

/* The first eight bytes are the number, the rest the number's pattern. */
static void compose(uint64_t number)
{
    memcpy(buffer, &number, sizeof number);
    memcpy(buffer + sizeof number, pattern(number), options.size - sizeof number);
}

static void fill(struct port *p)
{
    while (p->waiting < options.depth) {
        compose(p->next);
        p->started[p->next % options.depth] = now();
        if (send(p->fd, buffer, options.size, 0) < 0 && errno != EAGAIN)
            count_error("send");
        p->next++;
        p->waiting++;
    }
}

static void receive(struct port *p, int64_t time)
{
    uint64_t number;
    ssize_t got = recv(p->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0) {
        if (errno != EAGAIN)
            count_error("recv");
        return;
    }
    memcpy(&number, buffer, sizeof number);
    errno = 0;
    if ((size_t)got != options.size || number >= p->next ||
        memcmp(buffer + sizeof number, pattern(number), options.size - sizeof number) != 0) {
        count_error("an echo differs from what was sent");
        return;
    }
    int64_t *started = &p->started[number % options.depth];
    if (number < p->oldest || *started == 0)
        return;
    count_message(*started, time);
    *started = 0;
    p->heard = time;
    p->waiting--;
}

/* Whoever has heard nothing for long gives up all that is under way and begins anew. */
static void give_up(struct port *ports, int64_t time)
{
    for (unsigned i = 0; i < options.connections; i++) {
        struct port *p = &ports[i];
        if (time - p->heard < PATIENCE_NS)
            continue;
        result.lost += p->waiting;
        p->oldest = p->next;
        p->waiting = 0;
        p->heard = time;
        fill(p);
    }
}

static void turn(int epoll)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++) {
        struct port *p = events[i].data.ptr;
        receive(p, now());
        fill(p);
    }
}

static void open_port(struct port *p, int epoll, unsigned index)
{
    p->fd = open_socket(SOCK_DGRAM, index);
    p->started = calloc(options.depth, sizeof *p->started);
    if (p->fd < 0 || !p->started)
        fail("socket");
    p->heard = now();
    watch(epoll, EPOLL_CTL_ADD, p->fd, EPOLLIN, p);
}

void run_udp(void)
{
    int epoll = open_epoll();
    struct port *ports = calloc(options.connections, sizeof *ports);
    int64_t time = now(), checked = time;
    if (!ports)
        fail("calloc");
    for (unsigned i = 0; i < options.connections; i++) {
        open_port(&ports[i], epoll, i);
        fill(&ports[i]);
    }
    for (; clock_tick(time); time = now()) {
        turn(epoll);
        if (time - checked < PATIENCE_NS / 5)
            continue;
        give_up(ports, time);
        checked = time;
    }
}
