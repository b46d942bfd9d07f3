/* Receiving datagrams, up to 32 a system call, and going through them one by one. */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

#include "net/address.h"
#include "net/batch.h"
#include "server/inlet.h"

enum { FREE_PARCELS = 64, FASTEST = 400 * 1000 * 1000, DROPPED_BATCHES = 8192 };

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* --- parcels --- */

static struct weir__parcel *parcel_new(struct weir__inlet *inlet)
{
    struct weir__parcel *parcel = inlet->free_parcels;
    if (parcel) {
        inlet->free_parcels = parcel->next;
        inlet->free_count--;
        return parcel;
    }
    parcel = malloc(sizeof *parcel); /* only what is received into becomes resident */
    if (!parcel)
        return NULL;
    memset(parcel, 0, offsetof(struct weir__parcel, room));
    parcel->origin.inlet = inlet;
    parcel->datagram.origin = &parcel->origin;
    parcel->datagram.capacity = WEIR__PARCEL_ROOM;
    return parcel;
}

void weir__parcel_free(struct weir__inlet *inlet, struct weir__parcel *parcel)
{
    if (inlet->free_count == FREE_PARCELS) {
        free(parcel);
        return;
    }
    parcel->next = inlet->free_parcels;
    inlet->free_parcels = parcel;
    inlet->free_count++;
}

/* Offers the whole room of a parcel to the next datagram, whatever the last one made of it. */
static void offer(struct weir__inlet *inlet, int i)
{
    struct weir__parcel *parcel = inlet->parcels[i];
    struct msghdr *header = &inlet->messages[i].msg_hdr;
    inlet->vectors[i] = (struct iovec){.iov_base = parcel->room, .iov_len = WEIR__PARCEL_ROOM};
    header->msg_name = &parcel->datagram.peer.any;
    header->msg_namelen = sizeof parcel->datagram.peer - offsetof(weir_address, any);
    header->msg_iov = &inlet->vectors[i];
    header->msg_iovlen = 1;
    if (inlet->packed || inlet->destinations) {
        header->msg_control = parcel->control;
        header->msg_controllen = sizeof parcel->control;
    }
}

/* Readies the batch for receiving. Returns for how many there is room: 32, or fewer without memory. */
static int offer_all(struct weir__inlet *inlet)
{
    for (int i = 0; i < WEIR__BATCH; i++) {
        if (inlet->parcels[i] && i >= inlet->count)
            continue; /* not touched since it was offered */
        if (!inlet->parcels[i] && !(inlet->parcels[i] = parcel_new(inlet)))
            return i;
        offer(inlet, i);
    }
    return WEIR__BATCH;
}

/* --- what came --- */

void weir__batch_ask_packed(struct weir__inlet *inlet)
{
    int on = 1;
    inlet->packed = weir__system()->setsockopt(inlet->watch.fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
}

static void take_in(struct weir__inlet *inlet, int i)
{
    struct weir__parcel *parcel = inlet->parcels[i];
    struct msghdr *header = &inlet->messages[i].msg_hdr;
    parcel->filled = inlet->messages[i].msg_len;
    parcel->packed = inlet->packed ? weir__packed_size(header) : 0;
    if (inlet->destinations)
        weir__destination_read(&parcel->origin.destination, header);
    parcel->datagram.data = parcel->room;
    parcel->datagram.length = parcel->packed && parcel->packed < parcel->filled ? parcel->packed : parcel->filled;
    parcel->datagram.peer.length = weir__told_length(header->msg_namelen);
    parcel->datagram.truncated = header->msg_flags & MSG_TRUNC;
    inlet->bytes += parcel->filled;
    inlet->truncated += parcel->datagram.truncated;
    bool several = parcel->packed && parcel->filled;
    inlet->arrived += several ? (parcel->filled + parcel->packed - 1) / parcel->packed : 1;
}

static void count_in(struct weir__inlet *inlet)
{
    struct weir__counters *counters = inlet->worker->counters;
    weir__count(counters, datagrams_in, inlet->arrived);
    weir__count(counters, bytes_in, inlet->bytes);
    if (inlet->truncated)
        weir__count(counters, datagrams_truncated, inlet->truncated);
    inlet->arrived = inlet->bytes = inlet->truncated = 0;
}

/* --- receiving --- */

/* Want of memory, or a socket that went bad: said rarely, tried again soon. False if cancelled meanwhile. */
static bool trouble(struct weir__inlet *inlet, int error)
{
    int64_t times;
    errno = error;
    if (weir__seldom(&inlet->trouble_line, weir__now(), WEIR_MINUTES(1), &times))
        weir_log(WEIR_LOG_WARNING, "%s: receive: %m (%lld times)", inlet->place->text, (long long)times);
    return weir_sleep(WEIR_MS(10)) == 0;
}

/* Nothing is there: waits until something is. False: cancelled, or nothing more will be read. */
static bool wait_for_more(struct weir__inlet *inlet)
{
    if (inlet->stopping)
        return false;
    if (weir__watch_wait(&inlet->watch, WEIR__READABLE, WEIR_FOREVER, NULL, NULL) == 0)
        return true;
    return errno != ECANCELED && trouble(inlet, errno);
}

static bool too_late(const struct weir__inlet *inlet)
{
    return inlet->cut || (inlet->stopping && weir__now() >= inlet->stop_by);
}

/* One system call. How many came; 0 if there was nothing; -1 with errno. */
static int receive_some(struct weir__inlet *inlet)
{
    int room = offer_all(inlet);
    inlet->count = 0;
    if (room == 0) {
        errno = ENOMEM;
        return -1;
    }
    int count = weir__system()->recvmmsg(inlet->watch.fd, inlet->messages, (unsigned)room, MSG_DONTWAIT);
    /* Fewer than there was room for: that was all, and what comes from now on is told by an event. */
    if (count < room && (count > 0 || errno == EAGAIN))
        weir__watch_clear(&inlet->watch, WEIR__READABLE);
    return count < 0 && errno == EAGAIN ? 0 : count;
}

/* A Unix socket's queue takes a few datagrams of any size (net.unix.max_dgram_qlen), and then its senders wait or fail. */
static bool has_short_queue(const weir_server *server)
{
    for (size_t i = 0; i < server->place_count; i++)
        if (server->places[i]->datagram && server->places[i]->address.any.sa_family == AF_UNIX)
            return true;
    return false;
}

/*
 * Where the receive buffer is small, it would be full at 400 MB a second, as the kernel counts, before a long rest is
 * over. A rest is the thread's: it holds up all of its inlets.
 */
void weir__batch_set_rest(struct weir__inlet *inlet)
{
    int buffer = 0;
    socklen_t length = sizeof buffer;
    const weir_server *server = inlet->worker->server;
    int64_t wanted = server->options.gather_time;
    if (wanted <= 0 || has_short_queue(server) ||
        weir__system()->getsockopt(inlet->watch.fd, SOL_SOCKET, SO_RCVBUF, &buffer, &length) < 0)
        return;
    int64_t most = buffer * WEIR_S(1) / FASTEST;
    inlet->rest = wanted < most ? wanted : most;
}

/*
 * While they keep coming one by one, being woken by each would cost more than all else that is done with it. So the thread
 * rests, in which the kernel need wake nobody. True: it has, and something may have come.
 */
static bool gather(struct weir__inlet *inlet)
{
    struct pollfd nothing = {.fd = -1};
    if (!inlet->gathers || inlet->rest <= 0 || inlet->stopping)
        return false;
    inlet->gathers = false;
    if (weir__threadless())
        return weir_sleep(inlet->rest) == 0;
    weir__system()->poll(&nothing, 0, inlet->rest);
    return true;
}

static void take_in_all(struct weir__inlet *inlet, int count)
{
    inlet->count = count;
    inlet->gathers = true;
    for (int i = 0; i < count; i++)
        take_in(inlet, i);
}

/*
 * What is still queued when time is up goes with the socket: it is counted as dropped, but for what comes without an end. A
 * socket that is others' as well is left to them.
 */
static void drop_rest(struct weir__inlet *inlet)
{
    int count = WEIR__BATCH;
    if (inlet->place->shared)
        return;
    for (int i = 0; i < DROPPED_BATCHES && count == WEIR__BATCH; i++) {
        count = receive_some(inlet);
        take_in_all(inlet, count);
        weir__count(inlet->worker->counters, datagrams_dropped, inlet->arrived);
        inlet->arrived = inlet->bytes = inlet->truncated = 0;
    }
    inlet->count = 0;
}

bool weir__batch_receive(struct weir__inlet *inlet)
{
    bool rested = false;
    inlet->next = 0;
    while (!too_late(inlet)) {
        bool known_empty = !rested && !weir__watch_maybe_ready(&inlet->watch, WEIR__READABLE) && !inlet->stopping;
        int count = known_empty ? 0 : receive_some(inlet);
        if (count > 0) {
            take_in_all(inlet, count);
            count_in(inlet);
            return true;
        }
        rested = count == 0 && gather(inlet);
        if (rested)
            continue;
        bool again = count == 0 ? wait_for_more(inlet) : errno == EINTR || trouble(inlet, errno);
        if (!again)
            return false;
    }
    drop_rest(inlet);
    return false;
}

/* --- one by one --- */

struct weir__parcel *weir__batch_current(struct weir__inlet *inlet)
{
    return inlet->next < inlet->count ? inlet->parcels[inlet->next] : NULL;
}

/* What lies behind the current datagram in its room. */
static size_t left_behind(const struct weir__parcel *parcel)
{
    size_t end = (size_t)(parcel->datagram.data - parcel->room) + parcel->datagram.length;
    return parcel->filled - end;
}

static void show_next(struct weir__parcel *parcel, size_t left)
{
    parcel->datagram.data = parcel->room + (parcel->filled - left);
    parcel->datagram.length = left < parcel->packed ? left : parcel->packed;
}

void weir__batch_advance(struct weir__inlet *inlet)
{
    struct weir__parcel *parcel = inlet->parcels[inlet->next];
    size_t left = left_behind(parcel);
    if (left)
        show_next(parcel, left);
    else
        inlet->next++;
}

/* A parcel with copies of the datagrams that lie behind the current one; NULL if there are none, or no memory for them. */
static struct weir__parcel *copy_rest(struct weir__inlet *inlet, const struct weir__parcel *parcel)
{
    size_t left = left_behind(parcel);
    struct weir__parcel *rest = left ? parcel_new(inlet) : NULL;
    if (!rest)
        return NULL;
    memcpy(rest->room, parcel->room + (parcel->filled - left), left);
    rest->origin = parcel->origin;
    rest->datagram.peer = parcel->datagram.peer;
    rest->datagram.truncated = false;
    rest->packed = parcel->packed;
    rest->filled = left;
    show_next(rest, left);
    return rest;
}

void weir__batch_detach(struct weir__inlet *inlet)
{
    struct weir__parcel *parcel = inlet->parcels[inlet->next];
    inlet->parcels[inlet->next] = copy_rest(inlet, parcel);
    if (!inlet->parcels[inlet->next])
        inlet->next++;
}
