/* The addresses of this process' own datagram sockets, which no datagram is answered to: so that none can talk to itself. */
#ifndef WEIR_SERVER_OWN_H
#define WEIR_SERVER_OWN_H

#include <weir/endpoint.h>

/* Adds the address of a datagram socket, and takes it out again. 0, or -1 with ENOMEM. Any thread. */
int weir__own_add(const weir_address *address);
void weir__own_remove(const weir_address *address);

/* Whether an address is that of one of them; of one bound to every address, if its port is the same and the address this machine's. */
bool weir__own_has(const weir_address *address);

#endif
