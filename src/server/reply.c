/*
 * Answering datagrams: whom a server must not answer, how many answers a source gets, and how they leave.
 *
 * An answer to a forged sender makes this server a tool against others, and two servers that answer each other never
 * stop (CVE-1999-0103, CVE-2024-2169).
 */
#include <errno.h>
#include <string.h>
#include <weir/log.h>

#include "base/error.h"
#include "server/inlet.h"
#include "server/own.h"

enum { FIRST_UNPRIVILEGED_PORT = 1024 };

static bool is_group(const weir_address *address)
{
    struct in_addr ipv4 = address->ipv4.sin_addr;
    if (address->any.sa_family == AF_INET6) {
        if (!IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr))
            return IN6_IS_ADDR_MULTICAST(&address->ipv6.sin6_addr);
        memcpy(&ipv4, address->ipv6.sin6_addr.s6_addr + 12, sizeof ipv4);
    }
    return IN_MULTICAST(ntohl(ipv4.s_addr)) || ipv4.s_addr == htonl(INADDR_BROADCAST);
}

/* Why a sender may not be answered; NULL if it may. The broadcast address of a network is refused by the kernel (EACCES). */
static const char *refusal(const weir_address *peer)
{
    if (peer->any.sa_family != AF_UNIX) {
        if (weir_address_port(peer) < FIRST_UNPRIVILEGED_PORT)
            return "a sender with a port below 1024 is not answered";
        if (is_group(peer))
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

/* Whether the sender may be answered now; 0 or -1. */
static int check(struct weir__inlet *inlet, const weir_address *peer)
{
    weir_server *server = inlet->worker->server;
    int64_t to_log;
    const char *reason = server->options.reply_to_any ? NULL : refusal(peer);
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

static int send_now(struct weir__inlet *inlet, const weir_address *peer, const void *data, size_t length)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)&peer->any,
        .msg_namelen = peer->length,
        .msg_iov = &vector,
        .msg_iovlen = 1,
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
    if (check(inlet, &datagram->peer) < 0)
        return -1;
    if (!may_wait(inlet))
        return send_now(inlet, &datagram->peer, data, length);
    if (weir__outbox_put(&inlet->outbox, &datagram->peer, data, length) < 0)
        return weir__fail_system(errno, "reply", inlet->place->text);
    return 0;
}
