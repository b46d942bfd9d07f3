/* Channels, connections and fibers as cases of a select, for tests. */
#ifndef WEIR_TESTS_SELECTING_H
#define WEIR_TESTS_SELECTING_H

#include <sys/socket.h>
#include <weir/channel.h>

#include "engine.h"

static inline weir_channel *made(size_t capacity)
{
    weir_channel *channel = weir_channel_new(sizeof(int64_t), capacity);
    check(channel);
    return channel;
}

static inline weir_fiber *spawned(weir_fiber_function *function, void *arg)
{
    weir_fiber *fiber = weir_spawn(function, arg, NULL);
    check(fiber);
    return fiber;
}

static inline int joined(weir_fiber *fiber)
{
    int result = -1;
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0);
    return result;
}

static inline weir_case sending(weir_channel *channel, int64_t *number)
{
    return (weir_case){.kind = WEIR_CASE_SEND, .channel = channel, .item = number, .error = -1};
}

static inline weir_case receiving(weir_channel *channel, int64_t *number)
{
    return (weir_case){.kind = WEIR_CASE_RECEIVE, .channel = channel, .item = number, .error = -1};
}

static inline weir_case ending(weir_fiber *fiber)
{
    return (weir_case){.kind = WEIR_CASE_END, .fiber = fiber, .error = -1};
}

static inline weir_case readable(weir_conn *conn)
{
    return (weir_case){.kind = WEIR_CASE_READABLE, .conn = conn, .error = -1};
}

static inline weir_case writable(weir_conn *conn)
{
    return (weir_case){.kind = WEIR_CASE_WRITABLE, .conn = conn, .error = -1};
}

static inline void pair_of(weir_conn *pair[2])
{
    check(weir_pair(SOCK_STREAM, pair) == 0);
}

static inline void fill(weir_conn *conn)
{
    static const char block[65536];
    while (weir_send_flags(conn, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    check(errno == EAGAIN);
}

static inline void drain(weir_conn *conn)
{
    static char block[65536];
    while (weir_recv_flags(conn, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
}

static inline int returns(void *arg)
{
    return (int)(intptr_t)arg;
}

static inline int sleeps(void *arg)
{
    return weir_sleep((int64_t)(intptr_t)arg) == 0 ? 3 : errno;
}

#endif
