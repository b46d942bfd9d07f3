/* Addresses as the floor makes them; the public side is weir/endpoint.h. */
#ifndef WEIR_NET_ADDRESS_H
#define WEIR_NET_ADDRESS_H

#include <weir/endpoint.h>

/* An address of IPv4 or IPv6 (without brackets, a scope as a number) in digits. 0, or -1 with EINVAL. */
int weir__numeric_address(const char *host, size_t length, uint16_t port, weir_address *address);

/* A Unix socket's address: a path, or an abstract name (an empty one too) without its @. 0, or -1 with EINVAL if the path is empty, or too long. */
int weir__local_address(bool abstract, const char *name, size_t length, weir_address *address);

/* The bytes of a Unix socket's name, an abstract one's leading NUL included; 0 for one without a name. */
size_t weir__local_name(const weir_address *address, const char **name);

/*
 * How long an address is that the kernel tells the length of: of a path that fills sun_path it counts a NUL behind it as well,
 * and would refuse to be given that length back.
 */
static inline socklen_t weir__told_length(socklen_t told)
{
    return told < sizeof(struct sockaddr_un) ? told : sizeof(struct sockaddr_un);
}

/* Whether an address stands for every one of its family: what a socket for all of them is bound to. */
bool weir__address_is_any(const weir_address *address);

/* Whether it is a multicast address, or 255.255.255.255. The broadcast address of a network only the kernel knows. */
bool weir__address_is_group(const weir_address *address);

/* Sets the port of an IPv4 or IPv6 address; nothing on others. */
void weir__set_port(weir_address *address, uint16_t port);

#endif
