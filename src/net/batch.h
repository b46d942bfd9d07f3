/* Datagrams that the kernel has packed together (UDP_GRO), and taking them apart. */
#ifndef WEIR_NET_BATCH_H
#define WEIR_NET_BATCH_H

#include <weir/datagram.h>

struct weir__packed;

/*
 * Has the kernel hand over what comes in a row from one peer in one piece, where it can; weir_recv_batch takes it apart. For
 * udp, before its first use; from then on datagrams may be received by weir_recv_batch alone. 0, or -1 with ENOPROTOOPT, ENOMEM.
 */
int weir__receive_packed(weir_conn *conn);

/* At least one datagram and at most `count`, without waiting. -1 and errno. */
int weir__packed_receive(weir_conn *conn, weir_datagram *datagrams, int count);

/* Whether there are any that have been received and not yet handed on. */
bool weir__packed_left(const weir_conn *conn);

#endif
