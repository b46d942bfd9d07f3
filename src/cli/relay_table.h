/* Sessions of datagrams: who has one, and what waits in it. Any thread may call these, and none parks. */
#ifndef CLI_RELAY_TABLE_H
#define CLI_RELAY_TABLE_H

#include "relaying.h"

/* A datagram that waits. */
struct waiting {
    struct waiting *next;
    size_t length;
    char data[];
};

/* All but `active` under the lock of the table; `conn` is set once, before `direct`, and may then be read without. */
struct relay_session {
    struct relay_session *next; /* of its bucket */
    size_t users;
    bool listed; /* in the table */
    bool direct; /* connected, and nothing waits */
    weir_address peer;
    struct waiting *first, **last; /* in the order they came */
    size_t waiting_bytes;
    weir_conn *conn;        /* to the other end */
    _Atomic int64_t active; /* when the client sent last */
};

/*
 * The session of a client, which the caller then knows until it gives it back; a new one where there is none. NULL: no
 * more may be, or there is no memory.
 */
struct relay_session *relay_session_take(struct relay *relay, const weir_address *peer, bool *is_new);

/* The caller does not know it any more. Where `end` it is over: the client's next datagram begins another. */
void relay_session_give(struct relay *relay, struct relay_session *session, bool end);

/* Gives it its connection, or none. */
void relay_session_connected(struct relay *relay, struct relay_session *session, weir_conn *conn);

/* Whether datagrams are sent by whoever has them. */
bool relay_session_is_direct(struct relay *relay, const struct relay_session *session);

/*
 * Leaves a copy for the session's own handler, unless datagrams are sent directly; `no_room`: from now on they are not.
 * Whether the datagram is done with.
 */
bool relay_session_leave_waiting(struct relay *relay, struct relay_session *session, const weir_datagram *datagram,
                                 bool no_room);

/* All that waits now, the caller's to free one by one. Once nothing does, further datagrams are sent directly. */
struct waiting *relay_session_take_waiting(struct relay *relay, struct relay_session *session);

/* Puts back what found no room, before what has come meanwhile. */
void relay_session_put_back(struct relay *relay, struct relay_session *session, struct waiting *first);

#endif
