/* Connecting to the first of several addresses that answers: RFC 8305, "Happy Eyeballs". */
#ifndef WEIR_NET_HAPPY_EYEBALLS_H
#define WEIR_NET_HAPPY_EYEBALLS_H

#include <weir/conn.h>

#include "net/resolve.h"

/* What is connected, and how. */
struct weir__dialling {
    const weir_endpoint *endpoint;
    const weir_connect_options *options;
    const struct weir__resolved
        *from; /* addresses to connect from, the first of the family; NULL: the system's choice */
    int64_t deadline;
};

/*
 * Tries the addresses: the families take turns, beginning with that of the first; the next address is tried 250 ms after the
 * last, or at once when one has failed; whichever connects first wins and the others are given up. Datagram sockets
 * connect without asking anybody. Parks. Returns a non-blocking close-on-exec descriptor; -1 with the most telling error.
 */
int weir__connect_first(const struct weir__dialling *dialling, const struct weir__resolved *resolved);

#endif
