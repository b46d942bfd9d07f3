/* Datagrams that the kernel has packed together (UDP_GRO), and taking them apart. */
#ifndef WEIR_NET_BATCH_H
#define WEIR_NET_BATCH_H

#include <weir/datagram.h>

struct weir__packed;

/*
 * Finds out, at the first batch, whether UDP_GRO is set on the socket: then what comes in a row from one peer comes in one
 * piece, and has to be taken apart. 0, or -1 with ENOMEM.
 */
int weir__packed_find(weir_conn *conn);

/* At least one datagram and at most `count`, without waiting. -1 and errno. */
int weir__packed_receive(weir_conn *conn, weir_datagram *datagrams, int count);

/* Whether there are any that have been received and not yet handed on. */
bool weir__packed_left(const weir_conn *conn);

#endif
