/* Socket options: those of every socket, and those of streams. */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "engine/sim/stream.h"

enum {
    SEND_BUFFER = 87040, /* what sockets have, and how much they may be given: Linux's defaults */
    RECEIVE_BUFFER = 131072,
    LARGEST_BUFFER = 212992,
    LEAST_SEND_BUFFER = 4608,
    LEAST_RECEIVE_BUFFER = 2304,
};

static int fail(int number)
{
    errno = number;
    return -1;
}

/* --- what is only kept --- */

/* An option that is a member of a binding, as a bool or a number. */
struct member {
    int level, name;
    size_t offset;
    bool flag;
};

#define FLAG(level, name, member)                                                                                      \
    {                                                                                                                  \
        level, name, offsetof(struct weir__sim_binding, member), true                                                  \
    }
#define NUMBER(level, name, member)                                                                                    \
    {                                                                                                                  \
        level, name, offsetof(struct weir__sim_binding, member), false                                                 \
    }

static const struct member members[] = {
    FLAG(SOL_SOCKET, SO_REUSEADDR, reuse_address),
    FLAG(SOL_SOCKET, SO_REUSEPORT, reuse_port),
    FLAG(SOL_SOCKET, SO_KEEPALIVE, options.keepalive),
    FLAG(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, no_port),
    FLAG(IPPROTO_IPV6, IPV6_V6ONLY, only6),
    FLAG(IPPROTO_TCP, TCP_NODELAY, options.no_delay),
    NUMBER(IPPROTO_TCP, TCP_KEEPIDLE, options.keep_idle),
    NUMBER(IPPROTO_TCP, TCP_KEEPINTVL, options.keep_interval),
    NUMBER(IPPROTO_TCP, TCP_KEEPCNT, options.keep_count),
};

/* Whether a socket of that kind has options of that level. */
static bool has_level(const struct weir__sim_binding *binding, int level)
{
    switch (level) {
    case SOL_SOCKET:
        return true;
    case IPPROTO_IP:
        return binding->family != AF_UNIX;
    case IPPROTO_IPV6:
        return binding->family == AF_INET6;
    case IPPROTO_TCP:
        return binding->family != AF_UNIX && !binding->datagram;
    default:
        return false;
    }
}

static const struct member *find(const struct weir__sim_binding *binding, int level, int name)
{
    if (!has_level(binding, level))
        return NULL;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].level == level && members[i].name == name)
            return &members[i];
    return NULL;
}

static int get_member(const struct weir__sim_binding *binding, const struct member *member)
{
    const char *at = (const char *)binding + member->offset;
    return member->flag ? *(const bool *)at : *(const int *)(const void *)at;
}

static void set_member(struct weir__sim_binding *binding, const struct member *member, int value)
{
    char *at = (char *)binding + member->offset;
    if (member->flag)
        *(bool *)at = value != 0;
    else
        *(int *)(void *)at = value;
}

/* --- of every socket --- */

static int give(const void *what, size_t size, void *value, socklen_t *length)
{
    if (*length > size)
        *length = (socklen_t)size;
    memcpy(value, what, *length);
    return 0;
}

static int protocol_of(const struct weir__sim_binding *binding)
{
    return binding->family == AF_UNIX ? 0 : binding->datagram ? IPPROTO_UDP : IPPROTO_TCP;
}

/* What the system decides; -1: it is no such option. */
static int fixed(const struct weir__sim_binding *binding, int name)
{
    switch (name) {
    case SO_TYPE:
        return binding->datagram ? SOCK_DGRAM : SOCK_STREAM;
    case SO_DOMAIN:
        return binding->family;
    case SO_PROTOCOL:
        return protocol_of(binding);
    case SO_ACCEPTCONN:
        return binding->listening;
    case SO_SNDBUF:
        return binding->options.send_buffer ? binding->options.send_buffer : SEND_BUFFER;
    case SO_RCVBUF:
        return binding->options.receive_buffer ? binding->options.receive_buffer : RECEIVE_BUFFER;
    default:
        return -1;
    }
}

int weir__sim_get_option(const struct weir__sim_binding *binding, int level, int name, void *value, socklen_t *length)
{
    const struct member *member = find(binding, level, name);
    int number = member ? get_member(binding, member) : level == SOL_SOCKET ? fixed(binding, name) : -1;
    if (level == SOL_SOCKET && name == SO_MEMINFO) {
        uint32_t numbers[SK_MEMINFO_VARS] = {[SK_MEMINFO_DROPS] = binding->drops};
        return give(numbers, sizeof numbers, value, length);
    }
    return number < 0 ? fail(ENOPROTOOPT) : give(&number, sizeof number, value, length);
}

/* Linux doubles what is asked for, for what it needs itself. */
static int buffer(int wanted, int least)
{
    int size = wanted > LARGEST_BUFFER || wanted < 0 ? LARGEST_BUFFER : wanted;
    return size * 2 < least ? least : size * 2;
}

int weir__sim_set_option(struct weir__sim_binding *binding, int level, int name, const void *value, socklen_t length)
{
    const struct member *member = find(binding, level, name);
    bool buffers = level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF);
    int number;
    if (!member && !buffers)
        return fail(ENOPROTOOPT);
    if (length < sizeof number)
        return fail(EINVAL);
    memcpy(&number, value, sizeof number);
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && binding->length)
        return fail(EINVAL);
    if (member && !member->flag && number < 1)
        return fail(EINVAL);
    if (member)
        set_member(binding, member, number);
    else if (name == SO_SNDBUF)
        binding->options.send_buffer = buffer(number, LEAST_SEND_BUFFER);
    else
        binding->options.receive_buffer = buffer(number, LEAST_RECEIVE_BUFFER);
    return 0;
}

/* --- of streams --- */

int weir__sim_stream_get_option(struct weir__sim_object *object, int level, int name, void *value, socklen_t *length)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    if (level == SOL_SOCKET && name == SO_ERROR) {
        int error = weir__sim_take_error(stream);
        return give(&error, sizeof error, value, length);
    }
    if (level == SOL_SOCKET && name == SO_LINGER) {
        struct linger linger = {.l_onoff = stream->lingers_not};
        return give(&linger, sizeof linger, value, length);
    }
    return weir__sim_get_option(&stream->binding, level, name, value, length);
}

/* A close never waits here: SO_LINGER with a time would make it, and is refused. */
int weir__sim_stream_set_option(struct weir__sim_object *object, int level, int name, const void *value,
                                socklen_t length)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    struct linger linger;
    if (level != SOL_SOCKET || name != SO_LINGER)
        return weir__sim_set_option(&stream->binding, level, name, value, length);
    if (length < sizeof linger)
        return fail(EINVAL);
    memcpy(&linger, value, sizeof linger);
    if (linger.l_onoff && linger.l_linger)
        return fail(EOPNOTSUPP);
    stream->lingers_not = linger.l_onoff;
    return 0;
}
