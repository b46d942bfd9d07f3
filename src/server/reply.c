/*
 * Answering datagrams: whom a server must not answer, how many answers a source gets, and how they leave.
 *
 * An answer to a forged sender makes this server a tool against others, and two servers that answer each other never
 * stop (CVE-1999-0103, CVE-2024-2169).
 */
#include <errno.h>
#include <weir/log.h>

#include "base/error.h"
#include "net/address.h"
#include "server/inlet.h"
#include "server/own.h"

enum { FIRST_UNPRIVILEGED_PORT = 1024 };

/* Where a datagram was sent to; NULL where that can only be the address of the socket. */
static const struct weir__destination *destination_of(const weir_datagram *datagram)
{
    return datagram->origin->inlet->destinations ? &datagram->origin->destination : NULL;
}

/*
 * Why a datagram may not be answered; NULL if it may. The kernel refuses (EACCES) to send to the broadcast address of a
 * network.
 */
static const char *refusal(const weir_datagram *datagram)
{
    const weir_address *peer = &datagram->peer;
    const struct weir__destination *destination = destination_of(datagram);
    if (peer->length == 0)
        return "its sender has no address";
    if (peer->any.sa_family != AF_UNIX) {
        if (weir_address_port(peer) < FIRST_UNPRIVILEGED_PORT)
            return "a sender with a port below 1024 is not answered";
        if (weir__address_is_group(peer) || (destination && destination->group))
            return "broadcast and multicast are not answered";
    }
    return weir__own_has(peer) ? "it came from one of our own sockets" : NULL;
}

static void log_source(struct weir__inlet *inlet, const weir_address *peer, int64_t times)
{
    char text[WEIR_ADDRESS_TEXT];
    if (times)
        weir_log(WEIR_LOG_WARNING, "%s: more than %lld datagrams a second from %s: %lld not answered",
                 inlet->place->text, (long long)inlet->worker->server->options.replies_per_second,
                 weir_address_text(peer, text, sizeof text), (long long)times);
}

static int refuse(const weir_address *peer, const char *reason)
{
    char text[WEIR_ADDRESS_TEXT];
    return weir_fail(WEIR_ERROR_LIMIT, EPERM, "reply", weir_address_text(peer, text, sizeof text), "%s", reason);
}

/* Whether a datagram may be answered now; 0 or -1. */
static int check(const weir_datagram *datagram)
{
    struct weir__inlet *inlet = datagram->origin->inlet;
    const weir_address *peer = &datagram->peer;
    weir_server *server = inlet->worker->server;
    int64_t to_log;
    const char *reason = server->options.reply_to_any ? NULL : refusal(datagram);
    if (reason) {
        weir__count(inlet->worker->counters, replies_refused, 1);
        return refuse(peer, reason);
    }
    if (weir__budget_take(server->budget, weir__address_key(peer), weir__now(), server->options.replies_per_second,
                          &to_log))
        return 0;
    weir__count(inlet->worker->counters, replies_limited, 1);
    log_source(inlet, peer, to_log);
    return refuse(peer, "it has had its answers of this second");
}

/* Whether the caller is the handler that the reader runs, and has not parked: then answers wait for the end of the batch. */
static bool may_wait(const struct weir__inlet *inlet)
{
    const struct weir__reader *reader = inlet->reader;
    return weir_loop_self() == inlet->watch.home && reader && reader->fiber == weir_self() && !reader->parked;
}

static int send_now(const weir_datagram *datagram, const void *data, size_t length)
{
    struct weir__inlet *inlet = datagram->origin->inlet;
    const struct weir__destination *from = destination_of(datagram);
    struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)&datagram->peer.any,
        .msg_namelen = datagram->peer.length,
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = from ? (void *)(uintptr_t)from->control : NULL,
        .msg_controllen = from ? from->length : 0,
    };
    ssize_t sent;
    do
        sent = weir__system()->sendmsg(inlet->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        weir__count(inlet->worker->counters, replies_failed, 1);
        return weir__fail_system(errno, "reply", inlet->place->text);
    }
    weir__count(inlet->worker->counters, datagrams_out, 1);
    weir__count(inlet->worker->counters, bytes_out, sent);
    return 0;
}

int weir_reply(const weir_datagram *datagram, const void *data, size_t length)
{
    if (!datagram->origin)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "reply", "", "the datagram did not come to a server's handler");
    struct weir__inlet *inlet = datagram->origin->inlet;
    if (check(datagram) < 0)
        return -1;
    if (!may_wait(inlet))
        return send_now(datagram, data, length);
    if (weir__outbox_put(&inlet->outbox, destination_of(datagram), &datagram->peer, data, length) < 0)
        return weir__fail_system(errno, "reply", inlet->place->text);
    return 0;
}
