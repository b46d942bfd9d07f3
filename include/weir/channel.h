/* Channels: how fibers (and threads) pass things to each other, and wait for the first of several things. */
#ifndef WEIR_CHANNEL_H
#define WEIR_CHANNEL_H

#include <weir/conn.h>
#include <weir/fiber.h>

WEIR_BEGIN

typedef struct weir_channel weir_channel;

/*
 * A channel of items of `item_size` bytes each, of which `capacity` may wait in it; with capacity 0 a sender waits
 * for its receiver (a rendezvous). Go's channels. May be used from any fiber and thread.
 * Returns NULL with ENOMEM. The caller owns it: weir_channel_free when nobody uses it any more.
 */
WEIR_API weir_channel *weir_channel_new(size_t item_size, size_t capacity);

/* Frees a channel nobody waits on. NULL is fine. */
WEIR_API void weir_channel_free(weir_channel *channel);

/* Copies the item in. Parks while the channel is full. Returns 0, or -1 with EPIPE (closed), ETIMEDOUT or ECANCELED. */
WEIR_API int weir_channel_send(weir_channel *channel, const void *item, int64_t deadline);

/*
 * Copies the oldest item out. Parks while there is none. Returns 0, or -1 with EPIPE (closed, and nothing is left),
 * ETIMEDOUT or ECANCELED.
 */
WEIR_API int weir_channel_receive(weir_channel *channel, void *item, int64_t deadline);

/* Closes: senders fail with EPIPE, receivers too once it is empty. Closing twice is once. Does not park. */
WEIR_API void weir_channel_close(weir_channel *channel);

/* One of several things to wait for. */
typedef enum weir_case_kind {
    WEIR_CASE_SEND,     /* an item goes into `channel` */
    WEIR_CASE_RECEIVE,  /* an item comes out of `channel` */
    WEIR_CASE_END,      /* `fiber` has ended; it still has to be joined */
    WEIR_CASE_READABLE, /* weir_recv on `conn` would not wait */
    WEIR_CASE_WRITABLE, /* weir_send on `conn` would not wait */
} weir_case_kind;

typedef struct weir_case {
    weir_case_kind kind;
    weir_channel *channel;
    weir_fiber *fiber;
    weir_conn *conn;
    void *item; /* SEND: read from here; RECEIVE: written to here */
    int error;  /* out: 0, or EPIPE where the channel of the chosen case is closed */
} weir_case;

/*
 * Waits for the first of `count` things (at most 64) and does it, exactly one; where several are ready, one of them
 * at random, so that none starves. Parks. Returns the index of what was done (its `error` may be EPIPE), or -1 with
 * ETIMEDOUT, ECANCELED, EINVAL, ENOMEM, or EBUSY where a connection has another reader or writer.
 */
WEIR_API int weir_select(weir_case *cases, size_t count, int64_t deadline);

WEIR_END

#endif
