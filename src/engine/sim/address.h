/* Addresses of both families as one kind, for those who compare them; and what only streams ask of bindings. */
#ifndef WEIR_ENGINE_SIM_ADDRESS_H
#define WEIR_ENGINE_SIM_ADDRESS_H

#include "engine/sim/sim.h"

/* An address as IPv6 has them: those of IPv4 are mapped, ::ffff:a.b.c.d. */
struct weir__sim_spot {
    struct in6_addr ip;
    uint16_t port;
    bool ip4, any;
};

struct weir__sim_spot weir__sim_spot(const struct sockaddr *address);
/* As a socket of that family tells it; returns the length. */
socklen_t weir__sim_spot_address(const struct weir__sim_spot *spot, int family, union weir__sim_address *address);
/* Whether a host has it: a wildcard, loopback, or its own. */
bool weir__sim_spot_is_own(const struct weir_sim_host *host, const struct weir__sim_spot *spot);
/* From where a host reaches it; its port is 0. */
struct weir__sim_spot weir__sim_spot_source(const struct weir_sim_host *host, const struct weir__sim_spot *peer);

/* The name of a Unix socket: whether it is one in the files, which it is copied from with a NUL. */
bool weir__sim_path_of(const union weir__sim_address *address, socklen_t length,
                       char path[sizeof address->local.sun_path + 1]);

/* Whether another socket of the host has the address, and may not share it. */
bool weir__sim_in_the_way(const struct weir__sim_binding *binding);
/* Gives a connection that was accepted the address that its client had asked for. */
void weir__sim_bind_as(struct weir__sim_binding *binding, const struct sockaddr *address, socklen_t length);

#endif
