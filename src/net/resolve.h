/* From an endpoint's host to addresses. */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include <weir/endpoint.h>

enum { WEIR__RESOLVED_MOST = 32 };

/* The addresses of a host, in the order in which they are to be tried, with the endpoint's port. */
struct weir__resolved {
    size_t count;
    weir_address list[WEIR__RESOLVED_MOST];
};

/*
 * The addresses of an endpoint with a host (no host: this machine's loopback addresses), of one family or of both (0).
 * Names are resolved on the pool, addresses in digits and `localhost` at once, and without any resolver. Parks.
 * The caller frees what it gets. NULL with ENOENT of kind RESOLVE, ETIMEDOUT, ECANCELED, ENOMEM; EINVAL for "*".
 */
struct weir__resolved *weir__resolve(const weir_endpoint *endpoint, int family, int64_t deadline);

#endif
