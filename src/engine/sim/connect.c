/*
 * Connecting. A client asks, again and again with longer pauses as Linux does, until it is answered: by a listener with room,
 * by a reset where nobody listens, or not at all. Unix sockets are connected at once.
 */
#include <errno.h>
#include <poll.h>

#include "engine/sim/stream.h"

/* When Linux asks, in s after connect(2) (tcp_syn_retries is 6); after the last it gives up. */
static const unsigned char asked_at[] = {0, 1, 3, 7, 15, 31, 63, 127};

enum { TRIES = sizeof asked_at - 1 };

static int fail(int number)
{
    errno = number;
    return -1;
}

static bool is_dead(const struct weir__sim_stream *client)
{
    union weir__sim_address plain;
    weir__sim_plain_address(&client->other.any, client->other_length, &plain);
    return weir__sim_is_dead(&plain.any);
}

/* --- asking --- */

static void ask(void *arg);

static void ask_later(struct weir__sim_stream *client)
{
    int64_t at;
    do
        at = client->begun + WEIR_S(asked_at[++client->tries]);
    while (client->tries < TRIES && at <= weir__sim_here->now);
    client->step = weir__sim_at(weir__sim_later(at, weir__sim_here->now), ask, client);
}

static void arrived(void *arg)
{
    struct weir__sim_stream *end = arg;
    end->step = NULL;
    weir__sim_arrived(end);
}

/* The listener has answered. Where the server never saw it, this end alone takes it that there is a connection. */
static void answered(void *arg)
{
    struct weir__sim_stream *client = arg;
    client->step = NULL;
    client->state = WEIR__SIM_CONNECTED;
    weir__sim_trace(&client->object, "connected", 0, NULL, 0);
    weir__sim_changed(&client->object, POLLOUT);
    if (!client->send_room)
        weir__sim_draw_rooms(client);
    if (client->peer)
        client->peer->step = weir__sim_at(weir__sim_arrival_at(client, client->peer, 0), arrived, client->peer);
    else if (client->verdict == WEIR__SIM_ONE_SIDED)
        weir__sim_sever(client);
}

static void refused(void *arg)
{
    struct weir__sim_stream *client = arg;
    client->step = NULL;
    weir__sim_break(client, ECONNREFUSED);
}

static void answer(struct weir__sim_stream *client, void (*function)(void *arg))
{
    int64_t open = weir__sim_open_at(client->far, client->object.host);
    int64_t at = weir__sim_later(open, weir__sim_here->now) + weir__sim_transit(client->far, client->object.host, 0);
    client->step = weir__sim_at(at, function, client);
}

/* At the server's host. */
static void asked(void *arg)
{
    struct weir__sim_stream *client = arg;
    client->step = NULL;
    struct weir__sim_binding *binding = weir__sim_find(client->far, &client->other.any, false);
    struct weir__sim_stream *listener = binding ? weir__sim_stream(binding->object) : NULL;
    if (!listener || client->verdict == WEIR__SIM_REFUSED)
        answer(client, refused);
    else if (client->verdict != WEIR__SIM_ONE_SIDED &&
             (weir__sim_queue_full(listener) || !weir__sim_arrive(listener, client)))
        ask_later(client);
    else
        answer(client, answered);
}

/* A host that is not there, a partition, and a fault as long as there are any let nothing through. */
static bool is_lost(const struct weir__sim_stream *client)
{
    if (!client->far || is_dead(client))
        return true;
    if (client->verdict == WEIR__SIM_UNANSWERED && weir__sim_here->now < weir__sim_here->faults_end)
        return true;
    return weir__sim_open_at(client->object.host, client->far) > weir__sim_here->now;
}

static void ask(void *arg)
{
    struct weir__sim_stream *client = arg;
    client->step = NULL;
    if (client->tries >= TRIES) {
        weir__sim_break(client, ETIMEDOUT);
        return;
    }
    if (is_lost(client)) {
        ask_later(client);
        return;
    }
    int64_t at = weir__sim_here->now + weir__sim_transit(client->object.host, client->far, 0);
    client->step = weir__sim_at(at, asked, client);
}

/* --- connect(2) of tcp --- */

/* Of addresses that nobody has, those of the simulation's own networks are silent, and others are known not to be reached. */
static bool has_route(const struct sockaddr *address)
{
    struct weir__sim_spot spot = weir__sim_spot(address);
    return spot.ip4 ? spot.ip.s6_addr[12] == 10 : spot.ip.s6_addr[0] == 0xfd;
}

/* The address as the socket keeps it: in its family, and loopback for the wildcard. */
static int choose_peer(struct weir__sim_stream *client, const struct sockaddr *address, socklen_t length)
{
    int family = client->binding.family;
    if (length < (family == AF_INET ? sizeof client->other.ip4 : sizeof client->other.ip6))
        return fail(EINVAL);
    if (address->sa_family != family)
        return fail(EAFNOSUPPORT);
    struct weir__sim_spot spot = weir__sim_spot(address);
    if (spot.any) {
        struct weir__sim_spot loopback = weir__sim_spot_source(client->object.host, &spot);
        spot.ip = loopback.ip;
    }
    client->other_length = weir__sim_spot_address(&spot, family, &client->other);
    client->far = weir__sim_host_at(client->object.host, &client->other.any);
    if (!client->far && !is_dead(client) && !has_route(&client->other.any))
        return fail(ENETUNREACH);
    return 0;
}

/* Another connection between the very same two ends. */
static bool exists(const struct weir__sim_stream *client)
{
    const struct weir__list *link;
    weir__list_each(link, &weir__sim_here->streams)
    {
        const struct weir__sim_stream *one = weir__list_entry(link, struct weir__sim_stream, all);
        struct weir__sim_spot own = weir__sim_spot(&client->binding.address.any);
        if (one == client || one->object.host != client->object.host || weir__sim_is_local(one) ||
            one->state == WEIR__SIM_FRESH || one->state == WEIR__SIM_LISTENING || one->state == WEIR__SIM_BROKEN)
            continue;
        struct weir__sim_spot its = weir__sim_spot(&one->binding.address.any);
        struct weir__sim_spot peer = weir__sim_spot(&client->other.any), its_peer = weir__sim_spot(&one->other.any);
        if (own.port == its.port && peer.port == its_peer.port && IN6_ARE_ADDR_EQUAL(&own.ip, &its.ip) &&
            IN6_ARE_ADDR_EQUAL(&peer.ip, &its_peer.ip))
            return true;
    }
    return false;
}

static int choose_own(struct weir__sim_stream *client)
{
    struct weir__sim_binding *binding = &client->binding;
    bool chosen = !binding->length || weir__sim_spot(&binding->address.any).port == 0;
    if (weir__sim_bind_towards(binding, &client->other.any) < 0)
        return -1;
    client->chosen_port = chosen;
    return !chosen && exists(client) ? fail(EADDRNOTAVAIL) : 0;
}

static enum weir__sim_verdict judge(void)
{
    return weir__sim_strikes(WEIR_SIM_CONNECT)
               ? (enum weir__sim_verdict)weir__sim_between(WEIR__SIM_REFUSED, WEIR__SIM_UNANSWERED)
               : WEIR__SIM_FAIR;
}

static int begin_connecting(struct weir__sim_stream *client, const struct sockaddr *address, socklen_t length)
{
    if (choose_peer(client, address, length) < 0 || choose_own(client) < 0) {
        client->other_length = 0;
        return -1;
    }
    client->state = WEIR__SIM_CONNECTING;
    client->verdict = judge();
    client->begun = weir__sim_here->now;
    client->tries = 0;
    ask(client);
    return fail(EINPROGRESS);
}

/* connect(2) once more: how it stands. */
static int connect_again(struct weir__sim_stream *client)
{
    if (client->state == WEIR__SIM_CONNECTING)
        return fail(EALREADY);
    bool told = client->connect_told;
    client->connect_told = true;
    if (client->state != WEIR__SIM_BROKEN || told)
        return told ? fail(EISCONN) : 0;
    int error = weir__sim_take_error(client);
    weir__sim_disconnect(client);
    return fail(error ? error : ECONNABORTED);
}

/* --- Unix sockets --- */

static int connect_local(struct weir__sim_stream *client, const struct sockaddr *address, socklen_t length)
{
    if (client->state == WEIR__SIM_CONNECTED)
        return fail(EISCONN);
    if (length <= sizeof(sa_family_t) || length > sizeof client->other.local || address->sa_family != AF_UNIX)
        return fail(EINVAL);
    struct weir__sim_binding *binding = weir__sim_find_local(client->object.host, address, length, false);
    if (!binding)
        return -1;
    struct weir__sim_stream *listener = weir__sim_stream(binding->object);
    if (weir__sim_queue_full(listener))
        return fail(EAGAIN);
    struct weir__sim_stream *end = weir__sim_arrive(listener, client);
    if (!end)
        return fail(ENOMEM);
    client->other = listener->binding.address;
    client->other_length = listener->binding.length;
    client->state = WEIR__SIM_CONNECTED;
    weir__sim_arrived(end);
    return 0;
}

int weir__sim_stream_connect(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    if (length < sizeof(sa_family_t))
        return fail(EINVAL);
    if (stream->state == WEIR__SIM_LISTENING)
        return fail(EISCONN);
    if (weir__sim_is_local(stream))
        return connect_local(stream, address, length);
    if (address->sa_family == AF_UNSPEC) {
        weir__sim_disconnect(stream);
        weir__sim_changed(object, POLLIN | POLLOUT | POLLHUP | POLLERR);
        return 0;
    }
    return stream->state == WEIR__SIM_FRESH ? begin_connecting(stream, address, length) : connect_again(stream);
}
